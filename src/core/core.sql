-- core.sql: schemas, roles, types, ids and who acts.
\echo Use "CREATE EXTENSION vouch" to load this file. \quit

-- Before anything else: buckets and digests are of bytes in UTF-8.
DO $$
BEGIN
	IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
		RAISE EXCEPTION 'Vouch needs a database in UTF8'
			USING ERRCODE = 'VO503',
				DETAIL = pg_catalog.format('Database "%s" is in %s; buckets and digests are computed from bytes, and are to be the same everywhere.',
					pg_catalog.current_database(), pg_catalog.getdatabaseencoding()),
				HINT = 'Make one with CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0, and create the extension there.';
	END IF;
END
$$;

SET LOCAL search_path TO pg_catalog, pg_temp;
SET LOCAL client_min_messages TO warning;

CREATE SCHEMA vouch;
COMMENT ON SCHEMA vouch IS 'Vouch: the functions and views that people, applications and workflows use';
CREATE SCHEMA vouch_data;
COMMENT ON SCHEMA vouch_data IS 'Vouch: tables and helpers; readable, never written to directly';

CREATE FUNCTION vouch_data.check_given(what text, given boolean) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_check_given';
COMMENT ON FUNCTION vouch_data.check_given(text, boolean) IS 'Raises VO502, which says that an argument is missing, unless it is given; else true';

CREATE FUNCTION vouch_data.check_text(text text, what text) RETURNS void
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'vouch_sql_check_text';
COMMENT ON FUNCTION vouch_data.check_text(text, text) IS
'Raises VO502 when a reason, note or comment is longer than 10,000 characters; what names the parameter';

CREATE FUNCTION vouch_data.check_name(name text, what text) RETURNS void
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'vouch_sql_check_name';
COMMENT ON FUNCTION vouch_data.check_name(text, text) IS
'Raises VO502 when a name is longer than 1,000 bytes; what names the parameter';

-- Roles are cluster-wide, so another database may have made them already.
DO $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT * FROM (VALUES
		('vouch_reader', 'Vouch: reads versions, decisions, workflows and reports'),
		('vouch_user', 'Vouch: makes versions, decides, signs, starts and signals workflows; the rights to decide and sign are granted with vouch.grant_role()'),
		('vouch_admin', 'Vouch: defines workflows and policies, grants roles, registers applications')) AS v(name, about)
	LOOP
		IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = r.name) THEN
			EXECUTE format('CREATE ROLE %I NOLOGIN', r.name);
			EXECUTE format('COMMENT ON ROLE %I IS %L', r.name, r.about);
		END IF;
	END LOOP;
	GRANT vouch_reader TO vouch_user;
	GRANT vouch_user TO vouch_admin;
END
$$;
GRANT USAGE ON SCHEMA vouch, vouch_data TO vouch_reader;

-- Types -------------------------------------------------------------------

CREATE TYPE vouch.version_state AS ENUM
	('draft', 'pending_approval', 'approved', 'rejected', 'superseded', 'withdrawn');
COMMENT ON TYPE vouch.version_state IS 'State of a version; changed only along vouch.state_machine()';
CREATE TYPE vouch.verdict AS ENUM ('pending', 'approved', 'rejected', 'needs_changes');
COMMENT ON TYPE vouch.verdict IS 'What a reviewing stage says of an item';
CREATE TYPE vouch.execution_status AS ENUM
	('running', 'succeeded', 'failed', 'canceled', 'terminated', 'timed_out');
COMMENT ON TYPE vouch.execution_status IS 'State of an execution; paused is a flag beside it';

-- Ids ---------------------------------------------------------------------

CREATE FUNCTION vouch.bucket(subject text) RETURNS int
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_bucket';
COMMENT ON FUNCTION vouch.bucket(text) IS
'Bucket (0 to 1023) of a subject such as cycle-7-report-3: all rows of one subject share it';

CREATE FUNCTION vouch.bucket_of(id uuid) RETURNS int
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_bucket_of';
COMMENT ON FUNCTION vouch.bucket_of(uuid) IS
'Bucket that an id of a version, decision or execution carries; VO502 when the id is not one of Vouch''s';

CREATE FUNCTION vouch_data.version_id(bucket int, artifact_no int, version_no int) RETURNS uuid
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_version_id';
COMMENT ON FUNCTION vouch_data.version_id(int, int, int) IS 'Packs the id of a version';

CREATE FUNCTION vouch_data.version_number(version_id uuid) RETURNS int
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_version_number';
COMMENT ON FUNCTION vouch_data.version_number(uuid) IS 'Version number that a version''s id carries, NULL for other ids';

CREATE FUNCTION vouch_data.artifact_number(version_id uuid) RETURNS int
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_artifact_number';
COMMENT ON FUNCTION vouch_data.artifact_number(uuid) IS 'Artifact number that a version''s id carries, NULL for other ids';

CREATE FUNCTION vouch_data.decision_id(bucket int, artifact_no int, item_no int, stage int, from_no int) RETURNS uuid
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_decision_id';
COMMENT ON FUNCTION vouch_data.decision_id(int, int, int, int, int) IS 'Packs the id of a decision';

CREATE FUNCTION vouch_data.event_id(bucket int) RETURNS uuid
LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_event_id';
COMMENT ON FUNCTION vouch_data.event_id(int) IS 'A new time-ordered id in a bucket';

-- Who acts ----------------------------------------------------------------

CREATE TABLE vouch_data.trusted_application (
	role_name text PRIMARY KEY,
	registered_by text NOT NULL,
	registered_at timestamptz NOT NULL
);
COMMENT ON TABLE vouch_data.trusted_application IS
'Login roles of applications that may say, in vouch.actor, which person they act for';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.trusted_application', '');

CREATE FUNCTION vouch.actor() RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vouch_sql_actor';
COMMENT ON FUNCTION vouch.actor() IS
'Name of who acts now: the session''s login role; in a trusted application vouch.actor; in a workflow the person whose signal or decision it follows. VO004 when vouch.actor is set by a role that is not a trusted application';

CREATE FUNCTION vouch_data.check_actor(claimed text, parameter text) RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vouch_sql_check_actor';
COMMENT ON FUNCTION vouch_data.check_actor(text, text) IS
'The acting name when claimed is NULL or that name, else VO001; parameter is named in the error';

CREATE FUNCTION vouch_data.acting_workflow() RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vouch_sql_acting_workflow';
COMMENT ON FUNCTION vouch_data.acting_workflow() IS
'workflow_id of the execution whose activity runs now; NULL outside of workflows';

CREATE FUNCTION vouch_data.acting_starter() RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vouch_sql_acting_starter';
COMMENT ON FUNCTION vouch_data.acting_starter() IS
'Who started the execution whose activity runs now, or the family that it belongs to; NULL outside of workflows';

CREATE FUNCTION vouch_data.nobody_acts() RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vouch_sql_nobody_acts';
COMMENT ON FUNCTION vouch_data.nobody_acts() IS
'From now on nobody acts (VO001), until vouch_data.somebody_acts() is given the key that this returns, or the (sub)transaction aborts: for reading what belongs to users, while the transaction is read-only, so that code of theirs can leave nothing behind that acts later';

CREATE FUNCTION vouch_data.somebody_acts(key bigint) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vouch_sql_somebody_acts';
COMMENT ON FUNCTION vouch_data.somebody_acts(bigint) IS
'Undoes vouch_data.nobody_acts(), whose key it takes; VO001 for a wrong key';

CREATE FUNCTION vouch_data.lock_relation(relation regclass) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vouch_sql_lock_relation';
COMMENT ON FUNCTION vouch_data.lock_relation(regclass) IS
'Locks a relation that the caller may read in ACCESS SHARE mode; also materialized views and foreign tables, which LOCK TABLE refuses';

CREATE FUNCTION vouch.register_application(role_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF role_name IS NULL THEN
		RAISE EXCEPTION 'role_name is missing'
			USING ERRCODE = 'VO502', HINT = 'Name the login role of the application.';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
		RAISE EXCEPTION 'role "%" does not exist', role_name
			USING ERRCODE = 'undefined_object', HINT = 'Create the login role of the application first.';
	END IF;
	INSERT INTO vouch_data.trusted_application
	VALUES (role_name, vouch.actor(), clock_timestamp())
	ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION vouch.register_application(text) IS
'Lets a login role name, in vouch.actor, the person that it acts for. For application servers that authenticate people themselves; undone by vouch.unregister_application(). 42704 when there is no such role';

CREATE FUNCTION vouch.unregister_application(role_name text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM vouch_data.trusted_application a
	WHERE a.role_name = unregister_application.role_name;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION vouch.unregister_application(text) IS
'Takes back vouch.register_application(); true when the role was registered';

-- State machines and digests ------------------------------------------------

CREATE FUNCTION vouch.state_machine(
	OUT machine text, OUT rule text, OUT state text, OUT event text, OUT next_state text, OUT meaning text)
RETURNS SETOF record
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_state_machine';
COMMENT ON FUNCTION vouch.state_machine() IS
'Every state machine as rows: in a state, an event leads to the next state by a rule whose id the log keeps. state is NULL where the thing does not exist yet';

CREATE FUNCTION vouch.digest(payload jsonb) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_jsonb_digest';
COMMENT ON FUNCTION vouch.digest(jsonb) IS 'SHA-256 of a payload in the form that the log and the content digests use';

GRANT EXECUTE ON FUNCTION vouch_data.check_given(text, boolean), vouch.bucket(text), vouch.bucket_of(uuid),
	vouch_data.version_id(int, int, int), vouch_data.version_number(uuid), vouch_data.artifact_number(uuid),
	vouch_data.decision_id(int, int, int, int, int), vouch.actor(), vouch.state_machine(), vouch.digest(jsonb)
	TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch_data.acting_workflow(), vouch_data.acting_starter(), vouch_data.nobody_acts(), vouch_data.somebody_acts(bigint),
	vouch_data.lock_relation(regclass) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch_data.check_actor(text, text), vouch_data.acting_workflow(), vouch_data.event_id(int) TO vouch_user;
GRANT EXECUTE ON FUNCTION vouch.register_application(text), vouch.unregister_application(text) TO vouch_admin;
