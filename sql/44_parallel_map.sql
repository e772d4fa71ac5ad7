-- Parallel and Map: branches of one execution, joined in order.
CREATE ROLE regress_vouch_par_app LOGIN;
GRANT vouch_admin TO regress_vouch_par_app;
CREATE SCHEMA par44;
GRANT USAGE ON SCHEMA par44 TO regress_vouch_par_app;
CREATE FUNCTION par44.check(n int) RETURNS int LANGUAGE plpgsql AS
$$BEGIN
	IF n < 0 THEN
		PERFORM vouch.fail('Negative', n::text);
	END IF;
	RETURN n * n;
END$$;

SET SESSION AUTHORIZATION regress_vouch_par_app;
CREATE FUNCTION pg_temp.outcome(id text, OUT status text, OUT output jsonb, OUT error text, OUT cause text)
LANGUAGE sql AS $$SELECT d ->> 'status', d -> 'output', d ->> 'error', d ->> 'cause' FROM vouch.describe_workflow(id) d$$;

-- Both branches wait, each for its own signal; the outputs come in the order
-- of the definition.
SELECT vouch.define_workflow('par44', '{"StartAt": "P", "States": {
	"P": {"Type": "Parallel", "End": true, "Branches": [
		{"StartAt": "L", "States": {"L": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "left"}, "End": true}}},
		{"StartAt": "R", "States": {"R": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "right"}, "Next": "R2"},
			"R2": {"Type": "Pass", "Parameters": {"was.$": "$"}, "End": true}}},
		{"StartAt": "M", "States": {"M": {"Type": "Pass", "Result": "at once", "End": true}}}]}}}');
SELECT vouch.start_workflow('par44', '{}', 'par44-a');
SELECT vouch.advance();
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'par44-a';
SELECT branch_no, parent_no, place, state, b.status, wait_kind, join_total, join_open
FROM vouch_data.branch b JOIN vouch.executions e USING (bucket, execution_id) WHERE workflow_id = 'par44-a' ORDER BY 1;
SELECT vouch.signal_workflow('par44-a', 'right', '1');
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'par44-a';
SELECT vouch.signal_workflow('par44-a', 'left', '2');
SELECT * FROM pg_temp.outcome('par44-a');

-- A branch that fails takes its siblings with it, their waits too; Catch of
-- the Parallel has the error, Retry starts all of it anew.
SELECT vouch.define_workflow('par44_fail', '{"StartAt": "P", "States": {
	"P": {"Type": "Parallel", "End": true, "Branches": [
		{"StartAt": "L", "States": {"L": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "never"}, "End": true}}},
		{"StartAt": "R", "States": {"R": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "n"}, "Next": "R2"},
			"R2": {"Type": "Task", "Resource": "sql:par44.check", "Parameters": {"n.$": "$"}, "End": true}}}],
		"Catch": [{"ErrorEquals": ["Negative"], "Next": "Caught"}]},
	"Caught": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "after"}, "ResultPath": "$.after", "End": true}}}');
SELECT vouch.start_workflow('par44_fail', '{}', 'par44-b');
SELECT vouch.advance();
SELECT vouch.signal_workflow('par44-b', 'n', '-1');
SELECT vouch.advance();
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'par44-b';
SELECT count(*) AS branches FROM vouch_data.branch b JOIN vouch.executions e USING (bucket, execution_id) WHERE workflow_id = 'par44-b';
SELECT vouch.signal_workflow('par44-b', 'after');
SELECT * FROM pg_temp.outcome('par44-b');

-- A Map over items, two at a time, each waiting for a signal of its own; the
-- others are held back.
SELECT vouch.define_workflow('par44_map', '{"StartAt": "M", "States": {
	"M": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "End": true,
		"ItemSelector": {"name.$": "$$.Map.Item.Value", "no.$": "$$.Map.Item.Index", "of.$": "$.of"},
		"ItemProcessor": {"StartAt": "S", "States": {
			"S": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal.$": "States.Format(''ok_{}'', $.name)"}, "ResultPath": "$.sent", "Next": "T"},
			"T": {"Type": "Pass", "Parameters": {"all.$": "$", "value.$": "$$.Map.Item.Value"}, "End": true}}}}}}');
SELECT vouch.start_workflow('par44_map', '{"items": ["a", "b", "c", "d"], "of": "x"}', 'par44-c');
SELECT vouch.advance();
SELECT place, b.status, wait_name FROM vouch_data.branch b JOIN vouch.executions e USING (bucket, execution_id)
WHERE workflow_id = 'par44-c' AND parent_no = 0 ORDER BY 1;
SELECT vouch.signal_workflow('par44-c', 'ok_d', '4');
SELECT vouch.signal_workflow('par44-c', 'ok_b', '2');
SELECT vouch.signal_workflow('par44-c', 'ok_c', '3');
SELECT place, b.status, wait_name FROM vouch_data.branch b JOIN vouch.executions e USING (bucket, execution_id)
WHERE workflow_id = 'par44-c' AND parent_no = 0 ORDER BY 1;
SELECT vouch.signal_workflow('par44-c', 'ok_a', '1');
SELECT status, jsonb_pretty(output) AS output FROM pg_temp.outcome('par44-c');

-- DISTRIBUTED tolerates failures: by number, or by share.
SELECT vouch.define_workflow('par44_tolerant', '{"StartAt": "M", "States": {
	"M": {"Type": "Map", "ItemsPath": "$.items", "ToleratedFailureCount": 1, "End": true,
		"ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "C", "States": {
			"C": {"Type": "Task", "Resource": "sql:par44.check", "Parameters": {"n.$": "$"}, "End": true}}}}}}');
SELECT vouch.start_workflow('par44_tolerant', '{"items": [1, -2, 3]}', 'par44-d');
SELECT vouch.start_workflow('par44_tolerant', '{"items": [1, -2, -3]}', 'par44-e');
SELECT vouch.advance();
SELECT status, output, error FROM pg_temp.outcome('par44-d');
SELECT status, output, error FROM pg_temp.outcome('par44-e');
SELECT type FROM vouch.workflow_history('par44-e');
-- Its iterations are executions of their own, children that show what happened.
SELECT workflow_id, status, error, parent FROM vouch.executions WHERE parent IN ('par44-d', 'par44-e') ORDER BY 1;
SELECT type, state FROM vouch.workflow_history('par44-d/M-1');
SELECT vouch.describe_workflow('par44-d') -> 'children' AS children;

-- They are paused, canceled (so that they can undo) and terminated with their parent, and moved to another revision by themselves.
SELECT vouch.define_workflow('par44_items', '{"StartAt": "M", "States": {
	"M": {"Type": "Map", "ItemsPath": "$.items", "ItemSelector": {"item.$": "$$.Map.Item.Value", "no.$": "$$.Map.Item.Index"}, "End": true,
		"Catch": [{"ErrorEquals": ["Vouch.Canceled"], "Next": "Undone"}],
		"ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "W", "States": {
			"W": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "ResultPath": "$.answer", "Next": "T",
				"Catch": [{"ErrorEquals": ["Vouch.Canceled"], "Next": "U"}]},
			"T": {"Type": "Pass", "Parameters": {"of.$": "$", "value.$": "$$.Map.Item.Value", "input.$": "$$.Execution.Input", "name.$": "$$.Execution.Name"}, "End": true},
			"U": {"Type": "Pass", "End": true}}}},
	"Undone": {"Type": "Pass", "Result": "undone", "End": true}}}');
SELECT vouch.start_workflow('par44_items', '{"items": ["a", "b"]}', 'par44-i');
SELECT vouch.start_workflow('par44_items', '{"items": ["a", "b"]}', 'par44-j');
SELECT vouch.start_workflow('par44_items', '{"items": ["a"]}', 'par44-k');
SELECT vouch.advance();
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'par44-i';
SELECT state, waits_for, how FROM vouch.explain_workflow('par44-i');
SELECT vouch.pause_workflow('par44-i'), vouch.resume_workflow('par44-i');
SELECT vouch.define_workflow('par44_items', replace((SELECT definition::text FROM vouch.workflows WHERE workflow = 'par44_items'), '"undone"', '"undone again"')::jsonb);
SELECT workflow_id, from_revision, to_revision, problem FROM vouch.migrate_execution(ARRAY['par44-i/M-1']);
SELECT vouch.signal_workflow('par44-i/M-1', 'go', '2');
SELECT vouch.advance();
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'par44-i';
SELECT vouch.signal_workflow('par44-i/M-0', 'go', '1');
SELECT vouch.advance();
SELECT status, jsonb_pretty(output) AS output FROM pg_temp.outcome('par44-i');
SELECT vouch.cancel_workflow('par44-j');
SELECT vouch.terminate_workflow('par44-k');
SELECT vouch.advance();
SELECT workflow_id, status, (SELECT string_agg(h.state, ' ' ORDER BY event_id) FROM vouch.workflow_history(workflow_id) h WHERE h.type LIKE '%Entered') AS states
FROM vouch.executions WHERE workflow_id LIKE 'par44-j%' OR workflow_id LIKE 'par44-k%' ORDER BY 1;
-- What failed in an iteration can be taken up again there, in its machine.
SELECT vouch.redrive_workflow('par44-d/M-1');
SELECT vouch.advance();
SELECT status, error FROM vouch.executions WHERE workflow_id = 'par44-d/M-1';

-- Nested, with variables of the outer scopes.
SELECT vouch.define_workflow('par44_nested', '{"StartAt": "V", "States": {
	"V": {"Type": "Pass", "Assign": {"outer": 100}, "Next": "M"},
	"M": {"Type": "Map", "ItemsPath": "$.rows", "End": true, "ItemProcessor": {"StartAt": "A", "States": {
		"A": {"Type": "Pass", "Assign": {"row.$": "$$.Map.Item.Index"}, "Next": "I"},
		"I": {"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "W", "States": {
			"W": {"Type": "Wait", "Seconds": 1, "Next": "S"},
			"S": {"Type": "Pass", "Parameters": {"sum.$": "States.MathAdd($outer, States.MathAdd($row, $))"}, "OutputPath": "$.sum", "End": true}}}}}}}}}');
SELECT vouch.start_workflow('par44_nested', '{"rows": [[10, 20], [30]]}', 'par44-f');
SELECT vouch.advance();
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'par44-f';
SELECT vouch.wait_for_workflow('par44-f', '1.1 s');
SELECT vouch.advance();
SELECT status, output, error FROM pg_temp.outcome('par44-f');

-- Many iterations, in one advance, without a row for any.
SELECT vouch.define_workflow('par44_many', '{"StartAt": "M", "States": {
	"M": {"Type": "Map", "ItemsPath": "$.items", "ResultPath": "$.out", "Next": "L", "ItemProcessor": {"StartAt": "A", "States": {
		"A": {"Type": "Pass", "End": true}}}},
	"L": {"Type": "Pass", "Parameters": {"n.$": "States.ArrayLength($.out)", "last.$": "$.out[19999]"}, "End": true}}}');
SELECT vouch.start_workflow('par44_many', jsonb_build_object('items', (SELECT jsonb_agg(g) FROM generate_series(1, 20000) g)), 'par44-g');
SELECT vouch.advance();
SELECT status, output, error FROM pg_temp.outcome('par44-g');
SELECT count(*) FROM vouch.workflow_history('par44-g');

RESET SESSION AUTHORIZATION;
SET vouch.max_branches = 1000;
SELECT vouch.start_workflow('par44_many', jsonb_build_object('items', (SELECT jsonb_agg(g) FROM generate_series(1, 20000) g)), 'par44-h');
GRANT SET ON PARAMETER vouch.max_branches TO regress_vouch_par_app;
SET SESSION AUTHORIZATION regress_vouch_par_app;
SET vouch.max_branches = 1000;
SELECT vouch.advance();
SELECT status, error, cause FROM pg_temp.outcome('par44-h');

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
REVOKE SET ON PARAMETER vouch.max_branches FROM regress_vouch_par_app;
DROP FUNCTION pg_temp.outcome(text);
DROP SCHEMA par44 CASCADE;
DROP ROLE regress_vouch_par_app;
