/*
 * activity_sql.c
 *	  sql: activities: a function of the database, called with JSON.
 *
 * The function runs as the login role, which is the workflow's run_as; nothing
 * here switches users.
 */
#include "postgres.h"

#include "asl/jsonb.h"
#include "asl/port.h"
#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/attempt.h"
#include "core/errors.h"
#include "core/id.h"
#include "engine/activity_function.h"
#include "engine/advance.h"
#include "engine/fail.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

/* ---------------------------------------------------------------- calling */

static VouchCall *
prepare(const char *resource, VouchFunction *f, uint32 supplied)
{
	StringInfoData arguments,
				text;
	Oid			types[VOUCH_MAX_ARGS];
	int			n = 0;
	char	   *schema,
			   *name,
			   *call;
	VouchCall	   *result;

	for (result = f->calls; result != NULL; result = result->next)
		if (result->supplied == supplied)
			return result;

	(void) vouch_function_split(resource, &schema, &name);
	initStringInfo(&arguments);
	for (int i = 0; i < f->nargs; i++)
	{
		VouchArgument   *a = &f->args[i];

		if ((supplied & ((uint32) 1 << i)) == 0)
			continue;
		if (n > 0)
			appendStringInfoString(&arguments, ", ");
		if (f->variadic && i == f->nargs - 1)
			appendStringInfoString(&arguments, "VARIADIC ");
		if (!f->whole)
			appendStringInfo(&arguments, "%s => ", quote_identifier(a->name));
		types[n++] = a->type;
		appendStringInfo(&arguments, "$%d", n);
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

	result = MemoryContextAllocZero(GetMemoryChunkContext(f), sizeof(VouchCall));
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

/* An array or a row, of which the server makes more than its input function takes. */
static Datum
convert_nested(VouchArgument *a, const AslValue *v, bool *isnull)
{
	Datum		value = JsonbPGetDatum(asl_to_jsonb(asl_object_put(asl_object(), "v", v)));
	MemoryContext own = CurrentMemoryContext;

	if (a->convert == NULL)
	{
		Oid			types[1] = {JSONBOID};
		char	   *text = psprintf("SELECT v FROM pg_catalog.jsonb_to_record($1) AS r(v %s)",
									format_type_extended(a->type, -1, FORMAT_TYPE_FORCE_QUALIFY));
		SPIPlanPtr	plan = SPI_prepare(text, 1, types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare \"%s\": %s", text, SPI_result_code_string(SPI_result));
		a->convert = plan;
	}
	if (SPI_execute_plan(a->convert, &value, NULL, false, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "jsonb_to_record() returned no row");
	MemoryContextSwitchTo(own);
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
	if (!*isnull)
		value = datumCopy(value, false, -1);	/* arrays and rows are all of variable length */
	SPI_freetuptable(SPI_tuptable);
	return value;
}

static Datum
convert(VouchArgument *a, const AslValue *v, bool *isnull)
{
	*isnull = false;
	if (a->type == JSONBOID)
		return JsonbPGetDatum(asl_to_jsonb(v));
	if (a->type == JSONOID)
		return CStringGetTextDatum(asl_print(v));
	if (!a->by_text)
		return convert_nested(a, v, isnull);
	return OidInputFunctionCall(a->input, value_text(v), a->ioparam, -1);
}

/* Is it the value that an error of its conversion is about? */
static bool
is_about_value(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:	/* of a domain */
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:	/* there is no such regclass */
		case ERRCODE_FEATURE_NOT_SUPPORTED:
			return true;
	}
	return false;
}

/* Converts the arguments that are supplied; an error names the argument. */
static void
convert_arguments(const char *resource, VouchFunction *f, uint32 supplied, const AslValue *input, Datum *values,
				  char *nulls)
{
	MemoryContext own = CurrentMemoryContext;
	volatile int at = 0;

	PG_TRY();
	{
		int			n = 0;

		for (int i = 0; i < f->nargs; i++)
		{
			VouchArgument   *a = &f->args[i];
			const AslValue *v = f->whole ? input : asl_get(input, a->name);
			bool		isnull = true;

			if ((supplied & ((uint32) 1 << i)) == 0)
				continue;
			at = i;
			values[n] = (Datum) 0;
			if (v->type != ASL_NULL || (f->whole && (a->type == JSONBOID || a->type == JSONOID)))
				values[n] = convert(a, v, &isnull);
			nulls[n++] = isnull ? 'n' : ' ';
		}
	}
	PG_CATCH();
	{
		ErrorData  *edata;
		const char *name = f->args[at].name;

		MemoryContextSwitchTo(own);
		edata = CopyErrorData();
		if (!is_about_value(edata->sqlerrcode))
			PG_RE_THROW();
		FlushErrorState();
		ereport(ERROR,
				(errcode(VOUCH_ERR_ACTIVITY),
				 errmsg("activity \"%s\" cannot be called with this input", resource),
				 errdetail("%s of %s is no %s: %s",
						   name[0] == '\0' ? "The argument" : psprintf("Argument \"%s\"", name), vouch_function_signature(f),
						   format_type_be(f->args[at].type), edata->message),
				 errhint("Give exactly the arguments of the function in the state's Parameters.")));
	}
	PG_END_TRY();
}

/* Finds the function, converts the arguments, calls it, and takes the result. */
static const AslValue *
find_and_call(VouchAdvance *adv, const char *resource, const AslValue *input)
{
	MemoryContext own = CurrentMemoryContext;
	VouchFunction   *functions = vouch_function_find(resource);
	VouchFunction   *f;
	VouchCall	   *call;
	uint32		supplied;
	const char *problem;
	Datum		values[VOUCH_MAX_ARGS];
	char		nulls[VOUCH_MAX_ARGS];
	int			rc;
	const AslValue *result = asl_null();

	if (functions == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ACTIVITY),
				 errmsg("activity \"%s\" does not exist", resource),
				 errhint("Create the function, or define a new revision of the workflow.")));
	f = vouch_function_choose(resource, functions, input, false, &supplied, &problem);
	if (f == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ACTIVITY),
				 errmsg("activity \"%s\" cannot be called with this input", resource),
				 errdetail("%s", problem),
				 errhint("Give exactly the arguments of the function in the state's Parameters.")));
	call = prepare(resource, f, supplied);
	convert_arguments(resource, f, supplied, input, values, nulls);
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

	vouch_function_begin();
	PG_TRY();
	{
		result = find_and_call(adv, resource, input);
		AtEOXact_GUC(false, settings);	/* after an error the abort does that */
	}
	PG_FINALLY();
	{
		vouch_function_end();
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
			vouch_fail_translate(edata, error);
		return NULL;
	}
	tell_duration(resource, r.begun);
	return r.result;
}
