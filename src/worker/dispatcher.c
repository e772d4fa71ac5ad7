/*
 * dispatcher.c
 *	  One process per database that has the extension: finds work, hands it to
 *	  the executors of the role that it is for, and waits.
 *
 * Work is found in two ways: hints, which say that something was committed,
 * and the sweep, which looks into the tables: at the start, when hints were
 * lost, when a timer is due, and every vouch.poll_interval.  Hints for a role
 * that has a pool go to its queue directly and do not pass through here.
 *
 * A dispatcher is logged in as the extension's owner.  Who that is, only this
 * database's catalogs tell, so a first process, the probe, logs in as the
 * bootstrap superuser, reads them, and ends.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "core/event.h"
#include "core/guc.h"
#include "core/stmt.h"
#include "core/want.h"
#include "engine/engine.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "worker/worker.h"

#define MAX_WORK 65536			/* what one sweep takes */
#define MAX_DEADLINES 1000		/* likewise, of requests whose time has come */
#define MIN_SWEEP_MS 5			/* between two sweeps for timers */
#define LOST_HINTS_MS 500		/* between two sweeps for lost hints while there is a backlog */
#define CAUTIOUS_MS 10000		/* how long, at least, after a crash */
#define MIN_BUSY_MS 5			/* before a row is tried again that somebody else had */
#define MAX_BUSY_MS 50
#define VERY_BUSY 100			/* times; then it is tried less often */
#define VERY_BUSY_MS 500
#define STABLE_MS 60000			/* having run so long ends a series of failures */
#define MAX_BACKOFF_MS 60000

extern PGDLLEXPORT void vouch_dispatcher_main(Datum main_arg);

static VouchDatabase *database = NULL;
static uint32 my_generation;
static TimestampTz started_at;
static TimestampTz next_sweep = 0;	/* by vouch.poll_interval, or for a timer */
static TimestampTz swept_at = 0;
static bool more_in_tables = false; /* the last sweep took all that it could */
static bool wanted_sweep = true;

/* At exit.  Unless this end was decided on, the launcher starts another. */
static void
detach(int code, Datum arg)
{
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	if (database->generation == my_generation)
	{
		pg_atomic_write_u32(&database->dispatcher, 0);
		database->pid = 0;
		if (database->state == VOUCH_DATABASE_STARTING ||
			database->state == VOUCH_DATABASE_STARTED)
		{
			database->state = VOUCH_DATABASE_ENABLED;
			database->owner = InvalidOid;
			if (database->held_until < now)
			{
				int			failures = database->failures++;

				database->not_before =
					TimestampTzPlusMilliseconds(now, Min(INT64CONST(1000) << Min(failures, 16),
														 MAX_BACKOFF_MS));
				strlcpy(database->reason, "its dispatcher ended: the server log says why",
						VOUCH_REASON_LEN);
			}
		}
	}
	LWLockRelease(vouch_registry_lock());
	vouch_latch_set(pg_atomic_read_u32(&vouch_shared->launcher));
}

/* Ends this process with a state that the launcher acts on. */
static void
leave(VouchDatabaseState state, Oid owner, const char *reason)
{
	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	if (database->generation == my_generation)
	{
		database->state = state;
		database->owner = owner;
		strlcpy(database->reason, reason, VOUCH_REASON_LEN);
	}
	LWLockRelease(vouch_registry_lock());
	if (state == VOUCH_DATABASE_DISABLED)
		vouch_crew_dismiss(database);
	proc_exit(0);
}

/* The first process for a database: finds the extension's owner. */
static void
probe(void)
{
	char	   *reason;
	char	   *role_reason = NULL;
	Oid			owner = InvalidOid;

	BackgroundWorkerInitializeConnectionByOid(database->oid, InvalidOid, 0);
	vouch_process_settings("vouch dispatcher");
	vouch_process_start_transaction();
	reason = vouch_probe_obstacle();
	if (reason == NULL)
	{
		owner = vouch_owner_find();
		role_reason = vouch_probe_role(owner);
		if (role_reason != NULL)
			reason = psprintf("the extension's owner is needed: %s", role_reason);
	}
	if (reason != NULL)
		reason = MemoryContextStrdup(TopMemoryContext, reason);
	vouch_process_commit();

	if (reason != NULL)
		leave(VOUCH_DATABASE_DISABLED, InvalidOid, reason);
	leave(VOUCH_DATABASE_ENABLED, owner, "");
}

static int
busy_delay(int times)
{
	if (times > VERY_BUSY)
		return VERY_BUSY_MS;
	return Min(MIN_BUSY_MS << Min(times > 0 ? times - 1 : 0, 8), MAX_BUSY_MS);
}

/* What to do with one message of the ring. */
static void
take_in(VouchLater *later, TimestampTz now)
{
	VouchPool  *pool;

	switch (later->kind)
	{
		case VOUCH_LATER_HINT:
			break;
		case VOUCH_LATER_BUSY:
			later->due_at = TimestampTzPlusMilliseconds(now, busy_delay(later->task.busy));
			break;
		case VOUCH_LATER_FAILED:
		case VOUCH_LATER_DIED:
			later->due_at = vouch_later_failed(&later->task, later->kind == VOUCH_LATER_DIED, now);
			pool = vouch_pool_find(database->oid, later->role);
			if (pool != NULL)
				vouch_pool_mark(pool, later->role, &later->task, later->due_at);
			break;
		case VOUCH_LATER_SUCCEEDED:
			vouch_later_succeeded(&later->task);
			return;
	}
	if (later->due_at <= now)
		vouch_crew_give(vouch_crew_of(later->role), &later->task);
	else
		vouch_later_add(later);
}

/* Empties the ring.  Returns whether there was something in it. */
static bool
drain(MemoryContext scratch)
{
	VouchLater *taken = MemoryContextAlloc(scratch, VOUCH_RING * sizeof(VouchLater));
	TimestampTz now = GetCurrentTimestamp();
	int			n;

	LWLockAcquire(vouch_database_lock(database), LW_EXCLUSIVE);
	n = database->count;
	for (int i = 0; i < n; i++)
		taken[i] = database->ring[(database->head + i) % VOUCH_RING];
	database->head = (database->head + n) % VOUCH_RING;
	database->count = 0;
	database->wakes_at = DT_NOEND;	/* awake: whoever pushes may as well set the latch */
	LWLockRelease(vouch_database_lock(database));

	for (int i = 0; i < n; i++)
		take_in(&taken[i], now);
	return n > 0;
}

static void
hand_out_due(TimestampTz now)
{
	VouchLater	later;

	while (vouch_later_due(now, &later))
		vouch_crew_give(vouch_crew_of(later.role), &later.task);
}

/*
 * Looks into the tables.  Also where we notice that the extension has gone, or
 * that the workers are not to run here.
 */
static void
sweep(MemoryContext scratch)
{
	VouchWork  *work = MemoryContextAlloc(scratch, MAX_WORK * sizeof(VouchWork));
	TimestampTz next_due = DT_NOEND;
	TimestampTz next_deadline = DT_NOEND;
	TimestampTz now;
	char	   *reason;
	int			n = 0;

	pg_atomic_write_u32(&database->sweep, 0);
	pg_atomic_write_u32(&database->recheck, 0);
	wanted_sweep = false;
	pgstat_report_activity(STATE_RUNNING, "vouch: looking for work");
	vouch_process_start_transaction();
	reason = vouch_probe_obstacle();
	if (reason == NULL)
	{
		if (!database->counted)
		{
			database->cautious = vouch_suspect_count(vouch_shared->unclean);
			database->counted = true;
		}
		/* First what time does to requests: executions may go on from there. */
		if (vouch_deadlines_hook != NULL)
			(void) vouch_deadlines_hook(MAX_DEADLINES, &next_deadline);
		n = vouch_engine_find_work(InvalidOid, work, MAX_WORK, &next_due);
		next_due = Min(next_due, next_deadline);

		/*
		 * A dump restores "adoption" before what depends on it: if the tables
		 * that we have just read came from elsewhere, now we see that.
		 */
		reason = vouch_probe_obstacle();
	}
	if (reason != NULL)
		reason = MemoryContextStrdup(TopMemoryContext, reason);
	vouch_process_commit();
	if (reason != NULL)
		leave(VOUCH_DATABASE_DISABLED, InvalidOid, reason);

	now = GetCurrentTimestamp();
	MemoryContextSwitchTo(scratch);
	vouch_later_forget_old(now);
	vouch_crew_clear_backlogs();
	for (int i = 0; i < n; i++)
	{
		VouchTask	task;

		memset(&task, 0, sizeof(task));
		task.bucket = work[i].bucket;
		task.execution_id = work[i].execution_id;
		if (!vouch_later_kept_back(&task, now))
			vouch_crew_add_backlog(vouch_crew_of(work[i].run_as), &task);
	}
	pfree(work);

	swept_at = now;
	more_in_tables = n == MAX_WORK;
	next_sweep = TimestampTzPlusMilliseconds(now, vouch_guc_poll_interval);
	if (next_due < next_sweep)
		next_sweep = Max(next_due, TimestampTzPlusMilliseconds(now, MIN_SWEEP_MS));

	LWLockAcquire(vouch_database_lock(database), LW_EXCLUSIVE);
	database->swept_at = now;
	database->next_due = next_due;
	LWLockRelease(vouch_database_lock(database));
}

/* Is it time to look into the tables? */
static bool
sweep_is_due(TimestampTz now)
{
	if (wanted_sweep || now >= next_sweep || pg_atomic_read_u32(&database->recheck) != 0)
		return true;
	if (vouch_crew_backlog() == 0)
		return more_in_tables || pg_atomic_read_u32(&database->sweep) != 0;
	return pg_atomic_read_u32(&database->sweep) != 0 &&
		now >= TimestampTzPlusMilliseconds(swept_at, LOST_HINTS_MS);
}

/* Nothing that was ready when the server came up after a crash is left. */
static void
end_caution(TimestampTz now)
{
	if (!database->cautious || now < TimestampTzPlusMilliseconds(started_at, CAUTIOUS_MS) ||
		more_in_tables || vouch_crew_backlog() > 0)
		return;
	for (int i = 0; i < VOUCH_MAX_POOLS; i++)
		if (vouch_shared->pools[i].database == database->oid &&
			(vouch_shared->pools[i].count > 0 ||
			 vouch_shared->pools[i].nidle < vouch_shared->pools[i].nmembers))
			return;
	database->cautious = false;

	/* A process that ended left its marks: the next crash is none of theirs. */
	vouch_process_start_transaction();
	if (vouch_probe_obstacle() == NULL)
		vouch_suspect_forget();
	vouch_process_commit();
}

static void
run(MemoryContext scratch)
{
	uint32		wait_event = 0;

	for (;;)
	{
		TimestampTz now;
		TimestampTz wake;
		bool		again;

		ResetLatch(MyLatch);	/* before looking: what comes later sets it again */
		if (vouch_process_interrupts())
			wanted_sweep = true;
		MemoryContextSwitchTo(scratch);
		MemoryContextReset(scratch);
		if (database->leave)
			leave(VOUCH_DATABASE_DISABLED, InvalidOid, "not one of vouch.databases");

		drain(scratch);
		now = GetCurrentTimestamp();
		hand_out_due(now);
		if (sweep_is_due(now))
			sweep(scratch);
		wake = vouch_crew_tend(now, &wanted_sweep);
		if (wanted_sweep || (more_in_tables && vouch_crew_backlog() == 0))
			continue;
		end_caution(now);
		wake = Min(wake, vouch_sealer_tend(now));
		wake = Min(wake, vouch_want_tend(database->oid, now));
		if (database->failures > 0 && now > TimestampTzPlusMilliseconds(started_at, STABLE_MS))
			database->failures = 0;

		wake = Min(wake, next_sweep);
		wake = Min(wake, vouch_later_next());
		if (database->cautious)
			wake = Min(wake, TimestampTzPlusMilliseconds(now, CAUTIOUS_MS));
		if (pg_atomic_read_u32(&database->sweep) != 0)
			wake = Min(wake, TimestampTzPlusMilliseconds(swept_at, LOST_HINTS_MS));

		/* A hint that is due after this need not wake us. */
		LWLockAcquire(vouch_database_lock(database), LW_EXCLUSIVE);
		again = database->count > 0;
		database->wakes_at = again ? DT_NOEND : wake;
		database->backlog = vouch_crew_backlog();
		database->deferred = vouch_later_count();
		LWLockRelease(vouch_database_lock(database));
		if (again)
			continue;

		vouch_process_wait(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), wake),
						   "VouchDispatcherMain", &wait_event);
	}
}

static void
error_context(void *arg)
{
	errcontext("Vouch's dispatcher of database %u", database->oid);
}

/* main_arg is the database's slot. */
void
vouch_dispatcher_main(Datum main_arg)
{
	ErrorContextCallback context = {.previous = error_context_stack,.callback = error_context};
	MemoryContext scratch;
	bool		mine;
	Oid			owner;
	int			index;

	vouch_process_begin(main_arg, &index, &my_generation);
	database = &vouch_shared->databases[index];
	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	mine = database->generation == my_generation && database->state == VOUCH_DATABASE_STARTING;
	owner = database->owner;
	if (mine)
		database->pid = MyProcPid;
	LWLockRelease(vouch_registry_lock());
	if (!mine)
		proc_exit(0);
	on_shmem_exit(detach, (Datum) 0);
	error_context_stack = &context;

	if (!OidIsValid(owner))
		probe();

	BackgroundWorkerInitializeConnectionByOid(database->oid, owner, 0);
	vouch_process_settings("vouch dispatcher");
	started_at = GetCurrentTimestamp();
	scratch = AllocSetContextCreate(TopMemoryContext, "vouch dispatcher", ALLOCSET_DEFAULT_SIZES);
	vouch_later_init(TopMemoryContext);
	vouch_crew_init(database, TopMemoryContext);

	/* From here on backends tell us; what they committed before, the first sweep finds. */
	LWLockAcquire(vouch_database_lock(database), LW_EXCLUSIVE);
	database->head = database->count = 0;
	database->wakes_at = DT_NOEND;
	LWLockRelease(vouch_database_lock(database));
	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	database->state = VOUCH_DATABASE_STARTED;
	database->reason[0] = '\0';
	LWLockRelease(vouch_registry_lock());
	pg_atomic_write_u32(&database->dispatcher, vouch_my_procno() + 1);
	pg_memory_barrier();

	run(scratch);
}
