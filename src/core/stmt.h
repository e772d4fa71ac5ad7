/*
 * stmt.h
 *	  The registry of statements that C sends to SQL: one place that switches
 *	  up to the extension's owner, pins search_path, keeps plans and checks
 *	  result codes.
 */
#ifndef VOUCH_CORE_STMT_H
#define VOUCH_CORE_STMT_H

#include "executor/spi.h"
#include "fmgr.h"

#define VOUCH_STMT_MAX_ARGS 24

/*
 * Declare each as a static variable beside the code that uses it:
 *
 *	static VouchStmt lock_artifact = {
 *		"SELECT ... FROM vouch_data.artifact WHERE bucket = $1 AND ...",
 *		SPI_OK_SELECT, 2, {INT4OID, INT4OID}
 *	};
 *
 * Text: schema-qualified, "bucket = $1" on every table, parameters of built-in
 * types only (enums as text, cast in the text; sets as arrays), no volatile
 * functions over columns.
 *
 * Plans are kept for the session, so they must be good for what comes later, whatever the
 * statistics say now.  A statement that looks rows up by key is marked
 * indexed; where it joins, the inner side is a LATERAL (... OFFSET 0), which
 * the planner cannot turn into one scan of everything with a join filter.  A
 * statement that reads most of an artifact is marked hashed, so that it is
 * linear.
 */
typedef struct VouchStmt
{
	const char *text;
	int			expect;			/* SPI_OK_... */
	int			nargs;
	Oid			args[VOUCH_STMT_MAX_ARGS];
	SPIPlanPtr	plan;			/* kept for the session, private to stmt.c */
	bool		indexed;		/* looks few rows up: nested loops over indexes */
	bool		hashed;			/* reads all rows of something: hash joins */
	bool		guarded;		/* writes a table behind vouch_data.guard() */
	int64		planned_for;	/* private to stmt.c */
	int			in_use;			/* private to stmt.c: how often it runs right now */
} VouchStmt;

/*
 * Says how many rows the artifact has that the next statements are about.
 * Plans made when everything was much smaller are made again.
 */
extern void vouch_stmt_expect_rows(int64 rows);

/*
 * True in a trigger that a guarded statement itself has fired: what
 * vouch_data.guard(), the trigger on tables that only our code may write, asks.
 * False in what such a trigger has run in turn.
 */
extern bool vouch_stmt_in_guarded(void);

/*
 * Runs a statement as the extension's owner and returns the number of rows.
 * Needs SPI_connect().  nulls may be NULL, else one char per argument, 'n' or
 * ' '.  Rows are in SPI_tuptable, in SPI's own memory: copy what you keep.
 * Sees the effects of everything before it in this transaction, and, in READ
 * COMMITTED, all that was committed before it began.
 */
extern uint64 vouch_stmt_run(VouchStmt *stmt, Datum *args, const char *nulls);

/* The same for statements that must find exactly one row; elog if not. */
extern void vouch_stmt_run_one(VouchStmt *stmt, Datum *args, const char *nulls);

/*
 * The same for a SELECT in a STABLE function: sees what the statement that
 * called us sees, like vouch_stmt_scan() when it is not fresh.
 */
extern uint64 vouch_stmt_run_stable(VouchStmt *stmt, Datum *args, const char *nulls);

/* At most max rows. */
extern uint64 vouch_stmt_run_max(VouchStmt *stmt, Datum *args, const char *nulls, long max);

/*
 * The same, but sees all that was committed before it began at any isolation
 * level: for what a lock that the caller holds keeps from changing.
 */
extern uint64 vouch_stmt_run_latest(VouchStmt *stmt, Datum *args, const char *nulls);

/*
 * Runs a statement that returns rows, as the extension's owner, and hands each
 * row to the callback without collecting them.  fresh: sees what was done so far, like
 * vouch_stmt_run(); otherwise, as in a STABLE function, what the statement
 * that called us sees.  Needs SPI_connect().  The callback runs in the memory
 * context that was current at the call, and runs no statement without an
 * SPI_connect() of its own.
 */
typedef void (*VouchRowCallback) (TupleTableSlot *slot, void *arg);
extern uint64 vouch_stmt_scan(VouchStmt *stmt, Datum *args, const char *nulls, bool fresh,
							  VouchRowCallback callback, void *arg);

/* The same, not fresh, with the rows as the result of the set-returning function in fcinfo. */
extern uint64 vouch_stmt_return(VouchStmt *stmt, Datum *args, const char *nulls,
								FunctionCallInfo fcinfo);

/* One column of one row of SPI_tuptable (col from 1).  *isnull may be NULL. */
extern Datum vouch_stmt_get(uint64 row, int col, bool *isnull);
extern char *vouch_stmt_get_text(uint64 row, int col);	/* NULL for null; copied into CurrentMemoryContext */
extern int32 vouch_stmt_get_int32(uint64 row, int col, int32 otherwise);
extern int64 vouch_stmt_get_int64(uint64 row, int col, int64 otherwise);
extern bool vouch_stmt_get_bool(uint64 row, int col, bool otherwise);

/*
 * A section of code that runs as the extension's owner with search_path
 * pinned, for dynamic work that is no VouchStmt; statements run in one are cheaper.  An error inside is undone by
 * the (sub)transaction's abort.
 */
typedef struct VouchOwnerSection
{
	Oid			userid;
	int			sec_context;
	int			nestlevel;
} VouchOwnerSection;

extern void vouch_owner_begin(VouchOwnerSection *section);
extern void vouch_owner_end(VouchOwnerSection *section);

/* Owner of schema vouch_data; raises when the extension is not installed here. */
extern Oid	vouch_owner_id(void);

/* The same, or InvalidOid when the extension is not installed here.  In a transaction. */
extern Oid	vouch_owner_find(void);

#endif							/* VOUCH_CORE_STMT_H */
