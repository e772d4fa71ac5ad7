/*
 * program.c
 *	  Compiles each revision once a session.
 *
 * A revision never changes, so what was compiled stays right, with two
 * exceptions: one that this very transaction defined may be rolled back and
 * defined otherwise, and DROP EXTENSION takes them all.  Then the cache
 * forgets.  Whoever is running in a program does so within a transaction, so
 * the memory is freed at the end of that.
 */
#include "postgres.h"

#include "access/xact.h"
#include "asl/jsonb.h"
#include "catalog/namespace.h"
#include "core/errors.h"
#include "core/stmt.h"
#include "engine/program.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#define KEY_LEN 160

typedef struct CacheEntry
{
	char		key[KEY_LEN];	/* revision, ':', workflow */
	VouchProgram *program;
} CacheEntry;

/* Programs that are in the cache, or were when this transaction began. */
typedef struct Generation
{
	MemoryContext context;		/* this struct, and a child context for each program */
	struct Generation *older;
} Generation;

static HTAB *cache = NULL;
static Generation *generation = NULL;	/* what is in the cache; NULL when it is not there */
static Generation *outdated = NULL; /* to be freed at the end of the transaction */
static bool stale = false;		/* forget all at the next look-up */
static uint32 our_namespace = 0;	/* vouch_data, as the cache's callback names it */
static bool holds_own = false;	/* has what this transaction defined */

static VouchStmt read_head = {
	"SELECT max(revision) FROM vouch_data.workflow_revision WHERE workflow = $1",
	SPI_OK_SELECT, 1, {TEXTOID}, .indexed = true
};

static VouchStmt read_revision = {
	"SELECT definition, run_as, xmin, shipped FROM vouch_data.workflow_revision WHERE workflow = $1 AND revision = $2",
	SPI_OK_SELECT, 2, {TEXTOID, INT4OID}, .indexed = true
};

static void
at_xact_end(XactEvent event, void *arg)
{
	if (holds_own && (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT ||
					  event == XACT_EVENT_PREPARE))
	{
		stale = true;
		holds_own = false;
	}
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		while (outdated != NULL)
		{
			MemoryContext context = outdated->context;

			outdated = outdated->older;
			MemoryContextDelete(context);
		}
}

static void
at_subxact_end(SubXactEvent event, SubTransactionId mysubid,
			   SubTransactionId parent, void *arg)
{
	if (holds_own && event == SUBXACT_EVENT_ABORT_SUB)
		stale = true;
}

/* Schemas come and go, that of our tables only with the extension; 0: perhaps any. */
static void
at_namespace_change(Datum arg, int cacheid, uint32 hashvalue)
{
	if (hashvalue == 0 || hashvalue == our_namespace)
		stale = true;
}

static void
prepare_cache(void)
{
	if (cache != NULL && stale)
	{
		hash_destroy(cache);
		cache = NULL;
		generation->older = outdated;
		outdated = generation;
		generation = NULL;
	}
	if (cache == NULL)
	{
		static bool callbacks_registered = false;
		MemoryContext context;
		HASHCTL		ctl;

		if (generation == NULL)
		{
			context = AllocSetContextCreate(TopMemoryContext, "vouch programs", ALLOCSET_SMALL_SIZES);
			generation = MemoryContextAllocZero(context, sizeof(Generation));
			generation->context = context;
		}
		our_namespace = GetSysCacheHashValue1(NAMESPACEOID, ObjectIdGetDatum(get_namespace_oid("vouch_data", false)));
		memset(&ctl, 0, sizeof(ctl));
		ctl.keysize = KEY_LEN;
		ctl.entrysize = sizeof(CacheEntry);
		cache = hash_create("vouch programs", 64, &ctl, HASH_ELEM | HASH_STRINGS);
		if (!callbacks_registered)
		{
			RegisterXactCallback(at_xact_end, NULL);
			RegisterSubXactCallback(at_subxact_end, NULL);
			CacheRegisterSyscacheCallback(NAMESPACEOID, at_namespace_change, (Datum) 0);
			callbacks_registered = true;
		}
		stale = false;
	}
}

char *
vouch_program_problems(const AslProblem *problems, int *nerrors)
{
	StringInfoData buf;

	initStringInfo(&buf);
	*nerrors = 0;
	for (const AslProblem *p = problems; p != NULL; p = p->next)
	{
		if (p->severity == ASL_PROBLEM_ERROR)
			(*nerrors)++;
		appendStringInfo(&buf, "%s%s at %s: %s", buf.len > 0 ? "\n" : "",
						 p->severity == ASL_PROBLEM_ERROR ? "error" : "warning",
						 p->location[0] ? p->location : "/", p->message);
	}
	return buf.data;
}

static VouchProgram *
compile(const char *workflow, int revision, Jsonb *definition, const char *run_as)
{
	MemoryContext context = AllocSetContextCreate(generation->context, "vouch program",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	VouchProgram *program = palloc0(sizeof(VouchProgram));
	AslProblem *problems = NULL;
	char	   *text;

	program->workflow = pstrdup(workflow);
	program->revision = revision;
	program->run_as = pstrdup(run_as);
	program->asl = asl_compile(asl_from_jsonb(definition), NULL, NULL, &problems);
	if (program->asl == NULL)
	{
		int			n;

		text = vouch_program_problems(problems, &n);
		MemoryContextSwitchTo(old);
		text = pstrdup(text);
		MemoryContextDelete(context);
		ereport(ERROR,
				(errcode(VOUCH_ERR_BAD_DEFINITION),
				 errmsg("revision %d of workflow \"%s\" does not compile any more", revision, workflow),
				 errdetail("%s", text),
				 errhint("Define a new revision.")));
	}
	MemoryContextSwitchTo(old);
	text = JsonbToCString(NULL, &definition->root, VARSIZE(definition));
	program->uses_context = strstr(text, "$$") != NULL;
	program->uses_vouch = strstr(text, "$$.Vouch") != NULL || strstr(text, "$$['Vouch'") != NULL ||
		strstr(text, "$$[\\\"Vouch\\\"") != NULL;
	program->uses_uuid = strstr(text, "States.UUID") != NULL;
	pfree(text);
	return program;
}

/* The number of the newest revision; 0: there is no such workflow. */
static int
newest_revision(const char *workflow)
{
	Datum		args[1];

	args[0] = CStringGetTextDatum(workflow);
	vouch_stmt_run_one(&read_head, args, NULL);
	return vouch_stmt_get_int32(0, 1, 0);
}

static pg_noinline void
unknown_workflow(const char *workflow, int revision)
{
	int			newest = newest_revision(workflow);

	if (newest > 0)
		ereport(ERROR,
				(errcode(VOUCH_ERR_UNKNOWN_WORKFLOW),
				 errmsg("workflow \"%s\" has no revision %d", workflow, revision),
				 newest == 1 ? errdetail("Its only revision is 1.") : errdetail("Its revisions are 1 to %d.", newest),
				 errhint("Leave the revision out to take the newest one.")));
	ereport(ERROR,
			(errcode(VOUCH_ERR_UNKNOWN_WORKFLOW),
			 errmsg("there is no workflow \"%s\"", workflow),
			 errhint("Define it with vouch.define_workflow(), or look at vouch.workflows for the names that exist.")));
}

const VouchProgram *
vouch_program_find(const char *workflow, int revision, bool missing_ok)
{
	char		key[KEY_LEN];
	CacheEntry *entry;
	bool		found;
	Datum		args[2];
	TransactionId xmin;
	bool		shipped;
	VouchProgram *program;

	args[0] = CStringGetTextDatum(workflow);
	if (revision == 0)
		revision = newest_revision(workflow);
	prepare_cache();
	snprintf(key, KEY_LEN, "%d:%s", revision, workflow);
	entry = hash_search(cache, key, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->program;

	args[1] = Int32GetDatum(revision);
	if (vouch_stmt_run(&read_revision, args, NULL) == 0)
	{
		if (missing_ok)
			return NULL;
		unknown_workflow(workflow, revision);
	}
	xmin = DatumGetTransactionId(vouch_stmt_get(0, 3, NULL));
	shipped = vouch_stmt_get_bool(0, 4, true);
	program = compile(workflow, revision, DatumGetJsonbP(vouch_stmt_get(0, 1, NULL)),
					  vouch_stmt_get_text(0, 2));
	program->shipped = shipped;
	if (TransactionIdIsCurrentTransactionId(xmin))
		holds_own = true;
	prepare_cache();
	entry = hash_search(cache, key, HASH_ENTER, &found);
	entry->program = program;
	return program;
}

const VouchProgram *
vouch_program_get(const char *workflow, int revision)
{
	return vouch_program_find(workflow, revision, false);
}

const VouchProgram *
vouch_program_named(const char *workflow, const int *revision)
{
	if (revision != NULL && *revision < 1)
		unknown_workflow(workflow, *revision);
	return vouch_program_find(workflow, revision == NULL ? 0 : *revision, false);
}

/* The definition of a machine, as it is written. */
static const AslValue *
written_machine(const AslProgram *program, const AslMachine *machine)
{
	const AslValue *state;
	const AslValue *branches;

	check_stack_depth();
	if (machine->owner == NULL)
		return program->definition;
	state = asl_get(asl_get(written_machine(program, machine->owner->machine), "States"), machine->owner->name);
	if (machine->owner->type == ASL_MAP)
		return asl_get(state, "ItemProcessor") ? asl_get(state, "ItemProcessor") : asl_get(state, "Iterator");
	branches = asl_get(state, "Branches");
	for (int i = 0; i < machine->owner->nbranches; i++)
		if (machine->owner->branches[i] == machine)
			return branches->u.array.items[i];
	return NULL;				/* cannot be */
}

const AslValue *
vouch_program_written(const AslProgram *program, const AslState *state)
{
	return asl_get(asl_get(written_machine(program, state->machine), "States"), state->name);
}
