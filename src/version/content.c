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
	"  AND d.from_no + 0 <= $3 AND d.to_no > $3" \
	" ORDER BY d.bucket, d.artifact_no, d.item_no, d.stage", \
	SPI_OK_SELECT, 5, {INT4OID, INT4OID, INT4OID, INT4OID, INT4OID}, .indexed = true}

static VouchStmt read_items = READ_CONTENT("", " AND d.stage = 1");
static VouchStmt read_verdicts = READ_CONTENT(", d.stage, d.status::text, d.decided_by, d.on_behalf_of, d.decided_at,"
											  " d.notes, COALESCE(d.origin_no, d.from_no)", "");

static VouchStmt read_metadata = {
	"SELECT metadata FROM vouch_data.version WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true
};

/* Rows of one range of item numbers. */
typedef struct Window
{
	TupleDesc	desc;
	HeapTuple  *rows;
	int		   *item_nos;
	int		   *body_nos;
	int			nrows;
	int			room;
} Window;

typedef struct DigestState
{
	bool		verdicts;
	VouchDigest *leaves;
	size_t		n;
	size_t		allocated;
	StringInfoData scratch;
} DigestState;

/* Where the first leaf goes. */
typedef struct Header
{
	StringInfo	scratch;
	VouchDigest *leaf;
} Header;

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
	Window	   *window = arg;
	bool		isnull;

	if (window->desc == NULL)
		window->desc = CreateTupleDescCopy(slot->tts_tupleDescriptor);
	if (window->nrows == window->room)
	{
		/* an item has a row for each stage */
		window->room *= 2;
		window->rows = repalloc_huge(window->rows, sizeof(HeapTuple) * window->room);
		window->item_nos = repalloc_huge(window->item_nos, sizeof(int) * window->room);
		window->body_nos = repalloc_huge(window->body_nos, sizeof(int) * window->room);
	}
	window->item_nos[window->nrows] = DatumGetInt32(slot_getattr(slot, 1, &isnull));
	window->body_nos[window->nrows] = DatumGetInt32(slot_getattr(slot, 2, &isnull));
	window->rows[window->nrows++] = ExecCopySlotHeapTuple(slot);
}

/* Hands out the rows of a window. */
static void
hand_out(const Window *window, int bucket, int artifact_no, bool verdicts, bool payloads, bool fresh,
		 VouchContentCallback callback, void *arg)
{
	int			n = window->nrows;
	int		   *items = palloc_extended(sizeof(int) * Max(n, 1), MCXT_ALLOC_HUGE);
	int		   *bodies = palloc_extended(sizeof(int) * Max(n, 1), MCXT_ALLOC_HUGE);
	int			nitems,
				nbodies;
	Datum	   *keys,
			   *hashes,
			   *documents = NULL;

	memcpy(items, window->item_nos, sizeof(int) * n);
	memcpy(bodies, window->body_nos, sizeof(int) * n);
	nitems = vouch_lookup_sort(items, n);
	nbodies = vouch_lookup_sort(bodies, n);
	keys = vouch_lookup_keys(bucket, artifact_no, items, nitems, fresh);
	vouch_lookup_bodies(bucket, artifact_no, bodies, nbodies, fresh, payloads ? &documents : NULL, &hashes);
	for (int i = 0; i < n; i++)
	{
		VouchContentRow row = {0};
		int			body = vouch_lookup_index(bodies, nbodies, window->body_nos[i]);

		heap_deform_tuple(window->rows[i], window->desc, row.values, row.nulls);
		row.stage = verdicts ? DatumGetInt16(row.values[5]) : 1;
		row.key = keys[vouch_lookup_index(items, nitems, window->item_nos[i])];
		row.hash = hashes[body];
		row.payload = payloads ? documents[body] : (Datum) 0;
		callback(&row, arg);
	}
}

/* verdicts: with the columns of verdicts, for all stages; else stage 1 only. */
static void
scan(int bucket, int artifact_no, int version_no, bool verdicts, bool payloads, bool fresh,
	 VouchContentCallback callback, void *arg)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "vouch content", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = CurrentMemoryContext;
	Datum		args[5] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no), Int32GetDatum(version_no)};
	Bounds		bounds = {PG_INT64_MAX, PG_INT64_MIN};

	vouch_stmt_scan(&read_bounds, args, NULL, fresh, take_bound, &bounds);
	MemoryContextSwitchTo(memory);
	for (int64 first = bounds.first; first <= bounds.last; first += WINDOW)
	{
		Window		window = {.room = WINDOW};

		CHECK_FOR_INTERRUPTS();
		window.rows = palloc(sizeof(HeapTuple) * window.room);
		window.item_nos = palloc(sizeof(int) * window.room);
		window.body_nos = palloc(sizeof(int) * window.room);
		args[3] = Int32GetDatum((int32) first);
		args[4] = Int32GetDatum((int32) Min(first + WINDOW - 1, bounds.last));
		vouch_stmt_scan(verdicts ? &read_verdicts : &read_items, args, NULL, fresh, take_row, &window);
		if (window.nrows > 0)
			hand_out(&window, bucket, artifact_no, verdicts, payloads, fresh, callback, arg);
		MemoryContextReset(memory);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(memory);
}

void
vouch_content_scan(const VouchVersion *version, bool payloads, VouchContentCallback callback, void *arg)
{
	scan(version->bucket, version->artifact_no, version->version_no, true, payloads, true, callback, arg);
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

void
vouch_content_leaf(const VouchContentRow *row, bool verdicts, StringInfo scratch, VouchDigest *leaf)
{
	const Datum *values = row->values;
	const bool *nulls = row->nulls;

	/* the first five fields are those of vouch_items_leaf() and when the item was put there */
	resetStringInfo(scratch);
	put(scratch, 'k', row->key, row->key == (Datum) 0);
	put(scratch, 'h', row->hash, row->hash == (Datum) 0);
	put(scratch, 's', values[2], nulls[2]);
	put(scratch, 'm', values[3], nulls[3]);
	put_time(scratch, 'q', values[4], nulls[4]);
	if (verdicts)
	{
		vouch_canon_int64(scratch, 'g', row->stage);
		put(scratch, 'v', values[6], nulls[6]);
		put(scratch, 'A', values[7], nulls[7]);
		put(scratch, 'B', values[8], nulls[8]);
		put_time(scratch, 't', values[9], nulls[9]);
		put(scratch, 'n', values[10], nulls[10]);
		vouch_canon_int64(scratch, 'f', DatumGetInt32(values[11]));
	}
	vouch_digest_leaf(leaf, scratch->data, scratch->len);
}

static VouchDigest *
next_leaf(DigestState *state)
{
	if (state->n == state->allocated)
	{
		state->allocated *= 2;
		state->leaves = repalloc_huge(state->leaves, sizeof(VouchDigest) * state->allocated);
	}
	return &state->leaves[state->n++];
}

/* The first leaf: metadata. */
static void
make_header(TupleTableSlot *slot, void *arg)
{
	Header	   *header = arg;
	StringInfo	buf = header->scratch;
	bool		isnull;
	Datum		metadata = slot_getattr(slot, 1, &isnull);

	resetStringInfo(buf);
	vouch_canon_text(buf, 'F', "vouch-content-1");
	vouch_canon_jsonb(buf, 'M', isnull ? NULL : DatumGetJsonbP(metadata));
	vouch_digest_leaf(header->leaf, buf->data, buf->len);
}

static void
read_header(int bucket, int artifact_no, int version_no, bool fresh, StringInfo scratch, VouchDigest *leaf)
{
	Datum		args[3] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no), Int32GetDatum(version_no)};
	Header		header = {scratch, leaf};

	if (vouch_stmt_scan(&read_metadata, args, NULL, fresh, make_header, &header) != 1)
		elog(ERROR, "version %d of artifact %d in bucket %d is missing", version_no, artifact_no, bucket);
}

void
vouch_content_header(const VouchVersion *version, StringInfo scratch, VouchDigest *leaf)
{
	read_header(version->bucket, version->artifact_no, version->version_no, true, scratch, leaf);
}

static void
add_row(const VouchContentRow *row, void *arg)
{
	DigestState *state = arg;

	vouch_content_leaf(row, state->verdicts, &state->scratch, next_leaf(state));
}

void
vouch_content_digest(int bucket, int artifact_no, int version_no,
					 bool verdicts, bool fresh, VouchDigest *out)
{
	DigestState state = {verdicts};
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "vouch digest", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);

	state.allocated = 1024;
	state.leaves = palloc(sizeof(VouchDigest) * state.allocated);
	initStringInfo(&state.scratch);
	read_header(bucket, artifact_no, version_no, fresh, &state.scratch, next_leaf(&state));
	scan(bucket, artifact_no, version_no, verdicts, false, fresh, add_row, &state);
	vouch_digest_root(out, state.leaves, state.n);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
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
