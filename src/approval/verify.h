/*
 * verify.h
 *	  The approvals' part of vouch.verify().
 */
#ifndef VOUCH_APPROVAL_VERIFY_H
#define VOUCH_APPROVAL_VERIFY_H

#include "ledger/ledger.h"

/* Behind vouch_check_approvals_hook.  Needs SPI_connect(). */
extern void vouch_approval_check(int bucket, int artifact_no, VouchCheck *check, VouchCheckMemory *memory);

#endif							/* VOUCH_APPROVAL_VERIFY_H */
