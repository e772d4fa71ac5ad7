-- Bad input: what is wrong is named with its place, and nothing is written.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_b_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_b_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES
	('regress_vouch_b_tess', 'tester'), ('regress_vouch_b_olga', 'report_owner')) AS v(a, r);
SET SESSION AUTHORIZATION regress_vouch_b_tess;

-- Phases.
SELECT vouch.create_version('Sample Selecton', 23, 1);
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.create_version('observation', 23, 1);
SELECT vouch.create_version('payroll', 23, 1);
SELECT vouch.create_version(NULL, 23, 1);
SELECT vouch.create_version('Data Owner ID', 23, 1);
\echo :LAST_ERROR_SQLSTATE

-- Subjects.
SELECT vouch.create_version('Scoping', 23);
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.create_version('Scoping', subject => 'cycle-7/lob-CARDS');
SELECT vouch.create_version('Scoping', 23, 1, '[]', metadata => '[1]');
SELECT vouch.create_version('Scoping', 23, 1, '[]', scope => repeat('x', 501));

-- Subjects that begin with @ are Vouch's own: nobody puts a version, a table or a workflow there.
SELECT vouch.create_version('scoping', 23, 1, '[{"attribute_id": "a"}]', subject => '@configuration');
SELECT vouch.create_version_from('scoping', 23, 1, 'SELECT ''a'' AS item_key, ''{}''::jsonb AS payload', subject => '@configuration');
SELECT vouch.start_workflow('any', '{}', '@configuration');
SELECT vouch.create_version('scoping', 23, 1, '[]', subject => '@' || repeat('long', 200));

-- Each phase says what its items need.
CREATE FUNCTION pg_temp.try(phase text, items jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM vouch.create_version(phase, 23, 1, items);
	RETURN 'made';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT phase, items, pg_temp.try(phase, items) FROM (VALUES
	('Planning', '[{"attribute_id": "a", "decision_type": "include"}, {"decision_type": "include"}]'::jsonb),
	('Planning', '[{"attribute_id": "a", "decision_type": "maybe"}]'),
	('Planning', '[{"attribute_id": {"x": 1}, "decision_type": "include"}]'),
	('Planning', '[{"attribute_id": "a", "decision_type": null}]'),
	('Planning', '[{"attribute_id": "a", "decision_type": "include", "data": "text"}]'),
	('Data Profiling', '[{"name": "r1", "type": "validation"}]'),
	('Data Profiling', '[{"name": "r1", "type": "guess", "definition": "x > 0"}]'),
	('Data Profiling', '[{"name": "r1", "type": "validation", "definition": 7}]'),
	('Scoping', '[{"attribute_id": "a", "in_scope": "yes"}]'),
	('Scoping', '[{"attribute_id": "a", "in_scope": true, "risk_rating": "severe"}]'),
	('Sample Selection', '[{"id": "s1", "type": "random"}]'),
	('Sample Selection', '[{"id": "s1", "data": {}, "type": "lucky"}]'),
	('Sample Selection', '[{"id": "s1", "data": {}, "type": "random", "source": "oracle"}]'),
	('Sample Selection', '[{"id": "", "data": {}, "type": "random"}]'),
	('Observation Management', '[{"observation_id": 1, "type": "finding", "severity": "huge"}]'),
	('Finalize Test Report', '[{"type": "summary", "title": "Summary"}]'),
	('Finalize Test Report', '[{"type": "summary", "title": 5, "content": "x"}]'),
	('Scoping', '[17]'),
	('Scoping', '["a"]'),
	('Scoping', '[[]]'),
	('Scoping', '{"attribute_id": "a", "in_scope": true}'),
	('Scoping', '"a"')) AS t(phase, items);

-- What is not required may be left out, or be null; what nobody asked for may be there.
SELECT phase, pg_temp.try(phase, items) FROM (VALUES
	('Planning', '[{"attribute_id": 1, "decision_type": "modify", "reason": null, "more": [1, 2]}]'::jsonb),
	('Data Profiling', '[{"name": "r1", "type": "quality_check", "definition": {"op": ">"}}]'),
	('Scoping', '[{"attribute_id": "a", "in_scope": false, "risk_rating": null}]'),
	('Sample Selection', '[{"id": 12.50, "data": {}, "type": "anomaly", "source": null}]'),
	('Observation Management', '[{"observation_id": "o", "type": "compliance_issue", "severity": "critical"}]'),
	('Finalize Test Report', '[{"type": "summary", "title": "Summary", "content": "All is well", "order": 1}]')) AS t(phase, items);

-- One bad item of 100,000 is found; what it costs is not worth a lock or a row.
SELECT vouch.create_version('Scoping', 23, 2, (
	SELECT jsonb_agg(jsonb_build_object('attribute_id', 'a' || n, 'in_scope', CASE WHEN n = 76543 THEN '0'::jsonb ELSE 'true' END) ORDER BY n)
	FROM generate_series(0, 99999) n));
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.create_version('Scoping', 23, 2, (
	SELECT jsonb_agg(jsonb_build_object('attribute_id', CASE WHEN n = 99999 THEN 4 ELSE n END, 'in_scope', true) ORDER BY n)
	FROM generate_series(0, 99999) n));
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.create_version_from('Scoping', 23, 2, $$
	SELECT 'same' AS item_key, '{"in_scope": true}'::jsonb AS payload FROM generate_series(1, 2) $$);
SELECT vouch.create_version_from('Scoping', 23, 2, $$SELECT NULL::text AS item_key, '{}'::jsonb AS payload$$);
SELECT vouch.create_version_from('Scoping', 23, 2, $$SELECT 'a' AS item_key, NULL::jsonb AS payload$$);
SELECT vouch.create_version_from('Scoping', 23, 2, $$SELECT 'a'::text AS item_key, '{"attribute_id": "b", "in_scope": true}'::jsonb AS payload$$);
SELECT vouch.create_version_from('Scoping', 23, 2, $$SELECT 'a'::text AS item_key$$);
SELECT vouch.create_version_from('Scoping', 23, 2, NULL);
SELECT count(*) AS versions FROM vouch.version_history('Scoping', 23, 2);
SELECT count(*) AS operations FROM vouch.workflow_version_operations WHERE subject = 'cycle-23-report-2';

-- Versions.
SELECT vouch.create_revision('c0ffee00-0000-4000-8000-000000000000');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.create_revision(vouch_data.version_id(5, 77, 1));
SELECT vouch.create_revision(NULL);
SELECT vouch.version_items(vouch_data.decision_id(5, 77, 1, 1, 1));
SELECT vouch.create_version('Scoping', 23, 3, '[]', scope => 'A') AS a \gset
SELECT vouch.create_version('Scoping', 23, 3, '[]', scope => 'B', parent_version_id => :'a');
\echo :LAST_ERROR_SQLSTATE

-- Edits.
SELECT vouch.edit_items(:'a', '[{"attribute_id": "x", "in_scope": true}]');
SELECT vouch.edit_items(:'a', '[{"attribute_id": "y", "in_scope": true}, {"attribute_id": "x"}]');
SELECT vouch.edit_items(:'a', '{}');
SELECT vouch.remove_items(:'a', '{x,z}');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.remove_items(:'a', '{x,x}');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.remove_items(:'a', '{NULL}');
SELECT item_key FROM vouch.version_items(:'a');

-- Decisions.
SELECT vouch.create_version('Scoping', 23, 4, '[
	{"attribute_id": "a", "in_scope": true}, {"attribute_id": 2, "in_scope": true}, {"attribute_id": "c", "in_scope": true}]') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SELECT vouch.edit_items(:'v', '[]');
\echo :LAST_ERROR_SQLSTATE
SET SESSION AUTHORIZATION regress_vouch_b_olga;
SELECT vouch.decide(:'v', '[{"attribute_id": "a", "decision": "approved"}, {"attribute_id": "nope", "decision": "approved"}]');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide(:'v', '{"a": "approved", "nope": "approved"}');
SELECT vouch.decide(:'v', '[{"attribute_id": "a", "decision": "approved"}, {"attribute_id": 2, "decision": "aproved"}]');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide(:'v', '{"a": "fine"}');
SELECT vouch.decide(:'v', '{"a": {"notes": "x"}}');
SELECT vouch.decide(:'v', '[{"attribute_id": "a"}]');
SELECT vouch.decide(:'v', '[{"decision": "approved"}]');
SELECT vouch.decide(:'v', '["a"]');
SELECT vouch.decide(:'v', '"a"');
SELECT vouch.decide(:'v', '[{"attribute_id": "a", "decision": "approved", "notes": 7}]');
SELECT vouch.decide(:'v', '[{"attribute_id": "a", "decision": "approved"}, {"item_key": "c", "decision": "approved"}, {"item_key": "a", "decision": "rejected"}]');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide(:'v', '[{"decision_id": "a", "decision": "approved"}]');
SELECT vouch.decide(:'v', jsonb_build_array(jsonb_build_object('decision_id', vouch_data.decision_id(5, 77, 1, 1, 1), 'decision', 'approved')));
-- What is not read would be lost without a word: a misspelled field is named.
SELECT vouch.decide(:'v', '[{"item_key": "a", "decision": "approved"}, {"item_key": "c", "decision": "rejected", "note": "typo"}]');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide(:'v', '{"a": {"decision": "rejected", "comment": "lost"}}');
SELECT vouch.decide(:'v', NULL);
SELECT vouch.decide_where(:'v', 'approved', '"$.in_scope == tru"');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide(:'v', jsonb_build_array(jsonb_build_object('item_key', 'a', 'decision', 'rejected', 'notes', repeat('x', 10001))));
SELECT vouch.decide_where(:'v', 'approved', NULL, repeat('x', 10001));
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.reject_version(:'v', repeat('x', 10001));
SELECT vouch.decide(:'v', '[]');
SELECT status, count(*) FROM vouch.version_items(:'v') GROUP BY 1;

-- Every way to name an item and to say a verdict.
SELECT vouch.decide(:'v', '[{"item_key": "a", "status": "rejected", "reason": "why not"}, {"attribute_id": 2, "verdict": "needs_changes"}]');
SELECT vouch.decide(:'v', jsonb_agg(jsonb_build_object('decision_id', decision_id, 'decision', 'approved')))
FROM vouch.version_items(:'v') WHERE item_key = 'c';
SELECT vouch.decide(:'v', '{"a": {"decision": "pending", "notes": "ask again"}, "2": "approved"}');
SELECT item_key, status, decided_by, decided_at IS NOT NULL AS decided, notes FROM vouch.version_items(:'v');
SET SESSION AUTHORIZATION regress_vouch_b_tess;
SELECT vouch.withdraw_version(:'v', repeat('x', 10001));
SELECT vouch.withdraw_version(:'v');
RESET SESSION AUTHORIZATION;
SELECT bool_and(ok) FROM vouch.verify('cycle-23-report-4');

-- What is not known would check nothing, or be lost: it is refused, and named.
SELECT vouch_data.check_item_schema('a', '{"reqired": ["a"]}');
SELECT vouch_data.check_item_schema('a', '{"properties": {"a": {"minimum": 3}}}');
SELECT vouch_data.check_item_schema('a', '{"title": "T", "description": "D", "required": ["a"], "properties": {"a": {"type": "string", "enum": ["x"], "description": "D"}}}');
SELECT vouch.verify('nope');
SELECT * FROM vouch.check_anchor(NULL);
\echo :LAST_ERROR_SQLSTATE

SELECT count(vouch.revoke_role(a, r)) FROM (VALUES
	('regress_vouch_b_tess', 'tester'), ('regress_vouch_b_olga', 'report_owner')) AS v(a, r);
DROP OWNED BY regress_vouch_b_tess;
DROP ROLE regress_vouch_b_tess, regress_vouch_b_olga;
