/*
 * compile.c
 *	  Reading a definition: the place that is being read, and what is wrong
 *	  there.
 */
#include "asl/port.h"

#include "asl/compile.h"

size_t
asl_push(AslCompiler *compiler, const char *key)
{
	size_t		place = compiler->place.len;

	asl_text_push(&compiler->place, key);
	return place;
}

size_t
asl_push_index(AslCompiler *compiler, size_t index)
{
	size_t		place = compiler->place.len;

	asl_text_printf(&compiler->place, "/%zu", index);
	return place;
}

void
asl_pop(AslCompiler *compiler, size_t place)
{
	asl_text_cut(&compiler->place, place);
}

/* -------------------------------------------------------------- problems */

void
asl_problem_in(AslCompiler *compiler, const char *location, AslSeverity severity,
			   const char *code, const char *message)
{
	AslProblem *problem = asl_alloc(sizeof(AslProblem));

	problem->severity = severity;
	problem->code = code;
	problem->location = location;
	problem->message = message;
	problem->next = NULL;
	if (compiler->last != NULL)
		compiler->last->next = problem;
	else
		compiler->first = problem;
	compiler->last = problem;
	if (severity == ASL_PROBLEM_ERROR)
		compiler->nerrors++;
}

static char *format_message(const char *format, va_list args) ASL_PRINTF(1, 0);

static char *
format_message(const char *format, va_list args)
{
	va_list		again;
	int			len;
	char	   *message;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	message = asl_alloc((size_t) len + 1);
	vsnprintf(message, (size_t) len + 1, format, again);
	va_end(again);
	return message;
}

void
asl_problem(AslCompiler *compiler, AslSeverity severity, const char *code,
			const char *format,...)
{
	va_list		args;
	char	   *message;

	va_start(args, format);
	message = format_message(format, args);
	va_end(args);
	asl_problem_in(compiler, asl_copy(compiler->place.data, compiler->place.len), severity,
				   code, message);
}

void
asl_problem_at(AslCompiler *compiler, const char *key, AslSeverity severity,
			   const char *code, const char *format,...)
{
	size_t		place = asl_push(compiler, key);
	va_list		args;
	char	   *message;

	va_start(args, format);
	message = format_message(format, args);
	va_end(args);
	asl_problem_in(compiler, asl_copy(compiler->place.data, compiler->place.len), severity,
				   code, message);
	asl_pop(compiler, place);
}

/* --------------------------------------------------------------- members */

const AslValue *
asl_member(AslCompiler *compiler, const AslValue *object, const char *key, AslType type)
{
	static const char *const names[] =
	{
		[ASL_NULL] = "null",
		[ASL_BOOL] = "a boolean",
		[ASL_NUMBER] = "a number",
		[ASL_STRING] = "a string",
		[ASL_ARRAY] = "an array",
		[ASL_OBJECT] = "an object",
	};
	const AslValue *value = asl_get(object, key);

	if (value == NULL || value->type == type)
		return value;
	asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "INVALID_TYPE",
				   "%s has to be %s but is %s.", key, names[type], asl_type_name(value));
	return NULL;
}

const char *
asl_member_string(AslCompiler *compiler, const AslValue *object, const char *key)
{
	const AslValue *value = asl_member(compiler, object, key, ASL_STRING);

	return value == NULL ? NULL : value->u.string.data;
}

void
asl_missing(AslCompiler *compiler, const char *key)
{
	asl_problem(compiler, ASL_PROBLEM_ERROR, "MISSING_FIELD", "The field %s is missing.", key);
}

/* ----------------------------------------------------------------- paths */

static void
note_use(AslCompiler *compiler, const char *name, bool assigned)
{
	AslVariableUse *use;

	if (compiler->nuses == compiler->uses_size)
	{
		size_t		size = compiler->uses_size == 0 ? 16 : compiler->uses_size * 2;

		compiler->uses = asl_realloc(compiler->uses,
									 compiler->uses_size * sizeof(AslVariableUse),
									 size * sizeof(AslVariableUse));
		compiler->uses_size = size;
	}
	use = &compiler->uses[compiler->nuses++];
	use->name = name;
	use->location = asl_copy(compiler->place.data, compiler->place.len);
	use->machine = compiler->machine;
	use->assigned = assigned;
}

void
asl_note_path(AslCompiler *compiler, const AslPath *path)
{
	if (path->root == ASL_ROOT_VARIABLE)
		note_use(compiler, path->variable->u.string.data, false);
}

void
asl_note_expr(AslCompiler *compiler, const AslExpr *expr)
{
	if (expr->kind == ASL_EXPR_PATH)
		asl_note_path(compiler, expr->path);
	for (int i = 0; i < expr->nargs; i++)
		asl_note_expr(compiler, expr->args[i]);
}

/* Reads a string as a path; NULL when it is none, which is told. */
static AslPath *
read_path(AslCompiler *compiler, const char *key, const AslValue *value)
{
	size_t		place = asl_push(compiler, key);
	const char *problem = NULL;
	AslPath    *path = NULL;

	if (value->type != ASL_STRING)
		asl_problem(compiler, ASL_PROBLEM_ERROR, "INVALID_TYPE",
					"%s has to be a string but is %s.", key, asl_type_name(value));
	else
	{
		path = asl_path_parse(value->u.string.data, value->u.string.len, &problem);
		if (path == NULL)
			asl_problem(compiler, ASL_PROBLEM_ERROR, "INVALID_PATH",
						"The path is not valid: %s.", problem);
		else
			asl_note_path(compiler, path);
	}
	asl_pop(compiler, place);
	return path;
}

AslPath *
asl_member_path(AslCompiler *compiler, const AslValue *object, const char *key)
{
	const AslValue *value = asl_get(object, key);

	return value == NULL ? NULL : read_path(compiler, key, value);
}

void
asl_member_path_field(AslCompiler *compiler, const AslValue *object, const char *key,
					  AslPathField *field)
{
	const AslValue *value = asl_get(object, key);

	if (value == NULL)
		return;
	field->given = true;
	if (value->type != ASL_NULL)
		field->path = read_path(compiler, key, value);
}

void
asl_member_result_path(AslCompiler *compiler, const AslValue *object, AslPathField *field)
{
	asl_member_path_field(compiler, object, "ResultPath", field);
	if (field->path != NULL &&
		(!field->path->reference || field->path->root != ASL_ROOT_INPUT))
		asl_problem_at(compiler, "ResultPath", ASL_PROBLEM_ERROR, "INVALID_REFERENCE_PATH",
					   "ResultPath has to be a reference path: \"$\" and then only names and array indexes.");
}

/* ------------------------------------------------------------- templates */

static void
template_problem(const char *code, const char *place, const char *message, void *arg)
{
	AslCompiler *compiler = arg;

	asl_problem_in(compiler, asl_printf("%s%s", compiler->place.data, place),
				   ASL_PROBLEM_ERROR, code, message);
}

static void
note_template(const char *place, const AslExpr *expr, void *arg)
{
	AslCompiler *compiler = arg;
	size_t		len = compiler->place.len;

	asl_text_puts(&compiler->place, place);
	asl_note_expr(compiler, expr);
	asl_pop(compiler, len);
}

AslTemplate *
asl_member_template(AslCompiler *compiler, const AslValue *object, const char *key)
{
	const AslValue *value = asl_get(object, key);
	AslTemplate *template;
	size_t		place;

	if (value == NULL)
		return NULL;
	place = asl_push(compiler, key);
	template = asl_template_parse(value, template_problem, note_template, compiler);
	asl_pop(compiler, place);
	return template;
}

AslTemplate *
asl_member_assign(AslCompiler *compiler, const AslValue *object)
{
	const AslValue *value = asl_member(compiler, object, "Assign", ASL_OBJECT);
	size_t		place;

	if (value == NULL)
		return NULL;
	place = asl_push(compiler, "Assign");
	for (size_t i = 0; i < value->u.object.n; i++)
	{
		const AslValue *key = value->u.object.members[i].key;
		size_t		len = key->u.string.len;
		size_t		inner = asl_push(compiler, key->u.string.data);

		if (len >= 2 && memcmp(key->u.string.data + len - 2, ".$", 2) == 0)
			len -= 2;
		if (!asl_is_variable_name(key->u.string.data, len) ||
			(len == 6 && memcmp(key->u.string.data, "states", 6) == 0))
			asl_problem(compiler, ASL_PROBLEM_ERROR, "INVALID_VARIABLE_NAME",
						"A variable's name starts with a letter, has letters, digits and underscores, at most 80, and is not \"states\".");
		else
			note_use(compiler, asl_copy(key->u.string.data, len), true);
		asl_pop(compiler, inner);
	}
	asl_pop(compiler, place);
	return asl_member_template(compiler, object, "Assign");
}

/* ------------------------------------------------------- numbers and texts */

/* Tells that a field and its path are both given. */
static bool
both_given(AslCompiler *compiler, const AslValue *object, const char *key, const char *path_key)
{
	if (path_key == NULL || asl_get(object, key) == NULL || asl_get(object, path_key) == NULL)
		return false;
	asl_problem(compiler, ASL_PROBLEM_ERROR, "CONFLICTING_FIELDS",
				"%s and %s cannot both be given.", key, path_key);
	return true;
}

void
asl_member_number(AslCompiler *compiler, const AslValue *object, const char *key,
				  const char *path_key, AslBounds bounds, AslNumberField *field)
{
	const AslValue *value;
	int64_t		integer;

	if (both_given(compiler, object, key, path_key))
		return;
	if (path_key != NULL && asl_get(object, path_key) != NULL)
	{
		field->path = asl_member_path(compiler, object, path_key);
		field->given = field->path != NULL;
		return;
	}
	value = asl_member(compiler, object, key, ASL_NUMBER);
	if (value == NULL)
		return;
	asl_as_double(value, &field->value);
	field->given = true;
	if (bounds.integral && !asl_is_int(value, &integer))
		asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "INVALID_TYPE",
					   "%s has to be an integer.", key);
	else if (!(field->value >= bounds.min && field->value <= bounds.max))
		asl_problem_at(compiler, key, ASL_PROBLEM_ERROR, "INVALID_VALUE",
					   "%s has to be between %.10g and %.10g.", key, bounds.min, bounds.max);
}

void
asl_member_text(AslCompiler *compiler, const AslValue *object, const char *key,
				const char *path_key, AslTextField *field)
{
	const char *text;
	const char *problem = NULL;
	size_t		place;

	if (both_given(compiler, object, key, path_key))
		return;
	field->text = asl_member_string(compiler, object, key);
	text = asl_member_string(compiler, object, path_key);
	if (text == NULL)
		return;
	place = asl_push(compiler, path_key);
	field->expr = asl_expr_parse(text, strlen(text), &problem);
	if (field->expr == NULL)
	{
		bool		call = strncmp(text, "States.", 7) == 0;

		asl_problem(compiler, ASL_PROBLEM_ERROR, call ? "INVALID_INTRINSIC" : "INVALID_PATH",
					"The %s is not valid: %s.",
					call ? "intrinsic function call" : "path", problem);
	}
	else
		asl_note_expr(compiler, field->expr);
	asl_pop(compiler, place);
}
