/*
 * revise.h
 *	  Changing drafts: what the public functions and tracked tables share.
 *	  All of it needs SPI_connect() and the artifact's lock.
 */
#ifndef VOUCH_VERSION_REVISE_H
#define VOUCH_VERSION_REVISE_H

#include "version/store.h"

/*
 * Makes a draft that carries from parent as vouch.create_revision() does, and
 * begins *change for it; *what says what it wrote.  Raises VO110 at the phase's limit.  The caller has
 * checked that no version is open, and calls vouch_revise_end() at the end.
 */
extern VouchVersion *vouch_revise_begin(VouchVersion *parent, const VouchPhase *phase, const char *carry_name,
										const char *reason, const char *actor, VouchNewVersion *what,
										VouchChange *change);
extern void vouch_revise_end(VouchChange *change, const char *actor, bool made);

/* Has the actor part in the version, or the role that makes versions of its phase? */
extern bool vouch_revise_is_editor(const VouchVersion *version, const char *actor);

/* Raises VO002 unless the actor has part in the version, or the role that makes versions of its phase. */
extern void vouch_revise_check_editor(const VouchVersion *version, const char *actor);

/*
 * Puts items into the newest version, a draft.  Those that it has are replaced: rows of
 * earlier versions end here, its own are rewritten or taken out, verdicts of
 * all stages with them.
 */
extern void vouch_revise_put(VouchChange *change, VouchVersion *version, VouchItems *items);

/*
 * What the log says of a change: of a new version what it is, and keys of the items when they
 * are few; what and table may be NULL.
 */
extern Jsonb *vouch_revise_detail(Datum *keys, int n, const VouchNewVersion *what, int64 carried, const char *table);

/* Appends an operation by the rule of (state, event); at is the time of its rows, 0 for now. */
extern void vouch_revise_log(const VouchVersion *version, const char *operation, const char *event, const char *state,
							 const char *actor, TimestampTz at, int64 n, const VouchDigest *root, Jsonb *detail);

#endif							/* VOUCH_VERSION_REVISE_H */
