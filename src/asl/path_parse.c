/*
 * path_parse.c
 *	  Reading JSONPath.
 */
#include "asl/port.h"

#include "asl/filter.h"
#include "asl/json.h"
#include "asl/number.h"

typedef struct Reader
{
	const char *start;
	const char *at;
	const char *end;
	bool		prefix;			/* inside a filter: the path ends where it can go no further */
	int			depth;			/* of filters within each other */
	const char *problem;
	AslStep    *steps;
	int			nsteps;
	int			size;
} Reader;

static bool
refuse(Reader *reader, const char *problem)
{
	if (reader->problem == NULL)
		reader->problem = problem;
	return false;
}

static bool
at_char(const Reader *reader, char c)
{
	return reader->at < reader->end && *reader->at == c;
}

static void
skip_space(Reader *reader)
{
	while (at_char(reader, ' ') || at_char(reader, '\t') || at_char(reader, '\n') ||
		   at_char(reader, '\r'))
		reader->at++;
}

/* Appends a step; NULL when there are too many. */
static AslStep *
add_step(Reader *reader, AslStepKind kind)
{
	AslStep    *step;

	if (reader->nsteps == ASL_MAX_STEPS)
	{
		refuse(reader, "it has too many steps");
		return NULL;
	}
	if (reader->nsteps == reader->size)
	{
		int			size = reader->size == 0 ? 4 : reader->size * 2;

		reader->steps = asl_realloc(reader->steps, reader->size * sizeof(AslStep),
									size * sizeof(AslStep));
		reader->size = size;
	}
	step = &reader->steps[reader->nsteps++];
	memset(step, 0, sizeof(*step));
	step->kind = kind;
	return step;
}

/* Tells whether a character ends a name after a dot. */
static bool
ends_name(const Reader *reader, char c)
{
	if (c == '.' || c == '[' || c == ' ' || c == '\t' || c == '\n' || c == '\r')
		return true;
	return reader->prefix && strchr(")]=!<>&|,", c) != NULL;
}

/* Reads a name after a dot. */
static bool
read_name(Reader *reader)
{
	const char *name = reader->at;
	AslStep    *step;
	size_t		len;

	while (reader->at < reader->end && !ends_name(reader, *reader->at))
	{
		/* the call of length() */
		if (reader->prefix && *reader->at == '(' &&
			!(reader->end - reader->at >= 2 && reader->at[1] == ')'))
			break;
		if (reader->prefix && *reader->at == '(')
			reader->at++;
		reader->at++;
	}
	len = reader->at - name;
	if (len == 0)
		return refuse(reader, "a name was expected after \".\"");
	if (!reader->prefix && reader->at < reader->end && *reader->at != '.' && *reader->at != '[')
		return refuse(reader, "a name with blanks has to be written in brackets");

	if (len == 8 && memcmp(name, "length()", 8) == 0)
		return add_step(reader, ASL_STEP_LENGTH) != NULL;
	if (memchr(name, '*', len) != NULL || memchr(name, '\'', len) != NULL ||
		memchr(name, '"', len) != NULL || memchr(name, ']', len) != NULL)
		return refuse(reader, "a name with special characters has to be written in brackets");
	step = add_step(reader, ASL_STEP_NAME);
	if (step == NULL)
		return false;
	step->name = asl_string_n(name, len);
	return true;
}

/*
 * Reads a quoted name.  A backslash escapes the quote and itself, and is
 * otherwise a character like any other.
 */
static const AslValue *
read_quoted(Reader *reader)
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
		refuse(reader, "a quoted name does not end");
		return NULL;
	}
	reader->at++;
	return asl_string_n(text.data, text.len);
}

/* Reads an integer of 32 bits. */
static bool
read_int(Reader *reader, int64_t *result)
{
	const char *start = reader->at;
	size_t		len;

	if (at_char(reader, '-'))
		reader->at++;
	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
		reader->at++;
	len = reader->at - start;
	if (len == 0 || len > 11 || !asl_parse_int(asl_copy(start, len), result) ||
		*result > INT32_MAX || *result < INT32_MIN)
		return refuse(reader, "an array index is not an integer");
	return true;
}

/* Reads 'a','b'] after a bracket. */
static bool
read_names(Reader *reader)
{
	AslList		names;
	AslStep    *step;

	asl_list_init(&names);
	do
	{
		const AslValue *name;

		skip_space(reader);
		if (!at_char(reader, '\'') && !at_char(reader, '"'))
			return refuse(reader, "a quoted name was expected");
		name = read_quoted(reader);
		if (name == NULL)
			return false;
		asl_list_add(&names, name);
		skip_space(reader);
	} while (at_char(reader, ',') && reader->at++);

	step = add_step(reader, names.n == 1 ? ASL_STEP_NAME : ASL_STEP_NAMES);
	if (step == NULL)
		return false;
	step->name = names.items[0];
	step->names = names.items;
	step->n = (int) names.n;
	return true;
}

/* Reads 0] or 0,2] or 1:5] or ::2] after a bracket. */
static bool
read_indexes(Reader *reader)
{
	AslStep    *step = add_step(reader, ASL_STEP_INDEX);
	int			size = 0;

	if (step == NULL)
		return false;
	skip_space(reader);
	if (!at_char(reader, ':'))
	{
		do
		{
			int64_t		index;

			skip_space(reader);
			if (!read_int(reader, &index))
				return false;
			if (step->n == size)
			{
				int			larger = size == 0 ? 1 : size * 2;

				step->indexes = asl_realloc(step->indexes, size * sizeof(int64_t),
											larger * sizeof(int64_t));
				size = larger;
			}
			step->indexes[step->n++] = index;
			skip_space(reader);
		} while (at_char(reader, ',') && reader->at++);
		if (step->n > 1)
			step->kind = ASL_STEP_INDEXES;
	}
	if (!at_char(reader, ':') || step->n > 1)
		return true;

	step->kind = ASL_STEP_SLICE;
	step->by = 1;
	if (step->n == 1)
	{
		step->has_from = true;
		step->from = step->indexes[0];
	}
	reader->at++;
	skip_space(reader);
	if (!at_char(reader, ':') && !at_char(reader, ']'))
	{
		step->has_to = true;
		if (!read_int(reader, &step->to))
			return false;
		skip_space(reader);
	}
	if (at_char(reader, ':'))
	{
		reader->at++;
		skip_space(reader);
		if (!at_char(reader, ']') && !read_int(reader, &step->by))
			return false;
		if (step->by <= 0)
			return refuse(reader, "the step of a slice has to be positive");
	}
	return true;
}

/* Reads ?(...) after a bracket. */
static bool
read_filter(Reader *reader)
{
	AslStep    *step = add_step(reader, ASL_STEP_FILTER);
	size_t		used = 0;

	if (step == NULL)
		return false;
	reader->at++;
	skip_space(reader);
	if (!at_char(reader, '('))
		return refuse(reader, "\"(\" was expected after \"?\"");
	reader->at++;
	step->filter = asl_filter_parse(reader->at, reader->end - reader->at, &used,
									reader->depth + 1, &reader->problem);
	if (step->filter == NULL)
		return false;
	reader->at += used;
	if (!at_char(reader, ')'))
		return refuse(reader, "\")\" was expected after a filter");
	reader->at++;
	return true;
}

/* Reads what follows an opening bracket. */
static bool
read_bracket(Reader *reader)
{
	bool		good;

	skip_space(reader);
	if (at_char(reader, '\'') || at_char(reader, '"'))
		good = read_names(reader);
	else if (at_char(reader, '*'))
	{
		reader->at++;
		good = add_step(reader, ASL_STEP_ALL) != NULL;
	}
	else if (at_char(reader, '?'))
		good = read_filter(reader);
	else
		good = read_indexes(reader);
	if (!good)
		return false;
	skip_space(reader);
	if (!at_char(reader, ']'))
		return refuse(reader, "\"]\" was expected");
	reader->at++;
	return true;
}

static bool
read_steps(Reader *reader)
{
	while (reader->at < reader->end)
	{
		if (at_char(reader, '['))
		{
			reader->at++;
			if (!read_bracket(reader))
				return false;
			continue;
		}
		if (!at_char(reader, '.'))
		{
			if (reader->prefix)
				return true;
			return refuse(reader, "\".\" or \"[\" was expected");
		}
		reader->at++;
		if (at_char(reader, '.'))
		{
			reader->at++;
			if (add_step(reader, ASL_STEP_DESCEND) == NULL)
				return false;
		}
		/* a bracket may follow a dot: $.abc.['def ghi'] */
		if (at_char(reader, '['))
			continue;
		if (at_char(reader, '*'))
		{
			reader->at++;
			if (add_step(reader, ASL_STEP_ALL) == NULL)
				return false;
		}
		else if (!read_name(reader))
			return false;
	}
	return true;
}

static bool
is_name_start(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool
is_name_char(unsigned char c)
{
	return is_name_start(c) || (c >= '0' && c <= '9');
}

bool
asl_is_variable_name(const char *name, size_t len)
{
	size_t		characters = 0;

	if (len == 0 || !is_name_start(name[0]))
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (!is_name_char(name[i]))
			return false;
		if (((unsigned char) name[i] & 0xC0) != 0x80)
			characters++;
	}
	return characters <= 80;
}

/* Reads "$", "$$", "$name" or, in a filter, "@". */
static bool
read_root(Reader *reader, AslPath *path)
{
	const char *name;

	if (reader->prefix && at_char(reader, '@'))
	{
		reader->at++;
		path->root = ASL_ROOT_ITEM;
		return true;
	}
	if (!at_char(reader, '$'))
		return refuse(reader, "a path starts with \"$\"");
	reader->at++;
	if (at_char(reader, '$'))
	{
		reader->at++;
		path->root = ASL_ROOT_CONTEXT;
		return true;
	}
	name = reader->at;
	while (reader->at < reader->end && is_name_char(*reader->at))
		reader->at++;
	if (reader->at == name)
	{
		path->root = ASL_ROOT_INPUT;
		return true;
	}
	if (!asl_is_variable_name(name, reader->at - name))
		return refuse(reader, "a variable's name starts with a letter and has at most 80 characters");
	path->root = ASL_ROOT_VARIABLE;
	path->variable = asl_string_n(name, reader->at - name);
	if (asl_string_is(path->variable, "states"))
		return refuse(reader, "\"$states\" belongs to JSONata, which is not supported");
	return true;
}

static AslPath *
parse(Reader *reader, const char **problem)
{
	AslPath    *path = asl_alloc(sizeof(AslPath));

	memset(path, 0, sizeof(*path));
	if (!read_root(reader, path) || !read_steps(reader))
	{
		*problem = reader->problem;
		return NULL;
	}
	path->text = asl_copy(reader->start, reader->at - reader->start);
	path->steps = reader->steps;
	path->nsteps = reader->nsteps;
	path->definite = true;
	path->reference = true;
	for (int i = 0; i < path->nsteps; i++)
	{
		AslStep    *step = &path->steps[i];
		AslStepKind kind;

		/* what these mean depends on what stands beside them */
		if (i > 0 && step[-1].kind == ASL_STEP_DESCEND && step->kind == ASL_STEP_FILTER)
			step->kind = ASL_STEP_DEEP_FILTER;
		if (i > 0 && step[-1].kind == ASL_STEP_DESCEND && step->kind == ASL_STEP_NAMES)
			step->kind = ASL_STEP_ALL_NAMES;
		kind = step->kind;

		if (kind != ASL_STEP_NAME && kind != ASL_STEP_INDEX)
			path->reference = false;
		if (kind != ASL_STEP_NAME && kind != ASL_STEP_INDEX && kind != ASL_STEP_NAMES &&
			kind != ASL_STEP_LENGTH)
			path->definite = false;
	}
	return path;
}

AslPath *
asl_path_parse(const char *text, size_t len, const char **problem)
{
	Reader		reader = {text, text, text + len};

	return parse(&reader, problem);
}

AslPath *
asl_path_parse_prefix(const char *text, size_t len, size_t *used, int depth,
					  const char **problem)
{
	Reader		reader = {text, text, text + len, true, depth};
	AslPath    *path = parse(&reader, problem);

	*used = reader.at - text;
	return path;
}
