/*
 * guard.c
 *	  Keeps everybody but our own statements away from a table.
 *
 * No role can be granted what the trigger refuses, so neither an application's
 * bug nor a superuser in a hurry writes history by hand.  Who disables the trigger
 * first leaves traces that vouch.verify() finds.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/rls.h"
#include "utils/rel.h"

VOUCH_FUNCTION(vouch_sql_guard);
VOUCH_FUNCTION(vouch_sql_in_restore);

/*
 * Is a dump being restored?  vouch.restoring says so; and the rows of a plain
 * "psql -f dump" or pg_restore come in a session with the three settings that
 * every dump makes first and nobody else makes together.  Like vouch.restoring
 * it takes a role that may write the table, so it opens no door that was shut,
 * and what comes in by it is what vouch.verify() then checks.
 */
bool
vouch_in_restore(bool insert)
{
	return vouch_guc_restoring ||
		(insert && !check_function_bodies && !row_security &&
		 namespace_search_path != NULL && namespace_search_path[0] == '\0');
}

/*
 * Does one of our functions in PL/pgSQL write?  They run as the extension's
 * owner because they are SECURITY DEFINER; who is the owner, but calls no
 * such function, has no business here.
 */
static bool
in_own_function(void)
{
	return InLocalUserIdChange() && GetUserId() == vouch_owner_id();
}

/* What a trigger returns that changes nothing: NULL for a statement, for a row what is to be written. */
static Datum
let_through(const TriggerData *data)
{
	return PointerGetDatum(!TRIGGER_FIRED_FOR_ROW(data->tg_event) ? NULL :
						   TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple);
}

/*
 * vouch_data.guard(), a trigger of statements, and of rows where these are never
 * changed: those fire also when a statement comes by way of another table.  Its argument: none: what our C
 * writes; append-only: what it only adds to; recorded: what our functions in
 * PL/pgSQL add and update; added: what they only add to; configured: what they
 * may also delete.
 */
Datum
vouch_sql_guard(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	const char *table,
			   *verb,
			   *kind;
	bool		may;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "vouch_data.guard() was not called as a trigger");
	if (vouch_stmt_in_guarded() || creating_extension ||
		vouch_in_restore(TRIGGER_FIRED_BY_INSERT(data->tg_event)))
		return let_through(data);
	kind = data->tg_trigger->tgnargs > 0 ? data->tg_trigger->tgargs[0] : "";
	may = TRIGGER_FIRED_BY_INSERT(data->tg_event) ?
		strcmp(kind, "recorded") == 0 || strcmp(kind, "added") == 0 || strcmp(kind, "configured") == 0 :
		TRIGGER_FIRED_BY_UPDATE(data->tg_event) ?
		strcmp(kind, "recorded") == 0 || strcmp(kind, "configured") == 0 :
		TRIGGER_FIRED_BY_DELETE(data->tg_event) && strcmp(kind, "configured") == 0;
	if (may && in_own_function())
		return let_through(data);

	table = RelationGetRelationName(data->tg_relation);
	if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
		verb = "insert into";
	else if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		verb = "update";
	else if (TRIGGER_FIRED_BY_DELETE(data->tg_event))
		verb = "delete from";
	else
		verb = "truncate";

	if (strcmp(kind, "append-only") == 0 || strcmp(kind, "added") == 0 ||
		(strcmp(kind, "recorded") == 0 && !TRIGGER_FIRED_BY_INSERT(data->tg_event) && !TRIGGER_FIRED_BY_UPDATE(data->tg_event)))
		ereport(ERROR,
				(errcode(VOUCH_ERR_APPEND_ONLY),
				 errmsg("cannot %s table \"%s\"", verb, table),
				 errdetail("It is append-only, for every role: Vouch adds to it what is done through its functions."),
				 errhint("A correction is an operation of its own; a dump is restored with vouch.restoring = on.")));
	if (kind[0] != '\0')
		ereport(ERROR,
				(errcode(VOUCH_ERR_FROZEN),
				 errmsg("cannot %s table \"%s\"", verb, table),
				 errdetail("Only Vouch's own functions write it, and the log tells of each row, whichever role calls."),
				 errhint("Its comment names the functions; a dump is restored with vouch.restoring = on.")));
	ereport(ERROR,
			(errcode(VOUCH_ERR_FROZEN),
			 errmsg("cannot %s table \"%s\"", verb, table),
			 errdetail("Only Vouch's own functions write it, whichever role calls."),
			 errhint("Use vouch.create_version(), vouch.create_revision(), vouch.edit_items() and vouch.decide(); a dump is restored with vouch.restoring = on.")));
	return PointerGetDatum(NULL);	/* not reached */
}

/* vouch_data.in_restore(): do rows come in that were logged where they come from? */
Datum
vouch_sql_in_restore(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(creating_extension || vouch_in_restore(true));
}
