/*
 * ledger.c
 *	  Appends to the log, and computes its hashes again.
 *
 * The leaf of a row is a hash of all its other columns and of what the
 * artifact is (subject, phase, scope, cycle, report, since when), prev included.  So nothing of a row can be
 * changed without changing its leaf, and no leaf without breaking the chain.
 * docs/ledger.md gives the form to the byte, for those who check it outside.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

VouchCheckHook vouch_check_approvals_hook = NULL;

VOUCH_FUNCTION(vouch_sql_log_operation);

static VouchStmt find_last = {
	"SELECT a.subject, a.phase, a.scope, o.op_no, o.leaf, a.cycle_id, a.report_id, a.created_at"
	" FROM vouch_data.artifact a"
	" LEFT JOIN LATERAL (SELECT p.op_no, p.leaf FROM vouch_data.operation p"
	"  WHERE p.bucket = $1 AND p.artifact_no = $2 ORDER BY p.op_no DESC LIMIT 1) o ON true"
	" WHERE a.bucket = $1 AND a.artifact_no = $2",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

/*
 * The artifact's lock makes the number a new one; only in REPEATABLE READ it may
 * be taken by what the snapshot does not show.  ON CONFLICT makes that the
 * serialization failure that it is, which applications know to try again.
 */
static VouchStmt insert_operation = {
	"INSERT INTO vouch_data.operation"
	" (bucket, artifact_no, op_no, version_no, operation, rule, actor, on_behalf_of, db_user,"
	"  at, xid, workflow_id, execution_id, activity, attempt, items, items_root, detail, error, prev, leaf)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)"
	" ON CONFLICT DO NOTHING",
	SPI_OK_INSERT, 21,
	{INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	TIMESTAMPTZOID, XID8OID, TEXTOID, UUIDOID, TEXTOID, INT4OID, INT8OID, BYTEAOID, JSONBOID,
	TEXTOID, BYTEAOID, BYTEAOID},
	.guarded = true
};

static VouchStmt lock_artifact = {
	"SELECT 1 FROM vouch_data.artifact WHERE bucket = $1 AND artifact_no = $2 FOR NO KEY UPDATE",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

static VouchStmt read_operations = {
	"SELECT a.subject, a.phase, a.scope, o.op_no, o.version_no, o.operation, o.rule, o.actor, o.on_behalf_of,"
	" o.db_user, o.at, o.xid, o.workflow_id, o.execution_id, o.activity, o.attempt, o.items, o.items_root,"
	" o.detail, o.error, o.prev, o.leaf, a.cycle_id, a.report_id, a.created_at"
	" FROM vouch_data.artifact a, vouch_data.operation o"
	" WHERE a.bucket = $1 AND a.artifact_no = $2 AND o.bucket = $1 AND o.artifact_no = $2"
	" ORDER BY o.op_no",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

/* Everything that a leaf is made of. */
typedef struct Record
{
	const char *subject;
	const char *phase;
	const char *scope;
	const int64 *cycle_id;		/* or NULL */
	const int64 *report_id;		/* or NULL */
	TimestampTz created_at;		/* of the artifact */
	int			op_no;
	const VouchOperation *op;
	bool		has_version;
	const char *actor;
	const char *db_user;
	TimestampTz at;
	uint64		xid;
	const char *workflow_id;
	const pg_uuid_t *execution_id;
	const char *activity;
	int			attempt;
	bool		has_attempt;
	const bytea *items_root;
	const bytea *prev;
} Record;

static void
canon_bytea(StringInfo buf, char tag, const bytea *value)
{
	if (value == NULL)
		vouch_canon_null(buf, tag);
	else
		vouch_canon_bytes(buf, tag, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

static void
canon_number(StringInfo buf, char tag, const int64 *value)
{
	if (value == NULL)
		vouch_canon_null(buf, tag);
	else
		vouch_canon_int64(buf, tag, *value);
}

/* The order and the tags are part of the format: never change them. */
static void
compute_leaf(VouchDigest *leaf, const Record *r)
{
	StringInfoData buf;
	int64		version_no = r->op->version_no;
	int64		attempt = r->attempt;

	initStringInfo(&buf);
	vouch_canon_text(&buf, 'F', "vouch-operation-1");
	vouch_canon_text(&buf, 's', r->subject);
	vouch_canon_text(&buf, 'p', r->phase);
	vouch_canon_text(&buf, 'c', r->scope);
	canon_number(&buf, 'C', r->cycle_id);
	canon_number(&buf, 'D', r->report_id);
	vouch_canon_time(&buf, 'T', r->created_at);
	vouch_canon_int64(&buf, 'b', r->op->bucket);
	vouch_canon_int64(&buf, 'a', r->op->artifact_no);
	vouch_canon_int64(&buf, 'n', r->op_no);
	canon_number(&buf, 'v', r->has_version ? &version_no : NULL);
	vouch_canon_text(&buf, 'o', r->op->operation);
	vouch_canon_text(&buf, 'r', r->op->rule);
	vouch_canon_text(&buf, 'A', r->actor);
	vouch_canon_text(&buf, 'B', r->op->on_behalf_of);
	vouch_canon_text(&buf, 'U', r->db_user);
	vouch_canon_time(&buf, 't', r->at);
	vouch_canon_int64(&buf, 'x', (int64) r->xid);
	vouch_canon_text(&buf, 'w', r->workflow_id);
	if (r->execution_id == NULL)
		vouch_canon_null(&buf, 'e');
	else
		vouch_canon_bytes(&buf, 'e', r->execution_id->data, UUID_LEN);
	vouch_canon_text(&buf, 'y', r->activity);
	canon_number(&buf, 'm', r->has_attempt ? &attempt : NULL);
	vouch_canon_int64(&buf, 'i', r->op->items);
	canon_bytea(&buf, 'R', r->items_root);
	vouch_canon_jsonb(&buf, 'd', r->op->detail);
	vouch_canon_text(&buf, 'E', r->op->error);
	canon_bytea(&buf, 'P', r->prev);
	vouch_digest_leaf(leaf, buf.data, buf.len);
	pfree(buf.data);
}

static Datum
text_or_null(const char *value, char *null)
{
	*null = value == NULL ? 'n' : ' ';
	return value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
}

int32
vouch_ledger_append(const VouchOperation *op)
{
	const VouchActing *acting = vouch_actor_acting();
	Record		r = {0};
	VouchDigest leaf;
	Datum		key[2] = {Int32GetDatum(op->bucket), Int32GetDatum(op->artifact_no)};
	Datum		args[21];
	char		nulls[22];
	bool		isnull;
	Datum		prev;
	pg_uuid_t	execution_id;
	int64		cycle_id,
				report_id;

	if (vouch_stmt_run(&find_last, key, NULL) != 1)
		elog(ERROR, "no artifact %d in bucket %d", op->artifact_no, op->bucket);
	r.subject = vouch_stmt_get_text(0, 1);
	r.phase = vouch_stmt_get_text(0, 2);
	r.scope = vouch_stmt_get_text(0, 3);
	r.op_no = vouch_stmt_get_int32(0, 4, 0) + 1;
	prev = vouch_stmt_get(0, 5, &isnull);
	r.prev = isnull ? NULL : DatumGetByteaPCopy(prev);
	cycle_id = DatumGetInt64(vouch_stmt_get(0, 6, &isnull));
	r.cycle_id = isnull ? NULL : &cycle_id;
	report_id = DatumGetInt64(vouch_stmt_get(0, 7, &isnull));
	r.report_id = isnull ? NULL : &report_id;
	r.created_at = DatumGetTimestampTz(vouch_stmt_get(0, 8, NULL));

	r.op = op;
	r.has_version = op->version_no != 0;
	r.actor = op->actor != NULL ? op->actor : vouch_actor_current();
	r.db_user = vouch_actor_db_user();
	r.at = op->at != 0 ? op->at : GetCurrentTimestamp();
	r.xid = U64FromFullTransactionId(GetTopFullTransactionId());
	r.items_root = op->items_root ? vouch_digest_to_bytea(op->items_root) : NULL;
	if (acting != NULL)
	{
		r.workflow_id = acting->workflow_id;
		r.activity = acting->activity;
		r.attempt = acting->attempt;
		r.has_attempt = r.attempt != 0;
		if (acting->execution_id != NULL)
		{
			execution_id = *DatumGetUUIDP(DirectFunctionCall1(uuid_in,
															  CStringGetDatum(acting->execution_id)));
			r.execution_id = &execution_id;
		}
	}
	compute_leaf(&leaf, &r);

	memset(nulls, ' ', 21);
	nulls[21] = '\0';
	args[0] = key[0];
	args[1] = key[1];
	args[2] = Int32GetDatum(r.op_no);
	args[3] = Int32GetDatum(op->version_no);
	nulls[3] = r.has_version ? ' ' : 'n';
	args[4] = CStringGetTextDatum(op->operation);
	args[5] = text_or_null(op->rule, &nulls[5]);
	args[6] = CStringGetTextDatum(r.actor);
	args[7] = text_or_null(op->on_behalf_of, &nulls[7]);
	args[8] = CStringGetTextDatum(r.db_user);
	args[9] = TimestampTzGetDatum(r.at);
	args[10] = UInt64GetDatum(r.xid);
	args[11] = text_or_null(r.workflow_id, &nulls[11]);
	args[12] = UUIDPGetDatum(r.execution_id);
	nulls[12] = r.execution_id == NULL ? 'n' : ' ';
	args[13] = text_or_null(r.activity, &nulls[13]);
	args[14] = Int32GetDatum(r.attempt);
	nulls[14] = r.has_attempt ? ' ' : 'n';
	args[15] = Int64GetDatum(op->items);
	args[16] = PointerGetDatum(r.items_root);
	nulls[16] = r.items_root == NULL ? 'n' : ' ';
	args[17] = JsonbPGetDatum(op->detail);
	nulls[17] = op->detail == NULL ? 'n' : ' ';
	args[18] = text_or_null(op->error, &nulls[18]);
	args[19] = PointerGetDatum(r.prev);
	nulls[19] = r.prev == NULL ? 'n' : ' ';
	args[20] = PointerGetDatum(vouch_digest_to_bytea(&leaf));
	vouch_stmt_run_one(&insert_operation, args, nulls);
	return r.op_no;
}

void
vouch_check_fail(VouchCheck *check, char *what, char *detail)
{
	if (check->first_bad != NULL)
		return;
	check->first_bad = what;
	check->detail = detail;
}

typedef struct VerifyState
{
	int			bucket;
	int			artifact_no;
	int			last_no;
	bytea	   *last_leaf;
	VouchCheck *check;
	VouchOperationCallback callback;
	void	   *arg;
	MemoryContext result;
	MemoryContext scratch;
} VerifyState;

static char *
slot_text(TupleTableSlot *slot, int col)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, col, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static Datum
slot_datum(TupleTableSlot *slot, int col)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, col, &isnull);

	return isnull ? (Datum) 0 : value;
}

static bytea *
slot_bytea(TupleTableSlot *slot, int col)
{
	Datum		value = slot_datum(slot, col);

	return value == (Datum) 0 ? NULL : DatumGetByteaPP(value);
}

static bool
same_bytes(const bytea *a, const bytea *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static void
verify_row(TupleTableSlot *slot, void *arg)
{
	VerifyState *state = arg;
	MemoryContext old = MemoryContextSwitchTo(state->scratch);
	VouchOperation op = {0};
	Record		r = {0};
	VouchDigest leaf,
				root;
	Datum		value;
	int64		cycle_id,
				report_id;
	bool		isnull;
	bytea	   *stored;
	char	   *what = NULL;

	r.subject = slot_text(slot, 1);
	r.phase = slot_text(slot, 2);
	r.scope = slot_text(slot, 3);
	r.op_no = DatumGetInt32(slot_datum(slot, 4));
	op.bucket = state->bucket;
	op.artifact_no = state->artifact_no;
	op.version_no = DatumGetInt32(slot_getattr(slot, 5, &isnull));
	r.has_version = !isnull;
	op.operation = slot_text(slot, 6);
	op.rule = slot_text(slot, 7);
	r.actor = op.actor = slot_text(slot, 8);
	op.on_behalf_of = slot_text(slot, 9);
	r.db_user = slot_text(slot, 10);
	r.at = op.at = DatumGetTimestampTz(slot_datum(slot, 11));
	r.xid = DatumGetUInt64(slot_datum(slot, 12));
	r.workflow_id = slot_text(slot, 13);
	value = slot_datum(slot, 14);
	r.execution_id = value == (Datum) 0 ? NULL : DatumGetUUIDP(value);
	r.activity = slot_text(slot, 15);
	r.attempt = DatumGetInt32(slot_getattr(slot, 16, &isnull));
	r.has_attempt = !isnull;
	op.items = DatumGetInt64(slot_datum(slot, 17));
	r.items_root = slot_bytea(slot, 18);
	value = slot_datum(slot, 19);
	op.detail = value == (Datum) 0 ? NULL : DatumGetJsonbP(value);
	op.error = slot_text(slot, 20);
	r.prev = slot_bytea(slot, 21);
	stored = slot_bytea(slot, 22);
	cycle_id = DatumGetInt64(slot_getattr(slot, 23, &isnull));
	r.cycle_id = isnull ? NULL : &cycle_id;
	report_id = DatumGetInt64(slot_getattr(slot, 24, &isnull));
	r.report_id = isnull ? NULL : &report_id;
	r.created_at = DatumGetTimestampTz(slot_datum(slot, 25));
	r.op = &op;
	if (r.items_root != NULL && VARSIZE_ANY_EXHDR(r.items_root) == VOUCH_DIGEST_LEN)
	{
		memcpy(root.bytes, VARDATA_ANY(r.items_root), VOUCH_DIGEST_LEN);
		op.items_root = &root;
	}

	compute_leaf(&leaf, &r);
	if (r.op_no != state->last_no + 1)
		what = psprintf("Operation %d is missing.", state->last_no + 1);
	else if (!same_bytes(r.prev, state->last_leaf))
		what = pstrdup("It does not continue the chain: prev is not the leaf of the operation before.");
	else if (!same_bytes(stored, vouch_digest_to_bytea(&leaf)))
		what = pstrdup("Its content does not give its leaf.");
	if (what != NULL)
	{
		MemoryContextSwitchTo(state->result);
		vouch_check_fail(state->check, psprintf("operation %d", r.op_no), pstrdup(what));
		MemoryContextSwitchTo(state->scratch);
	}
	state->check->checked++;
	if (state->callback != NULL)
	{
		MemoryContextSwitchTo(state->result);
		state->callback(r.op_no, &op, state->arg);
	}

	/* the last leaf outlives the scratch memory */
	MemoryContextSwitchTo(state->result);
	if (state->last_leaf != NULL)
		pfree(state->last_leaf);
	state->last_leaf = stored == NULL ? NULL :
		DatumGetByteaPCopy(PointerGetDatum(stored));
	state->last_no = r.op_no;
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);
}

void
vouch_ledger_verify(int bucket, int artifact_no, VouchCheck *check,
					VouchOperationCallback callback, void *arg)
{
	VerifyState state = {0};
	Datum		args[2] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no)};

	state.bucket = bucket;
	state.artifact_no = artifact_no;
	state.check = check;
	state.callback = callback;
	state.arg = arg;
	state.result = CurrentMemoryContext;
	state.scratch = AllocSetContextCreate(CurrentMemoryContext, "vouch verify",
										  ALLOCSET_DEFAULT_SIZES);
	vouch_stmt_scan(&read_operations, args, NULL, false, verify_row, &state);
	MemoryContextDelete(state.scratch);
}

/*
 * vouch_data.log_operation(bucket, artifact_no, operation, detail, items,
 * actor, on_behalf_of, version_no, error): takes the artifact's lock
 */
Datum
vouch_sql_log_operation(PG_FUNCTION_ARGS)
{
	VouchOperation op = {0};
	Datum		args[2];
	int32		op_no;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("bucket, artifact_no and operation must not be null"),
				 errhint("Pass what vouch_data.ensure_artifact() returned.")));
	op.bucket = PG_GETARG_INT32(0);
	op.artifact_no = PG_GETARG_INT32(1);
	op.operation = text_to_cstring(PG_GETARG_TEXT_PP(2));
	op.detail = PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3);
	op.items = PG_ARGISNULL(4) ? 0 : PG_GETARG_INT64(4);
	op.actor = PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5));
	op.on_behalf_of = PG_ARGISNULL(6) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(6));
	op.version_no = PG_ARGISNULL(7) ? 0 : PG_GETARG_INT32(7);
	op.error = PG_ARGISNULL(8) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(8));

	SPI_connect();
	args[0] = Int32GetDatum(op.bucket);
	args[1] = Int32GetDatum(op.artifact_no);
	vouch_stmt_run_one(&lock_artifact, args, NULL);
	op_no = vouch_ledger_append(&op);
	SPI_finish();
	PG_RETURN_INT32(op_no);
}
