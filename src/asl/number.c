/*
 * number.c
 *	  Numbers as texts and as the service's doubles.
 */
#include "asl/port.h"

#include "asl/number.h"

/*
 * Writes a finite double as Java does, which the service is written in: the
 * shortest digits that give the same double back, plain between 0.001 and
 * 10,000,000, otherwise with an exponent, and always with a fraction.
 * Returns the length.
 */
int
asl_format_double(double value, char *text)
{
	char		digits[32];
	char	   *mantissa = digits;
	char	   *exponent_at;
	int			exponent;
	int			ndigits;
	int			len = 0;

	if (value == 0)
		return snprintf(text, ASL_DOUBLE_SIZE, signbit(value) ? "-0.0" : "0.0");

	for (int precision = 0; precision < 17; precision++)
	{
		snprintf(digits, sizeof(digits), "%.*e", precision, value);
		if (strtod(digits, NULL) == value)
			break;
	}

	/* take "-d.ddde+xx" apart: mantissa becomes bare digits */
	exponent_at = strchr(digits, 'e');
	exponent = atoi(exponent_at + 1);
	*exponent_at = '\0';
	if (*mantissa == '-')
	{
		text[len++] = '-';
		mantissa++;
	}
	if (mantissa[1] == '.')
		memmove(mantissa + 1, mantissa + 2, strlen(mantissa + 2) + 1);
	ndigits = (int) strlen(mantissa);
	while (ndigits > 1 && mantissa[ndigits - 1] == '0')
		mantissa[--ndigits] = '\0';

	if (exponent < -3 || exponent >= 7)
		return len + snprintf(text + len, ASL_DOUBLE_SIZE - len, "%c.%sE%d", mantissa[0],
							  ndigits > 1 ? mantissa + 1 : "0", exponent);

	if (exponent < 0)
	{
		text[len++] = '0';
		text[len++] = '.';
		for (int i = -1; i > exponent; i--)
			text[len++] = '0';
		memcpy(text + len, mantissa, ndigits);
		len += ndigits;
	}
	else
	{
		for (int i = 0; i <= exponent; i++)
			text[len++] = i < ndigits ? mantissa[i] : '0';
		text[len++] = '.';
		if (ndigits <= exponent + 1)
			text[len++] = '0';
		for (int i = exponent + 1; i < ndigits; i++)
			text[len++] = mantissa[i];
	}
	text[len] = '\0';
	return len;
}

/* Tells whether a text is a plain integer of 64 bits, and gives it. */
bool
asl_parse_int(const char *text, int64_t *result)
{
	bool		negative = *text == '-';
	uint64_t	value = 0;
	uint64_t	limit = negative ? (uint64_t) INT64_MAX + 1 : (uint64_t) INT64_MAX;

	if (negative)
		text++;
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++)
	{
		unsigned	digit = (unsigned) (*text - '0');

		if (digit > 9 || value > (limit - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*result = negative ? (int64_t) (0 - value) : (int64_t) value;
	return true;
}

/* Tells whether a text is a decimal number, and gives it. */
bool
asl_parse_decimal(const char *text, double *result)
{
	const char *at = text;
	char	   *end;

	if (*at == '-' || *at == '+')
		at++;
	if (*at != '.' && !(*at >= '0' && *at <= '9'))
		return false;
	/* strtod() would also take hexadecimal */
	if (strpbrk(text, "xX") != NULL)
		return false;
	*result = strtod(text, &end);
	return *end == '\0' && !isinf(*result) && !isnan(*result);
}

/* Compares two doubles. */
static int
compare_doubles(double a, double b)
{
	return a < b ? -1 : a > b ? 1 : 0;
}

/* Compares an integer with a double that rounds to the same double. */
static int
compare_tie(int64_t a, double b)
{
	/* the smallest double past every int64 */
	if (b >= 9223372036854775808.0)
		return -1;
	return a < (int64_t) b ? -1 : a > (int64_t) b ? 1 : 0;
}

/*
 * Compares two numbers: integers of 64 bits exactly, all others as doubles.
 * This is a total order, fit for sorting.
 */
int
asl_compare_number_texts(const char *a, const char *b)
{
	int64_t		an = 0;
	int64_t		bn = 0;
	bool		a_is_int = asl_parse_int(a, &an);
	bool		b_is_int = asl_parse_int(b, &bn);
	double		ad;
	double		bd;
	int			order;

	if (a_is_int && b_is_int)
		return an < bn ? -1 : an > bn ? 1 : 0;

	ad = a_is_int ? (double) an : strtod(a, NULL);
	bd = b_is_int ? (double) bn : strtod(b, NULL);
	order = compare_doubles(ad, bd);
	if (order == 0 && a_is_int)
		return compare_tie(an, bd);
	if (order == 0 && b_is_int)
		return -compare_tie(bn, ad);
	return order;
}

/* Rounds to the nearest integer, halves upwards, as the service does. */
double
asl_round(double value)
{
	return floor(value + 0.5);
}
