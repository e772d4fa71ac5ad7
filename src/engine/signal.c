/*
 * signal.c
 *	  Messages to executions, and what else may end a wait.
 *
 * The signal's row is there first; then the execution is tried without
 * waiting.  Who gets it goes on with it, or sees that it is closed.  Who does
 * not leaves a nudge, which commits with the signal: whoever has the lock now
 * sees both when it looks again; and if it closes the execution instead, the
 * sender is told at commit (arrive.c).
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
#include "core/limits.h"
#include "core/stmt.h"
#include "engine/advance.h"
#include "engine/signal.h"
#include "engine/start.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_signal_workflow);
VOUCH_FUNCTION(vouch_sql_signal_with_start);

#define MAX_ATTEMPTS 10			/* to send to executions that close, one after the other */

static VouchStmt insert_signal = {
	"INSERT INTO vouch_data.signal (bucket, execution_id, signal_id, name, payload, dedup_key, sender, sent_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	" ON CONFLICT (bucket, execution_id, name, dedup_key) WHERE dedup_key IS NOT NULL DO NOTHING",
	SPI_OK_INSERT, 8, {INT4OID, UUIDOID, UUIDOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, TIMESTAMPTZOID}, .indexed = true
};

static VouchStmt delete_signal = {
	"DELETE FROM vouch_data.signal WHERE bucket = $1 AND execution_id = $2 AND signal_id = $3",
	SPI_OK_DELETE, 3, {INT4OID, UUIDOID, UUIDOID}, .indexed = true
};

static VouchStmt insert_nudge = {
	"INSERT INTO vouch_data.nudge (bucket, execution_id, nudge_id, run_as, signal_id, workflow, input, attributes)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	SPI_OK_INSERT, 8, {INT4OID, UUIDOID, UUIDOID, TEXTOID, UUIDOID, TEXTOID, JSONBOID, JSONBOID}
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

static VouchAdvanceOutcome
try_inline(int bucket, const pg_uuid_t *id)
{
	int64		steps = 0;

	if (!vouch_guc_inline_advance || vouch_guc_restoring || IsolationUsesXactSnapshot())
		return VOUCH_ADVANCE_BUSY;
	return vouch_advance_guarded(bucket, id, VOUCH_ADVANCE_INLINE, &steps);
}

void
vouch_signal_try_or_nudge(int bucket, const pg_uuid_t *id, const char *run_as)
{
	if (try_inline(bucket, id) == VOUCH_ADVANCE_BUSY)
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

/*
 * Whoever has the execution is to look, and at commit it is settled whether it
 * was still open: arrive.c.
 */
static void
tell(int bucket, const pg_uuid_t *id, const char *run_as, const pg_uuid_t *signal_id,
	 const VouchMessage *message)
{
	Datum		args[8];
	char		nulls[9] = "        ";
	pg_uuid_t	nudge_id;

	vouch_id_make(&nudge_id, VOUCH_ID_EVENT, bucket);
	args[0] = Int32GetDatum(bucket);
	args[1] = UUIDPGetDatum(id);
	args[2] = UUIDPGetDatum(&nudge_id);
	args[3] = CStringGetTextDatum(run_as);
	args[4] = UUIDPGetDatum(signal_id);
	if (message->workflow != NULL)
	{
		args[5] = CStringGetTextDatum(message->workflow);
		args[6] = JsonbPGetDatum(message->input);
	}
	else
		nulls[5] = nulls[6] = 'n';
	if (message->attributes != NULL)
		args[7] = JsonbPGetDatum(message->attributes);
	else
		nulls[7] = 'n';
	vouch_stmt_run(&insert_nudge, args, nulls);
	vouch_rows_wake(run_as, bucket, id, 0);
}

bool
vouch_signal_send(const VouchMessage *message)
{
	int			bucket = vouch_id_workflow_bucket(message->workflow_id);
	pg_uuid_t	id,
				signal_id;
	char	   *run_as;
	Datum		args[8];
	char		nulls[9] = "        ";

	if (!vouch_rows_find_open(bucket, message->workflow_id, &id, &run_as))
		return false;
	if (message->workflow != NULL)
		vouch_rows_require_workflow(message->workflow, message->workflow_id);
	vouch_id_make(&signal_id, VOUCH_ID_EVENT, bucket);
	args[0] = Int32GetDatum(bucket);
	args[1] = UUIDPGetDatum(&id);
	args[2] = UUIDPGetDatum(&signal_id);
	args[3] = CStringGetTextDatum(message->name);
	args[4] = JsonbPGetDatum(message->payload);
	if (message->dedup_key != NULL)
		args[5] = CStringGetTextDatum(message->dedup_key);
	else
		nulls[5] = 'n';
	args[6] = CStringGetTextDatum(message->sender);
	args[7] = TimestampTzGetDatum(GetCurrentTimestamp());
	if (vouch_stmt_run(&insert_signal, args, nulls) == 0)
		return true;
	switch (try_inline(bucket, &id))
	{
		case VOUCH_ADVANCED:
		case VOUCH_ADVANCE_IDLE:
			return true;		/* its lock is ours, so it is open when we commit */
		case VOUCH_ADVANCE_BUSY:
			tell(bucket, &id, run_as, &signal_id, message);
			return true;
		case VOUCH_ADVANCE_CLOSED:
			break;
	}
	vouch_stmt_run(&delete_signal, args, NULL);
	return false;
}

bool
vouch_signal_send_or_start(const VouchMessage *message)
{
	bool		started = false;
	int			attempt = 0;

	while (!vouch_signal_send(message))
	{
		VouchStart	start;
		pg_uuid_t	id;

		if (attempt++ > MAX_ATTEMPTS)
			vouch_signal_no_open(vouch_id_workflow_bucket(message->workflow_id), message->workflow_id);
		vouch_start_check(message->workflow_id, message->input);
		vouch_start_require_right(message->workflow);
		memset(&start, 0, sizeof(start));
		start.program = vouch_program_get(message->workflow, 0);
		start.workflow_id = message->workflow_id;
		start.input = message->input;
		start.attributes = message->attributes;
		start.starter = message->sender;
		start.parent_branch = -1;
		/* false: somebody else was quicker, whose execution takes the signal */
		started = vouch_start_execution(&start, &id);
	}
	return started;
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
	vouch_payload_check(payload, "the payload of signal", name, "Keep large data in a table and send its key.");
}

/* vouch.signal_workflow(workflow_id text, signal text, payload jsonb, dedup_key text) */
Datum
vouch_sql_signal_workflow(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	VouchMessage message;
	int			attempt = 0;

	vouch_check_given(PG_ARGISNULL(0), "workflow_id");
	vouch_check_given(PG_ARGISNULL(1), "signal");
	memset(&message, 0, sizeof(message));
	message.workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	message.name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	message.payload = PG_ARGISNULL(2) ? vouch_json_from_text("{}") : PG_GETARG_JSONB_P(2);
	message.dedup_key = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	message.sender = vouch_actor_current();
	check_signal(message.name, message.payload);
	SPI_connect();
	MemoryContextSwitchTo(own);
	while (!vouch_signal_send(&message))
	{
		int			bucket = vouch_id_workflow_bucket(message.workflow_id);
		pg_uuid_t	id;
		char	   *run_as;

		/* one that closed just now may have a successor */
		if (attempt++ > MAX_ATTEMPTS || !vouch_rows_find_open(bucket, message.workflow_id, &id, &run_as))
			vouch_signal_no_open(bucket, message.workflow_id);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * vouch.signal_with_start(workflow text, workflow_id text, signal text,
 * payload jsonb, input jsonb, dedup_key text, attributes jsonb) returns whether it was started
 */
Datum
vouch_sql_signal_with_start(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	VouchMessage message;
	bool		started;

	vouch_check_given(PG_ARGISNULL(0), "workflow");
	vouch_check_given(PG_ARGISNULL(1), "workflow_id");
	vouch_check_given(PG_ARGISNULL(2), "signal");
	message.workflow = text_to_cstring(PG_GETARG_TEXT_PP(0));
	message.workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(1));
	message.name = text_to_cstring(PG_GETARG_TEXT_PP(2));
	message.payload = PG_ARGISNULL(3) ? vouch_json_from_text("{}") : PG_GETARG_JSONB_P(3);
	message.input = PG_ARGISNULL(4) ? vouch_json_from_text("{}") : PG_GETARG_JSONB_P(4);
	message.dedup_key = PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5));
	message.sender = vouch_actor_current();
	check_signal(message.name, message.payload);
	message.attributes = PG_ARGISNULL(6) ? NULL : PG_GETARG_JSONB_P(6);
	/* now, and not only when it is started, which may be at commit */
	if (message.attributes != NULL)
		vouch_start_check_attributes(message.attributes);
	vouch_payload_check(message.input, "the input of workflow", message.workflow_id,
						"Keep large data in a table and pass its key.");
	SPI_connect();
	MemoryContextSwitchTo(own);
	started = vouch_signal_send_or_start(&message);
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
