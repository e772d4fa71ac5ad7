/*
 * seal.c
 *	  Seals the log into blocks.
 *
 * A block holds the operations of all transactions in [xid_lo, xid_hi), where
 * xid_hi is not above the oldest transaction that still runs.  So all of them
 * have ended, what a block holds never changes, and no row of the log has to
 * be written to say in which block it is.  An operation that was logged early
 * by a transaction that ends late is in a later block; nobody who logs
 * something waits for the sealer.
 *
 * Numbers of transactions belong to a database.  In a restored copy, the
 * operations that it brought along and that no block has yet are sealed
 * first, as they are all there will be; then an era of its own begins.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/errors.h"
#include "ledger/block.h"
#include "ledger/record.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_seal);

#define FIRST_LEAVES 1024

/*
 * The row lock makes one sealer at a time; and that it is ours says that the
 * tables belong here.
 */
static VouchStmt lock_adoption = {
	"SELECT system_identifier, database_oid FROM vouch_data.adoption FOR NO KEY UPDATE",
	SPI_OK_SELECT, 0, {0}
};

static VouchStmt find_horizon = {
	"SELECT pg_snapshot_xmin(pg_current_snapshot())",
	SPI_OK_SELECT, 0, {0}
};

static VouchStmt find_last = {
	"SELECT b.block_no, b.era, b.database_id, b.block_hash FROM vouch_data.block b ORDER BY b.block_no DESC LIMIT 1",
	SPI_OK_SELECT, 0, {0}, .indexed = true
};

static VouchStmt find_sealed_to = {
	"SELECT b.xid_hi FROM vouch_data.block b WHERE b.database_id = $1 ORDER BY b.xid_hi DESC LIMIT 1",
	SPI_OK_SELECT, 1, {INT8OID}, .indexed = true
};

static VouchStmt find_unsealed = {
	"SELECT EXISTS (SELECT FROM vouch_data.operation o WHERE o.database_id = $1 AND o.xid >= $2 AND o.xid < $3)",
	SPI_OK_SELECT, 3, {INT8OID, XID8OID, XID8OID}, .indexed = true
};

/* Once, when the last block is of another database or there is none. */
static VouchStmt find_foreign = {
	"SELECT o.database_id FROM vouch_data.operation o WHERE o.database_id <> $1 AND NOT EXISTS ("
	"  SELECT FROM vouch_data.block b WHERE b.database_id = o.database_id AND b.xid_hi > o.xid)"
	" GROUP BY o.database_id ORDER BY o.database_id <> $2, min(o.at)",
	SPI_OK_SELECT, 2, {INT8OID, INT8OID}
};

static VouchStmt find_end = {
	"SELECT x.xid FROM (SELECT o.xid FROM vouch_data.operation o"
	"  WHERE o.database_id = $1 AND o.xid >= $2 AND o.xid < $3 ORDER BY o.xid LIMIT $4) x ORDER BY x.xid DESC",
	SPI_OK_SELECT, 4, {INT8OID, XID8OID, XID8OID, INT8OID}, .indexed = true
};

static VouchStmt read_leaves = {
	"SELECT o.leaf FROM vouch_data.operation o"
	" WHERE o.database_id = $1 AND o.xid >= $2 AND o.xid < $3"
	" ORDER BY o.xid, o.bucket, o.artifact_no, o.op_no",
	SPI_OK_SELECT, 3, {INT8OID, XID8OID, XID8OID}, .indexed = true
};

static VouchStmt insert_block = {
	"INSERT INTO vouch_data.block (block_no, era, database_id, xid_lo, xid_hi, operations, root, prev_hash,"
	"  sealed_at, system_identifier, database_oid, block_hash)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
	SPI_OK_INSERT, 12,
	{INT8OID, INT4OID, INT8OID, XID8OID, XID8OID, INT8OID, BYTEAOID, BYTEAOID, TIMESTAMPTZOID, INT8OID,
	OIDOID, BYTEAOID},
	.guarded = true
};

void
vouch_digest_put_hex(StringInfo buf, const void *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		appendStringInfo(buf, "%02x", ((const uint8 *) data)[i]);
}

bool
vouch_block_read(VouchBlock *block, TupleTableSlot *slot, int first)
{
	Datum		values[VOUCH_BLOCK_NCOLUMNS];
	bool		nulls[VOUCH_BLOCK_NCOLUMNS];
	bool		good;

	for (int i = 0; i < VOUCH_BLOCK_NCOLUMNS; i++)
		values[i] = slot_getattr(slot, first + i, &nulls[i]);
	memset(block, 0, sizeof(*block));
	block->block_no = DatumGetInt64(values[0]);
	block->era = DatumGetInt32(values[1]);
	block->database_id = DatumGetInt64(values[2]);
	block->xid_lo = DatumGetUInt64(values[3]);
	block->xid_hi = DatumGetUInt64(values[4]);
	block->operations = DatumGetInt64(values[5]);
	good = vouch_digest_from_bytea(DatumGetByteaPP(values[6]), &block->root);
	block->has_prev = !nulls[7];
	if (block->has_prev)
		good = vouch_digest_from_bytea(DatumGetByteaPP(values[7]), &block->prev) && good;
	block->sealed_at = DatumGetTimestampTz(values[8]);
	block->system_identifier = (uint64) DatumGetInt64(values[9]);
	block->database_oid = DatumGetObjectId(values[10]);
	return vouch_digest_from_bytea(DatumGetByteaPP(values[11]), &block->hash) && good;
}

/* The order and the tags are part of the format: never change them. */
void
vouch_block_hash(const VouchBlock *block, VouchDigest *hash)
{
	StringInfoData buf;

	initStringInfo(&buf);
	vouch_canon_text(&buf, 'F', "vouch-block-1");
	vouch_canon_int64(&buf, 'n', block->block_no);
	vouch_canon_int64(&buf, 'e', block->era);
	vouch_canon_int64(&buf, 'D', block->database_id);
	vouch_canon_int64(&buf, 'l', (int64) block->xid_lo);
	vouch_canon_int64(&buf, 'h', (int64) block->xid_hi);
	vouch_canon_int64(&buf, 'i', block->operations);
	vouch_canon_bytes(&buf, 'R', block->root.bytes, VOUCH_DIGEST_LEN);
	if (block->has_prev)
		vouch_canon_bytes(&buf, 'P', block->prev.bytes, VOUCH_DIGEST_LEN);
	else
		vouch_canon_null(&buf, 'P');
	vouch_canon_time(&buf, 't', block->sealed_at);
	vouch_canon_int64(&buf, 'S', (int64) block->system_identifier);
	vouch_canon_int64(&buf, 'd', block->database_oid);
	vouch_digest_leaf(hash, buf.data, buf.len);
	pfree(buf.data);
}

static void
add_leaf(TupleTableSlot *slot, void *arg)
{
	VouchLeaves *leaves = arg;
	bool		isnull;
	Datum		leaf = slot_getattr(slot, 1, &isnull);

	if (leaves->n == leaves->allocated)
	{
		leaves->allocated *= 2;
		leaves->leaves = repalloc_huge(leaves->leaves, sizeof(VouchDigest) * leaves->allocated);
	}
	if (!vouch_digest_from_bytea(DatumGetByteaPP(leaf), &leaves->leaves[leaves->n]))
	{
		memset(&leaves->leaves[leaves->n], 0, sizeof(VouchDigest));
		leaves->broken = true;
	}
	leaves->n++;
}

void
vouch_block_leaves(VouchLeaves *leaves, int64 database_id, uint64 xid_lo, uint64 xid_hi, bool fresh)
{
	Datum		args[3] = {Int64GetDatum(database_id), UInt64GetDatum(xid_lo), UInt64GetDatum(xid_hi)};

	leaves->n = 0;
	leaves->broken = false;
	leaves->allocated = FIRST_LEAVES;
	leaves->leaves = palloc(sizeof(VouchDigest) * FIRST_LEAVES);
	vouch_stmt_scan(&read_leaves, args, NULL, fresh, add_leaf, leaves);
}

/* Up to where the operations of a database are sealed. */
static uint64
sealed_to(int64 database_id)
{
	Datum		args[1] = {Int64GetDatum(database_id)};

	if (vouch_stmt_run(&find_sealed_to, args, NULL) == 0)
		return 0;
	return DatumGetUInt64(vouch_stmt_get(0, 1, NULL));
}

static uint64
horizon(void)
{
	vouch_stmt_run_one(&find_horizon, NULL, NULL);
	return DatumGetUInt64(vouch_stmt_get(0, 1, NULL));
}

static bool
has_unsealed(int64 database_id, uint64 from, uint64 to)
{
	Datum		args[3] = {Int64GetDatum(database_id), UInt64GetDatum(from), UInt64GetDatum(to)};

	vouch_stmt_run_one(&find_unsealed, args, NULL);
	return vouch_stmt_get_bool(0, 1, false);
}

/* Reads the last block's number, era, database and hash; block_no 0: there is none. */
static void
read_last(VouchBlock *last)
{
	memset(last, 0, sizeof(*last));
	if (vouch_stmt_run(&find_last, NULL, NULL) == 0)
		return;
	last->block_no = vouch_stmt_get_int64(0, 1, 0);
	last->era = vouch_stmt_get_int32(0, 2, 0);
	last->database_id = vouch_stmt_get_int64(0, 3, 0);
	if (!vouch_digest_from_bytea(DatumGetByteaPP(vouch_stmt_get(0, 4, NULL)), &last->hash))
		ereport(ERROR,
				(errcode(VOUCH_ERR_TAMPERED),
				 errmsg("block " INT64_FORMAT " has no hash to continue from", last->block_no),
				 errhint("See what vouch.verify() finds.")));
}

static void
write_block(VouchBlock *block)
{
	Datum		args[12];
	char		nulls[13];

	memset(nulls, ' ', 12);
	nulls[12] = '\0';
	args[0] = Int64GetDatum(block->block_no);
	args[1] = Int32GetDatum(block->era);
	args[2] = Int64GetDatum(block->database_id);
	args[3] = UInt64GetDatum(block->xid_lo);
	args[4] = UInt64GetDatum(block->xid_hi);
	args[5] = Int64GetDatum(block->operations);
	args[6] = PointerGetDatum(vouch_digest_to_bytea(&block->root));
	args[7] = PointerGetDatum(vouch_digest_to_bytea(&block->prev));
	nulls[7] = block->has_prev ? ' ' : 'n';
	args[8] = TimestampTzGetDatum(block->sealed_at);
	args[9] = Int64GetDatum((int64) block->system_identifier);
	args[10] = ObjectIdGetDatum(block->database_oid);
	args[11] = PointerGetDatum(vouch_digest_to_bytea(&block->hash));
	vouch_stmt_run_one(&insert_block, args, nulls);
}

/*
 * Seals what a database has logged below end; last is the block before, and
 * then the one made last.  complete: the range ends at end, also when the
 * last operation comes long before.
 */
static int64
seal_range(VouchBlock *last, int64 database_id, uint64 end, bool complete, int64 max)
{
	uint64		from = sealed_to(database_id);
	int64		sealed = 0;

	for (;;)
	{
		Datum		args[4] = {Int64GetDatum(database_id), UInt64GetDatum(from), UInt64GetDatum(end), Int64GetDatum(max)};
		VouchBlock	block = {0};
		VouchLeaves leaves = {0};
		uint64		n;

		CHECK_FOR_INTERRUPTS();
		n = vouch_stmt_run(&find_end, args, NULL);
		if (n == 0)
			return sealed;
		block.xid_lo = from;
		/* a transaction is never split */
		block.xid_hi = (int64) n < max && complete ? end : DatumGetUInt64(vouch_stmt_get(0, 1, NULL)) + 1;
		SPI_freetuptable(SPI_tuptable);

		vouch_block_leaves(&leaves, database_id, block.xid_lo, block.xid_hi, true);
		if (leaves.broken)
			ereport(ERROR,
					(errcode(VOUCH_ERR_TAMPERED),
					 errmsg("an operation that is to be sealed has a leaf that is no digest"),
					 errhint("See what vouch.verify() finds.")));
		block.block_no = last->block_no + 1;
		block.era = last->block_no > 0 && last->database_id == database_id ? last->era : last->era + 1;
		block.database_id = database_id;
		block.operations = leaves.n;
		vouch_digest_root(&block.root, leaves.leaves, leaves.n);
		block.has_prev = last->block_no > 0;
		block.prev = last->hash;
		block.sealed_at = GetCurrentTimestamp();
		block.system_identifier = GetSystemIdentifier();
		block.database_oid = MyDatabaseId;
		vouch_block_hash(&block, &block.hash);
		write_block(&block);
		pfree(leaves.leaves);

		sealed += block.operations;
		from = block.xid_hi;
		*last = block;
	}
}

/*
 * Databases, other than ours, of which there are operations that no block has:
 * only in a copy, and only until our first block.  Costs a scan of the log, so
 * what was found for a last block is remembered.
 */
static int
foreign_databases(const VouchBlock *last, int64 mine, int64 **databases)
{
	static VouchDigest none_after;
	Datum		args[2] = {Int64GetDatum(mine), Int64GetDatum(last->database_id)};
	int			n;

	*databases = NULL;
	if (last->block_no > 0 &&
		(last->database_id == mine || memcmp(&none_after, &last->hash, sizeof(none_after)) == 0))
		return 0;
	n = (int) vouch_stmt_run(&find_foreign, args, NULL);
	if (n == 0)
		none_after = last->hash;
	*databases = palloc(sizeof(int64) * Max(n, 1));
	for (int i = 0; i < n; i++)
		(*databases)[i] = vouch_stmt_get_int64(i, 1, 0);
	return n;
}

static void
check_adopted(void)
{
	if (vouch_stmt_run(&lock_adoption, NULL, NULL) == 1 &&
		(uint64) vouch_stmt_get_int64(0, 1, 0) == GetSystemIdentifier() &&
		DatumGetObjectId(vouch_stmt_get(0, 2, NULL)) == MyDatabaseId)
		return;
	ereport(ERROR,
			(errcode(VOUCH_ERR_NOT_ADOPTED),
			 errmsg("this database is a copy that has not been adopted"),
			 errdetail("Blocks sealed here would continue those of the original."),
			 errhint("If this copy is to be worked in, call vouch.adopt_database(); a new era then begins.")));
}

/* vouch.seal(max_operations): how many operations were sealed */
Datum
vouch_sql_seal(PG_FUNCTION_ARGS)
{
	int64		max = PG_GETARG_INT32(0);
	int64		mine = vouch_ledger_database_id();
	int64		sealed = 0;
	VouchBlock	last;
	int64	   *foreign;
	int			n;
	uint64		end;

	if (max < 1)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("max_operations must be positive"),
				 errhint("It is how many operations a block holds at most, but for one transaction that has more.")));
	SPI_connect();
	read_last(&last);
	end = horizon();
	if (!has_unsealed(mine, sealed_to(mine), end) && foreign_databases(&last, mine, &foreign) == 0)
	{
		SPI_finish();
		PG_RETURN_INT64(0);
	}

	/* Take the lock, then read: somebody may have sealed meanwhile. */
	check_adopted();
	read_last(&last);
	n = foreign_databases(&last, mine, &foreign);
	for (int i = 0; i < n; i++)
		sealed += seal_range(&last, foreign[i], PG_UINT64_MAX, false, max);

	/* What is below the oldest running transaction has ended, and is seen by what follows. */
	end = horizon();
	sealed += seal_range(&last, mine, end, true, max);
	SPI_finish();
	PG_RETURN_INT64(sealed);
}
