/*
 * part.h
 *	  Parts of a version: the items whose payloads meet a condition, with
 *	  their digest and counts.
 */
#ifndef VOUCH_VERSION_PART_H
#define VOUCH_VERSION_PART_H

#include "version/version.h"

/* An item is in it when its payload meets all that is given. */
typedef struct VouchPart
{
	Jsonb	   *filter;			/* that the payload must contain; or NULL */
	const char *field;			/* payload field that must be value, as text; or NULL */
	const char *value;
	uint64		stages;			/* whose verdicts belong to it, as VOUCH_STAGE_BIT(); 0: of all */
	/* set by vouch_version_measure(): */
	VouchDigest digest;			/* of its content and verdicts, as vouch_version_digest() has it of all */
	VouchCounts counts;			/* items and pending by stage 1; the verdicts of its stages */
} VouchPart;

#define VOUCH_STAGE_BIT(stage) (UINT64CONST(1) << (stage))

/* Are all items in it? */
extern bool vouch_part_is_whole(const VouchPart *part);

extern bool vouch_part_has(const VouchPart *part, Jsonb *payload);
extern bool vouch_part_has_any(const VouchPart *parts, int n, Jsonb *payload);

/*
 * Sets digest and counts of each part, as they stand now, in one pass over the
 * version.  Returns how many items are in none of them.  Needs SPI_connect().
 */
extern int64 vouch_version_measure(const VouchVersion *version, VouchPart *parts, int n);

/* The same; *first is the key of the first item that is in none, or NULL. */
extern int64 vouch_version_measure_outside(const VouchVersion *version, VouchPart *parts, int n, char **first);

/*
 * How many items have a payload that contains scope and item, either of which
 * may be NULL.  Needs SPI_connect().
 */
extern int64 vouch_version_count_items(const VouchVersion *version, Jsonb *scope, Jsonb *item);

/*
 * The distinct texts that a payload field has in the items whose payload
 * contains scope (NULL: all), in the order of their bytes, at most max of
 * them; items without the field, or where it is empty, are left out.  Needs
 * SPI_connect().
 */
extern int	vouch_version_values(const VouchVersion *version, Jsonb *scope, const char *field,
								 int max, const char ***values);

/*
 * Which of these items, given by the numbers of their payloads, is the first
 * that is in none of the parts; -1 when each is in one.  Needs SPI_connect().
 */
extern int	vouch_version_outside(const VouchVersion *version, const VouchPart *parts, int n,
								  const int *body_nos, int nitems);

#endif							/* VOUCH_VERSION_PART_H */
