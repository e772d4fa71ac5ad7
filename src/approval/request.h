/*
 * request.h
 *	  A version under its policy: everything that the evaluation needs, loaded,
 *	  and evaluated.
 */
#ifndef VOUCH_APPROVAL_REQUEST_H
#define VOUCH_APPROVAL_REQUEST_H

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
	VouchCase	input;
	VouchEvaluation *evaluation;
} VouchRequest;

extern const VouchMachine vouch_request_machine;	/* rules A… */

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

/* The same again after something was written. */
extern void vouch_request_refresh(VouchRequest *request, TimestampTz now);

/* Opens the request of a version that was just submitted. */
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
} VouchSigning;

/* Writes a signature and its operation; needs the artifact's lock. */
extern void vouch_request_sign(VouchRequest *request, const VouchSigning *signing, TimestampTz now);

/*
 * Signs what is to be signed by rule, then closes the request, and changes the
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

extern void vouch_request_check_items(const VouchRequest *request, VouchItemsProblem *problem);

/* "report_owner: ann, raj; test_lead: kim": who can sign now; "" if nobody. */
extern char *vouch_request_who(const VouchRequest *request);

/* What signing functions return. */
extern Jsonb *vouch_request_to_json(const VouchRequest *request);

/* sign.c: behind vouch_maker_hook. */
extern bool vouch_holds_maker_role(const VouchVersion *version, const char *actor);

/* sign.c: raises why somebody may not do this to an open request, as far as roles and duties go. */
extern void vouch_request_refuse(const VouchRequest *request, const char *actor, const char *verb);

#endif							/* VOUCH_APPROVAL_REQUEST_H */
