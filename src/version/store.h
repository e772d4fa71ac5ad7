/*
 * store.h
 *	  Writing the newest version of an artifact: rows in, rows closed, and the
 *	  counts that go with them.  All of it needs SPI_connect() and the
 *	  artifact's lock.
 */
#ifndef VOUCH_VERSION_STORE_H
#define VOUCH_VERSION_STORE_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "version/items.h"
#include "version/version.h"

/*
 * Texts of the statements that end rows.  The place of the rows that stand of
 * an item: an UPDATE cannot have its own table in a LATERAL, so it takes them
 * by their place, and nobody else moves them, for we hold the artifact's lock.
 * since: a condition on from_no, such as "< $3".
 */
#define VOUCH_STANDING(item_no, since) \
	" LATERAL (SELECT x.ctid AS tid FROM vouch_data.decision x" \
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = " item_no \
	"   AND x.to_no = 2147483647 AND x.from_no + 0 " since " OFFSET 0) AS r"
/* What the UPDATE of d, in a WITH as closed, ended, counted for vouch_store_count_ended(). */
#define VOUCH_COUNT_ENDED \
	" RETURNING d.stage, d.status, d.source, d.recommended_by, d.item_no, d.from_no, d.body_no)" \
	" SELECT c.stage, c.status::text, c.source, c.recommended_by, count(*)," \
	"  array_agg(c.item_no), array_agg(c.from_no), array_agg(c.body_no)" \
	" FROM closed c GROUP BY 1, c.status, 3, 4"
/*
 * Of a row d that is not approved: it may stand in a version before number (a
 * parameter).  The index decision_undone also has what ended, but nothing undone outlasts a
 * version that began with approved items only, or with none: so what
 * stands was brought by the last of these, or since.
 */
#define VOUCH_UNDONE_SINCE(d, number) \
	" " d ".from_no < " number " AND " d ".from_no >= (SELECT max(f.version_no) FROM vouch_data.version f" \
	"  WHERE f.bucket = $1 AND f.artifact_no = $2 AND f.version_no < " number \
	"   AND (f.carry IS NULL OR f.carry IN ('approved', 'none')))" \
	" AND " d ".status <> 'approved' AND " d ".to_no = 2147483647"

/* What is done to version version_no in one operation. */
typedef struct VouchChange
{
	int			bucket;
	int			artifact_no;
	int			version_no;
	int			round;
	TimestampTz at;
	List	   *counts;			/* of Count, private to store.c */
	VouchKeySet *seen;			/* where in counts a combination is, from the first few on */
	List	   *makers;			/* of Maker */
	List	   *ended;			/* of Ended */
	struct VouchReplaced *replaced; /* private to replaced.c: rows of the version itself that are no more as they were */
	int64		nreplaced;
	bool		fewer;			/* somebody has fewer items: set by vouch_change_finish() */
} VouchChange;

extern void vouch_change_begin(VouchChange *change, const VouchVersion *version);

/* Notes that n more (or less) items have this. */
extern void vouch_change_count(VouchChange *change, int stage, const char *status,
							   const char *source, bool carried, int64 n);
extern void vouch_change_maker(VouchChange *change, const char *actor, int64 n);

/* Notes that a row of decision ends at the version: whoever sets to_no says so here. */
extern void vouch_change_ended(VouchChange *change, int stage, const char *status, int item_no, int from_no, int body_no);

/* Writes the counts, and what ended. */
extern void vouch_change_finish(VouchChange *change);

/* An item as it stands in the newest version; item_no 0: never seen, from_no 0: not in it. */
typedef struct VouchFound
{
	int			item_no;
	int			from_no;
	int			origin_no;		/* 0: from_no */
	int			body_no;
	const char *status;
	const char *source;
	const char *recommended_by;
	TimestampTz recommended_at;
	ItemPointerData place;		/* of the row, as long as it is not written */
} VouchFound;

/* A text as a string, the same one for the same text.  strings: NIL at first. */
extern const char *vouch_store_intern(List **strings, Datum value);

/* Finds items by key, in the order of the keys; stage says whose verdict. */
extern VouchFound *vouch_store_find(const VouchVersion *version, int stage, Datum *keys, int n);

/*
 * Gives new items numbers and stores them with their payloads, and lets the version show
 * all of them, pending.  found: as vouch_store_find() has it, or NULL when the
 * artifact has no items at all.  No row of theirs may be open.
 */
extern void vouch_store_insert(VouchChange *change, VouchItems *items, VouchFound *found);

/*
 * Gives rows new payloads in place.  All of found are rows of stage 1 that the version
 * made itself and nobody decided, so no other row has their payloads.
 */
extern void vouch_store_replace(VouchChange *change, VouchItems *items, VouchFound *found);

/* Those of the items whose mark is as wanted, and where they were found; shares the values. */
extern VouchItems vouch_store_some(const VouchItems *items, const VouchFound *found, const bool *marks, bool wanted,
								   VouchFound **some);

/*
 * Takes out those of the items found, by their keys, that the version has, in all stages: rows of earlier versions end here, its own go.
 * Payloads that only these had go with them, unless they were submitted: then they note their item.
 */
extern void vouch_store_take_out(VouchChange *change, const Datum *keys, const VouchFound *found, int n);

/*
 * Notes the leaves of rows that are about to be replaced or taken out: of those that the version itself put there.
 * False when they are too many: then only whose they were is noted, and these operations are not held against the rows.
 */
extern bool vouch_replaced_note(VouchChange *change, const Datum *keys, const VouchFound *found, int n);

/* Notes that the operation of this change, by whom, is not held against the rows. */
extern void vouch_replaced_note_put(VouchChange *change, const char *by);

/*
 * Adds to what the log says of a change what was noted.  What was said once is not said again.  detail
 * is an object or NULL.
 */
extern Jsonb *vouch_replaced_tell(VouchChange *change, Jsonb *detail);

/*
 * Takes rows that the version no longer shows off its counts: rows of SPI's with stage,
 * status, source, maker and number, and, of the version's own, which went, whether they count as carried, of
 * earlier ones, which ended, the items (see VOUCH_COUNT_ENDED).  Returns how many items.
 */
extern int64 vouch_store_count_gone(VouchChange *change, uint64 rows);
extern int64 vouch_store_count_ended(VouchChange *change, uint64 rows);

/* Of such a row of SPI's, notes the items as ended. */
extern void vouch_store_note_ended(VouchChange *change, uint64 row);

/* Did a later stage than the first ever decide in the artifact? */
extern bool vouch_store_later_stage(const VouchChange *change);

/* Ends, at the version, rows of earlier ones, in all stages; return how many items. */
extern int64 vouch_store_close_all(VouchChange *change);
extern int64 vouch_store_close_undone(VouchChange *change, bool keep_pending);

/* Makes a version row in state draft and returns it. */
typedef struct VouchNewVersion
{
	int			parent_no;		/* 0: none */
	const char *carry;			/* or NULL */
	const char *reason;			/* or NULL */
	Jsonb	   *metadata;		/* or NULL */
	const char *actor;
	TimestampTz at;				/* when; the operation says the same */
} VouchNewVersion;

extern VouchVersion *vouch_store_version(int bucket, int artifact_no, const VouchNewVersion *what);

/* Finds or makes an artifact, and returns its number. */
extern int	vouch_store_artifact(int bucket, const char *subject, const char *phase,
								 const char *scope, const int64 *cycle_id, const int64 *report_id);

/* Raises VO107 when the artifact has an open version; what: "create a version". */
extern void vouch_store_check_none_open(int bucket, int artifact_no, const char *what);

#endif							/* VOUCH_VERSION_STORE_H */
