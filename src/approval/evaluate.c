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
 * One file because all of it is one pure function with its helpers: rows and
 * one "now" in, a decision out, and nothing else may judge.
 */
#include "postgres.h"

#include "approval/evaluate.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

static bool
same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

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
		if (same(input->contributors[i], actor))
			return true;
	return false;
}

/* What a person did that keeps them from signing the rule; NULL if nothing. */
static const char *
duty(const VouchCase *input, const VouchRule *rule, const char *actor)
{
	if (actor == NULL || vouch_rule_is_auto(rule))
		return NULL;
	if (rule->not_creator && same(input->creator, actor))
		return "created the version";
	if (rule->not_contributors && is_contributor(input, actor))
		return "contributed to the version";
	if (rule->not_submitter && same(input->submitter, actor))
		return "submitted the version";
	return NULL;
}

static const VouchStage *
find_stage(const VouchPolicy *policy, int stage_no)
{
	for (int i = 0; i < policy->nstages; i++)
		if (policy->stages[i].stage_no == stage_no)
			return &policy->stages[i];
	return NULL;
}

static const VouchRule *
find_rule(const VouchPolicy *policy, int stage_no, int rule_no)
{
	const VouchStage *stage = find_stage(policy, stage_no);

	for (int i = 0; stage != NULL && i < stage->nrules; i++)
		if (stage->rules[i].rule_no == rule_no)
			return &stage->rules[i];
	return NULL;
}

/* Do two pairs of signer and principal have a person in common? */
bool
vouch_share_person(const char *signer1, const char *for1, const char *signer2, const char *for2)
{
	return same(signer1, signer2) || same(signer1, for2) ||
		same(for1, signer2) || same(for1, for2);
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
		return !a->several_groups || group_a == NULL || group_b == NULL || same(group_a, group_b);
	return !vouch_rule_is_auto(a) && !vouch_rule_is_auto(b) && (a->not_other_signers || b->not_other_signers);
}

int
vouch_asked_part(const VouchAsked *asked, const char *group)
{
	for (int g = 0; g < asked->ngroups; g++)
		if (same(asked->groups[g], group))
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
		const VouchRule *rule = find_rule(input->policy, s->stage_no, s->rule_no);
		const VouchAsked *asked = rule != NULL ? &input->asked[rule->index] : NULL;

		if (s->verdict == VOUCH_SIGN_REVOKE || asked == NULL || !asked->applies)
			continue;
		s->stale = memcmp(&s->digest, &input->digests[vouch_asked_part(asked, s->group)],
						  sizeof(VouchDigest)) != 0;
		s->expired = rule->ttl >= 0 && s->verdict == VOUCH_SIGN_APPROVE &&
			input->now >= s->signed_at + rule->ttl;
		s->counts = !s->stale && !s->revoked && !s->expired && !s->overtaken &&
			duty(input, rule, s->signer) == NULL &&
			duty(input, rule, s->acting_for) == NULL;
		if (s->counts && vouch_rule_is_auto(rule) && !same(s->signer, input->submitter))
			s->counts = false;
		for (int j = 0; j < i && s->counts; j++)
		{
			const VouchSigned *earlier = &input->signatures[j];
			const VouchRule *other;

			if (!earlier->counts ||
				!vouch_share_person(s->signer, s->acting_for, earlier->signer, earlier->acting_for))
				continue;
			other = find_rule(input->policy, earlier->stage_no, earlier->rule_no);
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
		if (same(asked->groups[g], group))
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
	const VouchStage *stage = find_stage(policy, s->stage_no);

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

/* ---- who may sign ------------------------------------------------------------ */

int
vouch_compare_holders(const void *a, const void *b)
{
	const VouchHolder *x = a;
	const VouchHolder *y = b;
	int			c = strcmp(x->actor, y->actor);

	return c != 0 ? c : strcmp(x->role, y->role);
}

/* The first that somebody holds a role by; the others follow.  NULL: none. */
static const VouchHolder *
first_holder(const VouchCase *input, const char *actor, const char *role)
{
	VouchHolder key = {actor, role};
	int			low = 0,
				high = input->nholders;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (vouch_compare_holders(&input->holders[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < input->nholders && vouch_compare_holders(&input->holders[low], &key) == 0 ?
		&input->holders[low] : NULL;
}

static const VouchHolder *
next_holder(const VouchCase *input, const VouchHolder *h)
{
	const VouchHolder *next = h + 1;

	return next < input->holders + input->nholders && vouch_compare_holders(next, h) == 0 ? next : NULL;
}

/* Does somebody hold a role where it is needed, and for a delegation, where that reaches? */
static bool
holds(const VouchCase *input, const char *actor, const char *role, const char *scope)
{
	for (const VouchHolder *h = first_holder(input, actor, role); h != NULL; h = next_holder(input, h))
		if (vouch_scope_covers(h->scope, scope))
			return true;
	return false;
}

const VouchDelegate *
vouch_candidate_delegation(const VouchCandidate *c, const char *scope)
{
	for (int i = 0; i < c->ndelegations; i++)
		if (vouch_scope_covers(c->delegations[i].scope, scope))
			return &c->delegations[i];
	return NULL;
}

/* Is the candidate's role, or what was delegated of it, good for a scope? */
bool
vouch_candidate_covers(const VouchCase *input, const VouchCandidate *c, const char *scope)
{
	if (c->acting_for != NULL)
		return vouch_candidate_delegation(c, scope) != NULL && holds(input, c->acting_for, c->role, scope);
	return holds(input, c->actor, c->role, scope);
}

static char *
scopes_held(const VouchCase *input, const VouchCandidate *c)
{
	StringInfoData buf;
	const char *holder = c->acting_for != NULL ? c->acting_for : c->actor;

	initStringInfo(&buf);
	if (c->ndelegations > 0 && vouch_candidate_delegation(c, "") == NULL)
		for (int i = 0; i < c->ndelegations; i++)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", c->delegations[i].scope);
	else
		for (const VouchHolder *h = first_holder(input, holder, c->role); h != NULL; h = next_holder(input, h))
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", h->scope);
	return buf.data;
}

/* The part of a candidate's standing that only grants and duties decide. */
static void
judge_eligible(const VouchCase *input, const VouchRule *rule, VouchCandidate *c)
{
	const VouchAsked *asked = &input->asked[rule->index];
	const char *did;
	bool		covers = false;

	if (!asked->applies)
	{
		c->why = VOUCH_WHY_NOT_ASKED;
		c->text = psprintf("is not asked: %s", asked->why_not);
		return;
	}
	if (c->delegation != NULL && !rule->delegable)
	{
		c->why = VOUCH_WHY_NOT_DELEGABLE;
		c->text = psprintf("%s cannot be delegated in this policy", c->role);
		return;
	}
	if (c->acting_for != NULL && c->delegation == NULL)
	{
		c->why = VOUCH_WHY_PRINCIPAL;
		c->text = psprintf("no delegation by \"%s\" is valid now", c->acting_for);
		return;
	}
	if (first_holder(input, c->acting_for != NULL ? c->acting_for : c->actor, c->role) == NULL)
	{
		c->why = c->acting_for != NULL ? VOUCH_WHY_PRINCIPAL : VOUCH_WHY_ROLE;
		c->text = c->acting_for != NULL ?
			psprintf("\"%s\" does not hold %s", c->acting_for, c->role) :
			psprintf("does not hold %s now", c->role);
		return;
	}
	for (int g = 0; g < Max(asked->ngroups, 1) && !covers; g++)
	{
		const char *scope = asked->ngroups > 0 ? asked->groups[g] : input->scope;

		covers = vouch_candidate_covers(input, c, scope);
		/* Of several delegations between the same two, the first that reaches it is the one. */
		if (covers && c->delegation != NULL)
			c->delegation = vouch_candidate_delegation(c, scope);
	}
	if (!covers)
	{
		c->why = VOUCH_WHY_SCOPE;
		c->text = psprintf("%s %s for %s only", c->delegation ? "is delegated" : "holds",
						   c->role, scopes_held(input, c));
		return;
	}
	if ((did = duty(input, rule, c->actor)) != NULL)
	{
		c->why = VOUCH_WHY_DUTIES;
		c->text = did;
		return;
	}
	if ((did = duty(input, rule, c->acting_for)) != NULL)
	{
		c->why = VOUCH_WHY_DUTIES;
		c->text = psprintf("would act for \"%s\", who %s", c->acting_for, did);
		return;
	}
	c->eligible = true;
}

/* Has one of a candidate's people signed for a group of the rule already? */
static bool
has_signed_for(const VouchCase *input, const VouchRule *rule, const VouchCandidate *c, const char *group)
{
	for (int i = 0; i < input->nsigned; i++)
	{
		const VouchSigned *s = &input->signatures[i];

		if (s->counts && same(s->group, group) && find_rule(input->policy, s->stage_no, s->rule_no) == rule &&
			vouch_share_person(c->actor, c->acting_for, s->signer, s->acting_for))
			return true;
	}
	return false;
}

/* ---- groups ------------------------------------------------------------------ */

/*
 * Who could still sign for which groups of a rule, each for one.  People in their own right only: whoever
 * may act for somebody counts as one with them, and reaches no further.
 */
typedef struct People
{
	int			n;
	const char **actors;
	bool	   *fits;			/* of each person, each group */
} People;

/* May somebody not sign the rule any more, because of what counts already? */
static bool
is_spent(const VouchCase *input, const VouchRule *rule, const char *actor)
{
	for (int i = 0; i < input->nsigned; i++)
	{
		const VouchSigned *s = &input->signatures[i];

		if (s->counts && vouch_share_person(actor, NULL, s->signer, s->acting_for) &&
			vouch_signings_exclusive(rule, NULL, find_rule(input->policy, s->stage_no, s->rule_no), NULL))
			return true;
	}
	return false;
}

static void
find_people(const VouchCase *input, const VouchRuleResult *result, People *people)
{
	const VouchAsked *asked = result->asked;

	people->n = 0;
	people->actors = palloc(sizeof(char *) * Max(result->ncandidates, 1));
	people->fits = palloc0((Size) asked->ngroups * Max(result->ncandidates, 1));
	for (int i = 0; i < result->ncandidates; i++)
	{
		const VouchCandidate *c = &result->candidates[i];
		int			p = 0;

		if (!c->eligible || c->acting_for != NULL || is_spent(input, result->rule, c->actor))
			continue;
		/* Once, also who holds the role and the one that it escalates to. */
		while (p < people->n && !same(people->actors[p], c->actor))
			p++;
		if (p == people->n)
			people->actors[people->n++] = c->actor;
		for (int g = 0; g < asked->ngroups; g++)
			if (vouch_candidate_covers(input, c, asked->groups[g]))
				people->fits[p * asked->ngroups + g] = true;
	}
}

/* A way to fill groups: a matching of people, of whom the candidate is the first. */
typedef struct Filling
{
	int			ngroups;
	int		   *missing;		/* of each group: how many more it takes */
	int			npeople;
	const bool **fits;
	int		   *group_of;		/* each person's; -1: none */
	bool	   *tried;			/* groups, while a place is sought */
} Filling;

/* Finds a place for one more, others moving over where they can. */
static bool
find_place(Filling *f, int person)
{
	check_stack_depth();
	for (int g = 0; g < f->ngroups; g++)
		if (f->fits[person][g] && f->missing[g] > 0)
		{
			f->missing[g]--;
			f->group_of[person] = g;
			return true;
		}
	for (int g = 0; g < f->ngroups; g++)
	{
		if (!f->fits[person][g] || f->tried[g])
			continue;
		f->tried[g] = true;
		for (int p = 0; p < f->npeople; p++)
			if (f->group_of[p] == g && find_place(f, p))
			{
				f->group_of[person] = g;
				return true;
			}
	}
	return false;
}

/*
 * The group that a signature of an eligible candidate is for: so that as many as possible can still be
 * signed for by the others, whoever signs first.  A group once signed for is on record with the signature,
 * and is not exchanged for another.
 */
static int
fitting_group(const VouchCase *input, const VouchRuleResult *result, const People *people, const VouchCandidate *c)
{
	int			ngroups = result->asked->ngroups;
	Filling		f = {.ngroups = ngroups};
	bool	   *mine = palloc(ngroups);

	CHECK_FOR_INTERRUPTS();
	f.missing = palloc(sizeof(int) * ngroups);
	f.fits = palloc(sizeof(bool *) * (people->n + 1));
	f.group_of = palloc(sizeof(int) * (people->n + 1));
	f.tried = palloc(ngroups);
	for (int g = 0; g < ngroups; g++)
	{
		mine[g] = vouch_candidate_covers(input, c, result->asked->groups[g]);
		f.missing[g] = Max(result->rule->quorum - result->approvals[g], 0);
	}
	f.fits[f.npeople++] = mine;
	for (int p = 0; p < people->n; p++)
		if (!vouch_share_person(c->actor, c->acting_for, people->actors[p], NULL))
			f.fits[f.npeople++] = people->fits + p * ngroups;
	for (int p = 0; p < f.npeople; p++)
		f.group_of[p] = -1;
	for (int p = 0; p < f.npeople; p++)
	{
		memset(f.tried, 0, ngroups);
		(void) find_place(&f, p);
	}
	return f.group_of[0];
}

/* The group that a signature of an eligible candidate is needed for. */
static bool
choose_group(const VouchCase *input, const VouchRuleResult *result, const People *people, VouchCandidate *c)
{
	const VouchAsked *asked = result->asked;
	int			group = -1;

	if (asked->ngroups == 0)
		return result->approvals[0] < result->rule->quorum;
	if (!result->rule->several_groups)
		group = fitting_group(input, result, people, c);
	for (int g = 0; g < asked->ngroups && result->rule->several_groups && group < 0; g++)
		if (result->approvals[g] < result->rule->quorum &&
			vouch_candidate_covers(input, c, asked->groups[g]) &&
			!has_signed_for(input, result->rule, c, asked->groups[g]))
			group = g;
	if (group < 0)
		return false;
	c->group = asked->groups[group];
	if (c->acting_for != NULL)
		c->delegation = vouch_candidate_delegation(c, c->group);
	return true;
}

/*
 * Where nobody can sign for what is missing, because who could has signed for another group: rights have
 * changed since.  Says whose signature, taken back and given again, would make room for a candidate.
 */
static void
find_ways_out(const VouchCase *input, VouchRuleResult *result)
{
	const VouchAsked *asked = result->asked;

	for (int i = 0; i < result->ncandidates; i++)
		if (result->candidates[i].why == VOUCH_WHY_CAN)
			return;
	for (int i = 0; i < result->ncandidates; i++)
	{
		VouchCandidate *c = &result->candidates[i];

		for (int j = 0; j < result->ncandidates && c->why == VOUCH_WHY_SATISFIED && c->way_out == NULL; j++)
		{
			const VouchCandidate *other = &result->candidates[j];
			const VouchSigned *s = other->signature;

			if (s == NULL || !s->counts || s->group == NULL || !vouch_candidate_covers(input, c, s->group))
				continue;
			for (int g = 0; g < asked->ngroups && c->way_out == NULL; g++)
				if (result->approvals[g] < result->rule->quorum && vouch_candidate_covers(input, other, asked->groups[g]))
					c->way_out = psprintf("\"%s\" has signed for %s, and could sign for %s", s->signer, s->group, asked->groups[g]);
		}
	}
}

/* "stage 2 waits for "review"" */
static char *
waits_for(const VouchCase *input, const VouchEvaluation *evaluation, const VouchStage *stage)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int a = 0; a < stage->nafter; a++)
		for (int i = 0; i < input->policy->nstages; i++)
			if (input->policy->stages[i].stage_no == stage->after[a] &&
				!evaluation->stages[i].satisfied)
				appendStringInfo(&buf, "%s\"%s\"", buf.len > 0 ? ", " : "",
								 input->policy->stages[i].name);
	return psprintf("stage \"%s\" waits for %s", stage->name, buf.data);
}

/* What the signatures given so far and the request's state make of an eligible candidate. */
static void
judge_now(const VouchCase *input, const VouchEvaluation *evaluation,
		  const VouchStageResult *stage, const VouchRuleResult *result, const People *people, VouchCandidate *c)
{
	const VouchRule *rule = result->rule;

	for (int i = 0; i < input->nsigned; i++)
	{
		const VouchSigned *s = &input->signatures[i];
		const VouchRule *other;

		if (!s->counts || !vouch_share_person(c->actor, c->acting_for, s->signer, s->acting_for))
			continue;
		other = find_rule(input->policy, s->stage_no, s->rule_no);
		/* There may be another group that they can sign for. */
		if (other == rule && rule->several_groups && input->open && stage->open && choose_group(input, result, people, c))
			continue;
		if (other == rule)
		{
			if (same(s->signer, c->actor) && (s->acting_for == c->acting_for ||
											  same(s->acting_for, c->acting_for)))
			{
				c->why = VOUCH_WHY_SIGNED;
				c->text = s->verdict == VOUCH_SIGN_APPROVE ? "has signed" :
					s->verdict == VOUCH_SIGN_REJECT ? "has rejected" : "has asked for changes";
			}
			else
			{
				c->why = VOUCH_WHY_SIGNED_FOR;
				c->text = s->acting_for != NULL ?
					psprintf("\"%s\" has signed for \"%s\"", s->signer, s->acting_for) :
					psprintf("\"%s\" has signed", s->signer);
			}
			return;
		}
		if (vouch_signings_exclusive(rule, NULL, other, NULL))
		{
			c->why = VOUCH_WHY_OTHER_SIGNER;
			c->text = same(s->signer, c->actor) ?
				psprintf("has signed as %s, and different people must sign", s->role) :
				psprintf("\"%s\" has signed as %s, and different people must sign",
						 s->signer, s->role);
			return;
		}
	}
	if (!input->open)
	{
		c->why = VOUCH_WHY_CLOSED;
		c->text = input->closed_because;
	}
	else if (evaluation->outcome == VOUCH_OUTCOME_EXPIRED)
	{
		c->why = VOUCH_WHY_CLOSED;
		c->text = "the time to sign ran out";
	}
	else if (!stage->open)
	{
		c->why = VOUCH_WHY_STAGE;
		c->text = waits_for(input, evaluation, stage->stage);
	}
	else if (result->satisfied || !choose_group(input, result, people, c))
	{
		c->why = VOUCH_WHY_SATISFIED;
		c->text = "others have signed";
	}
	else
	{
		c->why = VOUCH_WHY_CAN;
		c->text = c->signature == NULL ? "can sign" :
			c->signature->revoked ? "can sign again: the signature was revoked" :
			c->signature->stale ? "can sign again: verdicts have changed since the signature" :
			c->signature->expired ? "can sign again: the signature has run out" :
			c->signature->overtaken ? "can sign again: what the stage waits for was signed anew since" : "can sign";
	}
}

static VouchCandidate *
add_candidate(VouchRuleResult *result, int *size, const char *actor, const char *acting_for,
			  const char *role, const VouchDelegate *delegations, int ndelegations)
{
	VouchCandidate *c;

	for (int i = 0; i < result->ncandidates; i++)
	{
		c = &result->candidates[i];
		if (same(c->actor, actor) && same(c->role, role) &&
			(c->acting_for == acting_for || same(c->acting_for, acting_for)))
			return c;
	}
	if (result->ncandidates == *size)
	{
		*size = Max(8, *size * 2);
		result->candidates = result->candidates == NULL ?
			palloc(*size * sizeof(VouchCandidate)) :
			repalloc(result->candidates, *size * sizeof(VouchCandidate));
	}
	c = &result->candidates[result->ncandidates++];
	memset(c, 0, sizeof(*c));
	c->actor = actor;
	c->acting_for = acting_for;
	c->role = role;
	c->ndelegations = ndelegations;
	c->delegations = c->delegation = delegations;
	return c;
}

static int
compare_candidates(const void *a, const void *b)
{
	const VouchCandidate *x = a;
	const VouchCandidate *y = b;
	int			c = strcmp(x->actor, y->actor);

	if (c == 0)
		c = strcmp(x->acting_for ? x->acting_for : "", y->acting_for ? y->acting_for : "");
	if (c == 0)
		c = strcmp(x->role, y->role);
	return c;
}

static void
find_candidates(const VouchCase *input, const VouchEvaluation *evaluation,
				const VouchStageResult *stage, VouchRuleResult *result)
{
	const VouchRule *rule = result->rule;
	const char *roles[2];
	int			size = 0;
	People		people = {0};
	bool		chooses;

	if (vouch_rule_is_auto(rule))
		return;
	roles[0] = rule->role;
	roles[1] = stage->escalated && !same(stage->stage->escalate_to, rule->role) ?
		stage->stage->escalate_to : NULL;
	for (int r = 0; r < lengthof(roles) && roles[r] != NULL; r++)
	{
		for (int i = 0; i < input->nholders; i++)
			if (same(input->holders[i].role, roles[r]))
				(void) add_candidate(result, &size, input->holders[i].actor, NULL, roles[r], NULL, 0);
		for (int i = 0, n; i < input->ndelegates; i += n)
		{
			const VouchDelegate *d = &input->delegates[i];

			for (n = 1; i + n < input->ndelegates && same(d[n].role, d->role) &&
				 same(d[n].from_actor, d->from_actor) && same(d[n].to_actor, d->to_actor);)
				n++;
			if (same(d->role, roles[r]))
				(void) add_candidate(result, &size, d->to_actor, d->from_actor, roles[r], d, n);
		}
	}
	/* People who signed and hold the role no more are shown, too. */
	for (int i = 0; i < input->nsigned; i++)
	{
		const VouchSigned *s = &input->signatures[i];

		if (s->stage_no == stage->stage->stage_no && s->rule_no == rule->rule_no && s->revokes == 0)
			add_candidate(result, &size, s->signer, s->acting_for, s->role, NULL, 0)->signature = s;
	}
	for (int i = 0; i < result->ncandidates; i++)
		judge_eligible(input, rule, &result->candidates[i]);
	chooses = input->open && stage->open && !result->satisfied && result->asked->ngroups > 0;
	if (chooses && !rule->several_groups)
		find_people(input, result, &people);
	for (int i = 0; i < result->ncandidates; i++)
	{
		VouchCandidate *c = &result->candidates[i];

		if (c->eligible || (c->signature != NULL && c->signature->counts))
			judge_now(input, evaluation, stage, result, &people, c);
	}
	if (chooses)
		find_ways_out(input, result);
	if (result->ncandidates > 1)
		qsort(result->candidates, result->ncandidates, sizeof(VouchCandidate), compare_candidates);
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
			find_candidates(input, evaluation, &evaluation->stages[i],
							&evaluation->stages[i].rules[r]);
	return evaluation;
}
