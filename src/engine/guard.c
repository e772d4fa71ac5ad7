/*
 * guard.c
 *	  Advances one execution so that its trouble stays its own.
 *
 * A person signs or signals, and the workflow goes on in that transaction;
 * vouch.advance() goes through many executions in one.  An error of ours in
 * one of them must not undo the signature, nor hold up the others.
 */
#include "postgres.h"

#include "core/attempt.h"
#include "core/id.h"
#include "engine/advance.h"

/* The transaction has to be tried again as a whole, or the session is to end. */
static bool
concerns_all(int sqlerrcode)
{
	int			category = ERRCODE_TO_CATEGORY(sqlerrcode);

	return category == ERRCODE_TRANSACTION_ROLLBACK || category == ERRCODE_OPERATOR_INTERVENTION;
}

/* An execution to be advanced. */
typedef struct Guarded
{
	int			bucket;
	const pg_uuid_t *id;
	VouchAdvanceMode mode;
	VouchAdvanceOutcome outcome;
	int64		steps;
} Guarded;

static bool
advance(void *arg)
{
	Guarded    *g = arg;

	g->outcome = vouch_engine_advance(g->bucket, g->id, g->mode, &g->steps);
	return true;
}

VouchAdvanceOutcome
vouch_advance_guarded(int bucket, const pg_uuid_t *id, VouchAdvanceMode mode, int64 *steps)
{
	Guarded		g = {bucket, id, mode};
	ErrorData  *error = vouch_attempt(advance, &g);

	if (error == NULL)
	{
		*steps += g.steps;
		return g.outcome;
	}
	if (concerns_all(error->sqlerrcode))
		ReThrowError(error);
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("an execution could not be advanced: %s", error->message ? error->message : "?"),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 errhint("Nothing else is undone by that; the execution (%s) is tried again later.",
					 vouch_id_text(id))));
	FreeErrorData(error);
	return VOUCH_ADVANCE_BUSY;
}
