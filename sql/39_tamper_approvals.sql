-- Separation of duties, and what a request says, against the log: what somebody with a superuser's rights
-- changes past the guards to have an approval that should not be, or to make one look like another.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_s_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_s_ann LOGIN IN ROLE vouch_user;		-- tester and report owner
CREATE ROLE regress_vouch_s_olga LOGIN IN ROLE vouch_user;		-- report owner
CREATE ROLE regress_vouch_s_lea LOGIN IN ROLE vouch_user;		-- test lead
SELECT count(vouch.grant_role('regress_vouch_s_' || a, r)) FROM (VALUES ('tess', 'tester'), ('ann', 'tester'), ('ann', 'report_owner'),
	('olga', 'report_owner'), ('lea', 'test_lead')) AS v(a, r);
SELECT vouch.define_policy('strict', '{"items": "none", "stages": [{"name": "review", "on_reject": "return", "expire_after": "90 days",
	"rules": [{"role": "report_owner"}, {"role": "test_lead"}]}]}'),
	vouch.define_policy('lax', '{"items": "none", "stages": [{"name": "review", "rules": [{"role": "report_owner", "exclude": []}]}]}');
SELECT vouch.set_policy('scoping', 'strict', scope => 'tampered');

-- Changes something, and says what is found of the version.
CREATE PROCEDURE public.tamper(v uuid, VARIADIC statements text[]) LANGUAGE plpgsql AS $$
DECLARE
	t text;
	finding record;
	ids text := format('bucket = %s AND artifact_no = %s', vouch.bucket_of(v), vouch_data.artifact_number(v));
BEGIN
	PERFORM set_config('vouch.restoring', 'on', true);
	FOREACH t IN ARRAY statements LOOP
		EXECUTE replace(t, ':of', ids);
	END LOOP;
	PERFORM set_config('vouch.restoring', 'off', true);
	FOR finding IN SELECT * FROM vouch.verify((SELECT subject FROM vouch_data.artifact
		WHERE bucket = vouch.bucket_of(v) AND artifact_no = vouch_data.artifact_number(v))) LOOP
		IF NOT finding.ok THEN
			RAISE INFO '%: %: %', finding.check_name, finding.first_bad,
				regexp_replace(regexp_replace(finding.detail, 'artifact \d+ in bucket \d+', 'ARTIFACT'), '[0-9a-f]{8}-[0-9a-f-]{27}', 'ID');
		END IF;
	END LOOP;
	ROLLBACK;
END $$;

-- Two rounds: Lea sends it back, Tess submits again, Olga and Lea approve. Ann only took an item away.
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.create_version('scoping', 139, 1, '[{"attribute_id": "a", "in_scope": true}, {"attribute_id": "b", "in_scope": true}]', scope => 'tampered') AS v \gset
SET SESSION AUTHORIZATION regress_vouch_s_ann;
SELECT vouch.remove_items(:'v', ARRAY['b']);
RESET SESSION AUTHORIZATION;
-- While it is a draft: her part in it gone; a part in it that somebody else had not.
CALL public.tamper(:'v', $$DELETE FROM vouch_data.version_contributor WHERE :of AND actor = 'regress_vouch_s_ann'$$);
CALL public.tamper(:'v', $$INSERT INTO vouch_data.version_contributor SELECT bucket, artifact_no, version_no, 'regress_vouch_s_olga', 0
	FROM vouch_data.version WHERE :of$$);
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.submit_version(:'v', notes => 'please') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_s_lea;
SELECT vouch.return_version(:'v', 'say why') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.edit_items(:'v', '[{"attribute_id": "a", "in_scope": true, "rationale": "material"}]');
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
-- Ann signs while the row does not have her, and then it is put back as it was.
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.approval_request SET contributors = '{regress_vouch_s_tess}' WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') AND round = 2;
SET LOCAL vouch.restoring = off;
SET SESSION AUTHORIZATION regress_vouch_s_ann;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_s_lea;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.approval_request SET contributors = '{regress_vouch_s_ann,regress_vouch_s_tess}' WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') AND round = 2;
SET LOCAL vouch.restoring = off;
SELECT first_bad, detail FROM vouch.verify('cycle-139-report-1') WHERE NOT ok;
ROLLBACK;

SET SESSION AUTHORIZATION regress_vouch_s_olga;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
SELECT detail - 'opened_at' - 'due_at' AS submitted FROM vouch_data.operation
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') AND operation = 'submit' ORDER BY op_no;

-- While it is pending: so that Ann may approve, or that who signed is enough.
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET contributors = '{regress_vouch_s_tess}' WHERE :of AND state = 'open'$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET contributors = '{regress_vouch_s_tess}' WHERE :of$$,
	$$DELETE FROM vouch_data.version_contributor WHERE :of AND actor = 'regress_vouch_s_ann'$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET policy = 'lax', policy_revision = 1 WHERE :of AND state = 'open'$$);
SET SESSION AUTHORIZATION regress_vouch_s_lea;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
-- As it is, nothing is wrong.
CALL public.tamper(:'v', VARIADIC '{}');
-- Afterwards: each column of the request.
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET opened_by = 'somebody' WHERE :of AND round = 2$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET opened_at = opened_at - interval '3 days' WHERE :of AND round = 2$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET due_at = now() WHERE :of AND round = 2$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET notes = 'forged' WHERE :of AND round = 2$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET content_digest = '\x00' WHERE :of AND round = 2$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET closed_by = 'somebody' WHERE :of AND round = 2$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET closed_at = closed_at - interval '3 days' WHERE :of AND round = 2$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET signatures = 1 WHERE :of AND round = 2$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET policy = 'lax', policy_revision = 1 WHERE :of AND round = 2$$);
-- The round before.
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET state = 'satisfied' WHERE :of AND round = 1$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET policy = 'lax', policy_revision = 1 WHERE :of AND round = 1$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET contributors = '{somebody}' WHERE :of AND round = 1$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET closing_digest = '\x00' WHERE :of AND round = 1$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET notes = NULL WHERE :of AND round = 1$$);
CALL public.tamper(:'v', $$DELETE FROM vouch_data.signature WHERE :of AND round = 1$$, $$DELETE FROM vouch_data.approval_request WHERE :of AND round = 1$$);
-- Under which rule, and in which stage, they signed.
CALL public.tamper(:'v', $$UPDATE vouch_data.signature SET rule_no = 3 - rule_no WHERE :of AND round = 2$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.signature SET stage_no = 2 WHERE :of AND round = 2$$);
-- Who is counted as having part in it.
CALL public.tamper(:'v', $$DELETE FROM vouch_data.version_contributor WHERE :of AND actor = 'regress_vouch_s_ann'$$);

-- The same before it is submitted, so that the log has it wrong from there on: who worked on it is in the log, too.
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.create_revision(:'v', '[{"attribute_id": "c", "in_scope": true}]', carry => 'all') AS w \gset
SET SESSION AUTHORIZATION regress_vouch_s_ann;
SELECT vouch.remove_items(:'w', ARRAY['c']);
RESET SESSION AUTHORIZATION;
BEGIN;
SET LOCAL vouch.restoring = on;
DELETE FROM vouch_data.version_contributor WHERE bucket = vouch.bucket_of(:'w') AND artifact_no = vouch_data.artifact_number(:'w') AND version_no = 2 AND actor = 'regress_vouch_s_ann';
SET LOCAL vouch.restoring = off;
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.submit_version(:'w') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_s_ann;
SELECT vouch.approve_version(:'w') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_s_lea;
SELECT vouch.approve_version(:'w') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
SELECT check_name, first_bad, detail FROM vouch.verify('cycle-139-report-1') WHERE NOT ok;
-- With the row put back, the request still lacks her.
SET LOCAL vouch.restoring = on;
INSERT INTO vouch_data.version_contributor SELECT bucket, artifact_no, 2, 'regress_vouch_s_ann', 0 FROM vouch_data.version
WHERE bucket = vouch.bucket_of(:'w') AND artifact_no = vouch_data.artifact_number(:'w') AND version_no = 2;
SET LOCAL vouch.restoring = off;
SELECT check_name, first_bad, detail FROM vouch.verify('cycle-139-report-1') WHERE NOT ok;
ROLLBACK;

-- What ends in other ways, is as the log has it: withdrawn while pending, and as a draft that was sent back.
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.submit_version(:'w') ->> 'state' AS state;
SELECT vouch.withdraw_version(:'w', 'never mind');
SELECT vouch.create_revision(:'v', carry => 'all') AS x \gset
SELECT vouch.submit_version(:'x') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_s_lea;
SELECT vouch.return_version(:'x', 'no') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_s_ann;
SELECT vouch.edit_items(:'x', '[{"attribute_id": "d", "in_scope": false}]');
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.withdraw_version(:'x', 'never mind');
RESET SESSION AUTHORIZATION;
CALL public.tamper(:'x', VARIADIC '{}');
CALL public.tamper(:'x', $$UPDATE vouch_data.approval_request SET closed_by = 'somebody' WHERE :of AND version_no = 2$$);
CALL public.tamper(:'x', $$UPDATE vouch_data.approval_request SET closed_at = closed_at + interval '1 day' WHERE :of AND version_no = 2$$);
CALL public.tamper(:'x', $$UPDATE vouch_data.approval_request SET state = 'expired' WHERE :of AND version_no = 2$$);

-- Rows so damaged that they cannot be read: that is the finding, and the rest is reported all the same.
CALL public.tamper(:'x', $$DELETE FROM vouch_data.signature WHERE :of AND version_no = 2$$, $$DELETE FROM vouch_data.approval_request WHERE :of AND version_no = 2$$,
	$$DELETE FROM vouch_data.version WHERE :of AND version_no = 2$$);
CALL public.tamper(:'x', $$UPDATE vouch_data.approval_request SET asked = '{}' WHERE :of AND version_no = 1$$);
CALL public.tamper(:'x', $$UPDATE vouch_data.artifact SET phase = 'nophase' WHERE :of$$);

-- A role that somebody has for as long as it takes to sign, past the triggers that would log it; and a delegation.
BEGIN;
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.create_version('scoping', 139, 2, '[{"attribute_id": "a", "in_scope": true}]', scope => 'tampered') AS y \gset
SELECT vouch.submit_version(:'y') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
SET LOCAL vouch.restoring = on;
INSERT INTO vouch_data.role_grant VALUES ('regress_vouch_s_mallory', 'report_owner', '', 'postgres', now() - interval '1 year');
SET LOCAL vouch.restoring = off;
CREATE ROLE regress_vouch_s_mallory LOGIN IN ROLE vouch_user;
SET SESSION AUTHORIZATION regress_vouch_s_mallory;
SELECT vouch.approve_version(:'y') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
SET LOCAL vouch.restoring = on;
DELETE FROM vouch_data.role_grant WHERE actor = 'regress_vouch_s_mallory';
SET LOCAL vouch.restoring = off;
SELECT check_name, first_bad, detail FROM vouch.verify('cycle-139-report-2') WHERE NOT ok;
SELECT count(*) AS wrong FROM vouch.verify('@configuration') WHERE NOT ok;
ROLLBACK;
BEGIN;
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.create_version('scoping', 139, 2, '[{"attribute_id": "a", "in_scope": true}]', scope => 'tampered') AS y \gset
SELECT vouch.submit_version(:'y') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
SET LOCAL vouch.restoring = on;
INSERT INTO vouch_data.delegation VALUES ('00000000-0000-0000-0000-000000000139', 'regress_vouch_s_olga', 'regress_vouch_s_mallory', 'report_owner', '',
	now() - interval '1 day', now() + interval '1 day', 'away', now() - interval '1 day');
SET LOCAL vouch.restoring = off;
CREATE ROLE regress_vouch_s_mallory LOGIN IN ROLE vouch_user;
SET SESSION AUTHORIZATION regress_vouch_s_mallory;
SELECT vouch.sign_off(:'y', 'report_owner', true, on_behalf_of => 'regress_vouch_s_olga') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
SET LOCAL vouch.restoring = on;
DELETE FROM vouch_data.delegation WHERE to_actor = 'regress_vouch_s_mallory';
SET LOCAL vouch.restoring = off;
SELECT check_name, first_bad, detail FROM vouch.verify('cycle-139-report-2') WHERE NOT ok;
ROLLBACK;
-- A policy that is put in force for as long as it takes to submit.
BEGIN;
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.create_version('scoping', 139, 2, '[{"attribute_id": "a", "in_scope": true}]', scope => 'tampered') AS y \gset
RESET SESSION AUTHORIZATION;
SET LOCAL vouch.restoring = on;
INSERT INTO vouch_data.phase_policy SELECT phase, scope, set_no + 1, 'lax', maker_role, set_by, set_at FROM vouch_data.phase_policy
WHERE phase = 'scoping' AND scope = 'tampered' ORDER BY set_no DESC LIMIT 1;
SET LOCAL vouch.restoring = off;
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.submit_version(:'y') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
SET LOCAL vouch.restoring = on;
DELETE FROM vouch_data.phase_policy WHERE phase = 'scoping' AND scope = 'tampered' AND policy = 'lax';
SET LOCAL vouch.restoring = off;
SELECT check_name, first_bad, detail FROM vouch.verify('cycle-139-report-2') WHERE NOT ok;
ROLLBACK;
-- What was held is enough afterwards, too: a role that is given, used and taken back in one transaction, and a delegation.
BEGIN;
SELECT vouch.grant_role('regress_vouch_s_dan', 'report_owner', 'tampered') IS NOT NULL AS granted;
CREATE ROLE regress_vouch_s_dan LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_s_del LOGIN IN ROLE vouch_user;
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.create_version('scoping', 139, 2, '[{"attribute_id": "a", "in_scope": true}]', scope => 'tampered') AS y \gset
SELECT vouch.submit_version(:'y') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_s_dan;
SELECT vouch.delegate('regress_vouch_s_del', 'report_owner', 'tampered', reason => 'away') AS d \gset
SET SESSION AUTHORIZATION regress_vouch_s_del;
SELECT vouch.sign_off(:'y', 'report_owner', true, on_behalf_of => 'regress_vouch_s_dan') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_s_dan;
SELECT vouch.revoke_delegation(:'d') IS NOT NULL AS revoked;
RESET SESSION AUTHORIZATION;
SELECT vouch.revoke_role('regress_vouch_s_dan', 'report_owner', 'tampered');
SELECT check_name, first_bad, detail FROM vouch.verify('cycle-139-report-2') WHERE NOT ok;
ROLLBACK;

-- What the policy asked for, in no form that it ever had: that is said, too, and nobody signs.
SELECT vouch.define_policy('by_reason', '{"items": "none", "stages": [{"name": "review", "rules": [{"role": "report_owner", "group_by": "rationale"}]}]}');
SELECT vouch.set_policy('scoping', 'by_reason', scope => 'tampered');
SET SESSION AUTHORIZATION regress_vouch_s_tess;
SELECT vouch.create_version('scoping', 139, 3, '[{"attribute_id": "a", "in_scope": true, "rationale": "material"}]', scope => 'tampered') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET asked = '[]' WHERE :of$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET asked = NULL WHERE :of$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET asked = '{}' WHERE :of$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET asked = '[1]' WHERE :of$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET asked = asked #- '{0,groups}' WHERE :of$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET asked = jsonb_set(asked, '{0,groups}', '[]') WHERE :of$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.approval_request SET asked = jsonb_set(asked, '{0,groups}', '[1, 2]') WHERE :of$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.policy_rule SET group_by = 'in_scope' WHERE policy = 'by_reason'$$);
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.approval_request SET asked = '[]' WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SET LOCAL vouch.restoring = off;
SET SESSION AUTHORIZATION regress_vouch_s_olga;
SELECT * FROM vouch.explain_approval(:'v');
ROLLBACK;

DROP PROCEDURE public.tamper(uuid, text[]);
SELECT vouch.set_policy('scoping', 'report_owner_review', scope => 'tampered');
SELECT count(vouch.revoke_role('regress_vouch_s_' || a, r)) FROM (VALUES ('tess', 'tester'), ('ann', 'tester'), ('ann', 'report_owner'),
	('olga', 'report_owner'), ('lea', 'test_lead')) AS v(a, r);
DROP ROLE regress_vouch_s_tess, regress_vouch_s_ann, regress_vouch_s_olga, regress_vouch_s_lea;
