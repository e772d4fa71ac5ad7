/*
 * bulk.c
 *	  Writes many branches at once: those that ended and keep their output for
 *	  the join, and iterations that did not begin.  A Map may leave a hundred
 *	  thousand of them, and of both little is to be kept.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/stmt.h"
#include "engine/bulk.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define AT_ONCE 2000

static VouchStmt insert_branches = {
	"INSERT INTO vouch_data.branch (bucket, execution_id, run_as, branch_no, parent_no, place, machine_no, status,"
	" actor, previous_event, data, state)"
	" SELECT $1, $2, $3, n.branch_no, n.parent_no, n.place, n.machine_no, n.status::vouch_data.branch_status,"
	" n.actor, n.previous_event, n.data::json, n.state"
	" FROM unnest($4, $5, $6, $7, $8, $9, $10, $11, $12)"
	" AS n(branch_no, parent_no, place, machine_no, status, actor, previous_event, data, state)",
	SPI_OK_INSERT, 12,
	{INT4OID, UUIDOID, TEXTOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
	INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
};

#define NCOLUMNS 9

struct VouchBulk
{
	VouchAdvance *adv;
	MemoryContext context;		/* of what is collected */
	int			n;
	Datum	   *columns[NCOLUMNS];
	bool	   *nulls[NCOLUMNS];
};

static VouchBulk *
begin(VouchAdvance *adv)
{
	VouchBulk  *bulk = palloc0(sizeof(VouchBulk));

	bulk->adv = adv;
	bulk->context = AllocSetContextCreate(adv->context, "vouch bulk", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < NCOLUMNS; i++)
	{
		bulk->columns[i] = palloc(sizeof(Datum) * AT_ONCE);
		bulk->nulls[i] = palloc0(sizeof(bool) * AT_ONCE);
	}
	return bulk;
}

void
vouch_bulk_flush(VouchBulk *bulk)
{
	static const Oid types[NCOLUMNS] = {INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID, INT8OID, TEXTOID, TEXTOID};
	VouchExecution *e = &bulk->adv->execution;
	MemoryContext old = MemoryContextSwitchTo(bulk->context);
	Datum		args[3 + NCOLUMNS];
	int			lower = 1;

	if (bulk->n > 0)
	{
		args[0] = Int32GetDatum(e->bucket);
		args[1] = UUIDPGetDatum(&e->id);
		args[2] = CStringGetTextDatum(e->run_as);
		for (int i = 0; i < NCOLUMNS; i++)
		{
			int			len = types[i] == INT4OID ? 4 : types[i] == INT8OID ? 8 : -1;

			args[3 + i] = PointerGetDatum(construct_md_array(bulk->columns[i], bulk->nulls[i], 1, &bulk->n, &lower,
															 types[i], len, len == 4 || (len == 8 && FLOAT8PASSBYVAL),
															 len == 8 ? TYPALIGN_DOUBLE : TYPALIGN_INT));
		}
		vouch_stmt_run(&insert_branches, args, NULL);
	}
	bulk->n = 0;
	MemoryContextSwitchTo(old);
	MemoryContextReset(bulk->context);
}

void
vouch_bulk_add(VouchBulk **where, VouchAdvance *adv, const VouchBranch *b, const char *status,
			   const AslValue *data)
{
	VouchBulk  *bulk = *where != NULL ? *where : (*where = begin(adv));
	MemoryContext old = MemoryContextSwitchTo(bulk->context);
	int			n = bulk->n++;

	bulk->columns[0][n] = Int32GetDatum(b->no);
	bulk->columns[1][n] = Int32GetDatum(b->parent->no);
	bulk->columns[2][n] = Int32GetDatum(b->place);
	bulk->columns[3][n] = Int32GetDatum(b->machine->number);
	bulk->columns[4][n] = CStringGetTextDatum(status);
	bulk->columns[5][n] = CStringGetTextDatum(b->actor);
	bulk->columns[6][n] = Int64GetDatum(b->previous_event);
	bulk->columns[7][n] = CStringGetTextDatum(asl_print(data));
	bulk->nulls[8][n] = b->state == NULL;
	bulk->columns[8][n] = b->state ? CStringGetTextDatum(b->state->name) : (Datum) 0;
	MemoryContextSwitchTo(old);
	if (bulk->n == AT_ONCE)
		vouch_bulk_flush(bulk);
}
