/*
 * close.c
 *	  The end of an execution: its outcome stays, its branches go.
 */
#include "postgres.h"

#include "asl/jsonb.h"
#include "catalog/pg_type.h"
#include "core/attempt.h"
#include "core/stmt.h"
#include "engine/advance.h"
#include "engine/machines.h"
#include "engine/task.h"
#include "utils/builtins.h"

static VouchStmt delete_all_branches = {
	"DELETE FROM vouch_data.branch WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_DELETE, 2, {INT4OID, UUIDOID}, .indexed = true
};

static VouchStmt close_execution = {
	"UPDATE vouch_data.execution SET status = $3::vouch.execution_status, paused = false, closed_at = $4,"
	" next_branch = $5, next_event = $6 WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_UPDATE, 6, {INT4OID, UUIDOID, TEXTOID, TIMESTAMPTZOID, INT4OID, INT8OID}, .indexed = true
};

static VouchStmt insert_result = {
	"INSERT INTO vouch_data.execution_result (bucket, execution_id, output, error, cause, redrive)"
	" VALUES ($1, $2, $3, $4, $5, $6)",
	SPI_OK_INSERT, 6, {INT4OID, UUIDOID, JSONBOID, TEXTOID, TEXTOID, JSONOID}
};

/* Where the main line stands; NULL when it has not begun. */
static const AslValue *
where_main_stands(VouchAdvance *adv)
{
	VouchBranch *main = adv->nbranches > 0 ? adv->branches[0] : NULL;
	const AslValue *v;

	if (main == NULL || main->state == NULL)
		return NULL;
	vouch_rows_load_data(adv, main);
	v = asl_object_put(asl_object(), "state", asl_string(main->state->name));
	v = asl_object_put(v, "actor", asl_string(main->actor));
	if (main->vars != NULL)
		v = asl_object_put(v, "vars", main->vars);
	return asl_object_put(v, "input", main->input);
}

/* Where the main line of an execution stands. */
typedef struct Standing
{
	VouchAdvance *adv;
	const AslValue *where;
} Standing;

static bool
find_standing(void *arg)
{
	Standing   *standing = arg;

	standing->where = where_main_stands(standing->adv);
	return true;
}

/* The same; NULL also when its data cannot be read: whatever they are, an execution can be closed. */
static const AslValue *
redrive_of(VouchAdvance *adv)
{
	Standing	standing = {adv};
	ErrorData  *error = vouch_attempt(find_standing, &standing);

	if (error != NULL && error->sqlerrcode != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
		ReThrowError(error);
	return error == NULL ? standing.where : NULL;
}

void
vouch_rows_close(VouchAdvance *adv, const char *event, const AslValue *output,
				  const char *error, const char *cause)
{
	VouchExecution *e = &adv->execution;
	Datum		args[6];
	char		nulls[6] = {' ', ' ', ' ', ' ', ' ', ' '};
	const AslValue *redrive = strcmp(event, "succeed") == 0 ? NULL : redrive_of(adv);

	e->status = vouch_execution_next(e->status, event, e->workflow_id);
	vouch_history_flush(adv);
	for (int i = 0; i < adv->nbranches; i++)
		if (!adv->branches[i]->removed)
			vouch_task_forget(adv, adv->branches[i]);
	vouch_task_flush(adv);
	args[0] = Int32GetDatum(e->bucket);
	args[1] = UUIDPGetDatum(&e->id);
	vouch_stmt_run(&delete_all_branches, args, NULL);
	args[2] = CStringGetTextDatum(e->status);
	args[3] = TimestampTzGetDatum(GetCurrentTimestamp());
	args[4] = Int32GetDatum(e->next_branch);
	args[5] = Int64GetDatum(e->next_event);
	vouch_stmt_run_one(&close_execution, args, NULL);

	if (output != NULL)
		args[2] = JsonbPGetDatum(asl_to_jsonb(output));
	else
		nulls[2] = 'n';
	if (error != NULL)
		args[3] = CStringGetTextDatum(error);
	else
		nulls[3] = 'n';
	if (cause != NULL)
		args[4] = CStringGetTextDatum(cause);
	else
		nulls[4] = 'n';
	if (redrive != NULL)
		args[5] = CStringGetTextDatum(asl_print(redrive));
	else
		nulls[5] = 'n';
	vouch_stmt_run(&insert_result, args, nulls);
}
