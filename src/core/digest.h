/*
 * digest.h
 *	  SHA-256 over a canonical form, and Merkle roots (RFC 6962 prefixes).
 */
#ifndef VOUCH_CORE_DIGEST_H
#define VOUCH_CORE_DIGEST_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#define VOUCH_DIGEST_LEN 32

typedef struct VouchDigest
{
	uint8		bytes[VOUCH_DIGEST_LEN];
} VouchDigest;

/*
 * The canonical form of a record: tag (1 byte), length (4 bytes, big-endian),
 * value; integers big-endian, times as microseconds since 1970 UTC, text as
 * its bytes, null as tag with length 0xffffffff.  The order of the fields is
 * part of the format.
 */
extern void vouch_canon_text(StringInfo buf, char tag, const char *value);	/* NULL: null */
extern void vouch_canon_int64(StringInfo buf, char tag, int64 value);
extern void vouch_canon_time(StringInfo buf, char tag, TimestampTz value);	/* 0 with isnull: see _null */
extern void vouch_canon_bytes(StringInfo buf, char tag, const void *data, size_t len);
extern void vouch_canon_null(StringInfo buf, char tag);
extern void vouch_canon_jsonb(StringInfo buf, char tag, Jsonb *value);	/* NULL: null; by canonical JSON text */

extern void vouch_digest(VouchDigest *out, const void *data, size_t len);
extern void vouch_digest_parts(VouchDigest *out, const void *a, size_t alen, const void *b, size_t blen);	/* one after the other */
extern void vouch_digest_leaf(VouchDigest *out, const void *data, size_t len);	/* 0x00 prefix */
extern void vouch_digest_node(VouchDigest *out, const VouchDigest *left, const VouchDigest *right);	/* 0x01 */

/* Root over n leaves as RFC 6962 has it; n = 0 is the digest of nothing.  Works in place: leaves are overwritten. */
extern void vouch_digest_root(VouchDigest *out, VouchDigest *leaves, size_t n);

extern bytea *vouch_digest_to_bytea(const VouchDigest *digest);

#endif							/* VOUCH_CORE_DIGEST_H */
