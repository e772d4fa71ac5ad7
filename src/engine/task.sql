-- task.sql: activity:queue, tasks for workers outside of the database.

CREATE TABLE vouch_data.queue (
	queue text PRIMARY KEY,
	max_concurrent int,
	max_per_key int,
	key_path text,
	priority int NOT NULL DEFAULT 0,
	priority_path text,
	rate_per_second float8,
	worker_role text,
	tokens float8,
	tokens_at timestamptz
);
COMMENT ON TABLE vouch_data.queue IS 'Settings of queues; a queue without a row has no limits';
COMMENT ON COLUMN vouch_data.queue.tokens IS 'What rate_per_second left at tokens_at';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.queue', '');

CREATE TYPE vouch_data.task_status AS ENUM ('offered', 'leased', 'completed', 'failed');
COMMENT ON TYPE vouch_data.task_status IS
'offered: any worker may take it; leased: a worker has it; completed, failed: its workflow has not looked yet';

CREATE TABLE vouch_data.task (
	bucket int NOT NULL,
	task_id uuid NOT NULL,
	execution_id uuid NOT NULL,
	branch_no int NOT NULL,
	run_as text NOT NULL,
	workflow_id text NOT NULL,
	queue text NOT NULL,
	state text NOT NULL,
	attempt int NOT NULL,
	deliveries int NOT NULL DEFAULT 0,
	input jsonb NOT NULL,
	status vouch_data.task_status NOT NULL,
	held boolean NOT NULL DEFAULT false,
	priority int NOT NULL DEFAULT 0,
	concurrency_key text,
	offered_at timestamptz NOT NULL,
	deadline timestamptz,
	heartbeat_seconds bigint,
	worker text,
	leased_by text,
	token_digest bytea,
	leased_at timestamptz,
	lease interval,
	lease_until timestamptz,
	heartbeat_until timestamptz,
	details jsonb,
	output jsonb,
	error text,
	cause text,
	finished_by text,
	PRIMARY KEY (bucket, task_id)
) WITH (fillfactor = 70);
COMMENT ON TABLE vouch_data.task IS 'Tasks of activity: states that wait; the row goes when the state goes on';
COMMENT ON COLUMN vouch_data.task.task_id IS 'wait_id of the branch; ordered by time';
COMMENT ON COLUMN vouch_data.task.leased_by IS 'Actor who polled: nobody else may use the token';
COMMENT ON COLUMN vouch_data.task.token_digest IS 'SHA-256 of the token that the worker that has it shows: each lease has its own, and nobody can read it here';
COMMENT ON COLUMN vouch_data.task.held IS 'Its execution is paused: nobody is given it';
COMMENT ON COLUMN vouch_data.task.attempt IS 'Which attempt of the state it is, from 1';
COMMENT ON COLUMN vouch_data.task.deliveries IS 'How often it was leased';
COMMENT ON COLUMN vouch_data.task.heartbeat_until IS 'When HeartbeatSeconds will have passed since the lease or the last heartbeat';
COMMENT ON COLUMN vouch_data.task.details IS 'What the last heartbeat said';
-- A queue lies in all buckets, so these look-ups name none.
CREATE INDEX task_offered ON vouch_data.task (queue, priority DESC, task_id) WHERE status = 'offered' AND NOT held;
CREATE INDEX task_leased ON vouch_data.task (queue, lease_until) WHERE status = 'leased';
CREATE INDEX task_heartbeat ON vouch_data.task (heartbeat_until) INCLUDE (run_as) WHERE heartbeat_until IS NOT NULL AND NOT held;
CREATE UNIQUE INDEX task_token ON vouch_data.task (bucket, token_digest) WHERE token_digest IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('vouch_data.task', '');

CREATE FUNCTION vouch.define_queue(queue text, max_concurrent int DEFAULT NULL, max_per_key int DEFAULT NULL,
	key_path text DEFAULT NULL, priority int DEFAULT 0, priority_path text DEFAULT NULL,
	rate_per_second float8 DEFAULT NULL, worker_role name DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_define_queue';
COMMENT ON FUNCTION vouch.define_queue(text, int, int, text, int, text, float8, name) IS
'Sets how the tasks of a queue are handed out, anew as a whole. max_concurrent: tasks leased at once; max_per_key: of those, with the same key, which key_path (like $.lob) finds in a task''s input; priority: of its tasks, higher first, unless priority_path finds a number in the input; rate_per_second: tasks leased; worker_role: only its members get tasks. NULL: no limit. Key and priority are those at the time a task is offered. VO502 for settings that cannot be';

CREATE FUNCTION vouch.poll_activity(queue text, worker text, lease interval DEFAULT '60 s', max_tasks int DEFAULT 1,
	wait interval DEFAULT NULL,
	OUT task_token uuid, OUT input jsonb, OUT workflow_id text, OUT state text, OUT attempt int, OUT deliveries int,
	OUT deadline timestamptz, OUT lease_until timestamptz, OUT heartbeat_until timestamptz, OUT priority int,
	OUT concurrency_key text, OUT details jsonb)
RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_poll_activity';
COMMENT ON FUNCTION vouch.poll_activity(text, text, interval, int, interval) IS
'Takes up to max_tasks (1 to 1000) tasks of a queue, those of the highest priority first, then the oldest, and waits for one so long as wait says. worker: its name, for people. lease: after this time without a heartbeat the task is offered to others, and the token is void. deadline: the end of TimeoutSeconds; heartbeat_until: when the first heartbeat has to be there; deliveries: how often it was handed out, details: what the heartbeat of the last one said. Commit before working. VO002 when the queue is for a role that the caller is not a member of; VO502';

CREATE FUNCTION vouch.heartbeat_activity(task_token uuid, details jsonb DEFAULT NULL, lease interval DEFAULT NULL) RETURNS timestamptz
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_heartbeat_activity';
COMMENT ON FUNCTION vouch.heartbeat_activity(uuid, jsonb, interval) IS
'Says that a worker is at its task: the lease runs anew, by default as long as before, and so do HeartbeatSeconds. details are kept for the next worker, should this one be lost. Returns the end of the lease. VO409 when the task is not the worker''s any more, or nobody waits for it';

CREATE FUNCTION vouch.complete_activity(task_token uuid, output jsonb DEFAULT 'null') RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_complete_activity';
COMMENT ON FUNCTION vouch.complete_activity(uuid, jsonb) IS
'Ends a task: output is the result of the state, and the workflow goes on in this transaction up to its next wait or sql: activity. VO409 when the task is not the worker''s any more, or nobody waits for it; VO501 when output is larger than vouch.max_payload';

CREATE FUNCTION vouch.fail_activity(task_token uuid, error text DEFAULT 'States.TaskFailed', cause text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_fail_activity';
COMMENT ON FUNCTION vouch.fail_activity(uuid, text, text) IS
'Fails a task: Retry and Catch of the state match error, a name as for vouch.fail() (others: VO502). VO409 as in vouch.complete_activity()';

CREATE VIEW vouch.activity_tasks WITH (security_invoker = true) AS
SELECT t.queue, t.workflow_id, t.state, t.status::text AS status, t.held AS paused, t.priority, t.concurrency_key, t.attempt,
	t.deliveries, t.offered_at, t.deadline, t.worker, t.leased_at, t.lease_until, t.heartbeat_until, t.details
FROM vouch_data.task t;
COMMENT ON VIEW vouch.activity_tasks IS 'Tasks for workers outside of the database that have not ended';
COMMENT ON COLUMN vouch.activity_tasks.queue IS 'Queue that the state''s Resource names';
COMMENT ON COLUMN vouch.activity_tasks.workflow_id IS 'Execution that waits for it';
COMMENT ON COLUMN vouch.activity_tasks.state IS 'State that waits for it';
COMMENT ON COLUMN vouch.activity_tasks.status IS 'offered, leased, completed, or failed';
COMMENT ON COLUMN vouch.activity_tasks.paused IS 'Its execution is paused';
COMMENT ON COLUMN vouch.activity_tasks.priority IS 'Higher ones are handed out first';
COMMENT ON COLUMN vouch.activity_tasks.concurrency_key IS 'Of the same key only max_per_key are leased at once';
COMMENT ON COLUMN vouch.activity_tasks.attempt IS 'Which attempt of the state it is, from 1';
COMMENT ON COLUMN vouch.activity_tasks.deliveries IS 'How often it was leased';
COMMENT ON COLUMN vouch.activity_tasks.offered_at IS 'When the state offered it';
COMMENT ON COLUMN vouch.activity_tasks.deadline IS 'End of TimeoutSeconds';
COMMENT ON COLUMN vouch.activity_tasks.worker IS 'Who has it, or had it last';
COMMENT ON COLUMN vouch.activity_tasks.leased_at IS 'When it was leased last';
COMMENT ON COLUMN vouch.activity_tasks.lease_until IS 'When others may have it';
COMMENT ON COLUMN vouch.activity_tasks.heartbeat_until IS 'When the next heartbeat has to be there';
COMMENT ON COLUMN vouch.activity_tasks.details IS 'What the last heartbeat said';

GRANT EXECUTE ON FUNCTION vouch.define_queue(text, int, int, text, int, text, float8, name) TO vouch_admin;
GRANT EXECUTE ON FUNCTION vouch.poll_activity(text, text, interval, int, interval),
	vouch.heartbeat_activity(uuid, jsonb, interval), vouch.complete_activity(uuid, jsonb),
	vouch.fail_activity(uuid, text, text) TO vouch_user;
