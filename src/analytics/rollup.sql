-- rollup.sql: counts kept up to date in steps, so that a metric over many
-- million operations reads a few thousand rows.
--
-- vouch.refresh_analytics() rolls up the operations of all transactions below
-- a horizon: none of those can still appear.  What the log has from the horizon
-- on, the tail, each metric function reads live; so its answer is always current, and the same
-- whether and whenever somebody refreshed.  Two kinds of numbers:
--  - sums over operations: each operation is added once, when the horizon passes its transaction;
--  - what artifacts and versions are like now: taken anew from them when
--    operations touched them, and the difference added.
-- The tables are derived: a dump leaves them out, and a restored database
-- starts with an empty rollup and everything in the tail.  Its log has numbers of
-- transactions of another server, perhaps far ahead of this one's.  The first refresh knows
-- them, for no transaction of this server that can be seen has a number that is not
-- given out yet, and rolls them up at once; foreign_from and foreign_until tell them from later ones.

CREATE INDEX artifact_cycle ON vouch_data.artifact (cycle_id, report_id) WHERE cycle_id IS NOT NULL;
CREATE INDEX artifact_report ON vouch_data.artifact (report_id) WHERE report_id IS NOT NULL;

CREATE TABLE vouch_data.analytics_state (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	horizon xid8 NOT NULL DEFAULT '0',
	foreign_from xid8,
	foreign_until timestamptz,
	operations bigint NOT NULL DEFAULT 0,
	refreshed_at timestamptz,
	CHECK ((foreign_from IS NULL) = (foreign_until IS NULL))
);
COMMENT ON TABLE vouch_data.analytics_state IS 'How far the rollups are: one row';
COMMENT ON COLUMN vouch_data.analytics_state.one IS 'Always true';
COMMENT ON COLUMN vouch_data.analytics_state.horizon IS 'Operations of transactions below it are rolled up; the others are the tail, but for foreign ones';
COMMENT ON COLUMN vouch_data.analytics_state.foreign_from IS 'Operations of transactions from this one on that are not later than foreign_until came from another server, and are rolled up; NULL: none did';
COMMENT ON COLUMN vouch_data.analytics_state.foreign_until IS 'When the last of them was done';
COMMENT ON COLUMN vouch_data.analytics_state.operations IS 'How many operations are rolled up';
COMMENT ON COLUMN vouch_data.analytics_state.refreshed_at IS 'When the rollups were last brought up to date; NULL: never';
INSERT INTO vouch_data.analytics_state DEFAULT VALUES;

CREATE TABLE vouch_data.phase_day (
	phase text COLLATE "C" NOT NULL,
	day date NOT NULL,
	operations bigint NOT NULL,
	failed bigint NOT NULL,
	created bigint NOT NULL,
	revised bigint NOT NULL,
	submitted bigint NOT NULL,
	returned bigint NOT NULL,
	PRIMARY KEY (phase, day)
) WITH (fillfactor = 70);
COMMENT ON TABLE vouch_data.phase_day IS 'Rolled-up operations, one row per phase and day';
COMMENT ON COLUMN vouch_data.phase_day.phase IS 'Phase';
COMMENT ON COLUMN vouch_data.phase_day.day IS 'Day (UTC)';
COMMENT ON COLUMN vouch_data.phase_day.operations IS 'Operations, failed ones included';
COMMENT ON COLUMN vouch_data.phase_day.failed IS 'Operations that failed; the columns that follow leave them out';
COMMENT ON COLUMN vouch_data.phase_day.created IS 'Versions made, revisions included';
COMMENT ON COLUMN vouch_data.phase_day.revised IS 'Revisions made';
COMMENT ON COLUMN vouch_data.phase_day.submitted IS 'Submissions';
COMMENT ON COLUMN vouch_data.phase_day.returned IS 'Versions sent back to their makers';

CREATE TABLE vouch_data.actor_period (
	span int NOT NULL CHECK (span IN (1, 8, 64)),
	day date NOT NULL,
	actor text COLLATE "C" NOT NULL,
	phase text COLLATE "C" NOT NULL,
	operations int NOT NULL,
	failed int NOT NULL,
	created int NOT NULL,
	edited int NOT NULL,
	submitted int NOT NULL,
	decided int NOT NULL,
	signed int NOT NULL,
	items_decided bigint NOT NULL,
	last_at timestamptz NOT NULL,
	PRIMARY KEY (span, day, actor, phase)
) WITH (fillfactor = 80);
CREATE INDEX actor_period_actor ON vouch_data.actor_period (actor, span, day);
COMMENT ON TABLE vouch_data.actor_period IS
'Rolled-up operations, one row per actor, phase and day, and again per 8 and per 64 days, so that a year is read as 20 periods and not as 365 days';
COMMENT ON COLUMN vouch_data.actor_period.span IS 'Days in the period: 1, 8 or 64';
COMMENT ON COLUMN vouch_data.actor_period.day IS 'First day (UTC): vouch_data.span_start(day, span)';
COMMENT ON COLUMN vouch_data.actor_period.actor IS 'Who did it';
COMMENT ON COLUMN vouch_data.actor_period.phase IS 'Phase';
COMMENT ON COLUMN vouch_data.actor_period.operations IS 'Operations, failed ones included';
COMMENT ON COLUMN vouch_data.actor_period.failed IS 'Operations that failed; the columns that follow leave them out';
COMMENT ON COLUMN vouch_data.actor_period.created IS 'Versions made, revisions included';
COMMENT ON COLUMN vouch_data.actor_period.edited IS 'Edits of drafts';
COMMENT ON COLUMN vouch_data.actor_period.submitted IS 'Submissions';
COMMENT ON COLUMN vouch_data.actor_period.decided IS 'Calls that decided items';
COMMENT ON COLUMN vouch_data.actor_period.signed IS 'Signatures';
COMMENT ON COLUMN vouch_data.actor_period.items_decided IS 'Items decided';
COMMENT ON COLUMN vouch_data.actor_period.last_at IS 'When the last of the operations was done';

CREATE FUNCTION vouch_data.span_start(day date, span int) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date '2000-01-01' + (floor((day - date '2000-01-01')::float8 / span) * span)::int;
COMMENT ON FUNCTION vouch_data.span_start(date, int) IS 'First day of the period of span days that a day is in';

CREATE TABLE vouch_data.workflow_phase (
	workflow_id text COLLATE "C" NOT NULL,
	phase text COLLATE "C" NOT NULL,
	operations bigint NOT NULL,
	failed bigint NOT NULL,
	created bigint NOT NULL,
	PRIMARY KEY (workflow_id, phase)
) WITH (fillfactor = 80);
COMMENT ON TABLE vouch_data.workflow_phase IS 'Rolled-up operations of workflows, one row per workflow and phase';
COMMENT ON COLUMN vouch_data.workflow_phase.workflow_id IS 'Workflow';
COMMENT ON COLUMN vouch_data.workflow_phase.phase IS 'Phase';
COMMENT ON COLUMN vouch_data.workflow_phase.operations IS 'Operations, failed ones included';
COMMENT ON COLUMN vouch_data.workflow_phase.failed IS 'Operations that failed';
COMMENT ON COLUMN vouch_data.workflow_phase.created IS 'Versions made, revisions included';

CREATE TABLE vouch_data.review (
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	version_no int NOT NULL,
	phase text COLLATE "C" NOT NULL,
	outcome text COLLATE "C" NOT NULL CHECK (outcome IN ('approved', 'rejected')),
	bin int NOT NULL,
	micros bigint NOT NULL,
	workflow_id text COLLATE "C",
	PRIMARY KEY (bucket, artifact_no, version_no)
);
CREATE INDEX review_ordered ON vouch_data.review (phase, outcome, bin, micros);
CREATE INDEX review_workflow ON vouch_data.review (workflow_id) WHERE workflow_id IS NOT NULL;
COMMENT ON TABLE vouch_data.review IS 'Rolled-up reviews, one row per version that was approved or rejected, in the order of their waits';
COMMENT ON COLUMN vouch_data.review.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.review.artifact_no IS 'Number of the artifact in its bucket';
COMMENT ON COLUMN vouch_data.review.version_no IS 'Number of the version';
COMMENT ON COLUMN vouch_data.review.phase IS 'Phase';
COMMENT ON COLUMN vouch_data.review.outcome IS 'approved or rejected';
COMMENT ON COLUMN vouch_data.review.bin IS 'vouch_data.review_bin(micros)';
COMMENT ON COLUMN vouch_data.review.micros IS 'Microseconds from the last submission to the verdict';
COMMENT ON COLUMN vouch_data.review.workflow_id IS 'Workflow that made the version; NULL outside of workflows';

CREATE TABLE vouch_data.review_bins (
	phase text COLLATE "C" NOT NULL,
	outcome text COLLATE "C" NOT NULL,
	bin int NOT NULL,
	reviews int NOT NULL,
	micros numeric NOT NULL,
	PRIMARY KEY (phase, outcome, bin)
) WITH (fillfactor = 70);
COMMENT ON TABLE vouch_data.review_bins IS 'How many of the rolled-up reviews are in each bin: tells in which of them a percentile is';
COMMENT ON COLUMN vouch_data.review_bins.phase IS 'Phase';
COMMENT ON COLUMN vouch_data.review_bins.outcome IS 'approved or rejected';
COMMENT ON COLUMN vouch_data.review_bins.bin IS 'vouch_data.review_bin(micros)';
COMMENT ON COLUMN vouch_data.review_bins.reviews IS 'How many';
COMMENT ON COLUMN vouch_data.review_bins.micros IS 'Sum of their waits';

CREATE TABLE vouch_data.review_day (
	phase text COLLATE "C" NOT NULL,
	outcome text COLLATE "C" NOT NULL,
	day date NOT NULL,
	reviews bigint NOT NULL,
	micros numeric NOT NULL,
	PRIMARY KEY (phase, outcome, day)
) WITH (fillfactor = 70);
COMMENT ON TABLE vouch_data.review_day IS 'Rolled-up reviews, one row per phase, outcome and day';
COMMENT ON COLUMN vouch_data.review_day.phase IS 'Phase';
COMMENT ON COLUMN vouch_data.review_day.outcome IS 'approved or rejected';
COMMENT ON COLUMN vouch_data.review_day.day IS 'Day of the verdict (UTC)';
COMMENT ON COLUMN vouch_data.review_day.reviews IS 'How many';
COMMENT ON COLUMN vouch_data.review_day.micros IS 'Sum of their waits in microseconds';

CREATE TABLE vouch_data.artifact_count (
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	phase text COLLATE "C" NOT NULL,
	scope text COLLATE "C" NOT NULL,
	head_no int NOT NULL,
	head_state text,
	versions bigint NOT NULL,
	revisions bigint NOT NULL,
	returns bigint NOT NULL,
	items bigint NOT NULL,
	approved bigint NOT NULL,
	rejected bigint NOT NULL,
	carried bigint NOT NULL,
	records bigint NOT NULL,
	changes bigint NOT NULL,
	open_since timestamptz,
	PRIMARY KEY (bucket, artifact_no)
) WITH (fillfactor = 80);
CREATE INDEX artifact_count_open ON vouch_data.artifact_count (open_since) WHERE open_since IS NOT NULL;
COMMENT ON TABLE vouch_data.artifact_count IS 'vouch_data.artifact_now as it was when the artifact was last rolled up';
COMMENT ON COLUMN vouch_data.artifact_count.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.artifact_count.artifact_no IS 'Number of the artifact in its bucket';
COMMENT ON COLUMN vouch_data.artifact_count.phase IS 'Phase';
COMMENT ON COLUMN vouch_data.artifact_count.scope IS 'Empty, or a line of business';
COMMENT ON COLUMN vouch_data.artifact_count.head_no IS 'Number of its newest version; 0 when there is none';
COMMENT ON COLUMN vouch_data.artifact_count.head_state IS 'State of that';
COMMENT ON COLUMN vouch_data.artifact_count.versions IS 'Its versions';
COMMENT ON COLUMN vouch_data.artifact_count.revisions IS 'Those that revise another one';
COMMENT ON COLUMN vouch_data.artifact_count.returns IS 'How often a version was sent back to its makers';
COMMENT ON COLUMN vouch_data.artifact_count.items IS 'Its items, each counted once';
COMMENT ON COLUMN vouch_data.artifact_count.approved IS 'Approved ones';
COMMENT ON COLUMN vouch_data.artifact_count.rejected IS 'Rejected ones';
COMMENT ON COLUMN vouch_data.artifact_count.carried IS 'Items carried forward into its newest version';
COMMENT ON COLUMN vouch_data.artifact_count.records IS 'What an audit-only phase recorded of it';
COMMENT ON COLUMN vouch_data.artifact_count.changes IS 'How often that was changed';
COMMENT ON COLUMN vouch_data.artifact_count.open_since IS 'Since when its open version waits for its maker or its reviewers; NULL when none is open';

CREATE TABLE vouch_data.phase_count (
	phase text COLLATE "C" NOT NULL,
	scope text COLLATE "C" NOT NULL,
	artifacts bigint NOT NULL,
	versions bigint NOT NULL,
	revisions bigint NOT NULL,
	returns bigint NOT NULL,
	items bigint NOT NULL,
	approved bigint NOT NULL,
	rejected bigint NOT NULL,
	carried bigint NOT NULL,
	records bigint NOT NULL,
	changes bigint NOT NULL,
	open bigint NOT NULL,
	PRIMARY KEY (phase, scope)
) WITH (fillfactor = 50);
COMMENT ON TABLE vouch_data.phase_count IS 'Sums of vouch_data.artifact_count, one row per phase and scope';
COMMENT ON COLUMN vouch_data.phase_count.phase IS 'Phase';
COMMENT ON COLUMN vouch_data.phase_count.scope IS 'Empty, or a line of business';
COMMENT ON COLUMN vouch_data.phase_count.artifacts IS 'Artifacts';
COMMENT ON COLUMN vouch_data.phase_count.versions IS 'Their versions';
COMMENT ON COLUMN vouch_data.phase_count.revisions IS 'Those that revise another one';
COMMENT ON COLUMN vouch_data.phase_count.returns IS 'How often a version was sent back to its makers';
COMMENT ON COLUMN vouch_data.phase_count.items IS 'Items, each counted once';
COMMENT ON COLUMN vouch_data.phase_count.approved IS 'Approved ones';
COMMENT ON COLUMN vouch_data.phase_count.rejected IS 'Rejected ones';
COMMENT ON COLUMN vouch_data.phase_count.carried IS 'Items carried forward into newest versions';
COMMENT ON COLUMN vouch_data.phase_count.records IS 'What audit-only phases recorded';
COMMENT ON COLUMN vouch_data.phase_count.changes IS 'How often that was changed';
COMMENT ON COLUMN vouch_data.phase_count.open IS 'Artifacts with an open version';

CREATE FUNCTION vouch_data.review_bin(micros bigint) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN micros > 0 THEN floor(ln(micros::float8) * 25)::int ELSE -1 END;
COMMENT ON FUNCTION vouch_data.review_bin(bigint) IS 'Number of the bin, 4 % wide, that a wait is in; longer waits have higher numbers';

-- Bringing them up to date -------------------------------------------------

CREATE FUNCTION vouch_data.roll_up(low xid8, high xid8, foreign_from xid8, foreign_until timestamptz, of_foreign boolean) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off AS $$
DECLARE
	n bigint;
BEGIN
	WITH fresh AS MATERIALIZED (
		SELECT l.bucket, l.artifact_no, l.version_no, l.phase, l.kind, l.actor, l.at, l.day, l.workflow_id, l.items, l.failed
		FROM vouch_data.logged l
		WHERE l.xid >= low AND l.xid < high
			AND (foreign_from IS NULL OR (l.xid >= foreign_from AND l.at <= foreign_until) = of_foreign)
	), days AS (
		INSERT INTO vouch_data.phase_day AS t
		SELECT phase, day, count(*), count(*) FILTER (WHERE failed),
			count(*) FILTER (WHERE kind = 'create' AND NOT failed),
			count(*) FILTER (WHERE kind = 'create' AND version_no > 1 AND NOT failed),
			count(*) FILTER (WHERE kind = 'submit' AND NOT failed), count(*) FILTER (WHERE kind = 'return' AND NOT failed)
		FROM fresh GROUP BY phase, day
		ON CONFLICT (phase, day) DO UPDATE SET operations = t.operations + excluded.operations, failed = t.failed + excluded.failed,
			created = t.created + excluded.created, revised = t.revised + excluded.revised,
			submitted = t.submitted + excluded.submitted, returned = t.returned + excluded.returned
	), actor_days AS MATERIALIZED (
		SELECT day, actor, phase, count(*) AS operations, count(*) FILTER (WHERE failed) AS failed,
			count(*) FILTER (WHERE kind = 'create' AND NOT failed) AS created,
			count(*) FILTER (WHERE kind = 'edit' AND NOT failed) AS edited,
			count(*) FILTER (WHERE kind = 'submit' AND NOT failed) AS submitted,
			count(*) FILTER (WHERE kind = 'decide' AND NOT failed) AS decided,
			count(*) FILTER (WHERE kind = 'sign' AND NOT failed) AS signed,
			coalesce(sum(items) FILTER (WHERE kind = 'decide' AND NOT failed), 0) AS items_decided, max(at) AS last_at
		FROM fresh GROUP BY day, actor, phase
	), actors AS (
		INSERT INTO vouch_data.actor_period AS t
		SELECT s.span, vouch_data.span_start(d.day, s.span) AS first, d.actor, d.phase, sum(d.operations), sum(d.failed), sum(d.created), sum(d.edited),
			sum(d.submitted), sum(d.decided), sum(d.signed), sum(d.items_decided), max(d.last_at)
		FROM actor_days d CROSS JOIN (VALUES (1), (8), (64)) AS s(span)
		GROUP BY s.span, first, d.actor, d.phase
		ON CONFLICT (span, day, actor, phase) DO UPDATE SET operations = t.operations + excluded.operations, failed = t.failed + excluded.failed,
			created = t.created + excluded.created, edited = t.edited + excluded.edited, submitted = t.submitted + excluded.submitted,
			decided = t.decided + excluded.decided, signed = t.signed + excluded.signed,
			items_decided = t.items_decided + excluded.items_decided, last_at = greatest(t.last_at, excluded.last_at)
	), workflows AS (
		INSERT INTO vouch_data.workflow_phase AS t
		SELECT workflow_id, phase, count(*), count(*) FILTER (WHERE failed),
			count(*) FILTER (WHERE kind = 'create' AND NOT failed)
		FROM fresh WHERE workflow_id IS NOT NULL GROUP BY workflow_id, phase
		ON CONFLICT (workflow_id, phase) DO UPDATE SET operations = t.operations + excluded.operations, failed = t.failed + excluded.failed,
			created = t.created + excluded.created
	), reviews AS (
		INSERT INTO vouch_data.review
		SELECT r.bucket, r.artifact_no, r.version_no, r.phase, r.outcome, vouch_data.review_bin(r.micros), r.micros, r.workflow_id
		FROM (SELECT DISTINCT bucket, artifact_no, version_no FROM fresh WHERE version_no IS NOT NULL) f
		JOIN vouch_data.reviewed r ON r.bucket = f.bucket AND r.artifact_no = f.artifact_no AND r.version_no = f.version_no
		ON CONFLICT DO NOTHING
		RETURNING bucket, artifact_no, version_no, phase, outcome, bin, micros
	), bins AS (
		INSERT INTO vouch_data.review_bins AS t
		SELECT phase, outcome, bin, count(*), sum(micros) FROM reviews GROUP BY phase, outcome, bin
		ON CONFLICT (phase, outcome, bin) DO UPDATE SET reviews = t.reviews + excluded.reviews, micros = t.micros + excluded.micros
	), review_days AS (
		INSERT INTO vouch_data.review_day AS t
		SELECT r.phase, r.outcome, v.day, count(*), sum(r.micros)
		FROM reviews r
		JOIN vouch_data.reviewed v ON v.bucket = r.bucket AND v.artifact_no = r.artifact_no AND v.version_no = r.version_no
		GROUP BY r.phase, r.outcome, v.day
		ON CONFLICT (phase, outcome, day) DO UPDATE SET reviews = t.reviews + excluded.reviews, micros = t.micros + excluded.micros
	), touched AS MATERIALIZED (
		SELECT DISTINCT bucket, artifact_no FROM fresh
	), now AS MATERIALIZED (
		SELECT a.* FROM touched t
		JOIN vouch_data.artifact_now a ON a.bucket = t.bucket AND a.artifact_no = t.artifact_no
	), artifacts AS (
		INSERT INTO vouch_data.artifact_count AS t
		SELECT bucket, artifact_no, phase, scope, head_no, head_state, versions, revisions, returns, items, approved, rejected, carried, records, changes, open_since FROM now
		ON CONFLICT (bucket, artifact_no) DO UPDATE SET head_no = excluded.head_no, head_state = excluded.head_state,
			versions = excluded.versions, revisions = excluded.revisions, returns = excluded.returns, items = excluded.items,
			approved = excluded.approved, rejected = excluded.rejected, carried = excluded.carried,
			records = excluded.records, changes = excluded.changes, open_since = excluded.open_since
	), phases AS (
		INSERT INTO vouch_data.phase_count AS t
		SELECT phase, scope, sum(s), sum(s * versions), sum(s * revisions), sum(s * returns), sum(s * items), sum(s * approved), sum(s * rejected), sum(s * carried),
			sum(s * records), sum(s * changes), sum(s * open)
		FROM (
			SELECT 1 AS s, phase, scope, versions, revisions, returns, items, approved, rejected, carried, records, changes, (open_since IS NOT NULL)::int AS open FROM now
			UNION ALL
			SELECT -1, c.phase, c.scope, c.versions, c.revisions, c.returns, c.items, c.approved, c.rejected, c.carried, c.records, c.changes, (c.open_since IS NOT NULL)::int
			FROM touched JOIN vouch_data.artifact_count c USING (bucket, artifact_no)) AS change
		GROUP BY phase, scope
		ON CONFLICT (phase, scope) DO UPDATE SET artifacts = t.artifacts + excluded.artifacts, versions = t.versions + excluded.versions,
			revisions = t.revisions + excluded.revisions, returns = t.returns + excluded.returns, items = t.items + excluded.items, approved = t.approved + excluded.approved,
			rejected = t.rejected + excluded.rejected, carried = t.carried + excluded.carried,
			records = t.records + excluded.records, changes = t.changes + excluded.changes, open = t.open + excluded.open
	)
	SELECT count(*) INTO n FROM fresh;
	RETURN n;
END
$$;
COMMENT ON FUNCTION vouch_data.roll_up(xid8, xid8, xid8, timestamptz, boolean) IS
'Rolls up the operations of the transactions from low up to but not including high, the foreign ones or the others, and returns how many; part of vouch.refresh_analytics()';

CREATE FUNCTION vouch.refresh_analytics(rebuild boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off AS $$
DECLARE
	step constant int := 500000;
	no_end constant xid8 := '18446744073709551615';
	state vouch_data.analytics_state;
	low xid8;
	high xid8;
	upto xid8;
	of_foreign boolean;
	n bigint := 0;
BEGIN
	-- one at a time: the others wait here, and find less to do
	SELECT * INTO STRICT state FROM vouch_data.analytics_state FOR UPDATE;
	IF rebuild OR state.refreshed_at IS NULL THEN
		-- DELETE, not TRUNCATE: whoever reads with an older snapshot still sees the old sums
		DELETE FROM vouch_data.phase_day;
		DELETE FROM vouch_data.actor_period;
		DELETE FROM vouch_data.workflow_phase;
		DELETE FROM vouch_data.review;
		DELETE FROM vouch_data.review_bins;
		DELETE FROM vouch_data.review_day;
		DELETE FROM vouch_data.artifact_count;
		DELETE FROM vouch_data.phase_count;
		state.horizon := '0';
		state.operations := 0;
		-- seen by this snapshot, and yet not given out: only this transaction's own and foreign ones
		SELECT min(o.xid), max(o.at) INTO state.foreign_from, state.foreign_until
		FROM vouch_data.operation o
		WHERE o.xid >= pg_snapshot_xmax(pg_current_snapshot()) AND o.xid <> pg_current_xact_id();
	END IF;

	-- every transaction below has ended, so that no operation below can still appear
	high := pg_snapshot_xmin(pg_current_snapshot());
	FOREACH of_foreign IN ARRAY ARRAY[false, true] LOOP
		CONTINUE WHEN of_foreign AND (state.horizon <> '0' OR state.foreign_from IS NULL);
		low := CASE WHEN of_foreign THEN state.foreign_from ELSE state.horizon END;
		WHILE low < CASE WHEN of_foreign THEN no_end ELSE high END LOOP
			SELECT (max(x.xid)::text::numeric + 1)::text::xid8 INTO upto
			FROM (SELECT o.xid FROM vouch_data.operation o
				WHERE o.xid >= low AND o.xid < CASE WHEN of_foreign THEN no_end ELSE high END ORDER BY o.xid LIMIT step) AS x;
			EXIT WHEN upto IS NULL;
			n := n + vouch_data.roll_up(low, upto, state.foreign_from, state.foreign_until, of_foreign);
			low := upto;
		END LOOP;
	END LOOP;
	UPDATE vouch_data.analytics_state s
	SET horizon = greatest(state.horizon, high), foreign_from = state.foreign_from, foreign_until = state.foreign_until,
		operations = state.operations + n, refreshed_at = clock_timestamp();
	RETURN n;
END
$$;
COMMENT ON FUNCTION vouch.refresh_analytics(boolean) IS
'Rolls up what the log has gained since the last call, and returns how many operations that were. Metrics are current without it, but slow when there are many operations; have vouch.schedule_analytics() call it. Operations of transactions that are not older than every running one wait for the next call. rebuild: starts over, as is needed when rows were put into the log by hand, or a dump was restored into a database that had been refreshed before';

-- Reading what is not rolled up ----------------------------------------------

-- Looks the artifact of each operation up; that is quick while they are few.
CREATE FUNCTION vouch_data.short_tail(low xid8, high xid8, foreign_from xid8, foreign_until timestamptz) RETURNS SETOF vouch_data.logged
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
BEGIN
	RETURN QUERY SELECT l.* FROM vouch_data.logged l
	WHERE l.xid >= low AND l.xid <= high AND (foreign_from IS NULL OR l.xid < foreign_from OR l.at > foreign_until);
END
$$;
COMMENT ON FUNCTION vouch_data.short_tail(xid8, xid8, xid8, timestamptz) IS 'vouch_data.tail() when it is short';

CREATE FUNCTION vouch_data.tail() RETURNS SETOF vouch_data.logged
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off AS $$
DECLARE
	state vouch_data.analytics_state;
	high xid8 := '18446744073709551615';
BEGIN
	SELECT * INTO STRICT state FROM vouch_data.analytics_state;
	IF state.foreign_from IS NOT NULL THEN
		-- not beyond what this server has given out: there the foreign ones are
		high := greatest(state.foreign_from, pg_snapshot_xmax(pg_current_snapshot()), pg_current_xact_id_if_assigned());
	END IF;
	IF (SELECT count(*) FROM (SELECT FROM vouch_data.operation o WHERE o.xid >= state.horizon AND o.xid <= high LIMIT 20000) AS first_ones) < 20000 THEN
		RETURN QUERY SELECT * FROM vouch_data.short_tail(state.horizon, high, state.foreign_from, state.foreign_until);
	ELSE
		RETURN QUERY SELECT l.* FROM vouch_data.logged l
		WHERE l.xid >= state.horizon AND l.xid <= high AND (state.foreign_from IS NULL OR l.xid < state.foreign_from OR l.at > state.foreign_until);
	END IF;
END
$$;
COMMENT ON FUNCTION vouch_data.tail() IS 'The operations that are not rolled up';

CREATE FUNCTION vouch_data.late_reviews(OUT bucket int, OUT artifact_no int, OUT version_no int, OUT phase text, OUT outcome text, OUT day date,
	OUT micros bigint, OUT workflow_id text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT r.bucket, r.artifact_no, r.version_no, r.phase, r.outcome, r.day, r.micros, r.workflow_id
	FROM (SELECT DISTINCT l.bucket, l.artifact_no, l.version_no FROM vouch_data.tail() l) t
	JOIN vouch_data.reviewed r ON r.bucket = t.bucket AND r.artifact_no = t.artifact_no AND r.version_no = t.version_no
	WHERE NOT EXISTS (SELECT FROM vouch_data.review d
		WHERE d.bucket = t.bucket AND d.artifact_no = t.artifact_no AND d.version_no = t.version_no);
END
$$;
COMMENT ON FUNCTION vouch_data.late_reviews() IS 'Rows of vouch_data.reviewed that vouch_data.review does not have yet: of versions that the tail''s operations are about';

-- On a schedule ----------------------------------------------------------------

CREATE FUNCTION vouch.schedule_analytics(schedule text DEFAULT '*/5 * * * *') RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	job bigint;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
		RAISE EXCEPTION 'pg_cron is not installed in database "%"', current_database() USING
			ERRCODE = 'VO503',
			DETAIL = 'vouch.schedule_analytics() makes a job of pg_cron, whose extension lives in one database of the server: the one that the setting cron.database_name names.',
			HINT = format('There, call cron.schedule_in_database(%L, %L, %L, %L); or have any other scheduler run SELECT vouch.refresh_analytics() here.',
				'vouch:refresh_analytics', schedule, 'SELECT vouch.refresh_analytics()', current_database());
	END IF;
	IF NOT has_schema_privilege('cron', 'USAGE') THEN
		RAISE EXCEPTION 'role "%" may not use pg_cron', current_user USING
			ERRCODE = 'insufficient_privilege',
			DETAIL = 'The job would run as that role.',
			HINT = format('Have an administrator call GRANT USAGE ON SCHEMA cron TO %I.', current_user);
	END IF;
	EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job
	USING 'vouch:refresh_analytics'::text, schedule, 'SELECT vouch.refresh_analytics()'::text;
	RETURN job;
END
$$;
COMMENT ON FUNCTION vouch.schedule_analytics(text) IS
'Has pg_cron call vouch.refresh_analytics() on a schedule, as the caller, in a job named vouch:refresh_analytics, and returns its number. Called again, it changes the schedule. VO503 when pg_cron is not installed in this database; the caller needs USAGE on schema cron';

CREATE FUNCTION vouch.unschedule_analytics() RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	gone boolean := false;
BEGIN
	IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') AND has_schema_privilege('cron', 'USAGE') THEN
		EXECUTE 'SELECT bool_or(cron.unschedule(j.jobid)) FROM cron.job j WHERE j.jobname = $1 AND j.database = current_database() AND j.username = current_user'
		INTO gone USING 'vouch:refresh_analytics'::text;
	END IF;
	RETURN coalesce(gone, false);
END
$$;
COMMENT ON FUNCTION vouch.unschedule_analytics() IS 'Takes back the caller''s vouch.schedule_analytics(); true when there was such a job';

GRANT EXECUTE ON FUNCTION vouch_data.review_bin(bigint), vouch_data.span_start(date, int), vouch_data.tail(), vouch_data.short_tail(xid8, xid8, xid8, timestamptz),
	vouch_data.late_reviews() TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch.refresh_analytics(boolean), vouch.schedule_analytics(text), vouch.unschedule_analytics() TO vouch_admin;
