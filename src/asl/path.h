/*
 * path.h
 *	  JSONPath as the service has it: "$" is the input, "$$" the context
 *	  object, "$name" a variable, "@" the item in a filter.
 */
#ifndef ASL_PATH_H
#define ASL_PATH_H

#include "asl/value.h"

typedef enum AslRoot
{
	ASL_ROOT_INPUT,
	ASL_ROOT_CONTEXT,
	ASL_ROOT_VARIABLE,
	ASL_ROOT_ITEM
} AslRoot;

typedef enum AslStepKind
{
	ASL_STEP_NAME,				/* .a ['a'] */
	ASL_STEP_NAMES,				/* ['a','b'], only at the end: an object of what there is of them */
	ASL_STEP_ALL_NAMES,			/* ..['a','b'] at the end: objects of those who have all */
	ASL_STEP_INDEX,				/* [0] [-1] */
	ASL_STEP_INDEXES,			/* [0,2] */
	ASL_STEP_SLICE,				/* [1:5] [::2] */
	ASL_STEP_ALL,				/* .* [*] */
	ASL_STEP_FILTER,			/* [?(@.a > 1)] */
	ASL_STEP_DEEP_FILTER,		/* ..[?(@.a > 1)] */
	ASL_STEP_DESCEND,			/* .. */
	ASL_STEP_LENGTH				/* .length() */
} AslStepKind;

typedef struct AslFilter AslFilter;

typedef struct AslStep
{
	AslStepKind kind;
	const AslValue *name;		/* NAME */
	const AslValue **names;		/* NAMES, ALL_NAMES */
	int64_t    *indexes;		/* INDEX, INDEXES */
	int			n;				/* of names or indexes */
	bool		has_from;		/* SLICE */
	bool		has_to;
	int64_t		from;
	int64_t		to;
	int64_t		by;
	AslFilter  *filter;			/* FILTER, DEEP_FILTER */
} AslStep;

typedef struct AslPath
{
	const char *text;			/* as written */
	AslRoot		root;
	const AslValue *variable;	/* its name */
	AslStep    *steps;
	int			nsteps;
	bool		definite;		/* finds one value or none; otherwise gives an array */
	bool		reference;		/* only names and indexes: can be assigned to */
} AslPath;

/* What an expression sees while it is evaluated. */
typedef struct AslEnv
{
	const AslFrame *frame;
	const AslValue *input;		/* "$" */
	const AslValue *context;	/* "$$" */
	size_t		limit;			/* bytes that a text may grow to */
	int64_t		visits;			/* values that paths may still look at */
	uint64_t	draws;			/* how often chance was asked */
} AslEnv;

/* Counts the characters of a string, as many as UTF-16 has units. */
extern int64_t asl_string_length(const AslValue *string);

extern void asl_env_init(AslEnv *env, const AslFrame *frame, const AslValue *input);

/*
 * Reads a path.  Returns NULL with a clause that says what is wrong with it,
 * like "a name was expected after \".\"".
 */
extern AslPath *asl_path_parse(const char *text, size_t len, const char **problem);

/* Reads the path of a filter, which ends where it can go no further. */
extern AslPath *asl_path_parse_prefix(const char *text, size_t len, size_t *used, int depth,
									  const char **problem);

/*
 * Evaluates a path.  Returns NULL when a definite path finds nothing, with
 * the reason as the service has it in *missing.
 */
extern const AslValue *asl_path_eval(const AslPath *path, AslEnv *env, const char **missing);

/* The same for the path of a filter, with the value that "@" stands for. */
extern const AslValue *asl_path_eval_item(const AslPath *path, AslEnv *env, const AslValue *item);

/*
 * Puts a value into another at a reference path, making the objects on the
 * way.  Returns NULL when the path cannot be followed.
 */
extern const AslValue *asl_path_put(const AslPath *path, const AslValue *target,
									const AslValue *value);

/* Tells whether a text is the name of a variable. */
extern bool asl_is_variable_name(const char *name, size_t len);

#endif							/* ASL_PATH_H */
