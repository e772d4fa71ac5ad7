/*
 * record.h
 *	  An operation with all that its leaf is made of.
 */
#ifndef VOUCH_LEDGER_RECORD_H
#define VOUCH_LEDGER_RECORD_H

#include "core/stmt.h"
#include "ledger/ledger.h"
#include "utils/timestamp.h"

typedef struct VouchRecord
{
	const char *subject;
	const char *phase;
	const char *scope;
	bool		has_cycle;
	int64		cycle_id;
	bool		has_report;
	int64		report_id;
	TimestampTz created_at;		/* of the artifact */
	int			op_no;
	bool		has_version;
	VouchOperation op;			/* op.actor is set, op.items_root is not: see items_root */
	const char *db_user;
	TimestampTz at;
	uint64		xid;
	int64		database_id;
	const char *workflow_id;
	const pg_uuid_t *execution_id;
	const char *activity;
	bool		has_attempt;
	int			attempt;
	const bytea *items_root;
	const bytea *prev;
	const bytea *leaf;			/* as stored */
} VouchRecord;

/* What vouch_record_read() wants to find in a row: of artifact a and operation o. */
#define VOUCH_RECORD_COLUMNS \
	"a.bucket, a.artifact_no, a.subject, a.phase, a.scope, o.op_no, o.version_no, o.operation, o.rule, o.actor," \
	" o.on_behalf_of, o.db_user, o.at, o.xid, o.database_id, o.workflow_id, o.execution_id, o.activity, o.attempt," \
	" o.items, o.items_root, o.detail, o.error, o.prev, o.leaf, a.cycle_id, a.report_id, a.created_at"

/* Reads such a row.  What it points to is in the row and in CurrentMemoryContext. */
extern void vouch_record_read(VouchRecord *record, TupleTableSlot *slot);

/* Computes the leaf from the rest. */
extern void vouch_record_leaf(const VouchRecord *record, VouchDigest *leaf);

/* The digest in a bytea; false when it is none. */
extern bool vouch_digest_from_bytea(const bytea *value, VouchDigest *digest);

/*
 * A number for this database, made of the cluster's system identifier and the
 * database's oid: transaction ids mean something only together with it.
 */
extern int64 vouch_ledger_database_id(void);

/* What is wrong with an operation that no block can ever have. */
#define VOUCH_BAD_DATABASE "It is said to be of a database that the log has left or never lived in, and no block has it."
#define VOUCH_BAD_TRANSACTION "It is said to be of a transaction that has not begun."

#endif							/* VOUCH_LEDGER_RECORD_H */
