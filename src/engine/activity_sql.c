/*
 * activity_sql.c
 *	  sql: activities: a function of the database, called with JSON.
 *
 * The function is found once a session, and found again when some function
 * was changed.  It runs as the login role, which is the workflow's run_as;
 * nothing here switches users.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "asl/jsonb.h"
#include "asl/port.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/attempt.h"
#include "core/errors.h"
#include "core/id.h"
#include "engine/activity_sql.h"
#include "engine/advance.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/timeout.h"

#define RESOURCE_LEN 200
#define MAX_ARGS 32				/* as many as the bits of supplied */

typedef struct Argument
{
	const char *name;			/* "" when it has none */
	Oid			type;
	bool		by_text;		/* its input function takes the value; else jsonb_to_record does */
	Oid			input;
	Oid			ioparam;
} Argument;

/* A way of calling: which of the arguments are given. */
typedef struct Call
{
	uint32		supplied;
	SPIPlanPtr	plan;
	struct Call *next;
} Call;

typedef struct Function
{
	Oid			oid;
	char		kind;
	bool		retset;
	Oid			rettype;
	int			nargs;
	int			ndefaults;
	bool		variadic;
	bool		whole;			/* one argument that takes the whole input */
	Argument	args[MAX_ARGS];
	Call	   *calls;
	struct Function *next;		/* of the same name */
} Function;

typedef struct CacheEntry
{
	char		resource[RESOURCE_LEN];
	Function   *functions;		/* NULL: there is none */
} CacheEntry;

static HTAB *cache = NULL;
static MemoryContext cache_context = NULL;
static bool stale = false;

/*
 * A function may be changed while one of them is being called, by the very
 * activity, and looked up again by what that calls.  So what is outdated
 * stays until no call is under way.
 */
typedef struct Outdated
{
	HTAB	   *cache;
	MemoryContext context;
	struct Outdated *next;
} Outdated;

static Outdated *outdated = NULL;
static int	calls_under_way = 0;

static void
at_function_change(Datum arg, int cacheid, uint32 hashvalue)
{
	stale = true;
}

static void
destroy(HTAB *table, MemoryContext context)
{
	HASH_SEQ_STATUS seq;
	CacheEntry *entry;

	hash_seq_init(&seq, table);
	while ((entry = hash_seq_search(&seq)) != NULL)
		for (Function *f = entry->functions; f != NULL; f = f->next)
			for (Call *call = f->calls; call != NULL; call = call->next)
				SPI_freeplan(call->plan);
	hash_destroy(table);
	MemoryContextDelete(context);
}

static void
forget(void)
{
	if (calls_under_way > 0)
	{
		Outdated   *old = MemoryContextAlloc(cache_context, sizeof(Outdated));

		old->cache = cache;
		old->context = cache_context;
		old->next = outdated;
		outdated = old;
	}
	else
		destroy(cache, cache_context);
	cache = NULL;
}

static void
begin_call(void)
{
	while (calls_under_way == 0 && outdated != NULL)
	{
		Outdated	old = *outdated;	/* it lies in its own context */

		outdated = old.next;
		destroy(old.cache, old.context);
	}
	calls_under_way++;
}

/* "sql:schema.function" in its parts; false when it has another form. */
static bool
split_name(const char *resource, char **schema, char **name)
{
	const char *text = resource + strlen("sql:");
	const char *dot = strchr(text, '.');

	if (dot == NULL || dot == text || dot[1] == '\0' || strlen(resource) >= RESOURCE_LEN)
		return false;
	*schema = pnstrdup(text, dot - text);
	*name = pstrdup(dot + 1);
	return true;
}

static bool
takes_text(Oid type)
{
	Oid			base = getBaseType(type);
	char		kind = get_typtype(base);

	return kind != TYPTYPE_COMPOSITE && kind != TYPTYPE_PSEUDO && !OidIsValid(get_element_type(base));
}

/* NULL for what cannot be an activity: too many arguments. */
static Function *
describe(HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	Function   *f;
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			n = get_func_arg_info(tuple, &types, &names, &modes);

	if (form->pronargs > MAX_ARGS)
		return NULL;
	f = palloc0(sizeof(Function));
	f->oid = form->oid;
	f->kind = form->prokind;
	f->retset = form->proretset;
	f->rettype = form->prorettype;
	f->ndefaults = form->pronargdefaults;
	f->variadic = OidIsValid(form->provariadic);
	for (int i = 0; i < n; i++)
	{
		Argument   *a = &f->args[f->nargs];

		if (modes != NULL && (modes[i] == PROARGMODE_OUT || modes[i] == PROARGMODE_TABLE))
			continue;
		a->name = names != NULL && names[i] != NULL ? pstrdup(names[i]) : "";
		a->type = types[i];
		a->by_text = takes_text(a->type);
		if (a->by_text)
			getTypeInputInfo(a->type, &a->input, &a->ioparam);
		f->nargs++;
	}
	f->whole = f->nargs == 1 && !f->variadic &&
		(f->args[0].name[0] == '\0' || f->args[0].type == JSONBOID || f->args[0].type == JSONOID);
	return f;
}

static Function *
find_functions(const char *resource)
{
	CacheEntry *entry;
	bool		found;
	char	   *schema,
			   *name;
	Oid			namespace;

	if (!split_name(resource, &schema, &name))
		return NULL;
	if (cache != NULL && stale)
		forget();
	if (cache == NULL)
	{
		static bool callback_registered = false;
		HASHCTL		ctl;

		memset(&ctl, 0, sizeof(ctl));
		ctl.keysize = RESOURCE_LEN;
		ctl.entrysize = sizeof(CacheEntry);
		cache = hash_create("vouch activities", 64, &ctl, HASH_ELEM | HASH_STRINGS);
		cache_context = AllocSetContextCreate(TopMemoryContext, "vouch activities", ALLOCSET_DEFAULT_SIZES);
		if (!callback_registered)
		{
			CacheRegisterSyscacheCallback(PROCOID, at_function_change, (Datum) 0);
			CacheRegisterSyscacheCallback(NAMESPACEOID, at_function_change, (Datum) 0);
			CacheRegisterSyscacheCallback(TYPEOID, at_function_change, (Datum) 0);
			callback_registered = true;
		}
		stale = false;
	}
	entry = hash_search(cache, resource, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->functions;

	namespace = get_namespace_oid(schema, true);
	if (OidIsValid(namespace))
	{
		MemoryContext old = MemoryContextSwitchTo(cache_context);
		CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
		Function   *functions = NULL;

		for (int i = 0; i < list->n_members; i++)
		{
			HeapTuple	tuple = &list->members[i]->tuple;

			if (((Form_pg_proc) GETSTRUCT(tuple))->pronamespace == namespace)
			{
				Function   *f = describe(tuple);

				if (f != NULL)
				{
					Function  **at = &functions;

					while (*at != NULL && (*at)->oid < f->oid)
						at = &(*at)->next;
					f->next = *at;
					*at = f;
				}
			}
		}
		ReleaseSysCacheList(list);
		MemoryContextSwitchTo(old);
		if (functions != NULL)
		{
			entry = hash_search(cache, resource, HASH_ENTER, &found);
			entry->functions = functions;
		}
		return functions;
	}
	return NULL;
}

/* --------------------------------------------------------------- matching */

static int
find_argument(const Function *f, const char *name, size_t len)
{
	for (int i = 0; i < f->nargs; i++)
		if (strlen(f->args[i].name) == len && memcmp(f->args[i].name, name, len) == 0)
			return i;
	return -1;
}

static char *
signature(const Function *f)
{
	return format_procedure(f->oid);
}

/*
 * Which arguments the keys of an input supply; a sentence when they do not
 * fit.  Keys of a template may end in ".$".
 */
static const char *
match(const Function *f, const AslValue *input, bool template, uint32 *supplied)
{
	*supplied = 0;
	if (f->kind != PROKIND_FUNCTION)
		return psprintf("%s is no function.", signature(f));
	if (f->rettype == TRIGGEROID || f->rettype == EVENT_TRIGGEROID)
		return psprintf("%s is a trigger function.", signature(f));
	if (f->whole)
	{
		*supplied = 1;
		return NULL;
	}
	if (input->type == ASL_OBJECT)
		for (size_t i = 0; i < input->u.object.n; i++)
		{
			const AslValue *key = input->u.object.members[i].key;
			size_t		len = key->u.string.len;
			int			no;

			if (template && len > 2 && strcmp(key->u.string.data + len - 2, ".$") == 0)
				len -= 2;
			no = find_argument(f, key->u.string.data, len);
			if (no < 0)
				return psprintf("%s has no argument \"%.*s\".", signature(f), (int) len, key->u.string.data);
			*supplied |= (uint32) 1 << no;
		}
	else if (input->type != ASL_NULL || f->nargs > 0)
		return psprintf("%s takes its arguments by name, from an object.", signature(f));
	for (int i = 0; i < f->nargs - f->ndefaults; i++)
		if ((*supplied & ((uint32) 1 << i)) == 0 && !(f->variadic && i == f->nargs - 1))
			return f->args[i].name[0] == '\0'
				? psprintf("%s has arguments without a name, which cannot be given.", signature(f))
				: psprintf("%s needs argument \"%s\".", signature(f), f->args[i].name);
	return NULL;
}

/* The one function that the input fits, or a sentence why there is none. */
static Function *
choose(const char *resource, Function *functions, const AslValue *input, bool template,
	   uint32 *supplied, const char **problem)
{
	Function   *chosen = NULL;
	uint32		bits = 0;

	*problem = NULL;
	for (Function *f = functions; f != NULL; f = f->next)
	{
		const char *why = match(f, input, template, &bits);

		if (why != NULL)
		{
			if (*problem == NULL)
				*problem = why;
		}
		else if (chosen != NULL)
		{
			*problem = psprintf("\"%s\" is ambiguous: both %s and %s take this input.", resource + 4,
								signature(chosen), signature(f));
			return NULL;
		}
		else
		{
			chosen = f;
			*supplied = bits;
		}
	}
	if (chosen != NULL)
		*problem = NULL;
	return chosen;
}

const char *
vouch_activity_check(const char *resource, const AslValue *parameters, Oid run_as, const char **code)
{
	char	   *schema,
			   *name;
	Oid			namespace;
	Function   *functions;
	Function   *chosen;
	const char *problem = NULL;
	uint32		supplied;

	*code = "BAD_RESOURCE";
	if (!split_name(resource, &schema, &name))
		return psprintf("Resource \"%s\" does not have the form sql:schema.function.", resource);
	*code = "UNKNOWN_FUNCTION";
	namespace = get_namespace_oid(schema, true);
	if (!OidIsValid(namespace))
		return psprintf("Schema \"%s\" does not exist.", schema);
	functions = find_functions(resource);
	if (functions == NULL)
		return psprintf("Function \"%s.%s\" does not exist.", schema, name);
	if (parameters != NULL && parameters->type == ASL_OBJECT)
	{
		*code = "BAD_ARGUMENTS";
		chosen = choose(resource, functions, parameters, true, &supplied, &problem);
		if (chosen == NULL)
			return problem;
	}
	else
		chosen = functions;
	if (OidIsValid(run_as))
	{
		*code = "NO_PRIVILEGE";
		if (!DatumGetBool(DirectFunctionCall3(has_schema_privilege_id_id, ObjectIdGetDatum(run_as),
											  ObjectIdGetDatum(namespace), CStringGetTextDatum("USAGE"))))
			return psprintf("Role \"%s\" has no USAGE on schema \"%s\".",
							GetUserNameFromId(run_as, false), schema);
		if (!DatumGetBool(DirectFunctionCall3(has_function_privilege_id_id, ObjectIdGetDatum(run_as),
											  ObjectIdGetDatum(chosen->oid), CStringGetTextDatum("EXECUTE"))))
			return psprintf("Role \"%s\" may not EXECUTE %s.", GetUserNameFromId(run_as, false),
							signature(chosen));
	}
	*code = NULL;
	return NULL;
}

/* ---------------------------------------------------------------- calling */

static Call *
prepare(const char *resource, Function *f, uint32 supplied)
{
	StringInfoData arguments,
				text;
	Oid			types[MAX_ARGS];
	int			n = 0;
	char	   *schema,
			   *name,
			   *call;
	Call	   *result;

	for (result = f->calls; result != NULL; result = result->next)
		if (result->supplied == supplied)
			return result;

	(void) split_name(resource, &schema, &name);
	initStringInfo(&arguments);
	for (int i = 0; i < f->nargs; i++)
	{
		Argument   *a = &f->args[i];

		if ((supplied & ((uint32) 1 << i)) == 0)
			continue;
		if (n > 0)
			appendStringInfoString(&arguments, ", ");
		if (f->variadic && i == f->nargs - 1)
			appendStringInfoString(&arguments, "VARIADIC ");
		if (!f->whole)
			appendStringInfo(&arguments, "%s => ", quote_identifier(a->name));
		types[n++] = a->by_text ? a->type : JSONBOID;
		if (a->by_text)
			appendStringInfo(&arguments, "$%d", n);
		else
			appendStringInfo(&arguments, "(SELECT v FROM pg_catalog.jsonb_to_record($%d) AS r(v %s))",
							 n, format_type_extended(a->type, -1, FORMAT_TYPE_FORCE_QUALIFY));
	}
	call = psprintf("%s.%s(%s)", pstrdup(quote_identifier(schema)), pstrdup(quote_identifier(name)), arguments.data);
	initStringInfo(&text);
	if (f->retset)
		appendStringInfo(&text, "SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(vouch_row_)),"
						 " '[]'::pg_catalog.jsonb) FROM %s AS vouch_row_", call);
	else if (f->rettype == JSONBOID || f->rettype == VOIDOID)
		appendStringInfo(&text, "SELECT %s", call);
	else
		appendStringInfo(&text, "SELECT pg_catalog.to_jsonb(%s)", call);

	result = MemoryContextAllocZero(GetMemoryChunkContext(f), sizeof(Call));
	result->supplied = supplied;
	result->plan = SPI_prepare(text.data, n, types);
	if (result->plan == NULL || SPI_keepplan(result->plan) != 0)
		elog(ERROR, "could not prepare \"%s\": %s", text.data, SPI_result_code_string(SPI_result));
	result->next = f->calls;
	f->calls = result;
	return result;
}

static char *
value_text(const AslValue *v)
{
	switch (v->type)
	{
		case ASL_STRING:
			return (char *) v->u.string.data;
		case ASL_NUMBER:
			return (char *) v->u.number.text;
		case ASL_BOOL:
			return v->u.boolean ? "true" : "false";
		default:
			return asl_print(v);
	}
}

static Datum
convert(const Argument *a, const AslValue *v)
{
	if (a->type == JSONBOID)
		return JsonbPGetDatum(asl_to_jsonb(v));
	if (a->type == JSONOID)
		return CStringGetTextDatum(asl_print(v));
	if (!a->by_text)
		return JsonbPGetDatum(asl_to_jsonb(asl_object_put(asl_object(), "v", v)));
	return OidInputFunctionCall(a->input, value_text(v), a->ioparam, -1);
}

/* Finds the function, converts the arguments, calls it, and takes the result. */
static const AslValue *
find_and_call(VouchAdvance *adv, const char *resource, const AslValue *input)
{
	MemoryContext own = CurrentMemoryContext;
	Function   *functions = find_functions(resource);
	Function   *f;
	Call	   *call;
	uint32		supplied;
	const char *problem;
	Datum		values[MAX_ARGS];
	char		nulls[MAX_ARGS];
	int			n = 0;
	int			rc;
	const AslValue *result = asl_null();

	if (functions == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ACTIVITY),
				 errmsg("activity \"%s\" does not exist", resource),
				 errhint("Create the function, or define a new revision of the workflow.")));
	f = choose(resource, functions, input, false, &supplied, &problem);
	if (f == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ACTIVITY),
				 errmsg("activity \"%s\" cannot be called with this input", resource),
				 errdetail("%s", problem),
				 errhint("Give exactly the arguments of the function in the state's Parameters.")));
	call = prepare(resource, f, supplied);
	for (int i = 0; i < f->nargs; i++)
	{
		Argument   *a = &f->args[i];
		const AslValue *v = f->whole ? input : asl_get(input, a->name);

		if ((supplied & ((uint32) 1 << i)) == 0)
			continue;
		nulls[n] = v->type == ASL_NULL && !(f->whole && (a->type == JSONBOID || a->type == JSONOID)) ? 'n' : ' ';
		values[n] = nulls[n] == 'n' ? (Datum) 0 : convert(a, v);
		n++;
	}
	rc = SPI_execute_plan(call->plan, values, nulls, false, 0);
	if (rc != SPI_OK_SELECT)
		elog(ERROR, "activity \"%s\" returned %s", resource, SPI_result_code_string(rc));
	MemoryContextSwitchTo(own);
	if (SPI_processed > 0 && f->rettype != VOIDOID)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull)
		{
			Jsonb	   *returned = DatumGetJsonbPCopy(value);

			/* the name of the error as vouch.fail() passes it */
			if (asl_jsonb_too_deep(returned))
				ereport(ERROR,
						(errcode(VOUCH_ERR_RAISED),
						 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "States.DataLimitExceeded"),
						 errmsg("States.DataLimitExceeded: the result of \"%s\" is nested more than %d deep",
								resource, ASL_MAX_DEPTH - 1),
						 errhint("Return less, or a key of what is kept in a table.")));
			result = asl_from_jsonb(returned);
		}
	}
	SPI_freetuptable(SPI_tuptable);
	return result;
}

/* The settings that it changes are its own: they end with it. */
static const AslValue *
call_function(VouchAdvance *adv, const char *resource, const AslValue *input)
{
	const AslValue *volatile result = NULL;
	int			settings = NewGUCNestLevel();

	begin_call();
	PG_TRY();
	{
		result = find_and_call(adv, resource, input);
		AtEOXact_GUC(false, settings);	/* after an error the abort does that */
	}
	PG_FINALLY();
	{
		calls_under_way--;
	}
	PG_END_TRY();
	return result;
}

/* The same with a time limit; the timer does not outlive the call, whatever becomes of that. */
static const AslValue *
call_timed(VouchAdvance *adv, const char *resource, const AslEntry *entry)
{
	const AslValue *volatile result = NULL;

	enable_timeout_after(STATEMENT_TIMEOUT, (int) Min(entry->timeout_seconds * 1000, PG_INT32_MAX));
	PG_TRY();
	{
		result = call_function(adv, resource, entry->payload);
	}
	PG_FINALLY();
	{
		disable_timeout(STATEMENT_TIMEOUT, false);
	}
	PG_END_TRY();
	return result;
}

/* The error of the workflow that an error of the server is. */
static void
translate_error(ErrorData *edata, AslError *error)
{
	error->cause = edata->message ? edata->message : "";
	if (edata->sqlerrcode == VOUCH_ERR_RAISED && edata->constraint_name != NULL)
	{
		size_t		len = strlen(edata->constraint_name);

		/* vouch.fail() writes "error: cause" */
		error->error = edata->constraint_name;
		if (strncmp(error->cause, error->error, len) == 0 && strncmp(error->cause + len, ": ", 2) == 0)
			error->cause += len + 2;
	}
	else
		error->error = psprintf("SQL.%s", unpack_sql_state(edata->sqlerrcode));
}

/*
 * Not the activity's failure: somebody stops the session or the server.  A
 * statement that was canceled is one, too, unless our own timer did it.
 */
static bool
is_intervention(const ErrorData *edata)
{
	return ERRCODE_TO_CATEGORY(edata->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION;
}

static void
check_role(VouchAdvance *adv)
{
	Oid			run_as = get_role_oid(adv->execution.run_as, true);

	if (GetSessionUserId() != run_as)
		ereport(ERROR,
				(errcode(VOUCH_ERR_RUN_AS),
				 errmsg("activities of workflow \"%s\" run as role \"%s\"", adv->execution.workflow_id,
						adv->execution.run_as),
				 errdetail("This session logged in as \"%s\".", GetUserNameFromId(GetSessionUserId(), false)),
				 errhint("Log in as \"%s\".", adv->execution.run_as)));
	if (GetUserId() != run_as)
		ereport(ERROR,
				(errcode(VOUCH_ERR_RUN_AS),
				 errmsg("activities run as the login role itself"),
				 errdetail("The current user is \"%s\", the session's \"%s\".",
						   GetUserNameFromId(GetUserId(), false), adv->execution.run_as),
				 errhint("RESET ROLE, and do not call from within a SECURITY DEFINER function.")));
}

static void
tell_duration(const char *resource, TimestampTz begun)
{
	if (vouch_engine_ran_hook != NULL)
		vouch_engine_ran_hook(resource, (GetCurrentTimestamp() - begun) / 1000.0);
}

/* A call of an activity, in the name of somebody. */
typedef struct Run
{
	VouchAdvance *adv;
	const char *resource;
	const AslEntry *entry;
	bool		timed;
	TimestampTz begun;
	VouchActing acting;
	const AslValue *result;
} Run;

static bool
run(void *arg)
{
	Run		   *r = arg;

	vouch_actor_push(&r->acting);
	r->result = r->timed ? call_timed(r->adv, r->resource, r->entry) :
		call_function(r->adv, r->resource, r->entry->payload);
	vouch_actor_pop(&r->acting);
	return true;
}

/*
 * Runs a sql: activity for a state.  Its result; or NULL, and *error set, in
 * VOUCH_ADVANCE_CAREFUL.  In VOUCH_ADVANCE_OPTIMISTIC errors are raised.
 */
const AslValue *
vouch_activity_run(VouchAdvance *adv, VouchBranch *b, const char *resource, const AslEntry *entry,
				   AslError *error)
{
	Run			r = {adv, resource, entry, entry->timeout_seconds > 0 && MyBackendType == B_BG_WORKER, GetCurrentTimestamp()};
	ErrorData  *edata;

	check_role(adv);
	if (adv->crash != NULL)
	{
		error->error = adv->crash_error;
		error->cause = adv->crash;
		adv->crash = NULL;
		return NULL;
	}
	r.acting.actor = b->actor;
	r.acting.starter = adv->execution.starter;
	r.acting.workflow_id = adv->execution.workflow_id;
	r.acting.execution_id = vouch_id_text(&adv->execution.id);
	r.acting.activity = b->state->name;
	r.acting.attempt = b->attempt + 1;

	if (adv->mode == VOUCH_ADVANCE_OPTIMISTIC)
		(void) run(&r);
	else if ((edata = vouch_attempt(run, &r)) != NULL)
	{
		bool		ours = r.timed && edata->sqlerrcode == ERRCODE_QUERY_CANCELED &&
			GetCurrentTimestamp() - r.begun >= entry->timeout_seconds * USECS_PER_SEC;

		if (is_intervention(edata) && !ours)
			ReThrowError(edata);
		if (ours)
			*error = asl_timeout_error(false);
		else
			translate_error(edata, error);
		return NULL;
	}
	tell_duration(resource, r.begun);
	return r.result;
}
