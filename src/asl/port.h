/*
 * port.h
 *	  The few things that the language takes from outside: memory, freed as a
 *	  whole by its owner, and message digests.
 *
 * In the server memory is the current memory context.  With ASL_STANDALONE
 * no server header is read; whoever links the language then supplies
 * asl_alloc(), asl_realloc() and asl_digest() (see test/asl/standalone.c).
 */
#ifndef ASL_PORT_H
#define ASL_PORT_H

#ifdef ASL_STANDALONE

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASL_ASSERT(condition) assert(condition)

#if defined(__GNUC__)
#define ASL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define ASL_PRINTF(f, a)
#endif

#else

#include "postgres.h"

#include <math.h>

#define ASL_ASSERT(condition) Assert(condition)
#define ASL_PRINTF(f, a) pg_attribute_printf(f, a)

#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bounds on what a definition or a payload can make the code recurse into.
 * Values deeper than ASL_MAX_DEPTH are refused where they enter and where
 * states pass them on, so that everything in between may recurse.
 */
#define ASL_MAX_DEPTH 500			/* arrays and objects within each other */
#define ASL_MAX_DEFINITION (1024 * 1024)	/* bytes of a definition as JSON */
#define ASL_MAX_MACHINES 32			/* Parallel and Map states within each other */
#define ASL_MAX_RULES 32			/* And, Or, Not within each other */
#define ASL_MAX_CALLS 10			/* intrinsic functions within each other */
#define ASL_MAX_FILTERS 16			/* parentheses and filters within each other */
#define ASL_MAX_STEPS 256			/* steps of one path */
#ifndef ASL_MAX_VISITS
#define ASL_MAX_VISITS 10000000		/* values that the paths of one state may look at */
#endif

/* Returns memory that lasts as long as its owner's context or arena. */
extern void *asl_alloc(size_t size);

/* Returns the memory grown from old_size to size; old may be NULL. */
extern void *asl_realloc(void *old, size_t old_size, size_t size);

/* Tells whether a character is an ASCII letter or digit, whatever the locale. */
static inline bool
asl_is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/*
 * Writes the digest of the data (MD5, SHA-1, SHA-256, SHA-384 or SHA-512) and
 * returns its length, at most 64; 0 when there is no such algorithm.
 */
extern size_t asl_digest(const char *algorithm, const char *data, size_t len,
						 unsigned char *digest);

#endif							/* ASL_PORT_H */
