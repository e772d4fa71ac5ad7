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
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "core/compat.h"
#include "core/errors.h"
#include "core/guc.h"
#include "core/stmt.h"
#include "ledger/ledger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

VOUCH_FUNCTION(vouch_sql_guard_ddl);

#define EXTENSION "vouch"

static VouchStmt count_evidence = {
	"SELECT (SELECT count(*) FROM vouch_data.operation), (SELECT count(*) FROM vouch_data.block)",
	SPI_OK_SELECT, 0, {0}
};

/* Is it a member of the extension, whatever it is called and wherever it is? */
static bool
is_ours(Oid class, Oid id)
{
	Oid			extension = OidIsValid(id) ? getExtensionOfObject(class, id) : InvalidOid;

	return OidIsValid(extension) && extension == get_extension_oid(EXTENSION, true);
}

static bool
is_our_relation_id(Oid id)
{
	/* of a composite type the type is the member */
	return is_ours(RelationRelationId, id) ||
		(OidIsValid(id) && get_rel_relkind(id) == RELKIND_COMPOSITE_TYPE && is_ours(TypeRelationId, get_rel_type_id(id)));
}

static bool
is_our_relation(const RangeVar *relation)
{
	return relation != NULL && is_our_relation_id(RangeVarGetRelid(relation, NoLock, true));
}

/* The relation that an object is on, of what names it: the last is the object's own. */
static RangeVar *
owner_of(List *names)
{
	return list_length(names) < 2 ? NULL :
		makeRangeVarFromNameList(list_truncate(list_copy(names), list_length(names) - 1));
}

/* Anybody may take a trigger of their own away, which was put there while nothing watched. */
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

		if (trigger->tgoid == id)
			ours = trigger->tgisinternal || is_ours(ProcedureRelationId, trigger->tgfoid);
	}
	table_close(rel, AccessShareLock);
	return ours;
}

/* A dump makes the schemas before the extension, and then they are no members. */
static bool
is_our_schema(const char *name)
{
	return name != NULL && (strcmp(name, "vouch_data") == 0 || strcmp(name, "vouch") == 0 ||
							is_ours(NamespaceRelationId, get_namespace_oid(name, true)));
}

/* Is it the name of a function in one of our schemas?  Unqualified: where it would be made. */
static bool
makes_our_function(List *names)
{
	char	   *name;

	return is_our_schema(get_namespace_name(QualifiedNameGetCreationNamespace(names, &name)));
}

static bool
is_our_function(ObjectType type, ObjectWithArgs *function)
{
	return is_ours(ProcedureRelationId, LookupFuncWithArgs(type, function, true));
}

static bool
is_our_type(List *names)
{
	return is_ours(TypeRelationId, LookupTypeNameOid(NULL, makeTypeNameFromNameList(names), true));
}

/* The name of the object that a statement renames or moves, if it is ours. */
static const char *
our_object(ObjectType type, RangeVar *relation, Node *object)
{
	switch (type)
	{
		case OBJECT_FUNCTION:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
		case OBJECT_AGGREGATE:
			return is_our_function(type, castNode(ObjectWithArgs, object)) ?
				strVal(llast(castNode(ObjectWithArgs, object)->objname)) : NULL;
		case OBJECT_TYPE:
		case OBJECT_DOMAIN:
			return is_our_type(castNode(List, object)) ? strVal(llast(castNode(List, object))) : NULL;
		case OBJECT_DOMCONSTRAINT:
			return NULL;
		default:
			return is_our_relation(relation) ? relation->relname : NULL;
	}
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

/*
 * Writes to a table reach its partitions and heirs without their statement
 * triggers, and reads of it find what these hold: none of ours is either.
 */
static const char *
our_parent_or_child(Node *node)
{
	ListCell   *cell;

	if (IsA(node, AlterTableStmt))
		foreach(cell, ((AlterTableStmt *) node)->cmds)
		{
			AlterTableCmd *cmd = lfirst_node(AlterTableCmd, cell);
			RangeVar   *other = cmd->subtype == AT_AttachPartition ? castNode(PartitionCmd, cmd->def)->name :
				cmd->subtype == AT_AddInherit ? castNode(RangeVar, cmd->def) : NULL;

			if (is_our_relation(other))
				return other->relname;
		}
	else
		foreach(cell, ((CreateStmt *) node)->inhRelations)
			if (is_our_relation(lfirst_node(RangeVar, cell)))
				return lfirst_node(RangeVar, cell)->relname;
	return NULL;
}

/* An index may compute nothing that is not built in or an extension's: that would run where our statements write. */
static bool
runs_foreign_code(IndexStmt *index)
{
	ListCell   *cell;

	if (index->whereClause != NULL)
		return true;
	foreach(cell, index->indexParams)
	{
		IndexElem  *elem = lfirst_node(IndexElem, cell);

		if (elem->expr != NULL)
			return true;
		if (elem->opclass != NIL)
		{
			Oid			method = get_index_am_oid(index->accessMethod, true);
			Oid			opclass = OidIsValid(method) ? get_opclass_oid(method, elem->opclass, true) : InvalidOid;

			if (opclass >= FirstNormalObjectId && !OidIsValid(getExtensionOfObject(OperatorClassRelationId, opclass)))
				return true;
		}
	}
	return false;
}

/* What the command would take away from us or put in our way; NULL: nothing. */
static const char *
what_is_touched(Node *node)
{
	ListCell   *cell;

	switch (nodeTag(node))
	{
		case T_AlterTableStmt:
			{
				AlterTableStmt *alter = (AlterTableStmt *) node;

				if (is_our_relation(alter->relation))
					foreach(cell, alter->cmds)
					{
						AlterTableCmd *cmd = lfirst_node(AlterTableCmd, cell);

						if (is_harmless(cmd->subtype))
							continue;
						if ((cmd->subtype == AT_EnableTrig || cmd->subtype == AT_EnableReplicaTrig || cmd->subtype == AT_DisableTrig) &&
							!is_our_trigger(alter->relation, cmd->name))
							continue;
						if (cmd->subtype == AT_DropInherit || cmd->subtype == AT_DetachPartition)
							continue;
						return alter->relation->relname;
					}
				return our_parent_or_child(node);
			}
		case T_CreateStmt:
		case T_CreateForeignTableStmt:
			return our_parent_or_child(node);
		case T_CreateSchemaStmt:
			/* what it brings along is no command of its own */
			foreach(cell, ((CreateSchemaStmt *) node)->schemaElts)
			{
				const char *what = what_is_touched(lfirst(cell));

				if (what != NULL)
					return what;
			}
			return NULL;
		case T_RenameStmt:
			{
				RenameStmt *rename = (RenameStmt *) node;

				if (rename->renameType == OBJECT_TRIGGER)
					return is_our_trigger(rename->relation, rename->subname) ? rename->subname : NULL;
				if (rename->renameType == OBJECT_SCHEMA)
					return is_our_schema(rename->subname) ? rename->subname : NULL;
				return our_object(rename->renameType, rename->relation, rename->object);
			}
		case T_AlterObjectSchemaStmt:
			{
				AlterObjectSchemaStmt *move = (AlterObjectSchemaStmt *) node;

				return our_object(move->objectType, move->relation, move->object);
			}
		case T_AlterObjectDependsStmt:
			{
				/* it would go with another extension */
				AlterObjectDependsStmt *depend = (AlterObjectDependsStmt *) node;

				return our_object(depend->objectType, depend->relation, depend->object);
			}
		case T_AlterFunctionStmt:
			{
				AlterFunctionStmt *alter = (AlterFunctionStmt *) node;

				return is_our_function(alter->objtype, alter->func) ? strVal(llast(alter->func->objname)) : NULL;
			}
		case T_AlterEnumStmt:
			{
				List	   *names = ((AlterEnumStmt *) node)->typeName;

				return is_our_type(names) ? strVal(llast(names)) : NULL;
			}
		case T_DropStmt:
			{
				DropStmt   *drop = (DropStmt *) node;

				if (drop->removeType != OBJECT_TRIGGER && drop->removeType != OBJECT_RULE)
					return NULL;
				foreach(cell, drop->objects)
				{
					List	   *names = lfirst_node(List, cell);

					if (drop->removeType == OBJECT_TRIGGER ? is_our_trigger(owner_of(names), strVal(llast(names))) :
						is_our_relation(owner_of(names)))
						return strVal(llast(names));
				}
				return NULL;
			}
		case T_CreateTrigStmt:
			{
				RangeVar   *relation = ((CreateTrigStmt *) node)->relation;

				return is_our_relation(relation) ? relation->relname : NULL;
			}
		case T_RuleStmt:
			{
				RangeVar   *relation = ((RuleStmt *) node)->relation;

				return is_our_relation(relation) ? relation->relname : NULL;
			}
		case T_CreatePolicyStmt:
			{
				RangeVar   *relation = ((CreatePolicyStmt *) node)->table;

				return is_our_relation(relation) ? relation->relname : NULL;
			}
		case T_IndexStmt:
			{
				IndexStmt  *index = (IndexStmt *) node;

				return is_our_relation(index->relation) && runs_foreign_code(index) ? index->relation->relname : NULL;
			}
		case T_ViewStmt:
			{
				ViewStmt   *view = (ViewStmt *) node;

				return view->replace && is_our_relation(view->view) ? view->view->relname : NULL;
			}
		case T_CreateFunctionStmt:
			{
				CreateFunctionStmt *create = (CreateFunctionStmt *) node;

				return create->replace && makes_our_function(create->funcname) ? strVal(llast(create->funcname)) : NULL;
			}
		case T_AlterExtensionContentsStmt:
			return strcmp(((AlterExtensionContentsStmt *) node)->extname, EXTENSION) == 0 ? EXTENSION : NULL;
		default:
			return NULL;
	}
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
