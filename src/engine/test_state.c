/*
 * test_state.c
 *	  vouch.test_state(): one state, without an execution.
 */
#include "postgres.h"

#include "asl/jsonb.h"
#include "core/actor.h"
#include "core/attempt.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/id.h"
#include "core/json.h"
#include "engine/activity_function.h"
#include "engine/advance.h"
#include "engine/resource.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_test_state);

/* Names that the state leads to, so that a definition can be made around it. */
static const AslValue *
add_target(const AslValue *states, const AslValue *holder, const char *key)
{
	const AslValue *target = holder->type == ASL_OBJECT ? asl_get(holder, key) : NULL;

	if (target == NULL || target->type != ASL_STRING || asl_get(states, target->u.string.data) != NULL)
		return states;
	return asl_object_put(states, target->u.string.data,
						  asl_object_put(asl_object(), "Type", asl_string("Succeed")));
}

static const AslValue *
add_targets(const AslValue *states, const AslValue *list)
{
	if (list != NULL && list->type == ASL_ARRAY)
		for (size_t i = 0; i < list->u.array.n; i++)
			states = add_target(states, list->u.array.items[i], "Next");
	return states;
}

static const AslState *
compile_state(const AslValue *state)
{
	static const char *const name = "State";
	const AslValue *states = asl_object_put(asl_object(), name, state);
	const AslValue *definition;
	AslProblem *problems = NULL;
	AslProgram *program;
	int			nerrors;

	if (state->type == ASL_OBJECT)
	{
		states = add_target(states, state, "Next");
		states = add_target(states, state, "Default");
		states = add_targets(states, asl_get(state, "Catch"));
		states = add_targets(states, asl_get(state, "Choices"));
	}
	definition = asl_object_put(asl_object(), "StartAt", asl_string(name));
	program = asl_compile(asl_object_put(definition, "States", states), NULL, NULL, &problems);
	if (program == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_BAD_DEFINITION),
				 errmsg("the state has errors"),
				 errdetail("%s", vouch_program_problems(problems, &nerrors)),
				 errhint("Pass one state, as it stands in the definition.")));
	return asl_find_state(program->machines[0], name);
}

/* The "$$" object, with the names of an execution that there is not. */
static const AslValue *
make_context(const AslValue *input)
{
	static const char *const name = "test_state";
	const char *actor = vouch_actor_current();
	const AslValue *context;
	const AslValue *v;

	v = asl_object_put(asl_object(), "Id", asl_string(name));
	v = asl_object_put(v, "Input", input);
	v = asl_object_put(v, "Name", asl_string(name));
	v = asl_object_put(v, "RedriveCount", asl_int(0));
	v = asl_object_put(v, "RoleArn", asl_string(GetUserNameFromId(GetSessionUserId(), false)));
	context = asl_object_put(asl_object(), "Execution", asl_object_put(v, "StartTime", vouch_frame_time(GetCurrentTimestamp())));
	v = asl_object_put(asl_object(), "EnteredTime", vouch_frame_time(GetCurrentTimestamp()));
	v = asl_object_put(v, "Name", asl_string("State"));
	context = asl_object_put(context, "State", asl_object_put(v, "RetryCount", asl_int(0)));
	v = asl_object_put(asl_object(), "Id", asl_string(name));
	context = asl_object_put(context, "StateMachine", asl_object_put(v, "Name", asl_string(name)));
	v = asl_object_put(asl_object(), "Actor", asl_string(actor));
	v = asl_object_put(v, "Starter", asl_string(actor));
	v = asl_object_put(v, "WorkflowId", asl_string(name));
	return asl_object_put(context, "Vouch", asl_object_put(v, "Revision", asl_int(0)));
}

static void
make_test_frame(AslFrame *frame, AslScope *scope, const AslValue *input, const AslValue *vars)
{
	unsigned char *uuid = palloc(16);

	if (!pg_strong_random(uuid, 16))
		elog(ERROR, "could not get random bytes");
	memset(frame, 0, sizeof(*frame));
	scope->outer = NULL;
	scope->vars = vars;
	frame->context = make_context(input);
	frame->input = input;
	frame->scope = scope;
	frame->now_us = GetCurrentTimestamp() + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	frame->random = 0.5;
	frame->uuid = uuid;
	frame->max_payload = (size_t) vouch_guc_max_payload * 1024;
}

/* Runs a sql: activity as the session's role, which must be its current user. */
static const AslValue *
run_activity(const AslState *state, const AslEntry *entry, AslError *error)
{
	VouchAdvance *adv = palloc0(sizeof(VouchAdvance));
	VouchBranch *b = palloc0(sizeof(VouchBranch));

	adv->context = CurrentMemoryContext;
	adv->mode = VOUCH_ADVANCE_CAREFUL;
	adv->execution.workflow_id = "test_state";
	adv->execution.workflow = "test_state";
	adv->execution.run_as = GetUserNameFromId(GetSessionUserId(), false);
	adv->execution.starter = vouch_actor_current();
	vouch_id_make(&adv->execution.id, VOUCH_ID_EXECUTION, 0);
	b->state = state;
	b->machine = state->machine;
	b->actor = adv->execution.starter;
	return vouch_activity_run(adv, b, state->resource, entry, error);
}

static const AslValue *
put_exit(const AslValue *report, const AslExit *exit)
{
	report = asl_object_put(report, "output", exit->output);
	if (exit->next != NULL)
		report = asl_object_put(report, "next", asl_string(exit->next));
	if (exit->assigned != NULL)
		report = asl_object_put(report, "assigned", exit->assigned);
	return report;
}

static const AslValue *
put_error(const AslValue *report, const AslError *error)
{
	if (error->error != NULL)
		report = asl_object_put(report, "error", asl_string(error->error));
	if (error->cause != NULL)
		report = asl_object_put(report, "cause", asl_string(error->cause));
	return report;
}

static const AslValue *
report_failure(const AslValue *report, const AslState *state, const AslFrame *frame, const AslError *error)
{
	AslFailure	failure = asl_fail(state, frame, error, palloc0(sizeof(int) * Max(asl_nretriers(state), 1)));

	if (failure.verdict == ASL_RETRY)
	{
		report = asl_object_put(report, "status", asl_string("retriable"));
		report = put_error(report, error);
		report = asl_object_put(report, "retrier", asl_int(failure.retrier));
		return asl_object_put(report, "delay_seconds", asl_double(failure.delay_seconds));
	}
	if (failure.verdict == ASL_CAUGHT)
	{
		report = asl_object_put(report, "status", asl_string("caught"));
		return put_exit(put_error(report, error), &failure.exit);
	}
	report = asl_object_put(report, "status", asl_string("failed"));
	return put_error(report, &failure.error);
}

static const AslValue *
test_state(const AslState *state, const AslFrame *frame, const AslValue *result, AslError *failure)
{
	const AslValue *report = asl_object();
	AslEntry	entry = asl_enter(state, frame);
	AslExit		exit;

	if (entry.action == ASL_DO_FAIL)
		return report_failure(report, state, frame, &entry.error);
	if (entry.payload != NULL)
		report = asl_object_put(report, "payload", entry.payload);
	if (entry.action == ASL_DO_MAP)
		report = asl_object_put(report, "items", asl_array(entry.items, entry.nitems));
	if (entry.action == ASL_DO_WAIT)
		report = asl_object_put(report, "wait_seconds", asl_double(Max(entry.wake_us - frame->now_us, 0) / 1000000.0));
	if (failure->error != NULL)
		return report_failure(report, state, frame, failure);
	if (entry.action == ASL_DO_SUCCEED)
	{
		report = asl_object_put(report, "status", asl_string("succeeded"));
		return asl_object_put(report, "output", entry.result);
	}
	if (entry.action == ASL_DO_FINISH || entry.action == ASL_DO_WAIT)
		result = entry.result;
	else if (result == NULL)
	{
		if (state->type != ASL_TASK || vouch_resource_kind(state->resource) != VOUCH_RESOURCE_SQL)
			ereport(ERROR,
					(errcode(VOUCH_ERR_NOT_SUPPORTED),
					 errmsg("only a sql: activity is run for a test"),
					 errdetail("The state waits for something, or has branches."),
					 errhint("Pass the result that it would have (result), or the error (error, cause).")));
		result = run_activity(state, &entry, failure);
		if (failure->error != NULL)
			return report_failure(report, state, frame, failure);
	}
	exit = asl_finish(state, frame, &entry, result);
	if (exit.error.error != NULL)
		return report_failure(report, state, frame, &exit.error);
	return put_exit(asl_object_put(report, "status", asl_string("succeeded")), &exit);
}

/* A test, for vouch_attempt(). */
typedef struct Test
{
	const AslState *state;
	const AslFrame *frame;
	const AslValue *result;
	AslError   *failure;
	const AslValue *report;
} Test;

/* False: what it did is to be undone. */
static bool
try_state(void *arg)
{
	Test	   *test = arg;

	test->report = test_state(test->state, test->frame, test->result, test->failure);
	return false;
}

/*
 * vouch.test_state(state jsonb, input jsonb, variables jsonb, result jsonb,
 * error text, cause text, dry_run boolean) returns jsonb
 */
Datum
vouch_sql_test_state(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	AslFrame	frame;
	AslScope	scope;
	AslError	failure = {NULL, NULL};
	Test		test = {NULL, &frame, NULL, &failure, NULL};
	ErrorData  *error = NULL;
	const AslValue *vars = PG_ARGISNULL(2) ? asl_object() : asl_from_jsonb(PG_GETARG_JSONB_P(2));

	if (PG_ARGISNULL(0) || vars->type != ASL_OBJECT)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg(PG_ARGISNULL(0) ? "there is no state" : "variables are not an object"),
				 errhint("Pass one state, and variables as {\"name\": value}.")));
	test.state = compile_state(asl_from_jsonb(PG_GETARG_JSONB_P(0)));
	make_test_frame(&frame, &scope,
					PG_ARGISNULL(1) ? asl_object() : asl_from_jsonb(PG_GETARG_JSONB_P(1)), vars);
	if (!PG_ARGISNULL(4))
	{
		failure.error = text_to_cstring(PG_GETARG_TEXT_PP(4));
		failure.cause = PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5));
	}
	if (!PG_ARGISNULL(3))
		test.result = asl_from_jsonb(PG_GETARG_JSONB_P(3));
	SPI_connect();
	MemoryContextSwitchTo(own);
	if (PG_ARGISNULL(6) || !PG_GETARG_BOOL(6))
		(void) try_state(&test);
	else if ((error = vouch_attempt(try_state, &test)) != NULL)
		ReThrowError(error);
	SPI_finish();
	PG_RETURN_JSONB_P(asl_to_jsonb(test.report));
}
