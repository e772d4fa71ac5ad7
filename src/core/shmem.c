/*
 * shmem.c
 *	  Makes the shared memory, and what is done to it from every process.
 */
#include "postgres.h"

#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "core/compat.h"
#include "core/shmem.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"

#define TRANCHE "vouch"
#define NLOCKS (1 + VOUCH_MAX_DATABASES + VOUCH_MAX_POOLS)

VouchShared *vouch_shared = NULL;
VouchPool  *vouch_my_pool = NULL;
VouchExecutor *vouch_my_executor = NULL;

static LWLockPadded *locks = NULL;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(VouchShared)));
	RequestNamedLWLockTranche(TRANCHE, NLOCKS);
}

/*
 * Did the server end without a shutdown?  Then a step may have ended it.  The
 * control file still says what was before; and memory that is made a second
 * time by the same postmaster is made after a crash.
 */
static bool
came_up_after_crash(void)
{
	static bool made_before = false;
	ControlFileData *control;
	bool		crc_ok;
	bool		result;

	if (made_before)
		return true;
	made_before = true;
	control = get_controlfile(DataDir, &crc_ok);
	result = crc_ok && control->state == DB_IN_PRODUCTION;
	pfree(control);
	return result;
}

static void
make_memory(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	vouch_shared = ShmemInitStruct("vouch", sizeof(VouchShared), &found);
	locks = GetNamedLWLockTranche(TRANCHE);
	if (!found)
	{
		memset(vouch_shared, 0, sizeof(VouchShared));
		pg_atomic_init_u32(&vouch_shared->launcher, 0);
		pg_atomic_init_u32(&vouch_shared->nwants, 0);
		for (int i = 0; i < VOUCH_MAX_EXECUTORS; i++)
		{
			pg_atomic_init_u32(&vouch_shared->executors[i].run, 0);
			pg_atomic_init_u32(&vouch_shared->executors[i].give_way, 0);
			pg_atomic_init_u32(&vouch_shared->executors[i].interrupt, 0);
		}
		for (int i = 0; i < VOUCH_MAX_DATABASES; i++)
		{
			pg_atomic_init_u32(&vouch_shared->databases[i].dispatcher, 0);
			pg_atomic_init_u32(&vouch_shared->databases[i].sweep, 0);
			pg_atomic_init_u32(&vouch_shared->databases[i].recheck, 0);
			pg_atomic_init_u32(&vouch_shared->databases[i].wake_seq, 0);
		}
		vouch_shared->unclean = came_up_after_crash();
	}
	LWLockRelease(AddinShmemInitLock);
}

void
vouch_shmem_init(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = make_memory;
}

LWLock *
vouch_registry_lock(void)
{
	return &locks[0].lock;
}

LWLock *
vouch_database_lock(const VouchDatabase *database)
{
	return &locks[1 + (database - vouch_shared->databases)].lock;
}

LWLock *
vouch_pool_lock(const VouchPool *pool)
{
	return &locks[1 + VOUCH_MAX_DATABASES + (pool - vouch_shared->pools)].lock;
}

VouchDatabase *
vouch_database_find(Oid database)
{
	for (int i = 0; i < VOUCH_MAX_DATABASES; i++)
		if (vouch_shared->databases[i].oid == database)
			return &vouch_shared->databases[i];
	return NULL;
}

VouchPool *
vouch_pool_find(Oid database, Oid role)
{
	for (int i = 0; i < VOUCH_MAX_POOLS; i++)
		if (vouch_shared->pools[i].role == role && vouch_shared->pools[i].database == database)
			return &vouch_shared->pools[i];
	return NULL;
}

/* A PGPROC always exists, so a stale number costs one spurious wake. */
void
vouch_latch_set(uint32 procno_plus_one)
{
	if (procno_plus_one != 0)
		SetLatch(&GetPGProcByNumber(procno_plus_one - 1)->procLatch);
}

void
vouch_wake_dispatcher(VouchDatabase *database)
{
	vouch_latch_set(pg_atomic_read_u32(&database->dispatcher));
}

void
vouch_ping_launcher(void)
{
	vouch_latch_set(pg_atomic_read_u32(&vouch_shared->launcher));
}

int
vouch_pool_push(VouchPool *pool, Oid database, Oid role, const VouchTask *tasks, int ntasks)
{
	int			taken = 0;
	uint32		executor = 0;
	bool		tell = false;

	LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
	if (pool->database != database || pool->role != role || pool->state == VOUCH_POOL_CLOSING)
	{
		LWLockRelease(vouch_pool_lock(pool));
		return -1;
	}
	if (pool->state == VOUCH_POOL_PARKED)
		taken = ntasks;
	else
	{
		while (taken < ntasks && pool->count < VOUCH_QUEUE)
		{
			pool->queue[(pool->head + pool->count) % VOUCH_QUEUE] = tasks[taken++];
			pool->count++;
		}
		if (taken < ntasks)
			pool->overflowed = true;

		/*
		 * One executor is woken; it wakes the next if it leaves something.  An
		 * executor that queues a single task for its own pool takes it itself.
		 */
		if (pool->count == 0 || (pool == vouch_my_pool && pool->count == 1))
			 /* nobody to wake */ ;
		else if (pool->nidle > 0)
		{
			VouchExecutor *chosen = &vouch_shared->executors[pool->idle[--pool->nidle]];

			chosen->state = VOUCH_EXECUTOR_BUSY;
			executor = chosen->procno;
		}
		else if (!pool->pressed)
		{
			pool->pressed = true;
			tell = true;
		}
	}
	LWLockRelease(vouch_pool_lock(pool));

	vouch_latch_set(executor);
	if (tell)
	{
		VouchDatabase *slot = vouch_database_find(database);

		if (slot != NULL)
			vouch_wake_dispatcher(slot);
	}
	return taken;
}

void
vouch_later_push(VouchDatabase *database, const VouchLater *later)
{
	bool		tell;

	LWLockAcquire(vouch_database_lock(database), LW_EXCLUSIVE);
	if (database->count < VOUCH_RING)
	{
		database->ring[(database->head + database->count) % VOUCH_RING] = *later;
		database->count++;
		/* A dispatcher that wakes before this is due need not be woken for it. */
		tell = later->due_at < database->wakes_at || database->count > VOUCH_RING / 2;
	}
	else
	{
		pg_atomic_write_u32(&database->sweep, 1);
		tell = true;
	}
	LWLockRelease(vouch_database_lock(database));
	if (tell)
		vouch_wake_dispatcher(database);
}
