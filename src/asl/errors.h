/*
 * errors.h
 *	  Reading Retry and Catch.
 */
#ifndef ASL_ERRORS_H
#define ASL_ERRORS_H

#include "asl/compile.h"

/* Fills the retriers and catchers of a state. */
extern void asl_compile_errors(AslCompiler *compiler, AslState *state, const AslValue *value);

#endif							/* ASL_ERRORS_H */
