--
-- Scoping by risk, and Sample Selection: reproducible draws, review, and
-- revisions that carry forward what was approved.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_vouch_61_ann, regress_vouch_61_raj;
CREATE ROLE regress_vouch_61_ann LOGIN;		-- tester
CREATE ROLE regress_vouch_61_raj LOGIN;		-- report owner
GRANT vouch_user TO regress_vouch_61_ann, regress_vouch_61_raj;
SELECT vouch.grant_role('regress_vouch_61_ann', 'tester'), vouch.grant_role('regress_vouch_61_raj', 'report_owner');
CREATE SCHEMA regress_61;
GRANT USAGE ON SCHEMA regress_61 TO regress_vouch_61_ann;
CREATE TABLE regress_61.accounts (account_no int PRIMARY KEY, lob text NOT NULL, apr numeric(6,2) NOT NULL, balance numeric(10,2), nickname text);
INSERT INTO regress_61.accounts
SELECT n, CASE WHEN n <= 700 THEN 'CARDS' WHEN n <= 950 THEN 'LOANS' ELSE 'AUTO' END, 10 + n % 17, (n * 37 % 500) * 100, NULL
FROM generate_series(1, 1000) AS n;
UPDATE regress_61.accounts SET apr = 990 WHERE account_no IN (52, 193, 960);
UPDATE regress_61.accounts SET balance = -5000 WHERE account_no IN (70, 71);
GRANT SELECT ON regress_61.accounts TO regress_vouch_61_ann;

-- The example that must come out exactly: version 1 has A, B and C, of which B is rejected; its revision has A and C
-- carried forward, as the same decisions, and D.
SET SESSION AUTHORIZATION regress_vouch_61_ann;
SELECT r ->> 'version_id' AS v1 FROM vouch.create_sample_selection_version(61, 1, 'regress_vouch_61_ann',
	'[{"id": "A", "type": "random", "source": "tester", "data": {"n": 1}},
	  {"id": "B", "type": "random", "source": "tester", "data": {"n": 2}},
	  {"id": "C", "type": "random", "source": "llm", "data": {"n": 3}}]', '{"seed": 5, "method": "by hand"}') AS r \gset
SET SESSION AUTHORIZATION regress_vouch_61_raj;
SELECT r ->> 'decided' AS decided, r ->> 'state' AS state, r ->> 'next' AS next FROM vouch.process_sample_review(:'v1', 'regress_vouch_61_raj',
	'[{"id": "A", "decision": "approved"}, {"id": "B", "decision": "rejected", "notes": "Wrong branch"}, {"id": "C", "decision": "approved"}]') AS r;
SELECT vouch.process_sample_review(:'v1', NULL, '{"needs_revision": true, "notes": "One more, please"}') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_61_ann;
SELECT r ->> 'version_id' AS v2, r ->> 'state' AS state FROM vouch.create_sample_revision(61, 1, 'regress_vouch_61_ann', :'v1',
	'[{"id": "D", "type": "targeted", "source": "tester", "data": {"n": 4}}]') AS r \gset
SELECT version_number, version_status, sample_id, recommendation_source, decision_status, carried_forward, carried_from_version, decided_by, decision_notes
FROM vouch.sample_decisions WHERE cycle_id = 61 ORDER BY 1, 3;
SELECT sample_id, count(DISTINCT decision_id) AS decisions, count(DISTINCT decided_at) AS times FROM vouch.sample_decisions WHERE cycle_id = 61 GROUP BY 1 ORDER BY 1;
-- the revision keeps what the selection was drawn by
SELECT version_number, seed, selection_criteria ->> 'method' AS method, generation_methods, target_sample_size FROM vouch.sample_selection_versions WHERE cycle_id = 61 ORDER BY 1;

-- Undecided samples are never approved, nor by whom they come from.
SET SESSION AUTHORIZATION regress_vouch_61_raj;
\set VERBOSITY terse
SELECT vouch.approve_sample_selection(:'v2', 'regress_vouch_61_raj');
\set VERBOSITY default
SET SESSION AUTHORIZATION regress_vouch_61_ann;
SELECT vouch.approve_sample_selection(:'v2', 'regress_vouch_61_ann');
-- A selection under review cannot be revised; one that was reviewed, and not closed, can: its maker takes it back.
\set VERBOSITY terse
SELECT vouch.create_sample_revision(61, 1, NULL, :'v2', '[]');
\set VERBOSITY default
SET SESSION AUTHORIZATION regress_vouch_61_raj;
SELECT vouch.process_sample_review(:'v2', NULL, '[{"id": "D", "decision": "rejected"}]') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_61_ann;
SELECT r ->> 'version_number' AS version, r ->> 'carried_forward' AS carried, r ->> 'revisions_left' AS revisions_left, r ->> 'version_id' AS v3
FROM vouch.create_sample_revision(61, 1, NULL, NULL, '[{"id": "E", "type": "targeted", "data": {}}]') AS r \gset
\echo version :version carried :carried revisions left :revisions_left
-- at most three revisions
SET SESSION AUTHORIZATION regress_vouch_61_raj;
SELECT vouch.process_sample_review(:'v3', NULL, '{"remaining": "rejected", "needs_revision": true, "notes": "No"}') ->> 'revisions_left' AS revisions_left;
SET SESSION AUTHORIZATION regress_vouch_61_ann;
SELECT r ->> 'version_id' AS v4, r ->> 'revisions_left' AS revisions_left FROM vouch.create_sample_revision(61, 1, NULL, NULL, '[{"id": "F", "type": "targeted", "data": {}}]') AS r \gset
\echo revisions left :revisions_left
SET SESSION AUTHORIZATION regress_vouch_61_raj;
SELECT vouch.process_sample_review(:'v4', NULL, '[{"id": "F", "decision": "rejected"}]') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_61_ann;
SELECT vouch.create_sample_revision(61, 1, NULL, NULL, '[{"id": "G", "type": "targeted", "data": {}}]');
\echo :LAST_ERROR_SQLSTATE
SELECT version_number, version_status, total_items, carried_forward_items FROM vouch.sample_selection_versions WHERE cycle_id = 61 ORDER BY 1;

-- Items are checked: one bad sample is named, and nothing is written.
SELECT vouch.create_sample_selection_version(61, 2, NULL, '[{"id": "1", "type": "random", "data": {}}, {"id": "2", "type": "lucky", "data": {}}]');
SELECT vouch.create_sample_selection_version(61, 2, NULL, '[{"id": "1", "type": "random", "data": {}}, {"id": "1", "type": "random", "data": {}}]');
SELECT vouch.create_sample_selection_version(61, 2, NULL, '{"id": "1"}');
SELECT vouch.create_sample_selection_version(61, 2, NULL, '[]');
\echo :LAST_ERROR_SQLSTATE

-- Scoping takes the approved plan and the approved rules.
SELECT vouch.generate_scoping_recommendations(61, 3);
SELECT count(vouch.approve_planning_version((p ->> 'version_id')::uuid)) FROM vouch.create_planning_version(61, 3, NULL, vouch.get_planning_attributes('regress_61.accounts')) AS p;
SELECT r ->> 'version_id' AS rules FROM vouch.create_profiling_version(61, 3, NULL, vouch.generate_profiling_rules('regress_61.accounts')) AS r \gset
\set VERBOSITY terse
SELECT vouch.create_scoping_version(61, 3, NULL, vouch.generate_scoping_recommendations(61, 3));
\set VERBOSITY default
SET SESSION AUTHORIZATION regress_vouch_61_raj;
SELECT vouch.process_profiling_review(:'rules', NULL, '{"remaining": "approved", "approved": true}') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_61_ann;
SELECT s ->> 'attribute_id' AS attribute, s ->> 'in_scope' AS in_scope, s ->> 'risk_rating' AS risk, s ->> 'rationale' AS rationale
FROM jsonb_array_elements(vouch.generate_scoping_recommendations(61, 3)) AS s;
SELECT r ->> 'version_id' AS scope, r -> 'metadata' AS metadata FROM vouch.create_scoping_version(61, 3, NULL, vouch.generate_scoping_recommendations(61, 3), '{"method": "risk"}') AS r \gset
\echo :metadata
\set VERBOSITY terse
SELECT vouch.create_sample_selection_version(61, 3, NULL, '[{"id": "1", "type": "random", "data": {}}]');
\set VERBOSITY default
SET SESSION AUTHORIZATION regress_vouch_61_raj;
SELECT r ->> 'state' AS state FROM vouch.process_scoping_review(:'scope', NULL,
	(SELECT jsonb_agg(jsonb_build_object('attribute_id', attribute_id, 'decision', 'approved')) FROM vouch.scoping_decisions WHERE version_id = :'scope')) AS r;

-- Draws: the same call gives the same rows, another seed others; each says why it was chosen.
SET SESSION AUTHORIZATION regress_vouch_61_ann;
SELECT vouch.generate_sample_recommendations('regress_61.accounts', 'account_no', 'lob', 20, 'mix', 7)
	= vouch.generate_sample_recommendations('regress_61.accounts', 'account_no', 'lob', 20, 'mix', 7) AS same_seed_same_samples,
	vouch.generate_sample_recommendations('regress_61.accounts', 'account_no', 'lob', 20, 'mix', 7) -> 'samples'
	= vouch.generate_sample_recommendations('regress_61.accounts', 'account_no', 'lob', 20, 'mix', 8) -> 'samples' AS other_seed;
SELECT s ->> 'id' AS id, s ->> 'type' AS type, s ->> 'lob_id' AS lob, s ->> 'reason' AS reason
FROM jsonb_array_elements(vouch.generate_sample_recommendations('regress_61.accounts', 'account_no', 'lob', 20, 'mix', 7) -> 'samples') AS s;
-- every line of business is in a stratified sample; risk-based samples break rules, and there are not more than do
SELECT s ->> 'lob_id' AS lob, count(*) FROM jsonb_array_elements(vouch.generate_sample_recommendations('regress_61.accounts', 'account_no', 'lob', 10, 'stratified', 7) -> 'samples') AS s GROUP BY 1 ORDER BY 1;
SELECT s ->> 'id' AS id FROM jsonb_array_elements(vouch.generate_sample_recommendations('regress_61.accounts', 'account_no', 'lob', 10, 'risk_based', 7) -> 'samples') AS s ORDER BY 1;
SELECT c - 'rules' - 'population_digest' - 'population_list' AS criteria, length(c ->> 'population_digest') AS digest_length
FROM (SELECT vouch.generate_sample_recommendations('regress_61.accounts', 'account_no', 'lob', 10, 'stratified=60, random=40', 7) -> 'selection_criteria' AS c) x;
-- random is md5(seed || ':' || key), which anybody can recompute
SELECT array_agg(s ->> 'id') = (SELECT array_agg(account_no::text) FROM (SELECT account_no FROM regress_61.accounts ORDER BY md5('7:' || account_no) LIMIT 5) x) AS recomputed
FROM jsonb_array_elements(vouch.generate_sample_recommendations('regress_61.accounts', 'account_no', NULL, 5, 'random', 7) -> 'samples') AS s;
SELECT vouch.generate_sample_recommendations('regress_61.accounts', 'lob', 'lob');
SELECT vouch.generate_sample_recommendations('regress_61.accounts', 'account_no', 'lob', 10, 'dowsing');
-- the digest changes with any row
SELECT vouch.population_digest('regress_61.accounts', 'account_no') AS before \gset
RESET SESSION AUTHORIZATION;
UPDATE regress_61.accounts SET nickname = 'x' WHERE account_no = 500;
SELECT vouch.population_digest('regress_61.accounts', 'account_no') = :'before' AS unchanged;
UPDATE regress_61.accounts SET nickname = NULL WHERE account_no = 500;
SELECT vouch.population_digest('regress_61.accounts', 'account_no') = :'before' AS unchanged;

SELECT bool_and(vouch.revoke_role(actor, role, scope)) AS revoked FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_61\_%' AND revoked_at IS NULL;
DROP SCHEMA regress_61 CASCADE;
DROP OWNED BY regress_vouch_61_ann, regress_vouch_61_raj;
DROP ROLE regress_vouch_61_ann, regress_vouch_61_raj;
