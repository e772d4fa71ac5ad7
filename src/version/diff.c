/*
 * diff.c
 *	  How two versions of an artifact differ.
 *
 * Costs what changed: rows that were born between the two are found by a range
 * of an index, rows that ended are listed with the versions that ended them; they
 * are paired here, and only what differs is looked up.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "core/stmt.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "version/items.h"
#include "version/lookup.h"
#include "version/version.h"

VOUCH_FUNCTION(vouch_sql_diff_versions);

/*
 * Rows born after $3 that $4 shows, and rows ended after $3 that $3 shows.  An
 * item's ranges do not overlap, so these are both sides of all that differs.
 */
static VouchStmt read_touched = {
	"SELECT d.item_no, d.stage, true, d.body_no, d.status, 'pending'::vouch.verdict FROM vouch_data.decision d"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.from_no > $3 AND d.from_no <= $4 AND d.from_no > 1 AND d.to_no > $4"
	" UNION ALL"
	" SELECT t.item_no, e.stage, false, t.body_no, e.status, 'pending'::vouch.verdict FROM vouch_data.version_ended e,"
	"  unnest(e.item_nos, e.from_nos, e.body_nos) AS t(item_no, from_no, body_no)"
	" WHERE e.bucket = $1 AND e.artifact_no = $2 AND e.version_no > $3 AND e.version_no <= $4 AND t.from_no <= $3",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, INT4OID}, .indexed = true
};

/* Which of the items both versions show. */
static VouchStmt find_in_both = {
	"SELECT k.item_no FROM unnest($5::int4[]) AS k(item_no)"
	" WHERE EXISTS (SELECT FROM vouch_data.decision o WHERE o.bucket = $1 AND o.artifact_no = $2"
	"   AND o.item_no = k.item_no AND o.stage = 1 AND o.from_no + 0 <= $3 AND o.to_no > $3 OFFSET 0)"
	"  AND EXISTS (SELECT FROM vouch_data.decision o WHERE o.bucket = $1 AND o.artifact_no = $2"
	"   AND o.item_no = k.item_no AND o.stage = 1 AND o.from_no + 0 <= $4 AND o.to_no > $4 OFFSET 0)",
	SPI_OK_SELECT, 5, {INT4OID, INT4OID, INT4OID, INT4OID, INT4ARRAYOID}, .indexed = true
};

/* Pairs whose payloads are in memory at a time. */
#define CHUNK 10000

/* What one of the two versions shows of an item in a stage. */
typedef struct Side
{
	int			item_no;
	int			body_no;
	Oid			status;
	int16		stage;
	bool		later;			/* of the version with the larger number */
} Side;

/* The same of both; an absent side has body_no 0. */
typedef struct Pair
{
	int			item_no;
	int			stage;
	int			body_no[2];		/* of version a, of version b */
	Oid			status[2];
} Pair;

typedef struct Diff
{
	const VouchVersion *version;	/* either */
	int			bucket;
	int			artifact_no;
	int			from_no;		/* the smaller number */
	int			to_no;
	bool		newest_first;	/* a is the version with the larger number */
	Oid			pending;
	Side	   *sides;
	int			n;
	int			allocated;
	ReturnSetInfo *rsinfo;
} Diff;

static void
take_side(TupleTableSlot *slot, void *arg)
{
	Diff	   *diff = arg;
	Side	   *side;

	if (diff->n == diff->allocated)
	{
		diff->allocated *= 2;
		diff->sides = repalloc_huge(diff->sides, sizeof(Side) * diff->allocated);
	}
	slot_getallattrs(slot);
	side = &diff->sides[diff->n++];
	side->item_no = DatumGetInt32(slot->tts_values[0]);
	side->stage = DatumGetInt16(slot->tts_values[1]);
	side->later = DatumGetBool(slot->tts_values[2]);
	side->body_no = DatumGetInt32(slot->tts_values[3]);
	side->status = DatumGetObjectId(slot->tts_values[4]);
	diff->pending = DatumGetObjectId(slot->tts_values[5]);
}

static int
compare_sides(const void *a, const void *b)
{
	const Side *x = a,
			   *y = b;

	if (x->item_no != y->item_no)
		return x->item_no < y->item_no ? -1 : 1;
	return x->stage - y->stage;
}

/* Joins the sides, and leaves out pairs that can be seen to be equal; returns how many remain. */
static int
make_pairs(Diff *diff, Pair *pairs)
{
	int			n = 0;

	qsort(diff->sides, diff->n, sizeof(Side), compare_sides);
	for (int i = 0; i < diff->n;)
	{
		Pair	   *pair = &pairs[n];
		int			first = i;

		memset(pair, 0, sizeof(Pair));
		pair->item_no = diff->sides[i].item_no;
		pair->stage = diff->sides[i].stage;
		for (; i < diff->n && compare_sides(&diff->sides[first], &diff->sides[i]) == 0; i++)
		{
			int			which = diff->sides[i].later != diff->newest_first;

			pair->body_no[which] = diff->sides[i].body_no;
			pair->status[which] = diff->sides[i].status;
		}
		/* a later stage that has not decided says pending */
		for (int which = 0; which < 2; which++)
			if (pair->stage > 1 && pair->body_no[which] == 0)
				pair->status[which] = diff->pending;
		if (pair->status[0] != pair->status[1] ||
			(pair->stage == 1 && pair->body_no[0] != pair->body_no[1]))
			n++;
	}
	return n;
}

/* Verdicts of later stages only count on items that both versions show; returns how many pairs remain. */
static int
drop_one_sided(const Diff *diff, Pair *pairs, int n)
{
	Datum	   *wanted = palloc_extended(sizeof(Datum) * Max(n, 1), MCXT_ALLOC_HUGE);
	Datum		args[5] = {Int32GetDatum(diff->bucket), Int32GetDatum(diff->artifact_no),
	Int32GetDatum(diff->from_no), Int32GetDatum(diff->to_no)};
	int		   *both;
	int			nwanted = 0,
				nboth,
				kept = 0;

	for (int i = 0; i < n; i++)
		if (pairs[i].stage > 1)
			wanted[nwanted++] = Int32GetDatum(pairs[i].item_no);
	if (nwanted == 0)
		return n;
	args[4] = vouch_array(wanted, nwanted, INT4OID);
	nboth = (int) vouch_stmt_run_stable(&find_in_both, args, NULL);
	both = palloc_extended(sizeof(int) * Max(nboth, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < nboth; i++)
		both[i] = vouch_stmt_get_int32(i, 1, 0);
	SPI_freetuptable(SPI_tuptable);
	nboth = vouch_lookup_sort(both, nboth);
	for (int i = 0; i < n; i++)
		if (pairs[i].stage == 1 || vouch_lookup_index(both, nboth, pairs[i].item_no) >= 0)
			pairs[kept++] = pairs[i];
	return kept;
}

/* Hashes are salted and cannot tell.  1 and 1.0 differ: what is shown is the text. */
static bool
same_payload(Jsonb *a, Jsonb *b)
{
	char	   *text[2];
	bool		same;

	if (VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0)
		return true;
	if (compareJsonbContainers(&a->root, &b->root) != 0)
		return false;
	text[0] = vouch_json_to_text(a);
	text[1] = vouch_json_to_text(b);
	same = strcmp(text[0], text[1]) == 0;
	pfree(text[0]);
	pfree(text[1]);
	return same;
}

/* Looks some pairs up and returns those that differ. */
static void
return_pairs(Diff *diff, const Pair *pairs, int n)
{
	int		   *items = palloc(sizeof(int) * n);
	int		   *bodies = palloc(sizeof(int) * 2 * n);
	Datum	   *either = palloc(sizeof(Datum) * n);
	Datum	  (*shown)[2] = palloc(sizeof(Datum) * 2 * n);
	int			nbodies = 0;
	Datum	   *keys,
			   *payloads;
	Datum		changes[] = {CStringGetTextDatum("added"), CStringGetTextDatum("removed"),
		CStringGetTextDatum("payload_changed"), CStringGetTextDatum("verdict_changed")};

	for (int i = 0; i < n; i++)
	{
		items[i] = pairs[i].item_no;
		for (int which = 0; which < 2; which++)
			if (pairs[i].body_no[which] != 0)
				bodies[nbodies++] = pairs[i].body_no[which];
	}
	nbodies = vouch_lookup_sort(bodies, nbodies);
	vouch_lookup_bodies(diff->bucket, diff->artifact_no, bodies, nbodies, false, &payloads, NULL);
	for (int i = 0; i < n; i++)
	{
		for (int which = 0; which < 2; which++)
			shown[i][which] = pairs[i].body_no[which] == 0 ? (Datum) 0 :
				payloads[vouch_lookup_index(bodies, nbodies, pairs[i].body_no[which])];
		either[i] = shown[i][0] != (Datum) 0 ? shown[i][0] : shown[i][1];
	}
	keys = vouch_lookup_keys_with(diff->version, items, either, n, false);

	for (int i = 0; i < n; i++)
	{
		const Pair *pair = &pairs[i];
		Datum		values[7];
		bool		nulls[7] = {false};
		bool		same;

		values[0] = keys[i];
		for (int which = 0; which < 2; which++)
		{
			values[2 + which] = shown[i][which];
			nulls[2 + which] = values[2 + which] == (Datum) 0;
			values[4 + which] = ObjectIdGetDatum(pair->status[which]);
			nulls[4 + which] = !OidIsValid(pair->status[which]);
		}
		same = nulls[2] || nulls[3] || same_payload(DatumGetJsonbP(values[2]), DatumGetJsonbP(values[3]));
		if (values[0] == (Datum) 0 || (same && pair->status[0] == pair->status[1]))
			continue;
		if (pair->stage > 1)
			values[1] = changes[3];
		else if (pair->body_no[0] == 0 || pair->body_no[1] == 0)
			values[1] = changes[pair->body_no[0] == 0 ? 0 : 1];
		else
			values[1] = changes[same ? 3 : 2];
		values[6] = Int32GetDatum(pair->stage);
		tuplestore_putvalues(diff->rsinfo->setResult, diff->rsinfo->setDesc, values, nulls);
	}
}

/* vouch.diff_versions(a, b) */
Datum
vouch_sql_diff_versions(PG_FUNCTION_ARGS)
{
	VouchVersion *a,
			   *b;
	Diff		diff = {0};
	Pair	   *pairs;
	int			n;
	Datum		args[4];
	MemoryContext scratch,
				old;
	VouchOwnerSection section;

	SPI_connect();
	vouch_owner_begin(&section);
	a = vouch_version_show(PG_GETARG_UUID_P(0));
	b = vouch_version_show(PG_GETARG_UUID_P(1));
	if (a->bucket != b->bucket || a->artifact_no != b->artifact_no)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("the versions belong to different things"),
				 errdetail("One is of %s \"%s\"%s%s, the other of %s \"%s\"%s%s.",
						   a->phase_label, a->subject, a->scope[0] ? ", scope " : "", a->scope,
						   b->phase_label, b->subject, b->scope[0] ? ", scope " : "", b->scope),
				 errhint("Compare two versions of the same phase, subject and scope.")));
	InitMaterializedSRF(fcinfo, 0);
	diff.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	diff.version = a;
	diff.bucket = a->bucket;
	diff.artifact_no = a->artifact_no;
	diff.from_no = Min(a->version_no, b->version_no);
	diff.to_no = Max(a->version_no, b->version_no);
	diff.newest_first = a->version_no > b->version_no;
	diff.allocated = 1024;
	diff.sides = palloc(sizeof(Side) * diff.allocated);
	args[0] = Int32GetDatum(diff.bucket);
	args[1] = Int32GetDatum(diff.artifact_no);
	args[2] = Int32GetDatum(diff.from_no);
	args[3] = Int32GetDatum(diff.to_no);
	vouch_stmt_scan(&read_touched, args, NULL, false, take_side, &diff);

	pairs = palloc_extended(sizeof(Pair) * Max(diff.n, 1), MCXT_ALLOC_HUGE);
	n = drop_one_sided(&diff, pairs, make_pairs(&diff, pairs));
	scratch = AllocSetContextCreate(CurrentMemoryContext, "vouch diff", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(scratch);
	for (int at = 0; at < n; at += CHUNK)
	{
		CHECK_FOR_INTERRUPTS();
		return_pairs(&diff, pairs + at, Min(CHUNK, n - at));
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	vouch_owner_end(&section);
	SPI_finish();
	return (Datum) 0;
}
