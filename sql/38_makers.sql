-- Who may change a draft, what is signed by rule, and how much a policy may ask for.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_e_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_e_tom LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_e_eve LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, 'tester')) FROM (VALUES ('regress_vouch_e_tess'), ('regress_vouch_e_tom')) AS v(a);

SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT vouch.create_version('Planning', 38, 1, '[{"attribute_id": "balance", "decision_type": "include"}]') AS v \gset

-- Eve had no part in the draft and holds no role: whatever she put in, Tess would have signed by submitting it.
SET SESSION AUTHORIZATION regress_vouch_e_eve;
SELECT vouch.edit_items(:'v', '[{"attribute_id": "salary", "decision_type": "include"}]');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.remove_items(:'v', '{balance}');

-- Tom makes versions of this phase, too.  So the plan is no longer of one hand, and nobody signs it by rule.
SET SESSION AUTHORIZATION regress_vouch_e_tom;
SELECT vouch.edit_items(:'v', '[{"attribute_id": "rate", "decision_type": "include"}]');
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT vouch.submit_version(:'v');
\echo :LAST_ERROR_SQLSTATE
-- A version that she makes herself is.
SELECT vouch.discard_version(:'v');
SELECT vouch.create_version('Planning', 38, 1, '[{"attribute_id": "balance", "decision_type": "include"}, {"attribute_id": "rate", "decision_type": "include"}]') AS v \gset
SELECT r ->> 'state' AS state FROM vouch.approve_planning_version(:'v') r;

-- Holding the right to call the function is no role: a draft of hers, submitted by Tess, is not approved by rule.
-- (She held it when she made the draft: nobody else makes one.)
SET SESSION AUTHORIZATION regress_vouch_e_eve;
\set SHOW_CONTEXT always
SELECT vouch.create_revision(:'v');
SELECT vouch.create_version('Planning', 38, 99, '[]');
\set SHOW_CONTEXT never
RESET SESSION AUTHORIZATION;
SELECT vouch.grant_role('regress_vouch_e_eve', 'tester');
SET SESSION AUTHORIZATION regress_vouch_e_eve;
SELECT vouch.create_revision(:'v', '[{"attribute_id": "salary", "decision_type": "include"}]') AS eve \gset
RESET SESSION AUTHORIZATION;
SELECT vouch.revoke_role('regress_vouch_e_eve', 'tester');
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT vouch.submit_version(:'eve');
SET SESSION AUTHORIZATION regress_vouch_e_eve;
SELECT vouch.withdraw_version(:'eve');
RESET SESSION AUTHORIZATION;

-- A policy asks for so many signatures that evaluating it stays cheap.
SELECT vouch.define_policy('regress_e_endless', jsonb_build_object('stages', (SELECT jsonb_agg(jsonb_build_object('name', 's' || s, 'rules',
	(SELECT jsonb_agg('{"role": "report_owner", "quorum": 100}'::jsonb) FROM generate_series(1, 32)))) FROM generate_series(1, 32) s)));
\echo :LAST_ERROR_SQLSTATE
-- Two signatures more than there are people, each to be another's: it is answered in bounded time, one way or the other.
BEGIN;
SELECT vouch.define_role('regress_e_signer', 'signs') IS NOT NULL AS defined;
SELECT count(vouch.grant_role('regress_vouch_e_s' || n, 'regress_e_signer')) FROM generate_series(1, 61) n;
SELECT vouch.define_phase('regress_e_thing', 'Regress thing', 'id');
SELECT vouch.define_policy('regress_e_many', '{"items": "none", "stages": [{"name": "all", "rules": [
	{"role": "regress_e_signer", "quorum": 31, "exclude": ["other_signers"]}, {"role": "regress_e_signer", "quorum": 32, "exclude": ["other_signers"]}]}]}') IS NOT NULL AS defined;
SELECT vouch.set_policy('regress_e_thing', 'regress_e_many') IS NOT NULL AS set;
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT vouch.create_version('regress_e_thing', 38, 2, '[{"id": 1}]') AS v \gset
SET statement_timeout = '20s';
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'v') r;
ROLLBACK;

SELECT count(vouch.revoke_role(actor, role)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_e\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_e_tess, regress_vouch_e_tom, regress_vouch_e_eve;
