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
#define MAX_MEMBERS 500			/* of an object; a record has 27 */

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
	int			members = 0;
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
				if (++members > MAX_MEMBERS)
					bad_json(parser, "an object with too many keys");
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

/*
 * The text of a whole number, which may be given as a string.  In one way only:
 * what a person reads must be what is hashed.
 */
static const char *
number_text(const Json *object, const char *key)
{
	const Json *m = member(object, key);
	const char *digits;

	if (m->kind != JSON_NUMBER && m->kind != JSON_STRING)
		unusable("\"%s\" must be a number", key);
	digits = m->text + (m->text[0] == '-' ? 1 : 0);
	if (digits[0] == '\0' || digits[strspn(digits, "0123456789")] != '\0' || (digits[0] == '0' && strcmp(m->text, "0") != 0))
		unusable("\"%s\" is no whole number", key);
	return m->text;
}

static int64_t
number_of(const Json *object, const char *key)
{
	const char *text = number_text(object, key);
	long long	value;

	errno = 0;
	value = strtoll(text, NULL, 10);
	if (errno != 0)
		unusable("\"%s\" is too large", key);
	return value;
}

/* The same of 64 bits without a sign. */
static uint64_t
big_of(const Json *object, const char *key)
{
	const char *text = number_text(object, key);
	unsigned long long value;

	errno = 0;
	value = strtoull(text, NULL, 10);
	if (errno != 0 || text[0] == '-')
		unusable("\"%s\" is too large or negative", key);
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
	for (int i = 0; i < 36; i++)
	{
		bool		dash = i == 8 || i == 13 || i == 18 || i == 23;

		/* stops at the end of a text that is too short, too */
		if (dash ? text[i] != '-' : text[i] == '\0' || strchr("0123456789abcdef", text[i]) == NULL)
			unusable("\"%s\" is no UUID", key);
		if (!dash)
			hex[n++] = text[i];
	}
	hex[n] = '\0';
	if (text[36] != '\0' || bytes_of_hex(key, hex, bytes, 16) != 16)
		unusable("\"%s\" is no UUID", key);
	put(sha, tag, bytes, 16);
}

/* Days from 1970-01-01; of the calendar that we have now, also for long ago. */
static int64_t
days_of(int year, int month, int day)
{
	int64_t		y = month <= 2 ? year - 1 : year;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
}

/* A number of so many digits, each of which must be one; -1 when that is not so. */
static int
digits_of(const char *text, int n)
{
	int			value = 0;

	for (int i = 0; i < n; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

/*
 * "2026-11-22T08:00:00.123456Z" in microseconds since 1970.  Exactly so, and
 * only times that there are: the 53rd of October would be hashed like the
 * 22nd of November, and not be what was signed.
 */
static int64_t
time_of(const Json *object, const char *key)
{
	static const char pattern[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
	static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const char *text = text_of(object, key);
	int			year,
				month,
				day,
				hour,
				minute,
				second;
	bool		good = text != NULL && strlen(text) == strlen(pattern);

	for (size_t i = 0; good && i < strlen(pattern); i++)
		good = pattern[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == pattern[i];
	if (!good)
		unusable("\"%s\" is no time such as 2026-11-22T08:00:00.123456Z", key);
	year = digits_of(text, 4);
	month = digits_of(text + 5, 2);
	day = digits_of(text + 8, 2);
	hour = digits_of(text + 11, 2);
	minute = digits_of(text + 14, 2);
	second = digits_of(text + 17, 2);
	if (year < 1 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 ||
		day > month_days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)))
		unusable("\"%s\" is a time that there is not", key);
	return ((days_of(year, month, day) * 24 + hour) * 60 + minute) * INT64_C(60000000) +
		second * INT64_C(1000000) + digits_of(text + 20, 6);
}

/* The other way: what is printed is made of the number that was hashed. */
static const char *
time_text(int64_t micros)
{
	char	   *text = allocate(80);
	int64_t		days = micros / INT64_C(86400000000) - (micros % INT64_C(86400000000) < 0);
	int64_t		rest = micros - days * INT64_C(86400000000);
	int			year = 1,
				month = 1;

	for (int step = 8192; step > 0; step /= 2)
		if (days_of(year + step, 1, 1) <= days)
			year += step;
	while (month < 12 && days_of(year, month + 1, 1) <= days)
		month++;
	snprintf(text, 80, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", year, month, (int) (days - days_of(year, month, 1)) + 1,
			 (int) (rest / INT64_C(3600000000)), (int) (rest / 60000000 % 60), (int) (rest / 1000000 % 60), (int) (rest % 1000000));
	return text;
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
	put_int(&sha, 'x', (int64_t) big_of(record, "xid"));
	put_int(&sha, 'X', (int64_t) big_of(record, "database_id"));
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
	put_int(&sha, 'D', (int64_t) big_of(block, "database_id"));
	put_int(&sha, 'l', (int64_t) big_of(block, "xid_lo"));
	put_int(&sha, 'h', (int64_t) big_of(block, "xid_hi"));
	put_int(&sha, 'i', number_of(block, "operations"));
	put_hex(&sha, 'R', block, "root");
	put_hex(&sha, 'P', block, "prev_hash");
	put_int(&sha, 't', time_of(block, "sealed_at"));
	put_int(&sha, 'S', (int64_t) big_of(block, "system_identifier"));
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

/* Blocks or anchors by their numbers. */
typedef struct Numbered
{
	int64_t		block_no;
	const Json *block;
} Numbered;

typedef struct Index
{
	Numbered   *entries;
	size_t		n;
} Index;

static int
compare_numbered(const void *a, const void *b)
{
	int64_t		one = ((const Numbered *) a)->block_no,
				other = ((const Numbered *) b)->block_no;

	return one < other ? -1 : one > other;
}

static void
make_index(Index *index, const Json *list, const char *what)
{
	size_t		room = 0;

	for (const Json *b = list->first; b != NULL; b = b->next)
		room++;
	index->entries = allocate(room * sizeof(Numbered));
	index->n = 0;
	for (const Json *b = list->first; b != NULL; b = b->next)
	{
		index->entries[index->n].block_no = number_of(b, "block_no");
		index->entries[index->n++].block = b;
	}
	qsort(index->entries, index->n, sizeof(Numbered), compare_numbered);
	/* the same again does no harm in a file to which anchors are appended; two that differ do */
	for (size_t i = 1; i < index->n; i++)
		if (index->entries[i].block_no == index->entries[i - 1].block_no)
		{
			uint8_t		one[DIGEST_LEN],
						other[DIGEST_LEN];

			digest_of(index->entries[i].block, "block_hash", one);
			digest_of(index->entries[i - 1].block, "block_hash", other);
			if (memcmp(one, other, DIGEST_LEN) != 0)
				unusable("there are two %s of block %lld, and they differ", what, (long long) index->entries[i].block_no);
		}
}

static const Json *
find_block(const Index *index, int64_t block_no)
{
	Numbered	wanted = {block_no, NULL};
	const Numbered *found = index->n == 0 ? NULL :
		bsearch(&wanted, index->entries, index->n, sizeof(Numbered), compare_numbered);

	return found == NULL ? NULL : found->block;
}

/* Characters that are not seen, or that make others be seen elsewhere. */
static bool
is_hidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c || c == 0x180e ||
		(c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
		c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

/* The character at the start of a text in UTF-8, and its length; 0 when it is none. */
static size_t
utf8_at(const char *text, uint32_t *c)
{
	const unsigned char *p = (const unsigned char *) text;
	size_t		len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	*c = len <= 1 ? p[0] : p[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++)
	{
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	if ((len == 3 && (*c < 0x800 || (*c >= 0xd800 && *c < 0xe000))) || (len == 4 && (*c < 0x10000 || *c > 0x10ffff)))
		return 0;
	return len;
}

/*
 * Text from a file, whole, with what could deceive the eye of a reader or
 * command the terminal spelled out: <U+202E>.
 */
static const char *
shown(const char *text)
{
	char	   *result,
			   *to;

	if (text == NULL)
		return "";
	/* at worst each byte becomes "<0xff>", or two bytes "<U+0085>" */
	to = result = allocate(strlen(text) * 8 + 1);
	while (*text != '\0')
	{
		uint32_t	c;
		size_t		len = utf8_at(text, &c);

		if (len == 0)
			to += sprintf(to, "<0x%02X>", (unsigned) (unsigned char) *text++);
		else if (is_hidden(c))
		{
			to += sprintf(to, "<U+%04X>", (unsigned) c);
			text += len;
		}
		else
			while (len-- > 0)
				*to++ = *text++;
	}
	*to = '\0';
	return result;
}

/* The member of an operation's detail; NULL when there is none. */
static const Json *
detail_member(const Json *detail, const char *key)
{
	if (detail != NULL && detail->kind == JSON_OBJECT)
		for (const Json *m = detail->first; m != NULL; m = m->next)
			if (strcmp(m->key, key) == 0)
				return m->kind == JSON_NULL ? NULL : m;
	return NULL;
}

static const char *
detail_text(const Json *detail, const char *key)
{
	const Json *m = detail_member(detail, key);

	return m != NULL && (m->kind == JSON_STRING || m->kind == JSON_NUMBER) ? m->text : NULL;
}

/* detail is a string, for it is the string that is hashed; here with what it says. */
static const Json *
detail_of(const Json *record)
{
	const char *text = text_of(record, "detail");
	Parser		parser;

	if (text == NULL)
		return NULL;
	parser.file = "detail";
	parser.start = parser.p = text;
	parser.end = text + strlen(text);
	return parse_value(&parser, 0);
}

static bool
is_operation(const Json *record, const char *operation)
{
	const char *text = text_of(record, "operation");

	return text != NULL && strcmp(text, operation) == 0;
}

/* Which signature of which version an operation is about, as one text; NULL when it does not say. */
static char *
signature_key(const Json *record, const char *member_of_detail)
{
	const Json *detail = detail_of(record);
	const char *round = detail_text(detail, "round");
	const char *number = detail_text(detail, member_of_detail);
	char	   *key;
	size_t		room;

	if (round == NULL || number == NULL || member(record, "version_no")->kind == JSON_NULL)
		return NULL;
	room = strlen(round) + strlen(number) + 100;
	key = allocate(room);
	snprintf(key, room, "%s.%s.%s %s %s", number_text(record, "bucket"), number_text(record, "artifact_no"),
			 number_text(record, "version_no"), round, number);
	return key;
}

/* Operations that took signatures back, by whose. */
typedef struct Revocation
{
	char	   *key;
	const Json *record;
} Revocation;

static Revocation *revocations;
static size_t nrevocations;

static int
compare_revocations(const void *a, const void *b)
{
	return strcmp(((const Revocation *) a)->key, ((const Revocation *) b)->key);
}

static void
collect_revocations(const Json *operations)
{
	size_t		room = 0;

	for (const Json *o = operations->first; o != NULL; o = o->next)
		room++;
	revocations = allocate(room * sizeof(Revocation));
	for (const Json *o = operations->first; o != NULL; o = o->next)
	{
		const Json *record = member(o, "record");

		if (is_operation(record, "revoke_signature"))
		{
			revocations[nrevocations].key = signature_key(record, "revokes");
			revocations[nrevocations].record = record;
			if (revocations[nrevocations].key != NULL)
				nrevocations++;
		}
	}
	qsort(revocations, nrevocations, sizeof(Revocation), compare_revocations);
}

/* What a signature that was taken back, taking back, and carrying mean for a reader. */
static void
explain_signature(const Json *record)
{
	const Json *detail = detail_of(record);

	if (is_operation(record, "carry_signature"))
		printf("  carries signature %s of version %s, round %s, which %s%s%s gave\n",
			   shown(detail_text(detail, "from_signature")), shown(detail_text(detail, "from_version")),
			   shown(detail_text(detail, "from_round")), shown(detail_text(detail, "signer")),
			   detail_text(detail, "acting_for") != NULL ? " for " : "", shown(detail_text(detail, "acting_for")));
	if (is_operation(record, "revoke_signature"))
		printf("  takes signature %s of round %s back\n", shown(detail_text(detail, "revokes")), shown(detail_text(detail, "round")));
	if (is_operation(record, "sign_off") || is_operation(record, "carry_signature"))
	{
		Revocation	wanted = {signature_key(record, "signature"), NULL};
		const Revocation *found = wanted.key == NULL || nrevocations == 0 ? NULL :
			bsearch(&wanted, revocations, nrevocations, sizeof(Revocation), compare_revocations);

		if (found != NULL)
			printf("  TAKEN BACK by operation %lld, by %s at %s\n", (long long) number_of(found->record, "op_no"),
				   shown(text_of(found->record, "actor")), time_text(time_of(found->record, "at")));
	}
}

static void
check_operation(const Json *entry, const Index *blocks)
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
		   time_text(time_of(record, "at")));
	if (text_of(record, "detail") != NULL)
		printf("  %s\n", shown(text_of(record, "detail")));
	explain_signature(record);

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
	else if (big_of(record, "database_id") != big_of(block, "database_id") ||
			 big_of(record, "xid") < big_of(block, "xid_lo") || big_of(record, "xid") >= big_of(block, "xid_hi"))
		bad("operation %lld is of a transaction that block %lld does not cover", (long long) op_no, (long long) block_no);
}

static void
check_block(const Json *block, const Index *anchors)
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
			   time_text(time_of(block, "sealed_at")), shown(text_of(block, "block_hash")));
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
		printf("block %lld, sealed at %s: as it was anchored\n", (long long) block_no, time_text(time_of(block, "sealed_at")));
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
	Index		block_index,
				anchor_index;
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
		make_index(&anchor_index, anchors, "anchors");
	}
	make_index(&block_index, blocks, "headers");
	collect_revocations(operations);

	for (const Json *o = operations->first; o != NULL; o = o->next)
	{
		check_operation(o, &block_index);
		n++;
	}
	for (const Json *b = blocks->first; b != NULL; b = b->next)
		check_block(b, anchors != NULL ? &anchor_index : NULL);
	if (failures > 0)
		printf("NOT GOOD: %d of the checks failed\n", failures);
	else
		printf("%s: %d operation%s\n", anchors != NULL ? "GOOD" : "GOOD, AS FAR AS CAN BE SEEN WITHOUT ANCHORS", n, n == 1 ? "" : "s");
	return failures > 0 ? 1 : 0;
}
