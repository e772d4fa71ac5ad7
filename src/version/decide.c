/*
 * decide.c
 *	  Verdicts on items, many in one call.
 *
 * Reads what the caller wants, finds the items, and logs the call; verdict.c
 * writes the rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "version/content.h"
#include "version/part.h"
#include "version/store.h"
#include "version/verdict.h"
#include "version/version.h"

/* Calls of so few items are written out in the log; of larger ones it has the Merkle root. */
#define LOGGED_ITEMS 50

static VouchStmt name_items = {
	"SELECT (t.o - 1)::int4, i.item_key FROM unnest($3::int4[]) WITH ORDINALITY AS t(item_no, o),"
	" LATERAL (SELECT x.item_key FROM vouch_data.item x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = t.item_no OFFSET 0) AS i",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4ARRAYOID}, .indexed = true
};

/*
 * What decide_where looks at is every item, so it reads them once, with all
 * that is needed to write them: of the stage (a), and of stage 1 (d).
 */
#define WHERE_VERDICT(a) \
	" AND (NOT $5 OR coalesce(" a ".status, 'pending') IN ('pending', 'needs_changes'))" \
	" AND coalesce(" a ".status, 'pending')::text <> $6"
#define WHERE_COLUMNS(a, more) \
	"SELECT i.item_key, d.item_no, " a ".from_no, " a ".origin_no, d.body_no, " a ".status::text, d.source, " a ".ctid" more \
	" FROM vouch_data.decision d" \
	" JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = d.item_no"
#define WHERE_STAGE \
	" LEFT JOIN vouch_data.decision e ON e.bucket = $1 AND e.artifact_no = $2 AND e.item_no = d.item_no" \
	"  AND e.stage = $4 AND e.from_no <= $3 AND e.to_no > $3"
#define WHERE_PAYLOAD \
	" JOIN vouch_data.item_body b ON b.bucket = $1 AND b.artifact_no = $2 AND b.body_no = d.body_no" \
	"  AND ($7 IS NULL OR b.payload @> $7)" \
	"  AND ($8 IS NULL OR coalesce(jsonb_path_query_first(b.payload, $8, '{}', true), 'false') NOT IN ('false', 'null'))"
#define WHERE_VISIBLE \
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.stage = 1 AND d.from_no <= $3 AND d.to_no > $3"
#define WHERE_STMT(text) { \
	text " ORDER BY d.item_no", \
	SPI_OK_SELECT, 8, {INT4OID, INT4OID, INT4OID, INT2OID, BOOLOID, TEXTOID, JSONBOID, JSONPATHOID}, .hashed = true}

/* The last are for who may decide on parts only: with what the parts are known by. */
typedef enum WhereKind
{
	WHERE_ALL, WHERE_FILTER, WHERE_PARTS
} WhereKind;

#define WHERE_STMTS(a, stage) { \
	WHERE_STMT(WHERE_COLUMNS(a, "") stage WHERE_VISIBLE WHERE_VERDICT(a)), \
	WHERE_STMT(WHERE_COLUMNS(a, "") WHERE_PAYLOAD stage WHERE_VISIBLE WHERE_VERDICT(a)), \
	WHERE_STMT(WHERE_COLUMNS(a, ", b.payload") WHERE_PAYLOAD stage WHERE_VISIBLE WHERE_VERDICT(a))}

/* by later stage, by WhereKind */
static VouchStmt find_where[2][3] = {
	WHERE_STMTS("d", ""),
	WHERE_STMTS("e", WHERE_STAGE),
};

/* What the caller wants, one entry an item. */
typedef struct Wanted
{
	const VouchVersion *version;
	const VouchPhase *phase;
	bool		by_key;			/* an object: entries are named by key, not by index */
	int			n;
	int			allocated;
	Datum	   *keys;			/* text; 0 where a decision_id gave item_nos[i] */
	int		   *item_nos;
	VouchVerdict    *status;
	Datum	   *notes;			/* text, or 0 */
	VouchKeySet *seen;
} Wanted;

static void
bad_decision(const Wanted *wanted, const text *key, const char *what)
{
	char	   *name;

	if (key == NULL)
		name = psprintf("decision %d", wanted->n);
	else if (wanted->by_key)
		name = psprintf("decision on \"%s\"", text_to_cstring(key));
	else
		name = psprintf("decision %d (\"%s\")", wanted->n, text_to_cstring(key));
	ereport(ERROR,
			(errcode(VOUCH_ERR_BAD_DECISION),
			 errmsg("%s: %s", name, what),
			 errdetail("A decision names an item by \"%s\", \"item_key\" or \"decision_id\", has a \"decision\" (approved, rejected, needs_changes or pending), and may have \"notes\" (or \"reason\"). Indexes count from 0.",
					   wanted->phase->item_key),
			 errhint("Correct it and call again; nothing was written.")));
}

static bool
get(Jsonb *object, const char *key, JsonbValue *v)
{
	return getKeyJsonValueFromContainer(&object->root, key, strlen(key), v) != NULL &&
		v->type != jbvNull;
}

static text *
text_of(const JsonbValue *v)
{
	if (v->type == jbvString)
		return cstring_to_text_with_len(v->val.string.val, v->val.string.len);
	if (v->type == jbvNumeric)
		return cstring_to_text(DatumGetCString(DirectFunctionCall1(numeric_out,
																   NumericGetDatum(v->val.numeric))));
	return NULL;
}

static VouchVerdict
verdict_of(const Wanted *wanted, const text *key, const JsonbValue *v)
{
	if (v->type == jbvString)
		for (int i = 0; i < VOUCH_NVERDICTS; i++)
			if (v->val.string.len == strlen(vouch_verdict_names[i]) &&
				memcmp(v->val.string.val, vouch_verdict_names[i], v->val.string.len) == 0)
				return (VouchVerdict) i;
	bad_decision(wanted, key, psprintf("%s is no verdict",
									   v->type == jbvString ?
									   psprintf("\"%.*s\"", pg_mbcliplen(v->val.string.val, v->val.string.len, 80),
												v->val.string.val) :
									   vouch_json_to_text(JsonbValueToJsonb((JsonbValue *) v))));
	return VOUCH_PENDING;				/* not reached */
}

static text *
notes_of(const Wanted *wanted, const text *key, Jsonb *object)
{
	JsonbValue	v;

	if (!get(object, "notes", &v) && !get(object, "reason", &v))
		return NULL;
	if (v.type != jbvString)
		bad_decision(wanted, key, "its notes are not a string");
	if (v.val.string.len > VOUCH_TEXT_MAX && pg_mbstrlen_with_len(v.val.string.val, v.val.string.len) > VOUCH_TEXT_MAX)
		bad_decision(wanted, key, psprintf("its notes have more than %d characters", VOUCH_TEXT_MAX));
	return cstring_to_text_with_len(v.val.string.val, v.val.string.len);
}

static VouchVerdict
verdict_in(const Wanted *wanted, const text *key, Jsonb *object)
{
	JsonbValue	v;

	if (!get(object, "decision", &v) && !get(object, "status", &v) && !get(object, "verdict", &v))
		bad_decision(wanted, key, "it has no \"decision\"");
	return verdict_of(wanted, key, &v);
}

/* The item that a decision_id names: it must be of this version's artifact. */
static int
item_of(const Wanted *wanted, const JsonbValue *v)
{
	int			bucket,
				artifact_no,
				item_no,
				stage,
				from_no;
	char	   *given = v->type == jbvString ?
		pnstrdup(v->val.string.val, v->val.string.len) : NULL;
	pg_uuid_t  *id;

	if (given == NULL || strlen(given) != 36 || strspn(given, "0123456789abcdefABCDEF-") != 36)
		bad_decision(wanted, NULL, "its decision_id is no id");
	id = DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(given)));
	if (!vouch_id_unpack_decision(id, &bucket, &artifact_no, &item_no, &stage, &from_no) ||
		bucket != wanted->version->bucket || artifact_no != wanted->version->artifact_no)
		bad_decision(wanted, NULL, psprintf("decision_id \"%s\" is of another version", given));
	return item_no;
}

/* What is not read would be lost without a word, such as a note under another name. */
static void
only_known(const Wanted *wanted, const text *key, Jsonb *object)
{
	static const char *const known[] = {"decision", "status", "verdict", "notes", "reason",
	"item_key", "decision_id", "decision_status"};
	JsonbIterator *it = JsonbIteratorInit(&object->root);
	JsonbValue	v;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		const char *name;
		int			len;
		bool		found;

		if (token != WJB_KEY)
			continue;
		name = v.val.string.val;
		len = v.val.string.len;
		found = strlen(wanted->phase->item_key) == len && memcmp(wanted->phase->item_key, name, len) == 0;
		for (int i = 0; !found && i < lengthof(known); i++)
			found = strlen(known[i]) == len && memcmp(known[i], name, len) == 0;
		if (!found)
			bad_decision(wanted, key, psprintf("it has a field \"%.*s\" that a decision does not have",
											   pg_mbcliplen(name, len, 80), name));
	}
}

static void
add(Wanted *wanted, text *key, int item_no, VouchVerdict status, text *notes)
{
	int			n = wanted->n;

	wanted->keys[n] = PointerGetDatum(key);
	wanted->item_nos[n] = item_no;
	wanted->status[n] = status;
	wanted->notes[n] = PointerGetDatum(notes);
	wanted->n++;
}

static void
read_entry(Wanted *wanted, Jsonb *entry)
{
	JsonbValue	v;
	text	   *key = NULL;
	int			item_no = 0;

	if (!JB_ROOT_IS_OBJECT(entry))
		bad_decision(wanted, NULL, "it is not an object");
	if (get(entry, "item_key", &v) || get(entry, wanted->phase->item_key, &v))
	{
		key = text_of(&v);
		if (key == NULL)
			bad_decision(wanted, NULL, "its key is neither a string nor a number");
	}
	else if (get(entry, "decision_id", &v))
		item_no = item_of(wanted, &v);
	else
		bad_decision(wanted, NULL, "it names no item");
	only_known(wanted, key, entry);
	add(wanted, key, item_no, verdict_in(wanted, key, entry), notes_of(wanted, key, entry));
}

static void
read_member(Wanted *wanted, text *key, const JsonbValue *v)
{
	if (v->type == jbvBinary && JsonContainerIsObject(v->val.binary.data))
	{
		Jsonb	   *object = JsonbValueToJsonb((JsonbValue *) v);

		only_known(wanted, key, object);
		add(wanted, key, 0, verdict_in(wanted, key, object), notes_of(wanted, key, object));
	}
	else
		add(wanted, key, 0, verdict_of(wanted, key, v), NULL);
}

static void
read_decisions(Wanted *wanted, Jsonb *decisions)
{
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;
	text	   *key = NULL;
	int			n;

	wanted->by_key = decisions != NULL && vouch_json_is_object(decisions);
	if (decisions == NULL || !(wanted->by_key || vouch_json_is_array(decisions)))
		ereport(ERROR,
				(errcode(VOUCH_ERR_BAD_DECISION),
				 errmsg("decisions must be a JSON array or object"),
				 decisions == NULL ? errdetail("They are null.") :
				 errdetail("They are a single value."),
				 errhint("Pass [{\"%s\": …, \"decision\": \"approved\"}, …] or {\"<key>\": \"approved\", …}.",
						 wanted->phase->item_key)));
	n = Max(1, (int) JB_ROOT_COUNT(decisions));
	wanted->keys = palloc_extended(sizeof(Datum) * n, MCXT_ALLOC_HUGE);
	wanted->item_nos = palloc_extended(sizeof(int) * n, MCXT_ALLOC_HUGE);
	wanted->status = palloc_extended(sizeof(VouchVerdict) * n, MCXT_ALLOC_HUGE);
	wanted->notes = palloc_extended(sizeof(Datum) * n, MCXT_ALLOC_HUGE);

	it = JsonbIteratorInit(&decisions->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (wanted->n % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
		if (token == WJB_ELEM)
			read_entry(wanted, JsonbValueToJsonb(&v));
		else if (token == WJB_KEY)
			key = text_of(&v);
		else if (token == WJB_VALUE)
			read_member(wanted, key, &v);
	}
}

/* Gives the entries that came with a decision_id their keys. */
static void
look_up_ids(Wanted *wanted)
{
	Datum	   *numbers = palloc(sizeof(Datum) * Max(wanted->n, 1));
	int		   *where = palloc(sizeof(int) * Max(wanted->n, 1));
	int			n = 0;
	Datum		args[3] = {Int32GetDatum(wanted->version->bucket),
	Int32GetDatum(wanted->version->artifact_no)};
	uint64		rows;

	for (int i = 0; i < wanted->n; i++)
		if (DatumGetPointer(wanted->keys[i]) == NULL)
		{
			numbers[n] = Int32GetDatum(wanted->item_nos[i]);
			where[n++] = i;
		}
	if (n == 0)
		return;
	args[2] = vouch_array(numbers, n, INT4OID);
	rows = vouch_stmt_run(&name_items, args, NULL);
	for (uint64 i = 0; i < rows; i++)
		wanted->keys[where[vouch_stmt_get_int32(i, 1, 0)]] =
			CStringGetTextDatum(vouch_stmt_get_text(i, 2));
	for (int i = 0; i < n; i++)
		if (DatumGetPointer(wanted->keys[where[i]]) == NULL)
		{
			wanted->n = where[i];
			bad_decision(wanted, NULL, "its decision_id names no item");
		}
}

static void
check_duplicates(Wanted *wanted)
{
	wanted->seen = vouch_keyset_create(wanted->n);
	for (int i = 0; i < wanted->n; i++)
	{
		text	   *key = DatumGetTextPP(wanted->keys[i]);
		int			first = vouch_keyset_add(wanted->seen, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), i);

		if (first >= 0)
			ereport(ERROR,
					(errcode(VOUCH_ERR_DUPLICATE_ITEM),
					 errmsg("decisions %d and %d are on the same item \"%s\"", first, i,
							text_to_cstring(key)),
					 errdetail("One call decides an item once. Indexes count from 0."),
					 errhint("Leave one of them out; nothing was written.")));
	}
}

static void
check_known(const Wanted *wanted, const VouchFound *found, const VouchFound *base)
{
	for (int i = 0; i < wanted->n; i++)
	{
		if (base[i].from_no != 0)
			continue;
		ereport(ERROR,
				(errcode(VOUCH_ERR_UNKNOWN_ITEM),
				 wanted->by_key ?
				 errmsg("version %d has no item \"%s\"", wanted->version->version_no,
						TextDatumGetCString(wanted->keys[i])) :
				 errmsg("decision %d: version %d has no item \"%s\"", i, wanted->version->version_no,
						TextDatumGetCString(wanted->keys[i])),
				 base[i].item_no != 0 ? errdetail("An earlier version had it; it was not carried forward.") :
				 errdetail("No version of this artifact ever had it."),
				 errhint("vouch.version_items() lists what the version has; nothing was written.")));
	}
}

/* Somebody may be let decide on parts of the version only. */
static void
check_inside(const Wanted *wanted, const VouchFound *base, const char *actor)
{
	const VouchVersion *version = wanted->version;
	int		   *bodies;
	int			outside;

	if (version->only == NULL)
		return;
	bodies = palloc_extended(sizeof(int) * wanted->n, MCXT_ALLOC_HUGE);
	for (int i = 0; i < wanted->n; i++)
		bodies[i] = base[i].body_no;
	outside = vouch_version_outside(version, version->only, version->nonly, bodies, wanted->n);
	if (outside >= 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ROLE_MISSING),
				 errmsg("\"%s\" cannot decide on item \"%s\"", actor, TextDatumGetCString(wanted->keys[outside])),
				 errdetail("The rules that they may sign are for other items of the version."),
				 errhint("vouch.explain_approval() says who signs for which items; nothing was written.")));
}

void
vouch_decision_leaf(VouchDigest *leaf, StringInfo scratch, const text *key, int stage,
					const char *verdict, const text *notes)
{
	resetStringInfo(scratch);
	vouch_canon_bytes(scratch, 'k', VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	vouch_canon_int64(scratch, 'g', stage);
	vouch_canon_text(scratch, 'v', verdict);
	if (notes == NULL)
		vouch_canon_null(scratch, 'n');
	else
		vouch_canon_bytes(scratch, 'n', VARDATA_ANY(notes), VARSIZE_ANY_EXHDR(notes));
	vouch_digest_leaf(leaf, scratch->data, scratch->len);
}

static Jsonb *
detail_of(const Wanted *wanted, int stage)
{
	VouchJsonBuild build,
				items;
	int64		totals[VOUCH_NVERDICTS] = {0};

	vouch_json_begin(&build);
	for (int i = 0; i < wanted->n; i++)
		totals[wanted->status[i]]++;
	for (int i = 0; i < VOUCH_NVERDICTS; i++)
		if (totals[i] > 0)
			vouch_json_put_int(&build, vouch_verdict_names[i], totals[i]);
	if (stage != 1)
		vouch_json_put_int(&build, "stage", stage);
	if (wanted->n <= LOGGED_ITEMS)
	{
		vouch_json_begin(&items);
		for (int i = 0; i < wanted->n; i++)
		{
			char	   *key = TextDatumGetCString(wanted->keys[i]);

			if (DatumGetPointer(wanted->notes[i]) == NULL)
				vouch_json_put_text(&items, key, vouch_verdict_names[wanted->status[i]]);
			else
			{
				VouchJsonBuild one;

				vouch_json_begin(&one);
				vouch_json_put_text(&one, "decision", vouch_verdict_names[wanted->status[i]]);
				vouch_json_put_text(&one, "notes", TextDatumGetCString(wanted->notes[i]));
				vouch_json_put(&items, key, vouch_json_end(&one));
			}
		}
		vouch_json_put(&build, "decisions", vouch_json_end(&items));
	}
	return vouch_json_end(&build);
}

typedef struct PlacedLeaf
{
	int			item_no;
	VouchDigest leaf;
} PlacedLeaf;

static int
compare_placed(const void *a, const void *b)
{
	int			x = ((const PlacedLeaf *) a)->item_no;
	int			y = ((const PlacedLeaf *) b)->item_no;

	return (x > y) - (x < y);
}

/* In the order of the items, so that vouch.verify() can compute the root from the rows. */
static void
sort_leaves(VouchDigest *leaves, const VouchFound *items, int n)
{
	PlacedLeaf *placed;
	int			i = 1;

	while (i < n && items[i - 1].item_no < items[i].item_no)
		i++;
	if (i >= n)
		return;
	placed = palloc_extended(sizeof(PlacedLeaf) * n, MCXT_ALLOC_HUGE);
	for (i = 0; i < n; i++)
	{
		placed[i].item_no = items[i].item_no;
		placed[i].leaf = leaves[i];
	}
	qsort(placed, n, sizeof(PlacedLeaf), compare_placed);
	for (i = 0; i < n; i++)
		leaves[i] = placed[i].leaf;
	pfree(placed);
}

/* found: the rows of the stage; base: those of stage 1. */
static int64
enter(VouchVersion *version, int stage, const Wanted *wanted, const VouchFound *found, const VouchFound *base,
	  const VouchTransition *rule, const char *actor, const char *on_behalf_of)
{
	VouchChange change;
	VouchOperation op = {0};
	VouchDigest *leaves,
				root;
	StringInfoData scratch;
	VouchVerdicts written = {wanted->n, wanted->status, wanted->notes, found, base};

	vouch_change_begin(&change, version);
	leaves = palloc_extended(sizeof(VouchDigest) * wanted->n, MCXT_ALLOC_HUGE);
	initStringInfo(&scratch);
	for (int i = 0; i < wanted->n; i++)
	{
		const VouchFound *f = &found[i];

		if (f->from_no != 0)
			vouch_change_count(&change, stage, f->status, f->source,
							   f->origin_no != 0 || f->from_no < version->version_no, -1);
		if (f->from_no != 0 && f->from_no < version->version_no)
			vouch_change_ended(&change, stage, f->status, f->item_no, f->from_no, f->body_no);
		vouch_change_count(&change, stage, vouch_verdict_names[wanted->status[i]], base[i].source, false, 1);
		vouch_decision_leaf(&leaves[i], &scratch, DatumGetTextPP(wanted->keys[i]), stage,
							vouch_verdict_names[wanted->status[i]], (text *) DatumGetPointer(wanted->notes[i]));
	}

	vouch_verdict_write(version, stage, &written, actor, on_behalf_of, change.at);
	vouch_change_finish(&change);
	version->has_shown = false;

	sort_leaves(leaves, base, wanted->n);
	vouch_digest_root(&root, leaves, wanted->n);
	op.bucket = version->bucket;
	op.artifact_no = version->artifact_no;
	op.version_no = version->version_no;
	op.operation = "decide";
	op.rule = rule->rule;
	op.actor = actor;
	op.on_behalf_of = on_behalf_of;
	op.items = wanted->n;
	op.items_root = &root;
	op.detail = detail_of(wanted, stage);
	op.at = change.at;
	vouch_ledger_append(&op);
	return wanted->n;
}

static void
check_stage(int stage)
{
	if (stage < 1 || stage > 255)
		elog(ERROR, "there is no reviewing stage %d", stage);
}

int64
vouch_version_decide(VouchVersion *version, int stage, Jsonb *decisions,
					 const char *actor, const char *on_behalf_of)
{
	const VouchTransition *rule = vouch_version_rule(version, "decide");
	Wanted		wanted = {0};
	VouchFound *found,
			   *base;

	check_stage(stage);
	wanted.version = version;
	wanted.phase = vouch_phase_read(version->phase);
	read_decisions(&wanted, decisions);
	if (wanted.n == 0)
		return 0;
	look_up_ids(&wanted);
	check_duplicates(&wanted);
	found = vouch_store_find(version, stage, wanted.keys, wanted.n);
	base = stage == 1 ? found : vouch_store_find(version, 1, wanted.keys, wanted.n);
	check_known(&wanted, found, base);
	if (actor == NULL)
		actor = vouch_actor_current();
	check_inside(&wanted, base, actor);
	return enter(version, stage, &wanted, found, base, rule, actor, on_behalf_of);
}

typedef struct WhereState
{
	Wanted	   *wanted;
	VouchFound *found;
	VouchFound *base;
	VouchVerdict		status;
	text	   *notes;
	List	   *strings;
	MemoryContext inside;		/* for who may decide on parts only, to look whether an item is in one */
} WhereState;

static void
make_room(WhereState *state)
{
	Wanted	   *wanted = state->wanted;
	int			n = wanted->allocated = Max(1024, 2 * wanted->allocated);

	if (wanted->keys == NULL)
	{
		wanted->keys = palloc(sizeof(Datum) * n);
		wanted->status = palloc(sizeof(VouchVerdict) * n);
		wanted->notes = palloc(sizeof(Datum) * n);
		state->found = palloc(sizeof(VouchFound) * n);
		state->base = palloc(sizeof(VouchFound) * n);
		return;
	}
	wanted->keys = repalloc_huge(wanted->keys, sizeof(Datum) * n);
	wanted->status = repalloc_huge(wanted->status, sizeof(VouchVerdict) * n);
	wanted->notes = repalloc_huge(wanted->notes, sizeof(Datum) * n);
	state->found = repalloc_huge(state->found, sizeof(VouchFound) * n);
	state->base = repalloc_huge(state->base, sizeof(VouchFound) * n);
}

static void
take_match(TupleTableSlot *slot, void *arg)
{
	WhereState *state = arg;
	Wanted	   *wanted = state->wanted;
	VouchFound *f;
	int			n = wanted->n;

	slot_getallattrs(slot);
	if (state->inside != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(state->inside);
		bool		inside = vouch_part_has_any(wanted->version->only, wanted->version->nonly,
												DatumGetJsonbP(slot->tts_values[8]));

		MemoryContextSwitchTo(old);
		MemoryContextReset(state->inside);
		if (!inside)
			return;
	}
	if (n == wanted->allocated)
		make_room(state);
	wanted->keys[n] = PointerGetDatum(DatumGetTextPCopy(slot->tts_values[0]));
	wanted->status[n] = state->status;
	wanted->notes[n] = PointerGetDatum(state->notes);
	f = &state->base[n];
	memset(f, 0, sizeof(*f));
	f->item_no = DatumGetInt32(slot->tts_values[1]);
	f->body_no = DatumGetInt32(slot->tts_values[4]);
	f->source = vouch_store_intern(&state->strings, slot->tts_values[6]);
	state->found[n] = *f;
	if (!slot->tts_isnull[2])
	{
		f = &state->found[n];
		f->from_no = DatumGetInt32(slot->tts_values[2]);
		f->origin_no = slot->tts_isnull[3] ? 0 : DatumGetInt32(slot->tts_values[3]);
		f->status = vouch_store_intern(&state->strings, slot->tts_values[5]);
		f->place = *(ItemPointer) DatumGetPointer(slot->tts_values[7]);
	}
	wanted->n++;
}

int64
vouch_version_decide_where(VouchVersion *version, int stage, const VouchWhere *where,
						   const char *actor, const char *on_behalf_of)
{
	const VouchTransition *rule = vouch_version_rule(version, "decide");
	WhereKind	kind = version->only != NULL ? WHERE_PARTS :
		where->contained != NULL || where->path != (Datum) 0 ? WHERE_FILTER : WHERE_ALL;
	Wanted		wanted = {0};
	WhereState	state = {0};
	Datum		args[8] = {Int32GetDatum(version->bucket), Int32GetDatum(version->artifact_no),
		Int32GetDatum(version->version_no), Int16GetDatum(stage), BoolGetDatum(where->only_undecided),
		CStringGetTextDatum(where->verdict), JsonbPGetDatum(where->contained), where->path};
	char		nulls[9] = "        ";

	check_stage(stage);
	wanted.version = version;
	wanted.phase = vouch_phase_read(version->phase);
	state.wanted = &wanted;
	while (strcmp(vouch_verdict_names[state.status], where->verdict) != 0)
		state.status++;
	state.notes = where->notes == NULL ? NULL : cstring_to_text(where->notes);
	nulls[6] = where->contained == NULL ? 'n' : ' ';
	nulls[7] = where->path == (Datum) 0 ? 'n' : ' ';
	if (kind == WHERE_PARTS)
		state.inside = AllocSetContextCreate(CurrentMemoryContext, "vouch parts", ALLOCSET_DEFAULT_SIZES);
	vouch_stmt_scan(&find_where[stage > 1][kind], args, nulls, true, take_match, &state);
	if (wanted.n == 0)
		return 0;
	return enter(version, stage, &wanted, state.found, state.base, rule,
				 actor != NULL ? actor : vouch_actor_current(), on_behalf_of);
}
