/*
 * history.h
 *	  The events of an advance, packed into one row.
 */
#ifndef VOUCH_ENGINE_HISTORY_H
#define VOUCH_ENGINE_HISTORY_H

#include "asl/asl.h"
#include "lib/stringinfo.h"
#include "utils/timestamp.h"

/* The numbers are stored: never change one, only add. */
typedef enum VouchEvent
{
	VOUCH_EV_EXECUTION_STARTED = 1,
	VOUCH_EV_EXECUTION_SUCCEEDED = 2,
	VOUCH_EV_EXECUTION_FAILED = 3,
	VOUCH_EV_EXECUTION_ABORTED = 4,
	VOUCH_EV_EXECUTION_TIMED_OUT = 5,
	VOUCH_EV_PASS_ENTERED = 10,
	VOUCH_EV_PASS_EXITED = 11,
	VOUCH_EV_TASK_ENTERED = 12,
	VOUCH_EV_TASK_EXITED = 13,
	VOUCH_EV_CHOICE_ENTERED = 14,
	VOUCH_EV_CHOICE_EXITED = 15,
	VOUCH_EV_WAIT_ENTERED = 16,
	VOUCH_EV_WAIT_EXITED = 17,
	VOUCH_EV_SUCCEED_ENTERED = 18,
	VOUCH_EV_SUCCEED_EXITED = 19,
	VOUCH_EV_FAIL_ENTERED = 20,
	VOUCH_EV_PARALLEL_ENTERED = 22,
	VOUCH_EV_PARALLEL_EXITED = 23,
	VOUCH_EV_MAP_ENTERED = 24,
	VOUCH_EV_MAP_EXITED = 25,
	VOUCH_EV_TASK_SCHEDULED = 30,
	VOUCH_EV_TASK_STARTED = 31,
	VOUCH_EV_TASK_SUCCEEDED = 32,
	VOUCH_EV_TASK_FAILED = 33,
	VOUCH_EV_TASK_TIMED_OUT = 34,
	VOUCH_EV_ACTIVITY_SCHEDULED = 35,
	VOUCH_EV_ACTIVITY_STARTED = 36,
	VOUCH_EV_ACTIVITY_SUCCEEDED = 37,
	VOUCH_EV_ACTIVITY_FAILED = 38,
	VOUCH_EV_ACTIVITY_TIMED_OUT = 39,
	VOUCH_EV_PARALLEL_STARTED = 40,
	VOUCH_EV_PARALLEL_FAILED = 42,
	VOUCH_EV_MAP_STARTED = 43,
	VOUCH_EV_MAP_SUCCEEDED = 44,
	VOUCH_EV_MAP_FAILED = 45,
	VOUCH_EV_ITERATION_STARTED = 46,
	VOUCH_EV_ITERATION_SUCCEEDED = 47,
	VOUCH_EV_ITERATION_FAILED = 48,
	VOUCH_EV_ITERATION_ABORTED = 49,
	VOUCH_EV_MAP_RUN_STARTED = 50,
	VOUCH_EV_MAP_RUN_SUCCEEDED = 51,
	VOUCH_EV_MAP_RUN_FAILED = 52,
	VOUCH_EV_PAUSED = 60,
	VOUCH_EV_RESUMED = 61,
	VOUCH_EV_REDRIVEN = 62,
	VOUCH_EV_CANCEL_REQUESTED = 63,
	VOUCH_EV_MIGRATED = 64,
	VOUCH_EV_SIGNAL_PASSED_OVER = 65
} VouchEvent;

typedef struct VouchHistory
{
	StringInfoData buf;			/* "[…],[…]" */
	int64		first_event;
	TimestampTz at;
	int64		last_ms;
	const AslValue *last_payload;
} VouchHistory;

struct VouchAdvance;
struct VouchBranch;

/*
 * Notes an event of a branch (NULL: of the execution) and gives its number.
 * payload is the input or output that the event shows, or NULL; actor, when
 * the event is somebody's doing, else NULL.
 */
extern int64 vouch_history_add(struct VouchAdvance *adv, struct VouchBranch *branch,
							   VouchEvent type, const char *state,
							   const AslValue *payload, const char *actor);

extern void vouch_history_begin(struct VouchAdvance *adv);

/* Writes the row, when something was noted. */
extern void vouch_history_flush(struct VouchAdvance *adv);

/* {"error": …, "cause": …} */
extern const AslValue *vouch_history_error(const AslError *error);

#endif							/* VOUCH_ENGINE_HISTORY_H */
