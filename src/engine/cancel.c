/*
 * cancel.c
 *	  A cancellation is an error, Vouch.Canceled, in every state that an
 *	  execution stands in: a Catch can compensate, a Retry cannot hold it up.
 *
 * The innermost states get it first.  A Parallel or Map whose branches were
 * told begins no more iterations, and has the error itself as soon as all of
 * them have ended.  When the main line ends, the execution is canceled.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/stmt.h"
#include "engine/cancel.h"
#include "engine/task.h"
#include "utils/builtins.h"

static VouchStmt set_canceled = {
	"UPDATE vouch_data.execution SET canceled_at = $3, cancel_reason = $4, paused = false"
	" WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_UPDATE, 4, {INT4OID, UUIDOID, TIMESTAMPTZOID, TEXTOID}, .indexed = true
};

static VouchStmt let_go = {
	"UPDATE vouch_data.branch SET held = false WHERE bucket = $1 AND execution_id = $2 AND held",
	SPI_OK_UPDATE, 2, {INT4OID, UUIDOID}, .indexed = true
};

bool
vouch_cancel_is(const VouchAdvance *adv, const AslError *error)
{
	return adv->execution.canceled_at != 0 && error->error != NULL &&
		strcmp(error->error, VOUCH_CANCELED) == 0;
}

AslError
vouch_cancel_error(const VouchAdvance *adv)
{
	AslError	error = {VOUCH_CANCELED, adv->execution.cancel_reason};

	return error;
}

static bool
anything_catches(VouchAdvance *adv)
{
	for (int i = 0; i < adv->nbranches; i++)
		if (adv->branches[i]->state != NULL && adv->branches[i]->state->has_catch)
			return true;
	return false;
}

void
vouch_cancel_deliver(VouchAdvance *adv, const char *reason)
{
	VouchExecution *e = &adv->execution;
	int			n = adv->nbranches;
	AslError	cause = {NULL, reason};
	Datum		args[4];

	if (!anything_catches(adv))
	{
		vouch_advance_close(adv, "cancel", NULL, &cause);
		return;
	}
	e->canceled_at = GetCurrentTimestamp();
	e->cancel_reason = reason;
	args[0] = Int32GetDatum(e->bucket);
	args[1] = UUIDPGetDatum(&e->id);
	args[2] = TimestampTzGetDatum(e->canceled_at);
	args[3] = CStringGetTextDatum(reason);
	vouch_stmt_run_one(&set_canceled, args, NULL);
	if (e->paused)
		vouch_stmt_run(&let_go, args, NULL);	/* its tasks go anyway */
	e->paused = false;
	vouch_history_add(adv, NULL, VOUCH_EV_CANCEL_REQUESTED, NULL, vouch_history_error(&cause), NULL);
	vouch_child_close_all(adv, NULL, -1);
	for (int i = 0; i < n; i++)
	{
		VouchBranch *b = adv->branches[i];

		if (b->status == VOUCH_BRANCH_WAITING && b->wait == VOUCH_WAIT_JOIN)
		{
			b->join->canceling = true;
			b->dirty = true;
			continue;
		}
		vouch_task_forget(adv, b);
		b->failure = vouch_cancel_error(adv);
		vouch_advance_ready(adv, b, VOUCH_RESUME_FAILURE);
	}
}
