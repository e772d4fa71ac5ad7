/*
 * advance.h
 *	  One advance of one execution: what its parts share.
 */
#ifndef VOUCH_ENGINE_ADVANCE_H
#define VOUCH_ENGINE_ADVANCE_H

#include "engine/history.h"
#include "engine/rows.h"

typedef struct VouchAdvance
{
	VouchExecution execution;
	VouchAdvanceMode mode;
	const VouchProgram *program;
	MemoryContext context;
	TimestampTz started;
	TimestampTz loaded;

	VouchBranch **branches;		/* in order of their numbers; removed ones stay until the end */
	int			nbranches;
	int			maxbranches;
	int			live;			/* of them not ended, the main line not counted */

	VouchBranch **queue;		/* ready ones, first in, first out */
	int			queue_head;
	int			queue_tail;
	int			queue_size;

	int64		steps;			/* states left */
	int			activities;		/* sql: activities run */
	bool		changed;		/* something is to be written */
	bool		moved;			/* a branch has gone on, begun, or waits for something else */
	bool		counters_changed;
	bool		closed;
	bool		yielded;		/* work is left, for another advance */
	bool		nudged;			/* somebody said that there is something to see */
	bool		left_ready;		/* work is left that this session may not do */
	const char *crash;			/* fail the first activity with this cause */
	const char *crash_error;	/* and this error */

	pg_uuid_t  *gone;			/* tasks of activity: states whose rows are to go */
	int			ngone;
	int			maxgone;

	const AslValue *context_execution;	/* "$$".Execution and others, once made */
	const AslValue *context_machine;
	const AslValue *context_input;

	VouchHistory history;

	/* the stack of executions that this backend is in */
	int			nest_level;
	struct VouchAdvance *outer;
} VouchAdvance;

/* advance.c */
extern VouchBranch *vouch_advance_new_branch(VouchAdvance *adv, VouchBranch *parent, int place,
											 const AslMachine *machine, const AslValue *input);
extern void vouch_advance_ready(VouchAdvance *adv, VouchBranch *branch, VouchResume resume);
extern void vouch_advance_park(VouchAdvance *adv, VouchBranch *branch, VouchWaitKind kind,
							   TimestampTz due_at);
extern void vouch_advance_finish(VouchAdvance *adv, VouchBranch *branch,
								 const AslEntry *entry, const AslValue *result);
extern void vouch_advance_fail(VouchAdvance *adv, VouchBranch *branch, const AslError *error);
extern void vouch_advance_close(VouchAdvance *adv, const char *event, const AslValue *output,
								const AslError *error);
/* Is this backend in the execution (NULL: in any)?  The innermost one, or NULL. */
extern VouchAdvance *vouch_advance_running(const pg_uuid_t *execution_id);

/*
 * vouch_engine_advance() in a subtransaction, for transactions that are about
 * more than this execution.  When our own code fails, it warns, undoes what
 * was done there, and returns VOUCH_ADVANCE_BUSY; errors that say that the
 * transaction, or the session, is to end are raised.
 */
extern VouchAdvanceOutcome vouch_advance_guarded(int bucket, const pg_uuid_t *id, VouchAdvanceMode mode,
												 int64 *steps);

/*
 * Claims, with or without waiting, and closes as event says: "terminate", or
 * "cancel", which states may catch.
 */
extern void vouch_advance_end_execution(int bucket, const pg_uuid_t *id, VouchClaim how,
										const char *event, const char *reason, bool *busy);

/*
 * hold.c: pauses or resumes an execution that is claimed and open, and its
 * descendants; those that somebody else has are asked to.  How many changed.
 */
extern int	vouch_hold_claimed(VouchExecution *execution, bool paused);

/* join.c: Parallel and Map */
extern void vouch_join_open(VouchAdvance *adv, VouchBranch *branch, const AslEntry *entry);
extern void vouch_join_child_ended(VouchAdvance *adv, VouchBranch *child, const AslValue *output);
extern void vouch_join_child_failed(VouchAdvance *adv, VouchBranch *child, const AslError *error);
extern void vouch_join_finish(VouchAdvance *adv, VouchBranch *branch);
/* Are there iterations that may begin, now that all others wait?  With begin, some do. */
extern bool vouch_join_more(VouchAdvance *adv, bool begin);
extern void vouch_join_began(VouchAdvance *adv, VouchBranch *child);

/* wait.c: timers, signals, reviews */
extern void vouch_wait_wake(VouchAdvance *adv);
extern void vouch_wait_signal(VouchAdvance *adv, VouchBranch *branch, const AslEntry *entry);
extern void vouch_wait_review(VouchAdvance *adv, VouchBranch *branch, const AslEntry *entry);

/* child.c */
extern void vouch_child_start(VouchAdvance *adv, VouchBranch *branch, const AslEntry *entry,
							  bool sync);
/* Starts the execution that an iteration of a DISTRIBUTED Map is; the branch waits for it. */
/* "terminate", "cancel" or "abandon", which a ParentClosePolicy says in some way; else NULL. */
extern const char *vouch_child_close_policy(const char *policy);
extern void vouch_child_start_iteration(VouchAdvance *adv, VouchBranch *branch);
extern void vouch_child_wake(VouchAdvance *adv);
extern void vouch_child_close_all(VouchAdvance *adv, const int *branches, int nbranches);
extern bool vouch_child_parent_closed(VouchAdvance *adv, const char **event);
extern void vouch_child_tell_parent(VouchAdvance *adv);

/* activity_sql.c */
extern const AslValue *vouch_activity_run(VouchAdvance *adv, VouchBranch *branch, const char *resource,
										  const AslEntry *entry, AslError *error);

/* frame.c: what a state sees */
extern void vouch_frame_make(VouchAdvance *adv, VouchBranch *branch, AslFrame *frame);

/* A time as "$$" has it: "2024-08-18T17:33:00.123Z". */
extern const AslValue *vouch_frame_time(TimestampTz t);

#endif							/* VOUCH_ENGINE_ADVANCE_H */
