-- The views for BI tools: what they promise of their form, and that they add up.
\set SHOW_CONTEXT never

-- Every view, and every column, says what it is.
SELECT c.relname AS undocumented, a.attname
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'vouch_bi'::regnamespace AND col_description(c.oid, a.attnum) IS NULL;
SELECT c.relname AS undocumented FROM pg_class c WHERE c.relnamespace = 'vouch_bi'::regnamespace AND obj_description(c.oid) IS NULL;
SELECT c.relname, split_part(obj_description(c.oid), ':', 1) AS grain FROM pg_class c WHERE c.relnamespace = 'vouch_bi'::regnamespace ORDER BY 1;

-- Plain views with the reader's rights, and columns that every tool can read.
SELECT c.relname, c.relkind, c.reloptions FROM pg_class c
WHERE c.relnamespace = 'vouch_bi'::regnamespace
	AND NOT (c.relkind = 'v' AND c.reloptions @> ARRAY['security_invoker=true', 'security_barrier=true']);
CREATE TEMP VIEW bi_column AS
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'vouch_bi'::regnamespace;
SELECT type, count(*) > 0 AS used FROM bi_column GROUP BY 1 ORDER BY 1;

-- Names tell units: _at is a time and _on a day, is_ and has_ are true or false,
-- _count, _no and _id are whole (ids may be keys), _hours and _pct have decimals.
SELECT relname, attname, type FROM bi_column
WHERE (attname LIKE '%\_at') <> (type = 'timestamp with time zone')
	OR (attname LIKE '%\_on') <> (type = 'date')
	OR (attname ~ '^(is|has)_') <> (type = 'boolean')
	OR (attname ~ '_(count|no)$') AND type NOT IN ('integer', 'bigint')
	OR (attname ~ '_(hours|pct)$') <> (type = 'numeric')
ORDER BY 1, 2;
-- A key has the same name and type wherever it is; where there is a phase, there is its order.
SELECT attname, count(DISTINCT type) FROM bi_column WHERE attname IN ('artifact_id', 'version_id', 'phase', 'subject', 'workflow_id') GROUP BY 1 HAVING count(DISTINCT type) > 1;
SELECT relname FROM bi_column WHERE attname = 'phase' EXCEPT SELECT relname FROM bi_column WHERE attname = 'phase_no';
SELECT view_name FROM vouch_bi.freshness EXCEPT SELECT relname FROM pg_class WHERE relnamespace = 'vouch_bi'::regnamespace
UNION ALL (SELECT relname FROM pg_class WHERE relnamespace = 'vouch_bi'::regnamespace AND relname <> 'freshness' EXCEPT SELECT view_name FROM vouch_bi.freshness);

-- Something to count: a scope that is revised after its approval, and sent back.
CREATE ROLE regress_vouch_bi_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_bi_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES ('regress_vouch_bi_tess', 'tester'), ('regress_vouch_bi_olga', 'report_owner')) AS v(a, r);
SELECT vouch.define_policy('regress_bi_review', '{"items": "decided", "stages": [
	{"name": "review", "on_reject": "return", "rules": [{"role": "report_owner", "meaning": "the scope is right"}]}]}');
SELECT vouch.set_policy('scoping', 'regress_bi_review', 'regress_bi');
SET SESSION AUTHORIZATION regress_vouch_bi_tess;
SELECT vouch.create_version('scoping', 7101, 1, '[{"attribute_id": "balance", "in_scope": true}, {"attribute_id": "zip", "in_scope": false}]', 'regress_bi') AS s1 \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'s1') r;
SET SESSION AUTHORIZATION regress_vouch_bi_olga;
SELECT vouch.decide(:'s1', '{"balance": "approved", "zip": "approved"}');
SELECT r->>'state' AS state FROM vouch.approve_version(:'s1') r;
SET SESSION AUTHORIZATION regress_vouch_bi_tess;
SELECT vouch.create_revision(:'s1', '[{"attribute_id": "limit", "in_scope": true}]') AS s2 \gset
SELECT r->>'state' AS state FROM vouch.submit_version(:'s2') r;
SET SESSION AUTHORIZATION regress_vouch_bi_olga;
SELECT r->>'state' AS state FROM vouch.return_version(:'s2', 'and the rate?') r;
RESET SESSION AUTHORIZATION;

SELECT version_no, state, v.is_current, v.is_revision, v.is_open, v.is_approved, submission_count, returned_count,
	approval_hours IS NOT NULL AS has_approval, open_hours IS NOT NULL AS has_open, item_count, item_approved_count AS approved, item_pending_count AS pending, item_carried_count AS carried
FROM vouch_bi.fact_version v JOIN vouch_bi.dim_artifact a USING (artifact_id) WHERE a.cycle_id = 7101 ORDER BY version_no;
SELECT item_key, from_version_no AS from, until_version_no AS until, is_current, is_carried, verdict, is_decided, decided_by, decision_hours IS NOT NULL AS has_hours
FROM vouch_bi.fact_decision d JOIN vouch_bi.dim_artifact a USING (artifact_id) WHERE a.cycle_id = 7101 ORDER BY 1, 2;
SELECT version_no, submission_no, signature_no, policy, role, verdict, signer, is_delegated, signed_on = vouch_data.utc_day(signed_at) AS utc
FROM vouch_bi.fact_signature s JOIN vouch_bi.dim_artifact a USING (artifact_id) WHERE a.cycle_id = 7101 ORDER BY 1, 2, 3;
SELECT operation_no AS no, version_no AS version, operation, operation_kind AS kind, actor, item_count AS items, is_failed
FROM vouch_bi.fact_operation o JOIN vouch_bi.dim_artifact a USING (artifact_id) WHERE a.cycle_id = 7101 ORDER BY 1;
SELECT phase, phase_no, phase_label, lob_id, current_version_no, current_state, is_open FROM vouch_bi.dim_artifact WHERE cycle_id = 7101;

-- The counts are those of the tables.
SELECT (SELECT count(*) FROM vouch_bi.dim_phase) = (SELECT count(*) FROM vouch_data.phase) AS phases,
	(SELECT count(*) FROM vouch_bi.dim_artifact) = (SELECT count(*) FROM vouch_data.artifact WHERE phase <> '@configuration') AS artifacts,
	(SELECT count(*) FROM vouch_bi.fact_version) = (SELECT count(*) FROM vouch_data.version) AS versions,
	(SELECT count(*) FROM vouch_bi.fact_decision) = (SELECT count(*) FROM vouch_data.decision) AS decisions,
	(SELECT count(*) FROM vouch_bi.fact_signature) = (SELECT count(*) FROM vouch_data.signature) AS signatures,
	(SELECT count(*) FROM vouch_bi.fact_operation) = (SELECT count(*) FROM vouch_data.operation)
		- (SELECT count(*) FROM vouch_data.artifact a JOIN vouch_data.operation o USING (bucket, artifact_no) WHERE a.phase = '@configuration') AS operations,
	(SELECT count(*) FROM vouch_bi.fact_execution) = (SELECT count(*) FROM vouch_data.execution) AS executions;
SELECT (SELECT count(DISTINCT version_id) FROM vouch_bi.fact_version) = (SELECT count(*) FROM vouch_data.version) AS version_keys,
	(SELECT count(DISTINCT decision_id) FROM vouch_bi.fact_decision) = (SELECT count(*) FROM vouch_data.decision) AS decision_keys,
	(SELECT count(DISTINCT artifact_id) FROM vouch_bi.dim_artifact) = (SELECT count(*) FROM vouch_data.artifact WHERE phase <> '@configuration') AS artifact_keys,
	(SELECT count(DISTINCT day_on) = count(*) AND min(day_on) = '2020-01-01' FROM vouch_bi.dim_date) AS days;
-- Decisions that are shown by a version are its items; the current ones of an artifact are its newest version's.
SELECT count(*) AS wrong FROM vouch_bi.fact_version v
LEFT JOIN (SELECT v.version_id, count(*) AS items, count(*) FILTER (WHERE d.verdict = 'approved') AS approved
	FROM vouch_bi.fact_version v JOIN vouch_bi.fact_decision d ON d.artifact_id = v.artifact_id AND d.stage_no = 1
		AND d.from_version_no <= v.version_no AND coalesce(d.until_version_no > v.version_no, true) GROUP BY 1) AS shown USING (version_id)
WHERE (v.item_count, v.item_approved_count) IS DISTINCT FROM (coalesce(items, 0), coalesce(approved, 0))
	OR v.item_count <> v.item_pending_count + v.item_approved_count + v.item_rejected_count + v.item_needs_changes_count;
-- The daily figures add up to the facts, and to what the functions say.
SELECT k.phase FROM (SELECT phase, sum(operation_count) AS operations, sum(failed_operation_count) AS failed, sum(version_count) AS versions,
		sum(submission_count) AS submissions, sum(approved_count) AS approved, sum(rejected_count) AS rejected
	FROM vouch_bi.kpi_phase_daily GROUP BY phase) AS k
LEFT JOIN (SELECT phase, count(*) AS operations, count(*) FILTER (WHERE is_failed) AS failed, count(*) FILTER (WHERE operation_kind = 'create' AND NOT is_failed) AS versions,
		count(*) FILTER (WHERE operation_kind = 'submit' AND NOT is_failed) AS submissions FROM vouch_bi.fact_operation GROUP BY phase) AS o ON o.phase = k.phase
LEFT JOIN (SELECT phase, count(*) FILTER (WHERE is_approved) AS approved, count(*) FILTER (WHERE is_rejected) AS rejected FROM vouch_bi.fact_version GROUP BY phase) AS v ON v.phase = k.phase
LEFT JOIN vouch.phase_metrics(NULL) m ON m.phase_key = k.phase
WHERE (k.operations, k.failed, k.versions, k.submissions, k.approved, k.rejected) IS DISTINCT FROM
		(coalesce(o.operations, 0), coalesce(o.failed, 0), coalesce(o.versions, 0), coalesce(o.submissions, 0), coalesce(v.approved, 0), coalesce(v.rejected, 0))
	OR (k.approved, k.rejected) IS DISTINCT FROM (m.approved_count::numeric, m.rejected_count::numeric);
SELECT count(*) = count(DISTINCT (phase, day_on)) AS one_row_per_phase_and_day, max(day_on) = vouch_data.utc_day(now()) AS to_today FROM vouch_bi.kpi_phase_daily;

-- A reader reads all of it, and nobody else any of it.
CREATE ROLE regress_vouch_bi_rita LOGIN IN ROLE vouch_reader;
CREATE ROLE regress_vouch_bi_out LOGIN;
SET SESSION AUTHORIZATION regress_vouch_bi_rita;
SELECT count(*) > 0 AS readable FROM vouch_bi.fact_version;
SELECT count(*) > 0 AS readable FROM vouch_bi.fact_decision;
SELECT count(*) > 0 AS readable FROM vouch_bi.fact_signature;
SELECT count(*) > 0 AS readable FROM vouch_bi.fact_operation;
SELECT count(*) >= 0 AS readable FROM vouch_bi.fact_execution;
SELECT count(*) > 0 AS readable FROM vouch_bi.dim_artifact;
SELECT count(*) > 0 AS readable FROM vouch_bi.dim_phase;
SELECT count(*) > 0 AS readable FROM vouch_bi.dim_date;
SELECT count(*) > 0 AS readable FROM vouch_bi.kpi_phase_daily;
SELECT count(*) > 0 AS readable FROM vouch_bi.freshness;
SET SESSION AUTHORIZATION regress_vouch_bi_out;
SELECT count(*) FROM vouch_bi.fact_version;
RESET SESSION AUTHORIZATION;

SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_bi\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_bi_tess, regress_vouch_bi_olga, regress_vouch_bi_rita, regress_vouch_bi_out;
