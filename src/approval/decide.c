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
#include "core/limits.h"
#include "core/stmt.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
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
 * Rules for parts of the version let their signers decide on those parts only;
 * whoever may sign for all of it may decide on all.
 */
static void
restrict_to_parts(Reviewer *reviewer)
{
	VouchRequest *request = reviewer->request;
	const VouchPolicy *policy = request->rights->policy;
	bool	   *mine = palloc0(sizeof(bool) * request->input.nparts);
	VouchPart  *only = palloc(sizeof(VouchPart) * request->input.nparts);
	int			n = 0;

	for (int i = 0; i < policy->nstages; i++)
	{
		const VouchStageResult *stage = &request->evaluation->stages[i];

		if (!stage->open || stage->satisfied || vouch_stage_verdicts(stage->stage) != reviewer->stage)
			continue;
		for (int r = 0; r < stage->stage->nrules; r++)
			for (int j = 0; j < stage->rules[r].ncandidates; j++)
			{
				const VouchCandidate *c = &stage->rules[r].candidates[j];
				const VouchAsked *asked = stage->rules[r].asked;

				if (!may_decide(c) || strcmp(c->actor, reviewer->actor) != 0 ||
					(c->acting_for == NULL) != (reviewer->acting_for == NULL) ||
					(c->acting_for != NULL && strcmp(c->acting_for, reviewer->acting_for) != 0))
					continue;
				if (asked->ngroups == 0)
					mine[asked->parts[0]] = true;
				for (int g = 0; g < asked->ngroups; g++)
					if (vouch_candidate_covers(&request->input, c, asked->groups[g]))
						mine[asked->parts[g]] = true;
			}
	}
	for (int i = 0; i < request->input.nparts; i++)
		if (mine[i] && vouch_part_is_whole(&request->parts[i]))
			return;
		else if (mine[i])
			only[n++] = request->parts[i];
	request->version->only = only;
	request->version->nonly = n;
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

	vouch_rights_lock(actor);
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
					reviewer->stage = vouch_stage_verdicts(stage->stage);
					restrict_to_parts(reviewer);
					return;
				}
		}
	vouch_request_refuse(request, actor, "decide on");
}

/*
 * Verdicts may be what a signature by rule, or one that is carried, waited
 * for; and what makes a signature stale may open its stage again, with the
 * time that it has.
 */
static void
settle(Reviewer *reviewer)
{
	VouchRequest *request = reviewer->request;
	TimestampTz now = GetCurrentTimestamp();
	const VouchPolicy *policy = request->rights->policy;
	bool		follows = vouch_policy_carries(policy) || vouch_policy_is_timed(policy);

	for (int i = 0; i < request->rights->policy->nstages; i++)
		for (int r = 0; r < request->rights->policy->stages[i].nrules; r++)
			if (strcmp(request->rights->policy->stages[i].rules[r].role, VOUCH_ROLE_AUTO) == 0)
				follows = true;
	if (!follows)
		return;
	request->measured = false;
	vouch_request_measure(request);
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
				 errdetail("It says which version is meant."),
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

/* A jsonpath, or an error that says which parameter it is in. */
static Datum
read_path(char *path)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		result = (Datum) 0;

	/* it only parses: there is nothing to undo */
	PG_TRY();
	{
		result = DirectFunctionCall1(jsonpath_in, CStringGetDatum(path));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION ||
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES)
			PG_RE_THROW();
		FlushErrorState();
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("filter is not a valid jsonpath"),
				 errdetail("\"%.*s\": %s.", pg_mbcliplen(path, strlen(path), 80), path, error->message),
				 errhint("Write something like '\"$.null_rate > 0.5\"', or pass an object that payloads are to contain.")));
	}
	PG_END_TRY();
	return result;
}

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
	VouchWhere	where = {0};
	JsonbValue	scalar;
	int64		n;

	if (status == NULL || (strcmp(status, "approved") != 0 && strcmp(status, "rejected") != 0 &&
						   strcmp(status, "needs_changes") != 0))
		ereport(ERROR,
				(errcode(VOUCH_ERR_BAD_DECISION),
				 errmsg("\"%s\" is no verdict", status ? status : "null"),
				 errdetail("It would be the verdict on all items that match; nothing was written."),
				 errhint("It may be approved, rejected or needs_changes.")));
	vouch_check_text(notes, "notes");
	where.verdict = status;
	where.notes = notes;
	where.only_undecided = only_undecided;
	if (filter != NULL && vouch_json_is_object(filter))
		where.contained = filter;
	else if (filter != NULL && JB_ROOT_IS_SCALAR(filter) &&
			 JsonbExtractScalar(&filter->root, &scalar) && scalar.type == jbvString)
		where.path = read_path(pnstrdup(scalar.val.string.val, scalar.val.string.len));
	else if (filter != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("filter must be an object or a jsonpath"),
				 errdetail("Items match whose payload contains the object, or of whose payload the jsonpath is true or finds something."),
				 errhint("For example: '{\"risk_rating\": \"low\"}', or '\"$.null_rate > 0.5\"'.")));

	SPI_connect();
	find_reviewer(&reviewer, id, actor);
	n = vouch_version_decide_where(reviewer.request->version, reviewer.stage, &where,
								   actor, reviewer.acting_for);
	if (n > 0)
		settle(&reviewer);
	SPI_finish();
	PG_RETURN_INT32((int32) n);
}
