/*
 * sign.c
 *	  Signing: the only way in which a version is approved, rejected or sent
 *	  back.
 *
 * Each takes the artifact's lock first and reads after that, so of two people
 * who sign at once one is the last, and knows it.
 */
#include "postgres.h"

#include "approval/candidate.h"
#include "approval/request.h"
#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/stmt.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

VOUCH_FUNCTION(vouch_sql_sign_off);
VOUCH_FUNCTION(vouch_sql_approve_version);
VOUCH_FUNCTION(vouch_sql_reject_version);
VOUCH_FUNCTION(vouch_sql_return_version);
VOUCH_FUNCTION(vouch_sql_revoke_signature);

static char *
arg_text(FunctionCallInfo fcinfo, int n)
{
	return PG_NARGS() <= n || PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static pg_uuid_t *
arg_version(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("version_id must not be null"),
				 errdetail("It says which version is meant."),
				 errhint("Pass the id that vouch.create_version() or vouch.version_history() returned.")));
	return PG_GETARG_UUID_P(0);
}

/* ---- why not ---------------------------------------------------------------------- */

static int
why_code(VouchWhy why)
{
	switch (why)
	{
		case VOUCH_WHY_SCOPE:
		case VOUCH_WHY_ROLE:
			return VOUCH_ERR_ROLE_MISSING;
		case VOUCH_WHY_NOT_DELEGABLE:
		case VOUCH_WHY_PRINCIPAL:
			return VOUCH_ERR_DELEGATION;
		case VOUCH_WHY_DUTIES:
		case VOUCH_WHY_OTHER_SIGNER:
			return VOUCH_ERR_DUTIES;
		case VOUCH_WHY_SIGNED:
		case VOUCH_WHY_SIGNED_FOR:
			return VOUCH_ERR_ALREADY_SIGNED;
		case VOUCH_WHY_STAGE:
		case VOUCH_WHY_SATISFIED:
		case VOUCH_WHY_NOT_ASKED:
			return VOUCH_ERR_STAGE_CLOSED;
		case VOUCH_WHY_CLOSED:
			return VOUCH_ERR_VERSION_STATE;
		case VOUCH_WHY_CAN:
			break;
	}
	return VOUCH_ERR_ROLE_MISSING;
}

static char *
who_hint(const VouchRequest *request)
{
	char	   *who = vouch_request_who(request);

	if (who[0] == '\0')
		for (int i = 0; i < request->rights->policy->nstages; i++)
		{
			const VouchStageResult *stage = &request->evaluation->stages[i];

			for (int r = 0; stage->open && r < stage->stage->nrules; r++)
				for (int j = 0; !stage->rules[r].satisfied && j < stage->rules[r].ncandidates; j++)
				{
					const VouchCandidate *c = &stage->rules[r].candidates[j];

					/* who could sign, had they not signed something else */
					if (c->eligible && c->why == VOUCH_WHY_OTHER_SIGNER)
						return psprintf("Nobody can sign now. \"%s\" could as %s, but %s. "
										"Have an administrator grant %s to somebody else with vouch.grant_role(), or take that signature back with vouch.revoke_signature(), so that others give it.",
										c->actor, c->role, c->text, c->role);
				}
		}
	if (who[0] == '\0')
		return psprintf("Nobody can sign now: SELECT * FROM vouch.explain_approval('%s') says why.",
						vouch_id_text(&request->version->id));
	return psprintf("These can sign now: %s.", who);
}

static void
refuse_candidate(const VouchRequest *request, const VouchCandidate *c, const char *verb)
{
	ereport(ERROR,
			(errcode(why_code(c->why)),
			 errmsg("\"%s\" cannot %s %s as %s%s%s", c->actor, verb,
					vouch_version_label(request->version), c->role,
					c->acting_for ? " for " : "", c->acting_for ? c->acting_for : ""),
			 c->why == VOUCH_WHY_STAGE || c->why == VOUCH_WHY_SIGNED_FOR || c->why == VOUCH_WHY_SATISFIED ||
			 c->why == VOUCH_WHY_PRINCIPAL || c->why == VOUCH_WHY_NOT_DELEGABLE ||
			 (c->why == VOUCH_WHY_OTHER_SIGNER && strncmp(c->text, "has ", 4) != 0) ?
			 errdetail("%c%s.", pg_toupper((unsigned char) c->text[0]), c->text + 1) :
			 errdetail("\"%s\" %s.", c->actor, c->text),
			 c->way_out != NULL ?
			 errhint("%s: vouch.revoke_signature() would take that back, and make room.", c->way_out) :
			 errhint("%s", who_hint(request))));
}

/* How near to signing: the nearest explains best why it does not work. */
static int
nearness(const VouchStageResult *stage, const VouchCandidate *c)
{
	return (c->why == VOUCH_WHY_CAN ? 1000 : 0) + (stage->open && !stage->satisfied ? 100 : 0) +
		(c->eligible ? 10 : 0) + (c->why == VOUCH_WHY_DUTIES ? 5 : 0);
}

static const VouchCandidate *
find_nearest(const VouchRequest *request, const char *actor, const char *role,
			 bool any_principal, const char *on_behalf_of,
			 const VouchStageResult **stage, const VouchRuleResult **rule)
{
	const VouchCandidate *best = NULL;
	int			best_nearness = -1;

	for (int i = 0; i < request->rights->policy->nstages; i++)
	{
		const VouchStageResult *s = &request->evaluation->stages[i];

		for (int r = 0; r < s->stage->nrules; r++)
			for (int j = 0; j < s->rules[r].ncandidates; j++)
			{
				const VouchCandidate *c = &s->rules[r].candidates[j];

				if (!vouch_same(c->actor, actor) || (role != NULL && !vouch_same(c->role, role)) ||
					(!any_principal && !vouch_same_or_null(c->acting_for, on_behalf_of)))
					continue;
				if (nearness(s, c) > best_nearness)
				{
					best = c;
					best_nearness = nearness(s, c);
					*stage = s;
					*rule = &s->rules[r];
				}
			}
	}
	return best;
}

/* Somebody whom the evaluation does not list: holds no role that signs, in their own right. */
static void
refuse_stranger(const VouchRequest *request, const char *actor, const char *role,
				const char *on_behalf_of, const char *verb)
{
	const VouchStageResult *stage;
	const VouchRuleResult *rule;
	const VouchCandidate *delegate;
	char	   *label = vouch_version_label(request->version);
	char	   *holders;

	if (on_behalf_of != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_DELEGATION),
				 errmsg("\"%s\" cannot %s %s for \"%s\"", actor, verb, label, on_behalf_of),
				 errdetail("No delegation of %s from \"%s\" to \"%s\" is valid now.",
						   role ? role : "a role", on_behalf_of, actor),
				 errhint("\"%s\" can give one with vouch.delegate('%s', '%s').",
						 on_behalf_of, actor, role ? role : "…")));
	delegate = find_nearest(request, actor, role, true, NULL, &stage, &rule);
	if (delegate != NULL && !delegate->eligible)
		refuse_candidate(request, delegate, verb);
	if (delegate != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ROLE_MISSING),
				 errmsg("\"%s\" cannot %s %s in their own right", actor, verb, label),
				 errdetail("They hold a delegation of %s from \"%s\".", delegate->role, delegate->acting_for),
				 errhint("Say for whom: vouch.sign_off(…, '%s', …, on_behalf_of => '%s').",
						 delegate->role, delegate->acting_for)));
	if (role == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ROLE_MISSING),
				 errmsg("\"%s\" cannot %s %s", actor, verb, label),
				 errdetail("\"%s\" holds no role that policy \"%s\" asks for.", actor,
						   request->rights->policy->name),
				 errhint("%s", who_hint(request))));
	holders = vouch_role_holders(role, request->version->scope);
	ereport(ERROR,
			(errcode(VOUCH_ERR_ROLE_MISSING),
			 errmsg("\"%s\" does not hold role %s", actor, role),
			 holders ? errdetail("It is held by %s.", holders) : errdetail("Nobody holds it."),
			 errhint("Ask one of them, or have an administrator call vouch.grant_role('%s', '%s').",
					 actor, role)));
}

void
vouch_request_refuse(const VouchRequest *request, const char *actor, const char *verb)
{
	const VouchStageResult *stage;
	const VouchRuleResult *rule;
	const VouchCandidate *c = find_nearest(request, actor, NULL, false, NULL, &stage, &rule);

	if (c == NULL)
		refuse_stranger(request, actor, NULL, NULL, verb);
	refuse_candidate(request, c, verb);
}

/* ---- signing ----------------------------------------------------------------------- */

/* A role that no rule wants now is a mistake of its own kind. */
static void
check_role_wanted(const VouchRequest *request, const char *role)
{
	const VouchPolicy *policy = request->rights->policy;
	StringInfoData wanted;

	initStringInfo(&wanted);
	for (int i = 0; i < policy->nstages; i++)
	{
		for (int r = 0; r < policy->stages[i].nrules; r++)
		{
			if (vouch_same(policy->stages[i].rules[r].role, VOUCH_ROLE_AUTO))
				continue;
			if (vouch_same(policy->stages[i].rules[r].role, role))
				return;
			appendStringInfo(&wanted, "%s%s", wanted.len > 0 ? ", " : "", policy->stages[i].rules[r].role);
		}
		if (request->evaluation->stages[i].escalated && vouch_same(policy->stages[i].escalate_to, role))
			return;
	}
	ereport(ERROR,
			(errcode(VOUCH_ERR_ARGUMENT),
			 errmsg("%s is not signed by role %s", vouch_version_label(request->version), role),
			 wanted.len > 0 ?
			 errdetail("Policy \"%s\" asks for %s.", policy->name, wanted.data) :
			 errdetail("Policy \"%s\" asks for nobody's signature.", policy->name),
			 errhint("SELECT * FROM vouch.explain_approval('%s') shows who signs.",
					 vouch_id_text(&request->version->id))));
}

/* When the signer logged in to this session; 0 where it is not theirs. */
static TimestampTz
login_of(const char *actor)
{
	return vouch_actor_acting() != NULL || strcmp(actor, vouch_actor_db_user()) != 0 ? 0 : MyStartTimestamp;
}

/*
 * The login must be recent enough where the rule says so.  Only a session that
 * the signer logged in to themselves says when that was.
 */
static void
check_login(const VouchRequest *request, const VouchRule *rule, const char *actor, TimestampTz now)
{
	if (rule->reauth_max_age < 0)
		return;
	if (login_of(actor) == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_REAUTH),
				 errmsg("\"%s\" must sign %s in a session of their own", actor,
						vouch_version_label(request->version)),
				 errdetail("The rule for %s wants a fresh login, and an application's or a workflow's session does not show when the signer logged in.",
						   rule->role),
				 errhint("Log in as \"%s\" and sign there.", actor)));
	if (now - MyStartTimestamp > rule->reauth_max_age)
		ereport(ERROR,
				(errcode(VOUCH_ERR_REAUTH),
				 errmsg("the login of \"%s\" is too long ago to sign %s", actor,
						vouch_version_label(request->version)),
				 errdetail("The rule for %s wants a login within the last %.15g seconds.", rule->role,
						   (double) rule->reauth_max_age / USECS_PER_SEC),
				 errhint("Connect again and sign then.")));
}

static const char *
verb_of(VouchSignVerdict verdict)
{
	switch (verdict)
	{
		case VOUCH_SIGN_APPROVE:
			return "approve";
		case VOUCH_SIGN_REJECT:
			return "reject";
		case VOUCH_SIGN_NEEDS_CHANGES:
			return "return";
		case VOUCH_SIGN_REVOKE:
			return "revoke a signature on";
	}
	return NULL;				/* not reached */
}

/* Whoever is against a version says why. */
static void
check_reason(VouchSignVerdict verdict, const char *reason, const char *parameter)
{
	vouch_check_text(reason, parameter);
	if (verdict != VOUCH_SIGN_APPROVE && (reason == NULL || reason[strspn(reason, " \t\n")] == '\0'))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("a reason is needed to %s a version", verb_of(verdict)),
				 errdetail("It is recorded with the signature, and tells the makers what is wrong."),
				 errhint("Say what has to change, in the parameter %s.", parameter)));
}

bool
vouch_request_strands(const VouchRequest *request, const VouchStageResult *stage, const VouchRuleResult *rule,
					  const VouchCandidate *c, char **problem, char **detail)
{
	const VouchCase *input = &request->input;
	VouchSigned next = {
		.signature_no = request->nsignatures + 1,
		.stage_no = stage->stage->stage_no,
		.rule_no = rule->rule->rule_no,
		.role = c->role,
		.group = c->group,
		.verdict = VOUCH_SIGN_APPROVE,
		.signer = c->actor,
		.acting_for = c->acting_for,
		.signed_at = input->now,
		.digest = input->digests[vouch_request_part(request, rule->rule, c->group)]
	};

	return vouch_evaluate_strands(input, request->evaluation, &next, problem, detail);
}

/* So many are named who could sign instead. */
#define NAMED 10

/*
 * Nobody signs a version into a dead end, where a signature is missing that
 * nobody who is left could give: what another one could sign in their place is the better way.
 */
static void
check_way_on(VouchRequest *request, const VouchStageResult *stage, const VouchRuleResult *rule, const VouchCandidate *c)
{
	char	   *problem,
			   *detail,
			   *ignored;
	StringInfoData others;
	int			named = 0;

	if (!vouch_request_strands(request, stage, rule, c, &problem, &detail))
		return;
	initStringInfo(&others);
	for (int i = 0; i < request->rights->policy->nstages; i++)
		for (int r = 0; r < request->rights->policy->stages[i].nrules; r++)
		{
			const VouchStageResult *s = &request->evaluation->stages[i];

			for (int j = 0; j < s->rules[r].ncandidates && named < NAMED; j++)
			{
				const VouchCandidate *other = &s->rules[r].candidates[j];

				if (other->why != VOUCH_WHY_CAN || vouch_request_strands(request, s, &s->rules[r], other, &ignored, &ignored))
					continue;
				appendStringInfo(&others, "%s%s%s%s as %s", named++ > 0 ? "; " : "", other->actor,
								 other->acting_for ? " for " : "", other->acting_for ? other->acting_for : "", other->role);
			}
		}
	ereport(ERROR,
			(errcode(VOUCH_ERR_UNSATISFIABLE),
			 errmsg("nobody could complete the approval of %s after \"%s\" signs it as %s",
					vouch_version_label(request->version), c->actor, c->role),
			 errdetail("%s. %s", problem, detail),
			 named > 0 ?
			 errhint("These can sign without that: %s. Or have an administrator grant the role that would be missing to somebody else first, with vouch.grant_role().", others.data) :
			 errhint("Have an administrator grant the role that would be missing to somebody else first, with vouch.grant_role().")));
}

static void
give_signature(VouchRequest *request, const VouchStageResult *stage, const VouchRuleResult *rule,
			   const VouchCandidate *c, VouchSignVerdict verdict, const char *comment, TimestampTz now)
{
	VouchSigning signing = {
		.stage = stage->stage,
		.rule = rule->rule,
		.role = c->role,
		.group = c->group,
		.verdict = verdict,
		.signer = c->actor,
		.acting_for = c->acting_for,
		.delegation = c->delegation,
		.comment = comment,
		.logged_in_at = login_of(c->actor)
	};

	check_login(request, rule->rule, c->actor, now);
	if (verdict == VOUCH_SIGN_NEEDS_CHANGES && !stage->stage->may_return)
		ereport(ERROR,
				(errcode(VOUCH_ERR_VERSION_STATE),
				 errmsg("%s cannot be sent back", vouch_version_label(request->version)),
				 errdetail("Stage \"%s\" of policy \"%s\" does not say \"on_reject\": \"return\".",
						   stage->stage->name, request->rights->policy->name),
				 errhint("Reject it with vouch.reject_version(); its maker can revise it then.")));
	if (verdict == VOUCH_SIGN_APPROVE)
	{
		VouchItemsProblem problem;

		vouch_request_check_items(request, rule->rule, c->group, &problem);
		if (problem.code != 0)
			ereport(ERROR,
					(errcode(problem.code),
					 errmsg("%s", problem.message),
					 errdetail("%s", problem.detail),
					 errhint("%s", problem.hint)));
		check_way_on(request, stage, rule, c);
	}
	vouch_request_sign(request, &signing, c->actor, now);
}

/* vouch.sign_off(version_id, role, approved, comments, on_behalf_of, user_id) returns jsonb */
Datum
vouch_sql_sign_off(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	pg_uuid_t  *id = arg_version(fcinfo);
	char	   *role = arg_text(fcinfo, 1);
	VouchSignVerdict verdict;
	char	   *comment = arg_text(fcinfo, 3);
	char	   *on_behalf_of = arg_text(fcinfo, 4);
	const char *actor = vouch_actor_check(arg_text(fcinfo, 5), "user_id");
	TimestampTz now;
	VouchVersion *version;
	VouchRequest *request;
	const VouchStageResult *stage;
	const VouchRuleResult *rule;
	const VouchCandidate *c;

	if (role == NULL || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("sign_off needs a role and a verdict"),
				 errdetail("A signature is given in a role, for the version or against it."),
				 errhint("Call vouch.sign_off(version_id, role, approved), approved being true or false.")));
	verdict = PG_GETARG_BOOL(2) ? VOUCH_SIGN_APPROVE : VOUCH_SIGN_REJECT;
	check_reason(verdict, comment, "comments");
	if (vouch_same(on_behalf_of, actor))
		on_behalf_of = NULL;

	SPI_connect();
	version = vouch_version_lock(id);
	vouch_rights_lock(actor);
	now = GetCurrentTimestamp();
	request = vouch_request_load(version, actor, NULL, now);
	vouch_request_require_open(request, "sign");
	check_role_wanted(request, role);
	c = find_nearest(request, actor, role, false, on_behalf_of, &stage, &rule);
	if (c == NULL)
		refuse_stranger(request, actor, role, on_behalf_of, "sign");
	if (c->why != VOUCH_WHY_CAN)
		refuse_candidate(request, c, "sign");
	give_signature(request, stage, rule, c, verdict, comment, now);
	vouch_request_settle(request, actor, c->acting_for, comment, now);
	PG_RETURN_DATUM(vouch_request_finish(request, caller));
}

/* Something that the actor can sign in their own right, in stages that were open; with_way_on: that leaves others who could give the rest. */
static bool
find_own_candidate(VouchRequest *request, const bool *was_open, const char *actor, bool with_way_on,
				   const VouchStageResult **stage, const VouchRuleResult **rule, const VouchCandidate **c)
{
	char	   *ignored;

	for (int i = 0; i < request->rights->policy->nstages; i++)
	{
		*stage = &request->evaluation->stages[i];
		for (int r = 0; was_open[i] && r < (*stage)->stage->nrules; r++)
		{
			*rule = &(*stage)->rules[r];
			for (int j = 0; j < (*rule)->ncandidates; j++)
			{
				*c = &(*rule)->candidates[j];
				if ((*c)->why == VOUCH_WHY_CAN && (*c)->acting_for == NULL && vouch_same((*c)->actor, actor) &&
					!(with_way_on && vouch_request_strands(request, *stage, *rule, *c, &ignored, &ignored)))
					return true;
			}
		}
	}
	return false;
}

/*
 * Signs in every role that the actor holds in their own right and that an open
 * stage wants, as far as others can then give the rest.  Stages that open by it are left for another call: what they ask
 * for may be to look again.
 */
static Datum
sign_as_held(FunctionCallInfo fcinfo, VouchSignVerdict verdict)
{
	MemoryContext caller = CurrentMemoryContext;
	pg_uuid_t  *id = arg_version(fcinfo);
	char	   *comment = arg_text(fcinfo, 1);
	const char *actor = vouch_actor_check(arg_text(fcinfo, 2), "user_id");
	TimestampTz now;
	VouchVersion *version;
	VouchRequest *request;
	bool	   *was_open;
	const VouchStageResult *stage;
	const VouchRuleResult *rule;
	const VouchCandidate *c;
	int			given = 0;

	check_reason(verdict, comment, "reason");
	SPI_connect();
	version = vouch_version_lock(id);
	vouch_rights_lock(actor);
	now = GetCurrentTimestamp();
	request = vouch_request_load(version, actor, NULL, now);
	vouch_request_require_open(request, verb_of(verdict));
	was_open = palloc(sizeof(bool) * request->rights->policy->nstages);
	for (int i = 0; i < request->rights->policy->nstages; i++)
		was_open[i] = request->evaluation->stages[i].open;
	while (request->evaluation->outcome == VOUCH_OUTCOME_OPEN &&
		   (find_own_candidate(request, was_open, actor, verdict == VOUCH_SIGN_APPROVE, &stage, &rule, &c) ||
			(given == 0 && find_own_candidate(request, was_open, actor, false, &stage, &rule, &c))))
	{
		give_signature(request, stage, rule, c, verdict, comment, now);
		given++;
	}
	if (given == 0)
		vouch_request_refuse(request, actor, verb_of(verdict));
	vouch_request_settle(request, actor, NULL, comment, now);
	PG_RETURN_DATUM(vouch_request_finish(request, caller));
}

/* vouch.approve_version(version_id, notes, user_id) returns jsonb */
Datum
vouch_sql_approve_version(PG_FUNCTION_ARGS)
{
	return sign_as_held(fcinfo, VOUCH_SIGN_APPROVE);
}

/* vouch.reject_version(version_id, reason, user_id) returns jsonb */
Datum
vouch_sql_reject_version(PG_FUNCTION_ARGS)
{
	return sign_as_held(fcinfo, VOUCH_SIGN_REJECT);
}

/* vouch.return_version(version_id, reason, user_id) returns jsonb */
Datum
vouch_sql_return_version(PG_FUNCTION_ARGS)
{
	return sign_as_held(fcinfo, VOUCH_SIGN_NEEDS_CHANGES);
}

/* ---- taking back ------------------------------------------------------------------ */

/* The last signature that the actor gave, or that was given for them, in a role or in any, and that was not taken back. */
static const VouchSigned *
find_own(const VouchRequest *request, const char *actor, const char *role)
{
	const VouchCase *input = &request->input;

	for (int i = input->nsigned - 1; i >= 0; i--)
	{
		const VouchSigned *s = &input->signatures[i];

		if (s->revokes == 0 && !s->revoked && (vouch_same(s->signer, actor) || vouch_same(s->acting_for, actor)) &&
			!vouch_same(s->role, VOUCH_ROLE_AUTO) && (role == NULL || vouch_same(s->role, role)))
			return s;
	}
	return NULL;
}

/* vouch.revoke_signature(version_id, role, reason, user_id) returns jsonb */
Datum
vouch_sql_revoke_signature(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	pg_uuid_t  *id = arg_version(fcinfo);
	char	   *role = arg_text(fcinfo, 1);
	char	   *reason = arg_text(fcinfo, 2);
	const char *actor = vouch_actor_check(arg_text(fcinfo, 3), "user_id");
	const VouchSigned *own;
	VouchRequest *request;
	TimestampTz now;
	VouchVersion *version;
	VouchSigning signing = {.verdict = VOUCH_SIGN_REVOKE};

	if (reason == NULL || reason[strspn(reason, " \t\n")] == '\0')
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("a reason is needed to revoke a signature"),
				 errdetail("It is recorded with the revocation; the signature stays on record, too."),
				 errhint("Say why, in the parameter reason.")));
	vouch_check_text(reason, "reason");
	SPI_connect();
	version = vouch_version_lock(id);
	vouch_rights_lock(actor);
	now = GetCurrentTimestamp();
	request = vouch_request_load(version, actor, NULL, now);
	if (vouch_same(version->state, "approved") || vouch_same(version->state, "superseded"))
		ereport(ERROR,
				(errcode(VOUCH_ERR_VERSION_STATE),
				 errmsg("cannot revoke a signature on %s: it is %s", vouch_version_label(version), version->state),
				 errdetail("What was approved stays on record as it was approved."),
				 errhint("Make a revision with vouch.create_revision() that says why; approved, it supersedes this version.")));
	vouch_request_require_open(request, verb_of(VOUCH_SIGN_REVOKE));
	own = find_own(request, actor, role);
	if (own == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("\"%s\" has no signature%s%s on %s to revoke", actor, role ? " as " : "", role ? role : "",
						vouch_version_label(version)),
				 errdetail("Who gave a signature can take it back, and for whom it was given, once, while the request is open."),
				 errhint("SELECT * FROM vouch.signatures WHERE version_id = '%s' shows who signed.",
						 vouch_id_text(&version->id))));
	signing.stage = vouch_policy_find_stage(request->rights->policy, own->stage_no);
	signing.rule = vouch_policy_find_rule(request->rights->policy, own->stage_no, own->rule_no);
	if (signing.rule == NULL)
		elog(ERROR, "signature %d is under no rule of its policy", own->signature_no);
	signing.role = own->role;
	signing.group = own->group;
	signing.signer = actor;
	signing.comment = reason;
	signing.revokes = own;
	signing.logged_in_at = login_of(actor);
	vouch_request_sign(request, &signing, actor, now);
	vouch_request_settle(request, actor, NULL, reason, now);
	PG_RETURN_DATUM(vouch_request_finish(request, caller));
}
