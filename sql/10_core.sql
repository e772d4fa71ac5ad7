-- Ids, who acts, state machines: what every other part stands on.

-- A subject's bucket is stable for ever: the numbers below must never change.
SELECT vouch.bucket('cycle-7-report-3'), vouch.bucket('cycle-7-report-4'), vouch.bucket('');

-- The hash spreads subjects evenly over the 1024 buckets.
SELECT count(*) AS buckets, min(n) > 30 AS none_starved, max(n) < 250 AS none_crowded
FROM (SELECT vouch.bucket('cycle-' || c || '-report-' || r) AS b, count(*) AS n
      FROM generate_series(1, 100) c, generate_series(1, 1000) r GROUP BY 1) AS spread;

-- Ids carry their bucket and their numbers, so nothing has to be looked up.
SELECT vouch.bucket_of(id) AS bucket, vouch_data.artifact_number(id) AS artifact,
       vouch_data.version_number(id) AS version
FROM vouch_data.version_id(1023, 2147483647, 268435455) AS id;
SELECT vouch_data.version_id(5, 1, 2);
SELECT vouch.bucket_of(vouch_data.decision_id(77, 3, 2147483647, 255, 268435455));

-- Event ids are ordered by time, also within one statement.
SELECT bool_and(id > before) AS ordered, count(DISTINCT id)
FROM (SELECT id, lag(id) OVER (ORDER BY n) AS before
      FROM (SELECT n, vouch_data.event_id(9) AS id FROM generate_series(1, 10000) n) AS made) AS pairs;

-- An id that is not ours is refused; a decision's id is no version's.
SELECT vouch.bucket_of('c0ffee00-0000-4000-8000-000000000000');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch_data.version_number(vouch_data.decision_id(1, 1, 1, 1, 1)) IS NULL AS not_a_version;

-- Tables of an extension have their keys before they have their rows, and a parallel restore keeps no order of tables:
-- so no foreign keys.  Our code writes what a row belongs to before the row, and vouch.verify() looks.
SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'f' AND connamespace IN ('vouch'::regnamespace, 'vouch_data'::regnamespace);

-- The actor is the login role, whatever SET ROLE or SECURITY DEFINER say ...
CREATE ROLE regress_vouch_core_ann LOGIN;
CREATE ROLE regress_vouch_core_app LOGIN;
GRANT vouch_user TO regress_vouch_core_ann, regress_vouch_core_app;
CREATE FUNCTION public.who() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT vouch.actor()';
SET SESSION AUTHORIZATION regress_vouch_core_ann;
SELECT vouch.actor();
SET ROLE vouch_reader;
SELECT vouch.actor(), current_user, public.who();
RESET ROLE;
RESET SESSION AUTHORIZATION;
DROP FUNCTION public.who();

-- While a table is maintained its owner's code runs, and nobody acts.
CREATE FUNCTION public.signs(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN IF n < 0 THEN PERFORM vouch.actor(); END IF; RETURN n; END';
CREATE TABLE public.maintained (n int);
CREATE INDEX ON public.maintained (public.signs(n));
INSERT INTO public.maintained VALUES (1);
CREATE OR REPLACE FUNCTION public.signs(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM vouch.actor(); RETURN n; END';
ANALYZE public.maintained;
\echo :LAST_ERROR_SQLSTATE
REINDEX TABLE public.maintained;
CREATE MATERIALIZED VIEW public.seen AS SELECT vouch.actor();
DROP TABLE public.maintained;
DROP FUNCTION public.signs(int);

-- ... and vouch.actor counts only for a registered application.
SET SESSION AUTHORIZATION regress_vouch_core_app;
SET vouch.actor = 'ann';
SELECT vouch.actor();
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.register_application('regress_vouch_core_app');
RESET SESSION AUTHORIZATION;
RESET vouch.actor;
SELECT vouch.register_application('regress_vouch_nobody');
SELECT vouch.register_application('regress_vouch_core_app');
SET SESSION AUTHORIZATION regress_vouch_core_app;
SET vouch.actor = 'ann';
SELECT vouch.actor();
SELECT vouch_data.check_actor('ben', 'user_id');
-- Nobody has no name.
SELECT vouch_data.check_actor('', 'user_id');
\echo :LAST_ERROR_SQLSTATE
-- The actor is the one that is set now, however often it was asked for before.
SELECT vouch.actor(), vouch.actor();
SET vouch.actor = 'kim';
SELECT vouch.actor();
RESET SESSION AUTHORIZATION;
RESET vouch.actor;
SET SESSION AUTHORIZATION regress_vouch_core_ann;
SELECT vouch_data.check_actor(NULL, 'user_id');
SELECT vouch_data.check_actor('ben', 'assigned_by');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
SELECT vouch.unregister_application('regress_vouch_core_app'), vouch.unregister_application('regress_vouch_core_app');

-- Rules of the state machines are unique and deterministic; every state can be reached.
SELECT count(*) = count(DISTINCT (machine, rule)) AS rules_unique,
       count(*) = count(DISTINCT (machine, coalesce(state, ''), event)) AS deterministic
FROM vouch.state_machine();
SELECT machine, state AS unreachable FROM vouch.state_machine() m
WHERE state IS NOT NULL
  AND NOT EXISTS (SELECT FROM vouch.state_machine() f WHERE f.machine = m.machine AND f.next_state = m.state);

-- PUBLIC has nothing: a role that was granted nothing sees nothing.
CREATE ROLE regress_vouch_core_out LOGIN;
SET SESSION AUTHORIZATION regress_vouch_core_out;
SELECT vouch.actor();
RESET SESSION AUTHORIZATION;
SELECT p.oid::regprocedure AS open_to_public
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname IN ('vouch', 'vouch_data') AND has_function_privilege('regress_vouch_core_out', p.oid, 'EXECUTE');

-- The digest of a payload does not depend on how it was written.
SELECT vouch.digest('{"a": 1, "b": [true, null]}') = vouch.digest('{"b":[true,null],"a":1}') AS same,
       vouch.digest('{"a": 1}') = vouch.digest('{"a": 2}') AS different;

DROP ROLE regress_vouch_core_ann, regress_vouch_core_app, regress_vouch_core_out;
