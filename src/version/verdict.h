/*
 * verdict.h
 *	  Writes verdicts on items, many in one call.
 */
#ifndef VOUCH_VERSION_VERDICT_H
#define VOUCH_VERSION_VERDICT_H

#include "version/store.h"
#include "version/version.h"

typedef enum VouchVerdict
{
	VOUCH_PENDING, VOUCH_APPROVED, VOUCH_REJECTED, VOUCH_NEEDS_CHANGES, VOUCH_NVERDICTS
} VouchVerdict;

extern const char *const vouch_verdict_names[VOUCH_NVERDICTS];

/* Parallel arrays, one entry an item. */
typedef struct VouchVerdicts
{
	int			n;
	const VouchVerdict *status;
	const Datum *notes;			/* text, or 0 */
	const VouchFound *found;	/* the item's row of the stage; from_no 0: it has none yet */
	const VouchFound *base;		/* that of stage 1 */
} VouchVerdicts;

/* Writes the rows, not counts nor the log.  Needs SPI_connect() and the artifact's lock, under which the rows were found. */
extern void vouch_verdict_write(const VouchVersion *version, int stage, const VouchVerdicts *what, const char *actor,
								const char *on_behalf_of, TimestampTz at_time);

#endif							/* VOUCH_VERSION_VERDICT_H */
