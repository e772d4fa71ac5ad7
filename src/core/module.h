/*
 * module.h
 *	  What each folder does when the library is loaded.  Declared here, defined
 *	  in the folder, so that core includes no other folder.
 */
#ifndef VOUCH_CORE_MODULE_H
#define VOUCH_CORE_MODULE_H

/* Always: register state machines, set hooks.  Must not need shared memory. */
extern void vouch_version_init(void);	/* version/version.c */
extern void vouch_approval_init(void);	/* approval/ */
extern void vouch_engine_init(void);	/* engine/ */

/* Only when preloaded: shared memory hooks, the static launcher. */
extern void vouch_worker_init(void);	/* worker/launcher.c */

#endif							/* VOUCH_CORE_MODULE_H */
