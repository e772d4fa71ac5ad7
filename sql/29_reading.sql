-- Who reads what somebody else made is not made to sign by it: while Vouch's own functions read a table, nobody acts.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_rd_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_rd_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role('regress_vouch_rd_' || a, r)) FROM (VALUES ('tess', 'tester'), ('olga', 'report_owner')) AS v(a, r);
CREATE SCHEMA lending AUTHORIZATION regress_vouch_rd_tess;
GRANT USAGE ON SCHEMA lending TO PUBLIC;

-- Tess lies in wait for Olga: in the domain of a column, and in a view.
SET SESSION AUTHORIZATION regress_vouch_rd_tess;
SET search_path = lending, public;
CREATE TABLE lending.waiting (v uuid);
GRANT SELECT ON lending.waiting TO PUBLIC;
CREATE FUNCTION lending.lure(value text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF session_user = 'regress_vouch_rd_olga' THEN
		PERFORM vouch.approve_version(v) FROM lending.waiting;
	END IF;
	RETURN true;
END $$;
CREATE DOMAIN lending.nice AS text CHECK (lending.lure(value));
CREATE TABLE lending.trojan (attribute_id text PRIMARY KEY, in_scope boolean NOT NULL, rationale lending.nice);
GRANT SELECT ON lending.trojan TO PUBLIC;
CREATE VIEW lending.population AS SELECT attribute_id, in_scope FROM lending.trojan WHERE lending.lure(attribute_id);
GRANT SELECT ON lending.population TO PUBLIC;
SELECT vouch.track_table('lending.trojan', 'Scoping', subject => 'reading-29') IS NULL AS no_rows_yet;
INSERT INTO lending.trojan VALUES ('a', true, 'material');
INSERT INTO lending.waiting SELECT version_id FROM vouch.tracked_tables WHERE source = 'lending.trojan'::regclass;
SELECT vouch.submit_version(v) ->> 'state' AS state FROM lending.waiting;

SET SESSION AUTHORIZATION regress_vouch_rd_olga;
SELECT vouch.decide(v, '{"a": "approved"}') FROM lending.waiting;
SELECT * FROM vouch.table_as_of(NULL::lending.trojan, (SELECT v FROM lending.waiting));
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.population_digest('lending.population', 'attribute_id');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.generate_sample_recommendations('lending.population', 'attribute_id', 'attribute_id', 1);
\echo :LAST_ERROR_SQLSTATE

-- Nor by something that would run later, when she has her name again.
SET SESSION AUTHORIZATION regress_vouch_rd_tess;
CREATE TABLE lending.later (n int);
GRANT INSERT ON lending.later TO PUBLIC;
CREATE FUNCTION lending.spring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM lending.lure(''); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER spring AFTER INSERT ON lending.later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lending.spring();
CREATE FUNCTION lending.plant(value text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF session_user = 'regress_vouch_rd_olga' THEN
		INSERT INTO lending.later VALUES (1);
	END IF;
	RETURN true;
END $$;
CREATE OR REPLACE VIEW lending.population AS SELECT attribute_id, in_scope FROM lending.trojan WHERE lending.plant(attribute_id);
SET SESSION AUTHORIZATION regress_vouch_rd_olga;
SELECT vouch.population_digest('lending.population', 'attribute_id');
\echo :LAST_ERROR_SQLSTATE
SELECT state FROM vouch.tracked_tables WHERE source = 'lending.trojan'::regclass;

-- What is harmless reads as before, and she has her name again after it, also after an error.
SET SESSION AUTHORIZATION regress_vouch_rd_tess;
CREATE OR REPLACE FUNCTION lending.lure(value text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OR REPLACE VIEW lending.population AS SELECT attribute_id, in_scope FROM lending.trojan;
SET SESSION AUTHORIZATION regress_vouch_rd_olga;
BEGIN;
SELECT * FROM vouch.table_as_of(NULL::lending.trojan, (SELECT v FROM lending.waiting));
SELECT length(vouch.population_digest('lending.population', 'attribute_id'));
SAVEPOINT s;
SELECT vouch.population_digest('lending.population', 'nothing');
ROLLBACK TO s;
SELECT vouch.actor(), vouch.approve_version(v) ->> 'state' AS state FROM lending.waiting;
CREATE TEMP TABLE first_scratch (n int);
COMMIT;
-- Without an end it ends with the transaction.
SELECT vouch_data.nobody_acts() IS NOT NULL AS begun;
CREATE TEMP TABLE scratch (n int);
BEGIN;
SELECT vouch_data.nobody_acts() IS NOT NULL AS begun;
SET TRANSACTION READ WRITE;
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT vouch_data.nobody_acts() IS NOT NULL AS begun;
INSERT INTO lending.later VALUES (1);
ROLLBACK TO s;
SELECT vouch.actor();
COMMIT;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
SELECT vouch.untrack_table('lending.trojan');
DROP SCHEMA lending CASCADE;
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_rd\_%' AND revoked_at IS NULL;
DROP TABLE IF EXISTS scratch, first_scratch;
DROP OWNED BY regress_vouch_rd_tess, regress_vouch_rd_olga;
DROP ROLE regress_vouch_rd_tess, regress_vouch_rd_olga;
