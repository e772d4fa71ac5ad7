/*
 * suspect.c
 *	  Executions that may have crashed the server.
 *
 * A crash loses the shared memory and every open transaction, so nothing says
 * what was being run.  Nothing is written on that account while all is well.
 * But when the server comes up after a crash, executors first mark, in a
 * transaction of its own, what they are about to run, and unmark it in the
 * transaction that ran it.  A mark that is still there after the next crash
 * names the suspect.
 */
#include "postgres.h"

#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "core/stmt.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/uuid.h"
#include "worker/worker.h"

static Oid	extension_oid = InvalidOid;

static VouchStmt count_crashes = {
	"UPDATE vouch_data.suspect SET crashes = crashes + 1, being_run = false WHERE being_run",
	SPI_OK_UPDATE, 0, {0}
};

static VouchStmt forget_all = {
	"DELETE FROM vouch_data.suspect",
	SPI_OK_DELETE, 0, {0}
};

static VouchStmt find_crashes = {
	"SELECT crashes FROM vouch_data.suspect WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_SELECT, 2, {INT4OID, UUIDOID}
};

static VouchStmt mark = {
	"INSERT INTO vouch_data.suspect AS s (bucket, execution_id, crashes, being_run, marked_at) "
	"VALUES ($1, $2, 0, true, pg_catalog.clock_timestamp()) "
	"ON CONFLICT (bucket, execution_id) DO UPDATE SET being_run = true, marked_at = excluded.marked_at",
	SPI_OK_INSERT, 2, {INT4OID, UUIDOID}
};

static VouchStmt clear = {
	"DELETE FROM vouch_data.suspect WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_DELETE, 2, {INT4OID, UUIDOID}
};

bool
vouch_suspect_count(bool after_crash)
{
	SPI_connect();
	vouch_stmt_run(after_crash ? &count_crashes : &forget_all, NULL, NULL);
	SPI_finish();
	return after_crash;
}

void
vouch_suspect_forget(void)
{
	SPI_connect();
	vouch_stmt_run(&forget_all, NULL, NULL);
	SPI_finish();
}

int
vouch_suspect_sort(VouchTask *tasks, int ntasks, int *crashes)
{
	int			ninnocent = 0;

	SPI_connect();
	for (int i = 0; i < ntasks; i++)
	{
		VouchTask	task = tasks[i];
		Datum		args[] = {
			Int32GetDatum(task.bucket),
			UUIDPGetDatum(&task.execution_id)
		};

		crashes[i] = vouch_stmt_run(&find_crashes, args, NULL) > 0
			? vouch_stmt_get_int32(0, 1, 0) : 0;
		if (crashes[i] == 0)
		{
			tasks[i] = tasks[ninnocent];
			crashes[i] = crashes[ninnocent];
			tasks[ninnocent] = task;
			crashes[ninnocent++] = 0;
		}
	}
	SPI_finish();
	return ninnocent;
}

static void
suspect_tag(LOCKTAG *tag)
{
	/* Sub-object 1 of the extension: DROP EXTENSION locks sub-object 0. */
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, ExtensionRelationId, extension_oid, 1);
}

void
vouch_suspect_lock(void)
{
	LOCKTAG		tag;

	extension_oid = get_extension_oid("vouch", false);
	suspect_tag(&tag);
	(void) LockAcquire(&tag, ExclusiveLock, true, false);
}

void
vouch_suspect_unlock(void)
{
	LOCKTAG		tag;

	suspect_tag(&tag);
	(void) LockRelease(&tag, ExclusiveLock, true);
}

static void
for_each(VouchStmt *stmt, const VouchTask *tasks, int ntasks)
{
	SPI_connect();
	for (int i = 0; i < ntasks; i++)
	{
		Datum		args[] = {
			Int32GetDatum(tasks[i].bucket),
			UUIDPGetDatum(&tasks[i].execution_id)
		};

		vouch_stmt_run(stmt, args, NULL);
	}
	SPI_finish();
}

void
vouch_suspect_mark(const VouchTask *tasks, int ntasks)
{
	for_each(&mark, tasks, ntasks);
}

void
vouch_suspect_clear(const VouchTask *tasks, int ntasks)
{
	for_each(&clear, tasks, ntasks);
}
