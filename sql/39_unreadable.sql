-- What is so damaged that reading it raises an error: vouch.verify() says which check could not be made, and makes all the others.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE ROLE regress_vouch_139_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_139_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role('regress_vouch_139_' || a, r)) FROM (VALUES ('tess', 'tester'), ('olga', 'report_owner')) AS v(a, r);
SET SESSION AUTHORIZATION regress_vouch_139_tess;
SELECT vouch.create_version('scoping', 1390, 1, '[{"attribute_id": "a", "in_scope": true}]') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SELECT vouch.record_test_action(1390, 1, 'T1', 'document_request', NULL, '{"lob_id": "CARDS", "reason": "missing"}') ->> 'state' AS state;
SELECT vouch.record_test_action(1390, 1, 'T1', 'document_request', NULL, '{"lob_id": "LOANS", "reason": "missing"}') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_139_olga;
SELECT vouch.decide_where(:'v', 'approved');
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;

-- Damages something, and says what is found: of one subject, or of all but what other tests left; and how many checks came to their end.
CREATE PROCEDURE public.damage(subject text, VARIADIC statements text[]) LANGUAGE plpgsql AS $$
DECLARE
	t text;
	finding record;
	good int := 0;
BEGIN
	PERFORM set_config('vouch.restoring', 'on', true);
	FOREACH t IN ARRAY statements LOOP
		EXECUTE t;
	END LOOP;
	PERFORM set_config('vouch.restoring', 'off', true);
	FOR finding IN SELECT * FROM vouch.verify(subject) v WHERE v.subject = 'cycle-1390-report-1' OR v.subject = '' OR v.subject IS NULL LOOP
		IF finding.ok THEN
			good := good + 1;
		ELSE
			RAISE INFO '%', concat_ws(': ', finding.check_name, nullif(concat_ws(' ', nullif(finding.phase, ''), nullif(finding.scope, '')), ''), finding.first_bad, finding.detail);
		END IF;
	END LOOP;
	RAISE INFO '% checks found nothing', good;
	ROLLBACK;
END $$;

CALL public.damage('cycle-1390-report-1', VARIADIC '{}');
-- One row of what the phases without versions keep: of the other line of business the check is made.
CALL public.damage('cycle-1390-report-1', $$ALTER FUNCTION vouch_data.record_of(anyelement) RENAME TO intact$$,
	$$CREATE FUNCTION vouch_data.record_of(row_of_table anyelement) RETURNS jsonb LANGUAGE plpgsql STABLE AS 'BEGIN
		IF to_jsonb(row_of_table) ->> ''lob_id'' = ''LOANS'' THEN RAISE data_corrupted USING MESSAGE = ''missing chunk number 0''; END IF;
		RETURN vouch_data.intact(row_of_table); END'$$);
-- Tables that are gone: of the blocks, the signatures, the tests.
CALL public.damage(NULL, $$ALTER TABLE vouch_data.block RENAME TO gone$$);
CALL public.damage('cycle-1390-report-1', $$ALTER TABLE vouch_data.signature RENAME TO gone$$);
CALL public.damage('cycle-1390-report-1', $$ALTER TABLE vouch_data.test_action RENAME TO gone$$);
CALL public.damage(NULL, $$ALTER TABLE vouch_data.test_action RENAME TO gone$$);
CALL public.damage('cycle-1390-report-1', $$ALTER TABLE vouch_data.artifact RENAME TO gone$$);
-- What the check of the guards reads.
CALL public.damage(NULL, $$ALTER TABLE vouch_data.tracked_table RENAME COLUMN relation TO gone$$);
-- What the log of configurations says: who held a role then, cannot be told.
CALL public.damage('cycle-1390-report-1', $$UPDATE vouch_data.operation SET detail = jsonb_set(detail, ARRAY['rows', (SELECT k FROM jsonb_object_keys(detail -> 'rows') k LIMIT 1), 'granted_at'], '"never"')
	WHERE bucket = vouch.bucket('@configuration') AND operation = 'grant_role' AND detail::text LIKE '%regress_vouch_139_olga%'$$);
-- An error that is about the session, and not about what is kept, is one.
BEGIN;
SELECT vouch_data.unreadable('records', '', '', '', 'artifact', '40001', 'could not serialize access');
ROLLBACK;

DROP PROCEDURE public.damage(text, text[]);
SELECT count(vouch.revoke_role('regress_vouch_139_' || a, r)) FROM (VALUES ('tess', 'tester'), ('olga', 'report_owner')) AS v(a, r);
DROP ROLE regress_vouch_139_tess, regress_vouch_139_olga;
