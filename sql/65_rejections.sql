--
-- A no is a no: what is sent back goes round its own revision, and nothing
-- behind it starts; a report with one rejection is not approved; a selection that
-- is sent back after its last revision ends the cycle.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_vouch_65_ann, regress_vouch_65_raj, regress_vouch_65_dex, regress_vouch_65_lea, regress_vouch_65_tex, regress_vouch_65_run;
CREATE ROLE regress_vouch_65_ann LOGIN;		-- tester
CREATE ROLE regress_vouch_65_raj LOGIN;		-- report owner
CREATE ROLE regress_vouch_65_dex LOGIN;		-- data executive and data owner
CREATE ROLE regress_vouch_65_lea LOGIN;		-- test lead
CREATE ROLE regress_vouch_65_tex LOGIN;		-- test executive
CREATE ROLE regress_vouch_65_run LOGIN;		-- whom the activities run as
GRANT vouch_user TO regress_vouch_65_ann, regress_vouch_65_raj, regress_vouch_65_dex, regress_vouch_65_lea, regress_vouch_65_tex, regress_vouch_65_run;
SELECT vouch.grant_role('regress_vouch_65_ann', 'tester'), vouch.grant_role('regress_vouch_65_raj', 'report_owner'), vouch.grant_role('regress_vouch_65_dex', 'data_executive'),
	vouch.grant_role('regress_vouch_65_lea', 'test_lead'), vouch.grant_role('regress_vouch_65_tex', 'test_executive');
CREATE SCHEMA regress_65;
GRANT USAGE ON SCHEMA regress_65 TO PUBLIC;
CREATE TABLE regress_65.accounts (account_no int PRIMARY KEY, lob text NOT NULL, apr numeric(6,2) NOT NULL);
INSERT INTO regress_65.accounts SELECT n, 'CARDS', 10 + n % 17 FROM generate_series(1, 200) AS n;
GRANT SELECT ON regress_65.accounts TO regress_vouch_65_run, regress_vouch_65_ann;
SELECT count(*) FROM vouch.install_test_cycle('regress_vouch_65_run');
CREATE FUNCTION regress_65.newest(cycle int, phase text, scope text DEFAULT '') RETURNS uuid LANGUAGE sql AS $$
	SELECT vouch_data.newest_version(format('cycle-%s-report-1', cycle), phase, scope) $$;
CREATE FUNCTION regress_65.waits_for(workflow_id text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(w ->> 'state', ', ' ORDER BY w ->> 'state') FROM jsonb_array_elements(vouch.describe_workflow(workflow_id) -> 'waiting_for') AS w $$;
CREATE FUNCTION regress_65.phases(cycle int) RETURNS TABLE (phase text, status text) LANGUAGE sql AS $$
	SELECT phase, status FROM vouch.cycle_overview(cycle, 1) WHERE status <> 'not started' ORDER BY no $$;

-- Who is no tester starts none, and a wrong table or column is told at once.
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT vouch.start_test_cycle(65, 1, 'regress_65.accounts', 'account_no', 'lob');
SET SESSION AUTHORIZATION regress_vouch_65_ann;
SELECT vouch.start_test_cycle(65, 1, 'regress_65.accounts', 'account', 'lob');
SELECT vouch.start_test_cycle(65, 1, 'pg_authid', 'oid', 'rolname');
SELECT vouch.start_test_cycle(65, 1, 'regress_65.accounts', 'account_no', 'lob', NULL, '{"sample_sise": 5}');
SELECT vouch.start_test_cycle(65, 1, 'regress_65.accounts', 'account_no', 'lob', 'regress_vouch_65_ann', '{"sample_size": 2, "sample_method": "random"}') ->> 'workflow_id' AS started;
SELECT vouch.start_test_cycle(65, 1, 'regress_65.accounts', 'account_no', 'lob');
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;

-- A signal from somebody without the right changes nothing, and the wait goes on.
SET SESSION AUTHORIZATION regress_vouch_65_ann;
SELECT count(vouch.signal_workflow('cycle-65-report-1', 'data_profiling_approval', '{"remaining": "approved", "approved": true}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT * FROM regress_65.phases(65);
SELECT regress_65.waits_for('cycle-65-report-1');

-- Rejected rules: the phase is not complete, Scoping does not start, by nobody's hand.
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-65-report-1', 'data_profiling_approval',
	'{"decisions": [{"name": "range_apr", "decision": "rejected"}], "remaining": "approved", "needs_revision": true, "notes": "The highest APR is 30"}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT * FROM regress_65.phases(65);
SELECT regress_65.waits_for('cycle-65-report-1');
SET SESSION AUTHORIZATION regress_vouch_65_ann;
\set VERBOSITY terse
SELECT vouch.create_scoping_version(65, 1, NULL, '[{"attribute_id": "apr", "in_scope": true}]');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
-- who is neither a tester nor the reviewer who sent it back has no say in the revision, and no old version passes for one
SET SESSION AUTHORIZATION regress_vouch_65_lea;
SELECT count(vouch.signal_workflow('cycle-65-report-1', 'data_profiling_revision', p)) FROM (VALUES ('{"additional_rules": []}'::jsonb),
	(jsonb_build_object('version_id', regress_65.newest(65, 'planning')))) AS v(p);
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_65.waits_for('cycle-65-report-1'), count(*) AS versions FROM vouch.data_profiling_versions WHERE cycle_id = 65;
SET SESSION AUTHORIZATION regress_vouch_65_ann;
-- the tester makes the revision, directly; the workflow follows it to its review
SELECT v ->> 'version_number' AS version, v ->> 'carried_forward' > '0' AS carries FROM vouch.create_profiling_version(65, 1, NULL,
	'[{"name": "range_apr", "type": "validation", "definition": {"kind": "range", "column": "apr", "min": 0, "max": 30}}]') AS v;
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_65.waits_for('cycle-65-report-1');
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT vouch.process_profiling_review(regress_65.newest(65, 'data_profiling'), NULL, '{"remaining": "approved", "approved": true}') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;

-- A rejected scope, with what shall be in it: the workflow revises at once, in the tester's name.
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-65-report-1', 'scoping_approval', '{"decisions": {"lob": "rejected"}, "remaining": "approved", "needs_revision": true,
	"additional_attributes": [{"attribute_id": "lob", "in_scope": true, "risk_rating": "low", "rationale": "Owners change"}]}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT version_number, version_status, attribute_id, is_in_scope, decision_status, carried_forward, recommended_by FROM vouch.scoping_decisions WHERE cycle_id = 65 ORDER BY 1, 3;
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-65-report-1', 'scoping_approval', '{"remaining": "approved", "approved": true}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;

-- Samples sent back again and again: after the third revision the cycle fails, and says why.
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-65-report-1', 'sample_selection_review', '{"remaining": "rejected", "needs_revision": true, "notes": "No", "additional_samples": [{"id": "101"}]}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-65-report-1', 'sample_selection_review', '{"remaining": "rejected", "needs_revision": true, "notes": "No", "additional_samples": [{"id": "102"}]}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-65-report-1', 'sample_selection_review', '{"remaining": "rejected", "needs_revision": true, "notes": "No", "additional_samples": [{"id": "103"}]}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-65-report-1', 'sample_selection_review', '{"remaining": "rejected", "needs_revision": true, "notes": "No", "additional_samples": [{"id": "104"}]}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT version_number, version_status, total_items FROM vouch.sample_selection_versions WHERE cycle_id = 65 ORDER BY 1;
SELECT d ->> 'status' AS status, d ->> 'error' AS error, d ->> 'cause' AS cause FROM vouch.describe_workflow('cycle-65-report-1') AS d;
SELECT sample_id, recommended_by FROM vouch.sample_decisions WHERE cycle_id = 65 AND version_number = 2;

-- Another cycle on the same table, up to its report; what the first one has is none of its.
SET SESSION AUTHORIZATION regress_vouch_65_ann;
SELECT vouch.start_test_cycle(66, 1, 'regress_65.accounts', 'account_no', 'lob', NULL, '{"sample_size": 2, "sample_method": "random"}') ->> 'workflow_id' AS started;
-- what is sent early is no verdict on a version that nobody has seen yet
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-66-report-1', s, '{"remaining": "approved", "approved": true}'))
FROM unnest(ARRAY['data_profiling_approval', 'scoping_approval', 'sample_selection_review']) AS s;
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_65.waits_for('cycle-66-report-1');
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-66-report-1', 'data_profiling_approval', '{"remaining": "approved", "approved": true}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-66-report-1', 'scoping_approval', '{"remaining": "approved", "approved": true}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-66-report-1', 'sample_selection_review', '{"remaining": "approved", "approved": true}'));
-- that somebody was assigned is looked up, not believed
SELECT count(vouch.signal_workflow('cycle-66-report-1', 'data_owner_assignment_CARDS', '{"assignment_id": "made up"}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_65.waits_for('cycle-66-report-1');
SET SESSION AUTHORIZATION regress_vouch_65_dex;
SELECT count(vouch.signal_workflow('cycle-66-report-1', 'data_owner_assignment_CARDS', '{"owner_id": "regress_vouch_65_dex"}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_65.waits_for('cycle-66-report-1'), regress_65.waits_for('cycle-66-report-1/lob-CARDS');
SELECT vouch.get_lobs_requiring_owners(66, 1), vouch.get_lobs_requiring_owners(65, 1);
SET SESSION AUTHORIZATION regress_vouch_65_dex;
SELECT count(vouch.submit_document(66, 1, 'CARDS', 'D' || sample_id, NULL, jsonb_build_object('samples', jsonb_build_object(sample_id, '{"apr": 1}'::jsonb))))
FROM vouch.sample_decisions WHERE cycle_id = 66;
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT * FROM regress_65.phases(66);

-- Observations sent back: the line is open, the report waits; a revision by signal from the tester.
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-66-report-1/lob-CARDS', 'observation_approval', '{"remaining": "needs_changes", "needs_revision": true, "notes": "Group them"}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT lob_id, state, done FROM vouch.observation_status(66, 1);
SELECT regress_65.waits_for('cycle-66-report-1'), regress_65.waits_for('cycle-66-report-1/lob-CARDS');
SET SESSION AUTHORIZATION regress_vouch_65_ann;
SELECT vouch.create_report_version(66, 1, NULL, vouch.generate_test_report_data(66, 1));
-- what leaves a failure out is refused, and the wait goes on; one observation may stand for several failures, or dismiss them with a reason
SELECT v ->> 'item_count' AS items FROM vouch.create_observation_version(66, 1, NULL,
	'[{"observation_id": "CARDS-apr", "type": "finding", "severity": "high", "lob_id": "CARDS", "data": {"summary": "All APRs differ"}}]') AS v;
\echo :LAST_ERROR_SQLSTATE
SELECT count(vouch.signal_workflow('cycle-66-report-1/lob-CARDS', 'observation_revision', p)) FROM unnest(ARRAY['5', '{"additional_observations": 5}',
	'{"additional_observations": [{"observation_id": "CARDS-apr", "type": "finding", "severity": "high", "lob_id": "CARDS", "data": {"summary": "All APRs differ"}}]}']::jsonb[]) AS p;
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT regress_65.waits_for('cycle-66-report-1/lob-CARDS');
SET SESSION AUTHORIZATION regress_vouch_65_ann;
SELECT count(vouch.signal_workflow('cycle-66-report-1/lob-CARDS', 'observation_revision', jsonb_build_object('additional_observations', jsonb_build_array(
	jsonb_build_object('observation_id', 'CARDS-apr', 'type', 'finding', 'severity', 'high', 'lob_id', 'CARDS', 'data', '{"summary": "An APR differs"}'::jsonb, 'covers', jsonb_build_array(f[1])),
	jsonb_build_object('observation_id', 'CARDS-none', 'type', 'recommendation', 'severity', 'low', 'lob_id', 'CARDS', 'dismisses', jsonb_build_array(f[2]), 'reason', 'The document was of another account')))))
FROM (SELECT array_agg(failure_id ORDER BY failure_id) AS f FROM vouch_data.lob_failures('cycle-66-report-1', 'CARDS')) AS x;
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT vouch.process_observation_review(regress_65.newest(66, 'observation_management', 'CARDS'), NULL, '[{"observation_id": "CARDS-apr", "decision": "approved"}, {"observation_id": "CARDS-none", "decision": "approved"}]') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;

-- The report: two sign, one rejects; it is rejected, and its next version needs all three again.
SET SESSION AUTHORIZATION regress_vouch_65_lea;
SELECT vouch.sign_off(regress_65.newest(66, 'finalize_test_report'), 'test_lead', true) ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_65_tex;
SELECT count(vouch.signal_workflow('cycle-66-report-1', 'report_signoff_test_executive', '{"approved": false, "comments": "Not the whole story"}'));
-- a sign-off without a verdict, and one by who has the wrong role, are none
SELECT count(vouch.signal_workflow('cycle-66-report-1', 'report_signoff_report_owner', '{"comments": "hm"}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT version_number, signoff_role, signoff_status, signoff_user, signoff_notes FROM vouch.test_report_signoffs WHERE cycle_id = 66 ORDER BY 1, 2;
SELECT * FROM regress_65.phases(66) WHERE phase = 'Finalize Test Report';
SELECT regress_65.waits_for('cycle-66-report-1');
SET SESSION AUTHORIZATION regress_vouch_65_ann;
SELECT count(vouch.signal_workflow('cycle-66-report-1', 'finalize_test_report_revision', '{}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SET SESSION AUTHORIZATION regress_vouch_65_lea;
SELECT vouch.sign_off(regress_65.newest(66, 'finalize_test_report'), 'test_lead', true) ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_65_tex;
SELECT vouch.sign_off(regress_65.newest(66, 'finalize_test_report'), 'test_executive', true) ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_65_raj;
SELECT count(vouch.signal_workflow('cycle-66-report-1', 'report_signoff_report_owner', '{"approved": true}'));
SET SESSION AUTHORIZATION regress_vouch_65_run;
SELECT vouch.advance(1000) > 0 AS advanced;
RESET SESSION AUTHORIZATION;
SELECT vouch.describe_workflow('cycle-66-report-1') ->> 'status' AS status;
SELECT tree, state, items, carried, made_by, closed_by FROM vouch.version_tree(66, 1);

SELECT bool_and(vouch.revoke_role(actor, role, scope)) AS revoked FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_65\_%' AND revoked_at IS NULL;
DROP SCHEMA regress_65 CASCADE;
DROP OWNED BY regress_vouch_65_ann, regress_vouch_65_raj, regress_vouch_65_dex, regress_vouch_65_lea, regress_vouch_65_tex, regress_vouch_65_run;
DROP ROLE regress_vouch_65_ann, regress_vouch_65_raj, regress_vouch_65_dex, regress_vouch_65_lea, regress_vouch_65_tex, regress_vouch_65_run;
