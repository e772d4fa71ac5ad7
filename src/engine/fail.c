/*
 * fail.c
 *	  The errors that activities fail with.
 *
 * Names that begin with "States." say what the language found wrong: some are
 * matched in ways of their own, and States.Runtime is never caught.  Those of
 * "Vouch." say what the engine did: Vouch.Canceled is never retried.  So an
 * activity can have neither, but for States.TaskFailed, which says no more
 * than that it failed.
 */
#include "postgres.h"

#include "core/errors.h"
#include "core/compat.h"
#include "engine/fail.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_fail);

#define NAME_MAX_LEN 256		/* characters, as in the service */

/* What is wrong with a name, as a sentence, or NULL. */
static const char *
name_problem(const char *error)
{
	if (error[0] == '\0')
		return "It is empty.";
	if (pg_mbstrlen(error) > NAME_MAX_LEN)
		return psprintf("It has more than %d characters.", NAME_MAX_LEN);
	if (strncmp(error, "States.", 7) == 0 && strcmp(error, "States.TaskFailed") != 0)
		return "Names that begin with \"States.\" belong to the language.";
	if (strncmp(error, "Vouch.", 6) == 0)
		return "Names that begin with \"Vouch.\" belong to the engine.";
	return NULL;
}

void
vouch_fail_require_name(const char *error)
{
	const char *problem = name_problem(error);

	if (problem != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("\"%s\" cannot be the name of an activity's error",
						pnstrdup(error, pg_mbcliplen(error, strlen(error), NAME_MAX_LEN))),
				 errdetail("%s", problem),
				 errhint("Choose a name of your own, like \"Bank.Refused\".")));
}

/* vouch.fail(error text, cause text): an activity's own error name */
Datum
vouch_sql_fail(PG_FUNCTION_ARGS)
{
	char	   *error = PG_ARGISNULL(0) ? "States.TaskFailed" : text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *cause = PG_ARGISNULL(1) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(1));

	vouch_fail_require_name(error);
	/* the name travels in a field that RAISE; passes on, too */
	ereport(ERROR,
			(errcode(VOUCH_ERR_RAISED),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, error),
			 errmsg("%s: %s", error, cause),
			 errhint("In a workflow, a Retry or Catch for this error takes it.")));
	PG_RETURN_VOID();
}

void
vouch_fail_translate(const ErrorData *edata, AslError *error)
{
	const char *name = edata->constraint_name;

	error->cause = edata->message ? edata->message : "";
	if (edata->sqlerrcode == VOUCH_ERR_ACTIVITY)
	{
		/* the function was not called at all; the detail names the argument */
		error->error = "Vouch.BadParameters";
		if (edata->detail != NULL)
			error->cause = psprintf("%s: %s", error->cause, edata->detail);
	}
	else if (edata->sqlerrcode == VOUCH_ERR_RAISED && name != NULL &&
			 (name_problem(name) == NULL || strcmp(name, "States.DataLimitExceeded") == 0))
	{
		size_t		len = strlen(name);

		/* vouch.fail() writes "error: cause" */
		error->error = name;
		if (strncmp(error->cause, name, len) == 0 && strncmp(error->cause + len, ": ", 2) == 0)
			error->cause += len + 2;
	}
	else
		error->error = psprintf("SQL.%s", unpack_sql_state(edata->sqlerrcode));
}
