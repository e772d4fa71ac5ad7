-- manage.sql: what operators and developers do with workflows besides running them.

CREATE FUNCTION vouch.migrate_execution(workflow_ids text[], revision int DEFAULT NULL, dry_run boolean DEFAULT false,
	OUT workflow_id text, OUT from_revision int, OUT to_revision int, OUT problem text)
RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_migrate_execution';
COMMENT ON FUNCTION vouch.migrate_execution(text[], int, boolean) IS
'Moves open executions to another revision of their workflow (the newest by default): all of them or, when one cannot, none. One can when each of its branches finds the state that it stands in, of the same type and nested in the same states, and waiting for the same resource, and for the same signal where the revision names it. dry_run: changes nothing, and problem says what speaks against it (NULL: nothing), also that no such execution is open. Signals, timers and data stay. VO403, VO405';

CREATE FUNCTION vouch.migrate_execution(workflow_id text, revision int DEFAULT NULL, dry_run boolean DEFAULT false)
RETURNS TABLE (from_revision int, to_revision int, problem text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS
$$ SELECT m.from_revision, m.to_revision, m.problem FROM vouch.migrate_execution(ARRAY[$1], $2, $3) m $$;
COMMENT ON FUNCTION vouch.migrate_execution(text, int, boolean) IS 'The same for one execution';

CREATE FUNCTION vouch.test_state(state jsonb, input jsonb DEFAULT '{}', variables jsonb DEFAULT '{}',
	result jsonb DEFAULT NULL, error text DEFAULT NULL, cause text DEFAULT NULL, dry_run boolean DEFAULT false)
RETURNS jsonb
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_test_state';
COMMENT ON FUNCTION vouch.test_state(jsonb, jsonb, jsonb, jsonb, text, text, boolean) IS
'Runs one state of a definition without an execution: status (succeeded, caught, retriable, failed), output, next, assigned, payload (what a Task is called with, a branch begins with), items, wait_seconds, error, cause, retrier, delay_seconds. A sql: activity is called as the session''s role, and its effects stay, as those of what the service''s TestState calls do; with dry_run they are undone. result, or error and cause, stand for what it, or any other Task, Parallel or Map would end with. TimeoutSeconds and HeartbeatSeconds are not applied: the session''s statement_timeout is. VO401 when the state has errors, VO503 when it needs a result';

GRANT EXECUTE ON FUNCTION vouch.migrate_execution(text[], int, boolean), vouch.migrate_execution(text, int, boolean) TO vouch_admin;
GRANT EXECUTE ON FUNCTION vouch.test_state(jsonb, jsonb, jsonb, jsonb, text, text, boolean) TO vouch_user;

-- Attributes ------------------------------------------------------------------

CREATE TABLE vouch_data.execution_attributes (
	bucket int NOT NULL,
	execution_id uuid NOT NULL,
	attributes jsonb NOT NULL,
	PRIMARY KEY (bucket, execution_id)
);
COMMENT ON TABLE vouch_data.execution_attributes IS 'What executions are found by';
CREATE INDEX execution_attributes_values ON vouch_data.execution_attributes USING gin (attributes jsonb_path_ops);
SELECT pg_catalog.pg_extension_config_dump('vouch_data.execution_attributes', '');

CREATE FUNCTION vouch_data.require_starter(bucket int, execution_id uuid, workflow_id text, action text) RETURNS void
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vouch_sql_require_starter';
COMMENT ON FUNCTION vouch_data.require_starter(int, uuid, text, text) IS
'Raises VO002 unless the session''s actor started the execution, is a member of vouch_admin, or calls from an activity of that execution; action is for the message';

CREATE FUNCTION vouch.set_attributes(workflow_id text, attributes jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	e vouch_data.execution;
	result jsonb;
BEGIN
	PERFORM vouch_data.check_given('attributes', attributes IS NOT NULL), vouch_data.check_attributes(attributes);
	e := vouch_data.newest_execution(workflow_id);
	PERFORM vouch_data.require_starter(e.bucket, e.execution_id, workflow_id, 'set attributes of');
	INSERT INTO vouch_data.execution_attributes AS a VALUES (e.bucket, e.execution_id, jsonb_strip_nulls(attributes))
	ON CONFLICT (bucket, execution_id) DO UPDATE SET attributes = jsonb_strip_nulls(a.attributes || excluded.attributes || set_attributes.attributes)
	RETURNING a.attributes INTO result;
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch.set_attributes(text, jsonb) IS
'Sets attributes of the newest execution of a workflow_id, by which vouch.find_workflows() finds it: those of an object of up to 16 kB are added or replaced, those that are null removed. Returns all of them. For who started the execution, members of vouch_admin, and activities of the execution itself (others: VO002). VO403, VO501, VO502';

CREATE FUNCTION vouch.find_workflows(attributes jsonb, status text DEFAULT NULL) RETURNS SETOF vouch.executions
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT e.* FROM vouch_data.execution_attributes a
	JOIN vouch.executions e ON e.bucket = a.bucket AND e.execution_id = a.execution_id
	WHERE vouch_data.check_given('attributes', find_workflows.attributes IS NOT NULL) AND a.attributes @> find_workflows.attributes
	AND (find_workflows.status IS NULL OR e.status = find_workflows.status::vouch.execution_status)
$$;
COMMENT ON FUNCTION vouch.find_workflows(jsonb, text) IS
'Executions that have all of these attributes, as in vouch.executions; status: only those in it';

GRANT EXECUTE ON FUNCTION vouch.set_attributes(text, jsonb) TO vouch_user;
GRANT EXECUTE ON FUNCTION vouch.find_workflows(jsonb, text) TO vouch_reader;

-- Diagrams --------------------------------------------------------------------

CREATE FUNCTION vouch_data.diagram_id(state text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS
$$ SELECT CASE WHEN $1 ~ '^[A-Z][A-Za-z0-9_]*$' THEN $1 ELSE 's' || substr(md5($1), 1, 12) END $$;
COMMENT ON FUNCTION vouch_data.diagram_id(text) IS 'Name of a state within a diagram';

CREATE FUNCTION vouch_data.diagram_arrow(source text, target text, label text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS
$$ SELECT vouch_data.diagram_id(source) || ' --> ' || coalesce(vouch_data.diagram_id(target), '[*]')
	|| coalesce(' : ' || translate(label, ':;"', '   '), '') $$;
COMMENT ON FUNCTION vouch_data.diagram_arrow(text, text, text) IS 'Arrow of a diagram; no target is the end';

CREATE FUNCTION vouch_data.diagram_machine(machine jsonb, indent text) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	s record;
	parts jsonb;
	part jsonb;
	line text;
	first boolean;
BEGIN
	RETURN NEXT indent || '[*] --> ' || vouch_data.diagram_id(machine ->> 'StartAt');
	FOR s IN SELECT t.name, t.body, vouch_data.diagram_id(t.name) AS id
		FROM jsonb_each(machine -> 'States') AS t(name, body) LOOP
		parts := CASE s.body ->> 'Type'
			WHEN 'Parallel' THEN s.body -> 'Branches'
			WHEN 'Map' THEN jsonb_build_array(coalesce(s.body -> 'ItemProcessor', s.body -> 'Iterator')) END;
		line := format('state "%s" as %s', translate(s.name, '"', '''') ||
			CASE s.body ->> 'Type' WHEN 'Task' THEN '<br/>' || (s.body ->> 'Resource') WHEN 'Pass' THEN '' ELSE '<br/>' || (s.body ->> 'Type') END, s.id);
		IF parts IS NULL THEN
			RETURN NEXT indent || line;
		ELSE
			RETURN NEXT indent || line || ' {';
			first := true;
			FOR part IN SELECT * FROM jsonb_array_elements(parts) LOOP
				IF NOT first THEN
					RETURN NEXT indent || E'\t--';
				END IF;
				first := false;
				RETURN QUERY SELECT * FROM vouch_data.diagram_machine(part, indent || E'\t');
			END LOOP;
			RETURN NEXT indent || '}';
		END IF;
		IF s.body ->> 'Type' IN ('Succeed', 'Fail') OR (s.body ->> 'End')::boolean THEN
			RETURN NEXT indent || vouch_data.diagram_arrow(s.name, NULL, CASE s.body ->> 'Type' WHEN 'Fail' THEN coalesce(s.body ->> 'Error', 'fails') END);
		END IF;
		IF s.body ? 'Next' THEN
			RETURN NEXT indent || vouch_data.diagram_arrow(s.name, s.body ->> 'Next', NULL);
		END IF;
		RETURN QUERY SELECT indent || vouch_data.diagram_arrow(s.name, c ->> 'Next', coalesce(c ->> 'Comment', 'rule ' || n))
			FROM jsonb_array_elements(s.body -> 'Choices') WITH ORDINALITY AS t(c, n);
		IF s.body ? 'Default' THEN
			RETURN NEXT indent || vouch_data.diagram_arrow(s.name, s.body ->> 'Default', 'otherwise');
		END IF;
		RETURN QUERY SELECT indent || vouch_data.diagram_arrow(s.name, c ->> 'Next',
				'on ' || (SELECT string_agg(e, ', ') FROM jsonb_array_elements_text(c -> 'ErrorEquals') AS e))
			FROM jsonb_array_elements(s.body -> 'Catch') AS c;
	END LOOP;
END
$$;
COMMENT ON FUNCTION vouch_data.diagram_machine(jsonb, text) IS 'Lines of the diagram of a definition, or of a part of it that has states';

CREATE FUNCTION vouch.workflow_diagram(name text DEFAULT NULL, revision int DEFAULT NULL, workflow_id text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	e vouch_data.execution;
	r vouch_data.workflow_revision;
	result text;
	marks text;
BEGIN
	IF workflow_diagram.workflow_id IS NOT NULL THEN
		e := vouch_data.newest_execution(workflow_diagram.workflow_id);
		IF e.workflow <> workflow_diagram.name THEN
			RAISE EXCEPTION 'execution "%" is one of workflow "%", not of "%"', workflow_diagram.workflow_id, e.workflow, workflow_diagram.name
				USING ERRCODE = 'VO502', HINT = 'Leave name out to see the workflow that the execution is one of.';
		END IF;
	END IF;
	SELECT * INTO r FROM vouch_data.workflow_revision w
	WHERE w.workflow = coalesce(workflow_diagram.name, e.workflow)
	AND w.revision = coalesce(workflow_diagram.revision, e.revision, w.revision)
	ORDER BY w.revision DESC LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no workflow "%" of that revision', coalesce(workflow_diagram.name, e.workflow)
			USING ERRCODE = 'VO402', HINT = 'Look at vouch.workflows for the names that exist.';
	END IF;
	SELECT string_agg(line, E'\n' ORDER BY n) INTO result
	FROM vouch_data.diagram_machine(r.definition, E'\t') WITH ORDINALITY AS t(line, n);
	-- where the execution stands, what it went through, and where it ended
	SELECT string_agg(format(E'\tclass %s %s', vouch_data.diagram_id(x.state), x.mark), E'\n' ORDER BY x.mark, x.state) INTO marks
	FROM (
		SELECT DISTINCT ON (h.state) h.state, h.mark
		FROM (
			SELECT b.state, CASE WHEN b.status = 'ready' THEN 'active' ELSE 'waiting' END, 1
			FROM vouch_data.branch b
			WHERE b.bucket = e.bucket AND b.execution_id = e.execution_id AND b.status IN ('ready', 'waiting')
			UNION ALL
			-- what was left has ended well, or was caught; what was taken away beside a failure did not fail
			SELECT v.state, CASE
				WHEN v.was_left OR e.status IN ('running', 'succeeded') THEN 'done'
				WHEN e.status <> 'failed' OR v.led_to_end THEN 'failed'
				ELSE 'done' END, 2
			FROM vouch_data.visited(e.workflow_id) v
		) AS h(state, mark, rank)
		WHERE h.state IN (SELECT jsonb_object_keys(m) FROM jsonb_path_query(r.definition, 'strict $.**.States') AS m WHERE jsonb_typeof(m) = 'object')
		ORDER BY h.state, h.rank, h.mark DESC
	) AS x;
	RETURN E'stateDiagram-v2\n' || result || coalesce(E'\n' || marks ||
		E'\n\tclassDef done fill:#d5e8d4\n\tclassDef waiting fill:#fff2cc\n\tclassDef active fill:#dae8fc\n\tclassDef failed fill:#f8cecc', '');
END
$$;
COMMENT ON FUNCTION vouch.workflow_diagram(text, int, text) IS
'A revision of a workflow (the newest by default) as a Mermaid state diagram. With workflow_id: the one that its newest execution is pinned to, with classes for its states: waiting, active (a worker has to do something), done (also: left when something beside it failed), failed (where it ended, and was not caught). VO402, VO403; VO502 when the execution is one of another workflow';

GRANT EXECUTE ON FUNCTION vouch_data.diagram_id(text), vouch_data.diagram_arrow(text, text, text),
	vouch_data.diagram_machine(jsonb, text), vouch.workflow_diagram(text, int, text) TO vouch_reader;

-- Pruning ---------------------------------------------------------------------

CREATE FUNCTION vouch.prune_history(policy jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	older interval;
	keep text;
	most int;
	dry boolean;
	gone bigint := 0;
	emptied bigint := 0;
	events bigint := 0;
	n bigint;
	x record;
	problem text;
BEGIN
	IF policy IS NULL OR jsonb_typeof(policy) <> 'object' THEN
		problem := 'It is not an object.';
	ELSE
		SELECT 'It has an unknown key: ' || string_agg(k, ', ') || '.' INTO problem FROM jsonb_object_keys(policy) AS k
		WHERE k NOT IN ('older_than', 'keep', 'max', 'dry_run', 'workflow', 'status');
	END IF;
	-- a bare number would be seconds, where days are meant
	IF problem IS NULL AND policy ->> 'older_than' !~ '[[:alpha:]:]' THEN
		problem := 'older_than has no unit.';
	ELSIF problem IS NULL AND policy ->> 'status' <> ALL (enum_range(NULL::vouch.execution_status)::text[] || '{}') THEN
		problem := format('There is no status "%s".', policy ->> 'status');
	END IF;
	IF problem IS NULL THEN
		BEGIN
			older := coalesce(policy ->> 'older_than', '90 days');
			keep := coalesce(policy ->> 'keep', 'nothing');
			most := coalesce((policy ->> 'max')::int, 10000);
			dry := coalesce((policy ->> 'dry_run')::boolean, false);
			IF keep NOT IN ('nothing', 'outcome') OR older < interval '0' OR most < 0 THEN
				problem := 'keep is nothing or outcome; older_than and max are not negative.';
			END IF;
		EXCEPTION WHEN data_exception THEN
			problem := 'older_than is an interval, max a whole number, dry_run true or false.';
		END;
	END IF;
	IF problem IS NOT NULL THEN
		RAISE EXCEPTION 'this is no policy for vouch.prune_history()'
			USING ERRCODE = 'VO502', DETAIL = problem,
			HINT = 'Its keys are older_than, like "90 days", keep, workflow, status, max, dry_run.';
	END IF;
	FOR x IN
		SELECT e.bucket, e.execution_id, d.all_of_it
		FROM vouch_data.execution e,
			-- what the log names, and what has descendants, stays to be looked up
			LATERAL (SELECT keep = 'nothing' AND NOT EXISTS (SELECT FROM vouch_data.operation o WHERE o.bucket = e.bucket AND o.execution_id = e.execution_id)
				AND NOT EXISTS (SELECT FROM vouch_data.execution c WHERE c.bucket = e.bucket AND c.parent_id = e.execution_id)) AS d(all_of_it)
		WHERE e.status <> 'running' AND e.closed_at < statement_timestamp() - older
		AND (policy ->> 'workflow' IS NULL OR e.workflow = policy ->> 'workflow')
		AND (policy ->> 'status' IS NULL OR e.status::text = policy ->> 'status')
		AND (d.all_of_it OR EXISTS (SELECT FROM vouch_data.history h WHERE h.bucket = e.bucket AND h.execution_id = e.execution_id))
		ORDER BY e.closed_at LIMIT most
		FOR UPDATE OF e SKIP LOCKED
	LOOP
		IF dry THEN
			SELECT count(*) INTO n FROM vouch_data.history h WHERE h.bucket = x.bucket AND h.execution_id = x.execution_id;
		ELSE
			DELETE FROM vouch_data.history h WHERE h.bucket = x.bucket AND h.execution_id = x.execution_id;
			GET DIAGNOSTICS n = ROW_COUNT;
		END IF;
		events := events + n;
		emptied := emptied + (NOT x.all_of_it)::int;
		gone := gone + x.all_of_it::int;
		CONTINUE WHEN dry;
		DELETE FROM vouch_data.signal s WHERE s.bucket = x.bucket AND s.execution_id = x.execution_id;
		IF x.all_of_it THEN
			DELETE FROM vouch_data.execution_input i WHERE i.bucket = x.bucket AND i.execution_id = x.execution_id;
			DELETE FROM vouch_data.execution_result i WHERE i.bucket = x.bucket AND i.execution_id = x.execution_id;
			DELETE FROM vouch_data.execution_attributes a WHERE a.bucket = x.bucket AND a.execution_id = x.execution_id;
			DELETE FROM vouch_data.execution e WHERE e.bucket = x.bucket AND e.execution_id = x.execution_id;
		END IF;
	END LOOP;
	RETURN jsonb_build_object('executions_deleted', gone, 'executions_kept_without_events', emptied, 'history_rows', events);
END
$$;
COMMENT ON FUNCTION vouch.prune_history(jsonb) IS
'Deletes the history of closed executions. policy: older_than (interval since they closed, with its unit, 90 days), keep (nothing; or outcome: their row, input and outcome stay, and only events and signals go), workflow, status (only those), max (executions a call, 10000), dry_run. Executions that the log names, and those with descendants that are still there, always keep their outcome. The log itself is never pruned. Returns executions_deleted, executions_kept_without_events, history_rows. VO502';

GRANT EXECUTE ON FUNCTION vouch.prune_history(jsonb) TO vouch_admin;
