-- Diagrams: where an execution stands, and where it ended.
CREATE ROLE regress_vouch_dia_app LOGIN;
GRANT vouch_admin TO regress_vouch_dia_app;
SET SESSION AUTHORIZATION regress_vouch_dia_app;
CREATE FUNCTION pg_temp.marks(workflow_id text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT btrim(line, E'\t') FROM regexp_split_to_table(vouch.workflow_diagram(workflow_id => $1), '\n') AS line WHERE line ~ '\tclass ' $$;

SELECT vouch.define_workflow('dia52', '{"StartAt": "Start", "States": {
	"Start": {"Type": "Pass", "Next": "Ask"},
	"Ask": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "Next": "Both",
		"Catch": [{"ErrorEquals": ["Vouch.Canceled"], "ResultPath": "$.canceled", "Next": "Undo"}]},
	"Undo": {"Type": "Pass", "Next": "Undone"},
	"Undone": {"Type": "Pass", "End": true},
	"Both": {"Type": "Parallel", "End": true, "Branches": [
		{"StartAt": "First", "States": {"First": {"Type": "Pass", "Next": "Bad"}, "Bad": {"Type": "Pass", "InputPath": "$.nothing", "End": true}}},
		{"StartAt": "Aside", "States": {"Aside": {"Type": "Wait", "Seconds": 3600, "End": true}}}]}}}');
SELECT vouch.start_workflow('dia52', '{}', id) FROM unnest(ARRAY['dia52-waits', 'dia52-undone', 'dia52-failed', 'dia52-ended']) AS id;
SELECT vouch.advance();
SELECT pg_temp.marks('dia52-waits');
-- What was canceled, and could undo what it had done, failed nowhere.
SELECT vouch.cancel_workflow('dia52-undone', 'changed our mind');
SELECT vouch.advance();
SELECT d -> 'status' AS status FROM vouch.describe_workflow('dia52-undone') d;
SELECT pg_temp.marks('dia52-undone');
-- A failure marks the state that it came from, and those around that, but not what it took away.
SELECT vouch.signal_workflow('dia52-failed', 'go');
SELECT vouch.advance();
SELECT d -> 'status' AS status FROM vouch.describe_workflow('dia52-failed') d;
SELECT pg_temp.marks('dia52-failed');
-- That is found without showing each event, of which there may be a million.
SELECT * FROM vouch_data.visited('dia52-failed') ORDER BY state COLLATE "C";
-- Who is terminated ends where it stands.
SELECT vouch.terminate_workflow('dia52-ended');
SELECT pg_temp.marks('dia52-ended');

-- Another workflow's diagram cannot show it.
SELECT vouch.define_workflow('dia52_other', '{"StartAt": "Ask", "States": {"Ask": {"Type": "Succeed"}}}');
SELECT vouch.workflow_diagram('dia52_other', workflow_id => 'dia52-waits');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.workflow_diagram('dia52', workflow_id => 'dia52-waits') = vouch.workflow_diagram(workflow_id => 'dia52-waits') AS same;
-- Nor can another revision show a state that it has not.
SELECT vouch.define_workflow('dia52', '{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "End": true}}}');
SELECT migrated.* FROM vouch.migrate_execution('dia52-waits') AS migrated;
SELECT pg_temp.marks('dia52-waits');
SELECT vouch.terminate_workflow('dia52-waits');

RESET SESSION AUTHORIZATION;
DROP FUNCTION pg_temp.marks(text);
DROP ROLE regress_vouch_dia_app;
