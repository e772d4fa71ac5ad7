-- rules.sql: profiling rules: their machine-readable definitions, executed on
-- rows or on the whole table with the caller's own rights.

-- A value that a rule compares a column with.
CREATE FUNCTION vouch_data.rule_literal(value jsonb, type text, col text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF jsonb_typeof(value) IN ('object', 'array') THEN
		RAISE invalid_text_representation USING MESSAGE = format('it is an %s', jsonb_typeof(value));
	END IF;
	EXECUTE format('SELECT %L::%s', value #>> '{}', type);
	RETURN format('%L::%s', value #>> '{}', type);
EXCEPTION WHEN data_exception OR check_violation OR not_null_violation THEN
	RAISE EXCEPTION 'a profiling rule compares "%" with %, which is no %', col, value, type
		USING ERRCODE = 'VO502', DETAIL = format('The server says: %s.', SQLERRM),
			HINT = format('Give a value that a column of type %s can have.', type);
END
$$;
COMMENT ON FUNCTION vouch_data.rule_literal(jsonb, text, text) IS 'SQL of a value of a rule''s definition as a value of the column''s type, else VO502';

-- What a condition {left, operator, right | value} of a rule says, in SQL.
CREATE FUNCTION vouch_data.rule_term(source regclass, term jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	lhs text := vouch_data.source_column(source, term ->> 'left', 'left');
	op text := term ->> 'operator';
BEGIN
	IF op IS NULL OR op NOT IN ('<', '<=', '=', '<>', '>=', '>') THEN
		RAISE EXCEPTION 'a profiling rule has the operator "%"', coalesce(op, 'NULL')
			USING ERRCODE = 'VO104', DETAIL = format('The condition is %s.', term),
				HINT = 'Use one of <, <=, =, <>, >=, >.';
	END IF;
	IF term ? 'right' THEN
		RETURN format('t.%I %s t.%I', lhs, op, vouch_data.source_column(source, term ->> 'right', 'right'));
	END IF;
	RETURN format('t.%I %s %s', lhs, op, vouch_data.rule_literal(term -> 'value',
		(SELECT c.type FROM vouch_data.source_columns(source) c WHERE c.name = lhs), lhs));
END
$$;
COMMENT ON FUNCTION vouch_data.rule_term(regclass, jsonb) IS
'SQL of one condition {left, operator, right or value} of a rule, over the row t';

CREATE FUNCTION vouch_data.rule_columns(definition jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(array_agg(DISTINCT v ORDER BY v), '{}')
	FROM (SELECT definition ->> 'column'
		UNION SELECT definition ->> 'left'
		UNION SELECT definition ->> 'right'
		UNION SELECT definition #>> '{if,left}'
		UNION SELECT definition #>> '{if,right}'
		UNION SELECT definition #>> '{then,left}'
		UNION SELECT definition #>> '{then,right}'
		UNION SELECT jsonb_array_elements_text(CASE jsonb_typeof(definition -> 'columns') WHEN 'array' THEN definition -> 'columns' END)) AS x(v)
	WHERE v IS NOT NULL
$$;
COMMENT ON FUNCTION vouch_data.rule_columns(jsonb) IS 'Names of the columns that a rule''s definition speaks of';

CREATE FUNCTION vouch_data.rule_condition(source regclass, definition jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	kind text := definition ->> 'kind';
	col text;
	col_type text;
	col_kind text;
	other regclass;
	list text;
	others text;
BEGIN
	PERFORM vouch_data.check_source(source);
	IF kind IN ('completeness', 'range', 'domain', 'pattern', 'referential') THEN
		col := vouch_data.source_column(source, definition ->> 'column', 'column');
		SELECT c.type, c.kind INTO col_type, col_kind
		FROM vouch_data.source_columns(source) c WHERE c.name = col;
	END IF;
	CASE kind
		WHEN 'completeness' THEN
			RETURN format('(t.%1$I IS NOT NULL AND btrim(t.%1$I::text) <> '''')', col);
		WHEN 'range' THEN
			IF NOT (definition ? 'min' OR definition ? 'max') THEN
				RAISE EXCEPTION 'a range rule for "%" has neither min nor max', col
					USING ERRCODE = 'VO104', HINT = 'Give min, max or both.';
			END IF;
			IF col_kind = 'number' THEN
				col_type := 'numeric';
			END IF;
			RETURN format('(%s)', array_to_string(ARRAY[
				CASE WHEN definition ->> 'min' IS NOT NULL THEN format('t.%I >= %s', col, vouch_data.rule_literal(definition -> 'min', col_type, col)) END,
				CASE WHEN definition ->> 'max' IS NOT NULL THEN format('t.%I <= %s', col, vouch_data.rule_literal(definition -> 'max', col_type, col)) END], ' AND '));
		WHEN 'domain' THEN
			IF jsonb_typeof(definition -> 'values') IS DISTINCT FROM 'array' THEN
				RAISE EXCEPTION 'a domain rule for "%" has no values', col
					USING ERRCODE = 'VO104', HINT = 'Give values, an array of what the column may hold.';
			END IF;
			RETURN format('(CASE WHEN btrim(t.%1$I::text) <> '''' THEN t.%1$I::text = ANY (%2$L::text[]) END)', col,
				ARRAY(SELECT v FROM jsonb_array_elements_text(definition -> 'values') AS v));
		WHEN 'pattern' THEN
			IF definition ->> 'regex' IS NULL THEN
				RAISE EXCEPTION 'a pattern rule for "%" has no regex', col
					USING ERRCODE = 'VO104', HINT = 'Give regex, a regular expression that the whole value has to match.';
			END IF;
			BEGIN
				PERFORM '' ~ (definition ->> 'regex');
			EXCEPTION WHEN invalid_regular_expression THEN
				RAISE EXCEPTION 'a pattern rule for "%" has a regex that cannot be used', col
					USING ERRCODE = 'VO502', DETAIL = format('The server says: %s.', SQLERRM),
						HINT = 'Give a POSIX regular expression, such as ^[A-Z]{2}[0-9]+$.';
			END;
			RETURN format('(CASE WHEN btrim(t.%1$I::text) <> '''' THEN t.%1$I::text ~ %2$L END)', col, definition ->> 'regex');
		WHEN 'referential' THEN
			other := vouch_data.source_table(definition ->> 'table');
			PERFORM vouch_data.check_source(other);
			-- not correlated, so the server hashes it once
			RETURN format('(t.%1$I IN (SELECT r.%2$I FROM %3$s r WHERE r.%2$I IS NOT NULL))', col,
				vouch_data.source_column(other, definition ->> 'references', 'references'), other);
		WHEN 'uniqueness' THEN
			SELECT string_agg(format('t.%I', vouch_data.source_column(source, v, 'columns')), ', ' ORDER BY o),
				string_agg(format('o.%I', v), ', ' ORDER BY o)
			INTO list, others
			FROM jsonb_array_elements_text(CASE jsonb_typeof(definition -> 'columns') WHEN 'array' THEN definition -> 'columns' END)
				WITH ORDINALITY AS x(v, o);
			IF list IS NULL THEN
				RAISE EXCEPTION 'a uniqueness rule has no columns'
					USING ERRCODE = 'VO104', HINT = 'Give columns, an array of names.';
			END IF;
			-- not correlated, so the server hashes the repeated values once
			RETURN format('(CASE WHEN num_nulls(%1$s) = 0 THEN (%1$s) NOT IN (SELECT %2$s FROM %3$s o WHERE num_nulls(%2$s) = 0 GROUP BY %2$s HAVING count(*) > 1) END)',
				list, others, source);
		WHEN 'comparison' THEN
			RETURN format('(%s)', vouch_data.rule_term(source, definition));
		WHEN 'implication' THEN
			IF jsonb_typeof(definition -> 'if') IS DISTINCT FROM 'object' OR jsonb_typeof(definition -> 'then') IS DISTINCT FROM 'object' THEN
				RAISE EXCEPTION 'an implication rule lacks if or then'
					USING ERRCODE = 'VO104', HINT = 'Give both, as {"left": column, "operator": ">", "right": column} or with "value".';
			END IF;
			RETURN format('(CASE WHEN %s THEN coalesce(%s, false) END)',
				vouch_data.rule_term(source, definition -> 'if'), vouch_data.rule_term(source, definition -> 'then'));
		ELSE
			RAISE EXCEPTION 'there is no kind of profiling rule called "%"', coalesce(kind, 'NULL')
				USING ERRCODE = 'VO104', DETAIL = format('The definition is %s.', coalesce(definition::text, 'NULL')),
					HINT = 'kind is one of completeness, uniqueness, range, domain, pattern, referential, comparison, implication.';
	END CASE;
END
$$;
COMMENT ON FUNCTION vouch_data.rule_condition(regclass, jsonb) IS
'SQL condition of a rule over a row t of the source: true when the row passes, null when the rule says nothing of it. VO104 and VO605 when the definition does not fit the table';

CREATE FUNCTION vouch.measure_profiling_rules(source regclass, rules jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	rule jsonb;
	conditions text := '';
	counts text := 'count(*)';
	n bigint[];
	i int := 0;
	result jsonb := '[]';
	key bigint;
BEGIN
	IF jsonb_typeof(rules) IS DISTINCT FROM 'array' THEN
		RAISE EXCEPTION 'rules is not an array'
			USING ERRCODE = 'VO502', HINT = 'Give an array of rules, each an object with a definition.';
	ELSIF jsonb_array_length(rules) = 0 THEN
		RETURN rules;
	END IF;
	FOR rule IN SELECT * FROM jsonb_array_elements(rules) LOOP
		conditions := conditions || format(', %s AS c%s', vouch_data.rule_condition(source, rule -> 'definition'), i);
		counts := counts || format(', count(c%1$s), count(*) FILTER (WHERE NOT c%1$s)', i);
		i := i + 1;
	END LOOP;
	key := vouch_data.open_source(source);
	EXECUTE format('SELECT ARRAY[%s] FROM (SELECT 1%s FROM %s t OFFSET 0) s', counts, conditions, source) INTO n;
	PERFORM vouch_data.somebody_acts(key);
	i := 0;
	FOR rule IN SELECT * FROM jsonb_array_elements(rules) LOOP
		result := result || jsonb_build_array(rule || jsonb_build_object(
			'rows_checked', n[2 * i + 2],
			'rows_failed', n[2 * i + 3],
			'observed_pass_rate', CASE WHEN n[2 * i + 2] > 0
				THEN round(1 - n[2 * i + 3]::numeric / n[2 * i + 2], 6) END));
		i := i + 1;
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch.measure_profiling_rules(regclass, jsonb) IS
'Runs rules over a whole table, in one pass, and returns them with rows_checked (rows that the rule says something of), rows_failed and observed_pass_rate (0 to 1, null when no row was checked). rules: [{definition: {…}, …}]; reads with the caller''s rights';

CREATE FUNCTION vouch.run_profiling_rule(
	source regclass, definition jsonb, keys jsonb DEFAULT NULL,
	OUT key text, OUT passed boolean, OUT observed jsonb)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	condition text := vouch_data.rule_condition(source, definition);
	key_column text;
	chosen text[];
	guard bigint;
BEGIN
	IF keys IS NULL THEN
		SELECT max(c.name) INTO key_column FROM vouch_data.source_columns(source) c
		WHERE c.primary_key HAVING count(*) = 1;
		IF key_column IS NULL THEN
			RAISE EXCEPTION 'the rows of % cannot be named', source
				USING ERRCODE = 'VO605', DETAIL = 'The table has no primary key of one column.',
					HINT = 'Give keys as {"column": ["value", …]}, or {"column": null} for all rows.';
		END IF;
	ELSIF jsonb_typeof(keys) IS DISTINCT FROM 'object' OR (SELECT count(*) FROM jsonb_object_keys(keys)) <> 1 THEN
		RAISE EXCEPTION 'keys does not name one column'
			USING ERRCODE = 'VO502', HINT = 'Give keys as {"column": ["value", …]}, or {"column": null} for all rows.';
	ELSE
		SELECT k, CASE jsonb_typeof(v) WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(v)) WHEN 'null' THEN NULL ELSE ARRAY[v #>> '{}'] END
		INTO key_column, chosen FROM jsonb_each(keys) AS e(k, v);
		key_column := vouch_data.source_column(source, key_column, 'keys');
	END IF;
	guard := vouch_data.open_source(source);
	RETURN QUERY EXECUTE format(
		'SELECT t.%1$I::text, %2$s, (SELECT jsonb_object_agg(c, to_jsonb(t) -> c) FROM unnest($1) AS c) FROM %3$s t %4$s ORDER BY t.%1$I',
		key_column, condition, source, CASE WHEN chosen IS NOT NULL THEN format('WHERE t.%I::text = ANY ($2)', key_column) ELSE '' END)
	USING vouch_data.rule_columns(definition), chosen;
	PERFORM vouch_data.somebody_acts(guard);
END
$$;
COMMENT ON FUNCTION vouch.run_profiling_rule(regclass, jsonb, jsonb) IS
'Runs one rule''s definition on rows of a table: key, passed (null when the rule says nothing of the row) and the values it looked at. keys: {"column": ["value", …]} names the rows, {"column": null} takes all, null all by the primary key. Reads with the caller''s rights';

CREATE FUNCTION vouch.check_rows(
	source regclass, rules jsonb, rows jsonb,
	OUT row_no int, OUT rule text, OUT passed boolean, OUT attributes text[], OUT observed jsonb)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r jsonb;
	list text[] := '{}';
	guard bigint;
BEGIN
	IF jsonb_typeof(rules) IS DISTINCT FROM 'array' OR jsonb_typeof(rows) IS DISTINCT FROM 'array' THEN
		RAISE EXCEPTION 'rules and rows are not both arrays'
			USING ERRCODE = 'VO502', HINT = 'Give rules as [{"name": …, "definition": {…}}] and rows as an array of objects, one per row.';
	ELSIF jsonb_array_length(rules) = 0 OR jsonb_array_length(rows) = 0 THEN
		RETURN;
	END IF;
	FOR r IN SELECT * FROM jsonb_array_elements(rules) LOOP
		list := list || format('(%L, %s, %L::text[])', r ->> 'name', vouch_data.rule_condition(source, r -> 'definition'),
			vouch_data.rule_columns(r -> 'definition'));
	END LOOP;
	guard := vouch_data.open_source(source);
	RETURN QUERY EXECUTE format(
		'SELECT x.o::int, c.rule, c.passed, c.cols, (SELECT jsonb_object_agg(k, to_jsonb(t) -> k) FROM unnest(c.cols) AS k)
		 FROM jsonb_array_elements($1) WITH ORDINALITY AS x(j, o)
		 CROSS JOIN LATERAL jsonb_populate_record(NULL::%s, x.j) AS t
		 CROSS JOIN LATERAL (VALUES %s) AS c(rule, passed, cols)
		 ORDER BY x.o, c.rule', source, array_to_string(list, ', '))
	USING rows;
	PERFORM vouch_data.somebody_acts(guard);
END
$$;
COMMENT ON FUNCTION vouch.check_rows(regclass, jsonb, jsonb) IS
'Runs rules on rows that are given as objects, such as the frozen values of samples: number of the row (from 1), name of the rule, passed (null when the rule says nothing of the row), the attributes that it speaks of and their values. Uniqueness and references are checked against the tables as they are now';

GRANT EXECUTE ON FUNCTION vouch_data.rule_literal(jsonb, text, text), vouch_data.rule_term(regclass, jsonb), vouch_data.rule_columns(jsonb), vouch_data.rule_condition(regclass, jsonb),
	vouch.measure_profiling_rules(regclass, jsonb), vouch.run_profiling_rule(regclass, jsonb, jsonb),
	vouch.check_rows(regclass, jsonb, jsonb) TO vouch_reader;
