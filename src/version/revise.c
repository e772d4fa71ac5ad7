/*
 * revise.c
 *	  Revisions of a version, edits of a draft, and its end by its maker.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/event.h"
#include "core/id.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "version/revise.h"
#include "version/store.h"
#include "version/version.h"

VOUCH_FUNCTION(vouch_sql_create_revision);
VOUCH_FUNCTION(vouch_sql_edit_items);
VOUCH_FUNCTION(vouch_sql_remove_items);
VOUCH_FUNCTION(vouch_sql_discard_version);
VOUCH_FUNCTION(vouch_sql_withdraw_version);

/* Keys that are written out in the log. */
#define LOGGED_ITEMS 50

static VouchStmt count_revisions = {
	"SELECT count(*) FROM vouch_data.version v"
	" WHERE v.bucket = $1 AND v.artifact_no = $2 AND v.carry IS NOT NULL AND v.state <> 'withdrawn'"
	"  AND v.version_no > COALESCE((SELECT max(r.version_no) FROM vouch_data.version r"
	"   WHERE r.bucket = $1 AND r.artifact_no = $2 AND r.carry IS NULL), 0)",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

/* A revision starts with the counts of its parent, all of them carried. */
static VouchStmt copy_counts = {
	"INSERT INTO vouch_data.version_stat (bucket, artifact_no, version_no, stage, status, source, carried, items)"
	" SELECT $1, $2, $3, s.stage, s.status, s.source, true, sum(s.items)"
	" FROM vouch_data.version_stat s WHERE s.bucket = $1 AND s.artifact_no = $2 AND s.version_no = $4"
	" GROUP BY s.stage, s.status, s.source HAVING sum(s.items) > 0",
	SPI_OK_INSERT, 4, {INT4OID, INT4OID, INT4OID, INT4OID},
	.indexed = true, .guarded = true
};

static VouchStmt copy_makers = {
	"INSERT INTO vouch_data.version_contributor (bucket, artifact_no, version_no, actor, items)"
	" SELECT $1, $2, $3, c.actor, c.items FROM vouch_data.version_contributor c"
	" WHERE c.bucket = $1 AND c.artifact_no = $2 AND c.version_no = $4 AND c.items > 0",
	SPI_OK_INSERT, 4, {INT4OID, INT4OID, INT4OID, INT4OID},
	.indexed = true, .guarded = true
};

/* Who has no item left in a revision made none of it. */
static VouchStmt drop_makers = {
	"DELETE FROM vouch_data.version_contributor"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND items = 0 AND actor <> $4",
	SPI_OK_DELETE, 4, {INT4OID, INT4OID, INT4OID, TEXTOID},
	.indexed = true, .guarded = true
};

/* The row of decision that an entry t of e, of version_ended, lists: as d, with its place. */
#define ENDED_ROW \
	" LATERAL (SELECT x.*, x.ctid AS tid FROM vouch_data.decision x" \
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = t.item_no AND x.stage = e.stage" \
	"   AND x.from_no = t.from_no OFFSET 0) AS d"

/*
 * Revising an older version $4: what later ones brought ends here, and what
 * they ended stands again.  A row that stands again remembers its origin.
 * What does not carry is closed in every stage, and counted, for the counts of
 * the parent have it.
 */
static VouchStmt close_later = {
	"WITH closed AS (UPDATE vouch_data.decision d SET to_no = $3"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.from_no > $4 AND d.from_no < $3 AND d.from_no > 1"
	"  AND d.to_no = 2147483647" VOUCH_COUNT_ENDED,
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, INT4OID},
	.indexed = true, .guarded = true
};

static VouchStmt reopen_earlier = {
	"WITH before AS MATERIALIZED (SELECT d.*, EXISTS (SELECT 1 FROM vouch_data.decision o"
	"   WHERE o.bucket = $1 AND o.artifact_no = $2 AND o.item_no = d.item_no"
	"    AND o.from_no + 0 <= $4 AND o.to_no > $4 AND o.status <> 'approved'"
	"    AND ($5 OR o.status <> 'pending')) AS undone"
	"  FROM vouch_data.version_ended e, unnest(e.item_nos, e.from_nos) AS t(item_no, from_no)," ENDED_ROW
	"  WHERE e.bucket = $1 AND e.artifact_no = $2 AND e.version_no > $4 AND e.version_no < $3 AND t.from_no <= $4),"
	" again AS (INSERT INTO vouch_data.decision (bucket, artifact_no, item_no, stage, from_no, body_no, status, source,"
	"   recommended_by, recommended_at, decided_by, on_behalf_of, decided_at, notes, origin_no)"
	"  SELECT b.bucket, b.artifact_no, b.item_no, b.stage, $3, b.body_no, b.status, b.source, b.recommended_by,"
	"   b.recommended_at, b.decided_by, b.on_behalf_of, b.decided_at, b.notes, COALESCE(b.origin_no, b.from_no)"
	"  FROM before b WHERE NOT $6 AND ($7 OR NOT b.undone)),"
	" dropped AS (SELECT b.item_no, b.stage, b.status, b.source, b.recommended_by, false AS ended, b.from_no, b.body_no FROM before b"
	"  WHERE $6 OR (b.undone AND NOT $7)),"
	" closed AS (UPDATE vouch_data.decision o SET to_no = $3"
	"  FROM (SELECT DISTINCT x.item_no FROM dropped x) AS d," VOUCH_STANDING("d.item_no", "<= $4")
	"  WHERE o.ctid = r.tid"
	"  RETURNING o.item_no, o.stage, o.status, o.source, o.recommended_by, true, o.from_no, o.body_no)"
	" SELECT g.stage, g.status::text, g.source, g.recommended_by, count(*), array_agg(g.item_no) FILTER (WHERE g.ended),"
	"  array_agg(g.from_no) FILTER (WHERE g.ended), array_agg(g.body_no) FILTER (WHERE g.ended)"
	" FROM (SELECT * FROM dropped UNION ALL SELECT * FROM closed) AS g GROUP BY 1, g.status, 3, 4",
	SPI_OK_SELECT, 7, {INT4OID, INT4OID, INT4OID, INT4OID, BOOLOID, BOOLOID, BOOLOID},
	.indexed = true, .guarded = true
};

/*
 * Payloads that a draft brought, but what was redacted, go before its rows do: nothing else
 * has them but what the rows that stand again stem from.
 */
static VouchStmt delete_new_bodies = {
	"DELETE FROM vouch_data.item_body b USING vouch_data.decision d,"
	" LATERAL (SELECT x.ctid AS tid FROM vouch_data.item_body x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no = d.body_no AND x.salt IS NOT NULL OFFSET 0) AS r"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.from_no = $3 AND d.from_no > 1 AND d.stage + 0 = 1"
	"  AND d.origin_no IS NULL AND b.ctid = r.tid",
	SPI_OK_DELETE, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true, .guarded = true
};

static VouchStmt delete_new = {
	"DELETE FROM vouch_data.decision WHERE bucket = $1 AND artifact_no = $2 AND from_no = $3 AND from_no > 1",
	SPI_OK_DELETE, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true, .guarded = true
};

/* The same for version 1, which is all that there is. */
static VouchStmt delete_all_bodies = {
	"DELETE FROM vouch_data.item_body WHERE bucket = $1 AND artifact_no = $2 AND salt IS NOT NULL",
	SPI_OK_DELETE, 2, {INT4OID, INT4OID}, .indexed = true, .guarded = true
};

static VouchStmt delete_all = {
	"DELETE FROM vouch_data.decision WHERE bucket = $1 AND artifact_no = $2 AND from_no + 0 = $3",
	SPI_OK_DELETE, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true, .guarded = true
};

static VouchStmt reopen_ended = {
	"UPDATE vouch_data.decision o SET to_no = 2147483647"
	" FROM vouch_data.version_ended e, unnest(e.item_nos, e.from_nos) AS t(item_no, from_no)," ENDED_ROW
	" WHERE e.bucket = $1 AND e.artifact_no = $2 AND e.version_no = $3 AND o.ctid = d.tid",
	SPI_OK_UPDATE, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true, .guarded = true
};

static VouchStmt delete_ended = {
	"DELETE FROM vouch_data.version_ended WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3",
	SPI_OK_DELETE, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true, .guarded = true
};

static VouchStmt delete_counts = {
	"DELETE FROM vouch_data.version_stat WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3",
	SPI_OK_DELETE, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true, .guarded = true
};

static VouchStmt delete_makers = {
	"DELETE FROM vouch_data.version_contributor WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3",
	SPI_OK_DELETE, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true, .guarded = true
};

static VouchStmt delete_version = {
	"DELETE FROM vouch_data.version WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3",
	SPI_OK_DELETE, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true, .guarded = true
};

static VouchStmt set_head = {
	"UPDATE vouch_data.artifact SET head_no = COALESCE((SELECT max(v.version_no) FROM vouch_data.version v"
	"  WHERE v.bucket = $1 AND v.artifact_no = $2), 0), body_no = COALESCE((SELECT max(b.body_no)"
	"  FROM vouch_data.item_body b WHERE b.bucket = $1 AND b.artifact_no = $2), 0)"
	" WHERE bucket = $1 AND artifact_no = $2",
	SPI_OK_UPDATE, 2, {INT4OID, INT4OID}, .indexed = true, .guarded = true
};

static char *
text_arg(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static const pg_uuid_t *
version_arg(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("version_id must not be null"),
				 errhint("Versions are listed by vouch.version_history(phase, cycle_id, report_id).")));
	return PG_GETARG_UUID_P(0);
}

/* Of a new version its facts; keys of the items, when they are few, as an array under "items". */
Jsonb *
vouch_revise_detail(Datum *keys, int n, const VouchNewVersion *what, int64 carried, const char *table)
{
	VouchJsonBuild build;

	vouch_json_begin(&build);
	if (table != NULL)
		vouch_json_put_text(&build, "table", table);
	if (what != NULL)
	{
		if (what->parent_no > 0)
			vouch_json_put_int(&build, "parent", what->parent_no);
		if (what->carry != NULL)
		{
			vouch_json_put_text(&build, "carry", what->carry);
			vouch_json_put_int(&build, "carried", carried);
		}
		if (what->reason != NULL)
			vouch_json_put_text(&build, "reason", what->reason);
		if (what->metadata != NULL && JB_ROOT_COUNT(what->metadata) > 0)
			vouch_json_put(&build, "metadata", what->metadata);
	}
	if (n > 0 && n <= LOGGED_ITEMS)
	{
		JsonbParseState *state = NULL;
		JsonbValue *list;

		pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		for (int i = 0; i < n; i++)
		{
			JsonbValue	v;
			text	   *key = DatumGetTextPP(keys[i]);

			v.type = jbvString;
			v.val.string.val = VARDATA_ANY(key);
			v.val.string.len = VARSIZE_ANY_EXHDR(key);
			pushJsonbValue(&state, WJB_ELEM, &v);
		}
		list = pushJsonbValue(&state, WJB_END_ARRAY, NULL);
		vouch_json_put(&build, "items", JsonbValueToJsonb(list));
	}
	return vouch_json_end(&build);
}

void
vouch_revise_log(const VouchVersion *version, const char *operation, const char *event, const char *state,
				 const char *actor, TimestampTz at, int64 n, const VouchDigest *root, Jsonb *detail)
{
	VouchOperation op = {0};

	op.bucket = version->bucket;
	op.artifact_no = version->artifact_no;
	op.version_no = version->version_no;
	op.operation = operation;
	op.rule = vouch_fsm_find(&vouch_version_machine, state, event)->rule;
	op.actor = actor;
	op.items = n;
	op.items_root = n > 0 ? root : NULL;
	op.detail = detail;
	op.at = at;
	vouch_ledger_append(&op);
}

VouchMakerHook vouch_maker_hook = NULL;

bool
vouch_revise_is_editor(const VouchVersion *version, const char *actor)
{
	const char **names;
	int			n = vouch_version_contributors(version, &names);

	for (int i = 0; i < n; i++)
		if (strcmp(names[i], actor) == 0)
			return true;
	return strcmp(version->created_by, actor) == 0 ||
		(vouch_maker_hook != NULL && vouch_maker_hook(version, actor));
}

/*
 * Who changes a draft has part in it, so it takes a part in it already, or
 * the phase's role: else anybody could have others submit what is not theirs.
 */
void
vouch_revise_check_editor(const VouchVersion *version, const char *actor)
{
	const char **names;
	int			n;
	StringInfoData list;

	if (vouch_revise_is_editor(version, actor))
		return;
	initStringInfo(&list);
	n = vouch_version_contributors(version, &names);
	for (int i = 0; i < n; i++)
		appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "", names[i]);
	ereport(ERROR,
			(errcode(VOUCH_ERR_ROLE_MISSING),
			 errmsg("\"%s\" may not edit version %d of %s \"%s\"", actor, version->version_no,
					version->phase_label, version->subject),
			 errdetail("Those may who made it (%s), and who holds the role that makes versions of %s.", list.data,
					   version->phase_label),
			 errhint("Ask one of them, or have an administrator grant the role with vouch.grant_role().")));
}

/*
 * Only who made something of a version may end it; a draft, also who may edit it: else one that somebody
 * leaves behind would be in the way of those whose work it is.
 */
static void
check_maker(const VouchVersion *version, const char *actor, const char *what)
{
	const char **names;
	int			n = vouch_version_contributors(version, &names);
	StringInfoData list;

	bool		draft = strcmp(version->state, "draft") == 0;

	if (version->submitted_by != NULL && strcmp(version->submitted_by, actor) == 0)
		return;
	if (draft && vouch_revise_is_editor(version, actor))
		return;
	initStringInfo(&list);
	for (int i = 0; i < n; i++)
	{
		if (strcmp(names[i], actor) == 0)
			return;
		appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "", names[i]);
	}
	ereport(ERROR,
			(errcode(VOUCH_ERR_ROLE_MISSING),
			 errmsg("\"%s\" may not %s version %d of %s \"%s\"", actor, what, version->version_no,
					version->phase_label, version->subject),
			 draft ? errdetail("Those may who made it (%s), and who holds the role that makes versions of %s.", list.data,
							   version->phase_label) :
			 errdetail("Only who made it may: %s.", list.data),
			 draft ? errhint("Ask one of them, or have an administrator grant the role with vouch.grant_role().") :
			 errhint("A reviewer ends a submitted version with vouch.reject_version().")));
}

/* Which of the parent's items a revision carries. */
typedef struct Carry
{
	const char *name;
	bool		nothing;
	bool		everything;
	bool		pending;		/* items that are still undecided, too */
} Carry;

static const Carry carries[] = {
	{"approved", false, false, false},
	{"undecided", false, false, true},
	{"all", false, true, true},
	{"none", true, false, false},
};

static const Carry *
read_carry(const char *name)
{
	for (int i = 0; i < lengthof(carries); i++)
		if (name != NULL && pg_strcasecmp(carries[i].name, name) == 0)
			return &carries[i];
	ereport(ERROR,
			(errcode(VOUCH_ERR_ARGUMENT),
			 errmsg("there is no carry \"%s\"", name == NULL ? "null" : name),
			 errdetail("approved carries approved items with their decision; undecided carries these and the pending ones; all carries every item; none starts empty."),
			 errhint("Pass approved, undecided, all or none.")));
	return NULL;				/* not reached */
}

static void
check_limit(const VouchVersion *parent, const VouchPhase *phase)
{
	Datum		args[2] = {Int32GetDatum(parent->bucket), Int32GetDatum(parent->artifact_no)};
	int64		made;

	if (phase->max_revisions == 0)
		return;
	vouch_stmt_run_one(&count_revisions, args, NULL);
	made = vouch_stmt_get_int64(0, 1, 0);
	if (made >= phase->max_revisions)
		ereport(ERROR,
				(errcode(VOUCH_ERR_REVISION_LIMIT),
				 errmsg("%s \"%s\" had its %d revisions", phase->label, parent->subject,
						phase->max_revisions),
				 errdetail("The phase allows %d revisions of a version, withdrawn ones not counted.",
						   phase->max_revisions),
				 errhint("Start over with vouch.create_version(), which takes a full set of items.")));
}

/* Ends in the revision what its parent, the newest version, does not hand on. */
static void
close_newest(VouchChange *change, const Carry *carry)
{
	if (carry->nothing)
		vouch_store_close_all(change);
	else if (!carry->everything)
		vouch_store_close_undone(change, carry->pending);
}

/* The same when later versions came after the parent: first back to what it shows. */
static void
close_since(VouchChange *change, const Carry *carry, int parent_no)
{
	Datum		args[7] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no),
		Int32GetDatum(change->version_no), Int32GetDatum(parent_no),
		BoolGetDatum(!carry->pending), BoolGetDatum(carry->nothing), BoolGetDatum(carry->everything)};
	uint64		rows;

	/* the counts of the parent do not have what later ones brought */
	rows = vouch_stmt_run(&close_later, args, NULL);
	for (uint64 i = 0; i < rows; i++)
		vouch_store_note_ended(change, i);
	/* what is undone is asked of the version as it was: before more is closed */
	vouch_store_count_ended(change, vouch_stmt_run(&reopen_earlier, args, NULL));
	close_newest(change, carry);
}

void
vouch_revise_put(VouchChange *change, VouchVersion *version, VouchItems *items)
{
	VouchFound *found,
			   *some;
	VouchItems	part;
	bool	   *in_place;
	int			n = 0;

	if (items->n == 0)
		return;
	found = vouch_store_find(version, 1, items->keys, items->n);
	in_place = palloc_extended(items->n, MCXT_ALLOC_HUGE);
	for (int i = 0; i < items->n; i++)
	{
		in_place[i] = version->round == 0 && found[i].from_no == version->version_no && found[i].origin_no == 0 &&
			strcmp(found[i].status, "pending") == 0;
		if (in_place[i])
			n++;
	}
	if (n == items->n)
		vouch_store_replace(change, items, found);
	else if (n == 0)
	{
		vouch_store_take_out(change, items->keys, found, items->n);
		vouch_store_insert(change, items, found);
	}
	else
	{
		part = vouch_store_some(items, found, in_place, true, &some);
		vouch_store_replace(change, &part, some);
		part = vouch_store_some(items, found, in_place, false, &some);
		vouch_store_take_out(change, part.keys, some, part.n);
		vouch_store_insert(change, &part, some);
	}
}

VouchVersion *
vouch_revise_begin(VouchVersion *parent, const VouchPhase *phase, const char *carry_name,
				   const char *reason, const char *actor, VouchNewVersion *what, VouchChange *change)
{
	const Carry *carry = read_carry(carry_name);
	VouchVersion *version;
	Datum		args[4];

	check_limit(parent, phase);
	memset(what, 0, sizeof(*what));
	what->parent_no = parent->version_no;
	what->carry = carry->name;
	what->reason = reason;
	what->metadata = parent->metadata;
	what->actor = actor;
	what->at = GetCurrentTimestamp();
	version = vouch_store_version(parent->bucket, parent->artifact_no, what);
	vouch_change_begin(change, version);
	change->at = what->at;
	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = Int32GetDatum(version->version_no);
	args[3] = Int32GetDatum(parent->version_no);
	vouch_stmt_run(&copy_counts, args, NULL);
	vouch_stmt_run(&copy_makers, args, NULL);
	if (parent->version_no == parent->head_no)
		close_newest(change, carry);
	else
		close_since(change, carry, parent->version_no);
	return version;
}

void
vouch_revise_end(VouchChange *change, const char *actor, bool made)
{
	Datum		args[4] = {Int32GetDatum(change->bucket), Int32GetDatum(change->artifact_no),
	Int32GetDatum(change->version_no), CStringGetTextDatum(actor)};

	vouch_change_maker(change, actor, 0);
	vouch_change_finish(change);
	/* in a draft that was there, one with no item left may have taken items away */
	if (change->fewer && made)
		vouch_stmt_run(&drop_makers, args, NULL);
}

/*
 * vouch.create_revision(version_id, additional_items, carry, reason, user_id)
 */
Datum
vouch_sql_create_revision(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *id = version_arg(fcinfo);
	const Carry *carry = read_carry(text_arg(fcinfo, 2));
	char	   *reason = text_arg(fcinfo, 3);
	const char *actor = vouch_actor_check(text_arg(fcinfo, 4), "user_id");
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));
	VouchPhase *phase;
	VouchItems *items;
	VouchNewVersion what;
	VouchVersion *parent,
			   *version;
	VouchChange change;
	VouchDigest root;
	int64		total;
	VouchOwnerSection section;

	vouch_check_text(reason, "reason");
	SPI_connect();
	/* items are checked before the lock is taken: it may take a while */
	phase = vouch_phase_read(vouch_version_read(id)->phase);
	items = vouch_items_parse(phase, PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1), actor, "additional_items");

	/* one section for the many statements: nothing of the caller's runs in it */
	vouch_owner_begin(&section);
	parent = vouch_version_lock(id);
	vouch_store_check_none_open(parent->bucket, parent->artifact_no, "create a revision");
	version = vouch_revise_begin(parent, phase, carry->name, reason, actor, &what, &change);
	if (items->n > 0)
		vouch_revise_put(&change, version, items);
	vouch_revise_end(&change, actor, true);

	total = vouch_version_counts(version).items;
	vouch_items_root(items, &root);
	vouch_revise_log(version, "create_revision", "create", "", actor, what.at, items->n, &root,
					 vouch_revise_detail(items->keys, items->n, &what, total - items->n, NULL));
	vouch_owner_end(&section);
	*result = version->id;
	SPI_finish();
	PG_RETURN_UUID_P(result);
}

/* vouch.edit_items(version_id, items, user_id): how many were put */
Datum
vouch_sql_edit_items(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *id = version_arg(fcinfo);
	const char *actor = vouch_actor_check(text_arg(fcinfo, 2), "user_id");
	VouchVersion *version;
	VouchItems *items;
	VouchChange change;
	VouchDigest root;
	int64		n;

	SPI_connect();
	items = vouch_items_parse(vouch_phase_read(vouch_version_read(id)->phase),
							  PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1), actor, "items");
	version = vouch_version_lock(id);
	(void) vouch_version_rule(version, "edit");
	vouch_revise_check_editor(version, actor);
	n = items->n;
	if (n > 0)
	{
		vouch_change_begin(&change, version);
		vouch_revise_put(&change, version, items);
		vouch_change_finish(&change);
		vouch_items_root(items, &root);
		vouch_revise_log(version, "edit_items", "edit", "draft", actor, change.at, n, &root,
						 vouch_replaced_tell(&change, vouch_revise_detail(items->keys, items->n, NULL, 0, NULL)));
	}
	SPI_finish();
	PG_RETURN_INT64(n);
}

/* vouch.remove_items(version_id, item_keys text[], user_id): how many were removed */
Datum
vouch_sql_remove_items(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *id = version_arg(fcinfo);
	const char *actor = vouch_actor_check(text_arg(fcinfo, 2), "user_id");
	Datum	   *keys = NULL;
	bool	   *nulls = NULL;
	int			n = 0;
	VouchVersion *version;
	VouchFound *found;
	VouchKeySet *seen;
	VouchChange change;
	VouchDigest *leaves,
				root;

	if (!PG_ARGISNULL(1))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &keys, &nulls, &n);
	SPI_connect();
	version = vouch_version_lock(id);
	(void) vouch_version_rule(version, "edit");
	vouch_revise_check_editor(version, actor);
	seen = vouch_keyset_create(n);
	for (int i = 0; i < n; i++)
	{
		text	   *key = nulls[i] ? NULL : DatumGetTextPP(keys[i]);
		int			first = key == NULL ? -1 :
			vouch_keyset_add(seen, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), i);

		if (key == NULL || first >= 0)
			ereport(ERROR,
					(errcode(key == NULL ? VOUCH_ERR_ARGUMENT : VOUCH_ERR_DUPLICATE_ITEM),
					 key == NULL ? errmsg("item key %d is null", i) :
					 errmsg("item keys %d and %d are the same \"%s\"", first, i, text_to_cstring(key)),
					 errdetail("Indexes count from 0."),
					 errhint("Name each item once; nothing was written.")));
	}
	found = vouch_store_find(version, 1, keys, n);
	leaves = palloc_extended(sizeof(VouchDigest) * Max(n, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < n; i++)
	{
		text	   *key = DatumGetTextPP(keys[i]);

		if (found[i].from_no == 0)
			ereport(ERROR,
					(errcode(VOUCH_ERR_UNKNOWN_ITEM),
					 errmsg("item key %d: version %d has no item \"%s\"", i, version->version_no,
							text_to_cstring(key)),
					 errdetail("Indexes count from 0."),
					 errhint("vouch.version_items() lists what the version has; nothing was written.")));
		vouch_digest_leaf(&leaves[i], VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	}
	if (n > 0)
	{
		vouch_change_begin(&change, version);
		vouch_store_take_out(&change, keys, found, n);
		vouch_change_maker(&change, actor, 0);
		vouch_change_finish(&change);
		vouch_digest_root(&root, leaves, n);
		vouch_revise_log(version, "remove_items", "edit", "draft", actor, change.at, n, &root,
						 vouch_replaced_tell(&change, vouch_revise_detail(keys, n, NULL, 0, NULL)));
	}
	SPI_finish();
	PG_RETURN_INT64(n);
}

/* vouch.discard_version(version_id, user_id) */
Datum
vouch_sql_discard_version(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *id = version_arg(fcinfo);
	const char *actor = vouch_actor_check(text_arg(fcinfo, 1), "user_id");
	VouchVersion *version;
	Datum		args[3];

	SPI_connect();
	version = vouch_version_lock(id);
	(void) vouch_version_rule(version, "discard");
	if (version->round > 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_VERSION_STATE),
				 errmsg("cannot discard version %d of %s \"%s\"", version->version_no,
						version->phase_label, version->subject),
				 errdetail("It was submitted, and a reviewer sent it back; what was signed stays on record."),
				 errhint("Withdraw it with vouch.withdraw_version().")));
	check_maker(version, actor, "discard");
	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = Int32GetDatum(version->version_no);
	vouch_revise_log(version, "discard", "discard", "draft", actor, 0, 0, NULL, NULL);
	vouch_stmt_run(version->version_no == 1 ? &delete_all_bodies : &delete_new_bodies, args, NULL);
	vouch_stmt_run(version->version_no == 1 ? &delete_all : &delete_new, args, NULL);
	vouch_stmt_run(&reopen_ended, args, NULL);
	vouch_stmt_run(&delete_ended, args, NULL);
	vouch_stmt_run(&delete_counts, args, NULL);
	vouch_stmt_run(&delete_makers, args, NULL);
	vouch_stmt_run(&delete_version, args, NULL);
	vouch_stmt_run(&set_head, args, NULL);
	SPI_finish();
	PG_RETURN_VOID();
}

/* vouch.withdraw_version(version_id, reason, user_id) */
Datum
vouch_sql_withdraw_version(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *id = version_arg(fcinfo);
	char	   *reason = text_arg(fcinfo, 1);
	const char *actor = vouch_actor_check(text_arg(fcinfo, 2), "user_id");
	VouchVersion *version;

	vouch_check_text(reason, "reason");
	SPI_connect();
	version = vouch_version_lock(id);
	(void) vouch_version_rule(version, "withdraw");
	check_maker(version, actor, "withdraw");
	vouch_version_apply(version, "withdraw", actor, NULL, reason, NULL);
	SPI_finish();
	PG_RETURN_VOID();
}
