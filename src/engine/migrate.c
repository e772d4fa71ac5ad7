/*
 * migrate.c
 *	  Moves open executions to another revision of their workflow.
 *
 * A branch stands at a state in a machine, which is known by the states that
 * it is nested in.  Where the other revision has the same place, and what is
 * waited for is the same, the rows are moved there; nothing else changes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/limits.h"
#include "core/stmt.h"
#include "engine/advance.h"
#include "engine/resource.h"
#include "engine/signal.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_migrate_execution);

static VouchStmt move_branches = {
	"UPDATE vouch_data.branch b SET machine_no = m.new_no, run_as = $5"
	" FROM unnest($3, $4) AS m(old_no, new_no)"
	" WHERE b.bucket = $1 AND b.execution_id = $2 AND b.machine_no = m.old_no",
	SPI_OK_UPDATE, 5, {INT4OID, UUIDOID, INT4ARRAYOID, INT4ARRAYOID, TEXTOID}, .indexed = true
};

static VouchStmt move_execution = {
	"UPDATE vouch_data.execution SET revision = $3, run_as = $4, next_event = $5, machine_no = $6"
	" WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_UPDATE, 6, {INT4OID, UUIDOID, INT4OID, TEXTOID, INT8OID, INT4OID}, .indexed = true
};

static VouchStmt move_nudges = {
	"UPDATE vouch_data.nudge SET run_as = $3 WHERE bucket = $1 AND execution_id = $2 AND run_as <> $3",
	SPI_OK_UPDATE, 3, {INT4OID, UUIDOID, TEXTOID}, .indexed = true
};

static VouchStmt move_tasks = {
	"UPDATE vouch_data.task SET run_as = $3 WHERE bucket = $1 AND run_as <> $3 AND task_id IN"
	" (SELECT b.wait_id FROM vouch_data.branch b"
	"  WHERE b.bucket = $1 AND b.execution_id = $2 AND b.wait_kind = 'activity')",
	SPI_OK_UPDATE, 3, {INT4OID, UUIDOID, TEXTOID}, .indexed = true
};

/* The machine at the same place in another program, or NULL. */
static const AslMachine *
same_place(const AslProgram *program, const AslMachine *machine)
{
	const AslMachine *outer;
	const AslState *owner;

	check_stack_depth();
	if (machine->owner == NULL)
		return program->machines[0];
	outer = same_place(program, machine->owner->machine);
	owner = outer == NULL ? NULL : asl_find_state(outer, machine->owner->name);
	if (owner == NULL || owner->type != machine->owner->type || owner->nbranches != machine->owner->nbranches)
		return NULL;
	for (int i = 0; i < owner->nbranches; i++)
		if (machine->owner->branches[i] == machine)
			return owner->branches[i];
	return NULL;
}

/*
 * What another revision says of the signal that a vouch:signal or vouch:review
 * waits for: false when only running the state would tell.  *name is NULL when
 * it waits for none.
 */
static bool
names_signal(const AslProgram *program, const AslState *state, const char **name)
{
	static const char *const keys[] = {"Signal", "SignalName"};
	const AslValue *parameters = asl_get(vouch_program_written(program, state), "Parameters");
	int			nkeys = vouch_resource_kind(state->resource) == VOUCH_RESOURCE_SIGNAL ? 2 : 1;

	*name = NULL;
	if (parameters == NULL || parameters->type != ASL_OBJECT)
		return false;
	for (int i = 0; i < nkeys && *name == NULL; i++)
	{
		const AslValue *v = asl_get(parameters, keys[i]);

		if (asl_get(parameters, psprintf("%s.$", keys[i])) != NULL)
			return false;
		if (v != NULL && v->type == ASL_STRING)
			*name = v->u.string.data;
	}
	return true;
}

static const char *
signal_text(const char *name)
{
	return name == NULL ? "no signal" : psprintf("signal \"%s\"", name);
}

/* What speaks against moving a branch, or NULL. */
static const char *
branch_problem(const VouchBranch *b, const AslProgram *program)
{
	const AslMachine *machine = same_place(program, b->machine);
	const AslState *state;
	const char *name = b->state ? b->state->name : b->machine->start_at;
	const char *signal;

	if (machine == NULL)
		return psprintf("the new revision has no place for state \"%s\": what it is nested in is not the same", name);
	if (b->state == NULL)
		return NULL;			/* it has not begun, and begins where the new one does */
	state = asl_find_state(machine, name);
	if (state == NULL)
		return psprintf("the new revision has no state \"%s\" in that place", name);
	if (state->type != b->state->type)
		return psprintf("state \"%s\" is of another type in the new revision", name);
	if (b->status != VOUCH_BRANCH_WAITING)
		return NULL;
	if (state->type == ASL_TASK && b->wait != VOUCH_WAIT_RETRY && strcmp(state->resource, b->state->resource) != 0)
		return psprintf("state \"%s\" waits for \"%s\", in the new revision it is \"%s\"", name,
						b->state->resource, state->resource);
	if ((b->wait == VOUCH_WAIT_SIGNAL || b->wait == VOUCH_WAIT_REVIEW) && names_signal(program, state, &signal) &&
		(signal == NULL || b->wait_name == NULL ? signal != b->wait_name : strcmp(signal, b->wait_name) != 0))
		return psprintf("state \"%s\" waits for %s, in the new revision for %s", name,
						signal_text(b->wait_name), signal_text(signal));
	if (b->wait == VOUCH_WAIT_JOIN)
	{
		if (state->nbranches != b->state->nbranches)
			return psprintf("state \"%s\" has %d branches, in the new revision %d", name,
							b->state->nbranches, state->nbranches);
		if (state->distributed != b->state->distributed)
			return psprintf("state \"%s\" changes its mode in the new revision", name);
	}
	return NULL;
}

static Datum
int_array(Datum *items, int n)
{
	return PointerGetDatum(construct_array(items, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

static void
move(VouchAdvance *adv, const VouchProgram *to)
{
	VouchExecution *e = &adv->execution;
	const AslProgram *from = adv->program->asl;
	Datum	   *old_no = palloc(sizeof(Datum) * from->nmachines);
	Datum	   *new_no = palloc(sizeof(Datum) * from->nmachines);
	int			n = 0;
	const AslValue *detail;
	Datum		args[6];

	detail = asl_object_put(asl_object(), "from", asl_int(e->revision));
	detail = asl_object_put(detail, "to", asl_int(to->revision));
	vouch_history_begin(adv);
	vouch_history_add(adv, NULL, VOUCH_EV_MIGRATED, NULL, detail, vouch_actor_current());
	vouch_history_flush(adv);
	for (int i = 0; i < from->nmachines; i++)
	{
		const AslMachine *machine = same_place(to->asl, from->machines[i]);

		if (machine == NULL)
			continue;			/* no branch stands there */
		old_no[n] = Int32GetDatum(i);
		new_no[n++] = Int32GetDatum(machine->number);
	}
	args[0] = Int32GetDatum(e->bucket);
	args[1] = UUIDPGetDatum(&e->id);
	args[2] = int_array(old_no, n);
	args[3] = int_array(new_no, n);
	args[4] = CStringGetTextDatum(to->run_as);
	vouch_stmt_run(&move_branches, args, NULL);
	args[2] = Int32GetDatum(to->revision);
	args[3] = CStringGetTextDatum(to->run_as);
	args[4] = Int64GetDatum(e->next_event);
	args[5] = Int32GetDatum(same_place(to->asl, from->machines[e->machine_no])->number);
	vouch_stmt_run_one(&move_execution, args, NULL);
	if (strcmp(e->run_as, to->run_as) != 0)
	{
		args[2] = CStringGetTextDatum(to->run_as);
		vouch_stmt_run(&move_nudges, args, NULL);
		vouch_stmt_run(&move_tasks, args, NULL);
	}
	vouch_rows_wake(to->run_as, e->bucket, &e->id, 0);
}

/* An error, but what is only tried is answered. */
static const char *
not_open(int bucket, const char *workflow_id, bool dry)
{
	if (!dry)
		vouch_signal_no_open(bucket, workflow_id);
	return "no execution of that workflow_id is open";
}

/* Checks one, and moves it unless dry; what speaks against it, or NULL. */
static const char *
migrate(const char *workflow_id, const int *revision, bool dry, Datum *values, bool *nulls)
{
	int			bucket = vouch_id_workflow_bucket(workflow_id);
	VouchAdvance *adv = palloc0(sizeof(VouchAdvance));
	const VouchProgram *to;
	pg_uuid_t	id;
	char	   *run_as;
	bool		busy;

	if (!vouch_rows_find_open(bucket, workflow_id, &id, &run_as))
		return not_open(bucket, workflow_id, dry);
	if (vouch_advance_running(&id) != NULL)
		return "it is running this very activity";
	if (!vouch_rows_claim(bucket, &id, dry ? VOUCH_CLAIM_NOTHING : VOUCH_CLAIM_WAIT, &adv->execution, &busy) ||
		strcmp(adv->execution.status, "running") != 0)
		return not_open(bucket, workflow_id, dry);
	adv->context = CurrentMemoryContext;
	adv->started = GetCurrentTimestamp();
	adv->program = vouch_program_get(adv->execution.workflow, adv->execution.revision);
	to = vouch_program_named(adv->execution.workflow, revision);
	values[1] = Int32GetDatum(adv->execution.revision);
	values[2] = Int32GetDatum(to->revision);
	nulls[1] = nulls[2] = false;
	if (to->revision == adv->execution.revision)
		return NULL;
	vouch_rows_load(adv);
	for (int i = 0; i < adv->nbranches; i++)
	{
		const char *problem = branch_problem(adv->branches[i], to->asl);

		if (problem != NULL)
			return problem;
	}
	if (!dry)
		move(adv, to);
	return NULL;
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/*
 * vouch.migrate_execution(workflow_ids text[], revision int, dry_run boolean)
 * returns a row for each: workflow_id, from_revision, to_revision, problem
 */
Datum
vouch_sql_migrate_execution(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext own = CurrentMemoryContext;
	Datum	   *items;
	bool	   *nulls;
	int			n;
	char	  **ids;
	int			revision = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	bool		dry = PG_GETARG_BOOL(2);
	StringInfoData problems;

	vouch_check_given(PG_ARGISNULL(0), "workflow_ids");
	vouch_check_given(PG_ARGISNULL(2), "dry_run");
	InitMaterializedSRF(fcinfo, 0);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	ids = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		vouch_check_given(nulls[i], "a workflow_id");
		ids[i] = TextDatumGetCString(items[i]);
	}
	/* the same order for all, so that two of us do not wait for each other */
	qsort(ids, n, sizeof(char *), compare_texts);
	initStringInfo(&problems);
	SPI_connect();
	MemoryContextSwitchTo(own);
	for (int i = 0; i < n; i++)
	{
		Datum		values[4];
		bool		isnull[4] = {false, true, true, true};
		const char *problem;

		if (i > 0 && strcmp(ids[i], ids[i - 1]) == 0)
			continue;
		problem = migrate(ids[i], PG_ARGISNULL(1) ? NULL : &revision, dry, values, isnull);
		values[0] = CStringGetTextDatum(ids[i]);
		if (problem != NULL)
		{
			values[3] = CStringGetTextDatum(problem);
			isnull[3] = false;
			appendStringInfo(&problems, "%sworkflow \"%s\": %s.", problems.len > 0 ? "\n" : "", ids[i], problem);
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
	}
	SPI_finish();
	if (!dry && problems.len > 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_EXECUTION_STATE),
				 errmsg("not all executions can be migrated, so none was"),
				 errdetail("%s", problems.data),
				 errhint("Call with dry_run => true to see which can, or define a revision that has these states.")));
	return (Datum) 0;
}
