/*
 * rows.c
 *	  Executions and branches: rows into structs, and structs into rows.
 *
 * Everything that an advance does happens in memory; what is different at
 * its end is written once.
 */
#include "postgres.h"

#include "asl/jsonb.h"
#include "catalog/pg_type.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/id.h"
#include "core/stmt.h"
#include "engine/advance.h"
#include "engine/batch.h"
#include "engine/machines.h"
#include "engine/task.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

static const char *const status_names[] = {"ready", "waiting", "pending", "done"};
static const char *const wait_names[] = {NULL, "timer", "retry", "signal", "review", "child", "join",
"activity", "until"};

/* A join's data may be large and is wanted only at its end. */
static VouchStmt load_branches = {
	"SELECT branch_no, parent_no, place, machine_no, state, status::text, resume, wait_kind,"
	" wait_name, wait_id, due_at, entered_at, actor, previous_event, join_total, join_open,"
	" join_failed, join_next, join_limits::text, vars::text,"
	" CASE WHEN status = 'ready' OR due_at <= $3 THEN data::text END"
	" FROM vouch_data.branch"
	" WHERE bucket = $1 AND execution_id = $2 AND status IN ('ready', 'waiting')"
	" ORDER BY branch_no",
	SPI_OK_SELECT, 3, {INT4OID, UUIDOID, TIMESTAMPTZOID}, .indexed = true
};

static VouchStmt load_data = {
	"SELECT data::text FROM vouch_data.branch WHERE bucket = $1 AND execution_id = $2 AND branch_no = $3",
	SPI_OK_SELECT, 3, {INT4OID, UUIDOID, INT4OID}, .indexed = true
};

static VouchStmt load_input = {
	"SELECT input FROM vouch_data.execution_input WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_SELECT, 2, {INT4OID, UUIDOID}, .indexed = true
};

#define NWRITTEN 23

static VouchStmt insert_branch = {
	"INSERT INTO vouch_data.branch (bucket, execution_id, branch_no, run_as, parent_no, place, machine_no,"
	" state, status, resume, wait_kind, wait_name, wait_id, due_at, entered_at, actor, previous_event,"
	" join_total, join_open, join_failed, join_next, join_limits, vars, data)"
	" VALUES ($1, $2, $3, $24, $4, $5, $6, $7, $8::vouch_data.branch_status, $9, $10, $11, $12, $13, $14,"
	" $15, $16, $17, $18, $19, $20, $21, $22, $23)",
	SPI_OK_INSERT, 24,
	{INT4OID, UUIDOID, INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID, INT4OID, TEXTOID, TEXTOID,
	UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, INT8OID, INT4OID, INT4OID, INT4OID, INT4OID,
	JSONOID, JSONOID, JSONOID, TEXTOID}
};

static VouchStmt update_branch = {
	"UPDATE vouch_data.branch SET parent_no = $4, place = $5, machine_no = $6, state = $7,"
	" status = $8::vouch_data.branch_status, resume = $9, wait_kind = $10, wait_name = $11, wait_id = $12,"
	" due_at = $13, entered_at = $14, actor = $15, previous_event = $16, join_total = $17, join_open = $18,"
	" join_failed = $19, join_next = $20, join_limits = $21, vars = $22, data = $23"
	" WHERE bucket = $1 AND execution_id = $2 AND branch_no = $3",
	SPI_OK_UPDATE, NWRITTEN,
	{INT4OID, UUIDOID, INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID, INT4OID, TEXTOID, TEXTOID,
	UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, INT8OID, INT4OID, INT4OID, INT4OID, INT4OID,
	JSONOID, JSONOID, JSONOID}, .indexed = true
};

static VouchStmt update_join = {
	"UPDATE vouch_data.branch SET join_open = $4, join_failed = $5, join_next = $6, previous_event = $7"
	" WHERE bucket = $1 AND execution_id = $2 AND branch_no = $3",
	SPI_OK_UPDATE, 7, {INT4OID, UUIDOID, INT4OID, INT4OID, INT4OID, INT4OID, INT8OID}, .indexed = true
};

static VouchStmt delete_branches = {
	"DELETE FROM vouch_data.branch WHERE bucket = $1 AND execution_id = $2"
	" AND (branch_no = ANY ($3) OR parent_no = ANY ($4))",
	SPI_OK_DELETE, 4, {INT4OID, UUIDOID, INT4ARRAYOID, INT4ARRAYOID}, .indexed = true
};

static VouchStmt update_counters = {
	"UPDATE vouch_data.execution SET next_branch = $3, next_event = $4 WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_UPDATE, 4, {INT4OID, UUIDOID, INT4OID, INT8OID}, .indexed = true
};

/* --------------------------------------------------------------- loading */

static const AslValue *
parse_own(const char *text)
{
	AslError	error = {NULL, NULL};
	const AslValue *value = asl_parse(text, strlen(text), &error);

	if (value == NULL)
		elog(ERROR, "stored JSON cannot be read: %s", error.cause ? error.cause : "?");
	return value;
}

static int
name_index(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (names[i] != NULL && strcmp(names[i], name) == 0)
			return i;
	elog(ERROR, "unknown name \"%s\" in a branch", name);
	return 0;
}

static void
read_data(VouchBranch *b, const char *text)
{
	const AslValue *data = parse_own(text);
	const AslValue *v;
	int64_t		n;

	b->input = asl_get(data, "i");
	b->item_value = asl_get(data, "x");
	b->output = asl_get(data, "o");
	if ((v = asl_get(data, "a")) != NULL && asl_is_int(v, &n))
		b->attempt = (int) n;
	if ((v = asl_get(data, "n")) != NULL && asl_is_int(v, &n))
		b->returns = (int) n;
	if ((v = asl_get(data, "r")) != NULL && v->type == ASL_ARRAY && v->u.array.n > 0)
	{
		/* another revision may have more Retry entries than when they were counted */
		b->counts = palloc0(sizeof(int) * Max(v->u.array.n, b->state ? asl_nretriers(b->state) : 0));
		for (size_t i = 0; i < v->u.array.n; i++)
			if (asl_is_int(v->u.array.items[i], &n))
				b->counts[i] = (int) n;
	}
	/* the main line's may still be the execution's, which is read when it is needed */
	b->loaded = b->no > 0 || b->input != NULL;
}

void
vouch_rows_load_data(VouchAdvance *adv, VouchBranch *b)
{
	if (b->loaded)
		return;
	if (!b->data_read)
	{
		Datum		args[3];
		char	   *text;

		args[0] = Int32GetDatum(adv->execution.bucket);
		args[1] = UUIDPGetDatum(&adv->execution.id);
		args[2] = Int32GetDatum(b->no);
		vouch_stmt_run_one(&load_data, args, NULL);
		text = vouch_stmt_get_text(0, 1);
		SPI_freetuptable(SPI_tuptable);
		if (text != NULL)
			read_data(b, text);
	}
	if (b->input == NULL)
		b->input = vouch_rows_input(adv);
	b->loaded = true;
}

const AslValue *
vouch_rows_input(VouchAdvance *adv)
{
	if (adv->context_input == NULL)
	{
		Datum		args[2];

		args[0] = Int32GetDatum(adv->execution.bucket);
		args[1] = UUIDPGetDatum(&adv->execution.id);
		vouch_stmt_run_one(&load_input, args, NULL);
		adv->context_input = asl_from_jsonb(DatumGetJsonbP(vouch_stmt_get(0, 1, NULL)));
		SPI_freetuptable(SPI_tuptable);
	}
	return adv->context_input;
}

static VouchBranch *
find_branch(VouchAdvance *adv, int no)
{
	int			low = 0,
				high = adv->nbranches - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;

		if (adv->branches[mid]->no == no)
			return adv->branches[mid];
		if (adv->branches[mid]->no < no)
			low = mid + 1;
		else
			high = mid - 1;
	}
	elog(ERROR, "branch %d is missing", no);
	return NULL;
}

void
vouch_rows_add(VouchAdvance *adv, VouchBranch *b)
{
	if (adv->nbranches == adv->maxbranches)
	{
		adv->maxbranches = Max(16, adv->maxbranches * 2);
		adv->branches = adv->branches == NULL
			? palloc(sizeof(VouchBranch *) * adv->maxbranches)
			: repalloc_huge(adv->branches, sizeof(VouchBranch *) * adv->maxbranches);
	}
	adv->branches[adv->nbranches++] = b;
	if (b->no > 0)
		adv->live++;
}

/* What hangs on the parent: scope, silence. */
void
vouch_rows_adopt(VouchBranch *b, VouchBranch *parent)
{
	b->parent = parent;
	b->scope.vars = b->vars ? b->vars : asl_object();
	b->scope.outer = parent ? &parent->scope : NULL;
	b->silent = parent != NULL && (parent->silent || (parent->state != NULL && parent->state->distributed));
	if (parent != NULL)
	{
		b->sibling = parent->join->first;
		parent->join->first = b;
	}
}

static void
read_join(VouchBranch *b, int row, const char *limits)
{
	VouchJoin  *join = palloc0(sizeof(VouchJoin));
	const AslValue *v = limits ? parse_own(limits) : NULL;
	int64_t		n;

	join->total = vouch_stmt_get_int32(row, 15, 0);
	join->open = vouch_stmt_get_int32(row, 16, 0);
	join->failed = vouch_stmt_get_int32(row, 17, 0);
	join->next = vouch_stmt_get_int32(row, 18, 0);
	join->stored = true;
	join->tolerated_count = -1;
	join->tolerated_percentage = -1;
	if (v != NULL && asl_is_int(asl_get(v, "max"), &n))
		join->max_concurrency = (int) n;
	if (v != NULL && asl_get(v, "count") && asl_is_int(asl_get(v, "count"), &n))
		join->tolerated_count = n;
	if (v != NULL && asl_get(v, "percentage"))
		(void) asl_as_double(asl_get(v, "percentage"), &join->tolerated_percentage);
	join->canceling = v != NULL && asl_get(v, "canceling") != NULL;
	b->join = join;
}

void
vouch_rows_load(VouchAdvance *adv)
{
	const AslProgram *asl = adv->program->asl;
	Datum		args[3];
	uint64		n;
	SPITupleTable *table;
	int		   *parents;

	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = UUIDPGetDatum(&adv->execution.id);
	args[2] = TimestampTzGetDatum(adv->started);
	n = vouch_stmt_run(&load_branches, args, NULL);
	table = SPI_tuptable;
	parents = palloc(sizeof(int) * Max(n, 1));
	for (uint64 row = 0; row < n; row++)
	{
		VouchBranch *b = palloc0(sizeof(VouchBranch));
		bool		isnull;
		Datum		value;
		char	   *text;
		int			machine_no = vouch_stmt_get_int32(row, 4, 0);

		b->no = vouch_stmt_get_int32(row, 1, 0);
		parents[row] = vouch_stmt_get_int32(row, 2, -1);
		b->place = vouch_stmt_get_int32(row, 3, 0);
		if (machine_no < 0 || machine_no >= asl->nmachines)
			elog(ERROR, "branch %d stands in machine %d of %d", b->no, machine_no, asl->nmachines);
		b->machine = asl->machines[machine_no];
		text = vouch_stmt_get_text(row, 5);
		if (text != NULL)
		{
			b->state = asl_find_state(b->machine, text);
			if (b->state == NULL)
				elog(ERROR, "branch %d stands in unknown state \"%s\"", b->no, text);
		}
		b->status = name_index(status_names, lengthof(status_names), vouch_stmt_get_text(row, 6));
		b->resume = vouch_stmt_get_int32(row, 7, 0);
		text = vouch_stmt_get_text(row, 8);
		if (text != NULL)
			b->wait = name_index(wait_names, lengthof(wait_names), text);
		b->wait_name = vouch_stmt_get_text(row, 9);
		value = vouch_stmt_get(row, 10, &isnull);
		b->has_wait_id = !isnull;
		if (!isnull)
			b->wait_id = *DatumGetUUIDP(value);
		b->due_at = vouch_stmt_get_int64(row, 11, 0);
		b->entered_at = vouch_stmt_get_int64(row, 12, 0);
		b->actor = vouch_stmt_get_text(row, 13);
		b->previous_event = vouch_stmt_get_int64(row, 14, 0);
		if (b->wait == VOUCH_WAIT_JOIN)
			read_join(b, row, vouch_stmt_get_text(row, 19));
		text = vouch_stmt_get_text(row, 20);
		if (text != NULL)
			b->vars = parse_own(text);
		text = vouch_stmt_get_text(row, 21);
		if (text != NULL)
			read_data(b, text);
		b->data_read = text != NULL || b->status == VOUCH_BRANCH_READY;
		b->stored = true;
		vouch_rows_add(adv, b);
		/* vouch_stmt_get reads SPI_tuptable, which nothing here replaces */
		Assert(SPI_tuptable == table);
	}
	SPI_freetuptable(table);
	for (int i = 0; i < adv->nbranches; i++)
	{
		VouchBranch *b = adv->branches[i];

		/* a parent has the lower number, so it comes first */
		vouch_rows_adopt(b, parents[i] >= 0 ? find_branch(adv, parents[i]) : NULL);
		if (b->parent != NULL)
			b->parent->join->running++;
	}
}

/* --------------------------------------------------------------- writing */

static Datum
json_datum(const AslValue *value)
{
	return CStringGetTextDatum(asl_print(value));
}

static const AslValue *
data_of(VouchBranch *b)
{
	const AslValue *data = asl_object();
	int			nretriers = b->state ? asl_nretriers(b->state) : 0;

	if (b->status == VOUCH_BRANCH_DONE)
		return b->output ? asl_object_put(data, "o", b->output) : data;
	if (b->input != NULL)
		data = asl_object_put(data, "i", b->input);
	if (b->item_value != NULL)
		data = asl_object_put(data, "x", b->item_value);
	if (b->attempt > 0)
		data = asl_object_put(data, "a", asl_int(b->attempt));
	if (b->returns > 0)
		data = asl_object_put(data, "n", asl_int(b->returns));
	if (b->counts != NULL && nretriers > 0 && b->attempt > 0)
	{
		const AslValue **items = palloc(sizeof(AslValue *) * nretriers);

		for (int i = 0; i < nretriers; i++)
			items[i] = asl_int(b->counts[i]);
		data = asl_object_put(data, "r", asl_array(items, nretriers));
	}
	return data;
}

static const AslValue *
limits_of(const VouchJoin *join)
{
	const AslValue *v = asl_object_put(asl_object(), "max", asl_int(join->max_concurrency));

	if (join->tolerated_count >= 0)
		v = asl_object_put(v, "count", asl_int(join->tolerated_count));
	if (join->tolerated_percentage >= 0)
		v = asl_object_put(v, "percentage", asl_double(join->tolerated_percentage));
	if (join->canceling)
		v = asl_object_put(v, "canceling", asl_bool(true));
	return v;
}

static void
write_branch(VouchAdvance *adv, VouchBranch *b)
{
	Datum		args[NWRITTEN + 1];
	char		nulls[NWRITTEN + 1];
	bool		waits = b->status == VOUCH_BRANCH_WAITING;

	/* an update that takes what was never read along must read it first */
	if (b->stored && !b->loaded)
		vouch_rows_load_data(adv, b);

	memset(nulls, ' ', sizeof(nulls));
#define PUT(i, isnull_, datum_) \
	do { if (isnull_) { nulls[i] = 'n'; args[i] = (Datum) 0; } else args[i] = (datum_); } while (0)
	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = UUIDPGetDatum(&adv->execution.id);
	args[2] = Int32GetDatum(b->no);
	PUT(3, b->parent == NULL, Int32GetDatum(b->parent->no));
	args[4] = Int32GetDatum(b->place);
	args[5] = Int32GetDatum(b->machine->number);
	PUT(6, b->state == NULL, CStringGetTextDatum(b->state->name));
	args[7] = CStringGetTextDatum(status_names[b->status]);
	args[8] = Int32GetDatum(b->resume);
	PUT(9, !waits, CStringGetTextDatum(wait_names[b->wait]));
	PUT(10, !waits || b->wait_name == NULL, CStringGetTextDatum(b->wait_name));
	PUT(11, !b->has_wait_id, UUIDPGetDatum(&b->wait_id));
	PUT(12, !waits || b->due_at == 0, TimestampTzGetDatum(b->due_at));
	PUT(13, b->entered_at == 0, TimestampTzGetDatum(b->entered_at));
	args[14] = CStringGetTextDatum(b->actor);
	args[15] = Int64GetDatum(b->previous_event);
	PUT(16, b->join == NULL, Int32GetDatum(b->join->total));
	PUT(17, b->join == NULL, Int32GetDatum(b->join->open));
	PUT(18, b->join == NULL, Int32GetDatum(b->join->failed));
	PUT(19, b->join == NULL, Int32GetDatum(b->join->next));
	PUT(20, b->join == NULL, json_datum(limits_of(b->join)));
	PUT(21, b->vars == NULL || b->status == VOUCH_BRANCH_DONE, json_datum(b->vars));
	args[22] = json_datum(data_of(b));
	args[23] = CStringGetTextDatum(adv->execution.run_as);
	vouch_stmt_run_one(b->stored ? &update_branch : &insert_branch, args, nulls);
	b->stored = true;
#undef PUT
}

static Datum
int_array(const int *numbers, int n)
{
	Datum	   *items = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		items[i] = Int32GetDatum(numbers[i]);
	return PointerGetDatum(construct_array(items, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

static void
delete_removed(VouchAdvance *adv)
{
	int		   *numbers = palloc(sizeof(int) * Max(adv->nbranches, 1));
	int		   *parents = palloc(sizeof(int) * Max(adv->nbranches, 1));
	int			n = 0,
				nparents = 0;
	Datum		args[4];

	for (int i = 0; i < adv->nbranches; i++)
	{
		VouchBranch *b = adv->branches[i];

		if (b->removed && b->stored)
			numbers[n++] = b->no;
		/* rows that were not read: held back, or done */
		if (b->join_gone)
			parents[nparents++] = b->no;
	}
	if (n == 0 && nparents == 0)
		return;
	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = UUIDPGetDatum(&adv->execution.id);
	args[2] = int_array(numbers, n);
	args[3] = int_array(parents, nparents);
	vouch_stmt_run(&delete_branches, args, NULL);
}

void
vouch_rows_flush(VouchAdvance *adv)
{
	VouchExecution *e = &adv->execution;
	TimestampTz soonest = 0;
	bool		ready = false;
	int			loaded = adv->nbranches;
	VouchBatch *batch = NULL;
	Datum		args[7];

	if (adv->closed)
		return;
	delete_removed(adv);
	vouch_task_flush(adv);
	for (int i = 0; i < loaded; i++)
	{
		VouchBranch *b = adv->branches[i];

		if (b->removed)
			continue;
		ready |= b->status == VOUCH_BRANCH_READY;
		if (b->dirty || !b->stored)
		{
			if (b->due_at != 0 && (soonest == 0 || b->due_at < soonest))
				soonest = b->due_at;
			if (b->status == VOUCH_BRANCH_DONE && !b->stored)
				vouch_batch_add_output(&batch, adv, b);
			else
				write_branch(adv, b);
			adv->counters_changed = true;
		}
		else if (b->join_dirty)
		{
			args[0] = Int32GetDatum(e->bucket);
			args[1] = UUIDPGetDatum(&e->id);
			args[2] = Int32GetDatum(b->no);
			args[3] = Int32GetDatum(b->join->open);
			args[4] = Int32GetDatum(b->join->failed);
			args[5] = Int32GetDatum(b->join->next);
			args[6] = Int64GetDatum(b->previous_event);
			vouch_stmt_run_one(&update_join, args, NULL);
		}
		if (b->join != NULL && b->join->items != NULL)
		{
			if (b->join->items_row == 0)
				vouch_batch_write_items(adv, b);
			else
				vouch_batch_drop_items(adv, b);
		}
	}
	if (batch != NULL)
		vouch_batch_flush(batch);
	vouch_history_flush(adv);
	if (adv->counters_changed)
	{
		args[0] = Int32GetDatum(e->bucket);
		args[1] = UUIDPGetDatum(&e->id);
		args[2] = Int32GetDatum(e->next_branch);
		args[3] = Int64GetDatum(e->next_event);
		vouch_stmt_run_one(&update_counters, args, NULL);
	}
	if (ready)
		vouch_rows_wake(e->run_as, e->bucket, &e->id, 0);
	/* also beside a ready branch, whose activity may take longer than the timer */
	if (soonest != 0)
		vouch_rows_wake(e->run_as, e->bucket, &e->id, soonest);
}
