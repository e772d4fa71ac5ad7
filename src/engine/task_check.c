/*
 * task_check.c
 *	  What is wrong with a Task of a definition: whether what its Resource
 *	  names is there, and takes its Parameters.
 *
 * Only what is written down can be checked: a value that a path will give
 * ("Workflow.$") is checked when the state runs.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "core/stmt.h"
#include "engine/activity_function.h"
#include "engine/resource.h"
#include "engine/task.h"
#include "engine/task_check.h"
#include "engine/until.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Bits of the kinds of resources. */
#define SIGNAL (1 << VOUCH_RESOURCE_SIGNAL)
#define REVIEW (1 << VOUCH_RESOURCE_REVIEW)
#define UNTIL (1 << VOUCH_RESOURCE_UNTIL)
#define EXECUTION (1 << VOUCH_RESOURCE_EXECUTION | 1 << VOUCH_RESOURCE_EXECUTION_SYNC)

/* What the Parameters of our own resources have. */
static const struct
{
	const char *name;
	int			resources;
	bool		required;
	int			type;			/* AslType, or -1: any */
	const char *what;
}			parameters_of[] =
{
	{"Signal", SIGNAL, true, ASL_STRING, "a string"},
	{"SignalName", SIGNAL, false, ASL_STRING, "a string"},
	{"VersionId", REVIEW, true, ASL_STRING, "a string"},
	{"Signal", REVIEW, false, ASL_STRING, "a string"},
	{"Workflow", EXECUTION, true, ASL_STRING, "a string"},
	{"Input", EXECUTION, false, -1, NULL},
	{"Name", EXECUTION, false, ASL_STRING, "a string"},
	{"ParentClosePolicy", EXECUTION, false, ASL_STRING, "a string"},
	{"Predicate", UNTIL, true, ASL_STRING, "a string"},
	{"Arguments", UNTIL, false, ASL_OBJECT, "an object"},
	{"Watch", UNTIL, false, ASL_ARRAY, "an array of table names"},
	{"Every", UNTIL, false, ASL_NUMBER, "a number of seconds"},
};

static VouchStmt workflow_exists = {
	"SELECT 1 FROM vouch_data.workflow WHERE name = $1",
	SPI_OK_SELECT, 1, {TEXTOID}, .indexed = true
};

static VouchStmt is_watched = {
	"SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = $1 AND tgname = 'vouch_watch'",
	SPI_OK_SELECT, 1, {OIDOID}
};

/* Whom to tell. */
typedef struct Teller
{
	AslTell		tell;
	void	   *to;
} Teller;

static void
tell_error(Teller *teller, const char *code, const char *place, const char *message)
{
	teller->tell(ASL_PROBLEM_ERROR, code, place, message, teller->to);
}

static void
tell_warning(Teller *teller, const char *code, const char *place, const char *message)
{
	teller->tell(ASL_PROBLEM_WARNING, code, place, message, teller->to);
}

static bool
is_given(const AslValue *parameters, const char *name)
{
	return asl_get(parameters, name) != NULL || asl_get(parameters, psprintf("%s.$", name)) != NULL;
}

static const char *
text_of(const AslValue *object, const char *key)
{
	const AslValue *v = asl_get(object, key);

	return v != NULL && v->type == ASL_STRING ? v->u.string.data : NULL;
}

/* Which of our own parameters an object has, has not, and should not have. */
static void
check_names(Teller *teller, const char *resource, VouchResource kind, const AslValue *parameters)
{
	for (int i = 0; i < lengthof(parameters_of); i++)
	{
		const char *name = parameters_of[i].name;
		const AslValue *value = asl_get(parameters, name);

		if ((parameters_of[i].resources & 1 << kind) == 0)
			continue;
		if (parameters_of[i].required && !is_given(parameters, name) &&
			!(kind == VOUCH_RESOURCE_SIGNAL && is_given(parameters, "SignalName")))
			tell_error(teller, "BAD_ARGUMENTS", "/Resource",
					   psprintf("%s needs \"%s\" in its Parameters.", resource, name));
		else if (value != NULL && parameters_of[i].type >= 0 && value->type != parameters_of[i].type)
			tell_error(teller, "BAD_ARGUMENTS", psprintf("/Parameters/%s", name),
					   psprintf("%s has to be %s.", name, parameters_of[i].what));
	}
	for (size_t i = 0; i < parameters->u.object.n; i++)
	{
		const AslValue *key = parameters->u.object.members[i].key;
		size_t		len = key->u.string.len;
		bool		known = false;

		if (len > 2 && strcmp(key->u.string.data + len - 2, ".$") == 0)
			len -= 2;
		for (int j = 0; j < lengthof(parameters_of) && !known; j++)
			known = (parameters_of[j].resources & 1 << kind) != 0 &&
				strlen(parameters_of[j].name) == len &&
				memcmp(parameters_of[j].name, key->u.string.data, len) == 0;
		if (!known)
			tell_warning(teller, "UNKNOWN_FIELD", "/Parameters",
						 psprintf("%s does not look at \"%s\".", resource, key->u.string.data));
	}
}

static void
check_child(Teller *teller, const AslValue *parameters, const char *self)
{
	const char *workflow = text_of(parameters, "Workflow");
	const char *policy = text_of(parameters, "ParentClosePolicy");
	const char *name = text_of(parameters, "Name");

	if (policy != NULL && vouch_child_close_policy(policy) == NULL)
		tell_error(teller, "BAD_ARGUMENTS", "/Parameters/ParentClosePolicy",
				   "ParentClosePolicy is terminate, cancel, or abandon.");
	if (name != NULL && name[0] == '\0')
		tell_error(teller, "BAD_ARGUMENTS", "/Parameters/Name", "Name is empty.");
	if (name != NULL && strchr(name, '/') != NULL)
		tell_error(teller, "BAD_ARGUMENTS", "/Parameters/Name", "Name has a \"/\", which stands between parent and child.");
	if (workflow != NULL && (self == NULL || strcmp(workflow, self) != 0))
	{
		Datum		args[1];

		/* it may be defined later, before the state runs */
		args[0] = CStringGetTextDatum(workflow);
		if (vouch_stmt_run(&workflow_exists, args, NULL) == 0)
			tell_warning(teller, "UNKNOWN_WORKFLOW", "/Parameters/Workflow",
						 psprintf("There is no workflow \"%s\" yet.", workflow));
	}
}

static void
check_watch(Teller *teller, const AslValue *tables)
{
	for (size_t i = 0; i < tables->u.array.n; i++)
	{
		const AslValue *table = tables->u.array.items[i];
		char	   *place = psprintf("/Parameters/Watch/%zu", i);
		Oid			relation;
		Datum		args[1];

		if (table->type != ASL_STRING)
		{
			tell_error(teller, "BAD_ARGUMENTS", place, "Watch has to be an array of table names.");
			continue;
		}
		relation = vouch_until_table(table->u.string.data);
		if (!OidIsValid(relation))
		{
			tell_error(teller, "UNKNOWN_TABLE", place,
					   psprintf("There is no table \"%s\": Watch names tables with their schemas, like \"schema.table\".",
								table->u.string.data));
			continue;
		}
		args[0] = ObjectIdGetDatum(relation);
		if (vouch_stmt_run(&is_watched, args, NULL) == 0)
			tell_warning(teller, "NOT_WATCHED", place,
						 psprintf("Changes of \"%s\" are not told: call vouch.watch_table() for it.",
								  table->u.string.data));
	}
}

static void
check_until(Teller *teller, const AslValue *parameters, Oid run_as)
{
	const AslValue *watch = asl_get(parameters, "Watch");
	const AslValue *every = asl_get(parameters, "Every");
	const AslValue *arguments = asl_get(parameters, "Arguments");
	const char *predicate = text_of(parameters, "Predicate");
	int64_t		seconds;

	if (watch != NULL && watch->type == ASL_ARRAY)
		check_watch(teller, watch);
	if (every != NULL && every->type == ASL_NUMBER &&
		(!asl_is_int(every, &seconds) || seconds < 1 || seconds > VOUCH_UNTIL_EVERY_MAX))
		tell_error(teller, "BAD_ARGUMENTS", "/Parameters/Every",
				   psprintf("Every has to be a whole number of seconds from 1 to %d.", VOUCH_UNTIL_EVERY_MAX));
	if (predicate != NULL)
	{
		const char *code;
		const char *problem;

		if (arguments == NULL && asl_get(parameters, "Arguments.$") == NULL)
			arguments = asl_object();
		problem = vouch_function_check(psprintf("sql:%s", predicate), arguments, run_as, &code);
		if (problem != NULL)
			tell_error(teller, code, "/Parameters/Predicate", problem);
	}
}

void
vouch_task_check(const char *resource, const AslValue *state, AslTell tell, void *to, void *arg)
{
	const VouchTaskCheck *check = arg;
	Teller		teller = {tell, to};
	VouchResource kind = vouch_resource_kind(resource);
	const AslValue *parameters = asl_get(state, "Parameters");
	const char *code;
	const char *problem;

	switch (kind)
	{
		case VOUCH_RESOURCE_SQL:
			problem = vouch_function_check(resource, parameters, check->run_as, &code);
			if (problem != NULL)
				tell_error(&teller, code, "/Resource", problem);
			return;
		case VOUCH_RESOURCE_ACTIVITY:
			if (vouch_task_queue_problem(resource + strlen("activity:")) != NULL)
				tell_error(&teller, "BAD_RESOURCE", "/Resource",
						   psprintf("Resource \"%s\" names no queue: activity:name, of 1 to 100 letters, digits,"
									" and characters of \"_.-\".", resource));
			return;
		case VOUCH_RESOURCE_UNTIL:
			if (parameters == NULL || parameters->type != ASL_OBJECT || asl_get(parameters, "Predicate") == NULL)
				tell_error(&teller, "BAD_ARGUMENTS", "/Resource",
						   "vouch:until needs a \"Predicate\" in its Parameters: the name of a function, like \"schema.function\".");
			break;
		case VOUCH_RESOURCE_SIGNAL:
		case VOUCH_RESOURCE_REVIEW:
		case VOUCH_RESOURCE_EXECUTION:
		case VOUCH_RESOURCE_EXECUTION_SYNC:
			break;
		case VOUCH_RESOURCE_UNKNOWN:
			tell_error(&teller, "BAD_RESOURCE", "/Resource",
					   psprintf("Resource \"%s\" is none that Vouch knows: sql:schema.function, activity:queue,"
								" vouch:signal, vouch:review, vouch:until, vouch:execution, or vouch:execution.sync.", resource));
			return;
	}
	/* without Parameters they are what the state's input has */
	if (parameters == NULL || parameters->type != ASL_OBJECT)
		return;
	if (kind != VOUCH_RESOURCE_UNTIL || asl_get(parameters, "Predicate") != NULL)
		check_names(&teller, resource, kind, parameters);
	if (kind == VOUCH_RESOURCE_UNTIL)
		check_until(&teller, parameters, check->run_as);
	else if (kind == VOUCH_RESOURCE_EXECUTION || kind == VOUCH_RESOURCE_EXECUTION_SYNC)
		check_child(&teller, parameters, check->workflow);
}
