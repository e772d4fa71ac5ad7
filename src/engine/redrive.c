/*
 * redrive.c
 *	  Takes an execution that did not succeed up again where it stopped.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/limits.h"
#include "core/stmt.h"
#include "engine/advance.h"
#include "engine/machines.h"
#include "engine/signal.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_redrive_workflow);

static VouchStmt find_newest = {
	"SELECT execution_id FROM vouch_data.execution WHERE bucket = $1 AND workflow_id = $2"
	" ORDER BY execution_id DESC LIMIT 1",
	SPI_OK_SELECT, 2, {INT4OID, TEXTOID}, .indexed = true
};

/* What was stored at the end goes back into the main line. */
static VouchStmt insert_main = {
	"INSERT INTO vouch_data.branch (bucket, execution_id, branch_no, run_as, machine_no, state, status, actor,"
	" previous_event, vars, data)"
	" SELECT r.bucket, r.execution_id, 0, $3, $6, r.redrive ->> 'state', 'ready',"
	"  coalesce(r.redrive ->> 'actor', $4), $5, r.redrive -> 'vars',"
	"  CASE WHEN r.redrive IS NOT NULL THEN json_build_object('i', r.redrive -> 'input') END"
	" FROM vouch_data.execution_result r WHERE r.bucket = $1 AND r.execution_id = $2",
	SPI_OK_INSERT, 6, {INT4OID, UUIDOID, TEXTOID, TEXTOID, INT8OID, INT4OID}, .indexed = true
};

static VouchStmt delete_result = {
	"DELETE FROM vouch_data.execution_result WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_DELETE, 2, {INT4OID, UUIDOID}, .indexed = true
};

static VouchStmt reopen_execution = {
	"UPDATE vouch_data.execution SET status = $3::vouch.execution_status, closed_at = NULL, redrives = redrives + 1, canceled_at = NULL, cancel_reason = NULL,"
	" deadline = $4, next_event = $5 WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_UPDATE, 5, {INT4OID, UUIDOID, TEXTOID, TIMESTAMPTZOID, INT8OID}, .indexed = true
};

static void
reopen(VouchAdvance *adv, const char *status)
{
	VouchExecution *e = &adv->execution;
	int64		timeout = adv->program->asl->machines[e->machine_no]->timeout_seconds;
	Datum		args[6];
	char		nulls[5] = {' ', ' ', ' ', ' ', ' '};

	vouch_history_begin(adv);
	args[0] = Int32GetDatum(e->bucket);
	args[1] = UUIDPGetDatum(&e->id);
	args[2] = CStringGetTextDatum(e->run_as);
	args[3] = CStringGetTextDatum(e->starter);
	args[4] = Int64GetDatum(vouch_history_add(adv, NULL, VOUCH_EV_REDRIVEN, NULL, NULL, vouch_actor_current()));
	args[5] = Int32GetDatum(e->machine_no);
	vouch_stmt_run_one(&insert_main, args, NULL);
	vouch_stmt_run_one(&delete_result, args, NULL);
	vouch_history_flush(adv);
	args[2] = CStringGetTextDatum(status);
	if (timeout > 0)
		args[3] = TimestampTzGetDatum(adv->started + timeout * USECS_PER_SEC);
	else
		nulls[3] = 'n';
	args[4] = Int64GetDatum(e->next_event);
	vouch_stmt_run_one(&reopen_execution, args, nulls);
	vouch_rows_wake(e->run_as, e->bucket, &e->id, 0);
}

/* vouch.redrive_workflow(workflow_id text) */
Datum
vouch_sql_redrive_workflow(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	char	   *workflow_id;
	int			bucket;
	VouchAdvance adv;
	const char *status;
	Datum		args[2];
	pg_uuid_t	id,
				open;
	char	   *run_as;
	bool		busy;

	vouch_check_given(PG_ARGISNULL(0), "workflow_id");
	workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bucket = vouch_id_workflow_bucket(workflow_id);
	SPI_connect();
	MemoryContextSwitchTo(own);
	args[0] = Int32GetDatum(bucket);
	args[1] = CStringGetTextDatum(workflow_id);
	if (vouch_stmt_run(&find_newest, args, NULL) == 0)
		vouch_signal_no_open(bucket, workflow_id);
	id = *DatumGetUUIDP(vouch_stmt_get(0, 1, NULL));
	memset(&adv, 0, sizeof(adv));
	if (!vouch_rows_claim(bucket, &id, VOUCH_CLAIM_WAIT, &adv.execution, &busy))
		vouch_signal_no_open(bucket, workflow_id);
	status = vouch_execution_next(adv.execution.status, "redrive", workflow_id);
	if (vouch_rows_find_open(bucket, workflow_id, &open, &run_as))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ALREADY_STARTED),
				 errmsg("another execution of workflow \"%s\" is running", workflow_id),
				 errhint("Wait until it is closed, or terminate it.")));
	adv.started = GetCurrentTimestamp();
	adv.program = vouch_program_get(adv.execution.workflow, adv.execution.revision);
	reopen(&adv, status);
	SPI_finish();
	PG_RETURN_VOID();
}
