-- Payloads that no version shows any more: they are deleted when they were never submitted, and else redacted with their item.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_xf_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_xf_olga LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_xf_rita LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role(a, r)) FROM (VALUES ('regress_vouch_xf_tess', 'tester'),
	('regress_vouch_xf_olga', 'report_owner'), ('regress_vouch_xf_rita', 'records_officer')) AS v(a, r);

-- A payload that was never submitted goes when its item is taken out of the draft, or the draft is thrown away.
CREATE VIEW public.regress_vouch_xf_bodies AS SELECT a.subject, a.body_no AS last_no, b.body_no, b.payload, b.item_no, NOT EXISTS (
	SELECT FROM vouch_data.decision d WHERE d.bucket = b.bucket AND d.artifact_no = b.artifact_no AND d.body_no = b.body_no) AS former
FROM vouch_data.artifact a LEFT JOIN vouch_data.item_body b USING (bucket, artifact_no) WHERE a.subject LIKE 'regress/_xf/_%' ESCAPE '/';
GRANT SELECT ON public.regress_vouch_xf_bodies TO vouch_reader;
SET SESSION AUTHORIZATION regress_vouch_xf_tess;
SELECT vouch.create_version('Scoping', subject => 'regress_xf_draft', items => '[{"attribute_id": "a", "in_scope": true}]') AS v \gset
SELECT vouch.edit_items(:'v', '[{"attribute_id": "b", "in_scope": true, "rationale": "secret 1"}, {"attribute_id": "c", "in_scope": true}]');
SELECT vouch.remove_items(:'v', '{b}');
SELECT last_no, body_no, payload FROM public.regress_vouch_xf_bodies ORDER BY body_no;
SELECT vouch.edit_items(:'v', '[{"attribute_id": "b", "in_scope": false}]');
SELECT vouch.remove_items(:'v', '{b}');
SELECT vouch.withdraw_version(:'v');
SELECT vouch.create_revision(:'v', '[{"attribute_id": "d", "in_scope": true, "rationale": "secret 2"}]', carry => 'all') AS v2 \gset
SELECT vouch.discard_version(:'v2');
SELECT last_no, body_no, payload FROM public.regress_vouch_xf_bodies ORDER BY body_no;
SELECT vouch.create_version('Scoping', subject => 'regress_xf_alone', items => '[{"attribute_id": "a", "in_scope": true, "rationale": "secret 3"}]') AS v3 \gset
SELECT vouch.discard_version(:'v3');
SELECT last_no, body_no, payload FROM public.regress_vouch_xf_bodies WHERE subject = 'regress_xf_alone';
-- What an older version had, and stands again in a draft, stays when that goes.
SELECT vouch.create_version('Scoping', subject => 'regress_xf_draft', items => '[]') AS v4 \gset
SELECT vouch.withdraw_version(:'v4');
SELECT vouch.create_revision(:'v', '[{"attribute_id": "a", "in_scope": false, "rationale": "secret 4"}]', carry => 'all') AS v5 \gset
SELECT vouch.remove_items(:'v5', '{a,c}');
SELECT last_no, body_no, payload FROM public.regress_vouch_xf_bodies WHERE subject = 'regress_xf_draft' ORDER BY body_no;
SELECT vouch.discard_version(:'v5');
SELECT vouch.create_revision(:'v', carry => 'all') AS v6 \gset
SELECT vouch.discard_version(:'v6');
SELECT item_key, payload FROM vouch.version_items(:'v');
SELECT s.subject, count(*) FILTER (WHERE NOT ok) AS bad FROM (VALUES ('regress_xf_draft'), ('regress_xf_alone')) AS s(subject), vouch.verify(s.subject) GROUP BY 1 ORDER BY 1;

-- What was submitted stays when the version is returned and the item edited or taken out, until it is redacted:
-- with the item, in any version of it.
RESET SESSION AUTHORIZATION;
SELECT vouch.define_policy('regress_xf', '{"items": "none", "stages": [{"on_reject": "return", "rules": [{"role": "report_owner"}]}]}');
SELECT vouch.set_policy('Scoping', 'regress_xf', scope => 'regress_xf');
SET SESSION AUTHORIZATION regress_vouch_xf_tess;
SELECT vouch.create_version('Scoping', subject => 'regress_xf_returned', items => '[
	{"attribute_id": "a", "in_scope": true, "rationale": "secret 5"}, {"attribute_id": "b", "in_scope": true, "rationale": "secret 6"},
	{"attribute_id": "c", "in_scope": true}]', scope => 'regress_xf') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_xf_olga;
SELECT vouch.return_version(:'v', 'no secrets, please') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_xf_tess;
SELECT vouch.edit_items(:'v', '[{"attribute_id": "a", "in_scope": true, "rationale": "none"}]');
SELECT vouch.remove_items(:'v', '{b}');
SELECT body_no, payload, item_no, former FROM public.regress_vouch_xf_bodies WHERE subject = 'regress_xf_returned' ORDER BY body_no;
SET SESSION AUTHORIZATION regress_vouch_xf_rita;
SELECT vouch.redact_item(:'v', 'b', 'erasure request 14') AS operation;
SELECT vouch.redact_item(:'v', 'a', 'erasure request 14') AS operation;
SELECT vouch.redact_item(:'v', 'a', 'erasure request 14');
SELECT body_no, payload, item_no, former FROM public.regress_vouch_xf_bodies WHERE subject = 'regress_xf_returned' ORDER BY body_no;
-- Decided again under the version, an item of an earlier one is shown there still.
SET SESSION AUTHORIZATION regress_vouch_xf_tess;
SELECT vouch.withdraw_version(:'v');
SELECT vouch.create_revision(:'v', carry => 'all') AS v2 \gset
SELECT vouch.submit_version(:'v2') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_xf_olga;
SELECT vouch.decide(:'v2', '{"c": "rejected"}');
SELECT vouch.return_version(:'v2', 'without c') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_xf_tess;
SELECT vouch.remove_items(:'v2', '{c}');
SET SESSION AUTHORIZATION regress_vouch_xf_rita;
SELECT vouch.redact_item(:'v2', 'c', 'erasure request 15');
SELECT vouch.redact_item(:'v', 'c', 'erasure request 15') AS operation;
SELECT ok, detail FROM vouch.verify('regress_xf_returned') WHERE check_name = 'payloads' OR NOT ok;
RESET SESSION AUTHORIZATION;
-- Every payload is shown somewhere, or says which item it is of.
SELECT count(*) FROM public.regress_vouch_xf_bodies WHERE former AND body_no IS NOT NULL AND item_no IS NULL AND NOT payload ? 'redacted';
DROP VIEW public.regress_vouch_xf_bodies;
SELECT vouch.set_policy('Scoping', NULL, scope => 'regress_xf');

SELECT count(vouch.revoke_role(a, r)) FROM (VALUES ('regress_vouch_xf_tess', 'tester'),
	('regress_vouch_xf_olga', 'report_owner'), ('regress_vouch_xf_rita', 'records_officer')) AS v(a, r);
DROP ROLE regress_vouch_xf_tess, regress_vouch_xf_olga, regress_vouch_xf_rita;
