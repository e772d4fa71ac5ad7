/*
 * expr.c
 *	  Expressions: a path, or a call of an intrinsic function.
 */
#include "asl/port.h"

#include "asl/expr.h"
#include "asl/intrinsic.h"
#include "asl/json.h"

typedef struct Reader
{
	const char *at;
	const char *end;
	const char *problem;
} Reader;

static AslExpr *read_call(Reader *reader, int depth);

static AslExpr *
refuse(Reader *reader, const char *problem)
{
	if (reader->problem == NULL)
		reader->problem = problem;
	return NULL;
}

static AslExpr *
make_expr(AslExprKind kind, const char *text, size_t len)
{
	AslExpr    *expr = asl_alloc(sizeof(AslExpr));

	memset(expr, 0, sizeof(*expr));
	expr->kind = kind;
	expr->text = asl_copy(text, len);
	return expr;
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

/*
 * Reads a string in single quotes.  A backslash escapes the quote, the braces
 * and itself.  Escaped braces keep their backslash, for States.Format to tell
 * them from places; other functions never see one (see unescape_braces()).
 */
static AslExpr *
read_string(Reader *reader)
{
	const char *start = reader->at++;
	AslText		text;
	AslExpr    *expr;

	asl_text_init(&text);
	while (reader->at < reader->end && *reader->at != '\'')
	{
		if (*reader->at == '\\')
		{
			reader->at++;
			if (reader->at == reader->end)
				return refuse(reader, "a string does not end");
			if (*reader->at != '\'')
				asl_text_char(&text, '\\');
		}
		asl_text_char(&text, *reader->at++);
	}
	if (reader->at == reader->end)
		return refuse(reader, "a string does not end");
	reader->at++;
	expr = make_expr(ASL_EXPR_LITERAL, start, reader->at - start);
	expr->literal = asl_string_n(text.data, text.len);
	return expr;
}

/* Returns a string without the backslashes before braces and backslashes. */
static const AslValue *
unescape_braces(const AslValue *string)
{
	const char *data = string->u.string.data;
	size_t		len = string->u.string.len;
	AslText		text;

	if (memchr(data, '\\', len) == NULL)
		return string;
	asl_text_init(&text);
	for (size_t i = 0; i < len; i++)
	{
		if (data[i] == '\\' && i + 1 < len &&
			(data[i + 1] == '{' || data[i + 1] == '}' || data[i + 1] == '\\'))
			i++;
		asl_text_char(&text, data[i]);
	}
	return asl_string_n(text.data, text.len);
}

/* Finds the end of a path among arguments: a comma or parenthesis of the call. */
static const char *
end_of_path(const Reader *reader)
{
	const char *at = reader->at;
	int			nesting = 0;

	for (; at < reader->end; at++)
	{
		if ((*at == '\'' || *at == '"') && nesting > 0)
		{
			char		quote = *at++;

			while (at < reader->end && *at != quote)
			{
				if (*at == '\\' && at + 1 < reader->end)
					at++;
				at++;
			}
			if (at == reader->end)
				break;
		}
		else if (*at == '[' || *at == '(')
			nesting++;
		else if (*at == ']' || *at == ')')
		{
			if (nesting == 0)
				break;
			nesting--;
		}
		else if (*at == ',' && nesting == 0)
			break;
	}
	while (at > reader->at && strchr(" \t\r\n", at[-1]) != NULL)
		at--;
	return at;
}

static AslExpr *
read_path(Reader *reader, const char *end)
{
	AslExpr    *expr = make_expr(ASL_EXPR_PATH, reader->at, end - reader->at);

	expr->path = asl_path_parse(reader->at, end - reader->at, &reader->problem);
	reader->at = end;
	return expr->path == NULL ? NULL : expr;
}

static bool
read_word(Reader *reader, const char *word)
{
	size_t		len = strlen(word);

	if ((size_t) (reader->end - reader->at) < len || memcmp(reader->at, word, len) != 0)
		return false;
	if (reader->at + len < reader->end && asl_is_alnum(reader->at[len]))
		return false;
	reader->at += len;
	return true;
}

static AslExpr *
read_arg(Reader *reader, int depth)
{
	const char *start;
	AslExpr    *expr;
	size_t		len;

	skip_space(reader);
	start = reader->at;
	if (at_char(reader, '\''))
		return read_string(reader);
	if (at_char(reader, '$'))
		return read_path(reader, end_of_path(reader));
	if (reader->end - reader->at >= 7 && memcmp(reader->at, "States.", 7) == 0)
		return read_call(reader, depth + 1);

	expr = make_expr(ASL_EXPR_LITERAL, start, 0);
	if (read_word(reader, "true"))
		expr->literal = asl_bool(true);
	else if (read_word(reader, "false"))
		expr->literal = asl_bool(false);
	else if (read_word(reader, "null"))
		expr->literal = asl_null();
	else if ((len = asl_scan_number(reader->at, reader->end - reader->at)) > 0)
	{
		expr->literal = asl_number_n(reader->at, len);
		reader->at += len;
	}
	else
		return refuse(reader, "an argument has to be a path, a call, a number, true, false, null or a string in single quotes");
	expr->text = asl_copy(start, reader->at - start);
	return expr;
}

static AslExpr *
read_call(Reader *reader, int depth)
{
	const char *start = reader->at;
	AslExpr    *expr;
	int			size = 0;

	if (depth > ASL_MAX_CALLS)
		return refuse(reader, "more than 10 functions are nested");
	while (reader->at < reader->end && (asl_is_alnum(*reader->at) || *reader->at == '.'))
		reader->at++;
	expr = make_expr(ASL_EXPR_CALL, start, 0);
	expr->function = asl_find_function(start, reader->at - start);
	if (expr->function == NULL)
		return refuse(reader, asl_printf("there is no function \"%.*s\"",
										 (int) (reader->at - start > 60 ? 60 : reader->at - start),
										 start));
	skip_space(reader);
	if (!at_char(reader, '('))
		return refuse(reader, "\"(\" was expected after the name of a function");
	reader->at++;
	skip_space(reader);
	if (!at_char(reader, ')'))
	{
		do
		{
			AslExpr    *arg = read_arg(reader, depth);

			if (arg == NULL)
				return NULL;
			if (expr->nargs == size)
			{
				int			larger = size == 0 ? 4 : size * 2;

				expr->args = asl_realloc(expr->args, size * sizeof(AslExpr *),
										 larger * sizeof(AslExpr *));
				size = larger;
			}
			expr->args[expr->nargs++] = arg;
			skip_space(reader);
		} while (at_char(reader, ',') && reader->at++);
	}
	if (!at_char(reader, ')'))
		return refuse(reader, "\",\" or \")\" was expected after an argument");
	reader->at++;
	expr->text = asl_copy(start, reader->at - start);

	if (expr->nargs < expr->function->min_args ||
		(expr->function->max_args >= 0 && expr->nargs > expr->function->max_args))
		return refuse(reader, asl_printf("%s does not take %d argument%s", expr->function->name,
										 expr->nargs, expr->nargs == 1 ? "" : "s"));
	if (strcmp(expr->function->name, "States.Format") != 0)
	{
		for (int i = 0; i < expr->nargs; i++)
			if (expr->args[i]->kind == ASL_EXPR_LITERAL &&
				expr->args[i]->literal->type == ASL_STRING)
				expr->args[i]->literal = unescape_braces(expr->args[i]->literal);
	}
	else
	{
		for (int i = 1; i < expr->nargs; i++)
			if (expr->args[i]->kind == ASL_EXPR_LITERAL &&
				expr->args[i]->literal->type == ASL_STRING)
				expr->args[i]->literal = unescape_braces(expr->args[i]->literal);
	}
	return expr;
}

AslExpr *
asl_expr_parse(const char *text, size_t len, const char **problem)
{
	Reader		reader = {text, text + len};
	AslExpr    *expr;

	if (at_char(&reader, '$'))
		expr = read_path(&reader, reader.end);
	else if (len >= 7 && memcmp(text, "States.", 7) == 0)
	{
		expr = read_call(&reader, 1);
		if (expr != NULL)
		{
			skip_space(&reader);
			if (reader.at != reader.end)
				expr = refuse(&reader, "text follows the call");
		}
	}
	else
		expr = refuse(&reader, "a path that starts with \"$\" or an intrinsic function was expected");
	*problem = reader.problem;
	return expr;
}

/* ------------------------------------------------------------ evaluation */

const char *
asl_missing_cause(const AslPath *path, const char *field, AslEnv *env)
{
	if (path->root == ASL_ROOT_VARIABLE)
		return asl_printf("The variable reference '%s' specified for the field '%s' could not be resolved",
						  path->text, field);
	if (path->root == ASL_ROOT_INPUT && env->input->type == ASL_NULL)
		return "Unable to apply Path transformation to null or empty input.";
	return asl_printf("The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'",
					  path->text, field,
					  asl_excerpt(path->root == ASL_ROOT_CONTEXT ? env->context : env->input));
}

static const AslValue *
call_function(const AslExpr *expr, AslEnv *env, const char *field, AslError *error)
{
	AslCall		call = {env, NULL, expr->nargs, NULL};
	const AslValue *result;

	if (expr->nargs > 0)
		call.args = asl_alloc(expr->nargs * sizeof(AslValue *));
	for (int i = 0; i < expr->nargs; i++)
	{
		call.args[i] = asl_expr_eval(expr->args[i], env, field, error);
		if (call.args[i] == NULL)
			return NULL;
	}
	result = expr->function->call(&call);
	if (result == NULL)
	{
		error->error = "States.IntrinsicFailure";
		error->cause = asl_printf("The function '%s' had the following error: %s", expr->text,
								  call.problem);
	}
	return result;
}

const AslValue *
asl_expr_eval(const AslExpr *expr, AslEnv *env, const char *field, AslError *error)
{
	const AslValue *value = NULL;
	const char *missing = NULL;

	switch (expr->kind)
	{
		case ASL_EXPR_LITERAL:
			return expr->literal;
		case ASL_EXPR_PATH:
			/* the service takes no path, not even "$", from a null */
			if (expr->path->root != ASL_ROOT_INPUT || env->input->type != ASL_NULL)
				value = asl_path_eval(expr->path, env, &missing);
			if (value == NULL)
			{
				error->error = "States.Runtime";
				error->cause = asl_missing_cause(expr->path, field, env);
			}
			return value;
		case ASL_EXPR_CALL:
			return call_function(expr, env, field, error);
	}
	return value;
}
