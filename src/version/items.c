/*
 * items.c
 *	  Checks items against their phase.
 *
 * One pass over the array; the first bad item ends it with its index and key, before anything
 * is locked or written.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "core/errors.h"
#include "core/json.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"
#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "version/items.h"

/* Strings are where the caller keeps them; open addressing, half full at most. */
struct VouchKeySet
{
	uint32		mask;
	int			used;
	struct
	{
		const char *key;
		int			len;
		int			number;
		uint32		hash;
	}		   *slots;
};

VouchKeySet *
vouch_keyset_create(int expected)
{
	VouchKeySet *set = palloc(sizeof(VouchKeySet));
	uint32		size = pg_nextpower2_32(Max(16, (uint32) Min(expected, 100000000) * 2));

	set->mask = size - 1;
	set->used = 0;
	set->slots = MemoryContextAllocExtended(CurrentMemoryContext, size * sizeof(*set->slots),
											MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return set;
}

static void
grow(VouchKeySet *set)
{
	VouchKeySet *larger = vouch_keyset_create(2 * (int) (set->mask + 1));

	for (uint32 i = 0; i <= set->mask; i++)
		if (set->slots[i].key != NULL)
		{
			uint32		j = set->slots[i].hash & larger->mask;

			while (larger->slots[j].key != NULL)
				j = (j + 1) & larger->mask;
			larger->slots[j] = set->slots[i];
		}
	pfree(set->slots);
	set->slots = larger->slots;
	set->mask = larger->mask;
	pfree(larger);
}

int
vouch_keyset_add(VouchKeySet *set, const char *key, int len, int number)
{
	uint32		hash = hash_bytes((const unsigned char *) key, len);
	uint32		i;

	if (set->used >= (int) (set->mask / 2))
		grow(set);
	for (i = hash & set->mask; set->slots[i].key != NULL; i = (i + 1) & set->mask)
		if (set->slots[i].hash == hash && set->slots[i].len == len &&
			memcmp(set->slots[i].key, key, len) == 0)
			return set->slots[i].number;
	set->slots[i].key = key;
	set->slots[i].len = len;
	set->slots[i].number = number;
	set->slots[i].hash = hash;
	set->used++;
	return -1;
}

Datum
vouch_array(Datum *values, int n, Oid type)
{
	int16		len;
	bool		byval;
	char		align;

	switch (type)
	{
		case BOOLOID:
			len = 1;
			byval = true;
			align = TYPALIGN_CHAR;
			break;
		case INT2OID:
			len = 2;
			byval = true;
			align = TYPALIGN_SHORT;
			break;
		case INT4OID:
			len = 4;
			byval = true;
			align = TYPALIGN_INT;
			break;
		case INT8OID:
			len = 8;
			byval = FLOAT8PASSBYVAL;
			align = TYPALIGN_DOUBLE;
			break;
		case TIDOID:
			len = sizeof(ItemPointerData);
			byval = false;
			align = TYPALIGN_SHORT;
			break;
		default:
			Assert(type == TEXTOID || type == JSONBOID || type == BYTEAOID);
			len = -1;
			byval = false;
			align = TYPALIGN_INT;
			break;
	}
	return PointerGetDatum(construct_array(values, n, type, len, byval, align));
}

int
vouch_keyset_find(const VouchKeySet *set, const char *key, int len)
{
	uint32		hash = hash_bytes((const unsigned char *) key, len);

	for (uint32 i = hash & set->mask; set->slots[i].key != NULL; i = (i + 1) & set->mask)
		if (set->slots[i].hash == hash && set->slots[i].len == len && memcmp(set->slots[i].key, key, len) == 0)
			return set->slots[i].number;
	return -1;
}

static int
type_of(const JsonbValue *v)
{
	switch (v->type)
	{
		case jbvNull:
			return VOUCH_JSON_NULL;
		case jbvString:
			return VOUCH_JSON_STRING;
		case jbvBool:
			return VOUCH_JSON_BOOLEAN;
		case jbvNumeric:
			{
				Datum		number = NumericGetDatum(v->val.numeric);
				Datum		whole = DirectFunctionCall2(numeric_trunc, number, Int32GetDatum(0));

				if (DatumGetBool(DirectFunctionCall2(numeric_eq, number, whole)))
					return VOUCH_JSON_NUMBER | VOUCH_JSON_INTEGER;
				return VOUCH_JSON_NUMBER;
			}
		case jbvBinary:
			return JsonContainerIsObject(v->val.binary.data) ? VOUCH_JSON_OBJECT : VOUCH_JSON_ARRAY;
		default:
			return 0;
	}
}

/* How the item is called in messages: its index, and its key when it has one. */
static char *
name_item(const VouchItems *items, const text *key)
{
	return key == NULL ? psprintf("item %d", items->n) :
		psprintf("item %d (\"%s\")", items->n, text_to_cstring(key));
}

static char *
value_text(const JsonbValue *v)
{
	char	   *text;

	if (v->type == jbvString)
		text = psprintf("\"%.*s\"", v->val.string.len, v->val.string.val);
	else
		text = vouch_json_to_text(JsonbValueToJsonb((JsonbValue *) v));
	if (strlen(text) > 80)
		strcpy(text + pg_mbcliplen(text, strlen(text), 80), "");
	return text;
}

static char *
required_list(const VouchPhase *phase)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < phase->nfields; i++)
		if (phase->fields[i].required)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", phase->fields[i].name);
	return buf.data;
}

static void
bad_item(const VouchItems *items, const text *key, const char *what)
{
	ereport(ERROR,
			(errcode(VOUCH_ERR_BAD_ITEM),
			 errmsg("%s: %s", name_item(items, key), what),
			 errdetail("Items of phase \"%s\" need %s. Indexes count from 0.",
					   items->phase->label, required_list(items->phase)),
			 errhint("Correct the item and call again; nothing was written.")));
}

static void
check_field(const VouchItems *items, const VouchField *field, const JsonbValue *v, const text *key)
{
	int			type;

	/* whether a number is whole is asked only where that matters */
	if (v->type == jbvNumeric && (field->types & VOUCH_JSON_NUMBER) != 0 && field->nvalues == 0)
		return;
	type = type_of(v);
	if ((type & field->types) == 0)
		bad_item(items, key, psprintf("\"%s\" must be a JSON %s, not %s", field->name,
									  vouch_phase_types_text(field->types), value_text(v)));
	if (field->nvalues == 0 || type == VOUCH_JSON_NULL)
		return;
	if (v->type == jbvString)
		for (int i = 0; i < field->nvalues; i++)
			if (strlen(field->values[i]) == v->val.string.len &&
				memcmp(field->values[i], v->val.string.val, v->val.string.len) == 0)
				return;
	{
		StringInfoData values;

		initStringInfo(&values);
		for (int i = 0; i < field->nvalues; i++)
			appendStringInfo(&values, "%s%s", i > 0 ? ", " : "", field->values[i]);
		bad_item(items, key, psprintf("\"%s\" must be one of %s, not %s", field->name,
									  values.data, value_text(v)));
	}
}

VouchItems *
vouch_items_begin(const VouchPhase *phase, const char *recommended_by)
{
	VouchItems *items = palloc0(sizeof(VouchItems));

	items->phase = phase;
	items->recommended_by = recommended_by;
	initStringInfo(&items->scratch);
	items->seen = vouch_keyset_create(64);
	return items;
}

static void
make_room(VouchItems *items, int n)
{
	if (items->allocated >= n)
		return;
	n = Max(n, 64);
	n = Max(n, items->allocated * 2);
	if (items->allocated == 0)
	{
		items->keys = palloc_extended(sizeof(Datum) * n, MCXT_ALLOC_HUGE);
		items->payloads = palloc_extended(sizeof(Datum) * n, MCXT_ALLOC_HUGE);
		items->sources = palloc_extended(sizeof(Datum) * n, MCXT_ALLOC_HUGE);
		items->salts = palloc_extended(sizeof(Datum) * n, MCXT_ALLOC_HUGE);
		items->hashes = palloc_extended(sizeof(Datum) * n, MCXT_ALLOC_HUGE);
		items->leaves = palloc_extended(sizeof(VouchDigest) * n, MCXT_ALLOC_HUGE);
	}
	else
	{
		items->keys = repalloc_huge(items->keys, sizeof(Datum) * n);
		items->payloads = repalloc_huge(items->payloads, sizeof(Datum) * n);
		items->sources = repalloc_huge(items->sources, sizeof(Datum) * n);
		items->salts = repalloc_huge(items->salts, sizeof(Datum) * n);
		items->hashes = repalloc_huge(items->hashes, sizeof(Datum) * n);
		items->leaves = repalloc_huge(items->leaves, sizeof(VouchDigest) * n);
	}
	items->allocated = n;
}

void
vouch_items_expect(VouchItems *items, int n)
{
	Assert(items->n == 0);
	make_room(items, n);
	items->seen = vouch_keyset_create(n);
}

#define SALT_LEN VOUCH_SALT_LEN
#define SALTS_AT_ONCE 256

/*
 * Without a salt of its own, who knows a hash could try what a payload that was
 * taken out of the database may have been.  Random bytes are cheaper by the page.
 */
static bytea *
new_salt(void)
{
	static uint8 pool[SALT_LEN * SALTS_AT_ONCE];
	static int	left = 0;
	bytea	   *salt = palloc(VARHDRSZ + SALT_LEN);

	if (left == 0)
	{
		if (!pg_strong_random(pool, sizeof(pool)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate random values")));
		left = SALTS_AT_ONCE;
	}
	left--;
	SET_VARSIZE(salt, VARHDRSZ + SALT_LEN);
	memcpy(VARDATA(salt), pool + SALT_LEN * left, SALT_LEN);
	return salt;
}

void
vouch_items_hash(VouchDigest *hash, StringInfo scratch, const bytea *salt, Jsonb *payload)
{
	resetStringInfo(scratch);
	if (salt != NULL)
		appendBinaryStringInfo(scratch, VARDATA_ANY(salt), VARSIZE_ANY_EXHDR(salt));
	(void) JsonbToCString(scratch, &payload->root, VARSIZE(payload));
	vouch_digest(hash, scratch->data, scratch->len);
}

bool
vouch_items_same(VouchItems *items, int at, const bytea *hash, const bytea *salt)
{
	VouchDigest own;

	vouch_items_hash(&own, &items->scratch, salt, DatumGetJsonbP(items->payloads[at]));
	return VARSIZE_ANY_EXHDR(hash) == VOUCH_DIGEST_LEN && memcmp(VARDATA_ANY(hash), own.bytes, VOUCH_DIGEST_LEN) == 0;
}

void
vouch_items_leaf(VouchDigest *leaf, StringInfo scratch, const text *key,
				 const bytea *hash, const text *source, const char *recommended_by)
{
	resetStringInfo(scratch);
	vouch_canon_bytes(scratch, 'k', VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	vouch_canon_bytes(scratch, 'h', VARDATA_ANY(hash), VARSIZE_ANY_EXHDR(hash));
	vouch_canon_bytes(scratch, 's', VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source));
	vouch_canon_text(scratch, 'm', recommended_by);
	vouch_digest_leaf(leaf, scratch->data, scratch->len);
}

/* Mostly the first bytes tell. */
static int
compare_leaves(const void *a, const void *b)
{
	uint64		x,
				y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	if (x != y)
		return pg_ntoh64(x) < pg_ntoh64(y) ? -1 : 1;
	return memcmp(a, b, sizeof(VouchDigest));
}

void
vouch_leaves_root(VouchDigest *leaves, int64 n, VouchDigest *root)
{
	qsort(leaves, n, sizeof(VouchDigest), compare_leaves);
	vouch_digest_root(root, leaves, n);
}

void
vouch_items_root(VouchItems *items, VouchDigest *root)
{
	vouch_leaves_root(items->leaves, items->n, root);
}

/* The key in the payload as text, or NULL when it has none that can be one. */
text *
vouch_items_key(const char *item_key, Jsonb *payload)
{
	JsonbValue	v;

	if (!JB_ROOT_IS_OBJECT(payload) ||
		getKeyJsonValueFromContainer(&payload->root, item_key, strlen(item_key), &v) == NULL)
		return NULL;
	if (v.type == jbvString)
		return cstring_to_text_with_len(v.val.string.val, v.val.string.len);
	if (v.type == jbvNumeric)
		return cstring_to_text(DatumGetCString(DirectFunctionCall1(numeric_out,
																   NumericGetDatum(v.val.numeric))));
	return NULL;
}

static text *
source_of(const VouchItems *items, Jsonb *payload)
{
	const VouchPhase *phase = items->phase;
	JsonbValue	v;
	const char *value = phase->default_source;
	int			len;

	len = strlen(value);
	if (phase->source_key != NULL &&
		getKeyJsonValueFromContainer(&payload->root, phase->source_key,
									 strlen(phase->source_key), &v) != NULL &&
		v.type == jbvString && v.val.string.len > 0)
	{
		value = v.val.string.val;
		len = v.val.string.len;
	}
	/* most have the source of the item before */
	if (items->n > 0)
	{
		text	   *last = DatumGetTextPP(items->sources[items->n - 1]);

		if (VARSIZE_ANY_EXHDR(last) == len && memcmp(VARDATA_ANY(last), value, len) == 0)
			return last;
	}
	return cstring_to_text_with_len(value, len);
}

/*
 * Adds an item, unless there is one of that key: then its number comes back, else -1.
 * own: the key that the payload gives, if it does; written: the payload as text, or NULL.
 */
static int
add(VouchItems *items, text *key, text *own, Jsonb *payload, text *source, StringInfo written)
{
	const VouchPhase *phase = items->phase;
	VouchDigest hash;
	bytea	   *salt;
	int			first,
				n = items->n;

	if (!JB_ROOT_IS_OBJECT(payload))
		bad_item(items, NULL, psprintf("it must be a JSON object, not %s",
									   JB_ROOT_IS_SCALAR(payload) ? vouch_json_to_text(payload) : "an array"));
	if (key != NULL && own != NULL && own != key &&
		(VARSIZE_ANY_EXHDR(key) != VARSIZE_ANY_EXHDR(own) ||
		 memcmp(VARDATA_ANY(key), VARDATA_ANY(own), VARSIZE_ANY_EXHDR(key)) != 0))
		bad_item(items, key, psprintf("its payload has the %s \"%s\"",
													   phase->item_key, text_to_cstring(own)));

	for (int i = 0; i < phase->nfields; i++)
	{
		const VouchField *field = &phase->fields[i];
		JsonbValue	v;

		if (getKeyJsonValueFromContainer(&payload->root, field->name, field->len, &v) != NULL)
		{
			if (field->types == VOUCH_JSON_ANY && field->nvalues == 0)
				continue;
			check_field(items, field, &v, own != NULL ? own : key);
		}
		else if (field->required &&
				 !(key != NULL && strcmp(field->name, phase->item_key) == 0))
			bad_item(items, own != NULL ? own : key,
					 psprintf("\"%s\" is missing", field->name));
	}
	if (key == NULL)
		key = own;
	if (key == NULL || VARSIZE_ANY_EXHDR(key) == 0)
		bad_item(items, NULL, psprintf("\"%s\" is empty", phase->item_key));
	if (VARSIZE_ANY_EXHDR(key) > 1000)
		bad_item(items, NULL, psprintf("\"%s\" is longer than 1000 bytes", phase->item_key));

	if (source == NULL)
		source = (text *) source_of(items, payload);
	if (VARSIZE_ANY_EXHDR(source) > 100)
		bad_item(items, key, "its source is longer than 100 bytes");

	first = vouch_keyset_add(items->seen, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), n);
	if (first >= 0)
		return first;

	make_room(items, n + 1);
	salt = new_salt();
	if (written != NULL)
		vouch_digest_parts(&hash, VARDATA(salt), SALT_LEN, written->data, written->len);
	else
		vouch_items_hash(&hash, &items->scratch, salt, payload);
	items->keys[n] = PointerGetDatum(key);
	items->payloads[n] = JsonbPGetDatum(payload);
	items->sources[n] = PointerGetDatum(source);
	items->salts[n] = PointerGetDatum(salt);
	items->hashes[n] = PointerGetDatum(vouch_digest_to_bytea(&hash));
	vouch_items_leaf(&items->leaves[n], &items->scratch, key, DatumGetByteaPP(items->hashes[n]),
					 DatumGetTextPP(items->sources[n]), items->recommended_by);
	items->n++;
	return -1;
}

void
vouch_items_add(VouchItems *items, text *key, Jsonb *payload, text *source)
{
	int			n = items->n;
	text	   *own = JB_ROOT_IS_OBJECT(payload) ? vouch_items_key(items->phase->item_key, payload) : NULL;
	int			first = add(items, key, own, payload, source, NULL);

	if (first >= 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_DUPLICATE_ITEM),
				 errmsg("items %d and %d have the same %s \"%s\"", first, n, items->phase->item_key,
						text_to_cstring(key != NULL ? key : own)),
				 errdetail("An item is named by its %s, which occurs once in a version. Indexes count from 0.",
						   items->phase->item_key),
				 errhint("Leave one of them out, or give each its own %s; nothing was written.",
						 items->phase->item_key)));
}

bool
vouch_items_add_row(VouchItems *items, text *key, bool own, Jsonb *payload, StringInfo written)
{
	return add(items, key, own ? key : vouch_items_key(items->phase->item_key, payload), payload, NULL, written) < 0;
}

VouchItems *
vouch_items_parse(const VouchPhase *phase, Jsonb *array, const char *recommended_by,
				  const char *parameter)
{
	VouchItems *items = vouch_items_begin(phase, recommended_by);
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;

	if (array == NULL)
		return items;
	if (!vouch_json_is_array(array))
		ereport(ERROR,
				(errcode(VOUCH_ERR_BAD_ITEM),
				 errmsg("%s must be a JSON array, not %s", parameter,
						JB_ROOT_IS_OBJECT(array) ? "an object" : "a scalar"),
				 errdetail("Items of phase \"%s\" need %s.", phase->label, required_list(phase)),
				 errhint("Pass an array with one object for each item.")));
	vouch_items_expect(items, vouch_json_array_length(array));
	it = JsonbIteratorInit(&array->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (items->n % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
		vouch_items_add(items, NULL, JsonbValueToJsonb(&v), NULL);
	}
	return items;
}
