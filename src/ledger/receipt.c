/*
 * receipt.c
 *	  Receipts: what somebody who signed takes along, to prove with an anchor and
 *	  without this database that the operation is in the log as they know it.
 *
 * A receipt has the record's fields, not only its bytes: who checks it
 * computes the leaf from what a person reads.  Numbers of 64 bits are strings,
 * for many readers of JSON keep 53; detail is the string that is hashed.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "ledger/block.h"
#include "ledger/record.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/uuid.h"

VOUCH_FUNCTION(vouch_sql_receipt);
VOUCH_FUNCTION(vouch_sql_receipt_of_version);

/*
 * Of a version without an operation: what its reviewers did and what led there.
 * All that bears on a signature: one that was taken back is not to look valid.
 */
static VouchStmt find_records = {
	"SELECT " VOUCH_RECORD_COLUMNS " FROM vouch_data.artifact a, vouch_data.operation o"
	" WHERE a.bucket = $1 AND a.artifact_no = $2 AND o.bucket = $1 AND o.artifact_no = $2"
	" AND CASE WHEN $4 > 0 THEN o.op_no = $4 ELSE o.version_no = $3"
	"  AND o.operation IN ('submit', 'sign_off', 'carry_signature', 'revoke_signature',"
	"   'approve', 'reject', 'return', 'withdraw', 'expire') AND o.error IS NULL END"
	" ORDER BY o.op_no",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, INT4OID}, .indexed = true
};

static VouchStmt find_artifact = {
	"SELECT bucket, artifact_no FROM vouch_data.artifact"
	" WHERE bucket = vouch.bucket($1) AND subject = $1 AND phase = CASE WHEN $2 LIKE '@%' THEN $2 ELSE vouch_data.phase_key($2) END AND scope = $3",
	SPI_OK_SELECT, 3, {TEXTOID, TEXTOID, TEXTOID}, .indexed = true
};

static VouchStmt find_block = {
	"SELECT " VOUCH_BLOCK_COLUMNS " FROM vouch_data.block b"
	" WHERE b.database_id = $1 AND b.xid_hi > $2 ORDER BY b.xid_hi LIMIT 1",
	SPI_OK_SELECT, 2, {INT8OID, XID8OID}, .indexed = true
};

static VouchStmt find_running = {
	"SELECT pg_snapshot_xmin(pg_current_snapshot()) <= $1",
	SPI_OK_SELECT, 1, {XID8OID}
};

static void
put_name(StringInfo buf, const char *name)
{
	if (buf->data[buf->len - 1] != '{')
		appendStringInfoString(buf, ", ");
	appendStringInfo(buf, "\"%s\": ", name);
}

static void
put_text(StringInfo buf, const char *name, const char *value)
{
	put_name(buf, name);
	if (value == NULL)
		appendStringInfoString(buf, "null");
	else
		escape_json(buf, value);
}

static void
put_number(StringInfo buf, const char *name, int64 value)
{
	put_name(buf, name);
	appendStringInfo(buf, INT64_FORMAT, value);
}

static void
put_number_or_null(StringInfo buf, const char *name, bool given, int64 value)
{
	if (given)
		put_number(buf, name, value);
	else
		put_text(buf, name, NULL);
}

static void
put_big(StringInfo buf, const char *name, uint64 value)
{
	put_name(buf, name);
	appendStringInfo(buf, "\"" UINT64_FORMAT "\"", value);
}

static void
put_digest(StringInfo buf, const char *name, const void *data, size_t len)
{
	put_name(buf, name);
	appendStringInfoChar(buf, '"');
	vouch_digest_put_hex(buf, data, len);
	appendStringInfoChar(buf, '"');
}

static void
put_bytea(StringInfo buf, const char *name, const bytea *value)
{
	if (value == NULL)
		put_text(buf, name, NULL);
	else
		put_digest(buf, name, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

void
vouch_block_put_json(StringInfo buf, const VouchBlock *block)
{
	appendStringInfoChar(buf, '{');
	put_number(buf, "block_no", block->block_no);
	put_number(buf, "era", block->era);
	put_big(buf, "database_id", (uint64) block->database_id);
	put_big(buf, "xid_lo", block->xid_lo);
	put_big(buf, "xid_hi", block->xid_hi);
	put_number(buf, "operations", block->operations);
	put_digest(buf, "root", block->root.bytes, VOUCH_DIGEST_LEN);
	if (block->has_prev)
		put_digest(buf, "prev_hash", block->prev.bytes, VOUCH_DIGEST_LEN);
	else
		put_text(buf, "prev_hash", NULL);
	put_text(buf, "sealed_at", vouch_json_time_text(block->sealed_at));
	put_big(buf, "system_identifier", block->system_identifier);
	put_number(buf, "database_oid", block->database_oid);
	put_digest(buf, "block_hash", block->hash.bytes, VOUCH_DIGEST_LEN);
	appendStringInfoChar(buf, '}');
}

static void
put_record(StringInfo buf, const VouchRecord *r)
{
	appendStringInfoChar(buf, '{');
	put_text(buf, "subject", r->subject);
	put_text(buf, "phase", r->phase);
	put_text(buf, "scope", r->scope);
	put_number_or_null(buf, "cycle_id", r->has_cycle, r->cycle_id);
	put_number_or_null(buf, "report_id", r->has_report, r->report_id);
	put_text(buf, "created_at", vouch_json_time_text(r->created_at));
	put_number(buf, "bucket", r->op.bucket);
	put_number(buf, "artifact_no", r->op.artifact_no);
	put_number(buf, "op_no", r->op_no);
	put_number_or_null(buf, "version_no", r->has_version, r->op.version_no);
	put_text(buf, "operation", r->op.operation);
	put_text(buf, "rule", r->op.rule);
	put_text(buf, "actor", r->op.actor);
	put_text(buf, "on_behalf_of", r->op.on_behalf_of);
	put_text(buf, "db_user", r->db_user);
	put_text(buf, "at", vouch_json_time_text(r->at));
	put_big(buf, "xid", r->xid);
	put_big(buf, "database_id", (uint64) r->database_id);
	put_text(buf, "workflow_id", r->workflow_id);
	put_text(buf, "execution_id", r->execution_id == NULL ? NULL :
			 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(r->execution_id))));
	put_text(buf, "activity", r->activity);
	put_number_or_null(buf, "attempt", r->has_attempt, r->attempt);
	put_number(buf, "items", r->op.items);
	put_bytea(buf, "items_root", r->items_root);
	put_text(buf, "detail", r->op.detail == NULL ? NULL : vouch_json_to_text(r->op.detail));
	put_text(buf, "error", r->op.error);
	put_bytea(buf, "prev", r->prev);
	appendStringInfoChar(buf, '}');
}

/* The hashes beside the way from a leaf to the root; RFC 6962 as vouch_digest_root() has it. */
static void
put_path(StringInfo buf, VouchDigest *leaves, int64 n, int64 index)
{
	put_name(buf, "path");
	appendStringInfoChar(buf, '[');
	while (n > 1)
	{
		int64		half = n / 2;

		if ((index ^ 1) < n)
		{
			appendStringInfoString(buf, buf->data[buf->len - 1] == '[' ? "\"" : ", \"");
			vouch_digest_put_hex(buf, leaves[index ^ 1].bytes, VOUCH_DIGEST_LEN);
			appendStringInfoChar(buf, '"');
		}
		for (int64 i = 0; i < half; i++)
			vouch_digest_node(&leaves[i], &leaves[2 * i], &leaves[2 * i + 1]);
		if (n % 2 == 1)
			leaves[half] = leaves[n - 1];
		n = half + n % 2;
		index /= 2;
	}
	appendStringInfoChar(buf, ']');
}

typedef struct BlockSearch
{
	bool		found;
	bool		good;
	VouchBlock	block;
} BlockSearch;

static void
note_block(TupleTableSlot *slot, void *arg)
{
	BlockSearch *search = arg;

	search->found = true;
	search->good = vouch_block_read(&search->block, slot, 1);
}

static void
not_sealed(const VouchRecord *r)
{
	Datum		args[1] = {UInt64GetDatum(r->xid)};
	bool		running;

	vouch_stmt_run_one(&find_running, args, NULL);
	running = r->database_id == vouch_ledger_database_id() && vouch_stmt_get_bool(0, 1, false);
	ereport(ERROR,
			(errcode(VOUCH_ERR_NOT_SEALED),
			 errmsg("operation %d (%s) is in no block yet", r->op_no, r->op.operation),
			 running ? errdetail("Its transaction, or one that is older, has not ended.") :
			 errdetail("It is ready to be sealed."),
			 errhint("The workers seal every vouch.seal_interval; without them, call vouch.seal().")));
}

/* The block of the operation before, which mostly is that of the next: it is read and checked once. */
typedef struct Sealed
{
	VouchBlock	block;			/* block_no 0: none yet */
	VouchDigest *leaves;
	VouchDigest *copy;			/* room for what a root or a path destroys */
	int64		n;
	List	   *written;		/* block_no, as int64 *, of those in "blocks" */
} Sealed;

static void
read_sealed(Sealed *sealed, const VouchRecord *r)
{
	BlockSearch search = {0};
	VouchLeaves leaves = {0};
	VouchDigest root;
	Datum		args[2] = {Int64GetDatum(r->database_id), UInt64GetDatum(r->xid)};

	if (sealed->block.block_no > 0 && sealed->block.database_id == r->database_id &&
		r->xid >= sealed->block.xid_lo && r->xid < sealed->block.xid_hi)
		return;
	vouch_stmt_scan(&find_block, args, NULL, false, note_block, &search);
	if (!search.found || search.block.xid_lo > r->xid)
		not_sealed(r);
	if (sealed->leaves != NULL)
	{
		pfree(sealed->leaves);
		pfree(sealed->copy);
	}
	vouch_block_leaves(&leaves, r->database_id, search.block.xid_lo, search.block.xid_hi, false);
	sealed->block = search.block;
	sealed->leaves = leaves.leaves;
	sealed->n = leaves.n;
	sealed->copy = palloc_extended(sizeof(VouchDigest) * Max(leaves.n, 1), MCXT_ALLOC_HUGE);
	memcpy(sealed->copy, leaves.leaves, sizeof(VouchDigest) * leaves.n);
	vouch_digest_root(&root, sealed->copy, leaves.n);
	if (!search.good || leaves.n != search.block.operations || memcmp(&root, &search.block.root, sizeof(root)) != 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_TAMPERED),
				 errmsg("block " INT64_FORMAT " is not what was sealed", search.block.block_no),
				 errdetail("A receipt from it would prove nothing."),
				 errhint("See what vouch.verify() finds.")));
}

/* An operation's place among the leaves, of which each is another: it holds its artifact and number. */
static int64
place_of(const Sealed *sealed, const VouchRecord *r)
{
	VouchDigest leaf;

	if (vouch_digest_from_bytea(r->leaf, &leaf))
		for (int64 i = 0; i < sealed->n; i++)
			if (memcmp(&sealed->leaves[i], &leaf, sizeof(leaf)) == 0)
				return i;
	ereport(ERROR,
			(errcode(VOUCH_ERR_TAMPERED),
			 errmsg("operation %d is not in block " INT64_FORMAT, r->op_no, sealed->block.block_no),
			 errhint("See what vouch.verify() finds.")));
}

/* One entry of "operations", and its block, unless that is there. */
static void
put_operation(StringInfo buf, StringInfo blocks, const VouchRecord *r, Sealed *sealed)
{
	ListCell   *cell;
	int64		index;
	int64	   *block_no;

	read_sealed(sealed, r);
	index = place_of(sealed, r);
	appendStringInfoString(buf, buf->data[buf->len - 1] == '[' ? "{" : ", {");
	put_name(buf, "record");
	put_record(buf, r);
	put_bytea(buf, "leaf", r->leaf);
	put_number(buf, "block_no", sealed->block.block_no);
	put_number(buf, "index", index);
	memcpy(sealed->copy, sealed->leaves, sizeof(VouchDigest) * sealed->n);
	put_path(buf, sealed->copy, sealed->n, index);
	appendStringInfoChar(buf, '}');

	foreach(cell, sealed->written)
		if (*(int64 *) lfirst(cell) == sealed->block.block_no)
			return;
	if (sealed->written != NIL)
		appendStringInfoString(blocks, ", ");
	vouch_block_put_json(blocks, &sealed->block);
	block_no = palloc(sizeof(int64));
	*block_no = sealed->block.block_no;
	sealed->written = lappend(sealed->written, block_no);
}

static void
collect_record(TupleTableSlot *slot, void *arg)
{
	List	  **list = arg;
	VouchRecord *record = palloc(sizeof(VouchRecord));

	/* what it points to outlives the slot */
	slot_getallattrs(slot);
	vouch_record_read(record, slot);
	if (record->execution_id != NULL)
	{
		pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

		*id = *record->execution_id;
		record->execution_id = id;
	}
	if (record->op.detail != NULL)
		record->op.detail = DatumGetJsonbPCopy(JsonbPGetDatum(record->op.detail));
	if (record->items_root != NULL)
		record->items_root = DatumGetByteaPCopy(PointerGetDatum(record->items_root));
	if (record->prev != NULL)
		record->prev = DatumGetByteaPCopy(PointerGetDatum(record->prev));
	record->leaf = DatumGetByteaPCopy(PointerGetDatum(record->leaf));
	*list = lappend(*list, record);
}

/*
 * The receipt for one operation, or with op_no 0 for those of a version, in
 * the memory context of the call: a statement leaves SPI's behind, which ends
 * with SPI_finish().
 */
static Jsonb *
receipt(int bucket, int artifact_no, int version_no, int op_no)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		args[4] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no), Int32GetDatum(version_no), Int32GetDatum(op_no)};
	StringInfoData buf,
				blocks;
	List	   *records = NIL;
	ListCell   *cell;
	Sealed		sealed = {0};

	vouch_stmt_scan(&find_records, args, NULL, false, collect_record, &records);
	if (records == NIL && op_no > 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_UNKNOWN_OPERATION),
				 errmsg("there is no operation %d", op_no),
				 errdetail("The log of this subject and phase does not have it."),
				 errhint("vouch.workflow_version_operations lists the operations of each subject and phase.")));
	if (records == NIL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_UNKNOWN_OPERATION),
				 errmsg("version %d has no signature, nor was it submitted", version_no),
				 errdetail("Without a number, a receipt is for a version's submissions, signatures and end."),
				 errhint("Name an operation: vouch.workflow_version_operations lists them.")));

	initStringInfo(&buf);
	initStringInfo(&blocks);
	appendStringInfoString(&buf, "{\"format\": \"vouch-receipt-1\", \"operations\": [");
	foreach(cell, records)
	{
		CHECK_FOR_INTERRUPTS();
		put_operation(&buf, &blocks, lfirst(cell), &sealed);
	}
	appendStringInfo(&buf, "], \"blocks\": [%s]}", blocks.data);
	MemoryContextSwitchTo(caller);
	return vouch_json_from_text(buf.data);
}

/* vouch.receipt(version_id, operation_number) */
Datum
vouch_sql_receipt_of_version(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	int			bucket,
				artifact_no,
				version_no;
	Jsonb	   *result;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("version_id must not be null"),
				 errhint("Pass what vouch.create_version() returned.")));
	if (!vouch_id_unpack_version(PG_GETARG_UUID_P(0), &bucket, &artifact_no, &version_no))
		ereport(ERROR,
				(errcode(VOUCH_ERR_UNKNOWN_VERSION),
				 errmsg("%s is not the id of a version",
						DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(0)))),
				 errhint("Pass what vouch.create_version() returned.")));
	SPI_connect();
	MemoryContextSwitchTo(caller);
	result = receipt(bucket, artifact_no, version_no, PG_ARGISNULL(1) ? 0 : Max(PG_GETARG_INT32(1), 1));
	SPI_finish();
	PG_RETURN_JSONB_P(result);
}

/* vouch.receipt(subject, phase, operation_number, scope) */
Datum
vouch_sql_receipt(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		args[3] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(3)};
	int			bucket,
				artifact_no;
	Jsonb	   *result;

	SPI_connect();
	if (vouch_stmt_run(&find_artifact, args, NULL) == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_UNKNOWN_OPERATION),
				 errmsg("nothing is logged of phase \"%s\" of subject \"%s\"",
						text_to_cstring(PG_GETARG_TEXT_PP(1)), text_to_cstring(PG_GETARG_TEXT_PP(0))),
				 errdetail("The log has no operation on this phase, subject and scope."),
				 errhint("The subject of cycle 7 of report 3 is cycle-7-report-3; scope is empty or a line of business.")));
	bucket = vouch_stmt_get_int32(0, 1, 0);
	artifact_no = vouch_stmt_get_int32(0, 2, 0);
	MemoryContextSwitchTo(caller);
	result = receipt(bucket, artifact_no, 0, Max(PG_GETARG_INT32(2), 1));
	SPI_finish();
	PG_RETURN_JSONB_P(result);
}
