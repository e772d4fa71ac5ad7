/*
 * signal.c
 *	  Messages to executions, and what else may end a wait.
 *
 * The signal's row is there first; then the execution is tried without
 * waiting.  Who does not get it leaves a nudge, which commits with the
 * signal: whoever has the lock now sees both when it looks again.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/event.h"
#include "core/guc.h"
#include "core/id.h"
#include "core/json.h"
#include "core/stmt.h"
#include "engine/advance.h"
#include "engine/signal.h"
#include "engine/start.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_signal_workflow);
VOUCH_FUNCTION(vouch_sql_signal_with_start);

static VouchStmt insert_signal = {
	"INSERT INTO vouch_data.signal (bucket, execution_id, signal_id, name, payload, dedup_key, sender, sent_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	" ON CONFLICT (bucket, execution_id, name, dedup_key) WHERE dedup_key IS NOT NULL DO NOTHING",
	SPI_OK_INSERT, 8, {INT4OID, UUIDOID, UUIDOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, TIMESTAMPTZOID}, .indexed = true
};

static VouchStmt find_any = {
	"SELECT status::text FROM vouch_data.execution WHERE bucket = $1 AND workflow_id = $2"
	" ORDER BY execution_id DESC LIMIT 1",
	SPI_OK_SELECT, 2, {INT4OID, TEXTOID}, .indexed = true
};

/* Names no bucket: the version may be another subject's. */
static VouchStmt find_reviewers = {
	"SELECT bucket, execution_id, run_as FROM vouch_data.branch"
	" WHERE wait_kind = 'review' AND wait_id = $1",
	SPI_OK_SELECT, 1, {UUIDOID}, .indexed = true
};

void
vouch_signal_try_or_nudge(int bucket, const pg_uuid_t *id, const char *run_as)
{
	int64		steps = 0;

	if (vouch_guc_inline_advance && !vouch_guc_restoring && !IsolationUsesXactSnapshot() &&
		vouch_advance_guarded(bucket, id, VOUCH_ADVANCE_INLINE, &steps) != VOUCH_ADVANCE_BUSY)
		return;
	vouch_rows_nudge(bucket, id, run_as);
}

void
vouch_signal_no_open(int bucket, const char *workflow_id)
{
	Datum		args[2];

	args[0] = Int32GetDatum(bucket);
	args[1] = CStringGetTextDatum(workflow_id);
	if (vouch_stmt_run(&find_any, args, NULL) == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_UNKNOWN_EXECUTION),
				 errmsg("there is no workflow with id \"%s\"", workflow_id),
				 errhint("Look at vouch.executions for the ids that exist.")));
	ereport(ERROR,
			(errcode(VOUCH_ERR_EXECUTION_STATE),
			 errmsg("workflow \"%s\" is closed: it is %s", workflow_id, vouch_stmt_get_text(0, 1)),
			 errhint("Look at vouch.describe_workflow('%s'), or start it again under the same workflow_id.",
					 workflow_id)));
}

/* False when there is no open execution. */
static bool
send(const char *workflow_id, const char *name, Jsonb *payload, const char *dedup_key)
{
	int			bucket = vouch_id_workflow_bucket(workflow_id);
	pg_uuid_t	id,
				signal_id;
	char	   *run_as;
	Datum		args[8];
	char		nulls[9] = "        ";

	if (!vouch_rows_find_open(bucket, workflow_id, &id, &run_as))
		return false;
	vouch_id_make(&signal_id, VOUCH_ID_EVENT, bucket);
	args[0] = Int32GetDatum(bucket);
	args[1] = UUIDPGetDatum(&id);
	args[2] = UUIDPGetDatum(&signal_id);
	args[3] = CStringGetTextDatum(name);
	args[4] = JsonbPGetDatum(payload);
	if (dedup_key != NULL)
		args[5] = CStringGetTextDatum(dedup_key);
	else
		nulls[5] = 'n';
	args[6] = CStringGetTextDatum(vouch_actor_current());
	args[7] = TimestampTzGetDatum(GetCurrentTimestamp());
	if (vouch_stmt_run(&insert_signal, args, nulls) > 0)
		vouch_signal_try_or_nudge(bucket, &id, run_as);
	return true;
}

static void
check_signal(const char *name, Jsonb *payload)
{
	if (name[0] == '\0' || strlen(name) > 200)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("\"%s\" cannot name a signal", name),
				 errdetail("A name has 1 to 200 bytes."),
				 errhint("Take the name that the workflow's vouch:signal state waits for.")));
	if (VARSIZE(payload) > (Size) vouch_guc_max_payload * 1024)
		ereport(ERROR,
				(errcode(VOUCH_ERR_LIMIT),
				 errmsg("the payload of signal \"%s\" is larger than vouch.max_payload", name),
				 errdetail("It has %zu bytes, %zu are allowed.", (size_t) VARSIZE(payload),
						   (size_t) vouch_guc_max_payload * 1024),
				 errhint("Keep large data in a table and send its key.")));
}

static void
need(bool isnull, const char *what)
{
	if (isnull)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("%s is missing", what),
				 errhint("It may not be NULL.")));
}

/* vouch.signal_workflow(workflow_id text, signal text, payload jsonb, dedup_key text) */
Datum
vouch_sql_signal_workflow(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	char	   *workflow_id;
	char	   *name;
	Jsonb	   *payload;

	need(PG_ARGISNULL(0), "workflow_id");
	need(PG_ARGISNULL(1), "signal");
	workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	payload = PG_ARGISNULL(2) ? vouch_json_from_text("{}") : PG_GETARG_JSONB_P(2);
	check_signal(name, payload);
	SPI_connect();
	MemoryContextSwitchTo(own);
	if (!send(workflow_id, name, payload, PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3))))
		vouch_signal_no_open(vouch_id_workflow_bucket(workflow_id), workflow_id);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * vouch.signal_with_start(workflow text, workflow_id text, signal text,
 * payload jsonb, input jsonb, dedup_key text) returns whether it was started
 */
Datum
vouch_sql_signal_with_start(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	char	   *workflow_id;
	char	   *name;
	Jsonb	   *payload;
	char	   *dedup_key = PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5));
	bool		started = false;
	int			attempt = 0;

	need(PG_ARGISNULL(0), "workflow");
	need(PG_ARGISNULL(1), "workflow_id");
	need(PG_ARGISNULL(2), "signal");
	workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(1));
	name = text_to_cstring(PG_GETARG_TEXT_PP(2));
	payload = PG_ARGISNULL(3) ? vouch_json_from_text("{}") : PG_GETARG_JSONB_P(3);
	check_signal(name, payload);
	SPI_connect();
	MemoryContextSwitchTo(own);
	while (!send(workflow_id, name, payload, dedup_key))
	{
		VouchStart	start;
		pg_uuid_t	id;

		if (attempt++ > 10)
			vouch_signal_no_open(vouch_id_workflow_bucket(workflow_id), workflow_id);
		vouch_start_check(workflow_id, PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4));
		memset(&start, 0, sizeof(start));
		start.program = vouch_program_get(text_to_cstring(PG_GETARG_TEXT_PP(0)), 0);
		start.workflow_id = workflow_id;
		start.input = PG_ARGISNULL(4) ? vouch_json_from_text("{}") : PG_GETARG_JSONB_P(4);
		start.starter = vouch_actor_current();
		start.parent_branch = -1;
		/* false: somebody else was quicker, whose execution takes the signal */
		started = vouch_start_execution(&start, &id);
	}
	SPI_finish();
	PG_RETURN_BOOL(started);
}

/* vouch_version_changed_hook: the artifact is locked, so no execution is waited for. */
void
vouch_signal_version_changed(int bucket, const pg_uuid_t *version_id, const char *state)
{
	MemoryContext own = CurrentMemoryContext;
	Datum		args[1];
	uint64		n;
	VouchWork  *works;
	char	  **roles;

	if (strcmp(state, "pending_approval") == 0)
		return;
	SPI_connect();
	args[0] = UUIDPGetDatum(version_id);
	/* who waits took the artifact's lock to do so: a snapshot older than that would not show it */
	n = vouch_stmt_run_latest(&find_reviewers, args, NULL);
	works = palloc(sizeof(VouchWork) * Max(n, 1));
	roles = palloc(sizeof(char *) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		works[i].bucket = vouch_stmt_get_int32(i, 1, 0);
		works[i].execution_id = *DatumGetUUIDP(vouch_stmt_get(i, 2, NULL));
		roles[i] = vouch_stmt_get_text(i, 3);
	}
	for (uint64 i = 0; i < n; i++)
		vouch_signal_try_or_nudge(works[i].bucket, &works[i].execution_id, roles[i]);
	SPI_finish();
	MemoryContextSwitchTo(own);
}
