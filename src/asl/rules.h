/*
 * rules.h
 *	  Reading the rules of a Choice state.
 */
#ifndef ASL_RULES_H
#define ASL_RULES_H

#include "asl/compile.h"

/* Fills the rules and the Default of a Choice state. */
extern void asl_compile_choices(AslCompiler *compiler, AslState *state, const AslValue *value);

#endif							/* ASL_RULES_H */
