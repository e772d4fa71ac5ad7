-- Blocks: the log sealed under one hash after the other, and compared with
-- what was kept of them elsewhere.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_b_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_b_adam LOGIN IN ROLE vouch_admin;
SELECT vouch.grant_role('regress_vouch_b_tess', 'tester'), vouch.grant_role('regress_vouch_b_adam', 'report_owner');
-- Only what is older than every running transaction of the server can be sealed: wait for those of others.
CREATE PROCEDURE public.settle() LANGUAGE plpgsql AS $$
BEGIN
	LOOP
		COMMIT;
		EXIT WHEN pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot());
		PERFORM pg_sleep(0.01);
	END LOOP;
END
$$;

-- What other tests logged is sealed first; then there is nothing to do.
CALL public.settle();
SELECT vouch.seal() IS NOT NULL AS sealed;
SELECT vouch.seal();
SELECT coalesce(max(block_no), 0) AS before FROM vouch.blocks \gset

SET SESSION AUTHORIZATION regress_vouch_b_tess;
SELECT vouch.create_version('Scoping', 26, 1, '[{"attribute_id": "a", "in_scope": true}]') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
-- Sealing is an administrator's, or the workers'.
SELECT vouch.seal();
SET SESSION AUTHORIZATION regress_vouch_b_adam;
CALL public.settle();
SELECT vouch.seal() AS operations;
SELECT vouch.seal() AS operations;
SET SESSION AUTHORIZATION regress_vouch_b_tess;
SELECT vouch.withdraw_version(:'v', 'never mind');
SELECT vouch.create_version('Scoping', 26, 1, '[{"attribute_id": "a", "in_scope": false}]') AS v2 \gset
SELECT vouch.discard_version(:'v2');
RESET SESSION AUTHORIZATION;

-- At most two operations a block; a transaction is never split.
CALL public.settle();
SELECT vouch.seal(2) AS operations;
BEGIN;
SET SESSION AUTHORIZATION regress_vouch_b_tess;
SELECT count(vouch.create_version('Scoping', 26, n, '[{"attribute_id": "a", "in_scope": true}]')) FROM generate_series(2, 4) n;
RESET SESSION AUTHORIZATION;
-- not what has not ended
SELECT vouch.seal() AS operations;
COMMIT;
CALL public.settle();
SELECT vouch.seal(1) AS operations;
SELECT vouch.seal(0);
SELECT block_no - :before AS block, era, operations,
	prev_hash IS NOT DISTINCT FROM lag(block_hash) OVER w AS continues, xid_lo = coalesce(lag(xid_hi) OVER w, '0') AS no_gap,
	length(root) AS root, length(block_hash) AS hash
FROM vouch.blocks WINDOW w AS (ORDER BY block_no) ORDER BY block_no OFFSET :before;

-- The root of a block is the Merkle root of its operations' leaves, here of two.
SELECT b.root = sha256('\x01'::bytea || string_agg(o.leaf, '' ORDER BY o.xid, o.bucket, o.artifact_no, o.op_no)) AS same
FROM vouch_data.block b JOIN vouch_data.operation o ON o.database_id = b.database_id AND o.xid >= b.xid_lo AND o.xid < b.xid_hi
WHERE b.block_no = :before + 1 GROUP BY b.root;

-- The hash of a block can be computed anywhere: the form is in docs/ledger.md.
CREATE FUNCTION pg_temp.field(tag text, value bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT convert_to(tag, 'UTF8') || CASE WHEN value IS NULL THEN '\xffffffff'::bytea ELSE int4send(length(value)) || value END $$;
CREATE FUNCTION pg_temp.field(tag text, value bigint) RETURNS bytea LANGUAGE sql AS $$
	SELECT pg_temp.field(tag, int8send(value)) $$;
SELECT bool_and(b.block_hash = sha256('\x00'::bytea || pg_temp.field('F', convert_to('vouch-block-1', 'UTF8'))
	|| pg_temp.field('n', b.block_no) || pg_temp.field('e', b.era::bigint) || pg_temp.field('D', b.database_id)
	|| pg_temp.field('l', b.xid_lo::text::bigint) || pg_temp.field('h', b.xid_hi::text::bigint) || pg_temp.field('i', b.operations)
	|| pg_temp.field('R', b.root) || pg_temp.field('P', b.prev_hash) || pg_temp.field('t', (extract(epoch FROM b.sealed_at) * 1000000)::bigint)
	|| pg_temp.field('S', b.system_identifier) || pg_temp.field('d', b.database_oid::bigint))) AS same
FROM vouch_data.block b;

-- Nobody writes them.
INSERT INTO vouch_data.block SELECT * FROM vouch_data.block LIMIT 0;
UPDATE vouch_data.block SET operations = 0;
\echo :LAST_ERROR_SQLSTATE

-- Checked with everything, alone, or those with operations of one subject.
SELECT check_name, subject, ok, checked >= 4 AS checked, first_bad FROM vouch.verify(level => 'blocks');
SELECT check_name, subject, ok, first_bad FROM vouch.verify('cycle-26-report-1', 'blocks');
SELECT check_name, subject, ok FROM vouch.verify('cycle-26-report-1', 'log');
SELECT check_name FROM vouch.verify('cycle-26-report-1', 'content');
SELECT vouch.verify(level => 'quick');

-- Anchors go to a file outside, line by line; later they are compared.
SELECT jsonb_object_keys(a) AS field FROM vouch.export_anchors(:before) a GROUP BY 1 ORDER BY 1;
SELECT jsonb_agg(a) AS anchors FROM vouch.export_anchors(:before) a \gset
SELECT * FROM vouch.check_anchor(:'anchors');
SELECT ok, checked FROM vouch.check_anchor((:'anchors'::jsonb) -> 0);
SELECT vouch.check_anchor('[{"block_no": 1}]');
-- A file of anchors that could not be read does not pass for one that was compared.
SELECT vouch.check_anchor('[]');
\echo :LAST_ERROR_SQLSTATE
SELECT replace(first_bad, (:before + 1)::text, 'N') AS first_bad, detail
FROM vouch.check_anchor(jsonb_set(:'anchors', '{0,block_hash}', to_jsonb(repeat('0', 64))));
SELECT replace(first_bad, (:before + 99)::text, 'N') AS first_bad, detail
FROM vouch.check_anchor(jsonb_set(:'anchors', '{0,block_no}', to_jsonb(:before + 99)));

-- In a copy that was restored elsewhere nothing is sealed until it is adopted.
BEGIN;
UPDATE vouch_data.adoption SET database_oid = 1;
SET SESSION AUTHORIZATION regress_vouch_b_tess;
SELECT vouch.create_version('Scoping', 26, 9, '[{"attribute_id": "a", "in_scope": true}]') IS NOT NULL AS made;
RESET SESSION AUTHORIZATION;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.operation SET xid = '3' WHERE xid = pg_current_xact_id();	-- as if it had ended
DELETE FROM vouch_data.block;
SELECT vouch.seal();
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

DROP PROCEDURE public.settle();
SELECT vouch.revoke_role('regress_vouch_b_tess', 'tester'), vouch.revoke_role('regress_vouch_b_adam', 'report_owner');
DROP ROLE regress_vouch_b_tess, regress_vouch_b_adam;
