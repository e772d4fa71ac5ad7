-- order.sql: what holds of the versions of the nine phases, whatever function made them.

CREATE FUNCTION vouch_data.require_lines_done(subject text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	open_lines text;
BEGIN
	SELECT string_agg(format('%s is %s', coalesce(nullif(o.lob_id, ''), 'the report'), replace(o.state, '_', ' ')), '; ' ORDER BY o.lob_id) INTO open_lines
	FROM vouch_data.line_states(subject) AS o WHERE NOT o.done;
	IF open_lines IS NOT NULL THEN
		RAISE EXCEPTION 'the test report of % cannot be written yet', subject
			USING ERRCODE = 'VO604', DETAIL = format('Observations are open: %s.', open_lines),
				HINT = coalesce(format('SELECT * FROM vouch.observation_status(%s, %s) shows what is missing.',
						(regexp_match(subject, '^cycle-(-?\d+)-report-(-?\d+)$'))[1], (regexp_match(subject, '^cycle-(-?\d+)-report-(-?\d+)$'))[2]),
					'Have the observations of every line of business approved first.');
	END IF;
END
$$;
COMMENT ON FUNCTION vouch_data.require_lines_done(text) IS 'Returns when every line of business is done, as vouch.observation_status() says, else raises VO604';

CREATE FUNCTION vouch_data.check_order() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	a vouch_data.artifact;
	before text;
BEGIN
	SELECT * INTO a FROM vouch_data.artifact x WHERE x.bucket = NEW.bucket AND x.artifact_no = NEW.artifact_no;
	before := CASE a.phase WHEN 'data_profiling' THEN 'planning' WHEN 'scoping' THEN 'data_profiling' WHEN 'sample_selection' THEN 'scoping'
		WHEN 'observation_management' THEN 'sample_selection' WHEN 'finalize_test_report' THEN 'sample_selection' END;
	IF before IS NULL THEN
		RETURN NULL;
	END IF;
	PERFORM vouch_data.require_phase(a.subject, before, a.phase);
	IF a.phase = 'finalize_test_report' THEN
		PERFORM vouch_data.require_lines_done(a.subject);
	ELSIF a.phase = 'observation_management' AND vouch_data.cycle_runs(a.subject) THEN
		PERFORM vouch_data.require_failures_told(vouch_data.version_id(NEW.bucket, NEW.artifact_no, NEW.version_no), a.subject, a.scope);
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION vouch_data.check_order() IS
'Trigger: a version of one of the nine phases is submitted and approved only when the phase before is approved, a report only when every line of business is done, and the observations of a running cycle only when none of its failures is left out (VO604)';
CREATE TRIGGER check_order AFTER UPDATE OF state ON vouch_data.version
	FOR EACH ROW WHEN (NEW.state IN ('pending_approval', 'approved') AND OLD.state IS DISTINCT FROM NEW.state)
	EXECUTE FUNCTION vouch_data.check_order();

GRANT EXECUTE ON FUNCTION vouch_data.require_lines_done(text) TO vouch_user;
