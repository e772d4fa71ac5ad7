--
-- Test Execution, Observation Management and the Test Report, called directly,
-- without a workflow: what a test compares, and what a report needs.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_vouch_63_ann, regress_vouch_63_raj, regress_vouch_63_lea, regress_vouch_63_tex, regress_vouch_63_oli;
CREATE ROLE regress_vouch_63_ann LOGIN;		-- tester
CREATE ROLE regress_vouch_63_raj LOGIN;		-- report owner
CREATE ROLE regress_vouch_63_lea LOGIN;		-- test lead
CREATE ROLE regress_vouch_63_tex LOGIN;		-- test executive
CREATE ROLE regress_vouch_63_oli LOGIN;		-- data owner
GRANT vouch_user TO regress_vouch_63_ann, regress_vouch_63_raj, regress_vouch_63_lea, regress_vouch_63_tex, regress_vouch_63_oli;
SELECT vouch.grant_role('regress_vouch_63_ann', 'tester'), vouch.grant_role('regress_vouch_63_raj', 'report_owner'),
	vouch.grant_role('regress_vouch_63_lea', 'test_lead'), vouch.grant_role('regress_vouch_63_tex', 'test_executive'),
	vouch.grant_role('regress_vouch_63_oli', 'data_owner');
CREATE SCHEMA regress_63;
GRANT USAGE ON SCHEMA regress_63 TO regress_vouch_63_ann;
CREATE TABLE regress_63.accounts (account_no int PRIMARY KEY, lob text NOT NULL, apr numeric(6,2), state text, opened date);
INSERT INTO regress_63.accounts VALUES
	(1, 'CARDS', 12.50, 'NY', '2020-01-01'), (2, 'CARDS', 99.00, 'NY', '2020-01-02'), (3, 'CARDS', 13.00, 'CA', '2020-01-03'), (4, 'LOANS', 5.00, 'TX', '2020-01-04');
GRANT SELECT ON regress_63.accounts TO regress_vouch_63_ann;
CREATE FUNCTION regress_63.newest(phase text, scope text DEFAULT '') RETURNS uuid LANGUAGE sql AS $$
	SELECT vouch_data.newest_version('cycle-63-report-1', phase, scope) $$;
GRANT USAGE ON SCHEMA regress_63 TO PUBLIC;

-- Values are the same however they are written, and codes are not numbers.
SELECT a, b, vouch_data.same_value(a, b) AS same FROM (VALUES ('12.5'::jsonb, '"12.50"'::jsonb), ('"007"', '7'), ('" NY"', '"NY"'), ('null', '""'), ('"2020-01-01"', '"2020-01-02"'), ('0', 'null')) AS v(a, b);

-- A plan, one rule, a scope and samples, made and approved.
SET SESSION AUTHORIZATION regress_vouch_63_ann;
SELECT count(vouch.approve_planning_version((p ->> 'version_id')::uuid)) FROM vouch.create_planning_version(63, 1, NULL, vouch.get_planning_attributes('regress_63.accounts')) AS p;
SELECT vouch.create_profiling_version(63, 1, NULL, '[{"name": "apr_range", "type": "validation", "definition": {"kind": "range", "column": "apr", "min": 0, "max": 40}, "description": "apr is at most 40"}]') ->> 'state' AS rules;
SET SESSION AUTHORIZATION regress_vouch_63_raj;
SELECT vouch.process_profiling_review(regress_63.newest('data_profiling'), NULL, '[{"name": "apr_range", "decision": "approved"}]') ->> 'state' AS rules;
SET SESSION AUTHORIZATION regress_vouch_63_ann;
SELECT vouch.create_scoping_version(63, 1, NULL, '[{"attribute_id": "apr", "in_scope": true, "risk_rating": "high"}, {"attribute_id": "opened", "in_scope": true, "risk_rating": "low"}, {"attribute_id": "state", "in_scope": false, "risk_rating": "low"}]') ->> 'state' AS scope;
SET SESSION AUTHORIZATION regress_vouch_63_raj;
SELECT vouch.process_scoping_review(regress_63.newest('scoping'), NULL, '{"remaining": "approved", "approved": true}') ->> 'state' AS scope;
SET SESSION AUTHORIZATION regress_vouch_63_ann;
SELECT vouch.create_sample_selection_version(63, 1, NULL, d -> 'samples', d -> 'selection_criteria') ->> 'item_count' AS samples
FROM vouch.generate_sample_recommendations('regress_63.accounts', 'account_no', 'lob', 4, 'random') AS d;
SET SESSION AUTHORIZATION regress_vouch_63_raj;
SELECT vouch.process_sample_review(regress_63.newest('sample_selection'), NULL, '{"remaining": "approved", "approved": true}') ->> 'state' AS samples;
SELECT vouch.get_lobs_requiring_owners(63, 1);

-- Documents come one by one, and each is tested as it comes: attributes in scope, and the approved rules.
SET SESSION AUTHORIZATION regress_vouch_63_oli;
SELECT count(vouch.submit_document(63, 1, 'CARDS', 'D' || n, NULL, d::jsonb)) FROM (VALUES
	(1, '{"samples": {"1": {"apr": "12.5", "state": "NJ", "opened": "2020-01-01"}}}'),
	(2, '{"samples": {"2": {"apr": 9.9}}}'), (9, '{"title": "no samples"}')) AS v(n, d);
SET SESSION AUTHORIZATION regress_vouch_63_ann;
SELECT vouch.run_sample_tests(63, 1, 'CARDS', 'regress_63.accounts');
SELECT sample_id, passed, action_details -> 'compared' AS compared, action_details -> 'mismatches' AS mismatches, action_details -> 'rule_failures' AS broken
FROM vouch.test_execution_audit WHERE cycle_id = 63 ORDER BY 1;
SELECT document_id, status, review_notes FROM vouch.document_submissions WHERE cycle_id = 63 ORDER BY 1;
-- nothing new, nothing tested; a corrected document is tested again, and a row that changed since it was drawn is told
SELECT vouch.run_sample_tests(63, 1, 'CARDS', 'regress_63.accounts') ->> 'newly_tested' AS newly_tested;
RESET SESSION AUTHORIZATION;
UPDATE regress_63.accounts SET state = 'WA' WHERE account_no = 3;
SET SESSION AUTHORIZATION regress_vouch_63_oli;
SELECT count(vouch.submit_document(63, 1, 'CARDS', 'D' || n, NULL, d::jsonb)) FROM (VALUES
	(1, '{"samples": {"1": {"apr": 12.7, "opened": "2020-01-01"}}}'), (3, '{"samples": {"3": {"apr": 13}}}')) AS v(n, d);
SET SESSION AUTHORIZATION regress_vouch_63_ann;
SELECT t ->> 'newly_tested' AS newly_tested, t ->> 'failed' AS failed, t ->> 'outstanding' AS outstanding FROM vouch.run_sample_tests(63, 1, 'CARDS', 'regress_63.accounts') AS t;
SELECT sample_id, passed, is_current, action_details -> 'mismatches' AS mismatches, action_details -> 'changed_since_drawn' AS changed FROM vouch.test_execution_audit WHERE cycle_id = 63 AND sample_id IN ('1', '3') ORDER BY 1, requested_at;
-- only testers record results
SET SESSION AUTHORIZATION regress_vouch_63_oli;
SELECT vouch_data.record_test_results(63, 1, 'CARDS', NULL, '[{"sample_id": "2", "passed": true}]', '[]');

-- Observations come from the failures.
SET SESSION AUTHORIZATION regress_vouch_63_ann;
SELECT o ->> 'observation_id' AS id, o ->> 'severity' AS severity, o #>> '{data,reported_value}' AS reported, o #>> '{data,source_value}' AS source, o #>> '{evidence,document_id}' AS document
FROM jsonb_array_elements(vouch.generate_observations(63, 1, 'CARDS') -> 'observations') AS o;
SELECT vouch.create_observation_version(63, 1, NULL, '[]');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.create_observation_version(63, 1, NULL, '[{"observation_id": "1", "type": "finding", "severity": "low", "lob_id": "CARDS"}, {"observation_id": "2", "type": "finding", "severity": "low", "lob_id": "LOANS"}]');
SELECT vouch.record_no_observations(63, 1, 'CARDS');
SELECT o ->> 'scope' AS scope, o ->> 'state' AS state, o ->> 'item_count' AS items FROM vouch.create_observation_version(63, 1, NULL, vouch.generate_observations(63, 1, 'CARDS') -> 'observations', '2026-07-01', '2026-09-30') AS o;
SELECT lob_id, observation_period_start, observation_period_end, version_status FROM vouch.observation_versions WHERE cycle_id = 63;

-- Reviewed in sittings: the same ids again decide nothing more, and one rejected observation is no approval.
SET SESSION AUTHORIZATION regress_vouch_63_raj;
SELECT vouch.process_observation_review(regress_63.newest('observation_management', 'CARDS'), NULL, '[{"observation_id": "CARDS-1-source_apr", "decision": "approved"}]') ->> 'next' AS next;
SELECT vouch.process_observation_review(regress_63.newest('observation_management', 'CARDS'), NULL, '[{"observation_id": "CARDS-1-source_apr", "decision": "approved"}]') ->> 'state' AS state;
SELECT vouch.process_observation_review(regress_63.newest('observation_management', 'CARDS'), NULL, '{"decisions": {"CARDS-9": "approved"}}');
SELECT vouch.process_observation_review(regress_63.newest('observation_management', 'CARDS'), NULL, '{"decisions": {"CARDS-2-apr_range": "rejected"}, "remaining": "approved"}') ->> 'state' AS state;
\set VERBOSITY terse
SELECT vouch.process_observation_review(regress_63.newest('observation_management', 'CARDS'), NULL, '{"approved": true}');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT vouch.process_observation_review(regress_63.newest('observation_management', 'CARDS'), NULL, '{"needs_revision": true, "notes": "One is no finding"}') ->> 'state' AS state;

-- The report waits: for LOANS, which is not tested, and for CARDS, which was sent back.
SET SESSION AUTHORIZATION regress_vouch_63_ann;
SELECT vouch.create_report_version(63, 1, NULL, vouch.generate_test_report_data(63, 1));
\echo :LAST_ERROR_SQLSTATE
SELECT v ->> 'version_number' AS version, v ->> 'carried_forward' AS carried, v ->> 'pending' AS pending
FROM vouch.create_observation_version(63, 1, NULL, '[{"observation_id": "CARDS-2-apr_range", "type": "recommendation", "severity": "low", "lob_id": "CARDS", "data": {"summary": "State the highest APR"}}]') AS v;
SET SESSION AUTHORIZATION regress_vouch_63_raj;
SELECT vouch.process_observation_review(regress_63.newest('observation_management', 'CARDS'), NULL, '[{"observation_id": "CARDS-2-apr_range", "decision": "approved"}]') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_63_oli;
SELECT count(vouch.submit_document(63, 1, 'LOANS', 'L4', NULL, '{"samples": {"4": {"apr": 5}}}'));
SET SESSION AUTHORIZATION regress_vouch_63_ann;
SELECT vouch.run_sample_tests(63, 1, 'LOANS', 'regress_63.accounts') ->> 'passed' AS passed;
SELECT * FROM (SELECT lob_id, samples, tested, failed, observations, state, done FROM vouch.observation_status(63, 1)) x;
-- that nothing failed has to be said; an empty version is not approved for it
SELECT vouch.record_no_observations(63, 1, 'LOANS') - 'recorded_by';
SELECT lob_id, state, done FROM vouch.observation_status(63, 1);

-- The report says what is on record, and three people sign, none of whom wrote it.
SELECT r ->> 'state' AS state, r ->> 'item_count' AS sections FROM vouch.create_report_version(63, 1, NULL, vouch.generate_test_report_data(63, 1)) AS r;
SELECT section_type, CASE WHEN jsonb_typeof(section_content) = 'string' THEN section_content #>> '{}' END AS text, section_content -> 'tests' AS tests, section_content -> 'by_severity' AS by_severity
FROM vouch.test_report_sections WHERE cycle_id = 63 ORDER BY section_order;
SELECT vouch.submit_report_signoff(regress_63.newest('finalize_test_report'), NULL, 'test_lead', true);
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_63_lea;
SELECT vouch.submit_report_signoff(regress_63.newest('finalize_test_report'), NULL, 'test_lead', NULL, 'Looks fine');
SELECT vouch.submit_report_signoff(regress_63.newest('finalize_test_report'), 'regress_vouch_63_tex', 'test_executive', true);
SELECT r -> 'signed' AS signed, r -> 'missing' AS missing FROM vouch.submit_report_signoff(regress_63.newest('finalize_test_report'), NULL, 'test_lead', true, 'Fine') AS r;
-- one rejection, and the report is rejected, whoever signed before
SET SESSION AUTHORIZATION regress_vouch_63_tex;
SELECT r ->> 'state' AS state FROM vouch.submit_report_signoff(regress_63.newest('finalize_test_report'), NULL, 'test_executive', false, 'The summary is thin') AS r;
SELECT version_number, signoff_role, signoff_status, signoff_user, signoff_notes FROM vouch.test_report_signoffs WHERE cycle_id = 63 ORDER BY 1, 2;
SELECT title, version_number, version_status, review_notes FROM vouch.test_report_versions WHERE cycle_id = 63;

RESET SESSION AUTHORIZATION;
SELECT bool_and(vouch.revoke_role(actor, role, scope)) AS revoked FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_63\_%' AND revoked_at IS NULL;
DROP SCHEMA regress_63 CASCADE;
DROP OWNED BY regress_vouch_63_ann, regress_vouch_63_raj, regress_vouch_63_lea, regress_vouch_63_tex, regress_vouch_63_oli;
DROP ROLE regress_vouch_63_ann, regress_vouch_63_raj, regress_vouch_63_lea, regress_vouch_63_tex, regress_vouch_63_oli;
