/*
 * wait.c
 *	  Timers, signals and reviews: who waits, and whose wait is over.
 */
#include "postgres.h"

#include "asl/jsonb.h"
#include "catalog/pg_type.h"
#include "core/errors.h"
#include "core/event.h"
#include "core/id.h"
#include "core/json.h"
#include "core/stmt.h"
#include "engine/task.h"
#include "engine/until.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

static VouchStmt signal_names = {
	"SELECT DISTINCT name FROM vouch_data.signal"
	" WHERE bucket = $1 AND execution_id = $2 AND NOT consumed",
	SPI_OK_SELECT, 2, {INT4OID, UUIDOID}, .indexed = true
};

static VouchStmt consume_signal = {
	"UPDATE vouch_data.signal SET consumed = true"
	" WHERE bucket = $1 AND execution_id = $2 AND signal_id ="
	" (SELECT s.signal_id FROM vouch_data.signal s WHERE s.bucket = $1 AND s.execution_id = $2"
	"  AND s.name = $3 AND NOT s.consumed AND s.sent_at >= $4 ORDER BY s.signal_id LIMIT 1)"
	" RETURNING payload, sender",
	SPI_OK_UPDATE_RETURNING, 4, {INT4OID, UUIDOID, TEXTOID, TIMESTAMPTZOID}, .indexed = true
};

static VouchStmt pass_over_signals = {
	"UPDATE vouch_data.signal SET consumed = true"
	" WHERE bucket = $1 AND execution_id = $2 AND name = $3 AND NOT consumed AND sent_at < $4"
	" RETURNING sender, sent_at",
	SPI_OK_UPDATE_RETURNING, 4, {INT4OID, UUIDOID, TEXTOID, TIMESTAMPTZOID}, .indexed = true
};

static VouchStmt lock_artifact = {
	"SELECT 1 FROM vouch_data.artifact WHERE bucket = $1 AND artifact_no = $2 FOR NO KEY UPDATE",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

/* What time ended, nobody did: it goes on in the name of who submitted it. */
static VouchStmt read_version = {
	"SELECT v.state::text, coalesce(nullif(v.closed_by, '@deadline'), v.submitted_by, v.created_by), a.phase,"
	" (SELECT count(*)::int4 FROM vouch_data.approval_request q WHERE q.bucket = $1 AND q.artifact_no = $2"
	"  AND q.version_no = $3 AND q.state = 'returned'),"
	" (SELECT q.closed_by FROM vouch_data.approval_request q WHERE q.bucket = $1 AND q.artifact_no = $2"
	"  AND q.version_no = $3 AND q.state = 'returned' ORDER BY q.round DESC LIMIT 1), v.submitted_at"
	" FROM vouch_data.version v JOIN vouch_data.artifact a ON a.bucket = v.bucket AND a.artifact_no = v.artifact_no"
	" WHERE v.bucket = $1 AND v.artifact_no = $2 AND v.version_no = $3 AND a.bucket = $1",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID}, .indexed = true
};

/* Takes the oldest signal of that name, sent since then, for a branch; false when there is none. */
static bool
take_signal(VouchAdvance *adv, VouchBranch *b, const char *name, TimestampTz since)
{
	Datum		args[4];

	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = UUIDPGetDatum(&adv->execution.id);
	args[2] = CStringGetTextDatum(name);
	args[3] = TimestampTzGetDatum(since);
	if (vouch_stmt_run(&consume_signal, args, NULL) == 0)
		return false;
	b->result = asl_from_jsonb(DatumGetJsonbPCopy(vouch_stmt_get(0, 1, NULL)));
	b->actor = b->result_actor = vouch_stmt_get_text(0, 2);
	SPI_freetuptable(SPI_tuptable);
	return true;
}

static bool
is_awaited_elsewhere(VouchAdvance *adv, VouchBranch *b, const char *name)
{
	for (int i = 0; i < adv->nbranches; i++)
	{
		VouchBranch *other = adv->branches[i];

		if (other != b && !other->removed && other->status == VOUCH_BRANCH_WAITING &&
			other->wait_name != NULL && (other->wait == VOUCH_WAIT_SIGNAL || other->wait == VOUCH_WAIT_REVIEW) &&
			strcmp(other->wait_name, name) == 0)
			return true;
	}
	return false;
}

/*
 * A verdict by signal.  What was sent before the version was submitted is none
 * about it: nobody can have seen it.  Such signals are done with, so that they
 * are not taken for a later one, unless another branch waits for that name.
 */
static bool
take_verdict(VouchAdvance *adv, VouchBranch *b, const char *name, TimestampTz submitted_at)
{
	Datum		args[4];
	uint64		n;

	if (submitted_at == DT_NOEND)
		return false;
	if (!is_awaited_elsewhere(adv, b, name))
	{
		args[0] = Int32GetDatum(adv->execution.bucket);
		args[1] = UUIDPGetDatum(&adv->execution.id);
		args[2] = CStringGetTextDatum(name);
		args[3] = TimestampTzGetDatum(submitted_at);
		vouch_rows_load_data(adv, b);	/* it is written again, with its last event */
		n = vouch_stmt_run(&pass_over_signals, args, NULL);
		b->dirty = b->dirty || n > 0;
		for (uint64 i = 0; i < n; i++)
		{
			const AslValue *what = asl_object_put(asl_object(), "signal", asl_string(name));
			char	   *sender = vouch_stmt_get_text(i, 1);

			what = asl_object_put(what, "sentAt", asl_string(vouch_json_time_text(vouch_stmt_get_int64(i, 2, 0))));
			what = asl_object_put(what, "cause", asl_string("it was sent before the version was submitted"));
			vouch_history_add(adv, b, VOUCH_EV_SIGNAL_PASSED_OVER, NULL, what, sender);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	return take_signal(adv, b, name, submitted_at);
}

/*
 * Looks at the version of a review.  1: decided, or sent back since the wait
 * began, and the result is set; 0: open; -1: there is no such version.  A
 * draft that was sent back before the wait began is waited for: it will be
 * submitted again.  *submitted_at is DT_NOEND for a draft.
 */
static int
look_at_version(VouchBranch *b, const pg_uuid_t *id, bool entering, TimestampTz *submitted_at)
{
	int			bucket,
				artifact_no,
				version_no;
	Datum		args[3];
	int			returns;
	bool		returned;
	const char *state;
	char	   *phase;
	const AslValue *result;

	*submitted_at = DT_NOEND;
	if (!vouch_id_unpack_version(id, &bucket, &artifact_no, &version_no))
		return -1;
	args[0] = Int32GetDatum(bucket);
	args[1] = Int32GetDatum(artifact_no);
	args[2] = Int32GetDatum(version_no);
	if (vouch_stmt_run(&read_version, args, NULL) == 0)
		return -1;
	state = vouch_stmt_get_text(0, 1);
	if (strcmp(state, "draft") != 0)
		*submitted_at = vouch_stmt_get_int64(0, 6, DT_NOEND);
	returns = vouch_stmt_get_int32(0, 4, 0);
	returned = strcmp(state, "draft") == 0 && !entering && returns > b->returns;
	b->returns = returns;
	if (!returned && (strcmp(state, "draft") == 0 || strcmp(state, "pending_approval") == 0))
		return 0;
	if (returned)
		state = "returned";
	b->actor = b->result_actor = vouch_stmt_get_text(0, returned ? 5 : 2);
	phase = vouch_stmt_get_text(0, 3);
	SPI_freetuptable(SPI_tuptable);
	result = asl_object_put(asl_object(), "version_id", asl_string(vouch_id_text(id)));
	result = asl_object_put(result, "version_number", asl_int(version_no));
	result = asl_object_put(result, "phase", asl_string(phase));
	result = asl_object_put(result, "state", asl_string(state));
	b->result = asl_object_put(result, "decided_by", asl_string(b->actor));
	return 1;
}

static TimestampTz
timeout_at(const AslEntry *entry)
{
	return entry->timeout_seconds > 0
		? GetCurrentTimestamp() + entry->timeout_seconds * USECS_PER_SEC : 0;
}

static const char *
text_of(const AslValue *payload, const char *key)
{
	const AslValue *v = asl_get(payload, key);

	return v != NULL && v->type == ASL_STRING ? v->u.string.data : NULL;
}

static void
bad_parameters(VouchBranch *b, const char *cause)
{
	b->failure.error = "Vouch.BadParameters";
	b->failure.cause = cause;
	b->resume = VOUCH_RESUME_FAILURE;
}

/* vouch:signal.  The branch is being run: a result makes it go on at once. */
void
vouch_wait_signal(VouchAdvance *adv, VouchBranch *b, const AslEntry *entry)
{
	const char *name = text_of(entry->payload, "Signal");

	if (name == NULL)
		name = text_of(entry->payload, "SignalName");
	if (name == NULL)
		bad_parameters(b, "vouch:signal needs the name of the signal: \"Parameters\": {\"Signal\": \"name\"}");
	else if (take_signal(adv, b, name, DT_NOBEGIN))
		b->resume = VOUCH_RESUME_RESULT;
	else
	{
		b->wait_name = name;
		vouch_advance_park(adv, b, VOUCH_WAIT_SIGNAL, timeout_at(entry));
	}
}

/*
 * vouch:review.  The artifact's lock makes sure that whoever decides the
 * version either did so before we look, or sees that we wait.
 */
void
vouch_wait_review(VouchAdvance *adv, VouchBranch *b, const AslEntry *entry)
{
	const char *signal = text_of(entry->payload, "Signal");
	const char *text = text_of(entry->payload, "VersionId");
	pg_uuid_t	id;
	int			bucket,
				artifact_no,
				version_no;
	Datum		args[2];
	TimestampTz submitted_at;
	int			found = -1;

	if (text != NULL && strspn(text, "0123456789abcdefABCDEF-") == strlen(text) && strlen(text) == 36)
	{
		id = *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(text)));
		if (vouch_id_unpack_version(&id, &bucket, &artifact_no, &version_no))
		{
			args[0] = Int32GetDatum(bucket);
			args[1] = Int32GetDatum(artifact_no);
			vouch_stmt_run(&lock_artifact, args, NULL);
			found = look_at_version(b, &id, true, &submitted_at);
		}
	}
	if (found < 0)
		bad_parameters(b, text == NULL
					   ? "vouch:review needs the id of a version: \"Parameters\": {\"VersionId.$\": \"$.version_id\"}"
					   : psprintf("there is no version \"%s\"", text));
	else if (found > 0 || (signal != NULL && take_verdict(adv, b, signal, submitted_at)))
		b->resume = VOUCH_RESUME_RESULT;
	else
	{
		b->wait_name = signal;
		b->wait_id = id;
		b->has_wait_id = true;
		vouch_advance_park(adv, b, VOUCH_WAIT_REVIEW, timeout_at(entry));
	}
}

/* Names of the signals that nobody has taken yet. */
static int
waiting_signals(VouchAdvance *adv, char ***names)
{
	Datum		args[2];
	uint64		n;

	args[0] = Int32GetDatum(adv->execution.bucket);
	args[1] = UUIDPGetDatum(&adv->execution.id);
	n = vouch_stmt_run(&signal_names, args, NULL);
	*names = palloc(sizeof(char *) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
		(*names)[i] = vouch_stmt_get_text(i, 1);
	return (int) n;
}

static bool
is_among(char **names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/*
 * Finds the branches whose wait is over.  What is there wins over a timeout
 * that is due as well.
 */
void
vouch_wait_wake(VouchAdvance *adv)
{
	int			n = adv->nbranches;
	bool		any_child = false;
	bool		any_task = false;
	int			nnames = -1;
	char	  **names = NULL;

	for (int i = 0; i < n; i++)
	{
		VouchBranch *b = adv->branches[i];
		TimestampTz submitted_at = DT_NOBEGIN;
		bool		decided;

		if (b->status != VOUCH_BRANCH_WAITING)
			continue;
		any_child |= b->wait == VOUCH_WAIT_CHILD;
		any_task |= b->wait == VOUCH_WAIT_ACTIVITY;
		decided = b->wait == VOUCH_WAIT_REVIEW && look_at_version(b, &b->wait_id, false, &submitted_at) > 0;
		if (b->wait_name != NULL && (b->wait == VOUCH_WAIT_SIGNAL || b->wait == VOUCH_WAIT_REVIEW))
		{
			if (nnames < 0)
				nnames = waiting_signals(adv, &names);
			if (is_among(names, nnames, b->wait_name) &&
				(b->wait == VOUCH_WAIT_REVIEW ? take_verdict(adv, b, b->wait_name, submitted_at)
				 : take_signal(adv, b, b->wait_name, submitted_at)))
			{
				vouch_advance_ready(adv, b, VOUCH_RESUME_RESULT);
				continue;
			}
		}
		if (b->wait == VOUCH_WAIT_UNTIL && adv->nudged)
		{
			vouch_until_again(adv, b);
			continue;
		}
		if (decided)
			vouch_advance_ready(adv, b, VOUCH_RESUME_RESULT);
	}
	if (any_child)
		vouch_child_wake(adv);
	if (any_task)
		vouch_task_wake(adv);
	for (int i = 0; i < n; i++)
	{
		VouchBranch *b = adv->branches[i];

		if (b->status != VOUCH_BRANCH_WAITING || b->due_at == 0 || b->due_at > adv->started)
			continue;
		switch (b->wait)
		{
			case VOUCH_WAIT_TIMER:
				vouch_advance_ready(adv, b, VOUCH_RESUME_TIMER);
				break;
			case VOUCH_WAIT_RETRY:
				vouch_advance_ready(adv, b, VOUCH_RESUME_RETRY);
				break;
			case VOUCH_WAIT_CHILD:
				vouch_child_close_all(adv, &b->no, 1);
				/* FALLTHROUGH */
			case VOUCH_WAIT_ACTIVITY:
				vouch_task_forget(adv, b);
				/* FALLTHROUGH */
			case VOUCH_WAIT_SIGNAL:
			case VOUCH_WAIT_REVIEW:
				b->failure = asl_timeout_error(false);
				vouch_advance_ready(adv, b, VOUCH_RESUME_FAILURE);
				break;
			case VOUCH_WAIT_UNTIL:
				vouch_until_again(adv, b);
				break;
			case VOUCH_WAIT_JOIN:
			case VOUCH_WAIT_NONE:
				break;
		}
	}
}
