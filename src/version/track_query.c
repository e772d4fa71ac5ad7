/*
 * track_query.c
 *	  Which statements on tracked tables are under way.
 *
 * A statement is recorded when it ends.  Another on the same table that one of
 * its triggers or functions ran was recorded before, though some of its rows may
 * be newer: then what the first one says of its rows may be old.  And the parts of a
 * statement (INSERT and UPDATE of an upsert, all three of MERGE, data-modifying
 * WITH; what its foreign keys cascade to) come one by one, in an order that is not that
 * of what they did to a key: where two have done something to one, the table is looked at.
 *
 * What tells one statement from another is the executor's memory, in which the
 * triggers' FmgrInfo is.  Cascades of foreign keys run their triggers before in an
 * executor of their own, and those after in that of the statement that caused them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "version/track.h"

struct VouchTrackedQuery
{
	MemoryContext context;		/* NULL: it is gone, and its triggers after are still to come */
	Oid			relation;
	int			begun;			/* events whose triggers before ran, as bits */
	int			ended;
	bool		disturbed;
	VouchKeySet *touched;		/* keys, in context; NULL: none yet */
	struct VouchTrackedQuery *next;
};

static MemoryContext own_context = NULL;
static VouchTrackedQuery *queries = NULL;

#define BIT(event) (1 << (event))
#define ALL_EVENTS 0xff

static VouchTrackedQuery *
find_query(MemoryContext context, Oid relation)
{
	VouchTrackedQuery *query = queries;

	while (query != NULL && (query->context != context || query->relation != relation))
		query = query->next;
	return query;
}

static void
unlink_query(VouchTrackedQuery *query)
{
	VouchTrackedQuery **link = &queries;

	while (*link != query)
		link = &(*link)->next;
	*link = query->next;
	pfree(query);
}

/* The executor is gone.  Allocates nothing, for it may be in an abort. */
static void
forget_context(void *arg)
{
	MemoryContext context = arg;
	VouchTrackedQuery *next;

	for (VouchTrackedQuery *query = queries; query != NULL; query = next)
	{
		VouchTrackedQuery *waiting;

		next = query->next;
		if (query->context != context)
			continue;
		if (query->ended == 0)
		{
			waiting = find_query(NULL, query->relation);
			if (waiting == NULL)
			{
				query->context = NULL;
				query->touched = NULL;
				continue;
			}
			waiting->disturbed |= query->disturbed;
		}
		unlink_query(query);
	}
}

/* Those still waiting never end. */
static void
forget_waiting(XactEvent event, void *arg)
{
	VouchTrackedQuery *next;

	if (event != XACT_EVENT_ABORT && event != XACT_EVENT_COMMIT && event != XACT_EVENT_PREPARE)
		return;
	for (VouchTrackedQuery *query = queries; query != NULL; query = next)
	{
		next = query->next;
		if (query->context == NULL)
			unlink_query(query);
	}
}

static VouchTrackedQuery *
add_query(MemoryContext context, Oid relation)
{
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));
	VouchTrackedQuery *query;

	if (own_context == NULL)
	{
		own_context = AllocSetContextCreate(TopMemoryContext, "vouch tracked queries", ALLOCSET_SMALL_SIZES);
		RegisterXactCallback(forget_waiting, NULL);
	}
	query = MemoryContextAllocZero(own_context, sizeof(VouchTrackedQuery));
	query->context = context;
	query->relation = relation;
	query->next = queries;
	queries = query;
	callback->func = forget_context;
	callback->arg = context;
	MemoryContextRegisterResetCallback(context, callback);
	return query;
}

void
vouch_tracked_query_begin(MemoryContext context, Oid relation, int event)
{
	VouchTrackedQuery *query = find_query(context, relation);

	if (query == NULL)
		query = add_query(context, relation);
	else if ((query->begun & BIT(event)) != 0)
	{
		/* a second one in the same memory, as COPY may have it */
		query->begun = query->ended = 0;
		query->disturbed = false;
		query->touched = NULL;
	}
	query->begun |= BIT(event);
}

VouchTrackedQuery *
vouch_tracked_query_end(MemoryContext context, Oid relation, int event)
{
	VouchTrackedQuery *query = find_query(context, relation);

	if (query == NULL)
	{
		VouchTrackedQuery *waiting = find_query(NULL, relation);

		query = add_query(context, relation);
		query->begun = ALL_EVENTS;
		if (waiting != NULL)
		{
			query->disturbed = waiting->disturbed;
			unlink_query(waiting);
		}
	}
	query->ended |= BIT(event);
	return query;
}

bool
vouch_tracked_query_disturbed(const VouchTrackedQuery *query)
{
	return query->disturbed;
}

void
vouch_tracked_query_disturb(VouchTrackedQuery *query)
{
	query->disturbed = true;
}

static void
touch(VouchTrackedQuery *query, Datum key)
{
	text	   *t = DatumGetTextPP(key);
	char	   *copy = pnstrdup(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));

	(void) vouch_keyset_add(query->touched, copy, VARSIZE_ANY_EXHDR(t), 0);
}

void
vouch_tracked_query_recorded(VouchTrackedQuery *query, Oid relation, bool more, const VouchItems *items,
							 const Datum *gone, int ngone)
{
	MemoryContext old;

	for (VouchTrackedQuery *other = queries; other != NULL; other = other->next)
		if (other != query && other->relation == relation)
			other->disturbed = true;
	/* what no other part can ask for is not kept; one that is disturbed does not ask */
	more |= (query->begun & ~query->ended) != 0 || find_query(NULL, relation) != NULL;
	if (items == NULL || query->disturbed || !more)
		return;
	old = MemoryContextSwitchTo(query->context);
	if (query->touched == NULL)
		query->touched = vouch_keyset_create(items->n + ngone);
	for (int i = 0; i < items->n; i++)
		touch(query, items->keys[i]);
	for (int i = 0; i < ngone; i++)
		touch(query, gone[i]);
	MemoryContextSwitchTo(old);
}

bool
vouch_tracked_query_touched(const VouchTrackedQuery *query, const text *key)
{
	return query->touched != NULL && vouch_keyset_find(query->touched, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)) >= 0;
}
