-- Stages of a policy are a graph: each has its time, its verdicts, and its signatures.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_g_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_g_lea LOGIN IN ROLE vouch_user;		-- test lead
CREATE ROLE regress_vouch_g_olga LOGIN IN ROLE vouch_user;		-- report owner
CREATE ROLE regress_vouch_g_dora LOGIN IN ROLE vouch_user;		-- data owner
CREATE ROLE regress_vouch_g_eva LOGIN IN ROLE vouch_user;		-- test executive
SELECT count(vouch.grant_role('regress_vouch_g_' || a, r)) FROM (VALUES ('tess', 'tester'), ('lea', 'test_lead'), ('olga', 'report_owner'),
	('dora', 'data_owner'), ('eva', 'test_executive')) AS v(a, r);
SELECT vouch.define_policy('graph', '{"stages": [
	{"name": "review", "rules": [{"role": "test_lead"}]},
	{"name": "risk", "after": ["review"], "rules": [{"role": "report_owner"}]},
	{"name": "data", "after": ["review"], "rules": [{"role": "data_owner"}]},
	{"name": "release", "after": ["risk", "data"], "rules": [{"role": "test_executive"}]}]}');
SELECT vouch.set_policy('scoping', 'graph', scope => 'graph');
CREATE FUNCTION standing(v uuid) RETURNS TABLE (stage text, have int, actor text, can_sign boolean, why text) LANGUAGE sql AS $$
	SELECT stage_name, have, replace(actor, 'regress_vouch_g_', ''), can_sign, replace(why, 'regress_vouch_g_', '') FROM vouch.explain_approval(v)
$$;

SET SESSION AUTHORIZATION regress_vouch_g_tess;
SELECT vouch.create_version('scoping', 345, 1, '[
	{"attribute_id": "a", "in_scope": true, "rationale": "material", "risk_rating": "high"},
	{"attribute_id": "b", "in_scope": true, "rationale": "material", "risk_rating": "low"}]', scope => 'graph') AS v \gset
SELECT r->'missing' AS missing FROM vouch.submit_version(:'v') r;
SELECT * FROM standing(:'v');

-- Two stages open at once when the first is satisfied; the last waits for both.
SET SESSION AUTHORIZATION regress_vouch_g_lea;
SELECT vouch.decide_where(:'v', 'approved');
SELECT r->'missing' AS missing FROM vouch.approve_version(:'v') r;
SELECT * FROM standing(:'v');

-- What a later stage says of an item is its own: nobody who signed before it, or beside it, signed that,
-- and none of their signatures is the worse for it.
SET SESSION AUTHORIZATION regress_vouch_g_olga;
SELECT vouch.decide(:'v', '{"a": "rejected"}');
SET SESSION AUTHORIZATION regress_vouch_g_dora;
SELECT vouch.decide(:'v', '{"b": "needs_changes"}');
SELECT * FROM standing(:'v');
-- Dora's own wish for changes stands in her way, and in nobody else's.
\set VERBOSITY terse
SELECT vouch.approve_version(:'v');
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT what FROM vouch.my_tasks() WHERE version_id = :'v';
SET SESSION AUTHORIZATION regress_vouch_g_olga;
SELECT r->'missing' AS missing FROM vouch.approve_version(:'v') r;
SET SESSION AUTHORIZATION regress_vouch_g_dora;
SELECT vouch.decide(:'v', '{"b": "approved"}');
SELECT r->'missing' AS missing FROM vouch.approve_version(:'v') r;
SELECT signer, stale, scope_digest IS NULL AS all_of_it FROM vouch.signatures WHERE version_id = :'v' ORDER BY signature_no;

-- One rejection ends it, and leaves the others' signatures as they are.
SET SESSION AUTHORIZATION regress_vouch_g_eva;
SELECT r->'missing' AS missing FROM vouch.reject_version(:'v', 'not like this') r;
SELECT signer, stale FROM vouch.signatures WHERE version_id = :'v' ORDER BY signature_no;
RESET SESSION AUTHORIZATION;
SELECT ok, first_bad, detail FROM vouch.verify('cycle-345-report-1') WHERE check_name = 'approvals';
SET SESSION AUTHORIZATION regress_vouch_g_tess;
SELECT vouch.create_revision(:'v', reason => 'again') AS w \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'w') r;
SET SESSION AUTHORIZATION regress_vouch_g_lea;
SELECT vouch.decide_where(:'w', 'approved');
SELECT r->'missing' AS missing FROM vouch.approve_version(:'w') r;
SET SESSION AUTHORIZATION regress_vouch_g_olga;
SELECT r->'missing' AS missing FROM vouch.approve_version(:'w') r;
RESET SESSION AUTHORIZATION;
-- A verdict of the first stage was seen by all: were it changed, all would sign anew.
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.decision SET notes = 'tampered with' WHERE bucket = vouch.bucket_of(:'w') AND artifact_no = vouch_data.artifact_number(:'w')
	AND stage = 1 AND to_no > 2;
SELECT signer, stale FROM vouch.signatures WHERE version_id = :'w' ORDER BY signature_no;
SELECT * FROM standing(:'w');
ROLLBACK;
SET SESSION AUTHORIZATION regress_vouch_g_dora;
SELECT r->'missing' AS missing FROM vouch.approve_version(:'w') r;
SET SESSION AUTHORIZATION regress_vouch_g_eva;
SELECT r->>'state' AS state FROM vouch.approve_version(:'w') r;
RESET SESSION AUTHORIZATION;
SELECT ok, first_bad, detail FROM vouch.verify('cycle-345-report-1') WHERE check_name = 'approvals';
-- After the fact, too: each stage's digest was kept when the request was closed.
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.decision SET notes = 'tampered with' WHERE bucket = vouch.bucket_of(:'w') AND artifact_no = vouch_data.artifact_number(:'w')
	AND stage = 1 AND to_no > 2;
SELECT ok, first_bad, detail FROM vouch.verify('cycle-345-report-1') WHERE check_name = 'approvals';
ROLLBACK;

-- As many stages as a policy may have, each after all those before it, cost no more than a row of them.
SELECT vouch.define_policy('graph', jsonb_build_object('items', 'none', 'stages', jsonb_agg(jsonb_build_object('name', 's' || i,
	'after', (SELECT coalesce(jsonb_agg('s' || j), '[]') FROM generate_series(1, i - 1) j), 'rules', '[{"role": "report_owner", "exclude": []}]'::jsonb)))) > 1 AS defined
FROM generate_series(1, 32) i;
SET SESSION AUTHORIZATION regress_vouch_g_tess;
SELECT vouch.create_version('scoping', 346, 1, '[{"attribute_id": "a", "in_scope": true}]', scope => 'graph') AS x \gset
SET statement_timeout = '10s';
SELECT r->'can_submit' AS can_submit, jsonb_array_length(r->'signers') AS signers FROM vouch.what_if_submit(:'x') r;
RESET statement_timeout;
RESET SESSION AUTHORIZATION;
SELECT vouch.define_policy('graph', '{"stages": [{"name": "a", "rules": [{"role": "report_owner"}]},
	{"name": "b", "after": ["a", "a"], "rules": [{"role": "report_owner"}]}]}');

SELECT vouch.set_policy('scoping', NULL, scope => 'graph');
DROP FUNCTION standing;
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_g\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_g_tess, regress_vouch_g_lea, regress_vouch_g_olga, regress_vouch_g_dora, regress_vouch_g_eva;
