/*
 * lookup.h
 *	  Keys and payloads of many items at once.
 */
#ifndef VOUCH_VERSION_LOOKUP_H
#define VOUCH_VERSION_LOOKUP_H

#include "version/version.h"

/* Sorts numbers and drops the second of each pair; returns how many remain. */
extern int	vouch_lookup_sort(int *numbers, int n);

/*
 * Look up what belongs to sorted, distinct numbers.  fresh: as vouch_stmt_scan() has it.
 * Results are parallel to numbers, in CurrentMemoryContext, and 0 where there is no row.
 * What has neighbouring numbers (as what was made together has) is read in one
 * go, which costs a tenth of looking each up.  Need SPI_connect().
 */
extern Datum *vouch_lookup_keys(int bucket, int artifact_no, const int *item_nos, int n, bool fresh);	/* text */

/*
 * The same where payloads are at hand (0 where one is missing): most give the
 * key, and only the others are looked up.  Here item_nos may come in any order.
 */
extern Datum *vouch_lookup_keys_with(const VouchVersion *version, const int *item_nos, const Datum *payloads, int n,
									 bool fresh);

extern void vouch_lookup_bodies(int bucket, int artifact_no, const int *body_nos, int n, bool fresh,
								Datum **payloads,	/* jsonb; or NULL */
								Datum **hashes);	/* bytea; or NULL */

/* Where a number is in sorted numbers, or -1. */
extern int	vouch_lookup_index(const int *numbers, int n, int number);

#endif							/* VOUCH_VERSION_LOOKUP_H */
