/*
 * definition.c
 *	  Defines workflows: everything that can be checked, is.
 */
#include "postgres.h"

#include "asl/jsonb.h"
#include "asl/port.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/stmt.h"
#include "engine/program.h"
#include "engine/task_check.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

VOUCH_FUNCTION(vouch_sql_define_workflow);
VOUCH_FUNCTION(vouch_sql_define_workflow_text);
VOUCH_FUNCTION(vouch_sql_ship_workflow);
VOUCH_FUNCTION(vouch_sql_validate_definition);
VOUCH_FUNCTION(vouch_sql_validate_definition_text);

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

/* A definition, in one of the forms that it comes in. */
typedef struct Source
{
	Jsonb	   *jsonb;
	text	   *text;			/* when jsonb is NULL: repeated keys can still be told */
} Source;

/* Compiles and checks; NULL, as asl_compile(), when a problem is an error. */
static AslProgram *
compile(const Source *source, VouchTaskCheck *check, AslProblem **problems)
{
	if (source->jsonb == NULL)
		return asl_compile_text(VARDATA_ANY(source->text), VARSIZE_ANY_EXHDR(source->text), vouch_task_check, check,
								problems);
	if (asl_jsonb_too_deep(source->jsonb))
	{
		*problems = palloc0(sizeof(AslProblem));
		(*problems)->severity = ASL_PROBLEM_ERROR;
		(*problems)->code = "NESTING_TOO_DEEP";
		(*problems)->location = "";
		(*problems)->message = psprintf("Arrays and objects are nested more than %d deep.", ASL_MAX_DEPTH - 1);
		return NULL;
	}
	return asl_compile(asl_from_jsonb(source->jsonb), vouch_task_check, check, problems);
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
report_problems(const char *name, const AslProblem *problems)
{
	int			nerrors;
	bool		only_unsupported = true;
	char	   *text = vouch_program_problems(problems, &nerrors);

	if (strcmp(problems->code, "TOO_LARGE") == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_LIMIT),
				 errmsg("the definition of workflow \"%s\" is too large", name),
				 errdetail("%s", problems->message),
				 errhint("Move parts into workflows of their own, and start them with vouch:execution.")));
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
define(const char *name, const Source *source, const char *run_as, const char *description, bool shipped)
{
	VouchTaskCheck check;
	AslProgram *program;
	Jsonb	   *definition;
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
	check.run_as = check_run_as(run_as);
	check.workflow = name;
	program = compile(source, &check, &problems);
	if (program == NULL)
		report_problems(name, problems);
	definition = source->jsonb != NULL ? source->jsonb : asl_to_jsonb(program->definition);
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

static Datum
define_workflow(FunctionCallInfo fcinfo, bool written)
{
	MemoryContext own = CurrentMemoryContext;
	Source		source = {NULL, NULL};
	char	   *name;
	const char *run_as;
	char	   *description;
	int			revision;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("a workflow needs a name and a definition"),
				 errhint("Pass both, the definition in Amazon States Language.")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (written)
		source.text = PG_GETARG_TEXT_PP(1);
	else
		source.jsonb = PG_GETARG_JSONB_P(1);
	run_as = PG_ARGISNULL(2) ? GetUserNameFromId(GetSessionUserId(), false) : NameStr(*PG_GETARG_NAME(2));
	description = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	SPI_connect();
	MemoryContextSwitchTo(own);
	revision = define(name, &source, run_as, description, false);
	SPI_finish();
	PG_RETURN_INT32(revision);
}

/* vouch.define_workflow(name text, definition jsonb, run_as name, description text) */
Datum
vouch_sql_define_workflow(PG_FUNCTION_ARGS)
{
	return define_workflow(fcinfo, false);
}

/* vouch.define_workflow(name text, definition text, run_as name, description text) */
Datum
vouch_sql_define_workflow_text(PG_FUNCTION_ARGS)
{
	return define_workflow(fcinfo, true);
}

/*
 * vouch_data.ship_workflow(name text, definition jsonb): what the extension's
 * script calls for each workflow that comes with it.
 */
Datum
vouch_sql_ship_workflow(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	Source		source = {PG_GETARG_JSONB_P(1), NULL};
	int			revision;

	if (!creating_extension)
		ereport(ERROR,
				(errcode(VOUCH_ERR_NOT_SUPPORTED),
				 errmsg("only the extension's own script ships workflows"),
				 errhint("Use vouch.define_workflow().")));
	SPI_connect();
	MemoryContextSwitchTo(own);
	revision = define(text_to_cstring(PG_GETARG_TEXT_PP(0)), &source,
					  GetUserNameFromId(GetSessionUserId(), false), "Ships with Vouch", true);
	SPI_finish();
	PG_RETURN_INT32(revision);
}

static Datum
validate_definition(FunctionCallInfo fcinfo, bool written)
{
	static AslProblem missing = {ASL_PROBLEM_ERROR, "MISSING_DEFINITION", "", "There is no definition."};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext own = CurrentMemoryContext;
	AslProblem *problems = &missing;
	VouchTaskCheck check = {GetSessionUserId(), NULL};

	InitMaterializedSRF(fcinfo, 0);
	if (!PG_ARGISNULL(1))
		check.run_as = get_role_oid(NameStr(*PG_GETARG_NAME(1)), false);
	if (!PG_ARGISNULL(0))
	{
		Source		source = {NULL, NULL};

		if (written)
			source.text = PG_GETARG_TEXT_PP(0);
		else
			source.jsonb = PG_GETARG_JSONB_P(0);
		SPI_connect();
		MemoryContextSwitchTo(own);
		(void) compile(&source, &check, &problems);
		SPI_finish();
	}
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

/* vouch.validate_definition(definition jsonb, run_as name): severity, location, code, message */
Datum
vouch_sql_validate_definition(PG_FUNCTION_ARGS)
{
	return validate_definition(fcinfo, false);
}

/* vouch.validate_definition(definition text, run_as name): the same */
Datum
vouch_sql_validate_definition_text(PG_FUNCTION_ARGS)
{
	return validate_definition(fcinfo, true);
}
