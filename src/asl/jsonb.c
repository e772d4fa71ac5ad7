/*
 * jsonb.c
 *	  Values from and to the server's jsonb.
 */
#include "asl/port.h"

#ifndef ASL_STANDALONE

#include "asl/jsonb.h"
#include "asl/value.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* What is being built on one level. */
typedef struct Level
{
	bool		is_array;
	AslList		items;
	AslBuilder	members;
	const AslValue *key;		/* of the member whose value comes next */
} Level;

static const AslValue *
from_scalar(const JsonbValue *scalar)
{
	switch (scalar->type)
	{
		case jbvNull:
			return asl_null();
		case jbvBool:
			return asl_bool(scalar->val.boolean);
		case jbvString:
			return asl_string_n(scalar->val.string.val, scalar->val.string.len);
		case jbvNumeric:
			{
				char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out,
																	   NumericGetDatum(scalar->val.numeric)));

				return asl_number_n(text, strlen(text));
			}
		default:
			elog(ERROR, "unexpected jsonb scalar of type %d", (int) scalar->type);
			return NULL;		/* keep the compiler quiet */
	}
}

/* Adds a value to the level that it stands on. */
static void
add_to(Level *level, const AslValue *value)
{
	if (level->is_array)
		asl_list_add(&level->items, value);
	else
		asl_builder_put(&level->members, level->key, value);
}

bool
asl_jsonb_too_deep(Jsonb *jsonb)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	found;
	int			depth = 0;

	/* each level takes a header and an entry: most values are too small to be deep */
	if (VARSIZE(jsonb) < ASL_MAX_DEPTH * (sizeof(uint32) + sizeof(JEntry)))
		return false;
	iterator = JsonbIteratorInit(&jsonb->root);
	while ((token = JsonbIteratorNext(&iterator, &found, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
		{
			if (++depth >= ASL_MAX_DEPTH)
				return true;
		}
		else if (token == WJB_END_ARRAY || token == WJB_END_OBJECT)
			depth--;
	}
	return false;
}

const AslValue *
asl_from_jsonb(Jsonb *jsonb)
{
	JsonbIterator *iterator = JsonbIteratorInit(&jsonb->root);
	Level	   *levels = palloc((ASL_MAX_DEPTH + 1) * sizeof(Level));
	const AslValue *value = NULL;
	bool		scalar = false;
	int			depth = 0;
	JsonbIteratorToken token;
	JsonbValue	found;

	while ((token = JsonbIteratorNext(&iterator, &found, false)) != WJB_DONE)
	{
		value = NULL;
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
			case WJB_BEGIN_OBJECT:
				if (token == WJB_BEGIN_ARRAY && found.val.array.rawScalar)
				{
					scalar = true;
					break;
				}
				if (++depth >= ASL_MAX_DEPTH)
					ereport(ERROR,
							(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
							 errmsg("json value is nested too deeply"),
							 errdetail("Arrays and objects can be nested %d deep.",
									   ASL_MAX_DEPTH - 1)));
				levels[depth].is_array = token == WJB_BEGIN_ARRAY;
				asl_list_init(&levels[depth].items);
				asl_builder_init(&levels[depth].members,
								 token == WJB_BEGIN_OBJECT ? found.val.object.nPairs : 0);
				break;
			case WJB_KEY:
				levels[depth].key = from_scalar(&found);
				break;
			case WJB_ELEM:
			case WJB_VALUE:
				value = from_scalar(&found);
				break;
			case WJB_END_ARRAY:
				if (scalar)
					break;
				value = asl_list_done(&levels[depth--].items);
				break;
			case WJB_END_OBJECT:
				/* jsonb has no duplicate keys */
				value = levels[depth].members.n == 0 ? asl_object() :
					asl_object_of(levels[depth].members.members, levels[depth].members.n);
				depth--;
				break;
			default:
				elog(ERROR, "unexpected jsonb token %d", (int) token);
		}
		if (value != NULL && depth > 0)
			add_to(&levels[depth], value);
		else if (value != NULL)
			break;
	}
	pfree(levels);
	return value;
}

static void
push_scalar(JsonbParseState **state, JsonbIteratorToken token, const AslValue *value,
			JsonbValue **result)
{
	JsonbValue	scalar;

	switch (value->type)
	{
		case ASL_NULL:
			scalar.type = jbvNull;
			break;
		case ASL_BOOL:
			scalar.type = jbvBool;
			scalar.val.boolean = value->u.boolean;
			break;
		case ASL_NUMBER:
			scalar.type = jbvNumeric;
			scalar.val.numeric =
				DatumGetNumeric(DirectFunctionCall3(numeric_in,
													CStringGetDatum(value->u.number.text),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
			break;
		default:
			scalar.type = jbvString;
			/* copied when the jsonb is made, and not written to before */
			scalar.val.string.val = unconstify(char *, value->u.string.data);
			scalar.val.string.len = (int) value->u.string.len;
			break;
	}
	if (*state == NULL)
	{
		/* a jsonb that is a scalar is an array of it inside */
		JsonbValue	array;

		array.type = jbvArray;
		array.val.array.rawScalar = true;
		array.val.array.nElems = 1;
		pushJsonbValue(state, WJB_BEGIN_ARRAY, &array);
		pushJsonbValue(state, WJB_ELEM, &scalar);
		*result = pushJsonbValue(state, WJB_END_ARRAY, NULL);
	}
	else
		*result = pushJsonbValue(state, token, &scalar);
}

/* Pushes a value; the depth of values is bounded. */
static void
push_value(JsonbParseState **state, JsonbIteratorToken token, const AslValue *value,
		   JsonbValue **result)
{
	switch (value->type)
	{
		case ASL_ARRAY:
			pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
			for (size_t i = 0; i < value->u.array.n; i++)
				push_value(state, WJB_ELEM, value->u.array.items[i], result);
			*result = pushJsonbValue(state, WJB_END_ARRAY, NULL);
			break;
		case ASL_OBJECT:
			pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
			for (size_t i = 0; i < value->u.object.n; i++)
			{
				push_scalar(state, WJB_KEY, value->u.object.members[i].key, result);
				push_value(state, WJB_VALUE, value->u.object.members[i].value, result);
			}
			*result = pushJsonbValue(state, WJB_END_OBJECT, NULL);
			break;
		default:
			push_scalar(state, token, value, result);
			break;
	}
}

Jsonb *
asl_to_jsonb(const AslValue *value)
{
	JsonbParseState *state = NULL;
	JsonbValue *result = NULL;

	push_value(&state, WJB_ELEM, value, &result);
	return JsonbValueToJsonb(result);
}

#endif							/* !ASL_STANDALONE */
