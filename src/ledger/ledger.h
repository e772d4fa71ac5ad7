/*
 * ledger.h
 *	  The append-only log: one row per operation, a hash chain per artifact.
 */
#ifndef VOUCH_LEDGER_LEDGER_H
#define VOUCH_LEDGER_LEDGER_H

#include "core/digest.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef struct VouchOperation
{
	int			bucket;
	int			artifact_no;
	int			version_no;		/* 0: none */
	const char *operation;		/* "create_version" */
	const char *rule;			/* rule id of the transition, or NULL */
	const char *actor;			/* NULL: the current actor */
	const char *on_behalf_of;	/* or NULL */
	int64		items;			/* how many items it touched */
	const VouchDigest *items_root;	/* Merkle root over them, or NULL */
	Jsonb	   *detail;			/* or NULL */
	const char *error;			/* set: the operation failed */
	TimestampTz at;				/* what its rows have as their time; 0: now */
} VouchOperation;

/*
 * Waits for the artifact's row lock, which orders all that happens to it, and
 * returns the number of its newest version (0: none), or -1 when there is no
 * such artifact.  last_no may be NULL, else gets the last number given out.  What is read after it, in a statement of its own, is
 * how the artifact stands; in REPEATABLE READ and SERIALIZABLE only if nobody changed it since the snapshot
 * was taken, so there to_write raises the serialization failure that a change would be.  Needs SPI_connect().
 */
extern int	vouch_ledger_lock(int bucket, int artifact_no, bool to_write, int *last_no);

/*
 * Appends an operation and returns its number in the artifact's chain.
 * Needs SPI_connect() and the artifact's row lock, which makes the chain.
 * The workflow, activity and attempt come from the acting frame.
 */
extern int32 vouch_ledger_append(const VouchOperation *op);

/*
 * Is a dump being restored, as the guards of our tables see it?  insert: by
 * the rows of one that come in.
 */
extern bool vouch_in_restore(bool insert);

/* What a check found; strings are palloc'd. */
typedef struct VouchCheck
{
	int64		checked;		/* how many things were looked at */
	char	   *first_bad;		/* the first that is wrong, or NULL */
	char	   *detail;			/* what is wrong with it */
	int			version_no;		/* which version is looked at, or 0 */
} VouchCheck;

/* Notes a finding; only the first counts. */
extern void vouch_check_fail(VouchCheck *check, char *what, char *detail);

/*
 * Computes the leaf of every operation of an artifact from the row's content,
 * and checks leaf, chain and numbers.  Each row also goes to the callback, if there is one, in
 * order (version_no 0: none).  Needs SPI_connect().
 */
typedef void (*VouchOperationCallback) (int op_no, const VouchOperation *op, void *arg);
extern void vouch_ledger_verify(int bucket, int artifact_no, VouchCheck *check,
								VouchOperationCallback callback, void *arg);

/*
 * Checks the blocks: each one's hash, their chain, the transactions that they
 * cover, and the operations of all, or of those that have some of subject.
 * Needs SPI_connect().
 */
extern void vouch_blocks_verify(text *subject, VouchCheck *check);

/* What a check reads once for all artifacts of a call: kept is its own, NULL at first, and lives in context. */
typedef struct VouchCheckMemory
{
	MemoryContext context;
	void	   *kept;
} VouchCheckMemory;

/*
 * What the approvals add to the check of an artifact: its versions' states,
 * derived anew from policies and signatures, and the signatures against the
 * log.  What the check says lives in the memory context current at the call.
 * Needs SPI_connect().  Set by src/approval.
 */
typedef void (*VouchCheckHook) (int bucket, int artifact_no, VouchCheck *check, VouchCheckMemory *memory);
extern VouchCheckHook vouch_check_approvals_hook;

#endif							/* VOUCH_LEDGER_LEDGER_H */
