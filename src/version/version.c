/*
 * version.c
 *	  Finds versions, and changes their states.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/errors.h"
#include "core/event.h"
#include "core/id.h"
#include "core/json.h"
#include "core/module.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "version/store.h"
#include "version/version.h"

static const VouchTransition transitions[] = {
	{"", "create", "draft", "V010", "A version is made, with items of its own or as a revision of another."},
	{"draft", "edit", "draft", "V020", "Items of a draft are added, replaced or removed."},
	{"draft", "submit", "pending_approval", "V030", "The items are frozen and reviewers may decide."},
	{"draft", "withdraw", "withdrawn", "V040", "Its maker gives up a draft that stays on record."},
	{"draft", "discard", "", "V045", "Its maker throws a draft away; only the log remembers it."},
	{"pending_approval", "decide", "pending_approval", "V050", "A reviewer enters verdicts on items."},
	{"pending_approval", "approve", "approved", "V060", "Signatures satisfy the policy."},
	{"pending_approval", "reject", "rejected", "V070", "A reviewer's signature rejects the version."},
	{"pending_approval", "return", "draft", "V075", "A reviewer's signature sends it back: its makers go on with it, and submit it again."},
	{"pending_approval", "withdraw", "withdrawn", "V080", "Its maker takes it back before it is decided."},
	{"pending_approval", "expire", "withdrawn", "V085", "The time that its policy gives ran out before it was decided."},
	{"approved", "supersede", "superseded", "V090", "A later version of the artifact is approved."},
	{NULL, NULL, NULL, NULL, NULL}
};

const VouchMachine vouch_version_machine = {"version", transitions};

static VouchStmt read_version = {
	"SELECT a.subject, a.phase, p.label, a.scope, a.head_no, v.parent_no, v.state::text, v.created_by,"
	" v.submitted_by, v.round, v.content_digest, v.metadata, v.carry, a.item_no, p.item_key"
	" FROM vouch_data.artifact a, vouch_data.version v, vouch_data.phase p"
	" WHERE a.bucket = $1 AND a.artifact_no = $2"
	"  AND v.bucket = $1 AND v.artifact_no = $2 AND v.version_no = $3 AND p.phase = a.phase",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true
};

static VouchStmt read_counts = {
	"SELECT status::text, sum(items)::int8 FROM vouch_data.version_stat"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND stage = $4 GROUP BY status",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, INT2OID}, .indexed = true
};

static VouchStmt read_contributors = {
	"SELECT actor FROM vouch_data.version_contributor"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 ORDER BY actor",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true
};

static VouchStmt set_submitted = {
	"UPDATE vouch_data.version SET state = 'pending_approval', submitted_by = $4, submitted_at = $5,"
	" round = round + 1, content_digest = $6"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3",
	SPI_OK_UPDATE, 6, {INT4OID, INT4OID, INT4OID, TEXTOID, TIMESTAMPTZOID, BYTEAOID},
	.indexed = true, .guarded = true
};

static VouchStmt set_closed = {
	"UPDATE vouch_data.version SET state = $4::vouch.version_state, closed_by = $5, closed_at = $6, close_reason = $7"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3",
	SPI_OK_UPDATE, 7, {INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID},
	.indexed = true, .guarded = true
};

static VouchStmt set_returned = {
	"UPDATE vouch_data.version SET state = 'draft', content_digest = NULL"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3",
	SPI_OK_UPDATE, 3, {INT4OID, INT4OID, INT4OID},
	.indexed = true, .guarded = true
};

static VouchStmt set_superseded = {
	"UPDATE vouch_data.version SET state = 'superseded', superseded_by = $4, superseded_at = $5"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3",
	SPI_OK_UPDATE, 5, {INT4OID, INT4OID, INT4OID, INT4OID, TIMESTAMPTZOID},
	.indexed = true, .guarded = true
};

static VouchStmt find_approved = {
	"SELECT version_no FROM vouch_data.version"
	" WHERE bucket = $1 AND artifact_no = $2 AND state = 'approved' AND version_no <> $3",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true
};

void
vouch_version_init(void)
{
	vouch_fsm_register(&vouch_version_machine);
}

static void
raise_unknown(const pg_uuid_t *id, bool ours)
{
	ereport(ERROR,
			(errcode(VOUCH_ERR_UNKNOWN_VERSION),
			 errmsg("there is no version \"%s\"", vouch_id_text(id)),
			 ours ? errdetail("No version has this id; it may have been a draft that was discarded.") :
			 errdetail("The id is not one of a version."),
			 errhint("Versions are listed by vouch.version_history(phase, cycle_id, report_id).")));
}

static VouchVersion *
read_one(const pg_uuid_t *id, bool lock, bool stable)
{
	VouchVersion *version;
	int			bucket,
				artifact_no,
				version_no;
	Datum		args[3];
	Datum		value;
	bool		isnull;

	if (!vouch_id_unpack_version(id, &bucket, &artifact_no, &version_no))
		raise_unknown(id, false);
	args[0] = Int32GetDatum(bucket);
	args[1] = Int32GetDatum(artifact_no);
	args[2] = Int32GetDatum(version_no);
	/* a statement of its own, so that the next one sees what others did before */
	if (lock && vouch_ledger_lock(bucket, artifact_no, true, NULL) < 0)
		raise_unknown(id, true);
	if ((stable ? vouch_stmt_run_stable(&read_version, args, NULL) : vouch_stmt_run(&read_version, args, NULL)) == 0)
		raise_unknown(id, true);

	version = palloc0(sizeof(VouchVersion));
	version->bucket = bucket;
	version->artifact_no = artifact_no;
	version->version_no = version_no;
	version->id = *id;
	version->subject = vouch_stmt_get_text(0, 1);
	version->phase = vouch_stmt_get_text(0, 2);
	version->phase_label = vouch_stmt_get_text(0, 3);
	version->scope = vouch_stmt_get_text(0, 4);
	version->head_no = vouch_stmt_get_int32(0, 5, 0);
	version->parent_no = vouch_stmt_get_int32(0, 6, 0);
	version->state = vouch_stmt_get_text(0, 7);
	version->created_by = vouch_stmt_get_text(0, 8);
	version->submitted_by = vouch_stmt_get_text(0, 9);
	version->round = vouch_stmt_get_int32(0, 10, 0);
	value = vouch_stmt_get(0, 11, &isnull);
	if (!isnull)
	{
		bytea	   *digest = DatumGetByteaPP(value);

		version->has_digest = VARSIZE_ANY_EXHDR(digest) == VOUCH_DIGEST_LEN;
		if (version->has_digest)
			memcpy(version->content_digest.bytes, VARDATA_ANY(digest), VOUCH_DIGEST_LEN);
	}
	version->metadata = DatumGetJsonbPCopy(vouch_stmt_get(0, 12, NULL));
	version->carry = vouch_stmt_get_text(0, 13);
	version->last_item_no = vouch_stmt_get_int32(0, 14, 0);
	version->item_key = vouch_stmt_get_text(0, 15);
	vouch_stmt_expect_rows(version->last_item_no);
	return version;
}

VouchVersion *
vouch_version_lock(const pg_uuid_t *id)
{
	return read_one(id, true, false);
}

VouchVersion *
vouch_version_read(const pg_uuid_t *id)
{
	return read_one(id, false, false);
}

VouchVersion *
vouch_version_show(const pg_uuid_t *id)
{
	return read_one(id, false, true);
}

VouchCounts
vouch_version_counts(const VouchVersion *version)
{
	return vouch_version_stage_counts(version, 1);
}

VouchCounts
vouch_version_stage_counts(const VouchVersion *version, int stage)
{
	VouchCounts counts = {0};
	Datum		args[4] = {Int32GetDatum(version->bucket), Int32GetDatum(version->artifact_no),
	Int32GetDatum(version->version_no), Int16GetDatum(stage)};
	uint64		rows;

	/* which items there are is what the rows of stage 1 say */
	if (stage != 1)
		counts.items = vouch_version_stage_counts(version, 1).items;
	rows = vouch_stmt_run(&read_counts, args, NULL);
	for (uint64 i = 0; i < rows; i++)
	{
		const char *status = vouch_stmt_get_text(i, 1);
		int64		n = vouch_stmt_get_int64(i, 2, 0);

		if (stage == 1)
			counts.items += n;
		if (strcmp(status, "approved") == 0)
			counts.approved = n;
		else if (strcmp(status, "rejected") == 0)
			counts.rejected = n;
		else if (strcmp(status, "needs_changes") == 0)
			counts.needs_changes = n;
	}
	counts.pending = counts.items - counts.approved - counts.rejected - counts.needs_changes;
	return counts;
}

int
vouch_version_contributors(const VouchVersion *version, const char ***names)
{
	Datum		args[3] = {Int32GetDatum(version->bucket), Int32GetDatum(version->artifact_no),
	Int32GetDatum(version->version_no)};
	uint64		n = vouch_stmt_run(&read_contributors, args, NULL);

	*names = palloc(sizeof(char *) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
		(*names)[i] = vouch_stmt_get_text(i, 1);
	return (int) n;
}

const VouchTransition *
vouch_version_rule(const VouchVersion *version, const char *event)
{
	const VouchTransition *rule = vouch_fsm_find(&vouch_version_machine, version->state, event);
	char	   *events;
	const char *hint;

	if (rule != NULL)
		return rule;
	events = vouch_fsm_events(&vouch_version_machine, version->state);
	if (strcmp(version->state, "draft") == 0 && strcmp(event, "submit") != 0)
		hint = "Submit it first with vouch.submit_version().";
	else if (strcmp(version->state, "pending_approval") == 0 &&
			 (strcmp(event, "edit") == 0 || strcmp(event, "discard") == 0))
		hint = "What was submitted is frozen: withdraw it with vouch.withdraw_version(), then make a revision.";
	else if (strcmp(version->state, "pending_approval") == 0)
		hint = "It was submitted already: vouch.explain_approval() says who is to decide.";
	else
		hint = "What is closed stays as it is: make a revision of it with vouch.create_revision().";
	ereport(ERROR,
			(errcode(VOUCH_ERR_VERSION_STATE),
			 errmsg("cannot %s version %d of %s \"%s\" in state %s", event, version->version_no,
					version->phase_label, version->subject, version->state),
			 events[0] == '\0' ? errdetail("No event leads out of state %s.", version->state) :
			 errdetail("In state %s it takes: %s.", version->state, events),
			 errhint("%s", hint)));
	return NULL;				/* not reached */
}

/* The reason and the caller's detail as one object; NULL when there is neither. */
static Jsonb *
join_detail(const char *reason, Jsonb *detail)
{
	VouchJsonBuild build;
	Jsonb	   *own;

	if (reason == NULL)
		return detail;
	vouch_json_begin(&build);
	vouch_json_put_text(&build, "reason", reason);
	own = vouch_json_end(&build);
	if (detail == NULL || !vouch_json_is_object(detail))
		return own;
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(own),
											  JsonbPGetDatum(detail)));
}

static void
tell(const VouchVersion *version, int version_no, const char *state)
{
	pg_uuid_t	id;

	if (vouch_version_changed_hook == NULL)
		return;
	vouch_id_pack_version(&id, version->bucket, version->artifact_no, version_no);
	vouch_version_changed_hook(version->bucket, &id, state);
}

/* The version that was approved so far gives way. */
static void
supersede(const VouchVersion *version, const char *actor, TimestampTz now)
{
	Datum		args[5] = {Int32GetDatum(version->bucket), Int32GetDatum(version->artifact_no),
	Int32GetDatum(version->version_no)};
	VouchOperation op = {0};
	VouchJsonBuild build;
	int			before;

	if (vouch_stmt_run(&find_approved, args, NULL) == 0)
		return;
	before = vouch_stmt_get_int32(0, 1, 0);
	args[2] = Int32GetDatum(before);
	args[3] = Int32GetDatum(version->version_no);
	args[4] = TimestampTzGetDatum(now);
	vouch_stmt_run_one(&set_superseded, args, NULL);

	vouch_json_begin(&build);
	vouch_json_put_int(&build, "superseded_by", version->version_no);
	op.bucket = version->bucket;
	op.artifact_no = version->artifact_no;
	op.version_no = before;
	op.operation = "supersede";
	op.rule = vouch_fsm_find(&vouch_version_machine, "approved", "supersede")->rule;
	op.actor = actor;
	op.detail = vouch_json_end(&build);
	op.at = now;
	vouch_ledger_append(&op);
	tell(version, before, "superseded");
}

void
vouch_version_apply(VouchVersion *version, const char *event,
					const char *actor, const char *on_behalf_of,
					const char *reason, Jsonb *detail)
{
	const VouchTransition *rule = vouch_version_rule(version, event);
	TimestampTz now = GetCurrentTimestamp();
	VouchOperation op = {0};
	VouchDigest root;
	Datum		args[7] = {Int32GetDatum(version->bucket), Int32GetDatum(version->artifact_no),
	Int32GetDatum(version->version_no)};
	char		nulls[8] = "       ";

	if (actor == NULL)
		actor = vouch_actor_current();
	if (strcmp(event, "submit") == 0)
	{
		vouch_version_content_digest(version, &root);
		args[3] = CStringGetTextDatum(actor);
		args[4] = TimestampTzGetDatum(now);
		args[5] = PointerGetDatum(vouch_digest_to_bytea(&root));
		vouch_stmt_run_one(&set_submitted, args, NULL);
		version->submitted_by = pstrdup(actor);
		version->round++;
		version->content_digest = root;
		version->has_digest = true;
	}
	else if (strcmp(event, "approve") == 0 || strcmp(event, "reject") == 0 ||
			 strcmp(event, "withdraw") == 0 || strcmp(event, "expire") == 0)
	{
		/* what it shows from now on for ever */
		vouch_version_digest(version, &root);
		if (strcmp(event, "approve") == 0)
			supersede(version, actor, now);
		args[3] = CStringGetTextDatum(rule->next);
		args[4] = CStringGetTextDatum(actor);
		args[5] = TimestampTzGetDatum(now);
		args[6] = reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason);
		nulls[6] = reason == NULL ? 'n' : ' ';
		vouch_stmt_run_one(&set_closed, args, nulls);
	}
	else if (strcmp(event, "return") == 0)
	{
		/* what the reviewers saw and said */
		vouch_version_digest(version, &root);
		vouch_stmt_run_one(&set_returned, args, NULL);
		version->has_digest = false;
	}
	else
		elog(ERROR, "vouch_version_apply() does not do \"%s\"", event);

	op.bucket = version->bucket;
	op.artifact_no = version->artifact_no;
	op.version_no = version->version_no;
	op.operation = event;
	op.rule = rule->rule;
	op.actor = actor;
	op.on_behalf_of = on_behalf_of;
	op.items = vouch_version_counts(version).items;
	op.items_root = &root;
	op.detail = join_detail(reason, detail);
	op.at = now;
	vouch_ledger_append(&op);
	version->state = rule->next;
	tell(version, version->version_no, rule->next);
}
