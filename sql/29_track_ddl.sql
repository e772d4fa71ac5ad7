-- Tracked tables and DDL: no way around the triggers, and no way to stand in the way of others.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_l_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_l_olga LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_l_zed LOGIN;		-- has nothing to do with any of it
SELECT count(vouch.grant_role(a, r)) FROM (VALUES ('regress_vouch_l_tess', 'tester'), ('regress_vouch_l_olga', 'report_owner')) AS v(a, r);
CREATE SCHEMA ddl;
GRANT USAGE, CREATE ON SCHEMA ddl TO regress_vouch_l_tess, regress_vouch_l_zed;
CREATE FOREIGN DATA WRAPPER regress_vouch_nothing;
CREATE SERVER regress_vouch_nowhere FOREIGN DATA WRAPPER regress_vouch_nothing;
GRANT USAGE ON FOREIGN SERVER regress_vouch_nowhere TO regress_vouch_l_tess;
SET search_path = ddl, public;

SET SESSION AUTHORIZATION regress_vouch_l_tess;
CREATE TABLE limits (attribute_id text PRIMARY KEY, amount numeric, in_scope boolean DEFAULT true);
INSERT INTO limits VALUES ('A', 1), ('B', 2);
SELECT vouch.track_table('limits', 'Scoping', subject => 'ddl-limits') AS v1 \gset
CREATE TABLE parts (attribute_id text PRIMARY KEY, amount numeric, in_scope boolean DEFAULT true) PARTITION BY LIST (attribute_id);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('A');
SELECT vouch.track_table('parts', 'Scoping', subject => 'ddl-parts') IS NULL AS no_rows_yet;

-- How many rows were recorded so far, and what the newest version shows.
CREATE FUNCTION recorded(source regclass, OUT recorded bigint, OUT items text) LANGUAGE sql AS $$
	SELECT (SELECT sum(o.item_count) FROM vouch.workflow_version_operations o WHERE o.subject = t.subject),
		(SELECT string_agg(concat(i.item_key, ' ', i.payload ->> 'amount'), ', ' ORDER BY i.item_key) FROM vouch.version_items(t.version_id) i)
	FROM vouch.tracked_tables t WHERE t.source = $1 $$;

-- Tables that inherit are refused, whatever makes them, with settings of a dump, too ...
CREATE TABLE heir () INHERITS (limits);
\echo :LAST_ERROR_SQLSTATE
SET check_function_bodies = off;
SET row_security = off;
CREATE TABLE heir () INHERITS (limits);
RESET check_function_bodies;
RESET row_security;
CREATE TABLE heir (attribute_id text NOT NULL, amount numeric, in_scope boolean DEFAULT true);
ALTER TABLE heir INHERIT limits;
ALTER TABLE limits INHERIT heir;
CREATE FOREIGN TABLE heir_f () INHERITS (limits) SERVER regress_vouch_nowhere;
CREATE FOREIGN TABLE heir_f (attribute_id text NOT NULL, amount numeric, in_scope boolean DEFAULT true) SERVER regress_vouch_nowhere;
ALTER FOREIGN TABLE heir_f INHERIT limits;
DROP FOREIGN TABLE heir_f;
-- ... and so is a partition that is elsewhere.
ALTER TABLE parts DROP CONSTRAINT parts_pkey;
CREATE FOREIGN TABLE parts_f PARTITION OF parts FOR VALUES IN ('F') SERVER regress_vouch_nowhere;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE parts_f (attribute_id text NOT NULL, amount numeric, in_scope boolean DEFAULT true) SERVER regress_vouch_nowhere;
ALTER TABLE parts ATTACH PARTITION parts_f FOR VALUES IN ('F');
DROP FOREIGN TABLE parts_f;
ALTER TABLE parts ADD PRIMARY KEY (attribute_id);

-- A partition gets the triggers, with settings of a dump, in a schema made with it, or with partitions of its own.
SET check_function_bodies = off;
SET row_security = off;
CREATE TABLE parts_x PARTITION OF parts FOR VALUES IN ('X');
INSERT INTO parts_x VALUES ('X', 1);
RESET check_function_bodies;
RESET row_security;
RESET SESSION AUTHORIZATION;
CREATE SCHEMA ddl_more CREATE TABLE parts_y PARTITION OF ddl.parts FOR VALUES IN ('Y');
CREATE TABLE many (attribute_id text NOT NULL, amount numeric, in_scope boolean DEFAULT true) PARTITION BY LIST (attribute_id);
CREATE TABLE many_1 PARTITION OF many FOR VALUES IN ('M');
ALTER TABLE parts ATTACH PARTITION many FOR VALUES IN ('M', 'N');
INSERT INTO ddl_more.parts_y VALUES ('Y', 2);
INSERT INTO many_1 VALUES ('M', 3);
SELECT item_key, payload -> 'amount' AS amount FROM vouch.tracked_tables t, vouch.version_items(t.version_id) WHERE t.source = 'parts'::regclass ORDER BY 1;
DROP SCHEMA ddl_more CASCADE;

-- A tracked table is no partition of another, whose writes its triggers would not see.
SET SESSION AUTHORIZATION regress_vouch_l_tess;
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'v1') r;
CREATE TABLE around (attribute_id text NOT NULL, amount numeric, in_scope boolean DEFAULT true) PARTITION BY LIST (attribute_id);
ALTER TABLE around ATTACH PARTITION limits DEFAULT;
\echo :LAST_ERROR_SQLSTATE
UPDATE around SET in_scope = false;
SELECT * FROM limits ORDER BY attribute_id;

-- The settings of a dump let nobody around that, and no row in unseen: a row is let by when the version has it, and else is a change.
CREATE TABLE loaded (LIKE limits INCLUDING ALL);
INSERT INTO loaded VALUES ('L', 1), ('M', 1.0), ('N', 1.0);
SELECT vouch.track_table('loaded', 'Scoping', subject => 'ddl-loaded') IS NOT NULL AS tracked;
SELECT recorded AS before FROM recorded('loaded') \gset
-- (its triggers cannot be silenced, and without one there is nothing to submit)
ALTER TABLE loaded DISABLE TRIGGER vouch_track_delete;
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE loaded DISABLE TRIGGER ALL;
ALTER TABLE loaded ENABLE TRIGGER USER;
DROP TRIGGER vouch_track_delete ON loaded;
SELECT vouch.submit_version(version_id) FROM vouch.tracked_tables WHERE source = 'loaded'::regclass;
\echo :LAST_ERROR_SQLSTATE
SET check_function_bodies = off;
SET row_security = off;
SELECT set_config('search_path', '', false);
CREATE TABLE ddl.heir2 () INHERITS (ddl.limits);
INSERT INTO ddl.limits VALUES ('C', 3);
CREATE TABLE ddl.parts_z PARTITION OF ddl.parts FOR VALUES IN ('Z');
INSERT INTO ddl.parts_z VALUES ('Z', 4);
SELECT items FROM ddl.recorded('ddl.parts');
DELETE FROM ddl.loaded;
INSERT INTO ddl.loaded VALUES ('L', 1, true), ('M', 1.0, true), ('N', 1, true);		-- as a dump of the data has them
SELECT recorded - :before AS recorded, items FROM ddl.recorded('ddl.loaded');
INSERT INTO ddl.loaded VALUES ('O', 2, true);
SELECT recorded - :before AS recorded, items FROM ddl.recorded('ddl.loaded');
RESET check_function_bodies;
RESET row_security;
SET search_path = ddl, public;

-- What a crash would empty is refused, in whatever way it comes.
ALTER TABLE limits SET UNLOGGED;
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE parts_x SET UNLOGGED;
CREATE UNLOGGED TABLE parts_u PARTITION OF parts FOR VALUES IN ('U');
CREATE UNLOGGED TABLE parts_u (attribute_id text NOT NULL, amount numeric, in_scope boolean DEFAULT true);
ALTER TABLE parts ATTACH PARTITION parts_u FOR VALUES IN ('U');
CREATE TABLE leaky (attribute_id text PRIMARY KEY, in_scope boolean) PARTITION BY LIST (attribute_id);
CREATE UNLOGGED TABLE leaky_a PARTITION OF leaky FOR VALUES IN ('A');
SELECT vouch.track_table('leaky', 'Scoping', subject => 'ddl-leaky');
SELECT relname, relpersistence FROM pg_class WHERE relname IN ('limits', 'parts_x', 'parts_u') ORDER BY 1;
DROP TABLE parts_u, leaky;

-- Another type is another content: it is recorded as an UPDATE would be, and refused when that is.
ALTER TABLE limits ALTER amount TYPE numeric(10, 2) USING amount * 2;
SELECT * FROM limits ORDER BY attribute_id;
ALTER TABLE limits ALTER amount TYPE numeric(20);		-- as they were
CREATE TABLE numbers (attribute_id int PRIMARY KEY, amount int, in_scope boolean DEFAULT true);
INSERT INTO numbers VALUES (1, 10), (2, 20);
SELECT vouch.track_table('numbers', 'Scoping', subject => 'ddl-numbers') IS NOT NULL AS tracked;
ALTER TABLE numbers ALTER attribute_id TYPE numeric(6, 1), ALTER amount TYPE text USING 'about ' || amount;
UPDATE numbers SET amount = 'exactly 10' WHERE attribute_id = 1;
SELECT item_key, payload FROM vouch.tracked_tables t, vouch.version_items(t.version_id) WHERE t.source = 'numbers'::regclass ORDER BY item_key;

-- What is wrong with one table is nobody else's matter: here a superuser, restoring a dump, made what is refused.
RESET SESSION AUTHORIZATION;
SET vouch.restoring = on;
CREATE TABLE heir2 () INHERITS (limits);
ALTER TABLE heir2 OWNER TO regress_vouch_l_tess;
RESET vouch.restoring;
SET SESSION AUTHORIZATION regress_vouch_l_zed;
CREATE TABLE unrelated (i int);
ALTER TABLE unrelated ADD j int;
CREATE TEMP TABLE unrelated_temp (i int);
SET SESSION AUTHORIZATION regress_vouch_l_tess;
ALTER TABLE limits ADD note text;
ALTER TABLE heir2 NO INHERIT limits;
ALTER TABLE limits ADD note text;
SET SESSION AUTHORIZATION regress_vouch_l_zed;
DROP TABLE unrelated;

-- Whatever drops a table, its configuration goes, and its versions stay.
SET SESSION AUTHORIZATION regress_vouch_l_tess;
CREATE TYPE kind AS (attribute_id text, amount int, in_scope boolean);
CREATE TABLE typed OF kind (PRIMARY KEY (attribute_id));
INSERT INTO typed VALUES ('T', 1, true);
SELECT vouch.track_table('typed', 'Scoping', subject => 'ddl-typed') IS NOT NULL AS tracked;
DROP TYPE kind CASCADE;
SELECT count(*) AS tracked FROM vouch_data.tracked_table t LEFT JOIN pg_class c ON c.oid = t.relation WHERE c.oid IS NULL;
SELECT items FROM vouch.version_history('Scoping', subject => 'ddl-typed');

SELECT vouch.withdraw_version(:'v1', 'done');
RESET SESSION AUTHORIZATION;
SELECT bool_and(ok) AS ok FROM vouch.verify('ddl-limits');
SELECT bool_and(ok) AS ok FROM vouch.verify('ddl-parts');
SET client_min_messages = warning;
SELECT vouch.untrack_table('limits'), vouch.untrack_table('parts'), vouch.untrack_table('numbers'), vouch.untrack_table('loaded');
DROP SCHEMA ddl CASCADE;
DROP FOREIGN DATA WRAPPER regress_vouch_nothing CASCADE;
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant
WHERE actor LIKE 'regress\_vouch\_l\_%' AND revoked_at IS NULL;
DROP OWNED BY regress_vouch_l_tess, regress_vouch_l_olga, regress_vouch_l_zed;
DROP ROLE regress_vouch_l_tess, regress_vouch_l_olga, regress_vouch_l_zed;
