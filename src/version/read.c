/*
 * read.c
 *	  What a version shows, and the life of an item.
 *
 * Statements here are planned for index lookups: a page of a version must cost
 * the same whether the statistics are fresh or the table was loaded a second ago.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/stmt.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "version/lookup.h"
#include "version/version.h"

VOUCH_FUNCTION(vouch_sql_version_items);
VOUCH_FUNCTION(vouch_sql_item_lineage);

/*
 * The row of stage 1 is the item; its verdict is of the stage that was asked for.
 * A page leaves key and payload to version/lookup.h, which finds them by
 * item_no and, in the last column, body_no.
 */
#define ITEMS_VERDICT \
	" d.source, d.recommended_by, d.status, d.decided_by, d.on_behalf_of, d.decided_at, d.notes," \
	" CASE WHEN COALESCE(d.origin_no, d.from_no) < $3 THEN COALESCE(d.origin_no, d.from_no) END," \
	" vouch_data.decision_id($1, $2, d.item_no, 1, d.from_no), d.recommended_at"
#define ITEMS_WHERE \
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.stage = 1 AND d.item_no > $4" \
	"  AND d.from_no + 0 <= $3 AND d.to_no > $3" \
	" ORDER BY d.item_no LIMIT $5"

static VouchStmt read_page = {
	"SELECT d.item_no, NULL::text, NULL::jsonb," ITEMS_VERDICT ", d.body_no FROM vouch_data.decision d" ITEMS_WHERE,
	SPI_OK_SELECT, 5, {INT4OID, INT4OID, INT4OID, INT4OID, INT8OID}, .indexed = true
};

static VouchStmt read_page_of_stage = {
	"SELECT d.item_no, NULL::text, NULL::jsonb, d.source, d.recommended_by,"
	" COALESCE(s.status, 'pending'), s.decided_by, s.on_behalf_of, s.decided_at, s.notes,"
	" CASE WHEN COALESCE(s.origin_no, s.from_no) < $3 THEN COALESCE(s.origin_no, s.from_no) END,"
	" vouch_data.decision_id($1, $2, d.item_no, $6, COALESCE(s.from_no, $3)), d.recommended_at, d.body_no"
	" FROM vouch_data.decision d"
	" LEFT JOIN LATERAL (SELECT x.* FROM vouch_data.decision x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = d.item_no"
	"   AND x.stage = $6 AND x.from_no + 0 <= $3 AND x.to_no > $3 OFFSET 0) AS s ON true"
	ITEMS_WHERE,
	SPI_OK_SELECT, 6, {INT4OID, INT4OID, INT4OID, INT4OID, INT8OID, INT4OID}, .indexed = true
};

static VouchStmt read_all_items = {
	"SELECT d.item_no, i.item_key, b.payload," ITEMS_VERDICT " FROM vouch_data.decision d"
	" JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = d.item_no"
	" JOIN vouch_data.item_body b ON b.bucket = $1 AND b.artifact_no = $2 AND b.body_no = d.body_no"
	ITEMS_WHERE,
	SPI_OK_SELECT, 5, {INT4OID, INT4OID, INT4OID, INT4OID, INT8OID}, .hashed = true
};

#define ITEMS_COLUMNS 13		/* and body_no */

/* Items are read in pages of so many; above, it costs less to read all. */
#define PAGE_MAX 10000

static VouchStmt find_item = {
	"SELECT item_no FROM vouch_data.item WHERE bucket = $1 AND artifact_no = $2 AND item_key = $3",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, TEXTOID}, .indexed = true
};

static VouchStmt read_lineage = {
	/* the last version that shows it: a number may be that of a draft that was discarded */
	"SELECT d.from_no, CASE WHEN d.to_no <= $3 THEN (SELECT max(v.version_no) FROM vouch_data.version v"
	"  WHERE v.bucket = $1 AND v.artifact_no = $2 AND v.version_no < d.to_no) END, d.stage::int4, d.status, b.payload, d.source,"
	" d.recommended_by, d.recommended_at, d.decided_by, d.on_behalf_of, d.decided_at, d.notes,"
	" d.origin_no, vouch_data.decision_id($1, $2, d.item_no, d.stage, d.from_no)"
	" FROM vouch_data.decision d"
	" CROSS JOIN LATERAL (SELECT x.payload FROM vouch_data.item_body x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no = d.body_no OFFSET 0) AS b"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.item_no = $4 AND d.from_no + 0 <= $3"
	" ORDER BY d.from_no, d.stage",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, INT4OID}, .indexed = true
};

typedef struct ItemPage
{
	TupleDesc	desc;
	HeapTuple  *rows;
	int		   *item_nos;
	int		   *body_nos;
	int			n;
} ItemPage;

static void
take_row(TupleTableSlot *slot, void *arg)
{
	ItemPage   *page = arg;
	bool		isnull;

	if (page->desc == NULL)
		page->desc = CreateTupleDescCopy(slot->tts_tupleDescriptor);
	page->item_nos[page->n] = DatumGetInt32(slot_getattr(slot, 1, &isnull));
	page->body_nos[page->n] = DatumGetInt32(slot_getattr(slot, ITEMS_COLUMNS + 1, &isnull));
	page->rows[page->n++] = ExecCopySlotHeapTuple(slot);
}

/* Reads up to size items after item number *after, which it moves on; returns how many. */
static int
return_page(const VouchVersion *version, VouchStmt *stmt, Datum *args, int *after, int64 size,
			ReturnSetInfo *rsinfo)
{
	ItemPage	page = {0};
	int		   *bodies;
	int			nbodies;
	Datum	   *keys,
			   *payloads,
			   *shown;

	page.rows = palloc(sizeof(HeapTuple) * Max(size, 1));
	page.item_nos = palloc(sizeof(int) * Max(size, 1));
	page.body_nos = palloc(sizeof(int) * Max(size, 1));
	args[3] = Int32GetDatum(*after);
	args[4] = Int64GetDatum(size);
	vouch_stmt_scan(stmt, args, NULL, false, take_row, &page);
	if (page.n == 0)
		return 0;

	bodies = palloc(sizeof(int) * page.n);
	memcpy(bodies, page.body_nos, sizeof(int) * page.n);
	nbodies = vouch_lookup_sort(bodies, page.n);
	vouch_lookup_bodies(version->bucket, version->artifact_no, bodies, nbodies, false, &payloads, NULL);
	shown = palloc(sizeof(Datum) * page.n);
	for (int i = 0; i < page.n; i++)
		shown[i] = payloads[vouch_lookup_index(bodies, nbodies, page.body_nos[i])];
	keys = vouch_lookup_keys_with(version, page.item_nos, shown, page.n, false);
	for (int i = 0; i < page.n; i++)
	{
		Datum		values[ITEMS_COLUMNS + 1];
		bool		nulls[ITEMS_COLUMNS + 1];

		heap_deform_tuple(page.rows[i], page.desc, values, nulls);
		values[1] = keys[i];
		values[2] = shown[i];
		if (values[1] == (Datum) 0 || values[2] == (Datum) 0)
			continue;
		nulls[1] = nulls[2] = false;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	*after = page.item_nos[page.n - 1];
	return page.n;
}

/* Page by page, so that memory does not grow with what there is. */
static void
return_pages(const VouchVersion *version, VouchStmt *stmt, Datum *args, int after, int64 left,
			 FunctionCallInfo fcinfo)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "vouch page", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;

	InitMaterializedSRF(fcinfo, 0);
	old = MemoryContextSwitchTo(scratch);
	while (left > 0)
	{
		int64		size = Min(left, PAGE_MAX);

		CHECK_FOR_INTERRUPTS();
		if (return_page(version, stmt, args, &after, size, (ReturnSetInfo *) fcinfo->resultinfo) < size)
			break;
		left -= size;
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* vouch.version_items(version_id, after_item_no, max_items, stage) */
Datum
vouch_sql_version_items(PG_FUNCTION_ARGS)
{
	VouchVersion *version;
	int			stage = PG_ARGISNULL(3) ? 1 : PG_GETARG_INT32(3);
	int			after = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	int64		max = PG_ARGISNULL(2) ? PG_INT64_MAX : PG_GETARG_INT32(2);
	Datum		args[6];

	if (PG_ARGISNULL(0))
	{
		InitMaterializedSRF(fcinfo, 0);
		return (Datum) 0;
	}
	if (stage < 1 || stage > 255 || max < 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("max_items must not be negative, and stage must lie between 1 and 255"),
				 errhint("Leave max_items out to get all items.")));
	SPI_connect();
	version = vouch_version_show(PG_GETARG_UUID_P(0));
	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = Int32GetDatum(version->version_no);
	args[3] = Int32GetDatum(after);
	args[4] = Int64GetDatum(max);
	args[5] = Int32GetDatum(stage);
	if (stage == 1 && max > PAGE_MAX)
		vouch_stmt_return(&read_all_items, args, NULL, fcinfo);
	else
		return_pages(version, stage == 1 ? &read_page : &read_page_of_stage, args, after, max, fcinfo);
	SPI_finish();
	return (Datum) 0;
}

/* vouch.item_lineage(version_id, item_key) */
Datum
vouch_sql_item_lineage(PG_FUNCTION_ARGS)
{
	VouchVersion *version;
	Datum		args[4];

	SPI_connect();
	version = vouch_version_show(PG_GETARG_UUID_P(0));
	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = PG_GETARG_DATUM(1);
	if (vouch_stmt_run_stable(&find_item, args, NULL) == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_UNKNOWN_ITEM),
				 errmsg("%s \"%s\" has no item \"%s\"", version->phase_label, version->subject,
						text_to_cstring(PG_GETARG_TEXT_PP(1))),
				 errdetail("No version of it ever had one."),
				 errhint("vouch.version_items() lists what a version has.")));
	args[3] = Int32GetDatum(vouch_stmt_get_int32(0, 1, 0));
	args[2] = Int32GetDatum(version->version_no);
	vouch_stmt_return(&read_lineage, args, NULL, fcinfo);
	SPI_finish();
	return (Datum) 0;
}
