/*
 * until.h
 *	  vouch:until: waits until a function of the database says so.
 */
#ifndef VOUCH_ENGINE_UNTIL_H
#define VOUCH_ENGINE_UNTIL_H

#include "engine/advance.h"

/* What is wrong with the Parameters of a vouch:until state, or NULL; *code, too. */
extern const char *vouch_until_check(const AslValue *parameters, Oid run_as, const char **code);

/*
 * Asks the predicate, as run_as: the branch is being run, and has its result,
 * or waits for the next look.
 */
extern void vouch_until_ask(VouchAdvance *adv, VouchBranch *branch, const AslEntry *entry);

/* Makes a waiting branch ready for the next look. */
extern void vouch_until_again(VouchAdvance *adv, VouchBranch *branch);

#endif							/* VOUCH_ENGINE_UNTIL_H */
