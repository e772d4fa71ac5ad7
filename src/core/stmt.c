/*
 * stmt.c
 *	  Runs registered statements as the extension's owner.
 *
 * Switching up for one statement is safe: nothing of the caller's runs in it
 * (our tables' triggers are ours), and the user and the settings are restored
 * before we return, or by the abort when the statement fails.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "commands/extension.h"
#include "core/errors.h"
#include "core/stmt.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static Oid	owner_id = InvalidOid;
static bool callback_registered = false;

static void
forget_owner(Datum arg, int cacheid, uint32 hashvalue)
{
	owner_id = InvalidOid;
}

static Oid
lookup_owner(void)
{
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	if (!callback_registered)
	{
		CacheRegisterSyscacheCallback(NAMESPACEOID, forget_owner, (Datum) 0);
		callback_registered = true;
	}
	tuple = SearchSysCache1(NAMESPACENAME, CStringGetDatum("vouch_data"));
	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
		ReleaseSysCache(tuple);
	}
	return result;
}

Oid
vouch_owner_id(void)
{
	if (!OidIsValid(owner_id))
		owner_id = lookup_owner();
	if (!OidIsValid(owner_id))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"vouch\" is not installed in this database"),
				 errhint("Run CREATE EXTENSION vouch.")));
	return owner_id;
}

bool
vouch_is_installed(void)
{
	return !creating_extension && OidIsValid(get_extension_oid("vouch", true));
}

void
vouch_owner_begin(VouchOwnerSection *section)
{
	Oid			owner = vouch_owner_id();

	GetUserIdAndSecContext(&section->userid, &section->sec_context);
	SetUserIdAndSecContext(owner, section->sec_context | SECURITY_LOCAL_USERID_CHANGE);
	section->nestlevel = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
vouch_owner_end(VouchOwnerSection *section)
{
	AtEOXact_GUC(false, section->nestlevel);
	SetUserIdAndSecContext(section->userid, section->sec_context);
}

uint64
vouch_stmt_run_max(VouchStmt *stmt, Datum *args, const char *nulls, long max)
{
	VouchOwnerSection section;
	int			rc;

	vouch_owner_begin(&section);
	if (stmt->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(stmt->text, stmt->nargs, stmt->args);

		if (plan == NULL)
			elog(ERROR, "could not prepare \"%s\": %s", stmt->text,
				 SPI_result_code_string(SPI_result));
		if (SPI_keepplan(plan) != 0)
			elog(ERROR, "could not keep the plan of \"%s\"", stmt->text);
		stmt->plan = plan;
	}
	rc = SPI_execute_plan(stmt->plan, args, nulls, false, max);
	if (rc != stmt->expect)
		elog(ERROR, "\"%s\" returned %s", stmt->text, SPI_result_code_string(rc));
	vouch_owner_end(&section);
	return SPI_processed;
}

uint64
vouch_stmt_run(VouchStmt *stmt, Datum *args, const char *nulls)
{
	return vouch_stmt_run_max(stmt, args, nulls, 0);
}

void
vouch_stmt_run_one(VouchStmt *stmt, Datum *args, const char *nulls)
{
	uint64		n = vouch_stmt_run_max(stmt, args, nulls, 0);

	if (n != 1)
		elog(ERROR, "\"%s\" found %llu rows instead of one", stmt->text,
			 (unsigned long long) n);
}

Datum
vouch_stmt_get(uint64 row, int col, bool *isnull)
{
	bool		null;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, col, &null);

	if (isnull)
		*isnull = null;
	else if (null)
		elog(ERROR, "unexpected null in column %d", col);
	return value;
}

char *
vouch_stmt_get_text(uint64 row, int col)
{
	bool		null;
	Datum		value = vouch_stmt_get(row, col, &null);
	Oid			type = SPI_gettypeid(SPI_tuptable->tupdesc, col);

	if (null)
		return NULL;
	if (type == TEXTOID || type == VARCHAROID)
		return TextDatumGetCString(value);
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, col);
}

int32
vouch_stmt_get_int32(uint64 row, int col, int32 otherwise)
{
	bool		null;
	Datum		value = vouch_stmt_get(row, col, &null);

	return null ? otherwise : DatumGetInt32(value);
}

int64
vouch_stmt_get_int64(uint64 row, int col, int64 otherwise)
{
	bool		null;
	Datum		value = vouch_stmt_get(row, col, &null);

	return null ? otherwise : DatumGetInt64(value);
}

bool
vouch_stmt_get_bool(uint64 row, int col, bool otherwise)
{
	bool		null;
	Datum		value = vouch_stmt_get(row, col, &null);

	return null ? otherwise : DatumGetBool(value);
}
