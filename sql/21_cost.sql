-- A revision costs what changed, and so do a difference and a page: counted in the rows that the server reads and writes,
-- right after a bulk load, with statistics of before it.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_o_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_o_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES ('regress_vouch_o_tess', 'tester'), ('regress_vouch_o_olga', 'report_owner')) AS v(a, r);

-- The statistics know many small artifacts, so they promise that any index will do.
SET SESSION AUTHORIZATION regress_vouch_o_tess;
SELECT count(vouch.create_version('Scoping', subject => 'cost-21-' || n,
	items => '[{"attribute_id": "a", "in_scope": true}, {"attribute_id": "b", "in_scope": true}]')) FROM generate_series(1, 200) n;
RESET SESSION AUTHORIZATION;
ANALYZE vouch_data.artifact, vouch_data.version, vouch_data.item, vouch_data.item_body, vouch_data.decision;

-- Then comes one of 5000 items, of which 50 are rejected.
CREATE FUNCTION pg_temp.id(version int DEFAULT NULL) RETURNS uuid LANGUAGE sql STABLE AS $$
	SELECT vouch_data.version_id(a.bucket, a.artifact_no, coalesce(version, a.head_no)) FROM vouch_data.artifact a
	WHERE a.bucket = vouch.bucket('cost-21') AND a.subject = 'cost-21' $$;
CREATE FUNCTION pg_temp.some(start int, verdict text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_object_agg('a' || n, verdict) FROM generate_series(start, 5000, 100) n $$;
SET SESSION AUTHORIZATION regress_vouch_o_tess;
SELECT vouch.create_version_from('Scoping', subject => 'cost-21',
	query => $$SELECT 'a' || n AS item_key, jsonb_build_object('attribute_id', 'a' || n, 'in_scope', true, 'n', n) AS payload FROM generate_series(1, 5000) n$$) IS NOT NULL AS made;
SELECT vouch.submit_version(pg_temp.id()) ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_o_olga;
SELECT vouch.decide(pg_temp.id(), pg_temp.some(1, 'rejected')), vouch.decide_where(pg_temp.id(), 'approved');
SELECT vouch.reject_version(pg_temp.id(), 'some are wrong') ->> 'state' AS state;

-- In the rows of a table, each at most:
RESET SESSION AUTHORIZATION;
CREATE VIEW pg_temp.counters AS
SELECT relname, n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_hot_upd AS in_place, n_tup_del AS deleted, seq_tup_read + idx_tup_fetch AS read
FROM pg_stat_xact_user_tables WHERE schemaname = 'vouch_data' AND relname IN ('decision', 'item', 'item_body');
CREATE TABLE pg_temp.before AS TABLE pg_temp.counters;
CREATE FUNCTION pg_temp.start() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
	DELETE FROM pg_temp.before; INSERT INTO pg_temp.before TABLE pg_temp.counters $$;
CREATE VIEW pg_temp.cost AS
SELECT relname, c.inserted - b.inserted AS inserted, c.updated - b.updated AS updated, c.deleted - b.deleted AS deleted,
	-- on the page where they were, so that no index is written
	CASE WHEN c.updated > b.updated THEN c.in_place - b.in_place >= (c.updated - b.updated) * 0.8 END AS in_place,
	CASE WHEN c.read = b.read THEN 'none' WHEN c.read - b.read <= 300 THEN 'few' ELSE 'many' END AS read
FROM pg_temp.counters c JOIN pg_temp.before b USING (relname) ORDER BY 1;
GRANT SELECT ON pg_temp.cost TO PUBLIC;
SET SESSION AUTHORIZATION regress_vouch_o_tess;
BEGIN;
SELECT pg_temp.start();
SELECT vouch.create_revision(pg_temp.id()) IS NOT NULL AS revised;
TABLE pg_temp.cost;
COMMIT;
BEGIN;
SELECT pg_temp.start();
SELECT count(*) FROM vouch.diff_versions(pg_temp.id(1), pg_temp.id(2));
-- (of items nothing: a payload gives its key)
TABLE pg_temp.cost;
COMMIT;
BEGIN;
SELECT pg_temp.start();
SELECT count(*) FROM vouch.version_items(pg_temp.id(1), 4000, 100);
TABLE pg_temp.cost;
COMMIT;
BEGIN;
SELECT pg_temp.start();
SELECT vouch.discard_version(pg_temp.id());
TABLE pg_temp.cost;
COMMIT;

-- Five revisions deep it is the same: each drops 50 items and brings 5.
RESET SESSION AUTHORIZATION;
CREATE PROCEDURE pg_temp.revise(n int) LANGUAGE plpgsql AS $$
BEGIN
	SET SESSION AUTHORIZATION regress_vouch_o_tess;
	PERFORM vouch.create_revision(pg_temp.id(), (SELECT jsonb_agg(jsonb_build_object('attribute_id', format('new-%s-%s', n, i), 'in_scope', true)) FROM generate_series(1, 5) i));
	PERFORM vouch.submit_version(pg_temp.id());
	SET SESSION AUTHORIZATION regress_vouch_o_olga;
	PERFORM vouch.decide(pg_temp.id(), pg_temp.some(n, 'rejected'));
	PERFORM vouch.decide_where(pg_temp.id(), 'approved');
	PERFORM vouch.reject_version(pg_temp.id(), 'again');
	RESET SESSION AUTHORIZATION;
END $$;
CALL pg_temp.revise(2);
CALL pg_temp.revise(3);
CALL pg_temp.revise(4);
CALL pg_temp.revise(5);
CALL pg_temp.revise(6);
SET SESSION AUTHORIZATION regress_vouch_o_tess;
BEGIN;
SELECT pg_temp.start();
SELECT vouch.create_revision(pg_temp.id()) IS NOT NULL AS revised;
TABLE pg_temp.cost;
COMMIT;
SELECT version_number, items, approved, rejected, carried FROM vouch.version_history('Scoping', subject => 'cost-21') ORDER BY 1 DESC LIMIT 3;
BEGIN;
SELECT pg_temp.start();
SELECT change, count(*) FROM vouch.diff_versions((SELECT version_id FROM vouch.version_history('Scoping', subject => 'cost-21') ORDER BY version_number DESC OFFSET 1 LIMIT 1), pg_temp.id()) GROUP BY 1;
TABLE pg_temp.cost;
COMMIT;
BEGIN;
SELECT pg_temp.start();
SELECT count(*) FROM vouch.version_items(pg_temp.id(3), 4000, 100);
TABLE pg_temp.cost;
COMMIT;
SELECT vouch.discard_version(pg_temp.id());
RESET SESSION AUTHORIZATION;
SELECT bool_and(ok) AS ok FROM vouch.verify('cost-21');

-- The drafts go, so that later tests do not see them.
SET SESSION AUTHORIZATION regress_vouch_o_tess;
SELECT count(*) FROM (SELECT vouch.discard_version(h.version_id) FROM generate_series(1, 200) n, vouch.version_history('Scoping', subject => 'cost-21-' || n) h) d;
RESET SESSION AUTHORIZATION;
SELECT vouch.revoke_role('regress_vouch_o_tess', 'tester'), vouch.revoke_role('regress_vouch_o_olga', 'report_owner');
DROP ROLE regress_vouch_o_tess, regress_vouch_o_olga;
