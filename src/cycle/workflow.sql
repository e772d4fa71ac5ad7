-- workflow.sql: the shipped workflows test_cycle and lob_downstream: installed for a
-- role, started, revised in their loops, and asked how far they are.

CREATE FUNCTION vouch.install_test_cycle(run_as name, OUT workflow text, OUT revision int)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	definition jsonb;
BEGIN
	IF run_as IS NULL THEN
		RAISE EXCEPTION 'no role given that the test cycle runs as'
			USING ERRCODE = 'VO502', DETAIL = 'Its activities read the source tables with that role''s rights, whoever the session is.',
				HINT = 'Name a login role with vouch_user, as in vouch.install_test_cycle(''vouch_cycle'').';
	ELSIF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = run_as AND r.rolsuper) THEN
		RAISE EXCEPTION 'the test cycle cannot run as the superuser "%"', run_as
			USING ERRCODE = 'VO407', DETAIL = 'Its activities read the source tables with that role''s rights.',
				HINT = format('CREATE ROLE vouch_cycle LOGIN; GRANT vouch_user TO vouch_cycle; then let it SELECT from the source tables.');
	ELSIF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = run_as) AND NOT pg_has_role(run_as, 'vouch_user', 'USAGE') THEN
		RAISE EXCEPTION 'role "%" cannot run the test cycle', run_as
			USING ERRCODE = 'VO407', DETAIL = 'It may not call the functions of the nine phases.',
				HINT = format('GRANT vouch_user TO %I;', run_as);
	END IF;
	-- the child first, as the parent names it
	FOREACH workflow IN ARRAY ARRAY['lob_downstream', 'test_cycle'] LOOP
		SELECT r.definition INTO definition
		FROM vouch_data.workflow_revision r
		WHERE r.workflow = install_test_cycle.workflow AND r.shipped
		ORDER BY r.revision DESC LIMIT 1;
		revision := vouch.define_workflow(workflow, definition, run_as, 'Ships with Vouch');
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION vouch.install_test_cycle(name) IS
'Defines the shipped workflows test_cycle and lob_downstream so that their activities run as a login role of yours, which needs vouch_user and SELECT on the source tables; you must be a member of it. Once per database, and again after an update that ships newer definitions: running executions keep their revision. Returns each workflow with its revision';

CREATE FUNCTION vouch.start_test_cycle(cycle_id bigint, report_id bigint, source regclass, key_column text, lob_column text,
	user_id text, options jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	subject text := vouch_data.cycle_subject(cycle_id, report_id);
	who text := vouch_data.check_actor(user_id, 'user_id');
	opts jsonb := coalesce(options, '{}');
	head record;
	bad text;
	problem record;
	n bigint[];
	longest text;
BEGIN
	SELECT r.* INTO head FROM vouch_data.workflow_revision r WHERE r.workflow = 'test_cycle' ORDER BY r.revision DESC LIMIT 1;
	IF head.workflow IS NULL OR head.shipped THEN
		RAISE EXCEPTION 'the test cycle is not installed yet'
			USING ERRCODE = 'VO402', DETAIL = 'Its activities need a login role that may read the source tables.',
				HINT = 'An administrator calls SELECT * FROM vouch.install_test_cycle(''role''), once.';
	END IF;
	IF jsonb_typeof(opts) <> 'object' THEN
		RAISE EXCEPTION 'options are no object'
			USING ERRCODE = 'VO502', DETAIL = format('They are of type %s.', jsonb_typeof(opts)),
				HINT = 'Give something like {"sample_size": 60, "sample_method": "mix", "seed": 1}.';
	END IF;
	SELECT string_agg(k, ', ') INTO bad FROM jsonb_object_keys(opts) AS k WHERE k NOT IN ('sample_size', 'sample_method', 'seed');
	IF bad IS NOT NULL THEN
		RAISE EXCEPTION 'there is no option %', bad
			USING ERRCODE = 'VO502', HINT = 'Options are sample_size (60), sample_method (mix) and seed (1).';
	END IF;
	FOR bad, longest IN SELECT o.key, o.value #>> '{}' FROM jsonb_each(opts) AS o WHERE o.value <> 'null' LOOP
		CONTINUE WHEN CASE
			WHEN bad = 'sample_method' THEN jsonb_typeof(opts -> bad) = 'string'
			WHEN jsonb_typeof(opts -> bad) NOT IN ('number', 'string') OR longest !~ '^-?[0-9]{1,18}$' THEN false
			WHEN bad = 'sample_size' THEN longest::bigint BETWEEN 1 AND 100000
			ELSE true END;
		RAISE EXCEPTION 'option % cannot be %', bad, opts -> bad
			USING ERRCODE = 'VO502', DETAIL = 'sample_size is a whole number from 1 to 100000, sample_method a text, seed a whole number of at most 18 digits.',
				HINT = 'Give something like {"sample_size": 60, "sample_method": "mix", "seed": 1}.';
	END LOOP;
	PERFORM vouch_data.require_role(who, 'tester', '', 'start a test cycle');
	PERFORM s.part FROM vouch_data.sample_shares(coalesce(opts ->> 'sample_method', 'mix')) AS s;
	IF source IS NULL THEN
		RAISE EXCEPTION 'no source table given'
			USING ERRCODE = 'VO605', HINT = 'Name the table under test, as in ''bank.cards''::regclass.';
	ELSIF NOT has_table_privilege(head.run_as, source, 'SELECT')
		OR NOT has_schema_privilege(head.run_as, (SELECT c.relnamespace FROM pg_class c WHERE c.oid = source), 'USAGE')
	THEN
		RAISE EXCEPTION 'the test cycle may not read the source table %', source
			USING ERRCODE = 'VO605', DETAIL = format('Its activities run as the role "%s".', head.run_as),
				HINT = format('GRANT USAGE ON SCHEMA %s TO %I; GRANT SELECT ON %s TO %I;',
					(SELECT c.relnamespace::regnamespace FROM pg_class c WHERE c.oid = source), head.run_as, source, head.run_as);
	END IF;
	SELECT x.c INTO bad FROM unnest(ARRAY[key_column, lob_column]) AS x(c)
	WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = source AND a.attname = x.c AND a.attnum > 0 AND NOT a.attisdropped) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'source table % has no column "%"', source, coalesce(bad, 'NULL')
			USING ERRCODE = 'VO605',
				DETAIL = 'key_column identifies a row, lob_column says which line of business owns it.',
				HINT = format('It has: %s.', (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped));
	END IF;
	-- what would end the cycle after its first approvals is told now
	PERFORM vouch_data.check_source(source);
	SELECT * INTO problem FROM vouch_data.source_problem(source, who, head.run_as::name);
	IF problem.message IS NOT NULL THEN
		RAISE EXCEPTION '%', problem.message USING ERRCODE = 'VO605', DETAIL = problem.detail, HINT = problem.hint;
	END IF;
	EXECUTE format('SELECT ARRAY[count(*), count(DISTINCT t.%I)], (array_agg(btrim(t.%I::text)) FILTER (WHERE octet_length(btrim(t.%2$I::text)) > 150))[1] FROM %s t', key_column, lob_column, source)
	INTO n, longest;
	IF n[1] <> n[2] THEN
		RAISE EXCEPTION 'column "%" does not identify the rows of %', key_column, source
			USING ERRCODE = 'VO605', DETAIL = format('%s rows have %s different values that are not null.', n[1], n[2]),
				HINT = 'Give the primary key, or another column that is unique and never null, as key_column.';
	ELSIF longest IS NOT NULL THEN
		RAISE EXCEPTION 'column "%" of % has the name of a line of business that is too long', lob_column, source
			USING ERRCODE = 'VO605', DETAIL = format('"%s…" has %s bytes; a name has at most 150, as signals and workflows are called after it.', left(longest, 30), octet_length(longest)),
				HINT = 'Give a column with the short keys of the lines of business as lob_column.';
	END IF;
	PERFORM vouch.start_workflow('test_cycle', jsonb_build_object('cycle_id', cycle_id, 'report_id', report_id, 'source', source::text,
		'key_column', key_column, 'lob_column', lob_column, 'user_id', who,
		'sample_size', coalesce((opts ->> 'sample_size')::int, 60), 'sample_method', coalesce(opts ->> 'sample_method', 'mix'),
		'seed', coalesce((opts ->> 'seed')::bigint, 1)), subject);
	RETURN jsonb_build_object('workflow_id', subject, 'workflow', 'test_cycle', 'revision', head.revision, 'run_as', head.run_as,
		'started_by', who, 'source', source::text);
END
$$;
COMMENT ON FUNCTION vouch.start_test_cycle(bigint, bigint, regclass, text, text, text, jsonb) IS
'As below, with options: sample_size (60), sample_method (mix, see generate_sample_recommendations()) and seed (1)';

CREATE FUNCTION vouch.start_test_cycle(cycle_id bigint, report_id bigint, source regclass, key_column text, lob_column text,
	user_id text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT vouch.start_test_cycle(cycle_id, report_id, source, key_column, lob_column, user_id, NULL::jsonb)
$$;
COMMENT ON FUNCTION vouch.start_test_cycle(bigint, bigint, regclass, text, text, text) IS
'Starts the nine phases for a report''s cycle on a source table, as the workflow cycle-<cycle_id>-report-<report_id>. key_column identifies a row, lob_column says which line of business owns it. user_id must be the session''s actor (null: it) and hold the role tester (VO002); plans, rules, scope, samples and the report are proposed in that name. VO402 before install_test_cycle(), VO404 when it is running already, VO605 when the source cannot be used: you and the role that the cycle runs as must have SELECT on it, reading it must not run code of others, key_column must identify every row, and names of lines of business have at most 150 bytes. Returns {workflow_id, workflow, revision, run_as, started_by, source}';

-- What is said of additional samples is the key; their values are read from the source, as those that were drawn.
CREATE FUNCTION vouch_data.complete_samples(subject text, samples jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c jsonb := vouch.get_version(vouch_data.newest_version(subject, 'sample_selection')) #> '{metadata,selection_criteria}';
	tested text := (SELECT i.input ->> 'source' FROM vouch_data.execution e
		JOIN vouch_data.execution_input i ON i.bucket = e.bucket AND i.execution_id = e.execution_id
		WHERE e.bucket = vouch.bucket(subject) AND e.workflow_id = vouch_data.acting_workflow() AND e.status = 'running');
	rows jsonb;
	missing text;
BEGIN
	IF c ->> 'source' IS NULL OR c ->> 'key_column' IS NULL THEN
		RETURN samples;
	END IF;
	-- the criteria are what somebody wrote
	IF vouch_data.acting_workflow() IS NOT NULL AND vouch_data.source_table(c ->> 'source') IS DISTINCT FROM vouch_data.source_table(tested) THEN
		RAISE EXCEPTION 'the sample selection was not drawn from the table that % tests', subject
			USING ERRCODE = 'VO605', DETAIL = format('Its criteria name %s, the cycle was started on %s.', c ->> 'source', tested),
				HINT = 'Make a selection from the table under test, or the revision directly with vouch.create_sample_revision().';
	END IF;
	rows := vouch_data.source_rows(vouch_data.source_table(c ->> 'source'), c ->> 'key_column', ARRAY(SELECT s ->> 'id' FROM jsonb_array_elements(samples) AS s));
	SELECT string_agg(coalesce(s ->> 'id', 'NULL'), ', ') INTO missing FROM jsonb_array_elements(samples) AS s WHERE NOT rows ? coalesce(s ->> 'id', '');
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'there is no row % in %', missing, c ->> 'source'
			USING ERRCODE = 'VO605', DETAIL = format('Additional samples are rows of the source; their id is the value of %s.', c ->> 'key_column'),
				HINT = 'Send the keys of existing rows.';
	END IF;
	RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('type', 'targeted', 'source', 'manual') || s
			|| jsonb_build_object('data', rows -> (s ->> 'id'))
			|| CASE WHEN c ->> 'lob_column' IS NOT NULL THEN jsonb_build_object('lob_id', coalesce(nullif(btrim(rows -> (s ->> 'id') ->> (c ->> 'lob_column')), ''), '(none)')) ELSE '{}' END ORDER BY o), '[]')
		FROM jsonb_array_elements(samples) WITH ORDINALITY AS x(s, o));
END
$$;
COMMENT ON FUNCTION vouch_data.complete_samples(text, jsonb) IS
'Additional samples with the values and line of business that their rows have in the source, read with the caller''s rights. VO605 when a row does not exist';
GRANT EXECUTE ON FUNCTION vouch_data.complete_samples(text, jsonb) TO vouch_user;

CREATE FUNCTION vouch.continue_revision(cycle_id bigint, report_id bigint, phase text, scope text, starter text, request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	subject text := vouch_data.cycle_subject(cycle_id, report_id);
	who text := vouch.actor();
	sender text := who;
	maker text := coalesce(vouch_data.maker_role(phase, scope), 'tester');
	items jsonb;
BEGIN
	IF jsonb_typeof(request) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'what was sent for the revision of % of % is no object', phase, subject
			USING ERRCODE = 'VO502', DETAIL = format('It is %s.', coalesce(left(request::text, 100), 'NULL')),
				HINT = 'Send {"version_id": …} of a revision that was made directly, or what the revision shall have.';
	END IF;
	-- made directly: the workflow only follows it
	IF request ->> 'version_id' IS NOT NULL AND NOT request ? 'additional_samples' THEN
		IF (request ->> 'version_id')::uuid IS DISTINCT FROM vouch_data.newest_version(subject, phase, scope) THEN
			RAISE EXCEPTION 'the revision that was named is not the newest version of % of %', phase, subject
				USING ERRCODE = 'VO111', DETAIL = format('It is %s.', request ->> 'version_id'),
					HINT = 'Send the id of the revision that was made last.';
		END IF;
		RETURN vouch.get_version((request ->> 'version_id')::uuid);
	END IF;
	-- what the reviewer who sent it back asks for is taken up by the tester of the cycle, whose work it becomes; who asked is kept in the item
	IF NOT EXISTS (SELECT FROM vouch_data.role_grant g WHERE g.actor = who AND g.role = maker AND g.scope IN ('', scope) AND g.revoked_at IS NULL) THEN
		-- a reviewer asks for items; what the report says is its maker's alone
		IF coalesce(request -> 'report_data', 'null') <> 'null'
			OR vouch.get_version(vouch_data.newest_version(subject, phase, scope)) ->> 'closed_by' IS DISTINCT FROM who
		THEN
			PERFORM vouch_data.require_role(who, maker, scope, format('say what the revision of %s of %s shall have', phase, subject));
		END IF;
		who := vouch_data.check_actor(starter, 'starter');
	END IF;
	IF phase = 'finalize_test_report' THEN
		RETURN vouch.create_report_version(cycle_id, report_id, who, coalesce(nullif(request -> 'report_data', 'null'), vouch.generate_test_report_data(cycle_id, report_id)));
	END IF;
	items := coalesce(nullif(request -> CASE phase WHEN 'data_profiling' THEN 'additional_rules' WHEN 'scoping' THEN 'additional_attributes'
		WHEN 'sample_selection' THEN 'additional_samples' ELSE 'additional_observations' END, 'null'), '[]');
	PERFORM vouch_data.require_array(items, 'additional items', '[{…}]');
	IF phase = 'sample_selection' THEN
		items := vouch_data.complete_samples(subject, items);
	END IF;
	-- nobody says so of somebody else
	SELECT coalesce(jsonb_agg(CASE WHEN jsonb_typeof(i) <> 'object' THEN i WHEN sender <> who THEN i || jsonb_build_object('requested_by', sender) ELSE i - 'requested_by' END ORDER BY o), '[]')
	INTO items FROM jsonb_array_elements(items) WITH ORDINALITY AS x(i, o);
	RETURN CASE phase
		WHEN 'sample_selection' THEN vouch.create_sample_revision(cycle_id, report_id, who, NULL, items)
		ELSE vouch_data.propose_version(phase, cycle_id, report_id, scope, items, NULL, who, NULL, true, coalesce(request ->> 'notes', 'Revised')) END;
END
$$;
COMMENT ON FUNCTION vouch.continue_revision(bigint, bigint, text, text, text, jsonb) IS
'How the test cycle revises a version that was sent back. request is what a review or a …_revision signal brought: {version_id} of a revision that was made directly, or additional_rules, additional_attributes, additional_samples, additional_observations or report_data. Done in the name of a sender who is a tester; for the reviewer who sent the version back, in that of the tester who started the cycle, with requested_by in the items, and without report_data; VO002 for anybody else';

-- Queries ------------------------------------------------------------------------

CREATE FUNCTION vouch_data.phase_states(subject text)
RETURNS TABLE (phase text, phase_no int, label text, status text, version_id uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH newest AS (
		SELECT DISTINCT ON (a.phase, a.scope) a.phase, a.scope, v.state, vouch_data.version_id(v.bucket, v.artifact_no, v.version_no) AS id
		FROM vouch_data.artifact a JOIN vouch_data.version v ON v.bucket = a.bucket AND v.artifact_no = a.artifact_no
		WHERE a.bucket = vouch.bucket(phase_states.subject) AND a.subject = phase_states.subject
		ORDER BY a.phase, a.scope, v.version_no DESC),
	ids AS (SELECT (regexp_match(phase_states.subject, '^cycle-(-?\d+)-report-(-?\d+)$'))[1]::bigint AS c,
		(regexp_match(phase_states.subject, '^cycle-(-?\d+)-report-(-?\d+)$'))[2]::bigint AS r),
	lines AS (SELECT o.* FROM ids, vouch.observation_status(ids.c, ids.r) AS o WHERE ids.c IS NOT NULL),
	owned AS (SELECT count(DISTINCT l.lob_id) AS n FROM lines l
		JOIN vouch_data.data_owner_assignment d ON d.bucket = vouch.bucket(phase_states.subject) AND d.subject = phase_states.subject
			AND d.lob_id = l.lob_id AND d.assignment_type = 'primary' AND d.status = 'active'),
	asked AS (SELECT count(*) AS n FROM vouch_data.test_action t WHERE t.bucket = vouch.bucket(phase_states.subject) AND t.subject = phase_states.subject),
	handed AS (SELECT count(*) AS n FROM vouch_data.document_submission d WHERE d.bucket = vouch.bucket(phase_states.subject) AND d.subject = phase_states.subject),
	total AS (SELECT count(*) AS lines, coalesce(sum(samples), 0) AS samples, coalesce(sum(tested), 0) AS tested,
		count(*) FILTER (WHERE done) AS done, count(*) FILTER (WHERE state = 'pending_approval') AS pending,
		count(*) FILTER (WHERE version_id IS NOT NULL) AS written FROM lines)
	SELECT p.phase, p.phase_no, p.label,
		CASE p.phase
			WHEN 'data_owner_id' THEN CASE WHEN total.samples = 0 THEN 'not_started' WHEN owned.n = total.lines THEN 'complete' ELSE 'in_progress' END
			WHEN 'request_info' THEN CASE WHEN asked.n + handed.n = 0 THEN 'not_started' WHEN total.samples > 0 AND total.tested = total.samples THEN 'complete' ELSE 'in_progress' END
			WHEN 'test_execution' THEN CASE WHEN total.tested = 0 AND handed.n = 0 THEN 'not_started' WHEN total.tested = total.samples THEN 'complete' ELSE 'in_progress' END
			WHEN 'observation_management' THEN CASE WHEN total.lines > 0 AND total.done = total.lines THEN 'complete' WHEN total.pending > 0 THEN 'pending_approval'
				WHEN total.written > 0 OR total.done > 0 THEN 'in_progress' ELSE 'not_started' END
			ELSE CASE n.state WHEN 'approved' THEN 'complete' WHEN 'pending_approval' THEN 'pending_approval'
				ELSE CASE WHEN n.state IS NULL THEN 'not_started' ELSE 'in_progress' END END
		END, n.id
	FROM vouch_data.phase p
	LEFT JOIN newest n ON n.phase = p.phase AND n.scope = ''
	CROSS JOIN total CROSS JOIN owned CROSS JOIN asked CROSS JOIN handed
	WHERE p.shipped
	ORDER BY p.phase_no
$$;
COMMENT ON FUNCTION vouch_data.phase_states(text) IS
'The nine phases of a subject with their status, and the newest version where a phase has one of the whole report';

CREATE FUNCTION vouch.get_phase_statuses(workflow_id text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_object_agg(s.phase, s.status) FROM vouch_data.phase_states(split_part(workflow_id, '/', 1)) AS s
$$;
COMMENT ON FUNCTION vouch.get_phase_statuses(text) IS
'Status of each phase of a test cycle, by the phase''s key: {planning, data_profiling, scoping, sample_selection, data_owner_id, request_info, test_execution, observation_management, finalize_test_report}, each not_started, in_progress, pending_approval or complete. From what is on record: a phase is complete only when its newest version is approved';

CREATE FUNCTION vouch.get_phase_versions(workflow_id text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(jsonb_object_agg(a.phase || CASE WHEN a.scope = '' THEN '' ELSE '/' || a.scope END, vouch.get_version(n.id) - 'metadata'), '{}')
	FROM vouch_data.artifact a
	CROSS JOIN LATERAL (SELECT vouch_data.newest_version(a.subject, a.phase, a.scope) AS id) AS n
	WHERE a.bucket = vouch.bucket(split_part(workflow_id, '/', 1)) AND a.subject = split_part(workflow_id, '/', 1) AND n.id IS NOT NULL
$$;
COMMENT ON FUNCTION vouch.get_phase_versions(text) IS
'Newest version of each phase of a test cycle, by the phase''s key, or key/line of business: objects as get_version() returns them, without metadata';

CREATE FUNCTION vouch.get_pending_approvals(workflow_id text) RETURNS jsonb
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('phase', p.phase_key, 'phase_label', p.phase, 'scope', p.scope, 'version_id', p.version_id, 'version_number', p.version_number,
		'role', p.role, 'needed', p.needed, 'have', p.have, 'awaiting', to_jsonb(string_to_array(nullif(p.who, ''), ', ')), 'undecided_items', p.undecided,
		'since', p.since, 'due', p.due) ORDER BY p.since, p.phase_key, p.scope, p.role), '[]')
	FROM vouch.pending_approvals p
	WHERE p.subject = split_part(workflow_id, '/', 1)
$$;
COMMENT ON FUNCTION vouch.get_pending_approvals(text) IS
'What a test cycle waits to have approved, oldest first: [{phase, phase_label, scope, version_id, version_number, role, needed, have, awaiting (who can sign), undecided_items, since, due}]';

CREATE FUNCTION vouch.get_parallel_instances(workflow_id text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH s AS (SELECT split_part(workflow_id, '/', 1) AS subject, (regexp_match(split_part(workflow_id, '/', 1), '^cycle-(-?\d+)-report-(-?\d+)$')) AS m)
	SELECT coalesce(jsonb_agg(jsonb_build_object('lob_id', l.lob_id, 'workflow_id', s.subject || '/lob-' || l.lob_id,
		'execution_id', e.execution_id, 'status', coalesce(e.status::text, 'not_started'), 'owner_id', d.owner_id, 'assignment_id', d.assignment_id,
		'samples', l.samples, 'tested', l.tested, 'failed', l.failed, 'outstanding', l.samples - l.tested,
		'documents', (SELECT count(*) FROM vouch_data.document_submission x WHERE x.bucket = vouch.bucket(s.subject) AND x.subject = s.subject AND x.lob_id = l.lob_id AND x.is_current),
		'observations', coalesce(l.observations, 0), 'observation_state', l.state, 'done', l.done) ORDER BY l.lob_id), '[]')
	FROM s CROSS JOIN LATERAL vouch.observation_status(s.m[1]::bigint, s.m[2]::bigint) AS l
	LEFT JOIN LATERAL (SELECT x.execution_id, x.status FROM vouch_data.execution x
		WHERE x.bucket = vouch.bucket(s.subject) AND x.workflow_id = s.subject || '/lob-' || l.lob_id ORDER BY x.execution_id DESC LIMIT 1) AS e ON true
	LEFT JOIN vouch_data.data_owner_assignment d ON d.bucket = vouch.bucket(s.subject) AND d.subject = s.subject AND d.lob_id = l.lob_id
		AND d.assignment_type = 'primary' AND d.status = 'active'
	WHERE s.m IS NOT NULL
$$;
COMMENT ON FUNCTION vouch.get_parallel_instances(text) IS
'Each line of business of a test cycle: [{lob_id, workflow_id and execution_id of its child, status (not_started until its owner is known), owner_id, assignment_id, samples, tested, failed, outstanding, documents, observations, observation_state, done}]';

-- For people ---------------------------------------------------------------------

CREATE FUNCTION vouch.cycle_overview(cycle_id bigint, report_id bigint)
RETURNS TABLE (no int, phase text, status text, version int, items bigint, waits_for text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT p.phase_no, p.label, replace(p.status, '_', ' '), (v.j ->> 'version_number')::int, (v.j ->> 'item_count')::bigint,
		CASE WHEN p.status = 'pending_approval' THEN (SELECT string_agg(format('%s (%s)', a.role, coalesce(nullif(a.who, ''), 'nobody')), ', ' ORDER BY a.scope, a.role)
			FROM vouch.pending_approvals a WHERE a.subject = vouch_data.cycle_subject(cycle_overview.cycle_id, cycle_overview.report_id) AND a.phase_key = p.phase) END
	FROM vouch_data.phase_states(vouch_data.cycle_subject(cycle_overview.cycle_id, cycle_overview.report_id)) AS p
	CROSS JOIN LATERAL (SELECT CASE WHEN p.version_id IS NOT NULL THEN vouch.get_version(p.version_id) END AS j) AS v
	ORDER BY p.phase_no
$$;
COMMENT ON FUNCTION vouch.cycle_overview(bigint, bigint) IS 'The nine phases of a cycle on one screen: status, newest version, its items, and whose approval it waits for';

CREATE FUNCTION vouch.version_tree(cycle_id bigint, report_id bigint)
RETURNS TABLE (tree text, state text, items bigint, approved bigint, rejected bigint, carried bigint, made_by text, closed_by text, closed_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH v AS (
		SELECT p.phase_no, p.label, a.scope, x.version_no, x.parent_no, x.carry, x.state, x.created_by, x.closed_by, x.closed_at, x.bucket, x.artifact_no,
			x.version_no = max(x.version_no) OVER (PARTITION BY a.artifact_no) AS last
		FROM vouch_data.artifact a
		JOIN vouch_data.phase p ON p.phase = a.phase
		JOIN vouch_data.version x ON x.bucket = a.bucket AND x.artifact_no = a.artifact_no
		WHERE a.bucket = vouch.bucket(vouch_data.cycle_subject(version_tree.cycle_id, version_tree.report_id)) AND a.subject = vouch_data.cycle_subject(version_tree.cycle_id, version_tree.report_id)),
	c AS (SELECT v.*, s.* FROM v CROSS JOIN LATERAL (SELECT coalesce(sum(t.items), 0)::bigint AS items,
			coalesce(sum(t.items) FILTER (WHERE t.status = 'approved'), 0)::bigint AS approved,
			coalesce(sum(t.items) FILTER (WHERE t.status = 'rejected'), 0)::bigint AS rejected,
			coalesce(sum(t.items) FILTER (WHERE t.carried), 0)::bigint AS carried
		FROM vouch_data.version_stat t WHERE t.bucket = v.bucket AND t.artifact_no = v.artifact_no AND t.version_no = v.version_no AND t.stage = 1) AS s),
	lines AS (
		SELECT c.phase_no, c.scope, 0 AS o, format('%s%s', c.label, CASE WHEN c.scope <> '' THEN U&' \00B7 ' || c.scope ELSE '' END) AS tree, NULL::text AS state,
			NULL::bigint AS items, NULL::bigint AS approved, NULL::bigint AS rejected, NULL::bigint AS carried, NULL::text AS made_by, NULL::text AS closed_by, NULL::timestamptz AS closed_at
		FROM c WHERE c.last
		UNION ALL
		SELECT c.phase_no, c.scope, c.version_no, format('%s version %s%s', CASE WHEN c.last THEN U&'\2514\2500' ELSE U&'\251C\2500' END, c.version_no,
			CASE WHEN c.parent_no IS NULL THEN '' WHEN c.carry IS NULL THEN format(' (after %s)', c.parent_no) ELSE format(' (revision of %s)', c.parent_no) END),
			c.state::text, c.items, c.approved, c.rejected, c.carried, c.created_by, c.closed_by, c.closed_at
		FROM c)
	SELECT l.tree, l.state, l.items, l.approved, l.rejected, l.carried, l.made_by, l.closed_by, l.closed_at FROM lines l ORDER BY l.phase_no, l.scope, l.o
$$;
COMMENT ON FUNCTION vouch.version_tree(bigint, bigint) IS
'All versions of a cycle by phase and line of business, in the order in which they followed each other: what each was made from, its items and how many were carried forward, who made and who closed it';

GRANT EXECUTE ON FUNCTION vouch_data.phase_states(text), vouch.get_phase_statuses(text), vouch.get_phase_versions(text),
	vouch.get_pending_approvals(text), vouch.get_parallel_instances(text), vouch.cycle_overview(bigint, bigint), vouch.version_tree(bigint, bigint) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch.start_test_cycle(bigint, bigint, regclass, text, text, text), vouch.start_test_cycle(bigint, bigint, regclass, text, text, text, jsonb),
	vouch.continue_revision(bigint, bigint, text, text, text, jsonb) TO vouch_user;
GRANT EXECUTE ON FUNCTION vouch.install_test_cycle(name) TO vouch_admin;
