/*
 * verdict.c
 *	  Writes verdicts on items, many in one call.
 *
 * A verdict on a row that this version made is written in place; one on a row
 * that is carried forward ends that row here and makes a new one, so that
 * the older versions keep what they show.
 *
 * Rows are updated at the place where they were found: the artifact's lock keeps them
 * there.  For "x + 0" and "OFFSET 0" see store.c and core/stmt.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/stmt.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "version/items.h"
#include "version/verdict.h"

/* Rows in one statement: bounds the memory of the arrays. */
#define CHUNK 10000

const char *const vouch_verdict_names[VOUCH_NVERDICTS] = {
	"pending", "approved", "rejected", "needs_changes"
};

static VouchStmt update_own = {
	"UPDATE vouch_data.decision d SET status = t.status::vouch.verdict, notes = t.notes,"
	"  decided_by = CASE WHEN t.status = 'pending' THEN NULL ELSE $7 END,"
	"  on_behalf_of = CASE WHEN t.status = 'pending' THEN NULL ELSE $8 END,"
	"  decided_at = CASE WHEN t.status = 'pending' THEN NULL ELSE $9 END, origin_no = NULL"
	" FROM unnest($4::tid[], $5::text[], $6::text[]) AS t(place, status, notes)"
	" WHERE d.ctid = t.place AND d.bucket + 0 = $1 AND d.artifact_no + 0 = $2 AND d.from_no + 0 = $3 AND d.stage + 0 = $10",
	SPI_OK_UPDATE, 10,
	{INT4OID, INT4OID, INT4OID, TIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, INT2OID},
	.indexed = true, .guarded = true
};

/* The same for many that get one verdict with the same notes, or none: without a join. */
static VouchStmt update_alike = {
	"UPDATE vouch_data.decision d SET status = (SELECT $5::vouch.verdict), notes = $6, decided_by = $7, on_behalf_of = $8,"
	"  decided_at = $9, origin_no = NULL"
	" WHERE d.ctid = ANY ($4::tid[]) AND d.bucket + 0 = $1 AND d.artifact_no + 0 = $2 AND d.from_no + 0 = $3 AND d.stage + 0 = $10",
	SPI_OK_UPDATE, 10,
	{INT4OID, INT4OID, INT4OID, TIDARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, INT2OID},
	.indexed = true, .guarded = true
};

static VouchStmt close_carried = {
	"UPDATE vouch_data.decision d SET to_no = $3"
	" FROM unnest($4::tid[]) AS t(place)"
	" WHERE d.ctid = t.place AND d.bucket + 0 = $1 AND d.artifact_no + 0 = $2 AND d.from_no + 0 < $3 AND d.stage + 0 = $5",
	SPI_OK_UPDATE, 5, {INT4OID, INT4OID, INT4OID, TIDARRAYOID, INT2OID},
	.indexed = true, .guarded = true
};

/*
 * The new row takes the item as stage 1 shows it: the row that was just
 * closed, or, for a later stage, the one that is open.
 */
static VouchStmt insert_verdicts = {
	"INSERT INTO vouch_data.decision (bucket, artifact_no, item_no, stage, from_no, body_no, status, source,"
	"  recommended_by, recommended_at, decided_by, on_behalf_of, decided_at, notes)"
	" SELECT $1, $2, d.item_no, $10, $3, d.body_no, t.status::vouch.verdict, d.source, d.recommended_by, d.recommended_at,"
	"  CASE WHEN t.status = 'pending' THEN NULL ELSE $7 END,"
	"  CASE WHEN t.status = 'pending' THEN NULL ELSE $8 END,"
	"  CASE WHEN t.status = 'pending' THEN NULL ELSE $9 END, t.notes"
	" FROM unnest($4::int4[], $5::text[], $6::text[]) AS t(item_no, status, notes),"
	" LATERAL (SELECT x.* FROM vouch_data.decision x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = t.item_no AND x.stage = 1"
	"   AND x.from_no + 0 <= $3 AND x.to_no >= $3 AND (x.to_no > $3 OR $10 = 1) OFFSET 0) AS d",
	SPI_OK_INSERT, 10,
	{INT4OID, INT4OID, INT4OID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, INT2OID},
	.indexed = true, .guarded = true
};

/* Some of them, as the three arrays that the statements take. */
typedef struct Batch
{
	int			n;
	Datum	   *items;			/* item numbers, or the places of rows */
	Datum	   *status;
	Datum	   *notes;
	bool	   *no_notes;
} Batch;

static void
batch_init(Batch *batch, int n)
{
	batch->n = 0;
	batch->items = palloc_extended(sizeof(Datum) * Max(n, 1), MCXT_ALLOC_HUGE);
	batch->status = palloc_extended(sizeof(Datum) * Max(n, 1), MCXT_ALLOC_HUGE);
	batch->notes = palloc_extended(sizeof(Datum) * Max(n, 1), MCXT_ALLOC_HUGE);
	batch->no_notes = palloc_extended(Max(n, 1), MCXT_ALLOC_HUGE);
}

static void
batch_args(const Batch *batch, Oid type, Datum *args)
{
	int			n = batch->n;
	int			lower = 1;

	args[3] = vouch_array(batch->items, n, type);
	args[4] = vouch_array(batch->status, n, TEXTOID);
	args[5] = PointerGetDatum(construct_md_array(batch->notes, batch->no_notes, 1, &n, &lower,
												 TEXTOID, -1, false, TYPALIGN_INT));
}

static bool
same_notes(Datum a, Datum b)
{
	text	   *x = (text *) DatumGetPointer(a),
			   *y = (text *) DatumGetPointer(b);

	if (x == y)
		return true;
	return x != NULL && y != NULL && VARSIZE_ANY_EXHDR(x) == VARSIZE_ANY_EXHDR(y) &&
		memcmp(VARDATA_ANY(x), VARDATA_ANY(y), VARSIZE_ANY_EXHDR(x)) == 0;
}

/* Gives all rows of a batch the verdict and the notes of its first. */
static void
write_alike(const VouchVersion *version, const Batch *batch, VouchVerdict verdict, const Datum *args, const char *nulls)
{
	Datum		own_args[10];
	char		own_nulls[11];

	memcpy(own_args, args, sizeof(own_args));
	memcpy(own_nulls, nulls, sizeof(own_nulls));
	own_args[3] = vouch_array(batch->items, batch->n, TIDOID);
	own_args[4] = batch->status[0];
	own_args[5] = batch->notes[0];
	own_nulls[5] = batch->no_notes[0] ? 'n' : ' ';
	if (verdict == VOUCH_PENDING)
		own_nulls[6] = own_nulls[7] = own_nulls[8] = 'n';
	if (vouch_stmt_run(&update_alike, own_args, own_nulls) != (uint64) batch->n)
		elog(ERROR, "decided rows of version %d are not where they were", version->version_no);
}

/* Writes the verdicts from number at on, in the order given, at most CHUNK. */
static void
write_verdicts(const VouchVersion *version, const VouchVerdicts *what, const int *order, int at, Datum *args, const char *nulls)
{
	int			n = Min(what->n - at, CHUNK);
	Batch		alike[VOUCH_NVERDICTS],
				own,
				fresh,
				closing;
	Datum		words[VOUCH_NVERDICTS];

	batch_init(&own, n);
	batch_init(&fresh, n);
	batch_init(&closing, n);
	for (int i = 0; i < VOUCH_NVERDICTS; i++)
	{
		words[i] = CStringGetTextDatum(vouch_verdict_names[i]);
		batch_init(&alike[i], n);
	}
	for (int o = at; o < at + n; o++)
	{
		int			i = order[o];
		const VouchFound *f = &what->found[i];
		Batch	   *batch = f->from_no == version->version_no ? &own : &fresh;
		bool		mine = batch == &own;

		if (mine)
		{
			Batch	   *same = &alike[what->status[i]];

			if (same->n == 0 || same_notes(same->notes[0], what->notes[i]))
				batch = same;
		}
		if (batch == &fresh && f->from_no != 0)
			closing.items[closing.n++] = PointerGetDatum(&f->place);
		batch->items[batch->n] = mine ? PointerGetDatum(&f->place) : Int32GetDatum(what->base[i].item_no);
		batch->status[batch->n] = words[what->status[i]];
		batch->notes[batch->n] = what->notes[i];
		batch->no_notes[batch->n] = DatumGetPointer(what->notes[i]) == NULL;
		batch->n++;
	}
	for (int i = 0; i < VOUCH_NVERDICTS; i++)
		if (alike[i].n > 0)
			write_alike(version, &alike[i], (VouchVerdict) i, args, nulls);
	if (own.n > 0)
	{
		batch_args(&own, TIDOID, args);
		if (vouch_stmt_run(&update_own, args, nulls) != (uint64) own.n)
			elog(ERROR, "decided rows of version %d are not where they were", version->version_no);
	}
	if (closing.n > 0)
	{
		Datum		close_args[5] = {args[0], args[1], args[2],
		vouch_array(closing.items, closing.n, TIDOID), args[9]};

		if (vouch_stmt_run(&close_carried, close_args, NULL) != (uint64) closing.n)
			elog(ERROR, "carried rows of version %d are not where they were", version->version_no);
	}
	if (fresh.n > 0)
	{
		batch_args(&fresh, INT4OID, args);
		if (vouch_stmt_run(&insert_verdicts, args, nulls) != (uint64) fresh.n)
			elog(ERROR, "carried rows of version %d are not where they were", version->version_no);
	}
}

typedef struct PlacedRow
{
	ItemPointerData place;
	int			at;
} PlacedRow;

static int
compare_places(const void *a, const void *b)
{
	return ItemPointerCompare(&((PlacedRow *) a)->place, &((PlacedRow *) b)->place);
}

/* The rows in the order in which they lie, so that each page is read and written once. */
static int *
order_by_place(const VouchFound *found, int n)
{
	int		   *order = palloc_extended(sizeof(int) * n, MCXT_ALLOC_HUGE);
	PlacedRow  *rows;
	int			i = 1;

	while (i < n && ItemPointerCompare((ItemPointer) &found[i - 1].place, (ItemPointer) &found[i].place) <= 0)
		i++;
	if (i >= n)
	{
		for (i = 0; i < n; i++)
			order[i] = i;
		return order;
	}
	rows = palloc_extended(sizeof(PlacedRow) * n, MCXT_ALLOC_HUGE);
	for (i = 0; i < n; i++)
	{
		rows[i].place = found[i].place;
		rows[i].at = i;
	}
	qsort(rows, n, sizeof(PlacedRow), compare_places);
	for (i = 0; i < n; i++)
		order[i] = rows[i].at;
	pfree(rows);
	return order;
}

void
vouch_verdict_write(const VouchVersion *version, int stage, const VouchVerdicts *what, const char *actor,
					const char *on_behalf_of, TimestampTz at_time)
{
	MemoryContext chunk,
				old;
	Datum		args[10] = {Int32GetDatum(version->bucket), Int32GetDatum(version->artifact_no),
	Int32GetDatum(version->version_no)};
	char		nulls[11] = "          ";
	int		   *order = order_by_place(what->found, what->n);

	args[6] = CStringGetTextDatum(actor);
	args[7] = on_behalf_of == NULL ? (Datum) 0 : CStringGetTextDatum(on_behalf_of);
	nulls[7] = on_behalf_of == NULL ? 'n' : ' ';
	args[8] = TimestampTzGetDatum(at_time);
	args[9] = Int16GetDatum(stage);
	chunk = AllocSetContextCreate(CurrentMemoryContext, "vouch decide", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(chunk);
	for (int at = 0; at < what->n; at += CHUNK)
	{
		CHECK_FOR_INTERRUPTS();
		write_verdicts(version, what, order, at, args, nulls);
		MemoryContextReset(chunk);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(chunk);
	pfree(order);
}
