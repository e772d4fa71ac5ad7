/*
 * program.h
 *	  Building a program from a definition; asl_compile() is in asl.h.
 */
#ifndef ASL_PROGRAM_H
#define ASL_PROGRAM_H

#include "asl/compile.h"

/*
 * Reads a machine that belongs to a Parallel or Map state, or to none.
 * Returns NULL when the value is no machine at all.
 */
extern AslMachine *asl_compile_machine(AslCompiler *compiler, const AslValue *value,
									   AslState *owner, int depth);

#endif							/* ASL_PROGRAM_H */
