/*
 * shmem.h
 *	  What the workers and the backends share: a slot per database, a pool per
 *	  (database, role) with its queue, a slot per executor.
 *
 * Only there when the library is preloaded; vouch_shared is NULL otherwise.
 * Everything in it is a hint or a book-keeping of processes: a crash loses it
 * and the tables tell what is to be done.
 *
 * Locks (all of tranche "vouch"; never two of the same kind at once, and
 * nothing that may raise an error while one is held):
 *	  registry		which database, pool and executor slots are in use, and by whom, and what is wanted;
 *					who changes those holds it exclusively, besides the slot's own lock
 *	  a database	its ring of hints, and when its dispatcher wakes by itself
 *	  a pool		its queue, its idle executors, and what its executors have in hand
 * Order: registry, database, pool.
 */
#ifndef VOUCH_CORE_SHMEM_H
#define VOUCH_CORE_SHMEM_H

#include "port/atomics.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define VOUCH_MAX_DATABASES 64
#define VOUCH_MAX_POOLS 64
#define VOUCH_MAX_EXECUTORS 128
#define VOUCH_MAX_POOL_EXECUTORS 64	/* the maximum of vouch.executors */
#define VOUCH_RING 512			/* hints that a database's dispatcher has not read yet */
#define VOUCH_QUEUE 2048		/* tasks of a pool that wait for an executor */
#define VOUCH_LOW_WATER 256		/* tasks left when the dispatcher is to refill a queue */
#define VOUCH_BATCH 32			/* executions that an executor advances per commit */
#define VOUCH_MARKS 64			/* executions of a pool that are in trouble */
#define VOUCH_MAX_WANTS 64		/* executions that people wait for */
#define VOUCH_REASON_LEN 160

/* An execution that an executor is to look at. */
typedef struct VouchTask
{
	pg_uuid_t	execution_id;
	int32		bucket;
	uint16		busy;			/* how often in a row somebody else had it */
	uint16		flags;
} VouchTask;

#define VOUCH_TASK_STEPWISE 1	/* a process ended in it: commit after each activity */
#define VOUCH_TASK_POISON 2		/* too often: fail the activity that comes next */
#define VOUCH_TASK_COUNTED 4	/* it failed, or its process ended: tell when it succeeds */

typedef enum VouchLaterKind
{
	VOUCH_LATER_HINT,			/* of a backend: a timer, or a role that has no pool yet */
	VOUCH_LATER_BUSY,			/* somebody else had the row */
	VOUCH_LATER_FAILED,			/* could not be advanced, even alone */
	VOUCH_LATER_DIED,			/* its process ended in it */
	VOUCH_LATER_SUCCEEDED		/* of one that is COUNTED: it got on */
} VouchLaterKind;

/* What a dispatcher is told: to hand a task out, at once or later. */
typedef struct VouchLater
{
	VouchTask	task;
	Oid			role;
	VouchLaterKind kind;
	TimestampTz due_at;			/* 0: now */
} VouchLater;

/*
 * An execution that is in trouble.  Hints for it come from anywhere, so what
 * is to be done about it is kept here and not in the task.
 */
typedef struct VouchMark
{
	pg_uuid_t	execution_id;
	uint16		flags;
	TimestampTz until;			/* not to be run before */
} VouchMark;

typedef enum VouchDatabaseState
{
	VOUCH_DATABASE_ENABLED,		/* the launcher is to start its dispatcher */
	VOUCH_DATABASE_STARTING,	/* registered, not there yet */
	VOUCH_DATABASE_STARTED,
	VOUCH_DATABASE_DISABLED		/* no extension, or workers are off: see reason */
} VouchDatabaseState;

typedef struct VouchDatabase
{
	Oid			oid;			/* InvalidOid: the slot is free */

	/* Under the registry lock. */
	VouchDatabaseState state;
	Oid			owner;			/* the extension's owner, once a probe has found it */
	uint32		generation;		/* of the dispatcher registered last */
	pid_t		pid;
	int			failures;		/* in a row */
	TimestampTz not_before;		/* back-off */
	TimestampTz held_until;		/* a DROP DATABASE wants us out */
	bool		leave;			/* the dispatcher is to end */
	bool		counted;		/* marks of the last crash have been looked at */
	bool		cautious;		/* mark what is run: the server crashed before */
	char		reason[VOUCH_REASON_LEN];

	pg_atomic_uint32 dispatcher;	/* procno + 1 of the dispatcher, or 0 */
	pg_atomic_uint32 sweep;		/* hints were lost: look into the tables */
	pg_atomic_uint32 recheck;	/* is the extension still (or again) there? */
	pg_atomic_uint32 wake_seq;	/* hints handed over, for the curious */

	/* Under the database's lock. */
	TimestampTz wakes_at;		/* while the dispatcher sleeps: until when */
	TimestampTz swept_at;
	TimestampTz next_due;		/* the next timer in the tables, or DT_NOEND */
	int			backlog;		/* found by the sweep, not yet handed out */
	int			deferred;		/* in the dispatcher's own memory, for later */
	int			head;
	int			count;
	VouchLater	ring[VOUCH_RING];
} VouchDatabase;

typedef enum VouchPoolState
{
	VOUCH_POOL_ACTIVE,
	VOUCH_POOL_PARKED,			/* its role cannot be used: see reason */
	VOUCH_POOL_CLOSING			/* the dispatcher has gone for good */
} VouchPoolState;

typedef struct VouchPool
{
	Oid			database;		/* InvalidOid: the slot is free */
	Oid			role;

	/* Under the pool's lock. */
	VouchPoolState state;
	int			nmembers;		/* its executors, those starting included */
	int16		members[VOUCH_MAX_POOL_EXECUTORS];
	int			nidle;
	int16		idle[VOUCH_MAX_POOL_EXECUTORS];
	bool		pressed;		/* the dispatcher was told that nobody is idle */
	bool		overflowed;		/* tasks were lost: sweep when there is room */
	bool		refill;			/* the dispatcher has more: tell it at VOUCH_LOW_WATER */
	int			start_failures; /* in a row */
	uint32		emptied;		/* how often the queue ran empty */
	int			nmarks;
	VouchMark	marks[VOUCH_MARKS];
	int			head;
	int			count;
	char		reason[VOUCH_REASON_LEN];
	VouchTask	queue[VOUCH_QUEUE];
} VouchPool;

typedef enum VouchExecutorState
{
	VOUCH_EXECUTOR_FREE,
	VOUCH_EXECUTOR_STARTING,
	VOUCH_EXECUTOR_BUSY,
	VOUCH_EXECUTOR_IDLE
} VouchExecutorState;

typedef struct VouchExecutor
{
	/* Under the registry lock. */
	uint32		generation;		/* of the process registered last */
	int			pool;

	/* Under the lock of its pool. */
	VouchExecutorState state;
	pid_t		pid;
	uint32		procno;			/* + 1; 0 before it attached */
	bool		leave;
	int64		steps;
	int			current;		/* of in_hand: what is being run, or -1 */
	int			nin_hand;
	VouchTask	in_hand[VOUCH_BATCH];
	bool		again[VOUCH_BATCH];	/* a hint came while it was in hand */

	pg_atomic_uint32 run;		/* number of what is being run, see current */
	pg_atomic_uint32 give_way;	/* the run that is to end at its next step */
	pg_atomic_uint32 interrupt; /* the run that is to be broken off */
} VouchExecutor;

/* Somebody waits for an execution: want.h.  Under the registry lock. */
typedef struct VouchWant
{
	Oid			database;		/* InvalidOid: free */
	pg_uuid_t	execution_id;
	bool		interrupt;		/* break off what it runs */
	TimestampTz interrupt_at;
} VouchWant;

typedef struct VouchShared
{
	bool		unclean;		/* the server came up after a crash */
	pg_atomic_uint32 launcher;	/* procno + 1 */
	pg_atomic_uint32 nwants;
	VouchWant	wants[VOUCH_MAX_WANTS];
	VouchDatabase databases[VOUCH_MAX_DATABASES];
	VouchPool	pools[VOUCH_MAX_POOLS];
	VouchExecutor executors[VOUCH_MAX_EXECUTORS];
} VouchShared;

extern VouchShared *vouch_shared;

/* In an executor, itself and the pool that it works for: it takes what it queues itself. */
extern VouchPool *vouch_my_pool;
extern VouchExecutor *vouch_my_executor;

/* Asks for the memory; from _PG_init() while preloading. */
extern void vouch_shmem_init(void);

extern LWLock *vouch_registry_lock(void);
extern LWLock *vouch_database_lock(const VouchDatabase *database);
extern LWLock *vouch_pool_lock(const VouchPool *pool);

/*
 * The slot of a database, or of a pool; NULL when there is none.  Looks
 * without a lock: right for a caller that keeps the database from being
 * dropped; a pool's owner is checked again under its lock by what follows.
 */
extern VouchDatabase *vouch_database_find(Oid database);
extern VouchPool *vouch_pool_find(Oid database, Oid role);

/*
 * Puts tasks (or none) into a pool's queue and, when something is in it, wakes
 * an executor, or the dispatcher when there is no executor to wake.  Returns how many were taken (all, when the
 * pool is parked: its work is found again when it no longer is), or -1 when
 * this is not, or no longer, the pool of that role.
 * What these functions do is allowed in a commit callback.
 */
extern int	vouch_pool_push(VouchPool *pool, Oid database, Oid role,
							const VouchTask *tasks, int ntasks);

/*
 * Tells the dispatcher of something to be handed out; lossy when it does not
 * keep up, and then it sweeps.
 */
extern void vouch_later_push(VouchDatabase *database, const VouchLater *later);

/* Sets the latch of a process by what is stored of it; 0: of nobody. */
extern void vouch_latch_set(uint32 procno_plus_one);

extern void vouch_wake_dispatcher(VouchDatabase *database);

/* Makes the launcher look at the databases again. */
extern void vouch_ping_launcher(void);

#endif							/* VOUCH_CORE_SHMEM_H */
