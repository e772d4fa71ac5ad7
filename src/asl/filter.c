/*
 * filter.c
 *	  The condition of a JSONPath filter: [?(@.a > 1 && @.b)].
 *
 * Comparisons follow the library that the service reads paths with: a number
 * equals the string of its digits, order is only known between two numbers or
 * two strings, and what a path does not find equals nothing.
 */
#include "asl/port.h"

#include "asl/filter.h"
#include "asl/json.h"
#include "asl/number.h"
#include "asl/regex.h"

typedef enum FilterKind
{
	FILTER_OR,
	FILTER_AND,
	FILTER_NOT,
	FILTER_EXISTS,
	FILTER_COMPARE,
	FILTER_REGEX
} FilterKind;

typedef enum Comparison
{
	EQUAL,
	NOT_EQUAL,
	LESS,
	LESS_EQUAL,
	GREATER,
	GREATER_EQUAL,
	IN,
	NOT_IN,
	ALL_OF,
	ANY_OF,
	NONE_OF,
	SUBSET_OF,
	CONTAINS,
	EMPTY,
	SIZE
} Comparison;

/* A path or a literal. */
typedef struct Operand
{
	AslPath    *path;
	const AslValue *literal;
} Operand;

struct AslFilter
{
	FilterKind	kind;
	AslFilter  *left;			/* OR, AND, NOT */
	AslFilter  *right;			/* OR, AND */
	Operand		a;				/* EXISTS, COMPARE, REGEX */
	Operand		b;				/* COMPARE */
	Comparison	comparison;
	AslRegex   *regex;
};

static const struct
{
	const char *text;
	Comparison	comparison;
	bool		word;
}			comparisons[] =
{
	/* longer ones first */
	{"==", EQUAL, false},
	{"!=", NOT_EQUAL, false},
	{"<=", LESS_EQUAL, false},
	{">=", GREATER_EQUAL, false},
	{"<", LESS, false},
	{">", GREATER, false},
	{"in", IN, true},
	{"nin", NOT_IN, true},
	{"all", ALL_OF, true},
	{"anyof", ANY_OF, true},
	{"noneof", NONE_OF, true},
	{"subsetof", SUBSET_OF, true},
	{"contains", CONTAINS, true},
	{"empty", EMPTY, true},
	{"size", SIZE, true},
};

typedef struct Reader
{
	const char *at;
	const char *end;
	int			depth;
	const char *problem;
} Reader;

static AslFilter *read_or(Reader *reader);

static AslFilter *
refuse(Reader *reader, const char *problem)
{
	if (reader->problem == NULL)
		reader->problem = problem;
	return NULL;
}

static AslFilter *
make_filter(FilterKind kind, AslFilter *left, AslFilter *right)
{
	AslFilter  *filter = asl_alloc(sizeof(AslFilter));

	memset(filter, 0, sizeof(*filter));
	filter->kind = kind;
	filter->left = left;
	filter->right = right;
	return filter;
}

static void
skip_space(Reader *reader)
{
	while (reader->at < reader->end &&
		   (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r'))
		reader->at++;
}

/* Reads a text if it comes next. */
static bool
read_text(Reader *reader, const char *text, bool word)
{
	size_t		len = strlen(text);

	skip_space(reader);
	if ((size_t) (reader->end - reader->at) < len || memcmp(reader->at, text, len) != 0)
		return false;
	if (word && reader->at + len < reader->end &&
		(asl_is_alnum(reader->at[len]) || reader->at[len] == '_'))
		return false;
	reader->at += len;
	return true;
}

/* Reads a literal that is no array; NULL when there is none. */
static const AslValue *
read_scalar(Reader *reader)
{
	size_t		len;

	if (read_text(reader, "true", true))
		return asl_bool(true);
	if (read_text(reader, "false", true))
		return asl_bool(false);
	if (read_text(reader, "null", true))
		return asl_null();

	skip_space(reader);
	if (reader->at < reader->end && (*reader->at == '\'' || *reader->at == '"'))
	{
		char		quote = *reader->at++;
		AslText		text;

		asl_text_init(&text);
		while (reader->at < reader->end && *reader->at != quote)
		{
			if (*reader->at == '\\' && reader->at + 1 < reader->end &&
				(reader->at[1] == quote || reader->at[1] == '\\'))
				reader->at++;
			asl_text_char(&text, *reader->at++);
		}
		if (reader->at == reader->end)
		{
			refuse(reader, "a string in a filter does not end");
			return NULL;
		}
		reader->at++;
		return asl_string_n(text.data, text.len);
	}

	len = asl_scan_number(reader->at, reader->end - reader->at);
	if (len > 0)
	{
		const AslValue *number = asl_number_n(reader->at, len);

		reader->at += len;
		return number;
	}
	refuse(reader, "a path or a value was expected in a filter");
	return NULL;
}

static const AslValue *
read_literal(Reader *reader)
{
	AslList		list;

	if (!read_text(reader, "[", false))
		return read_scalar(reader);
	asl_list_init(&list);
	if (read_text(reader, "]", false))
		return asl_list_done(&list);
	do
	{
		const AslValue *item = read_scalar(reader);

		if (item == NULL)
			return NULL;
		asl_list_add(&list, item);
	} while (read_text(reader, ",", false));
	if (!read_text(reader, "]", false))
	{
		refuse(reader, "\"]\" was expected in a filter");
		return NULL;
	}
	return asl_list_done(&list);
}

static bool
read_operand(Reader *reader, Operand *operand)
{
	skip_space(reader);
	if (reader->at < reader->end && (*reader->at == '@' || *reader->at == '$'))
	{
		size_t		used = 0;

		operand->path = asl_path_parse_prefix(reader->at, reader->end - reader->at, &used,
											  reader->depth, &reader->problem);
		reader->at += used;
		return operand->path != NULL;
	}
	operand->literal = read_literal(reader);
	return operand->literal != NULL;
}

/* Reads /pattern/ or /pattern/i. */
static AslFilter *
read_regex(Reader *reader, AslFilter *filter)
{
	const char *pattern;
	const char *end;
	bool		ignore_case = false;

	if (!read_text(reader, "/", false))
		return refuse(reader, "a regular expression between slashes was expected after \"=~\"");
	pattern = reader->at;
	while (reader->at < reader->end && *reader->at != '/')
		reader->at += *reader->at == '\\' && reader->at + 1 < reader->end ? 2 : 1;
	if (reader->at == reader->end)
		return refuse(reader, "a regular expression does not end");
	end = reader->at++;
	if (reader->at < reader->end && *reader->at == 'i')
	{
		ignore_case = true;
		reader->at++;
	}
	filter->kind = FILTER_REGEX;
	filter->regex = asl_regex_parse(pattern, end - pattern, ignore_case, &reader->problem);
	return filter->regex == NULL ? NULL : filter;
}

static AslFilter *
read_test(Reader *reader)
{
	AslFilter  *filter;

	if (read_text(reader, "(", false))
	{
		if (++reader->depth > ASL_MAX_FILTERS)
			return refuse(reader, "filters are nested too deeply");
		filter = read_or(reader);
		reader->depth--;
		if (filter != NULL && !read_text(reader, ")", false))
			return refuse(reader, "\")\" was expected in a filter");
		return filter;
	}
	skip_space(reader);
	if (reader->at < reader->end && *reader->at == '!')
	{
		reader->at++;
		if (++reader->depth > ASL_MAX_FILTERS)
			return refuse(reader, "filters are nested too deeply");
		filter = read_test(reader);
		reader->depth--;
		return filter == NULL ? NULL : make_filter(FILTER_NOT, filter, NULL);
	}

	filter = make_filter(FILTER_EXISTS, NULL, NULL);
	if (!read_operand(reader, &filter->a))
		return NULL;
	if (read_text(reader, "=~", false))
		return read_regex(reader, filter);
	for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++)
	{
		if (read_text(reader, comparisons[i].text, comparisons[i].word))
		{
			filter->kind = FILTER_COMPARE;
			filter->comparison = comparisons[i].comparison;
			return read_operand(reader, &filter->b) ? filter : NULL;
		}
	}
	if (filter->a.path == NULL)
		return refuse(reader, "a comparison was expected in a filter");
	return filter;
}

static AslFilter *
read_and(Reader *reader)
{
	AslFilter  *filter = read_test(reader);

	while (filter != NULL && read_text(reader, "&&", false))
	{
		AslFilter  *right = read_test(reader);

		filter = right == NULL ? NULL : make_filter(FILTER_AND, filter, right);
	}
	return filter;
}

static AslFilter *
read_or(Reader *reader)
{
	AslFilter  *filter = read_and(reader);

	while (filter != NULL && read_text(reader, "||", false))
	{
		AslFilter  *right = read_and(reader);

		filter = right == NULL ? NULL : make_filter(FILTER_OR, filter, right);
	}
	return filter;
}

AslFilter *
asl_filter_parse(const char *text, size_t len, size_t *used, int depth, const char **problem)
{
	Reader		reader = {text, text + len, depth};
	AslFilter  *filter = NULL;

	if (depth > ASL_MAX_FILTERS)
		refuse(&reader, "filters are nested too deeply");
	else
		filter = read_or(&reader);
	skip_space(&reader);
	*used = reader.at - text;
	*problem = reader.problem;
	return filter;
}

/* ------------------------------------------------------------ evaluation */

/* Returns what an operand stands for; NULL when a path finds nothing. */
static const AslValue *
operand_value(const Operand *operand, AslEnv *env, const AslValue *item)
{
	if (operand->path == NULL)
		return operand->literal;
	return asl_path_eval_item(operand->path, env, item);
}

/* Reads a string as the number that it may be compared with. */
static bool
string_as_number(const AslValue *string, double *number)
{
	return asl_parse_decimal(string->u.string.data, number);
}

static bool
values_equal(const AslValue *a, const AslValue *b)
{
	double		number;
	double		other;

	/* what is not there equals nothing, not even what else is not there */
	if (a == NULL || b == NULL)
		return false;
	if (a->type == ASL_NUMBER && b->type == ASL_STRING)
		return asl_as_double(a, &number) && string_as_number(b, &other) && number == other;
	if (a->type == ASL_STRING && b->type == ASL_NUMBER)
		return strcmp(a->u.string.data, b->u.number.text) == 0;
	return asl_equal(a, b);
}

/* Tells whether the order of two values is known, and gives it. */
static bool
values_order(const AslValue *a, const AslValue *b, int *order)
{
	if (a == NULL || b == NULL || a->type != b->type)
		return false;
	if (a->type == ASL_NUMBER)
		*order = asl_number_compare(a, b);
	else if (a->type == ASL_STRING)
		*order = asl_string_compare(a, b);
	else
		return false;
	return true;
}

static bool
is_among(const AslValue *value, const AslValue *list, AslEnv *env)
{
	if (value == NULL || list == NULL || list->type != ASL_ARRAY)
		return false;
	for (size_t i = 0; i < list->u.array.n && env->visits > 0; i++)
	{
		env->visits--;
		if (values_equal(value, list->u.array.items[i]))
			return true;
	}
	return false;
}

/* Counts the items of a list that are among those of another; -1 when one is no list. */
static int64_t
count_among(const AslValue *list, const AslValue *others, AslEnv *env)
{
	int64_t		n = 0;

	if (list == NULL || list->type != ASL_ARRAY || others == NULL || others->type != ASL_ARRAY)
		return -1;
	for (size_t i = 0; i < list->u.array.n; i++)
		if (is_among(list->u.array.items[i], others, env))
			n++;
	return n;
}

/* Returns the length of a string, array or object; -1 for others. */
static int64_t
size_of(const AslValue *value)
{
	if (value == NULL)
		return -1;
	switch (value->type)
	{
		case ASL_STRING:
			return asl_string_length(value);
		case ASL_ARRAY:
			return (int64_t) value->u.array.n;
		case ASL_OBJECT:
			return (int64_t) value->u.object.n;
		default:
			return -1;
	}
}

static bool
comparison_holds(Comparison comparison, const AslValue *a, const AslValue *b, AslEnv *env)
{
	int			order;
	int64_t		size;

	switch (comparison)
	{
		case EQUAL:
			return values_equal(a, b);
		case NOT_EQUAL:
			return !values_equal(a, b);
		case LESS:
			return values_order(a, b, &order) && order < 0;
		case LESS_EQUAL:
			return values_order(a, b, &order) && order <= 0;
		case GREATER:
			return values_order(a, b, &order) && order > 0;
		case GREATER_EQUAL:
			return values_order(a, b, &order) && order >= 0;
		case IN:
			return is_among(a, b, env);
		case NOT_IN:
			return !is_among(a, b, env);
		case ALL_OF:
			size = count_among(b, a, env);
			return size >= 0 && (size_t) size == b->u.array.n;
		case ANY_OF:
			return count_among(a, b, env) > 0;
		case NONE_OF:
			return count_among(a, b, env) == 0;
		case SUBSET_OF:
			size = count_among(a, b, env);
			return size >= 0 && (size_t) size == a->u.array.n;
		case CONTAINS:
			if (a != NULL && a->type == ASL_STRING && b != NULL && b->type == ASL_STRING)
				return strstr(a->u.string.data, b->u.string.data) != NULL;
			return is_among(b, a, env);
		case EMPTY:
			return b != NULL && b->type == ASL_BOOL && (size_of(a) == 0) == b->u.boolean;
		case SIZE:
			/* an object has none */
			return b != NULL && asl_is_int(b, &size) && a != NULL && a->type != ASL_OBJECT &&
				size_of(a) == size;
	}
	return false;
}

/* Tells whether a value, as text, is what a regular expression describes. */
static bool
regex_holds(const AslRegex *regex, const AslValue *value, AslEnv *env)
{
	const char *text;

	if (value == NULL)
		return false;
	switch (value->type)
	{
		case ASL_STRING:
			return asl_regex_matches(regex, value->u.string.data, value->u.string.len,
									 &env->visits);
		case ASL_NUMBER:
			text = value->u.number.text;
			break;
		case ASL_BOOL:
			text = value->u.boolean ? "true" : "false";
			break;
		default:
			return false;
	}
	return asl_regex_matches(regex, text, strlen(text), &env->visits);
}

/* Tells whether an item meets the condition. */
bool
asl_filter_holds(const AslFilter *filter, AslEnv *env, const AslValue *item)
{
	switch (filter->kind)
	{
		case FILTER_OR:
			return asl_filter_holds(filter->left, env, item) ||
				asl_filter_holds(filter->right, env, item);
		case FILTER_AND:
			return asl_filter_holds(filter->left, env, item) &&
				asl_filter_holds(filter->right, env, item);
		case FILTER_NOT:
			return !asl_filter_holds(filter->left, env, item);
		case FILTER_EXISTS:
			{
				const AslValue *found = operand_value(&filter->a, env, item);

				if (found == NULL)
					return false;
				/* of many places, one has to be there */
				return filter->a.path->definite || found->u.array.n > 0;
			}
		case FILTER_COMPARE:
			return comparison_holds(filter->comparison, operand_value(&filter->a, env, item),
									operand_value(&filter->b, env, item), env);
		case FILTER_REGEX:
			return regex_holds(filter->regex, operand_value(&filter->a, env, item), env);
	}
	return false;
}
