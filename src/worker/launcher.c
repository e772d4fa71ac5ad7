/*
 * launcher.c
 *	  The static process that starts a dispatcher per database, and what the
 *	  folder does when the library is preloaded.
 *
 * The launcher sees the shared catalogs only, so it cannot know which
 * databases have the extension: each gets a probe (dispatcher.c), which
 * disables the slot when it has not, until CREATE EXTENSION, a reload or the
 * next round asks again.  Nothing runs on a standby, since the postmaster
 * starts the launcher only after recovery.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "core/guc.h"
#include "core/module.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"
#include "worker/worker.h"

#define ROUND_MS 180000			/* between two looks at databases without the extension */
#define RESTART_S 5
#define MAX_STARTING 2			/* dispatchers that are being started at once */
#define NO_ROOM_MS 5000
#define MAX_BACKOFF_MS 60000

extern PGDLLEXPORT void vouch_launcher_main(Datum main_arg);

typedef struct Candidate
{
	Oid			oid;
	bool		wanted;			/* connectable, no template, in vouch.databases */
	const char *reason;			/* if not */
} Candidate;

/* Of dispatchers that this process has registered and that have not come yet. */
static BackgroundWorkerHandle *handles[VOUCH_MAX_DATABASES];
static uint32 handle_generations[VOUCH_MAX_DATABASES];

void
vouch_worker_init(void)
{
	BackgroundWorker worker;

	if (IsBinaryUpgrade)
		return;
	vouch_shmem_init();
	vouch_ddl_init();

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_S;
	strlcpy(worker.bgw_library_name, "vouch", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "vouch_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "vouch launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "vouch launcher", sizeof(worker.bgw_type));
	RegisterBackgroundWorker(&worker);
}

static void
detach(int code, Datum arg)
{
	pg_atomic_write_u32(&vouch_shared->launcher, 0);
}

/* Is a database named in vouch.databases, or is that empty? */
static bool
is_listed(const char *name)
{
	char	   *copy;
	List	   *names;
	ListCell   *cell;

	if (vouch_guc_databases == NULL || vouch_guc_databases[0] == '\0')
		return true;
	copy = pstrdup(vouch_guc_databases);
	if (!SplitIdentifierString(copy, ',', &names))
	{
		ereport(LOG,
				(errmsg("vouch.databases is not a list of names: \"%s\"", vouch_guc_databases)));
		return false;
	}
	foreach(cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

/* All databases; in the current memory context, which outlives the transaction. */
static List *
read_databases(void)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *result = NIL;
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext transaction = MemoryContextSwitchTo(context);
		Candidate  *candidate = palloc0(sizeof(Candidate));

		candidate->oid = form->oid;
		if (form->datistemplate)
			candidate->reason = "a template: a worker would be in the way of CREATE DATABASE";
		else if (!form->datallowconn || form->datconnlimit < -1)
			candidate->reason = "no connections are allowed";
		else if (!is_listed(NameStr(form->datname)))
			candidate->reason = "not one of vouch.databases";
		candidate->wanted = candidate->reason == NULL;
		result = lappend(result, candidate);
		MemoryContextSwitchTo(transaction);
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return result;
}

/* Prepares a slot for a database; needs the registry's lock. */
static void
reset_slot(VouchDatabase *slot, Oid oid)
{
	slot->state = VOUCH_DATABASE_ENABLED;
	slot->owner = InvalidOid;
	slot->pid = 0;
	slot->failures = 0;
	slot->not_before = slot->held_until = 0;
	slot->leave = slot->counted = slot->cautious = false;
	slot->reason[0] = '\0';
	pg_atomic_write_u32(&slot->dispatcher, 0);
	pg_atomic_write_u32(&slot->sweep, 0);
	pg_atomic_write_u32(&slot->recheck, 0);
	slot->wakes_at = DT_NOEND;
	slot->swept_at = 0;
	slot->next_due = DT_NOEND;
	slot->backlog = slot->deferred = 0;
	slot->head = slot->count = 0;
	slot->generation++;
	slot->oid = oid;
}

static Candidate *
find_candidate(List *candidates, Oid oid)
{
	ListCell   *cell;

	foreach(cell, candidates)
	{
		Candidate  *candidate = lfirst(cell);

		if (candidate->oid == oid)
			return candidate;
	}
	return NULL;
}

/* Brings the slots in line with the databases that there are. */
static void
update_slots(List *candidates, bool ask_all)
{
	ListCell   *cell;

	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	for (int i = 0; i < VOUCH_MAX_DATABASES; i++)
	{
		VouchDatabase *slot = &vouch_shared->databases[i];
		Candidate  *candidate = find_candidate(candidates, slot->oid);
		bool		has_process = slot->state == VOUCH_DATABASE_STARTING ||
			slot->state == VOUCH_DATABASE_STARTED;

		if (!OidIsValid(slot->oid))
			continue;
		if (candidate != NULL && candidate->wanted)
		{
			bool		asked = pg_atomic_read_u32(&slot->recheck) != 0;

			if (slot->state == VOUCH_DATABASE_DISABLED && (ask_all || asked))
			{
				pg_atomic_write_u32(&slot->recheck, 0);
				slot->state = VOUCH_DATABASE_ENABLED;
				slot->owner = InvalidOid;
				slot->leave = false;
			}
		}
		else if (has_process)
		{
			slot->leave = true;
			vouch_latch_set(pg_atomic_read_u32(&slot->dispatcher));
		}
		else if (candidate == NULL)
			slot->oid = InvalidOid;
		else
		{
			slot->state = VOUCH_DATABASE_DISABLED;
			strlcpy(slot->reason, candidate->reason, VOUCH_REASON_LEN);
		}
	}
	foreach(cell, candidates)
	{
		Candidate  *candidate = lfirst(cell);

		if (candidate->wanted && vouch_database_find(candidate->oid) == NULL)
		{
			VouchDatabase *slot = vouch_database_find(InvalidOid);

			if (slot == NULL)
			{
				LWLockRelease(vouch_registry_lock());
				ereport(LOG,
						(errmsg("Vouch works in %d databases at most", VOUCH_MAX_DATABASES),
						 errhint("Name those that use it in vouch.databases.")));
				return;
			}
			reset_slot(slot, candidate->oid);
		}
	}
	LWLockRelease(vouch_registry_lock());
}

/* A dispatcher could not be started: later. */
static void
start_failed(VouchDatabase *slot, int64 delay_ms, const char *reason)
{
	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	slot->state = VOUCH_DATABASE_ENABLED;
	slot->owner = InvalidOid;
	slot->generation++;			/* should it come after all, it is not meant */
	slot->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay_ms);
	strlcpy(slot->reason, reason, VOUCH_REASON_LEN);
	LWLockRelease(vouch_registry_lock());
}

/* Dispatchers that were registered and ended before they came. */
static int
reap(void)
{
	int			nstarting = 0;

	for (int i = 0; i < VOUCH_MAX_DATABASES; i++)
	{
		VouchDatabase *slot = &vouch_shared->databases[i];
		pid_t		pid;

		if (handles[i] == NULL)
			continue;
		if (slot->state == VOUCH_DATABASE_STARTING && slot->generation == handle_generations[i])
		{
			if (GetBackgroundWorkerPid(handles[i], &pid) != BGWH_STOPPED)
			{
				nstarting++;
				continue;
			}
			slot->failures++;
			start_failed(slot, Min(INT64CONST(1000) << Min(slot->failures - 1, 16), MAX_BACKOFF_MS),
						 "its dispatcher could not start: the server log says why");
		}
		pfree(handles[i]);
		handles[i] = NULL;
	}
	return nstarting;
}

static void
start(VouchDatabase *slot)
{
	int			index = slot - vouch_shared->databases;
	uint32		generation;
	MemoryContext scratch;

	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	slot->state = VOUCH_DATABASE_STARTING;
	slot->leave = false;
	generation = ++slot->generation;
	LWLockRelease(vouch_registry_lock());

	scratch = MemoryContextSwitchTo(TopMemoryContext);
	handles[index] = vouch_process_register("vouch_dispatcher_main", "vouch dispatcher",
											"vouch dispatcher", index, generation);
	MemoryContextSwitchTo(scratch);
	handle_generations[index] = generation;
	if (handles[index] == NULL)
		start_failed(slot, NO_ROOM_MS, "no free worker process: raise max_worker_processes");
}

/* Starts what is to be started; returns when to look again. */
static TimestampTz
start_dispatchers(TimestampTz now)
{
	TimestampTz wake = DT_NOEND;
	int			nstarting = reap();

	for (int i = 0; i < VOUCH_MAX_DATABASES; i++)
	{
		VouchDatabase *slot = &vouch_shared->databases[i];
		TimestampTz not_before = Max(slot->not_before, slot->held_until);

		if (!OidIsValid(slot->oid) || slot->state != VOUCH_DATABASE_ENABLED)
			continue;
		if (not_before > now)
			wake = Min(wake, not_before);
		else if (nstarting < MAX_STARTING)
		{
			start(slot);
			nstarting++;
			wake = Min(wake, TimestampTzPlusMilliseconds(now, NO_ROOM_MS));
		}
		/* else one of those that start ends or comes, which sets our latch */
	}
	return wake;
}

/*
 * What an earlier launcher registered and that has not come is nobody's.
 */
static void
forget_strangers(void)
{
	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	for (int i = 0; i < VOUCH_MAX_DATABASES; i++)
	{
		VouchDatabase *slot = &vouch_shared->databases[i];

		if (OidIsValid(slot->oid) && slot->state == VOUCH_DATABASE_STARTING && slot->pid == 0)
		{
			slot->state = VOUCH_DATABASE_ENABLED;
			slot->owner = InvalidOid;
			slot->generation++;
		}
	}
	LWLockRelease(vouch_registry_lock());
}

void
vouch_launcher_main(Datum main_arg)
{
	MemoryContext scratch;
	TimestampTz next_round = 0;
	uint32		wait_event = 0;

	vouch_process_begin(main_arg, NULL, NULL);
	on_shmem_exit(detach, (Datum) 0);
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	vouch_process_settings("vouch launcher");
	scratch = AllocSetContextCreate(TopMemoryContext, "vouch launcher", ALLOCSET_DEFAULT_SIZES);
	forget_strangers();
	pg_atomic_write_u32(&vouch_shared->launcher, vouch_my_procno() + 1);
	pg_memory_barrier();

	for (;;)
	{
		TimestampTz now;
		TimestampTz wake;

		ResetLatch(MyLatch);
		if (vouch_process_interrupts())
			next_round = 0;
		MemoryContextSwitchTo(scratch);
		MemoryContextReset(scratch);

		now = GetCurrentTimestamp();
		update_slots(read_databases(), now >= next_round);
		if (now >= next_round)
			next_round = TimestampTzPlusMilliseconds(now, ROUND_MS);
		wake = Min(start_dispatchers(now), next_round);
		vouch_process_wait(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), wake),
						   "VouchLauncherMain", &wait_event);
	}
}
