/*
 * policy.h
 *	  Policies as data: the readable JSON form, its check, and the tables.
 */
#ifndef VOUCH_APPROVAL_POLICY_H
#define VOUCH_APPROVAL_POLICY_H

#include "approval/evaluate.h"
#include "utils/jsonb.h"

/*
 * Reads and checks the JSON form of a policy.  Raises VO205 naming the place,
 * or VO503 for what is known but not supported.  Opens no relation: whether
 * its roles exist is the caller's to check.
 */
extern VouchPolicy *vouch_policy_parse(const char *name, Jsonb *definition);

/* The JSON form with all defaults filled in: equal for equal policies. */
extern Jsonb *vouch_policy_to_json(const VouchPolicy *policy);

/*
 * Loads a revision of a policy from the tables, palloc'd; revision 0 stands
 * for the current one.  NULL when there is none.  Needs SPI_connect().
 */
extern VouchPolicy *vouch_policy_load(const char *name, int revision);

/* What phase_policy says of a phase and scope. */
typedef struct VouchPhasePolicy
{
	const char *policy;
	const char *maker_role;		/* or NULL */
} VouchPhasePolicy;

/* False when the phase has no policy.  Needs SPI_connect(). */
extern bool vouch_policy_of_phase(const char *phase, const char *scope,
								  VouchPhasePolicy *result);

/* The roles that sign, escalations included, as a text[]; the rule @auto is none. */
extern Datum vouch_policy_roles(const VouchPolicy *policy);

/* A text array: values must not be NULL.  For what we bind and store. */
extern Datum vouch_text_array(const char **values, int n);

/* The other way, palloc'd. */
extern int	vouch_text_array_get(Datum array, const char ***values);

/* "3 days", as definitions have it. */
extern char *vouch_time_words(int64 microseconds);

/* A condition as the tables have it (trusted), and back. */
extern VouchCondition *vouch_condition_read(Jsonb *object);
extern Jsonb *vouch_condition_to_json(const VouchCondition *condition);

extern const char *vouch_item_rule_name(VouchItemRule items);

#endif							/* VOUCH_APPROVAL_POLICY_H */
