/*
 * hold.c
 *	  Pause and resume.
 *
 * They never wait: whoever has an execution is left a nudge that says what is
 * wanted, and heeds it when it looks next, before it begins another step.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/limits.h"
#include "core/stmt.h"
#include "engine/advance.h"
#include "engine/control.h"
#include "engine/machines.h"
#include "miscadmin.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_pause_workflow);
VOUCH_FUNCTION(vouch_sql_resume_workflow);

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

/* What was asked before counts no more. */
static VouchStmt forget_wishes = {
	"DELETE FROM vouch_data.nudge WHERE bucket = $1 AND execution_id = $2 AND hold IS NOT NULL",
	SPI_OK_DELETE, 2, {INT4OID, UUIDOID}, .indexed = true
};

static VouchStmt open_children = {
	"SELECT execution_id, run_as FROM vouch_data.execution WHERE bucket = $1 AND parent_id = $2 AND status = 'running'",
	SPI_OK_SELECT, 2, {INT4OID, UUIDOID}, .indexed = true
};

/* Parent first, then its children.  Says how many changed, or are asked to. */
static int
hold(int bucket, const pg_uuid_t *id, const char *run_as, bool paused, bool *asked)
{
	VouchExecution e;
	bool		busy;

	*asked = false;
	if (vouch_rows_claim(bucket, id, VOUCH_CLAIM_TRY, &e, &busy))
		return strcmp(e.status, "running") == 0 ? vouch_hold_claimed(&e, paused) : 0;
	if (!busy)
		return 0;
	*asked = true;
	vouch_rows_ask_to_hold(bucket, id, run_as, paused);
	return 1;
}

int
vouch_hold_claimed(VouchExecution *e, bool paused)
{
	Datum		args[3];
	uint64		n;
	pg_uuid_t  *children;
	char	  **roles;
	int			changed = 0;
	bool		asked;

	check_stack_depth();
	args[0] = Int32GetDatum(e->bucket);
	args[1] = UUIDPGetDatum(&e->id);
	args[2] = BoolGetDatum(paused);
	vouch_stmt_run(&forget_wishes, args, NULL);
	if (e->paused != paused)
	{
		(void) vouch_execution_next(e->status, paused ? "pause" : "resume", e->workflow_id);
		vouch_stmt_run_one(&set_paused, args, NULL);
		vouch_stmt_run(&set_held, args, NULL);
		vouch_stmt_run(&set_tasks_held, args, NULL);
		if (!paused)
			vouch_rows_nudge(e->bucket, &e->id, e->run_as);
		e->paused = paused;
		changed = 1;
	}
	n = vouch_stmt_run(&open_children, args, NULL);
	children = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	roles = palloc(sizeof(char *) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		children[i] = *DatumGetUUIDP(vouch_stmt_get(i, 1, NULL));
		roles[i] = vouch_stmt_get_text(i, 2);
	}
	for (uint64 i = 0; i < n; i++)
		changed += hold(e->bucket, &children[i], roles[i], paused, &asked);
	return changed;
}

static int
hold_workflow(FunctionCallInfo fcinfo, bool paused)
{
	MemoryContext own = CurrentMemoryContext;
	char	   *workflow_id;
	int			bucket;
	pg_uuid_t	id;
	char	   *run_as;
	bool		asked;
	int			changed;

	vouch_check_given(PG_ARGISNULL(0), "workflow_id");
	workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	SPI_connect();
	MemoryContextSwitchTo(own);
	vouch_control_find(workflow_id, &bucket, &id, &run_as);
	changed = hold(bucket, &id, run_as, paused, &asked);
	if (asked)
		ereport(NOTICE,
				(errmsg("workflow \"%s\" is being worked on: it is %s", workflow_id,
						paused ? "paused before its next step" : "resumed after that"),
				 paused ? errhint("What runs just now ends first; vouch.terminate_workflow() breaks it off.") : 0));
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
