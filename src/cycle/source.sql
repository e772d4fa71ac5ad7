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
	result jsonb;
BEGIN
	EXECUTE format('SELECT coalesce(jsonb_object_agg(t.%1$I::text, to_jsonb(t)), ''{}'') FROM %2$s t WHERE t.%1$I::text = ANY ($1)',
		vouch_data.source_column(source, key_column, 'key_column'), source)
	INTO result USING keys;
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
	result jsonb := '[]';
BEGIN
	FOR col IN SELECT * FROM vouch_data.source_columns(source) LOOP
		counts := counts || format(', count(t.%1$I), count(DISTINCT t.%1$I%2$s)', col.name,
			CASE col.kind WHEN 'other' THEN '::text' ELSE '' END);
	END LOOP;
	EXECUTE format('SELECT ARRAY[%s] FROM %s t', counts, source) INTO n;
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

GRANT EXECUTE ON FUNCTION vouch_data.source_columns(regclass), vouch_data.source_column(regclass, text, text),
	vouch_data.source_table(text), vouch_data.source_rows(regclass, text, text[]), vouch.get_planning_attributes(regclass) TO vouch_reader;
