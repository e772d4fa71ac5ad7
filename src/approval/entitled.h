/*
 * entitled.h
 *	  Whether the log of configurations says what signatures and requests rest
 *	  on: that who signed held the role, and that the policy was in force.
 */
#ifndef VOUCH_APPROVAL_ENTITLED_H
#define VOUCH_APPROVAL_ENTITLED_H

#include "ledger/ledger.h"

/*
 * Checks the signatures and the requests of an artifact.  The log of
 * configurations is read once, when the first of them comes, and kept in
 * memory.  All of it in the snapshot of the statement that called us: a role that
 * is granted and used meanwhile is in neither.  Needs SPI_connect().
 */
extern void vouch_entitled_check(int bucket, int artifact_no, VouchCheck *check, VouchCheckMemory *memory);

#endif							/* VOUCH_APPROVAL_ENTITLED_H */
