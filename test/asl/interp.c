/*
 * interp.c
 *	  Runs a program in memory, on a virtual clock.
 *
 * This is the smallest engine that keeps to the interface of asl.h: branches
 * in a queue, the earliest first, each taken one step at a time.  Tasks are a
 * handful of functions named by the end of their Resource:
 *
 *	id_function			returns its input
 *	raise_exception		fails with the error Exception
 *	fail_with			fails with its input's Error and Cause
 *	fail_until			fails until its input's Attempt is its Times
 *	return_value		returns its input's Value
 *	sleep				takes its input's Seconds, then returns its input
 *	wait_60_seconds		takes that long
 *	large_output		returns a text of its input's Bytes
 */
#include "asl/port.h"

#include "asl/json.h"
#include "interp.h"

#define MICROSECONDS INT64_C(1000000)

typedef enum Phase
{
	PHASE_ENTER,				/* enter the state when its time comes */
	PHASE_RETRY,				/* the same, again */
	PHASE_WAIT,					/* finish the state when its time comes */
	PHASE_TASK,					/* the task is done when its time comes */
	PHASE_JOIN,					/* its children run */
	PHASE_DONE
} Phase;

typedef struct Branch
{
	struct Branch *parent;
	size_t		index;			/* among the parent's children */
	const AslMachine *machine;
	const AslState *state;
	Phase		phase;
	int64_t		when;
	uint64_t	order;			/* breaks ties: first come, first served */
	bool		hidden;			/* its events belong to another execution */
	const AslValue *input;
	const AslValue *execution;	/* "$$.Execution" */
	const AslValue *item;		/* "$$.Map" */
	AslScope	scope;
	AslEntry	entry;
	int		   *counts;
	int			retries;
	int64_t		entered_us;
	int64_t		event_id;
	AslError	task_error;		/* of a task that is under way */
	const AslValue *task_result;
	/* children */
	struct Branch **children;
	const AslValue **outputs;
	size_t		nchildren;
	size_t		nstarted;
	size_t		nended;
	size_t		nfailed;
} Branch;

typedef struct Run
{
	const AslProgram *program;
	const RunOptions *options;
	RunResult	result;
	Branch	  **branches;		/* all, in no order */
	size_t		nbranches;
	size_t		size;
	size_t		events_size;
	int64_t		now_us;
	uint64_t	orders;
	uint64_t	chance;
	const AslValue *machine_context;
} Run;

static void branch_succeeded(Run *run, Branch *branch, const AslValue *output);
static void branch_failed(Run *run, Branch *branch, AslError error);

/* ------------------------------------------------------------- the clock */

static const AslValue *
timestamp(int64_t us)
{
	int64_t		days = us / (86400 * MICROSECONDS);
	int64_t		rest = us % (86400 * MICROSECONDS) / 1000;
	int64_t		z = days + 719468;
	int64_t		era = z / 146097;
	int64_t		doe = z - era * 146097;
	int64_t		yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t		doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t		mp = (5 * doy + 2) / 153;
	int64_t		day = doy - (153 * mp + 2) / 5 + 1;
	int64_t		month = mp < 10 ? mp + 3 : mp - 9;
	int64_t		year = yoe + era * 400 + (month <= 2 ? 1 : 0);

	return asl_string(asl_printf("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int) year, (int) month,
								 (int) day, (int) (rest / 3600000), (int) (rest / 60000 % 60),
								 (int) (rest / 1000 % 60), (int) (rest % 1000)));
}

static void
add_event(Run *run, const Branch *branch, const char *type)
{
	if (branch != NULL && branch->hidden)
		return;
	if (run->result.nevents == run->events_size)
	{
		size_t		size = run->events_size == 0 ? 16 : run->events_size * 2;

		run->result.events = asl_realloc(run->result.events, run->events_size * sizeof(char *),
										 size * sizeof(char *));
		run->events_size = size;
	}
	run->result.events[run->result.nevents++] = type;
}

static void
add_state_event(Run *run, const Branch *branch, const char *what)
{
	static const char *const names[] =
	{
		[ASL_PASS] = "Pass",
		[ASL_TASK] = "Task",
		[ASL_CHOICE] = "Choice",
		[ASL_WAIT] = "Wait",
		[ASL_SUCCEED] = "Succeed",
		[ASL_FAIL] = "Fail",
		[ASL_PARALLEL] = "Parallel",
		[ASL_MAP] = "Map",
	};

	add_event(run, branch, asl_printf("%sState%s", names[branch->state->type], what));
}

/* Tells of a task in the words for its kind of resource. */
static void
add_task_event(Run *run, const Branch *branch, const char *what)
{
	bool		lambda = strncmp(branch->state->resource, "arn:aws:lambda:", 15) == 0;

	add_event(run, branch, asl_printf("%s%s", lambda ? "LambdaFunction" : "Task", what));
}

static void
end_run(Run *run, const char *status, const AslValue *output, AslError error)
{
	run->result.status = status;
	run->result.output = output;
	run->result.error = error;
	add_event(run, NULL, strcmp(status, "SUCCEEDED") == 0 ? "ExecutionSucceeded" :
			  strcmp(status, "FAILED") == 0 ? "ExecutionFailed" :
			  strcmp(status, "TIMED_OUT") == 0 ? "ExecutionTimedOut" : "ExecutionAborted");
}

/* -------------------------------------------------------------- branches */

static Branch *
add_branch(Run *run, Branch *parent, const AslMachine *machine, const AslValue *input)
{
	Branch	   *branch = asl_alloc(sizeof(Branch));

	memset(branch, 0, sizeof(*branch));
	branch->parent = parent;
	branch->machine = machine;
	branch->state = asl_find_state(machine, machine->start_at);
	branch->when = run->now_us;
	branch->order = run->orders++;
	branch->input = input;
	branch->scope.vars = asl_object();
	if (parent != NULL)
	{
		branch->hidden = parent->hidden || parent->state->distributed;
		branch->execution = parent->execution;
		branch->item = parent->item;
		/* an execution of its own sees nobody's variables */
		branch->scope.outer = parent->state->distributed ? NULL : &parent->scope;
	}
	if (run->nbranches == run->size)
	{
		size_t		size = run->size == 0 ? 16 : run->size * 2;

		run->branches = asl_realloc(run->branches, run->size * sizeof(Branch *),
									size * sizeof(Branch *));
		run->size = size;
	}
	run->branches[run->nbranches++] = branch;
	return branch;
}

static const AslValue *
context_of(Run *run, const Branch *branch)
{
	AslBuilder	context;
	AslBuilder	state;

	asl_builder_init(&state, 3);
	asl_builder_set(&state, "EnteredTime", timestamp(branch->entered_us));
	asl_builder_set(&state, "Name", asl_string(branch->state->name));
	if (branch->state->type == ASL_TASK || branch->state->type == ASL_PARALLEL ||
		branch->state->type == ASL_MAP)
		asl_builder_set(&state, "RetryCount", asl_int(branch->retries));
	asl_builder_init(&context, 4);
	asl_builder_set(&context, "Execution", branch->execution);
	asl_builder_set(&context, "State", asl_builder_done(&state));
	asl_builder_set(&context, "StateMachine", run->machine_context);
	if (branch->item != NULL)
		asl_builder_set(&context, "Map", branch->item);
	return asl_builder_done(&context);
}

static const AslValue *
execution_context(Run *run, const AslValue *input)
{
	AslBuilder	execution;

	asl_builder_init(&execution, 6);
	asl_builder_set(&execution, "Id",
					asl_string("arn:aws:states:here:111111111111:execution:machine:run"));
	asl_builder_set(&execution, "Input", input);
	asl_builder_set(&execution, "Name", asl_string("run"));
	asl_builder_set(&execution, "RoleArn", asl_string("role"));
	asl_builder_set(&execution, "StartTime", timestamp(run->now_us));
	asl_builder_set(&execution, "RedriveCount", asl_int(0));
	return asl_builder_done(&execution);
}

/* Makes the frame of a branch; its random parts differ at each call. */
static AslFrame
frame_of(Run *run, const Branch *branch, unsigned char *uuid)
{
	AslFrame	frame;

	memset(&frame, 0, sizeof(frame));
	run->chance = run->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	frame.input = branch->input;
	frame.scope = &branch->scope;
	frame.context = context_of(run, branch);
	frame.now_us = run->now_us;
	frame.random = (double) (run->chance >> 11) / 9007199254740992.0;
	memset(uuid, 0, 16);
	memcpy(uuid, &run->chance, sizeof(run->chance));
	frame.uuid = uuid;
	frame.max_payload = run->options->max_payload;
	frame.event_id = branch->event_id;
	return frame;
}

static void
sleep_until(Run *run, Branch *branch, Phase phase, int64_t when)
{
	branch->phase = phase;
	branch->when = when;
	branch->order = run->orders++;
}

/* Ends everything below a branch. */
static void
stop_children(Branch *branch)
{
	for (size_t i = 0; i < branch->nstarted; i++)
	{
		if (branch->children[i]->phase == PHASE_DONE)
			continue;
		branch->children[i]->phase = PHASE_DONE;
		stop_children(branch->children[i]);
	}
}

/* Goes on at the next state, or ends the machine. */
static void
go_on(Run *run, Branch *branch, const AslExit *exit)
{
	if (exit->assigned != NULL)
		for (size_t i = 0; i < exit->assigned->u.object.n; i++)
			branch->scope.vars =
				asl_object_put(branch->scope.vars,
							   exit->assigned->u.object.members[i].key->u.string.data,
							   exit->assigned->u.object.members[i].value);
	if (exit->next == NULL)
	{
		branch_succeeded(run, branch, exit->output);
		return;
	}
	branch->input = exit->output;
	branch->state = asl_find_state(branch->machine, exit->next);
	sleep_until(run, branch, PHASE_ENTER, run->now_us);
}

static void
state_failed(Run *run, Branch *branch, AslError error)
{
	unsigned char uuid[16];
	AslFrame	frame = frame_of(run, branch, uuid);
	AslFailure	failure = asl_fail(branch->state, &frame, &error, branch->counts);
	bool		joined = branch->state->type == ASL_PARALLEL || branch->state->type == ASL_MAP;

	stop_children(branch);
	switch (failure.verdict)
	{
		case ASL_RETRY:
			branch->counts[failure.retrier]++;
			branch->retries++;
			sleep_until(run, branch, PHASE_RETRY,
						run->now_us + (int64_t) (failure.delay_seconds * MICROSECONDS));
			break;
		case ASL_CAUGHT:
			if (joined)
				add_state_event(run, branch, "Failed");
			add_state_event(run, branch, "Exited");
			go_on(run, branch, &failure.exit);
			break;
		case ASL_FAILED:
			if (joined && branch->nstarted > 0)
				add_state_event(run, branch, "Failed");
			branch_failed(run, branch, failure.error);
			break;
	}
}

static void
finish_state(Run *run, Branch *branch, const AslEntry *entry, const AslValue *result)
{
	unsigned char uuid[16];
	AslFrame	frame = frame_of(run, branch, uuid);
	AslExit		exit = asl_finish(branch->state, &frame, entry, result);

	if (exit.error.error != NULL)
	{
		state_failed(run, branch, exit.error);
		return;
	}
	add_state_event(run, branch, "Exited");
	go_on(run, branch, &exit);
}

/* -------------------------------------------------------------- children */

static void
start_child(Run *run, Branch *branch)
{
	size_t		i = branch->nstarted++;
	bool		map = branch->state->type == ASL_MAP;
	const AslValue *input = map ? branch->entry.items[i] : branch->entry.payload;
	Branch	   *child = add_branch(run, branch, branch->state->branches[map ? 0 : i], input);

	child->index = i;
	branch->children[i] = child;
	if (!map)
		return;
	if (branch->state->distributed)
		child->execution = execution_context(run, input);
	else
	{
		AslBuilder	item;
		AslBuilder	item_of;

		add_event(run, branch, "MapIterationStarted");
		asl_builder_init(&item, 2);
		asl_builder_set(&item, "Index", asl_int((int64_t) i));
		asl_builder_set(&item, "Value", branch->entry.item_values[i]);
		asl_builder_init(&item_of, 1);
		asl_builder_set(&item_of, "Item", asl_builder_done(&item));
		child->item = asl_builder_done(&item_of);
	}
}

static void
start_children(Run *run, Branch *branch)
{
	bool		map = branch->state->type == ASL_MAP;
	size_t		limit;

	branch->phase = PHASE_JOIN;
	branch->nchildren = map ? branch->entry.nitems : (size_t) branch->state->nbranches;
	branch->children = asl_alloc((branch->nchildren + 1) * sizeof(Branch *));
	branch->outputs = asl_alloc((branch->nchildren + 1) * sizeof(AslValue *));
	memset(branch->outputs, 0, (branch->nchildren + 1) * sizeof(AslValue *));
	branch->nstarted = branch->nended = branch->nfailed = 0;
	add_state_event(run, branch, "Started");
	if (map && branch->state->distributed)
		add_event(run, branch, "MapRunStarted");
	limit = map && branch->entry.max_concurrency > 0 ?
		(size_t) branch->entry.max_concurrency : branch->nchildren;
	while (branch->nstarted < branch->nchildren && branch->nstarted < limit)
		start_child(run, branch);
}

/* Goes on once all children of a branch have ended. */
static void
join_children(Run *run, Branch *branch)
{
	bool		map = branch->state->type == ASL_MAP;

	if (branch->nended < branch->nchildren)
	{
		if (map && branch->nstarted < branch->nchildren)
			start_child(run, branch);
		return;
	}
	branch->nstarted = 0;
	if (map && branch->state->distributed)
		add_event(run, branch, "MapRunSucceeded");
	if (map)
		add_event(run, branch, "MapStateSucceeded");
	finish_state(run, branch, &branch->entry,
				 asl_join(branch->state, branch->outputs, branch->nchildren));
}

static void
branch_succeeded(Run *run, Branch *branch, const AslValue *output)
{
	Branch	   *parent = branch->parent;
	AslError	none = {NULL, NULL};

	branch->phase = PHASE_DONE;
	if (parent == NULL)
	{
		end_run(run, "SUCCEEDED", output, none);
		return;
	}
	if (parent->state->type == ASL_MAP && !parent->state->distributed)
		add_event(run, parent, "MapIterationSucceeded");
	parent->outputs[branch->index] = output;
	parent->nended++;
	join_children(run, parent);
}

static void
branch_failed(Run *run, Branch *branch, AslError error)
{
	Branch	   *parent = branch->parent;

	branch->phase = PHASE_DONE;
	if (parent == NULL)
	{
		end_run(run, "FAILED", NULL, error);
		return;
	}
	if (parent->state->type == ASL_MAP && !parent->state->distributed)
		add_event(run, parent, "MapIterationFailed");
	if (parent->state->distributed)
	{
		parent->nended++;
		parent->nfailed++;
		if (!asl_map_exceeded(&parent->entry, parent->nfailed, parent->nchildren))
		{
			join_children(run, parent);
			return;
		}
		add_event(run, parent, "MapRunFailed");
		error = asl_map_error();
	}
	state_failed(run, parent, error);
}

/* ----------------------------------------------------------------- tasks */

static const char *
text_of(const AslValue *object, const char *key)
{
	const AslValue *value = asl_get(object, key);

	return value != NULL && value->type == ASL_STRING ? value->u.string.data : NULL;
}

static int64_t
number_of(const AslValue *object, const char *key)
{
	const AslValue *value = asl_get(object, key);
	int64_t		number;

	return value != NULL && asl_is_int(value, &number) ? number : 0;
}

/* Starts a task: sets what it will end with, and when. */
static void
start_task(Run *run, Branch *branch)
{
	const AslValue *payload = branch->entry.payload;
	const char *name = branch->state->resource;
	int64_t		seconds = 0;
	const char *at;

	while ((at = strpbrk(name, ":.")) != NULL)
		name = at + 1;
	branch->task_error.error = NULL;
	branch->task_error.cause = NULL;
	branch->task_result = payload;
	if (strcmp(name, "raise_exception") == 0)
	{
		branch->task_error.error = "Exception";
		branch->task_error.cause =
			"{\"errorMessage\": \"Some exception was raised.\", \"errorType\": \"Exception\", "
			"\"requestId\": \"00000000-0000-4000-8000-000000000000\", \"stackTrace\": "
			"[\"  File \\\"/var/task/handler.py\\\", line 2, in handler\\n    "
			"raise Exception(\\\"Some exception was raised.\\\")\\n\"]}";
	}
	else if (strcmp(name, "fail_with") == 0)
	{
		branch->task_error.error = text_of(payload, "Error") != NULL ?
			text_of(payload, "Error") : "Exception";
		branch->task_error.cause = text_of(payload, "Cause");
	}
	else if (strcmp(name, "fail_until") == 0)
	{
		if (number_of(payload, "Attempt") < number_of(payload, "Times"))
			branch->task_error.error = "TooEarly";
	}
	else if (strcmp(name, "return_value") == 0)
		branch->task_result = asl_get(payload, "Value") != NULL ? asl_get(payload, "Value") :
			asl_null();
	else if (strcmp(name, "return_bytes_str") == 0)
		branch->task_result = asl_string("HelloWorld!");
	else if (strcmp(name, "sleep") == 0)
		seconds = number_of(payload, "Seconds");
	else if (strcmp(name, "wait_60_seconds") == 0)
		seconds = 60;
	else if (strcmp(name, "large_output") == 0 || strcmp(name, "large_output_string") == 0)
	{
		int64_t		bytes = number_of(payload, "Bytes");
		AslText		text;

		if (bytes <= 0 || bytes > 100000000)
			bytes = 1000000;
		asl_text_init(&text);
		while (text.len < (size_t) bytes)
			asl_text_char(&text, 'x');
		branch->task_result = asl_string_n(text.data, text.len);
	}
	else if (strcmp(name, "id_function") != 0)
	{
		branch->task_error.error = "Lambda.ResourceNotFoundException";
		branch->task_error.cause = asl_printf("Function not found: %s", name);
	}

	if (branch->entry.timeout_seconds > 0 && seconds >= branch->entry.timeout_seconds)
	{
		branch->task_error = asl_timeout_error(false);
		seconds = branch->entry.timeout_seconds;
	}
	if (branch->entry.heartbeat_seconds > 0 && seconds >= branch->entry.heartbeat_seconds)
	{
		branch->task_error = asl_timeout_error(true);
		seconds = branch->entry.heartbeat_seconds;
	}
	add_task_event(run, branch, "Scheduled");
	add_task_event(run, branch, "Started");
	sleep_until(run, branch, PHASE_TASK, run->now_us + seconds * MICROSECONDS);
}

static void
end_task(Run *run, Branch *branch)
{
	const char *error = branch->task_error.error;
	unsigned char uuid[16];
	AslFrame	frame;
	AslExit		exit;

	if (error != NULL)
	{
		bool		late = strcmp(error, "States.Timeout") == 0 ||
			strcmp(error, "States.HeartbeatTimeout") == 0;

		add_task_event(run, branch, late ? "TimedOut" : "Failed");
		state_failed(run, branch, branch->task_error);
		return;
	}

	/* a result that is too large is a failure of the task */
	frame = frame_of(run, branch, uuid);
	exit = asl_finish(branch->state, &frame, &branch->entry, branch->task_result);
	if (exit.error.error != NULL && strcmp(exit.error.error, "States.DataLimitExceeded") == 0)
		add_task_event(run, branch, "Failed");
	else
		add_task_event(run, branch, "Succeeded");
	if (exit.error.error != NULL)
	{
		state_failed(run, branch, exit.error);
		return;
	}
	add_state_event(run, branch, "Exited");
	go_on(run, branch, &exit);
}

/* ----------------------------------------------------------------- steps */

static void
enter_state(Run *run, Branch *branch)
{
	unsigned char uuid[16];
	AslFrame	frame;

	if (branch->phase == PHASE_ENTER)
	{
		int			nretriers = asl_nretriers(branch->state);

		branch->counts = asl_alloc((nretriers + 1) * sizeof(int));
		memset(branch->counts, 0, (nretriers + 1) * sizeof(int));
		branch->retries = 0;
		branch->nstarted = 0;
		branch->entered_us = run->now_us;
		add_state_event(run, branch, "Entered");
		branch->event_id = (int64_t) run->result.nevents;
	}
	frame = frame_of(run, branch, uuid);
	branch->entry = asl_enter(branch->state, &frame);
	switch (branch->entry.action)
	{
		case ASL_DO_FINISH:
			finish_state(run, branch, &branch->entry, branch->entry.result);
			break;
		case ASL_DO_WAIT:
			sleep_until(run, branch, PHASE_WAIT, branch->entry.wake_us);
			break;
		case ASL_DO_TASK:
			start_task(run, branch);
			break;
		case ASL_DO_PARALLEL:
			start_children(run, branch);
			break;
		case ASL_DO_MAP:
			start_children(run, branch);
			if (branch->nchildren == 0)
				join_children(run, branch);
			break;
		case ASL_DO_SUCCEED:
			add_state_event(run, branch, "Exited");
			branch_succeeded(run, branch, branch->entry.result);
			break;
		case ASL_DO_FAIL:
			if (branch->entry.map_started)
				add_state_event(run, branch, "Started");
			state_failed(run, branch, branch->entry.error);
			break;
	}
}

/* Returns the branch whose turn is next, NULL when all wait for others. */
static Branch *
next_branch(Run *run)
{
	Branch	   *next = NULL;
	size_t		kept = 0;

	for (size_t i = 0; i < run->nbranches; i++)
	{
		Branch	   *branch = run->branches[i];

		if (branch->phase == PHASE_DONE)
			continue;
		run->branches[kept++] = branch;
		if (branch->phase == PHASE_JOIN)
			continue;
		if (next == NULL || branch->when < next->when ||
			(branch->when == next->when && branch->order < next->order))
			next = branch;
	}
	run->nbranches = kept;
	return next;
}

RunResult
run_program(const AslProgram *program, const AslValue *input, const RunOptions *options)
{
	AslError	none = {NULL, NULL};
	int64_t		timeout = program->machines[0]->timeout_seconds;
	AslBuilder	machine;
	Branch	   *branch;
	Run			run;

	memset(&run, 0, sizeof(run));
	run.program = program;
	run.options = options;
	run.now_us = options->start_us;
	run.chance = 42;
	asl_builder_init(&machine, 2);
	asl_builder_set(&machine, "Id",
					asl_string("arn:aws:states:here:111111111111:stateMachine:machine"));
	asl_builder_set(&machine, "Name", asl_string("machine"));
	run.machine_context = asl_builder_done(&machine);

	add_event(&run, NULL, "ExecutionStarted");
	branch = add_branch(&run, NULL, program->machines[0], input);
	branch->execution = execution_context(&run, input);
	while (run.result.status == NULL && (branch = next_branch(&run)) != NULL)
	{
		if (branch->when > run.now_us && options->abort_at_rest)
		{
			end_run(&run, "ABORTED", NULL, none);
			break;
		}
		if (timeout > 0 && branch->when >= options->start_us + timeout * MICROSECONDS)
		{
			end_run(&run, "TIMED_OUT", NULL, asl_timeout_error(false));
			break;
		}
		if (branch->when > run.now_us)
			run.now_us = branch->when;
		if ((options->max_events > 0 && run.result.nevents > options->max_events) ||
			(options->max_seconds > 0 &&
			 (run.now_us - options->start_us) / MICROSECONDS > options->max_seconds))
		{
			run.result.status = "GAVE_UP";
			break;
		}
		switch (branch->phase)
		{
			case PHASE_ENTER:
			case PHASE_RETRY:
				enter_state(&run, branch);
				break;
			case PHASE_WAIT:
				finish_state(&run, branch, &branch->entry, branch->entry.result);
				break;
			case PHASE_TASK:
				end_task(&run, branch);
				break;
			case PHASE_JOIN:
			case PHASE_DONE:
				break;
		}
	}
	run.result.elapsed_us = run.now_us - options->start_us;
	return run.result;
}
