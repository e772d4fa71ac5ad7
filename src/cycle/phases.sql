-- phases.sql: the activities of Planning, Data Profiling, Scoping and Sample Selection.

-- 1 Planning ------------------------------------------------------------------

CREATE FUNCTION vouch.create_planning_version(cycle_id bigint, report_id bigint, user_id text DEFAULT NULL,
	attributes jsonb DEFAULT NULL, parent_version_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	who text := vouch_data.check_actor(user_id, 'user_id');
	items jsonb := vouch_data.require_array(attributes, 'attributes', '[{"attribute_id": "apr", "decision_type": "include", "data": {}}]');
	made uuid;
BEGIN
	made := vouch.create_version('planning', create_planning_version.cycle_id, create_planning_version.report_id, items, '',
		create_planning_version.parent_version_id, user_id => who,
		metadata => (SELECT jsonb_build_object('total_attributes', count(*),
			'included_attributes', count(*) FILTER (WHERE a ->> 'decision_type' = 'include'),
			'excluded_attributes', count(*) FILTER (WHERE a ->> 'decision_type' = 'exclude'),
			'modified_attributes', count(*) FILTER (WHERE a ->> 'decision_type' = 'modify'))
			FROM jsonb_array_elements(items) AS a));
	RETURN vouch.get_version(made);
END
$$;
COMMENT ON FUNCTION vouch.create_planning_version(bigint, bigint, text, jsonb, uuid) IS
'Makes a draft of the test plan. attributes: [{attribute_id, decision_type (include, exclude, modify), data, reason}], as get_planning_attributes() proposes. user_id must be the session''s actor (null: it). Returns what get_version() returns; approve_planning_version() is next';

CREATE FUNCTION vouch.approve_planning_version(version_id uuid, user_id text DEFAULT NULL, notes text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	who text := vouch_data.check_actor(user_id, 'user_id');
	v jsonb := vouch.get_version(version_id);
BEGIN
	IF v ->> 'phase' <> 'planning' THEN
		RAISE EXCEPTION 'version % of % is none of Planning', v ->> 'version_number', v ->> 'phase_label'
			USING ERRCODE = 'VO502', HINT = 'Call the function of its phase.';
	END IF;
	-- the policy signs for the tester, by rule, when the plan is submitted
	IF v ->> 'state' = 'draft' THEN
		PERFORM vouch.submit_version(approve_planning_version.version_id, user_id => who, notes => approve_planning_version.notes);
		v := vouch.get_version(approve_planning_version.version_id);
	END IF;
	IF v ->> 'state' <> 'approved' THEN
		PERFORM vouch.approve_version(approve_planning_version.version_id, approve_planning_version.notes, user_id => who);
	END IF;
	RETURN vouch.get_version(approve_planning_version.version_id);
END
$$;
COMMENT ON FUNCTION vouch.approve_planning_version(uuid, text, text) IS
'Submits a draft of the plan, which the shipped policy approves by rule, in the tester''s name and with a signature that says so; under another policy it signs. user_id must be the session''s actor (null: it)';

-- 2 Data Profiling -------------------------------------------------------------

CREATE FUNCTION vouch.create_profiling_version(cycle_id bigint, report_id bigint, user_id text DEFAULT NULL,
	profiling_rules jsonb DEFAULT NULL, source_data jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	who text := vouch_data.check_actor(user_id, 'user_id');
BEGIN
	PERFORM vouch_data.require_phase(create_profiling_version.cycle_id, create_profiling_version.report_id, 'planning', 'data_profiling');
	RETURN vouch_data.propose_version('data_profiling', create_profiling_version.cycle_id, create_profiling_version.report_id, '',
		vouch_data.require_array(profiling_rules, 'profiling_rules', '[{"name": "apr_range", "type": "validation", "definition": {"kind": "range", "column": "apr", "min": 0}}]'),
		jsonb_build_object('source_data', source_data), who, NULL, true, 'Rules revised');
END
$$;
COMMENT ON FUNCTION vouch.create_profiling_version(bigint, bigint, text, jsonb, jsonb) IS
'Proposes profiling rules for approval. profiling_rules: [{name, type (validation, transformation, quality_check), definition, description, recommendation_reason, observed_pass_rate}], as generate_profiling_rules() finds them; source_data: {table, rows, read_at}. After a version that was rejected it makes its revision, which carries the approved rules. VO604 unless Planning is approved. user_id must be the session''s actor (null: it)';

CREATE FUNCTION vouch.process_profiling_review(version_id uuid, user_id text DEFAULT NULL, rule_decisions jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT vouch_data.process_review(version_id, 'data_profiling', user_id, rule_decisions, true)
$$;
COMMENT ON FUNCTION vouch.process_profiling_review(uuid, text, jsonb) IS
'Enters decisions on rules in the reviewer''s name: [{name, decision (approved, rejected, needs_changes), notes}]; an array that leaves every rule approved approves the version, any other only records. Or an object {decisions, remaining (a decision for every rule without one), approved, needs_revision, notes} that also approves the version, or sends it back. Undecided rules are never approved (VO201)';

-- 3 Scoping ---------------------------------------------------------------------

CREATE FUNCTION vouch.generate_scoping_recommendations(cycle_id bigint, report_id bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH a AS (
		SELECT i.item_key AS attribute, i.payload -> 'data' AS data, row_number() OVER () AS o
		FROM vouch_data.approved_items(vouch_data.cycle_subject(cycle_id, report_id), 'planning') AS i
		WHERE i.payload ->> 'decision_type' <> 'exclude'),
	r AS (
		SELECT c AS attribute, count(*) AS rules, count(*) FILTER (WHERE (i.payload ->> 'rows_failed')::bigint > 0) AS broken,
			coalesce(sum((i.payload ->> 'rows_failed')::bigint), 0) AS failures
		FROM vouch_data.approved_items(vouch_data.cycle_subject(cycle_id, report_id), 'data_profiling') AS i,
			LATERAL unnest(vouch_data.rule_columns(i.payload -> 'definition')) AS c
		GROUP BY c),
	s AS (
		SELECT a.attribute, a.o,
			CASE WHEN (a.data ->> 'critical_data_element')::boolean THEN 2 ELSE 0 END
			+ CASE WHEN (a.data ->> 'primary_key')::boolean THEN 1 ELSE 0 END
			+ CASE WHEN coalesce(r.broken, 0) > 0 THEN 2 ELSE 0 END
			+ CASE WHEN (a.data ->> 'null_rate')::numeric > 0.05 THEN 1 ELSE 0 END AS score,
			array_to_string(array_remove(ARRAY[
				CASE WHEN (a.data ->> 'critical_data_element')::boolean THEN 'a critical data element' END,
				CASE WHEN (a.data ->> 'primary_key')::boolean THEN 'part of the primary key' END,
				CASE WHEN coalesce(r.broken, 0) > 0 THEN format('%s of its %s rules are broken, by %s rows', r.broken, r.rules, r.failures)
					WHEN r.rules > 0 THEN format('all rows keep its %s rules', r.rules) END,
				CASE WHEN (a.data ->> 'null_rate')::numeric > 0 THEN format('%s %% of its values are missing', round((a.data ->> 'null_rate')::numeric * 100, 2)) END], NULL), '; ') AS why
		FROM a LEFT JOIN r ON r.attribute = a.attribute)
	SELECT coalesce(jsonb_agg(jsonb_build_object('attribute_id', attribute, 'in_scope', score >= 2,
		'risk_rating', CASE WHEN score >= 4 THEN 'high' WHEN score >= 2 THEN 'medium' ELSE 'low' END,
		'rationale', CASE WHEN why = '' THEN 'Nothing speaks for a risk.' ELSE upper(left(why, 1)) || substr(why, 2) || '.' END,
		'recommendation_type', 'automated', 'risk_score', score) ORDER BY o), '[]')
	FROM s
$$;
COMMENT ON FUNCTION vouch.generate_scoping_recommendations(bigint, bigint) IS
'Which attributes of the approved plan to test, by risk, from their criticality, missing values and the failures of the approved rules: [{attribute_id, in_scope, risk_rating (high, medium, low), rationale, recommendation_type, risk_score (0 to 6; in scope from 2, high from 4)}], as create_scoping_version() takes them';

CREATE FUNCTION vouch.create_scoping_version(cycle_id bigint, report_id bigint, user_id text DEFAULT NULL,
	scoping_decisions jsonb DEFAULT NULL, criteria jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	who text := vouch_data.check_actor(user_id, 'user_id');
	items jsonb := vouch_data.require_array(scoping_decisions, 'scoping_decisions', '[{"attribute_id": "apr", "in_scope": true, "risk_rating": "high", "rationale": "…"}]');
BEGIN
	PERFORM vouch_data.require_phase(create_scoping_version.cycle_id, create_scoping_version.report_id, 'data_profiling', 'scoping');
	RETURN vouch_data.propose_version('scoping', create_scoping_version.cycle_id, create_scoping_version.report_id, '', items,
		(SELECT jsonb_build_object('criteria', criteria, 'in_scope_count', count(*) FILTER (WHERE a -> 'in_scope' = 'true'),
			'out_of_scope_count', count(*) FILTER (WHERE a -> 'in_scope' = 'false')) FROM jsonb_array_elements(items) AS a),
		who, NULL, true, 'Scope revised');
END
$$;
COMMENT ON FUNCTION vouch.create_scoping_version(bigint, bigint, text, jsonb, jsonb) IS
'Proposes which attributes to test. scoping_decisions: [{attribute_id, in_scope, rationale, risk_rating (high, medium, low), recommendation_type (tester, automated, carryforward)}], as generate_scoping_recommendations() proposes; criteria: how they were chosen. After a version that was rejected it makes its revision. VO604 unless Data Profiling is approved. user_id must be the session''s actor (null: it)';

CREATE FUNCTION vouch.process_scoping_review(version_id uuid, user_id text DEFAULT NULL, scoping_decisions jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT vouch_data.process_review(version_id, 'scoping', user_id, scoping_decisions, true)
$$;
COMMENT ON FUNCTION vouch.process_scoping_review(uuid, text, jsonb) IS
'Enters decisions on attributes in the reviewer''s name: [{attribute_id, decision (approved, rejected, needs_changes), notes}]; an array that leaves every attribute approved approves the version, any other only records. Or an object {decisions, remaining, approved, needs_revision, notes}, as in process_profiling_review()';

-- 4 Sample Selection --------------------------------------------------------------

CREATE FUNCTION vouch.create_sample_selection_version(cycle_id bigint, report_id bigint, user_id text DEFAULT NULL,
	samples jsonb DEFAULT NULL, selection_criteria jsonb DEFAULT NULL, parent_version_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	who text := vouch_data.check_actor(user_id, 'user_id');
	items jsonb := vouch_data.require_array(samples, 'samples', '[{"id": "4711", "type": "random", "source": "tester", "lob_id": "CARDS", "data": {}}]');
	c jsonb := coalesce(selection_criteria, '{}');
	made jsonb;
BEGIN
	PERFORM vouch_data.require_phase(create_sample_selection_version.cycle_id, create_sample_selection_version.report_id, 'scoping', 'sample_selection');
	made := vouch_data.propose_version('sample_selection', create_sample_selection_version.cycle_id, create_sample_selection_version.report_id, '', items,
		jsonb_build_object('selection_criteria', c, 'target_sample_size', coalesce(c -> 'target_size', to_jsonb(jsonb_array_length(items))),
			'actual_sample_size', jsonb_array_length(items),
			'generation_methods', coalesce(c -> 'generation_methods', (SELECT jsonb_agg(DISTINCT s -> 'source') FROM jsonb_array_elements(items) AS s)),
			'seed', c -> 'seed', 'population_digest', c -> 'population_digest'),
		who, create_sample_selection_version.parent_version_id, create_sample_selection_version.parent_version_id IS NOT NULL, 'Selection revised');
	BEGIN
		PERFORM vouch.keep_population((made ->> 'version_id')::uuid);
	EXCEPTION WHEN insufficient_privilege OR SQLSTATE 'VO605' THEN
		-- who proposes what somebody else drew may not be able to read the source
		NULL;
	END;
	RETURN made;
END
$$;
COMMENT ON FUNCTION vouch.create_sample_selection_version(bigint, bigint, text, jsonb, jsonb, uuid) IS
'Proposes samples for approval. samples: [{id, data, type (population, targeted, risk_based, random, stratified, boundary, anomaly), source (tester, llm, manual), lob_id, reason}], as generate_sample_recommendations() draws them, with its selection_criteria; keeps the population they name, as keep_population(). With a parent_version_id that was sent back it makes that version''s revision; create_sample_revision() does so with additional samples only. VO604 unless Scoping is approved. user_id must be the session''s actor (null: it)';

CREATE FUNCTION vouch.process_sample_review(version_id uuid, user_id text DEFAULT NULL, decisions jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result jsonb := vouch_data.process_review(version_id, 'sample_selection', user_id, decisions, false);
BEGIN
	-- what else the reviewer wants to see goes to the running cycle, which lets its tester revise
	IF result ->> 'state' = 'rejected' AND vouch_data.acting_workflow() IS NULL
		AND jsonb_typeof(decisions) = 'object' AND jsonb_array_length(coalesce(nullif(decisions -> 'additional_samples', 'null'), '[]')) > 0
	THEN
		PERFORM vouch_data.tell_cycle(result ->> 'subject', 'sample_selection_revision',
			jsonb_build_object('additional_samples', decisions -> 'additional_samples'));
	END IF;
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch.process_sample_review(uuid, text, jsonb) IS
'Enters decisions on samples in the reviewer''s name: [{id, decision (approved, rejected, needs_changes), notes}], which only records; approve_sample_selection() approves. Or an object {decisions, remaining, approved, needs_revision, additional_samples, notes} that also approves the version, or sends it back; a running test cycle revises it with the additional samples';

CREATE FUNCTION vouch.create_sample_revision(cycle_id bigint, report_id bigint, user_id text DEFAULT NULL,
	parent_version_id uuid DEFAULT NULL, additional_samples jsonb DEFAULT '[]') RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	who text := vouch_data.check_actor(user_id, 'user_id');
	subject text := vouch_data.cycle_subject(create_sample_revision.cycle_id, create_sample_revision.report_id);
	base uuid := coalesce(create_sample_revision.parent_version_id, vouch_data.newest_version(subject, 'sample_selection'));
	items jsonb := vouch_data.require_array(coalesce(additional_samples, '[]'), 'additional_samples', '[{"id": "4711", "type": "targeted", "source": "tester", "data": {}}]');
	v jsonb;
BEGIN
	IF base IS NULL THEN
		RAISE EXCEPTION '% has no sample selection to revise', subject
			USING ERRCODE = 'VO102', HINT = 'Make one with create_sample_selection_version().';
	END IF;
	v := vouch.get_version(base);
	IF v ->> 'subject' <> subject OR v ->> 'phase' <> 'sample_selection' THEN
		RAISE EXCEPTION 'the parent version is not a sample selection of %', subject
			USING ERRCODE = 'VO502', DETAIL = format('It is version %s of %s of %s.', v ->> 'version_number', v ->> 'phase_label', v ->> 'subject'),
				HINT = 'Leave parent_version_id out to revise the newest one.';
	END IF;
	IF v ->> 'state' = 'pending_approval' THEN
		IF (v ->> 'rejected')::bigint + (v ->> 'needs_changes')::bigint = 0 OR (v ->> 'pending')::bigint > 0 THEN
			RAISE EXCEPTION 'version % of % is still under review', v ->> 'version_number', subject
				USING ERRCODE = 'VO107', DETAIL = format('Of its %s samples %s wait for a decision, %s were rejected and %s need changes.',
					v ->> 'item_count', v ->> 'pending', v ->> 'rejected', v ->> 'needs_changes'),
					HINT = 'Have it reviewed first, or withdraw it with vouch.withdraw_version().';
		END IF;
		IF (v ->> 'revisions_left')::int = 0 THEN
			RAISE EXCEPTION 'version % of % cannot be revised again', v ->> 'version_number', subject
				USING ERRCODE = 'VO110', DETAIL = format('It is revision %s, and there are at most as many.', v ->> 'revision_count'),
					HINT = 'Make a new selection with create_sample_selection_version().';
		END IF;
		-- reviewed, and not to be approved as it is: its maker takes it back to revise it
		PERFORM vouch.withdraw_version(base, 'Revised after its review.', user_id => who);
	END IF;
	RETURN vouch_data.propose_version('sample_selection', create_sample_revision.cycle_id, create_sample_revision.report_id, '', items, NULL,
		who, base, true, format('Revision of version %s with %s additional samples', v ->> 'version_number', jsonb_array_length(items)));
END
$$;
COMMENT ON FUNCTION vouch.create_sample_revision(bigint, bigint, text, uuid, jsonb) IS
'Revises a sample selection that was sent back, or one that was reviewed and not closed: approved samples are carried forward with their decision, its decider and time; rejected ones are left out; additional ones are pending. parent_version_id defaults to the newest version. At most 3 revisions one after the other (VO110). user_id must be the session''s actor (null: it)';

CREATE FUNCTION vouch.approve_sample_selection(version_id uuid, user_id text DEFAULT NULL, notes text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT vouch_data.process_review(version_id, 'sample_selection', user_id, jsonb_build_object('approved', true, 'notes', notes), false)
$$;
COMMENT ON FUNCTION vouch.approve_sample_selection(uuid, text, text) IS
'Approves a sample selection whose samples are all decided (VO201 otherwise), as a report_owner who did not contribute to it. user_id must be the session''s actor (null: it)';

GRANT EXECUTE ON FUNCTION vouch.generate_scoping_recommendations(bigint, bigint) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch.create_planning_version(bigint, bigint, text, jsonb, uuid), vouch.approve_planning_version(uuid, text, text),
	vouch.create_profiling_version(bigint, bigint, text, jsonb, jsonb), vouch.process_profiling_review(uuid, text, jsonb),
	vouch.create_scoping_version(bigint, bigint, text, jsonb, jsonb), vouch.process_scoping_review(uuid, text, jsonb),
	vouch.create_sample_selection_version(bigint, bigint, text, jsonb, jsonb, uuid), vouch.process_sample_review(uuid, text, jsonb),
	vouch.create_sample_revision(bigint, bigint, text, uuid, jsonb), vouch.approve_sample_selection(uuid, text, text) TO vouch_user;
