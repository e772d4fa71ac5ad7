/*
 * approval.c
 *	  Start of the folder; and a trigger of what is below it.
 */
#include "postgres.h"

#include "approval/deadline.h"
#include "approval/request.h"
#include "approval/verify.h"
#include "commands/trigger.h"
#include "core/compat.h"
#include "core/event.h"
#include "core/module.h"
#include "core/stmt.h"
#include "utils/rel.h"

VOUCH_FUNCTION(vouch_sql_withdraw_request);

static VouchStmt withdraw_request = {
	"UPDATE vouch_data.approval_request SET state = 'withdrawn', closed_by = $4, closed_at = $5"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND state = 'open'",
	SPI_OK_UPDATE, 5, {INT4OID, INT4OID, INT4OID, TEXTOID, TIMESTAMPTZOID},
	.indexed = true, .guarded = true
};

void
vouch_approval_init(void)
{
	vouch_fsm_register(&vouch_request_machine);
	vouch_check_approvals_hook = vouch_approval_check;
	vouch_deadlines_hook = vouch_deadlines_process;
	vouch_maker_hook = vouch_holds_maker_role;
	vouch_making_hook = vouch_require_maker;
}

/* vouch_data.withdraw_request(), a row trigger after an update of vouch_data.version */
Datum
vouch_sql_withdraw_request(PG_FUNCTION_ARGS)
{
	static const char *const columns[] = {"bucket", "artifact_no", "version_no", "closed_by", "closed_at"};
	TriggerData *data = (TriggerData *) fcinfo->context;
	Datum		args[lengthof(columns)];
	char		nulls[lengthof(columns) + 1] = "     ";

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) || !TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		elog(ERROR, "vouch_data.withdraw_request() was not called as a trigger");
	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		TupleDesc	desc = RelationGetDescr(data->tg_relation);
		bool		isnull;

		args[i] = SPI_getbinval(data->tg_newtuple, desc, SPI_fnumber(desc, columns[i]), &isnull);
		nulls[i] = isnull ? 'n' : ' ';
	}
	SPI_connect();
	vouch_stmt_run(&withdraw_request, args, nulls);
	SPI_finish();
	return PointerGetDatum(NULL);
}
