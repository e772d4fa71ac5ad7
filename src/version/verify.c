/*
 * verify.c
 *	  Computes again what the log says of artifacts and their versions, and compares.
 *
 * Nothing stored is taken for true because something else that is stored
 * agrees: the log's leaves come from its rows, payload hashes from payloads,
 * states and digests from the log.  All that is checked here, and in
 * verify_items.c, is read in the snapshot of the statement that called us, so what
 * others do meanwhile makes no false alarm.  Approvals (approval/verify.c)
 * load requests as signing does, by statements with snapshots of their own: what
 * others did meanwhile they see, and they look a second time before they call it wrong.
 * What versions show, items and verdicts, is in verify_items.c.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/attempt.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "core/stmt.h"
#include "funcapi.h"
#include "ledger/ledger.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "version/content.h"
#include "version/items.h"
#include "version/verify.h"
#include "version/version.h"

VOUCH_FUNCTION(vouch_sql_verify);

static VouchStmt list_artifacts = {
	"SELECT bucket, artifact_no, subject, phase, scope, last_no, item_no, body_no, head_no FROM vouch_data.artifact"
	" ORDER BY subject, phase, scope",
	SPI_OK_SELECT, 0, {0}
};

static VouchStmt list_artifacts_of = {
	"SELECT bucket, artifact_no, subject, phase, scope, last_no, item_no, body_no, head_no FROM vouch_data.artifact"
	" WHERE bucket = vouch.bucket($1) AND subject = $1 ORDER BY phase, scope",
	SPI_OK_SELECT, 1, {TEXTOID}, .indexed = true
};

/* What there is of an artifact, whatever its own row says. */
static VouchStmt find_extent = {
	"SELECT (SELECT max(v.version_no) FROM vouch_data.version v WHERE v.bucket = $1 AND v.artifact_no = $2),"
	" (SELECT max(i.item_no) FROM vouch_data.item i WHERE i.bucket = $1 AND i.artifact_no = $2),"
	" (SELECT max(b.body_no) FROM vouch_data.item_body b WHERE b.bucket = $1 AND b.artifact_no = $2),"
	" EXISTS (SELECT FROM vouch_data.decision d WHERE d.bucket = $1 AND d.artifact_no = $2),"
	" (SELECT min(x.version_no) FROM (SELECT s.version_no FROM vouch_data.version_stat s WHERE s.bucket = $1 AND s.artifact_no = $2"
	"   UNION SELECT c.version_no FROM vouch_data.version_contributor c WHERE c.bucket = $1 AND c.artifact_no = $2"
	"   UNION SELECT r.version_no FROM vouch_data.approval_request r WHERE r.bucket = $1 AND r.artifact_no = $2"
	"   UNION SELECT g.version_no FROM vouch_data.signature g WHERE g.bucket = $1 AND g.artifact_no = $2"
	"   UNION SELECT e.version_no FROM vouch_data.version_ended e WHERE e.bucket = $1 AND e.artifact_no = $2"
	"   EXCEPT SELECT v.version_no FROM vouch_data.version v WHERE v.bucket = $1 AND v.artifact_no = $2) x)",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

/* The artifacts that rows of buckets $1 to $2 belong to, by skipping through the keys, and whether they exist. */
#define OWNERS(table) \
	"SELECT '" table "', n.bucket, n.artifact_no," \
	" EXISTS (SELECT FROM vouch_data.artifact a WHERE a.bucket = n.bucket AND a.artifact_no = n.artifact_no)" \
	" FROM (WITH RECURSIVE k AS (" \
	"(SELECT x.bucket, x.artifact_no FROM vouch_data." table " x WHERE x.bucket BETWEEN $1 AND $2 ORDER BY 1, 2 LIMIT 1)" \
	" UNION ALL SELECT m.bucket, m.artifact_no FROM k, LATERAL (" \
	"SELECT x.bucket, x.artifact_no FROM vouch_data." table " x" \
	" WHERE (x.bucket, x.artifact_no) > (k.bucket, k.artifact_no) AND x.bucket <= $2 ORDER BY 1, 2 LIMIT 1) m)" \
	" SELECT * FROM k) n"

static VouchStmt list_owners = {
	OWNERS("version") " UNION ALL " OWNERS("item") " UNION ALL " OWNERS("item_body") " UNION ALL "
	OWNERS("decision") " UNION ALL " OWNERS("version_ended") " UNION ALL " OWNERS("version_stat") " UNION ALL " OWNERS("version_contributor") " UNION ALL "
	OWNERS("operation") " UNION ALL " OWNERS("approval_request") " UNION ALL " OWNERS("signature"),
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

/*
 * What a version's row says, against its operations: $3 are the rules that
 * make a version, $4 submit it, $5 close it, $6 supersede it.
 */
static VouchStmt compare_facts = {
	"WITH o AS MATERIALIZED (SELECT * FROM vouch_data.operation"
	"  WHERE bucket = $1 AND artifact_no = $2 AND error IS NULL AND rule = ANY ($3 || $4 || $5 || $6)),"
	" made AS (SELECT DISTINCT ON (version_no) * FROM o WHERE rule = ANY ($3) ORDER BY version_no, op_no),"
	" submitted AS (SELECT DISTINCT ON (version_no) *, count(*) OVER (PARTITION BY version_no) AS n"
	"  FROM o WHERE rule = ANY ($4) ORDER BY version_no, op_no DESC),"
	" closed AS (SELECT DISTINCT ON (version_no) * FROM o WHERE rule = ANY ($5) ORDER BY version_no, op_no DESC),"
	" superseded AS (SELECT DISTINCT ON (version_no) * FROM o WHERE rule = ANY ($6) ORDER BY version_no, op_no DESC),"
	" wrong AS (SELECT v.version_no, concat_ws(', ',"
	"  CASE WHEN v.created_by IS DISTINCT FROM m.actor THEN 'created_by' END,"
	"  CASE WHEN v.created_at IS DISTINCT FROM m.at THEN 'created_at' END,"
	"  CASE WHEN v.parent_no::text IS DISTINCT FROM m.detail->>'parent' THEN 'parent_no' END,"
	"  CASE WHEN v.carry IS DISTINCT FROM m.detail->>'carry' THEN 'carry' END,"
	"  CASE WHEN v.reason IS DISTINCT FROM m.detail->>'reason' THEN 'reason' END,"
	"  CASE WHEN v.metadata IS DISTINCT FROM COALESCE(m.detail->'metadata', '{}') THEN 'metadata' END,"
	"  CASE WHEN v.workflow_id IS DISTINCT FROM m.workflow_id THEN 'workflow_id' END,"
	"  CASE WHEN v.execution_id IS DISTINCT FROM m.execution_id THEN 'execution_id' END,"
	"  CASE WHEN v.activity IS DISTINCT FROM m.activity THEN 'activity' END,"
	"  CASE WHEN v.attempt IS DISTINCT FROM m.attempt THEN 'attempt' END,"
	"  CASE WHEN v.round IS DISTINCT FROM COALESCE(s.n, 0) THEN 'round' END,"
	"  CASE WHEN v.submitted_by IS DISTINCT FROM s.actor THEN 'submitted_by' END,"
	"  CASE WHEN v.submitted_at IS DISTINCT FROM s.at THEN 'submitted_at' END,"
	"  CASE WHEN v.closed_by IS DISTINCT FROM c.actor THEN 'closed_by' END,"
	"  CASE WHEN v.closed_at IS DISTINCT FROM c.at THEN 'closed_at' END,"
	"  CASE WHEN v.close_reason IS DISTINCT FROM c.detail->>'reason' THEN 'close_reason' END,"
	"  CASE WHEN v.superseded_by::text IS DISTINCT FROM u.detail->>'superseded_by' THEN 'superseded_by' END,"
	"  CASE WHEN v.superseded_at IS DISTINCT FROM u.at THEN 'superseded_at' END) AS what"
	"  FROM vouch_data.version v LEFT JOIN made m USING (version_no) LEFT JOIN submitted s USING (version_no)"
	"  LEFT JOIN closed c USING (version_no) LEFT JOIN superseded u USING (version_no)"
	"  WHERE v.bucket = $1 AND v.artifact_no = $2)"
	" SELECT version_no, what FROM wrong WHERE what <> '' ORDER BY version_no",
	SPI_OK_SELECT, 6, {INT4OID, INT4OID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID}, .hashed = true
};

static VouchStmt list_versions = {
	"SELECT version_no, state::text, content_digest FROM vouch_data.version"
	" WHERE bucket = $1 AND artifact_no = $2 ORDER BY version_no",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

static const char *const level_names[] = {"blocks", "log", "content", "everything"};

Datum
vouch_verify_column(TupleTableSlot *slot, int col)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, col, &isnull);

	return isnull ? (Datum) 0 : value;
}

char *
vouch_verify_text(TupleTableSlot *slot, int col)
{
	Datum		value = vouch_verify_column(slot, col);

	return value == (Datum) 0 ? NULL : TextDatumGetCString(value);
}

bool
vouch_verify_same(Datum stored, const VouchDigest *digest)
{
	bytea	   *bytes;

	if (stored == (Datum) 0)
		return false;
	bytes = DatumGetByteaPP(stored);
	return VARSIZE_ANY_EXHDR(bytes) == VOUCH_DIGEST_LEN &&
		memcmp(VARDATA_ANY(bytes), digest->bytes, VOUCH_DIGEST_LEN) == 0;
}

/* Writes one row of the result. */
static void
report(VouchVerify *state, const char *name)
{
	VouchVerifyArtifact *artifact = state->artifact;
	Datum		values[8];
	bool		nulls[8] = {false};

	values[0] = CStringGetTextDatum(name);
	nulls[1] = nulls[2] = nulls[3] = artifact == NULL;
	if (artifact != NULL)
	{
		values[1] = CStringGetTextDatum(artifact->subject);
		values[2] = CStringGetTextDatum(artifact->phase);
		values[3] = CStringGetTextDatum(artifact->scope);
	}
	values[4] = BoolGetDatum(state->check.first_bad == NULL);
	values[5] = Int64GetDatum(state->check.checked);
	nulls[6] = state->check.first_bad == NULL;
	values[6] = nulls[6] ? (Datum) 0 : CStringGetTextDatum(state->check.first_bad);
	nulls[7] = state->check.detail == NULL;
	values[7] = nulls[7] ? (Datum) 0 : CStringGetTextDatum(state->check.detail);
	tuplestore_putvalues(state->rsinfo->setResult, state->rsinfo->setDesc, values, nulls);
}

/* A check to be made. */
typedef struct Check
{
	VouchVerify *state;
	void		(*step) (VouchVerify *);
} Check;

static bool
make_check(void *arg)
{
	const Check *check = arg;

	check->step(check->state);
	return true;
}

/*
 * Makes one check and reports it.  Rows that somebody has damaged may be such
 * that our own code raises an error over them: then that is the finding, and
 * the other checks and the other artifacts are still reported.  Returns
 * whether the check came to its end.
 */
static bool
run_check(VouchVerify *state, void (*step) (VouchVerify *), const char *name)
{
	Check		check = {state, step};
	ErrorData  *error;

	memset(&state->check, 0, sizeof(state->check));
	error = vouch_attempt(make_check, &check);
	if (error != NULL)
	{
		if (vouch_error_is_passing(error))
			ReThrowError(error);
		vouch_check_fail(&state->check,
						 state->check.version_no > 0 ? psprintf("version %d", state->check.version_no) :
						 pstrdup(state->artifact == NULL || state->artifact->phase[0] == '\0' ? name : "artifact"),
						 psprintf("It cannot be read: %s.", error->message));
	}
	report(state, name);
	return error == NULL;
}

/* The rules of some events of a version, as a text[]; the last name is NULL. */
Datum
vouch_verify_rules(const char *event,...)
{
	Datum		rules[64];
	int			n = 0;
	va_list		events;

	va_start(events, event);
	for (; event != NULL; event = va_arg(events, const char *))
		for (const VouchTransition *t = vouch_version_machine.transitions; t->rule != NULL; t++)
			if (strcmp(t->event, event) == 0 && n < lengthof(rules))
				rules[n++] = CStringGetTextDatum(t->rule);
	va_end(events);
	return vouch_array(rules, n, TEXTOID);
}

/* operations: what the log says of each version is noted on the way */

static void
note_operation(int op_no, const VouchOperation *op, void *arg)
{
	VouchVerify *state = arg;
	VouchVerifyLogged *logged;
	bool		found;

	if (op->version_no < 1 || op->rule == NULL || op->error != NULL)
		return;
	logged = hash_search(state->logged, &op->version_no, HASH_ENTER, &found);
	if (!found)
		memset((char *) logged + sizeof(int), 0, sizeof(VouchVerifyLogged) - sizeof(int));
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
				  strcmp(t->event, "withdraw") == 0 || strcmp(t->event, "expire") == 0) && op->items_root != NULL)
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
	VouchVerify *state = arg;
	int			version_no = DatumGetInt32(vouch_verify_column(slot, 1));
	char	   *stored = vouch_verify_text(slot, 2);
	VouchVerifyLogged *logged;

	state->check.checked++;
	logged = hash_search(state->logged, &version_no, HASH_FIND, NULL);
	if (logged == NULL || logged->state == NULL || logged->state[0] == '\0')
	{
		vouch_check_fail(&state->check, psprintf("version %d", version_no),
						 pstrdup("The log does not know it."));
		return;
	}
	if (strcmp(stored, logged->state) != 0)
		vouch_check_fail(&state->check, psprintf("version %d", version_no),
						 psprintf("It is in state %s; the log led it to %s.", stored, logged->state));
	if (logged->submitted ? !vouch_verify_same(vouch_verify_column(slot, 3), &logged->content) : vouch_verify_column(slot, 3) != (Datum) 0)
		vouch_check_fail(&state->check, psprintf("version %d", version_no),
						 pstrdup("Its content digest is not the one that the log has."));
	logged->state = "";			/* seen */
}

static void
bad_fact(TupleTableSlot *slot, void *arg)
{
	VouchVerify *state = arg;

	vouch_check_fail(&state->check, psprintf("version %d", DatumGetInt32(vouch_verify_column(slot, 1))),
					 psprintf("The log has another %s.", vouch_verify_text(slot, 2)));
}

static void
check_states(VouchVerify *state)
{
	VouchVerifyArtifact *artifact = state->artifact;
	const VouchVerifyExtent *extent = &state->extent;
	Datum		args[6] = {Int32GetDatum(artifact->bucket), Int32GetDatum(artifact->artifact_no),
	vouch_verify_rules("create", NULL), vouch_verify_rules("submit", NULL), vouch_verify_rules("approve", "reject", "withdraw", "expire", NULL),
	vouch_verify_rules("supersede", NULL)};
	int			last = state->nversions == 0 ? 0 : state->versions[state->nversions - 1]->version_no;

	vouch_stmt_scan(&list_versions, args, NULL, false, check_state, state);
	for (long i = 0; i < state->nversions; i++)
	{
		VouchVerifyLogged *logged = state->versions[i];

		if (logged->state != NULL && logged->state[0] != '\0')
			vouch_check_fail(&state->check, psprintf("version %d", logged->version_no),
							 psprintf("The log made it, and left it %s, but it is not there.", logged->state));
	}
	vouch_stmt_scan(&compare_facts, args, NULL, false, bad_fact, state);
	if (state->unread != NULL)
		ReThrowError(state->unread);
	if (extent->stray_version != 0)
		vouch_check_fail(&state->check, psprintf("version %d", extent->stray_version),
						 pstrdup("It is counted, contributed to or signed, but it is not there."));
	if (artifact->last_no != Max(last, extent->version_no) || artifact->head_no != extent->version_no)
		vouch_check_fail(&state->check, pstrdup("artifact"),
						 psprintf("Its newest version is %d and the last number given out %d; it says %d and %d.",
								  extent->version_no, Max(last, extent->version_no),
								  artifact->head_no, artifact->last_no));
}

/* digests */

static void
check_digests(VouchVerify *state)
{
	VouchVerifyArtifact *artifact = state->artifact;

	for (long n = 0; n < state->nversions; n++)
	{
		VouchVerifyLogged *logged = state->versions[n];
		int			i = logged->version_no;
		VouchDigest digest;

		CHECK_FOR_INTERRUPTS();
		state->check.version_no = i;
		if (logged->submitted)
		{
			vouch_content_digest(artifact->bucket, artifact->artifact_no, i, false, false, &digest);
			state->check.checked++;
			if (memcmp(&digest, &logged->content, sizeof(digest)) != 0)
				vouch_check_fail(&state->check, psprintf("version %d", i),
								 pstrdup("Its items or its metadata are not the ones that were submitted."));
		}
		if (logged->closed)
		{
			vouch_content_digest(artifact->bucket, artifact->artifact_no, i, true, false, &digest);
			state->check.checked++;
			if (memcmp(&digest, &logged->shown, sizeof(digest)) != 0)
				vouch_check_fail(&state->check, psprintf("version %d", i),
								 pstrdup("Its items, their verdicts or its metadata are not the ones with which it was closed."));
		}
	}
}

static void
read_extent(TupleTableSlot *slot, void *arg)
{
	VouchVerifyExtent *extent = arg;

	extent->version_no = DatumGetInt32(vouch_verify_column(slot, 1));
	extent->item_no = DatumGetInt32(vouch_verify_column(slot, 2));
	extent->body_no = DatumGetInt32(vouch_verify_column(slot, 3));
	extent->stray_version = DatumGetInt32(vouch_verify_column(slot, 5));
	extent->any = extent->version_no != 0 || extent->item_no != 0 || extent->body_no != 0 ||
		extent->stray_version != 0 || DatumGetBool(vouch_verify_column(slot, 4));
}

static bool
find_what_is_there(void *arg)
{
	VouchVerify *state = arg;
	Datum		args[2] = {Int32GetDatum(state->artifact->bucket), Int32GetDatum(state->artifact->artifact_no)};

	vouch_stmt_scan(&find_extent, args, NULL, false, read_extent, &state->extent);
	return true;
}

static int
compare_logged(const void *a, const void *b)
{
	int			x = (*(VouchVerifyLogged *const *) a)->version_no;
	int			y = (*(VouchVerifyLogged *const *) b)->version_no;

	return (x > y) - (x < y);
}

static void
check_operations(VouchVerify *state)
{
	VouchVerifyArtifact *artifact = state->artifact;


	vouch_ledger_verify(artifact->bucket, artifact->artifact_no, &state->check, note_operation, state);
	if (state->check.checked == 0)
		vouch_check_fail(&state->check, pstrdup("operation 1"), pstrdup("Nothing is in the log of what exists."));
	if (artifact->bucket != vouch_id_bucket(artifact->subject, strlen(artifact->subject)))
		vouch_check_fail(&state->check, pstrdup("artifact"), pstrdup("It is not in the bucket of its subject."));
}

static void
check_approvals(VouchVerify *state)
{
	vouch_check_approvals_hook(state->artifact->bucket, state->artifact->artifact_no, &state->check, &state->approvals);
}

static void
verify_artifact(VouchVerify *state)
{
	VouchVerifyArtifact *artifact = state->artifact;
	HASHCTL		ctl = {0};
	HASH_SEQ_STATUS seq;
	VouchVerifyLogged *logged;
	long		n = 0;

	memset(&state->extent, 0, sizeof(VouchVerifyExtent));
	ctl.keysize = sizeof(int);
	ctl.entrysize = sizeof(VouchVerifyLogged);
	ctl.hcxt = CurrentMemoryContext;
	state->logged = hash_create("vouch logged versions", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	/* what the log says is what all else is compared with */
	if (!run_check(state, check_operations, "operations") || state->level < LEVEL_CONTENT)
		return;
	state->unread = vouch_attempt(find_what_is_there, state);
	if (state->unread != NULL && vouch_error_is_passing(state->unread))
		ReThrowError(state->unread);
	state->nversions = hash_get_num_entries(state->logged);
	if (state->nversions == 0 && artifact->last_no == 0 && artifact->head_no == 0 && !state->extent.any &&
		state->unread == NULL)
		return;					/* a phase that only records */
	state->versions = palloc_extended(sizeof(VouchVerifyLogged *) * Max(state->nversions, 1), MCXT_ALLOC_HUGE);
	hash_seq_init(&seq, state->logged);
	while ((logged = hash_seq_search(&seq)) != NULL)
		state->versions[n++] = logged;
	qsort(state->versions, n, sizeof(VouchVerifyLogged *), compare_logged);
	(void) run_check(state, check_digests, "digests");
	(void) run_check(state, check_states, "states");
	(void) run_check(state, vouch_verify_payloads, "payloads");
	if (state->level == LEVEL_EVERYTHING)
	{
		(void) run_check(state, vouch_verify_ranges, "ranges");
		(void) run_check(state, vouch_verify_verdicts, "verdicts");
		(void) run_check(state, vouch_verify_counts, "counts");
	}
	if (state->level == LEVEL_EVERYTHING && vouch_check_approvals_hook != NULL)
		(void) run_check(state, check_approvals, "approvals");
}

/* artifacts: all that there are of what is asked for, and whose rows there are, exists */

static void
check_owner(TupleTableSlot *slot, void *arg)
{
	VouchVerify *state = arg;

	state->check.checked++;
	if (DatumGetBool(vouch_verify_column(slot, 4)))
		return;
	vouch_check_fail(&state->check, psprintf("artifact %d of bucket %d", DatumGetInt32(vouch_verify_column(slot, 3)),
											 DatumGetInt32(vouch_verify_column(slot, 2))),
					 psprintf("Table %s has rows of it, but it is not there.", vouch_verify_text(slot, 1)));
}

static void
collect_artifact(TupleTableSlot *slot, void *arg)
{
	VouchVerify *state = arg;
	VouchVerifyArtifact *artifact = palloc(sizeof(VouchVerifyArtifact));

	artifact->bucket = DatumGetInt32(vouch_verify_column(slot, 1));
	artifact->artifact_no = DatumGetInt32(vouch_verify_column(slot, 2));
	artifact->subject = vouch_verify_text(slot, 3);
	artifact->phase = vouch_verify_text(slot, 4);
	artifact->scope = vouch_verify_text(slot, 5);
	artifact->last_no = DatumGetInt32(vouch_verify_column(slot, 6));
	artifact->item_no = DatumGetInt32(vouch_verify_column(slot, 7));
	artifact->body_no = DatumGetInt32(vouch_verify_column(slot, 8));
	artifact->head_no = DatumGetInt32(vouch_verify_column(slot, 9));
	state->artifacts = lappend(state->artifacts, artifact);
}

/* Of a subject and its bucket, or of all. */
static void
check_artifacts(VouchVerify *state)
{
	Datum		subject[1] = {PointerGetDatum(state->subject)};
	bool		all = state->subject == NULL;
	int			bucket = all ? 0 : vouch_id_bucket(VARDATA_ANY(state->subject), VARSIZE_ANY_EXHDR(state->subject));
	Datum		buckets[2] = {Int32GetDatum(all ? PG_INT32_MIN : bucket), Int32GetDatum(all ? PG_INT32_MAX : bucket)};

	vouch_stmt_scan(all ? &list_artifacts : &list_artifacts_of, subject, NULL, false, collect_artifact, state);
	vouch_stmt_scan(&list_owners, buckets, NULL, false, check_owner, state);
}

static VouchVerifyLevel
level_of(text *name)
{
	for (int i = 0; name != NULL && i < lengthof(level_names); i++)
		if (pg_strcasecmp(text_to_cstring(name), level_names[i]) == 0)
			return (VouchVerifyLevel) i;
	ereport(ERROR,
			(errcode(VOUCH_ERR_ARGUMENT),
			 errmsg("there is no level \"%s\" of verification", name == NULL ? "null" : text_to_cstring(name)),
			 errhint("Levels are blocks, log, content and everything; each does what those before it do, and more.")));
	return LEVEL_EVERYTHING;	/* not reached */
}

static void
check_blocks(VouchVerify *state)
{
	vouch_blocks_verify(state->subject, &state->check);
}

/* vouch.verify(subject, level) */
Datum
vouch_sql_verify(PG_FUNCTION_ARGS)
{
	VouchVerify state = {0};
	VouchVerifyArtifact all = {0};
	ListCell   *cell;
	char	   *subject;

	state.subject = PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0);
	state.level = level_of(PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1));
	subject = state.subject == NULL ? NULL : text_to_cstring(state.subject);
	InitMaterializedSRF(fcinfo, 0);
	state.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	SPI_connect();
	state.approvals.context = CurrentMemoryContext;
	state.scratch = AllocSetContextCreate(CurrentMemoryContext, "vouch verify", ALLOCSET_DEFAULT_SIZES);

	/*
	 * The blocks are about everybody's operations.  For one subject they are only
	 * looked at when asked for: there may be millions of them.
	 */
	if (state.level == LEVEL_BLOCKS || subject == NULL)
		(void) run_check(&state, check_blocks, "blocks");
	if (state.level > LEVEL_BLOCKS)
	{
		all.subject = subject == NULL ? pstrdup("") : subject;
		all.phase = all.scope = pstrdup("");
		state.artifact = &all;
		(void) run_check(&state, check_artifacts, "artifacts");
		if (subject != NULL && state.artifacts == NIL && state.check.first_bad == NULL)
			ereport(ERROR,
					(errcode(VOUCH_ERR_ARGUMENT),
					 errmsg("nothing is kept of subject \"%.*s\"", pg_mbcliplen(subject, strlen(subject), 80), subject),
					 errdetail("No version, record or operation has it."),
					 errhint("The subject of cycle 7 of report 3 is cycle-7-report-3; leave subject out to check everything.")));
	}
	foreach(cell, state.artifacts)
	{
		state.artifact = lfirst(cell);
		vouch_stmt_expect_rows(state.artifact->item_no);
		/* what one needs is given back before the next */
		SPI_connect();
		verify_artifact(&state);
		SPI_finish();
	}
	SPI_finish();
	return (Datum) 0;
}
