/*
 * deadline.h
 *	  What time does to open requests.
 */
#ifndef VOUCH_APPROVAL_DEADLINE_H
#define VOUCH_APPROVAL_DEADLINE_H

#include "utils/timestamp.h"

/* Behind vouch_deadlines_hook of core/event.h, which says what it does. */
extern int	vouch_deadlines_process(int max, TimestampTz *next_due);

#endif							/* VOUCH_APPROVAL_DEADLINE_H */
