-- lineage.sql: versions beside one another, and where what a version shows comes from.

CREATE FUNCTION vouch.compare_versions(a uuid, b uuid, stage int DEFAULT 1,
	OUT item_key text, OUT change text, OUT before jsonb, OUT after jsonb,
	OUT before_status vouch.verdict, OUT after_status vouch.verdict)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 1000 SET search_path = pg_catalog, pg_temp AS $$
	SELECT c.item_key, c.change, c.before, c.after, c.before_status, c.after_status
	FROM (SELECT item_key, x.payload AS before, y.payload AS after, x.status AS before_status, y.status AS after_status,
			CASE WHEN x.item_no IS NULL THEN 'added' WHEN y.item_no IS NULL THEN 'removed'
				WHEN x.payload <> y.payload OR x.payload::text <> y.payload::text THEN 'payload_changed'
				WHEN x.status <> y.status THEN 'verdict_changed' END AS change
		FROM vouch.version_items($1, 0, NULL, $3) x FULL JOIN vouch.version_items($2, 0, NULL, $3) y USING (item_key)) c
	WHERE c.change IS NOT NULL AND $1 IS NOT NULL AND $2 IS NOT NULL
	ORDER BY c.item_key
$$;
COMMENT ON FUNCTION vouch.compare_versions(uuid, uuid, int) IS
'What differs from version a to version b of any two artifacts (of two reports, two cycles, two lines of business), matched by item_key: change is added (only b has it), removed (only a), payload_changed or verdict_changed; before and after are payloads, before_status and after_status the verdicts of a reviewing stage. Reads both versions; for two versions of one artifact vouch.diff_versions() costs what changed. VO102 when there is no such version';

CREATE FUNCTION vouch.version_lineage(version_id uuid)
RETURNS TABLE (depth int, ancestor_id uuid, version_number int, state vouch.version_state, carry text, reason text,
	items bigint, items_new bigint, items_carried bigint, items_left bigint, decided_left bigint,
	created_by text, created_at timestamptz, closed_by text, closed_at timestamptz)
LANGUAGE sql STABLE STRICT ROWS 20 SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE this AS MATERIALIZED (
		SELECT vouch.bucket_of($1) AS bucket, vouch_data.artifact_number($1) AS artifact_no, vouch_data.version_number($1) AS version_no
		FROM (SELECT count(*) FROM vouch.version_items($1, 0, 0)) AS known),	-- raises VO102
	chain AS (
		SELECT 0 AS depth, v.* FROM this t JOIN vouch_data.version v USING (bucket, artifact_no, version_no)
		UNION ALL
		SELECT c.depth + 1, v.* FROM chain c JOIN vouch_data.version v
			ON v.bucket = c.bucket AND v.artifact_no = c.artifact_no AND v.version_no = c.parent_no),
	left_over AS MATERIALIZED (
		SELECT coalesce(d.origin_no, d.from_no) AS version_no, count(*) AS items, count(*) FILTER (WHERE d.status <> 'pending') AS decided
		FROM this t JOIN vouch_data.decision d ON d.bucket = t.bucket AND d.artifact_no = t.artifact_no
			AND d.stage = 1 AND d.from_no <= t.version_no AND d.to_no > t.version_no
		GROUP BY 1)
	SELECT c.depth, vouch_data.version_id(c.bucket, c.artifact_no, c.version_no), c.version_no, c.state, c.carry, c.reason,
		s.items, s.items - s.carried, s.carried, coalesce(l.items, 0), coalesce(l.decided, 0), c.created_by, c.created_at, c.closed_by, c.closed_at
	FROM chain c LEFT JOIN left_over l USING (version_no),
	LATERAL (
		SELECT coalesce(sum(t.items), 0)::bigint AS items, coalesce(sum(t.items) FILTER (WHERE t.carried), 0)::bigint AS carried
		FROM vouch_data.version_stat t
		WHERE t.bucket = c.bucket AND t.artifact_no = c.artifact_no AND t.version_no = c.version_no AND t.stage = 1) s
	ORDER BY c.depth
$$;
COMMENT ON FUNCTION vouch.version_lineage(uuid) IS
'Where a version comes from: itself (depth 0), its parent, and so on to the first. items: what that version had; items_new: of these, what it brought or decided anew; items_carried: what it took over as it was; items_left: how many items of the version asked for stand as that one left them, and decided_left how many of these with a verdict of the first reviewing stage. VO102 when there is no such version';

CREATE FUNCTION vouch.lineage_tree(version_id uuid, item_key text DEFAULT NULL, ascii boolean DEFAULT NULL)
RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	plain constant boolean := coalesce(lineage_tree.ascii, current_setting('client_encoding') <> 'UTF8');
	node constant text := CASE WHEN plain THEN '* ' ELSE U&'\25CF ' END;
	bar constant text := CASE WHEN plain THEN '| ' ELSE U&'\2502 ' END;
	fork constant text := CASE WHEN plain THEN '|-' ELSE U&'\251C\2500' END;
	corner constant text := CASE WHEN plain THEN '`-' ELSE U&'\2514\2500' END;
BEGIN
	IF version_id IS NULL THEN
		RETURN;
	END IF;
	IF item_key IS NOT NULL THEN
		RETURN NEXT node || item_key;
		RETURN QUERY
		SELECT concat(CASE WHEN row_number() OVER w = count(*) OVER () THEN corner ELSE fork END, ' ',
			CASE WHEN l.to_version IS NULL THEN concat('from version ', l.from_version, ' on')
				WHEN l.to_version = l.from_version THEN concat('version ', l.from_version)
				ELSE concat('versions ', l.from_version, ' to ', l.to_version) END,
			CASE WHEN l.stage > 1 THEN concat(', stage ', l.stage) END,
			': ', replace(l.status::text, '_', ' '), ' by ' || l.decided_by || coalesce(' for ' || l.on_behalf_of, '') || to_char(l.decided_at, ' YYYY-MM-DD HH24:MI'),
			': ' || l.notes, '; ',
			CASE WHEN l.payload IS NOT DISTINCT FROM lag(l.payload) OVER w AND l.recommended_at IS NOT DISTINCT FROM lag(l.recommended_at) OVER w
				THEN 'as it was' ELSE concat('put there by ', l.recommended_by, to_char(l.recommended_at, ' YYYY-MM-DD HH24:MI'), ' (', l.source, ')') END,
			CASE WHEN l.origin_version IS NOT NULL THEN concat(', stands again as in version ', l.origin_version) END)
		FROM vouch.item_lineage(version_id, item_key) l
		WINDOW w AS (ORDER BY l.from_version, l.stage)
		ORDER BY l.from_version, l.stage;
		RETURN;
	END IF;

	-- The newest of the revisions of a version goes on below it, the others branch off.
	RETURN QUERY
	WITH RECURSIVE this AS MATERIALIZED (
		SELECT vouch.bucket_of(lineage_tree.version_id) AS bucket, vouch_data.artifact_number(lineage_tree.version_id) AS artifact_no,
			vouch_data.version_number(lineage_tree.version_id) AS version_no),
	shown AS MATERIALIZED (
		SELECT h.*, h.version_number = max(h.version_number) OVER (PARTITION BY h.parent_version_number) AS goes_on
		FROM this t JOIN vouch_data.artifact a USING (bucket, artifact_no),
			vouch.version_history(a.phase, NULL, NULL, a.scope, a.subject) h),
	tree AS (
		SELECT s.version_number, 0 AS indent FROM shown s
		WHERE NOT EXISTS (SELECT FROM shown p WHERE p.version_number = s.parent_version_number)
		UNION ALL
		SELECT s.version_number, t.indent + (NOT s.goes_on)::int FROM tree t JOIN shown s ON s.parent_version_number = t.version_number),
	lineage AS MATERIALIZED (SELECT * FROM vouch.version_lineage(lineage_tree.version_id))
	SELECT concat(repeat(bar, t.indent), node, 'Version ', s.version_number,
		CASE WHEN s.carry IS NOT NULL THEN concat(', revision of version ', s.parent_version_number, ' (carry ', s.carry, ')') END,
		': ', replace(s.state::text, '_', ' '), ', ', s.items, CASE s.items WHEN 1 THEN ' item' ELSE ' items' END,
		CASE WHEN s.carried > 0 THEN concat(', ', s.carried, ' carried') END,
		', made by ', s.created_by, to_char(s.created_at, ' YYYY-MM-DD HH24:MI'),
		CASE WHEN s.closed_by IS NOT NULL THEN concat(', ', CASE s.state WHEN 'superseded' THEN 'approved' ELSE s.state::text END,
			' by ', s.closed_by, to_char(s.closed_at, ' YYYY-MM-DD HH24:MI')) END,
		CASE WHEN s.version_number = this.version_no THEN CASE WHEN plain THEN ' <- this one' ELSE U&' \25C0 this one' END
			WHEN l.items_left > 0 THEN concat('; ', l.items_left, ' stand in version ', this.version_no) END)
	FROM tree t JOIN shown s USING (version_number) CROSS JOIN this LEFT JOIN lineage l USING (version_number)
	ORDER BY s.version_number;
END
$$;
COMMENT ON FUNCTION vouch.lineage_tree(uuid, text, boolean) IS
'Lineage as lines to read in psql. Without item_key: all versions of the artifact as a tree, each under the one that it revises, with how many of its items stand in the version asked for. With item_key: the life of that item up to the version, as vouch.item_lineage() has it. ascii: draw with *, | and - (NULL: when the client''s encoding is not UTF8). VO102 when there is no such version, VO103 when none ever had the item';

GRANT EXECUTE ON FUNCTION vouch.compare_versions(uuid, uuid, int), vouch.version_lineage(uuid), vouch.lineage_tree(uuid, text, boolean) TO vouch_reader;
