/*
 * fail.h
 *	  The errors that activities fail with.
 */
#ifndef VOUCH_ENGINE_FAIL_H
#define VOUCH_ENGINE_FAIL_H

#include "asl/asl.h"

/*
 * Raises VO502 when an activity may not fail with an error of that name: it is
 * empty, too long, or belongs to the language or to Vouch.
 */
extern void vouch_fail_require_name(const char *error);

/* The error of the workflow that an error of the server is. */
extern void vouch_fail_translate(const ErrorData *edata, AslError *error);

#endif							/* VOUCH_ENGINE_FAIL_H */
