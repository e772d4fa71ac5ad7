-- What tracking costs: the same statements on a plain table, on one with a history table that a trigger fills by hand, and on a
-- tracked one.  Run by "make bench-track".  Every figure is the median of some runs in one session: CPU time of the backend (the
-- kernel's count, in /proc, so Linux only), elapsed time, and WAL written by the whole server.
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
SELECT vouch.define_phase('bench', 'Bench', 'id') \g /dev/null
SELECT vouch.set_policy('bench', 'report_owner_review') \g /dev/null
SELECT vouch.define_phase('bench_key', 'Bench of two columns', 'key') \g /dev/null

CREATE TABLE result (n serial, what text, variant text, times int, cpu_ms float8, wall_ms float8, wal_mb float8);
CREATE FUNCTION cpu_ms() RETURNS float8 LANGUAGE sql AS $$
	SELECT split_part(pg_read_file('/proc/' || pg_backend_pid() || '/schedstat'), ' ', 1)::float8 / 1e6 $$;
-- Runs a statement, the times it has %s in it for a number, each in a transaction of its own if apart, and notes what one took.
CREATE PROCEDURE measure(what text, variant text, statement text, times int DEFAULT 1, apart boolean DEFAULT false) LANGUAGE plpgsql AS $$
DECLARE
	wal pg_lsn;
	cpu float8;
	wall timestamptz;
BEGIN
	COMMIT;
	wal := pg_current_wal_insert_lsn();
	cpu := cpu_ms();
	wall := clock_timestamp();
	FOR i IN 1 .. times LOOP
		EXECUTE statement USING i;
		IF apart THEN
			COMMIT;
		END IF;
	END LOOP;
	COMMIT;
	INSERT INTO result (what, variant, times, cpu_ms, wall_ms, wal_mb)
	VALUES (what, variant, times, (cpu_ms() - cpu) / times, extract(epoch FROM clock_timestamp() - wall) * 1000 / times,
		(pg_current_wal_insert_lsn() - wal) / 1048576.0 / times);
	COMMIT;
END $$;

-- The history that one makes by hand: each change of a row is a row, before and after as jsonb, in the name of who makes it.
CREATE TABLE history (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, relation regclass NOT NULL, key text NOT NULL, operation text NOT NULL,
	before jsonb, after jsonb, actor text NOT NULL DEFAULT session_user, at timestamptz NOT NULL DEFAULT now(), xid xid8 DEFAULT pg_current_xact_id());
CREATE INDEX ON history (relation, key);
CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO bench.history (relation, key, operation, after) VALUES (TG_RELID, new.id, TG_OP, to_jsonb(new));
	ELSIF TG_OP = 'DELETE' THEN
		INSERT INTO bench.history (relation, key, operation, before) VALUES (TG_RELID, old.id, TG_OP, to_jsonb(old));
	ELSIF new IS DISTINCT FROM old THEN
		INSERT INTO bench.history (relation, key, operation, before, after) VALUES (TG_RELID, new.id, TG_OP, to_jsonb(old), to_jsonb(new));
	END IF;
	RETURN NULL;
END $$;
CREATE FUNCTION newest() RETURNS uuid LANGUAGE sql AS 'SELECT version_id FROM vouch.tracked_tables';

CREATE PROCEDURE run(rows int, reps int, singles int) LANGUAGE plpgsql AS $$
DECLARE
	t text;
	fill text := 'INSERT INTO %s SELECT n, md5(n::text), n * 17 %% 100000, ''b'' || n %% 400, ''2026-01-01''::date + n %% 300 FROM generate_series(1, %s) n';
BEGIN
	FOR i IN 1 .. reps LOOP
		FOREACH t IN ARRAY ARRAY['plain', 'by_hand', 'tracked'] LOOP
			TRUNCATE history;
			EXECUTE format('DROP TABLE IF EXISTS %I', t);
			EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, account text, balance int, branch text, opened date)', t);
			PERFORM set_config('vouch.actor', 'tess', false);
			IF t = 'by_hand' THEN
				CREATE TRIGGER keep_history AFTER INSERT OR UPDATE OR DELETE ON by_hand FOR EACH ROW EXECUTE FUNCTION keep_history();
			ELSIF t = 'tracked' THEN
				PERFORM vouch.track_table('tracked', 'bench', subject => 'bench-' || i);
			END IF;
			CALL measure('1 insert of all rows', t, format(fill, t, rows));
			CALL measure('2 update of all rows, in a draft', t, format('UPDATE %I SET balance = balance + 1', t));
			CALL measure('2 update of all rows, in a draft', t, format('UPDATE %I SET balance = balance + 1', t));
			IF t = 'tracked' THEN
				PERFORM vouch.submit_version(newest());
				PERFORM set_config('vouch.actor', 'olga', false);
				PERFORM vouch.decide_where(newest(), 'approved');
				PERFORM vouch.approve_version(newest());
				PERFORM set_config('vouch.actor', 'tess', false);
			END IF;
			COMMIT;
			CALL measure('3 update of all rows, after approval', t, format('UPDATE %I SET balance = balance + 1', t));
			CALL measure('4 update of 1 % of the rows', t, format('UPDATE %I SET balance = balance + 1 WHERE id %% 100 = 0', t));
			CALL measure('5 update that changes nothing', t, format('UPDATE %I SET balance = balance', t));
			CALL measure('6 update of one row, in a transaction of many', t, format('UPDATE %I SET balance = balance + 1 WHERE id = $1', t), singles);
			CALL measure('7 update of one row, in one of its own', t, format('UPDATE %I SET balance = balance + 1 WHERE id = $1', t), singles, true);
			CALL measure('8 delete of all rows', t, format('DELETE FROM %I', t));
		END LOOP;
	END LOOP;
END $$;
CALL run(:rows, :reps, :singles);

-- The same of wide rows with a text as key, and of a partitioned table with two columns as key.
CREATE PROCEDURE run_shape(shape text, letter text, rows int, reps int) LANGUAGE plpgsql AS $$
DECLARE
	t text;
	definition text := CASE shape WHEN 'wide' THEN '(id text PRIMARY KEY, name text, street text, city text, country text, email text, opened timestamptz,
			closed timestamptz, balance numeric, rate numeric(8, 5), score float8, active boolean, tags text[], details jsonb, a int, b int, c int, d bigint, note text)'
		ELSE '(region int, id int, account text, balance int, PRIMARY KEY (region, id)) PARTITION BY LIST (region)' END;
	fill text := CASE shape WHEN 'wide' THEN 'SELECT ''account-'' || n, ''name '' || n, ''street '' || n %% 1000, ''city '' || n %% 100, ''DE'', n || ''@example.com'',
			''2020-01-01''::timestamptz + n * interval ''1 min'', NULL, n * 1.25, n %% 100 / 7.0, n / 3.0, n %% 2 = 0, ARRAY[''a'', ''b'' || n %% 10],
			jsonb_build_object(''kind'', n %% 5, ''limits'', jsonb_build_array(n, n + 1)), n, n %% 7, n %% 11, n::bigint * 1000000, md5(n::text)'
		ELSE 'SELECT n %% 4, n, md5(n::text), n' END || ' FROM generate_series(1, %s) n';
BEGIN
	FOR i IN 1 .. reps LOOP
		FOREACH t IN ARRAY ARRAY['plain', 'by_hand', 'tracked'] LOOP
			TRUNCATE history;
			EXECUTE format('DROP TABLE IF EXISTS %I', t);
			EXECUTE format('CREATE TABLE %I %s', t, definition);
			IF shape = 'partitioned' THEN
				FOR r IN 0 .. 3 LOOP
					EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (%s)', t || '_' || r, t, r);
				END LOOP;
			END IF;
			IF t = 'by_hand' THEN
				CREATE TRIGGER keep_history AFTER INSERT OR UPDATE OR DELETE ON by_hand FOR EACH ROW EXECUTE FUNCTION keep_history();
			ELSIF t = 'tracked' THEN
				PERFORM vouch.track_table('tracked', CASE shape WHEN 'wide' THEN 'bench' ELSE 'bench_key' END, subject => format('bench-%s-%s', shape, i));
			END IF;
			CALL measure(format('%s1 %s: insert of all rows', letter, shape), t, format('INSERT INTO %I ' || fill, t, rows));
			CALL measure(format('%s2 %s: update of all rows, in a draft', letter, shape), t, format('UPDATE %I SET balance = balance + 1', t));
			CALL measure(format('%s2 %s: update of all rows, in a draft', letter, shape), t, format('UPDATE %I SET balance = balance + 1', t));
			CALL measure(format('%s3 %s: delete of all rows', letter, shape), t, format('DELETE FROM %I', t));
		END LOOP;
	END LOOP;
END $$;
CALL run_shape('wide', 'a', :rows / 2, :reps);
CALL run_shape('partitioned', 'b', :rows, :reps);

\echo
\echo 'medians of one statement; ratios to the plain table, by CPU time'
WITH m AS (SELECT what, variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu_ms) AS cpu,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY wall_ms) AS wall, percentile_cont(0.5) WITHIN GROUP (ORDER BY wal_mb) AS wal
	FROM result GROUP BY 1, 2),
r AS (SELECT p.what, p.cpu AS p_cpu, h.cpu AS h_cpu, t.cpu AS t_cpu, p.wall AS p_wall, h.wall AS h_wall, t.wall AS t_wall,
	p.wal AS p_wal, h.wal AS h_wal, t.wal AS t_wal
	FROM m p JOIN m h ON h.what = p.what AND h.variant = 'by_hand' JOIN m t ON t.what = p.what AND t.variant = 'tracked' WHERE p.variant = 'plain')
SELECT ltrim(substr(what, 3)) AS statement, round(p_cpu::numeric, 2) AS plain_cpu_ms, round(h_cpu::numeric, 2) AS by_hand_cpu_ms,
	round(t_cpu::numeric, 2) AS tracked_cpu_ms, round((h_cpu / p_cpu)::numeric, 1) AS by_hand, round((t_cpu / p_cpu)::numeric, 1) AS tracked,
	CASE WHEN what LIKE '%update of all rows, in a draft' THEN CASE WHEN t_cpu <= 3 * p_cpu THEN '3: met' ELSE '3: missed' END ELSE '' END AS target,
	round((t_cpu / h_cpu)::numeric, 2) AS tracked_to_by_hand
FROM r ORDER BY what;
WITH m AS (SELECT what, variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY wall_ms) AS wall, percentile_cont(0.5) WITHIN GROUP (ORDER BY wal_mb) AS wal
	FROM result GROUP BY 1, 2)
SELECT ltrim(substr(p.what, 3)) AS statement, round(p.wall::numeric, 2) AS plain_ms, round(h.wall::numeric, 2) AS by_hand_ms, round(t.wall::numeric, 2) AS tracked_ms,
	round((p.wal * 1024)::numeric, 1) AS plain_wal_kb, round((h.wal * 1024)::numeric, 1) AS by_hand_wal_kb, round((t.wal * 1024)::numeric, 1) AS tracked_wal_kb
FROM m p JOIN m h ON h.what = p.what AND h.variant = 'by_hand' JOIN m t ON t.what = p.what AND t.variant = 'tracked' WHERE p.variant = 'plain' ORDER BY p.what;
\echo 'the draft shows the table, and verifies'
SELECT count(*) AS checks, bool_and(ok) AS ok FROM vouch.verify('bench-1', 'content');
