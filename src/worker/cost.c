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
#define SLOW_MS 5.0				/* from here on an activity has a transaction of its own */
#define WEIGHT 0.25				/* of the latest run in the average */

static float average[NSLOTS];
static bool declined = false;

static float *
slot_of(const char *resource)
{
	return &average[hash_bytes((const unsigned char *) resource, strlen(resource)) % NSLOTS];
}

static bool
may_run(const char *resource)
{
	if (*slot_of(resource) < SLOW_MS)
		return true;
	declined = true;
	return false;
}

static void
ran(const char *resource, double ms)
{
	float	   *slot = slot_of(resource);

	*slot = *slot == 0 ? ms : (1 - WEIGHT) * *slot + WEIGHT * ms;
}

void
vouch_cost_init(void)
{
	vouch_engine_may_run_hook = may_run;
	vouch_engine_ran_hook = ran;
}

bool
vouch_cost_declined(void)
{
	bool		result = declined;

	declined = false;
	return result;
}
