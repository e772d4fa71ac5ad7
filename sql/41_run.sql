-- Running a workflow: activities are functions of the database, called as the
-- role that the workflow runs as.  Background workers are off here, so that
-- vouch.advance() does their work in this session.
CREATE ROLE regress_vouch_run_bank LOGIN;
CREATE ROLE regress_vouch_run_clerk LOGIN;
GRANT vouch_admin TO regress_vouch_run_bank;
GRANT vouch_user TO regress_vouch_run_clerk;
CREATE SCHEMA run41;
GRANT USAGE ON SCHEMA run41 TO regress_vouch_run_bank;
CREATE TABLE run41.ledger (entry int, by_whom text);
GRANT ALL ON run41.ledger TO regress_vouch_run_bank;

CREATE FUNCTION run41.add(a int, b int DEFAULT 10) RETURNS int LANGUAGE sql AS 'SELECT a + b';
CREATE FUNCTION run41.book(entry int) RETURNS text LANGUAGE sql
AS 'INSERT INTO run41.ledger VALUES (entry, vouch.actor() || '' through '' || session_user) RETURNING by_whom';
CREATE FUNCTION run41.echo(jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION run41.pairs(n int) RETURNS TABLE (i int, square int) LANGUAGE sql
AS 'SELECT g, g * g FROM generate_series(1, n) g';
CREATE FUNCTION run41.nothing() RETURNS void LANGUAGE sql AS '';
CREATE TYPE run41.point AS (x numeric, y numeric);
CREATE FUNCTION run41.kinds(flag boolean, names text[], day date, place run41.point, doc jsonb)
RETURNS text LANGUAGE sql
AS $$SELECT concat_ws(' | ', flag, names, day, place, doc)$$;

-- An object's keys are the function's named arguments; arguments with a
-- default may be left out.  The result becomes JSON: rows are an array.
SET SESSION AUTHORIZATION regress_vouch_run_bank;
SELECT vouch.define_workflow('run41', '{
	"StartAt": "Add",
	"States": {
		"Add": {"Type": "Task", "Resource": "sql:run41.add", "Parameters": {"a.$": "$.n"}, "ResultPath": "$.sum", "Next": "Book"},
		"Book": {"Type": "Task", "Resource": "sql:run41.book", "Parameters": {"entry.$": "$.sum"}, "ResultPath": "$.booked", "Next": "Rows"},
		"Rows": {"Type": "Task", "Resource": "sql:run41.pairs", "Parameters": {"n": 2}, "ResultPath": "$.rows", "Next": "Nothing"},
		"Nothing": {"Type": "Task", "Resource": "sql:run41.nothing", "Parameters": {}, "ResultPath": "$.nothing", "Next": "Kinds"},
		"Kinds": {"Type": "Task", "Resource": "sql:run41.kinds", "Parameters": {"flag": true, "names": ["a", "b c"],
			"day": "2026-11-22", "place": {"x": 1.50, "y": null}, "doc": {"k": [1]}}, "ResultPath": "$.kinds", "Next": "Big"},
		"Big": {"Type": "Choice", "Choices": [{"Variable": "$.sum", "NumericGreaterThan": 100, "Next": "TooBig"}], "Default": "Done"},
		"TooBig": {"Type": "Fail", "Error": "TooBig", "Cause": "more than a hundred"},
		"Done": {"Type": "Task", "Resource": "sql:run41.echo", "End": true}
	}}') AS revision;

-- Somebody else starts it: the activities act in that person's name.
SET SESSION AUTHORIZATION regress_vouch_run_clerk;
SELECT vouch.start_workflow('run41', '{"n": 1}', 'run41-a');
SELECT vouch.start_workflow('run41', '{"n": 99}', 'run41-b');
SELECT vouch.advance();
SELECT workflow_id, status, waiting_for FROM vouch.executions WHERE workflow_id LIKE 'run41-%' ORDER BY 1;

SET SESSION AUTHORIZATION regress_vouch_run_bank;
SELECT vouch.advance();
SELECT workflow_id, status, error, starter FROM vouch.executions WHERE workflow_id LIKE 'run41-%' ORDER BY 1;
SELECT jsonb_pretty(vouch.describe_workflow('run41-a') -> 'output') AS output;
SELECT d ->> 'error' AS error, d ->> 'cause' AS cause FROM vouch.describe_workflow('run41-b') d;
SELECT * FROM run41.ledger;

-- The whole of an advance is one transaction: effect, next state, history.
BEGIN;
SELECT vouch.start_workflow('run41', '{"n": 2}', 'run41-c');
SELECT vouch.advance();
ROLLBACK;
SELECT count(*) FROM run41.ledger;
SELECT vouch.describe_workflow('run41-c');
\echo :LAST_ERROR_SQLSTATE

-- A workflow_id is unique among open executions.
SELECT vouch.define_workflow('run41_wait', '{"StartAt": "W", "States": {"W": {"Type": "Task",
	"Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "End": true}}}');
SELECT vouch.start_workflow('run41_wait', '{"n": 1}', 'run41-d');
SELECT vouch.start_workflow('run41_wait', '{"n": 2}', 'run41-d');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.start_workflow('run41_wait', '{"n": 3}', 'run41-d', on_conflict => 'use_existing');
SELECT vouch.start_workflow('run41_wait', '{"n": 4}', 'run41-d', on_conflict => 'terminate_existing');
SELECT status, d -> 'input' AS input FROM vouch.executions e, vouch.describe_workflow('run41-d') d
WHERE e.workflow_id = 'run41-d' ORDER BY started_at;
SELECT vouch.start_workflow('run41_wait', workflow_id => 'run41-d', on_conflict => 'hope');
SELECT vouch.start_workflow('run41_wait', workflow_id => '');
SELECT vouch.start_workflow('no_such_workflow');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.start_workflow('run41_wait', revision => 7);
SELECT vouch.start_workflow('run41_wait', revision => 0);
SELECT vouch.start_workflow('run41_wait', revision => -1);
SELECT vouch.start_workflow('run41_nothing', revision => 1);
SELECT vouch.start_workflow('run41_wait') LIKE 'run41\_wait-%' AS makes_an_id;

-- Pausing holds an execution; what it waits for is kept.
SELECT vouch.advance();
SELECT vouch.pause_workflow('run41-d');
SELECT vouch.signal_workflow('run41-d', 'go', '"now"');
SELECT vouch.advance();
SELECT status, paused FROM vouch.executions WHERE workflow_id = 'run41-d' AND status = 'running';
SELECT vouch.resume_workflow('run41-d');
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d -> 'output' AS output FROM vouch.describe_workflow('run41-d') d;
SELECT vouch.wait_for_workflow('run41-d');

-- Cancel and terminate close it, with the name of who did it.
SELECT vouch.start_workflow('run41_wait', workflow_id => 'run41-e');
SELECT vouch.cancel_workflow('run41-e', 'not needed');
SELECT d ->> 'status' AS status, d ->> 'cause' AS cause FROM vouch.describe_workflow('run41-e') d;
SELECT vouch.cancel_workflow('run41-e');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.terminate_workflow('run41-none');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.wait_for_workflow('run41-e', '1 ms');

RESET SESSION AUTHORIZATION;
SELECT status, count(*) FROM vouch.executions WHERE workflow LIKE 'run41%' GROUP BY 1 ORDER BY 1;
SELECT vouch.terminate_workflow(workflow_id) FROM vouch.executions WHERE workflow LIKE 'run41%' AND status = 'running';
SET client_min_messages TO warning;
DROP SCHEMA run41 CASCADE;
DROP ROLE regress_vouch_run_bank, regress_vouch_run_clerk;
