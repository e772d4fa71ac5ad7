-- Fills an empty database with about :operations operations of a year, and the
-- artifacts, versions and counts that go with them.
-- Straight into the tables: what is measured is reading.
SET vouch.restoring = on;
SET synchronous_commit = off;
SET work_mem = '256MB';
SET maintenance_work_mem = '512MB';
SET jit = off;

-- a number from 0 to 1 that depends on nothing but its arguments
CREATE FUNCTION pg_temp.dice(k bigint, salt int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (hashint8extended(k, salt) & 1048575)::float8 / 1048576 $$;

-- Six artifacts of a subject have versions, three are audit-only.
CREATE TEMP TABLE made AS
SELECT s.bucket, row_number() OVER (PARTITION BY s.bucket ORDER BY s.n, p.phase_no)::int AS artifact_no, s.n * 16 + p.phase_no AS k,
	s.subject, p.phase, p.versioned, CASE WHEN p.phase_no BETWEEN 5 AND 8 THEN 'LOB-' || s.n % 7 ELSE '' END AS scope,
	s.cycle_id, s.report_id, s.started_at
FROM (SELECT n, n / 200 AS cycle_id, n % 200 AS report_id, format('cycle-%s-report-%s', n / 200, n % 200) AS subject,
		vouch.bucket(format('cycle-%s-report-%s', n / 200, n % 200)) AS bucket,
		now() - interval '365 days' * pg_temp.dice(n, 0) AS started_at
	FROM generate_series(1, :operations / 81) AS n) AS s
CROSS JOIN vouch_data.phase p
WHERE p.shipped;

INSERT INTO vouch_data.artifact (bucket, artifact_no, subject, phase, scope, cycle_id, report_id, created_at)
SELECT bucket, artifact_no, subject, phase, scope, cycle_id, report_id, started_at FROM made;

CREATE TEMP TABLE made_version AS
SELECT m.bucket, m.artifact_no, m.k * 4 + v.no AS k, v.no AS version_no, v.state,
	greatest(m.started_at, least(now() - interval '3 days', m.started_at + interval '10 days' * (v.no - 1))) + interval '1 day' * pg_temp.dice(m.k, v.no) AS created_at
FROM (SELECT *, pg_temp.dice(k, 10) < 0.4 AS twice, pg_temp.dice(k, 11) AS fate FROM made WHERE versioned) AS m
CROSS JOIN LATERAL (
	SELECT 1 AS no, CASE WHEN m.twice AND m.fate < 0.8 THEN 'superseded' WHEN m.fate < 0.86 THEN 'approved'
		WHEN m.fate < 0.98 OR m.twice THEN 'rejected' WHEN m.fate < 0.99 THEN 'pending_approval' ELSE 'draft' END AS state
	UNION ALL
	SELECT 2, CASE WHEN m.fate < 0.8 THEN 'approved' WHEN m.fate < 0.98 THEN 'rejected' WHEN m.fate < 0.99 THEN 'pending_approval' ELSE 'draft' END
	WHERE m.twice) AS v;

INSERT INTO vouch_data.version (bucket, artifact_no, version_no, parent_no, state, round, created_by, created_at, submitted_by, submitted_at, closed_by, closed_at, workflow_id)
SELECT v.bucket, v.artifact_no, v.version_no, nullif(v.version_no - 1, 0), v.state::vouch.version_state, (v.state <> 'draft')::int,
	'maker-' || v.k % 300, v.created_at, CASE WHEN v.state <> 'draft' THEN 'maker-' || v.k % 300 END,
	CASE WHEN v.state <> 'draft' THEN v.created_at + interval '1 hour' END,
	CASE WHEN v.state NOT IN ('draft', 'pending_approval') THEN 'owner-' || v.k % 200 END,
	CASE WHEN v.state NOT IN ('draft', 'pending_approval') THEN v.created_at + interval '1 hour' + interval '8 hours' * power(20, pg_temp.dice(v.k, 1) - pg_temp.dice(v.k, 2)) END,
	a.subject
FROM made_version v JOIN made a USING (bucket, artifact_no);
UPDATE vouch_data.artifact a SET head_no = h.no
FROM (SELECT bucket, artifact_no, max(version_no) AS no FROM made_version GROUP BY 1, 2) AS h
WHERE a.bucket = h.bucket AND a.artifact_no = h.artifact_no;

INSERT INTO vouch_data.version_stat
SELECT v.bucket, v.artifact_no, v.version_no, 1, s.status::vouch.verdict, s.source, s.carried, 1 + (hashint8extended(v.k, s.salt) & 63)
FROM made_version v
CROSS JOIN LATERAL (VALUES ('pending', 'tester', false, 1, v.state IN ('draft', 'pending_approval')), ('approved', 'tester', false, 2, v.state <> 'draft'),
	('approved', 'llm', false, 3, v.state <> 'draft'), ('rejected', 'llm', false, 4, v.state NOT IN ('draft', 'pending_approval')),
	('approved', 'tester', true, 5, v.version_no > 1)) AS s(status, source, carried, salt, it_has)
WHERE s.it_has;

-- As many edits as it takes: what is left of the wanted number, shared out evenly.
CREATE TEMP TABLE made_operation AS
SELECT o.*, row_number() OVER (PARTITION BY bucket, artifact_no ORDER BY version_no, place)::int AS op_no
FROM (
	SELECT v.bucket, v.artifact_no, v.version_no, p.place, p.operation,
		CASE WHEN p.place < 70 THEN 'maker-' || v.k % 300 ELSE 'owner-' || v.k % 200 END AS actor, v.created_at + interval '1 minute' * p.place AS at, v.k
	FROM made_version v
	CROSS JOIN LATERAL (
		SELECT 0 AS place, CASE v.version_no WHEN 1 THEN 'create_version' ELSE 'create_revision' END AS operation
		UNION ALL SELECT n, 'edit_items' FROM generate_series(1, (CASE WHEN v.state = 'draft' THEN 3 ELSE 4 END)) AS n
		UNION ALL SELECT 60, 'submit' WHERE v.state <> 'draft'
		UNION ALL SELECT 70, 'decide' WHERE v.state <> 'draft'
		UNION ALL SELECT 71, 'decide' WHERE v.state <> 'draft'
		UNION ALL SELECT 72, 'sign_off' WHERE v.state NOT IN ('draft', 'pending_approval')
		UNION ALL SELECT 73, CASE v.state WHEN 'rejected' THEN 'reject' ELSE 'approve' END WHERE v.state NOT IN ('draft', 'pending_approval')) AS p
	UNION ALL
	SELECT m.bucket, m.artifact_no, NULL, n, 'record_test_action', 'maker-' || m.k % 300, m.started_at + interval '1 hour' * n, m.k
	FROM made m CROSS JOIN generate_series(1, 2) AS n WHERE NOT m.versioned) AS o;

-- Transactions of the past, in the order of time.
INSERT INTO vouch_data.operation (bucket, artifact_no, op_no, version_no, operation, rule, actor, db_user, at, xid, workflow_id, items, items_root, detail, error, prev, leaf)
SELECT o.bucket, o.artifact_no, o.op_no, o.version_no, o.operation, NULL, o.actor, o.actor, o.at,
	((3 + 600 * extract(epoch FROM o.at - (now() - interval '366 days')) / (380 * 86400.0))::bigint)::text::xid8,
	a.subject, 1 + o.k % 50, sha256(int8send(o.k)), '{"reason": "as planned"}', CASE WHEN pg_temp.dice(o.k, o.place) < 0.005 THEN 'it did not work' END,
	sha256(int8send(o.k)), sha256(int8send(o.k))
FROM made_operation o JOIN made a USING (bucket, artifact_no)
ORDER BY o.at;
DROP TABLE made_operation, made_version, made;
RESET vouch.restoring;
VACUUM (ANALYZE) vouch_data.operation, vouch_data.version, vouch_data.artifact, vouch_data.version_stat;
SELECT count(*) AS operations FROM vouch_data.operation;
