-- History: what is too large to keep is said to be, and each event names its state.
CREATE ROLE regress_vouch_trc_app LOGIN;
GRANT vouch_admin TO regress_vouch_trc_app;
CREATE SCHEMA trc47;
GRANT USAGE ON SCHEMA trc47 TO regress_vouch_trc_app;
CREATE FUNCTION trc47.fail(size int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM vouch.fail('Too.Bad', repeat('x', size)); END $$;
CREATE FUNCTION trc47.long(n int) RETURNS text LANGUAGE sql AS $$ SELECT repeat('y', n) $$;
SET SESSION AUTHORIZATION regress_vouch_trc_app;
SHOW vouch.history_payload_limit;

SELECT vouch.define_workflow('trc47', '{"StartAt": "Long", "States": {
	"Long": {"Type": "Task", "Resource": "sql:trc47.long", "Parameters": {"n": 3000}, "ResultPath": "$.long", "Next": "Same"},
	"Same": {"Type": "Pass", "Next": "Call"},
	"Call": {"Type": "Task", "Resource": "sql:trc47.fail", "Parameters": {"size": 3000}, "End": true}}}');
SELECT vouch.start_workflow('trc47', '{"error": "none", "cause": "none", "short": true}', 'trc47-a');
SELECT vouch.advance();
-- An error keeps its name; an input that only looks like an error is none.
SELECT type, state, detail FROM vouch.workflow_history('trc47-a');

-- A Parallel that is tried again has its own name in its events, and its branches theirs.
SELECT vouch.define_workflow('trc47_retry', '{"StartAt": "Both", "States": {
	"Both": {"Type": "Parallel", "End": true, "Retry": [{"ErrorEquals": ["Too.Bad"], "MaxAttempts": 1, "IntervalSeconds": 1, "MaxDelaySeconds": 2}],
		"Branches": [{"StartAt": "Inner", "States": {"Inner": {"Type": "Fail", "Error": "Too.Bad"}}}]}}}');
SELECT vouch.start_workflow('trc47_retry', '{}', 'trc47-b');
SELECT vouch.advance();
SELECT vouch.wait_for_workflow('trc47-b', '1.1 s');
SELECT vouch.advance();
SELECT event_id, type, state FROM vouch.workflow_history('trc47-b');
-- So has a Map.
SELECT vouch.define_workflow('trc47_map', '{"StartAt": "Each", "States": {
	"Each": {"Type": "Map", "ItemsPath": "$.i", "End": true, "Retry": [{"ErrorEquals": ["Too.Bad"], "MaxAttempts": 1, "IntervalSeconds": 1, "MaxDelaySeconds": 2}],
		"ItemProcessor": {"StartAt": "Item", "States": {"Item": {"Type": "Fail", "Error": "Too.Bad"}}}}}}');
SELECT vouch.start_workflow('trc47_map', '{"i": [1]}', 'trc47-c');
SELECT vouch.advance();
SELECT vouch.wait_for_workflow('trc47-c', '1.1 s');
SELECT vouch.advance();
SELECT event_id, type, state FROM vouch.workflow_history('trc47-c');

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DROP SCHEMA trc47 CASCADE;
DROP ROLE regress_vouch_trc_app;
