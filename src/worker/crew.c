/*
 * crew.c
 *	  A dispatcher's pools and their executors: hands out backlogs, starts
 *	  executors where work waits, parks roles that cannot be logged in.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "core/guc.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "worker/worker.h"

#define PRESSED_MS 10			/* tasks that wait so long, while all have their hands full, get one more executor */
#define QUIET_MS 1000			/* with all executors there, look only so often */
#define PARKED_RECHECK_MS 10000
#define NO_ROOM_MS 1000			/* no free worker process, or no free pool */
#define MAX_START_DELAY_MS 60000

static VouchDatabase *database;
static MemoryContext crew_context;
static VouchCrew **crews = NULL;
static int	ncrews = 0;
static int	maxcrews = 0;

/* Of executors that this process has registered and that have not come yet. */
static BackgroundWorkerHandle *handles[VOUCH_MAX_EXECUTORS];
static uint32 handle_generations[VOUCH_MAX_EXECUTORS];

static void
set_reason(VouchPool *pool, const char *reason)
{
	strlcpy(pool->reason, reason, VOUCH_REASON_LEN);
}

/* Needs the registry's and the pool's lock. */
static void
free_executor(VouchPool *pool, VouchExecutor *executor)
{
	int16		index = executor - vouch_shared->executors;

	for (int m = 0; m < pool->nmembers; m++)
		if (pool->members[m] == index)
			pool->members[m--] = pool->members[--pool->nmembers];
	executor->state = VOUCH_EXECUTOR_FREE;
	executor->generation++;		/* should it come after all, it finds that it is not meant */
}

/*
 * Takes over what an earlier dispatcher of this database has left: executors
 * that run go on; those that it registered and that have not come are nobody's.
 */
void
vouch_crew_init(VouchDatabase *slot, MemoryContext context)
{
	database = slot;
	crew_context = context;

	for (int i = 0; i < VOUCH_MAX_POOLS; i++)
	{
		VouchPool  *pool = &vouch_shared->pools[i];
		Oid			role;

		LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
		LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
		role = pool->database == database->oid ? pool->role : InvalidOid;
		if (OidIsValid(role))
		{
			for (int m = pool->nmembers - 1; m >= 0; m--)
			{
				VouchExecutor *executor = &vouch_shared->executors[pool->members[m]];

				if (executor->state == VOUCH_EXECUTOR_STARTING && executor->procno == 0)
					free_executor(pool, executor);
			}
			pool->state = VOUCH_POOL_ACTIVE;
			pool->pressed = pool->overflowed = pool->refill = false;
			pool->start_failures = 0;
			set_reason(pool, "");
		}
		LWLockRelease(vouch_pool_lock(pool));
		LWLockRelease(vouch_registry_lock());
		if (OidIsValid(role))
			vouch_crew_of(role)->pool = pool;
	}
}

VouchCrew *
vouch_crew_of(Oid role)
{
	static VouchCrew *last = NULL;
	VouchCrew  *crew;

	if (last != NULL && last->role == role)
		return last;
	for (int i = 0; i < ncrews; i++)
		if (crews[i]->role == role)
			return last = crews[i];

	if (ncrews == maxcrews)
	{
		maxcrews = Max(16, maxcrews * 2);
		crews = crews == NULL
			? MemoryContextAlloc(crew_context, maxcrews * sizeof(VouchCrew *))
			: repalloc(crews, maxcrews * sizeof(VouchCrew *));
	}
	crew = MemoryContextAllocZero(crew_context, sizeof(VouchCrew));
	crew->role = role;
	crews[ncrews++] = crew;
	return last = crew;
}

void
vouch_crew_clear_backlogs(void)
{
	for (int i = 0; i < ncrews; i++)
		crews[i]->nbacklog = crews[i]->next = 0;
}

void
vouch_crew_add_backlog(VouchCrew *crew, const VouchTask *task)
{
	if (crew->next == crew->nbacklog)
		crew->next = crew->nbacklog = 0;
	if (crew->nbacklog == crew->maxbacklog)
	{
		crew->maxbacklog = Max(64, crew->maxbacklog * 2);
		crew->backlog = crew->backlog == NULL
			? MemoryContextAlloc(crew_context, crew->maxbacklog * sizeof(VouchTask))
			: repalloc(crew->backlog, crew->maxbacklog * sizeof(VouchTask));
	}
	crew->backlog[crew->nbacklog++] = *task;
}

int
vouch_crew_backlog(void)
{
	int			total = 0;

	for (int i = 0; i < ncrews; i++)
		total += crews[i]->nbacklog - crews[i]->next;
	return total;
}

/* Prepares a pool for this database's use; needs both locks. */
static void
reset_pool(VouchPool *pool, Oid role)
{
	pool->database = database->oid;
	pool->role = role;
	pool->state = VOUCH_POOL_ACTIVE;
	pool->nmembers = pool->nidle = 0;
	pool->pressed = pool->overflowed = pool->refill = false;
	pool->start_failures = 0;
	pool->emptied = 0;
	pool->head = pool->count = pool->nmarks = 0;
	set_reason(pool, "");
}

/*
 * The crew's pool, or NULL.  A pool without executors and tasks may have been
 * taken by another role; then, if the crew needs one, it gets another.
 */
static VouchPool *
pool_of(VouchCrew *crew, bool needed)
{
	VouchPool  *pool = crew->pool;

	if (pool != NULL && pool->database == database->oid && pool->role == crew->role)
		return pool;
	crew->pool = NULL;
	if (!needed)
		return NULL;

	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	/* A free one, else one that nobody uses now. */
	for (int round = 0; round < 2 && crew->pool == NULL; round++)
		for (int i = 0; i < VOUCH_MAX_POOLS && crew->pool == NULL; i++)
		{
			pool = &vouch_shared->pools[i];
			LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
			if (round == 0 ? !OidIsValid(pool->database)
				: pool->nmembers == 0 && pool->count == 0 && pool->state == VOUCH_POOL_ACTIVE)
			{
				reset_pool(pool, crew->role);
				crew->pool = pool;
			}
			LWLockRelease(vouch_pool_lock(pool));
		}
	LWLockRelease(vouch_registry_lock());
	crew->start_failures = 0;
	crew->pressed_since = 0;
	return crew->pool;
}

void
vouch_crew_give(VouchCrew *crew, const VouchTask *task)
{
	VouchPool  *pool = pool_of(crew, true);

	if (crew->next < crew->nbacklog || pool == NULL ||
		vouch_pool_push(pool, database->oid, crew->role, task, 1) <= 0)
		vouch_crew_add_backlog(crew, task);
}

/* Why the crew's role cannot be used, or NULL; its name, if it has one. */
static char *
obstacle_of(VouchCrew *crew, char **role_name)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *reason;

	vouch_process_start_transaction();
	reason = vouch_probe_role(crew->role);
	if (reason != NULL)
		reason = MemoryContextStrdup(context, reason);
	*role_name = GetUserNameFromId(crew->role, true);
	if (*role_name != NULL)
		*role_name = MemoryContextStrdup(context, *role_name);
	vouch_process_commit();
	MemoryContextSwitchTo(context);
	return reason;
}

/*
 * The server has no room for one more worker: an executor that idles, of any
 * role or database, makes some.
 */
static void
send_idle_one_home(void)
{
	for (int i = 0; i < VOUCH_MAX_POOLS; i++)
	{
		VouchPool  *pool = &vouch_shared->pools[i];
		uint32		procno = 0;

		LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
		if (OidIsValid(pool->database) && pool->nidle > 0 && pool->count == 0)
		{
			VouchExecutor *executor = &vouch_shared->executors[pool->idle[--pool->nidle]];

			executor->state = VOUCH_EXECUTOR_BUSY;
			executor->leave = true;
			procno = executor->procno;
		}
		LWLockRelease(vouch_pool_lock(pool));
		if (procno != 0)
		{
			vouch_latch_set(procno);
			return;
		}
	}
}

/* Takes an executor's slot for a pool; its index, or -1 when none is free. */
static int
take_slot(VouchPool *pool, uint32 *generation)
{
	int			index;

	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
	for (index = 0; index < VOUCH_MAX_EXECUTORS; index++)
		if (vouch_shared->executors[index].state == VOUCH_EXECUTOR_FREE)
			break;
	if (index == VOUCH_MAX_EXECUTORS || pool->nmembers == VOUCH_MAX_POOL_EXECUTORS)
		index = -1;
	else
	{
		VouchExecutor *executor = &vouch_shared->executors[index];

		executor->state = VOUCH_EXECUTOR_STARTING;
		executor->pool = pool - vouch_shared->pools;
		executor->pid = 0;
		executor->procno = 0;
		executor->leave = false;
		executor->steps = 0;
		executor->current = -1;
		executor->nin_hand = 0;
		*generation = ++executor->generation;
		pool->members[pool->nmembers++] = index;
	}
	LWLockRelease(vouch_pool_lock(pool));
	LWLockRelease(vouch_registry_lock());
	return index;
}

static void
give_slot_back(VouchPool *pool, int index, uint32 generation, bool failed)
{
	VouchExecutor *executor = &vouch_shared->executors[index];

	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
	if (executor->generation == generation && executor->state == VOUCH_EXECUTOR_STARTING)
	{
		free_executor(pool, executor);
		if (failed)
			pool->start_failures++;
	}
	LWLockRelease(vouch_pool_lock(pool));
	LWLockRelease(vouch_registry_lock());
}

static void
say(VouchPool *pool, VouchPoolState state, const char *reason)
{
	LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
	if (state == VOUCH_POOL_PARKED)
		pool->count = 0;		/* the sweep finds it again */
	pool->state = state;
	set_reason(pool, reason);
	LWLockRelease(vouch_pool_lock(pool));
}

/* Starts one executor, or parks the role, or waits until there is room. */
static void
start_executor(VouchCrew *crew, VouchPool *pool, TimestampTz now)
{
	char	   *role_name;
	char	   *reason = obstacle_of(crew, &role_name);
	uint32		generation;
	int			index;

	if (reason != NULL)
	{
		say(pool, VOUCH_POOL_PARKED, reason);
		crew->not_before = TimestampTzPlusMilliseconds(now, PARKED_RECHECK_MS);
		ereport(LOG,
				(errmsg("workflows of role %u wait: %s", crew->role, reason)));
		return;
	}

	index = take_slot(pool, &generation);
	if (index >= 0)
	{
		char	   *name = psprintf("vouch executor for %s", role_name);
		MemoryContext scratch = MemoryContextSwitchTo(crew_context);

		handles[index] = vouch_process_register("vouch_executor_main", "vouch executor",
												name, index, generation);
		MemoryContextSwitchTo(scratch);
		handle_generations[index] = generation;
		if (handles[index] == NULL)
		{
			give_slot_back(pool, index, generation, false);
			index = -1;
		}
	}
	if (index < 0)
	{
		say(pool, VOUCH_POOL_ACTIVE, "no free worker process: raise max_worker_processes");
		crew->not_before = TimestampTzPlusMilliseconds(now, NO_ROOM_MS);
		send_idle_one_home();
	}
}

/* Executors that were registered and ended before they came. */
static void
reap(void)
{
	for (int i = 0; i < VOUCH_MAX_EXECUTORS; i++)
	{
		VouchExecutor *executor = &vouch_shared->executors[i];
		pid_t		pid;

		if (handles[i] == NULL)
			continue;
		if (executor->generation == handle_generations[i] &&
			executor->state == VOUCH_EXECUTOR_STARTING)
		{
			BgwHandleStatus status = GetBackgroundWorkerPid(handles[i], &pid);

			if (status == BGWH_STARTED || status == BGWH_NOT_YET_STARTED)
				continue;
			give_slot_back(&vouch_shared->pools[executor->pool], i, handle_generations[i], true);
		}
		pfree(handles[i]);
		handles[i] = NULL;
	}
}

/* Puts as much of the backlog into the pool's queue as there is room for. */
static void
feed(VouchCrew *crew, VouchPool *pool)
{
	while (crew->next < crew->nbacklog)
	{
		int			room;
		int			taken;

		LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
		room = pool->state == VOUCH_POOL_PARKED ? VOUCH_QUEUE : VOUCH_QUEUE - pool->count;
		if (room == 0)
			pool->refill = true;
		LWLockRelease(vouch_pool_lock(pool));
		if (room == 0)
			return;
		taken = vouch_pool_push(pool, database->oid, crew->role,
								&crew->backlog[crew->next],
								Min(room, crew->nbacklog - crew->next));
		if (taken < 0)
			return;
		crew->next += taken;
	}
}

/* A role that was parked: can it be used now? */
static bool
unpark(VouchCrew *crew, VouchPool *pool, TimestampTz now)
{
	char	   *role_name;
	char	   *reason = obstacle_of(crew, &role_name);

	crew->not_before = TimestampTzPlusMilliseconds(now, PARKED_RECHECK_MS);
	if (reason != NULL)
	{
		say(pool, VOUCH_POOL_PARKED, reason);
		return false;
	}
	say(pool, VOUCH_POOL_ACTIVE, "");
	crew->not_before = 0;
	return true;
}

/*
 * Needs the pool's lock.  Is there an executor with nothing in hand?  It is
 * being started, or between two batches, and takes what waits.
 */
static bool
has_free_hands(VouchPool *pool)
{
	for (int m = 0; m < pool->nmembers; m++)
	{
		VouchExecutor *executor = &vouch_shared->executors[pool->members[m]];

		if (executor->nin_hand == 0 && !executor->leave)
			return true;
	}
	return false;
}

static TimestampTz
tend_one(VouchCrew *crew, TimestampTz now, bool *sweep)
{
	VouchPool  *pool = pool_of(crew, crew->next < crew->nbacklog);
	bool		wanted;			/* tasks wait, and no executor is idle */
	bool		free_hands;		/* but one is about to take them */
	bool		nobody_woken;	/* tasks wait, and an executor is idle */
	bool		busy;
	int			nmembers;
	int			start_failures;

	if (pool == NULL)
		return crew->next < crew->nbacklog ? TimestampTzPlusMilliseconds(now, NO_ROOM_MS) : DT_NOEND;

	if (pool->state == VOUCH_POOL_PARKED)
	{
		if (now < crew->not_before)
			return crew->not_before;
		if (!unpark(crew, pool, now))
			return crew->not_before;
		*sweep = true;
	}
	feed(crew, pool);

	LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
	vouch_pool_prune(pool);
	nmembers = pool->nmembers;
	free_hands = has_free_hands(pool);
	start_failures = pool->start_failures;
	wanted = pool->count > 0 && pool->nidle == 0;
	nobody_woken = pool->count > 0 && pool->nidle > 0;
	busy = wanted || pool->emptied != crew->emptied;
	if (pool->emptied != crew->emptied)
		crew->pressed_since = 0;
	crew->emptied = pool->emptied;

	/*
	 * While tasks come and go we look every now and then, and nobody need tell
	 * us; when all is quiet, the next push does.
	 */
	pool->pressed = busy;
	if (pool->overflowed && pool->count < VOUCH_LOW_WATER && crew->next == crew->nbacklog)
	{
		pool->overflowed = false;
		*sweep = true;
	}
	LWLockRelease(vouch_pool_lock(pool));

	/* Someone queued a task for itself and left before taking it. */
	if (nobody_woken)
		vouch_pool_push(pool, database->oid, crew->role, NULL, 0);

	if (start_failures > crew->start_failures)
	{
		int64		delay = INT64CONST(1000) << Min(start_failures - 1, 16);

		crew->not_before = TimestampTzPlusMilliseconds(now, Min(delay, MAX_START_DELAY_MS));
		say(pool, VOUCH_POOL_ACTIVE, "its executor could not start: the server log says why");
	}
	else if (start_failures == 0 && pool->reason[0] != '\0' && nmembers > 0)
		say(pool, VOUCH_POOL_ACTIVE, "");
	crew->start_failures = start_failures;

	if (!wanted || free_hands)
		crew->pressed_since = 0;
	if (!busy)
		return DT_NOEND;
	if (nmembers >= vouch_guc_executors)
		return wanted ? DT_NOEND : TimestampTzPlusMilliseconds(now, QUIET_MS);
	if (now < crew->not_before)
		return crew->not_before;
	if (wanted && !free_hands)
	{
		if (nmembers == 0 ||
			(crew->pressed_since != 0 &&
			 now >= TimestampTzPlusMilliseconds(crew->pressed_since, PRESSED_MS)))
		{
			start_executor(crew, pool, now);
			crew->pressed_since = 0;
		}
		else if (crew->pressed_since == 0)
			crew->pressed_since = now;
	}
	return TimestampTzPlusMilliseconds(now, PRESSED_MS);
}

TimestampTz
vouch_crew_tend(TimestampTz now, bool *sweep)
{
	TimestampTz wake = DT_NOEND;

	reap();
	for (int i = 0; i < ncrews; i++)
		wake = Min(wake, tend_one(crews[i], now, sweep));
	return wake;
}

void
vouch_crew_dismiss(const VouchDatabase *of)
{
	for (int i = 0; i < VOUCH_MAX_POOLS; i++)
	{
		VouchPool  *pool = &vouch_shared->pools[i];

		LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
		LWLockAcquire(vouch_pool_lock(pool), LW_EXCLUSIVE);
		if (pool->database == of->oid)
		{
			pool->state = VOUCH_POOL_CLOSING;
			pool->count = 0;
			pool->nidle = 0;
			for (int m = pool->nmembers - 1; m >= 0; m--)
			{
				VouchExecutor *executor = &vouch_shared->executors[pool->members[m]];

				if (executor->state == VOUCH_EXECUTOR_STARTING && executor->procno == 0)
					free_executor(pool, executor);
				else
				{
					executor->leave = true;
					if (executor->state == VOUCH_EXECUTOR_IDLE)
						executor->state = VOUCH_EXECUTOR_BUSY;
					vouch_latch_set(executor->procno);
				}
			}
			if (pool->nmembers == 0)
				pool->database = pool->role = InvalidOid;
		}
		LWLockRelease(vouch_pool_lock(pool));
		LWLockRelease(vouch_registry_lock());
	}
}
