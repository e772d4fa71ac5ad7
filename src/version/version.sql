-- version.sql: phases, artifacts, versions, items and decisions.

CREATE TABLE vouch_data.phase (
	phase text PRIMARY KEY,				-- key, stable
	phase_no int NOT NULL,
	label text NOT NULL,
	versioned boolean NOT NULL,			-- false: audit-only
	item_key text,						-- payload field that names an item
	item_schema jsonb,					-- see docs/version.md
	max_revisions int,					-- NULL: no limit
	shipped boolean NOT NULL DEFAULT true
);

CREATE TABLE vouch_data.artifact (
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	subject text NOT NULL,
	phase text NOT NULL REFERENCES vouch_data.phase,
	scope text NOT NULL DEFAULT '',
	cycle_id bigint,
	report_id bigint,
	head_no int NOT NULL DEFAULT 0,		-- newest version
	item_no int NOT NULL DEFAULT 0,		-- last item number given out
	body_no int NOT NULL DEFAULT 0,		-- last body number given out
	created_at timestamptz NOT NULL,
	PRIMARY KEY (bucket, artifact_no),
	UNIQUE (bucket, subject, phase, scope)
);

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
	workflow_id text,
	execution_id uuid,
	activity text,
	attempt int,
	PRIMARY KEY (bucket, artifact_no, version_no),
	FOREIGN KEY (bucket, artifact_no) REFERENCES vouch_data.artifact
);
CREATE UNIQUE INDEX version_one_open ON vouch_data.version (bucket, artifact_no)
	WHERE state IN ('draft', 'pending_approval');
CREATE UNIQUE INDEX version_one_approved ON vouch_data.version (bucket, artifact_no)
	WHERE state = 'approved';

CREATE TABLE vouch_data.item_body (		-- immutable: an edit of a payload is a new body
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	body_no int NOT NULL,
	payload jsonb NOT NULL,
	body_hash bytea NOT NULL,
	PRIMARY KEY (bucket, artifact_no, body_no)
);

CREATE TABLE vouch_data.item (			-- the identity of an item in its artifact
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	item_no int NOT NULL,
	item_key text NOT NULL,
	PRIMARY KEY (bucket, artifact_no, item_no),
	UNIQUE (bucket, artifact_no, item_key)
);

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
	PRIMARY KEY (bucket, artifact_no, item_no, stage, from_no),
	CHECK (from_no < to_no)
) WITH (fillfactor = 85);
CREATE INDEX decision_to ON vouch_data.decision (bucket, artifact_no, to_no, from_no);
CREATE INDEX decision_from ON vouch_data.decision (bucket, artifact_no, from_no);
CREATE INDEX decision_open ON vouch_data.decision (bucket, artifact_no, item_no)
	WHERE to_no = 2147483647 AND status <> 'approved';

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
