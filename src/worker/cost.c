/*
 * cost.c
 *	  Learns how long each function takes, so that long activities do not hold
 *	  up what shares their transaction.
 *
 * Kept for a process, in a table that functions share by their hash: whoever
 * is taken for slow by mistake gets a commit of its own, no more.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "engine/engine.h"
#include "worker/worker.h"

#define NSLOTS 1024
#define SLOW_MS 5.0				/* from here on an activity shares no transaction with other executions */
#define LONG_MS 100.0			/* from here on it does not with anything else, either */
#define WEIGHT 0.25				/* of the latest run in the average */

static float average[NSLOTS];
static bool declined = false;

static float *
slot_of(const char *resource)
{
	return &average[hash_bytes((const unsigned char *) resource, strlen(resource)) % NSLOTS];
}

/* 0: never run; whoever runs it for the first time does not know */
static bool
is_long(const char *resource)
{
	float		ms = *slot_of(resource);

	return ms == 0 || ms >= LONG_MS;
}

static bool
may_run(const char *resource)
{
	float		ms = *slot_of(resource);

	if (ms > 0 && ms < SLOW_MS)
		return true;
	declined = true;
	return false;
}

static void
ran(const char *resource, double ms)
{
	float	   *slot = slot_of(resource);

	ms = Max(ms, 0.001);
	*slot = *slot == 0 ? ms : (1 - WEIGHT) * *slot + WEIGHT * ms;
}

void
vouch_cost_init(void)
{
	vouch_engine_may_run_hook = may_run;
	vouch_engine_is_long_hook = is_long;
	vouch_engine_ran_hook = ran;
}

bool
vouch_cost_declined(void)
{
	bool		result = declined;

	declined = false;
	return result;
}
