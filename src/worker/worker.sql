-- worker.sql: status and workers.

-- Where the tables belong ---------------------------------------------------

CREATE TABLE vouch_data.adoption (
	system_identifier bigint NOT NULL,
	database_oid oid NOT NULL,
	adopted_by text NOT NULL,
	adopted_at timestamptz NOT NULL
);
COMMENT ON TABLE vouch_data.adoption IS
'The database that these tables belong to. A dump carries its row along, so in a restored copy there is a second one, and nothing is advanced until vouch.adopt_database(). Its name sorts before those of the tables with work, so that it is restored first; it has no key, so that restoring never fails';
COMMENT ON COLUMN vouch_data.adoption.system_identifier IS 'Of the database cluster, as pg_control_system() has it';
COMMENT ON COLUMN vouch_data.adoption.database_oid IS 'Of the database in it';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.adoption', '');

INSERT INTO vouch_data.adoption
SELECT c.system_identifier, d.oid, session_user, pg_catalog.clock_timestamp()
FROM pg_catalog.pg_control_system() c, pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database();

-- Executions that may have crashed the server ---------------------------------

CREATE TABLE vouch_data.suspect (
	bucket int NOT NULL,
	execution_id uuid NOT NULL,
	crashes int NOT NULL,
	being_run boolean NOT NULL,
	marked_at timestamptz NOT NULL,
	PRIMARY KEY (bucket, execution_id)
);
COMMENT ON TABLE vouch_data.suspect IS
'After a crash of the server, executions that are being run, so that the next crash has fewer suspects. Empty while all is well';
COMMENT ON COLUMN vouch_data.suspect.crashes IS 'Crashes of the server while it was run; at 2 the activity that comes next is failed with Vouch.Crashed';

-- Processes -------------------------------------------------------------------

CREATE FUNCTION vouch_data.extension_created() RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_extension_created';
COMMENT ON FUNCTION vouch_data.extension_created() IS
'After commit, has the launcher look whether workers are to run in this database';

CREATE FUNCTION vouch.adopt_database() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	LOCK TABLE vouch_data.adoption IN EXCLUSIVE MODE;
	DELETE FROM vouch_data.adoption;
	INSERT INTO vouch_data.adoption
	SELECT c.system_identifier, d.oid, vouch.actor(), clock_timestamp()
	FROM pg_control_system() c, pg_database d
	WHERE d.datname = current_database();
	PERFORM vouch_data.extension_created();
END
$$;
COMMENT ON FUNCTION vouch.adopt_database() IS
'Lets a restored copy of a database run the workflows in it. Before, make sure that the original no longer runs them: each would carry out what is still to do. Also needed after pg_upgrade';

CREATE FUNCTION vouch_data.processes(
	OUT component text, OUT state text, OUT detail text, OUT hint text)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vouch_sql_processes';
COMMENT ON FUNCTION vouch_data.processes() IS 'The rows of vouch.status() about processes';

CREATE FUNCTION vouch_data.obstacle() RETURNS text
LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vouch_sql_obstacle';
COMMENT ON FUNCTION vouch_data.obstacle() IS
'Why nothing is to be advanced in this database, by whatever means; NULL when nothing is in the way';

CREATE FUNCTION vouch.status(
	OUT component text, OUT state text, OUT detail text, OUT hint text)
RETURNS SETOF record
LANGUAGE sql VOLATILE PARALLEL RESTRICTED
BEGIN ATOMIC
	SELECT p.component, p.state, p.detail, p.hint FROM vouch_data.processes() p
	UNION ALL
	SELECT 'work', r.n || ' ready',
		'oldest since ' || r.oldest,
		NULL
	FROM (SELECT count(*) AS n, min(e.started_at) AS oldest
		FROM vouch_data.branch b
		JOIN vouch_data.execution e ON e.bucket = b.bucket AND e.execution_id = b.execution_id
		WHERE b.status = 'ready' AND NOT b.held) r
	UNION ALL
	SELECT 'timers', t.n || ' set', 'next due at ' || t.due, NULL
	FROM (SELECT count(*) AS n, min(b.due_at) AS due FROM vouch_data.branch b
		WHERE b.due_at IS NOT NULL AND NOT b.held) t
	UNION ALL
	SELECT 'suspects', count(*) || ' run one at a time', 'were being run when the server crashed',
		'Each runs alone until it has gone through; after two crashes its next activity fails with Vouch.Crashed. Look at vouch_data.suspect for which.'
	FROM vouch_data.suspect s WHERE s.crashes > 0
	HAVING count(*) > 0
	UNION ALL
	SELECT 'work of role ' || b.run_as, 'waiting', count(*) || ' ready', 'Create the role again: the workflow was defined to run as it.'
	FROM vouch_data.branch b
	WHERE b.status = 'ready' AND NOT b.held
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = b.run_as)
	GROUP BY b.run_as
	UNION ALL
	SELECT 'database', 'idle', o.reason,
		CASE WHEN o.reason LIKE '%adopt_database%'
			THEN 'If this copy is to run its workflows, call vouch.adopt_database().'
			ELSE 'Set vouch.restoring to off when the dump is restored, and call vouch.adopt_database().' END
	FROM vouch_data.obstacle() AS o(reason)
	WHERE o.reason IS NOT NULL;
END;
COMMENT ON FUNCTION vouch.status() IS
'How Vouch runs in this database, a row for each component: its state, detail, and a hint where something can be done. Components: server (preloaded or not), standby, launcher, dispatcher, executors of a role (running, parked with the reason), work (ready branches, and since when the oldest execution among them runs), timers, suspects (only after crashes of the server: executions that were being run, and run one at a time until they have gone through), database (only when nothing is advanced here: a restored copy, or vouch.restoring)';

-- Without background workers ---------------------------------------------------

CREATE FUNCTION vouch_data.my_work(max int, OUT bucket int, OUT execution_id uuid)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_my_work';
COMMENT ON FUNCTION vouch_data.my_work(int) IS
'Executions that have something to do and run as the session''s login role, at most max';

CREATE FUNCTION vouch_data.advance_mine(bucket int, execution_id uuid, careful boolean) RETURNS bigint
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_advance_mine';
COMMENT ON FUNCTION vouch_data.advance_mine(int, uuid, boolean) IS
'Advances one execution that runs as the session''s login role (VO407 else, VO403 when there is none) until it waits: the number of states left, or NULL when somebody else has it. careful: an activity''s error goes to its Retry and Catch; else it is raised';

CREATE PROCEDURE vouch.run_worker(
	max_seconds double precision DEFAULT NULL, max_steps bigint DEFAULT NULL,
	stop_when_idle boolean DEFAULT true)
LANGUAGE plpgsql AS $$
DECLARE
	deadline timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+)
		pg_catalog.make_interval(secs => max_seconds);
	obstacle text := vouch_data.obstacle();
	failed uuid[] := '{}';
	buckets int[];
	executions uuid[];
	n int;
	total bigint := 0;
	steps bigint;
	mine bigint;
	together boolean;
	progress boolean;
BEGIN
	IF obstacle IS NOT NULL THEN
		RAISE EXCEPTION 'workflows are not advanced in this database: %', obstacle
			USING ERRCODE = 'VO405', HINT = 'See vouch.status().';
	END IF;
	PERFORM vouch.process_deadlines();
	COMMIT;
	LOOP
		SELECT pg_catalog.array_agg(w.bucket), pg_catalog.array_agg(w.execution_id)
		INTO buckets, executions
		FROM (SELECT m.bucket, m.execution_id
			FROM vouch_data.my_work(32 OPERATOR(pg_catalog.+) pg_catalog.cardinality(failed)) m
			WHERE m.execution_id OPERATOR(pg_catalog.<>) ALL (failed)
			LIMIT 32) w;
		n := COALESCE(pg_catalog.cardinality(executions), 0);
		progress := false;
		together := true;
		steps := 0;
		BEGIN
			FOR i IN 1 .. n LOOP
				mine := vouch_data.advance_mine(buckets[i], executions[i], false);
				progress := progress OR mine IS NOT NULL;
				steps := steps OPERATOR(pg_catalog.+) COALESCE(mine, 0);
			END LOOP;
			SET CONSTRAINTS ALL IMMEDIATE;
		EXCEPTION WHEN OTHERS THEN
			together := false;
			steps := 0;
		END;
		COMMIT;

		IF NOT together THEN
			FOR i IN 1 .. n LOOP
				BEGIN
					mine := vouch_data.advance_mine(buckets[i], executions[i], true);
					SET CONSTRAINTS ALL IMMEDIATE;
					progress := progress OR mine IS NOT NULL;
					steps := steps OPERATOR(pg_catalog.+) COALESCE(mine, 0);
				EXCEPTION WHEN OTHERS THEN
					RAISE WARNING 'execution % could not be advanced: %', executions[i], SQLERRM
						USING ERRCODE = SQLSTATE, HINT = 'It is left alone until the next call.';
					failed := pg_catalog.array_append(failed, executions[i]);
				END;
				COMMIT;
			END LOOP;
		END IF;

		total := total OPERATOR(pg_catalog.+) steps;
		EXIT WHEN total OPERATOR(pg_catalog.>=) max_steps
			OR pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>=) deadline;
		IF NOT progress THEN
			-- What time ends may be what an execution waits for.
			progress := vouch.process_deadlines() OPERATOR(pg_catalog.>) 0;
			COMMIT;
			CONTINUE WHEN progress;
			EXIT WHEN stop_when_idle;
			PERFORM pg_catalog.pg_sleep(0.1);
		END IF;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE vouch.run_worker(double precision, bigint, boolean) IS
'Advances workflows in this session, with commits between, for servers without Vouch''s background workers: those that run as the session''s login role; and does what time asks of requests for approval (vouch.process_deadlines). Ends after max_seconds, or when max_steps states were left, or when nothing is left to do, unless stop_when_idle is false. VO405 in a restored copy. CALL it outside of a transaction block';

GRANT EXECUTE ON FUNCTION vouch_data.processes(), vouch_data.obstacle(), vouch.status() TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch_data.my_work(int), vouch_data.advance_mine(int, uuid, boolean) TO vouch_user;
GRANT EXECUTE ON PROCEDURE vouch.run_worker(double precision, bigint, boolean) TO vouch_user;
GRANT EXECUTE ON FUNCTION vouch.adopt_database() TO vouch_admin;

SELECT vouch_data.extension_created();
