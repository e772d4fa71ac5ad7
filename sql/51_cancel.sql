-- Cancellation is an error that a Catch takes: what was done can be undone.
CREATE ROLE regress_vouch_can_app LOGIN;
GRANT vouch_admin TO regress_vouch_can_app;
CREATE SCHEMA can51;
GRANT USAGE ON SCHEMA can51 TO regress_vouch_can_app;
CREATE TABLE can51.log (what text);
GRANT ALL ON can51.log TO regress_vouch_can_app;
CREATE FUNCTION can51.do(what text) RETURNS void LANGUAGE sql AS 'INSERT INTO can51.log VALUES (what)';

SET SESSION AUTHORIZATION regress_vouch_can_app;
SELECT vouch.define_workflow('can51', '{
	"StartAt": "Book",
	"States": {
		"Book": {"Type": "Task", "Resource": "sql:can51.do", "Parameters": {"what": "book"}, "ResultPath": null, "Next": "Confirm"},
		"Confirm": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "confirm"},
			"Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 9}],
			"Catch": [{"ErrorEquals": ["Vouch.Canceled"], "ResultPath": "$.error", "Next": "Undo"}], "End": true},
		"Undo": {"Type": "Task", "Resource": "sql:can51.do", "Parameters": {"what": "undo"}, "ResultPath": null, "End": true}
	}}');
SELECT vouch.start_workflow('can51', '{"n": 1}', 'can51-a');
SELECT vouch.advance();
SELECT vouch.cancel_workflow('can51-a', 'changed my mind');
-- The undoing is an activity: the workflow's own role runs it.
SELECT status, waiting_for FROM vouch.executions WHERE workflow_id = 'can51-a';
-- A second call changes nothing.
SELECT vouch.cancel_workflow('can51-a', 'really');
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d ->> 'cause' AS cause, d -> 'output' AS output FROM vouch.describe_workflow('can51-a') d;
SELECT * FROM can51.log;
SELECT type, state, detail FROM vouch.workflow_history('can51-a') WHERE event_id > 7;

-- When the undoing fails, people have to know: it is failed, not canceled.
SELECT vouch.define_workflow('can51_bad', '{
	"StartAt": "Confirm",
	"States": {
		"Confirm": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "confirm"},
			"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Undo"}], "End": true},
		"Undo": {"Type": "Fail", "Error": "Cannot.Undo", "Cause": "too late"}
	}}');
SELECT vouch.start_workflow('can51_bad', '{}', 'can51-b');
SELECT vouch.advance();
SELECT vouch.cancel_workflow('can51-b');
SELECT d ->> 'status' AS status, d ->> 'error' AS error FROM vouch.describe_workflow('can51-b') d;

-- Within Map and Parallel every branch is told. One that undoes something does
-- that to its end; no more iterations begin; then the outer state is told.
SELECT vouch.define_workflow('can51_map', '{
	"StartAt": "Each",
	"States": {
		"Each": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2,
			"Catch": [{"ErrorEquals": ["Vouch.Canceled"], "ResultPath": "$.error", "Next": "All"}], "End": true,
			"ItemProcessor": {"StartAt": "Ask", "States": {
				"Ask": {"Type": "Task", "Resource": "activity:can51", "Parameters": {"item.$": "$"},
					"Catch": [{"ErrorEquals": ["Vouch.Canceled"], "ResultPath": null, "Next": "UndoOne"}], "End": true},
				"UndoOne": {"Type": "Task", "Resource": "sql:can51.do", "Parameters": {"what.$": "States.Format(''undo {}'', $)"}, "End": true}}}},
		"All": {"Type": "Task", "Resource": "sql:can51.do", "Parameters": {"what": "undo all"}, "End": true}
	}}');
TRUNCATE can51.log;
SELECT vouch.start_workflow('can51_map', '{"items": ["a", "b", "c", "d"]}', 'can51-c');
SELECT vouch.advance();
SELECT vouch.cancel_workflow('can51-c');
SELECT count(*) AS tasks FROM vouch.activity_tasks;
SELECT vouch.advance();
SELECT what FROM can51.log;
SELECT d ->> 'status' AS status FROM vouch.describe_workflow('can51-c') d;
SELECT count(*) AS branches FROM vouch_data.branch b JOIN vouch.executions e USING (bucket, execution_id) WHERE e.workflow_id = 'can51-c';

-- Descendants are reached, each as its ParentClosePolicy says, and may undo, too.
SELECT vouch.define_workflow('can51_parent', '{
	"StartAt": "Start",
	"States": {
		"Start": {"Type": "Task", "Resource": "vouch:execution", "Parameters": {"Workflow": "can51", "Name": "left"}, "ResultPath": null, "Next": "Free"},
		"Free": {"Type": "Task", "Resource": "vouch:execution", "Parameters": {"Workflow": "can51", "Name": "free", "ParentClosePolicy": "abandon"}, "ResultPath": null, "Next": "Wait"},
		"Wait": {"Type": "Task", "Resource": "vouch:execution.sync", "Parameters": {"Workflow": "can51", "Name": "right", "ParentClosePolicy": "cancel"},
			"Catch": [{"ErrorEquals": ["Vouch.Canceled"], "Next": "Undo"}], "End": true},
		"Undo": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "undone"}, "End": true}
	}}');
SELECT vouch.start_workflow('can51_parent', '{}', 'can51-d');
SELECT vouch.advance();
SELECT vouch.cancel_workflow('can51-d');
SELECT workflow_id, status, waiting_for FROM vouch.executions WHERE workflow_id LIKE 'can51-d%' ORDER BY 1;
SELECT vouch.advance();
SELECT vouch.signal_workflow('can51-d', 'undone');
SELECT workflow_id, status, waiting_for FROM vouch.executions WHERE workflow_id LIKE 'can51-d%' ORDER BY 1;
SELECT vouch.terminate_workflow('can51-d/free');

-- One that is paused goes on to undo; terminating asks nobody.
SELECT vouch.start_workflow('can51', '{}', 'can51-e'), vouch.start_workflow('can51', '{}', 'can51-f');
SELECT vouch.advance();
SELECT vouch.pause_workflow('can51-e');
SELECT vouch.cancel_workflow('can51-e');
SELECT vouch.terminate_workflow('can51-f');
SELECT vouch.advance();
SELECT workflow_id, status FROM vouch.executions WHERE workflow_id IN ('can51-e', 'can51-f') ORDER BY 1;

-- A canceled one can be taken up again, where it was then: here at the undoing.
SELECT vouch.redrive_workflow('can51-a');
SELECT vouch.advance();
SELECT d ->> 'status' AS status FROM vouch.describe_workflow('can51-a') d;

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DROP SCHEMA can51 CASCADE;
DROP ROLE regress_vouch_can_app;
