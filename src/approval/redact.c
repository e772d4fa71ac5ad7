/*
 * redact.c
 *	  Takes a payload out of the database and leaves its hash.
 *
 * Everything that was ever computed over the payload (content digests,
 * signatures, the log, blocks, receipts) was computed over its hash, so it all
 * stays verifiable.  What policies look at stays, as far as the item met it.  The salt goes with the payload: what is left says nothing
 * of it, not even to who guesses.
 */
#include "postgres.h"

#include "approval/request.h"
#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "utils/builtins.h"
#include "version/version.h"

VOUCH_FUNCTION(vouch_sql_redact_item);

#define ROLE "records_officer"

static VouchStmt find_right = {
	"SELECT FROM vouch_data.role_grant"
	" WHERE actor = $1 AND role = $2 AND revoked_at IS NULL AND scope IN ('', $3) LIMIT 1",
	SPI_OK_SELECT, 3, {TEXTOID, TEXTOID, TEXTOID}
};

/*
 * The payload that a version shows, those that no version shows any more, and by
 * which operation each is redacted already.
 */
static VouchStmt find_bodies = {
	"SELECT b.body_no, encode(b.body_hash, 'hex'), jsonb_build_object(f.item_key, coalesce(b.payload->f.item_key, to_jsonb(i.item_key))),"
	" (SELECT max(o.op_no) FROM vouch_data.operation o WHERE o.bucket = $1 AND o.artifact_no = $2"
	"  AND o.operation = 'redact_item' AND o.error IS NULL AND o.detail->>'body' = b.body_no::text),"
	" b.payload, i.item_no, s.shown"
	" FROM vouch_data.item i, vouch_data.phase f, LATERAL ("
	"  SELECT d.body_no, true AS shown FROM vouch_data.decision d WHERE d.bucket = $1 AND d.artifact_no = $2"
	"   AND d.item_no = i.item_no AND d.stage = 1 AND d.from_no <= $3 AND d.to_no > $3"
	"  UNION ALL"
	"  SELECT x.body_no, false FROM vouch_data.item_body x WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = i.item_no"
	"   AND NOT EXISTS (SELECT FROM vouch_data.decision d WHERE d.bucket = $1 AND d.artifact_no = $2"
	"    AND d.item_no = i.item_no AND d.body_no = x.body_no)) AS s, vouch_data.item_body b"
	" WHERE i.bucket = $1 AND i.artifact_no = $2 AND i.item_key = $4 AND f.phase = $5"
	" AND b.bucket = $1 AND b.artifact_no = $2 AND b.body_no = s.body_no ORDER BY b.body_no",
	SPI_OK_SELECT, 5, {INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID}, .indexed = true
};

/*
 * What policies look at in an item: those under which versions that show its payload were
 * submitted, and the one that is in force.
 */
static VouchStmt find_conditions = {
	"SELECT DISTINCT r.scope, r.applies_if->'item', r.group_by FROM vouch_data.policy_rule r WHERE (r.policy, r.revision) IN ("
	"  SELECT q.policy, q.policy_revision FROM vouch_data.decision d"
	"  JOIN vouch_data.approval_request q ON q.bucket = $1 AND q.artifact_no = $2 AND q.version_no >= d.from_no AND q.version_no < d.to_no"
	"  WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.item_no = $3 AND d.stage = 1 AND d.body_no = $4"
	"  UNION SELECT p.policy, max(p.revision) FROM vouch_data.policy p WHERE p.policy = $5 GROUP BY 1)",
	SPI_OK_SELECT, 5, {INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID}, .indexed = true
};

static VouchStmt redact_body = {
	"UPDATE vouch_data.item_body SET payload = $4 || jsonb_build_object('redacted', $5), salt = NULL"
	" WHERE bucket = $1 AND artifact_no = $2 AND body_no = $3",
	SPI_OK_UPDATE, 5, {INT4OID, INT4OID, INT4OID, JSONBOID, INT4OID}, .indexed = true, .guarded = true
};

static void
check_right(const VouchVersion *version, const char *actor)
{
	Datum		args[3] = {CStringGetTextDatum(actor), CStringGetTextDatum(ROLE), CStringGetTextDatum(version->scope)};

	if (vouch_stmt_run(&find_right, args, NULL) == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ROLE_MISSING),
				 errmsg("\"%s\" cannot redact items of %s of %s", actor, version->phase_label, version->subject),
				 errdetail("That takes the role %s.", ROLE),
				 errhint("Have an administrator call vouch.grant_role(%s, '%s').", quote_literal_cstr(actor), ROLE)));
}

/* What a policy's rule looks at. */
typedef struct Condition
{
	Jsonb	   *scope;			/* or NULL, each of them */
	Jsonb	   *item;
	const char *group_by;
} Condition;

static Jsonb *
get_jsonb(uint64 row, int col)
{
	bool		isnull;
	Datum		value = vouch_stmt_get(row, col, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

static Jsonb *
keep(Jsonb *mark, Jsonb *what)
{
	return vouch_json_contains(mark, what) ? mark : vouch_json_merge(mark, what);
}

/*
 * Whom an item is put before follows from its payload, for ever: so what stays of it meets the conditions
 * that it met, belongs to the groups that it belonged to, and says no more than that.
 */
static Jsonb *
keep_conditions(const VouchVersion *version, int item_no, int body_no, Jsonb *payload, Jsonb *mark)
{
	VouchPhasePolicy policy;
	Datum		args[5] = {Int32GetDatum(version->bucket), Int32GetDatum(version->artifact_no),
	Int32GetDatum(item_no), Int32GetDatum(body_no)};
	char		nulls[5] = {' ', ' ', ' ', ' ', 'n'};
	Condition  *conditions;
	int			n;

	if (vouch_policy_of_phase(version->phase, version->scope, &policy))
	{
		args[4] = CStringGetTextDatum(policy.policy);
		nulls[4] = ' ';
	}
	n = (int) vouch_stmt_run(&find_conditions, args, nulls);
	conditions = palloc(sizeof(Condition) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		conditions[i].scope = get_jsonb(i, 1);
		conditions[i].item = get_jsonb(i, 2);
		conditions[i].group_by = vouch_stmt_get_text(i, 3);
	}
	/* Groups first: their values are kept as they are. */
	for (int i = 0; i < n; i++)
	{
		const Condition *c = &conditions[i];
		Jsonb	   *value = c->group_by != NULL ? vouch_json_get(payload, c->group_by) : NULL;

		if (value != NULL && (c->scope == NULL || vouch_json_contains(payload, c->scope)))
		{
			VouchJsonBuild build;

			vouch_json_begin(&build);
			vouch_json_put(&build, c->group_by, value);
			mark = keep(mark, vouch_json_end(&build));
		}
	}
	for (int i = 0; i < n; i++)
	{
		const Condition *c = &conditions[i];

		if (c->scope != NULL && !vouch_json_contains(payload, c->scope))
			continue;
		if (c->scope != NULL)
			mark = keep(mark, c->scope);
		if (c->item != NULL && vouch_json_contains(payload, c->item))
			mark = keep(mark, c->item);
	}
	return mark;
}

static char *
required(FunctionCallInfo fcinfo, int arg, const char *name)
{
	char	   *value = PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));

	if (value == NULL || value[0] == '\0')
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("%s must not be empty", name),
				 errdetail("A redaction cannot be undone: it says of which version and item it is, and why."),
				 errhint("vouch.redact_item(version_id, item_key, reason) keeps the reason in the log.")));
	return value;
}

/* A payload of an item. */
typedef struct Body
{
	int			body_no;
	int			item_no;
	const char *hash;
	Jsonb	   *mark;			/* what stays of it: at least the key */
	Jsonb	   *payload;
	int			redacted;		/* the operation that redacted it, or 0 */
	bool		shown;			/* by the version, else by none */
} Body;

/* The payloads of an item that a version can name. */
static Body *
list_bodies(const VouchVersion *version, const char *item_key, int *n)
{
	Datum		args[5] = {Int32GetDatum(version->bucket), Int32GetDatum(version->artifact_no),
		Int32GetDatum(version->version_no), CStringGetTextDatum(item_key), CStringGetTextDatum(version->phase)};
	Body	   *bodies;

	*n = (int) vouch_stmt_run(&find_bodies, args, NULL);
	bodies = palloc(sizeof(Body) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		bodies[i].body_no = vouch_stmt_get_int32(i, 1, 0);
		bodies[i].hash = vouch_stmt_get_text(i, 2);
		bodies[i].mark = get_jsonb(i, 3);
		bodies[i].redacted = vouch_stmt_get_int32(i, 4, 0);
		bodies[i].payload = get_jsonb(i, 5);
		bodies[i].item_no = vouch_stmt_get_int32(i, 6, 0);
		bodies[i].shown = vouch_stmt_get_bool(i, 7, false);
	}
	return bodies;
}

/* Redacts one; returns the operation's number. */
static int
redact(const VouchVersion *version, const Body *body, const char *item_key, const char *reason, const char *actor)
{
	VouchOperation op = {0};
	VouchJsonBuild detail;
	Jsonb	   *mark = body->mark;
	Datum		args[5];
	int			op_no;

	/* what nobody is shown is put before nobody */
	if (body->shown)
		mark = keep_conditions(version, body->item_no, body->body_no, body->payload, mark);
	vouch_json_begin(&detail);
	vouch_json_put_text(&detail, "item_key", item_key);
	vouch_json_put_text(&detail, "reason", reason);
	vouch_json_put_int(&detail, "body", body->body_no);
	vouch_json_put_text(&detail, "body_hash", body->hash);
	vouch_json_put(&detail, "mark", mark);
	op.bucket = version->bucket;
	op.artifact_no = version->artifact_no;
	op.version_no = version->version_no;
	op.operation = "redact_item";
	op.actor = actor;
	op.items = 1;
	op.detail = vouch_json_end(&detail);
	op_no = vouch_ledger_append(&op);

	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = Int32GetDatum(body->body_no);
	args[3] = JsonbPGetDatum(mark);
	args[4] = Int32GetDatum(op_no);
	vouch_stmt_run_one(&redact_body, args, NULL);
	return op_no;
}

/* vouch.redact_item(version_id, item_key, reason, user_id): the number of the last operation */
Datum
vouch_sql_redact_item(PG_FUNCTION_ARGS)
{
	char	   *item_key = required(fcinfo, 1, "item_key");
	char	   *reason = required(fcinfo, 2, "reason");
	const char *actor = vouch_actor_check(PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3)), "user_id");
	VouchVersion *version;
	Body	   *bodies;
	int			n;
	int			op_no = 0;

	if (PG_ARGISNULL(0))
		(void) required(fcinfo, 0, "version_id");
	vouch_check_text(reason, "reason");
	SPI_connect();
	version = vouch_version_lock(PG_GETARG_UUID_P(0));
	vouch_rights_lock(actor);
	check_right(version, actor);
	bodies = list_bodies(version, item_key, &n);
	if (n == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_UNKNOWN_ITEM),
				 errmsg("version %d of %s of %s has no item \"%s\"", version->version_no, version->phase_label,
						version->subject, item_key),
				 errhint("vouch.version_items() lists what it has.")));
	for (int i = 0; i < n; i++)
		if (bodies[i].redacted == 0)
			op_no = redact(version, &bodies[i], item_key, reason, actor);
	if (op_no == 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("item \"%s\" is redacted already", item_key),
				 errdetail("Operation %d did it.", bodies[n - 1].redacted),
				 errhint("If the item had other payloads in other versions, pass such a version.")));
	SPI_finish();
	PG_RETURN_INT32(op_no);
}
