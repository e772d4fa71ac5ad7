-- A draft is what its makers put there, before anybody submits it: what is signed is theirs.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_f_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_f_ann LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_f_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role('regress_vouch_f_' || a, r)) FROM (VALUES ('tess', 'tester'), ('ann', 'tester'), ('olga', 'report_owner')) AS v(a, r);
SET SESSION AUTHORIZATION regress_vouch_f_tess;
SELECT vouch.create_version('scoping', 129, 1, '[{"attribute_id": "c", "in_scope": true}, {"attribute_id": "a", "in_scope": true},
	{"attribute_id": "b", "in_scope": true}]') AS v \gset
RESET SESSION AUTHORIZATION;

-- Changes the payload of an item, with a hash to fit, or something else, and says what is found of it.
CREATE PROCEDURE public.tamper(v uuid, VARIADIC statements text[]) LANGUAGE plpgsql AS $$
DECLARE
	t text;
	finding record;
	ids text := format('bucket = %s AND artifact_no = %s', vouch.bucket_of(v), vouch_data.artifact_number(v));
BEGIN
	PERFORM set_config('vouch.restoring', 'on', true);
	FOREACH t IN ARRAY statements LOOP
		EXECUTE replace(t, ':of', ids);
	END LOOP;
	PERFORM set_config('vouch.restoring', 'off', true);
	FOR finding IN SELECT * FROM vouch.verify('cycle-129-report-1') LOOP
		IF NOT finding.ok THEN
			RAISE INFO '%: %: %', finding.check_name, finding.first_bad, finding.detail;
		END IF;
	END LOOP;
	ROLLBACK;
END $$;
CREATE FUNCTION public.forge(item int) RETURNS text LANGUAGE sql AS $$
	SELECT format('UPDATE vouch_data.item_body SET payload = payload || ''{"in_scope": false}'','
		' body_hash = sha256(salt || convert_to((payload || ''{"in_scope": false}'')::text, ''UTF8''))'
		' WHERE :of AND body_no = (SELECT body_no FROM vouch_data.decision WHERE :of AND item_no = %s AND to_no = 2147483647 LIMIT 1)', item) $$;

CALL public.tamper(:'v', VARIADIC '{}');
CALL public.tamper(:'v', public.forge(2));
-- Its source; its maker, with counters to fit; its key; an item taken out; one put there.
CALL public.tamper(:'v', $$UPDATE vouch_data.decision SET source = 'model' WHERE :of AND item_no = 1$$, $$UPDATE vouch_data.version_stat SET source = 'model' WHERE :of$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.decision SET recommended_by = 'regress_vouch_f_ann' WHERE :of AND item_no = 1$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.item SET item_key = 'd' WHERE :of AND item_no = 3$$);
CALL public.tamper(:'v', $$DELETE FROM vouch_data.decision WHERE :of AND item_no = 3$$, $$UPDATE vouch_data.version_stat SET items = 2 WHERE :of$$,
	$$UPDATE vouch_data.version_contributor SET items = 2 WHERE :of$$);
-- A salt that is none: what is hashed is the salt and the payload, and nothing but the length says where one ends.
CALL public.tamper(:'v', $$UPDATE vouch_data.item_body SET salt = '\x00', body_hash = sha256('\x00'::bytea || convert_to(payload::text, 'UTF8')) WHERE :of AND body_no = 1$$);

-- Ann edits one item and removes another. Hers is held against her edit, and what is left of what Tess put there against Tess's call: the log keeps
-- the leaves of what is replaced.
SET SESSION AUTHORIZATION regress_vouch_f_ann;
SELECT vouch.edit_items(:'v', '[{"attribute_id": "d", "in_scope": true}, {"attribute_id": "a", "in_scope": true, "rationale": "material"}]');
SELECT vouch.remove_items(:'v', ARRAY['c']);
RESET SESSION AUTHORIZATION;
CALL public.tamper(:'v', VARIADIC '{}');
SELECT item_no, item_key FROM vouch_data.item WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') ORDER BY 1;
CALL public.tamper(:'v', public.forge(2));
CALL public.tamper(:'v', public.forge(3));
CALL public.tamper(:'v', public.forge(4));
CALL public.tamper(:'v', $$DELETE FROM vouch_data.decision WHERE :of AND item_no = 3$$, $$UPDATE vouch_data.version_stat SET items = 2 WHERE :of$$,
	$$UPDATE vouch_data.version_contributor SET items = 0 WHERE :of AND actor = 'regress_vouch_f_tess'$$);
CALL public.tamper(:'v', $$UPDATE vouch_data.decision d SET (recommended_by, recommended_at) = (SELECT o.actor, o.at FROM vouch_data.operation o
	WHERE o.bucket = d.bucket AND o.artifact_no = d.artifact_no AND o.operation = 'remove_items') WHERE :of AND item_no = 3$$,
	$$UPDATE vouch_data.version_contributor SET items = CASE actor WHEN 'regress_vouch_f_ann' THEN 3 ELSE 0 END WHERE :of$$);

-- Tess puts an item there a second and a third time, and another one anew: of each call, what stands is held against it, and each item says when it was put there last.
SET SESSION AUTHORIZATION regress_vouch_f_tess;
SELECT vouch.edit_items(:'v', '[{"attribute_id": "b", "in_scope": true, "rationale": "second"}, {"attribute_id": "e", "in_scope": true}]');
SELECT vouch.edit_items(:'v', '[{"attribute_id": "b", "in_scope": true, "rationale": "third"}]');
SELECT vouch.edit_items(:'v', '[{"attribute_id": "f", "in_scope": true}, {"attribute_id": "g", "in_scope": true}]');
SELECT vouch.remove_items(:'v', ARRAY['f']);
RESET SESSION AUTHORIZATION;
SELECT i.item_key, o.operation, o.op_no, d.recommended_by FROM vouch_data.decision d JOIN vouch_data.item i USING (bucket, artifact_no, item_no)
LEFT JOIN vouch_data.operation o ON o.bucket = d.bucket AND o.artifact_no = d.artifact_no AND o.at = d.recommended_at
WHERE d.bucket = vouch.bucket_of(:'v') AND d.artifact_no = vouch_data.artifact_number(:'v') ORDER BY 1;
SELECT o.op_no, r ->> 'by' AS was_put_by, length(r ->> 'leaves') / 64 AS leaves FROM vouch_data.operation o, jsonb_array_elements(o.detail -> 'replaced') r
WHERE o.bucket = vouch.bucket_of(:'v') AND o.artifact_no = vouch_data.artifact_number(:'v') ORDER BY 1, 2;
CALL public.tamper(:'v', VARIADIC '{}');
CALL public.tamper(:'v', public.forge(3));
CALL public.tamper(:'v', public.forge(5));
CALL public.tamper(:'v', public.forge(1160));
-- An item that an earlier call put there is given to a later one.
CALL public.tamper(:'v', $$UPDATE vouch_data.decision d SET recommended_at = (SELECT max(o.recommended_at) FROM vouch_data.decision o WHERE o.bucket = d.bucket AND o.artifact_no = d.artifact_no
	AND o.recommended_by = d.recommended_by) WHERE :of AND item_no = 3$$);

-- What is carried into a revision still is what it was, and what the revision replaces does not disturb.
SET SESSION AUTHORIZATION regress_vouch_f_tess;
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SELECT vouch.withdraw_version(:'v', 'once more');
SELECT vouch.create_revision(:'v', '[{"attribute_id": "b", "in_scope": true, "rationale": "material"}]', carry => 'all') AS w \gset
RESET SESSION AUTHORIZATION;
CALL public.tamper(:'w', VARIADIC '{}');
CALL public.tamper(:'w', public.forge(3));

-- A call that replaces more than a thousand rows does not log their leaves, nor renew whose they are: what it and those
-- before it put there is not held against their roots, what comes after is.
SET SESSION AUTHORIZATION regress_vouch_f_tess;
SELECT vouch.create_version('scoping', 129, 1, scope => 'many', items => (SELECT jsonb_agg(jsonb_build_object('attribute_id', 'n' || n, 'in_scope', true)) FROM generate_series(1, 1200) n)) AS w \gset
SET SESSION AUTHORIZATION regress_vouch_f_ann;
SELECT vouch.edit_items(:'w', (SELECT jsonb_agg(jsonb_build_object('attribute_id', 'n' || n, 'in_scope', false)) FROM generate_series(1, 1100) n));
SELECT vouch.edit_items(:'w', (SELECT jsonb_agg(jsonb_build_object('attribute_id', 'n' || n, 'in_scope', true, 'rationale', 'low')) FROM generate_series(1, 3) n));
SET SESSION AUTHORIZATION regress_vouch_f_tess;
SELECT vouch.remove_items(:'w', (SELECT array_agg('n' || n) FROM generate_series(10, 1150) n));
RESET SESSION AUTHORIZATION;
CALL public.tamper(:'w', VARIADIC '{}');
CALL public.tamper(:'w', public.forge(3));
CALL public.tamper(:'w', public.forge(1160));
-- (before it is submitted; from then on its content has a digest)
SET SESSION AUTHORIZATION regress_vouch_f_tess;
SELECT vouch.submit_version(:'w') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
CALL public.tamper(:'w', public.forge(1160));
SET SESSION AUTHORIZATION regress_vouch_f_tess;
SELECT vouch.withdraw_version(:'w', 'end of the test');
RESET SESSION AUTHORIZATION;

DROP PROCEDURE public.tamper(uuid, text[]);
DROP FUNCTION public.forge(int);
SELECT count(vouch.revoke_role('regress_vouch_f_' || a, r)) FROM (VALUES ('tess', 'tester'), ('ann', 'tester'), ('olga', 'report_owner')) AS v(a, r);
DROP ROLE regress_vouch_f_tess, regress_vouch_f_ann, regress_vouch_f_olga;
