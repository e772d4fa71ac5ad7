/*
 * rows.h
 *	  Executions and branches in memory, and their way from and to rows.
 */
#ifndef VOUCH_ENGINE_ROWS_H
#define VOUCH_ENGINE_ROWS_H

#include "engine/engine.h"
#include "engine/program.h"

typedef struct VouchExecution
{
	int			bucket;
	pg_uuid_t	id;
	const char *workflow_id;
	const char *workflow;
	int			revision;
	const char *run_as;
	const char *starter;
	const char *status;
	bool		paused;
	bool		has_parent;
	pg_uuid_t	parent_id;
	int			parent_branch;	/* -1: nobody waits for it */
	const char *close_policy;
	TimestampTz started_at;
	TimestampTz deadline;		/* 0: none */
	TimestampTz canceled_at;	/* 0: nobody did */
	const char *cancel_reason;
	int32		next_branch;
	int64		next_event;
	int			redrives;
	int			machine_no;		/* of its main line: 0, but in an iteration of a DISTRIBUTED Map */
} VouchExecution;

typedef enum VouchBranchStatus
{
	VOUCH_BRANCH_READY,
	VOUCH_BRANCH_WAITING,
	VOUCH_BRANCH_PENDING,
	VOUCH_BRANCH_DONE
} VouchBranchStatus;

typedef enum VouchWaitKind
{
	VOUCH_WAIT_NONE,
	VOUCH_WAIT_TIMER,
	VOUCH_WAIT_RETRY,
	VOUCH_WAIT_SIGNAL,
	VOUCH_WAIT_REVIEW,
	VOUCH_WAIT_CHILD,
	VOUCH_WAIT_JOIN,
	VOUCH_WAIT_ACTIVITY,
	VOUCH_WAIT_UNTIL
} VouchWaitKind;

/* How a ready branch goes on. */
typedef enum VouchResume
{
	VOUCH_RESUME_ENTER,			/* enter the state */
	VOUCH_RESUME_RETRY,			/* enter it again, counts kept */
	VOUCH_RESUME_TIMER,			/* a Wait is over */
	/* within one advance only, never stored: */
	VOUCH_RESUME_RESULT,		/* result is there */
	VOUCH_RESUME_FAILURE,		/* failure is there */
	VOUCH_RESUME_JOINED			/* all branches or iterations ended */
} VouchResume;

typedef struct VouchBranch VouchBranch;

/* A Parallel or Map that is open. */
typedef struct VouchJoin
{
	int			total;
	int			open;			/* not ended yet, begun or not */
	int			running;		/* begun and not ended; in memory only, see join.c */
	int			failed;
	int			next;			/* iterations begun */
	int			max_concurrency;	/* 0: no limit */
	int64		tolerated_count;
	double		tolerated_percentage;
	bool		stored;			/* some of its children may have rows */
	bool		canceling;		/* its branches have been told that the execution is canceled */
	/* items that have not begun, from first_item up to end_item, while they are in memory; see batch.c */
	const AslValue **items;		/* or NULL */
	const AslValue **item_values;	/* $$.Map.Item.Value of each */
	int			first_item;
	int			end_item;
	int			items_row;		/* number of the row that has them; 0: they began in this advance */
	VouchBranch *first;			/* children in memory, a list by sibling */
} VouchJoin;

struct VouchBranch
{
	int			no;
	VouchBranch *parent;		/* NULL: the main line */
	int			place;
	const AslMachine *machine;
	const AslState *state;		/* NULL: not begun */
	VouchBranchStatus status;
	VouchResume resume;
	VouchWaitKind wait;
	const char *wait_name;
	bool		has_wait_id;
	pg_uuid_t	wait_id;
	TimestampTz due_at;			/* 0: none */
	TimestampTz entered_at;
	const char *actor;
	int64		previous_event;

	/* data: there when loaded */
	bool		loaded;
	bool		data_read;		/* what its row has was read, and was not all: the input is the execution's */
	const AslValue *input;		/* raw input of the state */
	const AslValue *vars;		/* an object, or NULL */
	int		   *counts;			/* of the state's Retry entries, or NULL */
	int			attempt;		/* from 0 */
	int			returns;		/* review: how often the version had been sent back */
	const AslValue *item_value; /* $$.Map.Item.Value, or NULL */
	const AslValue *output;		/* done; NULL: a tolerated failure */
	AslScope	scope;
	VouchJoin  *join;
	VouchBranch *sibling;

	/* what resume needs */
	const AslValue *result;
	AslError	failure;
	const char *result_actor;	/* for the history */

	/* bookkeeping */
	bool		stored;			/* has a row */
	bool		dirty;			/* its row differs */
	bool		join_dirty;		/* only the counters do */
	bool		removed;
	bool		join_gone;		/* its join closed: no child row may stay */
	bool		postponed;		/* in this advance, others have been let pass */
	bool		silent;			/* iterations of a DISTRIBUTED Map show no events */
};

struct VouchAdvance;

/* ------------------------------------------------------------------ rows */

typedef enum VouchClaim
{
	VOUCH_CLAIM_NOTHING,		/* takes no lock: for a look at what is committed */
	VOUCH_CLAIM_TRY,			/* does not wait */
	VOUCH_CLAIM_WAIT,			/* waits; executors give way at the next step, core/want.h */
	VOUCH_CLAIM_INTERRUPT		/* the same; a step that runs is broken off */
} VouchClaim;

/*
 * Claims the row; false when it is not there, or, in VOUCH_CLAIM_TRY, somebody
 * has it (then *busy).
 */
extern bool vouch_rows_claim(int bucket, const pg_uuid_t *id, VouchClaim how,
							  VouchExecution *execution, bool *busy);

/* The open execution of a workflow_id; false when there is none.  No lock. */
extern bool vouch_rows_find_open(int bucket, const char *workflow_id, pg_uuid_t *id,
								  char **run_as);

/* Raises VO404 when the one that vouch_rows_find_open() has just found is of another workflow. */
extern void vouch_rows_require_workflow(const char *workflow, const char *workflow_id);

/*
 * Raises VO002 unless who acts started the execution, or its family, or the
 * session's role is an administrator of Vouch.  action is for the message.
 */
extern void vouch_rows_require_rights(int bucket, const pg_uuid_t *id, const char *workflow_id,
									  const char *action);

/* What people asked for who did not get the row. */
typedef enum VouchHold
{
	VOUCH_HOLD_AS_IS,
	VOUCH_HOLD_PAUSE,
	VOUCH_HOLD_RESUME
} VouchHold;

/* Deletes the nudges that this statement sees and says how many; *hold gets the latest wish. */
extern int	vouch_rows_take_nudges(int bucket, const pg_uuid_t *id, VouchHold *hold);
extern void vouch_rows_nudge(int bucket, const pg_uuid_t *id, const char *run_as);
extern void vouch_rows_ask_to_hold(int bucket, const pg_uuid_t *id, const char *run_as, bool paused);

/* Hands a hint to the workers after commit. */
extern void vouch_rows_wake(const char *run_as, int bucket, const pg_uuid_t *id,
							 TimestampTz due_at);

/* Branches that are ready, waiting: into adv->branches, in order of their numbers. */
extern void vouch_rows_load(struct VouchAdvance *adv);

/* Reads what load left out: inputs and so on. */
extern void vouch_rows_load_data(struct VouchAdvance *adv, VouchBranch *branch);

/* The input of the execution. */
extern const AslValue *vouch_rows_input(struct VouchAdvance *adv);

extern void vouch_rows_add(struct VouchAdvance *adv, VouchBranch *branch);
extern void vouch_rows_adopt(VouchBranch *branch, VouchBranch *parent);

/* Writes branches, the execution's counters and the history back. */
extern void vouch_rows_flush(struct VouchAdvance *adv);

/* Closes the row, writes the outcome and deletes the branches. */
extern void vouch_rows_close(struct VouchAdvance *adv, const char *event, const AslValue *output,
							  const char *error, const char *cause);


#endif							/* VOUCH_ENGINE_ROWS_H */
