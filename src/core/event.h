/*
 * event.h
 *	  Where a lower folder tells a higher one that something happened, without
 *	  knowing who listens.
 */
#ifndef VOUCH_CORE_EVENT_H
#define VOUCH_CORE_EVENT_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

/*
 * A version changed its state.  Called in the same transaction, with the
 * artifact locked and the change written; set by the engine, which must not
 * wait for an execution's lock in it.
 */
typedef void (*VouchVersionChangedHook) (int bucket, const pg_uuid_t *version_id,
										 const char *state);

extern VouchVersionChangedHook vouch_version_changed_hook;

/*
 * Does what time asks of requests for approval: reminds, and ends those that
 * have run out; set by the approvals.  At most max of them, and no more than
 * are good for a transaction; returns how many.  *next_due gets the time of the
 * next one that is not due yet, now if more are due, or DT_NOEND.
 * In the caller's transaction; does its own SPI_connect().
 */
typedef int (*VouchDeadlinesHook) (int max, TimestampTz *next_due);

extern VouchDeadlinesHook vouch_deadlines_hook;

#endif							/* VOUCH_CORE_EVENT_H */
