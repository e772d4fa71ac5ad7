/*
 * batch.c
 *	  Rows that hold many iterations each: those that did not begin, and the
 *	  outputs of those that ended.
 *
 * A Map may have a hundred thousand of both at the end of an advance.  Neither
 * is looked for alone: the items are taken in their order, and the outputs all
 * at once, by the join.  So a row has the items from its place on,
 *
 *	{"items": [...], "values": [...]}		values: unless they are the items
 *
 * or outputs with their places, where a failure that is tolerated has none,
 *
 *	{"outputs": [[place, output], [place], ...]}
 *
 * while a branch that had a row of its own when it ended keeps it: {"o": output}.
 */
#include "postgres.h"

#include "asl/jsonb.h"
#include "asl/value.h"
#include "catalog/pg_type.h"
#include "core/stmt.h"
#include "engine/batch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* A row is read as a whole, for one item of it at least. */
#define BATCH_ITEMS 200
#define BATCH_BYTES (64 * 1024)

static VouchStmt insert_batch = {
	"INSERT INTO vouch_data.branch (bucket, execution_id, branch_no, run_as, parent_no, place, machine_no, status, actor, data)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8::vouch_data.branch_status, $9, $10)",
	SPI_OK_INSERT, 10,
	{INT4OID, UUIDOID, INT4OID, TEXTOID, INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID, JSONOID}
};

static VouchStmt read_items = {
	"SELECT branch_no, place, data::text FROM vouch_data.branch"
	" WHERE bucket = $1 AND execution_id = $2 AND parent_no = $3 AND place <= $4 AND status = 'pending'"
	" ORDER BY place DESC LIMIT 1",
	SPI_OK_SELECT, 4, {INT4OID, UUIDOID, INT4OID, INT4OID}, .indexed = true
};

static VouchStmt delete_batch = {
	"DELETE FROM vouch_data.branch WHERE bucket = $1 AND execution_id = $2 AND branch_no = $3",
	SPI_OK_DELETE, 3, {INT4OID, UUIDOID, INT4OID}, .indexed = true
};

static VouchStmt read_outputs = {
	"SELECT place, data::text FROM vouch_data.branch"
	" WHERE bucket = $1 AND execution_id = $2 AND parent_no = $3 AND status = 'done'",
	SPI_OK_SELECT, 3, {INT4OID, UUIDOID, INT4OID}, .indexed = true
};

static void
write_row(VouchAdvance *adv, const VouchBranch *parent, int place, int machine_no, const char *status, const AslValue *data)
{
	VouchExecution *e = &adv->execution;
	Datum		args[10];

	args[0] = Int32GetDatum(e->bucket);
	args[1] = UUIDPGetDatum(&e->id);
	args[2] = Int32GetDatum(e->next_branch++);
	args[3] = CStringGetTextDatum(e->run_as);
	args[4] = Int32GetDatum(parent->no);
	args[5] = Int32GetDatum(place);
	args[6] = Int32GetDatum(machine_no);
	args[7] = CStringGetTextDatum(status);
	args[8] = CStringGetTextDatum(parent->actor);
	args[9] = CStringGetTextDatum(asl_print(data));
	vouch_stmt_run_one(&insert_batch, args, NULL);
	adv->counters_changed = true;
}

static const AslValue *
parse_row(const char *text)
{
	AslError	error = {NULL, NULL};
	const AslValue *data = asl_parse(text, strlen(text), &error);

	if (data == NULL)
		elog(ERROR, "stored JSON cannot be read: %s", error.cause ? error.cause : "?");
	return data;
}

/* ----------------------------------------------------------------- items */

void
vouch_batch_write_items(VouchAdvance *adv, VouchBranch *parent)
{
	VouchJoin  *join = parent->join;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vouch batch", ALLOCSET_DEFAULT_SIZES);
	int			machine_no = parent->state->branches[0]->number;

	for (int first = join->next; first < join->total;)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		int			at = first - join->first_item;
		bool		same = true;
		size_t		bytes = 0;
		int			n = 0;
		const AslValue *data;

		do
		{
			bytes += asl_print_size(join->items[at + n]);
			if (join->item_values[at + n] != join->items[at + n])
			{
				same = false;
				bytes += asl_print_size(join->item_values[at + n]);
			}
			n++;
		} while (n < BATCH_ITEMS && first + n < join->total && bytes < BATCH_BYTES);
		data = asl_object_put(asl_object(), "items", asl_array(join->items + at, n));
		if (!same)
			data = asl_object_put(data, "values", asl_array(join->item_values + at, n));
		write_row(adv, parent, first, machine_no, "pending", data);
		first += n;
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
	join->items = NULL;
}

void
vouch_batch_drop_items(VouchAdvance *adv, VouchBranch *parent)
{
	VouchJoin  *join = parent->join;
	Datum		args[3];

	if (join->items_row == 0 || join->next < join->end_item)
		return;
	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = UUIDPGetDatum(&adv->execution.id);
	args[2] = Int32GetDatum(join->items_row);
	vouch_stmt_run(&delete_batch, args, NULL);
	join->items_row = 0;
	join->items = NULL;
}

void
vouch_batch_need_item(VouchAdvance *adv, VouchBranch *parent, int place)
{
	VouchJoin  *join = parent->join;
	const AslValue *data;
	const AslValue *items;
	const AslValue *values;
	char	   *text;
	Datum		args[4];

	if (join->items != NULL && place < join->end_item)
		return;
	vouch_batch_drop_items(adv, parent);
	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = UUIDPGetDatum(&adv->execution.id);
	args[2] = Int32GetDatum(parent->no);
	args[3] = Int32GetDatum(place);
	if (vouch_stmt_run(&read_items, args, NULL) == 0)
		elog(ERROR, "iteration %d of branch %d is missing", place, parent->no);
	join->items_row = vouch_stmt_get_int32(0, 1, 0);
	join->first_item = vouch_stmt_get_int32(0, 2, 0);
	text = vouch_stmt_get_text(0, 3);
	SPI_freetuptable(SPI_tuptable);
	data = parse_row(text);
	items = asl_get(data, "items");
	values = asl_get(data, "values");
	if (items == NULL || items->type != ASL_ARRAY || place >= join->first_item + (int) items->u.array.n)
		elog(ERROR, "iteration %d of branch %d is missing", place, parent->no);
	join->items = items->u.array.items;
	join->item_values = values != NULL ? values->u.array.items : join->items;
	join->end_item = join->first_item + (int) items->u.array.n;
}

/* --------------------------------------------------------------- outputs */

struct VouchBatch
{
	VouchAdvance *adv;
	MemoryContext context;		/* of what is collected */
	const VouchBranch *parent;
	int			machine_no;
	int			place;			/* of the first */
	AslList		outputs;
	size_t		bytes;
};

void
vouch_batch_flush(VouchBatch *batch)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);

	if (batch->outputs.n > 0)
		write_row(batch->adv, batch->parent, batch->place, batch->machine_no, "done",
				  asl_object_put(asl_object(), "outputs", asl_list_done(&batch->outputs)));
	MemoryContextSwitchTo(old);
	MemoryContextReset(batch->context);
	asl_list_init(&batch->outputs);
	batch->bytes = 0;
}

void
vouch_batch_add_output(VouchBatch **where, VouchAdvance *adv, const VouchBranch *child)
{
	VouchBatch *batch = *where;
	MemoryContext old;
	const AslValue **pair;

	if (batch == NULL)
	{
		batch = *where = palloc0(sizeof(VouchBatch));
		batch->adv = adv;
		batch->context = AllocSetContextCreate(CurrentMemoryContext, "vouch batch", ALLOCSET_DEFAULT_SIZES);
		asl_list_init(&batch->outputs);
	}
	else if (batch->parent != child->parent || batch->outputs.n >= BATCH_ITEMS || batch->bytes >= BATCH_BYTES)
		vouch_batch_flush(batch);
	old = MemoryContextSwitchTo(batch->context);
	if (batch->outputs.n == 0)
	{
		batch->parent = child->parent;
		batch->machine_no = child->machine->number;
		batch->place = child->place;
	}
	pair = palloc(sizeof(AslValue *) * 2);
	pair[0] = asl_int(child->place);
	pair[1] = child->output;
	asl_list_add(&batch->outputs, asl_array(pair, child->output != NULL ? 2 : 1));
	if (child->output != NULL)
		batch->bytes += asl_print_size(child->output);
	MemoryContextSwitchTo(old);
}

void
vouch_batch_read_outputs(VouchAdvance *adv, const VouchBranch *parent, const AslValue **outputs)
{
	Datum		args[3];
	uint64		n;

	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = UUIDPGetDatum(&adv->execution.id);
	args[2] = Int32GetDatum(parent->no);
	n = vouch_stmt_run(&read_outputs, args, NULL);
	for (uint64 row = 0; row < n; row++)
	{
		const AslValue *data = parse_row(vouch_stmt_get_text(row, 2));
		const AslValue *all = asl_get(data, "outputs");

		if (all == NULL)
			outputs[vouch_stmt_get_int32(row, 1, 0)] = asl_get(data, "o");
		for (size_t i = 0; all != NULL && i < all->u.array.n; i++)
		{
			const AslValue *pair = all->u.array.items[i];
			int64_t		place;

			if (!asl_is_int(pair->u.array.items[0], &place) || place < 0 || place >= parent->join->total)
				elog(ERROR, "an output of branch %d has no place", parent->no);
			outputs[place] = pair->u.array.n > 1 ? pair->u.array.items[1] : NULL;
		}
	}
	SPI_freetuptable(SPI_tuptable);
}
