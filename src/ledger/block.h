/*
 * block.h
 *	  Blocks: what was logged up to some transaction, under one hash.
 */
#ifndef VOUCH_LEDGER_BLOCK_H
#define VOUCH_LEDGER_BLOCK_H

#include "core/stmt.h"
#include "ledger/ledger.h"
#include "utils/timestamp.h"

typedef struct VouchBlock
{
	int64		block_no;
	int			era;
	int64		database_id;	/* of the operations */
	uint64		xid_lo;			/* transactions from here */
	uint64		xid_hi;			/* up to, but not including, this */
	int64		operations;
	VouchDigest root;
	bool		has_prev;
	VouchDigest prev;
	TimestampTz sealed_at;
	uint64		system_identifier;	/* who sealed it */
	Oid			database_oid;
	VouchDigest hash;			/* as stored */
} VouchBlock;

/* What vouch_block_read() wants to find, from column first on, of block b. */
#define VOUCH_BLOCK_COLUMNS \
	"b.block_no, b.era, b.database_id, b.xid_lo, b.xid_hi, b.operations, b.root, b.prev_hash, b.sealed_at," \
	" b.system_identifier, b.database_oid, b.block_hash"
#define VOUCH_BLOCK_NCOLUMNS 12

/* Reads such a row; false when a digest in it is none. */
extern bool vouch_block_read(VouchBlock *block, TupleTableSlot *slot, int first);

/* The hash of its other fields: docs/ledger.md gives the form. */
extern void vouch_block_hash(const VouchBlock *block, VouchDigest *hash);

/* The header as JSON text, appended. */
extern void vouch_block_put_json(StringInfo buf, const VouchBlock *block);

/* The leaves of a block. */
typedef struct VouchLeaves
{
	VouchDigest *leaves;		/* in the order of the block */
	int64		n;
	int64		allocated;
	bool		broken;			/* a leaf is no digest */
} VouchLeaves;

/*
 * Collects the stored leaves of all operations of a database in [xid_lo,
 * xid_hi), in CurrentMemoryContext.  fresh as in vouch_stmt_scan().  Needs
 * SPI_connect().
 */
extern void vouch_block_leaves(VouchLeaves *leaves, int64 database_id, uint64 xid_lo,
							   uint64 xid_hi, bool fresh);

/* "\x" is not there: 64 hexadecimal digits, appended. */
extern void vouch_digest_put_hex(StringInfo buf, const void *data, size_t len);

#endif							/* VOUCH_LEDGER_BLOCK_H */
