/*
 * draft.c
 *	  Changes rows of the newest version, a draft: new payloads in place, and
 *	  items taken out.
 *
 * Rows are written where they were found: nobody else moves them, for we hold
 * the artifact's lock.  Rows with neighbouring numbers are written window by window, in the
 * order of the index: without a join each costs what it costs in a plain
 * UPDATE.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/stmt.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "version/store.h"

/* Rows in one statement: bounds the memory of the arrays. */
#define CHUNK 10000

/* A window may have so many numbers in a row that are not wanted, and has so many that are, on the average. */
#define WINDOW_GAP 8
#define WINDOW_ROWS 32

/*
 * A window of payloads: $5 are their positions in the arrays, from body $3 on,
 * null for those to be left alone.  A payload that was redacted has no salt, and stays.
 */
#define BODY_AT "[($5::int4[])[body_no - $3 + 1]]"

static VouchStmt replace_window = {
	"UPDATE vouch_data.item_body SET payload = ($6::jsonb[])" BODY_AT ", body_hash = ($7::bytea[])" BODY_AT ","
	"  salt = ($8::bytea[])" BODY_AT
	" WHERE bucket = $1 AND artifact_no = $2 AND body_no >= $3 AND body_no <= $4 AND salt IS NOT NULL"
	"  AND ($5::int4[])[body_no - $3 + 1] IS NOT NULL",
	SPI_OK_UPDATE, 8,
	{INT4OID, INT4OID, INT4OID, INT4OID, INT4ARRAYOID, JSONBARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID},
	.indexed = true, .guarded = true
};

static VouchStmt replace_bodies = {
	"UPDATE vouch_data.item_body b SET payload = t.payload, body_hash = t.body_hash, salt = t.salt"
	" FROM unnest($3::int4[], $4::jsonb[], $5::bytea[], $6::bytea[]) AS t(body_no, payload, body_hash, salt),"
	" LATERAL (SELECT x.ctid AS tid FROM vouch_data.item_body x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no = t.body_no AND x.salt IS NOT NULL OFFSET 0) AS r"
	" WHERE b.ctid = r.tid",
	SPI_OK_UPDATE, 6, {INT4OID, INT4OID, INT4ARRAYOID, JSONBARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID},
	.indexed = true, .guarded = true
};

static VouchStmt find_redacted = {
	"SELECT (t.o - 1)::int4 FROM unnest($3::int4[]) WITH ORDINALITY AS t(body_no, o),"
	" LATERAL (SELECT FROM vouch_data.item_body x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no = t.body_no AND x.salt IS NULL OFFSET 0) AS r",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4ARRAYOID}, .indexed = true
};

/* Rows of stage 1 of items, in a window as above, or by place. */
#define IN_WINDOW \
	" WHERE bucket = $1 AND artifact_no = $2 AND item_no >= $4 AND item_no <= $5 AND stage + 0 = 1 AND to_no = 2147483647" \
	"  AND ($6::int4[])[item_no - $4 + 1] IS NOT NULL"
#define AT_PLACE \
	" WHERE d.ctid = t.place AND d.bucket + 0 = $1 AND d.artifact_no + 0 = $2 AND d.stage + 0 = 1 AND d.to_no = 2147483647"

static VouchStmt close_window = {
	"UPDATE vouch_data.decision SET to_no = $3" IN_WINDOW " AND from_no + 0 < $3",
	SPI_OK_UPDATE, 6, {INT4OID, INT4OID, INT4OID, INT4OID, INT4OID, INT4ARRAYOID},
	.indexed = true, .guarded = true
};

static VouchStmt delete_window = {
	"DELETE FROM vouch_data.decision" IN_WINDOW " AND from_no + 0 = $3",
	SPI_OK_DELETE, 6, {INT4OID, INT4OID, INT4OID, INT4OID, INT4OID, INT4ARRAYOID},
	.indexed = true, .guarded = true
};

static VouchStmt close_places = {
	"UPDATE vouch_data.decision d SET to_no = $3 FROM unnest($4::tid[]) AS t(place)" AT_PLACE " AND d.from_no + 0 < $3",
	SPI_OK_UPDATE, 4, {INT4OID, INT4OID, INT4OID, TIDARRAYOID},
	.indexed = true, .guarded = true
};

static VouchStmt delete_places = {
	"DELETE FROM vouch_data.decision d USING unnest($4::tid[]) AS t(place)" AT_PLACE " AND d.from_no + 0 = $3",
	SPI_OK_DELETE, 4, {INT4OID, INT4OID, INT4OID, TIDARRAYOID},
	.indexed = true, .guarded = true
};

/* Who put an item there, and when: of rows that keep their source, and of others. */
static VouchStmt renew_window = {
	"UPDATE vouch_data.decision SET recommended_by = $7, recommended_at = $8" IN_WINDOW " AND from_no + 0 = $3",
	SPI_OK_UPDATE, 8, {INT4OID, INT4OID, INT4OID, INT4OID, INT4OID, INT4ARRAYOID, TEXTOID, TIMESTAMPTZOID},
	.indexed = true, .guarded = true
};

static VouchStmt renew_places = {
	"UPDATE vouch_data.decision d SET source = t.source, recommended_by = $6, recommended_at = $7"
	" FROM unnest($4::tid[], $5::text[]) AS t(place, source)" AT_PLACE " AND d.from_no + 0 = $3",
	SPI_OK_UPDATE, 7, {INT4OID, INT4OID, INT4OID, TIDARRAYOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID},
	.indexed = true, .guarded = true
};

/* Where later stages decided, all rows of an item: theirs may lie anywhere. */
static VouchStmt close_items = {
	"WITH closed AS (UPDATE vouch_data.decision d SET to_no = $3"
	" FROM unnest($4::int4[]) AS i(item_no)," VOUCH_STANDING("i.item_no", "< $3")
	" WHERE d.ctid = r.tid" VOUCH_COUNT_ENDED,
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, INT4ARRAYOID},
	.indexed = true, .guarded = true
};

static VouchStmt delete_own = {
	"WITH gone AS (DELETE FROM vouch_data.decision d"
	" USING unnest($4::int4[]) AS i(item_no),"
	" LATERAL (SELECT x.ctid AS tid FROM vouch_data.decision x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = i.item_no AND x.from_no + 0 = $3 OFFSET 0) AS r"
	" WHERE d.ctid = r.tid"
	" RETURNING d.stage, d.status, d.source, d.recommended_by, d.origin_no)"
	" SELECT g.stage, g.status::text, g.source, g.recommended_by, count(*), g.origin_no IS NOT NULL"
	" FROM gone g GROUP BY 1, g.status, 3, 4, 6",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, INT4ARRAYOID},
	.indexed = true, .guarded = true
};

/*
 * Payloads of rows that go.  What was never submitted goes, too; what was
 * redacted stays, for the log has its number.
 */
static VouchStmt delete_bodies = {
	"DELETE FROM vouch_data.item_body b USING unnest($3::int4[]) AS t(body_no),"
	" LATERAL (SELECT x.ctid AS tid FROM vouch_data.item_body x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no = t.body_no AND x.salt IS NOT NULL OFFSET 0) AS r"
	" WHERE b.ctid = r.tid",
	SPI_OK_DELETE, 3, {INT4OID, INT4OID, INT4ARRAYOID}, .indexed = true, .guarded = true
};

/* The number of the last payload is that of the last one there is: vouch.verify() compares. */
static VouchStmt set_last_body = {
	"UPDATE vouch_data.artifact SET body_no = COALESCE((SELECT max(b.body_no) FROM vouch_data.item_body b"
	"  WHERE b.bucket = $1 AND b.artifact_no = $2), 0)"
	" WHERE bucket = $1 AND artifact_no = $2",
	SPI_OK_UPDATE, 2, {INT4OID, INT4OID}, .indexed = true, .guarded = true
};

static VouchStmt note_items = {
	"UPDATE vouch_data.item_body b SET item_no = t.item_no FROM unnest($3::int4[], $4::int4[]) AS t(body_no, item_no),"
	" LATERAL (SELECT x.ctid AS tid FROM vouch_data.item_body x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no = t.body_no OFFSET 0) AS r"
	" WHERE b.ctid = r.tid",
	SPI_OK_UPDATE, 4, {INT4OID, INT4OID, INT4ARRAYOID, INT4ARRAYOID}, .indexed = true, .guarded = true
};

/* A number, and where in the arrays what belongs to it is. */
typedef struct Numbered
{
	int			number;
	int			at;
} Numbered;

static int
compare_numbered(const void *a, const void *b)
{
	int			x = ((const Numbered *) a)->number,
				y = ((const Numbered *) b)->number;

	return x < y ? -1 : x > y;
}

static void
sort_numbered(Numbered *numbers, int n)
{
	for (int i = 1; i < n; i++)
		if (numbers[i].number < numbers[i - 1].number)
		{
			qsort(numbers, n, sizeof(Numbered), compare_numbered);
			return;
		}
}

/* Of sorted numbers, how many make the first window. */
static int
window_rows(const Numbered *numbers, int n)
{
	int			rows = 1;

	while (rows < n && rows < CHUNK && numbers[rows].number - numbers[rows - 1].number <= WINDOW_GAP)
		rows++;
	return rows;
}

static bool
worth_windows(const Numbered *numbers, int n)
{
	int			windows = 0;

	for (int at = 0; at < n; at += window_rows(numbers + at, n - at))
		windows++;
	return n / Max(windows, 1) >= WINDOW_ROWS;
}

/* The positions of a window's numbers, counted from its first row, as an array. */
static Datum
window_map(const Numbered *numbers, int rows)
{
	int			first = numbers[0].number,
				size = numbers[rows - 1].number - first + 1,
				lower = 1;
	Datum	   *values = palloc0(sizeof(Datum) * size);
	bool	   *nulls = palloc(size);
	ArrayType  *array;

	memset(nulls, true, size);
	for (int i = 0; i < rows; i++)
	{
		values[numbers[i].number - first] = Int32GetDatum(i + 1);
		nulls[numbers[i].number - first] = false;
	}
	array = construct_md_array(values, nulls, 1, &size, &lower, INT4OID, sizeof(int32), true, TYPALIGN_INT);
	pfree(values);
	pfree(nulls);
	return PointerGetDatum(array);
}

/* Values of some rows as an array. */
static Datum
pick(const Datum *values, const Numbered *rows, int n, Oid type)
{
	Datum	   *picked = palloc(sizeof(Datum) * n);
	Datum		result;

	for (int i = 0; i < n; i++)
		picked[i] = values[rows[i].at];
	result = vouch_array(picked, n, type);
	pfree(picked);
	return result;
}

/* The same, taken apart already, so that an element is found at once however far from the start. */
static Datum
pick_quick(const Datum *values, const Numbered *rows, int n, Oid type)
{
	Datum		flat = pick(values, rows, n, type);
	ExpandedArrayHeader *array = (ExpandedArrayHeader *) DatumGetEOHP(expand_array(flat, CurrentMemoryContext, NULL));

	deconstruct_expanded_array(array);
	pfree(DatumGetPointer(flat));
	return EOHPGetRODatum(&array->hdr);
}

/* Is the source of a row, as it was found, what an item says? */
static bool
same_source(const VouchFound *found, Datum source)
{
	text	   *now = DatumGetTextPP(source);
	int			len = VARSIZE_ANY_EXHDR(now);

	return strncmp(found->source, VARDATA_ANY(now), len) == 0 && found->source[len] == '\0';
}

/*
 * Says of rows with new payloads who put them there, when, and their source.  With that a row
 * belongs to the operation that put it there last, which vouch.verify() holds it against.
 */
static void
renew_rows(VouchChange *change, VouchItems *items, VouchFound *found)
{
	Datum		args[8] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no),
	Int32GetDatum(change->version_no)};
	Datum		by = CStringGetTextDatum(items->recommended_by);
	Datum		at_time = TimestampTzGetDatum(change->at);
	Numbered   *rows = palloc_extended(sizeof(Numbered) * items->n, MCXT_ALLOC_HUGE);
	bool		same = true;
	bool		windows;
	uint64		written = 0;
	int			n;

	for (int i = 0; i < items->n; i++)
	{
		rows[i].number = found[i].item_no;
		rows[i].at = i;
		same = same && same_source(&found[i], items->sources[i]);
	}
	sort_numbered(rows, items->n);
	windows = same && worth_windows(rows, items->n);
	for (int at = 0; at < items->n; at += n)
	{
		if (windows)
		{
			n = window_rows(rows + at, items->n - at);
			args[3] = Int32GetDatum(rows[at].number);
			args[4] = Int32GetDatum(rows[at + n - 1].number);
			args[5] = window_map(rows + at, n);
			args[6] = by;
			args[7] = at_time;
			written += vouch_stmt_run(&renew_window, args, NULL);
			pfree(DatumGetPointer(args[5]));
		}
		else
		{
			Datum	   *places;

			n = Min(items->n - at, CHUNK);
			places = palloc(sizeof(Datum) * n);
			for (int i = 0; i < n; i++)
				places[i] = PointerGetDatum(&found[rows[at + i].at].place);
			args[3] = vouch_array(places, n, TIDOID);
			args[4] = pick(items->sources, rows + at, n, TEXTOID);
			args[5] = by;
			args[6] = at_time;
			written += vouch_stmt_run(&renew_places, args, NULL);
			pfree(DatumGetPointer(args[3]));
			pfree(DatumGetPointer(args[4]));
			pfree(places);
		}
	}
	if (written != items->n)
		elog(ERROR, "rows of version %d are not where they were found", change->version_no);
	pfree(rows);
}

/* The same for those rows of many that have another maker or source now. */
static void
renew_others(VouchChange *change, VouchItems *items, VouchFound *found)
{
	bool	   *others = palloc_extended(items->n, MCXT_ALLOC_HUGE);
	VouchItems	part;
	VouchFound *some;

	for (int i = 0; i < items->n; i++)
		others[i] = strcmp(found[i].recommended_by, items->recommended_by) != 0 || !same_source(&found[i], items->sources[i]);
	part = vouch_store_some(items, found, others, true, &some);
	if (part.n > 0)
		renew_rows(change, &part, some);
	pfree(others);
}

/* Gives rows other payloads; returns how many had none that may be written over. */
static int
replace_payloads(VouchChange *change, VouchItems *items, VouchFound *found)
{
	Datum		args[8] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no)};
	Numbered   *bodies = palloc_extended(sizeof(Numbered) * items->n, MCXT_ALLOC_HUGE);
	bool		windows;
	int			n,
				left = items->n;

	for (int i = 0; i < items->n; i++)
	{
		bodies[i].number = found[i].body_no;
		bodies[i].at = i;
	}
	sort_numbered(bodies, items->n);
	windows = worth_windows(bodies, items->n);
	for (int at = 0; at < items->n; at += n)
	{
		Numbered   *rows = bodies + at;

		if (windows)
		{
			n = window_rows(rows, items->n - at);
			args[2] = Int32GetDatum(rows[0].number);
			args[3] = Int32GetDatum(rows[n - 1].number);
			args[4] = window_map(rows, n);
			args[5] = pick_quick(items->payloads, rows, n, JSONBOID);
			args[6] = pick_quick(items->hashes, rows, n, BYTEAOID);
			args[7] = pick_quick(items->salts, rows, n, BYTEAOID);
			left -= vouch_stmt_run(&replace_window, args, NULL);
			pfree(DatumGetPointer(args[4]));
			for (int i = 5; i < 8; i++)
				DeleteExpandedObject(EOHPGetRWDatum(DatumGetEOHP(args[i])));
		}
		else
		{
			Datum	   *numbers;

			n = Min(items->n - at, CHUNK);
			numbers = palloc(sizeof(Datum) * n);
			for (int i = 0; i < n; i++)
				numbers[i] = Int32GetDatum(rows[i].number);
			args[2] = vouch_array(numbers, n, INT4OID);
			args[3] = pick(items->payloads, rows, n, JSONBOID);
			args[4] = pick(items->hashes, rows, n, BYTEAOID);
			args[5] = pick(items->salts, rows, n, BYTEAOID);
			left -= vouch_stmt_run(&replace_bodies, args, NULL);
			pfree(numbers);
			for (int i = 2; i < 6; i++)
				pfree(DatumGetPointer(args[i]));
		}
	}
	pfree(bodies);
	return left;
}

VouchItems
vouch_store_some(const VouchItems *items, const VouchFound *found, const bool *marks, bool wanted, VouchFound **some)
{
	VouchItems	result = *items;

	result.keys = palloc_extended(sizeof(Datum) * items->n, MCXT_ALLOC_HUGE);
	result.payloads = palloc_extended(sizeof(Datum) * items->n, MCXT_ALLOC_HUGE);
	result.sources = palloc_extended(sizeof(Datum) * items->n, MCXT_ALLOC_HUGE);
	result.salts = palloc_extended(sizeof(Datum) * items->n, MCXT_ALLOC_HUGE);
	result.hashes = palloc_extended(sizeof(Datum) * items->n, MCXT_ALLOC_HUGE);
	result.leaves = NULL;
	result.n = 0;
	*some = palloc_extended(sizeof(VouchFound) * items->n, MCXT_ALLOC_HUGE);
	for (int i = 0; i < items->n; i++)
	{
		if (marks[i] != wanted)
			continue;
		result.keys[result.n] = items->keys[i];
		result.payloads[result.n] = items->payloads[i];
		result.sources[result.n] = items->sources[i];
		result.salts[result.n] = items->salts[i];
		result.hashes[result.n] = items->hashes[i];
		(*some)[result.n++] = found[i];
	}
	return result;
}

static void take_out(VouchChange *change, const VouchFound *found, int n);

/* A payload that was redacted stays on record: such items get a row of their own. */
static void
replace_redacted(VouchChange *change, VouchItems *items, VouchFound *found, VouchItems *rest, VouchFound **rest_found)
{
	Datum		args[3] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no)};
	Datum	   *numbers = palloc_extended(sizeof(Datum) * items->n, MCXT_ALLOC_HUGE);
	bool	   *redacted = palloc_extended(items->n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	VouchItems	part;
	VouchFound *some;
	uint64		rows;

	for (int i = 0; i < items->n; i++)
		numbers[i] = Int32GetDatum(found[i].body_no);
	args[2] = vouch_array(numbers, items->n, INT4OID);
	rows = vouch_stmt_run(&find_redacted, args, NULL);
	for (uint64 i = 0; i < rows; i++)
		redacted[vouch_stmt_get_int32(i, 1, 0)] = true;
	part = vouch_store_some(items, found, redacted, true, &some);
	take_out(change, some, part.n);
	vouch_store_insert(change, &part, some);
	*rest = vouch_store_some(items, found, redacted, false, rest_found);
}

void
vouch_store_replace(VouchChange *change, VouchItems *items, VouchFound *found)
{
	VouchItems	rest;
	int			left;
	bool		many;

	if (items->n == 0)
		return;
	many = !vouch_replaced_note(change, items->keys, found, items->n);
	/* then it is not renewed whose the rows are, so which are this change's is not known, either */
	if (many)
		vouch_replaced_note_put(change, items->recommended_by);
	left = replace_payloads(change, items, found);
	if (left > 0)
	{
		int			n = items->n;

		replace_redacted(change, items, found, &rest, &found);
		items = &rest;
		if (n - items->n != left)
			elog(ERROR, "payloads of version %d are not where they were found", change->version_no);
	}
	if (many)
		renew_others(change, items, found);
	else if (items->n > 0)
		renew_rows(change, items, found);
	for (int i = 0, run = 0; i < items->n; i++)
	{
		/* of one source and maker in runs: vouch_store_find() shares the strings */
		run++;
		if (i + 1 == items->n || items->sources[i + 1] != items->sources[i] ||
			found[i + 1].source != found[i].source || found[i + 1].recommended_by != found[i].recommended_by)
		{
			vouch_change_count(change, 1, "pending", found[i].source, false, -run);
			vouch_change_maker(change, found[i].recommended_by, -run);
			vouch_change_count(change, 1, "pending", TextDatumGetCString(items->sources[i]), false, run);
			run = 0;
		}
	}
	vouch_change_maker(change, items->recommended_by, items->n);
}

/* All stages' rows of items. */
static void
take_out_stages(VouchChange *change, const VouchFound *found, int n)
{
	Datum		args[4] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no),
	Int32GetDatum(change->version_no)};
	Datum	   *item_nos = palloc_extended(sizeof(Datum) * n, MCXT_ALLOC_HUGE);
	int			present = 0;

	for (int i = 0; i < n; i++)
		if (found[i].from_no != 0)
			item_nos[present++] = Int32GetDatum(found[i].item_no);
	if (present > 0)
	{
		args[3] = vouch_array(item_nos, present, INT4OID);
		vouch_store_count_ended(change, vouch_stmt_run(&close_items, args, NULL));
		vouch_store_count_gone(change, vouch_stmt_run(&delete_own, args, NULL));
		pfree(DatumGetPointer(args[3]));
	}
	pfree(item_nos);
}

/* Closes or deletes rows of stage 1, of items in any order. */
static void
write_rows(VouchChange *change, VouchStmt *in_window, VouchStmt *at_place, const VouchFound *found,
		   Numbered *items, int n)
{
	Datum		args[6] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no),
	Int32GetDatum(change->version_no)};
	bool		windows;
	uint64		written = 0;
	int			rows;

	sort_numbered(items, n);
	windows = worth_windows(items, n);
	for (int at = 0; at < n; at += rows)
	{
		if (windows)
		{
			rows = window_rows(items + at, n - at);
			args[3] = Int32GetDatum(items[at].number);
			args[4] = Int32GetDatum(items[at + rows - 1].number);
			args[5] = window_map(items + at, rows);
			written += vouch_stmt_run(in_window, args, NULL);
			pfree(DatumGetPointer(args[5]));
		}
		else
		{
			Datum	   *places;

			rows = Min(n - at, CHUNK);
			places = palloc(sizeof(Datum) * rows);
			for (int i = 0; i < rows; i++)
				places[i] = PointerGetDatum(&found[items[at + i].at].place);
			args[3] = vouch_array(places, rows, TIDOID);
			written += vouch_stmt_run(at_place, args, NULL);
			pfree(DatumGetPointer(args[3]));
			pfree(places);
		}
	}
	if (written != n)
		elog(ERROR, "rows of version %d are not where they were found", change->version_no);
}

/*
 * Payloads of the version's own rows, which were taken out.  Before the first submission no other row has them, but of rows
 * that stand again.  Later the verdict of another version may be beside the same payload: who redacts looks.
 */
static void
forget_bodies(VouchChange *change, const VouchFound *found, int n)
{
	Datum		args[4] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no)};
	Datum	   *bodies = palloc_extended(sizeof(Datum) * n, MCXT_ALLOC_HUGE);
	Datum	   *items = palloc_extended(sizeof(Datum) * n, MCXT_ALLOC_HUGE);
	int			own = 0;

	for (int i = 0; i < n; i++)
	{
		if (found[i].from_no != change->version_no || found[i].origin_no != 0)
			continue;
		bodies[own] = Int32GetDatum(found[i].body_no);
		items[own++] = Int32GetDatum(found[i].item_no);
	}
	for (int at = 0; at < own; at += CHUNK)
	{
		int			rows = Min(own - at, CHUNK);

		args[2] = vouch_array(bodies + at, rows, INT4OID);
		args[3] = vouch_array(items + at, rows, INT4OID);
		vouch_stmt_run(change->round > 0 ? &note_items : &delete_bodies, args, NULL);
		pfree(DatumGetPointer(args[2]));
		pfree(DatumGetPointer(args[3]));
	}
	if (own > 0 && change->round == 0)
		vouch_stmt_run_one(&set_last_body, args, NULL);
	pfree(bodies);
	pfree(items);
}

static void
take_out(VouchChange *change, const VouchFound *found, int n)
{
	Numbered   *carried,
			   *own;
	int			ncarried = 0,
				nown = 0,
				run = 0;

	if (n == 0)
		return;
	if (vouch_store_later_stage(change))
	{
		take_out_stages(change, found, n);
		forget_bodies(change, found, n);
		return;
	}
	carried = palloc_extended(sizeof(Numbered) * n, MCXT_ALLOC_HUGE);
	own = palloc_extended(sizeof(Numbered) * n, MCXT_ALLOC_HUGE);
	for (int i = 0; i < n; i++)
	{
		const VouchFound *f = &found[i];
		Numbered   *row;

		if (f->from_no == 0)
			continue;
		row = f->from_no < change->version_no ? &carried[ncarried++] : &own[nown++];
		if (f->from_no < change->version_no)
			vouch_change_ended(change, 1, f->status, f->item_no, f->from_no, f->body_no);
		row->number = f->item_no;
		row->at = i;
		run++;
		if (i + 1 == n || f[1].from_no != f->from_no || f[1].origin_no != f->origin_no || f[1].status != f->status ||
			f[1].source != f->source || f[1].recommended_by != f->recommended_by)
		{
			vouch_change_count(change, 1, f->status, f->source,
							   f->from_no < change->version_no || f->origin_no != 0, -run);
			vouch_change_maker(change, f->recommended_by, -run);
			run = 0;
		}
	}
	write_rows(change, &close_window, &close_places, found, carried, ncarried);
	write_rows(change, &delete_window, &delete_places, found, own, nown);
	if (nown > 0)
		forget_bodies(change, found, n);
	pfree(carried);
	pfree(own);
}

void
vouch_store_take_out(VouchChange *change, const Datum *keys, const VouchFound *found, int n)
{
	if (n > 0)
		(void) vouch_replaced_note(change, keys, found, n);
	take_out(change, found, n);
}
