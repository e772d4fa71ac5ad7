-- Who can act, who cannot, and why: one evaluation decides and explains.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_e_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_e_ann LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_e_bob LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_e_cy LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_e_dee LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_e_app LOGIN IN ROLE vouch_user;		-- an application
SELECT count(vouch.grant_role('regress_vouch_e_' || a, r, s)) FROM (VALUES
	('tess', 'tester', ''), ('tess', 'test_lead', ''), ('ann', 'test_lead', ''), ('bob', 'test_lead', ''),
	('bob', 'test_executive', ''), ('cy', 'test_executive', ''),
	('ann', 'data_owner', 'CARDS'), ('cy', 'data_owner', 'LOANS'), ('dee', 'data_owner', ''), ('dee', 'report_owner', '')) AS v(a, r, s);
CREATE PROCEDURE policy(definition jsonb) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM vouch.define_policy('explained', definition);
	PERFORM vouch.set_policy('scoping', 'explained', 'E34');
END $$;
-- A version of one item, submitted by who calls it.
CREATE FUNCTION submitted(report_id int) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
	v uuid := vouch.create_version('scoping', 34, report_id, '[
		{"attribute_id": "balance", "in_scope": true, "rationale": "material", "risk_rating": "high"}]', 'E34');
BEGIN
	PERFORM vouch.submit_version(v);
	RETURN v;
END $$;

-- Two stages, one after the other: two people in the first, a third in the second.
CALL policy('{"stages": [
	{"name": "review", "due": "2 days", "rules": [{"role": "test_lead", "quorum": 2}]},
	{"name": "release", "after": ["review"], "on_reject": "return", "rules": [{"role": "test_executive"}]}]}');
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT vouch.create_version('scoping', 34, 1, '[
	{"attribute_id": "balance", "in_scope": true, "rationale": "material", "risk_rating": "high"}]', 'E34') AS v \gset
-- A draft shows what would be so; nobody signs yet.
SELECT stage, role, needed, have, actor, can_sign, why FROM vouch.explain_approval(:'v');
SELECT r->'waiting_for' AS waiting_for FROM vouch.submit_version(:'v') r;
SELECT stage, role, needed, have, actor, can_sign, why FROM vouch.explain_approval(:'v');
SELECT stage, role, needed, have, who, undecided, due - since AS time_left, overdue FROM vouch.pending_approvals WHERE version_id = :'v';

-- Not before its turn, neither a signature nor a verdict.
SET SESSION AUTHORIZATION regress_vouch_e_cy;
SELECT vouch.sign_off(:'v', 'test_executive', true);
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide(:'v', '{"balance": "approved"}');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) AS tasks FROM vouch.my_tasks();

SET SESSION AUTHORIZATION regress_vouch_e_ann;
SELECT vouch.decide(:'v', '{"balance": "rejected"}');
SELECT r->'waiting_for'->0->'have' AS have FROM vouch.approve_version(:'v') r;
-- Bob changes a verdict: what Ann signed is no longer what stands.
SET SESSION AUTHORIZATION regress_vouch_e_bob;
SELECT vouch.decide(:'v', '{"balance": "approved"}');
SELECT role, have, actor, can_sign, why, signed_at IS NOT NULL AS signed FROM vouch.explain_approval(:'v') WHERE stage = 1;
SELECT signer, stale FROM vouch.signatures WHERE version_id = :'v' ORDER BY signature_no;
SELECT r->'waiting_for'->0->'have' AS have FROM vouch.approve_version(:'v') r;
-- so she signs again; the second stage opens.
SET SESSION AUTHORIZATION regress_vouch_e_ann;
SELECT r->>'state' AS state, r->'signed' AS signed, r->'missing' AS missing FROM vouch.approve_version(:'v') r;
SELECT signer, stale FROM vouch.signatures WHERE version_id = :'v' ORDER BY signature_no;
SELECT vouch.sign_off(:'v', 'test_lead', true);
\echo :LAST_ERROR_SQLSTATE
SELECT stage, role, needed, have, actor, can_sign, why, signed_at IS NOT NULL AS signed FROM vouch.explain_approval(:'v');

-- The second stage may send it back: a draft again, edited, and signed anew.
SET SESSION AUTHORIZATION regress_vouch_e_cy;
SELECT r->>'state' AS state FROM vouch.return_version(:'v', 'why only one?') r;
SELECT round, state, closed_by FROM vouch_data.approval_request WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT rule FROM vouch_data.operation WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') ORDER BY op_no DESC LIMIT 2;
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT phase, version_number, what FROM vouch.my_tasks();
SELECT vouch.discard_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.edit_items(:'v', '[{"attribute_id": "limit", "in_scope": true, "rationale": "material", "risk_rating": "high"}]');
SELECT r->>'round' AS round, r->>'state' AS state, r->'signed' AS signed FROM vouch.submit_version(:'v') r;
SET SESSION AUTHORIZATION regress_vouch_e_ann;
SELECT vouch.decide_where(:'v', 'approved');
SELECT r->'waiting_for'->0->'have' AS have FROM vouch.approve_version(:'v') r;
SET SESSION AUTHORIZATION regress_vouch_e_bob;
SELECT r->'signed' AS signed FROM vouch.approve_version(:'v') r;
SELECT vouch.approve_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_e_cy;
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
SELECT round, signature_no, stage, signer, verdict FROM vouch.signatures WHERE version_id = :'v' ORDER BY 1, 2;
SELECT vouch_data.recheck_request(:'v') AS problem;
RESET SESSION AUTHORIZATION;

-- A request keeps its revision when the policy is changed.
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT submitted(2) AS v \gset
RESET SESSION AUTHORIZATION;
CALL policy('{"items": "none", "stages": [{"name": "anybody", "rules": [{"role": "test_lead", "exclude": []}]}]}');
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT stage, stage_name, needed, actor, can_sign, why FROM vouch.explain_approval(:'v') WHERE stage = 1;
-- The new revision excludes nobody, in as many words.
SELECT submitted(3) AS v \gset
SELECT stage_name, needed, actor, can_sign, why FROM vouch.explain_approval(:'v');
SELECT r->>'policy_revision' AS revision, r->>'state' AS state FROM vouch.approve_version(:'v') r;
RESET SESSION AUTHORIZATION;

-- One from each group.
CALL policy('{"items": "none", "stages": [{"name": "owners", "rules": [{"role": "data_owner", "groups": ["CARDS", "LOANS"]}]}]}');
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT submitted(4) AS v \gset
SET SESSION AUTHORIZATION regress_vouch_e_ann;
SELECT r->'waiting_for'->0->'have' AS have FROM vouch.approve_version(:'v') r;
SELECT needed, have, actor, can_sign, why FROM vouch.explain_approval(:'v');
-- A group that nobody could sign for is said to be so.
RESET SESSION AUTHORIZATION;
BEGIN;
SELECT vouch.revoke_role('regress_vouch_e_dee', 'data_owner'), vouch.revoke_role('regress_vouch_e_cy', 'data_owner', 'LOANS');
SELECT needed, have, actor, can_sign, reason, why FROM vouch.explain_approval(:'v');
ROLLBACK;
SET SESSION AUTHORIZATION regress_vouch_e_dee;
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
SELECT signer, for_group FROM vouch.signatures WHERE version_id = :'v' ORDER BY signature_no;
RESET SESSION AUTHORIZATION;
CALL policy('{"items": "none", "stages": [{"name": "owners", "rules": [{"role": "data_owner", "groups": ["CARDS", "LOANS"], "quorum": 2}]}]}');
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT submitted(5);
RESET SESSION AUTHORIZATION;

-- Without a veto it takes as many rejections as the quorum.
CALL policy('{"items": "none", "stages": [{"name": "vote", "rules": [{"role": "test_executive", "quorum": 2, "veto": false}]}]}');
SELECT vouch.grant_role('regress_vouch_e_dee', 'test_executive');
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT submitted(6) AS v \gset
SET SESSION AUTHORIZATION regress_vouch_e_bob;
SELECT r->>'state' AS state, r->'waiting_for'->0->>'who' AS who FROM vouch.reject_version(:'v', 'no') r;
SELECT vouch.approve_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_e_cy;
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
SET SESSION AUTHORIZATION regress_vouch_e_dee;
SELECT r->>'state' AS state FROM vouch.reject_version(:'v', 'no') r;
SELECT vouch_data.recheck_request(:'v') AS problem;
RESET SESSION AUTHORIZATION;

-- Time adds people who may sign; it never signs.
CALL policy('{"items": "none", "stages": [
	{"name": "now", "escalate_after": "0 seconds", "escalate_to": "report_owner", "rules": [{"role": "test_lead"}]},
	{"name": "later", "due": "1 hour", "escalate_after": "1 hour", "escalate_to": "report_owner", "rules": [{"role": "test_executive"}]}]}');
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT submitted(7) AS v \gset
SELECT stage_name, role, actor, can_sign, why FROM vouch.explain_approval(:'v');
SET SESSION AUTHORIZATION regress_vouch_e_dee;
SELECT r->>'state' AS state, r->'missing' AS missing FROM vouch.sign_off(:'v', 'report_owner', true) r;
SELECT role, signer FROM vouch.signatures WHERE version_id = :'v';
RESET SESSION AUTHORIZATION;

-- Signed by rule as soon as its turn comes.
CALL policy('{"items": "decided", "stages": [
	{"name": "review", "rules": [{"role": "test_lead"}]},
	{"name": "filing", "after": ["review"], "rules": [{"role": "@auto", "meaning": "filed, by rule"}]}]}');
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT submitted(8) AS v \gset
SET SESSION AUTHORIZATION regress_vouch_e_ann;
SELECT vouch.decide_where(:'v', 'approved');
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
SELECT stage_name, role, needed, have, actor, can_sign, why FROM vouch.explain_approval(:'v');
RESET SESSION AUTHORIZATION;

-- A fresh login, and one's own: no application's, and no superuser's who poses as the signer.
CALL policy('{"items": "none", "stages": [{"name": "sworn", "rules": [{"role": "test_lead", "reauth_max_age": "0 seconds"}]}]}');
SELECT vouch.register_application('regress_vouch_e_app');
SELECT current_user AS superuser \gset
SET SESSION AUTHORIZATION regress_vouch_e_app;
SET vouch.actor = 'regress_vouch_e_tess';
SELECT submitted(9) AS v \gset
SELECT actor, can_sign, reason, why FROM vouch.explain_approval(:'v');
SET vouch.actor = 'regress_vouch_e_ann';
SELECT vouch.approve_version(:'v');
\echo :LAST_ERROR_SQLSTATE
RESET vouch.actor;
SET SESSION AUTHORIZATION regress_vouch_e_ann;
SELECT vouch.approve_version(:'v');
\c - regress_vouch_e_ann
SELECT vouch.approve_version(:'v');
\echo :LAST_ERROR_SQLSTATE
\c - :superuser
CALL policy('{"items": "none", "stages": [{"name": "sworn", "rules": [{"role": "test_lead", "reauth_max_age": "30 days"}]}]}');
SET SESSION AUTHORIZATION regress_vouch_e_tess;
SELECT submitted(10) AS v \gset
\c - regress_vouch_e_ann
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
SELECT signer, db_user, signed_at - logged_in_at < '1 minute' AS fresh FROM vouch.signatures WHERE version_id = :'v';
\c - :superuser
-- The login is evidence: the log has it, too, and whoever makes it younger is found out.
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.signature SET logged_in_at = signed_at WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT ok, first_bad, detail FROM vouch.verify('cycle-34-report-10') WHERE check_name = 'approvals';
ROLLBACK;

-- The record is checked against itself: a state that no signature explains is found.
SELECT count(*) AS requests, count(vouch_data.recheck_request(vouch_data.version_id(bucket, artifact_no, version_no))) AS problems
FROM vouch_data.approval_request WHERE policy = 'explained';
SET vouch.restoring = on;
UPDATE vouch_data.version v SET state = 'approved' FROM vouch_data.artifact a
WHERE a.subject = 'cycle-34-report-9' AND v.bucket = a.bucket AND v.artifact_no = a.artifact_no;
RESET vouch.restoring;
SELECT vouch_data.recheck_request(vouch_data.version_id(bucket, artifact_no, 1)) AS problem
FROM vouch_data.artifact WHERE subject = 'cycle-34-report-9';
SET vouch.restoring = on;
UPDATE vouch_data.version v SET state = 'pending_approval' FROM vouch_data.artifact a
WHERE a.subject = 'cycle-34-report-9' AND v.bucket = a.bucket AND v.artifact_no = a.artifact_no;
RESET vouch.restoring;

SELECT vouch.unregister_application('regress_vouch_e_app');
SELECT vouch.set_policy('scoping', NULL, 'E34');
DROP PROCEDURE policy;
DROP FUNCTION submitted;
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_e\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_e_tess, regress_vouch_e_ann, regress_vouch_e_bob, regress_vouch_e_cy, regress_vouch_e_dee, regress_vouch_e_app;
