/*
 * number.h
 *	  Numbers as texts and as the service's doubles.
 */
#ifndef ASL_NUMBER_H
#define ASL_NUMBER_H

#include "asl/asl.h"

#define ASL_DOUBLE_SIZE 40		/* room for any double as asl_format_double() has it */

extern int	asl_format_double(double value, char *text);
extern bool asl_parse_int(const char *text, int64_t *result);
extern bool asl_parse_decimal(const char *text, double *result);
extern int	asl_compare_number_texts(const char *a, const char *b);
extern double asl_round(double value);

#endif							/* ASL_NUMBER_H */
