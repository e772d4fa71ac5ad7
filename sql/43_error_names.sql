-- Names of errors: which argument did not fit, and which names an activity may
-- give to its own errors.
CREATE ROLE regress_vouch_nam_app LOGIN;
GRANT vouch_admin TO regress_vouch_nam_app;
CREATE SCHEMA nam43;
GRANT USAGE ON SCHEMA nam43 TO regress_vouch_nam_app;
CREATE DOMAIN nam43.percent AS int CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE nam43.pair AS (a int, b int);
CREATE FUNCTION nam43.take(n int, share nam43.percent DEFAULT 0, list int[] DEFAULT '{}', p nam43.pair DEFAULT NULL, rel regclass DEFAULT NULL)
RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('n', n, 'share', share, 'list', list, 'p', p) $$;
CREATE FUNCTION nam43.one(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
-- an error of the function itself that looks like one of its arguments
CREATE FUNCTION nam43.inner_error(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 'x'::int; END $$;
CREATE FUNCTION nam43.fail_as(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM vouch.fail(name, 'so it was'); END $$;
-- the way around vouch.fail()
CREATE FUNCTION nam43.raise_as(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'so it was' USING ERRCODE = 'VO408', CONSTRAINT = name; END $$;
SET SESSION AUTHORIZATION regress_vouch_nam_app;

-- Each call with what came of it.
CREATE FUNCTION pg_temp.call(function text, input jsonb) RETURNS TABLE (error text, cause_or_result text) LANGUAGE sql AS $$
	SELECT r ->> 'error', coalesce(r ->> 'cause', r ->> 'output')
	FROM vouch.test_state(jsonb_build_object('Type', 'Task', 'Resource', 'sql:nam43.' || function, 'End', true), input) r $$;

-- The arguments of a function are named when they do not fit.
SELECT * FROM pg_temp.call('take', '{"n": 1, "share": 50, "list": [1, 2], "p": {"a": 1, "b": null}}');
SELECT i AS input, c.* FROM unnest(ARRAY['{}', '{"m": 1}', '{"n": "x"}', '{"n": 1.5}', '{"n": 1, "share": 101}', '{"n": 1, "list": "x"}', '{"n": 1, "list": ["x"]}',
	'{"n": 1, "p": {"a": "x"}}', '{"n": 1, "rel": "no_such_table"}', '[1]']) AS i, pg_temp.call('take', i::jsonb) c;
SELECT * FROM pg_temp.call('one', '"x"');
SELECT * FROM pg_temp.call('inner_error', '{"n": 1}');

-- So are they in an execution, where the error can be caught.
SELECT vouch.define_workflow('nam43', '{"StartAt": "T", "States": {
	"T": {"Type": "Task", "Resource": "sql:nam43.take", "Catch": [{"ErrorEquals": ["Vouch.BadParameters"], "Next": "Bad"}], "End": true},
	"Bad": {"Type": "Pass", "End": true}}}');
SELECT vouch.start_workflow('nam43', '{"n": "many"}', 'nam43-a');
SELECT vouch.advance();
SELECT d -> 'status' AS status, d -> 'output' ->> 'Cause' AS cause FROM vouch.describe_workflow('nam43-a') d;

-- An activity chooses the name of its error, but for those that the language and the engine raise.
SELECT * FROM pg_temp.call('fail_as', '{"name": "Bank.Refused"}');
SELECT * FROM pg_temp.call('fail_as', '{"name": null}');
SELECT * FROM pg_temp.call('fail_as', '{"name": "States.TaskFailed"}');
SELECT n AS name, c.* FROM unnest(ARRAY['', 'States.Runtime', 'States.Timeout', 'States.ALL', 'States.Mine', 'Vouch.Canceled']) AS n,
	pg_temp.call('fail_as', jsonb_build_object('name', n)) c;
SELECT n AS name, c.* FROM unnest(ARRAY['Bank.Refused', 'States.Runtime', 'Vouch.Canceled']) AS n, pg_temp.call('raise_as', jsonb_build_object('name', n)) c;
SELECT vouch.fail('States.Runtime', 'no');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.fail(repeat('x', 257));
SELECT vouch.fail('', '');
-- A worker outside has the same choice.
SELECT vouch.fail_activity(gen_random_uuid(), 'States.Runtime');
\echo :LAST_ERROR_SQLSTATE

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DROP FUNCTION pg_temp.call(text, jsonb);
DROP SCHEMA nam43 CASCADE;
DROP ROLE regress_vouch_nam_app;
