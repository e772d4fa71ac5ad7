/*
 * request.c
 *	  Loads a version's request with its policy, people and signatures, and
 *	  writes what signing changes.
 */
#include "postgres.h"

#include "approval/request.h"
#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "utils/builtins.h"

static const VouchTransition transitions[] = {
	{"", "submit", "open", "A010", "A version is submitted under the revision of its policy that is current then."},
	{"open", "sign", "open", "A020", "A signature is given; all of them together say what follows."},
	{"open", "satisfy", "satisfied", "A030", "The last signature that was needed is given: the version is approved in the same transaction."},
	{"open", "reject", "rejected", "A040", "A rejection that the policy lets end it: the version is rejected in the same transaction."},
	{"open", "return", "returned", "A050", "A wish for changes in a stage that may send the version back: it is a draft again."},
	{"open", "withdraw", "withdrawn", "A060", "The version is withdrawn."},
	{NULL}
};

const VouchMachine vouch_request_machine = {"request", transitions};

/* ---- loading -------------------------------------------------------------------- */

static VouchStmt load_request = {
	"SELECT round, policy, policy_revision, state::text, contributors, signatures, opened_at, closing_digest"
	" FROM vouch_data.approval_request WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3"
	" ORDER BY round DESC LIMIT 1",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true
};

static VouchStmt load_signatures = {
	"SELECT signature_no, stage_no, rule_no, role, for_group, verdict::text, signer, acting_for, signed_at, content_digest"
	" FROM vouch_data.signature WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND round = $4"
	" ORDER BY signature_no",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, INT4OID}, .indexed = true
};

static VouchStmt load_holders = {
	"SELECT actor, role, scope FROM vouch_data.role_grant"
	" WHERE role = ANY ($1) AND revoked_at IS NULL ORDER BY actor, role, scope",
	SPI_OK_SELECT, 1, {TEXTARRAYOID}
};

static VouchStmt load_delegates = {
	"SELECT delegation_id, from_actor, to_actor, role, scope FROM vouch_data.delegation"
	" WHERE role = ANY ($1) AND revoked_at IS NULL AND valid_from <= $2 AND valid_to > $2"
	" ORDER BY to_actor, from_actor, role, delegation_id",
	SPI_OK_SELECT, 2, {TEXTARRAYOID, TIMESTAMPTZOID}
};

VouchRights *
vouch_rights_load(const char *policy, int revision, TimestampTz now)
{
	VouchRights *rights;
	VouchPolicy *loaded = vouch_policy_load(policy, revision);
	Datum		args[2];

	if (loaded == NULL)
		return NULL;
	rights = palloc0(sizeof(VouchRights));
	rights->policy = loaded;
	args[0] = vouch_policy_roles(loaded);
	args[1] = TimestampTzGetDatum(now);

	rights->nholders = (int) vouch_stmt_run(&load_holders, args, NULL);
	rights->holders = palloc(sizeof(VouchHolder) * Max(rights->nholders, 1));
	for (int i = 0; i < rights->nholders; i++)
	{
		rights->holders[i].actor = vouch_stmt_get_text(i, 1);
		rights->holders[i].role = vouch_stmt_get_text(i, 2);
		rights->holders[i].scope = vouch_stmt_get_text(i, 3);
	}
	rights->ndelegates = (int) vouch_stmt_run(&load_delegates, args, NULL);
	rights->delegates = palloc(sizeof(VouchDelegate) * Max(rights->ndelegates, 1));
	for (int i = 0; i < rights->ndelegates; i++)
	{
		rights->delegates[i].id = *DatumGetUUIDP(vouch_stmt_get(i, 1, NULL));
		rights->delegates[i].from_actor = vouch_stmt_get_text(i, 2);
		rights->delegates[i].to_actor = vouch_stmt_get_text(i, 3);
		rights->delegates[i].role = vouch_stmt_get_text(i, 4);
		rights->delegates[i].scope = vouch_stmt_get_text(i, 5);
	}
	return rights;
}

static void
get_digest(uint64 row, int col, VouchDigest *digest)
{
	bool		isnull;
	Datum		value = vouch_stmt_get(row, col, &isnull);

	memset(digest, 0, sizeof(*digest));
	if (!isnull)
	{
		bytea	   *bytes = DatumGetByteaPP(value);

		if (VARSIZE_ANY_EXHDR(bytes) == VOUCH_DIGEST_LEN)
			memcpy(digest->bytes, VARDATA_ANY(bytes), VOUCH_DIGEST_LEN);
	}
}

static VouchSignVerdict
verdict_value(const char *name)
{
	if (strcmp(name, "approve") == 0)
		return VOUCH_SIGN_APPROVE;
	if (strcmp(name, "reject") == 0)
		return VOUCH_SIGN_REJECT;
	return VOUCH_SIGN_NEEDS_CHANGES;
}

static const char *
verdict_name(VouchSignVerdict verdict)
{
	switch (verdict)
	{
		case VOUCH_SIGN_APPROVE:
			return "approve";
		case VOUCH_SIGN_REJECT:
			return "reject";
		case VOUCH_SIGN_NEEDS_CHANGES:
			return "needs_changes";
	}
	return NULL;				/* not reached */
}

static void
get_signatures(VouchRequest *request)
{
	const VouchVersion *version = request->version;
	VouchCase  *input = &request->input;
	Datum		args[4];

	input->nsigned = 0;
	if (request->nsignatures == 0)
		return;
	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = Int32GetDatum(version->version_no);
	args[3] = Int32GetDatum(request->round);
	input->nsigned = (int) vouch_stmt_run(&load_signatures, args, NULL);
	input->signatures = palloc0(sizeof(VouchSigned) * Max(input->nsigned, 1));
	for (int i = 0; i < input->nsigned; i++)
	{
		VouchSigned *s = &input->signatures[i];

		s->signature_no = vouch_stmt_get_int32(i, 1, 0);
		s->stage_no = vouch_stmt_get_int32(i, 2, 0);
		s->rule_no = vouch_stmt_get_int32(i, 3, 0);
		s->role = vouch_stmt_get_text(i, 4);
		s->group = vouch_stmt_get_text(i, 5);
		s->verdict = verdict_value(vouch_stmt_get_text(i, 6));
		s->signer = vouch_stmt_get_text(i, 7);
		s->acting_for = vouch_stmt_get_text(i, 8);
		s->signed_at = DatumGetTimestampTz(vouch_stmt_get(i, 9, NULL));
		get_digest(i, 10, &s->digest);
	}
}

/* The draft's policy: what its phase says now. */
static const VouchRights *
draft_rights(VouchRequest *request, TimestampTz now)
{
	const VouchVersion *version = request->version;
	VouchPhasePolicy phase;
	VouchRights *rights = NULL;

	if (vouch_policy_of_phase(version->phase, version->scope, &phase))
	{
		request->maker_role = phase.maker_role;
		rights = vouch_rights_load(phase.policy, 0, now);
	}
	if (rights == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_NO_POLICY),
				 errmsg("no policy says how %s is approved", version->phase_label),
				 errhint("Have an administrator call vouch.set_policy('%s', ...).", version->phase)));
	return rights;
}

static void
evaluate(VouchRequest *request, TimestampTz now)
{
	VouchCase  *input = &request->input;

	input->policy = request->rights->policy;
	input->nholders = request->rights->nholders;
	input->holders = request->rights->holders;
	input->ndelegates = request->rights->ndelegates;
	input->delegates = request->rights->delegates;
	input->now = now;
	request->evaluation = vouch_evaluate(input);
}

static const char *
closed_because(const VouchVersion *version)
{
	return strcmp(version->state, "draft") == 0 ? "the version is a draft" :
		psprintf("the version is %s", version->state);
}

VouchRequest *
vouch_request_load(VouchVersion *version, const char *submitter,
				   const VouchRights *rights, TimestampTz now)
{
	VouchRequest *request = palloc0(sizeof(VouchRequest));
	VouchCase  *input = &request->input;
	bool		pending = strcmp(version->state, "pending_approval") == 0;
	Datum		args[3];

	request->version = version;
	input->scope = version->scope;
	input->creator = version->created_by;
	input->open = false;
	input->closed_because = closed_because(version);

	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = Int32GetDatum(version->version_no);
	if (strcmp(version->state, "draft") == 0 ||
		vouch_stmt_run(&load_request, args, NULL) == 0)
	{
		input->submitter = submitter;
		input->ncontributors = vouch_version_contributors(version, &input->contributors);
		input->opened_at = now;
		request->rights = draft_rights(request, now);
	}
	else
	{
		char	   *policy = vouch_stmt_get_text(0, 2);
		int			revision = vouch_stmt_get_int32(0, 3, 0);

		request->round = vouch_stmt_get_int32(0, 1, 0);
		request->state = vouch_stmt_get_text(0, 4);
		input->ncontributors = vouch_text_array_get(vouch_stmt_get(0, 5, NULL), &input->contributors);
		request->nsignatures = vouch_stmt_get_int32(0, 6, 0);
		input->opened_at = DatumGetTimestampTz(vouch_stmt_get(0, 7, NULL));
		get_digest(0, 8, &input->digest);
		input->submitter = version->submitted_by;
		input->open = pending && strcmp(request->state, "open") == 0;
		if (rights == NULL)
			rights = vouch_rights_load(policy, revision, now);
		if (rights == NULL)
			elog(ERROR, "revision %d of policy \"%s\" is missing", revision, policy);
		request->rights = rights;
		get_signatures(request);
		if (input->open && input->nsigned > 0)
			vouch_version_digest(version, &input->digest);
	}
	evaluate(request, now);
	return request;
}

void
vouch_request_refresh(VouchRequest *request, TimestampTz now)
{
	get_signatures(request);
	evaluate(request, now);
}

/* ---- writing --------------------------------------------------------------------- */

static VouchStmt insert_request = {
	"INSERT INTO vouch_data.approval_request (bucket, artifact_no, version_no, round, policy, policy_revision,"
	" state, contributors, content_digest, opened_by, opened_at, due_at, notes)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7::vouch.request_state, $8, $9, $10, $11, $12, $13)",
	SPI_OK_INSERT, 13, {INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, INT4OID, TEXTOID,
	TEXTARRAYOID, BYTEAOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID},
	.indexed = true, .guarded = true
};

static VouchStmt count_signature = {
	"UPDATE vouch_data.approval_request SET signatures = $5"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND round = $4 AND state = 'open'",
	SPI_OK_UPDATE, 5, {INT4OID, INT4OID, INT4OID, INT4OID, INT4OID},
	.indexed = true, .guarded = true
};

static VouchStmt insert_signature = {
	"INSERT INTO vouch_data.signature (bucket, artifact_no, version_no, round, signature_no, stage_no, rule_no,"
	" role, for_group, verdict, signer, acting_for, delegation_id, meaning, comment, content_digest, db_user, signed_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::vouch.signature_verdict, $11, $12, $13, $14, $15, $16, $17, $18)",
	SPI_OK_INSERT, 18, {INT4OID, INT4OID, INT4OID, INT4OID, INT4OID, INT4OID, INT4OID,
	TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, BYTEAOID, TEXTOID, TIMESTAMPTZOID},
	.indexed = true, .guarded = true
};

static VouchStmt close_request = {
	"UPDATE vouch_data.approval_request SET state = $5::vouch.request_state, closed_by = $6, closed_at = $7, closing_digest = $8"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND round = $4 AND state = 'open'",
	SPI_OK_UPDATE, 8, {INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, BYTEAOID},
	.indexed = true, .guarded = true
};

static const VouchTransition *
transition(const char *state, const char *event)
{
	const VouchTransition *t = vouch_fsm_find(&vouch_request_machine, state, event);

	if (t == NULL)
		elog(ERROR, "a request that is \"%s\" takes no event \"%s\"", state, event);
	return t;
}

static void
key_args(const VouchRequest *request, Datum *args)
{
	args[0] = Int32GetDatum(request->version->bucket);
	args[1] = Int32GetDatum(request->version->artifact_no);
	args[2] = Int32GetDatum(request->version->version_no);
	args[3] = Int32GetDatum(request->round);
}

static Datum
text_or_null(const char *value, char *null)
{
	*null = value == NULL ? 'n' : ' ';
	return value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
}

void
vouch_request_open(VouchRequest *request, const char *actor, const char *notes)
{
	const VouchVersion *version = request->version;
	const VouchPolicy *policy = request->rights->policy;
	VouchCase  *input = &request->input;
	Datum		args[13];
	char		nulls[13];
	TimestampTz due = 0;

	memset(nulls, ' ', sizeof(nulls));
	request->round = version->round;
	request->state = transition("", "submit")->next;
	request->nsignatures = 0;
	input->submitter = actor;
	input->opened_at = input->now;
	input->open = true;
	input->nsigned = 0;
	vouch_request_refresh(request, input->now);
	for (int i = 0; i < policy->nstages; i++)
	{
		TimestampTz at = request->evaluation->stages[i].due_at;

		if (at != 0 && (due == 0 || at < due))
			due = at;
	}
	key_args(request, args);
	args[4] = CStringGetTextDatum(policy->name);
	args[5] = Int32GetDatum(policy->revision);
	args[6] = CStringGetTextDatum(request->state);
	args[7] = vouch_text_array(input->contributors, input->ncontributors);
	args[8] = PointerGetDatum(vouch_digest_to_bytea(&version->content_digest));
	args[9] = CStringGetTextDatum(actor);
	args[10] = TimestampTzGetDatum(input->opened_at);
	args[11] = TimestampTzGetDatum(due);
	nulls[11] = due == 0 ? 'n' : ' ';
	args[12] = text_or_null(notes, &nulls[12]);
	(void) vouch_stmt_run(&insert_request, args, nulls);
}

static char *
digest_hex(const VouchDigest *digest)
{
	char	   *hex = palloc(2 * VOUCH_DIGEST_LEN + 1);

	for (int i = 0; i < VOUCH_DIGEST_LEN; i++)
		sprintf(hex + 2 * i, "%02x", digest->bytes[i]);
	return hex;
}

static bool
ends_request(const VouchSigning *signing)
{
	return signing->verdict != VOUCH_SIGN_APPROVE && signing->rule->veto;
}

static void
log_signature(const VouchRequest *request, const VouchSigning *signing, const VouchDigest *digest)
{
	const VouchVersion *version = request->version;
	VouchOperation op = {0};
	VouchJsonBuild detail;

	vouch_json_begin(&detail);
	vouch_json_put_int(&detail, "round", request->round);
	vouch_json_put_int(&detail, "signature", request->nsignatures);
	vouch_json_put_text(&detail, "policy", request->rights->policy->name);
	vouch_json_put_int(&detail, "revision", request->rights->policy->revision);
	vouch_json_put_text(&detail, "stage", signing->stage->name);
	vouch_json_put_int(&detail, "rule", signing->rule->rule_no);
	vouch_json_put_text(&detail, "role", signing->role);
	if (signing->group != NULL)
		vouch_json_put_text(&detail, "group", signing->group);
	vouch_json_put_text(&detail, "verdict", verdict_name(signing->verdict));
	vouch_json_put_text(&detail, "meaning", signing->rule->meaning);
	vouch_json_put_text(&detail, "content_digest", digest_hex(digest));
	if (signing->delegation != NULL)
		vouch_json_put_uuid(&detail, "delegation", &signing->delegation->id);
	if (signing->comment != NULL)
		vouch_json_put_text(&detail, "comment", signing->comment);

	op.bucket = version->bucket;
	op.artifact_no = version->artifact_no;
	op.version_no = version->version_no;
	op.operation = "sign_off";
	op.rule = transition(request->state,
						 ends_request(signing) ?
						 (signing->verdict == VOUCH_SIGN_REJECT ? "reject" : "return") : "sign")->rule;
	op.actor = signing->signer;
	op.on_behalf_of = signing->acting_for;
	op.detail = vouch_json_end(&detail);
	(void) vouch_ledger_append(&op);
}

void
vouch_request_sign(VouchRequest *request, const VouchSigning *signing, TimestampTz now)
{
	VouchCase  *input = &request->input;
	Datum		args[18];
	char		nulls[18];

	memset(nulls, ' ', sizeof(nulls));
	/* The digest was not needed before the first signature. */
	if (input->nsigned == 0)
		vouch_version_digest(request->version, &input->digest);
	request->nsignatures++;

	key_args(request, args);
	args[4] = Int32GetDatum(request->nsignatures);
	if (vouch_stmt_run(&count_signature, args, nulls) != 1)
		elog(ERROR, "the request of %s is not open", vouch_version_label(request->version));
	args[5] = Int32GetDatum(signing->stage->stage_no);
	args[6] = Int32GetDatum(signing->rule->rule_no);
	args[7] = CStringGetTextDatum(signing->role);
	args[8] = text_or_null(signing->group, &nulls[8]);
	args[9] = CStringGetTextDatum(verdict_name(signing->verdict));
	args[10] = CStringGetTextDatum(signing->signer);
	args[11] = text_or_null(signing->acting_for, &nulls[11]);
	args[12] = signing->delegation ? UUIDPGetDatum(&signing->delegation->id) : (Datum) 0;
	nulls[12] = signing->delegation ? ' ' : 'n';
	args[13] = CStringGetTextDatum(signing->rule->meaning);
	args[14] = text_or_null(signing->comment, &nulls[14]);
	args[15] = PointerGetDatum(vouch_digest_to_bytea(&input->digest));
	args[16] = CStringGetTextDatum(vouch_actor_db_user());
	args[17] = TimestampTzGetDatum(now);
	(void) vouch_stmt_run(&insert_signature, args, nulls);
	log_signature(request, signing, &input->digest);
	vouch_request_refresh(request, now);
}

/* Gives one signature that is to be given by rule now; false if there is none. */
static bool
sign_by_rule(VouchRequest *request, TimestampTz now)
{
	const VouchPolicy *policy = request->rights->policy;

	for (int i = 0; i < policy->nstages; i++)
	{
		const VouchStageResult *stage = &request->evaluation->stages[i];

		for (int r = 0; stage->open && r < stage->stage->nrules; r++)
			if (strcmp(stage->rules[r].rule->role, VOUCH_ROLE_AUTO) == 0 && !stage->rules[r].satisfied)
			{
				VouchItemsProblem problem;
				const char *other;
				VouchSigning signing = {
					.stage = stage->stage,
					.rule = stage->rules[r].rule,
					.role = VOUCH_ROLE_AUTO,
					.verdict = VOUCH_SIGN_APPROVE,
					.signer = request->input.submitter,
					.comment = psprintf("by rule of policy \"%s\", revision %d", policy->name, policy->revision)
				};

				/* Nothing is approved by rule that a person could not approve. */
				vouch_request_check_items(request, &problem);
				if (problem.code != 0 || !vouch_evaluate_auto(&request->input, &other))
					continue;
				vouch_request_sign(request, &signing, now);
				return true;
			}
	}
	return false;
}

void
vouch_request_settle(VouchRequest *request, const char *actor, const char *acting_for,
					 const char *reason, TimestampTz now)
{
	const char *event;
	const char *version_event;
	VouchJsonBuild detail;
	Datum		args[8];

	while (request->evaluation->outcome == VOUCH_OUTCOME_OPEN && sign_by_rule(request, now))
		;
	switch (request->evaluation->outcome)
	{
		case VOUCH_OUTCOME_SATISFIED:
			event = "satisfy";
			version_event = "approve";
			break;
		case VOUCH_OUTCOME_REJECTED:
			event = version_event = "reject";
			break;
		case VOUCH_OUTCOME_RETURNED:
			event = version_event = "return";
			break;
		case VOUCH_OUTCOME_OPEN:
		default:
			return;
	}

	key_args(request, args);
	args[4] = CStringGetTextDatum(transition(request->state, event)->next);
	args[5] = CStringGetTextDatum(actor);
	args[6] = TimestampTzGetDatum(now);
	args[7] = PointerGetDatum(vouch_digest_to_bytea(&request->input.digest));
	if (vouch_stmt_run(&close_request, args, NULL) != 1)
		elog(ERROR, "the request of %s is not open", vouch_version_label(request->version));

	vouch_json_begin(&detail);
	vouch_json_put_int(&detail, "round", request->round);
	vouch_json_put_text(&detail, "policy", request->rights->policy->name);
	vouch_json_put_int(&detail, "revision", request->rights->policy->revision);
	vouch_json_put_int(&detail, "signatures", request->nsignatures);
	vouch_json_put_text(&detail, "request_rule", transition(request->state, event)->rule);
	vouch_json_put_text(&detail, "content_digest", digest_hex(&request->input.digest));
	request->state = transition(request->state, event)->next;
	vouch_version_apply(request->version, version_event, actor, acting_for, reason,
						vouch_json_end(&detail));

	/* The engine may have gone on from here already: read what is so now. */
	request->version = vouch_version_read(&request->version->id);
	request->input.open = false;
	request->input.closed_because = closed_because(request->version);
	vouch_request_refresh(request, now);
}

/* ---- words --------------------------------------------------------------------------- */

char *
vouch_version_label(const VouchVersion *version)
{
	return psprintf("version %d of %s of %s%s%s%s", version->version_no, version->phase_label,
					version->subject, version->scope[0] ? " (" : "", version->scope,
					version->scope[0] ? ")" : "");
}

void
vouch_request_require_open(const VouchRequest *request, const char *verb)
{
	const VouchVersion *version = request->version;

	if (request->input.open)
		return;
	ereport(ERROR,
			(errcode(VOUCH_ERR_VERSION_STATE),
			 errmsg("cannot %s %s: it is %s%s", verb, vouch_version_label(version),
					strcmp(version->state, "draft") == 0 ? "a " : "", version->state),
			 errdetail("Only a version that is pending_approval is decided and signed."),
			 strcmp(version->state, "draft") == 0 ?
			 errhint("Submit it first: SELECT vouch.submit_version('%s').", vouch_id_text(&version->id)) :
			 errhint("Make a revision of it with vouch.create_revision(), and submit that.")));
}

static VouchStmt count_later_stages = {
	"SELECT coalesce(sum(items) FILTER (WHERE status = 'needs_changes'), 0)::bigint,"
	" coalesce(sum(items) FILTER (WHERE status = 'rejected'), 0)::bigint"
	" FROM vouch_data.version_stat WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND stage > 1",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true
};

void
vouch_request_check_items(const VouchRequest *request, VouchItemsProblem *problem)
{
	const VouchVersion *version = request->version;
	VouchItemRule rule = request->rights->policy->items;
	VouchCounts counts = vouch_version_counts(version);
	Datum		args[3];
	char	   *label = vouch_version_label(version);
	char	   *find = psprintf("SELECT * FROM vouch.version_items('%s') WHERE status",
								vouch_id_text(&version->id));

	memset(problem, 0, sizeof(*problem));
	if (counts.items == 0 && !request->rights->policy->allow_empty)
	{
		problem->code = VOUCH_ERR_UNDECIDED;
		problem->message = psprintf("%s has no items", label);
		problem->detail = psprintf("Policy \"%s\" does not let an empty version be approved.",
								   request->rights->policy->name);
		problem->hint = "Add what is to be reviewed, or withdraw the version.";
		return;
	}
	if (rule == VOUCH_ITEMS_NONE)
		return;
	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = Int32GetDatum(version->version_no);
	vouch_stmt_run_one(&count_later_stages, args, NULL);
	counts.needs_changes += vouch_stmt_get_int64(0, 1, 0);
	counts.rejected += vouch_stmt_get_int64(0, 2, 0);
	if (counts.pending + counts.needs_changes > 0)
	{
		problem->code = VOUCH_ERR_UNDECIDED;
		problem->message = psprintf("%s has items without a final verdict", label);
		problem->detail = psprintf("Items: " INT64_FORMAT ", of them pending: " INT64_FORMAT ", needing changes: " INT64_FORMAT
								   ", approved: " INT64_FORMAT ", rejected: " INT64_FORMAT ".",
								   counts.items, counts.pending, counts.needs_changes,
								   counts.approved, counts.rejected);
		problem->hint = psprintf("Find them with %s IN ('pending', 'needs_changes'); decide them with vouch.decide().",
								 find);
	}
	else if (rule == VOUCH_ITEMS_ALL_APPROVED && counts.rejected > 0)
	{
		problem->code = VOUCH_ERR_REJECTED_ITEMS;
		problem->message = psprintf("%s has rejected items", label);
		problem->detail = psprintf("Policy \"%s\" wants every item approved; items: " INT64_FORMAT
								   ", of them rejected: " INT64_FORMAT ".", request->rights->policy->name,
								   counts.items, counts.rejected);
		problem->hint = psprintf("Find them with %s = 'rejected'; reject the version, or approve them.", find);
	}
}

char *
vouch_request_who(const VouchRequest *request)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < request->rights->policy->nstages; i++)
		for (int r = 0; r < request->rights->policy->stages[i].nrules; r++)
		{
			const VouchRuleResult *rule = &request->evaluation->stages[i].rules[r];
			char	   *who = vouch_evaluate_who(rule, true);

			if (who[0] != '\0')
				appendStringInfo(&buf, "%s%s: %s", buf.len > 0 ? "; " : "", rule->rule->role, who);
		}
	return buf.data;
}

static Jsonb *
signature_to_json(const VouchSigned *s, const VouchPolicy *policy)
{
	VouchJsonBuild build;

	vouch_json_begin(&build);
	for (int i = 0; i < policy->nstages; i++)
		if (policy->stages[i].stage_no == s->stage_no)
			vouch_json_put_text(&build, "stage", policy->stages[i].name);
	vouch_json_put_text(&build, "role", s->role);
	vouch_json_put_text(&build, "verdict", verdict_name(s->verdict));
	vouch_json_put_text(&build, "signer", s->signer);
	vouch_json_put_text(&build, "on_behalf_of", s->acting_for);
	vouch_json_put_time(&build, "signed_at", s->signed_at);
	vouch_json_put_bool(&build, "stale", s->stale);
	return vouch_json_end(&build);
}

/*
 * signed and missing are the roles, for a workflow to look at; signatures and
 * waiting_for say more.
 */
Jsonb *
vouch_request_to_json(const VouchRequest *request)
{
	const VouchVersion *version = request->version;
	const VouchPolicy *policy = request->rights->policy;
	const VouchCase *input = &request->input;
	VouchJsonBuild build;
	int			nrules = 0;
	const char **signed_roles,
			  **missing_roles;
	Jsonb	  **signatures,
			  **waiting;
	int			nroles = 0,
				nmissing = 0,
				nwaiting = 0;

	for (int i = 0; i < policy->nstages; i++)
		nrules += policy->stages[i].nrules;
	signed_roles = palloc(sizeof(char *) * Max(nrules, 1));
	missing_roles = palloc(sizeof(char *) * Max(nrules, 1));
	waiting = palloc(sizeof(Jsonb *) * Max(nrules, 1));
	signatures = palloc(sizeof(Jsonb *) * Max(input->nsigned, 1));
	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
		{
			const VouchRuleResult *rule = &request->evaluation->stages[i].rules[r];
			VouchJsonBuild one;

			if (rule->satisfied)
			{
				signed_roles[nroles++] = rule->rule->role;
				continue;
			}
			missing_roles[nmissing++] = rule->rule->role;
			if (!input->open)
				continue;
			vouch_json_begin(&one);
			vouch_json_put_text(&one, "stage", policy->stages[i].name);
			vouch_json_put_text(&one, "role", rule->rule->role);
			vouch_json_put_int(&one, "needed", rule->needed);
			vouch_json_put_int(&one, "have", rule->have);
			vouch_json_put_bool(&one, "open", request->evaluation->stages[i].open);
			vouch_json_put_text(&one, "who", vouch_evaluate_who(rule, request->evaluation->stages[i].open));
			waiting[nwaiting++] = vouch_json_end(&one);
		}
	for (int i = 0; i < input->nsigned; i++)
		signatures[i] = signature_to_json(&input->signatures[i], policy);

	vouch_json_begin(&build);
	vouch_json_put_uuid(&build, "version_id", &version->id);
	vouch_json_put_int(&build, "version_number", version->version_no);
	vouch_json_put_text(&build, "phase", version->phase);
	vouch_json_put_text(&build, "state", version->state);
	vouch_json_put_text(&build, "policy", policy->name);
	vouch_json_put_int(&build, "policy_revision", policy->revision);
	vouch_json_put_int(&build, "round", request->round);
	vouch_json_put(&build, "signed", vouch_json_strings(signed_roles, nroles));
	vouch_json_put(&build, "missing", vouch_json_strings(missing_roles, nmissing));
	vouch_json_put(&build, "signatures", vouch_json_array(signatures, input->nsigned));
	vouch_json_put(&build, "waiting_for", vouch_json_array(waiting, nwaiting));
	return vouch_json_end(&build);
}
