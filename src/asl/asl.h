/*
 * asl.h
 *	  The Amazon States Language as a pure library: JSON values, a checked
 *	  program built from a definition, and the decisions of one state.
 *
 * Nothing in this folder opens a relation, reads a setting, asks for the time
 * or for chance, or raises a server error for bad user input: values, one
 * "now" and one random number go in, a decision comes out.  Memory comes from
 * asl_alloc() (the current memory context in the server, an arena in the
 * stand-alone tests and the fuzzer, see port.h) and is never freed singly.
 */
#ifndef VOUCH_ASL_H
#define VOUCH_ASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- values */

/*
 * JSON values are immutable once built and shared freely between results.
 * Objects keep the order of their keys; numbers keep their text.
 */
typedef enum AslType
{
	ASL_NULL,
	ASL_BOOL,
	ASL_NUMBER,
	ASL_STRING,
	ASL_ARRAY,
	ASL_OBJECT
} AslType;

typedef struct AslValue AslValue;
typedef struct AslMember AslMember;

struct AslValue
{
	AslType		type;
	union
	{
		bool		boolean;
		struct
		{
			const char *text;	/* as written, valid JSON, NUL-terminated */
		}			number;
		struct
		{
			const char *data;	/* UTF-8, NUL-terminated, no NUL inside */
			size_t		len;
		}			string;
		struct
		{
			const AslValue **items;
			size_t		n;
		}			array;
		struct
		{
			const AslMember *members;
			size_t		n;
		}			object;
	}			u;
};

struct AslMember
{
	const AslValue *key;		/* always ASL_STRING */
	const AslValue *value;
};

/* A failure in the language's own terms: "States.Runtime" and its cause. */
typedef struct AslError
{
	const char *error;			/* NULL: no failure */
	const char *cause;
} AslError;

extern const AslValue *asl_null(void);
extern const AslValue *asl_bool(bool value);
extern const AslValue *asl_int(int64_t value);
extern const AslValue *asl_double(double value);	/* printed as the service prints it */
extern const AslValue *asl_string(const char *data);	/* copies */
extern const AslValue *asl_string_n(const char *data, size_t len);
extern const AslValue *asl_array(const AslValue **items, size_t n); /* keeps the array */
extern const AslValue *asl_object(void);			/* {} */
extern const AslValue *asl_object_put(const AslValue *object, const char *key,
									  const AslValue *value);	/* a new object */
extern const AslValue *asl_get(const AslValue *object, const char *key);	/* NULL if absent or not an object */
extern bool asl_equal(const AslValue *a, const AslValue *b);
extern bool asl_is_int(const AslValue *value, int64_t *result);
extern bool asl_as_double(const AslValue *value, double *result);

/* Parse strict JSON text; NULL and *error on failure.  Depth is limited. */
extern const AslValue *asl_parse(const char *text, size_t len, AslError *error);
extern char *asl_print(const AslValue *value);		/* compact JSON text */
extern size_t asl_print_size(const AslValue *value);	/* bytes asl_print would give */

/* -------------------------------------------------------------- programs */

typedef enum AslStateType
{
	ASL_PASS,
	ASL_TASK,
	ASL_CHOICE,
	ASL_WAIT,
	ASL_SUCCEED,
	ASL_FAIL,
	ASL_PARALLEL,
	ASL_MAP
} AslStateType;

typedef struct AslState AslState;
typedef struct AslMachine AslMachine;

/*
 * A machine is a StartAt with its States: the whole program, a Parallel
 * branch, or a Map's ItemProcessor.  Machines are numbered in the program in
 * the order of definition, the top one is 0; the number is stable for a given
 * definition, so (machine, state name) names a place across restarts.
 */
struct AslMachine
{
	int			number;
	const char *start_at;
	AslState   *states;
	int			nstates;
	const AslValue *comment;	/* or NULL */
	int64_t		timeout_seconds;	/* top machine only; 0: none */
	AslState   *owner;			/* the Parallel or Map it belongs to, or NULL */
	AslState  **by_name;		/* private: the states sorted by name */
};

typedef struct AslProgram
{
	const AslValue *definition;
	AslMachine **machines;
	int			nmachines;
} AslProgram;

/* How much of a state the engine has to know; the rest is private to asl. */
struct AslState
{
	const char *name;
	AslStateType type;
	AslMachine *machine;		/* the one that it stands in */
	const char *next;			/* NULL with end, and in Choice, Succeed, Fail */
	bool		end;
	const char *resource;		/* Task: the text after checking */
	AslMachine **branches;		/* Parallel: each branch; Map: one, the item processor */
	int			nbranches;
	bool		distributed;	/* Map: ProcessorConfig.Mode is DISTRIBUTED */
	bool		has_retry;
	bool		has_catch;
	struct AslStateBody *body;	/* private: parsed paths, templates, rules */
};

typedef enum AslSeverity
{
	ASL_PROBLEM_ERROR,
	ASL_PROBLEM_WARNING
} AslSeverity;

typedef struct AslProblem
{
	AslSeverity severity;
	const char *code;			/* stable, like "UNKNOWN_STATE" */
	const char *location;		/* like "/States/Review/Next" */
	const char *message;		/* one sentence */
	struct AslProblem *next;
} AslProblem;

/*
 * Builds a program from a definition.  All problems are collected, in order;
 * returns NULL when one of them is an error.  check_task() may be NULL; it is
 * how the engine adds checks of a Task that need a catalog: it tells of each
 * problem, whose place is a JSON pointer within the state, like "/Resource".
 */
typedef void (*AslTell) (AslSeverity severity, const char *code, const char *place,
						 const char *message, void *to);
typedef void (*AslTaskCheck) (const char *resource, const AslValue *state, AslTell tell,
							  void *to, void *arg);

extern AslProgram *asl_compile(const AslValue *definition, AslTaskCheck check_task, void *arg,
							   AslProblem **problems);

/*
 * The same for the text of a definition, in which keys that an object has
 * twice are errors, too: of a value nobody could tell any more.
 */
extern AslProgram *asl_compile_text(const char *text, size_t len, AslTaskCheck check_task,
									void *arg, AslProblem **problems);
extern const AslState *asl_find_state(const AslMachine *machine, const char *name);

/* ------------------------------------------------- the decisions of a state */

/*
 * Variables (Assign) live in scopes: a branch or iteration reads the outer
 * ones and writes its own.
 */
typedef struct AslScope
{
	const struct AslScope *outer;	/* or NULL */
	const AslValue *vars;		/* an object */
} AslScope;

/* What a state sees.  context is the "$$" object, complete, for this visit. */
typedef struct AslFrame
{
	const AslValue *input;		/* the raw state input */
	const AslScope *scope;
	const AslValue *context;
	int64_t		now_us;			/* microseconds since 1970-01-01 UTC */
	double		random;			/* in [0, 1): full jitter, States.MathRandom */
	const unsigned char *uuid;	/* 16 random bytes for States.UUID, varied per call by asl */
	size_t		max_payload;	/* bytes of JSON that a state may pass on; 0: ASL_SERVICE_PAYLOAD */
	int64_t		event_id;		/* history event that entered the state, named in causes; 0: none */
} AslFrame;

/* What the service allows a state to pass on. */
#define ASL_SERVICE_PAYLOAD ((size_t) 262144)

typedef enum AslAction
{
	ASL_DO_FINISH,				/* call asl_finish() with the result now */
	ASL_DO_WAIT,				/* park until wake_us, then asl_finish() with the result */
	ASL_DO_TASK,				/* run the resource with payload, then asl_finish() */
	ASL_DO_PARALLEL,			/* start every branch with payload */
	ASL_DO_MAP,					/* start an iteration per item */
	ASL_DO_SUCCEED,				/* the machine ends; result is the output */
	ASL_DO_FAIL					/* the state fails: call asl_fail() with error */
} AslAction;

typedef struct AslEntry
{
	AslAction	action;
	AslError	error;			/* ASL_DO_FAIL */
	const AslValue *result;		/* FINISH, WAIT, SUCCEED */
	const AslValue *payload;	/* TASK, PARALLEL: effective input; also set for MAP */
	int64_t		wake_us;		/* WAIT: absolute */
	int64_t		timeout_seconds;	/* TASK: 0 none */
	int64_t		heartbeat_seconds;	/* TASK: 0 none */
	/* MAP */
	const AslValue **items;		/* effective input of each iteration, after ItemSelector and ItemBatcher */
	const AslValue **item_values;	/* $$.Map.Item.Value of each */
	size_t		nitems;
	int64_t		max_concurrency;	/* 0: no limit */
	int64_t		tolerated_count;	/* failures tolerated; -1: none given */
	double		tolerated_percentage;	/* 0..100; < 0: none given */
	const char *label;			/* DISTRIBUTED: Label or NULL */
	/* CHOICE: the target, also when FINISH */
	const char *choice_next;
	const struct AslTemplate *choice_assign;	/* private: the Assign of the rule that held */
	bool		map_started;	/* MAP that fails: its items were already counted (MapStateStarted is shown) */
} AslEntry;

/*
 * Enters a state: InputPath, Parameters, Choice rules, Wait times, Map items.
 * Every failure comes back as ASL_DO_FAIL.
 */
extern AslEntry asl_enter(const AslState *state, const AslFrame *frame);

typedef struct AslExit
{
	AslError	error;			/* set: the state failed, call asl_fail() */
	const AslValue *output;
	const AslValue *assigned;	/* object of new variables, or NULL */
	const char *next;			/* NULL: the machine ends with output */
} AslExit;

/*
 * Leaves a state with its result: ResultSelector, ResultPath, Assign,
 * OutputPath, Next.  entry is what asl_enter() gave for the same visit, or
 * NULL after a restart (then only Choice would need it, which never waits).
 */
extern AslExit asl_finish(const AslState *state, const AslFrame *frame,
						  const AslEntry *entry, const AslValue *result);

typedef enum AslVerdict
{
	ASL_RETRY,					/* enter again after delay_seconds */
	ASL_CAUGHT,					/* go on at exit.next with exit.output */
	ASL_FAILED					/* the machine fails with error */
} AslVerdict;

typedef struct AslFailure
{
	AslVerdict	verdict;
	int			retrier;		/* RETRY: index whose count the engine raises by one */
	double		delay_seconds;
	AslExit		exit;			/* CAUGHT */
	AslError	error;			/* FAILED: may differ from what went in */
} AslFailure;

/*
 * Decides what a failure leads to.  counts[] has how often each Retry entry
 * of this state was used in this visit (nretriers long, see asl_nretriers).
 */
extern AslFailure asl_fail(const AslState *state, const AslFrame *frame,
						   const AslError *error, const int *counts);
extern int	asl_nretriers(const AslState *state);

/*
 * The result of a Parallel (array of outputs) or Map (array, for DISTRIBUTED
 * the service's shape) from its children's outputs; NULL items are failures
 * that were tolerated.
 */
extern const AslValue *asl_join(const AslState *state, const AslValue **outputs, size_t n);

/* True when this many failed of so many make a Map fail (States.ExceedToleratedFailureThreshold). */
extern bool asl_map_exceeded(const AslEntry *entry, size_t failed, size_t total);

/*
 * The error of a DISTRIBUTED Map whose failures went past what it tolerates;
 * an inline Map fails with the error of the iteration instead.
 */
extern AslError asl_map_error(void);

/* The error of a Task that ran longer than its TimeoutSeconds, or than its HeartbeatSeconds. */
extern AslError asl_timeout_error(bool heartbeat);

/* Evaluates one path or intrinsic call; for explain, tests and vouch:until. */
extern const AslValue *asl_evaluate(const char *expression, const AslFrame *frame, AslError *error);

#endif							/* VOUCH_ASL_H */
