-- views.sql: each phase as tables of its own, for people and for BI: one row a
-- version, one row an item of a version with its decision, and the records
-- of the audit-only phases.

-- Columns that the views of versions share, and those of one phase from its metadata.
DO $$
DECLARE
	view record;
	col record;
	extra text;
BEGIN
	FOR view IN SELECT * FROM (VALUES
		('planning_phase_versions', 'planning', 'Versions of the test plan'),
		('data_profiling_versions', 'data_profiling', 'Versions of the profiling rules'),
		('scoping_versions', 'scoping', 'Versions of the scope'),
		('sample_selection_versions', 'sample_selection', 'Versions of the sample selection'),
		('observation_versions', 'observation_management', 'Versions of the observations, by line of business'),
		('test_report_versions', 'finalize_test_report', 'Versions of the test report')) AS v(name, phase, about)
	LOOP
		SELECT string_agg(format(', %s AS %I', c.expression, c.name), '' ORDER BY c.o) INTO extra
		FROM (VALUES
			('planning', 1, 'included_attributes', '(v.metadata ->> ''included_attributes'')::int', ''),
			('planning', 2, 'excluded_attributes', '(v.metadata ->> ''excluded_attributes'')::int', ''),
			('data_profiling', 1, 'source_data', 'v.metadata -> ''source_data''', ''),
			('scoping', 1, 'criteria', 'v.metadata -> ''criteria''', ''),
			('scoping', 2, 'in_scope_count', '(v.metadata ->> ''in_scope_count'')::int', ''),
			('scoping', 3, 'out_of_scope_count', '(v.metadata ->> ''out_of_scope_count'')::int', ''),
			('sample_selection', 1, 'selection_criteria', 'v.metadata -> ''selection_criteria''', ''),
			('sample_selection', 2, 'target_sample_size', '(v.metadata ->> ''target_sample_size'')::int', ''),
			('sample_selection', 3, 'generation_methods', 'v.metadata -> ''generation_methods''', ''),
			('sample_selection', 4, 'seed', '(v.metadata ->> ''seed'')::bigint', ''),
			('sample_selection', 5, 'population_digest', 'v.metadata ->> ''population_digest''', ''),
			('observation_management', 1, 'observation_period_start', '(v.metadata ->> ''period_start'')::date', ''),
			('observation_management', 2, 'observation_period_end', '(v.metadata ->> ''period_end'')::date', ''),
			('finalize_test_report', 1, 'title', 'v.metadata ->> ''title''', ''),
			('finalize_test_report', 2, 'executive_summary', 'v.metadata ->> ''executive_summary''', ''),
			('finalize_test_report', 3, 'generation_method', 'v.metadata ->> ''generation_method''', ''),
			('finalize_test_report', 4, 'report_period', 'v.metadata -> ''period''', '')) AS c(phase, o, name, expression, about)
		WHERE c.phase = view.phase;
		EXECUTE format($v$
			CREATE VIEW vouch.%I WITH (security_invoker = true) AS
			SELECT vouch_data.version_id(v.bucket, v.artifact_no, v.version_no) AS version_id, a.cycle_id, a.report_id, a.scope AS lob_id,
				v.version_no AS version_number, v.state AS version_status,
				CASE WHEN v.parent_no IS NOT NULL THEN vouch_data.version_id(v.bucket, v.artifact_no, v.parent_no) END AS parent_version_id,
				v.parent_no AS parent_version_number, s.total_items, s.pending_items, s.approved_items, s.rejected_items, s.needs_changes_items, s.carried_forward_items,
				v.reason AS version_reason, v.created_by, v.created_at, v.submitted_by, v.submitted_at, v.closed_by, v.closed_at, v.close_reason AS review_notes,
				v.workflow_id, v.execution_id, v.activity AS activity_name, v.attempt AS activity_attempt, a.subject, v.metadata %s
			FROM vouch_data.artifact a
			JOIN vouch_data.version v ON v.bucket = a.bucket AND v.artifact_no = a.artifact_no
			CROSS JOIN LATERAL (SELECT coalesce(sum(t.items), 0)::bigint AS total_items,
				coalesce(sum(t.items) FILTER (WHERE t.status = 'pending'), 0)::bigint AS pending_items,
				coalesce(sum(t.items) FILTER (WHERE t.status = 'approved'), 0)::bigint AS approved_items,
				coalesce(sum(t.items) FILTER (WHERE t.status = 'rejected'), 0)::bigint AS rejected_items,
				coalesce(sum(t.items) FILTER (WHERE t.status = 'needs_changes'), 0)::bigint AS needs_changes_items,
				coalesce(sum(t.items) FILTER (WHERE t.carried), 0)::bigint AS carried_forward_items
				FROM vouch_data.version_stat t
				WHERE t.bucket = v.bucket AND t.artifact_no = v.artifact_no AND t.version_no = v.version_no AND t.stage = 1) AS s
			WHERE a.phase = %L$v$, view.name, extra, view.phase);
		EXECUTE format('COMMENT ON VIEW vouch.%I IS %L', view.name, view.about || ', one row a version');
		FOR col IN SELECT * FROM (VALUES
			('version_id', 'Id of the version'), ('cycle_id', 'Test cycle'), ('report_id', 'Report under test'), ('lob_id', 'Line of business; empty where the version is of the whole report'),
			('version_number', 'Number of the version, from 1'), ('version_status', 'draft, pending_approval, approved, rejected, superseded or withdrawn'),
			('parent_version_id', 'Id of the version that it was made from'), ('parent_version_number', 'Number of that version'),
			('total_items', 'How many items it shows'), ('pending_items', 'How many of them wait for a decision'), ('approved_items', 'How many are approved'),
			('rejected_items', 'How many are rejected'), ('needs_changes_items', 'How many need changes'), ('carried_forward_items', 'How many were carried forward from an earlier version'),
			('version_reason', 'Why it was made'), ('created_by', 'Who made it'), ('created_at', 'When it was made'), ('submitted_by', 'Who submitted it for approval'),
			('submitted_at', 'When it was submitted'), ('closed_by', 'Who approved, rejected or withdrew it'), ('closed_at', 'When it was approved, rejected or withdrawn'), ('review_notes', 'Notes given with that'),
			('workflow_id', 'Workflow that made it; null when a person did'), ('execution_id', 'Execution of that workflow'), ('activity_name', 'State of the workflow that made it'), ('activity_attempt', 'Attempt of that state, from 1'),
			('subject', 'Subject, such as cycle-7-report-3'), ('metadata', 'What belongs to the version as a whole'),
			('included_attributes', 'How many attributes the plan includes'), ('excluded_attributes', 'How many it excludes'),
			('source_data', 'Where the rules were found: table, rows, time'), ('criteria', 'How the scope was chosen'), ('in_scope_count', 'How many attributes were proposed as in scope'), ('out_of_scope_count', 'How many as out of scope'),
			('selection_criteria', 'How the samples were drawn, enough to draw them again'), ('target_sample_size', 'How many samples were wanted'), ('generation_methods', 'Ways of sampling that were used'), ('seed', 'Seed of the drawing'), ('population_digest', 'SHA-256 of the population that they were drawn from, hex'),
			('observation_period_start', 'First day of the period observed'), ('observation_period_end', 'Last day of the period observed'),
			('title', 'Title of the report'), ('executive_summary', 'Its summary'), ('generation_method', 'How it was written: generated or manual'), ('report_period', 'Period that it covers')) AS c(name, about)
		WHERE EXISTS (SELECT FROM pg_attribute x WHERE x.attrelid = format('vouch.%I', view.name)::regclass AND x.attname = c.name)
		LOOP
			EXECUTE format('COMMENT ON COLUMN vouch.%I.%I IS %L', view.name, col.name, col.about);
		END LOOP;
	END LOOP;

	FOR view IN SELECT * FROM (VALUES
		('attribute_decisions', 'planning', 'attribute_id', 'Attributes of the test plans'),
		('profiling_rule_decisions', 'data_profiling', 'rule_name', 'Profiling rules and what was decided on them'),
		('scoping_decisions', 'scoping', 'attribute_id', 'Attributes proposed for the scope and what was decided on them'),
		('sample_decisions', 'sample_selection', 'sample_id', 'Samples and what was decided on them'),
		('observation_decisions', 'observation_management', 'observation_id', 'Observations and what was decided on them'),
		('test_report_sections', 'finalize_test_report', 'section_type', 'Sections of the test reports')) AS v(name, phase, key, about)
	LOOP
		SELECT string_agg(format(', %s AS %I', c.expression, c.name), '' ORDER BY c.o) INTO extra
		FROM (VALUES
			('planning', 1, 'decision_type', 'b.payload ->> ''decision_type'''), ('planning', 2, 'decision_reason', 'b.payload ->> ''reason'''), ('planning', 3, 'attribute_data', 'b.payload -> ''data'''),
			('data_profiling', 1, 'rule_type', 'b.payload ->> ''type'''), ('data_profiling', 2, 'rule_definition', 'b.payload -> ''definition'''), ('data_profiling', 3, 'rule_description', 'b.payload ->> ''description'''),
			('data_profiling', 4, 'recommendation_reason', 'b.payload ->> ''recommendation_reason'''), ('data_profiling', 5, 'observed_pass_rate', '(b.payload ->> ''observed_pass_rate'')::numeric'), ('data_profiling', 6, 'rows_failed', '(b.payload ->> ''rows_failed'')::bigint'),
			('scoping', 1, 'is_in_scope', '(b.payload ->> ''in_scope'')::boolean'), ('scoping', 2, 'scoping_rationale', 'b.payload ->> ''rationale'''), ('scoping', 3, 'risk_rating', 'b.payload ->> ''risk_rating'''), ('scoping', 4, 'recommendation_type', 'b.payload ->> ''recommendation_type'''),
			('sample_selection', 1, 'sample_type', 'b.payload ->> ''type'''), ('sample_selection', 2, 'sample_lob_id', 'b.payload ->> ''lob_id'''), ('sample_selection', 3, 'sample_reason', 'b.payload ->> ''reason'''), ('sample_selection', 4, 'sample_data', 'b.payload -> ''data'''),
			('observation_management', 1, 'observation_type', 'b.payload ->> ''type'''), ('observation_management', 2, 'severity', 'b.payload ->> ''severity'''), ('observation_management', 3, 'observation_data', 'b.payload -> ''data'''),
			('observation_management', 4, 'evidence', 'b.payload -> ''evidence'''), ('observation_management', 5, 'remediation_status', 'b.payload ->> ''remediation_status'''), ('observation_management', 6, 'remediation_deadline', '(b.payload ->> ''remediation_deadline'')::date'),
			('finalize_test_report', 1, 'section_title', 'b.payload ->> ''title'''), ('finalize_test_report', 2, 'section_content', 'b.payload -> ''content'''), ('finalize_test_report', 3, 'section_order', '(b.payload ->> ''order'')::numeric'), ('finalize_test_report', 4, 'section_references', 'b.payload -> ''references''')) AS c(phase, o, name, expression)
		WHERE c.phase = view.phase;
		EXECUTE format($v$
			CREATE VIEW vouch.%I WITH (security_invoker = true) AS
			SELECT vouch_data.version_id(v.bucket, v.artifact_no, v.version_no) AS version_id, a.cycle_id, a.report_id, a.scope AS lob_id,
				v.version_no AS version_number, v.state AS version_status,
				vouch_data.decision_id(d.bucket, d.artifact_no, d.item_no, d.stage, d.from_no) AS decision_id, i.item_key AS %I,
				d.status AS decision_status, d.decided_by, d.on_behalf_of, d.decided_at, d.notes AS decision_notes,
				d.source AS recommendation_source, d.recommended_by, d.recommended_at,
				d.from_no < v.version_no AS carried_forward, CASE WHEN d.from_no < v.version_no THEN coalesce(d.origin_no, d.from_no) END AS carried_from_version %s
			FROM vouch_data.artifact a
			JOIN vouch_data.version v ON v.bucket = a.bucket AND v.artifact_no = a.artifact_no
			JOIN vouch_data.decision d ON d.bucket = v.bucket AND d.artifact_no = v.artifact_no AND d.stage = 1 AND d.from_no <= v.version_no AND d.to_no > v.version_no
			JOIN vouch_data.item i ON i.bucket = d.bucket AND i.artifact_no = d.artifact_no AND i.item_no = d.item_no
			JOIN vouch_data.item_body b ON b.bucket = d.bucket AND b.artifact_no = d.artifact_no AND b.body_no = d.body_no
			WHERE a.phase = %L$v$, view.name, view.key, extra, view.phase);
		EXECUTE format('COMMENT ON VIEW vouch.%I IS %L', view.name, view.about || ', one row for each item that a version shows; an item that was carried forward is shown by several versions and is one decision');
		FOR col IN SELECT * FROM (VALUES
			('version_id', 'Id of the version that shows it'), ('cycle_id', 'Test cycle'), ('report_id', 'Report under test'), ('lob_id', 'Line of business that the version is of; empty for the whole report'),
			('version_number', 'Number of the version'), ('version_status', 'State of the version'), ('decision_id', 'Id of the decision; the same in every version that it is carried into'),
			('decision_status', 'pending, approved, rejected or needs_changes'), ('decided_by', 'Who decided; null while pending'), ('on_behalf_of', 'Whose authority was used; null for the decider''s own'),
			('decided_at', 'When'), ('decision_notes', 'The decider''s notes'), ('recommendation_source', 'Who or what proposed it'), ('recommended_by', 'Who put it into the version'), ('recommended_at', 'When'),
			('carried_forward', 'True when the decision was made in an earlier version and still stands'), ('carried_from_version', 'Number of that version; null when it was not carried'),
			('attribute_id', 'The attribute'), ('rule_name', 'Name of the rule'), ('sample_id', 'Key of the sampled row'), ('observation_id', 'The observation'), ('section_type', 'Kind of section'),
			('decision_type', 'include, exclude or modify'), ('decision_reason', 'Why'), ('attribute_data', 'What is known of the attribute'),
			('rule_type', 'validation, transformation or quality_check'), ('rule_definition', 'Machine-readable definition'), ('rule_description', 'What the rule says'), ('recommendation_reason', 'What in the data speaks for it'), ('observed_pass_rate', 'Share of the rows that kept it when it was found, 0 to 1'), ('rows_failed', 'Rows that did not'),
			('is_in_scope', 'Whether it is to be tested'), ('scoping_rationale', 'Why'), ('risk_rating', 'high, medium or low'), ('recommendation_type', 'tester, automated or carryforward'),
			('sample_type', 'How it was chosen'), ('sample_lob_id', 'Line of business that owns the row'), ('sample_reason', 'Why it was chosen'), ('sample_data', 'The row''s values when it was drawn'),
			('observation_type', 'finding, recommendation or compliance_issue'), ('severity', 'critical, high, medium or low'), ('observation_data', 'Sample, attribute, reported and source value, rule'), ('evidence', 'Document, test and rule that show it'), ('remediation_status', 'How far its repair is'), ('remediation_deadline', 'Until when it is to be repaired'),
			('section_title', 'Title of the section'), ('section_content', 'Its content: text, object or array'), ('section_order', 'Its place in the report'), ('section_references', 'Versions that it rests on')) AS c(name, about)
		WHERE EXISTS (SELECT FROM pg_attribute x WHERE x.attrelid = format('vouch.%I', view.name)::regclass AND x.attname = c.name)
		LOOP
			EXECUTE format('COMMENT ON COLUMN vouch.%I.%I IS %L', view.name, col.name, col.about);
		END LOOP;
	END LOOP;
END
$$;

CREATE VIEW vouch.test_report_signoffs WITH (security_invoker = true) AS
SELECT vouch_data.version_id(s.bucket, s.artifact_no, s.version_no) AS version_id, a.cycle_id, a.report_id, s.version_no AS version_number, s.round,
	s.role AS signoff_role, CASE s.verdict WHEN 'approve' THEN 'signed' WHEN 'revoke' THEN 'revoked' ELSE 'rejected' END AS signoff_status, s.signer AS signoff_user,
	s.acting_for AS delegated_from, d.reason AS delegation_reason, s.comment AS signoff_notes, s.signed_at, encode(s.content_digest, 'hex') AS content_digest
FROM vouch_data.artifact a
JOIN vouch_data.signature s ON s.bucket = a.bucket AND s.artifact_no = a.artifact_no
LEFT JOIN vouch_data.delegation d ON d.delegation_id = s.delegation_id
WHERE a.phase = 'finalize_test_report'
UNION ALL
SELECT p.version_id, a.cycle_id, a.report_id, p.version_number, NULL, p.role, 'pending', NULL, NULL, NULL, NULL, NULL, NULL
FROM vouch.pending_approvals p
JOIN vouch_data.artifact a ON a.bucket = vouch.bucket(p.subject) AND a.subject = p.subject AND a.phase = p.phase_key AND a.scope = p.scope
WHERE p.phase_key = 'finalize_test_report';
COMMENT ON VIEW vouch.test_report_signoffs IS 'Signatures on test reports, one row each, and one row for each role whose signature is still missing';
COMMENT ON COLUMN vouch.test_report_signoffs.version_id IS 'Id of the report''s version';
COMMENT ON COLUMN vouch.test_report_signoffs.cycle_id IS 'Test cycle';
COMMENT ON COLUMN vouch.test_report_signoffs.report_id IS 'Report under test';
COMMENT ON COLUMN vouch.test_report_signoffs.version_number IS 'Number of the version';
COMMENT ON COLUMN vouch.test_report_signoffs.round IS 'How often the version had been submitted; null while pending';
COMMENT ON COLUMN vouch.test_report_signoffs.signoff_role IS 'test_lead, test_executive or report_owner';
COMMENT ON COLUMN vouch.test_report_signoffs.signoff_status IS 'pending, signed or rejected';
COMMENT ON COLUMN vouch.test_report_signoffs.signoff_user IS 'Who signed';
COMMENT ON COLUMN vouch.test_report_signoffs.delegated_from IS 'For whom, under a delegation';
COMMENT ON COLUMN vouch.test_report_signoffs.delegation_reason IS 'Why that was delegated';
COMMENT ON COLUMN vouch.test_report_signoffs.signoff_notes IS 'What the signer said';
COMMENT ON COLUMN vouch.test_report_signoffs.signed_at IS 'When';
COMMENT ON COLUMN vouch.test_report_signoffs.content_digest IS 'Digest of what was signed, hex';

-- The audit-only phases: their tables, without the bucket.
DO $$
DECLARE
	view record;
	col record;
BEGIN
	FOR view IN SELECT * FROM (VALUES
		('data_owner_assignments', 'data_owner_assignment'), ('data_owner_change_history', 'data_owner_change'),
		('document_submissions', 'document_submission'), ('document_revision_history', 'document_revision'),
		('test_execution_audit', 'test_action')) AS v(name, tab)
	LOOP
		EXECUTE format('CREATE VIEW vouch.%I WITH (security_invoker = true) AS SELECT %s FROM vouch_data.%I t', view.name,
			(SELECT string_agg(format('t.%I', x.attname), ', ' ORDER BY x.attnum) FROM pg_attribute x
				WHERE x.attrelid = format('vouch_data.%I', view.tab)::regclass AND x.attnum > 0 AND x.attname <> 'bucket'), view.tab);
		EXECUTE format('COMMENT ON VIEW vouch.%I IS %L', view.name, obj_description(format('vouch_data.%I', view.tab)::regclass, 'pg_class'));
		FOR col IN SELECT x.attname, col_description(x.attrelid, x.attnum) AS about FROM pg_attribute x
			WHERE x.attrelid = format('vouch_data.%I', view.tab)::regclass AND x.attnum > 0 AND x.attname <> 'bucket'
		LOOP
			EXECUTE format('COMMENT ON COLUMN vouch.%I.%I IS %L', view.name, col.attname, col.about);
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON VIEW vouch.test_execution_audit IS 'What happened in testing: documents and corrections asked for, tests run again, and results, one row each';

CREATE VIEW vouch.workflow_version_operations WITH (security_invoker = true) AS
SELECT a.subject, a.cycle_id, a.report_id, p.phase_no, a.phase, p.label AS phase_label, a.scope AS lob_id, o.op_no AS operation_number, o.operation AS operation_type,
	CASE WHEN o.version_no IS NOT NULL THEN vouch_data.version_id(o.bucket, o.artifact_no, o.version_no) END AS version_id, o.version_no AS version_number,
	o.rule, o.actor, o.on_behalf_of, o.db_user, o.at AS performed_at, o.items AS item_count, o.error IS NULL AS success, o.error AS error_message,
	o.workflow_id, o.execution_id, o.activity AS activity_name, o.attempt AS activity_attempt, o.detail - 'replaced' AS detail, encode(o.leaf, 'hex') AS entry_hash
FROM vouch_data.operation o
JOIN vouch_data.artifact a ON a.bucket = o.bucket AND a.artifact_no = o.artifact_no
JOIN vouch_data.phase p ON p.phase = a.phase;
COMMENT ON VIEW vouch.workflow_version_operations IS 'The log of the nine phases, one row an operation, whether a person or a workflow did it';
COMMENT ON COLUMN vouch.workflow_version_operations.subject IS 'Subject, such as cycle-7-report-3';
COMMENT ON COLUMN vouch.workflow_version_operations.cycle_id IS 'Test cycle';
COMMENT ON COLUMN vouch.workflow_version_operations.report_id IS 'Report under test';
COMMENT ON COLUMN vouch.workflow_version_operations.phase_no IS 'Number of the phase, for sorting';
COMMENT ON COLUMN vouch.workflow_version_operations.phase IS 'Key of the phase';
COMMENT ON COLUMN vouch.workflow_version_operations.phase_label IS 'Name of the phase for people';
COMMENT ON COLUMN vouch.workflow_version_operations.lob_id IS 'Line of business; empty for the whole report';
COMMENT ON COLUMN vouch.workflow_version_operations.operation_number IS 'Number in the log of its phase and line: 1, 2, 3 without a gap';
COMMENT ON COLUMN vouch.workflow_version_operations.operation_type IS 'What was done: create_version, decide, submit, sign_off, approve, …';
COMMENT ON COLUMN vouch.workflow_version_operations.version_id IS 'Id of the version that it is about; null for audit-only records';
COMMENT ON COLUMN vouch.workflow_version_operations.version_number IS 'Number of that version';
COMMENT ON COLUMN vouch.workflow_version_operations.rule IS 'Rule of vouch.state_machine() by which the version changed its state';
COMMENT ON COLUMN vouch.workflow_version_operations.actor IS 'Who did it';
COMMENT ON COLUMN vouch.workflow_version_operations.on_behalf_of IS 'Whose authority was used; null for the actor''s own';
COMMENT ON COLUMN vouch.workflow_version_operations.db_user IS 'Role that the session had logged in as';
COMMENT ON COLUMN vouch.workflow_version_operations.performed_at IS 'When';
COMMENT ON COLUMN vouch.workflow_version_operations.item_count IS 'How many items it touched';
COMMENT ON COLUMN vouch.workflow_version_operations.success IS 'False when it failed';
COMMENT ON COLUMN vouch.workflow_version_operations.error_message IS 'Why it failed';
COMMENT ON COLUMN vouch.workflow_version_operations.workflow_id IS 'Workflow that did it; null when a person did';
COMMENT ON COLUMN vouch.workflow_version_operations.execution_id IS 'Execution of that workflow';
COMMENT ON COLUMN vouch.workflow_version_operations.activity_name IS 'State of the workflow that did it';
COMMENT ON COLUMN vouch.workflow_version_operations.activity_attempt IS 'Attempt of that state, from 1';
COMMENT ON COLUMN vouch.workflow_version_operations.detail IS 'What else there is to know, but for the digests of what the operation replaced';
COMMENT ON COLUMN vouch.workflow_version_operations.entry_hash IS 'Hash of the entry, which the next one of the same phase and line holds; hex';
