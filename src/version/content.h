/*
 * content.h
 *	  Digests of what a version shows.
 */
#ifndef VOUCH_VERSION_CONTENT_H
#define VOUCH_VERSION_CONTENT_H

#include "core/digest.h"
#include "core/stmt.h"

/* The digest that vouch_version_digest() (verdicts) or _content_digest() has, of any version; fresh: as in vouch_stmt_scan(). */
extern void vouch_content_digest(int bucket, int artifact_no, int version_no,
								 bool verdicts, bool fresh, VouchDigest *out);

/* Leaf of a verdict in the Merkle root that the operation "decide" has; notes may be NULL. */
extern void vouch_decision_leaf(VouchDigest *leaf, StringInfo scratch, const text *key, int stage,
								const char *verdict, const text *notes);

#endif							/* VOUCH_VERSION_CONTENT_H */
