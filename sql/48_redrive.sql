-- Redriving: what failed goes on from the state that failed; what it did before
-- is not done again.
CREATE ROLE regress_vouch_red_app LOGIN IN ROLE vouch_admin;
CREATE SCHEMA red48;
GRANT USAGE ON SCHEMA red48 TO regress_vouch_red_app;
CREATE TABLE red48.booked (n int);
CREATE TABLE red48.open (yes boolean);
GRANT ALL ON red48.booked, red48.open TO regress_vouch_red_app;
CREATE FUNCTION red48.book(n int) RETURNS int LANGUAGE sql AS 'INSERT INTO red48.booked VALUES (n) RETURNING n';
CREATE FUNCTION red48.pay(n int) RETURNS text LANGUAGE plpgsql AS
$$BEGIN
	IF NOT EXISTS (SELECT FROM red48.open) THEN
		PERFORM vouch.fail('Bank.Closed', 'come back tomorrow');
	END IF;
	RETURN 'paid ' || n;
END$$;

SET SESSION AUTHORIZATION regress_vouch_red_app;
SELECT vouch.define_workflow('red48', '{"StartAt": "Book", "States": {
	"Book": {"Type": "Task", "Resource": "sql:red48.book", "Parameters": {"n.$": "$.n"}, "Assign": {"booked.$": "$"}, "ResultPath": null, "Next": "Pay"},
	"Pay": {"Type": "Parallel", "ResultSelector": {"paid.$": "$[0]"}, "Next": "End", "Branches": [
		{"StartAt": "P", "States": {"P": {"Type": "Task", "Resource": "sql:red48.pay", "Parameters": {"n.$": "$.n"}, "End": true}}}]},
	"End": {"Type": "Pass", "Parameters": {"paid.$": "$.paid", "booked.$": "$booked", "redrives.$": "$$.Execution.RedriveCount"}, "End": true}}}');
SELECT vouch.start_workflow('red48', '{"n": 5}', 'red48-a');
SELECT vouch.advance();
SELECT status, error FROM vouch.executions WHERE workflow_id = 'red48-a';

-- Too early: it fails again, and may be redriven again.
SELECT vouch.redrive_workflow('red48-a');
SELECT status, waiting_for FROM vouch.executions WHERE workflow_id = 'red48-a';
SELECT vouch.redrive_workflow('red48-a');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.advance();
INSERT INTO red48.open VALUES (true);
SELECT vouch.redrive_workflow('red48-a');
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d -> 'output' AS output, d -> 'error' AS error FROM vouch.describe_workflow('red48-a') d;
SELECT * FROM red48.booked;
SELECT event_id, previous_event_id AS previous, type, state FROM vouch.workflow_history('red48-a');
SELECT vouch.redrive_workflow('red48-a');
\echo :LAST_ERROR_SQLSTATE

-- One that was terminated before it began, begins.
SELECT vouch.start_workflow('red48', '{"n": 6}', 'red48-b');
SELECT vouch.terminate_workflow('red48-b');
SELECT vouch.redrive_workflow('red48-b');
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d -> 'output' AS output FROM vouch.describe_workflow('red48-b') d;

-- Not while another one has its workflow_id; not what is not there.
SELECT vouch.redrive_workflow('red48-none');
\echo :LAST_ERROR_SQLSTATE

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DROP SCHEMA red48 CASCADE;
DROP ROLE regress_vouch_red_app;
