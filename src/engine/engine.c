/*
 * engine.c
 *	  Start of the folder.
 */
#include "postgres.h"

#include "core/module.h"

void
vouch_engine_init(void)
{
}
