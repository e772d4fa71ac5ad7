-- Receipts: what a signer takes along. tools/vouch-receipt checks them without
-- the database, against anchors that were kept elsewhere.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_r_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_r_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES
	('regress_vouch_r_tess', 'tester'), ('regress_vouch_r_olga', 'report_owner')) AS v(a, r);
CREATE PROCEDURE public.settle() LANGUAGE plpgsql AS $$
BEGIN
	LOOP
		COMMIT;
		EXIT WHEN pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot());
		PERFORM pg_sleep(0.01);
	END LOOP;
END
$$;
-- The block below has what is done here, and nothing of what was done before: how long a path is, depends on all that is in a block.
CALL public.settle();
SELECT vouch.seal() >= 0 AS sealed;
SET SESSION AUTHORIZATION regress_vouch_r_tess;
SELECT vouch.create_version('Scoping', 27, 1, '[{"attribute_id": "a", "in_scope": true}]') AS v \gset
SELECT vouch.receipt(:'v');
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_r_olga;
SELECT vouch.decide(:'v', '{"a": {"decision": "approved", "notes": "Größe \"10 %\" 💶\\\t"}}');
SELECT vouch.approve_version(:'v', 'Größe "10 %" 💶\') ->> 'state' AS state;

-- Before it is sealed there is no receipt.
SELECT vouch.receipt(:'v');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
SELECT vouch_data.ensure_artifact(NULL, 'Data Owner ID', 'CARDS', 27, 1) AS owners \gset
SELECT vouch_data.log_operation(vouch.bucket('cycle-27-report-1'), :owners, 'assign_data_owner', '{"owner": "dora"}', 0, actor => 'tess');
CALL public.settle();
SELECT vouch.seal() > 0 AS sealed;

-- The version's submission, its signatures and its end, each with its way into a block.
SET SESSION AUTHORIZATION regress_vouch_r_olga;
SELECT vouch.receipt(:'v') AS receipt \gset
SELECT key, jsonb_typeof(value) FROM jsonb_each(:'receipt') ORDER BY 1;
SELECT o -> 'record' ->> 'operation' AS operation, o -> 'record' ->> 'actor' AS actor, length(o ->> 'leaf') AS leaf,
	jsonb_array_length(o -> 'path') > 1 AS path, (o ->> 'block_no')::bigint = (SELECT max(block_no) FROM vouch.blocks) AS in_last_block
FROM jsonb_array_elements(:'receipt'::jsonb -> 'operations') o;
SELECT string_agg(k, ', ') AS record FROM jsonb_object_keys(:'receipt'::jsonb #> '{operations,0,record}') k;
SELECT string_agg(k, ', ') AS block FROM jsonb_object_keys(:'receipt'::jsonb #> '{blocks,0}') k;
-- Any operation, also of a phase without versions.
SELECT vouch.receipt(:'v', 1) #>> '{operations,0,record,operation}' AS operation;
SELECT vouch.receipt('cycle-27-report-1', 'Data Owner ID', 1, 'CARDS') AS owners \gset
SELECT :'owners'::jsonb #>> '{operations,0,record,detail}' AS detail;
SELECT vouch.receipt(:'v', 99);
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.receipt('cycle-27-report-1', 'planning', 1);
SELECT vouch.receipt('00000000-0000-0000-0000-000000000000');
\echo :LAST_ERROR_SQLSTATE

-- Into files, and checked without the database.
\t on
\a
\o results/27_receipt.json
SELECT :'receipt'::jsonb;
\o results/27_owners.json
SELECT jsonb_pretty(:'owners'::jsonb);
\o results/27_anchors.jsonl
SELECT * FROM vouch.export_anchors();
\o results/27_old_anchors.jsonl
SELECT a FROM vouch.export_anchors() a WHERE (a ->> 'block_no')::bigint < (SELECT max(block_no) FROM vouch.blocks);
\o results/27_other_anchors.jsonl
SELECT jsonb_agg(a || jsonb_build_object('block_hash', repeat('0', 64))) FROM vouch.export_anchors() a;
-- Forged: another verdict, another name, another time; a leaf to go with it; another root, another block; a shorter path.
\o results/27_detail.json
SELECT replace(:'receipt', 'Größe', 'Masse');
\o results/27_actor.json
SELECT jsonb_set(:'receipt'::jsonb, '{operations,1,record,actor}', '"somebody"');
\o results/27_time.json
SELECT jsonb_set(:'receipt'::jsonb, '{operations,1,record,at}', '"2020-02-29T12:00:00.000000Z"');
\o results/27_leaf.json
SELECT jsonb_set(:'receipt'::jsonb, '{operations,1,leaf}', to_jsonb(repeat('0', 64)));
\o results/27_root.json
SELECT jsonb_set(:'receipt'::jsonb, '{blocks,0,root}', to_jsonb(repeat('0', 64)));
\o results/27_index.json
SELECT jsonb_set(:'receipt'::jsonb, '{operations,0,index}', '0');
\o results/27_path.json
SELECT :'receipt'::jsonb #- '{operations,0,path,0}';
\o results/27_block.json
SELECT jsonb_set(:'receipt'::jsonb, '{blocks,0,sealed_at}', '"2020-02-29T12:00:00.000000Z"');
\o results/27_broken.json
SELECT left(:'receipt', 100);
\o
\a
\t off
\setenv CHECK 'tools/vouch-receipt'
\setenv HIDE 'sed -E -e s/[0-9]{4}-[0-9-]+T[0-9:.]+Z/TIME/g -e s/[0-9a-f]{64}/HASH/g -e s/(block)_?[[:space:]][0-9]+/\\1/ -e s/byte.[0-9]+/byte/'
\! $CHECK -a results/27_anchors.jsonl results/27_receipt.json | $HIDE
\! $CHECK -a results/27_anchors.jsonl results/27_owners.json | $HIDE
\! $CHECK results/27_owners.json | $HIDE
\! $CHECK -a results/27_old_anchors.jsonl results/27_owners.json | $HIDE
\! $CHECK -a results/27_other_anchors.jsonl results/27_owners.json | $HIDE
\! for f in detail actor time leaf root index path block broken; do echo "$f:"; $CHECK -a results/27_anchors.jsonl results/27_$f.json >results/27_out 2>&1; echo "  exit status $?"; grep -E '^(BAD|tools|vouch-receipt|NOT)' results/27_out | $HIDE; done
\! rm results/27_*.json results/27_*.jsonl results/27_out

RESET SESSION AUTHORIZATION;
DROP PROCEDURE public.settle();
SELECT count(vouch.revoke_role(a, r)) FROM (VALUES
	('regress_vouch_r_tess', 'tester'), ('regress_vouch_r_olga', 'report_owner')) AS v(a, r);
DROP ROLE regress_vouch_r_tess, regress_vouch_r_olga;
