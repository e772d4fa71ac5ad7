/*
 * part.c
 *	  Parts of a version, measured: which items are in them, their digest, and
 *	  their verdicts.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/json.h"
#include "core/stmt.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "version/content.h"
#include "version/items.h"
#include "version/part.h"

static VouchStmt count_items = {
	"SELECT count(*) FROM vouch_data.decision d"
	" JOIN vouch_data.item_body b ON b.bucket = $1 AND b.artifact_no = $2 AND b.body_no = d.body_no"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.stage = 1 AND d.from_no <= $3 AND d.to_no > $3"
	" AND ($4 IS NULL OR b.payload @> $4) AND ($5 IS NULL OR b.payload @> $5)",
	SPI_OK_SELECT, 5, {INT4OID, INT4OID, INT4OID, JSONBOID, JSONBOID}, .hashed = true
};

static VouchStmt list_values = {
	"SELECT DISTINCT (b.payload->>$5) COLLATE \"C\" FROM vouch_data.decision d"
	" JOIN vouch_data.item_body b ON b.bucket = $1 AND b.artifact_no = $2 AND b.body_no = d.body_no"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.stage = 1 AND d.from_no <= $3 AND d.to_no > $3"
	" AND ($4 IS NULL OR b.payload @> $4) AND b.payload->>$5 <> '' ORDER BY 1 LIMIT $6",
	SPI_OK_SELECT, 6, {INT4OID, INT4OID, INT4OID, JSONBOID, TEXTOID, INT8OID}, .hashed = true
};

static VouchStmt read_payloads = {
	"SELECT i.item_key, b.payload FROM unnest($3::int4[], $4::int4[]) WITH ORDINALITY AS t(item_no, body_no, o),"
	" LATERAL (SELECT x.item_key FROM vouch_data.item x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = t.item_no OFFSET 0) AS i,"
	" LATERAL (SELECT x.payload FROM vouch_data.item_body x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no = t.body_no OFFSET 0) AS b"
	" ORDER BY t.o",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4ARRAYOID, INT4ARRAYOID}, .indexed = true
};

bool
vouch_part_has(const VouchPart *part, Jsonb *payload)
{
	if (part->filter != NULL)
	{
		JsonbIterator *have = JsonbIteratorInit(&payload->root);
		JsonbIterator *want = JsonbIteratorInit(&part->filter->root);

		if (!JsonbDeepContains(&have, &want))
			return false;
	}
	if (part->field != NULL)
	{
		char	   *value = vouch_json_get_text(payload, part->field);

		return value != NULL && strcmp(value, part->value) == 0;
	}
	return true;
}

/* ---- measuring ------------------------------------------------------------------ */

typedef struct Leaves
{
	VouchDigest *leaves;
	size_t		n;
	size_t		allocated;
} Leaves;

typedef struct Measuring
{
	VouchPart  *parts;
	int			n;
	Leaves	   *leaves;			/* of each part */
	int64		outside;
	StringInfoData buf;
	MemoryContext scratch;
} Measuring;

static void
count_verdict(VouchCounts *counts, int stage, const char *status)
{
	if (stage == 1)
		counts->items++;
	if (strcmp(status, "rejected") == 0)
		counts->rejected++;
	else if (strcmp(status, "needs_changes") == 0)
		counts->needs_changes++;
	else if (stage == 1 && strcmp(status, "approved") == 0)
		counts->approved++;
	else if (stage == 1)
		counts->pending++;
}

static void
measure_row(const VouchContentRow *row, void *arg)
{
	Measuring  *m = arg;
	MemoryContext old;
	char	   *status;
	Jsonb	   *payload;
	VouchDigest leaf;
	bool		hashed = false;
	bool		inside = false;

	MemoryContextReset(m->scratch);
	old = MemoryContextSwitchTo(m->scratch);
	status = TextDatumGetCString(row->values[VOUCH_CONTENT_STATUS]);
	payload = row->payload == (Datum) 0 ? NULL : DatumGetJsonbP(row->payload);
	for (int i = 0; i < m->n && payload != NULL; i++)
	{
		Leaves	   *l = &m->leaves[i];

		if (!vouch_part_has(&m->parts[i], payload))
			continue;
		if (!hashed)
			vouch_content_leaf(row, true, &m->buf, &leaf);
		hashed = inside = true;
		if (l->n == l->allocated)
		{
			l->allocated *= 2;
			l->leaves = repalloc_huge(l->leaves, sizeof(VouchDigest) * l->allocated);
		}
		l->leaves[l->n++] = leaf;
		count_verdict(&m->parts[i].counts, row->stage, status);
	}
	if (!inside && row->stage == 1)
		m->outside++;
	MemoryContextSwitchTo(old);
}

int64
vouch_version_measure(const VouchVersion *version, VouchPart *parts, int n)
{
	Measuring	m = {.parts = parts,.n = n};

	m.leaves = palloc(sizeof(Leaves) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		memset(&parts[i].counts, 0, sizeof(VouchCounts));
		m.leaves[i].n = 0;
		m.leaves[i].allocated = 64;
		m.leaves[i].leaves = palloc(sizeof(VouchDigest) * m.leaves[i].allocated);
	}
	initStringInfo(&m.buf);
	m.scratch = AllocSetContextCreate(CurrentMemoryContext, "vouch parts", ALLOCSET_DEFAULT_SIZES);
	vouch_content_scan(version, measure_row, &m);
	MemoryContextDelete(m.scratch);
	for (int i = 0; i < n; i++)
	{
		vouch_digest_root(&parts[i].digest, m.leaves[i].leaves, m.leaves[i].n);
		pfree(m.leaves[i].leaves);
	}
	pfree(m.leaves);
	pfree(m.buf.data);
	return m.outside;
}

/* ---- asking ---------------------------------------------------------------------- */

static void
key_args(const VouchVersion *version, Datum *args)
{
	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = Int32GetDatum(version->version_no);
}

static Datum
jsonb_or_null(Jsonb *value, char *null)
{
	*null = value == NULL ? 'n' : ' ';
	return value == NULL ? (Datum) 0 : JsonbPGetDatum(value);
}

int64
vouch_version_count_items(const VouchVersion *version, Jsonb *scope, Jsonb *item)
{
	Datum		args[5];
	char		nulls[5] = {' ', ' ', ' ', ' ', ' '};

	key_args(version, args);
	args[3] = jsonb_or_null(scope, &nulls[3]);
	args[4] = jsonb_or_null(item, &nulls[4]);
	vouch_stmt_run_one(&count_items, args, nulls);
	return vouch_stmt_get_int64(0, 1, 0);
}

int
vouch_version_values(const VouchVersion *version, Jsonb *scope, const char *field,
					 int max, const char ***values)
{
	Datum		args[6];
	char		nulls[6] = {' ', ' ', ' ', ' ', ' ', ' '};
	int			n;

	key_args(version, args);
	args[3] = jsonb_or_null(scope, &nulls[3]);
	args[4] = CStringGetTextDatum(field);
	args[5] = Int64GetDatum(max);
	n = (int) vouch_stmt_run(&list_values, args, nulls);
	*values = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
		(*values)[i] = vouch_stmt_get_text(i, 1);
	return n;
}

char *
vouch_version_outside(const VouchVersion *version, const VouchPart *parts, int n,
					  const int *item_nos, const int *body_nos, int nitems)
{
	Datum	   *items = palloc(sizeof(Datum) * Max(nitems, 1));
	Datum	   *bodies = palloc(sizeof(Datum) * Max(nitems, 1));
	Datum		args[4];
	uint64		rows;

	for (int i = 0; i < nitems; i++)
	{
		items[i] = Int32GetDatum(item_nos[i]);
		bodies[i] = Int32GetDatum(body_nos[i]);
	}
	key_args(version, args);
	args[2] = vouch_array(items, nitems, INT4OID);
	args[3] = vouch_array(bodies, nitems, INT4OID);
	rows = vouch_stmt_run(&read_payloads, args, NULL);
	for (uint64 r = 0; r < rows; r++)
	{
		Jsonb	   *payload = DatumGetJsonbP(vouch_stmt_get(r, 2, NULL));
		bool		inside = false;

		for (int i = 0; i < n && !inside; i++)
			inside = vouch_part_has(&parts[i], payload);
		if (!inside)
			return vouch_stmt_get_text(r, 1);
	}
	return NULL;
}
