/*
 * ddl.c
 *	  Commands that need the workers out of the way.
 *
 * A worker that is connected to a database makes DROP DATABASE and its like
 * wait five seconds and fail, so before such a command the workers of that
 * database are asked to leave.  And DROP EXTENSION wakes the dispatcher, which
 * otherwise would notice at its next sweep.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "core/compat.h"
#include "core/wake.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/syscache.h"
#include "worker/worker.h"

#define HOLD_MS 60000			/* should this session end before it releases them */
#define PATIENCE_MS 10000
#define LOOK_MS 5

static ProcessUtility_hook_type previous_utility_hook = NULL;
static object_access_hook_type previous_access_hook = NULL;

/* May the current user make a copy of a database?  As CREATE DATABASE asks. */
static bool
may_copy(Oid oid)
{
	HeapTuple	tuple;
	bool		result = superuser();

	if (!result)
	{
		tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
		result = HeapTupleIsValid(tuple) && ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
		if (HeapTupleIsValid(tuple))
			ReleaseSysCache(tuple);
		if (result && !vouch_owns_database(oid))
		{
			tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(oid));
			result = HeapTupleIsValid(tuple) && ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
			if (HeapTupleIsValid(tuple))
				ReleaseSysCache(tuple);
		}
	}
	return result;
}

/*
 * The database that a command needs to itself, or InvalidOid.  A command that
 * will be refused disturbs nobody.
 */
static Oid
wanted_database(Node *command)
{
	const char *name = NULL;
	bool		copy = false;
	ListCell   *cell;
	Oid			oid;

	switch (nodeTag(command))
	{
		case T_DropdbStmt:
			name = ((DropdbStmt *) command)->dbname;
			break;
		case T_RenameStmt:
			if (((RenameStmt *) command)->renameType == OBJECT_DATABASE)
				name = ((RenameStmt *) command)->subname;
			break;
		case T_AlterDatabaseStmt:
			foreach(cell, ((AlterDatabaseStmt *) command)->options)
				if (strcmp(((DefElem *) lfirst(cell))->defname, "tablespace") == 0)
					name = ((AlterDatabaseStmt *) command)->dbname;
			break;
		case T_CreatedbStmt:
			foreach(cell, ((CreatedbStmt *) command)->options)
			{
				DefElem    *option = lfirst(cell);

				if (strcmp(option->defname, "template") == 0 && option->arg != NULL)
					name = defGetString(option);
			}
			copy = true;
			break;
		default:
			break;
	}
	if (name == NULL)
		return InvalidOid;
	oid = get_database_oid(name, true);
	if (!OidIsValid(oid) || oid == MyDatabaseId)
		return InvalidOid;
	return (copy ? may_copy(oid) : vouch_owns_database(oid)) ? oid : InvalidOid;
}

/* Ends the workers of a database; returns how many are still there. */
static int
end_workers(VouchDatabase *database, Oid oid, bool signal)
{
	int			remaining = 0;

	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	if (database->oid == oid && (database->state == VOUCH_DATABASE_STARTING ||
								 database->state == VOUCH_DATABASE_STARTED))
	{
		remaining++;
		if (signal && database->pid != 0)
			kill(database->pid, SIGTERM);
	}
	for (int i = 0; i < VOUCH_MAX_EXECUTORS; i++)
	{
		VouchExecutor *executor = &vouch_shared->executors[i];

		if (executor->state == VOUCH_EXECUTOR_FREE ||
			vouch_shared->pools[executor->pool].database != oid)
			continue;
		remaining++;
		if (signal && executor->pid != 0)
			kill(executor->pid, SIGTERM);
	}
	LWLockRelease(vouch_registry_lock());
	return remaining;
}

static void
hold(VouchDatabase *database, Oid oid, TimestampTz until)
{
	LWLockAcquire(vouch_registry_lock(), LW_EXCLUSIVE);
	if (database->oid == oid)
		database->held_until = until;
	LWLockRelease(vouch_registry_lock());
}

/* Makes the workers of a database leave, and keeps the launcher from starting new ones. */
static void
ask_to_leave(VouchDatabase *database, Oid oid)
{
	TimestampTz start = GetCurrentTimestamp();
	uint32		wait_event = 0;

	hold(database, oid, TimestampTzPlusMilliseconds(start, HOLD_MS));
	/* Again and again, for one that was starting may come only now. */
	while (end_workers(database, oid, true) > 0 &&
		   !TimestampDifferenceExceeds(start, GetCurrentTimestamp(), PATIENCE_MS))
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_MS,
						 vouch_wait_event("VouchWorkersLeave", &wait_event));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
call_next(PlannedStmt *pstmt, const char *query, bool read_only, ProcessUtilityContext context,
		  ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest,
		  QueryCompletion *completion)
{
	if (previous_utility_hook)
		previous_utility_hook(pstmt, query, read_only, context, params, environment, dest, completion);
	else
		standard_ProcessUtility(pstmt, query, read_only, context, params, environment, dest, completion);
}

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	Oid			oid = vouch_shared == NULL ? InvalidOid : wanted_database(pstmt->utilityStmt);
	VouchDatabase *database = OidIsValid(oid) ? vouch_database_find(oid) : NULL;

	if (database == NULL)
	{
		call_next(pstmt, query, read_only, context, params, environment, dest, completion);
		return;
	}
	PG_TRY();
	{
		ask_to_leave(database, oid);
		call_next(pstmt, query, read_only, context, params, environment, dest, completion);
	}
	PG_FINALLY();
	{
		/* The database is gone, or its workers come back. */
		hold(database, oid, 0);
		vouch_ping_launcher();
	}
	PG_END_TRY();
}

static void
object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (previous_access_hook)
		previous_access_hook(access, class_id, object_id, sub_id, arg);
	if (access == OAT_DROP && class_id == ExtensionRelationId &&
		object_id == get_extension_oid("vouch", true))
		vouch_wake_launcher();
}

void
vouch_ddl_init(void)
{
	previous_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	previous_access_hook = object_access_hook;
	object_access_hook = object_access;
}
