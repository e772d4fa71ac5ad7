/*
 * fsm.h
 *	  State machines as const tables of (state, event, next state, rule id).
 *	  The table is the authority: code asks it, vouch.state_machine() dumps it.
 */
#ifndef VOUCH_CORE_FSM_H
#define VOUCH_CORE_FSM_H

typedef struct VouchTransition
{
	const char *state;			/* "" before the thing exists */
	const char *event;
	const char *next;			/* "" when the thing ceases to exist */
	const char *rule;			/* stable for ever, like "V020"; gaps are left on purpose */
	const char *meaning;		/* one sentence */
} VouchTransition;				/* ends with a row whose rule is NULL */

typedef struct VouchMachine
{
	const char *name;			/* "version" */
	const VouchTransition *transitions;
} VouchMachine;

/* Makes a machine known to vouch.state_machine(); once, from _PG_init(). */
extern void vouch_fsm_register(const VouchMachine *machine);

/* The row that matches, or NULL. */
extern const VouchTransition *vouch_fsm_find(const VouchMachine *machine,
											 const char *state, const char *event);

/* Events that the machine takes in a state, as "a, b, c", for hints. */
extern char *vouch_fsm_events(const VouchMachine *machine, const char *state);

#endif							/* VOUCH_CORE_FSM_H */
