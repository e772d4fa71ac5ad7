/*
 * content.c
 *	  Digests of what a version shows.
 *
 * Both are Merkle roots over a leaf of what belongs to the version as a whole,
 * and then one leaf an item (and stage), in the order of the item numbers.  They depend on from_no only through which rows are visible,
 * so that closing a row later does not change the digest of an older version.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "core/stmt.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "version/content.h"
#include "version/items.h"
#include "version/lookup.h"
#include "version/version.h"

/*
 * The rows lie in the order of the index, and what belongs to them nearly so: they are read
 * in windows of item numbers, and their keys and hashes by version/lookup.h,
 * in memory that does not grow with the version.
 */
#define WINDOW 10000

static VouchStmt read_bounds = {
	"(SELECT item_no FROM vouch_data.decision WHERE bucket = $1 AND artifact_no = $2"
	"  ORDER BY bucket, artifact_no, item_no LIMIT 1)"
	" UNION ALL"
	" (SELECT item_no FROM vouch_data.decision WHERE bucket = $1 AND artifact_no = $2"
	"  ORDER BY bucket DESC, artifact_no DESC, item_no DESC LIMIT 1)",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

#define READ_CONTENT(columns, which) { \
	"SELECT d.item_no, d.body_no, d.source, d.recommended_by, d.recommended_at" columns \
	" FROM vouch_data.decision d" \
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.item_no >= $4 AND d.item_no <= $5" which \
	"  AND d.from_no + 0 <= $3 AND d.to_no + 0 > $3" \
	" ORDER BY d.bucket, d.artifact_no, d.item_no, d.stage", \
	SPI_OK_SELECT, 5, {INT4OID, INT4OID, INT4OID, INT4OID, INT4OID}, .indexed = true}

static VouchStmt read_items = READ_CONTENT("", " AND d.stage = 1");
static VouchStmt read_verdicts = READ_CONTENT(", d.stage, d.status::text, d.decided_by, d.on_behalf_of, d.decided_at,"
											  " d.notes, COALESCE(d.origin_no, d.from_no)", "");

static VouchStmt read_metadata = {
	"SELECT metadata FROM vouch_data.version WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true
};

#define COLUMNS 12

typedef struct ContentState
{
	bool		verdicts;
	VouchDigest *leaves;
	size_t		n;
	size_t		allocated;
	StringInfoData scratch;
	/* the window */
	TupleDesc	desc;
	HeapTuple  *rows;
	int		   *item_nos;
	int		   *body_nos;
	int			nrows;
	int			room;
	MemoryContext memory;
} ContentState;

/* The first and the last item number. */
typedef struct Bounds
{
	int64		first;
	int64		last;
} Bounds;

static void
take_bound(TupleTableSlot *slot, void *arg)
{
	Bounds	   *bounds = arg;
	bool		isnull;
	int			item_no = DatumGetInt32(slot_getattr(slot, 1, &isnull));

	bounds->first = Min(bounds->first, item_no);
	bounds->last = Max(bounds->last, item_no);
}

static void
take_row(TupleTableSlot *slot, void *arg)
{
	ContentState *state = arg;
	bool		isnull;

	if (state->desc == NULL)
		state->desc = CreateTupleDescCopy(slot->tts_tupleDescriptor);
	if (state->nrows == state->room)
	{
		/* an item has a row for each stage */
		state->room *= 2;
		state->rows = repalloc_huge(state->rows, sizeof(HeapTuple) * state->room);
		state->item_nos = repalloc_huge(state->item_nos, sizeof(int) * state->room);
		state->body_nos = repalloc_huge(state->body_nos, sizeof(int) * state->room);
	}
	state->item_nos[state->nrows] = DatumGetInt32(slot_getattr(slot, 1, &isnull));
	state->body_nos[state->nrows] = DatumGetInt32(slot_getattr(slot, 2, &isnull));
	state->rows[state->nrows++] = ExecCopySlotHeapTuple(slot);
}

static void
put(StringInfo buf, char tag, Datum value, bool isnull)
{
	if (isnull)
		vouch_canon_null(buf, tag);
	else
	{
		struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);

		vouch_canon_bytes(buf, tag, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	}
}

static void
put_time(StringInfo buf, char tag, Datum value, bool isnull)
{
	if (isnull)
		vouch_canon_null(buf, tag);
	else
		vouch_canon_time(buf, tag, DatumGetTimestampTz(value));
}

/* The first leaf: metadata. */
static void
add_header(TupleTableSlot *slot, void *arg)
{
	ContentState *state = arg;
	StringInfo	buf = &state->scratch;
	MemoryContext old = MemoryContextSwitchTo(state->memory);
	bool		isnull;
	Datum		metadata = slot_getattr(slot, 1, &isnull);

	resetStringInfo(buf);
	vouch_canon_text(buf, 'F', "vouch-content-1");
	vouch_canon_jsonb(buf, 'M', isnull ? NULL : DatumGetJsonbP(metadata));
	vouch_digest_leaf(&state->leaves[state->n++], buf->data, buf->len);
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->memory);
}

/* key and hash: 0 where the row's item or payload is missing */
static void
add_leaf(ContentState *state, Datum key, Datum hash, const Datum *values, const bool *nulls)
{
	StringInfo	buf = &state->scratch;

	/* the first five fields are those of vouch_items_leaf() and when the item was put there */
	resetStringInfo(buf);
	put(buf, 'k', key, key == (Datum) 0);
	put(buf, 'h', hash, hash == (Datum) 0);
	put(buf, 's', values[2], nulls[2]);
	put(buf, 'm', values[3], nulls[3]);
	put_time(buf, 'q', values[4], nulls[4]);
	if (state->verdicts)
	{
		vouch_canon_int64(buf, 'g', DatumGetInt16(values[5]));
		put(buf, 'v', values[6], nulls[6]);
		put(buf, 'A', values[7], nulls[7]);
		put(buf, 'B', values[8], nulls[8]);
		put_time(buf, 't', values[9], nulls[9]);
		put(buf, 'n', values[10], nulls[10]);
		vouch_canon_int64(buf, 'f', DatumGetInt32(values[11]));
	}
	vouch_digest_leaf(&state->leaves[state->n++], buf->data, buf->len);
}

/* Adds the leaves of the window's rows. */
static void
add_window(ContentState *state, int bucket, int artifact_no, bool fresh)
{
	int			n = state->nrows;
	int		   *items = palloc_extended(sizeof(int) * n, MCXT_ALLOC_HUGE);
	int		   *bodies = palloc_extended(sizeof(int) * n, MCXT_ALLOC_HUGE);
	int			nitems,
				nbodies;
	Datum	   *keys,
			   *hashes;

	memcpy(items, state->item_nos, sizeof(int) * n);
	memcpy(bodies, state->body_nos, sizeof(int) * n);
	nitems = vouch_lookup_sort(items, n);
	nbodies = vouch_lookup_sort(bodies, n);
	keys = vouch_lookup_keys(bucket, artifact_no, items, nitems, fresh);
	vouch_lookup_bodies(bucket, artifact_no, bodies, nbodies, fresh, NULL, &hashes);
	for (int i = 0; i < n; i++)
	{
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS];

		heap_deform_tuple(state->rows[i], state->desc, values, nulls);
		add_leaf(state, keys[vouch_lookup_index(items, nitems, state->item_nos[i])],
				 hashes[vouch_lookup_index(bodies, nbodies, state->body_nos[i])], values, nulls);
	}
}

void
vouch_content_digest(int bucket, int artifact_no, int version_no,
					 bool verdicts, bool fresh, VouchDigest *out)
{
	ContentState state = {0};
	MemoryContext caller = CurrentMemoryContext;
	Datum		args[5] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no), Int32GetDatum(version_no)};
	Bounds		bounds = {PG_INT64_MAX, PG_INT64_MIN};

	state.verdicts = verdicts;
	state.allocated = 1024;
	state.leaves = palloc(sizeof(VouchDigest) * state.allocated);
	initStringInfo(&state.scratch);
	state.memory = AllocSetContextCreate(caller, "vouch content", ALLOCSET_DEFAULT_SIZES);
	vouch_stmt_scan(&read_metadata, args, NULL, fresh, add_header, &state);
	vouch_stmt_scan(&read_bounds, args, NULL, fresh, take_bound, &bounds);
	for (int64 first = bounds.first; first <= bounds.last; first += WINDOW)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(state.memory);
		state.desc = NULL;
		state.nrows = 0;
		state.room = WINDOW;
		state.rows = palloc(sizeof(HeapTuple) * state.room);
		state.item_nos = palloc(sizeof(int) * state.room);
		state.body_nos = palloc(sizeof(int) * state.room);
		args[3] = Int32GetDatum((int32) first);
		args[4] = Int32GetDatum((int32) Min(first + WINDOW - 1, bounds.last));
		vouch_stmt_scan(verdicts ? &read_verdicts : &read_items, args, NULL, fresh, take_row, &state);
		MemoryContextSwitchTo(caller);
		if (state.n + state.nrows > state.allocated)
		{
			state.allocated = Max(2 * state.allocated, state.n + state.nrows);
			state.leaves = repalloc_huge(state.leaves, sizeof(VouchDigest) * state.allocated);
		}
		MemoryContextSwitchTo(state.memory);
		if (state.nrows > 0)
			add_window(&state, bucket, artifact_no, fresh);
		MemoryContextReset(state.memory);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(state.memory);
	vouch_digest_root(out, state.leaves, state.n);
	pfree(state.leaves);
	pfree(state.scratch.data);
}

void
vouch_version_digest(const VouchVersion *version, VouchDigest *out)
{
	if (!version->has_shown)
	{
		/* a note in the caller's copy: a signature and the end of a version want the same */
		VouchVersion *note = (VouchVersion *) version;

		vouch_content_digest(version->bucket, version->artifact_no, version->version_no,
							 true, true, &note->shown);
		note->has_shown = true;
	}
	*out = version->shown;
}

void
vouch_version_content_digest(const VouchVersion *version, VouchDigest *out)
{
	vouch_content_digest(version->bucket, version->artifact_no, version->version_no,
						 false, true, out);
}
