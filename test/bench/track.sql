-- What tracking costs: the same statements on a plain table and on a tracked one.  Run by "make bench-track".
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
SELECT vouch.register_application(session_user);
SELECT vouch.grant_role('tess', 'tester'), vouch.grant_role('olga', 'report_owner') \g /dev/null
SELECT vouch.define_phase('bench', 'Bench', 'id') \g /dev/null
SELECT vouch.set_policy('bench', 'report_owner_review') \g /dev/null

CREATE TABLE result (n serial, what text, variant text, wall_ms float8, cpu_ms float8, wal_mb float8);
CREATE FUNCTION cpu_ms() RETURNS float8 LANGUAGE sql AS $$
	SELECT split_part(pg_read_file('/proc/' || pg_backend_pid() || '/schedstat'), ' ', 1)::float8 / 1e6 $$;
CREATE PROCEDURE measure(what text, variant text, statement text) LANGUAGE plpgsql AS $$
DECLARE
	wal pg_lsn;
	cpu float8;
	wall timestamptz;
BEGIN
	COMMIT;
	wal := pg_current_wal_insert_lsn();
	cpu := cpu_ms();
	wall := clock_timestamp();
	EXECUTE statement;
	COMMIT;
	INSERT INTO result (what, variant, wall_ms, cpu_ms, wal_mb)
	VALUES (what, variant, extract(epoch FROM clock_timestamp() - wall) * 1000, cpu_ms() - cpu,
		(pg_current_wal_insert_lsn() - wal) / 1048576.0);
	COMMIT;
END $$;
CREATE FUNCTION newest() RETURNS uuid LANGUAGE sql AS 'SELECT version_id FROM vouch.tracked_tables';

CREATE PROCEDURE run(rows int, reps int) LANGUAGE plpgsql AS $$
DECLARE
	t text;
	variant text;
	fill text := 'INSERT INTO %s SELECT n, md5(n::text), n * 17 %% 100000, ''b'' || n %% 400, ''2026-01-01''::date + n %% 300 FROM generate_series(1, %s) n';
BEGIN
	FOR i IN 1..reps LOOP
		FOREACH t IN ARRAY ARRAY['plain', 'tracked'] LOOP
			EXECUTE format('DROP TABLE IF EXISTS %I', t);
			EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, account text, balance int, branch text, opened date)', t);
			PERFORM set_config('vouch.actor', 'tess', false);
			IF t = 'tracked' THEN
				PERFORM vouch.track_table('tracked', 'bench', subject => 'bench-' || i);
			END IF;
			variant := t;
			CALL measure('1 insert of all rows', variant, format(fill, t, rows));
			CALL measure('2 update of all rows in a draft of its own', variant, format('UPDATE %I SET balance = balance + 1', t));
			IF t = 'tracked' THEN
				PERFORM vouch.submit_version(newest());
				PERFORM set_config('vouch.actor', 'olga', false);
				PERFORM vouch.decide_where(newest(), 'approved');
				PERFORM vouch.approve_version(newest());
				PERFORM set_config('vouch.actor', 'tess', false);
			END IF;
			COMMIT;
			CALL measure('3 update of all rows after approval', variant, format('UPDATE %I SET balance = balance + 1', t));
			CALL measure('4 update of 1 % of the rows', variant, format('UPDATE %I SET balance = balance + 1 WHERE id %% 100 = 0', t));
			CALL measure('5 update that changes nothing', variant, format('UPDATE %I SET balance = balance', t));
			CALL measure('6 1000 updates of one row', variant, format('DO $x$ BEGIN FOR i IN 1..1000 LOOP UPDATE %I SET balance = balance + 1 WHERE id = i; END LOOP; END $x$', t));
			CALL measure('7 delete of all rows', variant, format('DELETE FROM %I', t));
		END LOOP;
	END LOOP;
END $$;
CALL run(:rows, :reps);

\set QUIET off
WITH m AS (SELECT what, variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY wall_ms) AS wall,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu_ms) AS cpu, percentile_cont(0.5) WITHIN GROUP (ORDER BY wal_mb) AS wal
	FROM result GROUP BY 1, 2)
SELECT substr(p.what, 3) AS statement, round(p.wall) AS plain_ms, round(t.wall) AS tracked_ms, round((t.wall / p.wall)::numeric, 1) AS ratio,
	round(p.cpu) AS plain_cpu_ms, round(t.cpu) AS tracked_cpu_ms, round((t.cpu / p.cpu)::numeric, 1) AS cpu_ratio,
	round(p.wal::numeric, 1) AS plain_wal_mb, round(t.wal::numeric, 1) AS tracked_wal_mb
FROM m p JOIN m t ON t.what = p.what AND t.variant = 'tracked' WHERE p.variant = 'plain' ORDER BY p.what;
