/*
 * wake.c
 *	  Hands hints to the workers after commit.
 */
#include "postgres.h"

#include "core/wake.h"

void
vouch_wake(Oid run_as, int bucket, const pg_uuid_t *execution_id, TimestampTz due_at)
{
}

void
vouch_wake_launcher(void)
{
}

bool
vouch_wake_available(void)
{
	return false;
}
