/*
 * sealer.c
 *	  Has the dispatcher seal the log every vouch.seal_interval.
 *
 * An error here (a leaf that was tampered with, say) must not keep workflows
 * from being advanced: it is logged, and sealing tried again, ever less often.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "core/guc.h"
#include "core/stmt.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "worker/worker.h"

#define MAX_DELAY_MS 600000

static VouchStmt seal = {
	"SELECT vouch.seal()",
	SPI_OK_SELECT, 0, {0}
};

static TimestampTz last_seal = 0;
static int	failures = 0;

static void
seal_now(void)
{
	MemoryContext caller = CurrentMemoryContext;

	pgstat_report_activity(STATE_RUNNING, "vouch: sealing the log");
	PG_TRY();
	{
		vouch_process_start_transaction();
		if (vouch_probe_obstacle() == NULL)
		{
			SPI_connect();
			vouch_stmt_run_one(&seal, NULL, NULL);
			SPI_finish();
		}
		vouch_process_commit();
		failures = 0;
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(caller);
		EmitErrorReport();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(caller);
		FlushErrorState();
		RESUME_INTERRUPTS();
		failures++;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
}

TimestampTz
vouch_sealer_tend(TimestampTz now)
{
	int64		delay = vouch_guc_seal_interval;

	if (delay == 0)
		return DT_NOEND;
	if (failures > 0)
		delay = Max(delay, Min(delay << Min(failures, 16), MAX_DELAY_MS));
	if (last_seal == 0)
		last_seal = now;
	if (now < TimestampTzPlusMilliseconds(last_seal, delay))
		return TimestampTzPlusMilliseconds(last_seal, delay);
	seal_now();
	last_seal = GetCurrentTimestamp();
	return TimestampTzPlusMilliseconds(last_seal, Max(delay, 1));
}
