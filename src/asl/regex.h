/*
 * regex.h
 *	  Regular expressions of JSONPath filters: [?(@.name =~ /a.*z/i)].
 */
#ifndef ASL_REGEX_H
#define ASL_REGEX_H

#include "asl/port.h"

typedef struct AslRegex AslRegex;

/* Reads a pattern; NULL with a clause that says what is wrong with it. */
extern AslRegex *asl_regex_parse(const char *pattern, size_t len, bool ignore_case,
								 const char **problem);

/*
 * Tells whether a pattern matches all of a text.  Takes time in proportion
 * to the product of their lengths, which is taken off *budget; false once
 * that is used up.
 */
extern bool asl_regex_matches(const AslRegex *regex, const char *text, size_t len,
							  int64_t *budget);

#endif							/* ASL_REGEX_H */
