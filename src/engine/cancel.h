/*
 * cancel.h
 *	  Cancellation as an error that a Catch takes.
 */
#ifndef VOUCH_ENGINE_CANCEL_H
#define VOUCH_ENGINE_CANCEL_H

#include "engine/advance.h"

#define VOUCH_CANCELED "Vouch.Canceled"

/*
 * Cancels an execution that is claimed and loaded: closes it when nothing
 * could catch the error, else gives it to its states, which are in the queue
 * then.  reason has to live as long as the advance.
 */
extern void vouch_cancel_deliver(VouchAdvance *adv, const char *reason);

/* Is it the error of this execution's own cancellation? */
extern bool vouch_cancel_is(const VouchAdvance *adv, const AslError *error);
extern AslError vouch_cancel_error(const VouchAdvance *adv);

#endif							/* VOUCH_ENGINE_CANCEL_H */
