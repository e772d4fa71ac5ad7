/*
 * store.c
 *	  The statements that write versions.
 *
 * A row of vouch_data.decision is valid for the versions [from_no, to_no).  The newest
 * version shows the rows with to_no = VOUCH_NO_MAX, so what is carried forward
 * is not written at all.
 *
 * Where a statement has "from_no + 0", the planner must not take an index on
 * from_no: the rows are found by item.  Where it has "from_no > 1" besides,
 * that lets it take the partial index decision_from.  "LATERAL (... OFFSET 0)"
 * is explained in core/stmt.h.
 *
 * No index has to_no, so the UPDATEs that end rows write none.  What a
 * version ended is listed in vouch_data.version_ended: whoever sets to_no notes it in
 * the VouchChange.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/stmt.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "version/store.h"

/* Rows in one INSERT: bounds the memory of the arrays. */
#define CHUNK 10000

/* Rows that one row of version_ended lists at most. */
#define ENDED_CHUNK 100000

/* Counts that are compared one by one, before the others are hashed. */
#define FEW 16

static VouchStmt add_counts = {
	"INSERT INTO vouch_data.version_stat AS s (bucket, artifact_no, version_no, stage, status, source, carried, items)"
	" SELECT $1, $2, $3, t.stage, t.status::vouch.verdict, t.source, t.carried, t.items"
	" FROM unnest($4::int2[], $5::text[], $6::text[], $7::bool[], $8::int8[])"
	"  AS t(stage, status, source, carried, items)"
	" ON CONFLICT (bucket, artifact_no, version_no, stage, status, source, carried)"
	" DO UPDATE SET items = s.items + excluded.items",
	SPI_OK_INSERT, 8,
	{INT4OID, INT4OID, INT4OID, INT2ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, BOOLARRAYOID, INT8ARRAYOID},
	.indexed = true, .guarded = true
};

static VouchStmt add_makers = {
	"INSERT INTO vouch_data.version_contributor AS c (bucket, artifact_no, version_no, actor, items)"
	" SELECT $1, $2, $3, t.actor, t.items FROM unnest($4::text[], $5::int8[]) AS t(actor, items)"
	" ON CONFLICT (bucket, artifact_no, version_no, actor) DO UPDATE SET items = c.items + excluded.items",
	SPI_OK_INSERT, 5, {INT4OID, INT4OID, INT4OID, TEXTARRAYOID, INT8ARRAYOID},
	.indexed = true, .guarded = true
};

static VouchStmt add_ended = {
	"INSERT INTO vouch_data.version_ended (bucket, artifact_no, version_no, part, stage, status, item_nos, from_nos, body_nos)"
	" SELECT $1, $2, $3, COALESCE((SELECT max(e.part) FROM vouch_data.version_ended e"
	"  WHERE e.bucket = $1 AND e.artifact_no = $2 AND e.version_no = $3), 0) + 1, $4, $5::vouch.verdict, $6, $7, $8",
	SPI_OK_INSERT, 8,
	{INT4OID, INT4OID, INT4OID, INT2OID, TEXTOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID},
	.indexed = true, .guarded = true
};

static VouchStmt take_numbers = {
	"UPDATE vouch_data.artifact SET item_no = item_no + $3, body_no = body_no + $4"
	" WHERE bucket = $1 AND artifact_no = $2 RETURNING item_no, body_no",
	SPI_OK_UPDATE_RETURNING, 4, {INT4OID, INT4OID, INT4OID, INT4OID},
	.indexed = true, .guarded = true
};

static VouchStmt insert_items = {
	"INSERT INTO vouch_data.item (bucket, artifact_no, item_no, item_key)"
	" SELECT $1, $2, unnest($3::int4[]), unnest($4::text[])",
	SPI_OK_INSERT, 4, {INT4OID, INT4OID, INT4ARRAYOID, TEXTARRAYOID},
	.indexed = true, .guarded = true
};

static VouchStmt insert_bodies = {
	"INSERT INTO vouch_data.item_body (bucket, artifact_no, body_no, payload, body_hash, salt)"
	" SELECT $1, $2, unnest($3::int4[]), unnest($4::jsonb[]),"
	"  unnest($5::bytea[]), unnest($6::bytea[])",
	SPI_OK_INSERT, 6, {INT4OID, INT4OID, INT4ARRAYOID, JSONBARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID},
	.indexed = true, .guarded = true
};

static VouchStmt insert_decisions = {
	"INSERT INTO vouch_data.decision (bucket, artifact_no, item_no, stage, from_no, body_no, status,"
	"  source, recommended_by, recommended_at)"
	" SELECT $1, $2, unnest($3::int4[]), 1, $4, unnest($5::int4[]), 'pending',"
	"  unnest($6::text[]), $7, $8",
	SPI_OK_INSERT, 8,
	{INT4OID, INT4OID, INT4ARRAYOID, INT4OID, INT4ARRAYOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID},
	.indexed = true, .guarded = true
};

static VouchStmt close_all = {
	"WITH closed AS (UPDATE vouch_data.decision d SET to_no = $3"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.to_no = 2147483647 AND d.from_no + 0 < $3" VOUCH_COUNT_ENDED,
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID},
	.indexed = true, .guarded = true
};

/*
 * All stages' rows of the items that some stage did not approve.  The inner
 * select is answered by the partial index decision_undone, so it costs what is
 * undone, not what exists.
 */
static VouchStmt close_undone = {
	"WITH undone AS MATERIALIZED (SELECT DISTINCT o.item_no FROM vouch_data.decision o"
	"  WHERE o.bucket = $1 AND o.artifact_no = $2 AND" VOUCH_UNDONE_SINCE("o", "$3")
	"   AND ($4 OR o.status <> 'pending')),"
	" closed AS (UPDATE vouch_data.decision d SET to_no = $3 FROM undone u," VOUCH_STANDING("u.item_no", "< $3")
	" WHERE d.ctid = r.tid" VOUCH_COUNT_ENDED,
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, BOOLOID},
	.indexed = true, .guarded = true
};

/* The same where no later stage ever decided: each item has one row, which that index gives. */
static VouchStmt close_undone_of_one_stage = {
	"WITH closed AS (UPDATE vouch_data.decision d SET to_no = $3"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND" VOUCH_UNDONE_SINCE("d", "$3")
	"  AND ($4 OR d.status <> 'pending')" VOUCH_COUNT_ENDED,
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, BOOLOID},
	.indexed = true, .guarded = true
};

static VouchStmt find_later_stage = {
	"SELECT 1 FROM vouch_data.version_stat WHERE bucket = $1 AND artifact_no = $2 AND stage > 1 LIMIT 1",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

static VouchStmt next_version = {
	"UPDATE vouch_data.artifact SET last_no = last_no + 1, head_no = last_no + 1"
	" WHERE bucket = $1 AND artifact_no = $2 RETURNING head_no",
	SPI_OK_UPDATE_RETURNING, 2, {INT4OID, INT4OID}, .indexed = true, .guarded = true
};

static VouchStmt insert_version = {
	"INSERT INTO vouch_data.version (bucket, artifact_no, version_no, parent_no, state, carry, reason, metadata,"
	"  created_by, created_at, workflow_id, execution_id, activity, attempt)"
	" VALUES ($1, $2, $3, $4, 'draft', $5, $6, $7, $8, $9, $10, $11::uuid, $12, $13)",
	SPI_OK_INSERT, 13,
	{INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, TIMESTAMPTZOID,
	TEXTOID, TEXTOID, TEXTOID, INT4OID},
	.indexed = true, .guarded = true
};

static VouchStmt find_artifact = {
	"SELECT artifact_no FROM vouch_data.artifact"
	" WHERE bucket = $1 AND subject = $2 AND phase = $3 AND scope = $4",
	SPI_OK_SELECT, 4, {INT4OID, TEXTOID, TEXTOID, TEXTOID}, .indexed = true
};

static VouchStmt insert_artifact = {
	"INSERT INTO vouch_data.artifact (bucket, artifact_no, subject, phase, scope, cycle_id, report_id, created_at)"
	" VALUES ($1, $8, $2, $3, $4, $5, $6, $7)"
	" ON CONFLICT DO NOTHING",
	SPI_OK_INSERT, 8, {INT4OID, TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID, TIMESTAMPTZOID, INT4OID},
	.indexed = true, .guarded = true
};

static VouchStmt find_open = {
	"SELECT version_no, state::text, created_by FROM vouch_data.version"
	" WHERE bucket = $1 AND artifact_no = $2 AND state IN ('draft', 'pending_approval')",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

typedef struct Count
{
	int			stage;
	const char *status;
	const char *source;
	bool		carried;
	int64		n;
} Count;

typedef struct Maker
{
	const char *actor;
	int64		n;
	bool		known;			/* the version has items of theirs, and so a row */
} Maker;

/* Rows that ended, of one stage and verdict. */
typedef struct Ended
{
	int			stage;
	const char *status;
	int			n;
	int			allocated;
	Datum	   *columns[3];		/* item_no, from_no, body_no */
} Ended;

void
vouch_change_begin(VouchChange *change, const VouchVersion *version)
{
	change->bucket = version->bucket;
	change->artifact_no = version->artifact_no;
	change->version_no = version->version_no;
	change->round = version->round;
	change->at = GetCurrentTimestamp();
	change->counts = NIL;
	change->makers = NIL;
	change->ended = NIL;
	change->replaced = NULL;
	change->nreplaced = 0;
	change->seen = NULL;
	change->fewer = false;
}

void
vouch_change_count(VouchChange *change, int stage, const char *status,
				   const char *source, bool carried, int64 n)
{
	ListCell   *cell;
	Count	   *count;
	int			looked = 0;

	foreach(cell, change->counts)
	{
		count = lfirst(cell);
		if (count->stage == stage && count->carried == carried &&
			strcmp(count->status, status) == 0 && strcmp(count->source, source) == 0)
		{
			count->n += n;
			return;
		}
		if (++looked == FEW)
			break;
	}
	/* with many sources the rest is found by its hash */
	if (looked == FEW)
	{
		char	   *key = psprintf("%d %d %s %s", stage, carried, status, source);
		int			at;

		if (change->seen == NULL)
			change->seen = vouch_keyset_create(1024);
		at = vouch_keyset_add(change->seen, key, strlen(key), list_length(change->counts));
		if (at >= 0)
		{
			count = list_nth(change->counts, at);
			count->n += n;
			pfree(key);
			return;
		}
	}
	count = palloc(sizeof(Count));
	count->stage = stage;
	count->status = pstrdup(status);
	count->source = pstrdup(source);
	count->carried = carried;
	count->n = n;
	change->counts = lappend(change->counts, count);
}

void
vouch_change_maker(VouchChange *change, const char *actor, int64 n)
{
	ListCell   *cell;
	Maker	   *maker;

	foreach(cell, change->makers)
	{
		maker = lfirst(cell);
		if (strcmp(maker->actor, actor) == 0)
		{
			maker->n += n;
			maker->known |= n < 0;
			return;
		}
	}
	maker = palloc(sizeof(Maker));
	maker->actor = pstrdup(actor);
	maker->n = n;
	maker->known = n < 0;
	change->makers = lappend(change->makers, maker);
}

static Ended *
ended_of(VouchChange *change, int stage, const char *status)
{
	ListCell   *cell;
	Ended	   *ended;

	foreach(cell, change->ended)
	{
		ended = lfirst(cell);
		if (ended->stage == stage && strcmp(ended->status, status) == 0)
			return ended;
	}
	ended = palloc0(sizeof(Ended));
	ended->stage = stage;
	ended->status = pstrdup(status);
	change->ended = lappend(change->ended, ended);
	return ended;
}

/* Makes room for n more. */
static void
ended_reserve(Ended *ended, int n)
{
	if (ended->n + n <= ended->allocated)
		return;
	ended->allocated = Max(ended->n + n, Max(64, 2 * ended->allocated));
	for (int i = 0; i < 3; i++)
		ended->columns[i] = ended->columns[i] == NULL ?
			palloc_extended(sizeof(Datum) * ended->allocated, MCXT_ALLOC_HUGE) :
			repalloc_huge(ended->columns[i], sizeof(Datum) * ended->allocated);
}

void
vouch_change_ended(VouchChange *change, int stage, const char *status, int item_no, int from_no, int body_no)
{
	Ended	   *ended = ended_of(change, stage, status);

	ended_reserve(ended, 1);
	ended->columns[0][ended->n] = Int32GetDatum(item_no);
	ended->columns[1][ended->n] = Int32GetDatum(from_no);
	ended->columns[2][ended->n++] = Int32GetDatum(body_no);
}

void
vouch_store_note_ended(VouchChange *change, uint64 row)
{
	Ended	   *ended = ended_of(change, DatumGetInt16(vouch_stmt_get(row, 1, NULL)), vouch_stmt_get_text(row, 2));
	Datum	   *values;
	bool		isnull;
	int			n;

	for (int i = 0; i < 3; i++)
	{
		Datum		array = vouch_stmt_get(row, 6 + i, &isnull);

		if (isnull)
			return;
		deconstruct_array(DatumGetArrayTypeP(array), INT4OID, sizeof(int32), true, TYPALIGN_INT, &values, NULL, &n);
		if (i == 0)
			ended_reserve(ended, n);
		memcpy(ended->columns[i] + ended->n, values, sizeof(Datum) * n);
		pfree(values);
	}
	ended->n += n;
}

static void
write_ended(VouchChange *change)
{
	Datum		args[8] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no),
	Int32GetDatum(change->version_no)};
	ListCell   *cell;

	foreach(cell, change->ended)
	{
		Ended	   *ended = lfirst(cell);

		args[3] = Int16GetDatum(ended->stage);
		args[4] = CStringGetTextDatum(ended->status);
		for (int at = 0; at < ended->n; at += ENDED_CHUNK)
		{
			int			n = Min(ended->n - at, ENDED_CHUNK);

			for (int i = 0; i < 3; i++)
				args[5 + i] = vouch_array(ended->columns[i] + at, n, INT4OID);
			vouch_stmt_run(&add_ended, args, NULL);
			for (int i = 0; i < 3; i++)
				pfree(DatumGetPointer(args[5 + i]));
		}
	}
	change->ended = NIL;
}

void
vouch_change_finish(VouchChange *change)
{
	int			n = Max(list_length(change->counts), list_length(change->makers));
	Datum	   *columns[5];
	Datum		args[8] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no),
	Int32GetDatum(change->version_no)};
	ListCell   *cell;

	for (int i = 0; i < 5; i++)
		columns[i] = palloc(sizeof(Datum) * Max(n, 1));
	n = 0;
	foreach(cell, change->counts)
	{
		Count	   *count = lfirst(cell);

		if (count->n == 0)
			continue;
		columns[0][n] = Int16GetDatum(count->stage);
		columns[1][n] = CStringGetTextDatum(count->status);
		columns[2][n] = CStringGetTextDatum(count->source);
		columns[3][n] = BoolGetDatum(count->carried);
		columns[4][n] = Int64GetDatum(count->n);
		n++;
	}
	if (n > 0)
	{
		args[3] = vouch_array(columns[0], n, INT2OID);
		args[4] = vouch_array(columns[1], n, TEXTOID);
		args[5] = vouch_array(columns[2], n, TEXTOID);
		args[6] = vouch_array(columns[3], n, BOOLOID);
		args[7] = vouch_array(columns[4], n, INT8OID);
		vouch_stmt_run(&add_counts, args, NULL);
	}
	n = 0;
	foreach(cell, change->makers)
	{
		Maker	   *maker = lfirst(cell);

		if (maker->n == 0 && maker->known)
			continue;
		if (maker->n < 0)
			change->fewer = true;
		columns[0][n] = CStringGetTextDatum(maker->actor);
		columns[1][n] = Int64GetDatum(maker->n);
		n++;
	}
	if (n > 0)
	{
		args[3] = vouch_array(columns[0], n, TEXTOID);
		args[4] = vouch_array(columns[1], n, INT8OID);
		vouch_stmt_run(&add_makers, args, NULL);
	}
	write_ended(change);
	change->counts = NIL;
	change->makers = NIL;
	change->seen = NULL;
}

static int
min_chunk(int left)
{
	return left < CHUNK ? left : CHUNK;
}

/* Takes numbers for new items and payloads; the last of each come back. */
static void
number(VouchChange *change, int items, int bodies, int *last_item, int *last_body)
{
	Datum		args[4] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no),
	Int32GetDatum(items), Int32GetDatum(bodies)};

	vouch_stmt_run_one(&take_numbers, args, NULL);
	*last_item = vouch_stmt_get_int32(0, 1, 0);
	*last_body = vouch_stmt_get_int32(0, 2, 0);
}

static void
store_bodies(VouchChange *change, VouchItems *items, int first_body)
{
	Datum	   *numbers = palloc(sizeof(Datum) * min_chunk(items->n));
	Datum		args[6] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no)};

	for (int at = 0; at < items->n; at += CHUNK)
	{
		int			n = min_chunk(items->n - at);

		for (int i = 0; i < n; i++)
			numbers[i] = Int32GetDatum(first_body + at + i);
		args[2] = vouch_array(numbers, n, INT4OID);
		args[3] = vouch_array(items->payloads + at, n, JSONBOID);
		args[4] = vouch_array(items->hashes + at, n, BYTEAOID);
		args[5] = vouch_array(items->salts + at, n, BYTEAOID);
		vouch_stmt_run(&insert_bodies, args, NULL);
		for (int i = 2; i < 6; i++)
			pfree(DatumGetPointer(args[i]));
	}
	pfree(numbers);
}

void
vouch_store_insert(VouchChange *change, VouchItems *items, VouchFound *found)
{
	int			fresh = 0,
				next_item,
				last_item,
				last_body,
				first_body;
	Datum	   *numbers,
			   *bodies,
			   *fresh_numbers,
			   *fresh_keys;
	Datum		args[8] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no)};

	if (items->n == 0)
		return;
	for (int i = 0; i < items->n; i++)
		if (found == NULL || found[i].item_no == 0)
			fresh++;
	number(change, fresh, items->n, &last_item, &last_body);
	next_item = last_item - fresh + 1;
	first_body = last_body - items->n + 1;
	store_bodies(change, items, first_body);

	numbers = palloc(sizeof(Datum) * CHUNK);
	bodies = palloc(sizeof(Datum) * CHUNK);
	fresh_numbers = palloc(sizeof(Datum) * CHUNK);
	fresh_keys = palloc(sizeof(Datum) * CHUNK);
	for (int at = 0; at < items->n; at += CHUNK)
	{
		int			n = min_chunk(items->n - at);
		int			nfresh = 0;

		for (int i = 0; i < n; i++)
		{
			if (found != NULL && found[at + i].item_no != 0)
				numbers[i] = Int32GetDatum(found[at + i].item_no);
			else
			{
				numbers[i] = Int32GetDatum(next_item++);
				fresh_numbers[nfresh] = numbers[i];
				fresh_keys[nfresh++] = items->keys[at + i];
			}
			bodies[i] = Int32GetDatum(first_body + at + i);
		}
		if (nfresh > 0)
		{
			args[2] = vouch_array(fresh_numbers, nfresh, INT4OID);
			args[3] = vouch_array(fresh_keys, nfresh, TEXTOID);
			vouch_stmt_run(&insert_items, args, NULL);
		}
		args[2] = vouch_array(numbers, n, INT4OID);
		args[3] = Int32GetDatum(change->version_no);
		args[4] = vouch_array(bodies, n, INT4OID);
		args[5] = vouch_array(items->sources + at, n, TEXTOID);
		args[6] = CStringGetTextDatum(items->recommended_by);
		args[7] = TimestampTzGetDatum(change->at);
		vouch_stmt_run(&insert_decisions, args, NULL);
	}

	for (int i = 0, run = 0; i < items->n; i++)
	{
		/* items of one source come in runs */
		run++;
		if (i + 1 == items->n || items->sources[i + 1] != items->sources[i])
		{
			vouch_change_count(change, 1, "pending", TextDatumGetCString(items->sources[i]), false, run);
			run = 0;
		}
	}
	vouch_change_maker(change, items->recommended_by, items->n);
}

static int64
count_row(VouchChange *change, uint64 row, bool carried)
{
	int			stage = DatumGetInt16(vouch_stmt_get(row, 1, NULL));
	int64		n = vouch_stmt_get_int64(row, 5, 0);

	vouch_change_count(change, stage, vouch_stmt_get_text(row, 2), vouch_stmt_get_text(row, 3), carried, -n);
	if (stage != 1)
		return 0;
	vouch_change_maker(change, vouch_stmt_get_text(row, 4), -n);
	return n;
}

int64
vouch_store_count_gone(VouchChange *change, uint64 rows)
{
	int64		items = 0;

	for (uint64 i = 0; i < rows; i++)
		items += count_row(change, i, vouch_stmt_get_bool(i, 6, false));
	return items;
}

int64
vouch_store_count_ended(VouchChange *change, uint64 rows)
{
	int64		items = 0;

	for (uint64 i = 0; i < rows; i++)
	{
		items += count_row(change, i, true);
		vouch_store_note_ended(change, i);
	}
	return items;
}

int64
vouch_store_close_all(VouchChange *change)
{
	Datum		args[3] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no),
	Int32GetDatum(change->version_no)};

	return vouch_store_count_ended(change, vouch_stmt_run(&close_all, args, NULL));
}

bool
vouch_store_later_stage(const VouchChange *change)
{
	Datum		args[2] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no)};

	return vouch_stmt_run(&find_later_stage, args, NULL) > 0;
}

int64
vouch_store_close_undone(VouchChange *change, bool keep_pending)
{
	Datum		args[4] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no),
	Int32GetDatum(change->version_no), BoolGetDatum(!keep_pending)};

	return vouch_store_count_ended(change, vouch_stmt_run(vouch_store_later_stage(change) ?
														  &close_undone : &close_undone_of_one_stage, args, NULL));
}

VouchMakingHook vouch_making_hook = NULL;

VouchVersion *
vouch_store_version(int bucket, int artifact_no, const VouchNewVersion *what)
{
	const VouchActing *acting = vouch_actor_acting();
	Datum		args[13] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no)};
	char		nulls[14] = "             ";
	int			version_no;
	pg_uuid_t	id;

	if (vouch_making_hook != NULL)
		vouch_making_hook(bucket, artifact_no, what->actor);
	vouch_stmt_run_one(&next_version, args, NULL);
	version_no = vouch_stmt_get_int32(0, 1, 0);
	if (version_no > VOUCH_VERSION_NO_MAX)
		ereport(ERROR,
				(errcode(VOUCH_ERR_LIMIT),
				 errmsg("an artifact cannot have more than %d versions", VOUCH_VERSION_NO_MAX)));

	args[2] = Int32GetDatum(version_no);
	args[3] = Int32GetDatum(what->parent_no);
	nulls[3] = what->parent_no == 0 ? 'n' : ' ';
	nulls[4] = what->carry == NULL ? 'n' : ' ';
	args[4] = what->carry == NULL ? (Datum) 0 : CStringGetTextDatum(what->carry);
	nulls[5] = what->reason == NULL ? 'n' : ' ';
	args[5] = what->reason == NULL ? (Datum) 0 : CStringGetTextDatum(what->reason);
	args[6] = what->metadata != NULL ? JsonbPGetDatum(what->metadata) :
		DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
	args[7] = CStringGetTextDatum(what->actor);
	args[8] = TimestampTzGetDatum(what->at);
	for (int i = 9; i < 13; i++)
		nulls[i] = 'n';
	if (acting != NULL)
	{
		const char *values[] = {acting->workflow_id, acting->execution_id, acting->activity};

		for (int i = 0; i < 3; i++)
			if (values[i] != NULL)
			{
				args[9 + i] = CStringGetTextDatum(values[i]);
				nulls[9 + i] = ' ';
			}
		if (acting->attempt > 0)
		{
			args[12] = Int32GetDatum(acting->attempt);
			nulls[12] = ' ';
		}
	}
	vouch_stmt_run_one(&insert_version, args, nulls);
	vouch_id_pack_version(&id, bucket, artifact_no, version_no);
	return vouch_version_read(&id);
}

/* A number from 1 on, from what the artifact is; another one at each attempt. */
static int
artifact_number(const char *subject, const char *phase, const char *scope, int attempt)
{
	StringInfoData buf;
	VouchDigest digest;
	uint32		number;

	initStringInfo(&buf);
	vouch_canon_text(&buf, 's', subject);
	vouch_canon_text(&buf, 'p', phase);
	vouch_canon_text(&buf, 'c', scope);
	vouch_canon_int64(&buf, 'a', attempt);
	vouch_digest(&digest, buf.data, buf.len);
	pfree(buf.data);
	number = (uint32) digest.bytes[0] << 24 | (uint32) digest.bytes[1] << 16 |
		(uint32) digest.bytes[2] << 8 | digest.bytes[3];
	return (int) (1 + number % (PG_INT32_MAX - 1));
}

/*
 * The number is a hash: were it counted, whoever makes the first artifact of
 * another subject of the bucket would wait for this transaction.  Two who make the
 * same artifact (or two whose numbers are the same by chance) meet in a unique
 * index; the second waits, inserts nothing, and looks again.
 */
int
vouch_store_artifact(int bucket, const char *subject, const char *phase,
					 const char *scope, const int64 *cycle_id, const int64 *report_id)
{
	Datum		args[8] = {Int32GetDatum(bucket), CStringGetTextDatum(subject),
		CStringGetTextDatum(phase), CStringGetTextDatum(scope)};
	char		nulls[9] = "        ";

	for (int attempt = 0; attempt < 100; attempt++)
	{
		if (vouch_stmt_run(&find_artifact, args, NULL) > 0)
			return vouch_stmt_get_int32(0, 1, 0);
		args[4] = cycle_id == NULL ? (Datum) 0 : Int64GetDatum(*cycle_id);
		nulls[4] = cycle_id == NULL ? 'n' : ' ';
		args[5] = report_id == NULL ? (Datum) 0 : Int64GetDatum(*report_id);
		nulls[5] = report_id == NULL ? 'n' : ' ';
		args[6] = TimestampTzGetDatum(GetCurrentTimestamp());
		args[7] = Int32GetDatum(artifact_number(subject, phase, scope, attempt));
		vouch_stmt_run(&insert_artifact, args, nulls);
	}
	ereport(ERROR,
			(errcode(VOUCH_ERR_VERSION_MOVED),
			 errmsg("could not make a place for \"%s\"", subject),
			 errdetail("Other sessions took every number that was tried."),
			 errhint("Try again.")));
	return 0;					/* not reached */
}

void
vouch_store_check_none_open(int bucket, int artifact_no, const char *what)
{
	Datum		args[2] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no)};
	pg_uuid_t	id;

	if (vouch_stmt_run(&find_open, args, NULL) == 0)
		return;
	vouch_id_pack_version(&id, bucket, artifact_no, vouch_stmt_get_int32(0, 1, 0));
	ereport(ERROR,
			(errcode(VOUCH_ERR_OPEN_VERSION),
			 errmsg("cannot %s while version %d is open", what, vouch_stmt_get_int32(0, 1, 0)),
			 errdetail("Version %s, made by \"%s\", is in state %s.", vouch_id_text(&id),
					   vouch_stmt_get_text(0, 3), vouch_stmt_get_text(0, 2)),
			 errhint("Submit and decide it, or end it with vouch.withdraw_version() or vouch.reject_version().")));
}
