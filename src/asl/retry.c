/*
 * retry.c
 *	  What a failure of a state leads to: Retry, Catch, or the failure of its
 *	  machine.
 */
#include "asl/port.h"

#include "asl/state.h"

/* Where asl_fail() starts to count what it draws by chance. */
#define FAIL_DRAWS (UINT64_C(1) << 41)

/* No delay is longer than the service's longest. */
#define MAX_DELAY_SECONDS 31622400.0

static bool
is_timeout(const char *error)
{
	return strcmp(error, "States.Timeout") == 0 ||
		strcmp(error, "States.HeartbeatTimeout") == 0;
}

/* Tells whether one of the names of an ErrorEquals stands for an error. */
static bool
names_error(const char **names, size_t n, const char *error)
{
	for (size_t i = 0; i < n; i++)
	{
		if (strcmp(names[i], error) == 0 || strcmp(names[i], "States.ALL") == 0)
			return true;
		/* any failure of the work itself, but not of its time */
		if (strcmp(names[i], "States.TaskFailed") == 0 && !is_timeout(error))
			return true;
		/* a missed heartbeat is a timeout too */
		if (strcmp(names[i], "States.Timeout") == 0 && is_timeout(error))
			return true;
	}
	return false;
}

static double
retry_delay(const AslRetrier *retrier, const AslFrame *frame, int count)
{
	double		delay = retrier->interval_seconds * pow(retrier->backoff_rate, count);

	if (retrier->max_delay_seconds > 0 && delay > retrier->max_delay_seconds)
		delay = retrier->max_delay_seconds;
	if (delay > MAX_DELAY_SECONDS)
		delay = MAX_DELAY_SECONDS;
	return retrier->jitter ? delay * frame->random : delay;
}

/* Returns what a Catch passes on: {"Error": …, "Cause": …}. */
static const AslValue *
error_output(const AslError *error)
{
	AslBuilder	builder;

	asl_builder_init(&builder, 2);
	asl_builder_set(&builder, "Error", asl_string(error->error != NULL ? error->error : ""));
	asl_builder_set(&builder, "Cause", asl_string(error->cause != NULL ? error->cause : ""));
	return asl_builder_done(&builder);
}

/* Computes where and with what a caught failure goes on. */
static AslExit
catch_error(const AslState *state, const AslFrame *frame, const AslCatcher *catcher,
			const AslError *error)
{
	const AslValue *output = error_output(error);
	AslExit		exit;
	AslEnv		env;

	memset(&exit, 0, sizeof(exit));
	exit.next = catcher->next;
	asl_env_init(&env, frame, output);
	env.draws = FAIL_DRAWS;
	if (catcher->assign != NULL)
	{
		exit.assigned = asl_template_eval(catcher->assign, &env, &exit.error);
		if (exit.assigned == NULL ||
			asl_too_large(exit.assigned, frame, state->name, &exit.error))
			return exit;
	}
	exit.output = asl_apply_result_path(&catcher->result_path, frame->input, output,
										&exit.error);
	if (exit.output != NULL)
		asl_too_large(exit.output, frame, state->name, &exit.error);
	return exit;
}

AslFailure
asl_fail(const AslState *state, const AslFrame *frame, const AslError *error, const int *counts)
{
	const AslStateBody *body = state->body;
	const char *name = error->error != NULL ? error->error : "";
	AslFailure	failure;

	memset(&failure, 0, sizeof(failure));
	failure.verdict = ASL_FAILED;
	failure.error = *error;

	/* States.Runtime says that the program is wrong: nothing can be done about it */
	if (strcmp(name, "States.Runtime") == 0)
		return failure;

	for (size_t i = 0; i < body->nretriers; i++)
	{
		const AslRetrier *retrier = &body->retriers[i];
		int			count = counts == NULL ? 0 : counts[i];

		if (!names_error(retrier->errors, retrier->nerrors, name))
			continue;
		if (count < retrier->max_attempts)
		{
			failure.verdict = ASL_RETRY;
			failure.retrier = (int) i;
			failure.delay_seconds = retry_delay(retrier, frame, count);
			return failure;
		}
		break;
	}
	for (size_t i = 0; i < body->ncatchers; i++)
	{
		const AslCatcher *catcher = &body->catchers[i];

		if (!names_error(catcher->errors, catcher->nerrors, name))
			continue;
		failure.exit = catch_error(state, frame, catcher, error);
		if (failure.exit.error.error == NULL)
			failure.verdict = ASL_CAUGHT;
		else
		{
			failure.error = failure.exit.error;
			asl_name_state(state, frame, &failure.error);
			memset(&failure.exit, 0, sizeof(failure.exit));
		}
		return failure;
	}
	return failure;
}

int
asl_nretriers(const AslState *state)
{
	return (int) state->body->nretriers;
}

AslError
asl_timeout_error(bool heartbeat)
{
	AslError	error = {heartbeat ? "States.HeartbeatTimeout" : "States.Timeout", NULL};

	return error;
}
