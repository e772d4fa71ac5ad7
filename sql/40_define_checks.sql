-- What a definition names has to be there, and to take what it is given: all of
-- it is told before anything runs.
CREATE ROLE regress_vouch_chk_app LOGIN;
GRANT vouch_admin TO regress_vouch_chk_app;
CREATE SCHEMA chk40;
GRANT USAGE ON SCHEMA chk40 TO regress_vouch_chk_app;
CREATE TABLE chk40.invoice (id int, paid boolean);
CREATE TABLE chk40.unwatched (id int);
SELECT vouch.watch_table('chk40.invoice');
CREATE FUNCTION chk40.is_paid(id int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT paid FROM chk40.invoice i WHERE i.id = is_paid.id';
CREATE FUNCTION chk40.on_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION chk40.any(v anyelement) RETURNS anyelement LANGUAGE sql AS 'SELECT v';
CREATE FUNCTION chk40.rows() RETURNS SETOF record LANGUAGE sql AS 'SELECT 1, 2';
CREATE FUNCTION chk40.columns() RETURNS TABLE (a int, b int) LANGUAGE sql AS 'SELECT 1, 2';
CREATE PROCEDURE chk40.proc(a int) LANGUAGE sql AS '';
-- of the same name, but one of them can be called
CREATE FUNCTION chk40.either(v anyelement) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION chk40.either(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT 1';
SET SESSION AUTHORIZATION regress_vouch_chk_app;

-- A Task is put alone into a definition.
CREATE FUNCTION pg_temp.problems(task jsonb) RETURNS TABLE (severity text, location text, code text, message text) LANGUAGE sql
AS $$ SELECT * FROM vouch.validate_definition(jsonb_build_object('StartAt', 'T', 'States', jsonb_build_object('T', task || '{"Type": "Task", "End": true}'))) $$;

-- What is no plain function, or takes or returns what JSON cannot be.
SELECT r AS resource, p.* FROM unnest(ARRAY['pg_catalog.sum', 'pg_catalog.row_number', 'pg_catalog.jsonb_agg', 'pg_catalog.textin',
	'pg_catalog.byteaout', 'chk40.proc', 'chk40.on_row', 'chk40.any', 'chk40.rows', 'chk40.columns', 'chk40.either']) AS r
LEFT JOIN LATERAL pg_temp.problems(jsonb_build_object('Resource', 'sql:' || r)) p ON true;
SELECT * FROM pg_temp.problems('{"Resource": "sql:chk40.proc", "Parameters": {"a": 1}}');

-- Children.
SELECT * FROM pg_temp.problems('{"Resource": "vouch:execution", "Parameters": {"Workflow": "chk40_none", "ParentClosePolicy": "kill", "Name": "", "Inptu": 1}}');
SELECT * FROM pg_temp.problems('{"Resource": "vouch:execution.sync", "Parameters": {"Workflow": 3, "ParentClosePolicy.$": "$.p"}}');
SELECT * FROM pg_temp.problems('{"Resource": "vouch:execution.sync", "Parameters": {"Workflow.$": "$.w", "ParentClosePolicy": "REQUEST_CANCEL"}}');
-- One that starts itself is known.
SELECT vouch.define_workflow('chk40', '{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "vouch:execution.sync", "Parameters": {"Workflow": "chk40"}, "End": true}}}');
SELECT vouch.define_workflow('chk40_parent', '{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "vouch:execution.sync", "Parameters": {"Workflow": "chk40_later"}, "End": true}}}');

-- Waits.
SELECT * FROM pg_temp.problems('{"Resource": "vouch:until", "Parameters": {"Predicate": "chk40.is_paid", "Arguments": {"id": 1},
	"Watch": ["chk40.invoice", "chk40.unwatched", "invoice", "chk40.nothing", 5], "Every": 0}}');
SELECT * FROM pg_temp.problems('{"Resource": "vouch:until", "Parameters": {"Predicate": "chk40.is_paid", "Arguments": {"id": 1}, "Every": "1 minute"}}');
SELECT * FROM pg_temp.problems('{"Resource": "vouch:until", "Parameters": {"Predicate": "chk40.is_paid", "Arguments": {"id": 1}, "Watch": ["chk40.invoice"], "Every": 86400}}');
SELECT * FROM pg_temp.problems('{"Resource": "vouch:signal", "Parameters": {"Signal": ["go"]}}');
SELECT * FROM pg_temp.problems('{"Resource": "vouch:review", "Parameters": {"VersionId": 7, "Singal": "x"}}');

-- An iteration of a distributed Map is an execution of its own, and sees no variable from outside.
SELECT * FROM vouch.validate_definition('{"StartAt": "V", "States": {
	"V": {"Type": "Pass", "Assign": {"v": 1}, "Next": "M"},
	"M": {"Type": "Map", "End": true, "ItemSelector": {"v.$": "$v"}, "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"},
		"StartAt": "I", "States": {"I": {"Type": "Pass", "Parameters": {"v.$": "$v"}, "End": true}}}}}}');

-- Of a key that is written twice a jsonb keeps one: a definition as text is read as it is written.
SELECT * FROM vouch.validate_definition('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"},
	"B": {"Type": "Pass", "End": true}, "A": {"Type": "Pass", "Comment": "1", "Comment": "2", "End": true}}}');
SELECT * FROM vouch.validate_definition('{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}, "A": {"Type": "Pass", "End": true}}}'::jsonb);
SELECT vouch.define_workflow('chk40_twice', '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}, "A": {"Type": "Pass", "End": true}}}');
\echo :LAST_ERROR_SQLSTATE
-- The two forms are the same definition.
SELECT vouch.define_workflow('chk40_same', '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"b": 1.50, "a": "é"}, "End": true}}}') AS as_text;
SELECT vouch.define_workflow('chk40_same', '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"b": 1.50, "a": "é"}, "End": true}}}'::jsonb) AS as_jsonb;

-- What is none at all is told as well.
SELECT * FROM vouch.validate_definition(NULL);
SELECT * FROM vouch.validate_definition(NULL::jsonb);
SELECT * FROM vouch.validate_definition('{"StartAt": ');
SELECT * FROM vouch.validate_definition('"x"');
SELECT * FROM vouch.validate_definition(repeat('[', 600) || repeat(']', 600));
SELECT * FROM vouch.validate_definition((repeat('[', 600) || repeat(']', 600))::jsonb);
SELECT * FROM vouch.validate_definition(jsonb_build_object('StartAt', 'A', 'States', jsonb_build_object('A',
	jsonb_build_object('Type', 'Pass', 'End', true, 'Comment', repeat('x', 1100000)))));

RESET SESSION AUTHORIZATION;
SET client_min_messages TO warning;
DROP FUNCTION pg_temp.problems(jsonb);
DROP SCHEMA chk40 CASCADE;
DROP ROLE regress_vouch_chk_app;
