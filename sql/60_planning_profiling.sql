--
-- Planning and Data Profiling: attributes from a table's real columns, and rules
-- found in its data that keep saying something although some rows are dirty.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_vouch_60_ann, regress_vouch_60_raj, regress_vouch_60_out;
CREATE ROLE regress_vouch_60_ann LOGIN;		-- tester
CREATE ROLE regress_vouch_60_raj LOGIN;		-- report owner
CREATE ROLE regress_vouch_60_out LOGIN;		-- may use Vouch, but not read the table
GRANT vouch_user TO regress_vouch_60_ann, regress_vouch_60_raj, regress_vouch_60_out;
SELECT vouch.grant_role('regress_vouch_60_ann', 'tester'), vouch.grant_role('regress_vouch_60_raj', 'report_owner');

-- 1,000 rows with names that need quotes; 4 to 6 rows are dirty in each way.
CREATE SCHEMA "regress 60";
CREATE TABLE "regress 60".branch (branch_code text PRIMARY KEY);
INSERT INTO "regress 60".branch SELECT 'B' || n FROM generate_series(1, 9) AS n;
CREATE TABLE "regress 60"."Loan Book" (
	id int PRIMARY KEY,
	"loan ""no""" text NOT NULL,
	branch_code text,
	status text,
	opened date,
	closes date,
	rate_balance numeric(10,2),
	limit_balance numeric(10,2),
	over boolean,
	score int,
	extra jsonb,
	empty text);
COMMENT ON COLUMN "regress 60"."Loan Book".score IS 'Credit score, a critical element';
INSERT INTO "regress 60"."Loan Book"
SELECT n, 'LN-' || lpad(n::text, 6, '0'), 'B' || 1 + n % 9, (ARRAY['open', 'closed', 'late'])[1 + n % 3],
	'2020-01-01'::date + n, '2024-01-01'::date + n * 2, (n * 7919 % 1000) * 10, 9000, n * 7919 % 1000 > 900, 300 + n * 31 % 550, '{}', NULL
FROM generate_series(1, 1000) AS n;
UPDATE "regress 60"."Loan Book" SET branch_code = 'B77' WHERE id IN (100, 200, 300, 400);
UPDATE "regress 60"."Loan Book" SET status = 'opne' WHERE id IN (101, 201, 301, 401);
UPDATE "regress 60"."Loan Book" SET opened = closes + 10 WHERE id IN (102, 202, 302, 402);
UPDATE "regress 60"."Loan Book" SET score = 99999 WHERE id IN (103, 203, 303);
UPDATE "regress 60"."Loan Book" SET score = NULL WHERE id IN (104, 204);
UPDATE "regress 60"."Loan Book" SET "loan ""no""" = 'LN-000001' WHERE id IN (105, 205);
UPDATE "regress 60"."Loan Book" SET "loan ""no""" = 'lost' WHERE id = 106;
UPDATE "regress 60"."Loan Book" SET over = false WHERE id IN (SELECT id FROM "regress 60"."Loan Book" WHERE rate_balance > limit_balance ORDER BY id LIMIT 5);
GRANT USAGE ON SCHEMA "regress 60" TO regress_vouch_60_ann, regress_vouch_60_out;
GRANT SELECT ON ALL TABLES IN SCHEMA "regress 60" TO regress_vouch_60_ann;

-- Attributes: one per column, with what the catalog and the data say.
SET SESSION AUTHORIZATION regress_vouch_60_ann;
SELECT a ->> 'attribute_id' AS attribute, a ->> 'decision_type' AS decision, d ->> 'type' AS type, d ->> 'mandatory' AS mandatory, d ->> 'primary_key' AS pk,
	d ->> 'critical_data_element' AS critical, d ->> 'null_rate' AS null_rate, d ->> 'distinct_rate' AS distinct_rate
FROM jsonb_array_elements(vouch.get_planning_attributes('"regress 60"."Loan Book"')) AS a, LATERAL (SELECT a -> 'data' AS d) AS x;

-- Rules: what at least 99 % of the rows have in common.
SELECT r ->> 'name' AS rule, r ->> 'type' AS type, r ->> 'description' AS description, r ->> 'rows_failed' AS failed, r ->> 'observed_pass_rate' AS pass_rate
FROM jsonb_array_elements(vouch.generate_profiling_rules('"regress 60"."Loan Book"')) AS r;
SELECT r ->> 'recommendation_reason' AS reason, r -> 'definition' AS definition
FROM jsonb_array_elements(vouch.generate_profiling_rules('"regress 60"."Loan Book"')) AS r WHERE r ->> 'name' IN ('domain_status', 'flag_over_rate_balance_limit_balance', 'referential_branch_code');

-- A definition runs on rows named by a key, on all rows, and on rows that are given.
SELECT * FROM vouch.run_profiling_rule('"regress 60"."Loan Book"', '{"kind": "range", "column": "score", "min": 300, "max": 850}', '{"id": ["103", "104", "105"]}');
SELECT count(*), count(*) FILTER (WHERE NOT passed) AS failed FROM vouch.run_profiling_rule('"regress 60"."Loan Book"', '{"kind": "domain", "column": "status", "values": ["open", "closed", "late"]}');
SELECT * FROM vouch.check_rows('"regress 60"."Loan Book"',
	'[{"name": "order", "definition": {"kind": "comparison", "left": "opened", "operator": "<=", "right": "closes"}},
	  {"name": "one of two", "definition": {"kind": "uniqueness", "columns": ["loan \"no\"", "branch_code"]}}]',
	'[{"opened": "2026-02-01", "closes": "2026-01-01", "loan \"no\"": "LN-000007", "branch_code": "B8"}, {"opened": null}]');
SELECT r ->> 'rows_checked' AS checked, r ->> 'rows_failed' AS failed
FROM jsonb_array_elements(vouch.measure_profiling_rules('"regress 60"."Loan Book"',
	'[{"definition": {"kind": "implication", "if": {"left": "status", "operator": "=", "value": "late"}, "then": {"left": "score", "operator": ">", "value": 400}}}]')) AS r;

-- Definitions that do not fit, and text that tries to be SQL, change nothing.
SELECT * FROM vouch.run_profiling_rule('"regress 60"."Loan Book"', '{"kind": "magic"}');
SELECT * FROM vouch.run_profiling_rule('"regress 60"."Loan Book"', '{"kind": "range", "column": "scor", "min": 1}');
SELECT * FROM vouch.run_profiling_rule('"regress 60"."Loan Book"', '{"kind": "range", "column": "score"}');
SELECT * FROM vouch.run_profiling_rule('"regress 60"."Loan Book"', '{"kind": "comparison", "left": "opened", "operator": "= opened OR", "right": "closes"}');
SELECT count(*) FROM vouch.run_profiling_rule('"regress 60"."Loan Book"', '{"kind": "domain", "column": "status", "values": ["'')); DROP TABLE x; --"]}', '{"id": "1"}');

-- The table is read with the caller's rights.
SET SESSION AUTHORIZATION regress_vouch_60_out;
SELECT vouch.get_planning_attributes('"regress 60"."Loan Book"');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.generate_profiling_rules('"regress 60"."Loan Book"');
RESET SESSION AUTHORIZATION;
SELECT vouch.get_planning_attributes('pg_class_oid_index');
CREATE TABLE "regress 60".nothing (a int);
SELECT vouch.generate_profiling_rules('"regress 60".nothing');

-- A plan is approved by rule, with a signature that says so; nobody else's name may be given.
SET SESSION AUTHORIZATION regress_vouch_60_ann;
SELECT p ->> 'state' AS state, p ->> 'item_count' AS items, p -> 'metadata' AS metadata, p ->> 'version_id' AS plan
FROM vouch.create_planning_version(60, 1, 'regress_vouch_60_ann', vouch.get_planning_attributes('"regress 60"."Loan Book"')) AS p \gset p_
\echo :p_state :p_items :p_metadata
SELECT vouch.approve_planning_version(:'p_plan', 'regress_vouch_60_raj');
-- the rules wait for the plan
\set VERBOSITY terse
SELECT vouch.create_profiling_version(60, 1, NULL, vouch.generate_profiling_rules('"regress 60"."Loan Book"'));
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT vouch.approve_planning_version(:'p_plan', 'regress_vouch_60_ann', 'My plan') ->> 'state' AS state;
SELECT role, signer, verdict, meaning FROM vouch.signatures WHERE version_id = :'p_plan';

-- Rules are proposed, decided one by one, and approved with the version.
SELECT r ->> 'state' AS state, r ->> 'version_id' AS id
FROM vouch.create_profiling_version(60, 1, NULL, vouch.generate_profiling_rules('"regress 60"."Loan Book"'), '{"table": "Loan Book"}') AS r \gset r_
SET SESSION AUTHORIZATION regress_vouch_60_raj;
SELECT r ->> 'decided' AS decided, r ->> 'state' AS state, r ->> 'next' AS next
FROM vouch.process_profiling_review(:'r_id', NULL, '[{"name": "domain_status", "decision": "approved"}, {"name": "range_score", "status": "needs_changes", "notes": "850 is the highest"}]') AS r;
-- nothing undecided is approved, and one that says nothing is no review
\set VERBOSITY terse
SELECT vouch.process_profiling_review(:'r_id', NULL, '{"approved": true}');
\set VERBOSITY default
SELECT vouch.process_profiling_review(:'r_id', NULL, '{"notes": "hm"}');
SELECT vouch.process_profiling_review(:'r_id', NULL, '{"approved": true, "needs_revision": true}');
SELECT vouch.process_profiling_review(:'p_plan', NULL, '{"approved": true}');
-- sent back: its revision carries what was approved, and takes the others anew
SELECT r ->> 'state' AS state, r ->> 'next' AS next
FROM vouch.process_profiling_review(:'r_id', NULL, '{"remaining": "approved", "needs_revision": true, "notes": "One limit is wrong"}') AS r;
SET SESSION AUTHORIZATION regress_vouch_60_ann;
SELECT r ->> 'version_number' AS version, r ->> 'state' AS state, r ->> 'carried_forward' AS carried, r ->> 'pending' AS pending, r ->> 'version_id' AS id
FROM vouch.create_profiling_version(60, 1, NULL, '[{"name": "range_score", "type": "validation", "definition": {"kind": "range", "column": "score", "min": 300, "max": 850}, "description": "score lies between 300 and 850"}]') AS r \gset r_
\echo :r_version :r_state carried :r_carried pending :r_pending
SET SESSION AUTHORIZATION regress_vouch_60_raj;
SELECT r ->> 'state' AS state, r ->> 'next' AS next FROM vouch.process_profiling_review(:'r_id', NULL, '[{"name": "range_score", "decision": "approved"}]') AS r;
SELECT version_number, version_status, total_items = approved_items AS all_approved, carried_forward_items > 0 AS carried, source_data FROM vouch.data_profiling_versions WHERE cycle_id = 60 ORDER BY 1;
SELECT version_number, decision_status, carried_forward, decided_by, rule_definition FROM vouch.profiling_rule_decisions WHERE cycle_id = 60 AND rule_name = 'range_score' ORDER BY 1;

RESET SESSION AUTHORIZATION;
SELECT bool_and(vouch.revoke_role(actor, role, scope)) AS revoked FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_60\_%' AND revoked_at IS NULL;
DROP SCHEMA "regress 60" CASCADE;
DROP OWNED BY regress_vouch_60_ann, regress_vouch_60_raj, regress_vouch_60_out;
DROP ROLE regress_vouch_60_ann, regress_vouch_60_raj, regress_vouch_60_out;
