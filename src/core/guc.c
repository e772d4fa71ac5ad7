/*
 * guc.c
 *	  Defines the settings.
 */
#include "postgres.h"

#include "core/guc.h"
#include "miscadmin.h"
#include "utils/guc.h"

char	   *vouch_guc_actor = NULL;
char	   *vouch_guc_databases = NULL;
int			vouch_guc_executor_idle_timeout = 60000;
int			vouch_guc_executor_max_steps = 100000;
int			vouch_guc_executors = 4;
int			vouch_guc_history_payload_limit = 2048;
bool		vouch_guc_inline_advance = true;
int			vouch_guc_max_branches = 100000;
int			vouch_guc_max_payload = 64 * 1024;
int			vouch_guc_poll_interval = 5000;
bool		vouch_guc_restoring = false;
int			vouch_guc_seal_interval = 10000;
bool		vouch_guc_workers = true;

void
vouch_guc_define(void)
{
	DefineCustomStringVariable("vouch.actor",
							   "Name of the person that a trusted application acts for.",
							   "Counts only when the session's login role was registered with vouch.register_application().",
							   &vouch_guc_actor, "", PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("vouch.databases",
							   "Databases whose workflows background workers advance, separated by commas.",
							   "Empty means every database that has the extension.",
							   &vouch_guc_databases, "", PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("vouch.executor_idle_timeout",
							"Time after which an executor that has nothing to do ends.",
							"The next one takes some 10 ms to start, when there is work again.",
							&vouch_guc_executor_idle_timeout, 60000, 10, 24 * 3600 * 1000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("vouch.executor_max_steps",
							"Steps after which an executor is replaced by a fresh process.",
							NULL, &vouch_guc_executor_max_steps, 100000, 1, PG_INT32_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("vouch.executors",
							"Executor processes a database and role may have at once.",
							"Each takes one of max_worker_processes while it runs.",
							&vouch_guc_executors, 4, 1, 64, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("vouch.history_payload_limit",
							"Size up to which inputs and outputs of states are kept in the history.",
							"Larger ones are shown as truncated; results that matter are kept where they belong.",
							&vouch_guc_history_payload_limit, 2048, 0, 1024 * 1024,
							PGC_SUSET, GUC_UNIT_BYTE, NULL, NULL, NULL);
	DefineCustomBoolVariable("vouch.inline_advance",
							 "Advances a workflow in the transaction of the person whose decision or signal it waited for.",
							 "Up to the next wait or the next activity; off leaves all work to the workers.",
							 &vouch_guc_inline_advance, true, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("vouch.max_branches",
							"Branches and iterations that one execution may have.",
							NULL, &vouch_guc_max_branches, 100000, 1, 10000000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("vouch.max_payload",
							"Size of the largest payload: an input, an output, a signal.",
							NULL, &vouch_guc_max_payload, 64 * 1024, 1, 256 * 1024,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("vouch.poll_interval",
							"Time between two sweeps for work that nobody announced.",
							"Announced work is taken up at once; the sweep is what makes a restart or a lost hint harmless.",
							&vouch_guc_poll_interval, 5000, 50, 3600 * 1000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomBoolVariable("vouch.restoring",
							 "Set while a dump is restored: nothing is advanced and guards stand aside.",
							 NULL, &vouch_guc_restoring, false, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("vouch.seal_interval",
							"Time between two looks for operations that can be sealed.",
							"0 leaves it to whoever calls vouch.seal().",
							&vouch_guc_seal_interval, 10000, 0, 24 * 3600 * 1000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomBoolVariable("vouch.workers",
							 "Lets background workers advance workflows.",
							 "ALTER DATABASE ... SET vouch.workers = off keeps them out of one database.",
							 &vouch_guc_workers, true, PGC_SUSET, 0, NULL, NULL, NULL);
}
