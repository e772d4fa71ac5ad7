-- cycle.sql: what the nine phases have in common.

CREATE FUNCTION vouch_data.cycle_subject(cycle_id bigint, report_id bigint) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF cycle_id IS NULL OR report_id IS NULL THEN
		RAISE EXCEPTION 'no % given', CASE WHEN cycle_id IS NULL THEN 'cycle_id' ELSE 'report_id' END
			USING ERRCODE = 'VO502', DETAIL = 'A test cycle is known by its cycle and its report.',
				HINT = 'Give both numbers.';
	END IF;
	RETURN format('cycle-%s-report-%s', cycle_id, report_id);
END
$$;
COMMENT ON FUNCTION vouch_data.cycle_subject(bigint, bigint) IS
'Subject of a cycle''s report, such as cycle-7-report-3; also the workflow_id of its test cycle';

CREATE FUNCTION vouch_data.require_role(actor text, role text, scope text, what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	holders text;
BEGIN
	IF EXISTS (SELECT FROM vouch_data.role_grant g
		WHERE g.actor = require_role.actor AND g.role = require_role.role
		AND g.scope IN ('', require_role.scope) AND g.revoked_at IS NULL)
	THEN
		RETURN;
	END IF;
	SELECT string_agg(DISTINCT g.actor, ', ') INTO holders
	FROM vouch_data.role_grant g
	WHERE g.role = require_role.role AND g.scope IN ('', require_role.scope) AND g.revoked_at IS NULL;
	RAISE EXCEPTION '"%" may not %', actor, what
		USING ERRCODE = 'VO002',
			DETAIL = format('That takes the role %s%s, which %s.', role,
				CASE WHEN scope <> '' THEN format(' (for all or for %s)', scope) ELSE '' END,
				CASE WHEN holders IS NULL THEN 'nobody holds' ELSE 'is held by ' || holders END),
			HINT = CASE WHEN holders IS NULL
				THEN format('An administrator grants it: SELECT vouch.grant_role(''%s'', ''%s'', ''%s'').', actor, role, scope)
				ELSE 'Ask one of them.' END;
END
$$;
COMMENT ON FUNCTION vouch_data.require_role(text, text, text, text) IS
'Returns when actor holds the role for the scope or for all, else raises VO002, saying who does; what completes the message';

-- A version as the activities report it.
CREATE FUNCTION vouch.get_version(version_id uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result jsonb;
BEGIN
	SELECT jsonb_build_object(
		'version_id', get_version.version_id, 'version_number', v.version_no,
		'phase', a.phase, 'phase_label', p.label, 'state', v.state,
		'subject', a.subject, 'cycle_id', a.cycle_id, 'report_id', a.report_id, 'scope', a.scope,
		'parent_version_id', CASE WHEN v.parent_no IS NOT NULL THEN vouch_data.version_id(v.bucket, v.artifact_no, v.parent_no) END,
		'created_by', v.created_by, 'created_at', v.created_at,
		'submitted_by', v.submitted_by, 'submitted_at', v.submitted_at,
		'closed_by', v.closed_by, 'closed_at', v.closed_at, 'notes', v.close_reason,
		'revision_count', r.revisions,
		'revisions_left', CASE WHEN p.max_revisions IS NOT NULL THEN greatest(p.max_revisions - r.revisions, 0) END,
		'workflow_id', v.workflow_id, 'metadata', v.metadata)
		|| (SELECT jsonb_build_object(
			'item_count', coalesce(sum(s.items), 0),
			'pending', coalesce(sum(s.items) FILTER (WHERE s.status = 'pending'), 0),
			'approved', coalesce(sum(s.items) FILTER (WHERE s.status = 'approved'), 0),
			'rejected', coalesce(sum(s.items) FILTER (WHERE s.status = 'rejected'), 0),
			'needs_changes', coalesce(sum(s.items) FILTER (WHERE s.status = 'needs_changes'), 0),
			'carried_forward', coalesce(sum(s.items) FILTER (WHERE s.carried), 0))
			FROM vouch_data.version_stat s
			WHERE s.bucket = v.bucket AND s.artifact_no = v.artifact_no AND s.version_no = v.version_no AND s.stage = 1)
	INTO result
	FROM vouch_data.version v
	JOIN vouch_data.artifact a ON a.bucket = v.bucket AND a.artifact_no = v.artifact_no
	JOIN vouch_data.phase p ON p.phase = a.phase
	CROSS JOIN LATERAL (
		SELECT count(*) FILTER (WHERE x.carry IS NOT NULL AND x.version_no > coalesce(y.fresh, 0)) AS revisions
		FROM vouch_data.version x
		CROSS JOIN (SELECT max(z.version_no) AS fresh FROM vouch_data.version z
			WHERE z.bucket = v.bucket AND z.artifact_no = v.artifact_no AND z.version_no <= v.version_no AND z.carry IS NULL) AS y
		WHERE x.bucket = v.bucket AND x.artifact_no = v.artifact_no AND x.version_no <= v.version_no) AS r
	WHERE v.bucket = vouch.bucket_of(get_version.version_id)
	AND v.artifact_no = vouch_data.artifact_number(get_version.version_id)
	AND v.version_no = vouch_data.version_number(get_version.version_id);
	IF result IS NULL THEN
		RAISE EXCEPTION 'there is no version %', coalesce(version_id::text, 'NULL')
			USING ERRCODE = 'VO102', HINT = 'vouch.version_history() lists the versions of a phase.';
	END IF;
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch.get_version(uuid) IS
'A version as the activities of the nine phases return it: version_id, version_number, phase, phase_label, state, subject, cycle_id, report_id, scope, parent_version_id, created_by/at, submitted_by/at, closed_by/at, notes, revision_count (revisions since the last version that was made anew), revisions_left (null: no limit), workflow_id, metadata, and of its items item_count, pending, approved, rejected, needs_changes, carried_forward. VO102 when there is none';

CREATE FUNCTION vouch_data.newest_version(subject text, phase text, scope text DEFAULT '', wanted vouch.version_state DEFAULT NULL) RETURNS uuid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT vouch_data.version_id(v.bucket, v.artifact_no, v.version_no)
	FROM vouch_data.artifact a
	JOIN vouch_data.version v ON v.bucket = a.bucket AND v.artifact_no = a.artifact_no
	WHERE a.bucket = vouch.bucket(newest_version.subject) AND a.subject = newest_version.subject
	AND a.phase = newest_version.phase AND a.scope = newest_version.scope
	AND (newest_version.wanted IS NULL OR v.state = newest_version.wanted)
	ORDER BY v.version_no DESC LIMIT 1
$$;
COMMENT ON FUNCTION vouch_data.newest_version(text, text, text, vouch.version_state) IS
'Id of the newest version of an artifact, in the wanted state if one is given; null when there is none';

CREATE FUNCTION vouch_data.shown_items(version_id uuid,
	OUT item_key text, OUT status vouch.verdict, OUT payload jsonb, OUT carried boolean)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT i.item_key, d.status, b.payload, d.from_no < v.no
	FROM (SELECT vouch.bucket_of(version_id) AS bucket, vouch_data.artifact_number(version_id) AS artifact, vouch_data.version_number(version_id) AS no) AS v
	JOIN vouch_data.decision d ON d.bucket = v.bucket AND d.artifact_no = v.artifact AND d.stage = 1 AND d.from_no <= v.no AND d.to_no > v.no
	JOIN vouch_data.item i ON i.bucket = d.bucket AND i.artifact_no = d.artifact_no AND i.item_no = d.item_no
	JOIN vouch_data.item_body b ON b.bucket = d.bucket AND b.artifact_no = d.artifact_no AND b.body_no = d.body_no
	ORDER BY d.item_no
$$;
COMMENT ON FUNCTION vouch_data.shown_items(uuid) IS 'Items that a version shows, with the verdict of the first stage';

CREATE FUNCTION vouch_data.approved_items(subject text, phase text, scope text DEFAULT '', OUT item_key text, OUT payload jsonb)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	-- a plan is approved by rule, without verdicts on its attributes
	SELECT s.item_key, s.payload
	FROM vouch_data.shown_items(vouch_data.newest_version(approved_items.subject, approved_items.phase, approved_items.scope, 'approved')) AS s
	WHERE s.status = 'approved' OR approved_items.phase = 'planning' AND s.status = 'pending'
$$;
COMMENT ON FUNCTION vouch_data.approved_items(text, text, text) IS 'Items of the approved version that were approved';

CREATE FUNCTION vouch.get_approved_items(cycle_id bigint, report_id bigint, phase text, scope text DEFAULT '') RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(jsonb_agg(i.payload), '[]')
	FROM vouch_data.approved_items(vouch_data.cycle_subject(cycle_id, report_id), phase, scope) AS i
$$;
COMMENT ON FUNCTION vouch.get_approved_items(bigint, bigint, text, text) IS
'Array of the approved items of a phase''s approved version, as their makers gave them; phase is its key, such as data_profiling';

CREATE FUNCTION vouch_data.cycle_runs(subject text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM vouch_data.execution e
		WHERE e.bucket = vouch.bucket(subject) AND e.workflow_id = subject AND e.workflow = 'test_cycle' AND e.status = 'running')
$$;
COMMENT ON FUNCTION vouch_data.cycle_runs(text) IS 'Whether a test cycle runs for a subject';

-- Nothing starts on a version that is not approved.
CREATE FUNCTION vouch_data.require_phase(subject text, before text, phase text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	newest uuid := vouch_data.newest_version(subject, before);
	labels text[] := ARRAY(SELECT p.label FROM unnest(ARRAY[before, phase]) WITH ORDINALITY AS x(key, o)
		JOIN vouch_data.phase p ON p.phase = x.key ORDER BY o);
BEGIN
	IF vouch_data.newest_version(subject, before, '', 'approved') IS NOT NULL THEN
		RETURN;
	END IF;
	-- a phase may be used on its own, without those before it
	IF newest IS NULL AND NOT vouch_data.cycle_runs(subject) THEN
		RETURN;
	END IF;
	RAISE EXCEPTION '% of % cannot start before % is approved', labels[2], subject, labels[1]
		USING ERRCODE = 'VO604',
			DETAIL = CASE WHEN newest IS NULL THEN format('%s has no version yet.', labels[1])
				ELSE format('Version %s of %s is %s.', vouch_data.version_number(newest), labels[1], vouch.get_version(newest) ->> 'state') END,
			HINT = CASE WHEN newest IS NULL THEN 'Make a version of it and have it approved first.'
				ELSE format('SELECT * FROM vouch.explain_approval(''%s'') says who can approve it.', newest) END;
END
$$;
COMMENT ON FUNCTION vouch_data.require_phase(text, text, text) IS
'Returns when the phase before has an approved version, or was not begun by a subject without a running workflow, which uses the phase on its own; else raises VO604';

CREATE FUNCTION vouch_data.require_phase(cycle_id bigint, report_id bigint, before text, phase text) RETURNS void
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT vouch_data.require_phase(vouch_data.cycle_subject(cycle_id, report_id), before, phase)
$$;
COMMENT ON FUNCTION vouch_data.require_phase(bigint, bigint, text, text) IS 'The same for the subject of a cycle''s report';

-- Lines of business are those of the approved samples.
CREATE FUNCTION vouch_data.require_lob(subject text, lob_id text, started boolean) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	known text[] := ARRAY(SELECT DISTINCT i.payload ->> 'lob_id' FROM vouch_data.approved_items(subject, 'sample_selection') AS i
		WHERE i.payload ->> 'lob_id' IS NOT NULL ORDER BY 1);
BEGIN
	IF lob_id = ANY (known) OR cardinality(known) = 0 AND NOT started THEN
		RETURN;
	END IF;
	RAISE EXCEPTION '"%" is no line of business of %', coalesce(lob_id, 'NULL'), subject
		USING ERRCODE = 'VO502',
			DETAIL = CASE WHEN cardinality(known) = 0 THEN 'It has no approved samples.'
				ELSE format('Its approved samples belong to: %s.', array_to_string(known, ', ')) END,
			HINT = CASE WHEN cardinality(known) = 0 THEN 'Have a sample selection approved first.' ELSE 'Give one of these, spelled as it is stored.' END;
END
$$;
COMMENT ON FUNCTION vouch_data.require_lob(text, text, boolean) IS
'Returns when approved samples of the subject belong to the line of business, or when it has none yet and that is not asked for (started false); else raises VO502 with the lines that there are';

CREATE FUNCTION vouch_data.maker_role(phase text, scope text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT p.maker_role FROM (SELECT DISTINCT ON (x.scope) x.scope, x.policy, x.maker_role FROM vouch_data.phase_policy x
		WHERE x.phase = maker_role.phase AND x.scope IN (maker_role.scope, '') ORDER BY x.scope, x.set_no DESC) AS p
	WHERE p.policy IS NOT NULL ORDER BY p.scope DESC LIMIT 1
$$;
COMMENT ON FUNCTION vouch_data.maker_role(text, text) IS 'Role that who makes versions of a phase must hold, by the policy in force; null: anybody';

CREATE FUNCTION vouch_data.require_array(value jsonb, parameter text, example text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF jsonb_typeof(value) IS DISTINCT FROM 'array' THEN
		RAISE EXCEPTION '% is not an array', parameter
			USING ERRCODE = 'VO502', DETAIL = format('It is %s.', coalesce(jsonb_typeof(value), 'NULL')),
				HINT = format('Give an array of objects, such as %s.', example);
	END IF;
	RETURN value;
END
$$;
COMMENT ON FUNCTION vouch_data.require_array(jsonb, text, text) IS 'The value when it is an array, else VO502 with an example';

GRANT EXECUTE ON FUNCTION vouch_data.cycle_subject(bigint, bigint), vouch_data.cycle_runs(text), vouch_data.maker_role(text, text), vouch.get_version(uuid),
	vouch_data.newest_version(text, text, text, vouch.version_state), vouch_data.shown_items(uuid),
	vouch_data.approved_items(text, text, text), vouch.get_approved_items(bigint, bigint, text, text), vouch_data.require_array(jsonb, text, text) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch_data.require_role(text, text, text, text), vouch_data.require_phase(text, text, text),
	vouch_data.require_phase(bigint, bigint, text, text), vouch_data.require_lob(text, text, boolean) TO vouch_user;
