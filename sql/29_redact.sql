-- Redaction: a payload is taken out of the database, and everything that was
-- signed, logged and sealed stays verifiable.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_x_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_x_olga LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_x_rita LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES ('regress_vouch_x_tess', 'tester'),
	('regress_vouch_x_olga', 'report_owner'), ('regress_vouch_x_rita', 'records_officer')) AS v(a, r);

SET SESSION AUTHORIZATION regress_vouch_x_tess;
SELECT vouch.create_version('Sample Selection', 29, 9, '[
	{"id": "A", "data": {"name": "Ada Private", "balance": 1}, "type": "random"},
	{"id": "B", "data": {"name": "Bob Private", "balance": 2}, "type": "random"},
	{"id": "C", "data": {"name": "Bob Private", "balance": 2}, "type": "random"}]') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_x_olga;
SELECT vouch.decide_where(:'v', 'approved');
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_x_tess;
SELECT vouch.create_revision(:'v', '[{"id": "D", "data": {}, "type": "random"}]') AS v2 \gset

-- Each payload has a salt of its own, so that the same does not have the same hash.
SELECT count(*), count(DISTINCT body_hash) AS hashes, count(DISTINCT salt) AS salts, bool_and(body_hash = sha256(salt || convert_to(payload::text, 'UTF8'))) AS fit
FROM vouch_data.item_body WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');

-- Only a records officer, with a reason, and once.
SELECT vouch.redact_item(:'v', 'A', 'erasure request 12');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_x_rita;
SELECT vouch.redact_item(:'v', 'A', '');
SELECT vouch.redact_item(:'v', 'Z', 'erasure request 12');
SELECT vouch.redact_item(:'v', 'A', 'erasure request 12', user_id => 'regress_vouch_x_tess');
SELECT vouch.redact_item(:'v', 'A', 'erasure request 12') AS operation;
SELECT vouch.redact_item(:'v2', 'A', 'erasure request 12');
\echo :LAST_ERROR_SQLSTATE

-- Both versions show it so; the verdict stays.
SELECT item_key, payload, status, decided_by FROM vouch.version_items(:'v');
SELECT item_key, payload, carried_from FROM vouch.version_items(:'v2');
SELECT count(*) FROM vouch.diff_versions(:'v', :'v2');
SELECT actor, operation_type, item_count, detail - '{body_hash}'::text[] AS detail FROM vouch.workflow_version_operations
WHERE subject = 'cycle-29-report-9' AND operation_type = 'redact_item';
SELECT salt IS NULL AS no_salt, length(body_hash) AS hash FROM vouch_data.item_body
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') AND payload ? 'redacted';
-- Nothing is wrong, and one thing is to know.
SELECT check_name, ok, detail FROM vouch.verify('cycle-29-report-9') WHERE check_name IN ('payloads', 'digests', 'approvals', 'operations');
SELECT count(*) AS bad FROM vouch.verify('cycle-29-report-9') WHERE NOT ok;
SELECT vouch.redact_item(:'v', 'B', 'erasure request 13') AS operation;
SELECT ok, detail FROM vouch.verify('cycle-29-report-9') WHERE check_name = 'payloads';

-- A payload that only looks redacted, one that is put back, a mark that was changed, and a hash.
RESET SESSION AUTHORIZATION;
CREATE PROCEDURE public.tamper(v uuid, body int, assignments text) LANGUAGE plpgsql AS $$
DECLARE
	finding record;
BEGIN
	SET LOCAL vouch.restoring = on;
	EXECUTE format('UPDATE vouch_data.item_body SET %s WHERE bucket = %s AND artifact_no = %s AND body_no = %s',
		assignments, vouch.bucket_of(v), vouch_data.artifact_number(v), body);
	FOR finding IN SELECT * FROM vouch.verify('cycle-29-report-9') WHERE NOT ok LOOP
		RAISE INFO '%: %: %', finding.check_name, finding.first_bad, finding.detail;
	END LOOP;
	ROLLBACK;
END $$;
CALL public.tamper(:'v', 3, $$payload = '{"id": "C", "redacted": 6}', salt = NULL$$);
CALL public.tamper(:'v', 1, $$payload = '{"id": "A", "data": {"name": "Eve"}, "type": "random"}', salt = '\x00'$$);
CALL public.tamper(:'v', 1, $$payload = payload || '{"redacted": 3}'$$);
CALL public.tamper(:'v', 1, $$body_hash = sha256('x')$$);
DROP PROCEDURE public.tamper(uuid, int, text);

SELECT count(vouch.revoke_role(a, r)) FROM (VALUES ('regress_vouch_x_tess', 'tester'),
	('regress_vouch_x_olga', 'report_owner'), ('regress_vouch_x_rita', 'records_officer')) AS v(a, r);
DROP ROLE regress_vouch_x_tess, regress_vouch_x_olga, regress_vouch_x_rita;
