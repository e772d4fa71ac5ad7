-- engine.sql: workflows and their executions.

-- Configuration: few rows, the same on every node.

CREATE TABLE vouch_data.workflow (
	name text PRIMARY KEY,
	shipped boolean NOT NULL DEFAULT false,
	created_by text NOT NULL,
	created_at timestamptz NOT NULL
);
COMMENT ON TABLE vouch_data.workflow IS 'A named definition; its text is in workflow_revision';
COMMENT ON COLUMN vouch_data.workflow.shipped IS 'Came with the extension';

CREATE TABLE vouch_data.workflow_revision (
	workflow text NOT NULL REFERENCES vouch_data.workflow,
	revision int NOT NULL,
	definition jsonb NOT NULL,
	run_as text NOT NULL,
	description text,
	shipped boolean NOT NULL DEFAULT false,
	defined_by text NOT NULL,
	defined_at timestamptz NOT NULL,
	PRIMARY KEY (workflow, revision)
);
COMMENT ON TABLE vouch_data.workflow_revision IS 'A definition in Amazon States Language; never changed once it is there';
COMMENT ON COLUMN vouch_data.workflow_revision.run_as IS 'Login role as which the sql: activities run';

SELECT pg_catalog.pg_extension_config_dump('vouch_data.workflow', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('vouch_data.workflow_revision', 'WHERE NOT shipped');

-- Work: bucket first everywhere.

CREATE TABLE vouch_data.execution (
	bucket int NOT NULL,
	execution_id uuid NOT NULL,
	workflow_id text NOT NULL,
	workflow text NOT NULL,
	revision int NOT NULL,
	run_as text NOT NULL,
	starter text NOT NULL,
	status vouch.execution_status NOT NULL DEFAULT 'running',
	paused boolean NOT NULL DEFAULT false,
	parent_id uuid,
	parent_branch int,
	close_policy text CHECK (close_policy IN ('terminate', 'cancel', 'abandon')),
	started_at timestamptz NOT NULL,
	deadline timestamptz,
	closed_at timestamptz,
	next_branch int NOT NULL DEFAULT 1,
	next_event bigint NOT NULL DEFAULT 1,
	PRIMARY KEY (bucket, execution_id)
) WITH (fillfactor = 60);
COMMENT ON TABLE vouch_data.execution IS
'One run of a revision. Narrow: a step changes only next_branch and next_event, which no index has, so that the row stays on its page';
COMMENT ON COLUMN vouch_data.execution.starter IS 'Actor who started it';
COMMENT ON COLUMN vouch_data.execution.parent_id IS 'Execution that started it as a child';
COMMENT ON COLUMN vouch_data.execution.parent_branch IS 'Branch of the parent that waits for it, NULL when none does';
COMMENT ON COLUMN vouch_data.execution.close_policy IS 'What becomes of it when its parent closes';
COMMENT ON COLUMN vouch_data.execution.deadline IS 'When the machine''s TimeoutSeconds are over';
COMMENT ON COLUMN vouch_data.execution.next_event IS 'Number that the next history event gets';
CREATE UNIQUE INDEX execution_open ON vouch_data.execution (bucket, workflow_id) WHERE status = 'running';
CREATE INDEX execution_workflow_id ON vouch_data.execution (bucket, workflow_id, execution_id);
CREATE INDEX execution_parent ON vouch_data.execution (bucket, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX execution_deadline ON vouch_data.execution (deadline) WHERE status = 'running' AND deadline IS NOT NULL;

CREATE TABLE vouch_data.execution_input (
	bucket int NOT NULL,
	execution_id uuid NOT NULL,
	input jsonb NOT NULL,
	PRIMARY KEY (bucket, execution_id)
);
COMMENT ON TABLE vouch_data.execution_input IS 'Input of an execution, beside its row so that a step does not rewrite it';

CREATE TABLE vouch_data.execution_result (
	bucket int NOT NULL,
	execution_id uuid NOT NULL,
	output jsonb,
	error text,
	cause text,
	PRIMARY KEY (bucket, execution_id)
);
COMMENT ON TABLE vouch_data.execution_result IS 'Outcome of a closed execution';

CREATE TYPE vouch_data.branch_status AS ENUM ('ready', 'waiting', 'pending', 'done');
COMMENT ON TYPE vouch_data.branch_status IS
'ready: an executor can go on; waiting: for what wait_kind says; pending: an iteration that MaxConcurrency holds back; done: ended, its output is kept for the join';

CREATE TABLE vouch_data.branch (
	bucket int NOT NULL,
	execution_id uuid NOT NULL,
	branch_no int NOT NULL,
	run_as text NOT NULL,
	parent_no int,
	place int NOT NULL DEFAULT 0,
	machine_no int NOT NULL,
	state text,
	status vouch_data.branch_status NOT NULL,
	held boolean NOT NULL DEFAULT false,
	resume int NOT NULL DEFAULT 0,
	wait_kind text,
	wait_name text,
	wait_id uuid,
	due_at timestamptz,
	entered_at timestamptz,
	actor text NOT NULL,
	previous_event bigint NOT NULL DEFAULT 0,
	join_total int,
	join_open int,
	join_failed int,
	join_next int,
	join_limits json,
	vars json,
	data json,
	PRIMARY KEY (bucket, execution_id, branch_no)
) WITH (fillfactor = 70);
COMMENT ON TABLE vouch_data.branch IS
'The tokens of open executions: one row for each line of control, written once an advance. Branches that begin and end in one advance have none';
COMMENT ON COLUMN vouch_data.branch.parent_no IS 'Branch whose Parallel or Map it belongs to';
COMMENT ON COLUMN vouch_data.branch.place IS 'Which of its parent''s branches or iterations it is, from 0';
COMMENT ON COLUMN vouch_data.branch.machine_no IS 'Machine of the definition that it runs in, in the order of definition';
COMMENT ON COLUMN vouch_data.branch.held IS 'Its execution is paused: nobody looks for its work';
COMMENT ON COLUMN vouch_data.branch.resume IS 'How it goes on: 0 enters the state, 1 enters it again after an error, 2 a timer fired';
COMMENT ON COLUMN vouch_data.branch.wait_kind IS 'timer, retry, signal, review, child, or join';
COMMENT ON COLUMN vouch_data.branch.wait_name IS 'Signal that it waits for';
COMMENT ON COLUMN vouch_data.branch.wait_id IS 'Version or child execution that it waits for';
COMMENT ON COLUMN vouch_data.branch.due_at IS 'When its timer, its retry or its timeout is due';
COMMENT ON COLUMN vouch_data.branch.actor IS 'Whom it acts for: who started the execution, then the sender of each signal and the person of each decision that it waited for';
COMMENT ON COLUMN vouch_data.branch.join_open IS 'Branches or iterations that have not ended';
COMMENT ON COLUMN vouch_data.branch.join_next IS 'Iterations begun so far';
COMMENT ON COLUMN vouch_data.branch.vars IS 'Variables that it assigned';
COMMENT ON COLUMN vouch_data.branch.data IS 'input i, retry counts r, attempt a, iteration value x, output o; NULL in a fresh execution, whose input is in execution_input';
CREATE INDEX branch_ready ON vouch_data.branch (bucket, execution_id) INCLUDE (run_as)
	WHERE status = 'ready' AND NOT held;
CREATE INDEX branch_due ON vouch_data.branch (due_at) INCLUDE (run_as)
	WHERE due_at IS NOT NULL AND NOT held;
-- A version of another subject may be waited for, so this one lookup names no bucket.
CREATE INDEX branch_version ON vouch_data.branch (wait_id) WHERE wait_kind = 'review';
CREATE INDEX branch_family ON vouch_data.branch (bucket, execution_id, parent_no, place)
	WHERE parent_no IS NOT NULL;

CREATE TABLE vouch_data.signal (
	bucket int NOT NULL,
	execution_id uuid NOT NULL,
	signal_id uuid NOT NULL,
	name text NOT NULL,
	payload jsonb NOT NULL,
	dedup_key text,
	sender text NOT NULL,
	sent_at timestamptz NOT NULL,
	consumed boolean NOT NULL DEFAULT false,
	PRIMARY KEY (bucket, execution_id, signal_id)
);
COMMENT ON TABLE vouch_data.signal IS 'Messages to executions, in the order of their ids; each is consumed once and kept';
CREATE UNIQUE INDEX signal_dedup ON vouch_data.signal (bucket, execution_id, name, dedup_key) WHERE dedup_key IS NOT NULL;
CREATE INDEX signal_waiting ON vouch_data.signal (bucket, execution_id, name, signal_id) WHERE NOT consumed;

CREATE TABLE vouch_data.nudge (
	bucket int NOT NULL,
	execution_id uuid NOT NULL,
	nudge_id uuid NOT NULL,
	run_as text NOT NULL,
	PRIMARY KEY (bucket, execution_id, nudge_id)
);
COMMENT ON TABLE vouch_data.nudge IS
'Left by whoever changed what an execution may wait for and did not get its lock; deleted by the executor before it looks';

CREATE TABLE vouch_data.history (
	bucket int NOT NULL,
	execution_id uuid NOT NULL,
	first_event_id bigint NOT NULL,
	at timestamptz NOT NULL,
	records json NOT NULL,
	PRIMARY KEY (bucket, execution_id, first_event_id)
);
COMMENT ON TABLE vouch_data.history IS
'One row an advance: the events of all states that it visited, packed. Read it with vouch.workflow_history()';

SELECT pg_catalog.pg_extension_config_dump('vouch_data.execution', '');
SELECT pg_catalog.pg_extension_config_dump('vouch_data.execution_input', '');
SELECT pg_catalog.pg_extension_config_dump('vouch_data.execution_result', '');
SELECT pg_catalog.pg_extension_config_dump('vouch_data.branch', '');
SELECT pg_catalog.pg_extension_config_dump('vouch_data.signal', '');
SELECT pg_catalog.pg_extension_config_dump('vouch_data.nudge', '');
SELECT pg_catalog.pg_extension_config_dump('vouch_data.history', '');
