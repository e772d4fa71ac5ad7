/*
 * want.h
 *	  An execution is wanted by a person who waits for its row, which an
 *	  executor has.
 *
 * The executor ends its transaction at the next step, and no executor takes the
 * execution again before the person had it.  A step that is to be broken off
 * is interrupted in the middle, which rolls it back.
 *
 * All of it is in shared memory: without it (the library is not preloaded, so
 * there are no executors), and when there is no room for one more, one waits
 * without being heard.
 */
#ifndef VOUCH_CORE_WANT_H
#define VOUCH_CORE_WANT_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

/*
 * From now until vouch_want_end() this backend wants an execution; interrupt:
 * a step that runs for some time is to be broken off.  One at a time; the end is
 * in PG_ENSURE_ERROR_CLEANUP().
 */
extern void vouch_want_begin(const pg_uuid_t *execution_id, bool interrupt);
extern void vouch_want_end(void);

/* Does another backend want it?  Costs next to nothing while nobody wants any. */
extern bool vouch_want_is(const pg_uuid_t *execution_id);

/*
 * May this process go on with an execution that it is in?  Not when another one
 * wants it, or has told it to end its transaction.
 */
extern bool vouch_want_may_go_on(const pg_uuid_t *execution_id);

/*
 * Tells the executor that runs an execution just now, if one does, to end its
 * transaction at the next step; interrupt: to break this one off.  Needs no
 * transaction; allowed in a commit callback.
 */
extern void vouch_want_tell(Oid database, const pg_uuid_t *execution_id, bool interrupt);

/* Does an executor run it just now?  For people to look at: the next moment it may not. */
extern bool vouch_want_is_run(const pg_uuid_t *execution_id);

/*
 * What a dispatcher does for those who want: interrupts for them, and returns
 * when to be called again, or DT_NOEND.
 */
extern TimestampTz vouch_want_tend(Oid database, TimestampTz now);

#endif							/* VOUCH_CORE_WANT_H */
