/*
 * evaluate.c
 *	  Evaluates a policy: pure, and the only judge.  Signing, explaining, the
 *	  check at submission, lists of tasks and verification all ask it.
 *
 * What counts: approving signatures over the content and verdicts as they
 * stand, each person once, nobody whom a rule's duties keep out.  A delegate
 * and the person they act for are one person, and both must be free of duties.
 * A signature does not lose its force because a role is taken back later: the
 * right to sign is tested when it is given.  An approval of a stage stands on
 * those of the stages before it: it counts as long as these do.
 *
 * Here: what the signatures amount to.  candidate.c says who may sign.
 */
#include "postgres.h"

#include "approval/candidate.h"
#include "approval/evaluate.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

bool
vouch_scope_covers(const char *held, const char *needed)
{
	return held[0] == '\0' || strcmp(held, needed) == 0;
}

bool
vouch_rule_is_auto(const VouchRule *rule)
{
	return strcmp(rule->role, VOUCH_ROLE_AUTO) == 0;
}

static bool
is_contributor(const VouchCase *input, const char *actor)
{
	for (int i = 0; i < input->ncontributors; i++)
		if (vouch_same(input->contributors[i], actor))
			return true;
	return false;
}

/* What a person did that keeps them from signing the rule; NULL if nothing. */
const char *
vouch_rule_duty(const VouchCase *input, const VouchRule *rule, const char *actor)
{
	if (actor == NULL || vouch_rule_is_auto(rule))
		return NULL;
	if (rule->not_creator && vouch_same(input->creator, actor))
		return "created the version";
	if (rule->not_contributors && is_contributor(input, actor))
		return "contributed to the version";
	if (rule->not_submitter && vouch_same(input->submitter, actor))
		return "submitted the version";
	return NULL;
}

const VouchStage *
vouch_policy_find_stage(const VouchPolicy *policy, int stage_no)
{
	for (int i = 0; i < policy->nstages; i++)
		if (policy->stages[i].stage_no == stage_no)
			return &policy->stages[i];
	return NULL;
}

const VouchRule *
vouch_policy_find_rule(const VouchPolicy *policy, int stage_no, int rule_no)
{
	const VouchStage *stage = vouch_policy_find_stage(policy, stage_no);

	for (int i = 0; stage != NULL && i < stage->nrules; i++)
		if (stage->rules[i].rule_no == rule_no)
			return &stage->rules[i];
	return NULL;
}

void
vouch_policy_before(const VouchPolicy *policy, uint64 before[64])
{
	memset(before, 0, sizeof(uint64) * 64);
	/* one pass, for a stage stands behind those that it comes after */
	for (int i = 0; i < policy->nstages; i++)
	{
		const VouchStage *stage = &policy->stages[i];

		for (int a = 0; a < stage->nafter; a++)
			before[stage->stage_no] |= before[stage->after[a]] | (UINT64CONST(1) << stage->after[a]);
	}
}

/* Do two pairs of signer and principal have a person in common? */
bool
vouch_share_person(const char *signer1, const char *for1, const char *signer2, const char *for2)
{
	return vouch_same(signer1, signer2) || vouch_same(signer1, for2) ||
		vouch_same(for1, signer2) || vouch_same(for1, for2);
}

/*
 * Must two signatures come from different people?  On one rule always, unless it lets one
 * person sign for several groups; on two when either rule says so.  What was
 * signed by rule is no person's review.
 */
bool
vouch_signings_exclusive(const VouchRule *a, const char *group_a, const VouchRule *b, const char *group_b)
{
	if (a == b)
		return !a->several_groups || group_a == NULL || group_b == NULL || vouch_same(group_a, group_b);
	return !vouch_rule_is_auto(a) && !vouch_rule_is_auto(b) && (a->not_other_signers || b->not_other_signers);
}

int
vouch_asked_part(const VouchAsked *asked, const char *group)
{
	for (int g = 0; g < asked->ngroups; g++)
		if (vouch_same(asked->groups[g], group))
			return asked->parts[g];
	return asked->parts[0];
}

/* What was taken back; one revocation takes one signature. */
static void
mark_revoked(VouchCase *input)
{
	for (int i = 0; i < input->nsigned; i++)
		for (int j = 0; j < i && input->signatures[i].revokes != 0; j++)
			if (input->signatures[j].signature_no == input->signatures[i].revokes)
				input->signatures[j].revoked = true;
}

/* Marks what is stale and what counts, from one signature on; earlier signatures go first. */
static void
mark_signatures(VouchCase *input, int from)
{
	for (int i = from; i < input->nsigned; i++)
	{
		VouchSigned *s = &input->signatures[i];
		const VouchRule *rule = vouch_policy_find_rule(input->policy, s->stage_no, s->rule_no);
		const VouchAsked *asked = rule != NULL ? &input->asked[rule->index] : NULL;

		if (s->verdict == VOUCH_SIGN_REVOKE || asked == NULL || !asked->applies)
			continue;
		s->stale = memcmp(&s->digest, &input->digests[vouch_asked_part(asked, s->group)],
						  sizeof(VouchDigest)) != 0;
		s->expired = rule->ttl >= 0 && s->verdict == VOUCH_SIGN_APPROVE &&
			input->now >= s->signed_at + rule->ttl;
		s->counts = !s->stale && !s->revoked && !s->expired && !s->overtaken &&
			vouch_rule_duty(input, rule, s->signer) == NULL &&
			vouch_rule_duty(input, rule, s->acting_for) == NULL;
		if (s->counts && vouch_rule_is_auto(rule) && !vouch_same(s->signer, input->submitter))
			s->counts = false;
		for (int j = 0; j < i && s->counts; j++)
		{
			const VouchSigned *earlier = &input->signatures[j];
			const VouchRule *other;

			if (!earlier->counts ||
				!vouch_share_person(s->signer, s->acting_for, earlier->signer, earlier->acting_for))
				continue;
			other = vouch_policy_find_rule(input->policy, earlier->stage_no, earlier->rule_no);
			if (vouch_signings_exclusive(rule, s->group, other, earlier->group))
				s->counts = false;
		}
	}
}

/* -1: none of the rule's. */
static int
group_index(const VouchAsked *asked, const char *group)
{
	for (int g = 0; g < asked->ngroups; g++)
		if (vouch_same(asked->groups[g], group))
			return g;
	return asked->ngroups == 0 ? 0 : -1;
}

int
vouch_count_approvals(const VouchRuleResult *rule, const char *group)
{
	int			g = group_index(rule->asked, group);

	return g < 0 ? 0 : rule->approvals[g];
}

/*
 * Sums a rule up.  Returns the outcome that its rejections force, OPEN if none.
 */
static VouchOutcome
sum_up(const VouchCase *input, const VouchStage *stage, VouchRuleResult *result)
{
	const VouchRule *rule = result->rule;
	const VouchAsked *asked = result->asked;
	VouchSignVerdict last = VOUCH_SIGN_APPROVE;
	int			ngroups = Max(asked->ngroups, 1);

	memset(result->approvals, 0, sizeof(int) * ngroups);
	result->have = result->rejections = result->completed = 0;
	if (!asked->applies)
	{
		result->satisfied = true;
		return VOUCH_OUTCOME_OPEN;
	}
	result->needed = rule->quorum * ngroups;
	for (int i = 0; i < input->nsigned; i++)
	{
		const VouchSigned *s = &input->signatures[i];

		if (!s->counts || s->stage_no != stage->stage_no || s->rule_no != rule->rule_no)
			continue;
		if (s->verdict == VOUCH_SIGN_APPROVE)
		{
			int			g = group_index(asked, s->group);

			if (g >= 0 && result->approvals[g]++ < rule->quorum)
			{
				result->have++;
				result->completed = s->signature_no;
			}
			continue;
		}
		result->rejections++;
		last = s->verdict;
	}
	result->satisfied = result->have >= result->needed;
	if (result->rejections >= (rule->veto ? 1 : rule->quorum))
		return last == VOUCH_SIGN_NEEDS_CHANGES ? VOUCH_OUTCOME_RETURNED : VOUCH_OUTCOME_REJECTED;
	return VOUCH_OUTCOME_OPEN;
}

/* Sums all stages up: what comes first stands before it in the array. */
static void
sum_up_stages(const VouchCase *input, VouchEvaluation *evaluation)
{
	const VouchPolicy *policy = input->policy;

	evaluation->outcome = VOUCH_OUTCOME_OPEN;
	for (int i = 0; i < policy->nstages; i++)
	{
		VouchStageResult *stage = &evaluation->stages[i];

		stage->satisfied = stage->stage->nrules > 0;
		stage->completed = 0;
		for (int r = 0; r < stage->stage->nrules; r++)
		{
			VouchOutcome forced = sum_up(input, stage->stage, &stage->rules[r]);

			if (!stage->rules[r].satisfied)
				stage->satisfied = false;
			stage->completed = Max(stage->completed, stage->rules[r].completed);
			/* A rejection outweighs a wish for changes. */
			if (forced == VOUCH_OUTCOME_REJECTED ||
				(forced == VOUCH_OUTCOME_RETURNED && evaluation->outcome == VOUCH_OUTCOME_OPEN))
				evaluation->outcome = forced;
		}
		stage->open = true;
		for (int a = 0; a < stage->stage->nafter; a++)
			for (int j = 0; j < i; j++)
				if (policy->stages[j].stage_no == stage->stage->after[a] && !evaluation->stages[j].satisfied)
					stage->open = false;
		if (!stage->open)
			stage->satisfied = false;
	}
}

/* Was an approval given before what its stage comes after was signed as it stands? */
static bool
is_overtaken(const VouchCase *input, const VouchEvaluation *evaluation, const VouchSigned *s)
{
	const VouchPolicy *policy = input->policy;
	const VouchStage *stage = vouch_policy_find_stage(policy, s->stage_no);

	for (int a = 0; a < stage->nafter; a++)
		for (int j = 0; j < policy->nstages; j++)
			if (policy->stages[j].stage_no == stage->after[a] &&
				(!evaluation->stages[j].satisfied || evaluation->stages[j].completed > s->signature_no))
				return true;
	return false;
}

/*
 * Finds what counts, and what it comes to.  An approval that is overtaken counts no more, which may let
 * one after it count that another person's rule kept out: so the first that is overtaken goes, and those
 * after it are looked at again.  None before it is touched by that: it would have been overtaken first.
 */
static void
weigh_signatures(VouchCase *input, VouchEvaluation *evaluation)
{
	int			first = 0;

	mark_revoked(input);
	for (int i = 0; i < input->nsigned; i++)
		input->signatures[i].overtaken = false;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		mark_signatures(input, first);
		sum_up_stages(input, evaluation);
		while (first < input->nsigned &&
			   !(input->signatures[first].counts && input->signatures[first].verdict == VOUCH_SIGN_APPROVE &&
				 is_overtaken(input, evaluation, &input->signatures[first])))
			first++;
		if (first == input->nsigned)
			return;
		input->signatures[first].overtaken = true;
	}
}

/* When a satisfied stage became so: its last signature that counts. */
static TimestampTz
completed_at(const VouchCase *input, const VouchStage *stage)
{
	TimestampTz at = input->opened_at;

	for (int i = 0; i < input->nsigned; i++)
		if (input->signatures[i].counts && input->signatures[i].stage_no == stage->stage_no &&
			input->signatures[i].signed_at > at)
			at = input->signatures[i].signed_at;
	return at;
}

VouchEvaluation *
vouch_evaluate(VouchCase *input)
{
	const VouchPolicy *policy = input->policy;
	VouchEvaluation *evaluation = palloc0(sizeof(VouchEvaluation));
	bool		all = policy->nstages > 0;
	bool		expired = false;
	int			asked = 0;

	evaluation->stages = palloc0(sizeof(VouchStageResult) * Max(policy->nstages, 1));
	for (int i = 0; i < policy->nstages; i++)
	{
		VouchStageResult *stage = &evaluation->stages[i];

		stage->stage = &policy->stages[i];
		stage->rules = palloc0(sizeof(VouchRuleResult) * Max(stage->stage->nrules, 1));
		for (int r = 0; r < stage->stage->nrules; r++)
		{
			VouchRuleResult *result = &stage->rules[r];

			result->rule = &stage->stage->rules[r];
			result->asked = &input->asked[result->rule->index];
			result->approvals = palloc(sizeof(int) * Max(result->asked->ngroups, 1));
			if (result->asked->applies)
				asked++;
		}
	}
	weigh_signatures(input, evaluation);
	for (int i = 0; i < policy->nstages; i++)
	{
		VouchStageResult *stage = &evaluation->stages[i];

		stage->opened_at = input->opened_at;
		for (int a = 0; a < stage->stage->nafter; a++)
			for (int j = 0; j < i; j++)
				if (policy->stages[j].stage_no == stage->stage->after[a])
				{
					TimestampTz at = completed_at(input, &policy->stages[j]);

					stage->opened_at = Max(stage->opened_at, at);
				}
		if (stage->open && stage->stage->due >= 0)
			stage->due_at = stage->opened_at + stage->stage->due;
		if (stage->open && !stage->satisfied && stage->stage->expire_after >= 0)
		{
			stage->expires_at = stage->opened_at + stage->stage->expire_after;
			expired = expired || input->now >= stage->expires_at;
		}
		if (stage->open && stage->stage->escalate_to != NULL && stage->stage->escalate_after >= 0)
			stage->escalates_at = stage->opened_at + stage->stage->escalate_after;
		stage->escalated = input->open && stage->escalates_at != 0 && input->now >= stage->escalates_at;
		all = all && stage->satisfied;
	}
	/* What asks for nobody's signature is not approved for that. */
	if (evaluation->outcome == VOUCH_OUTCOME_OPEN && all && asked > 0)
		evaluation->outcome = VOUCH_OUTCOME_SATISFIED;
	else if (evaluation->outcome == VOUCH_OUTCOME_OPEN && expired)
		evaluation->outcome = VOUCH_OUTCOME_EXPIRED;
	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
			vouch_candidates_find(input, evaluation, &evaluation->stages[i], &evaluation->stages[i].rules[r]);
	return evaluation;
}
