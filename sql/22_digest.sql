-- The digests of a version, computed anew in SQL from the form in docs/ledger.md.
-- They are signed, and compared for years: not a byte of the form may change.
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.field(tag text, value bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT convert_to(tag, 'UTF8') || CASE WHEN value IS NULL THEN '\xffffffff'::bytea ELSE int4send(length(value)) || value END $$;
CREATE FUNCTION pg_temp.field(tag text, value text) RETURNS bytea LANGUAGE sql AS $$
	SELECT pg_temp.field(tag, convert_to(value, 'UTF8')) $$;
CREATE FUNCTION pg_temp.field(tag text, value bigint) RETURNS bytea LANGUAGE sql AS $$
	SELECT pg_temp.field(tag, int8send(value)) $$;
CREATE FUNCTION pg_temp.field(tag text, value timestamptz) RETURNS bytea LANGUAGE sql AS $$
	SELECT pg_temp.field(tag, (extract(epoch FROM value) * 1000000)::bigint) $$;
-- RFC 6962: split where the left part is the largest power of two below the number of leaves.
CREATE FUNCTION pg_temp.root(leaves bytea[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	n constant int := coalesce(cardinality(leaves), 0);
	k int := 1;
BEGIN
	IF n = 0 THEN RETURN sha256(''); END IF;
	IF n = 1 THEN RETURN leaves[1]; END IF;
	WHILE 2 * k < n LOOP k := 2 * k; END LOOP;
	RETURN sha256('\x01' || pg_temp.root(leaves[1 : k]) || pg_temp.root(leaves[k + 1 : n]));
END $$;
-- The roots over what version no of an artifact shows: content, and content and verdicts.
CREATE FUNCTION pg_temp.digest(subject text, no int, verdicts boolean) RETURNS bytea LANGUAGE sql AS $$
	SELECT pg_temp.root(sha256('\x00' || pg_temp.field('F', 'vouch-content-1'::text) || pg_temp.field('M', v.metadata::text))
		|| (SELECT array_agg(sha256('\x00' || pg_temp.field('k', i.item_key) || pg_temp.field('h', b.body_hash) || pg_temp.field('s', d.source)
			|| pg_temp.field('m', d.recommended_by) || pg_temp.field('q', d.recommended_at)
			|| CASE WHEN verdicts THEN pg_temp.field('g', d.stage::bigint) || pg_temp.field('v', d.status::text) || pg_temp.field('A', d.decided_by)
				|| pg_temp.field('B', d.on_behalf_of) || pg_temp.field('t', d.decided_at) || pg_temp.field('n', d.notes)
				|| pg_temp.field('f', coalesce(d.origin_no, d.from_no)::bigint) ELSE '' END) ORDER BY d.item_no, d.stage)
			FROM vouch_data.decision d JOIN vouch_data.item i USING (bucket, artifact_no, item_no) JOIN vouch_data.item_body b USING (bucket, artifact_no, body_no)
			WHERE d.bucket = a.bucket AND d.artifact_no = a.artifact_no AND d.from_no <= no AND d.to_no > no AND (verdicts OR d.stage = 1)))
	FROM vouch_data.artifact a JOIN vouch_data.version v USING (bucket, artifact_no)
	WHERE a.bucket = vouch.bucket(subject) AND a.subject = digest.subject AND v.version_no = no $$;

-- A version of which everything is known, salts and times, too: as a dump would bring it.
SET vouch.restoring = on;
SET timezone = 'UTC';
INSERT INTO vouch_data.artifact (bucket, artifact_no, subject, phase, scope, head_no, last_no, item_no, body_no, created_at)
VALUES (vouch.bucket('digest-22'), 22, 'digest-22', 'scoping', '', 1, 1, 3, 3, '2020-01-01');
INSERT INTO vouch_data.item SELECT vouch.bucket('digest-22'), 22, n, (ARRAY['balance', U&'\00E9tat', 'branch'])[n] FROM generate_series(1, 3) n;
INSERT INTO vouch_data.item_body (bucket, artifact_no, body_no, payload, body_hash, salt)
SELECT vouch.bucket('digest-22'), 22, n, p.payload, sha256(s.salt || convert_to(p.payload::text, 'UTF8')), s.salt
FROM generate_series(1, 3) n,
	LATERAL (SELECT jsonb_build_object('attribute_id', i.item_key, 'in_scope', n <> 2, 'risk', 1.50) AS payload FROM vouch_data.item i
		WHERE i.bucket = vouch.bucket('digest-22') AND i.artifact_no = 22 AND i.item_no = n) p,
	LATERAL (SELECT decode(repeat(to_hex(16 + n), 16), 'hex') AS salt) s;
INSERT INTO vouch_data.decision (bucket, artifact_no, item_no, from_no, body_no, status, source, recommended_by, recommended_at)
SELECT vouch.bucket('digest-22'), 22, n, 1, n, 'rejected', (ARRAY['tester', 'automated', 'tester'])[n], 'ann', '2020-01-01 00:00:00.000001' FROM generate_series(1, 3) n;
UPDATE vouch_data.decision SET decided_by = 'bob', on_behalf_of = 'bea', decided_at = '2020-01-03', notes = U&'\00FCbel' WHERE artifact_no = 22 AND bucket = vouch.bucket('digest-22') AND item_no > 1;
INSERT INTO vouch_data.version (bucket, artifact_no, version_no, state, metadata, round, created_by, created_at, submitted_by, submitted_at, closed_by, closed_at)
VALUES (vouch.bucket('digest-22'), 22, 1, 'rejected', '{"why": "pinned"}', 1, 'ann', '2020-01-01', 'ann', '2020-01-02', 'bob', '2020-01-03');
INSERT INTO vouch_data.operation (bucket, artifact_no, op_no, version_no, operation, rule, actor, db_user, at, xid, items, items_root, leaf)
SELECT vouch.bucket('digest-22'), 22, e.n, 1, e.event, (SELECT m.rule FROM vouch.state_machine() m WHERE m.machine = 'version' AND m.event = e.event LIMIT 1),
	e.actor, e.actor, e.at, '10', 3, CASE e.n WHEN 2 THEN pg_temp.digest('digest-22', 1, false) WHEN 3 THEN pg_temp.digest('digest-22', 1, true) END, ''
FROM (VALUES (1, 'create', 'ann', timestamptz '2020-01-01'), (2, 'submit', 'ann', '2020-01-02'), (3, 'reject', 'bob', '2020-01-03')) AS e(n, event, actor, at);
-- The hashes and the roots, byte for byte; the server gets the same.
SELECT body_no, payload, encode(body_hash, 'hex') AS body_hash FROM vouch_data.item_body WHERE bucket = vouch.bucket('digest-22') AND artifact_no = 22 ORDER BY 1;
SELECT operation, encode(items_root, 'hex') AS root FROM vouch_data.operation WHERE bucket = vouch.bucket('digest-22') AND artifact_no = 22 AND items_root IS NOT NULL ORDER BY op_no;
SELECT check_name, checked, ok FROM vouch.verify('digest-22') WHERE check_name IN ('digests', 'payloads');
UPDATE vouch_data.decision SET recommended_at = '2020-01-01 00:00:00.000002' WHERE bucket = vouch.bucket('digest-22') AND artifact_no = 22 AND item_no = 3;
SELECT check_name, ok, first_bad, detail FROM vouch.verify('digest-22') WHERE check_name IN ('digests', 'payloads');
DELETE FROM vouch_data.operation WHERE bucket = vouch.bucket('digest-22') AND artifact_no = 22;
DELETE FROM vouch_data.version WHERE bucket = vouch.bucket('digest-22') AND artifact_no = 22;
DELETE FROM vouch_data.decision WHERE bucket = vouch.bucket('digest-22') AND artifact_no = 22;
DELETE FROM vouch_data.item_body WHERE bucket = vouch.bucket('digest-22') AND artifact_no = 22;
DELETE FROM vouch_data.item WHERE bucket = vouch.bucket('digest-22') AND artifact_no = 22;
DELETE FROM vouch_data.artifact WHERE bucket = vouch.bucket('digest-22') AND artifact_no = 22;
RESET timezone;
RESET vouch.restoring;

-- A version that goes its way has the same digests in its row and in the log, whatever its number of items.
CREATE ROLE regress_vouch_h_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_h_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES ('regress_vouch_h_tess', 'tester'), ('regress_vouch_h_olga', 'report_owner')) AS v(a, r);
SET SESSION AUTHORIZATION regress_vouch_h_tess;
SELECT vouch.create_version('Scoping', subject => 'digest-22-live', metadata => '{"batch": 1}',
	items => (SELECT jsonb_agg(jsonb_build_object('attribute_id', 'a' || n, 'in_scope', true)) FROM generate_series(1, 11) n)) AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_h_olga;
SELECT vouch.decide_where(:'v', 'approved', to_jsonb('$.attribute_id starts with "a1"'::text), 'fine');
SELECT vouch.decide_where(:'v', 'rejected');
SELECT vouch.reject_version(:'v', 'some are not') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
SELECT o.operation, CASE o.operation WHEN 'submit' THEN o.items_root = pg_temp.digest('digest-22-live', 1, false) AND o.items_root = v.content_digest
	ELSE o.items_root = pg_temp.digest('digest-22-live', 1, true) END AS same
FROM vouch_data.operation o JOIN vouch_data.version v USING (bucket, artifact_no, version_no) JOIN vouch_data.artifact a USING (bucket, artifact_no)
WHERE a.bucket = vouch.bucket('digest-22-live') AND a.subject = 'digest-22-live' AND o.operation IN ('submit', 'reject') ORDER BY o.op_no;
-- So has an operation that decides: the root over key, stage, verdict and notes of its items, in their order.
SELECT o.items, o.items_root = pg_temp.root(array_agg(sha256('\x00' || pg_temp.field('k', i.item_key) || pg_temp.field('g', d.stage::bigint)
	|| pg_temp.field('v', d.status::text) || pg_temp.field('n', d.notes)) ORDER BY d.item_no)) AS same
FROM vouch_data.artifact a JOIN vouch_data.operation o USING (bucket, artifact_no) JOIN vouch_data.decision d USING (bucket, artifact_no)
	JOIN vouch_data.item i ON i.bucket = a.bucket AND i.artifact_no = a.artifact_no AND i.item_no = d.item_no
WHERE a.bucket = vouch.bucket('digest-22-live') AND a.subject = 'digest-22-live' AND o.operation = 'decide' AND d.decided_at = o.at
GROUP BY o.op_no, o.items, o.items_root ORDER BY o.op_no;
SELECT bool_and(ok) AS ok FROM vouch.verify('digest-22-live');

SELECT vouch.revoke_role('regress_vouch_h_tess', 'tester'), vouch.revoke_role('regress_vouch_h_olga', 'report_owner');
DROP ROLE regress_vouch_h_tess, regress_vouch_h_olga;
