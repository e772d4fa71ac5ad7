/*
 * choice.c
 *	  The rules of a Choice state.
 */
#include "asl/port.h"

#include "asl/choice.h"
#include "asl/timestamp.h"

static const AslOperator operators[] =
{
	{"BooleanEquals", ASL_OPERAND_BOOLEAN, ASL_TEST_EQUAL, true},
	{"IsBoolean", ASL_OPERAND_KIND, ASL_TEST_BOOLEAN, false},
	{"IsNull", ASL_OPERAND_KIND, ASL_TEST_NULL, false},
	{"IsNumeric", ASL_OPERAND_KIND, ASL_TEST_NUMERIC, false},
	{"IsPresent", ASL_OPERAND_KIND, ASL_TEST_PRESENT, false},
	{"IsString", ASL_OPERAND_KIND, ASL_TEST_STRING, false},
	{"IsTimestamp", ASL_OPERAND_KIND, ASL_TEST_TIMESTAMP, false},
	{"NumericEquals", ASL_OPERAND_NUMBER, ASL_TEST_EQUAL, true},
	{"NumericGreaterThan", ASL_OPERAND_NUMBER, ASL_TEST_GREATER, true},
	{"NumericGreaterThanEquals", ASL_OPERAND_NUMBER, ASL_TEST_GREATER_EQUAL, true},
	{"NumericLessThan", ASL_OPERAND_NUMBER, ASL_TEST_LESS, true},
	{"NumericLessThanEquals", ASL_OPERAND_NUMBER, ASL_TEST_LESS_EQUAL, true},
	{"StringEquals", ASL_OPERAND_STRING, ASL_TEST_EQUAL, true},
	{"StringGreaterThan", ASL_OPERAND_STRING, ASL_TEST_GREATER, true},
	{"StringGreaterThanEquals", ASL_OPERAND_STRING, ASL_TEST_GREATER_EQUAL, true},
	{"StringLessThan", ASL_OPERAND_STRING, ASL_TEST_LESS, true},
	{"StringLessThanEquals", ASL_OPERAND_STRING, ASL_TEST_LESS_EQUAL, true},
	{"StringMatches", ASL_OPERAND_PATTERN, ASL_TEST_EQUAL, false},
	{"TimestampEquals", ASL_OPERAND_TIMESTAMP, ASL_TEST_EQUAL, true},
	{"TimestampGreaterThan", ASL_OPERAND_TIMESTAMP, ASL_TEST_GREATER, true},
	{"TimestampGreaterThanEquals", ASL_OPERAND_TIMESTAMP, ASL_TEST_GREATER_EQUAL, true},
	{"TimestampLessThan", ASL_OPERAND_TIMESTAMP, ASL_TEST_LESS, true},
	{"TimestampLessThanEquals", ASL_OPERAND_TIMESTAMP, ASL_TEST_LESS_EQUAL, true},
};

const AslOperator *
asl_find_operator(const char *field, bool *path)
{
	size_t		len = strlen(field);

	*path = len > 4 && strcmp(field + len - 4, "Path") == 0;
	if (*path)
		len -= 4;
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (strlen(operators[i].name) == len && memcmp(operators[i].name, field, len) == 0 &&
			(!*path || operators[i].has_path))
			return &operators[i];
	return NULL;
}

bool
asl_matches(const char *text, const char *pattern)
{
	const char *star = NULL;	/* after the last "*" seen */
	const char *resume = NULL;	/* where that "*" may be made longer */

	while (*text != '\0')
	{
		char		literal = *pattern;
		int			width = 1;

		if (*pattern == '*')
		{
			star = ++pattern;
			resume = text;
			continue;
		}
		if (*pattern == '\\' && (pattern[1] == '*' || pattern[1] == '\\'))
		{
			literal = pattern[1];
			width = 2;
		}
		if (literal == *text)
		{
			text++;
			pattern += width;
		}
		else if (star != NULL)
		{
			pattern = star;
			text = ++resume;
		}
		else
			return false;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool
is_timestamp(const AslValue *value, int64_t *microseconds)
{
	return value->type == ASL_STRING &&
		strlen(value->u.string.data) == value->u.string.len &&
		asl_parse_timestamp(value->u.string.data, microseconds);
}

/* Tells whether a value, which is there, is what is asked for. */
static bool
is_kind(const AslValue *value, AslTest test)
{
	int64_t		microseconds;

	switch (test)
	{
		case ASL_TEST_PRESENT:
			return true;
		case ASL_TEST_NULL:
			return value->type == ASL_NULL;
		case ASL_TEST_STRING:
			return value->type == ASL_STRING;
		case ASL_TEST_NUMERIC:
			return value->type == ASL_NUMBER;
		case ASL_TEST_BOOLEAN:
			return value->type == ASL_BOOL;
		case ASL_TEST_TIMESTAMP:
			return is_timestamp(value, &microseconds);
		default:
			return false;
	}
}

static bool
order_passes(AslTest test, int order)
{
	switch (test)
	{
		case ASL_TEST_EQUAL:
			return order == 0;
		case ASL_TEST_LESS:
			return order < 0;
		case ASL_TEST_LESS_EQUAL:
			return order <= 0;
		case ASL_TEST_GREATER:
			return order > 0;
		case ASL_TEST_GREATER_EQUAL:
			return order >= 0;
		default:
			return false;
	}
}

/* Compares two values; values of the wrong type pass no test. */
static bool
compare(const AslOperator *operator, const AslValue *a, const AslValue *b)
{
	int64_t		at;
	int64_t		bt;

	switch (operator->operand)
	{
		case ASL_OPERAND_STRING:
			return a->type == ASL_STRING && b->type == ASL_STRING &&
				order_passes(operator->test, asl_string_compare(a, b));
		case ASL_OPERAND_NUMBER:
			return a->type == ASL_NUMBER && b->type == ASL_NUMBER &&
				order_passes(operator->test, asl_number_compare(a, b));
		case ASL_OPERAND_BOOLEAN:
			return a->type == ASL_BOOL && b->type == ASL_BOOL &&
				a->u.boolean == b->u.boolean;
		case ASL_OPERAND_TIMESTAMP:
			return is_timestamp(a, &at) && is_timestamp(b, &bt) &&
				order_passes(operator->test, at < bt ? -1 : at > bt ? 1 : 0);
		case ASL_OPERAND_PATTERN:
			return a->type == ASL_STRING && b->type == ASL_STRING &&
				asl_matches(a->u.string.data, b->u.string.data);
		case ASL_OPERAND_KIND:
			return is_kind(a, operator->test) == b->u.boolean;
	}
	return false;
}

/* Returns the value at a path, which has to be there. */
static const AslValue *
value_at(const AslPath *path, AslEnv *env, AslError *error)
{
	const AslValue *value = asl_path_eval(path, env, NULL);

	if (value == NULL)
	{
		error->error = "States.Runtime";
		error->cause = asl_printf("Invalid path '%s': The choice state's condition path references an invalid value.",
								  path->text);
	}
	return value;
}

static bool
test_holds(const AslRule *rule, AslEnv *env, AslError *error)
{
	const AslValue *value;
	const AslValue *other = rule->value;

	if (rule->operator->operand == ASL_OPERAND_KIND && rule->operator->test == ASL_TEST_PRESENT)
		return (asl_path_eval(rule->variable, env, NULL) != NULL) == rule->value->u.boolean;

	value = value_at(rule->variable, env, error);
	if (value == NULL)
		return false;
	if (rule->path != NULL)
	{
		other = value_at(rule->path, env, error);
		if (other == NULL)
			return false;
	}
	return compare(rule->operator, value, other);
}

bool
asl_rule_holds(const AslRule *rule, AslEnv *env, AslError *error)
{
	bool		holds;

	switch (rule->kind)
	{
		case ASL_RULE_AND:
			for (size_t i = 0; i < rule->n; i++)
				if (!asl_rule_holds(rule->rules[i], env, error))
					return false;
			return true;
		case ASL_RULE_OR:
			for (size_t i = 0; i < rule->n; i++)
			{
				holds = asl_rule_holds(rule->rules[i], env, error);
				if (holds || error->error != NULL)
					return holds;
			}
			return false;
		case ASL_RULE_NOT:
			holds = asl_rule_holds(rule->rules[0], env, error);
			return error->error == NULL && !holds;
		case ASL_RULE_TEST:
			return test_holds(rule, env, error);
	}
	return false;
}
