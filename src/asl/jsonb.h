/*
 * jsonb.h
 *	  Values from and to the server's jsonb.  Needs the server's headers.
 */
#ifndef ASL_JSONB_H
#define ASL_JSONB_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "asl/asl.h"

/*
 * Returns the value of a jsonb.  Texts are copied, numbers keep every digit.
 * Raises an error when it is nested deeper than the language allows.
 */
extern const AslValue *asl_from_jsonb(Jsonb *jsonb);

/* Is a jsonb nested deeper than asl_from_jsonb() takes? */
extern bool asl_jsonb_too_deep(Jsonb *jsonb);

/* Returns the jsonb of a value. */
extern Jsonb *asl_to_jsonb(const AslValue *value);

#endif							/* ASL_JSONB_H */
