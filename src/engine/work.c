/*
 * work.c
 *	  Finds what has work, the slow and sure way.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/id.h"
#include "core/stmt.h"
#include "engine/engine.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

/* Each arm stops at the limit: a row is enough to know that there is work. */
static VouchStmt find_work = {
	"SELECT DISTINCT w.bucket, w.execution_id, w.run_as FROM ("
	" (SELECT bucket, execution_id, run_as FROM vouch_data.branch"
	"  WHERE status = 'ready' AND NOT held AND ($1 IS NULL OR run_as = $1) LIMIT $3)"
	" UNION ALL"
	" (SELECT bucket, execution_id, run_as FROM vouch_data.branch"
	"  WHERE due_at <= $2 AND NOT held AND ($1 IS NULL OR run_as = $1) ORDER BY due_at LIMIT $3)"
	" UNION ALL"
	" (SELECT bucket, execution_id, run_as FROM vouch_data.nudge"
	"  WHERE $1 IS NULL OR run_as = $1 LIMIT $3)"
	" UNION ALL"
	" (SELECT bucket, execution_id, run_as FROM vouch_data.execution"
	"  WHERE status = 'running' AND deadline <= $2 AND NOT paused AND ($1 IS NULL OR run_as = $1)"
	"  ORDER BY deadline LIMIT $3)"
	" UNION ALL"
	" (SELECT bucket, execution_id, run_as FROM vouch_data.task"
	"  WHERE heartbeat_until <= $2 AND NOT held AND ($1 IS NULL OR run_as = $1) ORDER BY heartbeat_until LIMIT $3)"
	") AS w ORDER BY w.execution_id LIMIT $3",
	SPI_OK_SELECT, 3, {TEXTOID, TIMESTAMPTZOID, INT8OID}, .indexed = true
};

static VouchStmt find_next_due = {
	"SELECT least("
	" (SELECT due_at FROM vouch_data.branch"
	"  WHERE due_at > $2 AND NOT held AND ($1 IS NULL OR run_as = $1) ORDER BY due_at LIMIT 1),"
	" (SELECT deadline FROM vouch_data.execution"
	"  WHERE status = 'running' AND deadline > $2 AND NOT paused AND ($1 IS NULL OR run_as = $1)"
	"  ORDER BY deadline LIMIT 1),"
	" (SELECT heartbeat_until FROM vouch_data.task"
	"  WHERE heartbeat_until > $2 AND NOT held AND ($1 IS NULL OR run_as = $1) ORDER BY heartbeat_until LIMIT 1))",
	SPI_OK_SELECT, 2, {TEXTOID, TIMESTAMPTZOID}, .indexed = true
};

int
vouch_engine_find_work(Oid run_as, VouchWork *out, int max, TimestampTz *next_due)
{
	Datum		args[3];
	char		nulls[3] = {' ', ' ', ' '};
	TimestampTz now = GetCurrentTimestamp();
	uint64		n;
	int			found = 0;

	SPI_connect();
	if (OidIsValid(run_as))
		args[0] = CStringGetTextDatum(GetUserNameFromId(run_as, false));
	else
		nulls[0] = 'n';
	args[1] = TimestampTzGetDatum(now);
	args[2] = Int64GetDatum(max);
	n = max > 0 ? vouch_stmt_run(&find_work, args, nulls) : 0;
	for (uint64 row = 0; row < n && found < max; row++)
	{
		VouchWork  *work = &out[found];

		work->bucket = vouch_stmt_get_int32(row, 1, 0);
		work->execution_id = *DatumGetUUIDP(vouch_stmt_get(row, 2, NULL));
		work->run_as = get_role_oid(vouch_stmt_get_text(row, 3), true);
		if (OidIsValid(work->run_as))
			found++;
	}
	if (next_due != NULL)
	{
		vouch_stmt_run_one(&find_next_due, args, nulls);
		*next_due = vouch_stmt_get_int64(0, 1, DT_NOEND);
	}
	SPI_finish();
	return found;
}
