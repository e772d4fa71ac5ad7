/*
 * replaced.c
 *	  What a change of a draft replaces of what operations before it put there.
 *
 * An operation has the Merkle root over the items that it put into a version.
 * What a later one replaces or takes out of them it logs the leaves of, so that the root can be computed
 * again from these and from the rows that are as they were.
 */
#include "postgres.h"

#include "core/json.h"
#include "ledger/block.h"
#include "utils/builtins.h"
#include "version/lookup.h"
#include "version/store.h"

/* A row as an operation of this version put it there, which is no more as it was. */
typedef struct VouchReplaced
{
	const char *by;
	TimestampTz at;
	bool		logged;			/* or it is one of too many, and stands for all of this maker and time */
	VouchDigest leaf;
} VouchReplaced;

/*
 * Of so many rows at most the leaves are logged that one change replaces, 64
 * bytes each, and it is renewed who put them there and when: so that a table that is
 * rewritten costs what writing its rows does.
 */
#define LOGGED_LEAVES 1000

static int
compare_replaced(const void *a, const void *b)
{
	const VouchReplaced *x = a;
	const VouchReplaced *y = b;
	int			order = x->at < y->at ? -1 : x->at > y->at;

	return order != 0 ? order : strcmp(x->by, y->by);
}

static VouchReplaced *
add(VouchChange *change, const char *by, TimestampTz at)
{
	VouchReplaced *replaced = &change->replaced[change->nreplaced++];

	replaced->by = by;
	replaced->at = at;
	replaced->logged = false;
	return replaced;
}

static void
reserve(VouchChange *change, int n)
{
	change->replaced = change->replaced == NULL ?
		palloc_extended(sizeof(VouchReplaced) * n, MCXT_ALLOC_HUGE) :
		repalloc_huge(change->replaced, sizeof(VouchReplaced) * (change->nreplaced + n));
}

/* Notes of too many rows only whose they were, once in a row. */
static void
note_many(VouchChange *change, const VouchFound *found, int n)
{
	const VouchFound *last = NULL;

	reserve(change, n);
	for (int i = 0; i < n; i++)
	{
		const VouchFound *f = &found[i];

		if (f->from_no != change->version_no || f->origin_no != 0 ||
			(last != NULL && last->recommended_by == f->recommended_by && last->recommended_at == f->recommended_at))
			continue;
		(void) add(change, f->recommended_by, f->recommended_at);
		last = f;
	}
}

/* Notes the leaves of rows that are about to be replaced or taken out: of those that the version itself put there. */
bool
vouch_replaced_note(VouchChange *change, const Datum *keys, const VouchFound *found, int n)
{
	int		   *own = palloc_extended(sizeof(int) * n, MCXT_ALLOC_HUGE);
	int		   *bodies = palloc_extended(sizeof(int) * n, MCXT_ALLOC_HUGE);
	int			nown = 0,
				nbodies;
	Datum	   *hashes;
	const char *named = NULL;
	text	   *source = NULL;
	StringInfoData scratch;

	if (n > LOGGED_LEAVES)
	{
		note_many(change, found, n);
		return false;
	}
	for (int i = 0; i < n; i++)
		if (found[i].from_no == change->version_no && found[i].origin_no == 0)
		{
			own[nown] = i;
			bodies[nown++] = found[i].body_no;
		}
	if (nown == 0)
		return true;
	nbodies = vouch_lookup_sort(bodies, nown);
	vouch_lookup_bodies(change->bucket, change->artifact_no, bodies, nbodies, true, NULL, &hashes);
	reserve(change, nown);
	initStringInfo(&scratch);
	for (int i = 0; i < nown; i++)
	{
		const VouchFound *f = &found[own[i]];
		int			body = vouch_lookup_index(bodies, nbodies, f->body_no);
		VouchReplaced *replaced;

		/* without a payload: vouch.verify() says so */
		if (hashes[body] == (Datum) 0)
			continue;
		/* vouch_store_find() shares the strings */
		if (named != f->source)
		{
			named = f->source;
			source = cstring_to_text(named);
		}
		replaced = add(change, f->recommended_by, f->recommended_at);
		replaced->logged = true;
		vouch_items_leaf(&replaced->leaf, &scratch, DatumGetTextPP(keys[own[i]]), DatumGetByteaPP(hashes[body]), source,
						 f->recommended_by);
	}
	pfree(own);
	pfree(bodies);
	return true;
}

void
vouch_replaced_note_put(VouchChange *change, const char *by)
{
	reserve(change, 1);
	(void) add(change, by, change->at);
}

Jsonb *
vouch_replaced_tell(VouchChange *change, Jsonb *detail)
{
	VouchReplaced *all = change->replaced;
	int64		n = change->nreplaced;
	List	   *groups = NIL;
	Jsonb	  **elements;
	VouchJsonBuild build;
	ListCell   *cell;
	int			i = 0;

	if (n == 0)
		return detail;
	qsort(all, n, sizeof(VouchReplaced), compare_replaced);
	for (int64 first = 0, end; first < n; first = end)
	{
		StringInfoData leaves;
		bool		logged = n <= LOGGED_LEAVES;

		vouch_json_begin(&build);
		vouch_json_put_text(&build, "by", all[first].by);
		vouch_json_put_time(&build, "at", all[first].at);
		initStringInfo(&leaves);
		for (end = first; end < n && compare_replaced(&all[first], &all[end]) == 0; end++)
		{
			logged = logged && all[end].logged;
			if (logged)
				vouch_digest_put_hex(&leaves, all[end].leaf.bytes, VOUCH_DIGEST_LEN);
		}
		vouch_json_put_text(&build, "leaves", logged ? leaves.data : NULL);
		groups = lappend(groups, vouch_json_end(&build));
		pfree(leaves.data);
	}
	elements = palloc(sizeof(Jsonb *) * list_length(groups));
	foreach(cell, groups)
		elements[i++] = lfirst(cell);
	vouch_json_begin(&build);
	vouch_json_put(&build, "replaced", vouch_json_array(elements, i));
	change->replaced = NULL;
	change->nreplaced = 0;
	return detail == NULL ? vouch_json_end(&build) : vouch_json_merge(detail, vouch_json_end(&build));
}
