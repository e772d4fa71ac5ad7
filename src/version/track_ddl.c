/*
 * track_ddl.c
 *	  Tracked tables, their partitions and their relatives come and go.
 *
 * Event triggers run for every command of everybody, so they look only at what
 * the command touched, and raise only for that: what is wrong with somebody's
 * table is no reason to refuse another's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "nodes/parsenodes.h"
#include "version/track.h"

VOUCH_FUNCTION(vouch_sql_track_ddl);
VOUCH_FUNCTION(vouch_sql_track_drop);

/* Mostly there is none, or the command is about something else. */
static VouchStmt any_tracked = {
	"SELECT 1 FROM vouch_data.tracked_table LIMIT 1",
	SPI_OK_SELECT, 0, {0}
};

#define TOUCHED \
	"touched AS MATERIALIZED (SELECT DISTINCT d.objid FROM pg_catalog.pg_event_trigger_ddl_commands() d" \
	" WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)"

/* What the command touched that is now the child or the parent of a tracked table, but not one of its partitions. */
static VouchStmt find_relatives = {
	"WITH " TOUCHED ", link AS (SELECT h.inhparent, h.inhrelid FROM touched o JOIN pg_catalog.pg_inherits h ON h.inhparent = o.objid"
	"  UNION SELECT h.inhparent, h.inhrelid FROM touched o JOIN pg_catalog.pg_inherits h ON h.inhrelid = o.objid)"
	" SELECT t.relation::text, l.inhparent::pg_catalog.regclass::text, p.relkind = 'p'"
	" FROM link l JOIN vouch_data.tracked_table t ON t.relation IN (l.inhparent, l.inhrelid)"
	" JOIN pg_catalog.pg_class p ON p.oid = l.inhparent WHERE p.relkind <> 'p' OR t.relation = l.inhrelid ORDER BY 1, 2",
	SPI_OK_SELECT, 0, {0}
};

/* What it touched of tracked tables, with what is in it that cannot be: a foreign or an unlogged table. */
static VouchStmt find_unfit = {
	"WITH " TOUCHED " SELECT t.relation::text, f.name, f.relkind = 'f', f.relid = t.relation::oid"
	" FROM touched o CROSS JOIN LATERAL"
	"  (SELECT a.relid FROM pg_catalog.pg_partition_ancestors(o.objid) a UNION SELECT o.objid) AS root(relid)"
	" JOIN vouch_data.tracked_table t ON t.relation = root.relid"
	" CROSS JOIN LATERAL (SELECT c.oid AS relid, c.oid::pg_catalog.regclass::text AS name, c.relkind FROM pg_catalog.pg_class c"
	"  WHERE (c.oid = o.objid OR c.oid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree(o.objid) p))"
	"   AND (c.relkind = 'f' OR c.relpersistence = 'u')) AS f"
	" ORDER BY 1, 2 LIMIT 1",
	SPI_OK_SELECT, 0, {0}
};

/* What it touched of partitioned tables that are tracked, without our triggers. */
static VouchStmt find_parts = {
	"WITH " TOUCHED " SELECT DISTINCT o.objid"
	" FROM touched o CROSS JOIN LATERAL pg_catalog.pg_partition_ancestors(o.objid) AS root(relid)"
	" JOIN vouch_data.tracked_table t ON t.relation = root.relid"
	" WHERE EXISTS (SELECT FROM pg_catalog.pg_partition_tree(o.objid) p"
	"  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = p.relid AND g.tgname = 'vouch_track_before'))"
	" ORDER BY 1",
	SPI_OK_SELECT, 0, {0}
};

/* What it touched that is tracked itself. */
static VouchStmt find_touched = {
	"WITH " TOUCHED " SELECT t.relation::oid FROM touched o JOIN vouch_data.tracked_table t ON t.relation = o.objid ORDER BY 1",
	SPI_OK_SELECT, 0, {0}
};

/* Of tracked tables that it touched, a trigger of ours that is not always enabled now. */
static VouchStmt find_quiet = {
	"WITH " TOUCHED " SELECT g.tgrelid::pg_catalog.regclass::text"
	" FROM touched o CROSS JOIN LATERAL"
	"  (SELECT a.relid FROM pg_catalog.pg_partition_ancestors(o.objid) a UNION SELECT o.objid) AS root(relid)"
	" JOIN vouch_data.tracked_table t ON t.relation = root.relid"
	" JOIN pg_catalog.pg_trigger g ON (g.tgrelid = o.objid OR g.tgrelid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree(o.objid) p))"
	"  AND g.tgname LIKE 'vouch\\_track\\_%' AND g.tgenabled <> 'A'"
	" ORDER BY 1 LIMIT 1",
	SPI_OK_SELECT, 0, {0}
};

static VouchStmt install = {
	"SELECT vouch_data.track_install($1::oid)",
	SPI_OK_SELECT, 1, {OIDOID}
};

static VouchStmt any_dropped = {
	"SELECT 1 FROM pg_catalog.pg_event_trigger_dropped_objects() d JOIN vouch_data.tracked_table t ON t.relation = d.objid"
	" WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass LIMIT 1",
	SPI_OK_SELECT, 0, {0}
};

static void
check_relatives(void)
{
	uint64		n = vouch_stmt_run_latest(&find_relatives, NULL, NULL);

	for (uint64 i = 0; i < n; i++)
	{
		char	   *table = vouch_stmt_get_text(i, 1);
		char	   *parent = vouch_stmt_get_text(i, 2);

		if (vouch_stmt_get_bool(i, 3, false))
			ereport(ERROR,
					(errcode(VOUCH_ERR_SOURCE),
					 errmsg("tracked table \"%s\" cannot become a partition of \"%s\"", table, parent),
					 errdetail("Writes to \"%s\" would change its rows without being seen.", parent),
					 errhint("End the tracking with vouch.untrack_table(), and track the topmost table instead.")));
		ereport(ERROR,
				(errcode(VOUCH_ERR_SOURCE),
				 errmsg("a tracked table can neither inherit nor be inherited from"),
				 errdetail("Writes to the tables that inherit from %s would not be seen.", parent),
				 errhint("Use partitions, or end the tracking with vouch.untrack_table().")));
	}
}

static void
check_parts(void)
{
	char	   *table,
			   *name;

	if (vouch_stmt_run_latest(&find_unfit, NULL, NULL) == 0)
		return;
	table = vouch_stmt_get_text(0, 1);
	name = vouch_stmt_get_text(0, 2);
	if (vouch_stmt_get_bool(0, 3, false))
		ereport(ERROR,
				(errcode(VOUCH_ERR_SOURCE),
				 errmsg("tracked table \"%s\" cannot have foreign table \"%s\" as a partition", table, name),
				 errdetail("What happens to its rows elsewhere would not be seen."),
				 errhint("Use a table, or end the tracking with vouch.untrack_table().")));
	ereport(ERROR,
			(errcode(VOUCH_ERR_SOURCE),
			 vouch_stmt_get_bool(0, 4, false) ? errmsg("tracked table \"%s\" cannot be unlogged", table) :
			 errmsg("tracked table \"%s\" cannot have unlogged table \"%s\" as a partition", table, name),
			 errdetail("A crash would empty it, while its versions show the rows."),
			 errhint("Leave it logged, or end the tracking with vouch.untrack_table().")));
}

static void
check_triggers(void)
{
	if (vouch_stmt_run_latest(&find_quiet, NULL, NULL) > 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_SOURCE),
				 errmsg("the triggers by which table \"%s\" is tracked are enabled always", vouch_stmt_get_text(0, 1)),
				 errdetail("Without them it would come to differ from its versions, and nobody would see that."),
				 errhint("Name the triggers that you mean; or end the tracking with vouch.untrack_table(), and let vouch.track_table() compare the table when it begins again.")));
}

static void
install_on_parts(void)
{
	uint64		n = vouch_stmt_run_latest(&find_parts, NULL, NULL);
	Datum	   *parts = palloc(sizeof(Datum) * (n + 1));

	for (uint64 i = 0; i < n; i++)
		parts[i] = vouch_stmt_get(i, 1, NULL);
	for (uint64 i = 0; i < n; i++)
		(void) vouch_stmt_run(&install, &parts[i], NULL);
}

/* Is it an ALTER TABLE with such a part? */
static bool
alters(Node *command, const AlterTableType *types, int ntypes)
{
	ListCell   *cell;

	if (!IsA(command, AlterTableStmt))
		return false;
	foreach(cell, castNode(AlterTableStmt, command)->cmds)
		for (int i = 0; i < ntypes; i++)
			if (lfirst_node(AlterTableCmd, cell)->subtype == types[i])
				return true;
	return false;
}

/* What is in the rows that are there is another now: the version is to say so, as it would of an UPDATE. */
static void
sync_touched(void)
{
	uint64		n = vouch_stmt_run_latest(&find_touched, NULL, NULL);
	Oid		   *tables = palloc(sizeof(Oid) * (n + 1));

	for (uint64 i = 0; i < n; i++)
		tables[i] = DatumGetObjectId(vouch_stmt_get(i, 1, NULL));
	for (uint64 i = 0; i < n; i++)
		(void) vouch_tracked_sync(tables[i], "columns were given another type");
}

/* vouch_data.track_ddl(): the event trigger at the end of commands that make and alter tables */
Datum
vouch_sql_track_ddl(PG_FUNCTION_ARGS)
{
	static const AlterTableType attaching[] = {AT_AttachPartition};
	static const AlterTableType rewriting[] = {VOUCH_ALTERS_VALUES};
	static const AlterTableType enabling[] = {AT_EnableTrig, AT_EnableTrigAll, AT_EnableTrigUser, AT_EnableReplicaTrig,
		AT_DisableTrig, AT_DisableTrigAll, AT_DisableTrigUser};
	Node	   *command;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		elog(ERROR, "vouch_data.track_ddl() was not called as an event trigger");
	/* vouch.restoring, which a superuser sets: what there is, is what there was */
	if (vouch_in_restore(false))
		PG_RETURN_VOID();
	command = ((EventTriggerData *) fcinfo->context)->parsetree;
	SPI_connect();
	if (vouch_stmt_run_latest(&any_tracked, NULL, NULL) > 0)
	{
		check_relatives();
		check_parts();
		if (alters(command, enabling, lengthof(enabling)))
			check_triggers();
		/* a dump's own triggers come when its partitions are attached and filled, with other commands that alter tables */
		if (!IsA(command, AlterTableStmt) || alters(command, attaching, lengthof(attaching)))
			install_on_parts();
		if (alters(command, rewriting, lengthof(rewriting)))
			sync_touched();
	}
	SPI_finish();
	PG_RETURN_VOID();
}

/* vouch_data.track_drop(): the event trigger of what is dropped */
Datum
vouch_sql_track_drop(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		elog(ERROR, "vouch_data.track_drop() was not called as an event trigger");
	SPI_connect();
	if (vouch_stmt_run_latest(&any_tracked, NULL, NULL) > 0 && vouch_stmt_run_latest(&any_dropped, NULL, NULL) > 0)
		vouch_tracked_sweep();
	SPI_finish();
	PG_RETURN_VOID();
}
