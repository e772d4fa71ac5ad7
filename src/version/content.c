/*
 * content.c
 *	  Digests of what a version shows.
 *
 * Both are Merkle roots over a leaf of what belongs to the version as a whole,
 * and then one leaf an item (and stage), in the order of the item numbers.  They depend on from_no only through which rows are visible,
 * so that closing a row later does not change the digest of an older version.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/stmt.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "version/content.h"
#include "version/items.h"
#include "version/version.h"

static VouchStmt read_content = {
	"SELECT i.item_key, b.body_hash, d.source, d.recommended_by, d.stage, d.status::text,"
	" d.decided_by, d.on_behalf_of, d.decided_at, d.notes, COALESCE(d.origin_no, d.from_no), d.recommended_at"
	" FROM vouch_data.decision d"
	" LEFT JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = d.item_no"
	" LEFT JOIN vouch_data.item_body b ON b.bucket = $1 AND b.artifact_no = $2 AND b.body_no = d.body_no"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.from_no <= $3 AND d.to_no > $3"
	" ORDER BY d.item_no, d.stage",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID}, .hashed = true
};

static VouchStmt read_metadata = {
	"SELECT metadata FROM vouch_data.version WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true
};

typedef struct ContentState
{
	bool		verdicts;
	VouchDigest *leaves;
	size_t		n;
	size_t		allocated;
	StringInfoData scratch;
	MemoryContext row;			/* of what a row has detoasted */
} ContentState;

static void
put(StringInfo buf, char tag, TupleTableSlot *slot, int col)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, col, &isnull);

	if (isnull)
		vouch_canon_null(buf, tag);
	else
	{
		struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);

		vouch_canon_bytes(buf, tag, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	}
}

static void
put_time(StringInfo buf, char tag, TupleTableSlot *slot, int col)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, col, &isnull);

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
	MemoryContext old = MemoryContextSwitchTo(state->row);
	bool		isnull;
	Datum		metadata = slot_getattr(slot, 1, &isnull);

	resetStringInfo(buf);
	vouch_canon_text(buf, 'F', "vouch-content-1");
	vouch_canon_jsonb(buf, 'M', isnull ? NULL : DatumGetJsonbP(metadata));
	vouch_digest_leaf(&state->leaves[state->n++], buf->data, buf->len);
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->row);
}

static void
add_leaf(TupleTableSlot *slot, void *arg)
{
	ContentState *state = arg;
	StringInfo	buf = &state->scratch;
	MemoryContext old;
	bool		isnull;
	int			stage = DatumGetInt16(slot_getattr(slot, 5, &isnull));

	if (!state->verdicts && stage != 1)
		return;
	if (state->n == state->allocated)
	{
		state->allocated *= 2;
		state->leaves = repalloc_huge(state->leaves, sizeof(VouchDigest) * state->allocated);
	}
	/* the first four fields are those of vouch_items_leaf() */
	old = MemoryContextSwitchTo(state->row);
	resetStringInfo(buf);
	put(buf, 'k', slot, 1);
	put(buf, 'h', slot, 2);
	put(buf, 's', slot, 3);
	put(buf, 'm', slot, 4);
	put_time(buf, 'q', slot, 12);
	if (state->verdicts)
	{
		vouch_canon_int64(buf, 'g', stage);
		put(buf, 'v', slot, 6);
		put(buf, 'A', slot, 7);
		put(buf, 'B', slot, 8);
		put_time(buf, 't', slot, 9);
		put(buf, 'n', slot, 10);
		vouch_canon_int64(buf, 'f', DatumGetInt32(slot_getattr(slot, 11, &isnull)));
	}
	vouch_digest_leaf(&state->leaves[state->n++], buf->data, buf->len);
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->row);
}

void
vouch_content_digest(int bucket, int artifact_no, int version_no,
					 bool verdicts, bool fresh, VouchDigest *out)
{
	ContentState state = {0};
	Datum		args[3] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no), Int32GetDatum(version_no)};

	state.verdicts = verdicts;
	state.allocated = 1024;
	state.leaves = palloc(sizeof(VouchDigest) * state.allocated);
	initStringInfo(&state.scratch);
	state.row = AllocSetContextCreate(CurrentMemoryContext, "vouch content row", ALLOCSET_SMALL_SIZES);
	vouch_stmt_scan(&read_metadata, args, NULL, fresh, add_header, &state);
	vouch_stmt_scan(&read_content, args, NULL, fresh, add_leaf, &state);
	vouch_digest_root(out, state.leaves, state.n);
	pfree(state.leaves);
	pfree(state.scratch.data);
	MemoryContextDelete(state.row);
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
