-- track.sql: tables that version themselves.

CREATE TABLE vouch_data.tracked_table (
	relation regclass PRIMARY KEY,
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	key_columns text[] NOT NULL,
	on_closed text NOT NULL CHECK (on_closed IN ('open_draft', 'refuse')),
	tracked_by text NOT NULL,
	tracked_at timestamptz NOT NULL,
	holds boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE vouch_data.tracked_table IS
'Configuration: tables whose rows are the items of an artifact; vouch.tracked_tables shows them';
COMMENT ON COLUMN vouch_data.tracked_table.relation IS 'The table; of a partitioned one the topmost';
COMMENT ON COLUMN vouch_data.tracked_table.bucket IS 'Bucket of the artifact';
COMMENT ON COLUMN vouch_data.tracked_table.artifact_no IS 'Number of the artifact in its bucket';
COMMENT ON COLUMN vouch_data.tracked_table.key_columns IS 'Columns by which rows are recognized as items';
COMMENT ON COLUMN vouch_data.tracked_table.on_closed IS 'What a change does when the newest version is closed: open_draft or refuse';
COMMENT ON COLUMN vouch_data.tracked_table.tracked_by IS 'Who called vouch.track_table()';
COMMENT ON COLUMN vouch_data.tracked_table.tracked_at IS 'When';
COMMENT ON COLUMN vouch_data.tracked_table.holds IS 'The artifact''s first version came from the table, so who may write the table may edit its versions';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vouch_data.tracked_table
	FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.guard();
ALTER TABLE vouch_data.tracked_table ENABLE ALWAYS TRIGGER guard;
SELECT pg_catalog.pg_extension_config_dump('vouch_data.tracked_table', '');

CREATE FUNCTION vouch_data.track_change() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'vouch_sql_track_change';
COMMENT ON FUNCTION vouch_data.track_change() IS
'Trigger of tracked tables and their partitions: brings what a statement changed into the open draft. Does nothing on a table that is not tracked';

CREATE FUNCTION vouch_data.phase_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'vouch_sql_phase_changed';
COMMENT ON FUNCTION vouch_data.phase_changed() IS
'Trigger of vouch_data.phase: sessions that keep what a phase asks of items read it anew';
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON vouch_data.phase
	FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.phase_changed();
ALTER TABLE vouch_data.phase ENABLE ALWAYS TRIGGER changed;

CREATE FUNCTION vouch_data.track_register(source regclass, subject text, phase text, scope text, cycle_id bigint, report_id bigint,
	key_columns text[], on_closed text)
RETURNS text[]
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_track_register';
COMMENT ON FUNCTION vouch_data.track_register(regclass, text, text, text, bigint, bigint, text[], text) IS
'Checks that a table can be tracked, makes the artifact if there is none, and writes the configuration; returns the table''s key, by default the primary key. Only for its owner';

CREATE FUNCTION vouch_data.track_forget(source regclass) RETURNS void
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_track_forget';
COMMENT ON FUNCTION vouch_data.track_forget(regclass) IS
'Ends the tracking of a table; its triggers are taken off by the caller. Only for its owner';

CREATE FUNCTION vouch_data.track_sync(source regclass, reason text) RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_track_sync';
COMMENT ON FUNCTION vouch_data.track_sync(regclass, text) IS
'Brings what differs between a tracked table and its newest version into the open draft; returns how many rows';

CREATE FUNCTION vouch_data.track_open(source regclass, reason text) RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_track_open';
COMMENT ON FUNCTION vouch_data.track_open(regclass, text) IS
'Opens the next draft of a tracked table unless one is open, for who may write the table; VO109 when the table may not change now';

CREATE FUNCTION vouch_data.track_install(source regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
	part regclass;
	t record;
BEGIN
	FOR part IN SELECT p.relid FROM pg_partition_tree(source) p UNION SELECT source LOOP
		FOR t IN SELECT * FROM (VALUES
			('vouch_track_before', 'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE', ''),
			('vouch_track_insert', 'AFTER INSERT', 'REFERENCING NEW TABLE AS vouch_new'),
			('vouch_track_update', 'AFTER UPDATE', 'REFERENCING OLD TABLE AS vouch_old NEW TABLE AS vouch_new'),
			('vouch_track_delete', 'AFTER DELETE', 'REFERENCING OLD TABLE AS vouch_old'),
			('vouch_track_truncate', 'AFTER TRUNCATE', '')) AS v(name, event, tables)
		LOOP
			CONTINUE WHEN EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = part AND g.tgname = t.name AND g.tgenabled = 'A');
			IF NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = part AND g.tgname = t.name) THEN
				EXECUTE format('CREATE TRIGGER %I %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.track_change()',
					t.name, t.event, part, t.tables);
			END IF;
			-- also in sessions that apply what happened elsewhere
			EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', part, t.name);
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON FUNCTION vouch_data.track_install(regclass) IS
'Puts the triggers on a tracked table and its partitions that have none yet, and enables them always, with the caller''s rights';

CREATE FUNCTION vouch_data.track_remove(source regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	g record;
BEGIN
	FOR g IN SELECT t.tgname, t.tgrelid::regclass AS part FROM pg_trigger t
		WHERE t.tgrelid IN (SELECT p.relid FROM pg_partition_tree(source) p UNION SELECT source)
			AND t.tgfoid = 'vouch_data.track_change'::regproc
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', g.tgname, g.part);
	END LOOP;
END
$$;
COMMENT ON FUNCTION vouch_data.track_remove(regclass) IS
'Takes the triggers off a table and its partitions, with the caller''s rights';

CREATE FUNCTION vouch.track_table(source regclass, phase text, cycle_id bigint DEFAULT NULL, report_id bigint DEFAULT NULL,
	key text DEFAULT NULL, scope text DEFAULT '', subject text DEFAULT NULL, on_closed text DEFAULT 'open_draft')
RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	about text;
	place int;
	no int;
	head int;
BEGIN
	IF source IS NULL OR phase IS NULL THEN
		RAISE EXCEPTION 'source and phase must not be null' USING ERRCODE = 'VO502',
			HINT = 'Name a table of yours, and a phase: one of Vouch''s, or one made with vouch.define_phase().';
	END IF;
	IF on_closed IS NULL OR on_closed NOT IN ('open_draft', 'refuse') THEN
		RAISE EXCEPTION 'on_closed cannot be "%"', on_closed USING ERRCODE = 'VO502',
			HINT = 'Pass open_draft, so that a change of what is closed opens the next draft, or refuse.';
	END IF;
	about := vouch_data.subject_key(CASE WHEN subject IS NULL AND (cycle_id IS NULL OR report_id IS NULL)
		THEN (SELECT concat(n.nspname, '.', c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = source)
		ELSE subject END, cycle_id, report_id);
	IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = source AND c.relkind IN ('r', 'p')) THEN
		RAISE EXCEPTION '"%" is not a table', source USING ERRCODE = 'VO605',
			HINT = 'Track an ordinary or a partitioned table that you own.';
	END IF;
	-- nobody writes the table until it is tracked
	EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', source);
	PERFORM vouch_data.track_register(source, about, phase, scope, cycle_id, report_id,
		(SELECT array_agg(btrim(k) ORDER BY o) FROM regexp_split_to_table(key, ',') WITH ORDINALITY AS x(k, o)), on_closed);
	PERFORM vouch_data.track_install(source);
	PERFORM vouch_data.track_sync(source, format('table %s is tracked', source));
	SELECT a.bucket, a.artifact_no, a.head_no INTO place, no, head FROM vouch_data.tracked_table t
	JOIN vouch_data.artifact a ON a.bucket = t.bucket AND a.artifact_no = t.artifact_no WHERE t.relation = source;
	RETURN CASE WHEN head > 0 THEN vouch_data.version_id(place, no, head) END;
END
$$;
COMMENT ON FUNCTION vouch.track_table(regclass, text, bigint, bigint, text, text, text, text) IS
'Makes the rows of a table the items of an artifact: from now on inserts, updates, deletes and TRUNCATE land in its open draft, in the name of who does them. Only for the table''s owner. Who may write the table may then edit the versions that it opened; those of others only who may edit them, or when who called this may. key: columns, separated by commas, with a unique index; default the primary key. subject: default of cycle and report, or the table''s name. on_closed: what a change does when the newest version is closed: open_draft opens the next, which carries everything; refuse raises VO109. While a version is pending approval every change raises VO109. Returns the version that shows the rows, NULL while there are none. Called again, it changes key and on_closed. VO104 a row does not fit the phase, VO605 the table cannot be tracked, has no such column, or has a column, other than its key, that is called as the item_key of the phase';

CREATE FUNCTION vouch_data.track_artifact(source regclass, subject text, phase text, scope text, cycle_id bigint, report_id bigint,
	OUT bucket int, OUT artifact_no int)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	known vouch_data.phase;
BEGIN
	SELECT p.* INTO known FROM vouch_data.phase p WHERE p.phase = vouch_data.phase_key(phase);
	IF NOT known.versioned THEN
		RAISE EXCEPTION 'phase "%" has no versions', known.label USING ERRCODE = 'VO503',
			HINT = 'Choose a phase with items, or make one with vouch.define_phase().';
	END IF;
	artifact_no := vouch_data.ensure_artifact(subject, known.phase, scope, cycle_id, report_id);
	bucket := vouch.bucket(subject);
	IF EXISTS (SELECT FROM vouch_data.tracked_table t
		WHERE t.relation = source AND (t.bucket, t.artifact_no) <> (bucket, artifact_no)) THEN
		RAISE EXCEPTION 'table "%" is tracked under another phase, subject or scope', source USING ERRCODE = 'VO605',
			HINT = 'Call vouch.untrack_table() first; its versions stay.';
	END IF;
END
$$;
COMMENT ON FUNCTION vouch_data.track_artifact(regclass, text, text, text, bigint, bigint) IS
'The artifact that a table is to be tracked under, made if there is none. For vouch_data.track_register() alone';

CREATE FUNCTION vouch.untrack_table(source regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM vouch_data.track_forget(source);
	PERFORM vouch_data.track_remove(source);
END
$$;
COMMENT ON FUNCTION vouch.untrack_table(regclass) IS
'Ends what vouch.track_table() began; versions stay. Only for the table''s owner. VO605 when the table is not tracked';

CREATE FUNCTION vouch.sync_table(source regclass, reason text DEFAULT NULL) RETURNS bigint
LANGUAGE sql VOLATILE AS $$ SELECT vouch_data.track_sync($1, $2) $$;
COMMENT ON FUNCTION vouch.sync_table(regclass, text) IS
'Compares a tracked table with its newest version and brings what differs into the draft; returns how many rows. For what no trigger sees: partitions attached or detached, a column added or renamed, triggers that were disabled, a draft that was edited or discarded. Only for the table''s owner. VO109 when there is a difference and the table may not change now';

-- Reading and restoring ------------------------------------------------------------

CREATE FUNCTION vouch.table_as_of(row_type anyelement, version_id uuid) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE ROWS 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	-- a column's domain runs its owner's code, and who reads is perhaps to sign
	key constant bigint := vouch_data.nobody_acts();
BEGIN
	RETURN QUERY SELECT r.* FROM vouch.version_items($2) AS i, LATERAL jsonb_populate_record($1, i.payload) AS r;
	PERFORM vouch_data.somebody_acts(key);
END
$$;
COMMENT ON FUNCTION vouch.table_as_of(anyelement, uuid) IS
'The rows of a tracked table as a version shows them: SELECT * FROM vouch.table_as_of(NULL::public.samples, version_id). Columns that were added since are null. While it reads nobody acts: code that the columns'' types bring finds no name (VO001). VO102 when there is no such version';

CREATE VIEW vouch.tracked_tables WITH (security_invoker = true) AS
SELECT t.relation AS source, a.phase, a.subject, a.scope, t.key_columns, t.on_closed, t.tracked_by, t.tracked_at,
	v.version_no AS version_number, v.state,
	CASE WHEN v.version_no IS NOT NULL THEN vouch_data.version_id(a.bucket, a.artifact_no, v.version_no) END AS version_id
FROM vouch_data.tracked_table t
JOIN vouch_data.artifact a ON a.bucket = t.bucket AND a.artifact_no = t.artifact_no
LEFT JOIN vouch_data.version v ON v.bucket = a.bucket AND v.artifact_no = a.artifact_no AND v.version_no = a.head_no;
COMMENT ON VIEW vouch.tracked_tables IS 'Tables whose rows are the items of an artifact, each with its newest version';
COMMENT ON COLUMN vouch.tracked_tables.source IS 'The table';
COMMENT ON COLUMN vouch.tracked_tables.phase IS 'Key of the phase';
COMMENT ON COLUMN vouch.tracked_tables.subject IS 'What it is about';
COMMENT ON COLUMN vouch.tracked_tables.scope IS 'Empty, or a line of business';
COMMENT ON COLUMN vouch.tracked_tables.key_columns IS 'Columns by which rows are recognized as items';
COMMENT ON COLUMN vouch.tracked_tables.on_closed IS 'What a change does when the newest version is closed: open_draft or refuse';
COMMENT ON COLUMN vouch.tracked_tables.tracked_by IS 'Who called vouch.track_table() last';
COMMENT ON COLUMN vouch.tracked_tables.tracked_at IS 'When';
COMMENT ON COLUMN vouch.tracked_tables.version_number IS 'Number of the newest version, which shows the rows as they are';
COMMENT ON COLUMN vouch.tracked_tables.state IS 'State of the newest version';
COMMENT ON COLUMN vouch.tracked_tables.version_id IS 'Id of the newest version';

CREATE FUNCTION vouch.restore_table(version_id uuid, reason text DEFAULT NULL,
	OUT inserted bigint, OUT updated bigint, OUT deleted bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET extra_float_digits = 1
SET intervalstyle = 'postgres' SET bytea_output = 'hex' SET row_security = off AS $$
#variable_conflict use_variable
DECLARE
	t record;
	wanted text;				-- rows of the version: w.o and w.payload
	number int;
	lost text;
	same_key text;
	generated text[];
	columns text;
	setting text;
	chosen text;
BEGIN
	SELECT k.* INTO t FROM vouch_data.tracked_table k
	WHERE k.bucket = vouch.bucket_of(version_id) AND k.artifact_no = vouch_data.artifact_number(version_id);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'version "%" is not one of a tracked table', version_id USING ERRCODE = 'VO605',
			HINT = 'Tracked tables are listed by vouch.tracked_tables; vouch.table_as_of() shows their versions as rows.';
	END IF;
	number := vouch_data.version_number(version_id);
	SELECT string_agg(quote_ident(c), ', ') INTO lost FROM unnest(t.key_columns) AS c
	WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.relation AND a.attname = c AND a.attnum > 0 AND NOT a.attisdropped);
	IF lost IS NOT NULL THEN
		RAISE EXCEPTION 'table "%" has no column % any more, which is of its key', t.relation, lost USING ERRCODE = 'VO605',
			DETAIL = format('It is tracked by %s.', array_to_string(t.key_columns, ', ')),
			HINT = 'Name the key as it is called now with vouch.track_table(source, phase, key => ...).';
	END IF;
	SELECT string_agg(quote_ident(c), ', ') INTO lost FROM unnest(t.key_columns) AS c
	WHERE EXISTS (SELECT FROM vouch.version_items(version_id) i WHERE NOT i.payload ? c AND NOT i.payload ? 'redacted');
	IF lost IS NOT NULL THEN
		RAISE EXCEPTION 'version % of "%" does not have %, which is of the key of the table now', number, t.relation, lost USING ERRCODE = 'VO605',
			DETAIL = 'The version is older than the column''s name: its rows cannot be matched with those of the table.',
			HINT = 'Give the column its former name while you restore, and name the key with vouch.track_table(); or copy the rows yourself from vouch.version_items().';
	END IF;
	SELECT string_agg(quote_ident(c), ', ' ORDER BY c) INTO lost FROM (
		SELECT DISTINCT jsonb_object_keys(i.payload - ARRAY(SELECT a.attname::text FROM pg_attribute a
			WHERE a.attrelid = t.relation AND a.attnum > 0 AND NOT a.attisdropped)) AS c
		FROM vouch.version_items(version_id) i) AS x WHERE c <> 'redacted';
	IF lost IS NOT NULL THEN
		RAISE WARNING 'version % of "%" has %, which the table does not have', number, t.relation, lost USING
			DETAIL = 'What is in it was not put back.',
			HINT = 'If a column was renamed, give it its former name, restore again, and rename it then; vouch.version_items() has the values.';
	END IF;
	SELECT string_agg(format('x.%I = (w.o).%1$I', c), ' AND ') INTO same_key FROM unnest(t.key_columns) AS c;
	SELECT coalesce(array_agg(a.attname::text) FILTER (WHERE a.attgenerated <> ''), '{}'),
		string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE a.attgenerated = ''),
		string_agg(format('%I = (s.n).%1$I', a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '' AND a.attidentity <> 'a'),
		string_agg(format('CASE WHEN w.payload ? %L THEN (w.o).%I ELSE %s END', a.attname, a.attname, coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL')),
			', ' ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '')
	INTO generated, columns, setting, chosen
	FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	WHERE a.attrelid = t.relation AND a.attnum > 0 AND NOT a.attisdropped;
	wanted := format('(SELECT i.payload, jsonb_populate_record(NULL::%s, i.payload) AS o FROM vouch.version_items($1) AS i OFFSET 0) AS w', t.relation);

	IF EXISTS (SELECT FROM vouch_data.artifact a, vouch.diff_versions(vouch_data.version_id(a.bucket, a.artifact_no, a.head_no), version_id) d
		WHERE a.bucket = t.bucket AND a.artifact_no = t.artifact_no AND d.change <> 'verdict_changed') THEN
		PERFORM vouch_data.track_open(t.relation, coalesce(reason, format('restored as it was in version %s', number)));
	END IF;
	EXECUTE format('DELETE FROM %s AS x WHERE NOT EXISTS (SELECT FROM %s WHERE %s)', t.relation, wanted, same_key) USING version_id;
	GET DIAGNOSTICS deleted = ROW_COUNT;
	-- x.* is the row, also of a table that has a column x
	EXECUTE format('UPDATE %1$s AS y SET %2$s FROM (SELECT x.ctid AS place, jsonb_populate_record(x.*, w.payload) AS n, to_jsonb(x.*) AS before, x.tableoid AS part
			FROM %1$s AS x JOIN %3$s ON %4$s OFFSET 0) AS s
		WHERE y.ctid = s.place AND y.tableoid = s.part AND to_jsonb(s.n) - $2 IS DISTINCT FROM s.before - $2', t.relation, setting, wanted, same_key)
	USING version_id, generated;
	GET DIAGNOSTICS updated = ROW_COUNT;
	EXECUTE format('INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM %4$s WHERE NOT EXISTS (SELECT FROM %1$s AS x WHERE %5$s)',
		t.relation, columns, chosen, wanted, same_key) USING version_id;
	GET DIAGNOSTICS inserted = ROW_COUNT;
END
$$;
COMMENT ON FUNCTION vouch.restore_table(uuid, text) IS
'Puts the rows of a tracked table back to what a version shows: deletes, updates and inserts what differs, with the caller''s rights, which the triggers record as the next revision, with the reason given. Generated columns are computed anew; a column that was added since keeps its value, and has its default in rows that come back. Returns how many rows. Warns of columns that the version has and the table does not. VO109 when the table may not change now, VO605 when the version is not one of a tracked table, or a column of the key was renamed or dropped';

-- Partitions and tables that come and go -----------------------------------------

CREATE FUNCTION vouch_data.track_ddl() RETURNS event_trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'vouch_sql_track_ddl';
COMMENT ON FUNCTION vouch_data.track_ddl() IS
'Event trigger: a new partition of a tracked table gets the triggers, so that writes to it are recorded, too; brings what ALTER COLUMN ... TYPE made of its rows into the draft; VO605 when a tracked table comes to inherit, to be a partition or unlogged, or to have a foreign or unlogged table as a partition';
CREATE EVENT TRIGGER vouch_track_ddl ON ddl_command_end
	WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE', 'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'IMPORT FOREIGN SCHEMA', 'CREATE SCHEMA')
	EXECUTE FUNCTION vouch_data.track_ddl();
ALTER EVENT TRIGGER vouch_track_ddl ENABLE ALWAYS;

CREATE FUNCTION vouch_data.track_drop() RETURNS event_trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'vouch_sql_track_drop';
COMMENT ON FUNCTION vouch_data.track_drop() IS
'Event trigger: the configuration of a tracked table goes with it, whatever drops it; its versions stay';
CREATE EVENT TRIGGER vouch_track_drop ON sql_drop EXECUTE FUNCTION vouch_data.track_drop();
ALTER EVENT TRIGGER vouch_track_drop ENABLE ALWAYS;

GRANT EXECUTE ON FUNCTION vouch.table_as_of(anyelement, uuid) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch_data.track_change(), vouch_data.track_register(regclass, text, text, text, bigint, bigint, text[], text),
	vouch_data.track_forget(regclass), vouch_data.track_sync(regclass, text), vouch_data.track_open(regclass, text),
	vouch_data.track_install(regclass), vouch_data.track_remove(regclass),
	vouch.track_table(regclass, text, bigint, bigint, text, text, text, text), vouch.untrack_table(regclass),
	vouch.sync_table(regclass, text), vouch.restore_table(uuid, text) TO vouch_user;
