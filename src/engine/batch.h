/*
 * batch.h
 *	  Rows that hold many iterations each.
 */
#ifndef VOUCH_ENGINE_BATCH_H
#define VOUCH_ENGINE_BATCH_H

#include "engine/advance.h"

/* Writes the iterations that did not begin, when the Map stays open. */
extern void vouch_batch_write_items(VouchAdvance *adv, VouchBranch *parent);

/* Makes the item of a place, which is to begin now, one of those in memory. */
extern void vouch_batch_need_item(VouchAdvance *adv, VouchBranch *parent, int place);

/* Deletes the row whose items have all begun, if there is one. */
extern void vouch_batch_drop_items(VouchAdvance *adv, VouchBranch *parent);

/* Collects the outputs of branches that ended, and writes what was collected; NULL at first. */
typedef struct VouchBatch VouchBatch;
extern void vouch_batch_add_output(VouchBatch **batch, VouchAdvance *adv, const VouchBranch *child);
extern void vouch_batch_flush(VouchBatch *batch);

/* Reads the outputs that rows have, to their places. */
extern void vouch_batch_read_outputs(VouchAdvance *adv, const VouchBranch *parent, const AslValue **outputs);

#endif							/* VOUCH_ENGINE_BATCH_H */
