-- What versions cost.  Run by "make bench-versions".  Every figure is CPU time of the backend (the kernel's count, in /proc, so Linux
-- only) and WAL written by the whole server, the median of some runs in one session.  Tables of Vouch are not analyzed in between.
-- Revisions are measured after one that is rolled back, which takes the full-page images that a checkpoint asks for; the plain
-- statements and the copies beside them are, too.
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
CREATE EXTENSION vouch;
CREATE SCHEMA bench;
SET search_path = bench, public;

-- One session plays the people.
SELECT vouch.register_application(session_user) \g /dev/null
SELECT vouch.grant_role('tess', 'tester'), vouch.grant_role('olga', 'report_owner') \g /dev/null
UPDATE vouch_data.phase SET max_revisions = NULL;

CREATE TABLE result (n serial, what text, cpu_ms float8, wall_ms float8, wal_mb float8);
-- The kernel brings its count up to date when the process waits, so it has to.
CREATE FUNCTION cpu_ms() RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_sleep(0.0005);
	RETURN split_part(pg_read_file('/proc/' || pg_backend_pid() || '/schedstat'), ' ', 1)::float8 / 1e6;
END $$;
-- Runs a statement some times, each in a transaction of its own, and notes what one run took.
CREATE PROCEDURE measure(what text, actor text, statement text, times int DEFAULT 1, warm_up boolean DEFAULT false) LANGUAGE plpgsql AS $$
DECLARE
	wal pg_lsn;
	cpu float8;
	wall timestamptz;
BEGIN
	PERFORM set_config('vouch.actor', actor, false);
	COMMIT;
	IF warm_up THEN
		EXECUTE statement;
		ROLLBACK;
	END IF;
	wal := pg_current_wal_insert_lsn();
	cpu := cpu_ms();
	wall := clock_timestamp();
	FOR i IN 1 .. times LOOP
		EXECUTE statement;
		COMMIT;
	END LOOP;
	INSERT INTO result (what, cpu_ms, wall_ms, wal_mb)
	VALUES (what, (cpu_ms() - cpu) / times, extract(epoch FROM clock_timestamp() - wall) * 1000 / times,
		(pg_current_wal_insert_lsn() - wal) / 1048576.0 / times);
	COMMIT;
END $$;

CREATE FUNCTION payload(n int, key text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT jsonb_build_object('id', key, 'type', 'random', 'source', 'tester',
		'data', jsonb_build_object('account', md5(n::text), 'balance', n * 17 % 100000, 'limit', n * 31 % 50000, 'branch', 'b' || n % 400)) $$;
CREATE TABLE sample AS SELECT n, key AS item_key, payload(n, key), decode(md5(n::text), 'hex') AS salt, vouch.digest(payload(n, key)) AS hash
FROM (SELECT n, 'sample-' || n AS key FROM generate_series(1, :items) n) AS k;
CREATE TABLE many AS SELECT n, 'sample-' || n AS item_key, payload(n, 'sample-' || n) FROM generate_series(1, :many) n;
CREATE TABLE items AS SELECT jsonb_agg(payload ORDER BY n) AS items FROM sample;
CREATE TABLE verdicts AS SELECT jsonb_object_agg(item_key, CASE WHEN n % 100 = 0 THEN 'rejected' ELSE 'approved' END) AS verdicts FROM sample;
-- of each round a hundredth: new items, and verdicts that approve these and reject others that are carried
CREATE TABLE round AS SELECT r,
	jsonb_agg(payload(n, format('round-%s-%s', r, n))) AS items,
	jsonb_object_agg(format('round-%s-%s', r, n), 'approved') || jsonb_object_agg('sample-' || n * 100 - r, 'rejected') AS verdicts
FROM generate_series(1, :depth) r, generate_series(1, :items / 100) n GROUP BY r;

CREATE TABLE plain_item (LIKE vouch_data.item INCLUDING ALL);
CREATE TABLE plain_body (LIKE vouch_data.item_body INCLUDING ALL);
CREATE TABLE plain_decision (LIKE vouch_data.decision INCLUDING ALL);
CREATE TABLE copied (subject int, version_no int, item_key text, payload jsonb, status vouch.verdict, source text,
	recommended_by text, decided_by text, decided_at timestamptz, notes text, PRIMARY KEY (subject, version_no, item_key));
VACUUM ANALYZE sample, many, items, verdicts, round;

CREATE FUNCTION id(subject text, version int DEFAULT NULL) RETURNS uuid LANGUAGE sql STABLE AS $$
	SELECT vouch_data.version_id(a.bucket, a.artifact_no, coalesce(version, a.head_no)) FROM vouch_data.artifact a
	WHERE a.bucket = vouch.bucket($1) AND a.subject = $1 AND a.phase = 'sample_selection' $$;

\echo :items items: creating, deciding, rejecting ...
CREATE PROCEDURE first_part(reps int) LANGUAGE plpgsql AS $$
BEGIN
	FOR r IN 1 .. reps LOOP
		CALL measure('create, plain', 'tess', format($q$
			WITH i AS (INSERT INTO plain_item SELECT 1, %1$s, n, item_key FROM sample),
			b AS (INSERT INTO plain_body SELECT 1, %1$s, n, payload, hash, salt FROM sample)
			INSERT INTO plain_decision (bucket, artifact_no, item_no, from_no, body_no, status, source, recommended_by, recommended_at)
			SELECT 1, %1$s, n, 1, n, 'pending', payload ->> 'source', 'tess', clock_timestamp() FROM sample$q$, r));
		CALL measure('create, copied', 'tess', format(
			'INSERT INTO copied SELECT %s, 1, item_key, payload, ''pending'', payload ->> ''source'', ''tess'' FROM sample', r));
		CALL measure('create', 'tess', format(
			'SELECT vouch.create_version(''Sample Selection'', subject => ''s-%s'', items => items) FROM items', r));
		IF r <= 2 THEN
			CALL measure('create from', 'tess', format(
				'SELECT vouch.create_version_from(''Sample Selection'', subject => ''q-%s'', query => ''SELECT item_key, payload FROM bench.sample ORDER BY n'')', r));
			CALL measure('submit', 'tess', format('SELECT vouch.submit_version(id(''q-%s''))', r));
			CALL measure('decide where', 'olga', format('SELECT vouch.decide_where(id(''q-%s''), ''approved'')', r));
			CALL measure('approve', 'olga', format('SELECT vouch.approve_version(id(''q-%s''))', r));
		END IF;
		CALL measure('submit', 'tess', format('SELECT vouch.submit_version(id(''s-%s''))', r));
		CALL measure('decide, plain', 'olga', format($q$
			UPDATE plain_decision SET status = CASE WHEN item_no %% 100 = 0 THEN 'rejected' ELSE 'approved' END::vouch.verdict,
				decided_by = 'olga', decided_at = clock_timestamp(), notes = NULL WHERE bucket = 1 AND artifact_no = %s$q$, r));
		CALL measure('decide, copied', 'olga', format($q$
			UPDATE copied SET status = CASE WHEN item_key LIKE '%%00' THEN 'rejected' ELSE 'approved' END::vouch.verdict,
				decided_by = 'olga', decided_at = clock_timestamp() WHERE subject = %s$q$, r));
		CALL measure('decide', 'olga', format('SELECT vouch.decide(id(''s-%s''), verdicts) FROM verdicts', r));
		CALL measure('reject', 'olga', format('SELECT vouch.reject_version(id(''s-%s''), ''some are rejected'')', r));
	END LOOP;
END $$;
CALL first_part(:reps);
CALL measure('yardstick: counting 1,000,000 generated rows', 'tess', 'SELECT count(*) FROM generate_series(1, 1000000)');
-- what autovacuum does in its time; ANALYZE only for the plain tables, whose statements are planned by the statistics
VACUUM ANALYZE plain_item, plain_body, plain_decision, copied;
SELECT format('VACUUM %s', string_agg(format('vouch_data.%I', t), ', ')) FROM unnest('{item,item_body,decision,version,version_ended,version_stat,artifact}'::text[]) t \gexec

\echo a first revision of each, then :depth of one, a hundredth of the items rejected each time ...
CREATE PROCEDURE compare(subject int, earlier int, what text) LANGUAGE plpgsql AS $$
DECLARE
	numbers constant int[] := (SELECT array_agg(n) FROM sample WHERE n % 100 = 0);
BEGIN
	-- the payloads of as many items by their numbers, which a difference has to read, too
	CALL measure('payloads' || what || ', plain', 'olga', format('SELECT count(payload) FROM plain_body WHERE bucket = 1 AND artifact_no = %s
		AND body_no = ANY (%L::int[])', subject, numbers), 4);
	CALL measure('diff' || what, 'olga', format('SELECT count(*) FROM vouch.diff_versions(%L, %L)',
		id('s-' || subject, earlier), id('s-' || subject, earlier + 1)), 4);
	CALL measure('diff' || what || ', copied', 'olga', format('SELECT count(*) FROM (SELECT * FROM copied WHERE subject = %1$s AND version_no = %2$s) a
		FULL JOIN (SELECT * FROM copied WHERE subject = %1$s AND version_no = %2$s + 1) b USING (item_key)
		WHERE (a.payload, a.status) IS DISTINCT FROM (b.payload, b.status)', subject, earlier));
	CALL measure('page' || what, 'olga', format('SELECT count(*) FROM vouch.version_items(%L, %s, 100)',
		id('s-' || subject, (earlier + 1) / 2), earlier * 1234), 20);
	CALL measure('page' || what || ', copied', 'olga', format('SELECT count(*) FROM (SELECT * FROM copied WHERE subject = %s AND version_no = %s
		AND item_key > ''sample-%s'' ORDER BY item_key LIMIT 100) c', subject, (earlier + 1) / 2, earlier * 1234), 20);
END $$;
-- A version by copying the one before it, without what is not approved.
CREATE FUNCTION copying(subject int, earlier int) RETURNS text LANGUAGE sql AS $$
	SELECT format('INSERT INTO copied SELECT subject, version_no + 1, item_key, payload, status, source, recommended_by, decided_by, decided_at, notes
		FROM copied WHERE subject = %s AND version_no = %s AND status = ''approved''', subject, earlier) $$;
CREATE PROCEDURE second_part(reps int, depth int) LANGUAGE plpgsql AS $$
BEGIN
	FOR r IN 1 .. reps LOOP
		CALL measure('revision, plain', 'tess', format('UPDATE plain_decision SET to_no = 2
			WHERE bucket = 1 AND artifact_no = %s AND to_no = 2147483647 AND status <> ''approved''', r), 1, true);
		CALL measure('revision', 'tess', format('SELECT vouch.create_revision(id(''s-%s''))', r), 1, true);
		CALL measure('revision, copied', 'tess', copying(r, 1), 1, true);
		CALL compare(r, 1, '');
	END LOOP;
	FOR r IN 1 .. depth LOOP
		CALL measure('add', 'tess', format('SELECT vouch.edit_items(id(''s-1''), items) FROM round WHERE r = %s', r));
		PERFORM set_config('vouch.actor', 'tess', false);
		PERFORM vouch.submit_version(id('s-1'));
		CALL measure('decide some', 'olga', format('SELECT vouch.decide(id(''s-1''), verdicts) FROM round WHERE r = %s', r));
		PERFORM vouch.reject_version(id('s-1'), 'again');
		-- the copies change as much: a hundredth goes, and as much comes
		UPDATE copied SET status = 'rejected' WHERE subject = 1 AND version_no = r + 1 AND item_key IN (SELECT 'sample-' || n * 100 - r FROM sample);
		INSERT INTO copied SELECT 1, r + 1, format('round-%s-%s', r, n), payload, 'approved', 'tester', 'tess'
		FROM sample WHERE n <= (SELECT count(*) / 100 FROM sample);
		COMMIT;
		IF r > depth - 5 THEN
			CALL measure('revision, deep', 'tess', 'SELECT vouch.create_revision(id(''s-1''))', 1, true);
			CALL measure('revision, deep, copied', 'tess', copying(1, r + 1), 1, true);
			CALL compare(1, r + 1, ', deep');
			CALL measure('diff, deep, as many new and decided', 'olga', format('SELECT count(*) FROM vouch.diff_versions(%L, %L)', id('s-1', r), id('s-1', r + 1)), 4);
		ELSE
			PERFORM set_config('vouch.actor', 'tess', false);
			PERFORM vouch.create_revision(id('s-1'));
			EXECUTE copying(1, r + 1);
		END IF;
		COMMIT;
	END LOOP;
	CALL measure('discard', 'tess', 'SELECT vouch.discard_version(id(''s-1''))');
	CALL measure('revision and as many new', 'tess', 'SELECT vouch.create_revision(id(''s-1''), (SELECT jsonb_agg(i || jsonb_build_object(''id'', ''x'' || (i ->> ''id'')))
		FROM round, jsonb_array_elements(items) i WHERE r = 1))', 1, true);
END $$;
CALL second_part(:reps, :depth);
CALL measure('yardstick: counting 1,000,000 generated rows', 'tess', 'SELECT count(*) FROM generate_series(1, 1000000)');
CALL measure('verify', 'olga', 'SELECT count(*) FROM vouch.verify(''q-1'')');

SELECT :many > 0 AS do_many \gset
\if :do_many
\echo :many items ...
CREATE FUNCTION some_of(every int, start int, verdict text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_object_agg(item_key, verdict) FROM many WHERE n % every = start $$;
CREATE TABLE few AS SELECT some_of(100, 0, 'rejected') AS hundredth, greatest(:many / (:items / 100), 1) AS every;
CALL measure('many: create from', 'tess', 'SELECT vouch.create_version_from(''Sample Selection'', subject => ''many'', query => ''SELECT item_key, payload FROM bench.many ORDER BY n'')');
CALL measure('many: submit', 'tess', 'SELECT vouch.submit_version(id(''many''))');
CALL measure('many: decide a hundredth', 'olga', 'SELECT vouch.decide(id(''many''), hundredth) FROM few');
CALL measure('many: decide where', 'olga', 'SELECT vouch.decide_where(id(''many''), ''approved'')');
CALL measure('many: reject', 'olga', 'SELECT vouch.reject_version(id(''many''), ''some are rejected'')');
VACUUM vouch_data.decision;
INSERT INTO copied SELECT 0, 1, item_key, payload, CASE WHEN n % 100 = 0 THEN 'rejected' ELSE 'approved' END::vouch.verdict, 'tester', 'tess' FROM many;
VACUUM ANALYZE copied;
-- A hundredth of them, three times: made, thrown away, and made again.
CREATE PROCEDURE third_part() LANGUAGE plpgsql AS $$
DECLARE
	earlier uuid;
	half constant bigint := (SELECT count(*) / 2 FROM many);
BEGIN
	FOR r IN 1 .. 3 LOOP
		CALL measure('many: revision, a hundredth', 'tess', 'SELECT vouch.create_revision(id(''many''))', 1, true);
		CALL measure('many: diff, a hundredth', 'olga', format('SELECT count(*) FROM vouch.diff_versions(%L, %L)', id('many', 1), id('many')), 2);
		EXIT WHEN r = 3;
		CALL measure('many: discard', 'tess', 'SELECT vouch.discard_version(id(''many''))');
	END LOOP;
	CALL measure('many: revision, copied', 'tess', copying(0, 1));
	CALL measure('many: diff, copied', 'olga', 'SELECT count(*) FROM (SELECT * FROM copied WHERE subject = 0 AND version_no = 1) a
		FULL JOIN (SELECT * FROM copied WHERE subject = 0 AND version_no = 2) b USING (item_key)
		WHERE (a.payload, a.status) IS DISTINCT FROM (b.payload, b.status)');
	CALL measure('many: page, copied', 'olga', 'SELECT count(*) FROM (SELECT * FROM copied WHERE subject = 0 AND version_no = 1
		AND item_key > ''sample-500'' ORDER BY item_key LIMIT 100) c', 20);
	-- Then as many as of the fewer items before.
	FOR r IN 1 .. 3 LOOP
		CALL measure('many: submit', 'tess', 'SELECT vouch.submit_version(id(''many''))');
		CALL measure('many: decide some', 'olga', format('SELECT vouch.decide(id(''many''), some_of(every, %s, ''rejected'')) FROM few', r));
		CALL measure('many: reject', 'olga', 'SELECT vouch.reject_version(id(''many''), ''some are rejected'')');
		earlier := id('many');
		CALL measure('many: revision', 'tess', 'SELECT vouch.create_revision(id(''many''))', 1, true);
		CALL measure('many: diff', 'olga', format('SELECT count(*) FROM vouch.diff_versions(%L, %L)', earlier, id('many')), 4);
		CALL measure('many: page', 'olga', format('SELECT count(*) FROM vouch.version_items(%L, %s, 100)', id('many', 1), half + r), 20);
	END LOOP;
	CALL measure('many: submit', 'tess', 'SELECT vouch.submit_version(id(''many''))');
	CALL measure('many: approve', 'olga', 'SELECT vouch.approve_version(id(''many''))');
	CALL measure('many: verify', 'olga', 'SELECT count(*) FROM vouch.verify(''many'')');
END $$;
CALL third_part();
\endif

CREATE VIEW median AS
SELECT what, percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu_ms) AS cpu_ms, percentile_cont(0.5) WITHIN GROUP (ORDER BY wall_ms) AS wall_ms,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY wal_mb) AS wal_mb, min(cpu_ms) AS least, count(*) AS runs, min(n) AS n
FROM result GROUP BY what;

\echo
\echo '== targets.  cpu in ms; "to plain": how many times the plain SQL (of 10 times the items: the revision of the fewer); "copying": the same by copying versions'
WITH target (place, what, label, cpu, wal, plain, factor, copied) AS (VALUES
	(1, 'revision', 'revision, 1 % closed', 15, 0.5, 'revision, plain', NULL::numeric, 'revision, copied'),
	(2, 'revision, deep', 'the same, 20 revisions deep', 15, 0.5, 'revision, plain', NULL, 'revision, deep, copied'),
	(3, 'many: revision', '10 times the items, as many closed', NULL, NULL, 'revision', 2, 'many: revision, copied'),
	(4, 'many: revision, a hundredth', '10 times the items, 1 % closed', NULL, NULL, 'revision', NULL, 'many: revision, copied'),
	(5, 'diff', 'diff of adjacent versions', 5, NULL, 'payloads, plain', NULL, 'diff, copied'),
	(6, 'diff, deep', 'the same, 20 revisions deep', 5, NULL, 'payloads, deep, plain', NULL, 'diff, deep, copied'),
	(7, 'many: diff', 'diff, 10 times the items, as many changed', 5, NULL, NULL, NULL, 'many: diff, copied'),
	(8, 'page', 'page of 100 items', 1, NULL, NULL, NULL, 'page, copied'),
	(9, 'page, deep', 'page of an old version, 20 deep', 1, NULL, NULL, NULL, 'page, deep, copied'),
	(10, 'many: page', 'page, 10 times the items', 1, NULL, NULL, NULL, 'many: page, copied'),
	(11, 'create', 'create_version, a jsonb array', NULL, NULL, 'create, plain', 2, 'create, copied'),
	(12, 'create from', 'create_version_from, a query', NULL, NULL, 'create, plain', 2, 'create, copied'),
	(13, 'decide', 'decide, a jsonb object', NULL, NULL, 'decide, plain', 2, 'decide, copied'),
	(14, 'decide where', 'decide_where', NULL, NULL, 'decide, plain', 2, 'decide, copied'))
SELECT CASE WHEN (t.cpu IS NULL OR m.cpu_ms <= t.cpu) AND (t.wal IS NULL OR m.wal_mb <= t.wal)
		AND (t.factor IS NULL OR m.cpu_ms <= t.factor * p.cpu_ms) THEN 'ok' ELSE 'MISSED' END AS " ",
	t.label AS "what", concat_ws(', ', '<= ' || t.cpu || ' ms', '<= ' || t.wal || ' MB', '<= ' || t.factor || ' x') AS target,
	round(m.cpu_ms::numeric, 2) AS cpu, round(m.least::numeric, 2) AS least, round(m.wal_mb::numeric, 2) AS wal_mb, round((m.cpu_ms / p.cpu_ms)::numeric, 2) AS "to plain",
	round(c.cpu_ms::numeric, 1) AS copying, round(c.wal_mb::numeric, 1) AS "its wal", round((c.cpu_ms / m.cpu_ms)::numeric, 1) AS "copying / ours"
FROM target t JOIN median m USING (what) LEFT JOIN median p ON p.what = t.plain LEFT JOIN median c ON c.what = t.copied ORDER BY t.place;

\echo '== everything, medians (least_ms: the run that the rest of the machine disturbed least)'
SELECT what, runs, round(cpu_ms::numeric, 2) AS cpu_ms, round(least::numeric, 2) AS least_ms, round(wall_ms::numeric, 2) AS wall_ms, round(wal_mb::numeric, 2) AS wal_mb FROM median ORDER BY n;
SELECT subject, count(*) AS checks, bool_and(ok) AS all_ok FROM vouch.verify('s-1') GROUP BY 1;
