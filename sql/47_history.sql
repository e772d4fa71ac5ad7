-- History: what happened, with the event types of AWS Step Functions.
CREATE ROLE regress_vouch_his_app LOGIN;
CREATE ROLE regress_vouch_his_ann LOGIN;
CREATE ROLE regress_vouch_his_reader LOGIN;
GRANT vouch_admin TO regress_vouch_his_app;
GRANT vouch_user TO regress_vouch_his_ann;
GRANT vouch_reader TO regress_vouch_his_reader;
CREATE SCHEMA his47;
GRANT USAGE ON SCHEMA his47 TO regress_vouch_his_app;
CREATE FUNCTION his47.add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b';

SET SESSION AUTHORIZATION regress_vouch_his_app;
SELECT vouch.define_workflow('his47', '{"StartAt": "Pass", "States": {
	"Pass": {"Type": "Pass", "Parameters": {"n": 1}, "Next": "Add"},
	"Add": {"Type": "Task", "Resource": "sql:his47.add", "Parameters": {"a.$": "$.n", "b": 2}, "ResultPath": "$.n", "Next": "Ask"},
	"Ask": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "ResultPath": "$.go", "Next": "Both"},
	"Both": {"Type": "Parallel", "ResultPath": "$.both", "Next": "Each", "Branches": [
		{"StartAt": "L", "States": {"L": {"Type": "Pass", "Result": "l", "End": true}}},
		{"StartAt": "R", "States": {"R": {"Type": "Wait", "Seconds": 0, "OutputPath": "$.n", "End": true}}}]},
	"Each": {"Type": "Map", "ItemsPath": "$.both", "MaxConcurrency": 1, "ResultPath": "$.each", "Next": "Which",
		"ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}},
	"Which": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 3, "Next": "Done"}], "Default": "Pass"},
	"Done": {"Type": "Succeed", "OutputPath": "$.each"}}}');
SELECT vouch.start_workflow('his47', '{}', 'his47-a');
SELECT vouch.advance();
SET SESSION AUTHORIZATION regress_vouch_his_ann;
SELECT vouch.signal_workflow('his47-a', 'go', '"on"');

SET SESSION AUTHORIZATION regress_vouch_his_reader;
SELECT event_id AS id, previous_event_id AS previous, type, state, detail FROM vouch.workflow_history('his47-a');

-- Numbers are dense, times do not go back, and it is one row an advance.
SELECT count(*), max(event_id) FROM vouch.workflow_history('his47-a');
SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY event_id) AS back FROM vouch.workflow_history('his47-a')) h WHERE back;
SELECT count(*) AS rows FROM vouch_data.history h JOIN vouch.executions e USING (bucket, execution_id) WHERE workflow_id = 'his47-a';

-- Large payloads are not kept twice.
SET SESSION AUTHORIZATION regress_vouch_his_app;
SELECT vouch.start_workflow('his47', jsonb_build_object('text', repeat('x', 3000)), 'his47-b');
SELECT vouch.advance();
SELECT type, detail FROM vouch.workflow_history('his47-b') ORDER BY event_id LIMIT 3;
SELECT vouch.cancel_workflow('his47-b', 'seen enough');
SELECT type, detail FROM vouch.workflow_history('his47-b') ORDER BY event_id DESC LIMIT 1;

-- One that was never advanced has begun, too.
SELECT vouch.start_workflow('his47', '{}', 'his47-c');
SELECT count(*) FROM vouch.workflow_history('his47-c');
SELECT vouch.terminate_workflow('his47-c');
SELECT type, detail FROM vouch.workflow_history('his47-c');
SELECT * FROM vouch.workflow_history('his47-none');
\echo :LAST_ERROR_SQLSTATE

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DROP SCHEMA his47 CASCADE;
DROP ROLE regress_vouch_his_app, regress_vouch_his_ann, regress_vouch_his_reader;
