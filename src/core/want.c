/*
 * want.c
 *	  Who wants an execution that an executor has.
 */
#include "postgres.h"

#include <signal.h>

#include "core/shmem.h"
#include "core/want.h"
#include "miscadmin.h"

#define GRACE_MS 20				/* most steps end by themselves */
#define AGAIN_MS 50				/* between two interrupts: one may come before a step, or be caught in it */

static int	my_want = -1;

void
vouch_want_begin(const pg_uuid_t *execution_id, bool interrupt)
{
	VouchDatabase *database;

	if (vouch_shared == NULL)
		return;
	Assert(my_want < 0);
	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	for (int i = 0; i < VOUCH_MAX_WANTS && my_want < 0; i++)
	{
		VouchWant  *want = &vouch_shared->wants[i];

		if (OidIsValid(want->database))
			continue;
		want->database = MyDatabaseId;
		want->execution_id = *execution_id;
		want->interrupt = interrupt;
		want->interrupt_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), GRACE_MS);
		pg_atomic_fetch_add_u32(&vouch_shared->nwants, 1);
		my_want = i;
	}
	LWLockRelease(vouch_registry_lock());

	database = my_want >= 0 && interrupt ? vouch_database_find(MyDatabaseId) : NULL;
	if (database != NULL)
		vouch_wake_dispatcher(database);
}

void
vouch_want_end(void)
{
	if (my_want < 0)
		return;
	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	vouch_shared->wants[my_want].database = InvalidOid;
	pg_atomic_fetch_sub_u32(&vouch_shared->nwants, 1);
	LWLockRelease(vouch_registry_lock());
	my_want = -1;
}

bool
vouch_want_is(const pg_uuid_t *execution_id)
{
	bool		found = false;

	if (vouch_shared == NULL || pg_atomic_read_u32(&vouch_shared->nwants) == 0)
		return false;
	LWLockAcquire(vouch_registry_lock(), LW_SHARED);
	for (int i = 0; i < VOUCH_MAX_WANTS && !found; i++)
	{
		VouchWant  *want = &vouch_shared->wants[i];

		found = want->database == MyDatabaseId && i != my_want &&
			memcmp(&want->execution_id, execution_id, sizeof(pg_uuid_t)) == 0;
	}
	LWLockRelease(vouch_registry_lock());
	return found;
}

bool
vouch_want_may_go_on(const pg_uuid_t *execution_id)
{
	uint32		told = vouch_my_executor == NULL ? 0 : pg_atomic_read_u32(&vouch_my_executor->give_way);

	/* runs are counted from 1: before the first one, nobody was told anything */
	return !vouch_want_is(execution_id) &&
		(told == 0 || told != pg_atomic_read_u32(&vouch_my_executor->run));
}

/* Needs the pool's lock; the executor may just be going on to the next one. */
static bool
runs(const VouchExecutor *executor, const pg_uuid_t *execution_id)
{
	int			current = executor->current;

	return executor->pid != 0 && current >= 0 && current < executor->nin_hand &&
		memcmp(&executor->in_hand[current].execution_id, execution_id, sizeof(pg_uuid_t)) == 0;
}

/* The same of what it has done in this transaction: that is to be had when the transaction ends. */
static bool
has(const VouchExecutor *executor, const pg_uuid_t *execution_id)
{
	for (int i = 0; executor->pid != 0 && i <= executor->current && i < executor->nin_hand; i++)
		if (memcmp(&executor->in_hand[i].execution_id, execution_id, sizeof(pg_uuid_t)) == 0)
			return true;
	return false;
}

/*
 * Needs the pool's lock.  The number of the run is read before what is run: an
 * executor that has gone on meanwhile has another number, and finds that this
 * is not for what it runs now.
 */
static void
tell(VouchExecutor *executor, const pg_uuid_t *execution_id, bool interrupt)
{
	uint32		run = pg_atomic_read_u32(&executor->run);

	pg_read_barrier();
	if (!has(executor, execution_id))
		return;
	pg_atomic_write_u32(&executor->give_way, run);
	if (!interrupt)
		return;
	pg_atomic_write_u32(&executor->interrupt, run);
	/* it stays that process while we have the lock */
	(void) kill(executor->pid, SIGUSR2);
}

void
vouch_want_tell(Oid database, const pg_uuid_t *execution_id, bool interrupt)
{
	for (int i = 0; i < VOUCH_MAX_POOLS; i++)
	{
		VouchPool  *pool = &vouch_shared->pools[i];

		if (pool->database != database)
			continue;
		LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
		if (pool->database == database)
			for (int m = 0; m < pool->nmembers; m++)
				tell(&vouch_shared->executors[pool->members[m]], execution_id, interrupt);
		LWLockRelease(vouch_pool_lock(pool));
	}
}

bool
vouch_want_is_run(const pg_uuid_t *execution_id)
{
	bool		found = false;

	for (int i = 0; vouch_shared != NULL && i < VOUCH_MAX_POOLS && !found; i++)
	{
		VouchPool  *pool = &vouch_shared->pools[i];

		if (pool->database != MyDatabaseId)
			continue;
		LWLockAcquire(vouch_pool_lock(pool), LW_SHARED);
		for (int m = 0; m < pool->nmembers && pool->database == MyDatabaseId; m++)
			found |= runs(&vouch_shared->executors[pool->members[m]], execution_id);
		LWLockRelease(vouch_pool_lock(pool));
	}
	return found;
}

TimestampTz
vouch_want_tend(Oid database, TimestampTz now)
{
	TimestampTz next = DT_NOEND;
	pg_uuid_t	due[VOUCH_MAX_WANTS];
	int			ndue = 0;

	if (pg_atomic_read_u32(&vouch_shared->nwants) == 0)
		return next;
	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	for (int i = 0; i < VOUCH_MAX_WANTS; i++)
	{
		VouchWant  *want = &vouch_shared->wants[i];

		if (want->database != database || !want->interrupt)
			continue;
		if (want->interrupt_at <= now)
		{
			due[ndue++] = want->execution_id;
			want->interrupt_at = TimestampTzPlusMilliseconds(now, AGAIN_MS);
		}
		next = Min(next, want->interrupt_at);
	}
	LWLockRelease(vouch_registry_lock());
	for (int i = 0; i < ndue; i++)
		vouch_want_tell(database, &due[i], true);
	return next;
}
