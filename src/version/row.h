/*
 * row.h
 *	  Rows of a user's table as items: a payload that is what to_jsonb(row)
 *	  gives, without virtual generated columns, and a key.
 */
#ifndef VOUCH_VERSION_ROW_H
#define VOUCH_VERSION_ROW_H

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

typedef struct VouchRowReader VouchRowReader;

/*
 * Reads rows of a descriptor.  keys: names of the columns that make the key;
 * raises VO605 when the table has one of them no more.  table is for messages.
 */
extern VouchRowReader *vouch_row_reader(TupleDesc desc, char **keys, int nkeys, const char *table);

/* The columns that a payload has, for a select list. */
extern char *vouch_row_columns(TupleDesc desc);

/* The row as jsonb, in CurrentMemoryContext, and, in text, the jsonb's text. */
extern Jsonb *vouch_row_payload(VouchRowReader *reader, TupleTableSlot *slot, StringInfo text);

/* Its key: the text of the key column as JSON has it, or, of several, an array of them. */
extern text *vouch_row_key(VouchRowReader *reader, TupleTableSlot *slot);

/* Are two rows the same, byte by byte? */
extern bool vouch_row_same(VouchRowReader *reader, TupleTableSlot *a, TupleTableSlot *b);

/* The same of their keys. */
extern bool vouch_row_same_key(VouchRowReader *reader, TupleTableSlot *a, TupleTableSlot *b);

/*
 * A section in which values are turned into text and JSON: as the owner of the
 * table, whoever writes it, and with settings under which the same value
 * always gives the same text.  An error inside is undone by the abort.
 */
typedef struct VouchRowSection
{
	Oid			userid;
	int			sec_context;
	int			nestlevel;
} VouchRowSection;

extern void vouch_row_begin(VouchRowSection *section, Relation table);
extern void vouch_row_end(VouchRowSection *section);

#endif							/* VOUCH_VERSION_ROW_H */
