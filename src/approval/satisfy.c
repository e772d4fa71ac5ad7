/*
 * satisfy.c
 *	  Could the people who hold the roles give all the signatures that are
 *	  missing?  Pure, as evaluate.c is.
 */
#include "postgres.h"

#include "approval/candidate.h"
#include "approval/evaluate.h"
#include "lib/stringinfo.h"

/* How far the search for a way to fill all signatures goes before it gives the benefit of the doubt. */
#define SEARCH_LIMIT 2000000

/* "ann, raj (for kim)" */
static void
append_name(StringInfo buf, const VouchCandidate *c)
{
	if (buf->len > 0)
		appendStringInfoString(buf, ", ");
	appendStringInfoString(buf, c->actor);
	if (c->acting_for != NULL)
		appendStringInfo(buf, " (for %s)", c->acting_for);
}

char *
vouch_evaluate_who(const VouchRuleResult *rule, bool now)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < rule->ncandidates; i++)
	{
		const VouchCandidate *c = &rule->candidates[i];

		if (now ? c->why == VOUCH_WHY_CAN : c->eligible)
			append_name(&buf, c);
	}
	return buf.data;
}

/* A signature that is still missing. */
typedef struct Slot
{
	const VouchStageResult *stage;
	const VouchRuleResult *rule;
	const char *group;
	int			nchoices;
	const VouchCandidate **choices;
	const VouchCandidate *chosen;
	int			next;			/* choice to be tried next */
} Slot;

typedef struct Search
{
	int			nslots;
	Slot	   *slots;
	int64		comparisons;
} Search;

static int
compare_slots(const void *a, const void *b)
{
	return ((const Slot *) a)->nchoices - ((const Slot *) b)->nchoices;
}

/* May this person take slot n, as the slots before it are filled? */
static bool
is_free(Search *search, int n, const VouchCandidate *c)
{
	const Slot *slot = &search->slots[n];

	for (int j = 0; j < n; j++)
	{
		const Slot *other = &search->slots[j];

		search->comparisons++;
		if (vouch_signings_exclusive(other->rule->rule, other->group, slot->rule->rule, slot->group) &&
			vouch_share_person(c->actor, c->acting_for, other->chosen->actor, other->chosen->acting_for))
			return false;
	}
	return true;
}

/*
 * Fills the slots, each person at most once where that is asked.  After
 * SEARCH_LIMIT comparisons it takes the policy for satisfiable: what cannot be
 * refuted in bounded time is not refused, and still needs every signature.
 */
static bool
fill(Search *search)
{
	int			n = 0;

	while (n < search->nslots)
	{
		Slot	   *slot = &search->slots[n];

		slot->chosen = NULL;
		while (slot->chosen == NULL && slot->next < slot->nchoices)
		{
			const VouchCandidate *c = slot->choices[slot->next++];

			if (is_free(search, n, c))
				slot->chosen = c;
			if (search->comparisons > SEARCH_LIMIT)
				return true;
		}
		if (slot->chosen != NULL)
			n++;
		else if (n == 0)
			return false;
		else
		{
			/* back: the one before takes its next choice */
			slot->next = 0;
			n--;
		}
	}
	return true;
}

bool
vouch_evaluate_auto(const VouchCase *input, const char **other)
{
	*other = NULL;
	if (input->submitter == NULL)
		return false;
	if (strcmp(input->creator, input->submitter) != 0)
		*other = input->creator;
	for (int i = 0; i < input->ncontributors && *other == NULL; i++)
		if (strcmp(input->contributors[i], input->submitter) != 0)
			*other = input->contributors[i];
	return *other == NULL;
}

/* Could this person still give this signature, stages and order aside? */
static bool
is_choice(const VouchCase *input, const VouchCandidate *c, const char *group)
{
	return c->eligible && c->why != VOUCH_WHY_SIGNED && c->why != VOUCH_WHY_SIGNED_FOR &&
		c->why != VOUCH_WHY_OTHER_SIGNER &&
		(group == NULL || vouch_candidate_covers(input, c, group));
}

/* Why each of them cannot sign; for a group, if it is not NULL. */
static char *
list_reasons(const VouchCase *input, const VouchRuleResult *rule, const char *group)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (rule->ncandidates == 0)
		appendStringInfo(&buf, "Nobody holds %s.", rule->rule->role);
	for (int i = 0; i < rule->ncandidates; i++)
	{
		const VouchCandidate *c = &rule->candidates[i];
		const char *why = c->text;

		if (c->eligible && group != NULL && !vouch_candidate_covers(input, c, group))
			why = psprintf("%s %s for %s only", c->delegation ? "is delegated" : "holds", c->role,
						   vouch_candidate_scopes(input, c));
		else if (c->eligible && is_choice(input, c, NULL))
			why = "could sign";
		appendStringInfo(&buf, "%s%s%s%s: %s", i == 0 ? "" : "; ", c->actor,
						 c->acting_for ? " for " : "", c->acting_for ? c->acting_for : "",
						 why);
	}
	if (rule->ncandidates > 0)
		appendStringInfoChar(&buf, '.');
	return buf.data;
}

static char *
list_choices(const VouchCandidate **choices, int n)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < n; i++)
		append_name(&buf, choices[i]);
	return buf.data;
}

static char *
list_not_asked(const VouchEvaluation *evaluation, const VouchPolicy *policy)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
			appendStringInfo(&buf, "%s%s: %s", buf.len > 0 ? "; " : "",
							 policy->stages[i].rules[r].role,
							 evaluation->stages[i].rules[r].asked->why_not);
	appendStringInfoChar(&buf, '.');
	return buf.data;
}

bool
vouch_evaluate_satisfiable(const VouchCase *input, const VouchEvaluation *evaluation,
						   char **problem, char **detail)
{
	Search		search = {0};
	int			size = 16;
	int			asked = 0;
	StringInfoData roles;

	initStringInfo(&roles);
	search.slots = palloc(size * sizeof(Slot));
	for (int i = 0; i < input->policy->nstages; i++)
	{
		const VouchStageResult *stage = &evaluation->stages[i];

		for (int r = 0; r < stage->stage->nrules; r++)
		{
			const VouchRuleResult *rule = &stage->rules[r];

			if (rule->asked->applies)
				asked++;
			if (rule->satisfied)
				continue;
			if (vouch_rule_is_auto(rule->rule))
			{
				const char *other;

				if (vouch_evaluate_auto(input, &other))
					continue;
				*problem = psprintf("Stage \"%s\" is signed by rule only for who made all of it alone", stage->stage->name);
				*detail = psprintf("\"%s\" submits it, and \"%s\" had a part in it.", input->submitter, other);
				return false;
			}
			for (int g = 0; g < Max(rule->asked->ngroups, 1); g++)
			{
				const char *group = rule->asked->ngroups > 0 ? rule->asked->groups[g] : NULL;
				int			missing = rule->rule->quorum -
					vouch_count_approvals(rule, group);
				const VouchCandidate **choices = palloc(sizeof(void *) * Max(rule->ncandidates, 1));
				int			nchoices = 0;

				for (int c = 0; c < rule->ncandidates; c++)
					if (is_choice(input, &rule->candidates[c], group))
						choices[nchoices++] = &rule->candidates[c];
				if (missing > nchoices)
				{
					*problem = psprintf("Stage \"%s\" needs %d of %s%s%s, and %d can sign",
										stage->stage->name, missing, rule->rule->role,
										group ? " for " : "", group ? group : "", nchoices);
					*detail = list_reasons(input, rule, group);
					return false;
				}
				for (int m = 0; m < missing; m++)
				{
					Slot	   *slot;

					if (search.nslots == size)
					{
						size *= 2;
						search.slots = repalloc(search.slots, size * sizeof(Slot));
					}
					slot = &search.slots[search.nslots++];
					slot->stage = stage;
					slot->rule = rule;
					slot->group = group;
					slot->choices = choices;
					slot->nchoices = nchoices;
					slot->chosen = NULL;
					slot->next = 0;
				}
				if (missing > 0)
					appendStringInfo(&roles, "%s%s%s%s: %s", roles.len > 0 ? "; " : "",
									 rule->rule->role, group ? " for " : "", group ? group : "",
									 list_choices(choices, nchoices));
			}
		}
	}
	if (asked == 0)
	{
		*problem = psprintf("None of the rules of policy \"%s\" applies", input->policy->name);
		*detail = list_not_asked(evaluation, input->policy);
		return false;
	}
	/* The hardest first. */
	qsort(search.slots, search.nslots, sizeof(Slot), compare_slots);
	if (fill(&search))
		return true;
	*problem = psprintf("It needs %d signatures of different people", search.nslots);
	*detail = psprintf("Who could sign, by role: %s.", roles.data);
	return false;
}

/* Could somebody's signature stand in the way of another that is missing: do they come into question for one? */
static bool
is_needed_elsewhere(const VouchCase *input, const VouchEvaluation *evaluation, const VouchSigned *next)
{
	const VouchRule *rule = vouch_policy_find_rule(input->policy, next->stage_no, next->rule_no);

	for (int i = 0; i < input->policy->nstages; i++)
		for (int r = 0; r < input->policy->stages[i].nrules; r++)
		{
			const VouchRuleResult *other = &evaluation->stages[i].rules[r];

			if (other->satisfied || (other->rule == rule && other->asked->ngroups <= 1) ||
				!vouch_signings_exclusive(rule, NULL, other->rule, NULL))
				continue;
			for (int c = 0; c < other->ncandidates; c++)
				if (is_choice(input, &other->candidates[c], NULL) &&
					vouch_share_person(next->signer, next->acting_for, other->candidates[c].actor, other->candidates[c].acting_for))
					return true;
		}
	return false;
}

bool
vouch_evaluate_strands(const VouchCase *input, const VouchEvaluation *evaluation, const VouchSigned *next,
					   char **problem, char **detail)
{
	VouchCase	then = *input;
	const VouchEvaluation *after;

	if (!is_needed_elsewhere(input, evaluation, next))
		return false;
	/* a copy: the evaluation marks signatures */
	then.signatures = palloc(sizeof(VouchSigned) * (input->nsigned + 1));
	if (input->nsigned > 0)
		memcpy(then.signatures, input->signatures, sizeof(VouchSigned) * input->nsigned);
	then.signatures[then.nsigned++] = *next;
	after = vouch_evaluate(&then);
	return after->outcome == VOUCH_OUTCOME_OPEN &&
		!vouch_evaluate_satisfiable(&then, after, problem, detail) &&
		vouch_evaluate_satisfiable(input, evaluation, &(char *) {NULL}, &(char *) {NULL});
}
