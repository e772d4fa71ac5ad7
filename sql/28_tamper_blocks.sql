-- What a superuser with our triggers disabled cannot hide: a log that was
-- changed after it was sealed is not what the blocks say, and blocks that were made
-- anew are not what the anchors say. (Tampering that the chain of one artifact shows is in 25_ledger.)
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_t_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_t_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES
	('regress_vouch_t_tess', 'tester'), ('regress_vouch_t_olga', 'report_owner')) AS v(a, r);
CREATE PROCEDURE public.settle() LANGUAGE plpgsql AS $$
BEGIN
	LOOP
		COMMIT;
		EXIT WHEN pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot());
		PERFORM pg_sleep(0.01);
	END LOOP;
END
$$;
CALL public.settle();
SELECT vouch.seal() IS NOT NULL AS sealed;
SELECT coalesce(max(block_no), 0) AS before FROM vouch.blocks \gset

SET SESSION AUTHORIZATION regress_vouch_t_tess;
SELECT vouch.create_version('Scoping', 28, 1, '[{"attribute_id": "a", "in_scope": true}, {"attribute_id": "b", "in_scope": true}]') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
CALL public.settle();
SELECT vouch.seal();
SET SESSION AUTHORIZATION regress_vouch_t_olga;
SELECT vouch.decide(:'v', '{"a": "approved", "b": "approved"}');
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
CALL public.settle();
SELECT vouch.seal();

-- Kept outside.
CREATE TABLE public.anchors AS SELECT jsonb_agg(a) AS a FROM vouch.export_anchors(:before) a;
SELECT vouch_data.artifact_number(:'v') AS artifact \gset

-- An attacker's tools: leaves, roots and hashes computed as the documentation has them, and a whole history made anew.
CREATE FUNCTION public.field(tag text, value bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT convert_to(tag, 'UTF8') || CASE WHEN value IS NULL THEN '\xffffffff'::bytea ELSE int4send(length(value)) || value END $$;
CREATE FUNCTION public.field(tag text, value text) RETURNS bytea LANGUAGE sql AS $$
	SELECT public.field(tag, convert_to(value, 'UTF8')) $$;
CREATE FUNCTION public.field(tag text, value bigint) RETURNS bytea LANGUAGE sql AS $$
	SELECT public.field(tag, int8send(value)) $$;
CREATE FUNCTION public.leaf(o vouch_data.operation) RETURNS bytea LANGUAGE sql AS $$
	SELECT sha256('\x00'::bytea || public.field('F', 'vouch-operation-1'::text)
	|| public.field('s', a.subject) || public.field('p', a.phase) || public.field('c', a.scope)
	|| public.field('C', a.cycle_id) || public.field('D', a.report_id) || public.field('T', (extract(epoch FROM a.created_at) * 1000000)::bigint)
	|| public.field('b', o.bucket::bigint) || public.field('a', o.artifact_no::bigint) || public.field('n', o.op_no::bigint)
	|| public.field('v', o.version_no::bigint) || public.field('o', o.operation) || public.field('r', o.rule)
	|| public.field('A', o.actor) || public.field('B', o.on_behalf_of) || public.field('U', o.db_user)
	|| public.field('t', (extract(epoch FROM o.at) * 1000000)::bigint) || public.field('x', o.xid::text::bigint) || public.field('X', o.database_id)
	|| public.field('w', o.workflow_id) || public.field('e', uuid_send(o.execution_id)) || public.field('y', o.activity)
	|| public.field('m', o.attempt::bigint) || public.field('i', o.items) || public.field('R', o.items_root)
	|| public.field('d', o.detail::text) || public.field('E', o.error) || public.field('P', o.prev))
	FROM vouch_data.artifact a WHERE a.bucket = o.bucket AND a.artifact_no = o.artifact_no $$;
CREATE FUNCTION public.root(leaves bytea[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	k int := 1;
BEGIN
	IF cardinality(leaves) <= 1 THEN
		RETURN coalesce(leaves[1], sha256(''));
	END IF;
	WHILE k * 2 < cardinality(leaves) LOOP
		k := k * 2;
	END LOOP;
	RETURN sha256('\x01'::bytea || public.root(leaves[:k]) || public.root(leaves[k + 1:]));
END $$;
CREATE PROCEDURE public.forge_chain(b int, a int) LANGUAGE plpgsql AS $$
DECLARE
	o vouch_data.operation;
	last bytea;
BEGIN
	FOR n IN 1 .. (SELECT max(op_no) FROM vouch_data.operation WHERE bucket = b AND artifact_no = a) LOOP
		UPDATE vouch_data.operation SET prev = last WHERE bucket = b AND artifact_no = a AND op_no = n RETURNING * INTO o;
		last := public.leaf(o);
		UPDATE vouch_data.operation SET leaf = last WHERE bucket = b AND artifact_no = a AND op_no = n;
	END LOOP;
END $$;
CREATE PROCEDURE public.forge_blocks(from_no bigint) LANGUAGE plpgsql AS $$
DECLARE
	b vouch_data.block;
	found_leaves bytea[];
BEGIN
	FOR n IN from_no .. (SELECT max(block_no) FROM vouch_data.block) LOOP
		SELECT * INTO b FROM vouch_data.block WHERE block_no = n;
		SELECT coalesce(array_agg(o.leaf ORDER BY o.xid, o.bucket, o.artifact_no, o.op_no), '{}') INTO found_leaves
		FROM vouch_data.operation o WHERE o.database_id = b.database_id AND o.xid >= b.xid_lo AND o.xid < b.xid_hi;
		b.operations := cardinality(found_leaves);
		b.root := public.root(found_leaves);
		b.prev_hash := (SELECT p.block_hash FROM vouch_data.block p WHERE p.block_no = n - 1);
		UPDATE vouch_data.block x SET operations = b.operations, root = b.root, prev_hash = b.prev_hash,
			block_hash = sha256('\x00'::bytea || public.field('F', 'vouch-block-1'::text)
			|| public.field('n', b.block_no) || public.field('e', b.era::bigint) || public.field('D', b.database_id)
			|| public.field('l', b.xid_lo::text::bigint) || public.field('h', b.xid_hi::text::bigint) || public.field('i', b.operations)
			|| public.field('R', b.root) || public.field('P', b.prev_hash) || public.field('t', (extract(epoch FROM b.sealed_at) * 1000000)::bigint)
			|| public.field('S', b.system_identifier) || public.field('d', b.database_oid::bigint))
		WHERE block_no = n;
	END LOOP;
END $$;

-- Tampers, shows what is found, and takes it back. :of and :ids stand for the artifact.
CREATE PROCEDURE public.tamper(v uuid, before bigint, VARIADIC statements text[]) LANGUAGE plpgsql AS $$
DECLARE
	t text;
	finding record;
BEGIN
	ALTER EVENT TRIGGER vouch_guard DISABLE;
	FOREACH t IN ARRAY ARRAY['operation', 'version', 'item_body', 'decision', 'signature', 'approval_request', 'block'] LOOP
		EXECUTE format('ALTER TABLE vouch_data.%I DISABLE TRIGGER USER', t);
	END LOOP;
	FOREACH t IN ARRAY statements LOOP
		t := replace(replace(t, ':of', format('bucket = %s AND artifact_no = %s', vouch.bucket_of(v), vouch_data.artifact_number(v))),
			':before', before::text);
		EXECUTE replace(t, ':ids', format('%s, %s', vouch.bucket_of(v), vouch_data.artifact_number(v)));
	END LOOP;
	FOR finding IN SELECT * FROM vouch.verify('cycle-28-report-1') UNION ALL SELECT * FROM vouch.verify(level => 'blocks') LOOP
		IF NOT finding.ok THEN
			RAISE INFO 'verify, %: %: %', finding.check_name,
				CASE WHEN finding.first_bad LIKE 'block %' THEN 'block +' || substring(finding.first_bad, '\d+')::int - before ELSE finding.first_bad END,
				replace(finding.detail, 'Block ' || before + 1, 'Block +1');
		END IF;
	END LOOP;
	FOR finding IN SELECT (vouch.check_anchor(a)).* FROM public.anchors LOOP
		IF NOT finding.ok THEN
			RAISE INFO 'anchors: block +%: %', substring(finding.first_bad, '\d+')::int - before, finding.detail;
		END IF;
	END LOOP;
	ROLLBACK;
END $$;

-- Nothing is found while nothing was done.
CALL public.tamper(:'v', :before, VARIADIC '{}');
-- A payload; a verdict; an item's decider.
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.item_body SET payload = payload || '{"in_scope": false}' WHERE :of AND body_no = 1$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.decision SET status = 'rejected' WHERE :of AND item_no = 1$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.decision SET decided_by = 'somebody' WHERE :of AND item_no = 1$$);
-- A signature's verdict, its signer, its time.
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.signature SET verdict = 'reject' WHERE :of$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.signature SET signer = 'somebody' WHERE :of$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.signature SET signed_at = signed_at - interval '1 day' WHERE :of$$);
-- Under which rule and stage it was given.
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.signature SET stage_no = 2 WHERE :of$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.signature SET comment = 'gladly', meaning = 'seen', db_user = 'x' WHERE :of$$);
-- Who submitted, what, by which policy, and who ended it.
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.approval_request SET opened_by = 'somebody' WHERE :of$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.approval_request SET content_digest = sha256('x') WHERE :of$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.approval_request SET policy = 'report_owner_all_approved' WHERE :of$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.approval_request SET closed_by = 'somebody' WHERE :of$$);
-- An operation: who, when, what.
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.operation SET actor = 'somebody' WHERE :of AND op_no = 1$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.operation SET at = at - interval '1 day' WHERE :of AND op_no = 2$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.operation SET operation = 'withdraw' WHERE :of AND op_no = 2$$);
-- An operation said to be of another database; or of another transaction, with a chain to fit.
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.operation SET database_id = 0 WHERE :of AND op_no = 1$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.operation SET xid = (SELECT max(o.xid) FROM vouch_data.operation o WHERE :of) WHERE :of AND op_no = 2$$, $$CALL public.forge_chain(:ids)$$);
-- An operation put at the end of the chain, with a leaf to fit, of an invented database, so that no block
-- ever has it; of a transaction that has not begun; and of the database that the log had left, after it.
CALL public.tamper(:'v', :before, $$INSERT INTO vouch_data.operation SELECT (jsonb_populate_record(o, '{"operation": "note", "rule": null, "items_root": null, "items": 0, "database_id": 42, "xid": "5"}' || jsonb_build_object('op_no', o.op_no + 1))).*
	FROM vouch_data.operation o WHERE :of ORDER BY op_no DESC LIMIT 1$$, $$CALL public.forge_chain(:ids)$$);
CALL public.tamper(:'v', :before, $$INSERT INTO vouch_data.operation SELECT (jsonb_populate_record(o, '{"operation": "note", "rule": null, "items_root": null, "items": 0, "xid": "4611686018427387904"}' || jsonb_build_object('op_no', o.op_no + 1))).*
	FROM vouch_data.operation o WHERE :of ORDER BY op_no DESC LIMIT 1$$, $$CALL public.forge_chain(:ids)$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.operation SET database_id = 42, xid = '5' WHERE :of AND op_no = 2$$, $$CALL public.forge_chain(:ids)$$);
-- The chain of the artifact made anew from a forged operation on: it is consistent, and not what was sealed.
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.operation SET db_user = 'somebody' WHERE :of AND op_no = 1$$, $$CALL public.forge_chain(:ids)$$);
-- The blocks made anew, too: the database agrees with itself, and the anchors do not.
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.operation SET db_user = 'somebody' WHERE :of AND op_no = 1$$, $$CALL public.forge_chain(:ids)$$, $$CALL public.forge_blocks(:before + 1)$$);
-- Everything of the version removed, its operations and all, so that nothing shows that it ever was: the blocks do.
CALL public.tamper(:'v', :before, $$DELETE FROM vouch_data.operation WHERE :of$$);
-- With the blocks made anew, or cut off: the anchors do.
CALL public.tamper(:'v', :before, $$DELETE FROM vouch_data.operation WHERE :of AND op_no > 2$$, $$CALL public.forge_blocks(:before + 1)$$);
CALL public.tamper(:'v', :before, $$DELETE FROM vouch_data.operation WHERE :of AND op_no > 2$$, $$DELETE FROM vouch_data.block WHERE block_no > :before + 1$$);
-- A block by itself.
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.block SET sealed_at = sealed_at - interval '1 day' WHERE block_no = :before + 1$$);
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.block SET root = sha256('x') WHERE block_no = :before + 2$$);
CALL public.tamper(:'v', :before, $$DELETE FROM vouch_data.block WHERE block_no = :before + 1$$);
-- Its stretch of transactions, with hashes to fit.
CALL public.tamper(:'v', :before, $$UPDATE vouch_data.block SET xid_lo = (xid_lo::text::bigint + 1)::text::xid8 WHERE block_no = :before + 2$$, $$CALL public.forge_blocks(:before + 1)$$);

-- Taken back, it is as it was.
SELECT count(*) AS bad FROM vouch.verify() WHERE NOT ok AND (check_name = 'blocks' OR subject = 'cycle-28-report-1');
SELECT (vouch.check_anchor(a)).ok FROM public.anchors;

DROP PROCEDURE public.tamper(uuid, bigint, text[]), public.forge_chain(int, int), public.forge_blocks(bigint), public.settle();
DROP FUNCTION public.root(bytea[]), public.leaf(vouch_data.operation), public.field(text, bytea), public.field(text, text), public.field(text, bigint);
DROP TABLE public.anchors;
SELECT count(vouch.revoke_role(a, r)) FROM (VALUES
	('regress_vouch_t_tess', 'tester'), ('regress_vouch_t_olga', 'report_owner')) AS v(a, r);
DROP ROLE regress_vouch_t_tess, regress_vouch_t_olga;
