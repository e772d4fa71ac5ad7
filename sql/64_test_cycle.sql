--
-- The whole test cycle of a report, on a small table, by people who are roles.
-- The shipped workflow does the generating, waiting and testing; here it is
-- advanced by hand, as the role that it runs as.  make demo shows the same with
-- workers.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_vouch_64_ann, regress_vouch_64_raj, regress_vouch_64_dex, regress_vouch_64_lea, regress_vouch_64_tex, regress_vouch_64_oli, regress_vouch_64_una, regress_vouch_64_run;
CREATE ROLE regress_vouch_64_ann LOGIN;		-- tester
CREATE ROLE regress_vouch_64_raj LOGIN;		-- report owner
CREATE ROLE regress_vouch_64_dex LOGIN;		-- data executive
CREATE ROLE regress_vouch_64_lea LOGIN;		-- test lead
CREATE ROLE regress_vouch_64_tex LOGIN;		-- test executive
CREATE ROLE regress_vouch_64_oli LOGIN;		-- owns the data of CARDS
CREATE ROLE regress_vouch_64_una LOGIN;		-- owns the data of LOANS
CREATE ROLE regress_vouch_64_run LOGIN;		-- whom the activities run as
GRANT vouch_user TO regress_vouch_64_ann, regress_vouch_64_raj, regress_vouch_64_dex, regress_vouch_64_lea,
	regress_vouch_64_tex, regress_vouch_64_oli, regress_vouch_64_una, regress_vouch_64_run;
SELECT vouch.grant_role('regress_vouch_64_ann', 'tester'), vouch.grant_role('regress_vouch_64_raj', 'report_owner'),
	vouch.grant_role('regress_vouch_64_dex', 'data_executive'), vouch.grant_role('regress_vouch_64_lea', 'test_lead'),
	vouch.grant_role('regress_vouch_64_tex', 'test_executive');

-- 300 accounts; two have an APR that cannot be, both in CARDS.
CREATE SCHEMA regress_64;
GRANT USAGE ON SCHEMA regress_64 TO PUBLIC;
CREATE TABLE regress_64.accounts (
	account_no int PRIMARY KEY,
	lob text NOT NULL,
	apr numeric(6,2) NOT NULL,
	credit_limit numeric(10,2) NOT NULL);
INSERT INTO regress_64.accounts
SELECT n, CASE WHEN n <= 200 THEN 'CARDS' ELSE 'LOANS' END, 10 + n % 17, 1000 + (n * 37 % 50) * 100
FROM generate_series(1, 300) AS n;
UPDATE regress_64.accounts SET apr = 990 WHERE account_no IN (52, 93);
GRANT SELECT ON regress_64.accounts TO regress_vouch_64_run, regress_vouch_64_ann;

-- An administrator says whose rights the activities have.
SELECT workflow FROM vouch.install_test_cycle('regress_vouch_64_run');

-- What everybody looks at.
CREATE VIEW regress_64.overview AS SELECT no, phase, status, version, items, waits_for FROM vouch.cycle_overview(640, 1);
GRANT SELECT ON regress_64.overview TO PUBLIC;
CREATE FUNCTION regress_64.newest(phase text, scope text DEFAULT '') RETURNS uuid LANGUAGE sql AS $$
	SELECT vouch_data.newest_version('cycle-640-report-1', phase, scope) $$;

-- The tester starts it; planning is approved by rule, and the rules that the data suggests wait for the report owner.
SET SESSION AUTHORIZATION regress_vouch_64_ann;
SELECT vouch.start_test_cycle(640, 1, 'regress_64.accounts', 'account_no', 'lob', 'regress_vouch_64_ann',
	'{"sample_size": 8, "sample_method": "risk_based=50, stratified=50"}') - 'revision' AS started;
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT * FROM regress_64.overview;
SELECT rule_name, rule_description, rows_failed FROM vouch.profiling_rule_decisions WHERE cycle_id = 640 ORDER BY 1;

-- The tester may not approve what she proposed.
SET SESSION AUTHORIZATION regress_vouch_64_ann;
SELECT vouch.process_profiling_review(regress_64.newest('data_profiling'), NULL, '{"remaining": "approved", "approved": true}');

-- The report owner reviews by signal: the review is done in his name.
SET SESSION AUTHORIZATION regress_vouch_64_raj;
SELECT count(vouch.signal_workflow('cycle-640-report-1', 'data_profiling_approval', '{"remaining": "approved", "approved": true, "notes": "All sensible"}'));
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT version_status, approved_items = total_items AS all_approved, closed_by, review_notes FROM vouch.data_profiling_versions WHERE cycle_id = 640;

-- Scoping, decided directly.
SELECT attribute_id, is_in_scope, risk_rating, scoping_rationale FROM vouch.scoping_decisions WHERE cycle_id = 640 ORDER BY 1;
SET SESSION AUTHORIZATION regress_vouch_64_raj;
SELECT vouch.decide_where(regress_64.newest('scoping'), 'approved') AS decided;
SELECT vouch.approve_version(regress_64.newest('scoping')) ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;

-- Samples: the owner rejects one, sends the selection back, and asks for another row, whose values come from the source.
SELECT sample_id, sample_type, sample_lob_id, sample_reason FROM vouch.sample_decisions WHERE cycle_id = 640 ORDER BY 2, sample_id::int;
SET SESSION AUTHORIZATION regress_vouch_64_raj;
SELECT count(vouch.signal_workflow('cycle-640-report-1', 'sample_selection_review', '{
	"decisions": [{"id": "57", "decision": "rejected", "notes": "Closed account"}], "remaining": "approved",
	"needs_revision": true, "notes": "Take account 150 instead",
	"additional_samples": [{"id": "150", "type": "targeted", "source": "manual"}]}'));
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT version_number, version_status, total_items, approved_items, rejected_items, pending_items, carried_forward_items, created_by, closed_by
FROM vouch.sample_selection_versions WHERE cycle_id = 640 ORDER BY 1;
-- Which rows the population had is kept once for all of them.
SELECT rows, keys IS NOT NULL AS with_keys FROM vouch_data.population WHERE bucket = vouch.bucket('cycle-640-report-1');
SELECT version_number AS v, sample_id, recommendation_source AS source, decision_status, carried_forward, carried_from_version AS from_version, decided_by, recommended_by, sample_data ->> 'apr' AS apr
FROM vouch.sample_decisions WHERE cycle_id = 640 AND sample_id IN ('52', '150') ORDER BY 1, 2;
SET SESSION AUTHORIZATION regress_vouch_64_raj;
SELECT vouch.process_sample_review(regress_64.newest('sample_selection'), NULL, '[{"id": "150", "decision": "approved"}]') ->> 'next' AS next;
SELECT vouch.approve_sample_selection(regress_64.newest('sample_selection'), NULL, 'Fine now') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;

-- Two lines of business, each waits for its owner: one is assigned by signal, one directly.
SET SESSION AUTHORIZATION regress_vouch_64_dex;
SELECT count(vouch.signal_workflow('cycle-640-report-1', 'data_owner_assignment_CARDS', '{"owner_id": "regress_vouch_64_oli"}'));
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT x ->> 'lob_id' AS lob, x ->> 'status' AS child, x ->> 'owner_id' AS owner, x ->> 'outstanding' AS outstanding, x ->> 'observation_state' AS state
FROM jsonb_array_elements(vouch.get_parallel_instances('cycle-640-report-1')) AS x;
SET SESSION AUTHORIZATION regress_vouch_64_dex;
SELECT vouch.assign_data_owner(640, 1, 'LOANS', 'regress_vouch_64_una') ->> 'status' AS status;
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;

-- The owner of CARDS hands in statements, one of them by signal; una has nothing to do with CARDS.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION regress_64.statement(account int) RETURNS jsonb LANGUAGE sql SECURITY DEFINER AS $$
	-- the bank's systems know the right rates, and another limit for account 150
	SELECT jsonb_build_object('title', 'Statement', 'samples', jsonb_build_object(a.account_no,
		jsonb_build_object('apr', 10 + a.account_no % 17, 'credit_limit', a.credit_limit + CASE WHEN account = 150 THEN 500 ELSE 0 END)))
	FROM regress_64.accounts a WHERE a.account_no = account $$;
SET SESSION AUTHORIZATION regress_vouch_64_una;
SELECT vouch.submit_document(640, 1, 'CARDS', 'ST-11', NULL, '{}');
SET SESSION AUTHORIZATION regress_vouch_64_oli;
SELECT count(vouch.submit_document(640, 1, 'CARDS', 'ST-' || sample_id, NULL, regress_64.statement(sample_id::int))) > 3 AS submitted
FROM vouch.sample_decisions WHERE version_id = regress_64.newest('sample_selection') AND sample_lob_id = 'CARDS' AND sample_id <> '150';
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT lob_id, samples - tested AS outstanding, failed, state FROM vouch.observation_status(640, 1);
SET SESSION AUTHORIZATION regress_vouch_64_oli;
SELECT count(vouch.signal_workflow('cycle-640-report-1/lob-CARDS', 'document_submitted',
	jsonb_build_object('document_id', 'ST-150', 'document_metadata', regress_64.statement(150))));
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;

-- What the tests found: rates that are not in the documents, and break their rule, and a limit that differs.
SELECT observation_id, severity, observation_type, observation_data ->> 'summary' AS summary
FROM vouch.observation_decisions WHERE cycle_id = 640 ORDER BY 1;

-- LOANS has no failures: that is recorded, there is nothing to approve.
SET SESSION AUTHORIZATION regress_vouch_64_una;
SELECT count(vouch.submit_document(640, 1, 'LOANS', 'ST-' || sample_id, NULL, regress_64.statement(sample_id::int))) > 0 AS submitted
FROM vouch.sample_decisions WHERE version_id = regress_64.newest('sample_selection') AND sample_lob_id = 'LOANS';
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT lob_id, samples - tested AS outstanding, failed, observations > 0 AS observed, state, done FROM vouch.observation_status(640, 1);

-- The report waits for CARDS; nobody can write it before.
SET SESSION AUTHORIZATION regress_vouch_64_ann;
SELECT vouch.create_report_version(640, 1, NULL, vouch.generate_test_report_data(640, 1));

-- The observations are approved in two sittings.
SET SESSION AUTHORIZATION regress_vouch_64_raj;
SELECT vouch.process_observation_review(regress_64.newest('observation_management', 'CARDS'), NULL,
	(SELECT jsonb_agg(jsonb_build_object('observation_id', observation_id, 'decision', 'approved')) FROM vouch.observation_decisions
	 WHERE cycle_id = 640 AND severity = 'high')) ->> 'state' AS state;
SELECT count(vouch.signal_workflow('cycle-640-report-1/lob-CARDS', 'observation_approval', '{"remaining": "approved", "approved": true}'));
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT * FROM regress_64.overview;

-- Three people sign: by signal, directly, and by the function of the phase.
SELECT section_type, section_title, recommendation_source FROM vouch.test_report_sections WHERE cycle_id = 640 ORDER BY section_order;
SET SESSION AUTHORIZATION regress_vouch_64_lea;
SELECT count(vouch.signal_workflow('cycle-640-report-1', 'report_signoff_test_lead', '{"approved": true, "comments": "Tested as planned"}'));
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;
SELECT signoff_role, signoff_status, signoff_user, signoff_notes FROM vouch.test_report_signoffs WHERE cycle_id = 640 ORDER BY 1;
SET SESSION AUTHORIZATION regress_vouch_64_tex;
SELECT vouch.sign_off(regress_64.newest('finalize_test_report'), 'test_executive', true) ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_64_raj;
SELECT vouch.submit_report_signoff(regress_64.newest('finalize_test_report'), 'regress_vouch_64_raj', 'report_owner', true, 'Accepted') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_64_run;
SELECT vouch.advance(1000) > 0 AS advanced;

RESET SESSION AUTHORIZATION;
SELECT vouch.describe_workflow('cycle-640-report-1') ->> 'status' AS status;
SELECT * FROM regress_64.overview;
SELECT tree, state, items, approved, rejected, carried, made_by, closed_by FROM vouch.version_tree(640, 1);
SELECT vouch.get_phase_statuses('cycle-640-report-1');
-- Who did what by a signal is who sent it.
SELECT phase, operation_type, actor, db_user, workflow_id IS NOT NULL AS by_workflow, item_count
FROM vouch.workflow_version_operations WHERE cycle_id = 640 AND operation_type IN ('decide', 'sign_off', 'assign_data_owner') ORDER BY phase_no, performed_at;

SELECT bool_and(vouch.revoke_role(actor, role, scope)) AS revoked FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_64\_%' AND revoked_at IS NULL;
DROP SCHEMA regress_64 CASCADE;
DROP OWNED BY regress_vouch_64_ann, regress_vouch_64_raj, regress_vouch_64_dex, regress_vouch_64_lea, regress_vouch_64_tex, regress_vouch_64_oli, regress_vouch_64_una, regress_vouch_64_run;
DROP ROLE regress_vouch_64_ann, regress_vouch_64_raj, regress_vouch_64_dex, regress_vouch_64_lea, regress_vouch_64_tex, regress_vouch_64_oli, regress_vouch_64_una, regress_vouch_64_run;
