-- Workflows without background workers.  vouch.run_worker() is a worker that is
-- called: it advances what runs as the session's login role, and commits as it
-- goes along.  (In this database workers are switched off.)
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_runner LOGIN;
CREATE ROLE regress_vouch_other LOGIN;
CREATE ROLE regress_vouch_onlooker LOGIN;
GRANT vouch_admin TO regress_vouch_runner, regress_vouch_other;
GRANT vouch_reader TO regress_vouch_onlooker;
CREATE SCHEMA regress_vouch_run;
GRANT ALL ON SCHEMA regress_vouch_run TO PUBLIC;
CREATE TABLE regress_vouch_run.effect (workflow text, step int, who name);
GRANT ALL ON regress_vouch_run.effect TO PUBLIC;
CREATE FUNCTION regress_vouch_run.note(workflow text, step int) RETURNS void LANGUAGE sql AS
	$$ INSERT INTO regress_vouch_run.effect VALUES (workflow, step, session_user) $$;
CREATE FUNCTION regress_vouch_run.break(workflow text, step int) RETURNS int LANGUAGE sql AS
	$$ INSERT INTO regress_vouch_run.effect VALUES (workflow, step, session_user); SELECT 1 / 0 $$;

SET SESSION AUTHORIZATION regress_vouch_runner;
SELECT vouch.define_workflow('run_two_steps', '{"StartAt": "One", "States": {
	"One": {"Type": "Task", "Resource": "sql:regress_vouch_run.note",
		"Parameters": {"workflow": "good", "step": 1}, "ResultPath": null, "Next": "Two"},
	"Two": {"Type": "Task", "Resource": "sql:regress_vouch_run.note",
		"Parameters": {"workflow": "good", "step": 2}, "ResultPath": null, "End": true}}}') AS revision;
SELECT vouch.define_workflow('run_breaks', '{"StartAt": "One", "States": {
	"One": {"Type": "Task", "Resource": "sql:regress_vouch_run.note",
		"Parameters": {"workflow": "bad", "step": 1}, "ResultPath": null, "Next": "Two"},
	"Two": {"Type": "Task", "Resource": "sql:regress_vouch_run.break",
		"Parameters": {"workflow": "bad", "step": 2}, "Catch": [{"ErrorEquals": ["SQL.22012"], "Next": "Three"}],
		"End": true},
	"Three": {"Type": "Task", "Resource": "sql:regress_vouch_run.note",
		"Parameters": {"workflow": "bad", "step": 3}, "ResultPath": null, "End": true}}}') AS revision;
SELECT vouch.start_workflow('run_two_steps', workflow_id => 'run-good');
SELECT vouch.start_workflow('run_breaks', workflow_id => 'run-bad');
SELECT count(*) AS effects FROM regress_vouch_run.effect;

-- Somebody else's worker does not touch them ...
SET SESSION AUTHORIZATION regress_vouch_other;
CALL vouch.run_worker();
SELECT vouch_data.advance_mine(vouch.bucket('run-good'), execution_id, false)
FROM vouch_data.execution WHERE workflow_id = 'run-good' \gset
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) AS effects FROM regress_vouch_run.effect;

-- ... but the role's own does, and ends when there is nothing left to do.  An
-- activity's error goes to its Catch; what it did before is undone.
SET SESSION AUTHORIZATION regress_vouch_runner;
CALL vouch.run_worker();
SELECT id AS workflow_id, vouch.describe_workflow(id) ->> 'status' AS status
FROM unnest(ARRAY['run-good', 'run-bad']) AS id;
SELECT * FROM regress_vouch_run.effect ORDER BY 1, 2;

-- It ends early when told: after so many states, or so many seconds.
SELECT vouch.start_workflow('run_two_steps', workflow_id => 'run-again');
CALL vouch.run_worker(max_steps => 1);
CALL vouch.run_worker(max_seconds => 0.05, stop_when_idle => false);
SELECT vouch.describe_workflow('run-again') ->> 'status' AS status;

-- What time asks of requests for approval is done, too: one that nobody signed ends.
RESET SESSION AUTHORIZATION;
SELECT vouch.grant_role('regress_vouch_runner', 'tester'), vouch.grant_role('regress_vouch_other', 'report_owner');
SELECT vouch.define_policy('run_timed', '{"stages": [{"expire_after": "1 day", "rules": [{"role": "report_owner"}]}]}');
SELECT vouch.set_policy('scoping', 'run_timed', scope => 'run');
SET SESSION AUTHORIZATION regress_vouch_runner;
SELECT vouch.create_version('scoping', 50, 1, '[{"attribute_id": "a", "in_scope": true, "rationale": "material", "risk_rating": "high"}]', scope => 'run') AS v \gset
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'v') r;
RESET SESSION AUTHORIZATION;
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.approval_request SET opened_at = opened_at - interval '1 day', next_at = next_at - interval '1 day' WHERE policy = 'run_timed';
COMMIT;
SET SESSION AUTHORIZATION regress_vouch_runner;
CALL vouch.run_worker();
SELECT vouch.get_version(:'v') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
SELECT vouch.set_policy('scoping', NULL, scope => 'run');
SELECT vouch.revoke_role('regress_vouch_runner', 'tester'), vouch.revoke_role('regress_vouch_other', 'report_owner');
SET SESSION AUTHORIZATION regress_vouch_runner;

-- It commits, so it is not for a transaction block.
BEGIN;
CALL vouch.run_worker();
ROLLBACK;

-- A copy that was restored from elsewhere has a second row in "adoption", and
-- nothing is advanced until somebody says that the copy is to go on.
RESET SESSION AUTHORIZATION;
INSERT INTO vouch_data.adoption VALUES (1, 1, 'elsewhere', '2026-01-01');
SET SESSION AUTHORIZATION regress_vouch_runner;
SELECT vouch.start_workflow('run_two_steps', workflow_id => 'run-copy');
CALL vouch.run_worker();
\echo :LAST_ERROR_SQLSTATE
SELECT component, state, detail, hint FROM vouch.status() WHERE component = 'database';
SELECT vouch.adopt_database();
SELECT component, state, detail, hint FROM vouch.status() WHERE component = 'database';
CALL vouch.run_worker();
SELECT vouch.describe_workflow('run-copy') ->> 'status' AS status;

-- What was being run when the server crashed is run one at a time, which the status says.
RESET SESSION AUTHORIZATION;
INSERT INTO vouch_data.suspect SELECT e.bucket, e.execution_id, 1, false, now() FROM vouch_data.execution e WHERE e.workflow_id = 'run-copy';
SET SESSION AUTHORIZATION regress_vouch_onlooker;
SELECT component, state, detail, hint FROM vouch.status() WHERE component = 'suspects';
RESET SESSION AUTHORIZATION;
DELETE FROM vouch_data.suspect;

-- Readers see the status, but cannot run or adopt.
SET SESSION AUTHORIZATION regress_vouch_onlooker;
SELECT count(*) > 0 AS sees_status FROM vouch.status();
CALL vouch.run_worker();
SELECT vouch.adopt_database();

RESET SESSION AUTHORIZATION;
DROP SCHEMA regress_vouch_run CASCADE;
DROP ROLE regress_vouch_runner, regress_vouch_other, regress_vouch_onlooker;
