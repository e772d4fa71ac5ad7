/*
 * digest.c
 *	  Canonical bytes, SHA-256 and Merkle roots.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "core/compat.h"
#include "core/digest.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"

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
 * With OpenSSL a context belongs to the resource owner: it is made anew for
 * each digest, or for a series of them, and never kept across transactions.
 */
static pg_cryptohash_ctx *series = NULL;

bool
vouch_digest_series_begin(void)
{
	if (series != NULL)
		return false;
	series = pg_cryptohash_create(PG_SHA256);
	return series != NULL;
}

void
vouch_digest_series_end(bool begun)
{
	if (!begun)
		return;
	pg_cryptohash_free(series);
	series = NULL;
}

static void
hash_parts(VouchDigest *out, const void *a, size_t alen, const void *b, size_t blen,
		   const void *c, size_t clen)
{
	pg_cryptohash_ctx *ctx = series != NULL ? series : pg_cryptohash_create(PG_SHA256);

	if (ctx == NULL || pg_cryptohash_init(ctx) < 0 ||
		(alen > 0 && pg_cryptohash_update(ctx, a, alen) < 0) ||
		(blen > 0 && pg_cryptohash_update(ctx, b, blen) < 0) ||
		(clen > 0 && pg_cryptohash_update(ctx, c, clen) < 0) ||
		pg_cryptohash_final(ctx, out->bytes, sizeof(out->bytes)) < 0)
		elog(ERROR, "could not compute a SHA-256 digest");
	if (ctx != series)
		pg_cryptohash_free(ctx);
}

void
vouch_digest(VouchDigest *out, const void *data, size_t len)
{
	hash_parts(out, data, len, NULL, 0, NULL, 0);
}

void
vouch_digest_leaf(VouchDigest *out, const void *data, size_t len)
{
	hash_parts(out, "\0", 1, data, len, NULL, 0);
}

void
vouch_digest_node(VouchDigest *out, const VouchDigest *left, const VouchDigest *right)
{
	/* out may be left: hash from copies */
	VouchDigest l = *left,
				r = *right;

	hash_parts(out, "\1", 1, l.bytes, sizeof(l.bytes), r.bytes, sizeof(r.bytes));
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
	if (n > 1)
	{
		/* one context for all: making one costs more than hashing two digests */
		pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);

		while (n > 1)
		{
			size_t		half = n / 2;

			for (size_t i = 0; i < half; i++)
			{
				VouchDigest pair[2] = {leaves[2 * i], leaves[2 * i + 1]};

				if (ctx == NULL || pg_cryptohash_init(ctx) < 0 ||
					pg_cryptohash_update(ctx, (const uint8 *) "\1", 1) < 0 ||
					pg_cryptohash_update(ctx, (const uint8 *) pair, sizeof(pair)) < 0 ||
					pg_cryptohash_final(ctx, leaves[i].bytes, sizeof(leaves[i].bytes)) < 0)
					elog(ERROR, "could not compute a SHA-256 digest");
			}
			if (n % 2 == 1)
				leaves[half] = leaves[n - 1];
			n = half + n % 2;
		}
		pg_cryptohash_free(ctx);
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
