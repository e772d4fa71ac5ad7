/*
 * regex.c
 *	  Regular expressions of JSONPath filters: [?(@.name =~ /a.*z/i)].
 *
 * The part of Java's syntax that has no memory: characters, classes, groups,
 * alternatives, repetition, anchors.  A pattern becomes a small automaton
 * whose states are all followed at once, so there is nothing to back out of
 * and no pattern that takes forever.
 */
#include "asl/regex.h"

#include "asl/json.h"

#define MAX_NODES 2000
#define MAX_GROUPS 50
#define MAX_REPEAT 1000

typedef enum NodeKind
{
	NODE_CHAR,					/* one character */
	NODE_ANY,					/* any but a line's end */
	NODE_CLASS,					/* one of a class */
	NODE_SPLIT,					/* goes on at both */
	NODE_JUMP,					/* goes on at the first */
	NODE_START,					/* at the start of the text */
	NODE_END,					/* at its end */
	NODE_WORD,					/* between a word and none */
	NODE_NOT_WORD,
	NODE_MATCH
} NodeKind;

typedef struct Range
{
	uint32_t	from;
	uint32_t	to;
} Range;

typedef struct Class
{
	Range	   *ranges;
	int			n;
	int			size;
	bool		negated;
} Class;

typedef struct Node
{
	NodeKind	kind;
	uint32_t	c;
	Class	   *class;
	int			first;			/* where it goes on */
	int			second;
} Node;

struct AslRegex
{
	Node	   *nodes;
	int			n;
	int			size;
	bool		ignore_case;
};

typedef struct Reader
{
	const char *at;
	const char *end;
	const char *problem;
	AslRegex   *regex;
	int			groups;
} Reader;

static bool read_alternatives(Reader *reader);

static bool
refuse(Reader *reader, const char *problem)
{
	if (reader->problem == NULL)
		reader->problem = problem;
	return false;
}

/* Adds a node that goes on at the next one; -1 when there are too many. */
static int
add_node(Reader *reader, NodeKind kind)
{
	AslRegex   *regex = reader->regex;
	Node	   *node;

	if (regex->n == MAX_NODES)
	{
		refuse(reader, "a regular expression is too large");
		return -1;
	}
	if (regex->n == regex->size)
	{
		int			size = regex->size == 0 ? 16 : regex->size * 2;

		regex->nodes = asl_realloc(regex->nodes, regex->size * sizeof(Node),
								   size * sizeof(Node));
		regex->size = size;
	}
	node = &regex->nodes[regex->n];
	memset(node, 0, sizeof(*node));
	node->kind = kind;
	node->first = regex->n + 1;
	return regex->n++;
}

/* Makes room for one node before those from a place on; their targets move along. */
static bool
insert_node(Reader *reader, int place, NodeKind kind)
{
	AslRegex   *regex = reader->regex;

	if (add_node(reader, kind) < 0)
		return false;
	for (int i = regex->n - 1; i > place; i--)
	{
		regex->nodes[i] = regex->nodes[i - 1];
		if (regex->nodes[i].first >= place)
			regex->nodes[i].first++;
		if (regex->nodes[i].second >= place)
			regex->nodes[i].second++;
	}
	memset(&regex->nodes[place], 0, sizeof(Node));
	regex->nodes[place].kind = kind;
	regex->nodes[place].first = place + 1;
	return true;
}

/* Copies the nodes from a place up to another to the end. */
static bool
copy_nodes(Reader *reader, int from, int to)
{
	AslRegex   *regex = reader->regex;
	int			shift = regex->n - from;

	for (int i = from; i < to; i++)
	{
		int			node = add_node(reader, regex->nodes[i].kind);

		if (node < 0)
			return false;
		regex->nodes[node] = regex->nodes[i];
		regex->nodes[node].first += shift;
		regex->nodes[node].second += shift;
	}
	return true;
}

static uint32_t
decode(const char *at, size_t len)
{
	const unsigned char *s = (const unsigned char *) at;

	switch (len)
	{
		case 2:
			return (uint32_t) (s[0] & 0x1F) << 6 | (s[1] & 0x3F);
		case 3:
			return (uint32_t) (s[0] & 0x0F) << 12 | (uint32_t) (s[1] & 0x3F) << 6 | (s[2] & 0x3F);
		case 4:
			return (uint32_t) (s[0] & 0x07) << 18 | (uint32_t) (s[1] & 0x3F) << 12 |
				(uint32_t) (s[2] & 0x3F) << 6 | (s[3] & 0x3F);
		default:
			return s[0];
	}
}

/* Reads one character; bytes that are no UTF-8 stand for themselves. */
static uint32_t
next_char(const char **at, const char *end)
{
	size_t		len = asl_utf8_len(*at, end - *at);
	uint32_t	c;

	if (len == 0)
		len = 1;
	c = decode(*at, len);
	*at += len;
	return c;
}

static bool
at_char(const Reader *reader, char c)
{
	return reader->at < reader->end && *reader->at == c;
}

/* --------------------------------------------------------------- classes */

static void
add_range(Class *class, uint32_t from, uint32_t to)
{
	if (class->n == class->size)
	{
		int			size = class->size == 0 ? 4 : class->size * 2;

		class->ranges = asl_realloc(class->ranges, class->size * sizeof(Range),
									size * sizeof(Range));
		class->size = size;
	}
	class->ranges[class->n].from = from;
	class->ranges[class->n++].to = to;
}

/* Adds what \d, \w and \s stand for, or all else for \D, \W and \S. */
static bool
add_shorthand(Class *class, char letter)
{
	switch (letter)
	{
		case 'd':
			add_range(class, '0', '9');
			return true;
		case 'D':
			add_range(class, 0, '0' - 1);
			add_range(class, '9' + 1, 0x10FFFF);
			return true;
		case 'w':
			add_range(class, '0', '9');
			add_range(class, 'A', 'Z');
			add_range(class, '_', '_');
			add_range(class, 'a', 'z');
			return true;
		case 'W':
			add_range(class, 0, '0' - 1);
			add_range(class, '9' + 1, 'A' - 1);
			add_range(class, 'Z' + 1, '_' - 1);
			add_range(class, '_' + 1, 'a' - 1);
			add_range(class, 'z' + 1, 0x10FFFF);
			return true;
		case 's':
			add_range(class, '\t', '\r');
			add_range(class, ' ', ' ');
			return true;
		case 'S':
			add_range(class, 0, '\t' - 1);
			add_range(class, '\r' + 1, ' ' - 1);
			add_range(class, ' ' + 1, 0x10FFFF);
			return true;
		default:
			return false;
	}
}

/* Reads what stands for one character after a backslash. */
static bool
read_escape(Reader *reader, uint32_t *c)
{
	if (reader->at == reader->end)
		return refuse(reader, "a regular expression ends with a backslash");
	*c = next_char(&reader->at, reader->end);
	switch (*c)
	{
		case 'n':
			*c = '\n';
			return true;
		case 'r':
			*c = '\r';
			return true;
		case 't':
			*c = '\t';
			return true;
		case 'f':
			*c = '\f';
			return true;
	}
	if (*c < 128 && asl_is_alnum((char) *c))
		return refuse(reader, "a regular expression has an escape that is not supported");
	return true;
}

/* Reads [a-z] after its bracket. */
static bool
read_class(Reader *reader)
{
	Class	   *class = asl_alloc(sizeof(Class));
	bool		first = true;
	int			node;

	memset(class, 0, sizeof(*class));
	if (at_char(reader, '^'))
	{
		class->negated = true;
		reader->at++;
	}
	while (reader->at < reader->end && (first || *reader->at != ']'))
	{
		uint32_t	from = next_char(&reader->at, reader->end);
		uint32_t	to;

		first = false;
		if (from == '[' || (from == '&' && at_char(reader, '&')))
			return refuse(reader, "classes within classes are not supported");
		if (from == '\\')
		{
			if (reader->at < reader->end && add_shorthand(class, *reader->at))
			{
				reader->at++;
				continue;
			}
			if (!read_escape(reader, &from))
				return false;
		}
		to = from;
		if (at_char(reader, '-') && reader->at + 1 < reader->end && reader->at[1] != ']')
		{
			reader->at++;
			to = next_char(&reader->at, reader->end);
			if (to == '\\' && !read_escape(reader, &to))
				return false;
			if (to < from)
				return refuse(reader, "a range of a regular expression is out of order");
		}
		add_range(class, from, to);
	}
	if (reader->at == reader->end)
		return refuse(reader, "a class of a regular expression does not end");
	reader->at++;
	node = add_node(reader, NODE_CLASS);
	if (node < 0)
		return false;
	reader->regex->nodes[node].class = class;
	return true;
}

/* --------------------------------------------------------------- reading */

/* Reads what follows a backslash outside a class. */
static bool
read_special(Reader *reader)
{
	Class	   *class;
	uint32_t	c;
	int			node;

	if (at_char(reader, 'b') || at_char(reader, 'B'))
		return add_node(reader, *reader->at++ == 'b' ? NODE_WORD : NODE_NOT_WORD) >= 0;
	class = asl_alloc(sizeof(Class));
	memset(class, 0, sizeof(*class));
	if (reader->at < reader->end && add_shorthand(class, *reader->at))
	{
		reader->at++;
		node = add_node(reader, NODE_CLASS);
		if (node >= 0)
			reader->regex->nodes[node].class = class;
		return node >= 0;
	}
	if (!read_escape(reader, &c))
		return false;
	node = add_node(reader, NODE_CHAR);
	if (node >= 0)
		reader->regex->nodes[node].c = c;
	return node >= 0;
}

static bool
read_group(Reader *reader)
{
	if (++reader->groups > MAX_GROUPS)
		return refuse(reader, "groups of a regular expression are nested too deeply");
	if (at_char(reader, '?'))
	{
		if (reader->at + 1 >= reader->end || reader->at[1] != ':')
			return refuse(reader, "looking around is not supported in a regular expression");
		reader->at += 2;
	}
	if (!read_alternatives(reader))
		return false;
	if (!at_char(reader, ')'))
		return refuse(reader, "a group of a regular expression does not end");
	reader->at++;
	reader->groups--;
	return true;
}

static bool
read_atom(Reader *reader)
{
	uint32_t	c = next_char(&reader->at, reader->end);
	int			node;

	switch (c)
	{
		case '(':
			return read_group(reader);
		case '[':
			return read_class(reader);
		case '\\':
			return read_special(reader);
		case '.':
			return add_node(reader, NODE_ANY) >= 0;
		case '^':
			return add_node(reader, NODE_START) >= 0;
		case '$':
			return add_node(reader, NODE_END) >= 0;
		case '*':
		case '+':
		case '?':
		case '{':
			return refuse(reader, "a regular expression repeats nothing");
	}
	node = add_node(reader, NODE_CHAR);
	if (node >= 0)
		reader->regex->nodes[node].c = c;
	return node >= 0;
}

static bool
read_count(Reader *reader, int *count)
{
	const char *start = reader->at;

	*count = 0;
	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
	{
		*count = *count * 10 + (*reader->at++ - '0');
		if (*count > MAX_REPEAT)
			return refuse(reader, "a regular expression repeats too often");
	}
	return reader->at > start;
}

/* Reads * + ? {2} {2,} {2,3} into least and most, -1: any number. */
static bool
read_repetition(Reader *reader, int *least, int *most)
{
	char		c = *reader->at++;

	*least = c == '+' ? 1 : 0;
	*most = c == '?' ? 1 : -1;
	if (c == '{')
	{
		if (!read_count(reader, least))
			return refuse(reader, "a number was expected in a regular expression");
		*most = *least;
		if (at_char(reader, ','))
		{
			reader->at++;
			*most = -1;
			if (!at_char(reader, '}') && !read_count(reader, most))
				return refuse(reader, "a number was expected in a regular expression");
		}
		if (!at_char(reader, '}') || (*most >= 0 && *most < *least))
			return refuse(reader, "a repetition of a regular expression is not valid");
		reader->at++;
	}
	/* whether it takes as much or as little as it can is nothing to a whole match */
	if (at_char(reader, '?') || at_char(reader, '+'))
		reader->at++;
	return true;
}

/* Repeats the nodes of an atom, which go from a place to the end. */
static bool
repeat(Reader *reader, int start, int least, int most)
{
	AslRegex   *regex = reader->regex;
	int			end = regex->n;
	int			copies = most < 0 ? (least > 0 ? least : 1) : most;

	if (most == 0)
	{
		regex->n = start;
		return true;
	}
	/* x? is a split past x; x* is that with a jump back */
	if (least == 0 && !insert_node(reader, start, NODE_SPLIT))
		return false;
	if (least == 0)
		end++;
	for (int i = 1; i < copies; i++)
	{
		int			at = regex->n;

		if (i < least || least == 0)
		{
			if (!copy_nodes(reader, start, end))
				return false;
			if (least == 0)
				regex->nodes[at].second = regex->n;
			continue;
		}
		at = add_node(reader, NODE_SPLIT);
		if (at < 0 || !copy_nodes(reader, start, end))
			return false;
		regex->nodes[at].second = regex->n;
	}
	if (most < 0)
	{
		/* x+: back to the last copy; x*: back to its split */
		int			back = add_node(reader, least == 0 ? NODE_JUMP : NODE_SPLIT);

		if (back < 0)
			return false;
		if (least == 0)
			regex->nodes[back].first = start;
		else
		{
			regex->nodes[back].first = start + (copies - 1) * (end - start);
			regex->nodes[back].second = back + 1;
		}
	}
	if (least == 0)
		regex->nodes[start].second = most < 0 ? regex->n : end;
	return true;
}

static bool
read_sequence(Reader *reader)
{
	while (reader->at < reader->end && *reader->at != '|' && *reader->at != ')')
	{
		int			start = reader->regex->n;

		if (!read_atom(reader))
			return false;
		while (at_char(reader, '*') || at_char(reader, '+') || at_char(reader, '?') ||
			   at_char(reader, '{'))
		{
			int			least;
			int			most;

			if (!read_repetition(reader, &least, &most) ||
				!repeat(reader, start, least, most))
				return false;
		}
	}
	return true;
}

static bool
read_alternatives(Reader *reader)
{
	AslRegex   *regex = reader->regex;
	int			start = regex->n;
	int			last = -1;		/* of the jumps past the end, each names the one before */

	if (!read_sequence(reader))
		return false;
	while (at_char(reader, '|'))
	{
		int			jump;

		reader->at++;
		/* a split before what was read, and a jump past all that follows */
		if (!insert_node(reader, start, NODE_SPLIT))
			return false;
		jump = add_node(reader, NODE_JUMP);
		if (jump < 0)
			return false;
		regex->nodes[start].second = regex->n;
		regex->nodes[jump].second = last;
		last = jump;
		start = regex->n;
		if (!read_sequence(reader))
			return false;
	}
	while (last >= 0)
	{
		regex->nodes[last].first = regex->n;
		last = regex->nodes[last].second;
	}
	return true;
}

AslRegex *
asl_regex_parse(const char *pattern, size_t len, bool ignore_case, const char **problem)
{
	AslRegex   *regex = asl_alloc(sizeof(AslRegex));
	Reader		reader = {pattern, pattern + len, NULL, regex};

	memset(regex, 0, sizeof(*regex));
	regex->ignore_case = ignore_case;
	if (read_alternatives(&reader) && reader.at < reader.end)
		refuse(&reader, "a parenthesis of a regular expression was not opened");
	if (reader.problem == NULL)
		add_node(&reader, NODE_MATCH);
	*problem = reader.problem;
	return reader.problem == NULL ? regex : NULL;
}

/* -------------------------------------------------------------- matching */

/* The nodes that a text has led to, each once. */
typedef struct Places
{
	int		   *nodes;
	int			n;
	int		   *seen;			/* per node: the last position that it was added at */
} Places;

static uint32_t
fold(uint32_t c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static uint32_t
unfold(uint32_t c)
{
	return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

static bool
in_ranges(const Class *class, uint32_t c)
{
	for (int i = 0; i < class->n; i++)
		if (c >= class->ranges[i].from && c <= class->ranges[i].to)
			return true;
	return false;
}

static bool
node_takes(const AslRegex *regex, const Node *node, uint32_t c)
{
	bool		within;

	switch (node->kind)
	{
		case NODE_CHAR:
			return node->c == c || (regex->ignore_case && fold(node->c) == fold(c));
		case NODE_ANY:
			return c != '\n' && c != '\r' && c != 0x85 && c != 0x2028 && c != 0x2029;
		case NODE_CLASS:
			within = in_ranges(node->class, c) ||
				(regex->ignore_case && (in_ranges(node->class, fold(c)) ||
										in_ranges(node->class, unfold(c))));
			return within != node->class->negated;
		default:
			return false;
	}
}

static bool
is_word(char c)
{
	return asl_is_alnum(c) || c == '_';
}

/* Adds a node, and those that it leads to without taking a character. */
static void
add_place(const AslRegex *regex, Places *places, int *stack, int node, int position,
		  const char *at, const char *text, const char *end)
{
	int			depth = 0;
	bool		boundary = (at > text && is_word(at[-1])) != (at < end && is_word(*at));

	stack[depth++] = node;
	while (depth > 0)
	{
		const Node *current;

		node = stack[--depth];
		if (places->seen[node] == position)
			continue;
		places->seen[node] = position;
		current = &regex->nodes[node];
		switch (current->kind)
		{
			case NODE_SPLIT:
				stack[depth++] = current->second;
				stack[depth++] = current->first;
				break;
			case NODE_JUMP:
				stack[depth++] = current->first;
				break;
			case NODE_START:
				if (at == text)
					stack[depth++] = current->first;
				break;
			case NODE_END:
				if (at == end)
					stack[depth++] = current->first;
				break;
			case NODE_WORD:
			case NODE_NOT_WORD:
				if (boundary == (current->kind == NODE_WORD))
					stack[depth++] = current->first;
				break;
			default:
				places->nodes[places->n++] = node;
				break;
		}
	}
}

bool
asl_regex_matches(const AslRegex *regex, const char *text, size_t len, int64_t *budget)
{
	const char *at = text;
	const char *end = text + len;
	Places		now;
	Places		then;
	int		   *stack = asl_alloc((2 * regex->n + 2) * sizeof(int));
	int			position = 1;

	now.nodes = asl_alloc(regex->n * sizeof(int));
	then.nodes = asl_alloc(regex->n * sizeof(int));
	now.seen = asl_alloc(regex->n * sizeof(int));
	memset(now.seen, 0, regex->n * sizeof(int));
	then.seen = now.seen;
	now.n = 0;
	add_place(regex, &now, stack, 0, position, at, text, end);
	while (at < end && now.n > 0)
	{
		uint32_t	c = next_char(&at, end);
		Places		swap;

		*budget -= now.n + 1;
		if (*budget <= 0)
			return false;
		then.n = 0;
		position++;
		for (int i = 0; i < now.n; i++)
			if (node_takes(regex, &regex->nodes[now.nodes[i]], c))
				add_place(regex, &then, stack, regex->nodes[now.nodes[i]].first, position, at,
						  text, end);
		swap = now;
		now = then;
		then = swap;
	}
	if (at < end)
		return false;
	for (int i = 0; i < now.n; i++)
		if (regex->nodes[now.nodes[i]].kind == NODE_MATCH)
			return true;
	return false;
}
