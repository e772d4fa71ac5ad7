/*
 * until.c
 *	  vouch:until: waits until a function of the database says so.
 *
 * Whoever changes a table that is watched leaves nudges for those who watch
 * it, at commit: a watch that came after the statement, and whose look did not
 * show the change yet, is there by then.  What is left is a watch that comes
 * between this and the end of the commit.  That change is found by the clock:
 * the next looks come after 100 ms, and then after as long as it has been
 * waiting, up to Every.
 */
#include "postgres.h"

#include "access/xact.h"
#include "asl/jsonb.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/stmt.h"
#include "engine/activity_function.h"
#include "engine/task.h"
#include "engine/until.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

VOUCH_FUNCTION(vouch_sql_table_changed);

#define FIRST_DELAY_USECS 100000
#define EVERY_DEFAULT 60

static VouchStmt insert_watch = {
	"INSERT INTO vouch_data.watch (bucket, watch_id, relation, execution_id, run_as) VALUES ($1, $2, $3, $4, $5)"
	" ON CONFLICT DO NOTHING",
	SPI_OK_INSERT, 5, {INT4OID, UUIDOID, TEXTOID, UUIDOID, TEXTOID}
};

/* Names no bucket: whoever changes a table does not know who looks at it. */
static VouchStmt find_watchers = {
	"SELECT DISTINCT bucket, execution_id, run_as FROM vouch_data.watch WHERE relation = $1"
	" ORDER BY bucket, execution_id",
	SPI_OK_SELECT, 1, {TEXTOID}, .indexed = true
};

/* One a transaction is enough, but only our own: another may be taken before we commit. */
static VouchStmt has_own_nudge = {
	"SELECT 1 FROM vouch_data.nudge WHERE bucket = $1 AND execution_id = $2 AND xmin = $3 LIMIT 1",
	SPI_OK_SELECT, 3, {INT4OID, UUIDOID, XIDOID}, .indexed = true
};

static const char *
text_of(const AslValue *object, const char *key)
{
	const AslValue *v = asl_get(object, key);

	return v != NULL && v->type == ASL_STRING ? v->u.string.data : NULL;
}

Oid
vouch_until_table(const char *table)
{
	const char *dot = strchr(table, '.');
	Oid			namespace = dot == NULL ? InvalidOid : get_namespace_oid(pnstrdup(table, dot - table), true);

	return OidIsValid(namespace) ? get_relname_relid(dot + 1, namespace) : InvalidOid;
}

/* The name under which changes of "schema.table" are told, or NULL when there is no such table. */
static char *
watched_name(const char *table)
{
	const char *dot = strchr(table, '.');

	return OidIsValid(vouch_until_table(table))
		? quote_qualified_identifier(pnstrdup(table, dot - table), dot + 1) : NULL;
}

static void
watch(VouchAdvance *adv, VouchBranch *b, const AslValue *tables)
{
	Datum		args[5];

	vouch_id_make(&b->wait_id, VOUCH_ID_EVENT, adv->execution.bucket);
	b->has_wait_id = true;
	if (tables == NULL || tables->type != ASL_ARRAY)
		return;
	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = UUIDPGetDatum(&b->wait_id);
	args[3] = UUIDPGetDatum(&adv->execution.id);
	args[4] = CStringGetTextDatum(adv->execution.run_as);
	for (size_t i = 0; i < tables->u.array.n; i++)
	{
		char	   *name = tables->u.array.items[i]->type == ASL_STRING
			? watched_name(tables->u.array.items[i]->u.string.data) : NULL;

		if (name == NULL)
			continue;
		args[2] = CStringGetTextDatum(name);
		vouch_stmt_run(&insert_watch, args, NULL);
	}
}

static TimestampTz
next_look(VouchBranch *b, const AslValue *parameters, TimestampTz now, TimestampTz deadline)
{
	int64		delay = Max(now - b->entered_at, FIRST_DELAY_USECS);
	int64_t		every = EVERY_DEFAULT;
	const AslValue *v = asl_get(parameters, "Every");

	if (v == NULL || !asl_is_int(v, &every) || every < 1 || every > VOUCH_UNTIL_EVERY_MAX)
		every = EVERY_DEFAULT;
	delay = Min(delay, every * USECS_PER_SEC);
	return deadline != 0 ? Min(now + delay, deadline) : now + delay;
}

void
vouch_until_ask(VouchAdvance *adv, VouchBranch *b, const AslEntry *entry)
{
	const AslValue *parameters = entry->payload;
	const char *predicate = parameters->type == ASL_OBJECT ? text_of(parameters, "Predicate") : NULL;
	AslEntry	call = *entry;
	AslError	error = {NULL, NULL};
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz deadline;
	const AslValue *answer;

	if (b->resume == VOUCH_RESUME_RETRY)
		b->entered_at = now;	/* another attempt has a time of its own */
	deadline = entry->timeout_seconds > 0 ? b->entered_at + entry->timeout_seconds * USECS_PER_SEC : 0;
	if (predicate == NULL)
	{
		b->failure.error = "Vouch.BadParameters";
		b->failure.cause = "vouch:until needs the name of a function: \"Parameters\": {\"Predicate\": \"schema.function\"}";
		b->resume = VOUCH_RESUME_FAILURE;
		return;
	}
	if (!b->has_wait_id)
		watch(adv, b, asl_get(parameters, "Watch"));
	call.payload = asl_get(parameters, "Arguments") ? asl_get(parameters, "Arguments") : asl_object();
	answer = vouch_activity_run(adv, b, psprintf("sql:%s", predicate), &call, &error);
	if (error.error == NULL && (answer->type == ASL_NULL || (answer->type == ASL_BOOL && !answer->u.boolean)))
	{
		if (deadline == 0 || now < deadline)
		{
			b->wait_name = predicate;
			vouch_advance_park(adv, b, VOUCH_WAIT_UNTIL, next_look(b, parameters, now, deadline));
			return;
		}
		error = asl_timeout_error(false);
	}
	vouch_task_forget(adv, b);
	b->has_wait_id = false;
	b->result = answer;
	b->failure = error;
	b->resume = error.error != NULL ? VOUCH_RESUME_FAILURE : VOUCH_RESUME_RESULT;
}

void
vouch_until_again(VouchAdvance *adv, VouchBranch *b)
{
	vouch_advance_ready(adv, b, VOUCH_RESUME_TIMER);
	b->has_wait_id = true;		/* the watches stay */
}

/* ------------------------------------------------------------ who changes */

static List *changed = NIL;		/* names of tables; in TopTransactionContext */

/* Whoever waits for a change of a table is to look, once this is committed. */
static void
nudge_watchers(const char *relation)
{
	Datum		args[3];
	uint64		n;
	VouchWork  *works;
	char	  **roles;

	args[0] = CStringGetTextDatum(relation);
	n = vouch_stmt_run_latest(&find_watchers, args, NULL);
	works = palloc(sizeof(VouchWork) * Max(n, 1));
	roles = palloc(sizeof(char *) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		works[i].bucket = vouch_stmt_get_int32(i, 1, 0);
		works[i].execution_id = *DatumGetUUIDP(vouch_stmt_get(i, 2, NULL));
		roles[i] = vouch_stmt_get_text(i, 3);
	}
	for (uint64 i = 0; i < n; i++)
	{
		args[0] = Int32GetDatum(works[i].bucket);
		args[1] = UUIDPGetDatum(&works[i].execution_id);
		args[2] = TransactionIdGetDatum(GetCurrentTransactionId());
		if (vouch_stmt_run(&has_own_nudge, args, NULL) == 0)
			vouch_rows_nudge(works[i].bucket, &works[i].execution_id, roles[i]);
	}
}

/* Where deferred triggers have just been fired, so statements may be run. */
static void
at_xact_event(XactEvent event, void *arg)
{
	ListCell   *cell;

	if (changed == NIL)
		return;
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		/* without the extension (this is what drops it) nobody watches */
		if (OidIsValid(vouch_owner_find()))
		{
			SPI_connect();
			foreach(cell, changed)
				nudge_watchers(lfirst(cell));
			SPI_finish();
		}
		PopActiveSnapshot();
	}
	changed = NIL;
}

static bool
is_noted(const char *relation)
{
	ListCell   *cell;

	foreach(cell, changed)
		if (strcmp(lfirst(cell), relation) == 0)
			return true;
	return false;
}

/* vouch_data.table_changed(): the statement trigger of vouch.watch_table() */
Datum
vouch_sql_table_changed(PG_FUNCTION_ARGS)
{
	static bool callback_registered = false;
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	char	   *relation;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("vouch_data.table_changed() is a trigger function"),
				 errhint("Call vouch.watch_table().")));
	if (!callback_registered)
	{
		RegisterXactCallback(at_xact_event, NULL);
		callback_registered = true;
	}
	relation = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(trigger->tg_relation)),
										  RelationGetRelationName(trigger->tg_relation));
	if (!is_noted(relation))
	{
		MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

		changed = lappend(changed, pstrdup(relation));
		MemoryContextSwitchTo(old);
	}
	return PointerGetDatum(NULL);
}
