/*
 * words.c
 *	  What is said of a request: in errors, in results, and of the items that
 *	  stand in the way of a signature.
 */
#include "postgres.h"

#include "approval/request.h"
#include "catalog/pg_type.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "core/stmt.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

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

	if (request->input.open && request->evaluation->outcome != VOUCH_OUTCOME_EXPIRED)
		return;
	if (request->input.open)
		ereport(ERROR,
				(errcode(VOUCH_ERR_VERSION_STATE),
				 errmsg("cannot %s %s: the time to sign it ran out", verb, vouch_version_label(version)),
				 errdetail("Policy \"%s\" gives its stage an expire_after, and time never approves.",
						   request->rights->policy->name),
				 errhint("vouch.process_deadlines() ends the request; then make a revision with vouch.create_revision().")));
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
	" FROM vouch_data.version_stat WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND stage > 1"
	" AND ($4 = 0 OR $4 & (1::bigint << stage) <> 0)",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, INT8OID}, .indexed = true
};

int
vouch_request_part(const VouchRequest *request, const VouchRule *rule, const char *group)
{
	return vouch_asked_part(&request->asked[rule->index], group);
}

VouchCounts
vouch_request_counts(VouchRequest *request, int part)
{
	const VouchVersion *version = request->version;
	VouchCounts counts;
	Datum		args[4];

	if (!vouch_part_is_whole(&request->parts[part]))
	{
		vouch_request_measure(request);
		return request->parts[part].counts;
	}
	counts = vouch_version_counts(version);
	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = Int32GetDatum(version->version_no);
	args[3] = Int64GetDatum((int64) request->parts[part].stages);
	vouch_stmt_run_one(&count_later_stages, args, NULL);
	counts.needs_changes += vouch_stmt_get_int64(0, 1, 0);
	counts.rejected += vouch_stmt_get_int64(0, 2, 0);
	return counts;
}

/* The verdicts of one stage on what is in a part. */
static VouchCounts
stage_counts(const VouchRequest *request, int part, int stage)
{
	VouchPart	one = request->parts[part];
	VouchCounts counts;

	if (vouch_part_is_whole(&one))
		return vouch_version_stage_counts(request->version, stage);
	one.stages = VOUCH_STAGE_BIT(1);
	(void) vouch_version_measure(request->version, &one, 1);
	if (stage == 1)
		return one.counts;
	counts.items = one.counts.items;
	one.stages = VOUCH_STAGE_BIT(stage);
	(void) vouch_version_measure(request->version, &one, 1);
	counts.approved = one.counts.approved;
	counts.rejected = one.counts.rejected;
	counts.needs_changes = one.counts.needs_changes;
	counts.pending = counts.items - counts.approved - counts.rejected - counts.needs_changes;
	return counts;
}

/*
 * The stage whose verdicts stand in the way: the first, if not all items have a
 * final one there, else the one that asks for changes (or rejects, if that is what is in
 * the way); with what it says.
 */
static int
stage_in_way(const VouchRequest *request, int part, bool rejected, VouchCounts *counts, const char **name)
{
	const VouchPolicy *policy = request->rights->policy;
	uint64		seen = request->parts[part].stages;

	*name = NULL;
	*counts = stage_counts(request, part, 1);
	if (rejected ? counts->rejected > 0 : counts->pending + counts->needs_changes > 0)
		return 1;
	for (int i = 0; i < policy->nstages; i++)
	{
		int			stage = vouch_stage_verdicts(&policy->stages[i]);
		VouchCounts its;

		if (stage == 1 || (seen != 0 && (seen & VOUCH_STAGE_BIT(stage)) == 0))
			continue;
		its = stage_counts(request, part, stage);
		if (rejected ? its.rejected == 0 : its.needs_changes == 0)
			continue;
		*counts = its;
		*name = policy->stages[i].name;
		return stage;
	}
	return 1;
}

void
vouch_request_check_part(VouchRequest *request, int part, VouchItemsProblem *problem)
{
	const VouchVersion *version = request->version;
	const VouchPolicy *policy = request->rights->policy;
	VouchCounts counts;
	char	   *label = vouch_version_label(version);
	char	   *find;
	const char *stage_name;
	int			stage;
	char	   *of = vouch_part_is_whole(&request->parts[part]) ? "" :
		psprintf(" with %s", vouch_part_text(&request->parts[part]));

	memset(problem, 0, sizeof(*problem));
	if (policy->items == VOUCH_ITEMS_NONE && policy->allow_empty)
		return;
	counts = vouch_request_counts(request, part);
	if (counts.items == 0 && !policy->allow_empty)
	{
		problem->code = VOUCH_ERR_UNDECIDED;
		problem->message = psprintf("%s has no items%s", label, of);
		problem->detail = psprintf("Policy \"%s\" does not let an empty version be approved.", policy->name);
		problem->hint = "Add what is to be reviewed, or withdraw the version.";
		return;
	}
	if (policy->items == VOUCH_ITEMS_NONE ||
		(counts.pending + counts.needs_changes == 0 && (policy->items != VOUCH_ITEMS_ALL_APPROVED || counts.rejected == 0)))
		return;
	stage = stage_in_way(request, part, counts.pending + counts.needs_changes == 0, &counts, &stage_name);
	find = psprintf("SELECT * FROM vouch.version_items('%s'%s) WHERE status", vouch_id_text(&version->id),
					stage == 1 ? "" : psprintf(", stage => %d", stage));
	if (counts.pending + counts.needs_changes > 0 && (stage == 1 || counts.needs_changes > 0))
	{
		problem->code = VOUCH_ERR_UNDECIDED;
		problem->message = psprintf("%s has items%s without a final verdict", label, of);
		if (stage == 1)
			problem->detail = psprintf("Items: " INT64_FORMAT ", of them pending: " INT64_FORMAT ", needing changes: " INT64_FORMAT
									   ", approved: " INT64_FORMAT ", rejected: " INT64_FORMAT ".",
									   counts.items, counts.pending, counts.needs_changes,
									   counts.approved, counts.rejected);
		else
			problem->detail = psprintf("Items: " INT64_FORMAT ", of them in stage \"%s\" without a verdict: " INT64_FORMAT
									   ", needing changes: " INT64_FORMAT ", approved: " INT64_FORMAT ", rejected: " INT64_FORMAT ".",
									   counts.items, stage_name, counts.pending, counts.needs_changes,
									   counts.approved, counts.rejected);
		problem->hint = psprintf("Find them with %s %s; decide them with vouch.decide().", find,
								 stage == 1 ? "IN ('pending', 'needs_changes')" : "= 'needs_changes'");
	}
	else if (policy->items == VOUCH_ITEMS_ALL_APPROVED && counts.rejected > 0)
	{
		problem->code = VOUCH_ERR_REJECTED_ITEMS;
		problem->message = psprintf("%s has rejected items%s", label, of);
		problem->detail = psprintf("Policy \"%s\" wants every item approved; items: " INT64_FORMAT
								   ", of them rejected: " INT64_FORMAT ".", policy->name,
								   counts.items, counts.rejected);
		problem->hint = psprintf("Find them with %s = 'rejected'; reject the version, or approve them.", find);
	}
}

void
vouch_request_check_items(VouchRequest *request, const VouchRule *rule, const char *group,
						  VouchItemsProblem *problem)
{
	vouch_request_check_part(request, vouch_request_part(request, rule, group), problem);
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
	vouch_json_put_text(&build, "verdict", vouch_verdict_name(s->verdict));
	vouch_json_put_text(&build, "signer", s->signer);
	vouch_json_put_text(&build, "on_behalf_of", s->acting_for);
	vouch_json_put_time(&build, "signed_at", s->signed_at);
	vouch_json_put_bool(&build, "stale", s->stale);
	if (s->revokes != 0)
		vouch_json_put_int(&build, "revokes", s->revokes);
	if (s->revoked)
		vouch_json_put_bool(&build, "revoked", true);
	if (s->expired)
		vouch_json_put_bool(&build, "expired", true);
	if (s->overtaken)
		vouch_json_put_bool(&build, "overtaken", true);
	if (s->from_version != 0)
		vouch_json_put_text(&build, "carried_from",
							psprintf("version %d, round %d, signature %d",
									 s->from_version, s->from_round, s->from_signature));
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

			if (!rule->asked->applies)
				continue;
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

Datum
vouch_request_finish(const VouchRequest *request, MemoryContext caller)
{
	MemoryContext old = MemoryContextSwitchTo(caller);
	Jsonb	   *result = vouch_request_to_json(request);

	MemoryContextSwitchTo(old);
	SPI_finish();
	return JsonbPGetDatum(result);
}

char *
vouch_role_holders(const char *role, const char *scope)
{
	static VouchStmt find_holders = {
		"SELECT string_agg(DISTINCT actor, ', ' ORDER BY actor) FROM vouch_data.role_grant"
		" WHERE role = $1 AND revoked_at IS NULL AND scope IN ('', $2)",
		SPI_OK_SELECT, 2, {TEXTOID, TEXTOID}
	};
	Datum		args[2];

	args[0] = CStringGetTextDatum(role);
	args[1] = CStringGetTextDatum(scope);
	vouch_stmt_run_one(&find_holders, args, NULL);
	return vouch_stmt_get_text(0, 1);
}
