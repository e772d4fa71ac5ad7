-- Somebody on leave lets somebody else sign: both names are recorded, both must
-- be free of duties, and nothing is passed on.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_d_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_d_olga LOGIN IN ROLE vouch_user;		-- report owner, on leave
CREATE ROLE regress_vouch_d_dan LOGIN IN ROLE vouch_user;		-- her delegate
CREATE ROLE regress_vouch_d_ed LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_d_admin LOGIN IN ROLE vouch_admin;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES
	('regress_vouch_d_tess', 'tester'), ('regress_vouch_d_olga', 'tester'), ('regress_vouch_d_olga', 'report_owner')) AS v(a, r);

-- What does not make a delegation.
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.delegate('regress_vouch_d_olga', 'report_owner', reason => 'leave');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.delegate('regress_vouch_d_dan', 'report_owner');
SELECT vouch.delegate('regress_vouch_d_dan', 'report_owner', valid_to => now() - interval '1 day', reason => 'leave');
SELECT vouch.delegate('regress_vouch_d_dan', 'test_lead', reason => 'leave');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.delegate('regress_vouch_d_dan', 'report_owner', valid_to => now() + interval '7 days', reason => 'on leave') AS d \gset
SELECT from_actor, to_actor, role, scope, valid_now, reason FROM vouch.delegations WHERE delegation_id = :'d';

-- It cannot be passed on.
SET SESSION AUTHORIZATION regress_vouch_d_dan;
SELECT vouch.delegate('regress_vouch_d_ed', 'report_owner', reason => 'me too');
\echo :LAST_ERROR_SQLSTATE

SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_version('data_profiling', 33, 1, '[{"name": "balance_not_null", "type": "validation", "definition": {"check": "not_null"}}]') AS v \gset
SELECT r->>'state' AS state, r->'waiting_for'->0->>'who' AS who FROM vouch.submit_version(:'v') r;

-- Dan sees the task, decides for Olga, and says for whom he signs.
SET SESSION AUTHORIZATION regress_vouch_d_dan;
SELECT phase, version_number, what FROM vouch.my_tasks();
SELECT vouch.decide(:'v', '{"balance_not_null": "approved"}');
SELECT d.status, d.decided_by, d.on_behalf_of FROM vouch_data.decision d
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT vouch.sign_off(:'v', 'report_owner', true);
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.approve_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_d_ed;
SELECT vouch.sign_off(:'v', 'report_owner', true, on_behalf_of => 'regress_vouch_d_olga');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_d_dan;
SELECT vouch.sign_off(:'v', 'report_owner', true, on_behalf_of => 'regress_vouch_d_ed');
\echo :LAST_ERROR_SQLSTATE
SELECT r->>'state' AS state FROM vouch.sign_off(:'v', 'report_owner', true, 'as agreed', on_behalf_of => 'regress_vouch_d_olga') r;
SELECT signer, acting_for, delegation_id = :'d' AS by_this_delegation, comment FROM vouch.signatures WHERE version_id = :'v';
SELECT operation, actor, on_behalf_of FROM vouch_data.operation
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') ORDER BY op_no;

-- Duties bind both: what Olga wrote, nobody signs for her.
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.create_version('scoping', 33, 1, '[{"attribute_id": "balance", "in_scope": true, "rationale": "material", "risk_rating": "high"}]') AS w \gset
SELECT p->>'code' AS code, p->>'detail' AS detail FROM vouch.what_if_submit(:'w') x, jsonb_array_elements(x->'problems') p;
RESET SESSION AUTHORIZATION;
SELECT vouch.grant_role('regress_vouch_d_ed', 'report_owner');
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT r->>'state' AS state FROM vouch.submit_version(:'w') r;
SET SESSION AUTHORIZATION regress_vouch_d_dan;
SELECT vouch.sign_off(:'w', 'report_owner', true, on_behalf_of => 'regress_vouch_d_olga');
\echo :LAST_ERROR_SQLSTATE
-- nor does who wrote it sign for somebody who did not.
SET SESSION AUTHORIZATION regress_vouch_d_ed;
SELECT vouch.delegate('regress_vouch_d_olga', 'report_owner', reason => 'away') AS d2 \gset
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.sign_off(:'w', 'report_owner', true, on_behalf_of => 'regress_vouch_d_ed');
\echo :LAST_ERROR_SQLSTATE
SELECT actor, can_sign, why FROM vouch.explain_approval(:'w');

-- Where a quorum is asked for, a delegate and who they act for count as one.
RESET SESSION AUTHORIZATION;
SELECT vouch.define_policy('two_owners', '{"items": "none", "stages": [{"name": "review", "rules": [{"role": "report_owner", "quorum": 2}]}]}');
SELECT vouch.set_policy('sample_selection', 'two_owners', scope => 'D33');
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_version('sample_selection', 33, 2, '[{"id": 1, "data": {"key": 1}, "type": "random"}]', scope => 'D33') AS q \gset
SELECT r->'waiting_for' AS waiting_for FROM vouch.submit_version(:'q') r;
SET SESSION AUTHORIZATION regress_vouch_d_dan;
SELECT r->>'state' AS state, r->'waiting_for' AS waiting_for FROM vouch.sign_off(:'q', 'report_owner', true, on_behalf_of => 'regress_vouch_d_olga') r;
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.sign_off(:'q', 'report_owner', true);
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.sign_off(:'q', 'report_owner', true, on_behalf_of => 'regress_vouch_d_ed');
\echo :LAST_ERROR_SQLSTATE

-- What a delegate signed, whom it was signed for takes back as well; nobody else does.
SET SESSION AUTHORIZATION regress_vouch_d_ed;
\set VERBOSITY terse
SELECT vouch.revoke_signature(:'q', NULL, 'not mine');
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT r->'waiting_for'->0->'have' AS have FROM vouch.revoke_signature(:'q', 'report_owner', 'I had not seen it') r;
SELECT signature_no, verdict, signer, acting_for, revoked FROM vouch.signatures WHERE version_id = :'q' ORDER BY 1;
RESET SESSION AUTHORIZATION;
SELECT check_name, first_bad, detail FROM vouch.verify('cycle-33-report-2') WHERE NOT ok;
SET SESSION AUTHORIZATION regress_vouch_d_dan;
SELECT r->'waiting_for'->0->'have' AS have FROM vouch.sign_off(:'q', 'report_owner', true, on_behalf_of => 'regress_vouch_d_olga') r;

-- It ends when it is revoked, by who gave it, who has it, or an administrator.
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.revoke_delegation(:'d2');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.revoke_delegation('00000000-0000-0000-0000-000000000000');
SET SESSION AUTHORIZATION regress_vouch_d_admin;
SELECT vouch.revoke_delegation(:'d2'), vouch.revoke_delegation(:'d2');
SELECT from_actor, valid_now, revoked_by FROM vouch.delegations WHERE delegation_id = :'d2';
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.sign_off(:'q', 'report_owner', true, on_behalf_of => 'regress_vouch_d_ed');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_d_ed;
SELECT r->>'state' AS state FROM vouch.sign_off(:'q', 'report_owner', true) r;
SELECT vouch_data.recheck_request(:'q') AS problem;

-- A delegation that has ended, or is yet to begin, is no riddle either.
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_version('sample_selection', 33, 3, '[{"id": 1, "data": {"key": 1}, "type": "random"}]', scope => 'D33') AS e \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'e') r;
SET SESSION AUTHORIZATION regress_vouch_d_ed;
SELECT vouch.delegate('regress_vouch_d_tess', 'report_owner', reason => 'away') AS d3 \gset
SELECT vouch.revoke_delegation(:'d3');
SELECT vouch.delegate('regress_vouch_d_admin', 'report_owner', valid_from => now() + interval '1 day', reason => 'away next week') AS d4 \gset
SELECT actor, on_behalf_of, can_sign, reason, why FROM vouch.explain_approval(:'e');
SELECT vouch.revoke_delegation(:'d4');
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.withdraw_version(:'e');
RESET SESSION AUTHORIZATION;

-- A role that is taken back takes its delegations along, and no signature.
RESET SESSION AUTHORIZATION;
SELECT vouch.revoke_role('regress_vouch_d_olga', 'report_owner');
SELECT actor, can_sign, why, signed_at IS NOT NULL AS signed FROM vouch.explain_approval(:'q');
SELECT actor, can_sign, why FROM vouch.explain_approval(:'w');

SELECT vouch.revoke_delegation(:'d');
SELECT vouch.set_policy('sample_selection', NULL, scope => 'D33');
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_d\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_d_tess, regress_vouch_d_olga, regress_vouch_d_dan, regress_vouch_d_ed, regress_vouch_d_admin;
