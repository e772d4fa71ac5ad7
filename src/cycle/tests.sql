-- tests.sql: phase 7, Test Execution: what was asked, answered and tested.

CREATE TABLE vouch_data.test_action (
	bucket int NOT NULL,
	audit_id uuid NOT NULL,
	subject text NOT NULL,
	cycle_id bigint NOT NULL,
	report_id bigint NOT NULL,
	lob_id text NOT NULL DEFAULT '',
	test_execution_id text NOT NULL CHECK (test_execution_id <> ''),
	action_type text NOT NULL CHECK (action_type IN ('document_request', 'data_update_request', 'test_rerun', 'test_result')),
	action_details jsonb NOT NULL,
	request_reason text,
	requested_by text NOT NULL,
	requested_at timestamptz NOT NULL,
	response_status text CHECK (response_status IN ('fulfilled', 'rejected', 'partial')),
	response_notes text,
	responded_by text,
	responded_at timestamptz,
	turnaround_hours numeric(12,4),
	impact text CHECK (impact IN ('none', 'minor_delay', 'major_delay')),
	sample_id text,
	submission_id uuid,
	passed boolean,
	is_current boolean NOT NULL DEFAULT true,
	op_no int NOT NULL,
	PRIMARY KEY (bucket, audit_id),
	CHECK ((response_status IS NULL) = (responded_at IS NULL))
);
CREATE INDEX test_action_sample ON vouch_data.test_action (bucket, subject, lob_id, sample_id) WHERE action_type = 'test_result' AND is_current;
COMMENT ON TABLE vouch_data.test_action IS
'What happened in testing: documents and corrections asked for, tests run again, and results. Read it as vouch.test_execution_audit';
COMMENT ON COLUMN vouch_data.test_action.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.test_action.audit_id IS 'Its id, ordered by time';
COMMENT ON COLUMN vouch_data.test_action.subject IS 'Subject, such as cycle-7-report-3';
COMMENT ON COLUMN vouch_data.test_action.cycle_id IS 'Test cycle';
COMMENT ON COLUMN vouch_data.test_action.report_id IS 'Report under test';
COMMENT ON COLUMN vouch_data.test_action.lob_id IS 'Line of business; empty when it concerns none';
COMMENT ON COLUMN vouch_data.test_action.test_execution_id IS 'The test that it belongs to';
COMMENT ON COLUMN vouch_data.test_action.action_type IS 'document_request, data_update_request, test_rerun or test_result';
COMMENT ON COLUMN vouch_data.test_action.action_details IS 'What was asked or found; a result has compared (how many values), missing (attributes in scope that the document lacks), mismatches, rules_run, rule_failures, and changed_since_drawn: attributes that the source has other values of now than the approved sample';
COMMENT ON COLUMN vouch_data.test_action.request_reason IS 'Why, from reason in the details';
COMMENT ON COLUMN vouch_data.test_action.requested_by IS 'Who asked, or in whose name the test ran';
COMMENT ON COLUMN vouch_data.test_action.requested_at IS 'When';
COMMENT ON COLUMN vouch_data.test_action.response_status IS 'fulfilled, rejected or partial; null while open';
COMMENT ON COLUMN vouch_data.test_action.response_notes IS 'What the answer said';
COMMENT ON COLUMN vouch_data.test_action.responded_by IS 'Who answered';
COMMENT ON COLUMN vouch_data.test_action.responded_at IS 'When';
COMMENT ON COLUMN vouch_data.test_action.turnaround_hours IS 'Hours from request to answer; null while open';
COMMENT ON COLUMN vouch_data.test_action.impact IS 'none up to 24 hours, minor_delay up to 72, then major_delay; null while open';
COMMENT ON COLUMN vouch_data.test_action.sample_id IS 'Sample that was tested; null for requests';
COMMENT ON COLUMN vouch_data.test_action.submission_id IS 'Document that it was tested with';
COMMENT ON COLUMN vouch_data.test_action.passed IS 'Whether the test passed; null for requests';
COMMENT ON COLUMN vouch_data.test_action.is_current IS 'False for a result that a later test of the sample replaced';
COMMENT ON COLUMN vouch_data.test_action.op_no IS 'Its operation in the log of the artifact (subject, test_execution, line of business)';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.test_action', '');

CREATE FUNCTION vouch.record_test_action(cycle_id bigint, report_id bigint, test_execution_id text, action_type text,
	requested_by text DEFAULT NULL, action_details jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	subject text := vouch_data.cycle_subject(cycle_id, report_id);
	b int := vouch.bucket(subject);
	who text := vouch_data.check_actor(requested_by, 'requested_by');
	details jsonb := coalesce(action_details, '{}');
	lob text := coalesce(details ->> 'lob_id', '');
	id uuid := vouch_data.event_id(b);
	act vouch_data.test_action;
	written jsonb := '{}';
	op int;
BEGIN
	IF coalesce(test_execution_id, '') = '' THEN
		RAISE EXCEPTION 'no test_execution_id given'
			USING ERRCODE = 'VO502', HINT = 'Name the test that the action belongs to.';
	ELSIF action_type IS NULL OR action_type NOT IN ('document_request', 'data_update_request', 'test_rerun', 'test_result') THEN
		RAISE EXCEPTION 'there is no action type "%"', coalesce(action_type, 'NULL')
			USING ERRCODE = 'VO502', HINT = 'Use document_request, data_update_request, test_rerun or test_result.';
	ELSIF jsonb_typeof(details) <> 'object' THEN
		RAISE EXCEPTION 'action_details is not an object'
			USING ERRCODE = 'VO502', HINT = 'Give an object such as {"lob_id": "CARDS", "reason": "statement is missing"}.';
	END IF;
	PERFORM vouch_data.check_name(lob, 'lob_id'), vouch_data.check_name(test_execution_id, 'test_execution_id'),
		vouch_data.check_name(details ->> 'sample_id', 'sample_id'), vouch_data.check_text(details ->> 'reason', 'reason'),
		vouch_data.check_payload(details, 'action_details');
	PERFORM vouch_data.require_role(who, 'tester', lob, 'record test actions');
	IF action_type = 'test_result' AND vouch_data.cycle_runs(subject) THEN
		RAISE EXCEPTION '"%" may not record test results of %', who, subject
			USING ERRCODE = 'VO002', DETAIL = 'Its test cycle runs; results come from the tests that the cycle itself runs on the documents that were handed in.',
				HINT = 'Hand in a document with vouch.submit_document(): the cycle tests it.';
	END IF;
	op := vouch_data.lock_phase(cycle_id, report_id, 'test_execution', lob);
	IF action_type = 'test_result' THEN
		-- a later result of the same test takes the place of the one before
		WITH u AS (UPDATE vouch_data.test_action t SET is_current = false
			WHERE t.bucket = b AND t.subject = subject AND t.lob_id = lob AND t.sample_id = details ->> 'sample_id'
			AND t.action_type = 'test_result' AND t.is_current
			RETURNING *)
		SELECT coalesce(jsonb_object_agg('test_action ' || u.audit_id, vouch_data.record_digest(u)), '{}') INTO written FROM u;
	END IF;
	INSERT INTO vouch_data.test_action (bucket, audit_id, subject, cycle_id, report_id, lob_id, test_execution_id, action_type, action_details,
		request_reason, requested_by, requested_at, sample_id, submission_id, passed, op_no)
	VALUES (b, id, subject, cycle_id, report_id, lob, test_execution_id, action_type, details,
		details ->> 'reason', who, clock_timestamp(), details ->> 'sample_id', (details ->> 'submission_id')::uuid, (details ->> 'passed')::boolean, op)
	RETURNING * INTO act;
	PERFORM vouch_data.log_phase(cycle_id, report_id, 'test_execution', lob, 'record_test_action',
		jsonb_build_object('audit_id', id, 'test_execution_id', test_execution_id, 'action_type', action_type,
			'digest', encode(vouch.digest(details), 'hex'), 'rows', written || vouch_data.recorded('test_action', id, act)), 1, who);
	RETURN jsonb_build_object('phase', 'test_execution', 'state', 'recorded', 'version_id', NULL, 'version_number', NULL,
		'audit_id', id, 'test_execution_id', test_execution_id, 'action_type', action_type, 'lob_id', lob, 'requested_by', who);
END
$$;
COMMENT ON FUNCTION vouch.record_test_action(bigint, bigint, text, text, text, jsonb) IS
'Records a document_request, data_update_request, test_rerun or test_result. action_details: an object; lob_id, reason, sample_id, submission_id and passed are kept in columns, too. requested_by must be the session''s actor (null: it) and hold the role tester (VO002); a test_result is refused while a cycle runs, which tests itself (VO002). VO501 when the details are larger than vouch.max_payload, VO502 for a reason of more than 10,000 characters, or names of more than 1,000 bytes. Returns {audit_id, …}, which update_test_response() takes';

CREATE FUNCTION vouch.update_test_response(audit_id uuid, responded_by text DEFAULT NULL, response_status text DEFAULT 'fulfilled', response_notes text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	who text := vouch_data.check_actor(responded_by, 'responded_by');
	act vouch_data.test_action;
	hours numeric;
BEGIN
	IF response_status IS NULL OR response_status NOT IN ('fulfilled', 'rejected', 'partial') THEN
		RAISE EXCEPTION 'there is no response status "%"', coalesce(response_status, 'NULL')
			USING ERRCODE = 'VO502', HINT = 'Use fulfilled, rejected or partial.';
	END IF;
	PERFORM vouch_data.check_text(response_notes, 'response_notes');
	SELECT * INTO act FROM vouch_data.test_action t
	WHERE t.bucket = vouch.bucket_of(audit_id) AND t.audit_id = audit_id;
	IF act.audit_id IS NULL THEN
		RAISE EXCEPTION 'there is no such test action'
			USING ERRCODE = 'VO603', DETAIL = format('The id given is %s.', coalesce(audit_id::text, 'NULL')), HINT = 'vouch.test_execution_audit lists the actions.';
	END IF;
	IF NOT EXISTS (SELECT FROM vouch_data.data_owner_assignment a
			WHERE a.bucket = act.bucket AND a.subject = act.subject AND a.lob_id = act.lob_id AND a.owner_id = who AND a.status = 'active')
		AND NOT EXISTS (SELECT FROM vouch_data.role_grant g
			WHERE g.actor = who AND g.role = 'tester' AND g.scope IN ('', act.lob_id) AND g.revoked_at IS NULL)
	THEN
		PERFORM vouch_data.require_role(who, 'data_owner', act.lob_id, 'answer this test action');
	END IF;
	PERFORM vouch_data.lock_phase(act.cycle_id, act.report_id, 'test_execution', act.lob_id);
	SELECT * INTO act FROM vouch_data.test_action t WHERE t.bucket = act.bucket AND t.audit_id = audit_id;
	IF act.response_status IN ('fulfilled', 'rejected') THEN
		RAISE EXCEPTION 'this % of test % is answered already', replace(act.action_type, '_', ' '), act.test_execution_id
			USING ERRCODE = 'VO106', DETAIL = format('%s answered it: %s.', act.responded_by, act.response_status),
				HINT = 'Record a new action, such as a test_rerun; an answer is never rewritten.';
	END IF;
	hours := round(extract(epoch FROM clock_timestamp() - act.requested_at)::numeric / 3600, 4);
	UPDATE vouch_data.test_action t
	SET response_status = response_status, response_notes = response_notes, responded_by = who, responded_at = clock_timestamp(),
		turnaround_hours = hours,
		impact = CASE WHEN hours <= 24 THEN 'none' WHEN hours <= 72 THEN 'minor_delay' ELSE 'major_delay' END
	WHERE t.bucket = act.bucket AND t.audit_id = audit_id
	RETURNING * INTO act;
	PERFORM vouch_data.log_phase(act.cycle_id, act.report_id, 'test_execution', act.lob_id, 'update_test_response',
		jsonb_build_object('audit_id', audit_id, 'response_status', response_status, 'response_notes', response_notes,
			'rows', vouch_data.recorded('test_action', audit_id, act)), 1, who);
	RETURN jsonb_build_object('phase', 'test_execution', 'state', 'recorded', 'version_id', NULL, 'version_number', NULL,
		'audit_id', audit_id, 'test_execution_id', act.test_execution_id, 'response_status', act.response_status,
		'responded_by', who, 'turnaround_hours', act.turnaround_hours, 'impact', act.impact);
END
$$;
COMMENT ON FUNCTION vouch.update_test_response(uuid, text, text, text) IS
'Answers a test action: fulfilled, rejected or partial (which may be followed by another answer). responded_by must be the session''s actor (null: it), who is a tester, is assigned to the line of business, or holds the role data_owner for it (VO002). Returns turnaround_hours and impact (none up to 24 hours, minor_delay up to 72, major_delay). VO603 when there is no such action, VO106 when it is answered, VO502 for response_notes of more than 10,000 characters';

-- The same value, however it is written: 1,5 is not 1.5, but 1.50 is.
CREATE FUNCTION vouch_data.same_value(a jsonb, b jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	x text := btrim(coalesce(a #>> '{}', ''));
	y text := btrim(coalesce(b #>> '{}', ''));
BEGIN
	IF x ~ '^[+-]?[0-9]+(\.[0-9]+)?$' AND y ~ '^[+-]?[0-9]+(\.[0-9]+)?$' THEN
		-- leading zeros mean something in codes
		RETURN CASE WHEN x ~ '^0[0-9]' OR y ~ '^0[0-9]' THEN x = y ELSE x::numeric = y::numeric END;
	END IF;
	RETURN x = y;
END
$$;
COMMENT ON FUNCTION vouch_data.same_value(jsonb, jsonb) IS
'Whether two values are the same: numbers by value, others by their text without blanks around; null equals an empty text';

-- What a running cycle tested is what its own activities found, and nothing that somebody says.
CREATE FUNCTION vouch_data.require_tested(subject text, lob_id text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	IF NOT vouch_data.cycle_runs(subject) OR EXISTS (SELECT FROM vouch_data.execution e
		WHERE e.bucket = vouch.bucket(subject) AND e.workflow_id = vouch_data.acting_workflow() AND e.status = 'running'
		AND e.workflow = 'lob_downstream' AND e.workflow_id = subject || '/lob-' || lob_id)
	THEN
		RETURN;
	END IF;
	RAISE EXCEPTION '"%" may not record test results of %', vouch.actor(), subject
		USING ERRCODE = 'VO002', DETAIL = 'Its test cycle runs; results come from the tests that the cycle itself runs on the documents that were handed in.',
			HINT = format('Hand in a document with vouch.submit_document(): the cycle tests it.');
END
$$;
COMMENT ON FUNCTION vouch_data.require_tested(text, text) IS
'Returns in the activity of a running cycle that tests this line of business, and where no cycle runs; else raises VO002';

CREATE FUNCTION vouch_data.record_test_results(cycle_id bigint, report_id bigint, lob_id text, user_id text, results jsonb, documents jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	subject text := vouch_data.cycle_subject(cycle_id, report_id);
	b int := vouch.bucket(subject);
	who text := vouch_data.check_actor(user_id, 'user_id');
	written jsonb;
	op int;
BEGIN
	PERFORM vouch_data.require_role(who, 'tester', lob_id, 'record test results');
	PERFORM vouch_data.require_tested(subject, lob_id);
	op := vouch_data.lock_phase(cycle_id, report_id, 'test_execution', lob_id);
	WITH u AS (UPDATE vouch_data.test_action t SET is_current = false
		FROM jsonb_array_elements(results) AS r
		WHERE t.bucket = b AND t.subject = subject AND t.lob_id = lob_id AND t.sample_id = r ->> 'sample_id'
		AND t.action_type = 'test_result' AND t.is_current
		RETURNING t.*)
	SELECT coalesce(jsonb_object_agg('test_action ' || u.audit_id, vouch_data.record_digest(u)), '{}') INTO written FROM u;
	WITH n AS (INSERT INTO vouch_data.test_action (bucket, audit_id, subject, cycle_id, report_id, lob_id, test_execution_id, action_type, action_details,
			requested_by, requested_at, sample_id, submission_id, passed, op_no)
		SELECT b, vouch_data.event_id(b), subject, cycle_id, report_id, lob_id, 'test-' || (r ->> 'sample_id'), 'test_result', r,
			who, clock_timestamp(), r ->> 'sample_id', (r ->> 'submission_id')::uuid, (r ->> 'passed')::boolean, op
		FROM jsonb_array_elements(results) AS r
		RETURNING *)
	SELECT written || coalesce(jsonb_object_agg('test_action ' || n.audit_id, vouch_data.record_digest(n)), '{}') INTO written FROM n;
	WITH d AS (UPDATE vouch_data.document_submission d
		SET status = x ->> 'status', reviewed_by = who, reviewed_at = clock_timestamp(), review_notes = x ->> 'notes'
		FROM jsonb_array_elements(documents) AS x
		WHERE d.bucket = b AND d.submission_id = (x ->> 'submission_id')::uuid AND d.subject = subject AND d.lob_id = lob_id
		RETURNING d.*)
	SELECT written || coalesce(jsonb_object_agg('document_submission ' || d.submission_id, vouch_data.record_digest(d)), '{}') INTO written FROM d;
	PERFORM vouch_data.log_phase(cycle_id, report_id, 'test_execution', lob_id, 'test_result',
		jsonb_build_object('by_hand', vouch_data.acting_workflow() IS NULL, 'results', jsonb_array_length(results),
			'digest', encode(vouch.digest(results), 'hex'), 'rows', written), jsonb_array_length(results), who);
END
$$;
COMMENT ON FUNCTION vouch_data.record_test_results(bigint, bigint, text, text, jsonb, jsonb) IS
'Writes the results of vouch.run_sample_tests(), as one operation of the log, whose detail says whether that was by_hand. While a cycle runs for the subject only its own workflow of the line of business may (VO002); else the actor must hold the role tester (VO002)';

CREATE FUNCTION vouch.request_documents(cycle_id bigint, report_id bigint, lob_id text, user_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	samples jsonb;
	owner text;
	asked jsonb;
BEGIN
	SELECT coalesce(jsonb_agg(i.item_key), '[]') INTO samples
	FROM vouch_data.approved_items(vouch_data.cycle_subject(cycle_id, report_id), 'sample_selection') AS i
	WHERE i.payload ->> 'lob_id' = lob_id;
	SELECT a.owner_id INTO owner FROM vouch_data.data_owner_assignment a
	WHERE a.bucket = vouch.bucket(vouch_data.cycle_subject(cycle_id, report_id)) AND a.subject = vouch_data.cycle_subject(cycle_id, report_id)
	AND a.lob_id = lob_id AND a.assignment_type = 'primary' AND a.status = 'active';
	IF jsonb_array_length(samples) > 0 THEN
		asked := vouch.record_test_action(cycle_id, report_id, 'documents-' || lob_id, 'document_request', user_id,
			jsonb_build_object('lob_id', lob_id, 'samples', samples, 'asked_of', owner, 'reason', 'Source documents of the approved samples'));
	END IF;
	RETURN jsonb_build_object('lob_id', lob_id, 'samples', jsonb_array_length(samples), 'asked_of', owner, 'audit_id', asked -> 'audit_id');
END
$$;
COMMENT ON FUNCTION vouch.request_documents(bigint, bigint, text, text) IS
'Asks a line of business''s data owner for the documents of its approved samples, as a document_request: {lob_id, samples (how many), asked_of, audit_id}';

CREATE FUNCTION vouch_data.comparable(data jsonb, document jsonb, in_scope text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(array_agg(k ORDER BY k), '{}')
	FROM jsonb_object_keys(CASE jsonb_typeof(document) WHEN 'object' THEN document ELSE '{}' END) AS k
	WHERE data ? k AND (in_scope IS NULL OR k = ANY (in_scope))
$$;
COMMENT ON FUNCTION vouch_data.comparable(jsonb, jsonb, text[]) IS
'Attributes in scope (null: all) that both a sample and a document''s values of it have';

CREATE FUNCTION vouch.run_sample_tests(cycle_id bigint, report_id bigint, lob_id text, source regclass, user_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
#variable_conflict use_variable
DECLARE
	subject text := vouch_data.cycle_subject(cycle_id, report_id);
	b int := vouch.bucket(subject);
	rules jsonb := vouch.get_approved_items(cycle_id, report_id, 'data_profiling');
	in_scope text[];
	todo jsonb;
	results jsonb;
	documents jsonb;
	summary jsonb;
	asked record;
	criteria jsonb := vouch.get_version(vouch_data.newest_version(subject, 'sample_selection', '', 'approved')) #> '{metadata,selection_criteria}';
	now_rows jsonb;
BEGIN
	SELECT array_agg(i.item_key) INTO in_scope
	FROM vouch_data.approved_items(subject, 'scoping') AS i WHERE (i.payload ->> 'in_scope')::boolean;
	-- every sample with the newest document that has a value to compare with it, unless that was its last test
	SELECT coalesce(jsonb_agg(jsonb_build_object('sample_id', x.item_key, 'data', x.data, 'submission_id', x.submission_id,
		'document_id', x.document_id, 'document_version', x.document_version, 'values', x.values) ORDER BY x.item_key), '[]')
	INTO todo
	FROM (SELECT DISTINCT ON (s.item_key) s.item_key, s.payload -> 'data' AS data, d.submission_id, d.document_id, d.document_version,
			d.metadata #> ARRAY['samples', s.item_key] AS values
		FROM vouch_data.approved_items(subject, 'sample_selection') AS s
		JOIN vouch_data.document_submission d ON d.bucket = b AND d.subject = subject AND d.lob_id = lob_id AND d.is_current
			AND cardinality(vouch_data.comparable(s.payload -> 'data', d.metadata #> ARRAY['samples', s.item_key], in_scope)) > 0
		WHERE s.payload ->> 'lob_id' = lob_id
		ORDER BY s.item_key, d.submission_id DESC) AS x
	WHERE NOT EXISTS (SELECT FROM vouch_data.test_action t
		WHERE t.bucket = b AND t.subject = subject AND t.lob_id = lob_id AND t.sample_id = x.item_key
		AND t.action_type = 'test_result' AND t.is_current AND t.submission_id = x.submission_id);
	IF jsonb_array_length(todo) > 0 THEN
		IF criteria ->> 'key_column' IS NOT NULL THEN
			now_rows := vouch_data.source_rows(source, criteria ->> 'key_column', ARRAY(SELECT t ->> 'sample_id' FROM jsonb_array_elements(todo) AS t));
		END IF;
		SELECT jsonb_agg(jsonb_build_object('lob_id', lob_id, 'sample_id', t.j -> 'sample_id', 'document_id', t.j -> 'document_id',
				'document_version', t.j -> 'document_version', 'submission_id', t.j -> 'submission_id',
				'compared', c.compared, 'missing', m.missing, 'mismatches', c.mismatches, 'rules_run', r.rules_run, 'rule_failures', r.failures,
				'changed_since_drawn', CASE WHEN now_rows IS NOT NULL THEN (SELECT coalesce(jsonb_agg(k ORDER BY k), '[]')
					FROM jsonb_object_keys((t.j -> 'data') || coalesce(now_rows -> (t.j ->> 'sample_id'), '{}')) AS k
					WHERE t.j -> 'data' -> k IS DISTINCT FROM now_rows -> (t.j ->> 'sample_id') -> k) END,
				'passed', c.compared > 0 AND jsonb_array_length(c.mismatches) = 0 AND jsonb_array_length(r.failures) = 0) ORDER BY t.o)
		INTO results
		FROM jsonb_array_elements(todo) WITH ORDINALITY AS t(j, o)
		CROSS JOIN LATERAL (
			SELECT count(*) AS compared,
				coalesce(jsonb_agg(jsonb_build_object('attribute', v.key, 'reported', t.j -> 'data' -> v.key, 'source', v.value) ORDER BY v.key)
					FILTER (WHERE NOT vouch_data.same_value(t.j -> 'data' -> v.key, v.value)), '[]') AS mismatches
			FROM jsonb_each(t.j -> 'values') AS v
			WHERE v.key = ANY (vouch_data.comparable(t.j -> 'data', t.j -> 'values', in_scope))) AS c
		-- what is in scope, and the document says nothing of
		CROSS JOIN LATERAL (SELECT coalesce(jsonb_agg(k ORDER BY k), '[]') AS missing
			FROM unnest(coalesce(in_scope, ARRAY(SELECT jsonb_object_keys(t.j -> 'data')))) AS k WHERE NOT t.j -> 'values' ? k) AS m
		LEFT JOIN (
			SELECT k.row_no, count(k.passed) AS rules_run,
				coalesce(jsonb_agg(jsonb_build_object('rule', k.rule, 'attributes', k.attributes, 'observed', k.observed) ORDER BY k.rule)
					FILTER (WHERE NOT k.passed), '[]') AS failures
			FROM vouch.check_rows(source, rules, (SELECT jsonb_agg(e -> 'data' ORDER BY n) FROM jsonb_array_elements(todo) WITH ORDINALITY AS y(e, n))) AS k
			GROUP BY k.row_no) AS r0 ON r0.row_no = t.o
		CROSS JOIN LATERAL (SELECT coalesce(r0.rules_run, 0) AS rules_run, coalesce(r0.failures, '[]') AS failures) AS r;
	END IF;
	SELECT coalesce(jsonb_agg(jsonb_build_object('submission_id', d.submission_id,
		'status', CASE WHEN k.known > 0 THEN 'accepted' ELSE 'rejected' END,
		'notes', CASE WHEN k.known > 0 THEN format('Has source values of %s approved samples.', k.known)
				|| coalesce(' Nothing to compare for sample ' || k.empty || '.', '')
			WHEN k.empty IS NOT NULL THEN format('Has no value of an attribute in scope for sample %s.', k.empty)
			ELSE format('Has no source values of an approved sample of %s.', lob_id) END)), '[]')
	INTO documents
	FROM vouch_data.document_submission d
	CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE cardinality(x.attributes) > 0) AS known,
			string_agg(x.item_key, ', ' ORDER BY x.item_key) FILTER (WHERE cardinality(x.attributes) = 0) AS empty
		FROM (SELECT s.item_key, vouch_data.comparable(s.payload -> 'data', d.metadata #> ARRAY['samples', s.item_key], in_scope) AS attributes
			FROM vouch_data.approved_items(subject, 'sample_selection') AS s
			WHERE s.payload ->> 'lob_id' = lob_id AND d.metadata #> ARRAY['samples', s.item_key] IS NOT NULL) AS x) AS k
	WHERE d.bucket = b AND d.subject = subject AND d.lob_id = lob_id AND d.is_current AND d.status = 'pending_review';
	IF jsonb_array_length(todo) > 0 OR jsonb_array_length(documents) > 0 THEN
		PERFORM vouch_data.record_test_results(cycle_id, report_id, lob_id, user_id, coalesce(results, '[]'), documents);
	END IF;
	SELECT jsonb_build_object('lob_id', lob_id, 'samples', count(*), 'tested', count(t.passed),
		'passed', count(*) FILTER (WHERE t.passed), 'failed', count(*) FILTER (WHERE NOT t.passed),
		'outstanding', count(*) - count(t.passed),
		'outstanding_samples', coalesce(jsonb_agg(s.item_key ORDER BY s.item_key) FILTER (WHERE t.passed IS NULL), '[]'),
		'newly_tested', jsonb_array_length(todo), 'documents_reviewed', jsonb_array_length(documents))
	INTO summary
	FROM vouch_data.approved_items(subject, 'sample_selection') AS s
	LEFT JOIN vouch_data.test_action t ON t.bucket = b AND t.subject = subject AND t.lob_id = lob_id AND t.sample_id = s.item_key
		AND t.action_type = 'test_result' AND t.is_current
	WHERE s.payload ->> 'lob_id' = lob_id;
	-- all documents are there: what asked for them is answered
	IF (summary ->> 'outstanding')::int = 0 THEN
		FOR asked IN SELECT t.audit_id FROM vouch_data.test_action t
			WHERE t.bucket = b AND t.subject = subject AND t.lob_id = lob_id AND t.action_type = 'document_request' AND t.response_status IS NULL
		LOOP
			PERFORM vouch.update_test_response(asked.audit_id, user_id, 'fulfilled', 'Every approved sample has its document.');
		END LOOP;
	END IF;
	RETURN summary;
END
$$;
COMMENT ON FUNCTION vouch.run_sample_tests(bigint, bigint, text, regclass, text) IS
'Tests the approved samples of a line of business that have a document which they were not tested with yet: compares the reported values with the document''s for every attribute in scope, lists those that it lacks as missing, runs the approved profiling rules on the row, and records each result. A document that has no value of an attribute in scope tests nothing: it is rejected, and the sample stays outstanding. Returns {samples, tested, passed, failed, outstanding (samples without a document), outstanding_samples, newly_tested, documents_reviewed}. Reads the source with the caller''s rights; user_id must be the actor, who needs the role tester';

GRANT EXECUTE ON FUNCTION vouch_data.same_value(jsonb, jsonb), vouch_data.comparable(jsonb, jsonb, text[]) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch.record_test_action(bigint, bigint, text, text, text, jsonb), vouch.update_test_response(uuid, text, text, text),
	vouch_data.require_tested(text, text),
	vouch_data.record_test_results(bigint, bigint, text, text, jsonb, jsonb), vouch.request_documents(bigint, bigint, text, text),
	vouch.run_sample_tests(bigint, bigint, text, regclass, text) TO vouch_user;
