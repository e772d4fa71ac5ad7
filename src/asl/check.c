/*
 * check.c
 *	  What is wrong with a program as a whole: where its states lead, whether
 *	  they are reached, whether they ever come to rest, and its variables.
 */
#include "asl/port.h"

#include "asl/check.h"

/* Is shown each transition of a state: its target and the place under the state. */
typedef void (*EdgeSeen) (const AslState *state, const char *target, const char *place,
						  void *arg);

/* Shows the transitions of a state, in the order of their meaning. */
static void
each_edge(const AslState *state, EdgeSeen seen, void *arg)
{
	const AslStateBody *body = state->body;

	if (state->next != NULL)
		seen(state, state->next, "/Next", arg);
	for (size_t i = 0; i < body->nrules; i++)
		if (body->rules[i]->next != NULL)
			seen(state, body->rules[i]->next, asl_printf("/Choices/%zu/Next", i), arg);
	if (body->default_next != NULL)
		seen(state, body->default_next, "/Default", arg);
	for (size_t i = 0; i < body->ncatchers; i++)
		if (body->catchers[i].next != NULL)
			seen(state, body->catchers[i].next, asl_printf("/Catch/%zu/Next", i), arg);
}

/* Writes the JSON pointer of a machine. */
static void
machine_place(AslText *place, const AslMachine *machine)
{
	const AslState *owner = machine->owner;
	AslCompiler scratch;

	if (owner == NULL)
		return;
	machine_place(place, owner->machine);
	asl_text_puts(place, "/States");
	scratch.place = *place;
	asl_push(&scratch, owner->name);
	*place = scratch.place;
	if (owner->type == ASL_PARALLEL)
	{
		for (int i = 0; i < owner->nbranches; i++)
			if (owner->branches[i] == machine)
				asl_text_printf(place, "/Branches/%d", i);
	}
	else
		asl_text_puts(place, owner->body->iterator ? "/Iterator" : "/ItemProcessor");
}

static char *
state_place(const AslState *state)
{
	AslCompiler scratch;

	asl_text_init(&scratch.place);
	machine_place(&scratch.place, state->machine);
	asl_text_puts(&scratch.place, "/States");
	asl_push(&scratch, state->name);
	return scratch.place.data;
}

static int
index_of(const AslState *state)
{
	return (int) (state - state->machine->states);
}

/* --------------------------------------------------------- where it leads */

static void
check_target(const AslState *state, const char *target, const char *place, void *arg)
{
	if (asl_find_state(state->machine, target) == NULL)
		asl_problem_in(arg, asl_printf("%s%s", state_place(state), place), ASL_PROBLEM_ERROR,
					   "UNKNOWN_STATE", asl_printf("There is no state \"%s\" here.", target));
}

typedef struct Walk
{
	bool	   *marked;
	int		   *stack;
	int			depth;
} Walk;

static void
walk_to(const AslState *state, const char *target, const char *place, void *arg)
{
	Walk	   *walk = arg;
	const AslState *next = asl_find_state(state->machine, target);

	if (next != NULL && !walk->marked[index_of(next)])
	{
		walk->marked[index_of(next)] = true;
		walk->stack[walk->depth++] = index_of(next);
	}
}

/* Tells of states that nothing leads to. */
static const bool *
check_reached(AslCompiler *compiler, const AslMachine *machine)
{
	Walk		walk;
	const AslState *start = machine->start_at == NULL ? NULL :
		asl_find_state(machine, machine->start_at);

	walk.marked = asl_alloc(machine->nstates * sizeof(bool));
	walk.stack = asl_alloc(machine->nstates * sizeof(int));
	walk.depth = 0;
	memset(walk.marked, 0, machine->nstates * sizeof(bool));
	if (machine->start_at != NULL && start == NULL)
	{
		AslText		place;

		asl_text_init(&place);
		machine_place(&place, machine);
		asl_text_puts(&place, "/StartAt");
		asl_problem_in(compiler, place.data, ASL_PROBLEM_ERROR, "UNKNOWN_STATE",
					   asl_printf("There is no state \"%s\" here.", machine->start_at));
	}
	if (start == NULL)
		return walk.marked;

	walk.marked[index_of(start)] = true;
	walk.stack[walk.depth++] = index_of(start);
	while (walk.depth > 0)
		each_edge(&machine->states[walk.stack[--walk.depth]], walk_to, &walk);
	for (int i = 0; i < machine->nstates; i++)
		if (!walk.marked[i])
			asl_problem_in(compiler, state_place(&machine->states[i]), ASL_PROBLEM_ERROR,
						   "UNREACHABLE_STATE",
						   asl_printf("Nothing leads to the state \"%s\".",
									  machine->states[i].name));
	return walk.marked;
}

/* ------------------------------------------------------ whether it rests */

/* Tells whether a machine has a state that waits for something. */
static bool
machine_rests(const AslMachine *machine)
{
	for (int i = 0; i < machine->nstates; i++)
	{
		const AslState *state = &machine->states[i];

		if (state->type == ASL_WAIT || state->type == ASL_TASK)
			return true;
		for (int j = 0; j < state->nbranches; j++)
			if (machine_rests(state->branches[j]))
				return true;
	}
	return false;
}

/* Tells whether a state ends its machine or waits for something. */
static bool
state_rests(const AslState *state)
{
	switch (state->type)
	{
		case ASL_TASK:
		case ASL_WAIT:
		case ASL_SUCCEED:
		case ASL_FAIL:
			return true;
		case ASL_CHOICE:
			/* without Default it fails when no rule holds */
			return state->body->default_next == NULL;
		case ASL_PASS:
			return state->next == NULL;
		case ASL_PARALLEL:
		case ASL_MAP:
			if (state->next == NULL)
				return true;
			for (int i = 0; i < state->nbranches; i++)
				if (machine_rests(state->branches[i]))
					return true;
			return false;
	}
	return true;
}

typedef struct Predecessors
{
	int		   *from;			/* edges by their target: the list of each state */
	int		   *next;
	int		   *first;			/* per state; -1: none */
	int			n;
	int			size;
} Predecessors;

static void
note_predecessor(const AslState *state, const char *target, const char *place, void *arg)
{
	Predecessors *edges = arg;
	const AslState *next = asl_find_state(state->machine, target);

	if (next == NULL)
		return;
	if (edges->n == edges->size)
	{
		int			size = edges->size == 0 ? 64 : edges->size * 2;

		edges->from = asl_realloc(edges->from, edges->size * sizeof(int), size * sizeof(int));
		edges->next = asl_realloc(edges->next, edges->size * sizeof(int), size * sizeof(int));
		edges->size = size;
	}
	edges->from[edges->n] = index_of(state);
	edges->next[edges->n] = edges->first[index_of(next)];
	edges->first[index_of(next)] = edges->n++;
}

static void
note_successor(const AslState *state, const char *target, const char *place, void *arg)
{
	int		   *successor = arg;
	const AslState *next = asl_find_state(state->machine, target);

	if (next != NULL && *successor < 0)
		*successor = index_of(next);
}

/*
 * Tells of loops that never rest: states from which neither an end nor
 * anything that waits can be reached.
 */
static void
check_rests(AslCompiler *compiler, const AslMachine *machine, const bool *reached)
{
	int			n = machine->nstates;
	Predecessors edges = {NULL};
	bool	   *rests = asl_alloc(n * sizeof(bool));
	int		   *stack = asl_alloc(n * sizeof(int));
	int		   *seen = asl_alloc(n * sizeof(int));
	int			depth = 0;

	edges.first = asl_alloc(n * sizeof(int));
	for (int i = 0; i < n; i++)
		edges.first[i] = -1;
	for (int i = 0; i < n; i++)
	{
		each_edge(&machine->states[i], note_predecessor, &edges);
		rests[i] = state_rests(&machine->states[i]);
		seen[i] = -1;
		if (rests[i])
			stack[depth++] = i;
	}
	while (depth > 0)
	{
		for (int e = edges.first[stack[--depth]]; e >= 0; e = edges.next[e])
		{
			if (rests[edges.from[e]])
				continue;
			rests[edges.from[e]] = true;
			stack[depth++] = edges.from[e];
		}
	}

	/* each walk among the rest ends in a loop: that of this walk is a new one */
	for (int i = 0; i < n; i++)
	{
		int			at = i;

		while (at >= 0 && reached[at] && !rests[at] && seen[at] < 0)
		{
			int			successor = -1;

			seen[at] = i;
			each_edge(&machine->states[at], note_successor, &successor);
			at = successor;
		}
		if (at >= 0 && reached[at] && !rests[at] && seen[at] == i)
			asl_problem_in(compiler, state_place(&machine->states[at]), ASL_PROBLEM_ERROR,
						   "ENDLESS_LOOP",
						   asl_printf("The state \"%s\" is in a loop that has neither an exit nor a state that waits.",
									  machine->states[at].name));
	}
}

/* --------------------------------------------------------------- names */

static int
compare_names(const void *left, const void *right)
{
	const AslState *const *a = left;
	const AslState *const *b = right;
	int			order = strcmp((*a)->name, (*b)->name);

	if (order != 0)
		return order;
	return (*a)->machine->number - (*b)->machine->number;
}

/* Tells of state names used in more than one machine of the program. */
static void
check_names(AslCompiler *compiler)
{
	const AslProgram *program = compiler->program;
	const AslState **states;
	size_t		n = 0;

	for (int i = 0; i < program->nmachines; i++)
		n += program->machines[i]->nstates;
	if (n == 0)
		return;
	states = asl_alloc(n * sizeof(AslState *));
	n = 0;
	for (int i = 0; i < program->nmachines; i++)
		for (int j = 0; j < program->machines[i]->nstates; j++)
			states[n++] = &program->machines[i]->states[j];
	qsort(states, n, sizeof(AslState *), compare_names);
	for (size_t i = 1; i < n; i++)
		if (strcmp(states[i - 1]->name, states[i]->name) == 0)
			asl_problem_in(compiler, state_place(states[i]), ASL_PROBLEM_ERROR,
						   "DUPLICATE_STATE_NAME",
						   asl_printf("The name \"%s\" is used for another state too.",
									  states[i]->name));
}

static int
compare_uses(const void *left, const void *right)
{
	const AslVariableUse *a = left;
	const AslVariableUse *b = right;
	int			order = strcmp(a->name, b->name);

	if (order != 0)
		return order;
	if (a->assigned != b->assigned)
		return a->assigned ? -1 : 1;
	return a->machine->number - b->machine->number;
}

/*
 * Returns the nearest machine that is marked, from one outwards, or NULL.
 * *apart tells whether a distributed Map, whose iterations are executions of
 * their own, lies between the two.
 */
static const AslMachine *
find_marked(const AslMachine *machine, const size_t *marks, size_t mark, bool *apart)
{
	*apart = false;
	while (machine != NULL && marks[machine->number] != mark)
	{
		if (machine->owner != NULL && machine->owner->distributed)
			*apart = true;
		machine = machine->owner == NULL ? NULL : machine->owner->machine;
	}
	return machine;
}

/*
 * Tells of variables that are read where nothing has assigned them, and of
 * variables that an inner scope assigns although an outer one has them.
 */
static void
check_variables(AslCompiler *compiler)
{
	AslVariableUse *uses = compiler->uses;
	size_t	   *marks;			/* per machine: the last name assigned in it */
	size_t		mark = 0;
	bool		assigned = false;
	bool		apart;

	if (compiler->nuses == 0)
		return;
	marks = asl_alloc(compiler->program->nmachines * sizeof(size_t));
	memset(marks, 0, compiler->program->nmachines * sizeof(size_t));
	qsort(uses, compiler->nuses, sizeof(AslVariableUse), compare_uses);
	/* of each name, what assigns it comes first */
	for (size_t i = 0; i < compiler->nuses; i++)
	{
		const AslVariableUse *use = &uses[i];
		const AslState *owner = use->machine->owner;

		if (i == 0 || strcmp(uses[i - 1].name, use->name) != 0)
		{
			mark++;
			assigned = false;
		}
		if (use->assigned)
		{
			/* machines are numbered from the outside, and sorted by their numbers here */
			if (owner != NULL && find_marked(owner->machine, marks, mark, &apart) != NULL)
				asl_problem_in(compiler, use->location, ASL_PROBLEM_ERROR,
							   "VARIABLE_IN_OUTER_SCOPE",
							   asl_printf("The variable \"%s\" belongs to an outer scope, which cannot be assigned to from here.",
										  use->name));
			marks[use->machine->number] = mark;
			assigned = true;
		}
		else if (find_marked(use->machine, marks, mark, &apart) == NULL)
			asl_problem_in(compiler, use->location, ASL_PROBLEM_WARNING, "UNASSIGNED_VARIABLE",
						   assigned ? asl_printf("The variable \"$%s\" is assigned only in other scopes, which cannot be read from here.",
												 use->name) :
						   asl_printf("The variable \"$%s\" is never assigned.", use->name));
		else if (apart)
			asl_problem_in(compiler, use->location, ASL_PROBLEM_ERROR, "VARIABLE_IN_OUTER_SCOPE",
						   asl_printf("The variable \"$%s\" belongs to an outer scope, which cannot be read within a distributed Map.",
									  use->name));
	}
}

void
asl_check_program(AslCompiler *compiler)
{
	for (int i = 0; i < compiler->program->nmachines; i++)
	{
		const AslMachine *machine = compiler->program->machines[i];

		if (machine->nstates == 0)
			continue;
		for (int j = 0; j < machine->nstates; j++)
			each_edge(&machine->states[j], check_target, compiler);
		check_rests(compiler, machine, check_reached(compiler, machine));
	}
	check_names(compiler);
	check_variables(compiler);
}
