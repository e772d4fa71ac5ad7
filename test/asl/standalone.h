/*
 * standalone.h
 *	  Memory for the language outside the server: an arena that is emptied at
 *	  once, back to a mark.
 */
#ifndef STANDALONE_H
#define STANDALONE_H

#include <stddef.h>

typedef struct ArenaMark
{
	void	   *last;
} ArenaMark;

/* Returns the present end of the arena. */
extern ArenaMark arena_mark(void);

/* Frees what was allocated since a mark. */
extern void arena_reset(ArenaMark mark);

/* Returns the bytes allocated since the arena was last emptied to nothing. */
extern size_t arena_used(void);

#endif							/* STANDALONE_H */
