-- approval.sql: policies, roles, delegation, signatures.

-- Types -------------------------------------------------------------------

CREATE TYPE vouch.request_state AS ENUM
	('open', 'satisfied', 'rejected', 'returned', 'withdrawn', 'expired');
COMMENT ON TYPE vouch.request_state IS
'State of a request for approval: open until its policy is satisfied, a signature rejects it or sends it back, its version is withdrawn, or its time runs out (expired); changed only along vouch.state_machine(), machine request';
CREATE TYPE vouch.signature_verdict AS ENUM ('approve', 'reject', 'needs_changes', 'revoke');
COMMENT ON TYPE vouch.signature_verdict IS 'What a signature says of a version; revoke: that an earlier one of its signer is taken back';

-- Roles: who may do what --------------------------------------------------

CREATE TABLE vouch_data.role (
	role text PRIMARY KEY CHECK (role ~ '^[a-z][a-z0-9_]*$'),
	about text NOT NULL,
	shipped boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE vouch_data.role IS 'Roles that policies name and people hold; no roles of the server';
COMMENT ON COLUMN vouch_data.role.role IS 'Name: lower case letters, digits and underscores';
COMMENT ON COLUMN vouch_data.role.about IS 'What its holders do';
COMMENT ON COLUMN vouch_data.role.shipped IS 'True when the extension brought it';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.role', 'WHERE NOT shipped');

INSERT INTO vouch_data.role (role, about, shipped) VALUES
	('tester', 'Makes versions: proposes plans, rules, scope, samples, observations and report sections', true),
	('test_lead', 'Leads the testers; signs the test report', true),
	('report_owner', 'Owns the report under test; approves what testers propose, and signs the test report', true),
	('data_owner', 'Answers for the data of a line of business; provides documents', true),
	('data_executive', 'Assigns data owners', true),
	('test_executive', 'Answers for testing; signs the test report', true),
	('records_officer', 'Takes payloads out of the records where the law asks for it; decides on nothing', true);

CREATE TABLE vouch_data.role_grant (
	actor text NOT NULL CHECK (actor <> ''),
	role text NOT NULL,
	scope text NOT NULL DEFAULT '',
	granted_by text NOT NULL,
	granted_at timestamptz NOT NULL,
	revoked_by text,
	revoked_at timestamptz,
	PRIMARY KEY (actor, role, scope, granted_at),
	CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
);
CREATE UNIQUE INDEX role_grant_held ON vouch_data.role_grant (actor, role, scope) WHERE revoked_at IS NULL;
CREATE INDEX role_grant_role ON vouch_data.role_grant (role) WHERE revoked_at IS NULL;
COMMENT ON TABLE vouch_data.role_grant IS 'Who holds which role, since when, and until when; rows are never deleted';
COMMENT ON COLUMN vouch_data.role_grant.actor IS 'Who holds the role: a name as vouch.actor() gives it';
COMMENT ON COLUMN vouch_data.role_grant.role IS 'The role';
COMMENT ON COLUMN vouch_data.role_grant.scope IS 'Line of business that it is good for; the empty text means all';
COMMENT ON COLUMN vouch_data.role_grant.granted_by IS 'Who granted it';
COMMENT ON COLUMN vouch_data.role_grant.granted_at IS 'Since when it is held';
COMMENT ON COLUMN vouch_data.role_grant.revoked_by IS 'Who took it back';
COMMENT ON COLUMN vouch_data.role_grant.revoked_at IS 'When it was taken back; null while it is held';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.role_grant', '');

CREATE TABLE vouch_data.delegation (
	delegation_id uuid PRIMARY KEY,
	from_actor text NOT NULL,
	to_actor text NOT NULL CHECK (to_actor <> ''),
	role text NOT NULL,
	scope text NOT NULL DEFAULT '',
	valid_from timestamptz NOT NULL,
	valid_to timestamptz NOT NULL,
	reason text NOT NULL,
	created_at timestamptz NOT NULL,
	revoked_by text,
	revoked_at timestamptz,
	CHECK (from_actor <> to_actor),
	CHECK (valid_from < valid_to),
	CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
);
CREATE INDEX delegation_to ON vouch_data.delegation (to_actor, role) WHERE revoked_at IS NULL;
COMMENT ON TABLE vouch_data.delegation IS
'Who may sign for whom; only a role that one holds oneself can be delegated, so a delegation is never passed on. Rows are never deleted';
COMMENT ON COLUMN vouch_data.delegation.delegation_id IS 'Its id, which signatures under it name';
COMMENT ON COLUMN vouch_data.delegation.from_actor IS 'Who delegates: the actor who called vouch.delegate()';
COMMENT ON COLUMN vouch_data.delegation.to_actor IS 'Who may act for them';
COMMENT ON COLUMN vouch_data.delegation.role IS 'In which role';
COMMENT ON COLUMN vouch_data.delegation.scope IS 'For which line of business; the empty text means all that from_actor holds';
COMMENT ON COLUMN vouch_data.delegation.valid_from IS 'From when on';
COMMENT ON COLUMN vouch_data.delegation.valid_to IS 'Until before when; infinity: until it is revoked';
COMMENT ON COLUMN vouch_data.delegation.reason IS 'Why';
COMMENT ON COLUMN vouch_data.delegation.created_at IS 'When it was given';
COMMENT ON COLUMN vouch_data.delegation.revoked_by IS 'Who ended it early';
COMMENT ON COLUMN vouch_data.delegation.revoked_at IS 'When it was ended early';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.delegation', '');

-- Policies ------------------------------------------------------------------

CREATE TABLE vouch_data.policy (
	policy text NOT NULL,
	revision int NOT NULL CHECK (revision >= 1),
	description text NOT NULL,
	items text NOT NULL CHECK (items IN ('none', 'decided', 'all_approved')),
	allow_empty boolean NOT NULL,
	definition jsonb NOT NULL,
	created_by text NOT NULL,
	created_at timestamptz NOT NULL,
	shipped boolean NOT NULL DEFAULT false,
	PRIMARY KEY (policy, revision)
);
COMMENT ON TABLE vouch_data.policy IS
'Approval policies; a revision is never changed, the highest is the current one, and a request keeps the revision that it was opened with';
COMMENT ON COLUMN vouch_data.policy.policy IS 'Name';
COMMENT ON COLUMN vouch_data.policy.revision IS 'Revision: 1, 2, …';
COMMENT ON COLUMN vouch_data.policy.description IS 'What it asks for, in a sentence';
COMMENT ON COLUMN vouch_data.policy.items IS
'What must be said of the items before anybody approves: none: nothing; decided: each approved or rejected; all_approved: each approved';
COMMENT ON COLUMN vouch_data.policy.allow_empty IS 'True when a version without items may be submitted';
COMMENT ON COLUMN vouch_data.policy.definition IS 'The whole of it as vouch.define_policy() takes it, with all defaults filled in';
COMMENT ON COLUMN vouch_data.policy.created_by IS 'Who defined it';
COMMENT ON COLUMN vouch_data.policy.created_at IS 'When it was defined';
COMMENT ON COLUMN vouch_data.policy.shipped IS 'True when the extension brought it';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.policy', 'WHERE NOT shipped');

CREATE TABLE vouch_data.policy_stage (
	policy text NOT NULL,
	revision int NOT NULL,
	stage_no int NOT NULL,
	name text NOT NULL,
	after_stage int[] NOT NULL DEFAULT '{}',
	on_reject text NOT NULL CHECK (on_reject IN ('reject', 'return')),
	due interval,
	escalate_after interval,
	escalate_to text,
	remind_every interval,
	expire_after interval,
	PRIMARY KEY (policy, revision, stage_no),
	UNIQUE (policy, revision, name),
	CHECK ((escalate_after IS NULL) = (escalate_to IS NULL))
);
COMMENT ON TABLE vouch_data.policy_stage IS 'Stages of a policy; stages without after_stage are open from the start, in parallel';
COMMENT ON COLUMN vouch_data.policy_stage.policy IS 'The policy';
COMMENT ON COLUMN vouch_data.policy_stage.revision IS 'Its revision';
COMMENT ON COLUMN vouch_data.policy_stage.stage_no IS 'Number of the stage: 1, 2, …';
COMMENT ON COLUMN vouch_data.policy_stage.name IS 'Name of the stage';
COMMENT ON COLUMN vouch_data.policy_stage.after_stage IS 'Stages that must be satisfied before this one opens';
COMMENT ON COLUMN vouch_data.policy_stage.on_reject IS
'reject: reviewers approve or reject; return: they may also send the version back with vouch.return_version()';
COMMENT ON COLUMN vouch_data.policy_stage.due IS 'Time from its opening after which it is overdue; only shown, time never approves';
COMMENT ON COLUMN vouch_data.policy_stage.escalate_after IS 'Time from its opening after which escalate_to may sign, too';
COMMENT ON COLUMN vouch_data.policy_stage.escalate_to IS 'Role that may sign after that time';
COMMENT ON COLUMN vouch_data.policy_stage.remind_every IS 'How often its signers are reminded, from its opening on; null: never';
COMMENT ON COLUMN vouch_data.policy_stage.expire_after IS 'Time from its opening after which the request ends unapproved, unless the stage is satisfied; null: never';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.policy_stage',
	'WHERE (policy, revision) IN (SELECT p.policy, p.revision FROM vouch_data.policy p WHERE NOT p.shipped)');

CREATE TABLE vouch_data.policy_rule (
	policy text NOT NULL,
	revision int NOT NULL,
	stage_no int NOT NULL,
	rule_no int NOT NULL,
	role text NOT NULL,
	quorum int NOT NULL CHECK (quorum BETWEEN 1 AND 100),
	groups text[],
	meaning text NOT NULL,
	exclude_creator boolean NOT NULL,
	exclude_contributors boolean NOT NULL,
	exclude_submitter boolean NOT NULL,
	exclude_other_signers boolean NOT NULL,
	reauth_max_age interval,
	delegable boolean NOT NULL,
	veto boolean NOT NULL,
	group_by text,
	scope jsonb,
	applies_if jsonb,
	carry boolean NOT NULL,
	ttl interval,
	several_groups boolean NOT NULL,
	PRIMARY KEY (policy, revision, stage_no, rule_no)
);
COMMENT ON TABLE vouch_data.policy_rule IS 'Signatures that a stage asks for; it is satisfied when all its rules are';
COMMENT ON COLUMN vouch_data.policy_rule.policy IS 'The policy';
COMMENT ON COLUMN vouch_data.policy_rule.revision IS 'Its revision';
COMMENT ON COLUMN vouch_data.policy_rule.stage_no IS 'The stage';
COMMENT ON COLUMN vouch_data.policy_rule.rule_no IS 'Number of the rule in its stage: 1, 2, …';
COMMENT ON COLUMN vouch_data.policy_rule.role IS 'Role whose holders sign; @auto: signed by rule in the submitter''s name as soon as the stage is open';
COMMENT ON COLUMN vouch_data.policy_rule.quorum IS 'How many people must sign (from each group, where there are groups)';
COMMENT ON COLUMN vouch_data.policy_rule.groups IS 'Scopes of the role, each of which must sign; null: the role is needed in the version''s own scope';
COMMENT ON COLUMN vouch_data.policy_rule.meaning IS 'What a signature under this rule means; recorded with it';
COMMENT ON COLUMN vouch_data.policy_rule.exclude_creator IS 'Keeps out who created the version';
COMMENT ON COLUMN vouch_data.policy_rule.exclude_contributors IS 'Keeps out everybody who made or changed something that the version shows';
COMMENT ON COLUMN vouch_data.policy_rule.exclude_submitter IS 'Keeps out who submitted the version';
COMMENT ON COLUMN vouch_data.policy_rule.exclude_other_signers IS 'Keeps out who signs the version under another rule: different people must sign';
COMMENT ON COLUMN vouch_data.policy_rule.reauth_max_age IS 'How long ago the signer may have logged in; null: any time';
COMMENT ON COLUMN vouch_data.policy_rule.delegable IS 'True when a delegate may sign for a holder';
COMMENT ON COLUMN vouch_data.policy_rule.group_by IS 'Payload field whose values in the items are the groups, each signing for its own items; null: groups says them, or there are none';
COMMENT ON COLUMN vouch_data.policy_rule.scope IS 'What the payloads of the items that a signature is for contain; null: it is for all items';
COMMENT ON COLUMN vouch_data.policy_rule.applies_if IS 'When the rule applies, judged at submission: {"metadata": what the version''s metadata contains, "item": what payloads contain that are counted, "min_items": how many there must be}; null: always';
COMMENT ON COLUMN vouch_data.policy_rule.carry IS 'True when an approval stays good in a later round in which nothing changed of what it is for';
COMMENT ON COLUMN vouch_data.policy_rule.ttl IS 'How long an approval counts; null: for ever';
COMMENT ON COLUMN vouch_data.policy_rule.several_groups IS 'True when one person may sign for several of the groups; false: a different one for each';
COMMENT ON COLUMN vouch_data.policy_rule.veto IS 'True when one rejection ends the request; false: it takes as many as the quorum';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.policy_rule',
	'WHERE (policy, revision) IN (SELECT p.policy, p.revision FROM vouch_data.policy p WHERE NOT p.shipped)');

CREATE TABLE vouch_data.phase_policy (
	phase text NOT NULL,
	scope text NOT NULL DEFAULT '',
	set_no int NOT NULL,
	policy text,
	maker_role text,
	set_by text NOT NULL,
	set_at timestamptz NOT NULL,
	shipped boolean NOT NULL DEFAULT false,
	PRIMARY KEY (phase, scope, set_no)
);
COMMENT ON TABLE vouch_data.phase_policy IS
'Which policy a phase''s versions are approved by; of the rows of a phase and scope the one with the highest set_no is in force, the others are history';
COMMENT ON COLUMN vouch_data.phase_policy.phase IS 'The phase';
COMMENT ON COLUMN vouch_data.phase_policy.scope IS 'Line of business; the empty text is for all that have no row of their own';
COMMENT ON COLUMN vouch_data.phase_policy.set_no IS '0 as shipped, then 1, 2, …';
COMMENT ON COLUMN vouch_data.phase_policy.policy IS 'The policy; null: none of its own';
COMMENT ON COLUMN vouch_data.phase_policy.maker_role IS 'Role that who submits a version must hold; null: anybody';
COMMENT ON COLUMN vouch_data.phase_policy.set_by IS 'Who set it';
COMMENT ON COLUMN vouch_data.phase_policy.set_at IS 'When it was set';
COMMENT ON COLUMN vouch_data.phase_policy.shipped IS 'True when the extension brought it';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.phase_policy', 'WHERE NOT shipped');

-- Requests and signatures ---------------------------------------------------

CREATE TABLE vouch_data.approval_request (
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	version_no int NOT NULL,
	round int NOT NULL,
	policy text NOT NULL,
	policy_revision int NOT NULL,
	state vouch.request_state NOT NULL,
	contributors text[] NOT NULL,
	content_digest bytea NOT NULL,
	signatures int NOT NULL DEFAULT 0,
	opened_by text NOT NULL,
	opened_at timestamptz NOT NULL,
	due_at timestamptz,
	notes text,
	closed_by text,
	closed_at timestamptz,
	closing_digest bytea,
	asked jsonb,
	closing_parts bytea[],
	next_at timestamptz,
	PRIMARY KEY (bucket, artifact_no, version_no, round),
	CHECK ((state = 'open') = (closed_at IS NULL))
);
CREATE INDEX approval_request_open ON vouch_data.approval_request (bucket, artifact_no) WHERE state = 'open';
CREATE INDEX approval_request_next ON vouch_data.approval_request (next_at) WHERE state = 'open' AND next_at IS NOT NULL;
COMMENT ON TABLE vouch_data.approval_request IS 'What was submitted for approval, once per round';
COMMENT ON COLUMN vouch_data.approval_request.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.approval_request.artifact_no IS 'The artifact';
COMMENT ON COLUMN vouch_data.approval_request.version_no IS 'The version';
COMMENT ON COLUMN vouch_data.approval_request.round IS 'How many times the version had been submitted: 1, 2, …';
COMMENT ON COLUMN vouch_data.approval_request.policy IS 'The policy';
COMMENT ON COLUMN vouch_data.approval_request.policy_revision IS 'Its revision, which stays even when there are newer ones';
COMMENT ON COLUMN vouch_data.approval_request.state IS 'open, satisfied, rejected, returned, withdrawn or expired';
COMMENT ON COLUMN vouch_data.approval_request.contributors IS 'Everybody who made or changed something that the version shows, at submission (from then on that is frozen)';
COMMENT ON COLUMN vouch_data.approval_request.content_digest IS 'Merkle root of the content at submission';
COMMENT ON COLUMN vouch_data.approval_request.signatures IS 'How many signatures were given, of any verdict';
COMMENT ON COLUMN vouch_data.approval_request.opened_by IS 'Who submitted';
COMMENT ON COLUMN vouch_data.approval_request.opened_at IS 'When';
COMMENT ON COLUMN vouch_data.approval_request.due_at IS 'When the stages that are open from the start are due; null: no date';
COMMENT ON COLUMN vouch_data.approval_request.notes IS 'The submitter''s notes';
COMMENT ON COLUMN vouch_data.approval_request.closed_by IS 'Whose signature or withdrawal closed it; @deadline: time did';
COMMENT ON COLUMN vouch_data.approval_request.closed_at IS 'When it was closed';
COMMENT ON COLUMN vouch_data.approval_request.closing_digest IS 'Digest of content and verdicts when a signature closed it; signatures over another digest did not count';
COMMENT ON COLUMN vouch_data.approval_request.asked IS 'What the policy asked of this version, found at submission: an array with an object per rule, {stage, rule, role, applies, why it does not, groups}; null when no rule looks at the items or the metadata';
COMMENT ON COLUMN vouch_data.approval_request.closing_parts IS 'Digests of the parts of the version that rules are for, when it was closed, in the order of the rules; null when all rules are for all items';
COMMENT ON COLUMN vouch_data.approval_request.next_at IS 'When vouch.process_deadlines() has something to do with it; null: never, as things are';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.approval_request', '');

CREATE TABLE vouch_data.signature (
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	version_no int NOT NULL,
	round int NOT NULL,
	signature_no int NOT NULL,
	stage_no int NOT NULL,
	rule_no int NOT NULL,
	role text NOT NULL,
	for_group text,
	verdict vouch.signature_verdict NOT NULL,
	signer text NOT NULL,
	acting_for text,
	delegation_id uuid,
	meaning text NOT NULL,
	comment text,
	content_digest bytea NOT NULL,
	db_user text NOT NULL,
	signed_at timestamptz NOT NULL,
	scope_digest bytea,
	revokes int,
	from_version_no int,
	from_round int,
	from_signature_no int,
	logged_in_at timestamptz,
	PRIMARY KEY (bucket, artifact_no, version_no, round, signature_no),
	CHECK ((acting_for IS NULL) = (delegation_id IS NULL)),
	CHECK ((verdict = 'revoke') = (revokes IS NOT NULL)),
	CHECK ((from_version_no IS NULL) = (from_round IS NULL) AND (from_round IS NULL) = (from_signature_no IS NULL))
);
COMMENT ON TABLE vouch_data.signature IS 'Signatures; rows are only ever added';
COMMENT ON COLUMN vouch_data.signature.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.signature.artifact_no IS 'The artifact';
COMMENT ON COLUMN vouch_data.signature.version_no IS 'The version';
COMMENT ON COLUMN vouch_data.signature.round IS 'The round that it belongs to';
COMMENT ON COLUMN vouch_data.signature.signature_no IS 'Number in the round: 1, 2, …';
COMMENT ON COLUMN vouch_data.signature.stage_no IS 'Stage of the policy';
COMMENT ON COLUMN vouch_data.signature.rule_no IS 'Rule of the stage';
COMMENT ON COLUMN vouch_data.signature.role IS 'Role in which it was given; differs from the rule''s after an escalation';
COMMENT ON COLUMN vouch_data.signature.for_group IS 'Group that it counts for; null where the rule has none';
COMMENT ON COLUMN vouch_data.signature.verdict IS 'approve, reject, needs_changes, or revoke';
COMMENT ON COLUMN vouch_data.signature.signer IS 'Who signed';
COMMENT ON COLUMN vouch_data.signature.acting_for IS 'For whom, under a delegation';
COMMENT ON COLUMN vouch_data.signature.delegation_id IS 'The delegation';
COMMENT ON COLUMN vouch_data.signature.meaning IS 'What the signature means, by the policy';
COMMENT ON COLUMN vouch_data.signature.comment IS 'What the signer said';
COMMENT ON COLUMN vouch_data.signature.content_digest IS 'Digest of content and verdicts as signed; while the version''s is another one, the signature does not count';
COMMENT ON COLUMN vouch_data.signature.db_user IS 'Role that the session had logged in as; of one that was carried, the session in which it was';
COMMENT ON COLUMN vouch_data.signature.scope_digest IS 'Digest of content and verdicts of the items that it is for; null: it is for all, and content_digest is it';
COMMENT ON COLUMN vouch_data.signature.revokes IS 'Number of the signature of this round that it takes back';
COMMENT ON COLUMN vouch_data.signature.from_version_no IS 'Version of the signature that it was carried from';
COMMENT ON COLUMN vouch_data.signature.from_round IS 'Round of that signature';
COMMENT ON COLUMN vouch_data.signature.from_signature_no IS 'Number of that signature';
COMMENT ON COLUMN vouch_data.signature.logged_in_at IS 'When the signer had logged in to the session in which they signed; null where it was not their own (an application''s, a workflow''s), and of signatures by rule or carried';
COMMENT ON COLUMN vouch_data.signature.signed_at IS 'When; of one that was carried, when it was given first';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.signature', '');

CREATE TABLE vouch_data.reminder (
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	version_no int NOT NULL,
	round int NOT NULL,
	stage_no int NOT NULL,
	reminder_no int NOT NULL,
	kind text NOT NULL CHECK (kind IN ('reminder', 'overdue', 'escalation')),
	due_at timestamptz NOT NULL,
	reminded_at timestamptz NOT NULL,
	roles text[] NOT NULL,
	people text[] NOT NULL,
	PRIMARY KEY (bucket, artifact_no, version_no, round, stage_no, reminder_no)
);
COMMENT ON TABLE vouch_data.reminder IS 'What time had to say of what is to be signed, written by vouch.process_deadlines(); rows are only ever added';
COMMENT ON COLUMN vouch_data.reminder.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.reminder.artifact_no IS 'The artifact';
COMMENT ON COLUMN vouch_data.reminder.version_no IS 'The version';
COMMENT ON COLUMN vouch_data.reminder.round IS 'The round';
COMMENT ON COLUMN vouch_data.reminder.stage_no IS 'Stage of the policy';
COMMENT ON COLUMN vouch_data.reminder.reminder_no IS 'Number in the round and stage: 1, 2, …';
COMMENT ON COLUMN vouch_data.reminder.kind IS 'reminder: signatures are missing; overdue: the stage''s due date is past; escalation: from now on escalate_to may sign, too';
COMMENT ON COLUMN vouch_data.reminder.due_at IS 'When it was due by the policy; the next reminder is due one remind_every later';
COMMENT ON COLUMN vouch_data.reminder.reminded_at IS 'When it was written';
COMMENT ON COLUMN vouch_data.reminder.roles IS 'Roles whose signatures were missing; of an escalation, the role that may sign since';
COMMENT ON COLUMN vouch_data.reminder.people IS 'Who could sign then';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.reminder', '');

-- What is written by our C only, and what is only ever added to.
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vouch_data.approval_request
	FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.guard();
ALTER TABLE vouch_data.approval_request ENABLE ALWAYS TRIGGER guard;
DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['policy', 'policy_stage', 'policy_rule', 'signature', 'reminder'] LOOP
		EXECUTE format('CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vouch_data.%I
			FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.guard(''append-only'')', t);
		EXECUTE format('ALTER TABLE vouch_data.%I ENABLE ALWAYS TRIGGER guard', t);
	END LOOP;
	CREATE TRIGGER guard_row BEFORE UPDATE OR DELETE ON vouch_data.signature
		FOR EACH ROW EXECUTE FUNCTION vouch_data.guard('append-only');
	ALTER TABLE vouch_data.signature ENABLE ALWAYS TRIGGER guard_row;
	-- These are ended, never deleted, by the functions below.
	FOREACH t IN ARRAY ARRAY['role_grant', 'delegation'] LOOP
		EXECUTE format('CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vouch_data.%I
			FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.guard(''recorded'')', t);
		EXECUTE format('ALTER TABLE vouch_data.%I ENABLE ALWAYS TRIGGER guard', t);
	END LOOP;
END
$$;

-- A version is withdrawn by the folder below; its request goes with it.
CREATE FUNCTION vouch_data.withdraw_request() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'vouch_sql_withdraw_request';
COMMENT ON FUNCTION vouch_data.withdraw_request() IS
'Trigger: closes the request of a version that is withdrawn (rule A060)';
CREATE TRIGGER withdraw_request AFTER UPDATE OF state ON vouch_data.version
	FOR EACH ROW WHEN (NEW.state = 'withdrawn' AND OLD.state = 'pending_approval')
	EXECUTE FUNCTION vouch_data.withdraw_request();
ALTER TABLE vouch_data.version ENABLE ALWAYS TRIGGER withdraw_request;

-- Roles: functions ------------------------------------------------------------

CREATE FUNCTION vouch_data.check_role(role text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM vouch_data.role r WHERE r.role = check_role.role) THEN
		RAISE EXCEPTION 'no role is named "%"', role USING ERRCODE = 'VO502',
			DETAIL = 'The roles are ' || (SELECT string_agg(r.role, ', ' ORDER BY r.role) FROM vouch_data.role r) || '.',
			HINT = 'Add a role with vouch.define_role().';
	END IF;
	RETURN role;
END
$$;
COMMENT ON FUNCTION vouch_data.check_role(text) IS 'The role when there is one of this name, else VO502 with the names that there are';

CREATE FUNCTION vouch.define_role(role text, about text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF role IS NULL OR role !~ '^[a-z][a-z0-9_]*$' OR coalesce(about, '') = '' THEN
		RAISE EXCEPTION 'a role needs a name of lower case letters, digits and underscores, and a description'
			USING ERRCODE = 'VO502', DETAIL = 'Policies and grants name it; the description is what people read.',
			HINT = 'For example: vouch.define_role(''model_validator'', ''Checks models before they are used'').';
	END IF;
	INSERT INTO vouch_data.role VALUES (role, about) ON CONFLICT DO NOTHING;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION vouch.define_role(text, text) IS
'Adds a role that policies may name and people may hold; false when it is there already. VO502 when name or description will not do';

CREATE FUNCTION vouch.grant_role(actor text, role text, scope text DEFAULT '') RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF coalesce(actor, '') = '' THEN
		RAISE EXCEPTION 'a role must be granted to somebody' USING ERRCODE = 'VO502', DETAIL = 'The name of the person is missing.',
			HINT = 'Pass the name as vouch.actor() shows it in that person''s session.';
	END IF;
	IF actor LIKE '@%' THEN
		RAISE EXCEPTION 'nobody may act as "%"', actor USING ERRCODE = 'VO502', DETAIL = 'Names that begin with @ are those of what Vouch does by itself.',
			HINT = 'Pass the name as vouch.actor() shows it in that person''s session.';
	END IF;
	INSERT INTO vouch_data.role_grant (actor, role, scope, granted_by, granted_at)
	VALUES (actor, vouch_data.check_role(role), coalesce(scope, ''), vouch.actor(), clock_timestamp())
	ON CONFLICT DO NOTHING;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION vouch.grant_role(text, text, text) IS
'Gives a person (a name as vouch.actor() shows it) a role, for one line of business or, with the empty scope, for all; false when they hold it already. VO502 when there is no such role';

CREATE FUNCTION vouch.revoke_role(actor text, role text, scope text DEFAULT '') RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- It ends when we come to it: whoever signs by it is waited for first.
	PERFORM FROM vouch_data.role_grant g
	WHERE g.actor = revoke_role.actor AND g.role = vouch_data.check_role(revoke_role.role)
		AND g.scope = coalesce(revoke_role.scope, '') AND g.revoked_at IS NULL FOR UPDATE;
	UPDATE vouch_data.role_grant g
	SET revoked_by = vouch.actor(), revoked_at = clock_timestamp()
	WHERE g.actor = revoke_role.actor AND g.role = vouch_data.check_role(revoke_role.role)
		AND g.scope = coalesce(revoke_role.scope, '') AND g.revoked_at IS NULL;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION vouch.revoke_role(text, text, text) IS
'Takes a role back; true when it was held. Signatures given before stay good; delegations of it end. VO502 when there is no such role';

-- Delegation: functions -------------------------------------------------------

CREATE FUNCTION vouch.delegate(to_actor text, role text, scope text DEFAULT '',
	valid_from timestamptz DEFAULT NULL, valid_to timestamptz DEFAULT NULL, reason text DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	me text := vouch.actor();
	id uuid := vouch_data.event_id(vouch.bucket(me));
	starts timestamptz := coalesce(valid_from, clock_timestamp());
	ends timestamptz := coalesce(valid_to, 'infinity');
BEGIN
	IF coalesce(to_actor, '') = '' OR to_actor = me THEN
		RAISE EXCEPTION 'a delegation must be to somebody else' USING ERRCODE = 'VO005',
			DETAIL = format('You are "%s".', me), HINT = 'Pass the name of who is to act for you.';
	END IF;
	IF coalesce(btrim(reason), '') = '' THEN
		RAISE EXCEPTION 'a delegation needs a reason' USING ERRCODE = 'VO502', DETAIL = 'It is recorded with it, and with both names.',
			HINT = 'For example: reason => ''on leave until 5 January''.';
	END IF;
	PERFORM vouch_data.check_text(reason, 'reason');
	IF ends <= starts OR ends <= clock_timestamp() THEN
		RAISE EXCEPTION 'the delegation would never be valid' USING ERRCODE = 'VO502',
			DETAIL = 'It would end before it begins, or has ended already.', HINT = 'Check valid_from and valid_to.';
	END IF;
	PERFORM vouch_data.check_role(role);
	IF NOT EXISTS (SELECT FROM vouch_data.role_grant g
			WHERE g.actor = me AND g.role = delegate.role AND g.revoked_at IS NULL
				AND (coalesce(delegate.scope, '') = '' OR g.scope IN ('', delegate.scope))) THEN
		RAISE EXCEPTION '"%" cannot delegate role %', me, role USING ERRCODE = 'VO002',
			DETAIL = 'Only a role that was granted to oneself can be delegated; what was delegated cannot be passed on.',
			HINT = format('Ask a holder of the role, or have an administrator call vouch.grant_role(%L, %L).', me, role);
	END IF;
	INSERT INTO vouch_data.delegation (delegation_id, from_actor, to_actor, role, scope, valid_from, valid_to, reason, created_at)
	VALUES (id, me, to_actor, role, coalesce(scope, ''), starts, ends, reason, clock_timestamp());
	RETURN id;
END
$$;
COMMENT ON FUNCTION vouch.delegate(text, text, text, timestamptz, timestamptz, text) IS
'Lets somebody sign for you, in a role that you hold, from valid_from (default: now) until before valid_to (default: until revoked); returns the delegation''s id. Both names are recorded with each signature, and neither of you may have had a part in what is signed. VO005 when it is to yourself, VO002 when you do not hold the role, VO502 without a reason or a time in which it would be valid';

CREATE FUNCTION vouch.revoke_delegation(delegation_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	me text := vouch.actor();
	d vouch_data.delegation;
BEGIN
	SELECT * INTO d FROM vouch_data.delegation x
	WHERE x.delegation_id = revoke_delegation.delegation_id FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no delegation "%"', delegation_id USING ERRCODE = 'VO005', DETAIL = 'None, ended ones included, has this id.',
			HINT = 'SELECT * FROM vouch.delegations shows them.';
	END IF;
	IF me NOT IN (d.from_actor, d.to_actor) AND NOT pg_has_role(session_user, 'vouch_admin', 'MEMBER') THEN
		RAISE EXCEPTION '"%" cannot revoke this delegation', me USING ERRCODE = 'VO005',
			DETAIL = format('It is from "%s" to "%s".', d.from_actor, d.to_actor),
			HINT = 'Ask one of them, or an administrator.';
	END IF;
	UPDATE vouch_data.delegation x SET revoked_by = me, revoked_at = clock_timestamp()
	WHERE x.delegation_id = d.delegation_id AND x.revoked_at IS NULL;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION vouch.revoke_delegation(uuid) IS
'Ends a delegation; true when it had not been ended before. Signatures given under it stay good. For who gave it, who has it, and administrators; VO005 for others';

-- Policies: functions ----------------------------------------------------------

CREATE FUNCTION vouch.define_policy(name text, definition jsonb) RETURNS int
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_define_policy';
COMMENT ON FUNCTION vouch.define_policy(text, jsonb) IS
'Defines an approval policy and returns its revision: a new one only when it differs from the current one. definition: {"description", "items": none | decided | all_approved, "allow_empty", "stages": [{"name", "after": [names], "on_reject": reject | return, "due", "escalate_after", "escalate_to", "remind_every", "expire_after", "rules": [{"role", "quorum", "groups", "group_by", "several_groups", "scope", "applies_if": {"metadata", "item", "min_items"}, "meaning", "exclude": [creator, contributors, submitter, other_signers], "reauth_max_age", "delegable", "veto", "carry", "ttl"}]}]}; docs/approval.md has the defaults. Requests that are open keep their revision. VO205 with the place of what is wrong, VO503 for what is not supported';

CREATE FUNCTION vouch.set_policy(phase text, policy text, scope text DEFAULT '', maker_role text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	phase_key text;
	before vouch_data.phase_policy;
BEGIN
	SELECT p.phase INTO phase_key FROM vouch_data.phase p
	WHERE p.phase = vouch_data.phase_key(set_policy.phase) AND p.versioned;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'no phase "%" has versions', phase USING ERRCODE = 'VO101',
			DETAIL = 'The phases are ' || (SELECT string_agg(p.phase, ', ' ORDER BY p.phase_no) FROM vouch_data.phase p WHERE p.versioned) || '.',
			HINT = 'Pass one of these.';
	END IF;
	IF policy IS NOT NULL AND NOT EXISTS (SELECT FROM vouch_data.policy p WHERE p.policy = set_policy.policy) THEN
		RAISE EXCEPTION 'no policy is named "%"', policy USING ERRCODE = 'VO207',
			DETAIL = 'The policies are ' || (SELECT string_agg(DISTINCT p.policy, ', ' ORDER BY p.policy) FROM vouch_data.policy p) || '.',
			HINT = 'Define it first with vouch.define_policy().';
	END IF;
	IF policy IS NULL AND coalesce(scope, '') = '' THEN
		RAISE EXCEPTION 'phase "%" must have a policy', phase_key USING ERRCODE = 'VO207',
			DETAIL = 'Only the policy of one scope can be taken away; that of all scopes is in force then.',
			HINT = 'Pass the name of a policy.';
	END IF;
	IF maker_role IS NOT NULL THEN
		PERFORM vouch_data.check_role(maker_role);
	END IF;
	LOCK TABLE vouch_data.phase_policy IN SHARE ROW EXCLUSIVE MODE;
	SELECT * INTO before FROM vouch_data.phase_policy p
	WHERE p.phase = phase_key AND p.scope IN (coalesce(set_policy.scope, ''), '')
	ORDER BY p.scope DESC, p.set_no DESC LIMIT 1;
	INSERT INTO vouch_data.phase_policy (phase, scope, set_no, policy, maker_role, set_by, set_at)
	SELECT phase_key, coalesce(set_policy.scope, ''), coalesce(max(p.set_no), 0) + 1, set_policy.policy,
		coalesce(set_policy.maker_role, before.maker_role), vouch.actor(), clock_timestamp()
	FROM vouch_data.phase_policy p
	WHERE p.phase = phase_key AND p.scope = coalesce(set_policy.scope, '');
END
$$;
COMMENT ON FUNCTION vouch.set_policy(text, text, text, text) IS
'Sets the policy by which versions of a phase (key or label) are approved, for one line of business or, with the empty scope, for all that have none of their own; policy NULL takes that of a scope away. maker_role is the role that who submits must hold; NULL leaves it. Versions submitted before keep theirs. VO101, VO207 or VO502 when there is no such phase, policy or role';

-- Submitting, deciding, signing -------------------------------------------------

CREATE FUNCTION vouch.submit_version(version_id uuid, user_id text DEFAULT NULL, notes text DEFAULT NULL) RETURNS jsonb
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_submit_version';
COMMENT ON FUNCTION vouch.submit_version(uuid, text, text) IS
'Submits a draft for approval by its phase''s policy; what is signed by rule is signed at once. Returns what vouch.sign_off() returns. VO106 when it is no draft, VO002 without the role that makes versions of the phase, VO201 when it has no items, VO202 when nobody could satisfy the policy, VO207 when there is none';

CREATE FUNCTION vouch.what_if_submit(version_id uuid) RETURNS jsonb
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_what_if_submit';
COMMENT ON FUNCTION vouch.what_if_submit(uuid) IS
'What would happen if you submitted a draft now: {can_submit, policy, policy_revision, problems: [{code, problem, message, detail, hint}], signers: [{stage, role, needed, could_sign: [names], could_not: [{actor, why}], not_asked, groups}], effect: {signatures: of the round before, carried: [{role, group, signer}], dropped: [{role, group, signer, why}], items, items_undecided, items_reopened: undecided ones that the round before had, summary: "drops 2 of 5 signatures, re-opens 140 items"}}. effect is only there for a draft. Changes nothing';

CREATE FUNCTION vouch.sign_off(version_id uuid, role text, approved boolean, comments text DEFAULT NULL,
	on_behalf_of text DEFAULT NULL, user_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_sign_off';
COMMENT ON FUNCTION vouch.sign_off(uuid, text, boolean, text, text, text) IS
'Signs a pending version in a role, for or against it. Returns {version_id, version_number, phase, state, policy, policy_revision, round, signed: [roles], missing: [roles], signatures: [{stage, role, verdict, signer, on_behalf_of, signed_at, stale, and where it is so revokes, revoked, expired, overtaken, carried_from}], waiting_for: [{stage, role, needed, have, open, who}]}. The last signature that the policy needs approves the version in the same transaction. VO106 when it is not pending, VO002 without the role, VO003 for one''s own work or a second role, VO005 without a delegation from on_behalf_of, VO006 when the login is too old, VO201 and VO206 when items stand in the way, VO202 when nobody could complete the approval after it, although somebody could without it, VO203 when signed already, VO204 when the stage is not open or complete, VO502 when it is against the version and comments do not say why';

CREATE FUNCTION vouch.approve_version(version_id uuid, notes text DEFAULT NULL, user_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_approve_version';
COMMENT ON FUNCTION vouch.approve_version(uuid, text, text) IS
'Signs a pending version in every role that you hold and that its open stages want, as far as others can then give the rest, as vouch.sign_off() does; an error that says who can when there is none';

CREATE FUNCTION vouch.reject_version(version_id uuid, reason text, user_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_reject_version';
COMMENT ON FUNCTION vouch.reject_version(uuid, text, text) IS
'Signs against a pending version in the role that you hold and that an open stage wants, which rejects it unless the rule has no veto; a reason is required (VO502). Otherwise as vouch.sign_off()';

CREATE FUNCTION vouch.return_version(version_id uuid, reason text, user_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_return_version';
COMMENT ON FUNCTION vouch.return_version(uuid, text, text) IS
'Sends a pending version back to its makers as a draft, where the stage''s on_reject is return (else VO106); it is signed anew when it is submitted again. A reason is required (VO502). Otherwise as vouch.sign_off()';

CREATE FUNCTION vouch.decide(version_id uuid, decisions jsonb, user_id text DEFAULT NULL) RETURNS int
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_decide';
COMMENT ON FUNCTION vouch.decide(uuid, jsonb, text) IS
'Enters verdicts on items of a pending version, all or none, and returns how many. decisions: [{"item_key" or the phase''s key field or "decision_id", "decision" (or "status", "verdict"): approved | rejected | needs_changes | pending, "notes" (or "reason")}], or {"<key>": "approved"}; any other field raises VO108, so that no note is lost. For people who may sign an open stage of the version: VO002 without the role, VO003 for who had a part in the version, VO106 when it is not pending, VO103 to VO108 when an item or a verdict is wrong. Signatures given before turn stale';

CREATE FUNCTION vouch.decide_where(version_id uuid, status text, filter jsonb DEFAULT NULL, notes text DEFAULT NULL,
	user_id text DEFAULT NULL, only_undecided boolean DEFAULT true) RETURNS int
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_decide_where';
COMMENT ON FUNCTION vouch.decide_where(uuid, text, jsonb, text, text, boolean) IS
'Gives all items of a pending version that match a filter one verdict: approved, rejected or needs_changes; returns how many. filter: an object that the payload must contain, or a string with a jsonpath that must find something in the payload or be true of it; NULL: all. Items approved or rejected already are left as they are unless only_undecided is false. The same people may as with vouch.decide(), with the same errors; VO502 for a filter that is neither';

CREATE FUNCTION vouch.revoke_signature(version_id uuid, role text DEFAULT NULL, reason text DEFAULT NULL, user_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_revoke_signature';
COMMENT ON FUNCTION vouch.revoke_signature(uuid, text, text, text) IS
'Takes back the last signature that you gave, or that a delegate gave for you, on a pending version, in a role (NULL: in any); a reason is required (VO502, also when you have none). It stays on record, with a row of its own that revokes it, and you may sign again. Returns what vouch.sign_off() returns. VO106 when the version is not pending: what is approved is superseded by a revision, never unsigned';

CREATE FUNCTION vouch.process_deadlines(max int DEFAULT 50) RETURNS int
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_process_deadlines';
COMMENT ON FUNCTION vouch.process_deadlines(int) IS
'Does what time asks of open requests: writes the reminders that are due, and once each that a stage is overdue or has escalated (vouch.reminders), and ends requests that a stage''s expire_after is over for (expired, and their versions withdrawn). At most max requests, and never more than 50 in a call, which is one transaction; returns how many: call it again until it returns 0. The workers call it; without them, pg_cron or anybody may. What somebody else is just working on is left for the next call; a request that fails is reported by a WARNING, and tried again after 15 minutes; an error that will pass, such as a lock that is not had, ends the call';

-- The shipped policies -------------------------------------------------------------

SELECT vouch.define_policy('own_plan', '{
	"description": "Approved as submitted, by rule, in the name of who submits it",
	"items": "none",
	"stages": [{"name": "by rule", "rules": [{"role": "@auto", "meaning": "own plan, by rule"}]}]}');
SELECT vouch.define_policy('report_owner_review', '{
	"description": "Every item decided, then signed by a report owner who had no part in it",
	"items": "decided",
	"stages": [{"name": "review", "rules": [
		{"role": "report_owner", "meaning": "reviewed and approved", "exclude": ["creator", "contributors", "submitter"]}]}]}');
SELECT vouch.define_policy('report_owner_all_approved', '{
	"description": "Every item approved, then signed by a report owner who had no part in it",
	"items": "all_approved",
	"stages": [{"name": "review", "rules": [
		{"role": "report_owner", "meaning": "reviewed and approved", "exclude": ["creator", "contributors", "submitter"]}]}]}');
SELECT vouch.define_policy('report_sign_off', '{
	"description": "Signed by a test lead, a test executive and a report owner, in any order: three different people who had no part in it",
	"items": "none",
	"stages": [{"name": "sign-off", "rules": [
		{"role": "test_lead", "meaning": "tested as reported", "exclude": ["creator", "contributors", "submitter", "other_signers"]},
		{"role": "test_executive", "meaning": "responsible for the testing", "exclude": ["creator", "contributors", "submitter", "other_signers"]},
		{"role": "report_owner", "meaning": "accepts the results", "exclude": ["creator", "contributors", "submitter", "other_signers"]}]}]}');

INSERT INTO vouch_data.phase_policy (phase, scope, set_no, policy, maker_role, set_by, set_at, shipped)
SELECT v.phase, '', 0, v.policy, 'tester', 'vouch', now(), true
FROM (VALUES
	('planning', 'own_plan'),
	('data_profiling', 'report_owner_review'),
	('scoping', 'report_owner_review'),
	('sample_selection', 'report_owner_review'),
	('observation_management', 'report_owner_all_approved'),
	('finalize_test_report', 'report_sign_off')) AS v(phase, policy);

-- Rights ------------------------------------------------------------------------------

GRANT EXECUTE ON FUNCTION vouch.what_if_submit(uuid) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch.submit_version(uuid, text, text), vouch.decide(uuid, jsonb, text),
	vouch.decide_where(uuid, text, jsonb, text, text, boolean),
	vouch.sign_off(uuid, text, boolean, text, text, text), vouch.approve_version(uuid, text, text),
	vouch.reject_version(uuid, text, text), vouch.return_version(uuid, text, text),
	vouch.revoke_signature(uuid, text, text, text), vouch.process_deadlines(int),
	vouch.delegate(text, text, text, timestamptz, timestamptz, text), vouch.revoke_delegation(uuid)
	TO vouch_user;
GRANT EXECUTE ON FUNCTION vouch.define_role(text, text), vouch.grant_role(text, text, text),
	vouch.revoke_role(text, text, text), vouch.define_policy(text, jsonb), vouch.set_policy(text, text, text, text)
	TO vouch_admin;

-- Redaction ---------------------------------------------------------------------

CREATE FUNCTION vouch.redact_item(version_id uuid, item_key text, reason text, user_id text DEFAULT NULL) RETURNS int
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_redact_item';
COMMENT ON FUNCTION vouch.redact_item(uuid, text, text, text) IS
'Takes the payload of an item that the version shows out of the database, for all versions that show it, and those of the item that were submitted and no version shows any more, and leaves its key, its hash, a mark, and of what policies look at (scope, applies_if, group_by) what the item met: every digest, signature, block and receipt stays verifiable, and vouch.verify() says that it was redacted. Returns the number of the operation, which keeps the reason; there is one for each payload, and it is the last. For who holds the role records_officer (VO002). VO103 when the version has no such item, VO502 when it is redacted already. Cannot be undone; verdicts and notes stay';
GRANT EXECUTE ON FUNCTION vouch.redact_item(uuid, text, text, text) TO vouch_user;
