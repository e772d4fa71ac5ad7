/*
 * engine.c
 *	  Start of the folder.
 */
#include "postgres.h"

#include "core/event.h"
#include "core/module.h"
#include "engine/machines.h"
#include "engine/signal.h"

void
vouch_engine_init(void)
{
	vouch_fsm_register(&vouch_execution_machine);
	vouch_fsm_register(&vouch_branch_machine);
	vouch_version_changed_hook = vouch_signal_version_changed;
}
