/*
 * value.c
 *	  JSON values: making, growing and comparing them.
 */
#include "asl/port.h"

#include "asl/number.h"
#include "asl/value.h"

/* Objects at least this large are checked for duplicate keys by sorting. */
#define SMALL_OBJECT 8

static const AslValue null_value = {ASL_NULL, {0}};
static const AslValue true_value = {ASL_BOOL, {.boolean = true}};
static const AslValue false_value = {ASL_BOOL, {.boolean = false}};
static const AslValue empty_object = {ASL_OBJECT, {.object = {NULL, 0}}};

/* ----------------------------------------------------------------- texts */

static void
text_reserve(AslText *text, size_t more)
{
	size_t		need = text->len + more + 1;
	size_t		size = text->size;

	if (need <= size)
		return;
	if (size == 0)
		size = 64;
	while (size < need)
		size *= 2;
	text->data = asl_realloc(text->data, text->size, size);
	text->size = size;
}

/* Makes an empty text. */
void
asl_text_init(AslText *text)
{
	text->data = NULL;
	text->len = 0;
	text->size = 0;
	text_reserve(text, 0);
	text->data[0] = '\0';
}

void
asl_text_char(AslText *text, char c)
{
	text_reserve(text, 1);
	text->data[text->len++] = c;
	text->data[text->len] = '\0';
}

void
asl_text_append(AslText *text, const char *data, size_t len)
{
	text_reserve(text, len);
	if (len > 0)
		memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = '\0';
}

void
asl_text_puts(AslText *text, const char *data)
{
	asl_text_append(text, data, strlen(data));
}

static void text_vprintf(AslText *text, const char *format, va_list args) ASL_PRINTF(2, 0);

static void
text_vprintf(AslText *text, const char *format, va_list args)
{
	va_list		again;
	int			len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	if (len > 0)
	{
		text_reserve(text, len);
		vsnprintf(text->data + text->len, (size_t) len + 1, format, again);
		text->len += len;
	}
	va_end(again);
}

void
asl_text_printf(AslText *text, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	text_vprintf(text, format, args);
	va_end(args);
}

void
asl_text_push(AslText *text, const char *key)
{
	asl_text_char(text, '/');
	for (; *key != '\0'; key++)
	{
		if (*key == '~')
			asl_text_puts(text, "~0");
		else if (*key == '/')
			asl_text_puts(text, "~1");
		else
			asl_text_char(text, *key);
	}
}

void
asl_text_cut(AslText *text, size_t len)
{
	text->len = len;
	text->data[len] = '\0';
}

char *
asl_printf(const char *format,...)
{
	AslText		text;
	va_list		args;

	asl_text_init(&text);
	va_start(args, format);
	text_vprintf(&text, format, args);
	va_end(args);
	return text.data;
}

/* Returns a NUL-terminated copy of the bytes. */
char *
asl_copy(const char *data, size_t len)
{
	char	   *copy = asl_alloc(len + 1);

	if (len > 0)
		memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}

/* --------------------------------------------------------------- scalars */

static AslValue *
make_value(AslType type)
{
	AslValue   *value = asl_alloc(sizeof(AslValue));

	value->type = type;
	return value;
}

const AslValue *
asl_null(void)
{
	return &null_value;
}

const AslValue *
asl_bool(bool value)
{
	return value ? &true_value : &false_value;
}

const AslValue *
asl_number_n(const char *text, size_t len)
{
	AslValue   *value = make_value(ASL_NUMBER);

	value->u.number.text = asl_copy(text, len);
	return value;
}

const AslValue *
asl_int(int64_t value)
{
	char		text[32];
	int			len = snprintf(text, sizeof(text), "%lld", (long long) value);

	return asl_number_n(text, len);
}

/*
 * Returns a number printed as the service prints a double.  JSON has neither
 * infinities nor NaN: they become null.
 */
const AslValue *
asl_double(double value)
{
	char		text[ASL_DOUBLE_SIZE];

	if (isnan(value) || isinf(value))
		return asl_null();
	return asl_number_n(text, asl_format_double(value, text));
}

const AslValue *
asl_string_n(const char *data, size_t len)
{
	AslValue   *value = make_value(ASL_STRING);

	value->u.string.data = asl_copy(data, len);
	value->u.string.len = len;
	return value;
}

const AslValue *
asl_string(const char *data)
{
	return asl_string_n(data, strlen(data));
}

/* ---------------------------------------------------------------- arrays */

const AslValue *
asl_array(const AslValue **items, size_t n)
{
	AslValue   *value = make_value(ASL_ARRAY);

	value->u.array.items = items;
	value->u.array.n = n;
	return value;
}

void
asl_list_init(AslList *list)
{
	list->items = NULL;
	list->n = 0;
	list->size = 0;
}

void
asl_list_add(AslList *list, const AslValue *value)
{
	if (list->n == list->size)
	{
		size_t		size = list->size == 0 ? 8 : list->size * 2;

		list->items = asl_realloc(list->items, list->size * sizeof(AslValue *),
								  size * sizeof(AslValue *));
		list->size = size;
	}
	list->items[list->n++] = value;
}

/* Returns the list as an array that shares its memory. */
const AslValue *
asl_list_done(const AslList *list)
{
	return asl_array(list->items, list->n);
}

/* --------------------------------------------------------------- objects */

const AslValue *
asl_object(void)
{
	return &empty_object;
}

const AslValue *
asl_object_of(const AslMember *members, size_t n)
{
	AslValue   *value = make_value(ASL_OBJECT);

	value->u.object.members = members;
	value->u.object.n = n;
	return value;
}

void
asl_builder_init(AslBuilder *builder, size_t expected)
{
	builder->n = 0;
	builder->size = expected;
	builder->members = expected == 0 ? NULL : asl_alloc(expected * sizeof(AslMember));
}

void
asl_builder_put(AslBuilder *builder, const AslValue *key, const AslValue *value)
{
	if (builder->n == builder->size)
	{
		size_t		size = builder->size == 0 ? 4 : builder->size * 2;

		builder->members = asl_realloc(builder->members, builder->size * sizeof(AslMember),
									   size * sizeof(AslMember));
		builder->size = size;
	}
	builder->members[builder->n].key = key;
	builder->members[builder->n].value = value;
	builder->n++;
}

void
asl_builder_set(AslBuilder *builder, const char *key, const AslValue *value)
{
	asl_builder_put(builder, asl_string(key), value);
}

/* A member with its place, for sorting. */
typedef struct PlacedMember
{
	const AslMember *member;
	size_t		place;
} PlacedMember;

static int
compare_placed(const void *left, const void *right)
{
	const PlacedMember *a = left;
	const PlacedMember *b = right;
	int			order = asl_string_compare(a->member->key, b->member->key);

	if (order != 0)
		return order;
	return a->place < b->place ? -1 : a->place > b->place ? 1 : 0;
}

/* Returns the members sorted by key, those of the same key by place. */
static PlacedMember *
sort_members(const AslMember *members, size_t n)
{
	PlacedMember *placed = asl_alloc(n * sizeof(PlacedMember));

	for (size_t i = 0; i < n; i++)
	{
		placed[i].member = &members[i];
		placed[i].place = i;
	}
	qsort(placed, n, sizeof(PlacedMember), compare_placed);
	return placed;
}

/* Moves the last value of each key to its first place and drops the rest. */
static void
remove_duplicates(AslBuilder *builder)
{
	AslMember  *members = builder->members;
	size_t		n = builder->n;
	size_t		kept = 0;
	bool		any = false;

	if (n <= SMALL_OBJECT)
	{
		for (size_t i = 0; i < n; i++)
		{
			size_t		j;

			for (j = 0; j < kept; j++)
				if (asl_string_compare(members[j].key, members[i].key) == 0)
					break;
			if (j < kept)
				members[j].value = members[i].value;
			else
				members[kept++] = members[i];
		}
	}
	else
	{
		PlacedMember *sorted = sort_members(members, n);

		for (size_t i = 0; i < n;)
		{
			size_t		last = i;

			while (last + 1 < n &&
				   asl_string_compare(sorted[i].member->key, sorted[last + 1].member->key) == 0)
				last++;
			if (last > i)
			{
				members[sorted[i].place].value = sorted[last].member->value;
				for (size_t j = i + 1; j <= last; j++)
					members[sorted[j].place].key = NULL;
				any = true;
			}
			i = last + 1;
		}
		if (!any)
			return;
		for (size_t i = 0; i < n; i++)
			if (members[i].key != NULL)
				members[kept++] = members[i];
	}
	builder->n = kept;
}

/* Returns the object, which shares the builder's memory. */
const AslValue *
asl_builder_done(AslBuilder *builder)
{
	if (builder->n == 0)
		return &empty_object;
	remove_duplicates(builder);
	return asl_object_of(builder->members, builder->n);
}

const AslValue *
asl_object_put(const AslValue *object, const char *key, const AslValue *value)
{
	size_t		n = object->u.object.n;
	size_t		len = strlen(key);
	AslMember  *members = asl_alloc((n + 1) * sizeof(AslMember));

	ASL_ASSERT(object->type == ASL_OBJECT);
	if (n > 0)
		memcpy(members, object->u.object.members, n * sizeof(AslMember));
	for (size_t i = 0; i < n; i++)
	{
		if (members[i].key->u.string.len == len &&
			memcmp(members[i].key->u.string.data, key, len) == 0)
		{
			members[i].value = value;
			return asl_object_of(members, n);
		}
	}
	members[n].key = asl_string_n(key, len);
	members[n].value = value;
	return asl_object_of(members, n + 1);
}

const AslValue *
asl_get_n(const AslValue *object, const char *key, size_t len)
{
	if (object == NULL || object->type != ASL_OBJECT)
		return NULL;
	for (size_t i = 0; i < object->u.object.n; i++)
	{
		const AslMember *member = &object->u.object.members[i];

		if (member->key->u.string.len == len &&
			memcmp(member->key->u.string.data, key, len) == 0)
			return member->value;
	}
	return NULL;
}

const AslValue *
asl_get(const AslValue *object, const char *key)
{
	return asl_get_n(object, key, strlen(key));
}

/* ------------------------------------------------------------- comparing */

bool
asl_string_is(const AslValue *value, const char *data)
{
	return value != NULL && value->type == ASL_STRING && strcmp(value->u.string.data, data) == 0;
}

int
asl_string_compare(const AslValue *a, const AslValue *b)
{
	size_t		alen = a->u.string.len;
	size_t		blen = b->u.string.len;
	int			order = memcmp(a->u.string.data, b->u.string.data, alen < blen ? alen : blen);

	if (order != 0)
		return order;
	return alen < blen ? -1 : alen > blen ? 1 : 0;
}

bool
asl_is_int(const AslValue *value, int64_t *result)
{
	return value->type == ASL_NUMBER && asl_parse_int(value->u.number.text, result);
}

bool
asl_as_double(const AslValue *value, double *result)
{
	if (value->type != ASL_NUMBER)
		return false;
	*result = strtod(value->u.number.text, NULL);
	return true;
}

int
asl_number_compare(const AslValue *a, const AslValue *b)
{
	return asl_compare_number_texts(a->u.number.text, b->u.number.text);
}

const char *
asl_type_name(const AslValue *value)
{
	static const char *const names[] =
	{
		[ASL_NULL] = "null",
		[ASL_BOOL] = "a boolean",
		[ASL_NUMBER] = "a number",
		[ASL_STRING] = "a string",
		[ASL_ARRAY] = "an array",
		[ASL_OBJECT] = "an object",
	};

	return names[value->type];
}

int
asl_compare(const AslValue *a, const AslValue *b)
{
	if (a == b)
		return 0;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;

	switch (a->type)
	{
		case ASL_NULL:
			return 0;
		case ASL_BOOL:
			return (int) a->u.boolean - (int) b->u.boolean;
		case ASL_NUMBER:
			return asl_number_compare(a, b);
		case ASL_STRING:
			return asl_string_compare(a, b);
		case ASL_ARRAY:
			if (a->u.array.n != b->u.array.n)
				return a->u.array.n < b->u.array.n ? -1 : 1;
			for (size_t i = 0; i < a->u.array.n; i++)
			{
				int			order = asl_compare(a->u.array.items[i], b->u.array.items[i]);

				if (order != 0)
					return order;
			}
			return 0;
		case ASL_OBJECT:
			{
				size_t		n = a->u.object.n;
				PlacedMember *left;
				PlacedMember *right;

				if (n != b->u.object.n)
					return n < b->u.object.n ? -1 : 1;
				left = sort_members(a->u.object.members, n);
				right = sort_members(b->u.object.members, n);
				for (size_t i = 0; i < n; i++)
				{
					int			order = asl_string_compare(left[i].member->key,
														   right[i].member->key);

					if (order == 0)
						order = asl_compare(left[i].member->value, right[i].member->value);
					if (order != 0)
						return order;
				}
				return 0;
			}
	}
	return 0;
}

/* Tells whether two values are equal as JSON: 1 is 1.0, and the order of keys is nothing. */
bool
asl_equal(const AslValue *a, const AslValue *b)
{
	return asl_compare(a, b) == 0;
}
