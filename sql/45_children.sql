-- Children: executions that executions start, in the same family and bucket.
CREATE ROLE regress_vouch_chi_app LOGIN;
CREATE ROLE regress_vouch_chi_ann LOGIN;
GRANT vouch_admin TO regress_vouch_chi_app;
GRANT vouch_user TO regress_vouch_chi_ann;
CREATE SCHEMA chi45;
GRANT USAGE ON SCHEMA chi45 TO regress_vouch_chi_app;
CREATE FUNCTION chi45.grumble(v jsonb) RETURNS void LANGUAGE plpgsql AS
$$BEGIN PERFORM vouch.fail('Child.Bad', v ->> 'name'); END$$;
CREATE FUNCTION chi45.upset() RETURNS void LANGUAGE plpgsql AS
$$BEGIN PERFORM vouch.terminate_workflow(v.parent) FROM (SELECT split_part(workflow_id, '/', 1) AS parent
	FROM vouch.executions WHERE workflow_id LIKE 'chi45-e/%') v; END$$;

SET SESSION AUTHORIZATION regress_vouch_chi_app;
SELECT vouch.define_workflow('chi45_child', '{"StartAt": "C", "States": {
	"C": {"Type": "Choice", "Choices": [{"Variable": "$.bad", "IsPresent": true, "Next": "Bad"}], "Default": "S"},
	"Bad": {"Type": "Task", "Resource": "sql:chi45.grumble", "End": true},
	"S": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "ok"}, "ResultPath": "$.ok", "End": true}}}');
SELECT vouch.define_workflow('chi45', '{"StartAt": "M", "States": {
	"M": {"Type": "Map", "ItemsPath": "$.names", "ResultPath": "$.children", "End": true,
		"ItemProcessor": {"StartAt": "Child", "States": {
			"Child": {"Type": "Task", "Resource": "vouch:execution.sync", "End": true,
				"Parameters": {"Workflow": "chi45_child", "Name.$": "States.Format(''lob-{}'', $)", "Input": {"name.$": "$"}},
				"ResultSelector": {"who.$": "$.WorkflowId", "status.$": "$.Status", "ok.$": "$.Output.ok"}}}}}}}');

-- One child an item; the child's id is the parent's, a slash and the Name.
SELECT vouch.start_workflow('chi45', '{"names": ["CARDS", "LOANS"]}', 'chi45-a');
SELECT vouch.advance();
SELECT workflow_id, workflow, status, parent, waiting_for, bucket = vouch.bucket('chi45-a') AS same_bucket
FROM vouch.executions WHERE workflow_id LIKE 'chi45-a%' ORDER BY 1;
SELECT vouch.describe_workflow('chi45-a') -> 'children' AS children;

-- A child that closes nudges its parent.
SELECT vouch.signal_workflow('chi45-a/lob-LOANS', 'ok', '"fine"');
SELECT vouch.advance();
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'chi45-a';
SELECT vouch.signal_workflow('chi45-a/lob-CARDS', 'ok', '"good"');
SELECT vouch.advance();
SELECT jsonb_pretty(d -> 'output' -> 'children') FROM vouch.describe_workflow('chi45-a') d;

-- A child's failure is an error of the state, its own error in the cause.
SELECT vouch.define_workflow('chi45_try', '{"StartAt": "T", "States": {
	"T": {"Type": "Task", "Resource": "vouch:execution.sync", "End": true,
		"Parameters": {"Workflow.$": "$.workflow", "Name": "one", "Input": {"bad": true, "name": "x"}, "ParentClosePolicy": "abandon"},
		"Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}]},
	"Caught": {"Type": "Pass", "Parameters": {"error.$": "$.Error", "cause.$": "$.Cause"}, "End": true}}}');
SELECT vouch.start_workflow('chi45_try', '{"workflow": "chi45_child"}', 'chi45-b');
SELECT vouch.start_workflow('chi45_try', '{"workflow": "no_such"}', 'chi45-c');
SELECT vouch.advance();
SELECT workflow_id, status, vouch.describe_workflow(workflow_id) -> 'output' AS output
FROM vouch.executions WHERE workflow = 'chi45_try' ORDER BY 1;

-- Closing a parent closes its children as ParentClosePolicy says, and theirs.
SELECT vouch.define_workflow('chi45_mid', '{"StartAt": "P", "States": {
	"P": {"Type": "Task", "Resource": "vouch:execution", "Parameters": {"Workflow": "chi45_child", "Name": "low"}, "Next": "W"},
	"W": {"Type": "Wait", "Seconds": 3600, "End": true}}}');
SELECT vouch.define_workflow('chi45_top', '{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "vouch:execution", "Parameters": {"Workflow": "chi45_child", "Name": "abandoned", "ParentClosePolicy": "abandon"}, "Next": "B"},
	"B": {"Type": "Task", "Resource": "vouch:execution", "Parameters": {"Workflow": "chi45_child", "Name": "canceled", "ParentClosePolicy": "CANCEL"}, "ResultPath": null, "Next": "C"},
	"C": {"Type": "Task", "Resource": "vouch:execution.sync", "Parameters": {"Workflow": "chi45_mid", "Name": "mid"}, "End": true}}}');
SELECT vouch.start_workflow('chi45_top', '{}', 'chi45-d');
SELECT vouch.advance();
SELECT workflow_id, status, waiting_for FROM vouch.executions WHERE workflow_id LIKE 'chi45-d%' ORDER BY 1;

-- Pausing reaches them all.
SELECT vouch.pause_workflow('chi45-d');
SELECT workflow_id, paused FROM vouch.executions WHERE workflow_id LIKE 'chi45-d%' ORDER BY 1;
SELECT vouch.resume_workflow('chi45-d');
SELECT vouch.advance();

SELECT vouch.terminate_workflow('chi45-d', 'enough');
SELECT workflow_id, status, vouch.describe_workflow(workflow_id) ->> 'cause' AS cause
FROM vouch.executions WHERE workflow_id LIKE 'chi45-d%' ORDER BY 1;

-- A branch that is taken away by its sibling's failure takes its child along.
SELECT vouch.define_workflow('chi45_sib', '{"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
	{"StartAt": "K", "States": {"K": {"Type": "Task", "Resource": "vouch:execution.sync", "Parameters": {"Workflow": "chi45_child"}, "End": true}}},
	{"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "fail"}, "Next": "F"},
		"F": {"Type": "Fail", "Error": "Sibling"}}}]}}}');
SELECT vouch.start_workflow('chi45_sib', '{}', 'chi45-f');
SELECT vouch.advance();
SET SESSION AUTHORIZATION regress_vouch_chi_ann;
SELECT vouch.signal_workflow('chi45-f', 'fail');
SELECT workflow_id, status, error FROM vouch.executions WHERE workflow_id LIKE 'chi45-f%' ORDER BY 1;

-- An activity that ends its own parent still comes to its end itself.
SET SESSION AUTHORIZATION regress_vouch_chi_app;
SELECT vouch.define_workflow('chi45_upset', '{"StartAt": "U", "States": {"U": {"Type": "Task", "Resource": "sql:chi45.upset", "Parameters": {}, "End": true}}}');
SELECT vouch.define_workflow('chi45_up', '{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "vouch:execution.sync",
	"Parameters": {"Workflow": "chi45_upset", "Name": "child"}, "End": true}}}');
SELECT vouch.start_workflow('chi45_up', '{}', 'chi45-e');
SELECT vouch.advance();
SELECT workflow_id, status, error, vouch.describe_workflow(workflow_id) ->> 'cause' AS cause
FROM vouch.executions WHERE workflow_id LIKE 'chi45-e%' ORDER BY 1;

SELECT vouch.terminate_workflow('chi45-d/abandoned');
RESET SESSION AUTHORIZATION;
SELECT workflow_id, status FROM vouch.executions WHERE workflow_id LIKE 'chi45%' AND status = 'running';
SET client_min_messages TO warning;
DROP SCHEMA chi45 CASCADE;
DROP ROLE regress_vouch_chi_app, regress_vouch_chi_ann;
