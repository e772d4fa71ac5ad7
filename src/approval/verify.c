/*
 * verify.c
 *	  Checks approvals: derives each version's state anew from its policy and
 *	  signatures alone, and holds the signatures against the log.
 */
#include "postgres.h"

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

VOUCH_FUNCTION(vouch_sql_recheck_request);

static VouchStmt list_versions = {
	"SELECT version_no FROM vouch_data.version WHERE bucket = $1 AND artifact_no = $2 AND state <> 'draft'"
	" ORDER BY version_no",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}
};

/* Each signature has an operation that says the same; the operations are a hash chain. */
static VouchStmt find_unlogged = {
	"SELECT coalesce(s.version_no, o.version_no), coalesce(s.signature_no::text, o.signature_no),"
	" CASE WHEN o.version_no IS NULL THEN 'The log does not know it.'"
	"  WHEN s.version_no IS NULL THEN 'The log has it, but it is not there.'"
	"  ELSE 'The log has another signer, role, verdict or digest for it.' END"
	" FROM (SELECT version_no, round, signature_no, signer, acting_for, role, verdict::text AS verdict,"
	"   encode(content_digest, 'hex') AS digest"
	"  FROM vouch_data.signature WHERE bucket = $1 AND artifact_no = $2) s"
	" FULL JOIN (SELECT version_no, detail->>'round' AS round, detail->>'signature' AS signature_no,"
	"   actor, on_behalf_of, detail->>'role' AS role, detail->>'verdict' AS verdict, detail->>'content_digest' AS digest"
	"  FROM vouch_data.operation WHERE bucket = $1 AND artifact_no = $2 AND operation = 'sign_off' AND error IS NULL) o"
	" ON s.version_no = o.version_no AND s.round::text = o.round AND s.signature_no::text = o.signature_no"
	" WHERE s.version_no IS NULL OR o.version_no IS NULL"
	" OR (s.signer, s.acting_for, s.role, s.verdict, s.digest)"
	"  IS DISTINCT FROM (o.actor, o.on_behalf_of, o.role, o.verdict, o.digest)"
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
	static const char *const outcomes[] = {"open", "satisfied", "rejected", "returned"};
	VouchVersion *version = vouch_version_read(id);
	VouchRequest *request;
	VouchDigest digest;
	const char *state = version->state;
	const char *expected;
	const char *derived;

	if (strcmp(state, "draft") == 0)
		return NULL;
	request = vouch_request_load(version, NULL, NULL, GetCurrentTimestamp());
	if (strcmp(state, "withdrawn") == 0)
		return request->state != NULL && strcmp(request->state, "open") == 0 ?
			pstrdup("it is withdrawn, and its request is open") : NULL;
	if (request->state == NULL)
		return psprintf("it is %s, and was never submitted", state);
	expected = strcmp(state, "pending_approval") == 0 ? "open" :
		strcmp(state, "rejected") == 0 ? "rejected" : "satisfied";
	derived = outcomes[request->evaluation->outcome];
	if (strcmp(request->state, expected) != 0 || strcmp(derived, expected) != 0)
		return psprintf("it is %s, its request is %s, and its signatures make it %s",
						state, request->state, derived);
	if (strcmp(expected, "open") != 0)
	{
		vouch_version_digest(version, &digest);
		if (memcmp(&digest, &request->input.digest, sizeof(digest)) != 0)
			return pstrdup("its content or verdicts are not those that were signed");
	}
	return NULL;
}

/* Somebody may have signed between two statements: what is wrong is wrong twice. */
static char *
recheck_twice(const pg_uuid_t *id)
{
	return recheck(id) == NULL ? NULL : recheck(id);
}

void
vouch_approval_check(int bucket, int artifact_no, VouchCheck *check)
{
	Datum		args[2] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no)};
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

	if (vouch_stmt_run(&find_unlogged, args, NULL) > 0)
	{
		int			version_no = vouch_stmt_get_int32(0, 1, 0);
		char	   *signature_no = vouch_stmt_get_text(0, 2);
		char	   *what = vouch_stmt_get_text(0, 3);
		MemoryContext old = MemoryContextSwitchTo(caller);

		vouch_check_fail(check, psprintf("signature %s of version %d", signature_no, version_no), pstrdup(what));
		MemoryContextSwitchTo(old);
	}
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
