/*
 * module.c
 *	  Where the server loads us.
 */
#include "postgres.h"

#include "core/event.h"
#include "core/guc.h"
#include "core/module.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

VouchVersionChangedHook vouch_version_changed_hook = NULL;
VouchDeadlinesHook vouch_deadlines_hook = NULL;

void
_PG_init(void)
{
	vouch_guc_define();
	vouch_version_init();
	vouch_approval_init();
	vouch_engine_init();
	if (process_shared_preload_libraries_in_progress)
		vouch_worker_init();
	MarkGUCPrefixReserved("vouch");
}
