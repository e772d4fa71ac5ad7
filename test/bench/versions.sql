-- What versions cost, beside the plainest SQL that writes the same rows.  Run by "make bench-versions".
-- Each figure is the median of :reps runs in one session: wall and CPU time of
-- the backend (from /proc, so Linux only) and WAL written by the whole server.
\set QUIET on
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
CREATE EXTENSION vouch;
CREATE SCHEMA bench;
SET search_path = bench, public;

-- One session plays the people.
SELECT vouch.register_application(session_user);
SELECT vouch.grant_role('tess', 'tester'), vouch.grant_role('olga', 'report_owner') \g /dev/null

CREATE TABLE result (n serial, what text, wall_ms float8, cpu_ms float8, wal_mb float8);
CREATE FUNCTION cpu_ms() RETURNS float8 LANGUAGE sql AS $$
	SELECT split_part(pg_read_file('/proc/' || pg_backend_pid() || '/schedstat'), ' ', 1)::float8 / 1e6 $$;
CREATE PROCEDURE measure(what text, actor text, statement text) LANGUAGE plpgsql AS $$
DECLARE
	wal pg_lsn;
	cpu float8;
	wall timestamptz;
BEGIN
	PERFORM set_config('vouch.actor', actor, false);
	COMMIT;
	wal := pg_current_wal_insert_lsn();
	cpu := cpu_ms();
	wall := clock_timestamp();
	EXECUTE statement;
	COMMIT;
	INSERT INTO result (what, wall_ms, cpu_ms, wal_mb)
	VALUES (what, extract(epoch FROM clock_timestamp() - wall) * 1000, cpu_ms() - cpu,
		(pg_current_wal_insert_lsn() - wal) / 1048576.0);
	COMMIT;
END $$;

CREATE TABLE sample AS
SELECT n, 'sample-' || n AS item_key, jsonb_build_object('id', 'sample-' || n, 'type', 'random', 'source', 'tester',
	'data', jsonb_build_object('account', md5(n::text), 'balance', n * 17 % 100000, 'limit', n * 31 % 50000, 'branch', 'b' || n % 400)) AS payload
FROM generate_series(1, :items) n;
CREATE TABLE items AS SELECT jsonb_agg(payload ORDER BY n) AS items FROM sample;
CREATE TABLE verdicts AS SELECT jsonb_object_agg(item_key, CASE WHEN n <= :items / 100 THEN 'rejected' ELSE 'approved' END) AS verdicts FROM sample;
CREATE TABLE plain_item (LIKE vouch_data.item INCLUDING ALL);
CREATE TABLE plain_body (LIKE vouch_data.item_body INCLUDING ALL);
CREATE TABLE plain_decision (LIKE vouch_data.decision INCLUDING ALL);
CREATE TABLE copied (version_no int, item_key text, payload jsonb, status vouch.verdict, source text,
	recommended_by text, decided_by text, decided_at timestamptz, notes text, PRIMARY KEY (version_no, item_key));
VACUUM ANALYZE;

CREATE FUNCTION id(subject text, version int DEFAULT NULL) RETURNS uuid LANGUAGE sql STABLE AS $$
	SELECT vouch_data.version_id(a.bucket, a.artifact_no, coalesce(version, a.head_no)) FROM vouch_data.artifact a
	WHERE a.bucket = vouch.bucket($1) AND a.subject = $1 AND a.phase = 'sample_selection' $$;
UPDATE vouch_data.phase SET max_revisions = NULL;

\set QUIET off
\echo creating, deciding, approving
\set QUIET on
CREATE PROCEDURE first_part(reps int) LANGUAGE plpgsql AS $$
BEGIN
	FOR r IN 1 .. reps LOOP
		CALL measure('plain INSERT ... SELECT of the same rows', 'tess', format($q$
			WITH i AS (INSERT INTO plain_item SELECT 1, %1$s, n, item_key FROM sample),
			b AS (INSERT INTO plain_body SELECT 1, %1$s, n, payload, vouch.digest(payload) FROM sample)
			INSERT INTO plain_decision (bucket, artifact_no, item_no, from_no, body_no, status, source, recommended_by, recommended_at)
			SELECT 1, %1$s, n, 1, n, 'pending', payload ->> 'source', 'tess', clock_timestamp() FROM sample$q$, r));
		CALL measure('create_version, a jsonb array', 'tess', format(
			'SELECT vouch.create_version(''Sample Selection'', subject => ''json-%s'', items => items) FROM items', r));
		CALL measure('create_version_from a query', 'tess', format(
			'SELECT vouch.create_version_from(''Sample Selection'', subject => ''query-%s'', query => ''SELECT item_key, payload FROM bench.sample ORDER BY n'')', r));
		CALL measure('submit_version', 'tess', format('SELECT vouch.submit_version(id(''json-%s''))', r));
		CALL measure('plain UPDATE of the same rows', 'olga', format($q$
			UPDATE plain_decision SET status = 'approved', decided_by = 'olga', decided_at = clock_timestamp(), notes = NULL
			WHERE bucket = 1 AND artifact_no = %s$q$, r));
		CALL measure('decide, a jsonb object', 'olga', format('SELECT vouch.decide(id(''json-%s''), verdicts) FROM verdicts', r));
		CALL measure('reject_version', 'olga', format('SELECT vouch.reject_version(id(''json-%s''), ''some are rejected'')', r));
	END LOOP;
END $$;
CALL first_part(:reps);

\set QUIET off
\echo revising one of them, a hundredth rejected and as many new each time
\set QUIET on
CREATE FUNCTION fresh(r int, n int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(payload || jsonb_build_object('id', 'round-' || r || '-' || sample.n) ORDER BY sample.n) FROM sample WHERE sample.n <= $2 $$;
UPDATE plain_decision SET status = 'rejected' WHERE item_no % 100 = 0;
INSERT INTO copied SELECT 1, item_key, payload, 'approved', 'tester', 'tess', 'olga', now(), NULL FROM sample;
VACUUM ANALYZE;
CREATE TABLE extra (r int, items jsonb, verdicts jsonb);
INSERT INTO extra SELECT r, fresh(r, :items / 100), (SELECT jsonb_object_agg(i ->> 'id', 'rejected') FROM jsonb_array_elements(fresh(r, :items / 100)) i)
FROM generate_series(1, 2 * :reps) r;
CREATE PROCEDURE second_part(reps int, hundredth int) LANGUAGE plpgsql AS $$
BEGIN
	FOR r IN 1 .. reps LOOP
		CALL measure('plain UPDATE and INSERT of what changed', 'tess', format($q$
			WITH u AS (UPDATE plain_decision SET to_no = 2 WHERE bucket = 1 AND artifact_no = %1$s AND to_no = 2147483647 AND status <> 'approved'),
			i AS (INSERT INTO plain_item SELECT 1, %1$s, 1000000 + n, 'r' || item_key FROM sample WHERE n <= %2$s),
			b AS (INSERT INTO plain_body SELECT 1, %1$s, 1000000 + n, payload, vouch.digest(payload) FROM sample WHERE n <= %2$s)
			INSERT INTO plain_decision (bucket, artifact_no, item_no, from_no, body_no, status, source, recommended_by, recommended_at)
			SELECT 1, %1$s, 1000000 + n, 2, 1000000 + n, 'pending', payload ->> 'source', 'tess', clock_timestamp() FROM sample WHERE n <= %2$s$q$, r, hundredth));
	END LOOP;
	FOR r IN 1 .. 2 * reps LOOP
		CALL measure('create_revision', 'tess', format('SELECT vouch.create_revision(id(''json-1''), items) FROM extra WHERE r = %s', r));
		CALL measure('copying all rows instead', 'tess', format($q$
			INSERT INTO copied SELECT %s, item_key, payload, status, source, recommended_by, decided_by, decided_at, notes
			FROM copied WHERE version_no = 1$q$, r + 1));
		CALL measure('diff_versions, adjacent', 'olga', format('SELECT count(*) FROM vouch.diff_versions(id(''json-1'', %s), id(''json-1'', %s))', r, r + 1));
		CALL measure('version_items, a page of 100', 'olga', format('SELECT count(*) FROM vouch.version_items(id(''json-1''), %s, 100)', r * 1000));
		CALL measure('version_items, all with payload', 'olga', 'SELECT count(*) FROM vouch.version_items(id(''json-1''))');
		PERFORM set_config('vouch.actor', 'tess', false);
		PERFORM vouch.submit_version(id('json-1'));
		CALL measure('decide on a hundredth', 'olga', format('SELECT vouch.decide(id(''json-1''), verdicts) FROM extra WHERE r = %s', r));
		PERFORM vouch.reject_version(id('json-1'), 'again');
		COMMIT;
	END LOOP;
END $$;
CALL second_part(:reps, :items / 100);
CALL measure('verify', 'olga', 'SELECT count(*) FROM vouch.verify(''json-1'')');

\pset null ''
SELECT what AS "median of each", round(percentile_cont(0.5) WITHIN GROUP (ORDER BY wall_ms)::numeric, 1) AS wall_ms,
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu_ms)::numeric, 1) AS cpu_ms,
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY wal_mb)::numeric, 2) AS wal_mb,
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu_ms) / (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY b.cpu_ms) FROM result b
		WHERE b.what = CASE WHEN result.what LIKE 'create_version%' THEN 'plain INSERT ... SELECT of the same rows'
			WHEN result.what = 'decide, a jsonb object' THEN 'plain UPDATE of the same rows'
			WHEN result.what = 'create_revision' THEN 'plain UPDATE and INSERT of what changed' END))::numeric, 3) AS cpu_to_plain
FROM result GROUP BY what ORDER BY min(n);
SELECT count(*) AS artifacts, bool_and(ok) AS all_ok FROM vouch.verify('json-1');
