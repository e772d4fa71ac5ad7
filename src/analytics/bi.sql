-- bi.sql: views for BI tools.
--
-- Facts and dimensions with one key name on both sides; plain types only; the
-- reader's own rights count. Columns are only ever added at the end.

CREATE SCHEMA vouch_bi;
COMMENT ON SCHEMA vouch_bi IS
'Vouch for BI tools: facts, dimensions and daily figures. Plain types only, units in the names (_count, _hours, _pct), _at is a time, _on a day in UTC; NULL means not yet, or undefined, never 0';

CREATE FUNCTION vouch_data.artifact_id(bucket int, artifact_no int) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (bucket::bigint << 32) | artifact_no;
COMMENT ON FUNCTION vouch_data.artifact_id(int, int) IS 'One number for an artifact, where two are in the way';

CREATE FUNCTION vouch_data.utc_day(at timestamptz) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (at AT TIME ZONE 'UTC')::date;
COMMENT ON FUNCTION vouch_data.utc_day(timestamptz) IS 'The day in UTC';

CREATE FUNCTION vouch_data.hours_between(first timestamptz, last timestamptz) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN vouch_data.hours(vouch_data.wait_micros(first, last));
COMMENT ON FUNCTION vouch_data.hours_between(timestamptz, timestamptz) IS 'Hours from one to the other, with two decimals';
GRANT EXECUTE ON FUNCTION vouch_data.artifact_id(int, int), vouch_data.utc_day(timestamptz), vouch_data.hours_between(timestamptz, timestamptz) TO vouch_reader;

-- Dimensions --------------------------------------------------------------

CREATE VIEW vouch_bi.dim_phase WITH (security_invoker = true, security_barrier = true) AS
SELECT p.phase, p.phase_no, p.label AS phase_label, p.versioned AS is_versioned, p.max_revisions AS max_revision_count
FROM vouch_data.phase p;
COMMENT ON VIEW vouch_bi.dim_phase IS 'One row per phase';
COMMENT ON COLUMN vouch_bi.dim_phase.phase IS 'Key, stable: sample_selection';
COMMENT ON COLUMN vouch_bi.dim_phase.phase_no IS 'Order of the phases; sort by it';
COMMENT ON COLUMN vouch_bi.dim_phase.phase_label IS 'Name for people: Sample Selection';
COMMENT ON COLUMN vouch_bi.dim_phase.is_versioned IS 'False for phases whose actions are only recorded';
COMMENT ON COLUMN vouch_bi.dim_phase.max_revision_count IS 'How many revisions in a row it allows; NULL: any number';

CREATE VIEW vouch_bi.dim_artifact WITH (security_invoker = true, security_barrier = true) AS
SELECT vouch_data.artifact_id(a.bucket, a.artifact_no) AS artifact_id, a.subject, a.cycle_id, a.report_id, nullif(a.scope, '') AS lob_id,
	a.phase, p.phase_no, p.label AS phase_label, nullif(a.head_no, 0) AS current_version_no, v.state::text AS current_state,
	coalesce(v.state IN ('draft', 'pending_approval'), false) AS is_open, a.created_at, vouch_data.utc_day(a.created_at) AS created_on
FROM vouch_data.artifact a
JOIN vouch_data.phase p ON p.phase = a.phase
LEFT JOIN vouch_data.version v ON v.bucket = a.bucket AND v.artifact_no = a.artifact_no AND v.version_no = a.head_no;
COMMENT ON VIEW vouch_bi.dim_artifact IS 'One row per artifact: a phase of a subject, perhaps of one of its lines of business';
COMMENT ON COLUMN vouch_bi.dim_artifact.artifact_id IS 'Key; the facts have it, too';
COMMENT ON COLUMN vouch_bi.dim_artifact.subject IS 'What it is about: cycle-7-report-3';
COMMENT ON COLUMN vouch_bi.dim_artifact.cycle_id IS 'Cycle; NULL when the subject is no test cycle';
COMMENT ON COLUMN vouch_bi.dim_artifact.report_id IS 'Report; NULL when the subject is no test cycle';
COMMENT ON COLUMN vouch_bi.dim_artifact.lob_id IS 'Line of business; NULL when it is of all';
COMMENT ON COLUMN vouch_bi.dim_artifact.phase IS 'Phase';
COMMENT ON COLUMN vouch_bi.dim_artifact.phase_no IS 'Order of the phases; sort by it';
COMMENT ON COLUMN vouch_bi.dim_artifact.phase_label IS 'Phase, for people';
COMMENT ON COLUMN vouch_bi.dim_artifact.current_version_no IS 'Newest version; NULL: none yet';
COMMENT ON COLUMN vouch_bi.dim_artifact.current_state IS 'Its state';
COMMENT ON COLUMN vouch_bi.dim_artifact.is_open IS 'True while it has a draft or a version under review';
COMMENT ON COLUMN vouch_bi.dim_artifact.created_at IS 'When work on it began';
COMMENT ON COLUMN vouch_bi.dim_artifact.created_on IS 'That day (UTC)';

CREATE VIEW vouch_bi.dim_date WITH (security_invoker = true, security_barrier = true) AS
SELECT d.day::date AS day_on, extract(year FROM d.day)::int AS year_no, extract(quarter FROM d.day)::int AS quarter_no,
	extract(month FROM d.day)::int AS month_no, to_char(d.day, 'YYYY-MM') AS month_label, date_trunc('month', d.day)::date AS month_start_on,
	date_trunc('week', d.day)::date AS week_start_on, extract(week FROM d.day)::int AS iso_week_no, extract(isodow FROM d.day)::int AS weekday_no,
	to_char(d.day, 'Dy') AS weekday_label, extract(isodow FROM d.day) >= 6 AS is_weekend, d.day::date > vouch_data.utc_day(now()) AS is_future
FROM generate_series(timestamp '2020-01-01', date_trunc('year', now() AT TIME ZONE 'UTC') + interval '2 years' - interval '1 day', interval '1 day') AS d(day);
COMMENT ON VIEW vouch_bi.dim_date IS 'One row per day from 2020 to the end of next year; join it to the _on columns, which are days in UTC';
COMMENT ON COLUMN vouch_bi.dim_date.day_on IS 'The day';
COMMENT ON COLUMN vouch_bi.dim_date.year_no IS 'Year';
COMMENT ON COLUMN vouch_bi.dim_date.quarter_no IS 'Quarter, 1 to 4';
COMMENT ON COLUMN vouch_bi.dim_date.month_no IS 'Month, 1 to 12';
COMMENT ON COLUMN vouch_bi.dim_date.month_label IS 'Month: 2026-03';
COMMENT ON COLUMN vouch_bi.dim_date.month_start_on IS 'First day of the month';
COMMENT ON COLUMN vouch_bi.dim_date.week_start_on IS 'Monday of the week';
COMMENT ON COLUMN vouch_bi.dim_date.iso_week_no IS 'ISO week, 1 to 53';
COMMENT ON COLUMN vouch_bi.dim_date.weekday_no IS 'Day of the week, Monday is 1';
COMMENT ON COLUMN vouch_bi.dim_date.weekday_label IS 'Day of the week: Mon';
COMMENT ON COLUMN vouch_bi.dim_date.is_weekend IS 'Saturday or Sunday';
COMMENT ON COLUMN vouch_bi.dim_date.is_future IS 'After today (UTC)';

-- Facts -------------------------------------------------------------------

CREATE VIEW vouch_bi.fact_version WITH (security_invoker = true, security_barrier = true) AS
SELECT vouch_data.version_id(v.bucket, v.artifact_no, v.version_no) AS version_id, vouch_data.artifact_id(v.bucket, v.artifact_no) AS artifact_id,
	a.phase, p.phase_no, v.version_no, v.parent_no AS parent_version_no, v.state::text AS state,
	v.version_no = a.head_no AS is_current, v.version_no > 1 AS is_revision, v.state IN ('draft', 'pending_approval') AS is_open,
	v.state IN ('approved', 'superseded') AS is_approved, v.state = 'rejected' AS is_rejected, v.round AS submission_count, q.returned_count,
	v.created_by, v.created_at, vouch_data.utc_day(v.created_at) AS created_on, v.submitted_by, v.submitted_at,
	v.closed_by, v.closed_at, vouch_data.utc_day(v.closed_at) AS closed_on, v.superseded_at,
	CASE WHEN v.state IN ('approved', 'superseded') THEN vouch_data.hours_between(v.submitted_at, v.closed_at) END AS approval_hours,
	CASE WHEN v.state = 'rejected' THEN vouch_data.hours_between(v.submitted_at, v.closed_at) END AS rejection_hours,
	CASE WHEN v.state IN ('draft', 'pending_approval') THEN vouch_data.hours_between(greatest(v.created_at, CASE v.state WHEN 'pending_approval' THEN v.submitted_at END, q.returned_at), now()) END AS open_hours,
	s.item_count, s.item_pending_count, s.item_approved_count, s.item_rejected_count, s.item_needs_changes_count, s.item_carried_count, v.workflow_id
FROM vouch_data.version v
JOIN vouch_data.artifact a ON a.bucket = v.bucket AND a.artifact_no = v.artifact_no
JOIN vouch_data.phase p ON p.phase = a.phase
CROSS JOIN LATERAL (
	SELECT coalesce(sum(t.items), 0)::bigint AS item_count,
		coalesce(sum(t.items) FILTER (WHERE t.status = 'pending'), 0)::bigint AS item_pending_count,
		coalesce(sum(t.items) FILTER (WHERE t.status = 'approved'), 0)::bigint AS item_approved_count,
		coalesce(sum(t.items) FILTER (WHERE t.status = 'rejected'), 0)::bigint AS item_rejected_count,
		coalesce(sum(t.items) FILTER (WHERE t.status = 'needs_changes'), 0)::bigint AS item_needs_changes_count,
		coalesce(sum(t.items) FILTER (WHERE t.carried), 0)::bigint AS item_carried_count
	FROM vouch_data.version_stat t
	WHERE t.bucket = v.bucket AND t.artifact_no = v.artifact_no AND t.version_no = v.version_no AND t.stage = 1) s
CROSS JOIN LATERAL (
	SELECT count(*) AS returned_count, max(r.closed_at) AS returned_at FROM vouch_data.approval_request r
	WHERE r.bucket = v.bucket AND r.artifact_no = v.artifact_no AND r.version_no = v.version_no AND r.state = 'returned') q;
COMMENT ON VIEW vouch_bi.fact_version IS 'One row per version of an artifact';
COMMENT ON COLUMN vouch_bi.fact_version.version_id IS 'Key';
COMMENT ON COLUMN vouch_bi.fact_version.artifact_id IS 'Artifact: dim_artifact';
COMMENT ON COLUMN vouch_bi.fact_version.phase IS 'Phase: dim_phase';
COMMENT ON COLUMN vouch_bi.fact_version.phase_no IS 'Order of the phases; sort by it';
COMMENT ON COLUMN vouch_bi.fact_version.version_no IS 'Number of the version in its artifact';
COMMENT ON COLUMN vouch_bi.fact_version.parent_version_no IS 'Version that it was made from; NULL: none';
COMMENT ON COLUMN vouch_bi.fact_version.state IS 'draft, pending_approval, approved, rejected, superseded or withdrawn';
COMMENT ON COLUMN vouch_bi.fact_version.is_current IS 'True for the newest version of its artifact';
COMMENT ON COLUMN vouch_bi.fact_version.is_revision IS 'True when it is not the first of its artifact';
COMMENT ON COLUMN vouch_bi.fact_version.is_open IS 'True for a draft and while it is under review';
COMMENT ON COLUMN vouch_bi.fact_version.is_approved IS 'True when it was approved, also when a later one superseded it';
COMMENT ON COLUMN vouch_bi.fact_version.is_rejected IS 'True when it was rejected';
COMMENT ON COLUMN vouch_bi.fact_version.submission_count IS 'How often it was submitted';
COMMENT ON COLUMN vouch_bi.fact_version.returned_count IS 'How often its reviewers sent it back';
COMMENT ON COLUMN vouch_bi.fact_version.created_by IS 'Who made it';
COMMENT ON COLUMN vouch_bi.fact_version.created_at IS 'When it was made';
COMMENT ON COLUMN vouch_bi.fact_version.created_on IS 'That day (UTC)';
COMMENT ON COLUMN vouch_bi.fact_version.submitted_by IS 'Who submitted it last; NULL: not yet';
COMMENT ON COLUMN vouch_bi.fact_version.submitted_at IS 'When it was submitted last; NULL: not yet';
COMMENT ON COLUMN vouch_bi.fact_version.closed_by IS 'Who approved, rejected or withdrew it; NULL: not yet';
COMMENT ON COLUMN vouch_bi.fact_version.closed_at IS 'When it was approved, rejected or withdrawn; NULL: not yet';
COMMENT ON COLUMN vouch_bi.fact_version.closed_on IS 'That day (UTC)';
COMMENT ON COLUMN vouch_bi.fact_version.superseded_at IS 'When a later version was approved instead; NULL: not superseded';
COMMENT ON COLUMN vouch_bi.fact_version.approval_hours IS 'Hours from the last submission to the approval; NULL when it was not approved';
COMMENT ON COLUMN vouch_bi.fact_version.rejection_hours IS 'Hours from the last submission to the rejection; NULL when it was not rejected';
COMMENT ON COLUMN vouch_bi.fact_version.open_hours IS 'Hours that it has waited for its reviewers, or as a draft for its maker, until now; NULL when it is closed';
COMMENT ON COLUMN vouch_bi.fact_version.item_count IS 'Items that it shows';
COMMENT ON COLUMN vouch_bi.fact_version.item_pending_count IS 'Of these: without a verdict';
COMMENT ON COLUMN vouch_bi.fact_version.item_approved_count IS 'Of these: approved';
COMMENT ON COLUMN vouch_bi.fact_version.item_rejected_count IS 'Of these: rejected';
COMMENT ON COLUMN vouch_bi.fact_version.item_needs_changes_count IS 'Of these: to be changed';
COMMENT ON COLUMN vouch_bi.fact_version.item_carried_count IS 'Of these: carried forward from an earlier version; summing over versions counts them again and again';
COMMENT ON COLUMN vouch_bi.fact_version.workflow_id IS 'Workflow that made it; NULL: none';

CREATE VIEW vouch_bi.fact_decision WITH (security_invoker = true, security_barrier = true) AS
SELECT vouch_data.decision_id(d.bucket, d.artifact_no, d.item_no, d.stage, d.from_no) AS decision_id,
	vouch_data.artifact_id(d.bucket, d.artifact_no) AS artifact_id, a.phase, p.phase_no, i.item_key, d.stage::int AS stage_no,
	d.from_no AS from_version_no, nullif(d.to_no, 2147483647) AS until_version_no, d.to_no = 2147483647 AS is_current,
	EXISTS (SELECT FROM vouch_data.version v
		WHERE v.bucket = d.bucket AND v.artifact_no = d.artifact_no AND v.version_no > d.from_no AND v.version_no < d.to_no) AS is_carried,
	d.status::text AS verdict, d.status <> 'pending' AS is_decided, d.source, d.recommended_by, d.recommended_at,
	d.decided_by, d.on_behalf_of, d.decided_at, vouch_data.utc_day(d.decided_at) AS decided_on,
	vouch_data.hours_between(d.recommended_at, d.decided_at) AS decision_hours, d.notes IS NOT NULL AS has_notes
FROM vouch_data.decision d
JOIN vouch_data.artifact a ON a.bucket = d.bucket AND a.artifact_no = d.artifact_no
JOIN vouch_data.phase p ON p.phase = a.phase
JOIN vouch_data.item i ON i.bucket = d.bucket AND i.artifact_no = d.artifact_no AND i.item_no = d.item_no;
COMMENT ON VIEW vouch_bi.fact_decision IS
'One row per item, reviewing stage and run of versions that show it with the same verdict: an item that is carried forward is not counted again';
COMMENT ON COLUMN vouch_bi.fact_decision.decision_id IS 'Key';
COMMENT ON COLUMN vouch_bi.fact_decision.artifact_id IS 'Artifact: dim_artifact';
COMMENT ON COLUMN vouch_bi.fact_decision.phase IS 'Phase: dim_phase';
COMMENT ON COLUMN vouch_bi.fact_decision.phase_no IS 'Order of the phases; sort by it';
COMMENT ON COLUMN vouch_bi.fact_decision.item_key IS 'Item: the attribute, rule, sample, observation or section';
COMMENT ON COLUMN vouch_bi.fact_decision.stage_no IS 'Reviewing stage, from 1; every item has a row of stage 1';
COMMENT ON COLUMN vouch_bi.fact_decision.from_version_no IS 'First version that shows it';
COMMENT ON COLUMN vouch_bi.fact_decision.until_version_no IS 'First version that no longer shows it; NULL while the newest does';
COMMENT ON COLUMN vouch_bi.fact_decision.is_current IS 'True when the newest version shows it';
COMMENT ON COLUMN vouch_bi.fact_decision.is_carried IS 'True when it was carried forward into a later version';
COMMENT ON COLUMN vouch_bi.fact_decision.verdict IS 'pending, approved, rejected or needs_changes';
COMMENT ON COLUMN vouch_bi.fact_decision.is_decided IS 'True when there is a verdict';
COMMENT ON COLUMN vouch_bi.fact_decision.source IS 'Who or what proposed the item: tester, llm, manual, automated';
COMMENT ON COLUMN vouch_bi.fact_decision.recommended_by IS 'Who put it into the version';
COMMENT ON COLUMN vouch_bi.fact_decision.recommended_at IS 'When';
COMMENT ON COLUMN vouch_bi.fact_decision.decided_by IS 'Who decided; NULL: not yet';
COMMENT ON COLUMN vouch_bi.fact_decision.on_behalf_of IS 'Whose authority was used; NULL for the decider''s own';
COMMENT ON COLUMN vouch_bi.fact_decision.decided_at IS 'When it was decided; NULL: not yet';
COMMENT ON COLUMN vouch_bi.fact_decision.decided_on IS 'That day (UTC)';
COMMENT ON COLUMN vouch_bi.fact_decision.decision_hours IS 'Hours from the recommendation to the verdict; NULL: not yet';
COMMENT ON COLUMN vouch_bi.fact_decision.has_notes IS 'True when the decider left notes';

CREATE VIEW vouch_bi.fact_signature WITH (security_invoker = true, security_barrier = true) AS
SELECT vouch_data.version_id(s.bucket, s.artifact_no, s.version_no) AS version_id, s.round AS submission_no, s.signature_no,
	vouch_data.artifact_id(s.bucket, s.artifact_no) AS artifact_id, a.phase, p.phase_no, s.version_no,
	r.policy, r.policy_revision AS policy_revision_no, s.stage_no, s.role, s.for_group, s.verdict::text AS verdict, s.meaning,
	s.signer, s.acting_for, s.acting_for IS NOT NULL AS is_delegated, s.signed_at, vouch_data.utc_day(s.signed_at) AS signed_on,
	vouch_data.hours_between(r.opened_at, s.signed_at) AS signing_hours
FROM vouch_data.signature s
JOIN vouch_data.approval_request r ON r.bucket = s.bucket AND r.artifact_no = s.artifact_no AND r.version_no = s.version_no AND r.round = s.round
JOIN vouch_data.artifact a ON a.bucket = s.bucket AND a.artifact_no = s.artifact_no
JOIN vouch_data.phase p ON p.phase = a.phase;
COMMENT ON VIEW vouch_bi.fact_signature IS 'One row per signature on a version, automatic ones included';
COMMENT ON COLUMN vouch_bi.fact_signature.version_id IS 'Version: fact_version. Key with submission_no and signature_no';
COMMENT ON COLUMN vouch_bi.fact_signature.submission_no IS 'Submission that it belongs to: 1, 2, 3';
COMMENT ON COLUMN vouch_bi.fact_signature.signature_no IS 'Number of the signature on that submission';
COMMENT ON COLUMN vouch_bi.fact_signature.artifact_id IS 'Artifact: dim_artifact';
COMMENT ON COLUMN vouch_bi.fact_signature.phase IS 'Phase: dim_phase';
COMMENT ON COLUMN vouch_bi.fact_signature.phase_no IS 'Order of the phases; sort by it';
COMMENT ON COLUMN vouch_bi.fact_signature.version_no IS 'Number of the version in its artifact';
COMMENT ON COLUMN vouch_bi.fact_signature.policy IS 'Policy that asked for it';
COMMENT ON COLUMN vouch_bi.fact_signature.policy_revision_no IS 'Revision of that policy';
COMMENT ON COLUMN vouch_bi.fact_signature.stage_no IS 'Stage of the policy';
COMMENT ON COLUMN vouch_bi.fact_signature.role IS 'Role in which it was given';
COMMENT ON COLUMN vouch_bi.fact_signature.for_group IS 'Group that it counts for; NULL where the rule has none';
COMMENT ON COLUMN vouch_bi.fact_signature.verdict IS 'approve, reject or needs_changes';
COMMENT ON COLUMN vouch_bi.fact_signature.meaning IS 'What the policy says that it means';
COMMENT ON COLUMN vouch_bi.fact_signature.signer IS 'Who signed';
COMMENT ON COLUMN vouch_bi.fact_signature.acting_for IS 'For whom, under a delegation; NULL: in their own right';
COMMENT ON COLUMN vouch_bi.fact_signature.is_delegated IS 'True when it was given for somebody else';
COMMENT ON COLUMN vouch_bi.fact_signature.signed_at IS 'When it was given';
COMMENT ON COLUMN vouch_bi.fact_signature.signed_on IS 'That day (UTC)';
COMMENT ON COLUMN vouch_bi.fact_signature.signing_hours IS 'Hours from the submission to the signature';

CREATE VIEW vouch_bi.fact_operation WITH (security_invoker = true, security_barrier = true) AS
SELECT vouch_data.artifact_id(o.bucket, o.artifact_no) AS artifact_id, o.op_no AS operation_no, a.phase, p.phase_no,
	CASE WHEN o.version_no IS NOT NULL THEN vouch_data.version_id(o.bucket, o.artifact_no, o.version_no) END AS version_id, o.version_no,
	o.operation, vouch_data.operation_kind(o.operation) AS operation_kind, o.actor, o.on_behalf_of, o.db_user AS login_role,
	o.at AS done_at, vouch_data.utc_day(o.at) AS done_on, o.workflow_id, o.activity, o.attempt AS attempt_no, o.items AS item_count,
	o.error IS NOT NULL AS is_failed, o.error AS error_message
FROM vouch_data.operation o
JOIN vouch_data.artifact a ON a.bucket = o.bucket AND a.artifact_no = o.artifact_no
JOIN vouch_data.phase p ON p.phase = a.phase;
COMMENT ON VIEW vouch_bi.fact_operation IS 'One row per operation of the log';
COMMENT ON COLUMN vouch_bi.fact_operation.artifact_id IS 'Artifact: dim_artifact. Key with operation_no';
COMMENT ON COLUMN vouch_bi.fact_operation.operation_no IS 'Number in the log of the artifact: 1, 2, 3';
COMMENT ON COLUMN vouch_bi.fact_operation.phase IS 'Phase: dim_phase';
COMMENT ON COLUMN vouch_bi.fact_operation.phase_no IS 'Order of the phases; sort by it';
COMMENT ON COLUMN vouch_bi.fact_operation.version_id IS 'Version that it is about: fact_version; NULL: none, or a draft that was thrown away has no row there';
COMMENT ON COLUMN vouch_bi.fact_operation.version_no IS 'Number of that version in its artifact';
COMMENT ON COLUMN vouch_bi.fact_operation.operation IS 'What was done: create_version, decide, submit, sign_off, assign_data_owner';
COMMENT ON COLUMN vouch_bi.fact_operation.operation_kind IS 'create, edit, submit, decide, sign, return, approve, reject, withdraw or other';
COMMENT ON COLUMN vouch_bi.fact_operation.actor IS 'Who did it';
COMMENT ON COLUMN vouch_bi.fact_operation.on_behalf_of IS 'Whose authority was used; NULL for the actor''s own';
COMMENT ON COLUMN vouch_bi.fact_operation.login_role IS 'Role that the session had logged in as';
COMMENT ON COLUMN vouch_bi.fact_operation.done_at IS 'When it was done';
COMMENT ON COLUMN vouch_bi.fact_operation.done_on IS 'That day (UTC)';
COMMENT ON COLUMN vouch_bi.fact_operation.workflow_id IS 'Workflow that did it; NULL: none';
COMMENT ON COLUMN vouch_bi.fact_operation.activity IS 'State of the workflow that did it; NULL: none';
COMMENT ON COLUMN vouch_bi.fact_operation.attempt_no IS 'Attempt of that activity, from 1; NULL: none';
COMMENT ON COLUMN vouch_bi.fact_operation.item_count IS 'How many items it touched';
COMMENT ON COLUMN vouch_bi.fact_operation.is_failed IS 'True when it failed';
COMMENT ON COLUMN vouch_bi.fact_operation.error_message IS 'Why it failed; NULL when it succeeded';

CREATE VIEW vouch_bi.fact_execution WITH (security_invoker = true, security_barrier = true) AS
SELECT e.execution_id, e.workflow_id, split_part(e.workflow_id, '/', 1) AS subject, e.parent_id AS parent_execution_id,
	e.workflow, e.revision AS revision_no, e.status::text AS status, e.status = 'running' AS is_open, e.paused AS is_paused,
	e.starter AS started_by, e.started_at, vouch_data.utc_day(e.started_at) AS started_on, e.deadline AS due_at,
	e.closed_at, vouch_data.utc_day(e.closed_at) AS closed_on, vouch_data.hours_between(e.started_at, e.closed_at) AS duration_hours,
	r.error AS error_name
FROM vouch_data.execution e
LEFT JOIN vouch_data.execution_result r ON r.bucket = e.bucket AND r.execution_id = e.execution_id;
COMMENT ON VIEW vouch_bi.fact_execution IS 'One row per execution of a workflow, children included';
COMMENT ON COLUMN vouch_bi.fact_execution.execution_id IS 'Key';
COMMENT ON COLUMN vouch_bi.fact_execution.workflow_id IS 'Its name; executions one after the other may share it';
COMMENT ON COLUMN vouch_bi.fact_execution.subject IS 'What it is about: the workflow_id up to the first slash; joins dim_artifact';
COMMENT ON COLUMN vouch_bi.fact_execution.parent_execution_id IS 'Execution that started it as a child; NULL: none';
COMMENT ON COLUMN vouch_bi.fact_execution.workflow IS 'Name of the workflow''s definition';
COMMENT ON COLUMN vouch_bi.fact_execution.revision_no IS 'Revision of the definition';
COMMENT ON COLUMN vouch_bi.fact_execution.status IS 'running, succeeded, failed, canceled, terminated or timed_out';
COMMENT ON COLUMN vouch_bi.fact_execution.is_open IS 'True while it runs';
COMMENT ON COLUMN vouch_bi.fact_execution.is_paused IS 'True while somebody holds it';
COMMENT ON COLUMN vouch_bi.fact_execution.started_by IS 'Who started it';
COMMENT ON COLUMN vouch_bi.fact_execution.started_at IS 'When it was started';
COMMENT ON COLUMN vouch_bi.fact_execution.started_on IS 'That day (UTC)';
COMMENT ON COLUMN vouch_bi.fact_execution.due_at IS 'When it times out; NULL: never';
COMMENT ON COLUMN vouch_bi.fact_execution.closed_at IS 'When it ended; NULL: not yet';
COMMENT ON COLUMN vouch_bi.fact_execution.closed_on IS 'That day (UTC)';
COMMENT ON COLUMN vouch_bi.fact_execution.duration_hours IS 'Hours from start to end; NULL: not yet';
COMMENT ON COLUMN vouch_bi.fact_execution.error_name IS 'Error that ended it; NULL: none';

-- Ready-made figures --------------------------------------------------------

CREATE VIEW vouch_bi.kpi_phase_daily WITH (security_invoker = true, security_barrier = true) AS
SELECT c.day AS day_on, p.phase, p.phase_no, coalesce(d.operations, 0) AS operation_count, coalesce(d.failed, 0) AS failed_operation_count,
	coalesce(d.created, 0) AS version_count, coalesce(d.revised, 0) AS revision_count, coalesce(d.submitted, 0) AS submission_count, coalesce(d.returned, 0) AS returned_count,
	coalesce(d.approvals, 0) AS approved_count, coalesce(d.rejections, 0) AS rejected_count,
	vouch_data.pct(d.approvals, d.approvals + d.rejections) AS approval_pct,
	vouch_data.hours(d.approval_micros) AS approval_total_hours, vouch_data.hours(d.approval_micros / nullif(d.approvals, 0)) AS approval_mean_hours
FROM vouch_data.phase p
CROSS JOIN (
	SELECT s.first + n AS day FROM (SELECT min(x.day) AS first FROM vouch_data.phase_daily(NULL, NULL) x) AS s
	CROSS JOIN generate_series(0, vouch_data.utc_day(now()) - s.first) AS n) AS c
LEFT JOIN vouch_data.phase_daily(NULL, NULL) d ON d.phase = p.phase AND d.day = c.day;
COMMENT ON VIEW vouch_bi.kpi_phase_daily IS
'One row per phase and day (UTC), from the first day of all to today, days without anything included. Add up the counts and approval_total_hours, then divide: never average pct and mean';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.day_on IS 'Day: dim_date. Key with phase';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.phase IS 'Phase: dim_phase';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.phase_no IS 'Order of the phases; sort by it';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.operation_count IS 'Operations of the log, failed ones included';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.failed_operation_count IS 'Of these: failed';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.version_count IS 'Versions made, revisions included';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.revision_count IS 'Of these: not the first of their artifact';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.submission_count IS 'Submissions';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.returned_count IS 'Versions sent back to their makers';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.approved_count IS 'Versions approved on the day';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.rejected_count IS 'Versions rejected on the day';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.approval_pct IS 'Approved of approved and rejected, per cent; NULL on days without';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.approval_total_hours IS 'Hours from submission to approval of the versions approved on the day, summed; NULL on days without';
COMMENT ON COLUMN vouch_bi.kpi_phase_daily.approval_mean_hours IS 'That divided by approved_count';

CREATE VIEW vouch_bi.freshness WITH (security_invoker = true, security_barrier = true) AS
SELECT v.view_name, v.reads AS data_source, true AS is_live, now() AS current_at, s.refreshed_at, s.operations AS rolled_operation_count
FROM (VALUES
	('dim_artifact', 'tables'), ('dim_date', 'calendar'), ('dim_phase', 'tables'), ('fact_decision', 'tables'), ('fact_execution', 'tables'),
	('fact_operation', 'tables'), ('fact_signature', 'tables'), ('fact_version', 'tables'), ('kpi_phase_daily', 'rollup and tail')) AS v(view_name, reads)
CROSS JOIN vouch_data.analytics_state s;
COMMENT ON VIEW vouch_bi.freshness IS 'One row per view of this schema: how current it is. All are, to the moment: refreshing makes them faster, not newer';
COMMENT ON COLUMN vouch_bi.freshness.view_name IS 'View';
COMMENT ON COLUMN vouch_bi.freshness.data_source IS 'tables, calendar, or rollup and tail: sums, to which what came since is added';
COMMENT ON COLUMN vouch_bi.freshness.is_live IS 'True when it shows everything committed';
COMMENT ON COLUMN vouch_bi.freshness.current_at IS 'The moment as of which it is shown';
COMMENT ON COLUMN vouch_bi.freshness.refreshed_at IS 'When vouch.refresh_analytics() last brought the sums up to date; NULL: never';
COMMENT ON COLUMN vouch_bi.freshness.rolled_operation_count IS 'How many operations are in the sums';
