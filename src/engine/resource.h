/*
 * resource.h
 *	  What a Task's Resource names.
 */
#ifndef VOUCH_ENGINE_RESOURCE_H
#define VOUCH_ENGINE_RESOURCE_H

typedef enum VouchResource
{
	VOUCH_RESOURCE_UNKNOWN,
	VOUCH_RESOURCE_SQL,			/* sql:schema.function */
	VOUCH_RESOURCE_SIGNAL,		/* vouch:signal */
	VOUCH_RESOURCE_REVIEW,		/* vouch:review */
	VOUCH_RESOURCE_EXECUTION,	/* vouch:execution */
	VOUCH_RESOURCE_EXECUTION_SYNC,	/* vouch:execution.sync */
	VOUCH_RESOURCE_ACTIVITY,	/* activity:queue */
	VOUCH_RESOURCE_UNTIL		/* vouch:until */
} VouchResource;

extern VouchResource vouch_resource_kind(const char *resource);

#endif							/* VOUCH_ENGINE_RESOURCE_H */
