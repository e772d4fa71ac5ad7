/*
 * run_cases.c
 *	  Runs cases: definitions with an input and what has to come of it, or with
 *	  the problems that have to be found in them.
 *
 *	run_cases [-v] [-c] [-t kind] cases.json ...
 *
 * -v tells of each case, -c counts a different cause as a failure, -t runs
 * only the cases of a kind.  A case has
 *
 *	id			its name; what stands before "::" or the first "/" is its group
 *	kind		"task" when it has Tasks; those of the service's own
 *				response envelopes are skipped
 *	definition, input; or instead of the definition its text
 *	status		and output, or error and cause; events when they are checked
 *	elapsed		seconds on the virtual clock, when they are checked
 *	problems	instead of all that: severity, code and location of each
 *
 * In what is expected, text in angle brackets stands for anything.
 */
#include "asl/port.h"

#include <unistd.h>

#include "asl/json.h"
#include "asl/timestamp.h"
#include "interp.h"
#include "standalone.h"

/* 2026-01-01T00:00:00Z, or what NOW says */
#define DEFAULT_NOW INT64_C(1767225600000000)

typedef struct Group
{
	char	   *name;
	int			passed;
	int			failed;
	int			skipped;
} Group;

static bool verbose;
static bool strict_causes;
static const char *only_kind;
static int	ncauses;

/* ------------------------------------------------------------- comparing */

/* Tells whether a text is what a text with places in angle brackets says. */
static bool
text_matches(const char *expected, const char *actual)
{
	const char *close;

	while (*expected != '\0')
	{
		/* what an account was masked with */
		if (strncmp(expected, "111111111111", 12) == 0 && strspn(actual, "0123456789") == 12)
		{
			expected += 12;
			actual += 12;
			continue;
		}
		if (*expected == '<' && (close = strchr(expected, '>')) != NULL && close > expected + 1 &&
			expected[1] != ' ' && expected[1] != '=')
		{
			for (const char *rest = actual;; rest++)
			{
				if (text_matches(close + 1, rest))
					return true;
				if (*rest == '\0')
					return false;
			}
		}
		if (*expected++ != *actual++)
			return false;
	}
	return *actual == '\0';
}

static bool
is_uuid(const char *text)
{
	for (int i = 0; i < 36; i++)
	{
		bool		dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : strchr("0123456789abcdef", text[i]) == NULL || text[i] == 0)
			return false;
	}
	return text[36] == '\0';
}

static bool
value_matches(const AslValue *expected, const AslValue *actual)
{
	int64_t		timestamp;

	if (expected->type == ASL_STRING && actual->type == ASL_STRING)
	{
		const char *e = expected->u.string.data;
		const char *a = actual->u.string.data;

		/* recorded values were masked in some fields without brackets */
		return text_matches(e, a) ||
			(strcmp(e, "date") == 0 && asl_parse_timestamp(a, &timestamp)) ||
			(strcmp(e, "generated-uuid") == 0 && is_uuid(a)) ||
			strcmp(e, "snf_role_arn") == 0;
	}
	if (expected->type != actual->type)
		return false;
	if (expected->type == ASL_ARRAY)
	{
		if (expected->u.array.n != actual->u.array.n)
			return false;
		for (size_t i = 0; i < expected->u.array.n; i++)
			if (!value_matches(expected->u.array.items[i], actual->u.array.items[i]))
				return false;
		return true;
	}
	if (expected->type == ASL_OBJECT)
	{
		if (expected->u.object.n != actual->u.object.n)
			return false;
		for (size_t i = 0; i < expected->u.object.n; i++)
		{
			const AslMember *member = &expected->u.object.members[i];
			const AslValue *value = asl_get(actual, member->key->u.string.data);

			if (value == NULL || !value_matches(member->value, value))
				return false;
		}
		return true;
	}
	return asl_equal(expected, actual);
}

/* The same for an output, which may be given as JSON text. */
static bool
output_matches(const AslValue *expected, const AslValue *actual)
{
	const AslValue *parsed;

	if (value_matches(expected, actual))
		return true;
	if (expected->type != ASL_STRING)
		return false;
	parsed = asl_parse(expected->u.string.data, expected->u.string.len, NULL);
	return parsed != NULL && value_matches(parsed, actual);
}

static int
compare_texts(const void *left, const void *right)
{
	return strcmp(*(const char *const *) left, *(const char *const *) right);
}

static bool
same_texts(const char **a, const char **b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

/* Tells whether the events are the same; in any order where branches may run at once. */
static bool
events_match(const AslValue *expected, RunResult *result, bool at_once)
{
	size_t		n = expected->u.array.n;
	const char **events;

	if (n != result->nevents)
		return false;
	events = asl_alloc((n + 1) * sizeof(char *));
	for (size_t i = 0; i < n; i++)
		events[i] = expected->u.array.items[i]->u.string.data;
	if (same_texts(events, result->events, n))
		return true;
	if (!at_once)
		return false;
	qsort(events, n, sizeof(char *), compare_texts);
	qsort(result->events, n, sizeof(char *), compare_texts);
	return same_texts(events, result->events, n);
}

/* ----------------------------------------------------------------- cases */

static const char *
text_of(const AslValue *object, const char *key)
{
	const AslValue *value = asl_get(object, key);

	return value != NULL && value->type == ASL_STRING ? value->u.string.data : NULL;
}

static void
complain(const char *id, const char *what, const char *expected, const char *actual)
{
	printf("not ok %s: %s\n", id, what);
	if (expected != NULL)
		printf("    expected %.2000s\n", expected);
	if (actual != NULL)
		printf("    got      %.2000s\n", actual);
}

/* Writes problems, one on a line. */
static char *
print_problems(const AslProblem *problem)
{
	AslText		text;

	asl_text_init(&text);
	for (; problem != NULL; problem = problem->next)
		asl_text_printf(&text, "\n        %s %s %s: %s",
						problem->severity == ASL_PROBLEM_ERROR ? "error" : "warning",
						problem->code, problem->location, problem->message);
	return text.data;
}

static bool
problems_match(const char *id, const AslValue *expected, const AslProblem *problem)
{
	const AslProblem *first = problem;
	bool		good = true;

	for (size_t i = 0; i < expected->u.array.n; i++)
	{
		const AslValue *item = expected->u.array.items[i];

		if (problem == NULL ||
			strcmp(text_of(item, "severity"),
				   problem->severity == ASL_PROBLEM_ERROR ? "error" : "warning") != 0 ||
			strcmp(text_of(item, "code"), problem->code) != 0 ||
			strcmp(text_of(item, "location"), problem->location) != 0 ||
			(text_of(item, "message") != NULL &&
			 !text_matches(text_of(item, "message"), problem->message)))
		{
			good = false;
			break;
		}
		problem = problem->next;
	}
	if (good && problem == NULL)
		return true;
	complain(id, "the problems differ", asl_print(expected), print_problems(first));
	return false;
}

/* Answers for resources in our own cases: those of "unknown:" are not good. */
static void
check_task(const char *resource, const AslValue *state, AslTell tell, void *to, void *arg)
{
	if (strncmp(resource, "unknown:", 8) == 0)
		tell(ASL_PROBLEM_ERROR, "UNKNOWN_RESOURCE", "/Resource", "There is no such resource.", to);
}

static int64_t
virtual_now(void)
{
	const char *now = getenv("NOW");
	int64_t		result;

	return now != NULL && asl_parse_timestamp(now, &result) ? result : DEFAULT_NOW;
}

static bool
cause_matches(const AslValue *expected, const char *actual)
{
	const AslValue *parsed;

	if (actual == NULL)
		return false;
	if (expected->type == ASL_STRING)
		return text_matches(expected->u.string.data, actual);
	parsed = asl_parse(actual, strlen(actual), NULL);
	return parsed != NULL && value_matches(expected, parsed);
}

/* Tells whether an error in the result is the expected one. */
static bool
error_matches(const char *id, const AslValue *item, const RunResult *result)
{
	const char *expected = text_of(item, "error");
	const char *actual = result->error.error;
	const AslValue *cause = asl_get(item, "cause");

	if ((expected == NULL) != (actual == NULL) ||
		(expected != NULL && !text_matches(expected, actual)))
	{
		complain(id, "the error differs", expected, actual);
		printf("    cause    %s\n", result->error.cause == NULL ? "" : result->error.cause);
		return false;
	}
	if (cause != NULL && !cause_matches(cause, result->error.cause))
	{
		ncauses++;
		if (strict_causes || verbose)
			complain(id, "the cause differs", asl_print(cause), result->error.cause);
		return !strict_causes;
	}
	return true;
}

/* Runs a case; 1 when it passes, 0 when it fails, -1 when it is skipped. */
static int
run_case(const char *id, const AslValue *item)
{
	const AslValue *definition = asl_get(item, "definition");
	const char *written = text_of(item, "text");
	const AslValue *input = asl_get(item, "input");
	const AslValue *expected = asl_get(item, "problems");
	const char *status = text_of(item, "status");
	const AslValue *events = asl_get(item, "events");
	const AslValue *output = asl_get(item, "output");
	const AslValue *limit = asl_get(item, "max_payload");
	const AslValue *elapsed = asl_get(item, "elapsed");
	RunOptions	options = {virtual_now(), 0, false, 1000000, 0};
	AslProblem *problems = NULL;
	AslProgram *program;
	RunResult	result;
	int64_t		number;

	if (definition == NULL && written == NULL)
		return -1;
	if (text_of(item, "kind") != NULL && strcmp(text_of(item, "kind"), "task") == 0 &&
		definition != NULL && strstr(asl_print(definition), "arn:aws:states:::lambda:invoke") != NULL)
		return -1;
	if (written != NULL)
		program = asl_compile_text(written, strlen(written), check_task, NULL, &problems);
	else
		program = asl_compile(definition, check_task, NULL, &problems);
	if (expected != NULL)
		return problems_match(id, expected, problems);
	if (program == NULL)
	{
		complain(id, "the definition does not compile", NULL, print_problems(problems));
		return 0;
	}
	if (problems != NULL && verbose)
		printf("# %s:%s\n", id, print_problems(problems));

	if (limit != NULL && asl_is_int(limit, &number))
		options.max_payload = (size_t) number;
	options.abort_at_rest = status != NULL && strcmp(status, "ABORTED") == 0;
	if (input == NULL || input->type == ASL_NULL)
		input = asl_object();
	result = run_program(program, input, &options);
	if (result.status == NULL)
		result.status = "STUCK";

	if (strcmp(status, result.status) != 0)
	{
		complain(id, "the status differs", status, result.status);
		printf("    error    %s: %s\n", result.error.error == NULL ? "" : result.error.error,
			   result.error.cause == NULL ? "" : result.error.cause);
		return 0;
	}
	if (strcmp(status, "SUCCEEDED") == 0 && output != NULL &&
		!output_matches(output, result.output))
	{
		complain(id, "the output differs", asl_print(output), asl_print(result.output));
		return 0;
	}
	if (strcmp(status, "FAILED") == 0 && !error_matches(id, item, &result))
		return 0;
	if (events != NULL && !events_match(events, &result, program->nmachines > 1))
	{
		AslText		text;

		asl_text_init(&text);
		for (size_t i = 0; i < result.nevents; i++)
			asl_text_printf(&text, "%s\"%s\"", i > 0 ? "," : "", result.events[i]);
		complain(id, "the events differ", asl_print(events), text.data);
		return 0;
	}
	if (elapsed != NULL && asl_is_int(elapsed, &number) &&
		result.elapsed_us / 1000000 != number)
	{
		complain(id, "the time differs", asl_print(elapsed),
				 asl_printf("%lld", (long long) (result.elapsed_us / 1000000)));
		return 0;
	}
	return 1;
}

static const AslValue *
read_cases(const char *path)
{
	FILE	   *file = fopen(path, "rb");
	AslText		text;
	AslError	error;
	const AslValue *cases;
	char		buffer[65536];
	size_t		n;

	if (file == NULL)
	{
		perror(path);
		exit(2);
	}
	asl_text_init(&text);
	while ((n = fread(buffer, 1, sizeof(buffer), file)) > 0)
		asl_text_append(&text, buffer, n);
	fclose(file);
	cases = asl_parse(text.data, text.len, &error);
	if (cases == NULL || cases->type != ASL_ARRAY)
	{
		fprintf(stderr, "%s: %s\n", path, cases == NULL ? error.cause : "not an array");
		exit(2);
	}
	return cases;
}

static Group *
find_group(Group **groups, int *ngroups, const char *id)
{
	const char *end = strstr(id, "::");
	size_t		len;

	if (end == NULL || end[2] < 'A')
		end = strchr(id, '/');
	len = end != NULL ? (size_t) (end - id) : strlen(id);
	for (int i = 0; i < *ngroups; i++)
		if (strlen((*groups)[i].name) == len && strncmp((*groups)[i].name, id, len) == 0)
			return &(*groups)[i];
	*groups = realloc(*groups, (*ngroups + 1) * sizeof(Group));
	memset(&(*groups)[*ngroups], 0, sizeof(Group));
	(*groups)[*ngroups].name = strndup(id, len);
	return &(*groups)[(*ngroups)++];
}

int
main(int argc, char **argv)
{
	Group	   *groups = NULL;
	int			ngroups = 0;
	int			passed = 0;
	int			failed = 0;
	int			option;

	while ((option = getopt(argc, argv, "vct:")) != -1)
	{
		if (option == 'v')
			verbose = true;
		else if (option == 'c')
			strict_causes = true;
		else if (option == 't')
			only_kind = optarg;
		else
			return 2;
	}
	for (int i = optind; i < argc; i++)
	{
		const AslValue *cases = read_cases(argv[i]);

		for (size_t j = 0; j < cases->u.array.n; j++)
		{
			const AslValue *item = cases->u.array.items[j];
			const char *id = text_of(item, "id");
			const char *kind = text_of(item, "kind");
			ArenaMark	mark = arena_mark();
			Group	   *group;
			int			outcome;

			if (id == NULL || (only_kind != NULL && kind != NULL && strcmp(kind, only_kind) != 0))
				continue;
			group = find_group(&groups, &ngroups, id);
			outcome = run_case(id, item);
			if (outcome > 0)
				group->passed++;
			else if (outcome == 0)
				group->failed++;
			else
				group->skipped++;
			if (verbose && outcome != 0)
				printf("%s %s\n", outcome > 0 ? "ok" : "skipped", id);
			arena_reset(mark);
		}
	}
	for (int i = 0; i < ngroups; i++)
	{
		printf("%-50s %4d passed, %d failed", groups[i].name, groups[i].passed,
			   groups[i].failed);
		if (groups[i].skipped > 0)
			printf(", %d skipped", groups[i].skipped);
		printf("\n");
		passed += groups[i].passed;
		failed += groups[i].failed;
		free(groups[i].name);
	}
	free(groups);
	if (ncauses > 0 && !strict_causes)
		printf("%d causes are worded differently\n", ncauses);
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0 ? 1 : 0;
}
