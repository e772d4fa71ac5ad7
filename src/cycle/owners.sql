-- owners.sql: phase 5, Data Owner ID: who answers for the data of each line of business.

CREATE TABLE vouch_data.data_owner_assignment (
	bucket int NOT NULL,
	assignment_id uuid NOT NULL,
	subject text NOT NULL,
	cycle_id bigint NOT NULL,
	report_id bigint NOT NULL,
	lob_id text NOT NULL CHECK (lob_id <> ''),
	owner_id text NOT NULL CHECK (owner_id <> ''),
	assignment_type text NOT NULL CHECK (assignment_type IN ('primary', 'backup', 'delegate')),
	status text NOT NULL CHECK (status IN ('active', 'inactive', 'transferred')),
	effective_from timestamptz NOT NULL,
	effective_to timestamptz,
	previous_assignment_id uuid,
	reason text,
	assigned_by text NOT NULL,
	assigned_at timestamptz NOT NULL,
	workflow_id text,
	PRIMARY KEY (bucket, assignment_id),
	CHECK ((status = 'active') = (effective_to IS NULL))
);
CREATE UNIQUE INDEX data_owner_assignment_active ON vouch_data.data_owner_assignment (bucket, subject, lob_id, assignment_type)
	WHERE status = 'active';
COMMENT ON TABLE vouch_data.data_owner_assignment IS
'Who answers for a line of business''s data, since when and until when; at most one active of each type. Written by vouch.assign_data_owner()';
COMMENT ON COLUMN vouch_data.data_owner_assignment.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.data_owner_assignment.assignment_id IS 'Its id';
COMMENT ON COLUMN vouch_data.data_owner_assignment.subject IS 'Subject, such as cycle-7-report-3';
COMMENT ON COLUMN vouch_data.data_owner_assignment.cycle_id IS 'Test cycle';
COMMENT ON COLUMN vouch_data.data_owner_assignment.report_id IS 'Report under test';
COMMENT ON COLUMN vouch_data.data_owner_assignment.lob_id IS 'Line of business';
COMMENT ON COLUMN vouch_data.data_owner_assignment.owner_id IS 'Who answers for its data';
COMMENT ON COLUMN vouch_data.data_owner_assignment.assignment_type IS 'primary, backup or delegate';
COMMENT ON COLUMN vouch_data.data_owner_assignment.status IS 'active; transferred when another person followed; inactive when nobody did';
COMMENT ON COLUMN vouch_data.data_owner_assignment.effective_from IS 'Since when';
COMMENT ON COLUMN vouch_data.data_owner_assignment.effective_to IS 'Until when; null while it is active';
COMMENT ON COLUMN vouch_data.data_owner_assignment.previous_assignment_id IS 'The assignment that it follows';
COMMENT ON COLUMN vouch_data.data_owner_assignment.reason IS 'Why it ended';
COMMENT ON COLUMN vouch_data.data_owner_assignment.assigned_by IS 'Who assigned';
COMMENT ON COLUMN vouch_data.data_owner_assignment.assigned_at IS 'When';
COMMENT ON COLUMN vouch_data.data_owner_assignment.workflow_id IS 'Test cycle that was told of it, null when none ran';

CREATE TABLE vouch_data.data_owner_change (
	bucket int NOT NULL,
	change_id uuid NOT NULL,
	assignment_id uuid NOT NULL,
	change_type text NOT NULL CHECK (change_type IN ('created', 'transferred', 'deactivated')),
	before jsonb,
	after jsonb,
	reason text,
	changed_by text NOT NULL,
	changed_at timestamptz NOT NULL,
	op_no int NOT NULL,
	PRIMARY KEY (bucket, change_id)
);
COMMENT ON TABLE vouch_data.data_owner_change IS 'Every change of an assignment, with what it was before and after; rows are only ever added';
COMMENT ON COLUMN vouch_data.data_owner_change.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.data_owner_change.change_id IS 'Its id, ordered by time';
COMMENT ON COLUMN vouch_data.data_owner_change.assignment_id IS 'Assignment that changed';
COMMENT ON COLUMN vouch_data.data_owner_change.change_type IS 'created, transferred or deactivated';
COMMENT ON COLUMN vouch_data.data_owner_change.before IS 'The assignment before; null when it was created';
COMMENT ON COLUMN vouch_data.data_owner_change.after IS 'The assignment after';
COMMENT ON COLUMN vouch_data.data_owner_change.reason IS 'Why';
COMMENT ON COLUMN vouch_data.data_owner_change.changed_by IS 'Who changed it';
COMMENT ON COLUMN vouch_data.data_owner_change.changed_at IS 'When';
COMMENT ON COLUMN vouch_data.data_owner_change.op_no IS 'Its operation in the log of the artifact (subject, data_owner_id, line of business)';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.data_owner_assignment', '');
SELECT pg_catalog.pg_extension_config_dump('vouch_data.data_owner_change', '');

-- Locks a phase that has no versions until the transaction ends, and makes its artifact when it is the first; the
-- number that the next operation will have.  What is written under it is told to vouch_data.log_phase() at the end.
CREATE FUNCTION vouch_data.lock_phase(cycle_id bigint, report_id bigint, phase text, scope text) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	b int := vouch.bucket(vouch_data.cycle_subject(cycle_id, report_id));
	n int := vouch_data.ensure_artifact(vouch_data.cycle_subject(cycle_id, report_id), phase, scope, cycle_id, report_id);
BEGIN
	PERFORM FROM vouch_data.artifact a WHERE a.bucket = b AND a.artifact_no = n FOR NO KEY UPDATE;
	RETURN coalesce((SELECT max(o.op_no) FROM vouch_data.operation o WHERE o.bucket = b AND o.artifact_no = n), 0) + 1;
END
$$;
COMMENT ON FUNCTION vouch_data.lock_phase(bigint, bigint, text, text) IS
'Locks the artifact of a phase that has no versions until the transaction ends, makes it when it is the first, and returns the number that its next operation will have. For Vouch''s own functions: nobody else may call it';

-- Appends to the log of a phase that has no versions; rows in the detail are what vouch.verify() holds the tables against.
CREATE FUNCTION vouch_data.log_phase(cycle_id bigint, report_id bigint, phase text, scope text, operation text, detail jsonb, items bigint, actor text) RETURNS int
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT vouch_data.log_operation(vouch.bucket(vouch_data.cycle_subject(cycle_id, report_id)),
		vouch_data.ensure_artifact(vouch_data.cycle_subject(cycle_id, report_id), phase, scope, cycle_id, report_id), operation, detail, items, actor)
$$;
COMMENT ON FUNCTION vouch_data.log_phase(bigint, bigint, text, text, text, jsonb, bigint, text) IS
'Appends an operation to the log of a phase that has no versions, and locks its artifact until the transaction ends. For Vouch''s own functions: nobody else may call it';

-- Tells the running test cycle, if there is one, of something that was done directly.
CREATE FUNCTION vouch_data.tell_cycle(workflow_id text, signal text, payload jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF EXISTS (SELECT FROM vouch_data.execution e
		WHERE e.bucket = vouch.bucket(split_part(tell_cycle.workflow_id, '/', 1)) AND e.workflow_id = tell_cycle.workflow_id AND e.status = 'running')
	THEN
		PERFORM vouch.signal_workflow(tell_cycle.workflow_id, tell_cycle.signal, tell_cycle.payload);
		RETURN tell_cycle.workflow_id;
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION vouch_data.tell_cycle(text, text, jsonb) IS
'Sends a signal to a workflow when it is running, and returns its workflow_id then';

CREATE FUNCTION vouch.assign_data_owner(cycle_id bigint, report_id bigint, lob_id text, owner_id text,
	assigned_by text DEFAULT NULL, assignment_type text DEFAULT 'primary') RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	subject text := vouch_data.cycle_subject(cycle_id, report_id);
	b int := vouch.bucket(subject);
	who text := vouch_data.check_actor(assigned_by, 'assigned_by');
	old vouch_data.data_owner_assignment;
	new vouch_data.data_owner_assignment;
	change vouch_data.data_owner_change;
	written jsonb := '{}';
	op int;
	kind text := coalesce(assignment_type, 'primary');
BEGIN
	IF coalesce(lob_id, '') = '' OR coalesce(owner_id, '') = '' THEN
		RAISE EXCEPTION 'no % given', CASE WHEN coalesce(lob_id, '') = '' THEN 'lob_id' ELSE 'owner_id' END
			USING ERRCODE = 'VO502', HINT = 'Name the line of business and the person who answers for its data.';
	ELSIF kind NOT IN ('primary', 'backup', 'delegate') THEN
		RAISE EXCEPTION 'there is no assignment type "%"', kind
			USING ERRCODE = 'VO502', HINT = 'Use primary, backup or delegate.';
	END IF;
	PERFORM vouch_data.check_name(lob_id, 'lob_id'), vouch_data.check_name(owner_id, 'owner_id');
	PERFORM vouch_data.require_role(who, 'data_executive', lob_id, format('assign data owners for %s', lob_id));
	PERFORM vouch_data.require_lob(subject, lob_id, false);
	-- locks the artifact, so that what is read below stands until the end
	op := vouch_data.lock_phase(cycle_id, report_id, 'data_owner_id', lob_id);
	SELECT * INTO old FROM vouch_data.data_owner_assignment a
	WHERE a.bucket = b AND a.subject = subject AND a.lob_id = lob_id AND a.assignment_type = kind AND a.status = 'active';
	-- said again while the cycle waits for it, as after a redrive, it is an answer
	IF old.owner_id = owner_id AND vouch_data.cycle_runs(subject) THEN
		PERFORM vouch_data.log_phase(cycle_id, report_id, 'data_owner_id', lob_id, 'assign_data_owner',
			jsonb_build_object('lob_id', lob_id, 'owner_id', owner_id, 'assignment_type', kind), 1, who);
		PERFORM vouch_data.tell_cycle(subject, 'data_owner_assignment_' || lob_id,
			jsonb_build_object('assignment_id', old.assignment_id, 'owner_id', owner_id, 'lob_id', lob_id))
		WHERE vouch_data.acting_workflow() IS NULL;
		RETURN jsonb_build_object('phase', 'data_owner_id', 'state', 'recorded', 'version_id', NULL, 'version_number', NULL,
			'assignment_id', old.assignment_id, 'lob_id', lob_id, 'owner_id', owner_id, 'assignment_type', kind, 'status', 'active',
			'previous_assignment_id', old.previous_assignment_id, 'previous_owner_id', owner_id, 'assigned_by', old.assigned_by, 'effective_from', old.effective_from);
	ELSIF old.owner_id = owner_id THEN
		RAISE EXCEPTION '"%" is the % data owner of % already', owner_id, kind, lob_id
			USING ERRCODE = 'VO502', DETAIL = format('Assigned by %s.', old.assigned_by),
				HINT = 'Nothing needs to be done; assign another person to transfer it.';
	END IF;
	IF old.assignment_id IS NOT NULL THEN
		UPDATE vouch_data.data_owner_assignment a
		SET status = 'transferred', effective_to = clock_timestamp(), reason = format('transferred to %s by %s', owner_id, who)
		WHERE a.bucket = b AND a.assignment_id = old.assignment_id
		RETURNING * INTO new;
		INSERT INTO vouch_data.data_owner_change
		VALUES (b, vouch_data.event_id(b), old.assignment_id, 'transferred', to_jsonb(old) - 'bucket', to_jsonb(new) - 'bucket', new.reason, who, clock_timestamp(), op)
		RETURNING * INTO change;
		written := vouch_data.recorded('data_owner_assignment', new.assignment_id, new) || vouch_data.recorded('data_owner_change', change.change_id, change);
	END IF;
	INSERT INTO vouch_data.data_owner_assignment
	VALUES (b, vouch_data.event_id(b), subject, cycle_id, report_id, lob_id, owner_id, kind, 'active',
		clock_timestamp(), NULL, old.assignment_id, NULL, who, clock_timestamp(),
		(SELECT e.workflow_id FROM vouch_data.execution e WHERE e.bucket = b AND e.workflow_id = subject AND e.status = 'running'))
	RETURNING * INTO new;
	INSERT INTO vouch_data.data_owner_change
	VALUES (b, vouch_data.event_id(b), new.assignment_id, 'created', NULL, to_jsonb(new) - 'bucket', NULL, who, clock_timestamp(), op)
	RETURNING * INTO change;
	written := written || vouch_data.recorded('data_owner_assignment', new.assignment_id, new) || vouch_data.recorded('data_owner_change', change.change_id, change);
	PERFORM vouch_data.log_phase(cycle_id, report_id, 'data_owner_id', lob_id, 'assign_data_owner',
		jsonb_build_object('lob_id', lob_id, 'owner_id', owner_id, 'assignment_type', kind, 'rows', written), 1, who);
	PERFORM vouch_data.tell_cycle(subject, 'data_owner_assignment_' || lob_id,
		jsonb_build_object('assignment_id', new.assignment_id, 'owner_id', owner_id, 'lob_id', lob_id))
	WHERE vouch_data.acting_workflow() IS NULL;
	RETURN jsonb_build_object('phase', 'data_owner_id', 'state', 'recorded', 'version_id', NULL, 'version_number', NULL,
		'assignment_id', new.assignment_id, 'lob_id', lob_id, 'owner_id', owner_id, 'assignment_type', kind, 'status', 'active',
		'previous_assignment_id', old.assignment_id, 'previous_owner_id', old.owner_id, 'assigned_by', who, 'effective_from', new.effective_from);
END
$$;
COMMENT ON FUNCTION vouch.assign_data_owner(bigint, bigint, text, text, text, text) IS
'Makes owner_id answer for a line of business''s data, as primary, backup or delegate; who did so before is kept as transferred. assigned_by must be the session''s actor (null: it) and hold the role data_executive for that line or for all (VO002). VO502 for a line that the approved samples do not have. A running test cycle is told, also of an owner who is assigned already; without one that is refused (VO502). Returns {assignment_id, lob_id, owner_id, assignment_type, status, previous_assignment_id, previous_owner_id, assigned_by, effective_from, …}';

CREATE FUNCTION vouch.end_data_owner(cycle_id bigint, report_id bigint, lob_id text, assignment_type text DEFAULT 'primary', reason text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	subject text := vouch_data.cycle_subject(cycle_id, report_id);
	b int := vouch.bucket(subject);
	who text := vouch.actor();
	old vouch_data.data_owner_assignment;
	new vouch_data.data_owner_assignment;
	change vouch_data.data_owner_change;
	op int;
BEGIN
	PERFORM vouch_data.check_name(lob_id, 'lob_id'), vouch_data.check_text(reason, 'reason');
	PERFORM vouch_data.require_role(who, 'data_executive', lob_id, format('end the assignment of %s', lob_id));
	op := vouch_data.lock_phase(cycle_id, report_id, 'data_owner_id', lob_id);
	SELECT * INTO old FROM vouch_data.data_owner_assignment a
	WHERE a.bucket = b AND a.subject = subject AND a.lob_id = lob_id AND a.assignment_type = assignment_type AND a.status = 'active';
	IF old.assignment_id IS NULL THEN
		RAISE EXCEPTION '% has no % data owner in %', lob_id, assignment_type, subject
			USING ERRCODE = 'VO601', HINT = 'vouch.data_owner_assignments lists the assignments.';
	END IF;
	UPDATE vouch_data.data_owner_assignment a
	SET status = 'inactive', effective_to = clock_timestamp(), reason = reason
	WHERE a.bucket = b AND a.assignment_id = old.assignment_id
	RETURNING * INTO new;
	INSERT INTO vouch_data.data_owner_change
	VALUES (b, vouch_data.event_id(b), old.assignment_id, 'deactivated', to_jsonb(old) - 'bucket', to_jsonb(new) - 'bucket', reason, who, clock_timestamp(), op)
	RETURNING * INTO change;
	PERFORM vouch_data.log_phase(cycle_id, report_id, 'data_owner_id', lob_id, 'end_data_owner',
		jsonb_build_object('lob_id', lob_id, 'assignment_type', assignment_type, 'reason', reason, 'rows',
			vouch_data.recorded('data_owner_assignment', new.assignment_id, new) || vouch_data.recorded('data_owner_change', change.change_id, change)), 1, who);
	RETURN jsonb_build_object('phase', 'data_owner_id', 'state', 'recorded', 'assignment_id', new.assignment_id, 'lob_id', lob_id,
		'owner_id', new.owner_id, 'status', 'inactive');
END
$$;
COMMENT ON FUNCTION vouch.end_data_owner(bigint, bigint, text, text, text) IS
'Ends an assignment without another one following; needs the role data_executive (VO002). VO601 when there is none';

CREATE FUNCTION vouch.get_lobs_requiring_owners(cycle_id bigint, report_id bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('lob_id', s.lob, 'samples', s.n, 'owner_id', o.owner_id, 'has_owner', o.owner_id IS NOT NULL) ORDER BY s.lob), '[]')
	FROM (SELECT i.payload ->> 'lob_id' AS lob, count(*) AS n
		FROM vouch_data.approved_items(vouch_data.cycle_subject(get_lobs_requiring_owners.cycle_id, get_lobs_requiring_owners.report_id), 'sample_selection') i
		GROUP BY 1) AS s
	LEFT JOIN vouch_data.data_owner_assignment o ON o.bucket = vouch.bucket(vouch_data.cycle_subject(get_lobs_requiring_owners.cycle_id, get_lobs_requiring_owners.report_id))
		AND o.subject = vouch_data.cycle_subject(get_lobs_requiring_owners.cycle_id, get_lobs_requiring_owners.report_id) AND o.lob_id = s.lob
		AND o.assignment_type = 'primary' AND o.status = 'active'
$$;
COMMENT ON FUNCTION vouch.get_lobs_requiring_owners(bigint, bigint) IS
'Lines of business of the approved samples, each of which needs a primary data owner: [{lob_id, samples (how many), owner_id, has_owner}]';

CREATE FUNCTION vouch.get_data_owner(cycle_id bigint, report_id bigint, lob_id text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_build_object('lob_id', get_data_owner.lob_id, 'owner_id', max(a.owner_id), 'has_owner', count(*) > 0)
	FROM vouch_data.data_owner_assignment a
	WHERE a.bucket = vouch.bucket(vouch_data.cycle_subject(get_data_owner.cycle_id, get_data_owner.report_id))
	AND a.subject = vouch_data.cycle_subject(get_data_owner.cycle_id, get_data_owner.report_id)
	AND a.lob_id = get_data_owner.lob_id AND a.assignment_type = 'primary' AND a.status = 'active'
$$;
COMMENT ON FUNCTION vouch.get_data_owner(bigint, bigint, text) IS 'Primary data owner of a line of business: {lob_id, owner_id (null: none), has_owner}';

GRANT EXECUTE ON FUNCTION vouch.get_lobs_requiring_owners(bigint, bigint), vouch.get_data_owner(bigint, bigint, text) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch.assign_data_owner(bigint, bigint, text, text, text, text),
	vouch.end_data_owner(bigint, bigint, text, text, text) TO vouch_user;
