/*
 * later.c
 *	  What a dispatcher keeps in its own memory for later: timers, tasks whose
 *	  row somebody else had, and executions that failed.
 *
 * All of it may be lost: the tables know the timers and what is ready.
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "worker/worker.h"

#define MAX_LATER 65536			/* beyond that, the next timer in the tables stands for the rest */
#define FIRST_DELAY_MS 1000
#define MAX_DELAY_MS 300000
#define MAX_DEATHS 3
#define FORGET_AFTER_MS 600000

/* An execution that failed, or whose process died in it. */
typedef struct Failure
{
	pg_uuid_t	execution_id;	/* key */
	int			failures;		/* in a row */
	int			deaths;
	TimestampTz until;
} Failure;

static MemoryContext later_context;
static VouchLater *heap = NULL; /* smallest due_at first */
static int	nheap = 0;
static int	maxheap = 0;
static HTAB *failures = NULL;

void
vouch_later_init(MemoryContext context)
{
	HASHCTL		control;

	later_context = context;
	maxheap = 256;
	heap = MemoryContextAlloc(context, maxheap * sizeof(VouchLater));
	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(pg_uuid_t);
	control.entrysize = sizeof(Failure);
	control.hcxt = context;
	failures = hash_create("vouch failures", 64, &control,
						   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void
vouch_later_add(const VouchLater *later)
{
	int			i;

	if (nheap == MAX_LATER)
		return;
	if (nheap == maxheap)
	{
		maxheap *= 2;
		heap = repalloc(heap, maxheap * sizeof(VouchLater));
	}
	i = nheap++;
	while (i > 0 && heap[(i - 1) / 2].due_at > later->due_at)
	{
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = *later;
}

bool
vouch_later_due(TimestampTz now, VouchLater *later)
{
	VouchLater	last;
	int			i = 0;

	if (nheap == 0 || heap[0].due_at > now)
		return false;
	*later = heap[0];
	last = heap[--nheap];
	for (;;)
	{
		int			child = 2 * i + 1;

		if (child >= nheap)
			break;
		if (child + 1 < nheap && heap[child + 1].due_at < heap[child].due_at)
			child++;
		if (heap[child].due_at >= last.due_at)
			break;
		heap[i] = heap[child];
		i = child;
	}
	if (nheap > 0)
		heap[i] = last;
	return true;
}

TimestampTz
vouch_later_next(void)
{
	return nheap > 0 ? heap[0].due_at : DT_NOEND;
}

int
vouch_later_count(void)
{
	return nheap;
}

TimestampTz
vouch_later_failed(VouchTask *task, bool died, TimestampTz now)
{
	bool		found;
	Failure    *failure = hash_search(failures, &task->execution_id, HASH_ENTER, &found);
	int64		delay;

	if (!found)
	{
		failure->failures = 0;
		failure->deaths = 0;
	}
	failure->failures++;
	if (died)
		failure->deaths++;
	task->flags = VOUCH_TASK_COUNTED |
		(failure->deaths > 0 ? VOUCH_TASK_STEPWISE : 0) |
		(failure->deaths >= MAX_DEATHS ? VOUCH_TASK_POISON : 0);
	delay = FIRST_DELAY_MS * (INT64CONST(1) << Min(failure->failures - 1, 16));
	failure->until = TimestampTzPlusMilliseconds(now, Min(delay, MAX_DELAY_MS));
	return failure->until;
}

void
vouch_later_succeeded(const VouchTask *task)
{
	(void) hash_search(failures, &task->execution_id, HASH_REMOVE, NULL);
}

bool
vouch_later_kept_back(const VouchTask *task, TimestampTz now)
{
	Failure    *failure = hash_search(failures, &task->execution_id, HASH_FIND, NULL);

	return failure != NULL && failure->until > now;
}

void
vouch_later_forget_old(TimestampTz now)
{
	HASH_SEQ_STATUS scan;
	Failure    *failure;

	hash_seq_init(&scan, failures);
	while ((failure = hash_seq_search(&scan)) != NULL)
		if (TimestampTzPlusMilliseconds(failure->until, FORGET_AFTER_MS) < now)
			hash_search(failures, &failure->execution_id, HASH_REMOVE, NULL);
}
