/*
 * id.h
 *	  Buckets and ids.  Every id is a UUID version 8 that carries its bucket in
 *	  the same place, so any id leads to its rows without a lookup.
 *
 *	  bytes 0-5, low half of 6, 7   60 bits: a time (executions) or numbers
 *	  bytes 8-9                     variant (2 bits), kind (4), bucket (10)
 *	  bytes 10-15                   48 bits: chance (executions) or numbers
 */
#ifndef VOUCH_CORE_ID_H
#define VOUCH_CORE_ID_H

#include "utils/uuid.h"

#define VOUCH_BUCKETS 1024
#define VOUCH_NO_MAX PG_INT32_MAX	/* to_no of a row that is still valid */
#define VOUCH_VERSION_NO_MAX ((1 << 28) - 1)

typedef enum VouchIdKind
{
	VOUCH_ID_EXECUTION = 1,		/* time-ordered */
	VOUCH_ID_VERSION = 2,		/* artifact_no, version_no */
	VOUCH_ID_DECISION = 3,		/* artifact_no, item_no, stage, from_no */
	VOUCH_ID_EVENT = 4			/* time-ordered: signals, documents, audits, task tokens */
} VouchIdKind;

/* The bucket of a subject key: stable for ever, whatever the platform. */
extern int	vouch_id_bucket(const char *subject, size_t len);

/* The subject of a workflow_id: what stands before the first '/'. */
extern int	vouch_id_workflow_bucket(const char *workflow_id);

extern void vouch_id_make(pg_uuid_t *id, VouchIdKind kind, int bucket);

/* An id of an event that nobody can guess: 108 bits of chance, in no order. */
extern void vouch_id_make_secret(pg_uuid_t *id, int bucket);
extern void vouch_id_pack_version(pg_uuid_t *id, int bucket, int artifact_no, int version_no);
extern void vouch_id_pack_decision(pg_uuid_t *id, int bucket, int artifact_no,
								   int item_no, int stage, int from_no);

/* Each returns false when the id is not one of ours of that kind. */
extern bool vouch_id_unpack_version(const pg_uuid_t *id, int *bucket,
									int *artifact_no, int *version_no);
extern bool vouch_id_unpack_decision(const pg_uuid_t *id, int *bucket, int *artifact_no,
									 int *item_no, int *stage, int *from_no);
extern bool vouch_id_get(const pg_uuid_t *id, VouchIdKind *kind, int *bucket);

extern char *vouch_id_text(const pg_uuid_t *id);

#endif							/* VOUCH_CORE_ID_H */
