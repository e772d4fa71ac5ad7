/*
 * until.h
 *	  vouch:until: waits until a function of the database says so.
 */
#ifndef VOUCH_ENGINE_UNTIL_H
#define VOUCH_ENGINE_UNTIL_H

#include "engine/advance.h"

#define VOUCH_UNTIL_EVERY_MAX (24 * 3600)	/* seconds */

/* The table that "schema.table" in Watch names, or InvalidOid. */
extern Oid	vouch_until_table(const char *table);

/*
 * Asks the predicate, as run_as: the branch is being run, and has its result,
 * or waits for the next look.
 */
extern void vouch_until_ask(VouchAdvance *adv, VouchBranch *branch, const AslEntry *entry);

/* Makes a waiting branch ready for the next look. */
extern void vouch_until_again(VouchAdvance *adv, VouchBranch *branch);

#endif							/* VOUCH_ENGINE_UNTIL_H */
