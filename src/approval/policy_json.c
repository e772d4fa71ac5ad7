/*
 * policy_json.c
 *	  The readable form of a policy: JSON in, a checked structure out, and back.
 *
 * {
 *	 "description": "…", "items": "decided", "allow_empty": false,
 *	 "stages": [
 *	   {"name": "review", "after": ["…"], "on_reject": "reject", "due": "5 days",
 *		"escalate_after": "10 days", "escalate_to": "test_executive",
 *		"remind_every": "1 day", "expire_after": "30 days",
 *		"rules": [
 *		  {"role": "report_owner", "quorum": 1, "groups": ["CARDS"], "meaning": "approval",
 *		   "exclude": ["creator", "contributors", "submitter", "other_signers"],
 *		   "scope": {"lob_id": "CARDS"}, "applies_if": {"item": {"risk_rating": "high"}, "min_items": 3},
 *		   "carry": true, "ttl": "90 days",
 *		   "reauth_max_age": "15 minutes", "delegable": true, "veto": true}]}]
 * }
 */
#include "postgres.h"

#include "approval/policy.h"
#include "core/errors.h"
#include "core/json.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/numeric.h"

#define MAX_STAGES 32
#define MAX_RULES 32
#define MAX_QUORUM 100
#define MAX_COUNT 100000000
#define REDACTED "redacted"
#define MAX_SIGNATURES 256		/* of all rules; bounds what an evaluation costs */

/* Where we are, for messages: the policy's name and a JSON path. */
typedef struct Place
{
	const char *policy;
	const char *path;
} Place;

static Place
inside(const Place *at, const char *key)
{
	Place		place = {at->policy, psprintf("%s.%s", at->path, key)};

	return place;
}

static Place
element_of(const Place *at, int i)
{
	Place		place = {at->policy, psprintf("%s[%d]", at->path, i)};

	return place;
}

static void
bad(const Place *at, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(VOUCH_ERR_BAD_POLICY),
			 errmsg("policy \"%s\" is not valid: %s %s", at->policy, at->path, what),
			 errdetail("The place is a path into the definition; nothing was written."),
			 errhint("%s", hint ? hint : "Correct it and call vouch.define_policy() again; docs/approval.md has the fields, with examples.")));
}

/* ---- fields ------------------------------------------------------------------ */

/* Known from other systems and from this one's plans, and refused rather than ignored. */
static const struct
{
	const char *key;
	const char *hint;
}			unsupported[] = {
	{"item_filter", "A rule for some of the items says which in scope: an object that their payloads contain."},
	{"carry_if", "A signature is carried when what it is for has not changed: \"carry\": true."},
};

static void
check_keys(const Place *at, Jsonb *object, const char *const *known, int nknown)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	StringInfoData list;

	if (!vouch_json_is_object(object))
		bad(at, "must be an object", NULL);
	initStringInfo(&list);
	for (int i = 0; i < nknown; i++)
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", known[i]);
	it = JsonbIteratorInit(&object->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		char	   *key;
		bool		found = false;

		if (token != WJB_KEY)
			continue;
		key = pnstrdup(v.val.string.val, v.val.string.len);
		for (int i = 0; i < nknown && !found; i++)
			found = strcmp(key, known[i]) == 0;
		if (found)
			continue;
		for (int i = 0; i < lengthof(unsupported); i++)
			if (strcmp(key, unsupported[i].key) == 0)
				ereport(ERROR,
						(errcode(VOUCH_ERR_NOT_SUPPORTED),
						 errmsg("policy \"%s\": %s.%s is not supported", at->policy, at->path, key),
						 errdetail("It is refused rather than ignored; nothing was written."),
						 errhint("%s", unsupported[i].hint)));
		bad(at, psprintf("has no field \"%s\"", key), psprintf("Its fields are %s.", list.data));
	}
}

static char *
get_string(const Place *at, Jsonb *object, const char *key, const char *otherwise)
{
	Place		place = inside(at, key);
	Jsonb	   *value = vouch_json_get(object, key);
	JsonbValue	v;
	char	   *result;

	if (value == NULL || (JB_ROOT_IS_SCALAR(value) && JsonbExtractScalar(&value->root, &v) && v.type == jbvNull))
		return otherwise ? pstrdup(otherwise) : NULL;
	if (!JB_ROOT_IS_SCALAR(value) || !JsonbExtractScalar(&value->root, &v) || v.type != jbvString)
		bad(&place, "must be a string", NULL);
	result = pnstrdup(v.val.string.val, v.val.string.len);
	if (result[0] == '\0')
		bad(&place, "must not be empty", NULL);
	return result;
}

static bool
get_bool(const Place *at, Jsonb *object, const char *key, bool otherwise)
{
	Place		place = inside(at, key);
	Jsonb	   *value = vouch_json_get(object, key);
	JsonbValue	v;

	if (value == NULL)
		return otherwise;
	if (!JB_ROOT_IS_SCALAR(value) || !JsonbExtractScalar(&value->root, &v) || v.type != jbvBool)
		bad(&place, "must be true or false", NULL);
	return v.val.boolean;
}

static int
get_number(const Place *at, Jsonb *object, const char *key, int otherwise, int max)
{
	Place		place = inside(at, key);
	Jsonb	   *value = vouch_json_get(object, key);
	JsonbValue	v;

	if (value == NULL)
		return otherwise;
	if (JB_ROOT_IS_SCALAR(value) && JsonbExtractScalar(&value->root, &v) && v.type == jbvNumeric)
	{
		char	   *text = numeric_normalize(v.val.numeric);

		if (strspn(text, "0123456789") == strlen(text) && strlen(text) <= 9 &&
			atoi(text) >= 1 && atoi(text) <= max)
			return atoi(text);
	}
	bad(&place, psprintf("must be a whole number from 1 to %d", max), NULL);
	return 0;					/* not reached */
}

static int
get_quorum(const Place *at, Jsonb *object)
{
	return get_number(at, object, "quorum", 1, MAX_QUORUM);
}

/* Days, hours, minutes and seconds in microseconds; -1 when absent. */
static int64
get_time(const Place *at, Jsonb *object, const char *key)
{
	Place		place = inside(at, key);
	char	   *text = get_string(at, object, key, NULL);
	char		buffer[MAXDATELEN + MAXDATEFIELDS];
	char	   *field[MAXDATEFIELDS];
	int			ftype[MAXDATEFIELDS];
	int			nfields;
	int			dtype;
	struct pg_itm_in itm = {0};
	int64		result;

	if (text == NULL)
		return -1;
	if (ParseDateTime(text, buffer, sizeof(buffer), field, ftype, MAXDATEFIELDS, &nfields) != 0 ||
		DecodeInterval(field, ftype, nfields, INTERVAL_FULL_RANGE, &dtype, &itm) != 0 ||
		dtype != DTK_DELTA)
		bad(&place, psprintf("is no interval: \"%s\"", text), "Write it like \"5 days\" or \"36 hours\".");
	if (itm.tm_mon != 0 || itm.tm_year != 0)
		bad(&place, "must be given in days or hours", "Months differ in length.");
	if (itm.tm_mday < 0 || itm.tm_usec < 0 || itm.tm_mday > 36500)
		bad(&place, "must be from 0 to 36500 days", NULL);
	result = itm.tm_mday * USECS_PER_DAY + itm.tm_usec;
	return result;
}

static Jsonb *
get_array(const Place *at, Jsonb *object, const char *key, bool required)
{
	Place		place = inside(at, key);
	Jsonb	   *value = vouch_json_get(object, key);

	if (value == NULL)
	{
		if (required)
			bad(at, psprintf("has no field \"%s\"", key), NULL);
		return NULL;
	}
	if (!vouch_json_is_array(value))
		bad(&place, "must be an array", NULL);
	return value;
}

static Jsonb *
get_element(Jsonb *array, int i)
{
	return JsonbValueToJsonb(getIthJsonbValueFromContainer(&array->root, i));
}

/* An array of distinct strings. */
static int
get_strings(const Place *at, Jsonb *object, const char *key, const char ***result)
{
	Place		place = inside(at, key);
	Jsonb	   *array = get_array(at, object, key, false);
	int			n = array ? vouch_json_array_length(array) : 0;

	*result = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		JsonbValue *v = getIthJsonbValueFromContainer(&array->root, i);
		Place		here = element_of(&place, i);

		if (v->type != jbvString || v->val.string.len == 0)
			bad(&here, "must be a string", NULL);
		(*result)[i] = pnstrdup(v->val.string.val, v->val.string.len);
		for (int j = 0; j < i; j++)
			if (strcmp((*result)[i], (*result)[j]) == 0)
				bad(&here, psprintf("repeats \"%s\"", (*result)[i]), NULL);
	}
	return n;
}

/* A non-empty object, or NULL. */
static Jsonb *
get_object(const Place *at, Jsonb *object, const char *key)
{
	Place		place = inside(at, key);
	Jsonb	   *value = vouch_json_get(object, key);

	if (value == NULL)
		return NULL;
	if (!vouch_json_is_object(value) || JB_ROOT_COUNT(value) == 0)
		bad(&place, "must be an object with a field", "For example: {\"lob_id\": \"CARDS\"}.");
	return value;
}

/* ---- in ------------------------------------------------------------------------- */

static void
parse_exclusions(const Place *at, Jsonb *object, VouchRule *rule)
{
	Place		place = inside(at, "exclude");
	const char **names;
	int			n;

	if (vouch_json_get(object, "exclude") == NULL)
	{
		/* Who made it does not approve it, unless the policy says so in as many words. */
		rule->not_creator = rule->not_contributors = rule->not_submitter = true;
		rule->not_other_signers = true;
		return;
	}
	n = get_strings(at, object, "exclude", &names);
	for (int i = 0; i < n; i++)
	{
		Place		here = element_of(&place, i);

		if (strcmp(names[i], "creator") == 0)
			rule->not_creator = true;
		else if (strcmp(names[i], "contributors") == 0)
			rule->not_contributors = true;
		else if (strcmp(names[i], "submitter") == 0)
			rule->not_submitter = true;
		else if (strcmp(names[i], "other_signers") == 0)
			rule->not_other_signers = true;
		else
			bad(&here, psprintf("is \"%s\"", names[i]),
				"It may be creator, contributors, submitter or other_signers.");
	}
}

VouchCondition *
vouch_condition_read(Jsonb *object)
{
	VouchCondition *condition = palloc0(sizeof(VouchCondition));
	char	   *min_items = vouch_json_get_text(object, "min_items");

	condition->metadata = vouch_json_get(object, "metadata");
	condition->item = vouch_json_get(object, "item");
	condition->min_items = min_items != NULL ? atoi(min_items) : condition->item != NULL ? 1 : 0;
	return condition;
}

Jsonb *
vouch_condition_to_json(const VouchCondition *condition)
{
	VouchJsonBuild build;

	vouch_json_begin(&build);
	if (condition->metadata != NULL)
		vouch_json_put(&build, "metadata", condition->metadata);
	if (condition->item != NULL)
		vouch_json_put(&build, "item", condition->item);
	if (condition->min_items > 0)
		vouch_json_put_int(&build, "min_items", condition->min_items);
	return vouch_json_end(&build);
}

/* A condition on payloads must hold of what is redacted, too. */
static Jsonb *
get_filter(const Place *at, Jsonb *object, const char *key)
{
	Place		place = inside(at, key);
	Jsonb	   *filter = get_object(at, object, key);

	if (filter != NULL && vouch_json_get(filter, REDACTED) != NULL)
		bad(&place, "looks at \"" REDACTED "\"", "That is what vouch.redact_item() leaves in a payload.");
	return filter;
}

static VouchCondition *
parse_condition(const Place *at, Jsonb *object)
{
	static const char *const keys[] = {"metadata", "item", "min_items"};
	Place		place = inside(at, "applies_if");
	Jsonb	   *value = get_object(at, object, "applies_if");

	if (value == NULL)
		return NULL;
	check_keys(&place, value, keys, lengthof(keys));
	(void) get_object(&place, value, "metadata");
	(void) get_filter(&place, value, "item");
	(void) get_number(&place, value, "min_items", 1, MAX_COUNT);
	return vouch_condition_read(value);
}

static void
parse_rule(const Place *at, Jsonb *object, VouchRule *rule)
{
	static const char *const keys[] = {
		"role", "quorum", "groups", "group_by", "several_groups", "scope", "applies_if", "meaning", "exclude",
		"reauth_max_age", "delegable", "veto", "carry", "ttl"
	};
	Place		place;

	check_keys(at, object, keys, lengthof(keys));
	rule->role = get_string(at, object, "role", NULL);
	if (rule->role == NULL)
		bad(at, "has no field \"role\"", NULL);
	rule->scope = get_filter(at, object, "scope");
	rule->applies_if = parse_condition(at, object);
	rule->ttl = -1;
	if (strcmp(rule->role, VOUCH_ROLE_AUTO) == 0)
	{
		static const char *const auto_keys[] = {
			"role", "meaning", "quorum", "exclude", "delegable", "veto", "scope", "applies_if"
		};

		check_keys(at, object, auto_keys, lengthof(auto_keys));
		if (get_quorum(at, object) != 1)
			bad(at, "asks for several signatures by rule", "A rule of role @auto gives one signature.");
		if (get_bool(at, object, "delegable", false) || get_bool(at, object, "veto", false))
			bad(at, "cannot be delegated or vetoed", NULL);
		parse_exclusions(at, object, rule);
		if (vouch_json_get(object, "exclude") != NULL &&
			(rule->not_creator || rule->not_contributors || rule->not_submitter || rule->not_other_signers))
			bad(at, "keeps somebody out of a signature by rule", "Leave exclude out.");
		rule->not_creator = rule->not_contributors = rule->not_submitter = rule->not_other_signers = false;
		rule->quorum = 1;
		rule->meaning = get_string(at, object, "meaning", "approved by rule");
		rule->reauth_max_age = -1;
		return;
	}
	rule->quorum = get_quorum(at, object);
	rule->ngroups = get_strings(at, object, "groups", &rule->groups);
	rule->group_by = get_string(at, object, "group_by", NULL);
	if (rule->ngroups > 0 && rule->group_by != NULL)
		bad(at, "has both groups and group_by", "groups lists the scopes that must sign; group_by finds them in the items.");
	place = inside(at, "group_by");
	if (rule->group_by != NULL && strcmp(rule->group_by, REDACTED) == 0)
		bad(&place, "is \"" REDACTED "\"", "That is what vouch.redact_item() leaves in a payload.");
	rule->several_groups = get_bool(at, object, "several_groups", false);
	if (rule->several_groups && rule->ngroups == 0 && rule->group_by == NULL)
		bad(at, "has several_groups and no groups", "It says that one person may sign for several groups: give groups or group_by.");
	rule->carry = get_bool(at, object, "carry", false);
	rule->ttl = get_time(at, object, "ttl");
	place = inside(at, "ttl");
	if (rule->ttl == 0)
		bad(&place, "must be more than no time", NULL);
	rule->meaning = get_string(at, object, "meaning", "approval");
	parse_exclusions(at, object, rule);
	rule->reauth_max_age = get_time(at, object, "reauth_max_age");
	rule->delegable = get_bool(at, object, "delegable", true);
	rule->veto = get_bool(at, object, "veto", true);
}

static void
parse_stage(const Place *at, Jsonb *object, VouchPolicy *policy, int n)
{
	static const char *const keys[] = {
		"name", "after", "on_reject", "due", "escalate_after", "escalate_to", "remind_every", "expire_after", "rules"
	};
	VouchStage *stage = &policy->stages[n];
	Place		place;
	char	   *on_reject;
	Jsonb	   *rules;

	check_keys(at, object, keys, lengthof(keys));
	stage->stage_no = n + 1;
	stage->name = get_string(at, object, "name", psprintf("stage %d", n + 1));
	for (int i = 0; i < n; i++)
		if (strcmp(policy->stages[i].name, stage->name) == 0)
			bad(at, psprintf("has the name of another stage, \"%s\"", stage->name), NULL);

	place = inside(at, "on_reject");
	on_reject = get_string(at, object, "on_reject", "reject");
	if (strcmp(on_reject, "reject") != 0 && strcmp(on_reject, "return") != 0)
		bad(&place, psprintf("is \"%s\"", on_reject), "It may be reject or return.");
	stage->may_return = strcmp(on_reject, "return") == 0;

	stage->due = get_time(at, object, "due");
	stage->escalate_after = get_time(at, object, "escalate_after");
	stage->escalate_to = get_string(at, object, "escalate_to", NULL);
	if ((stage->escalate_after >= 0) != (stage->escalate_to != NULL))
		bad(at, "needs both escalate_after and escalate_to, or neither", NULL);
	stage->remind_every = get_time(at, object, "remind_every");
	place = inside(at, "remind_every");
	if (stage->remind_every >= 0 && stage->remind_every < USECS_PER_MINUTE)
		bad(&place, "must be a minute or more", NULL);
	stage->expire_after = get_time(at, object, "expire_after");
	place = inside(at, "expire_after");
	if (stage->expire_after == 0)
		bad(&place, "must be more than no time", "Nobody could sign.");

	place = inside(at, "rules");
	rules = get_array(at, object, "rules", true);
	stage->nrules = vouch_json_array_length(rules);
	if (stage->nrules == 0 || stage->nrules > MAX_RULES)
		bad(&place, psprintf("must have from 1 to %d rules", MAX_RULES), "A stage without a rule would approve by itself.");
	stage->rules = palloc0(sizeof(VouchRule) * stage->nrules);
	for (int r = 0; r < stage->nrules; r++)
	{
		Place		here = element_of(&place, r);

		stage->rules[r].rule_no = r + 1;
		parse_rule(&here, get_element(rules, r), &stage->rules[r]);
	}
}

/* Stages are known by their numbers from here on. */
static void
parse_after(const Place *at, Jsonb *object, VouchPolicy *policy, int n)
{
	VouchStage *stage = &policy->stages[n];
	Place		place = inside(at, "after");
	const char **after;

	stage->nafter = get_strings(at, object, "after", &after);
	stage->after = palloc(sizeof(int) * Max(stage->nafter, 1));
	for (int i = 0; i < stage->nafter; i++)
	{
		Place		here = element_of(&place, i);

		stage->after[i] = 0;
		for (int j = 0; j < policy->nstages; j++)
			if (strcmp(policy->stages[j].name, after[i]) == 0)
				stage->after[i] = policy->stages[j].stage_no;
		if (stage->after[i] == 0)
			bad(&here, psprintf("names no stage: \"%s\"", after[i]), "It takes the \"name\" of another stage of the policy.");
		if (stage->after[i] == stage->stage_no)
			bad(&here, "names the stage itself", "A stage opens when those before it are satisfied.");
	}
}

/* "a" after "b" after "a": a way round among stages of which none can come first. */
static char *
way_round(const VouchPolicy *policy, const int *place_of)
{
	StringInfoData buf;
	bool		seen[MAX_STAGES] = {false};
	int			at = 0;
	int			first;

	while (place_of[at] != 0)
		at++;
	/* Each has one before it that has no place either: who follows these comes round. */
	for (first = at; !seen[first];)
	{
		const VouchStage *stage = &policy->stages[first];

		seen[first] = true;
		for (int a = 0; a < stage->nafter; a++)
			if (place_of[stage->after[a] - 1] == 0)
			{
				first = stage->after[a] - 1;
				break;
			}
	}
	initStringInfo(&buf);
	at = first;
	do
	{
		const VouchStage *stage = &policy->stages[at];

		appendStringInfo(&buf, "\"%s\" after ", stage->name);
		for (int a = 0; a < stage->nafter; a++)
			if (place_of[stage->after[a] - 1] == 0)
			{
				at = stage->after[a] - 1;
				break;
			}
	} while (at != first);
	appendStringInfo(&buf, "\"%s\"", policy->stages[first].name);
	return buf.data;
}

/*
 * Puts stages behind those that they come after, and otherwise leaves them in
 * the order in which they are written; numbers stages and rules.
 */
static void
order_stages(const Place *at, VouchPolicy *policy)
{
	int			place_of[MAX_STAGES] = {0};
	VouchStage *ordered = palloc(sizeof(VouchStage) * policy->nstages);

	for (int n = 0; n < policy->nstages; n++)
	{
		int			next = -1;

		for (int i = 0; i < policy->nstages && next < 0; i++)
		{
			bool		ready = place_of[i] == 0;

			for (int a = 0; a < policy->stages[i].nafter; a++)
				ready = ready && place_of[policy->stages[i].after[a] - 1] != 0;
			if (ready)
				next = i;
		}
		if (next < 0)
			bad(at, psprintf("wait for one another: %s", way_round(policy, place_of)),
				"Some stage must be open from the start, and none may wait for what waits for it.");
		place_of[next] = n + 1;
		ordered[n] = policy->stages[next];
	}
	for (int i = 0; i < policy->nstages; i++)
	{
		ordered[i].stage_no = i + 1;
		for (int a = 0; a < ordered[i].nafter; a++)
			ordered[i].after[a] = place_of[ordered[i].after[a] - 1];
		for (int r = 0; r < ordered[i].nrules; r++)
			ordered[i].rules[r].index = policy->nrules++;
	}
	policy->stages = ordered;
}

VouchPolicy *
vouch_policy_parse(const char *name, Jsonb *definition)
{
	int64		signatures = 0;
	static const char *const keys[] = {"description", "items", "allow_empty", "stages"};
	VouchPolicy *policy = palloc0(sizeof(VouchPolicy));
	Place		at = {name, "$"};
	Place		place;
	char	   *items;
	Jsonb	   *stages;

	check_keys(&at, definition, keys, lengthof(keys));
	policy->name = name;
	policy->description = get_string(&at, definition, "description", NULL);
	place = inside(&at, "items");
	items = get_string(&at, definition, "items", "decided");
	if (strcmp(items, "none") == 0)
		policy->items = VOUCH_ITEMS_NONE;
	else if (strcmp(items, "decided") == 0)
		policy->items = VOUCH_ITEMS_DECIDED;
	else if (strcmp(items, "all_approved") == 0)
		policy->items = VOUCH_ITEMS_ALL_APPROVED;
	else
		bad(&place, psprintf("is \"%s\"", items), "It may be none, decided or all_approved.");
	policy->allow_empty = get_bool(&at, definition, "allow_empty", false);

	place = inside(&at, "stages");
	stages = get_array(&at, definition, "stages", true);
	policy->nstages = vouch_json_array_length(stages);
	if (policy->nstages == 0 || policy->nstages > MAX_STAGES)
		bad(&place, psprintf("must have from 1 to %d stages", MAX_STAGES), "A policy without a stage would approve by itself.");
	policy->stages = palloc0(sizeof(VouchStage) * policy->nstages);
	for (int i = 0; i < policy->nstages; i++)
	{
		Place		here = element_of(&place, i);

		parse_stage(&here, get_element(stages, i), policy, i);
		for (int r = 0; r < policy->stages[i].nrules; r++)
			signatures += policy->stages[i].rules[r].quorum * Max(policy->stages[i].rules[r].ngroups, 1);
	}
	for (int i = 0; i < policy->nstages; i++)
	{
		Place		here = element_of(&place, i);

		parse_after(&here, get_element(stages, i), policy, i);
	}
	order_stages(&place, policy);
	if (signatures > MAX_SIGNATURES)
		bad(&place, psprintf("ask for " INT64_FORMAT " signatures", signatures),
			psprintf("A policy may ask for %d in all: quorum times groups, over all rules.", MAX_SIGNATURES));
	return policy;
}

/* ---- out ------------------------------------------------------------------------ */

const char *
vouch_item_rule_name(VouchItemRule items)
{
	switch (items)
	{
		case VOUCH_ITEMS_NONE:
			return "none";
		case VOUCH_ITEMS_DECIDED:
			return "decided";
		case VOUCH_ITEMS_ALL_APPROVED:
			return "all_approved";
	}
	return NULL;				/* not reached */
}

char *
vouch_time_words(int64 time)
{
	static const struct
	{
		int64		unit;
		const char *name;
	}			units[] = {
		{USECS_PER_DAY, "day"}, {USECS_PER_HOUR, "hour"}, {USECS_PER_MINUTE, "minute"}, {USECS_PER_SEC, "second"}
	};

	for (int i = time == 0 ? 3 : 0; i < lengthof(units); i++)
		if (time % units[i].unit == 0)
		{
			int64		n = time / units[i].unit;

			return psprintf(INT64_FORMAT " %s%s", n, units[i].name, n == 1 ? "" : "s");
		}
	return psprintf(INT64_FORMAT " microseconds", time);
}

static void
put_time(VouchJsonBuild *build, const char *key, int64 time)
{
	if (time >= 0)
		vouch_json_put_text(build, key, vouch_time_words(time));
}

static Jsonb *
rule_to_json(const VouchRule *rule)
{
	VouchJsonBuild build;
	const char *exclude[4];
	int			n = 0;

	vouch_json_begin(&build);
	vouch_json_put_text(&build, "role", rule->role);
	vouch_json_put_text(&build, "meaning", rule->meaning);
	if (rule->scope != NULL)
		vouch_json_put(&build, "scope", rule->scope);
	if (rule->applies_if != NULL)
		vouch_json_put(&build, "applies_if", vouch_condition_to_json(rule->applies_if));
	if (strcmp(rule->role, VOUCH_ROLE_AUTO) == 0)
		return vouch_json_end(&build);
	vouch_json_put_int(&build, "quorum", rule->quorum);
	if (rule->ngroups > 0)
		vouch_json_put(&build, "groups", vouch_json_strings(rule->groups, rule->ngroups));
	if (rule->group_by != NULL)
		vouch_json_put_text(&build, "group_by", rule->group_by);
	if (rule->several_groups)
		vouch_json_put_bool(&build, "several_groups", true);
	if (rule->carry)
		vouch_json_put_bool(&build, "carry", true);
	put_time(&build, "ttl", rule->ttl);
	if (rule->not_creator)
		exclude[n++] = "creator";
	if (rule->not_contributors)
		exclude[n++] = "contributors";
	if (rule->not_submitter)
		exclude[n++] = "submitter";
	if (rule->not_other_signers)
		exclude[n++] = "other_signers";
	vouch_json_put(&build, "exclude", vouch_json_strings(exclude, n));
	put_time(&build, "reauth_max_age", rule->reauth_max_age);
	vouch_json_put_bool(&build, "delegable", rule->delegable);
	vouch_json_put_bool(&build, "veto", rule->veto);
	return vouch_json_end(&build);
}

Jsonb *
vouch_policy_to_json(const VouchPolicy *policy)
{
	VouchJsonBuild build;
	Jsonb	  **stages = palloc(sizeof(Jsonb *) * policy->nstages);

	for (int i = 0; i < policy->nstages; i++)
	{
		const VouchStage *stage = &policy->stages[i];
		const char **after = palloc(sizeof(char *) * Max(stage->nafter, 1));
		Jsonb	  **rules = palloc(sizeof(Jsonb *) * stage->nrules);

		for (int a = 0; a < stage->nafter; a++)
			after[a] = policy->stages[stage->after[a] - 1].name;
		for (int r = 0; r < stage->nrules; r++)
			rules[r] = rule_to_json(&stage->rules[r]);
		vouch_json_begin(&build);
		vouch_json_put_text(&build, "name", stage->name);
		if (stage->nafter > 0)
			vouch_json_put(&build, "after", vouch_json_strings(after, stage->nafter));
		vouch_json_put_text(&build, "on_reject", stage->may_return ? "return" : "reject");
		put_time(&build, "due", stage->due);
		put_time(&build, "escalate_after", stage->escalate_after);
		if (stage->escalate_to != NULL)
			vouch_json_put_text(&build, "escalate_to", stage->escalate_to);
		put_time(&build, "remind_every", stage->remind_every);
		put_time(&build, "expire_after", stage->expire_after);
		vouch_json_put(&build, "rules", vouch_json_array(rules, stage->nrules));
		stages[i] = vouch_json_end(&build);
	}
	vouch_json_begin(&build);
	if (policy->description != NULL)
		vouch_json_put_text(&build, "description", policy->description);
	vouch_json_put_text(&build, "items", vouch_item_rule_name(policy->items));
	vouch_json_put_bool(&build, "allow_empty", policy->allow_empty);
	vouch_json_put(&build, "stages", vouch_json_array(stages, policy->nstages));
	return vouch_json_end(&build);
}
