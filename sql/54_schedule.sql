-- Schedules: pg_cron is the clock; the policy of overlaps is ours.
CREATE ROLE regress_vouch_sch_app LOGIN;
GRANT vouch_admin TO regress_vouch_sch_app;
SET SESSION AUTHORIZATION regress_vouch_sch_app;
SELECT vouch.define_workflow('sch54', '{"StartAt": "W", "States": {"W": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "End": true}}}');

-- This database has no pg_cron.
SELECT vouch.schedule_workflow('nightly', '0 2 * * *', 'sch54');
\echo :LAST_ERROR_SQLSTATE

-- When it would be: five fields, as pg_cron has them.
SELECT cron, vouch_data.cron_next(cron, '2026-11-22 08:00:00Z') AT TIME ZONE 'UTC' AS next
FROM unnest(ARRAY['* * * * *', '*/15 * * * *', '0 2 * * *', '30 7,9-11/2 * * *', '0 0 1 * *', '0 0 29 2 *', '0 12 * * mon-fri',
	'0 0 13 * 5', '@hourly', '@weekly', '59 23 31 dec *', '0 0 31 2 *', '61 * * * *', 'often']) AS cron;
SELECT vouch_data.cron_next('0 2 * * *', '2026-11-22 08:00:00Z', 'America/New_York') AT TIME ZONE 'UTC' AS next;

-- What comes of it when the clock strikes: skip, queue one, or allow.
SELECT vouch_data.put_schedule('skip', '@hourly', 'sch54', '{"n": 1}', 'skip');
SELECT vouch_data.put_schedule('queue', '@hourly', 'sch54', '{}', 'queue');
SELECT vouch_data.put_schedule('allow', '@hourly', 'sch54', '{}', 'allow');
CREATE TEMP VIEW runs AS SELECT split_part(workflow_id, '-', 1) AS schedule, status, count(*)
FROM vouch.executions WHERE workflow = 'sch54' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT name, vouch.run_schedule(name) IS NOT NULL AS started FROM vouch.schedules ORDER BY name;
SELECT name, vouch.run_schedule(name) IS NOT NULL AS started FROM vouch.schedules ORDER BY name;
SELECT name, vouch.run_schedule(name) IS NOT NULL AS started FROM vouch.schedules ORDER BY name;
SELECT name, overlap, last_outcome, queued, next_run > now() AS has_next FROM vouch.schedules ORDER BY name;
SELECT * FROM runs;
-- What is queued waits for the end of the run before, and is one.
SELECT vouch.run_schedule('queue', tick => false);
SELECT vouch.terminate_workflow(workflow_id) FROM vouch.executions WHERE workflow = 'sch54' AND status = 'running';
SELECT vouch.run_schedule('queue', tick => false) IS NOT NULL AS started;
SELECT vouch.run_schedule('queue', tick => false) IS NOT NULL AS started;
SELECT vouch.run_schedule('skip') LIKE 'skip-%' AS started;
SELECT vouch.describe_workflow(last_workflow_id) -> 'input' AS input FROM vouch.schedules WHERE name = 'skip';
SELECT * FROM runs;
-- Held.
SELECT vouch.pause_schedule('allow');
SELECT vouch.run_schedule('allow');
SELECT last_outcome, next_run, last_tick > last_run AS no_run FROM vouch.schedules WHERE name = 'allow';
SELECT vouch.pause_schedule('allow', false);
SELECT vouch.run_schedule('allow') IS NOT NULL AS started;
SELECT vouch.unschedule_workflow(name) FROM vouch.schedules;
SELECT vouch.run_schedule('allow');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch_data.put_schedule('x', '@hourly', 'sch54', '{}', 'sometimes');
SELECT vouch_data.put_schedule('x', '@hourly', 'no', '{}', 'skip');
SELECT vouch.terminate_workflow(workflow_id) FROM vouch.executions WHERE workflow = 'sch54' AND status = 'running';

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DROP VIEW runs;
DROP ROLE regress_vouch_sch_app;
