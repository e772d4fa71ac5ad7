/*
 * control.c
 *	  What people do to executions: cancel, terminate, wait, advance; hold.c
 *	  has pause and resume.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/id.h"
#include "core/limits.h"
#include "core/stmt.h"
#include "engine/advance.h"
#include "engine/control.h"
#include "engine/signal.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

VOUCH_FUNCTION(vouch_sql_cancel_workflow);
VOUCH_FUNCTION(vouch_sql_require_starter);
VOUCH_FUNCTION(vouch_sql_terminate_workflow);
VOUCH_FUNCTION(vouch_sql_wait_for_workflow);
VOUCH_FUNCTION(vouch_sql_advance);

#define ADVANCE_BATCH 200
#define WAIT_MIN_MS 5
#define WAIT_MAX_MS 200

static VouchStmt read_status = {
	"SELECT status::text FROM vouch_data.execution WHERE bucket = $1 AND workflow_id = $2"
	" ORDER BY execution_id DESC LIMIT 1",
	SPI_OK_SELECT, 2, {INT4OID, TEXTOID}, .indexed = true
};

void
vouch_control_find(const char *workflow_id, int *bucket, pg_uuid_t *id, char **run_as)
{
	*bucket = vouch_id_workflow_bucket(workflow_id);
	if (!vouch_rows_find_open(*bucket, workflow_id, id, run_as))
		vouch_signal_no_open(*bucket, workflow_id);
	if (vouch_advance_running(id) != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_EXECUTION_STATE),
				 errmsg("workflow \"%s\" is running this very activity", workflow_id),
				 errhint("Raise an error with vouch.fail() to end it from within.")));
}

/* ------------------------------------------------------- cancel and terminate */

static void
end_workflow(FunctionCallInfo fcinfo, const char *event)
{
	MemoryContext own = CurrentMemoryContext;
	char	   *workflow_id;
	const char *reason = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *actor = vouch_actor_current();
	int			bucket;
	pg_uuid_t	id;
	char	   *run_as;
	bool		busy;

	vouch_check_given(PG_ARGISNULL(0), "workflow_id");
	workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	vouch_check_text(reason, "reason");
	SPI_connect();
	MemoryContextSwitchTo(own);
	vouch_control_find(workflow_id, &bucket, &id, &run_as);
	vouch_rows_require_rights(bucket, &id, workflow_id, event);
	vouch_advance_end_execution(bucket, &id, VOUCH_CLAIM_INTERRUPT, event,
								reason != NULL && reason[0] != '\0' ? psprintf("%s (by %s)", reason, actor) : psprintf("by %s", actor),
								&busy);
	SPI_finish();
}

/* vouch.cancel_workflow(workflow_id text, reason text) */
Datum
vouch_sql_cancel_workflow(PG_FUNCTION_ARGS)
{
	end_workflow(fcinfo, "cancel");
	PG_RETURN_VOID();
}

/* vouch.terminate_workflow(workflow_id text, reason text) */
Datum
vouch_sql_terminate_workflow(PG_FUNCTION_ARGS)
{
	end_workflow(fcinfo, "terminate");
	PG_RETURN_VOID();
}

/* vouch_data.require_starter(bucket int, execution_id uuid, workflow_id text, action text) */
Datum
vouch_sql_require_starter(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	pg_uuid_t  *id = PG_GETARG_UUID_P(1);
	const VouchActing *acting = vouch_actor_acting();

	if (acting != NULL && acting->execution_id != NULL && strcmp(acting->execution_id, vouch_id_text(id)) == 0)
		PG_RETURN_VOID();
	SPI_connect();
	MemoryContextSwitchTo(own);
	vouch_rows_require_rights(PG_GETARG_INT32(0), id, text_to_cstring(PG_GETARG_TEXT_PP(2)),
							  text_to_cstring(PG_GETARG_TEXT_PP(3)));
	SPI_finish();
	PG_RETURN_VOID();
}

/* -------------------------------------------------------------------- waiting */

/*
 * vouch.wait_for_workflow(workflow_id text, timeout interval) returns the
 * status, 'running' when the time is over first
 */
Datum
vouch_sql_wait_for_workflow(PG_FUNCTION_ARGS)
{
	static uint32 wait_event = 0;
	MemoryContext own = CurrentMemoryContext;
	char	   *workflow_id;
	TimestampTz until;
	long		delay = WAIT_MIN_MS;
	Datum		args[2];
	char	   *status;
	text	   *result;

	vouch_check_given(PG_ARGISNULL(0), "workflow_id");
	vouch_check_given(PG_ARGISNULL(1), "timeout");
	workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("vouch.wait_for_workflow() would never see a change in this transaction"),
				 errdetail("Its isolation level shows the same state from its first statement on."),
				 errhint("Call it in READ COMMITTED.")));
	until = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													TimestampTzGetDatum(GetCurrentTimestamp()),
													PG_GETARG_DATUM(1)));
	SPI_connect();
	MemoryContextSwitchTo(own);
	args[0] = Int32GetDatum(vouch_id_workflow_bucket(workflow_id));
	args[1] = CStringGetTextDatum(workflow_id);
	for (;;)
	{
		TimestampTz now;

		if (vouch_stmt_run(&read_status, args, NULL) == 0)
			vouch_signal_no_open(DatumGetInt32(args[0]), workflow_id);
		status = vouch_stmt_get_text(0, 1);
		SPI_freetuptable(SPI_tuptable);
		now = GetCurrentTimestamp();
		if (strcmp(status, "running") != 0 || now >= until)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(delay, (until - now) / 1000 + 1),
						 vouch_wait_event("VouchWaitForWorkflow", &wait_event));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		delay = Min(delay * 2, WAIT_MAX_MS);
	}
	MemoryContextSwitchTo(own);
	result = cstring_to_text(status);
	SPI_finish();
	PG_RETURN_TEXT_P(result);
}

/* ------------------------------------------------------------------ advancing */

static int64
count_others(VouchWork *works)
{
	int			n = vouch_engine_find_work(InvalidOid, works, ADVANCE_BATCH, NULL);
	int64		others = 0;

	for (int i = 0; i < n; i++)
		if (works[i].run_as != GetSessionUserId())
			others++;
	return others;
}

/* What others wait for, they get at the end of the transaction. */
static bool
somebody_waits(void)
{
	TransactionId xid = GetTopTransactionIdIfAny();
	LOCKTAG		tag;

	if (!TransactionIdIsValid(xid))
		return false;
	SET_LOCKTAG_TRANSACTION(tag, xid);
	return LockHasWaiters(&tag, ExclusiveLock, false);
}

/* vouch.advance(max int) returns the number of states left */
Datum
vouch_sql_advance(PG_FUNCTION_ARGS)
{
	int64		max = PG_ARGISNULL(0) ? PG_INT64_MAX : PG_GETARG_INT32(0);
	VouchWork  *works = palloc(sizeof(VouchWork) * ADVANCE_BATCH);
	HTAB	   *passed;
	HASHCTL		ctl;
	int64		steps = 0;
	int64		others;
	bool		more = true;

	if (vouch_advance_running(NULL) != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_NOT_SUPPORTED),
				 errmsg("an activity cannot call vouch.advance()"),
				 errhint("Start the other workflow as a child, with vouch:execution.sync.")));
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("vouch.advance() needs the isolation level READ COMMITTED"),
				 errhint("Call it in a transaction of its own.")));

	/* those that somebody else has, or that did not move, are not tried twice */
	memset(&ctl, 0, sizeof(ctl));
	ctl.keysize = UUID_LEN;
	ctl.entrysize = UUID_LEN;
	ctl.hcxt = CurrentMemoryContext;
	passed = hash_create("vouch passed", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	while (more && steps < max && (steps == 0 || !somebody_waits()))
	{
		int			n = vouch_engine_find_work(GetSessionUserId(), works, ADVANCE_BATCH, NULL);

		more = false;
		for (int i = 0; i < n && steps < max && (steps == 0 || !somebody_waits()); i++)
		{
			bool		found;

			CHECK_FOR_INTERRUPTS();
			if (hash_search(passed, &works[i].execution_id, HASH_FIND, NULL) != NULL)
				continue;
			if (vouch_advance_guarded(works[i].bucket, &works[i].execution_id,
									  VOUCH_ADVANCE_CAREFUL, &steps) == VOUCH_ADVANCED)
				more = true;
			else
				(void) hash_search(passed, &works[i].execution_id, HASH_ENTER, &found);
		}
	}
	others = count_others(works);
	if (others > 0)
		ereport(NOTICE,
				(errmsg("work is left for other roles: " INT64_FORMAT "%s executions", others,
						others == ADVANCE_BATCH ? " or more" : ""),
				 errhint("Their activities run as the role of the workflow: let workers run, or call vouch.advance() as that role.")));
	PG_RETURN_INT64(steps);
}
