/*
 * json.c
 *	  JSON text: reading, writing and measuring it.
 */
#include "asl/port.h"

#include "asl/json.h"
#include "asl/number.h"

typedef struct Parser
{
	const char *start;
	const char *at;
	const char *end;
	const char *problem;
	bool		too_deep;
	AslText		scratch;
	AslRepeated repeated;		/* is told of keys that come again; or NULL */
	void	   *arg;
	AslText		place;			/* kept for that */
} Parser;

static const AslValue *parse_value(Parser *parser, int depth);

static const AslValue *
refuse(Parser *parser, const char *problem)
{
	if (parser->problem == NULL)
		parser->problem = problem;
	return NULL;
}

static void
skip_space(Parser *parser)
{
	while (parser->at < parser->end &&
		   (*parser->at == ' ' || *parser->at == '\t' || *parser->at == '\n' || *parser->at == '\r'))
		parser->at++;
}

static bool
next_is(Parser *parser, char c)
{
	skip_space(parser);
	if (parser->at < parser->end && *parser->at == c)
	{
		parser->at++;
		return true;
	}
	return false;
}

static const AslValue *
parse_word(Parser *parser, const char *word, const AslValue *value)
{
	size_t		len = strlen(word);

	if ((size_t) (parser->end - parser->at) < len || memcmp(parser->at, word, len) != 0)
		return refuse(parser, "a value was expected");
	parser->at += len;
	return value;
}

size_t
asl_scan_number(const char *text, size_t len)
{
	const char *at = text;
	const char *end = text + len;

#define AT_DIGIT (at < end && *at >= '0' && *at <= '9')
	if (at < end && *at == '-')
		at++;
	if (!AT_DIGIT)
		return 0;
	if (*at == '0')
		at++;
	else
		while (AT_DIGIT)
			at++;
	if (at < end && *at == '.')
	{
		at++;
		if (!AT_DIGIT)
			return 0;
		while (AT_DIGIT)
			at++;
	}
	if (at < end && (*at == 'e' || *at == 'E'))
	{
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		if (!AT_DIGIT)
			return 0;
		while (AT_DIGIT)
			at++;
	}
#undef AT_DIGIT
	return at - text;
}

/* Tells whether a number is one that the server's numeric type has room for. */
static bool
in_range(const char *number, size_t len)
{
	int			exponent = 0;

	if (len > 10000)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (number[i] != 'e' && number[i] != 'E')
			continue;
		for (i++; i < len && exponent <= 10000; i++)
			if (number[i] >= '0' && number[i] <= '9')
				exponent = exponent * 10 + (number[i] - '0');
	}
	return exponent <= 10000;
}

static bool
parse_hex4(Parser *parser, uint32_t *code)
{
	if (parser->end - parser->at < 4)
		return false;
	*code = 0;
	for (int i = 0; i < 4; i++)
	{
		char		c = *parser->at++;

		*code *= 16;
		if (c >= '0' && c <= '9')
			*code += c - '0';
		else if (c >= 'a' && c <= 'f')
			*code += c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			*code += c - 'A' + 10;
		else
			return false;
	}
	return true;
}

void
asl_text_utf8(AslText *text, uint32_t code)
{
	if (code < 0x80)
		asl_text_char(text, (char) code);
	else if (code < 0x800)
	{
		asl_text_char(text, (char) (0xC0 | code >> 6));
		asl_text_char(text, (char) (0x80 | (code & 0x3F)));
	}
	else if (code < 0x10000)
	{
		asl_text_char(text, (char) (0xE0 | code >> 12));
		asl_text_char(text, (char) (0x80 | (code >> 6 & 0x3F)));
		asl_text_char(text, (char) (0x80 | (code & 0x3F)));
	}
	else
	{
		asl_text_char(text, (char) (0xF0 | code >> 18));
		asl_text_char(text, (char) (0x80 | (code >> 12 & 0x3F)));
		asl_text_char(text, (char) (0x80 | (code >> 6 & 0x3F)));
		asl_text_char(text, (char) (0x80 | (code & 0x3F)));
	}
}

size_t
asl_utf8_len(const char *data, size_t len)
{
	const unsigned char *s = (const unsigned char *) data;
	size_t		need;
	uint32_t	code;

	if (len == 0)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xC2 && s[0] <= 0xDF)
	{
		need = 2;
		code = s[0] & 0x1F;
	}
	else if (s[0] >= 0xE0 && s[0] <= 0xEF)
	{
		need = 3;
		code = s[0] & 0x0F;
	}
	else if (s[0] >= 0xF0 && s[0] <= 0xF4)
	{
		need = 4;
		code = s[0] & 0x07;
	}
	else
		return 0;
	if (len < need)
		return 0;
	for (size_t i = 1; i < need; i++)
	{
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3F);
	}
	if (need == 3 && (code < 0x800 || (code >= 0xD800 && code <= 0xDFFF)))
		return 0;
	if (need == 4 && (code < 0x10000 || code > 0x10FFFF))
		return 0;
	return need;
}

/* Reads what follows a backslash in a string. */
static bool
parse_escape(Parser *parser)
{
	AslText    *text = &parser->scratch;
	uint32_t	code;
	uint32_t	low;

	if (parser->at == parser->end)
		return false;
	switch (*parser->at++)
	{
		case '"':
			asl_text_char(text, '"');
			return true;
		case '\\':
			asl_text_char(text, '\\');
			return true;
		case '/':
			asl_text_char(text, '/');
			return true;
		case 'b':
			asl_text_char(text, '\b');
			return true;
		case 'f':
			asl_text_char(text, '\f');
			return true;
		case 'n':
			asl_text_char(text, '\n');
			return true;
		case 'r':
			asl_text_char(text, '\r');
			return true;
		case 't':
			asl_text_char(text, '\t');
			return true;
		case 'u':
			break;
		default:
			return false;
	}

	/* U+0000 has no place in the server's texts */
	if (!parse_hex4(parser, &code) || code == 0)
		return false;
	if (code >= 0xDC00 && code <= 0xDFFF)
		return false;
	if (code >= 0xD800 && code <= 0xDBFF)
	{
		if (parser->end - parser->at < 2 || parser->at[0] != '\\' || parser->at[1] != 'u')
			return false;
		parser->at += 2;
		if (!parse_hex4(parser, &low) || low < 0xDC00 || low > 0xDFFF)
			return false;
		code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
	}
	asl_text_utf8(text, code);
	return true;
}

/* Reads a string whose opening quote was read. */
static const AslValue *
parse_string(Parser *parser)
{
	AslText    *text = &parser->scratch;

	text->len = 0;
	for (;;)
	{
		const char *run = parser->at;

		while (parser->at < parser->end && (unsigned char) *parser->at >= 0x20 &&
			   (unsigned char) *parser->at < 0x80 && *parser->at != '"' && *parser->at != '\\')
			parser->at++;
		asl_text_append(text, run, parser->at - run);

		if (parser->at == parser->end)
			return refuse(parser, "a string does not end");
		if (*parser->at == '"')
		{
			parser->at++;
			return asl_string_n(text->data, text->len);
		}
		if (*parser->at == '\\')
		{
			parser->at++;
			if (!parse_escape(parser))
				return refuse(parser, "a string has an invalid escape");
		}
		else
		{
			size_t		len = asl_utf8_len(parser->at, parser->end - parser->at);

			if ((unsigned char) *parser->at < 0x20)
				return refuse(parser, "a string has a control character");
			if (len == 0)
				return refuse(parser, "a string is not valid UTF-8");
			asl_text_append(text, parser->at, len);
			parser->at += len;
		}
	}
}

static const AslValue *
parse_array(Parser *parser, int depth)
{
	AslList		list;

	asl_list_init(&list);
	if (next_is(parser, ']'))
		return asl_list_done(&list);
	do
	{
		size_t		place = parser->place.len;
		const AslValue *item;

		if (parser->repeated != NULL)
			asl_text_printf(&parser->place, "/%zu", list.n);
		item = parse_value(parser, depth + 1);
		if (item == NULL)
			return NULL;
		asl_list_add(&list, item);
		if (parser->repeated != NULL)
			asl_text_cut(&parser->place, place);
	} while (next_is(parser, ','));
	if (!next_is(parser, ']'))
		return refuse(parser, "\",\" or \"]\" was expected");
	return asl_list_done(&list);
}

/* Tells of each key that comes again: those for which the object has no room. */
static void
tell_repeated(Parser *parser, const AslMember *members, size_t n, const AslValue *object)
{
	size_t		place = parser->place.len;
	size_t		kept = 0;

	/* it has the keys in the order in which they first came */
	for (size_t i = 0; i < n; i++)
	{
		if (kept < object->u.object.n &&
			asl_string_compare(members[i].key, object->u.object.members[kept].key) == 0)
		{
			kept++;
			continue;
		}
		asl_text_push(&parser->place, members[i].key->u.string.data);
		parser->repeated(parser->place.data, parser->arg);
		asl_text_cut(&parser->place, place);
	}
}

static const AslValue *
parse_object(Parser *parser, int depth)
{
	AslBuilder	builder;
	const AslValue *object;
	AslMember  *members;
	size_t		n;

	asl_builder_init(&builder, 0);
	if (next_is(parser, '}'))
		return asl_object();
	do
	{
		const AslValue *key;
		const AslValue *value;
		size_t		place = parser->place.len;

		if (!next_is(parser, '"'))
			return refuse(parser, "a key was expected");
		key = parse_string(parser);
		if (key == NULL)
			return NULL;
		if (!next_is(parser, ':'))
			return refuse(parser, "\":\" was expected");
		if (parser->repeated != NULL)
			asl_text_push(&parser->place, key->u.string.data);
		value = parse_value(parser, depth + 1);
		if (value == NULL)
			return NULL;
		asl_builder_put(&builder, key, value);
		if (parser->repeated != NULL)
			asl_text_cut(&parser->place, place);
	} while (next_is(parser, ','));
	if (!next_is(parser, '}'))
		return refuse(parser, "\",\" or \"}\" was expected");
	if (parser->repeated == NULL)
		return asl_builder_done(&builder);

	n = builder.n;
	members = asl_alloc(n * sizeof(AslMember));
	memcpy(members, builder.members, n * sizeof(AslMember));
	object = asl_builder_done(&builder);
	if (object->u.object.n < n)
		tell_repeated(parser, members, n, object);
	return object;
}

static const AslValue *
parse_value(Parser *parser, int depth)
{
	skip_space(parser);
	if (parser->at == parser->end)
		return refuse(parser, "a value was expected");
	if (depth > ASL_MAX_DEPTH)
	{
		parser->too_deep = true;
		return refuse(parser, "arrays and objects are nested too deeply");
	}
	switch (*parser->at)
	{
		case '{':
			parser->at++;
			return parse_object(parser, depth);
		case '[':
			parser->at++;
			return parse_array(parser, depth);
		case '"':
			parser->at++;
			return parse_string(parser);
		case 't':
			return parse_word(parser, "true", asl_bool(true));
		case 'f':
			return parse_word(parser, "false", asl_bool(false));
		case 'n':
			return parse_word(parser, "null", asl_null());
		default:
			{
				const char *number = parser->at;
				size_t		len = asl_scan_number(number, parser->end - number);

				if (len == 0)
					return refuse(parser, "a value was expected");
				if (!in_range(number, len))
					return refuse(parser, "a number is out of range");
				parser->at += len;
				return asl_number_n(number, len);
			}
	}
}

const AslValue *
asl_parse_telling(const char *text, size_t len, AslRepeated repeated, void *arg, AslError *error)
{
	Parser		parser = {text, text, text + len};
	const AslValue *value;

	asl_text_init(&parser.scratch);
	asl_text_init(&parser.place);
	parser.repeated = repeated;
	parser.arg = arg;
	value = parse_value(&parser, 1);
	if (value != NULL)
	{
		skip_space(&parser);
		if (parser.at != parser.end)
			value = refuse(&parser, "text follows the value");
	}
	if (error != NULL)
	{
		error->error = value != NULL ? NULL :
			parser.too_deep ? "States.DataLimitExceeded" : "States.Runtime";
		error->cause = value != NULL ? NULL :
			asl_printf("Invalid JSON at byte %zu: %s.", (size_t) (parser.at - text) + 1,
					   parser.problem);
	}
	return value;
}

const AslValue *
asl_parse(const char *text, size_t len, AslError *error)
{
	return asl_parse_telling(text, len, NULL, NULL, error);
}

/* --------------------------------------------------------------- writing */

/* Returns the letter of a character's short escape, or 0. */
static char
short_escape(unsigned char c)
{
	switch (c)
	{
		case '"':
			return '"';
		case '\\':
			return '\\';
		case '\b':
			return 'b';
		case '\f':
			return 'f';
		case '\n':
			return 'n';
		case '\r':
			return 'r';
		case '\t':
			return 't';
	}
	return 0;
}

static void
print_string(AslText *text, const AslValue *string)
{
	const char *at = string->u.string.data;
	const char *end = at + string->u.string.len;

	asl_text_char(text, '"');
	while (at < end)
	{
		const char *run = at;

		while (at < end && (unsigned char) *at >= 0x20 && *at != '"' && *at != '\\')
			at++;
		asl_text_append(text, run, at - run);
		if (at < end)
		{
			char		letter = short_escape(*at);

			if (letter != 0)
			{
				asl_text_char(text, '\\');
				asl_text_char(text, letter);
			}
			else
				asl_text_printf(text, "\\u%04x", (unsigned) (unsigned char) *at);
			at++;
		}
	}
	asl_text_char(text, '"');
}

/* Writes a number; as doubles, those that the service has read into one are written as it does. */
static void
print_number(AslText *text, const AslValue *value, bool doubles)
{
	if (doubles && strpbrk(value->u.number.text, ".eE") != NULL)
	{
		char		printed[ASL_DOUBLE_SIZE];
		double		number = strtod(value->u.number.text, NULL);

		if (!isinf(number))
		{
			asl_text_append(text, printed, asl_format_double(number, printed));
			return;
		}
	}
	asl_text_puts(text, value->u.number.text);
}

static void
print(AslText *text, const AslValue *value, bool doubles)
{
	switch (value->type)
	{
		case ASL_NULL:
			asl_text_append(text, "null", 4);
			break;
		case ASL_BOOL:
			asl_text_puts(text, value->u.boolean ? "true" : "false");
			break;
		case ASL_NUMBER:
			print_number(text, value, doubles);
			break;
		case ASL_STRING:
			print_string(text, value);
			break;
		case ASL_ARRAY:
			asl_text_char(text, '[');
			for (size_t i = 0; i < value->u.array.n; i++)
			{
				if (i > 0)
					asl_text_char(text, ',');
				print(text, value->u.array.items[i], doubles);
			}
			asl_text_char(text, ']');
			break;
		case ASL_OBJECT:
			asl_text_char(text, '{');
			for (size_t i = 0; i < value->u.object.n; i++)
			{
				if (i > 0)
					asl_text_char(text, ',');
				print_string(text, value->u.object.members[i].key);
				asl_text_char(text, ':');
				print(text, value->u.object.members[i].value, doubles);
			}
			asl_text_char(text, '}');
			break;
	}
}

void
asl_print_to(AslText *text, const AslValue *value)
{
	print(text, value, false);
}

void
asl_stringify_to(AslText *text, const AslValue *value)
{
	print(text, value, true);
}

char *
asl_print(const AslValue *value)
{
	AslText		text;

	asl_text_init(&text);
	asl_print_to(&text, value);
	return text.data;
}

const char *
asl_excerpt(const AslValue *value)
{
	size_t		len = 4000;
	char	   *text;

	if (!asl_exceeds(value, len))
		return asl_print(value);
	if (asl_exceeds(value, 1024 * 1024))
		return "...";
	text = asl_print(value);
	/* cut between characters */
	while (len > 0 && ((unsigned char) text[len] & 0xC0) == 0x80)
		len--;
	return asl_printf("%.*s...", (int) len, text);
}

const char *
asl_value_text(const AslValue *value)
{
	if (value->type == ASL_STRING && value->u.string.len <= 4000)
		return value->u.string.data;
	return asl_excerpt(value);
}

void
asl_format_to(AslText *text, const AslValue *value)
{
	switch (value->type)
	{
		case ASL_STRING:
			asl_text_append(text, value->u.string.data, value->u.string.len);
			break;
		case ASL_NUMBER:
			print_number(text, value, true);
			break;
		case ASL_ARRAY:
			asl_text_char(text, '[');
			for (size_t i = 0; i < value->u.array.n; i++)
			{
				if (i > 0)
					asl_text_append(text, ", ", 2);
				asl_format_to(text, value->u.array.items[i]);
			}
			asl_text_char(text, ']');
			break;
		case ASL_OBJECT:
			asl_text_char(text, '{');
			for (size_t i = 0; i < value->u.object.n; i++)
			{
				const AslMember *member = &value->u.object.members[i];

				if (i > 0)
					asl_text_append(text, ", ", 2);
				asl_text_append(text, member->key->u.string.data, member->key->u.string.len);
				asl_text_char(text, '=');
				asl_format_to(text, member->value);
			}
			asl_text_char(text, '}');
			break;
		default:
			asl_print_to(text, value);
			break;
	}
}

/* ------------------------------------------------------------- measuring */

static size_t
string_size(const AslValue *string)
{
	size_t		size = string->u.string.len + 2;

	for (size_t i = 0; i < string->u.string.len; i++)
	{
		unsigned char c = string->u.string.data[i];

		if (short_escape(c) != 0)
			size += 1;
		else if (c < 0x20)
			size += 5;
	}
	return size;
}

/* Adds the size of a value to *size; false once that or the depth is too large. */
static bool
measure(const AslValue *value, size_t *size, size_t limit, int depth)
{
	if (depth > ASL_MAX_DEPTH)
		return false;
	switch (value->type)
	{
		case ASL_NULL:
			*size += 4;
			break;
		case ASL_BOOL:
			*size += value->u.boolean ? 4 : 5;
			break;
		case ASL_NUMBER:
			*size += strlen(value->u.number.text);
			break;
		case ASL_STRING:
			*size += string_size(value);
			break;
		case ASL_ARRAY:
			*size += 2 + (value->u.array.n > 0 ? value->u.array.n - 1 : 0);
			for (size_t i = 0; i < value->u.array.n; i++)
				if (!measure(value->u.array.items[i], size, limit, depth + 1))
					return false;
			break;
		case ASL_OBJECT:
			*size += 2 + (value->u.object.n > 0 ? value->u.object.n - 1 : 0);
			for (size_t i = 0; i < value->u.object.n; i++)
			{
				*size += string_size(value->u.object.members[i].key) + 1;
				if (!measure(value->u.object.members[i].value, size, limit, depth + 1))
					return false;
			}
			break;
	}
	return *size <= limit;
}

bool
asl_exceeds(const AslValue *value, size_t limit)
{
	size_t		size = 0;

	return !measure(value, &size, limit, 1);
}

size_t
asl_print_size(const AslValue *value)
{
	size_t		size = 0;

	measure(value, &size, SIZE_MAX, 1);
	return size;
}
