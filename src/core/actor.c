/*
 * actor.c
 *	  Finds out who acts, and never takes a caller's word for it.
 *
 * current_user says nothing inside SECURITY DEFINER code, so the login role
 * (session_user) is the only base.  What a trusted application says through
 * vouch.actor counts because the application is registered, by an owner.
 */
#include "postgres.h"

#include "access/xact.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/stmt.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

VOUCH_FUNCTION(vouch_sql_actor);
VOUCH_FUNCTION(vouch_sql_check_actor);
VOUCH_FUNCTION(vouch_sql_acting_workflow);
VOUCH_FUNCTION(vouch_sql_acting_starter);
VOUCH_FUNCTION(vouch_sql_nobody_acts);
VOUCH_FUNCTION(vouch_sql_somebody_acts);
VOUCH_FUNCTION(vouch_sql_lock_relation);

/* A frame in which nobody acts, and what who ends it must know. */
typedef struct Nobody
{
	VouchActing acting;
	int64		key;
	bool		read_only;		/* the transaction was before */
} Nobody;

static VouchActing *acting_top = NULL;
static bool callbacks_registered = false;

static VouchStmt find_application = {
	"SELECT 1 FROM vouch_data.trusted_application WHERE role_name = $1",
	SPI_OK_SELECT, 1, {TEXTOID}
};

/* A frame lives on the stack of who pushed it: an abort unwinds both. */
static void
forget_acting(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		acting_top = NULL;
}

static void
forget_acting_sub(SubXactEvent event, SubTransactionId mysubid,
				  SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		while (acting_top != NULL && acting_top->nest_level >= GetCurrentTransactionNestLevel())
			acting_top = acting_top->outer;
}

void
vouch_actor_push(VouchActing *acting)
{
	if (!callbacks_registered)
	{
		RegisterXactCallback(forget_acting, NULL);
		RegisterSubXactCallback(forget_acting_sub, NULL);
		callbacks_registered = true;
	}
	acting->nest_level = GetCurrentTransactionNestLevel();
	acting->outer = acting_top;
	acting_top = acting;
}

void
vouch_actor_pop(VouchActing *acting)
{
	if (acting_top != acting)
		elog(ERROR, "unbalanced acting frames");
	acting_top = acting->outer;
}

const VouchActing *
vouch_actor_acting(void)
{
	return acting_top != NULL && acting_top->workflow_id != NULL ? acting_top : NULL;
}

/*
 * A superuser may pose as somebody else with SET SESSION AUTHORIZATION; the
 * log still shows who logged in.
 */
const char *
vouch_actor_db_user(void)
{
	return GetUserNameFromId(MyProc->roleId, false);
}

static const char *
session_role(void)
{
	return GetUserNameFromId(GetSessionUserId(), false);
}

static void
forget_remembered(void *registered)
{
	*(bool *) registered = false;
}

bool
vouch_actor_is_application(void)
{
	Datum		args[1];
	bool		found;

	SPI_connect();
	args[0] = CStringGetTextDatum(session_role());
	found = vouch_stmt_run(&find_application, args, NULL) > 0;
	SPI_finish();
	return found;
}

/* A copy of the application's actor until the end of the transaction, one for all who ask. */
static const char *
remember(const char *actor)
{
	static char *remembered = NULL;
	static struct Remembered
	{
		MemoryContextCallback callback;
		bool		registered;
	}			at_end;

	if (remembered == NULL || !at_end.registered || strcmp(remembered, actor) != 0)
	{
		remembered = MemoryContextStrdup(TopTransactionContext, actor);
		if (!at_end.registered)
		{
			at_end.callback.func = forget_remembered;
			at_end.callback.arg = &at_end.registered;
			MemoryContextRegisterResetCallback(TopTransactionContext, &at_end.callback);
			at_end.registered = true;
		}
	}
	return remembered;
}

/* What Vouch does by itself, such as time that ends a request, is on record under such a name. */
static const char *
check_not_ours(const char *actor)
{
	if (actor[0] == '@')
		ereport(ERROR,
				(errcode(VOUCH_ERR_NOT_TRUSTED),
				 errmsg("nobody may act as \"%s\"", actor),
				 errdetail("Names that begin with @ are those of what Vouch does by itself."),
				 errhint("Use another name.")));
	return actor;
}

static const char *
session_actor(void)
{
	if (vouch_guc_actor != NULL && vouch_guc_actor[0] != '\0')
	{
		const char *role = session_role();

		if (strcmp(vouch_guc_actor, role) == 0)
			return check_not_ours(role);
		if (!vouch_actor_is_application())
			ereport(ERROR,
					(errcode(VOUCH_ERR_NOT_TRUSTED),
					 errmsg("role \"%s\" may not act as \"%s\"", role, vouch_guc_actor),
					 errdetail("Only a role that is registered as a trusted application may set vouch.actor."),
					 errhint("RESET vouch.actor, or have an administrator call vouch.register_application('%s').",
							 role)));
		return remember(check_not_ours(vouch_guc_actor));
	}
	return check_not_ours(session_role());
}

/*
 * ANALYZE, REINDEX, CREATE INDEX, REFRESH MATERIALIZED VIEW and autovacuum run
 * the code of a table's owner in a security-restricted operation, so that it
 * cannot use the rights of who gave the command; no more may it use their name.
 */
const char *
vouch_actor_current(void)
{
	if (acting_top != NULL && acting_top->actor == NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ACTOR_MISMATCH),
				 errmsg("nobody acts while a source table is read"),
				 acting_top->workflow_id == NULL ?
				 errdetail("Code that the table, its columns' types or a view brings has nobody's name to act in.") :
				 errdetail("Activity \"%s\" of workflow \"%s\" reads it; code that the table brings has nobody's name to act in.",
						   acting_top->activity, acting_top->workflow_id),
				 errhint("Do in a function of your own, outside of the table, what has to be done in somebody's name.")));
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(VOUCH_ERR_ACTOR_MISMATCH),
				 errmsg("nobody acts while a table is maintained"),
				 errdetail("Code of an index or a materialized view runs for the owner of it, not in the name of who gave the command."),
				 errhint("Do what has to be done in somebody's name in a statement of their own.")));
	if (acting_top != NULL)
		return acting_top->actor;
	return session_actor();
}

const char *
vouch_actor_check(const char *claimed, const char *parameter)
{
	const char *actor = vouch_actor_current();

	if (claimed != NULL && claimed[0] == '\0')
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("%s must not be empty", parameter),
				 errdetail("It names who acts."),
				 errhint("Leave %s out where the session's own actor acts.", parameter)));
	if (claimed == NULL || strcmp(claimed, actor) == 0)
		return actor;
	if (acting_top != NULL)
	{
		if (acting_top->starter != NULL && strcmp(claimed, acting_top->starter) == 0)
			return acting_top->starter;
	}
	else if (vouch_actor_is_application())
		return check_not_ours(claimed);
	ereport(ERROR,
			(errcode(VOUCH_ERR_ACTOR_MISMATCH),
			 errmsg("\"%s\" cannot act as \"%s\"", actor, claimed),
			 errdetail("Parameter %s names who acts, and that must be the session's own actor.", parameter),
			 errhint("Leave %s out, or log in as \"%s\".", parameter, claimed)));
	return NULL;				/* not reached */
}

/* vouch.actor() */
Datum
vouch_sql_actor(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(vouch_actor_current()));
}

/* vouch_data.check_actor(claimed text, parameter text) */
Datum
vouch_sql_check_actor(PG_FUNCTION_ARGS)
{
	char	   *claimed = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *parameter = PG_ARGISNULL(1) ? "user_id" : text_to_cstring(PG_GETARG_TEXT_PP(1));

	PG_RETURN_TEXT_P(cstring_to_text(vouch_actor_check(claimed, parameter)));
}

/* vouch_data.acting_workflow() */
Datum
vouch_sql_acting_workflow(PG_FUNCTION_ARGS)
{
	if (acting_top == NULL || acting_top->workflow_id == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(acting_top->workflow_id));
}

/* vouch_data.acting_starter() */
Datum
vouch_sql_acting_starter(PG_FUNCTION_ARGS)
{
	if (acting_top == NULL || acting_top->starter == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(acting_top->starter));
}

/*
 * vouch_data.nobody_acts() returns bigint: until vouch_data.somebody_acts()
 * gets what it returned, or the (sub)transaction aborts, no name can be acted
 * in.  The key is what code that runs in between cannot know.  Meanwhile
 * the transaction is read-only, so that it cannot leave something behind that runs later, such as a deferred
 * trigger; that ends with the (sub)transaction, too, and nobody in it can set it back.
 */
Datum
vouch_sql_nobody_acts(PG_FUNCTION_ARGS)
{
	Nobody	   *nobody;

	nobody = MemoryContextAllocZero(TopTransactionContext, sizeof(Nobody));
	if (acting_top != NULL)
		nobody->acting = *acting_top;
	nobody->acting.actor = NULL;
	if (!pg_strong_random(&nobody->key, sizeof(nobody->key)))
		elog(ERROR, "could not generate random bytes");
	vouch_actor_push(&nobody->acting);
	nobody->read_only = XactReadOnly;
	XactReadOnly = true;
	PG_RETURN_INT64(nobody->key);
}

/* vouch_data.somebody_acts(key bigint) */
Datum
vouch_sql_somebody_acts(PG_FUNCTION_ARGS)
{
	Nobody	   *nobody = (Nobody *) acting_top;

	if (PG_ARGISNULL(0))
		PG_RETURN_VOID();
	/* only frames made above have no actor, so it is one of them */
	if (acting_top == NULL || acting_top->actor != NULL || nobody->key != PG_GETARG_INT64(0))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ACTOR_MISMATCH),
				 errmsg("this key ends nothing"),
				 errhint("Only what called vouch_data.nobody_acts() last can end it.")));
	vouch_actor_pop(&nobody->acting);
	XactReadOnly = nobody->read_only;
	PG_RETURN_VOID();
}

/*
 * vouch_data.lock_relation(relation regclass): ACCESS SHARE, where LOCK TABLE
 * takes only tables and views.  The caller must be allowed to read it.
 */
Datum
vouch_sql_lock_relation(PG_FUNCTION_ARGS)
{
	Oid			relation = PG_GETARG_OID(0);

	if (pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(relation));
	LockRelationOid(relation, AccessShareLock);
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the relation was dropped meanwhile")));
	PG_RETURN_VOID();
}
