-- vouch.verify() takes no state's word for it: it derives each version's state
-- from its policy and signatures, and finds each signature in the log.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_v_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_v_olga LOGIN IN ROLE vouch_user;
SELECT vouch.grant_role('regress_vouch_v_tess', 'tester'), vouch.grant_role('regress_vouch_v_olga', 'report_owner');
SET SESSION AUTHORIZATION regress_vouch_v_tess;
SELECT vouch.create_version('scoping', 35, 1, '[{"attribute_id": "balance", "in_scope": true, "rationale": "material", "risk_rating": "high"}]') AS v \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'v') r;
RESET SESSION AUTHORIZATION;
CREATE VIEW checked AS SELECT ok, checked, first_bad, detail FROM vouch.verify('cycle-35-report-1') WHERE check_name = 'approvals';
SELECT * FROM checked;

-- Somebody with a superuser's rights, who gets past the guards, approves by hand.
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.version SET state = 'approved' WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT * FROM checked;
-- With a request and a signature to go with it, it still needs a digest that fits, and a place in the log's chain.
INSERT INTO vouch_data.signature (bucket, artifact_no, version_no, round, signature_no, stage_no, rule_no, role, verdict, signer, meaning, content_digest, db_user, signed_at)
SELECT bucket, artifact_no, 1, 1, 1, 1, 1, 'report_owner', 'approve', 'regress_vouch_v_olga', 'reviewed and approved',
	vouch_data.version_digest(bucket, artifact_no, 1), 'regress_vouch_v_olga', now()
FROM vouch_data.approval_request WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
UPDATE vouch_data.approval_request SET state = 'satisfied', signatures = 1, closed_by = 'regress_vouch_v_olga', closed_at = now(),
	closing_digest = vouch_data.version_digest(bucket, artifact_no, 1)
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT * FROM checked;
ROLLBACK;

SET SESSION AUTHORIZATION regress_vouch_v_olga;
SELECT vouch.decide_where(:'v', 'approved');
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
RESET SESSION AUTHORIZATION;
SELECT * FROM checked;

-- Another signer, a signature that is gone, another verdict on an item.
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.signature SET signer = 'regress_vouch_v_other' WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT * FROM checked;
ROLLBACK;
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.signature SET signer = 'regress_vouch_v_tess' WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT * FROM checked;
ROLLBACK;
BEGIN;
SET LOCAL vouch.restoring = on;
DELETE FROM vouch_data.signature WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
UPDATE vouch_data.approval_request SET signatures = 0 WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT * FROM checked;
ROLLBACK;
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.decision SET status = 'rejected' WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT * FROM checked;
ROLLBACK;
SELECT * FROM checked;

-- The log of configurations, which grows with every role that anybody gets, is read once and not for each artifact.
SET SESSION AUTHORIZATION regress_vouch_v_tess;
SELECT count(vouch.submit_version(vouch.create_version('scoping', 35, 2, '[{"attribute_id": "balance", "in_scope": true}]', scope => 'lob ' || n)))
FROM generate_series(1, 10) n;
SET SESSION AUTHORIZATION regress_vouch_v_olga;
SELECT count(vouch.decide_where(version_id, 'approved')) AS decided FROM vouch.scoping_versions WHERE cycle_id = 35 AND report_id = 2;
SELECT count(vouch.approve_version(version_id)) AS approved FROM vouch.scoping_versions WHERE cycle_id = 35 AND report_id = 2;
RESET SESSION AUTHORIZATION;
CREATE FUNCTION public.reads_of_verify() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
BEGIN
	SELECT seq_tup_read + idx_tup_fetch INTO before FROM pg_stat_xact_user_tables WHERE relid = 'vouch_data.operation'::regclass;
	PERFORM FROM vouch.verify('cycle-35-report-2');
	RETURN (SELECT seq_tup_read + idx_tup_fetch - before FROM pg_stat_xact_user_tables WHERE relid = 'vouch_data.operation'::regclass);
END $$;
BEGIN;
SET LOCAL enable_seqscan = off;
SET LOCAL plan_cache_mode = force_generic_plan;
SELECT public.reads_of_verify() AS few \gset
SELECT count(vouch.grant_role('regress_vouch_v_' || n, 'tester', 'nowhere')) FROM generate_series(1, 500) n;
SELECT public.reads_of_verify() - :few BETWEEN 500 AND 1000 AS once;
ROLLBACK;
DROP FUNCTION public.reads_of_verify();

DROP VIEW checked;
SELECT vouch.revoke_role('regress_vouch_v_tess', 'tester'), vouch.revoke_role('regress_vouch_v_olga', 'report_owner');
DROP ROLE regress_vouch_v_tess, regress_vouch_v_olga;
