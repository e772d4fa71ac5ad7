/*
 * check.h
 *	  What is wrong with a program as a whole.
 */
#ifndef ASL_CHECK_H
#define ASL_CHECK_H

#include "asl/compile.h"

/*
 * Tells where states lead nowhere, are not reached, never come to rest or
 * share a name, and how variables are misused.
 */
extern void asl_check_program(AslCompiler *compiler);

#endif							/* ASL_CHECK_H */
