/*
 * read.c
 *	  What a version shows, how two differ, and the life of an item.
 *
 * Statements here are planned for index lookups: a page of a version must cost
 * the same whether the statistics are fresh or the table was loaded a second ago.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/stmt.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "version/version.h"

VOUCH_FUNCTION(vouch_sql_version_items);
VOUCH_FUNCTION(vouch_sql_diff_versions);
VOUCH_FUNCTION(vouch_sql_item_lineage);

/* The row of stage 1 is the item; its verdict is of the stage that was asked for. */
#define ITEMS_COLUMNS \
	"SELECT d.item_no, i.item_key, b.payload, d.source, d.recommended_by, d.status, d.decided_by, d.on_behalf_of," \
	" d.decided_at, d.notes," \
	" CASE WHEN COALESCE(d.origin_no, d.from_no) < $3 THEN COALESCE(d.origin_no, d.from_no) END," \
	" vouch_data.decision_id($1, $2, d.item_no, 1, d.from_no), d.recommended_at" \
	" FROM vouch_data.decision d"
#define ITEMS_LOOKUPS \
	" CROSS JOIN LATERAL (SELECT x.item_key FROM vouch_data.item x" \
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = d.item_no OFFSET 0) AS i" \
	" CROSS JOIN LATERAL (SELECT x.payload FROM vouch_data.item_body x" \
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no = d.body_no OFFSET 0) AS b"
#define ITEMS_WHERE \
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.stage = 1 AND d.item_no > $4" \
	"  AND d.from_no + 0 <= $3 AND d.to_no + 0 > $3" \
	" ORDER BY d.item_no LIMIT $5"

static VouchStmt read_items = {
	ITEMS_COLUMNS ITEMS_LOOKUPS ITEMS_WHERE,
	SPI_OK_SELECT, 5, {INT4OID, INT4OID, INT4OID, INT4OID, INT8OID}, .indexed = true
};

static VouchStmt read_all_items = {
	ITEMS_COLUMNS
	" JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = d.item_no"
	" JOIN vouch_data.item_body b ON b.bucket = $1 AND b.artifact_no = $2 AND b.body_no = d.body_no"
	ITEMS_WHERE,
	SPI_OK_SELECT, 5, {INT4OID, INT4OID, INT4OID, INT4OID, INT8OID}, .hashed = true
};

static VouchStmt read_items_of_stage = {
	"SELECT d.item_no, i.item_key, b.payload, d.source, d.recommended_by,"
	" COALESCE(s.status, 'pending'), s.decided_by, s.on_behalf_of, s.decided_at, s.notes,"
	" CASE WHEN COALESCE(s.origin_no, s.from_no) < $3 THEN COALESCE(s.origin_no, s.from_no) END,"
	" vouch_data.decision_id($1, $2, d.item_no, $6, COALESCE(s.from_no, $3)), d.recommended_at"
	" FROM vouch_data.decision d" ITEMS_LOOKUPS
	" LEFT JOIN LATERAL (SELECT x.* FROM vouch_data.decision x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = d.item_no"
	"   AND x.stage = $6 AND x.from_no + 0 <= $3 AND x.to_no + 0 > $3 OFFSET 0) AS s ON true"
	ITEMS_WHERE,
	SPI_OK_SELECT, 6, {INT4OID, INT4OID, INT4OID, INT4OID, INT8OID, INT4OID}, .indexed = true
};

/* Above so many it costs less to read all. */
#define PAGE_MAX 10000

/*
 * Rows born after $3 that $4 shows, and rows ended after $3 that $3 shows: two
 * ranges of two indexes.  An item's ranges do not overlap, so these are both
 * sides of all that differs.  $5: the versions were given newest first.
 */
static VouchStmt read_diff = {
	"WITH touched AS MATERIALIZED ("
	"  SELECT d.item_no, d.stage, d.body_no, d.status, true AS later FROM vouch_data.decision d"
	"   WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.from_no > $3 AND d.from_no <= $4 AND d.to_no + 0 > $4"
	"  UNION ALL"
	"  SELECT d.item_no, d.stage, d.body_no, d.status, false FROM vouch_data.decision d"
	"   WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.to_no > $3 AND d.to_no <= $4 AND d.from_no + 0 <= $3),"
	" pairs AS (SELECT t.item_no, t.stage,"
	"   max(t.body_no) FILTER (WHERE t.later = $5) AS body_a, max(t.body_no) FILTER (WHERE t.later <> $5) AS body_b,"
	"   max(t.status) FILTER (WHERE t.later = $5) AS status_a, max(t.status) FILTER (WHERE t.later <> $5) AS status_b"
	"  FROM touched t GROUP BY t.item_no, t.stage)"
	" SELECT i.item_key,"
	"  CASE WHEN p.stage > 1 THEN 'verdict_changed' WHEN p.body_a IS NULL THEN 'added' WHEN p.body_b IS NULL THEN 'removed'"
	"   WHEN a.body_hash <> b.body_hash THEN 'payload_changed' ELSE 'verdict_changed' END,"
	"  a.payload, b.payload,"
	"  CASE WHEN p.stage > 1 THEN COALESCE(p.status_a, 'pending') ELSE p.status_a END,"
	"  CASE WHEN p.stage > 1 THEN COALESCE(p.status_b, 'pending') ELSE p.status_b END, p.stage::int4"
	" FROM pairs p"
	" CROSS JOIN LATERAL (SELECT x.item_key FROM vouch_data.item x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = p.item_no OFFSET 0) AS i"
	" LEFT JOIN LATERAL (SELECT x.payload, x.body_hash FROM vouch_data.item_body x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no = p.body_a OFFSET 0) AS a ON true"
	" LEFT JOIN LATERAL (SELECT x.payload, x.body_hash FROM vouch_data.item_body x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no = p.body_b OFFSET 0) AS b ON true"
	" WHERE CASE WHEN p.stage = 1 THEN p.status_a IS DISTINCT FROM p.status_b OR a.body_hash <> b.body_hash"
	"  ELSE COALESCE(p.status_a, 'pending') <> COALESCE(p.status_b, 'pending')"
	"   AND EXISTS (SELECT FROM vouch_data.decision o WHERE o.bucket = $1 AND o.artifact_no = $2"
	"    AND o.item_no = p.item_no AND o.stage = 1 AND o.from_no + 0 <= $3 AND o.to_no + 0 > $3)"
	"   AND EXISTS (SELECT FROM vouch_data.decision o WHERE o.bucket = $1 AND o.artifact_no = $2"
	"    AND o.item_no = p.item_no AND o.stage = 1 AND o.from_no + 0 <= $4 AND o.to_no + 0 > $4) END"
	" ORDER BY p.item_no, p.stage",
	SPI_OK_SELECT, 5, {INT4OID, INT4OID, INT4OID, INT4OID, BOOLOID}, .indexed = true
};

static VouchStmt find_item = {
	"SELECT item_no FROM vouch_data.item WHERE bucket = $1 AND artifact_no = $2 AND item_key = $3",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, TEXTOID}, .indexed = true
};

static VouchStmt read_lineage = {
	"SELECT d.from_no, CASE WHEN d.to_no <= $3 THEN d.to_no - 1 END, d.stage::int4, d.status, b.payload, d.source,"
	" d.recommended_by, d.recommended_at, d.decided_by, d.on_behalf_of, d.decided_at, d.notes,"
	" d.origin_no, vouch_data.decision_id($1, $2, d.item_no, d.stage, d.from_no)"
	" FROM vouch_data.decision d"
	" CROSS JOIN LATERAL (SELECT x.payload FROM vouch_data.item_body x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no = d.body_no OFFSET 0) AS b"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.item_no = $4 AND d.from_no + 0 <= $3"
	" ORDER BY d.from_no, d.stage",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, INT4OID}, .indexed = true
};

/* vouch.version_items(version_id, after_item_no, max_items, stage) */
Datum
vouch_sql_version_items(PG_FUNCTION_ARGS)
{
	VouchVersion *version;
	int			stage = PG_ARGISNULL(3) ? 1 : PG_GETARG_INT32(3);
	Datum		args[6];
	char		nulls[7] = "      ";

	if (PG_ARGISNULL(0))
	{
		InitMaterializedSRF(fcinfo, 0);
		return (Datum) 0;
	}
	if (stage < 1 || stage > 255 || (!PG_ARGISNULL(2) && PG_GETARG_INT32(2) < 0))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("max_items must not be negative, and stage must lie between 1 and 255"),
				 errhint("Leave max_items out to get all items.")));
	SPI_connect();
	version = vouch_version_read(PG_GETARG_UUID_P(0));
	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = Int32GetDatum(version->version_no);
	args[3] = PG_ARGISNULL(1) ? Int32GetDatum(0) : PG_GETARG_DATUM(1);
	args[4] = PG_ARGISNULL(2) ? (Datum) 0 : Int64GetDatum(PG_GETARG_INT32(2));
	nulls[4] = PG_ARGISNULL(2) ? 'n' : ' ';
	args[5] = Int32GetDatum(stage);
	vouch_stmt_return(stage != 1 ? &read_items_of_stage :
					  PG_ARGISNULL(2) || PG_GETARG_INT32(2) > PAGE_MAX ? &read_all_items : &read_items,
					  args, nulls, fcinfo);
	SPI_finish();
	return (Datum) 0;
}

/* vouch.diff_versions(a, b) */
Datum
vouch_sql_diff_versions(PG_FUNCTION_ARGS)
{
	VouchVersion *a,
			   *b;
	Datum		args[5];

	SPI_connect();
	a = vouch_version_read(PG_GETARG_UUID_P(0));
	b = vouch_version_read(PG_GETARG_UUID_P(1));
	if (a->bucket != b->bucket || a->artifact_no != b->artifact_no)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("the versions belong to different things"),
				 errdetail("One is of %s \"%s\"%s%s, the other of %s \"%s\"%s%s.",
						   a->phase_label, a->subject, a->scope[0] ? ", scope " : "", a->scope,
						   b->phase_label, b->subject, b->scope[0] ? ", scope " : "", b->scope),
				 errhint("Compare two versions of the same phase, subject and scope.")));
	args[0] = Int32GetDatum(a->bucket);
	args[1] = Int32GetDatum(a->artifact_no);
	args[2] = Int32GetDatum(Min(a->version_no, b->version_no));
	args[3] = Int32GetDatum(Max(a->version_no, b->version_no));
	args[4] = BoolGetDatum(a->version_no > b->version_no);
	vouch_stmt_return(&read_diff, args, NULL, fcinfo);
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
	version = vouch_version_read(PG_GETARG_UUID_P(0));
	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = PG_GETARG_DATUM(1);
	if (vouch_stmt_run(&find_item, args, NULL) == 0)
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
