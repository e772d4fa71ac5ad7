/*
 * intrinsic.c
 *	  The intrinsic functions: States.Format and its like.
 *
 * Each takes its evaluated arguments and returns a value, or NULL with a
 * sentence that says what is wrong with them.
 */
#include "asl/port.h"

#include "asl/intrinsic.h"
#include "asl/json.h"
#include "asl/number.h"

/* The service's bound on what is encoded, decoded and hashed, in characters. */
#define MAX_ENCODED 10000
#define MAX_RANGE 1000

static const AslValue *
refuse(AslCall *call, const char *problem)
{
	call->problem = problem;
	return NULL;
}

/* Returns an argument that has to be a string, an array or an object. */
static const AslValue *
typed_arg(AslCall *call, int i, AslType type, const char *what)
{
	if (call->args[i]->type == type)
		return call->args[i];
	return refuse(call, asl_printf("Argument %d has to be %s but is %s.", i + 1, what,
								   asl_type_name(call->args[i])));
}

static const AslValue *
string_arg(AslCall *call, int i)
{
	return typed_arg(call, i, ASL_STRING, "a string");
}

static const AslValue *
array_arg(AslCall *call, int i)
{
	return typed_arg(call, i, ASL_ARRAY, "an array");
}

/* Reads an argument as an integer, rounding as the service does. */
static bool
int_arg(AslCall *call, int i, int64_t *result)
{
	double		number;

	if (asl_is_int(call->args[i], result))
		return true;
	if (asl_as_double(call->args[i], &number))
	{
		number = asl_round(number);
		if (number >= -9007199254740992.0 && number <= 9007199254740992.0)
		{
			*result = (int64_t) number;
			return true;
		}
		refuse(call, asl_printf("Argument %d is out of range.", i + 1));
		return false;
	}
	refuse(call, asl_printf("Argument %d has to be an integer but is %s.", i + 1,
							asl_type_name(call->args[i])));
	return false;
}

/* Returns a string unless it grew too large for a payload. */
static const AslValue *
text_result(AslCall *call, const AslText *text)
{
	if (text->len > call->env->limit)
		return refuse(call, "The result is too large.");
	return asl_string_n(text->data, text->len);
}

/* ----------------------------------------------------------------- texts */

static const AslValue *
format(AslCall *call)
{
	const AslValue *template = string_arg(call, 0);
	const char *at;
	const char *end;
	AslText		text;
	int			next = 1;

	if (template == NULL)
		return NULL;
	at = template->u.string.data;
	end = at + template->u.string.len;
	asl_text_init(&text);
	while (at < end)
	{
		if (*at == '\\' && at + 1 < end && (at[1] == '{' || at[1] == '}' || at[1] == '\\'))
		{
			asl_text_char(&text, at[1]);
			at += 2;
		}
		else if (*at == '{' && at + 1 < end && at[1] == '}')
		{
			if (next == call->nargs)
				return refuse(call, "The template has more places than there are arguments.");
			if (text.len > call->env->limit || asl_exceeds(call->args[next], call->env->limit))
				return refuse(call, "The result is too large.");
			asl_format_to(&text, call->args[next++]);
			at += 2;
		}
		else if (*at == '{' || *at == '}')
			return refuse(call, "The template has a brace that is neither a place {} nor escaped.");
		else
			asl_text_char(&text, *at++);
	}
	if (next != call->nargs)
		return refuse(call, "The template has fewer places than there are arguments.");
	return text_result(call, &text);
}

static const AslValue *
string_to_json(AslCall *call)
{
	const AslValue *string = string_arg(call, 0);
	const AslValue *value;
	AslError	error;

	if (string == NULL)
		return NULL;
	value = asl_parse(string->u.string.data, string->u.string.len, &error);
	return value != NULL ? value : refuse(call, error.cause);
}

static const AslValue *
json_to_string(AslCall *call)
{
	AslText		text;

	if (asl_exceeds(call->args[0], call->env->limit))
		return refuse(call, "The result is too large.");
	asl_text_init(&text);
	asl_stringify_to(&text, call->args[0]);
	return text_result(call, &text);
}

/* Splits at any of the characters of the second string; empty parts are left out. */
static const AslValue *
string_split(AslCall *call)
{
	const AslValue *string = string_arg(call, 0);
	const AslValue *splitters = string == NULL ? NULL : string_arg(call, 1);
	const char *at;
	const char *end;
	const char *part;
	AslList		parts;
	bool		ascii[128] = {false};

	if (splitters == NULL)
		return NULL;
	for (size_t i = 0; i < splitters->u.string.len; i++)
		if ((unsigned char) splitters->u.string.data[i] < 128)
			ascii[(unsigned char) splitters->u.string.data[i]] = true;

	asl_list_init(&parts);
	at = part = string->u.string.data;
	end = at + string->u.string.len;
	while (at < end)
	{
		size_t		len = asl_utf8_len(at, end - at);
		bool		splits;

		if (len <= 1)
		{
			len = 1;
			splits = (unsigned char) *at < 128 && ascii[(unsigned char) *at];
		}
		else
		{
			char		character[8];

			memcpy(character, at, len);
			character[len] = '\0';
			splits = strstr(splitters->u.string.data, character) != NULL;
		}
		if (splits)
		{
			if (at > part)
				asl_list_add(&parts, asl_string_n(part, at - part));
			part = at + len;
		}
		at += len;
	}
	if (at > part)
		asl_list_add(&parts, asl_string_n(part, at - part));
	return asl_list_done(&parts);
}

/* ---------------------------------------------------------------- arrays */

static const AslValue *
array(AslCall *call)
{
	return asl_array(call->args, call->nargs);
}

static const AslValue *
array_partition(AslCall *call)
{
	const AslValue *value = array_arg(call, 0);
	AslList		chunks;
	int64_t		size;
	size_t		n;

	if (value == NULL || !int_arg(call, 1, &size))
		return NULL;
	if (size <= 0)
		return refuse(call, "The size of a chunk has to be a positive integer.");
	n = value->u.array.n;
	asl_list_init(&chunks);
	for (size_t i = 0; i < n;)
	{
		size_t		count = (uint64_t) size < n - i ? (size_t) size : n - i;

		asl_list_add(&chunks, asl_array(value->u.array.items + i, count));
		i += count;
	}
	return asl_list_done(&chunks);
}

static const AslValue *
array_contains(AslCall *call)
{
	const AslValue *value = array_arg(call, 0);

	if (value == NULL)
		return NULL;
	for (size_t i = 0; i < value->u.array.n; i++)
		if (asl_equal(value->u.array.items[i], call->args[1]))
			return asl_bool(true);
	return asl_bool(false);
}

static const AslValue *
array_range(AslCall *call)
{
	int64_t		first;
	int64_t		last;
	int64_t		step;
	AslList		list;

	if (!int_arg(call, 0, &first) || !int_arg(call, 1, &last) || !int_arg(call, 2, &step))
		return NULL;
	if (step == 0)
		return refuse(call, "The step of a range cannot be 0.");
	asl_list_init(&list);
	for (int64_t i = first; step > 0 ? i <= last : i >= last;)
	{
		if (list.n == MAX_RANGE)
			return refuse(call, "A range cannot have more than 1000 items.");
		asl_list_add(&list, asl_int(i));
		if (step > 0 ? i > INT64_MAX - step : i < INT64_MIN - step)
			break;
		i += step;
	}
	return asl_list_done(&list);
}

static const AslValue *
array_get_item(AslCall *call)
{
	const AslValue *value = array_arg(call, 0);
	int64_t		index;

	if (value == NULL || !int_arg(call, 1, &index))
		return NULL;
	if (index < 0 || (uint64_t) index >= value->u.array.n)
		return refuse(call, asl_printf("The index %lld is out of the bounds of an array of %zu items.",
									   (long long) index, value->u.array.n));
	return value->u.array.items[index];
}

static const AslValue *
array_length(AslCall *call)
{
	const AslValue *value = array_arg(call, 0);

	return value == NULL ? NULL : asl_int((int64_t) value->u.array.n);
}

/* An item with its place, for sorting. */
typedef struct PlacedItem
{
	const AslValue *value;
	size_t		place;
} PlacedItem;

static int
compare_placed(const void *left, const void *right)
{
	const PlacedItem *a = left;
	const PlacedItem *b = right;
	int			order = asl_compare(a->value, b->value);

	if (order != 0)
		return order;
	return a->place < b->place ? -1 : a->place > b->place ? 1 : 0;
}

/* Keeps the first of equal items, in the order of the array. */
static const AslValue *
array_unique(AslCall *call)
{
	const AslValue *value = array_arg(call, 0);
	PlacedItem *sorted;
	bool	   *repeated;
	AslList		list;
	size_t		n;

	if (value == NULL)
		return NULL;
	n = value->u.array.n;
	asl_list_init(&list);
	if (n == 0)
		return asl_list_done(&list);
	sorted = asl_alloc(n * sizeof(PlacedItem));
	repeated = asl_alloc(n * sizeof(bool));
	for (size_t i = 0; i < n; i++)
	{
		sorted[i].value = value->u.array.items[i];
		sorted[i].place = i;
		repeated[i] = false;
	}
	qsort(sorted, n, sizeof(PlacedItem), compare_placed);
	for (size_t i = 1; i < n; i++)
		if (asl_equal(sorted[i - 1].value, sorted[i].value))
			repeated[sorted[i].place] = true;
	for (size_t i = 0; i < n; i++)
		if (!repeated[i])
			asl_list_add(&list, value->u.array.items[i]);
	return asl_list_done(&list);
}

/* ------------------------------------------------------------- encodings */

static const char base64_digits[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Returns a string argument of at most the characters that the service takes. */
static const AslValue *
short_string_arg(AslCall *call, int i)
{
	const AslValue *string = string_arg(call, i);
	size_t		characters = 0;

	if (string == NULL)
		return NULL;
	for (size_t j = 0; j < string->u.string.len; j++)
		if (((unsigned char) string->u.string.data[j] & 0xC0) != 0x80)
			characters++;
	if (characters > MAX_ENCODED)
		return refuse(call, asl_printf("Argument %d cannot have more than 10000 characters.", i + 1));
	return string;
}

static const AslValue *
base64_encode(AslCall *call)
{
	const AslValue *string = short_string_arg(call, 0);
	const unsigned char *data;
	size_t		len;
	AslText		text;

	if (string == NULL)
		return NULL;
	data = (const unsigned char *) string->u.string.data;
	len = string->u.string.len;
	asl_text_init(&text);
	for (size_t i = 0; i < len; i += 3)
	{
		uint32_t	bits = (uint32_t) data[i] << 16;

		if (i + 1 < len)
			bits |= (uint32_t) data[i + 1] << 8;
		if (i + 2 < len)
			bits |= data[i + 2];
		asl_text_char(&text, base64_digits[bits >> 18 & 63]);
		asl_text_char(&text, base64_digits[bits >> 12 & 63]);
		asl_text_char(&text, i + 1 < len ? base64_digits[bits >> 6 & 63] : '=');
		asl_text_char(&text, i + 2 < len ? base64_digits[bits & 63] : '=');
	}
	return asl_string_n(text.data, text.len);
}

static const AslValue *
base64_decode(AslCall *call)
{
	const AslValue *string = short_string_arg(call, 0);
	const char *data;
	size_t		len;
	AslText		text;
	uint32_t	bits = 0;
	int			nbits = 0;

	if (string == NULL)
		return NULL;
	data = string->u.string.data;
	len = string->u.string.len;
	if (len % 4 == 0)
		for (int i = 0; i < 2 && len > 0 && data[len - 1] == '='; i++)
			len--;
	asl_text_init(&text);
	for (size_t i = 0; i < len; i++)
	{
		const char *digit = strchr(base64_digits, data[i]);

		if (digit == NULL)
			return refuse(call, "Argument 1 is not valid Base64.");
		bits = (bits << 6 | (uint32_t) (digit - base64_digits)) & 0xFFFFFF;
		nbits += 6;
		if (nbits >= 8)
		{
			nbits -= 8;
			asl_text_char(&text, (char) (bits >> nbits & 0xFF));
		}
	}
	if (nbits >= 6)
		return refuse(call, "Argument 1 is not valid Base64.");
	for (size_t i = 0; i < text.len;)
	{
		size_t		character = asl_utf8_len(text.data + i, text.len - i);

		if (character == 0 || text.data[i] == '\0')
			return refuse(call, "The decoded bytes are not text in UTF-8.");
		i += character;
	}
	return asl_string_n(text.data, text.len);
}

static const AslValue *
hash(AslCall *call)
{
	const AslValue *algorithm = string_arg(call, 1);
	unsigned char digest[64];
	size_t		len;
	char	   *printed;
	AslText		text;

	if (algorithm == NULL)
		return NULL;
	asl_text_init(&text);
	if (call->args[0]->type == ASL_STRING)
	{
		if (short_string_arg(call, 0) == NULL)
			return NULL;
		asl_text_append(&text, call->args[0]->u.string.data, call->args[0]->u.string.len);
	}
	else
	{
		if (asl_exceeds(call->args[0], MAX_ENCODED))
			return refuse(call, "Argument 1 cannot have more than 10000 characters.");
		asl_stringify_to(&text, call->args[0]);
	}
	len = asl_digest(algorithm->u.string.data, text.data, text.len, digest);
	if (len == 0)
		return refuse(call, "Argument 2 has to be MD5, SHA-1, SHA-256, SHA-384 or SHA-512.");
	printed = asl_alloc(len * 2 + 1);
	for (size_t i = 0; i < len; i++)
		snprintf(printed + i * 2, 3, "%02x", digest[i]);
	return asl_string_n(printed, len * 2);
}

/* -------------------------------------------------------- objects, numbers */

static const AslValue *
json_merge(AslCall *call)
{
	AslBuilder	builder;

	if (typed_arg(call, 0, ASL_OBJECT, "an object") == NULL ||
		typed_arg(call, 1, ASL_OBJECT, "an object") == NULL ||
		typed_arg(call, 2, ASL_BOOL, "a boolean") == NULL)
		return NULL;
	if (call->args[2]->u.boolean)
		return refuse(call, "Deep merging is not supported: argument 3 has to be false.");
	asl_builder_init(&builder, call->args[0]->u.object.n + call->args[1]->u.object.n);
	for (int i = 0; i < 2; i++)
		for (size_t j = 0; j < call->args[i]->u.object.n; j++)
			asl_builder_put(&builder, call->args[i]->u.object.members[j].key,
							call->args[i]->u.object.members[j].value);
	return asl_builder_done(&builder);
}

static const AslValue *
math_add(AslCall *call)
{
	int64_t		a;
	int64_t		b;

	if (!int_arg(call, 0, &a) || !int_arg(call, 1, &b))
		return NULL;
	if ((b > 0 && a > INT64_MAX - b) || (b < 0 && a < INT64_MIN - b))
		return refuse(call, "The sum is out of range.");
	return asl_int(a + b);
}

/* Mixes the bits of a number: the finalizer of SplitMix64. */
static uint64_t
mix(uint64_t bits)
{
	bits += UINT64_C(0x9E3779B97F4A7C15);
	bits = (bits ^ bits >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	bits = (bits ^ bits >> 27) * UINT64_C(0x94D049BB133111EB);
	return bits ^ bits >> 31;
}

/* Returns 64 bits of the frame's chance, other ones at each call. */
static uint64_t
random_bits(AslCall *call)
{
	uint64_t	bits;

	memcpy(&bits, &call->env->frame->random, sizeof(bits));
	return mix(mix(bits) + call->env->draws++);
}

/* The generator that the service seeds: Java's linear congruential one. */
static int32_t
next_seeded(uint64_t *seed, int bits)
{
	*seed = (*seed * UINT64_C(0x5DEECE66D) + 0xB) & ((UINT64_C(1) << 48) - 1);
	return (int32_t) (uint32_t) (*seed >> (48 - bits));
}

/* Returns a number from 0 up to a bound, the same for the same seed. */
static int64_t
seeded_below(int64_t start, uint64_t bound)
{
	uint64_t	seed = ((uint64_t) start ^ UINT64_C(0x5DEECE66D)) & ((UINT64_C(1) << 48) - 1);
	int32_t		bits;
	int32_t		n;

	if (bound > INT32_MAX)
		return (int64_t) (mix((uint64_t) start) % bound);
	n = (int32_t) bound;
	if ((n & -n) == n)
		return (int64_t) ((n * (int64_t) next_seeded(&seed, 31)) >> 31);
	/* takes again what would make small numbers likelier */
	do
		bits = next_seeded(&seed, 31);
	while ((int64_t) bits - bits % n + (n - 1) > INT32_MAX);
	return bits % n;
}

static const AslValue *
math_random(AslCall *call)
{
	int64_t		first;
	int64_t		last;
	int64_t		seed = 0;
	uint64_t	width;
	uint64_t	number;

	if (!int_arg(call, 0, &first) || !int_arg(call, 1, &last) ||
		(call->nargs == 3 && !int_arg(call, 2, &seed)))
		return NULL;
	if (first >= last)
		return refuse(call, "The start has to be less than the end.");
	width = (uint64_t) last - (uint64_t) first;
	number = call->nargs == 3 ? (uint64_t) seeded_below(seed, width) : random_bits(call) % width;
	return asl_int((int64_t) ((uint64_t) first + number));
}

static const AslValue *
uuid(AslCall *call)
{
	unsigned char bytes[16] = {0};
	uint64_t	halves[2];
	char		text[37];

	if (call->env->frame->uuid != NULL)
		memcpy(bytes, call->env->frame->uuid, sizeof(bytes));
	memcpy(halves, bytes, sizeof(halves));
	halves[0] = mix(halves[0] + call->env->draws);
	halves[1] = mix(halves[1] ^ halves[0]);
	call->env->draws++;
	memcpy(bytes, halves, sizeof(bytes));

	bytes[6] = (bytes[6] & 0x0F) | 0x40;
	bytes[8] = (bytes[8] & 0x3F) | 0x80;
	snprintf(text, sizeof(text),
			 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
			 bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
			 bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]);
	return asl_string(text);
}

static const AslFunction functions[] =
{
	{"States.Array", 0, -1, array},
	{"States.ArrayContains", 2, 2, array_contains},
	{"States.ArrayGetItem", 2, 2, array_get_item},
	{"States.ArrayLength", 1, 1, array_length},
	{"States.ArrayPartition", 2, 2, array_partition},
	{"States.ArrayRange", 3, 3, array_range},
	{"States.ArrayUnique", 1, 1, array_unique},
	{"States.Base64Decode", 1, 1, base64_decode},
	{"States.Base64Encode", 1, 1, base64_encode},
	{"States.Format", 1, -1, format},
	{"States.Hash", 2, 2, hash},
	{"States.JsonMerge", 3, 3, json_merge},
	{"States.JsonToString", 1, 1, json_to_string},
	{"States.MathAdd", 2, 2, math_add},
	{"States.MathRandom", 2, 3, math_random},
	{"States.StringSplit", 2, 2, string_split},
	{"States.StringToJson", 1, 1, string_to_json},
	{"States.UUID", 0, 0, uuid},
};

/* Returns the function of a name, NULL when there is none. */
const AslFunction *
asl_find_function(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (strlen(functions[i].name) == len && memcmp(functions[i].name, name, len) == 0)
			return &functions[i];
	return NULL;
}
