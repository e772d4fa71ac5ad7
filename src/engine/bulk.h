/*
 * bulk.h
 *	  Writes many branches at once.
 */
#ifndef VOUCH_ENGINE_BULK_H
#define VOUCH_ENGINE_BULK_H

#include "engine/advance.h"

typedef struct VouchBulk VouchBulk;

/*
 * A branch that has no row, ended or not begun; written at once, or at the
 * flush.  *bulk is NULL at first.
 */
extern void vouch_bulk_add(VouchBulk **bulk, VouchAdvance *adv, const VouchBranch *branch,
						   const char *status, const AslValue *data);
extern void vouch_bulk_flush(VouchBulk *bulk);

#endif							/* VOUCH_ENGINE_BULK_H */
