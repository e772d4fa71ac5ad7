--
-- Whom a cycle trusts: not the table under test, not what somebody says was
-- tested, not a function that goes round the order of the phases, and not who
-- merely sends a signal.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_vouch_66_ann, regress_vouch_66_mal, regress_vouch_66_raj, regress_vouch_66_dex, regress_vouch_66_lea, regress_vouch_66_tex, regress_vouch_66_una, regress_vouch_66_run;
CREATE ROLE regress_vouch_66_ann LOGIN;		-- tester
CREATE ROLE regress_vouch_66_mal LOGIN;		-- another tester, up to no good
CREATE ROLE regress_vouch_66_raj LOGIN;		-- report owner
CREATE ROLE regress_vouch_66_dex LOGIN;		-- data executive and data owner
CREATE ROLE regress_vouch_66_lea LOGIN;		-- test lead
CREATE ROLE regress_vouch_66_tex LOGIN;		-- test executive
CREATE ROLE regress_vouch_66_una LOGIN;		-- has no role
CREATE ROLE regress_vouch_66_run LOGIN;		-- whom the activities run as
GRANT vouch_user TO regress_vouch_66_ann, regress_vouch_66_mal, regress_vouch_66_raj, regress_vouch_66_dex, regress_vouch_66_lea, regress_vouch_66_tex, regress_vouch_66_una, regress_vouch_66_run;
SELECT vouch.grant_role('regress_vouch_66_ann', 'tester'), vouch.grant_role('regress_vouch_66_mal', 'tester'), vouch.grant_role('regress_vouch_66_raj', 'report_owner'),
	vouch.grant_role('regress_vouch_66_dex', 'data_executive'), vouch.grant_role('regress_vouch_66_lea', 'test_lead'), vouch.grant_role('regress_vouch_66_tex', 'test_executive');
CREATE SCHEMA regress_66;
GRANT USAGE ON SCHEMA regress_66 TO PUBLIC;
CREATE TABLE regress_66.accounts (account_no int PRIMARY KEY, lob text NOT NULL, apr numeric(6,2) NOT NULL);
INSERT INTO regress_66.accounts SELECT n, 'CARDS', 10 + n % 17 FROM generate_series(1, 200) AS n;
CREATE TABLE regress_66.salaries AS TABLE regress_66.accounts;
GRANT SELECT ON regress_66.accounts TO regress_vouch_66_run, regress_vouch_66_ann, regress_vouch_66_mal;
GRANT SELECT ON regress_66.salaries TO regress_vouch_66_run;		-- and to nobody else
CREATE FUNCTION regress_66.newest(cycle int, phase text, scope text DEFAULT '') RETURNS uuid LANGUAGE sql AS $$
	SELECT vouch_data.newest_version(format('cycle-%s-report-1', cycle), phase, scope) $$;
CREATE FUNCTION regress_66.waits_for(workflow_id text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(w ->> 'state', ', ' ORDER BY w ->> 'state') FROM jsonb_array_elements(vouch.describe_workflow(workflow_id) -> 'waiting_for') AS w $$;

-- Whom activities run as has to be said, and is no superuser.
SELECT * FROM vouch.install_test_cycle(NULL);
SELECT vouch.install_test_cycle(rolname) FROM pg_roles WHERE rolsuper ORDER BY oid LIMIT 1 \g /dev/null
\echo :LAST_ERROR_SQLSTATE
SELECT workflow FROM vouch.install_test_cycle('regress_vouch_66_run');

-- What a cycle reads: who starts it may read it, too, and reading it runs nobody's code.
CREATE SCHEMA regress_66_mal AUTHORIZATION regress_vouch_66_mal;
SET SESSION AUTHORIZATION regress_vouch_66_mal;
GRANT USAGE ON SCHEMA regress_66_mal TO PUBLIC;
CREATE FUNCTION regress_66_mal.forge() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
	PERFORM vouch.approve_version(vouch_data.newest_version('cycle-660-report-1', 'data_profiling'));
	RETURN 1;
EXCEPTION WHEN OTHERS THEN
	RETURN 2;
END $$;
CREATE TABLE regress_66_mal.base AS TABLE regress_66.accounts;
CREATE VIEW regress_66_mal.plain AS SELECT account_no, lob, apr FROM regress_66_mal.base;
CREATE VIEW regress_66_mal.forging AS SELECT account_no, lob, apr + 0 * regress_66_mal.forge() AS apr FROM regress_66_mal.base;
CREATE TABLE regress_66_mal.policies AS TABLE regress_66.accounts;
ALTER TABLE regress_66_mal.policies ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON regress_66_mal.policies USING (regress_66_mal.forge() > 0);
CREATE TYPE regress_66_mal.mood AS ENUM ('good', 'bad');
CREATE FUNCTION regress_66_mal.mood_json(regress_66_mal.mood) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT to_json(regress_66_mal.forge()) $$;
CREATE CAST (regress_66_mal.mood AS json) WITH FUNCTION regress_66_mal.mood_json(regress_66_mal.mood);
CREATE TABLE regress_66_mal.casts AS SELECT *, 'good'::regress_66_mal.mood AS mood FROM regress_66.accounts;
CREATE TABLE regress_66_mal.rows AS TABLE regress_66.accounts;
CREATE FUNCTION regress_66_mal.row_text(regress_66_mal.rows) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT regress_66_mal.forge()::text $$;
CREATE CAST (regress_66_mal.rows AS text) WITH FUNCTION regress_66_mal.row_text(regress_66_mal.rows);
CREATE TABLE regress_66_mal.indexed AS TABLE regress_66.accounts;
CREATE INDEX evil ON regress_66_mal.indexed ((regress_66_mal.forge()));
CREATE DOMAIN regress_66_mal.rate AS numeric CHECK (regress_66_mal.forge() > 0);
CREATE TABLE regress_66_mal.domains AS SELECT account_no, lob, apr::regress_66_mal.rate AS apr FROM regress_66.accounts;
CREATE TABLE regress_66_mal.composite AS SELECT *, accounts AS pair FROM regress_66.accounts;
GRANT SELECT ON ALL TABLES IN SCHEMA regress_66_mal TO PUBLIC;
\set VERBOSITY terse
SELECT vouch.start_test_cycle(660, 1, 'regress_66_mal.plain', 'account_no', 'lob');
SELECT vouch.start_test_cycle(660, 1, 'regress_66_mal.policies', 'account_no', 'lob');
SELECT vouch.start_test_cycle(660, 1, 'regress_66_mal.casts', 'account_no', 'lob');
SELECT vouch.start_test_cycle(660, 1, 'regress_66_mal.rows', 'account_no', 'lob');
SELECT vouch.start_test_cycle(660, 1, 'regress_66_mal.domains', 'account_no', 'lob');
SELECT vouch.start_test_cycle(660, 1, 'regress_66_mal.composite', 'account_no', 'lob');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT vouch.start_test_cycle(660, 1, 'regress_66_mal.forging', 'account_no', 'lob');
SELECT vouch.start_test_cycle(660, 1, 'regress_66_mal.indexed', 'account_no', 'lob');
SELECT vouch.start_test_cycle(660, 1, 'regress_66.salaries', 'account_no', 'lob');
-- the generic function does not go round it: the activity itself refuses
SELECT vouch.start_workflow('test_cycle', '{"cycle_id": 660, "report_id": 1, "source": "regress_66.salaries", "key_column": "account_no", "lob_column": "lob",
	"user_id": "regress_vouch_66_mal", "sample_size": 2, "sample_method": "random", "seed": 1}', 'cycle-660-report-1');
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT d ->> 'status' AS status, d ->> 'error' AS error, d ->> 'cause' AS cause FROM vouch.describe_workflow('cycle-660-report-1') AS d;
-- by herself everybody reads what she may read, views of her own, too
SET SESSION AUTHORIZATION regress_vouch_66_mal;
SELECT jsonb_array_length(vouch.get_planning_attributes('regress_66_mal.plain')) AS attributes;
SELECT vouch.get_planning_attributes('regress_66.salaries');

-- Defence in depth: what runs while a source is read has nobody to act as, and cannot end that.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION regress_66.who() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	key bigint := vouch_data.nobody_acts();
BEGIN
	BEGIN
		PERFORM vouch_data.somebody_acts(key + 1);
	EXCEPTION WHEN OTHERS THEN
		result := SQLSTATE;
	END;
	BEGIN
		result := result || ' ' || vouch.actor();
	EXCEPTION WHEN OTHERS THEN
		result := result || ' ' || SQLERRM;
	END;
	PERFORM vouch_data.somebody_acts(key);
	RETURN result || ', then ' || vouch.actor();
END $$;
SELECT count(vouch.define_workflow('regress_66_who', '{"StartAt": "W", "States": {"W": {"Type": "Task", "Resource": "sql:regress_66.who", "Parameters": {}, "End": true}}}', 'regress_vouch_66_run'));
SET SESSION AUTHORIZATION regress_vouch_66_ann;
SELECT vouch.start_workflow('regress_66_who', '{}', 'regress-66-who');
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT d -> 'output' AS output FROM vouch.describe_workflow('regress-66-who') AS d;

-- What cannot work is refused before anybody approves anything.
RESET SESSION AUTHORIZATION;
CREATE TABLE regress_66.odd AS SELECT n AS account_no, n / 2 AS half, CASE WHEN n = 7 THEN repeat('Consumer ', 40) ELSE 'CARDS' END AS lob, 1.5 AS apr FROM generate_series(1, 50) AS n;
GRANT SELECT ON regress_66.odd TO regress_vouch_66_run, regress_vouch_66_ann;
SET SESSION AUTHORIZATION regress_vouch_66_ann;
SELECT vouch.start_test_cycle(661, 1, 'regress_66.odd', 'half', 'apr');
SELECT vouch.start_test_cycle(661, 1, 'regress_66.odd', 'account_no', 'lob');
SELECT vouch.start_test_cycle(661, 1, 'regress_66.accounts', 'account_no', 'lob', NULL, '[1]');
SELECT vouch.start_test_cycle(661, 1, 'regress_66.accounts', 'account_no', 'lob', NULL, '{"sample_size": 0}');
\set VERBOSITY terse
SELECT vouch.start_test_cycle(661, 1, 'regress_66.accounts', 'account_no', 'lob', NULL, '{"sample_size": "many"}');
SELECT vouch.start_test_cycle(661, 1, 'regress_66.accounts', 'account_no', 'lob', NULL, '{"seed": 1e30}');
\set VERBOSITY default
SELECT * FROM vouch.run_profiling_rule('regress_66.accounts', '{"kind": "pattern", "column": "lob", "regex": "("}');
SELECT * FROM vouch.run_profiling_rule('regress_66.accounts', '{"kind": "range", "column": "apr", "min": "low"}');

-- A draft of somebody who makes no versions is in nobody's way.
SET SESSION AUTHORIZATION regress_vouch_66_una;
SELECT vouch.create_version('planning', 661, 1, '[]');
SET SESSION AUTHORIZATION regress_vouch_66_ann;
SELECT vouch.start_test_cycle(661, 1, 'regress_66.accounts', 'account_no', 'lob', NULL, '{"sample_size": 2, "sample_method": "random"}') ->> 'workflow_id' AS started;
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_66.waits_for('cycle-661-report-1');

-- The order of the phases holds whatever function is called: rules are open, so is the report.
SET SESSION AUTHORIZATION regress_vouch_66_mal;
SELECT vouch.create_version('finalize_test_report', 661, 1, '[{"type": "summary", "title": "All is well", "content": "Nothing was found"}]') AS report \gset
SELECT vouch.submit_version(:'report') ->> 'state' AS state;
SELECT vouch.discard_version(:'report');
SELECT vouch.create_version('scoping', 661, 1, '[{"attribute_id": "apr", "in_scope": false}]') AS scope \gset
\set VERBOSITY terse
SELECT vouch.submit_version(:'scope') ->> 'state' AS state;
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT vouch.discard_version(:'scope');

-- Whatever is sent, a wait goes on.
SET SESSION AUTHORIZATION regress_vouch_66_una;
SELECT count(vouch.signal_workflow('cycle-661-report-1', 'data_profiling_approval', p)) FROM unnest(ARRAY['5', '"x"', 'null', '[1]', '{"approved": "maybe"}']::jsonb[]) AS p;
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_66.waits_for('cycle-661-report-1');
SET SESSION AUTHORIZATION regress_vouch_66_raj;
SELECT vouch.process_profiling_review(regress_66.newest(661, 'data_profiling'), NULL, '{"approved": "maybe"}');
SELECT vouch.signal_workflow('cycle-661-report-1', 'data_profiling_approval', '{"remaining": "approved", "approved": true}');
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SET SESSION AUTHORIZATION regress_vouch_66_raj;
SELECT vouch.signal_workflow('cycle-661-report-1', 'scoping_approval', '{"remaining": "approved", "approved": true}');
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SET SESSION AUTHORIZATION regress_vouch_66_raj;
SELECT vouch.signal_workflow('cycle-661-report-1', 'sample_selection_review', '{"remaining": "approved", "approved": true}');
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SET SESSION AUTHORIZATION regress_vouch_66_raj;
SELECT count(vouch.signal_workflow('cycle-661-report-1', 'data_owner_assignment_CARDS', p)) FROM unnest(ARRAY['5', '[]', '{"owner_id": 7}']::jsonb[]) AS p;
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_66.waits_for('cycle-661-report-1');

-- Lines of business are those that were sampled.
SET SESSION AUTHORIZATION regress_vouch_66_dex;
SELECT vouch.assign_data_owner(661, 1, 'YACHTS', 'regress_vouch_66_dex');
SELECT vouch.assign_data_owner(661, 1, 'CARDS', 'regress_vouch_66_dex') ->> 'owner_id' AS owner;
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_66.waits_for('cycle-661-report-1/lob-CARDS');

-- After a child was terminated the cycle is taken up again: the owner is known, and may be said again.
RESET SESSION AUTHORIZATION;
SELECT vouch.terminate_workflow('cycle-661-report-1/lob-CARDS', 'by mistake');
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
RESET SESSION AUTHORIZATION;
SELECT vouch.describe_workflow('cycle-661-report-1') ->> 'status' AS status;
SELECT vouch.redrive_workflow('cycle-661-report-1');
SET SESSION AUTHORIZATION regress_vouch_66_dex;
SELECT vouch.assign_data_owner(661, 1, 'CARDS', 'regress_vouch_66_dex') ->> 'status' AS status;
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_66.waits_for('cycle-661-report-1/lob-CARDS');

-- What was tested is what the cycle tested, not what a tester says.
SET SESSION AUTHORIZATION regress_vouch_66_mal;
SELECT vouch_data.record_test_results(661, 1, 'CARDS', NULL, (SELECT jsonb_agg(jsonb_build_object('sample_id', sample_id, 'passed', true)) FROM vouch.sample_decisions WHERE cycle_id = 661), '[]');
SELECT vouch.record_test_action(661, 1, 'T', 'test_result', NULL, '{"lob_id": "CARDS", "sample_id": "1", "passed": true}');
SELECT vouch.record_no_observations(661, 1, 'YACHTS');

-- A document that says nothing of what is in scope tests nothing.
SET SESSION AUTHORIZATION regress_vouch_66_dex;
SELECT count(vouch.submit_document(661, 1, 'CARDS', 'D' || sample_id, NULL, jsonb_build_object('samples', jsonb_build_object(sample_id, '{"colour": "blue"}'::jsonb))))
FROM vouch.sample_decisions WHERE cycle_id = 661;
SELECT count(vouch.signal_workflow('cycle-661-report-1/lob-CARDS', 'document_submitted', p)) FROM unnest(ARRAY['5', '{"document_id": 1, "document_metadata": 5}']::jsonb[]) AS p;
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT samples, tested, state FROM vouch.observation_status(661, 1);
SELECT DISTINCT status, regexp_replace(review_notes, '[0-9]+', '<id>') AS notes FROM vouch.document_submissions WHERE cycle_id = 661;
SET SESSION AUTHORIZATION regress_vouch_66_dex;
SELECT count(vouch.submit_document(661, 1, 'CARDS', 'D' || sample_id, NULL, jsonb_build_object('samples', jsonb_build_object(sample_id, jsonb_build_object('apr', sample_data -> 'apr')))))
FROM vouch.sample_decisions WHERE cycle_id = 661;
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT lob_id, tested, failed, state, done FROM vouch.observation_status(661, 1);
SELECT DISTINCT action_details -> 'compared' AS compared, action_details -> 'missing' AS missing FROM vouch.test_execution_audit WHERE cycle_id = 661 AND action_type = 'test_result';

-- A signature that is none, and a report that a reviewer would like to dictate.
SET SESSION AUTHORIZATION regress_vouch_66_lea;
SELECT count(vouch.signal_workflow('cycle-661-report-1', s, p)) FROM unnest(ARRAY['report_signoff_test_lead', 'report_signoff_report_owner']) AS s,
	unnest(ARRAY['5', '"yes"', 'null', '[true]', '{"approved": "maybe"}', '{"state": "approved", "decided_by": "raj"}']::jsonb[]) AS p;
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_66.waits_for('cycle-661-report-1');
SET SESSION AUTHORIZATION regress_vouch_66_lea;
SELECT vouch.submit_report_signoff(regress_66.newest(661, 'finalize_test_report'), NULL, 'test_lead', false, 'No') ->> 'state' AS state;
SELECT count(vouch.signal_workflow('cycle-661-report-1', 'finalize_test_report_revision', p)) FROM unnest(ARRAY['5',
	'{"report_data": {"title": "Mine", "sections": [{"type": "summary", "title": "All is well", "content": "I say so"}]}}']::jsonb[]) AS p;
SET SESSION AUTHORIZATION regress_vouch_66_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_66.waits_for('cycle-661-report-1'), count(*) AS reports FROM vouch.test_report_versions WHERE cycle_id = 661;

RESET SESSION AUTHORIZATION;
SELECT vouch.terminate_workflow('cycle-661-report-1', 'end of the test');
SELECT bool_and(vouch.revoke_role(actor, role, scope)) AS revoked FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_66\_%' AND revoked_at IS NULL;
DROP SCHEMA regress_66 CASCADE;
DROP SCHEMA regress_66_mal CASCADE;
DROP OWNED BY regress_vouch_66_ann, regress_vouch_66_mal, regress_vouch_66_raj, regress_vouch_66_dex, regress_vouch_66_lea, regress_vouch_66_tex, regress_vouch_66_una, regress_vouch_66_run;
DROP ROLE regress_vouch_66_ann, regress_vouch_66_mal, regress_vouch_66_raj, regress_vouch_66_dex, regress_vouch_66_lea, regress_vouch_66_tex, regress_vouch_66_una, regress_vouch_66_run;
