-- Tables that version themselves: what changes in a table of one's own lands as items of a draft.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_t_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_t_tom LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_t_olga LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_t_writer LOGIN;		-- may write the table, and knows nothing of Vouch
SELECT count(vouch.grant_role(a, r)) FROM (VALUES
	('regress_vouch_t_tess', 'tester'), ('regress_vouch_t_tom', 'tester'), ('regress_vouch_t_olga', 'report_owner')) AS v(a, r);
CREATE SCHEMA track AUTHORIZATION regress_vouch_t_tess;
GRANT USAGE ON SCHEMA track TO regress_vouch_t_tom, regress_vouch_t_olga, regress_vouch_t_writer;

-- A table with rows, a generated column, and somebody who may write it.
SET SESSION AUTHORIZATION regress_vouch_t_tess;
SET search_path = track, public;
CREATE TABLE limits (attribute_id text PRIMARY KEY, amount numeric NOT NULL, since timestamptz DEFAULT '2026-01-01 12:00+00',
	note text, in_scope boolean NOT NULL DEFAULT true, cents bigint GENERATED ALWAYS AS ((amount * 100)::bigint) STORED);
GRANT SELECT, INSERT, UPDATE, DELETE ON limits TO regress_vouch_t_tom, regress_vouch_t_writer;
GRANT SELECT ON limits TO regress_vouch_t_olga;
INSERT INTO limits VALUES ('A', 100), ('B', 200.50), ('C', 300);
SELECT vouch.track_table('limits', 'Scoping', 29, 1) AS v1 \gset
SELECT source, phase, subject, key_columns, on_closed, tracked_by, version_number, state FROM vouch.tracked_tables
WHERE source = 'limits'::regclass;

-- How the newest version reads: the key, what it says, who put it there.
CREATE VIEW shown AS
SELECT i.item_key, i.payload - 'attribute_id' - 'since' - 'in_scope' AS payload, i.recommended_by, i.status, i.carried_from
FROM vouch.tracked_tables t, vouch.version_items(t.version_id) i WHERE t.source = 'track.limits'::regclass ORDER BY i.item_no;
GRANT SELECT ON shown TO PUBLIC;
SELECT * FROM shown;
SELECT payload = to_jsonb(l) AS payload_is_row FROM vouch.version_items(:'v1'), limits l WHERE attribute_id = item_key
	AND set_config('timezone', 'UTC', true) = 'UTC';

-- Inserts, updates, deletes, in the name of who does them; a role that has no part in Vouch needs none.
SET SESSION AUTHORIZATION regress_vouch_t_tom;
INSERT INTO track.limits VALUES ('D', 400), ('E', 500);
UPDATE track.limits SET amount = amount + 1 WHERE attribute_id IN ('A', 'D');
SET SESSION AUTHORIZATION regress_vouch_t_writer;
DELETE FROM track.limits WHERE attribute_id = 'C';
SET SESSION AUTHORIZATION regress_vouch_t_tess;
SELECT * FROM shown;
-- An update that changes nothing is no change; a new key is another item.
UPDATE limits SET amount = amount;
UPDATE limits SET attribute_id = 'F' WHERE attribute_id = 'E';
UPDATE limits SET attribute_id = CASE attribute_id WHEN 'A' THEN 'tmp' ELSE attribute_id END;
UPDATE limits SET attribute_id = 'A' WHERE attribute_id = 'tmp';
SELECT item_key, recommended_by FROM shown;

-- One statement is one change: COPY, ON CONFLICT, MERGE.
COPY limits (attribute_id, amount) FROM stdin;
G	700
H	800
\.
INSERT INTO limits (attribute_id, amount) VALUES ('H', 888), ('I', 900)
	ON CONFLICT (attribute_id) DO UPDATE SET amount = excluded.amount;
MERGE INTO limits l USING (VALUES ('G', 0), ('I', 999), ('J', 1000)) AS n(attribute_id, amount) ON n.attribute_id = l.attribute_id
	WHEN MATCHED AND n.amount = 0 THEN DELETE
	WHEN MATCHED THEN UPDATE SET amount = n.amount
	WHEN NOT MATCHED THEN INSERT (attribute_id, amount) VALUES (n.attribute_id, n.amount);
SELECT item_key, payload ->> 'amount' AS amount, payload ->> 'cents' AS cents FROM shown;
RESET SESSION AUTHORIZATION;
SELECT operation_number, operation_type, actor, item_count, detail FROM vouch.workflow_version_operations
WHERE subject = 'cycle-29-report-1' ORDER BY operation_number;
SET SESSION AUTHORIZATION regress_vouch_t_tess;

-- A row that does not fit the phase is refused, with the statement.
ALTER TABLE limits ALTER in_scope DROP NOT NULL;
INSERT INTO limits (attribute_id, amount, in_scope) VALUES ('K', 1, true), ('L', 2, NULL);
SELECT count(*) FROM limits;

-- What is pending approval is frozen, and so is the table; what changes nothing may go on.
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'v1') r;
UPDATE limits SET amount = 0;
UPDATE limits SET amount = amount;
DELETE FROM limits WHERE attribute_id = 'nobody';
TRUNCATE limits;
SET SESSION AUTHORIZATION regress_vouch_t_olga;
SELECT vouch.decide_where(:'v1', 'approved');
SELECT r ->> 'state' AS state FROM vouch.approve_version(:'v1') r;

-- A change of what is approved opens the next draft, which carries all other rows with their decisions.
SET SESSION AUTHORIZATION regress_vouch_t_tom;
UPDATE track.limits SET note = 'raised', amount = 5000 WHERE attribute_id = 'B';
DELETE FROM track.limits WHERE attribute_id = 'F';
SELECT version_number, state, carry, reason, items, pending, approved, carried, created_by
FROM vouch.version_history('Scoping', 29, 1);
SELECT item_key, payload ->> 'amount' AS amount, recommended_by, status, carried_from FROM shown;

-- The table as of any version, in its own row type; what changed between them.
SET search_path = track, public;
SELECT attribute_id, amount, note, cents FROM vouch.table_as_of(NULL::limits, :'v1') WHERE attribute_id IN ('B', 'F');
SELECT version_id AS v2 FROM vouch.tracked_tables WHERE source = 'limits'::regclass \gset
SELECT item_key, change, before ->> 'amount' AS before, after ->> 'amount' AS after FROM vouch.diff_versions(:'v1', :'v2');

-- Back to a version: with the caller's rights, and recorded like any change.
INSERT INTO limits VALUES ('Z', 26);
SELECT * FROM vouch.restore_table(:'v1');
SELECT count(*) AS differences FROM ((TABLE limits EXCEPT SELECT * FROM vouch.table_as_of(NULL::limits, :'v1'))
	UNION ALL (SELECT * FROM vouch.table_as_of(NULL::limits, :'v1') EXCEPT TABLE limits)) d;
SELECT * FROM vouch.diff_versions(:'v1', :'v2') WHERE change <> 'verdict_changed';
SET SESSION AUTHORIZATION regress_vouch_t_olga;
INSERT INTO limits VALUES ('Y', 25);
SET SESSION AUTHORIZATION regress_vouch_t_tess;
UPDATE limits SET amount = 7 WHERE attribute_id = 'A';
SET SESSION AUTHORIZATION regress_vouch_t_olga;
SELECT * FROM vouch.restore_table(:'v1');

-- TRUNCATE removes every item; a draft thrown away leaves the table ahead, and the next change brings all that differs.
SET SESSION AUTHORIZATION regress_vouch_t_tess;
TRUNCATE limits;
SELECT count(*) AS items FROM shown;
SELECT vouch.discard_version(:'v2');
SELECT version_number, state FROM vouch.tracked_tables WHERE source = 'limits'::regclass;
INSERT INTO limits VALUES ('B', 200.50), ('Q', 1);
SELECT item_key, status FROM shown;
SELECT * FROM vouch.restore_table(:'v1', 'all back');
SELECT version_number, reason, items FROM vouch.version_history('Scoping', 29, 1);

-- A rolled back change leaves nothing.
BEGIN;
DELETE FROM limits;
ROLLBACK;
SELECT count(*) AS items FROM shown;

-- Other triggers may write the table, too: the row counts as it is in the end.
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() = 1 THEN
		UPDATE track.limits SET note = 'stamped' WHERE attribute_id = new.attribute_id;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER stamp AFTER INSERT OR UPDATE ON limits FOR EACH ROW EXECUTE FUNCTION stamp();
INSERT INTO limits VALUES ('B', 1, NULL, 'mine'), ('S', 2, NULL, 'mine') ON CONFLICT (attribute_id) DO UPDATE SET amount = excluded.amount;
SELECT item_key, payload ->> 'amount' AS amount, payload ->> 'note' AS note FROM shown WHERE item_key IN ('B', 'S');
DROP TRIGGER stamp ON limits;

-- Replicated or local: the triggers fire always, also where a superuser turns others off.
RESET SESSION AUTHORIZATION;
SET session_replication_role = replica;
INSERT INTO track.limits VALUES ('R', 2);
RESET session_replication_role;
SELECT item_key, recommended_by = session_user AS superuser FROM track.shown WHERE item_key = 'R';
SET SESSION AUTHORIZATION regress_vouch_t_tess;

-- Columns come: rows have them from their next change on; as of an older version they are null.
ALTER TABLE limits ADD grade int DEFAULT 3;
UPDATE limits SET amount = 11 WHERE attribute_id = 'A';
SELECT item_key, payload -> 'grade' AS grade FROM shown WHERE item_key IN ('A', 'D');
SELECT vouch.sync_table('limits') AS differed, vouch.sync_table('limits') AS then_nothing;
SELECT * FROM vouch.restore_table(:'v1');
SELECT attribute_id, amount, grade FROM limits ORDER BY attribute_id LIMIT 2;
-- Columns go, but not the key.
ALTER TABLE limits DROP note;
UPDATE limits SET amount = 12 WHERE attribute_id = 'A';
SELECT payload FROM shown WHERE item_key = 'A';
ALTER TABLE limits RENAME attribute_id TO attribute_no;
UPDATE limits SET amount = 13;
SELECT count(*) AS changed FROM limits WHERE amount = 13;
SELECT vouch.track_table('limits', 'Scoping', 29, 1) IS NOT NULL AS tracked_by_its_new_name;
UPDATE limits SET amount = 13;
ALTER TABLE limits RENAME attribute_no TO attribute_id;
SELECT vouch.track_table('limits', 'Scoping', 29, 1, on_closed => 'refuse') AS v3 \gset

-- on_closed => 'refuse': what is closed stays, until somebody opens the next version.
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'v3') r;
SET SESSION AUTHORIZATION regress_vouch_t_olga;
SELECT vouch.decide_where(:'v3', 'approved') > 0 AS decided;
SELECT r ->> 'state' AS state FROM vouch.approve_version(:'v3') r;
SET SESSION AUTHORIZATION regress_vouch_t_tess;
DELETE FROM limits;
SELECT vouch.create_revision(:'v3', carry => 'all', reason => 'yearly review') IS NOT NULL AS opened;
DELETE FROM limits WHERE attribute_id <> 'A';
SELECT item_key FROM shown;

-- Untracked, the table is a table again, and its versions stay.
SELECT vouch.untrack_table('limits');
DELETE FROM limits;
SELECT item_key FROM vouch.version_history('Scoping', 29, 1) h, vouch.version_items(h.version_id)
WHERE h.state = 'draft';
SELECT vouch.untrack_table('limits');
\set VERBOSITY sqlstate
SELECT vouch.restore_table(:'v1');
\set VERBOSITY default

-- Keys of several columns; partitions, whichever way they are written; a subject of its own name.
CREATE TABLE positions (region text, no int, amount numeric, in_scope boolean DEFAULT true, PRIMARY KEY (region, no)) PARTITION BY LIST (region);
CREATE TABLE positions_eu PARTITION OF positions FOR VALUES IN ('EU');
SELECT vouch.track_table('positions', 'Scoping') IS NULL AS no_rows_yet;
CREATE TABLE positions_us PARTITION OF positions FOR VALUES IN ('US');
CREATE TABLE positions_as (amount numeric, no int NOT NULL, region text NOT NULL, in_scope boolean DEFAULT false);
ALTER TABLE positions ATTACH PARTITION positions_as FOR VALUES IN ('AS');
INSERT INTO positions VALUES ('EU', 1, 10), ('US', 1, 20);
INSERT INTO positions_eu VALUES ('EU', 2, 30);
INSERT INTO positions_us VALUES ('US', 2, 40);
INSERT INTO positions_as VALUES (50, 1, 'AS');
UPDATE positions SET region = 'US', no = 3 WHERE region = 'EU' AND no = 2;
TRUNCATE positions_eu;
SELECT item_key, payload FROM vouch.tracked_tables t, vouch.version_items(t.version_id) WHERE t.source = 'positions'::regclass ORDER BY item_no;
SELECT * FROM vouch.table_as_of(NULL::positions, (SELECT version_id FROM vouch.tracked_tables WHERE source = 'positions'::regclass));
-- What is detached is not the table's any more; no trigger sees that, so one says it.
ALTER TABLE positions DETACH PARTITION positions_us;
INSERT INTO positions_us VALUES ('US', 9, 90);
SELECT vouch.sync_table('positions', 'positions_us detached') AS differed;
SELECT item_key FROM vouch.tracked_tables t, vouch.version_items(t.version_id) WHERE t.source = 'positions'::regclass;
DROP TABLE positions;
SELECT count(*) AS tracked FROM vouch.tracked_tables;

-- What was renamed: a restore says what it cannot put back, or refuses.
CREATE TABLE renamed (attribute_id text PRIMARY KEY, note text, in_scope boolean DEFAULT true);
INSERT INTO renamed VALUES ('A', 'first');
SELECT vouch.track_table('renamed', 'Scoping') AS before \gset
SELECT vouch.withdraw_version(:'before');
ALTER TABLE renamed RENAME note TO remark;
UPDATE renamed SET remark = 'second', in_scope = false;
SELECT * FROM vouch.restore_table(:'before');
SELECT * FROM renamed;
ALTER TABLE renamed RENAME attribute_id TO attribute_no;
SELECT * FROM vouch.restore_table(:'before');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.track_table('renamed', 'Scoping', key => 'attribute_no') IS NOT NULL AS tracked;
SELECT * FROM vouch.restore_table(:'before');
\echo :LAST_ERROR_SQLSTATE
-- With its former names the version can be restored.
ALTER TABLE renamed RENAME attribute_no TO attribute_id;
ALTER TABLE renamed RENAME remark TO note;
SELECT vouch.track_table('renamed', 'Scoping') IS NOT NULL AS tracked;
SELECT * FROM vouch.restore_table(:'before');
SELECT * FROM renamed;
SELECT vouch.untrack_table('renamed');

-- What cannot be tracked, and by whom.
CREATE TABLE nokey (a int, b int);
SELECT vouch.track_table('nokey', 'Scoping');
CREATE UNIQUE INDEX ON nokey (a, b);
SELECT vouch.track_table('nokey', 'Scoping', key => 'a');
SELECT vouch.track_table('nokey', 'Scoping', key => 'a, c');
CREATE TABLE samekey (attribute_id int, part int, in_scope boolean DEFAULT true, PRIMARY KEY (attribute_id, part));
SELECT vouch.track_table('samekey', 'Scoping');
SELECT vouch.track_table('positions_us', 'Data Owner ID');
SELECT vouch.track_table('limits', 'Scoping', on_closed => 'ignore');
CREATE TEMP TABLE scratch (a int PRIMARY KEY);
\set VERBOSITY sqlstate
SELECT vouch.track_table('scratch', 'Scoping');
\set VERBOSITY default
SELECT vouch.track_table('shown', 'Scoping');
SET SESSION AUTHORIZATION regress_vouch_t_tom;
SELECT vouch.track_table('track.limits', 'Scoping');
SELECT vouch_data.track_register('track.limits', NULL, 'Scoping', '', 1, 1, '{attribute_id}', 'refuse');
RESET SESSION AUTHORIZATION;
DELETE FROM vouch_data.tracked_table;

-- All of it stands up to verification.
SELECT check_name, ok, first_bad, detail FROM vouch.verify('cycle-29-report-1') ORDER BY check_name;
SELECT count(*) > 0 AS checked, bool_and(ok) AS ok FROM vouch.verify('track.positions');

SET client_min_messages = warning;
DROP SCHEMA track CASCADE;
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant
WHERE actor LIKE 'regress\_vouch\_t\_%' AND revoked_at IS NULL;
DROP OWNED BY regress_vouch_t_tess, regress_vouch_t_tom, regress_vouch_t_olga, regress_vouch_t_writer;
DROP ROLE regress_vouch_t_tess, regress_vouch_t_tom, regress_vouch_t_olga, regress_vouch_t_writer;
