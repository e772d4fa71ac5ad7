/*
 * advance.c
 *	  Runs the branches of an execution until each waits.
 *
 * The row lock of the execution is the claim.  Branches, signals, versions
 * and children are read after it, in statements of their own; then all is
 * decided in memory, and what changed is written once (rows.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/id.h"
#include "core/stmt.h"
#include "core/want.h"
#include "engine/advance.h"
#include "engine/cancel.h"
#include "engine/resource.h"
#include "engine/task.h"
#include "engine/until.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* After so much an advance pauses, so that its effects commit. */
#define YIELD_STEPS 200000
#define YIELD_USECS INT64CONST(1000000)
#define YIELD_BYTES ((Size) 256 * 1024 * 1024)

int			vouch_engine_activity_limit = 0;
bool		(*vouch_engine_may_run_hook) (const char *resource) = NULL;
bool		(*vouch_engine_is_long_hook) (const char *resource) = NULL;
void		(*vouch_engine_ran_hook) (const char *resource, double ms) = NULL;
bool		(*vouch_engine_clean_hook) (void) = NULL;

static VouchAdvance *running = NULL;	/* the executions that this backend is in */

/* ------------------------------------------------- which executions we are in */

/* The structs lie in contexts that an abort takes: forget them first. */
static void
at_xact_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		running = NULL;
}

static void
at_subxact_end(SubXactEvent event, SubTransactionId mysubid, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		while (running != NULL && running->nest_level >= GetCurrentTransactionNestLevel())
			running = running->outer;
}

static void
push_running(VouchAdvance *adv)
{
	static bool callbacks_registered = false;

	if (!callbacks_registered)
	{
		RegisterXactCallback(at_xact_end, NULL);
		RegisterSubXactCallback(at_subxact_end, NULL);
		callbacks_registered = true;
	}
	adv->nest_level = GetCurrentTransactionNestLevel();
	adv->outer = running;
	running = adv;
}

/*
 * Its row lock is ours already, so SKIP LOCKED does not protect an execution
 * from an activity of its own that comes back to it.
 */
VouchAdvance *
vouch_advance_running(const pg_uuid_t *execution_id)
{
	for (VouchAdvance *adv = running; adv != NULL; adv = adv->outer)
		if (execution_id == NULL || memcmp(&adv->execution.id, execution_id, UUID_LEN) == 0)
			return adv;
	return NULL;
}

/* --------------------------------------------------------- branches and queue */

static void
enqueue(VouchAdvance *adv, VouchBranch *b)
{
	if (adv->queue_tail == adv->queue_size)
	{
		adv->queue_size = Max(16, adv->queue_size * 2);
		adv->queue = adv->queue == NULL
			? palloc(sizeof(VouchBranch *) * adv->queue_size)
			: repalloc_huge(adv->queue, sizeof(VouchBranch *) * adv->queue_size);
	}
	adv->queue[adv->queue_tail++] = b;
}

VouchBranch *
vouch_advance_new_branch(VouchAdvance *adv, VouchBranch *parent, int place,
						 const AslMachine *machine, const AslValue *input)
{
	VouchBranch *b = palloc0(sizeof(VouchBranch));

	b->no = adv->execution.next_branch++;
	b->place = place;
	b->machine = machine;
	b->actor = parent->actor;
	b->previous_event = parent->previous_event;
	b->input = input;
	b->loaded = true;
	vouch_rows_adopt(b, parent);
	vouch_rows_add(adv, b);
	adv->moved = true;
	return b;
}

/* Makes a branch ready and queues it. */
void
vouch_advance_ready(VouchAdvance *adv, VouchBranch *b, VouchResume resume)
{
	b->status = VOUCH_BRANCH_READY;
	b->resume = resume;
	b->wait = VOUCH_WAIT_NONE;
	b->wait_name = NULL;
	b->has_wait_id = false;
	b->due_at = 0;
	b->dirty = true;
	enqueue(adv, b);
}

void
vouch_advance_park(VouchAdvance *adv, VouchBranch *b, VouchWaitKind kind, TimestampTz due_at)
{
	adv->moved = true;
	b->status = VOUCH_BRANCH_WAITING;
	b->wait = kind;
	b->due_at = due_at;
	b->dirty = true;
}

/* ------------------------------------------------------------- leaving a state */

static VouchEvent
exited_event(AslStateType type)
{
	switch (type)
	{
		case ASL_PASS:
			return VOUCH_EV_PASS_EXITED;
		case ASL_TASK:
			return VOUCH_EV_TASK_EXITED;
		case ASL_CHOICE:
			return VOUCH_EV_CHOICE_EXITED;
		case ASL_WAIT:
			return VOUCH_EV_WAIT_EXITED;
		case ASL_SUCCEED:
			return VOUCH_EV_SUCCEED_EXITED;
		case ASL_PARALLEL:
			return VOUCH_EV_PARALLEL_EXITED;
		case ASL_MAP:
			return VOUCH_EV_MAP_EXITED;
		case ASL_FAIL:
			break;
	}
	return 0;
}

static VouchEvent
entered_event(AslStateType type)
{
	return type == ASL_FAIL ? VOUCH_EV_FAIL_ENTERED : exited_event(type) - 1;
}

static void
machine_ended(VouchAdvance *adv, VouchBranch *b, const AslValue *output)
{
	if (b->parent == NULL)
		vouch_advance_close(adv, "succeed", output, NULL);
	else
		vouch_join_child_ended(adv, b, output);
}

static void
machine_failed(VouchAdvance *adv, VouchBranch *b, const AslError *error)
{
	if (b->parent == NULL)
		vouch_advance_close(adv, "fail", NULL, error);
	else
		vouch_join_child_failed(adv, b, error);
}

static void
clear_visit(VouchBranch *b)
{
	b->wait = VOUCH_WAIT_NONE;
	b->wait_name = NULL;
	b->has_wait_id = false;
	b->due_at = 0;
	b->attempt = 0;
	b->counts = NULL;
	b->result = NULL;
	b->result_actor = NULL;
	b->join = NULL;
	b->dirty = true;
}

/* Goes where a state that ended leads to. */
static void
leave(VouchAdvance *adv, VouchBranch *b, const AslExit *exit)
{
	if (exit->assigned != NULL)
	{
		const AslValue *vars = b->vars ? b->vars : asl_object();

		for (size_t i = 0; i < exit->assigned->u.object.n; i++)
		{
			const AslMember *m = &exit->assigned->u.object.members[i];

			vars = asl_object_put(vars, m->key->u.string.data, m->value);
		}
		b->vars = b->scope.vars = vars;
	}
	vouch_history_add(adv, b, exited_event(b->state->type),
					  b->state->branches != NULL ? b->state->name : NULL, exit->output, NULL);
	adv->steps++;
	adv->moved = true;
	clear_visit(b);
	b->status = VOUCH_BRANCH_READY;
	b->resume = VOUCH_RESUME_ENTER;
	if (exit->next == NULL)
		machine_ended(adv, b, exit->output);
	else
	{
		b->input = exit->output;
		b->state = asl_find_state(b->machine, exit->next);
		if (b->state == NULL)
			elog(ERROR, "unknown state \"%s\"", exit->next);
	}
}

void
vouch_advance_finish(VouchAdvance *adv, VouchBranch *b, const AslEntry *entry,
					 const AslValue *result)
{
	AslFrame	frame;
	AslExit		exit;

	vouch_frame_make(adv, b, &frame);
	exit = asl_finish(b->state, &frame, entry, result);
	if (exit.error.error != NULL)
		vouch_advance_fail(adv, b, &exit.error);
	else
		leave(adv, b, &exit);
}

/* The state of a branch failed: Retry, Catch, or the end of its machine. */
void
vouch_advance_fail(VouchAdvance *adv, VouchBranch *b, const AslError *error)
{
	AslFrame	frame;
	AslFailure	failure;
	int			n = asl_nretriers(b->state);

	vouch_frame_make(adv, b, &frame);
	if (b->counts == NULL)
		b->counts = palloc0(sizeof(int) * Max(n, 1));
	if (vouch_cancel_is(adv, error))
		for (int i = 0; i < n; i++)
			b->counts[i] = PG_INT32_MAX;	/* what is canceled is not tried again */
	failure = asl_fail(b->state, &frame, error, b->counts);
	if (failure.verdict == ASL_RETRY)
	{
		b->counts[failure.retrier]++;
		b->attempt++;
		b->join = NULL;
		b->resume = VOUCH_RESUME_RETRY;
		b->dirty = true;
		if (failure.delay_seconds > 0)
			vouch_advance_park(adv, b, VOUCH_WAIT_RETRY,
							   GetCurrentTimestamp() + (int64) (failure.delay_seconds * USECS_PER_SEC));
		else
			vouch_advance_ready(adv, b, VOUCH_RESUME_RETRY);
		return;
	}
	if (b->state->type == ASL_PARALLEL)
		vouch_history_add(adv, b, VOUCH_EV_PARALLEL_FAILED, b->state->name, vouch_history_error(error), NULL);
	else if (b->state->type == ASL_MAP && b->join != NULL)
		vouch_history_add(adv, b, VOUCH_EV_MAP_FAILED, b->state->name, vouch_history_error(error), NULL);
	if (failure.verdict == ASL_CAUGHT && failure.exit.error.error == NULL)
		leave(adv, b, &failure.exit);
	else
	{
		clear_visit(b);
		machine_failed(adv, b, failure.verdict == ASL_CAUGHT ? &failure.exit.error : &failure.error);
	}
}

void
vouch_advance_close(VouchAdvance *adv, const char *event, const AslValue *output,
					const AslError *error)
{
	VouchBranch *main = adv->nbranches > 0 ? adv->branches[0] : NULL;
	VouchEvent	type;
	AslError	reason = {NULL, adv->execution.cancel_reason};

	/* what caught the cancellation has come to its end */
	if (adv->execution.canceled_at != 0 &&
		(strcmp(event, "succeed") == 0 || (strcmp(event, "fail") == 0 && vouch_cancel_is(adv, error))))
	{
		event = "cancel";
		error = &reason;
	}
	if (strcmp(event, "succeed") == 0)
		type = VOUCH_EV_EXECUTION_SUCCEEDED;
	else if (strcmp(event, "fail") == 0)
		type = VOUCH_EV_EXECUTION_FAILED;
	else if (strcmp(event, "time_out") == 0)
		type = VOUCH_EV_EXECUTION_TIMED_OUT;
	else
		type = VOUCH_EV_EXECUTION_ABORTED;
	vouch_history_add(adv, main, type, NULL, error ? vouch_history_error(error) : output, NULL);
	adv->closed = true;
	vouch_rows_close(adv, event, output, error ? error->error : NULL, error ? error->cause : NULL);
	vouch_child_close_all(adv, NULL, -1);
	vouch_child_tell_parent(adv);
}

/* ------------------------------------------------------------ visiting a state */

static bool
must_yield(VouchAdvance *adv)
{
	if (adv->yielded)
		return true;
	if (adv->steps >= YIELD_STEPS || !vouch_want_may_go_on(&adv->execution.id))
		adv->yielded = true;
	else if ((adv->steps & 15) == 15 || adv->activities > 0)
		adv->yielded = GetCurrentTimestamp() - adv->loaded > YIELD_USECS ||
			MemoryContextMemAllocated(adv->context, true) > YIELD_BYTES;
	return adv->yielded;
}

/*
 * Is it an activity that takes long?  Who looks at the execution, or ends it,
 * should see all that happened before; and what other branches do should not
 * wait for it.  (Not while a step is looked for that ends processes: the same
 * one has to come next each time.)
 */
static bool
is_long(VouchAdvance *adv, VouchBranch *b)
{
	return adv->mode == VOUCH_ADVANCE_CAREFUL && adv->crash == NULL && vouch_engine_activity_limit == 0 &&
		b->state->type == ASL_TASK && vouch_resource_kind(b->state->resource) == VOUCH_RESOURCE_SQL &&
		vouch_engine_is_long_hook != NULL && vouch_engine_is_long_hook(b->state->resource);
}

/* May this session, in this mode, go into the state? */
static bool
may_enter(VouchAdvance *adv, VouchBranch *b)
{
	VouchResource kind;

	if (b->state->type != ASL_TASK)
		return true;
	kind = vouch_resource_kind(b->state->resource);
	if (adv->mode == VOUCH_ADVANCE_INLINE)

		/*
		 * A person's rights are not those of run_as.  And a review takes the
		 * artifact's lock, for which nobody who may hold another one's waits.
		 */
		return kind != VOUCH_RESOURCE_SQL && kind != VOUCH_RESOURCE_UNTIL && kind != VOUCH_RESOURCE_REVIEW;
	if ((kind == VOUCH_RESOURCE_SQL || kind == VOUCH_RESOURCE_UNTIL) &&
		((vouch_engine_activity_limit > 0 && adv->activities >= vouch_engine_activity_limit) ||
		 (vouch_engine_clean_hook != NULL && adv->activities > 0 && adv->outer == NULL && !vouch_engine_clean_hook())))
	{
		adv->yielded = true;
		return false;
	}
	if ((kind == VOUCH_RESOURCE_SQL && adv->mode == VOUCH_ADVANCE_OPTIMISTIC &&
		 vouch_engine_may_run_hook != NULL && !vouch_engine_may_run_hook(b->state->resource)) ||
		(adv->moved && is_long(adv, b)))
	{
		adv->yielded = true;
		return false;
	}
	return true;
}

static void
run_task(VouchAdvance *adv, VouchBranch *b, const AslEntry *entry)
{
	VouchResource kind = vouch_resource_kind(b->state->resource);
	AslError	error = {NULL, NULL};
	const AslValue *result;

	if (kind == VOUCH_RESOURCE_UNTIL && b->resume == VOUCH_RESUME_TIMER)
		 /* another look at the same wait */ ;
	else if (kind == VOUCH_RESOURCE_ACTIVITY)
		vouch_history_add(adv, b, VOUCH_EV_ACTIVITY_SCHEDULED, NULL, entry->payload, NULL);
	else
	{
		vouch_history_add(adv, b, VOUCH_EV_TASK_SCHEDULED, NULL, entry->payload, NULL);
		vouch_history_add(adv, b, VOUCH_EV_TASK_STARTED, NULL, NULL, NULL);
	}
	switch (kind)
	{
		case VOUCH_RESOURCE_UNTIL:
			adv->activities++;
			vouch_until_ask(adv, b, entry);
			break;
		case VOUCH_RESOURCE_ACTIVITY:
			vouch_task_offer(adv, b, entry);
			break;
		case VOUCH_RESOURCE_SQL:
			adv->activities++;
			result = vouch_activity_run(adv, b, b->state->resource, entry, &error);
			b->resume = error.error ? VOUCH_RESUME_FAILURE : VOUCH_RESUME_RESULT;
			b->result = result;
			b->failure = error;
			break;
		case VOUCH_RESOURCE_SIGNAL:
			vouch_wait_signal(adv, b, entry);
			break;
		case VOUCH_RESOURCE_REVIEW:
			vouch_wait_review(adv, b, entry);
			break;
		case VOUCH_RESOURCE_EXECUTION:
			vouch_child_start(adv, b, entry, false);
			break;
		case VOUCH_RESOURCE_EXECUTION_SYNC:
			vouch_child_start(adv, b, entry, true);
			break;
		default:
			elog(ERROR, "no way to run resource \"%s\"", b->state->resource);
	}
}

static void
enter(VouchAdvance *adv, VouchBranch *b)
{
	AslFrame	frame;
	AslEntry	entry;
	bool		timer = b->resume == VOUCH_RESUME_TIMER;

	if (b->resume == VOUCH_RESUME_ENTER)
	{
		b->entered_at = GetCurrentTimestamp();
		vouch_history_add(adv, b, entered_event(b->state->type), b->state->name, b->input, NULL);
	}
	vouch_frame_make(adv, b, &frame);
	entry = asl_enter(b->state, &frame);
	switch (entry.action)
	{
		case ASL_DO_FINISH:
			vouch_advance_finish(adv, b, &entry, entry.result);
			break;
		case ASL_DO_WAIT:
			if (timer || entry.wake_us <= frame.now_us)
				vouch_advance_finish(adv, b, &entry, entry.result);
			else
				vouch_advance_park(adv, b, VOUCH_WAIT_TIMER, entry.wake_us -
								   (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
			break;
		case ASL_DO_TASK:
			run_task(adv, b, &entry);
			break;
		case ASL_DO_PARALLEL:
		case ASL_DO_MAP:
			vouch_join_open(adv, b, &entry);
			break;
		case ASL_DO_SUCCEED:
			vouch_history_add(adv, b, VOUCH_EV_SUCCEED_EXITED, NULL, entry.result, NULL);
			adv->steps++;
			clear_visit(b);
			machine_ended(adv, b, entry.result);
			break;
		case ASL_DO_FAIL:
			if (b->state->type == ASL_FAIL)
				adv->steps++;
			else if (entry.map_started)
				vouch_history_add(adv, b, VOUCH_EV_MAP_STARTED, b->state->name, NULL, NULL);
			vouch_advance_fail(adv, b, &entry.error);
			break;
	}
}

static bool
is_timeout(const AslError *error)
{
	return strcmp(error->error, "States.Timeout") == 0 ||
		strcmp(error->error, "States.HeartbeatTimeout") == 0;
}

/* The event that says how a Task ended. */
static VouchEvent
outcome_event(const VouchBranch *b, const AslError *error)
{
	bool		activity = vouch_resource_kind(b->state->resource) == VOUCH_RESOURCE_ACTIVITY;

	if (error == NULL)
		return activity ? VOUCH_EV_ACTIVITY_SUCCEEDED : VOUCH_EV_TASK_SUCCEEDED;
	if (is_timeout(error))
		return activity ? VOUCH_EV_ACTIVITY_TIMED_OUT : VOUCH_EV_TASK_TIMED_OUT;
	return activity ? VOUCH_EV_ACTIVITY_FAILED : VOUCH_EV_TASK_FAILED;
}

/* Runs one branch until it waits, ends, or may not go on. */
static void
run_branch(VouchAdvance *adv, VouchBranch *b)
{
	while (b->status == VOUCH_BRANCH_READY && !b->removed && !adv->closed)
	{
		CHECK_FOR_INTERRUPTS();
		vouch_rows_load_data(adv, b);
		if (b->resume <= VOUCH_RESUME_TIMER)
		{
			if (must_yield(adv))
				return;
			if (b->state == NULL)
			{
				if (b->parent != NULL)
					vouch_join_began(adv, b);
				b->state = asl_find_state(b->machine, b->machine->start_at);
				b->dirty = true;
			}
			if (!b->postponed && adv->queue_head < adv->queue_tail && is_long(adv, b))
			{
				b->postponed = true;
				enqueue(adv, b);
				return;
			}
			if (!may_enter(adv, b))
			{
				adv->left_ready = true;
				return;
			}
		}
		switch (b->resume)
		{
			case VOUCH_RESUME_ENTER:
			case VOUCH_RESUME_RETRY:
			case VOUCH_RESUME_TIMER:
				enter(adv, b);
				break;
			case VOUCH_RESUME_RESULT:
				if (b->state == NULL)
				{
					machine_ended(adv, b, b->result);	/* an execution of its own */
					break;
				}
				if (asl_print_size(b->result) > (size_t) vouch_guc_max_payload * 1024)
				{
					b->failure.error = "States.DataLimitExceeded";
					b->failure.cause = psprintf("The state/task '%s' returned a result with a size exceeding"
												" the maximum number of bytes service limit.",
												b->state->resource);
					b->resume = VOUCH_RESUME_FAILURE;
					break;
				}
				vouch_history_add(adv, b, outcome_event(b, NULL), NULL, b->result, b->result_actor);
				vouch_advance_finish(adv, b, NULL, b->result);
				break;
			case VOUCH_RESUME_FAILURE:
				if (b->state == NULL)
				{
					machine_failed(adv, b, &b->failure);
					break;
				}
				if (b->state->type == ASL_TASK && !vouch_cancel_is(adv, &b->failure))
					vouch_history_add(adv, b, outcome_event(b, &b->failure), NULL,
									  vouch_history_error(&b->failure), b->result_actor);
				vouch_advance_fail(adv, b, &b->failure);
				break;
			case VOUCH_RESUME_JOINED:
				vouch_join_finish(adv, b);
				break;
		}
	}
}

/*
 * Runs everything in the queue.  After a yield, what cannot be stored (a
 * result that is there) is still brought to the end of its state.
 */
static void
run_queue(VouchAdvance *adv)
{
	while (adv->queue_head < adv->queue_tail && !adv->closed)
	{
		VouchBranch *b = adv->queue[adv->queue_head++];

		run_branch(adv, b);
		/* what may begin here and now, and has the time, does */
		if (adv->queue_head == adv->queue_tail && !adv->closed && !adv->left_ready && !must_yield(adv))
		{
			adv->queue_head = adv->queue_tail = 0;
			(void) vouch_join_more(adv, true);
		}
	}
}

/* ------------------------------------------------------------------ advancing */

static void
load(VouchAdvance *adv)
{
	VouchExecution *e = &adv->execution;

	adv->program = vouch_program_get(e->workflow, e->revision);
	vouch_rows_load(adv);
	adv->loaded = GetCurrentTimestamp();	/* reading takes none of the time for work */
	vouch_history_begin(adv);
	if (e->next_event == 1 && adv->nbranches > 0)
		vouch_history_add(adv, adv->branches[0], VOUCH_EV_EXECUTION_STARTED, NULL,
						  vouch_rows_input(adv), e->starter);
}

static void
advance_claimed(VouchAdvance *adv)
{
	VouchExecution *e = &adv->execution;
	const char *event;

	load(adv);
	if (adv->nudged && e->has_parent && vouch_child_parent_closed(adv, &event))
	{
		AslError	error = {NULL, "its parent closed"};

		if (strcmp(event, "cancel") != 0)
			vouch_advance_close(adv, event, NULL, &error);
		else if (e->canceled_at == 0)
			vouch_cancel_deliver(adv, error.cause);
		if (adv->closed)
			return;
	}
	if (e->deadline != 0 && e->deadline <= adv->started)
	{
		AslError	error = {"States.Timeout", NULL};

		vouch_advance_close(adv, "time_out", NULL, &error);
		return;
	}
	vouch_wait_wake(adv);
	for (int i = 0; i < adv->nbranches; i++)
		if (adv->branches[i]->status == VOUCH_BRANCH_READY &&
			adv->branches[i]->resume <= VOUCH_RESUME_TIMER && !adv->branches[i]->dirty)
			enqueue(adv, adv->branches[i]);
	if (adv->queue_tail == 0)
		(void) vouch_join_more(adv, true);
	run_queue(adv);
	if (adv->yielded && !adv->closed && vouch_join_more(adv, false))
		vouch_rows_nudge(e->bucket, &e->id, e->run_as);
	vouch_rows_flush(adv);
}

static VouchAdvanceOutcome
advance(int bucket, const pg_uuid_t *id, VouchAdvanceMode mode, const char *crash_error,
		const char *crash, int64 *steps)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext context;
	VouchAdvance *adv;
	VouchAdvanceOutcome outcome = VOUCH_ADVANCE_IDLE;
	VouchHold	hold;
	bool		busy;

	if (vouch_guc_restoring)
		return VOUCH_ADVANCE_IDLE;
	/* who waits for it comes first, or an executor would take it again and again */
	if (vouch_advance_running(id) != NULL || IsolationUsesXactSnapshot() || vouch_want_is(id))
		return VOUCH_ADVANCE_BUSY;

	context = AllocSetContextCreate(old, "vouch advance", ALLOCSET_DEFAULT_SIZES);
	SPI_connect();
	MemoryContextSwitchTo(context);
	adv = palloc0(sizeof(VouchAdvance));
	adv->context = context;
	adv->mode = mode;
	adv->crash = crash;
	adv->crash_error = crash_error;
	if (!vouch_rows_claim(bucket, id, VOUCH_CLAIM_TRY, &adv->execution, &busy))
	{
		outcome = busy ? VOUCH_ADVANCE_BUSY : VOUCH_ADVANCE_CLOSED;
		if (!busy)
			(void) vouch_rows_take_nudges(bucket, id, &hold);	/* for what is gone nobody else will */
	}
	else
	{
		int			nudges = vouch_rows_take_nudges(bucket, id, &hold);

		/* what happened up to now counts: the lock is ours */
		adv->started = GetCurrentTimestamp();
		if (strcmp(adv->execution.status, "running") != 0)
			outcome = VOUCH_ADVANCE_CLOSED;
		else if (hold != VOUCH_HOLD_AS_IS)
			(void) vouch_hold_claimed(&adv->execution, hold == VOUCH_HOLD_PAUSE);
		if (outcome == VOUCH_ADVANCE_IDLE && !adv->execution.paused)
		{
			push_running(adv);
			adv->nudged = nudges > 0;
			advance_claimed(adv);
			running = adv->outer;
			outcome = adv->closed || adv->counters_changed ? VOUCH_ADVANCED : VOUCH_ADVANCE_IDLE;
			*steps += adv->steps;
		}
	}
	SPI_finish();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return outcome;
}

VouchAdvanceOutcome
vouch_engine_advance(int bucket, const pg_uuid_t *execution_id, VouchAdvanceMode mode, int64 *steps)
{
	return advance(bucket, execution_id, mode, NULL, NULL, steps);
}

void
vouch_engine_fail_crashed(int bucket, const pg_uuid_t *execution_id, const char *cause)
{
	vouch_engine_fail_next(bucket, execution_id, "Vouch.Crashed", cause);
}

void
vouch_engine_fail_next(int bucket, const pg_uuid_t *execution_id, const char *error, const char *cause)
{
	int64		steps = 0;

	(void) advance(bucket, execution_id, VOUCH_ADVANCE_CAREFUL, error, cause, &steps);
}

/*
 * Closes an execution from outside: somebody terminates it, or cancels it,
 * which it may catch.
 * In VOUCH_CLAIM_TRY it may be *busy.  An execution that this backend is in just
 * now is busy, too.
 */
void
vouch_advance_end_execution(int bucket, const pg_uuid_t *id, VouchClaim how, const char *event,
							const char *reason, bool *busy)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext context;
	VouchAdvance *adv;

	*busy = vouch_advance_running(id) != NULL;
	if (*busy)
		return;
	context = AllocSetContextCreate(old, "vouch close", ALLOCSET_DEFAULT_SIZES);
	SPI_connect();
	MemoryContextSwitchTo(context);
	adv = palloc0(sizeof(VouchAdvance));
	adv->context = context;
	if (vouch_rows_claim(bucket, id, how, &adv->execution, busy))
	{
		AslError	error = {NULL, reason};

		adv->started = GetCurrentTimestamp();
		if (how != VOUCH_CLAIM_TRY || strcmp(adv->execution.status, "running") == 0)
		{
			push_running(adv);
			load(adv);
			if (strcmp(event, "cancel") != 0 || strcmp(adv->execution.status, "running") != 0)
				vouch_advance_close(adv, event, NULL, &error);
			else if (adv->execution.canceled_at == 0)
			{
				vouch_cancel_deliver(adv, reason);
				run_queue(adv);
				vouch_rows_flush(adv);
			}
			running = adv->outer;
		}
	}
	SPI_finish();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
