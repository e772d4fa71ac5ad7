/*
 * approval.c
 *	  Start of the folder.
 */
#include "postgres.h"

#include "core/module.h"

void
vouch_approval_init(void)
{
}
