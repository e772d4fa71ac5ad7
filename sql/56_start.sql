-- Who may start what under which name, and what it is found by.
CREATE ROLE regress_vouch_start_admin LOGIN;
CREATE ROLE regress_vouch_start_clerk LOGIN;
CREATE ROLE regress_vouch_start_guest LOGIN;
CREATE ROLE regress_vouch_start_clerks;
GRANT vouch_admin TO regress_vouch_start_admin;
GRANT vouch_user TO regress_vouch_start_clerk, regress_vouch_start_guest;
GRANT regress_vouch_start_clerks TO regress_vouch_start_clerk;

SET SESSION AUTHORIZATION regress_vouch_start_admin;
SELECT vouch.define_workflow(name, '{"StartAt": "Wait", "States": {
	"Wait": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "End": true}}}')
FROM unnest('{start56, start56_other}'::text[]) AS name;

-- Attributes are there from the start, with those that are null left out.
SET SESSION AUTHORIZATION regress_vouch_start_guest;
SELECT vouch.start_workflow('start56', '{}', 's56-a', attributes => '{"report": 56, "lob": "CARDS", "none": null}');
SELECT vouch.start_workflow('start56', '{}', 's56-b', attributes => '{"report": 56}');
SELECT vouch.signal_with_start('start56', 's56-c', 'else', attributes => '{"report": 56, "lob": "LOANS"}') AS started;
SELECT workflow_id FROM vouch.find_workflows('{"report": 56}') ORDER BY 1;
SELECT vouch.describe_workflow('s56-a') -> 'attributes' AS attributes;
-- One that is there keeps its own.
SELECT vouch.signal_with_start('start56', 's56-c', 'else', attributes => '{"report": 57}') AS started;
SELECT vouch.start_workflow('start56', '{}', 's56-a', on_conflict => 'use_existing', attributes => '{"report": 57}');
SELECT workflow_id FROM vouch.find_workflows('{"report": 57}') ORDER BY 1;
SELECT vouch.start_workflow('start56', '{}', 's56-d', attributes => '[]');
SELECT vouch.signal_with_start('start56', 's56-d', 'go', attributes => jsonb_build_object('long', repeat('x', 20000)));
SELECT workflow_id FROM vouch.executions WHERE workflow_id = 's56-d';

-- A workflow_id is of one workflow: another one's execution is not taken for its own.
SELECT vouch.start_workflow('start56_other', '{}', 's56-a', on_conflict => 'use_existing');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.signal_with_start('start56_other', 's56-a', 'go');
\echo :LAST_ERROR_SQLSTATE
SELECT workflow, waiting_for FROM vouch.executions WHERE workflow_id = 's56-a';

-- Every vouch_user may start a workflow, until it is for members of some roles.
SELECT vouch.restrict_workflow('start56', '{regress_vouch_start_clerks}');
SET SESSION AUTHORIZATION regress_vouch_start_admin;
SELECT vouch.restrict_workflow('start56', '{regress_vouch_start_clerks}');
SELECT DISTINCT workflow, starters FROM vouch.workflows WHERE workflow LIKE 'start56%' ORDER BY 1;
SET SESSION AUTHORIZATION regress_vouch_start_guest;
SELECT vouch.start_workflow('start56', '{}', 's56-e');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.signal_with_start('start56', 's56-e', 'go');
\echo :LAST_ERROR_SQLSTATE
-- (what runs takes signals from anybody, as before; other workflows are not concerned)
SELECT vouch.signal_with_start('start56', 's56-c', 'go') AS started;
SELECT vouch.start_workflow('start56_other', '{}', 's56-f');
SET SESSION AUTHORIZATION regress_vouch_start_clerk;
SELECT vouch.start_workflow('start56', '{}', 's56-e');
SET SESSION AUTHORIZATION regress_vouch_start_admin;
SELECT vouch.start_workflow('start56', '{}', 's56-g');
SELECT vouch.restrict_workflow('start56', '{}');
SET SESSION AUTHORIZATION regress_vouch_start_clerk;
SELECT vouch.start_workflow('start56', '{}', 's56-h');
SET SESSION AUTHORIZATION regress_vouch_start_admin;
SELECT vouch.restrict_workflow('start56', NULL);
SET SESSION AUTHORIZATION regress_vouch_start_guest;
SELECT vouch.start_workflow('start56', '{}', 's56-h');
SET SESSION AUTHORIZATION regress_vouch_start_admin;
SELECT vouch.restrict_workflow('start56_no', '{}');
SELECT vouch.restrict_workflow('start56', '{regress_vouch_start_no}');

-- What is missing is said, and never taken for nothing to do.
SELECT vouch.cancel_workflow(NULL);
SELECT vouch.pause_workflow(NULL);
SELECT vouch.set_attributes('s56-a', NULL);
SELECT vouch.find_workflows(NULL);
SELECT vouch.migrate_execution(ARRAY['s56-a'], 1, NULL);
SELECT vouch.describe_workflow(NULL);
-- What would be done is answered for every execution, known or not.
SELECT * FROM vouch.migrate_execution('{s56-a, s56-none}'::text[], dry_run => true);
SELECT * FROM vouch.migrate_execution('{s56-a, s56-none}'::text[]);

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DELETE FROM vouch_data.execution WHERE workflow_id LIKE 's56-%';
DELETE FROM vouch_data.branch b WHERE NOT EXISTS (SELECT FROM vouch_data.execution e WHERE e.execution_id = b.execution_id);
DROP ROLE regress_vouch_start_admin;
DROP ROLE regress_vouch_start_clerk;
DROP ROLE regress_vouch_start_guest;
DROP ROLE regress_vouch_start_clerks;
