/*
 * ledger.h
 *	  The append-only log: one row per operation, a hash chain per artifact.
 */
#ifndef VOUCH_LEDGER_LEDGER_H
#define VOUCH_LEDGER_LEDGER_H

#include "core/digest.h"
#include "utils/jsonb.h"
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
} VouchOperation;

/*
 * Appends an operation and returns its number in the artifact's chain.
 * Needs SPI_connect() and the artifact's row lock, which makes the chain.
 * The workflow, activity and attempt come from the acting frame.
 */
extern int32 vouch_ledger_append(const VouchOperation *op);

#endif							/* VOUCH_LEDGER_LEDGER_H */
