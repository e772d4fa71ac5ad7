/*
 * verify.c
 *	  Computes again all that can be computed of an artifact, and compares.
 *
 * Nothing stored is taken for true because something else that is stored
 * agrees: the log's leaves come from its rows, payload hashes from payloads,
 * states and digests from the log.  All of it in the snapshot of the
 * statement that called us, so what others do meanwhile makes no false alarm.
 *
 * One file because each check reads what the one before it has loaded of an artifact.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "core/stmt.h"
#include "funcapi.h"
#include "ledger/ledger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "version/content.h"
#include "version/items.h"
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
	OWNERS("decision") " UNION ALL " OWNERS("version_stat") " UNION ALL " OWNERS("version_contributor") " UNION ALL "
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

/*
 * Verdicts with the operation that decided them: $3 are the rules that decide,
 * $4 those after which fewer rows may be as an operation left them.  A verdict
 * that stands again is held against the one that it repeats by list_repeated.
 */
static VouchStmt list_verdicts = {
	"WITH o AS MATERIALIZED (SELECT *, op_no < max(op_no) OVER (PARTITION BY version_no) AS followed"
	"  FROM vouch_data.operation"
	"  WHERE bucket = $1 AND artifact_no = $2 AND error IS NULL AND rule = ANY ($3 || $4)),"
	" t AS (SELECT o.*, COALESCE(o.detail->>'stage', '1') AS stage, COALESCE(o.detail->>'pending', '0') AS undecided"
	"  FROM o WHERE o.rule = ANY ($3)),"
	" r AS (SELECT d.*, i.item_key FROM vouch_data.decision d"
	"  LEFT JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = d.item_no"
	"  WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.origin_no IS NULL"
	"   AND (d.status <> 'pending' OR d.decided_at IS NOT NULL))"
	" SELECT t.op_no, t.items, t.items_root, t.followed, t.undecided, r.item_no, r.item_key, r.stage, r.status::text, r.notes,"
	"  CASE WHEN t.op_no IS NULL OR r.item_no IS NULL THEN true ELSE COALESCE(t.detail->'decisions'->r.item_key IN"
	"   (to_jsonb(r.status::text), jsonb_build_object('decision', r.status::text, 'notes', r.notes)),"
	"   NOT COALESCE(t.detail ? 'decisions', false)) END, r.from_no, t.version_no"
	" FROM r FULL JOIN t ON t.version_no = r.from_no AND t.at = r.decided_at AND t.actor = r.decided_by"
	"  AND t.stage = r.stage::text AND (t.on_behalf_of = r.on_behalf_of OR COALESCE(t.on_behalf_of, r.on_behalf_of) IS NULL)"
	" ORDER BY t.op_no NULLS FIRST, r.item_no",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, TEXTARRAYOID, TEXTARRAYOID}, .hashed = true
};

/* Verdicts that stand again, but not as they were; and rows that no operation put there ($3: rules that do). */
static VouchStmt list_repeated = {
	"SELECT i.item_key, d.item_no, 'It does not repeat the row of version ' || d.origin_no || ' that it stems from.'"
	" FROM vouch_data.decision d"
	" LEFT JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = d.item_no"
	" LEFT JOIN vouch_data.decision o ON o.bucket = $1 AND o.artifact_no = $2 AND o.item_no = d.item_no"
	"  AND o.stage = d.stage AND o.from_no = d.origin_no"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.origin_no IS NOT NULL"
	"  AND (d.body_no, d.status, d.source, d.recommended_by, d.recommended_at, d.decided_by, d.on_behalf_of, d.decided_at, d.notes)"
	"   IS DISTINCT FROM (o.body_no, o.status, o.source, o.recommended_by, o.recommended_at, o.decided_by, o.on_behalf_of,"
	"    o.decided_at, o.notes)"
	" UNION ALL"
	" SELECT i.item_key, d.item_no, 'The log does not say that \"' || d.recommended_by || '\" put it there at that time.'"
	" FROM vouch_data.decision d"
	" LEFT JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = d.item_no"
	" LEFT JOIN (SELECT DISTINCT o.at, o.actor FROM vouch_data.operation o"
	"  WHERE o.bucket = $1 AND o.artifact_no = $2 AND o.error IS NULL AND o.rule = ANY ($3)) p"
	"  ON p.at = d.recommended_at AND p.actor = d.recommended_by"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND p.at IS NULL"
	" ORDER BY 2",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, TEXTARRAYOID}, .hashed = true
};

static VouchStmt list_versions = {
	"SELECT version_no, state::text, content_digest FROM vouch_data.version"
	" WHERE bucket = $1 AND artifact_no = $2 ORDER BY version_no",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

static VouchStmt list_bodies = {
	"SELECT b.body_no, b.payload, b.body_hash, b.salt, r.op_no,"
	" r.hash = encode(b.body_hash, 'hex') AND b.salt IS NULL AND b.payload = r.mark"
	" FROM vouch_data.item_body b"
	" LEFT JOIN (SELECT o.detail->>'body' AS body, max(o.op_no) AS op_no, max(o.detail->>'body_hash') AS hash,"
	"   max((o.detail->'mark' || jsonb_build_object('redacted', o.op_no))::text)::jsonb AS mark"
	"  FROM vouch_data.operation o WHERE o.bucket = $1 AND o.artifact_no = $2"
	"  AND o.operation = 'redact_item' AND o.error IS NULL GROUP BY 1) r ON r.body = b.body_no::text"
	" WHERE b.bucket = $1 AND b.artifact_no = $2 ORDER BY b.body_no",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .hashed = true
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
	int			head_no;
} Artifact;

/* What the log says of a version; the log may name any number, so they are hashed. */
typedef struct Logged
{
	int			version_no;		/* first: the key */
	const char *state;			/* NULL: never made; "": discarded */
	bool		submitted;
	VouchDigest content;
	bool		closed;
	VouchDigest shown;
} Logged;

/* What the tables have of an artifact: the highest numbers. */
typedef struct Extent
{
	int			version_no;
	int			item_no;
	int			body_no;
	int			stray_version;	/* that something belongs to, but is not there; or 0 */
	bool		any;			/* is there anything? */
} Extent;

/* Each level does what those before do, and more. */
typedef enum Level
{
	LEVEL_BLOCKS,
	LEVEL_LOG,
	LEVEL_CONTENT,
	LEVEL_EVERYTHING
} Level;

static const char *const level_names[] = {"blocks", "log", "content", "everything"};

typedef struct VerifyState
{
	ReturnSetInfo *rsinfo;
	Level		level;
	Artifact   *artifact;
	HTAB	   *logged;			/* of Logged */
	Logged	  **versions;		/* the same, by number */
	long		nversions;
	Extent		extent;
	VouchCheck	check;
	MemoryContext scratch;
	/* of list_ranges */
	int			item_no;
	int			stage;
	int			to_no;
	/* of list_bodies */
	int64		redactions;
	int			redacted;		/* by which operation, the last */
	int			redacted_body;	/* its payload */
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
	memset(&state->check, 0, sizeof(state->check));
}

/* operations: what the log says of each version is noted on the way */

static void
note_operation(int op_no, const VouchOperation *op, void *arg)
{
	VerifyState *state = arg;
	Logged	   *logged;
	bool		found;

	if (op->version_no < 1 || op->rule == NULL || op->error != NULL)
		return;
	logged = hash_search(state->logged, &op->version_no, HASH_ENTER, &found);
	if (!found)
		memset((char *) logged + sizeof(int), 0, sizeof(Logged) - sizeof(int));
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
	VerifyState *state = arg;
	int			version_no = DatumGetInt32(column(slot, 1));
	char	   *stored = column_text(slot, 2);
	Logged	   *logged;

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
	if (logged->submitted ? !same_digest(column(slot, 3), &logged->content) : column(slot, 3) != (Datum) 0)
		vouch_check_fail(&state->check, psprintf("version %d", version_no),
						 pstrdup("Its content digest is not the one that the log has."));
	logged->state = "";			/* seen */
}

/* The rules of some events of a version, as a text[]; the last name is NULL. */
static Datum
rules_of(const char *event,...)
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

static void
bad_fact(TupleTableSlot *slot, void *arg)
{
	VerifyState *state = arg;

	vouch_check_fail(&state->check, psprintf("version %d", DatumGetInt32(column(slot, 1))),
					 psprintf("The log has another %s.", column_text(slot, 2)));
}

static void
check_states(VerifyState *state)
{
	Artifact   *artifact = state->artifact;
	const Extent *extent = &state->extent;
	Datum		args[6] = {Int32GetDatum(artifact->bucket), Int32GetDatum(artifact->artifact_no),
	rules_of("create", NULL), rules_of("submit", NULL), rules_of("approve", "reject", "withdraw", "expire", NULL),
	rules_of("supersede", NULL)};
	int			last = state->nversions == 0 ? 0 : state->versions[state->nversions - 1]->version_no;

	vouch_stmt_scan(&list_versions, args, NULL, false, check_state, state);
	for (long i = 0; i < state->nversions; i++)
	{
		Logged	   *logged = state->versions[i];

		if (logged->state != NULL && logged->state[0] != '\0')
			vouch_check_fail(&state->check, psprintf("version %d", logged->version_no),
							 psprintf("The log made it, and left it %s, but it is not there.", logged->state));
	}
	vouch_stmt_scan(&compare_facts, args, NULL, false, bad_fact, state);
	if (extent->stray_version != 0)
		vouch_check_fail(&state->check, psprintf("version %d", extent->stray_version),
						 pstrdup("It is counted, contributed to or signed, but it is not there."));
	if (artifact->last_no != Max(last, extent->version_no) || artifact->head_no != extent->version_no)
		vouch_check_fail(&state->check, pstrdup("artifact"),
						 psprintf("Its newest version is %d and the last number given out %d; it says %d and %d.",
								  extent->version_no, Max(last, extent->version_no),
								  artifact->head_no, artifact->last_no));
	report(state, "states");
}

/* payloads */

static void
check_body(TupleTableSlot *slot, void *arg)
{
	VerifyState *state = arg;
	MemoryContext old = MemoryContextSwitchTo(state->scratch);
	Jsonb	   *payload = DatumGetJsonbP(column(slot, 2));
	Datum		salt = column(slot, 4);
	StringInfoData text;
	VouchDigest digest;
	bool		good;
	int			redacted = DatumGetInt32(column(slot, 5));

	initStringInfo(&text);
	vouch_items_hash(&digest, &text, salt == (Datum) 0 ? NULL : DatumGetByteaPP(salt), payload);
	good = same_digest(column(slot, 3), &digest);
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);
	state->check.checked++;
	if (redacted != 0)
	{
		state->redactions++;
		state->redacted = redacted;
		state->redacted_body = DatumGetInt32(column(slot, 1));
		if (!DatumGetBool(column(slot, 6)))
			vouch_check_fail(&state->check, psprintf("payload %d", DatumGetInt32(column(slot, 1))),
							 psprintf("Operation %d redacted it, and it is not as that left it.", redacted));
	}
	else if (!good)
		vouch_check_fail(&state->check, psprintf("payload %d", DatumGetInt32(column(slot, 1))),
						 pstrdup("It does not give its hash."));
}

/* digests */

static void
check_digests(VerifyState *state)
{
	Artifact   *artifact = state->artifact;

	for (long n = 0; n < state->nversions; n++)
	{
		Logged	   *logged = state->versions[n];
		int			i = logged->version_no;
		VouchDigest digest;

		CHECK_FOR_INTERRUPTS();
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

static void
bad_row(TupleTableSlot *slot, void *arg)
{
	VerifyState *state = arg;
	char	   *key = column_text(slot, 1);

	vouch_check_fail(&state->check,
					 key != NULL ? psprintf("item \"%s\"", key) : psprintf("item %d", DatumGetInt32(column(slot, 2))),
					 column_text(slot, 3));
}

static void
check_ranges(VerifyState *state)
{
	Datum		args[3] = {Int32GetDatum(state->artifact->bucket), Int32GetDatum(state->artifact->artifact_no),
	rules_of("create", "edit", NULL)};

	state->item_no = 0;
	vouch_stmt_scan(&list_ranges, args, NULL, false, check_range, state);
	vouch_stmt_scan(&list_repeated, args, NULL, false, bad_row, state);
	if (state->extent.item_no != state->artifact->item_no)
		vouch_check_fail(&state->check, pstrdup("artifact"),
						 psprintf("Its last item is number %d; it says %d.", state->extent.item_no, state->artifact->item_no));
	report(state, "ranges");
}

/* verdicts: the rows that an operation decided give its root again */

typedef struct VerdictState
{
	VerifyState *state;
	int			op_no;			/* 0: none */
	int			version_no;
	int64		items;
	bool		followed;		/* later operations may have taken rows from it */
	char	   *undecided;
	bool		has_root;
	VouchDigest root;
	VouchDigest *leaves;
	int64		n;
	int64		allocated;
	StringInfoData scratch;
} VerdictState;

/* All rows of an operation were seen. */
static void
end_decide(VerdictState *verdicts)
{
	VouchCheck *check = &verdicts->state->check;
	int64		undecided;
	VouchDigest root;

	if (verdicts->op_no == 0)
		return;
	check->checked++;
	undecided = strtoll(verdicts->undecided, NULL, 10);
	if (verdicts->n + undecided > verdicts->items || (!verdicts->followed && verdicts->n + undecided < verdicts->items))
		vouch_check_fail(check, psprintf("version %d", verdicts->version_no),
						 psprintf("Operation %d decided %lld items; %lld are as it left them.", verdicts->op_no,
								  (long long) (verdicts->items - undecided), (long long) verdicts->n));
	else if (verdicts->n == verdicts->items)
	{
		vouch_digest_root(&root, verdicts->leaves, verdicts->n);
		if (!verdicts->has_root || memcmp(&root, &verdicts->root, sizeof(root)) != 0)
			vouch_check_fail(check, psprintf("version %d", verdicts->version_no),
							 psprintf("Its verdicts are not those of operation %d.", verdicts->op_no));
	}
}

static void
check_verdict(TupleTableSlot *slot, void *arg)
{
	VerdictState *verdicts = arg;
	VerifyState *state = verdicts->state;
	MemoryContext old;
	char	   *what = NULL;
	int			op_no = DatumGetInt32(column(slot, 1));

	if (op_no != verdicts->op_no)
	{
		end_decide(verdicts);
		verdicts->op_no = op_no;
		verdicts->version_no = DatumGetInt32(column(slot, 13));
		verdicts->items = DatumGetInt64(column(slot, 2));
		verdicts->has_root = column(slot, 3) != (Datum) 0 &&
			VARSIZE_ANY_EXHDR(DatumGetByteaPP(column(slot, 3))) == VOUCH_DIGEST_LEN;
		if (verdicts->has_root)
			memcpy(verdicts->root.bytes, VARDATA_ANY(DatumGetByteaPP(column(slot, 3))), VOUCH_DIGEST_LEN);
		verdicts->followed = DatumGetBool(column(slot, 4));
		verdicts->undecided = column_text(slot, 5);
		verdicts->n = 0;
	}
	if (column(slot, 6) == (Datum) 0)
		return;
	if (op_no == 0)
		what = psprintf("No decision in the log gave it its verdict in version %d.", DatumGetInt32(column(slot, 12)));
	else if (!DatumGetBool(column(slot, 11)))
		what = psprintf("Operation %d decided something else in version %d.", op_no, verdicts->version_no);
	if (what != NULL)
	{
		char	   *key = column_text(slot, 7);

		vouch_check_fail(&state->check,
						 key != NULL ? psprintf("item \"%s\"", key) : psprintf("item %d", DatumGetInt32(column(slot, 6))),
						 what);
		return;
	}
	if (column(slot, 7) == (Datum) 0)
		return;
	if (verdicts->n == verdicts->allocated)
	{
		verdicts->allocated = Max(1024, verdicts->allocated * 2);
		verdicts->leaves = verdicts->leaves == NULL ? palloc(sizeof(VouchDigest) * verdicts->allocated) :
			repalloc_huge(verdicts->leaves, sizeof(VouchDigest) * verdicts->allocated);
	}
	old = MemoryContextSwitchTo(state->scratch);
	vouch_decision_leaf(&verdicts->leaves[verdicts->n++], &verdicts->scratch, DatumGetTextPP(column(slot, 7)),
						DatumGetInt16(column(slot, 8)), column_text(slot, 9),
						column(slot, 10) == (Datum) 0 ? NULL : DatumGetTextPP(column(slot, 10)));
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);
}

static void
check_verdicts(VerifyState *state)
{
	VerdictState verdicts = {state};
	Datum		args[4] = {Int32GetDatum(state->artifact->bucket), Int32GetDatum(state->artifact->artifact_no),
	rules_of("decide", NULL), rules_of("edit", "discard", NULL)};

	initStringInfo(&verdicts.scratch);
	vouch_stmt_scan(&list_verdicts, args, NULL, false, check_verdict, &verdicts);
	end_decide(&verdicts);
	report(state, "verdicts");
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
read_extent(TupleTableSlot *slot, void *arg)
{
	Extent	   *extent = arg;

	extent->version_no = DatumGetInt32(column(slot, 1));
	extent->item_no = DatumGetInt32(column(slot, 2));
	extent->body_no = DatumGetInt32(column(slot, 3));
	extent->stray_version = DatumGetInt32(column(slot, 5));
	extent->any = extent->version_no != 0 || extent->item_no != 0 || extent->body_no != 0 ||
		extent->stray_version != 0 || DatumGetBool(column(slot, 4));
}

static int
compare_logged(const void *a, const void *b)
{
	int			x = (*(Logged *const *) a)->version_no;
	int			y = (*(Logged *const *) b)->version_no;

	return (x > y) - (x < y);
}

static void
verify_artifact(VerifyState *state)
{
	Artifact   *artifact = state->artifact;
	Datum		args[2] = {Int32GetDatum(artifact->bucket), Int32GetDatum(artifact->artifact_no)};

	HASHCTL		ctl = {0};
	HASH_SEQ_STATUS seq;
	Logged	   *logged;
	long		n = 0;

	memset(&state->check, 0, sizeof(state->check));
	ctl.keysize = sizeof(int);
	ctl.entrysize = sizeof(Logged);
	ctl.hcxt = CurrentMemoryContext;
	state->logged = hash_create("vouch logged versions", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	vouch_ledger_verify(artifact->bucket, artifact->artifact_no, &state->check, note_operation, state);
	if (state->check.checked == 0)
		vouch_check_fail(&state->check, pstrdup("operation 1"), pstrdup("Nothing is in the log of what exists."));
	if (artifact->bucket != vouch_id_bucket(artifact->subject, strlen(artifact->subject)))
		vouch_check_fail(&state->check, pstrdup("artifact"), pstrdup("It is not in the bucket of its subject."));
	report(state, "operations");
	if (state->level < LEVEL_CONTENT)
	{
		hash_destroy(state->logged);
		return;
	}
	memset(&state->extent, 0, sizeof(Extent));
	vouch_stmt_scan(&find_extent, args, NULL, false, read_extent, &state->extent);
	state->nversions = hash_get_num_entries(state->logged);
	if (state->nversions == 0 && artifact->last_no == 0 && artifact->head_no == 0 && !state->extent.any)
	{
		/* a phase that only records */
		hash_destroy(state->logged);
		return;
	}
	state->versions = palloc_extended(sizeof(Logged *) * Max(state->nversions, 1), MCXT_ALLOC_HUGE);
	hash_seq_init(&seq, state->logged);
	while ((logged = hash_seq_search(&seq)) != NULL)
		state->versions[n++] = logged;
	qsort(state->versions, n, sizeof(Logged *), compare_logged);
	check_digests(state);
	check_states(state);
	state->redactions = 0;
	vouch_stmt_scan(&list_bodies, args, NULL, false, check_body, state);
	if (state->extent.body_no != artifact->body_no)
		vouch_check_fail(&state->check, pstrdup("artifact"),
						 psprintf("Its last payload is number %d; it says %d.", state->extent.body_no, artifact->body_no));
	/* nothing wrong, but something to know */
	if (state->check.first_bad == NULL && state->redactions > 0)
		state->check.detail = state->redactions == 1 ?
			psprintf("Payload %d was redacted under operation %d.", state->redacted_body, state->redacted) :
			psprintf("%lld payloads were redacted, payload %d under operation %d.", (long long) state->redactions,
					 state->redacted_body, state->redacted);
	report(state, "payloads");
	if (state->level == LEVEL_EVERYTHING)
	{
		check_ranges(state);
		check_verdicts(state);
		check_counts(state);
	}
	if (state->level == LEVEL_EVERYTHING && vouch_check_approvals_hook != NULL)
	{
		vouch_check_approvals_hook(artifact->bucket, artifact->artifact_no, &state->check);
		report(state, "approvals");
	}
	pfree(state->versions);
	hash_destroy(state->logged);
}

/* artifacts: whose rows there are, exists */

typedef struct OwnerState
{
	VouchCheck *check;
	int64		lost;
} OwnerState;

static void
check_owner(TupleTableSlot *slot, void *arg)
{
	OwnerState *owners = arg;

	owners->check->checked++;
	if (DatumGetBool(column(slot, 4)))
		return;
	owners->lost++;
	vouch_check_fail(owners->check, psprintf("artifact %d of bucket %d", DatumGetInt32(column(slot, 3)),
											 DatumGetInt32(column(slot, 2))),
					 psprintf("Table %s has rows of it, but it is not there.", column_text(slot, 1)));
}

/* Of a subject's bucket, or of all; returns whether something is lost. */
static bool
check_owners(VerifyState *state, char *subject)
{
	Artifact	none = {0};
	OwnerState	owners = {&state->check};
	int			bucket = subject == NULL ? 0 : vouch_id_bucket(subject, strlen(subject));
	Datum		args[2] = {Int32GetDatum(subject == NULL ? PG_INT32_MIN : bucket),
	Int32GetDatum(subject == NULL ? PG_INT32_MAX : bucket)};

	none.subject = subject == NULL ? pstrdup("") : subject;
	none.phase = none.scope = pstrdup("");
	state->artifact = &none;
	vouch_stmt_scan(&list_owners, args, NULL, false, check_owner, &owners);
	report(state, "artifacts");
	return owners.lost > 0;
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
	artifact->head_no = DatumGetInt32(column(slot, 9));
	*list = lappend(*list, artifact);
}

static Level
level_of(text *name)
{
	for (int i = 0; name != NULL && i < lengthof(level_names); i++)
		if (pg_strcasecmp(text_to_cstring(name), level_names[i]) == 0)
			return (Level) i;
	ereport(ERROR,
			(errcode(VOUCH_ERR_ARGUMENT),
			 errmsg("there is no level \"%s\" of verification", name == NULL ? "null" : text_to_cstring(name)),
			 errhint("Levels are blocks, log, content and everything; each does what those before it do, and more.")));
	return LEVEL_EVERYTHING;	/* not reached */
}

/*
 * The blocks are about everybody's operations.  For one subject they are only
 * looked at when asked for: there may be millions of them.
 */
static void
check_blocks(VerifyState *state, text *subject)
{
	state->artifact = NULL;
	vouch_blocks_verify(subject, &state->check);
	report(state, "blocks");
}

/* vouch.verify(subject, level) */
Datum
vouch_sql_verify(PG_FUNCTION_ARGS)
{
	VerifyState state = {0};
	List	   *artifacts = NIL;
	ListCell   *cell;
	char	   *subject = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	Level		level = level_of(PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1));

	InitMaterializedSRF(fcinfo, 0);
	state.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	state.level = level;
	SPI_connect();
	state.scratch = AllocSetContextCreate(CurrentMemoryContext, "vouch verify", ALLOCSET_DEFAULT_SIZES);
	if (level == LEVEL_BLOCKS || subject == NULL)
		check_blocks(&state, PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0));
	if (level == LEVEL_BLOCKS)
	{
		SPI_finish();
		return (Datum) 0;
	}
	if (PG_ARGISNULL(0))
		vouch_stmt_scan(&list_artifacts, NULL, NULL, false, collect_artifact, &artifacts);
	else
	{
		Datum		args[1] = {PG_GETARG_DATUM(0)};

		vouch_stmt_scan(&list_artifacts_of, args, NULL, false, collect_artifact, &artifacts);
	}
	if (!check_owners(&state, subject) && subject != NULL && artifacts == NIL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("nothing is kept of subject \"%s\"", subject),
				 errhint("The subject of cycle 7 of report 3 is cycle-7-report-3; leave subject out to check everything.")));
	foreach(cell, artifacts)
	{
		state.artifact = lfirst(cell);
		vouch_stmt_expect_rows(state.artifact->item_no);
		verify_artifact(&state);
	}
	SPI_finish();
	return (Datum) 0;
}
