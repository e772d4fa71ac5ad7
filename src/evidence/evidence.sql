-- evidence.sql: what is about the tables of all folders: their guards, their
-- records in the log, and vouch.verify().

-- The tables that the log tells of row by row.  Where: $1 bucket, $2 subject, $3 scope.
CREATE FUNCTION vouch_data.recorded_tables(
	OUT table_name text, OUT keys text[], OUT guard text, OUT phase text, OUT belongs text, OUT operations text[])
RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	VALUES
	('role', '{role}'::text[], 'recorded', '@configuration', 'true', '{define_role,define_role,define_role}'::text[]),
	('role_grant', '{actor,role,scope,granted_at}', 'recorded', '@configuration', 'true', '{grant_role,revoke_role,revoke_role}'),
	('delegation', '{delegation_id}', 'recorded', '@configuration', 'true', '{delegate,revoke_delegation,revoke_delegation}'),
	('policy', '{policy,revision}', 'append-only', '@configuration', 'true', '{define_policy,define_policy,define_policy}'),
	('policy_stage', '{policy,revision,stage_no}', 'append-only', '@configuration', 'true', '{define_policy,define_policy,define_policy}'),
	('policy_rule', '{policy,revision,stage_no,rule_no}', 'append-only', '@configuration', 'true', '{define_policy,define_policy,define_policy}'),
	('phase_policy', '{phase,scope,set_no}', 'added', '@configuration', 'true', '{set_policy,set_policy,set_policy}'),
	('trusted_application', '{role_name}', 'configured', '@configuration', 'true',
		'{register_application,register_application,unregister_application}'),
	('data_owner_assignment', '{assignment_id}', 'recorded', 'data_owner_id', 't.subject = $2 AND t.lob_id = $3', NULL),
	('data_owner_change', '{change_id}', 'added', 'data_owner_id',
		'EXISTS (SELECT FROM vouch_data.data_owner_assignment p WHERE p.bucket = $1 AND p.assignment_id = t.assignment_id AND p.subject = $2 AND p.lob_id = $3)', NULL),
	('document_submission', '{submission_id}', 'recorded', 'request_info', 't.subject = $2 AND t.lob_id = $3', NULL),
	('document_revision', '{revision_id}', 'added', 'request_info',
		'EXISTS (SELECT FROM vouch_data.document_submission p WHERE p.bucket = $1 AND p.submission_id = t.submission_id AND p.subject = $2 AND p.lob_id = $3)', NULL),
	('test_action', '{audit_id}', 'recorded', 'test_execution', 't.subject = $2 AND t.lob_id = $3', NULL),
	('lob_clearance', '{clearance_id}', 'added', 'observation_management', 't.subject = $2 AND t.lob_id = $3', NULL)
$$;
COMMENT ON FUNCTION vouch_data.recorded_tables() IS
'Tables whose rows the log tells of: their key, the kind of their guard, the phase whose operations tell, and, for those that a trigger logs, the operations of an insert, an update and a delete. belongs: which rows are of bucket $1, subject $2 and scope $3';

-- A row as it is compared: without nulls, so that a column that is added later changes nothing.
-- The settings are those that a value's text depends on.  When and by whom the extension was installed is
-- not told: what it brings is not dumped, and a copy has been installed at another time.
CREATE FUNCTION vouch_data.record_of(row_of_table anyelement) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET intervalstyle = 'iso_8601' SET bytea_output = 'hex' SET extra_float_digits = 1 AS $$
DECLARE
	r jsonb;
BEGIN
	r := to_jsonb(row_of_table);
	RETURN (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(r) AS e WHERE e.value <> 'null'
		AND NOT (coalesce(r ->> 'shipped', '') = 'true' AND e.key IN ('created_by', 'created_at', 'set_by', 'set_at')));
END
$$;
COMMENT ON FUNCTION vouch_data.record_of(anyelement) IS 'A row of a table as an object without nulls, the same whatever the session has set';

CREATE FUNCTION vouch_data.record_digest(row_of_table anyelement) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT encode(vouch.digest(vouch_data.record_of(row_of_table)), 'hex')
$$;
COMMENT ON FUNCTION vouch_data.record_digest(anyelement) IS 'SHA-256 of vouch_data.record_of(), in hexadecimal';

CREATE FUNCTION vouch_data.recorded(table_name text, id uuid, row_of_table anyelement) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_build_object(table_name || ' ' || id, vouch_data.record_digest(row_of_table))
$$;
COMMENT ON FUNCTION vouch_data.recorded(text, uuid, anyelement) IS
'What an operation has in its detail''s rows of a row that it wrote: {"<table> <id>": digest}';

CREATE FUNCTION vouch_data.record_query(table_name text, keys text[], source text, condition text DEFAULT 'true') RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('SELECT concat_ws('' '', %L, (SELECT string_agg(x.r ->> k, '' '' ORDER BY n) FROM unnest(%L::text[]) WITH ORDINALITY AS u(k, n))) AS key, x.r AS record
		FROM (SELECT vouch_data.record_of(t) AS r FROM %s AS t WHERE %s) AS x', table_name, keys, source, condition)
$$;
COMMENT ON FUNCTION vouch_data.record_query(text, text[], text, text) IS
'Query of the rows of a table, or of a transition table: the key by which the log names them, and vouch_data.record_of()';

CREATE FUNCTION vouch_data.records(table_name text, keys text[], condition text DEFAULT 'true',
	bucket int DEFAULT NULL, subject text DEFAULT NULL, scope text DEFAULT NULL,
	OUT key text, OUT record jsonb)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE vouch_data.record_query(table_name, keys, format('vouch_data.%I', table_name), condition) USING bucket, subject, scope;
END
$$;
COMMENT ON FUNCTION vouch_data.records(text, text[], text, int, text, text) IS 'The rows of vouch_data.record_query()';

CREATE FUNCTION vouch_data.in_restore() RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_in_restore';
COMMENT ON FUNCTION vouch_data.in_restore() IS 'True while a dump brings rows, or the extension itself';

-- Roles, delegations and policies belong to no subject: their operations are those of one artifact of its own.
CREATE FUNCTION vouch_data.record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	b int := vouch.bucket('@configuration');
	n int;
	t record;
	written jsonb;
BEGIN
	SELECT * INTO t FROM vouch_data.recorded_tables() r WHERE r.table_name = TG_TABLE_NAME;
	EXECUTE format('SELECT jsonb_object_agg(r.key, CASE WHEN %L <> ''DELETE'' THEN r.record END) FROM (%s) AS r', TG_OP,
		vouch_data.record_query(t.table_name, t.keys, 'changed')) INTO written;
	IF written IS NULL THEN
		RETURN NULL;
	END IF;
	n := vouch_data.ensure_artifact('@configuration', '@configuration', '', NULL, NULL);
	PERFORM FROM vouch_data.artifact a WHERE a.bucket = b AND a.artifact_no = n FOR NO KEY UPDATE;
	IF NOT EXISTS (SELECT FROM vouch_data.operation o WHERE o.bucket = b AND o.artifact_no = n) THEN
		-- what the extension brought, and what there is already
		PERFORM vouch_data.log_operation(b, n, 'install', jsonb_build_object('rows',
			(SELECT jsonb_object_agg(x.key, x.record) FROM vouch_data.recorded_tables() r, vouch_data.records(r.table_name, r.keys) x
				WHERE r.phase = '@configuration')), 0);
	END IF;
	PERFORM vouch_data.log_operation(b, n, t.operations[CASE TG_OP WHEN 'INSERT' THEN 1 WHEN 'UPDATE' THEN 2 ELSE 3 END],
		jsonb_build_object('rows', written), (SELECT count(*) FROM jsonb_object_keys(written)));
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION vouch_data.record_change() IS
'Statement trigger of tables that configure: appends what was changed, with the whole rows, to the log of the subject @configuration';

-- Whether a dump is restored shows in the settings of the session, which a function that pins its own does not see.
DO $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT * FROM vouch_data.recorded_tables() LOOP
		IF NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = ('vouch_data.' || t.table_name)::regclass AND g.tgname = 'guard') THEN
			EXECUTE format('CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vouch_data.%I
				FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.guard(%L)', t.table_name, t.guard);
			EXECUTE format('ALTER TABLE vouch_data.%I ENABLE ALWAYS TRIGGER guard', t.table_name);
		END IF;
		IF t.operations IS NOT NULL THEN
			EXECUTE format('CREATE TRIGGER record_insert AFTER INSERT ON vouch_data.%I REFERENCING NEW TABLE AS changed
				FOR EACH STATEMENT WHEN (NOT vouch_data.in_restore()) EXECUTE FUNCTION vouch_data.record_change()', t.table_name);
			EXECUTE format('CREATE TRIGGER record_update AFTER UPDATE ON vouch_data.%I REFERENCING NEW TABLE AS changed
				FOR EACH STATEMENT WHEN (NOT vouch_data.in_restore()) EXECUTE FUNCTION vouch_data.record_change()', t.table_name);
			EXECUTE format('CREATE TRIGGER record_delete AFTER DELETE ON vouch_data.%I REFERENCING OLD TABLE AS changed
				FOR EACH STATEMENT WHEN (NOT vouch_data.in_restore()) EXECUTE FUNCTION vouch_data.record_change()', t.table_name);
			EXECUTE format('ALTER TABLE vouch_data.%I ENABLE ALWAYS TRIGGER record_insert, ENABLE ALWAYS TRIGGER record_update, ENABLE ALWAYS TRIGGER record_delete', t.table_name);
		END IF;
	END LOOP;
END
$$;

-- In place of a foreign key of artifacts, which would know no @configuration.
CREATE FUNCTION vouch_data.keep_phase() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF EXISTS (SELECT FROM vouch_data.artifact a WHERE a.phase = OLD.phase) AND (TG_OP = 'DELETE' OR NEW.phase <> OLD.phase) THEN
		RAISE EXCEPTION 'phase "%" is in use', OLD.phase
			USING ERRCODE = 'foreign_key_violation', HINT = 'A phase stays as long as there are records of it.';
	END IF;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION vouch_data.keep_phase() IS 'Trigger: a phase of which there are records keeps its key';
CREATE TRIGGER keep_phase BEFORE UPDATE OF phase OR DELETE ON vouch_data.phase
	FOR EACH ROW EXECUTE FUNCTION vouch_data.keep_phase();

-- The guards of the guards -------------------------------------------------------

CREATE FUNCTION vouch_data.guard_ddl() RETURNS event_trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'vouch_sql_guard_ddl';
COMMENT ON FUNCTION vouch_data.guard_ddl() IS
'Event trigger: refuses (VO301) to drop, disable, rename, move or replace tables, triggers, rules, columns, views, types, functions and schemas of Vouch''s, to put triggers, rules, policies, partitions or heirs on its tables, and to put these below another, whoever tries, but not extension scripts or with vouch.restoring; and warns before DROP EXTENSION vouch of what goes with it';
CREATE EVENT TRIGGER vouch_guard ON ddl_command_start
	WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'CREATE TABLE', 'CREATE FOREIGN TABLE', 'CREATE SCHEMA', 'ALTER SCHEMA',
		'ALTER TRIGGER', 'DROP TRIGGER', 'CREATE TRIGGER', 'CREATE RULE', 'ALTER RULE', 'DROP RULE', 'CREATE POLICY',
		'CREATE INDEX', 'ALTER INDEX', 'CREATE VIEW', 'ALTER VIEW', 'ALTER SEQUENCE', 'ALTER MATERIALIZED VIEW', 'ALTER TYPE', 'ALTER DOMAIN',
		'CREATE FUNCTION', 'CREATE PROCEDURE', 'ALTER FUNCTION', 'ALTER PROCEDURE', 'ALTER ROUTINE', 'ALTER AGGREGATE', 'ALTER EXTENSION', 'DROP EXTENSION')
	EXECUTE FUNCTION vouch_data.guard_ddl();
ALTER EVENT TRIGGER vouch_guard ENABLE ALWAYS;

-- Checking -----------------------------------------------------------------------

CREATE FUNCTION vouch_data.check_guards() RETURNS SETOF vouch.verification
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	expected int;
	bad record;
BEGIN
	WITH wanted AS (
		SELECT t.name AS table_name, 'guard' AS trigger_name, 'guard' AS function_name, 62 AS type, true AS always
		FROM (SELECT r.table_name FROM vouch_data.recorded_tables() r
			UNION SELECT unnest('{operation,block,artifact,version,item_body,item,decision,version_ended,version_stat,version_contributor,approval_request,signature,reminder,tracked_table,population}'::text[])) AS t(name)
		UNION ALL
		SELECT r.table_name, 'record_' || v.verb, 'record_change', v.type, true
		FROM vouch_data.recorded_tables() r, (VALUES ('insert', 4), ('update', 16), ('delete', 8)) AS v(verb, type) WHERE r.operations IS NOT NULL
		UNION ALL
		VALUES ('operation', 'guard_row', 'guard', 27, true), ('block', 'guard_row', 'guard', 27, true), ('signature', 'guard_row', 'guard', 27, true),
			('version', 'withdraw_request', 'withdraw_request', 17, true), ('version', 'check_order', 'check_order', 17, false), ('nudge', 'signal_arrives', 'signal_arrives', 5, false),
			('phase', 'changed', 'phase_changed', 60, true), ('phase', 'keep_phase', 'keep_phase', 27, false)),
	found AS (
		SELECT w.table_name, w.trigger_name, w.always, g.tgenabled, coalesce(g.tgfoid = format('vouch_data.%I()', w.function_name)::regprocedure
			AND g.tgtype = w.type, false) AS same
		FROM wanted w LEFT JOIN pg_trigger g ON g.tgrelid = to_regclass('vouch_data.' || w.table_name) AND g.tgname = w.trigger_name),
	ours AS (
		SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'vouch'
		WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'),
	relations AS (
		SELECT c.oid, c.relname, c.relkind, c.relrowsecurity FROM ours o JOIN pg_class c ON o.classid = 'pg_class'::regclass AND c.oid = o.objid)
	SELECT count(*) OVER () AS n, x.* INTO bad FROM (
		SELECT format('table %s', f.table_name) AS what, CASE WHEN f.tgenabled IS NULL THEN format('Its trigger %s is not there.', f.trigger_name)
			WHEN NOT f.same THEN format('Its trigger %s is not the one that the extension made.', f.trigger_name)
			WHEN f.tgenabled <> 'A' AND f.always THEN format('Its trigger %s is not enabled always.', f.trigger_name)
			WHEN f.tgenabled NOT IN ('A', 'O') THEN format('Its trigger %s is not enabled.', f.trigger_name) END AS why
		FROM found f
		UNION ALL
		SELECT format('event trigger %s', w.name), CASE WHEN e.evtname IS NULL THEN 'It is not there.'
			WHEN e.evtenabled <> 'A' OR e.evtfoid <> w.function OR e.evtevent <> w.event THEN 'It is not enabled always, or not the one that the extension made.' END
		FROM (VALUES ('vouch_guard', 'vouch_data.guard_ddl()'::regprocedure, 'ddl_command_start'),
			('vouch_track_ddl', 'vouch_data.track_ddl()', 'ddl_command_end'), ('vouch_track_drop', 'vouch_data.track_drop()', 'sql_drop')) AS w(name, function, event)
		LEFT JOIN pg_event_trigger e ON e.evtname = w.name
		UNION ALL
		-- what writes a table without its guard, or runs where only Vouch's own statements should
		SELECT format('table %s', r.relname), CASE WHEN h.inhrelid = r.oid THEN format('It is below %s, and writes to that do not fire its triggers.', h.inhparent::regclass)
			ELSE format('It shows the rows of %s, which is below it.', h.inhrelid::regclass) END
		FROM relations r JOIN pg_inherits h ON r.oid IN (h.inhrelid, h.inhparent)
		UNION ALL
		SELECT format('table %s', r.relname), format('Its trigger %s is not Vouch''s.', g.tgname)
		FROM relations r JOIN pg_trigger g ON g.tgrelid = r.oid AND NOT g.tgisinternal
		WHERE NOT EXISTS (SELECT FROM ours o WHERE o.classid = 'pg_proc'::regclass AND o.objid = g.tgfoid)
		UNION ALL
		SELECT format('table %s', r.relname), 'It has rules.'
		FROM relations r WHERE r.relkind <> 'v' AND EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = r.oid)
		UNION ALL
		SELECT format('table %s', r.relname), 'It has policies, which hide rows from those who read.'
		FROM relations r WHERE r.relrowsecurity OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = r.oid)
		UNION ALL
		SELECT format('table %s', r.relname), format('Its index %s runs functions that are neither PostgreSQL''s nor an extension''s.', i.indexrelid::regclass)
		FROM relations r JOIN pg_index i ON i.indrelid = r.oid
		WHERE EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
			AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass)
			AND NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = d.refclassid AND m.objid = d.refobjid AND m.deptype = 'e'))
		UNION ALL
		SELECT format('table %s', k.part), CASE WHEN g.tgenabled IS NULL THEN format('It is tracked, and its trigger %s is not there.', k.name)
			WHEN g.tgfoid <> 'vouch_data.track_change()'::regprocedure THEN format('It is tracked, and its trigger %s is not the one that the extension made.', k.name)
			WHEN g.tgenabled <> 'A' THEN format('It is tracked, and its trigger %s is not enabled always.', k.name) END
		FROM (SELECT p.part, v.name FROM (SELECT t.relation AS part FROM vouch_data.tracked_table t
					UNION SELECT p.relid FROM vouch_data.tracked_table t, pg_partition_tree(t.relation) p) AS p
				JOIN pg_class c ON c.oid = p.part AND c.relkind IN ('r', 'p'),
				unnest('{vouch_track_before,vouch_track_insert,vouch_track_update,vouch_track_delete,vouch_track_truncate}'::text[]) AS v(name)) AS k
		LEFT JOIN pg_trigger g ON g.tgrelid = k.part AND g.tgname = k.name) AS x
	ORDER BY x.why IS NULL, x.what LIMIT 1;
	RETURN NEXT ROW('guards', '', '', '', bad.why IS NULL, bad.n, CASE WHEN bad.why IS NOT NULL THEN bad.what END, bad.why)::vouch.verification;
END
$$;
COMMENT ON FUNCTION vouch_data.check_guards() IS 'The row of vouch.verify() that is about triggers, event triggers, and what gets around them';

CREATE FUNCTION vouch_data.unreadable(check_name text, subject text, phase text, scope text, what text, code text, message text)
RETURNS vouch.verification
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- these say something of the server or the session, and nothing of what is kept: see core/attempt.c
	IF left(code, 2) IN ('40', '53', '55', '57') THEN
		RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message;
	END IF;
	RETURN ROW(check_name, subject, phase, scope, false, 0, what, format('It cannot be read: %s.', message))::vouch.verification;
END
$$;
COMMENT ON FUNCTION vouch_data.unreadable(text, text, text, text, text, text, text) IS
'The row of vouch.verify() for what raised an error when it was read: code is its SQLSTATE; raises it again when it is not about what is kept';

CREATE FUNCTION vouch_data.check_records_of(a vouch_data.artifact) RETURNS SETOF vouch.verification
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	bad record;
BEGIN
	-- a test accepts documents, which are of another phase of the same subject and scope
	WITH told AS (SELECT DISTINCT ON (e.key) e.key, e.value, o.op_no
		FROM vouch_data.artifact f
		JOIN vouch_data.operation o ON o.bucket = f.bucket AND o.artifact_no = f.artifact_no AND o.error IS NULL
		CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(o.detail -> 'rows') WHEN 'object' THEN o.detail -> 'rows' END) AS e
		JOIN vouch_data.recorded_tables() r ON r.phase = a.phase AND r.table_name = split_part(e.key, ' ', 1)
		WHERE f.bucket = a.bucket AND f.subject = a.subject AND f.scope = a.scope
		ORDER BY e.key, CASE WHEN a.phase <> 'request_info' THEN o.op_no END DESC, o.at DESC, o.op_no DESC),
	stored AS (SELECT x.key, x.record FROM vouch_data.recorded_tables() r,
		vouch_data.records(r.table_name, r.keys,
			CASE WHEN r.belongs = 'true' THEN 'true' ELSE 't.bucket = $1 AND ' || r.belongs END, a.bucket, a.subject, a.scope) x
		WHERE r.phase = a.phase)
	SELECT count(*) OVER () AS n, x.* INTO bad FROM (SELECT coalesce(s.key, t.key) AS what,
		CASE WHEN t.key IS NULL THEN 'The log does not know it.'
			WHEN t.value = 'null' AND s.key IS NOT NULL THEN format('Operation %s deleted it, but it is there.', t.op_no)
			WHEN t.value = 'null' THEN NULL
			WHEN s.key IS NULL THEN format('Operation %s has it, but it is not there.', t.op_no)
			WHEN jsonb_typeof(t.value) = 'string' AND t.value #>> '{}' IS DISTINCT FROM encode(vouch.digest(s.record), 'hex')
				THEN format('It is not as operation %s left it.', t.op_no)
			WHEN jsonb_typeof(t.value) = 'object' AND t.value <> s.record
				THEN format('It is not as operation %s left it: %s.', t.op_no, (SELECT string_agg(k, ', ' ORDER BY k)
					FROM jsonb_object_keys(t.value || s.record) AS k WHERE t.value -> k IS DISTINCT FROM s.record -> k)) END AS why
		FROM stored s FULL JOIN told t ON t.key = s.key) AS x
	ORDER BY x.why IS NULL, x.what LIMIT 1;
	IF bad.n > 0 THEN
		RETURN NEXT ROW('records', a.subject, a.phase, a.scope, bad.why IS NULL, bad.n, CASE WHEN bad.why IS NOT NULL THEN bad.what END, bad.why)::vouch.verification;
	END IF;
END
$$;
COMMENT ON FUNCTION vouch_data.check_records_of(vouch_data.artifact) IS 'The row of vouch_data.check_records() for one artifact; none when nothing is kept of it';

CREATE FUNCTION vouch_data.check_records(subject text) RETURNS SETOF vouch.verification
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	a vouch_data.artifact;
	t record;
	id text;
BEGIN
	FOR a IN SELECT x.* FROM vouch_data.artifact x
		WHERE x.phase IN (SELECT r.phase FROM vouch_data.recorded_tables() r)
		AND (subject IS NULL OR x.bucket = vouch.bucket(subject) AND x.subject = subject)
		ORDER BY x.subject, x.phase, x.scope
	LOOP
		BEGIN
			RETURN QUERY SELECT * FROM vouch_data.check_records_of(a);
		EXCEPTION WHEN OTHERS THEN
			RETURN NEXT vouch_data.unreadable('records', a.subject, a.phase, a.scope, 'artifact', SQLSTATE, SQLERRM);
		END;
	END LOOP;
	-- what versions name by its digest
	BEGIN
		SELECT p.list_digest INTO id FROM vouch_data.population p
		WHERE (subject IS NULL OR p.bucket = vouch.bucket(subject))
		AND vouch_data.population_list_digest(p.rows, p.keys, p.key_hashes, p.row_hashes) <> p.list_digest ORDER BY 1 LIMIT 1;
		IF id IS NOT NULL THEN
			RETURN NEXT ROW('records', coalesce(subject, ''), 'sample_selection', '', false, 1, 'population ' || id, 'It does not give its digest.')::vouch.verification;
		END IF;
	EXCEPTION WHEN OTHERS THEN
		RETURN NEXT vouch_data.unreadable('records', coalesce(subject, ''), 'sample_selection', '', 'table population', SQLSTATE, SQLERRM);
	END;
	-- what is of no artifact
	FOR t IN SELECT r.table_name, r.keys, r.belongs, r.phase FROM vouch_data.recorded_tables() r WHERE subject IS NULL AND r.belongs LIKE 't.subject%' LOOP
		BEGIN
			EXECUTE format('SELECT t.%I FROM vouch_data.%I t WHERE NOT EXISTS (SELECT FROM vouch_data.artifact a
				WHERE a.bucket = t.bucket AND a.bucket = vouch.bucket(t.subject) AND a.subject = t.subject AND a.phase = %L AND a.scope = t.lob_id) ORDER BY 1 LIMIT 1',
				t.keys[1], t.table_name, t.phase) INTO id;
			IF id IS NOT NULL THEN
				RETURN NEXT ROW('records', '', t.phase, '', false, 1, t.table_name || ' ' || id, 'Nothing is in the log of its subject and scope.')::vouch.verification;
			END IF;
		EXCEPTION WHEN OTHERS THEN
			RETURN NEXT vouch_data.unreadable('records', '', t.phase, '', 'table ' || t.table_name, SQLSTATE, SQLERRM);
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION vouch_data.check_records(text) IS
'The rows of vouch.verify() that are about tables other than those of versions: what the last operation that wrote a row said of it';

CREATE FUNCTION vouch.verify(subject text DEFAULT NULL, level text DEFAULT 'everything')
RETURNS SETOF vouch.verification
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT * FROM vouch_data.verify_artifacts(subject, level);
	IF subject IS NULL AND lower(level) <> 'blocks' THEN
		BEGIN
			RETURN QUERY SELECT * FROM vouch_data.check_guards();
		EXCEPTION WHEN OTHERS THEN
			RETURN NEXT vouch_data.unreadable('guards', '', '', '', 'guards', SQLSTATE, SQLERRM);
		END;
	END IF;
	IF lower(level) IN ('content', 'everything') THEN
		BEGIN
			RETURN QUERY SELECT * FROM vouch_data.check_records(subject);
		EXCEPTION WHEN OTHERS THEN
			RETURN NEXT vouch_data.unreadable('records', coalesce(subject, ''), '', '', 'records', SQLSTATE, SQLERRM);
		END;
	END IF;
END
$$;
COMMENT ON FUNCTION vouch.verify(text, text) IS
'Checks all that is kept of a subject, or of everything, and returns one row for each artifact and check. Levels, each with the checks of those before: blocks, log (to operations), content (to payloads), everything. First, when there is no subject or the level is blocks, one row for the blocks (of everything, or those with the subject''s operations: each gives its hash, they are a chain and cover all transactions, the stored leaves give their roots); then one for all: artifacts (no row belongs to an artifact that is gone; checked with the bucket of the subject). operations (the log''s content gives its hashes, and these a chain), states (each version is there, in the state that the log led it to, and its row says what its operations say), payloads (each gives its hash, unless an operation redacted it: detail then says so), digests (what a version shows is what was submitted and closed), ranges (the rows of an item follow one another, and the log says who put them there), verdicts (they are those that the log''s decisions gave), counts (counters equal counts), approvals (each version''s state follows from its policy and signatures alone, and each signature is in the log), records (each row of a phase without versions, and of roles, delegations and policies, is as the operation that wrote it last left it, and none is gone), guards (with no subject: the triggers and event triggers that keep others from writing, and those of tracked tables, are all there and enabled, and nothing leads around them: a table above or below one of Vouch''s, a trigger, rule, policy or index of somebody else''s on it; from level log on). ok false: first_bad names the first thing that is wrong and detail says what; checked: how many things were looked at';

GRANT EXECUTE ON FUNCTION vouch.verify(text, text), vouch_data.check_guards(), vouch_data.check_records(text), vouch_data.check_records_of(vouch_data.artifact),
	vouch_data.unreadable(text, text, text, text, text, text, text), vouch_data.recorded_tables(),
	vouch_data.record_of(anyelement), vouch_data.record_digest(anyelement), vouch_data.record_query(text, text[], text, text), vouch_data.records(text, text[], text, int, text, text) TO vouch_reader;
