/*
 * tracked.c
 *	  Which tables are tracked, and how.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "version/revise.h"
#include "version/track.h"

VOUCH_FUNCTION(vouch_sql_track_register);
VOUCH_FUNCTION(vouch_sql_track_forget);
VOUCH_FUNCTION(vouch_sql_phase_changed);

static VouchStmt find_tracked = {
	"SELECT t.bucket, t.artifact_no, t.key_columns, t.on_closed, a.phase, t.tracked_by, t.holds"
	" FROM vouch_data.tracked_table t, vouch_data.artifact a"
	" WHERE t.relation = $1 AND a.bucket = t.bucket AND a.artifact_no = t.artifact_no",
	SPI_OK_SELECT, 1, {OIDOID}, .indexed = true
};

static VouchStmt put_tracked = {
	"INSERT INTO vouch_data.tracked_table AS t (relation, bucket, artifact_no, key_columns, on_closed, tracked_by, tracked_at)"
	" VALUES ($1::oid, $2, $3, $4, $5, $6, now())"
	" ON CONFLICT (relation) DO UPDATE SET key_columns = excluded.key_columns, on_closed = excluded.on_closed,"
	"  bucket = excluded.bucket, artifact_no = excluded.artifact_no, tracked_by = excluded.tracked_by,"
	"  tracked_at = excluded.tracked_at,"
	"  holds = t.holds AND (t.bucket, t.artifact_no) = (excluded.bucket, excluded.artifact_no)",
	SPI_OK_INSERT, 6, {OIDOID, INT4OID, INT4OID, TEXTARRAYOID, TEXTOID, TEXTOID}, .guarded = true
};

static VouchStmt find_artifact = {
	"SELECT a.bucket, a.artifact_no FROM vouch_data.track_artifact($1::oid, $2, $3, $4, $5, $6) AS a",
	SPI_OK_SELECT, 6, {OIDOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID}
};

static VouchStmt set_holds = {
	"UPDATE vouch_data.tracked_table AS t SET holds = true WHERE t.relation = $1",
	SPI_OK_UPDATE, 1, {OIDOID}, .guarded = true
};

static VouchStmt other_table = {
	"SELECT t.relation::oid FROM vouch_data.tracked_table t, pg_catalog.pg_class c"
	" WHERE t.bucket = $2 AND t.artifact_no = $3 AND t.relation <> $1 AND c.oid = t.relation",
	SPI_OK_SELECT, 3, {OIDOID, INT4OID, INT4OID}
};

/* Where a table was dropped, its place is free. */
static VouchStmt drop_tracked = {
	"DELETE FROM vouch_data.tracked_table t WHERE t.relation = $1"
	" OR NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.relation)",
	SPI_OK_DELETE, 1, {OIDOID}, .guarded = true
};

/* A table of an artifact, or a partition, without all five triggers, each always enabled. */
static VouchStmt find_untended = {
	"SELECT p.relid::pg_catalog.regclass::text FROM vouch_data.tracked_table t, pg_catalog.pg_class c,"
	" LATERAL (SELECT x.relid FROM pg_catalog.pg_partition_tree(t.relation) x UNION SELECT t.relation::oid) AS p(relid)"
	" WHERE t.bucket = $1 AND t.artifact_no = $2 AND c.oid = t.relation"
	"  AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger g WHERE g.tgrelid = p.relid AND g.tgenabled = 'A'"
	"   AND g.tgname LIKE 'vouch\\_track\\_%') < 5"
	" ORDER BY 1 LIMIT 1",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}
};

static VouchStmt find_unique = {
	"SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate"
	" AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = pg_catalog.cardinality($2)"
	" AND NOT EXISTS (SELECT FROM pg_catalog.unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS k(n)"
	"  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n WHERE NOT a.attname::text = ANY ($2))",
	SPI_OK_SELECT, 2, {OIDOID, TEXTARRAYOID}
};

static VouchStmt primary_key = {
	"SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.o) FROM pg_catalog.pg_index i,"
	" pg_catalog.unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k(n, o), pg_catalog.pg_attribute a"
	" WHERE i.indrelid = $1 AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.n",
	SPI_OK_SELECT, 1, {OIDOID}
};

static VouchStmt inherits = {
	"SELECT 1 FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class c ON c.oid = h.inhparent"
	" WHERE $1 IN (h.inhparent, h.inhrelid) AND c.relkind <> 'p' LIMIT 1",
	SPI_OK_SELECT, 1, {OIDOID}
};

static VouchStmt unfit_part = {
	"SELECT c.relkind = 'f' FROM pg_catalog.pg_partition_tree($1) t JOIN pg_catalog.pg_class c ON c.oid = t.relid"
	" WHERE c.relkind = 'f' OR c.relpersistence = 'u' LIMIT 1",
	SPI_OK_SELECT, 1, {OIDOID}
};

/* What was read of the configuration, in a hash table. */
typedef struct Kept
{
	Oid			relation;		/* key */
	VouchTracked tracked;
	MemoryContext context;
} Kept;

static HTAB *kept = NULL;
static Oid	phase_table = InvalidOid;
static uint64 invalidations = 0;

void
vouch_tracked_check_triggers(int bucket, int artifact_no)
{
	Datum		args[2] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no)};
	char	   *table;

	if (vouch_stmt_run_latest(&find_untended, args, NULL) == 0)
		return;
	table = vouch_stmt_get_text(0, 1);
	ereport(ERROR,
			(errcode(VOUCH_ERR_SOURCE),
			 errmsg("table \"%s\" is not tracked completely", table),
			 errdetail("A trigger by which it is tracked is not there, or not always enabled, so the version may lack what was written since."),
			 errhint("Let the owner call vouch.track_table() again, which puts it back and brings what differs into the version.")));
}

static char *
full_name(Oid relation)
{
	char	   *name = get_rel_name(relation);

	if (name == NULL)
		return psprintf("%u", relation);
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), name);
}

/* The definition of a table changed, or its configuration, or that of its phase. */
static void
forget_kept(Datum arg, Oid relation)
{
	HASH_SEQ_STATUS scan;
	Kept	   *entry;

	invalidations++;
	hash_seq_init(&scan, kept);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (OidIsValid(relation) && relation != phase_table && entry->relation != relation)
			continue;
		/* somebody may be using it now */
		if (TopTransactionContext != NULL)
			MemoryContextSetParent(entry->context, TopTransactionContext);
		else
			MemoryContextDelete(entry->context);
		hash_search(kept, &entry->relation, HASH_REMOVE, NULL);
	}
}

/*
 * Whatever the transaction's snapshot shows: the triggers that ask are there,
 * so the configuration is, too.
 */
static VouchTracked *
read_tracked(Oid relation, MemoryContext context)
{
	Datum		args[2] = {ObjectIdGetDatum(relation)};
	VouchTracked *tracked;
	Datum	   *keys;
	bool		unique;
	MemoryContext old;

	if (vouch_stmt_run_latest(&find_tracked, args, NULL) == 0)
		return NULL;
	/* what SPI runs leaves us in SPI's memory */
	old = MemoryContextSwitchTo(context);
	tracked = palloc0(sizeof(VouchTracked));
	tracked->relation = relation;
	tracked->bucket = vouch_stmt_get_int32(0, 1, 0);
	tracked->artifact_no = vouch_stmt_get_int32(0, 2, 0);
	args[1] = PointerGetDatum(DatumGetArrayTypePCopy(vouch_stmt_get(0, 3, NULL)));
	deconstruct_array(DatumGetArrayTypeP(args[1]), TEXTOID, -1, false, TYPALIGN_INT, &keys, NULL, &tracked->nkeys);
	tracked->keys = palloc(sizeof(char *) * tracked->nkeys);
	for (int i = 0; i < tracked->nkeys; i++)
		tracked->keys[i] = TextDatumGetCString(keys[i]);
	tracked->refuse = strcmp(vouch_stmt_get_text(0, 4), "refuse") == 0;
	tracked->tracked_by = vouch_stmt_get_text(0, 6);
	tracked->holds = vouch_stmt_get_bool(0, 7, false);
	tracked->phase = vouch_phase_read_versioned(vouch_stmt_get_text(0, 5));
	MemoryContextSwitchTo(old);
	unique = vouch_stmt_run(&find_unique, args, NULL) > 0;
	tracked->unique = unique;
	return tracked;
}

static VouchTracked *
find_one(Oid relation)
{
	Kept	   *entry;
	VouchTracked *tracked = palloc(sizeof(VouchTracked));
	VouchTracked *found;
	MemoryContext context;
	uint64		before;

	if (kept == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(Kept)};

		kept = hash_create("vouch tracked tables", 16, &control, HASH_ELEM | HASH_BLOBS);
		CacheRegisterRelcacheCallback(forget_kept, (Datum) 0);
	}
	entry = hash_search(kept, &relation, HASH_FIND, NULL);
	if (entry != NULL)
	{
		*tracked = entry->tracked;
		tracked->name = full_name(relation);
		return tracked;
	}

	context = AllocSetContextCreate(TopTransactionContext, "vouch tracked table", ALLOCSET_SMALL_SIZES);
	before = invalidations;
	phase_table = get_relname_relid("phase", get_namespace_oid("vouch_data", false));
	found = read_tracked(relation, context);
	if (found == NULL)
	{
		MemoryContextDelete(context);
		return NULL;
	}
	*tracked = *found;
	tracked->name = full_name(relation);
	/* what an old snapshot shows is not for later transactions, nor what changed meanwhile */
	if (!IsolationUsesXactSnapshot() && invalidations == before)
	{
		entry = hash_search(kept, &relation, HASH_ENTER, NULL);
		entry->tracked = *found;
		entry->context = context;
		MemoryContextSetParent(context, CacheMemoryContext);
	}
	return tracked;
}

VouchTracked *
vouch_tracked_find(Oid relation, bool is_partition)
{
	List	   *candidates = list_make1_oid(relation);
	ListCell   *cell;

	if (is_partition)
		candidates = list_concat(candidates, get_partition_ancestors(relation));
	foreach(cell, candidates)
	{
		VouchTracked *tracked = find_one(lfirst_oid(cell));

		if (tracked != NULL)
			return tracked;
	}
	return NULL;
}

void
vouch_tracked_check_unique(const VouchTracked *tracked)
{
	if (!tracked->unique)
		ereport(ERROR,
				(errcode(VOUCH_ERR_SOURCE),
				 errmsg("tracked table \"%s\" has no unique index on its key any more", tracked->name),
				 errdetail("Rows are recognized as items by a key that no two rows have."),
				 errhint("Make the index again, name another key with vouch.track_table(), or end the tracking with vouch.untrack_table().")));
}

void
vouch_tracked_check_owner(Oid relation)
{
	if (!vouch_owns_table(relation))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table \"%s\"", full_name(relation)),
				 errdetail("Tracking puts triggers on the table."),
				 errhint("Have its owner call this.")));
}

VouchTracked *
vouch_tracked_require(Oid relation)
{
	VouchTracked *tracked = vouch_tracked_find(relation, false);

	if (tracked == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_SOURCE),
				 errmsg("table \"%s\" is not tracked", full_name(relation)),
				 errhint("Tracked tables are listed by vouch.tracked_tables; vouch.track_table() adds one.")));
	return tracked;
}

static char *
names_list(Datum *names, int n)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < n; i++)
		appendStringInfo(&buf, "%s\"%s\"", i > 0 ? ", " : "", TextDatumGetCString(names[i]));
	return buf.data;
}

/* A column that is called as the field that names the phase's items must be what names the rows. */
static void
check_phase_key(Oid relation, ArrayType *keys, const VouchPhase *phase)
{
	Datum	   *names;
	int			n;

	if (phase->item_key == NULL || get_attnum(relation, phase->item_key) <= 0)
		return;
	deconstruct_array(keys, TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, &n);
	if (n == 1 && strcmp(TextDatumGetCString(names[0]), phase->item_key) == 0)
		return;
	ereport(ERROR,
			(errcode(VOUCH_ERR_SOURCE),
			 errmsg("table \"%s\" cannot be tracked by another key than column \"%s\" in phase \"%s\"",
					full_name(relation), phase->item_key, phase->label),
			 errdetail("\"%s\" is the field that names the items of the phase, and rows would be named by %s.",
					   phase->item_key, names_list(names, n)),
			 errhint("Choose or define a phase whose item_key is no column of the table, or pass key => '%s' if it is unique.",
					 phase->item_key)));
}

static void
check_table(Oid relation, ArrayType *keys)
{
	Datum		args[2] = {ObjectIdGetDatum(relation), PointerGetDatum(keys)};
	char		kind = get_rel_relkind(relation);
	const char *why = NULL;

	vouch_tracked_check_owner(relation);
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		why = "It is not a table.";
	else if (get_rel_persistence(relation) == RELPERSISTENCE_TEMP)
		why = "It is a temporary table.";
	else if (get_rel_persistence(relation) == RELPERSISTENCE_UNLOGGED)
		why = "It is an unlogged table, which a crash empties.";
	else if (get_rel_namespace(relation) == get_namespace_oid("vouch_data", false))
		why = "It is one of Vouch's own.";
	else if (get_rel_relispartition(relation))
		why = "It is a partition; the table that it is a part of can be tracked.";
	else if (vouch_stmt_run(&inherits, args, NULL) > 0)
		why = "It inherits from a table or is inherited from.";
	else if (vouch_stmt_run(&unfit_part, args, NULL) > 0)
		why = vouch_stmt_get_bool(0, 1, false) ? "It has a partition that is a foreign table." :
			"It has a partition that is an unlogged table, which a crash empties.";
	if (why != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_SOURCE),
				 errmsg("\"%s\" cannot be tracked", full_name(relation)),
				 errdetail("%s", why),
				 errhint("Track an ordinary or a partitioned table that you own.")));
	if (keys != NULL)
	{
		Datum	   *names;
		int			n;

		deconstruct_array(keys, TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, &n);
		for (int i = 0; i < n; i++)
			if (get_attnum(relation, TextDatumGetCString(names[i])) <= 0)
				ereport(ERROR,
						(errcode(VOUCH_ERR_SOURCE),
						 errmsg("table \"%s\" has no column \"%s\"", full_name(relation), TextDatumGetCString(names[i])),
						 errdetail("The key is to be %s.", names_list(names, n)),
						 errhint("Name columns of the table in key, as in key => 'id' or key => 'region, no'.")));
	}
	if (keys == NULL || vouch_stmt_run(&find_unique, args, NULL) == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_SOURCE),
				 errmsg("table \"%s\" has no unique index on its key", full_name(relation)),
				 errdetail("Rows are recognized as items by a key that no two rows have, at any moment: a primary key, or a unique index that is neither partial nor deferrable."),
				 errhint("Name such columns in key, as in key => 'id' or key => 'region, no'.")));
}

static void
log_tracking(const char *operation, int bucket, int artifact_no, const char *table, const char *on_closed)
{
	VouchOperation op = {bucket, artifact_no, .operation = operation};
	VouchJsonBuild build;

	vouch_json_begin(&build);
	vouch_json_put_text(&build, "table", table);
	if (on_closed != NULL)
		vouch_json_put_text(&build, "on_closed", on_closed);
	op.detail = vouch_json_end(&build);
	vouch_ledger_append(&op);
}

void
vouch_tracked_hold(VouchTracked *tracked)
{
	Datum		args[1] = {ObjectIdGetDatum(tracked->relation)};

	vouch_stmt_run_one(&set_holds, args, NULL);
	tracked->holds = true;
	CacheInvalidateRelcacheByRelid(tracked->relation);
}

/*
 * vouch_data.track_register(source, subject, phase, scope, cycle_id,
 * report_id, key_columns, on_closed): the columns that are the key
 */
Datum
vouch_sql_track_register(PG_FUNCTION_ARGS)
{
	Oid			relation = PG_GETARG_OID(0);
	MemoryContext context = CurrentMemoryContext;
	Datum		args[6] = {ObjectIdGetDatum(relation)};
	char		nulls[7] = "      ";
	ArrayType  *keys = PG_ARGISNULL(6) ? NULL : PG_GETARG_ARRAYTYPE_P(6);
	VouchTracked *tracked;
	int			head_no;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(3) || PG_ARGISNULL(7))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("source, phase, scope and on_closed must not be null"),
				 errhint("Call vouch.track_table().")));
	SPI_connect();
	vouch_tracked_check_owner(relation);
	if (keys == NULL)
	{
		bool		isnull;
		Datum		value;

		vouch_stmt_run_one(&primary_key, args, NULL);
		value = vouch_stmt_get(0, 1, &isnull);
		if (!isnull)
		{
			MemoryContext old = MemoryContextSwitchTo(context);

			keys = DatumGetArrayTypePCopy(value);
			MemoryContextSwitchTo(old);
		}
	}
	check_table(relation, keys);
	check_phase_key(relation, keys, vouch_phase_read(TextDatumGetCString(PG_GETARG_DATUM(2))));
	for (int i = 1; i < 6; i++)
	{
		args[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	vouch_stmt_run_one(&find_artifact, args, nulls);
	args[1] = Int32GetDatum(vouch_stmt_get_int32(0, 1, 0));
	args[2] = Int32GetDatum(vouch_stmt_get_int32(0, 2, 0));
	if (vouch_stmt_run(&other_table, args, NULL) > 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_SOURCE),
				 errmsg("another table is tracked under this phase, subject and scope"),
				 errdetail("It is \"%s\".", full_name(DatumGetObjectId(vouch_stmt_get(0, 1, NULL)))),
				 errhint("Give each table a subject or a scope of its own.")));
	head_no = vouch_ledger_lock(DatumGetInt32(args[1]), DatumGetInt32(args[2]), true, NULL);
	tracked = read_tracked(relation, context);
	if (head_no > 0 && (tracked == NULL || !tracked->holds || tracked->bucket != DatumGetInt32(args[1]) ||
						tracked->artifact_no != DatumGetInt32(args[2])))
	{
		/* its rows become the items of a version that others may have made */
		pg_uuid_t	id;

		vouch_id_pack_version(&id, DatumGetInt32(args[1]), DatumGetInt32(args[2]), head_no);
		vouch_revise_check_editor(vouch_version_read(&id), vouch_actor_current());
	}
	args[3] = PointerGetDatum(keys);
	args[4] = PG_GETARG_DATUM(7);
	args[5] = CStringGetTextDatum(vouch_actor_current());
	vouch_stmt_run_one(&put_tracked, args, NULL);
	CacheInvalidateRelcacheByRelid(relation);

	log_tracking("track_table", DatumGetInt32(args[1]), DatumGetInt32(args[2]), full_name(relation),
				 TextDatumGetCString(args[4]));
	SPI_finish();
	PG_RETURN_ARRAYTYPE_P(keys);
}

/* vouch_data.track_forget(source) */
Datum
vouch_sql_track_forget(PG_FUNCTION_ARGS)
{
	Oid			relation = PG_GETARG_OID(0);
	Datum		args[1] = {ObjectIdGetDatum(relation)};
	VouchTracked *tracked;

	SPI_connect();
	vouch_tracked_check_owner(relation);
	tracked = vouch_tracked_require(relation);
	(void) vouch_ledger_lock(tracked->bucket, tracked->artifact_no, true, NULL);
	vouch_stmt_run(&drop_tracked, args, NULL);
	CacheInvalidateRelcacheByRelid(relation);
	log_tracking("untrack_table", tracked->bucket, tracked->artifact_no, tracked->name, NULL);
	SPI_finish();
	PG_RETURN_VOID();
}

void
vouch_tracked_sweep(void)
{
	Datum		none = ObjectIdGetDatum(InvalidOid);

	(void) vouch_stmt_run(&drop_tracked, &none, NULL);
}

/* vouch_data.phase_changed(): the trigger of vouch_data.phase, for those who keep what a phase asks of items */
Datum
vouch_sql_phase_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "vouch_data.phase_changed() was not called as a trigger");
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	return PointerGetDatum(NULL);
}
