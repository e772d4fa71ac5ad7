/*
 * content.h
 *	  Digests of what a version shows.
 */
#ifndef VOUCH_VERSION_CONTENT_H
#define VOUCH_VERSION_CONTENT_H

#include "core/digest.h"
#include "core/stmt.h"
#include "version/version.h"

/* The digest that vouch_version_digest() (verdicts) or _content_digest() has, of any version; fresh: as in vouch_stmt_scan(). */
extern void vouch_content_digest(int bucket, int artifact_no, int version_no,
								 bool verdicts, bool fresh, VouchDigest *out);

/* Leaf of a verdict in the Merkle root that the operation "decide" has; notes may be NULL. */
extern void vouch_decision_leaf(VouchDigest *leaf, StringInfo scratch, const text *key, int stage,
								const char *verdict, const text *notes);

/* A row that a version shows: the verdict of a stage on an item. */
typedef struct VouchContentRow
{
	int			stage;
	Datum		key;			/* text; 0 where the item is missing, */
	Datum		hash;			/* bytea; as where the payload is */
	Datum		payload;		/* jsonb; 0 where it was not asked for */
	/* the columns of the decision, as content.c reads them */
	Datum		values[12];
	bool		nulls[12];
} VouchContentRow;

#define VOUCH_CONTENT_STATUS 6	/* in values: text */

/*
 * Hands out all rows that the version shows, as they stand now, in the order of the digest.
 * Windows of rows are in memory; the callback runs in a context that goes
 * away with the window.  Needs SPI_connect().
 */
typedef void (*VouchContentCallback) (const VouchContentRow *row, void *arg);
extern void vouch_content_scan(const VouchVersion *version, bool payloads, VouchContentCallback callback, void *arg);

/* The leaf that goes before those of the rows.  Needs SPI_connect(). */
extern void vouch_content_header(const VouchVersion *version, StringInfo scratch, VouchDigest *leaf);

/* The leaf that the row has in digests.  May allocate in the current memory context. */
extern void vouch_content_leaf(const VouchContentRow *row, bool verdicts, StringInfo scratch, VouchDigest *leaf);

#endif							/* VOUCH_VERSION_CONTENT_H */
