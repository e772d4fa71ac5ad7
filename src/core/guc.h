/*
 * guc.h
 *	  The settings, vouch.*.  Sorted by name.
 */
#ifndef VOUCH_CORE_GUC_H
#define VOUCH_CORE_GUC_H

extern char *vouch_guc_actor;
extern char *vouch_guc_databases;
extern int	vouch_guc_executor_idle_timeout;
extern int	vouch_guc_executor_max_steps;
extern int	vouch_guc_executors;
extern int	vouch_guc_history_payload_limit;
extern bool vouch_guc_inline_advance;
extern int	vouch_guc_max_branches;
extern int	vouch_guc_max_payload;
extern int	vouch_guc_poll_interval;
extern bool vouch_guc_restoring;
extern int	vouch_guc_seal_interval;
extern bool vouch_guc_workers;

extern void vouch_guc_define(void);

#endif							/* VOUCH_CORE_GUC_H */
