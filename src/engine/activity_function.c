/*
 * activity_function.c
 *	  sql: activities: which function of the database, with which arguments.
 *
 * A function is found once a session, and found again when some function was
 * changed.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "engine/activity_function.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#define RESOURCE_LEN 200

typedef struct CacheEntry
{
	char		resource[RESOURCE_LEN];
	VouchFunction   *functions;		/* NULL: there is none */
} CacheEntry;

static HTAB *cache = NULL;
static MemoryContext cache_context = NULL;
static bool stale = false;

/*
 * A function may be changed while one of them is being called, by the very
 * activity, and looked up again by what that calls.  So what is outdated
 * stays until no call is under way.
 */
typedef struct Outdated
{
	HTAB	   *cache;
	MemoryContext context;
	struct Outdated *next;
} Outdated;

static Outdated *outdated = NULL;
static int	calls_under_way = 0;

static void
at_function_change(Datum arg, int cacheid, uint32 hashvalue)
{
	stale = true;
}

static void
destroy(HTAB *table, MemoryContext context)
{
	HASH_SEQ_STATUS seq;
	CacheEntry *entry;

	hash_seq_init(&seq, table);
	while ((entry = hash_seq_search(&seq)) != NULL)
		for (VouchFunction *f = entry->functions; f != NULL; f = f->next)
		{
			for (VouchCall *call = f->calls; call != NULL; call = call->next)
				SPI_freeplan(call->plan);
			for (int i = 0; i < f->nargs; i++)
				if (f->args[i].convert != NULL)
					SPI_freeplan(f->args[i].convert);
		}
	hash_destroy(table);
	MemoryContextDelete(context);
}

static void
forget(void)
{
	if (calls_under_way > 0)
	{
		Outdated   *old = MemoryContextAlloc(cache_context, sizeof(Outdated));

		old->cache = cache;
		old->context = cache_context;
		old->next = outdated;
		outdated = old;
	}
	else
		destroy(cache, cache_context);
	cache = NULL;
}

void
vouch_function_begin(void)
{
	while (calls_under_way == 0 && outdated != NULL)
	{
		Outdated	old = *outdated;	/* it lies in its own context */

		outdated = old.next;
		destroy(old.cache, old.context);
	}
	calls_under_way++;
}

void
vouch_function_end(void)
{
	calls_under_way--;
}

bool
vouch_function_split(const char *resource, char **schema, char **name)
{
	const char *text = resource + strlen("sql:");
	const char *dot = strchr(text, '.');

	if (dot == NULL || dot == text || dot[1] == '\0' || strlen(resource) >= RESOURCE_LEN)
		return false;
	*schema = pnstrdup(text, dot - text);
	*name = pstrdup(dot + 1);
	return true;
}

static bool
takes_text(Oid type)
{
	Oid			base = getBaseType(type);

	return get_typtype(base) != TYPTYPE_COMPOSITE && !OidIsValid(get_element_type(base));
}

static bool
is_pseudo(Oid type)
{
	return get_typtype(type) == TYPTYPE_PSEUDO;
}

/* Why something that is called like a function cannot be an activity, or NULL. */
static const char *
unfit(Form_pg_proc form, bool has_columns)
{
	switch (form->prokind)
	{
		case PROKIND_PROCEDURE:
			return "is a procedure, no function";
		case PROKIND_AGGREGATE:
			return "is an aggregate, no plain function";
		case PROKIND_WINDOW:
			return "is a window function, no plain function";
		default:
			break;
	}
	if (form->prorettype == TRIGGEROID || form->prorettype == EVENT_TRIGGEROID)
		return "is a trigger function";
	if (form->pronargs > VOUCH_MAX_ARGS)
		return psprintf("has more than %d arguments", VOUCH_MAX_ARGS);
	for (int i = 0; i < form->pronargs; i++)
		if (is_pseudo(form->proargtypes.values[i]))
			return psprintf("has an argument of type %s, which no JSON can be converted to",
							format_type_be(form->proargtypes.values[i]));
	if (form->prorettype == RECORDOID ? form->proretset && !has_columns
		: is_pseudo(form->prorettype) && form->prorettype != VOIDOID)
		return psprintf("returns %s%s, which cannot be converted to JSON", form->proretset ? "rows of " : "",
						format_type_be(form->prorettype));
	return NULL;
}

static VouchFunction *
describe(HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	VouchFunction   *f;
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			n = get_func_arg_info(tuple, &types, &names, &modes);
	bool		has_columns = false;

	f = palloc0(sizeof(VouchFunction));
	f->oid = form->oid;
	for (int i = 0; i < n && modes != NULL; i++)
		if (modes[i] == PROARGMODE_OUT || modes[i] == PROARGMODE_INOUT || modes[i] == PROARGMODE_TABLE)
			has_columns = true;
	f->unfit = unfit(form, has_columns);
	if (f->unfit != NULL)
		return f;
	f->retset = form->proretset;
	f->rettype = form->prorettype;
	f->ndefaults = form->pronargdefaults;
	f->variadic = OidIsValid(form->provariadic);
	for (int i = 0; i < n; i++)
	{
		VouchArgument   *a = &f->args[f->nargs];

		if (modes != NULL && (modes[i] == PROARGMODE_OUT || modes[i] == PROARGMODE_TABLE))
			continue;
		a->name = names != NULL && names[i] != NULL ? pstrdup(names[i]) : "";
		a->type = types[i];
		a->by_text = takes_text(a->type);
		if (a->by_text)
			getTypeInputInfo(a->type, &a->input, &a->ioparam);
		f->nargs++;
	}
	f->whole = f->nargs == 1 && !f->variadic &&
		(f->args[0].name[0] == '\0' || f->args[0].type == JSONBOID || f->args[0].type == JSONOID);
	return f;
}

VouchFunction *
vouch_function_find(const char *resource)
{
	CacheEntry *entry;
	bool		found;
	char	   *schema,
			   *name;
	Oid			namespace;

	if (!vouch_function_split(resource, &schema, &name))
		return NULL;
	if (cache != NULL && stale)
		forget();
	if (cache == NULL)
	{
		static bool callback_registered = false;
		HASHCTL		ctl;

		memset(&ctl, 0, sizeof(ctl));
		ctl.keysize = RESOURCE_LEN;
		ctl.entrysize = sizeof(CacheEntry);
		cache = hash_create("vouch activities", 64, &ctl, HASH_ELEM | HASH_STRINGS);
		cache_context = AllocSetContextCreate(TopMemoryContext, "vouch activities", ALLOCSET_DEFAULT_SIZES);
		if (!callback_registered)
		{
			CacheRegisterSyscacheCallback(PROCOID, at_function_change, (Datum) 0);
			CacheRegisterSyscacheCallback(NAMESPACEOID, at_function_change, (Datum) 0);
			CacheRegisterSyscacheCallback(TYPEOID, at_function_change, (Datum) 0);
			callback_registered = true;
		}
		stale = false;
	}
	entry = hash_search(cache, resource, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->functions;

	namespace = get_namespace_oid(schema, true);
	if (OidIsValid(namespace))
	{
		MemoryContext old = MemoryContextSwitchTo(cache_context);
		CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
		VouchFunction   *functions = NULL;

		for (int i = 0; i < list->n_members; i++)
		{
			HeapTuple	tuple = &list->members[i]->tuple;

			if (((Form_pg_proc) GETSTRUCT(tuple))->pronamespace == namespace)
			{
				VouchFunction   *f = describe(tuple);
				VouchFunction  **at = &functions;

				while (*at != NULL && (*at)->oid < f->oid)
					at = &(*at)->next;
				f->next = *at;
				*at = f;
			}
		}
		ReleaseSysCacheList(list);
		MemoryContextSwitchTo(old);
		if (functions != NULL)
		{
			entry = hash_search(cache, resource, HASH_ENTER, &found);
			entry->functions = functions;
		}
		return functions;
	}
	return NULL;
}

/* --------------------------------------------------------------- matching */

static int
find_argument(const VouchFunction *f, const char *name, size_t len)
{
	for (int i = 0; i < f->nargs; i++)
		if (strlen(f->args[i].name) == len && memcmp(f->args[i].name, name, len) == 0)
			return i;
	return -1;
}

char *
vouch_function_signature(const VouchFunction *f)
{
	return format_procedure(f->oid);
}

/*
 * Which arguments the keys of an input supply; a sentence when they do not
 * fit.  Keys of a template may end in ".$".
 */
static const char *
match(const VouchFunction *f, const AslValue *input, bool template, uint32 *supplied)
{
	*supplied = 0;
	if (f->unfit != NULL)
		return psprintf("%s %s.", vouch_function_signature(f), f->unfit);
	if (f->whole)
	{
		*supplied = 1;
		return NULL;
	}
	if (input->type == ASL_OBJECT)
		for (size_t i = 0; i < input->u.object.n; i++)
		{
			const AslValue *key = input->u.object.members[i].key;
			size_t		len = key->u.string.len;
			int			no;

			if (template && len > 2 && strcmp(key->u.string.data + len - 2, ".$") == 0)
				len -= 2;
			no = find_argument(f, key->u.string.data, len);
			if (no < 0)
				return psprintf("%s has no argument \"%.*s\".", vouch_function_signature(f), (int) len, key->u.string.data);
			*supplied |= (uint32) 1 << no;
		}
	else if (input->type != ASL_NULL || f->nargs > 0)
		return psprintf("%s takes its arguments by name, from an object.", vouch_function_signature(f));
	for (int i = 0; i < f->nargs - f->ndefaults; i++)
		if ((*supplied & ((uint32) 1 << i)) == 0 && !(f->variadic && i == f->nargs - 1))
			return f->args[i].name[0] == '\0'
				? psprintf("%s has arguments without a name, which cannot be given.", vouch_function_signature(f))
				: psprintf("%s needs argument \"%s\".", vouch_function_signature(f), f->args[i].name);
	return NULL;
}

VouchFunction *
vouch_function_choose(const char *resource, VouchFunction *functions, const AslValue *input, bool template,
	   uint32 *supplied, const char **problem)
{
	VouchFunction   *chosen = NULL;
	uint32		bits = 0;

	*problem = NULL;
	for (VouchFunction *f = functions; f != NULL; f = f->next)
	{
		const char *why = match(f, input, template, &bits);

		if (why != NULL)
		{
			if (*problem == NULL)
				*problem = why;
		}
		else if (chosen != NULL)
		{
			*problem = psprintf("\"%s\" is ambiguous: both %s and %s take this input.", resource + 4,
								vouch_function_signature(chosen), vouch_function_signature(f));
			return NULL;
		}
		else
		{
			chosen = f;
			*supplied = bits;
		}
	}
	if (chosen != NULL)
		*problem = NULL;
	return chosen;
}

const char *
vouch_function_check(const char *resource, const AslValue *parameters, Oid run_as, const char **code)
{
	char	   *schema,
			   *name;
	Oid			namespace;
	VouchFunction   *functions;
	VouchFunction   *chosen;
	const char *problem = NULL;
	uint32		supplied;

	*code = "BAD_RESOURCE";
	if (!vouch_function_split(resource, &schema, &name))
		return psprintf("Resource \"%s\" does not have the form sql:schema.function.", resource);
	*code = "UNKNOWN_FUNCTION";
	namespace = get_namespace_oid(schema, true);
	if (!OidIsValid(namespace))
		return psprintf("Schema \"%s\" does not exist.", schema);
	functions = vouch_function_find(resource);
	if (functions == NULL)
		return psprintf("Function \"%s.%s\" does not exist.", schema, name);
	for (chosen = functions; chosen != NULL && chosen->unfit != NULL;)
		chosen = chosen->next;
	*code = "BAD_RESOURCE";
	if (chosen == NULL)
		return psprintf("%s %s.", vouch_function_signature(functions), functions->unfit);
	/* with an input that is not known yet, any that can be called at all will do */
	if (parameters != NULL && parameters->type == ASL_OBJECT)
	{
		*code = "BAD_ARGUMENTS";
		chosen = vouch_function_choose(resource, functions, parameters, true, &supplied, &problem);
		if (chosen == NULL)
			return problem;
	}
	if (OidIsValid(run_as))
	{
		*code = "NO_PRIVILEGE";
		if (!DatumGetBool(DirectFunctionCall3(has_schema_privilege_id_id, ObjectIdGetDatum(run_as),
											  ObjectIdGetDatum(namespace), CStringGetTextDatum("USAGE"))))
			return psprintf("Role \"%s\" has no USAGE on schema \"%s\".",
							GetUserNameFromId(run_as, false), schema);
		if (!DatumGetBool(DirectFunctionCall3(has_function_privilege_id_id, ObjectIdGetDatum(run_as),
											  ObjectIdGetDatum(chosen->oid), CStringGetTextDatum("EXECUTE"))))
			return psprintf("Role \"%s\" may not EXECUTE %s.", GetUserNameFromId(run_as, false),
							vouch_function_signature(chosen));
	}
	*code = NULL;
	return NULL;
}
