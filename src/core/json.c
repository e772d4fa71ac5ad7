/*
 * json.c
 *	  Short ways into and out of jsonb.
 */
#include "postgres.h"

#include "core/id.h"
#include "core/json.h"
#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/numeric.h"

bool
vouch_json_is_object(Jsonb *value)
{
	return JB_ROOT_IS_OBJECT(value);
}

bool
vouch_json_is_array(Jsonb *value)
{
	return JB_ROOT_IS_ARRAY(value) && !JB_ROOT_IS_SCALAR(value);
}

int
vouch_json_array_length(Jsonb *value)
{
	return vouch_json_is_array(value) ? JB_ROOT_COUNT(value) : 0;
}

static JsonbValue *
find(Jsonb *object, const char *key)
{
	JsonbValue	k;

	if (!JB_ROOT_IS_OBJECT(object))
		return NULL;
	k.type = jbvString;
	k.val.string.val = (char *) key;
	k.val.string.len = strlen(key);
	return findJsonbValueFromContainer(&object->root, JB_FOBJECT, &k);
}

char *
vouch_json_get_text(Jsonb *object, const char *key)
{
	JsonbValue *v = find(object, key);

	if (v == NULL || v->type == jbvNull)
		return NULL;
	if (v->type == jbvString)
		return pnstrdup(v->val.string.val, v->val.string.len);
	return vouch_json_to_text(JsonbValueToJsonb(v));
}

Jsonb *
vouch_json_get(Jsonb *object, const char *key)
{
	JsonbValue *v = find(object, key);

	return v == NULL ? NULL : JsonbValueToJsonb(v);
}

Jsonb *
vouch_json_from_text(const char *json)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

char *
vouch_json_to_text(Jsonb *value)
{
	return JsonbToCString(NULL, &value->root, VARSIZE(value));
}

char *
vouch_json_time_text(TimestampTz value)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (TIMESTAMP_NOT_FINITE(value) ||
		timestamp2tm(value, NULL, &tm, &fsec, NULL, NULL) != 0)
		return pstrdup(TIMESTAMP_IS_NOBEGIN(value) ? "-infinity" : "infinity");
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
					tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec, (int) fsec);
}

void
vouch_json_begin(VouchJsonBuild *build)
{
	build->state = NULL;
	(void) pushJsonbValue(&build->state, WJB_BEGIN_OBJECT, NULL);
}

static void
put_key(VouchJsonBuild *build, const char *key)
{
	JsonbValue	k;

	k.type = jbvString;
	k.val.string.val = pstrdup(key);
	k.val.string.len = strlen(key);
	(void) pushJsonbValue(&build->state, WJB_KEY, &k);
}

void
vouch_json_put_null(VouchJsonBuild *build, const char *key)
{
	JsonbValue	v;

	put_key(build, key);
	v.type = jbvNull;
	(void) pushJsonbValue(&build->state, WJB_VALUE, &v);
}

void
vouch_json_put_text(VouchJsonBuild *build, const char *key, const char *value)
{
	JsonbValue	v;

	if (value == NULL)
	{
		vouch_json_put_null(build, key);
		return;
	}
	put_key(build, key);
	v.type = jbvString;
	v.val.string.val = pstrdup(value);
	v.val.string.len = strlen(value);
	(void) pushJsonbValue(&build->state, WJB_VALUE, &v);
}

void
vouch_json_put_int(VouchJsonBuild *build, const char *key, int64 value)
{
	JsonbValue	v;

	put_key(build, key);
	v.type = jbvNumeric;
	v.val.numeric = int64_to_numeric(value);
	(void) pushJsonbValue(&build->state, WJB_VALUE, &v);
}

void
vouch_json_put_bool(VouchJsonBuild *build, const char *key, bool value)
{
	JsonbValue	v;

	put_key(build, key);
	v.type = jbvBool;
	v.val.boolean = value;
	(void) pushJsonbValue(&build->state, WJB_VALUE, &v);
}

void
vouch_json_put_time(VouchJsonBuild *build, const char *key, TimestampTz value)
{
	vouch_json_put_text(build, key, vouch_json_time_text(value));
}

void
vouch_json_put_uuid(VouchJsonBuild *build, const char *key, const pg_uuid_t *value)
{
	vouch_json_put_text(build, key, value == NULL ? NULL : vouch_id_text(value));
}

void
vouch_json_put(VouchJsonBuild *build, const char *key, Jsonb *value)
{
	JsonbValue	v;

	if (value == NULL)
	{
		vouch_json_put_null(build, key);
		return;
	}
	put_key(build, key);
	if (JB_ROOT_IS_SCALAR(value))
	{
		(void) JsonbExtractScalar(&value->root, &v);
		(void) pushJsonbValue(&build->state, WJB_VALUE, &v);
		return;
	}
	v.type = jbvBinary;
	v.val.binary.data = &value->root;
	v.val.binary.len = VARSIZE(value) - VARHDRSZ;
	(void) pushJsonbValue(&build->state, WJB_VALUE, &v);
}

Jsonb *
vouch_json_end(VouchJsonBuild *build)
{
	return JsonbValueToJsonb(pushJsonbValue(&build->state, WJB_END_OBJECT, NULL));
}

Jsonb *
vouch_json_array(Jsonb **elements, int n)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
	{
		JsonbValue	v;

		if (JB_ROOT_IS_SCALAR(elements[i]))
			(void) JsonbExtractScalar(&elements[i]->root, &v);
		else
		{
			v.type = jbvBinary;
			v.val.binary.data = &elements[i]->root;
			v.val.binary.len = VARSIZE(elements[i]) - VARHDRSZ;
		}
		(void) pushJsonbValue(&state, WJB_ELEM, &v);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

Jsonb *
vouch_json_strings(const char **values, int n)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
	{
		JsonbValue	v;

		v.type = jbvString;
		v.val.string.val = pstrdup(values[i]);
		v.val.string.len = strlen(values[i]);
		(void) pushJsonbValue(&state, WJB_ELEM, &v);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

bool
vouch_json_contains(Jsonb *whole, Jsonb *part)
{
	JsonbIterator *have = JsonbIteratorInit(&whole->root);
	JsonbIterator *want = JsonbIteratorInit(&part->root);

	return JB_ROOT_IS_OBJECT(whole) == JB_ROOT_IS_OBJECT(part) && JsonbDeepContains(&have, &want);
}

static void
push_elements(JsonbParseState **state, JsonbContainer *array)
{
	JsonbIterator *it = JsonbIteratorInit(array);
	JsonbIteratorToken token;
	JsonbValue	v;

	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
		if (token == WJB_ELEM)
			(void) pushJsonbValue(state, WJB_ELEM, &v);
}

static bool
is_container(const JsonbValue *v, uint32 kind)
{
	return v->type == jbvBinary && (v->val.binary.data->header & kind) != 0;
}

static JsonbValue *
push_merged(JsonbParseState **state, JsonbContainer *a, JsonbContainer *b)
{
	JsonbIterator *it = JsonbIteratorInit(a);
	JsonbIteratorToken token;
	JsonbValue	key,
				value;

	check_stack_depth();
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		JsonbValue *other;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&it, &value, true);
		other = findJsonbValueFromContainer(b, JB_FOBJECT, &key);
		(void) pushJsonbValue(state, WJB_KEY, &key);
		if (other != NULL && is_container(&value, JB_FOBJECT) && is_container(other, JB_FOBJECT))
			(void) push_merged(state, value.val.binary.data, other->val.binary.data);
		else if (other != NULL && is_container(&value, JB_FARRAY) && is_container(other, JB_FARRAY))
		{
			(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
			push_elements(state, value.val.binary.data);
			push_elements(state, other->val.binary.data);
			(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
		}
		else
			(void) pushJsonbValue(state, WJB_VALUE, other != NULL ? other : &value);
	}
	it = JsonbIteratorInit(b);
	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&it, &value, true);
		if (findJsonbValueFromContainer(a, JB_FOBJECT, &key) != NULL)
			continue;
		(void) pushJsonbValue(state, WJB_KEY, &key);
		(void) pushJsonbValue(state, WJB_VALUE, &value);
	}
	return pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

Jsonb *
vouch_json_merge(Jsonb *a, Jsonb *b)
{
	JsonbParseState *state = NULL;

	return JsonbValueToJsonb(push_merged(&state, &a->root, &b->root));
}
