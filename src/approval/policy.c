/*
 * policy.c
 *	  Policies in their tables: defined, loaded, and set for phases.
 */
#include "postgres.h"

#include "approval/policy.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "core/actor.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/json.h"
#include "core/stmt.h"
#include "utils/array.h"
#include "utils/builtins.h"

VOUCH_FUNCTION(vouch_sql_define_policy);

/* ---- arrays ------------------------------------------------------------------- */

Datum
vouch_text_array(const char **values, int n)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		elements[i] = CStringGetTextDatum(values[i]);
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

int
vouch_text_array_get(Datum array, const char ***values)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	*values = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
		(*values)[i] = nulls[i] ? "" : TextDatumGetCString(elements[i]);
	return n;
}

/* ---- loading ------------------------------------------------------------------ */

static VouchStmt load_policy = {
	"SELECT revision, description, items, allow_empty FROM vouch_data.policy"
	" WHERE policy = $1 AND ($2 = 0 OR revision = $2) ORDER BY revision DESC LIMIT 1",
	SPI_OK_SELECT, 2, {TEXTOID, INT4OID}
};

#define MICROSECONDS(column) "(extract(epoch FROM " column ") * 1000000)::bigint"

static VouchStmt load_stages = {
	"SELECT stage_no, name, after_stage, on_reject = 'return',"
	" " MICROSECONDS("due") ", " MICROSECONDS("escalate_after") ", escalate_to,"
	" " MICROSECONDS("remind_every") ", " MICROSECONDS("expire_after")
	" FROM vouch_data.policy_stage WHERE policy = $1 AND revision = $2 ORDER BY stage_no",
	SPI_OK_SELECT, 2, {TEXTOID, INT4OID}
};

static VouchStmt load_rules = {
	"SELECT stage_no, rule_no, role, quorum, groups, meaning, exclude_creator, exclude_contributors,"
	" exclude_submitter, exclude_other_signers, " MICROSECONDS("reauth_max_age") ", delegable, veto,"
	" group_by, scope, applies_if, carry, " MICROSECONDS("ttl") ", several_groups"
	" FROM vouch_data.policy_rule WHERE policy = $1 AND revision = $2 ORDER BY stage_no, rule_no",
	SPI_OK_SELECT, 2, {TEXTOID, INT4OID}
};

static VouchStmt load_phase_policy = {
	"SELECT policy, maker_role FROM (SELECT DISTINCT ON (scope) scope, policy, maker_role"
	" FROM vouch_data.phase_policy WHERE phase = $1 AND scope IN ($2, '')"
	" ORDER BY scope, set_no DESC) p WHERE policy IS NOT NULL ORDER BY scope DESC LIMIT 1",
	SPI_OK_SELECT, 2, {TEXTOID, TEXTOID}
};

static VouchItemRule
item_rule(const char *name)
{
	if (strcmp(name, "none") == 0)
		return VOUCH_ITEMS_NONE;
	if (strcmp(name, "decided") == 0)
		return VOUCH_ITEMS_DECIDED;
	return VOUCH_ITEMS_ALL_APPROVED;
}

static int
get_int_array(uint64 row, int col, int **values)
{
	Datum	   *elements;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(vouch_stmt_get(row, col, NULL)), INT4OID, 4, true,
					  TYPALIGN_INT, &elements, NULL, &n);
	*values = palloc(sizeof(int) * Max(n, 1));
	for (int i = 0; i < n; i++)
		(*values)[i] = DatumGetInt32(elements[i]);
	return n;
}

static Jsonb *
get_jsonb(uint64 row, int col)
{
	bool		isnull;
	Datum		value = vouch_stmt_get(row, col, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

VouchPolicy *
vouch_policy_load(const char *name, int revision)
{
	VouchPolicy *policy;
	Datum		args[2];
	uint64		nrules;

	args[0] = CStringGetTextDatum(name);
	args[1] = Int32GetDatum(revision);
	if (vouch_stmt_run(&load_policy, args, NULL) == 0)
		return NULL;
	policy = palloc0(sizeof(VouchPolicy));
	policy->name = pstrdup(name);
	policy->revision = vouch_stmt_get_int32(0, 1, 0);
	policy->description = vouch_stmt_get_text(0, 2);
	policy->items = item_rule(vouch_stmt_get_text(0, 3));
	policy->allow_empty = vouch_stmt_get_bool(0, 4, false);

	args[1] = Int32GetDatum(policy->revision);
	policy->nstages = (int) vouch_stmt_run(&load_stages, args, NULL);
	policy->stages = palloc0(sizeof(VouchStage) * Max(policy->nstages, 1));
	for (int i = 0; i < policy->nstages; i++)
	{
		VouchStage *stage = &policy->stages[i];

		stage->stage_no = vouch_stmt_get_int32(i, 1, 0);
		stage->name = vouch_stmt_get_text(i, 2);
		stage->nafter = get_int_array(i, 3, &stage->after);
		stage->may_return = vouch_stmt_get_bool(i, 4, false);
		stage->due = vouch_stmt_get_int64(i, 5, -1);
		stage->escalate_after = vouch_stmt_get_int64(i, 6, -1);
		stage->escalate_to = vouch_stmt_get_text(i, 7);
		stage->remind_every = vouch_stmt_get_int64(i, 8, -1);
		stage->expire_after = vouch_stmt_get_int64(i, 9, -1);
	}

	nrules = vouch_stmt_run(&load_rules, args, NULL);
	for (int i = 0; i < policy->nstages; i++)
	{
		VouchStage *stage = &policy->stages[i];

		stage->rules = palloc0(sizeof(VouchRule) * Max(nrules, 1));
		for (uint64 r = 0; r < nrules; r++)
		{
			VouchRule  *rule;
			Jsonb	   *condition;
			Datum		groups;
			bool		isnull;

			if (vouch_stmt_get_int32(r, 1, 0) != stage->stage_no)
				continue;
			rule = &stage->rules[stage->nrules++];
			rule->index = policy->nrules++;
			rule->rule_no = vouch_stmt_get_int32(r, 2, 0);
			rule->role = vouch_stmt_get_text(r, 3);
			rule->quorum = vouch_stmt_get_int32(r, 4, 1);
			groups = vouch_stmt_get(r, 5, &isnull);
			if (!isnull)
				rule->ngroups = vouch_text_array_get(groups, &rule->groups);
			rule->meaning = vouch_stmt_get_text(r, 6);
			rule->not_creator = vouch_stmt_get_bool(r, 7, true);
			rule->not_contributors = vouch_stmt_get_bool(r, 8, true);
			rule->not_submitter = vouch_stmt_get_bool(r, 9, true);
			rule->not_other_signers = vouch_stmt_get_bool(r, 10, true);
			rule->reauth_max_age = vouch_stmt_get_int64(r, 11, -1);
			rule->delegable = vouch_stmt_get_bool(r, 12, false);
			rule->veto = vouch_stmt_get_bool(r, 13, true);
			rule->group_by = vouch_stmt_get_text(r, 14);
			rule->scope = get_jsonb(r, 15);
			condition = get_jsonb(r, 16);
			rule->applies_if = condition != NULL ? vouch_condition_read(condition) : NULL;
			rule->carry = vouch_stmt_get_bool(r, 17, false);
			rule->ttl = vouch_stmt_get_int64(r, 18, -1);
			rule->several_groups = vouch_stmt_get_bool(r, 19, false);
		}
	}
	return policy;
}

bool
vouch_policy_of_phase(const char *phase, const char *scope, VouchPhasePolicy *result)
{
	Datum		args[2];

	args[0] = CStringGetTextDatum(phase);
	args[1] = CStringGetTextDatum(scope);
	if (vouch_stmt_run(&load_phase_policy, args, NULL) == 0)
		return false;
	result->policy = vouch_stmt_get_text(0, 1);
	result->maker_role = vouch_stmt_get_text(0, 2);
	return true;
}

Datum
vouch_policy_roles(const VouchPolicy *policy)
{
	const char **roles;
	int			n = 0;
	int			max = 0;

	for (int i = 0; i < policy->nstages; i++)
		max += policy->stages[i].nrules + 1;
	roles = palloc(sizeof(char *) * Max(max, 1));
	for (int i = 0; i < policy->nstages; i++)
	{
		for (int r = 0; r < policy->stages[i].nrules; r++)
			if (strcmp(policy->stages[i].rules[r].role, VOUCH_ROLE_AUTO) != 0)
				roles[n++] = policy->stages[i].rules[r].role;
		if (policy->stages[i].escalate_to != NULL)
			roles[n++] = policy->stages[i].escalate_to;
	}
	return vouch_text_array(roles, n);
}

/* ---- defining ------------------------------------------------------------------ */

static VouchStmt find_unknown_roles = {
	"SELECT string_agg(DISTINCT quote_ident(r), ', '),"
	" (SELECT string_agg(role, ', ' ORDER BY role) FROM vouch_data.role)"
	" FROM unnest($1::text[]) r WHERE NOT EXISTS (SELECT FROM vouch_data.role k WHERE k.role = r)",
	SPI_OK_SELECT, 1, {TEXTARRAYOID}
};

/* One definition at a time; readers are not held up. */
static VouchStmt lock_policies = {
	"LOCK TABLE vouch_data.policy IN SHARE ROW EXCLUSIVE MODE",
	SPI_OK_UTILITY, 0
};

static VouchStmt find_current = {
	"SELECT revision, definition = $2 FROM vouch_data.policy WHERE policy = $1 ORDER BY revision DESC LIMIT 1",
	SPI_OK_SELECT, 2, {TEXTOID, JSONBOID}
};

static VouchStmt insert_policy = {
	"INSERT INTO vouch_data.policy (policy, revision, description, items, allow_empty, definition, created_by, created_at, shipped)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp(), $8)",
	SPI_OK_INSERT, 8, {TEXTOID, INT4OID, TEXTOID, TEXTOID, BOOLOID, JSONBOID, TEXTOID, BOOLOID},
	.guarded = true
};

static VouchStmt insert_stage = {
	"INSERT INTO vouch_data.policy_stage (policy, revision, stage_no, name, after_stage, on_reject, due, escalate_after, escalate_to,"
	"  remind_every, expire_after)"
	" VALUES ($1, $2, $3, $4, $5, $6, justify_hours($7 * interval '1 microsecond'), justify_hours($8 * interval '1 microsecond'), $9,"
	"  justify_hours($10 * interval '1 microsecond'), justify_hours($11 * interval '1 microsecond'))",
	SPI_OK_INSERT, 11, {TEXTOID, INT4OID, INT4OID, TEXTOID, INT4ARRAYOID, TEXTOID, INT8OID, INT8OID, TEXTOID, INT8OID, INT8OID},
	.guarded = true
};

static VouchStmt insert_rule = {
	"INSERT INTO vouch_data.policy_rule (policy, revision, stage_no, rule_no, role, quorum, groups, meaning,"
	" exclude_creator, exclude_contributors, exclude_submitter, exclude_other_signers, reauth_max_age, delegable, veto,"
	"  group_by, scope, applies_if, carry, ttl, several_groups)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, justify_hours($13 * interval '1 microsecond'), $14, $15,"
	"  $16, $17, $18, $19, justify_hours($20 * interval '1 microsecond'), $21)",
	SPI_OK_INSERT, 21, {TEXTOID, INT4OID, INT4OID, INT4OID, TEXTOID, INT4OID, TEXTARRAYOID, TEXTOID,
	BOOLOID, BOOLOID, BOOLOID, BOOLOID, INT8OID, BOOLOID, BOOLOID,
	TEXTOID, JSONBOID, JSONBOID, BOOLOID, INT8OID, BOOLOID},
	.guarded = true
};

static void
check_roles(const VouchPolicy *policy)
{
	Datum		args[1];
	char	   *unknown;

	args[0] = vouch_policy_roles(policy);
	vouch_stmt_run_one(&find_unknown_roles, args, NULL);
	unknown = vouch_stmt_get_text(0, 1);
	if (unknown != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_BAD_POLICY),
				 errmsg("policy \"%s\" is not valid: no role is named %s", policy->name, unknown),
				 errdetail("The roles are %s.", vouch_stmt_get_text(0, 2)),
				 errhint("Add a role with vouch.define_role().")));
}

static void
store_stage(const VouchPolicy *policy, const VouchStage *stage)
{
	Datum		args[21];
	char		nulls[21];
	Datum	   *after = palloc(sizeof(Datum) * Max(stage->nafter, 1));

	for (int i = 0; i < stage->nafter; i++)
		after[i] = Int32GetDatum(stage->after[i]);
	memset(nulls, ' ', sizeof(nulls));
	args[0] = CStringGetTextDatum(policy->name);
	args[1] = Int32GetDatum(policy->revision);
	args[2] = Int32GetDatum(stage->stage_no);
	args[3] = CStringGetTextDatum(stage->name);
	args[4] = PointerGetDatum(construct_array(after, stage->nafter, INT4OID, 4, true, TYPALIGN_INT));
	args[5] = CStringGetTextDatum(stage->may_return ? "return" : "reject");
	args[6] = Int64GetDatum(stage->due);
	nulls[6] = stage->due < 0 ? 'n' : ' ';
	args[7] = Int64GetDatum(stage->escalate_after);
	nulls[7] = stage->escalate_after < 0 ? 'n' : ' ';
	args[8] = stage->escalate_to ? CStringGetTextDatum(stage->escalate_to) : (Datum) 0;
	nulls[8] = stage->escalate_to ? ' ' : 'n';
	args[9] = Int64GetDatum(stage->remind_every);
	nulls[9] = stage->remind_every < 0 ? 'n' : ' ';
	args[10] = Int64GetDatum(stage->expire_after);
	nulls[10] = stage->expire_after < 0 ? 'n' : ' ';
	(void) vouch_stmt_run(&insert_stage, args, nulls);

	memset(nulls, ' ', sizeof(nulls));
	for (int r = 0; r < stage->nrules; r++)
	{
		const VouchRule *rule = &stage->rules[r];

		args[3] = Int32GetDatum(rule->rule_no);
		args[4] = CStringGetTextDatum(rule->role);
		args[5] = Int32GetDatum(rule->quorum);
		args[6] = vouch_text_array(rule->groups, rule->ngroups);
		nulls[6] = rule->ngroups > 0 ? ' ' : 'n';
		args[7] = CStringGetTextDatum(rule->meaning);
		args[8] = BoolGetDatum(rule->not_creator);
		args[9] = BoolGetDatum(rule->not_contributors);
		args[10] = BoolGetDatum(rule->not_submitter);
		args[11] = BoolGetDatum(rule->not_other_signers);
		args[12] = Int64GetDatum(rule->reauth_max_age);
		nulls[12] = rule->reauth_max_age < 0 ? 'n' : ' ';
		args[13] = BoolGetDatum(rule->delegable);
		args[14] = BoolGetDatum(rule->veto);
		args[15] = rule->group_by ? CStringGetTextDatum(rule->group_by) : (Datum) 0;
		nulls[15] = rule->group_by ? ' ' : 'n';
		args[16] = rule->scope ? JsonbPGetDatum(rule->scope) : (Datum) 0;
		nulls[16] = rule->scope ? ' ' : 'n';
		args[17] = rule->applies_if ? JsonbPGetDatum(vouch_condition_to_json(rule->applies_if)) : (Datum) 0;
		nulls[17] = rule->applies_if ? ' ' : 'n';
		args[18] = BoolGetDatum(rule->carry);
		args[20] = BoolGetDatum(rule->several_groups);
		args[19] = Int64GetDatum(rule->ttl);
		nulls[19] = rule->ttl < 0 ? 'n' : ' ';
		(void) vouch_stmt_run(&insert_rule, args, nulls);
	}
}

/* vouch.define_policy(name text, definition jsonb) returns int */
Datum
vouch_sql_define_policy(PG_FUNCTION_ARGS)
{
	char	   *name;
	Jsonb	   *definition;
	VouchPolicy *policy;
	const char *actor = creating_extension ? "vouch" : vouch_actor_current();
	Datum		args[8];

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(VOUCH_ERR_BAD_POLICY),
				 errmsg("a policy needs a name and a definition"),
				 errdetail("One of them is null."),
				 errhint("docs/approval.md shows the form of a definition.")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name) || name[0] == '\0' ||
		strlen(name) > 63)
		ereport(ERROR,
				(errcode(VOUCH_ERR_BAD_POLICY),
				 errmsg("\"%s\" cannot be the name of a policy", name),
				 errdetail("Phases and requests name a policy by it."),
				 errhint("Use lower case letters, digits and underscores, 63 at most.")));
	policy = vouch_policy_parse(name, PG_GETARG_JSONB_P(1));
	if (policy->description == NULL)
		policy->description = name;
	definition = vouch_policy_to_json(policy);

	SPI_connect();
	check_roles(policy);
	(void) vouch_stmt_run(&lock_policies, NULL, NULL);
	args[0] = CStringGetTextDatum(name);
	args[1] = JsonbPGetDatum(definition);
	policy->revision = 1;
	if (vouch_stmt_run(&find_current, args, NULL) > 0)
	{
		policy->revision = vouch_stmt_get_int32(0, 1, 0);
		if (vouch_stmt_get_bool(0, 2, false))
		{
			SPI_finish();
			PG_RETURN_INT32(policy->revision);
		}
		policy->revision++;
	}
	args[1] = Int32GetDatum(policy->revision);
	args[2] = CStringGetTextDatum(policy->description);
	args[3] = CStringGetTextDatum(vouch_item_rule_name(policy->items));
	args[4] = BoolGetDatum(policy->allow_empty);
	args[5] = JsonbPGetDatum(definition);
	args[6] = CStringGetTextDatum(actor);
	args[7] = BoolGetDatum(creating_extension);
	(void) vouch_stmt_run(&insert_policy, args, NULL);
	for (int i = 0; i < policy->nstages; i++)
		store_stage(policy, &policy->stages[i]);
	SPI_finish();
	PG_RETURN_INT32(policy->revision);
}
