/*
 * vouch-receipt.c
 *	  Checks a receipt of vouch.receipt() offline, against anchors.
 *
 * For each operation the leaf is computed from the fields that a person reads,
 * the root of its block from the leaf and the path, the block's hash from the
 * header, and that must be the one that was anchored.  Written from docs/ledger.md
 * and nothing else: it shares no code with the extension, and needs neither PostgreSQL
 * nor a library but libc.
 *
 * Exit status: 0 all good, 1 something is not, 2 not usable.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_LEN 32
#define MAX_DEPTH 64

static const char *progname = "vouch-receipt";

static void
unusable(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	fprintf(stderr, "%s: ", progname);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static void *
allocate(size_t size)
{
	void	   *result = calloc(1, size > 0 ? size : 1);

	if (result == NULL)
		unusable("out of memory");
	return result;
}

/* ---- SHA-256 (FIPS 180-4) ---- */

typedef struct Sha256
{
	uint32_t	h[8];
	uint64_t	length;
	uint8_t		block[64];
	size_t		used;
} Sha256;

static const uint32_t sha_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

#define ROTR(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

static void
sha_block(Sha256 *sha, const uint8_t *p)
{
	uint32_t	w[64];
	uint32_t	v[8];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t) p[4 * i] << 24 | (uint32_t) p[4 * i + 1] << 16 | (uint32_t) p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] +
			(ROTR(w[i - 15], 7) ^ ROTR(w[i - 15], 18) ^ (w[i - 15] >> 3)) +
			(ROTR(w[i - 2], 17) ^ ROTR(w[i - 2], 19) ^ (w[i - 2] >> 10));
	memcpy(v, sha->h, sizeof(v));
	for (int i = 0; i < 64; i++)
	{
		uint32_t	t1 = v[7] + (ROTR(v[4], 6) ^ ROTR(v[4], 11) ^ ROTR(v[4], 25)) +
			((v[4] & v[5]) ^ (~v[4] & v[6])) + sha_k[i] + w[i];
		uint32_t	t2 = (ROTR(v[0], 2) ^ ROTR(v[0], 13) ^ ROTR(v[0], 22)) +
			((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		sha->h[i] += v[i];
}

static void
sha_init(Sha256 *sha)
{
	static const uint32_t start[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
	};

	memcpy(sha->h, start, sizeof(start));
	sha->length = 0;
	sha->used = 0;
}

static void
sha_update(Sha256 *sha, const void *data, size_t len)
{
	const uint8_t *p = data;

	sha->length += len;
	while (len > 0)
	{
		size_t		n = 64 - sha->used < len ? 64 - sha->used : len;

		memcpy(sha->block + sha->used, p, n);
		sha->used += n;
		p += n;
		len -= n;
		if (sha->used == 64)
		{
			sha_block(sha, sha->block);
			sha->used = 0;
		}
	}
}

static void
sha_final(Sha256 *sha, uint8_t *out)
{
	uint64_t	bits = sha->length * 8;
	uint8_t		length[8];

	sha_update(sha, "\x80", 1);
	while (sha->used != 56)
		sha_update(sha, "", 1);
	for (int i = 0; i < 8; i++)
		length[i] = (uint8_t) (bits >> (56 - 8 * i));
	sha_update(sha, length, 8);
	for (int i = 0; i < 32; i++)
		out[i] = (uint8_t) (sha->h[i / 4] >> (24 - 8 * (i % 4)));
}

/* ---- JSON, as much as there is in receipts and anchors ---- */

typedef enum JsonKind
{
	JSON_NULL,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NUMBER,				/* its text */
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
} JsonKind;

typedef struct Json
{
	JsonKind	kind;
	char	   *text;
	size_t		len;
	char	   *key;			/* of a member of an object */
	struct Json *first;
	struct Json *next;
} Json;

typedef struct Parser
{
	const char *file;
	const char *start;
	const char *p;
	const char *end;
} Parser;

static void
bad_json(Parser *parser, const char *what)
{
	unusable("%s: %s at byte %ld", parser->file, what, (long) (parser->p - parser->start));
}

static void
skip_space(Parser *parser)
{
	while (parser->p < parser->end && strchr(" \t\r\n", *parser->p) != NULL && *parser->p != '\0')
		parser->p++;
}

static unsigned
hex4(Parser *parser)
{
	unsigned	value = 0;

	for (int i = 0; i < 4; i++)
	{
		unsigned char c;

		if (parser->p >= parser->end || !isxdigit(c = (unsigned char) *parser->p))
			bad_json(parser, "expected four hexadecimal digits");
		c = (unsigned char) *parser->p++;
		value = value * 16 + (unsigned) (isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
	}
	return value;
}

static char *
put_utf8(char *to, unsigned c)
{
	if (c < 0x80)
		*to++ = (char) c;
	else if (c < 0x800)
	{
		*to++ = (char) (0xc0 | c >> 6);
		*to++ = (char) (0x80 | (c & 0x3f));
	}
	else if (c < 0x10000)
	{
		*to++ = (char) (0xe0 | c >> 12);
		*to++ = (char) (0x80 | (c >> 6 & 0x3f));
		*to++ = (char) (0x80 | (c & 0x3f));
	}
	else
	{
		*to++ = (char) (0xf0 | c >> 18);
		*to++ = (char) (0x80 | (c >> 12 & 0x3f));
		*to++ = (char) (0x80 | (c >> 6 & 0x3f));
		*to++ = (char) (0x80 | (c & 0x3f));
	}
	return to;
}

static char *
parse_string(Parser *parser, size_t *len)
{
	const char *close = ++parser->p;
	char	   *result,
			   *to;

	while (close < parser->end && *close != '"')
		close += *close == '\\' ? 2 : 1;
	if (close >= parser->end)
		bad_json(parser, "unterminated string");
	to = result = allocate((size_t) (close - parser->p) + 1);
	while (parser->p < close)
	{
		static const char from[] = "\"\\/bfnrt";
		static const char into[] = "\"\\/\b\f\n\r\t";
		const char *found;
		unsigned	c;

		if (*parser->p != '\\')
		{
			if ((unsigned char) *parser->p < 0x20)
				bad_json(parser, "control character in a string");
			*to++ = *parser->p++;
			continue;
		}
		parser->p++;
		if (*parser->p != 'u')
		{
			if (*parser->p == '\0' || (found = strchr(from, *parser->p)) == NULL)
				bad_json(parser, "unknown escape");
			*to++ = into[strchr(from, *parser->p++) - from];
			continue;
		}
		parser->p++;
		c = hex4(parser);
		if (c >= 0xd800 && c < 0xdc00 && parser->end - parser->p > 6 && parser->p[0] == '\\' && parser->p[1] == 'u')
		{
			unsigned	low;

			parser->p += 2;
			low = hex4(parser);
			if (low < 0xdc00 || low > 0xdfff)
				bad_json(parser, "half of a character");
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
		if (c == 0 || (c >= 0xd800 && c < 0xe000))
			bad_json(parser, "no character");
		to = put_utf8(to, c);
	}
	parser->p++;
	*len = (size_t) (to - result);
	return result;
}

static Json *
parse_value(Parser *parser, int depth)
{
	Json	   *json = allocate(sizeof(Json));
	char		c;

	if (depth > MAX_DEPTH)
		bad_json(parser, "nested too deeply");
	skip_space(parser);
	if (parser->p >= parser->end)
		bad_json(parser, "unexpected end");
	c = *parser->p;
	if (c == '"')
	{
		json->kind = JSON_STRING;
		json->text = parse_string(parser, &json->len);
	}
	else if (c == '{' || c == '[')
	{
		char		closing = c == '{' ? '}' : ']';
		Json	  **tail = &json->first;

		json->kind = c == '{' ? JSON_OBJECT : JSON_ARRAY;
		parser->p++;
		skip_space(parser);
		if (parser->p < parser->end && *parser->p == closing)
		{
			parser->p++;
			return json;
		}
		for (;;)
		{
			char	   *key = NULL;
			size_t		len;

			skip_space(parser);
			if (json->kind == JSON_OBJECT)
			{
				if (parser->p >= parser->end || *parser->p != '"')
					bad_json(parser, "expected a key");
				key = parse_string(parser, &len);
				for (Json *other = json->first; other != NULL; other = other->next)
					if (strcmp(other->key, key) == 0)
						bad_json(parser, "the same key twice");
				skip_space(parser);
				if (parser->p >= parser->end || *parser->p++ != ':')
					bad_json(parser, "expected a colon");
			}
			*tail = parse_value(parser, depth + 1);
			(*tail)->key = key;
			tail = &(*tail)->next;
			skip_space(parser);
			if (parser->p < parser->end && *parser->p == ',')
			{
				parser->p++;
				continue;
			}
			if (parser->p >= parser->end || *parser->p != closing)
				bad_json(parser, "expected a comma or the end");
			parser->p++;
			break;
		}
	}
	else if (c == '-' || isdigit((unsigned char) c))
	{
		const char *from = parser->p;

		while (parser->p < parser->end && *parser->p != '\0' && strchr("+-.eE0123456789", *parser->p) != NULL)
			parser->p++;
		json->kind = JSON_NUMBER;
		json->len = (size_t) (parser->p - from);
		json->text = allocate(json->len + 1);
		memcpy(json->text, from, json->len);
	}
	else
	{
		static const struct
		{
			const char *word;
			JsonKind	kind;
		}			words[] = {{"null", JSON_NULL}, {"true", JSON_TRUE}, {"false", JSON_FALSE}};
		int			i;

		for (i = 0; i < 3; i++)
		{
			size_t		len = strlen(words[i].word);

			if ((size_t) (parser->end - parser->p) >= len && memcmp(parser->p, words[i].word, len) == 0)
			{
				json->kind = words[i].kind;
				parser->p += len;
				break;
			}
		}
		if (i == 3)
			bad_json(parser, "unexpected character");
	}
	return json;
}

/* All values of a file, one after the other, as an array. */
static Json *
read_file(const char *name)
{
	FILE	   *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
	size_t		len = 0,
				room = 65536;
	char	   *data = allocate(room + 1);
	Parser		parser;
	Json	   *all = allocate(sizeof(Json));
	Json	  **tail = &all->first;
	size_t		n;

	if (file == NULL)
		unusable("cannot open %s: %s", name, strerror(errno));
	while ((n = fread(data + len, 1, room - len, file)) > 0)
	{
		len += n;
		if (len == room)
		{
			room *= 2;
			data = realloc(data, room + 1);
			if (data == NULL)
				unusable("out of memory");
		}
	}
	if (ferror(file))
		unusable("cannot read %s", name);
	if (file != stdin)
		fclose(file);
	data[len] = '\0';

	parser.file = name;
	parser.start = parser.p = data;
	parser.end = data + len;
	all->kind = JSON_ARRAY;
	for (skip_space(&parser); parser.p < parser.end; skip_space(&parser))
	{
		*tail = parse_value(&parser, 0);
		tail = &(*tail)->next;
	}
	return all;
}

static const Json *
member(const Json *object, const char *key)
{
	if (object == NULL || object->kind != JSON_OBJECT)
		unusable("expected an object with \"%s\"", key);
	for (const Json *m = object->first; m != NULL; m = m->next)
		if (strcmp(m->key, key) == 0)
			return m;
	unusable("\"%s\" is missing", key);
	return NULL;
}

/* A string; NULL when it is null. */
static const char *
text_of(const Json *object, const char *key)
{
	const Json *m = member(object, key);

	if (m->kind == JSON_NULL)
		return NULL;
	if (m->kind != JSON_STRING)
		unusable("\"%s\" must be a string", key);
	return m->text;
}

/* A number, or the same as a string. */
static int64_t
number_of(const Json *object, const char *key)
{
	const Json *m = member(object, key);
	char	   *end;
	long long	value;

	if (m->kind != JSON_NUMBER && m->kind != JSON_STRING)
		unusable("\"%s\" must be a number", key);
	errno = 0;
	value = m->text[0] == '-' ? strtoll(m->text, &end, 10) : (long long) strtoull(m->text, &end, 10);
	if (errno != 0 || end == m->text || *end != '\0')
		unusable("\"%s\" is no whole number", key);
	return value;
}

static size_t
bytes_of_hex(const char *key, const char *text, uint8_t *out, size_t room)
{
	size_t		len = strlen(text) / 2;

	if (strlen(text) % 2 != 0 || len > room)
		unusable("\"%s\" has not the right number of hexadecimal digits", key);
	for (size_t i = 0; i < 2 * len; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (!isxdigit(c))
			unusable("\"%s\" has other than hexadecimal digits", key);
		c = (unsigned char) (isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
		out[i / 2] = (uint8_t) (i % 2 == 0 ? c << 4 : out[i / 2] | c);
	}
	return len;
}

static void
digest_of(const Json *object, const char *key, uint8_t *out)
{
	const char *text = text_of(object, key);

	if (text == NULL || bytes_of_hex(key, text, out, DIGEST_LEN) != DIGEST_LEN)
		unusable("\"%s\" must have 64 hexadecimal digits", key);
}

/* ---- the canonical form: tag, length, value ---- */

static void
put(Sha256 *sha, char tag, const void *data, size_t len)
{
	uint8_t		header[5] = {(uint8_t) tag, (uint8_t) (len >> 24), (uint8_t) (len >> 16), (uint8_t) (len >> 8), (uint8_t) len};

	sha_update(sha, header, 5);
	sha_update(sha, data, len);
}

static void
put_null(Sha256 *sha, char tag)
{
	uint8_t		header[5] = {(uint8_t) tag, 0xff, 0xff, 0xff, 0xff};

	sha_update(sha, header, 5);
}

static void
put_int(Sha256 *sha, char tag, int64_t value)
{
	uint8_t		bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t) ((uint64_t) value >> (56 - 8 * i));
	put(sha, tag, bytes, 8);
}

static void
put_text(Sha256 *sha, char tag, const Json *object, const char *key)
{
	const char *text = text_of(object, key);

	if (text == NULL)
		put_null(sha, tag);
	else
		put(sha, tag, text, strlen(text));
}

static void
put_number(Sha256 *sha, char tag, const Json *object, const char *key)
{
	if (member(object, key)->kind == JSON_NULL)
		put_null(sha, tag);
	else
		put_int(sha, tag, number_of(object, key));
}

static void
put_hex(Sha256 *sha, char tag, const Json *object, const char *key)
{
	const char *text = text_of(object, key);
	uint8_t		bytes[1024];

	if (text == NULL)
		put_null(sha, tag);
	else
		put(sha, tag, bytes, bytes_of_hex(key, text, bytes, sizeof(bytes)));
}

static void
put_uuid(Sha256 *sha, char tag, const Json *object, const char *key)
{
	const char *text = text_of(object, key);
	char		hex[33];
	uint8_t		bytes[16];
	int			n = 0;

	if (text == NULL)
	{
		put_null(sha, tag);
		return;
	}
	for (; *text != '\0'; text++)
		if (*text != '-' && n < 32)
			hex[n++] = *text;
	hex[n] = '\0';
	if (bytes_of_hex(key, hex, bytes, 16) != 16)
		unusable("\"%s\" is no UUID", key);
	put(sha, tag, bytes, 16);
}

/* "2026-11-22T08:00:00.123456Z" in microseconds since 1970 */
static int64_t
time_of(const Json *object, const char *key)
{
	const char *text = text_of(object, key);
	int			year,
				month,
				day,
				hour,
				minute,
				second,
				micros,
				used = 0;
	int64_t		y,
				days;

	if (text == NULL ||
		sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ%n", &year, &month, &day, &hour, &minute, &second, &micros, &used) != 7 ||
		used != 27 || text[used] != '\0' || month < 1 || month > 12)
		unusable("\"%s\" is no time such as 2026-11-22T08:00:00.123456Z", key);
	y = month <= 2 ? year - 1 : year;
	days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
	return ((days * 24 + hour) * 60 + minute) * INT64_C(60000000) + second * INT64_C(1000000) + micros;
}

static void
leaf_of_record(const Json *record, uint8_t *out)
{
	Sha256		sha;

	sha_init(&sha);
	sha_update(&sha, "\0", 1);
	put(&sha, 'F', "vouch-operation-1", 17);
	put_text(&sha, 's', record, "subject");
	put_text(&sha, 'p', record, "phase");
	put_text(&sha, 'c', record, "scope");
	put_number(&sha, 'C', record, "cycle_id");
	put_number(&sha, 'D', record, "report_id");
	put_int(&sha, 'T', time_of(record, "created_at"));
	put_int(&sha, 'b', number_of(record, "bucket"));
	put_int(&sha, 'a', number_of(record, "artifact_no"));
	put_int(&sha, 'n', number_of(record, "op_no"));
	put_number(&sha, 'v', record, "version_no");
	put_text(&sha, 'o', record, "operation");
	put_text(&sha, 'r', record, "rule");
	put_text(&sha, 'A', record, "actor");
	put_text(&sha, 'B', record, "on_behalf_of");
	put_text(&sha, 'U', record, "db_user");
	put_int(&sha, 't', time_of(record, "at"));
	put_int(&sha, 'x', number_of(record, "xid"));
	put_int(&sha, 'X', number_of(record, "database_id"));
	put_text(&sha, 'w', record, "workflow_id");
	put_uuid(&sha, 'e', record, "execution_id");
	put_text(&sha, 'y', record, "activity");
	put_number(&sha, 'm', record, "attempt");
	put_int(&sha, 'i', number_of(record, "items"));
	put_hex(&sha, 'R', record, "items_root");
	put_text(&sha, 'd', record, "detail");
	put_text(&sha, 'E', record, "error");
	put_hex(&sha, 'P', record, "prev");
	sha_final(&sha, out);
}

static void
hash_of_block(const Json *block, uint8_t *out)
{
	Sha256		sha;

	sha_init(&sha);
	sha_update(&sha, "\0", 1);
	put(&sha, 'F', "vouch-block-1", 13);
	put_int(&sha, 'n', number_of(block, "block_no"));
	put_int(&sha, 'e', number_of(block, "era"));
	put_int(&sha, 'D', number_of(block, "database_id"));
	put_int(&sha, 'l', number_of(block, "xid_lo"));
	put_int(&sha, 'h', number_of(block, "xid_hi"));
	put_int(&sha, 'i', number_of(block, "operations"));
	put_hex(&sha, 'R', block, "root");
	put_hex(&sha, 'P', block, "prev_hash");
	put_int(&sha, 't', time_of(block, "sealed_at"));
	put_int(&sha, 'S', number_of(block, "system_identifier"));
	put_int(&sha, 'd', number_of(block, "database_oid"));
	sha_final(&sha, out);
}

/* ---- checking ---- */

static int	failures = 0;

static void
bad(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	printf("BAD: ");
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	failures++;
}

/* From a leaf to the root of n leaves; false when the path is too short or too long. */
static bool
climb(uint8_t *hash, const Json *path, int64_t index, int64_t n)
{
	const Json *step = path->first;

	while (n > 1)
	{
		if ((index ^ 1) < n)
		{
			uint8_t		other[DIGEST_LEN];
			Sha256		sha;

			if (step == NULL || step->kind != JSON_STRING ||
				bytes_of_hex("path", step->text, other, DIGEST_LEN) != DIGEST_LEN)
				return false;
			sha_init(&sha);
			sha_update(&sha, "\1", 1);
			sha_update(&sha, index % 2 == 0 ? hash : other, DIGEST_LEN);
			sha_update(&sha, index % 2 == 0 ? other : hash, DIGEST_LEN);
			sha_final(&sha, hash);
			step = step->next;
		}
		index /= 2;
		n = n / 2 + n % 2;
	}
	return step == NULL;
}

static const Json *
find_block(const Json *list, int64_t block_no)
{
	for (const Json *b = list->first; b != NULL; b = b->next)
		if (number_of(b, "block_no") == block_no)
			return b;
	return NULL;
}

/* Text from a file: no control characters to the terminal. */
static const char *
shown(const char *text)
{
	static char buffers[8][400];
	static int	turn = 0;
	char	   *to = buffers[turn++ % 8];
	size_t		i;

	for (i = 0; text != NULL && text[i] != '\0' && i < sizeof(buffers[0]) - 1; i++)
		to[i] = (unsigned char) text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	to[i] = '\0';
	return to;
}

static void
check_operation(const Json *entry, const Json *blocks)
{
	const Json *record = member(entry, "record");
	const Json *path = member(entry, "path");
	int64_t		op_no = number_of(record, "op_no");
	int64_t		block_no = number_of(entry, "block_no");
	int64_t		index = number_of(entry, "index");
	const Json *block = find_block(blocks, block_no);
	const char *scope = text_of(record, "scope");
	const char *behalf = text_of(record, "on_behalf_of");
	uint8_t		hash[DIGEST_LEN],
				stored[DIGEST_LEN];

	printf("operation %lld, %s of %s/%s%s%s", (long long) op_no, shown(text_of(record, "operation")),
		   shown(text_of(record, "subject")), shown(text_of(record, "phase")),
		   scope != NULL && *scope != '\0' ? "/" : "", shown(scope));
	if (member(record, "version_no")->kind != JSON_NULL)
		printf(", version %lld", (long long) number_of(record, "version_no"));
	printf(", by %s%s%s at %s\n", shown(text_of(record, "actor")), behalf != NULL ? " for " : "", shown(behalf),
		   shown(text_of(record, "at")));
	if (text_of(record, "detail") != NULL)
		printf("  %s\n", shown(text_of(record, "detail")));

	leaf_of_record(record, hash);
	digest_of(entry, "leaf", stored);
	if (memcmp(hash, stored, DIGEST_LEN) != 0)
	{
		bad("the record of operation %lld does not give its leaf", (long long) op_no);
		return;
	}
	if (block == NULL)
	{
		bad("the receipt lacks block %lld", (long long) block_no);
		return;
	}
	if (path->kind != JSON_ARRAY || index < 0 || index >= number_of(block, "operations") ||
		!climb(hash, path, index, number_of(block, "operations")))
	{
		bad("the path of operation %lld does not lead to a root", (long long) op_no);
		return;
	}
	digest_of(block, "root", stored);
	if (memcmp(hash, stored, DIGEST_LEN) != 0)
		bad("operation %lld is not in block %lld: its path leads to another root", (long long) op_no, (long long) block_no);
	else if (number_of(record, "database_id") != number_of(block, "database_id") ||
			 (uint64_t) number_of(record, "xid") < (uint64_t) number_of(block, "xid_lo") ||
			 (uint64_t) number_of(record, "xid") >= (uint64_t) number_of(block, "xid_hi"))
		bad("operation %lld is of a transaction that block %lld does not cover", (long long) op_no, (long long) block_no);
}

static void
check_block(const Json *block, const Json *anchors)
{
	int64_t		block_no = number_of(block, "block_no");
	uint8_t		hash[DIGEST_LEN],
				stored[DIGEST_LEN];
	const Json *anchor;

	hash_of_block(block, hash);
	digest_of(block, "block_hash", stored);
	if (memcmp(hash, stored, DIGEST_LEN) != 0)
	{
		bad("the header of block %lld does not give its hash", (long long) block_no);
		return;
	}
	if (anchors == NULL)
	{
		printf("block %lld, sealed at %s: not compared with an anchor; its hash is %s\n", (long long) block_no,
			   shown(text_of(block, "sealed_at")), shown(text_of(block, "block_hash")));
		return;
	}
	anchor = find_block(anchors, block_no);
	if (anchor == NULL)
	{
		bad("there is no anchor of block %lld", (long long) block_no);
		return;
	}
	digest_of(anchor, "block_hash", stored);
	if (memcmp(hash, stored, DIGEST_LEN) != 0)
		bad("block %lld is not the one that was anchored", (long long) block_no);
	else
		printf("block %lld, sealed at %s: as it was anchored\n", (long long) block_no, shown(text_of(block, "sealed_at")));
}

static void
usage(FILE *to)
{
	fprintf(to,
			"usage: %s [-a ANCHORS] RECEIPT\n"
			"Checks a receipt of vouch.receipt() without the database.\n"
			"  -a ANCHORS  what vouch.export_anchors() gave: objects one after the other, or an array.\n"
			"              Without it the receipt only proves that it fits itself.\n"
			"RECEIPT or ANCHORS may be -, the standard input.\n"
			"Exit status: 0 all good, 1 something is not, 2 not usable.\n", progname);
	exit(to == stdout ? 0 : 2);
}

int
main(int argc, char **argv)
{
	const char *anchors_file = NULL;
	const char *receipt_file = NULL;
	const char *format;
	const Json *receipt,
			   *operations,
			   *blocks;
	Json	   *anchors = NULL;
	Json	   *read;
	int			n = 0;

	for (int i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--help") == 0)
			usage(stdout);
		else if (strcmp(argv[i], "-a") == 0 && i + 1 < argc && anchors_file == NULL)
			anchors_file = argv[++i];
		else if ((argv[i][0] != '-' || argv[i][1] == '\0') && receipt_file == NULL)
			receipt_file = argv[i];
		else
			usage(stderr);
	}
	if (receipt_file == NULL || (anchors_file != NULL && strcmp(anchors_file, receipt_file) == 0))
		usage(stderr);

	read = read_file(receipt_file);
	if (read->first == NULL || read->first->next != NULL)
		unusable("%s: expected one receipt", receipt_file);
	receipt = read->first;
	format = text_of(receipt, "format");
	if (format == NULL || strcmp(format, "vouch-receipt-1") != 0)
		unusable("%s: its format is not vouch-receipt-1", receipt_file);
	operations = member(receipt, "operations");
	blocks = member(receipt, "blocks");
	if (operations->kind != JSON_ARRAY || blocks->kind != JSON_ARRAY || operations->first == NULL)
		unusable("%s: operations and blocks must be arrays", receipt_file);
	if (anchors_file != NULL)
	{
		anchors = read_file(anchors_file);
		if (anchors->first != NULL && anchors->first->kind == JSON_ARRAY)
			anchors = anchors->first;
	}

	for (const Json *o = operations->first; o != NULL; o = o->next)
	{
		check_operation(o, blocks);
		n++;
	}
	for (const Json *b = blocks->first; b != NULL; b = b->next)
		check_block(b, anchors);
	if (failures > 0)
		printf("NOT GOOD: %d of the checks failed\n", failures);
	else
		printf("%s: %d operation%s\n", anchors != NULL ? "GOOD" : "GOOD, AS FAR AS CAN BE SEEN WITHOUT ANCHORS", n, n == 1 ? "" : "s");
	return failures > 0 ? 1 : 0;
}
