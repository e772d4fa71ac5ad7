/*
 * digest.c
 *	  Canonical bytes, SHA-256 and Merkle roots.
 */
#include "postgres.h"

#ifdef USE_OPENSSL
#include <openssl/evp.h>
#endif

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "core/compat.h"
#include "core/digest.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

StaticAssertDecl(VOUCH_DIGEST_LEN == PG_SHA256_DIGEST_LENGTH, "digests are SHA-256");

VOUCH_FUNCTION(vouch_sql_jsonb_digest);

static void
put_header(StringInfo buf, char tag, uint32 len)
{
	uint32		be = pg_hton32(len);

	appendStringInfoChar(buf, tag);
	appendBinaryStringInfo(buf, (char *) &be, sizeof(be));
}

void
vouch_canon_null(StringInfo buf, char tag)
{
	put_header(buf, tag, PG_UINT32_MAX);
}

void
vouch_canon_bytes(StringInfo buf, char tag, const void *data, size_t len)
{
	put_header(buf, tag, (uint32) len);
	appendBinaryStringInfo(buf, data, (int) len);
}

void
vouch_canon_text(StringInfo buf, char tag, const char *value)
{
	if (value == NULL)
		vouch_canon_null(buf, tag);
	else
		vouch_canon_bytes(buf, tag, value, strlen(value));
}

void
vouch_canon_int64(StringInfo buf, char tag, int64 value)
{
	uint64		be = pg_hton64((uint64) value);

	vouch_canon_bytes(buf, tag, &be, sizeof(be));
}

void
vouch_canon_time(StringInfo buf, char tag, TimestampTz value)
{
	vouch_canon_int64(buf, tag, value +
					  (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
}

/*
 * jsonb prints in one form whatever the settings: keys by length and bytes,
 * numbers as numeric.  So its text is canonical.
 */
void
vouch_canon_jsonb(StringInfo buf, char tag, Jsonb *value)
{
	if (value == NULL)
		vouch_canon_null(buf, tag);
	else
	{
		char	   *text = JsonbToCString(NULL, &value->root, VARSIZE(value));

		vouch_canon_text(buf, tag, text);
		pfree(text);
	}
}

/*
 * A context is made once and kept: making one, or looking the algorithm up, costs more than hashing what
 * an item has.  So with OpenSSL it is asked directly: the server's own functions look it up for each digest,
 * and tie a context to the resource owner.  Where an error leaves it, the next digest begins anew.
 */
#ifdef USE_OPENSSL

static EVP_MD_CTX *context = NULL;

static void
digest_begin(void)
{
	if (context == NULL)
	{
		EVP_MD_CTX *made = EVP_MD_CTX_new();

		if (made == NULL || EVP_DigestInit_ex(made, EVP_sha256(), NULL) <= 0)
		{
			EVP_MD_CTX_free(made);
			elog(ERROR, "could not compute a SHA-256 digest");
		}
		context = made;
	}
	/* the same algorithm again */
	else if (EVP_DigestInit_ex(context, NULL, NULL) <= 0)
		elog(ERROR, "could not compute a SHA-256 digest");
}

static void
digest_add(const void *data, size_t len)
{
	if (len > 0 && EVP_DigestUpdate(context, data, len) <= 0)
		elog(ERROR, "could not compute a SHA-256 digest");
}

static void
digest_end(VouchDigest *out)
{
	if (EVP_DigestFinal_ex(context, out->bytes, NULL) <= 0)
		elog(ERROR, "could not compute a SHA-256 digest");
}

#else

static pg_cryptohash_ctx *context = NULL;

static void
digest_begin(void)
{
	if (context == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		context = pg_cryptohash_create(PG_SHA256);
		MemoryContextSwitchTo(old);
	}
	if (context == NULL || pg_cryptohash_init(context) < 0)
		elog(ERROR, "could not compute a SHA-256 digest");
}

static void
digest_add(const void *data, size_t len)
{
	if (len > 0 && pg_cryptohash_update(context, data, len) < 0)
		elog(ERROR, "could not compute a SHA-256 digest");
}

static void
digest_end(VouchDigest *out)
{
	if (pg_cryptohash_final(context, out->bytes, sizeof(out->bytes)) < 0)
		elog(ERROR, "could not compute a SHA-256 digest");
}

#endif

void
vouch_digest_parts(VouchDigest *out, const void *a, size_t alen, const void *b, size_t blen)
{
	digest_begin();
	digest_add(a, alen);
	digest_add(b, blen);
	digest_end(out);
}

void
vouch_digest(VouchDigest *out, const void *data, size_t len)
{
	vouch_digest_parts(out, NULL, 0, data, len);
}

void
vouch_digest_leaf(VouchDigest *out, const void *data, size_t len)
{
	vouch_digest_parts(out, "\0", 1, data, len);
}

void
vouch_digest_node(VouchDigest *out, const VouchDigest *left, const VouchDigest *right)
{
	/* out may be left: hash from copies */
	VouchDigest pair[2] = {*left, *right};

	vouch_digest_parts(out, "\1", 1, pair, sizeof(pair));
}

/*
 * RFC 6962 splits at the largest power of two below n.  Pairing level by level
 * and carrying an odd last node up gives the same tree.
 */
void
vouch_digest_root(VouchDigest *out, VouchDigest *leaves, size_t n)
{
	if (n == 0)
	{
		vouch_digest(out, NULL, 0);
		return;
	}
	while (n > 1)
	{
		size_t		half = n / 2;

		for (size_t i = 0; i < half; i++)
			vouch_digest_node(&leaves[i], &leaves[2 * i], &leaves[2 * i + 1]);
		if (n % 2 == 1)
			leaves[half] = leaves[n - 1];
		n = half + n % 2;
	}
	*out = leaves[0];
}

bytea *
vouch_digest_to_bytea(const VouchDigest *digest)
{
	bytea	   *result = palloc(VARHDRSZ + VOUCH_DIGEST_LEN);

	SET_VARSIZE(result, VARHDRSZ + VOUCH_DIGEST_LEN);
	memcpy(VARDATA(result), digest->bytes, VOUCH_DIGEST_LEN);
	return result;
}

/* vouch.digest(jsonb): what the log's digests of a payload are made of */
Datum
vouch_sql_jsonb_digest(PG_FUNCTION_ARGS)
{
	Jsonb	   *value = PG_GETARG_JSONB_P(0);
	char	   *text = JsonbToCString(NULL, &value->root, VARSIZE(value));
	VouchDigest digest;

	vouch_digest(&digest, text, strlen(text));
	PG_RETURN_BYTEA_P(vouch_digest_to_bytea(&digest));
}
