/*
 * join.c
 *	  Parallel and Map: opens the branches, and joins them.
 *
 * An iteration of a DISTRIBUTED Map is an execution of its own, which runs the
 * same revision in the iterations' machine; its branch here only waits for it.
 *
 * The branch that stands in the Parallel or Map waits; its row counts those
 * that are still open.  What has ended keeps its output in its own row until
 * the last one is there, so that the end of one costs the same however many
 * there are.
 */
#include "postgres.h"

#include "core/guc.h"
#include "engine/batch.h"
#include "engine/cancel.h"
#include "engine/task.h"
#include "miscadmin.h"

static bool
is_inline_map(const VouchBranch *b)
{
	return b->state->type == ASL_MAP && !b->state->distributed;
}

/*
 * Iterations begin in batches: as long as the ones that began can go on, the
 * others cost nothing but their item, however many there are.
 */
#define BATCH 500

/* Those of a DISTRIBUTED Map are executions, which their parent goes through whenever some have closed. */
#define MAX_CHILDREN 1000

/* How many more iterations may begin now. */
static int
room(const VouchJoin *join)
{
	int			more = Min(join->total - join->next, BATCH);

	if (join->max_concurrency > 0)
		more = Min(more, join->max_concurrency - join->running);
	return join->canceling ? 0 : Max(more, 0);
}

/* Begins iterations as far as MaxConcurrency allows, a batch at most. */
static void
begin_next(VouchAdvance *adv, VouchBranch *parent)
{
	VouchJoin  *join = parent->join;
	int			n = room(join);

	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
	{
		int			place = join->next;
		VouchBranch *child;

		vouch_batch_need_item(adv, parent, place);
		child = vouch_advance_new_branch(adv, parent, place, parent->state->branches[0],
										 join->items[place - join->first_item]);
		child->item_value = join->item_values[place - join->first_item];
		join->next++;
		join->running++;
		if (parent->state->distributed)
			vouch_child_start_iteration(adv, child);
		else
			vouch_advance_ready(adv, child, VOUCH_RESUME_ENTER);
	}
	parent->join_dirty = true;
}

bool
vouch_join_more(VouchAdvance *adv, bool begin)
{
	bool		more = false;
	int			n = adv->nbranches;

	for (int i = 0; i < n; i++)
	{
		VouchBranch *b = adv->branches[i];

		if (b->removed || b->status != VOUCH_BRANCH_WAITING || b->wait != VOUCH_WAIT_JOIN || room(b->join) == 0)
			continue;
		more = true;
		if (begin)
			begin_next(adv, b);
	}
	return more;
}

void
vouch_join_open(VouchAdvance *adv, VouchBranch *b, const AslEntry *entry)
{
	VouchJoin  *join = palloc0(sizeof(VouchJoin));
	bool		map = b->state->type == ASL_MAP;
	size_t		total = map ? entry->nitems : b->state->nbranches;

	if (total + adv->live > (size_t) vouch_guc_max_branches)
	{
		AslError	error;

		error.error = "Vouch.TooManyBranches";
		error.cause = psprintf("%zu more branches would pass vouch.max_branches, which is %d",
							   total, vouch_guc_max_branches);
		vouch_advance_fail(adv, b, &error);
		return;
	}
	join->total = join->open = (int) total;
	join->tolerated_count = entry->tolerated_count;
	join->tolerated_percentage = entry->tolerated_percentage;
	b->join = join;
	if (map)
	{
		vouch_history_add(adv, b, VOUCH_EV_MAP_STARTED, b->state->name,
						  asl_object_put(asl_object(), "length", asl_int(total)), NULL);
		if (b->state->distributed)
			vouch_history_add(adv, b, VOUCH_EV_MAP_RUN_STARTED, b->state->name, NULL, NULL);
		join->max_concurrency = (int) Min(entry->max_concurrency, PG_INT32_MAX);
		if (b->state->distributed && (join->max_concurrency == 0 || join->max_concurrency > MAX_CHILDREN))
			join->max_concurrency = MAX_CHILDREN;
		join->items = entry->items;
		join->item_values = entry->item_values;
		join->end_item = join->total;
	}
	else
		vouch_history_add(adv, b, VOUCH_EV_PARALLEL_STARTED, b->state->name, NULL, NULL);
	if (total == 0)
	{
		b->resume = VOUCH_RESUME_JOINED;	/* it is being run, and goes on */
		return;
	}
	vouch_advance_park(adv, b, VOUCH_WAIT_JOIN, 0);
	if (map)
		begin_next(adv, b);
	else
		for (int i = 0; i < b->state->nbranches; i++)
		{
			join->next++;
			join->running++;
			vouch_advance_ready(adv,
								vouch_advance_new_branch(adv, b, i, b->state->branches[i], entry->payload),
								VOUCH_RESUME_ENTER);
		}
}

/* An iteration runs for the first time. */
void
vouch_join_began(VouchAdvance *adv, VouchBranch *child)
{
	if (is_inline_map(child->parent))
		vouch_history_add(adv, child, VOUCH_EV_ITERATION_STARTED, child->parent->state->name,
						  asl_int(child->place), NULL);
}

static void remove_below(VouchAdvance *adv, VouchBranch *b, VouchBranch *culprit, int **waiting,
						 int *nwaiting);

/* All branches of a canceled execution's join have ended, however: now it is told itself. */
static void
canceled(VouchAdvance *adv, VouchBranch *parent, VouchBranch *child)
{
	int		   *waiting = NULL;
	int			nwaiting = 0;

	remove_below(adv, parent, child, &waiting, &nwaiting);
	if (!child->silent)
		parent->previous_event = child->previous_event;
	parent->failure = vouch_cancel_error(adv);
	vouch_advance_ready(adv, parent, VOUCH_RESUME_FAILURE);
}

static void
child_done(VouchAdvance *adv, VouchBranch *child, const AslValue *output)
{
	VouchBranch *parent = child->parent;
	VouchJoin  *join = parent->join;

	adv->live--;
	child->status = VOUCH_BRANCH_DONE;
	child->output = output;
	child->dirty = true;
	join->running--;
	join->open--;
	parent->join_dirty = true;
	if (join->canceling)
	{
		if (join->running == 0)
			canceled(adv, parent, child);
		return;
	}
	if (join->open > 0)
	{
		if (join->max_concurrency > 0)
			begin_next(adv, parent);
		return;
	}
	if (!child->silent)
		parent->previous_event = child->previous_event;
	/* whoever brought the last one to its end brought the join about */
	parent->actor = child->actor;
	vouch_advance_ready(adv, parent, VOUCH_RESUME_JOINED);
}

void
vouch_join_child_ended(VouchAdvance *adv, VouchBranch *child, const AslValue *output)
{
	if (is_inline_map(child->parent))
		vouch_history_add(adv, child, VOUCH_EV_ITERATION_SUCCEEDED, child->parent->state->name,
						  asl_int(child->place), NULL);
	child_done(adv, child, output);
}

/* Takes away everything below a branch; collects who waited for a child execution. */
static void
remove_below(VouchAdvance *adv, VouchBranch *b, VouchBranch *culprit, int **waiting, int *nwaiting)
{
	check_stack_depth();
	for (VouchBranch *child = b->join->first; child != NULL; child = child->sibling)
	{
		if (child->removed)
			continue;
		child->removed = true;
		if (child->status == VOUCH_BRANCH_DONE)
			continue;
		adv->live--;
		if (child->wait == VOUCH_WAIT_CHILD)
		{
			*waiting = *waiting ? repalloc(*waiting, sizeof(int) * (*nwaiting + 1)) : palloc(sizeof(int));
			(*waiting)[(*nwaiting)++] = child->no;
		}
		vouch_task_forget(adv, child);
		if (child->wait == VOUCH_WAIT_JOIN && child->join != NULL)
			remove_below(adv, child, culprit, waiting, nwaiting);
		if (child != culprit && child->state != NULL && is_inline_map(b))
			vouch_history_add(adv, child, VOUCH_EV_ITERATION_ABORTED, b->state->name,
							  asl_int(child->place), NULL);
	}
	b->join_gone |= b->join->stored;
}

void
vouch_join_child_failed(VouchAdvance *adv, VouchBranch *child, const AslError *error)
{
	VouchBranch *parent = child->parent;
	VouchJoin  *join = parent->join;
	int		   *waiting = NULL;
	int			nwaiting = 0;

	join->failed++;
	if (join->canceling)
	{
		if (is_inline_map(parent))
			vouch_history_add(adv, child, VOUCH_EV_ITERATION_FAILED, parent->state->name,
							  asl_int(child->place), NULL);
		child_done(adv, child, NULL);
		return;
	}
	if (parent->state->type == ASL_MAP)
	{
		AslEntry	entry;

		if (is_inline_map(parent))
			vouch_history_add(adv, child, VOUCH_EV_ITERATION_FAILED, parent->state->name,
							  asl_int(child->place), NULL);
		memset(&entry, 0, sizeof(entry));
		entry.tolerated_count = join->tolerated_count;
		entry.tolerated_percentage = join->tolerated_percentage;
		if (!asl_map_exceeded(&entry, join->failed, join->total))
		{
			child_done(adv, child, NULL);
			return;
		}
	}
	remove_below(adv, parent, child, &waiting, &nwaiting);
	if (nwaiting > 0)
		vouch_child_close_all(adv, waiting, nwaiting);
	if (!child->silent)
		parent->previous_event = child->previous_event;
	parent->actor = child->actor;
	parent->failure = *error;
	if (parent->state->distributed)
	{
		vouch_history_add(adv, parent, VOUCH_EV_MAP_RUN_FAILED, parent->state->name, NULL, NULL);
		parent->failure = asl_map_error();
	}
	vouch_advance_ready(adv, parent, VOUCH_RESUME_FAILURE);
}

/* All have ended: the outputs become the result. */
void
vouch_join_finish(VouchAdvance *adv, VouchBranch *b)
{
	VouchJoin  *join = b->join;
	const AslValue **outputs = palloc0(sizeof(AslValue *) * Max(join->total, 1));
	const AslValue *result;

	if (join->stored)
	{
		vouch_batch_read_outputs(adv, b, outputs);
		b->join_gone = true;
	}
	for (VouchBranch *child = join->first; child != NULL; child = child->sibling)
	{
		outputs[child->place] = child->output;
		child->removed = true;
	}
	result = asl_join(b->state, outputs, join->total);
	if (b->state->type == ASL_MAP)
	{
		if (b->state->distributed)
			vouch_history_add(adv, b, VOUCH_EV_MAP_RUN_SUCCEEDED, b->state->name, NULL, NULL);
		vouch_history_add(adv, b, VOUCH_EV_MAP_SUCCEEDED, b->state->name, NULL, NULL);
	}
	vouch_advance_finish(adv, b, NULL, result);
}
