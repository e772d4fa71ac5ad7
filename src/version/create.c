/*
 * create.c
 *	  New versions with items of their own.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "version/store.h"
#include "version/version.h"

#define CLIPPED 80				/* bytes of a caller's text in a message */

VOUCH_FUNCTION(vouch_sql_create_version);
VOUCH_FUNCTION(vouch_sql_create_version_from);
VOUCH_FUNCTION(vouch_sql_ensure_artifact);
VOUCH_FUNCTION(vouch_sql_subject_key);

static char *
text_arg(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* The start of what a caller gave, for a message. */
static const char *
clipped(const char *given)
{
	int			len = strlen(given);

	if (len <= CLIPPED)
		return given;
	return psprintf("%.*s...", pg_mbcliplen(given, len, CLIPPED), given);
}

/* What an artifact's numbers are: as given, or as its subject's name says. */
typedef struct Numbers
{
	int64		cycle_id;
	int64		report_id;
	bool		has_cycle;
	bool		has_report;
} Numbers;

#define CYCLE(n) ((n)->has_cycle ? &(n)->cycle_id : NULL)
#define REPORT(n) ((n)->has_report ? &(n)->report_id : NULL)

/* Those that are given as two arguments, the first at this position. */
static Numbers
numbers_arg(FunctionCallInfo fcinfo, int n)
{
	Numbers		numbers = {0};

	numbers.has_cycle = !PG_ARGISNULL(n);
	numbers.has_report = !PG_ARGISNULL(n + 1);
	if (numbers.has_cycle)
		numbers.cycle_id = PG_GETARG_INT64(n);
	if (numbers.has_report)
		numbers.report_id = PG_GETARG_INT64(n + 1);
	return numbers;
}

/* The name of what has no other one. */
static char *
subject_named(long long cycle, long long report)
{
	return psprintf("cycle-%lld-report-%lld", cycle, report);
}

/* The subject's key: given, and then numbers that are not are those of its name; or made of cycle and report. */
static char *
subject_of(const char *subject, Numbers *numbers)
{
	long long	cycle,
				report;
	int			end = 0;

	if (subject == NULL)
	{
		if (!numbers->has_cycle || !numbers->has_report)
			ereport(ERROR,
					(errcode(VOUCH_ERR_ARGUMENT),
					 errmsg("neither a subject nor a cycle and a report are given"),
					 errdetail("All work belongs to a subject; that of cycle 7 of report 3 is cycle-7-report-3."),
					 errhint("Pass cycle_id and report_id, or subject.")));
		return subject_named(numbers->cycle_id, numbers->report_id);
	}
	if (subject[0] == '\0' || strlen(subject) > 500 || strchr(subject, '/') != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("\"%s\" cannot be a subject", clipped(subject)),
				 errdetail("A subject is a text of 1 to 500 bytes without a slash, which separates it from the names of children in a workflow_id."),
				 errhint("Leave subject out to have it made of cycle_id and report_id.")));
	if (subject[0] == '@')
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("\"%s\" cannot be a subject", clipped(subject)),
				 errdetail("Subjects that begin with \"@\" are reserved: the log of roles, policies and delegations is that of @configuration."),
				 errhint("Begin its name with something else, or leave subject out to have it made of cycle_id and report_id.")));
	if (sscanf(subject, "cycle-%lld-report-%lld%n", &cycle, &report, &end) != 2 || subject[end] != '\0')
		return pstrdup(subject);
	/* the numbers are in every leaf of the artifact: they cannot be those of another cycle, or missing */
	if ((numbers->has_cycle && numbers->cycle_id != cycle) || (numbers->has_report && numbers->report_id != report))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("subject \"%s\" is that of another cycle or report", subject),
				 errdetail("Its name says cycle %lld and report %lld.", cycle, report),
				 errhint("Leave subject out to have it made of cycle_id and report_id.")));
	if (strcmp(subject, subject_named(cycle, report)) == 0)
	{
		numbers->cycle_id = cycle;
		numbers->report_id = report;
		numbers->has_cycle = numbers->has_report = true;
	}
	return pstrdup(subject);
}

static void
check_scope(const char *scope)
{
	if (strlen(scope) > 500)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("a scope cannot be longer than 500 bytes"),
				 errdetail("This one has %zu: \"%s\".", strlen(scope), clipped(scope)),
				 errhint("Pass the key of a line of business.")));
}

/* What both ways to make a version are given. */
typedef struct Making
{
	const char *operation;
	const char *actor;
	const char *subject;
	const char *scope;
	Numbers		numbers;
	const pg_uuid_t *parent;	/* or NULL */
	Jsonb	   *metadata;		/* or NULL */
} Making;

/* Checks that the parent is a version of the artifact, and returns its number. */
static int
parent_number(const Making *making, int bucket, int artifact_no)
{
	VouchVersion *parent = vouch_version_read(making->parent);

	if (parent->bucket != bucket || parent->artifact_no != artifact_no)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("the parent version belongs to something else"),
				 errdetail("It is version %d of %s \"%s\"%s%s.", parent->version_no,
						   parent->phase_label, parent->subject,
						   parent->scope[0] ? ", scope " : "", parent->scope),
				 errhint("Pass a version of the same phase, subject and scope, or leave parent_version_id out.")));
	return parent->version_no;
}

/* Makes the version; everything that can be checked before the lock has been. */
static pg_uuid_t *
make_version(const Making *making, const VouchPhase *phase, VouchItems *items)
{
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));
	int			bucket = vouch_id_bucket(making->subject, strlen(making->subject));
	int			artifact_no,
				head_no;
	VouchNewVersion what = {0};
	VouchVersion *version;
	VouchChange change;
	VouchOperation op = {0};
	VouchDigest root;
	VouchFound *found = NULL;

	SPI_connect();
	artifact_no = vouch_store_artifact(bucket, making->subject, phase->key, making->scope,
									   CYCLE(&making->numbers), REPORT(&making->numbers));
	head_no = vouch_ledger_lock(bucket, artifact_no, true, NULL);
	vouch_store_check_none_open(bucket, artifact_no, "create a version");

	what.parent_no = making->parent != NULL ? parent_number(making, bucket, artifact_no) : head_no;
	what.metadata = making->metadata;
	what.actor = making->actor;
	what.at = GetCurrentTimestamp();
	version = vouch_store_version(bucket, artifact_no, &what);
	vouch_change_begin(&change, version);
	change.at = what.at;
	if (version->last_item_no > 0)
	{
		/* its items replace all: the rows of the version before end here */
		VouchChange before = change;

		vouch_store_close_all(&before);
		change.ended = before.ended;
		found = vouch_store_find(version, 1, items->keys, items->n);
	}
	vouch_store_insert(&change, items, found);
	vouch_change_maker(&change, making->actor, 0);
	vouch_change_finish(&change);

	op.bucket = bucket;
	op.artifact_no = artifact_no;
	op.version_no = version->version_no;
	op.operation = making->operation;
	op.rule = vouch_fsm_find(&vouch_version_machine, "", "create")->rule;
	op.actor = making->actor;
	op.items = items->n;
	vouch_items_root(items, &root);
	op.items_root = &root;
	op.at = what.at;
	if (what.parent_no > 0 || JB_ROOT_COUNT(version->metadata) > 0)
	{
		VouchJsonBuild build;

		vouch_json_begin(&build);
		if (what.parent_no > 0)
			vouch_json_put_int(&build, "parent", what.parent_no);
		if (JB_ROOT_COUNT(version->metadata) > 0)
			vouch_json_put(&build, "metadata", version->metadata);
		op.detail = vouch_json_end(&build);
	}
	vouch_ledger_append(&op);
	*result = version->id;
	SPI_finish();
	return result;
}

static void
check_metadata(Jsonb *metadata)
{
	if (metadata != NULL && !vouch_json_is_object(metadata))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("metadata must be a JSON object"),
				 errdetail("It is %s: %s.", JB_ROOT_IS_SCALAR(metadata) ? "a single value" : "an array",
						   clipped(vouch_json_to_text(metadata))),
				 errhint("Pass something like '{\"selection_criteria\": \"random\"}'.")));
}

/* Arguments at these positions: phase, cycle_id, report_id, …, scope, parent, metadata, subject, user_id */
static VouchPhase *
read_making(FunctionCallInfo fcinfo, Making *making, int scope, int parent,
			int metadata, int subject, int user_id)
{
	VouchPhase *phase;
	char	   *name = text_arg(fcinfo, 0);

	if (name == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("phase must not be null"),
				 errdetail("A version is one of a phase, which says what its items look like."),
				 errhint("Pass the key or the label of a phase, such as 'Scoping'.")));
	phase = vouch_phase_read_versioned(name);
	making->actor = vouch_actor_check(text_arg(fcinfo, user_id), "user_id");
	making->numbers = numbers_arg(fcinfo, 1);
	making->subject = subject_of(text_arg(fcinfo, subject), &making->numbers);
	making->scope = PG_ARGISNULL(scope) ? "" : text_arg(fcinfo, scope);
	check_scope(making->scope);
	making->parent = PG_ARGISNULL(parent) ? NULL : PG_GETARG_UUID_P(parent);
	making->metadata = PG_ARGISNULL(metadata) ? NULL : PG_GETARG_JSONB_P(metadata);
	check_metadata(making->metadata);
	return phase;
}

/*
 * vouch.create_version(phase, cycle_id, report_id, items, scope,
 * parent_version_id, metadata, subject, user_id)
 */
Datum
vouch_sql_create_version(PG_FUNCTION_ARGS)
{
	Making		making = {"create_version"};
	VouchPhase *phase = read_making(fcinfo, &making, 4, 5, 6, 7, 8);
	VouchItems *items = vouch_items_parse(phase, PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3),
										  making.actor, "items");

	PG_RETURN_UUID_P(make_version(&making, phase, items));
}

/* Rows of the caller's query on their way to be items. */
typedef struct QueryState
{
	VouchItems *items;
	int			key;			/* columns, from 1 */
	int			payload;
	int			source;			/* 0: none */
} QueryState;

static void
need_column(TupleDesc desc, const char *name, Oid type, bool required, int *column)
{
	*column = 0;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (strcmp(NameStr(att->attname), name) != 0)
			continue;
		if (getBaseType(att->atttypid) != type &&
			!(type == TEXTOID && getBaseType(att->atttypid) == VARCHAROID))
			ereport(ERROR,
					(errcode(VOUCH_ERR_ARGUMENT),
					 errmsg("column \"%s\" of the query has type %s instead of %s", name,
							format_type_be(att->atttypid), format_type_be(type)),
					 errhint("Cast it: ...::%s AS %s.", format_type_be(type), name)));
		*column = i + 1;
	}
	if (*column == 0 && required)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("the query has no column \"%s\"", name),
				 errdetail("It must return item_key text, payload jsonb and, if it likes, source text."),
				 errhint("Name its columns: SELECT ... AS item_key, ... AS payload FROM ...")));
}

static void
add_row(QueryState *state, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value;
	text	   *key,
			   *source = NULL;

	value = heap_getattr(tuple, state->key, desc, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(VOUCH_ERR_BAD_ITEM),
				 errmsg("row %d of the query: item_key is null", state->items->n),
				 errdetail("Rows count from 0."),
				 errhint("Every item needs a key of its own; nothing was written.")));
	key = DatumGetTextPCopy(value);
	value = heap_getattr(tuple, state->payload, desc, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(VOUCH_ERR_BAD_ITEM),
				 errmsg("row %d of the query (\"%s\"): payload is null", state->items->n,
						text_to_cstring(key)),
				 errdetail("Rows count from 0."),
				 errhint("Pass '{}' where there is nothing to say, if the phase allows it; nothing was written.")));
	if (state->source != 0)
	{
		Datum		from = heap_getattr(tuple, state->source, desc, &isnull);

		if (!isnull)
			source = DatumGetTextPCopy(from);
	}
	vouch_items_add(state->items, key, DatumGetJsonbPCopy(value), source);
}

/*
 * vouch.create_version_from(phase, cycle_id, report_id, query, scope,
 * metadata, parent_version_id, subject, user_id).  The query is the caller's,
 * and runs as the caller, before anything is locked.
 */
Datum
vouch_sql_create_version_from(PG_FUNCTION_ARGS)
{
	Making		making = {"create_version_from"};
	VouchPhase *phase = read_making(fcinfo, &making, 4, 6, 5, 7, 8);
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	char	   *query = text_arg(fcinfo, 3);
	QueryState	state = {0};
	SPIPlanPtr	plan;
	Portal		portal;

	if (query == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("query must not be null"),
				 errhint("Pass a query that returns item_key text and payload jsonb.")));
	state.items = vouch_items_begin(phase, making.actor);

	SPI_connect();
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL || !SPI_is_cursor_plan(plan))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("the query does not return rows"),
				 errhint("Pass one SELECT that returns item_key text and payload jsonb.")));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	need_column(portal->tupDesc, "item_key", TEXTOID, true, &state.key);
	need_column(portal->tupDesc, "payload", JSONBOID, true, &state.payload);
	need_column(portal->tupDesc, "source", TEXTOID, false, &state.source);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, 1000);
		if (SPI_processed == 0)
			break;
		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(caller);
		for (uint64 i = 0; i < SPI_processed; i++)
			add_row(&state, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		MemoryContextSwitchTo(old);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_finish();

	PG_RETURN_UUID_P(make_version(&making, phase, state.items));
}

/*
 * vouch_data.ensure_artifact(subject, phase, scope, cycle_id, report_id): for
 * the audit-only phases, and for what is in no phase: no key begins with @
 */
Datum
vouch_sql_ensure_artifact(PG_FUNCTION_ARGS)
{
	Numbers		numbers = numbers_arg(fcinfo, 3);
	char	   *phase = text_arg(fcinfo, 1);
	char	   *subject = text_arg(fcinfo, 0);
	char	   *scope = PG_ARGISNULL(2) ? "" : text_arg(fcinfo, 2);
	int			artifact_no;

	if (phase == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("phase must not be null"),
				 errhint("Pass the key or the label of a phase.")));
	/* what is in no phase has the subjects that nobody can give */
	if (phase[0] != '@')
		subject = subject_of(subject, &numbers);
	check_scope(scope);
	SPI_connect();
	artifact_no = vouch_store_artifact(vouch_id_bucket(subject, strlen(subject)), subject,
									   phase[0] == '@' ? phase : vouch_phase_key(phase), scope,
									   CYCLE(&numbers), REPORT(&numbers));
	SPI_finish();
	PG_RETURN_INT32(artifact_no);
}

/* vouch_data.subject_key(subject, cycle_id, report_id) */
Datum
vouch_sql_subject_key(PG_FUNCTION_ARGS)
{
	Numbers		numbers = numbers_arg(fcinfo, 1);

	PG_RETURN_TEXT_P(cstring_to_text(subject_of(text_arg(fcinfo, 0), &numbers)));
}
