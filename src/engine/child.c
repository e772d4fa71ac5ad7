/*
 * child.c
 *	  Executions that executions start.
 *
 * Nobody waits for a relative's lock: who does not get it leaves a nudge, and
 * the nudged one finds out for itself what became of the other.
 */
#include "postgres.h"

#include "asl/jsonb.h"
#include "catalog/pg_type.h"
#include "core/id.h"
#include "core/stmt.h"
#include "core/wake.h"
#include "engine/advance.h"
#include "engine/start.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define MAX_DEPTH 32			/* levels of children */
#define MAX_ID 1000				/* bytes; the id is an index key */
#define MAX_CAUSE 8192			/* bytes of a child's cause in its parent's */

/* Looked up one by one: a parent may have had a hundred thousand children, and waits for few. */
static VouchStmt read_closed = {
	"SELECT w.id, e.workflow_id, e.status, r.output, r.error, r.cause"
	" FROM unnest($2) AS w(id), LATERAL (SELECT x.workflow_id, x.status::text AS status"
	"  FROM vouch_data.execution x WHERE x.bucket = $1 AND x.execution_id = w.id AND x.status <> 'running' OFFSET 0) AS e"
	" LEFT JOIN LATERAL (SELECT y.output, y.error, y.cause"
	"  FROM vouch_data.execution_result y WHERE y.bucket = $1 AND y.execution_id = w.id OFFSET 0) AS r ON true",
	SPI_OK_SELECT, 2, {INT4OID, UUIDARRAYOID}, .indexed = true
};

static VouchStmt open_children = {
	"SELECT execution_id, run_as, close_policy, machine_no > 0 FROM vouch_data.execution"
	" WHERE bucket = $1 AND parent_id = $2 AND status = 'running'"
	" AND ($3 IS NULL OR parent_branch = ANY ($3))",
	SPI_OK_SELECT, 3, {INT4OID, UUIDOID, INT4ARRAYOID}, .indexed = true
};

static VouchStmt read_parent = {
	"SELECT e.run_as, e.status = 'running' AND NOT coalesce(e.canceled_at > $5, false), EXISTS (SELECT 1 FROM vouch_data.branch b"
	"  WHERE b.bucket = $1 AND b.execution_id = $2 AND b.branch_no = $3 AND b.wait_id = $4)"
	" FROM vouch_data.execution e WHERE e.bucket = $1 AND e.execution_id = $2",
	SPI_OK_SELECT, 5, {INT4OID, UUIDOID, INT4OID, UUIDOID, TIMESTAMPTZOID}, .indexed = true
};

static const char *
text_of(const AslValue *payload, const char *key)
{
	const AslValue *v = asl_get(payload, key);

	return v != NULL && v->type == ASL_STRING ? v->u.string.data : NULL;
}

static void
fail_start(VouchBranch *b, const char *error, const char *cause)
{
	b->failure.error = error;
	b->failure.cause = cause;
	b->resume = VOUCH_RESUME_FAILURE;
}

/* Name of a child that was given none: the state's, and where it stands in iterations. */
static const char *
default_name(VouchBranch *b)
{
	StringInfoData name;

	initStringInfo(&name);
	appendStringInfoString(&name, b->state ? b->state->name : b->parent->state->name);
	for (VouchBranch *x = b; x->parent != NULL; x = x->parent)
		appendStringInfo(&name, "-%d", x->place);
	return name.data;
}

const char *
vouch_child_close_policy(const char *policy)
{
	if (pg_strcasecmp(policy, "cancel") == 0 || pg_strcasecmp(policy, "request_cancel") == 0)
		return "cancel";
	if (pg_strcasecmp(policy, "abandon") == 0)
		return "abandon";
	return pg_strcasecmp(policy, "terminate") == 0 ? "terminate" : NULL;
}

/* vouch:execution and vouch:execution.sync.  The branch is being run. */
void
vouch_child_start(VouchAdvance *adv, VouchBranch *b, const AslEntry *entry, bool sync)
{
	const char *workflow = text_of(entry->payload, "Workflow");
	const char *name = text_of(entry->payload, "Name");
	const char *policy = text_of(entry->payload, "ParentClosePolicy");
	const AslValue *input = asl_get(entry->payload, "Input");
	VouchStart	start;
	int			depth = 0;
	pg_uuid_t	id;
	const AslValue *result;

	policy = vouch_child_close_policy(policy != NULL ? policy : "terminate");
	if (workflow == NULL || policy == NULL || (name != NULL && (name[0] == '\0' || strchr(name, '/') != NULL)))
	{
		fail_start(b, "Vouch.BadParameters",
				   workflow == NULL ? "vouch:execution needs the name of a workflow: \"Parameters\": {\"Workflow\": \"name\"}"
				   : policy == NULL ? "ParentClosePolicy is terminate, cancel, or abandon"
				   : name[0] == '\0' ? "Name is empty" : "Name has a \"/\", which stands between parent and child");
		return;
	}
	memset(&start, 0, sizeof(start));
	start.program = vouch_program_find(workflow, 0, true);
	if (start.program == NULL)
	{
		fail_start(b, "SQL.VO402", psprintf("there is no workflow \"%s\"", workflow));
		return;
	}
	if (!OidIsValid(get_role_oid(start.program->run_as, true)))
	{
		fail_start(b, "SQL.VO407", psprintf("role \"%s\", which workflow \"%s\" runs as, does not exist",
										  start.program->run_as, workflow));
		return;
	}
	start.workflow_id = psprintf("%s/%s", adv->execution.workflow_id, name ? name : default_name(b));
	for (const char *p = start.workflow_id; *p; p++)
		depth += *p == '/';
	if (depth > MAX_DEPTH || strlen(start.workflow_id) > MAX_ID)
	{
		fail_start(b, "Vouch.LimitExceeded",
				   psprintf("a workflow has at most %d levels of children, whose ids have at most %d bytes", MAX_DEPTH, MAX_ID));
		return;
	}
	start.input = asl_to_jsonb(input ? input : asl_object());
	/* whoever started the family may be named in all of it */
	start.starter = adv->execution.starter;
	start.actor = b->actor;
	start.parent_id = &adv->execution.id;
	start.parent_branch = sync ? b->no : -1;
	start.close_policy = policy;
	if (!vouch_start_execution(&start, &id))
	{
		fail_start(b, "SQL.VO404", psprintf("workflow \"%s\" is running already", start.workflow_id));
		return;
	}
	if (!sync)
	{
		result = asl_object_put(asl_object(), "WorkflowId", asl_string(start.workflow_id));
		b->result = asl_object_put(result, "ExecutionId", asl_string(vouch_id_text(&id)));
		b->resume = VOUCH_RESUME_RESULT;
		return;
	}
	b->wait_id = id;
	b->has_wait_id = true;
	vouch_advance_park(adv, b, VOUCH_WAIT_CHILD, entry->timeout_seconds > 0
					   ? GetCurrentTimestamp() + entry->timeout_seconds * USECS_PER_SEC : 0);
}

void
vouch_child_start_iteration(VouchAdvance *adv, VouchBranch *b)
{
	VouchStart	start;
	pg_uuid_t	id;
	const char *problem = NULL;

	memset(&start, 0, sizeof(start));
	start.program = adv->program;
	start.workflow_id = psprintf("%s/%s", adv->execution.workflow_id, default_name(b));
	start.input = asl_to_jsonb(b->input);
	start.starter = adv->execution.starter;
	start.actor = b->actor;
	start.parent_id = &adv->execution.id;
	start.parent_branch = b->no;
	start.close_policy = "cancel";
	start.machine_no = b->machine->number;
	start.place = b->place;
	start.item_value = b->item_value;
	if (strlen(start.workflow_id) > MAX_ID)
		problem = psprintf("the id of an iteration would have more than %d bytes", MAX_ID);
	else if (!vouch_start_execution(&start, &id))
		problem = psprintf("workflow \"%s\" is running already", start.workflow_id);
	b->input = NULL;			/* the child has it */
	b->item_value = NULL;
	if (problem != NULL)
	{
		b->failure.error = "Vouch.LimitExceeded";
		b->failure.cause = problem;
		vouch_advance_ready(adv, b, VOUCH_RESUME_FAILURE);
		return;
	}
	b->wait_id = id;
	b->has_wait_id = true;
	b->entered_at = GetCurrentTimestamp();
	vouch_advance_park(adv, b, VOUCH_WAIT_CHILD, 0);
}

/* What a closed child (a row of read_closed) means to the branch that waits for it. */
static void
take_result(VouchAdvance *adv, VouchBranch *b, uint64 row)
{
	char	   *workflow_id = vouch_stmt_get_text(row, 2);
	char	   *status = vouch_stmt_get_text(row, 3);
	const AslValue *v;
	bool		isnull;
	Datum		output = vouch_stmt_get(row, 4, &isnull);

	if (b->state == NULL)
	{
		/* an iteration ends as if it had run here */
		b->result = isnull ? asl_null() : asl_from_jsonb(DatumGetJsonbPCopy(output));
		b->failure.error = vouch_stmt_get_text(row, 5);
		b->failure.cause = vouch_stmt_get_text(row, 6);
		if (b->failure.error == NULL)
			b->failure.error = strcmp(status, "timed_out") == 0 ? "States.Timeout" : "States.TaskFailed";
		vouch_advance_ready(adv, b, strcmp(status, "succeeded") == 0 ? VOUCH_RESUME_RESULT : VOUCH_RESUME_FAILURE);
		return;
	}
	v = asl_object_put(asl_object(), "WorkflowId", asl_string(workflow_id));
	v = asl_object_put(v, "Status", asl_string(status));
	if (strcmp(status, "succeeded") == 0)
	{
		b->result = asl_object_put(v, "Output", isnull ? asl_null() : asl_from_jsonb(DatumGetJsonbPCopy(output)));
		vouch_advance_ready(adv, b, VOUCH_RESUME_RESULT);
	}
	else
	{
		char	   *error = vouch_stmt_get_text(row, 5);
		char	   *cause = vouch_stmt_get_text(row, 6);

		if (error != NULL)
			v = asl_object_put(v, "Error", asl_string(error));
		/* quoted anew at each level, a cause would double with each */
		if (cause != NULL)
			v = asl_object_put(v, "Cause", asl_string_n(cause, pg_mbcliplen(cause, strlen(cause), MAX_CAUSE)));
		b->failure.error = "States.TaskFailed";
		b->failure.cause = asl_print(v);
		vouch_advance_ready(adv, b, VOUCH_RESUME_FAILURE);
	}
}

/* Wakes the branches whose children have closed. */
void
vouch_child_wake(VouchAdvance *adv)
{
	Datum	   *ids = palloc(sizeof(Datum) * adv->nbranches);
	int			nids = 0;
	Datum		args[2];
	uint64		n;

	for (int i = 0; i < adv->nbranches; i++)
		if (adv->branches[i]->status == VOUCH_BRANCH_WAITING && adv->branches[i]->wait == VOUCH_WAIT_CHILD)
			ids[nids++] = UUIDPGetDatum(&adv->branches[i]->wait_id);
	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = PointerGetDatum(construct_array(ids, nids, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	n = vouch_stmt_run(&read_closed, args, NULL);
	for (uint64 row = 0; row < n; row++)
	{
		pg_uuid_t  *id = DatumGetUUIDP(vouch_stmt_get(row, 1, NULL));

		for (int i = 0; i < adv->nbranches; i++)
		{
			VouchBranch *b = adv->branches[i];

			if (b->status == VOUCH_BRANCH_WAITING && b->wait == VOUCH_WAIT_CHILD &&
				memcmp(&b->wait_id, id, UUID_LEN) == 0)
			{
				take_result(adv, b, row);
				break;
			}
		}
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Closes open children as their policies say: all (nbranches < 0), because
 * the execution closed, or those that the given branches waited for.
 */
void
vouch_child_close_all(VouchAdvance *adv, const int *branches, int nbranches)
{
	Datum		args[3];
	char		nulls[4] = "   ";
	uint64		n;
	pg_uuid_t  *ids;
	char	  **roles,
			  **policies;

	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = UUIDPGetDatum(&adv->execution.id);
	if (nbranches >= 0)
	{
		Datum	   *items = palloc(sizeof(Datum) * nbranches);

		for (int i = 0; i < nbranches; i++)
			items[i] = Int32GetDatum(branches[i]);
		args[2] = PointerGetDatum(construct_array(items, nbranches, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	}
	else
		nulls[2] = 'n';
	n = vouch_stmt_run(&open_children, args, nulls);
	if (n == 0)
		return;
	check_stack_depth();
	ids = palloc(sizeof(pg_uuid_t) * n);
	roles = palloc(sizeof(char *) * n);
	policies = palloc(sizeof(char *) * n);
	for (uint64 i = 0; i < n; i++)
	{
		ids[i] = *DatumGetUUIDP(vouch_stmt_get(i, 1, NULL));
		roles[i] = vouch_stmt_get_text(i, 2);
		policies[i] = vouch_stmt_get_text(i, 3);
		/* iterations are asked no more than what they are iterations of */
		if (vouch_stmt_get_bool(i, 4, false) && strcmp(adv->execution.status, "terminated") == 0)
			policies[i] = "terminate";
	}
	SPI_freetuptable(SPI_tuptable);
	for (uint64 i = 0; i < n; i++)
	{
		bool		busy;

		if (policies[i] == NULL || strcmp(policies[i], "abandon") == 0)
			continue;
		vouch_advance_end_execution(adv->execution.bucket, &ids[i], VOUCH_CLAIM_TRY, policies[i],
									"its parent closed", &busy);
		if (!busy)
			continue;
		vouch_rows_nudge(adv->execution.bucket, &ids[i], roles[i]);
		vouch_wake_runner(&ids[i], true);
	}
}

/* A parent that was canceled after since is as good as closed. */
static bool
look_at_parent(VouchAdvance *adv, TimestampTz since, char **run_as, bool *open, bool *waits)
{
	Datum		args[5];

	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = UUIDPGetDatum(&adv->execution.parent_id);
	args[2] = Int32GetDatum(adv->execution.parent_branch);
	args[3] = UUIDPGetDatum(&adv->execution.id);
	args[4] = TimestampTzGetDatum(since);
	if (vouch_stmt_run(&read_parent, args, NULL) == 0)
		return false;
	*run_as = vouch_stmt_get_text(0, 1);
	*open = vouch_stmt_get_bool(0, 2, false);
	*waits = vouch_stmt_get_bool(0, 3, false);
	SPI_freetuptable(SPI_tuptable);
	return true;
}

/*
 * Has the parent closed, or given up waiting, so that this one has to close?
 * *event says how.
 */
bool
vouch_child_parent_closed(VouchAdvance *adv, const char **event)
{
	char	   *run_as;
	bool		open,
				waits;

	*event = adv->execution.close_policy;
	if (*event == NULL || strcmp(*event, "abandon") == 0 ||
		!look_at_parent(adv, adv->execution.started_at, &run_as, &open, &waits))
		return false;
	return !open || (adv->execution.parent_branch >= 0 && !waits);
}

/* The child closed: its parent is to look. */
void
vouch_child_tell_parent(VouchAdvance *adv)
{
	VouchAdvance *parent;
	char	   *run_as;
	bool		open,
				waits;

	if (!adv->execution.has_parent || adv->execution.parent_branch < 0)
		return;
	parent = vouch_advance_running(&adv->execution.parent_id);
	if (parent != NULL && parent->closed)
		return;
	if (look_at_parent(adv, DT_NOEND, &run_as, &open, &waits) && open)
		vouch_rows_nudge(adv->execution.bucket, &adv->execution.parent_id, run_as);
}
