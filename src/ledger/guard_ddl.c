/*
 * guard_ddl.c
 *	  Keeps the guards themselves from being taken away.
 *
 * An event trigger, because a table's owner and a superuser may do anything to
 * it.  They may also disable the event trigger: that takes one who means it,
 * and vouch.verify() says that it is disabled.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "nodes/parsenodes.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

VOUCH_FUNCTION(vouch_sql_guard_ddl);

#define EXTENSION "vouch"

static VouchStmt count_evidence = {
	"SELECT (SELECT count(*) FROM vouch_data.operation), (SELECT count(*) FROM vouch_data.block)",
	SPI_OK_SELECT, 0, {0}
};

static bool
is_ours(const char *schema)
{
	return schema != NULL && (strcmp(schema, "vouch_data") == 0 || strcmp(schema, "vouch") == 0);
}

static bool
is_our_relation(RangeVar *relation)
{
	Oid			id = relation == NULL ? InvalidOid : RangeVarGetRelid(relation, NoLock, true);

	return OidIsValid(id) && is_ours(get_namespace_name(get_rel_namespace(id)));
}

/* The relation that an object is on, of what names it: the last is the object's own. */
static RangeVar *
owner_of(List *names)
{
	return list_length(names) < 2 ? NULL :
		makeRangeVarFromNameList(list_truncate(list_copy(names), list_length(names) - 1));
}

/* Anybody may put a trigger of their own on a table of ours, and take it away. */
static bool
is_our_trigger(RangeVar *relation, const char *name)
{
	Relation	rel;
	Oid			id;
	bool		ours = false;

	if (!is_our_relation(relation))
		return false;
	rel = table_openrv(relation, AccessShareLock);
	id = get_trigger_oid(RelationGetRelid(rel), name, true);
	for (int i = 0; OidIsValid(id) && rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &rel->trigdesc->triggers[i];
		Oid			schema = get_func_namespace(trigger->tgfoid);

		if (trigger->tgoid == id)
			ours = schema == PG_CATALOG_NAMESPACE || is_ours(get_namespace_name(schema));
	}
	table_close(rel, AccessShareLock);
	return ours;
}

/* Is it the name of a function in one of our schemas?  Unqualified: where it would be made. */
static bool
is_our_function(List *names)
{
	char	   *name;

	return is_ours(get_namespace_name(QualifiedNameGetCreationNamespace(names, &name)));
}

/* What an administrator may do to a table of ours: none of it touches what it holds or guards. */
static bool
is_harmless(AlterTableType type)
{
	switch (type)
	{
		case AT_SetStatistics:
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_SetStorage:
		case AT_SetCompression:
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
		case AT_ReplaceRelOptions:
		case AT_SetTableSpace:
		case AT_SetLogged:
		case AT_ChangeOwner:
		case AT_ClusterOn:
		case AT_DropCluster:
		case AT_ReplicaIdentity:
		case AT_ValidateConstraint:
		case AT_EnableAlwaysTrig:
			return true;
		default:
			return false;
	}
}

/* What the command would take away from us; NULL: nothing. */
static const char *
what_is_touched(Node *node)
{
	ListCell   *cell;

	if (IsA(node, AlterTableStmt))
	{
		AlterTableStmt *alter = (AlterTableStmt *) node;

		if (is_our_relation(alter->relation))
			foreach(cell, alter->cmds)
			{
				AlterTableCmd *cmd = lfirst(cell);

				if (is_harmless(cmd->subtype))
					continue;
				if ((cmd->subtype == AT_EnableTrig || cmd->subtype == AT_EnableReplicaTrig || cmd->subtype == AT_DisableTrig) &&
					!is_our_trigger(alter->relation, cmd->name))
					continue;
				return alter->relation->relname;
			}
	}
	else if (IsA(node, RenameStmt))
	{
		RenameStmt *rename = (RenameStmt *) node;

		if (rename->renameType == OBJECT_TRIGGER && is_our_trigger(rename->relation, rename->subname))
			return rename->subname;
		if ((rename->renameType == OBJECT_RULE ||
			 rename->renameType == OBJECT_TABLE || rename->renameType == OBJECT_COLUMN) &&
			is_our_relation(rename->relation))
			return rename->relation->relname;
		if (rename->renameType == OBJECT_FUNCTION && is_our_function(castNode(ObjectWithArgs, rename->object)->objname))
			return strVal(llast(castNode(ObjectWithArgs, rename->object)->objname));
	}
	else if (IsA(node, DropStmt))
	{
		DropStmt   *drop = (DropStmt *) node;

		foreach(cell, drop->objects)
		{
			List	   *names = lfirst(cell);

			if ((drop->removeType == OBJECT_TRIGGER && is_our_trigger(owner_of(names), strVal(llast(names)))) ||
				(drop->removeType == OBJECT_RULE && is_our_relation(owner_of(names))))
				return strVal(llast(names));
		}
	}
	else if (IsA(node, CreateTrigStmt))
	{
		CreateTrigStmt *create = (CreateTrigStmt *) node;

		if (create->replace && is_our_trigger(create->relation, create->trigname))
			return create->relation->relname;
	}
	else if (IsA(node, RuleStmt))
	{
		RuleStmt   *rule = (RuleStmt *) node;

		if (is_our_relation(rule->relation))
			return rule->relation->relname;
	}
	else if (IsA(node, CreateFunctionStmt))
	{
		CreateFunctionStmt *create = (CreateFunctionStmt *) node;

		if (create->replace && is_our_function(create->funcname))
			return strVal(llast(create->funcname));
	}
	else if (IsA(node, AlterExtensionContentsStmt))
	{
		AlterExtensionContentsStmt *alter = (AlterExtensionContentsStmt *) node;

		if (strcmp(alter->extname, EXTENSION) == 0 && alter->action < 0)
			return EXTENSION;
	}
	return NULL;
}

/* Dropping the extension is its owner's right, but what goes with it cannot be had back. */
static void
warn_of_drop(Node *node)
{
	ListCell   *cell;

	if (!IsA(node, DropStmt) || ((DropStmt *) node)->removeType != OBJECT_EXTENSION)
		return;
	foreach(cell, ((DropStmt *) node)->objects)
	{
		int64		operations,
					blocks;

		if (strcmp(strVal(lfirst(cell)), EXTENSION) != 0)
			continue;
		SPI_connect();
		vouch_stmt_run_one(&count_evidence, NULL, NULL);
		operations = vouch_stmt_get_int64(0, 1, 0);
		blocks = vouch_stmt_get_int64(0, 2, 0);
		SPI_finish();
		if (operations > 0)
			ereport(WARNING,
					(errmsg("dropping extension \"%s\" drops its records with it", EXTENSION),
					 errdetail("The log has %lld operations in %lld blocks, with the versions and signatures that they tell of.",
							   (long long) operations, (long long) blocks),
					 errhint("Roll back, and make a dump and export the anchors (vouch.export_anchors()) first, if anybody may ask for them.")));
	}
}

/* vouch_data.guard_ddl(), an event trigger on ddl_command_start */
Datum
vouch_sql_guard_ddl(PG_FUNCTION_ARGS)
{
	EventTriggerData *data = (EventTriggerData *) fcinfo->context;
	const char *what;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		elog(ERROR, "vouch_data.guard_ddl() was not called as an event trigger");
	if (creating_extension || IsBinaryUpgrade || vouch_guc_restoring)
		return PointerGetDatum(NULL);
	what = what_is_touched(data->parsetree);
	if (what != NULL)
		ereport(ERROR,
				(errcode(VOUCH_ERR_APPEND_ONLY),
				 errmsg("cannot change the definition of \"%s\"", what),
				 errdetail("It is Vouch's, and keeps or guards what must not be changed, by any role."),
				 errhint("ALTER EXTENSION vouch UPDATE changes it with the extension; DROP EXTENSION vouch removes all of it.")));
	warn_of_drop(data->parsetree);
	return PointerGetDatum(NULL);
}
