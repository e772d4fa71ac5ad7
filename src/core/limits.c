/*
 * limits.c
 *	  What is asked of arguments: to be there, and how long they may be.
 */
#include "postgres.h"

#include "core/compat.h"
#include "core/errors.h"
#include "core/limits.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_check_text);
VOUCH_FUNCTION(vouch_sql_check_given);
VOUCH_FUNCTION(vouch_sql_check_name);

static void
too_long(const char *text, const char *what, int length, int most, const char *unit, const char *hint)
{
	ereport(ERROR,
			(errcode(VOUCH_ERR_ARGUMENT),
			 errmsg("%s cannot be longer than %d %s", what, most, unit),
			 errdetail("This has %d: \"%.*s...\".", length, pg_mbcliplen(text, strlen(text), 80), text),
			 errhint("%s", hint)));
}

void
vouch_check_text(const char *text, const char *what)
{
	/* no character is shorter than a byte */
	if (text != NULL && strlen(text) > VOUCH_TEXT_MAX && pg_mbstrlen(text) > VOUCH_TEXT_MAX)
		too_long(text, what, pg_mbstrlen(text), VOUCH_TEXT_MAX, "characters",
				 "Keep long texts in a document, and say here where it is.");
}

void
vouch_check_name(const char *name, const char *what)
{
	if (name != NULL && strlen(name) > VOUCH_NAME_MAX)
		too_long(name, what, strlen(name), VOUCH_NAME_MAX, "bytes",
				 "Give a short name; what there is to say about it has other places.");
}

/* vouch_data.check_text(text, what) */
Datum
vouch_sql_check_text(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(0))
		vouch_check_text(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}

void
vouch_check_given(bool isnull, const char *what)
{
	if (isnull)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("%s is missing", what),
				 errhint("It may not be NULL.")));
}

/* vouch_data.check_given(what text, given boolean): true */
Datum
vouch_sql_check_given(PG_FUNCTION_ARGS)
{
	vouch_check_given(!PG_GETARG_BOOL(1), text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_BOOL(true);
}

/* vouch_data.check_name(name, what) */
Datum
vouch_sql_check_name(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(0))
		vouch_check_name(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}
