-- What must not go wrong with others, and with the session, when one workflow
-- or one activity is in trouble.
CREATE ROLE regress_vouch_tro_app LOGIN;
CREATE ROLE regress_vouch_tro_gone LOGIN;
CREATE ROLE regress_vouch_tro_ann LOGIN;
GRANT vouch_admin TO regress_vouch_tro_app;
GRANT vouch_user TO regress_vouch_tro_ann;
CREATE SCHEMA tro49;
GRANT USAGE, CREATE ON SCHEMA tro49 TO regress_vouch_tro_app;

-- An activity that changes types and functions, and then looks at definitions:
-- the functions that are being called are found again, under its feet.  What is
-- known of it must stay until it returns: were it thrown away, what is then known
-- of the other one, that it returns nothing, would take its place in memory, after
-- every second round.
SET SESSION AUTHORIZATION regress_vouch_tro_app;
CREATE FUNCTION tro49.other(a int) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION tro49.meddle(a int) RETURNS jsonb LANGUAGE plpgsql AS
$$DECLARE
	problems bigint;
BEGIN
	FOR i IN 1 .. a LOOP
		CREATE TYPE tro49.passing AS (a int);
		DROP TYPE tro49.passing;
		SELECT count(*) INTO problems FROM vouch.validate_definition('{"StartAt": "A", "States": {
			"A": {"Type": "Task", "Resource": "sql:tro49.other", "Parameters": {"a": 1}, "Next": "B"},
			"B": {"Type": "Task", "Resource": "sql:tro49.meddle", "Parameters": {"a": 1}, "End": true}}}');
	END LOOP;
	-- so that the next call begins by finding this one, first of all
	CREATE TYPE tro49.passing AS (a int);
	DROP TYPE tro49.passing;
	RETURN jsonb_build_object('problems', problems, 'a', a);
END$$;
SELECT vouch.define_workflow('tro49_meddle', '{"StartAt": "M", "States": {
	"M": {"Type": "Map", "ItemsPath": "$.items", "End": true, "ItemProcessor": {"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:tro49.meddle", "Parameters": {"a.$": "$"}, "End": true}}}}}}');
SELECT vouch.start_workflow('tro49_meddle', '{"items": [1, 2, 3, 4]}', 'tro49-meddle');
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d -> 'output' AS output FROM vouch.describe_workflow('tro49-meddle') d;

-- A child whose run_as role was dropped: the state's failure, for its Catch, and
-- nobody else's.
RESET SESSION AUTHORIZATION;
SELECT vouch.define_workflow('tro49_orphan', '{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}', 'regress_vouch_tro_gone');
DROP ROLE regress_vouch_tro_gone;
SET SESSION AUTHORIZATION regress_vouch_tro_app;
SELECT vouch.define_workflow('tro49', '{"StartAt": "Ask", "States": {
	"Ask": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "Next": "Child"},
	"Child": {"Type": "Task", "Resource": "vouch:execution.sync", "Parameters": {"Workflow": "tro49_orphan"}, "End": true,
		"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]},
	"Caught": {"Type": "Pass", "End": true}}}');
SELECT vouch.define_workflow('tro49_start', '{"StartAt": "Child", "States": {
	"Child": {"Type": "Task", "Resource": "vouch:execution", "Parameters": {"Workflow": "tro49_orphan"}, "End": true}}}');
SELECT vouch.define_workflow('tro49_good', '{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}');
SELECT vouch.start_workflow('tro49', '{}', 'tro49-a');
SELECT vouch.start_workflow('tro49_start', '{}', 'tro49-b');
SELECT vouch.start_workflow('tro49_good', '{}', 'tro49-c');
SELECT vouch.advance();
SET SESSION AUTHORIZATION regress_vouch_tro_ann;
SELECT vouch.signal_workflow('tro49-a', 'go');
SELECT workflow_id, d ->> 'status' AS status, d ->> 'error' AS error, coalesce(d ->> 'cause', d #>> '{output,Cause}') AS cause
FROM vouch.executions, vouch.describe_workflow(workflow_id) d WHERE workflow_id IN ('tro49-a', 'tro49-b', 'tro49-c') ORDER BY 1;

-- An execution whose rows our own code cannot read: who signals it has signaled
-- it, and the others go on.
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_vouch_tro_app;
SELECT vouch.start_workflow('tro49', '{}', 'tro49-d');
SELECT vouch.advance();
RESET SESSION AUTHORIZATION;
SET session_replication_role = replica;
UPDATE vouch_data.branch b SET state = 'Nowhere' FROM vouch_data.execution e
WHERE e.workflow_id = 'tro49-d' AND b.bucket = e.bucket AND b.execution_id = e.execution_id;
RESET session_replication_role;
\set VERBOSITY terse
SET SESSION AUTHORIZATION regress_vouch_tro_ann;
SELECT vouch.signal_workflow('tro49-d', 'go');
SET SESSION AUTHORIZATION regress_vouch_tro_app;
SELECT vouch.start_workflow('tro49_good', '{}', 'tro49-e');
SELECT vouch.advance();
\set VERBOSITY default
SELECT workflow_id, status FROM vouch.executions WHERE workflow_id IN ('tro49-d', 'tro49-e') ORDER BY 1;
SELECT name, consumed FROM vouch_data.signal s JOIN vouch_data.execution e USING (bucket, execution_id) WHERE workflow_id = 'tro49-d';
RESET SESSION AUTHORIZATION;
SET session_replication_role = replica;
UPDATE vouch_data.branch b SET state = 'Ask' FROM vouch_data.execution e
WHERE e.workflow_id = 'tro49-d' AND b.bucket = e.bucket AND b.execution_id = e.execution_id;
RESET session_replication_role;
SET SESSION AUTHORIZATION regress_vouch_tro_app;
SELECT vouch.advance();
SELECT status FROM vouch.executions WHERE workflow_id = 'tro49-d';

-- Compiled workflows do not pile up in a session: neither when schemas come and go ...
RESET SESSION AUTHORIZATION;
GRANT CREATE ON DATABASE :DBNAME TO regress_vouch_tro_app;
GRANT pg_read_all_stats TO regress_vouch_tro_app;
SET SESSION AUTHORIZATION regress_vouch_tro_app;
DO $$
BEGIN
	FOR i IN 1 .. 30 LOOP
		CREATE SCHEMA tro49_passing;
		DROP SCHEMA tro49_passing;
		COMMIT;
		PERFORM vouch.start_workflow('tro49_good', '{}', 'tro49-many-' || i);
		COMMIT;
	END LOOP;
END$$;
SELECT count(*) < 20 AS few FROM pg_backend_memory_contexts WHERE name = 'vouch program';
-- ... nor when they are defined and started in one transaction.
DO $$
BEGIN
	FOR i IN 1 .. 30 LOOP
		PERFORM vouch.define_workflow('tro49_new', format('{"StartAt": "S%s", "States": {"S%s": {"Type": "Succeed"}}}', i, i)::jsonb);
		PERFORM vouch.start_workflow('tro49_new', '{}', 'tro49-new-' || i);
		COMMIT;
	END LOOP;
END$$;
SELECT count(*) < 20 AS few FROM pg_backend_memory_contexts WHERE name = 'vouch program';
SELECT vouch.advance() > 0 AS advanced;

RESET SESSION AUTHORIZATION;
REVOKE CREATE ON DATABASE :DBNAME FROM regress_vouch_tro_app;
SET client_min_messages TO warning;
DROP SCHEMA tro49 CASCADE;
DROP OWNED BY regress_vouch_tro_app;
DROP ROLE regress_vouch_tro_app, regress_vouch_tro_ann;
