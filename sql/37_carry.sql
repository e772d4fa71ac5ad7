-- A version that is submitted again keeps the signatures whose items did not change.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_ca_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_ca_greg LOGIN IN ROLE vouch_user;		-- report owner for GBM
CREATE ROLE regress_vouch_ca_cara LOGIN IN ROLE vouch_user;		-- report owner for CARDS
CREATE ROLE regress_vouch_ca_lea LOGIN IN ROLE vouch_user;		-- test lead
SELECT count(vouch.grant_role('regress_vouch_ca_' || a, r, s)) FROM (VALUES ('tess', 'tester', ''), ('greg', 'report_owner', 'GBM'),
	('cara', 'report_owner', 'CARDS'), ('lea', 'test_lead', '')) AS v(a, r, s);
SELECT vouch.define_policy('carrying', '{
	"stages": [{"name": "lobs", "on_reject": "return", "rules": [{"role": "report_owner", "group_by": "lob_id", "carry": true},
		{"role": "test_lead", "carry": true}]}]}');
SELECT vouch.set_policy('scoping', 'carrying', scope => 'carry');

SET SESSION AUTHORIZATION regress_vouch_ca_tess;
SELECT vouch.create_version('scoping', 37, 1, '[
	{"attribute_id": "g1", "lob_id": "GBM", "in_scope": true, "rationale": "material", "risk_rating": "high"},
	{"attribute_id": "g2", "lob_id": "GBM", "in_scope": true, "rationale": "material", "risk_rating": "low"},
	{"attribute_id": "c1", "lob_id": "CARDS", "in_scope": true, "rationale": "material", "risk_rating": "low"}]', scope => 'carry') AS v \gset
SELECT vouch.what_if_submit(:'v')->'effect'->>'summary' AS summary;
SELECT r->>'state' AS state FROM vouch.submit_version(:'v') r;
SET SESSION AUTHORIZATION regress_vouch_ca_greg;
SELECT vouch.decide_where(:'v', 'approved');
SELECT r->>'state' AS state FROM vouch.approve_version(:'v', 'all of GBM is in order') r;
SET SESSION AUTHORIZATION regress_vouch_ca_cara;
SELECT r->>'state' AS state FROM vouch.return_version(:'v', 'c1 needs another rationale') r;

-- Tess changes one item: who looks before submitting knows what it costs.
SET SESSION AUTHORIZATION regress_vouch_ca_tess;
SELECT vouch.edit_items(:'v', '[{"attribute_id": "c1", "lob_id": "CARDS", "in_scope": false, "rationale": "immaterial", "risk_rating": "low"}]');
SELECT jsonb_pretty(vouch.what_if_submit(:'v')->'effect');
SELECT r->>'state' AS state, r->'round' AS round, s->>'signer' AS signer, s->>'carried_from' AS carried_from
FROM vouch.submit_version(:'v') r, jsonb_array_elements(r->'signatures') s;
SELECT round, signature_no, signer, for_group, stale, carried_from, comment FROM vouch.signatures WHERE version_id = :'v' ORDER BY 1, 2;
SELECT operation, rule, actor, detail->>'signer' AS signer FROM vouch_data.operation
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') AND operation = 'carry_signature';
-- It was given when it was given first.
SELECT count(DISTINCT signed_at) AS times FROM vouch.signatures WHERE version_id = :'v' AND signer = 'regress_vouch_ca_greg';
SELECT actor, can_sign, why FROM vouch.explain_approval(:'v') WHERE role = 'report_owner';
-- It stands for what it did before: Greg takes it back, and it is not carried again behind his back.
SET SESSION AUTHORIZATION regress_vouch_ca_greg;
SELECT r->>'state' AS state FROM vouch.revoke_signature(:'v', 'report_owner', 'looked again') r;
SELECT actor, can_sign, why FROM vouch.explain_approval(:'v') WHERE actor = 'regress_vouch_ca_greg';
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
SET SESSION AUTHORIZATION regress_vouch_ca_cara;
SELECT vouch.decide_where(:'v', 'approved');
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;
SET SESSION AUTHORIZATION regress_vouch_ca_lea;
SELECT r->>'state' AS state FROM vouch.approve_version(:'v') r;

-- A revision that changes one line of business: the other's signature goes with it, the whole one's does not.
SET SESSION AUTHORIZATION regress_vouch_ca_tess;
SELECT vouch.create_revision(:'v', reason => 'cards again') AS w \gset
SELECT vouch.edit_items(:'w', '[{"attribute_id": "c1", "lob_id": "CARDS", "in_scope": true, "rationale": "material after all", "risk_rating": "low"}]');
SELECT e->>'summary' AS summary, c->>'signer' AS carried, d->>'signer' AS dropped, d->>'why' AS why
FROM (SELECT vouch.what_if_submit(:'w')->'effect' AS e) x, jsonb_array_elements(e->'carried') c, jsonb_array_elements(e->'dropped') d ORDER BY 3;
-- Whoever holds the role no more is not carried.
RESET SESSION AUTHORIZATION;
BEGIN;
SELECT vouch.revoke_role('regress_vouch_ca_greg', 'report_owner', 'GBM');
SELECT d->>'signer' AS dropped, d->>'why' AS why FROM jsonb_array_elements(vouch.what_if_submit(:'w')->'effect'->'dropped') d ORDER BY 1;
ROLLBACK;
-- Nor is anything under another revision of the policy.
BEGIN;
SELECT vouch.define_policy('carrying', jsonb_set(definition, '{stages,0,due}', '"3 days"')) FROM vouch.policies WHERE policy = 'carrying';
SELECT vouch.what_if_submit(:'w')->'effect'->>'summary' AS summary;
ROLLBACK;
SET SESSION AUTHORIZATION regress_vouch_ca_tess;
SELECT r->>'state' AS state FROM vouch.submit_version(:'w') r;
SELECT round, signer, for_group, stale, carried_from FROM vouch.signatures WHERE version_id = :'w' ORDER BY signature_no;
SET SESSION AUTHORIZATION regress_vouch_ca_cara;
SELECT vouch.decide_where(:'w', 'approved');
SELECT r->>'state' AS state FROM vouch.approve_version(:'w') r;
SET SESSION AUTHORIZATION regress_vouch_ca_lea;
SELECT r->>'state' AS state FROM vouch.approve_version(:'w') r;

-- A revision that changes nothing is approved as it is submitted, by the signatures that it had.
SET SESSION AUTHORIZATION regress_vouch_ca_tess;
SELECT vouch.create_revision(:'w', reason => 'no change') AS x \gset
SELECT vouch.what_if_submit(:'x')->'effect'->>'summary' AS summary;
SELECT r->>'state' AS state, jsonb_array_length(r->'signatures') AS signatures FROM vouch.submit_version(:'x') r;

-- Before a big one is submitted again: what it would cost, in one sentence.
RESET SESSION AUTHORIZATION;
SELECT vouch.define_policy('five', '{"stages": [{"name": "lobs", "rules": [{"role": "report_owner", "group_by": "lob_id", "carry": true}]}]}');
SELECT vouch.set_policy('scoping', 'five', scope => 'five');
CREATE ROLE regress_vouch_ca_app LOGIN IN ROLE vouch_user;
SELECT vouch.register_application('regress_vouch_ca_app');
SELECT count(vouch.grant_role('regress_vouch_ca_o' || n, 'report_owner', 'L' || n)) FROM generate_series(1, 5) n;
SET SESSION AUTHORIZATION regress_vouch_ca_tess;
SELECT vouch.create_version('scoping', 37, 2, (SELECT jsonb_agg(jsonb_build_object('attribute_id', 'L' || l || '-' || n, 'lob_id', 'L' || l,
	'in_scope', true, 'rationale', 'material', 'risk_rating', 'low')) FROM generate_series(1, 5) l, generate_series(1, 100) n), scope => 'five') AS f \gset
SELECT vouch.what_if_submit(:'f')->'effect'->>'summary' AS summary;
SELECT r->>'state' AS state FROM vouch.submit_version(:'f') r;
SET SESSION AUTHORIZATION regress_vouch_ca_app;
DO $$
DECLARE
	v uuid := (SELECT version_id FROM vouch.version_history('Scoping', 37, 2, 'five'));
BEGIN
	FOR n IN 1..5 LOOP
		PERFORM set_config('vouch.actor', 'regress_vouch_ca_o' || n, false);
		PERFORM vouch.decide_where(v, 'approved'), vouch.approve_version(v);
	END LOOP;
END $$;
RESET vouch.actor;
SET SESSION AUTHORIZATION regress_vouch_ca_tess;
SELECT vouch.create_revision(:'f', reason => 'two lines of business again') AS f \gset
SELECT count(vouch.edit_items(:'f', (SELECT jsonb_agg(jsonb_build_object('attribute_id', 'L' || l || '-' || n, 'lob_id', 'L' || l,
	'in_scope', false, 'rationale', 'immaterial', 'risk_rating', 'low')) FROM generate_series(1, 70) n))) FROM (VALUES (2), (4)) AS v(l);
SELECT e->>'summary' AS summary, e->'items' AS items, e->'items_undecided' AS undecided,
	(SELECT string_agg(d->>'group' || ': ' || (d->>'why'), '; ' ORDER BY 1) FROM jsonb_array_elements(e->'dropped') d) AS dropped
FROM (SELECT vouch.what_if_submit(:'f')->'effect' AS e) x;
-- And so it is.
SELECT r->>'state' AS state, r->'waiting_for'->0->'have' AS have, jsonb_array_length(r->'signatures') AS carried FROM vouch.submit_version(:'f') r;
SELECT count(*) AS undecided FROM vouch.version_items(:'f') WHERE status = 'pending';
SELECT who FROM vouch.pending_approvals WHERE version_id = :'f';
SELECT vouch.withdraw_version(:'f');
RESET SESSION AUTHORIZATION;
SELECT vouch.set_policy('scoping', NULL, scope => 'five');
SELECT vouch.unregister_application('regress_vouch_ca_app');
DROP ROLE regress_vouch_ca_app;
SELECT count(*) FILTER (WHERE NOT ok) AS wrong FROM vouch.verify('cycle-37-report-2');

SELECT ok, first_bad, detail FROM vouch.verify('cycle-37-report-1') WHERE check_name IN ('approvals', 'states', 'operations');
-- A signature carried from nowhere, or from somebody else's, is found.
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.signature SET from_signature_no = 2 WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') AND version_no = 2 AND from_signature_no IS NOT NULL;
SELECT ok, first_bad FROM vouch.verify('cycle-37-report-1') WHERE check_name = 'approvals';
ROLLBACK;
SELECT vouch.set_policy('scoping', NULL, scope => 'carry');
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_ca\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_ca_tess, regress_vouch_ca_greg, regress_vouch_ca_cara, regress_vouch_ca_lea;
