/*
 * attempt.c
 *	  Work whose errors are not to end the transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "core/attempt.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

ErrorData *
vouch_attempt(VouchAttempt step, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		if (step(arg))
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

bool
vouch_error_is_passing(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case MAKE_SQLSTATE('4', '0', '0', '0', '0'):	/* rolled back by the server */
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'):	/* out of memory, disk, … */
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'):	/* canceled, shut down */
			return true;
	}
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || error->sqlerrcode == ERRCODE_OBJECT_IN_USE;
}
