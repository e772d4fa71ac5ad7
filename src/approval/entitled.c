/*
 * entitled.c
 *	  Whether the log of configurations says what signatures and requests rest
 *	  on: that who signed held the role, and that the policy was in force.
 */
#include "postgres.h"

#include "approval/entitled.h"
#include "catalog/pg_type.h"
#include "core/id.h"
#include "core/stmt.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "version/verify.h"

/*
 * Times are those of several sessions: who signs or submits notes theirs before they read what they hold
 * and what is in force, and who takes a right back waits for them, with the time that they came at.
 */
#define SLACK USECS_PER_MINUTE
#define SLACK_OF_END USECS_PER_SEC

/* What the log tells, by what it is looked up by. */
typedef enum ToldKind
{
	TOLD_GRANT,					/* key: actor; subkey: role */
	TOLD_DELEGATION,			/* key: delegation_id; subkey: role */
	TOLD_CHOICE,				/* key: phase; subkey: policy */
	TOLD_REVISION				/* key: policy; subkey: '' */
} ToldKind;

typedef struct Told
{
	ToldKind	kind;
	const char *key;
	const char *subkey;
	const char *scope;
	const char *from;			/* of a delegation */
	const char *to;
	int			revision;
	TimestampTz since;			/* DT_NOBEGIN: the log does not say, as of what was installed */
	TimestampTz until;			/* DT_NOEND: still */
} Told;

typedef struct Entitlements
{
	Told	   *told;			/* sorted */
	int64		n;
	int64		allocated;
} Entitlements;

/*
 * Rows of the tables that configure, each as the operation left it that brought it, with since when and until when
 * that was so.  An operation is no older than what it logs, so neither is
 * what counts; of what was there at installation the row says it.
 */
static VouchStmt read_told = {
	"WITH told AS MATERIALIZED (SELECT o.op_no, CASE WHEN o.operation <> 'install' THEN o.at END AS at, e.key, e.value AS v,"
	"   split_part(e.key, ' ', 1) AS tab"
	"  FROM vouch_data.artifact c JOIN vouch_data.operation o ON o.bucket = $1 AND o.artifact_no = c.artifact_no AND o.error IS NULL"
	"   AND o.operation IN ('install', 'grant_role', 'revoke_role', 'delegate', 'revoke_delegation', 'set_policy', 'define_policy')"
	"  CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(o.detail->'rows') WHEN 'object' THEN o.detail->'rows' END) e"
	"  WHERE c.bucket = $1 AND c.subject = '@configuration'),"
	" first AS MATERIALIZED (SELECT DISTINCT ON (key) * FROM told"
	"  WHERE tab IN ('role_grant', 'delegation', 'phase_policy', 'policy') AND v <> 'null' ORDER BY key, op_no),"
	" ended AS (SELECT key, min(coalesce((v->>'revoked_at')::timestamptz, at)) AS until FROM told"
	"  WHERE tab IN ('role_grant', 'delegation') AND (v = 'null' OR v ? 'revoked_at') GROUP BY key)"
	" SELECT 0, v->>'actor', v->>'role', v->>'scope', NULL::text, NULL::text, NULL::int, greatest(at, (v->>'granted_at')::timestamptz), e.until"
	" FROM first LEFT JOIN ended e USING (key) WHERE tab = 'role_grant'"
	" UNION ALL"
	" SELECT 1, v->>'delegation_id', v->>'role', v->>'scope', v->>'from_actor', v->>'to_actor', NULL::int,"
	"  greatest(at, (v->>'valid_from')::timestamptz), least(e.until, (v->>'valid_to')::timestamptz)"
	" FROM first LEFT JOIN ended e USING (key) WHERE tab = 'delegation'"
	" UNION ALL"
	" SELECT 2, phase, policy, scope, NULL, NULL, NULL::int, since, lead(since) OVER (PARTITION BY phase, scope ORDER BY set_no)"
	" FROM (SELECT v->>'phase' AS phase, v->>'policy' AS policy, v->>'scope' AS scope, (v->>'set_no')::int AS set_no,"
	"   greatest(at, (v->>'set_at')::timestamptz) AS since FROM first WHERE tab = 'phase_policy') c"
	" UNION ALL"
	" SELECT 3, v->>'policy', '', '', NULL, NULL, (v->>'revision')::int, greatest(at, (v->>'created_at')::timestamptz), NULL"
	" FROM first WHERE tab = 'policy'",
	SPI_OK_SELECT, 1, {INT4OID}
};

/* Signatures, for what, in whose name, and whether their rule asks for that role. */
static VouchStmt list_signatures = {
	"SELECT g.version_no, g.signature_no, g.signer, g.acting_for, g.role, g.delegation_id::text, g.signed_at,"
	"  coalesce(g.for_group, a.scope), l.role IS NOT NULL AND g.role IN (l.role, coalesce(t.escalate_to, l.role))"
	" FROM vouch_data.signature g"
	" JOIN vouch_data.artifact a ON a.bucket = $1 AND a.artifact_no = $2"
	" LEFT JOIN vouch_data.approval_request r ON r.bucket = $1 AND r.artifact_no = $2 AND r.version_no = g.version_no AND r.round = g.round"
	" LEFT JOIN vouch_data.policy_stage t ON t.policy = r.policy AND t.revision = r.policy_revision AND t.stage_no = g.stage_no"
	" LEFT JOIN vouch_data.policy_rule l ON l.policy = r.policy AND l.revision = r.policy_revision AND l.stage_no = g.stage_no"
	"  AND l.rule_no = g.rule_no"
	" WHERE g.bucket = $1 AND g.artifact_no = $2 AND g.verdict <> 'revoke' AND NOT (g.role = '@auto' AND l.role = '@auto')"
	" ORDER BY 1, 2",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}
};

static VouchStmt list_requests = {
	"SELECT q.version_no, q.round, a.phase, q.policy, a.scope, q.policy_revision, q.opened_at"
	" FROM vouch_data.approval_request q JOIN vouch_data.artifact a ON a.bucket = $1 AND a.artifact_no = $2"
	" WHERE q.bucket = $1 AND q.artifact_no = $2 ORDER BY 1, 2",
	SPI_OK_SELECT, 2, {INT4OID, INT4OID}
};

/* What is checked of one artifact. */
typedef struct EntitledState
{
	VouchCheck *check;
	VouchCheckMemory *memory;
} EntitledState;

static int
compare_told(const void *a, const void *b)
{
	const Told *x = a;
	const Told *y = b;
	int			order = (int) x->kind - (int) y->kind;

	if (order == 0)
		order = strcmp(x->key, y->key);
	return order != 0 ? order : strcmp(x->subkey, y->subkey);
}

static void
collect_told(TupleTableSlot *slot, void *arg)
{
	Entitlements *all = arg;
	Told		told = {(ToldKind) DatumGetInt32(vouch_verify_column(slot, 1))};
	bool		isnull;

	told.key = vouch_verify_text(slot, 2);
	told.subkey = vouch_verify_text(slot, 3);
	told.scope = vouch_verify_text(slot, 4);
	told.from = vouch_verify_text(slot, 5);
	told.to = vouch_verify_text(slot, 6);
	told.revision = DatumGetInt32(vouch_verify_column(slot, 7));
	told.since = DatumGetTimestampTz(slot_getattr(slot, 8, &isnull));
	if (isnull)
		told.since = DT_NOBEGIN;
	told.until = DatumGetTimestampTz(slot_getattr(slot, 9, &isnull));
	if (isnull)
		told.until = DT_NOEND;
	/* a row that does not say what it is about entitles nobody; nor does a right that began nobody knows when */
	if (told.key == NULL || told.subkey == NULL || told.scope == NULL ||
		(told.kind == TOLD_DELEGATION && (told.from == NULL || told.to == NULL)) ||
		(told.kind <= TOLD_DELEGATION && told.since == DT_NOBEGIN))
		return;
	if (all->n == all->allocated)
	{
		all->allocated = Max(64, all->allocated * 2);
		all->told = all->told == NULL ? palloc(sizeof(Told) * all->allocated) :
			repalloc_huge(all->told, sizeof(Told) * all->allocated);
	}
	all->told[all->n++] = told;
}

/* The log of configurations, as it was read for the first artifact that needs it. */
static const Entitlements *
entitlements(VouchCheckMemory *memory)
{
	if (memory->kept == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(memory->context);
		Entitlements *all = palloc0(sizeof(Entitlements));
		Datum		args[1] = {Int32GetDatum(vouch_id_bucket("@configuration", strlen("@configuration")))};

		SPI_connect();
		MemoryContextSwitchTo(memory->context);
		vouch_stmt_scan(&read_told, args, NULL, false, collect_told, all);
		SPI_finish();
		if (all->n > 0)
			qsort(all->told, all->n, sizeof(Told), compare_told);
		MemoryContextSwitchTo(old);
		/* not earlier: an error leaves it to the next artifact to read it, and to say the same */
		memory->kept = all;
	}
	return memory->kept;
}

/* The first that is told under a key; of those that follow, told_next() gives the next. */
static const Told *
told_first(const Entitlements *all, ToldKind kind, const char *key, const char *subkey)
{
	Told		wanted = {kind, key, subkey};
	int64		low = 0,
				high = all->n;

	while (low < high)
	{
		int64		middle = low + (high - low) / 2;

		if (compare_told(&all->told[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < all->n && compare_told(&all->told[low], &wanted) == 0 ? &all->told[low] : NULL;
}

static const Told *
told_next(const Entitlements *all, const Told *told)
{
	return told + 1 < all->told + all->n && compare_told(told, told + 1) == 0 ? told + 1 : NULL;
}

/* Times plus a minute, where infinity stays what it is. */
static TimestampTz
later(TimestampTz time, int64 by)
{
	return TIMESTAMP_NOT_FINITE(time) ? time : time + by;
}

static bool
good_then(const Told *told, const char *scope, TimestampTz then)
{
	return (told->scope[0] == '\0' || strcmp(told->scope, scope) == 0) &&
		told->since <= later(then, SLACK) && told->until >= later(then, -SLACK_OF_END);
}

static bool
held(const Entitlements *all, const char *actor, const char *role, const char *scope, TimestampTz then)
{
	const Told *told = told_first(all, TOLD_GRANT, actor, role);

	while (told != NULL && !good_then(told, scope, then))
		told = told_next(all, told);
	return told != NULL;
}

static bool
delegated(const Entitlements *all, const char *delegation, const char *from, const char *to, const char *role,
		  const char *scope, TimestampTz then)
{
	const Told *told = delegation == NULL ? NULL : told_first(all, TOLD_DELEGATION, delegation, role);

	while (told != NULL && !(strcmp(told->from, from) == 0 && strcmp(told->to, to) == 0 && good_then(told, scope, then)))
		told = told_next(all, told);
	return told != NULL;
}

/*
 * Who signed held the role, or a delegation by somebody who held it, when they
 * signed, for the group or the scope that it was for; by the log, because
 * rows can be there for as long as it takes to sign.
 */
static void
check_signature(TupleTableSlot *slot, void *arg)
{
	EntitledState *state = arg;
	const Entitlements *all = entitlements(state->memory);
	const char *signer = vouch_verify_text(slot, 3);
	const char *acting_for = vouch_verify_text(slot, 4);
	const char *role = vouch_verify_text(slot, 5);
	TimestampTz signed_at = DatumGetTimestampTz(vouch_verify_column(slot, 7));
	const char *scope = vouch_verify_text(slot, 8);
	const char *holder = acting_for != NULL ? acting_for : signer;
	char	   *what;

	if (!DatumGetBool(vouch_verify_column(slot, 9)))
		what = psprintf("Its rule does not ask for %s.", role);
	else if (!held(all, holder, role, scope, signed_at))
		what = psprintf("The log does not say that \"%s\" held %s%s%s then.", holder, role,
						scope[0] != '\0' ? " for " : "", scope);
	else if (acting_for != NULL && !delegated(all, vouch_verify_text(slot, 6), acting_for, signer, role, scope, signed_at))
		what = psprintf("The log does not say that \"%s\" had delegated %s to \"%s\" then.", acting_for, role, signer);
	else
		return;
	vouch_check_fail(state->check, psprintf("signature %d of version %d", DatumGetInt32(vouch_verify_column(slot, 2)),
											DatumGetInt32(vouch_verify_column(slot, 1))), what);
}

static bool
chosen(const Entitlements *all, const char *phase, const char *policy, const char *scope, TimestampTz then)
{
	const Told *told = told_first(all, TOLD_CHOICE, phase, policy);

	while (told != NULL && !((told->scope[0] == '\0' || strcmp(told->scope, scope) == 0) &&
							 told->since <= later(then, SLACK) && told->until >= later(then, -SLACK)))
		told = told_next(all, told);
	return told != NULL;
}

static bool
newest(const Entitlements *all, const char *policy, int revision, TimestampTz then)
{
	bool		known = false;

	for (const Told *told = told_first(all, TOLD_REVISION, policy, ""); told != NULL; told = told_next(all, told))
	{
		if (told->revision == revision && told->since <= later(then, SLACK))
			known = true;
		if (told->revision > revision && told->since != DT_NOBEGIN && told->since < later(then, -SLACK))
			return false;
	}
	return known;
}

/*
 * Each request is under a policy that was set for its phase, for its scope or for all, and
 * under the revision that was the newest, when it was opened, by the log.
 */
static void
check_request(TupleTableSlot *slot, void *arg)
{
	EntitledState *state = arg;
	const Entitlements *all = entitlements(state->memory);
	const char *policy = vouch_verify_text(slot, 4);
	TimestampTz opened_at = DatumGetTimestampTz(vouch_verify_column(slot, 7));

	/* where nothing was ever configured, there is no log of it */
	if (all->n == 0 ||
		(chosen(all, vouch_verify_text(slot, 3), policy, vouch_verify_text(slot, 5), opened_at) &&
		 newest(all, policy, DatumGetInt32(vouch_verify_column(slot, 6)), opened_at)))
		return;
	vouch_check_fail(state->check, psprintf("request %d of version %d", DatumGetInt32(vouch_verify_column(slot, 2)),
											DatumGetInt32(vouch_verify_column(slot, 1))),
					 pstrdup("By the log its policy was not in force for the phase, in this revision, when it was opened."));
}

void
vouch_entitled_check(int bucket, int artifact_no, VouchCheck *check, VouchCheckMemory *memory)
{
	EntitledState state = {check, memory};
	Datum		args[2] = {Int32GetDatum(bucket), Int32GetDatum(artifact_no)};

	vouch_stmt_scan(&list_signatures, args, NULL, false, check_signature, &state);
	vouch_stmt_scan(&list_requests, args, NULL, false, check_request, &state);
}
