/*
 * probe.c
 *	  May workers run in this database, and may this role be logged in?
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_control.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "core/compat.h"
#include "core/guc.h"
#include "core/stmt.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "worker/worker.h"

/*
 * What ALTER DATABASE ... SET says now: our own settings are those of when we
 * connected.
 */
static VouchStmt find_setting = {
	"SELECT pg_catalog.split_part(c, '=', 1) "
	"FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c "
	"WHERE s.setdatabase = $1 AND s.setrole = 0 AND "
	"CASE pg_catalog.split_part(c, '=', 1) "
	"WHEN 'vouch.workers' THEN NOT pg_catalog.split_part(c, '=', 2)::boolean "
	"WHEN 'vouch.restoring' THEN pg_catalog.split_part(c, '=', 2)::boolean "
	"ELSE false END",
	SPI_OK_SELECT, 1, {OIDOID}
};

/* One row, and ours: nobody has restored this from elsewhere. */
static VouchStmt find_adoption = {
	"SELECT pg_catalog.count(*) = 1 AND pg_catalog.bool_and(system_identifier = $1 AND database_oid = $2) "
	"FROM vouch_data.adoption",
	SPI_OK_SELECT, 2, {INT8OID, OIDOID}
};

static char *
setting_in_the_way(void)
{
	Datum		args[1] = {ObjectIdGetDatum(MyDatabaseId)};
	bool		found;
	bool		restoring = false;

	SPI_connect();
	found = vouch_stmt_run(&find_setting, args, NULL) > 0;
	if (found)
		restoring = strcmp(vouch_stmt_get_text(0, 1), "vouch.restoring") == 0;
	SPI_finish();
	if (!found)
		return NULL;
	return psprintf("%s in this database", restoring ? "vouch.restoring is on" : "vouch.workers is off");
}

char *
vouch_probe_copy(void)
{
	Datum		args[2];
	bool		adopted;

	if (vouch_guc_restoring)
		return pstrdup("vouch.restoring is on");
	args[0] = Int64GetDatum((int64) GetSystemIdentifier());
	args[1] = ObjectIdGetDatum(MyDatabaseId);
	SPI_connect();
	vouch_stmt_run_one(&find_adoption, args, NULL);
	adopted = vouch_stmt_get_bool(0, 1, false);
	SPI_finish();
	if (adopted)
		return NULL;
	return pstrdup("restored from another database; vouch.adopt_database() makes it this one's");
}

char *
vouch_probe_obstacle(void)
{
	Oid			extension = get_extension_oid("vouch", true);
	char	   *reason;

	if (!OidIsValid(extension))
		return pstrdup("the extension is not installed");

	/* It may be going: wait for the end of that, and look again. */
	LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
	if (get_extension_oid("vouch", true) != extension || !OidIsValid(vouch_owner_find()))
		return pstrdup("the extension is not installed");

	/* The database's own settings first: a process that came after them has them as its own, too. */
	reason = setting_in_the_way();
	if (reason == NULL && !vouch_guc_workers)
		reason = pstrdup("vouch.workers is off");
	return reason != NULL ? reason : vouch_probe_copy();
}

char *
vouch_probe_role(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	Form_pg_authid form;
	char	   *reason = NULL;

	if (!HeapTupleIsValid(tuple))
		return psprintf("role %u does not exist", role);
	form = (Form_pg_authid) GETSTRUCT(tuple);
	if (!form->rolcanlogin)
		reason = psprintf("role \"%s\" may not log in", NameStr(form->rolname));
	else if (!vouch_may_connect(MyDatabaseId, role))
		reason = psprintf("role \"%s\" may not connect to this database", NameStr(form->rolname));
	ReleaseSysCache(tuple);
	return reason;
}
