/*
 * template.h
 *	  Payload templates: JSON in which "name.$" takes the value of a path or
 *	  of an intrinsic function.
 */
#ifndef ASL_TEMPLATE_H
#define ASL_TEMPLATE_H

#include "asl/expr.h"

typedef struct AslTemplate AslTemplate;

/* Is told of a problem of a template, at a place under it like "/a/b.$". */
typedef void (*AslTemplateProblem) (const char *code, const char *place, const char *message,
									void *arg);

/* Is shown each expression of a template, at its place. */
typedef void (*AslTemplateNote) (const char *place, const AslExpr *expr, void *arg);

/*
 * Reads a template.  Problems are told; what is returned is then not fit to
 * be evaluated.
 */
extern AslTemplate *asl_template_parse(const AslValue *value, AslTemplateProblem problem,
									   AslTemplateNote note, void *arg);

/* Evaluates a template.  Returns NULL with the error, whose cause lacks the state. */
extern const AslValue *asl_template_eval(const AslTemplate *template, AslEnv *env,
										 AslError *error);

/* Tells whether a template reads the context object. */
extern bool asl_template_reads_context(const AslTemplate *template);

#endif							/* ASL_TEMPLATE_H */
