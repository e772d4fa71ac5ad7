/*
 * submit.c
 *	  Submitting a draft, and saying first what would come of it.
 */
#include "postgres.h"

#include "approval/request.h"
#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/stmt.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "version/store.h"
#include "version/track.h"

VOUCH_FUNCTION(vouch_sql_submit_version);
VOUCH_FUNCTION(vouch_sql_what_if_submit);

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

typedef struct Problem
{
	int			code;
	const char *name;			/* for what_if_submit */
	char	   *message;
	char	   *detail;
	char	   *hint;
} Problem;

#define MAX_PROBLEMS 5

static bool
holds_role(const char *actor, const char *role, const char *scope)
{
	static VouchStmt find_holder = {
		"SELECT FROM vouch_data.role_grant"
		" WHERE actor = $1 AND role = $2 AND revoked_at IS NULL AND scope IN ('', $3) LIMIT 1",
		SPI_OK_SELECT, 3, {TEXTOID, TEXTOID, TEXTOID}
	};
	Datum		args[3];

	args[0] = CStringGetTextDatum(actor);
	args[1] = CStringGetTextDatum(role);
	args[2] = CStringGetTextDatum(scope);
	return vouch_stmt_run(&find_holder, args, NULL) > 0;
}

bool
vouch_holds_maker_role(const VouchVersion *version, const char *actor)
{
	VouchPhasePolicy policy;

	return vouch_policy_of_phase(version->phase, version->scope, &policy) &&
		policy.maker_role != NULL && holds_role(actor, policy.maker_role, version->scope);
}

/*
 * Who makes a version of one of the nine phases must hold the role that its policy names, so that nobody
 * else's draft stands in the way.  Where nobody holds it yet, nothing can be
 * submitted, and nobody is in the way.
 */
void
vouch_require_maker(int bucket, int artifact_no, const char *actor)
{
	static VouchStmt find_shipped = {
		"SELECT p.phase, p.label, a.scope FROM vouch_data.artifact a, vouch_data.phase p"
		" WHERE a.bucket = $1 AND a.artifact_no = $2 AND p.phase = a.phase AND p.shipped",
		SPI_OK_SELECT, 2, {INT4OID, INT4OID}
	};
	Datum		args[2] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no)};
	VouchPhasePolicy policy;
	char	   *label,
			   *scope,
			   *holders;

	if (vouch_stmt_run(&find_shipped, args, NULL) == 0)
		return;
	label = vouch_stmt_get_text(0, 2);
	scope = vouch_stmt_get_text(0, 3);
	if (!vouch_policy_of_phase(vouch_stmt_get_text(0, 1), scope, &policy) || policy.maker_role == NULL)
		return;
	if (holds_role(actor, policy.maker_role, scope))
		return;
	holders = vouch_role_holders(policy.maker_role, scope);
	if (holders == NULL)
		return;
	ereport(ERROR,
			(errcode(VOUCH_ERR_ROLE_MISSING),
			 errmsg("\"%s\" may not make a version of %s", actor, label),
			 errdetail("That takes the role %s%s, which is held by %s.", policy.maker_role,
					   scope[0] != '\0' ? psprintf(" (for all or for %s)", scope) : "", holders),
			 errhint("Ask one of them.")));
}

static char *
in_scope(const char *scope)
{
	return scope[0] == '\0' ? "" : psprintf(" for %s", scope);
}

/* Everything that stands in the way of submitting a draft. */
static int
find_problems(VouchRequest *request, const char *actor, Problem *problems)
{
	const VouchVersion *version = request->version;
	const VouchPolicy *policy = request->rights->policy;
	VouchCounts counts = vouch_version_counts(version);
	int64		uncovered;
	char	   *first;
	int			n = 0;
	char	   *problem,
			   *detail;

	if (request->maker_role != NULL && !holds_role(actor, request->maker_role, version->scope))
	{
		char	   *holders = vouch_role_holders(request->maker_role, version->scope);

		problems[n].code = VOUCH_ERR_ROLE_MISSING;
		problems[n].name = "role_missing";
		problems[n].message = psprintf("\"%s\" does not hold role %s%s, which makes versions of %s",
									   actor, request->maker_role, in_scope(version->scope), version->phase_label);
		problems[n].detail = holders ? psprintf("It is held by %s.", holders) : pstrdup("Nobody holds it.");
		problems[n++].hint = psprintf("Ask one of them to submit it, or have an administrator call vouch.grant_role('%s', '%s').",
									  actor, request->maker_role);
	}
	if (counts.items == 0 && !policy->allow_empty)
	{
		problems[n].code = VOUCH_ERR_UNDECIDED;
		problems[n].name = "empty";
		problems[n].message = psprintf("%s has no items", vouch_version_label(version));
		problems[n].detail = psprintf("Policy \"%s\" does not let an empty version be submitted.", policy->name);
		problems[n++].hint = pstrdup("Add what is to be reviewed first.");
	}
	uncovered = vouch_asked_uncovered(version, policy, request->asked, request->parts, request->input.nparts, &first);
	if (first == NULL)
		first = "?";
	if (uncovered > 0 && vouch_asked_any(policy, request->asked))
	{
		problems[n].code = VOUCH_ERR_UNSATISFIABLE;
		problems[n].name = "uncovered";
		problems[n].message = uncovered == 1 ?
			psprintf("nobody is asked about item \"%s\" of %s", first, vouch_version_label(version)) :
			psprintf("nobody is asked about " INT64_FORMAT " items of %s, the first being \"%s\"", uncovered,
					 vouch_version_label(version), first);
		problems[n].detail = psprintf("No rule of policy \"%s\" that applies%s has %s in its scope or groups.", policy->name,
									  policy->items == VOUCH_ITEMS_NONE ? "" : ", in a stage that is open from the start,",
									  uncovered == 1 ? "it" : "them");
		problems[n++].hint = psprintf("Give %s what the rules look at, or have an administrator add a rule without a scope.", uncovered == 1 ? "it" : "the items");
	}
	if (!vouch_evaluate_satisfiable(&request->input, request->evaluation, &problem, &detail))
	{
		problems[n].code = VOUCH_ERR_UNSATISFIABLE;
		problems[n].name = "unsatisfiable";
		problems[n].message = psprintf("nobody could approve %s: %c%s", vouch_version_label(version),
									   pg_tolower((unsigned char) problem[0]), problem + 1);
		problems[n].detail = detail;
		problems[n++].hint = pstrdup("Have an administrator grant the role with vouch.grant_role() to somebody who had no part in it.");
	}
	return n;
}

/* vouch.submit_version(version_id uuid, user_id text, notes text) returns jsonb */
Datum
vouch_sql_submit_version(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	pg_uuid_t  *id = arg_version(fcinfo);
	const char *actor = vouch_actor_check(arg_text(fcinfo, 1), "user_id");
	char	   *notes = arg_text(fcinfo, 2);
	TimestampTz now;
	VouchVersion *version;
	VouchRequest *request;
	Jsonb	   *detail = NULL;

	vouch_check_text(notes, "notes");
	SPI_connect();
	version = vouch_version_lock(id);
	vouch_rights_lock(actor);
	now = GetCurrentTimestamp();
	if (strcmp(version->state, "draft") == 0)
	{
		Problem		problems[MAX_PROBLEMS];

		vouch_tracked_check_triggers(version->bucket, version->artifact_no);
		request = vouch_request_load(version, actor, NULL, now);
		if (find_problems(request, actor, problems) > 0)
			ereport(ERROR,
					(errcode(problems[0].code),
					 errmsg("%s", problems[0].message),
					 errdetail("%s", problems[0].detail),
					 errhint("%s", problems[0].hint)));
		detail = vouch_request_begin(request, actor);
	}
	else
		request = NULL;
	/* Raises when the version's state does not allow it. */
	vouch_version_apply(version, "submit", actor, NULL, notes, detail);
	if (request == NULL)
		elog(ERROR, "version in state \"%s\" was submitted", version->state);
	request->version = version;
	vouch_request_open(request, actor, notes);
	vouch_request_settle(request, actor, NULL, notes, now);
	PG_RETURN_DATUM(vouch_request_finish(request, caller));
}

/* ---- what if ---------------------------------------------------------------------------- */

/* Roles with who could sign and who could not, were the version submitted by the actor now. */
static Jsonb *
signers_to_json(const VouchRequest *request)
{
	const VouchPolicy *policy = request->rights->policy;
	Jsonb	  **rules;
	int			n = 0;

	for (int i = 0; i < policy->nstages; i++)
		n += policy->stages[i].nrules;
	rules = palloc(sizeof(Jsonb *) * Max(n, 1));
	n = 0;
	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
		{
			const VouchRuleResult *rule = &request->evaluation->stages[i].rules[r];
			const char **can = palloc(sizeof(char *) * Max(rule->ncandidates, 1));
			Jsonb	  **cannot = palloc(sizeof(Jsonb *) * Max(rule->ncandidates, 1));
			int			ncan = 0,
						ncannot = 0;
			VouchJsonBuild build;

			for (int j = 0; j < rule->ncandidates; j++)
			{
				const VouchCandidate *c = &rule->candidates[j];
				char	   *name = c->acting_for ? psprintf("%s (for %s)", c->actor, c->acting_for) : pstrdup(c->actor);
				VouchJsonBuild one;

				if (c->eligible)
				{
					can[ncan++] = name;
					continue;
				}
				vouch_json_begin(&one);
				vouch_json_put_text(&one, "actor", name);
				vouch_json_put_text(&one, "why", c->text);
				cannot[ncannot++] = vouch_json_end(&one);
			}
			vouch_json_begin(&build);
			vouch_json_put_text(&build, "stage", policy->stages[i].name);
			vouch_json_put_text(&build, "role", rule->rule->role);
			vouch_json_put_int(&build, "needed", rule->needed);
			if (!rule->asked->applies)
				vouch_json_put_text(&build, "not_asked", rule->asked->why_not);
			if (rule->asked->applies && rule->asked->ngroups > 0)
				vouch_json_put(&build, "groups", vouch_json_strings(rule->asked->groups, rule->asked->ngroups));
			vouch_json_put(&build, "could_sign", vouch_json_strings(can, ncan));
			vouch_json_put(&build, "could_not", vouch_json_array(cannot, ncannot));
			rules[n++] = vouch_json_end(&build);
		}
	return vouch_json_array(rules, n);
}

/* The signatures of the round before: which are carried, and which are dropped and why. */
static Jsonb *
before_to_json(VouchRequest *request, VouchCounts *counts)
{
	/* A draft is the last version: what it shows is not closed. */
	static VouchStmt count_reopened = {
		"SELECT count(*) FROM vouch_data.decision d"
		" WHERE d.bucket = $1 AND d.artifact_no = $2 AND" VOUCH_UNDONE_SINCE("d", "($3 + 1)")
		" AND d.stage = 1 AND d.status IN ('pending', 'needs_changes')"
		" AND ($4 = $3 OR EXISTS (SELECT FROM vouch_data.decision o WHERE o.bucket = $1 AND o.artifact_no = $2"
		"  AND o.item_no = d.item_no AND o.stage = 1 AND o.from_no <= $4 AND o.to_no > $4 OFFSET 0))",
		SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, INT4OID}, .indexed = true
	};
	const VouchVersion *version = request->version;
	VouchBefore before;
	Jsonb	  **carried,
			  **dropped;
	int			ncarried = 0,
				ndropped = 0;
	int64		reopened = 0;
	VouchJsonBuild build;

	vouch_carry_find(request, &before);
	carried = palloc(sizeof(Jsonb *) * Max(before.ncarries, 1));
	dropped = palloc(sizeof(Jsonb *) * Max(before.ncarries, 1));
	for (int i = 0; i < before.ncarries; i++)
	{
		const VouchCarry *carry = &before.carries[i];

		vouch_json_begin(&build);
		vouch_json_put_text(&build, "role", carry->from->role);
		if (carry->from->group != NULL)
			vouch_json_put_text(&build, "group", carry->from->group);
		vouch_json_put_text(&build, "signer", carry->from->signer);
		if (carry->from->acting_for != NULL)
			vouch_json_put_text(&build, "on_behalf_of", carry->from->acting_for);
		if (carry->why_not != NULL)
		{
			vouch_json_put_text(&build, "why", carry->why_not);
			dropped[ndropped++] = vouch_json_end(&build);
		}
		else
			carried[ncarried++] = vouch_json_end(&build);
	}
	if (before.version_no != 0)
	{
		Datum		args[4] = {Int32GetDatum(version->bucket), Int32GetDatum(version->artifact_no),
		Int32GetDatum(version->version_no), Int32GetDatum(before.version_no)};

		vouch_stmt_run_one(&count_reopened, args, NULL);
		reopened = vouch_stmt_get_int64(0, 1, 0);
	}
	vouch_json_begin(&build);
	vouch_json_put_int(&build, "signatures", before.ncarries);
	vouch_json_put(&build, "carried", vouch_json_array(carried, ncarried));
	vouch_json_put(&build, "dropped", vouch_json_array(dropped, ndropped));
	vouch_json_put_int(&build, "items", counts->items);
	vouch_json_put_int(&build, "items_undecided", counts->pending + counts->needs_changes);
	vouch_json_put_int(&build, "items_reopened", reopened);
	vouch_json_put_text(&build, "summary",
						before.version_no == 0 ?
						psprintf(INT64_FORMAT " of " INT64_FORMAT " items are to be decided",
								 counts->pending + counts->needs_changes, counts->items) :
						psprintf("drops %d of %d signatures, re-opens " INT64_FORMAT " items",
								 ndropped, before.ncarries, reopened));
	return vouch_json_end(&build);
}

/* vouch.what_if_submit(version_id uuid) returns jsonb */
Datum
vouch_sql_what_if_submit(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	pg_uuid_t  *id = arg_version(fcinfo);
	const char *actor = vouch_actor_current();
	VouchVersion *version;
	VouchRequest *request;
	Problem		problems[MAX_PROBLEMS + 1];
	Jsonb	   *list[MAX_PROBLEMS + 1];
	int			n;
	VouchJsonBuild build;
	VouchCounts counts;
	Jsonb	   *effect = NULL;
	Jsonb	   *result;

	SPI_connect();
	version = vouch_version_read(id);
	request = vouch_request_load(version, actor, NULL, GetCurrentTimestamp());
	if (strcmp(version->state, "draft") == 0)
	{
		counts = vouch_version_counts(version);
		n = find_problems(request, actor, problems);
		effect = before_to_json(request, &counts);
	}
	else
	{
		problems[0].code = VOUCH_ERR_VERSION_STATE;
		problems[0].name = "state";
		problems[0].message = psprintf("%s is %s, no draft", vouch_version_label(version), version->state);
		problems[0].detail = pstrdup("Only a draft is submitted.");
		problems[0].hint = strcmp(version->state, "pending_approval") == 0 ?
			pstrdup("vouch.explain_approval() says who signs it.") :
			pstrdup("Make a revision of it with vouch.create_revision(), and submit that.");
		n = 1;
	}
	MemoryContextSwitchTo(caller);
	for (int i = 0; i < n; i++)
	{
		vouch_json_begin(&build);
		vouch_json_put_text(&build, "code", unpack_sql_state(problems[i].code));
		vouch_json_put_text(&build, "problem", problems[i].name);
		vouch_json_put_text(&build, "message", problems[i].message);
		vouch_json_put_text(&build, "detail", problems[i].detail);
		vouch_json_put_text(&build, "hint", problems[i].hint);
		list[i] = vouch_json_end(&build);
	}
	vouch_json_begin(&build);
	vouch_json_put_bool(&build, "can_submit", n == 0);
	vouch_json_put_text(&build, "policy", request->rights->policy->name);
	vouch_json_put_int(&build, "policy_revision", request->rights->policy->revision);
	vouch_json_put(&build, "problems", vouch_json_array(list, n));
	vouch_json_put(&build, "signers", signers_to_json(request));
	if (effect != NULL)
		vouch_json_put(&build, "effect", effect);
	result = vouch_json_end(&build);
	SPI_finish();
	PG_RETURN_JSONB_P(result);
}
