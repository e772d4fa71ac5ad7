/*
 * event.h
 *	  Where a lower folder tells a higher one that something happened, without
 *	  knowing who listens.
 */
#ifndef VOUCH_CORE_EVENT_H
#define VOUCH_CORE_EVENT_H

#include "utils/uuid.h"

/*
 * A version changed its state.  Called in the same transaction, with the
 * artifact locked and the change written; set by the engine, which must not
 * wait for an execution's lock in it.
 */
typedef void (*VouchVersionChangedHook) (int bucket, const pg_uuid_t *version_id,
										 const char *state);

extern VouchVersionChangedHook vouch_version_changed_hook;

#endif							/* VOUCH_CORE_EVENT_H */
