/*
 * value.h
 *	  Building JSON values: growing texts, lists and objects.
 */
#ifndef ASL_VALUE_H
#define ASL_VALUE_H

#include "asl/port.h"

#include "asl/asl.h"

/* A text that grows. */
typedef struct AslText
{
	char	   *data;			/* NUL-terminated once anything was appended */
	size_t		len;
	size_t		size;
} AslText;

extern void asl_text_init(AslText *text);
extern void asl_text_char(AslText *text, char c);
extern void asl_text_append(AslText *text, const char *data, size_t len);
extern void asl_text_puts(AslText *text, const char *data);
extern void asl_text_printf(AslText *text, const char *format,...) ASL_PRINTF(2, 3);

/* Appends a key to a JSON pointer, and cuts the text back to a length. */
extern void asl_text_push(AslText *text, const char *key);
extern void asl_text_cut(AslText *text, size_t len);

/* Returns a formatted copy. */
extern char *asl_printf(const char *format,...) ASL_PRINTF(1, 2);
extern char *asl_copy(const char *data, size_t len);

/* An array that grows. */
typedef struct AslList
{
	const AslValue **items;
	size_t		n;
	size_t		size;
} AslList;

extern void asl_list_init(AslList *list);
extern void asl_list_add(AslList *list, const AslValue *value);
extern const AslValue *asl_list_done(const AslList *list);

/*
 * An object that grows.  Of members with the same key the last value counts,
 * at the place of the first.
 */
typedef struct AslBuilder
{
	AslMember  *members;
	size_t		n;
	size_t		size;
} AslBuilder;

extern void asl_builder_init(AslBuilder *builder, size_t expected);
extern void asl_builder_put(AslBuilder *builder, const AslValue *key, const AslValue *value);
extern void asl_builder_set(AslBuilder *builder, const char *key, const AslValue *value);
extern const AslValue *asl_builder_done(AslBuilder *builder);

/* Returns an object of members known to have different keys. */
extern const AslValue *asl_object_of(const AslMember *members, size_t n);

/* Returns a number with a copy of its text, which is valid JSON. */
extern const AslValue *asl_number_n(const char *text, size_t len);

extern const AslValue *asl_get_n(const AslValue *object, const char *key, size_t len);
extern bool asl_string_is(const AslValue *value, const char *data);

/* Compares strings by bytes, which for UTF-8 is by code point. */
extern int	asl_string_compare(const AslValue *a, const AslValue *b);

/* Compares numbers, exactly where both are integers. */
extern int	asl_number_compare(const AslValue *a, const AslValue *b);

/* Says what a value is, with its article: "a string", "an object". */
extern const char *asl_type_name(const AslValue *value);

/*
 * Orders any two values: a total order for sorting and removing duplicates,
 * in which equal values (asl_equal) compare as 0.
 */
extern int	asl_compare(const AslValue *a, const AslValue *b);

#endif							/* ASL_VALUE_H */
