--
-- The audit-only phases: data owners, documents and test actions are recorded
-- with their history, by whoever the session says, each with an entry in the log.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_vouch_62_ann, regress_vouch_62_dex, regress_vouch_62_oli, regress_vouch_62_una;
CREATE ROLE regress_vouch_62_ann LOGIN;		-- tester
CREATE ROLE regress_vouch_62_dex LOGIN;		-- data executive
CREATE ROLE regress_vouch_62_oli LOGIN;		-- data owner, by assignment
CREATE ROLE regress_vouch_62_una LOGIN;		-- data owner of LOANS, by role
GRANT vouch_user TO regress_vouch_62_ann, regress_vouch_62_dex, regress_vouch_62_oli, regress_vouch_62_una;
SELECT vouch.grant_role('regress_vouch_62_ann', 'tester'), vouch.grant_role('regress_vouch_62_dex', 'data_executive'),
	vouch.grant_role('regress_vouch_62_una', 'data_owner', 'LOANS');

-- Owners: only a data executive assigns, in no other name than his own.
SET SESSION AUTHORIZATION regress_vouch_62_ann;
SELECT vouch.assign_data_owner(62, 1, 'CARDS', 'regress_vouch_62_ann');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.assign_data_owner(62, 1, 'CARDS', 'regress_vouch_62_ann', 'regress_vouch_62_dex');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_62_dex;
SELECT a ->> 'lob_id' AS lob, a ->> 'owner_id' AS owner, a ->> 'assignment_type' AS type, a ->> 'status' AS status, a ->> 'assigned_by' AS assigned_by
FROM vouch.assign_data_owner(62, 1, 'CARDS', 'regress_vouch_62_una', 'regress_vouch_62_dex', 'primary') AS a;
SELECT a ->> 'owner_id' AS owner, a ->> 'previous_owner_id' AS before FROM vouch.assign_data_owner(62, 1, 'CARDS', 'regress_vouch_62_oli') AS a;
SELECT a ->> 'owner_id' AS owner, a ->> 'previous_owner_id' AS before FROM vouch.assign_data_owner(62, 1, 'CARDS', 'regress_vouch_62_una', NULL, 'backup') AS a;
SELECT vouch.assign_data_owner(62, 1, 'CARDS', 'regress_vouch_62_oli');
SELECT vouch.assign_data_owner(62, 1, 'CARDS', 'regress_vouch_62_oli', NULL, 'main');
SELECT vouch.assign_data_owner(62, 1, '', 'regress_vouch_62_oli');
SELECT vouch.end_data_owner(62, 1, 'CARDS', 'backup', 'on leave') ->> 'status' AS status;
SELECT vouch.end_data_owner(62, 1, 'CARDS', 'backup');
SELECT owner_id, assignment_type, status, effective_to IS NULL AS open, previous_assignment_id IS NOT NULL AS follows, reason
FROM vouch.data_owner_assignments WHERE cycle_id = 62 ORDER BY effective_from;
SELECT change_type, before ->> 'status' AS before, after ->> 'status' AS after, after ->> 'owner_id' AS owner, changed_by, h.reason
FROM vouch.data_owner_change_history h JOIN vouch.data_owner_assignments a USING (assignment_id) WHERE a.cycle_id = 62 ORDER BY changed_at, change_type;

-- Documents: who is assigned, or holds the role, hands in; each new version says what it changes.
SET SESSION AUTHORIZATION regress_vouch_62_una;
SELECT vouch.submit_document(62, 1, 'CARDS', 'D1');
SELECT d ->> 'document_version' AS version, d ->> 'status' AS status FROM vouch.submit_document(62, 1, 'LOANS', 'L1', NULL, '{"title": "Contract"}') AS d;
SET SESSION AUTHORIZATION regress_vouch_62_oli;
SELECT d ->> 'document_version' AS version, d ->> 'submission_type' AS type, d ->> 'is_current' AS current, d ->> 'samples' AS samples
FROM vouch.submit_document(62, 1, 'CARDS', 'D1', 'regress_vouch_62_oli', '{"title": "Statement", "samples": {"7": {"apr": 12, "limit": 1000}}}') AS d;
SELECT d ->> 'document_version' AS version, d ->> 'submission_type' AS type, d ->> 'changed_fields' AS changed
FROM vouch.submit_document(62, 1, 'CARDS', 'D1', NULL, '{"title": "Statement", "samples": {"7": {"apr": 13, "limit": 1000}, "8": {"apr": 1}}, "revision_reason": "wrong month"}') AS d;
SELECT d ->> 'document_version' AS version, d ->> 'changed_fields' AS changed
FROM vouch.submit_document(62, 1, 'CARDS', 'D1', NULL, '{"title": "Statement of May", "samples": {"7": {"apr": 13, "limit": 1000}, "8": {"apr": 1}}, "revision_reason": "title"}') AS d;
SELECT vouch.submit_document(62, 1, 'CARDS', 'D1', NULL, '{"title": "Statement of May", "samples": {"7": {"apr": 13, "limit": 1000}, "8": {"apr": 1}}, "revision_reason": "title"}');
SELECT vouch.submit_document(62, 1, 'CARDS', 'D2', NULL, '{"samples": []}');
SELECT vouch.submit_document(62, 1, 'CARDS', 'D2', NULL, '{"submission_type": "final"}');
SELECT document_id, document_version, submission_type, status, is_current, replaces_submission_id IS NOT NULL AS replaces, submitted_by
FROM vouch.document_submissions WHERE cycle_id = 62 ORDER BY lob_id, document_version;
SELECT revision_type, reason, changed_fields, revised_by FROM vouch.document_revision_history h JOIN vouch.document_submissions s USING (submission_id)
WHERE s.cycle_id = 62 ORDER BY s.document_version;

-- What is said is as long as reasons are elsewhere, names are as long as those of items, and what is handed in is within vouch.max_payload.
SET SESSION AUTHORIZATION regress_vouch_62_oli;
SELECT vouch.submit_document(62, 1, 'CARDS', repeat('D', 1001));
SELECT vouch.submit_document(62, 1, 'CARDS', 'D3', NULL, jsonb_build_object('revision_reason', repeat('r', 10001)));
SET SESSION AUTHORIZATION regress_vouch_62_dex;
SELECT vouch.assign_data_owner(62, 1, repeat('L', 1001), 'regress_vouch_62_oli');
SELECT vouch.assign_data_owner(62, 1, 'CARDS', repeat('o', 1001));
SELECT vouch.end_data_owner(62, 1, 'CARDS', 'primary', repeat('r', 10001));
SET SESSION AUTHORIZATION regress_vouch_62_ann;
SELECT vouch.record_test_action(62, 1, repeat('T', 1001), 'document_request');
SELECT vouch.record_test_action(62, 1, 'T1', 'document_request', NULL, jsonb_build_object('reason', repeat(U&'\00E9', 10001)));
SELECT vouch.record_test_action(62, 1, 'T1', 'test_result', NULL, jsonb_build_object('sample_id', repeat('7', 1001)));
SELECT vouch.update_test_response('00000000-0000-0000-0000-000000000000', NULL, 'fulfilled', repeat('n', 10001));
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
BEGIN;
SET LOCAL vouch.max_payload = 1;
SET SESSION AUTHORIZATION regress_vouch_62_ann;
SELECT vouch.record_test_action(62, 1, 'T1', 'document_request', NULL, jsonb_build_object('page', repeat('p', 5000)));
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
SET SESSION AUTHORIZATION regress_vouch_62_oli;
BEGIN;
RESET SESSION AUTHORIZATION;
SET LOCAL vouch.max_payload = 1;
SET SESSION AUTHORIZATION regress_vouch_62_oli;
SELECT vouch.submit_document(62, 1, 'CARDS', 'D3', NULL, jsonb_build_object('page', repeat('p', 5000)));
ROLLBACK;

-- Test actions: asked, and answered with the time it took.
SET SESSION AUTHORIZATION regress_vouch_62_oli;
SELECT vouch.record_test_action(62, 1, 'T1', 'document_request');
SET SESSION AUTHORIZATION regress_vouch_62_ann;
SELECT vouch.record_test_action(62, 1, 'T1', 'guess');
SELECT a ->> 'action_type' AS type, a ->> 'requested_by' AS requested_by, a ->> 'audit_id' AS id
FROM vouch.record_test_action(62, 1, 'T1', 'data_update_request', 'regress_vouch_62_ann', '{"lob_id": "CARDS", "reason": "limit is empty"}') AS a \gset a_
SET SESSION AUTHORIZATION regress_vouch_62_una;
SELECT vouch.update_test_response(:'a_id', NULL, 'fulfilled');
SET SESSION AUTHORIZATION regress_vouch_62_oli;
SELECT vouch.update_test_response(:'a_id', NULL, 'done');
SELECT r ->> 'response_status' AS status, (r ->> 'turnaround_hours')::numeric < 1 AS quick, r ->> 'impact' AS impact FROM vouch.update_test_response(:'a_id', NULL, 'partial', 'first half') AS r;
SELECT r ->> 'response_status' AS status FROM vouch.update_test_response(:'a_id', 'regress_vouch_62_oli', 'fulfilled', 'all of it') AS r;
\set VERBOSITY terse
SELECT vouch.update_test_response(:'a_id', NULL, 'rejected');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.update_test_response('00000000-0000-0000-0000-000000000000', NULL, 'fulfilled');
SELECT vouch.update_test_response(vouch_data.event_id(5), NULL, 'fulfilled') IS NULL;
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT test_execution_id, action_type, request_reason, requested_by, response_status, response_notes, responded_by, impact
FROM vouch.test_execution_audit WHERE cycle_id = 62;

-- A delay is told from the times: 30 hours are minor, four days major.
RESET SESSION AUTHORIZATION;
SELECT audit_id AS id FROM vouch.test_execution_audit WHERE cycle_id = 62 \gset old_
SET vouch.restoring = on;
UPDATE vouch_data.test_action SET response_status = NULL, responded_at = NULL, requested_at = now() - interval '30 hours' WHERE cycle_id = 62;
RESET vouch.restoring;
SET SESSION AUTHORIZATION regress_vouch_62_oli;
SELECT round((r ->> 'turnaround_hours')::numeric) AS hours, r ->> 'impact' AS impact FROM vouch.update_test_response(:'old_id', NULL, 'partial') AS r;
RESET SESSION AUTHORIZATION;
SET vouch.restoring = on;
UPDATE vouch_data.test_action SET requested_at = now() - interval '4 days' WHERE cycle_id = 62;
RESET vouch.restoring;
SET SESSION AUTHORIZATION regress_vouch_62_oli;
SELECT round((r ->> 'turnaround_hours')::numeric) AS hours, r ->> 'impact' AS impact FROM vouch.update_test_response(:'old_id', NULL, 'rejected', 'cannot') AS r;

-- Nobody writes the records by hand, and not even their owner rewrites the histories.
UPDATE vouch_data.document_submission SET status = 'accepted';
DELETE FROM vouch_data.data_owner_change;
RESET SESSION AUTHORIZATION;
DELETE FROM vouch_data.data_owner_change;
\echo :LAST_ERROR_SQLSTATE
UPDATE vouch_data.document_revision SET reason = 'none';

-- Every record has its entry in the log, under the name of who did it.
SELECT phase, lob_id, operation_number, operation_type, actor, version_number FROM vouch.workflow_version_operations WHERE cycle_id = 62 ORDER BY phase_no, lob_id, operation_number;

SELECT bool_and(vouch.revoke_role(actor, role, scope)) AS revoked FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_62\_%' AND revoked_at IS NULL;
DROP OWNED BY regress_vouch_62_ann, regress_vouch_62_dex, regress_vouch_62_oli, regress_vouch_62_una;
DROP ROLE regress_vouch_62_ann, regress_vouch_62_dex, regress_vouch_62_oli, regress_vouch_62_una;
