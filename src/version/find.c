/*
 * find.c
 *	  Finds items of the newest version by their keys.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/stmt.h"
#include "utils/builtins.h"
#include "version/store.h"

static VouchStmt find_items = {
	"SELECT (k.o - 1)::int4, i.item_no, d.from_no, d.origin_no, d.body_no, d.status::text, d.source, d.recommended_by, d.ctid, d.recommended_at"
	" FROM unnest($3::text[]) WITH ORDINALITY AS k(item_key, o)"
	" CROSS JOIN LATERAL (SELECT x.item_no FROM vouch_data.item x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_key = k.item_key OFFSET 0) AS i"
	" LEFT JOIN LATERAL (SELECT y.*, y.ctid FROM vouch_data.decision y WHERE y.bucket = $1 AND y.artifact_no = $2"
	"  AND y.item_no = i.item_no AND y.stage = $4 AND y.to_no = 2147483647 OFFSET 0) AS d ON true",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, TEXTARRAYOID, INT2OID}, .indexed = true
};

/* From so many keys on, if they are most of the items. */
#define MANY 100

/* All items and their rows, in the order of the index, for those who look for most of them: no join costs less. */
static VouchStmt scan_items = {
	"SELECT item_no, item_key FROM vouch_data.item WHERE bucket = $1 AND artifact_no = $2"
	" ORDER BY bucket, artifact_no, item_no",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

static VouchStmt scan_decisions = {
	"SELECT item_no, from_no, origin_no, body_no, status, source, recommended_by, ctid, recommended_at FROM vouch_data.decision"
	" WHERE bucket = $1 AND artifact_no = $2 AND stage + 0 = $3 AND to_no = 2147483647"
	" ORDER BY bucket, artifact_no, item_no",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT2OID}, .indexed = true
};

/* Strings of which a version has few, each kept once; if there are many after all, looking for them costs more than keeping them. */
#define INTERNED 32

const char *
vouch_store_intern(List **strings, Datum value)
{
	text	   *given = DatumGetTextPP(value);
	int			len = VARSIZE_ANY_EXHDR(given);
	ListCell   *cell;
	char	   *string;

	foreach(cell, *strings)
	{
		string = lfirst(cell);
		if (strncmp(string, VARDATA_ANY(given), len) == 0 && string[len] == '\0')
			return string;
	}
	string = text_to_cstring(given);
	if (list_length(*strings) < INTERNED)
		*strings = lappend(*strings, string);
	return string;
}

typedef struct FindState
{
	VouchFound *found;
	List	   *strings;
} FindState;

static void
take_found(TupleTableSlot *slot, void *arg)
{
	FindState  *state = arg;
	VouchFound *f;

	slot_getallattrs(slot);
	f = &state->found[DatumGetInt32(slot->tts_values[0])];
	f->item_no = DatumGetInt32(slot->tts_values[1]);
	if (slot->tts_isnull[2])
		return;
	f->from_no = DatumGetInt32(slot->tts_values[2]);
	f->origin_no = slot->tts_isnull[3] ? 0 : DatumGetInt32(slot->tts_values[3]);
	f->body_no = DatumGetInt32(slot->tts_values[4]);
	f->status = vouch_store_intern(&state->strings, slot->tts_values[5]);
	f->source = vouch_store_intern(&state->strings, slot->tts_values[6]);
	f->recommended_by = vouch_store_intern(&state->strings, slot->tts_values[7]);
	f->place = *(ItemPointer) DatumGetPointer(slot->tts_values[8]);
	f->recommended_at = DatumGetTimestampTz(slot->tts_values[9]);
}

typedef struct MostState
{
	FindState	find;
	Datum	   *wanted;
	int			n;
	int			next;			/* of those wanted, the one that comes after the last found */
	VouchKeySet *keys;			/* of those wanted, once one came out of order; NULL: not yet */
	int		   *same;			/* of a key that is wanted again, the first, from 1; NULL: there is none */
	int		   *positions;		/* of an item number in the keys, from 1 */
	int			size;
	struct
	{
		Oid			status;
		const char *name;
	}			statuses[8];
	int			nstatuses;
} MostState;

static void
hash_wanted(MostState *state)
{
	state->keys = vouch_keyset_create(state->n);
	for (int i = 0; i < state->n; i++)
	{
		text	   *key = DatumGetTextPP(state->wanted[i]);
		int			first = vouch_keyset_add(state->keys, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), i);

		if (first < 0)
			continue;
		if (state->same == NULL)
			state->same = palloc_extended(sizeof(int) * state->n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		state->same[i] = first + 1;
	}
}

/* Where a key is wanted, or -1.  Mostly items are wanted in the order in which they came: then nothing is hashed. */
static int
find_wanted(MostState *state, const text *key)
{
	int			len = VARSIZE_ANY_EXHDR(key),
				at;

	if (state->next < state->n && (state->same == NULL || state->same[state->next] == 0))
	{
		text	   *next = DatumGetTextPP(state->wanted[state->next]);

		if (VARSIZE_ANY_EXHDR(next) == len && memcmp(VARDATA_ANY(next), VARDATA_ANY(key), len) == 0)
			return state->next++;
	}
	if (state->keys == NULL)
		hash_wanted(state);
	at = vouch_keyset_find(state->keys, VARDATA_ANY(key), len);
	if (at >= 0)
		state->next = at + 1;
	return at;
}

static void
take_item(TupleTableSlot *slot, void *arg)
{
	MostState  *state = arg;
	int			item_no,
				at;
	text	   *key;

	slot_getallattrs(slot);
	item_no = DatumGetInt32(slot->tts_values[0]);
	key = DatumGetTextPP(slot->tts_values[1]);
	at = find_wanted(state, key);
	if (at < 0)
		return;
	if (item_no >= state->size)
	{
		int			size = Max(item_no + 1, state->size * 2);

		state->positions = repalloc_huge(state->positions, sizeof(int) * size);
		memset(state->positions + state->size, 0, sizeof(int) * (size - state->size));
		state->size = size;
	}
	state->positions[item_no] = at + 1;
	state->find.found[at].item_no = item_no;
}

/* The name of a verdict; there are few, so each is asked for once. */
static const char *
status_name(MostState *state, Oid status)
{
	const char *name;

	for (int i = 0; i < state->nstatuses; i++)
		if (state->statuses[i].status == status)
			return state->statuses[i].name;
	name = DatumGetCString(DirectFunctionCall1(enum_out, ObjectIdGetDatum(status)));
	if (state->nstatuses < lengthof(state->statuses))
	{
		state->statuses[state->nstatuses].status = status;
		state->statuses[state->nstatuses++].name = name;
	}
	return name;
}

static void
take_decision(TupleTableSlot *slot, void *arg)
{
	MostState  *state = arg;
	VouchFound *f;
	int			item_no;

	slot_getallattrs(slot);
	item_no = DatumGetInt32(slot->tts_values[0]);
	if (item_no >= state->size || state->positions[item_no] == 0)
		return;
	f = &state->find.found[state->positions[item_no] - 1];
	f->from_no = DatumGetInt32(slot->tts_values[1]);
	f->origin_no = slot->tts_isnull[2] ? 0 : DatumGetInt32(slot->tts_values[2]);
	f->body_no = DatumGetInt32(slot->tts_values[3]);
	f->status = status_name(state, DatumGetObjectId(slot->tts_values[4]));
	f->source = vouch_store_intern(&state->find.strings, slot->tts_values[5]);
	f->recommended_by = vouch_store_intern(&state->find.strings, slot->tts_values[6]);
	f->place = *(ItemPointer) DatumGetPointer(slot->tts_values[7]);
	f->recommended_at = DatumGetTimestampTz(slot->tts_values[8]);
}

static void
find_most(FindState *find, Datum *args, Datum *keys, int n, int last_item_no)
{
	MostState	state = {*find};
	Datum		of_stage[3] = {args[0], args[1], args[3]};

	state.wanted = keys;
	state.n = n;
	state.size = last_item_no + 1;
	state.positions = palloc_extended(sizeof(int) * state.size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	vouch_stmt_scan(&scan_items, args, NULL, true, take_item, &state);
	vouch_stmt_scan(&scan_decisions, of_stage, NULL, true, take_decision, &state);
	/* what is left is wanted in vain, or again */
	if (state.keys == NULL && state.next < n)
		hash_wanted(&state);
	for (int i = 0; state.same != NULL && i < n; i++)
		if (state.same[i] > 0)
			find->found[i] = find->found[state.same[i] - 1];
	pfree(state.positions);
}

VouchFound *
vouch_store_find(const VouchVersion *version, int stage, Datum *keys, int n)
{
	FindState	state = {0};
	Datum		args[4] = {Int32GetDatum(version->bucket), Int32GetDatum(version->artifact_no),
	(Datum) 0, Int16GetDatum(stage)};

	state.found = palloc_extended(sizeof(VouchFound) * Max(n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	if (n == 0)
		return state.found;
	if (n > version->last_item_no / 4 && n >= MANY)
	{
		find_most(&state, args, keys, n, version->last_item_no);
		return state.found;
	}
	args[2] = vouch_array(keys, n, TEXTOID);
	vouch_stmt_scan(&find_items, args, NULL, true, take_found, &state);
	pfree(DatumGetPointer(args[2]));
	return state.found;
}
