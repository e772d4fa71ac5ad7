/*
 * state.h
 *	  What the decisions of a state share.
 */
#ifndef ASL_STATE_H
#define ASL_STATE_H

#include "asl/body.h"

/* Puts "An error occurred while executing the state …" before an error's cause. */
extern void asl_name_state(const AslState *state, const AslFrame *frame, AslError *error);

/* Returns a States.Runtime error with a cause that lacks the state. */
extern AslError asl_runtime_error(const char *cause);

/* Applies InputPath or OutputPath; NULL with the error. */
extern const AslValue *asl_apply_path(const AslPathField *field, AslEnv *env, AslError *error);

/* Applies ResultPath to the raw input; NULL with the error. */
extern const AslValue *asl_apply_result_path(const AslPathField *field, const AslValue *input,
											 const AslValue *result, AslError *error);

/* Sets States.DataLimitExceeded when a value is too large to be passed on; what names its origin. */
extern bool asl_too_large(const AslValue *value, const AslFrame *frame, const char *what,
						  AslError *error);

/* Reads a count given in the definition or by a path; false with the error. */
extern bool asl_read_count(const AslNumberField *field, AslEnv *env, const char *name,
						   int64_t *result, AslError *error);

#endif							/* ASL_STATE_H */
