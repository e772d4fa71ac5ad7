-- version.sql: phases, artifacts, versions, items and decisions.

CREATE TABLE vouch_data.phase (
	phase text PRIMARY KEY,				-- key, stable
	phase_no int NOT NULL,
	label text NOT NULL,
	versioned boolean NOT NULL,			-- false: audit-only
	item_key text,						-- payload field that names an item
	item_schema jsonb,					-- see docs/version.md
	source_key text,					-- payload field that says who proposed the item
	default_source text NOT NULL DEFAULT 'tester',
	max_revisions int,					-- NULL: no limit
	shipped boolean NOT NULL DEFAULT true,
	CHECK (item_key IS NOT NULL OR NOT versioned)
);
COMMENT ON TABLE vouch_data.phase IS
'The kinds of work that are versioned or recorded: nine shipped phases of a test cycle, and those of vouch.define_phase()';
COMMENT ON COLUMN vouch_data.phase.phase IS 'Key, such as sample_selection';
COMMENT ON COLUMN vouch_data.phase.phase_no IS 'Order in which phases are listed';
COMMENT ON COLUMN vouch_data.phase.label IS 'Name for people, such as Sample Selection; accepted wherever a phase is asked for';
COMMENT ON COLUMN vouch_data.phase.versioned IS 'False for audit-only phases, which have operations but no versions';
COMMENT ON COLUMN vouch_data.phase.item_key IS 'Field of an item''s payload that names the item';
COMMENT ON COLUMN vouch_data.phase.item_schema IS
'What an item''s payload must look like: an object with required (array of field names) and properties (field name to an object with type, a JSON type or array of them, and enum, an array of strings)';
COMMENT ON COLUMN vouch_data.phase.source_key IS 'Field of an item''s payload that says who or what proposed it';
COMMENT ON COLUMN vouch_data.phase.default_source IS 'Source of items that do not say';
COMMENT ON COLUMN vouch_data.phase.max_revisions IS 'Most revisions one after the other; NULL for no limit';
COMMENT ON COLUMN vouch_data.phase.shipped IS 'True for the nine that come with Vouch';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.phase', 'WHERE NOT shipped');

INSERT INTO vouch_data.phase
	(phase, phase_no, label, versioned, item_key, source_key, default_source, max_revisions, item_schema)
VALUES
('planning', 1, 'Planning', true, 'attribute_id', 'source', 'tester', NULL, '{
	"required": ["attribute_id", "decision_type"],
	"properties": {
		"attribute_id": {"type": ["string", "number"]},
		"decision_type": {"type": "string", "enum": ["include", "exclude", "modify"]},
		"data": {"type": ["object", "null"]},
		"reason": {"type": ["string", "null"]}}}'),
('data_profiling', 2, 'Data Profiling', true, 'name', 'source', 'tester', NULL, '{
	"required": ["name", "type", "definition"],
	"properties": {
		"name": {"type": "string"},
		"type": {"type": "string", "enum": ["validation", "transformation", "quality_check"]},
		"definition": {"type": ["object", "string"]},
		"description": {"type": ["string", "null"]},
		"recommendation_reason": {"type": ["string", "null"]}}}'),
('scoping', 3, 'Scoping', true, 'attribute_id', 'recommendation_type', 'tester', NULL, '{
	"required": ["attribute_id", "in_scope"],
	"properties": {
		"attribute_id": {"type": ["string", "number"]},
		"in_scope": {"type": "boolean"},
		"rationale": {"type": ["string", "null"]},
		"risk_rating": {"type": ["string", "null"], "enum": ["high", "medium", "low"]},
		"recommendation_type": {"type": ["string", "null"], "enum": ["tester", "automated", "carryforward"]}}}'),
('sample_selection', 4, 'Sample Selection', true, 'id', 'source', 'tester', 3, '{
	"required": ["id", "data", "type"],
	"properties": {
		"id": {"type": ["string", "number"]},
		"data": {"type": "object"},
		"type": {"type": "string", "enum": ["population", "targeted", "risk_based", "random", "stratified", "boundary", "anomaly"]},
		"source": {"type": ["string", "null"], "enum": ["tester", "llm", "manual"]}}}'),
('data_owner_id', 5, 'Data Owner ID', false, NULL, NULL, 'tester', NULL, NULL),
('request_info', 6, 'Request Info', false, NULL, NULL, 'tester', NULL, NULL),
('test_execution', 7, 'Test Execution', false, NULL, NULL, 'tester', NULL, NULL),
('observation_management', 8, 'Observation Management', true, 'observation_id', 'source', 'tester', NULL, '{
	"required": ["observation_id", "type", "severity"],
	"properties": {
		"observation_id": {"type": ["string", "number"]},
		"type": {"type": "string", "enum": ["finding", "recommendation", "compliance_issue"]},
		"severity": {"type": "string", "enum": ["critical", "high", "medium", "low"]}}}'),
('finalize_test_report', 9, 'Finalize Test Report', true, 'type', 'source', 'manual', NULL, '{
	"required": ["type", "title", "content"],
	"properties": {
		"type": {"type": "string"},
		"title": {"type": "string"},
		"content": {"type": ["string", "object", "array"]},
		"order": {"type": ["number", "null"]},
		"source": {"type": ["string", "null"], "enum": ["manual", "generated", "imported"]}}}');

CREATE TABLE vouch_data.artifact (
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	subject text NOT NULL,
	phase text NOT NULL,				-- vouch_data.phase, or @configuration: src/evidence
	scope text NOT NULL DEFAULT '',
	cycle_id bigint,
	report_id bigint,
	head_no int NOT NULL DEFAULT 0,		-- newest version
	last_no int NOT NULL DEFAULT 0,		-- last version number given out
	item_no int NOT NULL DEFAULT 0,		-- last item number given out
	body_no int NOT NULL DEFAULT 0,		-- last body number given out
	created_at timestamptz NOT NULL,
	PRIMARY KEY (bucket, artifact_no),
	UNIQUE (bucket, subject, phase, scope)
);
COMMENT ON TABLE vouch_data.artifact IS
'One thing under version control: a phase of a subject, perhaps for one line of business. Its row lock orders all that happens to it';
COMMENT ON COLUMN vouch_data.artifact.bucket IS 'Bucket of the subject: vouch.bucket(subject)';
COMMENT ON COLUMN vouch_data.artifact.artifact_no IS 'Number in the bucket: a hash, not dense';
COMMENT ON COLUMN vouch_data.artifact.subject IS 'What the cycle is about, such as cycle-7-report-3';
COMMENT ON COLUMN vouch_data.artifact.phase IS 'Key of the phase; @configuration for the log of roles, delegations and policies';
COMMENT ON COLUMN vouch_data.artifact.scope IS 'Empty, or a line of business';
COMMENT ON COLUMN vouch_data.artifact.cycle_id IS 'Cycle, when the subject is one cycle of a report';
COMMENT ON COLUMN vouch_data.artifact.report_id IS 'Report, when the subject is one cycle of a report';
COMMENT ON COLUMN vouch_data.artifact.head_no IS 'Number of the newest version; 0 when there is none';
COMMENT ON COLUMN vouch_data.artifact.last_no IS 'Last version number given out; above head_no after a draft was discarded';
COMMENT ON COLUMN vouch_data.artifact.item_no IS 'Last item number given out';
COMMENT ON COLUMN vouch_data.artifact.body_no IS 'Last body number given out';
COMMENT ON COLUMN vouch_data.artifact.created_at IS 'When the first operation on it took place';

CREATE TABLE vouch_data.version (
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	version_no int NOT NULL,
	parent_no int,
	state vouch.version_state NOT NULL,
	carry text,							-- how the revision carried
	reason text,						-- why it was made
	metadata jsonb NOT NULL DEFAULT '{}',
	round int NOT NULL DEFAULT 0,
	content_digest bytea,
	created_by text NOT NULL,
	created_at timestamptz NOT NULL,
	submitted_by text,
	submitted_at timestamptz,
	closed_by text,
	closed_at timestamptz,
	close_reason text,
	superseded_by int,
	superseded_at timestamptz,
	workflow_id text,
	execution_id uuid,
	activity text,
	attempt int,
	PRIMARY KEY (bucket, artifact_no, version_no)
);
CREATE UNIQUE INDEX version_one_open ON vouch_data.version (bucket, artifact_no)
	WHERE state IN ('draft', 'pending_approval');
CREATE UNIQUE INDEX version_one_approved ON vouch_data.version (bucket, artifact_no)
	WHERE state = 'approved';
COMMENT ON TABLE vouch_data.version IS
'The n-th state of an artifact. At most one is open (draft or pending_approval) and at most one approved';
COMMENT ON COLUMN vouch_data.version.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.version.artifact_no IS 'Number of the artifact in its bucket';
COMMENT ON COLUMN vouch_data.version.version_no IS 'Number of the version: 1, 2, 3, with a gap where a draft was discarded';
COMMENT ON COLUMN vouch_data.version.parent_no IS 'Version that it was made from; NULL for the first';
COMMENT ON COLUMN vouch_data.version.state IS 'State, changed by the rules of vouch.state_machine()';
COMMENT ON COLUMN vouch_data.version.carry IS 'For a revision what it carried from its parent: approved, undecided, all or none; NULL for a version with items of its own only';
COMMENT ON COLUMN vouch_data.version.reason IS 'Why it was made';
COMMENT ON COLUMN vouch_data.version.metadata IS 'What belongs to the version as a whole, such as selection criteria or the source of the data';
COMMENT ON COLUMN vouch_data.version.round IS 'How often it was submitted';
COMMENT ON COLUMN vouch_data.version.content_digest IS 'Merkle root over its metadata and items as they were submitted';
COMMENT ON COLUMN vouch_data.version.created_by IS 'Who made it';
COMMENT ON COLUMN vouch_data.version.created_at IS 'When it was made';
COMMENT ON COLUMN vouch_data.version.submitted_by IS 'Who submitted it';
COMMENT ON COLUMN vouch_data.version.submitted_at IS 'When it was submitted';
COMMENT ON COLUMN vouch_data.version.closed_by IS 'Who approved, rejected or withdrew it';
COMMENT ON COLUMN vouch_data.version.closed_at IS 'When it was approved, rejected or withdrawn';
COMMENT ON COLUMN vouch_data.version.close_reason IS 'Notes given with that';
COMMENT ON COLUMN vouch_data.version.superseded_by IS 'Number of the version that was approved after it';
COMMENT ON COLUMN vouch_data.version.superseded_at IS 'When that was approved';
COMMENT ON COLUMN vouch_data.version.workflow_id IS 'Workflow that made it; NULL outside of workflows';
COMMENT ON COLUMN vouch_data.version.execution_id IS 'Execution of that workflow';
COMMENT ON COLUMN vouch_data.version.activity IS 'State of the workflow whose activity made it';
COMMENT ON COLUMN vouch_data.version.attempt IS 'Attempt of that activity, from 1';

CREATE TABLE vouch_data.item_body (		-- fixed from submission on
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	body_no int NOT NULL,
	payload jsonb NOT NULL,
	body_hash bytea NOT NULL,
	salt bytea,
	item_no int,						-- only when it is shown no more
	PRIMARY KEY (bucket, artifact_no, body_no)
) WITH (fillfactor = 85);		-- edits in a draft write payloads over: with room on the page that writes no index
CREATE INDEX item_body_former ON vouch_data.item_body (bucket, artifact_no, item_no) WHERE item_no IS NOT NULL;
COMMENT ON TABLE vouch_data.item_body IS 'Payloads of items, each stored once. An edit of what its draft brought writes over it, any other makes a new one, and what its draft takes out again goes; from submission on nothing changes a payload but vouch.redact_item()';
COMMENT ON COLUMN vouch_data.item_body.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.item_body.artifact_no IS 'Number of the artifact in its bucket';
COMMENT ON COLUMN vouch_data.item_body.body_no IS 'Number in the artifact';
COMMENT ON COLUMN vouch_data.item_body.payload IS 'The item, as its maker gave it; after vouch.redact_item() only its key, what policies look at, as far as it met that, and redacted, the number of that operation';
COMMENT ON COLUMN vouch_data.item_body.body_hash IS 'SHA-256 of salt and the text of the payload as it was given';
COMMENT ON COLUMN vouch_data.item_body.salt IS 'Random bytes, so that a hash does not give away a payload that was redacted; with it they are gone, too. NULL: redacted, or hashed without';

COMMENT ON COLUMN vouch_data.item_body.item_no IS 'The item, of a payload that was submitted and then, when the version had been returned, replaced or taken out: vouch.redact_item() finds it. NULL: the rows of decision with its number say it';

CREATE TABLE vouch_data.item (			-- the identity of an item in its artifact
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	item_no int NOT NULL,
	item_key text NOT NULL,
	PRIMARY KEY (bucket, artifact_no, item_no),
	UNIQUE (bucket, artifact_no, item_key)
);
COMMENT ON TABLE vouch_data.item IS 'The identity of an item in its artifact, for all versions';
COMMENT ON COLUMN vouch_data.item.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.item.artifact_no IS 'Number of the artifact in its bucket';
COMMENT ON COLUMN vouch_data.item.item_no IS 'Number in the artifact; the order in which items are shown';
COMMENT ON COLUMN vouch_data.item.item_key IS 'Its name: the text of the payload''s key field';

CREATE TABLE vouch_data.decision (		-- valid for versions [from_no, to_no)
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	item_no int NOT NULL,
	stage smallint NOT NULL DEFAULT 1,
	from_no int NOT NULL,
	to_no int NOT NULL DEFAULT 2147483647,
	body_no int NOT NULL,
	status vouch.verdict NOT NULL,
	source text NOT NULL,				-- tester, llm, manual, …: who proposed it
	recommended_by text NOT NULL,
	recommended_at timestamptz NOT NULL,
	decided_by text,
	on_behalf_of text,
	decided_at timestamptz,
	notes text,
	origin_no int,						-- see the comment
	PRIMARY KEY (bucket, artifact_no, item_no, stage, from_no),
	CHECK (from_no < to_no),
	CONSTRAINT undecided CHECK (status <> 'pending' OR (decided_by IS NULL AND on_behalf_of IS NULL AND decided_at IS NULL))
) WITH (fillfactor = 50);
-- A row is put, decided and ended: the fillfactor leaves room for that on its page.  No index has to_no, so to end a row is a
-- HOT update, which writes no index.
-- What a version brought; all of version 1 is new, so it costs no entry.
CREATE INDEX decision_from ON vouch_data.decision (bucket, artifact_no, from_no) WHERE from_no > 1;
-- The worklist, with what has ended since: see VOUCH_UNDONE_SINCE in src/version/store.h.
CREATE INDEX decision_undone ON vouch_data.decision (bucket, artifact_no, from_no, item_no) WHERE status <> 'approved';
COMMENT ON TABLE vouch_data.decision IS
'An item with its verdict, valid for the versions from_no up to but not including to_no. A row that is carried forward into a version is the row of the earlier version, never a copy';
COMMENT ON COLUMN vouch_data.decision.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.decision.artifact_no IS 'Number of the artifact in its bucket';
COMMENT ON COLUMN vouch_data.decision.item_no IS 'Number of the item in the artifact';
COMMENT ON COLUMN vouch_data.decision.stage IS 'Reviewing stage, from 1. The rows of stage 1 say which items a version has; other stages have rows where they decided';
COMMENT ON COLUMN vouch_data.decision.from_no IS 'First version that shows it';
COMMENT ON COLUMN vouch_data.decision.to_no IS 'First version that no longer shows it; 2147483647 when the newest does';
COMMENT ON COLUMN vouch_data.decision.body_no IS 'Its payload in item_body';
COMMENT ON COLUMN vouch_data.decision.status IS 'The verdict';
COMMENT ON COLUMN vouch_data.decision.source IS 'Who or what proposed the item: tester, llm, manual, automated, …';
COMMENT ON COLUMN vouch_data.decision.recommended_by IS 'Who put it into the version';
COMMENT ON COLUMN vouch_data.decision.recommended_at IS 'When recommended_by put it there last: an edit in the draft renews it';
COMMENT ON COLUMN vouch_data.decision.decided_by IS 'Who decided; NULL while pending';
COMMENT ON COLUMN vouch_data.decision.on_behalf_of IS 'Whose authority was used; NULL for the decider''s own';
COMMENT ON COLUMN vouch_data.decision.decided_at IS 'When it was decided';
COMMENT ON COLUMN vouch_data.decision.notes IS 'The decider''s notes';
COMMENT ON COLUMN vouch_data.decision.origin_no IS
'Version that the verdict stems from where that is not from_no: in the revision of a version that was not the newest, an item that the newest had dropped or changed stands again as it was';

CREATE TABLE vouch_data.version_ended (	-- decision by to_no, instead of an index
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	version_no int NOT NULL,
	part int NOT NULL,
	stage smallint NOT NULL,
	status vouch.verdict NOT NULL,
	item_nos int[] NOT NULL,
	from_nos int[] NOT NULL,
	body_nos int[] NOT NULL,
	PRIMARY KEY (bucket, artifact_no, version_no, part)
);
COMMENT ON TABLE vouch_data.version_ended IS
'Which rows of decision a version ended: those with its number in to_no, listed here so that no index has to. vouch.verify() compares the two';
COMMENT ON COLUMN vouch_data.version_ended.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.version_ended.artifact_no IS 'Number of the artifact in its bucket';
COMMENT ON COLUMN vouch_data.version_ended.version_no IS 'Number of the version';
COMMENT ON COLUMN vouch_data.version_ended.part IS 'Number in the version, from 1: each change of a draft adds some';
COMMENT ON COLUMN vouch_data.version_ended.stage IS 'Stage of the rows';
COMMENT ON COLUMN vouch_data.version_ended.status IS 'Verdict of the rows';
COMMENT ON COLUMN vouch_data.version_ended.item_nos IS 'Their items';
COMMENT ON COLUMN vouch_data.version_ended.from_nos IS 'Versions that brought them, one for each of item_nos';
COMMENT ON COLUMN vouch_data.version_ended.body_nos IS 'Their payloads, one for each of item_nos';

CREATE TABLE vouch_data.version_stat (	-- kept by deltas
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	version_no int NOT NULL,
	stage smallint NOT NULL,
	status vouch.verdict NOT NULL,
	source text NOT NULL,
	carried boolean NOT NULL,
	items bigint NOT NULL,
	PRIMARY KEY (bucket, artifact_no, version_no, stage, status, source, carried)
);
COMMENT ON TABLE vouch_data.version_stat IS 'How many items a version has, kept up to date with every change; a combination without items may have a row with 0';
COMMENT ON COLUMN vouch_data.version_stat.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.version_stat.artifact_no IS 'Number of the artifact in its bucket';
COMMENT ON COLUMN vouch_data.version_stat.version_no IS 'Number of the version';
COMMENT ON COLUMN vouch_data.version_stat.stage IS 'Reviewing stage, from 1; the counts of stage 1 add up to the version''s items';
COMMENT ON COLUMN vouch_data.version_stat.status IS 'Verdict';
COMMENT ON COLUMN vouch_data.version_stat.source IS 'Who or what proposed the items';
COMMENT ON COLUMN vouch_data.version_stat.carried IS 'True for items carried forward from an earlier version';
COMMENT ON COLUMN vouch_data.version_stat.items IS 'How many';

CREATE TABLE vouch_data.version_contributor (	-- kept by deltas
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	version_no int NOT NULL,
	actor text NOT NULL,
	items bigint NOT NULL,
	PRIMARY KEY (bucket, artifact_no, version_no, actor)
);
COMMENT ON TABLE vouch_data.version_contributor IS
'Who made what a version shows: its maker, its editors, and who put its items there, carried ones included. Separation of duties asks it';
COMMENT ON COLUMN vouch_data.version_contributor.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.version_contributor.artifact_no IS 'Number of the artifact in its bucket';
COMMENT ON COLUMN vouch_data.version_contributor.version_no IS 'Number of the version';
COMMENT ON COLUMN vouch_data.version_contributor.actor IS 'Who';
COMMENT ON COLUMN vouch_data.version_contributor.items IS 'How many of the items the actor put there; 0 for who only made the version or took items away';

-- A number of an artifact occurs in one bucket, so the two do not select independently of each other.
CREATE STATISTICS vouch_data.version_place (dependencies) ON bucket, artifact_no FROM vouch_data.version;
CREATE STATISTICS vouch_data.item_place (dependencies) ON bucket, artifact_no FROM vouch_data.item;
CREATE STATISTICS vouch_data.item_body_place (dependencies) ON bucket, artifact_no FROM vouch_data.item_body;
CREATE STATISTICS vouch_data.decision_place (dependencies) ON bucket, artifact_no FROM vouch_data.decision;

-- A table that was never analyzed makes the planner guess that a bucket and an
-- artifact number leave about one row, and then any index will do.  So the tables start with the
-- statistics of one large artifact among others, until the first ANALYZE has real ones.
INSERT INTO vouch_data.artifact (bucket, artifact_no, subject, phase, created_at)
SELECT n % 10, 1 + n / 10, 'subject ' || n, 'planning', now() FROM generate_series(0, 499) n;
INSERT INTO vouch_data.version (bucket, artifact_no, version_no, state, created_by, created_at)
SELECT 0, 1, n, 'superseded', '', now() FROM generate_series(1, 20) n;
INSERT INTO vouch_data.item SELECT 0, 1, n, 'item ' || n FROM generate_series(1, 2000) n;
INSERT INTO vouch_data.item_body SELECT 0, 1, n, '{"attribute_id": "name of the item", "value": "its payload"}', sha256(n::text::bytea), '\x00112233445566778899aabbccddeeff'
FROM generate_series(1, 2000) n;
INSERT INTO vouch_data.decision (bucket, artifact_no, item_no, from_no, to_no, body_no, status, source, recommended_by, recommended_at)
SELECT 0, 1, n, 1 + n % 20, CASE WHEN n % 10 = 0 THEN 21 ELSE 2147483647 END, n,
	(ARRAY['rejected', 'pending', 'approved'])[1 + least(n % 100, 2)]::vouch.verdict, 'tester', 'maker', now()
FROM generate_series(1, 2000) n;
ANALYZE vouch_data.artifact, vouch_data.version, vouch_data.item, vouch_data.item_body, vouch_data.decision;
TRUNCATE vouch_data.artifact, vouch_data.version, vouch_data.item, vouch_data.item_body, vouch_data.decision;

-- Whoever owns the tables: only our functions write them.
DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['artifact', 'version', 'item_body', 'item', 'decision', 'version_ended', 'version_stat', 'version_contributor'] LOOP
		EXECUTE format('CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vouch_data.%I
			FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.guard()', t);
		EXECUTE format('ALTER TABLE vouch_data.%I ENABLE ALWAYS TRIGGER guard', t);
		PERFORM pg_catalog.pg_extension_config_dump(('vouch_data.' || t)::regclass, '');
	END LOOP;
END
$$;

-- Phases --------------------------------------------------------------------

CREATE FUNCTION vouch_data.check_item_schema(item_key text, item_schema jsonb) RETURNS void
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_check_item_schema';
COMMENT ON FUNCTION vouch_data.check_item_schema(text, jsonb) IS
'Raises VO502 when an item schema is not of the form that vouch_data.phase.item_schema has';

CREATE FUNCTION vouch_data.phase_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN translate(lower(name), ' -', '__');
COMMENT ON FUNCTION vouch_data.phase_name(text) IS
'A name of a phase as names are compared: in lower case, with _ for spaces and -. Two that are the same here are the same';
GRANT EXECUTE ON FUNCTION vouch_data.phase_name(text) TO vouch_reader;

CREATE FUNCTION vouch_data.phase_key(phase text) RETURNS text
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_phase_key';
COMMENT ON FUNCTION vouch_data.phase_key(text) IS
'Key of a phase from its key or label, in any case, with spaces, - or _; VO101 with a suggestion when there is none';
GRANT EXECUTE ON FUNCTION vouch_data.phase_key(text) TO vouch_reader;

CREATE FUNCTION vouch.define_phase(phase text, label text, item_key text,
	item_schema jsonb DEFAULT '{}', max_revisions int DEFAULT NULL,
	source_key text DEFAULT 'source', default_source text DEFAULT 'tester')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	known vouch_data.phase;
	other vouch_data.phase;
BEGIN
	IF phase IS NULL OR phase !~ '^[a-z][a-z0-9_]{0,62}$' THEN
		RAISE EXCEPTION 'phase "%" is not a key', phase USING ERRCODE = 'VO502',
			DETAIL = 'A key has lower-case letters, digits and underscores, at most 63, and starts with a letter.',
			HINT = 'Put the name that people read into label.';
	END IF;
	IF coalesce(label, '') = '' OR coalesce(item_key, '') = '' THEN
		RAISE EXCEPTION 'label and item_key must not be empty' USING ERRCODE = 'VO502',
			DETAIL = format('label is %s, item_key is %s.', coalesce(quote_literal(label), 'NULL'), coalesce(quote_literal(item_key), 'NULL')),
			HINT = 'item_key is the field of an item''s payload that names it, such as id.';
	END IF;
	IF max_revisions < 1 THEN
		RAISE EXCEPTION 'max_revisions must be positive' USING ERRCODE = 'VO502',
			HINT = 'Pass NULL for no limit.';
	END IF;
	PERFORM vouch_data.check_item_schema(item_key, item_schema);
	LOCK TABLE vouch_data.phase IN SHARE ROW EXCLUSIVE MODE;
	SELECT * INTO known FROM vouch_data.phase p WHERE p.phase = phase;
	IF known.shipped THEN
		RAISE EXCEPTION 'phase "%" comes with Vouch and cannot be redefined', phase USING ERRCODE = 'VO502',
			HINT = 'Choose another key.';
	END IF;
	SELECT * INTO other FROM vouch_data.phase p
	WHERE p.phase <> phase AND ARRAY[p.phase, vouch_data.phase_name(p.label)] && ARRAY[phase, vouch_data.phase_name(label)] LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'another phase has the name "%"',
			CASE WHEN phase = vouch_data.phase_name(other.label) THEN phase ELSE label END USING ERRCODE = 'VO502',
			DETAIL = format('It is "%s", with the label "%s". Phases are found by key and label, in any case and with spaces, - or _.',
				other.phase, other.label),
			HINT = 'Choose another key or label.';
	END IF;
	IF known.item_key <> item_key AND EXISTS (SELECT FROM vouch_data.artifact a WHERE a.phase = phase) THEN
		RAISE EXCEPTION 'phase "%" has items named by "%"', phase, known.item_key USING ERRCODE = 'VO502',
			HINT = 'Keep item_key, or define a new phase.';
	END IF;
	INSERT INTO vouch_data.phase AS p
		(phase, phase_no, label, versioned, item_key, item_schema, source_key, default_source, max_revisions, shipped)
	VALUES (phase, (SELECT max(o.phase_no) + 1 FROM vouch_data.phase o), label, true, item_key,
		item_schema, source_key, default_source, max_revisions, false)
	ON CONFLICT ON CONSTRAINT phase_pkey DO UPDATE SET label = excluded.label, item_key = excluded.item_key,
		item_schema = excluded.item_schema, source_key = excluded.source_key,
		default_source = excluded.default_source, max_revisions = excluded.max_revisions;
END
$$;
COMMENT ON FUNCTION vouch.define_phase(text, text, text, jsonb, int, text, text) IS
'Makes a phase of your own, or changes it: its key, its label, the payload field that names an item, the schema of items (see vouch_data.phase.item_schema), how many revisions may follow one another, the payload field that says who proposed an item, and what holds where it does not say. VO502 when something of it is not valid. Versions made before keep their items';

-- Making versions -------------------------------------------------------------

CREATE FUNCTION vouch.create_version(phase text, cycle_id bigint DEFAULT NULL, report_id bigint DEFAULT NULL,
	items jsonb DEFAULT '[]', scope text DEFAULT '', parent_version_id uuid DEFAULT NULL,
	metadata jsonb DEFAULT '{}', subject text DEFAULT NULL, user_id text DEFAULT NULL)
RETURNS uuid
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_create_version';
COMMENT ON FUNCTION vouch.create_version(text, bigint, bigint, jsonb, text, uuid, jsonb, text, text) IS
'Makes a version in state draft and returns its id. phase: key or label, in any case. items: array of objects in the form of the phase (see docs/version.md); they are all that the version has. scope: empty or a line of business. parent_version_id: default the newest. subject: default cycle-<cycle_id>-report-<report_id>. user_id: who acts; must be the session''s actor. VO101 unknown phase, VO104 bad item, VO105 duplicate key, VO107 another version is open, VO503 audit-only phase';

CREATE FUNCTION vouch.create_version_from(phase text, cycle_id bigint DEFAULT NULL, report_id bigint DEFAULT NULL,
	query text DEFAULT NULL, scope text DEFAULT '', metadata jsonb DEFAULT '{}', parent_version_id uuid DEFAULT NULL,
	subject text DEFAULT NULL, user_id text DEFAULT NULL)
RETURNS uuid
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_create_version_from';
COMMENT ON FUNCTION vouch.create_version_from(text, bigint, bigint, text, text, jsonb, uuid, text, text) IS
'As vouch.create_version(), with the items from a query that returns item_key text, payload jsonb and, if it likes, source text. The query runs with the caller''s rights. The payload need not repeat the key';

CREATE FUNCTION vouch.create_revision(version_id uuid, additional_items jsonb DEFAULT '[]',
	carry text DEFAULT 'approved', reason text DEFAULT NULL, user_id text DEFAULT NULL)
RETURNS uuid
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_create_revision';
COMMENT ON FUNCTION vouch.create_revision(uuid, jsonb, text, text, text) IS
'Makes a draft that carries items of a closed version forward, with their decisions, and adds others; returns its id. carry: approved (items that every stage approved), undecided (these and pending ones), all, or none. additional_items: as for vouch.create_version(); one whose key is carried replaces it and is pending. VO107 another version is open, VO110 the phase''s limit of revisions';

CREATE FUNCTION vouch.edit_items(version_id uuid, items jsonb, user_id text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_edit_items';
COMMENT ON FUNCTION vouch.edit_items(uuid, jsonb, text) IS
'Puts items into a draft: new ones, and new payloads for those it has, which are pending again. Returns how many. Only for who made the version or items of it, and holders of the role that makes versions of the phase (VO002). Errors as for vouch.create_version(); VO106 when the version is no draft';

CREATE FUNCTION vouch.remove_items(version_id uuid, item_keys text[], user_id text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_remove_items';
COMMENT ON FUNCTION vouch.remove_items(uuid, text[], text) IS
'Takes items out of a draft and returns how many; older versions keep them. For whom: see vouch.edit_items(). VO103 when it has no such item, VO106 when the version is no draft';

CREATE FUNCTION vouch.discard_version(version_id uuid, user_id text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_discard_version';
COMMENT ON FUNCTION vouch.discard_version(uuid, text) IS
'Throws a draft away, as if it had never been made; its number is not used again and the log keeps its operations. Only for who made it or its items (VO002). VO106 when the version is no draft';

CREATE FUNCTION vouch.withdraw_version(version_id uuid, reason text DEFAULT NULL, user_id text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_withdraw_version';
COMMENT ON FUNCTION vouch.withdraw_version(uuid, text, text) IS
'Takes back a draft or a submitted version, which stays on record. Only for who made it, its items, or submitted it (VO002). VO106 when it is closed';

CREATE FUNCTION vouch_data.ensure_artifact(subject text, phase text, scope text, cycle_id bigint, report_id bigint)
RETURNS int
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_ensure_artifact';
COMMENT ON FUNCTION vouch_data.ensure_artifact(text, text, text, bigint, bigint) IS
'Number of the artifact of a phase of a subject, made if there is none; its bucket is vouch.bucket(subject). subject NULL: made of cycle and report. For Vouch''s own functions: nobody else may call it';

GRANT EXECUTE ON FUNCTION
	vouch.create_version(text, bigint, bigint, jsonb, text, uuid, jsonb, text, text),
	vouch.create_version_from(text, bigint, bigint, text, text, jsonb, uuid, text, text),
	vouch.create_revision(uuid, jsonb, text, text, text),
	vouch.edit_items(uuid, jsonb, text), vouch.remove_items(uuid, text[], text),
	vouch.discard_version(uuid, text), vouch.withdraw_version(uuid, text, text)
	TO vouch_user;
GRANT EXECUTE ON FUNCTION vouch.define_phase(text, text, text, jsonb, int, text, text) TO vouch_admin;

-- Reading versions -------------------------------------------------------------

CREATE FUNCTION vouch_data.subject_key(subject text, cycle_id bigint, report_id bigint) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vouch_sql_subject_key';
COMMENT ON FUNCTION vouch_data.subject_key(text, bigint, bigint) IS
'The subject, or where it is NULL cycle-<cycle_id>-report-<report_id>; VO502 when there is neither';

CREATE FUNCTION vouch.version_items(version_id uuid, after_item_no int DEFAULT 0, max_items int DEFAULT NULL,
	stage int DEFAULT 1,
	OUT item_no int, OUT item_key text, OUT payload jsonb, OUT source text, OUT recommended_by text,
	OUT status vouch.verdict, OUT decided_by text, OUT on_behalf_of text, OUT decided_at timestamptz,
	OUT notes text, OUT carried_from int, OUT decision_id uuid, OUT recommended_at timestamptz)
RETURNS SETOF record
LANGUAGE c STABLE ROWS 1000 AS 'MODULE_PATHNAME', 'vouch_sql_version_items';
COMMENT ON FUNCTION vouch.version_items(uuid, int, int, int) IS
'Items that a version shows, in order of item_no, with their verdicts in a reviewing stage. To page, pass the last item_no seen and how many you want. carried_from: number of the version that a carried item comes from, whose decision still stands; NULL for an item of this version. recommended_by, recommended_at: who put it there and when. VO102 when there is no such version';

CREATE FUNCTION vouch.diff_versions(a uuid, b uuid,
	OUT item_key text, OUT change text, OUT before jsonb, OUT after jsonb,
	OUT before_status vouch.verdict, OUT after_status vouch.verdict, OUT stage int)
RETURNS SETOF record
LANGUAGE c STABLE STRICT ROWS 1000 AS 'MODULE_PATHNAME', 'vouch_sql_diff_versions';
COMMENT ON FUNCTION vouch.diff_versions(uuid, uuid) IS
'What differs from version a to version b of the same artifact, item by item: change is added, removed, payload_changed or verdict_changed; before and after are payloads. Net: what changed and changed back is not listed. Costs what changed, not what the versions have. VO502 when they belong to different things';

CREATE FUNCTION vouch.item_lineage(version_id uuid, item_key text,
	OUT from_version int, OUT to_version int, OUT stage int, OUT status vouch.verdict, OUT payload jsonb,
	OUT source text, OUT recommended_by text, OUT recommended_at timestamptz, OUT decided_by text,
	OUT on_behalf_of text, OUT decided_at timestamptz, OUT notes text, OUT origin_version int, OUT decision_id uuid)
RETURNS SETOF record
LANGUAGE c STABLE STRICT ROWS 10 AS 'MODULE_PATHNAME', 'vouch_sql_item_lineage';
COMMENT ON FUNCTION vouch.item_lineage(uuid, text) IS
'The life of an item up to a version: one row for each payload and verdict it had, and the versions from_version to to_version that show it so (to_version NULL: up to this one). origin_version: where the verdict stems from when it stands again after later versions had dropped it. VO103 when no version ever had the item';

CREATE FUNCTION vouch.version_history(phase text, cycle_id bigint DEFAULT NULL, report_id bigint DEFAULT NULL,
	scope text DEFAULT '', subject text DEFAULT NULL)
RETURNS TABLE (version_id uuid, version_number int, parent_version_number int, state vouch.version_state, carry text, reason text,
	items bigint, pending bigint, approved bigint, rejected bigint, needs_changes bigint, carried bigint,
	created_by text, created_at timestamptz, submitted_by text, submitted_at timestamptz,
	closed_by text, closed_at timestamptz, close_reason text, superseded_by int, superseded_at timestamptz,
	metadata jsonb, content_digest bytea, workflow_id text, execution_id uuid, activity text, attempt int)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT vouch_data.version_id(v.bucket, v.artifact_no, v.version_no), v.version_no, v.parent_no, v.state, v.carry,
		v.reason, s.items, s.pending, s.approved, s.rejected, s.needs_changes, s.carried,
		v.created_by, v.created_at, v.submitted_by, v.submitted_at, v.closed_by, v.closed_at, v.close_reason,
		v.superseded_by, v.superseded_at, v.metadata, v.content_digest,
		v.workflow_id, v.execution_id, v.activity, v.attempt
	FROM vouch_data.artifact a
	JOIN vouch_data.version v ON v.bucket = a.bucket AND v.artifact_no = a.artifact_no,
	LATERAL (
		SELECT coalesce(sum(t.items), 0)::bigint AS items,
			coalesce(sum(t.items) FILTER (WHERE t.status = 'pending'), 0)::bigint AS pending,
			coalesce(sum(t.items) FILTER (WHERE t.status = 'approved'), 0)::bigint AS approved,
			coalesce(sum(t.items) FILTER (WHERE t.status = 'rejected'), 0)::bigint AS rejected,
			coalesce(sum(t.items) FILTER (WHERE t.status = 'needs_changes'), 0)::bigint AS needs_changes,
			coalesce(sum(t.items) FILTER (WHERE t.carried), 0)::bigint AS carried
		FROM vouch_data.version_stat t
		WHERE t.bucket = v.bucket AND t.artifact_no = v.artifact_no AND t.version_no = v.version_no AND t.stage = 1) s
	WHERE a.bucket = vouch.bucket(vouch_data.subject_key($5, $2, $3))
		AND a.subject = vouch_data.subject_key($5, $2, $3)
		AND a.phase = vouch_data.phase_key($1) AND a.scope = coalesce($4, '')
	ORDER BY v.version_no
$$;
COMMENT ON FUNCTION vouch.version_history(text, bigint, bigint, text, text) IS
'Versions of a phase of a subject (given, or made of cycle and report) and scope, oldest first, with who made, submitted and closed them and how many items they have by verdict of the first reviewing stage; carried: items carried forward from earlier versions. VO101 unknown phase';

CREATE FUNCTION vouch.version_tree(phase text, cycle_id bigint DEFAULT NULL, report_id bigint DEFAULT NULL,
	scope text DEFAULT '', subject text DEFAULT NULL, max_items int DEFAULT 20)
RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT line.text
	FROM vouch.version_history($1, $2, $3, $4, $5) v,
	LATERAL (
		SELECT 0 AS part, 0 AS item_no, concat(
			'Version ', v.version_number,
			CASE WHEN v.carry IS NOT NULL THEN concat(', revision of version ', v.parent_version_number) END,
			': ', replace(v.state::text, '_', ' '), ', ',
			v.items, CASE v.items WHEN 1 THEN ' item' ELSE ' items' END,
			CASE WHEN v.items > 0 THEN concat(' (', concat_ws(', ',
				CASE WHEN v.approved > 0 THEN v.approved || ' approved' END,
				CASE WHEN v.rejected > 0 THEN v.rejected || ' rejected' END,
				CASE WHEN v.needs_changes > 0 THEN v.needs_changes || ' need changes' END,
				CASE WHEN v.pending > 0 THEN v.pending || ' pending' END,
				CASE WHEN v.carried > 0 THEN v.carried || ' carried forward' END), ')') END) AS text
		UNION ALL
		SELECT 1, 0, concat('    made by ', v.created_by, to_char(v.created_at, ' YYYY-MM-DD HH24:MI'),
			', submitted by ' || v.submitted_by || to_char(v.submitted_at, ' YYYY-MM-DD HH24:MI'),
			CASE WHEN v.closed_by IS NOT NULL THEN concat(', ',
				CASE v.state WHEN 'superseded' THEN 'approved' ELSE v.state::text END,
				' by ', v.closed_by, to_char(v.closed_at, ' YYYY-MM-DD HH24:MI'), ': ' || v.close_reason) END)
		UNION ALL
		SELECT 2, i.item_no, concat('    ', i.item_key, ' (',
			CASE WHEN i.carried_from IS NOT NULL THEN concat('carried forward from version ', i.carried_from)
				WHEN v.carry IS NULL THEN i.source
				WHEN i.recommended_at < v.created_at THEN concat('decided anew, ', i.source)
				ELSE concat('new, ', i.source) END,
			') ', replace(i.status::text, '_', ' '), ' by ' || i.decided_by || coalesce(' for ' || i.on_behalf_of, ''),
			': ' || i.notes)
		FROM vouch.version_items(v.version_id, 0, $6) i
		UNION ALL
		SELECT 3, 0, concat(U&'    \2026 and ', v.items - $6, ' more') WHERE v.items > $6) line
	ORDER BY v.version_number, line.part, line.item_no
$$;
COMMENT ON FUNCTION vouch.version_tree(text, bigint, bigint, text, text, int) IS
'The versions of a phase as lines of text to read: state, who and when, counts, and of each version the first max_items items with where they come from. VO101 unknown phase';

GRANT EXECUTE ON FUNCTION vouch_data.subject_key(text, bigint, bigint),
	vouch.version_items(uuid, int, int, int), vouch.diff_versions(uuid, uuid), vouch.item_lineage(uuid, text),
	vouch.version_history(text, bigint, bigint, text, text),
	vouch.version_tree(text, bigint, bigint, text, text, int)
	TO vouch_reader;

-- Checking ------------------------------------------------------------------------

CREATE TYPE vouch.verification AS (check_name text, subject text, phase text, scope text, ok boolean,
	checked bigint, first_bad text, detail text);
COMMENT ON TYPE vouch.verification IS 'A row of vouch.verify()';

CREATE FUNCTION vouch_data.verify_artifacts(subject text, level text)
RETURNS SETOF vouch.verification
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'vouch_sql_verify';
COMMENT ON FUNCTION vouch_data.verify_artifacts(text, text) IS
'The part of vouch.verify() that is about blocks and artifacts';

GRANT EXECUTE ON FUNCTION vouch_data.verify_artifacts(text, text) TO vouch_reader;
