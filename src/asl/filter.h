/*
 * filter.h
 *	  The condition of a JSONPath filter: [?(@.a > 1 && @.b)].
 */
#ifndef ASL_FILTER_H
#define ASL_FILTER_H

#include "asl/path.h"

/* Reads a condition up to the parenthesis that ends it; *used is its length. */
extern AslFilter *asl_filter_parse(const char *text, size_t len, size_t *used, int depth,
								   const char **problem);

extern bool asl_filter_holds(const AslFilter *filter, AslEnv *env, const AslValue *item);

#endif							/* ASL_FILTER_H */
