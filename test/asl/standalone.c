/*
 * standalone.c
 *	  What port.h asks for, outside the server.
 *
 * Every piece of memory is a malloc() of its own, so that a sanitizer sees a
 * step past any of them.
 */
#include "asl/port.h"

#include <openssl/evp.h>

#include "standalone.h"

typedef struct Chunk
{
	struct Chunk *previous;
	size_t		size;
} Chunk;

static Chunk *last_chunk;
static size_t used;

ArenaMark
arena_mark(void)
{
	ArenaMark	mark = {last_chunk};

	return mark;
}

void
arena_reset(ArenaMark mark)
{
	while (last_chunk != mark.last)
	{
		Chunk	   *chunk = last_chunk;

		last_chunk = chunk->previous;
		used -= chunk->size;
		free(chunk);
	}
}

size_t
arena_used(void)
{
	return used;
}

void *
asl_alloc(size_t size)
{
	Chunk	   *chunk = malloc(sizeof(Chunk) + size);

	if (chunk == NULL)
	{
		fprintf(stderr, "out of memory for %zu bytes\n", size);
		abort();
	}
	chunk->previous = last_chunk;
	chunk->size = size;
	last_chunk = chunk;
	used += size;
	return chunk + 1;
}

void *
asl_realloc(void *old, size_t old_size, size_t size)
{
	void	   *memory = asl_alloc(size);

	if (old != NULL && old_size > 0)
		memcpy(memory, old, old_size < size ? old_size : size);
	return memory;
}

size_t
asl_digest(const char *algorithm, const char *data, size_t len, unsigned char *digest)
{
	static const char *const names[][2] =
	{
		{"MD5", "MD5"},
		{"SHA-1", "SHA1"},
		{"SHA-256", "SHA256"},
		{"SHA-384", "SHA384"},
		{"SHA-512", "SHA512"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		unsigned	digest_len = 0;

		if (strcmp(names[i][0], algorithm) != 0)
			continue;
		if (EVP_Digest(data, len, digest, &digest_len, EVP_get_digestbyname(names[i][1]),
					   NULL) != 1)
			abort();
		return digest_len;
	}
	return 0;
}
