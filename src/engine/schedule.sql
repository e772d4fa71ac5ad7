-- schedule.sql: workflows that pg_cron starts.

CREATE TABLE vouch_data.schedule (
	name text PRIMARY KEY CHECK (name ~ '^[A-Za-z0-9_.-]{1,100}$'),
	cron text NOT NULL,
	workflow text NOT NULL,
	input jsonb NOT NULL,
	overlap text NOT NULL CHECK (overlap IN ('skip', 'queue', 'allow')),
	paused boolean NOT NULL DEFAULT false,
	queued boolean NOT NULL DEFAULT false,
	scheduled_by text NOT NULL,
	scheduled_at timestamptz NOT NULL,
	last_tick timestamptz,
	last_run timestamptz,
	last_outcome text,
	last_workflow_id text
);
COMMENT ON TABLE vouch_data.schedule IS 'Workflows that are started again and again; the clock is pg_cron''s';
COMMENT ON COLUMN vouch_data.schedule.queued IS 'With overlap queue: a run waits for the end of the one before';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.schedule', '');

-- When ----------------------------------------------------------------------

CREATE FUNCTION vouch_data.cron_field(field text, low int, high int, names text[]) RETURNS int[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	part text;
	m text[];
	a int;
	b int;
	result int[] := '{}';
BEGIN
	FOREACH part IN ARRAY string_to_array(lower(field), ',') LOOP
		FOR i IN 1 .. cardinality(names) LOOP
			part := regexp_replace(part, '\m' || names[i] || '[a-z]*', (low + i - 1)::text, 'g');
		END LOOP;
		m := regexp_match(part, '^(?:(\*)|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?$');
		IF m IS NULL THEN
			RETURN NULL;
		END IF;
		a := CASE WHEN m[1] IS NOT NULL THEN low ELSE m[2]::int END;
		b := CASE WHEN m[1] IS NOT NULL OR (m[3] IS NULL AND m[4] IS NOT NULL) THEN high ELSE coalesce(m[3], m[2])::int END;
		IF a < low OR b > high OR a > b OR m[4]::int = 0 THEN
			RETURN NULL;
		END IF;
		result := result || ARRAY(SELECT generate_series(a, b, coalesce(m[4]::int, 1)));
	END LOOP;
	RETURN ARRAY(SELECT DISTINCT n FROM unnest(result) AS n ORDER BY n);
END
$$;
COMMENT ON FUNCTION vouch_data.cron_field(text, int, int, text[]) IS 'Numbers that a field of a cron expression stands for; NULL when it cannot be read';

CREATE FUNCTION vouch_data.cron_next(cron text, after timestamptz, zone text DEFAULT 'UTC') RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	f text[] := regexp_split_to_array(btrim(CASE lower(btrim(cron))
		WHEN '@yearly' THEN '0 0 1 1 *' WHEN '@annually' THEN '0 0 1 1 *' WHEN '@monthly' THEN '0 0 1 * *'
		WHEN '@weekly' THEN '0 0 * * 0' WHEN '@daily' THEN '0 0 * * *' WHEN '@midnight' THEN '0 0 * * *'
		WHEN '@hourly' THEN '0 * * * *' ELSE cron END), '\s+');
	minutes int[];
	hours int[];
	days int[];
	months int[];
	weekdays int[];
	first timestamp := date_trunc('minute', after AT TIME ZONE zone) + interval '1 min';
	day date;
	at timestamp;
BEGIN
	IF cardinality(f) <> 5 THEN
		RETURN NULL;
	END IF;
	minutes := vouch_data.cron_field(f[1], 0, 59, '{}');
	hours := vouch_data.cron_field(f[2], 0, 23, '{}');
	days := vouch_data.cron_field(f[3], 1, 31, '{}');
	months := vouch_data.cron_field(f[4], 1, 12, '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}');
	weekdays := vouch_data.cron_field(f[5], 0, 7, '{sun,mon,tue,wed,thu,fri,sat}');
	IF minutes IS NULL OR hours IS NULL OR days IS NULL OR months IS NULL OR weekdays IS NULL THEN
		RETURN NULL;
	END IF;
	IF 7 = ANY (weekdays) THEN
		weekdays := weekdays || 0;
	END IF;
	-- the 29th of February may be eight years away
	FOR i IN 0 .. 2923 LOOP
		day := first::date + i;
		CONTINUE WHEN extract(month FROM day)::int <> ALL (months);
		-- a day of the month and a day of the week, both given: either will do
		CONTINUE WHEN CASE WHEN left(f[3], 1) <> '*' AND left(f[5], 1) <> '*'
			THEN extract(day FROM day)::int <> ALL (days) AND extract(dow FROM day)::int <> ALL (weekdays)
			ELSE extract(day FROM day)::int <> ALL (days) OR extract(dow FROM day)::int <> ALL (weekdays) END;
		SELECT min(t) INTO at FROM unnest(hours) AS h, unnest(minutes) AS m, LATERAL (SELECT day + make_interval(hours => h, mins => m)) AS x(t)
		WHERE t >= first;
		IF at IS NOT NULL THEN
			RETURN at AT TIME ZONE zone;
		END IF;
	END LOOP;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION vouch_data.cron_next(text, timestamptz, text) IS
'First time after another that a cron expression of five fields, or one like @daily, names; NULL when there is none, or it has another form';

-- From pg_cron 1.6 on only superusers may read its settings, so its owner's eyes are needed.
CREATE FUNCTION vouch_data.cron_timezone() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT coalesce(current_setting('cron.timezone', true), 'UTC') $$;
COMMENT ON FUNCTION vouch_data.cron_timezone() IS 'Time zone in which pg_cron reads its expressions; UTC where it is not loaded';
GRANT EXECUTE ON FUNCTION vouch_data.cron_timezone() TO vouch_reader;

CREATE VIEW vouch.schedules WITH (security_invoker = true) AS
SELECT s.name, s.cron, s.workflow, s.input, s.overlap, s.paused, s.queued, s.last_run, s.last_outcome, s.last_workflow_id,
	CASE WHEN NOT s.paused THEN vouch_data.cron_next(s.cron, statement_timestamp(), vouch_data.cron_timezone()) END AS next_run,
	s.scheduled_by, s.scheduled_at, s.last_tick
FROM vouch_data.schedule s;
COMMENT ON VIEW vouch.schedules IS 'Workflows that pg_cron starts';
COMMENT ON COLUMN vouch.schedules.name IS 'Name; the workflow_id of each run begins with it';
COMMENT ON COLUMN vouch.schedules.cron IS 'When, as pg_cron has it';
COMMENT ON COLUMN vouch.schedules.workflow IS 'Workflow that is started, in its newest revision';
COMMENT ON COLUMN vouch.schedules.input IS 'Input of each run';
COMMENT ON COLUMN vouch.schedules.overlap IS 'When the run before is not closed yet: skip this one, queue it (one at most), or allow both';
COMMENT ON COLUMN vouch.schedules.paused IS 'Nothing is started until it is resumed';
COMMENT ON COLUMN vouch.schedules.queued IS 'A run waits for the end of the one before';
COMMENT ON COLUMN vouch.schedules.last_run IS 'When a run was started last';
COMMENT ON COLUMN vouch.schedules.last_tick IS 'When the clock struck last, whether or not a run was started';
COMMENT ON COLUMN vouch.schedules.last_outcome IS 'What came of that: started, skipped, queued, or paused';
COMMENT ON COLUMN vouch.schedules.last_workflow_id IS 'Run that was started last';
COMMENT ON COLUMN vouch.schedules.next_run IS 'When the clock will strike next; NULL when it is paused, or cron has a form of pg_cron''s own';
COMMENT ON COLUMN vouch.schedules.scheduled_by IS 'Role in whose name pg_cron starts it';
COMMENT ON COLUMN vouch.schedules.scheduled_at IS 'When it was scheduled';

-- The rows, which the caller may not write ------------------------------------

CREATE FUNCTION vouch_data.put_schedule(name text, cron text, workflow text, input jsonb, overlap text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	IF name !~ '^[A-Za-z0-9_.-]{1,100}$' OR overlap NOT IN ('skip', 'queue', 'allow') OR num_nulls(name, cron, workflow, input, overlap) > 0 THEN
		RAISE EXCEPTION 'schedule "%" cannot be', name USING ERRCODE = 'VO502',
			DETAIL = 'A name has 1 to 100 letters, digits, and characters of "_.-"; overlap is skip, queue, or allow.',
			HINT = 'Choose another name, or another policy.';
	END IF;
	PERFORM vouch_data.check_payload(input, format('the input of schedule "%s"', name));
	IF NOT EXISTS (SELECT FROM vouch_data.workflow w WHERE w.name = workflow) THEN
		RAISE EXCEPTION 'there is no workflow "%"', workflow USING ERRCODE = 'VO402',
			HINT = 'Define it with vouch.define_workflow(), or look at vouch.workflows for the names that exist.';
	END IF;
	INSERT INTO vouch_data.schedule AS s (name, cron, workflow, input, overlap, scheduled_by, scheduled_at)
	VALUES (name, cron, workflow, input, overlap, session_user, now())
	ON CONFLICT ON CONSTRAINT schedule_pkey DO UPDATE
	SET cron = excluded.cron, workflow = excluded.workflow, input = excluded.input, overlap = excluded.overlap,
		scheduled_by = excluded.scheduled_by, scheduled_at = excluded.scheduled_at;
END
$$;
COMMENT ON FUNCTION vouch_data.put_schedule(text, text, text, jsonb, text) IS 'Stores a schedule';

CREATE FUNCTION vouch_data.unknown_schedule(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION 'there is no schedule "%"', name USING ERRCODE = 'VO502', HINT = 'Look at vouch.schedules for those that exist.';
END
$$;
COMMENT ON FUNCTION vouch_data.unknown_schedule(text) IS 'Raises VO502';

CREATE FUNCTION vouch_data.drop_schedule(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM vouch_data.schedule s WHERE s.name = drop_schedule.name;
	IF NOT FOUND THEN
		PERFORM vouch_data.unknown_schedule(name);
	END IF;
END
$$;
COMMENT ON FUNCTION vouch_data.drop_schedule(text) IS 'Deletes a schedule; VO502 when there is none';

CREATE FUNCTION vouch_data.strike_schedule(name text, tick boolean, OUT start_as text, OUT workflow text, OUT input jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	s vouch_data.schedule;
	busy boolean;
	outcome text;
BEGIN
	SELECT * INTO s FROM vouch_data.schedule x WHERE x.name = strike_schedule.name FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM vouch_data.unknown_schedule(name);
	END IF;
	IF NOT tick AND NOT s.queued THEN
		RETURN;
	END IF;
	busy := EXISTS (SELECT FROM vouch_data.execution e WHERE e.bucket = vouch.bucket(s.last_workflow_id)
		AND e.workflow_id = s.last_workflow_id AND e.status = 'running');
	outcome := CASE WHEN s.paused THEN 'paused'
		WHEN busy AND s.overlap = 'skip' THEN 'skipped'
		WHEN busy AND s.overlap = 'queue' THEN 'queued'
		ELSE 'started' END;
	IF NOT tick AND outcome <> 'started' THEN
		RETURN;
	END IF;
	IF outcome = 'started' THEN
		start_as := s.name || '-' || to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISSUS');
		workflow := s.workflow;
		input := s.input;
	END IF;
	UPDATE vouch_data.schedule x
	SET last_tick = clock_timestamp(), last_outcome = outcome,
		last_run = CASE WHEN outcome = 'started' THEN clock_timestamp() ELSE x.last_run END, queued = outcome = 'queued',
		last_workflow_id = coalesce(start_as, x.last_workflow_id)
	WHERE x.name = strike_schedule.name;
END
$$;
COMMENT ON FUNCTION vouch_data.strike_schedule(text, boolean) IS
'The clock struck (or, without tick, a run may be queued): what is to be started, if anything';

-- What people call ------------------------------------------------------------

CREATE FUNCTION vouch_data.need_pg_cron() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
		RAISE EXCEPTION 'schedules need pg_cron, which database "%" does not have', current_database() USING ERRCODE = 'VO503',
			HINT = format('Set shared_preload_libraries and cron.database_name = ''%s'', restart, and CREATE EXTENSION pg_cron; or let another clock call vouch.start_workflow().', current_database());
	END IF;
	IF NOT has_schema_privilege('cron', 'USAGE') THEN
		RAISE EXCEPTION 'role "%" may not use pg_cron', current_user USING ERRCODE = '42501',
			HINT = format('GRANT USAGE ON SCHEMA cron TO %I.', current_user);
	END IF;
END
$$;
COMMENT ON FUNCTION vouch_data.need_pg_cron() IS 'Raises VO503 where pg_cron is not installed';

CREATE FUNCTION vouch.schedule_workflow(name text, cron text, workflow text, input jsonb DEFAULT '{}', overlap text DEFAULT 'skip')
RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM vouch_data.need_pg_cron();
	PERFORM vouch_data.put_schedule(name, cron, workflow, input, overlap);
	PERFORM cron.schedule('vouch:' || name, cron, format('SELECT vouch.run_schedule(%L)', name));
	-- what is queued is started within a minute of the end of the run before
	IF overlap = 'queue' THEN
		PERFORM cron.schedule('vouch:' || name || ':queued', '* * * * *', format('SELECT vouch.run_schedule(%L, false)', name));
	ELSE
		PERFORM cron.unschedule(j.jobid) FROM cron.job j WHERE j.jobname = 'vouch:' || schedule_workflow.name || ':queued';
	END IF;
	RETURN (SELECT s.next_run FROM vouch.schedules s WHERE s.name = schedule_workflow.name);
END
$$;
COMMENT ON FUNCTION vouch.schedule_workflow(text, text, text, jsonb, text) IS
'Has pg_cron start a workflow whenever cron says (in pg_cron''s time zone), in the name of the caller, or changes the schedule of that name; returns when it will be next. overlap: what to do when the run before is not closed yet: skip, queue (one at most), or allow. Each run''s workflow_id is the name, a dash, and the time. VO402, VO502; VO503 where pg_cron is not installed';

CREATE FUNCTION vouch.unschedule_workflow(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM vouch_data.check_given('name', unschedule_workflow.name IS NOT NULL);
	PERFORM vouch_data.drop_schedule(name);
	IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
		PERFORM cron.unschedule(j.jobid) FROM cron.job j
		WHERE j.jobname IN ('vouch:' || unschedule_workflow.name, 'vouch:' || unschedule_workflow.name || ':queued');
	END IF;
END
$$;
COMMENT ON FUNCTION vouch.unschedule_workflow(text) IS 'Ends a schedule; runs that it started go on. VO502 when there is none';

CREATE FUNCTION vouch.pause_schedule(name text, paused boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM vouch_data.check_given('name', pause_schedule.name IS NOT NULL);
	PERFORM vouch_data.check_given('paused', pause_schedule.paused IS NOT NULL);
	UPDATE vouch_data.schedule s SET paused = pause_schedule.paused WHERE s.name = pause_schedule.name;
	IF NOT FOUND THEN
		PERFORM vouch_data.unknown_schedule(name);
	END IF;
END
$$;
COMMENT ON FUNCTION vouch.pause_schedule(text, boolean) IS
'Holds a schedule, or with false lets it go on; what it missed is not made up for. VO502 when there is none';

CREATE FUNCTION vouch.run_schedule(name text, tick boolean DEFAULT true) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	s record;
BEGIN
	PERFORM vouch_data.check_given('name', run_schedule.name IS NOT NULL);
	PERFORM vouch_data.check_given('tick', run_schedule.tick IS NOT NULL);
	SELECT * INTO s FROM vouch_data.strike_schedule(name, tick);
	IF s.start_as IS NULL THEN
		RETURN NULL;
	END IF;
	RETURN vouch.start_workflow(s.workflow, s.input, s.start_as);
END
$$;
COMMENT ON FUNCTION vouch.run_schedule(text, boolean) IS
'What pg_cron calls: starts a run of a schedule as its policy says, and returns the workflow_id, or NULL. tick false: only if one is queued. VO502 when there is no such schedule';

GRANT EXECUTE ON FUNCTION vouch_data.put_schedule(text, text, text, jsonb, text), vouch_data.drop_schedule(text),
	vouch_data.need_pg_cron(), vouch_data.unknown_schedule(text), vouch.schedule_workflow(text, text, text, jsonb, text),
	vouch.unschedule_workflow(text), vouch.pause_schedule(text, boolean),
	vouch_data.strike_schedule(text, boolean), vouch.run_schedule(text, boolean) TO vouch_admin;
GRANT EXECUTE ON FUNCTION vouch_data.cron_field(text, int, int, text[]), vouch_data.cron_next(text, timestamptz, text) TO vouch_reader;
