/*
 * launcher.c
 *	  The static process that starts a dispatcher per database.
 */
#include "postgres.h"

#include "core/module.h"

void
vouch_worker_init(void)
{
}
