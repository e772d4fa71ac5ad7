/*
 * process.c
 *	  What every worker's process needs: being registered, signals, settings,
 *	  waiting.
 */
#include "postgres.h"

#include "access/xact.h"
#include "core/compat.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "worker/worker.h"

BackgroundWorkerHandle *
vouch_process_register(const char *function, const char *type, const char *name,
					   int index, uint32 generation)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;	/* one place decides: who registers */
	worker.bgw_main_arg = Int32GetDatum(index);
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, "vouch", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, function, sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, name, sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, type, sizeof(worker.bgw_type));
	memcpy(worker.bgw_extra, &generation, sizeof(generation));
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

void
vouch_process_begin(Datum main_arg, int *index, uint32 *generation)
{
	/* SIGINT stays what it is: it cancels a statement. */
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	if (index != NULL)
		*index = DatumGetInt32(main_arg);
	if (generation != NULL)
		memcpy(generation, MyBgworkerEntry->bgw_extra, sizeof(*generation));
}

static void
pin(const char *name, const char *value)
{
	if (GetConfigOption(name, true, false) != NULL)
		SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

void
vouch_process_settings(const char *application_name)
{
	pin("application_name", application_name);
	pin("default_transaction_isolation", "read committed");
	pin("default_transaction_read_only", "off");
	pin("default_transaction_deferrable", "off");
	pin("idle_in_transaction_session_timeout", "0");
	pin("transaction_timeout", "0");
}

void
vouch_process_start_transaction(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
vouch_process_commit(void)
{
	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	CommitTransactionCommand();
}

bool
vouch_process_interrupts(void)
{
	/* Between two pieces of work, being told to end is no news for the log. */
	if (ProcDiePending)
		proc_exit(1);
	CHECK_FOR_INTERRUPTS();
	if (!ConfigReloadPending)
		return false;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	return true;
}

void
vouch_process_wait(long timeout_ms, const char *event, uint32 *cache)
{
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;

	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
	if (timeout_ms >= 0)
		events |= WL_TIMEOUT;
	(void) WaitLatch(MyLatch, events, timeout_ms, vouch_wait_event(event, cache));
}
