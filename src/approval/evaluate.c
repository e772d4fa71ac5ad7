/*
 * evaluate.c
 *	  Evaluates a policy: pure, and the only judge.  Signing, explaining, the
 *	  check at submission, lists of tasks and verification all ask it.
 *
 * What counts: approving signatures over the content and verdicts as they
 * stand, each person once, nobody whom a rule's duties keep out.  A delegate
 * and the person they act for are one person, and both must be free of duties.
 * A signature does not lose its force because a role is taken back later: the
 * right to sign is tested when it is given.
 *
 * One file because all of it is one pure function with its helpers: rows and
 * one "now" in, a decision out, and nothing else may judge.
 */
#include "postgres.h"

#include "approval/evaluate.h"
#include "lib/stringinfo.h"

/* How far the search for a way to fill all signatures goes before it gives the benefit of the doubt. */
#define SEARCH_LIMIT 2000000

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

static bool
is_auto(const VouchRule *rule)
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
	if (actor == NULL || is_auto(rule))
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
static bool
share_person(const char *signer1, const char *for1, const char *signer2, const char *for2)
{
	return same(signer1, signer2) || same(signer1, for2) ||
		same(for1, signer2) || same(for1, for2);
}

/*
 * Must two signatures on different rules come from different people?  When
 * either rule says so.  What was signed by rule is no person's review.
 */
static bool
exclusive(const VouchRule *a, const VouchRule *b)
{
	return !is_auto(a) && !is_auto(b) && (a->not_other_signers || b->not_other_signers);
}

/* Marks what is stale and what counts; earlier signatures go first. */
static void
mark_signatures(VouchCase *input)
{
	for (int i = 0; i < input->nsigned; i++)
	{
		VouchSigned *s = &input->signatures[i];
		const VouchRule *rule = find_rule(input->policy, s->stage_no, s->rule_no);

		s->stale = memcmp(&s->digest, &input->digest, sizeof(VouchDigest)) != 0;
		s->counts = !s->stale && rule != NULL &&
			duty(input, rule, s->signer) == NULL &&
			duty(input, rule, s->acting_for) == NULL;
		if (s->counts && is_auto(rule) && !same(s->signer, input->submitter))
			s->counts = false;
		for (int j = 0; j < i && s->counts; j++)
		{
			const VouchSigned *earlier = &input->signatures[j];
			const VouchRule *other;

			if (!earlier->counts ||
				!share_person(s->signer, s->acting_for, earlier->signer, earlier->acting_for))
				continue;
			other = find_rule(input->policy, earlier->stage_no, earlier->rule_no);
			if (other == rule || exclusive(rule, other))
				s->counts = false;
		}
	}
}

/* How many approvals of a rule count, all or for one group. */
static int
count_approvals(const VouchCase *input, const VouchStage *stage, const VouchRule *rule,
				const char *group)
{
	int			n = 0;

	for (int i = 0; i < input->nsigned; i++)
	{
		const VouchSigned *s = &input->signatures[i];

		if (s->counts && s->verdict == VOUCH_SIGN_APPROVE &&
			s->stage_no == stage->stage_no && s->rule_no == rule->rule_no &&
			(group == NULL || same(s->group, group)))
			n++;
	}
	return n;
}

/*
 * Sums a rule up.  Returns the outcome that its rejections force, OPEN if none.
 */
static VouchOutcome
sum_up(const VouchCase *input, const VouchStage *stage, VouchRuleResult *result)
{
	const VouchRule *rule = result->rule;
	VouchSignVerdict last = VOUCH_SIGN_APPROVE;

	result->needed = rule->quorum * Max(rule->ngroups, 1);
	if (rule->ngroups == 0)
		result->have = Min(count_approvals(input, stage, rule, NULL), rule->quorum);
	for (int g = 0; g < rule->ngroups; g++)
		result->have += Min(count_approvals(input, stage, rule, rule->groups[g]), rule->quorum);
	for (int i = 0; i < input->nsigned; i++)
	{
		const VouchSigned *s = &input->signatures[i];

		if (!s->counts || s->verdict == VOUCH_SIGN_APPROVE ||
			s->stage_no != stage->stage_no || s->rule_no != rule->rule_no)
			continue;
		result->rejections++;
		last = s->verdict;
	}
	result->satisfied = result->have >= result->needed;
	if (result->rejections >= (rule->veto ? 1 : rule->quorum))
		return last == VOUCH_SIGN_NEEDS_CHANGES ? VOUCH_OUTCOME_RETURNED : VOUCH_OUTCOME_REJECTED;
	return VOUCH_OUTCOME_OPEN;
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

/* Does somebody hold a role where it is needed, and for a delegation, where that reaches? */
static bool
holds(const VouchCase *input, const char *actor, const char *role, const char *scope)
{
	for (int i = 0; i < input->nholders; i++)
	{
		const VouchHolder *h = &input->holders[i];

		if (same(h->actor, actor) && same(h->role, role) && vouch_scope_covers(h->scope, scope))
			return true;
	}
	return false;
}

static bool
holds_anywhere(const VouchCase *input, const char *actor, const char *role)
{
	for (int i = 0; i < input->nholders; i++)
		if (same(input->holders[i].actor, actor) && same(input->holders[i].role, role))
			return true;
	return false;
}

/* Is the candidate's role, or what was delegated of it, good for a scope? */
static bool
candidate_covers(const VouchCase *input, const VouchCandidate *c, const char *scope)
{
	if (c->delegation != NULL)
		return vouch_scope_covers(c->delegation->scope, scope) &&
			holds(input, c->acting_for, c->role, scope);
	return holds(input, c->actor, c->role, scope);
}

static char *
scopes_held(const VouchCase *input, const VouchCandidate *c)
{
	StringInfoData buf;
	const char *holder = c->acting_for != NULL ? c->acting_for : c->actor;

	initStringInfo(&buf);
	if (c->delegation != NULL && c->delegation->scope[0] != '\0')
		appendStringInfoString(&buf, c->delegation->scope);
	else
		for (int i = 0; i < input->nholders; i++)
			if (same(input->holders[i].actor, holder) && same(input->holders[i].role, c->role))
				appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", input->holders[i].scope);
	return buf.data;
}

/* The part of a candidate's standing that only grants and duties decide. */
static void
judge_eligible(const VouchCase *input, const VouchRule *rule, VouchCandidate *c)
{
	const char *did;
	bool		covers = false;

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
	if (!holds_anywhere(input, c->acting_for != NULL ? c->acting_for : c->actor, c->role))
	{
		c->why = c->acting_for != NULL ? VOUCH_WHY_PRINCIPAL : VOUCH_WHY_ROLE;
		c->text = c->acting_for != NULL ?
			psprintf("\"%s\" does not hold %s", c->acting_for, c->role) :
			psprintf("does not hold %s now", c->role);
		return;
	}
	if (rule->ngroups == 0)
		covers = candidate_covers(input, c, input->scope);
	for (int g = 0; g < rule->ngroups && !covers; g++)
		covers = candidate_covers(input, c, rule->groups[g]);
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

/* The group that a signature of an eligible candidate is needed for. */
static bool
choose_group(const VouchCase *input, const VouchStage *stage, const VouchRule *rule,
			 VouchCandidate *c)
{
	if (rule->ngroups == 0)
		return count_approvals(input, stage, rule, NULL) < rule->quorum;
	for (int g = 0; g < rule->ngroups; g++)
		if (count_approvals(input, stage, rule, rule->groups[g]) < rule->quorum &&
			candidate_covers(input, c, rule->groups[g]))
		{
			c->group = rule->groups[g];
			return true;
		}
	return false;
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
		  const VouchStageResult *stage, const VouchRuleResult *result, VouchCandidate *c)
{
	const VouchRule *rule = result->rule;

	for (int i = 0; i < input->nsigned; i++)
	{
		const VouchSigned *s = &input->signatures[i];
		const VouchRule *other;

		if (!s->counts || !share_person(c->actor, c->acting_for, s->signer, s->acting_for))
			continue;
		other = find_rule(input->policy, s->stage_no, s->rule_no);
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
		if (exclusive(rule, other))
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
	else if (!stage->open)
	{
		c->why = VOUCH_WHY_STAGE;
		c->text = waits_for(input, evaluation, stage->stage);
	}
	else if (result->satisfied || !choose_group(input, stage->stage, rule, c))
	{
		c->why = VOUCH_WHY_SATISFIED;
		c->text = "others have signed";
	}
	else
	{
		c->why = VOUCH_WHY_CAN;
		c->text = c->signature != NULL && c->signature->stale ?
			"can sign again: verdicts have changed since the signature" : "can sign";
	}
}

static VouchCandidate *
add_candidate(VouchRuleResult *result, int *size, const char *actor, const char *acting_for,
			  const char *role, const VouchDelegate *delegation)
{
	VouchCandidate *c;

	for (int i = 0; i < result->ncandidates; i++)
	{
		c = &result->candidates[i];
		if (same(c->actor, actor) && same(c->role, role) &&
			(c->acting_for == acting_for || same(c->acting_for, acting_for)))
			return c->delegation == delegation ? c : NULL;
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
	c->delegation = delegation;
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

	if (is_auto(rule))
		return;
	roles[0] = rule->role;
	roles[1] = stage->escalated && !same(stage->stage->escalate_to, rule->role) ?
		stage->stage->escalate_to : NULL;
	for (int r = 0; r < lengthof(roles) && roles[r] != NULL; r++)
	{
		for (int i = 0; i < input->nholders; i++)
			if (same(input->holders[i].role, roles[r]))
				(void) add_candidate(result, &size, input->holders[i].actor, NULL, roles[r], NULL);
		for (int i = 0; i < input->ndelegates; i++)
		{
			const VouchDelegate *d = &input->delegates[i];
			bool		better = true;

			if (!same(d->role, roles[r]))
				continue;
			/* Of several delegations between the same two, the first that reaches this version is the one. */
			for (int j = 0; j < input->ndelegates && better; j++)
			{
				const VouchDelegate *o = &input->delegates[j];

				if (j != i && same(o->role, d->role) && same(o->from_actor, d->from_actor) &&
					same(o->to_actor, d->to_actor))
				{
					bool		d_reaches = vouch_scope_covers(d->scope, input->scope);
					bool		o_reaches = vouch_scope_covers(o->scope, input->scope);

					if ((o_reaches && !d_reaches) || (o_reaches == d_reaches && j < i))
						better = false;
				}
			}
			if (better || rule->ngroups > 0)
				(void) add_candidate(result, &size, d->to_actor, d->from_actor, roles[r], d);
		}
	}
	/* People who signed and hold the role no more are shown, too. */
	for (int i = 0; i < input->nsigned; i++)
	{
		const VouchSigned *s = &input->signatures[i];
		bool		known = false;

		if (s->stage_no != stage->stage->stage_no || s->rule_no != rule->rule_no)
			continue;
		for (int j = 0; j < result->ncandidates && !known; j++)
		{
			VouchCandidate *c = &result->candidates[j];

			if (same(c->actor, s->signer) && same(c->role, s->role) &&
				((c->acting_for == NULL && s->acting_for == NULL) || same(c->acting_for, s->acting_for)))
			{
				c->signature = s;
				known = true;
			}
		}
		if (!known)
		{
			VouchCandidate *c = add_candidate(result, &size, s->signer, s->acting_for, s->role, NULL);

			if (c != NULL)
				c->signature = s;
		}
	}
	for (int i = 0; i < result->ncandidates; i++)
	{
		VouchCandidate *c = &result->candidates[i];

		judge_eligible(input, rule, c);
		if (c->eligible || (c->signature != NULL && c->signature->counts))
			judge_now(input, evaluation, stage, result, c);
	}
	if (result->ncandidates > 1)
		qsort(result->candidates, result->ncandidates, sizeof(VouchCandidate), compare_candidates);
}

VouchEvaluation *
vouch_evaluate(VouchCase *input)
{
	const VouchPolicy *policy = input->policy;
	VouchEvaluation *evaluation = palloc0(sizeof(VouchEvaluation));
	bool		all = policy->nstages > 0;

	mark_signatures(input);
	evaluation->outcome = VOUCH_OUTCOME_OPEN;
	evaluation->stages = palloc0(sizeof(VouchStageResult) * Max(policy->nstages, 1));
	for (int i = 0; i < policy->nstages; i++)
	{
		VouchStageResult *stage = &evaluation->stages[i];

		stage->stage = &policy->stages[i];
		stage->rules = palloc0(sizeof(VouchRuleResult) * Max(stage->stage->nrules, 1));
		stage->satisfied = stage->stage->nrules > 0;
		for (int r = 0; r < stage->stage->nrules; r++)
		{
			VouchOutcome forced;

			stage->rules[r].rule = &stage->stage->rules[r];
			forced = sum_up(input, stage->stage, &stage->rules[r]);
			if (!stage->rules[r].satisfied)
				stage->satisfied = false;
			/* A rejection outweighs a wish for changes. */
			if (forced == VOUCH_OUTCOME_REJECTED ||
				(forced == VOUCH_OUTCOME_RETURNED && evaluation->outcome == VOUCH_OUTCOME_OPEN))
				evaluation->outcome = forced;
		}
		/* What comes first stands before it in the array. */
		stage->open = true;
		stage->opened_at = input->opened_at;
		for (int a = 0; a < stage->stage->nafter; a++)
			for (int j = 0; j < i; j++)
				if (policy->stages[j].stage_no == stage->stage->after[a])
				{
					TimestampTz at = completed_at(input, &policy->stages[j]);

					if (!evaluation->stages[j].satisfied)
						stage->open = false;
					stage->opened_at = Max(stage->opened_at, at);
				}
		if (!stage->open)
			stage->satisfied = false;
		if (stage->open && stage->stage->due >= 0)
			stage->due_at = stage->opened_at + stage->stage->due;
		stage->escalated = stage->open && input->open && stage->stage->escalate_to != NULL &&
			stage->stage->escalate_after >= 0 &&
			input->now >= stage->opened_at + stage->stage->escalate_after;
		all = all && stage->satisfied;
	}
	if (evaluation->outcome == VOUCH_OUTCOME_OPEN && all)
		evaluation->outcome = VOUCH_OUTCOME_SATISFIED;
	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
			find_candidates(input, evaluation, &evaluation->stages[i],
							&evaluation->stages[i].rules[r]);
	return evaluation;
}

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

/* ---- can it be satisfied? ------------------------------------------------------ */

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
		if ((other->rule == slot->rule || exclusive(other->rule->rule, slot->rule->rule)) &&
			share_person(c->actor, c->acting_for, other->chosen->actor, other->chosen->acting_for))
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
		(group == NULL || candidate_covers(input, c, group));
}

static char *
list_reasons(const VouchStageResult *stage, const VouchRuleResult *rule)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (rule->ncandidates == 0)
		appendStringInfo(&buf, "Nobody holds %s.", rule->rule->role);
	for (int i = 0; i < rule->ncandidates; i++)
	{
		const VouchCandidate *c = &rule->candidates[i];

		appendStringInfo(&buf, "%s%s%s%s: %s", i == 0 ? "" : "; ", c->actor,
						 c->acting_for ? " for " : "", c->acting_for ? c->acting_for : "",
						 c->eligible ? "could sign" : c->text);
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

bool
vouch_evaluate_satisfiable(const VouchCase *input, const VouchEvaluation *evaluation,
						   char **problem, char **detail)
{
	Search		search = {0};
	int			size = 16;
	StringInfoData roles;

	initStringInfo(&roles);
	search.slots = palloc(size * sizeof(Slot));
	for (int i = 0; i < input->policy->nstages; i++)
	{
		const VouchStageResult *stage = &evaluation->stages[i];

		for (int r = 0; r < stage->stage->nrules; r++)
		{
			const VouchRuleResult *rule = &stage->rules[r];

			if (rule->satisfied)
				continue;
			if (is_auto(rule->rule))
			{
				const char *other;

				if (vouch_evaluate_auto(input, &other))
					continue;
				*problem = psprintf("Stage \"%s\" is signed by rule only for who made all of it alone", stage->stage->name);
				*detail = psprintf("\"%s\" submits it, and \"%s\" had a part in it.", input->submitter, other);
				return false;
			}
			for (int g = 0; g < Max(rule->rule->ngroups, 1); g++)
			{
				const char *group = rule->rule->ngroups > 0 ? rule->rule->groups[g] : NULL;
				int			missing = rule->rule->quorum -
					count_approvals(input, stage->stage, rule->rule, group);
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
					*detail = list_reasons(stage, rule);
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
	/* The hardest first. */
	qsort(search.slots, search.nslots, sizeof(Slot), compare_slots);
	if (fill(&search))
		return true;
	*problem = psprintf("It needs %d signatures of different people", search.nslots);
	*detail = psprintf("Who could sign, by role: %s.", roles.data);
	return false;
}
