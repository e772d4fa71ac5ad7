/*
 * states.c
 *	  Reading the fields of a state.
 */
#include "asl/port.h"

#include "asl/errors.h"
#include "asl/program.h"
#include "asl/rules.h"
#include "asl/states.h"
#include "asl/timestamp.h"

/* State types as bits, for the table of fields. */
#define PASS (1 << ASL_PASS)
#define TASK (1 << ASL_TASK)
#define CHOICE (1 << ASL_CHOICE)
#define WAIT (1 << ASL_WAIT)
#define SUCCEED (1 << ASL_SUCCEED)
#define FAIL (1 << ASL_FAIL)
#define PARALLEL (1 << ASL_PARALLEL)
#define MAP (1 << ASL_MAP)
#define EVERY (PASS | TASK | CHOICE | WAIT | SUCCEED | FAIL | PARALLEL | MAP)
#define STEPS (PASS | TASK | WAIT | PARALLEL | MAP)
#define WORK (TASK | PARALLEL | MAP)

static const struct
{
	const char *name;
	int			types;
}			fields[] =
{
	{"Type", EVERY},
	{"Comment", EVERY},
	{"QueryLanguage", EVERY},
	{"InputPath", EVERY & ~FAIL},
	{"OutputPath", EVERY & ~FAIL},
	{"Next", STEPS},
	{"End", STEPS},
	{"Parameters", PASS | WORK},
	{"ResultSelector", WORK},
	{"ResultPath", PASS | WORK},
	{"Assign", STEPS | CHOICE},
	{"Retry", WORK},
	{"Catch", WORK},
	{"Result", PASS},
	{"Resource", TASK},
	{"TimeoutSeconds", TASK},
	{"TimeoutSecondsPath", TASK},
	{"HeartbeatSeconds", TASK},
	{"HeartbeatSecondsPath", TASK},
	{"Credentials", TASK},
	{"Choices", CHOICE},
	{"Default", CHOICE},
	{"Seconds", WAIT},
	{"SecondsPath", WAIT},
	{"Timestamp", WAIT},
	{"TimestampPath", WAIT},
	{"Error", FAIL},
	{"ErrorPath", FAIL},
	{"Cause", FAIL},
	{"CausePath", FAIL},
	{"Branches", PARALLEL},
	{"ItemProcessor", MAP},
	{"Iterator", MAP},
	{"ItemsPath", MAP},
	{"ItemSelector", MAP},
	{"ItemBatcher", MAP},
	{"ItemReader", MAP},
	{"ResultWriter", MAP},
	{"MaxConcurrency", MAP},
	{"MaxConcurrencyPath", MAP},
	{"ToleratedFailureCount", MAP},
	{"ToleratedFailureCountPath", MAP},
	{"ToleratedFailurePercentage", MAP},
	{"ToleratedFailurePercentagePath", MAP},
	{"Label", MAP},
};

static const struct
{
	const char *name;
	AslStateType type;
}			types[] =
{
	{"Pass", ASL_PASS},
	{"Task", ASL_TASK},
	{"Choice", ASL_CHOICE},
	{"Wait", ASL_WAIT},
	{"Succeed", ASL_SUCCEED},
	{"Fail", ASL_FAIL},
	{"Parallel", ASL_PARALLEL},
	{"Map", ASL_MAP},
};

/* The service's longest time in seconds. */
#define MAX_SECONDS 99999999.0

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Tells of fields that the state's type does not have. */
static void
check_fields(AslCompiler *compiler, AslState *state, const AslValue *value, const char *type)
{
	for (size_t i = 0; i < value->u.object.n; i++)
	{
		const char *key = value->u.object.members[i].key->u.string.data;
		size_t		field;

		for (field = 0; field < COUNT(fields); field++)
			if (strcmp(fields[field].name, key) == 0)
				break;
		if (field < COUNT(fields) && fields[field].types & 1 << state->type)
			continue;
		if (strcmp(key, "Arguments") == 0 || strcmp(key, "Output") == 0 ||
			strcmp(key, "Items") == 0)
			asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "JSONATA_NOT_SUPPORTED",
						   "JSONata is not supported: the field %s belongs to it.", key);
		else if (field < COUNT(fields))
			asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "UNKNOWN_FIELD",
						   "A %s state has no field %s.", type, key);
		else
			asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "UNKNOWN_FIELD",
						   "There is no field %s.", key);
	}
}

static void
check_unsupported(AslCompiler *compiler, const AslValue *value, const char *key,
				  const char *reason)
{
	if (asl_get(value, key) != NULL)
		asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "UNSUPPORTED_FIELD",
					   "The field %s is not supported: %s.", key, reason);
}

/* Reads Next or End, of which there has to be one. */
static void
compile_transition(AslCompiler *compiler, AslState *state, const AslValue *value)
{
	const AslValue *end = asl_member(compiler, value, "End", ASL_BOOL);

	state->next = asl_member_string(compiler, value, "Next");
	state->end = end != NULL && end->u.boolean;
	if (asl_get(value, "Next") == NULL && asl_get(value, "End") == NULL)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "MISSING_TRANSITION",
					"The state has neither Next nor End.");
	else if (state->next != NULL && state->end)
	{
		asl_problem(compiler, ASL_PROBLEM_ERROR, "CONFLICTING_FIELDS",
					"Next and End cannot both be given.");
		state->next = NULL;
	}
	else if (asl_get(value, "Next") == NULL && end != NULL && !state->end)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "MISSING_TRANSITION",
					"A state whose End is false needs a Next.");
}

/* For check_task(): tells of a problem within the state that is being read. */
static void
tell(AslSeverity severity, const char *code, const char *place, const char *message, void *to)
{
	AslCompiler *compiler = to;

	asl_problem_in(compiler, asl_printf("%s%s", compiler->place.data, place), severity, code,
				   message);
}

static void
compile_task(AslCompiler *compiler, AslState *state, const AslValue *value)
{
	AslStateBody *body = state->body;
	AslBounds	seconds = {1, MAX_SECONDS, true};

	state->resource = asl_member_string(compiler, value, "Resource");
	if (asl_get(value, "Resource") == NULL)
		asl_missing(compiler, "Resource");
	else if (state->resource != NULL && *state->resource == '\0')
		asl_problem_at(compiler, "Resource", ASL_PROBLEM_ERROR, "INVALID_RESOURCE",
					   "The Resource is empty.");
	else if (state->resource != NULL && compiler->check_task != NULL)
		compiler->check_task(state->resource, value, tell, compiler, compiler->arg);

	asl_member_number(compiler, value, "TimeoutSeconds", "TimeoutSecondsPath", seconds,
					  &body->timeout);
	asl_member_number(compiler, value, "HeartbeatSeconds", "HeartbeatSecondsPath", seconds,
					  &body->heartbeat);
	if (body->timeout.given && body->timeout.path == NULL &&
		body->heartbeat.given && body->heartbeat.path == NULL &&
		body->heartbeat.value >= body->timeout.value)
		asl_problem_at(compiler, "HeartbeatSeconds", ASL_PROBLEM_ERROR, "INVALID_VALUE",
					   "HeartbeatSeconds has to be less than TimeoutSeconds.");
	if (asl_get(value, "Credentials") != NULL)
		asl_problem_at(compiler, "Credentials", ASL_PROBLEM_WARNING, "UNSUPPORTED_FIELD",
					   "The field Credentials is ignored: a workflow runs as one role.");
}

static void
compile_wait(AslCompiler *compiler, AslState *state, const AslValue *value)
{
	static const char *const keys[] = {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"};
	AslStateBody *body = state->body;
	AslBounds	seconds = {0, MAX_SECONDS, true};
	const char *timestamp;
	int			given = 0;

	for (size_t i = 0; i < COUNT(keys); i++)
		if (asl_get(value, keys[i]) != NULL)
			given++;
	if (given != 1)
	{
		asl_problem(compiler, ASL_PROBLEM_ERROR,
					given == 0 ? "MISSING_FIELD" : "CONFLICTING_FIELDS",
					"A Wait state has exactly one of Seconds, SecondsPath, Timestamp and TimestampPath.");
		return;
	}
	asl_member_number(compiler, value, "Seconds", "SecondsPath", seconds, &body->seconds);
	body->timestamp_path = asl_member_path(compiler, value, "TimestampPath");
	timestamp = asl_member_string(compiler, value, "Timestamp");
	if (timestamp != NULL && !asl_parse_timestamp(timestamp, &body->timestamp))
		asl_problem_at(compiler, "Timestamp", ASL_PROBLEM_ERROR, "INVALID_TIMESTAMP",
					   "A timestamp looks like 2024-08-18T17:33:00Z.");
}

static void
compile_fail(AslCompiler *compiler, AslState *state, const AslValue *value)
{
	AslStateBody *body = state->body;

	asl_member_text(compiler, value, "Error", "ErrorPath", &body->error);
	asl_member_text(compiler, value, "Cause", "CausePath", &body->cause);
}

static void
compile_parallel(AslCompiler *compiler, AslState *state, const AslValue *value, int depth)
{
	const AslValue *branches = asl_member(compiler, value, "Branches", ASL_ARRAY);
	size_t		place = asl_push(compiler, "Branches");

	if (asl_get(value, "Branches") == NULL)
	{
		asl_pop(compiler, place);
		asl_missing(compiler, "Branches");
		return;
	}
	if (branches != NULL && branches->u.array.n == 0)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "EMPTY_ARRAY",
					"A Parallel state has at least one branch.");
	if (branches != NULL && branches->u.array.n > 0)
	{
		state->branches = asl_alloc(branches->u.array.n * sizeof(AslMachine *));
		for (size_t i = 0; i < branches->u.array.n; i++)
		{
			size_t		inner = asl_push_index(compiler, i);
			AslMachine *branch = asl_compile_machine(compiler, branches->u.array.items[i],
													 state, depth + 1);

			if (branch != NULL)
				state->branches[state->nbranches++] = branch;
			asl_pop(compiler, inner);
		}
	}
	asl_pop(compiler, place);
}

static void
compile_batcher(AslCompiler *compiler, AslState *state, const AslValue *value)
{
	static const char *const keys[] =
	{"MaxItemsPerBatch", "MaxItemsPerBatchPath", "MaxInputBytesPerBatch",
	"MaxInputBytesPerBatchPath", "BatchInput"};
	AslStateBody *body = state->body;
	const AslValue *batcher = asl_member(compiler, value, "ItemBatcher", ASL_OBJECT);
	AslBounds	items = {1, 100000000.0, true};
	AslBounds	bytes = {1, 67108864.0, true};
	size_t		place;

	if (batcher == NULL)
		return;
	place = asl_push(compiler, "ItemBatcher");
	body->batched = true;
	for (size_t i = 0; i < batcher->u.object.n; i++)
	{
		const char *key = batcher->u.object.members[i].key->u.string.data;
		size_t		j;

		for (j = 0; j < COUNT(keys); j++)
			if (strcmp(keys[j], key) == 0)
				break;
		if (j == COUNT(keys))
			asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "UNKNOWN_FIELD",
						   "An ItemBatcher has no field %s.", key);
	}
	asl_member_number(compiler, batcher, "MaxItemsPerBatch", "MaxItemsPerBatchPath", items,
					  &body->max_items_per_batch);
	asl_member_number(compiler, batcher, "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath",
					  bytes, &body->max_bytes_per_batch);
	body->batch_input = asl_member_template(compiler, batcher, "BatchInput");
	if (!body->max_items_per_batch.given && !body->max_bytes_per_batch.given)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "MISSING_FIELD",
					"An ItemBatcher has MaxItemsPerBatch or MaxInputBytesPerBatch.");
	asl_pop(compiler, place);
}

static void
compile_processor_config(AslCompiler *compiler, AslState *state, const AslValue *processor)
{
	const AslValue *config = asl_member(compiler, processor, "ProcessorConfig", ASL_OBJECT);
	size_t		place;
	const char *mode;
	const char *type;

	if (config == NULL)
		return;
	place = asl_push(compiler, "ProcessorConfig");
	mode = asl_member_string(compiler, config, "Mode");
	type = asl_member_string(compiler, config, "ExecutionType");
	state->distributed = mode != NULL && strcmp(mode, "DISTRIBUTED") == 0;
	if (mode != NULL && !state->distributed && strcmp(mode, "INLINE") != 0)
		asl_problem_at(compiler, "Mode", ASL_PROBLEM_ERROR, "INVALID_VALUE",
					   "Mode is INLINE or DISTRIBUTED.");
	if (type != NULL && strcmp(type, "STANDARD") != 0 && strcmp(type, "EXPRESS") != 0)
		asl_problem_at(compiler, "ExecutionType", ASL_PROBLEM_ERROR, "INVALID_VALUE",
					   "ExecutionType is STANDARD or EXPRESS.");
	for (size_t i = 0; i < config->u.object.n; i++)
	{
		const char *key = config->u.object.members[i].key->u.string.data;

		if (strcmp(key, "Mode") != 0 && strcmp(key, "ExecutionType") != 0)
			asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "UNKNOWN_FIELD",
						   "A ProcessorConfig has no field %s.", key);
	}
	asl_pop(compiler, place);
}

static void
compile_map(AslCompiler *compiler, AslState *state, const AslValue *value, int depth)
{
	static const char *const distributed_only[] =
	{"ToleratedFailureCount", "ToleratedFailureCountPath", "ToleratedFailurePercentage",
	"ToleratedFailurePercentagePath", "Label", "ItemBatcher"};
	AslStateBody *body = state->body;
	const char *key = asl_get(value, "ItemProcessor") != NULL ? "ItemProcessor" : "Iterator";
	const AslValue *processor = asl_member(compiler, value, key, ASL_OBJECT);
	AslBounds	count = {0, 2147483647.0, true};
	AslBounds	percentage = {0, 100, false};

	if (asl_get(value, "ItemProcessor") != NULL && asl_get(value, "Iterator") != NULL)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "CONFLICTING_FIELDS",
					"ItemProcessor and Iterator cannot both be given.");
	if (asl_get(value, key) == NULL)
		asl_missing(compiler, "ItemProcessor");
	if (asl_get(value, "ItemSelector") != NULL && asl_get(value, "Parameters") != NULL)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "CONFLICTING_FIELDS",
					"ItemSelector and Parameters cannot both be given.");
	check_unsupported(compiler, value, "ItemReader", "items come from the state's input");
	check_unsupported(compiler, value, "ResultWriter", "the result stays in the database");

	body->iterator = strcmp(key, "Iterator") == 0;
	if (processor != NULL)
	{
		size_t		place = asl_push(compiler, key);
		AslMachine *machine;

		compile_processor_config(compiler, state, processor);
		state->branches = asl_alloc(sizeof(AslMachine *));
		machine = asl_compile_machine(compiler, processor, state, depth + 1);
		if (machine != NULL)
			state->branches[state->nbranches++] = machine;
		asl_pop(compiler, place);
	}

	body->items_path = asl_member_path(compiler, value, "ItemsPath");
	body->item_selector = asl_get(value, "ItemSelector") != NULL ?
		asl_member_template(compiler, value, "ItemSelector") :
		asl_member_template(compiler, value, "Parameters");
	asl_member_number(compiler, value, "MaxConcurrency", "MaxConcurrencyPath", count,
					  &body->max_concurrency);
	asl_member_number(compiler, value, "ToleratedFailureCount", "ToleratedFailureCountPath",
					  count, &body->tolerated_count);
	asl_member_number(compiler, value, "ToleratedFailurePercentage",
					  "ToleratedFailurePercentagePath", percentage,
					  &body->tolerated_percentage);
	body->label = asl_member_string(compiler, value, "Label");
	if (body->label != NULL && strlen(body->label) > 40)
		asl_problem_at(compiler, "Label", ASL_PROBLEM_ERROR, "INVALID_VALUE",
					   "A Label has at most 40 characters.");
	compile_batcher(compiler, state, value);
	for (size_t i = 0; i < COUNT(distributed_only) && !state->distributed; i++)
		if (asl_get(value, distributed_only[i]) != NULL)
			asl_problem_at(compiler, distributed_only[i], ASL_PROBLEM_ERROR, "CONFLICTING_FIELDS",
						   "The field %s needs a ProcessorConfig whose Mode is DISTRIBUTED.",
						   distributed_only[i]);
}

/* Tells of a query language other than JSONPath. */
static void
check_query_language(AslCompiler *compiler, const AslValue *value)
{
	const char *language = asl_member_string(compiler, value, "QueryLanguage");

	if (language == NULL || strcmp(language, "JSONPath") == 0)
		return;
	if (strcmp(language, "JSONata") == 0)
		asl_problem_at(compiler, "QueryLanguage", ASL_PROBLEM_ERROR, "JSONATA_NOT_SUPPORTED",
					   "JSONata is not supported.");
	else
		asl_problem_at(compiler, "QueryLanguage", ASL_PROBLEM_ERROR, "INVALID_VALUE",
					   "QueryLanguage is JSONPath.");
}

void
asl_compile_state(AslCompiler *compiler, AslState *state, const AslValue *value)
{
	AslStateBody *body = asl_alloc(sizeof(AslStateBody));
	const char *type;
	int			depth = 0;
	size_t		i;

	memset(body, 0, sizeof(*body));
	state->body = body;
	state->type = ASL_PASS;
	for (const AslMachine *machine = state->machine; machine->owner != NULL;
		 machine = machine->owner->machine)
		depth++;
	if (value->type != ASL_OBJECT)
	{
		asl_problem(compiler, ASL_PROBLEM_ERROR, "INVALID_TYPE",
					"A state has to be an object but is %s.", asl_type_name(value));
		return;
	}
	type = asl_member_string(compiler, value, "Type");
	if (type == NULL)
	{
		if (asl_get(value, "Type") == NULL)
			asl_missing(compiler, "Type");
		return;
	}
	for (i = 0; i < COUNT(types); i++)
		if (strcmp(types[i].name, type) == 0)
			break;
	if (i == COUNT(types))
	{
		asl_problem_at(compiler, "Type", ASL_PROBLEM_ERROR, "UNKNOWN_STATE_TYPE",
					   "Type is Pass, Task, Choice, Wait, Succeed, Fail, Parallel or Map.");
		return;
	}
	state->type = types[i].type;

	check_fields(compiler, state, value, type);
	asl_member_string(compiler, value, "Comment");
	check_query_language(compiler, value);
	if (STEPS & 1 << state->type)
		compile_transition(compiler, state, value);
	if ((EVERY & ~FAIL) & 1 << state->type)
	{
		asl_member_path_field(compiler, value, "InputPath", &body->input_path);
		asl_member_path_field(compiler, value, "OutputPath", &body->output_path);
	}
	if ((PASS | TASK | PARALLEL) & 1 << state->type)
		body->parameters = asl_member_template(compiler, value, "Parameters");
	if (WORK & 1 << state->type)
		body->result_selector = asl_member_template(compiler, value, "ResultSelector");
	if ((PASS | WORK) & 1 << state->type)
		asl_member_result_path(compiler, value, &body->result_path);
	if ((STEPS | CHOICE) & 1 << state->type)
		body->assign = asl_member_assign(compiler, value);

	switch (state->type)
	{
		case ASL_PASS:
			body->result = asl_get(value, "Result");
			break;
		case ASL_TASK:
			compile_task(compiler, state, value);
			break;
		case ASL_CHOICE:
			asl_compile_choices(compiler, state, value);
			break;
		case ASL_WAIT:
			compile_wait(compiler, state, value);
			break;
		case ASL_SUCCEED:
			break;
		case ASL_FAIL:
			compile_fail(compiler, state, value);
			break;
		case ASL_PARALLEL:
			compile_parallel(compiler, state, value, depth);
			break;
		case ASL_MAP:
			compile_map(compiler, state, value, depth);
			break;
	}
	if (WORK & 1 << state->type)
		asl_compile_errors(compiler, state, value);
}
