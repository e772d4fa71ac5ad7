-- Tracked tables: statements whose parts touch the same rows, statements inside of statements, many rows, and who may do what.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_ts_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_ts_tom LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_ts_olga LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_ts_rita LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_ts_writer LOGIN;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES ('regress_vouch_ts_tess', 'tester'), ('regress_vouch_ts_olga', 'report_owner'),
	('regress_vouch_ts_rita', 'records_officer')) AS v(a, r);
CREATE SCHEMA ts AUTHORIZATION regress_vouch_ts_tess;
GRANT USAGE ON SCHEMA ts TO PUBLIC;
CREATE SCHEMA ts_tom AUTHORIZATION regress_vouch_ts_tom;
SET SESSION AUTHORIZATION regress_vouch_ts_tess;
SET search_path = ts, public;

-- How rows and items differ: nothing, if all is recorded as it is.
CREATE FUNCTION differs(source regclass, key text) RETURNS SETOF text LANGUAGE plpgsql SET timezone = 'UTC' AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT concat_ws('' '', coalesce(i.item_key, t.%2$I::text), ''version'', i.payload, ''table'', to_jsonb(t))
		FROM (SELECT i.* FROM vouch.tracked_tables v, vouch.version_items(v.version_id) i WHERE v.source = $1) i
		FULL JOIN %1$s t ON i.item_key = t.%2$I::text WHERE i.payload IS DISTINCT FROM to_jsonb(t) ORDER BY 1', source, key) USING source;
END $$;
CREATE VIEW done AS SELECT operation_number AS no, operation_type AS operation, actor, item_count AS items FROM vouch.workflow_version_operations
WHERE subject = 'ts.scope';
CREATE TABLE scope (attribute_id int PRIMARY KEY, in_scope boolean NOT NULL DEFAULT true, note text);
INSERT INTO scope SELECT n FROM generate_series(1, 5) n;
SELECT vouch.track_table('scope', 'Scoping') IS NOT NULL AS tracked;

-- One statement may delete a key and insert it anew, in whatever order its parts are told of.
MERGE INTO scope s USING (VALUES (1), (7)) AS n(attribute_id) ON n.attribute_id = s.attribute_id
	WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (attribute_id, note) VALUES (1, 'merged');
WITH gone AS (DELETE FROM scope WHERE attribute_id IN (2, 3) RETURNING attribute_id)
INSERT INTO scope SELECT attribute_id, true, 'deleted and inserted' FROM gone LIMIT 1;
SELECT differs('scope', 'attribute_id');
INSERT INTO scope VALUES (2), (8) ON CONFLICT (attribute_id) DO UPDATE SET attribute_id = 9, note = 'moved';
UPDATE scope SET attribute_id = -attribute_id, note = 'negative' WHERE attribute_id IN (4, 5);
SELECT differs('scope', 'attribute_id');
SELECT * FROM scope ORDER BY attribute_id;

-- A function that the statement calls writes the same table: what it wrote is newer than what the statement says of its rows.
CREATE FUNCTION note_all(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN UPDATE ts.scope SET note = $1 WHERE attribute_id > 0; RETURN true; END $$;
WITH changed AS (UPDATE scope SET note = 'by the statement' WHERE attribute_id = 1 RETURNING 1)
SELECT note_all('by the function') FROM changed;
SELECT differs('scope', 'attribute_id');
UPDATE scope SET note = 'both' WHERE attribute_id < 0 AND note_all('by the function again');
SELECT differs('scope', 'attribute_id');
SELECT DISTINCT note FROM scope ORDER BY note;

-- Cascades, of a key to the table itself, too, and triggers that put back what a cascade took.
CREATE TABLE report (id int PRIMARY KEY);
CREATE TABLE line (attribute_id int PRIMARY KEY, report int REFERENCES report ON DELETE CASCADE ON UPDATE CASCADE,
	part_of int REFERENCES line ON DELETE CASCADE, in_scope boolean DEFAULT true);
INSERT INTO report VALUES (1), (2), (3);
INSERT INTO line SELECT n, 1 + n % 2, CASE WHEN n > 2 THEN n / 2 END FROM generate_series(1, 12) n;
INSERT INTO line VALUES (50, 3, NULL);
SELECT vouch.track_table('line', 'Scoping') IS NOT NULL AS tracked;
UPDATE report SET id = id + 10;
SELECT differs('line', 'attribute_id');
DELETE FROM line WHERE attribute_id = 2;
SELECT differs('line', 'attribute_id');
CREATE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ts.line VALUES (50); RETURN NULL; END $$;
CREATE TRIGGER put_back AFTER DELETE ON report FOR EACH ROW WHEN (old.id = 13) EXECUTE FUNCTION put_back();
DELETE FROM report;
SELECT differs('line', 'attribute_id');
SELECT * FROM line;

-- A cascade reaches a row that the same statement changed: then the table says how it is, not the order of the parts.
CREATE TABLE tree (attribute_id text PRIMARY KEY, part_of text REFERENCES tree ON DELETE CASCADE ON UPDATE CASCADE,
	owner text REFERENCES tree ON DELETE SET NULL, note int, in_scope boolean DEFAULT true);
SELECT vouch.track_table('tree', 'Scoping') IS NULL AS no_rows_yet;
INSERT INTO tree VALUES ('P', NULL, NULL, 1), ('C', 'P', NULL, 2), ('D', 'P', NULL, 3), ('S', 'S', NULL, 4), ('T', NULL, NULL, 5);
MERGE INTO tree t USING (VALUES ('C', 1), ('P', 0)) AS n(attribute_id, keep) ON n.attribute_id = t.attribute_id
	WHEN MATCHED AND n.keep = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET note = 10;
SELECT attribute_id FROM tree ORDER BY 1;
SELECT differs('tree', 'attribute_id');
-- Its key goes to itself, and to a row of the same statement.
UPDATE tree SET attribute_id = 'R' WHERE attribute_id = 'S';
SELECT differs('tree', 'attribute_id');
WITH moved AS (UPDATE tree SET attribute_id = 'Q' WHERE attribute_id = 'R' RETURNING 1)
INSERT INTO tree SELECT 'N', 'R', NULL, 6 FROM moved;
SELECT differs('tree', 'attribute_id');
WITH moved AS (UPDATE tree SET attribute_id = 'T2', note = 7 WHERE attribute_id = 'T' RETURNING 1)
INSERT INTO tree SELECT 'T', 'Q', 'Q', 8 FROM moved;
SELECT differs('tree', 'attribute_id');
SELECT attribute_id, part_of, owner, note FROM tree ORDER BY 1;
-- One row is set null and deleted by one statement, in whatever order.
INSERT INTO tree VALUES ('U', NULL, 'Q', 9), ('V', 'U', 'U', 10), ('W', 'T2', 'V', 11);
DELETE FROM tree WHERE attribute_id IN ('Q', 'U');
SELECT differs('tree', 'attribute_id');
SELECT attribute_id, part_of, owner, note FROM tree ORDER BY 1;

-- A trigger keeps a row out of the partition that it moves to: what stayed as it was keeps its verdict.
CREATE TABLE moving (no text, place text, in_scope boolean DEFAULT true, PRIMARY KEY (no, place)) PARTITION BY LIST (place);
CREATE TABLE moving_in PARTITION OF moving FOR VALUES IN ('in');
CREATE TABLE moving_out PARTITION OF moving FOR VALUES IN ('out');
CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep_out BEFORE INSERT ON moving_out FOR EACH ROW EXECUTE FUNCTION keep_out();
INSERT INTO moving SELECT chr(64 + n), 'in' FROM generate_series(1, 4) n;
SELECT vouch.track_table('moving', 'Scoping') AS moving \gset
SELECT vouch.submit_version(:'moving') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_ts_olga;
SELECT vouch.decide_where(:'moving', 'approved');
SELECT vouch.approve_version(:'moving') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_ts_tess;
UPDATE moving SET place = CASE no WHEN 'B' THEN 'out' ELSE place END;
SELECT item_key, payload ->> 'place' AS place, status FROM vouch.tracked_tables v, vouch.version_items(v.version_id)
WHERE v.source = 'moving'::regclass ORDER BY item_key;
SELECT vouch.sync_table('moving') AS differed;

-- Deferred constraints: what their triggers write at COMMIT is recorded, too.
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE ts.scope SET note = 'at commit' WHERE attribute_id = 1; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON report DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit();
INSERT INTO report VALUES (99);
SELECT differs('scope', 'attribute_id');
SELECT note FROM scope WHERE attribute_id = 1;
-- Savepoints, and transactions that see one snapshot.
BEGIN ISOLATION LEVEL REPEATABLE READ;
UPDATE scope SET note = 'stays';
SAVEPOINT s;
DELETE FROM scope;
ROLLBACK TO s;
DELETE FROM scope WHERE attribute_id = 9;
COMMIT;
SELECT differs('scope', 'attribute_id');

-- Many rows: in the order of their numbers or not, all or some of them, of this version and of earlier ones.
TRUNCATE scope;
INSERT INTO scope SELECT n, true, 'note ' || n FROM generate_series(1, 500) n;
UPDATE scope SET note = 'in place';
UPDATE scope SET note = 'every third' WHERE attribute_id % 3 = 0;
UPDATE scope SET note = 'every twentieth' WHERE attribute_id % 20 = 0;
DELETE FROM scope WHERE attribute_id BETWEEN 101 AND 300;
DELETE FROM scope WHERE attribute_id % 50 = 0;
SELECT differs('scope', 'attribute_id');
SELECT count(*) AS rows, count(DISTINCT note) AS notes FROM scope;
CREATE PROCEDURE approve() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM vouch.submit_version(version_id) FROM vouch.tracked_tables WHERE source = 'ts.scope'::regclass;
	SET SESSION AUTHORIZATION regress_vouch_ts_olga;
	PERFORM vouch.decide_where(version_id, 'approved') FROM vouch.tracked_tables WHERE source = 'ts.scope'::regclass;
	PERFORM vouch.approve_version(version_id) FROM vouch.tracked_tables WHERE source = 'ts.scope'::regclass;
	SET SESSION AUTHORIZATION regress_vouch_ts_tess;
END $$;
CALL approve();
UPDATE scope SET note = 'second version' WHERE attribute_id <= 10;
UPDATE scope SET note = 'carried and own' WHERE attribute_id <= 90;
DELETE FROM scope WHERE attribute_id <= 40;
DELETE FROM scope WHERE attribute_id BETWEEN 60 AND 400;
SELECT differs('scope', 'attribute_id');
SELECT version_number, items, pending, approved FROM vouch.version_history('Scoping', subject => 'ts.scope');
UPDATE scope SET note = 'all', attribute_id = attribute_id + 1000;
SELECT differs('scope', 'attribute_id');

-- Who edits a row of the draft recommends it from then on; a payload that was redacted stays on record, and the row gets another.
GRANT UPDATE, SELECT ON scope TO regress_vouch_ts_writer;
SET SESSION AUTHORIZATION regress_vouch_ts_writer;
UPDATE ts.scope SET note = 'by the writer' WHERE attribute_id BETWEEN 1041 AND 1045;
SET SESSION AUTHORIZATION regress_vouch_ts_rita;
SELECT vouch.redact_item(version_id, '1055', 'a name') > 0 AS redacted FROM vouch.tracked_tables WHERE source = 'ts.scope'::regclass;
SET SESSION AUTHORIZATION regress_vouch_ts_tess;
UPDATE scope SET note = 'written over' WHERE attribute_id BETWEEN 1045 AND 1100;
SELECT differs('scope', 'attribute_id');
SELECT recommended_by, count(*) FROM vouch.tracked_tables v, vouch.version_items(v.version_id) i WHERE v.source = 'scope'::regclass GROUP BY 1 ORDER BY 1;
SELECT check_name, first_bad, detail FROM vouch.verify('ts.scope') WHERE NOT ok;

-- The actor is who logged in, also where a function writes with its owner's rights.
REVOKE UPDATE ON scope FROM regress_vouch_ts_writer;
CREATE FUNCTION note_one(int, text) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'UPDATE ts.scope SET note = $2 WHERE attribute_id = $1';
SET SESSION AUTHORIZATION regress_vouch_ts_writer;
UPDATE ts.scope SET note = 'not allowed';
SELECT ts.note_one(1051, 'through a function');
SET SESSION AUTHORIZATION regress_vouch_ts_tess;
SELECT recommended_by FROM vouch.tracked_tables v, vouch.version_items(v.version_id) i WHERE v.source = 'scope'::regclass AND item_key = '1051';
SELECT actor FROM done ORDER BY no DESC LIMIT 1;

-- A table of one's own does not open what others made.
SELECT vouch.untrack_table('scope');
SET SESSION AUTHORIZATION regress_vouch_ts_tom;
CREATE TABLE ts_tom.scope (attribute_id int PRIMARY KEY, in_scope boolean);
SELECT vouch.track_table('ts_tom.scope', 'Scoping', subject => 'ts.scope');
SET SESSION AUTHORIZATION regress_vouch_ts_tess;
SELECT vouch.track_table('scope', 'Scoping') IS NOT NULL AS tracked_again;

-- Policies that are forced on the owner hide rows from a comparison: it is refused, changes are not.
ALTER TABLE scope ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY visible ON scope USING (attribute_id < 1050);
UPDATE scope SET note = 'visible';
SELECT vouch.sync_table('scope');
SELECT vouch.restore_table(version_id) FROM vouch.tracked_tables WHERE source = 'scope'::regclass;
DROP POLICY visible ON scope;
ALTER TABLE scope DISABLE ROW LEVEL SECURITY;
SELECT differs('scope', 'attribute_id');

-- What a phase asks of its items counts from when it changes.
RESET SESSION AUTHORIZATION;
BEGIN;
SELECT vouch.define_phase('ts_phase', 'TS Phase', 'id');
CREATE TABLE ts.strict (id int PRIMARY KEY, weight int);
SELECT vouch.track_table('ts.strict', 'TS Phase') IS NULL AS empty;
INSERT INTO ts.strict VALUES (1, NULL);
SELECT vouch.define_phase('ts_phase', 'TS Phase', 'id', '{"properties": {"weight": {"type": "number"}}}');
SAVEPOINT s;
INSERT INTO ts.strict VALUES (2, NULL);
ROLLBACK TO s;
INSERT INTO ts.strict VALUES (2, 20);
SELECT ts.differs('ts.strict', 'id');
ROLLBACK;
SET SESSION AUTHORIZATION regress_vouch_ts_tess;

-- The table's definition changes: what is still a key, is.
ALTER TABLE scope RENAME TO scope_of_work;
ALTER TABLE scope_of_work ALTER attribute_id TYPE bigint;
UPDATE scope_of_work SET note = 'renamed' WHERE attribute_id = 1051;
SELECT differs('scope_of_work', 'attribute_id');
ALTER TABLE scope_of_work DROP CONSTRAINT scope_pkey;
UPDATE scope_of_work SET note = 'no key';
ALTER TABLE scope_of_work ADD PRIMARY KEY (attribute_id);
UPDATE scope_of_work SET note = 'a key again';
SELECT differs('scope_of_work', 'attribute_id');
RESET SESSION AUTHORIZATION;
ALTER SCHEMA ts RENAME TO ts2;
UPDATE ts2.scope_of_work SET note = 'another schema' WHERE attribute_id = 1052;
TRUNCATE ts2.scope_of_work;
ALTER SCHEMA ts2 RENAME TO ts;
SET SESSION AUTHORIZATION regress_vouch_ts_tess;
SELECT differs('scope_of_work', 'attribute_id');
CREATE TABLE heir () INHERITS (scope_of_work);
CREATE UNLOGGED TABLE forgetful (id int PRIMARY KEY);
SELECT vouch.track_table('forgetful', 'Scoping');

RESET SESSION AUTHORIZATION;
SELECT check_name, first_bad, detail FROM vouch.verify() WHERE subject LIKE 'ts.%' AND NOT ok;
SET client_min_messages = warning;
DROP SCHEMA ts, ts_tom CASCADE;
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant
WHERE actor LIKE 'regress\_vouch\_ts\_%' AND revoked_at IS NULL;
DROP OWNED BY regress_vouch_ts_tess, regress_vouch_ts_tom, regress_vouch_ts_olga, regress_vouch_ts_rita, regress_vouch_ts_writer;
DROP ROLE regress_vouch_ts_tess, regress_vouch_ts_tom, regress_vouch_ts_olga, regress_vouch_ts_rita, regress_vouch_ts_writer;
