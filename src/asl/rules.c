/*
 * rules.c
 *	  Reading the rules of a Choice state.
 */
#include "asl/port.h"

#include "asl/rules.h"
#include "asl/timestamp.h"

static AslRule *compile_rule(AslCompiler *compiler, const AslValue *value, int depth);

/* Reads the rules of And, Or and Not. */
static void
compile_inner(AslCompiler *compiler, const AslValue *value, const char *key, AslRule *rule,
			  int depth)
{
	const AslValue *inner = asl_get(value, key);
	size_t		place = asl_push(compiler, key);

	if (depth == ASL_MAX_RULES)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "NESTING_TOO_DEEP",
					"Rules are nested more than %d deep.", ASL_MAX_RULES);
	else if (rule->kind == ASL_RULE_NOT)
	{
		rule->n = 1;
		rule->rules = asl_alloc(sizeof(AslRule *));
		rule->rules[0] = compile_rule(compiler, inner, depth + 1);
	}
	else if (inner->type != ASL_ARRAY)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "INVALID_TYPE",
					"%s has to be an array but is %s.", key, asl_type_name(inner));
	else if (inner->u.array.n == 0)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "EMPTY_ARRAY",
					"%s needs at least one rule.", key);
	else
	{
		rule->n = inner->u.array.n;
		rule->rules = asl_alloc(rule->n * sizeof(AslRule *));
		for (size_t i = 0; i < rule->n; i++)
		{
			size_t		at = asl_push_index(compiler, i);

			rule->rules[i] = compile_rule(compiler, inner->u.array.items[i], depth + 1);
			asl_pop(compiler, at);
		}
	}
	asl_pop(compiler, place);
}

/* Reads what a test compares with. */
static void
compile_operand(AslCompiler *compiler, const AslValue *value, const char *key, bool path,
				AslRule *rule)
{
	int64_t		microseconds;

	if (path)
	{
		rule->path = asl_member_path(compiler, value, key);
		return;
	}
	switch (rule->operator->operand)
	{
		case ASL_OPERAND_NUMBER:
			rule->value = asl_member(compiler, value, key, ASL_NUMBER);
			break;
		case ASL_OPERAND_BOOLEAN:
		case ASL_OPERAND_KIND:
			rule->value = asl_member(compiler, value, key, ASL_BOOL);
			break;
		case ASL_OPERAND_STRING:
		case ASL_OPERAND_PATTERN:
			rule->value = asl_member(compiler, value, key, ASL_STRING);
			break;
		case ASL_OPERAND_TIMESTAMP:
			rule->value = asl_member(compiler, value, key, ASL_STRING);
			if (rule->value != NULL &&
				!asl_parse_timestamp(rule->value->u.string.data, &microseconds))
				asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "INVALID_TIMESTAMP",
							   "A timestamp looks like 2024-08-18T17:33:00Z.");
			break;
	}
}

static AslRule *
compile_rule(AslCompiler *compiler, const AslValue *value, int depth)
{
	AslRule    *rule = asl_alloc(sizeof(AslRule));
	int			noperators = 0;

	memset(rule, 0, sizeof(*rule));
	rule->kind = ASL_RULE_AND;
	if (value->type != ASL_OBJECT)
	{
		asl_problem(compiler, ASL_PROBLEM_ERROR, "INVALID_TYPE",
					"A rule has to be an object but is %s.", asl_type_name(value));
		return rule;
	}
	for (size_t i = 0; i < value->u.object.n; i++)
	{
		const char *key = value->u.object.members[i].key->u.string.data;
		const AslOperator *operator;
		bool		path;

		if (strcmp(key, "Variable") == 0 || strcmp(key, "Comment") == 0)
			continue;
		if (strcmp(key, "Next") == 0 || strcmp(key, "Assign") == 0)
		{
			if (depth > 1)
				asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "UNKNOWN_FIELD",
							   "A rule within another has no field %s.", key);
			continue;
		}
		if (strcmp(key, "Condition") == 0 || strcmp(key, "Output") == 0)
		{
			asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "JSONATA_NOT_SUPPORTED",
						   "JSONata is not supported: the field %s belongs to it.", key);
			noperators++;
			continue;
		}

		operator = asl_find_operator(key, &path);
		if (strcmp(key, "And") == 0)
			rule->kind = ASL_RULE_AND;
		else if (strcmp(key, "Or") == 0)
			rule->kind = ASL_RULE_OR;
		else if (strcmp(key, "Not") == 0)
			rule->kind = ASL_RULE_NOT;
		else if (operator == NULL)
		{
			asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "UNKNOWN_FIELD",
						   "A rule has no field or operator %s.", key);
			continue;
		}
		else
			rule->kind = ASL_RULE_TEST;
		if (++noperators > 1)
			continue;
		rule->field = key;
		rule->operator = operator;
		if (operator == NULL)
			compile_inner(compiler, value, key, rule, depth);
		else
			compile_operand(compiler, value, key, path, rule);
	}
	if (noperators == 0)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "MISSING_FIELD", "The rule has no operator.");
	else if (noperators > 1)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "CONFLICTING_FIELDS",
					"The rule has more than one operator.");

	if (rule->operator != NULL)
	{
		rule->variable = asl_member_path(compiler, value, "Variable");
		if (asl_get(value, "Variable") == NULL)
			asl_missing(compiler, "Variable");
	}
	else if (asl_get(value, "Variable") != NULL)
		asl_problem_at(compiler, "Variable", ASL_PROBLEM_ERROR, "UNKNOWN_FIELD",
					   "A rule of rules has no field Variable.");
	return rule;
}

void
asl_compile_choices(AslCompiler *compiler, AslState *state, const AslValue *value)
{
	AslStateBody *body = state->body;
	const AslValue *choices = asl_member(compiler, value, "Choices", ASL_ARRAY);
	size_t		place;

	body->default_next = asl_member_string(compiler, value, "Default");
	if (asl_get(value, "Choices") == NULL)
		asl_missing(compiler, "Choices");
	if (choices == NULL)
		return;
	place = asl_push(compiler, "Choices");
	if (choices->u.array.n == 0)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "EMPTY_ARRAY",
					"A Choice state has at least one rule.");
	else
		body->rules = asl_alloc(choices->u.array.n * sizeof(AslRule *));
	for (size_t i = 0; i < choices->u.array.n; i++)
	{
		const AslValue *item = choices->u.array.items[i];
		size_t		at = asl_push_index(compiler, i);
		AslRule    *rule = compile_rule(compiler, item, 1);

		if (item->type == ASL_OBJECT)
		{
			rule->next = asl_member_string(compiler, item, "Next");
			if (asl_get(item, "Next") == NULL)
				asl_missing(compiler, "Next");
			rule->assign = asl_member_assign(compiler, item);
			asl_member_string(compiler, item, "Comment");
		}
		body->rules[body->nrules++] = rule;
		asl_pop(compiler, at);
	}
	asl_pop(compiler, place);
}
