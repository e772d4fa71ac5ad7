/*
 * items.h
 *	  Items as a caller gives them: checked against the phase, and as arrays
 *	  that go into the tables with one statement each.
 */
#ifndef VOUCH_VERSION_ITEMS_H
#define VOUCH_VERSION_ITEMS_H

#include "core/digest.h"
#include "utils/jsonb.h"
#include "version/phase.h"

typedef struct VouchItems
{
	const VouchPhase *phase;
	const char *recommended_by;
	int			n;
	int			allocated;
	Datum	   *keys;			/* text */
	Datum	   *payloads;		/* jsonb */
	Datum	   *sources;		/* text */
	Datum	   *salts;			/* bytea */
	Datum	   *hashes;			/* bytea: of salt and payload */
	VouchDigest *leaves;		/* what the content digest is made of */
	struct VouchKeySet *seen;
	StringInfoData scratch;
} VouchItems;

/*
 * Reads a jsonb array of items and checks each against the phase's schema.
 * Raises VO104, or VO105 for a key that comes twice, naming the index (from 0)
 * and the key; parameter names the argument.  In CurrentMemoryContext.
 */
extern VouchItems *vouch_items_parse(const VouchPhase *phase, Jsonb *array,
									 const char *recommended_by, const char *parameter);

/* The same one by one.  key NULL: the payload's own; source NULL: the payload's, or the phase's default. */
extern VouchItems *vouch_items_begin(const VouchPhase *phase, const char *recommended_by);
extern void vouch_items_expect(VouchItems *items, int n);	/* about how many will be added; before the first is */
extern void vouch_items_add(VouchItems *items, text *key, Jsonb *payload, text *source);

/*
 * The same of a row, with the text of its payload.  own: key is what the payload gives, or it gives none.
 * False, and nothing is added, when there is an item of that key.
 */
extern bool vouch_items_add_row(VouchItems *items, text *key, bool own, Jsonb *payload, StringInfo written);

/* Hash of a payload: of its salt, if any, and its text. */
extern void vouch_items_hash(VouchDigest *hash, StringInfo scratch, const bytea *salt, Jsonb *payload);

/* Does the hash of a stored payload, made with a salt, say that an item is the same?  No when it was redacted. */
extern bool vouch_items_same(VouchItems *items, int at, const bytea *hash, const bytea *salt);

/* The key that a payload gives in its field item_key; NULL when it has none.  Where it does, it is the item's. */
extern text *vouch_items_key(const char *item_key, Jsonb *payload);

/* Leaf of an item in the content digest. */
extern void vouch_items_leaf(VouchDigest *leaf, StringInfo scratch, const text *key,
							 const bytea *hash, const text *source, const char *recommended_by);

/* Random bytes before a payload, when it is hashed. */
#define VOUCH_SALT_LEN 16

/* Merkle root over all; destroys leaves. */
extern void vouch_items_root(VouchItems *items, VouchDigest *root);

/*
 * The same of leaves, which it destroys.  They are taken in the order of their
 * bytes: the rows do not say in which order the caller named the items.
 */
extern void vouch_leaves_root(VouchDigest *leaves, int64 n, VouchDigest *root);

/* A set of strings that remembers where each was first seen. */
typedef struct VouchKeySet VouchKeySet;

extern VouchKeySet *vouch_keyset_create(int expected);

/* Returns the number that the key came with first, or -1 when it is new. */
extern int	vouch_keyset_add(VouchKeySet *set, const char *key, int len, int number);

/* The same, adding nothing. */
extern int	vouch_keyset_find(const VouchKeySet *set, const char *key, int len);

/* A Datum array as a one-dimensional array of a built-in type. */
extern Datum vouch_array(Datum *values, int n, Oid type);

#endif							/* VOUCH_VERSION_ITEMS_H */
