/*
 * signal.h
 *	  Messages to executions.
 */
#ifndef VOUCH_ENGINE_SIGNAL_H
#define VOUCH_ENGINE_SIGNAL_H

#include "utils/uuid.h"

/* Raises VO403 or VO405 for a workflow_id without an open execution.  Needs SPI_connect(). */
extern void vouch_signal_no_open(int bucket, const char *workflow_id);

/* For vouch_version_changed_hook. */
extern void vouch_signal_version_changed(int bucket, const pg_uuid_t *version_id, const char *state);

#endif							/* VOUCH_ENGINE_SIGNAL_H */
