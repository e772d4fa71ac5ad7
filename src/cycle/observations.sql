-- observations.sql: phase 8, Observation Management: what the tests found.

CREATE TABLE vouch_data.lob_clearance (
	bucket int NOT NULL,
	clearance_id uuid NOT NULL,
	subject text NOT NULL,
	cycle_id bigint NOT NULL,
	report_id bigint NOT NULL,
	lob_id text NOT NULL,
	samples_tested int NOT NULL,
	recorded_by text NOT NULL,
	recorded_at timestamptz NOT NULL,
	op_no int NOT NULL,
	PRIMARY KEY (bucket, clearance_id)
);
CREATE INDEX lob_clearance_lob ON vouch_data.lob_clearance (bucket, subject, lob_id);
COMMENT ON TABLE vouch_data.lob_clearance IS
'Lines of business all of whose samples passed: nothing was observed, so there is nothing to approve. Written by vouch.record_no_observations(), which checks it; rows are only ever added';
COMMENT ON COLUMN vouch_data.lob_clearance.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.lob_clearance.clearance_id IS 'Its id, ordered by time';
COMMENT ON COLUMN vouch_data.lob_clearance.subject IS 'Subject, such as cycle-7-report-3';
COMMENT ON COLUMN vouch_data.lob_clearance.cycle_id IS 'Test cycle';
COMMENT ON COLUMN vouch_data.lob_clearance.report_id IS 'Report under test';
COMMENT ON COLUMN vouch_data.lob_clearance.lob_id IS 'Line of business';
COMMENT ON COLUMN vouch_data.lob_clearance.samples_tested IS 'How many samples were tested and passed';
COMMENT ON COLUMN vouch_data.lob_clearance.recorded_by IS 'Who recorded it';
COMMENT ON COLUMN vouch_data.lob_clearance.recorded_at IS 'When';
COMMENT ON COLUMN vouch_data.lob_clearance.op_no IS 'Its operation in the log of the artifact (subject, observation_management, line of business)';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.lob_clearance', '');

-- What failed, one row a failure: a sample's value that is not its document's, or a rule that it breaks.
CREATE FUNCTION vouch_data.lob_failures(subject text, lob_id text,
	OUT failure_id text, OUT sample_id text, OUT attribute text, OUT rule text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('%s-%s-%s', lob_failures.lob_id, t.sample_id, f.id), t.sample_id, f.attribute, f.rule
	FROM vouch_data.test_action t
	CROSS JOIN LATERAL (
		SELECT 'source_' || (m ->> 'attribute') AS id, m ->> 'attribute' AS attribute, NULL AS rule
		FROM jsonb_array_elements(CASE jsonb_typeof(t.action_details -> 'mismatches') WHEN 'array' THEN t.action_details -> 'mismatches' END) AS m
		UNION ALL
		SELECT m ->> 'rule', m #>> '{attributes,0}', m ->> 'rule'
		FROM jsonb_array_elements(CASE jsonb_typeof(t.action_details -> 'rule_failures') WHEN 'array' THEN t.action_details -> 'rule_failures' END) AS m
		UNION ALL
		-- recorded by hand
		SELECT 'failed', NULL, NULL WHERE coalesce(t.action_details -> 'mismatches', '[]') = '[]' AND coalesce(t.action_details -> 'rule_failures', '[]') = '[]') AS f
	WHERE t.bucket = vouch.bucket(lob_failures.subject) AND t.subject = lob_failures.subject AND t.lob_id = lob_failures.lob_id
	AND t.action_type = 'test_result' AND t.is_current AND NOT t.passed
$$;
COMMENT ON FUNCTION vouch_data.lob_failures(text, text) IS
'Failures of a line of business''s current tests: failure_id is the observation_id that vouch.generate_observations() gives it';

CREATE FUNCTION vouch_data.untold_failures(version_id uuid, subject text, lob_id text) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT f.failure_id FROM vouch_data.lob_failures(untold_failures.subject, untold_failures.lob_id) AS f
	WHERE NOT EXISTS (SELECT FROM vouch_data.shown_items(untold_failures.version_id) AS s
		WHERE s.status <> 'rejected' AND (s.item_key = f.failure_id
			OR jsonb_typeof(s.payload -> 'covers') = 'array' AND s.payload -> 'covers' ? f.failure_id
			OR jsonb_typeof(s.payload -> 'dismisses') = 'array' AND s.payload -> 'dismisses' ? f.failure_id AND btrim(s.payload ->> 'reason') <> ''
			OR s.payload #>> '{data,sample_id}' = f.sample_id AND CASE WHEN f.rule IS NOT NULL THEN s.payload #>> '{data,rule}' = f.rule
				ELSE s.payload #>> '{data,rule}' IS NULL AND s.payload #>> '{data,attribute}' = f.attribute END))
	ORDER BY f.failure_id
$$;
COMMENT ON FUNCTION vouch_data.untold_failures(uuid, text, text) IS
'Failures that no item of a version of observations is about: by its observation_id, by data (sample_id with attribute or rule), by naming it in covers, or in dismisses with a reason';

CREATE FUNCTION vouch_data.require_failures_told(version_id uuid, subject text, lob_id text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	untold text[] := ARRAY(SELECT vouch_data.untold_failures(version_id, subject, lob_id));
BEGIN
	IF cardinality(untold) > 0 THEN
		RAISE EXCEPTION 'the observations of % leave out what failed', lob_id
			USING ERRCODE = 'VO604', DETAIL = format('Without an observation: %s%s.', array_to_string(untold[1:10], ', '),
					CASE WHEN cardinality(untold) > 10 THEN format(' and %s more', cardinality(untold) - 10) ELSE '' END),
				HINT = 'Give each an observation with that observation_id, name it in "covers" of one that stands for several, or in "dismisses" of one with a "reason".';
	END IF;
END
$$;
COMMENT ON FUNCTION vouch_data.require_failures_told(uuid, text, text) IS 'Returns when a version of observations leaves out no failure of its line of business, else raises VO604 that names them';

CREATE FUNCTION vouch.generate_observations(cycle_id bigint, report_id bigint, lob_id text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH s AS (SELECT vouch_data.cycle_subject(cycle_id, report_id) AS subject),
	-- a broken rule and a differing value of the same sample are separate: they are repaired separately
	f AS (
		SELECT t.sample_id, t.audit_id, t.submission_id, t.action_details AS d, 1 AS kind, m ->> 'attribute' AS what, ARRAY[m ->> 'attribute'] AS attributes, m AS found
		FROM s JOIN vouch_data.test_action t ON t.bucket = vouch.bucket(s.subject) AND t.subject = s.subject, LATERAL jsonb_array_elements(t.action_details -> 'mismatches') AS m
		WHERE t.lob_id = generate_observations.lob_id AND t.action_type = 'test_result' AND t.is_current
		UNION ALL
		SELECT t.sample_id, t.audit_id, t.submission_id, t.action_details, 2, m ->> 'rule', ARRAY(SELECT jsonb_array_elements_text(m -> 'attributes')), m
		FROM s JOIN vouch_data.test_action t ON t.bucket = vouch.bucket(s.subject) AND t.subject = s.subject, LATERAL jsonb_array_elements(t.action_details -> 'rule_failures') AS m
		WHERE t.lob_id = generate_observations.lob_id AND t.action_type = 'test_result' AND t.is_current),
	risk AS (SELECT i.item_key, i.payload ->> 'risk_rating' AS rating FROM s, vouch_data.approved_items(s.subject, 'scoping') AS i),
	rule AS (SELECT i.item_key, i.payload FROM s, vouch_data.approved_items(s.subject, 'data_profiling') AS i),
	o AS (
		SELECT f.*, rule.payload AS rule,
			coalesce((SELECT CASE min(CASE r.rating WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END) WHEN 1 THEN 'high' WHEN 2 THEN 'medium' WHEN 3 THEN 'low' END
				FROM risk r WHERE r.item_key = ANY (f.attributes)), 'medium') AS severity
		FROM f LEFT JOIN rule ON f.kind = 2 AND rule.item_key = f.what)
	SELECT jsonb_build_object('count', count(*), 'observations', coalesce(jsonb_agg(jsonb_build_object(
		'observation_id', format('%s-%s-%s', lob_id, o.sample_id, CASE o.kind WHEN 1 THEN 'source_' || o.what ELSE o.what END),
		'type', CASE WHEN o.kind = 2 AND o.rule #>> '{definition,kind}' IN ('completeness', 'referential') THEN 'compliance_issue' ELSE 'finding' END,
		'severity', o.severity, 'lob_id', lob_id,
		'data', jsonb_build_object('lob_id', lob_id, 'sample_id', o.sample_id, 'attribute', o.attributes[1], 'attributes', to_jsonb(o.attributes),
			'reported_value', CASE o.kind WHEN 1 THEN o.found -> 'reported' ELSE o.found -> 'observed' END,
			'source_value', CASE o.kind WHEN 1 THEN o.found -> 'source' END,
			'rule', CASE o.kind WHEN 2 THEN o.what END,
			'summary', CASE o.kind
				WHEN 1 THEN format('%s is reported as %s, but is %s in document %s', o.what, coalesce(o.found ->> 'reported', 'nothing'), coalesce(o.found ->> 'source', 'nothing'), o.d ->> 'document_id')
				ELSE format('Broken: %s', coalesce(o.rule ->> 'description', o.what)) END),
		'evidence', jsonb_build_object('document_id', o.d -> 'document_id', 'document_version', o.d -> 'document_version',
			'submission_id', o.submission_id, 'audit_id', o.audit_id, 'rule_definition', o.rule -> 'definition', 'observed', o.found),
		'remediation_status', 'open', 'remediation_deadline', NULL) ORDER BY o.sample_id, o.kind, o.what), '[]'))
	FROM o
$$;
COMMENT ON FUNCTION vouch.generate_observations(bigint, bigint, text) IS
'Observations from the failed tests of a line of business: {count, observations: [{observation_id, type, severity (the highest risk rating of its attributes), lob_id, data: {sample_id, attribute, reported_value, source_value, rule, summary}, evidence: {document_id, document_version, submission_id, audit_id, rule_definition, observed}, remediation_status, remediation_deadline}]}';

CREATE FUNCTION vouch.create_observation_version(cycle_id bigint, report_id bigint, user_id text DEFAULT NULL,
	observations jsonb DEFAULT NULL, period_start date DEFAULT NULL, period_end date DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	who text := vouch_data.check_actor(user_id, 'user_id');
	subject text := vouch_data.cycle_subject(create_observation_version.cycle_id, create_observation_version.report_id);
	newest uuid;
	items jsonb := vouch_data.require_array(observations, 'observations', '[{"observation_id": "1", "type": "finding", "severity": "high", "lob_id": "CARDS", "data": {}}]');
	lobs text[] := ARRAY(SELECT DISTINCT coalesce(o ->> 'lob_id', o #>> '{data,lob_id}', '') FROM jsonb_array_elements(items) AS o);
BEGIN
	PERFORM vouch_data.require_phase(create_observation_version.cycle_id, create_observation_version.report_id, 'sample_selection', 'observation_management');
	IF cardinality(lobs) = 0 THEN
		RAISE EXCEPTION 'there are no observations'
			USING ERRCODE = 'VO201', DETAIL = 'A version without items is never approved.',
				HINT = 'Where every test of a line of business passed, call vouch.record_no_observations().';
	END IF;
	newest := vouch_data.newest_version(subject, 'observation_management', lobs[1]);
	IF cardinality(lobs) > 1 THEN
		RAISE EXCEPTION 'the observations belong to % lines of business', cardinality(lobs)
			USING ERRCODE = 'VO502', DETAIL = format('They are %s.', array_to_string(ARRAY(SELECT coalesce(nullif(l, ''), '(none)') FROM unnest(lobs) AS l ORDER BY 1), ', ')),
				HINT = 'Make one version for each line of business.';
	END IF;
	-- a line that is taken up again, as after a redrive, goes on with what it wrote up before
	IF vouch_data.acting_workflow() IS NOT NULL
		AND newest IS NOT NULL AND vouch.get_version(newest) ->> 'state' IN ('pending_approval', 'approved')
		AND NOT EXISTS (SELECT FROM vouch_data.untold_failures(newest, subject, lobs[1]))
	THEN
		RETURN vouch.get_version(newest);
	END IF;
	RETURN vouch_data.propose_version('observation_management', create_observation_version.cycle_id, create_observation_version.report_id, lobs[1], items,
		jsonb_build_object('period_start', create_observation_version.period_start, 'period_end', create_observation_version.period_end),
		who, NULL, true, 'Observations revised');
END
$$;
COMMENT ON FUNCTION vouch.create_observation_version(bigint, bigint, text, jsonb, date, date) IS
'Proposes the observations of one line of business for approval; that line, their lob_id, is the version''s scope. observations: [{observation_id, type (finding, recommendation, compliance_issue), severity (critical, high, medium, low), lob_id, data, evidence, remediation_status, remediation_deadline, covers (observation_ids of failures that this one stands for), dismisses (of failures that are none, with reason)}], as generate_observations() finds them. After a version that was rejected it makes its revision. VO604 unless Sample Selection is approved, VO201 without observations. user_id must be the session''s actor (null: it)';

CREATE FUNCTION vouch.process_observation_review(version_id uuid, user_id text DEFAULT NULL, observation_decisions jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT vouch_data.process_review(version_id, 'observation_management', user_id, observation_decisions, true)
$$;
COMMENT ON FUNCTION vouch.process_observation_review(uuid, text, jsonb) IS
'Enters decisions on observations in the reviewer''s name: [{observation_id, decision (approved, rejected, needs_changes), notes}], in as many sittings as it takes; the array after which every observation is approved approves the version. Or an object {decisions, remaining, approved, needs_revision, notes}, as in process_profiling_review()';

CREATE FUNCTION vouch.record_no_observations(cycle_id bigint, report_id bigint, lob_id text, user_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	subject text := vouch_data.cycle_subject(cycle_id, report_id);
	b int := vouch.bucket(subject);
	who text := vouch_data.check_actor(user_id, 'user_id');
	total int;
	tested int;
	failed int;
	clearance vouch_data.lob_clearance;
	op int;
BEGIN
	PERFORM vouch_data.require_role(who, 'tester', lob_id, 'record that nothing was observed');
	PERFORM vouch_data.require_lob(subject, lob_id, true);
	op := vouch_data.lock_phase(cycle_id, report_id, 'observation_management', lob_id);
	SELECT count(*), count(t.passed), count(*) FILTER (WHERE NOT t.passed) INTO total, tested, failed
	FROM vouch_data.approved_items(subject, 'sample_selection') AS s
	LEFT JOIN vouch_data.test_action t ON t.bucket = b AND t.subject = subject AND t.lob_id = lob_id AND t.sample_id = s.item_key
		AND t.action_type = 'test_result' AND t.is_current
	WHERE s.payload ->> 'lob_id' = lob_id;
	IF failed > 0 OR tested < total THEN
		RAISE EXCEPTION '% cannot be recorded as free of observations', lob_id
			USING ERRCODE = 'VO604', DETAIL = format('Of its %s approved samples %s were tested, and %s failed.', total, tested, failed),
				HINT = 'Test every sample, and make an observation version of what failed.';
	END IF;
	INSERT INTO vouch_data.lob_clearance
	VALUES (b, vouch_data.event_id(b), subject, cycle_id, report_id, lob_id, tested, who, clock_timestamp(), op)
	RETURNING * INTO clearance;
	PERFORM vouch_data.log_phase(cycle_id, report_id, 'observation_management', lob_id, 'no_observations',
		jsonb_build_object('lob_id', lob_id, 'rows', vouch_data.recorded('lob_clearance', clearance.clearance_id, clearance)), 0, who);
	RETURN jsonb_build_object('phase', 'observation_management', 'state', 'no_observations', 'version_id', NULL, 'version_number', NULL,
		'scope', lob_id, 'item_count', 0, 'samples_tested', tested, 'recorded_by', who);
END
$$;
COMMENT ON FUNCTION vouch.record_no_observations(bigint, bigint, text, text) IS
'Records that every approved sample of a line of business was tested and passed, so that it has no observations to approve; VO604 when that is not so, VO502 for a line that the approved samples do not have. user_id must be the session''s actor (null: it) and hold the role tester (VO002)';

CREATE FUNCTION vouch_data.line_states(subject text)
RETURNS TABLE (lob_id text, samples bigint, tested bigint, failed bigint, observations bigint, state text, done boolean, version_id uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH s AS (SELECT line_states.subject AS subject),
	l AS (
		SELECT i.payload ->> 'lob_id' AS lob, i.item_key FROM s, vouch_data.approved_items(s.subject, 'sample_selection') AS i
		UNION ALL
		SELECT a.scope, NULL FROM s JOIN vouch_data.artifact a ON a.bucket = vouch.bucket(s.subject) AND a.subject = s.subject
			AND a.phase = 'observation_management' AND a.head_no > 0)
	SELECT x.lob, x.samples, x.tested, x.failed, (v.j ->> 'item_count')::bigint,
		CASE WHEN v.j ->> 'state' = 'approved' AND f.uncovered THEN 'not_written_up'
			WHEN v.j ->> 'state' IS NOT NULL THEN v.j ->> 'state'
			WHEN c.cleared AND x.failed = 0 THEN 'no_observations'
			WHEN x.tested < x.samples THEN 'testing' ELSE 'not_written_up' END,
		-- a newer version that is open, or was sent back, leaves the line open
		coalesce(v.j ->> 'state' = 'approved' AND NOT f.uncovered, c.cleared AND x.failed = 0 AND x.tested = x.samples), v.id
	FROM s CROSS JOIN LATERAL (
		SELECT l.lob, count(l.item_key) AS samples, count(t.passed) AS tested, count(*) FILTER (WHERE NOT t.passed) AS failed
		FROM l LEFT JOIN vouch_data.test_action t ON t.bucket = vouch.bucket(s.subject) AND t.subject = s.subject AND t.lob_id = l.lob
			AND t.sample_id = l.item_key AND t.action_type = 'test_result' AND t.is_current
		GROUP BY l.lob) AS x
	CROSS JOIN LATERAL (SELECT vouch_data.newest_version(s.subject, 'observation_management', x.lob) AS id) AS n
	CROSS JOIN LATERAL (SELECT n.id, CASE WHEN n.id IS NOT NULL THEN vouch.get_version(n.id) END AS j) AS v
	CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM vouch_data.lob_clearance k
		WHERE k.bucket = vouch.bucket(s.subject) AND k.subject = s.subject AND k.lob_id = x.lob) AS cleared) AS c
	-- a test that failed after the observations were written up, or a failure that nobody wrote up
	CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM vouch_data.untold_failures(n.id, s.subject, x.lob)) AS uncovered) AS f
	ORDER BY x.lob
$$;
COMMENT ON FUNCTION vouch_data.line_states(text) IS 'What vouch.observation_status() shows, for any subject';

CREATE FUNCTION vouch.observation_status(cycle_id bigint, report_id bigint)
RETURNS TABLE (lob_id text, samples bigint, tested bigint, failed bigint, observations bigint, state text, done boolean, version_id uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT * FROM vouch_data.line_states(vouch_data.cycle_subject(cycle_id, report_id))
$$;
COMMENT ON FUNCTION vouch.observation_status(bigint, bigint) IS
'Where each line of business stands: its approved samples, how many were tested and failed, its observations, and the state of their newest version, or testing, not_written_up, no_observations. done: approved, with every failure (sample and attribute, or rule) told or dismissed by an observation, or recorded as free of observations';

GRANT EXECUTE ON FUNCTION vouch_data.lob_failures(text, text), vouch_data.untold_failures(uuid, text, text), vouch_data.require_failures_told(uuid, text, text),
	vouch_data.line_states(text), vouch.generate_observations(bigint, bigint, text), vouch.observation_status(bigint, bigint) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch.create_observation_version(bigint, bigint, text, jsonb, date, date),
	vouch.process_observation_review(uuid, text, jsonb), vouch.record_no_observations(bigint, bigint, text, text) TO vouch_user;
