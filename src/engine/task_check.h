/*
 * task_check.h
 *	  What is wrong with a Task of a definition.
 */
#ifndef VOUCH_ENGINE_TASK_CHECK_H
#define VOUCH_ENGINE_TASK_CHECK_H

#include "asl/asl.h"

typedef struct VouchTaskCheck
{
	Oid			run_as;			/* role whose rights count */
	const char *workflow;		/* the one that is being defined, or NULL */
} VouchTaskCheck;

/*
 * For asl_compile(), with a VouchTaskCheck as its arg: looks up what the
 * Resource and the Parameters of a Task name.  Needs SPI_connect().
 */
extern void vouch_task_check(const char *resource, const AslValue *state, AslTell tell, void *to,
							 void *arg);

#endif							/* VOUCH_ENGINE_TASK_CHECK_H */
