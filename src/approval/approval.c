/*
 * approval.c
 *	  Start of the folder.
 */
#include "postgres.h"

#include "approval/deadline.h"
#include "approval/request.h"
#include "approval/verify.h"
#include "core/event.h"
#include "core/module.h"

void
vouch_approval_init(void)
{
	vouch_fsm_register(&vouch_request_machine);
	vouch_check_approvals_hook = vouch_approval_check;
	vouch_deadlines_hook = vouch_deadlines_process;
	vouch_maker_hook = vouch_holds_maker_role;
}
