-- Errors of activities, and what Retry and Catch make of them.
CREATE ROLE regress_vouch_err_app LOGIN;
GRANT vouch_admin TO regress_vouch_err_app;
CREATE SCHEMA err43;
GRANT USAGE ON SCHEMA err43 TO regress_vouch_err_app;
CREATE TABLE err43.log (what text);
CREATE SEQUENCE err43.attempts;
GRANT ALL ON err43.log, err43.attempts TO regress_vouch_err_app;

CREATE FUNCTION err43.divide(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a / b';
CREATE FUNCTION err43.refuse(why text) RETURNS void LANGUAGE plpgsql AS
$$BEGIN
	INSERT INTO err43.log VALUES ('never seen');
	PERFORM vouch.fail('Bank.Refused', why);
END$$;
CREATE FUNCTION err43.third_time(what text) RETURNS text LANGUAGE plpgsql AS
$$BEGIN
	INSERT INTO err43.log VALUES (what);
	IF nextval('err43.attempts') % 3 <> 0 THEN
		RAISE EXCEPTION 'not yet' USING ERRCODE = 'serialization_failure';
	END IF;
	RETURN 'done';
END$$;

-- The error's name is SQL. and the SQLSTATE, its message the cause; a function
-- may choose a name with vouch.fail().  What a failed activity wrote is undone.
SET SESSION AUTHORIZATION regress_vouch_err_app;
SELECT vouch.fail('Bank.Refused', 'for once outside of a workflow');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.define_workflow('err43', '{"StartAt": "Which", "States": {
	"Which": {"Type": "Choice", "Choices": [
		{"Variable": "$.divide", "IsPresent": true, "Next": "Divide"},
		{"Variable": "$.refuse", "IsPresent": true, "Next": "Refuse"},
		{"Variable": "$.retry", "IsPresent": true, "Next": "Retry"},
		{"Variable": "$.wrong", "IsPresent": true, "Next": "Wrong"},
		{"Variable": "$.convert", "IsPresent": true, "Next": "Convert"}], "Default": "Path"},
	"Divide": {"Type": "Task", "Resource": "sql:err43.divide", "Parameters": {"a": 1, "b.$": "$.divide"},
		"Catch": [{"ErrorEquals": ["SQL.22012"], "ResultPath": "$.caught", "Next": "Caught"}], "End": true},
	"Refuse": {"Type": "Task", "Resource": "sql:err43.refuse", "Parameters": {"why.$": "$.refuse"},
		"Catch": [{"ErrorEquals": ["Bank.Closed"], "Next": "Caught"},
			{"ErrorEquals": ["Bank.Refused"], "ResultPath": "$.caught", "Next": "Caught"}], "End": true},
	"Retry": {"Type": "Task", "Resource": "sql:err43.third_time", "Parameters": {"what.$": "$.retry"},
		"Retry": [{"ErrorEquals": ["SQL.40001"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1}],
		"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}], "ResultPath": "$.done", "End": true},
	"Wrong": {"Type": "Task", "Resource": "sql:err43.divide",
		"Catch": [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.caught", "Next": "Caught"}], "End": true},
	"Convert": {"Type": "Task", "Resource": "sql:err43.divide", "Parameters": {"a.$": "$.convert", "b": 1}, "End": true},
	"Path": {"Type": "Pass", "InputPath": "$.no.such.path", "End": true},
	"Caught": {"Type": "Pass", "End": true}
	}}');
SELECT vouch.start_workflow('err43', '{"divide": 0}', 'err43-divide'),
	vouch.start_workflow('err43', '{"refuse": "no money"}', 'err43-refuse'),
	vouch.start_workflow('err43', '{"wrong": 1}', 'err43-wrong'),
	vouch.start_workflow('err43', '{"convert": "x"}', 'err43-convert'),
	vouch.start_workflow('err43', '{}', 'err43-path');
SELECT vouch.advance();
SELECT workflow_id, d ->> 'status' AS status, d -> 'output' -> 'caught' ->> 'Error' AS caught,
	coalesce(d -> 'output' -> 'caught' ->> 'Cause', d ->> 'cause') AS cause, d ->> 'error' AS error
FROM vouch.executions, vouch.describe_workflow(workflow_id) d WHERE workflow = 'err43' ORDER BY 1;
SELECT * FROM err43.log;

-- Retry waits without holding anything: the branch has a time to go on.
SELECT vouch.start_workflow('err43', '{"retry": "try"}', 'err43-retry');
SELECT vouch.advance();
SELECT status, waiting_for FROM vouch.executions WHERE workflow_id = 'err43-retry';
SELECT vouch.wait_for_workflow('err43-retry', '1.1 s');
SELECT vouch.advance();
SELECT vouch.wait_for_workflow('err43-retry', '1.1 s');
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d -> 'output' AS output FROM vouch.describe_workflow('err43-retry') d;
-- Only the attempt that worked left something.
SELECT * FROM err43.log;
SELECT event_id, type, detail ->> 'error' AS error FROM vouch.workflow_history('err43-retry') WHERE state = 'Retry';

-- A function that is dropped later fails the state, not the worker.
SELECT vouch.start_workflow('err43', '{"divide": 1}', 'err43-gone');
RESET SESSION AUTHORIZATION;
DROP FUNCTION err43.divide(int, int);
SET SESSION AUTHORIZATION regress_vouch_err_app;
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d ->> 'error' AS error, d ->> 'cause' AS cause FROM vouch.describe_workflow('err43-gone') d;

-- The time limit of the whole machine.
SELECT vouch.define_workflow('err43_late', '{"TimeoutSeconds": 1, "StartAt": "W", "States": {
	"W": {"Type": "Wait", "Seconds": 3600, "End": true}}}');
SELECT vouch.start_workflow('err43_late', '{}', 'err43-late');
SELECT vouch.advance();
SELECT vouch.wait_for_workflow('err43-late', '1.1 s');
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d ->> 'error' AS error FROM vouch.describe_workflow('err43-late') d;
SELECT type FROM vouch.workflow_history('err43-late');

-- A loop that never waits does not hold the session for ever.
SELECT vouch.define_workflow('err43_loop', '{"StartAt": "A", "States": {
	"A": {"Type": "Pass", "Next": "B"},
	"B": {"Type": "Choice", "Choices": [{"Variable": "$.end", "IsPresent": true, "Next": "C"}], "Default": "A"},
	"C": {"Type": "Succeed"}}}');
SELECT vouch.start_workflow('err43_loop', '{}', 'err43-loop');
-- advance() comes back after about a second, with the execution still running.
SELECT vouch.advance(1) > 1000 AS many;
SELECT vouch.terminate_workflow('err43-loop', 'endless');
SELECT status FROM vouch.executions WHERE workflow_id = 'err43-loop';

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DROP SCHEMA err43 CASCADE;
DROP ROLE regress_vouch_err_app;
