/*
 * attempt.h
 *	  Work whose errors are not to end the transaction.
 */
#ifndef VOUCH_CORE_ATTEMPT_H
#define VOUCH_CORE_ATTEMPT_H

#include "utils/elog.h"

/*
 * Runs step in a subtransaction, in the current memory context and resource
 * owner, which are current again afterwards.  What it did stays when it
 * returns true, and is undone when it returns false or raises an error.
 * Returns that error, palloc'd, or NULL.  The caller decides what it means: it
 * lets pass by ReThrowError() what is not its business.
 */
typedef bool (*VouchAttempt) (void *arg);
extern ErrorData *vouch_attempt(VouchAttempt step, void *arg);

/*
 * Does an error say something of the server or the session (memory, disk,
 * locks, a conflict, a cancel), and nothing of what is kept?
 */
extern bool vouch_error_is_passing(const ErrorData *error);

#endif							/* VOUCH_CORE_ATTEMPT_H */
