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
	workflow text NOT NULL,
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

CREATE TABLE vouch_data.workflow_starters (
	workflow text PRIMARY KEY,
	starters text[] NOT NULL,
	restricted_by text NOT NULL,
	restricted_at timestamptz NOT NULL
);
COMMENT ON TABLE vouch_data.workflow_starters IS 'Workflows that not every vouch_user may start';
COMMENT ON COLUMN vouch_data.workflow_starters.starters IS 'Roles whose members may, besides vouch_admin';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.workflow_starters', '');

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
	canceled_at timestamptz,
	cancel_reason text,
	redrives int NOT NULL DEFAULT 0,
	machine_no int NOT NULL DEFAULT 0,
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
COMMENT ON COLUMN vouch_data.execution.canceled_at IS 'When it was canceled, while what caught that runs on';
COMMENT ON COLUMN vouch_data.execution.redrives IS 'How often vouch.redrive_workflow() took it up again';
COMMENT ON COLUMN vouch_data.execution.machine_no IS 'Machine of the definition that its main line runs in: for an iteration of a DISTRIBUTED Map, that of the iterations; else 0';
COMMENT ON COLUMN vouch_data.execution.next_event IS 'Number that the next history event gets';
CREATE UNIQUE INDEX execution_open ON vouch_data.execution (bucket, workflow_id) WHERE status = 'running';
CREATE INDEX execution_workflow_id ON vouch_data.execution (bucket, workflow_id, execution_id);
CREATE INDEX execution_parent ON vouch_data.execution (bucket, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX execution_open_child ON vouch_data.execution (bucket, parent_id) WHERE status = 'running' AND parent_id IS NOT NULL;
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
	redrive json,
	PRIMARY KEY (bucket, execution_id)
);
COMMENT ON TABLE vouch_data.execution_result IS 'Outcome of a closed execution';
COMMENT ON COLUMN vouch_data.execution_result.redrive IS 'Where vouch.redrive_workflow() goes on: state, input, variables, actor of the main line';

CREATE TYPE vouch_data.branch_status AS ENUM ('ready', 'waiting', 'pending', 'done');
COMMENT ON TYPE vouch_data.branch_status IS
'ready: an executor can go on; waiting: for what wait_kind says; pending: iterations that have not begun; done: ended, their outputs are kept for the join';

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
'The tokens of open executions: one row for each line of control, written once an advance. Branches that begin and end in one advance have none, but share one for their outputs; so do iterations that have not begun';
COMMENT ON COLUMN vouch_data.branch.parent_no IS 'Branch whose Parallel or Map it belongs to';
COMMENT ON COLUMN vouch_data.branch.place IS 'Which of its parent''s branches or iterations it is, from 0';
COMMENT ON COLUMN vouch_data.branch.machine_no IS 'Machine of the definition that it runs in, in the order of definition';
COMMENT ON COLUMN vouch_data.branch.held IS 'Its execution is paused: nobody looks for its work';
COMMENT ON COLUMN vouch_data.branch.resume IS 'How it goes on: 0 enters the state, 1 enters it again after an error, 2 a timer fired';
COMMENT ON COLUMN vouch_data.branch.wait_kind IS 'timer, retry, signal, review, child, activity, until, or join';
COMMENT ON COLUMN vouch_data.branch.wait_name IS 'Signal, queue, or predicate that it waits for';
COMMENT ON COLUMN vouch_data.branch.wait_id IS 'Version, child execution, or task that it waits for';
COMMENT ON COLUMN vouch_data.branch.due_at IS 'When its timer, its retry or its timeout is due';
COMMENT ON COLUMN vouch_data.branch.actor IS 'Whom it acts for: who started the execution, then the sender of each signal and the person of each decision that it waited for';
COMMENT ON COLUMN vouch_data.branch.join_open IS 'Branches or iterations that have not ended';
COMMENT ON COLUMN vouch_data.branch.join_next IS 'Iterations begun so far';
COMMENT ON COLUMN vouch_data.branch.vars IS 'Variables that it assigned';
COMMENT ON COLUMN vouch_data.branch.data IS 'input i, retry counts r, attempt a, iteration value x, output o; or items and their values from place on, or outputs, each with its place, of many; NULL in a fresh execution, whose input is in execution_input';
CREATE INDEX branch_ready ON vouch_data.branch (bucket, execution_id) INCLUDE (run_as)
	WHERE status = 'ready' AND NOT held;
-- Beside the few that live, a Map may have a hundred thousand that are done or held back.
CREATE INDEX branch_live ON vouch_data.branch (bucket, execution_id, branch_no) WHERE status IN ('ready', 'waiting');
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
	signal_id uuid,
	workflow text,
	input jsonb,
	attributes jsonb,
	hold boolean,
	PRIMARY KEY (bucket, execution_id, nudge_id)
);
COMMENT ON TABLE vouch_data.nudge IS
'Left by whoever changed what an execution may wait for and did not get its lock; deleted by the executor before it looks';
COMMENT ON COLUMN vouch_data.nudge.signal_id IS 'The signal that it tells of: at commit, the execution must still be open';
COMMENT ON COLUMN vouch_data.nudge.workflow IS 'What vouch.signal_with_start() starts if it is not';
COMMENT ON COLUMN vouch_data.nudge.input IS 'Input of that';
COMMENT ON COLUMN vouch_data.nudge.attributes IS 'Attributes of that';
COMMENT ON COLUMN vouch_data.nudge.hold IS 'Somebody who did not get the lock wants the execution paused (true) or resumed (false)';

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

CREATE FUNCTION vouch_data.signal_arrives() RETURNS trigger
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_signal_arrives';
COMMENT ON FUNCTION vouch_data.signal_arrives() IS
'At commit: the execution that a signal was sent to, while somebody else had it, is still open. VO405 when it is not; the signal of vouch.signal_with_start() goes to another one, which is started if need be';
CREATE CONSTRAINT TRIGGER signal_arrives AFTER INSERT ON vouch_data.nudge
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.signal_id IS NOT NULL)
	EXECUTE FUNCTION vouch_data.signal_arrives();

-- Defining ------------------------------------------------------------------

CREATE FUNCTION vouch.define_workflow(name text, definition jsonb, run_as name DEFAULT NULL, description text DEFAULT NULL)
RETURNS int
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_define_workflow';
COMMENT ON FUNCTION vouch.define_workflow(text, jsonb, name, text) IS
'Defines a workflow in Amazon States Language (JSONPath) and returns its revision; the same definition and role again make no new one. run_as: login role as which its sql: activities run (the session''s own by default); whoever defines must be a member of it. VO401 lists every problem with its place; VO407 when run_as cannot be; VO501 when it has more than 1 MB; VO503 for what is not supported';

CREATE FUNCTION vouch.define_workflow(name text, definition text, run_as name DEFAULT NULL, description text DEFAULT NULL)
RETURNS int
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_define_workflow_text';
COMMENT ON FUNCTION vouch.define_workflow(text, text, name, text) IS
'The same for a definition as it is written; a key that an object has twice, of which a jsonb keeps the last, is a problem, too';

CREATE FUNCTION vouch_data.ship_workflow(name text, definition jsonb) RETURNS int
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_ship_workflow';
COMMENT ON FUNCTION vouch_data.ship_workflow(text, jsonb) IS
'Defines a workflow that comes with the extension; only its script may call it';

CREATE FUNCTION vouch.validate_definition(definition jsonb, run_as name DEFAULT NULL,
	OUT severity text, OUT location text, OUT code text, OUT message text)
RETURNS SETOF record
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'vouch_sql_validate_definition';
COMMENT ON FUNCTION vouch.validate_definition(jsonb, name) IS
'What is wrong with a definition, without defining it: severity error or warning, location as a JSON pointer, a stable code, a sentence. run_as: role whose rights are checked (the session''s own by default). No rows: nothing is wrong';

CREATE FUNCTION vouch.validate_definition(definition text, run_as name DEFAULT NULL,
	OUT severity text, OUT location text, OUT code text, OUT message text)
RETURNS SETOF record
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'vouch_sql_validate_definition_text';
COMMENT ON FUNCTION vouch.validate_definition(text, name) IS
'The same for a definition as it is written: also tells what is no JSON, and keys that an object has twice, of which a jsonb keeps the last';

CREATE VIEW vouch.workflows WITH (security_invoker = true) AS
SELECT r.workflow, r.revision, r.run_as, r.description, r.shipped, r.defined_by, r.defined_at,
	r.revision = max(r.revision) OVER (PARTITION BY r.workflow) AS is_newest, r.definition,
	(SELECT s.starters FROM vouch_data.workflow_starters s WHERE s.workflow = r.workflow) AS starters
FROM vouch_data.workflow_revision r;
COMMENT ON VIEW vouch.workflows IS 'All revisions of all workflows';
COMMENT ON COLUMN vouch.workflows.workflow IS 'Name';
COMMENT ON COLUMN vouch.workflows.revision IS 'Number of the revision, from 1';
COMMENT ON COLUMN vouch.workflows.run_as IS 'Login role as which its sql: activities run';
COMMENT ON COLUMN vouch.workflows.description IS 'What the definer said of it';
COMMENT ON COLUMN vouch.workflows.shipped IS 'Came with the extension';
COMMENT ON COLUMN vouch.workflows.defined_by IS 'Actor who defined it';
COMMENT ON COLUMN vouch.workflows.defined_at IS 'When';
COMMENT ON COLUMN vouch.workflows.is_newest IS 'New executions take this revision';
COMMENT ON COLUMN vouch.workflows.definition IS 'The definition, in Amazon States Language';
COMMENT ON COLUMN vouch.workflows.starters IS 'Roles whose members may start it, besides vouch_admin; NULL: every vouch_user';

CREATE FUNCTION vouch.restrict_workflow(workflow text, starters text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	missing text;
BEGIN
	PERFORM vouch_data.check_given('workflow', workflow IS NOT NULL);
	IF NOT EXISTS (SELECT FROM vouch_data.workflow w WHERE w.name = workflow) THEN
		RAISE EXCEPTION 'there is no workflow "%"', workflow USING ERRCODE = 'VO402',
			HINT = 'Define it with vouch.define_workflow(), or look at vouch.workflows for the names that exist.';
	END IF;
	SELECT coalesce(s.role, 'NULL') INTO missing FROM unnest(starters) AS s(role)
	WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = s.role) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'role "%" does not exist', missing USING ERRCODE = 'VO502',
			HINT = 'Name roles of the database: their members may start the workflow.';
	END IF;
	DELETE FROM vouch_data.workflow_starters s WHERE s.workflow = workflow;
	IF starters IS NOT NULL THEN
		INSERT INTO vouch_data.workflow_starters VALUES (workflow, starters, vouch.actor(), now());
	END IF;
END
$$;
COMMENT ON FUNCTION vouch.restrict_workflow(text, text[]) IS
'Says who may start a workflow, in all its revisions: members of these roles, and of vouch_admin; with an empty array nobody else, and with NULL, as at first, every vouch_user. It is the session''s login role that counts. Who may start another workflow may also start those that it has as children. VO402, VO502';

GRANT EXECUTE ON FUNCTION vouch.restrict_workflow(text, text[]), vouch.define_workflow(text, jsonb, name, text), vouch.define_workflow(text, text, name, text) TO vouch_admin;
GRANT EXECUTE ON FUNCTION vouch.validate_definition(jsonb, name), vouch.validate_definition(text, name) TO vouch_user;

-- Running -------------------------------------------------------------------

CREATE FUNCTION vouch_data.check_payload(value jsonb, what text) RETURNS void
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_check_payload';
COMMENT ON FUNCTION vouch_data.check_payload(jsonb, text) IS
'Raises VO501 when a value is larger than vouch.max_payload, or nested deeper than 499 arrays and objects; what names it in the message';

CREATE FUNCTION vouch_data.check_attributes(attributes jsonb) RETURNS void
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_check_attributes';
COMMENT ON FUNCTION vouch_data.check_attributes(jsonb) IS 'Raises VO502 or VO501 for attributes of an execution that cannot be';

CREATE FUNCTION vouch.start_workflow(workflow text, input jsonb DEFAULT '{}', workflow_id text DEFAULT NULL,
	revision int DEFAULT NULL, on_conflict text DEFAULT 'error', attributes jsonb DEFAULT '{}')
RETURNS text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_start_workflow';
COMMENT ON FUNCTION vouch.start_workflow(text, jsonb, text, int, text, jsonb) IS
'Starts a workflow and returns its workflow_id (made up when NULL). revision: the newest by default. on_conflict says what to do when an open execution has the workflow_id: error (VO404), use_existing, which has to be of the same workflow (else VO404), or terminate_existing. attributes: what vouch.find_workflows() finds it by, as in vouch.set_attributes(); those of one that exists stay. VO402 when there is no such workflow or revision, VO002 when it is for other roles, VO501 and VO502 for arguments that cannot be';

CREATE FUNCTION vouch.signal_workflow(workflow_id text, signal text, payload jsonb DEFAULT '{}', dedup_key text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_signal_workflow';
COMMENT ON FUNCTION vouch.signal_workflow(text, text, jsonb, text) IS
'Sends a signal to an open execution, which goes on in this transaction up to its next wait or sql: activity. Signals wait in order until a vouch:signal state takes them. A second one with the same name and dedup_key is ignored. VO403 when there is no such workflow_id, VO405 when it is closed: at commit, when somebody closed it meanwhile';

CREATE FUNCTION vouch.signal_with_start(workflow text, workflow_id text, signal text, payload jsonb DEFAULT '{}',
	input jsonb DEFAULT '{}', dedup_key text DEFAULT NULL, attributes jsonb DEFAULT '{}')
RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_signal_with_start';
COMMENT ON FUNCTION vouch.signal_with_start(text, text, text, jsonb, jsonb, text, jsonb) IS
'Sends a signal, and starts the workflow first when no execution with the workflow_id is open; true when it was started. An execution that closes before the sender''s transaction commits is followed by another one, started at commit, which gets the signal. attributes: of one that is started. VO404 when the open one is of another workflow; VO002 when one is to be started and the workflow is for other roles';

CREATE FUNCTION vouch.cancel_workflow(workflow_id text, reason text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_cancel_workflow';
COMMENT ON FUNCTION vouch.cancel_workflow(text, text) IS
'Cancels an execution, and its children as their ParentClosePolicy says. The states that it stands in fail with Vouch.Canceled, which a Catch can take, to undo what was done, and a Retry cannot; at its end the execution is canceled, or failed when the undoing failed. Where nothing catches, it is closed at once. A step that an executor is at is broken off, and nothing of it stays. A second call changes nothing. For who started the execution and members of vouch_admin (others: VO002). VO403 when there is no such workflow_id, VO405 when it is closed';

CREATE FUNCTION vouch.terminate_workflow(workflow_id text, reason text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_terminate_workflow';
COMMENT ON FUNCTION vouch.terminate_workflow(text, text) IS
'Closes an execution as terminated; its children as their ParentClosePolicy says. A step that an executor is at is broken off, and nothing of it stays. For who started the execution and members of vouch_admin (others: VO002). VO403 when there is no such workflow_id, VO405 when it is closed';

CREATE FUNCTION vouch.pause_workflow(workflow_id text) RETURNS int
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_pause_workflow';
COMMENT ON FUNCTION vouch.pause_workflow(text) IS
'Holds an execution and its descendants where they are; signals and decisions are kept, timers wait. Waits for nobody: an execution whose step runs just then is paused when that has ended. Returns how many executions it paused, or will';

CREATE FUNCTION vouch.resume_workflow(workflow_id text) RETURNS int
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_resume_workflow';
COMMENT ON FUNCTION vouch.resume_workflow(text) IS
'Lets paused executions go on, descendants too; timers that came due meanwhile fire at once. Returns how many executions it resumed, or will';

CREATE FUNCTION vouch.redrive_workflow(workflow_id text) RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_redrive_workflow';
COMMENT ON FUNCTION vouch.redrive_workflow(text) IS
'Takes the newest execution of a workflow_id up again, when it did not succeed, from the state of its main line that failed (a Parallel or Map begins anew), with the same input and variables. VO403 when there is no such workflow_id, VO404 when another one is open, VO405 when it is running or succeeded';

CREATE FUNCTION vouch.wait_for_workflow(workflow_id text, timeout interval DEFAULT '30 s') RETURNS text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_wait_for_workflow';
COMMENT ON FUNCTION vouch.wait_for_workflow(text, interval) IS
'Waits until an execution is closed and returns its status, or running when the timeout is over first. Only in READ COMMITTED';

CREATE FUNCTION vouch.advance(max int DEFAULT 100) RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_advance';
COMMENT ON FUNCTION vouch.advance(int) IS
'Does the work of the background workers in this session, for the workflows that run as its login role, and returns how many states were left. max: stop after about so many (NULL: when nothing is left); it also stops when somebody waits for what it has locked. A notice says when work is left for other roles';

CREATE FUNCTION vouch.fail(error text, cause text DEFAULT '') RETURNS void
LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_fail';
COMMENT ON FUNCTION vouch.fail(text, text) IS
'Ends an activity with an error of its own name, which Retry and Catch of the state can match (VO408). error: up to 256 characters (null: States.TaskFailed); VO502 when it is empty, or begins with States. or Vouch., whose errors the language and the engine raise themselves';

GRANT EXECUTE ON FUNCTION vouch.start_workflow(text, jsonb, text, int, text, jsonb),
	vouch.signal_workflow(text, text, jsonb, text), vouch.signal_with_start(text, text, text, jsonb, jsonb, text, jsonb),
	vouch.cancel_workflow(text, text), vouch.terminate_workflow(text, text), vouch.advance(int), vouch.fail(text, text) TO vouch_user;
GRANT EXECUTE ON FUNCTION vouch.pause_workflow(text),
	vouch.resume_workflow(text), vouch.redrive_workflow(text) TO vouch_admin;
GRANT EXECUTE ON FUNCTION vouch.wait_for_workflow(text, interval) TO vouch_reader;

-- Looking -------------------------------------------------------------------

CREATE FUNCTION vouch.workflow_history(workflow_id text, OUT event_id bigint, OUT previous_event_id bigint,
	OUT at timestamptz, OUT type text, OUT state text, OUT detail jsonb)
RETURNS SETOF record
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'vouch_sql_workflow_history';
COMMENT ON FUNCTION vouch.workflow_history(text) IS
'Events of the newest execution of a workflow_id, with the types of AWS Step Functions. detail: input, output, parameters, error and cause, actor; where one is larger than vouch.history_payload_limit there is, as in the service, {"truncated": true} as inputDetails, outputDetails, parametersDetails, or causeDetails in its place. VO403 when there is no such workflow_id';

CREATE FUNCTION vouch_data.visited(workflow_id text, OUT state text, OUT was_left boolean, OUT led_to_end boolean)
RETURNS SETOF record
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_visited';
COMMENT ON FUNCTION vouch_data.visited(text) IS
'The states that the newest execution of a workflow_id has been in: whether the last event of each was that it was left, and whether it led to the last event of all. VO403 when there is no such workflow_id';

CREATE FUNCTION vouch_data.ahead(workflow text, revision int, machine_no int, state text, OUT state_name text, OUT comes_next text,
	OUT timeout_seconds bigint)
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'vouch_sql_ahead';
COMMENT ON FUNCTION vouch_data.ahead(text, int, int, text) IS
'A state of a revision (NULL: the one that the machine starts at), and what can come after it: states, "the end", and what its Catch leads to; timeout_seconds: its TimeoutSeconds, NULL when there are none or a path gives them. NULL when the revision is not there';

CREATE FUNCTION vouch_data.is_run(execution_id uuid) RETURNS boolean
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_is_run';
COMMENT ON FUNCTION vouch_data.is_run(uuid) IS 'Is an executor of this database at this execution just now?';

CREATE FUNCTION vouch_data.waiting_for(bucket int, execution_id uuid)
RETURNS TABLE (branch int, state text, kind text, name text, since timestamptz, deadline timestamptz,
	version_id uuid, child text, machine_no int)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	-- an iteration of a DISTRIBUTED Map stands in the Map, until its execution has closed
	SELECT b.branch_no, coalesce(b.state, CASE WHEN b.wait_kind = 'child' THEN
			(SELECT p.state FROM vouch_data.branch p
			 WHERE p.bucket = b.bucket AND p.execution_id = b.execution_id AND p.branch_no = b.parent_no)
			-- not begun, as far as anybody can see
			ELSE (SELECT a.state_name FROM vouch_data.ahead(e.workflow, e.revision, b.machine_no, NULL) a) END),
		CASE WHEN b.status = 'ready' THEN 'worker' ELSE b.wait_kind END,
		b.wait_name, coalesce(b.entered_at, e.started_at),
		-- what is due for a vouch:until is only its next look
		CASE WHEN b.wait_kind = 'until' THEN b.entered_at
			+ (SELECT a.timeout_seconds FROM vouch_data.ahead(e.workflow, e.revision, b.machine_no, b.state) a) * interval '1 s'
			ELSE b.due_at END,
		CASE WHEN b.wait_kind = 'review' THEN b.wait_id END,
		CASE WHEN b.wait_kind = 'child' THEN
			(SELECT e.workflow_id FROM vouch_data.execution e
			 WHERE e.bucket = b.bucket AND e.execution_id = b.wait_id) END,
		b.machine_no
	FROM vouch_data.branch b
	JOIN vouch_data.execution e ON e.bucket = b.bucket AND e.execution_id = b.execution_id
	WHERE b.bucket = $1 AND b.execution_id = $2
	AND (b.status = 'ready' OR (b.status = 'waiting' AND b.wait_kind <> 'join'))
	ORDER BY b.branch_no
$$;
COMMENT ON FUNCTION vouch_data.waiting_for(int, uuid) IS
'What the branches of an execution wait for; kind is worker, timer, retry, signal, review, child, activity, or until. deadline: when its time is over (NULL: never; for a vouch:until also when a path gives its TimeoutSeconds)';

CREATE VIEW vouch.executions WITH (security_invoker = true) AS
SELECT e.workflow_id, e.workflow, e.revision, e.status, e.paused, e.starter, e.started_at, e.closed_at,
	(SELECT string_agg(coalesce(w.state, '?') || ': ' || w.kind || coalesce(' ' || w.name, ''), ', ' ORDER BY w.branch)
	 FROM vouch_data.waiting_for(e.bucket, e.execution_id) w) AS waiting_for,
	r.error, p.workflow_id AS parent, e.run_as, e.execution_id, e.bucket
FROM vouch_data.execution e
LEFT JOIN vouch_data.execution_result r ON r.bucket = e.bucket AND r.execution_id = e.execution_id
LEFT JOIN vouch_data.execution p ON p.bucket = e.bucket AND p.execution_id = e.parent_id;
COMMENT ON VIEW vouch.executions IS 'All executions, open and closed';
COMMENT ON COLUMN vouch.executions.workflow_id IS 'Id that the caller chose; unique among open executions';
COMMENT ON COLUMN vouch.executions.workflow IS 'Name of the workflow';
COMMENT ON COLUMN vouch.executions.revision IS 'Revision that it is pinned to';
COMMENT ON COLUMN vouch.executions.status IS 'running, succeeded, failed, canceled, terminated, or timed_out';
COMMENT ON COLUMN vouch.executions.paused IS 'Held until it is resumed';
COMMENT ON COLUMN vouch.executions.starter IS 'Actor who started it';
COMMENT ON COLUMN vouch.executions.started_at IS 'When it was started';
COMMENT ON COLUMN vouch.executions.closed_at IS 'When it closed';
COMMENT ON COLUMN vouch.executions.waiting_for IS 'State and kind of wait of each of its branches';
COMMENT ON COLUMN vouch.executions.error IS 'Name of the error that it failed with';
COMMENT ON COLUMN vouch.executions.parent IS 'workflow_id of the execution that started it';
COMMENT ON COLUMN vouch.executions.run_as IS 'Login role as which its sql: activities run';
COMMENT ON COLUMN vouch.executions.execution_id IS 'Id of this run';
COMMENT ON COLUMN vouch.executions.bucket IS 'Bucket of its subject';

CREATE FUNCTION vouch_data.newest_execution(workflow_id text) RETURNS vouch_data.execution
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result vouch_data.execution;
BEGIN
	PERFORM vouch_data.check_given('workflow_id', workflow_id IS NOT NULL);
	SELECT * INTO result FROM vouch_data.execution e
	WHERE e.bucket = vouch.bucket(split_part(newest_execution.workflow_id, '/', 1))
	AND e.workflow_id = newest_execution.workflow_id
	ORDER BY e.execution_id DESC LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no workflow with id "%"', workflow_id
			USING ERRCODE = 'VO403', HINT = 'Look at vouch.executions for the ids that exist.';
	END IF;
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch_data.newest_execution(text) IS 'Newest execution of a workflow_id, open or closed; VO403 when there is none';

CREATE FUNCTION vouch_data.who_may_act(kind text, version_id uuid, run_as text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF kind IN ('signal', 'activity') THEN
		RETURN '["vouch_user"]';
	ELSIF kind = 'worker' THEN
		RETURN jsonb_build_array(run_as);
	ELSIF kind = 'review' THEN
		RETURN (SELECT coalesce(jsonb_agg(DISTINCT a.actor), '[]')
			FROM vouch.explain_approval(version_id) a WHERE a.can_sign);
	END IF;
	RETURN '[]';
EXCEPTION WHEN OTHERS THEN
	-- the version's policy is gone: nobody can, and describing must not fail
	RETURN '[]';
END
$$;
COMMENT ON FUNCTION vouch_data.who_may_act(text, uuid, text) IS 'Who can end a wait: roles, or for a review the people who can sign';

CREATE FUNCTION vouch.describe_workflow(workflow_id text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_build_object(
		'workflow_id', e.workflow_id, 'execution_id', e.execution_id,
		'workflow', e.workflow, 'revision', e.revision, 'run_as', e.run_as,
		'status', e.status, 'paused', e.paused, 'started_by', e.starter,
		'input', (SELECT i.input FROM vouch_data.execution_input i
			WHERE i.bucket = e.bucket AND i.execution_id = e.execution_id),
		'output', r.output, 'error', r.error, 'cause', r.cause,
		'started_at', e.started_at, 'closed_at', e.closed_at, 'deadline', e.deadline,
		'parent', (SELECT p.workflow_id FROM vouch_data.execution p
			WHERE p.bucket = e.bucket AND p.execution_id = e.parent_id),
		'children', (SELECT coalesce(jsonb_agg(c.workflow_id ORDER BY c.execution_id), '[]')
			FROM vouch_data.execution c WHERE c.bucket = e.bucket AND c.parent_id = e.execution_id),
		'attributes', coalesce((SELECT a.attributes FROM vouch_data.execution_attributes a
			WHERE a.bucket = e.bucket AND a.execution_id = e.execution_id), '{}'),
		'waiting_for', (SELECT coalesce(jsonb_agg(jsonb_build_object(
				'branch', w.branch, 'state', w.state, 'kind', w.kind, 'name', coalesce(w.name, w.child),
				'version_id', w.version_id, 'since', w.since, 'deadline', w.deadline,
				'who', vouch_data.who_may_act(w.kind, w.version_id, e.run_as)) ORDER BY w.branch), '[]')
			FROM vouch_data.waiting_for(e.bucket, e.execution_id) w))
	FROM vouch_data.newest_execution(workflow_id) e
	LEFT JOIN vouch_data.execution_result r ON r.bucket = e.bucket AND r.execution_id = e.execution_id
$$;
COMMENT ON FUNCTION vouch.describe_workflow(text) IS
'The newest execution of a workflow_id: workflow_id, execution_id, workflow, revision, run_as, status, paused, started_by, input, output, error, cause, started_at, closed_at, deadline, parent, children, attributes, and waiting_for, an array of branch, state, kind (worker, timer, retry, signal, review, child, activity, until), name, version_id, since, deadline, who (may act). VO403 when there is no such workflow_id';

CREATE FUNCTION vouch.explain_workflow(workflow_id text)
RETURNS TABLE (branch int, state text, waits_for text, since timestamptz, deadline timestamptz, who text, can_act boolean, how text,
	comes_next text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	WITH e AS (SELECT x.*, vouch_data.is_run(x.execution_id) AS runs,
			-- asked for, while somebody had it
			(SELECT n.hold FROM vouch_data.nudge n WHERE n.bucket = x.bucket AND n.execution_id = x.execution_id AND n.hold IS NOT NULL
			 ORDER BY n.nudge_id DESC LIMIT 1) AS hold
		FROM vouch_data.newest_execution(explain_workflow.workflow_id) x),
	w AS (SELECT e.workflow_id AS id, e.run_as, e.paused, e.runs, w.*, a.comes_next FROM e, vouch_data.waiting_for(e.bucket, e.execution_id) w
		LEFT JOIN LATERAL vouch_data.ahead(e.workflow, e.revision, w.machine_no, w.state) a ON true)
	SELECT NULL::int, NULL, 'nothing: it is ' || e.status, e.closed_at, NULL::timestamptz, NULL, NULL::boolean,
		(SELECT r.error || coalesce(': ' || r.cause, '') FROM vouch_data.execution_result r
		 WHERE r.bucket = e.bucket AND r.execution_id = e.execution_id), NULL
	FROM e WHERE e.status <> 'running'
	UNION ALL
	SELECT NULL, NULL, CASE WHEN NOT e.paused THEN 'being paused, before its next step'
			WHEN NOT e.hold THEN 'being resumed, by whoever has it next' ELSE 'somebody to resume it: it is paused' END,
		NULL, NULL, p.who, has_function_privilege(session_user, 'vouch.resume_workflow(text)', 'EXECUTE') AND p.who IS NOT NULL,
		CASE WHEN p.who IS NOT NULL THEN format('SELECT vouch.resume_workflow(%L)', e.workflow_id) END, NULL
	FROM e, LATERAL (SELECT CASE WHEN coalesce(e.hold, e.paused) THEN 'vouch_admin' END) AS p(who)
	WHERE e.status = 'running' AND (e.paused OR e.hold)
	UNION ALL
	SELECT w.branch, w.state,
		CASE w.kind
			WHEN 'worker' THEN CASE WHEN w.runs THEN 'the end of what a worker is doing' ELSE 'a worker' END
			WHEN 'timer' THEN 'its time'
			WHEN 'retry' THEN 'its next attempt'
			WHEN 'signal' THEN 'signal ' || w.name
			WHEN 'child' THEN 'child ' || w.child
			WHEN 'activity' THEN 'an outside worker of queue ' || w.name
			WHEN 'until' THEN w.name || ' to hold'
			ELSE w.kind END || CASE WHEN w.paused AND w.kind IN ('worker', 'activity') THEN ', once it is resumed' ELSE '' END,
		w.since, w.deadline,
		CASE w.kind WHEN 'worker' THEN w.run_as WHEN 'signal' THEN 'vouch_user' WHEN 'activity' THEN 'vouch_user' END,
		CASE w.kind
			WHEN 'worker' THEN NOT w.paused AND NOT w.runs AND w.run_as = session_user
				AND has_function_privilege(session_user, 'vouch.advance(int)', 'EXECUTE')
			WHEN 'signal' THEN has_function_privilege(session_user, 'vouch.signal_workflow(text, text, jsonb, text)', 'EXECUTE')
			WHEN 'activity' THEN NOT w.paused
				AND has_function_privilege(session_user, 'vouch.poll_activity(text, text, interval, int, interval)', 'EXECUTE') END,
		CASE w.kind
			WHEN 'worker' THEN CASE WHEN NOT w.paused AND NOT w.runs THEN 'a background worker, or SELECT vouch.advance() as that role' END
			WHEN 'signal' THEN format('SELECT vouch.signal_workflow(%L, %L, ...)', w.id, w.name)
			WHEN 'activity' THEN CASE WHEN NOT w.paused THEN format('SELECT * FROM vouch.poll_activity(%L, ...)', w.name) END
			WHEN 'child' THEN format('SELECT * FROM vouch.explain_workflow(%L)', w.child) END,
		w.comes_next
	FROM w WHERE w.kind <> 'review'
	UNION ALL
	SELECT w.branch, w.state, 'review of version ' || w.version_id || coalesce(', or signal ' || w.name, ''),
		w.since, w.deadline, a.actor, a.can_sign,
		CASE WHEN a.can_sign THEN format('SELECT vouch.sign_off(%L, %L, ...)', w.version_id, a.role)
			ELSE a.role || ': ' || a.why END,
		w.comes_next
	FROM w LEFT JOIN LATERAL vouch.explain_approval(w.version_id) a ON true
	WHERE w.kind = 'review'
$$;
COMMENT ON FUNCTION vouch.explain_workflow(text) IS
'What the newest execution of a workflow_id waits for, since and until when, who can act, and how: a row a wait, for a review a row a person as in vouch.explain_approval(); before them one when it is paused, or about to be. state and since are those of the last commit: an executor may be further. who: a person or role. can_act: whether the session''s login role may make the call that how shows; for a review, whether that person can sign. deadline: as its TimeoutSeconds say (NULL: none, or for a vouch:until one that a path gives). comes_next: the states that can follow, "the end", and where a Catch leads. VO403 when there is no such workflow_id';
GRANT EXECUTE ON FUNCTION vouch.explain_workflow(text) TO vouch_reader;

GRANT EXECUTE ON FUNCTION vouch.workflow_history(text), vouch_data.visited(text), vouch_data.ahead(text, int, int, text), vouch_data.is_run(uuid), vouch_data.waiting_for(int, uuid), vouch_data.newest_execution(text),
	vouch_data.who_may_act(text, uuid, text), vouch.describe_workflow(text) TO vouch_reader;
