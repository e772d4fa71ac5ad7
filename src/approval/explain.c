/*
 * explain.c
 *	  Says who can act, who cannot and why, and what waits for whom: the
 *	  evaluation, shown.
 */
#include "postgres.h"

#include "approval/request.h"
#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/stmt.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

VOUCH_FUNCTION(vouch_sql_explain_approval);
VOUCH_FUNCTION(vouch_sql_pending_rules);
VOUCH_FUNCTION(vouch_sql_version_digest);
VOUCH_FUNCTION(vouch_sql_open_signatures);

/* ---- explain_approval ------------------------------------------------------------ */

/* Stable: see the comment on vouch.explain_approval(). */
static const char *
reason_of(VouchWhy why)
{
	switch (why)
	{
		case VOUCH_WHY_CAN:
			return "can_sign";
		case VOUCH_WHY_SCOPE:
			return "scope";
		case VOUCH_WHY_NOT_DELEGABLE:
			return "not_delegable";
		case VOUCH_WHY_PRINCIPAL:
			return "delegation";
		case VOUCH_WHY_NOT_ASKED:
			return "not_asked";
		case VOUCH_WHY_DUTIES:
			return "duties";
		case VOUCH_WHY_ROLE:
			return "role";
		case VOUCH_WHY_SIGNED:
			return "signed";
		case VOUCH_WHY_SIGNED_FOR:
			return "signed_for";
		case VOUCH_WHY_OTHER_SIGNER:
			return "other_signer";
		case VOUCH_WHY_CLOSED:
			return "closed";
		case VOUCH_WHY_STAGE:
			return "stage";
		case VOUCH_WHY_SATISFIED:
			return "complete";
	}
	return NULL;				/* not reached */
}

/* What a row says of somebody, or of nobody. */
typedef struct Said
{
	const char *actor;			/* or NULL */
	const char *acting_for;		/* or NULL */
	const char *reason;
	const char *why;
	const VouchSigned *signature;	/* or NULL */
	const char *items;			/* or NULL: all */
} Said;

#define EXPLAIN_COLUMNS 12

static void
put_row(ReturnSetInfo *rsinfo, const VouchStageResult *stage, const VouchRuleResult *rule, const Said *said)
{
	Datum		values[EXPLAIN_COLUMNS];
	bool		nulls[EXPLAIN_COLUMNS] = {false};
	const char *actor = said->acting_for != NULL ? psprintf("%s (for %s)", said->actor, said->acting_for) : said->actor;

	values[0] = Int32GetDatum(stage->stage->stage_no);
	values[1] = CStringGetTextDatum(stage->stage->name);
	values[2] = CStringGetTextDatum(rule->rule->role);
	values[3] = Int32GetDatum(rule->needed);
	values[4] = Int32GetDatum(rule->have);
	nulls[5] = actor == NULL;
	values[5] = actor ? CStringGetTextDatum(actor) : (Datum) 0;
	values[6] = BoolGetDatum(strcmp(said->reason, "can_sign") == 0);
	values[7] = CStringGetTextDatum(said->why);
	nulls[8] = said->signature == NULL;
	values[8] = said->signature ? TimestampTzGetDatum(said->signature->signed_at) : (Datum) 0;
	nulls[9] = said->items == NULL;
	values[9] = said->items ? CStringGetTextDatum(said->items) : (Datum) 0;
	values[10] = CStringGetTextDatum(said->reason);
	nulls[11] = said->acting_for == NULL;
	values[11] = said->acting_for ? CStringGetTextDatum(said->acting_for) : (Datum) 0;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Which items a person's signature is for, or would be: NULL for all. */
static const char *
items_of(const VouchRequest *request, const VouchRuleResult *rule, const VouchCandidate *c)
{
	const char *group = c == NULL ? NULL : c->signature != NULL && c->group == NULL ? c->signature->group : c->group;
	VouchPart	all = {.filter = rule->rule->scope};

	if (rule->rule->group_by != NULL && group == NULL)
		return vouch_part_text(&all);
	return rule->asked->applies ?
		vouch_part_text(&request->parts[vouch_asked_part(rule->asked, group)]) : vouch_part_text(&all);
}

static const char *
why_of(const VouchRuleResult *rule, const VouchCandidate *c)
{
	const char *why = c->text;

	if (c->why == VOUCH_WHY_CAN && strcmp(c->role, rule->rule->role) != 0)
		why = psprintf("%s as %s: the stage has escalated", why, c->role);
	if (c->why == VOUCH_WHY_CAN && rule->rule->reauth_max_age >= 0)
		why = psprintf("%s, in a session of their own, at most %s after logging in", why,
					   vouch_time_words(rule->rule->reauth_max_age));
	if (c->way_out != NULL)
		why = psprintf("%s; %s", why, c->way_out);
	if (c->signature == NULL || c->why == VOUCH_WHY_CAN)
		return why;
	if (c->signature->revoked)
		return psprintf("%s; the signature was revoked", why);
	if (c->signature->expired)
		return psprintf("%s; the signature has run out", why);
	if (c->signature->stale)
		return psprintf("%s; verdicts have changed since the signature, so it does not count", why);
	if (c->signature->overtaken)
		return psprintf("%s; the signature was given before that, so it does not count", why);
	if (!c->signature->counts)
		return psprintf("%s; the signature does not count", why);
	return why;
}

/* Groups for which fewer people could ever sign than must: more than the rows of people show. */
static void
explain_groups(ReturnSetInfo *rsinfo, const VouchRequest *request, const VouchStageResult *stage,
			   const VouchRuleResult *rule)
{
	for (int g = 0; g < rule->asked->ngroups; g++)
	{
		const char *group = rule->asked->groups[g];
		int			could = 0;
		Said		said = {.reason = "nobody"};

		if (vouch_count_approvals(rule, group) >= rule->rule->quorum)
			continue;
		for (int i = 0; i < rule->ncandidates; i++)
			if (rule->candidates[i].eligible && vouch_candidate_covers(&request->input, &rule->candidates[i], group))
				could++;
		if (could > 0)
			continue;
		said.why = psprintf("nobody could sign as %s for %s", rule->rule->role, group);
		said.items = rule->rule->group_by == NULL ? items_of(request, rule, NULL) :
			vouch_part_text(&request->parts[rule->asked->parts[g]]);
		put_row(rsinfo, stage, rule, &said);
	}
}

/*
 * Delegations of the roles that the policy asks for that are not valid now: those that ended
 * since the request was opened, and those that are yet to begin.
 */
static VouchStmt find_other_delegations = {
	"SELECT d.to_actor, d.from_actor, d.role,"
	" CASE WHEN d.revoked_at IS NOT NULL THEN 'was revoked' WHEN d.valid_from > $2 THEN 'has not begun' ELSE 'has ended' END"
	" FROM vouch_data.delegation d WHERE d.role = ANY ($1)"
	" AND (d.revoked_at IS NOT NULL OR d.valid_from > $2 OR d.valid_to <= $2)"
	" AND least(coalesce(d.revoked_at, 'infinity'), d.valid_to) > $3"
	" AND NOT (d.revoked_at IS NOT NULL AND d.valid_from > d.revoked_at)"
	" AND NOT EXISTS (SELECT FROM vouch_data.delegation o WHERE o.to_actor = d.to_actor AND o.from_actor = d.from_actor"
	"  AND o.role = d.role AND o.revoked_at IS NULL AND o.valid_from <= $2 AND o.valid_to > $2)"
	" ORDER BY d.to_actor, d.from_actor, d.role, d.valid_from DESC, d.delegation_id",
	SPI_OK_SELECT, 3, {TEXTARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID}
};

/* In memory of the caller's, as SPI's goes with the next statement. */
typedef struct OtherDelegation
{
	const char *to_actor;
	const char *from_actor;
	const char *role;
	const char *what;
} OtherDelegation;

static int
read_other_delegations(const VouchRequest *request, OtherDelegation **result)
{
	Datum		args[3] = {vouch_policy_roles(request->rights->policy), TimestampTzGetDatum(request->input.now),
	TimestampTzGetDatum(request->input.opened_at)};
	int			n = (int) vouch_stmt_run(&find_other_delegations, args, NULL);

	*result = palloc(sizeof(OtherDelegation) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		(*result)[i].to_actor = vouch_stmt_get_text(i, 1);
		(*result)[i].from_actor = vouch_stmt_get_text(i, 2);
		(*result)[i].role = vouch_stmt_get_text(i, 3);
		(*result)[i].what = vouch_stmt_get_text(i, 4);
	}
	return n;
}

static void
explain_other_delegations(ReturnSetInfo *rsinfo, const VouchRequest *request, const VouchStageResult *stage,
						  const VouchRuleResult *rule, const OtherDelegation *others, int n)
{
	for (int i = 0; i < n; i++)
	{
		const OtherDelegation *d = &others[i];
		bool		shown = strcmp(d->role, rule->rule->role) != 0;
		Said		said = {.actor = d->to_actor,.acting_for = d->from_actor,.reason = "delegation"};

		/* The newest of those between the same two, unless the rows of people have them. */
		for (int j = 0; j < i && !shown; j++)
			shown = strcmp(others[j].to_actor, d->to_actor) == 0 && strcmp(others[j].from_actor, d->from_actor) == 0 &&
				strcmp(others[j].role, d->role) == 0;
		for (int j = 0; j < rule->ncandidates && !shown; j++)
			shown = strcmp(rule->candidates[j].actor, d->to_actor) == 0 && rule->candidates[j].acting_for != NULL &&
				strcmp(rule->candidates[j].acting_for, d->from_actor) == 0;
		if (shown)
			continue;
		said.why = psprintf("the delegation by \"%s\" %s", d->from_actor, d->what);
		said.items = items_of(request, rule, NULL);
		put_row(rsinfo, stage, rule, &said);
	}
}

static void
explain_auto(ReturnSetInfo *rsinfo, const VouchRequest *request, const VouchStageResult *stage,
			 const VouchRuleResult *rule)
{
	Said		said = {.actor = request->input.submitter,.reason = "by_rule",
	.items = items_of(request, rule, NULL)};

	for (int i = 0; i < request->input.nsigned; i++)
		if (request->input.signatures[i].stage_no == stage->stage->stage_no &&
			request->input.signatures[i].rule_no == rule->rule->rule_no)
			said.signature = &request->input.signatures[i];
	if (said.signature != NULL)
		said.actor = said.signature->signer;
	said.why = said.signature == NULL ? "is signed by rule, in the name of who submits it" :
		said.signature->stale ? "signed by rule; verdicts have changed since" : "signed by rule";
	put_row(rsinfo, stage, rule, &said);
}

static void
explain_rule(ReturnSetInfo *rsinfo, const VouchRequest *request, const VouchStageResult *stage,
			 const VouchRuleResult *rule, const OtherDelegation *others, int nothers)
{
	Said		said = {.items = items_of(request, rule, NULL)};

	if (!rule->asked->applies)
	{
		said.reason = "not_asked";
		said.why = psprintf("not asked: %s", rule->asked->why_not);
		put_row(rsinfo, stage, rule, &said);
		return;
	}
	if (vouch_rule_is_auto(rule->rule))
	{
		explain_auto(rsinfo, request, stage, rule);
		return;
	}
	if (rule->ncandidates == 0)
	{
		said.reason = "nobody";
		said.why = psprintf("nobody holds %s", rule->rule->role);
		put_row(rsinfo, stage, rule, &said);
	}
	for (int i = 0; i < rule->ncandidates; i++)
	{
		const VouchCandidate *c = &rule->candidates[i];
		Said		of = {c->actor, c->acting_for, reason_of(c->why), why_of(rule, c), c->signature, items_of(request, rule, c)};
		char	   *problem,
				   *detail;

		if (c->why == VOUCH_WHY_CAN && vouch_request_strands(request, stage, rule, c, &problem, &detail))
		{
			of.reason = "dead_end";
			of.why = psprintf("would leave nobody who could give the rest: %c%s",
							  pg_tolower((unsigned char) problem[0]), problem + 1);
		}
		put_row(rsinfo, stage, rule, &of);
	}
	if (rule->ncandidates > 0)
		explain_groups(rsinfo, request, stage, rule);
	explain_other_delegations(rsinfo, request, stage, rule, others, nothers);
}

/* vouch.explain_approval(version_id uuid) */
Datum
vouch_sql_explain_approval(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	VouchRequest *request;
	OtherDelegation *others = NULL;
	int			nothers;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	request = vouch_request_load(vouch_version_read(PG_GETARG_UUID_P(0)), NULL, NULL,
								 GetCurrentTimestamp());
	nothers = request->state == NULL || request->input.open ? read_other_delegations(request, &others) : 0;
	for (int i = 0; i < request->rights->policy->nstages; i++)
		for (int r = 0; r < request->rights->policy->stages[i].nrules; r++)
			explain_rule(rsinfo, request, &request->evaluation->stages[i],
						 &request->evaluation->stages[i].rules[r], others, nothers);
	SPI_finish();
	return (Datum) 0;
}

/* ---- everything that waits --------------------------------------------------------- */

/* Open requests: of one bucket, and whose policy asks for a role that somebody can sign in. */
static VouchStmt find_open = {
	"SELECT r.bucket, r.artifact_no, r.version_no, r.policy, r.policy_revision"
	" FROM vouch_data.approval_request r"
	" WHERE r.state = 'open' AND ($1 IS NULL OR r.bucket = $1)"
	" AND ($2 IS NULL OR (r.policy, r.policy_revision) IN ("
	"  SELECT p.policy, p.revision FROM vouch_data.policy_rule p WHERE p.role = ANY ($3)"
	"  UNION SELECT s.policy, s.revision FROM vouch_data.policy_stage s WHERE s.escalate_to = ANY ($3)))"
	" ORDER BY r.opened_at, r.bucket, r.artifact_no",
	SPI_OK_SELECT, 3, {INT4OID, TEXTOID, TEXTARRAYOID}
};

static VouchStmt find_roles = {
	"SELECT coalesce(array_agg(DISTINCT role), '{}') FROM ("
	" SELECT role FROM vouch_data.role_grant WHERE actor = $1 AND revoked_at IS NULL"
	" UNION SELECT role FROM vouch_data.delegation WHERE to_actor = $1 AND revoked_at IS NULL"
	"  AND valid_from <= $2 AND valid_to > $2) r",
	SPI_OK_SELECT, 2, {TEXTOID, TIMESTAMPTZOID}
};

typedef struct OpenRequest
{
	int			bucket;
	int			artifact_no;
	int			version_no;
	const char *policy;
	int			revision;
	const VouchRights *rights;
} OpenRequest;

static void
put_pending(ReturnSetInfo *rsinfo, VouchRequest *request,
			const VouchStageResult *stage, const VouchRuleResult *rule, const char *actor)
{
	const VouchVersion *version = request->version;
	const VouchPolicy *policy = request->rights->policy;
	Datum		values[18];
	bool		nulls[18] = {false};
	int64		undecided = 0;
	const char *items = NULL;
	const VouchCandidate *me = NULL;
	const char **who = palloc(sizeof(char *) * Max(rule->ncandidates, 1));
	const char *acting_for = NULL;
	bool		mine = false;
	int			n = 0;

	for (int i = 0; i < rule->ncandidates; i++)
	{
		const VouchCandidate *c = &rule->candidates[i];

		if (c->why != VOUCH_WHY_CAN)
			continue;
		who[n++] = c->acting_for ? psprintf("%s (for %s)", c->actor, c->acting_for) : c->actor;
		if (actor != NULL && strcmp(c->actor, actor) == 0 && (!mine || c->acting_for == NULL))
		{
			mine = true;
			acting_for = c->acting_for;
			me = c;
		}
	}
	if (actor != NULL && !mine)
		return;
	items = items_of(request, rule, me);
	if (policy->items != VOUCH_ITEMS_NONE)
	{
		/* Of the items that this person's signature is for; or of all that the rule is for, each once. */
		bool	   *counted = palloc0(sizeof(bool) * request->input.nparts);

		for (int g = 0; g < Max(rule->asked->ngroups, 1); g++)
		{
			int			part = me != NULL ? vouch_asked_part(rule->asked, me->group) : rule->asked->parts[g];
			VouchCounts counts;

			if (counted[part])
				continue;
			counted[part] = true;
			counts = vouch_request_counts(request, part);
			undecided += counts.pending + counts.needs_changes;
		}
	}
	values[0] = Int32GetDatum(version->bucket);
	values[1] = Int32GetDatum(version->artifact_no);
	values[2] = Int32GetDatum(version->version_no);
	values[3] = Int32GetDatum(request->round);
	values[4] = CStringGetTextDatum(policy->name);
	values[5] = Int32GetDatum(stage->stage->stage_no);
	values[6] = CStringGetTextDatum(stage->stage->name);
	values[7] = CStringGetTextDatum(me != NULL ? me->role : rule->rule->role);
	values[8] = Int32GetDatum(rule->needed);
	values[9] = Int32GetDatum(rule->have);
	values[10] = vouch_text_array(who, n);
	nulls[11] = acting_for == NULL;
	values[11] = acting_for ? CStringGetTextDatum(acting_for) : (Datum) 0;
	values[12] = Int64GetDatum(undecided);
	values[13] = TimestampTzGetDatum(stage->opened_at);
	nulls[14] = stage->due_at == 0;
	values[14] = TimestampTzGetDatum(stage->due_at);
	values[15] = BoolGetDatum(stage->escalated);
	nulls[16] = stage->expires_at == 0;
	values[16] = TimestampTzGetDatum(stage->expires_at);
	nulls[17] = items == NULL;
	values[17] = items ? CStringGetTextDatum(items) : (Datum) 0;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* vouch_data.pending_rules(actor text, bucket int): what open requests wait for */
Datum
vouch_sql_pending_rules(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *actor = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	TimestampTz now = GetCurrentTimestamp();
	OpenRequest *open;
	uint64		n;
	Datum		args[3];
	char		nulls[3] = {' ', ' ', ' '};

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	args[0] = PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1);
	nulls[0] = PG_ARGISNULL(1) ? 'n' : ' ';
	args[2] = vouch_text_array(NULL, 0);
	if (actor != NULL)
	{
		Datum		role_args[2];

		role_args[0] = CStringGetTextDatum(actor);
		role_args[1] = TimestampTzGetDatum(now);
		vouch_stmt_run_one(&find_roles, role_args, NULL);
		args[2] = vouch_stmt_get(0, 1, NULL);
	}
	args[1] = actor ? CStringGetTextDatum(actor) : (Datum) 0;
	nulls[1] = actor ? ' ' : 'n';
	n = vouch_stmt_run(&find_open, args, nulls);
	open = palloc(sizeof(OpenRequest) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		open[i].bucket = vouch_stmt_get_int32(i, 1, 0);
		open[i].artifact_no = vouch_stmt_get_int32(i, 2, 0);
		open[i].version_no = vouch_stmt_get_int32(i, 3, 0);
		open[i].policy = vouch_stmt_get_text(i, 4);
		open[i].revision = vouch_stmt_get_int32(i, 5, 0);
		open[i].rights = NULL;
	}
	for (uint64 i = 0; i < n; i++)
	{
		VouchRequest *request;
		pg_uuid_t	id;

		/* There are few policies: each is loaded once. */
		for (uint64 j = 0; j < i && open[i].rights == NULL; j++)
			if (open[j].revision == open[i].revision && strcmp(open[j].policy, open[i].policy) == 0)
				open[i].rights = open[j].rights;
		if (open[i].rights == NULL)
			open[i].rights = vouch_rights_load(open[i].policy, open[i].revision, now);

		CHECK_FOR_INTERRUPTS();
		/* A connection of its own, so that what the request needed is freed. */
		SPI_connect();
		vouch_id_pack_version(&id, open[i].bucket, open[i].artifact_no, open[i].version_no);
		request = vouch_request_load(vouch_version_read(&id), NULL, open[i].rights, now);
		if (request->input.open)
		{
			for (int s = 0; s < request->rights->policy->nstages; s++)
			{
				const VouchStageResult *stage = &request->evaluation->stages[s];

				for (int r = 0; stage->open && r < stage->stage->nrules; r++)
					if (!stage->rules[r].satisfied)
						put_pending(rsinfo, request, stage, &stage->rules[r], actor);
			}
		}
		SPI_finish();
	}
	SPI_finish();
	return (Datum) 0;
}

/* ---- for views and checks -------------------------------------------------------------- */

/* vouch_data.version_digest(bucket, artifact_no, version_no): of content and verdicts now */
Datum
vouch_sql_version_digest(PG_FUNCTION_ARGS)
{
	pg_uuid_t	id;
	VouchDigest digest;

	vouch_id_pack_version(&id, PG_GETARG_INT32(0) & (VOUCH_BUCKETS - 1),
						  PG_GETARG_INT32(1), PG_GETARG_INT32(2));
	SPI_connect();
	vouch_version_digest(vouch_version_read(&id), &digest);
	SPI_finish();
	PG_RETURN_BYTEA_P(vouch_digest_to_bytea(&digest));
}

/* vouch_data.open_signatures(bucket, artifact_no, version_no): what each is worth */
Datum
vouch_sql_open_signatures(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	VouchRequest *request;
	pg_uuid_t	id;

	InitMaterializedSRF(fcinfo, 0);
	vouch_id_pack_version(&id, PG_GETARG_INT32(0) & (VOUCH_BUCKETS - 1),
						  PG_GETARG_INT32(1), PG_GETARG_INT32(2));
	SPI_connect();
	request = vouch_request_load(vouch_version_read(&id), NULL, NULL, GetCurrentTimestamp());
	for (int i = 0; request->input.open && i < request->input.nsigned; i++)
	{
		const VouchSigned *s = &request->input.signatures[i];
		Datum		values[5] = {Int32GetDatum(s->signature_no), BoolGetDatum(s->stale), BoolGetDatum(s->revoked),
		BoolGetDatum(s->expired), BoolGetDatum(s->counts)};
		bool		nulls[5] = {false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}
