-- A signature for a part of the items: one line of business signs for its own,
-- and only a change there makes it worthless.  What is asked follows from the items.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_sc_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_sc_greg LOGIN IN ROLE vouch_user;		-- report owner for GBM
CREATE ROLE regress_vouch_sc_cara LOGIN IN ROLE vouch_user;		-- report owner for CARDS
CREATE ROLE regress_vouch_sc_lea LOGIN IN ROLE vouch_user;		-- test lead
CREATE ROLE regress_vouch_sc_eva LOGIN IN ROLE vouch_user;		-- test executive
SELECT count(vouch.grant_role('regress_vouch_sc_' || a, r, s)) FROM (VALUES ('tess', 'tester', ''), ('greg', 'report_owner', 'GBM'),
	('cara', 'report_owner', 'CARDS'), ('lea', 'test_lead', ''), ('eva', 'test_executive', '')) AS v(a, r, s);
SELECT vouch.define_policy('by_lob', '{
	"description": "Each line of business for its own items",
	"stages": [{"name": "lobs", "rules": [
		{"role": "report_owner", "groups": ["GBM"], "scope": {"lob_id": "GBM"}},
		{"role": "report_owner", "groups": ["CARDS"], "scope": {"lob_id": "CARDS"}}]}]}');
SELECT vouch.set_policy('scoping', 'by_lob', scope => 'lobs');
SELECT r.rule_no, r.role, r.groups, r.scope, r.carry FROM vouch_data.policy_rule r WHERE policy = 'by_lob' ORDER BY 1;

SET SESSION AUTHORIZATION regress_vouch_sc_tess;
SELECT vouch.create_version('scoping', 36, 1, '[
	{"attribute_id": "g1", "lob_id": "GBM", "in_scope": true, "rationale": "material", "risk_rating": "high"},
	{"attribute_id": "g2", "lob_id": "GBM", "in_scope": true, "rationale": "material", "risk_rating": "low"},
	{"attribute_id": "c1", "lob_id": "CARDS", "in_scope": true, "rationale": "material", "risk_rating": "low"},
	{"attribute_id": "l1", "lob_id": "LOANS", "in_scope": true, "rationale": "material", "risk_rating": "low"}]', scope => 'lobs') AS v \gset

-- Nobody would sign for the loans: that is found at submission, and no default approves them.
SELECT p->>'code' AS code, p->>'problem' AS problem FROM jsonb_array_elements(vouch.what_if_submit(:'v')->'problems') p;
SELECT vouch.submit_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.remove_items(:'v', '{l1}');
SELECT r->>'state' AS state FROM vouch.submit_version(:'v') r;

-- Each sees, decides and signs their own.
SET SESSION AUTHORIZATION regress_vouch_sc_greg;
SELECT what FROM vouch.my_tasks() WHERE version_id = :'v';
SELECT vouch.decide(:'v', '{"g1": "approved", "c1": "approved"}');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide(:'v', '{"g1": "approved"}');
\set VERBOSITY terse
SELECT vouch.approve_version(:'v');
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide_where(:'v', 'approved');
SELECT what FROM vouch.my_tasks() WHERE version_id = :'v';
-- Undecided cards do not stop the signature for GBM.
SELECT r->>'state' AS state, r->'waiting_for'->0->>'who' AS who FROM vouch.approve_version(:'v') r;
SELECT stage_name, role, needed, have, actor, can_sign, why, for_items FROM vouch.explain_approval(:'v');

-- A verdict on the cards leaves the signature for GBM alone.
SET SESSION AUTHORIZATION regress_vouch_sc_cara;
SELECT vouch.decide(:'v', '{"c1": "rejected"}');
SELECT signer, stale, scope_digest = content_digest AS all_of_it FROM vouch.signatures WHERE version_id = :'v';
-- A verdict on GBM does not.
SET SESSION AUTHORIZATION regress_vouch_sc_greg;
SELECT vouch.decide(:'v', '{"g2": "rejected"}');
SELECT signer, stale FROM vouch.signatures WHERE version_id = :'v';
SELECT actor, can_sign, why, for_items FROM vouch.explain_approval(:'v') WHERE actor = 'regress_vouch_sc_greg' AND for_items LIKE '%GBM%';
SET SESSION AUTHORIZATION regress_vouch_sc_cara;
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
SET SESSION AUTHORIZATION regress_vouch_sc_greg;
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
SELECT signature_no, signer, for_group, stale FROM vouch.signatures WHERE version_id = :'v' ORDER BY 1;
RESET SESSION AUTHORIZATION;
SELECT ok, first_bad, detail FROM vouch.verify('cycle-36-report-1') WHERE check_name = 'approvals';
-- What was asked is on record; whoever changes it is found out, as is another digest of a part.
SELECT jsonb_pretty(asked) FROM vouch_data.approval_request WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.approval_request SET asked = jsonb_set(asked, '{1}', '{"stage": 1, "rule": 2, "role": "report_owner", "applies": false, "why": "so"}')
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT ok, first_bad, detail FROM vouch.verify('cycle-36-report-1') WHERE check_name = 'approvals';
ROLLBACK;
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.signature SET scope_digest = content_digest WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT ok, first_bad FROM vouch.verify('cycle-36-report-1') WHERE check_name = 'approvals';
ROLLBACK;

-- The groups may be found in the items: a signature for each value of a field.
SELECT vouch.define_policy('by_lob', '{
	"stages": [{"name": "lobs", "rules": [{"role": "report_owner", "group_by": "lob_id"}]},
		{"name": "high risk", "after": ["lobs"], "rules": [
			{"role": "test_lead", "applies_if": {"item": {"risk_rating": "high"}, "min_items": 2}},
			{"role": "test_executive", "applies_if": {"metadata": {"model": true}}}]}]}');
SET SESSION AUTHORIZATION regress_vouch_sc_tess;
SELECT vouch.create_version('scoping', 36, 2, '[
	{"attribute_id": "g1", "lob_id": "GBM", "in_scope": true, "rationale": "material", "risk_rating": "high"},
	{"attribute_id": "c1", "lob_id": "CARDS", "in_scope": true, "rationale": "material", "risk_rating": "high"},
	{"attribute_id": "n1", "in_scope": true, "rationale": "material", "risk_rating": "low"}]', scope => 'lobs', metadata => '{"model": false}') AS v \gset
SELECT p->>'problem' AS problem, p->>'message' AS message FROM jsonb_array_elements(vouch.what_if_submit(:'v')->'problems') p;
SELECT vouch.remove_items(:'v', '{n1}');
SELECT s->>'role' AS role, s->'needed' AS needed, s->'groups' AS groups, s->>'not_asked' AS not_asked
FROM jsonb_array_elements(vouch.what_if_submit(:'v')->'signers') s;
SELECT r->>'state' AS state, r->'missing' AS missing FROM vouch.submit_version(:'v') r;
SELECT stage_name, role, needed, have, actor, can_sign, why, for_items FROM vouch.explain_approval(:'v');
SET SESSION AUTHORIZATION regress_vouch_sc_greg;
SELECT vouch.decide_where(:'v', 'approved');
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
SET SESSION AUTHORIZATION regress_vouch_sc_cara;
SELECT what FROM vouch.my_tasks() WHERE version_id = :'v';
SELECT vouch.decide_where(:'v', 'approved');
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
-- The executive is not asked, and cannot sign.
SET SESSION AUTHORIZATION regress_vouch_sc_eva;
SELECT vouch.sign_off(:'v', 'test_executive', true);
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_sc_lea;
SELECT r->>'state' AS state, r->'signed' AS signed FROM vouch.approve_version(:'v') r;
RESET SESSION AUTHORIZATION;
SELECT ok, first_bad, detail FROM vouch.verify('cycle-36-report-2') WHERE check_name = 'approvals';

-- One person who owns both lines of business: for each a different one is asked for, unless the policy lets one sign for several.
CREATE ROLE regress_vouch_sc_otto LOGIN IN ROLE vouch_user;
SELECT vouch.revoke_role('regress_vouch_sc_greg', 'report_owner', 'GBM'), vouch.revoke_role('regress_vouch_sc_cara', 'report_owner', 'CARDS'),
	vouch.grant_role('regress_vouch_sc_otto', 'report_owner', 'GBM'), vouch.grant_role('regress_vouch_sc_otto', 'report_owner', 'CARDS');
SELECT vouch.define_policy('by_lob', '{"stages": [{"name": "lobs", "rules": [{"role": "report_owner", "group_by": "lob_id"}]}]}');
SET SESSION AUTHORIZATION regress_vouch_sc_tess;
SELECT vouch.create_version('scoping', 36, 4, '[
	{"attribute_id": "g1", "lob_id": "GBM", "in_scope": true, "rationale": "material", "risk_rating": "high"},
	{"attribute_id": "c1", "lob_id": "CARDS", "in_scope": true, "rationale": "material", "risk_rating": "high"}]', scope => 'lobs') AS v \gset
SELECT vouch.submit_version(:'v');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
SELECT vouch.define_policy('by_lob', '{"stages": [{"name": "lobs", "rules": [{"role": "report_owner", "group_by": "lob_id", "several_groups": true}]}]}');
SET SESSION AUTHORIZATION regress_vouch_sc_tess;
SELECT r->'waiting_for'->0->'needed' AS needed FROM vouch.submit_version(:'v') r;
SET SESSION AUTHORIZATION regress_vouch_sc_otto;
SELECT vouch.decide(:'v', '{"c1": "approved"}');
SELECT r->'waiting_for'->0->'have' AS have FROM vouch.sign_off(:'v', 'report_owner', true) r;
SELECT actor, can_sign, why, for_items FROM vouch.explain_approval(:'v');
SELECT what FROM vouch.my_tasks() WHERE version_id = :'v';
SELECT vouch.decide(:'v', '{"g1": "approved"}');
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
SELECT signer, for_group, stale FROM vouch.signatures WHERE version_id = :'v' ORDER BY signature_no;
SELECT vouch_data.recheck_request(:'v') AS problem;
RESET SESSION AUTHORIZATION;

-- When none of the rules applies, nobody's signature is no approval.
SELECT vouch.define_policy('by_lob', '{"stages": [{"name": "models", "rules": [{"role": "test_lead", "applies_if": {"metadata": {"model": true}}}]}]}');
SET SESSION AUTHORIZATION regress_vouch_sc_tess;
SELECT vouch.create_version('scoping', 36, 3, '[{"attribute_id": "g1", "in_scope": true, "rationale": "material", "risk_rating": "high"}]', scope => 'lobs') AS v \gset
SELECT vouch.submit_version(:'v');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
SELECT vouch.set_policy('scoping', NULL, scope => 'lobs');
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_sc\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_sc_otto, regress_vouch_sc_tess, regress_vouch_sc_greg, regress_vouch_sc_cara, regress_vouch_sc_lea, regress_vouch_sc_eva;
