/*
 * fuzz_asl.c
 *	  A libFuzzer harness over the language.
 *
 * The first byte says what the rest is; parts are separated by a NUL:
 *
 *	'D'		a definition and an input, which are compiled and run
 *	'E'		an expression and an input, which are evaluated
 *	'J'		JSON text, which has to survive printing
 */
#include "asl/port.h"

#include "asl/json.h"
#include "interp.h"
#include "standalone.h"

/* Small enough that no input takes long, large enough to run into limits. */
#define MAX_PAYLOAD 20000
#define MAX_EVENTS 300
#define MAX_SECONDS 100000000

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const AslValue *
read_value(const char *text, size_t len)
{
	const AslValue *value = asl_parse(text, len, NULL);

	if (value != NULL && asl_exceeds(value, MAX_PAYLOAD))
		return NULL;
	return value;
}

/* Tells as many problems as a check may. */
static void
check_task(const char *resource, const AslValue *state, AslTell tell, void *to, void *arg)
{
	if (asl_get(state, "Parameters") != NULL)
		tell(ASL_PROBLEM_WARNING, "WARNING", "/Parameters", resource, to);
	if (strncmp(resource, "unknown:", 8) == 0)
		tell(ASL_PROBLEM_ERROR, "UNKNOWN_RESOURCE", "/Resource", "There is no such resource.", to);
}

static void
fuzz_definition(const char *text, size_t len, const char *rest, size_t rest_len)
{
	const AslValue *input = read_value(rest, rest_len);
	RunOptions	options = {INT64_C(1767225600000000), MAX_PAYLOAD, false, MAX_EVENTS, MAX_SECONDS};
	AslProblem *problems = NULL;
	AslProgram *program;
	RunResult	result;

	program = asl_compile_text(text, len, check_task, NULL, &problems);
	for (const AslProblem *problem = problems; problem != NULL; problem = problem->next)
		if (problem->code == NULL || problem->location == NULL || problem->message == NULL)
			abort();
	if (program == NULL && problems == NULL)
		abort();
	if (program == NULL)
		return;
	result = run_program(program, input != NULL ? input : asl_object(), &options);
	if (result.status == NULL)
		abort();
	/* whatever comes out was small enough to be passed on */
	if (strcmp(result.status, "SUCCEEDED") == 0 &&
		(result.output == NULL || asl_exceeds(result.output, MAX_PAYLOAD + 1)))
		abort();
}

static void
fuzz_expression(const char *text, size_t len, const char *rest, size_t rest_len)
{
	const AslValue *input = read_value(rest, rest_len);
	AslScope	scope = {NULL, input != NULL ? input : asl_object()};
	AslFrame	frame;
	AslError	error;
	const AslValue *value;

	memset(&frame, 0, sizeof(frame));
	frame.input = input != NULL ? input : asl_null();
	frame.scope = &scope;
	frame.context = frame.input;
	frame.max_payload = MAX_PAYLOAD;
	value = asl_evaluate(asl_copy(text, len), &frame, &error);
	if ((value == NULL) != (error.error != NULL))
		abort();
	if (value != NULL && !asl_exceeds(value, 10 * MAX_PAYLOAD))
		asl_print(value);
}

static void
fuzz_json(const char *text, size_t len)
{
	const AslValue *value = asl_parse(text, len, NULL);
	const AslValue *again;
	char	   *printed;
	AslText		string;

	if (value == NULL)
		return;
	printed = asl_print(value);
	if (strlen(printed) != asl_print_size(value))
		abort();
	again = asl_parse(printed, strlen(printed), NULL);
	if (again == NULL || !asl_equal(value, again) || strcmp(asl_print(again), printed) != 0)
		abort();
	asl_text_init(&string);
	asl_stringify_to(&string, value);
	if (asl_parse(string.data, string.len, NULL) == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ArenaMark	mark = arena_mark();
	const char *text = (const char *) data + 1;
	const char *rest;
	size_t		len;

	if (size == 0)
		return 0;
	rest = memchr(text, 0, size - 1);
	len = rest != NULL ? (size_t) (rest - text) : size - 1;
	rest = rest != NULL ? rest + 1 : text + len;
	switch (data[0])
	{
		case 'D':
			fuzz_definition(text, len, rest, (const char *) data + size - rest);
			break;
		case 'E':
			fuzz_expression(text, len, rest, (const char *) data + size - rest);
			break;
		case 'J':
			fuzz_json(text, size - 1);
			break;
	}
	arena_reset(mark);
	return 0;
}
