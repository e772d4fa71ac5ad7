-- One state for a test: what it does stays, unless it is a dry run.
CREATE ROLE regress_vouch_tst_app LOGIN;
GRANT vouch_admin TO regress_vouch_tst_app;
CREATE SCHEMA tst52 AUTHORIZATION regress_vouch_tst_app;
SET SESSION AUTHORIZATION regress_vouch_tst_app;
CREATE TABLE tst52.log (n int);
CREATE FUNCTION tst52.note(n int) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO tst52.log VALUES (n);
	IF n < 0 THEN
		PERFORM vouch.fail('Negative', 'below zero');
	END IF;
	RETURN jsonb_build_object('noted', (SELECT count(*) FROM tst52.log));
END $$;
SELECT vouch.test_state('{"Type": "Task", "Resource": "sql:tst52.note", "End": true}', '{"n": 1}', dry_run => true);
SELECT vouch.test_state('{"Type": "Task", "Resource": "sql:tst52.note", "Catch": [{"ErrorEquals": ["Negative"], "Next": "N"}], "End": true}', '{"n": -1}', dry_run => true);
SELECT * FROM tst52.log;
SELECT vouch.test_state('{"Type": "Task", "Resource": "sql:tst52.note", "End": true}', '{"n": 2}');
SELECT vouch.test_state('{"Type": "Task", "Resource": "sql:tst52.note", "End": true}', '{"n": 3}', dry_run => NULL);
SELECT * FROM tst52.log;
-- The context object is as in an execution, with names of its own.
SELECT vouch.test_state('{"Type": "Pass", "End": true, "Parameters": {"actor.$": "$$.Vouch.Actor", "starter.$": "$$.Vouch.Starter", "id.$": "$$.Vouch.WorkflowId",
	"revision.$": "$$.Vouch.Revision", "state.$": "$$.State.Name", "input.$": "$$.Execution.Input.x", "machine.$": "$$.StateMachine.Name"}}', '{"x": 5}') -> 'output' AS output;

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DROP SCHEMA tst52 CASCADE;
DROP ROLE regress_vouch_tst_app;
