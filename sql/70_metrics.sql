-- Metrics: numbers of phases and workflows, trends, bottlenecks, activity.
\set SHOW_CONTEXT never

-- The classic example: of three samples two are approved, and carried forward
-- into a revision that adds a fourth.
CREATE ROLE regress_vouch_m_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_m_olga LOGIN IN ROLE vouch_user;		-- report owner
SELECT count(vouch.grant_role(a, r)) FROM (VALUES ('regress_vouch_m_tess', 'tester'), ('regress_vouch_m_olga', 'report_owner')) AS v(a, r);
SET SESSION AUTHORIZATION regress_vouch_m_tess;
SELECT vouch.create_version('Sample Selection', 7001, 1, '[
	{"id": "A", "type": "random", "source": "tester", "data": {"card": 1}},
	{"id": "B", "type": "random", "source": "tester", "data": {"card": 2}},
	{"id": "C", "type": "anomaly", "source": "llm", "data": {"card": 3}}]') AS v1 \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'v1') r;
SELECT open_state, vouch_data.waits_for(bucket, artifact_no, open_no) AS waits_for FROM vouch_data.artifact_now WHERE cycle_id = 7001;
SET SESSION AUTHORIZATION regress_vouch_m_olga;
SELECT vouch.decide(:'v1', '{"A": "approved", "B": "rejected", "C": "approved"}');
SELECT r->>'state' AS state FROM vouch.reject_version(:'v1', 'one more, please') r;
SET SESSION AUTHORIZATION regress_vouch_m_tess;
SELECT vouch.create_revision(:'v1', '[{"id": "D", "type": "targeted", "source": "tester", "data": {"card": 4}}]') AS v2 \gset
\x on
SELECT phase_key, artifact_count, version_count, revision_count, open_count, current_version_no, current_state, approved_count, rejected_count, returned_count,
	rejection_pct, approval_median_hours, rejection_median_hours < 1 AS rejected_within_the_hour,
	item_count, item_approved_count, item_rejected_count, item_carried_count, item_approval_pct, lob_count, record_count, change_count
FROM vouch.phase_metrics('Sample Selection', 7001, 1);
\x off
RESET SESSION AUTHORIZATION;

-- What comes out exactly needs times that are known: rows as a restored dump
-- would bring them.  Four approvals took 10, 60, 20 and 30 hours; a rejection took 5.
SELECT vouch.define_phase('metrics_test', 'Metrics Test', 'id');
SET vouch.restoring = on;
CREATE FUNCTION pg_temp.fixture(report int, version_no int, state text, created text, submitted text, closed text, scope text DEFAULT '') RETURNS void
LANGUAGE sql AS $$
	INSERT INTO vouch_data.artifact (bucket, artifact_no, subject, phase, scope, cycle_id, report_id, head_no, last_no, created_at)
	VALUES (vouch.bucket('cycle-7002-report-' || report), 1000000 + report, 'cycle-7002-report-' || report, 'metrics_test', scope, 7002, report, 1, 1, created::timestamptz)
	ON CONFLICT (bucket, artifact_no) DO UPDATE SET head_no = artifact.head_no + 1, last_no = artifact.last_no + 1;
	INSERT INTO vouch_data.version (bucket, artifact_no, version_no, parent_no, state, round, created_by, created_at, submitted_by, submitted_at, closed_by, closed_at, workflow_id)
	VALUES (vouch.bucket('cycle-7002-report-' || report), 1000000 + report, version_no, nullif(version_no - 1, 0), state::vouch.version_state,
		(submitted IS NOT NULL)::int, 'metrics-ann', created::timestamptz, CASE WHEN submitted IS NOT NULL THEN 'metrics-ann' END, submitted::timestamptz,
		CASE WHEN closed IS NOT NULL THEN 'metrics-bob' END, closed::timestamptz, 'cycle-7002-report-' || report || CASE WHEN scope <> '' THEN '/lob-' || scope ELSE '' END);
	INSERT INTO vouch_data.operation (bucket, artifact_no, op_no, version_no, operation, actor, db_user, at, xid, workflow_id, items, leaf)
	SELECT vouch.bucket('cycle-7002-report-' || report), 1000000 + report, 10 * version_no + o.n, version_no, o.operation, o.actor, o.actor, o.at::timestamptz, o.xid::xid8,
		'cycle-7002-report-' || report || CASE WHEN scope <> '' THEN '/lob-' || scope ELSE '' END, 4, ''
	FROM (VALUES (1, CASE version_no WHEN 1 THEN 'create_version' ELSE 'create_revision' END, 'metrics-ann', created, '11'),
		(2, 'edit_items', 'metrics-ann', created, '12'),
		(3, 'submit', 'metrics-ann', submitted, '13'),
		(4, 'decide', 'metrics-bob', closed, '14'),
		(5, 'sign_off', 'metrics-bob', closed, '15'),
		(6, CASE state WHEN 'rejected' THEN 'reject' ELSE 'approve' END, 'metrics-bob', closed, '15')) AS o(n, operation, actor, at, xid)
	WHERE o.at IS NOT NULL;
$$;
CREATE FUNCTION pg_temp.fixture_items(report int, version_no int, pending int, approved int, rejected int, carried int) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO vouch_data.version_stat (bucket, artifact_no, version_no, stage, status, source, carried, items)
	SELECT vouch.bucket('cycle-7002-report-' || report), 1000000 + report, version_no, 1, s.status::vouch.verdict, 'tester', s.carried, s.items
	FROM (VALUES ('pending', false, pending), ('approved', false, approved), ('rejected', false, rejected), ('approved', true, carried)) AS s(status, carried, items)
$$;
CREATE VIEW pg_temp.of_fixture AS SELECT bucket, artifact_no, report_id FROM vouch_data.artifact WHERE phase = 'metrics_test';
SET timezone = 'UTC';
SELECT pg_temp.fixture(1, 1, 'superseded', '2020-03-01 00:00', '2020-03-01 01:00', '2020-03-01 11:00');
SELECT pg_temp.fixture(1, 2, 'approved', '2020-03-01 12:00', '2020-03-02 00:00', '2020-03-04 12:00');
SELECT pg_temp.fixture(2, 1, 'rejected', '2020-03-01 00:00', '2020-03-01 01:00', '2020-03-01 06:00');
SELECT pg_temp.fixture(2, 2, 'approved', '2020-03-01 12:00', '2020-03-02 00:00', '2020-03-02 20:00');
SELECT pg_temp.fixture(3, 1, 'pending_approval', '2020-03-04 00:00', '2020-03-05 00:00', NULL);
SELECT pg_temp.fixture(4, 1, 'approved', '2020-03-01 00:00', '2020-03-02 00:00', '2020-03-03 06:00', 'CARDS');
SELECT pg_temp.fixture_items(1, 1, 0, 6, 2, 0), pg_temp.fixture_items(1, 2, 0, 1, 0, 6), pg_temp.fixture_items(2, 1, 0, 3, 5, 0),
	pg_temp.fixture_items(2, 2, 0, 4, 0, 3), pg_temp.fixture_items(3, 1, 5, 0, 0, 0), pg_temp.fixture_items(4, 1, 0, 4, 0, 0);
-- one operation that failed
INSERT INTO vouch_data.operation (bucket, artifact_no, op_no, version_no, operation, actor, db_user, at, xid, workflow_id, items, error, leaf)
VALUES (vouch.bucket('cycle-7002-report-1'), 1000001, 30, 2, 'decide', 'metrics-bob', 'metrics-bob', '2020-03-02 10:00', '16', 'cycle-7002-report-1', 3, 'no such item', '');
RESET vouch.restoring;

CREATE VIEW pg_temp.numbers AS
SELECT 'everything' AS of, m.* FROM vouch.phase_metrics('Metrics Test') m
UNION ALL SELECT 'cycle', m.* FROM vouch.phase_metrics('metrics-test', 7002) m
UNION ALL SELECT 'report', m.* FROM vouch.phase_metrics('metrics_test', NULL, 2) m
UNION ALL SELECT 'cycle and report', m.* FROM vouch.phase_metrics('METRICS TEST', 7002, 1) m;
-- median of 10, 20, 30, 60: 25; 90th percentile: 30 + 0.7 × 30 = 51; mean: 30
SELECT of, artifact_count, version_count, revision_count, open_count, current_version_no, current_state FROM pg_temp.numbers;
SELECT of, approved_count, rejected_count, rejection_pct, approval_median_hours AS median, approval_p90_hours AS p90, approval_mean_hours AS mean,
	approval_longest_hours AS longest, rejection_median_hours AS rejection FROM pg_temp.numbers;
SELECT of, item_count, item_approved_count, item_rejected_count, item_carried_count, item_approval_pct, lob_count FROM pg_temp.numbers;

-- A workflow's numbers include its children's; the last row is the whole of it.
SELECT * FROM vouch.workflow_metrics('cycle-7002-report-1');
SELECT * FROM vouch.workflow_metrics('cycle-7002-report-4');
SELECT * FROM vouch.workflow_metrics('cycle-7002-report-4/lob-CARDS') WHERE phase IS NOT NULL;
SELECT vouch.workflow_metrics('cycle-7002-report-');
\echo :LAST_ERROR_SQLSTATE

-- Open waits come first, then what has been slow, and what went round.
SELECT severity, kind, phase, subject, version_no, measured, value > threshold AS over, threshold FROM vouch.bottlenecks(7002) WHERE kind LIKE 'open%';
SELECT severity, kind, phase, measured, value, threshold FROM vouch.bottlenecks(7002) WHERE kind NOT LIKE 'open%';
SELECT severity, kind, measured, value, threshold FROM vouch.bottlenecks(7002, 4);
SELECT severity, kind, subject FROM vouch.bottlenecks(max_waits => 10000) WHERE phase = 'metrics_test';
-- A draft waits for its maker; it is none until it is a day old.
SELECT count(*) FROM vouch.bottlenecks(7001);
SELECT waits_for, version_no, age < interval '1 hour' AS young
FROM (SELECT open_no AS version_no, now() - open_since AS age, vouch_data.waits_for(bucket, artifact_no, open_no) AS waits_for
	FROM vouch_data.artifact_now WHERE cycle_id = 7001) AS w;

-- Trends have a row for every day; a rate of nothing is not 0.
SET vouch.restoring = on;
SELECT pg_temp.fixture(5, 1, 'approved', d || ' 01:00', d || ' 02:00', d || ' 06:00') FROM (SELECT (now()::date - 3)::text AS d) AS x;
SELECT pg_temp.fixture(6, 1, 'rejected', d || ' 01:00', d || ' 02:00', d || ' 06:00') FROM (SELECT (now()::date - 3)::text AS d) AS x;
SELECT pg_temp.fixture(6, 2, 'pending_approval', d || ' 08:00', d || ' 09:00', NULL) FROM (SELECT (now()::date - 3)::text AS d) AS x;
SELECT pg_temp.fixture(7, 1, 'approved', d || ' 01:00', d || ' 02:00', d || ' 04:00') FROM (SELECT (now()::date - 1)::text AS d) AS x;
RESET vouch.restoring;
CREATE VIEW pg_temp.trend AS
SELECT (now() AT TIME ZONE 'UTC')::date - day_on AS days_ago, version_count AS made, revision_count AS revised, submission_count AS submitted,
	returned_count AS returned, approved_count AS approved, rejected_count AS rejected, approval_pct, approval_mean_hours
FROM vouch.version_trends('metrics_test', 5);
SELECT * FROM pg_temp.trend;
SELECT count(*), min(version_count) FROM vouch.version_trends(days => 365);
SELECT count(*) FROM vouch.version_trends(days => 1);

-- Who did what, lately and ever.
SELECT actor_name, phase, operation_count AS operations, failed_count AS failed, version_count AS versions, edit_count AS edits, submission_count AS submissions,
	decision_count AS decisions, item_decision_count AS items, signature_count AS signatures, (now() AT TIME ZONE 'UTC')::date - last_at::date AS days_ago
FROM vouch.user_activity(days => 5) WHERE actor_name LIKE 'metrics-%';
SELECT actor_name, operation_count, version_count FROM vouch.user_activity('metrics-ann', 2);
SELECT actor_name, phase, version_count, edit_count, submission_count, decision_count, signature_count FROM vouch.user_activity('regress_vouch_m_tess', 1);

-- None of it depends on whether, or how far, it was rolled up.
CREATE VIEW pg_temp.all_numbers AS
SELECT 'phase ' || coalesce(p, '') || coalesce(c, 0) || ' ' || coalesce(r, 0) AS what, m::text AS row
FROM (VALUES (NULL, NULL, NULL), ('metrics_test', NULL, NULL), (NULL, 7002, NULL), (NULL, NULL, 2), (NULL, 7002, 1), (NULL, 7001, 1)) AS v(p, c, r),
	vouch.phase_metrics(v.p, v.c, v.r) m
UNION ALL SELECT 'workflow', m::text FROM vouch.workflow_metrics('cycle-7002-report-4') m
UNION ALL SELECT 'trends', m::text FROM vouch.version_trends(NULL, 365) m
UNION ALL SELECT 'bottleneck', (m.kind, m.phase, m.subject, m.version_no, m.waits_for)::text FROM vouch.bottlenecks() m
UNION ALL SELECT 'activity ' || d, m::text FROM (VALUES (1), (9), (70), (365)) AS v(d), vouch.user_activity(NULL, v.d) m
UNION ALL SELECT 'daily', m::text FROM vouch_bi.kpi_phase_daily m;
CREATE TEMP TABLE live AS SELECT * FROM pg_temp.all_numbers;
SELECT vouch.refresh_analytics() >= 30 AS rolled_up;
SELECT sum(operations) AS of_the_fixture FROM vouch_data.phase_day WHERE phase = 'metrics_test';
(SELECT 'was', * FROM live EXCEPT ALL SELECT 'was', * FROM pg_temp.all_numbers) UNION ALL (SELECT 'is', * FROM pg_temp.all_numbers EXCEPT ALL SELECT 'is', * FROM live);
-- what comes later is there at once: in an artifact that is rolled up, and in a new one
SET vouch.restoring = on;
UPDATE vouch_data.version SET state = 'approved', closed_by = 'metrics-bob', closed_at = '2020-03-06 16:00' WHERE (bucket, artifact_no) IN (SELECT bucket, artifact_no FROM pg_temp.of_fixture WHERE report_id = 3);
INSERT INTO vouch_data.operation (bucket, artifact_no, op_no, version_no, operation, actor, db_user, at, xid, items, leaf)
VALUES (vouch.bucket('cycle-7002-report-3'), 1000003, 20, 1, 'approve', 'metrics-bob', 'metrics-bob', '2020-03-06 16:00', pg_current_xact_id(), 5, '');
RESET vouch.restoring;
SET SESSION AUTHORIZATION regress_vouch_m_tess;
SELECT vouch.discard_version(:'v2');
RESET SESSION AUTHORIZATION;
-- 10, 20, 30, 40, 60, and of the last days 4 and 2
SELECT artifact_count, version_count, open_count, approved_count, rejected_count, approval_median_hours AS median, approval_p90_hours AS p90, approval_mean_hours AS mean
FROM vouch.phase_metrics('metrics_test');
SELECT version_count, revision_count, current_version_no, current_state, item_count, item_carried_count FROM vouch.phase_metrics('sample_selection', 7001);
SELECT kind, subject FROM vouch.bottlenecks(max_waits => 10000) WHERE phase = 'metrics_test' AND kind LIKE 'open%' ORDER BY 2;
TRUNCATE live;
INSERT INTO live SELECT * FROM pg_temp.all_numbers;
SELECT vouch.refresh_analytics() IS NOT NULL AS refreshed;
(SELECT 'was', * FROM live EXCEPT ALL SELECT 'was', * FROM pg_temp.all_numbers) UNION ALL (SELECT 'is', * FROM pg_temp.all_numbers EXCEPT ALL SELECT 'is', * FROM live);
-- and starting all over gives the same
SELECT vouch.refresh_analytics(rebuild => true) > 30 AS rolled_up;
(SELECT 'was', * FROM live EXCEPT ALL SELECT 'was', * FROM pg_temp.all_numbers) UNION ALL (SELECT 'is', * FROM pg_temp.all_numbers EXCEPT ALL SELECT 'is', * FROM live);

-- The percentiles are exact, however many waits there are.
SET vouch.restoring = on;
SELECT count(*) FROM (SELECT pg_temp.fixture(n, 1, CASE WHEN n % 5 = 0 THEN 'rejected' ELSE 'approved' END, '2020-01-01 00:00', '2020-01-01 01:00',
	(timestamp '2020-01-01 01:00' + interval '1 second' * (n * n % 7919) * (n % 13))::text) FROM generate_series(1001, 1400) AS n) AS many;
UPDATE vouch_data.operation SET xid = pg_current_xact_id() WHERE (bucket, artifact_no) IN (SELECT bucket, artifact_no FROM pg_temp.of_fixture WHERE report_id > 1000);
RESET vouch.restoring;
CREATE VIEW pg_temp.exact AS
SELECT m.approval_median_hours - round(percentile_cont(0.5) WITHIN GROUP (ORDER BY hours) FILTER (WHERE state <> 'rejected')::numeric, 2) AS median,
	m.approval_p90_hours - round(percentile_cont(0.9) WITHIN GROUP (ORDER BY hours) FILTER (WHERE state <> 'rejected')::numeric, 2) AS p90,
	m.approval_mean_hours - round(avg(hours) FILTER (WHERE state <> 'rejected')::numeric, 2) AS mean,
	m.approval_longest_hours - round(max(hours) FILTER (WHERE state <> 'rejected')::numeric, 2) AS longest,
	m.rejection_median_hours - round(percentile_cont(0.5) WITHIN GROUP (ORDER BY hours) FILTER (WHERE state = 'rejected')::numeric, 2) AS rejection
FROM vouch.phase_metrics('metrics_test') m,
	(SELECT v.state, extract(epoch FROM v.closed_at - v.submitted_at)::float8 / 3600 AS hours
	FROM vouch_data.version v JOIN vouch_data.artifact a USING (bucket, artifact_no) WHERE a.phase = 'metrics_test' AND v.closed_at IS NOT NULL) AS v
GROUP BY m.approval_median_hours, m.approval_p90_hours, m.approval_mean_hours, m.approval_longest_hours, m.rejection_median_hours;
SELECT * FROM pg_temp.exact;
SELECT vouch.refresh_analytics() IS NOT NULL AS refreshed;
SELECT * FROM pg_temp.exact;

-- A restored dump brings numbers of transactions that this server will give
-- out much later.  The first refresh rolls these operations up, and once only.
TRUNCATE live;
INSERT INTO live SELECT * FROM pg_temp.all_numbers;
SET vouch.restoring = on;
UPDATE vouch_data.operation SET xid = ((xid::text::numeric + 1000000000000)::text)::xid8 WHERE (bucket, artifact_no) IN (SELECT bucket, artifact_no FROM pg_temp.of_fixture) AND op_no % 10 > 2;
RESET vouch.restoring;
SELECT vouch.refresh_analytics(rebuild => true) > 2000 AS rolled_up;
SELECT count(*) AS in_the_tail FROM vouch_data.tail() WHERE phase = 'metrics_test';
(SELECT 'was', * FROM live EXCEPT ALL SELECT 'was', * FROM pg_temp.all_numbers) UNION ALL (SELECT 'is', * FROM pg_temp.all_numbers EXCEPT ALL SELECT 'is', * FROM live);
SELECT vouch.refresh_analytics() < 2000 AS not_again;
(SELECT 'was', * FROM live EXCEPT ALL SELECT 'was', * FROM pg_temp.all_numbers) UNION ALL (SELECT 'is', * FROM pg_temp.all_numbers EXCEPT ALL SELECT 'is', * FROM live);

-- A cycle on one screen, drawn for any terminal.
SELECT vouch.cycle_report(7002, 1, ascii => true);
SELECT max(length(l)) <= 100 AS narrow, count(*) FROM vouch.cycle_report(7001, 1) l;
SELECT vouch.cycle_report(7999, 1, ascii => true);
SELECT vouch.cycle_report(7999, NULL);
\echo :LAST_ERROR_SQLSTATE

-- Wrong arguments say what would be right.
SELECT phase_key FROM vouch.phase_metrics('Sample Selecton');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.version_trends('scoping', 0);
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.user_activity('metrics-ann', 366);
SELECT vouch.version_trends(days => NULL);
SELECT vouch.schedule_analytics();
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.unschedule_analytics();

-- Readers read; only administrators refresh.
CREATE ROLE regress_vouch_m_rita LOGIN IN ROLE vouch_reader;
SET SESSION AUTHORIZATION regress_vouch_m_rita;
SELECT approved_count FROM vouch.phase_metrics('metrics_test', 7002, 1);
SELECT count(*) FROM vouch.bottlenecks(7002, 1);
SELECT count(*) FROM vouch.workflow_metrics('cycle-7002-report-1');
SELECT count(*) FROM vouch.cycle_report(7002, 1);
SELECT count(*) FROM vouch.user_activity('metrics-ann');
SELECT vouch.refresh_analytics();
RESET SESSION AUTHORIZATION;

-- The fixture goes, so that later tests do not see its phase.
SET vouch.restoring = on;
DELETE FROM vouch_data.version_stat WHERE (bucket, artifact_no) IN (SELECT bucket, artifact_no FROM pg_temp.of_fixture);
DELETE FROM vouch_data.version WHERE (bucket, artifact_no) IN (SELECT bucket, artifact_no FROM pg_temp.of_fixture);
DELETE FROM vouch_data.operation WHERE (bucket, artifact_no) IN (SELECT bucket, artifact_no FROM pg_temp.of_fixture);
DELETE FROM vouch_data.artifact WHERE phase = 'metrics_test';
DELETE FROM vouch_data.phase WHERE phase = 'metrics_test';
RESET vouch.restoring;
SELECT vouch.refresh_analytics(rebuild => true) IS NOT NULL AS rebuilt;
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_m\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_m_tess, regress_vouch_m_olga, regress_vouch_m_rita;
