/*
 * program.c
 *	  Building a program from a definition.
 */
#include "asl/port.h"

#include "asl/check.h"
#include "asl/json.h"
#include "asl/program.h"
#include "asl/states.h"

static int
compare_states(const void *left, const void *right)
{
	const AslState *const *a = left;
	const AslState *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

const AslState *
asl_find_state(const AslMachine *machine, const char *name)
{
	int			low = 0;
	int			high = machine->nstates;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		int			order = strcmp(name, machine->by_name[middle]->name);

		if (order == 0)
			return machine->by_name[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Counts the characters of a text. */
static size_t
characters(const char *text)
{
	size_t		n = 0;

	for (; *text != '\0'; text++)
		if (((unsigned char) *text & 0xC0) != 0x80)
			n++;
	return n;
}

/* Tells of fields that a machine of its place does not have. */
static void
check_fields(AslCompiler *compiler, const AslValue *value, const AslState *owner)
{
	for (size_t i = 0; i < value->u.object.n; i++)
	{
		const char *key = value->u.object.members[i].key->u.string.data;

		if (strcmp(key, "StartAt") == 0 || strcmp(key, "States") == 0 ||
			strcmp(key, "Comment") == 0 || strcmp(key, "QueryLanguage") == 0)
			continue;
		if (owner == NULL && (strcmp(key, "Version") == 0 || strcmp(key, "TimeoutSeconds") == 0))
			continue;
		if (owner != NULL && owner->type == ASL_MAP && strcmp(key, "ProcessorConfig") == 0)
			continue;
		asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "UNKNOWN_FIELD",
					   owner == NULL ? "A state machine has no field %s." :
					   owner->type == ASL_MAP ? "An ItemProcessor has no field %s." :
					   "A branch has no field %s.", key);
	}
}

/* Reads what only the whole machine has. */
static void
compile_top(AslCompiler *compiler, AslMachine *machine, const AslValue *value)
{
	AslNumberField timeout = {false};
	AslBounds	seconds = {1, 99999999.0, true};
	const char *version = asl_member_string(compiler, value, "Version");

	asl_member_number(compiler, value, "TimeoutSeconds", NULL, seconds, &timeout);
	if (timeout.given && timeout.value >= seconds.min && timeout.value <= seconds.max)
		machine->timeout_seconds = (int64_t) timeout.value;
	if (version != NULL && strcmp(version, "1.0") != 0)
		asl_problem_at(compiler, "Version", ASL_PROBLEM_ERROR, "INVALID_VALUE",
					   "The Version of the language is 1.0.");
}

static void
compile_states(AslCompiler *compiler, AslMachine *machine, const AslValue *states)
{
	size_t		n = states->u.object.n;
	size_t		place = asl_push(compiler, "States");

	if (n == 0)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "NO_STATES", "There is no state.");
	else
	{
		machine->states = asl_alloc(n * sizeof(AslState));
		memset(machine->states, 0, n * sizeof(AslState));
		machine->by_name = asl_alloc(n * sizeof(AslState *));
	}
	for (size_t i = 0; i < n; i++)
	{
		AslState   *state = &machine->states[i];

		state->name = states->u.object.members[i].key->u.string.data;
		state->machine = machine;
		machine->by_name[i] = state;
	}
	machine->nstates = (int) n;
	if (n > 0)
		qsort(machine->by_name, n, sizeof(AslState *), compare_states);
	for (size_t i = 0; i < n; i++)
	{
		AslState   *state = &machine->states[i];
		size_t		at = asl_push(compiler, state->name);

		if (*state->name == '\0' || characters(state->name) > 80)
			asl_problem(compiler, ASL_PROBLEM_ERROR, "INVALID_NAME",
						"The name of a state has 1 to 80 characters.");
		compiler->machine = machine;
		asl_compile_state(compiler, state, states->u.object.members[i].value);
		asl_pop(compiler, at);
	}
	asl_pop(compiler, place);
}

/* Adds a machine to the program, which gives it its number. */
static AslMachine *
add_machine(AslCompiler *compiler, AslState *owner)
{
	AslProgram *program = compiler->program;
	AslMachine *machine = asl_alloc(sizeof(AslMachine));

	memset(machine, 0, sizeof(*machine));
	if (program->nmachines == compiler->machines_size)
	{
		int			size = compiler->machines_size == 0 ? 8 : compiler->machines_size * 2;

		program->machines = asl_realloc(program->machines,
										compiler->machines_size * sizeof(AslMachine *),
										size * sizeof(AslMachine *));
		compiler->machines_size = size;
	}
	machine->number = program->nmachines;
	machine->owner = owner;
	program->machines[program->nmachines++] = machine;
	return machine;
}

/*
 * Reads a machine: the whole one, a branch or an item processor.  Returns NULL
 * when the value is none at all.
 */
AslMachine *
asl_compile_machine(AslCompiler *compiler, const AslValue *value, AslState *owner, int depth)
{
	AslMachine *outer = compiler->machine;
	AslMachine *machine;
	const AslValue *states;
	const char *language;

	if (value->type != ASL_OBJECT)
	{
		asl_problem(compiler, ASL_PROBLEM_ERROR, "INVALID_TYPE",
					"A state machine has to be an object but is %s.", asl_type_name(value));
		return NULL;
	}
	if (depth > ASL_MAX_MACHINES)
	{
		asl_problem(compiler, ASL_PROBLEM_ERROR, "NESTING_TOO_DEEP",
					"Parallel and Map states are nested more than %d deep.", ASL_MAX_MACHINES);
		return NULL;
	}
	machine = add_machine(compiler, owner);
	compiler->machine = machine;

	check_fields(compiler, value, owner);
	machine->comment = asl_member(compiler, value, "Comment", ASL_STRING);
	language = asl_member_string(compiler, value, "QueryLanguage");
	if (language != NULL && strcmp(language, "JSONata") == 0)
		asl_problem_at(compiler, "QueryLanguage", ASL_PROBLEM_ERROR, "JSONATA_NOT_SUPPORTED",
					   "JSONata is not supported.");
	else if (language != NULL && strcmp(language, "JSONPath") != 0)
		asl_problem_at(compiler, "QueryLanguage", ASL_PROBLEM_ERROR, "INVALID_VALUE",
					   "QueryLanguage is JSONPath.");
	if (owner == NULL)
		compile_top(compiler, machine, value);
	machine->start_at = asl_member_string(compiler, value, "StartAt");
	if (asl_get(value, "StartAt") == NULL)
		asl_missing(compiler, "StartAt");
	states = asl_member(compiler, value, "States", ASL_OBJECT);
	if (asl_get(value, "States") == NULL)
		asl_missing(compiler, "States");
	if (states != NULL)
		compile_states(compiler, machine, states);
	compiler->machine = outer;
	return machine;
}

static void
start(AslCompiler *compiler, AslTaskCheck check_task, void *arg)
{
	memset(compiler, 0, sizeof(*compiler));
	compiler->program = asl_alloc(sizeof(AslProgram));
	memset(compiler->program, 0, sizeof(AslProgram));
	compiler->check_task = check_task;
	compiler->arg = arg;
	asl_text_init(&compiler->place);
}

static void
too_deep(AslCompiler *compiler)
{
	asl_problem(compiler, ASL_PROBLEM_ERROR, "NESTING_TOO_DEEP",
				"Arrays and objects are nested more than %d deep.", ASL_MAX_DEPTH - 1);
}

static void
compile(AslCompiler *compiler, const AslValue *definition)
{
	compiler->program->definition = definition;
	if (asl_exceeds(definition, SIZE_MAX))
		too_deep(compiler);
	else if (asl_exceeds(definition, ASL_MAX_DEFINITION))
		asl_problem(compiler, ASL_PROBLEM_ERROR, "TOO_LARGE",
					"The definition has %zu kB, %d are allowed.", asl_print_size(definition) / 1024,
					ASL_MAX_DEFINITION / 1024);
	else
	{
		asl_compile_machine(compiler, definition, NULL, 0);
		asl_check_program(compiler);
	}
}

static AslProgram *
finish(const AslCompiler *compiler, AslProblem **problems)
{
	if (problems != NULL)
		*problems = compiler->first;
	return compiler->nerrors == 0 ? compiler->program : NULL;
}

AslProgram *
asl_compile(const AslValue *definition, AslTaskCheck check_task, void *arg, AslProblem **problems)
{
	AslCompiler compiler;

	start(&compiler, check_task, arg);
	compile(&compiler, definition);
	return finish(&compiler, problems);
}

static void
tell_repeated(const char *place, void *arg)
{
	asl_problem_in(arg, asl_copy(place, strlen(place)), ASL_PROBLEM_ERROR, "DUPLICATE_FIELD",
				   "The key is given more than once.");
}

AslProgram *
asl_compile_text(const char *text, size_t len, AslTaskCheck check_task, void *arg,
				 AslProblem **problems)
{
	AslCompiler compiler;
	AslError	error;
	const AslValue *definition;

	start(&compiler, check_task, arg);
	definition = asl_parse_telling(text, len, tell_repeated, &compiler, &error);
	if (definition != NULL)
		compile(&compiler, definition);
	else if (strcmp(error.error, "States.DataLimitExceeded") == 0)
		too_deep(&compiler);
	else
		asl_problem(&compiler, ASL_PROBLEM_ERROR, "INVALID_JSON", "%s", error.cause);
	return finish(&compiler, problems);
}
