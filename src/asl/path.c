/*
 * path.c
 *	  Evaluating JSONPath, and putting values at reference paths.
 *
 * A path is followed one step at a time for all the values reached so far, so
 * the number of steps costs no stack.
 */
#include "asl/port.h"

#include "asl/filter.h"
#include "asl/json.h"

/* Prepares an environment for a frame in which "$" is the given input. */
void
asl_env_init(AslEnv *env, const AslFrame *frame, const AslValue *input)
{
	env->frame = frame;
	env->input = input;
	env->context = frame->context != NULL ? frame->context : asl_object();
	env->limit = frame->max_payload > 0 ? frame->max_payload : ASL_SERVICE_PAYLOAD;
	env->visits = ASL_MAX_VISITS;
	env->draws = 0;
}

/* Counts a visit; false when a path has looked at too much. */
static bool
visit(AslEnv *env)
{
	return env->visits > 0 && env->visits-- > 0;
}

/* Resolves an index from the end; -1 when it is out of bounds. */
static int64_t
resolve_index(int64_t index, size_t n)
{
	if (index < 0)
		index += (int64_t) n;
	return index >= 0 && (uint64_t) index < n ? index : -1;
}

static void
take_index(const AslValue *value, int64_t index, AslList *found)
{
	if (value->type == ASL_ARRAY && (index = resolve_index(index, value->u.array.n)) >= 0)
		asl_list_add(found, value->u.array.items[index]);
}

static void
take_slice(const AslStep *step, const AslValue *value, AslEnv *env, AslList *found)
{
	int64_t		n;
	int64_t		from;
	int64_t		to;

	if (value->type != ASL_ARRAY)
		return;
	n = (int64_t) value->u.array.n;
	from = step->has_from ? step->from : 0;
	to = step->has_to ? step->to : n;
	if (from < 0)
		from += n;
	if (to < 0)
		to += n;
	if (from < 0)
		from = 0;
	if (to > n)
		to = n;
	for (int64_t i = from; i < to && visit(env); i += step->by)
		asl_list_add(found, value->u.array.items[i]);
}

/* Takes the items of an array or the values of an object. */
static void
take_all(const AslValue *value, AslEnv *env, AslList *found)
{
	if (value->type == ASL_ARRAY)
		for (size_t i = 0; i < value->u.array.n && visit(env); i++)
			asl_list_add(found, value->u.array.items[i]);
	else if (value->type == ASL_OBJECT)
		for (size_t i = 0; i < value->u.object.n && visit(env); i++)
			asl_list_add(found, value->u.object.members[i].value);
}

/* Takes the items of an array, or an object itself, that meet a condition. */
static void
take_filtered(const AslFilter *filter, const AslValue *value, AslEnv *env, AslList *found)
{
	if (value->type == ASL_ARRAY)
	{
		for (size_t i = 0; i < value->u.array.n && visit(env); i++)
			if (asl_filter_holds(filter, env, value->u.array.items[i]))
				asl_list_add(found, value->u.array.items[i]);
	}
	else if (value->type == ASL_OBJECT)
	{
		if (visit(env) && asl_filter_holds(filter, env, value))
			asl_list_add(found, value);
	}
}

/* Takes a value and everything in it, the outer before the inner. */
static void
take_deep(const AslValue *value, AslEnv *env, AslList *found)
{
	if (!visit(env))
		return;
	asl_list_add(found, value);
	if (value->type == ASL_ARRAY)
		for (size_t i = 0; i < value->u.array.n; i++)
			take_deep(value->u.array.items[i], env, found);
	else if (value->type == ASL_OBJECT)
		for (size_t i = 0; i < value->u.object.n; i++)
			take_deep(value->u.object.members[i].value, env, found);
}

/*
 * Takes what meets a condition from what a descent goes through: objects that
 * do, each when it comes to it, and items of arrays that do themselves.  (So an
 * object in an array is taken once, though both are gone through.)
 */
static void
take_deep_filtered(const AslFilter *filter, const AslValue *value, AslEnv *env, AslList *found)
{
	if ((value->type != ASL_OBJECT && value->type != ASL_ARRAY) || !visit(env) ||
		!asl_filter_holds(filter, env, value))
		return;
	if (value->type == ASL_OBJECT)
		asl_list_add(found, value);
	else
		take_filtered(filter, value, env, found);
}

/* Takes an object of those of the named members that are there; or, for all of them, only one that has each. */
static void
take_names(const AslStep *step, const AslValue *value, AslList *found)
{
	AslBuilder	builder;

	if (value->type != ASL_OBJECT)
		return;
	asl_builder_init(&builder, step->n);
	for (int i = 0; i < step->n; i++)
	{
		const AslValue *member = asl_get_n(value, step->names[i]->u.string.data,
										   step->names[i]->u.string.len);

		if (member != NULL)
			asl_builder_put(&builder, step->names[i], member);
		else if (step->kind == ASL_STEP_ALL_NAMES)
			return;
	}
	asl_list_add(found, asl_builder_done(&builder));
}

/* Counts the characters of a string, as many as UTF-16 has units. */
int64_t
asl_string_length(const AslValue *string)
{
	int64_t		length = 0;

	for (size_t i = 0; i < string->u.string.len; i++)
	{
		unsigned char c = string->u.string.data[i];

		if ((c & 0xC0) != 0x80)
			length += c >= 0xF0 ? 2 : 1;
	}
	return length;
}

static void
take_step(const AslStep *step, const AslValue *value, AslEnv *env, AslList *found)
{
	const AslValue *member;

	switch (step->kind)
	{
		case ASL_STEP_NAME:
			member = asl_get_n(value, step->name->u.string.data, step->name->u.string.len);
			if (member != NULL)
				asl_list_add(found, member);
			break;
		case ASL_STEP_NAMES:
		case ASL_STEP_ALL_NAMES:
			take_names(step, value, found);
			break;
		case ASL_STEP_INDEX:
		case ASL_STEP_INDEXES:
			for (int i = 0; i < step->n && visit(env); i++)
				take_index(value, step->indexes[i], found);
			break;
		case ASL_STEP_SLICE:
			take_slice(step, value, env, found);
			break;
		case ASL_STEP_ALL:
			take_all(value, env, found);
			break;
		case ASL_STEP_FILTER:
			take_filtered(step->filter, value, env, found);
			break;
		case ASL_STEP_DEEP_FILTER:
			take_deep_filtered(step->filter, value, env, found);
			break;
		case ASL_STEP_DESCEND:
			take_deep(value, env, found);
			break;
		case ASL_STEP_LENGTH:
			if (value->type == ASL_ARRAY)
				asl_list_add(found, asl_int(value->u.array.n));
			else if (value->type == ASL_OBJECT)
				asl_list_add(found, asl_int(value->u.object.n));
			else if (value->type == ASL_STRING)
				asl_list_add(found, asl_int(asl_string_length(value)));
			break;
	}
}

/* Writes the first steps of a path in brackets, as the service names places. */
static char *
place_of(const AslPath *path, int nsteps)
{
	AslText		text;

	asl_text_init(&text);
	asl_text_char(&text, '$');
	for (int i = 0; i < nsteps; i++)
	{
		const AslStep *step = &path->steps[i];

		if (step->kind == ASL_STEP_NAME)
			asl_text_printf(&text, "['%s']", step->name->u.string.data);
		else if (step->kind == ASL_STEP_INDEX)
			asl_text_printf(&text, "[%lld]", (long long) step->indexes[0]);
		else if (step->kind == ASL_STEP_LENGTH)
			asl_text_puts(&text, ".length()");
		else
			asl_text_puts(&text, "[...]");
	}
	return text.data;
}

/* Says why step i of a definite path found nothing in a value. */
static const char *
explain_missing(const AslPath *path, int i, const AslValue *value)
{
	const AslStep *step = &path->steps[i];

	if (step->kind == ASL_STEP_NAME && value->type == ASL_OBJECT)
	{
		if (i + 1 == path->nsteps)
			return asl_printf("No results for path: %s", place_of(path, i + 1));
		return asl_printf("Missing property in path %s", place_of(path, i + 1));
	}
	if (step->kind == ASL_STEP_NAME)
		return asl_printf("Expected to find an object with property ['%s'] in path %s but found %s",
						  step->name->u.string.data, place_of(path, i), asl_type_name(value));
	if (step->kind == ASL_STEP_INDEX && value->type == ASL_ARRAY)
		return asl_printf("Index out of bounds when evaluating path %s", place_of(path, i + 1));
	if (step->kind == ASL_STEP_INDEX)
		return asl_printf("Filter: [%lld] can only be applied to arrays but found %s in path %s",
						  (long long) step->indexes[0], asl_type_name(value), place_of(path, i));
	return asl_printf("No results for path: %s", place_of(path, i + 1));
}

/* Returns the value of a variable, NULL when no scope has it. */
static const AslValue *
find_variable(const AslScope *scope, const AslValue *name)
{
	for (; scope != NULL; scope = scope->outer)
	{
		const AslValue *value = asl_get_n(scope->vars, name->u.string.data, name->u.string.len);

		if (value != NULL)
			return value;
	}
	return NULL;
}

static const AslValue *
root_value(const AslPath *path, AslEnv *env, const AslValue *item)
{
	switch (path->root)
	{
		case ASL_ROOT_INPUT:
			return env->input;
		case ASL_ROOT_CONTEXT:
			return env->context;
		case ASL_ROOT_VARIABLE:
			return find_variable(env->frame->scope, path->variable);
		case ASL_ROOT_ITEM:
			return item;
	}
	return NULL;
}

/* Follows a path of names and indexes, the most common kind. */
static const AslValue *
follow(const AslPath *path, const AslValue *value, const char **missing)
{
	for (int i = 0; i < path->nsteps; i++)
	{
		const AslStep *step = &path->steps[i];
		const AslValue *next = NULL;

		if (step->kind == ASL_STEP_NAME)
			next = asl_get_n(value, step->name->u.string.data, step->name->u.string.len);
		else if (value->type == ASL_ARRAY)
		{
			int64_t		index = resolve_index(step->indexes[0], value->u.array.n);

			if (index >= 0)
				next = value->u.array.items[index];
		}
		if (next == NULL)
		{
			if (missing != NULL)
				*missing = explain_missing(path, i, value);
			return NULL;
		}
		value = next;
	}
	return value;
}

static const AslValue *
evaluate(const AslPath *path, AslEnv *env, const AslValue *item, const char **missing)
{
	const AslValue *root = root_value(path, env, item);
	AslList		values;

	if (root == NULL)
	{
		if (missing != NULL)
			*missing = path->root == ASL_ROOT_VARIABLE ?
				asl_printf("The variable '$%s' is not assigned", path->variable->u.string.data) :
				"No results for path: $";
		return NULL;
	}
	if (path->reference)
		return follow(path, root, missing);

	asl_list_init(&values);
	asl_list_add(&values, root);
	for (int i = 0; i < path->nsteps; i++)
	{
		const AslStep *step = &path->steps[i];
		AslList		found;

		if ((step->kind == ASL_STEP_NAMES || step->kind == ASL_STEP_ALL_NAMES) && i + 1 < path->nsteps)
		{
			if (missing != NULL)
				*missing = asl_printf("Multi properties can only be used as path leafs: %s",
									  path->text);
			return NULL;
		}
		asl_list_init(&found);
		for (size_t j = 0; j < values.n; j++)
		{
			if (!visit(env))
			{
				if (missing != NULL)
					*missing = "The path looks at too many values";
				return NULL;
			}
			take_step(step, values.items[j], env, &found);
		}
		if (path->definite && found.n == 0)
		{
			if (missing != NULL)
				*missing = explain_missing(path, i, values.items[0]);
			return NULL;
		}
		values = found;
	}
	if (env->visits <= 0)
	{
		if (missing != NULL)
			*missing = "The path looks at too many values";
		return NULL;
	}
	return path->definite ? values.items[0] : asl_list_done(&values);
}

const AslValue *
asl_path_eval(const AslPath *path, AslEnv *env, const char **missing)
{
	return evaluate(path, env, NULL, missing);
}

const AslValue *
asl_path_eval_item(const AslPath *path, AslEnv *env, const AslValue *item)
{
	return evaluate(path, env, item, NULL);
}

/* --------------------------------------------------------------- putting */

static const AslValue *
put_at(const AslStep *steps, int nsteps, const AslValue *target, const AslValue *value)
{
	const AslValue *inner;

	if (nsteps == 0)
		return value;
	if (steps->kind == ASL_STEP_NAME)
	{
		if (target->type != ASL_OBJECT)
			return NULL;
		inner = asl_get_n(target, steps->name->u.string.data, steps->name->u.string.len);
		inner = put_at(steps + 1, nsteps - 1, inner != NULL ? inner : asl_object(), value);
		return inner == NULL ? NULL : asl_object_put(target, steps->name->u.string.data, inner);
	}
	else
	{
		const AslValue **items;
		int64_t		index;

		if (target->type != ASL_ARRAY ||
			(index = resolve_index(steps->indexes[0], target->u.array.n)) < 0)
			return NULL;
		inner = put_at(steps + 1, nsteps - 1, target->u.array.items[index], value);
		if (inner == NULL)
			return NULL;
		items = asl_alloc(target->u.array.n * sizeof(AslValue *));
		memcpy(items, target->u.array.items, target->u.array.n * sizeof(AslValue *));
		items[index] = inner;
		return asl_array(items, target->u.array.n);
	}
}

const AslValue *
asl_path_put(const AslPath *path, const AslValue *target, const AslValue *value)
{
	ASL_ASSERT(path->reference);
	return put_at(path->steps, path->nsteps, target, value);
}
