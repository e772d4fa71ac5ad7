/*
 * part.c
 *	  Parts of a version, measured: which items are in them, their digest, and
 *	  their verdicts.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/json.h"
#include "core/stmt.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "version/content.h"
#include "version/items.h"
#include "version/lookup.h"
#include "version/part.h"

/* So many payloads are in memory at a time. */
#define WINDOW 10000

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

bool
vouch_part_is_whole(const VouchPart *part)
{
	return part->filter == NULL && part->field == NULL;
}

bool
vouch_part_has(const VouchPart *part, Jsonb *payload)
{
	if (part->filter != NULL && !vouch_json_contains(payload, part->filter))
		return false;
	if (part->field != NULL)
	{
		char	   *value = vouch_json_get_text(payload, part->field);

		return value != NULL && strcmp(value, part->value) == 0;
	}
	return true;
}

bool
vouch_part_has_any(const VouchPart *parts, int n, Jsonb *payload)
{
	for (int i = 0; i < n; i++)
		if (vouch_part_has(&parts[i], payload))
			return true;
	return false;
}

/* ---- measuring ------------------------------------------------------------------ */

typedef struct Leaves
{
	VouchDigest *leaves;
	size_t		n;
	size_t		allocated;
} Leaves;

/* Parts that a rule has for its groups look at the same: it is looked up once a row. */
typedef struct Look
{
	Jsonb	   *filter;
	const char *field;
	bool		met;			/* by the row at hand: does its payload contain filter, */
	char	   *value;			/* and what does field have? */
} Look;

typedef struct Measuring
{
	VouchPart  *parts;
	int			n;
	Leaves	   *leaves;			/* of each part */
	Look	   *looks;
	int			nlooks;
	int		   *look_of;		/* each part's */
	int64		outside;
	char	   *first_outside;	/* its key, or NULL */
	MemoryContext caller;
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
add_leaf(Leaves *to, const VouchDigest *leaf)
{
	if (to->n == to->allocated)
	{
		to->allocated *= 2;
		to->leaves = repalloc_huge(to->leaves, sizeof(VouchDigest) * to->allocated);
	}
	to->leaves[to->n++] = *leaf;
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
	for (int l = 0; l < m->nlooks; l++)
	{
		Look	   *look = &m->looks[l];

		look->met = look->filter == NULL || (payload != NULL && vouch_json_contains(payload, look->filter));
		look->value = look->field != NULL && look->met && payload != NULL ?
			vouch_json_get_text(payload, look->field) : NULL;
	}
	for (int i = 0; i < m->n; i++)
	{
		const VouchPart *part = &m->parts[i];
		const Look *look = &m->looks[m->look_of[i]];

		if (!look->met || (part->field != NULL && (look->value == NULL || strcmp(look->value, part->value) != 0)))
			continue;
		inside = true;
		if (part->stages != 0 && (part->stages & VOUCH_STAGE_BIT(row->stage)) == 0)
			continue;
		if (!hashed)
			vouch_content_leaf(row, true, &m->buf, &leaf);
		hashed = true;
		add_leaf(&m->leaves[i], &leaf);
		count_verdict(&m->parts[i].counts, row->stage, status);
	}
	if (!inside && row->stage == 1 && m->outside++ == 0)
		m->first_outside = row->key == (Datum) 0 ? NULL : MemoryContextStrdup(m->caller, TextDatumGetCString(row->key));
	MemoryContextSwitchTo(old);
}

static void
find_looks(Measuring *m)
{
	m->looks = palloc(sizeof(Look) * Max(m->n, 1));
	m->look_of = palloc(sizeof(int) * Max(m->n, 1));
	for (int i = 0; i < m->n; i++)
	{
		const VouchPart *part = &m->parts[i];
		int			l = 0;

		while (l < m->nlooks && (m->looks[l].filter != part->filter || m->looks[l].field != part->field))
			l++;
		if (l == m->nlooks)
			m->looks[m->nlooks++] = (Look) {part->filter, part->field};
		m->look_of[i] = l;
	}
}

int64
vouch_version_measure(const VouchVersion *version, VouchPart *parts, int n)
{
	char	   *first;

	return vouch_version_measure_outside(version, parts, n, &first);
}

int64
vouch_version_measure_outside(const VouchVersion *version, VouchPart *parts, int n, char **first)
{
	Measuring	m = {.parts = parts,.n = n,.caller = CurrentMemoryContext};
	bool		payloads = false;

	initStringInfo(&m.buf);
	find_looks(&m);
	m.leaves = palloc(sizeof(Leaves) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		memset(&parts[i].counts, 0, sizeof(VouchCounts));
		m.leaves[i].n = 0;
		m.leaves[i].allocated = 64;
		m.leaves[i].leaves = palloc(sizeof(VouchDigest) * m.leaves[i].allocated);
		if (vouch_part_is_whole(&parts[i]))
		{
			/* what belongs to the version as a whole */
			VouchDigest header;

			vouch_content_header(version, &m.buf, &header);
			add_leaf(&m.leaves[i], &header);
		}
		else
			payloads = true;
	}
	m.scratch = AllocSetContextCreate(CurrentMemoryContext, "vouch parts", ALLOCSET_DEFAULT_SIZES);
	vouch_content_scan(version, payloads, measure_row, &m);
	MemoryContextDelete(m.scratch);
	for (int i = 0; i < n; i++)
	{
		vouch_digest_root(&parts[i].digest, m.leaves[i].leaves, m.leaves[i].n);
		pfree(m.leaves[i].leaves);
	}
	pfree(m.leaves);
	pfree(m.looks);
	pfree(m.look_of);
	pfree(m.buf.data);
	*first = m.first_outside;
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

int
vouch_version_outside(const VouchVersion *version, const VouchPart *parts, int n,
					  const int *body_nos, int nitems)
{
	MemoryContext window = AllocSetContextCreate(CurrentMemoryContext, "vouch parts", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(window);
	int			outside = -1;

	for (int at = 0; at < nitems && outside < 0; at += WINDOW)
	{
		int			many = Min(nitems - at, WINDOW);
		int		   *bodies = palloc(sizeof(int) * many);
		int			nbodies;
		Datum	   *payloads;

		CHECK_FOR_INTERRUPTS();
		memcpy(bodies, body_nos + at, sizeof(int) * many);
		nbodies = vouch_lookup_sort(bodies, many);
		vouch_lookup_bodies(version->bucket, version->artifact_no, bodies, nbodies, true, &payloads, NULL);
		for (int i = at; i < at + many && outside < 0; i++)
		{
			Datum		payload = payloads[vouch_lookup_index(bodies, nbodies, body_nos[i])];

			if (payload == (Datum) 0 || !vouch_part_has_any(parts, n, DatumGetJsonbP(payload)))
				outside = i;
		}
		MemoryContextReset(window);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(window);
	return outside;
}
