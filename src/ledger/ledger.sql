-- ledger.sql: the append-only log, and the guard of tables that only our code writes.

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
	database_id bigint NOT NULL DEFAULT 0,	-- whose transaction it is
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
-- What is new since a horizon, of all artifacts: sealing and the rollups ask for it.
CREATE INDEX operation_xid ON vouch_data.operation (xid);
COMMENT ON TABLE vouch_data.operation IS
'The log: one row per operation on an artifact, append-only; leaf is the SHA-256 of the row''s canonical form, which holds prev, so the rows of an artifact are a chain. See docs/ledger.md';
COMMENT ON COLUMN vouch_data.operation.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.operation.artifact_no IS 'Number of the artifact in its bucket';
COMMENT ON COLUMN vouch_data.operation.op_no IS 'Number of the operation in the artifact''s chain: 1, 2, 3 without a gap';
COMMENT ON COLUMN vouch_data.operation.version_no IS 'Version that it is about; NULL for audit-only records';
COMMENT ON COLUMN vouch_data.operation.operation IS 'What was done: create_version, create_revision, edit_items, decide, submit, approve, …';
COMMENT ON COLUMN vouch_data.operation.rule IS 'Rule of vouch.state_machine() by which a version changed its state; NULL when it did not';
COMMENT ON COLUMN vouch_data.operation.actor IS 'Who did it';
COMMENT ON COLUMN vouch_data.operation.on_behalf_of IS 'Whose authority was used; NULL for the actor''s own';
COMMENT ON COLUMN vouch_data.operation.db_user IS 'Role that the session had logged in as';
COMMENT ON COLUMN vouch_data.operation.at IS 'When it was done';
COMMENT ON COLUMN vouch_data.operation.xid IS 'Transaction that did it';
COMMENT ON COLUMN vouch_data.operation.workflow_id IS 'Workflow that did it; NULL outside of workflows';
COMMENT ON COLUMN vouch_data.operation.execution_id IS 'Execution of that workflow';
COMMENT ON COLUMN vouch_data.operation.activity IS 'State of the workflow whose activity did it';
COMMENT ON COLUMN vouch_data.operation.attempt IS 'Attempt of that activity, from 1';
COMMENT ON COLUMN vouch_data.operation.items IS 'How many items it touched';
COMMENT ON COLUMN vouch_data.operation.items_root IS 'Merkle root over what it did to them; NULL when it touched none';
COMMENT ON COLUMN vouch_data.operation.detail IS 'What else there is to know, as an object';
COMMENT ON COLUMN vouch_data.operation.error IS 'Why the operation failed; NULL when it succeeded';
COMMENT ON COLUMN vouch_data.operation.prev IS 'leaf of the operation before; NULL for the first';
COMMENT ON COLUMN vouch_data.operation.leaf IS 'SHA-256 over 0x00 and the canonical form of all the other columns';
COMMENT ON COLUMN vouch_data.operation.database_id IS 'Database whose transaction xid is: a number made of the cluster''s system identifier and the database''s oid. In a restored copy the operations of before have another than those of after; 0: unknown';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.operation', '');

CREATE FUNCTION vouch_data.guard() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'vouch_sql_guard';
COMMENT ON FUNCTION vouch_data.guard() IS
'Statement trigger of a table that only Vouch''s own code writes: refuses every other write, whoever tries, with VO109, or VO301 when its argument is append-only. Stands aside while a dump is restored (vouch.restoring)';

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vouch_data.operation
	FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.guard('append-only');
CREATE TRIGGER guard_row BEFORE UPDATE OR DELETE ON vouch_data.operation
	FOR EACH ROW EXECUTE FUNCTION vouch_data.guard('append-only');
ALTER TABLE vouch_data.operation ENABLE ALWAYS TRIGGER guard, ENABLE ALWAYS TRIGGER guard_row;

CREATE FUNCTION vouch_data.log_operation(bucket int, artifact_no int, operation text,
	detail jsonb DEFAULT NULL, items bigint DEFAULT 1, actor text DEFAULT NULL,
	on_behalf_of text DEFAULT NULL, version_no int DEFAULT NULL, error text DEFAULT NULL)
RETURNS int
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_log_operation';
COMMENT ON FUNCTION vouch_data.log_operation(int, int, text, jsonb, bigint, text, text, int, text) IS
'Appends an operation to an artifact''s chain, under the artifact''s row lock, which it takes, and returns its number. For Vouch''s own functions: nobody else may call it. actor defaults to who acts';
