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
	" SELECT t.relation::oid, t.relation::text, l.inhparent::pg_catalog.regclass::text, p.relkind = 'p'"
	" FROM link l JOIN vouch_data.tracked_table t ON t.relation IN (l.inhparent, l.inhrelid)"
	" JOIN pg_catalog.pg_class p ON p.oid = l.inhparent WHERE p.relkind <> 'p' OR t.relation = l.inhrelid ORDER BY 2, 3",
	SPI_OK_SELECT, 0, {0}
};

/* What it touched of partitioned tables that are tracked: with a foreign table in it, or without our triggers. */
static VouchStmt find_parts = {
	"WITH " TOUCHED " SELECT t.relation::oid, t.relation::text, o.objid, f.name"
	" FROM touched o CROSS JOIN LATERAL"
	"  (SELECT a.relid FROM pg_catalog.pg_partition_ancestors(o.objid) a UNION SELECT o.objid) AS root(relid)"
	" JOIN vouch_data.tracked_table t ON t.relation = root.relid"
	" LEFT JOIN LATERAL (SELECT p.relid::text FROM pg_catalog.pg_partition_tree(o.objid) p"
	"  JOIN pg_catalog.pg_class c ON c.oid = p.relid WHERE c.relkind = 'f' ORDER BY 1 LIMIT 1) AS f(name) ON true"
	" WHERE f.name IS NOT NULL OR EXISTS (SELECT FROM pg_catalog.pg_partition_tree(o.objid) p"
	"  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = p.relid AND g.tgname = 'vouch_track_before'))"
	" ORDER BY 2, 3",
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

/*
 * A dump that is being restored brings its triggers itself, and what it has is
 * what there was.  Only who owns the tracked table can restore it.
 */
static bool
is_restored(Oid relation)
{
	return vouch_in_restore(true) && vouch_owns_table(relation);
}

static void
check_relatives(void)
{
	uint64		n = vouch_stmt_run_latest(&find_relatives, NULL, NULL);

	for (uint64 i = 0; i < n; i++)
	{
		char	   *table = vouch_stmt_get_text(i, 2);
		char	   *parent = vouch_stmt_get_text(i, 3);

		if (is_restored(DatumGetObjectId(vouch_stmt_get(i, 1, NULL))))
			continue;
		if (vouch_stmt_get_bool(i, 4, false))
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
install_on_parts(void)
{
	uint64		n = vouch_stmt_run_latest(&find_parts, NULL, NULL);
	Datum	   *parts = palloc(sizeof(Datum) * (n + 1));
	int			nparts = 0;

	for (uint64 i = 0; i < n; i++)
	{
		char	   *foreign = vouch_stmt_get_text(i, 4);

		if (is_restored(DatumGetObjectId(vouch_stmt_get(i, 1, NULL))))
			continue;
		if (foreign != NULL)
			ereport(ERROR,
					(errcode(VOUCH_ERR_SOURCE),
					 errmsg("tracked table \"%s\" cannot have foreign table \"%s\" as a partition",
							vouch_stmt_get_text(i, 2), foreign),
					 errdetail("What happens to its rows elsewhere would not be seen."),
					 errhint("Use a table, or end the tracking with vouch.untrack_table().")));
		parts[nparts++] = vouch_stmt_get(i, 3, NULL);
	}
	for (int i = 0; i < nparts; i++)
		(void) vouch_stmt_run(&install, &parts[i], NULL);
}

/* vouch_data.track_ddl(): the event trigger at the end of commands that make and alter tables */
Datum
vouch_sql_track_ddl(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		elog(ERROR, "vouch_data.track_ddl() was not called as an event trigger");
	SPI_connect();
	if (vouch_stmt_run_latest(&any_tracked, NULL, NULL) > 0)
	{
		check_relatives();
		install_on_parts();
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
