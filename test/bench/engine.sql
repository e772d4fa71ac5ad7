-- What test/bench/engine measures with: trivial activities, workflows, and the plainest loop that does the same.
\set ON_ERROR_STOP on
SET client_min_messages TO warning;
DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vouch_bench_app') THEN
		CREATE ROLE vouch_bench_app LOGIN;
	END IF;
END
$$;
GRANT vouch_admin TO vouch_bench_app;
CREATE SCHEMA bench AUTHORIZATION vouch_bench_app;
GRANT ALL ON DATABASE :DBNAME TO vouch_bench_app;
SET SESSION AUTHORIZATION vouch_bench_app;

CREATE FUNCTION bench.step(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS 'BEGIN RETURN input; END';
-- What it leaves in the session, only the end of a transaction undoes: so each step has one of its own.
CREATE FUNCTION bench.step_and_commit(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS
'BEGIN PERFORM pg_catalog.pg_advisory_lock(1, pg_catalog.pg_backend_pid()); RETURN input; END';

CREATE FUNCTION bench.chain(resource text, n int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('StartAt', 'S1', 'States', jsonb_object_agg('S' || i,
		jsonb_build_object('Type', 'Task', 'Resource', resource, 'ResultPath', NULL)
		|| CASE WHEN i = n THEN '{"End": true}' ELSE jsonb_build_object('Next', 'S' || i + 1) END))
	FROM generate_series(1, n) i
$$;
SELECT vouch.define_workflow('bench_chain', bench.chain('sql:bench.step', 10)),
	vouch.define_workflow('bench_commits', bench.chain('sql:bench.step_and_commit', 100)),
	vouch.define_workflow('bench_loop', '{"StartAt": "Wait", "States": {
		"Wait": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "ResultPath": null, "Next": "Next"},
		"Next": {"Type": "Pass", "Next": "Wait"}}}'),
	vouch.define_workflow('bench_park', '{"StartAt": "Wait", "States": {
		"Wait": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "TimeoutSeconds": 864000, "End": true}}}'),
	vouch.define_workflow('bench_map', '{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "End": true,
		"ResultPath": null, "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}}}}'),
	vouch.define_workflow('bench_select', '{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "End": true,
		"ResultPath": null, "ItemSelector": {"value.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index", "key.$": "$.key"},
		"ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}}}}')
\g /dev/null

CREATE FUNCTION bench.start_chains(run text, n int) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(vouch.start_workflow('bench_chain', '{"n": 1}', run || '-' || i)) FROM generate_series(1, n) i
$$;

-- Steps, seconds from the first to the last commit, and commits of the executions whose ids begin with run.
CREATE FUNCTION bench.outcome(run text, OUT seconds numeric, OUT commits bigint, OUT executions bigint) LANGUAGE sql AS $$
	SELECT extract(epoch FROM max(h.at) - min(h.at)), count(DISTINCT h.xmin::text), count(DISTINCT e.execution_id)
	FROM vouch_data.execution e JOIN vouch_data.history h USING (bucket, execution_id)
	WHERE e.workflow_id LIKE run || '-%'
$$;

-- The plainest loop that claims, calls the function, and writes one row a step and one update a run.
CREATE TABLE bench.run (id bigint PRIMARY KEY, done boolean NOT NULL DEFAULT false, result jsonb) WITH (fillfactor = 60);
CREATE INDEX ON bench.run (id) WHERE NOT done;
CREATE TABLE bench.log (run_id bigint, step int, at timestamptz, result jsonb, PRIMARY KEY (run_id, step));
CREATE PROCEDURE bench.plain(per_commit int) LANGUAGE plpgsql AS $$
DECLARE
	r record;
	v jsonb;
	n int;
BEGIN
	LOOP
		n := 0;
		FOR r IN SELECT id FROM bench.run WHERE NOT done ORDER BY id LIMIT per_commit FOR NO KEY UPDATE SKIP LOCKED LOOP
			v := '{"n": 1}';
			FOR i IN 1 .. 10 LOOP
				v := bench.step(v);
				INSERT INTO bench.log VALUES (r.id, i, clock_timestamp(), v);
			END LOOP;
			UPDATE bench.run SET done = true, result = v WHERE id = r.id;
			n := n + 1;
		END LOOP;
		EXIT WHEN n = 0;
		COMMIT;
	END LOOP;
END
$$;
CREATE TABLE bench.plain_commit (i int);
