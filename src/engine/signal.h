/*
 * signal.h
 *	  Messages to executions.
 */
#ifndef VOUCH_ENGINE_SIGNAL_H
#define VOUCH_ENGINE_SIGNAL_H

#include "utils/jsonb.h"
#include "utils/uuid.h"

typedef struct VouchMessage
{
	const char *workflow_id;
	const char *name;
	Jsonb	   *payload;
	const char *dedup_key;		/* or NULL */
	const char *sender;
	const char *workflow;		/* to be started when none is open, or NULL */
	Jsonb	   *input;			/* for that */
	Jsonb	   *attributes;		/* likewise, or NULL */
} VouchMessage;

/*
 * Sends a signal.  False, and nothing is sent, when there is no open execution.
 * One that somebody else has just now may still be closed by them: then the
 * caller's transaction fails at commit, or another execution is started there.
 * Needs SPI_connect().
 */
extern bool vouch_signal_send(const VouchMessage *message);

/* The same, but starts message->workflow when none is open; true when it did. */
extern bool vouch_signal_send_or_start(const VouchMessage *message);

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
