-- What a signer takes back, and what time does: it reminds, it ends, and it never approves.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
CREATE ROLE regress_vouch_d_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_d_olga LOGIN IN ROLE vouch_user;		-- report owner
CREATE ROLE regress_vouch_d_lea LOGIN IN ROLE vouch_user;		-- test lead
SELECT count(vouch.grant_role('regress_vouch_d_' || a, r)) FROM (VALUES ('tess', 'tester'), ('olga', 'report_owner'), ('lea', 'test_lead')) AS v(a, r);
SELECT vouch.define_policy('timed', '{
	"stages": [{"name": "review", "remind_every": "1 day", "expire_after": "10 days", "rules": [{"role": "report_owner", "ttl": "5 days"}]},
		{"name": "release", "after": ["review"], "expire_after": "2 days", "rules": [{"role": "test_lead"}]}]}');
SELECT vouch.set_policy('scoping', 'timed', scope => 'timed');

-- Makes the requests of a version, and what was signed of it, so much older.  What follows is
-- one transaction each time, so that no worker is quicker.
CREATE FUNCTION pass(version uuid, t interval) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	PERFORM set_config('vouch.restoring', 'on', true);
	UPDATE vouch_data.approval_request SET opened_at = opened_at - t, next_at = next_at - t, closed_at = closed_at - t
	WHERE bucket = vouch.bucket_of(version) AND artifact_no = vouch_data.artifact_number(version);
	UPDATE vouch_data.reminder SET due_at = due_at - t, reminded_at = reminded_at - t
	WHERE bucket = vouch.bucket_of(version) AND artifact_no = vouch_data.artifact_number(version);
	UPDATE vouch_data.signature SET signed_at = signed_at - t
	WHERE bucket = vouch.bucket_of(version) AND artifact_no = vouch_data.artifact_number(version);
	PERFORM set_config('vouch.restoring', 'off', true);
END $$;

SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_version('scoping', 39, 1, '[{"attribute_id": "a", "in_scope": true, "rationale": "material", "risk_rating": "high"}]', scope => 'timed') AS v \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'v') r;

-- Taking back: only one's own, with a reason, while the request is open.
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.decide_where(:'v', 'approved');
\set VERBOSITY terse
SELECT vouch.revoke_signature(:'v', 'report_owner', 'too early');
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT r->'missing' AS missing FROM vouch.approve_version(:'v') r;
SELECT vouch.revoke_signature(:'v');
SET SESSION AUTHORIZATION regress_vouch_d_lea;
\set VERBOSITY terse
SELECT vouch.revoke_signature(:'v', NULL, 'hers');
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT what FROM vouch.my_tasks() WHERE version_id = :'v';
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT r->'missing' AS missing FROM vouch.revoke_signature(:'v', 'report_owner', 'signed the wrong version') r;
SELECT signature_no, verdict, signer, revokes, revoked, stale, comment FROM vouch.signatures WHERE version_id = :'v' ORDER BY 1;
SELECT stage_name, actor, can_sign, why FROM vouch.explain_approval(:'v');
SELECT operation, rule, actor, detail->>'revokes' AS revokes FROM vouch_data.operation
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') AND operation = 'revoke_signature';
-- The stage after it is shut again.
SET SESSION AUTHORIZATION regress_vouch_d_lea;
SELECT vouch.approve_version(:'v');
\echo :LAST_ERROR_SQLSTATE

-- Nothing is due: nothing is done.
SELECT vouch.process_deadlines();
RESET SESSION AUTHORIZATION;
SELECT next_at - opened_at AS next_in FROM vouch_data.approval_request WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
-- After two days and a half there is one reminder; what was missed is not made up for.
BEGIN;
SELECT pass(:'v', '60 hours');
SET SESSION AUTHORIZATION regress_vouch_d_lea;
SELECT vouch.process_deadlines();
SELECT vouch.process_deadlines();
SELECT stage, reminder_no, roles, people, still_open FROM vouch.reminders WHERE version_id = :'v';
SELECT reminders, for_items, expires > now() AS expires FROM vouch.pending_approvals WHERE version_id = :'v';
SELECT what, reminders, expires > now() AS expires FROM vouch.my_tasks('regress_vouch_d_olga') WHERE version_id = :'v';
RESET SESSION AUTHORIZATION;
SELECT pass(:'v', '12 hours');
SELECT vouch.process_deadlines();
SELECT count(*) AS reminders FROM vouch.reminders WHERE version_id = :'v';
SELECT operation, actor, detail->'people' AS people FROM vouch_data.operation
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') AND operation = 'remind' ORDER BY op_no;
COMMIT;

-- A signature has its time, too: after five days it has run out, and its stage is open again.
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT r->'missing' AS missing FROM vouch.approve_version(:'v') r;
RESET SESSION AUTHORIZATION;
BEGIN;
SELECT pass(:'v', '5 days');
SELECT actor, can_sign, why FROM vouch.explain_approval(:'v') WHERE stage_name = 'review' AND on_behalf_of IS NULL;
SELECT stage, role FROM vouch.pending_approvals WHERE version_id = :'v';

-- And the request: nobody signs what has expired, whether or not somebody has come to say so.
SELECT pass(:'v', '5 days');
SELECT ok, detail FROM vouch.verify('cycle-39-report-1') WHERE check_name = 'approvals' AND NOT ok AND detail NOT LIKE 'The log%';
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.approve_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide(:'v', '{"a": "rejected"}');
SELECT actor, can_sign, why FROM vouch.explain_approval(:'v') WHERE stage_name = 'review' AND on_behalf_of IS NULL;
SELECT vouch.process_deadlines();
SELECT vouch.process_deadlines();
SELECT v.state, v.closed_by, v.close_reason, r.state AS request, r.closed_by, r.next_at
FROM vouch_data.version v JOIN vouch_data.approval_request r USING (bucket, artifact_no, version_no)
WHERE v.bucket = vouch.bucket_of(:'v') AND v.artifact_no = vouch_data.artifact_number(:'v');
SELECT operation, rule, actor, detail->>'request_rule' AS request_rule FROM vouch_data.operation
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') AND operation = 'expire';
SELECT still_open, count(*) FROM vouch.reminders WHERE version_id = :'v' GROUP BY 1;
RESET SESSION AUTHORIZATION;
COMMIT;
-- What is wrong is what pass() did: signatures are older than the log says.
SELECT check_name, first_bad, detail FROM vouch.verify('cycle-39-report-1') WHERE NOT ok;

-- It goes on as a revision; what was approved is not unsigned.
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_revision(:'v', reason => 'nobody had time') AS w \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'w') r;
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.decide_where(:'w', 'approved');
SELECT r->'missing' AS missing FROM vouch.approve_version(:'w') r;
SET SESSION AUTHORIZATION regress_vouch_d_lea;
SELECT r->>'state' AS state FROM vouch.approve_version(:'w') r;
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.revoke_signature(:'w', 'report_owner', 'changed my mind');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
-- An approved version keeps its approval when its signatures are old.
BEGIN;
SELECT pass(:'w', '1000 days');
SELECT vouch.process_deadlines();
SELECT vouch_data.recheck_request(:'w');
ROLLBACK;

-- What is due is said once, and so is that another role may sign from now on; neither changes what was signed.
SELECT vouch.define_policy('timed', '{"items": "none", "stages": [{"name": "review", "due": "2 days", "escalate_after": "3 days", "escalate_to": "test_lead",
	"remind_every": "7 days", "rules": [{"role": "report_owner", "quorum": 2}]}]}');
SELECT vouch.grant_role('regress_vouch_d_tess', 'report_owner'), vouch.grant_role('regress_vouch_d_sam', 'report_owner');
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_version('scoping', 39, 2, '[{"attribute_id": "a", "in_scope": true, "rationale": "material", "risk_rating": "high"}]', scope => 'timed') AS x \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'x') r;
RESET SESSION AUTHORIZATION;
SELECT next_at - opened_at AS next_in FROM vouch_data.approval_request WHERE bucket = vouch.bucket_of(:'x') AND artifact_no = vouch_data.artifact_number(:'x');
BEGIN;
SELECT pass(:'x', '2 days');
SELECT vouch.process_deadlines(), vouch.process_deadlines();
SELECT kind, reminder_no, roles, people FROM vouch.reminders WHERE version_id = :'x';
SELECT overdue, escalated, reminders FROM vouch.pending_approvals WHERE version_id = :'x';
SELECT pass(:'x', '1 day');
SELECT vouch.process_deadlines(), vouch.process_deadlines();
SELECT kind, reminder_no, roles, people FROM vouch.reminders WHERE version_id = :'x' ORDER BY 2;
SELECT overdue, escalated, who FROM vouch.pending_approvals WHERE version_id = :'x';
SELECT role, needed, have, actor, can_sign, why, reason FROM vouch.explain_approval(:'x') WHERE on_behalf_of IS NULL;
SELECT operation, rule, actor, detail->'people' AS people FROM vouch_data.operation
WHERE bucket = vouch.bucket_of(:'x') AND artifact_no = vouch_data.artifact_number(:'x') AND actor = '@deadline' ORDER BY op_no;
SET SESSION AUTHORIZATION regress_vouch_d_lea;
SELECT what FROM vouch.my_tasks() WHERE version_id = :'x';
SELECT r->'waiting_for'->0->'have' AS have FROM vouch.approve_version(:'x') r;
RESET SESSION AUTHORIZATION;
SELECT pass(:'x', '4 days');
SELECT vouch.process_deadlines(), vouch.process_deadlines();
SELECT kind, reminder_no, people FROM vouch.reminders WHERE version_id = :'x' ORDER BY 2;
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT r->>'state' AS state FROM vouch.approve_version(:'x') r;
RESET SESSION AUTHORIZATION;
COMMIT;
SELECT signer, role FROM vouch.signatures WHERE version_id = :'x' ORDER BY signature_no;
SELECT vouch_data.recheck_request(:'x') AS problem;

-- One call is one transaction: it sees to 50 requests, and another to the rest.  One that fails goes behind the others.
SELECT vouch.define_policy('timed', '{"items": "none", "stages": [{"name": "review", "due": "2 days", "rules": [{"role": "report_owner"}]}]}');
CREATE TABLE many (n int, v uuid);
GRANT ALL ON many TO vouch_user;
SET SESSION AUTHORIZATION regress_vouch_d_tess;
INSERT INTO many SELECT n, vouch.create_version('scoping', 3900 + n, 1, '[{"attribute_id": "a", "in_scope": true}]', scope => 'timed') FROM generate_series(1, 53) n;
SELECT count(vouch.submit_version(v)) FROM many;
RESET SESSION AUTHORIZATION;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF EXISTS (SELECT FROM public.many WHERE n = 1 AND vouch.bucket_of(v) = NEW.bucket AND vouch_data.artifact_number(v) = NEW.artifact_no) THEN
		RAISE EXCEPTION 'the reminder of the first fails';
	END IF;
	RETURN NEW;
END $$;
SET vouch.restoring = on;
CREATE TRIGGER fail BEFORE INSERT ON vouch_data.reminder FOR EACH ROW EXECUTE FUNCTION fail();
RESET vouch.restoring;
BEGIN;
SELECT count(pass(v, '3 days' + n * interval '-1 second')) FROM many;
SET LOCAL client_min_messages = error;
SELECT vouch.process_deadlines(1);
SELECT next_at BETWEEN now() + interval '14 minutes' AND now() + interval '16 minutes' AS later FROM many JOIN vouch_data.approval_request
ON bucket = vouch.bucket_of(v) AND artifact_no = vouch_data.artifact_number(v) WHERE n = 1;
SELECT vouch.process_deadlines(1);
SELECT vouch.process_deadlines(1000);
SELECT vouch.process_deadlines();
SELECT kind, count(*), min(n), max(n) FROM many JOIN vouch.reminders ON version_id = v GROUP BY 1;
ROLLBACK;
DROP TRIGGER fail ON vouch_data.reminder;
DROP FUNCTION fail;
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT count(vouch.withdraw_version(v, 'enough')) FROM many;
RESET SESSION AUTHORIZATION;
DROP TABLE many;

-- The tables are written by these functions only.
DELETE FROM vouch_data.reminder;
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.set_policy('scoping', NULL, scope => 'timed');
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_d\_%' AND revoked_at IS NULL;
DROP FUNCTION pass;
DROP ROLE regress_vouch_d_tess, regress_vouch_d_olga, regress_vouch_d_lea;
