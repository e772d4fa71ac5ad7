-- report.sql: phase 9, Finalize Test Report.

CREATE FUNCTION vouch.generate_test_report_data(cycle_id bigint, report_id bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	subject text := vouch_data.cycle_subject(cycle_id, report_id);
	b int := vouch.bucket(subject);
	plan jsonb := vouch_data.phase_summary(subject, 'planning');
	rules jsonb := vouch_data.phase_summary(subject, 'data_profiling');
	scope jsonb := vouch_data.phase_summary(subject, 'scoping');
	samples jsonb := vouch_data.phase_summary(subject, 'sample_selection');
	lines jsonb;
	owners jsonb;
	documents jsonb;
	tests jsonb;
	observations jsonb;
	started timestamptz;
	refs jsonb;
BEGIN
	SELECT coalesce(jsonb_agg(jsonb_build_object('lob_id', o.lob_id, 'samples', o.samples, 'tested', o.tested, 'failed', o.failed,
		'observations', coalesce(o.observations, 0), 'state', o.state) ORDER BY o.lob_id), '[]')
	INTO lines FROM vouch.observation_status(generate_test_report_data.cycle_id, generate_test_report_data.report_id) AS o;
	SELECT coalesce(jsonb_agg(jsonb_build_object('lob_id', a.lob_id, 'owner_id', a.owner_id, 'assigned_by', a.assigned_by, 'assignment_type', a.assignment_type) ORDER BY a.lob_id, a.assignment_type), '[]')
	INTO owners FROM vouch_data.data_owner_assignment a WHERE a.bucket = b AND a.subject = vouch_data.cycle_subject(generate_test_report_data.cycle_id, generate_test_report_data.report_id) AND a.status = 'active';
	SELECT jsonb_build_object('documents', count(*) FILTER (WHERE d.is_current), 'versions', count(*),
		'accepted', count(*) FILTER (WHERE d.is_current AND d.status = 'accepted'), 'rejected', count(*) FILTER (WHERE d.is_current AND d.status = 'rejected'))
	INTO documents FROM vouch_data.document_submission d WHERE d.bucket = b AND d.subject = vouch_data.cycle_subject(generate_test_report_data.cycle_id, generate_test_report_data.report_id);
	SELECT jsonb_build_object('tests', count(*) FILTER (WHERE t.is_current), 'passed', count(*) FILTER (WHERE t.is_current AND t.passed),
		'failed', count(*) FILTER (WHERE t.is_current AND NOT t.passed), 'reruns', count(*) FILTER (WHERE NOT t.is_current),
		'values_compared', coalesce(sum((t.action_details ->> 'compared')::bigint) FILTER (WHERE t.is_current), 0),
		'rules_run', coalesce(sum((t.action_details ->> 'rules_run')::bigint) FILTER (WHERE t.is_current), 0))
	INTO tests FROM vouch_data.test_action t WHERE t.bucket = b AND t.subject = vouch_data.cycle_subject(generate_test_report_data.cycle_id, generate_test_report_data.report_id) AND t.action_type = 'test_result';
	SELECT jsonb_build_object('total', count(*),
		'by_severity', jsonb_build_object('critical', count(*) FILTER (WHERE i.payload ->> 'severity' = 'critical'), 'high', count(*) FILTER (WHERE i.payload ->> 'severity' = 'high'),
			'medium', count(*) FILTER (WHERE i.payload ->> 'severity' = 'medium'), 'low', count(*) FILTER (WHERE i.payload ->> 'severity' = 'low')),
		'by_attribute', coalesce((SELECT jsonb_object_agg(x.attribute, x.n) FROM (
			SELECT j.payload #>> '{data,attribute}' AS attribute, count(*) AS n
			FROM vouch_data.artifact c, LATERAL vouch_data.approved_items(c.subject, c.phase, c.scope) AS j
			WHERE c.bucket = b AND c.subject = vouch_data.cycle_subject(generate_test_report_data.cycle_id, generate_test_report_data.report_id) AND c.phase = 'observation_management' AND j.payload #>> '{data,attribute}' IS NOT NULL GROUP BY 1) AS x), '{}'))
	INTO observations
	FROM vouch_data.artifact a, LATERAL vouch_data.approved_items(a.subject, a.phase, a.scope) AS i
	WHERE a.bucket = b AND a.subject = vouch_data.cycle_subject(generate_test_report_data.cycle_id, generate_test_report_data.report_id) AND a.phase = 'observation_management';
	SELECT min(v.created_at) INTO started
	FROM vouch_data.artifact a JOIN vouch_data.version v ON v.bucket = a.bucket AND v.artifact_no = a.artifact_no
	WHERE a.bucket = b AND a.subject = vouch_data.cycle_subject(generate_test_report_data.cycle_id, generate_test_report_data.report_id);
	SELECT coalesce(jsonb_agg(vouch_data.version_id(v.bucket, v.artifact_no, v.version_no) ORDER BY p.phase_no, a.scope), '[]') INTO refs
	FROM vouch_data.artifact a JOIN vouch_data.phase p ON p.phase = a.phase
	JOIN vouch_data.version v ON v.bucket = a.bucket AND v.artifact_no = a.artifact_no AND v.state = 'approved'
	WHERE a.bucket = b AND a.subject = vouch_data.cycle_subject(generate_test_report_data.cycle_id, generate_test_report_data.report_id) AND a.phase <> 'finalize_test_report';
	RETURN jsonb_build_object(
		'title', format('Test report of report %s, cycle %s', generate_test_report_data.report_id, generate_test_report_data.cycle_id),
		'period', jsonb_build_object('start', started, 'end', now()),
		'executive_summary', format('%s of %s samples passed; %s observations were approved in %s lines of business.',
			tests ->> 'passed', tests ->> 'tests', observations ->> 'total', jsonb_array_length(lines)),
		'generation_method', 'generated', 'documents', documents,
		'sections', jsonb_build_array(
			jsonb_build_object('type', 'executive_summary', 'title', 'Executive summary', 'order', 1, 'source', 'generated', 'references', refs,
				'content', format('%s attributes were planned and %s are in scope. %s profiling rules were approved. Of %s samples in %s lines of business %s were tested; %s failed. %s observations were approved: %s high, %s medium, %s low.',
					plan ->> 'items', (SELECT count(*) FROM vouch_data.approved_items(subject, 'scoping') AS i WHERE i.payload -> 'in_scope' = 'true'), rules ->> 'approved',
					samples ->> 'approved', jsonb_array_length(lines), tests ->> 'tests', tests ->> 'failed', observations ->> 'total',
					observations #>> '{by_severity,high}', observations #>> '{by_severity,medium}', observations #>> '{by_severity,low}')),
			jsonb_build_object('type', 'scope', 'title', 'Plan, rules and scope', 'order', 2, 'source', 'generated', 'references', refs,
				'content', jsonb_build_object('planning', plan, 'data_profiling', rules, 'scoping', scope)),
			jsonb_build_object('type', 'sampling', 'title', 'Samples', 'order', 3, 'source', 'generated', 'references', refs,
				'content', samples || jsonb_build_object('selection_criteria', (SELECT (vouch.get_version(vouch_data.newest_version(subject, 'sample_selection', '', 'approved')) #> '{metadata,selection_criteria}') - 'rules'))),
			jsonb_build_object('type', 'data_owners', 'title', 'Data owners and documents', 'order', 4, 'source', 'generated', 'references', '[]'::jsonb,
				'content', jsonb_build_object('data_owners', owners, 'documents', documents)),
			jsonb_build_object('type', 'testing', 'title', 'Testing', 'order', 5, 'source', 'generated', 'references', '[]'::jsonb,
				'content', jsonb_build_object('tests', tests, 'lines_of_business', lines)),
			jsonb_build_object('type', 'observations', 'title', 'Observations', 'order', 6, 'source', 'generated', 'references', refs, 'content', observations)));
END
$$;
COMMENT ON FUNCTION vouch.generate_test_report_data(bigint, bigint) IS
'The test report from what is on record: {title, period: {start, end}, executive_summary, generation_method, documents, sections: [{type, title, content, order, source, references (ids of approved versions)}]}, as create_report_version() takes it';

CREATE FUNCTION vouch_data.phase_summary(subject text, phase text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_build_object('version_number', v -> 'version_number', 'items', v -> 'item_count', 'approved', v -> 'approved', 'rejected', v -> 'rejected',
		'carried_forward', v -> 'carried_forward', 'created_by', v -> 'created_by', 'closed_by', v -> 'closed_by', 'closed_at', v -> 'closed_at')
	FROM (SELECT vouch_data.newest_version(subject, phase, '', 'approved') AS id) AS n,
		LATERAL (SELECT CASE WHEN n.id IS NOT NULL THEN vouch.get_version(n.id) END AS v) AS x
$$;
COMMENT ON FUNCTION vouch_data.phase_summary(text, text) IS 'The approved version of a phase in a few numbers, for the report';

CREATE FUNCTION vouch.create_report_version(cycle_id bigint, report_id bigint, user_id text DEFAULT NULL, report_data jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	who text := vouch_data.check_actor(user_id, 'user_id');
	items jsonb := vouch_data.require_array(report_data -> 'sections', 'sections of report_data', '{"title": "…", "sections": [{"type": "summary", "title": "…", "content": "…"}]}');
BEGIN
	PERFORM vouch_data.require_phase(create_report_version.cycle_id, create_report_version.report_id, 'sample_selection', 'finalize_test_report');
	PERFORM vouch_data.require_lines_done(vouch_data.cycle_subject(create_report_version.cycle_id, create_report_version.report_id));
	RETURN vouch_data.propose_version('finalize_test_report', create_report_version.cycle_id, create_report_version.report_id, '', items,
		report_data - 'sections', who, NULL, false, NULL);
END
$$;
COMMENT ON FUNCTION vouch.create_report_version(bigint, bigint, text, jsonb) IS
'Makes the test report and submits it for its three signatures. report_data: {title, period, executive_summary, generation_method, documents, sections: [{type, title, content, order, source (manual, generated, imported), references}]}, as generate_test_report_data() writes it. VO604 while a line of business has open observations or untested samples. user_id must be the session''s actor (null: it)';

CREATE FUNCTION vouch.submit_report_signoff(version_id uuid, user_id text DEFAULT NULL, role text DEFAULT NULL, approved boolean DEFAULT NULL, comments text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	who text := vouch_data.check_actor(user_id, 'user_id');
	v jsonb := vouch.get_version(version_id);
	signed jsonb;
BEGIN
	IF v ->> 'phase' <> 'finalize_test_report' THEN
		RAISE EXCEPTION 'version % of % is none of Finalize Test Report', v ->> 'version_number', v ->> 'phase_label'
			USING ERRCODE = 'VO502', HINT = 'vouch.sign_off() signs versions of any phase.';
	ELSIF role IS NULL OR approved IS NULL THEN
		RAISE EXCEPTION 'the sign-off lacks %', CASE WHEN role IS NULL THEN 'a role' ELSE 'a verdict' END
			USING ERRCODE = 'VO502', DETAIL = 'A missing verdict is never taken for a yes.',
				HINT = 'Say in which role (test_lead, test_executive or report_owner), and approved => true or false.';
	END IF;
	signed := vouch.sign_off(submit_report_signoff.version_id, submit_report_signoff.role, submit_report_signoff.approved, submit_report_signoff.comments, user_id => who);
	RETURN vouch.get_version(submit_report_signoff.version_id) || jsonb_build_object('signed', signed -> 'signed', 'missing', signed -> 'missing',
		'signatures', signed -> 'signatures', 'waiting_for', signed -> 'waiting_for');
END
$$;
COMMENT ON FUNCTION vouch.submit_report_signoff(uuid, text, text, boolean, text) IS
'Signs the test report as test_lead, test_executive or report_owner, or rejects it, which rejects the report. Three different people must sign, none of whom wrote it. user_id must be the session''s actor (null: it). Returns what get_version() returns, with signed, missing, signatures and waiting_for as vouch.sign_off() has them';

GRANT EXECUTE ON FUNCTION vouch.generate_test_report_data(bigint, bigint), vouch_data.phase_summary(text, text) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch.create_report_version(bigint, bigint, text, jsonb), vouch.submit_report_signoff(uuid, text, text, boolean, text) TO vouch_user;
