-- discovery.sql: profiling rules that a table's own data suggests.
--
-- A few dirty rows must neither hide a rule nor widen it until it says
-- nothing, so every limit comes from what at least 99 % of the rows have in
-- common: quantiles, values that cover, shapes that repeat.

-- Rounds outward to two digits, as a person would write the limit.
CREATE FUNCTION vouch_data.round_limit(value numeric, up boolean) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN value = 0 THEN 0
		WHEN up THEN trim_scale(ceil(value / unit) * unit)
		ELSE trim_scale(floor(value / unit) * unit) END
	FROM (SELECT power(10::numeric, floor(log(abs(nullif(value, 0)))) - 1) AS unit) AS u
$$;
COMMENT ON FUNCTION vouch_data.round_limit(numeric, boolean) IS 'A limit rounded to two significant digits, up or down';

-- The rules {column, kind 'domain' or 'pattern'} for a column with few values or few shapes.
CREATE FUNCTION vouch_data.discover_values(source regclass, col text, is_text boolean, filled bigint, distincts bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	values_found text[];
	covered bigint;
	shapes text[];
BEGIN
	PERFORM vouch_data.check_source(source);
	IF distincts <= 500 AND distincts * 5 <= filled THEN
		-- the values that cover 99 % set the scale; rarer ones belong when they are not five times rarer still
		EXECUTE format($q$
			WITH v AS (SELECT t.%1$I::text AS value, count(*) AS n FROM %2$s t WHERE t.%1$I IS NOT NULL AND btrim(t.%1$I::text) <> '' GROUP BY 1),
			c AS (SELECT value, n, sum(n) OVER (ORDER BY n DESC, value COLLATE "C") - n AS before FROM v),
			k AS (SELECT value, n FROM c WHERE n * 5 >= (SELECT min(n) FROM c WHERE before < 0.99 * $1))
			SELECT array_agg(value ORDER BY value COLLATE "C"), sum(n) FROM k$q$, col, source)
		INTO values_found, covered USING filled;
		IF cardinality(values_found) <= 64 AND covered >= 0.99 * filled AND (is_text OR cardinality(values_found) <= 12) THEN
			RETURN jsonb_build_object('kind', 'domain', 'column', col, 'values', to_jsonb(values_found));
		END IF;
	END IF;
	IF NOT is_text THEN
		RETURN NULL;
	END IF;
	EXECUTE format($q$
		WITH s AS (SELECT regexp_replace(regexp_replace(regexp_replace(t.%1$I::text, '[0-9]', '9', 'g'), '[A-Z]', 'A', 'g'), '[a-z]', 'a', 'g') AS shape,
				count(*) AS n
			FROM %2$s t WHERE t.%1$I IS NOT NULL AND btrim(t.%1$I::text) <> '' GROUP BY 1),
		c AS (SELECT shape, n, sum(n) OVER (ORDER BY n DESC, shape COLLATE "C") - n AS before FROM s)
		SELECT array_agg(shape ORDER BY n DESC, shape COLLATE "C"), sum(n) FROM c WHERE before < 0.99 * $1$q$, col, source)
	INTO shapes, covered USING filled;
	IF cardinality(shapes) > 3 OR covered < 0.99 * filled THEN
		RETURN NULL;
	END IF;
	RETURN jsonb_build_object('kind', 'pattern', 'column', col, 'regex', '^(' || (
		SELECT string_agg((
			SELECT string_agg(CASE left(run, 1) WHEN '9' THEN '[0-9]' WHEN 'A' THEN '[A-Z]' WHEN 'a' THEN '[a-z]'
					ELSE regexp_replace(left(run, 1), '([][\\.*+?(){}|^$-])', '\\\1') END
				|| CASE WHEN length(run) > 1 THEN format('{%s}', length(run)) ELSE '' END, '' ORDER BY o)
			FROM regexp_matches(shape, '((.)\2*)', 'g') WITH ORDINALITY AS m(parts, o), LATERAL (SELECT parts[1] AS run) AS r), '|' ORDER BY p)
		FROM unnest(shapes) WITH ORDINALITY AS u(shape, p)) || ')$');
END
$$;
COMMENT ON FUNCTION vouch_data.discover_values(regclass, text, boolean, bigint, bigint) IS
'Definition of the domain or pattern rule that a column''s values suggest, or null';

-- Pairs of dates in order, pairs of amounts in order, and flags that follow from a pair of amounts.
CREATE FUNCTION vouch_data.discover_relations(source regclass, flags jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	pair record;
	flag record;
	counts text := 'count(*)';
	found_pairs jsonb := '[]';
	n bigint[];
	i int := 2;
	x jsonb;
	result jsonb := '[]';
BEGIN
	FOR pair IN
		SELECT a.name AS l, b.name AS r, a.kind,
			-- amounts are only compared for order when their names say that they are related
			a.kind = 'date' OR EXISTS (SELECT FROM regexp_split_to_table(lower(a.name), '_') AS u
				JOIN regexp_split_to_table(lower(b.name), '_') AS v ON u = v WHERE length(u) >= 5) AS ordered
		FROM vouch_data.source_columns(source) a
		JOIN vouch_data.source_columns(source) b ON b.attnum <> a.attnum AND b.kind = a.kind AND b.type = a.type
		WHERE a.kind = 'date' OR a.kind = 'number' AND a.type ~ '^numeric\(\d+,2\)$'
		ORDER BY a.attnum, b.attnum
		LIMIT 150
	LOOP
		IF pair.ordered THEN
			counts := counts || format(', count(*) FILTER (WHERE t.%1$I <= t.%2$I), count(*) FILTER (WHERE t.%1$I > t.%2$I), count(*) FILTER (WHERE t.%1$I < t.%2$I)', pair.l, pair.r);
			found_pairs := found_pairs || jsonb_build_object('l', pair.l, 'r', pair.r);
		END IF;
		CONTINUE WHEN pair.kind = 'date';
		FOR flag IN SELECT f ->> 'column' AS col, f ->> 'value' AS value FROM jsonb_array_elements(flags) AS f LOOP
			counts := counts || format(', count(*) FILTER (WHERE t.%1$I > t.%2$I), count(*) FILTER (WHERE t.%1$I > t.%2$I AND t.%3$I::text = %4$L), count(*) FILTER (WHERE t.%3$I::text = %4$L)',
				pair.l, pair.r, flag.col, flag.value);
			found_pairs := found_pairs || jsonb_build_object('l', pair.l, 'r', pair.r, 'flag', flag.col, 'value', flag.value);
		END LOOP;
	END LOOP;
	PERFORM vouch_data.check_source(source);
	EXECUTE format('SELECT ARRAY[%s] FROM %s t', counts, source) INTO n;
	FOR x IN SELECT * FROM jsonb_array_elements(found_pairs) LOOP
		IF x ? 'flag' THEN
			-- n[i] rows meet the condition, n[i+1] of them have the flag, n[i+2] rows have the flag at all
			IF n[i] >= 30 AND n[i] < n[1] / 2 AND n[i + 1] >= 0.8 * n[i] AND n[i + 1] >= 0.8 * n[i + 2] THEN
				result := result || jsonb_build_object('kind', 'implication',
					'if', jsonb_build_object('left', x -> 'l', 'operator', '>', 'right', x -> 'r'),
					'then', jsonb_build_object('left', x -> 'flag', 'operator', '=', 'value', x -> 'value'));
			END IF;
		ELSIF n[i] + n[i + 1] >= 30 AND n[i] >= 0.99 * (n[i] + n[i + 1]) AND n[i + 2] >= 0.5 * (n[i] + n[i + 1]) THEN
			result := result || jsonb_build_object('kind', 'comparison', 'left', x -> 'l', 'operator', '<=', 'right', x -> 'r');
		END IF;
		i := i + 3;
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch_data.discover_relations(regclass, jsonb) IS
'Definitions of the rules between columns that nearly all rows keep: dates and related amounts in order, and flags ([{column, value}]) that say which of two amounts is larger';

-- Columns whose values another table's key has: declared, or found by the same name.
CREATE FUNCTION vouch_data.discover_references(source regclass) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	candidate record;
	known bigint;
	filled bigint;
	result jsonb := '[]';
BEGIN
	PERFORM vouch_data.check_source(source);
	FOR candidate IN
		SELECT DISTINCT ON (a.name) a.name AS col, k.relid, k.key, k.declared
		FROM vouch_data.source_columns(source) a
		CROSS JOIN LATERAL (
			SELECT c.confrelid AS relid, f.attname AS key, true AS declared
			FROM pg_constraint c JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = c.confkey[1]
			WHERE c.conrelid = source AND c.contype = 'f' AND c.conkey = ARRAY[a.attnum]::int2[]
			UNION ALL
			SELECT i.indrelid, f.attname, false
			FROM pg_class s
			JOIN pg_class o ON o.relnamespace = s.relnamespace AND o.oid <> s.oid AND o.relkind IN ('r', 'p')
			JOIN pg_index i ON i.indrelid = o.oid AND i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL
			JOIN pg_attribute f ON f.attrelid = i.indrelid AND f.attnum = i.indkey[0]
			WHERE s.oid = source AND f.attname = a.name AND format_type(f.atttypid, NULL) = regexp_replace(a.type, '\(.*\)', '')) AS k
		WHERE NOT a.primary_key AND has_table_privilege(k.relid, 'SELECT')
			AND has_schema_privilege((SELECT x.relnamespace FROM pg_class x WHERE x.oid = k.relid), 'USAGE')
		ORDER BY a.name, k.declared DESC, k.relid::regclass::text
	LOOP
		-- what the cycle may not read suggests no rule
		PERFORM vouch_data.lock_source(candidate.relid);
		CONTINUE WHEN vouch_data.acting_workflow() IS NOT NULL
			AND (SELECT p.message IS NOT NULL FROM vouch_data.source_problem(candidate.relid, vouch_data.acting_starter(), current_user) AS p);
		EXECUTE format('SELECT count(t.%1$I), count(*) FILTER (WHERE t.%1$I IN (SELECT r.%2$I FROM %3$s r WHERE r.%2$I IS NOT NULL)) FROM %4$s t',
			candidate.col, candidate.key, candidate.relid::regclass, source) INTO filled, known;
		IF filled > 0 AND known >= 0.99 * filled THEN
			result := result || jsonb_build_object('kind', 'referential', 'column', candidate.col,
				'table', candidate.relid::regclass::text, 'references', candidate.key);
		END IF;
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch_data.discover_references(regclass) IS
'Definitions of referential rules: foreign keys, and columns with the name of another table''s key in the same schema whose values it nearly all has';

-- How a rule is told to the person who approves it.
CREATE FUNCTION vouch_data.describe_rule(definition jsonb, OUT name text, OUT description text, OUT type text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE d ->> 'kind'
			WHEN 'uniqueness' THEN 'uniqueness_' || array_to_string(c, '_')
			WHEN 'comparison' THEN format('order_%s_%s', d ->> 'left', d ->> 'right')
			WHEN 'implication' THEN format('flag_%s_%s_%s', d #>> '{then,left}', d #>> '{if,left}', d #>> '{if,right}')
			ELSE format('%s_%s', d ->> 'kind', d ->> 'column') END,
		CASE d ->> 'kind'
			WHEN 'completeness' THEN format('%s is filled in', d ->> 'column')
			WHEN 'uniqueness' THEN format('no two rows have the same %s', array_to_string(c, ' and '))
			WHEN 'range' THEN CASE WHEN d ? 'min' AND d ? 'max' THEN format('%s lies between %s and %s', d ->> 'column', d ->> 'min', d ->> 'max')
				WHEN d ? 'min' THEN format('%s is at least %s', d ->> 'column', d ->> 'min')
				ELSE format('%s is at most %s', d ->> 'column', d ->> 'max') END
			WHEN 'domain' THEN format('%s is one of %s', d ->> 'column', CASE WHEN jsonb_array_length(d -> 'values') <= 8
				THEN (SELECT string_agg(v, ', ') FROM jsonb_array_elements_text(d -> 'values') AS v)
				ELSE format('%s known values', jsonb_array_length(d -> 'values')) END)
			WHEN 'pattern' THEN format('%s is written like %s', d ->> 'column', d ->> 'regex')
			WHEN 'referential' THEN format('%s exists in %s', d ->> 'column', d ->> 'table')
			WHEN 'comparison' THEN format('%s %s %s', d ->> 'left', CASE d ->> 'operator' WHEN '<=' THEN 'is not above' ELSE d ->> 'operator' END, d ->> 'right')
			WHEN 'implication' THEN format('%s is %s where %s %s %s', d #>> '{then,left}', d #>> '{then,value}',
				d #>> '{if,left}', CASE d #>> '{if,operator}' WHEN '>' THEN 'is above' ELSE d #>> '{if,operator}' END, coalesce(d #>> '{if,right}', d #>> '{if,value}'))
			END,
		CASE WHEN d ->> 'kind' IN ('uniqueness', 'comparison', 'implication') THEN 'quality_check' ELSE 'validation' END
	FROM (SELECT definition AS d, vouch_data.rule_columns(definition) AS c) AS x
$$;
COMMENT ON FUNCTION vouch_data.describe_rule(jsonb) IS 'Name, sentence and type of a rule, from its definition';

CREATE FUNCTION vouch.generate_profiling_rules(source regclass) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	col record;
	counts text := 'count(*)';
	n bigint[];
	rows bigint;
	filled bigint;
	distincts bigint;
	i int := 2;
	def jsonb;
	flags jsonb := '[]';
	defs jsonb := '[]';
	lo numeric;
	hi numeric;
	least_value numeric;
	most_value numeric;
	span numeric;
	result jsonb;
	key bigint := vouch_data.open_source(source);
BEGIN
	FOR col IN SELECT * FROM vouch_data.source_columns(source) LOOP
		counts := counts || format(', count(*) FILTER (WHERE t.%1$I IS NOT NULL AND btrim(t.%1$I::text) <> ''''), count(DISTINCT t.%1$I%2$s)',
			col.name, CASE col.kind WHEN 'other' THEN '::text' ELSE '' END);
	END LOOP;
	EXECUTE format('SELECT ARRAY[%s] FROM %s t', counts, source) INTO n;
	rows := n[1];
	IF rows = 0 THEN
		RAISE EXCEPTION 'source table % has no rows', source
			USING ERRCODE = 'VO605', DETAIL = 'Profiling rules are found in the data.',
				HINT = 'Load the table first, or grant the right to see its rows when row security hides them.';
	END IF;
	FOR col IN SELECT * FROM vouch_data.source_columns(source) LOOP
		filled := n[i];
		distincts := n[i + 1];
		i := i + 2;
		CONTINUE WHEN filled = 0;
		-- what the table itself guarantees needs no rule
		IF filled >= 0.98 * rows AND NOT (col.mandatory AND col.kind <> 'text') THEN
			defs := defs || jsonb_build_object('kind', 'completeness', 'column', col.name);
		END IF;
		IF (col.kind = 'text' OR col.type IN ('bigint', 'integer')) AND rows >= 20 AND distincts >= 0.99 * filled AND NOT col.primary_key THEN
			defs := defs || jsonb_build_object('kind', 'uniqueness', 'columns', jsonb_build_array(col.name));
		END IF;
		def := NULL;
		IF col.kind = 'text' OR col.kind = 'number' AND distincts <= 60 THEN
			def := vouch_data.discover_values(source, col.name, col.kind = 'text', filled, distincts);
			IF def IS NOT NULL THEN
				defs := defs || def;
			END IF;
		END IF;
		IF col.kind = 'boolean' THEN
			flags := flags || jsonb_build_object('column', col.name, 'value', 'true') || jsonb_build_object('column', col.name, 'value', 'false');
		ELSIF def ->> 'kind' = 'domain' AND jsonb_array_length(def -> 'values') = 2 THEN
			flags := flags || jsonb_build_object('column', col.name, 'value', def #> '{values,0}')
				|| jsonb_build_object('column', col.name, 'value', def #> '{values,1}');
		END IF;
		IF col.kind IN ('number', 'date') AND def IS NULL AND NOT col.primary_key AND rows >= 20
			AND NOT (col.kind = 'number' AND col.name ~* '_(id|no|number|key|code)$') THEN
			-- limits as far beyond the 1 % and 99 % quantiles as these lie apart, and never beyond what occurs
			EXECUTE format('SELECT q[1], q[2], q[3], q[4] FROM (SELECT percentile_disc(ARRAY[0.01, 0.99, 0, 1]) WITHIN GROUP (ORDER BY x) AS q FROM (SELECT %1$s AS x FROM %2$s t WHERE t.%3$I IS NOT NULL AND %4$s) s) p',
				CASE col.kind WHEN 'date' THEN format('floor(extract(epoch FROM t.%I) / 86400)', col.name) ELSE format('t.%I::numeric', col.name) END,
				source, col.name,
				CASE col.kind WHEN 'date' THEN format('isfinite(t.%I)', col.name) ELSE format('t.%I::numeric NOT IN (''NaN'', ''Infinity'', ''-Infinity'')', col.name) END)
			INTO lo, hi, least_value, most_value;
			CONTINUE WHEN lo IS NULL OR lo = hi;
			span := hi - lo;
			-- what is hardly ever negative is not meant to be
			lo := CASE WHEN lo >= 0 AND col.kind = 'number' THEN greatest(lo - span, 0) ELSE lo - span END;
			hi := hi + span;
			IF col.kind = 'date' THEN
				lo := CASE WHEN least_value >= lo THEN least_value ELSE lo END;
				hi := CASE WHEN most_value <= hi THEN most_value ELSE hi END + CASE col.type WHEN 'date' THEN 0 ELSE 1 END;
				defs := defs || jsonb_build_object('kind', 'range', 'column', col.name,
					'min', to_char('1970-01-01'::date + lo::int, 'YYYY-MM-DD'),
					'max', to_char('1970-01-01'::date + hi::int, 'YYYY-MM-DD'));
			ELSE
				lo := vouch_data.round_limit(CASE WHEN least_value >= lo THEN least_value ELSE lo END, false);
				hi := vouch_data.round_limit(CASE WHEN most_value <= hi THEN most_value ELSE hi END, true);
				defs := defs || jsonb_build_object('kind', 'range', 'column', col.name, 'min', lo, 'max', hi);
			END IF;
		END IF;
	END LOOP;
	defs := defs || vouch_data.discover_relations(source, flags) || vouch_data.discover_references(source);
	result := (
		SELECT coalesce(jsonb_agg(rule - 'o' || jsonb_build_object('recommendation_reason',
			CASE WHEN (rule ->> 'rows_failed')::bigint = 0 THEN format('All %s rows that it applies to keep it.', rule ->> 'rows_checked')
				ELSE format('%s of %s rows that it applies to keep it; %s do not.', (rule ->> 'rows_checked')::bigint - (rule ->> 'rows_failed')::bigint,
					rule ->> 'rows_checked', rule ->> 'rows_failed') END) ORDER BY (rule ->> 'o')::int), '[]')
		FROM jsonb_array_elements(vouch.measure_profiling_rules(source, (
			SELECT coalesce(jsonb_agg(jsonb_build_object('name', r.name, 'type', r.type, 'definition', d, 'description', r.description, 'o', o) ORDER BY o), '[]')
			FROM jsonb_array_elements(defs) WITH ORDINALITY AS x(d, o), LATERAL vouch_data.describe_rule(d) AS r))) AS rule);
	PERFORM vouch_data.somebody_acts(key);
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch.generate_profiling_rules(regclass) IS
'Profiling rules found in a table''s data, in the shape that create_profiling_version() takes: [{name, type (validation or quality_check), definition, description, recommendation_reason, rows_checked, rows_failed, observed_pass_rate (0 to 1)}]. definition is machine-readable, with kind completeness, uniqueness, range, domain, pattern, referential, comparison or implication (docs/cycle.md); a few dirty rows do not hide a rule. Reads with the caller''s rights; VO605 when the table cannot be read or is empty';

GRANT EXECUTE ON FUNCTION vouch_data.round_limit(numeric, boolean), vouch_data.discover_values(regclass, text, boolean, bigint, bigint),
	vouch_data.discover_relations(regclass, jsonb), vouch_data.discover_references(regclass), vouch_data.describe_rule(jsonb),
	vouch.generate_profiling_rules(regclass) TO vouch_reader;
