/*
 * ledger.c
 *	  Appends to the log, and computes its chains again.
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
#include "ledger/record.h"
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
 * The artifact's lock makes the number a new one; only in REPEATABLE READ it may be taken by what the snapshot
 * does not show, where vouch_ledger_lock() was not asked to look.  ON CONFLICT makes that a serialization failure.
 */
static VouchStmt insert_operation = {
	"INSERT INTO vouch_data.operation"
	" (bucket, artifact_no, op_no, version_no, operation, rule, actor, on_behalf_of, db_user,"
	"  at, xid, workflow_id, execution_id, activity, attempt, items, items_root, detail, error, prev, leaf, database_id)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)"
	" ON CONFLICT DO NOTHING",
	SPI_OK_INSERT, 22,
	{INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	TIMESTAMPTZOID, XID8OID, TEXTOID, UUIDOID, TEXTOID, INT4OID, INT8OID, BYTEAOID, JSONBOID,
	TEXTOID, BYTEAOID, BYTEAOID, INT8OID},
	.guarded = true
};

static VouchStmt lock_artifact = {
	"SELECT head_no, last_no FROM vouch_data.artifact WHERE bucket = $1 AND artifact_no = $2 FOR NO KEY UPDATE",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

static VouchStmt find_last_no = {
	"SELECT max(op_no) FROM vouch_data.operation WHERE bucket = $1 AND artifact_no = $2",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

static VouchStmt read_operations = {
	"SELECT " VOUCH_RECORD_COLUMNS
	" FROM vouch_data.artifact a, vouch_data.operation o"
	" WHERE a.bucket = $1 AND a.artifact_no = $2 AND o.bucket = $1 AND o.artifact_no = $2"
	" ORDER BY o.op_no",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

/* The era of a database, as the blocks have it; and the database of the newest one. */
static VouchStmt find_era = {
	"SELECT b.era FROM vouch_data.block b WHERE b.database_id = $1 ORDER BY b.xid_hi LIMIT 1",
	SPI_OK_SELECT, 1, {INT8OID}, .indexed = true
};

static VouchStmt find_newest = {
	"SELECT b.database_id FROM vouch_data.block b ORDER BY b.block_no DESC LIMIT 1",
	SPI_OK_SELECT, 0, {0}, .indexed = true
};

static Datum
text_or_null(const char *value, char *null)
{
	*null = value == NULL ? 'n' : ' ';
	return value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
}

/* Whatever is done to an artifact has an operation, so its last says whether the snapshot shows how it stands. */
static void
check_snapshot(Datum *key)
{
	int			shown,
				last;

	if (!IsolationUsesXactSnapshot())
		return;
	vouch_stmt_run_one(&find_last_no, key, NULL);
	shown = vouch_stmt_get_int32(0, 1, 0);
	(void) vouch_stmt_run_latest(&find_last_no, key, NULL);
	last = vouch_stmt_get_int32(0, 1, 0);
	if (shown != last)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update"),
				 errhint("The transaction might succeed if retried.")));
}

int
vouch_ledger_lock(int bucket, int artifact_no, bool to_write, int *last_no)
{
	Datum		key[2] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no)};
	int			head_no;

	if (vouch_stmt_run(&lock_artifact, key, NULL) == 0)
		return -1;
	head_no = vouch_stmt_get_int32(0, 1, 0);
	if (last_no != NULL)
		*last_no = vouch_stmt_get_int32(0, 2, 0);
	if (to_write)
		check_snapshot(key);
	return head_no;
}

int32
vouch_ledger_append(const VouchOperation *op)
{
	const VouchActing *acting = vouch_actor_acting();
	VouchRecord r = {0};
	VouchDigest leaf;
	Datum		key[2] = {Int32GetDatum(op->bucket), Int32GetDatum(op->artifact_no)};
	Datum		args[22];
	char		nulls[23];
	bool		isnull;
	Datum		prev;
	pg_uuid_t	execution_id;

	if (vouch_stmt_run(&find_last, key, NULL) != 1)
		elog(ERROR, "no artifact %d in bucket %d", op->artifact_no, op->bucket);
	r.subject = vouch_stmt_get_text(0, 1);
	r.phase = vouch_stmt_get_text(0, 2);
	r.scope = vouch_stmt_get_text(0, 3);
	r.op_no = vouch_stmt_get_int32(0, 4, 0) + 1;
	prev = vouch_stmt_get(0, 5, &isnull);
	r.prev = isnull ? NULL : DatumGetByteaPCopy(prev);
	r.cycle_id = DatumGetInt64(vouch_stmt_get(0, 6, &isnull));
	r.has_cycle = !isnull;
	r.report_id = DatumGetInt64(vouch_stmt_get(0, 7, &isnull));
	r.has_report = !isnull;
	r.created_at = DatumGetTimestampTz(vouch_stmt_get(0, 8, NULL));

	r.op = *op;
	r.has_version = op->version_no != 0;
	if (op->actor == NULL)
		r.op.actor = vouch_actor_current();
	r.db_user = vouch_actor_db_user();
	r.at = op->at != 0 ? op->at : GetCurrentTimestamp();
	r.xid = U64FromFullTransactionId(GetTopFullTransactionId());
	r.database_id = vouch_ledger_database_id();
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
	vouch_record_leaf(&r, &leaf);

	memset(nulls, ' ', 22);
	nulls[22] = '\0';
	args[0] = key[0];
	args[1] = key[1];
	args[2] = Int32GetDatum(r.op_no);
	args[3] = Int32GetDatum(op->version_no);
	nulls[3] = r.has_version ? ' ' : 'n';
	args[4] = CStringGetTextDatum(op->operation);
	args[5] = text_or_null(op->rule, &nulls[5]);
	args[6] = CStringGetTextDatum(r.op.actor);
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
	args[21] = Int64GetDatum(r.database_id);
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
	int			last_no;
	List	   *databases;		/* Lived, in the order of the chain */
	uint64		next_xid;
	bytea	   *last_leaf;
	VouchCheck *check;
	VouchOperationCallback callback;
	void	   *arg;
	MemoryContext result;
	MemoryContext scratch;
} VerifyState;

static bool
same_bytes(const bytea *a, const bytea *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static void
read_int32(TupleTableSlot *slot, void *arg)
{
	bool		isnull;

	*(int *) arg = DatumGetInt32(slot_getattr(slot, 1, &isnull));
}

static void
read_int64(TupleTableSlot *slot, void *arg)
{
	bool		isnull;

	*(int64 *) arg = DatumGetInt64(slot_getattr(slot, 1, &isnull));
}

/* A database that a chain has lived in. */
typedef struct Lived
{
	int64		database_id;
	int			op_no;			/* its first operation there */
} Lived;

/* What is wrong with the database or the transaction that an operation is said to be of; NULL if nothing. */
static const char *
check_origin(VerifyState *state, const VouchRecord *r)
{
	MemoryContext old;
	Lived	   *lived;
	ListCell   *cell;

	if (r->database_id == vouch_ledger_database_id() && r->xid >= state->next_xid)
		return VOUCH_BAD_TRANSACTION;
	if (state->databases != NIL && ((Lived *) llast(state->databases))->database_id == r->database_id)
		return NULL;
	foreach(cell, state->databases)
		if (((Lived *) lfirst(cell))->database_id == r->database_id)
			return "It is of a database that the chain has left.";
	old = MemoryContextSwitchTo(state->result);
	lived = palloc(sizeof(Lived));
	lived->database_id = r->database_id;
	lived->op_no = r->op_no;
	state->databases = lappend(state->databases, lived);
	MemoryContextSwitchTo(old);
	return NULL;
}

/* A chain goes through the eras in their order. */
static void
check_eras(VerifyState *state)
{
	int64		mine = vouch_ledger_database_id();
	int64		newest = 0;
	int			last_era = 0;
	ListCell   *cell;

	vouch_stmt_scan(&find_newest, NULL, NULL, false, read_int64, &newest);
	foreach(cell, state->databases)
	{
		const Lived *lived = lfirst(cell);
		Datum		args[1] = {Int64GetDatum(lived->database_id)};
		int			era = 0;

		vouch_stmt_scan(&find_era, args, NULL, false, read_int32, &era);
		/* without an era: ours, not sealed yet; or what a copy brought along that has no block of its own */
		if (era == 0 && lived->database_id != mine && newest == mine)
			vouch_check_fail(state->check, psprintf("operation %d", lived->op_no), pstrdup(VOUCH_BAD_DATABASE));
		else if (era != 0 && era < last_era)
			vouch_check_fail(state->check, psprintf("operation %d", lived->op_no),
							 pstrdup("It is of an earlier era than the operation before."));
		last_era = era != 0 ? era : lived->database_id == mine ? PG_INT32_MAX : last_era;
	}
	list_free_deep(state->databases);
}

static void
verify_row(TupleTableSlot *slot, void *arg)
{
	VerifyState *state = arg;
	MemoryContext old = MemoryContextSwitchTo(state->scratch);
	VouchRecord r;
	VouchDigest leaf,
				root;
	const char *what = NULL;

	vouch_record_read(&r, slot);
	if (vouch_digest_from_bytea(r.items_root, &root))
		r.op.items_root = &root;
	vouch_record_leaf(&r, &leaf);
	if (r.op_no != state->last_no + 1)
		what = psprintf("Operation %d is missing.", state->last_no + 1);
	else if (!same_bytes(r.prev, state->last_leaf))
		what = pstrdup("It does not continue the chain: prev is not the leaf of the operation before.");
	else if (!same_bytes(r.leaf, vouch_digest_to_bytea(&leaf)))
		what = pstrdup("Its content does not give its leaf.");
	else
		what = check_origin(state, &r);
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
		state->callback(r.op_no, &r.op, state->arg);
	}

	/* the last leaf outlives the scratch memory */
	MemoryContextSwitchTo(state->result);
	if (state->last_leaf != NULL)
		pfree(state->last_leaf);
	state->last_leaf = r.leaf == NULL ? NULL :
		DatumGetByteaPCopy(PointerGetDatum(r.leaf));
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

	state.check = check;
	state.next_xid = U64FromFullTransactionId(ReadNextFullTransactionId());
	state.callback = callback;
	state.arg = arg;
	state.result = CurrentMemoryContext;
	state.scratch = AllocSetContextCreate(CurrentMemoryContext, "vouch verify",
										  ALLOCSET_DEFAULT_SIZES);
	vouch_stmt_scan(&read_operations, args, NULL, false, verify_row, &state);
	check_eras(&state);
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
	(void) vouch_ledger_lock(op.bucket, op.artifact_no, true, NULL);
	op_no = vouch_ledger_append(&op);
	SPI_finish();
	PG_RETURN_INT32(op_no);
}
