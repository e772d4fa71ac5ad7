/*
 * verify.c
 *	  Computes again all that can be computed of an artifact, and compares.
 *
 * Nothing stored is taken for true because something else that is stored
 * agrees: the log's leaves come from its rows, payload hashes from payloads,
 * states and digests from the log.  All of it in the snapshot of the
 * statement that called us, so what others do meanwhile makes no false alarm.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/json.h"
#include "core/stmt.h"
#include "funcapi.h"
#include "ledger/ledger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "version/content.h"
#include "version/version.h"

VOUCH_FUNCTION(vouch_sql_verify);

static VouchStmt list_artifacts = {
	"SELECT bucket, artifact_no, subject, phase, scope, last_no, item_no, body_no FROM vouch_data.artifact"
	" ORDER BY subject, phase, scope",
	SPI_OK_SELECT, 0, {0}
};

static VouchStmt list_artifacts_of = {
	"SELECT bucket, artifact_no, subject, phase, scope, last_no, item_no, body_no FROM vouch_data.artifact"
	" WHERE bucket = vouch.bucket($1) AND subject = $1 ORDER BY phase, scope",
	SPI_OK_SELECT, 1, {TEXTOID}, .indexed = true
};

static VouchStmt list_versions = {
	"SELECT version_no, state::text, content_digest FROM vouch_data.version"
	" WHERE bucket = $1 AND artifact_no = $2 ORDER BY version_no",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

static VouchStmt list_bodies = {
	"SELECT body_no, payload, body_hash FROM vouch_data.item_body"
	" WHERE bucket = $1 AND artifact_no = $2 ORDER BY body_no",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

static VouchStmt list_ranges = {
	"SELECT d.item_no, d.stage, d.from_no, d.to_no, i.item_key, b.body_no IS NOT NULL, v.version_no IS NOT NULL,"
	" d.to_no = 2147483647 OR e.version_no IS NOT NULL"
	" FROM vouch_data.decision d"
	" LEFT JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = d.item_no"
	" LEFT JOIN vouch_data.item_body b ON b.bucket = $1 AND b.artifact_no = $2 AND b.body_no = d.body_no"
	" LEFT JOIN vouch_data.version v ON v.bucket = $1 AND v.artifact_no = $2 AND v.version_no = d.from_no"
	" LEFT JOIN vouch_data.version e ON e.bucket = $1 AND e.artifact_no = $2 AND e.version_no = d.to_no"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 ORDER BY d.item_no, d.stage, d.from_no",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .hashed = true
};

static VouchStmt compare_counts = {
	"WITH real AS (SELECT d.stage, d.status, d.source, COALESCE(d.origin_no, d.from_no) < $3 AS carried,"
	"   d.recommended_by, count(*) AS n"
	"  FROM vouch_data.decision d"
	"  WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.from_no <= $3 AND d.to_no > $3 GROUP BY 1, 2, 3, 4, 5),"
	" kept AS (SELECT s.stage, s.status, s.source, s.carried, s.items FROM vouch_data.version_stat s"
	"  WHERE s.bucket = $1 AND s.artifact_no = $2 AND s.version_no = $3),"
	" makers AS (SELECT c.actor, c.items FROM vouch_data.version_contributor c"
	"  WHERE c.bucket = $1 AND c.artifact_no = $2 AND c.version_no = $3)"
	" SELECT concat_ws(' ', status::text, source, CASE WHEN carried THEN 'carried' END), COALESCE(r.n, 0), COALESCE(k.items, 0)"
	" FROM (SELECT x.stage, x.status, x.source, x.carried, sum(x.n)::int8 AS n FROM real x GROUP BY 1, 2, 3, 4) r"
	" FULL JOIN kept k USING (stage, status, source, carried) WHERE COALESCE(r.n, 0) <> COALESCE(k.items, 0)"
	" UNION ALL"
	" SELECT concat('by ', actor), COALESCE(r.n, 0), COALESCE(m.items, 0)"
	" FROM (SELECT x.recommended_by AS actor, sum(x.n)::int8 AS n FROM real x WHERE x.stage = 1 GROUP BY 1) r"
	" FULL JOIN makers m USING (actor) WHERE COALESCE(r.n, 0) <> COALESCE(m.items, 0)"
	" ORDER BY 1",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, INT4OID}, .hashed = true
};

typedef struct Artifact
{
	int			bucket;
	int			artifact_no;
	char	   *subject;
	char	   *phase;
	char	   *scope;
	int			last_no;
	int			item_no;
	int			body_no;
} Artifact;

/* What the log says of a version. */
typedef struct Logged
{
	const char *state;			/* NULL: never made; "": discarded */
	bool		submitted;
	VouchDigest content;
	bool		closed;
	VouchDigest shown;
} Logged;

typedef struct VerifyState
{
	ReturnSetInfo *rsinfo;
	Artifact   *artifact;
	Logged	   *logged;			/* by version number, up to last_no */
	VouchCheck	check;
	MemoryContext scratch;
	/* of list_ranges */
	int			item_no;
	int			stage;
	int			to_no;
} VerifyState;

static Datum
column(TupleTableSlot *slot, int col)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, col, &isnull);

	return isnull ? (Datum) 0 : value;
}

static char *
column_text(TupleTableSlot *slot, int col)
{
	Datum		value = column(slot, col);

	return value == (Datum) 0 ? NULL : TextDatumGetCString(value);
}

static bool
same_digest(Datum stored, const VouchDigest *digest)
{
	bytea	   *bytes;

	if (stored == (Datum) 0)
		return false;
	bytes = DatumGetByteaPP(stored);
	return VARSIZE_ANY_EXHDR(bytes) == VOUCH_DIGEST_LEN &&
		memcmp(VARDATA_ANY(bytes), digest->bytes, VOUCH_DIGEST_LEN) == 0;
}

/* Writes one row of the result, and clears the check for the next. */
static void
report(VerifyState *state, const char *name)
{
	Artifact   *artifact = state->artifact;
	Datum		values[8];
	bool		nulls[8] = {false};

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(artifact->subject);
	values[2] = CStringGetTextDatum(artifact->phase);
	values[3] = CStringGetTextDatum(artifact->scope);
	values[4] = BoolGetDatum(state->check.first_bad == NULL);
	values[5] = Int64GetDatum(state->check.checked);
	nulls[6] = state->check.first_bad == NULL;
	values[6] = nulls[6] ? (Datum) 0 : CStringGetTextDatum(state->check.first_bad);
	nulls[7] = state->check.detail == NULL;
	values[7] = nulls[7] ? (Datum) 0 : CStringGetTextDatum(state->check.detail);
	tuplestore_putvalues(state->rsinfo->setResult, state->rsinfo->setDesc, values, nulls);
	memset(&state->check, 0, sizeof(state->check));
}

/* operations: what the log says of each version is noted on the way */

static void
note_operation(int op_no, const VouchOperation *op, void *arg)
{
	VerifyState *state = arg;
	Logged	   *logged;

	if (op->version_no < 1 || op->version_no > state->artifact->last_no || op->rule == NULL ||
		op->error != NULL)
		return;
	logged = &state->logged[op->version_no];
	for (const VouchTransition *t = vouch_version_machine.transitions; t->rule != NULL; t++)
	{
		if (strcmp(t->rule, op->rule) != 0)
			continue;
		if (strcmp(logged->state == NULL ? "" : logged->state, t->state) != 0)
			vouch_check_fail(&state->check, psprintf("operation %d", op_no),
							 psprintf("Rule %s does not apply to version %d in state %s.", t->rule, op->version_no,
									  logged->state == NULL ? "none" : logged->state));
		logged->state = t->next;
		if (strcmp(t->event, "submit") == 0 && op->items_root != NULL)
		{
			logged->submitted = true;
			logged->content = *op->items_root;
		}
		else if (strcmp(t->event, "return") == 0)
			logged->submitted = false;
		else if ((strcmp(t->event, "approve") == 0 || strcmp(t->event, "reject") == 0 ||
				  strcmp(t->event, "withdraw") == 0) && op->items_root != NULL)
		{
			logged->closed = true;
			logged->shown = *op->items_root;
		}
	}
}

/* states: the versions as the log left them, no more and no fewer */

static void
check_state(TupleTableSlot *slot, void *arg)
{
	VerifyState *state = arg;
	int			version_no = DatumGetInt32(column(slot, 1));
	char	   *stored = column_text(slot, 2);
	Logged	   *logged;

	state->check.checked++;
	if (version_no < 1 || version_no > state->artifact->last_no ||
		(logged = &state->logged[version_no])->state == NULL || logged->state[0] == '\0')
	{
		vouch_check_fail(&state->check, psprintf("version %d", version_no),
						 pstrdup("The log does not know it."));
		return;
	}
	if (strcmp(stored, logged->state) != 0)
		vouch_check_fail(&state->check, psprintf("version %d", version_no),
						 psprintf("It is in state %s; the log led it to %s.", stored, logged->state));
	if (logged->submitted ? !same_digest(column(slot, 3), &logged->content) : column(slot, 3) != (Datum) 0)
		vouch_check_fail(&state->check, psprintf("version %d", version_no),
						 pstrdup("Its content digest is not the one that the log has."));
	logged->state = "";			/* seen */
}

static void
check_states(VerifyState *state)
{
	Artifact   *artifact = state->artifact;
	Datum		args[2] = {Int32GetDatum(artifact->bucket), Int32GetDatum(artifact->artifact_no)};

	vouch_stmt_scan(&list_versions, args, NULL, false, check_state, state);
	for (int i = 1; i <= artifact->last_no; i++)
		if (state->logged[i].state != NULL && state->logged[i].state[0] != '\0')
			vouch_check_fail(&state->check, psprintf("version %d", i),
							 psprintf("The log made it, and left it %s, but it is not there.", state->logged[i].state));
	report(state, "states");
}

/* payloads */

static void
check_body(TupleTableSlot *slot, void *arg)
{
	VerifyState *state = arg;
	MemoryContext old = MemoryContextSwitchTo(state->scratch);
	Jsonb	   *payload = DatumGetJsonbP(column(slot, 2));
	char	   *text = vouch_json_to_text(payload);
	VouchDigest digest;
	bool		good;

	vouch_digest(&digest, text, strlen(text));
	good = same_digest(column(slot, 3), &digest);
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);
	state->check.checked++;
	if (!good)
		vouch_check_fail(&state->check, psprintf("payload %d", DatumGetInt32(column(slot, 1))),
						 pstrdup("It does not give its hash."));
}

/* digests */

static void
check_digests(VerifyState *state)
{
	Artifact   *artifact = state->artifact;

	for (int i = 1; i <= artifact->last_no; i++)
	{
		Logged	   *logged = &state->logged[i];
		VouchDigest digest;

		CHECK_FOR_INTERRUPTS();
		if (logged->submitted)
		{
			vouch_content_digest(artifact->bucket, artifact->artifact_no, i, false, false, &digest);
			state->check.checked++;
			if (memcmp(&digest, &logged->content, sizeof(digest)) != 0)
				vouch_check_fail(&state->check, psprintf("version %d", i),
								 pstrdup("Its items are not the ones that were submitted."));
		}
		if (logged->closed)
		{
			vouch_content_digest(artifact->bucket, artifact->artifact_no, i, true, false, &digest);
			state->check.checked++;
			if (memcmp(&digest, &logged->shown, sizeof(digest)) != 0)
				vouch_check_fail(&state->check, psprintf("version %d", i),
								 pstrdup("Its items or their verdicts are not the ones with which it was closed."));
		}
	}
	report(state, "digests");
}

/* ranges */

static void
check_range(TupleTableSlot *slot, void *arg)
{
	VerifyState *state = arg;
	int			item_no = DatumGetInt32(column(slot, 1));
	int			stage = DatumGetInt16(column(slot, 2));
	int			from_no = DatumGetInt32(column(slot, 3));
	int			to_no = DatumGetInt32(column(slot, 4));
	char	   *what = NULL;

	state->check.checked++;
	if (column(slot, 5) == (Datum) 0)
		what = pstrdup("The item has no identity.");
	else if (!DatumGetBool(column(slot, 6)))
		what = psprintf("Its row from version %d has no payload.", from_no);
	else if (!DatumGetBool(column(slot, 7)))
		what = psprintf("Its row starts at version %d, which does not exist.", from_no);
	else if (!DatumGetBool(column(slot, 8)))
		what = psprintf("Its row from version %d ends at version %d, which does not exist.", from_no, to_no);
	else if (item_no == state->item_no && stage == state->stage && from_no < state->to_no)
		what = psprintf("Its row from version %d begins before the one before ends.", from_no);
	else if (item_no > state->artifact->item_no)
		what = pstrdup("Its number was never given out.");
	if (what != NULL)
	{
		char	   *key = column_text(slot, 5);

		vouch_check_fail(&state->check, key != NULL ? psprintf("item \"%s\"", key) : psprintf("item %d", item_no),
						 what);
	}
	state->item_no = item_no;
	state->stage = stage;
	state->to_no = to_no;
}

/* counts */

typedef struct CountState
{
	VerifyState *state;
	int			version_no;
} CountState;

static void
bad_count(TupleTableSlot *slot, void *arg)
{
	CountState *count = arg;

	vouch_check_fail(&count->state->check, psprintf("version %d", count->version_no),
					 psprintf("It has %lld items %s; the counter says %lld.",
							  (long long) DatumGetInt64(column(slot, 2)), column_text(slot, 1),
							  (long long) DatumGetInt64(column(slot, 3))));
}

static void
collect_number(TupleTableSlot *slot, void *arg)
{
	List	  **list = arg;

	*list = lappend_int(*list, DatumGetInt32(column(slot, 1)));
}

static void
check_counts(VerifyState *state)
{
	Datum		args[3] = {Int32GetDatum(state->artifact->bucket), Int32GetDatum(state->artifact->artifact_no)};
	List	   *versions = NIL;
	ListCell   *cell;

	vouch_stmt_scan(&list_versions, args, NULL, false, collect_number, &versions);
	foreach(cell, versions)
	{
		CountState	count = {state, lfirst_int(cell)};

		CHECK_FOR_INTERRUPTS();
		args[2] = Int32GetDatum(count.version_no);
		vouch_stmt_scan(&compare_counts, args, NULL, false, bad_count, &count);
		state->check.checked++;
	}
	report(state, "counts");
}

static void
verify_artifact(VerifyState *state)
{
	Artifact   *artifact = state->artifact;
	Datum		args[2] = {Int32GetDatum(artifact->bucket), Int32GetDatum(artifact->artifact_no)};

	memset(&state->check, 0, sizeof(state->check));
	state->logged = palloc_extended(sizeof(Logged) * (artifact->last_no + 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	vouch_ledger_verify(artifact->bucket, artifact->artifact_no, &state->check, note_operation, state);
	report(state, "operations");
	if (artifact->last_no == 0)
		return;
	check_digests(state);
	check_states(state);
	vouch_stmt_scan(&list_bodies, args, NULL, false, check_body, state);
	report(state, "payloads");
	state->item_no = 0;
	vouch_stmt_scan(&list_ranges, args, NULL, false, check_range, state);
	report(state, "ranges");
	check_counts(state);
	if (vouch_check_approvals_hook != NULL)
	{
		vouch_check_approvals_hook(artifact->bucket, artifact->artifact_no, &state->check);
		report(state, "approvals");
	}
	pfree(state->logged);
}

static void
collect_artifact(TupleTableSlot *slot, void *arg)
{
	List	  **list = arg;
	Artifact   *artifact = palloc(sizeof(Artifact));

	artifact->bucket = DatumGetInt32(column(slot, 1));
	artifact->artifact_no = DatumGetInt32(column(slot, 2));
	artifact->subject = column_text(slot, 3);
	artifact->phase = column_text(slot, 4);
	artifact->scope = column_text(slot, 5);
	artifact->last_no = DatumGetInt32(column(slot, 6));
	artifact->item_no = DatumGetInt32(column(slot, 7));
	artifact->body_no = DatumGetInt32(column(slot, 8));
	*list = lappend(*list, artifact);
}

/* vouch.verify(subject) */
Datum
vouch_sql_verify(PG_FUNCTION_ARGS)
{
	VerifyState state = {0};
	List	   *artifacts = NIL;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	state.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	SPI_connect();
	state.scratch = AllocSetContextCreate(CurrentMemoryContext, "vouch verify", ALLOCSET_DEFAULT_SIZES);
	if (PG_ARGISNULL(0))
		vouch_stmt_scan(&list_artifacts, NULL, NULL, false, collect_artifact, &artifacts);
	else
	{
		Datum		args[1] = {PG_GETARG_DATUM(0)};

		vouch_stmt_scan(&list_artifacts_of, args, NULL, false, collect_artifact, &artifacts);
		if (artifacts == NIL)
			ereport(ERROR,
					(errcode(VOUCH_ERR_ARGUMENT),
					 errmsg("nothing is kept of subject \"%s\"", text_to_cstring(PG_GETARG_TEXT_PP(0))),
					 errhint("The subject of cycle 7 of report 3 is cycle-7-report-3; leave subject out to check everything.")));
	}
	foreach(cell, artifacts)
	{
		state.artifact = lfirst(cell);
		vouch_stmt_expect_rows(state.artifact->item_no);
		verify_artifact(&state);
	}
	SPI_finish();
	return (Datum) 0;
}
