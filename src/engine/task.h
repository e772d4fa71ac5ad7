/*
 * task.h
 *	  activity:queue: tasks for workers outside of the database.
 */
#ifndef VOUCH_ENGINE_TASK_H
#define VOUCH_ENGINE_TASK_H

#include "engine/advance.h"

/* activity:queue.  The branch is being run: offers a task and parks it. */
extern void vouch_task_offer(VouchAdvance *adv, VouchBranch *branch, const AslEntry *entry);

/* Finds the branches whose tasks were completed, failed, or missed a heartbeat. */
extern void vouch_task_wake(VouchAdvance *adv);

/*
 * The branch does not wait for its task (or for tables, until.c) any more, if
 * it does at all; the rows go at the next flush.
 */
extern void vouch_task_forget(VouchAdvance *adv, VouchBranch *branch);
extern void vouch_task_flush(VouchAdvance *adv);

/* The first character of a queue's name that it may not have, or "" for none; NULL when it is good. */
extern const char *vouch_task_queue_problem(const char *queue);

#endif							/* VOUCH_ENGINE_TASK_H */
