-- ledger.sql: the append-only log.

CREATE TABLE vouch_data.operation (
	bucket int NOT NULL,
	artifact_no int NOT NULL,
	op_no int NOT NULL,					-- 1, 2, … per artifact
	version_no int,
	operation text NOT NULL,			-- create_version, decide, submit, sign_off, …
	rule text,							-- rule id of vouch.state_machine()
	actor text NOT NULL,
	on_behalf_of text,
	db_user text NOT NULL,
	at timestamptz NOT NULL,
	xid xid8 NOT NULL,
	workflow_id text,
	execution_id uuid,
	activity text,
	attempt int,
	items bigint NOT NULL,
	items_root bytea,
	detail jsonb,
	error text,							-- not null: the operation failed
	prev bytea,							-- leaf of op_no - 1
	leaf bytea NOT NULL,
	PRIMARY KEY (bucket, artifact_no, op_no)
);
