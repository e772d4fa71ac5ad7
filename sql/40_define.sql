-- Defining workflows: what can be checked is checked, each problem with its
-- place in the definition.
CREATE ROLE regress_vouch_def_admin LOGIN;
CREATE ROLE regress_vouch_def_app LOGIN;
CREATE ROLE regress_vouch_def_group;
CREATE ROLE regress_vouch_def_other LOGIN;
GRANT vouch_admin TO regress_vouch_def_admin;
GRANT regress_vouch_def_app, regress_vouch_def_group TO regress_vouch_def_admin;
CREATE SCHEMA def40;
CREATE SCHEMA def40_closed;
GRANT USAGE ON SCHEMA def40 TO regress_vouch_def_app;
CREATE FUNCTION def40.pay(amount numeric, account text, note text DEFAULT '') RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION def40.secret() RETURNS int LANGUAGE sql AS 'SELECT 1';
REVOKE EXECUTE ON FUNCTION def40.secret() FROM PUBLIC;
CREATE FUNCTION def40.twice(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION def40.twice(a text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION def40_closed.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE def40.proc() LANGUAGE sql AS '';

SET SESSION AUTHORIZATION regress_vouch_def_admin;

-- A definition that is right gets a revision; the same again makes no new one.
SELECT vouch.define_workflow('def40', '{"StartAt": "Pay", "States": {"Pay": {"Type": "Task", "Resource": "sql:def40.pay",
	"Parameters": {"amount": 5, "account.$": "$.account"}, "End": true}}}', 'regress_vouch_def_app', 'pays') AS revision;
SELECT vouch.define_workflow('def40', '{"States": {"Pay": {"Type": "Task", "Resource": "sql:def40.pay", "End": true,
	"Parameters": {"account.$": "$.account", "amount": 5}}}, "StartAt": "Pay"}', 'regress_vouch_def_app') AS the_same;
SELECT vouch.define_workflow('def40', '{"StartAt": "Pay", "States": {"Pay": {"Type": "Task", "Resource": "sql:def40.pay",
	"Parameters": {"amount": 6, "account.$": "$.account"}, "End": true}}}', 'regress_vouch_def_app') AS another;
SELECT workflow, revision, run_as, description, defined_by, is_newest FROM vouch.workflows WHERE workflow = 'def40' ORDER BY 2;

-- All problems at once.
SELECT vouch.define_workflow('def40_bad', '{
	"StartAt": "A",
	"States": {
		"A": {"Type": "Task", "Resource": "sql:def40.no_such", "Next": "B"},
		"B": {"Type": "Task", "Resource": "sql:no_such.f", "Next": "C"},
		"C": {"Type": "Task", "Resource": "sql:def40.pay", "Parameters": {"amount": 5, "acount": "x"}, "Next": "D"},
		"D": {"Type": "Task", "Resource": "sql:def40.pay", "Parameters": {"amount": 5}, "Next": "E"},
		"E": {"Type": "Task", "Resource": "sql:def40.secret", "Parameters": {}, "Next": "F"},
		"F": {"Type": "Task", "Resource": "sql:def40_closed.f", "Next": "G"},
		"G": {"Type": "Task", "Resource": "sql:def40.twice", "Parameters": {"a": 1}, "Next": "H"},
		"H": {"Type": "Task", "Resource": "sql:def40.proc", "Parameters": {}, "Next": "I"},
		"I": {"Type": "Task", "Resource": "vouch:review", "Parameters": {"Signal": "x"}, "Next": "J"},
		"J": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"SignalName": "x"}, "Next": "K"},
		"K": {"Type": "Task", "Resource": "arn:aws:lambda:f", "Next": "L"},
		"L": {"Type": "Task", "Resource": "sql:unqualified", "Next": "Nowhere"}
	}}', 'regress_vouch_def_app');
\echo :LAST_ERROR_SQLSTATE

-- The same without defining, as rows.
SELECT * FROM vouch.validate_definition('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:def40.no_such", "Next": "B"},
	"B": {"Type": "Pass", "End": true}, "C": {"Type": "Pass", "End": true}}}', 'regress_vouch_def_app');
SELECT * FROM vouch.validate_definition('{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}');

-- Nobody gains rights: who defines must be a member of the role that it runs
-- as, and that role must be able to log in.
SELECT vouch.define_workflow('def40_up', '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}', 'regress_vouch_def_other');
SELECT vouch.define_workflow('def40_up', '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}', 'regress_vouch_def_group');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.define_workflow('def40_up', '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}', 'no_such_role');
SELECT vouch.define_workflow('a/b', '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}');
SELECT vouch.define_workflow(NULL, '{}');
SELECT vouch_data.ship_workflow('x', '{}');
SET SESSION AUTHORIZATION regress_vouch_def_app;
SELECT vouch.define_workflow('def40_up', '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}');

RESET SESSION AUTHORIZATION;
-- The machines of executions and branches are tables of rules.
SELECT machine, rule, state, event, next_state FROM vouch.state_machine() WHERE machine IN ('execution', 'branch') ORDER BY rule;
SET client_min_messages TO warning;
DROP SCHEMA def40, def40_closed CASCADE;
DROP ROLE regress_vouch_def_admin, regress_vouch_def_app, regress_vouch_def_group, regress_vouch_def_other;
