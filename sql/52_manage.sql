-- Operators and developers: migrate, test a state, draw, find, prune.
CREATE ROLE regress_vouch_man_app LOGIN;
CREATE ROLE regress_vouch_man_other LOGIN;
GRANT vouch_user TO regress_vouch_man_other;
GRANT vouch_admin TO regress_vouch_man_app;
CREATE SCHEMA man52;
GRANT USAGE ON SCHEMA man52 TO regress_vouch_man_app;
CREATE FUNCTION man52.half(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	IF n % 2 <> 0 THEN
		PERFORM vouch.fail('Odd', n || ' is odd');
	END IF;
	RETURN n / 2;
END $$;
SET SESSION AUTHORIZATION regress_vouch_man_app;

-- Migration: open executions go on in another revision, each where it stands.
SELECT vouch.define_workflow('man52', '{
	"StartAt": "Both",
	"States": {
		"Both": {"Type": "Parallel", "Next": "Last", "Branches": [
			{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "a"}, "End": true}}},
			{"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 1, "End": true,
				"ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "one"}, "End": true}}}}}}]},
		"Last": {"Type": "Pass", "End": true}
	}}');
SELECT vouch.start_workflow('man52', '{"items": [1, 2]}', 'man52-a'), vouch.start_workflow('man52', '{"items": [1, 2]}', 'man52-b');
SELECT vouch.advance();
-- Two more machines before them, a state more, and another end.
SELECT vouch.define_workflow('man52', '{
	"StartAt": "Both",
	"States": {
		"A new one": {"Type": "Parallel", "End": true, "Branches": [
			{"StartAt": "N1", "States": {"N1": {"Type": "Pass", "Result": "new", "End": true}}}]},
		"Both": {"Type": "Parallel", "Next": "A new one", "ResultPath": "$.both", "Branches": [
			{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "a"}, "End": true}}},
			{"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 1, "End": true,
				"ItemProcessor": {"StartAt": "One", "States": {
					"One": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "one"}, "Next": "Two"},
					"Two": {"Type": "Pass", "Result": "two", "End": true}}}}}}]}
	}}');
SELECT * FROM vouch.migrate_execution('man52-a', dry_run => true);
SELECT revision FROM vouch.executions WHERE workflow_id = 'man52-a';
SELECT * FROM vouch.migrate_execution(ARRAY['man52-a']);
SELECT vouch.signal_workflow('man52-a', 'one'), vouch.signal_workflow('man52-a', 'a', '"answer"'), vouch.signal_workflow('man52-a', 'one');
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d -> 'output' AS output, d -> 'revision' AS revision FROM vouch.describe_workflow('man52-a') d;
SELECT type, detail FROM vouch.workflow_history('man52-a') WHERE type = 'ExecutionMigrated';

-- What cannot be, is not: none of them.
SELECT vouch.start_workflow('man52', '{"items": []}', 'man52-c');
SELECT vouch.advance();
SELECT vouch.define_workflow('man52', '{
	"StartAt": "Both",
	"States": {
		"Both": {"Type": "Parallel", "End": true, "Branches": [
			{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "a"}, "End": true}}},
			{"StartAt": "Other", "States": {"Other": {"Type": "Wait", "Seconds": 1, "End": true}}}]}
	}}');
SELECT * FROM vouch.migrate_execution(ARRAY['man52-b', 'man52-c'], dry_run => true);
SELECT * FROM vouch.migrate_execution(ARRAY['man52-b', 'man52-c']);
\echo :LAST_ERROR_SQLSTATE
SELECT workflow_id, revision FROM vouch.executions WHERE workflow_id IN ('man52-b', 'man52-c') ORDER BY 1;
SELECT * FROM vouch.migrate_execution('man52-a');
SELECT * FROM vouch.migrate_execution('man52-b', 99);
SELECT * FROM vouch.migrate_execution('man52-b', 0);

-- Nobody would send what the new revision does not wait for any more. What only running the state would tell, is not compared.
SELECT vouch.define_workflow('man52_sig', '{"StartAt": "S", "States": {
	"S": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "a"}, "End": true}}}');
SELECT vouch.start_workflow('man52_sig', '{"name": "a"}', 'man52-sig');
SELECT vouch.advance();
SELECT vouch.define_workflow('man52_sig', '{"StartAt": "S", "States": {
	"S": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "b"}, "End": true}}}');
SELECT * FROM vouch.migrate_execution('man52-sig', dry_run => true);
SELECT * FROM vouch.migrate_execution('man52-sig');
SELECT vouch.define_workflow('man52_sig', '{"StartAt": "S", "States": {
	"S": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"SignalName": "a"}, "End": true}}}');
SELECT * FROM vouch.migrate_execution('man52-sig');
SELECT vouch.define_workflow('man52_sig', '{"StartAt": "S", "States": {
	"S": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal.$": "$.name"}, "End": true}}}');
SELECT * FROM vouch.migrate_execution('man52-sig');
SELECT vouch.signal_workflow('man52-sig', 'a');
SELECT status, revision FROM vouch.executions WHERE workflow_id = 'man52-sig';

-- One state, without an execution.
SELECT vouch.test_state('{"Type": "Pass", "Parameters": {"n.$": "$.a"}, "ResultPath": "$.b", "Assign": {"v.$": "$.n"}, "Next": "Somewhere"}', '{"a": 1}');
SELECT vouch.test_state('{"Type": "Choice", "Choices": [{"Variable": "$v", "NumericGreaterThan": 3, "Next": "Big"}], "Default": "Small"}', '{}', '{"v": 4}') ->> 'next' AS next;
SELECT vouch.test_state('{"Type": "Task", "Resource": "sql:man52.half", "End": true}', '{"n": 8}');
SELECT vouch.test_state('{"Type": "Task", "Resource": "sql:man52.half", "Retry": [{"ErrorEquals": ["Odd"]}], "End": true}', '{"n": 7}');
SELECT vouch.test_state('{"Type": "Task", "Resource": "sql:man52.half", "Catch": [{"ErrorEquals": ["Odd"], "Next": "Even"}], "End": true}', '{"n": 7}');
SELECT vouch.test_state('{"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "x"}, "ResultSelector": {"y.$": "$.z"}, "End": true}', result => '{"z": 5}') -> 'output' AS output;
SELECT vouch.test_state('{"Type": "Task", "Resource": "vouch:signal", "End": true}', error => 'States.Timeout');
SELECT vouch.test_state('{"Type": "Map", "ItemsPath": "$.i", "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}, "End": true}', '{"i": [1, 2]}', result => '["a"]');
SELECT vouch.test_state('{"Type": "Wait", "Seconds": 5, "End": true}') ->> 'wait_seconds' AS wait_seconds;
SELECT vouch.test_state('{"Type": "Task", "Resource": "vouch:signal", "End": true}');
SELECT vouch.test_state('{"Type": "Pass", "ResultPath": "x y"}');

-- A picture, with where an execution stands.
SELECT vouch.workflow_diagram('man52');
SELECT vouch.define_workflow('man52_choice', '{
	"StartAt": "What?",
	"States": {
		"What?": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "One"}], "Default": "Other"},
		"One": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "Catch": [{"ErrorEquals": ["States.Timeout", "Odd"], "Next": "Other"}], "Next": "Done"},
		"Other": {"Type": "Fail", "Error": "Not.One"},
		"Done": {"Type": "Succeed"}
	}}');
SELECT vouch.start_workflow('man52_choice', '{"n": 1}', 'man52-d'), vouch.start_workflow('man52_choice', '{"n": 2}', 'man52-e');
SELECT vouch.advance();
SELECT vouch.workflow_diagram(workflow_id => 'man52-d');
SELECT line FROM regexp_split_to_table(vouch.workflow_diagram(workflow_id => 'man52-e'), '\n') AS line WHERE line ~ 'class ';
SELECT vouch.workflow_diagram('man52_no');

-- Attributes, to find executions by.
SELECT vouch.set_attributes('man52-d', '{"report": 3, "lob": "CARDS"}');
SELECT vouch.set_attributes('man52-d', '{"lob": null, "owner": "ann"}');
SELECT vouch.set_attributes('man52-e', '{"report": 3}');
SELECT workflow_id, status FROM vouch.find_workflows('{"report": 3}') ORDER BY 1;
SELECT workflow_id FROM vouch.find_workflows('{"report": 3}', 'running');
SELECT workflow_id FROM vouch.find_workflows('{"lob": "CARDS"}');
SELECT vouch.describe_workflow('man52-d') -> 'attributes' AS attributes;
SELECT vouch.set_attributes('man52-d', '[1]');
-- Only for who started the execution, and administrators.
SET SESSION AUTHORIZATION regress_vouch_man_other;
SELECT vouch.set_attributes('man52-d', '{"lob": "MINE"}');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.start_workflow('man52_choice', '{"n": 1}', 'man52-own');
SELECT vouch.set_attributes('man52-own', '{"lob": "MINE"}');
SET SESSION AUTHORIZATION regress_vouch_man_app;


-- Pruning: closed executions, by a policy.
SELECT vouch.prune_history('{"older_than": "0 s", "workflow": "man52_choice", "keep": "outcome", "dry_run": true}');
SELECT vouch.prune_history('{"older_than": "0 s", "workflow": "man52_choice", "keep": "outcome"}');
SELECT count(*) AS events FROM vouch.workflow_history('man52-e');
SELECT vouch.describe_workflow('man52-e') ->> 'error' AS error;
SELECT vouch.prune_history('{"older_than": "0 s", "workflow": "man52_choice"}');
SELECT workflow_id, status FROM vouch.executions WHERE workflow = 'man52_choice' ORDER BY workflow_id;
SELECT vouch.prune_history('{"older_than": "0 s", "workflow": "man52_choice"}');
SELECT vouch.prune_history('{"older": "1 day"}');
SELECT vouch.prune_history('{"older_than": 3}');
SELECT vouch.prune_history('{"older_than": "3"}');
SELECT vouch.prune_history('{"older_than": "soon"}');
SELECT vouch.prune_history('[]');
SELECT vouch.prune_history('{"status": "bogus"}');
SELECT vouch.prune_history('{"max": "many"}');
SELECT vouch.terminate_workflow(workflow_id) FROM vouch.executions WHERE workflow LIKE 'man52%' AND status = 'running';

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DROP SCHEMA man52 CASCADE;
DROP ROLE regress_vouch_man_app, regress_vouch_man_other;
