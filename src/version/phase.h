/*
 * phase.h
 *	  What a phase says about its items.
 */
#ifndef VOUCH_VERSION_PHASE_H
#define VOUCH_VERSION_PHASE_H

#include "utils/jsonb.h"

/* JSON types, as a set */
#define VOUCH_JSON_STRING	0x01
#define VOUCH_JSON_NUMBER	0x02
#define VOUCH_JSON_INTEGER	0x04
#define VOUCH_JSON_BOOLEAN	0x08
#define VOUCH_JSON_OBJECT	0x10
#define VOUCH_JSON_ARRAY	0x20
#define VOUCH_JSON_NULL		0x40
#define VOUCH_JSON_ANY		0xff

/* What is known of one field of an item's payload. */
typedef struct VouchField
{
	const char *name;
	int			len;
	bool		required;
	int			types;
	int			nvalues;		/* 0: any value */
	const char **values;
} VouchField;

typedef struct VouchPhase
{
	const char *key;			/* "sample_selection" */
	const char *label;			/* "Sample Selection" */
	bool		versioned;
	const char *item_key;
	const char *source_key;		/* or NULL */
	const char *default_source;
	int			max_revisions;	/* 0: no limit */
	int			nfields;
	VouchField *fields;
} VouchPhase;

/*
 * Reads a phase by its key or label, in any case and with spaces, '-' or '_'.
 * Raises VO101 with the known ones and the nearest.  In CurrentMemoryContext.
 */
extern VouchPhase *vouch_phase_read(const char *phase);

/* The same, and raises VO503 when the phase has no versions. */
extern VouchPhase *vouch_phase_read_versioned(const char *phase);

/* "string or number", for messages. */
extern char *vouch_phase_types_text(int types);

#endif							/* VOUCH_VERSION_PHASE_H */
