/*
 * verify_items.c
 *	  Computes again what an artifact is made of, and compares: payloads, the
 *	  rows of items and their verdicts with the log, and counters with the rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/stmt.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "version/content.h"
#include "version/items.h"
#include "version/verify.h"
#include "version/version.h"

/* Operations of the rules $3 and $4, with another column, which all statements over them begin with. */
#define OPERATIONS(column) \
	"WITH o AS MATERIALIZED (SELECT *, " column " FROM vouch_data.operation" \
	"  WHERE bucket = $1 AND artifact_no = $2 AND error IS NULL AND rule = ANY ($3 || $4)),"

/*
 * Verdicts with the operation that decided them: $3 are the rules that decide,
 * $4 those after which fewer rows may be as an operation left them.  A verdict
 * that stands again is held against the one that it repeats by list_repeated.
 */
static VouchStmt list_verdicts = {
	OPERATIONS("op_no < max(op_no) OVER (PARTITION BY version_no) AS followed")
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

/* What is undecided was decided by nobody; it may have the notes of who took a verdict back. */
static VouchStmt list_undecided = {
	"SELECT i.item_key, d.item_no, CASE WHEN (d.decided_by, d.on_behalf_of, d.decided_at) IS NULL"
	"  THEN 'It is undecided, and the log does not have its notes.' ELSE 'It is undecided, and says who decided it.' END"
	" FROM vouch_data.decision d"
	" LEFT JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = d.item_no"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.status = 'pending' AND d.origin_no IS NULL"
	"  AND (NOT (d.decided_by, d.on_behalf_of, d.decided_at) IS NULL OR d.notes IS NOT NULL AND NOT EXISTS"
	"   (SELECT FROM vouch_data.operation o WHERE o.bucket = $1 AND o.artifact_no = $2 AND o.version_no = d.from_no"
	"    AND o.operation = 'decide' AND o.error IS NULL AND COALESCE(o.detail->>'stage', '1') = d.stage::text AND o.detail ? 'pending'"
	"    AND (NOT o.detail ? 'decisions' OR o.detail->'decisions'->i.item_key->>'notes' = d.notes)))"
	" ORDER BY 2",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .hashed = true
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
	"  WHERE o.bucket = $1 AND o.artifact_no = $2 AND o.error IS NULL AND o.rule = ANY ($3) AND o.operation <> 'remove_items') p"
	"  ON p.at = d.recommended_at AND p.actor = d.recommended_by"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND p.at IS NULL"
	" ORDER BY 2",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, TEXTARRAYOID}, .hashed = true
};

/*
 * Rows with the operation that put them there last: $3 are the rules by which items
 * get into a version, $4 those by which all of it goes; and, in the last column, the leaves of rows that
 * later operations have replaced or taken out, as these logged them.
 */
static VouchStmt list_puts = {
	OPERATIONS("bool_or(rule = ANY ($4)) OVER (PARTITION BY version_no) AS discarded")
	" t AS (SELECT o.* FROM o WHERE o.rule = ANY ($3) AND o.items > 0 AND o.operation <> 'remove_items'),"
	" r AS (SELECT d.item_no, d.from_no, d.source, d.recommended_by, d.recommended_at, i.item_key, b.body_hash"
	"  FROM vouch_data.decision d"
	"  LEFT JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = d.item_no"
	"  LEFT JOIN vouch_data.item_body b ON b.bucket = $1 AND b.artifact_no = $2 AND b.body_no = d.body_no"
	"  WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.stage = 1 AND d.origin_no IS NULL),"
	" g AS (SELECT o.version_no, e->>'by' AS actor, (e->>'at')::timestamptz AS at, COALESCE(e->>'leaves', '') AS leaves"
	"  FROM o CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(o.detail->'replaced') WHEN 'array' THEN o.detail->'replaced' END) e)"
	" SELECT t.op_no, t.version_no, t.items, t.items_root, t.discarded, r.item_no, r.item_key, r.body_hash, r.source,"
	"  r.recommended_by, NULL::text"
	" FROM t LEFT JOIN r ON t.version_no = r.from_no AND t.at = r.recommended_at AND t.actor = r.recommended_by"
	" UNION ALL"
	" SELECT t.op_no, t.version_no, t.items, t.items_root, t.discarded, NULL, NULL, NULL, NULL, NULL, g.leaves"
	" FROM t JOIN g USING (version_no, actor, at)"
	" ORDER BY 1, 6",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, TEXTARRAYOID, TEXTARRAYOID}, .hashed = true
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

/*
 * Rows that a version ended, against its list of them: a diff reads the list,
 * and a discarded draft takes back what it lists.
 */
static VouchStmt compare_ended = {
	"SELECT i.item_key, COALESCE(d.item_no, n.item_no), CASE"
	"  WHEN n.item_no IS NULL THEN format('Version %s ended its row from version %s, and does not list it.', d.to_no, d.from_no)"
	"  WHEN d.item_no IS NULL THEN format('Version %s lists that it ended its row from version %s, and did not.', n.version_no, n.from_no)"
	"  WHEN n.times > 1 THEN format('Version %s lists its row from version %s more than once.', n.version_no, n.from_no)"
	"  ELSE format('Version %s lists its row from version %s otherwise than it is.', n.version_no, n.from_no) END"
	" FROM (SELECT x.item_no, x.stage, x.from_no, x.to_no, x.status, x.body_no FROM vouch_data.decision x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.to_no < 2147483647) AS d"
	" FULL JOIN (SELECT e.version_no, e.stage, t.item_no, t.from_no, max(e.status) AS status, max(t.body_no) AS body_no, count(*) AS times"
	"  FROM vouch_data.version_ended e, unnest(e.item_nos, e.from_nos, e.body_nos) AS t(item_no, from_no, body_no)"
	"  WHERE e.bucket = $1 AND e.artifact_no = $2 GROUP BY 1, 2, 3, 4) AS n"
	" ON n.item_no = d.item_no AND n.stage = d.stage AND n.from_no = d.from_no AND n.version_no = d.to_no"
	" LEFT JOIN vouch_data.item i ON i.bucket = $1 AND i.artifact_no = $2 AND i.item_no = COALESCE(d.item_no, n.item_no)"
	" WHERE n.item_no IS NULL OR d.item_no IS NULL OR n.status <> d.status OR n.body_no <> d.body_no OR n.times > 1"
	" ORDER BY 2, COALESCE(d.stage, n.stage), COALESCE(d.from_no, n.from_no)",
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

/*
 * Who had part in a version, by the log ($3: rules that make and change one),
 * is among its contributors, also with no item; who is there without an
 * item, had part in it or in the version that it carries from.
 */
static VouchStmt compare_makers = {
	"WITH acted AS (SELECT DISTINCT o.version_no, o.actor FROM vouch_data.operation o"
	"   WHERE o.bucket = $1 AND o.artifact_no = $2 AND o.error IS NULL AND o.rule = ANY ($3)),"
	" v AS (SELECT x.version_no, x.parent_no FROM vouch_data.version x WHERE x.bucket = $1 AND x.artifact_no = $2),"
	" kept AS (SELECT c.version_no, c.actor, c.items FROM vouch_data.version_contributor c"
	"  WHERE c.bucket = $1 AND c.artifact_no = $2)"
	" SELECT v.version_no, format('The log says that \"%s\" made or changed it, and they are not among its contributors.', a.actor)"
	" FROM v JOIN acted a USING (version_no) LEFT JOIN kept k USING (version_no, actor) WHERE k.actor IS NULL"
	" UNION ALL"
	" SELECT v.version_no, format('\"%s\" is among its contributors, and the log does not say that they had part in it.', k.actor)"
	" FROM v JOIN kept k USING (version_no) LEFT JOIN acted a USING (version_no, actor)"
	" LEFT JOIN kept p ON p.version_no = v.parent_no AND p.actor = k.actor"
	" WHERE k.items = 0 AND a.actor IS NULL AND p.actor IS NULL"
	" ORDER BY 1, 2",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, TEXTARRAYOID}, .hashed = true
};

static VouchStmt list_numbers = {
	"SELECT version_no FROM vouch_data.version WHERE bucket = $1 AND artifact_no = $2 ORDER BY version_no",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}, .indexed = true
};

/* payloads */

static void
check_body(TupleTableSlot *slot, void *arg)
{
	VouchVerify *state = arg;
	MemoryContext old = MemoryContextSwitchTo(state->scratch);
	Jsonb	   *payload = DatumGetJsonbP(vouch_verify_column(slot, 2));
	Datum		salt = vouch_verify_column(slot, 4);
	StringInfoData text;
	VouchDigest digest;
	bool		good;
	int			redacted = DatumGetInt32(vouch_verify_column(slot, 5));

	initStringInfo(&text);
	vouch_items_hash(&digest, &text, salt == (Datum) 0 ? NULL : DatumGetByteaPP(salt), payload);
	/* a salt of another length could take bytes from the payload, which would be another one with the same hash */
	good = vouch_verify_same(vouch_verify_column(slot, 3), &digest) &&
		(salt == (Datum) 0 || VARSIZE_ANY_EXHDR(DatumGetByteaPP(salt)) == VOUCH_SALT_LEN);
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);
	state->check.checked++;
	if (redacted != 0)
	{
		state->redactions++;
		state->redacted = redacted;
		state->redacted_body = DatumGetInt32(vouch_verify_column(slot, 1));
		if (!DatumGetBool(vouch_verify_column(slot, 6)))
			vouch_check_fail(&state->check, psprintf("payload %d", DatumGetInt32(vouch_verify_column(slot, 1))),
							 psprintf("Operation %d redacted it, and it is not as that left it.", redacted));
	}
	else if (!good)
		vouch_check_fail(&state->check, psprintf("payload %d", DatumGetInt32(vouch_verify_column(slot, 1))),
						 pstrdup("It does not give its hash."));
}

void
vouch_verify_payloads(VouchVerify *state)
{
	VouchVerifyArtifact *artifact = state->artifact;
	Datum		args[2] = {Int32GetDatum(artifact->bucket), Int32GetDatum(artifact->artifact_no)};

	state->redactions = 0;
	vouch_stmt_scan(&list_bodies, args, NULL, false, check_body, state);
	if (state->unread == NULL && state->extent.body_no != artifact->body_no)
		vouch_check_fail(&state->check, pstrdup("artifact"),
						 psprintf("Its last payload is number %d; it says %d.", state->extent.body_no, artifact->body_no));
	/* nothing wrong, but something to know */
	if (state->check.first_bad == NULL && state->redactions > 0)
		state->check.detail = state->redactions == 1 ?
			psprintf("Payload %d was redacted under operation %d.", state->redacted_body, state->redacted) :
			psprintf("%lld payloads were redacted, payload %d under operation %d.", (long long) state->redactions,
					 state->redacted_body, state->redacted);
}

/* ranges */

static void
check_range(TupleTableSlot *slot, void *arg)
{
	VouchVerify *state = arg;
	int			item_no = DatumGetInt32(vouch_verify_column(slot, 1));
	int			stage = DatumGetInt16(vouch_verify_column(slot, 2));
	int			from_no = DatumGetInt32(vouch_verify_column(slot, 3));
	int			to_no = DatumGetInt32(vouch_verify_column(slot, 4));
	char	   *what = NULL;

	state->check.checked++;
	if (vouch_verify_column(slot, 5) == (Datum) 0)
		what = pstrdup("The item has no identity.");
	else if (!DatumGetBool(vouch_verify_column(slot, 6)))
		what = psprintf("Its row from version %d has no payload.", from_no);
	else if (!DatumGetBool(vouch_verify_column(slot, 7)))
		what = psprintf("Its row starts at version %d, which does not exist.", from_no);
	else if (!DatumGetBool(vouch_verify_column(slot, 8)))
		what = psprintf("Its row from version %d ends at version %d, which does not exist.", from_no, to_no);
	else if (item_no == state->item_no && stage == state->stage && from_no < state->to_no)
		what = psprintf("Its row from version %d begins before the one before ends.", from_no);
	else if (item_no > state->artifact->item_no)
		what = pstrdup("Its number was never given out.");
	if (what != NULL)
	{
		char	   *key = vouch_verify_text(slot, 5);

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
	VouchVerify *state = arg;
	char	   *key = vouch_verify_text(slot, 1);

	vouch_check_fail(&state->check,
					 key != NULL ? psprintf("item \"%s\"", key) : psprintf("item %d", DatumGetInt32(vouch_verify_column(slot, 2))),
					 vouch_verify_text(slot, 3));
}

/* An operation on items, and the leaves of the rows that are as it left them. */
typedef struct Leaves
{
	int			op_no;			/* 0: none */
	int			version_no;
	int64		items;
	bool		has_root;
	VouchDigest root;
	VouchDigest *leaves;
	int64		n;
	int64		allocated;
	StringInfoData scratch;
} Leaves;

static void
begin_leaves(Leaves *leaves, int op_no, Datum version_no, Datum items, Datum root)
{
	bytea	   *bytes = root == (Datum) 0 ? NULL : DatumGetByteaPP(root);

	leaves->op_no = op_no;
	leaves->version_no = DatumGetInt32(version_no);
	leaves->items = DatumGetInt64(items);
	leaves->has_root = bytes != NULL && VARSIZE_ANY_EXHDR(bytes) == VOUCH_DIGEST_LEN;
	if (leaves->has_root)
		memcpy(leaves->root.bytes, VARDATA_ANY(bytes), VOUCH_DIGEST_LEN);
	leaves->n = 0;
}

static VouchDigest *
next_leaf(Leaves *leaves)
{
	if (leaves->n == leaves->allocated)
	{
		leaves->allocated = Max(1024, leaves->allocated * 2);
		leaves->leaves = leaves->leaves == NULL ? palloc(sizeof(VouchDigest) * leaves->allocated) :
			repalloc_huge(leaves->leaves, sizeof(VouchDigest) * leaves->allocated);
	}
	return &leaves->leaves[leaves->n++];
}

static bool
is_root(const Leaves *leaves, const VouchDigest *root)
{
	return leaves->has_root && memcmp(root, &leaves->root, sizeof(VouchDigest)) == 0;
}

/* The rows that an operation put there, with what later ones replaced of them, give its root again. */
typedef struct PutState
{
	VouchVerify *state;
	Leaves		of;
	bool		discarded;		/* with all that the version had */
	bool		unknown;		/* so much was replaced at once that it was not logged */
} PutState;

/* All rows of an operation were seen. */
static void
end_put(PutState *put)
{
	const Leaves *of = &put->of;
	VouchDigest root;

	if (of->op_no == 0 || put->unknown || (put->discarded && of->n < of->items))
		return;
	if (of->n != of->items)
	{
		vouch_check_fail(&put->state->check, psprintf("version %d", of->version_no),
						 psprintf("Operation %d put %lld items there; %lld are as it left them.", of->op_no,
								  (long long) of->items, (long long) of->n));
		return;
	}
	vouch_leaves_root(of->leaves, of->n, &root);
	if (!is_root(of, &root))
		vouch_check_fail(&put->state->check, psprintf("version %d", of->version_no),
						 psprintf("Its items are not those of operation %d.", of->op_no));
}

/* Leaves in hexadecimal; what is none makes the root another one. */
static void
add_replaced(PutState *put, const char *leaves)
{
	size_t		length = strlen(leaves);

	put->unknown = put->unknown || length == 0;
	for (size_t at = 0; at + 2 * VOUCH_DIGEST_LEN <= length; at += 2 * VOUCH_DIGEST_LEN)
		(void) hex_decode(leaves + at, 2 * VOUCH_DIGEST_LEN, (char *) next_leaf(&put->of)->bytes);
}

static void
check_put(TupleTableSlot *slot, void *arg)
{
	PutState   *put = arg;
	VouchVerify *state = put->state;
	MemoryContext old;
	VouchDigest *leaf;
	int			op_no = DatumGetInt32(vouch_verify_column(slot, 1));

	if (op_no != put->of.op_no)
	{
		end_put(put);
		begin_leaves(&put->of, op_no, vouch_verify_column(slot, 2), vouch_verify_column(slot, 3), vouch_verify_column(slot, 4));
		put->discarded = DatumGetBool(vouch_verify_column(slot, 5));
		put->unknown = false;
	}
	if (vouch_verify_column(slot, 11) != (Datum) 0)
		add_replaced(put, vouch_verify_text(slot, 11));
	/* without a key or a payload: list_ranges says so */
	if (vouch_verify_column(slot, 6) == (Datum) 0 || vouch_verify_column(slot, 7) == (Datum) 0 || vouch_verify_column(slot, 8) == (Datum) 0)
		return;
	leaf = next_leaf(&put->of);
	old = MemoryContextSwitchTo(state->scratch);
	vouch_items_leaf(leaf, &put->of.scratch, DatumGetTextPP(vouch_verify_column(slot, 7)),
					 DatumGetByteaPP(vouch_verify_column(slot, 8)), DatumGetTextPP(vouch_verify_column(slot, 9)),
					 vouch_verify_text(slot, 10));
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);
}

void
vouch_verify_ranges(VouchVerify *state)
{
	Datum		args[4] = {Int32GetDatum(state->artifact->bucket), Int32GetDatum(state->artifact->artifact_no),
	vouch_verify_rules("create", "edit", NULL), vouch_verify_rules("discard", NULL)};
	PutState	put = {state};

	state->item_no = 0;
	vouch_stmt_scan(&list_ranges, args, NULL, false, check_range, state);
	vouch_stmt_scan(&compare_ended, args, NULL, false, bad_row, state);
	vouch_stmt_scan(&list_repeated, args, NULL, false, bad_row, state);
	initStringInfo(&put.of.scratch);
	vouch_stmt_scan(&list_puts, args, NULL, false, check_put, &put);
	end_put(&put);
	if (state->unread == NULL && state->extent.item_no != state->artifact->item_no)
		vouch_check_fail(&state->check, pstrdup("artifact"),
						 psprintf("Its last item is number %d; it says %d.", state->extent.item_no, state->artifact->item_no));
}

/* verdicts: the rows that an operation decided give its root again */

typedef struct VerdictState
{
	VouchVerify *state;
	Leaves		of;
	bool		followed;		/* later operations may have taken rows from it */
	int64		undecided;		/* whose verdicts it took back */
} VerdictState;

/* All rows of an operation were seen. */
static void
end_decide(VerdictState *verdicts)
{
	const Leaves *of = &verdicts->of;
	VouchCheck *check = &verdicts->state->check;
	int64		decided = of->items - verdicts->undecided;
	VouchDigest root;

	if (of->op_no == 0)
		return;
	check->checked++;
	if (of->n > decided || (!verdicts->followed && of->n < decided))
		vouch_check_fail(check, psprintf("version %d", of->version_no),
						 psprintf("Operation %d decided %lld items; %lld are as it left them.", of->op_no,
								  (long long) decided, (long long) of->n));
	else if (of->n == of->items)
	{
		vouch_digest_root(&root, of->leaves, of->n);
		if (!is_root(of, &root))
			vouch_check_fail(check, psprintf("version %d", of->version_no),
							 psprintf("Its verdicts are not those of operation %d.", of->op_no));
	}
}

static void
check_verdict(TupleTableSlot *slot, void *arg)
{
	VerdictState *verdicts = arg;
	VouchVerify *state = verdicts->state;
	MemoryContext old;
	VouchDigest *leaf;
	char	   *what = NULL;
	int			op_no = DatumGetInt32(vouch_verify_column(slot, 1));

	if (op_no != verdicts->of.op_no)
	{
		end_decide(verdicts);
		begin_leaves(&verdicts->of, op_no, vouch_verify_column(slot, 13), vouch_verify_column(slot, 2), vouch_verify_column(slot, 3));
		verdicts->followed = DatumGetBool(vouch_verify_column(slot, 4));
		verdicts->undecided = op_no == 0 ? 0 : strtoll(vouch_verify_text(slot, 5), NULL, 10);
	}
	if (vouch_verify_column(slot, 6) == (Datum) 0)
		return;
	if (op_no == 0)
		what = psprintf("No decision in the log gave it its verdict in version %d.", DatumGetInt32(vouch_verify_column(slot, 12)));
	else if (!DatumGetBool(vouch_verify_column(slot, 11)))
		what = psprintf("Operation %d decided something else in version %d.", op_no, verdicts->of.version_no);
	if (what != NULL)
	{
		char	   *key = vouch_verify_text(slot, 7);

		vouch_check_fail(&state->check,
						 key != NULL ? psprintf("item \"%s\"", key) : psprintf("item %d", DatumGetInt32(vouch_verify_column(slot, 6))),
						 what);
		return;
	}
	if (vouch_verify_column(slot, 7) == (Datum) 0)
		return;
	leaf = next_leaf(&verdicts->of);
	old = MemoryContextSwitchTo(state->scratch);
	vouch_decision_leaf(leaf, &verdicts->of.scratch, DatumGetTextPP(vouch_verify_column(slot, 7)),
						DatumGetInt16(vouch_verify_column(slot, 8)), vouch_verify_text(slot, 9),
						vouch_verify_column(slot, 10) == (Datum) 0 ? NULL : DatumGetTextPP(vouch_verify_column(slot, 10)));
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);
}

void
vouch_verify_verdicts(VouchVerify *state)
{
	VerdictState verdicts = {state};
	Datum		args[4] = {Int32GetDatum(state->artifact->bucket), Int32GetDatum(state->artifact->artifact_no),
	vouch_verify_rules("decide", NULL), vouch_verify_rules("edit", "discard", NULL)};

	initStringInfo(&verdicts.of.scratch);
	vouch_stmt_scan(&list_verdicts, args, NULL, false, check_verdict, &verdicts);
	end_decide(&verdicts);
	vouch_stmt_scan(&list_undecided, args, NULL, false, bad_row, state);
}

/* counts */

typedef struct CountState
{
	VouchVerify *state;
	int			version_no;
} CountState;

static void
bad_count(TupleTableSlot *slot, void *arg)
{
	CountState *count = arg;

	vouch_check_fail(&count->state->check, psprintf("version %d", count->version_no),
					 psprintf("It has %lld items %s; the counter says %lld.",
							  (long long) DatumGetInt64(vouch_verify_column(slot, 2)), vouch_verify_text(slot, 1),
							  (long long) DatumGetInt64(vouch_verify_column(slot, 3))));
}

static void
bad_maker(TupleTableSlot *slot, void *arg)
{
	VouchVerify *state = arg;

	vouch_check_fail(&state->check, psprintf("version %d", DatumGetInt32(vouch_verify_column(slot, 1))),
					 vouch_verify_text(slot, 2));
}

static void
collect_number(TupleTableSlot *slot, void *arg)
{
	List	  **list = arg;

	*list = lappend_int(*list, DatumGetInt32(vouch_verify_column(slot, 1)));
}

void
vouch_verify_counts(VouchVerify *state)
{
	Datum		args[3] = {Int32GetDatum(state->artifact->bucket), Int32GetDatum(state->artifact->artifact_no)};
	List	   *versions = NIL;
	ListCell   *cell;

	vouch_stmt_scan(&list_numbers, args, NULL, false, collect_number, &versions);
	foreach(cell, versions)
	{
		CountState	count = {state, lfirst_int(cell)};

		CHECK_FOR_INTERRUPTS();
		args[2] = Int32GetDatum(count.version_no);
		vouch_stmt_scan(&compare_counts, args, NULL, false, bad_count, &count);
		state->check.checked++;
	}
	args[2] = vouch_verify_rules("create", "edit", NULL);
	vouch_stmt_scan(&compare_makers, args, NULL, false, bad_maker, state);
}
