/*
 * version.h
 *	  Artifacts and versions for the folders above: find, lock, and the one
 *	  way in which a version changes its state.
 */
#ifndef VOUCH_VERSION_VERSION_H
#define VOUCH_VERSION_VERSION_H

#include "core/digest.h"
#include "core/fsm.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef struct VouchVersion
{
	/* the artifact, under its row lock when vouch_version_lock() was used */
	int			bucket;
	int			artifact_no;
	const char *subject;
	const char *phase;			/* key: "sample_selection" */
	const char *phase_label;	/* "Sample Selection" */
	const char *scope;			/* '' or a line of business */
	const char *item_key;		/* payload field that names an item */
	int			head_no;		/* newest version number */
	/* the version */
	pg_uuid_t	id;
	int			version_no;
	int			parent_no;		/* 0: none */
	const char *state;			/* "draft", "pending_approval", … */
	const char *created_by;
	const char *submitted_by;	/* or NULL */
	int			round;			/* how often it was submitted */
	VouchDigest content_digest; /* valid from submission on */
	bool		has_digest;
	Jsonb	   *metadata;
	const char *carry;			/* of a revision what it carried; NULL for other versions */
	int			last_item_no;	/* last item number given out in the artifact */
	VouchDigest shown;			/* kept by vouch_version_digest(), valid until items change */
	bool		has_shown;
	/* set by who may let somebody decide on parts of it only: else NULL, all items */
	const struct VouchPart *only;
	int			nonly;
} VouchVersion;

/* Verdict counts of a version's items, from version_stat. */
typedef struct VouchCounts
{
	int64		items;			/* approved + rejected + needs_changes + pending */
	int64		pending;
	int64		approved;
	int64		rejected;
	int64		needs_changes;
} VouchCounts;

extern const VouchMachine vouch_version_machine;	/* rules V… */

/*
 * Locks the artifact of a version (FOR NO KEY UPDATE), then reads both.
 * Raises VO102 with a hint when there is no such version.  Strings live in
 * the memory context current at the call, also after SPI_finish().
 * Both need SPI_connect().
 */
extern VouchVersion *vouch_version_lock(const pg_uuid_t *id);

/* The same without the lock, for reading. */
extern VouchVersion *vouch_version_read(const pg_uuid_t *id);

/* The same in a STABLE function, as the statement that called it sees the version. */
extern VouchVersion *vouch_version_show(const pg_uuid_t *id);

/* Counts of stage 1, and of any reviewing stage. */
extern VouchCounts vouch_version_counts(const VouchVersion *version);
extern VouchCounts vouch_version_stage_counts(const VouchVersion *version, int stage);

/* The rule for an event in the version's state, or VO106 with a hint. */
extern const VouchTransition *vouch_version_rule(const VouchVersion *version, const char *event);

/*
 * The one way to change a version's state: looks the rule up, or raises VO106
 * naming the state, the event and what the state allows; writes the row,
 * supersedes the version approved before when the event is "approve",
 * computes the content digest when it is "submit", appends the operation, and
 * calls vouch_version_changed_hook.  actor is who caused it, NULL for who
 * acts; detail goes to the log, reason to the log and to close_reason.
 * Brings *version up to date.  Needs SPI_connect() and the artifact's lock.
 *
 * Events: submit, approve, reject, return, withdraw, expire, supersede.
 */
extern void vouch_version_apply(VouchVersion *version, const char *event,
								const char *actor, const char *on_behalf_of,
								const char *reason, Jsonb *detail);

/*
 * Enters verdicts of a reviewing stage (1 when the policy has no more) into a pending version.
 * decisions is what vouch.decide() takes.  Checks shape and items, and raises
 * VO002 for one outside version->only; who else may decide is the caller's business.  Appends the operation "decide".  Returns
 * how many items it decided.  Needs SPI_connect() and the artifact's lock.
 */
extern int64 vouch_version_decide(VouchVersion *version, int stage, Jsonb *decisions,
								  const char *actor, const char *on_behalf_of);

/* Items that one verdict is for. */
typedef struct VouchWhere
{
	const char *verdict;		/* "approved", "rejected", "needs_changes" */
	const char *notes;			/* or NULL */
	Jsonb	   *contained;		/* the payload contains it; or NULL */
	Datum		path;			/* jsonpath whose first result is neither null nor false; or 0 */
	bool		only_undecided; /* pending or needs_changes */
} VouchWhere;

/* The same for all items that match and have another verdict. */
extern int64 vouch_version_decide_where(VouchVersion *version, int stage, const VouchWhere *where,
										const char *actor, const char *on_behalf_of);

/*
 * Digest of content and verdicts as they stand, for a signature.  Computed once
 * for a *version, and anew after vouch_version_decide().
 */
extern void vouch_version_digest(const VouchVersion *version, VouchDigest *out);

/* Digest of the content alone: what is fixed at submission. */
extern void vouch_version_content_digest(const VouchVersion *version, VouchDigest *out);

/*
 * Everybody who made or changed something that the version shows (its items,
 * carried ones included): distinct names, palloc'd.  Costs what they are, not
 * what the items are.
 */
extern int	vouch_version_contributors(const VouchVersion *version, const char ***names);

/*
 * Does the actor hold the role that makes versions of the version's phase, in
 * its scope?  Set by src/approval, which knows of roles; without it nobody does.
 * Needs SPI_connect().
 */
typedef bool (*VouchMakerHook) (const VouchVersion *version, const char *actor);
extern VouchMakerHook vouch_maker_hook;

/*
 * Raises VO002 when the actor may not make versions of an artifact; before one is made.  Set by src/approval.
 * Needs SPI_connect().
 */
typedef void (*VouchMakingHook) (int bucket, int artifact_no, const char *actor);
extern VouchMakingHook vouch_making_hook;

/* Key of a phase from its key or label, any case; VO101 with a suggestion if none.  Does its own SPI_connect(). */
extern const char *vouch_phase_key(const char *phase);

#endif							/* VOUCH_VERSION_VERSION_H */
