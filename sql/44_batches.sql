-- Iterations that have not begun, and outputs of those that ended, share rows:
-- what a Map of many items leaves between two advances is a few rows.
CREATE ROLE regress_vouch_bat_app LOGIN;
GRANT vouch_admin TO regress_vouch_bat_app;
SET SESSION AUTHORIZATION regress_vouch_bat_app;

-- Three at a time, each waiting for a signal.
SELECT vouch.define_workflow('bat44', '{"StartAt": "M", "States": {
	"M": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 3, "End": true,
		"ItemSelector": {"no.$": "$$.Map.Item.Index", "item.$": "$$.Map.Item.Value"},
		"ItemProcessor": {"StartAt": "S", "States": {
			"S": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "ResultPath": "$.sent", "Next": "T"},
			"T": {"Type": "Pass", "Parameters": {"no.$": "$.no", "item.$": "$.item", "index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value"}, "End": true}}}}}}');
SELECT vouch.start_workflow('bat44', jsonb_build_object('items', (SELECT jsonb_agg('i' || i) FROM generate_series(0, 999) i)), 'bat44-a');
SELECT vouch.advance();
CREATE FUNCTION pg_temp.rows(OUT status text, OUT rows bigint, OUT open int) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT b.status::text, count(*), max(join_open) FROM vouch_data.branch b JOIN vouch.executions e USING (bucket, execution_id)
	WHERE e.workflow_id = 'bat44-a' GROUP BY b.status ORDER BY b.status $$;
SELECT * FROM pg_temp.rows();
-- Into the second row of items, and back: what was taken is not taken again.
DO $$ BEGIN FOR i IN 1..300 LOOP PERFORM vouch.signal_workflow('bat44-a', 'go', to_jsonb(i)); END LOOP; END $$;
SELECT status, open FROM pg_temp.rows() WHERE status <> 'done';
SELECT count(*) AS waiting, min(place) AS first, max(place) AS last FROM vouch_data.branch b JOIN vouch.executions e USING (bucket, execution_id)
WHERE e.workflow_id = 'bat44-a' AND b.wait_name = 'go';
-- Many at once: their outputs share rows, too.
SELECT vouch.pause_workflow('bat44-a');
DO $$ BEGIN FOR i IN 301..995 LOOP PERFORM vouch.signal_workflow('bat44-a', 'go', to_jsonb(i)); END LOOP; END $$;
SELECT vouch.resume_workflow('bat44-a');
SELECT vouch.advance();
SELECT sum(rows) < 320 AS few, max(open) AS open FROM pg_temp.rows();
DO $$ BEGIN FOR i IN 996..1000 LOOP PERFORM vouch.signal_workflow('bat44-a', 'go', to_jsonb(i)); END LOOP; END $$;
SELECT status, jsonb_array_length(output) AS outputs, (SELECT count(*) FROM jsonb_array_elements(output) WITH ORDINALITY AS t(o, n)
	WHERE o = jsonb_build_object('no', n - 1, 'index', n - 1, 'item', 'i' || n - 1, 'value', 'i' || n - 1)) AS right_ones
FROM vouch.executions JOIN vouch_data.execution_result r USING (bucket, execution_id) WHERE workflow_id = 'bat44-a';
SELECT count(*) FROM pg_temp.rows();

-- Large items have fewer to a row; a failure takes all of them away.
SELECT vouch.define_workflow('bat44_fail', '{"StartAt": "M", "States": {
	"M": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 1, "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Caught"}], "End": true,
		"ItemProcessor": {"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": "vouch:signal", "TimeoutSeconds": 1, "Parameters": {"Signal": "never"}, "End": true}}}},
	"Caught": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "after"}, "End": true}}}');
SELECT vouch.start_workflow('bat44_fail', jsonb_build_object('items', (SELECT jsonb_agg(repeat('x', 30000)) FROM generate_series(1, 10) i)), 'bat44-b');
SELECT vouch.advance();
SELECT place, b.status, length(b.data::text) > 30000 AS large FROM vouch_data.branch b JOIN vouch.executions e USING (bucket, execution_id)
WHERE workflow_id = 'bat44-b' AND parent_no = 0 ORDER BY place, branch_no;
SELECT vouch.wait_for_workflow('bat44-b', '1.1 s');
SELECT vouch.advance();
SELECT branch_no, b.state, b.status FROM vouch_data.branch b JOIN vouch.executions e USING (bucket, execution_id) WHERE workflow_id = 'bat44-b';

-- Iterations that fail without an output keep their places for the others.
SELECT vouch.define_workflow('bat44_tolerant', '{"StartAt": "M", "States": {
	"M": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 1, "ToleratedFailurePercentage": 50, "End": true,
		"ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "C", "States": {
			"C": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericLessThan": 3, "Next": "F"}], "Default": "S"},
			"F": {"Type": "Fail", "Error": "Small"}, "S": {"Type": "Succeed"}}}}}}');
SELECT vouch.start_workflow('bat44_tolerant', '{"items": [5, 1, 6, 2, 7, 8]}', 'bat44-c');
SELECT vouch.advance() > 0 AS advanced;
SELECT status, output FROM vouch.executions JOIN vouch_data.execution_result r USING (bucket, execution_id) WHERE workflow_id = 'bat44-c';

SELECT vouch.terminate_workflow('bat44-b');
RESET SESSION AUTHORIZATION;
DROP FUNCTION pg_temp.rows();
DROP ROLE regress_vouch_bat_app;
