/*
 * request.h
 *	  A version under its policy: everything that the evaluation needs, loaded,
 *	  and evaluated.
 */
#ifndef VOUCH_APPROVAL_REQUEST_H
#define VOUCH_APPROVAL_REQUEST_H

#include "approval/asked.h"
#include "approval/evaluate.h"
#include "approval/policy.h"
#include "core/fsm.h"
#include "version/version.h"

/* A policy and the people who hold its roles now. */
typedef struct VouchRights
{
	VouchPolicy *policy;
	int			nholders;
	VouchHolder *holders;
	int			ndelegates;
	VouchDelegate *delegates;
} VouchRights;

typedef struct VouchRequest
{
	VouchVersion *version;
	const VouchRights *rights;
	const char *maker_role;		/* of a draft; or NULL */
	int			round;			/* 0: not submitted */
	const char *state;			/* of the request; NULL: not submitted */
	int			nsignatures;
	VouchAsked *asked;			/* of each rule */
	Jsonb	   *asked_json;		/* as it is kept; NULL for a plain policy */
	VouchPart  *parts;			/* what signatures are for, in the order of input.digests */
	bool		measured;		/* are input.digests, and the parts, as things stand? */
	TimestampTz due_at;			/* of one that is being opened; or 0 */
	TimestampTz next_at;		/* when process_deadlines has something to do; 0: never */
	VouchCase	input;
	VouchEvaluation *evaluation;
} VouchRequest;

extern const VouchMachine vouch_request_machine;	/* rules A… */

/* What an event makes of a request; elog where the machine has none. */
extern const VouchTransition *vouch_request_transition(const char *state, const char *event);

/* NULL when there is no such policy.  revision 0: the current one.  Needs SPI_connect(). */
extern VouchRights *vouch_rights_load(const char *policy, int revision, TimestampTz now);

/*
 * Loads what a version's request is judged by, and evaluates it.  A draft is
 * judged as if submitter submitted it now; raises VO207 when its phase has no
 * policy.  rights may hold the request's policy already (else NULL).  Needs
 * SPI_connect(); lives in the current memory context.
 */
extern VouchRequest *vouch_request_load(VouchVersion *version, const char *submitter,
										const VouchRights *rights, TimestampTz now);

/*
 * Keeps what somebody may do as it is until the end of the transaction: waits for whoever
 * is just taking a role or a delegation back, and lets nobody do so who comes later.  After
 * the artifact's lock, and before vouch_request_load().  Needs SPI_connect().
 */
extern void vouch_rights_lock(const char *actor);

/* Measures the parts of an open request or a draft, once. */
extern void vouch_request_measure(VouchRequest *request);

/* The signatures of one round, as stored; needs SPI_connect(). */
extern int	vouch_request_signatures(const VouchVersion *version, int version_no, int round,
									 VouchSigned **signatures);

/* The same again after something was written. */
extern void vouch_request_refresh(VouchRequest *request, TimestampTz now);

/*
 * A draft is about to be submitted by actor: judges it as that request, and
 * returns what the operation says of it, for the log is what the request is held against.
 */
extern Jsonb *vouch_request_begin(VouchRequest *request, const char *actor);

/* Opens the request of a version that was just submitted; after vouch_request_begin(). */
extern void vouch_request_open(VouchRequest *request, const char *actor, const char *notes);

/* A signature to be given. */
typedef struct VouchSigning
{
	const VouchStage *stage;
	const VouchRule *rule;
	const char *role;
	const char *group;			/* or NULL */
	VouchSignVerdict verdict;
	const char *signer;
	const char *acting_for;		/* or NULL */
	const VouchDelegate *delegation;	/* or NULL */
	const char *comment;		/* or NULL */
	const VouchSigned *carried; /* the signature of an earlier round that it repeats; or NULL */
	const VouchSigned *revokes; /* the signature that it takes back; or NULL */
	TimestampTz logged_in_at;	/* when the signer logged in to this session of theirs; or 0 */
} VouchSigning;

/*
 * Writes a signature and its operation; needs the artifact's lock.  actor is
 * who causes it: the signer, but for one that is carried.
 */
extern void vouch_request_sign(VouchRequest *request, const VouchSigning *signing,
							   const char *actor, TimestampTz now);

/* The same, but the evaluation stays as it was: vouch_request_refresh() brings it up to date. */
extern void vouch_request_write_signature(VouchRequest *request, const VouchSigning *signing,
										  const char *actor, TimestampTz now);

/*
 * Ends an open request, and its version with it, as event says: satisfy,
 * reject, return or expire.  Needs the artifact's lock.
 */
extern void vouch_request_close(VouchRequest *request, const char *event, const char *actor,
								const char *acting_for, const char *reason, TimestampTz now);

/*
 * Signs what is to be signed by rule, and carries what can be, then closes the request, and changes the
 * version's state, if the evaluation says so.  Needs the artifact's lock.
 */
extern void vouch_request_settle(VouchRequest *request, const char *actor,
								 const char *acting_for, const char *reason, TimestampTz now);

/* "version 2 of Scoping of cycle-7-report-3" */
extern char *vouch_version_label(const VouchVersion *version);

/* Raises VO106 unless the version is pending and its request open. */
extern void vouch_request_require_open(const VouchRequest *request, const char *verb);

/* Verdicts that stand in the way of an approval. */
typedef struct VouchItemsProblem
{
	int			code;			/* 0: none; else a VOUCH_ERR_… */
	char	   *message;
	char	   *detail;
	char	   *hint;
} VouchItemsProblem;

/* Of the items of a part: those that stand in the way of its approval. */
extern void vouch_request_check_part(VouchRequest *request, int part, VouchItemsProblem *problem);

/* Of the items that a signature under the rule would be for. */
extern void vouch_request_check_items(VouchRequest *request, const VouchRule *rule,
									  const char *group, VouchItemsProblem *problem);

/* Counts of one part, as vouch_request_check_items() has them. */
extern VouchCounts vouch_request_counts(VouchRequest *request, int part);

/* The part that a signature under a rule is for. */
extern int	vouch_request_part(const VouchRequest *request, const VouchRule *rule, const char *group);

extern const char *vouch_verdict_name(VouchSignVerdict verdict);

/* carry.c: what becomes of the signatures of the round before. */
typedef struct VouchCarry
{
	const VouchSigned *from;	/* of the round before */
	const VouchStage *stage;	/* of the policy now; NULL: it has no such rule */
	const VouchRule *rule;
	const VouchCandidate *candidate;	/* who would be carried; NULL when why_not */
	const VouchRuleResult *result;	/* of rule, as things stand; likewise */
	const char *why_not;		/* why it must be given anew; NULL: it is carried */
} VouchCarry;

typedef struct VouchBefore
{
	int			version_no;		/* 0: there was no round before */
	int			round;
	bool		same_policy;
	int			ncarries;
	VouchCarry *carries;
} VouchBefore;

/* Looks at the round before; of a draft, as if it were submitted now.  Needs SPI_connect(). */
extern void vouch_carry_find(VouchRequest *request, VouchBefore *before);

/* Gives the signatures that can be carried now; false if there are none. */
extern bool vouch_carry_now(VouchRequest *request, const char *actor, TimestampTz now);

/* deadline.c: notes when time has something to do with an open request. */
extern void vouch_request_schedule(VouchRequest *request);

extern bool vouch_policy_is_timed(const VouchPolicy *policy);
extern bool vouch_policy_carries(const VouchPolicy *policy);

/* "report_owner: ann, raj; test_lead: kim": who can sign now; "" if nobody. */
extern char *vouch_request_who(const VouchRequest *request);

/* What signing functions return. */
extern Jsonb *vouch_request_to_json(const VouchRequest *request);

/* The same as a datum of the caller's memory; ends the SPI connection. */
extern Datum vouch_request_finish(const VouchRequest *request, MemoryContext caller);

/* "ann, raj": who holds a role, for a scope or for all; NULL if nobody. */
extern char *vouch_role_holders(const char *role, const char *scope);

/* submit.c: behind vouch_maker_hook and vouch_making_hook. */
extern bool vouch_holds_maker_role(const VouchVersion *version, const char *actor);
extern void vouch_require_maker(int bucket, int artifact_no, const char *actor);

/*
 * sign.c: would the approval of a candidate who can sign leave nobody who could give what is then missing, although
 * all of it could be given as things are?  When so, *problem and *detail say what.
 */
extern bool vouch_request_strands(const VouchRequest *request, const VouchStageResult *stage, const VouchRuleResult *rule,
								  const VouchCandidate *c, char **problem, char **detail);

/* sign.c: raises why somebody may not do this to an open request, as far as roles and duties go. */
extern void vouch_request_refuse(const VouchRequest *request, const char *actor, const char *verb);

#endif							/* VOUCH_APPROVAL_REQUEST_H */
