-- vouch:until: a workflow waits for data, not for messages.
CREATE ROLE regress_vouch_unt_app LOGIN;
GRANT vouch_admin TO regress_vouch_unt_app;
CREATE SCHEMA unt53;
GRANT USAGE ON SCHEMA unt53 TO regress_vouch_unt_app;
CREATE TABLE unt53.invoice (id int PRIMARY KEY, paid boolean NOT NULL DEFAULT false, who text);
GRANT ALL ON unt53.invoice TO regress_vouch_unt_app;
CREATE FUNCTION unt53.is_paid(id int) RETURNS boolean LANGUAGE sql STABLE AS
	'SELECT i.paid FROM unt53.invoice i WHERE i.id = is_paid.id';
CREATE FUNCTION unt53.paid_row(id int) RETURNS jsonb LANGUAGE sql STABLE AS
	'SELECT to_jsonb(i) FROM unt53.invoice i WHERE i.id = paid_row.id AND i.paid';
INSERT INTO unt53.invoice VALUES (1), (2), (3);

-- Whoever may put triggers on the table has its changes told.
SET SESSION AUTHORIZATION regress_vouch_unt_app;
SELECT vouch.watch_table('unt53.invoice');
SELECT vouch.define_workflow('unt53', '{
	"StartAt": "Paid",
	"States": {
		"Paid": {"Type": "Task", "Resource": "vouch:until", "TimeoutSeconds": 3600,
			"Parameters": {"Predicate": "unt53.is_paid", "Arguments": {"id.$": "$.id"}, "Watch": ["unt53.invoice"], "Every": 600},
			"ResultPath": "$.paid",
			"Catch": [{"ErrorEquals": ["States.Timeout"], "ResultPath": "$.error", "Next": "Remind"}], "End": true},
		"Remind": {"Type": "Pass", "End": true}
	}}');
SELECT vouch.start_workflow('unt53', '{"id": 1}', 'unt53-a'), vouch.start_workflow('unt53', '{"id": 2}', 'unt53-b');
SELECT vouch.advance();
SELECT workflow_id, waiting_for FROM vouch.executions WHERE workflow = 'unt53' ORDER BY 1;
-- Its deadline is the end of its TimeoutSeconds, and not when it looks again.
SELECT waits_for, deadline - since AS within FROM vouch.explain_workflow('unt53-a');

-- A change makes them look again: one nudge a transaction for each, however many
-- statements, and none when it is rolled back.
BEGIN;
UPDATE unt53.invoice SET paid = true WHERE id = 1;
ROLLBACK;
SELECT count(*) AS nudges FROM vouch_data.nudge;
BEGIN;
UPDATE unt53.invoice SET who = 'ann' WHERE id = 1;
UPDATE unt53.invoice SET who = 'bob' WHERE id = 1;
COMMIT;
SELECT count(*) AS nudges FROM vouch_data.nudge;
SELECT vouch.advance();
SELECT workflow_id, status FROM vouch.executions WHERE workflow = 'unt53' ORDER BY 1;
UPDATE unt53.invoice SET paid = true WHERE id = 1;
SELECT vouch.advance();
SELECT workflow_id, status, waiting_for FROM vouch.executions WHERE workflow = 'unt53' ORDER BY 1;
SELECT vouch.describe_workflow('unt53-a') -> 'output' AS output;
-- Looking again leaves nothing in the history; what is over watches nothing.
SELECT type, state FROM vouch.workflow_history('unt53-a');
SELECT count(*) AS watches FROM vouch_data.watch;

-- Without the trigger, the clock finds it.
SELECT vouch.unwatch_table('unt53.invoice');
RESET SESSION AUTHORIZATION;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'unt53.invoice'::regclass;
DROP TRIGGER vouch_watch ON unt53.invoice;
UPDATE vouch_data.branch SET due_at = now() + interval '1 h' WHERE wait_kind = 'until';
SET SESSION AUTHORIZATION regress_vouch_unt_app;
UPDATE unt53.invoice SET paid = true WHERE id = 2;
SELECT vouch.advance();
RESET SESSION AUTHORIZATION;
UPDATE vouch_data.branch SET due_at = now() WHERE wait_kind = 'until';
SET SESSION AUTHORIZATION regress_vouch_unt_app;
SELECT vouch.advance();
SELECT status FROM vouch.executions WHERE workflow_id = 'unt53-b';

-- Its time is up.
SELECT vouch.start_workflow('unt53', '{"id": 3}', 'unt53-c');
SELECT vouch.advance();
RESET SESSION AUTHORIZATION;
UPDATE vouch_data.branch SET due_at = now(), entered_at = now() - interval '2 h' WHERE wait_kind = 'until';
SET SESSION AUTHORIZATION regress_vouch_unt_app;
SELECT vouch.advance();
SELECT vouch.describe_workflow('unt53-c') -> 'output' AS output;

-- What a function returns, when it is neither null nor false, is the result; its error is the state's.
SELECT vouch.define_workflow('unt53_row', '{"StartAt": "Row", "States": {"Row": {"Type": "Task", "Resource": "vouch:until",
	"Parameters": {"Predicate": "unt53.paid_row", "Arguments": {"id.$": "$.id"}}, "End": true}}}');
SELECT vouch.start_workflow('unt53_row', '{"id": 2}', 'unt53-d'), vouch.start_workflow('unt53_row', '{"id": "x"}', 'unt53-e');
SELECT vouch.advance();
SELECT d ->> 'status' AS status, d -> 'output' AS output, d ->> 'error' AS error FROM vouch.describe_workflow('unt53-d') d;
SELECT d ->> 'status' AS status, d ->> 'error' AS error FROM vouch.describe_workflow('unt53-e') d;
-- Who closes watches nothing any more.
SELECT vouch.start_workflow('unt53', '{"id": 3}', 'unt53-f');
SELECT vouch.advance();
SELECT vouch.terminate_workflow('unt53-f');
SELECT count(*) AS watches FROM vouch_data.watch;

SELECT location, code, message FROM vouch.validate_definition('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "vouch:until", "Parameters": {"Predicate": "unt53.nothing"}, "Next": "B"},
	"B": {"Type": "Task", "Resource": "vouch:until", "Parameters": {"Predicate.$": "$.p"}, "Next": "C"},
	"C": {"Type": "Task", "Resource": "vouch:until", "Parameters": {"Predicate": "unt53.is_paid", "Watch": "unt53.invoice"}, "Next": "D"},
	"D": {"Type": "Task", "Resource": "vouch:until", "Parameters": {"Predicate": "unt53.is_paid", "Arguments": {"no": 1}}, "End": true}}}');

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DROP SCHEMA unt53 CASCADE;
DROP ROLE regress_vouch_unt_app;
