/*
 * candidate.h
 *	  What evaluate.c and candidate.c, the two halves of the evaluation, need of each other.
 */
#ifndef VOUCH_APPROVAL_CANDIDATE_H
#define VOUCH_APPROVAL_CANDIDATE_H

#include "approval/evaluate.h"

static inline bool
vouch_same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static inline bool
vouch_same_or_null(const char *a, const char *b)
{
	return (a == NULL && b == NULL) || vouch_same(a, b);
}

/* What a person did that keeps them from signing the rule; NULL if nothing. */
extern const char *vouch_rule_duty(const VouchCase *input, const VouchRule *rule, const char *actor);

/* NULL when the policy has no such stage or rule. */
extern const VouchStage *vouch_policy_find_stage(const VouchPolicy *policy, int stage_no);
extern const VouchRule *vouch_policy_find_rule(const VouchPolicy *policy, int stage_no, int rule_no);

/* Sets, by stage number, which stages each comes after, also by way of others: a bit for each number. */
extern void vouch_policy_before(const VouchPolicy *policy, uint64 before[64]);

/* Fills in the candidates of a rule; the signatures have been weighed. */
extern void vouch_candidates_find(const VouchCase *input, const VouchEvaluation *evaluation,
								  const VouchStageResult *stage, VouchRuleResult *result);

#endif							/* VOUCH_APPROVAL_CANDIDATE_H */
