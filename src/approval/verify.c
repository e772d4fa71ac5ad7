/*
 * verify.c
 *	  Checks approvals: derives each version's state anew from its policy and
 *	  signatures alone, and holds the signatures against the log.
 */
#include "postgres.h"

#include "approval/entitled.h"
#include "approval/request.h"
#include "approval/verify.h"
#include "catalog/pg_type.h"
#include "core/compat.h"
#include "core/id.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "version/verify.h"

VOUCH_FUNCTION(vouch_sql_recheck_request);

static VouchStmt list_versions = {
	"SELECT version_no FROM vouch_data.version WHERE bucket = $1 AND artifact_no = $2 AND state <> 'draft'"
	" ORDER BY version_no",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}
};

/* A time as the log has it. */
#define UTC(time) "to_char(" time " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

/* Each signature has an operation that says the same; the operations are a hash chain. */
static VouchStmt find_unlogged = {
	"SELECT coalesce(s.version_no, o.version_no), coalesce(s.signature_no::text, o.signature_no),"
	" CASE WHEN o.version_no IS NULL THEN 'The log does not know it.'"
	"  WHEN s.version_no IS NULL THEN 'The log has it, but it is not there.'"
	"  ELSE 'The log has another signer, time, rule, role, verdict, comment or digest for it.' END"
	" FROM (SELECT version_no, round, signature_no, signer, acting_for, role, verdict::text AS verdict, rule_no::text AS rule,"
	"   (SELECT p.name FROM vouch_data.approval_request r JOIN vouch_data.policy_stage p ON p.policy = r.policy"
	"     AND p.revision = r.policy_revision AND p.stage_no = g.stage_no WHERE r.bucket = $1 AND r.artifact_no = $2"
	"     AND r.version_no = g.version_no AND r.round = g.round) AS stage,"
	"   encode(content_digest, 'hex') AS digest, encode(scope_digest, 'hex') AS scope_digest, revokes,"
	"   from_version_no, from_round, from_signature_no, for_group, delegation_id::text AS delegation,"
	"   CASE WHEN from_version_no IS NULL THEN signed_at END AS signed_at, meaning, comment, db_user, logged_in_at"
	"  FROM vouch_data.signature g WHERE bucket = $1 AND artifact_no = $2) s"
	" FULL JOIN (SELECT version_no, detail->>'round' AS round, detail->>'signature' AS signature_no,"
	"   CASE operation WHEN 'carry_signature' THEN detail->>'signer' ELSE actor END AS actor,"
	"   CASE operation WHEN 'carry_signature' THEN detail->>'acting_for' ELSE on_behalf_of END AS on_behalf_of,"
	"   detail->>'role' AS role, detail->>'verdict' AS verdict, detail->>'rule' AS rule, detail->>'stage' AS stage,"
	"   detail->>'content_digest' AS digest,"
	"   detail->>'scope_digest' AS scope_digest, detail->>'revokes' AS revokes,"
	"   detail->>'from_version' AS from_version_no, detail->>'from_round' AS from_round,"
	"   detail->>'from_signature' AS from_signature_no, detail->>'group' AS for_group, detail->>'delegation' AS delegation,"
	"   CASE WHEN operation <> 'carry_signature' THEN at END AS signed_at, detail->>'meaning' AS meaning,"
	"   detail->>'comment' AS comment, db_user, (detail->>'logged_in_at')::timestamptz AS logged_in_at"
	"  FROM vouch_data.operation WHERE bucket = $1 AND artifact_no = $2"
	"   AND operation IN ('sign_off', 'carry_signature', 'revoke_signature') AND error IS NULL) o"
	" ON s.version_no = o.version_no AND s.round::text = o.round AND s.signature_no::text = o.signature_no"
	" WHERE s.version_no IS NULL OR o.version_no IS NULL"
	" OR (s.signer, s.acting_for, s.role, s.rule, s.stage, s.verdict, s.digest, s.scope_digest, s.revokes::text,"
	"  s.from_version_no::text, s.from_round::text, s.from_signature_no::text, s.for_group, s.delegation,"
	"  s.signed_at, s.meaning, s.comment, s.db_user, s.logged_in_at)"
	"  IS DISTINCT FROM (o.actor, o.on_behalf_of, o.role, o.rule, o.stage, o.verdict, o.digest, o.scope_digest, o.revokes,"
	"  o.from_version_no, o.from_round, o.from_signature_no, o.for_group, o.delegation,"
	"  o.signed_at, o.meaning, o.comment, o.db_user, o.logged_in_at)"
	" ORDER BY 1, 2 LIMIT 1",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}
};

/*
 * Every request of every round against the operation that submitted the
 * version, the one that ended the round, and the signatures.  $3 are the
 * rules by which items get into a version or out of it: who did that before had part in it.
 */
static VouchStmt find_misopened = {
	"WITH o AS MATERIALIZED (SELECT * FROM vouch_data.operation WHERE bucket = $1 AND artifact_no = $2 AND error IS NULL"
	"   AND version_no IN (SELECT v.version_no FROM vouch_data.version v WHERE v.bucket = $1 AND v.artifact_no = $2)),"
	" n AS (SELECT *, count(*) FILTER (WHERE operation = 'submit') OVER (PARTITION BY version_no ORDER BY op_no) AS round"
	"  FROM o WHERE rule IS NOT NULL AND operation IN ('submit', 'approve', 'reject', 'return', 'withdraw', 'expire')),"
	" s AS (SELECT * FROM n WHERE operation = 'submit'),"
	" c AS (SELECT DISTINCT ON (version_no, round) * FROM n WHERE operation <> 'submit' AND round > 0"
	"  ORDER BY version_no, round, op_no)"
	" SELECT COALESCE(r.version_no, s.version_no), COALESCE(r.round, s.round)::int4,"
	" CASE WHEN s.version_no IS NULL THEN 'The log does not know it.'"
	"  WHEN r.version_no IS NULL THEN 'The log has it, but it is not there.'"
	"  ELSE 'The log has another ' || x.what || ' for it.' END"
	" FROM (SELECT * FROM vouch_data.approval_request WHERE bucket = $1 AND artifact_no = $2) r"
	" FULL JOIN s ON s.version_no = r.version_no AND s.round = r.round"
	" LEFT JOIN c ON c.version_no = s.version_no AND c.round = s.round"
	" CROSS JOIN LATERAL (SELECT concat_ws(', ',"
	"  CASE WHEN r.opened_by IS DISTINCT FROM s.actor THEN 'opened_by' END,"
	"  CASE WHEN " UTC("r.opened_at") " IS DISTINCT FROM s.detail->>'opened_at' THEN 'opened_at' END,"
	"  CASE WHEN " UTC("r.due_at") " IS DISTINCT FROM s.detail->>'due_at' THEN 'due_at' END,"
	"  CASE WHEN r.notes IS DISTINCT FROM s.detail->>'reason' THEN 'notes' END,"
	"  CASE WHEN r.content_digest IS DISTINCT FROM s.items_root THEN 'content_digest' END,"
	"  CASE WHEN r.asked IS DISTINCT FROM s.detail->'asked' THEN 'asked' END,"
	"  CASE WHEN r.policy IS DISTINCT FROM s.detail->>'policy' OR r.policy_revision::text IS DISTINCT FROM s.detail->>'revision'"
	"   OR EXISTS (SELECT FROM o WHERE o.version_no = s.version_no AND o.detail->>'round' = s.round::text AND o.detail ? 'policy'"
	"    AND (o.detail->'policy', o.detail->'revision') IS DISTINCT FROM (s.detail->'policy', s.detail->'revision'))"
	"   THEN 'policy' END,"
	/* as it was logged; who worked on the version by then; and, once frozen, who is counted as having part in it */
	"  CASE WHEN to_jsonb(r.contributors) IS DISTINCT FROM s.detail->'contributors'"
	"   OR EXISTS (SELECT FROM o WHERE o.version_no = s.version_no AND o.op_no < s.op_no AND o.rule = ANY ($3)"
	"    AND o.actor <> ALL (r.contributors))"
	"   OR (s.round = (SELECT max(m.round) FROM s m WHERE m.version_no = s.version_no) AND c.operation IS DISTINCT FROM 'return'"
	"    AND EXISTS (SELECT FROM (SELECT k.actor FROM vouch_data.version_contributor k WHERE k.bucket = $1 AND k.artifact_no = $2"
	"      AND k.version_no = s.version_no) k FULL JOIN unnest(r.contributors) AS u(name) ON u.name = k.actor"
	"     WHERE k.actor IS NULL OR u.name IS NULL))"
	"   THEN 'contributors' END,"
	"  CASE WHEN r.state::text IS DISTINCT FROM CASE c.operation WHEN 'approve' THEN 'satisfied' WHEN 'reject' THEN 'rejected'"
	"    WHEN 'return' THEN 'returned' WHEN 'withdraw' THEN 'withdrawn' WHEN 'expire' THEN 'expired' ELSE 'open' END"
	"   THEN 'state' END,"
	"  CASE WHEN r.closed_by IS DISTINCT FROM c.actor THEN 'closed_by' END,"
	"  CASE WHEN " UTC("r.closed_at") " IS DISTINCT FROM CASE c.operation WHEN 'withdraw' THEN " UTC("c.at")
	"    ELSE c.detail->>'closed_at' END THEN 'closed_at' END,"
	"  CASE WHEN encode(r.closing_digest, 'hex') IS DISTINCT FROM c.detail->>'content_digest' THEN 'closing_digest' END,"
	"  CASE WHEN (SELECT jsonb_agg(encode(p.part, 'hex') ORDER BY p.n) FROM unnest(r.closing_parts) WITH ORDINALITY AS p(part, n))"
	"    IS DISTINCT FROM c.detail->'parts' THEN 'closing_parts' END,"
	"  CASE WHEN r.signatures <> (SELECT count(*) FROM vouch_data.signature g WHERE g.bucket = $1 AND g.artifact_no = $2"
	"    AND g.version_no = r.version_no AND g.round = r.round) THEN 'signatures' END) AS what) x"
	" WHERE r.version_no IS NULL OR s.version_no IS NULL OR x.what <> ''"
	" ORDER BY 1, 2 LIMIT 1",
	SPI_OK_SELECT, 3, {INT4OID, INT4OID, TEXTARRAYOID}
};

/*
 * A signature that was carried says what the one that it was carried from
 * said, over the same digest; one that takes another back is its signer's.
 */
static VouchStmt find_miscarried = {
	"SELECT s.version_no, s.signature_no FROM vouch_data.signature s"
	" LEFT JOIN vouch_data.signature f ON f.bucket = $1 AND f.artifact_no = $2 AND f.version_no = s.from_version_no"
	"  AND f.round = s.from_round AND f.signature_no = s.from_signature_no"
	" WHERE s.bucket = $1 AND s.artifact_no = $2 AND s.from_version_no IS NOT NULL"
	" AND (f.signer IS NULL OR (s.signer, s.acting_for, s.role, s.stage_no, s.rule_no, s.for_group, s.verdict::text, s.signed_at,"
	"   coalesce(s.scope_digest, s.content_digest)) IS DISTINCT FROM"
	"  (f.signer, f.acting_for, f.role, f.stage_no, f.rule_no, f.for_group, f.verdict::text, f.signed_at,"
	"   coalesce(f.scope_digest, f.content_digest)))"
	" UNION ALL SELECT s.version_no, s.signature_no FROM vouch_data.signature s"
	" LEFT JOIN vouch_data.signature f ON f.bucket = $1 AND f.artifact_no = $2 AND f.version_no = s.version_no"
	"  AND f.round = s.round AND f.signature_no = s.revokes"
	" WHERE s.bucket = $1 AND s.artifact_no = $2 AND s.revokes IS NOT NULL"
	" AND (f.signer IS NULL OR s.signer NOT IN (f.signer, coalesce(f.acting_for, f.signer))"
	"  OR f.signature_no >= s.signature_no)"
	" ORDER BY 1, 2 LIMIT 1",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}
};

static VouchStmt count_signatures = {
	"SELECT count(*) FROM vouch_data.signature WHERE bucket = $1 AND artifact_no = $2",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}
};

/* What is wrong with a version's state, as a sentence without its stop; NULL if nothing. */
static char *
recheck(const pg_uuid_t *id)
{
	static const char *const outcomes[] = {"open", "satisfied", "rejected", "returned", "expired"};
	VouchVersion *version = vouch_version_read(id);
	VouchRequest *request;
	VouchDigest digest;
	Jsonb	   *found;
	const char *state = version->state;
	const char *expected;
	const char *derived;

	if (strcmp(state, "draft") == 0)
		return NULL;
	request = vouch_request_load(version, NULL, NULL, GetCurrentTimestamp());
	if (strcmp(state, "withdrawn") == 0 && (request->state == NULL || strcmp(request->state, "expired") != 0))
		return request->state != NULL && strcmp(request->state, "open") == 0 ?
			pstrdup("it is withdrawn, and its request is open") : NULL;
	if (request->state == NULL)
		return psprintf("it is %s, and was never submitted", state);
	expected = strcmp(state, "pending_approval") == 0 ? "open" :
		strcmp(state, "rejected") == 0 ? "rejected" :
		strcmp(state, "withdrawn") == 0 ? "expired" : "satisfied";
	derived = outcomes[request->evaluation->outcome];
	/* Its time is over, and nobody has come to end it. */
	if (request->input.open && request->evaluation->outcome == VOUCH_OUTCOME_EXPIRED)
		derived = "open";
	if (strcmp(request->state, expected) != 0 || strcmp(derived, expected) != 0)
		return psprintf("it is %s, its request is %s, and its signatures make it %s",
						state, request->state, derived);
	found = vouch_asked_to_json(request->rights->policy, vouch_asked_find(version, request->rights->policy));
	if ((found == NULL) != (request->asked_json == NULL) ||
		(found != NULL && compareJsonbContainers(&found->root, &request->asked_json->root) != 0))
		return pstrdup("its policy asks other signatures of it than its request has on record");
	if (strcmp(expected, "open") != 0)
	{
		vouch_version_digest(version, &digest);
		if (memcmp(&digest, &request->input.digests[0], sizeof(digest)) != 0)
			return pstrdup("its content or verdicts are not those that were signed");
		(void) vouch_version_measure(version, request->parts + 1, request->input.nparts - 1);
		for (int i = 1; i < request->input.nparts; i++)
			if (memcmp(&request->parts[i].digest, &request->input.digests[i], sizeof(digest)) != 0)
				return vouch_part_is_whole(&request->parts[i]) ?
					pstrdup("its content or verdicts are not those that were signed") :
					psprintf("its items with %s are not those that were signed",
							 vouch_part_text(&request->parts[i]));
	}
	return NULL;
}

/* Somebody may have signed between two statements: what is wrong is wrong twice. */
static char *
recheck_twice(const pg_uuid_t *id)
{
	return recheck(id) == NULL ? NULL : recheck(id);
}

/*
 * Reports the first that a statement finds: version, number of the signature or
 * request in it, and, where what is NULL, what is wrong with it.
 */
static void
report_first(VouchStmt *stmt, Datum *args, VouchCheck *check, MemoryContext caller, const char *kind, const char *what)
{
	MemoryContext old;

	if (vouch_stmt_run(stmt, args, NULL) == 0)
		return;
	old = MemoryContextSwitchTo(caller);
	vouch_check_fail(check,
					 psprintf("%s %s of version %d", kind, vouch_stmt_get_text(0, 2), vouch_stmt_get_int32(0, 1, 0)),
					 what != NULL ? pstrdup(what) : vouch_stmt_get_text(0, 3));
	MemoryContextSwitchTo(old);
}

void
vouch_approval_check(int bucket, int artifact_no, VouchCheck *check, VouchCheckMemory *memory)
{
	Datum		args[3] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no), vouch_verify_rules("create", "edit", NULL)};
	MemoryContext caller = CurrentMemoryContext;
	int			n = (int) vouch_stmt_run(&list_versions, args, NULL);
	int		   *versions = palloc(sizeof(int) * Max(n, 1));

	for (int i = 0; i < n; i++)
		versions[i] = vouch_stmt_get_int32(i, 1, 0);
	for (int i = 0; i < n; i++)
	{
		pg_uuid_t	id;
		char	   *problem;

		CHECK_FOR_INTERRUPTS();
		check->version_no = versions[i];
		vouch_id_pack_version(&id, bucket, artifact_no, versions[i]);
		SPI_connect();
		problem = recheck_twice(&id);
		if (problem != NULL)
		{
			MemoryContext old = MemoryContextSwitchTo(caller);

			vouch_check_fail(check, psprintf("version %d", versions[i]),
							 psprintf("%c%s.", pg_toupper((unsigned char) problem[0]), problem + 1));
			MemoryContextSwitchTo(old);
		}
		SPI_finish();
		check->checked++;
	}
	check->version_no = 0;

	report_first(&find_unlogged, args, check, caller, "signature", NULL);
	report_first(&find_misopened, args, check, caller, "request", NULL);
	report_first(&find_miscarried, args, check, caller, "signature",
				 "It repeats, or takes back, a signature that does not fit.");
	vouch_entitled_check(bucket, artifact_no, check, memory);
	vouch_stmt_run_one(&count_signatures, args, NULL);
	check->checked += vouch_stmt_get_int64(0, 1, 0);
	MemoryContextSwitchTo(caller);
}

/*
 * vouch_data.recheck_request(version_id uuid): derives the state of a version
 * from its policy and signatures alone, and compares; NULL when all agrees,
 * else what does not.
 */
Datum
vouch_sql_recheck_request(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	text	   *result = NULL;
	char	   *problem;

	SPI_connect();
	problem = recheck_twice(PG_GETARG_UUID_P(0));
	MemoryContextSwitchTo(caller);
	if (problem != NULL)
		result = cstring_to_text(problem);
	SPI_finish();
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}
