/*
 * errors.h
 *	  SQLSTATE class VO.  docs/errors.md lists the same codes; a test compares.
 */
#ifndef VOUCH_CORE_ERRORS_H
#define VOUCH_CORE_ERRORS_H

#include "utils/elog.h"

#define VOUCH_CODE(a, b, c) MAKE_SQLSTATE('V', 'O', a, b, c)

/* VO0xx: who acts */
#define VOUCH_ERR_ACTOR_MISMATCH		VOUCH_CODE('0', '0', '1')	/* a name that is not the session's actor */
#define VOUCH_ERR_ROLE_MISSING			VOUCH_CODE('0', '0', '2')	/* the actor does not hold the role */
#define VOUCH_ERR_DUTIES				VOUCH_CODE('0', '0', '3')	/* separation of duties */
#define VOUCH_ERR_NOT_TRUSTED			VOUCH_CODE('0', '0', '4')	/* only a trusted application may set vouch.actor */
#define VOUCH_ERR_DELEGATION			VOUCH_CODE('0', '0', '5')	/* no valid delegation */
#define VOUCH_ERR_REAUTH				VOUCH_CODE('0', '0', '6')	/* the login is too long ago to sign */

/* VO1xx: versions, items, decisions */
#define VOUCH_ERR_UNKNOWN_PHASE			VOUCH_CODE('1', '0', '1')
#define VOUCH_ERR_UNKNOWN_VERSION		VOUCH_CODE('1', '0', '2')
#define VOUCH_ERR_UNKNOWN_ITEM			VOUCH_CODE('1', '0', '3')
#define VOUCH_ERR_BAD_ITEM				VOUCH_CODE('1', '0', '4')	/* shape of an item */
#define VOUCH_ERR_DUPLICATE_ITEM		VOUCH_CODE('1', '0', '5')
#define VOUCH_ERR_VERSION_STATE			VOUCH_CODE('1', '0', '6')	/* no transition from this state */
#define VOUCH_ERR_OPEN_VERSION			VOUCH_CODE('1', '0', '7')	/* another version is open already */
#define VOUCH_ERR_BAD_DECISION			VOUCH_CODE('1', '0', '8')
#define VOUCH_ERR_FROZEN				VOUCH_CODE('1', '0', '9')	/* a write to what a submitted version shows */
#define VOUCH_ERR_REVISION_LIMIT		VOUCH_CODE('1', '1', '0')
#define VOUCH_ERR_VERSION_MOVED			VOUCH_CODE('1', '1', '1')	/* concurrent change */

/* VO2xx: approvals */
#define VOUCH_ERR_UNDECIDED				VOUCH_CODE('2', '0', '1')	/* items without a verdict, or none at all */
#define VOUCH_ERR_UNSATISFIABLE			VOUCH_CODE('2', '0', '2')	/* nobody can satisfy the policy */
#define VOUCH_ERR_ALREADY_SIGNED		VOUCH_CODE('2', '0', '3')
#define VOUCH_ERR_STAGE_CLOSED			VOUCH_CODE('2', '0', '4')	/* the stage is not open yet */
#define VOUCH_ERR_BAD_POLICY			VOUCH_CODE('2', '0', '5')
#define VOUCH_ERR_REJECTED_ITEMS		VOUCH_CODE('2', '0', '6')	/* the policy wants every item approved */
#define VOUCH_ERR_NO_POLICY				VOUCH_CODE('2', '0', '7')

/* VO3xx: log */
#define VOUCH_ERR_APPEND_ONLY			VOUCH_CODE('3', '0', '1')
#define VOUCH_ERR_TAMPERED				VOUCH_CODE('3', '0', '2')
#define VOUCH_ERR_NOT_SEALED			VOUCH_CODE('3', '0', '3')	/* no block holds the operation yet */
#define VOUCH_ERR_NOT_ADOPTED			VOUCH_CODE('3', '0', '4')	/* a restored copy seals nothing */
#define VOUCH_ERR_UNKNOWN_OPERATION		VOUCH_CODE('3', '0', '5')

/* VO4xx: workflows */
#define VOUCH_ERR_BAD_DEFINITION		VOUCH_CODE('4', '0', '1')
#define VOUCH_ERR_UNKNOWN_WORKFLOW		VOUCH_CODE('4', '0', '2')	/* no such definition or revision */
#define VOUCH_ERR_UNKNOWN_EXECUTION		VOUCH_CODE('4', '0', '3')	/* no such workflow_id */
#define VOUCH_ERR_ALREADY_STARTED		VOUCH_CODE('4', '0', '4')	/* an open execution has this workflow_id */
#define VOUCH_ERR_EXECUTION_STATE		VOUCH_CODE('4', '0', '5')	/* closed, or no such transition */
#define VOUCH_ERR_ACTIVITY				VOUCH_CODE('4', '0', '6')	/* an activity cannot be called as written */
#define VOUCH_ERR_RUN_AS				VOUCH_CODE('4', '0', '7')
#define VOUCH_ERR_RAISED				VOUCH_CODE('4', '0', '8')	/* vouch.fail() */
#define VOUCH_ERR_TASK_TOKEN			VOUCH_CODE('4', '0', '9')

/* VO5xx: limits and arguments */
#define VOUCH_ERR_LIMIT					VOUCH_CODE('5', '0', '1')
#define VOUCH_ERR_ARGUMENT				VOUCH_CODE('5', '0', '2')
#define VOUCH_ERR_NOT_SUPPORTED			VOUCH_CODE('5', '0', '3')

/* VO6xx: the nine phases */
#define VOUCH_ERR_UNKNOWN_ASSIGNMENT	VOUCH_CODE('6', '0', '1')
#define VOUCH_ERR_UNKNOWN_DOCUMENT		VOUCH_CODE('6', '0', '2')
#define VOUCH_ERR_UNKNOWN_ACTION		VOUCH_CODE('6', '0', '3')
#define VOUCH_ERR_PHASE_ORDER			VOUCH_CODE('6', '0', '4')	/* the phase before is not approved */
#define VOUCH_ERR_SOURCE				VOUCH_CODE('6', '0', '5')	/* the source table cannot be used */

#endif							/* VOUCH_CORE_ERRORS_H */
