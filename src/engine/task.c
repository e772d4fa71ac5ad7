/*
 * task.c
 *	  activity:queue, the workflow's side: offers tasks, takes their outcome.
 *
 * A task is a row beside the branch that waits for it.  Workers lease it and
 * write its outcome there (worker_api.c) with no more than the row's own lock;
 * whoever holds the execution reads it and deletes the row.
 */
#include "postgres.h"

#include "asl/jsonb.h"
#include "catalog/pg_type.h"
#include "core/id.h"
#include "core/stmt.h"
#include "engine/resource.h"
#include "engine/task.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define QUEUE_MAX_LEN 100

static VouchStmt read_paths = {
	"SELECT key_path, priority_path, priority FROM vouch_data.queue WHERE queue = $1",
	SPI_OK_SELECT, 1, {TEXTOID}, .indexed = true
};

static VouchStmt insert_task = {
	"INSERT INTO vouch_data.task (bucket, task_id, execution_id, branch_no, run_as, workflow_id, queue, state,"
	" attempt, input, status, priority, concurrency_key, offered_at, deadline, heartbeat_seconds)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'offered', $11, $12, $13, $14, $15)",
	SPI_OK_INSERT, 15,
	{INT4OID, UUIDOID, UUIDOID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, JSONBOID, INT4OID,
	TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID}
};

/* The lock makes a heartbeat that is being written count. */
static VouchStmt read_outcomes = {
	"SELECT task_id, status::text, output, error, cause, worker, leased_at, finished_by FROM vouch_data.task"
	" WHERE bucket = $1 AND task_id = ANY ($2)"
	" AND (status IN ('completed', 'failed') OR heartbeat_until <= $3) FOR UPDATE",
	SPI_OK_SELECT, 3, {INT4OID, UUIDARRAYOID, TIMESTAMPTZOID}, .indexed = true
};

static VouchStmt delete_tasks = {
	"DELETE FROM vouch_data.task WHERE bucket = $1 AND task_id = ANY ($2)",
	SPI_OK_DELETE, 2, {INT4OID, UUIDARRAYOID}, .indexed = true
};

static VouchStmt delete_watches = {
	"DELETE FROM vouch_data.watch WHERE bucket = $1 AND watch_id = ANY ($2)",
	SPI_OK_DELETE, 2, {INT4OID, UUIDARRAYOID}, .indexed = true
};

const char *
vouch_task_queue_problem(const char *queue)
{
	size_t		good = strspn(queue, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return queue[good] == '\0' && good > 0 && good <= QUEUE_MAX_LEN ? NULL : queue + good;
}

static Datum
id_array(Datum *ids, int n)
{
	return PointerGetDatum(construct_array(ids, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}

/* What a path of the queue's settings finds in the input of a task, or NULL. */
static const AslValue *
look(const char *path, const AslValue *input)
{
	AslFrame	frame;
	AslScope	scope = {NULL, NULL};
	AslError	error = {NULL, NULL};
	static unsigned char no_uuid[16];

	if (path == NULL)
		return NULL;
	scope.vars = asl_object();
	memset(&frame, 0, sizeof(frame));
	frame.input = input;
	frame.scope = &scope;
	frame.context = asl_object();
	frame.uuid = no_uuid;
	return asl_evaluate(path, &frame, &error);
}

static int
priority_of(const AslValue *v, int otherwise)
{
	double		number;

	if (v == NULL || !asl_as_double(v, &number))
		return otherwise;
	return (int) Max(Min(number, 1000000), -1000000);
}

void
vouch_task_offer(VouchAdvance *adv, VouchBranch *b, const AslEntry *entry)
{
	VouchExecution *e = &adv->execution;
	const char *queue = b->state->resource + strlen("activity:");
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz deadline = entry->timeout_seconds > 0 ? now + entry->timeout_seconds * USECS_PER_SEC : 0;
	char	   *key_path = NULL;
	char	   *priority_path = NULL;
	int			priority = 0;
	const AslValue *key;
	Datum		args[15];
	char		nulls[15];

	args[0] = CStringGetTextDatum(queue);
	if (vouch_stmt_run(&read_paths, args, NULL) > 0)
	{
		key_path = vouch_stmt_get_text(0, 1);
		priority_path = vouch_stmt_get_text(0, 2);
		priority = vouch_stmt_get_int32(0, 3, 0);
		SPI_freetuptable(SPI_tuptable);
	}
	key = look(key_path, entry->payload);
	priority = priority_of(look(priority_path, entry->payload), priority);

	vouch_id_make(&b->wait_id, VOUCH_ID_EVENT, e->bucket);
	b->has_wait_id = true;
	b->wait_name = queue;
	memset(nulls, ' ', sizeof(nulls));
	args[0] = Int32GetDatum(e->bucket);
	args[1] = UUIDPGetDatum(&b->wait_id);
	args[2] = UUIDPGetDatum(&e->id);
	args[3] = Int32GetDatum(b->no);
	args[4] = CStringGetTextDatum(e->run_as);
	args[5] = CStringGetTextDatum(e->workflow_id);
	args[6] = CStringGetTextDatum(queue);
	args[7] = CStringGetTextDatum(b->state->name);
	args[8] = Int32GetDatum(b->attempt + 1);
	args[9] = JsonbPGetDatum(asl_to_jsonb(entry->payload));
	args[10] = Int32GetDatum(priority);
	if (key != NULL && key->type != ASL_NULL)
		args[11] = CStringGetTextDatum(key->type == ASL_STRING ? key->u.string.data : asl_print(key));
	else
		nulls[11] = 'n';
	args[12] = TimestampTzGetDatum(now);
	args[13] = TimestampTzGetDatum(deadline);
	if (deadline == 0)
		nulls[13] = 'n';
	args[14] = Int64GetDatum(entry->heartbeat_seconds);
	if (entry->heartbeat_seconds <= 0)
		nulls[14] = 'n';
	vouch_stmt_run(&insert_task, args, nulls);
	vouch_advance_park(adv, b, VOUCH_WAIT_ACTIVITY, deadline);
}

void
vouch_task_forget(VouchAdvance *adv, VouchBranch *b)
{
	VouchResource kind;

	if (!b->has_wait_id || b->state == NULL || b->state->type != ASL_TASK)
		return;
	kind = vouch_resource_kind(b->state->resource);
	if (kind != VOUCH_RESOURCE_ACTIVITY && kind != VOUCH_RESOURCE_UNTIL)
		return;
	if (adv->ngone == adv->maxgone)
	{
		adv->maxgone = Max(16, adv->maxgone * 2);
		adv->gone = adv->gone == NULL
			? palloc(sizeof(pg_uuid_t) * adv->maxgone)
			: repalloc_huge(adv->gone, sizeof(pg_uuid_t) * adv->maxgone);
	}
	adv->gone[adv->ngone++] = b->wait_id;
}

void
vouch_task_flush(VouchAdvance *adv)
{
	Datum	   *ids;
	Datum		args[2];

	if (adv->ngone == 0)
		return;
	ids = palloc(sizeof(Datum) * adv->ngone);
	for (int i = 0; i < adv->ngone; i++)
		ids[i] = UUIDPGetDatum(&adv->gone[i]);
	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = id_array(ids, adv->ngone);
	vouch_stmt_run(&delete_tasks, args, NULL);
	vouch_stmt_run(&delete_watches, args, NULL);
	adv->ngone = 0;
}

/* What became of a task (a row of read_outcomes) means to its branch. */
static void
take_outcome(VouchAdvance *adv, VouchBranch *b, uint64 row)
{
	char	   *status = vouch_stmt_get_text(row, 2);
	char	   *worker = vouch_stmt_get_text(row, 6);
	bool		isnull;
	Datum		output = vouch_stmt_get(row, 3, &isnull);

	if (worker != NULL)
		vouch_history_add(adv, b, VOUCH_EV_ACTIVITY_STARTED, NULL,
						  asl_object_put(asl_object(), "workerName", asl_string(worker)), NULL);
	b->result_actor = vouch_stmt_get_text(row, 8);
	vouch_task_forget(adv, b);
	if (strcmp(status, "completed") == 0)
	{
		b->result = isnull ? asl_null() : asl_from_jsonb(DatumGetJsonbPCopy(output));
		vouch_advance_ready(adv, b, VOUCH_RESUME_RESULT);
		return;
	}
	if (strcmp(status, "failed") == 0)
	{
		b->failure.error = vouch_stmt_get_text(row, 4);
		b->failure.cause = vouch_stmt_get_text(row, 5);
	}
	else
		b->failure = asl_timeout_error(true);
	vouch_advance_ready(adv, b, VOUCH_RESUME_FAILURE);
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(&(*(VouchBranch *const *) a)->wait_id, &(*(VouchBranch *const *) b)->wait_id, UUID_LEN);
}

void
vouch_task_wake(VouchAdvance *adv)
{
	VouchBranch **waiting = palloc(sizeof(VouchBranch *) * Max(adv->nbranches, 1));
	Datum	   *ids = palloc(sizeof(Datum) * Max(adv->nbranches, 1));
	int			n = 0;
	Datum		args[3];
	uint64		found;

	for (int i = 0; i < adv->nbranches; i++)
		if (adv->branches[i]->status == VOUCH_BRANCH_WAITING && adv->branches[i]->wait == VOUCH_WAIT_ACTIVITY)
			waiting[n++] = adv->branches[i];
	qsort(waiting, n, sizeof(VouchBranch *), compare_ids);
	for (int i = 0; i < n; i++)
		ids[i] = UUIDPGetDatum(&waiting[i]->wait_id);
	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = id_array(ids, n);
	args[2] = TimestampTzGetDatum(adv->started);
	found = vouch_stmt_run(&read_outcomes, args, NULL);
	for (uint64 row = 0; row < found; row++)
	{
		VouchBranch key;
		VouchBranch *pointer = &key;
		VouchBranch **b;

		key.wait_id = *DatumGetUUIDP(vouch_stmt_get(row, 1, NULL));
		b = bsearch(&pointer, waiting, n, sizeof(VouchBranch *), compare_ids);
		if (b != NULL)
			take_outcome(adv, *b, row);
	}
	SPI_freetuptable(SPI_tuptable);
}
