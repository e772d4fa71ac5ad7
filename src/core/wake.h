/*
 * wake.h
 *	  Tells the workers, after commit, that an execution has something to do.
 *	  Only a hint: the tables are the truth, and a slow sweep finds what a
 *	  lost hint would have told.
 */
#ifndef VOUCH_CORE_WAKE_H
#define VOUCH_CORE_WAKE_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

/* What a hint says. */
typedef struct VouchHint
{
	Oid			database;
	Oid			run_as;			/* role whose executor is to take it */
	int32		bucket;
	pg_uuid_t	execution_id;
	TimestampTz due_at;			/* 0: now */
} VouchHint;

/*
 * Notes a hint; it is handed over when the transaction commits, and forgotten
 * when it (or the subtransaction, at the price of a spurious wake) aborts.
 * Does nothing when the library is not preloaded.
 */
extern void vouch_wake(Oid run_as, int bucket, const pg_uuid_t *execution_id,
					   TimestampTz due_at);

/*
 * After commit, makes the executor that runs an execution look at it anew: what
 * is committed concerns its next step.  interrupt: or ends it, so that the
 * step that it runs is broken off.
 */
extern void vouch_wake_runner(const pg_uuid_t *execution_id, bool interrupt);

/*
 * Ends the session when its client has gone: for who waits long before it does something for the client. Where the
 * system cannot tell, nothing happens.
 */
extern void vouch_check_client(void);

/* After commit, makes the launcher look at this database (CREATE EXTENSION). */
extern void vouch_wake_launcher(void);

/* Is the library preloaded, so that workers can run? */
extern bool vouch_wake_available(void);

#endif							/* VOUCH_CORE_WAKE_H */
