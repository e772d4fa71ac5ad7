/*
 * errors.c
 *	  Reading Retry and Catch.
 */
#include "asl/port.h"

#include "asl/errors.h"

/* The error names that the language reserves. */
static const char *const reserved[] =
{
	"States.ALL",
	"States.BranchFailed",
	"States.DataLimitExceeded",
	"States.ExceedToleratedFailureThreshold",
	"States.HeartbeatTimeout",
	"States.Http.Socket",
	"States.IntrinsicFailure",
	"States.ItemReaderFailed",
	"States.NoChoiceMatched",
	"States.ParameterPathFailure",
	"States.Permissions",
	"States.QueryEvaluationError",
	"States.ResultPathMatchFailure",
	"States.ResultWriterFailed",
	"States.Runtime",
	"States.TaskFailed",
	"States.Timeout",
};

/* Reads ErrorEquals of entry i of n. */
static void
compile_error_equals(AslCompiler *compiler, const AslValue *value, size_t i, size_t n,
					 const char ***errors, size_t *nerrors)
{
	const AslValue *names = asl_member(compiler, value, "ErrorEquals", ASL_ARRAY);
	size_t		place;

	if (asl_get(value, "ErrorEquals") == NULL)
		asl_missing(compiler, "ErrorEquals");
	if (names == NULL)
		return;
	place = asl_push(compiler, "ErrorEquals");
	if (names->u.array.n == 0)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "EMPTY_ARRAY",
					"ErrorEquals needs at least one error name.");
	else
		*errors = asl_alloc(names->u.array.n * sizeof(char *));
	for (size_t j = 0; j < names->u.array.n; j++)
	{
		const AslValue *name = names->u.array.items[j];
		size_t		at = asl_push_index(compiler, j);
		size_t		k;

		if (name->type != ASL_STRING)
			asl_problem(compiler, ASL_PROBLEM_ERROR, "INVALID_TYPE",
						"An error name has to be a string but is %s.", asl_type_name(name));
		else
		{
			const char *text = name->u.string.data;

			(*errors)[(*nerrors)++] = text;
			for (k = 0; k < sizeof(reserved) / sizeof(reserved[0]); k++)
				if (strcmp(reserved[k], text) == 0)
					break;
			if (strncmp(text, "States.", 7) == 0 && k == sizeof(reserved) / sizeof(reserved[0]))
				asl_problem(compiler, ASL_PROBLEM_WARNING, "RESERVED_ERROR_NAME",
							"Names that start with \"States.\" are reserved, and there is no such error.");
			if (strcmp(text, "States.Runtime") == 0)
				asl_problem(compiler, ASL_PROBLEM_WARNING, "UNCATCHABLE_ERROR",
							"States.Runtime is neither retried nor caught: it always fails the execution.");
			if (strcmp(text, "States.ALL") == 0 && names->u.array.n > 1)
				asl_problem(compiler, ASL_PROBLEM_ERROR, "STATES_ALL_NOT_ALONE",
							"States.ALL has to be the only error name of its ErrorEquals.");
			if (strcmp(text, "States.ALL") == 0 && i + 1 < n)
				asl_problem(compiler, ASL_PROBLEM_ERROR, "STATES_ALL_NOT_LAST",
							"States.ALL has to be in the last entry.");
		}
		asl_pop(compiler, at);
	}
	asl_pop(compiler, place);
}

/* Tells of fields other than the named ones. */
static void
check_fields(AslCompiler *compiler, const AslValue *value, const char *const *names, size_t n,
			 const char *what)
{
	for (size_t i = 0; i < value->u.object.n; i++)
	{
		const char *key = value->u.object.members[i].key->u.string.data;
		size_t		j;

		for (j = 0; j < n; j++)
			if (strcmp(names[j], key) == 0)
				break;
		if (j < n)
			continue;
		if (strcmp(key, "Output") == 0)
			asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "JSONATA_NOT_SUPPORTED",
						   "JSONata is not supported: the field %s belongs to it.", key);
		else
			asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "UNKNOWN_FIELD",
						   "%s has no field %s.", what, key);
	}
}

/* Reads a number that may be absent. */
static double
number_or(AslCompiler *compiler, const AslValue *value, const char *key, AslBounds bounds,
		  double otherwise)
{
	AslNumberField field = {false};

	asl_member_number(compiler, value, key, NULL, bounds, &field);
	return field.given ? field.value : otherwise;
}

static void
compile_retrier(AslCompiler *compiler, const AslValue *value, size_t i, size_t n,
				AslRetrier *retrier)
{
	static const char *const keys[] =
	{"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds",
	"JitterStrategy", "Comment"};
	AslBounds	interval = {1, 99999999.0, true};
	AslBounds	attempts = {0, 99999999.0, true};
	AslBounds	rate = {1, 1e9, false};
	AslBounds	delay = {1, 31622400.0, true};
	const char *jitter;

	check_fields(compiler, value, keys, sizeof(keys) / sizeof(keys[0]), "A Retry entry");
	asl_member_string(compiler, value, "Comment");
	compile_error_equals(compiler, value, i, n, &retrier->errors, &retrier->nerrors);
	retrier->interval_seconds = number_or(compiler, value, "IntervalSeconds", interval, 1);
	retrier->max_attempts = number_or(compiler, value, "MaxAttempts", attempts, 3);
	retrier->backoff_rate = number_or(compiler, value, "BackoffRate", rate, 2);
	retrier->max_delay_seconds = number_or(compiler, value, "MaxDelaySeconds", delay, 0);
	if (retrier->max_delay_seconds > 0 &&
		retrier->max_delay_seconds <= retrier->interval_seconds)
		asl_problem_at(compiler, "MaxDelaySeconds", ASL_PROBLEM_ERROR, "INVALID_VALUE",
					   "MaxDelaySeconds has to be greater than IntervalSeconds.");
	jitter = asl_member_string(compiler, value, "JitterStrategy");
	if (jitter != NULL && strcmp(jitter, "FULL") != 0 && strcmp(jitter, "NONE") != 0)
		asl_problem_at(compiler, "JitterStrategy", ASL_PROBLEM_ERROR, "INVALID_VALUE",
					   "JitterStrategy is FULL or NONE.");
	retrier->jitter = jitter != NULL && strcmp(jitter, "FULL") == 0;
}

static void
compile_catcher(AslCompiler *compiler, const AslValue *value, size_t i, size_t n,
				AslCatcher *catcher)
{
	static const char *const keys[] =
	{"ErrorEquals", "Next", "ResultPath", "Assign", "Comment"};

	check_fields(compiler, value, keys, sizeof(keys) / sizeof(keys[0]), "A Catch entry");
	asl_member_string(compiler, value, "Comment");
	compile_error_equals(compiler, value, i, n, &catcher->errors, &catcher->nerrors);
	catcher->next = asl_member_string(compiler, value, "Next");
	if (asl_get(value, "Next") == NULL)
		asl_missing(compiler, "Next");
	asl_member_result_path(compiler, value, &catcher->result_path);
	catcher->assign = asl_member_assign(compiler, value);
}

void
asl_compile_errors(AslCompiler *compiler, AslState *state, const AslValue *value)
{
	AslStateBody *body = state->body;
	const AslValue *retry = asl_member(compiler, value, "Retry", ASL_ARRAY);
	const AslValue *catch = asl_member(compiler, value, "Catch", ASL_ARRAY);

	for (int pass = 0; pass < 2; pass++)
	{
		const AslValue *entries = pass == 0 ? retry : catch;
		size_t		n = entries == NULL ? 0 : entries->u.array.n;
		size_t		place;

		if (n == 0)
			continue;
		place = asl_push(compiler, pass == 0 ? "Retry" : "Catch");
		if (pass == 0)
		{
			body->retriers = asl_alloc(n * sizeof(AslRetrier));
			memset(body->retriers, 0, n * sizeof(AslRetrier));
			body->nretriers = n;
		}
		else
		{
			body->catchers = asl_alloc(n * sizeof(AslCatcher));
			memset(body->catchers, 0, n * sizeof(AslCatcher));
			body->ncatchers = n;
		}
		for (size_t i = 0; i < n; i++)
		{
			const AslValue *entry = entries->u.array.items[i];
			size_t		at = asl_push_index(compiler, i);

			if (entry->type != ASL_OBJECT)
				asl_problem(compiler, ASL_PROBLEM_ERROR, "INVALID_TYPE",
							"A %s entry has to be an object but is %s.",
							pass == 0 ? "Retry" : "Catch", asl_type_name(entry));
			else if (pass == 0)
				compile_retrier(compiler, entry, i, n, &body->retriers[i]);
			else
				compile_catcher(compiler, entry, i, n, &body->catchers[i]);
			asl_pop(compiler, at);
		}
		asl_pop(compiler, place);
	}
	state->has_retry = body->nretriers > 0;
	state->has_catch = body->ncatchers > 0;
}
