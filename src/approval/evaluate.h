/*
 * evaluate.h
 *	  What a policy says of a version: who may sign, what is missing, and what
 *	  the signatures amount to.  Pure: rows and one "now" in, a decision out;
 *	  no relation is opened, no setting read, no clock asked.
 */
#ifndef VOUCH_APPROVAL_EVALUATE_H
#define VOUCH_APPROVAL_EVALUATE_H

#include "core/digest.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define VOUCH_ROLE_AUTO "@auto"

/* ---- the policy ---------------------------------------------------------- */

/* What must be said of the items before somebody may approve. */
typedef enum VouchItemRule
{
	VOUCH_ITEMS_NONE,			/* nothing */
	VOUCH_ITEMS_DECIDED,		/* each is approved or rejected */
	VOUCH_ITEMS_ALL_APPROVED
} VouchItemRule;

/* When a rule is asked for; all of it must hold.  Judged when a version is submitted. */
typedef struct VouchCondition
{
	Jsonb	   *metadata;		/* that the version's metadata must contain; or NULL */
	Jsonb	   *item;			/* that payloads must contain, to be counted; or NULL */
	int64		min_items;		/* how many there must be; 0: any number */
} VouchCondition;

typedef struct VouchRule
{
	int			rule_no;
	int			index;			/* among all rules of the policy, from 0 */
	const char *role;			/* or VOUCH_ROLE_AUTO */
	int			quorum;			/* people, from each group */
	int			ngroups;
	const char **groups;		/* scopes of the role; none: the version's own scope */
	const char *group_by;		/* payload field whose values are the groups; or NULL */
	bool		several_groups; /* may one person sign for more than one of them? */
	Jsonb	   *scope;			/* what payloads of the items that it is for contain; NULL: all items */
	VouchCondition *applies_if; /* or NULL: always */
	bool		carry;			/* a signature stays good in a later round that changed nothing of it */
	int64		ttl;			/* microseconds that an approval counts; -1: for ever */
	const char *meaning;
	bool		not_creator;
	bool		not_contributors;
	bool		not_submitter;
	bool		not_other_signers;	/* nobody who signs another rule of the version */
	int64		reauth_max_age; /* microseconds since the login; -1: any */
	bool		delegable;
	bool		veto;			/* one rejection ends it; else it takes quorum of them */
} VouchRule;

typedef struct VouchStage
{
	int			stage_no;
	const char *name;
	int			nafter;
	int		   *after;			/* stages that come first, by number */
	bool		may_return;		/* reviewers may send the version back */
	int64		due;			/* microseconds from its opening; -1: none */
	int64		escalate_after; /* likewise */
	const char *escalate_to;	/* role that may sign then, too; or NULL */
	int64		remind_every;	/* likewise; -1: never */
	int64		expire_after;	/* likewise: then the request ends, unapproved */
	int			nrules;
	VouchRule  *rules;
} VouchStage;

typedef struct VouchPolicy
{
	const char *name;
	int			revision;
	const char *description;
	VouchItemRule items;
	bool		allow_empty;	/* a version without items may be submitted */
	int			nrules;			/* of all stages */
	int			nstages;
	VouchStage *stages;			/* a stage comes after stages before it in the array only */
} VouchPolicy;

/* ---- what it is held against ---------------------------------------------- */

typedef enum VouchSignVerdict
{
	VOUCH_SIGN_APPROVE,
	VOUCH_SIGN_REJECT,
	VOUCH_SIGN_NEEDS_CHANGES,
	VOUCH_SIGN_REVOKE			/* takes back an earlier signature */
} VouchSignVerdict;

typedef struct VouchSigned
{
	int			signature_no;
	int			stage_no;
	int			rule_no;
	const char *role;			/* as which it was given */
	const char *group;			/* or NULL */
	VouchSignVerdict verdict;
	const char *signer;
	const char *acting_for;		/* or NULL */
	TimestampTz signed_at;
	VouchDigest digest;			/* of content and verdicts as signed, of the items that it is for */
	int			revokes;		/* number of the signature that this takes back; or 0 */
	int			from_version;	/* carried from this signature; or 0 */
	int			from_round;
	int			from_signature;
	/* set by the evaluation: */
	bool		stale;			/* what it is for has changed since */
	bool		revoked;
	bool		expired;		/* older than the rule lets it be */
	bool		overtaken;		/* older than what its stage waits for, as that is signed now */
	bool		counts;
} VouchSigned;

/*
 * What a rule asks of this version: found in its items and metadata when it
 * is submitted, which freezes both.
 */
typedef struct VouchAsked
{
	bool		applies;
	const char *why_not;		/* else: "fewer than 3 items contain {…}" */
	int			ngroups;
	const char **groups;		/* scopes of the role, each of which must sign */
	int		   *parts;			/* what a signature is for, of each group, or at 0: index into digests */
} VouchAsked;

/* A role that somebody holds. */
typedef struct VouchHolder
{
	const char *actor;
	const char *role;
	const char *scope;			/* '': all */
} VouchHolder;

/* A delegation that is valid now. */
typedef struct VouchDelegate
{
	pg_uuid_t	id;
	const char *from_actor;
	const char *to_actor;
	const char *role;
	const char *scope;			/* '': all that from_actor holds */
} VouchDelegate;

typedef struct VouchCase
{
	const VouchPolicy *policy;
	const char *scope;			/* of the artifact */
	const char *creator;
	const char *submitter;		/* or NULL */
	int			ncontributors;
	const char **contributors;
	int			nsigned;
	VouchSigned *signatures;	/* of this round, in order */
	const VouchAsked *asked;	/* of each rule, by its index */
	int			nparts;			/* the whole version, and the parts that rules are for */
	VouchDigest *digests;		/* of content and verdicts of each part, now */
	int			nholders;
	const VouchHolder *holders; /* by actor and role, as strcmp() has them */
	int			ndelegates;
	const VouchDelegate *delegates; /* those of one role between the same two side by side */
	bool		open;			/* is the request open? */
	const char *closed_because; /* else: "the version is a draft" */
	TimestampTz opened_at;
	TimestampTz now;
} VouchCase;

/* ---- what comes out -------------------------------------------------------- */

typedef enum VouchWhy
{
	VOUCH_WHY_CAN,				/* may sign now */
	/* never, as things are: */
	VOUCH_WHY_SCOPE,			/* holds the role elsewhere */
	VOUCH_WHY_NOT_DELEGABLE,
	VOUCH_WHY_PRINCIPAL,		/* who delegated does not hold the role */
	VOUCH_WHY_NOT_ASKED,		/* the rule does not apply to the version */
	VOUCH_WHY_DUTIES,			/* made what is to be signed */
	VOUCH_WHY_ROLE,				/* no longer holds the role that they signed for */
	/* not (or not again): */
	VOUCH_WHY_SIGNED,
	VOUCH_WHY_SIGNED_FOR,		/* delegate and principal count as one */
	VOUCH_WHY_OTHER_SIGNER,		/* signed another rule, and different people are asked for */
	VOUCH_WHY_CLOSED,			/* the request is not open */
	VOUCH_WHY_STAGE,			/* the stage is not open yet */
	VOUCH_WHY_SATISFIED			/* the rule has all its signatures */
} VouchWhy;

typedef struct VouchCandidate
{
	const char *actor;
	const char *acting_for;		/* or NULL */
	int			ndelegations;	/* that are valid now, by acting_for */
	const VouchDelegate *delegations;
	const VouchDelegate *delegation;	/* of these, the one by which; or NULL */
	const char *role;			/* as which */
	const char *group;			/* that the signature would count for, or NULL */
	bool		eligible;		/* holds the role, and is kept out by no duty */
	VouchWhy	why;
	const char *text;			/* the same in words: "created the version" */
	const char *way_out;		/* where all groups of theirs are taken: who could make room; or NULL */
	const VouchSigned *signature;	/* the last one on this rule, or NULL */
} VouchCandidate;

typedef struct VouchRuleResult
{
	const VouchRule *rule;
	const VouchAsked *asked;
	int			needed;			/* quorum times groups; 0 when it does not apply */
	int			have;
	int			rejections;
	int		   *approvals;		/* that count, of each group; or at 0, of all */
	bool		satisfied;
	int			completed;		/* number of the last signature that made it so */
	int			ncandidates;
	VouchCandidate *candidates; /* sorted by actor, own right before delegations */
} VouchRuleResult;

typedef struct VouchStageResult
{
	const VouchStage *stage;
	bool		open;			/* what comes first is satisfied */
	bool		satisfied;
	int			completed;		/* number of the last signature that made it so */
	bool		escalated;
	TimestampTz opened_at;		/* valid when open */
	TimestampTz due_at;			/* 0: none, or not open */
	TimestampTz escalates_at;	/* likewise: from when on escalate_to may sign, too */
	TimestampTz expires_at;		/* likewise; none when it is satisfied */
	VouchRuleResult *rules;
} VouchStageResult;

typedef enum VouchOutcome
{
	VOUCH_OUTCOME_OPEN,
	VOUCH_OUTCOME_SATISFIED,
	VOUCH_OUTCOME_REJECTED,
	VOUCH_OUTCOME_RETURNED,
	VOUCH_OUTCOME_EXPIRED		/* an open stage was not satisfied in time */
} VouchOutcome;

typedef struct VouchEvaluation
{
	VouchOutcome outcome;
	VouchStageResult *stages;	/* as many as the policy has */
} VouchEvaluation;

/*
 * Evaluates a case.  Marks the case's signatures as stale and counting.  The
 * result is palloc'd and points into the case.
 */
extern VouchEvaluation *vouch_evaluate(VouchCase *input);

/*
 * Could the people who hold the roles now sign all that is missing?  When not,
 * *problem is one sentence on what is missing and *detail says of each person
 * why not.
 */
extern bool vouch_evaluate_satisfiable(const VouchCase *input,
									   const VouchEvaluation *evaluation,
									   char **problem, char **detail);

/*
 * Would this approval, given next, leave nobody who could give what is then missing, although all of it
 * could be given as things are?  When so, *problem and *detail say what.
 */
extern bool vouch_evaluate_strands(const VouchCase *input, const VouchEvaluation *evaluation,
								   const VouchSigned *next, char **problem, char **detail);

/*
 * May a rule @auto sign in the name of who submits?  Only when nobody else made
 * or changed anything that the version shows; else *other is one who did.
 */
extern bool vouch_evaluate_auto(const VouchCase *input, const char **other);

/* "ann, raj (for kim)": who may sign this rule now, or ever; "" if nobody. */
extern char *vouch_evaluate_who(const VouchRuleResult *rule, bool now);

/* Is a holder's scope good for a needed one? */
extern bool vouch_scope_covers(const char *held, const char *needed);

/* Is a candidate's role, or what was delegated of it, good for a scope? */
extern bool vouch_candidate_covers(const VouchCase *input, const VouchCandidate *c, const char *scope);

/* The scopes that a candidate holds the role for, or is delegated it for, as a list. */
extern char *vouch_candidate_scopes(const VouchCase *input, const VouchCandidate *c);

/* The delegation by which a candidate may sign for a scope; NULL if there is none. */
extern const VouchDelegate *vouch_candidate_delegation(const VouchCandidate *c, const char *scope);

/* How many approvals of a rule count, all or for one of its groups. */
extern int	vouch_count_approvals(const VouchRuleResult *rule, const char *group);

/* The order of VouchCase.holders. */
extern int	vouch_compare_holders(const void *a, const void *b);

/* The part of the version that a signature under a rule is for: index into digests. */
extern int	vouch_asked_part(const VouchAsked *asked, const char *group);

/* Have two pairs of signer and principal a person in common? */
extern bool vouch_share_person(const char *signer1, const char *for1,
							   const char *signer2, const char *for2);

/* Must signatures on two rules, or on one for two groups, come from different people? */
extern bool vouch_signings_exclusive(const VouchRule *a, const char *group_a,
									 const VouchRule *b, const char *group_b);

extern bool vouch_rule_is_auto(const VouchRule *rule);

#endif							/* VOUCH_APPROVAL_EVALUATE_H */
