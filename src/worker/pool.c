/*
 * pool.c
 *	  What an executor does to its pool: comes, takes tasks, rests, leaves.
 *
 * A task that is taken is "in hand", in shared memory, until its transaction
 * has ended.  A second task for an execution that is in hand is not run
 * beside it, only to find the row locked: it makes the executor that has it
 * look again.
 */
#include "postgres.h"

#include <signal.h>

#include "core/compat.h"
#include "core/want.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "worker/worker.h"

static VouchExecutor *me = NULL;
static uint32 my_generation = 0;
static uint32 my_run = 1;		/* goes on with each task that is run; 0 is none, of which nobody can tell us */
static volatile sig_atomic_t interrupted = false;
static Oid	my_database = InvalidOid;

static void
remove_int16(int16 *array, int *n, int16 value)
{
	for (int i = 0; i < *n; i++)
		if (array[i] == value)
		{
			array[i] = array[--*n];
			return;
		}
}

/* Needs the pool's lock. */
static void
enqueue(VouchPool *pool, const VouchTask *task)
{
	if (pool->count == VOUCH_QUEUE)
	{
		pool->overflowed = true;
		return;
	}
	pool->queue[(pool->head + pool->count) % VOUCH_QUEUE] = *task;
	pool->count++;
}

/*
 * At exit, in whatever way: what is in hand goes back to the queue, but what
 * was being run goes to the dispatcher, which counts such ends.  The process
 * has left its transaction already.
 */
static void
detach(int code, Datum arg)
{
	VouchPool  *pool = vouch_my_pool;
	VouchDatabase *database;
	VouchLater	died;
	bool		has_died = false;

	if (me == NULL || me->generation != my_generation)
		return;

	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
	if (me->state == VOUCH_EXECUTOR_STARTING)
		pool->start_failures++;
	for (int i = 0; i < me->nin_hand; i++)
	{
		if (i == me->current)
		{
			memset(&died, 0, sizeof(died));
			died.task = me->in_hand[i];
			died.role = pool->role;
			died.kind = VOUCH_LATER_DIED;
			has_died = true;
		}
		else
			enqueue(pool, &me->in_hand[i]);
	}
	me->nin_hand = 0;
	me->current = -1;
	me->state = VOUCH_EXECUTOR_FREE;
	me->pid = 0;
	me->procno = 0;
	remove_int16(pool->idle, &pool->nidle, me - vouch_shared->executors);
	remove_int16(pool->members, &pool->nmembers, me - vouch_shared->executors);
	pool->pressed = true;		/* the dispatcher is woken below */
	if (pool->state == VOUCH_POOL_CLOSING && pool->nmembers == 0)
		pool->database = pool->role = InvalidOid;
	LWLockRelease(vouch_pool_lock(pool));
	LWLockRelease(vouch_registry_lock());
	me = NULL;

	database = vouch_database_find(my_database);
	if (database != NULL)
	{
		if (has_died)
			vouch_later_push(database, &died);
		vouch_wake_dispatcher(database);
	}
}

bool
vouch_pool_attach(int index, uint32 generation, Oid *database, Oid *role)
{
	VouchExecutor *executor = &vouch_shared->executors[index];
	bool		mine;

	LWLockAcquire(vouch_registry_lock(), LW_SHARED);
	mine = executor->generation == generation && executor->state == VOUCH_EXECUTOR_STARTING;
	if (mine)
	{
		me = vouch_my_executor = executor;
		my_generation = generation;
		vouch_my_pool = &vouch_shared->pools[executor->pool];
		my_database = *database = vouch_my_pool->database;
		*role = vouch_my_pool->role;
		LWLockAcquire(vouch_pool_lock(vouch_my_pool), LW_EXCLUSIVE);
		pg_atomic_write_u32(&me->run, my_run);
		pg_atomic_write_u32(&me->give_way, 0);
		pg_atomic_write_u32(&me->interrupt, 0);
		me->pid = MyProcPid;
		me->procno = vouch_my_procno() + 1;
		LWLockRelease(vouch_pool_lock(vouch_my_pool));
	}
	LWLockRelease(vouch_registry_lock());
	if (mine)
		on_shmem_exit(detach, (Datum) 0);
	return mine;
}

void
vouch_pool_ready(void)
{
	LWLockAcquire(vouch_pool_lock(vouch_my_pool), LW_EXCLUSIVE);
	me->state = VOUCH_EXECUTOR_BUSY;
	vouch_my_pool->start_failures = 0;
	LWLockRelease(vouch_pool_lock(vouch_my_pool));
}

/* Needs the pool's lock.  True when an executor has it, which then looks again. */
static bool
is_in_hand(VouchPool *pool, const VouchTask *task)
{
	for (int m = 0; m < pool->nmembers; m++)
	{
		VouchExecutor *other = &vouch_shared->executors[pool->members[m]];

		for (int i = 0; i < other->nin_hand; i++)
			if (memcmp(&other->in_hand[i].execution_id, &task->execution_id,
					   sizeof(pg_uuid_t)) == 0)
			{
				other->again[i] = true;
				return true;
			}
	}
	return false;
}

/* Needs the pool's lock. */
static VouchMark *
find_mark(VouchPool *pool, const pg_uuid_t *execution_id)
{
	for (int i = 0; i < pool->nmarks; i++)
		if (memcmp(&pool->marks[i].execution_id, execution_id, sizeof(pg_uuid_t)) == 0)
			return &pool->marks[i];
	return NULL;
}

void
vouch_pool_mark(VouchPool *pool, Oid role, const VouchTask *task, TimestampTz until)
{
	VouchMark  *mark;

	LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
	if (pool->role == role)
	{
		mark = find_mark(pool, &task->execution_id);
		if (mark == NULL && pool->nmarks < VOUCH_MARKS)
			mark = &pool->marks[pool->nmarks++];
		if (mark == NULL)
		{
			/* the one that has been left alone for the longest time */
			mark = &pool->marks[0];
			for (int i = 1; i < pool->nmarks; i++)
				if (pool->marks[i].until < mark->until)
					mark = &pool->marks[i];
		}
		mark->execution_id = task->execution_id;
		mark->flags = task->flags;
		mark->until = until;
	}
	LWLockRelease(vouch_pool_lock(pool));
}

void
vouch_pool_succeeded(const VouchTask *task)
{
	VouchDatabase *database = vouch_database_find(my_database);
	VouchMark  *mark;
	VouchLater	later;

	LWLockAcquire(vouch_pool_lock(vouch_my_pool), LW_EXCLUSIVE);
	mark = find_mark(vouch_my_pool, &task->execution_id);
	if (mark != NULL)
		*mark = vouch_my_pool->marks[--vouch_my_pool->nmarks];
	LWLockRelease(vouch_pool_lock(vouch_my_pool));

	memset(&later, 0, sizeof(later));
	later.task = *task;
	later.role = vouch_my_pool->role;
	later.kind = VOUCH_LATER_SUCCEEDED;
	if (database != NULL)
		vouch_later_push(database, &later);
}

/* Needs the pool's lock.  Gives a task its execution's flags; false when it is not to be run yet. */
static bool
heed_mark(VouchPool *pool, VouchTask *task, TimestampTz now)
{
	VouchMark  *mark = find_mark(pool, &task->execution_id);

	task->flags = mark != NULL ? mark->flags : 0;
	return mark == NULL || mark->until <= now;
}

/* Needs the pool's lock.  The task at the head of the queue, which is not empty. */
static VouchTask
dequeue(VouchPool *pool)
{
	VouchTask	task = pool->queue[pool->head];

	pool->head = (pool->head + 1) % VOUCH_QUEUE;
	if (--pool->count == 0)
		pool->emptied++;
	return task;
}

void
vouch_pool_prune(VouchPool *pool)
{
	while (pool->count > 0 && is_in_hand(pool, &pool->queue[pool->head]))
		(void) dequeue(pool);
}

bool
vouch_pool_take(VouchTask *task)
{
	VouchPool  *pool = vouch_my_pool;
	uint32		next = 0;
	bool		found = false;
	bool		tell = false;
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
	while (!found && pool->count > 0 && me->nin_hand < VOUCH_BATCH)
	{
		*task = dequeue(pool);
		if (is_in_hand(pool, task) || !heed_mark(pool, task, now))
			continue;
		me->again[me->nin_hand] = false;
		me->in_hand[me->nin_hand++] = *task;
		found = true;
	}
	if (pool->count > 0 && pool->nidle > 0)
	{
		VouchExecutor *chosen = &vouch_shared->executors[pool->idle[--pool->nidle]];

		chosen->state = VOUCH_EXECUTOR_BUSY;
		next = chosen->procno;
	}
	else if (pool->count > 0 && !pool->pressed)
		pool->pressed = tell = true;
	if (pool->count <= VOUCH_LOW_WATER && (pool->refill || pool->overflowed))
	{
		/* overflowed stays: the dispatcher clears it when it sweeps */
		tell = tell || pool->refill || pool->count == 0;
		pool->refill = false;
	}
	LWLockRelease(vouch_pool_lock(pool));

	vouch_latch_set(next);
	if (tell)
		vouch_wake_dispatcher(vouch_database_find(my_database));
	return found;
}

int
vouch_pool_in_hand(VouchTask *tasks)
{
	/* Only this process changes it. */
	memcpy(tasks, me->in_hand, me->nin_hand * sizeof(VouchTask));
	return me->nin_hand;
}

void
vouch_pool_current(int which)
{
	me->current = which;
	/* a later number never goes with an earlier task: see core/want.c */
	pg_write_barrier();
	pg_atomic_write_u32(&me->run, ++my_run);
}

void
vouch_pool_interrupt(SIGNAL_ARGS)
{
	int			save_errno = errno;

	if (me != NULL && me->current >= 0 && pg_atomic_read_u32(&me->interrupt) == my_run)
	{
		interrupted = true;
		QueryCancelPending = true;
		InterruptPending = true;
	}
	SetLatch(MyLatch);
	errno = save_errno;
}

bool
vouch_pool_settle(void)
{
	bool		result;

	/* from here on no interrupt is for us */
	vouch_pool_current(-1);
	result = interrupted;
	if (result)
		QueryCancelPending = false;
	interrupted = false;
	return result;
}

bool
vouch_pool_wanted(void)
{
	for (int i = 0; i < me->nin_hand; i++)
		if (vouch_want_is(&me->in_hand[i].execution_id))
			return true;
	return false;
}

void
vouch_pool_reorder(const VouchTask *tasks)
{
	bool		again = false;

	LWLockAcquire(vouch_pool_lock(vouch_my_pool), LW_EXCLUSIVE);
	for (int i = 0; i < me->nin_hand; i++)
		again = again || me->again[i];
	memcpy(me->in_hand, tasks, me->nin_hand * sizeof(VouchTask));
	for (int i = 0; i < me->nin_hand; i++)
		me->again[i] = again;	/* which one it was for, the order has lost */
	LWLockRelease(vouch_pool_lock(vouch_my_pool));
}

void
vouch_pool_done(int64 steps)
{
	VouchPool  *pool = vouch_my_pool;

	LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
	for (int i = 0; i < me->nin_hand; i++)
		if (me->again[i])
		{
			me->in_hand[i].busy = 0;
			me->in_hand[i].flags = 0;	/* its mark, if there is one, says what they are */
			enqueue(pool, &me->in_hand[i]);
		}
	me->nin_hand = 0;
	me->current = -1;
	me->steps += steps;
	LWLockRelease(vouch_pool_lock(pool));
}

bool
vouch_pool_rest(void)
{
	VouchPool  *pool = vouch_my_pool;
	bool		rest;

	LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
	rest = pool->count == 0 && !me->leave;
	if (rest && me->state != VOUCH_EXECUTOR_IDLE)
	{
		me->state = VOUCH_EXECUTOR_IDLE;
		pool->idle[pool->nidle++] = me - vouch_shared->executors;
	}
	LWLockRelease(vouch_pool_lock(pool));
	return rest;
}

void
vouch_pool_resume(void)
{
	VouchPool  *pool = vouch_my_pool;

	LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
	if (me->state == VOUCH_EXECUTOR_IDLE)
	{
		me->state = VOUCH_EXECUTOR_BUSY;
		remove_int16(pool->idle, &pool->nidle, me - vouch_shared->executors);
	}
	LWLockRelease(vouch_pool_lock(pool));
}

bool
vouch_pool_must_leave(void)
{
	return me->leave;
}
