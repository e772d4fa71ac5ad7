-- Limits: what is at one works, what is past it is refused with its name.
CREATE ROLE regress_vouch_lim_app LOGIN;
GRANT vouch_admin TO regress_vouch_lim_app;
SET SESSION AUTHORIZATION regress_vouch_lim_app;

-- A definition of 1 MB: 2,000 states, padded with comments.
CREATE FUNCTION pg_temp.big(states int, padding int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('StartAt', 'S1', 'States', jsonb_object_agg('S' || n,
		jsonb_build_object('Type', 'Pass', 'Comment', repeat('x', padding)) ||
		CASE WHEN n < states THEN jsonb_build_object('Next', 'S' || n + 1) ELSE '{"End": true}' END))
	FROM generate_series(1, states) AS n
$$;
SELECT pg_column_size(pg_temp.big(2000, 440)) > 1000000 AS large, vouch.define_workflow('lim55_big', pg_temp.big(2000, 440)) AS revision;
SELECT vouch.start_workflow('lim55_big', '{"a": 1}', 'lim55-big');
SELECT vouch.advance(1000000);
SELECT d ->> 'status' AS status, d -> 'output' AS output FROM vouch.describe_workflow('lim55-big') d;
\set VERBOSITY terse
SELECT vouch.define_workflow('lim55_bigger', pg_temp.big(2000, 480));
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default

-- Parallel and Map within each other, 32 deep.
CREATE FUNCTION pg_temp.nested(depth int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	machine jsonb := '{"StartAt": "S0", "States": {"S0": {"Type": "Pass", "Result": "deep", "End": true}}}';
BEGIN
	FOR n IN 1 .. depth LOOP
		machine := jsonb_build_object('StartAt', 'S' || n, 'States', jsonb_build_object('S' || n,
			'{"Type": "Parallel", "End": true}'::jsonb || jsonb_build_object('Branches', jsonb_build_array(machine))));
	END LOOP;
	RETURN machine;
END $$;
SELECT vouch.define_workflow('lim55_nested', pg_temp.nested(32));
SELECT vouch.start_workflow('lim55_nested', '{}', 'lim55-nested');
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d -> 'output' = (repeat('[', 32) || '"deep"' || repeat(']', 32))::jsonb AS deep FROM vouch.describe_workflow('lim55-nested') d;
SELECT severity, code FROM vouch.validate_definition(pg_temp.nested(33));

-- A Map over 100,000 items, the most branches that an execution may have.
SELECT vouch.define_workflow('lim55_map', '{"StartAt": "Each", "States": {
	"Each": {"Type": "Map", "ItemsPath": "$.items", "ResultPath": "$.items", "Next": "Last",
		"ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": 1, "End": true}}}},
	"Last": {"Type": "Pass", "Parameters": {"n.$": "States.ArrayLength($.items)"}, "End": true}}}');
SELECT vouch.start_workflow('lim55_map', jsonb_build_object('items', to_jsonb(array_fill(0, ARRAY[100000]))), 'lim55-map');
SELECT vouch.advance(10000000);
SELECT d ->> 'status' AS status, d -> 'output' AS output FROM vouch.describe_workflow('lim55-map') d;
SELECT count(*) AS succeeded FROM vouch.workflow_history('lim55-map') WHERE type = 'MapIterationSucceeded';
SELECT vouch.start_workflow('lim55_map', jsonb_build_object('items', to_jsonb(array_fill(0, ARRAY[100001]))), 'lim55-more');
SELECT vouch.advance(10000000);
SELECT d ->> 'status' AS status, d ->> 'error' AS error, d ->> 'cause' AS cause FROM vouch.describe_workflow('lim55-more') d;

-- Payloads: a state may pass on vouch.max_payload bytes, and not one more.
RESET SESSION AUTHORIZATION;
SET vouch.max_payload = '64kB';
SELECT vouch.define_workflow('lim55_text', '{"StartAt": "T", "States": {"T": {"Type": "Pass", "Parameters": {"t.$": "States.Format(''{}{}'', $.t, $.t)"}, "End": true}}}');
SELECT vouch.start_workflow('lim55_text', jsonb_build_object('t', repeat('x', (65536 - 8) / 2)), 'lim55-at');
SELECT vouch.start_workflow('lim55_text', jsonb_build_object('t', repeat('x', (65536 - 8) / 2 + 1)), 'lim55-past');
SELECT vouch.advance();
SELECT d ->> 'workflow_id' AS workflow_id, d ->> 'status' AS status, d ->> 'error' AS error, CASE WHEN d ->> 'status' = 'succeeded' THEN length((d -> 'output')::text) - 1 END AS bytes
FROM vouch.executions e, vouch.describe_workflow(e.workflow_id) d WHERE e.workflow = 'lim55_text' ORDER BY 1;
SELECT vouch.start_workflow('lim55_text', jsonb_build_object('t', repeat('x', 65536)), 'lim55-input');
\echo :LAST_ERROR_SQLSTATE
RESET vouch.max_payload;

-- Nesting: 499 arrays and objects within each other, and not one more, wherever a value comes from.
CREATE FUNCTION public.lim55_deep(depth int) RETURNS jsonb LANGUAGE sql AS $$ SELECT (repeat('[', depth) || repeat(']', depth))::jsonb $$;
GRANT EXECUTE ON FUNCTION public.lim55_deep(int) TO regress_vouch_lim_app;
SET SESSION AUTHORIZATION regress_vouch_lim_app;
SELECT vouch.define_workflow('lim55_deep', '{"StartAt": "W", "States": {
	"W": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "Next": "A"},
	"A": {"Type": "Task", "Resource": "activity:lim55", "Next": "F"},
	"F": {"Type": "Task", "Resource": "sql:public.lim55_deep", "Parameters": {"depth": 500}, "End": true,
		"Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "C"}]},
	"C": {"Type": "Pass", "End": true}}}');
SELECT vouch.start_workflow('lim55_deep', lim55_deep(500), 'lim55-deep');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.start_workflow('lim55_deep', lim55_deep(499), 'lim55-deep');
SELECT vouch.advance();
SELECT vouch.signal_workflow('lim55-deep', 'go', lim55_deep(500));
SELECT vouch.signal_with_start('lim55_deep', 'lim55-deep', 'go', lim55_deep(500));
SELECT vouch.signal_with_start('lim55_deep', 'lim55-deep', 'go', '1', lim55_deep(500));
SELECT vouch.set_attributes('lim55-deep', jsonb_build_object('a', lim55_deep(499)));
SELECT vouch_data.put_schedule('lim55', '0 2 * * *', 'lim55_deep', lim55_deep(500), 'skip');
SELECT vouch.signal_workflow('lim55-deep', 'go', lim55_deep(499));
SELECT vouch.advance();
SELECT task_token AS token FROM vouch.poll_activity('lim55', 'worker') \gset
SELECT vouch.heartbeat_activity(:'token', lim55_deep(500));
SELECT vouch.complete_activity(:'token', lim55_deep(500));
SELECT vouch.complete_activity(:'token', lim55_deep(499));
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d -> 'output' AS output FROM vouch.describe_workflow('lim55-deep') d;

-- Whatever the data are, an execution can be ended.
SELECT vouch.start_workflow('lim55_deep', '{}', 'lim55-terminate'), vouch.start_workflow('lim55_deep', '{}', 'lim55-cancel');
SELECT vouch.advance();
RESET SESSION AUTHORIZATION;
UPDATE vouch_data.execution_input i SET input = lim55_deep(600) FROM vouch_data.execution e
WHERE e.execution_id = i.execution_id AND e.workflow_id IN ('lim55-terminate', 'lim55-cancel');
SET SESSION AUTHORIZATION regress_vouch_lim_app;
SELECT vouch.terminate_workflow('lim55-terminate');
SELECT vouch.cancel_workflow('lim55-cancel');
SELECT workflow_id, status FROM vouch.executions WHERE workflow_id IN ('lim55-terminate', 'lim55-cancel') ORDER BY 1;
RESET SESSION AUTHORIZATION;
DROP FUNCTION public.lim55_deep(int);
DROP FUNCTION pg_temp.big(int, int), pg_temp.nested(int);

SET client_min_messages TO warning;
DROP ROLE regress_vouch_lim_app;
