/*
 * asked.c
 *	  What a policy asks of one version.  Found when it is submitted, which
 *	  freezes its items and metadata, and kept with the request: so a request
 *	  says for ever which rules applied to it, and why others did not.
 */
#include "postgres.h"

#include "approval/asked.h"
#include "approval/candidate.h"
#include "core/errors.h"
#include "core/json.h"

#define MAX_GROUPS 1000

bool
vouch_policy_is_plain(const VouchPolicy *policy)
{
	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
		{
			const VouchRule *rule = &policy->stages[i].rules[r];

			if (rule->scope != NULL || rule->group_by != NULL || rule->applies_if != NULL)
				return false;
		}
	return true;
}

/* Why a rule does not apply, as a sentence without its stop; NULL if it does. */
static char *
find_why_not(const VouchVersion *version, const VouchRule *rule)
{
	const VouchCondition *condition = rule->applies_if;
	int64		n;

	if (rule->scope != NULL && vouch_version_count_items(version, rule->scope, NULL) == 0)
		return psprintf("no item contains %s", vouch_json_to_text(rule->scope));
	if (condition == NULL)
		return NULL;
	if (condition->metadata != NULL &&
		(!vouch_json_is_object(version->metadata) || !vouch_json_contains(version->metadata, condition->metadata)))
		return psprintf("the version's metadata does not contain %s", vouch_json_to_text(condition->metadata));
	if (condition->min_items == 0)
		return NULL;
	n = vouch_version_count_items(version, rule->scope, condition->item);
	if (n >= condition->min_items)
		return NULL;
	return psprintf("it takes " INT64_FORMAT " items%s%s, and there are " INT64_FORMAT, condition->min_items,
					condition->item != NULL ? " with " : "",
					condition->item != NULL ? vouch_json_to_text(condition->item) : "", n);
}

static void
set_groups(VouchAsked *asked, const char **groups, int n)
{
	asked->ngroups = n;
	asked->groups = groups;
	asked->parts = palloc0(sizeof(int) * Max(n, 1));
}

VouchAsked *
vouch_asked_find(const VouchVersion *version, const VouchPolicy *policy)
{
	VouchAsked *result = palloc0(sizeof(VouchAsked) * Max(policy->nrules, 1));

	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
		{
			const VouchRule *rule = &policy->stages[i].rules[r];
			VouchAsked *asked = &result[rule->index];

			asked->why_not = find_why_not(version, rule);
			asked->applies = asked->why_not == NULL;
			set_groups(asked, rule->groups, rule->ngroups);
			if (asked->applies && rule->group_by != NULL)
			{
				const char **values;
				int			n = vouch_version_values(version, rule->scope, rule->group_by, MAX_GROUPS + 1, &values);

				if (n > MAX_GROUPS)
					ereport(ERROR,
							(errcode(VOUCH_ERR_LIMIT),
							 errmsg("policy \"%s\" would ask for more than %d groups", policy->name, MAX_GROUPS),
							 errdetail("So many values has \"%s\", by which the rule for %s groups the items.",
									   rule->group_by, rule->role),
							 errhint("Group by a field with fewer values.")));
				set_groups(asked, values, n);
				asked->applies = n > 0;
				if (n == 0)
					asked->why_not = psprintf("no item has a \"%s\"", rule->group_by);
			}
		}
	return result;
}

/* ---- kept ------------------------------------------------------------------------ */

Jsonb *
vouch_asked_to_json(const VouchPolicy *policy, const VouchAsked *asked)
{
	Jsonb	  **rules;

	if (vouch_policy_is_plain(policy))
		return NULL;
	rules = palloc(sizeof(Jsonb *) * Max(policy->nrules, 1));
	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
		{
			const VouchRule *rule = &policy->stages[i].rules[r];
			const VouchAsked *a = &asked[rule->index];
			VouchJsonBuild build;

			vouch_json_begin(&build);
			vouch_json_put_int(&build, "stage", policy->stages[i].stage_no);
			vouch_json_put_int(&build, "rule", rule->rule_no);
			vouch_json_put_text(&build, "role", rule->role);
			vouch_json_put_bool(&build, "applies", a->applies);
			if (!a->applies)
				vouch_json_put_text(&build, "why", a->why_not);
			else if (a->ngroups > 0)
				vouch_json_put(&build, "groups", vouch_json_strings(a->groups, a->ngroups));
			rules[rule->index] = vouch_json_end(&build);
		}
	return vouch_json_array(rules, policy->nrules);
}

static void
raise_damaged(const VouchPolicy *policy, const VouchRule *rule)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("what policy \"%s\" asks of the version is not as it was kept with its request", policy->name),
			 rule == NULL ? errdetail("It is no list of rules.") :
			 errdetail("The rule for %s does not say for which groups, or not in the form in which it was written.", rule->role),
			 errhint("vouch.verify() says what else is not as it was; restore the row from a backup.")));
}

VouchAsked *
vouch_asked_from_json(const VouchPolicy *policy, Jsonb *stored)
{
	VouchAsked *result = palloc0(sizeof(VouchAsked) * Max(policy->nrules, 1));

	if (stored != NULL && !vouch_json_is_array(stored))
		raise_damaged(policy, NULL);

	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
		{
			const VouchRule *rule = &policy->stages[i].rules[r];
			VouchAsked *asked = &result[rule->index];
			JsonbValue *entry = stored == NULL ? NULL :
				getIthJsonbValueFromContainer(&stored->root, rule->index);
			Jsonb	   *object;
			Jsonb	   *groups;
			const char **values;
			int			n;

			asked->applies = true;
			set_groups(asked, rule->groups, rule->ngroups);
			object = entry == NULL || entry->type != jbvBinary ? NULL : JsonbValueToJsonb(entry);
			if (object == NULL || !vouch_json_is_object(object))
			{
				if (stored != NULL)
					raise_damaged(policy, rule);
				continue;
			}
			asked->why_not = vouch_json_get_text(object, "why");
			asked->applies = asked->why_not == NULL;
			if (rule->group_by == NULL || !asked->applies)
				continue;
			groups = vouch_json_get(object, "groups");
			n = groups != NULL && vouch_json_is_array(groups) ? vouch_json_array_length(groups) : 0;
			values = palloc(sizeof(char *) * Max(n, 1));
			for (int g = 0; g < n; g++)
			{
				JsonbValue *v = getIthJsonbValueFromContainer(&groups->root, g);

				if (v->type != jbvString)
					raise_damaged(policy, rule);
				values[g] = pnstrdup(v->val.string.val, v->val.string.len);
			}
			set_groups(asked, values, n);
		}
	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
		{
			const VouchRule *rule = &policy->stages[i].rules[r];

			if (rule->group_by != NULL && result[rule->index].applies && result[rule->index].ngroups == 0)
				raise_damaged(policy, rule);
		}
	return result;
}

/* ---- parts ------------------------------------------------------------------------ */

int
vouch_stage_verdicts(const VouchStage *stage)
{
	return stage->nafter > 0 ? stage->stage_no : 1;
}

/*
 * The verdicts that who signs in a stage sees: its own, and those of the stages before it.
 * What a later stage says, or one beside it, is no part of what they sign.
 */
static void
find_seen(const VouchPolicy *policy, uint64 *seen)
{
	uint64		before[64];

	vouch_policy_before(policy, before);
	for (int i = 0; i < policy->nstages; i++)
	{
		seen[i] = VOUCH_STAGE_BIT(vouch_stage_verdicts(&policy->stages[i]));
		for (int j = 0; j < i; j++)
			if ((before[policy->stages[i].stage_no] & VOUCH_STAGE_BIT(policy->stages[j].stage_no)) != 0)
				seen[i] |= VOUCH_STAGE_BIT(vouch_stage_verdicts(&policy->stages[j]));
	}
}

static bool
same_part(const VouchPart *part, Jsonb *filter, const char *field, const char *value, uint64 stages)
{
	if (part->stages != stages ||
		(part->filter == NULL) != (filter == NULL) || (part->field == NULL) != (field == NULL))
		return false;
	if (filter != NULL && part->filter != filter && compareJsonbContainers(&part->filter->root, &filter->root) != 0)
		return false;
	return field == NULL || (strcmp(part->field, field) == 0 && strcmp(part->value, value) == 0);
}

int
vouch_asked_parts(const VouchPolicy *policy, VouchAsked *asked, VouchPart **parts)
{
	int			size = 8;
	int			n = 1;
	uint64		all = 0;
	uint64	   *seen = palloc(sizeof(uint64) * Max(policy->nstages, 1));

	*parts = palloc0(sizeof(VouchPart) * size);
	for (int i = 0; i < policy->nstages; i++)
		all |= VOUCH_STAGE_BIT(vouch_stage_verdicts(&policy->stages[i]));
	find_seen(policy, seen);
	for (int i = 0; i < policy->nstages; i++)
		if (seen[i] == all)
			seen[i] = 0;
	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
		{
			const VouchRule *rule = &policy->stages[i].rules[r];
			VouchAsked *a = &asked[rule->index];

			for (int g = 0; a->applies && g < Max(a->ngroups, 1); g++)
			{
				const char *value = rule->group_by != NULL ? a->groups[g] : NULL;
				int			p = 0;

				while (p < n && !same_part(&(*parts)[p], rule->scope, rule->group_by, value, seen[i]))
					p++;
				if (p == n)
				{
					if (n == size)
					{
						size *= 2;
						*parts = repalloc(*parts, sizeof(VouchPart) * size);
					}
					memset(&(*parts)[n], 0, sizeof(VouchPart));
					(*parts)[n].filter = rule->scope;
					(*parts)[n].field = rule->group_by;
					(*parts)[n].value = value;
					(*parts)[n].stages = seen[i];
					n++;
				}
				a->parts[g] = p;
			}
		}
	return n;
}

int64
vouch_asked_uncovered(const VouchVersion *version, const VouchPolicy *policy,
					  const VouchAsked *asked, const VouchPart *parts, int nparts, char **first)
{
	VouchPart  *covering;
	bool	   *covers = palloc0(sizeof(bool) * nparts);
	int			n = 0;

	*first = NULL;
	if (vouch_policy_is_plain(policy))
		return 0;

	/*
	 * Where items need verdicts, those of the stages that are open from the
	 * start are the ones that every item needs.
	 */
	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
		{
			const VouchRule *rule = &policy->stages[i].rules[r];
			const VouchAsked *a = &asked[rule->index];

			if (policy->items != VOUCH_ITEMS_NONE &&
				(policy->stages[i].nafter > 0 || vouch_rule_is_auto(rule)))
				continue;
			for (int g = 0; a->applies && g < Max(a->ngroups, 1); g++)
				covers[a->parts[g]] = true;
		}
	covering = palloc(sizeof(VouchPart) * nparts);
	for (int i = 0; i < nparts; i++)
		if (covers[i] && vouch_part_is_whole(&parts[i]))
			return 0;
		else if (covers[i])
			covering[n++] = parts[i];
	return vouch_version_measure_outside(version, covering, n, first);
}

bool
vouch_asked_any(const VouchPolicy *policy, const VouchAsked *asked)
{
	for (int i = 0; i < policy->nrules; i++)
		if (asked[i].applies)
			return true;
	return false;
}

char *
vouch_part_text(const VouchPart *part)
{
	char	   *filter = part->filter != NULL ? vouch_json_to_text(part->filter) : NULL;

	if (part->field == NULL)
		return filter;
	return psprintf("%s%s%s %s", filter ? filter : "", filter ? ", " : "", part->field, part->value);
}
