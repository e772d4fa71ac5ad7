-- The order of signing: it does not matter to who signs for which group, and it does to what a stage stands on.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_o_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_o_olga LOGIN IN ROLE vouch_user;		-- report owner
CREATE ROLE regress_vouch_o_ann LOGIN IN ROLE vouch_user;		-- report owner
CREATE ROLE regress_vouch_o_bob LOGIN IN ROLE vouch_user;		-- test lead for CARDS
CREATE ROLE regress_vouch_o_dan LOGIN IN ROLE vouch_user;		-- test lead, and olga's delegate
CREATE ROLE regress_vouch_o_eva LOGIN IN ROLE vouch_user;		-- test executive
SELECT count(vouch.grant_role('regress_vouch_o_' || a, r, s)) FROM (VALUES ('tess', 'tester', ''), ('olga', 'report_owner', ''), ('ann', 'report_owner', ''),
	('bob', 'test_lead', 'CARDS'), ('dan', 'test_lead', ''), ('eva', 'test_executive', '')) AS v(a, r, s);
CREATE FUNCTION standing(v uuid) RETURNS TABLE (stage text, have int, actor text, can_sign boolean, why text) LANGUAGE sql AS $$
	SELECT stage_name, have, replace(actor, 'regress_vouch_o_', ''), can_sign, replace(why, 'regress_vouch_o_', '') FROM vouch.explain_approval(v)
$$;
CREATE FUNCTION draft(n int) RETURNS uuid LANGUAGE sql AS
$$ SELECT vouch.create_version('scoping', 3400 + n, 1, '[{"attribute_id": "a", "in_scope": true}]', scope => 'order') $$;

-- Two delegations between the same two: each is good where it reaches.
SELECT vouch.define_policy('order', '{"items": "none", "stages": [{"rules": [{"role": "report_owner", "groups": ["LOANS"]}]}]}') AS revision;
SELECT vouch.set_policy('scoping', 'order', scope => 'order');
SET SESSION AUTHORIZATION regress_vouch_o_olga;
SELECT vouch.delegate('regress_vouch_o_dan', 'report_owner', 'CARDS', reason => 'leave') AS cards \gset
SELECT vouch.delegate('regress_vouch_o_dan', 'report_owner', 'LOANS', reason => 'leave') AS loans \gset
SET SESSION AUTHORIZATION regress_vouch_o_tess;
SELECT draft(1) AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SELECT * FROM standing(:'v');
SET SESSION AUTHORIZATION regress_vouch_o_dan;
SELECT vouch.sign_off(:'v', 'report_owner', true, on_behalf_of => 'regress_vouch_o_olga') ->> 'state' AS state;
SELECT for_group, delegation_id = :'loans' AS by_the_second FROM vouch_data.signature
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
-- Without the one that reaches, the other does not help.
SET SESSION AUTHORIZATION regress_vouch_o_olga;
SELECT vouch.revoke_delegation(:'loans');
SET SESSION AUTHORIZATION regress_vouch_o_tess;
SELECT draft(2) AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_o_dan;
\set VERBOSITY terse
SELECT vouch.sign_off(:'v', 'report_owner', true, on_behalf_of => 'regress_vouch_o_olga') ->> 'state' AS state;
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT actor, why FROM standing(:'v') WHERE actor = 'dan (for olga)';

-- Dan could sign for both groups, and bob for CARDS only: whoever is first, the other can sign, too.
RESET SESSION AUTHORIZATION;
SELECT vouch.define_policy('order', '{"items": "none", "stages": [{"rules": [{"role": "test_lead", "groups": ["CARDS", "LOANS"]}]}]}') AS revision;
SET SESSION AUTHORIZATION regress_vouch_o_tess;
SELECT draft(3) AS v, draft(4) AS w \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS v, vouch.submit_version(:'w') ->> 'state' AS w;
SET SESSION AUTHORIZATION regress_vouch_o_dan;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_o_bob;
SELECT vouch.approve_version(:'v') ->> 'state' AS v, vouch.approve_version(:'w') ->> 'state' AS w;
SET SESSION AUTHORIZATION regress_vouch_o_dan;
SELECT vouch.approve_version(:'w') ->> 'state' AS state;
SELECT signer, for_group FROM vouch.signatures WHERE version_id IN (:'v', :'w') ORDER BY version_id = :'w', signature_no;

-- Three groups: who fits everywhere takes what is left, and others move over for who fits in one only.
RESET SESSION AUTHORIZATION;
SELECT vouch.define_policy('order', '{"items": "none", "stages": [{"rules": [{"role": "test_lead", "groups": ["CARDS", "LOANS", "BONDS"]}]}]}') AS revision;
SELECT count(vouch.grant_role('regress_vouch_o_ann', 'test_lead', s)) FROM unnest('{CARDS,LOANS}'::text[]) s;
SET SESSION AUTHORIZATION regress_vouch_o_tess;
SELECT draft(5) AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_o_ann;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_o_dan;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_o_bob;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SELECT signer, for_group FROM vouch.signatures WHERE version_id = :'v' ORDER BY signature_no;

-- When rights change after the first has signed, the way out is said.
RESET SESSION AUTHORIZATION;
SELECT vouch.revoke_role('regress_vouch_o_ann', 'test_lead', s) FROM unnest('{CARDS,LOANS}'::text[]) s;
SELECT vouch.revoke_role('regress_vouch_o_bob', 'test_lead', 'CARDS'), vouch.grant_role('regress_vouch_o_bob', 'test_lead', 'LOANS');
SELECT vouch.define_policy('order', '{"items": "none", "stages": [{"rules": [{"role": "test_lead", "groups": ["CARDS", "LOANS"]}]}]}') AS revision;
SET SESSION AUTHORIZATION regress_vouch_o_tess;
SELECT draft(6) AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_o_dan;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
SELECT vouch.revoke_role('regress_vouch_o_bob', 'test_lead', 'LOANS'), vouch.grant_role('regress_vouch_o_bob', 'test_lead', 'CARDS');
SET SESSION AUTHORIZATION regress_vouch_o_bob;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM standing(:'v');
SET SESSION AUTHORIZATION regress_vouch_o_dan;
SELECT vouch.revoke_signature(:'v', reason => 'for the other group') -> 'signed' AS signed;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_o_bob;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;

-- A release stands on the review: when that is taken back, it is given again after the review that stands.
RESET SESSION AUTHORIZATION;
SELECT vouch.define_policy('order', '{"items": "none", "stages": [{"name": "review", "on_reject": "return", "rules": [{"role": "report_owner"}]},
	{"name": "release", "after": ["review"], "rules": [{"role": "test_lead", "carry": true}]},
	{"name": "final", "after": ["release"], "on_reject": "return", "rules": [{"role": "test_executive"}]}]}') AS revision;
SET SESSION AUTHORIZATION regress_vouch_o_tess;
SELECT draft(7) AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_o_olga;
SELECT vouch.approve_version(:'v') -> 'missing' AS missing;
SET SESSION AUTHORIZATION regress_vouch_o_dan;
SELECT vouch.approve_version(:'v', 'olga has read it') -> 'missing' AS missing;
SET SESSION AUTHORIZATION regress_vouch_o_olga;
SELECT vouch.revoke_signature(:'v', reason => 'I had not read it') -> 'missing' AS missing;
SELECT * FROM standing(:'v') WHERE actor IN ('dan', 'eva');
SET SESSION AUTHORIZATION regress_vouch_o_ann;
SELECT vouch.approve_version(:'v') -> 'missing' AS missing;
SELECT * FROM standing(:'v') WHERE actor IN ('dan', 'eva');
SET SESSION AUTHORIZATION regress_vouch_o_eva;
SELECT vouch.approve_version(:'v') -> 'missing' AS missing;
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) AS bad FROM vouch.verify('cycle-3407-report-1') WHERE NOT ok;
SET SESSION AUTHORIZATION regress_vouch_o_dan;
SELECT s->>'signer' AS signer, s->>'verdict' AS verdict, s->'revoked' AS revoked, s->'overtaken' AS overtaken
FROM vouch.approve_version(:'v', 'ann has read it') r, jsonb_array_elements(r->'signatures') s;
SET SESSION AUTHORIZATION regress_vouch_o_eva;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SELECT count(*) AS bad FROM vouch.verify('cycle-3407-report-1') WHERE NOT ok;

-- Nor is it carried into the next round when what it stood on was taken back; else it is.
SET SESSION AUTHORIZATION regress_vouch_o_tess;
SELECT draft(8) AS v, draft(9) AS w \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS v, vouch.submit_version(:'w') ->> 'state' AS w;
SET SESSION AUTHORIZATION regress_vouch_o_olga;
SELECT vouch.approve_version(:'v') -> 'missing' AS v, vouch.approve_version(:'w') -> 'missing' AS w;
SET SESSION AUTHORIZATION regress_vouch_o_dan;
SELECT vouch.approve_version(:'v') -> 'missing' AS v, vouch.approve_version(:'w') -> 'missing' AS w;
SET SESSION AUTHORIZATION regress_vouch_o_olga;
SELECT vouch.revoke_signature(:'v', reason => 'I had not read it') -> 'missing' AS missing;
SET SESSION AUTHORIZATION regress_vouch_o_ann;
SELECT vouch.return_version(:'v', 'not like this') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_o_eva;
SELECT vouch.return_version(:'w', 'not like this') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_o_tess;
SELECT vouch.what_if_submit(:'v') -> 'effect' -> 'dropped' AS v, vouch.what_if_submit(:'w') -> 'effect' -> 'carried' AS w;
SELECT vouch.submit_version(:'v') ->> 'state' AS v, vouch.submit_version(:'w') ->> 'state' AS w;
SET SESSION AUTHORIZATION regress_vouch_o_ann;
SELECT vouch.approve_version(:'v') -> 'missing' AS v, vouch.approve_version(:'w') -> 'missing' AS w;
SET SESSION AUTHORIZATION regress_vouch_o_eva;
SELECT vouch.approve_version(:'w') ->> 'state' AS w;
SELECT count(*) AS bad FROM unnest('{cycle-3408-report-1,cycle-3409-report-1}'::text[]) s, vouch.verify(s) WHERE NOT ok;

SET SESSION AUTHORIZATION regress_vouch_o_tess;
SELECT count(vouch.withdraw_version(version_id, 'enough')) FROM (SELECT DISTINCT version_id FROM vouch.pending_approvals WHERE scope = 'order') p;
RESET SESSION AUTHORIZATION;
SELECT count(vouch.revoke_delegation(:'cards'));
SELECT vouch.set_policy('scoping', NULL, scope => 'order');
DROP FUNCTION standing, draft;
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_o\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_o_tess, regress_vouch_o_olga, regress_vouch_o_ann, regress_vouch_o_bob, regress_vouch_o_dan, regress_vouch_o_eva;
