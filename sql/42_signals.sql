-- Signals: messages to an execution, kept in order until a state takes them.
CREATE ROLE regress_vouch_sig_app LOGIN;
CREATE ROLE regress_vouch_sig_ann LOGIN;
CREATE ROLE regress_vouch_sig_bob LOGIN;
GRANT vouch_admin TO regress_vouch_sig_app;
GRANT vouch_user TO regress_vouch_sig_ann, regress_vouch_sig_bob;
CREATE SCHEMA sig42;
GRANT USAGE ON SCHEMA sig42 TO regress_vouch_sig_app;
CREATE FUNCTION sig42.who() RETURNS text LANGUAGE sql AS 'SELECT vouch.actor()';

SET SESSION AUTHORIZATION regress_vouch_sig_app;
SELECT vouch.define_workflow('sig42', '{
	"StartAt": "First",
	"States": {
		"First": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "a"}, "ResultPath": "$.first", "Next": "Second"},
		"Second": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"SignalName": "a"}, "ResultPath": "$.second", "Next": "Who"},
		"Who": {"Type": "Task", "Resource": "sql:sig42.who", "Parameters": {}, "ResultPath": "$.who", "Next": "Third"},
		"Third": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "b"}, "ResultPath": "$.third", "Next": "Context"},
		"Context": {"Type": "Pass", "Parameters": {"all.$": "$", "vouch.$": "$$.Vouch"}, "End": true}
	}}');

-- Early signals wait in order for their reader; another name waits for its own.
SET SESSION AUTHORIZATION regress_vouch_sig_ann;
SELECT vouch.start_workflow('sig42', '{}', 'sig42-a');
SELECT vouch.signal_workflow('sig42-a', 'b', '"early b"');
SELECT vouch.signal_workflow('sig42-a', 'a', '{"n": 1}');
SET SESSION AUTHORIZATION regress_vouch_sig_bob;
SELECT vouch.signal_workflow('sig42-a', 'a', '{"n": 2}');

-- The signals brought the execution up to the activity, which only the
-- workflow's own role runs.
SELECT status, waiting_for FROM vouch.executions WHERE workflow_id = 'sig42-a';
SET SESSION AUTHORIZATION regress_vouch_sig_app;
SELECT vouch.advance();
-- The activity acted for who sent the signal before it; then $$.Vouch names
-- the sender of the last one, and who started.
SELECT jsonb_pretty(vouch.describe_workflow('sig42-a') -> 'output') AS output;

-- A signal is consumed in the transaction of its sender: it reads its own effect.
SELECT vouch.define_workflow('sig42_two', '{"StartAt": "W", "States": {
	"W": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "ResultPath": "$.go", "Next": "V"},
	"V": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "on"}, "End": true}}}');
SELECT vouch.start_workflow('sig42_two', '{}', 'sig42-b');
BEGIN;
SELECT vouch.signal_workflow('sig42-b', 'go');
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'sig42-b';
ROLLBACK;
SELECT vouch.advance();
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'sig42-b';

-- vouch.inline_advance = off leaves it to a worker; so does a transaction that
-- sees only its own snapshot.
SET vouch.inline_advance = off;
SELECT vouch.signal_workflow('sig42-b', 'go');
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'sig42-b';
RESET vouch.inline_advance;
SELECT vouch.advance();
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT vouch.signal_workflow('sig42-b', 'on', '"repeatable"');
COMMIT;
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'sig42-b';
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d -> 'output' AS output FROM vouch.describe_workflow('sig42-b') d;

-- A dedup_key makes sending twice harmless.
SELECT vouch.start_workflow('sig42_two', '{}', 'sig42-c');
SELECT vouch.signal_workflow('sig42-c', 'go', '1', dedup_key => 'k');
SELECT vouch.signal_workflow('sig42-c', 'go', '2', dedup_key => 'k');
SELECT name, payload, sender, consumed FROM vouch_data.signal s JOIN vouch.executions e USING (bucket, execution_id)
WHERE e.workflow_id = 'sig42-c';

-- signal_with_start starts when none is open.
SELECT vouch.signal_with_start('sig42_two', 'sig42-c', 'on', '"to the open one"') AS started;
SELECT vouch.signal_with_start('sig42_two', 'sig42-c', 'go', '"to a new one"') AS started;
SELECT vouch.advance();
SELECT status, waiting_for FROM vouch.executions WHERE workflow_id = 'sig42-c' ORDER BY started_at;

-- A closed one takes none, an unknown one neither.
SELECT vouch.signal_workflow('sig42-b', 'go');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.signal_workflow('sig42-none', 'go');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.signal_workflow('sig42-c', '');

-- A time limit: States.Timeout.
SELECT vouch.define_workflow('sig42_late', '{"StartAt": "W", "States": {
	"W": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "TimeoutSeconds": 1, "End": true,
		"Catch": [{"ErrorEquals": ["States.Timeout"], "ResultPath": "$.error", "Next": "Late"}]},
	"Late": {"Type": "Pass", "End": true}}}');
SELECT vouch.start_workflow('sig42_late', '{}', 'sig42-d');
SELECT vouch.advance();
SELECT vouch.wait_for_workflow('sig42-d', '1.1 s');
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d -> 'output' -> 'error' ->> 'Error' AS error FROM vouch.describe_workflow('sig42-d') d;

-- Who may signal may not hold a workflow up.
SET SESSION AUTHORIZATION regress_vouch_sig_bob;
SELECT vouch.pause_workflow('sig42-c');
RESET SESSION AUTHORIZATION;
SELECT vouch.terminate_workflow('sig42-c');
SET client_min_messages TO warning;
DROP SCHEMA sig42 CASCADE;
DROP ROLE regress_vouch_sig_app, regress_vouch_sig_ann, regress_vouch_sig_bob;
