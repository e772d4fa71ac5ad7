/*
 * guard.c
 *	  Advances one execution so that its trouble stays its own.
 *
 * A person signs or signals, and the workflow goes on in that transaction;
 * vouch.advance() goes through many executions in one.  An error of ours in
 * one of them must not undo the signature, nor hold up the others.
 */
#include "postgres.h"

#include "access/xact.h"
#include "core/id.h"
#include "engine/advance.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* The transaction has to be tried again as a whole, or the session is to end. */
static bool
concerns_all(int sqlerrcode)
{
	int			category = ERRCODE_TO_CATEGORY(sqlerrcode);

	return category == ERRCODE_TRANSACTION_ROLLBACK || category == ERRCODE_OPERATOR_INTERVENTION;
}

VouchAdvanceOutcome
vouch_advance_guarded(int bucket, const pg_uuid_t *id, VouchAdvanceMode mode, int64 *steps)
{
	volatile VouchAdvanceOutcome outcome = VOUCH_ADVANCE_BUSY;
	int64		done = 0;
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old);
	PG_TRY();
	{
		outcome = vouch_engine_advance(bucket, id, mode, &done);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(old);
		CurrentResourceOwner = owner;
		*steps += done;
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(old);
		edata = CopyErrorData();
		if (concerns_all(edata->sqlerrcode))
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(old);
		CurrentResourceOwner = owner;
		outcome = VOUCH_ADVANCE_BUSY;
		ereport(WARNING,
				(errcode(edata->sqlerrcode),
				 errmsg("an execution could not be advanced: %s", edata->message ? edata->message : "?"),
				 edata->detail ? errdetail_internal("%s", edata->detail) : 0,
				 errhint("Nothing else is undone by that; the execution (%s) is tried again later.",
						 vouch_id_text(id))));
		FreeErrorData(edata);
	}
	PG_END_TRY();
	return outcome;
}
