/*
 * status.c
 *	  What the worker's folder offers to SQL: vouch_data.processes(), behind
 *	  vouch.status(), and what vouch.run_worker() is made of.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/stmt.h"
#include "core/wake.h"
#include "engine/engine.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

#define MAX_MY_WORK 10000

VOUCH_FUNCTION(vouch_sql_extension_created);
VOUCH_FUNCTION(vouch_sql_processes);
VOUCH_FUNCTION(vouch_sql_obstacle);
VOUCH_FUNCTION(vouch_sql_my_work);
VOUCH_FUNCTION(vouch_sql_advance_mine);

static VouchStmt find_role = {
	"SELECT run_as, workflow_id FROM vouch_data.execution WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_SELECT, 2, {INT4OID, UUIDOID}
};

/* vouch_data.extension_created() */
Datum
vouch_sql_extension_created(PG_FUNCTION_ARGS)
{
	vouch_wake_launcher();
	PG_RETURN_VOID();
}

static void
put_row(ReturnSetInfo *result, const char *component, const char *state,
		const char *detail, const char *hint)
{
	const char *texts[4] = {component, state, detail, hint};
	Datum		values[4];
	bool		nulls[4];

	for (int i = 0; i < 4; i++)
	{
		nulls[i] = texts[i] == NULL || texts[i][0] == '\0';
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static char *
append_reason(char *detail, const char *reason)
{
	return reason[0] == '\0' ? detail
		: detail[0] == '\0' ? pstrdup(reason) : psprintf("%s; %s", detail, reason);
}

static void
put_launcher(ReturnSetInfo *result)
{
	uint32		procno = pg_atomic_read_u32(&vouch_shared->launcher);

	if (procno != 0)
		put_row(result, "launcher", "running",
				psprintf("pid %d", GetPGProcByNumber(procno - 1)->pid), NULL);
	else
		put_row(result, "launcher", "not running", NULL,
				"It starts again some seconds after it ended; see the server log.");
}

/* What helps against a reason for which there is no dispatcher. */
static const char *
dispatcher_hint(const char *reason)
{
	if (strstr(reason, "adopt_database"))
		return "If this copy is to run its workflows, call vouch.adopt_database().";
	if (strstr(reason, "vouch.workers"))
		return "Set vouch.workers to on, and reload the configuration.";
	if (strstr(reason, "vouch.restoring"))
		return "Set vouch.restoring to off when the dump is restored, and call vouch.adopt_database().";
	if (strstr(reason, "vouch.databases"))
		return "Add the database to vouch.databases, and reload the configuration.";
	if (strstr(reason, "max_worker_processes"))
		return "Raise max_worker_processes, and restart the server.";
	if (strstr(reason, "may not log in"))
		return "ALTER ROLE ... LOGIN.";
	return NULL;
}

static void
put_dispatcher(ReturnSetInfo *result)
{
	static const char *const states[] = {"enabled", "starting", "running", "disabled"};
	VouchDatabase *slot = vouch_database_find(MyDatabaseId);
	VouchDatabase copy;
	char	   *detail;
	const char *hint;

	if (slot == NULL)
	{
		put_row(result, "dispatcher", "not running", "the launcher has not looked at this database",
				"Template databases and those that allow no connections have none.");
		return;
	}
	copy.ring[0].due_at = 0;
	LWLockAcquire(vouch_registry_lock(), LW_SHARED);
	LWLockAcquire(vouch_database_lock(slot), LW_SHARED);
	memcpy(&copy, slot, offsetof(VouchDatabase, ring));
	LWLockRelease(vouch_database_lock(slot));
	LWLockRelease(vouch_registry_lock());

	detail = "";
	if (copy.state == VOUCH_DATABASE_STARTED)
		detail = psprintf("pid %d; %s%s; %d tasks to hand out, %d later", (int) copy.pid,
						  copy.swept_at == 0 ? "no sweep yet" : "last sweep at ",
						  copy.swept_at == 0 ? "" : pstrdup(timestamptz_to_str(copy.swept_at)),
						  copy.backlog, copy.deferred);
	if (copy.state == VOUCH_DATABASE_STARTED && copy.cautious)
		detail = append_reason(detail, "cautious, for the server has crashed");
	detail = append_reason(detail, copy.reason);
	hint = dispatcher_hint(copy.reason);
	if (hint == NULL && copy.state == VOUCH_DATABASE_STARTED && copy.cautious)
		hint = "That ends when what was ready is done; it is run with care first, and what was being run when the server crashed again, one at a time.";
	put_row(result, "dispatcher", states[copy.state], detail, hint);
}

static void
put_pools(ReturnSetInfo *result)
{
	for (int i = 0; i < VOUCH_MAX_POOLS; i++)
	{
		VouchPool  *pool = &vouch_shared->pools[i];
		StringInfoData detail;
		char		reason[VOUCH_REASON_LEN];
		pid_t		pids[VOUCH_MAX_POOL_EXECUTORS];
		int			npids = 0;
		int			nmembers;
		int			nidle;
		int			count;
		bool		parked;
		Oid			role;
		char	   *name;

		LWLockAcquire(vouch_pool_lock(pool), LW_SHARED);
		role = pool->database == MyDatabaseId ? pool->role : InvalidOid;
		nmembers = pool->nmembers;
		nidle = pool->nidle;
		count = pool->count;
		parked = pool->state == VOUCH_POOL_PARKED;
		strlcpy(reason, pool->reason, sizeof(reason));
		for (int m = 0; m < nmembers; m++)
			if (vouch_shared->executors[pool->members[m]].pid != 0)
				pids[npids++] = vouch_shared->executors[pool->members[m]].pid;
		LWLockRelease(vouch_pool_lock(pool));
		if (!OidIsValid(role))
			continue;

		name = GetUserNameFromId(role, true);
		initStringInfo(&detail);
		if (!parked)
			appendStringInfo(&detail, "%d idle; %d tasks queued", nidle, count);
		for (int p = 0; p < npids; p++)
			appendStringInfo(&detail, p == 0 ? "; pid %d" : ", %d", (int) pids[p]);
		put_row(result,
				name ? psprintf("executors of %s", name) : psprintf("executors of role %u", role),
				parked ? "parked" : nmembers > 0 ? psprintf("%d running", nmembers) : "none running",
				append_reason(detail.data, reason), dispatcher_hint(reason));
	}
}

/* vouch_data.processes() */
Datum
vouch_sql_processes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	if (!vouch_wake_available())
	{
		put_row(result, "server", "not preloaded", "no background workers",
				"Add vouch to shared_preload_libraries and restart the server; until then call vouch.advance() or vouch.run_worker().");
		return (Datum) 0;
	}
	put_row(result, "server", "preloaded", NULL, NULL);
	if (RecoveryInProgress())
	{
		put_row(result, "standby", "waiting", "nothing runs on a standby; promotion starts it", NULL);
		return (Datum) 0;
	}
	put_launcher(result);
	put_dispatcher(result);
	put_pools(result);
	return (Datum) 0;
}

/* vouch_data.obstacle(): why nothing is to be advanced here, or NULL */
Datum
vouch_sql_obstacle(PG_FUNCTION_ARGS)
{
	char	   *reason = vouch_probe_copy();

	if (reason == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(reason));
}

/* vouch_data.my_work(max int) */
Datum
vouch_sql_my_work(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			max = Max(1, Min(PG_GETARG_INT32(0), MAX_MY_WORK));
	VouchWork  *work = palloc(max * sizeof(VouchWork));
	TimestampTz next_due;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	n = vouch_engine_find_work(GetSessionUserId(), work, max, &next_due);
	for (int i = 0; i < n; i++)
	{
		Datum		values[2] = {Int32GetDatum(work[i].bucket), UUIDPGetDatum(&work[i].execution_id)};
		bool		nulls[2] = {false, false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* vouch_data.advance_mine(bucket int, execution_id uuid, careful boolean) */
Datum
vouch_sql_advance_mine(PG_FUNCTION_ARGS)
{
	int32		bucket = PG_GETARG_INT32(0);
	pg_uuid_t  *execution_id = PG_GETARG_UUID_P(1);
	Datum		args[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	int64		steps = 0;
	const char *me = GetUserNameFromId(GetSessionUserId(), false);
	VouchAdvanceOutcome outcome;

	SPI_connect();
	if (vouch_stmt_run(&find_role, args, NULL) == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_UNKNOWN_EXECUTION),
				 errmsg("there is no execution %s", vouch_id_text(execution_id))));
	if (strcmp(vouch_stmt_get_text(0, 1), me) != 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_RUN_AS),
				 errmsg("workflow \"%s\" runs as role \"%s\", not as \"%s\"",
						vouch_stmt_get_text(0, 2), vouch_stmt_get_text(0, 1), me),
				 errhint("Log in as the role that the workflow was defined to run as.")));
	SPI_finish();
	outcome = vouch_engine_advance(bucket, execution_id,
								   PG_GETARG_BOOL(2) ? VOUCH_ADVANCE_CAREFUL : VOUCH_ADVANCE_OPTIMISTIC,
								   &steps);
	if (outcome == VOUCH_ADVANCE_BUSY)
		PG_RETURN_NULL();
	PG_RETURN_INT64(steps);
}
