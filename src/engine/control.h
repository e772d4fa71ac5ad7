/*
 * control.h
 *	  What the functions share that people steer executions with.
 */
#ifndef VOUCH_ENGINE_CONTROL_H
#define VOUCH_ENGINE_CONTROL_H

#include "utils/uuid.h"

/*
 * The open execution of a workflow_id.  Raises VO403 or VO405 when there is
 * none, and VO405 in an activity of its own.
 */
extern void vouch_control_find(const char *workflow_id, int *bucket, pg_uuid_t *id, char **run_as);

#endif							/* VOUCH_ENGINE_CONTROL_H */
