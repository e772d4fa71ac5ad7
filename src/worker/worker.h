/*
 * worker.h
 *	  What the files of this folder share.  README.md tells who does what.
 */
#ifndef VOUCH_WORKER_WORKER_H
#define VOUCH_WORKER_WORKER_H

#include "core/compat.h"
#include "core/shmem.h"
#include "postmaster/bgworker.h"

/* ---- worker/process.c: what every worker's process needs ---- */

/*
 * Registers a dynamic worker that is never restarted by the postmaster.
 * function is the main's name; index and generation tell it which slot is its
 * own.  Returns NULL when the server has no room for it; the handle is in the
 * current memory context.
 */
extern BackgroundWorkerHandle *vouch_process_register(const char *function, const char *type,
													  const char *name, int index,
													  uint32 generation);

/* In the worker: which slot, and handlers for SIGTERM and SIGHUP. */
extern void vouch_process_begin(Datum main_arg, int *index, uint32 *generation);

/* After connecting: settings that no role or database may change under us. */
extern void vouch_process_settings(const char *application_name);

/* A transaction, with the snapshot that SPI wants to stand on. */
extern void vouch_process_start_transaction(void);
extern void vouch_process_commit(void);

/* Waits for the latch, at most so many ms (-1: for ever), with no snapshot held. */
extern void vouch_process_wait(long timeout_ms, const char *event, uint32 *cache);

/* Interrupts and a changed configuration; true after a reload. */
extern bool vouch_process_interrupts(void);

/* ---- worker/probe.c: may workers run here? ---- */

/*
 * In a transaction: NULL when they may, else why not (palloc'd): the extension
 * is missing, vouch.workers is off, or this is a restored copy.  Holds the
 * extension against being dropped until the end of the transaction.
 */
extern char *vouch_probe_obstacle(void);

/* The last of these: NULL when this is where the tables belong. */
extern char *vouch_probe_copy(void);

/* NULL when a role can be logged in here, else why not (palloc'd).  In a transaction. */
extern char *vouch_probe_role(Oid role);

/* ---- worker/sealer.c: the log's blocks ---- */

/* Seals when it is time; returns when to call it again. */
extern TimestampTz vouch_sealer_tend(TimestampTz now);

/* ---- worker/pool.c: what an executor does to its pool ---- */

/*
 * Makes this process the executor of a slot; false when the slot is not meant
 * for it any more.  Leaves the pool when the process exits, and gives back
 * what it has in hand.
 */
extern bool vouch_pool_attach(int index, uint32 generation, Oid *database, Oid *role);

/* This process is connected and ready. */
extern void vouch_pool_ready(void);

/* The next task, which is in hand from then on; false when there is none. */
extern bool vouch_pool_take(VouchTask *task);

/*
 * Takes tasks off the head of the queue whose executions are in hand: who has
 * one looks at it again, and nobody else is needed.  Needs the pool's lock.
 */
extern void vouch_pool_prune(VouchPool *pool);

/*
 * From now on, tasks of an execution have these flags, whoever queues them,
 * and are not taken before until: the dispatcher hands one out then.
 */
extern void vouch_pool_mark(VouchPool *pool, Oid role, const VouchTask *task, TimestampTz until);

/* A task that is COUNTED got on: its execution is in trouble no more. */
extern void vouch_pool_succeeded(const VouchTask *task);

/* What is in hand, and which of it is run now (-1: none). */
extern int	vouch_pool_in_hand(VouchTask *tasks);
extern void vouch_pool_current(int which);

/* Handler of SIGUSR2: cancels the statement, if it is still what the sender means. */
extern void vouch_pool_interrupt(SIGNAL_ARGS);

/*
 * The transaction is over: nothing is run now, and nothing of an interrupt is
 * left.  Was it interrupted?
 */
extern bool vouch_pool_settle(void);

/* Does somebody wait for something that is in hand? */
extern bool vouch_pool_wanted(void);

/* The same tasks, in another order. */
extern void vouch_pool_reorder(const VouchTask *tasks);

/* Nothing is in hand any more; what was hinted at meanwhile is queued again. */
extern void vouch_pool_done(int64 steps);

/* Nothing to do: idle from now on.  False when there is, or when it has to leave. */
extern bool vouch_pool_rest(void);

/* Woken, or tired of waiting: busy again. */
extern void vouch_pool_resume(void);

extern bool vouch_pool_must_leave(void);

/* ---- worker/later.c: what a dispatcher keeps for later ---- */

extern void vouch_later_init(MemoryContext context);
extern void vouch_later_add(const VouchLater *later);

/* Takes the earliest that is due; false when none is. */
extern bool vouch_later_due(TimestampTz now, VouchLater *later);
extern TimestampTz vouch_later_next(void);	/* or DT_NOEND */
extern int	vouch_later_count(void);

/*
 * An execution failed, or its process died in it: counts, flags the task
 * accordingly, and returns when to try again.
 */
extern TimestampTz vouch_later_failed(VouchTask *task, bool died, TimestampTz now);

/* It got on: nothing of the past counts any more. */
extern void vouch_later_succeeded(const VouchTask *task);

/* Is an execution kept back because it failed? */
extern bool vouch_later_kept_back(const VouchTask *task, TimestampTz now);
extern void vouch_later_forget_old(TimestampTz now);

/* ---- worker/crew.c: a dispatcher's pools and their executors ---- */

/* What a dispatcher knows of one role. */
typedef struct VouchCrew
{
	Oid			role;
	VouchPool  *pool;			/* NULL: no pool was free */
	VouchTask  *backlog;		/* found by the sweep, not in the pool's queue yet */
	int			nbacklog;
	int			maxbacklog;
	int			next;			/* first of backlog that was not handed out */
	TimestampTz not_before;		/* start no executor, and ask no catalog, until then */
	int			delay_ms;
	int			start_failures; /* of the pool's, that were seen */
	TimestampTz pressed_since;	/* 0: the queue ran empty since */
	uint32		emptied;
	TimestampTz used_at;
} VouchCrew;

extern void vouch_crew_init(VouchDatabase *database, MemoryContext context);
extern VouchCrew *vouch_crew_of(Oid role);

/* Replaces all backlogs by what a sweep found. */
extern void vouch_crew_clear_backlogs(void);
extern void vouch_crew_add_backlog(VouchCrew *crew, const VouchTask *task);
extern int	vouch_crew_backlog(void);

/* Hands a task to the crew's pool. */
extern void vouch_crew_give(VouchCrew *crew, const VouchTask *task);

/*
 * Hands out backlogs, starts executors where work waits, parks roles.  Returns
 * when to be called again at the latest.  *sweep is set when a pool lost tasks
 * that only the tables know, or a role is back.  Not in a transaction; uses
 * the current memory context for scratch.
 */
extern TimestampTz vouch_crew_tend(TimestampTz now, bool *sweep);

/* Tells all executors of a database to end. */
extern void vouch_crew_dismiss(const VouchDatabase *of);

/* ---- worker/session.c ---- */

/* Undoes what user code left in the session; exits when it cannot.  Not in a transaction. */
extern void vouch_session_reset(void);

/*
 * Within a transaction: undoes what can be undone there, and says whether that
 * is all: no temporary table was touched, no cursor is open, no advisory lock held.
 */
extern bool vouch_session_clean(void);

/* ---- worker/cost.c ---- */

/* From now on, keeps slow activities out of transactions with others. */
extern void vouch_cost_init(void);

/* Was an activity kept out since the last call?  Its execution is to be run alone. */
extern bool vouch_cost_declined(void);

/* ---- worker/suspect.c: executions that may have crashed the server ---- */

/*
 * At the first start of a dispatcher after the server: counts the crashes of
 * what was being run.  Returns whether executors have to mark what they run.
 * In a transaction.
 */
extern bool vouch_suspect_count(bool after_crash);

/*
 * How many crashes each task is suspected of; moves those of none to the
 * front, and returns how many these are.  In a transaction.
 */
extern int	vouch_suspect_sort(VouchTask *tasks, int ntasks, int *crashes);

/*
 * Only one suspect is run at a time, so that a crash has one.  The lock is the
 * session's, since a mark is committed before the run.
 */
extern void vouch_suspect_lock(void);
extern void vouch_suspect_unlock(void);

/* Marks tasks as being run; commit before running them. */
extern void vouch_suspect_mark(const VouchTask *tasks, int ntasks);

/* They did no harm: unmarks, in the transaction that ran them. */
extern void vouch_suspect_clear(const VouchTask *tasks, int ntasks);

/* Nobody is suspected any more.  In a transaction. */
extern void vouch_suspect_forget(void);

/* ---- worker/ddl.c ---- */

extern void vouch_ddl_init(void);

#endif							/* VOUCH_WORKER_WORKER_H */
