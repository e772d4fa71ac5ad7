/*
 * activity_sql.h
 *	  sql: activities: which function, with which arguments.
 */
#ifndef VOUCH_ENGINE_ACTIVITY_SQL_H
#define VOUCH_ENGINE_ACTIVITY_SQL_H

#include "asl/asl.h"

/*
 * Checks what a Task's sql: Resource names, for the role that will run it:
 * the function exists and may be called, and takes the keys of parameters
 * (an object, or NULL when they are not known).  NULL when good, else a
 * sentence, and its code.
 */
extern const char *vouch_activity_check(const char *resource, const AslValue *parameters,
										Oid run_as, const char **code);

#endif							/* VOUCH_ENGINE_ACTIVITY_SQL_H */
