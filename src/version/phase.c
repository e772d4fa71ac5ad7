/*
 * phase.c
 *	  Finds phases by what people call them, and reads their item schemas.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/json.h"
#include "core/stmt.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/varlena.h"
#include "version/phase.h"
#include "version/version.h"

/* What a schema, and a property of one, may have.  title and description are for readers. */
static const char *const schema_fields[] = {"required", "properties", "title", "description"};
static const char *const property_fields[] = {"type", "enum", "title", "description"};

VOUCH_FUNCTION(vouch_sql_check_item_schema);
VOUCH_FUNCTION(vouch_sql_phase_key);

static VouchStmt find_phase = {
	"SELECT p.phase, p.label, p.versioned, p.item_key, p.source_key, p.default_source, p.max_revisions, p.item_schema"
	" FROM vouch_data.phase p, vouch_data.phase_name($1) AS wanted"
	" WHERE wanted IN (p.phase, vouch_data.phase_name(p.label))"
	" ORDER BY p.phase = wanted DESC LIMIT 1",
	SPI_OK_SELECT, 1, {TEXTOID}
};

static VouchStmt list_phases = {
	"SELECT phase, label, vouch_data.phase_name(label), vouch_data.phase_name($1) FROM vouch_data.phase ORDER BY phase_no, phase",
	SPI_OK_SELECT, 1, {TEXTOID}
};

static const struct
{
	const char *name;
	int			bit;
}			json_types[] = {
	{"string", VOUCH_JSON_STRING},
	{"number", VOUCH_JSON_NUMBER},
	{"integer", VOUCH_JSON_INTEGER},
	{"boolean", VOUCH_JSON_BOOLEAN},
	{"object", VOUCH_JSON_OBJECT},
	{"array", VOUCH_JSON_ARRAY},
	{"null", VOUCH_JSON_NULL},
};

static void
raise_unknown(const char *phase)
{
	StringInfoData known;
	Datum		args[1] = {CStringGetTextDatum(phase)};
	uint64		n = vouch_stmt_run(&list_phases, args, NULL);
	const char *wanted = n > 0 ? vouch_stmt_get_text(0, 4) : phase;
	const char *nearest = NULL;
	int			best = INT_MAX;
	int			len = pg_mbcliplen(wanted, strlen(wanted), 200);

	initStringInfo(&known);
	for (uint64 i = 0; i < n; i++)
	{
		char	   *key = vouch_stmt_get_text(i, 1);
		char	   *label = vouch_stmt_get_text(i, 2);
		char	   *names[2];

		names[0] = key;
		names[1] = vouch_stmt_get_text(i, 3);
		appendStringInfo(&known, "%s%s", i > 0 ? ", " : "", label);
		for (int j = 0; j < 2; j++)
		{
			int			distance = varstr_levenshtein(wanted, len, names[j],
													  strlen(names[j]), 1, 1, 1, true);

			/* what was typed may be only the start or a part of the name */
			if (len >= 3 && strstr(names[j], wanted) != NULL)
				distance = Min(distance, 1);
			if (distance < best)
			{
				best = distance;
				nearest = label;
			}
		}
	}
	if (best > Max(len / 2, 2))
		nearest = NULL;
	ereport(ERROR,
			(errcode(VOUCH_ERR_UNKNOWN_PHASE),
			 errmsg("there is no phase \"%s\"", phase),
			 errdetail("The phases are %s.", known.data),
			 nearest != NULL ? errhint("Did you mean \"%s\"?", nearest) :
			 errhint("Pass one of these, or its key, in any case; vouch.define_phase() makes a new one.")));
}

static void
bad_schema(const char *what)
{
	ereport(ERROR,
			(errcode(VOUCH_ERR_ARGUMENT),
			 errmsg("the item schema is not valid"),
			 errdetail("%s", what),
			 errhint("Write {\"required\": [\"a\", …], \"properties\": {\"a\": {\"type\": \"string\" or [\"string\", \"null\"], \"enum\": [\"x\", …]}, …}}.")));
}

/* A misspelled word of a schema would check nothing: only what is known may be in it. */
static void
only_fields(Jsonb *object, const char *place, const char *const *known, int n)
{
	JsonbIterator *it = JsonbIteratorInit(&object->root);
	JsonbValue	v;
	JsonbIteratorToken token;
	StringInfoData names;

	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		bool		found = false;

		if (token != WJB_KEY)
			continue;
		for (int i = 0; i < n; i++)
			found |= strlen(known[i]) == v.val.string.len &&
				memcmp(known[i], v.val.string.val, v.val.string.len) == 0;
		if (found)
			continue;
		initStringInfo(&names);
		for (int i = 0; i < n; i++)
			appendStringInfo(&names, "%s%s", i == 0 ? "" : i == n - 1 ? " and " : ", ", known[i]);
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("the item schema is not valid"),
				 errdetail("%s has a field \"%.*s\", which would check nothing.", place,
						   pg_mbcliplen(v.val.string.val, v.val.string.len, 80), v.val.string.val),
				 errhint("The fields that are known there are %s.", names.data)));
	}
}

static VouchField *
field_of(VouchPhase *phase, const char *name, int len)
{
	VouchField *field;

	for (int i = 0; i < phase->nfields; i++)
		if (phase->fields[i].len == len && memcmp(phase->fields[i].name, name, len) == 0)
			return &phase->fields[i];
	phase->fields = phase->fields == NULL ? palloc(sizeof(VouchField)) :
		repalloc(phase->fields, sizeof(VouchField) * (phase->nfields + 1));
	field = &phase->fields[phase->nfields++];
	memset(field, 0, sizeof(*field));
	field->name = pnstrdup(name, len);
	field->len = len;
	field->types = VOUCH_JSON_ANY;
	return field;
}

static int
type_bit(const JsonbValue *v)
{
	if (v->type == jbvString)
		for (int i = 0; i < lengthof(json_types); i++)
			if (strlen(json_types[i].name) == v->val.string.len &&
				memcmp(json_types[i].name, v->val.string.val, v->val.string.len) == 0)
				return json_types[i].bit;
	bad_schema("A type is one of string, number, integer, boolean, object, array and null.");
	return 0;					/* not reached */
}

static void
read_property(VouchPhase *phase, const JsonbValue *name, Jsonb *rules)
{
	VouchField *field = field_of(phase, name->val.string.val, name->val.string.len);
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;
	Jsonb	   *part;

	if (!vouch_json_is_object(rules))
		bad_schema(psprintf("Property \"%s\" is not described by an object.", field->name));
	only_fields(rules, psprintf("$.properties.%s", field->name), property_fields, lengthof(property_fields));
	part = vouch_json_get(rules, "type");
	if (part != NULL)
	{
		/* a scalar is iterated as an array of one */
		field->types = 0;
		it = JsonbIteratorInit(&part->root);
		while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
			if (token == WJB_ELEM)
				field->types |= type_bit(&v);
		if (field->types == 0)
			bad_schema(psprintf("Property \"%s\" has no type.", field->name));
	}
	part = vouch_json_get(rules, "enum");
	if (part != NULL)
	{
		if (vouch_json_array_length(part) == 0)
			bad_schema(psprintf("The enum of property \"%s\" is not an array of strings.", field->name));
		field->values = palloc(sizeof(char *) * vouch_json_array_length(part));
		it = JsonbIteratorInit(&part->root);
		while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
			if (token == WJB_ELEM)
			{
				if (v.type != jbvString)
					bad_schema(psprintf("The enum of property \"%s\" is not an array of strings.", field->name));
				field->values[field->nvalues++] = pnstrdup(v.val.string.val, v.val.string.len);
			}
	}
}

static void
read_schema(VouchPhase *phase, Jsonb *schema)
{
	Jsonb	   *part;
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;

	if (schema != NULL && !vouch_json_is_object(schema))
		bad_schema("It is not an object.");
	if (schema != NULL)
		only_fields(schema, "The schema ($)", schema_fields, lengthof(schema_fields));
	/* these first, so that messages list them as the schema does */
	if (schema != NULL && (part = vouch_json_get(schema, "required")) != NULL)
	{
		if (!vouch_json_is_array(part))
			bad_schema("\"required\" is not an array of strings.");
		it = JsonbIteratorInit(&part->root);
		while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
			if (token == WJB_ELEM)
			{
				if (v.type != jbvString)
					bad_schema("\"required\" is not an array of strings.");
				field_of(phase, v.val.string.val, v.val.string.len)->required = true;
			}
	}
	if (schema != NULL && (part = vouch_json_get(schema, "properties")) != NULL)
	{
		JsonbValue	name = {0};

		if (!vouch_json_is_object(part))
			bad_schema("\"properties\" is not an object.");
		it = JsonbIteratorInit(&part->root);
		while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
		{
			if (token == WJB_KEY)
				name = v;
			else if (token == WJB_VALUE)
				read_property(phase, &name, JsonbValueToJsonb(&v));
		}
	}
	/* the key is what names an item, whatever the schema says of it */
	if (phase->item_key != NULL)
	{
		VouchField *key = field_of(phase, phase->item_key, strlen(phase->item_key));

		key->required = true;
		key->types &= VOUCH_JSON_STRING | VOUCH_JSON_NUMBER | VOUCH_JSON_INTEGER;
		if (key->types == 0)
			bad_schema("The key of an item must be a string or a number.");
	}
}

char *
vouch_phase_types_text(int types)
{
	StringInfoData buf;
	int			left = 0;

	initStringInfo(&buf);
	for (int i = 0; i < lengthof(json_types); i++)
		if (types & json_types[i].bit)
			left++;
	for (int i = 0; i < lengthof(json_types); i++)
		if (types & json_types[i].bit)
		{
			left--;
			if (buf.len > 0)
				appendStringInfoString(&buf, left == 0 ? " or " : ", ");
			appendStringInfoString(&buf, json_types[i].name);
		}
	return buf.data;
}

VouchPhase *
vouch_phase_read(const char *phase)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	VouchPhase *result;
	Datum		args[1];
	bool		isnull;
	Datum		schema;

	SPI_connect();
	args[0] = CStringGetTextDatum(phase);
	if (vouch_stmt_run(&find_phase, args, NULL) == 0)
		raise_unknown(phase);
	old = MemoryContextSwitchTo(caller);
	result = palloc0(sizeof(VouchPhase));
	result->key = vouch_stmt_get_text(0, 1);
	result->label = vouch_stmt_get_text(0, 2);
	result->versioned = vouch_stmt_get_bool(0, 3, false);
	result->item_key = vouch_stmt_get_text(0, 4);
	result->source_key = vouch_stmt_get_text(0, 5);
	result->default_source = vouch_stmt_get_text(0, 6);
	result->max_revisions = vouch_stmt_get_int32(0, 7, 0);
	schema = vouch_stmt_get(0, 8, &isnull);
	read_schema(result, isnull ? NULL : DatumGetJsonbP(schema));
	MemoryContextSwitchTo(old);
	SPI_finish();
	return result;
}

VouchPhase *
vouch_phase_read_versioned(const char *phase)
{
	VouchPhase *result = vouch_phase_read(phase);

	if (!result->versioned)
		ereport(ERROR,
				(errcode(VOUCH_ERR_NOT_SUPPORTED),
				 errmsg("phase \"%s\" has no versions", result->label),
				 errdetail("It is audit-only: every action on it is recorded as it is done."),
				 errhint("Use the functions of that phase.")));
	return result;
}

const char *
vouch_phase_key(const char *phase)
{
	return vouch_phase_read(phase)->key;
}

/* vouch_data.check_item_schema(item_key text, item_schema jsonb): raises when it is not valid */
Datum
vouch_sql_check_item_schema(PG_FUNCTION_ARGS)
{
	VouchPhase	phase = {0};

	phase.item_key = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	read_schema(&phase, PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1));
	PG_RETURN_VOID();
}

/* vouch_data.phase_key(phase text) */
Datum
vouch_sql_phase_key(PG_FUNCTION_ARGS)
{
	text	   *key;

	SPI_connect();
	key = cstring_to_text(vouch_phase_key(text_to_cstring(PG_GETARG_TEXT_PP(0))));
	key = (text *) DatumGetPointer(SPI_datumTransfer(PointerGetDatum(key), false, -1));
	SPI_finish();
	PG_RETURN_TEXT_P(key);
}
