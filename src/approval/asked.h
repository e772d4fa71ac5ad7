/*
 * asked.h
 *	  What a policy asks of one version: which of its rules apply, whose
 *	  signatures they want, and which items a signature is for.
 */
#ifndef VOUCH_APPROVAL_ASKED_H
#define VOUCH_APPROVAL_ASKED_H

#include "approval/evaluate.h"
#include "version/part.h"

/* Does no rule depend on what the version holds? */
extern bool vouch_policy_is_plain(const VouchPolicy *policy);

/*
 * Finds what is asked, from the version's items and metadata, by rule index.
 * Needs SPI_connect(); raises VO501 when a field has too many values to be
 * groups.
 */
extern VouchAsked *vouch_asked_find(const VouchVersion *version, const VouchPolicy *policy);

/* As it is kept with a request: NULL when the policy is plain; and back. */
extern Jsonb *vouch_asked_to_json(const VouchPolicy *policy, const VouchAsked *asked);
extern VouchAsked *vouch_asked_from_json(const VouchPolicy *policy, Jsonb *stored);

/*
 * Lists the parts of the version that signatures are for: the whole first,
 * then each other once, always in the same order; and notes in asked which
 * is whose.  Returns how many.
 */
extern int	vouch_asked_parts(const VouchPolicy *policy, VouchAsked *asked, VouchPart **parts);

/*
 * How many items nobody is asked about: none of the rules that apply is for
 * them, or, where items need verdicts, none in a stage that is open from the
 * start.  *first is the key of the first of them, or NULL.  Needs SPI_connect().
 */
extern int64 vouch_asked_uncovered(const VouchVersion *version, const VouchPolicy *policy,
								   const VouchAsked *asked, const VouchPart *parts, int nparts, char **first);

/* Does any rule apply? */
extern bool vouch_asked_any(const VouchPolicy *policy, const VouchAsked *asked);

/*
 * The verdicts that reviewers of a stage enter: those of stage 1 in all stages
 * that are open from the start, their own in a later one.
 */
extern int	vouch_stage_verdicts(const VouchStage *stage);

/* "{"lob_id": "GBM"}, region EU": which items a part has; NULL for all. */
extern char *vouch_part_text(const VouchPart *part);

#endif							/* VOUCH_APPROVAL_ASKED_H */
