/*
 * worker_api.c
 *	  activity:queue, the workers' side: poll, heartbeat, complete, fail.
 *
 * Each lease has a token of its own, so that who lost a task cannot end it: a
 * token that is not the row's any more finds nothing.  The task's row is
 * written first, and then the execution is tried without waiting, as for
 * signals.
 */
#include "postgres.h"

#include "asl/asl.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "core/actor.h"
#include "core/attempt.h"
#include "core/compat.h"
#include "core/digest.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/id.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/stmt.h"
#include "core/wake.h"
#include "engine/fail.h"
#include "engine/rows.h"
#include "engine/signal.h"
#include "engine/start.h"
#include "engine/task.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

VOUCH_FUNCTION(vouch_sql_define_queue);
VOUCH_FUNCTION(vouch_sql_poll_activity);
VOUCH_FUNCTION(vouch_sql_heartbeat_activity);
VOUCH_FUNCTION(vouch_sql_complete_activity);
VOUCH_FUNCTION(vouch_sql_fail_activity);

#define MAX_TASKS 1000
#define WAIT_MIN_MS 10
#define WAIT_MAX_MS 250
#define QUEUE_LOCK 0x564f5543	/* a key of ours among advisory locks */

static VouchStmt upsert_queue = {
	"INSERT INTO vouch_data.queue (queue, max_concurrent, max_per_key, key_path, priority, priority_path,"
	" rate_per_second, worker_role) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	" ON CONFLICT (queue) DO UPDATE SET max_concurrent = $2, max_per_key = $3, key_path = $4, priority = $5,"
	" priority_path = $6, rate_per_second = $7, worker_role = $8, tokens = NULL, tokens_at = NULL",
	SPI_OK_INSERT, 8, {TEXTOID, INT4OID, INT4OID, TEXTOID, INT4OID, TEXTOID, FLOAT8OID, TEXTOID}
};

static VouchStmt read_queue = {
	"SELECT max_concurrent, max_per_key, rate_per_second, worker_role, tokens, tokens_at"
	" FROM vouch_data.queue WHERE queue = $1",
	SPI_OK_SELECT, 1, {TEXTOID}, .indexed = true
};

static VouchStmt spend_tokens = {
	"UPDATE vouch_data.queue SET tokens = $2, tokens_at = $3 WHERE queue = $1",
	SPI_OK_UPDATE, 3, {TEXTOID, FLOAT8OID, TIMESTAMPTZOID}, .indexed = true
};

/* Leases that are over: the tasks are offered again, and their tokens are void. */
static VouchStmt offer_again = {
	"UPDATE vouch_data.task t SET status = 'offered', token_digest = NULL, lease_until = NULL, heartbeat_until = NULL"
	" FROM (SELECT bucket, task_id FROM vouch_data.task WHERE queue = $1 AND status = 'leased'"
	"  AND lease_until <= $2 ORDER BY lease_until LIMIT 1000 FOR UPDATE SKIP LOCKED) AS l"
	" WHERE t.bucket = l.bucket AND t.task_id = l.task_id",
	SPI_OK_UPDATE, 2, {TEXTOID, TIMESTAMPTZOID}, .indexed = true
};

static VouchStmt count_leased = {
	"SELECT count(*)::int FROM vouch_data.task WHERE queue = $1 AND status = 'leased'",
	SPI_OK_SELECT, 1, {TEXTOID}, .indexed = true
};

static VouchStmt find_full = {
	"SELECT concurrency_key FROM vouch_data.task WHERE queue = $1 AND status = 'leased'"
	" AND concurrency_key IS NOT NULL GROUP BY concurrency_key HAVING count(*) >= $2",
	SPI_OK_SELECT, 2, {TEXTOID, INT4OID}, .indexed = true
};

static VouchStmt find_offered = {
	"SELECT bucket, task_id FROM vouch_data.task WHERE queue = $1 AND status = 'offered' AND NOT held"
	" AND (deadline IS NULL OR deadline > $3) AND (concurrency_key IS NULL OR concurrency_key <> ALL ($4))"
	" ORDER BY priority DESC, task_id LIMIT $2 FOR UPDATE SKIP LOCKED",
	SPI_OK_SELECT, 4, {TEXTOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID}, .indexed = true
};

static VouchStmt lease_tasks = {
	"UPDATE vouch_data.task t SET status = 'leased', token_digest = p.digest, worker = $4, leased_by = $7, leased_at = $5, lease = $6,"
	" lease_until = $5 + $6, heartbeat_until = $5 + heartbeat_seconds * interval '1 s', deliveries = deliveries + 1"
	" FROM unnest($1, $2, $3, $8) AS p(bucket, task_id, token, digest)"
	" WHERE t.bucket = p.bucket AND t.task_id = p.task_id"
	" RETURNING p.token, t.input, t.workflow_id, t.state, t.attempt, t.deliveries, t.deadline, t.lease_until,"
	" t.heartbeat_until, t.priority, t.concurrency_key, t.details, t.run_as, t.execution_id, t.bucket, t.task_id",
	SPI_OK_UPDATE_RETURNING, 8,
	{INT4ARRAYOID, UUIDARRAYOID, UUIDARRAYOID, TEXTOID, TIMESTAMPTZOID, INTERVALOID, TEXTOID, BYTEAARRAYOID},
	.indexed = true
};

static VouchStmt heartbeat = {
	"UPDATE vouch_data.task SET lease_until = $3 + coalesce($4, lease),"
	" heartbeat_until = $3 + heartbeat_seconds * interval '1 s', details = coalesce($5, details)"
	" WHERE bucket = $1 AND token_digest = $2 AND status = 'leased' AND leased_by = $6 AND lease_until > $3"
	" RETURNING lease_until, heartbeat_until, run_as, execution_id, queue",
	SPI_OK_UPDATE_RETURNING, 6, {INT4OID, BYTEAOID, TIMESTAMPTZOID, INTERVALOID, JSONBOID, TEXTOID}, .indexed = true
};

static VouchStmt finish_task = {
	"UPDATE vouch_data.task SET status = $3::vouch_data.task_status, output = $4, error = $5, cause = $6,"
	" finished_by = $7, lease_until = NULL, heartbeat_until = NULL"
	" WHERE bucket = $1 AND token_digest = $2 AND status = 'leased' AND leased_by = $7 AND lease_until > $8"
	" RETURNING execution_id, run_as, queue",
	SPI_OK_UPDATE_RETURNING, 8,
	{INT4OID, BYTEAOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID}, .indexed = true
};

static void
check_queue(const char *queue)
{
	if (vouch_task_queue_problem(queue) != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("\"%s\" cannot name a queue", queue),
				 errdetail("A name has 1 to 100 letters, digits, and characters of \"_.-\"."),
				 errhint("Take what follows \"activity:\" in the Resource of the state.")));
}

/* -------------------------------------------------------------------- queues */

static void
check_path(const char *path)
{
	AslFrame	frame;
	AslScope	scope = {NULL, NULL};
	AslError	error = {NULL, NULL};
	static unsigned char no_uuid[16];

	scope.vars = asl_object();
	memset(&frame, 0, sizeof(frame));
	frame.input = scope.vars;
	frame.scope = &scope;
	frame.context = scope.vars;
	frame.uuid = no_uuid;
	/* that nothing is found in an empty input says nothing against it */
	if (path[0] != '$' ||
		(asl_evaluate(path, &frame, &error) == NULL && error.error != NULL &&
		 strcmp(error.error, "States.Runtime") != 0))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("\"%s\" is not a path", path),
				 errhint("Give a path into the input of the tasks, like $.lob.")));
}

/*
 * vouch.define_queue(queue text, max_concurrent int, max_per_key int,
 * key_path text, priority int, priority_path text, rate_per_second float8,
 * worker_role name)
 */
Datum
vouch_sql_define_queue(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	Datum		args[8];
	char		nulls[8];

	vouch_check_given(PG_ARGISNULL(0), "queue");
	check_queue(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	for (int i = 0; i < 7; i++)
	{
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
		args[i] = PG_GETARG_DATUM(i);
	}
	if ((!PG_ARGISNULL(1) && PG_GETARG_INT32(1) < 1) || (!PG_ARGISNULL(2) && PG_GETARG_INT32(2) < 1) ||
		(!PG_ARGISNULL(6) && !(PG_GETARG_FLOAT8(6) > 0)))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("a limit of queue \"%s\" is not positive", text_to_cstring(PG_GETARG_TEXT_PP(0))),
				 errhint("Leave a limit out (NULL) to have none; pause a workflow to hold it.")));
	if (!PG_ARGISNULL(3))
		check_path(text_to_cstring(PG_GETARG_TEXT_PP(3)));
	if (!PG_ARGISNULL(5))
		check_path(text_to_cstring(PG_GETARG_TEXT_PP(5)));
	if (!PG_ARGISNULL(2) && PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("max_per_key needs key_path"),
				 errhint("Say where the key of a task is in its input, like key_path => '$.lob'.")));
	if (PG_ARGISNULL(4))
	{
		args[4] = Int32GetDatum(0);
		nulls[4] = ' ';
	}
	nulls[7] = PG_ARGISNULL(7) ? 'n' : ' ';
	if (!PG_ARGISNULL(7))
	{
		(void) get_role_oid(NameStr(*PG_GETARG_NAME(7)), false);
		args[7] = CStringGetTextDatum(NameStr(*PG_GETARG_NAME(7)));
	}
	SPI_connect();
	MemoryContextSwitchTo(own);
	vouch_stmt_run(&upsert_queue, args, nulls);
	SPI_finish();
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------- polling */

typedef struct Poll
{
	char	   *queue;
	char	   *worker;
	Datum		lease;
	int			max;
	bool		limited;
	int			max_concurrent; /* 0: no limit; so for the others */
	int			max_per_key;
	double		rate;
	double		tokens;			/* what the rate leaves now */
	LOCKTAG		lock;
} Poll;

static void
check_worker(const char *queue, const char *role)
{
	Oid			oid = get_role_oid(role, true);

	if (!OidIsValid(oid) || !is_member_of_role(GetUserId(), oid))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ROLE_MISSING),
				 errmsg("tasks of queue \"%s\" are for members of role \"%s\"", queue, role),
				 errhint("GRANT %s TO %s, or change the queue with vouch.define_queue().",
						 quote_identifier(role), quote_identifier(GetUserNameFromId(GetUserId(), false)))));
}

/* The queue's limits; a queue that nobody defined has none. */
static void
read_settings(Poll *poll, TimestampTz now)
{
	Datum		args[1];
	bool		isnull;
	Datum		rate,
				tokens;
	char	   *role;

	poll->limited = false;
	args[0] = CStringGetTextDatum(poll->queue);
	if (vouch_stmt_run(&read_queue, args, NULL) == 0)
		return;
	poll->max_concurrent = vouch_stmt_get_int32(0, 1, 0);
	poll->max_per_key = vouch_stmt_get_int32(0, 2, 0);
	rate = vouch_stmt_get(0, 3, &isnull);
	poll->rate = isnull ? 0 : DatumGetFloat8(rate);
	tokens = vouch_stmt_get(0, 5, &isnull);
	/* at most a second's worth, or one task, is saved up */
	poll->tokens = Max(poll->rate, 1);
	if (!isnull)
		poll->tokens = Min(poll->tokens, DatumGetFloat8(tokens) +
						   poll->rate * (now - vouch_stmt_get_int64(0, 6, now)) / USECS_PER_SEC);
	poll->limited = poll->max_concurrent > 0 || poll->max_per_key > 0 || poll->rate > 0;
	role = vouch_stmt_get_text(0, 4);
	SPI_freetuptable(SPI_tuptable);
	if (role != NULL)
		check_worker(poll->queue, role);
}

static Datum
full_keys(Poll *poll)
{
	Datum		args[2];
	Datum	   *keys;
	uint64		n = 0;

	args[0] = CStringGetTextDatum(poll->queue);
	args[1] = Int32GetDatum(poll->max_per_key);
	if (poll->max_per_key > 0)
		n = vouch_stmt_run(&find_full, args, NULL);
	keys = palloc(sizeof(Datum) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
		keys[i] = CStringGetTextDatum(vouch_stmt_get_text(i, 1));
	return PointerGetDatum(construct_array(keys, (int) n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* What is kept of a token: whoever reads the table cannot end the task. */
static Datum
token_digest(const pg_uuid_t *token)
{
	VouchDigest digest;

	vouch_digest(&digest, token->data, UUID_LEN);
	return PointerGetDatum(vouch_digest_to_bytea(&digest));
}

/* Leases up to max tasks; how many.  Their rows go into the result. */
static int
lease(Poll *poll, int max, TimestampTz now, ReturnSetInfo *rsinfo)
{
	Datum		args[8];
	Datum	   *buckets,
			   *ids,
			   *tokens,
			   *digests;
	uint64		n;

	args[0] = CStringGetTextDatum(poll->queue);
	args[1] = Int64GetDatum(max);
	args[2] = TimestampTzGetDatum(now);
	args[3] = full_keys(poll);
	n = vouch_stmt_run(&find_offered, args, NULL);
	if (n == 0)
		return 0;
	buckets = palloc(sizeof(Datum) * n);
	ids = palloc(sizeof(Datum) * n);
	tokens = palloc(sizeof(Datum) * n);
	digests = palloc(sizeof(Datum) * n);
	for (uint64 i = 0; i < n; i++)
	{
		pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
		pg_uuid_t  *token = palloc(sizeof(pg_uuid_t));

		buckets[i] = vouch_stmt_get(i, 1, NULL);
		*id = *DatumGetUUIDP(vouch_stmt_get(i, 2, NULL));
		vouch_id_make_secret(token, DatumGetInt32(buckets[i]));
		ids[i] = UUIDPGetDatum(id);
		tokens[i] = UUIDPGetDatum(token);
		digests[i] = token_digest(token);
	}
	SPI_freetuptable(SPI_tuptable);
	args[0] = PointerGetDatum(construct_array(buckets, (int) n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	args[1] = PointerGetDatum(construct_array(ids, (int) n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	args[2] = PointerGetDatum(construct_array(tokens, (int) n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	args[3] = CStringGetTextDatum(poll->worker);
	args[4] = TimestampTzGetDatum(now);
	args[5] = poll->lease;
	args[6] = CStringGetTextDatum(vouch_actor_current());
	args[7] = PointerGetDatum(construct_array(digests, (int) n, BYTEAOID, -1, false, TYPALIGN_INT));
	n = vouch_stmt_run(&lease_tasks, args, NULL);
	for (uint64 i = 0; i < n; i++)
	{
		Datum		values[12];
		bool		nulls[12];

		for (int col = 0; col < 12; col++)
			values[col] = vouch_stmt_get(i, col + 1, &nulls[col]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		if (!nulls[8])
			vouch_rows_wake(vouch_stmt_get_text(i, 13), vouch_stmt_get_int32(i, 15, 0),
							DatumGetUUIDP(vouch_stmt_get(i, 14, NULL)), DatumGetTimestampTz(values[8]));
	}
	SPI_freetuptable(SPI_tuptable);
	return (int) n;
}

/*
 * One look.  Polls of a queue with limits come one after the other, so that
 * each counts what the one before has taken; a lock is kept only by who took
 * something.
 */
static int
look_once(Poll *poll, ReturnSetInfo *rsinfo)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum		args[3];
	int			max = poll->max;
	int			taken = 0;

	read_settings(poll, now);
	if (poll->limited)
	{
		SET_LOCKTAG_ADVISORY(poll->lock, MyDatabaseId, QUEUE_LOCK,
							 hash_bytes((unsigned char *) poll->queue, strlen(poll->queue)), 2);
		(void) LockAcquire(&poll->lock, ExclusiveLock, false, false);
		now = GetCurrentTimestamp();
		read_settings(poll, now);
	}
	args[0] = CStringGetTextDatum(poll->queue);
	args[1] = TimestampTzGetDatum(now);
	vouch_stmt_run(&offer_again, args, NULL);
	if (poll->max_concurrent > 0)
	{
		vouch_stmt_run_one(&count_leased, args, NULL);
		max = Min(max, poll->max_concurrent - vouch_stmt_get_int32(0, 1, 0));
	}
	if (poll->rate > 0)
		max = (int) Min(max, poll->tokens);
	if (max > 0 && poll->max_per_key == 0)
		taken = lease(poll, max, now, rsinfo);
	else
		while (taken < max && lease(poll, 1, now, rsinfo) == 1)
			taken++;
	if (taken > 0 && poll->rate > 0)
	{
		args[1] = Float8GetDatum(poll->tokens - taken);
		args[2] = TimestampTzGetDatum(now);
		vouch_stmt_run_one(&spend_tokens, args, NULL);
	}
	if (poll->limited && taken == 0)
		(void) LockRelease(&poll->lock, ExclusiveLock, false);
	return taken;
}

/* One look of a poll. */
typedef struct Look
{
	Poll	   *poll;
	ReturnSetInfo *rsinfo;
	int			taken;
} Look;

static bool
try_look(void *arg)
{
	Look	   *look = arg;

	look->taken = look_once(look->poll, look->rsinfo);
	return look->taken > 0;
}

/*
 * A look that takes nothing leaves nothing locked.  SKIP LOCKED may lock a row
 * that another poll has just taken before it sees that the row is not wanted any
 * more; kept for a long poll, that lock would keep the holder from its heartbeats.
 */
static int
look(Poll *poll, ReturnSetInfo *rsinfo)
{
	Look		one = {poll, rsinfo};
	ErrorData  *error = vouch_attempt(try_look, &one);

	if (error != NULL)
		ReThrowError(error);
	return one.taken;
}

static TimestampTz
after(Datum interval)
{
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												   TimestampTzGetDatum(GetCurrentTimestamp()), interval));
}

/*
 * vouch.poll_activity(queue text, worker text, lease interval, max_tasks int,
 * wait interval) returns the tasks that it leased
 */
Datum
vouch_sql_poll_activity(PG_FUNCTION_ARGS)
{
	static uint32 wait_event = 0;
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext own = CurrentMemoryContext;
	Poll		poll = {0};
	TimestampTz until;
	long		delay = WAIT_MIN_MS;

	for (int i = 0; i < 4; i++)
		vouch_check_given(PG_ARGISNULL(i), i == 0 ? "queue" : i == 1 ? "worker" : i == 2 ? "lease" : "max_tasks");
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("vouch.poll_activity() needs the isolation level READ COMMITTED"),
				 errhint("Call it in a transaction of its own.")));
	poll.queue = text_to_cstring(PG_GETARG_TEXT_PP(0));
	poll.worker = text_to_cstring(PG_GETARG_TEXT_PP(1));
	poll.lease = PG_GETARG_DATUM(2);
	poll.max = PG_GETARG_INT32(3);
	check_queue(poll.queue);
	if (poll.max < 1 || poll.max > MAX_TASKS || after(poll.lease) <= GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 poll.max < 1 || poll.max > MAX_TASKS ? errmsg("max_tasks cannot be %d", poll.max)
				 : errmsg("a lease has to last some time"),
				 errhint("Take 1 to %d tasks, for the time that one of them may take between two heartbeats.", MAX_TASKS)));
	until = PG_ARGISNULL(4) ? 0 : after(PG_GETARG_DATUM(4));
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	MemoryContextSwitchTo(own);
	while (look(&poll, rsinfo) == 0 && GetCurrentTimestamp() < until)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(delay, (until - GetCurrentTimestamp()) / 1000 + 1),
						 vouch_wait_event("VouchPollActivity", &wait_event));
		ResetLatch(MyLatch);
		/* a task for nobody would wait for the end of its lease */
		vouch_check_client();
		delay = Min(delay * 2, WAIT_MAX_MS);
	}
	SPI_finish();
	return (Datum) 0;
}

/* ------------------------------------------------------------------ outcomes */

static pg_noinline void
stale_token(const pg_uuid_t *token)
{
	ereport(ERROR,
			(errcode(VOUCH_ERR_TASK_TOKEN),
			 errmsg("task token \"%s\" is not valid", vouch_id_text(token)),
			 errdetail("The task has ended, its lease is over or went to another worker, or its workflow does not wait for it any more."),
			 errhint("Drop the work and poll for another task.")));
}

static int
token_bucket(const pg_uuid_t *token)
{
	VouchIdKind kind;
	int			bucket;

	if (!vouch_id_get(token, &kind, &bucket) || kind != VOUCH_ID_EVENT)
		stale_token(token);
	return bucket;
}

/* Who may work for the queue at all, may end its tasks. */
static void
check_queue_role(const char *queue)
{
	Poll		poll = {0};

	poll.queue = (char *) queue;
	read_settings(&poll, GetCurrentTimestamp());
}

/* vouch.heartbeat_activity(task_token uuid, details jsonb, lease interval) returns when the lease ends */
Datum
vouch_sql_heartbeat_activity(PG_FUNCTION_ARGS)
{
	MemoryContext own = CurrentMemoryContext;
	pg_uuid_t  *token;
	TimestampTz lease_until,
				heartbeat_until;
	Datum		args[6];
	char		nulls[6] = {' ', ' ', ' ', ' ', ' ', ' '};
	char	   *run_as,
			   *queue;
	pg_uuid_t	id;

	vouch_check_given(PG_ARGISNULL(0), "task_token");
	token = PG_GETARG_UUID_P(0);
	if (!PG_ARGISNULL(1))
		vouch_payload_check(PG_GETARG_JSONB_P(1), "what the heartbeat tells", NULL,
							"Keep large data in a table and pass its key.");
	args[0] = Int32GetDatum(token_bucket(token));
	args[1] = token_digest(token);
	args[2] = TimestampTzGetDatum(GetCurrentTimestamp());
	args[3] = PG_GETARG_DATUM(2);
	args[4] = PG_GETARG_DATUM(1);
	nulls[3] = PG_ARGISNULL(2) ? 'n' : ' ';
	nulls[4] = PG_ARGISNULL(1) ? 'n' : ' ';
	args[5] = CStringGetTextDatum(vouch_actor_current());
	SPI_connect();
	MemoryContextSwitchTo(own);
	if (vouch_stmt_run(&heartbeat, args, nulls) == 0)
		stale_token(token);
	lease_until = vouch_stmt_get_int64(0, 1, 0);
	heartbeat_until = vouch_stmt_get_int64(0, 2, 0);
	run_as = vouch_stmt_get_text(0, 3);
	id = *DatumGetUUIDP(vouch_stmt_get(0, 4, NULL));
	queue = vouch_stmt_get_text(0, 5);
	check_queue_role(queue);
	if (heartbeat_until != 0)
		vouch_rows_wake(run_as, DatumGetInt32(args[0]), &id, heartbeat_until);
	SPI_finish();
	PG_RETURN_TIMESTAMPTZ(lease_until);
}

static void
finish(const pg_uuid_t *token, const char *status, Jsonb *output, const char *error, const char *cause)
{
	MemoryContext own = CurrentMemoryContext;
	int			bucket = token_bucket(token);
	Datum		args[8];
	char		nulls[8] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
	pg_uuid_t	id;
	char	   *run_as,
			   *queue;

	args[0] = Int32GetDatum(bucket);
	args[1] = token_digest(token);
	args[2] = CStringGetTextDatum(status);
	if (output != NULL)
		args[3] = JsonbPGetDatum(output);
	else
		nulls[3] = 'n';
	if (error != NULL)
		args[4] = CStringGetTextDatum(error);
	else
		nulls[4] = 'n';
	if (cause != NULL)
		args[5] = CStringGetTextDatum(cause);
	else
		nulls[5] = 'n';
	args[6] = CStringGetTextDatum(vouch_actor_current());
	args[7] = TimestampTzGetDatum(GetCurrentTimestamp());
	SPI_connect();
	MemoryContextSwitchTo(own);
	if (vouch_stmt_run(&finish_task, args, nulls) == 0)
		stale_token(token);
	id = *DatumGetUUIDP(vouch_stmt_get(0, 1, NULL));
	run_as = vouch_stmt_get_text(0, 2);
	queue = vouch_stmt_get_text(0, 3);
	check_queue_role(queue);
	vouch_signal_try_or_nudge(bucket, &id, run_as);
	SPI_finish();
}

/* vouch.complete_activity(task_token uuid, output jsonb) */
Datum
vouch_sql_complete_activity(PG_FUNCTION_ARGS)
{
	Jsonb	   *output;

	vouch_check_given(PG_ARGISNULL(0), "task_token");
	output = PG_ARGISNULL(1) ? vouch_json_from_text("null") : PG_GETARG_JSONB_P(1);
	vouch_payload_check(output, "the output of the task", NULL,
						"Keep large data in a table and return its key, or fail the task with vouch.fail_activity().");
	finish(PG_GETARG_UUID_P(0), "completed", output, NULL, NULL);
	PG_RETURN_VOID();
}

/* vouch.fail_activity(task_token uuid, error text, cause text) */
Datum
vouch_sql_fail_activity(PG_FUNCTION_ARGS)
{
	char	   *error = PG_ARGISNULL(1) ? "States.TaskFailed" : text_to_cstring(PG_GETARG_TEXT_PP(1));

	vouch_check_given(PG_ARGISNULL(0), "task_token");
	vouch_fail_require_name(error);
	finish(PG_GETARG_UUID_P(0), "failed", NULL, error,
		   PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	PG_RETURN_VOID();
}
