/*
 * id.c
 *	  Packs and unpacks ids; the only file that knows their layout.
 */
#include "postgres.h"

#include "core/compat.h"
#include "core/errors.h"
#include "core/id.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

VOUCH_FUNCTION(vouch_sql_bucket);
VOUCH_FUNCTION(vouch_sql_bucket_of);
VOUCH_FUNCTION(vouch_sql_version_id);
VOUCH_FUNCTION(vouch_sql_version_number);
VOUCH_FUNCTION(vouch_sql_artifact_number);
VOUCH_FUNCTION(vouch_sql_decision_id);
VOUCH_FUNCTION(vouch_sql_event_id);

/*
 * FNV-1a over the bytes, folded to ten bits.  Our own, because the server's
 * hash functions may change between major versions and the bucket may not.
 */
int
vouch_id_bucket(const char *subject, size_t len)
{
	uint64		h = UINT64CONST(14695981039346656037);

	for (size_t i = 0; i < len; i++)
	{
		h ^= (unsigned char) subject[i];
		h *= UINT64CONST(1099511628211);
	}
	h ^= h >> 33;
	h *= UINT64CONST(0xff51afd7ed558ccd);
	h ^= h >> 33;
	return (int) (h % VOUCH_BUCKETS);
}

int
vouch_id_workflow_bucket(const char *workflow_id)
{
	return vouch_id_bucket(workflow_id, strcspn(workflow_id, "/"));
}

static void
put_bits(unsigned char *p, uint64 value, int nbytes)
{
	for (int i = nbytes - 1; i >= 0; i--)
	{
		p[i] = (unsigned char) (value & 0xff);
		value >>= 8;
	}
}

static uint64
get_bits(const unsigned char *p, int nbytes)
{
	uint64		value = 0;

	for (int i = 0; i < nbytes; i++)
		value = (value << 8) | p[i];
	return value;
}

/* high: 60 bits, low: 48 bits */
static void
pack(pg_uuid_t *id, VouchIdKind kind, int bucket, uint64 high, uint64 low)
{
	Assert(bucket >= 0 && bucket < VOUCH_BUCKETS);

	put_bits(id->data, high >> 12, 6);
	id->data[6] = 0x80 | (unsigned char) ((high >> 8) & 0x0f);
	id->data[7] = (unsigned char) (high & 0xff);
	put_bits(id->data + 8, 0x8000 | ((uint64) kind << 10) | (uint64) bucket, 2);
	put_bits(id->data + 10, low, 6);
}

static bool
unpack(const pg_uuid_t *id, VouchIdKind *kind, int *bucket, uint64 *high, uint64 *low)
{
	uint64		mark = get_bits(id->data + 8, 2);

	if ((id->data[6] & 0xf0) != 0x80 || (mark & 0xc000) != 0x8000)
		return false;
	*kind = (VouchIdKind) ((mark >> 10) & 0x0f);
	*bucket = (int) (mark & 0x3ff);
	*high = (get_bits(id->data, 6) << 12) |
		((uint64) (id->data[6] & 0x0f) << 8) | id->data[7];
	*low = get_bits(id->data + 10, 6);
	return *kind >= VOUCH_ID_EXECUTION && *kind <= VOUCH_ID_EVENT;
}

/*
 * Makes a time-ordered id: milliseconds, twelve bits of the rest (so that ids
 * made one after the other in a session sort in that order), then chance.
 */
void
vouch_id_make(pg_uuid_t *id, VouchIdKind kind, int bucket)
{
	static uint64 last = 0;
	uint64		us,
				high,
				low;

	us = (uint64) (GetCurrentTimestamp() +
				   (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
	high = ((us / 1000) << 12) | ((us % 1000) << 2);
	if (high <= last)
		high = last + 1;
	last = high;

	if (!pg_strong_random(&low, sizeof(low)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not get random bytes for an id")));
	pack(id, kind, bucket, high, low & UINT64CONST(0xffffffffffff));
}

void
vouch_id_make_secret(pg_uuid_t *id, int bucket)
{
	uint64		chance[2];

	if (!pg_strong_random(chance, sizeof(chance)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not get random bytes for an id")));
	pack(id, VOUCH_ID_EVENT, bucket, chance[0] >> 4, chance[1] >> 16);
}

void
vouch_id_pack_version(pg_uuid_t *id, int bucket, int artifact_no, int version_no)
{
	pack(id, VOUCH_ID_VERSION, bucket, (uint64) (uint32) artifact_no << 28,
		 (uint64) (uint32) version_no);
}

bool
vouch_id_unpack_version(const pg_uuid_t *id, int *bucket, int *artifact_no, int *version_no)
{
	VouchIdKind kind;
	uint64		high,
				low;

	if (!unpack(id, &kind, bucket, &high, &low) || kind != VOUCH_ID_VERSION ||
		(high & 0x0fffffff) != 0 || low > VOUCH_VERSION_NO_MAX ||
		(high >> 28) > PG_INT32_MAX)
		return false;
	*artifact_no = (int) (high >> 28);
	*version_no = (int) low;
	return true;
}

void
vouch_id_pack_decision(pg_uuid_t *id, int bucket, int artifact_no,
					   int item_no, int stage, int from_no)
{
	pack(id, VOUCH_ID_DECISION, bucket,
		 ((uint64) (uint32) artifact_no << 28) | (uint64) from_no,
		 ((uint64) (uint32) item_no << 8) | (uint64) (stage & 0xff));
}

bool
vouch_id_unpack_decision(const pg_uuid_t *id, int *bucket, int *artifact_no,
						 int *item_no, int *stage, int *from_no)
{
	VouchIdKind kind;
	uint64		high,
				low;

	if (!unpack(id, &kind, bucket, &high, &low) || kind != VOUCH_ID_DECISION ||
		(high >> 28) > PG_INT32_MAX || (low >> 8) > PG_INT32_MAX)
		return false;
	*artifact_no = (int) (high >> 28);
	*from_no = (int) (high & 0x0fffffff);
	*item_no = (int) (low >> 8);
	*stage = (int) (low & 0xff);
	return true;
}

bool
vouch_id_get(const pg_uuid_t *id, VouchIdKind *kind, int *bucket)
{
	uint64		high,
				low;

	return unpack(id, kind, bucket, &high, &low);
}

char *
vouch_id_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

/* vouch.bucket(subject text) */
Datum
vouch_sql_bucket(PG_FUNCTION_ARGS)
{
	text	   *subject = PG_GETARG_TEXT_PP(0);

	PG_RETURN_INT32(vouch_id_bucket(VARDATA_ANY(subject), VARSIZE_ANY_EXHDR(subject)));
}

/* vouch.bucket_of(id uuid): raises when the id is not one of ours */
Datum
vouch_sql_bucket_of(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = PG_GETARG_UUID_P(0);
	VouchIdKind kind;
	int			bucket;

	if (!vouch_id_get(id, &kind, &bucket))
		ereport(ERROR,
				(errcode(VOUCH_ERR_ARGUMENT),
				 errmsg("\"%s\" is not an id made by Vouch", vouch_id_text(id)),
				 errdetail("Ids of versions, decisions and executions are version 8 UUIDs that carry their bucket."),
				 errhint("Pass an id that a Vouch function returned.")));
	PG_RETURN_INT32(bucket);
}

/* vouch_data.version_id(bucket, artifact_no, version_no): for views */
Datum
vouch_sql_version_id(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	vouch_id_pack_version(id, PG_GETARG_INT32(0) & (VOUCH_BUCKETS - 1),
						  PG_GETARG_INT32(1), PG_GETARG_INT32(2));
	PG_RETURN_UUID_P(id);
}

/* vouch_data.version_number(version_id): NULL when it is not a version's id */
Datum
vouch_sql_version_number(PG_FUNCTION_ARGS)
{
	int			bucket,
				artifact_no,
				version_no;

	if (!vouch_id_unpack_version(PG_GETARG_UUID_P(0), &bucket, &artifact_no, &version_no))
		PG_RETURN_NULL();
	PG_RETURN_INT32(version_no);
}

/* vouch_data.artifact_number(version_id): NULL when it is not a version's id */
Datum
vouch_sql_artifact_number(PG_FUNCTION_ARGS)
{
	int			bucket,
				artifact_no,
				version_no;

	if (!vouch_id_unpack_version(PG_GETARG_UUID_P(0), &bucket, &artifact_no, &version_no))
		PG_RETURN_NULL();
	PG_RETURN_INT32(artifact_no);
}

/* vouch_data.decision_id(bucket, artifact_no, item_no, stage, from_no): for views */
Datum
vouch_sql_decision_id(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	vouch_id_pack_decision(id, PG_GETARG_INT32(0) & (VOUCH_BUCKETS - 1),
						   PG_GETARG_INT32(1), PG_GETARG_INT32(2),
						   PG_GETARG_INT32(3), PG_GETARG_INT32(4));
	PG_RETURN_UUID_P(id);
}

/* vouch_data.event_id(bucket): a new time-ordered id, for the audit-only records */
Datum
vouch_sql_event_id(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	vouch_id_make(id, VOUCH_ID_EVENT, PG_GETARG_INT32(0) & (VOUCH_BUCKETS - 1));
	PG_RETURN_UUID_P(id);
}
