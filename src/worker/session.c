/*
 * session.c
 *	  Undoes what user code left in an executor's session.
 *
 * What DISCARD ALL does, which cannot be run from here; plans that we keep stay.
 * Not undone: globals of procedural languages, loaded libraries, connections
 * of dblink and foreign servers.  For these an executor serves one role only,
 * and is replaced after vouch.executor_max_steps.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/prepare.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/portal.h"
#include "worker/worker.h"

bool
vouch_session_clean(void)
{
	DropAllPreparedStatements();
	ResetSequenceCaches();
	return (MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE) == 0 &&
		ThereAreNoReadyPortals() && !vouch_holds_advisory_lock();
}

void
vouch_session_reset(void)
{
	static Oid	session_user = InvalidOid;
	static Oid	current_user = InvalidOid;
	Oid			namespace;
	Oid			toast_namespace;

	if (!OidIsValid(session_user))
	{
		/* The first call: before any user code has run. */
		session_user = GetSessionUserId();
		current_user = GetUserId();
		return;
	}

	PortalHashTableDeleteAll();
	DropAllPreparedStatements();
	LockReleaseAll(USER_LOCKMETHOD, true);
	ResetSequenceCaches();
	ResetAllOptions();
	GetTempNamespaceState(&namespace, &toast_namespace);
	if (OidIsValid(namespace))
	{
		vouch_process_start_transaction();
		ResetTempTableNamespace();
		vouch_process_commit();
	}

	/* SET ROLE and SET SESSION AUTHORIZATION: a new process is who it should be. */
	if (GetSessionUserId() != session_user || GetUserId() != current_user)
		proc_exit(0);
}
