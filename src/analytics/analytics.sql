-- analytics.sql: what is measured: operations by kind, reviews, artifacts as they stand.
--
-- Days are days in UTC everywhere, so that a number does not depend on the
-- session that asks for it.  A revision is any version but the first of its
-- artifact: the log alone tells, whatever became of the versions.

CREATE FUNCTION vouch_data.operation_kind(operation text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE operation
		WHEN 'create_version' THEN 'create'
		WHEN 'create_version_from' THEN 'create'
		WHEN 'create_revision' THEN 'create'
		WHEN 'edit_items' THEN 'edit'
		WHEN 'remove_items' THEN 'edit'
		WHEN 'submit' THEN 'submit'
		WHEN 'decide' THEN 'decide'
		WHEN 'sign_off' THEN 'sign'
		WHEN 'return' THEN 'return'
		WHEN 'approve' THEN 'approve'
		WHEN 'reject' THEN 'reject'
		WHEN 'withdraw' THEN 'withdraw'
		WHEN 'expire' THEN 'withdraw'
		WHEN 'discard' THEN 'withdraw'
		ELSE 'other' END;
COMMENT ON FUNCTION vouch_data.operation_kind(text) IS
'What the metrics count an operation of the log as: create, edit, submit, decide, sign, return, approve, reject, withdraw or other';

CREATE FUNCTION vouch_data.wait_micros(submitted_at timestamptz, closed_at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (extract(epoch FROM closed_at - submitted_at) * 1000000)::bigint;
COMMENT ON FUNCTION vouch_data.wait_micros(timestamptz, timestamptz) IS 'Microseconds from one to the other, as a whole number: sums of them do not depend on their order';

CREATE FUNCTION vouch_data.hours(micros numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(micros / 3600000000, 2);
COMMENT ON FUNCTION vouch_data.hours(numeric) IS 'Microseconds as hours with two decimals';

CREATE FUNCTION vouch_data.pct(part numeric, whole numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(100 * part / nullif(whole, 0), 2);
COMMENT ON FUNCTION vouch_data.pct(numeric, numeric) IS 'Per cent with two decimals; NULL of nothing';

-- An operation with what it is about.
CREATE VIEW vouch_data.logged AS
SELECT o.bucket, o.artifact_no, o.op_no, o.version_no, a.phase, a.scope, o.operation, vouch_data.operation_kind(o.operation) AS kind,
	o.actor, o.at, (o.at AT TIME ZONE 'UTC')::date AS day, o.xid, o.workflow_id, o.items, o.error IS NOT NULL AS failed
FROM vouch_data.operation o
JOIN vouch_data.artifact a ON a.bucket = o.bucket AND a.artifact_no = o.artifact_no
WHERE a.phase <> '@configuration';
COMMENT ON VIEW vouch_data.logged IS 'The log as the metrics read it: one row per operation, with its phase, kind and day (UTC)';

-- A version that was approved or rejected; that it was superseded later changes nothing of it.
CREATE VIEW vouch_data.reviewed AS
SELECT v.bucket, v.artifact_no, v.version_no, a.phase,
	CASE WHEN v.state = 'rejected' THEN 'rejected' ELSE 'approved' END AS outcome,
	v.closed_at, (v.closed_at AT TIME ZONE 'UTC')::date AS day,
	vouch_data.wait_micros(v.submitted_at, v.closed_at) AS micros, v.workflow_id
FROM vouch_data.version v
JOIN vouch_data.artifact a ON a.bucket = v.bucket AND a.artifact_no = v.artifact_no
WHERE v.state IN ('approved', 'superseded', 'rejected') AND v.submitted_at IS NOT NULL AND v.closed_at IS NOT NULL;
COMMENT ON VIEW vouch_data.reviewed IS
'Finished reviews: one row per version that was approved (perhaps superseded later) or rejected, with its wait from its last submission to the verdict';

-- What the phases without versions keep in tables of their own.
CREATE FUNCTION vouch_data.artifact_records(bucket int, subject text, phase text, scope text, OUT records bigint, OUT changes bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	CASE phase
		WHEN 'data_owner_id' THEN
			SELECT count(*), count(d.previous_assignment_id) INTO records, changes FROM vouch_data.data_owner_assignment d
			WHERE d.bucket = bucket AND d.subject = subject AND d.lob_id = scope;
		WHEN 'request_info' THEN
			SELECT count(*), count(*) FILTER (WHERE d.document_version > 1) INTO records, changes FROM vouch_data.document_submission d
			WHERE d.bucket = bucket AND d.subject = subject AND d.lob_id = scope;
		WHEN 'test_execution' THEN
			SELECT count(*), count(*) FILTER (WHERE NOT d.is_current) INTO records, changes FROM vouch_data.test_action d
			WHERE d.bucket = bucket AND d.subject = subject AND d.lob_id = scope;
		ELSE
			records := 0;
			changes := 0;
	END CASE;
END
$$;
COMMENT ON FUNCTION vouch_data.artifact_records(int, text, text, text) IS
'What a phase without versions has recorded of a subject and line of business, and how much of it was a change of what was there: assignments and reassignments, documents and new versions of them, test actions and results that a later test replaced';

-- An artifact's versions and items, counted where the counts are few.
CREATE VIEW vouch_data.artifact_now AS
SELECT a.bucket, a.artifact_no, a.phase, a.subject, a.scope, a.cycle_id, a.report_id, a.head_no,
	v.head_state, v.versions, v.revisions, q.returns, v.open_no, v.open_state,
	CASE v.open_state WHEN 'draft' THEN greatest(v.begun_at, q.returned_at) ELSE v.begun_at END AS open_since,
	s.items, s.approved, s.rejected, s.needs_changes, s.pending, s.carried, r.records, r.changes
FROM vouch_data.artifact a
JOIN vouch_data.phase p ON p.phase = a.phase
CROSS JOIN LATERAL (
	SELECT count(*) AS versions, count(*) FILTER (WHERE w.version_no > 1) AS revisions,
		max(w.state::text) FILTER (WHERE w.version_no = a.head_no) AS head_state,
		max(w.version_no) FILTER (WHERE w.state IN ('draft', 'pending_approval')) AS open_no,
		max(w.state::text) FILTER (WHERE w.state IN ('draft', 'pending_approval')) AS open_state,
		max(CASE w.state WHEN 'draft' THEN w.created_at WHEN 'pending_approval' THEN w.submitted_at END) AS begun_at
	FROM vouch_data.version w
	WHERE w.bucket = a.bucket AND w.artifact_no = a.artifact_no) v
CROSS JOIN LATERAL (
	SELECT count(*) AS returns, max(r.closed_at) FILTER (WHERE r.version_no = v.open_no) AS returned_at
	FROM vouch_data.approval_request r
	WHERE r.bucket = a.bucket AND r.artifact_no = a.artifact_no AND r.state = 'returned') q
CROSS JOIN LATERAL (
	-- a carried item is counted in the version where it was decided, not again
	SELECT coalesce(sum(t.items) FILTER (WHERE NOT t.carried), 0)::bigint AS items,
		coalesce(sum(t.items) FILTER (WHERE NOT t.carried AND t.status = 'approved'), 0)::bigint AS approved,
		coalesce(sum(t.items) FILTER (WHERE NOT t.carried AND t.status = 'rejected'), 0)::bigint AS rejected,
		coalesce(sum(t.items) FILTER (WHERE NOT t.carried AND t.status = 'needs_changes'), 0)::bigint AS needs_changes,
		coalesce(sum(t.items) FILTER (WHERE NOT t.carried AND t.status = 'pending'), 0)::bigint AS pending,
		coalesce(sum(t.items) FILTER (WHERE t.carried AND t.version_no = a.head_no), 0)::bigint AS carried
	FROM vouch_data.version_stat t
	WHERE t.bucket = a.bucket AND t.artifact_no = a.artifact_no AND t.stage = 1) s
CROSS JOIN LATERAL (
	SELECT coalesce(max(k.records), 0) AS records, coalesce(max(k.changes), 0) AS changes
	FROM vouch_data.artifact_records(a.bucket, a.subject, a.phase, a.scope) k
	WHERE NOT p.versioned) r;
COMMENT ON VIEW vouch_data.artifact_now IS
'One row per artifact: its versions and revisions, how often one was sent back, its open version and since when it waits for its reviewers or its maker, and its items: each counted once, in the version that it was decided in; carried: those of the newest version that were carried forward into it; what an audit-only phase recorded of it, and how often that was changed';

-- Arguments ---------------------------------------------------------------

CREATE FUNCTION vouch_data.check_days(days int) RETURNS int
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF days IS NULL OR days NOT BETWEEN 1 AND 365 THEN
		RAISE EXCEPTION 'days must be from 1 to 365, not %', coalesce(days::text, 'null') USING
			ERRCODE = 'VO502',
			DETAIL = 'Days are calendar days in UTC and end with today.',
			HINT = 'For longer periods read the view vouch_bi.kpi_phase_daily.';
	END IF;
	RETURN days;
END
$$;
COMMENT ON FUNCTION vouch_data.check_days(int) IS 'days, or VO502 when it is not from 1 to 365';

GRANT EXECUTE ON FUNCTION vouch_data.operation_kind(text), vouch_data.wait_micros(timestamptz, timestamptz), vouch_data.hours(numeric),
	vouch_data.pct(numeric, numeric), vouch_data.artifact_records(int, text, text, text), vouch_data.check_days(int) TO vouch_reader;
