/*
 * program.h
 *	  Compiled definitions, kept for the session.
 */
#ifndef VOUCH_ENGINE_PROGRAM_H
#define VOUCH_ENGINE_PROGRAM_H

#include "asl/asl.h"
#include "utils/jsonb.h"

typedef struct VouchProgram
{
	const char *workflow;
	int			revision;
	const char *run_as;
	bool		shipped;		/* came with the extension: a template, see vouch_start_execution() */
	AslProgram *asl;
	bool		uses_context;	/* some text of it mentions "$$" */
	bool		uses_vouch;		/* … its member Vouch, which the service does not have */
	bool		uses_uuid;		/* … States.UUID */
} VouchProgram;

/*
 * A revision, compiled; 0 is the newest one.  Raises VO402 when there is none.
 * Lives until the end of the transaction, at least.  Needs SPI_connect().
 */
extern const VouchProgram *vouch_program_get(const char *workflow, int revision);

/* The same for a revision that a caller gave; NULL is the newest one, and 0 is none. */
extern const VouchProgram *vouch_program_named(const char *workflow, const int *revision);

/* As vouch_program_get(), or NULL when there is none and missing_ok. */
extern const VouchProgram *vouch_program_find(const char *workflow, int revision, bool missing_ok);

/* What is wrong with a definition, as text "error at /a/b: …" lines; for VO401. */
extern char *vouch_program_problems(const AslProblem *problems, int *nerrors);

/* The definition of a state, as it is written. */
extern const AslValue *vouch_program_written(const AslProgram *program, const AslState *state);

#endif							/* VOUCH_ENGINE_PROGRAM_H */
