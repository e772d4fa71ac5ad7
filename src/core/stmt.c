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
#include "core/errors.h"
#include "core/stmt.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

static Oid	owner_id = InvalidOid;
static bool callback_registered = false;
static int	guarded_depth = -1;		/* how many triggers we were in when a guarded statement began; -1: none runs */
static int64 expected_rows = 0;

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
vouch_owner_find(void)
{
	if (!OidIsValid(owner_id))
		owner_id = lookup_owner();
	return owner_id;
}

Oid
vouch_owner_id(void)
{
	if (!OidIsValid(vouch_owner_find()))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"vouch\" is not installed in this database"),
				 errhint("Run CREATE EXTENSION vouch.")));
	return owner_id;
}

#define PINNED_PATH "pg_catalog, pg_temp"

void
vouch_owner_begin(VouchOwnerSection *section)
{
	Oid			owner = vouch_owner_id();

	GetUserIdAndSecContext(&section->userid, &section->sec_context);
	section->nestlevel = 0;
	/* inside of another section there is nothing to do */
	if (section->userid == owner && (section->sec_context & SECURITY_LOCAL_USERID_CHANGE) != 0 &&
		namespace_search_path != NULL && strcmp(namespace_search_path, PINNED_PATH) == 0)
		return;
	SetUserIdAndSecContext(owner, section->sec_context | SECURITY_LOCAL_USERID_CHANGE);
	section->nestlevel = NewGUCNestLevel();
	(void) set_config_option("search_path", PINNED_PATH,
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
vouch_owner_end(VouchOwnerSection *section)
{
	if (section->nestlevel != 0)
		AtEOXact_GUC(false, section->nestlevel);
	SetUserIdAndSecContext(section->userid, section->sec_context);
}

static int
trigger_depth(void)
{
	LOCAL_FCINFO(fcinfo, 0);

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	return DatumGetInt32(pg_trigger_depth(fcinfo));
}

/* What a trigger of the guarded statement runs is not the guarded statement: its triggers are deeper. */
bool
vouch_stmt_in_guarded(void)
{
	return guarded_depth >= 0 && trigger_depth() == guarded_depth + 1;
}

void
vouch_stmt_expect_rows(int64 rows)
{
	expected_rows = rows;
}

/* Even index lookups are planned badly on an empty table, where any index will do. */
#define MUCH_SMALLER 16

/*
 * A plan is kept for the session, and may be made when the tables are empty or
 * their statistics stale: what was cheap then can be a disaster later.  So a
 * statement says which kind of plan is never wrong for it.  The settings are
 * only needed where it is going to be planned.
 */
static void
prepare(VouchStmt *stmt, VouchOwnerSection *section)
{
	static const char *const indexed[] = {"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin",
	"enable_memoize", "jit", NULL};
	static const char *const hashed[] = {"enable_seqscan", "enable_nestloop", "enable_mergejoin", "jit", NULL};
	bool		steered = stmt->indexed || stmt->hashed;
	SPIPlanPtr	plan;

	/* the plan of one that a trigger has us run again while it runs is needed further up */
	if (stmt->plan != NULL && steered && stmt->in_use == 0 && expected_rows / MUCH_SMALLER > stmt->planned_for)
	{
		SPI_freeplan(stmt->plan);
		stmt->plan = NULL;
	}
	if (steered && (stmt->plan == NULL || !SPI_plan_is_valid(stmt->plan)))
	{
		if (section->nestlevel == 0)
			section->nestlevel = NewGUCNestLevel();
		for (const char *const *name = stmt->indexed ? indexed : hashed; *name != NULL; name++)
			(void) set_config_option(*name, "off", PGC_USERSET, PGC_S_SESSION,
									 GUC_ACTION_SAVE, true, 0, false);
	}
	if (stmt->plan != NULL)
		return;
	plan = SPI_prepare_cursor(stmt->text, stmt->nargs, stmt->args,
							  steered ? CURSOR_OPT_GENERIC_PLAN : 0);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", stmt->text,
			 SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan of \"%s\"", stmt->text);
	stmt->plan = plan;
	stmt->planned_for = expected_rows;
}

/*
 * Runs a statement; options, if any, are all that counts besides.  A trigger
 * of it may run it again, and an error may end it: what it has set is as
 * before afterwards.
 */
static uint64
execute(VouchStmt *stmt, Datum *args, const char *nulls, Snapshot snapshot,
		bool read_only, long max, const SPIExecuteOptions *options)
{
	VouchOwnerSection section;
	int			outer = guarded_depth;
	int			rc = 0;

	vouch_owner_begin(&section);
	prepare(stmt, &section);
	stmt->in_use++;
	PG_TRY();
	{
		if (stmt->guarded)
			guarded_depth = trigger_depth();
		rc = options != NULL ? SPI_execute_plan_extended(stmt->plan, options) :
			snapshot != InvalidSnapshot ?
			SPI_execute_snapshot(stmt->plan, args, nulls, snapshot, InvalidSnapshot, read_only, false, max) :
			SPI_execute_plan(stmt->plan, args, nulls, read_only, max);
	}
	PG_FINALLY();
	{
		guarded_depth = outer;
		stmt->in_use--;
	}
	PG_END_TRY();
	if (rc != stmt->expect)
		elog(ERROR, "\"%s\" returned %s", stmt->text, SPI_result_code_string(rc));
	vouch_owner_end(&section);
	return SPI_processed;
}

uint64
vouch_stmt_run_max(VouchStmt *stmt, Datum *args, const char *nulls, long max)
{
	return execute(stmt, args, nulls, InvalidSnapshot, false, max, NULL);
}

uint64
vouch_stmt_run_latest(VouchStmt *stmt, Datum *args, const char *nulls)
{
	return execute(stmt, args, nulls, GetLatestSnapshot(), false, 0, NULL);
}

uint64
vouch_stmt_run_stable(VouchStmt *stmt, Datum *args, const char *nulls)
{
	return execute(stmt, args, nulls, InvalidSnapshot, true, 0, NULL);
}

/* Hands rows over as they come. */
typedef struct RowReceiver
{
	DestReceiver pub;
	VouchRowCallback callback;
	void	   *arg;
	MemoryContext context;
} RowReceiver;

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	RowReceiver *receiver = (RowReceiver *) self;
	MemoryContext old = MemoryContextSwitchTo(receiver->context);

	receiver->callback(slot, receiver->arg);
	MemoryContextSwitchTo(old);
	return true;
}

static void
receive_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
receive_nothing(DestReceiver *self)
{
}

uint64
vouch_stmt_scan(VouchStmt *stmt, Datum *args, const char *nulls, bool fresh,
				VouchRowCallback callback, void *arg)
{
	RowReceiver receiver = {0};
	SPIExecuteOptions options = {0};

	receiver.pub.receiveSlot = receive_row;
	receiver.pub.rStartup = receive_startup;
	receiver.pub.rShutdown = receive_nothing;
	receiver.pub.rDestroy = receive_nothing;
	receiver.pub.mydest = DestTuplestore;	/* DestNone would count as a utility */
	receiver.callback = callback;
	receiver.arg = arg;
	receiver.context = CurrentMemoryContext;

	options.read_only = !fresh;
	options.dest = &receiver.pub;
	options.params = makeParamList(stmt->nargs);
	for (int i = 0; i < stmt->nargs; i++)
	{
		ParamExternData *param = &options.params->params[i];

		param->value = args[i];
		param->isnull = nulls != NULL && nulls[i] == 'n';
		param->pflags = PARAM_FLAG_CONST;
		param->ptype = stmt->args[i];
	}

	return execute(stmt, NULL, NULL, InvalidSnapshot, options.read_only, 0, &options);
}

static void
put_row(TupleTableSlot *slot, void *arg)
{
	tuplestore_puttupleslot(((ReturnSetInfo *) arg)->setResult, slot);
}

uint64
vouch_stmt_return(VouchStmt *stmt, Datum *args, const char *nulls, FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
	return vouch_stmt_scan(stmt, args, nulls, false, put_row, fcinfo->resultinfo);
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
