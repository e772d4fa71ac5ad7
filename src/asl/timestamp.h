/*
 * timestamp.h
 *	  RFC 3339 timestamps.
 */
#ifndef ASL_TIMESTAMP_H
#define ASL_TIMESTAMP_H

#include "asl/asl.h"

/* Tells whether a text is a timestamp, and gives its microseconds since 1970. */
extern bool asl_parse_timestamp(const char *text, int64_t *microseconds);

#endif							/* ASL_TIMESTAMP_H */
