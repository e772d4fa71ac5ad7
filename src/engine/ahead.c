/*
 * ahead.c
 *	  What can come after a state, for people who ask what an execution waits for.
 */
#include "postgres.h"

#include "core/compat.h"
#include "core/stmt.h"
#include "core/want.h"
#include "engine/program.h"
#include "funcapi.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_ahead);
VOUCH_FUNCTION(vouch_sql_is_run);

static void
add(StringInfo text, const char *separator, const AslValue *name)
{
	if (name == NULL || name->type != ASL_STRING)
		return;
	/* several rules of a Choice may lead to the same state */
	appendStringInfo(text, "%s%s", text->len > 0 ? separator : "", name->u.string.data);
}

/* Does the list have the name? */
static bool
is_in(List *names, const AslValue *name)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp(((const AslValue *) lfirst(cell))->u.string.data, name->u.string.data) == 0)
			return true;
	return false;
}

static void
add_choices(StringInfo text, const AslValue *written)
{
	const AslValue *choices = asl_get(written, "Choices");
	const AslValue *otherwise = asl_get(written, "Default");
	List	   *names = NIL;
	ListCell   *cell;

	for (size_t i = 0; choices != NULL && choices->type == ASL_ARRAY && i <= choices->u.array.n; i++)
	{
		const AslValue *name = i < choices->u.array.n ? asl_get(choices->u.array.items[i], "Next") : otherwise;

		if (name != NULL && name->type == ASL_STRING && !is_in(names, name))
			names = lappend(names, (void *) name);
	}
	foreach(cell, names)
		add(text, " or ", lfirst(cell));
}

static void
add_catch(StringInfo text, const AslValue *written)
{
	const AslValue *catchers = asl_get(written, "Catch");

	for (size_t i = 0; catchers != NULL && catchers->type == ASL_ARRAY && i < catchers->u.array.n; i++)
	{
		const AslValue *errors = asl_get(catchers->u.array.items[i], "ErrorEquals");
		StringInfoData names;

		initStringInfo(&names);
		for (size_t j = 0; errors != NULL && errors->type == ASL_ARRAY && j < errors->u.array.n; j++)
			add(&names, ", ", errors->u.array.items[j]);
		appendStringInfo(text, "; on %s: ", names.data);
		if (asl_get(catchers->u.array.items[i], "Next") != NULL)
			appendStringInfoString(text, asl_get(catchers->u.array.items[i], "Next")->u.string.data);
	}
}

static char *
what_comes_next(const AslProgram *program, const AslState *state)
{
	const AslValue *written = vouch_program_written(program, state);
	StringInfoData text;

	initStringInfo(&text);
	if (state->type == ASL_CHOICE)
		add_choices(&text, written);
	else if (state->next != NULL)
		appendStringInfoString(&text, state->next);
	else if (state->type == ASL_FAIL)
		appendStringInfoString(&text, "a failure");
	else if (state->machine->owner == NULL)
		appendStringInfoString(&text, "the end");
	else
		appendStringInfo(&text, "the end of its part of %s", state->machine->owner->name);
	add_catch(&text, written);
	return text.data;
}

/* The TimeoutSeconds that are written down, or 0. */
static int64
written_timeout(const AslProgram *program, const AslState *state)
{
	const AslValue *v = asl_get(vouch_program_written(program, state), "TimeoutSeconds");
	int64_t		seconds;

	return v != NULL && asl_is_int(v, &seconds) && seconds > 0 ? seconds : 0;
}

/*
 * vouch_data.ahead(workflow text, revision int, machine_no int, state text,
 * OUT state_name text, OUT comes_next text, OUT timeout_seconds bigint)
 */
Datum
vouch_sql_ahead(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	const VouchProgram *program = NULL;
	const AslState *state = NULL;
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "not called as a function that returns a row");
	if (!PG_ARGISNULL(0) && !PG_ARGISNULL(1) && !PG_ARGISNULL(2) && PG_GETARG_INT32(1) > 0)
	{
		SPI_connect();
		MemoryContextSwitchTo(own);
		program = vouch_program_find(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_INT32(1), true);
		SPI_finish();
	}
	if (program != NULL && PG_GETARG_INT32(2) >= 0 && PG_GETARG_INT32(2) < program->asl->nmachines)
	{
		const AslMachine *machine = program->asl->machines[PG_GETARG_INT32(2)];

		state = asl_find_state(machine, PG_ARGISNULL(3) ? machine->start_at : text_to_cstring(PG_GETARG_TEXT_PP(3)));
	}
	if (state != NULL)
	{
		values[0] = CStringGetTextDatum(state->name);
		values[1] = CStringGetTextDatum(what_comes_next(program->asl, state));
		nulls[0] = nulls[1] = false;
		values[2] = Int64GetDatum(written_timeout(program->asl, state));
		nulls[2] = DatumGetInt64(values[2]) == 0;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* vouch_data.is_run(execution_id uuid) */
Datum
vouch_sql_is_run(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(vouch_want_is_run(PG_GETARG_UUID_P(0)));
}
