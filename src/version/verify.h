/*
 * verify.h
 *	  What the parts of vouch.verify() share while they check one artifact.
 */
#ifndef VOUCH_VERSION_VERIFY_H
#define VOUCH_VERSION_VERIFY_H

#include "core/digest.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "ledger/ledger.h"
#include "nodes/execnodes.h"
#include "utils/hsearch.h"

typedef struct VouchVerifyArtifact
{
	int			bucket;
	int			artifact_no;
	char	   *subject;
	char	   *phase;
	char	   *scope;
	int			last_no;
	int			item_no;
	int			body_no;
	int			head_no;
} VouchVerifyArtifact;

/* What the log says of a version; the log may name any number, so they are hashed. */
typedef struct VouchVerifyLogged
{
	int			version_no;		/* first: the key */
	const char *state;			/* NULL: never made; "": discarded */
	bool		submitted;
	VouchDigest content;
	bool		closed;
	VouchDigest shown;
} VouchVerifyLogged;

/* What the tables have of an artifact: the highest numbers. */
typedef struct VouchVerifyExtent
{
	int			version_no;
	int			item_no;
	int			body_no;
	int			stray_version;	/* that something belongs to, but is not there; or 0 */
	bool		any;			/* is there anything? */
} VouchVerifyExtent;

/* Each level does what those before do, and more. */
typedef enum VouchVerifyLevel
{
	LEVEL_BLOCKS,
	LEVEL_LOG,
	LEVEL_CONTENT,
	LEVEL_EVERYTHING
} VouchVerifyLevel;

typedef struct VouchVerify
{
	ReturnSetInfo *rsinfo;
	text	   *subject;		/* or NULL: everything */
	VouchVerifyLevel		level;
	List	   *artifacts;		/* of VouchVerifyArtifact: all that are to be checked */
	VouchVerifyArtifact   *artifact;
	HTAB	   *logged;			/* of VouchVerifyLogged */
	VouchVerifyLogged	  **versions;		/* the same, by number */
	long		nversions;
	VouchVerifyExtent		extent;
	ErrorData  *unread;			/* why extent could not be read; or NULL */
	VouchCheck	check;
	VouchCheckMemory approvals;	/* what the check of approvals keeps from one artifact to the next */
	MemoryContext scratch;
	/* of list_ranges */
	int			item_no;
	int			stage;
	int			to_no;
	/* of list_bodies */
	int64		redactions;
	int			redacted;		/* by which operation, the last */
	int			redacted_body;	/* its payload */
} VouchVerify;

/* Rules of the events that are named, up to NULL, as an array of text. */
extern Datum vouch_verify_rules(const char *event,...);

/* A column of a row; 0 or NULL for null.  Text is palloc'd. */
extern Datum vouch_verify_column(TupleTableSlot *slot, int col);
extern char *vouch_verify_text(TupleTableSlot *slot, int col);

/* Is it that digest?  Not when it is null (0). */
extern bool vouch_verify_same(Datum stored, const VouchDigest *digest);

/*
 * Checks of what an artifact is made of: its payloads, the rows of its items,
 * their verdicts and the counters.  Need SPI_connect().
 */
extern void vouch_verify_payloads(VouchVerify *state);
extern void vouch_verify_ranges(VouchVerify *state);
extern void vouch_verify_verdicts(VouchVerify *state);
extern void vouch_verify_counts(VouchVerify *state);

#endif							/* VOUCH_VERSION_VERIFY_H */
