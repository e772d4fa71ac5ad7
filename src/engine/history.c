/*
 * history.c
 *	  Packs the events of an advance into one row, and shows them again.
 *
 * A row's records are a JSON array; each event is an array that stops where
 * only defaults follow:
 *
 *	[type, payload, state, previous, ms, actor]
 *
 * payload   0 none, 1 the same value as the last one in this row, 2 too large
 *           to keep, [value]
 * state     0: that of the previous event
 * previous  number of the previous event in the branch; 0: the one before
 * ms        milliseconds since the row's time; 0: as the event before
 * actor     0: nobody's doing
 *
 * It is kept as json, not jsonb: it is written often, and read whole.
 */
#include "postgres.h"

#include "asl/jsonb.h"
#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/id.h"
#include "core/limits.h"
#include "core/json.h"
#include "core/stmt.h"
#include "engine/advance.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/json.h"

VOUCH_FUNCTION(vouch_sql_workflow_history);

static VouchStmt insert_history = {
	"INSERT INTO vouch_data.history (bucket, execution_id, first_event_id, at, records)"
	" VALUES ($1, $2, $3, $4, $5)",
	SPI_OK_INSERT, 5, {INT4OID, UUIDOID, INT8OID, TIMESTAMPTZOID, JSONOID}
};

static VouchStmt find_newest = {
	"SELECT execution_id FROM vouch_data.execution WHERE bucket = $1 AND workflow_id = $2"
	" ORDER BY execution_id DESC LIMIT 1",
	SPI_OK_SELECT, 2, {INT4OID, TEXTOID}, .indexed = true
};

static VouchStmt read_history = {
	"SELECT first_event_id, at, records::text FROM vouch_data.history"
	" WHERE bucket = $1 AND execution_id = $2 ORDER BY first_event_id",
	SPI_OK_SELECT, 2, {INT4OID, UUIDOID}, .indexed = true
};

typedef struct EventKind
{
	VouchEvent	type;
	const char *name;
	const char *key;			/* what the payload is called; NULL: it is the detail */
} EventKind;

static const EventKind kinds[] = {
	{VOUCH_EV_EXECUTION_STARTED, "ExecutionStarted", "input"},
	{VOUCH_EV_EXECUTION_SUCCEEDED, "ExecutionSucceeded", "output"},
	{VOUCH_EV_EXECUTION_FAILED, "ExecutionFailed", NULL},
	{VOUCH_EV_EXECUTION_ABORTED, "ExecutionAborted", NULL},
	{VOUCH_EV_EXECUTION_TIMED_OUT, "ExecutionTimedOut", NULL},
	{VOUCH_EV_PASS_ENTERED, "PassStateEntered", "input"},
	{VOUCH_EV_PASS_EXITED, "PassStateExited", "output"},
	{VOUCH_EV_TASK_ENTERED, "TaskStateEntered", "input"},
	{VOUCH_EV_TASK_EXITED, "TaskStateExited", "output"},
	{VOUCH_EV_CHOICE_ENTERED, "ChoiceStateEntered", "input"},
	{VOUCH_EV_CHOICE_EXITED, "ChoiceStateExited", "output"},
	{VOUCH_EV_WAIT_ENTERED, "WaitStateEntered", "input"},
	{VOUCH_EV_WAIT_EXITED, "WaitStateExited", "output"},
	{VOUCH_EV_SUCCEED_ENTERED, "SucceedStateEntered", "input"},
	{VOUCH_EV_SUCCEED_EXITED, "SucceedStateExited", "output"},
	{VOUCH_EV_FAIL_ENTERED, "FailStateEntered", "input"},
	{VOUCH_EV_PARALLEL_ENTERED, "ParallelStateEntered", "input"},
	{VOUCH_EV_PARALLEL_EXITED, "ParallelStateExited", "output"},
	{VOUCH_EV_MAP_ENTERED, "MapStateEntered", "input"},
	{VOUCH_EV_MAP_EXITED, "MapStateExited", "output"},
	{VOUCH_EV_TASK_SCHEDULED, "TaskScheduled", "parameters"},
	{VOUCH_EV_TASK_STARTED, "TaskStarted", NULL},
	{VOUCH_EV_TASK_SUCCEEDED, "TaskSucceeded", "output"},
	{VOUCH_EV_TASK_FAILED, "TaskFailed", NULL},
	{VOUCH_EV_TASK_TIMED_OUT, "TaskTimedOut", NULL},
	{VOUCH_EV_ACTIVITY_SCHEDULED, "ActivityScheduled", "input"},
	{VOUCH_EV_ACTIVITY_STARTED, "ActivityStarted", NULL},
	{VOUCH_EV_ACTIVITY_SUCCEEDED, "ActivitySucceeded", "output"},
	{VOUCH_EV_ACTIVITY_FAILED, "ActivityFailed", NULL},
	{VOUCH_EV_ACTIVITY_TIMED_OUT, "ActivityTimedOut", NULL},
	{VOUCH_EV_PARALLEL_STARTED, "ParallelStateStarted", NULL},
	{VOUCH_EV_PARALLEL_FAILED, "ParallelStateFailed", NULL},
	{VOUCH_EV_MAP_STARTED, "MapStateStarted", NULL},
	{VOUCH_EV_MAP_SUCCEEDED, "MapStateSucceeded", NULL},
	{VOUCH_EV_MAP_FAILED, "MapStateFailed", NULL},
	{VOUCH_EV_ITERATION_STARTED, "MapIterationStarted", "index"},
	{VOUCH_EV_ITERATION_SUCCEEDED, "MapIterationSucceeded", "index"},
	{VOUCH_EV_ITERATION_FAILED, "MapIterationFailed", "index"},
	{VOUCH_EV_ITERATION_ABORTED, "MapIterationAborted", "index"},
	{VOUCH_EV_MAP_RUN_STARTED, "MapRunStarted", NULL},
	{VOUCH_EV_MAP_RUN_SUCCEEDED, "MapRunSucceeded", NULL},
	{VOUCH_EV_MAP_RUN_FAILED, "MapRunFailed", NULL},
	{VOUCH_EV_PAUSED, "ExecutionPaused", NULL},
	{VOUCH_EV_RESUMED, "ExecutionResumed", NULL},
	{VOUCH_EV_REDRIVEN, "ExecutionRedriven", NULL},
	{VOUCH_EV_CANCEL_REQUESTED, "ExecutionCancelRequested", NULL},
	{VOUCH_EV_MIGRATED, "ExecutionMigrated", NULL},
	{VOUCH_EV_SIGNAL_PASSED_OVER, "SignalPassedOver", NULL},
};

static const EventKind *
kind_of(int64 type)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (kinds[i].type == type)
			return &kinds[i];
	elog(ERROR, "unknown event type " INT64_FORMAT, type);
	return NULL;
}

void
vouch_history_begin(VouchAdvance *adv)
{
	VouchHistory *h = &adv->history;

	initStringInfo(&h->buf);
	h->first_event = adv->execution.next_event;
	h->at = adv->started;
	h->last_ms = 0;
	h->last_payload = NULL;
}

/* What the service has beside, or in place of, what it cuts. */
static const AslValue *
truncated(void)
{
	return asl_object_put(asl_object(), "truncated", asl_bool(true));
}

const AslValue *
vouch_history_error(const AslError *error)
{
	const AslValue *v = asl_object();

	if (error->error != NULL)
		v = asl_object_put(v, "error", asl_string(error->error));
	if (error->cause != NULL)
		v = asl_object_put(v, "cause", asl_string(error->cause));
	return v;
}

static const AslValue too_large;

/* Of a payload past the limit: an error without its cause, or nothing. */
static const AslValue *
what_fits(VouchEvent type, const AslValue *payload)
{
	const AslValue *error = kind_of(type)->key == NULL ? asl_get(payload, "error") : NULL;

	if (error == NULL)
		return &too_large;
	payload = asl_object_put(asl_object_put(asl_object(), "error", error), "causeDetails", truncated());
	return asl_print_size(payload) <= (size_t) vouch_guc_history_payload_limit ? payload : &too_large;
}

int64
vouch_history_add(VouchAdvance *adv, VouchBranch *branch, VouchEvent type,
				  const char *state, const AslValue *payload, const char *actor)
{
	VouchHistory *h = &adv->history;
	StringInfo	buf = &h->buf;
	int64		id;
	int64		previous = 0;
	int64		ms;
	int			len;

	if (branch != NULL && branch->silent)
		return branch->previous_event;
	id = adv->execution.next_event++;
	adv->counters_changed = true;
	if (branch != NULL && branch->previous_event != id - 1)
		previous = branch->previous_event;
	ms = (GetCurrentTimestamp() - h->at) / 1000;

	if (payload != NULL && payload != h->last_payload &&
		asl_print_size(payload) > (size_t) vouch_guc_history_payload_limit)
		payload = what_fits(type, payload);
	appendStringInfo(buf, buf->len > 0 ? ",[%d" : "[%d", type);
	len = buf->len;
	if (payload == NULL)
		appendStringInfoString(buf, ",0");
	else if (payload == h->last_payload)
	{
		appendStringInfoString(buf, ",1");
		len = buf->len;
	}
	else if (payload == &too_large)
	{
		appendStringInfoString(buf, ",2");
		len = buf->len;
	}
	else
	{
		appendStringInfo(buf, ",[%s]", asl_print(payload));
		h->last_payload = payload;
		len = buf->len;
	}
	if (state != NULL)
	{
		appendStringInfoChar(buf, ',');
		escape_json(buf, state);
		len = buf->len;
	}
	else
		appendStringInfoString(buf, ",0");
	appendStringInfo(buf, "," INT64_FORMAT, previous);
	if (previous != 0)
		len = buf->len;
	appendStringInfo(buf, "," INT64_FORMAT, ms == h->last_ms ? 0 : ms);
	if (ms != h->last_ms)
		len = buf->len;
	h->last_ms = ms;
	if (actor != NULL)
	{
		appendStringInfoChar(buf, ',');
		escape_json(buf, actor);
		len = buf->len;
	}
	buf->len = len;
	appendStringInfoChar(buf, ']');
	if (branch != NULL)
		branch->previous_event = id;
	return id;
}

void
vouch_history_flush(VouchAdvance *adv)
{
	VouchHistory *h = &adv->history;
	Datum		args[5];

	if (h->buf.len == 0)
		return;
	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = UUIDPGetDatum(&adv->execution.id);
	args[2] = Int64GetDatum(h->first_event);
	args[3] = TimestampTzGetDatum(h->at);
	args[4] = CStringGetTextDatum(psprintf("[%s]", h->buf.data));
	vouch_stmt_run(&insert_history, args, NULL);
	vouch_history_begin(adv);
}

/* ------------------------------------------------------------------ reading */

/* What is known of an event while later ones refer to it. */
typedef struct Shown
{
	int64		first;
	int64		n;
	int64		size;
	const char **states;
} Shown;

static void
remember_state(Shown *shown, int64 id, const char *state)
{
	if (shown->states == NULL)
	{
		shown->first = id;
		shown->size = 1024;
		shown->states = palloc0(sizeof(char *) * shown->size);
	}
	while (id - shown->first >= shown->size)
	{
		shown->states = repalloc_huge(shown->states, sizeof(char *) * shown->size * 2);
		memset(shown->states + shown->size, 0, sizeof(char *) * shown->size);
		shown->size *= 2;
	}
	shown->states[id - shown->first] = state;
}

static const char *
recall_state(Shown *shown, int64 id)
{
	if (shown->states == NULL || id < shown->first || id - shown->first >= shown->size)
		return NULL;
	return shown->states[id - shown->first];
}

static bool
is_state_event(VouchEvent type)
{
	return type > VOUCH_EV_EXECUTION_TIMED_OUT && type < VOUCH_EV_PAUSED;
}

static const AslValue *
slot(const AslValue *record, size_t i)
{
	return record->type == ASL_ARRAY && i < record->u.array.n ? record->u.array.items[i] : NULL;
}

static int64
slot_int(const AslValue *record, size_t i)
{
	const AslValue *v = slot(record, i);
	int64_t		n;

	return v != NULL && asl_is_int(v, &n) ? n : 0;
}

static void
show_row(ReturnSetInfo *rsinfo, Shown *shown, int64 first, TimestampTz at, const char *records)
{
	AslError	error = {NULL, NULL};
	const AslValue *all = asl_parse(records, strlen(records), &error);
	const AslValue *last = NULL;
	int64		ms = 0;

	if (all == NULL || all->type != ASL_ARRAY)
		elog(ERROR, "history from event " INT64_FORMAT " cannot be read", first);
	for (size_t i = 0; i < all->u.array.n; i++)
	{
		const AslValue *record = all->u.array.items[i];
		const EventKind *kind = kind_of(slot_int(record, 0));
		const AslValue *p = slot(record, 1);
		const AslValue *payload = NULL;
		const AslValue *v;
		const AslValue *detail = asl_object();
		const char *state = NULL;
		int64		id = first + i;
		int64		previous = slot_int(record, 3);
		Datum		values[6];
		bool		nulls[6] = {false};

		if (previous == 0)
			previous = id - 1;
		if (slot_int(record, 4) != 0)
			ms = slot_int(record, 4);
		if (p != NULL && p->type == ASL_ARRAY)
			payload = last = p->u.array.items[0];
		else if (slot_int(record, 1) == 1)
			payload = last;

		v = slot(record, 2);
		if (v != NULL && v->type == ASL_STRING)
			state = v->u.string.data;
		else if (is_state_event(kind->type))
			state = recall_state(shown, previous);
		remember_state(shown, id, state);

		if (payload != NULL)
			detail = kind->key != NULL ? asl_object_put(detail, kind->key, payload) : payload;
		if (slot_int(record, 1) == 2)
			detail = kind->key != NULL ? asl_object_put(detail, psprintf("%sDetails", kind->key), truncated()) : truncated();
		v = slot(record, 5);
		if (v != NULL && v->type == ASL_STRING)
			detail = asl_object_put(detail, "actor", v);

		values[0] = Int64GetDatum(id);
		values[1] = Int64GetDatum(previous);
		values[2] = TimestampTzGetDatum(at + ms * 1000);
		values[3] = CStringGetTextDatum(kind->name);
		nulls[4] = state == NULL;
		values[4] = state ? CStringGetTextDatum(state) : (Datum) 0;
		values[5] = JsonbPGetDatum(asl_to_jsonb(detail));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

/* vouch.workflow_history(workflow_id text) */
Datum
vouch_sql_workflow_history(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *workflow_id;
	MemoryContext own = CurrentMemoryContext;
	int			bucket;
	Shown		shown = {0};
	Datum		args[2];
	SPITupleTable *table;
	uint64		n;

	vouch_check_given(PG_ARGISNULL(0), "workflow_id");
	workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bucket = vouch_id_workflow_bucket(workflow_id);
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	MemoryContextSwitchTo(own);
	args[0] = Int32GetDatum(bucket);
	args[1] = CStringGetTextDatum(workflow_id);
	if (vouch_stmt_run(&find_newest, args, NULL) == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_UNKNOWN_EXECUTION),
				 errmsg("there is no workflow with id \"%s\"", workflow_id),
				 errhint("Look at vouch.executions for the ids that exist.")));
	args[1] = datumCopy(vouch_stmt_get(0, 1, NULL), false, UUID_LEN);
	n = vouch_stmt_run(&read_history, args, NULL);
	table = SPI_tuptable;
	for (uint64 row = 0; row < n; row++)
	{
		SPI_tuptable = table;
		show_row(rsinfo, &shown, vouch_stmt_get_int64(row, 1, 0), vouch_stmt_get_int64(row, 2, 0),
				 vouch_stmt_get_text(row, 3));
	}
	SPI_finish();
	return (Datum) 0;
}
