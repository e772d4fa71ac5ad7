/*
 * expr.h
 *	  Expressions: a path, or a call of an intrinsic function.
 */
#ifndef ASL_EXPR_H
#define ASL_EXPR_H

#include "asl/path.h"

typedef enum AslExprKind
{
	ASL_EXPR_LITERAL,			/* only as an argument */
	ASL_EXPR_PATH,
	ASL_EXPR_CALL
} AslExprKind;

struct AslFunction;

typedef struct AslExpr
{
	AslExprKind kind;
	const char *text;			/* as written */
	const AslValue *literal;
	AslPath    *path;
	const struct AslFunction *function;
	struct AslExpr **args;
	int			nargs;
} AslExpr;

/*
 * Reads an expression.  Returns NULL with a clause that says what is wrong.
 */
extern AslExpr *asl_expr_parse(const char *text, size_t len, const char **problem);

/*
 * Evaluates an expression that stands in a field.  Returns NULL with the
 * error's name and its cause, which lacks the state.
 */
extern const AslValue *asl_expr_eval(const AslExpr *expr, AslEnv *env, const char *field,
									 AslError *error);

/* The cause of a path that finds nothing in the input of a field. */
extern const char *asl_missing_cause(const AslPath *path, const char *field, AslEnv *env);

#endif							/* ASL_EXPR_H */
