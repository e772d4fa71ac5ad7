/*
 * wake.c
 *	  Hands hints to the workers after commit.
 *
 * Hints are collected in a small array of the backend and handed over by a
 * transaction callback, which is registered once per backend: it runs after
 * the transaction became visible, with interrupts held, so it takes light
 * locks only, allocates nothing and raises nothing.  A prepared transaction
 * hands over nothing; the sweep finds its work after COMMIT PREPARED.
 */
#include "postgres.h"

#include "access/xact.h"
#include "core/shmem.h"
#include "core/wake.h"
#include "core/want.h"
#include "miscadmin.h"

/* Of libpq/libpq.h, which takes GSSAPI's headers to include. */
extern bool pq_check_connection(void);

#define MAX_HINTS 64
#define MAX_RUNNERS 64			/* others look when they have ended a transaction by themselves */

static VouchHint hints[MAX_HINTS];
static int	nhints = 0;
static bool overflow = false;	/* more than that: the dispatcher sweeps */
static bool recheck = false;	/* the extension came or went */
static struct
{
	pg_uuid_t	execution_id;
	bool		interrupt;
}			runners[MAX_RUNNERS];
static int	nrunners = 0;

static VouchDatabase *
my_database(void)
{
	static VouchDatabase *slot = NULL;

	/* While this backend is connected the database stays, and so does its slot. */
	if (slot == NULL)
		slot = vouch_database_find(MyDatabaseId);
	return slot;
}

static void
hand_over_hint(VouchDatabase *database, const VouchHint *hint, TimestampTz now)
{
	VouchLater	later;

	memset(&later, 0, sizeof(later));
	later.task.execution_id = hint->execution_id;
	later.task.bucket = hint->bucket;
	later.role = hint->run_as;
	later.kind = VOUCH_LATER_HINT;
	later.due_at = hint->due_at;

	if (hint->due_at <= now)
	{
		VouchPool  *pool = vouch_pool_find(database->oid, hint->run_as);
		int			taken = -1;

		if (pool != NULL)
			taken = vouch_pool_push(pool, database->oid, hint->run_as, &later.task, 1);
		if (taken >= 0)
			return;				/* a full queue has noted that it lost something */
		later.due_at = 0;
	}
	vouch_later_push(database, &later);
}

static void
hand_over(void)
{
	VouchDatabase *database = my_database();

	if (recheck)
	{
		if (database != NULL)
			pg_atomic_write_u32(&database->recheck, 1);
		vouch_ping_launcher();
	}
	/* A dispatcher that is not there yet sweeps when it comes. */
	if (database == NULL || pg_atomic_read_u32(&database->dispatcher) == 0)
		return;
	if (nhints > 0)
	{
		TimestampTz now = GetCurrentTimestamp();

		for (int i = 0; i < nhints; i++)
			hand_over_hint(database, &hints[i], now);
		pg_atomic_fetch_add_u32(&database->wake_seq, 1);
	}
	for (int i = 0; i < nrunners; i++)
		vouch_want_tell(MyDatabaseId, &runners[i].execution_id, runners[i].interrupt);
	if (overflow)
		pg_atomic_write_u32(&database->sweep, 1);
	if (overflow || recheck)
		vouch_wake_dispatcher(database);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			if (nhints > 0 || overflow || recheck || nrunners > 0)
				hand_over();
			/* FALLTHROUGH */
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			nhints = 0;
			nrunners = 0;
			overflow = false;
			recheck = false;
			break;
		default:
			break;
	}
}

static void
register_callback(void)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		registered = true;
	}
}

void
vouch_wake(Oid run_as, int bucket, const pg_uuid_t *execution_id, TimestampTz due_at)
{
	if (!vouch_wake_available() || overflow)
		return;
	register_callback();

	for (int i = nhints - 1; i >= 0; i--)
		if (hints[i].due_at == due_at && hints[i].run_as == run_as &&
			memcmp(&hints[i].execution_id, execution_id, sizeof(pg_uuid_t)) == 0)
			return;
	if (nhints == MAX_HINTS)
	{
		overflow = true;
		return;
	}
	hints[nhints].database = MyDatabaseId;
	hints[nhints].run_as = run_as;
	hints[nhints].bucket = bucket;
	hints[nhints].execution_id = *execution_id;
	hints[nhints].due_at = due_at;
	nhints++;
}

void
vouch_check_client(void)
{
	if (MyProcPort != NULL && !pq_check_connection())
	{
		ClientConnectionLost = true;
		InterruptPending = true;
	}
	CHECK_FOR_INTERRUPTS();
}

void
vouch_wake_runner(const pg_uuid_t *execution_id, bool interrupt)
{
	if (!vouch_wake_available() || nrunners == MAX_RUNNERS)
		return;
	register_callback();
	runners[nrunners].execution_id = *execution_id;
	runners[nrunners++].interrupt = interrupt;
}

void
vouch_wake_launcher(void)
{
	if (!vouch_wake_available())
		return;
	register_callback();
	recheck = true;
}

bool
vouch_wake_available(void)
{
	return vouch_shared != NULL;
}
