-- metrics.sql: the functions that people ask.
--
-- Each reads the rollups, adds the tail (rollup.sql), and sees one snapshot: they are STABLE.

-- Exact percentiles of many waits: the bins tell where they are, an index gives the few waits there.
CREATE FUNCTION vouch_data.review_times(for_phase text,
	OUT phase text, OUT outcome text, OUT reviews bigint, OUT mean numeric, OUT median numeric, OUT p90 numeric, OUT longest numeric)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH late AS MATERIALIZED (
		SELECT l.phase COLLATE "C" AS phase, l.outcome COLLATE "C" AS outcome, l.micros, vouch_data.review_bin(l.micros) AS bin FROM vouch_data.late_reviews() l
		WHERE for_phase IS NULL OR l.phase = for_phase
	), bins AS MATERIALIZED (
		SELECT u.phase, u.outcome, u.bin, sum(u.reviews)::int AS reviews, sum(u.micros) AS micros
		FROM (
			SELECT b.phase, b.outcome, b.bin, b.reviews, b.micros FROM vouch_data.review_bins b
			WHERE for_phase IS NULL OR b.phase = for_phase
			UNION ALL
			SELECT l.phase, l.outcome, l.bin, 1, l.micros FROM late l) AS u
		GROUP BY u.phase, u.outcome, u.bin
	), ranked AS MATERIALIZED (
		-- ranks from 0: a bin holds those from first up to but not including next
		SELECT b.phase, b.outcome, b.bin, sum(b.reviews) OVER w - b.reviews AS first, sum(b.reviews) OVER w AS next, lead(b.bin, 1, b.bin) OVER w AS bin_after
		FROM bins b WINDOW w AS (PARTITION BY b.phase, b.outcome ORDER BY b.bin)
	), total AS MATERIALIZED (
		SELECT b.phase, b.outcome, sum(b.reviews) AS reviews, sum(b.micros) AS micros FROM bins b GROUP BY b.phase, b.outcome
	), wanted AS MATERIALIZED (
		SELECT t.phase, t.outcome, f.fraction, f.fraction * (t.reviews - 1) AS place, floor(f.fraction * (t.reviews - 1))::bigint AS low
		FROM total t CROSS JOIN (VALUES (0.5), (0.9), (1.0)) AS f(fraction)
	), percentile AS (
		-- between two neighbours as percentile_cont() does it
		SELECT w.phase, w.outcome, w.fraction, found.two[1] + (coalesce(found.two[2], found.two[1]) - found.two[1]) * (w.place - w.low) AS value
		FROM wanted w
		JOIN ranked r ON r.phase = w.phase AND r.outcome = w.outcome AND w.low >= r.first AND w.low < r.next
		CROSS JOIN LATERAL (
			SELECT array_agg(n.micros ORDER BY n.micros) AS two FROM (
				SELECT m.micros FROM (
					(SELECT d.micros FROM vouch_data.review d
						WHERE d.phase = w.phase AND d.outcome = w.outcome AND d.bin >= r.bin AND d.bin <= CASE WHEN w.low + 1 < r.next THEN r.bin ELSE r.bin_after END
						ORDER BY d.bin, d.micros LIMIT w.low - r.first + 2)
					UNION ALL
					SELECT l.micros FROM late l
					WHERE l.phase = w.phase AND l.outcome = w.outcome AND l.bin >= r.bin AND l.bin <= CASE WHEN w.low + 1 < r.next THEN r.bin ELSE r.bin_after END) AS m
				ORDER BY m.micros OFFSET w.low - r.first LIMIT 2) AS n) AS found
	)
	SELECT t.phase, t.outcome, t.reviews, t.micros / t.reviews, p.median, p.p90, p.longest
	FROM total t
	JOIN (
		SELECT p.phase, p.outcome, max(p.value) FILTER (WHERE p.fraction = 0.5) AS median, max(p.value) FILTER (WHERE p.fraction = 0.9) AS p90,
			max(p.value) FILTER (WHERE p.fraction = 1) AS longest
		FROM percentile p GROUP BY p.phase, p.outcome) AS p ON p.phase = t.phase AND p.outcome = t.outcome;
END
$$;
COMMENT ON FUNCTION vouch_data.review_times(text) IS
'How long reviews took, in microseconds, one row per phase and outcome: mean, median, 90th percentile (exact, interpolated like percentile_cont()) and longest; of all artifacts, of one phase or (NULL) of each';

CREATE FUNCTION vouch_data.artifacts_of(of_cycle bigint, of_report bigint, for_phase text, OUT bucket int, OUT artifact_no int)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
	IF of_cycle IS NOT NULL THEN
		RETURN QUERY SELECT a.bucket, a.artifact_no FROM vouch_data.artifact a
		WHERE a.cycle_id = of_cycle AND (of_report IS NULL OR a.report_id = of_report) AND (for_phase IS NULL OR a.phase = for_phase);
	ELSIF of_report IS NOT NULL THEN
		RETURN QUERY SELECT a.bucket, a.artifact_no FROM vouch_data.artifact a
		WHERE a.report_id = of_report AND (for_phase IS NULL OR a.phase = for_phase);
	END IF;
END
$$;
COMMENT ON FUNCTION vouch_data.artifacts_of(bigint, bigint, text) IS 'Artifacts of a cycle, a report, or a report in a cycle, of a phase or (NULL) of all; none when both are NULL';

CREATE FUNCTION vouch.phase_metrics(phase text, cycle_id bigint DEFAULT NULL, report_id bigint DEFAULT NULL,
	OUT phase_key text, OUT artifact_count bigint, OUT version_count bigint, OUT revision_count bigint, OUT open_count bigint,
	OUT current_version_no int, OUT current_state text,
	OUT approved_count bigint, OUT rejected_count bigint, OUT returned_count bigint, OUT rejection_pct numeric,
	OUT approval_median_hours numeric, OUT approval_p90_hours numeric, OUT approval_mean_hours numeric, OUT approval_longest_hours numeric,
	OUT rejection_median_hours numeric,
	OUT item_count bigint, OUT item_approved_count bigint, OUT item_rejected_count bigint, OUT item_carried_count bigint, OUT item_approval_pct numeric,
	OUT record_count bigint, OUT lob_count bigint, OUT change_count bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
	wanted constant text := vouch_data.phase_key(phase_metrics.phase);
	of_cycle constant bigint := phase_metrics.cycle_id;
	of_report constant bigint := phase_metrics.report_id;
	everything constant boolean := of_cycle IS NULL AND of_report IS NULL;
BEGIN
	RETURN QUERY
	-- OFFSET 0 in what follows: look each artifact up, however many there are in the table
	WITH touched AS MATERIALIZED (
		SELECT DISTINCT l.bucket, l.artifact_no FROM vouch_data.tail() l
	), chosen AS MATERIALIZED (
		SELECT a.bucket, a.artifact_no FROM vouch_data.artifacts_of(of_cycle, of_report, wanted) a
	), part AS (
		-- everything: the sums, and what changed in the artifacts of the tail
		SELECT c.phase, c.scope, c.artifacts, NULL::int AS head_no, NULL::text AS head_state, c.versions, c.revisions, c.returns, c.items, c.approved, c.rejected,
			c.carried, c.records, c.changes, c.open
		FROM vouch_data.phase_count c
		WHERE everything
		UNION ALL
		SELECT c.phase, c.scope, -1, NULL, NULL, -c.versions, -c.revisions, -c.returns, -c.items, -c.approved, -c.rejected,
			-c.carried, -c.records, -c.changes, -(c.open_since IS NOT NULL)::int
		FROM touched t JOIN vouch_data.artifact_count c ON c.bucket = t.bucket AND c.artifact_no = t.artifact_no
		WHERE everything
		UNION ALL
		SELECT n.phase, n.scope, 1, NULL, NULL, n.versions, n.revisions, n.returns, n.items, n.approved, n.rejected,
			n.carried, n.records, n.changes, (n.open_since IS NOT NULL)::int
		FROM touched t CROSS JOIN LATERAL (
			SELECT m.* FROM vouch_data.artifact_now m WHERE m.bucket = t.bucket AND m.artifact_no = t.artifact_no OFFSET 0) AS n
		WHERE everything
		UNION ALL
		-- or the artifacts that are asked for, one by one: as counted, or as they are now
		SELECT c.phase, c.scope, 1, c.head_no, c.head_state, c.versions, c.revisions, c.returns, c.items, c.approved, c.rejected,
			c.carried, c.records, c.changes, (c.open_since IS NOT NULL)::int
		FROM chosen h CROSS JOIN LATERAL (
			SELECT k.* FROM vouch_data.artifact_count k WHERE k.bucket = h.bucket AND k.artifact_no = h.artifact_no OFFSET 0) AS c
		WHERE NOT EXISTS (SELECT FROM touched t WHERE t.bucket = h.bucket AND t.artifact_no = h.artifact_no)
		UNION ALL
		SELECT n.phase, n.scope, 1, n.head_no, n.head_state, n.versions, n.revisions, n.returns, n.items, n.approved, n.rejected,
			n.carried, n.records, n.changes, (n.open_since IS NOT NULL)::int
		FROM chosen h JOIN touched t ON t.bucket = h.bucket AND t.artifact_no = h.artifact_no
		CROSS JOIN LATERAL (
			SELECT m.* FROM vouch_data.artifact_now m WHERE m.bucket = h.bucket AND m.artifact_no = h.artifact_no OFFSET 0) AS n
	), scoped AS (
		SELECT p.phase, p.scope, sum(p.artifacts) AS artifacts, min(p.head_no) AS head_no, min(p.head_state) AS first_state, max(p.head_state) AS last_state,
			count(p.head_state) AS states, sum(p.versions) AS versions, sum(p.revisions) AS revisions, sum(p.returns) AS returns, sum(p.items) AS items, sum(p.approved) AS approved,
			sum(p.rejected) AS rejected, sum(p.carried) AS carried, sum(p.records) AS records, sum(p.changes) AS changes, sum(p.open) AS open
		FROM part p GROUP BY p.phase, p.scope
	), counts AS (
		SELECT s.phase, sum(s.artifacts)::bigint AS artifacts, CASE WHEN sum(s.artifacts) = 1 THEN nullif(min(s.head_no), 0) END AS head_no,
			CASE WHEN min(s.first_state) = max(s.last_state) AND sum(s.states) = sum(s.artifacts) THEN max(s.last_state) END AS state,
			sum(s.versions)::bigint AS versions, sum(s.revisions)::bigint AS revisions, sum(s.returns)::bigint AS returns,
			sum(s.items)::bigint AS items, sum(s.approved)::bigint AS approved,
			sum(s.rejected)::bigint AS rejected, sum(s.carried)::bigint AS carried, sum(s.records)::bigint AS records, sum(s.changes)::bigint AS changes,
			sum(s.open)::bigint AS open, count(*) FILTER (WHERE s.scope <> '' AND s.artifacts > 0) AS lobs
		FROM scoped s GROUP BY s.phase
	), reviews AS (
		SELECT t.phase, t.outcome, t.reviews, t.mean, t.median, t.p90, t.longest
		FROM vouch_data.review_times(wanted) t
		WHERE everything
		UNION ALL
		SELECT r.phase, r.outcome, count(*), avg(r.micros), percentile_cont(0.5) WITHIN GROUP (ORDER BY r.micros)::numeric,
			percentile_cont(0.9) WITHIN GROUP (ORDER BY r.micros)::numeric, max(r.micros)
		FROM (
			SELECT d.phase, d.outcome, d.micros
			FROM chosen h CROSS JOIN LATERAL (
				SELECT v.phase, v.outcome, v.micros FROM vouch_data.review v WHERE v.bucket = h.bucket AND v.artifact_no = h.artifact_no OFFSET 0) AS d
			UNION ALL
			SELECT l.phase, l.outcome, l.micros
			FROM chosen h JOIN vouch_data.late_reviews() l ON l.bucket = h.bucket AND l.artifact_no = h.artifact_no) AS r
		GROUP BY r.phase, r.outcome
	)
	SELECT p.phase, coalesce(c.artifacts, 0), coalesce(c.versions, 0), coalesce(c.revisions, 0), coalesce(c.open, 0), c.head_no, c.state,
		coalesce(a.reviews, 0), coalesce(r.reviews, 0), coalesce(c.returns, 0),
		vouch_data.pct(coalesce(r.reviews, 0), coalesce(a.reviews, 0) + coalesce(r.reviews, 0)),
		vouch_data.hours(a.median), vouch_data.hours(a.p90), vouch_data.hours(a.mean), vouch_data.hours(a.longest), vouch_data.hours(r.median),
		coalesce(c.items, 0), coalesce(c.approved, 0), coalesce(c.rejected, 0), coalesce(c.carried, 0),
		vouch_data.pct(c.approved, c.approved + c.rejected),
		CASE WHEN NOT p.versioned THEN coalesce(c.records, 0) END, coalesce(c.lobs, 0), CASE WHEN NOT p.versioned THEN coalesce(c.changes, 0) END
	FROM vouch_data.phase p
	LEFT JOIN counts c ON c.phase = p.phase
	LEFT JOIN reviews a ON a.phase = p.phase AND a.outcome = 'approved'
	LEFT JOIN reviews r ON r.phase = p.phase AND r.outcome = 'rejected'
	WHERE wanted IS NULL OR p.phase = wanted
	ORDER BY p.phase_no, p.phase;
END
$$;
COMMENT ON FUNCTION vouch.phase_metrics(text, bigint, bigint) IS
'Numbers of one phase (key or label; NULL: of each), of everything or of one cycle, one report, or one report in one cycle. One row per phase:
artifact_count, version_count, revision_count (versions after the first of their artifact), open_count (artifacts with a draft or a version under review);
current_version_no (when it is one artifact), current_state (when all are in the same; both only with cycle_id or report_id);
approved_count and rejected_count (versions; one that was superseded was approved), rejection_pct of both; returned_count: how often a version was sent back to its makers;
approval_median_hours, _p90_, _mean_, _longest_: from the last submission to the approval; rejection_median_hours likewise;
item_count, item_approved_count, item_rejected_count: items and their verdicts, each counted once, in the version where it was decided; item_carried_count: items of newest versions that were carried forward; item_approval_pct: approved of approved and rejected;
lob_count: how many lines of business it has; record_count and change_count (only of phases without versions): assignments and reassignments, documents and new versions of them, test actions and results that a later test replaced.
Times and rates are NULL where there is nothing to take them of. VO101 for an unknown phase';

CREATE FUNCTION vouch.workflow_metrics(workflow_id text,
	OUT phase text, OUT operation_count bigint, OUT failed_count bigint, OUT success_pct numeric, OUT version_count bigint,
	OUT approved_count bigint, OUT rejected_count bigint, OUT approval_median_hours numeric, OUT approval_mean_hours numeric)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
	id constant text COLLATE "C" := workflow_metrics.workflow_id;
	-- its children's ids begin with its own and a slash; the character after the slash ends their range
	first_child constant text COLLATE "C" := id || '/';
	last_child constant text COLLATE "C" := id || '0';
BEGIN
	RETURN QUERY
	WITH operations AS MATERIALIZED (
		SELECT u.phase, sum(u.operations) AS operations, sum(u.failed) AS failed, sum(u.created) AS created
		FROM (
			SELECT w.phase, w.operations, w.failed, w.created FROM vouch_data.workflow_phase w
			WHERE w.workflow_id = id OR (w.workflow_id >= first_child AND w.workflow_id < last_child)
			UNION ALL
			SELECT l.phase, 1, l.failed::int, (l.kind = 'create' AND NOT l.failed)::int FROM vouch_data.tail() l
			WHERE (l.workflow_id = id OR (l.workflow_id >= first_child AND l.workflow_id < last_child))) AS u
		GROUP BY u.phase
	), reviews AS MATERIALIZED (
		SELECT r.phase, r.outcome, r.micros FROM vouch_data.review r
		WHERE r.workflow_id = id OR (r.workflow_id >= first_child AND r.workflow_id < last_child)
		UNION ALL
		SELECT l.phase, l.outcome, l.micros FROM vouch_data.late_reviews() l
		WHERE l.workflow_id = id OR (l.workflow_id >= first_child AND l.workflow_id < last_child)
	), by_phase AS (
		SELECT o.phase, GROUPING(o.phase) AS total, sum(o.operations) AS operations, sum(o.failed) AS failed, sum(o.created) AS created
		FROM operations o GROUP BY ROLLUP (o.phase)
	), review_by_phase AS (
		SELECT r.phase, count(*) FILTER (WHERE r.outcome = 'approved') AS approvals, count(*) FILTER (WHERE r.outcome = 'rejected') AS rejections,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY r.micros) FILTER (WHERE r.outcome = 'approved') AS median,
			avg(r.micros) FILTER (WHERE r.outcome = 'approved') AS mean
		FROM reviews r GROUP BY ROLLUP (r.phase)
	)
	SELECT o.phase, o.operations::bigint, o.failed::bigint, vouch_data.pct(o.operations - o.failed, o.operations), o.created::bigint,
		coalesce(r.approvals, 0), coalesce(r.rejections, 0), vouch_data.hours(r.median::numeric), vouch_data.hours(r.mean)
	FROM by_phase o
	LEFT JOIN review_by_phase r ON r.phase IS NOT DISTINCT FROM o.phase
	LEFT JOIN vouch_data.phase p ON p.phase = o.phase
	WHERE o.operations > 0
	ORDER BY o.total, p.phase_no, o.phase;
	IF NOT FOUND AND NOT EXISTS (SELECT FROM vouch_data.execution e
			WHERE e.bucket = vouch.bucket(split_part(id, '/', 1)) AND e.workflow_id = id) THEN
		RAISE EXCEPTION 'there is no workflow "%"', id USING
			ERRCODE = 'VO403',
			DETAIL = 'Neither an execution nor an operation of the log has this workflow_id.',
			HINT = 'The test cycle of cycle 7 and report 3 has the workflow_id "cycle-7-report-3".';
	END IF;
END
$$;
COMMENT ON FUNCTION vouch.workflow_metrics(text) IS
'What a workflow and its children did, one row per phase, and one with phase NULL for all of it: operation_count, failed_count and success_pct (operations of the log), version_count (versions that they made, revisions included), and of these: approved_count, rejected_count, approval_median_hours and approval_mean_hours (from the last submission to the approval; NULL when none was approved). No row while it did nothing. VO403 for an unknown workflow';

CREATE FUNCTION vouch_data.phase_daily(for_phase text, since date,
	OUT phase text, OUT day date, OUT operations bigint, OUT failed bigint, OUT created bigint, OUT revised bigint, OUT submitted bigint,
	OUT returned bigint, OUT approvals bigint, OUT rejections bigint, OUT approval_micros numeric)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT u.phase, u.day, sum(u.operations)::bigint, sum(u.failed)::bigint, sum(u.created)::bigint, sum(u.revised)::bigint, sum(u.submitted)::bigint,
		sum(u.returned)::bigint, sum(u.approvals)::bigint, sum(u.rejections)::bigint, sum(u.micros)
	FROM (
		SELECT d.phase, d.day, d.operations, d.failed, d.created, d.revised, d.submitted, d.returned, 0 AS approvals, 0 AS rejections, NULL::numeric AS micros
		FROM vouch_data.phase_day d
		UNION ALL
		SELECT d.phase, d.day, 0, 0, 0, 0, 0, 0, CASE d.outcome WHEN 'approved' THEN d.reviews ELSE 0 END, CASE d.outcome WHEN 'rejected' THEN d.reviews ELSE 0 END,
			CASE d.outcome WHEN 'approved' THEN d.micros END
		FROM vouch_data.review_day d
		UNION ALL
		SELECT l.phase, l.day, 1, l.failed::int, (l.kind = 'create' AND NOT l.failed)::int, (l.kind = 'create' AND l.version_no > 1 AND NOT l.failed)::int,
			(l.kind = 'submit' AND NOT l.failed)::int, (l.kind = 'return' AND NOT l.failed)::int, 0, 0, NULL
		FROM vouch_data.tail() l
		UNION ALL
		SELECT r.phase, r.day, 0, 0, 0, 0, 0, 0, (r.outcome = 'approved')::int, (r.outcome = 'rejected')::int, CASE r.outcome WHEN 'approved' THEN r.micros END
		FROM vouch_data.late_reviews() r) AS u
	WHERE (for_phase IS NULL OR u.phase = for_phase) AND (since IS NULL OR u.day >= since)
	GROUP BY u.phase, u.day;
END
$$;
COMMENT ON FUNCTION vouch_data.phase_daily(text, date) IS
'What was done per phase and day (UTC), days with anything only, from since (NULL: the first) on, of one phase or (NULL) of all: operations, failed ones, versions made, revisions among them, submissions, versions sent back, approved and rejected, and the approved ones'' waits in microseconds, summed';

CREATE FUNCTION vouch.version_trends(phase text DEFAULT NULL, days int DEFAULT 30,
	OUT day_on date, OUT version_count bigint, OUT revision_count bigint, OUT submission_count bigint, OUT returned_count bigint,
	OUT approved_count bigint, OUT rejected_count bigint, OUT approval_pct numeric, OUT approval_mean_hours numeric)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
	wanted constant text := vouch_data.phase_key(version_trends.phase);
	today constant date := (now() AT TIME ZONE 'UTC')::date;
	since constant date := today - (vouch_data.check_days(version_trends.days) - 1);
BEGIN
	RETURN QUERY
	SELECT c.day, coalesce(sum(d.created), 0)::bigint, coalesce(sum(d.revised), 0)::bigint, coalesce(sum(d.submitted), 0)::bigint, coalesce(sum(d.returned), 0)::bigint,
		coalesce(sum(d.approvals), 0)::bigint, coalesce(sum(d.rejections), 0)::bigint,
		vouch_data.pct(sum(d.approvals), sum(d.approvals) + sum(d.rejections)), vouch_data.hours(sum(d.approval_micros) / nullif(sum(d.approvals), 0))
	FROM (SELECT since + n AS day FROM generate_series(0, today - since) AS n) AS c
	LEFT JOIN vouch_data.phase_daily(wanted, since) d ON d.day = c.day
	GROUP BY c.day
	ORDER BY c.day;
END
$$;
COMMENT ON FUNCTION vouch.version_trends(text, int) IS
'The last days (1 to 365, calendar days in UTC, today included), one row for every day, of one phase (key or label) or of all: day_on, version_count (versions made), revision_count (of these: not the first of their artifact), submission_count, returned_count (versions sent back), approved_count and rejected_count (by the day of the verdict), approval_pct of both, approval_mean_hours from submission to approval; the last two are NULL on days without. VO101 for an unknown phase, VO502 for days out of range';

CREATE FUNCTION vouch_data.waits_for(bucket int, artifact_no int, version_no int) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	v record;
	roles text;
BEGIN
	SELECT w.state, w.created_by INTO v FROM vouch_data.version w
	WHERE w.bucket = bucket AND w.artifact_no = artifact_no AND w.version_no = version_no;
	IF v.state = 'draft' THEN
		RETURN v.created_by;
	ELSIF v.state <> 'pending_approval' THEN
		RETURN NULL;
	END IF;
	WITH rule AS (
		SELECT p.stage_no, p.role, (SELECT count(DISTINCT (g.signer, g.for_group)) FROM vouch_data.signature g
				WHERE g.bucket = q.bucket AND g.artifact_no = q.artifact_no AND g.version_no = q.version_no AND g.round = q.round
					AND g.stage_no = p.stage_no AND g.rule_no = p.rule_no AND g.verdict = 'approve'
					AND NOT EXISTS (SELECT FROM vouch_data.signature x WHERE x.bucket = g.bucket AND x.artifact_no = g.artifact_no
						AND x.version_no = g.version_no AND x.round = g.round AND x.revokes = g.signature_no))
			< p.quorum * CASE WHEN k.asked ->> 'applies' = 'false' THEN 0
				ELSE greatest(coalesce(jsonb_array_length(k.asked -> 'groups'), cardinality(p.groups), 1), 1) END AS missing, t.after_stage
		FROM vouch_data.approval_request q
		JOIN vouch_data.policy_stage t ON t.policy = q.policy AND t.revision = q.policy_revision
		JOIN vouch_data.policy_rule p ON p.policy = t.policy AND p.revision = t.revision AND p.stage_no = t.stage_no
		LEFT JOIN LATERAL (SELECT e.asked FROM jsonb_array_elements(q.asked) AS e(asked)
			WHERE (e.asked ->> 'stage')::int = p.stage_no AND (e.asked ->> 'rule')::int = p.rule_no) k ON true
		WHERE q.bucket = bucket AND q.artifact_no = artifact_no AND q.version_no = version_no AND q.state = 'open'
	)
	SELECT string_agg(DISTINCT r.role, ', ' ORDER BY r.role) INTO roles
	FROM rule r
	WHERE r.missing AND r.role <> '@auto'
		AND NOT EXISTS (SELECT FROM rule f WHERE f.stage_no = ANY (r.after_stage) AND f.missing);
	RETURN roles;
END
$$;
COMMENT ON FUNCTION vouch_data.waits_for(int, int, int) IS 'Whom an open version waits for: the maker of a draft, for a version under review the roles whose signature is missing in the stages that are open; vouch.explain_approval() knows more, and takes longer';

CREATE FUNCTION vouch.bottlenecks(cycle_id bigint DEFAULT NULL, report_id bigint DEFAULT NULL, max_waits int DEFAULT 100,
	OUT severity text, OUT kind text, OUT phase text, OUT subject text, OUT scope text, OUT version_no int,
	OUT measured text, OUT value numeric, OUT threshold numeric, OUT waits_for text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
	of_cycle constant bigint := bottlenecks.cycle_id;
	of_report constant bigint := bottlenecks.report_id;
	everything constant boolean := of_cycle IS NULL AND of_report IS NULL;
	n constant int := greatest(coalesce(bottlenecks.max_waits, 100), 0);
	overdue constant timestamptz := now() - interval '24 hours';
BEGIN
	-- what is open longest comes first: it can still be helped
	RETURN QUERY
	WITH touched AS MATERIALIZED (
		SELECT DISTINCT l.bucket, l.artifact_no FROM vouch_data.tail() l
	), chosen AS MATERIALIZED (
		SELECT a.bucket, a.artifact_no FROM vouch_data.artifacts_of(of_cycle, of_report, NULL) a
	), candidate AS (
		(SELECT c.bucket, c.artifact_no FROM vouch_data.artifact_count c
			WHERE everything AND c.open_since < overdue
				AND NOT EXISTS (SELECT FROM touched t WHERE t.bucket = c.bucket AND t.artifact_no = c.artifact_no)
			ORDER BY c.open_since LIMIT n)
		UNION ALL
		SELECT c.bucket, c.artifact_no
		FROM chosen h CROSS JOIN LATERAL (
			SELECT k.* FROM vouch_data.artifact_count k WHERE k.bucket = h.bucket AND k.artifact_no = h.artifact_no OFFSET 0) AS c
		WHERE c.open_since < overdue
			AND NOT EXISTS (SELECT FROM touched t WHERE t.bucket = h.bucket AND t.artifact_no = h.artifact_no)
		UNION ALL
		SELECT t.bucket, t.artifact_no FROM touched t
		WHERE everything OR EXISTS (SELECT FROM chosen h WHERE h.bucket = t.bucket AND h.artifact_no = t.artifact_no)
	), longest AS (
		SELECT a.*, round(extract(epoch FROM now() - a.open_since) / 3600, 2) AS hours
		FROM candidate c CROSS JOIN LATERAL (
			SELECT n.* FROM vouch_data.artifact_now n WHERE n.bucket = c.bucket AND n.artifact_no = c.artifact_no OFFSET 0) AS a
		WHERE a.open_since < overdue
		ORDER BY a.open_since, a.bucket, a.artifact_no LIMIT n
	)
	SELECT CASE WHEN l.hours > 48 THEN 'high' ELSE 'medium' END,
		CASE l.open_state WHEN 'draft' THEN 'open_draft' ELSE 'open_review' END,
		l.phase, l.subject, nullif(l.scope, ''), l.open_no, 'age_hours', l.hours, CASE WHEN l.hours > 48 THEN 48 ELSE 24 END::numeric,
		vouch_data.waits_for(l.bucket, l.artifact_no, l.open_no)
	FROM longest l
	ORDER BY l.open_since, l.bucket, l.artifact_no;

	-- then what has been slow, or gone round too often, phase by phase
	RETURN QUERY
	WITH measured AS (
		SELECT p.phase_no AS place, p.phase, m.version_count AS versions, m.revision_count AS revisions,
			m.approval_mean_hours AS mean, m.approval_longest_hours AS longest
		FROM vouch.phase_metrics(NULL, of_cycle, of_report) m
		JOIN vouch_data.phase p ON p.phase = m.phase_key
	), finding AS (
		SELECT 1 AS rank, m.place, m.phase, 'slow_approval' AS kind,
			CASE WHEN m.mean > 24 THEN 'mean_hours' ELSE 'longest_hours' END AS measured,
			CASE WHEN m.mean > 24 THEN m.mean ELSE m.longest END AS value,
			CASE WHEN m.mean > 48 THEN 48 WHEN m.mean > 24 THEN 24 ELSE 48 END AS threshold,
			m.mean > 48 AS high
		FROM measured m WHERE m.mean > 24 OR m.longest > 48
		UNION ALL
		SELECT 2, m.place, m.phase, 'many_revisions', 'revision_pct', vouch_data.pct(m.revisions, m.versions),
			CASE WHEN m.revisions * 4 > m.versions * 3 THEN 75 ELSE 50 END, m.revisions * 4 > m.versions * 3
		FROM measured m WHERE m.revisions * 2 > m.versions
	)
	SELECT CASE WHEN f.high THEN 'high' ELSE 'medium' END, f.kind, f.phase, NULL::text, NULL::text, NULL::int,
		f.measured, f.value, f.threshold::numeric, NULL::text
	FROM finding f
	ORDER BY f.high DESC, f.rank, f.place;
END
$$;
COMMENT ON FUNCTION vouch.bottlenecks(bigint, bigint, int) IS
'Where work is held up, of everything or of one cycle, one report, or one report in one cycle; the worst first. kind says what:
open_review, open_draft: a version has waited for its reviewers, or its maker, for more than 24 hours (measured age_hours; high from 48); the max_waits oldest, with whom they wait for;
slow_approval: approvals of a phase took more than 24 hours on average (measured mean_hours; high when over 48), or one took more than 48 (longest_hours);
many_revisions: more than 50 % of a phase''s versions are revisions (revision_pct; high when over 75).
value is what was measured, threshold what it is over';

CREATE FUNCTION vouch.user_activity(actor text DEFAULT NULL, days int DEFAULT 30,
	OUT actor_name text, OUT phase text, OUT operation_count bigint, OUT failed_count bigint, OUT version_count bigint, OUT edit_count bigint,
	OUT submission_count bigint, OUT decision_count bigint, OUT item_decision_count bigint, OUT signature_count bigint, OUT last_at timestamptz)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
	who constant text COLLATE "C" := user_activity.actor;
	today constant date := (now() AT TIME ZONE 'UTC')::date;
	since constant date := today - (vouch_data.check_days(user_activity.days) - 1);
	-- days up to a period of 8, those up to one of 64, and these to the end
	eights constant date := vouch_data.span_start(since + 7, 8);
	rest constant date := vouch_data.span_start(eights + 63, 64);
BEGIN
	RETURN QUERY
	SELECT u.actor::text, u.phase::text, sum(u.operations)::bigint, sum(u.failed)::bigint, sum(u.created)::bigint, sum(u.edited)::bigint,
		sum(u.submitted)::bigint, sum(u.decided)::bigint, sum(u.items_decided)::bigint, sum(u.signed)::bigint, max(u.last_at)
	FROM (
		SELECT a.actor, a.phase, a.operations, a.failed, a.created, a.edited, a.submitted, a.decided, a.items_decided, a.signed, a.last_at
		FROM vouch_data.actor_period a
		WHERE ((a.span = 1 AND a.day >= since AND a.day < eights) OR (a.span = 8 AND a.day >= eights AND a.day < rest) OR (a.span = 64 AND a.day >= rest))
			AND (who IS NULL OR a.actor = who)
		UNION ALL
		SELECT l.actor, l.phase, 1, l.failed::int, (l.kind = 'create' AND NOT l.failed)::int, (l.kind = 'edit' AND NOT l.failed)::int,
			(l.kind = 'submit' AND NOT l.failed)::int, (l.kind = 'decide' AND NOT l.failed)::int,
			CASE WHEN l.kind = 'decide' AND NOT l.failed THEN l.items ELSE 0 END, (l.kind = 'sign' AND NOT l.failed)::int, l.at
		FROM vouch_data.tail() l
		WHERE l.day >= since AND (who IS NULL OR l.actor = who)) AS u
	JOIN vouch_data.phase p ON p.phase = u.phase
	GROUP BY u.actor, u.phase, p.phase_no
	ORDER BY u.actor, p.phase_no, u.phase;
END
$$;
COMMENT ON FUNCTION vouch.user_activity(text, int) IS
'What people and systems did in the last days (1 to 365, calendar days in UTC, today included), one row per actor and phase, of one actor or of all: operation_count, failed_count, version_count (versions made, revisions included), edit_count, submission_count, decision_count (calls) and item_decision_count (items decided in them), signature_count, last_at. VO502 for days out of range';

GRANT EXECUTE ON FUNCTION vouch_data.artifacts_of(bigint, bigint, text), vouch_data.phase_daily(text, date), vouch_data.review_times(text), vouch_data.waits_for(int, int, int),
	vouch.phase_metrics(text, bigint, bigint), vouch.workflow_metrics(text), vouch.version_trends(text, int),
	vouch.bottlenecks(bigint, bigint, int), vouch.user_activity(text, int) TO vouch_reader;
