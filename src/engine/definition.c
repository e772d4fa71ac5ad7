/*
 * definition.c
 *	  Defines workflows: everything that can be checked, is.
 */
#include "postgres.h"

#include "asl/jsonb.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/stmt.h"
#include "engine/activity_sql.h"
#include "engine/program.h"
#include "engine/resource.h"
#include "engine/task.h"
#include "engine/until.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

VOUCH_FUNCTION(vouch_sql_define_workflow);
VOUCH_FUNCTION(vouch_sql_ship_workflow);
VOUCH_FUNCTION(vouch_sql_validate_definition);

#define DEFINITION_MAX (1024 * 1024)
#define NAME_MAX_LEN 128

static VouchStmt insert_workflow = {
	"INSERT INTO vouch_data.workflow (name, shipped, created_by, created_at) VALUES ($1, $2, $3, $4)"
	" ON CONFLICT (name) DO NOTHING",
	SPI_OK_INSERT, 4, {TEXTOID, BOOLOID, TEXTOID, TIMESTAMPTZOID}, .indexed = true
};

static VouchStmt lock_workflow = {
	"SELECT 1 FROM vouch_data.workflow WHERE name = $1 FOR UPDATE",
	SPI_OK_SELECT, 1, {TEXTOID}, .indexed = true
};

static VouchStmt read_newest = {
	"SELECT revision, definition = $2 AND run_as = $3 FROM vouch_data.workflow_revision"
	" WHERE workflow = $1 ORDER BY revision DESC LIMIT 1",
	SPI_OK_SELECT, 3, {TEXTOID, JSONBOID, TEXTOID}, .indexed = true
};

static VouchStmt insert_revision = {
	"INSERT INTO vouch_data.workflow_revision"
	" (workflow, revision, definition, run_as, description, shipped, defined_by, defined_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	SPI_OK_INSERT, 8, {TEXTOID, INT4OID, JSONBOID, TEXTOID, TEXTOID, BOOLOID, TEXTOID, TIMESTAMPTZOID}
};

/* For asl_compile(): is the Resource of a Task good?  arg is the role. */
static const char *
check_resource(const char *resource, const AslValue *state, const char **code, void *arg)
{
	switch (vouch_resource_kind(resource))
	{
		case VOUCH_RESOURCE_SQL:
			return vouch_activity_check(resource, asl_get(state, "Parameters"), *(Oid *) arg, code);
		case VOUCH_RESOURCE_SIGNAL:
		case VOUCH_RESOURCE_REVIEW:
		case VOUCH_RESOURCE_EXECUTION:
		case VOUCH_RESOURCE_EXECUTION_SYNC:
			{
				static const char *const needed[] = {"Signal", "VersionId", "Workflow", "Workflow"};
				VouchResource kind = vouch_resource_kind(resource);
				const AslValue *parameters = asl_get(state, "Parameters");
				const char *key = needed[kind - VOUCH_RESOURCE_SIGNAL];

				*code = "BAD_ARGUMENTS";
				if (parameters != NULL && parameters->type == ASL_OBJECT &&
					asl_get(parameters, key) == NULL && asl_get(parameters, psprintf("%s.$", key)) == NULL &&
					!(kind == VOUCH_RESOURCE_SIGNAL &&
					  (asl_get(parameters, "SignalName") || asl_get(parameters, "SignalName.$"))))
					return psprintf("%s needs \"%s\" in its Parameters.", resource, key);
				*code = NULL;
				return NULL;
			}
		case VOUCH_RESOURCE_ACTIVITY:
			if (vouch_task_queue_problem(resource + strlen("activity:")) == NULL)
				return NULL;
			*code = "BAD_RESOURCE";
			return psprintf("Resource \"%s\" names no queue: activity:name, of 1 to 100 letters, digits,"
							" and characters of \"_.-\".", resource);
		case VOUCH_RESOURCE_UNTIL:
			return vouch_until_check(asl_get(state, "Parameters"), *(Oid *) arg, code);
		case VOUCH_RESOURCE_UNKNOWN:
			break;
	}
	*code = "BAD_RESOURCE";
	return psprintf("Resource \"%s\" is none that Vouch knows: sql:schema.function, activity:queue,"
					" vouch:signal, vouch:review, vouch:until, vouch:execution, or vouch:execution.sync.", resource);
}

/* The role that a workflow is to run as, after all checks of who may say so. */
static Oid
check_run_as(const char *run_as)
{
	HeapTuple	tuple = SearchSysCache1(AUTHNAME, CStringGetDatum(run_as));
	Form_pg_authid role;
	Oid			oid;
	bool		login;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(VOUCH_ERR_RUN_AS),
				 errmsg("role \"%s\" does not exist", run_as),
				 errhint("Create it with LOGIN, or name another role in run_as.")));
	role = (Form_pg_authid) GETSTRUCT(tuple);
	oid = role->oid;
	login = role->rolcanlogin;
	ReleaseSysCache(tuple);
	if (!vouch_may_become(GetSessionUserId(), oid))
		ereport(ERROR,
				(errcode(VOUCH_ERR_RUN_AS),
				 errmsg("role \"%s\" may not define a workflow that runs as \"%s\"",
						GetUserNameFromId(GetSessionUserId(), false), run_as),
				 errdetail("Whoever defines a workflow must be able to SET ROLE to the role that it runs as."),
				 errhint("GRANT %s TO %s, or name another role in run_as.", quote_identifier(run_as),
						 quote_identifier(GetUserNameFromId(GetSessionUserId(), false)))));
	if (!login)
		ereport(ERROR,
				(errcode(VOUCH_ERR_RUN_AS),
				 errmsg("role \"%s\" cannot log in", run_as),
				 errdetail("Executors log in as the role that a workflow runs as."),
				 errhint("ALTER ROLE %s LOGIN, or name another role in run_as.", quote_identifier(run_as))));
	return oid;
}

static void
check_size(Jsonb *definition)
{
	if (VARSIZE(definition) > DEFINITION_MAX)
		ereport(ERROR,
				(errcode(VOUCH_ERR_LIMIT),
				 errmsg("the definition has %zu kB, 1024 are allowed", (size_t) VARSIZE(definition) / 1024),
				 errhint("Move parts into workflows of their own, and start them with vouch:execution.")));
}

static void
report_problems(const char *name, const AslProblem *problems)
{
	int			nerrors;
	bool		only_unsupported = true;
	char	   *text = vouch_program_problems(problems, &nerrors);

	for (const AslProblem *p = problems; p != NULL; p = p->next)
		if (p->severity == ASL_PROBLEM_ERROR && strcmp(p->code, "NOT_SUPPORTED") != 0)
			only_unsupported = false;
	ereport(ERROR,
			(errcode(only_unsupported ? VOUCH_ERR_NOT_SUPPORTED : VOUCH_ERR_BAD_DEFINITION),
			 errmsg("the definition of workflow \"%s\" has %d error%s", name, nerrors, nerrors == 1 ? "" : "s"),
			 errdetail("%s", text),
			 only_unsupported ?
			 errhint("Use a function of the database (sql:schema.function), or wait for a signal (vouch:signal).") :
			 errhint("vouch.validate_definition() shows each problem with its code and place.")));
}

static int
define(const char *name, Jsonb *definition, const char *run_as, const char *description, bool shipped)
{
	Oid			role;
	AslProblem *problems = NULL;
	const char *actor = vouch_actor_current();
	TimestampTz now = GetCurrentTimestamp();
	int			revision;
	Datum		args[8];
	char		nulls[9] = "        ";

	if (name[0] == '\0' || strlen(name) > NAME_MAX_LEN || strchr(name, '/') != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("\"%s\" cannot name a workflow", name),
				 errdetail("A name has 1 to %d bytes and no \"/\".", NAME_MAX_LEN),
				 errhint("Choose another name.")));
	check_size(definition);
	role = check_run_as(run_as);
	if (asl_compile(asl_from_jsonb(definition), check_resource, &role, &problems) == NULL)
		report_problems(name, problems);
	for (const AslProblem *p = problems; p != NULL; p = p->next)
		ereport(NOTICE,
				(errmsg("workflow \"%s\": %s at %s", name, p->message, p->location)));

	args[0] = CStringGetTextDatum(name);
	args[1] = BoolGetDatum(shipped);
	args[2] = CStringGetTextDatum(actor);
	args[3] = TimestampTzGetDatum(now);
	vouch_stmt_run(&insert_workflow, args, NULL);
	vouch_stmt_run_one(&lock_workflow, args, NULL);
	args[1] = JsonbPGetDatum(definition);
	args[2] = CStringGetTextDatum(run_as);
	revision = 0;
	if (vouch_stmt_run(&read_newest, args, NULL) > 0)
	{
		revision = vouch_stmt_get_int32(0, 1, 0);
		if (vouch_stmt_get_bool(0, 2, false))
			return revision;
	}
	args[1] = Int32GetDatum(++revision);
	args[2] = JsonbPGetDatum(definition);
	args[3] = CStringGetTextDatum(run_as);
	if (description != NULL)
		args[4] = CStringGetTextDatum(description);
	else
		nulls[4] = 'n';
	args[5] = BoolGetDatum(shipped);
	args[6] = CStringGetTextDatum(actor);
	args[7] = TimestampTzGetDatum(now);
	vouch_stmt_run(&insert_revision, args, nulls);
	return revision;
}

/* vouch.define_workflow(name text, definition jsonb, run_as name, description text) */
Datum
vouch_sql_define_workflow(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	char	   *name;
	Jsonb	   *definition;
	const char *run_as;
	char	   *description;
	int			revision;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("a workflow needs a name and a definition"),
				 errhint("Pass both, the definition in Amazon States Language.")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	definition = PG_GETARG_JSONB_P(1);
	run_as = PG_ARGISNULL(2) ? GetUserNameFromId(GetSessionUserId(), false) : NameStr(*PG_GETARG_NAME(2));
	description = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	SPI_connect();
	MemoryContextSwitchTo(own);
	revision = define(name, definition, run_as, description, false);
	SPI_finish();
	PG_RETURN_INT32(revision);
}

/*
 * vouch_data.ship_workflow(name text, definition jsonb): what the extension's
 * script calls for each workflow that comes with it.
 */
Datum
vouch_sql_ship_workflow(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	int			revision;

	if (!creating_extension)
		ereport(ERROR,
				(errcode(VOUCH_ERR_NOT_SUPPORTED),
				 errmsg("only the extension's own script ships workflows"),
				 errhint("Use vouch.define_workflow().")));
	SPI_connect();
	MemoryContextSwitchTo(own);
	revision = define(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_JSONB_P(1),
					  GetUserNameFromId(GetSessionUserId(), false), "Ships with Vouch", true);
	SPI_finish();
	PG_RETURN_INT32(revision);
}

/* vouch.validate_definition(definition jsonb, run_as name): severity, location, code, message */
Datum
vouch_sql_validate_definition(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	AslProblem *problems = NULL;
	Oid			role = GetSessionUserId();

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	if (!PG_ARGISNULL(1))
		role = get_role_oid(NameStr(*PG_GETARG_NAME(1)), false);
	check_size(PG_GETARG_JSONB_P(0));
	(void) asl_compile(asl_from_jsonb(PG_GETARG_JSONB_P(0)), check_resource, &role, &problems);
	for (const AslProblem *p = problems; p != NULL; p = p->next)
	{
		Datum		values[4];
		bool		nulls[4] = {false};

		values[0] = CStringGetTextDatum(p->severity == ASL_PROBLEM_ERROR ? "error" : "warning");
		values[1] = CStringGetTextDatum(p->location);
		values[2] = CStringGetTextDatum(p->code);
		values[3] = CStringGetTextDatum(p->message);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
