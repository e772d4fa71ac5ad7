/*
 * body.h
 *	  What a state is made of once its definition has been read.
 */
#ifndef ASL_BODY_H
#define ASL_BODY_H

#include "asl/choice.h"
#include "asl/template.h"

/* A path field that may be absent or null. */
typedef struct AslPathField
{
	bool		given;
	AslPath    *path;			/* NULL when null was given */
} AslPathField;

/* A number given in the definition or by a path. */
typedef struct AslNumberField
{
	bool		given;
	double		value;
	AslPath    *path;			/* or NULL */
} AslNumberField;

/* A text given in the definition or by a path or function. */
typedef struct AslTextField
{
	const char *text;			/* or NULL */
	AslExpr    *expr;			/* or NULL */
} AslTextField;

typedef struct AslRetrier
{
	const char **errors;
	size_t		nerrors;
	double		interval_seconds;
	double		max_attempts;
	double		backoff_rate;
	double		max_delay_seconds;	/* 0: none */
	bool		jitter;
} AslRetrier;

typedef struct AslCatcher
{
	const char **errors;
	size_t		nerrors;
	const char *next;
	AslPathField result_path;
	AslTemplate *assign;
} AslCatcher;

typedef struct AslStateBody
{
	AslPathField input_path;
	AslPathField output_path;
	AslPathField result_path;
	AslTemplate *parameters;
	AslTemplate *result_selector;
	AslTemplate *assign;
	const AslValue *result;		/* Pass */

	AslRetrier *retriers;
	size_t		nretriers;
	AslCatcher *catchers;
	size_t		ncatchers;

	/* Task */
	AslNumberField timeout;
	AslNumberField heartbeat;

	/* Choice */
	AslRule   **rules;
	size_t		nrules;
	const char *default_next;

	/* Wait */
	AslNumberField seconds;
	int64_t		timestamp;		/* without either path and seconds */
	AslPath    *timestamp_path;

	/* Fail */
	AslTextField error;
	AslTextField cause;

	/* Map */
	bool		iterator;		/* its machine is given as Iterator */
	AslPath    *items_path;
	AslTemplate *item_selector;
	AslNumberField max_concurrency;
	AslNumberField tolerated_count;
	AslNumberField tolerated_percentage;
	const char *label;
	bool		batched;
	AslNumberField max_items_per_batch;
	AslNumberField max_bytes_per_batch;
	AslTemplate *batch_input;
} AslStateBody;

#endif							/* ASL_BODY_H */
