/*
 * start.c
 *	  vouch.start_workflow() and what starts children.
 */
#include "postgres.h"

#include "access/xact.h"
#include "asl/jsonb.h"
#include "asl/port.h"
#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/id.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/stmt.h"
#include "engine/advance.h"
#include "engine/start.h"
#include "mb/pg_wchar.h"
#include "utils/acl.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_start_workflow);
VOUCH_FUNCTION(vouch_sql_check_payload);
VOUCH_FUNCTION(vouch_sql_check_attributes);

#define WORKFLOW_ID_MAX 500
#define MAX_ATTRIBUTES 16384
#define MAX_ATTEMPTS 100		/* to end what others start meanwhile, one after the other */

static VouchStmt insert_execution = {
	"INSERT INTO vouch_data.execution (bucket, execution_id, workflow_id, workflow, revision, run_as, starter,"
	" parent_id, parent_branch, close_policy, started_at, deadline, machine_no)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
	" ON CONFLICT (bucket, workflow_id) WHERE status = 'running' DO NOTHING",
	SPI_OK_INSERT, 13,
	{INT4OID, UUIDOID, TEXTOID, TEXTOID, INT4OID, TEXTOID, TEXTOID, UUIDOID, INT4OID, TEXTOID,
	TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID}, .indexed = true
};

static VouchStmt insert_input = {
	"INSERT INTO vouch_data.execution_input (bucket, execution_id, input) VALUES ($1, $2, $3)",
	SPI_OK_INSERT, 3, {INT4OID, UUIDOID, JSONBOID}
};

static VouchStmt insert_attributes = {
	"INSERT INTO vouch_data.execution_attributes (bucket, execution_id, attributes) VALUES ($1, $2, jsonb_strip_nulls($3))",
	SPI_OK_INSERT, 3, {INT4OID, UUIDOID, JSONBOID}
};

static VouchStmt read_starters = {
	"SELECT s.role FROM vouch_data.workflow_starters w, unnest(w.starters || 'vouch_admin'::text) AS s(role) WHERE w.workflow = $1",
	SPI_OK_SELECT, 1, {TEXTOID}, .indexed = true
};

/* The main line; its input is the execution's, so it keeps none of its own. */
static VouchStmt insert_main = {
	"INSERT INTO vouch_data.branch (bucket, execution_id, branch_no, run_as, status, actor, machine_no, place, data)"
	" VALUES ($1, $2, 0, $3, 'ready', $4, $5, $6, $7)",
	SPI_OK_INSERT, 7, {INT4OID, UUIDOID, TEXTOID, TEXTOID, INT4OID, INT4OID, JSONOID}
};

bool
vouch_start_execution(const VouchStart *start, pg_uuid_t *id)
{
	const VouchProgram *program = start->program;
	int			bucket = vouch_id_workflow_bucket(start->workflow_id);
	TimestampTz now = GetCurrentTimestamp();
	int64		timeout = program->asl->machines[start->machine_no]->timeout_seconds;
	Datum		args[13];
	char		nulls[14] = "             ";

	/*
	 * What came with the extension names whoever installed it, a superuser: to
	 * run it as that role would lend those rights to everybody.
	 */
	if (program->shipped)
		ereport(ERROR,
				(errcode(VOUCH_ERR_RUN_AS),
				 errmsg("workflow \"%s\", revision %d, has no role to run as yet",
						program->workflow, program->revision),
				 errdetail("It came with the extension as a template."),
				 errhint("Have an administrator choose the role: SELECT * FROM vouch.install_test_cycle('role').")));
	if (!OidIsValid(get_role_oid(program->run_as, true)))
		ereport(ERROR,
				(errcode(VOUCH_ERR_RUN_AS),
				 errmsg("role \"%s\", which workflow \"%s\" runs as, does not exist",
						program->run_as, program->workflow),
				 errhint("Define a new revision with another run_as.")));
	vouch_id_make(id, VOUCH_ID_EXECUTION, bucket);
	args[0] = Int32GetDatum(bucket);
	args[1] = UUIDPGetDatum(id);
	args[2] = CStringGetTextDatum(start->workflow_id);
	args[3] = CStringGetTextDatum(program->workflow);
	args[4] = Int32GetDatum(program->revision);
	args[5] = CStringGetTextDatum(program->run_as);
	args[6] = CStringGetTextDatum(start->starter);
	if (start->parent_id != NULL)
		args[7] = UUIDPGetDatum(start->parent_id);
	else
		nulls[7] = 'n';
	if (start->parent_branch >= 0)
		args[8] = Int32GetDatum(start->parent_branch);
	else
		nulls[8] = 'n';
	if (start->close_policy != NULL)
		args[9] = CStringGetTextDatum(start->close_policy);
	else
		nulls[9] = 'n';
	args[10] = TimestampTzGetDatum(now);
	if (timeout > 0)
		args[11] = TimestampTzGetDatum(now + timeout * USECS_PER_SEC);
	else
		nulls[11] = 'n';
	args[12] = Int32GetDatum(start->machine_no);
	if (vouch_stmt_run(&insert_execution, args, nulls) == 0)
		return false;
	args[2] = JsonbPGetDatum(start->input);
	vouch_stmt_run(&insert_input, args, NULL);
	if (start->attributes != NULL && JB_ROOT_COUNT(start->attributes) > 0)
	{
		args[2] = JsonbPGetDatum(start->attributes);
		vouch_stmt_run(&insert_attributes, args, NULL);
	}
	args[2] = CStringGetTextDatum(program->run_as);
	args[3] = CStringGetTextDatum(start->actor != NULL ? start->actor : start->starter);
	args[4] = Int32GetDatum(start->machine_no);
	args[5] = Int32GetDatum(start->place);
	memset(nulls, ' ', 7);
	if (start->item_value != NULL)
		args[6] = CStringGetTextDatum(asl_print(asl_object_put(asl_object(), "x", start->item_value)));
	else
		nulls[6] = 'n';
	vouch_stmt_run(&insert_main, args, nulls);
	vouch_rows_wake(program->run_as, bucket, id, 0);
	if (timeout > 0)
		vouch_rows_wake(program->run_as, bucket, id, now + timeout * USECS_PER_SEC);
	return true;
}

static pg_noinline void
already_started(const char *workflow_id)
{
	ereport(ERROR,
			(errcode(VOUCH_ERR_ALREADY_STARTED),
			 errmsg("workflow \"%s\" is running already", workflow_id),
			 errhint("Take another workflow_id, or call with on_conflict => 'use_existing' or 'terminate_existing'.")));
}

void
vouch_payload_check(Jsonb *value, const char *what, const char *name, const char *hint)
{
	char	   *whose;

	if (VARSIZE(value) <= (Size) vouch_guc_max_payload * 1024 && !asl_jsonb_too_deep(value))
		return;
	whose = name != NULL ? psprintf("%s \"%.*s\"", what, pg_mbcliplen(name, strlen(name), 80), name)
		: pstrdup(what);
	if (VARSIZE(value) > (Size) vouch_guc_max_payload * 1024)
		ereport(ERROR,
				(errcode(VOUCH_ERR_LIMIT),
				 errmsg("%s is larger than vouch.max_payload", whose),
				 errdetail("It has %zu bytes, %zu are allowed.", (size_t) VARSIZE(value),
						   (size_t) vouch_guc_max_payload * 1024),
				 errhint("%s", hint)));
	ereport(ERROR,
			(errcode(VOUCH_ERR_LIMIT),
			 errmsg("%s is nested too deeply", whose),
			 errdetail("Arrays and objects can be nested %d deep.", ASL_MAX_DEPTH - 1),
			 errhint("Flatten it, or pass it on as a string.")));
}

/* vouch_data.check_payload(value jsonb, what text) */
Datum
vouch_sql_check_payload(PG_FUNCTION_ARGS)
{
	vouch_payload_check(PG_GETARG_JSONB_P(0), text_to_cstring(PG_GETARG_TEXT_PP(1)), NULL,
						"Keep large data in a table and pass its key.");
	PG_RETURN_VOID();
}

void
vouch_start_check(const char *workflow_id, Jsonb *input)
{
	int			shown = pg_mbcliplen(workflow_id, strlen(workflow_id), 80);

	if (workflow_id[0] == '\0' || strchr(workflow_id, '/') != NULL || strlen(workflow_id) > WORKFLOW_ID_MAX)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("\"%.*s\" cannot be a workflow_id", shown, workflow_id),
				 errdetail("A workflow_id has 1 to %d bytes and no \"/\": that makes the ids of children.", WORKFLOW_ID_MAX),
				 errhint("Name it after its subject, like cycle-7-report-3.")));
	/* an execution works on the subject of its name */
	if (workflow_id[0] == '@')
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("\"%.*s\" cannot be a workflow_id", shown, workflow_id),
				 errdetail("Names that begin with \"@\" are reserved, as those of subjects are."),
				 errhint("Name it after its subject, like cycle-7-report-3.")));
	if (input != NULL)
		vouch_payload_check(input, "the input of workflow", workflow_id, "Keep large data in a table and pass its key.");
}

void
vouch_start_check_attributes(Jsonb *attributes)
{
	if (!JB_ROOT_IS_OBJECT(attributes) || VARSIZE(attributes) > MAX_ATTRIBUTES)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("attributes are not an object of up to 16 kB"),
				 errhint("Pass names and values, like {\"report\": 3, \"lob\": \"CARDS\"}.")));
	vouch_payload_check(attributes, "the value of attributes", NULL, "Keep large data in a table.");
}

/* vouch_data.check_attributes(attributes jsonb) */
Datum
vouch_sql_check_attributes(PG_FUNCTION_ARGS)
{
	vouch_start_check_attributes(PG_GETARG_JSONB_P(0));
	PG_RETURN_VOID();
}

void
vouch_start_require_right(const char *workflow)
{
	Datum		args[1];
	StringInfoData names;
	uint64		n;

	args[0] = CStringGetTextDatum(workflow);
	n = vouch_stmt_run(&read_starters, args, NULL);
	if (n == 0)
		return;
	initStringInfo(&names);
	for (uint64 i = 0; i < n; i++)
	{
		char	   *name = vouch_stmt_get_text(i, 1);
		Oid			role = get_role_oid(name, true);

		if (OidIsValid(role) && is_member_of_role(GetSessionUserId(), role))
			return;
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "", name);
	}
	ereport(ERROR,
			(errcode(VOUCH_ERR_ROLE_MISSING),
			 errmsg("role \"%s\" may not start workflow \"%s\"", GetUserNameFromId(GetSessionUserId(), false), workflow),
			 errdetail("It is for members of %s.", names.data),
			 errhint("Ask a member of vouch_admin to call vouch.restrict_workflow() with other roles, or to make you a member of one.")));
}

static void
check_on_conflict(const char *on_conflict)
{
	if (strcmp(on_conflict, "error") != 0 && strcmp(on_conflict, "use_existing") != 0 &&
		strcmp(on_conflict, "terminate_existing") != 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("on_conflict cannot be \"%s\"", on_conflict),
				 errhint("It is error, use_existing, or terminate_existing.")));
}

/*
 * vouch.start_workflow(workflow text, input jsonb, workflow_id text,
 * revision int, on_conflict text, attributes jsonb) returns the workflow_id
 */
Datum
vouch_sql_start_workflow(PG_FUNCTION_ARGS)
{
	char	   *workflow;
	Jsonb	   *input;
	char	   *workflow_id;
	int			revision;
	char	   *on_conflict;
	MemoryContext own = CurrentMemoryContext;
	VouchStart	start;
	pg_uuid_t	id;

	vouch_check_given(PG_ARGISNULL(0), "workflow");
	workflow = text_to_cstring(PG_GETARG_TEXT_PP(0));
	input = PG_ARGISNULL(1) ? vouch_json_from_text("{}") : PG_GETARG_JSONB_P(1);
	if (PG_ARGISNULL(2))
	{
		/* an id of its own: the chance in it is enough for a name */
		vouch_id_make(&id, VOUCH_ID_EXECUTION, 0);
		workflow_id = psprintf("%s-%s", workflow, vouch_id_text(&id));
	}
	else
		workflow_id = text_to_cstring(PG_GETARG_TEXT_PP(2));
	on_conflict = PG_ARGISNULL(4) ? "error" : text_to_cstring(PG_GETARG_TEXT_PP(4));
	vouch_start_check(workflow_id, input);
	check_on_conflict(on_conflict);

	SPI_connect();
	MemoryContextSwitchTo(own);
	memset(&start, 0, sizeof(start));
	if (!PG_ARGISNULL(5))
	{
		start.attributes = PG_GETARG_JSONB_P(5);
		vouch_start_check_attributes(start.attributes);
	}
	revision = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3);
	start.program = vouch_program_named(workflow, PG_ARGISNULL(3) ? NULL : &revision);
	start.workflow_id = workflow_id;
	start.input = input;
	start.starter = vouch_actor_current();
	start.parent_branch = -1;
	vouch_start_require_right(workflow);
	for (int attempt = 0; !vouch_start_execution(&start, &id); attempt++)
	{
		pg_uuid_t	other;
		char	   *run_as;
		bool		busy;
		int			bucket = vouch_id_workflow_bucket(workflow_id);
		VouchExecution locked;

		if (strcmp(on_conflict, "error") == 0 || attempt > MAX_ATTEMPTS)
			already_started(workflow_id);
		if (!vouch_rows_find_open(bucket, workflow_id, &other, &run_as))
			continue;
		if (strcmp(on_conflict, "use_existing") == 0)
		{
			vouch_rows_require_workflow(workflow, workflow_id);
			break;
		}
		vouch_rows_require_rights(bucket, &other, workflow_id, "terminate");
		/* the lock first: who waited for it may find that somebody else has ended it, and looks again */
		if (vouch_advance_running(&other) != NULL)
			already_started(workflow_id);
		if (!vouch_rows_claim(bucket, &other, VOUCH_CLAIM_INTERRUPT, &locked, &busy) || strcmp(locked.status, "running") != 0)
			continue;
		vouch_advance_end_execution(bucket, &other, VOUCH_CLAIM_WAIT, "terminate",
									"another one was started under its workflow_id", &busy);
	}
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(workflow_id));
}
