-- A receipt tells all that bears on a signature, and a person reads in it what was hashed, and nothing else.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_w_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_w_olga LOGIN IN ROLE vouch_user;		-- report owner
CREATE ROLE regress_vouch_w_lea LOGIN IN ROLE vouch_user;		-- test lead
SELECT count(vouch.grant_role('regress_vouch_w_' || a, r)) FROM (VALUES ('tess', 'tester'), ('olga', 'report_owner'), ('lea', 'test_lead')) AS v(a, r);
CREATE PROCEDURE public.settle() LANGUAGE plpgsql AS $$
BEGIN
	LOOP
		COMMIT;
		EXIT WHEN pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot());
		PERFORM pg_sleep(0.01);
	END LOOP;
END
$$;
SELECT vouch.define_policy('receipted', '{"items": "none",
	"stages": [{"name": "review", "on_reject": "return", "expire_after": "10 days", "rules": [{"role": "report_owner", "carry": true}, {"role": "test_lead"}]}]}');
SELECT vouch.set_policy('scoping', 'receipted', scope => 'whole');

-- Olga signs, Lea returns it, Olga's signature is carried, she takes it back, and the time runs out. Her comment is
-- longer than a screen, and has characters in it that would turn what is read after them around.
SET SESSION AUTHORIZATION regress_vouch_w_tess;
SELECT vouch.create_version('scoping', 127, 1, '[{"attribute_id": "a", "in_scope": true}]', scope => 'whole') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_w_olga;
SELECT vouch.approve_version(:'v', E'only \u202Ello\u202C and \u0085, ' || repeat('long ', 100) || 'and NOT for LOANS') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_w_lea;
SELECT vouch.return_version(:'v', 'say why') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_w_tess;
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_w_olga;
SELECT vouch.revoke_signature(:'v', 'report_owner', 'it was about CARDS') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.approval_request SET opened_at = opened_at - interval '11 days', next_at = next_at - interval '11 days'
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') AND state = 'open';
SET LOCAL vouch.restoring = off;
SELECT vouch.process_deadlines() AS ended;
COMMIT;
CALL public.settle();
SELECT vouch.seal() > 0 AS sealed;

SELECT vouch.receipt(:'v') AS receipt \gset
SELECT o -> 'record' ->> 'operation' AS operation, o -> 'record' ->> 'actor' AS actor
FROM jsonb_array_elements(:'receipt'::jsonb -> 'operations') o;

-- Forged, without changing what is hashed: the same moment as the hour 24 and more of the day before, as a day of a
-- month that has not so many; numbers with a sign, or zeros before them; an id with something after it.
SELECT m.at, to_char(m.at - interval '1 day', 'YYYY-MM-DD"T"') || extract(hour FROM m.at) + 24 || to_char(m.at, ':MI:SS.US"Z"') AS hour,
	to_char(date_trunc('month', m.at) - interval '1 day', 'YYYY-MM-')
		|| extract(day FROM m.at) + extract(day FROM date_trunc('month', m.at) - interval '1 day') || to_char(m.at, '"T"HH24:MI:SS.US"Z"') AS day
FROM (SELECT (:'receipt'::jsonb #>> '{operations,1,record,at}')::timestamptz AT TIME ZONE 'UTC' AS at) m \gset
SELECT to_char(m.at - interval '1 day', 'YYYY-MM-DD"T"') || extract(hour FROM m.at) + 24 || to_char(m.at, ':MI:SS.US"Z"') AS sealed
FROM (SELECT (:'receipt'::jsonb #>> '{blocks,0,sealed_at}')::timestamptz AT TIME ZONE 'UTC' AS at) m \gset
\t on
\a
\o results/39w_anchors.jsonl
SELECT * FROM vouch.export_anchors();
\o results/39w_whole.json
SELECT :'receipt';
\o results/39w_hour.json
SELECT jsonb_set(:'receipt'::jsonb, '{operations,1,record,at}', to_jsonb(:'hour'::text));
\o results/39w_day.json
SELECT jsonb_set(:'receipt'::jsonb, '{operations,1,record,at}', to_jsonb(:'day'::text));
\o results/39w_sealed.json
SELECT jsonb_set(:'receipt'::jsonb, '{blocks,0,sealed_at}', to_jsonb(:'sealed'::text));
\o results/39w_february.json
SELECT jsonb_set(:'receipt'::jsonb, '{operations,1,record,at}', '"2026-02-29T12:00:00.000000Z"');
\o results/39w_sign.json
SELECT jsonb_set(:'receipt'::jsonb, '{operations,1,record,op_no}', to_jsonb(' +' || (:'receipt'::jsonb #>> '{operations,1,record,op_no}')));
\o results/39w_zeros.json
SELECT jsonb_set(:'receipt'::jsonb, '{operations,1,record,op_no}', to_jsonb('00' || (:'receipt'::jsonb #>> '{operations,1,record,op_no}')));
\o results/39w_id.json
SELECT jsonb_set(:'receipt'::jsonb, '{operations,1,record,execution_id}', '"01234567-89ab-cdef-0123-456789abcdef and more"');
-- Two headers of a block that differ, of which one would be seen; and so many keys that it takes all day to compare them.
\o results/39w_twice.json
SELECT :'receipt'::jsonb
	|| jsonb_build_object('blocks', (:'receipt'::jsonb -> 'blocks') || ((:'receipt'::jsonb #> '{blocks,0}') || jsonb_build_object('block_hash', repeat('0', 64))));
\o results/39w_keys.json
SELECT '{' || string_agg('"k' || n || '": 1', ', ') || '}' FROM generate_series(1, 60000) n;
\o
\a
\t off
\setenv CHECK 'tools/vouch-receipt'
\setenv HIDE 'sed -E -e s/[0-9]{4}-[0-9-]+T[0-9:.]+Z/TIME/g -e s/[0-9a-f]{64}/HASH/g -e s/(block)_?[[:space:]][0-9]+/\\1/ -e s/byte.[0-9]+/byte/'
\! $CHECK -a results/39w_anchors.jsonl results/39w_whole.json | $HIDE
\! for f in hour day sealed february sign zeros id twice keys; do echo "$f:"; $CHECK -a results/39w_anchors.jsonl results/39w_$f.json >results/39w_out 2>&1; echo "  exit status $?"; grep -E '^(GOOD|BAD|tools|vouch-receipt|NOT)' results/39w_out | $HIDE; done
\! rm results/39w_*

DROP PROCEDURE public.settle();
SELECT vouch.set_policy('scoping', 'report_owner_review', scope => 'whole');
SELECT count(vouch.revoke_role('regress_vouch_w_' || a, r)) FROM (VALUES ('tess', 'tester'), ('olga', 'report_owner'), ('lea', 'test_lead')) AS v(a, r);
DROP ROLE regress_vouch_w_tess, regress_vouch_w_olga, regress_vouch_w_lea;
