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
#include "utils/array.h"
#include "utils/builtins.h"

static const VouchTransition transitions[] = {
	{"", "submit", "open", "A010", "A version is submitted under the revision of its policy that is current then."},
	{"open", "sign", "open", "A020", "A signature is given; all of them together say what follows."},
	{"open", "carry", "open", "A022", "A signature of the round before is repeated: what it is for has not changed."},
	{"open", "revoke", "open", "A025", "A signer takes a signature back."},
	{"open", "satisfy", "satisfied", "A030", "The last signature that was needed is given: the version is approved in the same transaction."},
	{"open", "reject", "rejected", "A040", "A rejection that the policy lets end it: the version is rejected in the same transaction."},
	{"open", "return", "returned", "A050", "A wish for changes in a stage that may send the version back: it is a draft again."},
	{"open", "withdraw", "withdrawn", "A060", "The version is withdrawn."},
	{"open", "expire", "expired", "A070", "A stage was not signed in the time that the policy gives: the version is withdrawn in the same transaction. Time never approves."},
	{"open", "remind", "open", "A080", "Signatures are missing, and it is time to say so."},
	{"open", "overdue", "open", "A082", "A stage was not signed by its due date, which is only said."},
	{"open", "escalate", "open", "A084", "A stage was not signed in time, and the role that its policy names may sign it, too."},
	{NULL}
};

const VouchMachine vouch_request_machine = {"request", transitions};

/* ---- loading -------------------------------------------------------------------- */

static VouchStmt load_request = {
	"SELECT round, policy, policy_revision, state::text, contributors, signatures, opened_at, closing_digest,"
	" asked, closing_parts, next_at, closed_at"
	" FROM vouch_data.approval_request WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3"
	" ORDER BY round DESC LIMIT 1",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true
};

static VouchStmt load_signatures = {
	"SELECT signature_no, stage_no, rule_no, role, for_group, verdict::text, signer, acting_for, signed_at,"
	" coalesce(scope_digest, content_digest), revokes, from_version_no, from_round, from_signature_no"
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

static VouchStmt lock_delegations = {
	"SELECT FROM vouch_data.delegation WHERE to_actor = $1 AND revoked_at IS NULL FOR SHARE",
	SPI_OK_SELECT, 1, {TEXTOID}, .indexed = true
};

static VouchStmt lock_grants = {
	"SELECT FROM vouch_data.role_grant WHERE revoked_at IS NULL AND actor = ANY (ARRAY(SELECT $1 UNION ALL"
	" SELECT d.from_actor FROM vouch_data.delegation d WHERE d.to_actor = $1 AND d.revoked_at IS NULL)) FOR SHARE",
	SPI_OK_SELECT, 1, {TEXTOID}, .indexed = true
};

void
vouch_rights_lock(const char *actor)
{
	Datum		args[1] = {CStringGetTextDatum(actor)};

	(void) vouch_stmt_run(&lock_delegations, args, NULL);
	(void) vouch_stmt_run(&lock_grants, args, NULL);
}

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
	qsort(rights->holders, rights->nholders, sizeof(VouchHolder), vouch_compare_holders);
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
	if (strcmp(name, "revoke") == 0)
		return VOUCH_SIGN_REVOKE;
	return VOUCH_SIGN_NEEDS_CHANGES;
}

const char *
vouch_verdict_name(VouchSignVerdict verdict)
{
	switch (verdict)
	{
		case VOUCH_SIGN_APPROVE:
			return "approve";
		case VOUCH_SIGN_REJECT:
			return "reject";
		case VOUCH_SIGN_NEEDS_CHANGES:
			return "needs_changes";
		case VOUCH_SIGN_REVOKE:
			return "revoke";
	}
	return NULL;				/* not reached */
}

int
vouch_request_signatures(const VouchVersion *version, int version_no, int round, VouchSigned **signatures)
{
	Datum		args[4] = {Int32GetDatum(version->bucket), Int32GetDatum(version->artifact_no),
	Int32GetDatum(version_no), Int32GetDatum(round)};
	int			n = (int) vouch_stmt_run(&load_signatures, args, NULL);

	*signatures = palloc0(sizeof(VouchSigned) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		VouchSigned *s = &(*signatures)[i];

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
		s->revokes = vouch_stmt_get_int32(i, 11, 0);
		s->from_version = vouch_stmt_get_int32(i, 12, 0);
		s->from_round = vouch_stmt_get_int32(i, 13, 0);
		s->from_signature = vouch_stmt_get_int32(i, 14, 0);
	}
	return n;
}

static void
get_signatures(VouchRequest *request)
{
	request->input.nsigned = request->nsignatures == 0 ? 0 :
		vouch_request_signatures(request->version, request->version->version_no, request->round,
								 &request->input.signatures);
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
				 errdetail("Neither the phase nor its scope \"%s\" has one.", version->scope),
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

static void
set_asked(VouchRequest *request, VouchAsked *asked)
{
	VouchCase  *input = &request->input;

	request->asked = asked;
	input->asked = asked;
	input->nparts = vouch_asked_parts(request->rights->policy, asked, &request->parts);
	input->digests = palloc0(sizeof(VouchDigest) * input->nparts);
}

void
vouch_request_measure(VouchRequest *request)
{
	VouchCase  *input = &request->input;

	if (request->measured)
		return;
	if (input->nparts == 1 || request->version->has_shown)
	{
		vouch_version_digest(request->version, &request->parts[0].digest);
		if (input->nparts > 1)
			(void) vouch_version_measure(request->version, request->parts + 1, input->nparts - 1);
	}
	else
	{
		/* The whole is a part as well: all in one pass. */
		(void) vouch_version_measure(request->version, request->parts, input->nparts);
		request->version->shown = request->parts[0].digest;
		request->version->has_shown = true;
	}
	for (int i = 0; i < input->nparts; i++)
		input->digests[i] = request->parts[i].digest;
	request->measured = true;
}

/* What the parts were when the request was closed. */
static void
get_closing_digests(VouchRequest *request, const VouchDigest *whole, Datum parts, bool isnull)
{
	VouchCase  *input = &request->input;
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	input->digests[0] = *whole;
	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(parts), BYTEAOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n && i + 1 < input->nparts; i++)
	{
		bytea	   *bytes = nulls[i] ? NULL : DatumGetByteaPP(elements[i]);

		if (bytes != NULL && VARSIZE_ANY_EXHDR(bytes) == VOUCH_DIGEST_LEN)
			memcpy(input->digests[i + 1].bytes, VARDATA_ANY(bytes), VOUCH_DIGEST_LEN);
	}
}

static Datum
parts_to_array(const VouchRequest *request, char *null)
{
	const VouchCase *input = &request->input;
	Datum	   *elements = palloc(sizeof(Datum) * input->nparts);

	*null = input->nparts == 1 ? 'n' : ' ';
	for (int i = 1; i < input->nparts; i++)
		elements[i - 1] = PointerGetDatum(vouch_digest_to_bytea(&input->digests[i]));
	return PointerGetDatum(construct_array(elements, input->nparts - 1, BYTEAOID, -1, false, TYPALIGN_INT));
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
		set_asked(request, vouch_asked_find(version, request->rights->policy));
	}
	else
	{
		char	   *policy = vouch_stmt_get_text(0, 2);
		int			revision = vouch_stmt_get_int32(0, 3, 0);
		VouchDigest closing;
		Datum		asked,
					parts;
		bool		plain,
					no_parts,
					no_time;
		TimestampTz closed_at;

		request->round = vouch_stmt_get_int32(0, 1, 0);
		request->state = vouch_stmt_get_text(0, 4);
		input->ncontributors = vouch_text_array_get(vouch_stmt_get(0, 5, NULL), &input->contributors);
		request->nsignatures = vouch_stmt_get_int32(0, 6, 0);
		input->opened_at = DatumGetTimestampTz(vouch_stmt_get(0, 7, NULL));
		get_digest(0, 8, &closing);
		asked = vouch_stmt_get(0, 9, &plain);
		request->asked_json = plain ? NULL : DatumGetJsonbPCopy(asked);
		parts = vouch_stmt_get(0, 10, &no_parts);
		if (!no_parts)
			parts = PointerGetDatum(DatumGetArrayTypePCopy(parts));
		request->next_at = vouch_stmt_get_int64(0, 11, 0);
		closed_at = DatumGetTimestampTz(vouch_stmt_get(0, 12, &no_time));
		input->submitter = version->submitted_by;
		input->open = pending && strcmp(request->state, "open") == 0;
		if (rights == NULL)
			rights = vouch_rights_load(policy, revision, now);
		if (rights == NULL)
			elog(ERROR, "revision %d of policy \"%s\" is missing", revision, policy);
		request->rights = rights;
		set_asked(request, vouch_asked_from_json(rights->policy, request->asked_json));
		get_signatures(request);
		if (input->open && input->nsigned > 0)
			vouch_request_measure(request);
		else if (!input->open)
			get_closing_digests(request, &closing, parts, no_parts);
		/* What is closed stays as it was judged then. */
		if (!no_time)
			now = closed_at;
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
	" state, contributors, content_digest, opened_by, opened_at, due_at, notes, asked)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7::vouch.request_state, $8, $9, $10, $11, $12, $13, $14)",
	SPI_OK_INSERT, 14, {INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, INT4OID, TEXTOID,
	TEXTARRAYOID, BYTEAOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, JSONBOID},
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
	" role, for_group, verdict, signer, acting_for, delegation_id, meaning, comment, content_digest, db_user, signed_at,"
	"  scope_digest, revokes, from_version_no, from_round, from_signature_no, logged_in_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::vouch.signature_verdict, $11, $12, $13, $14, $15, $16, $17, $18,"
	"  $19, $20, $21, $22, $23, $24)",
	SPI_OK_INSERT, 24, {INT4OID, INT4OID, INT4OID, INT4OID, INT4OID, INT4OID, INT4OID,
	TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, BYTEAOID, TEXTOID, TIMESTAMPTZOID,
	BYTEAOID, INT4OID, INT4OID, INT4OID, INT4OID, TIMESTAMPTZOID},
	.indexed = true, .guarded = true
};

static VouchStmt close_request = {
	"UPDATE vouch_data.approval_request SET state = $5::vouch.request_state, closed_by = $6, closed_at = $7, closing_digest = $8,"
	"  closing_parts = $9, next_at = NULL"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND round = $4 AND state = 'open'",
	SPI_OK_UPDATE, 9, {INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, BYTEAOID, BYTEAARRAYOID},
	.indexed = true, .guarded = true
};

const VouchTransition *
vouch_request_transition(const char *state, const char *event)
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

Jsonb *
vouch_request_begin(VouchRequest *request, const char *actor)
{
	const VouchPolicy *policy = request->rights->policy;
	VouchCase  *input = &request->input;
	VouchJsonBuild detail;

	request->round = request->version->round + 1;
	request->state = vouch_request_transition("", "submit")->next;
	request->nsignatures = 0;
	input->submitter = actor;
	input->opened_at = input->now;
	input->open = true;
	input->nsigned = 0;
	vouch_request_refresh(request, input->now);
	request->due_at = 0;
	for (int i = 0; i < policy->nstages; i++)
	{
		TimestampTz at = request->evaluation->stages[i].due_at;

		if (at != 0 && (request->due_at == 0 || at < request->due_at))
			request->due_at = at;
	}
	request->asked_json = vouch_asked_to_json(policy, request->asked);

	vouch_json_begin(&detail);
	vouch_json_put_int(&detail, "round", request->round);
	vouch_json_put_text(&detail, "policy", policy->name);
	vouch_json_put_int(&detail, "revision", policy->revision);
	vouch_json_put(&detail, "contributors", vouch_json_strings(input->contributors, input->ncontributors));
	vouch_json_put_time(&detail, "opened_at", input->opened_at);
	if (request->due_at != 0)
		vouch_json_put_time(&detail, "due_at", request->due_at);
	if (request->asked_json != NULL)
		vouch_json_put(&detail, "asked", request->asked_json);
	return vouch_json_end(&detail);
}

void
vouch_request_open(VouchRequest *request, const char *actor, const char *notes)
{
	const VouchVersion *version = request->version;
	const VouchPolicy *policy = request->rights->policy;
	VouchCase  *input = &request->input;
	Datum		args[14];
	char		nulls[14];

	memset(nulls, ' ', sizeof(nulls));
	key_args(request, args);
	args[4] = CStringGetTextDatum(policy->name);
	args[5] = Int32GetDatum(policy->revision);
	args[6] = CStringGetTextDatum(request->state);
	args[7] = vouch_text_array(input->contributors, input->ncontributors);
	args[8] = PointerGetDatum(vouch_digest_to_bytea(&version->content_digest));
	args[9] = CStringGetTextDatum(actor);
	args[10] = TimestampTzGetDatum(input->opened_at);
	args[11] = TimestampTzGetDatum(request->due_at);
	nulls[11] = request->due_at == 0 ? 'n' : ' ';
	args[12] = text_or_null(notes, &nulls[12]);
	args[13] = request->asked_json ? JsonbPGetDatum(request->asked_json) : (Datum) 0;
	nulls[13] = request->asked_json ? ' ' : 'n';
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

/* The event of a signature for the request. */
static const char *
event_of(const VouchSigning *signing)
{
	if (signing->revokes != NULL)
		return "revoke";
	if (signing->carried != NULL)
		return "carry";
	if (signing->verdict == VOUCH_SIGN_APPROVE || !signing->rule->veto)
		return "sign";
	return signing->verdict == VOUCH_SIGN_REJECT ? "reject" : "return";
}

static void
log_signature(const VouchRequest *request, const VouchSigning *signing, const char *actor, int part,
			  TimestampTz now)
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
	vouch_json_put_text(&detail, "verdict", vouch_verdict_name(signing->verdict));
	vouch_json_put_text(&detail, "meaning", signing->rule->meaning);
	vouch_json_put_text(&detail, "content_digest", digest_hex(&request->input.digests[0]));
	if (part > 0)
	{
		if (!vouch_part_is_whole(&request->parts[part]))
			vouch_json_put_text(&detail, "items", vouch_part_text(&request->parts[part]));
		vouch_json_put_text(&detail, "scope_digest", digest_hex(&request->input.digests[part]));
	}
	if (signing->delegation != NULL)
		vouch_json_put_uuid(&detail, "delegation", &signing->delegation->id);
	if (signing->comment != NULL)
		vouch_json_put_text(&detail, "comment", signing->comment);
	if (signing->logged_in_at != 0)
		vouch_json_put_time(&detail, "logged_in_at", signing->logged_in_at);
	if (signing->revokes != NULL)
		vouch_json_put_int(&detail, "revokes", signing->revokes->signature_no);
	if (signing->carried != NULL)
	{
		vouch_json_put_text(&detail, "signer", signing->signer);
		vouch_json_put_text(&detail, "acting_for", signing->acting_for);
		vouch_json_put_int(&detail, "from_version", signing->carried->from_version);
		vouch_json_put_int(&detail, "from_round", signing->carried->from_round);
		vouch_json_put_int(&detail, "from_signature", signing->carried->signature_no);
	}

	op.bucket = version->bucket;
	op.artifact_no = version->artifact_no;
	op.version_no = version->version_no;
	op.operation = signing->revokes != NULL ? "revoke_signature" :
		signing->carried != NULL ? "carry_signature" : "sign_off";
	op.rule = vouch_request_transition(request->state, event_of(signing))->rule;
	op.actor = actor;
	op.on_behalf_of = signing->carried != NULL ? NULL : signing->acting_for;
	op.detail = vouch_json_end(&detail);
	op.at = now;
	(void) vouch_ledger_append(&op);
}

static Datum
int_or_null(int value, char *null)
{
	*null = value == 0 ? 'n' : ' ';
	return Int32GetDatum(value);
}

void
vouch_request_write_signature(VouchRequest *request, const VouchSigning *signing, const char *actor, TimestampTz now)
{
	VouchCase  *input = &request->input;
	int			part = vouch_request_part(request, signing->rule, signing->group);
	const VouchSigned *carried = signing->carried;
	Datum		args[24];
	char		nulls[24];

	memset(nulls, ' ', sizeof(nulls));
	/* Not needed before the first signature. */
	vouch_request_measure(request);
	request->nsignatures++;

	key_args(request, args);
	args[4] = Int32GetDatum(request->nsignatures);
	if (vouch_stmt_run(&count_signature, args, nulls) != 1)
		elog(ERROR, "the request of %s is not open", vouch_version_label(request->version));
	args[5] = Int32GetDatum(signing->stage->stage_no);
	args[6] = Int32GetDatum(signing->rule->rule_no);
	args[7] = CStringGetTextDatum(signing->role);
	args[8] = text_or_null(signing->group, &nulls[8]);
	args[9] = CStringGetTextDatum(vouch_verdict_name(signing->verdict));
	args[10] = CStringGetTextDatum(signing->signer);
	args[11] = text_or_null(signing->acting_for, &nulls[11]);
	args[12] = signing->delegation ? UUIDPGetDatum(&signing->delegation->id) : (Datum) 0;
	nulls[12] = signing->delegation ? ' ' : 'n';
	args[13] = CStringGetTextDatum(signing->rule->meaning);
	args[14] = text_or_null(signing->comment, &nulls[14]);
	args[15] = PointerGetDatum(vouch_digest_to_bytea(&input->digests[0]));
	args[16] = CStringGetTextDatum(vouch_actor_db_user());
	args[17] = TimestampTzGetDatum(carried != NULL ? carried->signed_at : now);
	args[18] = PointerGetDatum(vouch_digest_to_bytea(&input->digests[part]));
	nulls[18] = part > 0 ? ' ' : 'n';
	args[19] = int_or_null(signing->revokes ? signing->revokes->signature_no : 0, &nulls[19]);
	args[20] = int_or_null(carried ? carried->from_version : 0, &nulls[20]);
	args[21] = int_or_null(carried ? carried->from_round : 0, &nulls[21]);
	args[22] = int_or_null(carried ? carried->signature_no : 0, &nulls[22]);
	args[23] = TimestampTzGetDatum(signing->logged_in_at);
	nulls[23] = signing->logged_in_at == 0 ? 'n' : ' ';
	(void) vouch_stmt_run(&insert_signature, args, nulls);
	log_signature(request, signing, actor, part, now);
}

void
vouch_request_sign(VouchRequest *request, const VouchSigning *signing, const char *actor, TimestampTz now)
{
	vouch_request_write_signature(request, signing, actor, now);
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
				vouch_request_check_items(request, signing.rule, NULL, &problem);
				if (problem.code != 0 || !vouch_evaluate_auto(&request->input, &other))
					continue;
				vouch_request_sign(request, &signing, signing.signer, now);
				return true;
			}
	}
	return false;
}

void
vouch_request_close(VouchRequest *request, const char *event, const char *actor,
					const char *acting_for, const char *reason, TimestampTz now)
{
	const char *version_event = strcmp(event, "satisfy") == 0 ? "approve" : event;
	VouchJsonBuild detail;
	Datum		args[9];
	char		nulls[9];

	memset(nulls, ' ', sizeof(nulls));
	vouch_request_measure(request);
	key_args(request, args);
	args[4] = CStringGetTextDatum(vouch_request_transition(request->state, event)->next);
	args[5] = CStringGetTextDatum(actor);
	args[6] = TimestampTzGetDatum(now);
	args[7] = PointerGetDatum(vouch_digest_to_bytea(&request->input.digests[0]));
	args[8] = parts_to_array(request, &nulls[8]);
	if (vouch_stmt_run(&close_request, args, nulls) != 1)
		elog(ERROR, "the request of %s is not open", vouch_version_label(request->version));

	vouch_json_begin(&detail);
	vouch_json_put_int(&detail, "round", request->round);
	vouch_json_put_text(&detail, "policy", request->rights->policy->name);
	vouch_json_put_int(&detail, "revision", request->rights->policy->revision);
	vouch_json_put_int(&detail, "signatures", request->nsignatures);
	vouch_json_put_text(&detail, "request_rule", vouch_request_transition(request->state, event)->rule);
	vouch_json_put_text(&detail, "content_digest", digest_hex(&request->input.digests[0]));
	if (request->input.nparts > 1)
	{
		const char **parts = palloc(sizeof(char *) * request->input.nparts);

		for (int i = 1; i < request->input.nparts; i++)
			parts[i - 1] = digest_hex(&request->input.digests[i]);
		vouch_json_put(&detail, "parts", vouch_json_strings(parts, request->input.nparts - 1));
	}
	vouch_json_put_time(&detail, "closed_at", now);
	request->state = vouch_request_transition(request->state, event)->next;
	vouch_version_apply(request->version, version_event, actor, acting_for, reason,
						vouch_json_end(&detail));

	/* The engine may have gone on from here already: read what is so now. */
	request->version = vouch_version_read(&request->version->id);
	request->input.open = false;
	request->input.closed_because = closed_because(request->version);
	vouch_request_refresh(request, now);
}

/*
 * The signatures that are needed look at all items between them: the check at submission sees to
 * that.  Should they not, for whatever reason, nothing is approved with an item undecided.
 */
static void
require_all_decided(VouchRequest *request)
{
	VouchItemsProblem problem;

	vouch_request_check_part(request, 0, &problem);
	if (problem.code != 0)
		ereport(ERROR,
				(errcode(problem.code),
				 errmsg("%s", problem.message),
				 errdetail("%s", problem.detail),
				 errhint("%s", problem.hint)));
}

void
vouch_request_settle(VouchRequest *request, const char *actor, const char *acting_for,
					 const char *reason, TimestampTz now)
{
	while (request->evaluation->outcome == VOUCH_OUTCOME_OPEN &&
		   (sign_by_rule(request, now) || vouch_carry_now(request, actor, now)))
		;
	switch (request->evaluation->outcome)
	{
		case VOUCH_OUTCOME_SATISFIED:
			require_all_decided(request);
			vouch_request_close(request, "satisfy", actor, acting_for, reason, now);
			break;
		case VOUCH_OUTCOME_REJECTED:
			vouch_request_close(request, "reject", actor, acting_for, reason, now);
			break;
		case VOUCH_OUTCOME_RETURNED:
			vouch_request_close(request, "return", actor, acting_for, reason, now);
			break;
		case VOUCH_OUTCOME_OPEN:
		case VOUCH_OUTCOME_EXPIRED: /* what time ends, vouch.process_deadlines() ends */
			vouch_request_schedule(request);
			break;
	}
}
