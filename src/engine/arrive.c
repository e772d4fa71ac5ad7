/*
 * arrive.c
 *	  Settles at commit whether a signal came before its execution closed.
 *
 * A sender that does not get the execution's lock does not wait for it: the
 * step that is being run may be long, and the sender may hold an artifact that
 * it needs.  So the question stays open until the sender commits.  Then it
 * takes the row of the main line FOR KEY SHARE, for the moment that the commit
 * takes: senders do not stand in each other's way, nor in that of an advance,
 * which leaves the key alone; but closing an execution deletes that row.  So
 * whoever closes waits for a sender that is about to commit, and a sender that
 * is about to commit waits for whoever has closed, and then learns of it.
 * Closing itself costs nothing more.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/stmt.h"
#include "engine/signal.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_signal_arrives);

static VouchStmt read_signal = {
	"SELECT name, payload, dedup_key, sender, consumed, xmin FROM vouch_data.signal"
	" WHERE bucket = $1 AND execution_id = $2 AND signal_id = $3",
	SPI_OK_SELECT, 3, {INT4OID, UUIDOID, UUIDOID}, .indexed = true
};

/* There as long as the execution is open. */
static VouchStmt hold_main = {
	"SELECT 1 FROM vouch_data.branch WHERE bucket = $1 AND execution_id = $2 AND branch_no = 0 FOR KEY SHARE",
	SPI_OK_SELECT, 2, {INT4OID, UUIDOID}, .indexed = true
};

static VouchStmt read_execution = {
	"SELECT workflow_id, status::text, xmin FROM vouch_data.execution WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_SELECT, 2, {INT4OID, UUIDOID}, .indexed = true
};

static VouchStmt delete_signal = {
	"DELETE FROM vouch_data.signal WHERE bucket = $1 AND execution_id = $2 AND signal_id = $3",
	SPI_OK_DELETE, 3, {INT4OID, UUIDOID, UUIDOID}, .indexed = true
};

static pg_noinline void
came_too_late(const char *workflow_id, const char *status, const char *signal)
{
	ereport(ERROR,
			(errcode(VOUCH_ERR_EXECUTION_STATE),
			 errmsg("workflow \"%s\" is closed: it is %s", workflow_id, status),
			 errdetail("It was closed while signal \"%s\" was being sent.", signal),
			 errhint("Look at vouch.describe_workflow('%s'), or start it again under the same workflow_id.",
					 workflow_id)));
}

static bool
is_mine(uint64 row, int col)
{
	return TransactionIdIsCurrentTransactionId(DatumGetTransactionId(vouch_stmt_get(row, col, NULL)));
}

/*
 * Has the execution, of which args tell, been closed by another transaction?
 * Holds it open until the end of this one if not.
 */
static bool
is_too_late(Datum *args, const char **workflow_id, const char **status)
{
	if (vouch_stmt_run(&hold_main, args, NULL) > 0)
		return false;
	if (vouch_stmt_run(&read_execution, args, NULL) == 0)
		return false;			/* and deleted since: nobody can miss the signal */
	*workflow_id = vouch_stmt_get_text(0, 1);
	*status = vouch_stmt_get_text(0, 2);
	return strcmp(*status, "running") != 0 && !is_mine(0, 3);
}

/* The value of a column of the nudge, which has no dropped columns. */
static Datum
column(TriggerData *trigger, const char *name, bool *isnull)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	return SPI_getbinval(trigger->tg_trigtuple, desc, SPI_fnumber(desc, name), isnull);
}

/* vouch_data.signal_arrives(): the constraint trigger of nudges that tell of a signal */
Datum
vouch_sql_signal_arrives(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	VouchMessage message;
	const char *status;
	Datum		args[3];
	Datum		value;
	bool		isnull;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("vouch_data.signal_arrives() is a trigger function"),
				 errhint("Call vouch.signal_workflow().")));
	if (vouch_guc_restoring)
		return PointerGetDatum(NULL);
	SPI_connect();
	MemoryContextSwitchTo(own);
	memset(&message, 0, sizeof(message));
	args[0] = column(trigger, "bucket", &isnull);
	args[1] = column(trigger, "execution_id", &isnull);
	args[2] = column(trigger, "signal_id", &isnull);

	/* Not of this transaction: restored.  Consumed: we did it ourselves. */
	if (vouch_stmt_run(&read_signal, args, NULL) > 0 &&
		!vouch_stmt_get_bool(0, 5, false) && is_mine(0, 6))
	{
		message.name = vouch_stmt_get_text(0, 1);
		message.payload = DatumGetJsonbPCopy(vouch_stmt_get(0, 2, NULL));
		message.dedup_key = vouch_stmt_get_text(0, 3);
		message.sender = vouch_stmt_get_text(0, 4);
		if (is_too_late(args, &message.workflow_id, &status))
		{
			value = column(trigger, "workflow", &isnull);
			if (isnull)
				came_too_late(message.workflow_id, status, message.name);
			message.workflow = TextDatumGetCString(value);
			message.input = DatumGetJsonbPCopy(column(trigger, "input", &isnull));
			value = column(trigger, "attributes", &isnull);
			message.attributes = isnull ? NULL : DatumGetJsonbPCopy(value);
			vouch_stmt_run(&delete_signal, args, NULL);
			(void) vouch_signal_send_or_start(&message);
		}
	}
	SPI_finish();
	return PointerGetDatum(NULL);
}
