/*
 * engine.h
 *	  What the workers and the other folders may ask of the engine.
 */
#ifndef VOUCH_ENGINE_ENGINE_H
#define VOUCH_ENGINE_ENGINE_H

#include "nodes/pg_list.h"
#include "utils/elog.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* Something that has work: an execution, and the role whose executor runs it. */
typedef struct VouchWork
{
	int32		bucket;
	pg_uuid_t	execution_id;
	Oid			run_as;
} VouchWork;

/*
 * The slow, sure way to find work: ready branches, timers that are due,
 * nudges.  run_as InvalidOid: for all roles.  Returns how many were put into
 * out[max].  *next_due gets the time of the next timer, or DT_NOEND.
 * Runs in the caller's transaction; does its own SPI_connect().
 */
extern int	vouch_engine_find_work(Oid run_as, VouchWork *out, int max, TimestampTz *next_due);

typedef enum VouchAdvanceMode
{
	VOUCH_ADVANCE_INLINE,		/* a person's transaction: stop before sql: activities */
	VOUCH_ADVANCE_OPTIMISTIC,	/* a worker: an activity's error aborts the transaction */
	VOUCH_ADVANCE_CAREFUL		/* a subtransaction per activity: an error goes to Retry and Catch */
} VouchAdvanceMode;

typedef enum VouchAdvanceOutcome
{
	VOUCH_ADVANCED,				/* went on until it waits or closed */
	VOUCH_ADVANCE_BUSY,			/* somebody else has the row: try again soon */
	VOUCH_ADVANCE_IDLE,			/* nothing to do: paused, or parked */
	VOUCH_ADVANCE_CLOSED		/* nothing to do, ever: closed before, or gone */
} VouchAdvanceOutcome;

/*
 * Claims an execution (its row, SKIP LOCKED) and runs its branches until each
 * waits.  steps is raised by the number of states left.  In the caller's
 * transaction; own SPI_connect().  After an error in VOUCH_ADVANCE_OPTIMISTIC
 * the worker aborts and comes back with VOUCH_ADVANCE_CAREFUL.
 */
extern VouchAdvanceOutcome vouch_engine_advance(int bucket, const pg_uuid_t *execution_id,
												VouchAdvanceMode mode, int64 *steps);

/*
 * A worker is about to run an execution again that an earlier attempt did not
 * survive (the server crashed in it): fails the activity that was running,
 * by States.Runtime-like error "Vouch.Crashed", so that a poison step ends.
 */
extern void vouch_engine_fail_crashed(int bucket, const pg_uuid_t *execution_id,
									  const char *cause);

/*
 * The same with an error of its own name: for what an activity left behind
 * for the commit (a deferred trigger), and that failed there.
 */
extern void vouch_engine_fail_next(int bucket, const pg_uuid_t *execution_id,
								   const char *error, const char *cause);

/*
 * Set by a worker.  may_run is asked before an activity in
 * VOUCH_ADVANCE_OPTIMISTIC: false leaves it to another advance, since what the
 * transaction has done for others should not wait for it.  is_long is asked
 * in VOUCH_ADVANCE_CAREFUL: true runs the activity after all others, and in an
 * advance in which nothing else has happened.  ran is told how
 * long an activity took that succeeded.  NULL: nobody cares.
 */
extern bool (*vouch_engine_may_run_hook) (const char *resource);
extern bool (*vouch_engine_is_long_hook) (const char *resource);
extern void (*vouch_engine_ran_hook) (const char *resource, double ms);

/*
 * Set by a worker.  Asked before each sql: activity of an advance but the
 * first: did the earlier ones leave nothing in the session that another one
 * could stumble over?  false leaves it to the next advance, since that can be
 * undone between transactions only.  NULL: nobody cares.
 */
extern bool (*vouch_engine_clean_hook) (void);

/*
 * How many sql: activities an advance runs before it leaves the rest to the
 * next one; 0: no limit.  A worker that looks for the step that crashed the
 * server sets 1 and commits after each advance, so that the one it names is
 * the one that vouch_engine_fail_crashed() fails.
 */
extern int	vouch_engine_activity_limit;

#endif							/* VOUCH_ENGINE_ENGINE_H */
