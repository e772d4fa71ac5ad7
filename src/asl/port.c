/*
 * port.c
 *	  What the language takes from the server: memory and digests.
 */
#include "asl/port.h"

#ifndef ASL_STANDALONE

#include "common/cryptohash.h"
#include "common/md5.h"
#include "common/sha1.h"
#include "common/sha2.h"
#include "utils/memutils.h"

void *
asl_alloc(size_t size)
{
	/* a payload of the size that the engine allows can need a huge array */
	if (size > MaxAllocSize)
		return MemoryContextAllocHuge(CurrentMemoryContext, size);
	return palloc(size);
}

void *
asl_realloc(void *old, size_t old_size, size_t size)
{
	if (old == NULL)
		return asl_alloc(size);
	return repalloc_huge(old, size);
}

size_t
asl_digest(const char *algorithm, const char *data, size_t len, unsigned char *digest)
{
	static const struct
	{
		const char *name;
		pg_cryptohash_type type;
		size_t		len;
	}			algorithms[] =
	{
		{"MD5", PG_MD5, MD5_DIGEST_LENGTH},
		{"SHA-1", PG_SHA1, SHA1_DIGEST_LENGTH},
		{"SHA-256", PG_SHA256, PG_SHA256_DIGEST_LENGTH},
		{"SHA-384", PG_SHA384, PG_SHA384_DIGEST_LENGTH},
		{"SHA-512", PG_SHA512, PG_SHA512_DIGEST_LENGTH},
	};

	for (size_t i = 0; i < lengthof(algorithms); i++)
	{
		pg_cryptohash_ctx *context;

		if (strcmp(algorithms[i].name, algorithm) != 0)
			continue;

		context = pg_cryptohash_create(algorithms[i].type);
		if (context == NULL ||
			pg_cryptohash_init(context) < 0 ||
			pg_cryptohash_update(context, (const uint8 *) data, len) < 0 ||
			pg_cryptohash_final(context, digest, algorithms[i].len) < 0)
			elog(ERROR, "could not compute a %s digest", algorithm);
		pg_cryptohash_free(context);
		return algorithms[i].len;
	}
	return 0;
}

#endif							/* !ASL_STANDALONE */
