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
 * (TRUNCATE; triggers that wrote the same table meanwhile; cascades to rows that it changed; a discarded
 * draft), all of it is compared.
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
#include "core/limits.h"
#include "core/stmt.h"
#include "executor/executor.h"
#include "ledger/ledger.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "version/lookup.h"
#include "version/revise.h"
#include "version/row.h"
#include "version/track.h"

VOUCH_FUNCTION(vouch_sql_track_change);
VOUCH_FUNCTION(vouch_sql_track_sync);
VOUCH_FUNCTION(vouch_sql_track_open);

/* Rows fetched at a time when a whole table is read. */
#define BATCH 5000

static VouchStmt read_shown = {
	"SELECT i.item_key, b.body_hash, b.salt FROM vouch_data.decision d"
	" JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = d.item_no"
	" JOIN vouch_data.item_body b ON b.bucket = $1 AND b.artifact_no = $2 AND b.body_no = d.body_no"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.stage = 1 AND d.to_no = 2147483647",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .hashed = true
};

/* What changed in it. */
typedef struct Changes
{
	VouchItems *items;			/* rows that are new or different */
	Datum	   *gone;			/* keys of rows that are no more */
	int			ngone;
	int			allocated;
	StringInfoData text;		/* of the last payload */
} Changes;

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

/*
 * Is the column that is called as the field that names the phase's items the
 * key, or is there none?  So it is when a table is tracked; columns may be renamed.
 */
static bool
is_named(const VouchTracked *tracked, TupleDesc desc)
{
	const char *item_key = tracked->phase->item_key;

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped && strcmp(NameStr(TupleDescAttr(desc, i)->attname), item_key) == 0)
			return tracked->nkeys == 1 && strcmp(tracked->keys[0], item_key) == 0;
	return true;
}

/* False, and nothing is added, when a row of that key is there. */
static bool
add_row(Changes *changes, VouchRowReader *reader, bool named, text *key, TupleTableSlot *slot)
{
	Jsonb	   *payload;

	if (changes->items->n % 1000 == 0)
		CHECK_FOR_INTERRUPTS();
	if (changes->text.data == NULL)
		initStringInfo(&changes->text);
	payload = vouch_row_payload(reader, slot, &changes->text);
	return vouch_items_add_row(changes->items, key, named, payload, &changes->text);
}

static void
start_reading(Tuplestorestate *store)
{
	/* others read it, too */
	tuplestore_select_read_pointer(store, tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND));
	tuplestore_rescan(store);
}

static bool
is_put(const Changes *changes, const text *key)
{
	return vouch_keyset_find(changes->items->seen, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)) >= 0;
}

/*
 * What a statement did, from its transition tables.  Of an UPDATE the rows
 * before and after come in the same order; one that is as it was is no change.
 * No two rows have one key at any moment, so a plain statement takes a key from a row before
 * it gives it to another.  False where that is not all: a cascade or another part
 * of the statement did something to the same row, and only the table says how it is.
 */
static bool
read_transition(TriggerData *data, VouchTracked *tracked, VouchTrackedQuery *query, Changes *changes)
{
	Relation	rel = data->tg_relation;
	TupleDesc	desc = RelationGetDescr(rel);
	VouchRowReader *reader = vouch_row_reader(desc, tracked->keys, tracked->nkeys, tracked->name);
	TupleTableSlot *before,
			   *after;
	Tuplestorestate *old = TRIGGER_FIRED_BY_INSERT(data->tg_event) ? NULL : data->tg_oldtable;
	Tuplestorestate *new = TRIGGER_FIRED_BY_DELETE(data->tg_event) ? NULL : data->tg_newtable;
	bool		update = old != NULL && new != NULL;
	bool		named = is_named(tracked, desc);
	Changes		were = {0};
	VouchRowSection section;
	bool		clear = true;

	/* a trigger of the partition that a row was to move to kept it out: which pairs belong together is not known */
	if (update && tuplestore_tuple_count(old) != tuplestore_tuple_count(new))
		return false;
	before = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	after = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	vouch_tracked_check_unique(tracked);
	vouch_row_begin(&section, rel);
	if (old != NULL)
		start_reading(old);
	if (new != NULL)
	{
		start_reading(new);
		/* not so many that those which are as they were cost much */
		vouch_items_expect(changes->items, (int) Min(tuplestore_tuple_count(new), 1000000));
	}
	while (clear && new != NULL && tuplestore_gettupleslot(new, true, false, after))
	{
		text	   *key;

		if (update && tuplestore_gettupleslot(old, true, false, before))
		{
			if (vouch_row_same(reader, before, after))
				continue;
			if (!vouch_row_same_key(reader, before, after))
			{
				key = vouch_row_key(reader, before);
				clear = !is_put(changes, key) && !vouch_tracked_query_touched(query, key);
				add_gone(&were, key);
			}
		}
		key = vouch_row_key(reader, after);
		clear = clear && !vouch_tracked_query_touched(query, key) && add_row(changes, reader, named, key, after);
	}
	while (clear && old != NULL && tuplestore_gettupleslot(old, true, false, before))
	{
		text	   *key = vouch_row_key(reader, before);

		clear = !vouch_tracked_query_touched(query, key);
		add_gone(&were, key);
	}
	vouch_row_end(&section);
	ExecDropSingleTupleTableSlot(before);
	ExecDropSingleTupleTableSlot(after);

	if (changes->items->n == 0)
	{
		were.items = changes->items;
		*changes = were;
		return clear;
	}
	/* a key that an UPDATE took away and gave to another row is not gone */
	for (int i = 0; clear && i < were.ngone; i++)
	{
		text	   *key = DatumGetTextPP(were.gone[i]);

		if (vouch_keyset_add(changes->items->seen, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), PG_INT32_MAX) < 0)
			add_gone(changes, key);
	}
	return clear;
}

/* All rows of the table.  Under the artifact's lock.  Needs SPI_connect(). */
static void
read_table(VouchTracked *tracked, MemoryContext context, Changes *changes)
{
	Relation	rel = table_open(tracked->relation, AccessShareLock);
	VouchRowReader *reader = NULL;
	bool		named = is_named(tracked, RelationGetDescr(rel));
	TupleTableSlot *slot = NULL;
	VouchRowSection section;
	SPIPlanPtr	plan;
	Portal		portal;

	vouch_row_begin(&section, rel);
	plan = SPI_prepare(psprintf("SELECT %s FROM %s", vouch_row_columns(RelationGetDescr(rel)), tracked->name), 0, NULL);
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
			vouch_tracked_check_unique(tracked);
			slot = MakeSingleTupleTableSlot(desc, &TTSOpsHeapTuple);
		}
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			text	   *key;

			ExecStoreHeapTuple(SPI_tuptable->vals[i], slot, false);
			key = vouch_row_key(reader, slot);
			/* values that differ may be the same as JSON: this raises */
			if (!add_row(changes, reader, named, key, slot))
				vouch_items_add(changes->items, key, vouch_row_payload(reader, slot, &changes->text), NULL);
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

/* Leaves out the items that are in the newest version as they are. */
static void
keep_others(VouchItems *items, const bool *same)
{
	int			n = 0;

	for (int i = 0; i < items->n; i++)
	{
		if (same[i])
			continue;
		items->keys[n] = items->keys[i];
		items->payloads[n] = items->payloads[i];
		items->sources[n] = items->sources[i];
		items->salts[n] = items->salts[i];
		items->hashes[n] = items->hashes[i];
		items->leaves[n++] = items->leaves[i];
	}
	items->n = n;
}

/*
 * Of rows that a dump brings, those that came with the version, too, are no
 * change; the others are.  Needs SPI_connect() and the artifact's lock.
 */
static void
leave_out_shown(VouchTracked *tracked, MemoryContext context, const VouchVersion *head, VouchItems *items)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	VouchFound *found = vouch_store_find(head, 1, items->keys, items->n);
	int		   *bodies = palloc_extended(sizeof(int) * items->n, MCXT_ALLOC_HUGE);
	bool	   *same = palloc_extended(items->n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	Datum	   *payloads;
	int			n = 0;

	for (int i = 0; i < items->n; i++)
		if (found[i].from_no != 0)
			bodies[n++] = found[i].body_no;
	n = vouch_lookup_sort(bodies, n);
	vouch_lookup_bodies(tracked->bucket, tracked->artifact_no, bodies, n, true, &payloads, NULL);
	for (int i = 0; i < items->n; i++)
	{
		Datum		shown = found[i].from_no == 0 ? (Datum) 0 : payloads[vouch_lookup_index(bodies, n, found[i].body_no)];

		same[i] = shown != (Datum) 0 && datum_image_eq(shown, items->payloads[i], false, -1);
	}
	keep_others(items, same);
	MemoryContextSwitchTo(old);
}

/* What differs between the table and the newest version. */
static void
compare_table(VouchTracked *tracked, MemoryContext context, const VouchPhase *phase, const char *actor, Changes *changes)
{
	Datum		args[2] = {Int32GetDatum(tracked->bucket), Int32GetDatum(tracked->artifact_no)};
	MemoryContext old = MemoryContextSwitchTo(context);
	VouchItems *items = vouch_items_begin(phase, actor);
	Comparison	comparison = {changes};

	memset(changes, 0, sizeof(*changes));
	changes->items = items;
	MemoryContextSwitchTo(old);
	read_table(tracked, context, changes);

	MemoryContextSwitchTo(context);
	comparison.n = items->n;
	comparison.same = palloc_extended(Max(items->n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	vouch_stmt_scan(&read_shown, args, NULL, true, compare_shown, &comparison);
	keep_others(items, comparison.same);
	MemoryContextSwitchTo(old);
}

/* Those who write one table take turns, before they hold rows; to_write: and this one records something.  *behind: a draft was thrown away. */
static int
take_turn(VouchTracked *tracked, bool to_write, bool *behind)
{
	int			last_no;
	int			head_no = vouch_ledger_lock(tracked->bucket, tracked->artifact_no, to_write, &last_no);

	if (head_no < 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent tracking of table \"%s\"", tracked->name)));
	*behind = last_no > head_no;
	return head_no;
}

/* What this transaction locked last, and in which subtransaction; invalid: nothing. */
static SubTransactionId turn_taken = InvalidSubTransactionId;
static int	turn_bucket;
static int	turn_artifact_no;

static void
forget_turn(XactEvent event, void *arg)
{
	turn_taken = InvalidSubTransactionId;
}

/* The same before a statement; a cascade has as many as rows that cause it. */
static void
await_turn(VouchTracked *tracked)
{
	static bool registered = false;
	bool		behind;

	/* what rolls the subtransaction back unlocks */
	if (turn_taken != InvalidSubTransactionId && SubTransactionIsActive(turn_taken) &&
		turn_bucket == tracked->bucket && turn_artifact_no == tracked->artifact_no)
		return;
	if (!registered)
	{
		RegisterXactCallback(forget_turn, NULL);
		registered = true;
	}
	(void) take_turn(tracked, false, &behind);
	turn_taken = GetCurrentSubTransactionId();
	turn_bucket = tracked->bucket;
	turn_artifact_no = tracked->artifact_no;
}

/* The newest version under the artifact's lock; NULL when there is none. */
static VouchVersion *
lock_head(VouchTracked *tracked, bool *behind)
{
	int			head_no = take_turn(tracked, true, behind);
	pg_uuid_t	id;

	if (head_no == 0)
		return NULL;
	vouch_id_pack_version(&id, tracked->bucket, tracked->artifact_no, head_no);
	return vouch_version_read(&id);
}

/* Raises why the table cannot change now, if so. */
static void
check_open(VouchTracked *tracked, VouchVersion *head)
{
	if (head == NULL || strcmp(head->state, "draft") == 0)
		return;
	if (strcmp(head->state, "pending_approval") == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_FROZEN),
				 errmsg("cannot change table \"%s\" while its version %d is pending approval", tracked->name,
						head->version_no),
				 errdetail("Its rows are the items of version %d of %s \"%s\", which \"%s\" submitted; what was submitted is frozen.",
						   head->version_no, head->phase_label, head->subject, head->submitted_by),
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
open_draft(VouchTracked *tracked, VouchVersion *head, const VouchPhase *phase, const char *actor, const char *reason,
		   VouchChange *change)
{
	VouchNewVersion what = {0};
	VouchVersion *version;

	/*
	 * What the table began is changed by who may write it; else owning some
	 * table would be enough to edit what others made.
	 */
	if (head != NULL && !tracked->holds && !vouch_revise_is_editor(head, tracked->tracked_by))
		vouch_revise_check_editor(head, actor);
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
	if (!tracked->holds)
		vouch_tracked_hold(tracked);
	vouch_change_begin(change, version);
	change->at = what.at;
	vouch_revise_log(version, "create_version", "create", "", actor, what.at, 0, NULL,
					 vouch_revise_detail(NULL, 0, &what, 0, tracked->name));
	return version;
}

/* Writes what changed into the draft.  Needs SPI_connect() and the artifact's lock. */
static void
write_changes(VouchTracked *tracked, VouchVersion *version, VouchChange *change, const char *actor, Changes *changes, bool made)
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
		vouch_store_take_out(change, changes->gone, found, changes->ngone);
		vouch_digest_root(&root, leaves, changes->ngone);
		vouch_revise_log(version, "remove_items", "edit", "draft", actor, change->at, changes->ngone, &root,
						 vouch_replaced_tell(change, vouch_revise_detail(changes->gone, changes->ngone, NULL, 0, tracked->name)));
	}
	if (items->n > 0)
	{
		vouch_revise_put(change, version, items);
		vouch_items_root(items, &root);
		vouch_revise_log(version, "edit_items", "edit", "draft", actor, change->at, items->n, &root,
						 vouch_replaced_tell(change, vouch_revise_detail(items->keys, items->n, NULL, 0, tracked->name)));
	}
	vouch_revise_end(change, actor, made);
}

/*
 * Brings a change into the open draft, or, without one, all that differs.
 * Returns how many rows.  restored: they may be of a dump.  Needs SPI_connect(); context outlives it.
 */
static int64
record(VouchTracked *tracked, MemoryContext context, const VouchPhase *phase, const char *actor, const char *reason,
	   Changes *changes, bool restored)
{
	Changes		all;
	bool		behind;
	VouchVersion *head,
			   *version;
	VouchChange change;

	head = lock_head(tracked, &behind);
	if (restored && changes != NULL && head != NULL)
	{
		leave_out_shown(tracked, context, head, changes->items);
		if (changes->items->n == 0 && changes->ngone == 0)
			return 0;
	}
	if (changes == NULL || (behind && (head == NULL || strcmp(head->state, "draft") != 0)))
	{
		changes = &all;
		compare_table(tracked, context, phase, actor, changes);
	}
	if (changes->items->n == 0 && changes->ngone == 0)
		return 0;
	check_open(tracked, head);
	version = open_draft(tracked, head, phase, actor, reason, &change);
	write_changes(tracked, version, &change, actor, changes, version != head);
	return (int64) changes->items->n + changes->ngone;
}

/* A statement ended: records what it did. */
static void
statement_ended(TriggerData *data, VouchTracked *tracked, VouchTrackedQuery *query, MemoryContext context, bool restored)
{
	const char *actor = vouch_actor_current();
	const VouchPhase *phase = tracked->phase;
	Changes		changes = {0};
	MemoryContext old;

	if (!TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) && !vouch_tracked_query_disturbed(query))
	{
		old = MemoryContextSwitchTo(context);
		changes.items = vouch_items_begin(phase, actor);
		if (!read_transition(data, tracked, query, &changes))
			vouch_tracked_query_disturb(query);
		MemoryContextSwitchTo(old);
	}
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) || vouch_tracked_query_disturbed(query))
	{
		if (record(tracked, context, phase, actor, NULL, NULL, false) > 0)
			vouch_tracked_query_recorded(query, tracked->relation, false, NULL, NULL, 0);
		return;
	}
	if (changes.items->n == 0 && changes.ngone == 0)
		return;
	record(tracked, context, phase, actor, NULL, &changes, restored);
	/* only tables with foreign keys are written by cascades */
	vouch_tracked_query_recorded(query, tracked->relation, RelationGetFKeyList(data->tg_relation) != NIL,
								 changes.items, changes.gone, changes.ngone);
}

/* vouch_data.track_change(): the trigger of tracked tables and their partitions */
Datum
vouch_sql_track_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	MemoryContext context = CurrentMemoryContext;
	VouchOwnerSection section;
	VouchTracked *tracked;
	int			event;
	bool		restored;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_STATEMENT(data->tg_event))
		elog(ERROR, "vouch_data.track_change() was not called as a statement trigger");
	/* vouch.restoring, which a superuser sets; only who owns the table can restore it */
	if (vouch_in_restore(false) && vouch_owns_table(RelationGetRelid(data->tg_relation)))
		return PointerGetDatum(NULL);
	/* settings that anybody can make are no reason to believe that a row came with its version: it is looked for */
	restored = vouch_in_restore(TRIGGER_FIRED_BY_INSERT(data->tg_event));

	SPI_connect();
	vouch_owner_begin(&section);
	tracked = vouch_tracked_find(RelationGetRelid(data->tg_relation), data->tg_relation->rd_rel->relispartition);
	event = data->tg_event & TRIGGER_EVENT_OPMASK;
	/* NULL: a partition that was detached, or a copy of the table's definition */
	if (tracked != NULL && TRIGGER_FIRED_BEFORE(data->tg_event))
	{
		vouch_tracked_query_begin(fcinfo->flinfo->fn_mcxt, tracked->relation, event);
		await_turn(tracked);
	}
	else if (tracked != NULL)
		statement_ended(data, tracked,
						vouch_tracked_query_end(fcinfo->flinfo->fn_mcxt, tracked->relation, event), context, restored);
	vouch_owner_end(&section);
	SPI_finish();
	return PointerGetDatum(NULL);
}

int64
vouch_tracked_sync(Oid relation, const char *reason)
{
	MemoryContext context = CurrentMemoryContext;
	VouchTracked *tracked;
	int64		n;

	SPI_connect();
	vouch_tracked_check_owner(relation);
	tracked = vouch_tracked_require(relation);
	n = record(tracked, context, tracked->phase, vouch_actor_current(), reason, NULL, false);
	SPI_finish();
	return n;
}

/* vouch_data.track_sync(source, reason): how many rows differed */
Datum
vouch_sql_track_sync(PG_FUNCTION_ARGS)
{
	char	   *reason = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));

	vouch_check_text(reason, "reason");
	PG_RETURN_INT64(vouch_tracked_sync(PG_GETARG_OID(0), reason));
}

/* vouch_data.track_open(source, reason): opens the next draft, if none is open and it may be */
Datum
vouch_sql_track_open(PG_FUNCTION_ARGS)
{
	char	   *reason = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *actor = vouch_actor_current();
	VouchTracked *tracked;
	VouchVersion *head;
	VouchChange change;
	bool		behind;

	if (pg_class_aclcheck(PG_GETARG_OID(0), GetUserId(), ACL_INSERT | ACL_UPDATE | ACL_DELETE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(PG_GETARG_OID(0)));
	vouch_check_text(reason, "reason");
	SPI_connect();
	tracked = vouch_tracked_require(PG_GETARG_OID(0));
	head = lock_head(tracked, &behind);
	check_open(tracked, head);
	if (head == NULL || strcmp(head->state, "draft") != 0)
	{
		(void) open_draft(tracked, head, tracked->phase, actor, reason, &change);
		vouch_revise_end(&change, actor, true);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
