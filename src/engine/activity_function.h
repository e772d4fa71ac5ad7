/*
 * activity_function.h
 *	  sql: activities: which function of the database, with which arguments.
 */
#ifndef VOUCH_ENGINE_ACTIVITY_FUNCTION_H
#define VOUCH_ENGINE_ACTIVITY_FUNCTION_H

#include "asl/asl.h"
#include "executor/spi.h"

#define VOUCH_MAX_ARGS 32		/* as many as the bits of supplied */

typedef struct VouchArgument
{
	const char *name;			/* "" when it has none */
	Oid			type;
	bool		by_text;		/* its input function takes the value; else jsonb_to_record does */
	Oid			input;
	Oid			ioparam;
	SPIPlanPtr	convert;		/* jsonb_to_record, once it was needed */
} VouchArgument;

/* A way of calling: which of the arguments are given. */
typedef struct VouchCall
{
	uint32		supplied;
	SPIPlanPtr	plan;
	struct VouchCall *next;
} VouchCall;

typedef struct VouchFunction
{
	Oid			oid;
	bool		retset;
	Oid			rettype;
	int			nargs;
	int			ndefaults;
	bool		variadic;
	bool		whole;			/* one argument that takes the whole input */
	const char *unfit;			/* why it cannot be an activity, or NULL */
	VouchArgument args[VOUCH_MAX_ARGS];
	VouchCall  *calls;
	struct VouchFunction *next; /* of the same name */
} VouchFunction;

/* "sql:schema.function" in its parts; false when it has another form. */
extern bool vouch_function_split(const char *resource, char **schema, char **name);

/* All functions of the name, NULL when there are none; kept until some function is changed. */
extern VouchFunction *vouch_function_find(const char *resource);

/*
 * A call is under way from begin to end, which an error must not skip: what
 * vouch_function_find() gave stays until then, whatever is changed.
 */
extern void vouch_function_begin(void);
extern void vouch_function_end(void);

/* "schema.function(type, ...)" */
extern char *vouch_function_signature(const VouchFunction *function);

/*
 * The one function that the input fits, and which of its arguments that
 * supplies; or NULL, and a sentence why there is none.  The keys of a template
 * may end in ".$".
 */
extern VouchFunction *vouch_function_choose(const char *resource, VouchFunction *functions, const AslValue *input,
											bool template, uint32 *supplied, const char **problem);

/*
 * Checks what a Task's sql: Resource names, for the role that will run it:
 * the function exists and may be called, and takes the keys of parameters
 * (an object, or NULL when they are not known).  NULL when good, else a
 * sentence, and its code.
 */
extern const char *vouch_function_check(const char *resource, const AslValue *parameters,
										Oid run_as, const char **code);

#endif							/* VOUCH_ENGINE_ACTIVITY_FUNCTION_H */
