/*
 * interp.h
 *	  Runs a program in memory, on a virtual clock.
 */
#ifndef INTERP_H
#define INTERP_H

#include "asl/value.h"

typedef struct RunOptions
{
	int64_t		start_us;		/* where the virtual clock starts */
	size_t		max_payload;	/* 0: the service's */
	bool		abort_at_rest;	/* abort the execution once nothing can go on by itself */
	size_t		max_events;		/* give up after so many; 0: never */
	int64_t		max_seconds;	/* give up when the clock has gone so far; 0: never */
} RunOptions;

typedef struct RunResult
{
	const char *status;			/* SUCCEEDED, FAILED, TIMED_OUT, ABORTED or GAVE_UP */
	const AslValue *output;
	AslError	error;
	const char **events;		/* the types of the history */
	size_t		nevents;
	int64_t		elapsed_us;
} RunResult;

extern RunResult run_program(const AslProgram *program, const AslValue *input,
							 const RunOptions *options);

#endif							/* INTERP_H */
