-- seal.sql: blocks, anchors and receipts.

-- The one table that is not bucketed: a block is about all that was done in a
-- stretch of transactions, of whichever bucket, so that one hash is enough to keep
-- elsewhere. Blocks of each bucket would make 1024 chains of which most blocks have one
-- operation. It has one row for thousands of operations, is written by one
-- process, and read only to check. Where tables are spread over several servers, numbers of
-- transactions are a server's own, and each seals what it has.
CREATE TABLE vouch_data.block (
	block_no bigint PRIMARY KEY,		-- 1, 2, … through all eras
	era int NOT NULL,
	database_id bigint NOT NULL,
	xid_lo xid8 NOT NULL,
	xid_hi xid8 NOT NULL,				-- excluded
	operations bigint NOT NULL,
	root bytea NOT NULL,
	prev_hash bytea,
	sealed_at timestamptz NOT NULL,
	system_identifier bigint NOT NULL,
	database_oid oid NOT NULL,
	block_hash bytea NOT NULL,
	UNIQUE (database_id, xid_hi)
);
COMMENT ON TABLE vouch_data.block IS
'What was logged by a stretch of transactions, sealed under one hash that holds the hash of the block before. Membership is by transaction, so sealing writes nothing into the log. See docs/ledger.md';
COMMENT ON COLUMN vouch_data.block.block_no IS 'Number: 1, 2, 3 without a gap, through all eras';
COMMENT ON COLUMN vouch_data.block.era IS 'Counts the databases that the log has lived in: another begins in a restored copy, and after pg_upgrade';
COMMENT ON COLUMN vouch_data.block.database_id IS 'Whose transactions: operation.database_id of the operations in it';
COMMENT ON COLUMN vouch_data.block.xid_lo IS 'First transaction: xid_hi of the block before of the same database, or 0';
COMMENT ON COLUMN vouch_data.block.xid_hi IS 'First transaction that is not in it';
COMMENT ON COLUMN vouch_data.block.operations IS 'How many operations';
COMMENT ON COLUMN vouch_data.block.root IS 'Merkle root (RFC 6962) over their leaves, in the order of xid, bucket, artifact_no, op_no';
COMMENT ON COLUMN vouch_data.block.prev_hash IS 'block_hash of the block before; NULL for the first';
COMMENT ON COLUMN vouch_data.block.sealed_at IS 'When it was sealed';
COMMENT ON COLUMN vouch_data.block.system_identifier IS 'Cluster in which it was sealed, as pg_control_system() has it';
COMMENT ON COLUMN vouch_data.block.database_oid IS 'Database in which it was sealed';
COMMENT ON COLUMN vouch_data.block.block_hash IS 'SHA-256 over 0x00 and the canonical form of all the other columns';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.block', '');

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vouch_data.block
	FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.guard('append-only');
CREATE TRIGGER guard_row BEFORE UPDATE OR DELETE ON vouch_data.block
	FOR EACH ROW EXECUTE FUNCTION vouch_data.guard('append-only');
ALTER TABLE vouch_data.block ENABLE ALWAYS TRIGGER guard, ENABLE ALWAYS TRIGGER guard_row;

CREATE VIEW vouch.blocks WITH (security_invoker = true) AS
SELECT b.block_no, b.era, b.operations, encode(b.root, 'hex') AS root, encode(b.prev_hash, 'hex') AS prev_hash,
	encode(b.block_hash, 'hex') AS block_hash, b.sealed_at, b.xid_lo, b.xid_hi, b.system_identifier, b.database_oid
FROM vouch_data.block b;
COMMENT ON VIEW vouch.blocks IS 'Blocks of the log: see vouch_data.block. Digests in hexadecimal';
COMMENT ON COLUMN vouch.blocks.block_no IS 'Number: 1, 2, 3 through all eras';
COMMENT ON COLUMN vouch.blocks.era IS 'Counts the databases that the log has lived in';
COMMENT ON COLUMN vouch.blocks.operations IS 'How many operations';
COMMENT ON COLUMN vouch.blocks.root IS 'Merkle root over their leaves';
COMMENT ON COLUMN vouch.blocks.prev_hash IS 'Hash of the block before; NULL for the first';
COMMENT ON COLUMN vouch.blocks.block_hash IS 'Hash of the block';
COMMENT ON COLUMN vouch.blocks.sealed_at IS 'When it was sealed';
COMMENT ON COLUMN vouch.blocks.xid_lo IS 'First transaction';
COMMENT ON COLUMN vouch.blocks.xid_hi IS 'First transaction that is not in it';
COMMENT ON COLUMN vouch.blocks.system_identifier IS 'Cluster in which it was sealed';
COMMENT ON COLUMN vouch.blocks.database_oid IS 'Database in which it was sealed';

CREATE FUNCTION vouch.seal(max_operations int DEFAULT 100000) RETURNS bigint
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_seal';
COMMENT ON FUNCTION vouch.seal(int) IS
'Seals the operations of all transactions older than the oldest that still runs into blocks, of at most max_operations unless one transaction has more, and returns how many there were; 0 when there is nothing to seal. Called by the workers every vouch.seal_interval; without them, by pg_cron or by hand. Those who log wait for nothing. VO304 in a restored copy that was not adopted';

CREATE FUNCTION vouch.export_anchors(since_block bigint DEFAULT 0) RETURNS SETOF jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object('block_no', b.block_no, 'era', b.era, 'operations', b.operations, 'root', encode(b.root, 'hex'),
		'block_hash', encode(b.block_hash, 'hex'), 'sealed_at', to_char(b.sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
	FROM vouch_data.block b WHERE b.block_no > since_block ORDER BY b.block_no
$$;
COMMENT ON FUNCTION vouch.export_anchors(bigint) IS
'Anchors of the blocks after a number, one object a row with block_no, era, operations, root, block_hash and sealed_at: to be kept, line by line, where nobody who could change this database can change them. vouch.check_anchor() and tools/vouch-receipt compare with them';

CREATE FUNCTION vouch.check_anchor(anchors jsonb,
	OUT ok boolean, OUT checked bigint, OUT first_bad text, OUT detail text)
RETURNS record
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'vouch_sql_check_anchor';
COMMENT ON FUNCTION vouch.check_anchor(jsonb) IS
'Compares blocks and the operations in them with anchors, an array (or one) of what vouch.export_anchors() gave. ok false: first_bad names the first block that is gone or not the same, and detail says what. Finds what no check of the database alone can: the newest operations cut off, a log computed anew, an old state put back. VO502 when an anchor is none';

CREATE FUNCTION vouch.receipt(version_id uuid, operation_number int DEFAULT NULL) RETURNS jsonb
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'vouch_sql_receipt_of_version';
COMMENT ON FUNCTION vouch.receipt(uuid, int) IS
'Receipt for one operation on what a version is of, or without a number for its submission, its signatures and its end: object with format, operations (array of record, every field of the logged operation; leaf; block_no; index and path, the Merkle path from the leaf to the block''s root) and blocks (array of headers). tools/vouch-receipt checks it offline against anchors. VO303 when an operation is in no block yet, VO305 when there is none';

CREATE FUNCTION vouch.receipt(subject text, phase text, operation_number int, scope text DEFAULT '') RETURNS jsonb
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_receipt';
COMMENT ON FUNCTION vouch.receipt(text, text, int, text) IS
'The same for any operation of a phase of a subject and scope, also of the phases that have no versions';

GRANT EXECUTE ON FUNCTION vouch.receipt(uuid, int), vouch.receipt(text, text, int, text) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch.seal(int) TO vouch_admin;
GRANT EXECUTE ON FUNCTION vouch.export_anchors(bigint), vouch.check_anchor(jsonb) TO vouch_reader;
