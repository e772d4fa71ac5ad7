/*
 * compile.h
 *	  Reading a definition: the place that is being read, and what is wrong
 *	  there.
 */
#ifndef ASL_COMPILE_H
#define ASL_COMPILE_H

#include "asl/body.h"

/* A reference to a variable, or the assignment of one. */
typedef struct AslVariableUse
{
	const char *name;
	const char *location;
	const AslMachine *machine;
	bool		assigned;
} AslVariableUse;

typedef struct AslCompiler
{
	AslProgram *program;
	int			machines_size;
	AslTaskCheck check_task;
	void	   *arg;
	AslProblem *first;
	AslProblem *last;
	int			nerrors;
	AslText		place;			/* JSON pointer to what is being read */
	AslMachine *machine;		/* that it stands in */
	AslVariableUse *uses;
	size_t		nuses;
	size_t		uses_size;
} AslCompiler;

/* Moves to a member or item and back; push returns what pop takes. */
extern size_t asl_push(AslCompiler *compiler, const char *key);
extern size_t asl_push_index(AslCompiler *compiler, size_t index);
extern void asl_pop(AslCompiler *compiler, size_t place);

/* Tells a problem of the current place, or of a member of it. */
extern void asl_problem(AslCompiler *compiler, AslSeverity severity, const char *code,
						const char *format,...) ASL_PRINTF(4, 5);
extern void asl_problem_at(AslCompiler *compiler, const char *key, AslSeverity severity,
						   const char *code, const char *format,...) ASL_PRINTF(5, 6);
extern void asl_problem_in(AslCompiler *compiler, const char *location, AslSeverity severity,
						   const char *code, const char *message);

/*
 * Return a member of an object, NULL when it is absent or of the wrong type,
 * which is told.
 */
extern const AslValue *asl_member(AslCompiler *compiler, const AslValue *object,
								  const char *key, AslType type);
extern const char *asl_member_string(AslCompiler *compiler, const AslValue *object,
									 const char *key);

/* Tells that a field is missing. */
extern void asl_missing(AslCompiler *compiler, const char *key);

extern AslPath *asl_member_path(AslCompiler *compiler, const AslValue *object, const char *key);
extern void asl_member_path_field(AslCompiler *compiler, const AslValue *object,
								  const char *key, AslPathField *field);
extern void asl_member_result_path(AslCompiler *compiler, const AslValue *object,
								   AslPathField *field);
extern AslTemplate *asl_member_template(AslCompiler *compiler, const AslValue *object,
										const char *key);
extern AslTemplate *asl_member_assign(AslCompiler *compiler, const AslValue *object);

/*
 * Reads a number within bounds; integral ones have no fraction.  With a path
 * key it may be given by a path instead, but not both.
 */
typedef struct AslBounds
{
	double		min;
	double		max;
	bool		integral;
} AslBounds;

extern void asl_member_number(AslCompiler *compiler, const AslValue *object, const char *key,
							  const char *path_key, AslBounds bounds, AslNumberField *field);
extern void asl_member_text(AslCompiler *compiler, const AslValue *object, const char *key,
							const char *path_key, AslTextField *field);

/* Notes the variables that a path or expression reads. */
extern void asl_note_path(AslCompiler *compiler, const AslPath *path);
extern void asl_note_expr(AslCompiler *compiler, const AslExpr *expr);

#endif							/* ASL_COMPILE_H */
