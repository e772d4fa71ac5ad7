/*
 * track.h
 *	  Tables that version themselves: how they are configured, and in what order
 *	  their statements end.
 */
#ifndef VOUCH_VERSION_TRACK_H
#define VOUCH_VERSION_TRACK_H

#include "utils/rel.h"
#include "version/items.h"

/* A tracked table, as it is configured. */
typedef struct VouchTracked
{
	Oid			relation;		/* of partitions the topmost */
	char	   *name;
	int			bucket;
	int			artifact_no;
	char	  **keys;
	int			nkeys;
	bool		unique;			/* an index keeps two rows from having one key */
	bool		refuse;			/* a change of what is closed */
	char	   *tracked_by;
	bool		holds;			/* the artifact's first version came from the table */
	const VouchPhase *phase;
} VouchTracked;

/*
 * The configuration of a table, or, for a partition, of what it is a part of;
 * NULL if there is none.  Kept for the session until the table's definition or
 * its configuration changes; valid to the end of the transaction.  Needs SPI_connect().
 */
extern VouchTracked *vouch_tracked_find(Oid relation, bool is_partition);

/* The tracked table that a caller names, or VO605. */
extern VouchTracked *vouch_tracked_require(Oid relation);

/* Notes that the artifact's first version comes from the table.  Needs SPI_connect() and the artifact's lock. */
extern void vouch_tracked_hold(VouchTracked *tracked);

/* Raises VO605 when two rows may have one key by now. */
extern void vouch_tracked_check_unique(const VouchTracked *tracked);

/*
 * Raises VO605 when the artifact is that of a tracked table that lacks one of the triggers, so that the version may not
 * be what the table is.  Needs SPI_connect().
 */
extern void vouch_tracked_check_triggers(int bucket, int artifact_no);

/* Raises unless the caller owns the table. */
extern void vouch_tracked_check_owner(Oid relation);

/*
 * Brings what differs between a table and its newest version into the draft, in the
 * name of who acts, and returns how many rows.  Only for its owner; VO605 when it is not tracked.
 */
extern int64 vouch_tracked_sync(Oid relation, const char *reason);

/* Forgets the configuration of tables that are no more.  Needs SPI_connect(). */
extern void vouch_tracked_sweep(void);

/*
 * A statement on a tracked table, from its triggers before to those after.
 * Triggers and functions may run others on the same table in between, whose
 * changes are recorded first, though they are newer.
 */
typedef struct VouchTrackedQuery VouchTrackedQuery;

/* Notes that a statement begins; context is the executor's, and goes with it. */
extern void vouch_tracked_query_begin(MemoryContext context, Oid relation, int event);

/* The statement whose trigger after event this is. */
extern VouchTrackedQuery *vouch_tracked_query_end(MemoryContext context, Oid relation, int event);

/* Did another statement record a change of the table while this one ran? */
extern bool vouch_tracked_query_disturbed(const VouchTrackedQuery *query);

/* From here on nothing that the statement says of its rows is taken for what they are. */
extern void vouch_tracked_query_disturb(VouchTrackedQuery *query);

/*
 * Notes that a change is recorded, with the keys of rows that it put (items may
 * be NULL) and took away.  more: cascades may make parts that did not begin yet.
 */
extern void vouch_tracked_query_recorded(VouchTrackedQuery *query, Oid relation, bool more, const VouchItems *items,
										 const Datum *gone, int ngone);

/* Did another part of the statement put the row, or take it away? */
extern bool vouch_tracked_query_touched(const VouchTrackedQuery *query, const text *key);

#endif							/* VOUCH_VERSION_TRACK_H */
