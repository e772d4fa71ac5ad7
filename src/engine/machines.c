/*
 * machines.c
 *	  What may follow what, for executions and their branches.
 */
#include "postgres.h"

#include "core/errors.h"
#include "engine/machines.h"

static const VouchTransition execution_transitions[] = {
	{"", "start", "running", "E010", "Somebody, or a parent, starts it"},
	{"running", "succeed", "succeeded", "E020", "Its main line ended with an output"},
	{"running", "fail", "failed", "E030", "An error that nothing caught ended its main line"},
	{"running", "time_out", "timed_out", "E040", "The TimeoutSeconds of its definition are over"},
	{"running", "cancel", "canceled", "E050", "Somebody canceled it, or its parent closed with that policy"},
	{"running", "terminate", "terminated", "E060", "Somebody terminated it, or its parent closed with that policy"},
	{"running", "pause", "running", "E070", "It is held until it is resumed"},
	{"running", "resume", "running", "E080", "It goes on from where it was paused"},
	{"failed", "redrive", "running", "E090", "Somebody takes it up again from the state that failed"},
	{"timed_out", "redrive", "running", "E091", "The same, with a new time limit"},
	{"canceled", "redrive", "running", "E092", "The same, from where it was canceled"},
	{"terminated", "redrive", "running", "E093", "The same, from where it was terminated"},
	{NULL, NULL, NULL, NULL, NULL}
};

const VouchMachine vouch_execution_machine = {"execution", execution_transitions};

static const VouchTransition branch_transitions[] = {
	{"", "begin", "ready", "B010", "A line of control begins: the main one, one of a Parallel, an iteration of a Map"},
	{"", "hold_back", "pending", "B020", "MaxConcurrency holds the iteration back"},
	{"pending", "begin", "ready", "B030", "Another iteration ended and made room"},
	{"ready", "wait", "waiting", "B040", "It waits for a timer, a signal, a review, a child, or its own branches"},
	{"waiting", "fire", "ready", "B050", "What it waited for is there"},
	{"waiting", "time_out", "ready", "B060", "It waited longer than it may"},
	{"ready", "end", "done", "B070", "Its machine ended; the output waits for the join"},
	{"ready", "fail", "done", "B080", "Its machine failed, which the Map tolerates"},
	{NULL, NULL, NULL, NULL, NULL}
};

const VouchMachine vouch_branch_machine = {"branch", branch_transitions};

const char *
vouch_execution_next(const char *status, const char *event, const char *workflow_id)
{
	const VouchTransition *t = vouch_fsm_find(&vouch_execution_machine, status, event);

	if (t == NULL)
	{
		char	   *events = vouch_fsm_events(&vouch_execution_machine, status);

		ereport(ERROR,
				(errcode(VOUCH_ERR_EXECUTION_STATE),
				 errmsg("cannot %s workflow \"%s\": it is %s", event, workflow_id, status),
				 events[0] == '\0' ?
				 errdetail("It is closed, and stays as it is.") :
				 errdetail("In this status it takes: %s.", events),
				 errhint("Look at vouch.describe_workflow('%s'), or start it again under the same workflow_id.",
						 workflow_id)));
	}
	return t->next;
}
