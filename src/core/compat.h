/*
 * compat.h
 *	  What differs between the server versions that we build on (15 to 18).
 *	  The only file that mentions PG_VERSION_NUM.
 */
#ifndef VOUCH_CORE_COMPAT_H
#define VOUCH_CORE_COMPAT_H

#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "Vouch builds on PostgreSQL 15 to 18"
#endif

/* What an ALTER TABLE does to the values in rows that are there. */
#if PG_VERSION_NUM >= 170000
#define VOUCH_ALTERS_VALUES AT_AlterColumnType, AT_SetExpression
#else
#define VOUCH_ALTERS_VALUES AT_AlterColumnType
#endif

/* Where this backend's PGPROC stands, for waking it by number. */
static inline int
vouch_my_procno(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProcNumber;
#else
	return MyProc->pgprocno;
#endif
}

/* Our wait events are named from 17 on; before, they are "Extension". */
static inline uint32
vouch_wait_event(const char *name, uint32 *cache)
{
#if PG_VERSION_NUM >= 170000
	if (*cache == 0)
		*cache = WaitEventExtensionNew(name);
	return *cache;
#else
	(void) name;
	(void) cache;
	return PG_WAIT_EXTENSION;
#endif
}

/* Is the current user the owner of a database? */
static inline bool
vouch_owns_database(Oid database)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(DatabaseRelationId, database, GetUserId());
#else
	return pg_database_ownercheck(database, GetUserId());
#endif
}

/* Is the current user the owner of a table? */
static inline bool
vouch_owns_table(Oid table)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, table, GetUserId());
#else
	return pg_class_ownercheck(table, GetUserId());
#endif
}

/* May a role connect to a database? */
static inline bool
vouch_may_connect(Oid database, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(DatabaseRelationId, database, role, ACL_CONNECT) == ACLCHECK_OK;
#else
	return pg_database_aclcheck(database, role, ACL_CONNECT) == ACLCHECK_OK;
#endif
}

/* May a role become another one (SET ROLE)? */
static inline bool
vouch_may_become(Oid member, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return member_can_set_role(member, role);
#else
	return is_member_of_role(member, role);
#endif
}

/* Does this backend hold an advisory lock, of the session or the transaction? */
static inline bool
vouch_holds_advisory_lock(void)
{
	bool		found = false;

	for (int i = 0; i < NUM_LOCK_PARTITIONS && !found; i++)
	{
#if PG_VERSION_NUM >= 160000
		dlist_iter	iter;

		if (dlist_is_empty(&MyProc->myProcLocks[i]))
			continue;
		LWLockAcquire(LockHashPartitionLockByIndex(i), LW_SHARED);
		dlist_foreach(iter, &MyProc->myProcLocks[i])
			found = found || dlist_container(PROCLOCK, procLink, iter.cur)->tag.myLock->tag.locktag_lockmethodid == USER_LOCKMETHOD;
#else
		SHM_QUEUE  *queue = &MyProc->myProcLocks[i];
		PROCLOCK   *mine;

		if (SHMQueueEmpty(queue))
			continue;
		LWLockAcquire(LockHashPartitionLockByIndex(i), LW_SHARED);
		for (mine = (PROCLOCK *) SHMQueueNext(queue, queue, offsetof(PROCLOCK, procLink)); mine != NULL;
			 mine = (PROCLOCK *) SHMQueueNext(queue, &mine->procLink, offsetof(PROCLOCK, procLink)))
			found = found || mine->tag.myLock->tag.locktag_lockmethodid == USER_LOCKMETHOD;
#endif
		LWLockRelease(LockHashPartitionLockByIndex(i));
	}
	return found;
}

#if PG_VERSION_NUM >= 180000
#define vouch_noreturn pg_noreturn
#else
#define vouch_noreturn
#endif

/* One macro for SQL-callable functions: prototype, export and V1 record. */
#define VOUCH_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

#endif							/* VOUCH_CORE_COMPAT_H */
