/*
 * track.c
 *	  Tables that version themselves: what changes in a user's table lands as
 *	  items of the open draft of an artifact.
 *
 * Statement triggers with transition tables: one change of the draft for each statement of the user,
 * however many rows it has.  A trigger before the statement takes the
 * artifact's lock, so that writers of one table take turns before they hold
 * rows, and nobody who has the lock finds rows that another has yet to commit.
 *
 * The draft is to show the rows of the table.  Where a statement cannot say what changed
 * (TRUNCATE; triggers that wrote the same table meanwhile; a discarded draft), all of it is compared.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "core/stmt.h"
#include "executor/executor.h"
#include "ledger/ledger.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "version/revise.h"
#include "version/row.h"

VOUCH_FUNCTION(vouch_sql_track_change);
VOUCH_FUNCTION(vouch_sql_track_register);
VOUCH_FUNCTION(vouch_sql_track_forget);
VOUCH_FUNCTION(vouch_sql_track_sync);
VOUCH_FUNCTION(vouch_sql_track_open);
VOUCH_FUNCTION(vouch_sql_track_sweep);

/* Rows fetched at a time when a whole table is read. */
#define BATCH 5000

static VouchStmt find_tracked = {
	"SELECT t.bucket, t.artifact_no, t.key_columns, t.on_closed, a.phase"
	" FROM vouch_data.tracked_table t, vouch_data.artifact a"
	" WHERE t.relation = $1 AND a.bucket = t.bucket AND a.artifact_no = t.artifact_no",
	SPI_OK_SELECT, 1, {OIDOID}, .indexed = true
};

static VouchStmt put_tracked = {
	"INSERT INTO vouch_data.tracked_table AS t (relation, bucket, artifact_no, key_columns, on_closed, tracked_by, tracked_at)"
	" VALUES ($1::oid, $2, $3, $4, $5, $6, now())"
	" ON CONFLICT (relation) DO UPDATE SET key_columns = excluded.key_columns, on_closed = excluded.on_closed,"
	"  bucket = excluded.bucket, artifact_no = excluded.artifact_no, tracked_by = excluded.tracked_by,"
	"  tracked_at = excluded.tracked_at",
	SPI_OK_INSERT, 6, {OIDOID, INT4OID, INT4OID, TEXTARRAYOID, TEXTOID, TEXTOID}, .guarded = true
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

static VouchStmt find_head = {
	"SELECT a.head_no, a.last_no, v.submitted_by FROM vouch_data.artifact a"
	" LEFT JOIN vouch_data.version v ON v.bucket = $1 AND v.artifact_no = $2 AND v.version_no = a.head_no"
	" WHERE a.bucket = $1 AND a.artifact_no = $2",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

static VouchStmt read_shown = {
	"SELECT i.item_key, b.body_hash, b.salt FROM vouch_data.decision d"
	" JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = d.item_no"
	" JOIN vouch_data.item_body b ON b.bucket = $1 AND b.artifact_no = $2 AND b.body_no = d.body_no"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.stage = 1 AND d.to_no = 2147483647",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .hashed = true
};

/* A tracked table, as it is configured. */
typedef struct Tracked
{
	Oid			relation;		/* of partitions the topmost */
	char	   *name;
	int			bucket;
	int			artifact_no;
	char	  **keys;
	int			nkeys;
	bool		refuse;			/* a change of what is closed */
	char	   *phase;
} Tracked;

/* What changed in it. */
typedef struct Changes
{
	VouchItems *items;			/* rows that are new or different */
	Datum	   *gone;			/* keys of rows that are no more */
	int			ngone;
	int			allocated;
} Changes;

/*
 * Statements that triggers of a statement ran on the same table are recorded
 * before that statement itself is, though their rows are newer.  So each
 * recording notes how deep it is, for the rest of the client's statement; in
 * TopTransactionContext.
 */
typedef struct Depth
{
	Oid			relation;
	int			deepest;
	TimestampTz statement;
	struct Depth *next;
} Depth;

static Depth *depths = NULL;

static char *
full_name(Oid relation)
{
	char	   *name = get_rel_name(relation);

	if (name == NULL)
		return psprintf("%u", relation);
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), name);
}

/* The configuration of a table, or, for a partition, of what it is a part of; NULL if there is none.  Needs SPI_connect(). */
static Tracked *
tracked_of(Oid relation, bool is_partition)
{
	List	   *candidates = list_make1_oid(relation);
	ListCell   *cell;

	if (is_partition)
		candidates = list_concat(candidates, get_partition_ancestors(relation));
	foreach(cell, candidates)
	{
		Datum		args[1] = {ObjectIdGetDatum(lfirst_oid(cell))};
		Tracked    *tracked;
		Datum	   *keys;

		if (vouch_stmt_run(&find_tracked, args, NULL) == 0)
			continue;
		tracked = palloc0(sizeof(Tracked));
		tracked->relation = lfirst_oid(cell);
		tracked->name = full_name(tracked->relation);
		tracked->bucket = vouch_stmt_get_int32(0, 1, 0);
		tracked->artifact_no = vouch_stmt_get_int32(0, 2, 0);
		deconstruct_array(DatumGetArrayTypePCopy(vouch_stmt_get(0, 3, NULL)), TEXTOID, -1, false, TYPALIGN_INT,
						  &keys, NULL, &tracked->nkeys);
		tracked->keys = palloc(sizeof(char *) * tracked->nkeys);
		for (int i = 0; i < tracked->nkeys; i++)
			tracked->keys[i] = TextDatumGetCString(keys[i]);
		tracked->refuse = strcmp(vouch_stmt_get_text(0, 4), "refuse") == 0;
		tracked->phase = vouch_stmt_get_text(0, 5);
		return tracked;
	}
	return NULL;
}

static void
forget_depths(void *arg)
{
	depths = NULL;
}

/* Notes a recording at this nesting; true if there were deeper ones. */
static bool
deeper_before(Oid relation)
{
	int			now = DatumGetInt32(OidFunctionCall0(F_PG_TRIGGER_DEPTH));
	Depth	   *depth;
	bool		deeper;

	if (depths == NULL)
	{
		MemoryContextCallback *callback = MemoryContextAlloc(TopTransactionContext, sizeof(MemoryContextCallback));

		callback->func = forget_depths;
		callback->arg = NULL;
		MemoryContextRegisterResetCallback(TopTransactionContext, callback);
	}
	for (depth = depths; depth != NULL; depth = depth->next)
		if (depth->relation == relation)
			break;
	if (depth == NULL)
	{
		depth = MemoryContextAllocZero(TopTransactionContext, sizeof(Depth));
		depth->relation = relation;
		depth->next = depths;
		depths = depth;
	}
	if (depth->statement != GetCurrentStatementStartTimestamp())
	{
		depth->statement = GetCurrentStatementStartTimestamp();
		depth->deepest = 0;
	}
	deeper = depth->deepest > now;
	/* stays, for a statement may have several of our triggers */
	if (!deeper)
		depth->deepest = now;
	return deeper;
}

static void
add_gone(Changes *changes, text *key)
{
	if (changes->ngone == changes->allocated)
	{
		changes->allocated = Max(64, changes->allocated * 2);
		changes->gone = changes->gone == NULL ?
			palloc_extended(sizeof(Datum) * changes->allocated, MCXT_ALLOC_HUGE) :
			repalloc_huge(changes->gone, sizeof(Datum) * changes->allocated);
	}
	changes->gone[changes->ngone++] = PointerGetDatum(key);
}

static void
add_row(Changes *changes, VouchRowReader *reader, TupleTableSlot *slot)
{
	text	   *key = vouch_row_key(reader, slot);

	if (changes->items->n % 1000 == 0)
		CHECK_FOR_INTERRUPTS();
	vouch_items_add(changes->items, key, vouch_row_payload(reader, slot), NULL);
}

static void
start_reading(Tuplestorestate *store)
{
	/* others read it, too */
	tuplestore_select_read_pointer(store, tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND));
	tuplestore_rescan(store);
}

/*
 * What a statement did, from its transition tables.  Of an UPDATE the rows
 * before and after come in the same order; one that is as it was is no change.
 */
static void
read_transition(TriggerData *data, Tracked *tracked, Changes *changes)
{
	Relation	rel = data->tg_relation;
	TupleDesc	desc = RelationGetDescr(rel);
	VouchRowReader *reader = vouch_row_reader(desc, tracked->keys, tracked->nkeys, tracked->name);
	TupleTableSlot *before = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	TupleTableSlot *after = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	Tuplestorestate *old = TRIGGER_FIRED_BY_INSERT(data->tg_event) ? NULL : data->tg_oldtable;
	Tuplestorestate *new = TRIGGER_FIRED_BY_DELETE(data->tg_event) ? NULL : data->tg_newtable;
	bool		update = old != NULL && new != NULL;
	Changes		were = {0};
	VouchRowSection section;

	vouch_row_begin(&section, rel);
	if (old != NULL)
		start_reading(old);
	if (new != NULL)
		start_reading(new);
	while (new != NULL && tuplestore_gettupleslot(new, true, false, after))
	{
		if (update && tuplestore_gettupleslot(old, true, false, before))
		{
			if (vouch_row_same(reader, before, after))
				continue;
			add_gone(&were, vouch_row_key(reader, before));
		}
		add_row(changes, reader, after);
	}
	while (old != NULL && tuplestore_gettupleslot(old, true, false, before))
		add_gone(&were, vouch_row_key(reader, before));
	vouch_row_end(&section);
	ExecDropSingleTupleTableSlot(before);
	ExecDropSingleTupleTableSlot(after);

	/* a key that an UPDATE took away and gave to another row is not gone */
	for (int i = 0; i < were.ngone; i++)
	{
		text	   *key = DatumGetTextPP(were.gone[i]);

		if (vouch_keyset_add(changes->items->seen, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), PG_INT32_MAX) < 0)
			add_gone(changes, key);
	}
}

/* All rows of the table.  Under the artifact's lock.  Needs SPI_connect(). */
static void
read_table(Tracked *tracked, MemoryContext context, Changes *changes)
{
	Relation	rel = table_open(tracked->relation, AccessShareLock);
	VouchRowReader *reader = NULL;
	TupleTableSlot *slot = NULL;
	VouchRowSection section;
	SPIPlanPtr	plan;
	Portal		portal;

	vouch_row_begin(&section, rel);
	plan = SPI_prepare(psprintf("SELECT * FROM %s", tracked->name), 0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not read %s", tracked->name);
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	for (;;)
	{
		MemoryContext old;

		SPI_cursor_fetch(portal, true, BATCH);
		if (SPI_processed == 0)
			break;
		old = MemoryContextSwitchTo(context);
		if (reader == NULL)
		{
			TupleDesc	desc = CreateTupleDescCopy(SPI_tuptable->tupdesc);

			reader = vouch_row_reader(desc, tracked->keys, tracked->nkeys, tracked->name);
			slot = MakeSingleTupleTableSlot(desc, &TTSOpsHeapTuple);
		}
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			ExecStoreHeapTuple(SPI_tuptable->vals[i], slot, false);
			add_row(changes, reader, slot);
		}
		ExecClearTuple(slot);
		MemoryContextSwitchTo(old);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	vouch_row_end(&section);
	if (slot != NULL)
		ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
}

typedef struct Comparison
{
	Changes    *changes;
	bool	   *same;
	int			n;				/* rows of the table */
} Comparison;

static void
compare_shown(TupleTableSlot *slot, void *arg)
{
	Comparison *comparison = arg;
	VouchItems *items = comparison->changes->items;
	bool		isnull;
	text	   *key = DatumGetTextPCopy(slot_getattr(slot, 1, &isnull));
	bytea	   *hash = DatumGetByteaPP(slot_getattr(slot, 2, &isnull));
	int			at = vouch_keyset_add(items->seen, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), PG_INT32_MAX);

	if (at < 0)
		add_gone(comparison->changes, key);
	else if (at < comparison->n)
	{
		Datum		salt = slot_getattr(slot, 3, &isnull);

		comparison->same[at] = vouch_items_same(items, at, hash, isnull ? NULL : DatumGetByteaPP(salt));
	}
}

/* What differs between the table and the newest version. */
static void
compare_table(Tracked *tracked, MemoryContext context, const VouchPhase *phase, const char *actor, Changes *changes)
{
	Datum		args[2] = {Int32GetDatum(tracked->bucket), Int32GetDatum(tracked->artifact_no)};
	MemoryContext old = MemoryContextSwitchTo(context);
	VouchItems *items = vouch_items_begin(phase, actor);
	Comparison	comparison = {changes};
	int			n = 0;

	memset(changes, 0, sizeof(*changes));
	changes->items = items;
	MemoryContextSwitchTo(old);
	read_table(tracked, context, changes);

	MemoryContextSwitchTo(context);
	comparison.n = items->n;
	comparison.same = palloc_extended(Max(items->n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	vouch_stmt_scan(&read_shown, args, NULL, true, compare_shown, &comparison);
	for (int i = 0; i < items->n; i++)
	{
		if (comparison.same[i])
			continue;
		items->keys[n] = items->keys[i];
		items->payloads[n] = items->payloads[i];
		items->sources[n] = items->sources[i];
		items->salts[n] = items->salts[i];
		items->hashes[n] = items->hashes[i];
		items->leaves[n++] = items->leaves[i];
	}
	items->n = n;
	MemoryContextSwitchTo(old);
}

/* The newest version under the artifact's lock; NULL when there is none.  *behind: a draft was thrown away. */
static VouchVersion *
lock_head(Tracked *tracked, char **submitted_by, bool *behind)
{
	Datum		args[2] = {Int32GetDatum(tracked->bucket), Int32GetDatum(tracked->artifact_no)};
	pg_uuid_t	id;
	int			head_no;

	(void) vouch_store_lock(tracked->bucket, tracked->artifact_no);
	vouch_stmt_run_one(&find_head, args, NULL);
	head_no = vouch_stmt_get_int32(0, 1, 0);
	*behind = vouch_stmt_get_int32(0, 2, 0) > head_no;
	*submitted_by = vouch_stmt_get_text(0, 3);
	if (head_no == 0)
		return NULL;
	vouch_id_pack_version(&id, tracked->bucket, tracked->artifact_no, head_no);
	return vouch_version_read(&id);
}

/* Raises why the table cannot change now, if so. */
static void
check_open(Tracked *tracked, VouchVersion *head, const char *submitted_by)
{
	if (head == NULL || strcmp(head->state, "draft") == 0)
		return;
	if (strcmp(head->state, "pending_approval") == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_FROZEN),
				 errmsg("cannot change table \"%s\" while its version %d is pending approval", tracked->name,
						head->version_no),
				 errdetail("Its rows are the items of version %d of %s \"%s\", which \"%s\" submitted; what was submitted is frozen.",
						   head->version_no, head->phase_label, head->subject, submitted_by),
				 errhint("Wait for the verdict, or take the version back with vouch.withdraw_version().")));
	if (tracked->refuse)
		ereport(ERROR,
				(errcode(VOUCH_ERR_FROZEN),
				 errmsg("cannot change table \"%s\": its version %d is %s", tracked->name, head->version_no,
						head->state),
				 errdetail("Its rows are the items of version %d of %s \"%s\", and it is tracked with on_closed refuse.",
						   head->version_no, head->phase_label, head->subject),
				 errhint("Open the next version first, with vouch.create_revision(version_id, carry => 'all').")));
}

/* The draft that takes the change, made if there is none; *change is begun. */
static VouchVersion *
open_draft(Tracked *tracked, VouchVersion *head, const VouchPhase *phase, const char *actor, const char *reason,
		   VouchChange *change)
{
	VouchNewVersion what = {0};
	VouchVersion *version;

	if (head != NULL && strcmp(head->state, "draft") == 0)
	{
		vouch_change_begin(change, head);
		return head;
	}
	if (reason == NULL)
		reason = psprintf("table %s was changed", tracked->name);
	if (head != NULL)
	{
		version = vouch_revise_begin(head, phase, "all", reason, actor, &what, change);
		vouch_revise_log(version, "create_revision", "create", "", actor, what.at, 0, NULL,
						 vouch_revise_detail(NULL, 0, &what, vouch_version_counts(version).items, tracked->name));
		return version;
	}
	what.actor = actor;
	what.reason = reason;
	what.at = GetCurrentTimestamp();
	version = vouch_store_version(tracked->bucket, tracked->artifact_no, &what);
	vouch_change_begin(change, version);
	change->at = what.at;
	vouch_revise_log(version, "create_version", "create", "", actor, what.at, 0, NULL,
					 vouch_revise_detail(NULL, 0, &what, 0, tracked->name));
	return version;
}

/* Writes what changed into the draft.  Needs SPI_connect() and the artifact's lock. */
static void
write_changes(Tracked *tracked, VouchVersion *version, VouchChange *change, const char *actor, Changes *changes)
{
	VouchItems *items = changes->items;
	VouchDigest root;

	if (changes->ngone > 0)
	{
		VouchFound *found = vouch_store_find(version, 1, changes->gone, changes->ngone);
		VouchDigest *leaves = palloc_extended(sizeof(VouchDigest) * changes->ngone, MCXT_ALLOC_HUGE);

		for (int i = 0; i < changes->ngone; i++)
		{
			text	   *key = DatumGetTextPP(changes->gone[i]);

			vouch_digest_leaf(&leaves[i], VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
		}
		vouch_store_take_out(change, found, changes->ngone);
		vouch_digest_root(&root, leaves, changes->ngone);
		vouch_revise_log(version, "remove_items", "edit", "draft", actor, change->at, changes->ngone, &root,
						 vouch_revise_detail(changes->gone, changes->ngone, NULL, 0, tracked->name));
	}
	if (items->n > 0)
	{
		vouch_revise_put(change, version, items);
		vouch_items_root(items, &root);
		vouch_revise_log(version, "edit_items", "edit", "draft", actor, change->at, items->n, &root,
						 vouch_revise_detail(items->keys, items->n, NULL, 0, tracked->name));
	}
	vouch_revise_end(change, actor);
}

/*
 * Brings a change into the open draft, or, without one, all that differs.
 * Returns how many rows.  Needs SPI_connect(); context outlives it.
 */
static int64
record(Tracked *tracked, MemoryContext context, const VouchPhase *phase, const char *actor, const char *reason,
	   Changes *changes)
{
	Changes		all;
	char	   *submitted_by;
	bool		behind;
	VouchVersion *head,
			   *version;
	VouchChange change;

	head = lock_head(tracked, &submitted_by, &behind);
	if (changes == NULL || (behind && (head == NULL || strcmp(head->state, "draft") != 0)))
	{
		changes = &all;
		compare_table(tracked, context, phase, actor, changes);
	}
	if (changes->items->n == 0 && changes->ngone == 0)
		return 0;
	check_open(tracked, head, submitted_by);
	version = open_draft(tracked, head, phase, actor, reason, &change);
	write_changes(tracked, version, &change, actor, changes);
	return (int64) changes->items->n + changes->ngone;
}

/* vouch_data.track_change(): the trigger of tracked tables and their partitions */
Datum
vouch_sql_track_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	MemoryContext context = CurrentMemoryContext;
	Changes		changes = {0};
	Tracked    *tracked;
	VouchPhase *phase;
	const char *actor;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_STATEMENT(data->tg_event))
		elog(ERROR, "vouch_data.track_change() was not called as a statement trigger");
	/* rows of a dump come with the versions that have them; only who owns the table can restore it */
	if (vouch_owns_table(RelationGetRelid(data->tg_relation)) &&
		vouch_in_restore(TRIGGER_FIRED_BY_INSERT(data->tg_event)))
		return PointerGetDatum(NULL);

	SPI_connect();
	tracked = tracked_of(RelationGetRelid(data->tg_relation), data->tg_relation->rd_rel->relispartition);
	/* not tracked: a partition that was detached, or a copy of the table's definition */
	if (tracked == NULL || TRIGGER_FIRED_BEFORE(data->tg_event))
	{
		if (tracked != NULL)
			(void) vouch_store_lock(tracked->bucket, tracked->artifact_no);
		SPI_finish();
		return PointerGetDatum(NULL);
	}
	actor = vouch_actor_current();
	phase = vouch_phase_read_versioned(tracked->phase);
	if (deeper_before(tracked->relation) || TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		record(tracked, context, phase, actor, NULL, NULL);
	else
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		changes.items = vouch_items_begin(phase, actor);
		read_transition(data, tracked, &changes);
		MemoryContextSwitchTo(old);
		if (changes.items->n > 0 || changes.ngone > 0)
			record(tracked, context, phase, actor, NULL, &changes);
	}
	SPI_finish();
	return PointerGetDatum(NULL);
}

static void
check_owner(Oid relation)
{
	if (!vouch_owns_table(relation))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table \"%s\"", full_name(relation)),
				 errdetail("Tracking puts triggers on the table."),
				 errhint("Have its owner call this.")));
}

/* The tracked table that a caller names, or VO605. */
static Tracked *
require_tracked(Oid relation)
{
	Tracked    *tracked = tracked_of(relation, false);

	if (tracked == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_SOURCE),
				 errmsg("table \"%s\" is not tracked", full_name(relation)),
				 errhint("Tracked tables are listed by vouch.tracked_tables; vouch.track_table() adds one.")));
	return tracked;
}

static void
check_table(Oid relation, ArrayType *keys)
{
	Datum		args[2] = {ObjectIdGetDatum(relation), PointerGetDatum(keys)};
	char		kind = get_rel_relkind(relation);
	const char *why = NULL;

	check_owner(relation);
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		why = "It is not a table.";
	else if (get_rel_persistence(relation) == RELPERSISTENCE_TEMP)
		why = "It is a temporary table.";
	else if (get_rel_relispartition(relation))
		why = "It is a partition; the table that it is a part of can be tracked.";
	else if (vouch_stmt_run(&inherits, args, NULL) > 0)
		why = "It inherits from a table or is inherited from.";
	if (why != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_SOURCE),
				 errmsg("\"%s\" cannot be tracked", full_name(relation)),
				 errdetail("%s", why),
				 errhint("Track an ordinary or a partitioned table that you own.")));
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

/*
 * vouch_data.track_register(source, bucket, artifact_no, key_columns,
 * on_closed): the columns that are the key
 */
Datum
vouch_sql_track_register(PG_FUNCTION_ARGS)
{
	Oid			relation = PG_GETARG_OID(0);
	MemoryContext context = CurrentMemoryContext;
	Datum		args[6] = {ObjectIdGetDatum(relation), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
	ArrayType  *keys = PG_ARGISNULL(3) ? NULL : PG_GETARG_ARRAYTYPE_P(3);

	SPI_connect();
	check_owner(relation);
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
	if (vouch_stmt_run(&other_table, args, NULL) > 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_SOURCE),
				 errmsg("another table is tracked under this phase, subject and scope"),
				 errdetail("It is \"%s\".", full_name(DatumGetObjectId(vouch_stmt_get(0, 1, NULL)))),
				 errhint("Give each table a subject or a scope of its own.")));
	(void) vouch_store_lock(DatumGetInt32(args[1]), DatumGetInt32(args[2]));
	args[3] = PointerGetDatum(keys);
	args[4] = PG_GETARG_DATUM(4);
	args[5] = CStringGetTextDatum(vouch_actor_current());
	vouch_stmt_run_one(&put_tracked, args, NULL);

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
	Tracked    *tracked;

	SPI_connect();
	check_owner(relation);
	tracked = require_tracked(relation);
	(void) vouch_store_lock(tracked->bucket, tracked->artifact_no);
	vouch_stmt_run(&drop_tracked, args, NULL);
	log_tracking("untrack_table", tracked->bucket, tracked->artifact_no, tracked->name, NULL);
	SPI_finish();
	PG_RETURN_VOID();
}

/* vouch_data.track_sync(source, reason): how many rows differed */
Datum
vouch_sql_track_sync(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *reason = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	Tracked    *tracked;
	int64		n;

	SPI_connect();
	check_owner(PG_GETARG_OID(0));
	tracked = require_tracked(PG_GETARG_OID(0));
	n = record(tracked, context, vouch_phase_read_versioned(tracked->phase), vouch_actor_current(), reason, NULL);
	SPI_finish();
	PG_RETURN_INT64(n);
}

/* vouch_data.track_open(source, reason): opens the next draft, if none is open and it may be */
Datum
vouch_sql_track_open(PG_FUNCTION_ARGS)
{
	char	   *reason = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *actor = vouch_actor_current();
	Tracked    *tracked;
	VouchVersion *head;
	VouchChange change;
	char	   *submitted_by;
	bool		behind;

	SPI_connect();
	tracked = require_tracked(PG_GETARG_OID(0));
	head = lock_head(tracked, &submitted_by, &behind);
	check_open(tracked, head, submitted_by);
	if (head == NULL || strcmp(head->state, "draft") != 0)
	{
		(void) open_draft(tracked, head, vouch_phase_read_versioned(tracked->phase), actor, reason, &change);
		vouch_revise_end(&change, actor);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

/* vouch_data.track_sweep() */
Datum
vouch_sql_track_sweep(PG_FUNCTION_ARGS)
{
	Datum		none = ObjectIdGetDatum(InvalidOid);

	SPI_connect();
	(void) vouch_stmt_run(&drop_tracked, &none, NULL);
	SPI_finish();
	PG_RETURN_VOID();
}
