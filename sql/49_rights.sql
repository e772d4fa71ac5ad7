-- Who may start what, end what, and under which name.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_rt_app LOGIN IN ROLE vouch_admin;
CREATE ROLE regress_vouch_rt_ann LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_rt_eve LOGIN IN ROLE vouch_user;

-- What ships with the extension is a template that nobody can start, not even a
-- superuser: it would run as whoever installed the extension.
SELECT vouch.start_workflow('lob_downstream', '{}', 'rt-1', 1);
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_rt_eve;
SELECT vouch.start_workflow('test_cycle', '{"source": "pg_class"}', 'rt-1', 1);
SELECT vouch.signal_with_start('lob_downstream', 'rt-1', 'go');
SELECT count(*) AS started FROM vouch.executions WHERE workflow_id = 'rt-1';

-- Ids with "/" are made for children; nobody takes one in advance.
SET SESSION AUTHORIZATION regress_vouch_rt_app;
SELECT vouch.define_workflow('rt', '{"StartAt": "W", "States": {"W": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "End": true}}}');
SELECT vouch.start_workflow('rt', '{}', 'rt-1/lob-A');
\echo :LAST_ERROR_SQLSTATE

-- Only who started an execution, or an administrator, ends it.
SET SESSION AUTHORIZATION regress_vouch_rt_ann;
SELECT vouch.start_workflow('rt', '{}', 'rt-1'), vouch.start_workflow('rt', '{}', 'rt-2'), vouch.start_workflow('rt', '{}', 'rt-3');
SET SESSION AUTHORIZATION regress_vouch_rt_eve;
SELECT vouch.cancel_workflow('rt-1', 'bye');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.start_workflow('rt', '{}', 'rt-1', on_conflict => 'terminate_existing');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.terminate_workflow('rt-1', 'bye');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_rt_ann;
SELECT vouch.start_workflow('rt', '{}', 'rt-4');
SELECT vouch.terminate_workflow('rt-4', 'not needed');
SELECT vouch.cancel_workflow('rt-1', 'not needed');
SELECT vouch.start_workflow('rt', '{}', 'rt-2', on_conflict => 'terminate_existing');
SET SESSION AUTHORIZATION regress_vouch_rt_app;
SELECT vouch.cancel_workflow('rt-3', 'too old');
SELECT workflow_id, status, count(*) FROM vouch.executions WHERE workflow = 'rt' GROUP BY 1, 2 ORDER BY 1, 2;

-- A workflow that starts itself ends at 32 levels.
SELECT vouch.define_workflow('rt_deep', '{"StartAt": "C", "States": {"C": {"Type": "Task", "Resource": "vouch:execution.sync",
	"Parameters": {"Workflow": "rt_deep", "Name": "c"}, "End": true}}}');
SELECT vouch.start_workflow('rt_deep', '{}', 'rt-deep');

SELECT vouch.advance(1000) >= 0 AS went_on;
SELECT count(*) AS executions, max(length(workflow_id) - length(replace(workflow_id, '/', ''))) AS levels,
	count(*) FILTER (WHERE status = 'failed') AS failed FROM vouch.executions WHERE workflow = 'rt_deep';
SELECT d ->> 'error' AS error, d ->> 'cause' AS cause
FROM vouch.executions, vouch.describe_workflow(workflow_id) d WHERE workflow = 'rt_deep' ORDER BY length(workflow_id) DESC LIMIT 1;
SELECT d ->> 'error' AS error, length(d ->> 'cause') < 33000 AS bounded
FROM vouch.describe_workflow('rt-deep') d;

SELECT vouch.terminate_workflow('rt-2');
RESET SESSION AUTHORIZATION;
DROP ROLE regress_vouch_rt_app, regress_vouch_rt_ann, regress_vouch_rt_eve;
