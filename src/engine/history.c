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
#include "common/hashfn.h"
#include "common/string.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/id.h"
#include "core/limits.h"
#include "core/json.h"
#include "core/stmt.h"
#include "engine/advance.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/memutils.h"

VOUCH_FUNCTION(vouch_sql_visited);
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

/* A state that the execution has been in. */
typedef struct Visited
{
	const char *name;			/* the key */
	bool		was_left;		/* by its last event */
	bool		led_to_end;		/* see follow_back() */
} Visited;

/* What is known of an event while later ones refer to it. */
typedef struct Seen
{
	Visited    *state;			/* or NULL */
	int64		previous;
	bool		left;			/* its state */
} Seen;

typedef struct Shown
{
	ReturnSetInfo *rsinfo;
	int64		first;
	int64		last;
	int64		size;
	Seen	   *events;			/* from first on */
	HTAB	   *visited;
	MemoryContext context;		/* of what is kept */
} Shown;

/* An event of a row that was read. */
typedef struct Event
{
	int64		id;
	int64		previous;
	TimestampTz at;
	const EventKind *kind;
	const char *state;			/* or NULL */
	const AslValue *payload;	/* or NULL */
	bool		truncated;
	const AslValue *actor;		/* or NULL */
} Event;

static uint32
name_hash(const void *key, Size keysize)
{
	const char *name = *(const char *const *) key;

	return hash_bytes((const unsigned char *) name, strlen(name));
}

static int
name_match(const void *a, const void *b, Size keysize)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static Visited *
visit(Shown *shown, const char *name)
{
	Visited    *state;
	bool		found;

	if (shown->visited == NULL)
	{
		HASHCTL		ctl;

		memset(&ctl, 0, sizeof(ctl));
		ctl.keysize = sizeof(char *);
		ctl.entrysize = sizeof(Visited);
		ctl.hash = name_hash;
		ctl.match = name_match;
		ctl.hcxt = shown->context;
		shown->visited = hash_create("vouch visited", 64, &ctl, HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	}
	state = hash_search(shown->visited, &name, HASH_ENTER, &found);
	if (!found)
	{
		state->name = MemoryContextStrdup(shown->context, name);
		state->was_left = state->led_to_end = false;
	}
	return state;
}

static Seen *
recall(Shown *shown, int64 id)
{
	return shown->events != NULL && id >= shown->first && id <= shown->last ? &shown->events[id - shown->first] : NULL;
}

static void
remember(Shown *shown, int64 id, const Seen *seen)
{
	if (shown->events == NULL)
	{
		shown->first = id;
		shown->size = 1024;
		shown->events = MemoryContextAllocZero(shown->context, sizeof(Seen) * shown->size);
	}
	while (id - shown->first >= shown->size)
	{
		shown->events = repalloc_huge(shown->events, sizeof(Seen) * shown->size * 2);
		memset(shown->events + shown->size, 0, sizeof(Seen) * shown->size);
		shown->size *= 2;
	}
	shown->last = id;
	shown->events[id - shown->first] = *seen;
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
show_event(Shown *shown, const Event *event)
{
	const AslValue *detail = asl_object();
	const char *key = event->kind->key;
	Datum		values[6];
	bool		nulls[6] = {false};

	if (event->payload != NULL)
		detail = key != NULL ? asl_object_put(detail, key, event->payload) : event->payload;
	if (event->truncated)
		detail = key != NULL ? asl_object_put(detail, psprintf("%sDetails", key), truncated()) : truncated();
	if (event->actor != NULL)
		detail = asl_object_put(detail, "actor", event->actor);
	values[0] = Int64GetDatum(event->id);
	values[1] = Int64GetDatum(event->previous);
	values[2] = TimestampTzGetDatum(event->at);
	values[3] = CStringGetTextDatum(event->kind->name);
	nulls[4] = event->state == NULL;
	values[4] = event->state ? CStringGetTextDatum(event->state) : (Datum) 0;
	values[5] = JsonbPGetDatum(asl_to_jsonb(detail));
	tuplestore_putvalues(shown->rsinfo->setResult, shown->rsinfo->setDesc, values, nulls);
}

/* Notes the events of a row, and shows them if they are to be shown. */
static void
read_row(Shown *shown, int64 first, TimestampTz at, const char *records,
		 void (*show) (Shown *shown, const Event *event))
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
		const AslValue *p = slot(record, 1);
		const AslValue *v;
		Event		event = {.id = first + i, .kind = kind_of(slot_int(record, 0))};
		Seen		seen = {0};
		Seen	   *before;

		event.previous = slot_int(record, 3);
		if (event.previous == 0)
			event.previous = event.id - 1;
		if (slot_int(record, 4) != 0)
			ms = slot_int(record, 4);
		event.at = at + ms * 1000;
		if (p != NULL && p->type == ASL_ARRAY)
			event.payload = last = p->u.array.items[0];
		else if (slot_int(record, 1) == 1)
			event.payload = last;
		event.truncated = slot_int(record, 1) == 2;

		v = slot(record, 2);
		before = recall(shown, event.previous);
		if (v != NULL && v->type == ASL_STRING)
			seen.state = visit(shown, v->u.string.data);
		else if (is_state_event(event.kind->type) && before != NULL)
			seen.state = before->state;
		seen.previous = event.previous;
		seen.left = pg_str_endswith(event.kind->name, "Exited");
		if (seen.state != NULL)
		{
			event.state = seen.state->name;
			seen.state->was_left = seen.left;
		}
		remember(shown, event.id, &seen);
		v = slot(record, 5);
		if (v != NULL && v->type == ASL_STRING)
			event.actor = v;
		if (show != NULL)
			show(shown, &event);
	}
}

/* Reads all events of the newest execution of a workflow_id. */
static void
read_all(FunctionCallInfo fcinfo, Shown *shown, void (*show) (Shown *shown, const Event *event))
{
	char	   *workflow_id;
	MemoryContext row_context;
	Datum		args[2];
	SPITupleTable *table;
	uint64		n;

	vouch_check_given(PG_ARGISNULL(0), "workflow_id");
	workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	shown->rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	shown->context = CurrentMemoryContext;
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	MemoryContextSwitchTo(shown->context);
	row_context = AllocSetContextCreate(shown->context, "vouch history row", ALLOCSET_DEFAULT_SIZES);
	args[0] = Int32GetDatum(vouch_id_workflow_bucket(workflow_id));
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
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(row_context);
		SPI_tuptable = table;
		read_row(shown, vouch_stmt_get_int64(row, 1, 0), vouch_stmt_get_int64(row, 2, 0),
				 vouch_stmt_get_text(row, 3), show);
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(shown->context);
	SPI_finish();
}

/* vouch.workflow_history(workflow_id text) */
Datum
vouch_sql_workflow_history(PG_FUNCTION_ARGS)
{
	Shown		shown = {0};

	read_all(fcinfo, &shown, show_event);
	return (Datum) 0;
}

/*
 * Marks what led to the last event, back to where its branch came from: what
 * was left on the way ends it.
 */
static void
follow_back(Shown *shown)
{
	Seen	   *seen = recall(shown, shown->last);

	while (seen != NULL)
	{
		Seen	   *before = seen->left ? NULL : recall(shown, seen->previous);

		if (seen->state != NULL)
			seen->state->led_to_end = true;
		seen = before != NULL && before < seen ? before : NULL;
	}
}

/* vouch_data.visited(workflow_id text) returns a row for each state: state, was_left, led_to_end */
Datum
vouch_sql_visited(PG_FUNCTION_ARGS)
{
	Shown		shown = {0};
	HASH_SEQ_STATUS scan;
	Visited    *state;

	read_all(fcinfo, &shown, NULL);
	follow_back(&shown);
	if (shown.visited == NULL)
		return (Datum) 0;
	hash_seq_init(&scan, shown.visited);
	while ((state = hash_seq_search(&scan)) != NULL)
	{
		Datum		values[3] = {CStringGetTextDatum(state->name), BoolGetDatum(state->was_left), BoolGetDatum(state->led_to_end)};
		bool		nulls[3] = {false};

		tuplestore_putvalues(shown.rsinfo->setResult, shown.rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
