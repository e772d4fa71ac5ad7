--
-- Records: who holds which role, who signs for whom, what policies ask for, and what
-- the phases without versions keep.  The log tells of each row; a superuser who changes one is found.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE ROLE regress_vouch_67_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_67_dex LOGIN IN ROLE vouch_user;		-- data executive
CREATE ROLE regress_vouch_67_oli LOGIN IN ROLE vouch_user;		-- data owner
CREATE ROLE regress_vouch_67_app LOGIN IN ROLE vouch_user;
SELECT vouch.grant_role('regress_vouch_67_tess', 'tester'), vouch.grant_role('regress_vouch_67_dex', 'data_executive'),
	vouch.grant_role('regress_vouch_67_oli', 'data_owner', 'CARDS'), vouch.grant_role('regress_vouch_67_oli', 'report_owner');
SELECT vouch.revoke_role('regress_vouch_67_oli', 'report_owner');
SELECT vouch.register_application('regress_vouch_67_app'), vouch.unregister_application('regress_vouch_67_app');
SELECT vouch.define_role('auditor_67', 'Looks again');
SELECT vouch.define_policy('policy_67', '{"description": "Two auditors", "items": "decided", "stages": [{"name": "review", "rules": [{"role": "auditor_67", "quorum": 2}]}]}') > 0 AS defined;
SELECT vouch.set_policy('scoping', 'policy_67', scope => 'SIXTYSEVEN');
SET SESSION AUTHORIZATION regress_vouch_67_oli;
SELECT vouch.delegate('regress_vouch_67_dex', 'data_owner', 'CARDS', reason => 'on leave') IS NOT NULL AS delegated;
SET SESSION AUTHORIZATION regress_vouch_67_dex;
SELECT vouch.assign_data_owner(67, 1, 'CARDS', 'regress_vouch_67_tess') ->> 'status' AS status;
SELECT vouch.assign_data_owner(67, 1, 'CARDS', 'regress_vouch_67_oli') ->> 'status' AS status;
SET SESSION AUTHORIZATION regress_vouch_67_oli;
SELECT vouch.submit_document(67, 1, 'CARDS', 'D1', NULL, '{"title": "Statement", "samples": {"7": {"apr": 12}}}') ->> 'status' AS status;
SELECT vouch.submit_document(67, 1, 'CARDS', 'D1', NULL, '{"title": "Statement", "samples": {"7": {"apr": 13}}, "revision_reason": "wrong month"}') ->> 'status' AS status;
SET SESSION AUTHORIZATION regress_vouch_67_tess;
SELECT vouch.record_test_action(67, 1, 'T1', 'test_result', NULL, '{"lob_id": "CARDS", "sample_id": "7", "passed": false}') ->> 'state' AS state;
SELECT vouch.record_test_action(67, 1, 'T1', 'test_result', NULL, '{"lob_id": "CARDS", "sample_id": "7", "passed": true}') ->> 'state' AS state;
SELECT vouch.record_test_action(67, 1, 'T2', 'document_request', NULL, '{"lob_id": "CARDS", "reason": "missing"}') ->> 'audit_id' AS id \gset asked_
SET SESSION AUTHORIZATION regress_vouch_67_oli;
SELECT vouch.update_test_response(:'asked_id', NULL, 'fulfilled', 'sent') ->> 'impact' AS impact;
RESET SESSION AUTHORIZATION;

-- The settings of a session change nothing of what a row is hashed as.
SET timezone = 'Pacific/Auckland'; SET datestyle = 'German'; SET intervalstyle = 'sql_standard'; SET bytea_output = 'escape';
SELECT check_name, subject, phase, ok, checked > 0 AS checked, first_bad, detail FROM vouch.verify('cycle-67-report-1') WHERE check_name IN ('records', 'operations');
SELECT check_name, subject, ok, first_bad, detail FROM vouch.verify('@configuration') WHERE check_name IN ('records', 'operations');
RESET timezone; RESET datestyle; RESET intervalstyle; RESET bytea_output;
-- What was done, as it is told: whole rows, by whom.
SELECT o.operation, o.actor, jsonb_path_query_array(o.detail, '$.rows.*.role') AS roles, jsonb_path_query_array(o.detail, '$.rows.*.actor') AS people
FROM vouch_data.operation o JOIN vouch_data.artifact a USING (bucket, artifact_no)
WHERE a.subject = '@configuration' AND o.operation IN ('grant_role', 'revoke_role', 'delegate') AND o.detail::text LIKE '%regress\_vouch\_67%'
ORDER BY o.op_no;

-- Nobody writes them but through the functions, and nobody takes the guards away.
UPDATE vouch_data.role_grant SET role = 'tester';
\echo :LAST_ERROR_SQLSTATE
SET session_replication_role = replica;
DELETE FROM vouch_data.delegation;
TRUNCATE vouch_data.test_action;
UPDATE vouch_data.document_submission SET status = 'accepted';
UPDATE vouch_data.phase_policy SET policy = NULL;
INSERT INTO vouch_data.trusted_application VALUES ('regress_vouch_67_oli', 'me', now());
RESET session_replication_role;
DROP TRIGGER guard ON vouch_data.operation;
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE vouch_data.signature DISABLE TRIGGER guard;
ALTER TABLE vouch_data.block DISABLE TRIGGER ALL;
ALTER TABLE vouch_data.operation ENABLE TRIGGER guard;
ALTER TRIGGER guard ON vouch_data.block RENAME TO harmless;
CREATE OR REPLACE TRIGGER guard BEFORE INSERT ON vouch_data.operation FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.guard();
CREATE RULE nothing AS ON INSERT TO vouch_data.operation DO INSTEAD NOTHING;
ALTER TABLE vouch_data.operation DROP COLUMN leaf;
ALTER TABLE vouch_data.operation RENAME COLUMN leaf TO leave;
ALTER TABLE vouch_data.operation RENAME TO op;
CREATE OR REPLACE FUNCTION vouch_data.guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
ALTER FUNCTION vouch_data.guard() RENAME TO watch;
ALTER ROUTINE vouch_data.guard() RENAME TO watch;
ALTER FUNCTION vouch_data.guard() SET SCHEMA public;
ALTER FUNCTION vouch_data.record_change() SECURITY INVOKER;
ALTER TRIGGER guard ON vouch_data.operation DEPENDS ON EXTENSION plpgsql;
ALTER EXTENSION vouch ADD SCHEMA public;
ALTER SCHEMA vouch_data RENAME TO elsewhere;
ALTER TABLE vouch_data.operation SET SCHEMA public;
ALTER TYPE vouch.verdict RENAME VALUE 'approved' TO 'rejected_';
ALTER TYPE vouch.verification RENAME ATTRIBUTE ok TO wrong;
CREATE OR REPLACE VIEW vouch.blocks AS SELECT * FROM vouch.blocks LIMIT 0;
-- Nor may anything get around them: a table above, whose statements do not fire a partition's triggers, or below; what hides rows; what runs inside of Vouch's statements.
CREATE TABLE public.above (LIKE vouch_data.decision INCLUDING GENERATED) PARTITION BY LIST (bucket);
ALTER TABLE public.above ATTACH PARTITION vouch_data.decision DEFAULT;
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE public.below () INHERITS (vouch_data.operation);
CREATE SCHEMA regress_67 CREATE TABLE below () INHERITS (vouch_data.operation);
CREATE TABLE public.below (LIKE vouch_data.operation);
ALTER TABLE public.below INHERIT vouch_data.operation;
ALTER TABLE vouch_data.operation INHERIT public.below;
CREATE POLICY hidden ON vouch_data.operation;
CREATE FUNCTION pg_temp.look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER look AFTER INSERT ON vouch_data.operation FOR EACH ROW EXECUTE FUNCTION pg_temp.look();
CREATE FUNCTION pg_temp.peek(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE INDEX peek ON vouch_data.operation (pg_temp.peek(actor));
-- Where one was there nevertheless, it is told; and what is never changed is guarded row by row, too.
BEGIN;
SET LOCAL vouch.restoring = on;
ALTER TABLE public.above ATTACH PARTITION vouch_data.decision DEFAULT;
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
ALTER TABLE public.above DETACH PARTITION vouch_data.decision;
CREATE TABLE public.all_operations (LIKE vouch_data.operation INCLUDING GENERATED) PARTITION BY LIST (bucket);
ALTER TABLE public.all_operations ATTACH PARTITION vouch_data.operation DEFAULT;
SET LOCAL vouch.restoring = off;
SAVEPOINT attached;
UPDATE public.all_operations SET actor = 'mallory';
ROLLBACK TO attached;
DELETE FROM public.all_operations;
ROLLBACK TO attached;
ALTER TABLE public.all_operations DETACH PARTITION vouch_data.operation;
SET LOCAL vouch.restoring = on;
ALTER TABLE public.below INHERIT vouch_data.operation;
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
ALTER TABLE public.below NO INHERIT vouch_data.operation;
CREATE INDEX peek ON vouch_data.operation (pg_temp.peek(actor));
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
DROP INDEX vouch_data.peek;
CREATE POLICY hidden ON vouch_data.operation;
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
DROP POLICY hidden ON vouch_data.operation;
ALTER TABLE vouch_data.nudge DISABLE TRIGGER signal_arrives;
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
ROLLBACK;
BEGIN;
SELECT vouch.define_phase('regress_67', 'Watched', 'id');
SELECT count(vouch.grant_role(session_user::text, 'tester'));
CREATE TABLE public.watched (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE public.watched_1 PARTITION OF public.watched FOR VALUES FROM (0) TO (10);
SELECT count(vouch.track_table('public.watched', 'regress_67'));
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
SET LOCAL vouch.restoring = on;
ALTER TABLE public.watched_1 ENABLE TRIGGER vouch_track_update;
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
ALTER TABLE public.watched_1 ENABLE ALWAYS TRIGGER vouch_track_update;
SET LOCAL vouch.restoring = off;
DROP TRIGGER vouch_track_delete ON public.watched_1;
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
ROLLBACK;
BEGIN;
ALTER EVENT TRIGGER vouch_track_drop DISABLE;
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
ROLLBACK;
DROP TABLE public.above, public.below;
ALTER EXTENSION vouch DROP TABLE vouch_data.operation;
-- What touches neither what is kept nor what guards it is as ever.
BEGIN;
ALTER TABLE vouch_data.operation SET (fillfactor = 90);
ALTER TABLE vouch_data.operation ENABLE ALWAYS TRIGGER guard;
CREATE INDEX of_day ON vouch_data.operation (at);
SET LOCAL vouch.restoring = on;
CREATE TRIGGER look AFTER INSERT ON vouch_data.operation FOR EACH ROW EXECUTE FUNCTION pg_temp.look();
SET LOCAL vouch.restoring = off;
ALTER TABLE vouch_data.operation DISABLE TRIGGER look;
DROP TRIGGER look ON vouch_data.operation;
ROLLBACK;
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';

-- From here on a superuser tampers who has disabled all of that, and takes it back each time.
CREATE PROCEDURE public.tamper(subject text, VARIADIC statements text[]) LANGUAGE plpgsql AS $$
DECLARE
	t text;
	finding record;
BEGIN
	ALTER EVENT TRIGGER vouch_guard DISABLE;
	FOR t IN SELECT table_name FROM vouch_data.recorded_tables() LOOP
		EXECUTE format('ALTER TABLE vouch_data.%I DISABLE TRIGGER ALL', t);
	END LOOP;
	FOREACH t IN ARRAY statements LOOP
		EXECUTE t;
	END LOOP;
	FOR finding IN SELECT * FROM vouch.verify(subject) LOOP
		IF NOT finding.ok THEN
			RAISE INFO '%: %: %', finding.check_name, regexp_replace(regexp_replace(regexp_replace(finding.first_bad, '[0-9a-f]{8}-[0-9a-f-]{27}', 'ID'), ' \d{4}-\S*$', ' TIME'), '^operation \d+', 'operation N'),
				regexp_replace(finding.detail, 'peration \d+', 'peration N');
		END IF;
	END LOOP;
	ROLLBACK;
END $$;
-- A role that nobody granted; one granted to somebody else, by somebody else, earlier, for more; one that was never taken back, or is gone.
CALL public.tamper('@configuration', $$INSERT INTO vouch_data.role_grant VALUES ('regress_vouch_67_oli', 'test_executive', '', 'postgres', '2026-01-01')$$);
CALL public.tamper('@configuration', $$UPDATE vouch_data.role_grant SET actor = 'regress_vouch_67_oli' WHERE actor = 'regress_vouch_67_tess'$$);
CALL public.tamper('@configuration', $$UPDATE vouch_data.role_grant SET granted_by = 'regress_vouch_67_oli' WHERE actor = 'regress_vouch_67_tess'$$);
CALL public.tamper('@configuration', $$UPDATE vouch_data.role_grant SET granted_at = '2026-01-01' WHERE actor = 'regress_vouch_67_tess'$$);
CALL public.tamper('@configuration', $$UPDATE vouch_data.role_grant SET scope = '' WHERE actor = 'regress_vouch_67_oli' AND role = 'data_owner'$$);
CALL public.tamper('@configuration', $$UPDATE vouch_data.role_grant SET revoked_by = NULL, revoked_at = NULL WHERE actor = 'regress_vouch_67_oli' AND role = 'report_owner'$$);
CALL public.tamper('@configuration', $$DELETE FROM vouch_data.role_grant WHERE actor = 'regress_vouch_67_dex'$$);
-- A delegation: to whom, from when, why, in what role.
CALL public.tamper('@configuration', $$UPDATE vouch_data.delegation SET to_actor = 'regress_vouch_67_tess' WHERE from_actor = 'regress_vouch_67_oli'$$);
CALL public.tamper('@configuration', $$UPDATE vouch_data.delegation SET valid_from = valid_from - interval '1 year' WHERE from_actor = 'regress_vouch_67_oli'$$);
CALL public.tamper('@configuration', $$UPDATE vouch_data.delegation SET reason = 'other', role = 'tester' WHERE from_actor = 'regress_vouch_67_oli'$$);
CALL public.tamper('@configuration', $$DELETE FROM vouch_data.delegation WHERE from_actor = 'regress_vouch_67_oli'$$);
-- A policy: how many must sign, who, what for; of one's own, and one that was shipped.
CALL public.tamper('@configuration', $$UPDATE vouch_data.policy_rule SET quorum = 1 WHERE policy = 'policy_67'$$);
CALL public.tamper('@configuration', $$UPDATE vouch_data.policy_rule SET role = 'tester' WHERE policy = 'report_owner_review'$$);
CALL public.tamper('@configuration', $$UPDATE vouch_data.policy SET items = 'none' WHERE policy = 'policy_67'$$);
CALL public.tamper('@configuration', $$UPDATE vouch_data.policy_stage SET on_reject = 'return' WHERE policy = 'policy_67'$$);
CALL public.tamper('@configuration', $$DELETE FROM vouch_data.policy_rule WHERE policy = 'policy_67'$$);
CALL public.tamper('@configuration', $$UPDATE vouch_data.phase_policy SET policy = 'report_owner_review' WHERE scope = 'SIXTYSEVEN'$$);
CALL public.tamper('@configuration', $$UPDATE vouch_data.role SET about = 'Does as it likes' WHERE role = 'auditor_67'$$);
CALL public.tamper('@configuration', $$INSERT INTO vouch_data.trusted_application VALUES ('regress_vouch_67_app', 'postgres', now())$$);
-- Data owners: who, until when, by whom; the history; and all of it consistently.
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.data_owner_assignment SET owner_id = 'regress_vouch_67_dex' WHERE subject = 'cycle-67-report-1' AND status = 'active'$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.data_owner_assignment SET effective_to = effective_to + interval '1 day', reason = 'left' WHERE subject = 'cycle-67-report-1' AND status = 'transferred'$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.data_owner_assignment SET lob_id = 'LOANS' WHERE subject = 'cycle-67-report-1' AND status = 'active'$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.data_owner_change c SET after = after || '{"assigned_by": "x"}' FROM vouch_data.data_owner_assignment a
	WHERE a.assignment_id = c.assignment_id AND a.subject = 'cycle-67-report-1' AND a.status = 'active'$$);
CALL public.tamper('cycle-67-report-1', $$DELETE FROM vouch_data.data_owner_change c USING vouch_data.data_owner_assignment a
	WHERE a.assignment_id = c.assignment_id AND a.subject = 'cycle-67-report-1' AND change_type = 'transferred'$$);
-- Documents: the content with its digest, the review, who handed it in, when; the history.
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.document_submission SET metadata = metadata || '{"samples": {"7": {"apr": 14}}}', content_digest = vouch.digest(metadata || '{"samples": {"7": {"apr": 14}}}')
	WHERE subject = 'cycle-67-report-1' AND is_current$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.document_submission SET status = 'accepted', reviewed_by = 'regress_vouch_67_tess', reviewed_at = now() WHERE subject = 'cycle-67-report-1' AND is_current$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.document_submission SET submitted_by = 'regress_vouch_67_dex' WHERE subject = 'cycle-67-report-1' AND is_current$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.document_submission SET submitted_at = submitted_at - interval '1 day' WHERE subject = 'cycle-67-report-1' AND is_current$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.document_submission SET is_current = false WHERE subject = 'cycle-67-report-1'$$,
	$$UPDATE vouch_data.document_submission SET is_current = true WHERE subject = 'cycle-67-report-1' AND document_version = 1$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.document_revision r SET reason = 'none', changed_fields = '{}' FROM vouch_data.document_submission d WHERE d.submission_id = r.submission_id AND d.subject = 'cycle-67-report-1'$$);
CALL public.tamper('cycle-67-report-1', $$DELETE FROM vouch_data.document_revision r USING vouch_data.document_submission d WHERE d.submission_id = r.submission_id AND d.subject = 'cycle-67-report-1'$$);
-- Tests: a result, the sample, which result counts, what was answered, by whom, when, how fast; one more, one less.
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.test_action SET passed = true, action_details = action_details || '{"passed": true}' WHERE subject = 'cycle-67-report-1' AND NOT passed$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.test_action SET sample_id = '8' WHERE subject = 'cycle-67-report-1' AND passed$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.test_action SET is_current = NOT is_current WHERE subject = 'cycle-67-report-1' AND action_type = 'test_result'$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.test_action SET response_status = 'rejected' WHERE subject = 'cycle-67-report-1' AND response_status = 'fulfilled'$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.test_action SET response_notes = 'never' WHERE subject = 'cycle-67-report-1' AND response_status = 'fulfilled'$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.test_action SET responded_by = 'regress_vouch_67_dex' WHERE subject = 'cycle-67-report-1' AND response_status = 'fulfilled'$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.test_action SET turnaround_hours = 1, impact = 'none', responded_at = responded_at + interval '1 hour' WHERE subject = 'cycle-67-report-1' AND response_status = 'fulfilled'$$);
CALL public.tamper('cycle-67-report-1', $$UPDATE vouch_data.test_action SET requested_by = 'regress_vouch_67_dex', test_execution_id = 'T9' WHERE subject = 'cycle-67-report-1' AND response_status = 'fulfilled'$$);
CALL public.tamper('cycle-67-report-1', $$DELETE FROM vouch_data.test_action WHERE subject = 'cycle-67-report-1' AND NOT passed$$);
CALL public.tamper('cycle-67-report-1', $$INSERT INTO vouch_data.test_action SELECT (jsonb_populate_record(t, jsonb_build_object('audit_id', vouch_data.event_id(t.bucket)))).*
	FROM vouch_data.test_action t WHERE subject = 'cycle-67-report-1' AND NOT passed$$);
-- The operation that tells of it, too: then its hash is wrong.
CALL public.tamper('@configuration', $$UPDATE vouch_data.role_grant SET granted_by = 'x' WHERE actor = 'regress_vouch_67_tess'$$,
	$$ALTER TABLE vouch_data.operation DISABLE TRIGGER ALL$$,
	$$UPDATE vouch_data.operation o SET detail = jsonb_build_object('rows', (SELECT jsonb_object_agg(e.key, CASE WHEN e.value ->> 'actor' = 'regress_vouch_67_tess' THEN e.value || '{"granted_by": "x"}' ELSE e.value END)
		FROM jsonb_each(o.detail -> 'rows') e)) WHERE operation = 'grant_role' AND detail::text LIKE '%regress\_vouch\_67\_tess%'$$);
-- Rows of a subject that the log knows nothing of; and guards that are not as they were.
BEGIN;
SET LOCAL vouch.restoring = on;
INSERT INTO vouch_data.test_action SELECT (jsonb_populate_record(t, jsonb_build_object('audit_id', vouch_data.event_id(t.bucket), 'subject', 'cycle-6767-report-1'))).*
FROM vouch_data.test_action t WHERE subject = 'cycle-67-report-1' AND NOT passed;
SELECT check_name, subject, phase, detail FROM vouch.verify() WHERE NOT ok AND check_name = 'records' AND subject = '' ;
ALTER TABLE vouch_data.signature DISABLE TRIGGER guard;
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
ALTER TABLE vouch_data.signature ENABLE TRIGGER guard;
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
ALTER TABLE vouch_data.signature ENABLE ALWAYS TRIGGER guard;
DROP TRIGGER record_update ON vouch_data.role_grant;
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
ROLLBACK;
BEGIN;
ALTER EVENT TRIGGER vouch_guard DISABLE;
SELECT ok, first_bad, detail FROM vouch.verify(level => 'log') WHERE check_name = 'guards';
ROLLBACK;
SELECT count(*) AS wrong FROM vouch.verify('cycle-67-report-1') WHERE NOT ok;
SELECT count(*) AS wrong FROM vouch.verify('@configuration') WHERE NOT ok;

DROP PROCEDURE public.tamper(text, text[]);
SELECT vouch.set_policy('scoping', NULL, scope => 'SIXTYSEVEN');
SELECT bool_and(vouch.revoke_role(actor, role, scope)) AS revoked FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_67\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_67_tess, regress_vouch_67_dex, regress_vouch_67_oli, regress_vouch_67_app;
