/*
 * intrinsic.h
 *	  The intrinsic functions: States.Format and its like.
 */
#ifndef ASL_INTRINSIC_H
#define ASL_INTRINSIC_H

#include "asl/path.h"

/* A call being evaluated. */
typedef struct AslCall
{
	AslEnv	   *env;
	const AslValue **args;
	int			nargs;
	const char *problem;		/* a sentence, when the call fails */
} AslCall;

typedef struct AslFunction
{
	const char *name;			/* "States.Format" */
	int			min_args;
	int			max_args;		/* -1: any number */
	const AslValue *(*call) (AslCall *call);
} AslFunction;

extern const AslFunction *asl_find_function(const char *name, size_t len);

#endif							/* ASL_INTRINSIC_H */
