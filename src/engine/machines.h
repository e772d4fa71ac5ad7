/*
 * machines.h
 *	  The state machines of executions (rules E…) and branches (rules B…).
 */
#ifndef VOUCH_ENGINE_MACHINES_H
#define VOUCH_ENGINE_MACHINES_H

#include "core/fsm.h"

extern const VouchMachine vouch_execution_machine;
extern const VouchMachine vouch_branch_machine;

/*
 * The status that an event brings an execution to; raises VO405 naming the
 * status, the event and what the status allows.
 */
extern const char *vouch_execution_next(const char *status, const char *event,
										const char *workflow_id);

#endif							/* VOUCH_ENGINE_MACHINES_H */
