-- explain.sql: who can sign, who has, what waits for whom, and what was said of it.

CREATE FUNCTION vouch.explain_approval(version_id uuid, OUT stage int, OUT stage_name text, OUT role text,
	OUT needed int, OUT have int, OUT actor text, OUT can_sign boolean, OUT why text, OUT signed_at timestamptz, OUT for_items text,
	OUT reason text, OUT on_behalf_of text)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_explain_approval';
COMMENT ON FUNCTION vouch.explain_approval(uuid) IS
'Who can sign a version, who cannot, and why: for each stage and role of its policy, how many signatures it needs and has (needed, have), and a row per person who holds the role or a delegation of it, or has signed; actor is NULL when nobody does, or the rule is not asked of this version. for_items: which items the signature is for; NULL: all. reason says why in a word: can_sign; scope, role, delegation, not_delegable, duties: never, as things are; signed, signed_for, other_signer, dead_end, closed, stage, complete: not now; not_asked, by_rule, nobody: of the rule itself. on_behalf_of: for whom, under a delegation; delegations that ended since the request was opened, or are yet to begin, are listed, too. For a draft, as if it were submitted now';

CREATE FUNCTION vouch_data.pending_rules(for_actor text DEFAULT NULL, in_bucket int DEFAULT NULL,
	OUT bucket int, OUT artifact_no int, OUT version_no int, OUT round int, OUT policy text,
	OUT stage_no int, OUT stage text, OUT role text, OUT needed int, OUT have int, OUT who text[],
	OUT acting_for text, OUT undecided bigint, OUT since timestamptz, OUT due timestamptz, OUT escalated boolean,
	OUT expires timestamptz, OUT for_items text)
RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_pending_rules';
COMMENT ON FUNCTION vouch_data.pending_rules(text, int) IS
'The signatures that open requests wait for, in stages that are open: who can give them now, and since when; only those that for_actor can give, for acting_for under a delegation; only those of one bucket';

CREATE FUNCTION vouch_data.version_digest(bucket int, artifact_no int, version_no int) RETURNS bytea
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_version_digest';
COMMENT ON FUNCTION vouch_data.version_digest(int, int, int) IS 'Digest of a version''s content and verdicts as they stand: what a signature now would be over';

CREATE FUNCTION vouch_data.recheck_request(version_id uuid) RETURNS text
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_recheck_request';
COMMENT ON FUNCTION vouch_data.recheck_request(uuid) IS
'Derives a version''s state anew, from its policy''s pinned revision and its signatures alone, and compares it with what is stored; NULL when all agrees, else what does not';

CREATE FUNCTION vouch_data.reminded(bucket int, artifact_no int, version_no int, round int, stage_no int) RETURNS int
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT count(*)::int FROM vouch_data.reminder r
	WHERE r.bucket = reminded.bucket AND r.artifact_no = reminded.artifact_no AND r.version_no = reminded.version_no
		AND r.round = reminded.round AND r.stage_no = reminded.stage_no AND r.kind = 'reminder'
$$;
COMMENT ON FUNCTION vouch_data.reminded(int, int, int, int, int) IS 'How many reminders a stage of a request has had';

CREATE VIEW vouch.pending_approvals WITH (security_invoker = true) AS
SELECT p.label AS phase, a.subject, a.scope, r.version_no AS version_number, r.stage, r.role, r.needed, r.have,
	array_to_string(r.who, ', ') AS who, r.undecided, r.since, r.due, r.due < now() AS overdue,
	a.phase AS phase_key, vouch_data.version_id(r.bucket, r.artifact_no, r.version_no) AS version_id,
	r.expires, r.for_items, vouch_data.reminded(r.bucket, r.artifact_no, r.version_no, r.round, r.stage_no) AS reminders,
	r.escalated
FROM vouch_data.pending_rules() r
JOIN vouch_data.artifact a ON a.bucket = r.bucket AND a.artifact_no = r.artifact_no
JOIN vouch_data.phase p ON p.phase = a.phase;
COMMENT ON VIEW vouch.pending_approvals IS 'The signatures that submitted versions wait for now';
COMMENT ON COLUMN vouch.pending_approvals.phase IS 'Phase, as people call it';
COMMENT ON COLUMN vouch.pending_approvals.subject IS 'What it is about';
COMMENT ON COLUMN vouch.pending_approvals.scope IS 'Line of business, or empty';
COMMENT ON COLUMN vouch.pending_approvals.version_number IS 'Number of the version';
COMMENT ON COLUMN vouch.pending_approvals.stage IS 'Stage of the policy';
COMMENT ON COLUMN vouch.pending_approvals.role IS 'Role whose signature is missing';
COMMENT ON COLUMN vouch.pending_approvals.needed IS 'How many signatures of the role are needed';
COMMENT ON COLUMN vouch.pending_approvals.have IS 'How many there are';
COMMENT ON COLUMN vouch.pending_approvals.who IS 'Who can sign now, separated by commas';
COMMENT ON COLUMN vouch.pending_approvals.undecided IS 'How many items need a verdict first';
COMMENT ON COLUMN vouch.pending_approvals.since IS 'Since when the stage is open';
COMMENT ON COLUMN vouch.pending_approvals.due IS 'When it is due; null: no date';
COMMENT ON COLUMN vouch.pending_approvals.overdue IS 'True when that is past';
COMMENT ON COLUMN vouch.pending_approvals.phase_key IS 'Key of the phase';
COMMENT ON COLUMN vouch.pending_approvals.version_id IS 'Id of the version';
COMMENT ON COLUMN vouch.pending_approvals.expires IS 'When the request ends unapproved; null: never';
COMMENT ON COLUMN vouch.pending_approvals.for_items IS 'Which items the signature is for; null: all';
COMMENT ON COLUMN vouch.pending_approvals.reminders IS 'How many reminders there were';
COMMENT ON COLUMN vouch.pending_approvals.escalated IS 'True when the stage has escalated: who holds escalate_to may sign, too';

CREATE FUNCTION vouch.my_tasks(actor text DEFAULT NULL)
RETURNS TABLE (phase text, subject text, scope text, version_number int, what text, since timestamptz, due timestamptz, version_id uuid,
	expires timestamptz, reminders int)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT p.label, a.subject, a.scope, r.version_no,
		CASE WHEN r.undecided = 0 THEN '' WHEN r.undecided = 1 THEN 'decide 1 item, then '
			ELSE 'decide ' || r.undecided || ' items, then ' END
		|| 'sign as ' || r.role || coalesce(' for ' || r.acting_for, '') || coalesce(', for items with ' || r.for_items, ''),
		r.since, r.due, vouch_data.version_id(r.bucket, r.artifact_no, r.version_no),
		r.expires, vouch_data.reminded(r.bucket, r.artifact_no, r.version_no, r.round, r.stage_no)
	FROM vouch_data.pending_rules(coalesce(my_tasks.actor, vouch.actor())) r
	JOIN vouch_data.artifact a ON a.bucket = r.bucket AND a.artifact_no = r.artifact_no
	JOIN vouch_data.phase p ON p.phase = a.phase
	UNION ALL
	SELECT p.label, a.subject, a.scope, v.version_no, 'finish the draft and submit it', v.created_at, NULL,
		vouch_data.version_id(v.bucket, v.artifact_no, v.version_no), NULL, 0
	FROM vouch_data.version v
	JOIN vouch_data.artifact a ON a.bucket = v.bucket AND a.artifact_no = v.artifact_no
	JOIN vouch_data.phase p ON p.phase = a.phase
	WHERE v.state = 'draft' AND v.created_by = coalesce(my_tasks.actor, vouch.actor())
	ORDER BY 7 NULLS LAST, 9 NULLS LAST, 6, 2, 1
$$;
COMMENT ON FUNCTION vouch.my_tasks(text) IS
'Everything that waits for a person (default: who acts), most urgent first: versions to decide and sign, in their own right or for somebody, and drafts of theirs to finish. since: when it began to wait; due: NULL when the policy sets no date; expires: when the request ends unapproved; reminders: how many there were';

CREATE FUNCTION vouch_data.open_signatures(bucket int, artifact_no int, version_no int,
	OUT signature_no int, OUT stale boolean, OUT revoked boolean, OUT expired boolean, OUT counts boolean)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT ROWS 10 AS 'MODULE_PATHNAME', 'vouch_sql_open_signatures';
COMMENT ON FUNCTION vouch_data.open_signatures(int, int, int) IS
'What each signature of a version''s open request is worth: stale when what it is for has changed since, revoked, expired, and whether it counts';

CREATE VIEW vouch.signatures WITH (security_invoker = true) AS
SELECT p.label AS phase, a.subject, a.scope, s.version_no AS version_number, s.round, s.signature_no, t.name AS stage, s.role,
	s.verdict, s.signer, s.acting_for, s.meaning, s.comment, s.signed_at,
	CASE WHEN s.verdict = 'revoke' THEN false
		WHEN r.state = 'open' THEN coalesce((SELECT x.stale FROM vouch_data.open_signatures(s.bucket, s.artifact_no, s.version_no) x
			WHERE x.signature_no = s.signature_no), false)
		WHEN s.scope_digest IS NOT NULL THEN coalesce(s.scope_digest <> ALL (r.closing_parts), false)
		ELSE s.content_digest IS DISTINCT FROM coalesce(r.closing_digest, s.content_digest) END AS stale,
	s.db_user, s.for_group, s.delegation_id, r.policy, r.policy_revision, s.content_digest, a.phase AS phase_key,
	vouch_data.version_id(s.bucket, s.artifact_no, s.version_no) AS version_id, s.scope_digest, s.revokes, s.logged_in_at,
	EXISTS (SELECT FROM vouch_data.signature x WHERE x.bucket = s.bucket AND x.artifact_no = s.artifact_no
		AND x.version_no = s.version_no AND x.round = s.round AND x.revokes = s.signature_no) AS revoked,
	'version ' || s.from_version_no || ', round ' || s.from_round || ', signature ' || s.from_signature_no AS carried_from
FROM vouch_data.signature s
JOIN vouch_data.approval_request r
	ON r.bucket = s.bucket AND r.artifact_no = s.artifact_no AND r.version_no = s.version_no AND r.round = s.round
JOIN vouch_data.policy_stage t ON t.policy = r.policy AND t.revision = r.policy_revision AND t.stage_no = s.stage_no
JOIN vouch_data.artifact a ON a.bucket = s.bucket AND a.artifact_no = s.artifact_no
JOIN vouch_data.phase p ON p.phase = a.phase;
COMMENT ON VIEW vouch.signatures IS 'All signatures; stale is worked out, which for a version that is still pending means reading its items';
COMMENT ON COLUMN vouch.signatures.phase IS 'Phase, as people call it';
COMMENT ON COLUMN vouch.signatures.subject IS 'What it is about';
COMMENT ON COLUMN vouch.signatures.scope IS 'Line of business, or empty';
COMMENT ON COLUMN vouch.signatures.version_number IS 'Number of the version';
COMMENT ON COLUMN vouch.signatures.round IS 'The how manieth submission of the version';
COMMENT ON COLUMN vouch.signatures.signature_no IS 'Number in the round';
COMMENT ON COLUMN vouch.signatures.stage IS 'Stage of the policy';
COMMENT ON COLUMN vouch.signatures.role IS 'Role in which it was given';
COMMENT ON COLUMN vouch.signatures.verdict IS 'approve, reject, needs_changes, or revoke';
COMMENT ON COLUMN vouch.signatures.signer IS 'Who signed';
COMMENT ON COLUMN vouch.signatures.acting_for IS 'For whom, under a delegation';
COMMENT ON COLUMN vouch.signatures.meaning IS 'What it means, by the policy';
COMMENT ON COLUMN vouch.signatures.comment IS 'What the signer said';
COMMENT ON COLUMN vouch.signatures.signed_at IS 'When';
COMMENT ON COLUMN vouch.signatures.stale IS 'True when verdicts on what it is for were changed after it, so that it does not count';
COMMENT ON COLUMN vouch.signatures.db_user IS 'Role that the session had logged in as';
COMMENT ON COLUMN vouch.signatures.for_group IS 'Group that it counts for';
COMMENT ON COLUMN vouch.signatures.delegation_id IS 'The delegation under which it was given';
COMMENT ON COLUMN vouch.signatures.policy IS 'Policy of the request';
COMMENT ON COLUMN vouch.signatures.policy_revision IS 'Its revision';
COMMENT ON COLUMN vouch.signatures.content_digest IS 'Digest of content and verdicts as signed';
COMMENT ON COLUMN vouch.signatures.phase_key IS 'Key of the phase';
COMMENT ON COLUMN vouch.signatures.version_id IS 'Id of the version';
COMMENT ON COLUMN vouch.signatures.scope_digest IS 'Digest of the items that it is for; null: it is for all';
COMMENT ON COLUMN vouch.signatures.logged_in_at IS 'When the signer had logged in to the session; null where it was not their own';
COMMENT ON COLUMN vouch.signatures.revokes IS 'Number of the signature that it takes back';
COMMENT ON COLUMN vouch.signatures.revoked IS 'True when its signer took it back';
COMMENT ON COLUMN vouch.signatures.carried_from IS 'The signature of an earlier round that it repeats';

CREATE VIEW vouch.reminders WITH (security_invoker = true) AS
SELECT p.label AS phase, a.subject, a.scope, m.version_no AS version_number, m.round, t.name AS stage, m.reminder_no, m.roles, m.people,
	m.due_at, m.reminded_at, r.state = 'open' AS still_open, a.phase AS phase_key,
	vouch_data.version_id(m.bucket, m.artifact_no, m.version_no) AS version_id, m.kind
FROM vouch_data.reminder m
JOIN vouch_data.approval_request r
	ON r.bucket = m.bucket AND r.artifact_no = m.artifact_no AND r.version_no = m.version_no AND r.round = m.round
JOIN vouch_data.policy_stage t ON t.policy = r.policy AND t.revision = r.policy_revision AND t.stage_no = m.stage_no
JOIN vouch_data.artifact a ON a.bucket = m.bucket AND a.artifact_no = m.artifact_no
JOIN vouch_data.phase p ON p.phase = a.phase;
COMMENT ON VIEW vouch.reminders IS 'What time had to say of signatures that were missing: reminders, overdue stages, escalations; for whatever sends them on';
COMMENT ON COLUMN vouch.reminders.phase IS 'Phase, as people call it';
COMMENT ON COLUMN vouch.reminders.subject IS 'What it is about';
COMMENT ON COLUMN vouch.reminders.scope IS 'Line of business, or empty';
COMMENT ON COLUMN vouch.reminders.version_number IS 'Number of the version';
COMMENT ON COLUMN vouch.reminders.round IS 'The how manieth submission of the version';
COMMENT ON COLUMN vouch.reminders.stage IS 'Stage of the policy';
COMMENT ON COLUMN vouch.reminders.reminder_no IS 'Number in the round and stage';
COMMENT ON COLUMN vouch.reminders.roles IS 'Roles whose signatures were missing';
COMMENT ON COLUMN vouch.reminders.people IS 'Who could sign then';
COMMENT ON COLUMN vouch.reminders.due_at IS 'When it was due by the policy';
COMMENT ON COLUMN vouch.reminders.reminded_at IS 'When it was written';
COMMENT ON COLUMN vouch.reminders.still_open IS 'True while the request is open';
COMMENT ON COLUMN vouch.reminders.phase_key IS 'Key of the phase';
COMMENT ON COLUMN vouch.reminders.version_id IS 'Id of the version';
COMMENT ON COLUMN vouch.reminders.kind IS 'reminder, overdue or escalation';

CREATE VIEW vouch.delegations WITH (security_invoker = true) AS
SELECT d.delegation_id, d.from_actor, d.to_actor, d.role, d.scope, d.valid_from, d.valid_to, d.reason,
	d.revoked_at IS NULL AND d.valid_from <= now() AND d.valid_to > now() AS valid_now, d.revoked_by, d.revoked_at
FROM vouch_data.delegation d;
COMMENT ON VIEW vouch.delegations IS 'Who may sign for whom, and might once';
COMMENT ON COLUMN vouch.delegations.delegation_id IS 'Id, for vouch.revoke_delegation()';
COMMENT ON COLUMN vouch.delegations.from_actor IS 'Who delegated';
COMMENT ON COLUMN vouch.delegations.to_actor IS 'Who may act for them';
COMMENT ON COLUMN vouch.delegations.role IS 'In which role';
COMMENT ON COLUMN vouch.delegations.scope IS 'For which line of business; empty: all';
COMMENT ON COLUMN vouch.delegations.valid_from IS 'From when on';
COMMENT ON COLUMN vouch.delegations.valid_to IS 'Until before when';
COMMENT ON COLUMN vouch.delegations.reason IS 'Why';
COMMENT ON COLUMN vouch.delegations.valid_now IS 'True when it can be used now';
COMMENT ON COLUMN vouch.delegations.revoked_by IS 'Who ended it early';
COMMENT ON COLUMN vouch.delegations.revoked_at IS 'When it was ended early';

CREATE VIEW vouch.policies WITH (security_invoker = true) AS
SELECT p.policy, p.revision, p.revision = max(p.revision) OVER (PARTITION BY p.policy) AS is_current,
	p.description, p.items, p.definition, p.created_by, p.created_at
FROM vouch_data.policy p;
COMMENT ON VIEW vouch.policies IS 'All revisions of all policies';
COMMENT ON COLUMN vouch.policies.policy IS 'Name';
COMMENT ON COLUMN vouch.policies.revision IS 'Revision';
COMMENT ON COLUMN vouch.policies.is_current IS 'True for the revision under which versions are submitted now';
COMMENT ON COLUMN vouch.policies.description IS 'What it asks for';
COMMENT ON COLUMN vouch.policies.items IS 'none, decided or all_approved';
COMMENT ON COLUMN vouch.policies.definition IS 'The whole of it, as vouch.define_policy() takes it';
COMMENT ON COLUMN vouch.policies.created_by IS 'Who defined it';
COMMENT ON COLUMN vouch.policies.created_at IS 'When';

-- Rights ------------------------------------------------------------------------------

GRANT EXECUTE ON FUNCTION vouch.explain_approval(uuid), vouch.my_tasks(text),
	vouch_data.pending_rules(text, int), vouch_data.version_digest(int, int, int), vouch_data.recheck_request(uuid),
	vouch_data.open_signatures(int, int, int), vouch_data.reminded(int, int, int, int, int)
	TO vouch_reader;
