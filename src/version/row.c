/*
 * row.c
 *	  Rows of a user's table as items.
 *
 * to_jsonb() looks the types of all columns up for every row, builds a tree of values, sorts it, and writes
 * that out; what hashes the payload then reads it and makes text of it.  Here types and the order of the
 * keys are looked up once, and jsonb (as utils/jsonb.h describes it) and text are written side by side, straight
 * from the values.  What is common (numbers, text, booleans, times) needs no call.  All else
 * goes through to_jsonb() of the value.  So the payload is, byte by byte, what to_jsonb(row) is, and
 * the text is what JsonbToCString() makes of it, which vouch.verify() does.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/errors.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "version/row.h"

typedef struct Column
{
	const char *name;			/* NULL: dropped, or left out */
	int			len;
	Oid			type;			/* its base type, as far as it needs no call */
	FmgrInfo	to_jsonb;		/* for all else */
	const char *label;			/* its key in the text, with what is before and after */
	int			label_len;
} Column;

struct VouchRowReader
{
	TupleDesc	desc;
	Column	   *columns;
	int		   *order;			/* of the columns, as jsonb sorts keys */
	int			npairs;			/* of them, those that a payload has */
	StringInfoData json;		/* the payload, of which the part before the values is always the same */
	int			head_len;
	uint32		keys_len;
	int			nkeys;
	int		   *keys;			/* column numbers, from 0 */
	const char *table;
	MemoryContext scratch;
};

static bool
needs_no_call(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID || type == NUMERICOID ||
		type == TEXTOID || type == VARCHAROID || type == BOOLOID || type == DATEOID || type == TIMESTAMPOID ||
		type == TIMESTAMPTZOID;
}

/* By length, then bytes; dropped columns last. */
static bool
sorts_after(const Column *a, const Column *b)
{
	if (a->name == NULL || b->name == NULL)
		return a->name == NULL && b->name != NULL;
	return a->len != b->len ? a->len > b->len : memcmp(a->name, b->name, a->len) > 0;
}

/* Columns that are computed when they are read: what a trigger is told of rows does not have them. */
static bool
is_left_out(Form_pg_attribute att)
{
	return att->attisdropped || att->attgenerated == 'v';
}

char *
vouch_row_columns(TupleDesc desc)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < desc->natts; i++)
		if (!is_left_out(TupleDescAttr(desc, i)))
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "",
							 quote_identifier(NameStr(TupleDescAttr(desc, i)->attname)));
	return list.data;
}

/* An entry of a key or value that ends at total: some have their length, some where they end. */
static JEntry
entry(JEntry type, int index, uint32 len, uint32 total)
{
	if (total > JENTRY_OFFLENMASK)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("total size of jsonb object elements exceeds the maximum of %u bytes", JENTRY_OFFLENMASK)));
	return type | (index % JB_OFFSET_STRIDE == 0 ? total | JENTRY_HAS_OFF : len);
}

/* Writes what all payloads have in common: the header, the entries of the keys, room for those of the values, and the keys. */
static void
begin_json(VouchRowReader *reader)
{
	StringInfo	json = &reader->json;
	Jsonb	   *jsonb;
	int			n = 0;

	while (reader->npairs < reader->desc->natts && reader->columns[reader->order[reader->npairs]].name != NULL)
		reader->npairs++;
	initStringInfo(json);
	json->len = offsetof(Jsonb, root.children) + 2 * reader->npairs * sizeof(JEntry);
	enlargeStringInfo(json, json->len);
	for (int i = 0; i < reader->npairs; i++)
	{
		Column	   *column = &reader->columns[reader->order[i]];
		StringInfoData label;

		appendBinaryStringInfo(json, column->name, column->len);
		reader->keys_len += column->len;
		jsonb = (Jsonb *) json->data;
		jsonb->root.children[n] = entry(JENTRY_ISSTRING, n, column->len, reader->keys_len);
		n++;
		initStringInfo(&label);
		appendStringInfoString(&label, i == 0 ? "{" : ", ");
		escape_json(&label, column->name);
		appendStringInfoString(&label, ": ");
		column->label = label.data;
		column->label_len = label.len;
	}
	jsonb = (Jsonb *) json->data;
	jsonb->root.header = reader->npairs | JB_FOBJECT;
	reader->head_len = json->len;
}

VouchRowReader *
vouch_row_reader(TupleDesc desc, char **keys, int nkeys, const char *table)
{
	VouchRowReader *reader = palloc0(sizeof(VouchRowReader));

	reader->desc = desc;
	reader->columns = palloc0(sizeof(Column) * Max(desc->natts, 1));
	reader->nkeys = nkeys;
	reader->keys = palloc(sizeof(int) * Max(nkeys, 1));
	reader->table = table;
	reader->scratch = AllocSetContextCreate(CurrentMemoryContext, "vouch row", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Column	   *column = &reader->columns[i];

		if (is_left_out(att))
			continue;
		column->name = NameStr(att->attname);
		column->len = strlen(column->name);
		column->type = getBaseType(att->atttypid);
		if (!needs_no_call(column->type))
		{
			/* the polymorphic function asks its call for the type */
			fmgr_info(F_TO_JSONB, &column->to_jsonb);
			fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID,
													 list_make1(makeNullConst(att->atttypid, att->atttypmod,
																			  att->attcollation)),
													 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL),
							   &column->to_jsonb);
		}
	}
	/* what is given in order need not be sorted in each row */
	reader->order = palloc(sizeof(int) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		int			at = i;

		for (; at > 0 && sorts_after(&reader->columns[reader->order[at - 1]], &reader->columns[i]); at--)
			reader->order[at] = reader->order[at - 1];
		reader->order[at] = i;
	}
	begin_json(reader);
	for (int k = 0; k < nkeys; k++)
	{
		int			at = 0;

		while (at < desc->natts &&
			   (reader->columns[at].name == NULL || strcmp(reader->columns[at].name, keys[k]) != 0))
			at++;
		if (at == desc->natts)
			ereport(ERROR,
					(errcode(VOUCH_ERR_SOURCE),
					 errmsg("tracked table \"%s\" has no column \"%s\" any more", table, keys[k]),
					 errdetail("It is a key by which rows are recognized as items; it was dropped or renamed."),
					 errhint("Name the key anew with vouch.track_table(), or end the tracking with vouch.untrack_table().")));
		reader->keys[k] = at;
	}
	return reader;
}

/* A value that is not null; what it points to lives as long as the slot and the current context. */
static void
column_value(VouchRowReader *reader, int n, Datum value, JsonbValue *out)
{
	Column	   *column = &reader->columns[n];

	switch (column->type)
	{
		case INT2OID:
			out->type = jbvNumeric;
			out->val.numeric = int64_to_numeric(DatumGetInt16(value));
			return;
		case INT4OID:
			out->type = jbvNumeric;
			out->val.numeric = int64_to_numeric(DatumGetInt32(value));
			return;
		case INT8OID:
			out->type = jbvNumeric;
			out->val.numeric = int64_to_numeric(DatumGetInt64(value));
			return;
		case BOOLOID:
			out->type = jbvBool;
			out->val.boolean = DatumGetBool(value);
			return;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			out->type = jbvString;
			out->val.string.val = JsonEncodeDateTime(NULL, value, column->type, NULL);
			out->val.string.len = strlen(out->val.string.val);
			return;
		case TEXTOID:
		case VARCHAROID:
			{
				text	   *t = DatumGetTextPP(value);

				out->type = jbvString;
				out->val.string.val = VARDATA_ANY(t);
				out->val.string.len = VARSIZE_ANY_EXHDR(t);
				return;
			}
		case NUMERICOID:
			{
				Numeric		number = DatumGetNumeric(value);

				if (!numeric_is_nan(number) && !numeric_is_inf(number))
				{
					out->type = jbvNumeric;
					out->val.numeric = number;
					return;
				}
				out->type = jbvString;
				out->val.string.val = DatumGetCString(DirectFunctionCall1(numeric_out, value));
				out->val.string.len = strlen(out->val.string.val);
				return;
			}
		default:
			{
				Jsonb	   *json = DatumGetJsonbP(FunctionCall1(&column->to_jsonb, value));

				if (JB_ROOT_IS_SCALAR(json))
				{
					if (!JsonbExtractScalar(&json->root, out))
						elog(ERROR, "not a scalar");
				}
				else
				{
					out->type = jbvBinary;
					out->val.binary.data = &json->root;
					out->val.binary.len = VARSIZE(json) - VARHDRSZ;
				}
			}
	}
}

static void
align_json(StringInfo json)
{
	while (json->len != INTALIGN(json->len))
		appendStringInfoCharMacro(json, '\0');
}

static JEntry
put_number(StringInfo json, Numeric number)
{
	align_json(json);
	appendBinaryStringInfo(json, (char *) number, VARSIZE_ANY(number));
	return JENTRY_ISNUMERIC;
}

static void
put_text(StringInfo text, const char *string, int len)
{
	int			i = 0;

	while (i < len && (unsigned char) string[i] >= ' ' && string[i] != '"' && string[i] != '\\')
		i++;
	if (i < len)
	{
		escape_json(text, pnstrdup(string, len));
		return;
	}
	appendStringInfoCharMacro(text, '"');
	appendBinaryStringInfo(text, string, len);
	appendStringInfoCharMacro(text, '"');
}

/* Puts a value into both, and returns of what type its entry is. */
static JEntry
put_value(VouchRowReader *reader, int n, Datum datum, StringInfo text)
{
	Oid			type = reader->columns[n].type;
	JsonbValue	value;

	if (type == INT2OID || type == INT4OID || type == INT8OID)
	{
		int64		number = type == INT2OID ? DatumGetInt16(datum) : type == INT4OID ? DatumGetInt32(datum) : DatumGetInt64(datum);

		enlargeStringInfo(text, MAXINT8LEN + 1);
		text->len += pg_lltoa(number, text->data + text->len);
		return put_number(&reader->json, int64_to_numeric(number));
	}
	column_value(reader, n, datum, &value);
	switch (value.type)
	{
		case jbvNull:
			appendBinaryStringInfo(text, "null", 4);
			return JENTRY_ISNULL;
		case jbvBool:
			appendStringInfoString(text, value.val.boolean ? "true" : "false");
			return value.val.boolean ? JENTRY_ISBOOL_TRUE : JENTRY_ISBOOL_FALSE;
		case jbvString:
			put_text(text, value.val.string.val, value.val.string.len);
			appendBinaryStringInfo(&reader->json, value.val.string.val, value.val.string.len);
			return JENTRY_ISSTRING;
		case jbvNumeric:
			appendStringInfoString(text, DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric))));
			return put_number(&reader->json, value.val.numeric);
		case jbvBinary:
			JsonbToCString(text, value.val.binary.data, value.val.binary.len);
			align_json(&reader->json);
			appendBinaryStringInfo(&reader->json, (char *) value.val.binary.data, value.val.binary.len);
			return JENTRY_ISCONTAINER;
		default:
			elog(ERROR, "unexpected type %d of JSON", value.type);
	}
	return 0;					/* not reached */
}

Jsonb *
vouch_row_payload(VouchRowReader *reader, TupleTableSlot *slot, StringInfo text)
{
	MemoryContext caller = MemoryContextSwitchTo(reader->scratch);
	StringInfo	json = &reader->json;
	uint32		total = reader->keys_len;
	Jsonb	   *result;

	slot_getallattrs(slot);
	json->len = reader->head_len;
	resetStringInfo(text);
	for (int n = 0; n < reader->npairs; n++)
	{
		int			i = reader->order[n],
					start = json->len;
		JEntry		type = JENTRY_ISNULL;

		appendBinaryStringInfo(text, reader->columns[i].label, reader->columns[i].label_len);
		if (slot->tts_isnull[i])
			appendBinaryStringInfo(text, "null", 4);
		else
			type = put_value(reader, i, slot->tts_values[i], text);
		total += json->len - start;
		((Jsonb *) json->data)->root.children[reader->npairs + n] = entry(type, reader->npairs + n, json->len - start, total);
	}
	appendStringInfoString(text, reader->npairs == 0 ? "{}" : "}");
	SET_VARSIZE(json->data, json->len);
	result = MemoryContextAlloc(caller, json->len);
	memcpy(result, json->data, json->len);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(reader->scratch);
	return result;
}

static text *
value_text(JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return cstring_to_text_with_len(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return cstring_to_text(DatumGetCString(DirectFunctionCall1(numeric_out,
																	   NumericGetDatum(value->val.numeric))));
		default:
			{
				Jsonb	   *json = JsonbValueToJsonb(value);

				return cstring_to_text(JsonbToCString(NULL, &json->root, VARSIZE(json)));
			}
	}
}

/* The text of a value that needs neither a call nor JSON; NULL of all others. */
static text *
plain_text(VouchRowReader *reader, int n, TupleTableSlot *slot)
{
	Oid			type = reader->columns[n].type;
	bool		isnull;
	Datum		datum = slot_getattr(slot, n + 1, &isnull);
	char		digits[MAXINT8LEN + 1];

	if (isnull)
		return NULL;
	if (type == INT4OID || type == INT8OID)
		return cstring_to_text_with_len(digits, pg_lltoa(type == INT4OID ? DatumGetInt32(datum) : DatumGetInt64(datum), digits));
	if (type == TEXTOID || type == VARCHAROID)
	{
		text	   *t = DatumGetTextPP(datum);

		return cstring_to_text_with_len(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
	}
	return NULL;
}

text *
vouch_row_key(VouchRowReader *reader, TupleTableSlot *slot)
{
	text	   *result = reader->nkeys == 1 ? plain_text(reader, reader->keys[0], slot) : NULL;
	MemoryContext caller;
	JsonbParseState *state = NULL;
	JsonbValue	value;
	text	   *built;

	if (result != NULL)
		return result;
	caller = MemoryContextSwitchTo(reader->scratch);

	if (reader->nkeys > 1)
		pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int k = 0; k < reader->nkeys; k++)
	{
		int			n = reader->keys[k];
		bool		isnull;
		Datum		datum = slot_getattr(slot, n + 1, &isnull);

		if (isnull)
			ereport(ERROR,
					(errcode(VOUCH_ERR_BAD_ITEM),
					 errmsg("a row of tracked table \"%s\" has null in its key column \"%s\"", reader->table,
							reader->columns[n].name),
					 errdetail("Rows are recognized as items by their key."),
					 errhint("Give every row a key; nothing was written.")));
		column_value(reader, n, datum, &value);
		if (reader->nkeys > 1)
			pushJsonbValue(&state, WJB_ELEM, &value);
	}
	built = value_text(reader->nkeys > 1 ? pushJsonbValue(&state, WJB_END_ARRAY, NULL) : &value);
	result = MemoryContextAlloc(caller, VARSIZE(built));
	memcpy(result, built, VARSIZE(built));
	MemoryContextSwitchTo(caller);
	MemoryContextReset(reader->scratch);
	return result;
}

static bool
same_value(VouchRowReader *reader, TupleTableSlot *a, TupleTableSlot *b, int i)
{
	Form_pg_attribute att = TupleDescAttr(reader->desc, i);

	return a->tts_isnull[i] == b->tts_isnull[i] &&
		(a->tts_isnull[i] || datum_image_eq(a->tts_values[i], b->tts_values[i], att->attbyval, att->attlen));
}

bool
vouch_row_same(VouchRowReader *reader, TupleTableSlot *a, TupleTableSlot *b)
{
	slot_getallattrs(a);
	slot_getallattrs(b);
	for (int i = 0; i < reader->desc->natts; i++)
		if (!is_left_out(TupleDescAttr(reader->desc, i)) && !same_value(reader, a, b, i))
			return false;
	return true;
}

bool
vouch_row_same_key(VouchRowReader *reader, TupleTableSlot *a, TupleTableSlot *b)
{
	slot_getallattrs(a);
	slot_getallattrs(b);
	for (int k = 0; k < reader->nkeys; k++)
		if (!same_value(reader, a, b, reader->keys[k]))
			return false;
	return true;
}

void
vouch_row_begin(VouchRowSection *section, Relation table)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog, pg_temp"}, {"timezone", "UTC"}, {"datestyle", "ISO, YMD"},
		{"intervalstyle", "postgres"}, {"extra_float_digits", "1"}, {"bytea_output", "hex"},
		/* all rows, or an error where policies are forced on the owner */
		{"row_security", "off"},
	};

	GetUserIdAndSecContext(&section->userid, &section->sec_context);
	SetUserIdAndSecContext(table->rd_rel->relowner,
						   section->sec_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	section->nestlevel = NewGUCNestLevel();
	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

void
vouch_row_end(VouchRowSection *section)
{
	AtEOXact_GUC(false, section->nestlevel);
	SetUserIdAndSecContext(section->userid, section->sec_context);
}
