-- sampling.sql: which rows to test.  Drawing is reproducible: chance is the
-- order of md5(seed || ':' || key), which anybody can recompute, and the
-- digest of the population says whether it is still the same.

CREATE FUNCTION vouch.population_digest(source regclass, key_column text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET extra_float_digits = 1
SET intervalstyle = 'postgres' SET bytea_output = 'hex' AS $$
DECLARE
	key bigint := vouch_data.open_source(source);
	result text;
BEGIN
	-- in 4096 parts, so that no aggregate has to hold a hash of every row
	EXECUTE format($q$
		SELECT encode(sha256(convert_to(coalesce(string_agg(part, '' ORDER BY p COLLATE "C"), ''), 'UTF8')), 'hex')
		FROM (SELECT left(h, 3) AS p, md5(string_agg(row_hash, '' ORDER BY h, row_hash)) AS part
			FROM (SELECT md5(t.%I::text) AS h, md5(t::text) AS row_hash FROM %s t) r GROUP BY 1) s$q$,
		vouch_data.source_column(source, key_column, 'key_column'), source)
	INTO result;
	PERFORM vouch_data.somebody_acts(key);
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch.population_digest(regclass, text) IS
'SHA-256 (hex) over every row of a table, whatever their order: equal digests mean an unchanged population. Reads with the caller''s rights';

CREATE FUNCTION vouch_data.sample_shares(method text, OUT part text, OUT share numeric, OUT part_no int)
RETURNS SETOF record
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	bad text;
BEGIN
	IF method = 'mix' THEN
		method := 'risk_based=40, stratified=30, boundary=15, anomaly=15';
	END IF;
	RETURN QUERY
	SELECT btrim(split_part(p, '=', 1)), CASE WHEN split_part(p, '=', 2) ~ '^ *[0-9]+(\.[0-9]+)? *$' THEN split_part(p, '=', 2)::numeric
			WHEN p LIKE '%=%' THEN NULL ELSE 1 END, o::int
	FROM regexp_split_to_table(method, ',') WITH ORDINALITY AS x(p, o);
	SELECT btrim(p) INTO bad
	FROM regexp_split_to_table(coalesce(method, ''), ',') AS p
	WHERE btrim(p) !~ '^(random|stratified|risk_based|boundary|anomaly) *(= *[0-9]+(\.[0-9]+)?)?$' LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'there is no way of sampling called "%"', bad
			USING ERRCODE = 'VO502',
				HINT = 'Use random, stratified, risk_based, boundary or anomaly, several with shares as in ''stratified=60, risk_based=40'', or mix.';
	END IF;
END
$$;
COMMENT ON FUNCTION vouch_data.sample_shares(text) IS 'The parts of a sampling method and their shares, in order';

CREATE FUNCTION vouch.generate_sample_recommendations(
	source regclass, key_column text, lob_column text, size int DEFAULT 60, method text DEFAULT 'mix',
	seed bigint DEFAULT 1, rules jsonb DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	k text := vouch_data.source_column(source, key_column, 'key_column');
	l text := CASE WHEN lob_column IS NOT NULL THEN vouch_data.source_column(source, lob_column, 'lob_column') END;
	draw text := format('md5(%L || '':'' || t.%I::text)', seed, k);
	lob text := CASE WHEN l IS NULL THEN '''''::text' ELSE format('coalesce(nullif(btrim(t.%I::text), ''''), ''(none)'')', l) END;
	part record;
	col record;
	rule jsonb;
	population bigint;
	nkeys bigint;
	wanted int;
	shares numeric;
	upto numeric := 0;
	done int := 0;
	parts text[];
	lists text[];
	keys text[];
	reasons text[];
	chosen text[] := '{}';
	types text[] := '{}';
	why text[] := '{}';
	samples jsonb;
	strata jsonb;
	digest text;
	guard bigint;
BEGIN
	IF size IS NULL OR size < 1 OR size > 100000 THEN
		RAISE EXCEPTION 'a sample of % rows cannot be drawn', coalesce(size::text, 'NULL')
			USING ERRCODE = 'VO502', HINT = 'Give a size between 1 and 100000.';
	END IF;
	guard := vouch_data.open_source(source);
	EXECUTE format('SELECT count(*), count(DISTINCT t.%I) FROM %s t', k, source) INTO population, nkeys;
	IF nkeys <> population THEN
		RAISE EXCEPTION 'column "%" does not identify the rows of %', k, source
			USING ERRCODE = 'VO605', DETAIL = format('%s rows have %s different values that are not null.', population, nkeys),
				HINT = 'Give the primary key, or another column that is unique and never null, as key_column.';
	END IF;
	SELECT sum(s.share), array_agg(s.part ORDER BY s.part_no) INTO shares, parts FROM vouch_data.sample_shares(method) s;
	IF 'risk_based' = ANY (parts) AND rules IS NULL THEN
		rules := vouch.generate_profiling_rules(source);
	END IF;
	FOR part IN SELECT * FROM vouch_data.sample_shares(method) s ORDER BY s.part_no LOOP
		upto := upto + part.share;
		wanted := round(size * upto / shares) - done;
		CONTINUE WHEN wanted <= 0;
		keys := '{}';
		reasons := '{}';
		lists := '{}';
		CASE part.part
		WHEN 'random' THEN
			EXECUTE format('SELECT array_agg(key ORDER BY h) FROM (SELECT t.%I::text AS key, %s AS h FROM %s t WHERE NOT (t.%1$I::text = ANY ($1)) ORDER BY 2 LIMIT $2) s',
				k, draw, source) INTO keys USING chosen, wanted;
			reasons := array_fill('Drawn at random.'::text, ARRAY[coalesce(cardinality(keys), 0)]);
		WHEN 'stratified' THEN
			-- each line of business in proportion to its rows, and at least one row
			EXECUTE format($q$
				WITH r AS (SELECT t.%1$I::text AS key, %2$s AS lob, %3$s AS h FROM %4$s t),
				n AS (SELECT lob, count(*) AS n FROM r GROUP BY lob),
				q AS (SELECT lob, greatest(1, $2 * n / sum(n) OVER ()) AS quota, n FROM n),
				o AS (SELECT r.key, r.lob, r.h, q.quota, q.n, row_number() OVER (PARTITION BY r.lob ORDER BY r.h) AS rank
					FROM r JOIN q USING (lob) WHERE NOT (r.key = ANY ($1)))
				SELECT array_agg(key ORDER BY rank / quota, h), array_agg(format('Drawn at random in %%s, which has %%s rows.', lob, n) ORDER BY rank / quota, h)
				FROM (SELECT * FROM o ORDER BY rank > 1, rank / quota, h LIMIT $2) s$q$, k, lob, draw, source)
			INTO keys, reasons USING chosen, wanted;
		WHEN 'risk_based' THEN
			-- the rows that break a rule, one for each rule in turn
			FOR rule IN SELECT r FROM jsonb_array_elements(rules) AS r WHERE coalesce((r ->> 'rows_failed')::bigint, 1) > 0 LOOP
				lists := lists || format('SELECT t.%1$I::text AS key, %2$L AS what, %3$s AS h FROM %4$s t WHERE NOT %5$s AND NOT (t.%1$I::text = ANY ($1))',
					k, coalesce(rule ->> 'description', rule ->> 'name'), draw, source, vouch_data.rule_condition(source, rule -> 'definition'));
			END LOOP;
			IF cardinality(lists) > 0 THEN
				EXECUTE format($q$
					WITH f AS (SELECT key, what, h, row_number() OVER (PARTITION BY what ORDER BY h) AS rank FROM (%s) s),
					k AS (SELECT DISTINCT ON (key) key, what, h, rank FROM f ORDER BY key, rank, what)
					SELECT array_agg(key ORDER BY rank, what, h), array_agg(format('Breaks the rule: %%s.', what) ORDER BY rank, what, h)
					FROM (SELECT * FROM k ORDER BY rank, what, h LIMIT $2) s$q$, array_to_string(lists, ' UNION ALL '))
				INTO keys, reasons USING chosen, wanted;
			END IF;
		WHEN 'boundary' THEN
			FOR col IN SELECT * FROM vouch_data.source_columns(source) c
				WHERE c.kind IN ('number', 'date') AND c.name <> k AND c.name !~* '_(id|no|number|key|code)$'
			LOOP
				lists := lists || format('(SELECT t.%1$I::text AS key, %2$L || e.what AS what, %3$s AS h FROM %4$s t JOIN (SELECT min(m.%5$I) AS v, '' is lowest'' AS what FROM %4$s m UNION ALL SELECT max(m.%5$I), '' is highest'' FROM %4$s m) e ON t.%5$I = e.v AND NOT (t.%1$I::text = ANY ($1)))',
					k, col.name, draw, source, col.name);
			END LOOP;
			IF cardinality(lists) > 0 THEN
				EXECUTE format($q$
					WITH f AS (SELECT key, what, h, row_number() OVER (PARTITION BY what ORDER BY h) AS rank FROM (%s) s),
					k AS (SELECT DISTINCT ON (key) key, what, h, rank FROM f ORDER BY key, rank, what)
					SELECT array_agg(key ORDER BY rank, h), array_agg(format('A boundary of the data: %%s.', what) ORDER BY rank, h)
					FROM (SELECT * FROM k ORDER BY rank, h LIMIT $2) s$q$, array_to_string(lists, ' UNION ALL '))
				INTO keys, reasons USING chosen, wanted;
			END IF;
		WHEN 'anomaly' THEN
			-- farthest from the median, in units of the middle 80 % of the column
			FOR col IN SELECT * FROM vouch_data.source_columns(source) c
				WHERE c.kind = 'number' AND c.name <> k AND c.name !~* '_(id|no|number|key|code)$'
			LOOP
				lists := lists || format('SELECT t.%1$I::text AS key, %2$L AS what, abs(t.%2$I - q[2]) / (q[3] - q[1]) AS distance, %3$s AS h FROM %4$s t, (SELECT percentile_disc(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY m.%2$I) AS q FROM %4$s m) p WHERE q[3] > q[1] AND NOT (t.%1$I::text = ANY ($1))',
					k, col.name, draw, source);
			END LOOP;
			IF cardinality(lists) > 0 THEN
				EXECUTE format($q$
					WITH f AS (SELECT key, what, distance, h, row_number() OVER (PARTITION BY what ORDER BY distance DESC, h) AS rank FROM (%s) s),
					k AS (SELECT DISTINCT ON (key) key, what, distance, h, rank FROM f ORDER BY key, rank, distance DESC, what)
					SELECT array_agg(key ORDER BY rank, distance DESC, h), array_agg(format('An anomaly: %%s is far from what is usual.', what) ORDER BY rank, distance DESC, h)
					FROM (SELECT * FROM k ORDER BY rank, distance DESC, h LIMIT $2) s$q$, array_to_string(lists, ' UNION ALL '))
				INTO keys, reasons USING chosen, wanted;
			END IF;
		END CASE;
		chosen := chosen || coalesce(keys, '{}');
		why := why || coalesce(reasons, '{}');
		types := types || array_fill(part.part, ARRAY[coalesce(cardinality(keys), 0)]);
		done := cardinality(chosen);
	END LOOP;
	EXECUTE format($q$
		SELECT coalesce(jsonb_agg(jsonb_build_object('id', c.key, 'type', c.type, 'source', 'tester', 'lob_id', %1$s, 'reason', c.why, 'data', to_jsonb(t)) ORDER BY c.o), '[]')
		FROM unnest($1, $2, $3) WITH ORDINALITY AS c(key, type, why, o) JOIN %2$s t ON t.%3$I::text = c.key$q$, lob, source, k)
	INTO samples USING chosen, types, why;
	EXECUTE format('SELECT jsonb_object_agg(lob, n) FROM (SELECT %s AS lob, count(*) AS n FROM %s t GROUP BY 1) s', lob, source) INTO strata;
	digest := vouch.population_digest(source, k);
	PERFORM vouch_data.somebody_acts(guard);
	RETURN jsonb_build_object('samples', samples, 'selection_criteria', jsonb_build_object(
		'source', source::text, 'key_column', k, 'lob_column', l, 'method', method, 'seed', seed,
		'target_size', size, 'actual_size', jsonb_array_length(samples), 'drawn', to_jsonb(chosen),
		'generation_methods', to_jsonb(parts),
		'rules', (SELECT jsonb_agg(jsonb_build_object('name', r -> 'name', 'definition', r -> 'definition', 'description', r -> 'description'))
			FROM jsonb_array_elements(CASE WHEN 'risk_based' = ANY (parts) THEN rules END) AS r),
		'population_rows', population, 'population_by_lob', strata,
		'population_digest', digest, 'population_list', (vouch_data.population_list(source, k)).list_digest));
END
$$;
COMMENT ON FUNCTION vouch.generate_sample_recommendations(regclass, text, text, int, text, bigint, jsonb) IS
'Draws rows to test: {samples: [{id, type, source, lob_id, reason, data}], selection_criteria: {source, key_column, lob_column, method, seed, target_size, actual_size, drawn (the ids), generation_methods, rules, population_rows, population_by_lob, population_digest, population_list (digest of its keys and rows; null of more than 2,000,000)}}, as create_sample_selection_version() takes them. method is random, stratified (by lob_column; rows without a line of business form one called (none)), risk_based (rows that break rules, which default to generate_profiling_rules(source)), boundary, anomaly, several of them with shares as in ''stratified=60, risk_based=40'', or mix. The same call on the same rows returns the same samples. Reads with the caller''s rights';

CREATE FUNCTION vouch.redraw_samples(selection_criteria jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT vouch.generate_sample_recommendations(vouch_data.source_table(c ->> 'source'), c ->> 'key_column', c ->> 'lob_column',
		(c ->> 'target_size')::int, c ->> 'method', (c ->> 'seed')::bigint, nullif(c -> 'rules', 'null'))
	FROM (SELECT selection_criteria AS c) AS x
$$;
COMMENT ON FUNCTION vouch.redraw_samples(jsonb) IS
'Draws again by the selection criteria that a sample selection version stored; for auditors, who compare population_digest and the samples';

GRANT EXECUTE ON FUNCTION vouch.population_digest(regclass, text), vouch_data.sample_shares(text),
	vouch.generate_sample_recommendations(regclass, text, text, int, text, bigint, jsonb), vouch.redraw_samples(jsonb) TO vouch_reader;

CREATE FUNCTION vouch_data.drawn_samples(version_id uuid, criteria jsonb) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	-- the criteria name them; without, they are known by what their makers say of them
	SELECT CASE WHEN jsonb_typeof($2 -> 'drawn') = 'array' THEN ARRAY(SELECT jsonb_array_elements_text($2 -> 'drawn'))
		ELSE ARRAY(
			SELECT DISTINCT i.item_key
			FROM (SELECT vouch.bucket_of($1) AS bucket, vouch_data.artifact_number($1) AS artifact_no, vouch_data.version_number($1) AS version_no) AS v
			JOIN vouch_data.decision d ON d.bucket = v.bucket AND d.artifact_no = v.artifact_no AND d.stage = 1 AND d.from_no <= v.version_no
			JOIN vouch_data.item i ON i.bucket = v.bucket AND i.artifact_no = v.artifact_no AND i.item_no = d.item_no
			JOIN vouch_data.item_body b ON b.bucket = v.bucket AND b.artifact_no = v.artifact_no AND b.body_no = d.body_no
			WHERE d.source <> 'manual' AND (b.payload ? 'redacted' AND NOT b.payload ? 'type'
				OR b.payload ->> 'type' IN (SELECT s.part FROM vouch_data.sample_shares($2 ->> 'method') s))) END
$$;
COMMENT ON FUNCTION vouch_data.drawn_samples(uuid, jsonb) IS
'Keys that were drawn for a version: selection_criteria.drawn, or of criteria without it what it and the versions before had of a type of the method and not of source manual';

CREATE FUNCTION vouch.resample(version_id uuid, listed int DEFAULT 100) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	criteria jsonb := vouch.get_version(version_id) #> '{metadata,selection_criteria}';
	source regclass;
	drawn jsonb;				-- what is drawn now
	now_criteria jsonb;
	was text[];					-- keys drawn for the version
	shown jsonb;				-- key to data, of what the version shows; null: redacted
	again jsonb;				-- key to data, of what is drawn now
	dropped text[];				-- of what it does not show, what a review turned down
	result jsonb;
BEGIN
	IF criteria ->> 'source' IS NULL OR criteria ->> 'seed' IS NULL OR criteria ->> 'population_digest' IS NULL THEN
		RAISE EXCEPTION 'version "%" does not say how its samples were drawn', version_id
			USING ERRCODE = 'VO605', DETAIL = 'Its selection_criteria lack source, seed or population_digest.',
				HINT = 'Pass the selection_criteria of generate_sample_recommendations() to create_sample_selection_version(), together with its samples.';
	END IF;
	source := vouch_data.source_table(criteria ->> 'source');
	drawn := vouch.redraw_samples(criteria);
	now_criteria := drawn -> 'selection_criteria';
	was := vouch_data.drawn_samples(version_id, criteria);
	SELECT coalesce(jsonb_object_agg(i.item_key, i.payload -> 'data'), '{}') INTO shown FROM vouch.version_items(version_id) i;
	SELECT coalesce(jsonb_object_agg(s ->> 'id', s -> 'data'), '{}') INTO again FROM jsonb_array_elements(drawn -> 'samples') AS s;
	dropped := ARRAY(
		SELECT DISTINCT i.item_key
		FROM (SELECT vouch.bucket_of(version_id) AS bucket, vouch_data.artifact_number(version_id) AS artifact_no, vouch_data.version_number(version_id) AS version_no) AS v
		JOIN vouch_data.item i ON i.bucket = v.bucket AND i.artifact_no = v.artifact_no AND i.item_key = ANY (was) AND NOT shown ? i.item_key
		JOIN vouch_data.decision d ON d.bucket = v.bucket AND d.artifact_no = v.artifact_no AND d.item_no = i.item_no
			AND d.from_no < v.version_no AND d.status IN ('rejected', 'needs_changes')
		ORDER BY i.item_key);

	result := jsonb_build_object('version_id', version_id,
		'method', criteria -> 'method', 'seed', criteria -> 'seed', 'target_size', criteria -> 'target_size',
		'same_samples', (SELECT coalesce(array_agg(DISTINCT k ORDER BY k), '{}') FROM unnest(was) k)
			= (SELECT coalesce(array_agg(k ORDER BY k), '{}') FROM jsonb_object_keys(again) k),
		'population_unchanged', criteria ->> 'population_digest' = now_criteria ->> 'population_digest',
		'samples', drawn -> 'samples',
		'only_drawn_then', (SELECT coalesce(jsonb_agg(DISTINCT k ORDER BY k), '[]') FROM unnest(was) k WHERE NOT again ? k),
		'only_drawn_now', (SELECT coalesce(jsonb_agg(k ORDER BY k), '[]') FROM jsonb_object_keys(again) k WHERE k <> ALL (was)),
		'added_by_hand', (SELECT coalesce(jsonb_agg(k ORDER BY k), '[]') FROM jsonb_object_keys(shown) k WHERE k <> ALL (was)),
		'dropped_by_review', to_jsonb(dropped),
		'left_out', (SELECT coalesce(jsonb_agg(DISTINCT k ORDER BY k), '[]') FROM unnest(was) k WHERE NOT shown ? k AND k <> ALL (dropped)),
		'redacted', (SELECT coalesce(jsonb_agg(i.item_key ORDER BY i.item_key), '[]') FROM vouch.version_items(version_id) i
			WHERE i.item_key = ANY (was) AND i.payload ? 'redacted' AND NOT i.payload ? 'data'));
	IF (result ->> 'population_unchanged')::boolean THEN
		RETURN result || '{"population": null}';
	END IF;
	RETURN result || jsonb_build_object('population', jsonb_build_object(
		'digest_then', criteria -> 'population_digest', 'digest_now', now_criteria -> 'population_digest',
		'rows_then', criteria -> 'population_rows', 'rows_now', now_criteria -> 'population_rows',
		'rows_by_lob', (SELECT coalesce(jsonb_object_agg(coalesce(o.key, n.key), jsonb_build_object('then', o.value, 'now', n.value)), '{}')
			FROM jsonb_each(nullif(criteria -> 'population_by_lob', 'null')) o
			FULL JOIN jsonb_each(nullif(now_criteria -> 'population_by_lob', 'null')) n USING (key) WHERE o.value IS DISTINCT FROM n.value))
		|| vouch_data.population_changes(version_id, criteria, greatest(listed, 0))
		|| vouch_data.sample_changes(source, criteria ->> 'key_column', (SELECT coalesce(jsonb_object_agg(k, shown -> k), '{}') FROM unnest(was) k)));
END
$$;
COMMENT ON FUNCTION vouch.resample(uuid, int) IS
'Draws the samples of a sample selection version again, with its stored seed, method and size: {version_id, method, seed, target_size, same_samples, population_unchanged, samples (as drawn now), only_drawn_then, only_drawn_now, added_by_hand, dropped_by_review, left_out, redacted (keys), population}. same_samples compares what was drawn for the version, as its selection_criteria.drawn has it, with what is drawn now, whatever became of it since: added_by_hand are samples of the version that were not drawn; of what was drawn, dropped_by_review is what a review turned down and a revision does not have, left_out what else the version does not have, and redacted what it has without its data. population is null while its digest is what it was, and then the samples are the same; else what changed: {digest_then, digest_now, rows_then, rows_now, rows_by_lob: {lob: {then, now}} where they differ, rows_came, rows_gone, rows_changed: {count, keys: the first of them, at most listed}, rows_unknown: null or why these are null, samples_gone: [keys], samples_changed: {key: {column: {then, now}}}}, the last two of what was drawn. Rows that are gone have no keys (null) where these are long, of more than 16 bytes on the average: only hashes of such are kept. Of samples whose data the version does not have, only whether they are gone is known. Reads the source with the caller''s rights. VO605 when the version does not say how it was drawn, or the source is gone';

CREATE FUNCTION vouch_data.sample_changes(source regclass, key_column text, samples jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	result jsonb;
BEGIN
	EXECUTE format($q$
		SELECT jsonb_build_object(
			'samples_gone', coalesce(jsonb_agg(s.key ORDER BY s.key) FILTER (WHERE t IS NULL), '[]'),
			'samples_changed', coalesce(jsonb_object_agg(s.key, c.columns) FILTER (WHERE c.columns IS NOT NULL), '{}'))
		FROM jsonb_each($1) s LEFT JOIN (SELECT t.%1$I::text AS key, to_jsonb(t) AS t FROM %2$s t) t USING (key),
		LATERAL (SELECT jsonb_object_agg(coalesce(o.key, n.key), jsonb_build_object('then', o.value, 'now', n.value)) AS columns
			FROM jsonb_each(CASE WHEN jsonb_typeof(s.value) = 'object' THEN s.value END) o FULL JOIN jsonb_each(t) n USING (key)
			WHERE t IS NOT NULL AND jsonb_typeof(s.value) = 'object' AND o.value IS DISTINCT FROM n.value) c$q$,
		vouch_data.source_column(source, key_column, 'key_column'), source)
	INTO result USING samples;
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch_data.sample_changes(regclass, text, jsonb) IS
'How rows differ from what they were, an object of key and data (null: not known): {samples_gone, samples_changed}';

GRANT EXECUTE ON FUNCTION vouch.resample(uuid, int), vouch_data.drawn_samples(uuid, jsonb), vouch_data.sample_changes(regclass, text, jsonb) TO vouch_reader;
