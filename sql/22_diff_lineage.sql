-- What differs between two versions, and the life of one item.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_d_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_d_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES
	('regress_vouch_d_tess', 'tester'), ('regress_vouch_d_olga', 'report_owner')) AS v(a, r);

-- Version 1: keep approved, fix and drop rejected, back approved.
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_version('Observation Management', 22, 1, '[
	{"observation_id": "keep", "type": "finding", "severity": "high", "text": "one"},
	{"observation_id": "fix", "type": "finding", "severity": "low", "text": "two"},
	{"observation_id": "drop", "type": "finding", "severity": "low", "text": "three"},
	{"observation_id": "back", "type": "recommendation", "severity": "medium", "text": "four"}]') AS v1 \gset
SELECT vouch.submit_version(:'v1') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.decide(:'v1', '{"keep": "approved", "fix": "rejected", "drop": "rejected", "back": "approved"}');
SELECT vouch.reject_version(:'v1', 'two of four') ->> 'state' AS state;

-- Version 2: fix with another payload, drop gone, new added; back is changed.
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_revision(:'v1', '[
	{"observation_id": "fix", "type": "finding", "severity": "low", "text": "two, better"},
	{"observation_id": "new", "type": "finding", "severity": "low", "text": "five"},
	{"observation_id": "back", "type": "recommendation", "severity": "critical", "text": "four"}]') AS v2 \gset
SELECT item_key, change, before ->> 'text' AS before, after ->> 'text' AS after, before_status, after_status
FROM vouch.diff_versions(:'v1', :'v2');

-- The other way round it is the opposite; a version does not differ from itself.
SELECT item_key, change, before_status, after_status FROM vouch.diff_versions(:'v2', :'v1');
SELECT count(*) FROM vouch.diff_versions(:'v2', :'v2');

-- Verdicts are changes, too.
SELECT vouch.submit_version(:'v2') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.decide(:'v2', '{"keep": "needs_changes", "fix": "approved", "new": "rejected", "back": "approved"}');
SELECT item_key, change, before_status, after_status FROM vouch.diff_versions(:'v1', :'v2');
SELECT vouch.reject_version(:'v2', 'not yet') ->> 'state' AS state;

-- Version 3 puts back what it was, with the same payload and verdict: from 1 to 3 that is no change.
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_revision(:'v2', '[
	{"observation_id": "keep", "type": "finding", "severity": "high", "text": "one"},
	{"observation_id": "back", "type": "recommendation", "severity": "medium", "text": "four"}]') AS v3 \gset
SELECT vouch.submit_version(:'v3') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.decide(:'v3', '{"keep": "approved", "back": "approved"}');
SELECT item_key, change FROM vouch.diff_versions(:'v2', :'v3');
SELECT item_key, change, before_status, after_status FROM vouch.diff_versions(:'v1', :'v3');

-- Only two versions of the same thing can be compared.
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_version('Observation Management', 22, 1, '[]', scope => 'CARDS') AS other \gset
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT * FROM vouch.diff_versions(:'v1', :'other');
\echo :LAST_ERROR_SQLSTATE

-- The life of an item, as a version knows it.
SELECT from_version, to_version, status, payload ->> 'severity' AS severity, recommended_by, decided_by
FROM vouch.item_lineage(:'v3', 'back');
SELECT from_version, to_version, status FROM vouch.item_lineage(:'v2', 'back');
SELECT from_version, to_version, status, payload ->> 'text' AS text FROM vouch.item_lineage(:'v3', 'drop');
SELECT * FROM vouch.item_lineage(:'v3', 'never');
\echo :LAST_ERROR_SQLSTATE

-- An item that stands again after it was dropped remembers where its verdict is from.
SELECT vouch.reject_version(:'v3', 'start over from version 1') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_revision(:'v1', carry => 'all') AS v4 \gset
SELECT from_version, to_version, status, origin_version FROM vouch.item_lineage(:'v4', 'drop');
SELECT item_key, status, decided_by, carried_from FROM vouch.version_items(:'v4');
SELECT count(*) AS differences FROM vouch.diff_versions(:'v1', :'v4');
RESET SESSION AUTHORIZATION;

-- A diff reads what changed, and not what the versions have: 5,000 items, three of them different.
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_version_from('Observation Management', 22, 2, $$
	SELECT 'o' || n AS item_key, '{"type": "finding", "severity": "low"}'::jsonb AS payload FROM generate_series(1, 5000) n $$) AS big \gset
SELECT vouch.submit_version(:'big') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_d_olga;
SELECT vouch.decide_where(:'big', 'approved');
SELECT vouch.approve_version(:'big') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_d_tess;
SELECT vouch.create_revision(:'big', '[
	{"observation_id": "o7", "type": "finding", "severity": "high"},
	{"observation_id": "x", "type": "finding", "severity": "high"}]') AS big2 \gset
SELECT vouch.remove_items(:'big2', '{o8}');
SELECT item_key, change FROM vouch.diff_versions(:'big', :'big2');
SELECT items, pending, approved, carried FROM vouch.version_history('Observation Management', 22, 2);
RESET SESSION AUTHORIZATION;
SELECT count(*) AS rows_of_two_versions FROM vouch_data.decision
WHERE bucket = vouch.bucket_of(:'big') AND artifact_no = vouch_data.artifact_number(:'big');
SELECT check_name, ok, detail FROM vouch.verify('cycle-22-report-1') WHERE scope = '' ORDER BY 1;
SELECT bool_and(ok) FROM vouch.verify('cycle-22-report-2');

SELECT count(vouch.revoke_role(a, r)) FROM (VALUES
	('regress_vouch_d_tess', 'tester'), ('regress_vouch_d_olga', 'report_owner')) AS v(a, r);
DROP ROLE regress_vouch_d_tess, regress_vouch_d_olga;
