-- source.sql: reading a source table, any table, view or foreign table, with
-- the caller's own rights.

CREATE FUNCTION vouch_data.source_columns(
	source regclass,
	OUT attnum int, OUT name text, OUT type text, OUT kind text, OUT typmod int,
	OUT mandatory boolean, OUT primary_key boolean, OUT description text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	rel record;
BEGIN
	SELECT c.oid, c.relkind, n.nspname, c.relname INTO rel
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.oid = source;
	IF rel.oid IS NULL THEN
		RAISE EXCEPTION 'there is no source table'
			USING ERRCODE = 'VO605',
				DETAIL = CASE WHEN source IS NULL THEN 'Parameter source is null.'
					ELSE format('No relation has the oid %s any more.', source::oid) END,
				HINT = 'Name an existing table, as in ''bank.cards''::regclass.';
	ELSIF rel.relkind NOT IN ('r', 'p', 'v', 'm', 'f') THEN
		RAISE EXCEPTION '"%" cannot be a source table', rel.relname
			USING ERRCODE = 'VO605', DETAIL = 'It is not a table, view or foreign table.',
				HINT = 'Name a table, a view, a materialized view or a foreign table.';
	ELSIF NOT has_schema_privilege(rel.nspname, 'USAGE') OR NOT has_table_privilege(source, 'SELECT') THEN
		RAISE EXCEPTION 'role "%" may not read the source table %', current_user, source
			USING ERRCODE = 'VO605', DETAIL = 'Source tables are read with the rights of who reads them; in a workflow that is its run_as role.',
				HINT = format('GRANT USAGE ON SCHEMA %I TO %I; GRANT SELECT ON %s TO %I;', rel.nspname, current_user, source, current_user);
	END IF;
	RETURN QUERY
	SELECT a.attnum::int, a.attname::text, format_type(a.atttypid, a.atttypmod),
		CASE
			WHEN b.typcategory = 'N' AND b.typname NOT IN ('oid', 'money') AND b.typname !~ '^reg' THEN 'number'
			WHEN b.typname IN ('date', 'timestamp', 'timestamptz') THEN 'date'
			WHEN b.typcategory = 'B' THEN 'boolean'
			WHEN b.typcategory IN ('S', 'E') THEN 'text'
			WHEN b.typname = 'uuid' THEN 'text'
			ELSE 'other'
		END,
		CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,
		a.attnotnull,
		EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)),
		col_description(a.attrelid, a.attnum)
	FROM pg_attribute a
	JOIN pg_type t ON t.oid = a.atttypid
	JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
	WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped
	ORDER BY a.attnum;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'source table % has no columns', source
			USING ERRCODE = 'VO605', HINT = 'Name a table with at least one column.';
	END IF;
END
$$;
COMMENT ON FUNCTION vouch_data.source_columns(regclass) IS
'Columns of a source table with what the generators need: kind is number, date, text, boolean or other. VO605 when it cannot be read';

-- May it be read in a workflow?  There whoever acts last is not who made the
-- table, and run_as may read more than who started the cycle.  So both must be
-- allowed to, and reading must not run code of anybody who is neither run_as nor
-- a superuser: such code would run as run_as, in the name of whoever acts.

CREATE FUNCTION vouch_data.source_code(source regclass, reader name) RETURNS SETOF text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE
	trusted AS (SELECT r.oid FROM pg_roles r WHERE r.rolsuper OR r.rolname = reader),
	-- the relation, its partitions and children, and what is below a view
	rel(oid) AS (
		SELECT source::oid
		UNION
		SELECT x.oid FROM rel, LATERAL (
			SELECT i.inhrelid AS oid FROM pg_inherits i WHERE i.inhparent = rel.oid
			UNION ALL
			SELECT d.refobjid FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
			JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
			WHERE r.ev_class = rel.oid AND d.refobjid <> rel.oid) AS x),
	c AS (SELECT c.* FROM rel JOIN pg_class c ON c.oid = rel.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')),
	-- the types of its columns, of what these are made of, and of its rows
	typ(oid, relid) AS (
		SELECT a.atttypid, c.oid FROM c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		UNION
		SELECT x.oid, typ.relid FROM typ JOIN pg_type t ON t.oid = typ.oid,
			LATERAL (SELECT t.typbasetype AS oid WHERE t.typtype = 'd' UNION ALL SELECT t.typelem WHERE t.typsubscript = 'array_subscript_handler'::regproc) AS x),
	-- what the server may look into while it plans or reads
	part(classid, objid, relid, what) AS (
		SELECT 'pg_class'::regclass::oid, c.oid, c.oid, 'the partitioning of' FROM c WHERE c.relkind <> 'v'
		UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, c.oid, format('index %s of', i.indexrelid::regclass) FROM c JOIN pg_index i ON i.indrelid = c.oid
		UNION ALL SELECT 'pg_constraint'::regclass, k.oid, c.oid, format('constraint %I of', k.conname) FROM c JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'c'
		UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid, c.oid, format('statistics %I of', s.stxname) FROM c JOIN pg_statistic_ext s ON s.stxrelid = c.oid
		UNION ALL SELECT 'pg_rewrite'::regclass, r.oid, c.oid, 'view' FROM c JOIN pg_rewrite r ON r.ev_class = c.oid WHERE c.relkind = 'v'
		UNION ALL SELECT 'pg_constraint'::regclass, k.oid, typ.relid, format('constraint %I of domain %s of', k.conname, typ.oid::regtype) FROM typ JOIN pg_constraint k ON k.contypid = typ.oid)
	SELECT format('View %s belongs to %s.', c.oid::regclass, pg_get_userbyid(c.relowner)) FROM c WHERE c.relkind = 'v' AND c.relowner NOT IN (SELECT oid FROM trusted)
	UNION ALL
	SELECT format('Row security policies of %s apply to %s.', c.oid::regclass, reader) FROM c
	WHERE c.relrowsecurity AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = reader AND (r.rolsuper OR r.rolbypassrls))
	AND (c.relforcerowsecurity OR NOT pg_has_role(reader, c.relowner, 'USAGE'))
	UNION ALL
	SELECT format('%s calls %s, which belongs to %s.', upper(left(part.what, 1)) || substr(part.what, 2) || ' ' || part.relid::regclass, p.oid::regprocedure, pg_get_userbyid(p.proowner))
	FROM part JOIN pg_depend d ON d.classid = part.classid AND d.objid = part.objid
	LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
	JOIN pg_proc p ON p.oid = CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode::oid END
	WHERE p.proowner NOT IN (SELECT oid FROM trusted)
	UNION ALL
	SELECT format('%s has a column of type %s.', typ.relid::regclass, typ.oid::regtype)
	FROM typ JOIN pg_type t ON t.oid = typ.oid
	WHERE t.typnamespace <> 'pg_catalog'::regnamespace AND t.typtype NOT IN ('e', 'd') AND t.typsubscript <> 'array_subscript_handler'::regproc
	-- base types are made by superusers
	AND NOT (t.typtype = 'b' AND t.typowner IN (SELECT oid FROM trusted))
	UNION ALL
	SELECT format('Values of %s are cast by %s, which belongs to %s.', k.castsource::regtype, p.oid::regprocedure, pg_get_userbyid(p.proowner))
	FROM (SELECT typ.oid FROM typ UNION SELECT c.reltype FROM c) AS t
	JOIN pg_cast k ON k.castsource = t.oid JOIN pg_proc p ON p.oid = k.castfunc
	WHERE p.proowner NOT IN (SELECT oid FROM trusted)
$$;
COMMENT ON FUNCTION vouch_data.source_code(regclass, name) IS
'Why reading a relation could run code of somebody who is neither a superuser nor the reader, a sentence a row; no rows when it cannot: views of others, row security, types other than the server''s, enums, domains and arrays, casts, and functions in partition keys, indexes, constraints, statistics and domains';

CREATE FUNCTION vouch_data.source_problem(source regclass, starter text, reader name, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	schema_name text := (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = source);
BEGIN
	IF schema_name IS NULL THEN
		RETURN;
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = starter) THEN
		message := format('the source table %s is read for "%s", who is no role of the database', source, starter);
		detail := 'A cycle reads what whoever started it may read, and nothing more.';
		hint := 'Let somebody start the cycle who logs in with a role of their own, which has SELECT on the table.';
		RETURN;
	ELSIF NOT has_schema_privilege(starter, schema_name, 'USAGE') OR NOT has_table_privilege(starter, source, 'SELECT') THEN
		message := format('"%s", who started this cycle, may not read the source table %s', starter, source);
		detail := format('A cycle reads what both who started it and the role that it runs as, "%s", may read.', reader);
		hint := format('GRANT USAGE ON SCHEMA %I TO %I; GRANT SELECT ON %s TO %I;', schema_name, starter, source, starter);
		RETURN;
	END IF;
	SELECT string_agg(c.why, ' ' ORDER BY c.why) INTO detail FROM (SELECT w AS why FROM vouch_data.source_code(source, reader) AS w LIMIT 5) AS c;
	IF detail IS NOT NULL THEN
		message := format('reading the source table %s could run code of others', source);
		hint := format('Make a table or a materialized view of it and name that, or let what is named belong to "%s".', reader);
	END IF;
END
$$;
COMMENT ON FUNCTION vouch_data.source_problem(regclass, text, name) IS
'Why a workflow that runs as reader cannot read a relation, or nulls: starter, who started it, must be a role with SELECT on it, and reading must not run code of others. What reader itself needs is told by vouch_data.source_columns()';

CREATE FUNCTION vouch_data.lock_source(source regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	CASE (SELECT c.relkind FROM pg_class c WHERE c.oid = source)
		WHEN 'r', 'p', 'v' THEN EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', source);
		WHEN 'm', 'f' THEN PERFORM vouch_data.lock_relation(source);
		ELSE NULL;
	END CASE;
END
$$;
COMMENT ON FUNCTION vouch_data.lock_source(regclass) IS 'Locks a relation, and what is below it, so that it stays what it is until the transaction ends';

CREATE FUNCTION vouch_data.check_source(source regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	problem record;
BEGIN
	PERFORM FROM vouch_data.source_columns(source) LIMIT 1;
	-- lock, then look: in statements of their own
	PERFORM vouch_data.lock_source(source);
	SELECT * INTO problem FROM vouch_data.source_problem(source, vouch_data.acting_starter(), current_user)
	WHERE vouch_data.acting_workflow() IS NOT NULL;
	IF problem.message IS NOT NULL THEN
		RAISE EXCEPTION '%', problem.message USING ERRCODE = 'VO605', DETAIL = problem.detail, HINT = problem.hint;
	END IF;
END
$$;
COMMENT ON FUNCTION vouch_data.check_source(regclass) IS
'Locks a relation and returns when it may be read now, else raises VO605. Called before every read of a relation that is not Vouch''s own, in the same transaction. In a workflow who started it must be a role with SELECT on it, too, and reading it must not run code of others; outside the caller''s own rights are enough';

-- What the checks cannot hold off is an index or a cast that is made between
-- them and the read: no lock that SELECT allows excludes that.  Such code finds
-- nobody to act as.
CREATE FUNCTION vouch_data.open_source(source regclass) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM vouch_data.check_source(source);
	RETURN vouch_data.nobody_acts();
END
$$;
COMMENT ON FUNCTION vouch_data.open_source(regclass) IS
'vouch_data.check_source(), after which nobody acts until vouch_data.somebody_acts() is given the key that this returns';

CREATE FUNCTION vouch_data.source_column(source regclass, column_name text, parameter text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_name text;
	names text;
BEGIN
	SELECT max(c.name) FILTER (WHERE c.name = column_name), string_agg(c.name, ', ' ORDER BY c.attnum)
	INTO found_name, names
	FROM vouch_data.source_columns(source) c;
	IF found_name IS NULL THEN
		RAISE EXCEPTION 'source table % has no column "%"', source, coalesce(column_name, 'NULL')
			USING ERRCODE = 'VO605',
				DETAIL = format('Parameter %s names a column of the source. It has: %s.', parameter, names),
				HINT = 'Give one of these names, spelled as it is stored.';
	END IF;
	RETURN found_name;
END
$$;
COMMENT ON FUNCTION vouch_data.source_column(regclass, text, text) IS
'The column''s name when the source has it, else VO605 that lists what it has';

CREATE FUNCTION vouch_data.source_table(name text) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF name IS NULL OR to_regclass(name) IS NULL THEN
		RAISE EXCEPTION 'there is no table "%"', coalesce(name, 'NULL')
			USING ERRCODE = 'VO605',
				DETAIL = 'A source table is named with its schema, as in bank.cards.',
				HINT = 'Give the name of an existing table, in double quotes where it has capitals.';
	END IF;
	RETURN to_regclass(name);
END
$$;
COMMENT ON FUNCTION vouch_data.source_table(text) IS 'The table of a schema-qualified name, else VO605';

CREATE FUNCTION vouch_data.source_rows(source regclass, key_column text, keys text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	key bigint := vouch_data.open_source(source);
	result jsonb;
BEGIN
	EXECUTE format('SELECT coalesce(jsonb_object_agg(t.%1$I::text, to_jsonb(t)), ''{}'') FROM %2$s t WHERE t.%1$I::text = ANY ($1)',
		vouch_data.source_column(source, key_column, 'key_column'), source)
	INTO result USING keys;
	PERFORM vouch_data.somebody_acts(key);
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch_data.source_rows(regclass, text, text[]) IS
'Rows of a source table by their keys: {key: row}. Reads with the caller''s rights';

-- Planning attributes -------------------------------------------------------

CREATE FUNCTION vouch.get_planning_attributes(source regclass) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	col record;
	counts text := 'count(*)';
	n bigint[];
	rows bigint;
	i int := 1;
	nulls bigint;
	distincts bigint;
	why text[];
	key bigint;
	result jsonb := '[]';
BEGIN
	FOR col IN SELECT * FROM vouch_data.source_columns(source) LOOP
		counts := counts || format(', count(t.%1$I), count(DISTINCT t.%1$I%2$s)', col.name,
			CASE col.kind WHEN 'other' THEN '::text' ELSE '' END);
	END LOOP;
	key := vouch_data.open_source(source);
	EXECUTE format('SELECT ARRAY[%s] FROM %s t', counts, source) INTO n;
	PERFORM vouch_data.somebody_acts(key);
	rows := n[1];
	FOR col IN SELECT * FROM vouch_data.source_columns(source) LOOP
		nulls := rows - n[2 * i];
		distincts := n[2 * i + 1];
		i := i + 1;
		why := array_remove(ARRAY[
			CASE WHEN col.primary_key THEN 'part of the primary key' END,
			CASE WHEN col.kind = 'number' AND col.name ~* '(balance|amount|limit|exposure|rate|apr|score|loss|income|payment)'
				THEN 'a reported measure' END,
			CASE WHEN col.description ~* '\mcritical\M' THEN 'called critical in its comment' END,
			CASE WHEN col.name ~* '(delinquen|default|charge_?off|bankrupt|status)' THEN 'carries credit status' END], NULL);
		result := result || jsonb_build_object(
			'attribute_id', col.name,
			'decision_type', 'include',
			'reason', CASE
				WHEN rows = 0 THEN 'The table has no rows yet.'
				WHEN nulls = rows THEN 'Reported, but always empty: its completeness has to be tested.'
				WHEN cardinality(why) > 0 THEN 'Suggested as critical data element: ' || array_to_string(why, ', ') || '.'
				ELSE 'A column of the report.' END,
			'data', jsonb_build_object(
				'name', col.name,
				'type', col.type,
				'description', col.description,
				'mandatory', col.mandatory,
				'primary_key', col.primary_key,
				'critical_data_element', cardinality(why) > 0,
				'rows', rows,
				'null_rate', CASE WHEN rows > 0 THEN round(nulls::numeric / rows, 6) END,
				'distinct_rate', CASE WHEN rows > nulls THEN round(distincts::numeric / (rows - nulls), 6) END));
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch.get_planning_attributes(regclass) IS
'Attributes to plan with, one per column of a table, in the shape that create_planning_version() takes: [{attribute_id, decision_type, reason, data: {name, type, description, mandatory, primary_key, critical_data_element, rows, null_rate, distinct_rate (0 to 1, of the values that are not null)}}]. Reads the table with the caller''s rights; VO605 when it cannot';

GRANT EXECUTE ON FUNCTION vouch_data.source_code(regclass, name), vouch_data.source_problem(regclass, text, name), vouch_data.lock_source(regclass),
	vouch_data.check_source(regclass), vouch_data.open_source(regclass) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch_data.source_columns(regclass), vouch_data.source_column(regclass, text, text),
	vouch_data.source_table(text), vouch_data.source_rows(regclass, text, text[]), vouch.get_planning_attributes(regclass) TO vouch_reader;
