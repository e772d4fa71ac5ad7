/*
 * choice.h
 *	  The rules of a Choice state.
 */
#ifndef ASL_CHOICE_H
#define ASL_CHOICE_H

#include "asl/template.h"

typedef enum AslRuleKind
{
	ASL_RULE_AND,
	ASL_RULE_OR,
	ASL_RULE_NOT,
	ASL_RULE_TEST
} AslRuleKind;

/* What an operator looks at. */
typedef enum AslOperand
{
	ASL_OPERAND_STRING,
	ASL_OPERAND_NUMBER,
	ASL_OPERAND_BOOLEAN,
	ASL_OPERAND_TIMESTAMP,
	ASL_OPERAND_PATTERN,		/* StringMatches */
	ASL_OPERAND_KIND			/* IsPresent and its like */
} AslOperand;

/* The comparisons, and for ASL_OPERAND_KIND what the value is asked to be. */
typedef enum AslTest
{
	ASL_TEST_EQUAL,
	ASL_TEST_LESS,
	ASL_TEST_LESS_EQUAL,
	ASL_TEST_GREATER,
	ASL_TEST_GREATER_EQUAL,
	ASL_TEST_PRESENT,
	ASL_TEST_NULL,
	ASL_TEST_STRING,
	ASL_TEST_NUMERIC,
	ASL_TEST_BOOLEAN,
	ASL_TEST_TIMESTAMP
} AslTest;

typedef struct AslOperator
{
	const char *name;			/* without "Path" */
	AslOperand	operand;
	AslTest		test;
	bool		has_path;		/* there is a …Path form */
} AslOperator;

typedef struct AslRule
{
	AslRuleKind kind;
	struct AslRule **rules;		/* AND, OR, NOT */
	size_t		n;
	AslPath    *variable;		/* TEST */
	const AslOperator *operator;
	const char *field;			/* the operator as written */
	const AslValue *value;		/* what is compared with, or the path to it */
	AslPath    *path;
	const char *next;			/* of a rule at the top */
	AslTemplate *assign;
} AslRule;

/* Returns the operator of a field and whether it is the …Path form; NULL when it is none. */
extern const AslOperator *asl_find_operator(const char *field, bool *path);

/*
 * Tells whether a rule holds.  When a path finds nothing *error is set, whose
 * cause lacks the state.
 */
extern bool asl_rule_holds(const AslRule *rule, AslEnv *env, AslError *error);

/* Tells whether a text matches a pattern: "*" is any text, a backslash escapes. */
extern bool asl_matches(const char *text, const char *pattern);

#endif							/* ASL_CHOICE_H */
