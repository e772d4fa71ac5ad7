/*
 * control.c
 *	  What people do to executions: cancel, terminate, pause, resume, wait,
 *	  advance.
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
#include "engine/machines.h"
#include "engine/signal.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

VOUCH_FUNCTION(vouch_sql_cancel_workflow);
VOUCH_FUNCTION(vouch_sql_require_starter);
VOUCH_FUNCTION(vouch_sql_terminate_workflow);
VOUCH_FUNCTION(vouch_sql_pause_workflow);
VOUCH_FUNCTION(vouch_sql_resume_workflow);
VOUCH_FUNCTION(vouch_sql_wait_for_workflow);
VOUCH_FUNCTION(vouch_sql_advance);

#define ADVANCE_BATCH 200
#define WAIT_MIN_MS 5
#define WAIT_MAX_MS 200

static VouchStmt set_paused = {
	"UPDATE vouch_data.execution SET paused = $3 WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_UPDATE, 3, {INT4OID, UUIDOID, BOOLOID}, .indexed = true
};

static VouchStmt set_held = {
	"UPDATE vouch_data.branch SET held = $3 WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_UPDATE, 3, {INT4OID, UUIDOID, BOOLOID}, .indexed = true
};

static VouchStmt set_tasks_held = {
	"UPDATE vouch_data.task SET held = $3 WHERE bucket = $1 AND task_id IN (SELECT b.wait_id FROM vouch_data.branch b"
	" WHERE b.bucket = $1 AND b.execution_id = $2 AND b.wait_kind = 'activity')",
	SPI_OK_UPDATE, 3, {INT4OID, UUIDOID, BOOLOID}, .indexed = true
};

static VouchStmt open_children = {
	"SELECT execution_id FROM vouch_data.execution WHERE bucket = $1 AND parent_id = $2 AND status = 'running'",
	SPI_OK_SELECT, 2, {INT4OID, UUIDOID}, .indexed = true
};

static VouchStmt read_status = {
	"SELECT status::text FROM vouch_data.execution WHERE bucket = $1 AND workflow_id = $2"
	" ORDER BY execution_id DESC LIMIT 1",
	SPI_OK_SELECT, 2, {INT4OID, TEXTOID}, .indexed = true
};

static void
find_open(const char *workflow_id, int *bucket, pg_uuid_t *id)
{
	char	   *run_as;

	*bucket = vouch_id_workflow_bucket(workflow_id);
	if (!vouch_rows_find_open(*bucket, workflow_id, id, &run_as))
		vouch_signal_no_open(*bucket, workflow_id);
}

static void
refuse_own(const pg_uuid_t *id, const char *workflow_id)
{
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
	char	   *workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *reason = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *actor = vouch_actor_current();
	int			bucket;
	pg_uuid_t	id;
	bool		busy;

	vouch_check_text(reason, "reason");
	SPI_connect();
	MemoryContextSwitchTo(own);
	find_open(workflow_id, &bucket, &id);
	refuse_own(&id, workflow_id);
	vouch_rows_require_rights(bucket, &id, workflow_id, event);
	vouch_advance_end_execution(bucket, &id, true, event,
								reason ? psprintf("%s (by %s)", reason, actor) : psprintf("by %s", actor),
								&busy);
	SPI_finish();
}

/* vouch.cancel_workflow(workflow_id text, reason text) */
Datum
vouch_sql_cancel_workflow(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	end_workflow(fcinfo, "cancel");
	PG_RETURN_VOID();
}

/* vouch.terminate_workflow(workflow_id text, reason text) */
Datum
vouch_sql_terminate_workflow(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
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

/* ----------------------------------------------------------- pause and resume */

/* Parent first, then its children: the order of locks.  Says how many changed. */
static int
hold(int bucket, const pg_uuid_t *id, bool paused)
{
	VouchExecution e;
	bool		busy;
	Datum		args[3];
	uint64		n;
	pg_uuid_t  *children;
	int			changed = 0;

	check_stack_depth();
	if (!vouch_rows_claim(bucket, id, true, &e, &busy) || strcmp(e.status, "running") != 0)
		return 0;
	args[0] = Int32GetDatum(bucket);
	args[1] = UUIDPGetDatum(id);
	args[2] = BoolGetDatum(paused);
	if (e.paused != paused)
	{
		(void) vouch_execution_next(e.status, paused ? "pause" : "resume", e.workflow_id);
		vouch_stmt_run_one(&set_paused, args, NULL);
		vouch_stmt_run(&set_held, args, NULL);
		vouch_stmt_run(&set_tasks_held, args, NULL);
		if (!paused)
			vouch_rows_nudge(bucket, id, e.run_as);
		changed = 1;
	}
	n = vouch_stmt_run(&open_children, args, NULL);
	children = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
		children[i] = *DatumGetUUIDP(vouch_stmt_get(i, 1, NULL));
	for (uint64 i = 0; i < n; i++)
		changed += hold(bucket, &children[i], paused);
	return changed;
}

static int
hold_workflow(FunctionCallInfo fcinfo, bool paused)
{
	MemoryContext own = CurrentMemoryContext;
	char	   *workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			bucket;
	pg_uuid_t	id;
	int			changed;

	SPI_connect();
	MemoryContextSwitchTo(own);
	find_open(workflow_id, &bucket, &id);
	refuse_own(&id, workflow_id);
	changed = hold(bucket, &id, paused);
	SPI_finish();
	return changed;
}

/* vouch.pause_workflow(workflow_id text) returns how many executions were paused */
Datum
vouch_sql_pause_workflow(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(hold_workflow(fcinfo, true));
}

/* vouch.resume_workflow(workflow_id text) */
Datum
vouch_sql_resume_workflow(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(hold_workflow(fcinfo, false));
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

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
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
	while (more && steps < max)
	{
		int			n = vouch_engine_find_work(GetSessionUserId(), works, ADVANCE_BATCH, NULL);

		more = false;
		for (int i = 0; i < n && steps < max; i++)
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
