-- What an execution waits for, and what comes next.
CREATE ROLE regress_vouch_ahead LOGIN;
GRANT vouch_admin TO regress_vouch_ahead;
CREATE ROLE regress_vouch_ahead_reader LOGIN IN ROLE vouch_reader;
CREATE ROLE regress_vouch_ahead_user LOGIN IN ROLE vouch_user;
CREATE SCHEMA ahead57 AUTHORIZATION regress_vouch_ahead;
SET SESSION AUTHORIZATION regress_vouch_ahead;
CREATE FUNCTION ahead57.work(input jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT input';
SELECT vouch.define_workflow('ahead57', '{"StartAt": "Work", "States": {
	"Work": {"Type": "Task", "Resource": "sql:ahead57.work", "Next": "Ask", "Catch": [
		{"ErrorEquals": ["Bad", "Worse"], "Next": "Undo"}, {"ErrorEquals": ["States.ALL"], "Next": "Fail"}]},
	"Ask": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "ResultPath": "$.answer", "Next": "Decide"},
	"Decide": {"Type": "Choice", "Default": "Fail", "Choices": [
		{"Variable": "$.answer", "StringEquals": "yes", "Next": "Both"}, {"Variable": "$.answer", "StringEquals": "ja", "Next": "Both"},
		{"Variable": "$.answer", "StringEquals": "no", "Next": "Undo"}]},
	"Both": {"Type": "Parallel", "End": true, "Branches": [
		{"StartAt": "Hear", "States": {"Hear": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "hear"}, "End": true}}},
		{"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "End": true, "ItemProcessor": {"StartAt": "Item", "States": {
			"Item": {"Type": "Wait", "Seconds": 1000, "Next": "Last"}, "Last": {"Type": "Task", "Resource": "activity:q", "End": true}}}}}}]},
	"Undo": {"Type": "Pass", "End": true},
	"Fail": {"Type": "Fail"}}}');
SELECT vouch.start_workflow('ahead57', '{"items": [1]}', 'ahead57-a');
-- Before anything is committed, it stands where it starts.
SELECT state, waits_for, since IS NOT NULL AS since, comes_next FROM vouch.explain_workflow('ahead57-a');
SELECT w -> 'state' AS state, w -> 'since' = to_jsonb((d ->> 'started_at')::timestamptz) AS since
FROM vouch.describe_workflow('ahead57-a') d, jsonb_array_elements(d -> 'waiting_for') w;
-- Who can act is who may make the call: the worker's only the role that the workflow runs as.
SELECT waits_for, who, can_act, how FROM vouch.explain_workflow('ahead57-a');
SET SESSION AUTHORIZATION regress_vouch_ahead_user;
SELECT waits_for, can_act FROM vouch.explain_workflow('ahead57-a');
SET SESSION AUTHORIZATION regress_vouch_ahead;
-- Paused, it waits for somebody to resume it, and no worker can do anything.
SELECT vouch.pause_workflow('ahead57-a');
SELECT state, waits_for, who, can_act, how FROM vouch.explain_workflow('ahead57-a');
SET SESSION AUTHORIZATION regress_vouch_ahead_user;
SELECT state, waits_for, who, can_act, how FROM vouch.explain_workflow('ahead57-a');
SET SESSION AUTHORIZATION regress_vouch_ahead;
SELECT vouch.resume_workflow('ahead57-a');
SELECT vouch.advance();
SELECT state, waits_for, comes_next FROM vouch.explain_workflow('ahead57-a');
SET SESSION AUTHORIZATION regress_vouch_ahead_reader;
SELECT waits_for, who, can_act, how FROM vouch.explain_workflow('ahead57-a');
SET SESSION AUTHORIZATION regress_vouch_ahead_user;
SELECT waits_for, who, can_act, how FROM vouch.explain_workflow('ahead57-a');
SET SESSION AUTHORIZATION regress_vouch_ahead;
SELECT vouch.signal_workflow('ahead57-a', 'go', '"yes"');
SELECT vouch.advance();
SELECT state, waits_for, comes_next FROM vouch.explain_workflow('ahead57-a');
-- (a choice is made as soon as it is reached, so it is never waited in)
SELECT s.state, a.* FROM unnest('{Decide, Both, Undo, Fail, None}'::text[]) AS s(state), vouch_data.ahead('ahead57', 1, 0, s.state) a;
SELECT * FROM vouch_data.ahead('ahead57', 2, 0, NULL);
SELECT vouch.terminate_workflow('ahead57-a');
SELECT waits_for, comes_next FROM vouch.explain_workflow('ahead57-a');

-- A name with a slash would be a grandchild's.
SELECT location, code, message FROM vouch.validate_definition('{"StartAt": "C", "States": {
	"C": {"Type": "Task", "Resource": "vouch:execution", "Parameters": {"Workflow": "ahead57", "Name": "a/b"}, "End": true}}}');
SELECT vouch.define_workflow('ahead57_child', '{"StartAt": "C", "States": {
	"C": {"Type": "Task", "Resource": "vouch:execution", "Parameters": {"Workflow": "ahead57", "Name.$": "$.name"}, "End": true}}}');
SELECT vouch.start_workflow('ahead57_child', '{"name": "a/b"}', 'ahead57-b');
SELECT vouch.advance();
SELECT d ->> 'error' AS error, d ->> 'cause' AS cause FROM vouch.describe_workflow('ahead57-b') d;

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DROP SCHEMA ahead57 CASCADE;
DROP ROLE regress_vouch_ahead, regress_vouch_ahead_reader, regress_vouch_ahead_user;
