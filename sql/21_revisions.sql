-- Revisions: what was decided is carried forward as it is, and costs nothing.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_r_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_r_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES
	('regress_vouch_r_tess', 'tester'), ('regress_vouch_r_olga', 'report_owner')) AS v(a, r);

-- How a version reads in one line.
CREATE FUNCTION public.in_words(version uuid, noun text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT concat('Version ', v.version_no, CASE WHEN v.carry IS NOT NULL THEN ', revision' END, ': ')
		|| string_agg(concat(CASE WHEN v.carry IS NULL THEN noun END, item_key, ' (',
			CASE WHEN carried_from IS NOT NULL THEN 'carried forward from version ' || carried_from
				WHEN v.carry IS NULL THEN source
				WHEN recommended_at < v.created_at THEN 'decided anew, ' || source
				ELSE 'new, ' || source END,
			') ', replace(status::text, '_', ' ')), ', ' ORDER BY item_no)
	FROM vouch_data.version v, vouch.version_items(version)
	WHERE v.bucket = vouch.bucket_of(version) AND v.artifact_no = vouch_data.artifact_number(version)
		AND v.version_no = vouch_data.version_number(version)
	GROUP BY v.version_no, v.carry $$;

-- The example.
SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT vouch.create_version('Sample Selection', 21, 1, '[
	{"id": "A", "data": {"row": 1}, "type": "random", "source": "tester"},
	{"id": "B", "data": {"row": 2}, "type": "random", "source": "tester"},
	{"id": "C", "data": {"row": 3}, "type": "boundary", "source": "llm"}]') AS v1 \gset
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'v1') r;
SET SESSION AUTHORIZATION regress_vouch_r_olga;
SELECT vouch.decide(:'v1', '[
	{"id": "A", "decision": "approved"},
	{"id": "B", "decision": "rejected", "notes": "a duplicate"},
	{"id": "C", "decision": "approved", "notes": "good boundary case"}]');
SELECT r ->> 'state' AS state FROM vouch.reject_version(:'v1', 'B is a duplicate') r;
SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT vouch.create_revision(:'v1', '[{"id": "D", "data": {"row": 4}, "type": "random", "source": "tester"}]',
	reason => 'D instead of B') AS v2 \gset
SELECT public.in_words(:'v1', 'sample ') UNION ALL SELECT public.in_words(:'v2');

-- A carried item has the source, decision, decider, time and notes that it had: it is the same row.
SELECT b.item_key, b.source, b.status, b.decided_by, b.notes, b.carried_from,
	b.decided_at = a.decided_at AS same_time, b.decision_id = a.decision_id AS same_row
FROM vouch.version_items(:'v1') a JOIN vouch.version_items(:'v2') b USING (item_key) ORDER BY 1;
SELECT version_number, parent_version_number, state, carry, reason, items, pending, approved, rejected, carried
FROM vouch.version_history('Sample Selection', 21, 1);

-- Rows written by the revision: those that end and those that begin.
SELECT i.item_key, d.from_no, nullif(d.to_no, 2147483647) AS to_no, d.status
FROM vouch_data.decision d JOIN vouch_data.item i USING (bucket, artifact_no, item_no)
WHERE d.bucket = vouch.bucket_of(:'v1') AND d.artifact_no = vouch_data.artifact_number(:'v1') ORDER BY 1, 2;

-- The same to read in psql; who and when stand behind the counts.
SELECT regexp_replace(line, ' \d{4}-\d\d-\d\d \d\d:\d\d', '', 'g') AS tree
FROM vouch.version_tree('Sample Selection', 21, 1) line;

-- An item that was rejected may come back, better; one that is carried may be replaced, and is pending again.
SELECT vouch.edit_items(:'v2', '[
	{"id": "B", "data": {"row": 22}, "type": "random"},
	{"id": "C", "data": {"row": 3}, "type": "boundary", "source": "manual"}]');
SELECT public.in_words(:'v2');
SELECT vouch.remove_items(:'v2', ARRAY['A', 'D']);
SELECT public.in_words(:'v2'), public.in_words(:'v1');
SELECT items, pending, approved, carried FROM vouch.version_history('Sample Selection', 21, 1) WHERE version_number = 2;

-- Thrown away, the draft gives back what it ended.
SELECT vouch.discard_version(:'v2');
SELECT i.item_key, d.from_no, nullif(d.to_no, 2147483647) AS to_no, d.status
FROM vouch_data.decision d JOIN vouch_data.item i USING (bucket, artifact_no, item_no)
WHERE d.bucket = vouch.bucket_of(:'v1') AND d.artifact_no = vouch_data.artifact_number(:'v1') ORDER BY 1, 2;

-- A reviewer may change the verdict on a carried item: the older version keeps the one it had.
SELECT vouch.create_revision(:'v1', '[{"id": "D", "data": {"row": 4}, "type": "random"}]') AS v3 \gset
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'v3') r;
SET SESSION AUTHORIZATION regress_vouch_r_olga;
SELECT vouch.decide(:'v3', '{"D": "approved", "A": {"decision": "needs_changes", "notes": "wrong quarter"}}');
SELECT public.in_words(:'v1') UNION ALL SELECT public.in_words(:'v3');
SELECT pending, approved, rejected, needs_changes, carried FROM vouch.version_history('Sample Selection', 21, 1) WHERE version_number = 3;
SELECT r ->> 'state' AS state FROM vouch.reject_version(:'v3', 'A is of the wrong quarter') r;

-- What a revision carries.
SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT vouch.create_version('Scoping', 21, 2, jsonb_agg(jsonb_build_object('attribute_id', k, 'in_scope', true))) AS s1
FROM unnest(ARRAY['approved', 'rejected', 'needs', 'open']) k \gset
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'s1') r;
SET SESSION AUTHORIZATION regress_vouch_r_olga;
SELECT vouch.decide(:'s1', '{"approved": "approved", "rejected": "rejected", "needs": "needs_changes"}');
SELECT r ->> 'state' AS state FROM vouch.reject_version(:'s1', 'not yet') r;
SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT vouch.create_revision(:'s1', carry => 'approved') AS s2 \gset
SELECT public.in_words(:'s2'); SELECT vouch.discard_version(:'s2');
SELECT vouch.create_revision(:'s1', carry => 'undecided') AS s2 \gset
SELECT public.in_words(:'s2'); SELECT vouch.discard_version(:'s2');
SELECT vouch.create_revision(:'s1', carry => 'all') AS s2 \gset
SELECT public.in_words(:'s2'); SELECT vouch.discard_version(:'s2');
SELECT vouch.create_revision(:'s1', '[{"attribute_id": "open", "in_scope": false}]', carry => 'none') AS s2 \gset
SELECT public.in_words(:'s2'); SELECT vouch.discard_version(:'s2');
SELECT vouch.create_revision(:'s1', carry => 'some');
\echo :LAST_ERROR_SQLSTATE

-- A revision of an older version starts from what that one shows, whatever came later.
SELECT vouch.create_revision(:'s1', '[
	{"attribute_id": "approved", "in_scope": false}, {"attribute_id": "later", "in_scope": true}]', carry => 'none') AS s6 \gset
SELECT vouch.withdraw_version(:'s6');
SELECT vouch.create_revision(:'s1', carry => 'all') AS s7 \gset
SELECT public.in_words(:'s1') UNION ALL SELECT public.in_words(:'s6') UNION ALL SELECT public.in_words(:'s7');
SELECT item_key, payload, status, decided_by, carried_from FROM vouch.version_items(:'s7');
SELECT vouch.discard_version(:'s7');
SELECT vouch.create_revision(:'s1') AS s8 \gset
SELECT public.in_words(:'s8');
SELECT version_number, parent_version_number, state, items, pending, approved, carried FROM vouch.version_history('Scoping', 21, 2);

-- Sample selection has at most three rounds; those that were withdrawn do not count.
SELECT vouch.create_revision(:'v3', '[{"id": "E", "data": {}, "type": "random"}]') AS v4 \gset
SELECT vouch.withdraw_version(:'v4');
SELECT vouch.create_revision(:'v4') AS v5 \gset
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'v5') r;
SET SESSION AUTHORIZATION regress_vouch_r_olga;
SELECT r ->> 'state' AS state FROM vouch.reject_version(:'v5', 'more samples') r;
SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT vouch.create_revision(:'v5', '[{"id": "F", "data": {}, "type": "random"}]') AS v6 \gset
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'v6') r;
SET SESSION AUTHORIZATION regress_vouch_r_olga;
SELECT r ->> 'state' AS state FROM vouch.reject_version(:'v6', 'more samples') r;
SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT vouch.create_revision(:'v6');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.create_version('Sample Selection', 21, 1, '[{"id": "Z", "data": {}, "type": "random"}]') AS v7 \gset
SELECT version_number, parent_version_number, state, carry, items FROM vouch.version_history('Sample Selection', 21, 1);

-- Approved, a version takes the place of the one that was approved before.
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'s8') r;
SET SESSION AUTHORIZATION regress_vouch_r_olga;
SELECT r ->> 'state' AS state FROM vouch.approve_version(:'s8') r;
SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT vouch.create_revision(:'s8', '[{"attribute_id": "limit", "in_scope": true}]') AS s9 \gset
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'s9') r;
SET SESSION AUTHORIZATION regress_vouch_r_olga;
SELECT vouch.decide(:'s9', '{"limit": "approved"}');
SELECT r ->> 'state' AS state FROM vouch.approve_version(:'s9') r;
SELECT version_number, state, superseded_by, superseded_at IS NOT NULL AS when_known FROM vouch.version_history('Scoping', 21, 2);
SELECT operation_number, version_number, operation_type, rule, actor, item_count FROM vouch.workflow_version_operations
WHERE subject = 'cycle-21-report-2' AND phase = 'scoping' AND version_number >= 8 ORDER BY 1;
RESET SESSION AUTHORIZATION;

SELECT check_name, phase, ok, first_bad, detail FROM unnest(ARRAY['cycle-21-report-1', 'cycle-21-report-2']) AS s, vouch.verify(s) ORDER BY phase, check_name;

SELECT count(vouch.revoke_role(a, r)) FROM (VALUES
	('regress_vouch_r_tess', 'tester'), ('regress_vouch_r_olga', 'report_owner')) AS v(a, r);
DROP FUNCTION public.in_words(uuid, text);
DROP ROLE regress_vouch_r_tess, regress_vouch_r_olga;
