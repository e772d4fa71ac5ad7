/*
 * decide.c
 *	  Who may enter verdicts on items: those who may sign the version's open
 *	  stage.
 */
#include "postgres.h"

#include "approval/request.h"
#include "catalog/pg_type.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "core/json.h"
#include "core/stmt.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_decide);
VOUCH_FUNCTION(vouch_sql_decide_where);

/* Somebody who may decide, and in which reviewing stage's name. */
typedef struct Reviewer
{
	VouchRequest *request;
	const char *actor;
	const char *acting_for;		/* or NULL */
	int			stage;			/* of the verdicts */
} Reviewer;

/* Verdicts are changed, too, in a stage that has its signatures while another is open: those turn stale. */
static bool
may_decide(const VouchCandidate *c)
{
	return c->eligible && c->why != VOUCH_WHY_CLOSED && c->why != VOUCH_WHY_STAGE;
}

/*
 * Locks the version, and finds the first open stage that the actor may sign:
 * in their own right, else for somebody.  Raises when there is none.
 */
static void
find_reviewer(Reviewer *reviewer, const pg_uuid_t *id, const char *actor)
{
	VouchVersion *version = vouch_version_lock(id);
	VouchRequest *request;

	/* the time is taken under the lock: a delegation may have ended while we waited */
	request = vouch_request_load(version, actor, NULL, GetCurrentTimestamp());
	vouch_request_require_open(request, "decide on");
	reviewer->request = request;
	reviewer->actor = actor;
	for (int own = 1; own >= 0; own--)
		for (int i = 0; i < request->rights->policy->nstages; i++)
		{
			const VouchStageResult *stage = &request->evaluation->stages[i];

			if (!stage->open || stage->satisfied)
				continue;
			for (int r = 0; r < stage->stage->nrules; r++)
				for (int j = 0; j < stage->rules[r].ncandidates; j++)
				{
					const VouchCandidate *c = &stage->rules[r].candidates[j];

					if (!may_decide(c) || strcmp(c->actor, actor) != 0 ||
						(c->acting_for == NULL) != (own == 1))
						continue;
					reviewer->acting_for = c->acting_for;
					/* Stages that are open from the start share one set of verdicts; later ones have their own. */
					reviewer->stage = stage->stage->nafter > 0 ? stage->stage->stage_no : 1;
					return;
				}
		}
	vouch_request_refuse(request, actor, "decide on");
}

/* Verdicts may be what a signature by rule waited for. */
static void
settle(Reviewer *reviewer)
{
	VouchRequest *request = reviewer->request;
	TimestampTz now = GetCurrentTimestamp();
	bool		automatic = false;

	for (int i = 0; i < request->rights->policy->nstages; i++)
		for (int r = 0; r < request->rights->policy->stages[i].nrules; r++)
			if (strcmp(request->rights->policy->stages[i].rules[r].role, VOUCH_ROLE_AUTO) == 0)
				automatic = true;
	if (!automatic)
		return;
	vouch_version_digest(request->version, &request->input.digest);
	vouch_request_refresh(request, now);
	vouch_request_settle(request, reviewer->actor, reviewer->acting_for, NULL, now);
}

static pg_uuid_t *
arg_version(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("version_id must not be null"),
				 errhint("Pass the id that vouch.create_version() or vouch.version_history() returned.")));
	return PG_GETARG_UUID_P(0);
}

static char *
arg_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* vouch.decide(version_id uuid, decisions jsonb, user_id text) returns int */
Datum
vouch_sql_decide(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = arg_version(fcinfo);
	Jsonb	   *decisions = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);
	const char *actor = vouch_actor_check(arg_text(fcinfo, 2), "user_id");
	Reviewer	reviewer = {0};
	int64		n;

	SPI_connect();
	find_reviewer(&reviewer, id, actor);
	n = vouch_version_decide(reviewer.request->version, reviewer.stage, decisions,
							 actor, reviewer.acting_for);
	settle(&reviewer);
	SPI_finish();
	PG_RETURN_INT32((int32) n);
}

/*
 * Keys of the items that match, each with the same verdict, as vouch.decide()
 * takes them.  OFFSET 0 keeps each lookup one by key, whatever the statistics.
 */
static VouchStmt find_items = {
	"SELECT coalesce(jsonb_object_agg(i.item_key, $9::jsonb), '{}'), count(*)"
	" FROM vouch_data.decision d"
	" CROSS JOIN LATERAL (SELECT x.item_key FROM vouch_data.item x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = d.item_no OFFSET 0) i"
	" CROSS JOIN LATERAL (SELECT x.payload FROM vouch_data.item_body x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.body_no = d.body_no OFFSET 0) b"
	" LEFT JOIN LATERAL (SELECT x.status FROM vouch_data.decision x"
	"  WHERE x.bucket = $1 AND x.artifact_no = $2 AND x.item_no = d.item_no AND x.stage = $4"
	"   AND x.from_no <= $3 AND x.to_no > $3 OFFSET 0) e ON true"
	" WHERE d.bucket = $1 AND d.artifact_no = $2 AND d.stage = 1 AND d.from_no <= $3 AND d.to_no > $3"
	" AND ($5 IS NULL OR b.payload @> $5)"
	" AND ($6 IS NULL OR coalesce(jsonb_path_query_first(b.payload, $6, '{}', true), 'false') NOT IN ('false', 'null'))"
	" AND (NOT $7 OR coalesce(e.status, 'pending') IN ('pending', 'needs_changes'))"
	" AND coalesce(e.status, 'pending')::text <> $8",
	SPI_OK_SELECT, 9, {INT4OID, INT4OID, INT4OID, INT2OID, JSONBOID, JSONPATHOID, BOOLOID, TEXTOID, JSONBOID},
	.indexed = true
};

/* vouch.decide_where(version_id, status, filter, notes, user_id, only_undecided) returns int */
Datum
vouch_sql_decide_where(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = arg_version(fcinfo);
	char	   *status = arg_text(fcinfo, 1);
	Jsonb	   *filter = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	char	   *notes = arg_text(fcinfo, 3);
	const char *actor = vouch_actor_check(arg_text(fcinfo, 4), "user_id");
	bool		only_undecided = PG_ARGISNULL(5) || PG_GETARG_BOOL(5);
	Reviewer	reviewer = {0};
	VouchJsonBuild verdict;
	JsonbValue	scalar;
	Datum		args[9];
	char		nulls[9];
	int64		n = 0;

	if (status == NULL || (strcmp(status, "approved") != 0 && strcmp(status, "rejected") != 0 &&
						   strcmp(status, "needs_changes") != 0))
		ereport(ERROR,
				(errcode(VOUCH_ERR_BAD_DECISION),
				 errmsg("\"%s\" is no verdict", status ? status : "null"),
				 errhint("It may be approved, rejected or needs_changes.")));
	memset(nulls, ' ', sizeof(nulls));
	nulls[4] = nulls[5] = 'n';
	args[4] = args[5] = (Datum) 0;
	if (filter != NULL && vouch_json_is_object(filter))
	{
		args[4] = JsonbPGetDatum(filter);
		nulls[4] = ' ';
	}
	else if (filter != NULL && JB_ROOT_IS_SCALAR(filter) &&
			 JsonbExtractScalar(&filter->root, &scalar) && scalar.type == jbvString)
	{
		args[5] = DirectFunctionCall1(jsonpath_in,
									  CStringGetDatum(pnstrdup(scalar.val.string.val, scalar.val.string.len)));
		nulls[5] = ' ';
	}
	else if (filter != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("filter must be an object or a jsonpath"),
				 errhint("For example: '{\"risk_rating\": \"low\"}', or '\"$.null_rate > 0.5\"'.")));

	SPI_connect();
	find_reviewer(&reviewer, id, actor);
	vouch_json_begin(&verdict);
	vouch_json_put_text(&verdict, "decision", status);
	if (notes != NULL)
		vouch_json_put_text(&verdict, "notes", notes);
	args[0] = Int32GetDatum(reviewer.request->version->bucket);
	args[1] = Int32GetDatum(reviewer.request->version->artifact_no);
	args[2] = Int32GetDatum(reviewer.request->version->version_no);
	args[3] = Int16GetDatum(reviewer.stage);
	args[6] = BoolGetDatum(only_undecided);
	args[7] = CStringGetTextDatum(status);
	args[8] = JsonbPGetDatum(vouch_json_end(&verdict));
	vouch_stmt_run_one(&find_items, args, nulls);
	if (vouch_stmt_get_int64(0, 2, 0) > 0)
	{
		Jsonb	   *decisions = DatumGetJsonbPCopy(vouch_stmt_get(0, 1, NULL));

		n = vouch_version_decide(reviewer.request->version, reviewer.stage, decisions,
								 actor, reviewer.acting_for);
		settle(&reviewer);
	}
	SPI_finish();
	PG_RETURN_INT32((int32) n);
}
