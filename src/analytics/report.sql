-- report.sql: a test cycle on one screen of psql.

CREATE FUNCTION vouch_data.in_words(hours numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN hours < 1 THEN round(hours * 60) || ' min' WHEN hours < 48 THEN round(hours, 1) || ' h' ELSE round(hours / 24, 1) || ' d' END;
COMMENT ON FUNCTION vouch_data.in_words(numeric) IS 'Hours as minutes, hours or days, whichever reads best';

-- A period cut into width cells: in which of them a time is, from 0.
CREATE FUNCTION vouch_data.cell(at timestamptz, period_start timestamptz, period_end timestamptz, width int) RETURNS int
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN greatest(0, least(width - 1,
		floor(width * extract(epoch FROM at - period_start) / greatest(extract(epoch FROM period_end - period_start), 0.000001))))::int;
COMMENT ON FUNCTION vouch_data.cell(timestamptz, timestamptz, timestamptz, int) IS 'Which of width equal parts of a period a time is in, from 0';

CREATE FUNCTION vouch_data.bar(from_cell int, wait_cell int, to_cell int, width int, work text, wait text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN from_cell IS NULL THEN repeat(' ', width)
		ELSE rpad(repeat(' ', from_cell) || repeat(work, coalesce(wait_cell, to_cell + 1) - from_cell)
			|| repeat(wait, to_cell + 1 - coalesce(wait_cell, to_cell + 1)), width) END;
COMMENT ON FUNCTION vouch_data.bar(int, int, int, int, text, text) IS
'A line of a timeline, from from_cell to to_cell: drawn with work, and from wait_cell on (NULL: nowhere) with wait';

CREATE FUNCTION vouch.cycle_report(cycle_id bigint, report_id bigint, ascii boolean DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	of_cycle constant bigint := cycle_report.cycle_id;
	of_report constant bigint := cycle_report.report_id;
	plain constant boolean := coalesce(cycle_report.ascii, current_setting('client_encoding') <> 'UTF8');
	work constant text := CASE WHEN plain THEN '#' ELSE U&'\2588' END;
	wait constant text := CASE WHEN plain THEN '.' ELSE U&'\2592' END;
	width constant int := 18;
	period_start timestamptz;
	period_end timestamptz;
	line record;
	took text;
BEGIN
	IF of_cycle IS NULL OR of_report IS NULL THEN
		RAISE EXCEPTION 'no % given', CASE WHEN of_cycle IS NULL THEN 'cycle_id' ELSE 'report_id' END USING
			ERRCODE = 'VO502', DETAIL = 'A test cycle is known by its cycle and its report.', HINT = 'Give both numbers.';
	END IF;
	FOR line IN
		WITH each AS MATERIALIZED (
			SELECT n.phase, n.scope, n.bucket, n.artifact_no, n.head_no, n.head_state, n.open_no, n.open_since, t.first, t.submitted,
				CASE WHEN n.open_since IS NOT NULL THEN greatest(now(), t.last) ELSE t.last END AS last
			FROM vouch_data.artifact_now n
			CROSS JOIN LATERAL (
				SELECT min(u.first) AS first, max(u.last) AS last, max(u.submitted) AS submitted
				FROM (
					SELECT v.created_at AS first, greatest(v.created_at, v.submitted_at, v.closed_at) AS last,
						CASE WHEN v.state = 'pending_approval' THEN v.submitted_at END AS submitted
					FROM vouch_data.version v WHERE v.bucket = n.bucket AND v.artifact_no = n.artifact_no
					UNION ALL
					SELECT o.at, o.at, NULL FROM vouch_data.operation o
					WHERE n.head_no = 0 AND o.bucket = n.bucket AND o.artifact_no = n.artifact_no) AS u) AS t
			WHERE n.cycle_id = of_cycle AND n.report_id = of_report
		), summed AS (
			SELECT e.phase, count(*) AS artifacts, max(e.head_no) AS head_no, min(e.head_no) AS least_no, min(e.head_state) AS state, max(e.head_state) AS last_state,
				count(*) FILTER (WHERE e.head_state = 'approved') AS approved, min(e.first) AS first, max(e.last) AS last,
				min(e.open_since) AS open_since, CASE WHEN count(e.open_since) = count(e.submitted) THEN min(e.submitted) END AS submitted,
				(SELECT string_agg(DISTINCT vouch_data.waits_for(w.bucket, w.artifact_no, w.open_no), ', ')
					FROM each w WHERE w.phase = e.phase AND w.open_no IS NOT NULL) AS waits_for
			FROM each e GROUP BY e.phase
		)
		SELECT p.phase_no, p.label, p.versioned, s.*, r.record_count, min(s.first) OVER () AS period_start, max(s.last) OVER () AS period_end
		FROM vouch_data.phase p
		LEFT JOIN summed s ON s.phase = p.phase
		LEFT JOIN vouch.phase_metrics(NULL, of_cycle, of_report) r ON r.phase_key = p.phase
		WHERE p.shipped OR s.phase IS NOT NULL
		ORDER BY p.phase_no, p.phase
	LOOP
		IF period_start IS NULL AND period_end IS NULL THEN
			period_start := line.period_start;
			period_end := line.period_end;
			RETURN NEXT format('Cycle %s, report %s%s', of_cycle, of_report,
				CASE WHEN period_start IS NOT NULL THEN format(', %s to %s UTC', to_char(period_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'),
					to_char(period_end AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')) ELSE ', nothing done yet' END);
			period_end := coalesce(period_end, 'infinity');
		END IF;
		took := CASE WHEN line.phase IS NULL THEN ''
			WHEN line.open_since IS NOT NULL THEN 'waits ' || vouch_data.in_words((extract(epoch FROM now() - line.open_since) / 3600)::numeric)
				|| coalesce(' for ' || line.waits_for, '')
			ELSE vouch_data.in_words((extract(epoch FROM line.last - line.first) / 3600)::numeric) END;
		RETURN NEXT rtrim(rpad(line.phase_no || ' ' || line.label, 25) || ' '
			|| rpad(CASE WHEN line.head_no > 0 THEN 'v' || CASE WHEN line.least_no < line.head_no THEN line.least_no || '-' ELSE '' END || line.head_no ELSE '' END, 6) || ' '
			|| rpad(CASE WHEN line.phase IS NULL THEN 'not started'
				WHEN NOT line.versioned THEN line.record_count || ' recorded'
				WHEN line.state IS NULL THEN 'no version'
				WHEN line.state <> line.last_state THEN line.approved || '/' || line.artifacts || ' approved'
				ELSE CASE WHEN line.artifacts > 1 THEN line.artifacts || ' ' ELSE '' END
					|| CASE line.state WHEN 'pending_approval' THEN 'under review' ELSE line.state END END, 15) || ' '
			|| vouch_data.bar(vouch_data.cell(line.first, period_start, period_end, width), vouch_data.cell(line.submitted, period_start, period_end, width),
				vouch_data.cell(line.last, period_start, period_end, width), width, work, wait) || ' '
			|| CASE WHEN length(took) > 32 THEN left(took, 29) || '...' ELSE took END);
	END LOOP;
END
$$;
COMMENT ON FUNCTION vouch.cycle_report(bigint, bigint, boolean) IS
'A test cycle as lines of at most 100 characters: each phase with its version (v1-3 when its lines of business have different ones), its state, when it was worked on (full blocks) and has waited for its reviewers (shaded ones), and how long it took, or how long its open version has waited and for whom. ascii: draw with # and . (NULL: when the client''s encoding is not UTF8). VO502 when a number is missing';

GRANT EXECUTE ON FUNCTION vouch_data.in_words(numeric),
	vouch_data.cell(timestamptz, timestamptz, timestamptz, int), vouch_data.bar(int, int, int, int, text, text),
	vouch.cycle_report(bigint, bigint, boolean) TO vouch_reader;
