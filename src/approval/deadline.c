/*
 * deadline.c
 *	  What time does to open requests: it reminds, lets others sign, and ends
 *	  them.  It never approves.
 *
 * Each open request notes when there is something to do, under an index; who
 * looks (a dispatcher at its sweeps, or whoever calls vouch.process_deadlines())
 * reads what is due and no more.  Whose artifact somebody else has is left for
 * the next time: nobody is waited for.
 */
#include "postgres.h"

#include "approval/request.h"
#include "approval/deadline.h"
#include "catalog/pg_type.h"
#include "core/attempt.h"
#include "core/compat.h"
#include "core/id.h"
#include "core/json.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "miscadmin.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_process_deadlines);

/*
 * So many requests are seen to in a transaction: each keeps its artifact locked until the end, and has
 * a subtransaction, of which more than 64 slow down every snapshot of the server.
 */
#define BATCH 50

/* Among so many that are due: others may have the artifacts of the first. */
#define LOOK_AT 1000

/* What fails is tried again after this. */
#define TRY_AGAIN (15 * USECS_PER_MINUTE)

/* Whose act it is when time ends something: a name that no role of the server may easily have. */
#define ACTOR_DEADLINE "@deadline"

static VouchStmt find_due = {
	"SELECT bucket, artifact_no, version_no FROM vouch_data.approval_request"
	" WHERE state = 'open' AND next_at <= $1 ORDER BY next_at LIMIT $2",
	SPI_OK_SELECT, 2, {TIMESTAMPTZOID, INT8OID}
};

static VouchStmt find_next = {
	"SELECT next_at FROM vouch_data.approval_request"
	" WHERE state = 'open' AND next_at > $1 ORDER BY next_at LIMIT 1",
	SPI_OK_SELECT, 1, {TIMESTAMPTZOID}
};

static VouchStmt try_artifact = {
	"SELECT 1 FROM vouch_data.artifact WHERE bucket = $1 AND artifact_no = $2 FOR NO KEY UPDATE SKIP LOCKED",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

static VouchStmt set_next = {
	"UPDATE vouch_data.approval_request SET next_at = $5"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND round = $4 AND state = 'open'",
	SPI_OK_UPDATE, 5, {INT4OID, INT4OID, INT4OID, INT4OID, TIMESTAMPTZOID},
	.indexed = true, .guarded = true
};

static VouchStmt postpone_request = {
	"UPDATE vouch_data.approval_request SET next_at = $4"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND state = 'open'",
	SPI_OK_UPDATE, 4, {INT4OID, INT4OID, INT4OID, TIMESTAMPTZOID},
	.indexed = true, .guarded = true
};

static VouchStmt last_reminder = {
	"SELECT max(due_at) FILTER (WHERE kind = 'reminder'), coalesce(max(reminder_no), 0),"
	" coalesce(bool_or(kind = 'overdue' AND due_at = $6), false), coalesce(bool_or(kind = 'escalation' AND due_at = $7), false)"
	" FROM vouch_data.reminder"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND round = $4 AND stage_no = $5",
	SPI_OK_SELECT, 7, {INT4OID, INT4OID, INT4OID, INT4OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}, .indexed = true
};

static VouchStmt insert_reminder = {
	"INSERT INTO vouch_data.reminder (bucket, artifact_no, version_no, round, stage_no, reminder_no, due_at, reminded_at, roles, people, kind)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
	SPI_OK_INSERT, 11, {INT4OID, INT4OID, INT4OID, INT4OID, INT4OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	TEXTARRAYOID, TEXTARRAYOID, TEXTOID},
	.indexed = true, .guarded = true
};

bool
vouch_policy_is_timed(const VouchPolicy *policy)
{
	for (int i = 0; i < policy->nstages; i++)
		if (policy->stages[i].remind_every >= 0 || policy->stages[i].expire_after >= 0 ||
			policy->stages[i].due >= 0 || policy->stages[i].escalate_to != NULL)
			return true;
	return false;
}

static void
key_args(const VouchRequest *request, Datum *args)
{
	args[0] = Int32GetDatum(request->version->bucket);
	args[1] = Int32GetDatum(request->version->artifact_no);
	args[2] = Int32GetDatum(request->version->version_no);
	args[3] = Int32GetDatum(request->round);
}

/* When time has something to say of a stage; 0: never. */
typedef struct Notices
{
	int			last_no;		/* of those that were written */
	TimestampTz reminder;
	TimestampTz overdue;		/* once each, for each time that the stage opens */
	TimestampTz escalation;
} Notices;

/* A stage that opened anew begins anew. */
static Notices
next_notices(const VouchRequest *request, const VouchStageResult *stage)
{
	Notices		next = {0};
	TimestampTz last;
	Datum		args[7];
	bool		isnull;

	if (!stage->open || stage->satisfied ||
		(stage->stage->remind_every < 0 && stage->due_at == 0 && stage->escalates_at == 0))
		return next;
	key_args(request, args);
	args[4] = Int32GetDatum(stage->stage->stage_no);
	args[5] = TimestampTzGetDatum(stage->due_at);
	args[6] = TimestampTzGetDatum(stage->escalates_at);
	vouch_stmt_run_one(&last_reminder, args, NULL);
	last = DatumGetTimestampTz(vouch_stmt_get(0, 1, &isnull));
	next.last_no = vouch_stmt_get_int32(0, 2, 0);
	if (stage->stage->remind_every >= 0)
		next.reminder = (isnull || last < stage->opened_at ? stage->opened_at : last) + stage->stage->remind_every;
	if (!vouch_stmt_get_bool(0, 3, false))
		next.overdue = stage->due_at;
	if (!vouch_stmt_get_bool(0, 4, false))
		next.escalation = stage->escalates_at;
	return next;
}

static TimestampTz
earlier(TimestampTz a, TimestampTz b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static TimestampTz
runs_out_at(const VouchPolicy *policy, const VouchSigned *s)
{
	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
		{
			const VouchRule *rule = &policy->stages[i].rules[r];

			if (policy->stages[i].stage_no == s->stage_no && rule->rule_no == s->rule_no)
				return rule->ttl < 0 || s->verdict != VOUCH_SIGN_APPROVE ? 0 : s->signed_at + rule->ttl;
		}
	return 0;
}

void
vouch_request_schedule(VouchRequest *request)
{
	const VouchPolicy *policy = request->rights->policy;
	TimestampTz next = 0;
	Datum		args[5];
	char		nulls[5] = {' ', ' ', ' ', ' ', ' '};

	if (!vouch_policy_is_timed(policy))
		return;
	for (int i = 0; i < policy->nstages; i++)
	{
		const VouchStageResult *stage = &request->evaluation->stages[i];
		Notices		notices = next_notices(request, stage);

		next = earlier(next, stage->expires_at);
		next = earlier(next, notices.reminder);
		next = earlier(next, notices.overdue);
		next = earlier(next, notices.escalation);
	}
	/* When a signature runs out, its stage is open again, with the time that it has. */
	for (int i = 0; i < request->input.nsigned; i++)
		if (request->input.signatures[i].counts)
			next = earlier(next, runs_out_at(policy, &request->input.signatures[i]));
	if (next == request->next_at)
		return;
	key_args(request, args);
	args[4] = TimestampTzGetDatum(next);
	nulls[4] = next == 0 ? 'n' : ' ';
	(void) vouch_stmt_run(&set_next, args, nulls);
	request->next_at = next;
}

/* ---- at the time ------------------------------------------------------------------ */

static void
log_notice(const VouchRequest *request, const VouchStageResult *stage, const char *event, int no,
		   const char **roles, int nroles, const char **people, int npeople)
{
	VouchOperation op = {0};
	VouchJsonBuild detail;

	vouch_json_begin(&detail);
	vouch_json_put_int(&detail, "round", request->round);
	vouch_json_put_text(&detail, "stage", stage->stage->name);
	vouch_json_put_int(&detail, "reminder", no);
	vouch_json_put(&detail, "roles", vouch_json_strings(roles, nroles));
	vouch_json_put(&detail, "people", vouch_json_strings(people, npeople));
	op.bucket = request->version->bucket;
	op.artifact_no = request->version->artifact_no;
	op.version_no = request->version->version_no;
	op.operation = event;
	op.rule = vouch_request_transition(request->state, event)->rule;
	op.actor = ACTOR_DEADLINE;
	op.detail = vouch_json_end(&detail);
	(void) vouch_ledger_append(&op);
}

static void
add_once(const char **list, int *n, const char *what)
{
	for (int i = 0; i < *n; i++)
		if (strcmp(list[i], what) == 0)
			return;
	list[(*n)++] = what;
}

/* Writes one; only_role: it concerns those who may sign as that only. */
static void
give_notice(const VouchRequest *request, const VouchStageResult *stage, const char *kind, const char *event,
			int no, TimestampTz due, const char *only_role, TimestampTz now)
{
	const char **roles,
			  **people;
	int			nroles = 0,
				npeople = 0,
				max = 0;
	Datum		args[11];

	for (int r = 0; r < stage->stage->nrules; r++)
		max += stage->rules[r].ncandidates;
	roles = palloc(sizeof(char *) * stage->stage->nrules);
	people = palloc(sizeof(char *) * Max(max, 1));
	for (int r = 0; r < stage->stage->nrules; r++)
	{
		const VouchRuleResult *rule = &stage->rules[r];

		if (rule->satisfied)
			continue;
		add_once(roles, &nroles, only_role ? only_role : rule->rule->role);
		for (int c = 0; c < rule->ncandidates; c++)
			if (rule->candidates[c].why == VOUCH_WHY_CAN &&
				(only_role == NULL || strcmp(rule->candidates[c].role, only_role) == 0))
				add_once(people, &npeople, rule->candidates[c].actor);
	}
	key_args(request, args);
	args[4] = Int32GetDatum(stage->stage->stage_no);
	args[5] = Int32GetDatum(no);
	args[6] = TimestampTzGetDatum(due);
	args[7] = TimestampTzGetDatum(now);
	args[8] = vouch_text_array(roles, nroles);
	args[9] = vouch_text_array(people, npeople);
	args[10] = CStringGetTextDatum(kind);
	(void) vouch_stmt_run(&insert_reminder, args, NULL);
	log_notice(request, stage, event, no, roles, nroles, people, npeople);
}

/* Writes what is due to be said of a stage; reminders that were missed are not made up for. */
static void
give_notices(const VouchRequest *request, const VouchStageResult *stage, TimestampTz now)
{
	Notices		next = next_notices(request, stage);
	int64		every = stage->stage->remind_every;

	if (next.escalation != 0 && next.escalation <= now)
		give_notice(request, stage, "escalation", "escalate", ++next.last_no, next.escalation,
					stage->stage->escalate_to, now);
	if (next.overdue != 0 && next.overdue <= now)
		give_notice(request, stage, "overdue", "overdue", ++next.last_no, next.overdue, NULL, now);
	if (next.reminder != 0 && next.reminder <= now)
		give_notice(request, stage, "reminder", "remind", ++next.last_no,
					next.reminder + (now - next.reminder) / every * every, NULL, now);
}

static char *
expired_stages(const VouchRequest *request, TimestampTz now)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < request->rights->policy->nstages; i++)
	{
		const VouchStageResult *stage = &request->evaluation->stages[i];

		if (stage->expires_at != 0 && stage->expires_at <= now)
			appendStringInfo(&buf, "%s\"%s\"", buf.len > 0 ? ", " : "", stage->stage->name);
	}
	return psprintf("Not signed in time: stage %s.", buf.data);
}

typedef struct Due
{
	int			bucket;
	int			artifact_no;
	int			version_no;
} Due;

typedef enum Came
{
	CAME_LEFT,					/* somebody else has its artifact */
	CAME_FOR_NOTHING,			/* somebody was quicker, or it could not be done now */
	CAME_DONE,
	CAME_FAILED
} Came;

static bool
try_lock(const Due *due)
{
	Datum		args[2] = {Int32GetDatum(due->bucket), Int32GetDatum(due->artifact_no)};

	return vouch_stmt_run(&try_artifact, args, NULL) > 0;
}

/* Does what is due for one request. */
static Came
process_one(const Due *due)
{
	pg_uuid_t	id;
	VouchRequest *request;
	TimestampTz now;

	if (!try_lock(due))
		return CAME_LEFT;
	vouch_id_pack_version(&id, due->bucket, due->artifact_no, due->version_no);
	now = GetCurrentTimestamp();
	request = vouch_request_load(vouch_version_lock(&id), NULL, NULL, now);
	if (!request->input.open)
		return CAME_FOR_NOTHING;
	if (request->evaluation->outcome == VOUCH_OUTCOME_EXPIRED)
	{
		vouch_request_close(request, "expire", ACTOR_DEADLINE, NULL, expired_stages(request, now), now);
		return CAME_DONE;
	}
	for (int i = 0; i < request->rights->policy->nstages; i++)
		give_notices(request, &request->evaluation->stages[i], now);
	vouch_request_schedule(request);
	return CAME_DONE;
}

/* What failed goes behind the others. */
static Came
postpone_one(const Due *due)
{
	Datum		args[4] = {Int32GetDatum(due->bucket), Int32GetDatum(due->artifact_no), Int32GetDatum(due->version_no),
	TimestampTzGetDatum(GetCurrentTimestamp() + TRY_AGAIN)};

	if (!try_lock(due))
		return CAME_LEFT;
	(void) vouch_stmt_run(&postpone_request, args, NULL);
	return CAME_DONE;
}

/* A request, and what is done with it. */
typedef struct Trial
{
	const Due  *due;
	Came		(*step) (const Due *);
	Came		came;
} Trial;

static bool
try_step(void *arg)
{
	Trial	   *trial = arg;

	SPI_connect();
	trial->came = trial->step(trial->due);
	SPI_finish();
	return true;
}

/*
 * What fails is said in the server's log, and does not hold up the others.  An
 * error that will pass is no fault of the request, which is not to wait for it: that ends a call by
 * somebody; the workers, who have other things to do than to fail, look at the request again with the next one.
 */
static Came
try_one(Came (*step) (const Due *), const Due *due, bool by_worker)
{
	Trial		trial = {due, step};
	ErrorData  *error = vouch_attempt(try_step, &trial);
	bool		passing;

	if (error == NULL)
		return trial.came;
	passing = vouch_error_is_passing(error);
	if (passing && (!by_worker || error->sqlerrcode == ERRCODE_QUERY_CANCELED))
		ReThrowError(error);
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("could not process the deadlines of a request: %s", error->message),
			 errdetail("It is version %d of artifact %d in bucket %d.", due->version_no, due->artifact_no, due->bucket),
			 passing ? errhint("It is tried again soon.") :
			 errhint("It is tried again in %d minutes.", (int) (TRY_AGAIN / USECS_PER_MINUTE))));
	FreeErrorData(error);
	return passing ? CAME_FOR_NOTHING : CAME_FAILED;
}

int
vouch_deadlines_process(int max, TimestampTz *next_due)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum		args[2] = {TimestampTzGetDatum(now), Int64GetDatum(LOOK_AT)};
	int			done = 0;
	int			tried = 0;
	int			i = 0;
	int			n;
	Due		   *due;

	max = Min(max, BATCH);
	SPI_connect();
	n = max > 0 ? (int) vouch_stmt_run(&find_due, args, NULL) : 0;
	due = palloc(sizeof(Due) * Max(n, 1));
	for (int d = 0; d < n; d++)
	{
		due[d].bucket = vouch_stmt_get_int32(d, 1, 0);
		due[d].artifact_no = vouch_stmt_get_int32(d, 2, 0);
		due[d].version_no = vouch_stmt_get_int32(d, 3, 0);
	}
	for (; i < n && tried < max; i++)
	{
		Came		came;

		CHECK_FOR_INTERRUPTS();
		came = try_one(process_one, &due[i], next_due != NULL);
		if (came == CAME_FAILED)
			(void) try_one(postpone_one, &due[i], next_due != NULL);
		if (came == CAME_DONE)
			done++;
		if (came != CAME_LEFT)
			tried++;
	}
	if (next_due != NULL && i < n)
		*next_due = now;
	else if (next_due != NULL)
		*next_due = vouch_stmt_run(&find_next, args, NULL) > 0 ? vouch_stmt_get_int64(0, 1, DT_NOEND) : DT_NOEND;
	SPI_finish();
	return done;
}

/* vouch.process_deadlines(max int) returns int */
Datum
vouch_sql_process_deadlines(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(vouch_deadlines_process(PG_ARGISNULL(0) ? BATCH : Max(PG_GETARG_INT32(0), 0), NULL));
}
