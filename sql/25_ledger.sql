-- The log: a chain of operations per artifact, and what vouch.verify() finds
-- when somebody who can switch our triggers off writes history anew.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_l_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_l_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES
	('regress_vouch_l_tess', 'tester'), ('regress_vouch_l_olga', 'report_owner')) AS v(a, r);

SET SESSION AUTHORIZATION regress_vouch_l_tess;
SELECT vouch.create_version('Scoping', 25, 1, '[
	{"attribute_id": "a", "in_scope": true}, {"attribute_id": "b", "in_scope": true}, {"attribute_id": "c", "in_scope": false}]') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_l_olga;
SELECT vouch.decide(:'v', '{"a": "approved", "b": {"decision": "rejected", "notes": "immaterial"}, "c": "approved"}');
SELECT vouch.reject_version(:'v', 'b is immaterial') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_l_tess;
SELECT vouch.create_revision(:'v') AS v2 \gset
RESET SESSION AUTHORIZATION;

-- One row an operation, also for many items; each holds the hash of the one before.
SELECT o.op_no, o.version_no, o.operation, o.rule, o.actor, o.items, o.items_root IS NOT NULL AS root, o.detail - '{closed_at,content_digest,contributors,meaning,opened_at,policy,revision}'::text[] AS detail,
	o.prev IS NOT DISTINCT FROM lag(o.leaf) OVER (ORDER BY o.op_no) AS chained, octet_length(o.leaf) AS leaf
FROM vouch_data.operation o
WHERE o.bucket = vouch.bucket_of(:'v') AND o.artifact_no = vouch_data.artifact_number(:'v') ORDER BY 1;
SELECT bool_and(db_user = (SELECT rolname FROM pg_roles WHERE oid = 10)) AS logged_in_as, bool_and(performed_at <= clock_timestamp()) AS in_the_past
FROM vouch.workflow_version_operations WHERE subject = 'cycle-25-report-1';

-- A leaf can be computed anywhere from the row: here in SQL, from the form in docs/ledger.md.
CREATE FUNCTION pg_temp.field(tag text, value bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT convert_to(tag, 'UTF8') || CASE WHEN value IS NULL THEN '\xffffffff'::bytea ELSE int4send(length(value)) || value END $$;
CREATE FUNCTION pg_temp.field(tag text, value text) RETURNS bytea LANGUAGE sql AS $$
	SELECT pg_temp.field(tag, convert_to(value, 'UTF8')) $$;
CREATE FUNCTION pg_temp.field(tag text, value bigint) RETURNS bytea LANGUAGE sql AS $$
	SELECT pg_temp.field(tag, int8send(value)) $$;
SELECT bool_and(o.leaf = sha256('\x00'::bytea || pg_temp.field('F', 'vouch-operation-1'::text)
	|| pg_temp.field('s', a.subject) || pg_temp.field('p', a.phase) || pg_temp.field('c', a.scope)
	|| pg_temp.field('C', a.cycle_id) || pg_temp.field('D', a.report_id) || pg_temp.field('T', (extract(epoch FROM a.created_at) * 1000000)::bigint)
	|| pg_temp.field('b', o.bucket::bigint) || pg_temp.field('a', o.artifact_no::bigint) || pg_temp.field('n', o.op_no::bigint)
	|| pg_temp.field('v', o.version_no::bigint) || pg_temp.field('o', o.operation) || pg_temp.field('r', o.rule)
	|| pg_temp.field('A', o.actor) || pg_temp.field('B', o.on_behalf_of) || pg_temp.field('U', o.db_user)
	|| pg_temp.field('t', (extract(epoch FROM o.at) * 1000000)::bigint) || pg_temp.field('x', o.xid::text::bigint) || pg_temp.field('X', o.database_id)
	|| pg_temp.field('w', o.workflow_id) || pg_temp.field('e', uuid_send(o.execution_id)) || pg_temp.field('y', o.activity)
	|| pg_temp.field('m', o.attempt::bigint) || pg_temp.field('i', o.items) || pg_temp.field('R', o.items_root)
	|| pg_temp.field('d', o.detail::text) || pg_temp.field('E', o.error) || pg_temp.field('P', o.prev))) AS same
FROM vouch_data.operation o JOIN vouch_data.artifact a USING (bucket, artifact_no) WHERE a.subject = 'cycle-25-report-1';

-- All is well.
SELECT check_name, phase, ok, CASE WHEN check_name <> 'artifacts' THEN checked END AS checked, first_bad FROM vouch.verify('cycle-25-report-1');
SELECT * FROM vouch.verify('cycle-25-report-99');
\echo :LAST_ERROR_SQLSTATE

-- Audit-only phases have operations and nothing else.
SELECT vouch_data.ensure_artifact(NULL, 'Data Owner ID', 'CARDS', 25, 1) AS artifact \gset
SELECT vouch_data.log_operation(vouch.bucket('cycle-25-report-1'), :artifact, 'assign_data_owner', '{"owner": "dora"}');
SELECT vouch_data.log_operation(vouch.bucket('cycle-25-report-1'), :artifact, 'assign_data_owner', NULL, 0,
	actor => 'tess', on_behalf_of => 'dora', error => 'dora is on leave');
SELECT operation_number, operation_type, nullif(actor, session_user) AS actor, on_behalf_of, item_count, success, error_message, detail
FROM vouch.workflow_version_operations WHERE subject = 'cycle-25-report-1' AND phase = 'data_owner_id' ORDER BY 1;
SELECT check_name, scope, ok, checked FROM vouch.verify('cycle-25-report-1') WHERE phase = 'data_owner_id';
SET SESSION AUTHORIZATION regress_vouch_l_tess;
SELECT vouch_data.log_operation(1, 1, 'x');
SELECT vouch_data.ensure_artifact('x', 'scoping', '', NULL, NULL);
RESET SESSION AUTHORIZATION;

-- From here on a superuser tampers, with our triggers disabled, and takes it back each time.
CREATE VIEW bad AS SELECT check_name, first_bad, detail FROM vouch.verify('cycle-25-report-1') WHERE NOT ok;
SELECT vouch_data.artifact_number(:'v') AS scoping \gset
CREATE PROCEDURE public.tamper(artifact int, VARIADIC statements text[]) LANGUAGE plpgsql AS $$
DECLARE
	t text;
	finding record;
BEGIN
	ALTER EVENT TRIGGER vouch_guard DISABLE;
	FOREACH t IN ARRAY ARRAY['operation', 'artifact', 'version', 'item', 'item_body', 'decision', 'version_ended', 'version_stat', 'version_contributor',
		'approval_request', 'signature'] LOOP
		EXECUTE format('ALTER TABLE vouch_data.%I DISABLE TRIGGER USER', t);
	END LOOP;
	FOREACH t IN ARRAY statements LOOP
		EXECUTE t || CASE WHEN t LIKE '% WHERE %' THEN ' AND ' ELSE ' WHERE ' END
			|| 'bucket = vouch.bucket(''cycle-25-report-1'') AND artifact_no = ' || artifact;
	END LOOP;
	FOR finding IN SELECT * FROM bad LOOP
		RAISE INFO '%: %: %', finding.check_name, regexp_replace(finding.first_bad, 'artifact \d+', 'artifact N'), finding.detail;
	END LOOP;
	ROLLBACK;
END $$;

-- Who did it.
CALL public.tamper(:scoping, $$UPDATE vouch_data.operation SET actor = 'somebody' WHERE op_no = 3$$);
-- When.
CALL public.tamper(:scoping, $$UPDATE vouch_data.operation SET at = at - interval '1 day' WHERE op_no = 2$$);
-- The reason that was given.
CALL public.tamper(:scoping, $$UPDATE vouch_data.operation SET detail = '{"reason": "other"}' WHERE operation = 'reject'$$);
-- An operation gone from the middle; and from the end, which the versions still show.
CALL public.tamper(:scoping, $$DELETE FROM vouch_data.operation WHERE op_no = 2$$);
CALL public.tamper(:scoping, $$DELETE FROM vouch_data.operation WHERE operation = 'create_revision'$$);
-- A hash; and the hash of the one before, which makes the chain.
CALL public.tamper(:scoping, $$UPDATE vouch_data.operation SET leaf = sha256('x') WHERE op_no = 1$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.operation SET prev = sha256('x') WHERE op_no = 2$$);
-- The subject of all of it.
CALL public.tamper(:scoping, $$UPDATE vouch_data.artifact SET scope = 'CARDS'$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.artifact SET cycle_id = 26$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.artifact SET created_at = created_at - interval '1 day'$$);
-- The numbers that say how much there is: none of it is believed.
CALL public.tamper(:scoping, $$UPDATE vouch_data.artifact SET last_no = 0$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.artifact SET last_no = 2147483647$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.artifact SET head_no = 1$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.artifact SET item_no = 2, body_no = 2$$);
-- The log gone altogether; the artifact gone, with what belongs to it left, under its number or another.
CALL public.tamper(:scoping, $$DELETE FROM vouch_data.operation$$);
CALL public.tamper(:scoping, $$SET LOCAL session_replication_role = replica; DELETE FROM vouch_data.artifact$$);
CALL public.tamper(:scoping, $$SET LOCAL session_replication_role = replica; UPDATE vouch_data.artifact SET artifact_no = 12345$$);
-- What a version's row says of itself: each column against the log.
CALL public.tamper(:scoping, $$UPDATE vouch_data.version SET created_by = 'x', created_at = created_at + interval '1 s', parent_no = 7, carry = 'all',
	reason = 'x', metadata = '{"x": 1}', workflow_id = 'x', execution_id = gen_random_uuid(), activity = 'x', attempt = 2, round = 5,
	submitted_by = 'x', submitted_at = now(), closed_by = 'x', closed_at = now(), close_reason = 'x', superseded_by = 2, superseded_at = now() WHERE version_no = 1$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.version SET metadata = '{"x": 1}' WHERE version_no = 2$$);
CALL public.tamper(:scoping, $$DELETE FROM vouch_data.version_stat WHERE version_no = 2$$, $$UPDATE vouch_data.version_contributor SET version_no = 9 WHERE version_no = 2$$);
-- A state that no operation led to, and a version that none made.
CALL public.tamper(:scoping, $$UPDATE vouch_data.version SET state = 'approved' WHERE version_no = 1$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.version SET content_digest = sha256('x') WHERE version_no = 1$$);
CALL public.tamper(:scoping, $$DELETE FROM vouch_data.version WHERE version_no = 2$$);
-- A verdict, with the counters brought in line.
CALL public.tamper(:scoping, $$UPDATE vouch_data.decision SET status = 'approved' WHERE item_no = 2$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.decision SET status = 'approved' WHERE item_no = 2$$,
	$$DELETE FROM vouch_data.version_stat WHERE version_no = 1 AND status = 'rejected'$$,
	$$UPDATE vouch_data.version_stat SET items = 3 WHERE version_no = 1 AND status = 'approved'$$);
-- Who decided.
CALL public.tamper(:scoping, $$UPDATE vouch_data.decision SET decided_by = 'somebody' WHERE item_no = 1$$);
-- When something was recommended, and a verdict that claims to stem from elsewhere.
CALL public.tamper(:scoping, $$UPDATE vouch_data.decision SET recommended_at = recommended_at - interval '1 s' WHERE item_no = 1$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.decision SET origin_no = 2 WHERE item_no = 1$$);
-- A payload; and a payload with its hash.
CALL public.tamper(:scoping, $$UPDATE vouch_data.item_body SET payload = payload || '{"in_scope": false}' WHERE body_no = 1$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.item_body SET payload = '{}', salt = NULL, body_hash = vouch.digest('{}') WHERE body_no = 1$$);
CALL public.tamper(:scoping, $$DELETE FROM vouch_data.item_body WHERE body_no = 3$$);
-- An item's name, and its rows.
CALL public.tamper(:scoping, $$UPDATE vouch_data.item SET item_key = 'z' WHERE item_no = 1$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.decision SET to_no = 7 WHERE item_no = 2$$);
CALL public.tamper(:scoping, $$DELETE FROM vouch_data.decision WHERE item_no = 3$$);
-- The list of what a version ended.
CALL public.tamper(:scoping, $$DELETE FROM vouch_data.version_ended$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.version_ended SET item_nos = '{1}'$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.version_ended SET body_nos = '{1}'$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.version_ended SET item_nos = item_nos || item_nos, from_nos = from_nos || from_nos, body_nos = body_nos || body_nos$$);
CALL public.tamper(:scoping, $$INSERT INTO vouch_data.version_ended SELECT bucket, artifact_no, 9, 1, 1, 'approved', '{1}', '{1}', '{1}' FROM vouch_data.artifact$$);
-- A counter.
CALL public.tamper(:scoping, $$UPDATE vouch_data.version_stat SET items = items + 1 WHERE version_no = 2 AND status = 'approved'$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.version_contributor SET items = 0 WHERE version_no = 2$$);

-- A version that is still pending, nobody having signed it: verdicts are those of the last call that gave them,
-- and where it named its items, of each call.
SET SESSION AUTHORIZATION regress_vouch_l_tess;
SELECT vouch.submit_version(:'v2') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_l_olga;
SELECT vouch.decide(:'v2', '[{"attribute_id": "c", "decision": "rejected", "notes": "no"}, {"attribute_id": "a", "decision": "rejected"}]');
SELECT vouch.decide(:'v2', '{"a": "needs_changes"}');
RESET SESSION AUTHORIZATION;
SELECT count(*) AS bad FROM bad;
CALL public.tamper(:scoping, $$UPDATE vouch_data.decision SET status = 'approved' WHERE item_no = 1 AND from_no = 2$$,
	$$UPDATE vouch_data.version_stat SET status = 'approved' WHERE version_no = 2 AND status = 'needs_changes'$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.decision SET notes = 'yes' WHERE item_no = 3 AND from_no = 2$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.decision SET decided_by = 'somebody' WHERE item_no = 3 AND from_no = 2$$);
CALL public.tamper(:scoping, $$UPDATE vouch_data.decision SET decided_by = NULL, decided_at = NULL, status = 'pending' WHERE item_no = 1 AND from_no = 2$$,
	$$UPDATE vouch_data.version_stat SET status = 'pending' WHERE version_no = 2 AND status = 'needs_changes'$$);

-- A set that the log does not write out item by item: its root is computed again from the rows.
SET SESSION AUTHORIZATION regress_vouch_l_tess;
SELECT vouch.create_version('Scoping', 25, 1, (SELECT jsonb_agg(jsonb_build_object('attribute_id', 'm' || n, 'in_scope', true) ORDER BY n % 7) FROM generate_series(1, 60) n),
	scope => 'MANY', metadata => '{"criteria": "all"}') AS many \gset
SELECT vouch.submit_version(:'many') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_l_olga;
SELECT vouch.decide(:'many', (SELECT jsonb_object_agg('m' || n, 'approved') FROM generate_series(1, 60) n));
RESET SESSION AUTHORIZATION;
SELECT vouch_data.artifact_number(:'many') AS many_no \gset
SELECT count(*) AS bad FROM bad;
CALL public.tamper(:many_no, $$UPDATE vouch_data.decision SET notes = 'with pleasure' WHERE item_no = 33$$);
-- What was submitted is more than the items: who signs, signs the metadata, too.
CALL public.tamper(:many_no, $$UPDATE vouch_data.version SET metadata = '{"criteria": "none"}'$$);

-- Taken back, it is as it was.
SELECT count(*) AS bad FROM bad;
SET SESSION AUTHORIZATION regress_vouch_l_tess;
SELECT vouch.withdraw_version(:'v2'), vouch.withdraw_version(:'many');
RESET SESSION AUTHORIZATION;
DROP PROCEDURE public.tamper(int, text[]);
DROP VIEW bad;

SELECT count(vouch.revoke_role(a, r)) FROM (VALUES
	('regress_vouch_l_tess', 'tester'), ('regress_vouch_l_olga', 'report_owner')) AS v(a, r);
DROP ROLE regress_vouch_l_tess, regress_vouch_l_olga;
