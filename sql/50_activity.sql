-- activity:queue: tasks for workers outside of the database.
CREATE ROLE regress_vouch_act_app LOGIN;
CREATE ROLE regress_vouch_act_worker LOGIN;
CREATE ROLE regress_vouch_act_other LOGIN;
GRANT vouch_admin TO regress_vouch_act_app;
GRANT vouch_user TO regress_vouch_act_worker, regress_vouch_act_other;

SET SESSION AUTHORIZATION regress_vouch_act_app;
SELECT vouch.define_workflow('act50', '{
	"StartAt": "Mail",
	"States": {
		"Mail": {"Type": "Task", "Resource": "activity:mail", "Parameters": {"to.$": "$.to"}, "ResultPath": "$.sent",
			"Retry": [{"ErrorEquals": ["Mail.Busy"], "IntervalSeconds": 1, "MaxAttempts": 1, "BackoffRate": 1}],
			"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Sorry"}],
			"End": true},
		"Sorry": {"Type": "Pass", "End": true}
	}}');
SELECT vouch.start_workflow('act50', '{"to": "ann"}', 'act50-a');
SELECT vouch.advance();
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'act50-a';
SELECT waits_for, who, how FROM vouch.explain_workflow('act50-a');

-- A worker takes it, says that it is at it, and completes it: the workflow
-- goes on in the worker's transaction.
SET SESSION AUTHORIZATION regress_vouch_act_worker;
SELECT task_token, input, workflow_id, state, attempt, deliveries, details
FROM vouch.poll_activity('mail', 'worker 1') \gset
\echo :input :workflow_id :state :attempt :deliveries
SELECT * FROM vouch.poll_activity('mail', 'worker 2');
SELECT vouch.heartbeat_activity(:'task_token', '{"half": true}') > now() AS leased;
SELECT queue, workflow_id, status, worker, details FROM vouch.activity_tasks;
-- The token is of use to nobody else, and whoever may read all tables cannot read it.
SELECT set_config('act50.token', :'task_token', false) <> '' AS known;
SET SESSION AUTHORIZATION regress_vouch_act_other;
DO $$BEGIN PERFORM vouch.complete_activity(current_setting('act50.token')::uuid); EXCEPTION WHEN SQLSTATE 'VO409' THEN RAISE NOTICE 'not valid'; END$$;
SELECT count(*) AS shown FROM vouch_data.task t WHERE to_jsonb(t)::text LIKE '%' || current_setting('act50.token') || '%';
SET SESSION AUTHORIZATION regress_vouch_act_worker;
SELECT vouch.complete_activity(:'task_token', '{"id": 7}');
SELECT d ->> 'status' AS status, d -> 'output' AS output FROM vouch.describe_workflow('act50-a') d;
SELECT count(*) AS tasks FROM vouch.activity_tasks;
SELECT type, state, detail FROM vouch.workflow_history('act50-a');

-- A second completion finds no task.
\set VERBOSITY sqlstate
SELECT vouch.complete_activity(:'task_token', '{}');
\set VERBOSITY default
SELECT vouch.complete_activity('00000000-0000-0000-0000-000000000000');
\echo :LAST_ERROR_SQLSTATE

-- Errors have a name of their own, for Retry and Catch.
SELECT vouch.start_workflow('act50', '{"to": "bob"}', 'act50-b');
SET SESSION AUTHORIZATION regress_vouch_act_app;
SELECT vouch.advance();
SET SESSION AUTHORIZATION regress_vouch_act_worker;
SELECT vouch.fail_activity(task_token, 'Mail.Busy', 'try later') FROM vouch.poll_activity('mail', 'worker 1');
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'act50-b';
RESET SESSION AUTHORIZATION;
UPDATE vouch_data.branch SET due_at = now() WHERE wait_kind = 'retry';
SET SESSION AUTHORIZATION regress_vouch_act_app;
SELECT vouch.advance();
SET SESSION AUTHORIZATION regress_vouch_act_worker;
SELECT vouch.fail_activity(task_token, 'Mail.Gone', 'no such address') FROM vouch.poll_activity('mail', 'worker 1') WHERE attempt = 2;
SELECT d ->> 'status' AS status, d -> 'output' AS output FROM vouch.describe_workflow('act50-b') d;

-- A lease that is over: the task is offered again, and the old token is void.
SELECT vouch.start_workflow('act50', '{"to": "eve"}', 'act50-c');
SET SESSION AUTHORIZATION regress_vouch_act_app;
SELECT vouch.advance();
SET SESSION AUTHORIZATION regress_vouch_act_worker;
SELECT task_token AS first FROM vouch.poll_activity('mail', 'lost') \gset
SELECT vouch.heartbeat_activity(:'first', '{"page": 3}') > now() AS leased;
RESET SESSION AUTHORIZATION;
UPDATE vouch_data.task SET lease_until = now();
SET SESSION AUTHORIZATION regress_vouch_act_worker;
-- (also as long as no other worker has it)
\set VERBOSITY sqlstate
SELECT vouch.heartbeat_activity(:'first');
SELECT vouch.complete_activity(:'first', '"late"');
SELECT vouch.fail_activity(:'first', 'Mail.Late', 'late');
\set VERBOSITY default
SELECT task_token AS second, deliveries, details FROM vouch.poll_activity('mail', 'found') \gset
\echo :deliveries :details
\set VERBOSITY sqlstate
SELECT vouch.complete_activity(:'first', '"late"');
\set VERBOSITY default
SELECT vouch.complete_activity(:'second', '"in time"');
SELECT d -> 'output' AS output FROM vouch.describe_workflow('act50-c') d;

-- TimeoutSeconds count from the offer, HeartbeatSeconds from the lease and each heartbeat.
SET SESSION AUTHORIZATION regress_vouch_act_app;
SELECT vouch.define_workflow('act50_times', '{
	"StartAt": "Both",
	"States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
		{"StartAt": "Late", "States": {"Late": {"Type": "Task", "Resource": "activity:late", "TimeoutSeconds": 60,
			"Catch": [{"ErrorEquals": ["States.Timeout"], "ResultPath": "$.error", "Next": "LateOut"}], "End": true},
			"LateOut": {"Type": "Pass", "End": true}}},
		{"StartAt": "Dead", "States": {"Dead": {"Type": "Task", "Resource": "activity:dead", "TimeoutSeconds": 3600, "HeartbeatSeconds": 60,
			"Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "ResultPath": "$.error", "Next": "DeadOut"}], "End": true},
			"DeadOut": {"Type": "Pass", "End": true}}}]}}}');
SELECT vouch.start_workflow('act50_times', '{}', 'act50-d');
SELECT vouch.advance();
SELECT heartbeat_until < deadline AS heart FROM vouch.poll_activity('dead', 'dies');
SELECT vouch.advance() AS nothing;
RESET SESSION AUTHORIZATION;
UPDATE vouch_data.task SET heartbeat_until = now() WHERE queue = 'dead';
UPDATE vouch_data.branch SET due_at = now() WHERE wait_name = 'late';
SET SESSION AUTHORIZATION regress_vouch_act_app;
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d -> 'output' AS output FROM vouch.describe_workflow('act50-d') d;
SELECT type, detail FROM vouch.workflow_history('act50-d') WHERE type LIKE 'Activity%' ORDER BY type, detail::text;

-- Who closes takes the tasks along; who is paused gets none.
SELECT vouch.start_workflow('act50', '{"to": "x"}', 'act50-e'), vouch.start_workflow('act50', '{"to": "y"}', 'act50-f');
SELECT vouch.advance();
SELECT vouch.pause_workflow('act50-e');
SELECT workflow_id FROM vouch.poll_activity('mail', 'worker 1', max_tasks => 10);
SELECT vouch.terminate_workflow('act50-f');
SELECT workflow_id, status, paused FROM vouch.activity_tasks;
SELECT vouch.resume_workflow('act50-e');
SELECT workflow_id FROM vouch.poll_activity('mail', 'worker 1', max_tasks => 10);
SELECT vouch.terminate_workflow('act50-e');

-- A queue's settings: priority, a key of which only so many are leased, a rate, and who may work.
SELECT vouch.define_queue('lob', max_concurrent => 4, max_per_key => 2, key_path => '$.lob', priority_path => '$.urgency');
SELECT vouch.define_workflow('act50_lob', '{"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "End": true,
	"ItemProcessor": {"StartAt": "Do", "States": {"Do": {"Type": "Task", "Resource": "activity:lob", "End": true}}}}}}');
SELECT vouch.start_workflow('act50_lob', '{"items": [
	{"lob": "A", "n": 1}, {"lob": "A", "n": 2}, {"lob": "A", "n": 3}, {"lob": "B", "n": 4}, {"lob": "C", "n": 5, "urgency": 9}, {"n": 6}]}', 'act50-g');
SELECT vouch.advance();
CREATE TEMP TABLE taken AS SELECT * FROM vouch.poll_activity('lob', 'worker 1', max_tasks => 10);
SELECT input, priority, concurrency_key FROM taken;
SELECT count(*) AS more FROM vouch.poll_activity('lob', 'worker 1', max_tasks => 10);
SELECT vouch.complete_activity(task_token, input) FROM taken WHERE input ->> 'n' = '1';
DELETE FROM taken WHERE input ->> 'n' = '1';
INSERT INTO taken SELECT * FROM vouch.poll_activity('lob', 'worker 1', max_tasks => 10) RETURNING input;
SELECT vouch.complete_activity(task_token, input) FROM taken;
SELECT vouch.complete_activity(task_token, input) FROM vouch.poll_activity('lob', 'worker 1', max_tasks => 10);
SELECT d ->> 'status' AS status, jsonb_path_query_array(d -> 'output', '$[*].n') AS outputs FROM vouch.describe_workflow('act50-g') d;

SELECT vouch.define_queue('lob', rate_per_second => 0.001);
SELECT vouch.start_workflow('act50_lob', '{"items": [{"n": 1}, {"n": 2}]}', 'act50-h');
SELECT vouch.advance();
SELECT input FROM vouch.poll_activity('lob', 'worker 1', max_tasks => 10);
SELECT input FROM vouch.poll_activity('lob', 'worker 1', max_tasks => 10);
SELECT vouch.define_queue('lob', worker_role => 'regress_vouch_act_worker');
SELECT input FROM vouch.poll_activity('lob', 'worker 1', max_tasks => 10);
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_act_worker;
SELECT input FROM vouch.poll_activity('lob', 'worker 1', max_tasks => 10);
SET SESSION AUTHORIZATION regress_vouch_act_app;
SELECT vouch.terminate_workflow('act50-h');

-- What cannot be.
SELECT vouch.define_queue('two words');
SELECT vouch.define_queue('q', max_per_key => 1);
SELECT vouch.define_queue('q', key_path => 'lob');
SELECT vouch.define_queue('q', max_concurrent => 0);
SELECT vouch.poll_activity('q', 'w', lease => '0 s');
SELECT vouch.poll_activity('q', 'w', max_tasks => 0);
SELECT code, message FROM vouch.validate_definition('{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:", "End": true}}}');

RESET SESSION AUTHORIZATION;
DELETE FROM vouch_data.queue;
SET client_min_messages TO warning;
DROP OWNED BY regress_vouch_act_app, regress_vouch_act_worker, regress_vouch_act_other;
DROP ROLE regress_vouch_act_app, regress_vouch_act_worker, regress_vouch_act_other;
