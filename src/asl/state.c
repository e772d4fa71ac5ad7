/*
 * state.c
 *	  Entering and leaving a state: how data flows through it.
 */
#include "asl/port.h"

#include "asl/json.h"
#include "asl/map.h"
#include "asl/timestamp.h"

/* The longest wait of the service, in seconds. */
#define MAX_WAIT_SECONDS INT64_C(2147483647)
#define MICROSECONDS INT64_C(1000000)

/* Where asl_finish() and asl_fail() start to count what they draw by chance. */
#define FINISH_DRAWS (UINT64_C(1) << 40)

/* ---------------------------------------------------------------- shared */

void
asl_name_state(const AslState *state, const AslFrame *frame, AslError *error)
{
	if (error->error == NULL || strcmp(error->error, "States.DataLimitExceeded") == 0)
		return;
	if (frame->event_id > 0)
		error->cause = asl_printf("An error occurred while executing the state '%s' (entered at the event id #%lld). %s",
								  state->name, (long long) frame->event_id, error->cause);
	else
		error->cause = asl_printf("An error occurred while executing the state '%s'. %s",
								  state->name, error->cause);
}

AslError
asl_runtime_error(const char *cause)
{
	AslError	error = {"States.Runtime", cause};

	return error;
}

const AslValue *
asl_apply_path(const AslPathField *field, AslEnv *env, AslError *error)
{
	const char *missing = NULL;
	const AslValue *value;

	if (!field->given)
		return env->input;
	if (field->path == NULL)
		return asl_object();
	value = asl_path_eval(field->path, env, &missing);
	if (value == NULL)
		*error = asl_runtime_error(asl_printf("Invalid path '%s' : %s", field->path->text,
											  missing));
	return value;
}

const AslValue *
asl_apply_result_path(const AslPathField *field, const AslValue *input, const AslValue *result,
					  AslError *error)
{
	const AslValue *value;

	if (!field->given)
		return result;
	if (field->path == NULL)
		return input;
	value = asl_path_put(field->path, input, result);
	if (value == NULL)
	{
		error->error = "States.ResultPathMatchFailure";
		error->cause = asl_printf("Unable to apply ReferencePath %s to input %s",
								  field->path->text,
								  asl_excerpt(input));
	}
	return value;
}

bool
asl_too_large(const AslValue *value, const AslFrame *frame, const char *what, AslError *error)
{
	size_t		limit = frame->max_payload > 0 ? frame->max_payload : ASL_SERVICE_PAYLOAD;

	/* what came in was measured when it was passed on */
	if (value == frame->input || !asl_exceeds(value, limit))
		return false;
	error->error = "States.DataLimitExceeded";
	error->cause = asl_printf("The state/task '%s' returned a result with a size exceeding the maximum number of bytes service limit.",
							  what);
	return true;
}

/* Reads an integer, or a string that is one. */
static bool
read_long(const AslValue *value, int64_t *result)
{
	AslValue	number;

	if (value->type == ASL_NUMBER)
		return asl_is_int(value, result);
	if (value->type != ASL_STRING)
		return false;
	number.type = ASL_NUMBER;
	number.u.number.text = value->u.string.data;
	return asl_is_int(&number, result);
}

bool
asl_read_count(const AslNumberField *field, AslEnv *env, const char *name, int64_t *result,
			   AslError *error)
{
	const AslValue *value;

	if (!field->given)
		return true;
	if (field->path == NULL)
	{
		*result = (int64_t) field->value;
		return true;
	}
	value = asl_path_eval(field->path, env, NULL);
	if (value == NULL)
	{
		*error = asl_runtime_error(asl_missing_cause(field->path, asl_printf("%sPath", name),
													 env));
		return false;
	}
	if (!read_long(value, result))
	{
		*error = asl_runtime_error(asl_printf("The %sPath field refers to value \"%s\" which is not a valid integer: %s",
											  name, asl_value_text(value), field->path->text));
		return false;
	}
	if (*result < 0)
	{
		*error = asl_runtime_error(asl_printf("%s cannot be negative.", name));
		return false;
	}
	return true;
}

/* -------------------------------------------------------------- entering */

static AslEntry
fail_entry(const AslState *state, const AslFrame *frame, AslError error)
{
	AslEntry	entry;

	asl_name_state(state, frame, &error);
	memset(&entry, 0, sizeof(entry));
	entry.action = ASL_DO_FAIL;
	entry.error = error;
	return entry;
}

/* Reads a Task's seconds, which a path has to give as a positive integer. */
static bool
read_seconds(const AslNumberField *field, AslEnv *env, const char *name, int64_t *result,
			 AslError *error)
{
	if (!asl_read_count(field, env, name, result, error))
		return false;
	if (field->given && *result == 0)
	{
		*error = asl_runtime_error(asl_printf("%s has to be a positive integer.", name));
		return false;
	}
	return true;
}

static void
enter_task(const AslState *state, AslEnv *env, AslEntry *entry)
{
	const AslStateBody *body = state->body;

	entry->action = ASL_DO_TASK;
	if (!read_seconds(&body->timeout, env, "TimeoutSeconds", &entry->timeout_seconds,
					  &entry->error))
		return;
	if (!read_seconds(&body->heartbeat, env, "HeartbeatSeconds", &entry->heartbeat_seconds,
					  &entry->error))
		return;
	if (entry->timeout_seconds > 0 && entry->heartbeat_seconds >= entry->timeout_seconds)
		entry->error = asl_runtime_error("HeartbeatSeconds has to be less than TimeoutSeconds.");
}

static void
enter_choice(const AslState *state, AslEnv *env, AslEntry *entry)
{
	const AslStateBody *body = state->body;

	entry->action = ASL_DO_FINISH;
	entry->choice_next = body->default_next;
	entry->choice_assign = body->assign;
	for (size_t i = 0; i < body->nrules; i++)
	{
		if (asl_rule_holds(body->rules[i], env, &entry->error))
		{
			entry->choice_next = body->rules[i]->next;
			entry->choice_assign = body->rules[i]->assign;
			return;
		}
		if (entry->error.error != NULL)
			return;
	}
	if (body->default_next == NULL)
	{
		entry->error.error = "States.NoChoiceMatched";
		entry->error.cause = "Failed to transition out of the state. The state does not point to a next state.";
	}
}

/* Sets when a wait of so many seconds ends. */
static void
wait_for(int64_t seconds, const AslFrame *frame, AslEntry *entry)
{
	if (seconds > MAX_WAIT_SECONDS)
		entry->error = asl_runtime_error("Wait state delay is too long.");
	else
		entry->wake_us = frame->now_us + seconds * MICROSECONDS;
}

static void
wait_until(int64_t timestamp, const AslFrame *frame, AslEntry *entry)
{
	if (timestamp > frame->now_us &&
		(timestamp - frame->now_us) / MICROSECONDS > MAX_WAIT_SECONDS)
		entry->error = asl_runtime_error("Wait state delay is too long.");
	else
		entry->wake_us = timestamp > frame->now_us ? timestamp : frame->now_us;
}

static void
enter_wait(const AslState *state, const AslFrame *frame, AslEnv *env, AslEntry *entry)
{
	const AslStateBody *body = state->body;
	const AslPath *path = body->timestamp_path != NULL ? body->timestamp_path :
		body->seconds.path;
	const char *field = body->timestamp_path != NULL ? "TimestampPath" : "SecondsPath";
	const AslValue *value;
	int64_t		number;

	entry->action = ASL_DO_WAIT;
	if (path == NULL)
	{
		if (body->seconds.given)
			wait_for((int64_t) body->seconds.value, frame, entry);
		else
			wait_until(body->timestamp, frame, entry);
		return;
	}

	value = asl_path_eval(path, env, NULL);
	if (value == NULL)
		entry->error = asl_runtime_error(asl_printf("The %s parameter does not reference an input value: %s",
													field, path->text));
	else if (body->timestamp_path != NULL)
	{
		if (value->type == ASL_STRING && asl_parse_timestamp(value->u.string.data, &number))
			wait_until(number, frame, entry);
		else
			entry->error = asl_runtime_error(asl_printf("The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: %s == %s",
														path->text,
														asl_value_text(value)));
	}
	else if (!read_long(value, &number))
		entry->error = asl_runtime_error(asl_printf("The SecondsPath parameter cannot be parsed as a long value: %s == %s",
													path->text, asl_value_text(value)));
	else if (number < 0)
		entry->error = asl_runtime_error(asl_printf("The SecondsPath parameter cannot be negative: %s == %lld",
													path->text, (long long) number));
	else
		wait_for(number, frame, entry);
}

/* Returns the text of an Error or Cause; NULL when there is none. */
static const char *
fail_text(const AslTextField *field, const char *name, AslEnv *env, AslError *error)
{
	const AslValue *value;

	if (field->expr == NULL)
		return field->text;
	value = asl_expr_eval(field->expr, env, name, error);
	if (value == NULL)
		return NULL;
	if (value->type != ASL_STRING)
	{
		*error = asl_runtime_error(asl_printf("The %s field '%s' has to refer to a string but refers to %s.",
											  name, field->expr->text, asl_type_name(value)));
		return NULL;
	}
	return value->u.string.data;
}

static AslEntry
enter_fail(const AslState *state, const AslFrame *frame)
{
	const AslStateBody *body = state->body;
	AslError	problem = {NULL, NULL};
	AslEntry	entry;
	AslEnv		env;

	asl_env_init(&env, frame, frame->input);
	memset(&entry, 0, sizeof(entry));
	entry.action = ASL_DO_FAIL;
	entry.error.error = fail_text(&body->error, "ErrorPath", &env, &problem);
	if (problem.error == NULL)
		entry.error.cause = fail_text(&body->cause, "CausePath", &env, &problem);
	return problem.error == NULL ? entry : fail_entry(state, frame, problem);
}

/* Applies InputPath and Parameters; NULL with the error. */
static const AslValue *
effective_input(const AslState *state, AslEnv *env, AslError *error)
{
	const AslStateBody *body = state->body;
	const AslValue *input = asl_apply_path(&body->input_path, env, error);

	if (input == NULL)
		return NULL;
	env->input = input;
	if (body->parameters == NULL)
		return input;
	return asl_template_eval(body->parameters, env, error);
}

AslEntry
asl_enter(const AslState *state, const AslFrame *frame)
{
	const AslStateBody *body = state->body;
	const AslValue *input;
	AslEntry	entry;
	AslEnv		env;

	if (state->type == ASL_FAIL)
		return enter_fail(state, frame);

	memset(&entry, 0, sizeof(entry));
	asl_env_init(&env, frame, frame->input);
	input = effective_input(state, &env, &entry.error);
	if (input == NULL || asl_too_large(input, frame, state->name, &entry.error))
		return fail_entry(state, frame, entry.error);

	switch (state->type)
	{
		case ASL_PASS:
			entry.action = ASL_DO_FINISH;
			entry.result = body->result != NULL ? body->result : input;
			break;
		case ASL_TASK:
			entry.payload = input;
			enter_task(state, &env, &entry);
			break;
		case ASL_CHOICE:
			entry.result = input;
			enter_choice(state, &env, &entry);
			break;
		case ASL_WAIT:
			entry.result = input;
			enter_wait(state, frame, &env, &entry);
			break;
		case ASL_SUCCEED:
			entry.action = ASL_DO_SUCCEED;
			entry.result = asl_apply_path(&body->output_path, &env, &entry.error);
			if (entry.result != NULL)
				asl_too_large(entry.result, frame, state->name, &entry.error);
			break;
		case ASL_PARALLEL:
			entry.action = ASL_DO_PARALLEL;
			entry.payload = input;
			break;
		case ASL_MAP:
			entry.action = ASL_DO_MAP;
			entry.payload = input;
			asl_enter_map(state, frame, &env, &entry);
			break;
		case ASL_FAIL:
			break;
	}
	if (entry.error.error != NULL)
	{
		bool		map_started = entry.map_started;

		entry = fail_entry(state, frame, entry.error);
		entry.map_started = map_started;
	}
	return entry;
}

/* --------------------------------------------------------------- leaving */

/* Computes the variables that a state assigns; false with the error. */
static bool
assign(const AslTemplate *template, const AslValue *result, const AslFrame *frame, AslEnv *env,
	   const AslState *state, AslExit *exit)
{
	if (template == NULL)
		return true;
	env->input = result;
	exit->assigned = asl_template_eval(template, env, &exit->error);
	return exit->assigned != NULL &&
		!asl_too_large(exit->assigned, frame, state->name, &exit->error);
}

/* Computes the output of a state from its result. */
static void
finish(const AslState *state, const AslFrame *frame, const AslEntry *entry,
	   const AslValue *result, AslExit *exit)
{
	const AslStateBody *body = state->body;
	const AslTemplate *assigns = body->assign;
	const AslValue *output;
	AslEnv		env;

	asl_env_init(&env, frame, frame->input);
	env.draws = FINISH_DRAWS;
	if (result == NULL)
	{
		/* after a restart nobody has it, but these states make it from their input */
		ASL_ASSERT(state->type == ASL_WAIT || state->type == ASL_PASS ||
				   state->type == ASL_CHOICE);
		result = effective_input(state, &env, &exit->error);
		if (result == NULL)
			return;
		if (state->type == ASL_PASS && body->result != NULL)
			result = body->result;
	}
	if (state->type == ASL_CHOICE && entry != NULL)
	{
		exit->next = entry->choice_next;
		assigns = entry->choice_assign;
	}
	else
		exit->next = state->next;

	/* a value of a template can be larger than what it is made of */
	if (asl_too_large(result, frame, state->type == ASL_TASK ? state->resource : state->name,
					  &exit->error))
		return;
	if (body->result_selector != NULL)
	{
		env.input = result;
		result = asl_template_eval(body->result_selector, &env, &exit->error);
		if (result == NULL || asl_too_large(result, frame, state->name, &exit->error))
			return;
	}
	if (!assign(assigns, result, frame, &env, state, exit))
		return;

	output = asl_apply_result_path(&body->result_path, frame->input, result, &exit->error);
	if (output == NULL)
		return;
	env.input = output;
	output = asl_apply_path(&body->output_path, &env, &exit->error);
	if (output == NULL)
		return;
	if (output != result && asl_too_large(output, frame, state->name, &exit->error))
		return;
	exit->output = output;
}

AslExit
asl_finish(const AslState *state, const AslFrame *frame, const AslEntry *entry,
		   const AslValue *result)
{
	AslExit		exit;

	memset(&exit, 0, sizeof(exit));
	finish(state, frame, entry, result, &exit);
	if (exit.error.error != NULL)
	{
		AslError	error = exit.error;

		asl_name_state(state, frame, &error);
		memset(&exit, 0, sizeof(exit));
		exit.error = error;
	}
	return exit;
}

const AslValue *
asl_evaluate(const char *expression, const AslFrame *frame, AslError *error)
{
	const char *problem = NULL;
	AslExpr    *expr = asl_expr_parse(expression, strlen(expression), &problem);
	AslEnv		env;

	error->error = NULL;
	error->cause = NULL;
	if (expr == NULL)
	{
		*error = asl_runtime_error(asl_printf("The expression '%s' is not valid: %s.", expression,
											  problem));
		return NULL;
	}
	asl_env_init(&env, frame, frame->input);
	return asl_expr_eval(expr, &env, "expression", error);
}
