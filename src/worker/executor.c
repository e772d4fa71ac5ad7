/*
 * executor.c
 *	  A process that is logged in as the role of workflows, and advances them.
 *
 * It takes tasks from its pool and advances several executions per commit,
 * without a subtransaction each.  When one fails, the transaction is rolled
 * back and each is advanced again in a transaction of its own, carefully: then
 * the engine turns an activity's error into what the workflow does about it.
 * What fails even so is our own trouble: it is logged, and the dispatcher
 * tries the execution again after a while.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "core/actor.h"
#include "core/guc.h"
#include "core/id.h"
#include "core/stmt.h"
#include "engine/engine.h"
#include "jit/jit.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/timeout.h"
#include "worker/worker.h"

#define BATCH_MS 20.0			/* a transaction that has lasted so long takes no more tasks */
#define POISON_CAUSE "the process that ran this activity ended in it, several times"
#define CRASH_CAUSE "the server crashed while it ran this activity, several times"
#define MAX_CRASHES 2

extern PGDLLEXPORT void vouch_executor_main(Datum main_arg);

static VouchDatabase *database;
static Oid	database_oid;
static Oid	role_oid;
static char *database_name = "?";
static char *role_name = "?";
static const VouchTask *running = NULL; /* for the error context */

/* What became of a task. */
typedef struct TaskResult
{
	VouchAdvanceOutcome outcome;
	bool		failed;
} TaskResult;

static void
error_context(void *arg)
{
	const VouchActing *acting = vouch_actor_acting();

	if (acting != NULL && acting->workflow_id != NULL)
		errcontext("activity \"%s\" of workflow \"%s\"",
				   acting->activity ? acting->activity : "", acting->workflow_id);
	else if (running != NULL)
		errcontext("execution %s", vouch_id_text(&running->execution_id));
	errcontext("Vouch's executor of role \"%s\" in database \"%s\"", role_name, database_name);
}

/* The extension may have gone since the last transaction. */
static void
require_extension(void)
{
	if (!OidIsValid(vouch_owner_find()))
	{
		AbortCurrentTransaction();
		proc_exit(0);
	}
}

/*
 * After an error that was caught at the top: ends the transaction, and leaves
 * nothing of it behind.  report: writes it to the server's log, unless somebody
 * broke off what was run, which is returned.
 */
static bool
recover(bool report)
{
	bool		interrupted;

	HOLD_INTERRUPTS();
	interrupted = vouch_pool_settle();
	disable_all_timeouts(false);
	QueryCancelPending = false;
	if (report && !interrupted)
		EmitErrorReport();
	AbortOutOfAnyTransaction();
	PortalErrorCleanup();
	jit_reset_after_error();
	MemoryContextSwitchTo(TopMemoryContext);
	FlushErrorState();
	running = NULL;
	RESUME_INTERRUPTS();
	return interrupted;
}

/* Advances one execution in the transaction that is open. */
static VouchAdvanceOutcome
advance(const VouchTask *task, int which, VouchAdvanceMode mode, int64 *steps)
{
	VouchAdvanceOutcome outcome;

	running = task;
	vouch_pool_current(which);
	outcome = vouch_engine_advance(task->bucket, &task->execution_id, mode, steps);
	running = NULL;
	return outcome;
}

/*
 * The quick way: one transaction for the tasks that are given, or, when none
 * are, for what is taken until there is enough for one commit.  A task with
 * flags, or that comes to a long activity, ends it; it and what is given after
 * it is left to be run alone.  So does one that leaves something in the session.  *ndone are done if all went well, which is
 * returned; else nothing is, and all are still in hand.
 */
static bool
run_together(const VouchTask *given, int ngiven, TaskResult *results, int *ndone, int64 *steps)
{
	volatile bool ok = true;

	PG_TRY();
	{
		VouchTask	task;
		instr_time	start;
		instr_time	elapsed;
		int			n = 0;

		INSTR_TIME_SET_CURRENT(start);
		vouch_process_start_transaction();
		require_extension();
		while (n < VOUCH_BATCH)
		{
			if (given != NULL)
			{
				if (n == ngiven)
					break;
				task = given[n];
				if (task.flags != 0)
					break;
			}
			else if (!vouch_pool_take(&task) || task.flags != 0)
				break;
			results[n].failed = false;
			results[n].outcome = advance(&task, n, VOUCH_ADVANCE_OPTIMISTIC, steps);
			if (vouch_cost_declined())
				break;			/* the next activity is a long one: not here */
			n++;
			if (!vouch_session_clean())
				break;			/* what is left is undone after the commit */
			if (vouch_pool_wanted())
				break;			/* somebody waits for it */
			INSTR_TIME_SET_CURRENT(elapsed);
			INSTR_TIME_SUBTRACT(elapsed, start);
			if (given == NULL && INSTR_TIME_GET_MILLISEC(elapsed) >= BATCH_MS)
				break;
		}
		if (given != NULL)
			vouch_suspect_clear(given, n);
		vouch_process_commit();
		(void) vouch_pool_settle();
		*ndone = n;
	}
	PG_CATCH();
	{
		ok = false;
		(void) recover(false);
	}
	PG_END_TRY();
	vouch_session_reset();
	return ok;
}

/* What to fail the activity with that comes next. */
typedef struct Verdict
{
	const char *error;			/* NULL: run it */
	const char *cause;
} Verdict;

static Verdict
verdict_on(const VouchTask *task, int crashes)
{
	Verdict		verdict = {NULL, NULL};

	if (task->flags & VOUCH_TASK_POISON)
		verdict.cause = POISON_CAUSE;
	else if (crashes >= MAX_CRASHES)
		verdict.cause = CRASH_CAUSE;
	if (verdict.cause != NULL)
		verdict.error = "Vouch.Crashed";
	return verdict;
}

/*
 * The commit of a careful advance failed: what an activity left for it, a
 * deferred trigger, is that activity's error.  Returns whether to try again:
 * first an activity a commit, to see whose it is, then with that error.
 */
static bool
blame_activity(const ErrorData *edata, bool *stepwise, Verdict *verdict)
{
	int			category = ERRCODE_TO_CATEGORY(edata->sqlerrcode);

	if (category == ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION) ||
		verdict->error != NULL)
		return false;
	if (*stepwise)
	{
		verdict->error = MemoryContextStrdup(TopMemoryContext,
											 psprintf("SQL.%s", unpack_sql_state(edata->sqlerrcode)));
		verdict->cause = MemoryContextStrdup(TopMemoryContext,
											 edata->message ? edata->message : "");
	}
	*stepwise = true;
	return true;
}

/*
 * The sure way, for one task that is in hand.  Stepwise: an activity a commit,
 * so that what kills the process or the server is what comes next.  marked:
 * it is to be unmarked when it is done, whether or not the caution has ended.
 * One that is broken off for somebody is as one that somebody else has.
 */
static void
run_alone(const VouchTask *task, int which, bool marked, int crashes, TaskResult *result, int64 *steps)
{
	volatile Verdict verdict = verdict_on(task, crashes);
	volatile bool stepwise = (task->flags & (VOUCH_TASK_STEPWISE | VOUCH_TASK_POISON)) != 0 || crashes > 0;
	volatile bool again;
	volatile bool interrupted = false;

	result->failed = false;
	do
	{
		volatile int64 done = 0;
		volatile bool committing = false;
		volatile bool succeeded = false;

		again = false;
		PG_TRY();
		{
			int64		mine = 0;

			vouch_engine_activity_limit = stepwise ? 1 : 0;
			vouch_process_start_transaction();
			require_extension();
			if (verdict.error != NULL)
				vouch_engine_fail_next(task->bucket, &task->execution_id, verdict.error, verdict.cause);
			result->outcome = advance(task, which, VOUCH_ADVANCE_CAREFUL, &mine);
			again = stepwise && result->outcome == VOUCH_ADVANCED && mine > 0;
			if (marked && !again)
				vouch_suspect_clear(task, 1);
			committing = true;
			vouch_process_commit();
			(void) vouch_pool_settle();
			verdict.error = NULL;
			done = mine;
			succeeded = (task->flags & VOUCH_TASK_COUNTED) && result->outcome != VOUCH_ADVANCE_BUSY;
		}
		PG_CATCH();
		{
			ErrorData  *edata;
			bool		one_by_one = stepwise;
			Verdict		next = verdict;

			MemoryContextSwitchTo(TopMemoryContext);
			edata = CopyErrorData();
			again = committing && blame_activity(edata, &one_by_one, &next);
			stepwise = one_by_one;
			verdict = next;
			interrupted = recover(!again);
			result->failed = !again && !interrupted;
			if (interrupted)
				result->outcome = VOUCH_ADVANCE_BUSY;
			FreeErrorData(edata);
		}
		PG_END_TRY();
		*steps += done;
		if (succeeded)
			vouch_pool_succeeded(task);
		vouch_session_reset();
	} while (again);
	vouch_engine_activity_limit = 0;

	if ((result->failed || interrupted) && marked)
	{
		/* It failed, or was broken off, but it has not crashed. */
		vouch_process_start_transaction();
		vouch_suspect_clear(task, 1);
		vouch_process_commit();
	}
}

/* Runs alone, one at a time in the whole database, what may have crashed the server. */
static void
run_suspect(const VouchTask *task, int which, int crashes, TaskResult *result, int64 *steps)
{
	vouch_process_start_transaction();
	require_extension();
	vouch_suspect_lock();
	vouch_suspect_mark(task, 1);
	vouch_process_commit();
	run_alone(task, which, true, crashes, result, steps);
	vouch_suspect_unlock();
}

/*
 * After a crash of the server: what is run is marked first, so that the next
 * crash names its suspects.  Those that were not running then come first,
 * together; in hand, they come before the suspects, too.
 */
static int
run_cautiously(VouchTask *tasks, TaskResult *results, int64 *steps)
{
	VouchTask	task;
	int			crashes[VOUCH_BATCH];
	int			n = 0;
	int			ninnocent;
	int			ndone = 0;

	while (n < VOUCH_BATCH && vouch_pool_take(&task))
		n++;
	if (n == 0)
		return 0;
	n = vouch_pool_in_hand(tasks);

	vouch_process_start_transaction();
	require_extension();
	ninnocent = vouch_suspect_sort(tasks, n, crashes);
	vouch_suspect_mark(tasks, ninnocent);
	vouch_process_commit();
	vouch_pool_reorder(tasks);

	if (ninnocent > 0 && !run_together(tasks, ninnocent, results, &ndone, steps))
		*steps = 0;
	for (int i = ndone; i < ninnocent; i++)
		run_alone(&tasks[i], i, true, 0, &results[i], steps);
	for (int i = ninnocent; i < n; i++)
		run_suspect(&tasks[i], i, crashes[i], &results[i], steps);
	return n;
}

/* Tells the dispatcher of what is to be tried again. */
static void
hand_back(const VouchTask *tasks, const TaskResult *results, int n)
{
	for (int i = 0; i < n; i++)
	{
		VouchLater	later;

		if (!results[i].failed && results[i].outcome != VOUCH_ADVANCE_BUSY)
			continue;
		memset(&later, 0, sizeof(later));
		later.task = tasks[i];
		later.task.busy = results[i].failed ? 0 : Min(tasks[i].busy + 1, PG_UINT16_MAX);
		later.role = role_oid;
		later.kind = results[i].failed ? VOUCH_LATER_FAILED : VOUCH_LATER_BUSY;
		vouch_later_push(database, &later);
	}
}

/* Takes and runs what there is for one commit.  False when there is nothing. */
static bool
run_batch(int64 *all_steps)
{
	VouchTask	tasks[VOUCH_BATCH];
	TaskResult	results[VOUCH_BATCH];
	int64		steps = 0;
	int			n;

	pgstat_report_activity(STATE_RUNNING, debug_query_string);
	if (database->cautious)
		n = run_cautiously(tasks, results, &steps);
	else
	{
		int			ndone = 0;

		if (!run_together(NULL, 0, results, &ndone, &steps))
			steps = 0;
		n = vouch_pool_in_hand(tasks);
		for (int i = ndone; i < n; i++)
			run_alone(&tasks[i], i, false, 0, &results[i], &steps);
	}
	if (n == 0)
		return false;
	vouch_pool_done(steps);
	hand_back(tasks, results, n);
	*all_steps += steps;
	pgstat_report_stat(false);
	return true;
}

static void
run(MemoryContext scratch)
{
	int64		steps = 0;
	uint32		wait_event = 0;
	TimestampTz idle_since = 0;

	for (;;)
	{
		ResetLatch(MyLatch);
		(void) vouch_process_interrupts();
		if (vouch_pool_must_leave() || steps >= vouch_guc_executor_max_steps)
			proc_exit(0);
		MemoryContextSwitchTo(scratch);
		MemoryContextReset(scratch);

		if (run_batch(&steps))
		{
			idle_since = 0;
			continue;
		}
		if (!vouch_pool_rest())
			continue;
		if (idle_since == 0)
			idle_since = GetCurrentTimestamp();
		vouch_process_wait(TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														   TimestampTzPlusMilliseconds(idle_since, vouch_guc_executor_idle_timeout)),
						   "VouchExecutorMain", &wait_event);
		vouch_pool_resume();
		if (TimestampDifferenceExceeds(idle_since, GetCurrentTimestamp(),
									   vouch_guc_executor_idle_timeout))
			proc_exit(0);		/* a task that came just now wakes the dispatcher */
	}
}

static void
learn_names(void)
{
	MemoryContext context = CurrentMemoryContext;

	vouch_process_start_transaction();
	database_name = MemoryContextStrdup(TopMemoryContext, get_database_name(database_oid));
	role_name = MemoryContextStrdup(TopMemoryContext, GetUserNameFromId(role_oid, false));
	vouch_process_commit();
	MemoryContextSwitchTo(context);
}

/* main_arg is the executor's slot. */
void
vouch_executor_main(Datum main_arg)
{
	ErrorContextCallback context = {.previous = error_context_stack,.callback = error_context};
	uint32		generation;
	int			index;

	pqsignal(SIGUSR2, vouch_pool_interrupt);
	vouch_process_begin(main_arg, &index, &generation);
	if (!vouch_pool_attach(index, generation, &database_oid, &role_oid))
		proc_exit(0);
	database = vouch_database_find(database_oid);
	if (database == NULL)
		proc_exit(0);

	BackgroundWorkerInitializeConnectionByOid(database_oid, role_oid, 0);
	vouch_process_settings("vouch executor");
	learn_names();
	error_context_stack = &context;
	vouch_cost_init();
	debug_query_string = MemoryContextStrdup(TopMemoryContext, "vouch: advancing workflows");
	vouch_engine_clean_hook = vouch_session_clean;
	vouch_session_reset();
	vouch_pool_ready();
	run(AllocSetContextCreate(TopMemoryContext, "vouch executor", ALLOCSET_DEFAULT_SIZES));
}
