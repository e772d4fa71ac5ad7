/*
 * candidate.c
 *	  Who may sign a rule, now or ever, and why others may not; pure, the half
 *	  of evaluate.c that is about people.
 */
#include "postgres.h"

#include "approval/candidate.h"
#include "approval/evaluate.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

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

char *
vouch_candidate_scopes(const VouchCase *input, const VouchCandidate *c)
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
						   c->role, vouch_candidate_scopes(input, c));
		return;
	}
	if ((did = vouch_rule_duty(input, rule, c->actor)) != NULL)
	{
		c->why = VOUCH_WHY_DUTIES;
		c->text = did;
		return;
	}
	if ((did = vouch_rule_duty(input, rule, c->acting_for)) != NULL)
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

		if (s->counts && vouch_same(s->group, group) && vouch_policy_find_rule(input->policy, s->stage_no, s->rule_no) == rule &&
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
			vouch_signings_exclusive(rule, NULL, vouch_policy_find_rule(input->policy, s->stage_no, s->rule_no), NULL))
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
		while (p < people->n && !vouch_same(people->actors[p], c->actor))
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
		other = vouch_policy_find_rule(input->policy, s->stage_no, s->rule_no);
		/* There may be another group that they can sign for. */
		if (other == rule && rule->several_groups && input->open && stage->open && choose_group(input, result, people, c))
			continue;
		if (other == rule)
		{
			if (vouch_same(s->signer, c->actor) && (s->acting_for == c->acting_for ||
											  vouch_same(s->acting_for, c->acting_for)))
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
			c->text = vouch_same(s->signer, c->actor) ?
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
		if (vouch_same(c->actor, actor) && vouch_same(c->role, role) &&
			(c->acting_for == acting_for || vouch_same(c->acting_for, acting_for)))
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

void
vouch_candidates_find(const VouchCase *input, const VouchEvaluation *evaluation,
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
	roles[1] = stage->escalated && !vouch_same(stage->stage->escalate_to, rule->role) ?
		stage->stage->escalate_to : NULL;
	for (int r = 0; r < lengthof(roles) && roles[r] != NULL; r++)
	{
		for (int i = 0; i < input->nholders; i++)
			if (vouch_same(input->holders[i].role, roles[r]))
				(void) add_candidate(result, &size, input->holders[i].actor, NULL, roles[r], NULL, 0);
		for (int i = 0, n; i < input->ndelegates; i += n)
		{
			const VouchDelegate *d = &input->delegates[i];

			for (n = 1; i + n < input->ndelegates && vouch_same(d[n].role, d->role) &&
				 vouch_same(d[n].from_actor, d->from_actor) && vouch_same(d[n].to_actor, d->to_actor);)
				n++;
			if (vouch_same(d->role, roles[r]))
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
