/*
 * lookup.c
 *	  Keys and payloads of many items at once.
 *
 * Numbers are given out in order, so items that were put in together have
 * neighbouring numbers, and lie together in the index and the table.  Numbers
 * are joined to ranges, and each range is one descent of the index.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/stmt.h"
#include "executor/tuptable.h"
#include "utils/datum.h"
#include "version/items.h"
#include "version/lookup.h"

/* So many rows more are read rather than the index descended again. */
#define GAP 8

/* ORDER BY in the inner select makes the planner walk the index, and the whole result ordered. */
static VouchStmt read_keys = {
	"SELECT i.item_no, i.item_key FROM unnest($3::int4[], $4::int4[]) AS r(first_no, last_no),"
	" LATERAL (SELECT x.item_no, x.item_key FROM vouch_data.item x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no >= r.first_no AND x.item_no <= r.last_no"
	"  ORDER BY x.bucket, x.artifact_no, x.item_no OFFSET 0) AS i",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4ARRAYOID, INT4ARRAYOID}, .indexed = true
};

#define READ_BODIES(columns) { \
	"SELECT b.body_no, " columns " FROM unnest($3::int4[], $4::int4[]) AS r(first_no, last_no)," \
	" LATERAL (SELECT x.body_no, x.payload, x.body_hash FROM vouch_data.item_body x" \
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no >= r.first_no AND x.body_no <= r.last_no" \
	"  ORDER BY x.bucket, x.artifact_no, x.body_no OFFSET 0) AS b", \
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4ARRAYOID, INT4ARRAYOID}, .indexed = true}

static VouchStmt read_payloads = READ_BODIES("b.payload");
static VouchStmt read_hashes = READ_BODIES("b.body_hash");
static VouchStmt read_bodies = READ_BODIES("b.payload, b.body_hash");

typedef struct Lookup
{
	const int  *numbers;
	int			n;
	int			at;				/* the first number that did not come yet */
	int			columns;
	Datum	   *values[2];
} Lookup;

static int
compare_numbers(const void *a, const void *b)
{
	int			x = *(const int *) a,
				y = *(const int *) b;

	return x < y ? -1 : x > y;
}

int
vouch_lookup_sort(int *numbers, int n)
{
	int			kept = 0;

	for (int i = 1; i < n; i++)
		if (numbers[i] <= numbers[i - 1])
		{
			qsort(numbers, n, sizeof(int), compare_numbers);
			break;
		}
	for (int i = 0; i < n; i++)
		if (kept == 0 || numbers[kept - 1] != numbers[i])
			numbers[kept++] = numbers[i];
	return kept;
}

int
vouch_lookup_index(const int *numbers, int n, int number)
{
	int			low = 0,
				high = n;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (numbers[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && numbers[low] == number ? low : -1;
}

/* Rows come in the order of the numbers, with some between that were not asked for. */
static void
take_row(TupleTableSlot *slot, void *arg)
{
	Lookup	   *lookup = arg;
	bool		isnull;
	int			number = DatumGetInt32(slot_getattr(slot, 1, &isnull));

	while (lookup->at < lookup->n && lookup->numbers[lookup->at] < number)
		lookup->at++;
	if (lookup->at == lookup->n || lookup->numbers[lookup->at] != number)
		return;
	for (int i = 0; i < lookup->columns; i++)
	{
		Datum		value = slot_getattr(slot, i + 2, &isnull);

		if (!isnull)
			lookup->values[i][lookup->at] = datumCopy(value, false, -1);
	}
	lookup->at++;
}

static void
look_up(VouchStmt *stmt, int bucket, int artifact_no, bool fresh, Lookup *lookup)
{
	int			n = lookup->n;
	Datum	   *first = palloc_extended(sizeof(Datum) * Max(n, 1), MCXT_ALLOC_HUGE);
	Datum	   *last = palloc_extended(sizeof(Datum) * Max(n, 1), MCXT_ALLOC_HUGE);
	int			ranges = 0;
	Datum		args[4] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no)};

	for (int i = 0; i < lookup->columns; i++)
		lookup->values[i] = palloc_extended(sizeof(Datum) * Max(n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < n; i++)
	{
		if (i == 0 || lookup->numbers[i] - lookup->numbers[i - 1] > GAP)
			first[ranges++] = Int32GetDatum(lookup->numbers[i]);
		last[ranges - 1] = Int32GetDatum(lookup->numbers[i]);
	}
	if (n > 0)
	{
		args[2] = vouch_array(first, ranges, INT4OID);
		args[3] = vouch_array(last, ranges, INT4OID);
		vouch_stmt_scan(stmt, args, NULL, fresh, take_row, lookup);
		pfree(DatumGetPointer(args[2]));
		pfree(DatumGetPointer(args[3]));
	}
	pfree(first);
	pfree(last);
}

Datum *
vouch_lookup_keys(int bucket, int artifact_no, const int *item_nos, int n, bool fresh)
{
	Lookup		lookup = {item_nos, n, 0, 1};

	look_up(&read_keys, bucket, artifact_no, fresh, &lookup);
	return lookup.values[0];
}

Datum *
vouch_lookup_keys_with(const VouchVersion *version, const int *item_nos, const Datum *payloads, int n, bool fresh)
{
	Datum	   *keys = palloc_extended(sizeof(Datum) * Max(n, 1), MCXT_ALLOC_HUGE);
	int		   *missing = NULL;
	int			nmissing = 0;
	Datum	   *found;

	for (int i = 0; i < n; i++)
	{
		text	   *key = payloads[i] == (Datum) 0 ? NULL :
			vouch_items_key(version->item_key, DatumGetJsonbP(payloads[i]));

		keys[i] = PointerGetDatum(key);
		if (key != NULL)
			continue;
		if (missing == NULL)
			missing = palloc_extended(sizeof(int) * n, MCXT_ALLOC_HUGE);
		missing[nmissing++] = item_nos[i];
	}
	if (nmissing == 0)
		return keys;
	nmissing = vouch_lookup_sort(missing, nmissing);
	found = vouch_lookup_keys(version->bucket, version->artifact_no, missing, nmissing, fresh);
	for (int i = 0; i < n; i++)
		if (keys[i] == (Datum) 0)
			keys[i] = found[vouch_lookup_index(missing, nmissing, item_nos[i])];
	return keys;
}

void
vouch_lookup_bodies(int bucket, int artifact_no, const int *body_nos, int n, bool fresh,
					Datum **payloads, Datum **hashes)
{
	Lookup		lookup = {body_nos, n, 0, payloads != NULL && hashes != NULL ? 2 : 1};

	look_up(hashes == NULL ? &read_payloads : payloads == NULL ? &read_hashes : &read_bodies,
			bucket, artifact_no, fresh, &lookup);
	if (payloads != NULL)
		*payloads = lookup.values[0];
	if (hashes != NULL)
		*hashes = lookup.values[lookup.columns - 1];
}
