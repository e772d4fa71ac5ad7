-- Tracked tables: owning some table is no right to what others made.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_k_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_k_mal LOGIN IN ROLE vouch_user;
SELECT vouch.grant_role('regress_vouch_k_tess', 'tester') IS NOT NULL AS granted;
CREATE SCHEMA rights;
GRANT USAGE, CREATE ON SCHEMA rights TO regress_vouch_k_tess, regress_vouch_k_mal;
SET search_path = rights, public;

-- A draft of somebody else cannot be taken over ...
SET SESSION AUTHORIZATION regress_vouch_k_tess;
SELECT vouch.create_version('Scoping', subject => 'rights-1', items => '[{"attribute_id": "a", "in_scope": true}, {"attribute_id": "b", "in_scope": true}]') AS v1 \gset
SET SESSION AUTHORIZATION regress_vouch_k_mal;
CREATE TABLE mine (attribute_id text PRIMARY KEY, in_scope boolean NOT NULL DEFAULT false);
INSERT INTO mine VALUES ('a');
SELECT vouch.track_table('mine', 'Scoping', subject => 'rights-1');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch_data.track_artifact('mine', 'rights-1', 'scoping', '', NULL, NULL);
-- ... nor can one lie in wait for it.
DELETE FROM mine;
SELECT vouch.track_table('mine', 'Scoping', subject => 'rights-2');
SET SESSION AUTHORIZATION regress_vouch_k_tess;
SELECT vouch.create_version('Scoping', subject => 'rights-2', items => '[{"attribute_id": "a", "in_scope": true}]') AS v2 \gset
SET SESSION AUTHORIZATION regress_vouch_k_mal;
INSERT INTO mine VALUES ('q');
\echo :LAST_ERROR_SQLSTATE
TRUNCATE mine;
SELECT vouch.sync_table('mine');
SELECT item_key, payload, recommended_by FROM vouch.version_items(:'v1') UNION ALL
SELECT item_key, payload, recommended_by FROM vouch.version_items(:'v2') ORDER BY 1;

-- Who holds the role that makes versions may have a table for one; then who may write the table changes it.
SET SESSION AUTHORIZATION regress_vouch_k_tess;
CREATE TABLE hers (attribute_id text PRIMARY KEY, in_scope boolean NOT NULL DEFAULT true);
GRANT INSERT ON hers TO regress_vouch_k_mal;
INSERT INTO hers VALUES ('a'), ('c');
SELECT vouch.track_table('hers', 'Scoping', subject => 'rights-1') = :'v1' AS same_version;
SET SESSION AUTHORIZATION regress_vouch_k_mal;
INSERT INTO rights.hers VALUES ('d');
SELECT item_key, recommended_by FROM vouch.version_items(:'v1') ORDER BY 1;
-- Opening the next draft takes a right to write the table.
SET SESSION AUTHORIZATION regress_vouch_k_tess;
REVOKE INSERT ON hers FROM regress_vouch_k_mal;
SET SESSION AUTHORIZATION regress_vouch_k_mal;
SELECT vouch_data.track_open('rights.hers', 'because');

-- A subject that names a cycle and a report has no other numbers.
SELECT vouch.create_version('Scoping', 5, 6, '[]', subject => 'cycle-998-report-1');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
SELECT bool_and(ok) AS ok FROM vouch.verify('rights-1');
SELECT bool_and(ok) AS ok FROM vouch.verify('rights-2');

SET client_min_messages = warning;
SELECT vouch.untrack_table('mine'), vouch.untrack_table('hers');
DROP SCHEMA rights CASCADE;
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant
WHERE actor LIKE 'regress\_vouch\_k\_%' AND revoked_at IS NULL;
DROP OWNED BY regress_vouch_k_tess, regress_vouch_k_mal;
DROP ROLE regress_vouch_k_tess, regress_vouch_k_mal;
