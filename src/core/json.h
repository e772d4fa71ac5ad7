/*
 * json.h
 *	  Short ways into and out of jsonb.
 */
#ifndef VOUCH_CORE_JSON_H
#define VOUCH_CORE_JSON_H

#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* A field of an object as text: strings bare, others as JSON; NULL if absent, null, or not an object. */
extern char *vouch_json_get_text(Jsonb *object, const char *key);

/* A field of an object as jsonb; NULL if absent (a JSON null is a value). */
extern Jsonb *vouch_json_get(Jsonb *object, const char *key);

extern bool vouch_json_is_object(Jsonb *value);
extern bool vouch_json_is_array(Jsonb *value);
extern int	vouch_json_array_length(Jsonb *value);

extern Jsonb *vouch_json_from_text(const char *json);	/* trusted text: our own */
extern char *vouch_json_to_text(Jsonb *value);

/* Builds one flat object; values that are NULL become JSON null. */
typedef struct VouchJsonBuild
{
	JsonbParseState *state;
} VouchJsonBuild;

extern void vouch_json_begin(VouchJsonBuild *build);
extern void vouch_json_put_text(VouchJsonBuild *build, const char *key, const char *value);
extern void vouch_json_put_int(VouchJsonBuild *build, const char *key, int64 value);
extern void vouch_json_put_bool(VouchJsonBuild *build, const char *key, bool value);
extern void vouch_json_put_time(VouchJsonBuild *build, const char *key, TimestampTz value);	/* ISO 8601 UTC */
extern void vouch_json_put_uuid(VouchJsonBuild *build, const char *key, const pg_uuid_t *value);
extern void vouch_json_put(VouchJsonBuild *build, const char *key, Jsonb *value);
extern void vouch_json_put_null(VouchJsonBuild *build, const char *key);
extern Jsonb *vouch_json_end(VouchJsonBuild *build);

/* Arrays of whole values, and of strings. */
extern Jsonb *vouch_json_array(Jsonb **elements, int n);
extern Jsonb *vouch_json_strings(const char **values, int n);

/* Does an object contain another, as @> has it? */
extern bool vouch_json_contains(Jsonb *whole, Jsonb *part);

/*
 * An object with the fields of both: objects that both have are merged, too,
 * arrays follow one another, and of what else both have b's is kept.  Contains
 * b, and is contained in what contains a and b.
 */
extern Jsonb *vouch_json_merge(Jsonb *a, Jsonb *b);

/* "2026-11-22T08:00:00.123456Z" */
extern char *vouch_json_time_text(TimestampTz value);

#endif							/* VOUCH_CORE_JSON_H */
