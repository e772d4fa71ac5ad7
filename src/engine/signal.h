/*
 * signal.h
 *	  Messages to executions.
 */
#ifndef VOUCH_ENGINE_SIGNAL_H
#define VOUCH_ENGINE_SIGNAL_H

#include "utils/uuid.h"

/* Raises VO403 or VO405 for a workflow_id without an open execution.  Needs SPI_connect(). */
extern void vouch_signal_no_open(int bucket, const char *workflow_id);

/*
 * Something happened that an open execution may wait for: advances it here and
 * now, inline, or leaves a nudge when that cannot be.  Needs SPI_connect().
 */
extern void vouch_signal_try_or_nudge(int bucket, const pg_uuid_t *id, const char *run_as);

/* For vouch_version_changed_hook. */
extern void vouch_signal_version_changed(int bucket, const pg_uuid_t *version_id, const char *state);

#endif							/* VOUCH_ENGINE_SIGNAL_H */
