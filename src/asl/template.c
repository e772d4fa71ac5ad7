/*
 * template.c
 *	  Payload templates: JSON in which "name.$" takes the value of a path or
 *	  of an intrinsic function.
 */
#include "asl/port.h"

#include "asl/json.h"
#include "asl/template.h"

typedef enum TemplateKind
{
	TEMPLATE_CONSTANT,			/* nothing in it changes */
	TEMPLATE_EXPR,
	TEMPLATE_ARRAY,
	TEMPLATE_OBJECT
} TemplateKind;

struct AslTemplate
{
	TemplateKind kind;
	const AslValue *constant;
	const char *field;			/* EXPR: the key as written */
	AslExpr    *expr;
	const AslValue **keys;		/* OBJECT: without ".$" */
	AslTemplate **children;		/* ARRAY, OBJECT */
	size_t		n;
};

typedef struct Parser
{
	AslTemplateProblem problem;
	AslTemplateNote note;
	void	   *arg;
	AslText		place;
} Parser;

static AslTemplate *parse(Parser *parser, const AslValue *value);

static AslTemplate *
make_template(TemplateKind kind)
{
	AslTemplate *template = asl_alloc(sizeof(AslTemplate));

	memset(template, 0, sizeof(*template));
	template->kind = kind;
	return template;
}

static AslTemplate *
make_constant(const AslValue *value)
{
	AslTemplate *template = make_template(TEMPLATE_CONSTANT);

	template->constant = value;
	return template;
}

static bool
is_dynamic(const AslValue *key)
{
	size_t		len = key->u.string.len;

	return len >= 2 && memcmp(key->u.string.data + len - 2, ".$", 2) == 0;
}

static AslTemplate *
parse_dynamic(Parser *parser, const AslValue *key, const AslValue *value)
{
	AslTemplate *template;
	const char *problem = NULL;

	if (value->type != ASL_STRING)
	{
		parser->problem("INVALID_TYPE", parser->place.data,
						"The value of a field whose name ends in \".$\" has to be a string.",
						parser->arg);
		return make_constant(value);
	}
	template = make_template(TEMPLATE_EXPR);
	template->field = key->u.string.data;
	template->expr = asl_expr_parse(value->u.string.data, value->u.string.len, &problem);
	if (template->expr == NULL)
	{
		bool		call = strncmp(value->u.string.data, "States.", 7) == 0;

		parser->problem(call ? "INVALID_INTRINSIC" : "INVALID_PATH", parser->place.data,
						asl_printf("The %s is not valid: %s.",
								   call ? "intrinsic function call" : "path", problem),
						parser->arg);
		return make_constant(value);
	}
	parser->note(parser->place.data, template->expr, parser->arg);
	return template;
}

static AslTemplate *
parse_object(Parser *parser, const AslValue *value)
{
	size_t		n = value->u.object.n;
	size_t		len = parser->place.len;
	AslTemplate *template = make_template(TEMPLATE_OBJECT);
	AslBuilder	names;
	bool		constant = true;

	if (n == 0)
		return make_constant(value);
	template->keys = asl_alloc(n * sizeof(AslValue *));
	template->children = asl_alloc(n * sizeof(AslTemplate *));
	template->n = n;
	asl_builder_init(&names, n);
	for (size_t i = 0; i < n; i++)
	{
		const AslMember *member = &value->u.object.members[i];
		bool		dynamic = is_dynamic(member->key);

		asl_text_push(&parser->place, member->key->u.string.data);
		template->keys[i] = !dynamic ? member->key :
			asl_string_n(member->key->u.string.data, member->key->u.string.len - 2);
		template->children[i] = dynamic ? parse_dynamic(parser, member->key, member->value) :
			parse(parser, member->value);
		if (dynamic || template->children[i]->kind != TEMPLATE_CONSTANT)
			constant = false;
		asl_builder_put(&names, template->keys[i], member->value);
		asl_text_cut(&parser->place, len);
	}
	if (constant)
		return make_constant(value);
	if (asl_builder_done(&names)->u.object.n < n)
		parser->problem("DUPLICATE_FIELD", parser->place.data,
						"A field is given both with and without \".$\".", parser->arg);
	return template;
}

static AslTemplate *
parse_array(Parser *parser, const AslValue *value)
{
	size_t		n = value->u.array.n;
	size_t		len = parser->place.len;
	AslTemplate *template = make_template(TEMPLATE_ARRAY);
	bool		constant = true;

	if (n == 0)
		return make_constant(value);
	template->children = asl_alloc(n * sizeof(AslTemplate *));
	template->n = n;
	for (size_t i = 0; i < n; i++)
	{
		asl_text_printf(&parser->place, "/%zu", i);
		template->children[i] = parse(parser, value->u.array.items[i]);
		if (template->children[i]->kind != TEMPLATE_CONSTANT)
			constant = false;
		asl_text_cut(&parser->place, len);
	}
	return constant ? make_constant(value) : template;
}

static AslTemplate *
parse(Parser *parser, const AslValue *value)
{
	if (value->type == ASL_OBJECT)
		return parse_object(parser, value);
	if (value->type == ASL_ARRAY)
		return parse_array(parser, value);
	return make_constant(value);
}

AslTemplate *
asl_template_parse(const AslValue *value, AslTemplateProblem problem, AslTemplateNote note,
				   void *arg)
{
	Parser		parser = {problem, note, arg};

	asl_text_init(&parser.place);
	return parse(&parser, value);
}

const AslValue *
asl_template_eval(const AslTemplate *template, AslEnv *env, AslError *error)
{
	switch (template->kind)
	{
		case TEMPLATE_CONSTANT:
			return template->constant;
		case TEMPLATE_EXPR:
			return asl_expr_eval(template->expr, env, template->field, error);
		case TEMPLATE_ARRAY:
			{
				const AslValue **items = asl_alloc(template->n * sizeof(AslValue *));

				for (size_t i = 0; i < template->n; i++)
				{
					items[i] = asl_template_eval(template->children[i], env, error);
					if (items[i] == NULL)
						return NULL;
				}
				return asl_array(items, template->n);
			}
		case TEMPLATE_OBJECT:
			{
				AslMember  *members = asl_alloc(template->n * sizeof(AslMember));

				for (size_t i = 0; i < template->n; i++)
				{
					members[i].key = template->keys[i];
					members[i].value = asl_template_eval(template->children[i], env, error);
					if (members[i].value == NULL)
						return NULL;
				}
				return asl_object_of(members, template->n);
			}
	}
	return NULL;
}

static bool
expr_reads_context(const AslExpr *expr)
{
	if (expr->kind == ASL_EXPR_PATH)
		/* a filter may read it without being rooted there */
		return expr->path->root == ASL_ROOT_CONTEXT || !expr->path->definite;
	for (int i = 0; i < expr->nargs; i++)
		if (expr_reads_context(expr->args[i]))
			return true;
	return false;
}

bool
asl_template_reads_context(const AslTemplate *template)
{
	if (template->kind == TEMPLATE_EXPR)
		return expr_reads_context(template->expr);
	for (size_t i = 0; i < template->n; i++)
		if (asl_template_reads_context(template->children[i]))
			return true;
	return false;
}
