/*
 * record.c
 *	  The canonical form of an operation, and its leaf.
 *
 * The leaf of a row is a hash of all its other columns and of what the
 * artifact is (subject, phase, scope, cycle, report, since when), prev included.  So nothing of a row can be
 * changed without changing its leaf, and no leaf without breaking the chain.
 * docs/ledger.md gives the form to the byte, for those who check it outside;
 * tools/vouch-receipt.c is written from that page and shares no code with this.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "ledger/record.h"
#include "miscadmin.h"
#include "utils/builtins.h"

static void
canon_bytea(StringInfo buf, char tag, const bytea *value)
{
	if (value == NULL)
		vouch_canon_null(buf, tag);
	else
		vouch_canon_bytes(buf, tag, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

static void
canon_number(StringInfo buf, char tag, bool given, int64 value)
{
	if (given)
		vouch_canon_int64(buf, tag, value);
	else
		vouch_canon_null(buf, tag);
}

/* The order and the tags are part of the format: never change them. */
void
vouch_record_leaf(const VouchRecord *r, VouchDigest *leaf)
{
	StringInfoData buf;

	initStringInfo(&buf);
	vouch_canon_text(&buf, 'F', "vouch-operation-1");
	vouch_canon_text(&buf, 's', r->subject);
	vouch_canon_text(&buf, 'p', r->phase);
	vouch_canon_text(&buf, 'c', r->scope);
	canon_number(&buf, 'C', r->has_cycle, r->cycle_id);
	canon_number(&buf, 'D', r->has_report, r->report_id);
	vouch_canon_time(&buf, 'T', r->created_at);
	vouch_canon_int64(&buf, 'b', r->op.bucket);
	vouch_canon_int64(&buf, 'a', r->op.artifact_no);
	vouch_canon_int64(&buf, 'n', r->op_no);
	canon_number(&buf, 'v', r->has_version, r->op.version_no);
	vouch_canon_text(&buf, 'o', r->op.operation);
	vouch_canon_text(&buf, 'r', r->op.rule);
	vouch_canon_text(&buf, 'A', r->op.actor);
	vouch_canon_text(&buf, 'B', r->op.on_behalf_of);
	vouch_canon_text(&buf, 'U', r->db_user);
	vouch_canon_time(&buf, 't', r->at);
	vouch_canon_int64(&buf, 'x', (int64) r->xid);
	vouch_canon_int64(&buf, 'X', r->database_id);
	vouch_canon_text(&buf, 'w', r->workflow_id);
	if (r->execution_id == NULL)
		vouch_canon_null(&buf, 'e');
	else
		vouch_canon_bytes(&buf, 'e', r->execution_id->data, UUID_LEN);
	vouch_canon_text(&buf, 'y', r->activity);
	canon_number(&buf, 'm', r->has_attempt, r->attempt);
	vouch_canon_int64(&buf, 'i', r->op.items);
	canon_bytea(&buf, 'R', r->items_root);
	vouch_canon_jsonb(&buf, 'd', r->op.detail);
	vouch_canon_text(&buf, 'E', r->op.error);
	canon_bytea(&buf, 'P', r->prev);
	vouch_digest_leaf(leaf, buf.data, buf.len);
	pfree(buf.data);
}

bool
vouch_digest_from_bytea(const bytea *value, VouchDigest *digest)
{
	if (value == NULL || VARSIZE_ANY_EXHDR(value) != VOUCH_DIGEST_LEN)
		return false;
	memcpy(digest->bytes, VARDATA_ANY(value), VOUCH_DIGEST_LEN);
	return true;
}

int64
vouch_ledger_database_id(void)
{
	static int64 id = 0;		/* a backend never changes its database */
	StringInfoData buf;
	VouchDigest digest;

	if (id != 0)
		return id;
	initStringInfo(&buf);
	vouch_canon_text(&buf, 'F', "vouch-database-1");
	vouch_canon_int64(&buf, 'S', (int64) GetSystemIdentifier());
	vouch_canon_int64(&buf, 'D', MyDatabaseId);
	vouch_digest(&digest, buf.data, buf.len);
	pfree(buf.data);
	for (int i = 0; i < 8; i++)
		id = (id << 8 & PG_INT64_MAX) | digest.bytes[i];
	return id;
}

static Datum
column(TupleTableSlot *slot, int col)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, col, &isnull);

	return isnull ? (Datum) 0 : value;
}

static char *
column_text(TupleTableSlot *slot, int col)
{
	Datum		value = column(slot, col);

	return value == (Datum) 0 ? NULL : TextDatumGetCString(value);
}

static bytea *
column_bytea(TupleTableSlot *slot, int col)
{
	Datum		value = column(slot, col);

	return value == (Datum) 0 ? NULL : DatumGetByteaPP(value);
}

void
vouch_record_read(VouchRecord *r, TupleTableSlot *slot)
{
	Datum		value;
	bool		isnull;

	memset(r, 0, sizeof(*r));
	r->op.bucket = DatumGetInt32(column(slot, 1));
	r->op.artifact_no = DatumGetInt32(column(slot, 2));
	r->subject = column_text(slot, 3);
	r->phase = column_text(slot, 4);
	r->scope = column_text(slot, 5);
	r->op_no = DatumGetInt32(column(slot, 6));
	r->op.version_no = DatumGetInt32(slot_getattr(slot, 7, &isnull));
	r->has_version = !isnull;
	r->op.operation = column_text(slot, 8);
	r->op.rule = column_text(slot, 9);
	r->op.actor = column_text(slot, 10);
	r->op.on_behalf_of = column_text(slot, 11);
	r->db_user = column_text(slot, 12);
	r->at = r->op.at = DatumGetTimestampTz(column(slot, 13));
	r->xid = DatumGetUInt64(column(slot, 14));
	r->database_id = DatumGetInt64(column(slot, 15));
	r->workflow_id = column_text(slot, 16);
	value = column(slot, 17);
	r->execution_id = value == (Datum) 0 ? NULL : DatumGetUUIDP(value);
	r->activity = column_text(slot, 18);
	r->attempt = DatumGetInt32(slot_getattr(slot, 19, &isnull));
	r->has_attempt = !isnull;
	r->op.items = DatumGetInt64(column(slot, 20));
	r->items_root = column_bytea(slot, 21);
	value = column(slot, 22);
	r->op.detail = value == (Datum) 0 ? NULL : DatumGetJsonbP(value);
	r->op.error = column_text(slot, 23);
	r->prev = column_bytea(slot, 24);
	r->leaf = column_bytea(slot, 25);
	r->cycle_id = DatumGetInt64(slot_getattr(slot, 26, &isnull));
	r->has_cycle = !isnull;
	r->report_id = DatumGetInt64(slot_getattr(slot, 27, &isnull));
	r->has_report = !isnull;
	r->created_at = DatumGetTimestampTz(column(slot, 28));
}
