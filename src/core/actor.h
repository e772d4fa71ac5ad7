/*
 * actor.h
 *	  Who acts.  The actor is the session's login role, unless that role is a
 *	  registered trusted application that names one in vouch.actor, or a
 *	  workflow acts for the sender of a signal.
 */
#ifndef VOUCH_CORE_ACTOR_H
#define VOUCH_CORE_ACTOR_H

/* The name of who acts now; valid until the end of the transaction. */
extern const char *vouch_actor_current(void);

/* The role that logged in, whatever SET SESSION AUTHORIZATION did since: for the log. */
extern const char *vouch_actor_db_user(void);

/*
 * Checks a name that a caller gave for who acts ("user_id", "assigned_by").
 * NULL stands for the current actor.  A different name is an error, except
 * from a trusted application, and in a workflow for the person who started
 * it.  Returns the name that acts.  parameter is named in the error.
 */
extern const char *vouch_actor_check(const char *claimed, const char *parameter);

/* Is the session's role a registered trusted application? */
extern bool vouch_actor_is_application(void);

/*
 * A workflow acts for somebody: until vouch_actor_pop(), or the end of the
 * (sub)transaction that pushed, the current actor is actor; starter may be named, too.
 * Both must outlive the frame.  Only the engine calls this.
 */
typedef struct VouchActing
{
	const char *actor;
	const char *starter;		/* who started the execution */
	const char *workflow_id;
	const char *execution_id;
	const char *activity;		/* the state's name */
	int			attempt;
	int			nest_level;
	struct VouchActing *outer;
} VouchActing;

extern void vouch_actor_push(VouchActing *acting);
extern void vouch_actor_pop(VouchActing *acting);

/*
 * The innermost frame, or NULL outside of workflows: for the log.  Its actor
 * is NULL while one reads what belongs to users: nobody acts then.
 */
extern const VouchActing *vouch_actor_acting(void);

#endif							/* VOUCH_CORE_ACTOR_H */
