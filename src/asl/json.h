/*
 * json.h
 *	  JSON text: reading, writing and measuring it.
 */
#ifndef ASL_JSON_H
#define ASL_JSON_H

#include "asl/value.h"

extern void asl_print_to(AslText *text, const AslValue *value);

/*
 * As asl_parse(), and tells of keys that an object has twice, at their place,
 * a JSON pointer.  A text nested too deeply is States.DataLimitExceeded.
 */
typedef void (*AslRepeated) (const char *place, void *arg);
extern const AslValue *asl_parse_telling(const char *text, size_t len, AslRepeated repeated,
										 void *arg, AslError *error);

/* The same as the service writes it into a string: 1.50 is 1.5. */
extern void asl_stringify_to(AslText *text, const AslValue *value);

/* Returns a value's JSON for a message, cut when it is long; the other leaves a string bare. */
extern const char *asl_excerpt(const AslValue *value);
extern const char *asl_value_text(const AslValue *value);

/* Writes a value as the service's Format does: {Id=1, Tags=[a, b]}. */
extern void asl_format_to(AslText *text, const AslValue *value);

/*
 * Tells whether the JSON text of a value is longer than a limit, or the value
 * deeper than ASL_MAX_DEPTH; stops looking as soon as it is.
 */
extern bool asl_exceeds(const AslValue *value, size_t limit);

/* Reads a number; returns the length of its text, 0 when there is none. */
extern size_t asl_scan_number(const char *text, size_t len);

/* Appends a code point as UTF-8. */
extern void asl_text_utf8(AslText *text, uint32_t code);

/* Returns the length of the valid UTF-8 character at data, or 0. */
extern size_t asl_utf8_len(const char *data, size_t len);

#endif							/* ASL_JSON_H */
