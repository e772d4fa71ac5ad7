-- Versions: what is made, who may do what to a draft, and how it is read.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_v_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_v_tom LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_v_rita LOGIN IN ROLE vouch_reader;
CREATE ROLE regress_vouch_v_admin LOGIN IN ROLE vouch_admin;
SELECT vouch.grant_role('regress_vouch_v_tom', 'tester');
SELECT vouch.grant_role('regress_vouch_v_tess', 'tester');

-- Nine phases come with Vouch; three are audit-only.
SELECT phase_no, phase, label, versioned, item_key, max_revisions, item_schema -> 'required' AS required
FROM vouch_data.phase WHERE shipped ORDER BY phase_no;

-- The life of a version, with the id of the rule that the log keeps.
SELECT rule, state, event, next_state, meaning FROM vouch.state_machine() WHERE machine = 'version' ORDER BY rule;

SET SESSION AUTHORIZATION regress_vouch_v_tess;

-- A phase goes by its key or its label, in any case.
SELECT vouch.create_version('Sample Selection', 20, 1, '[
	{"id": "A", "data": {"row": 1, "balance": 10.50}, "type": "random", "source": "tester"},
	{"id": "B", "data": {"row": 2, "balance": 20}, "type": "boundary", "source": "llm"},
	{"id": 3, "data": {"row": 3, "balance": 30}, "type": "targeted"}]',
	metadata => '{"selection_criteria": {"method": "mixed", "seed": 42}}') AS v \gset
SELECT vouch_data.phase_key(name) FROM (VALUES ('SAMPLE SELECTION'), ('sample-selection'), ('Data Owner Id')) AS t(name);

-- One draft, with its items in their order; the id alone leads to its rows.
SELECT version_number, parent_version_number, state, items, pending, carried, created_by, metadata
FROM vouch.version_history('Sample Selection', 20, 1);
SELECT item_no, item_key, payload, source, recommended_by, status, decided_by, carried_from
FROM vouch.version_items(:'v');
SELECT vouch.bucket_of(:'v') = vouch.bucket('cycle-20-report-1') AS same_bucket,
	vouch_data.version_number(:'v') AS number;

-- Edits of a draft replace payloads and add items; they are counted at once.
SELECT vouch.edit_items(:'v', '[
	{"id": "B", "data": {"row": 2, "balance": 21}, "type": "boundary", "source": "manual"},
	{"id": "D", "data": {"row": 4}, "type": "random"}]');
SELECT vouch.remove_items(:'v', ARRAY['A']);
SELECT item_no, item_key, payload -> 'data' AS data, source FROM vouch.version_items(:'v');
SELECT status, source, carried, items FROM vouch_data.version_stat
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') AND items > 0 ORDER BY 1, 2;

-- An item keeps its number when it comes back.
SELECT vouch.edit_items(:'v', '[{"id": "A", "data": {"row": 1}, "type": "random"}]');
SELECT item_no, item_key FROM vouch.version_items(:'v');

-- Pages: after the last item seen, so many.
SELECT item_no, item_key FROM vouch.version_items(:'v', max_items => 2);
SELECT item_no, item_key FROM vouch.version_items(:'v', after_item_no => 2, max_items => 2);

-- Whoever edits a version has a part in it.
SET SESSION AUTHORIZATION regress_vouch_v_tom;
SELECT vouch.edit_items(:'v', '[{"id": "D", "data": {"row": 4, "note": "checked"}, "type": "random"}]');
SELECT actor, items FROM vouch_data.version_contributor
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') ORDER BY actor;

-- One version of an artifact is open at a time; the error's detail has its id, state and maker ...
\set VERBOSITY terse
SELECT vouch.create_version('Sample Selection', 20, 1, '[]');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.create_revision(:'v');
\echo :LAST_ERROR_SQLSTATE

SET SESSION AUTHORIZATION regress_vouch_v_tess;
\set VERBOSITY default

-- ... but another scope is another artifact, and so is another subject.
SELECT vouch.create_version('Sample Selection', 20, 1, '[]', scope => 'CARDS') AS cards \gset
SELECT vouch.create_version('Sample Selection', subject => 'model-17') AS model \gset
SELECT subject, phase, scope, cycle_id, report_id, head_no FROM vouch_data.artifact
WHERE subject IN ('cycle-20-report-1', 'model-17') ORDER BY 1, 3;

-- Withdrawn by its maker, a version stays on record; who may not edit it may not.
SET SESSION AUTHORIZATION regress_vouch_v_admin;
SELECT vouch.withdraw_version(:'cards');
\echo :LAST_ERROR_SQLSTATE
-- Who may edit a draft may end it, so what somebody leaves behind is in nobody's way.
SET SESSION AUTHORIZATION regress_vouch_v_tess;
SELECT vouch.create_version('Sample Selection', 20, 1, scope => 'left') AS left \gset
SET SESSION AUTHORIZATION regress_vouch_v_tom;
SELECT vouch.discard_version(:'left');
SET SESSION AUTHORIZATION regress_vouch_v_tess;
SELECT vouch.withdraw_version(:'cards', 'wrong line of business');
SELECT version_number, state, closed_by, close_reason FROM vouch.version_history('Sample Selection', 20, 1, 'CARDS');
SELECT vouch.withdraw_version(:'cards');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.edit_items(:'cards', '[]');
\echo :LAST_ERROR_SQLSTATE

-- The next version starts from its own items; its parent is the one before.
SELECT vouch.withdraw_version(:'v');
SELECT vouch.create_version('Sample Selection', 20, 1, '[
	{"id": "B", "data": {"row": 2, "balance": 21}, "type": "boundary", "source": "manual"},
	{"id": "E", "data": {"row": 5}, "type": "random"}]') AS v2 \gset
SELECT version_number, parent_version_number, state, carry, items, carried FROM vouch.version_history('Sample Selection', 20, 1);
SELECT item_no, item_key, carried_from FROM vouch.version_items(:'v2');
SELECT item_key FROM vouch.version_items(:'v') ORDER BY 1;

-- A draft that is thrown away leaves no version, only its operations; its number is not used again.
SELECT vouch.discard_version(:'v2');
\set VERBOSITY sqlstate
SELECT vouch.version_items(:'v2');
\set VERBOSITY default
SELECT vouch.create_version('Sample Selection', 20, 1, '[]') AS v3 \gset
SELECT version_number, parent_version_number, state, items FROM vouch.version_history('Sample Selection', 20, 1);
SELECT operation_number, version_number, operation_type, rule, actor, item_count, detail
FROM vouch.workflow_version_operations WHERE subject = 'cycle-20-report-1' AND phase = 'sample_selection' AND lob_id = '' ORDER BY 1;

-- From a query, which runs with the caller's rights and needs no JSON array.
CREATE TEMP TABLE attributes AS
SELECT 'a' || n AS name, n % 3 > 0 AS wanted, CASE WHEN n < 3 THEN 'automated' END AS by FROM generate_series(1, 5) n;
SELECT vouch.create_version_from('Scoping', 20, 1, $$
	SELECT name AS item_key, jsonb_build_object('in_scope', wanted) AS payload, by AS source FROM attributes ORDER BY name
$$, metadata => '{"criteria": "every third is left out"}') AS s \gset
SELECT item_key, payload, source FROM vouch.version_items(:'s');
SELECT vouch.create_version_from('Scoping', 20, 2, 'SELECT 1 AS item_key, ''{}''::jsonb AS payload');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.create_version_from('Scoping', 20, 2, 'SELECT rolname::text AS item_key, to_jsonb(rolpassword) AS payload FROM pg_authid');
SELECT vouch.create_version_from('Scoping', 20, 2, 'VACUUM');
SELECT vouch.create_version_from('Scoping', 20, 2, $$SELECT name AS item_key, '{}'::jsonb AS payload FROM attributes$$);
SELECT count(*) AS written FROM vouch.version_history('Scoping', 20, 2);

-- A name that is not one's own does not count.
SELECT vouch.create_version('Scoping', 20, 3, '[]', user_id => 'regress_vouch_v_tom');
\echo :LAST_ERROR_SQLSTATE

-- A phase of one's own.
SELECT vouch.define_phase('model_review', 'Model Review', 'finding_no');
SET SESSION AUTHORIZATION regress_vouch_v_admin;
SELECT vouch.define_phase('Scoping', 'Other', 'id');
SELECT vouch.define_phase('scoping', 'Other', 'id');
SELECT vouch.define_phase('other', 'scoping', 'id');
SELECT vouch.define_phase('other', 'Other', 'id', '{"required": "text"}');
SELECT vouch.define_phase('other', 'Other', 'id', '{"properties": {"text": {"type": "varchar"}}}');
BEGIN;
SELECT vouch.define_phase('model_review', 'Model Review', 'finding_no',
	'{"required": ["text"], "properties": {"text": {"type": "string"}, "grade": {"type": "integer"}, "kind": {"enum": ["bug", "gap"]}}}',
	max_revisions => 2, default_source => 'validator');
SAVEPOINT s;
SELECT vouch.create_version('model review', subject => 'model-17', items => '[{"finding_no": 1, "text": "drifts", "grade": 2.5}]');
ROLLBACK TO s;
SELECT vouch.create_version('model review', subject => 'model-17', items => '[{"finding_no": 1, "text": "drifts", "grade": 2, "kind": "gap"}]') AS m \gset
SELECT item_key, payload, source FROM vouch.version_items(:'m');
SELECT vouch.define_phase('model_review', 'Model Review', 'id');
ROLLBACK;
\set ON_ERROR_ROLLBACK on
BEGIN;
-- A name is that of one phase, be it key or label; all functions find it by the same rule, also beyond ASCII.
SELECT vouch.define_phase('neu', 'Test Cycle - Neu', 'id');
SELECT vouch.define_phase('neu_2', 'NEU', 'id');
SELECT vouch.define_phase('test_cycle___neu', 'Something', 'id');
SELECT vouch.define_phase('pruefung', 'Prüfung Ärger-Fall', 'id');
SELECT vouch.set_policy('Prüfung Ärger-Fall', 'report_owner_review'), vouch.set_policy('test cycle - neu', 'report_owner_review'), vouch.set_policy('Test-Cycle---NEU', 'report_owner_review');
SELECT phase, count(*) FROM vouch_data.phase_policy WHERE phase IN ('neu', 'pruefung') GROUP BY 1 ORDER BY 1;
SELECT vouch_data.phase_key('Prüfung Ärger-Fall'), vouch_data.phase_key('Neu');
SELECT vouch.set_policy('Scopping', 'report_owner_review');
SET SESSION AUTHORIZATION regress_vouch_v_tess;
SELECT vouch.create_version('Prüfung Ärger-Fall', subject => 'regress_v_phases') IS NOT NULL AS made;

-- A subject with the name that cycle and report make has their numbers, however it is passed.
SELECT vouch.create_version('neu', subject => 'cycle-20-report-2001') AS neu \gset
SELECT vouch.discard_version(:'neu');
SELECT vouch.create_version('neu', 20, 2001) IS NOT NULL AS made;
SELECT vouch.create_version('neu', subject => 'cycle-20-report-02001') IS NOT NULL AS other;
SELECT vouch.create_version('neu', 21, subject => 'cycle-20-report-02001');
SELECT subject, cycle_id, report_id FROM vouch_data.artifact WHERE phase = 'neu' ORDER BY subject COLLATE "C" DESC;
ROLLBACK;
\set ON_ERROR_ROLLBACK off

-- Readers read; they make nothing.
SET SESSION AUTHORIZATION regress_vouch_v_rita;
SELECT count(*) FROM vouch.version_items(:'v');
SELECT vouch.create_version('Scoping', 20, 4);
INSERT INTO vouch_data.item VALUES (1, 1, 1, 'x');
RESET SESSION AUTHORIZATION;

-- Everything that is kept agrees with everything else.
SELECT check_name, bool_and(ok) AS ok FROM vouch.verify('cycle-20-report-1') GROUP BY 1
UNION SELECT check_name, bool_and(ok) FROM vouch.verify('model-17') GROUP BY 1 ORDER BY 1;
DROP OWNED BY regress_vouch_v_tess;
SELECT vouch.revoke_role('regress_vouch_v_tom', 'tester');
SELECT vouch.revoke_role('regress_vouch_v_tess', 'tester');
DROP ROLE regress_vouch_v_tess, regress_vouch_v_tom, regress_vouch_v_rita, regress_vouch_v_admin;
