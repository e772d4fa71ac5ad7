/*
 * start.h
 *	  Makes executions.
 */
#ifndef VOUCH_ENGINE_START_H
#define VOUCH_ENGINE_START_H

#include "asl/asl.h"
#include "engine/program.h"
#include "utils/uuid.h"

typedef struct VouchStart
{
	const VouchProgram *program;
	const char *workflow_id;
	Jsonb	   *input;
	Jsonb	   *attributes;		/* or NULL */
	const char *starter;
	const char *actor;			/* whom its main line acts for at first; NULL: starter */
	const pg_uuid_t *parent_id; /* or NULL */
	int			parent_branch;	/* -1: nobody waits */
	const char *close_policy;	/* or NULL */

	/* an iteration of a DISTRIBUTED Map: 0, 0 and NULL for all others */
	int			machine_no;
	int			place;
	const AslValue *item_value;
} VouchStart;

/*
 * Raises VO501 for a value that is larger than vouch.max_payload, or nested
 * deeper than the engine can read: whatever comes from outside is checked before
 * it is stored.  what names it, with name (or NULL) in quotes; the hint is for
 * what is too large.
 */
extern void vouch_payload_check(Jsonb *value, const char *what, const char *name, const char *hint);

/* Raises VO502 or VO501 for a workflow_id or an input (or NULL) that cannot be. */
extern void vouch_start_check(const char *workflow_id, Jsonb *input);

/* Raises VO502 or VO501 for attributes that cannot be. */
extern void vouch_start_check_attributes(Jsonb *attributes);

/* Raises VO002 unless the session's role may start the workflow: vouch.restrict_workflow(). */
extern void vouch_start_require_right(const char *workflow);

/*
 * Writes the rows of a new execution and wakes a worker after commit.  False
 * when an open one has the workflow_id.  Needs SPI_connect().
 */
extern bool vouch_start_execution(const VouchStart *start, pg_uuid_t *id);

#endif							/* VOUCH_ENGINE_START_H */
