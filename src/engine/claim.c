/*
 * claim.c
 *	  Who has an execution, and what is left to whoever has it.
 *
 * Its row's lock is the claim.  Who cannot get it leaves a nudge; who has to
 * have it says so in shared memory, so that executors give way (core/want.h).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/stmt.h"
#include "core/wake.h"
#include "core/want.h"
#include "engine/rows.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#define EXECUTION_COLUMNS \
	"SELECT workflow_id, workflow, revision, run_as, starter, status::text, paused, parent_id," \
	" parent_branch, close_policy, started_at, deadline, next_branch, next_event, redrives, canceled_at, cancel_reason, machine_no" \
	" FROM vouch_data.execution WHERE bucket = $1 AND execution_id = $2"

static VouchStmt try_execution = {
	EXECUTION_COLUMNS " FOR NO KEY UPDATE SKIP LOCKED", SPI_OK_SELECT, 2, {INT4OID, UUIDOID}, .indexed = true
};

static VouchStmt lock_execution = {
	EXECUTION_COLUMNS " FOR NO KEY UPDATE", SPI_OK_SELECT, 2, {INT4OID, UUIDOID}, .indexed = true
};

static VouchStmt look_execution = {
	EXECUTION_COLUMNS, SPI_OK_SELECT, 2, {INT4OID, UUIDOID}, .indexed = true
};

static VouchStmt find_execution = {
	"SELECT 1 FROM vouch_data.execution WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_SELECT, 2, {INT4OID, UUIDOID}, .indexed = true
};

static VouchStmt find_open = {
	"SELECT execution_id, run_as, workflow FROM vouch_data.execution"
	" WHERE bucket = $1 AND workflow_id = $2 AND status = 'running'",
	SPI_OK_SELECT, 2, {INT4OID, TEXTOID}, .indexed = true
};

static VouchStmt take_nudges = {
	"DELETE FROM vouch_data.nudge WHERE bucket = $1 AND execution_id = $2 RETURNING nudge_id, hold",
	SPI_OK_DELETE_RETURNING, 2, {INT4OID, UUIDOID}, .indexed = true
};

static VouchStmt insert_nudge = {
	"INSERT INTO vouch_data.nudge (bucket, execution_id, nudge_id, run_as, hold) VALUES ($1, $2, $3, $4, $5)",
	SPI_OK_INSERT, 5, {INT4OID, UUIDOID, UUIDOID, TEXTOID, BOOLOID}
};

static void
end_want(int code, Datum arg)
{
	vouch_want_end();
}

/* Locks the row however long it takes. */
static uint64
wait_for_row(const pg_uuid_t *id, bool interrupt, Datum *args)
{
	uint64		found;

	vouch_want_begin(id, interrupt);
	PG_ENSURE_ERROR_CLEANUP(end_want, (Datum) 0);
	{
		found = vouch_stmt_run(&lock_execution, args, NULL);
	}
	PG_END_ENSURE_ERROR_CLEANUP(end_want, (Datum) 0);
	vouch_want_end();
	return found;
}

bool
vouch_rows_claim(int bucket, const pg_uuid_t *id, VouchClaim how, VouchExecution *e, bool *busy)
{
	Datum		args[2];
	bool		isnull;
	Datum		value;

	args[0] = Int32GetDatum(bucket);
	args[1] = UUIDPGetDatum(id);
	*busy = false;
	if (vouch_stmt_run(how == VOUCH_CLAIM_NOTHING ? &look_execution : &try_execution, args, NULL) == 0)
	{
		if (how == VOUCH_CLAIM_NOTHING || vouch_stmt_run(&find_execution, args, NULL) == 0)
			return false;
		*busy = how == VOUCH_CLAIM_TRY;
		if (*busy || wait_for_row(id, how == VOUCH_CLAIM_INTERRUPT, args) == 0)
			return false;
	}
	memset(e, 0, sizeof(*e));
	e->bucket = bucket;
	e->id = *id;
	e->workflow_id = vouch_stmt_get_text(0, 1);
	e->workflow = vouch_stmt_get_text(0, 2);
	e->revision = vouch_stmt_get_int32(0, 3, 0);
	e->run_as = vouch_stmt_get_text(0, 4);
	e->starter = vouch_stmt_get_text(0, 5);
	e->status = vouch_stmt_get_text(0, 6);
	e->paused = vouch_stmt_get_bool(0, 7, false);
	value = vouch_stmt_get(0, 8, &isnull);
	e->has_parent = !isnull;
	if (!isnull)
		e->parent_id = *DatumGetUUIDP(value);
	e->parent_branch = vouch_stmt_get_int32(0, 9, -1);
	e->close_policy = vouch_stmt_get_text(0, 10);
	e->started_at = vouch_stmt_get_int64(0, 11, 0);
	e->deadline = vouch_stmt_get_int64(0, 12, 0);
	e->next_branch = vouch_stmt_get_int32(0, 13, 1);
	e->next_event = vouch_stmt_get_int64(0, 14, 1);
	e->redrives = vouch_stmt_get_int32(0, 15, 0);
	e->canceled_at = vouch_stmt_get_int64(0, 16, 0);
	e->cancel_reason = vouch_stmt_get_text(0, 17);
	e->machine_no = vouch_stmt_get_int32(0, 18, 0);
	SPI_freetuptable(SPI_tuptable);
	return true;
}

static VouchStmt read_starter = {
	"SELECT starter FROM vouch_data.execution WHERE bucket = $1 AND execution_id = $2",
	SPI_OK_SELECT, 2, {INT4OID, UUIDOID}, .indexed = true
};

void
vouch_rows_require_rights(int bucket, const pg_uuid_t *id, const char *workflow_id, const char *action)
{
	const char *actor = vouch_actor_current();
	Oid			admin = get_role_oid("vouch_admin", true);
	char	   *starter = NULL;
	Datum		args[2];

	args[0] = Int32GetDatum(bucket);
	args[1] = UUIDPGetDatum(id);
	if (vouch_stmt_run(&read_starter, args, NULL) > 0)
		starter = vouch_stmt_get_text(0, 1);
	if ((starter != NULL && strcmp(starter, actor) == 0) ||
		superuser_arg(GetSessionUserId()) ||
		(OidIsValid(admin) && is_member_of_role(GetSessionUserId(), admin)))
		return;
	ereport(ERROR,
			(errcode(VOUCH_ERR_ROLE_MISSING),
			 errmsg("\"%s\" may not %s workflow \"%s\"", actor, action, workflow_id),
			 errdetail("It was started by \"%s\".", starter ? starter : "?"),
			 errhint("Ask \"%s\", or a member of vouch_admin.", starter ? starter : "?")));
}

bool
vouch_rows_find_open(int bucket, const char *workflow_id, pg_uuid_t *id, char **run_as)
{
	Datum		args[2];

	args[0] = Int32GetDatum(bucket);
	args[1] = CStringGetTextDatum(workflow_id);
	if (vouch_stmt_run(&find_open, args, NULL) == 0)
		return false;
	*id = *DatumGetUUIDP(vouch_stmt_get(0, 1, NULL));
	*run_as = vouch_stmt_get_text(0, 2);
	return true;
}

void
vouch_rows_require_workflow(const char *workflow, const char *workflow_id)
{
	char	   *other = vouch_stmt_get_text(0, 3);

	if (strcmp(other, workflow) != 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ALREADY_STARTED),
				 errmsg("\"%s\" is an execution of workflow \"%s\"", workflow_id, other),
				 errdetail("It was to be one of \"%s\".", workflow),
				 errhint("Take another workflow_id: it is unique among the open executions of all workflows.")));
}

int
vouch_rows_take_nudges(int bucket, const pg_uuid_t *id, VouchHold *hold)
{
	Datum		args[2];
	uint64		n;
	pg_uuid_t  *latest = NULL;

	args[0] = Int32GetDatum(bucket);
	args[1] = UUIDPGetDatum(id);
	n = vouch_stmt_run(&take_nudges, args, NULL);
	*hold = VOUCH_HOLD_AS_IS;
	for (uint64 i = 0; i < n; i++)
	{
		pg_uuid_t  *nudge = DatumGetUUIDP(vouch_stmt_get(i, 1, NULL));
		bool		isnull;
		bool		paused = DatumGetBool(vouch_stmt_get(i, 2, &isnull));

		if (isnull || (latest != NULL && memcmp(nudge, latest, UUID_LEN) < 0))
			continue;
		latest = nudge;
		*hold = paused ? VOUCH_HOLD_PAUSE : VOUCH_HOLD_RESUME;
	}
	SPI_freetuptable(SPI_tuptable);
	return (int) n;
}

static void
nudge(int bucket, const pg_uuid_t *id, const char *run_as, VouchHold hold)
{
	Datum		args[5];
	char		nulls[5] = {' ', ' ', ' ', ' ', hold == VOUCH_HOLD_AS_IS ? 'n' : ' '};
	pg_uuid_t	nudge_id;

	vouch_id_make(&nudge_id, VOUCH_ID_EVENT, bucket);
	args[0] = Int32GetDatum(bucket);
	args[1] = UUIDPGetDatum(id);
	args[2] = UUIDPGetDatum(&nudge_id);
	args[3] = CStringGetTextDatum(run_as);
	args[4] = BoolGetDatum(hold == VOUCH_HOLD_PAUSE);
	vouch_stmt_run(&insert_nudge, args, nulls);
	vouch_rows_wake(run_as, bucket, id, 0);
}

void
vouch_rows_nudge(int bucket, const pg_uuid_t *id, const char *run_as)
{
	nudge(bucket, id, run_as, VOUCH_HOLD_AS_IS);
}

void
vouch_rows_ask_to_hold(int bucket, const pg_uuid_t *id, const char *run_as, bool paused)
{
	nudge(bucket, id, run_as, paused ? VOUCH_HOLD_PAUSE : VOUCH_HOLD_RESUME);
	vouch_wake_runner(id, false);
}

void
vouch_rows_wake(const char *run_as, int bucket, const pg_uuid_t *id, TimestampTz due_at)
{
	Oid			role = get_role_oid(run_as, true);

	if (OidIsValid(role))
		vouch_wake(role, bucket, id, due_at);
}
