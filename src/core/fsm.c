/*
 * fsm.c
 *	  Looks rules up, and shows them to SQL.
 */
#include "postgres.h"

#include "core/compat.h"
#include "core/fsm.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#define MAX_MACHINES 16

VOUCH_FUNCTION(vouch_sql_state_machine);

static const VouchMachine *machines[MAX_MACHINES];
static int	nmachines = 0;

void
vouch_fsm_register(const VouchMachine *machine)
{
	if (nmachines == MAX_MACHINES)
		elog(ERROR, "too many state machines");
	machines[nmachines++] = machine;
}

const VouchTransition *
vouch_fsm_find(const VouchMachine *machine, const char *state, const char *event)
{
	for (const VouchTransition *t = machine->transitions; t->rule != NULL; t++)
		if (strcmp(t->state, state) == 0 && strcmp(t->event, event) == 0)
			return t;
	return NULL;
}

char *
vouch_fsm_events(const VouchMachine *machine, const char *state)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const VouchTransition *t = machine->transitions; t->rule != NULL; t++)
		if (strcmp(t->state, state) == 0)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", t->event);
	return buf.data;
}

/* vouch.state_machine(): machine, rule, state, event, next_state, meaning */
Datum
vouch_sql_state_machine(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < nmachines; i++)
		for (const VouchTransition *t = machines[i]->transitions; t->rule != NULL; t++)
		{
			Datum		values[6];
			bool		nulls[6] = {false};

			values[0] = CStringGetTextDatum(machines[i]->name);
			values[1] = CStringGetTextDatum(t->rule);
			nulls[2] = t->state[0] == '\0';
			values[2] = CStringGetTextDatum(t->state);
			values[3] = CStringGetTextDatum(t->event);
			nulls[4] = t->next[0] == '\0';
			values[4] = CStringGetTextDatum(t->next);
			values[5] = CStringGetTextDatum(t->meaning);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	return (Datum) 0;
}
