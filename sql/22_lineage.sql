-- Where what a version shows comes from, as rows and as a tree, and versions of different things beside one another.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_n_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_n_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES ('regress_vouch_n_tess', 'tester'), ('regress_vouch_n_olga', 'report_owner')) AS v(a, r);
CREATE FUNCTION pg_temp.read(line text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(regexp_replace(line, ' \d{4}-\d\d-\d\d \d\d:\d\d', '', 'g'), 'regress_vouch_n_', '', 'g') $$;

-- Version 2 revises version 1, which drops b and replaces c; so does version 3, another way; version 4 goes on from 3.
SET SESSION AUTHORIZATION regress_vouch_n_tess;
SELECT vouch.create_version('Observation Management', subject => 'lineage-22', items => '[
	{"observation_id": "a", "type": "finding", "severity": "high"}, {"observation_id": "b", "type": "finding", "severity": "low"},
	{"observation_id": "c", "type": "finding", "severity": "low"}, {"observation_id": "d", "type": "finding", "severity": "low"}]') AS v1 \gset
SELECT vouch.submit_version(:'v1') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_n_olga;
SELECT vouch.decide(:'v1', '{"a": "approved", "b": {"decision": "rejected", "notes": "no finding"}, "c": "approved", "d": "approved"}');
SELECT vouch.reject_version(:'v1', 'b') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_n_tess;
SELECT vouch.create_revision(:'v1', '[{"observation_id": "c", "type": "finding", "severity": "medium"}]') AS v2 \gset
SELECT vouch.withdraw_version(:'v2', 'another way');
SELECT vouch.create_revision(:'v1', '[{"observation_id": "e", "type": "finding", "severity": "medium"}]') AS v3 \gset
SELECT vouch.submit_version(:'v3') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_n_olga;
SELECT vouch.decide(:'v3', '{"d": "needs_changes", "e": "approved"}');
SELECT vouch.reject_version(:'v3', 'd') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_n_tess;
SELECT vouch.create_revision(:'v3', '[{"observation_id": "d", "type": "finding", "severity": "high"}]') AS v4 \gset

-- Four items: two stand as version 1 left them (c again, after version 2 had changed it), one as 3 did, one is new.
SELECT depth, version_number, state, carry, items, items_new, items_carried, items_left, decided_left FROM vouch.version_lineage(:'v4');
SELECT sum(items_left) = (SELECT count(*) FROM vouch.version_items(:'v4')) AS all_of_them FROM vouch.version_lineage(:'v4');
SELECT pg_temp.read(line) AS lineage FROM vouch.lineage_tree(:'v4', ascii => true) line;
SELECT pg_temp.read(line) AS lineage FROM vouch.lineage_tree(:'v1', ascii => false) line;
SELECT pg_temp.read(line) AS c FROM vouch.lineage_tree(:'v4', 'c', ascii => true) line;
SELECT pg_temp.read(line) AS d FROM vouch.lineage_tree(:'v4', 'd', ascii => true) line;
SELECT pg_temp.read(line) AS b FROM vouch.lineage_tree(:'v4', 'b', ascii => true) line;
SELECT vouch.lineage_tree(:'v4', 'z');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vouch.version_lineage(vouch_data.version_id(1, 22, 22));
\echo :LAST_ERROR_SQLSTATE

-- The same phase of another subject: matched by key, whatever the numbers.
SELECT vouch.create_version('Observation Management', subject => 'lineage-22-next-year', items => '[
	{"observation_id": "f", "type": "finding", "severity": "low"}, {"observation_id": "e", "type": "finding", "severity": "medium"},
	{"observation_id": "d", "type": "finding", "severity": "low"}, {"observation_id": "a", "type": "finding", "severity": "high"}]') AS next \gset
SELECT item_key, change, before ->> 'severity' AS before, after ->> 'severity' AS after, before_status, after_status
FROM vouch.compare_versions(:'v4', :'next');
SELECT item_key, change FROM vouch.compare_versions(:'next', :'v4');
-- Of two versions of one artifact it says what diff_versions says.
(SELECT item_key, change, before, after, before_status, after_status FROM vouch.diff_versions(:'v1', :'v4') EXCEPT SELECT * FROM vouch.compare_versions(:'v1', :'v4'))
UNION ALL (SELECT * FROM vouch.compare_versions(:'v1', :'v4') EXCEPT SELECT item_key, change, before, after, before_status, after_status FROM vouch.diff_versions(:'v1', :'v4'));
SELECT count(*) FROM vouch.compare_versions(:'v4', :'v4');
SELECT * FROM vouch.compare_versions(:'v4', vouch_data.version_id(1, 22, 22));
\echo :LAST_ERROR_SQLSTATE

-- A version and its items are read with one snapshot: within the statement that makes a version neither is there yet.
SELECT * FROM vouch.version_items(vouch.create_version('Observation Management', subject => 'lineage-22-now', items => '[{"observation_id": "a", "type": "finding", "severity": "low"}]'));
\echo :LAST_ERROR_SQLSTATE

-- A version that was discarded showed nothing: an item stood until the one before.
SELECT vouch.create_version('Observation Management', subject => 'lineage-22-gap', items => '[{"observation_id": "a", "type": "finding", "severity": "low"}]') AS g1 \gset
SELECT vouch.withdraw_version(:'g1');
SELECT vouch.discard_version(vouch.create_revision(:'g1', carry => 'all'));
SELECT vouch.discard_version(vouch.create_revision(:'g1', carry => 'all'));
SELECT vouch.create_revision(:'g1', '[{"observation_id": "a", "type": "finding", "severity": "high"}]', 'all') AS g4 \gset
SELECT from_version, to_version, payload ->> 'severity' AS severity FROM vouch.item_lineage(:'g4', 'a');
SELECT pg_temp.read(line) AS a FROM vouch.lineage_tree(:'g4', 'a', ascii => true) line;
SELECT vouch.discard_version(:'g4');

SELECT vouch.discard_version(:'v4'), vouch.discard_version(:'next');
RESET SESSION AUTHORIZATION;
SELECT vouch.revoke_role('regress_vouch_n_tess', 'tester'), vouch.revoke_role('regress_vouch_n_olga', 'report_owner');
DROP ROLE regress_vouch_n_tess, regress_vouch_n_olga;
