-- A test report is signed by a test lead, a test executive and a report owner:
-- three different people, in any order, none of whom wrote it.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_r_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_r_lena LOGIN IN ROLE vouch_user;		-- test lead, and report owner
CREATE ROLE regress_vouch_r_max LOGIN IN ROLE vouch_user;		-- test executive
CREATE ROLE regress_vouch_r_olga LOGIN IN ROLE vouch_user;		-- report owner
SELECT count(vouch.grant_role(a, r)) FROM (VALUES
	('regress_vouch_r_tess', 'tester'), ('regress_vouch_r_lena', 'test_lead'),
	('regress_vouch_r_lena', 'report_owner'), ('regress_vouch_r_lena', 'test_executive')) AS v(a, r);

SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT vouch.create_version('finalize_test_report', 32, 1, '[
	{"type": "summary", "title": "Summary", "content": "The report is right."},
	{"type": "findings", "title": "Findings", "content": "None."}]') AS v \gset

-- One person with all three roles is not three people.
SELECT vouch.submit_version(:'v');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
SELECT vouch.grant_role('regress_vouch_r_max', 'test_executive');
SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT vouch.submit_version(:'v');
RESET SESSION AUTHORIZATION;
SELECT vouch.grant_role('regress_vouch_r_olga', 'report_owner');
SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT r->>'state' AS state, r->'missing' AS missing FROM vouch.submit_version(:'v') r;

-- Lena signs as one of what she is, once.
SET SESSION AUTHORIZATION regress_vouch_r_lena;
SELECT r->>'state' AS state, r->'signed' AS signed, r->'missing' AS missing FROM vouch.sign_off(:'v', 'test_lead', true, 'tested') r;
SELECT vouch.sign_off(:'v', 'test_lead', true);
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.sign_off(:'v', 'report_owner', true);
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.approve_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.sign_off(:'v', 'report_owner', false, 'not even against it');
\echo :LAST_ERROR_SQLSTATE

-- The order does not matter; the last of the three approves.
SET SESSION AUTHORIZATION regress_vouch_r_olga;
SELECT r->>'state' AS state, r->'signed' AS signed, r->'missing' AS missing FROM vouch.sign_off(:'v', 'report_owner', true) r;
SELECT role, who FROM vouch.pending_approvals WHERE version_id = :'v';
SET SESSION AUTHORIZATION regress_vouch_r_max;
SELECT r->>'state' AS state, r->'signed' AS signed, r->'missing' AS missing FROM vouch.sign_off(:'v', 'test_executive', true) r;
SELECT signature_no, role, signer, meaning, comment FROM vouch.signatures WHERE version_id = :'v' ORDER BY 1;
SELECT vouch_data.recheck_request(:'v') AS problem;

-- One rejection ends it, whoever has signed.
SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT vouch.create_revision(:'v', '[{"type": "findings", "title": "Findings", "content": "One."}]', carry => 'all') AS v2 \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'v2') r;
SET SESSION AUTHORIZATION regress_vouch_r_lena;
SELECT r->'missing' AS missing FROM vouch.sign_off(:'v2', 'test_lead', true) r;
SET SESSION AUTHORIZATION regress_vouch_r_max;
SELECT r->>'state' AS state, r->'missing' AS missing, s->>'role' AS role, s->>'verdict' AS verdict
FROM vouch.sign_off(:'v2', 'test_executive', false, 'which one?') r, jsonb_array_elements(r->'signatures') s;
SET SESSION AUTHORIZATION regress_vouch_r_olga;
SELECT vouch.sign_off(:'v2', 'report_owner', true);
\echo :LAST_ERROR_SQLSTATE
SELECT version_no, state FROM vouch_data.version WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') ORDER BY 1;
SELECT vouch_data.recheck_request(:'v2') AS problem;

-- When roles are held by too few, it is said who could do what.
RESET SESSION AUTHORIZATION;
SELECT vouch.revoke_role('regress_vouch_r_olga', 'report_owner');
SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT vouch.create_revision(:'v2', carry => 'all') AS v3 \gset
SELECT p->>'message' AS message, p->>'detail' AS detail FROM vouch.what_if_submit(:'v3') w, jsonb_array_elements(w->'problems') p;

RESET SESSION AUTHORIZATION;
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_r\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_r_tess, regress_vouch_r_lena, regress_vouch_r_max, regress_vouch_r_olga;
