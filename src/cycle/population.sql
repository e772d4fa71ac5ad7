-- population.sql: which rows a population had when samples were drawn from it,
-- so that of one that changed it can be said which rows came, went and changed.
--
-- Kept are the keys and 48 bits of a hash of each row.  Of keys that are long (as UUIDs are) only
-- hashes are kept, too: then rows that are gone are counted, and not named.

CREATE TABLE vouch_data.population (
	bucket int NOT NULL,
	list_digest text NOT NULL,
	rows bigint NOT NULL,
	keys text,
	key_hashes bytea,
	row_hashes bytea NOT NULL,
	PRIMARY KEY (bucket, list_digest),
	CHECK ((keys IS NULL) <> (key_hashes IS NULL))
);
COMMENT ON TABLE vouch_data.population IS 'What populations were when samples were drawn, by the digest that selection_criteria.population_list names; one for all versions of a subject that share it';
COMMENT ON COLUMN vouch_data.population.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.population.list_digest IS 'SHA-256 of the other columns, in hexadecimal: what a version names in its metadata, and so in its content digest';
COMMENT ON COLUMN vouch_data.population.rows IS 'How many rows';
COMMENT ON COLUMN vouch_data.population.keys IS 'Their keys in the order of their bytes, each on a line; NULL when key_hashes has them';
COMMENT ON COLUMN vouch_data.population.key_hashes IS 'The first 6 bytes of the MD5 of each key, in the order of the keys; NULL when keys has them';
COMMENT ON COLUMN vouch_data.population.row_hashes IS 'The first 6 bytes of the MD5 of each row as text, in the same order';
ALTER TABLE vouch_data.population ALTER key_hashes SET STORAGE EXTERNAL, ALTER row_hashes SET STORAGE EXTERNAL;
SELECT pg_catalog.pg_extension_config_dump('vouch_data.population', '');
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vouch_data.population
	FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.guard('added');
ALTER TABLE vouch_data.population ENABLE ALWAYS TRIGGER guard;
GRANT SELECT ON vouch_data.population TO vouch_reader;

CREATE FUNCTION vouch_data.population_list_digest(rows bigint, keys text, key_hashes bytea, row_hashes bytea) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT encode(sha256(convert_to(format('vouch-population-1 %s %s %s', rows, coalesce(octet_length(keys)::text, '-'), coalesce(octet_length(key_hashes)::text, '-')) || chr(10), 'UTF8')
		|| coalesce(convert_to(keys, 'UTF8'), key_hashes, '') || row_hashes), 'hex')
$$;
COMMENT ON FUNCTION vouch_data.population_list_digest(bigint, text, bytea, bytea) IS 'The digest by which vouch_data.population keeps a list';

CREATE FUNCTION vouch_data.population_list(source regclass, key_column text,
	OUT rows bigint, OUT keys text, OUT key_hashes bytea, OUT row_hashes bytea, OUT list_digest text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET extra_float_digits = 1
SET intervalstyle = 'postgres' SET bytea_output = 'hex' AS $$
DECLARE
	guard bigint := vouch_data.open_source(source);
	bytes bigint;
	lines boolean;
	col text := vouch_data.source_column(source, key_column, 'key_column');
BEGIN
	EXECUTE format('SELECT count(*), coalesce(sum(octet_length(t.%1$I::text) + 1), 0), coalesce(bool_or(strpos(t.%1$I::text, chr(10)) > 0), false) FROM %2$s t', col, source)
	INTO rows, bytes, lines;
	IF rows <= 2000000 THEN
		EXECUTE format($q$
			SELECT CASE WHEN $1 THEN coalesce(string_agg(k, chr(10) ORDER BY k COLLATE "C"), '') END,
				CASE WHEN NOT $1 THEN coalesce(string_agg(decode(left(md5(k), 12), 'hex'), '' ORDER BY k COLLATE "C"), '') END,
				coalesce(string_agg(decode(left(h, 12), 'hex'), '' ORDER BY k COLLATE "C"), '')
			FROM (SELECT t.%I::text AS k, md5(t::text) AS h FROM %s t OFFSET 0) r$q$, col, source)
		INTO keys, key_hashes, row_hashes USING NOT lines AND bytes <= 17 * rows;
		list_digest := vouch_data.population_list_digest(rows, keys, key_hashes, row_hashes);
	END IF;
	PERFORM vouch_data.somebody_acts(guard);
END
$$;
COMMENT ON FUNCTION vouch_data.population_list(regclass, text) IS
'The rows of a table as vouch_data.population keeps them; of more than 2,000,000 rows only how many. Reads with the caller''s rights';

CREATE FUNCTION vouch_data.store_population(version_id uuid, rows bigint, keys text, key_hashes bytea, row_hashes bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	list text := vouch_data.population_list_digest(rows, keys, key_hashes, row_hashes);
BEGIN
	IF list IS DISTINCT FROM vouch.get_version(version_id) #>> '{metadata,selection_criteria,population_list}' THEN
		RAISE EXCEPTION 'version "%" was not drawn from this population', version_id
			USING ERRCODE = 'VO605', HINT = 'Call vouch.keep_population(), which reads it.';
	END IF;
	INSERT INTO vouch_data.population VALUES (vouch.bucket_of(version_id), list, rows, keys, key_hashes, row_hashes) ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION vouch_data.store_population(uuid, bigint, text, bytea, bytea) IS 'Keeps the list of rows that a version names by its digest; VO605 when this is another';

CREATE FUNCTION vouch.keep_population(version_id uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	criteria jsonb := vouch.get_version(version_id) #> '{metadata,selection_criteria}';
	list record;
BEGIN
	IF criteria ->> 'population_list' IS NULL THEN
		RETURN false;
	END IF;
	IF EXISTS (SELECT FROM vouch_data.population p WHERE p.bucket = vouch.bucket_of(version_id) AND p.list_digest = criteria ->> 'population_list') THEN
		RETURN true;
	END IF;
	list := vouch_data.population_list(vouch_data.source_table(criteria ->> 'source'), criteria ->> 'key_column');
	IF list.list_digest IS DISTINCT FROM criteria ->> 'population_list' THEN
		RETURN false;
	END IF;
	PERFORM vouch_data.store_population(version_id, list.rows, list.keys, list.key_hashes, list.row_hashes);
	RETURN true;
END
$$;
COMMENT ON FUNCTION vouch.keep_population(uuid) IS
'Keeps which rows the population had from which the samples of a version were drawn, so that vouch.resample() can name those that came, went and changed since: 8 to 14 bytes a row, once for all versions of the subject that share it. create_sample_selection_version() does so by itself. False when it is too late, because the population has changed, or when the version does not name it (or it had more than 2,000,000 rows). Reads the source with the caller''s rights. VO102 when there is no such version, VO605 when the source is gone';

CREATE FUNCTION vouch_data.population_changes(version_id uuid, criteria jsonb, listed int) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET extra_float_digits = 1
SET intervalstyle = 'postgres' SET bytea_output = 'hex' AS $$
DECLARE
	source regclass := vouch_data.source_table(criteria ->> 'source');
	kept vouch_data.population;
	why text;
	guard bigint;
	result jsonb;
BEGIN
	SELECT * INTO kept FROM vouch_data.population p
	WHERE p.bucket = vouch.bucket_of(version_id) AND p.list_digest = criteria ->> 'population_list';
	IF criteria ->> 'population_list' IS NULL THEN
		why := 'The version does not name them: it was drawn without, or from more than 2000000 rows.';
	ELSIF kept IS NULL THEN
		why := 'They were not kept; vouch.keep_population() keeps them as long as nothing has changed.';
	ELSIF vouch_data.population_list_digest(kept.rows, kept.keys, kept.key_hashes, kept.row_hashes) <> kept.list_digest THEN
		why := 'What was kept of them is not what the version names.';
	ELSE
		-- out of TOAST once, and not for every row
		kept.row_hashes := kept.row_hashes || ''::bytea;
		kept.key_hashes := kept.key_hashes || ''::bytea;
		guard := vouch_data.open_source(source);
		EXECUTE format($q$
			WITH was AS (SELECT %3$s AS k, substr($3, 6 * (n - 1)::int + 1, 6) AS h FROM %4$s),
			present AS (SELECT t.%1$I::text AS key, %5$s AS k, decode(left(md5(t::text), 12), 'hex') AS h FROM %2$s t),
			d AS (SELECT CASE WHEN w.k IS NULL THEN 'came' WHEN i.k IS NULL THEN 'gone' ELSE 'changed' END AS what, coalesce(i.key, %6$s) AS key
				FROM was w FULL JOIN present i ON i.k = w.k WHERE w.h IS DISTINCT FROM i.h),
			r AS (SELECT *, row_number() OVER (PARTITION BY what ORDER BY length(key), key COLLATE "C") AS rank FROM d)
			SELECT jsonb_object_agg('rows_' || x.what, jsonb_build_object('count', coalesce(c.n, 0),
				'keys', CASE WHEN x.what = 'gone' AND c.n > 0 AND $1 IS NULL THEN 'null' ELSE coalesce(c.keys, '[]') END))
			FROM unnest('{came,gone,changed}'::text[]) AS x(what) LEFT JOIN (SELECT what, count(*) AS n,
				jsonb_agg(key ORDER BY rank) FILTER (WHERE rank <= $4 AND key IS NOT NULL) AS keys FROM r GROUP BY what) c USING (what)$q$,
			vouch_data.source_column(source, criteria ->> 'key_column', 'key_column'), source,
			CASE WHEN kept.keys IS NOT NULL THEN 'key' ELSE 'substr($2, 6 * (n - 1)::int + 1, 6)' END,
			CASE WHEN kept.keys IS NOT NULL THEN 'string_to_table($1, chr(10)) WITH ORDINALITY AS u(key, n) WHERE length($3) > 0' ELSE 'generate_series(1, length($2) / 6) AS n' END,
			CASE WHEN kept.keys IS NOT NULL THEN format('t.%I::text', criteria ->> 'key_column')
				ELSE format('decode(left(md5(t.%I::text), 12), ''hex'')', criteria ->> 'key_column') END,
			CASE WHEN kept.keys IS NOT NULL THEN 'w.k' ELSE 'NULL' END)
		INTO result USING kept.keys, kept.key_hashes, kept.row_hashes, listed;
		PERFORM vouch_data.somebody_acts(guard);
	END IF;
	RETURN coalesce(result, '{"rows_came": null, "rows_gone": null, "rows_changed": null}') || jsonb_build_object('rows_unknown', why);
END
$$;
COMMENT ON FUNCTION vouch_data.population_changes(uuid, jsonb, int) IS
'How the rows of a population differ from those that were kept: {rows_came, rows_gone, rows_changed: {count, keys: so many of them, in order}, rows_unknown: why these are null}. Reads the source with the caller''s rights';

GRANT EXECUTE ON FUNCTION vouch_data.population_list_digest(bigint, text, bytea, bytea), vouch_data.population_list(regclass, text),
	vouch_data.population_changes(uuid, jsonb, int) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch.keep_population(uuid), vouch_data.store_population(uuid, bigint, text, bytea, bytea) TO vouch_user;
