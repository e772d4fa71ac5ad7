-- From a draft to an approved version: submitted, decided item by item, and
-- signed by somebody who had no part in it.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_s_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_s_tom LOGIN IN ROLE vouch_user;		-- tester, and report owner
CREATE ROLE regress_vouch_s_olga LOGIN IN ROLE vouch_user;		-- report owner
CREATE ROLE regress_vouch_s_cara LOGIN IN ROLE vouch_user;		-- report owner for CARDS
CREATE ROLE regress_vouch_s_eve LOGIN IN ROLE vouch_user;		-- nothing
SELECT count(vouch.grant_role(a, r, s)) FROM (VALUES
	('regress_vouch_s_tess', 'tester', ''), ('regress_vouch_s_tom', 'tester', ''),
	('regress_vouch_s_tom', 'report_owner', ''), ('regress_vouch_s_cara', 'report_owner', 'CARDS')) AS v(a, r, s);

-- What was written, for "nothing was written".
CREATE VIEW written AS
SELECT v.state, v.round, (SELECT count(*) FROM vouch_data.signature s WHERE s.bucket = v.bucket AND s.artifact_no = v.artifact_no) AS signatures,
	(SELECT count(*) FROM vouch_data.operation o WHERE o.bucket = v.bucket AND o.artifact_no = v.artifact_no) AS operations
FROM vouch_data.version v JOIN vouch_data.artifact a USING (bucket, artifact_no)
WHERE a.subject = 'cycle-31-report-1' AND a.phase = 'scoping' AND a.scope = '' ORDER BY v.version_no DESC LIMIT 1;
GRANT SELECT ON written TO PUBLIC;

-- A plan is its maker's own: approved by rule as it is submitted, and the rule signs.
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.create_version('planning', 31, 1, '[{"attribute_id": "balance", "data": {"type": "numeric"}, "decision_type": "include", "reason": "mandatory"}]') AS plan \gset
SELECT r->>'state' AS state, r->'signed' AS signed, r->'missing' AS missing FROM vouch.submit_version(:'plan') r;
SELECT role, verdict, signer, meaning, comment, stale FROM vouch.signatures WHERE version_id = :'plan';
SELECT operation, rule, actor FROM vouch_data.operation WHERE bucket = vouch.bucket_of(:'plan') AND artifact_no = vouch_data.artifact_number(:'plan') ORDER BY op_no;

-- A scope is reviewed.
SELECT vouch.create_version('scoping', 31, 1, '[
	{"attribute_id": "balance", "in_scope": true, "rationale": "material", "risk_rating": "high"},
	{"attribute_id": "limit", "in_scope": true, "rationale": "material", "risk_rating": "medium"},
	{"attribute_id": "colour", "in_scope": false, "rationale": "immaterial", "risk_rating": "low"},
	{"attribute_id": "branch", "in_scope": false, "rationale": "immaterial", "risk_rating": "low"}]') AS v \gset

-- The draft: nobody decides or signs yet.
SELECT vouch.decide(:'v', '{"balance": "approved"}');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.approve_version(:'v');

-- Tom holds the role of who approves, and no one else does; his part in the version keeps him out.
SELECT vouch.edit_items(:'v', '[{"attribute_id": "branch", "in_scope": false, "rationale": "immaterial", "risk_rating": "low"}]');
SET SESSION AUTHORIZATION regress_vouch_s_tom;
SELECT vouch.edit_items(:'v', '[{"attribute_id": "colour", "in_scope": false, "rationale": "not reported", "risk_rating": "low"}]');
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT p->>'code' AS code, p->>'message' AS message, p->>'detail' AS detail
FROM vouch.what_if_submit(:'v') w, jsonb_array_elements(w->'problems') p;
SELECT vouch.submit_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM written;

-- With Olga it can be approved.
RESET SESSION AUTHORIZATION;
SELECT vouch.grant_role('regress_vouch_s_olga', 'report_owner');
SET SESSION AUTHORIZATION regress_vouch_s_eve;
SELECT vouch.submit_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.submit_version(:'v', user_id => 'regress_vouch_s_tess');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT w->'can_submit' AS can_submit, w->'problems' AS problems, s->'could_sign' AS could_sign, s->'could_not' AS could_not
FROM vouch.what_if_submit(:'v') w, jsonb_array_elements(w->'signers') s;
SELECT r->>'state' AS state, r->'missing' AS missing, r->'waiting_for' AS waiting_for
FROM vouch.submit_version(:'v', notes => 'please look at colour') r;
SELECT vouch.submit_version(:'v');
\echo :LAST_ERROR_SQLSTATE

-- Only who may sign decides.
SELECT vouch.decide(:'v', '{"balance": "approved"}');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_s_tom;
SELECT vouch.decide(:'v', '{"balance": "approved"}');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_s_cara;
SELECT vouch.decide(:'v', '{"balance": "approved"}');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_s_olga;
SELECT phase, subject, version_number, what, due FROM vouch.my_tasks();
SELECT vouch.decide(:'v', '[{"item_key": "balance", "decision": "approved"}, {"item_key": "limit", "decision": "approved", "notes": "checked"}]');

-- An undecided item stops an approval, whether nobody looked or changes are wanted.
SELECT vouch.approve_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide(:'v', '{"colour": "needs_changes"}');
SELECT vouch.approve_version(:'v');
SELECT * FROM written;

-- Set-based: by containment, or by a jsonpath; decided items are left alone unless asked for.
SELECT vouch.decide_where(:'v', 'rejected', '{"risk_rating": "low"}', 'not reported');
SELECT vouch.decide_where(:'v', 'rejected', '"$.risk_rating == \"high\""');
SELECT vouch.decide_where(:'v', 'rejected', '"$.risk_rating == \"high\""', only_undecided => false);
SELECT vouch.decide_where(:'v', 'approved', '"$ ? (@.in_scope == true)"', only_undecided => false);
SELECT vouch.decide_where(:'v', 'maybe');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide_where(:'v', 'approved', '[1]');
SELECT i.item_key, d.status, d.decided_by FROM vouch_data.decision d JOIN vouch_data.item i USING (bucket, artifact_no, item_no)
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') ORDER BY 1;

-- Signatures that are refused.
SELECT vouch.sign_off(:'v', NULL, true);
SELECT vouch.sign_off(:'v', 'test_lead', true);
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_s_eve;
SELECT vouch.sign_off(:'v', 'report_owner', true);
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.approve_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.sign_off(:'v', 'report_owner', true, user_id => 'regress_vouch_s_olga');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.sign_off(:'v', 'report_owner', true);
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_s_tom;
SELECT vouch.sign_off(:'v', 'report_owner', true);
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.approve_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_s_cara;
SELECT vouch.sign_off(:'v', 'report_owner', true);
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_s_olga;
SELECT vouch.reject_version(:'v', ' ');
SELECT vouch.sign_off(:'v', 'report_owner', false);
\echo :LAST_ERROR_SQLSTATE
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.return_version(:'v', 'look again');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.sign_off('00000000-0000-0000-0000-000000000000', 'report_owner', true);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM written;

-- The signature that is missing approves, in one transaction.
SELECT r->>'version_number' AS version, r->>'phase' AS phase, r->>'state' AS state, r->'signed' AS signed, r->'missing' AS missing
FROM vouch.approve_version(:'v', 'all fine') r;
SELECT role, verdict, signer, meaning, comment, stale FROM vouch.signatures WHERE version_id = :'v';
SELECT state, policy, policy_revision, signatures, closed_by, closing_digest = vouch_data.version_digest(bucket, artifact_no, version_no) AS signed_what_it_shows
FROM vouch_data.approval_request WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT operation, rule, actor, detail->>'role' AS role, detail->>'verdict' AS verdict
FROM vouch_data.operation WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') ORDER BY op_no;

-- It is closed: nobody decides or signs any more.
SELECT vouch.decide(:'v', '{"balance": "rejected"}');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.sign_off(:'v', 'report_owner', true);
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) AS tasks FROM vouch.my_tasks();
SELECT vouch_data.recheck_request(:'v') AS problem;

-- A revision is reviewed anew, rejected, and cannot be signed any more.
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.create_revision(:'v', '[{"attribute_id": "score", "in_scope": true, "rationale": "new", "risk_rating": "high"}]') AS v2 \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'v2') r;
SET SESSION AUTHORIZATION regress_vouch_s_olga;
SELECT r->>'state' AS state, r->'signed' AS signed, r->'missing' AS missing
FROM vouch.reject_version(:'v2', 'score is not in the report') r;
SELECT vouch.approve_version(:'v2');
\echo :LAST_ERROR_SQLSTATE
SELECT state, closed_by, close_reason FROM vouch_data.version WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') ORDER BY version_no;
SELECT vouch_data.recheck_request(:'v2') AS problem;

-- What is withdrawn takes its request along.
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.create_revision(:'v2') AS v3 \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'v3') r;
SELECT vouch.withdraw_version(:'v3', 'wrong file');
SELECT version_no, state, closed_by FROM vouch_data.approval_request WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') ORDER BY 1;

-- Nothing to review is nothing to approve.
SELECT vouch.create_version('scoping', 31, 1, '[]', scope => 'LOANS') AS empty \gset
SELECT vouch.submit_version(:'empty');
\echo :LAST_ERROR_SQLSTATE

-- Observations must all be approved.
SELECT vouch.create_version('observation_management', 31, 1, '[
	{"observation_id": "O-1", "type": "finding", "severity": "high"},
	{"observation_id": "O-2", "type": "finding", "severity": "low"}]') AS o \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'o') r;
SET SESSION AUTHORIZATION regress_vouch_s_olga;
SELECT vouch.decide(:'o', '{"O-1": "approved", "O-2": "rejected"}');
SELECT vouch.approve_version(:'o');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide(:'o', '{"O-2": "approved"}');
SELECT r->>'state' AS state FROM vouch.approve_version(:'o') r;

-- The record is only ever added to, even by a superuser.
RESET SESSION AUTHORIZATION;
UPDATE vouch_data.signature SET signer = 'regress_vouch_s_eve';
\echo :LAST_ERROR_SQLSTATE
DELETE FROM vouch_data.signature;
UPDATE vouch_data.approval_request SET state = 'open', closed_at = NULL;
\echo :LAST_ERROR_SQLSTATE

DROP VIEW written;
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_s\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_s_tess, regress_vouch_s_tom, regress_vouch_s_olga, regress_vouch_s_cara, regress_vouch_s_eve;
