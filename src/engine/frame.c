/*
 * frame.c
 *	  What a state sees: its input, the variables around it, and "$$".
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "core/guc.h"
#include "core/id.h"
#include "core/json.h"
#include "engine/advance.h"
#include "miscadmin.h"

const AslValue *
vouch_frame_time(TimestampTz t)
{
	char	   *text = vouch_json_time_text(t);
	char	   *dot = strchr(text, '.');

	if (dot != NULL)
		strcpy(dot + 4, "Z");	/* milliseconds, as the service has it */
	return asl_string(text);
}

static const AslValue *
make_context(VouchAdvance *adv, VouchBranch *b)
{
	VouchExecution *e = &adv->execution;
	const AslValue *context = asl_object();
	const AslValue *v;

	if (!adv->program->uses_context)
		return context;
	if (adv->context_execution == NULL)
	{
		v = asl_object_put(asl_object(), "Id", asl_string(vouch_id_text(&e->id)));
		v = asl_object_put(v, "Input", vouch_rows_input(adv));
		v = asl_object_put(v, "Name", asl_string(e->workflow_id));
		v = asl_object_put(v, "RedriveCount", asl_int(e->redrives));
		v = asl_object_put(v, "RoleArn", asl_string(e->run_as));
		adv->context_execution = asl_object_put(v, "StartTime", vouch_frame_time(e->started_at));
		v = asl_object_put(asl_object(), "Id",
						   asl_string(psprintf("%s:%d", e->workflow, e->revision)));
		adv->context_machine = asl_object_put(v, "Name", asl_string(e->workflow));
	}
	context = asl_object_put(context, "Execution", adv->context_execution);
	for (VouchBranch *x = b; x != NULL; x = x->parent)
		if (x->parent != NULL ? x->parent->state->type == ASL_MAP : e->machine_no > 0)
		{
			vouch_rows_load_data(adv, x);
			v = asl_object_put(asl_object(), "Index", asl_int(x->place));
			v = asl_object_put(v, "Value", x->item_value ? x->item_value : asl_null());
			context = asl_object_put(context, "Map", asl_object_put(asl_object(), "Item", v));
			break;
		}
	v = asl_object_put(asl_object(), "EnteredTime", vouch_frame_time(b->entered_at));
	v = asl_object_put(v, "Name", asl_string(b->state->name));
	if (b->state->type == ASL_TASK || b->state->type == ASL_PARALLEL || b->state->type == ASL_MAP)
		v = asl_object_put(v, "RetryCount", asl_int(b->attempt));
	context = asl_object_put(context, "State", v);
	context = asl_object_put(context, "StateMachine", adv->context_machine);
	if (!adv->program->uses_vouch)
		return context;
	v = asl_object_put(asl_object(), "Actor", asl_string(b->actor));
	v = asl_object_put(v, "Starter", asl_string(e->starter));
	v = asl_object_put(v, "WorkflowId", asl_string(e->workflow_id));
	v = asl_object_put(v, "Revision", asl_int(e->revision));
	return asl_object_put(context, "Vouch", v);
}

void
vouch_frame_make(VouchAdvance *adv, VouchBranch *b, AslFrame *frame)
{
	static unsigned char no_uuid[16];

	memset(frame, 0, sizeof(*frame));
	frame->input = b->input;
	frame->scope = &b->scope;
	frame->context = make_context(adv, b);
	frame->now_us = GetCurrentTimestamp() +
		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	frame->random = pg_prng_double(&pg_global_prng_state);
	frame->uuid = no_uuid;
	if (adv->program->uses_uuid)
	{
		unsigned char *uuid = palloc(16);

		if (!pg_strong_random(uuid, 16))
			elog(ERROR, "could not get random bytes");
		frame->uuid = uuid;
	}
	frame->max_payload = (size_t) vouch_guc_max_payload * 1024;
	frame->event_id = b->previous_event;
}
