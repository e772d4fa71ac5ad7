/*
 * redact.c
 *	  Takes a payload out of the database and leaves its hash.
 *
 * Everything that was ever computed over the payload (content digests,
 * signatures, the log, blocks, receipts) was computed over its hash, so it all
 * stays verifiable.  The salt goes with the payload: what is left says nothing
 * of it, not even to who guesses.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/json.h"
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

/* The payload that a version shows, and by which operation it is redacted already. */
static VouchStmt find_body = {
	"SELECT d.body_no, encode(b.body_hash, 'hex'), jsonb_build_object(f.item_key, i.item_key),"
	" (SELECT max(o.op_no) FROM vouch_data.operation o WHERE o.bucket = $1 AND o.artifact_no = $2"
	"  AND o.operation = 'redact_item' AND o.error IS NULL AND o.detail->>'body' = d.body_no::text)"
	" FROM vouch_data.item i, vouch_data.decision d, vouch_data.item_body b, vouch_data.phase f"
	" WHERE i.bucket = $1 AND i.artifact_no = $2 AND i.item_key = $4"
	" AND d.bucket = $1 AND d.artifact_no = $2 AND d.item_no = i.item_no AND d.stage = 1"
	" AND d.from_no <= $3 AND d.to_no > $3"
	" AND b.bucket = $1 AND b.artifact_no = $2 AND b.body_no = d.body_no AND f.phase = $5",
	SPI_OK_SELECT, 5, {INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID}, .indexed = true
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

static char *
required(FunctionCallInfo fcinfo, int arg, const char *name)
{
	char	   *value = PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));

	if (value == NULL || value[0] == '\0')
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("%s must not be empty", name),
				 errhint("vouch.redact_item(version_id, item_key, reason) keeps the reason in the log.")));
	return value;
}

/* vouch.redact_item(version_id, item_key, reason, user_id): the operation's number */
Datum
vouch_sql_redact_item(PG_FUNCTION_ARGS)
{
	char	   *item_key = required(fcinfo, 1, "item_key");
	char	   *reason = required(fcinfo, 2, "reason");
	const char *actor = vouch_actor_check(PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3)), "user_id");
	VouchVersion *version;
	VouchOperation op = {0};
	VouchJsonBuild detail;
	Jsonb	   *mark;
	Datum		args[5];
	int			body_no;
	int			op_no;

	if (PG_ARGISNULL(0))
		(void) required(fcinfo, 0, "version_id");
	SPI_connect();
	version = vouch_version_lock(PG_GETARG_UUID_P(0));
	check_right(version, actor);
	args[0] = Int32GetDatum(version->bucket);
	args[1] = Int32GetDatum(version->artifact_no);
	args[2] = Int32GetDatum(version->version_no);
	args[3] = CStringGetTextDatum(item_key);
	args[4] = CStringGetTextDatum(version->phase);
	if (vouch_stmt_run(&find_body, args, NULL) != 1)
		ereport(ERROR,
				(errcode(VOUCH_ERR_UNKNOWN_ITEM),
				 errmsg("version %d of %s of %s has no item \"%s\"", version->version_no, version->phase_label,
						version->subject, item_key),
				 errhint("vouch.version_items() lists what it has.")));
	if (vouch_stmt_get_int32(0, 4, 0) != 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("item \"%s\" is redacted already", item_key),
				 errdetail("Operation %d did it.", vouch_stmt_get_int32(0, 4, 0)),
				 errhint("If the item had other payloads in other versions, pass such a version.")));
	body_no = vouch_stmt_get_int32(0, 1, 0);
	mark = DatumGetJsonbPCopy(vouch_stmt_get(0, 3, NULL));

	vouch_json_begin(&detail);
	vouch_json_put_text(&detail, "item_key", item_key);
	vouch_json_put_text(&detail, "reason", reason);
	vouch_json_put_int(&detail, "body", body_no);
	vouch_json_put_text(&detail, "body_hash", vouch_stmt_get_text(0, 2));
	vouch_json_put(&detail, "mark", mark);
	op.bucket = version->bucket;
	op.artifact_no = version->artifact_no;
	op.version_no = version->version_no;
	op.operation = "redact_item";
	op.actor = actor;
	op.items = 1;
	op.detail = vouch_json_end(&detail);
	op_no = vouch_ledger_append(&op);

	args[2] = Int32GetDatum(body_no);
	args[3] = JsonbPGetDatum(mark);
	args[4] = Int32GetDatum(op_no);
	vouch_stmt_run_one(&redact_body, args, NULL);
	SPI_finish();
	PG_RETURN_INT32(op_no);
}
