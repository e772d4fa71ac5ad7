/*
 * map.h
 *	  The items of a Map state; what becomes of their results is in asl.h.
 */
#ifndef ASL_MAP_H
#define ASL_MAP_H

#include "asl/state.h"

/* Fills a Map's entry: its items, and how many may run and fail. */
extern void asl_enter_map(const AslState *state, const AslFrame *frame, AslEnv *env,
						  AslEntry *entry);

#endif							/* ASL_MAP_H */
