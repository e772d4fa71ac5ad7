/*
 * anchor.c
 *	  Checks blocks: against the log, one against the other, and against what was
 *	  kept of them outside.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/json.h"
#include "funcapi.h"
#include "ledger/block.h"
#include "ledger/record.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

VOUCH_FUNCTION(vouch_sql_check_anchor);

static VouchStmt list_blocks = {
	"SELECT " VOUCH_BLOCK_COLUMNS ", $1 IS NULL OR EXISTS (SELECT FROM vouch_data.artifact a, vouch_data.operation o"
	"  WHERE a.bucket = vouch.bucket($1) AND a.subject = $1 AND o.bucket = a.bucket AND o.artifact_no = a.artifact_no"
	"  AND o.database_id = b.database_id AND o.xid >= b.xid_lo AND o.xid < b.xid_hi)"
	" FROM vouch_data.block b ORDER BY b.block_no",
	SPI_OK_SELECT, 1, {TEXTOID}
};

static VouchStmt find_block = {
	"SELECT " VOUCH_BLOCK_COLUMNS " FROM vouch_data.block b WHERE b.block_no = $1",
	SPI_OK_SELECT, 1, {INT8OID}, .indexed = true
};

/*
 * The other way: operations that no block has, and none will have.  $2 is our
 * database; of another one all is sealed before our first block ($3: there is
 * one); of ours there is nothing from transaction $4 on.
 */
#define UNSEALABLE(artifacts) \
	"SELECT a.subject, a.phase, a.scope, o.op_no, o.database_id = $2" \
	" FROM " artifacts " JOIN vouch_data.operation o ON o.bucket = a.bucket AND o.artifact_no = a.artifact_no" \
	" WHERE CASE WHEN o.database_id = $2 THEN o.xid >= $4 ELSE $3 AND NOT EXISTS (SELECT FROM vouch_data.block b" \
	"  WHERE b.database_id = o.database_id AND b.xid_hi > o.xid) END" \
	" ORDER BY a.subject, a.phase, a.scope, o.op_no LIMIT 1"

static VouchStmt find_unsealable = {
	UNSEALABLE("vouch_data.artifact a"),
	SPI_OK_SELECT, 4, {TEXTOID, INT8OID, BOOLOID, XID8OID}
};

static VouchStmt find_unsealable_of = {
	UNSEALABLE("(SELECT * FROM vouch_data.artifact x WHERE x.bucket = vouch.bucket($1) AND x.subject = $1) a"),
	SPI_OK_SELECT, 4, {TEXTOID, INT8OID, BOOLOID, XID8OID}, .indexed = true
};

typedef struct Listed
{
	VouchBlock	block;
	bool		readable;
	bool		wanted;			/* its operations are to be looked at */
} Listed;

static void
collect_block(TupleTableSlot *slot, void *arg)
{
	List	  **list = arg;
	Listed	   *listed = palloc(sizeof(Listed));
	bool		isnull;

	listed->readable = vouch_block_read(&listed->block, slot, 1);
	listed->wanted = slot->tts_tupleDescriptor->natts <= VOUCH_BLOCK_NCOLUMNS ||
		DatumGetBool(slot_getattr(slot, VOUCH_BLOCK_NCOLUMNS + 1, &isnull));
	*list = lappend(*list, listed);
}

static void
bad_block(VouchCheck *check, const VouchBlock *block, char *detail)
{
	vouch_check_fail(check, psprintf("block " INT64_FORMAT, block->block_no), detail);
}

/* Its own fields, and the leaves of its operations. */
static void
check_block(VouchCheck *check, const Listed *listed)
{
	const VouchBlock *block = &listed->block;
	VouchDigest digest;
	VouchLeaves leaves = {0};

	vouch_block_hash(block, &digest);
	if (!listed->readable || memcmp(&digest, &block->hash, sizeof(digest)) != 0)
	{
		bad_block(check, block, pstrdup("Its fields do not give its hash."));
		return;
	}
	if (!listed->wanted)
		return;
	vouch_block_leaves(&leaves, block->database_id, block->xid_lo, block->xid_hi, false);
	if (leaves.n != block->operations)
		bad_block(check, block, psprintf("It was sealed with " INT64_FORMAT " operations; " INT64_FORMAT " are there.",
										 block->operations, leaves.n));
	else
	{
		vouch_digest_root(&digest, leaves.leaves, leaves.n);
		if (memcmp(&digest, &block->root, sizeof(digest)) != 0)
			bad_block(check, block, pstrdup("Its operations do not give its root."));
	}
	pfree(leaves.leaves);
}

static void
bad_operation(TupleTableSlot *slot, void *arg)
{
	VouchCheck *check = arg;
	char	   *names[3];
	bool		isnull;

	for (int i = 0; i < 3; i++)
	{
		Datum		value = slot_getattr(slot, i + 1, &isnull);

		names[i] = TextDatumGetCString(value);
	}
	vouch_check_fail(check, psprintf("operation %d of %s/%s%s%s", DatumGetInt32(slot_getattr(slot, 4, &isnull)),
									 names[0], names[1], names[2][0] == '\0' ? "" : "/", names[2]),
					 pstrdup(DatumGetBool(slot_getattr(slot, 5, &isnull)) ? VOUCH_BAD_TRANSACTION : VOUCH_BAD_DATABASE));
}

void
vouch_blocks_verify(text *subject, VouchCheck *check)
{
	/* the number that comes next: what the snapshot shows is of earlier ones */
	Datum		args[4] = {PointerGetDatum(subject), Int64GetDatum(vouch_ledger_database_id()), 0,
	UInt64GetDatum(U64FromFullTransactionId(ReadNextFullTransactionId()))};
	List	   *blocks = NIL;
	ListCell   *cell;
	const VouchBlock *before = NULL;

	vouch_stmt_scan(&list_blocks, args, subject == NULL ? "n" : NULL, false, collect_block, &blocks);
	foreach(cell, blocks)
	{
		const Listed *listed = lfirst(cell);
		const VouchBlock *block = &listed->block;
		uint64		sealed_to = 0;

		CHECK_FOR_INTERRUPTS();
		check_block(check, listed);
		if (block->block_no != (before == NULL ? 1 : before->block_no + 1))
			bad_block(check, block, psprintf("Block " INT64_FORMAT " is missing.", before == NULL ? 1 : before->block_no + 1));
		if (block->has_prev != (before != NULL) ||
			(before != NULL && memcmp(&block->prev, &before->hash, sizeof(VouchDigest)) != 0))
			bad_block(check, block, pstrdup("It does not continue the chain: prev_hash is not the hash of the block before."));
		if (block->era != (before == NULL ? 1 : before->era + (before->database_id != block->database_id)))
			bad_block(check, block, pstrdup("It is of another era than follows from the block before."));

		/* mostly the block before is of the same database */
		if (before != NULL && before->database_id == block->database_id)
			sealed_to = before->xid_hi;
		else
			for (int i = foreach_current_index(cell) - 1; i >= 0 && sealed_to == 0; i--)
			{
				const VouchBlock *other = &((Listed *) list_nth(blocks, i))->block;

				if (other->database_id == block->database_id)
					sealed_to = other->xid_hi;
			}
		if (block->xid_lo != sealed_to || block->xid_hi <= block->xid_lo)
			bad_block(check, block, pstrdup("Its transactions do not begin where those of the block before end."));
		check->checked++;
		before = block;
	}
	args[2] = BoolGetDatum(before != NULL && before->database_id == vouch_ledger_database_id());
	vouch_stmt_scan(subject == NULL ? &find_unsealable : &find_unsealable_of, args, subject == NULL ? "n   " : NULL, false,
					bad_operation, check);
	list_free_deep(blocks);
}

static char *
hex_of(const VouchDigest *digest)
{
	StringInfoData buf;

	initStringInfo(&buf);
	vouch_digest_put_hex(&buf, digest->bytes, VOUCH_DIGEST_LEN);
	return buf.data;
}

static int64
number_of(Jsonb *anchor, const char *key, int64 missing)
{
	char	   *text = vouch_json_get_text(anchor, key);
	char	   *end;
	int64		value;

	if (text == NULL)
		return missing;
	errno = 0;
	value = strtoll(text, &end, 10);
	return errno != 0 || end == text || *end != '\0' ? missing : value;
}

static void
check_one_anchor(VouchCheck *check, Jsonb *anchor)
{
	int64		block_no = vouch_json_is_object(anchor) ? number_of(anchor, "block_no", 0) : 0;
	char	   *hash = vouch_json_is_object(anchor) ? vouch_json_get_text(anchor, "block_hash") : NULL;
	Datum		args[1] = {Int64GetDatum(block_no)};
	List	   *found = NIL;
	const Listed *listed;
	const VouchBlock *block;
	char	   *text;

	if (block_no < 1 || hash == NULL || strlen(hash) != 2 * VOUCH_DIGEST_LEN)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("anchor " INT64_FORMAT " is not an object with block_no and block_hash", check->checked + 1),
				 errdetail("block_hash has 64 hexadecimal digits."),
				 errhint("Pass an array of what vouch.export_anchors() gave.")));
	check->checked++;
	vouch_stmt_scan(&find_block, args, NULL, false, collect_block, &found);
	if (found == NIL)
	{
		vouch_check_fail(check, psprintf("block " INT64_FORMAT, block_no),
						 pstrdup("It was anchored, and is not there: operations were removed, or the database was set back to an earlier state."));
		return;
	}
	listed = linitial(found);
	block = &listed->block;
	text = vouch_json_get_text(anchor, "operations");
	if (text != NULL && number_of(anchor, "operations", -1) != block->operations)
		bad_block(check, block, psprintf("It was anchored with %s operations, and has " INT64_FORMAT ".", text, block->operations));
	text = vouch_json_get_text(anchor, "root");
	if (text != NULL && pg_strcasecmp(text, hex_of(&block->root)) != 0)
		bad_block(check, block, pstrdup("Its root is not the one that was anchored: the log was written anew."));
	if (pg_strcasecmp(hash, hex_of(&block->hash)) != 0)
		bad_block(check, block, pstrdup("Its hash is not the one that was anchored: the log was written anew."));
	if (check->first_bad == NULL)
		check_block(check, listed);
	list_free_deep(found);
}

/* vouch.check_anchor(anchors): ok, checked, first_bad, detail */
Datum
vouch_sql_check_anchor(PG_FUNCTION_ARGS)
{
	Jsonb	   *anchors = PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0);
	VouchCheck	check = {0};
	TupleDesc	desc;
	Datum		values[4];
	bool		nulls[4] = {false};
	MemoryContext caller = CurrentMemoryContext;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "vouch.check_anchor() must return a row");
	if (anchors == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("there is no anchor to compare with"),
				 errdetail("anchors is null."),
				 errhint("Pass an array of what vouch.export_anchors() gave.")));
	SPI_connect();
	MemoryContextSwitchTo(caller);
	if (JB_ROOT_IS_OBJECT(anchors))
		check_one_anchor(&check, anchors);
	else
	{
		JsonbIterator *it = JsonbIteratorInit(&anchors->root);
		JsonbIteratorToken token;
		JsonbValue	v;

		while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
			if (token == WJB_ELEM)
			{
				CHECK_FOR_INTERRUPTS();
				check_one_anchor(&check, JsonbValueToJsonb(&v));
			}
		/* a file that could not be read must not look like one that was compared */
		if (check.checked == 0)
			ereport(ERROR,
					(errcode(VOUCH_ERR_ARGUMENT),
					 errmsg("there is no anchor to compare with"),
					 errdetail("The array is empty."),
					 errhint("Pass an array of what vouch.export_anchors() gave.")));
	}
	/* a statement leaves SPI's memory behind, and what was found is in it */
	MemoryContextSwitchTo(caller);
	values[0] = BoolGetDatum(check.first_bad == NULL);
	values[1] = Int64GetDatum(check.checked);
	nulls[2] = check.first_bad == NULL;
	values[2] = nulls[2] ? (Datum) 0 : CStringGetTextDatum(check.first_bad);
	nulls[3] = check.detail == NULL;
	values[3] = nulls[3] ? (Datum) 0 : CStringGetTextDatum(check.detail);
	SPI_finish();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
