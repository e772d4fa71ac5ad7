/*
 * resource.c
 *	  Tells the kinds of resources apart.
 */
#include "postgres.h"

#include "engine/resource.h"

VouchResource
vouch_resource_kind(const char *resource)
{
	if (strncmp(resource, "sql:", 4) == 0)
		return VOUCH_RESOURCE_SQL;
	if (strcmp(resource, "vouch:signal") == 0)
		return VOUCH_RESOURCE_SIGNAL;
	if (strcmp(resource, "vouch:review") == 0)
		return VOUCH_RESOURCE_REVIEW;
	if (strcmp(resource, "vouch:execution") == 0)
		return VOUCH_RESOURCE_EXECUTION;
	if (strcmp(resource, "vouch:execution.sync") == 0)
		return VOUCH_RESOURCE_EXECUTION_SYNC;
	if (strncmp(resource, "activity:", 9) == 0)
		return VOUCH_RESOURCE_ACTIVITY;
	if (strcmp(resource, "vouch:until") == 0)
		return VOUCH_RESOURCE_UNTIL;
	return VOUCH_RESOURCE_UNKNOWN;
}
