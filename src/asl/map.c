/*
 * map.c
 *	  The items of a Map state, and what becomes of their results.
 */
#include "asl/port.h"

#include "asl/json.h"
#include "asl/map.h"
#include "asl/number.h"

/* The service's own bound on a batch where none is given. */
#define MAX_BATCH_BYTES INT64_C(262144)

/* Returns the context object with the item that is looked at. */
static const AslValue *
item_context(const AslValue *context, const AslValue *index, const AslValue *value)
{
	static const AslValue index_key = {ASL_STRING, {.string = {"Index", 5}}};
	static const AslValue value_key = {ASL_STRING, {.string = {"Value", 5}}};
	static const AslValue item_key = {ASL_STRING, {.string = {"Item", 4}}};
	AslMember  *item = asl_alloc(2 * sizeof(AslMember));
	AslMember  *map = asl_alloc(sizeof(AslMember));

	item[0].key = &index_key;
	item[0].value = index;
	item[1].key = &value_key;
	item[1].value = value;
	map->key = &item_key;
	map->value = asl_object_of(item, 2);
	return asl_object_put(context, "Map", asl_object_of(map, 1));
}

/* Finds the array to go through; NULL with the error. */
static const AslValue *
find_items(const AslState *state, AslEnv *env, AslError *error)
{
	const AslPath *path = state->body->items_path;
	const char *missing = NULL;
	const AslValue *items = path == NULL ? env->input : asl_path_eval(path, env, &missing);

	if (items == NULL)
		*error = asl_runtime_error(asl_printf("Invalid path '%s' : %s", path->text, missing));
	else if (items->type != ASL_ARRAY)
	{
		*error = asl_runtime_error(asl_printf("Reference path \"%s\" must point to array.",
											  path == NULL ? "$" : path->text));
		items = NULL;
	}
	return items;
}

/* Reads how many failures, in percent, are tolerated. */
static bool
read_percentage(const AslNumberField *field, AslEnv *env, double *result, AslError *error)
{
	const AslValue *value;

	if (!field->given)
		return true;
	if (field->path == NULL)
	{
		*result = field->value;
		return true;
	}
	value = asl_path_eval(field->path, env, NULL);
	if (value == NULL)
	{
		*error = asl_runtime_error(asl_missing_cause(field->path,
													 "ToleratedFailurePercentagePath", env));
		return false;
	}
	if (!asl_as_double(value, result) &&
		!(value->type == ASL_STRING && asl_parse_decimal(value->u.string.data, result)))
	{
		*error = asl_runtime_error(asl_printf("The ToleratedFailurePercentagePath field refers to value \"%s\" which is not a valid float: %s",
											  asl_value_text(value), field->path->text));
		return false;
	}
	if (!(*result >= 0 && *result <= 100))
	{
		*error = asl_runtime_error("ToleratedFailurePercentage must be between 0 and 100.");
		return false;
	}
	return true;
}

/* Applies ItemSelector to each item. */
static bool
select_items(const AslState *state, const AslFrame *frame, AslEnv *env, AslEntry *entry)
{
	const AslTemplate *selector = state->body->item_selector;
	const AslValue *context = env->context;
	bool		reads_context;
	const AslValue **selected;

	if (selector == NULL)
		return true;
	selected = asl_alloc(entry->nitems * sizeof(AslValue *));
	reads_context = asl_template_reads_context(selector);
	for (size_t i = 0; i < entry->nitems; i++)
	{
		if (reads_context)
			env->context = item_context(context, asl_int((int64_t) i), entry->item_values[i]);
		env->visits = ASL_MAX_VISITS;
		selected[i] = asl_template_eval(selector, env, &entry->error);
		if (selected[i] == NULL ||
			asl_too_large(selected[i], frame, state->name, &entry->error))
			return false;
	}
	env->context = context;
	entry->items = selected;
	return true;
}

/* Gathers the items into batches. */
static bool
batch_items(const AslState *state, const AslFrame *frame, AslEnv *env, AslEntry *entry)
{
	static const AslValue items_key = {ASL_STRING, {.string = {"Items", 5}}};
	static const AslValue input_key = {ASL_STRING, {.string = {"BatchInput", 10}}};
	const AslStateBody *body = state->body;
	const AslValue *batch_input = NULL;
	int64_t		max_items = INT64_MAX;
	int64_t		max_bytes = MAX_BATCH_BYTES;
	size_t		overhead = 12;	/* {"Items":[]} */
	AslList		batches;

	if (!body->batched)
		return true;
	if (!asl_read_count(&body->max_items_per_batch, env, "MaxItemsPerBatch", &max_items,
						&entry->error) ||
		!asl_read_count(&body->max_bytes_per_batch, env, "MaxInputBytesPerBatch", &max_bytes,
						&entry->error))
		return false;
	if (max_items == 0 || max_bytes == 0)
	{
		entry->error = asl_runtime_error("The size of a batch has to be positive.");
		return false;
	}
	/* without a bound of its own, a batch may be as large as any payload */
	if (!body->max_bytes_per_batch.given && env->limit > (size_t) max_bytes)
		max_bytes = (int64_t) env->limit;
	if (body->batch_input != NULL)
	{
		batch_input = asl_template_eval(body->batch_input, env, &entry->error);
		if (batch_input == NULL || asl_too_large(batch_input, frame, state->name, &entry->error))
			return false;
		overhead += asl_print_size(batch_input) + 14;	/* "BatchInput":, */
	}

	asl_list_init(&batches);
	for (size_t first = 0; first < entry->nitems;)
	{
		size_t		bytes = overhead;
		size_t		n = 0;
		AslMember  *members = asl_alloc(2 * sizeof(AslMember));
		int			nmembers = 0;

		while (first + n < entry->nitems && (uint64_t) n < (uint64_t) max_items)
		{
			size_t		more = asl_print_size(entry->items[first + n]) + (n > 0 ? 1 : 0);

			if (bytes + more > (size_t) max_bytes)
				break;
			bytes += more;
			n++;
		}
		if (n == 0)
		{
			entry->error.error = "States.DataLimitExceeded";
			entry->error.cause = asl_printf("Item %zu alone is larger than a batch may be.", first);
			return false;
		}
		if (batch_input != NULL)
		{
			members[nmembers].key = &input_key;
			members[nmembers++].value = batch_input;
		}
		members[nmembers].key = &items_key;
		members[nmembers++].value = asl_array(entry->items + first, n);
		asl_list_add(&batches, asl_object_of(members, nmembers));
		first += n;
	}
	entry->items = batches.items;
	entry->item_values = batches.items;
	entry->nitems = batches.n;
	return true;
}

void
asl_enter_map(const AslState *state, const AslFrame *frame, AslEnv *env, AslEntry *entry)
{
	const AslStateBody *body = state->body;
	const AslValue *items;

	entry->tolerated_count = -1;
	entry->tolerated_percentage = -1;
	entry->label = body->label;
	if (!asl_read_count(&body->max_concurrency, env, "MaxConcurrency", &entry->max_concurrency,
						&entry->error))
		return;
	items = find_items(state, env, &entry->error);
	if (items == NULL)
		return;
	entry->items = items->u.array.items;
	entry->item_values = items->u.array.items;
	entry->nitems = items->u.array.n;
	entry->map_started = true;

	if (!asl_read_count(&body->tolerated_count, env, "ToleratedFailureCount",
						&entry->tolerated_count, &entry->error) ||
		!read_percentage(&body->tolerated_percentage, env, &entry->tolerated_percentage,
						 &entry->error) ||
		!select_items(state, frame, env, entry))
		return;
	batch_items(state, frame, env, entry);
}

const AslValue *
asl_join(const AslState *state, const AslValue **outputs, size_t n)
{
	const AslValue **kept = outputs;
	size_t		nkept = 0;

	for (size_t i = 0; i < n; i++)
		if (outputs[i] != NULL)
			nkept++;
	if (nkept < n)
	{
		/* failures that were tolerated leave no result */
		kept = asl_alloc((nkept > 0 ? nkept : 1) * sizeof(AslValue *));
		nkept = 0;
		for (size_t i = 0; i < n; i++)
			if (outputs[i] != NULL)
				kept[nkept++] = outputs[i];
	}
	return asl_array(kept, nkept);
}

bool
asl_map_exceeded(const AslEntry *entry, size_t failed, size_t total)
{
	if (failed == 0)
		return false;
	if (entry->tolerated_count < 0 && entry->tolerated_percentage < 0)
		return true;
	if (entry->tolerated_count >= 0 && failed > (uint64_t) entry->tolerated_count)
		return true;
	return entry->tolerated_percentage >= 0 &&
		(double) failed * 100 > entry->tolerated_percentage * (double) total;
}

AslError
asl_map_error(void)
{
	AslError	error = {"States.ExceedToleratedFailureThreshold",
	"The specified tolerated failure threshold was exceeded"};

	return error;
}
