/*
 * states.h
 *	  Reading the fields of a state.
 */
#ifndef ASL_STATES_H
#define ASL_STATES_H

#include "asl/compile.h"

/* Fills a state from its definition, telling what is wrong with it. */
extern void asl_compile_state(AslCompiler *compiler, AslState *state, const AslValue *value);

#endif							/* ASL_STATES_H */
