/*
 * timestamp.c
 *	  RFC 3339 timestamps, as narrow as the language wants them: an upper-case
 *	  T between date and time, and an upper-case Z where there is no offset.
 */
#include "asl/port.h"

#include "asl/timestamp.h"

/* Reads exactly this many digits; -1 when they are not there. */
static int
read_digits(const char **at, int count)
{
	int			value = 0;

	for (int i = 0; i < count; i++)
	{
		char		c = (*at)[i];

		if (c < '0' || c > '9')
			return -1;
		value = value * 10 + (c - '0');
	}
	*at += count;
	return value;
}

static bool
read_char(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t
days_from_civil(int year, int month, int day)
{
	int			y = month <= 2 ? year - 1 : year;
	int			era = (y >= 0 ? y : y - 399) / 400;
	int			year_of_era = y - era * 400;
	int			day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int			day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return (int64_t) era * 146097 + day_of_era - 719468;
}

static int
days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

bool
asl_parse_timestamp(const char *text, int64_t *microseconds)
{
	const char *at = text;
	int			year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;
	int64_t		fraction = 0;
	int64_t		offset = 0;

	if ((year = read_digits(&at, 4)) < 0 || !read_char(&at, '-') ||
		(month = read_digits(&at, 2)) < 1 || month > 12 || !read_char(&at, '-') ||
		(day = read_digits(&at, 2)) < 1 || day > days_in_month(year, month) ||
		!read_char(&at, 'T') ||
		(hour = read_digits(&at, 2)) < 0 || hour > 23 || !read_char(&at, ':') ||
		(minute = read_digits(&at, 2)) < 0 || minute > 59 || !read_char(&at, ':') ||
		(second = read_digits(&at, 2)) < 0 || second > 59)
		return false;

	if (read_char(&at, '.'))
	{
		int			scale = 100000;

		if (*at < '0' || *at > '9')
			return false;
		for (; *at >= '0' && *at <= '9'; at++)
		{
			fraction += (int64_t) (*at - '0') * scale;
			scale /= 10;
		}
	}

	if (!read_char(&at, 'Z'))
	{
		int			sign = *at == '-' ? -1 : 1;
		int			hours;
		int			minutes;

		if (!read_char(&at, '+') && !read_char(&at, '-'))
			return false;
		if ((hours = read_digits(&at, 2)) < 0 || hours > 23 || !read_char(&at, ':') ||
			(minutes = read_digits(&at, 2)) < 0 || minutes > 59)
			return false;
		offset = sign * (hours * 3600 + minutes * 60);
	}
	if (*at != '\0')
		return false;

	*microseconds = ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60;
	*microseconds = (*microseconds + second - offset) * 1000000 + fraction;
	return true;
}
