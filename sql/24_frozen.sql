-- Frozen: nobody writes versions, decisions or the log by hand, whatever role it is.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_f_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_f_olga LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_f_root LOGIN SUPERUSER;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES
	('regress_vouch_f_tess', 'tester'), ('regress_vouch_f_root', 'tester'), ('regress_vouch_f_olga', 'report_owner')) AS v(a, r);
SET SESSION AUTHORIZATION regress_vouch_f_tess;
SELECT vouch.create_version('Scoping', 24, 1, '[
	{"attribute_id": "a", "in_scope": true}, {"attribute_id": "b", "in_scope": true}]') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;

-- What was submitted cannot be edited, nor what is closed; the hint says how it goes on.
SELECT vouch.edit_items(:'v', '[{"attribute_id": "a", "in_scope": false}]');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.remove_items(:'v', '{a}');
SELECT vouch.discard_version(:'v');
SET SESSION AUTHORIZATION regress_vouch_f_olga;
SELECT vouch.decide(:'v', '{"a": "approved", "b": "approved"}');
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SELECT vouch.decide(:'v', '{"a": "rejected"}');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_f_tess;
SELECT vouch.withdraw_version(:'v');

-- A user has no rights on the tables.
UPDATE vouch_data.decision SET status = 'rejected';

-- A superuser has, and is refused all the same.
SET SESSION AUTHORIZATION regress_vouch_f_root;
UPDATE vouch_data.decision SET status = 'rejected';
\echo :LAST_ERROR_SQLSTATE
UPDATE vouch_data.decision SET notes = 'x' WHERE false;
DELETE FROM vouch_data.decision;
INSERT INTO vouch_data.decision SELECT * FROM vouch_data.decision LIMIT 0;
TRUNCATE vouch_data.decision;
UPDATE vouch_data.version SET state = 'rejected';
DELETE FROM vouch_data.version;
SET client_min_messages = warning;
TRUNCATE vouch_data.version CASCADE;
RESET client_min_messages;
UPDATE vouch_data.item_body SET payload = '{}';
DELETE FROM vouch_data.item_body;
UPDATE vouch_data.item SET item_key = 'z';
TRUNCATE vouch_data.item;
UPDATE vouch_data.artifact SET subject = 'other';
UPDATE vouch_data.version_stat SET items = 0;
UPDATE vouch_data.version_contributor SET actor = 'x';
COPY vouch_data.item FROM STDIN;
1	1	1	x
\.
INSERT INTO vouch_data.operation SELECT * FROM vouch_data.operation LIMIT 0;
\echo :LAST_ERROR_SQLSTATE
UPDATE vouch_data.operation SET actor = 'x';
DELETE FROM vouch_data.operation;
TRUNCATE vouch_data.operation;
MERGE INTO vouch_data.operation o USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE;

-- Nor does it help to switch ordinary triggers off.
SET session_replication_role = replica;
UPDATE vouch_data.decision SET status = 'rejected';
DELETE FROM vouch_data.operation;
RESET session_replication_role;

-- Our own code opens the way for one statement at a time: after a failure in it the way is closed again.
CREATE FUNCTION public.sabotage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'sabotage'; END $$;
SET vouch.restoring = on;
CREATE TRIGGER sabotage BEFORE INSERT ON vouch_data.item_body FOR EACH ROW EXECUTE FUNCTION public.sabotage();
RESET vouch.restoring;
SELECT vouch.create_version('Scoping', 24, 2, '[{"attribute_id": "a", "in_scope": true}]');
DELETE FROM vouch_data.decision;
DO $$
BEGIN
	PERFORM vouch.create_version('Scoping', 24, 2, '[{"attribute_id": "a", "in_scope": true}]');
EXCEPTION WHEN raise_exception THEN
	DELETE FROM vouch_data.decision;
END $$;
DROP TRIGGER sabotage ON vouch_data.item_body;
DROP FUNCTION public.sabotage();
SELECT count(*) AS half_made FROM vouch.version_history('Scoping', 24, 2);

-- And it opens it to no trigger of anybody's, should there be one, nor what that writes.
CREATE FUNCTION public.evil() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE vouch_data.operation SET actor = 'mallory'; RETURN NULL; END $$;
CREATE TRIGGER evil AFTER INSERT ON vouch_data.item FOR EACH STATEMENT EXECUTE FUNCTION public.evil();
\echo :LAST_ERROR_SQLSTATE
SET vouch.restoring = on;
CREATE TRIGGER evil AFTER INSERT ON vouch_data.item FOR EACH STATEMENT EXECUTE FUNCTION public.evil();
RESET vouch.restoring;
SELECT vouch.create_version('Scoping', 24, 2, '[{"attribute_id": "a", "in_scope": true}]');
\echo :LAST_ERROR_SQLSTATE
SELECT ok, first_bad, detail FROM vouch.verify() WHERE check_name = 'guards';
DROP TRIGGER evil ON vouch_data.item;
DROP FUNCTION public.evil();
SELECT ok, first_bad, detail FROM vouch.verify() WHERE check_name = 'guards';

-- A dump is restored with vouch.restoring, which only a superuser may set.
SET SESSION AUTHORIZATION regress_vouch_f_olga;
SET vouch.restoring = on;
SET SESSION AUTHORIZATION regress_vouch_f_root;
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.decision SET status = 'rejected' WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT check_name, ok, first_bad, detail FROM vouch.verify('cycle-24-report-1') WHERE NOT ok;
ROLLBACK;
UPDATE vouch_data.decision SET status = 'rejected';

-- Nobody has decided what is undecided: notes on it are those of who took a verdict back, and a decider it has none.
SET SESSION AUTHORIZATION regress_vouch_f_tess;
SELECT vouch.create_version('Scoping', 24, 3, '[
	{"attribute_id": "a", "in_scope": true}, {"attribute_id": "b", "in_scope": true}]') AS w \gset
SELECT vouch.submit_version(:'w') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_f_olga;
SELECT vouch.decide(:'w', '{"a": "approved"}');
SELECT vouch.decide(:'w', '{"a": {"decision": "pending", "notes": "ask again"}}');
SELECT check_name, ok, detail FROM vouch.verify('cycle-24-report-3') WHERE NOT ok;
SET SESSION AUTHORIZATION regress_vouch_f_root;
BEGIN;
SET LOCAL vouch.restoring = on;
SAVEPOINT s;
\set VERBOSITY terse
UPDATE vouch_data.decision SET decided_by = 'regress_vouch_f_olga' WHERE bucket = vouch.bucket_of(:'w') AND artifact_no = vouch_data.artifact_number(:'w') AND item_no = 2;
\set VERBOSITY default
ROLLBACK TO s;
UPDATE vouch_data.decision SET notes = 'forged' WHERE bucket = vouch.bucket_of(:'w') AND artifact_no = vouch_data.artifact_number(:'w') AND item_no = 2;
SELECT check_name, ok, first_bad, detail FROM vouch.verify('cycle-24-report-3') WHERE NOT ok;
ROLLBACK TO s;
UPDATE vouch_data.decision SET notes = 'forged' WHERE bucket = vouch.bucket_of(:'w') AND artifact_no = vouch_data.artifact_number(:'w') AND item_no = 1;
SELECT check_name, ok, first_bad, detail FROM vouch.verify('cycle-24-report-3') WHERE NOT ok;
ALTER TABLE vouch_data.decision DROP CONSTRAINT undecided;
UPDATE vouch_data.decision SET decided_by = 'regress_vouch_f_olga' WHERE bucket = vouch.bucket_of(:'w') AND artifact_no = vouch_data.artifact_number(:'w') AND item_no = 1;
SELECT check_name, ok, first_bad, detail FROM vouch.verify('cycle-24-report-3') WHERE NOT ok;
ROLLBACK;
SET SESSION AUTHORIZATION regress_vouch_f_tess;
SELECT vouch.withdraw_version(:'w', 'enough');

-- After all this, nothing has changed.
RESET SESSION AUTHORIZATION;
SELECT item_key, status, decided_by FROM vouch.version_items(:'v');
SELECT check_name, ok FROM vouch.verify('cycle-24-report-1') ORDER BY 1;

SELECT count(vouch.revoke_role(a, r)) FROM (VALUES
	('regress_vouch_f_tess', 'tester'), ('regress_vouch_f_root', 'tester'), ('regress_vouch_f_olga', 'report_owner')) AS v(a, r);
DROP ROLE regress_vouch_f_tess, regress_vouch_f_olga, regress_vouch_f_root;
