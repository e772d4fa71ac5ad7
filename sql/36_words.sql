-- What is said to people who are stuck: which stage's verdicts stand in the way, why each cannot sign for
-- what is missing, and what leads out of where nobody can.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_w_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_w_gus LOGIN IN ROLE vouch_user;		-- test lead and executive
CREATE ROLE regress_vouch_w_lea LOGIN IN ROLE vouch_user;		-- test lead
CREATE ROLE regress_vouch_w_dan LOGIN IN ROLE vouch_user;		-- report owner for CARDS
CREATE ROLE regress_vouch_w_eve LOGIN IN ROLE vouch_user;		-- Dan's delegate
CREATE ROLE regress_vouch_w_lou LOGIN IN ROLE vouch_user;		-- report owner for LOANS
SELECT count(vouch.grant_role('regress_vouch_w_' || a, r, s)) FROM (VALUES ('tess', 'tester', ''), ('gus', 'test_lead', ''), ('gus', 'test_executive', ''),
	('dan', 'report_owner', 'CARDS'), ('lou', 'report_owner', 'LOANS'), ('lea', 'test_lead', '')) AS v(a, r, s);
SET SESSION AUTHORIZATION regress_vouch_w_dan;
SELECT vouch.delegate('regress_vouch_w_eve', 'report_owner', reason => 'away') AS d \gset
RESET SESSION AUTHORIZATION;
SELECT vouch.define_policy('words_lobs', '{"stages": [{"rules": [{"role": "report_owner", "group_by": "lob_id"}]}]}') > 0 AS defined,
	vouch.define_policy('words_stages', '{"stages": [{"name": "review", "rules": [{"role": "test_lead"}]},
		{"name": "release", "after": ["review"], "rules": [{"role": "test_executive"}]}]}') > 0 AS defined;
SELECT vouch.set_policy('scoping', 'words_lobs', scope => 'words-lobs');
SELECT vouch.set_policy('scoping', 'words_stages', scope => 'words-stages');

-- Nobody holds the role for GBM: what each holds it for is said, of who could sign for another line, too.
SET SESSION AUTHORIZATION regress_vouch_w_tess;
SELECT vouch.create_version('scoping', 361, 1, '[{"attribute_id": "a", "in_scope": true, "lob_id": "CARDS"}, {"attribute_id": "b", "in_scope": true, "lob_id": "GBM"}]', scope => 'words-lobs') AS v \gset
SELECT vouch.submit_version(:'v');
\echo :LAST_ERROR_SQLSTATE
-- Items of no line, which nobody is asked about.
SELECT vouch.edit_items(:'v', '[{"attribute_id": "b", "in_scope": true}]');
SELECT vouch.submit_version(:'v');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.edit_items(:'v', '[{"attribute_id": "c", "in_scope": true}]');
SELECT vouch.submit_version(:'v');
SELECT vouch.discard_version(:'v');

-- A later stage asks for changes: it is named, its verdicts are counted, and the query that is hinted at shows them.
SELECT vouch.create_version('scoping', 361, 2, '[{"attribute_id": "a", "in_scope": true}, {"attribute_id": "b", "in_scope": true}]', scope => 'words-stages') AS w \gset
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'w') r;
SET SESSION AUTHORIZATION regress_vouch_w_lea;
SELECT vouch.decide_where(:'w', 'approved');
SELECT r -> 'missing' AS missing FROM vouch.approve_version(:'w') r;
SET SESSION AUTHORIZATION regress_vouch_w_gus;
SELECT vouch.decide(:'w', '[{"item_key": "b", "decision": "needs_changes", "notes": "which?"}]');
SELECT vouch.approve_version(:'w');
\echo :LAST_ERROR_SQLSTATE
SELECT item_key, status FROM vouch.version_items(:'w', stage => 2) WHERE status = 'needs_changes';
SELECT vouch.decide(:'w', '[{"item_key": "b", "decision": "approved"}]');
SELECT r ->> 'state' AS state FROM vouch.approve_version(:'w') r;

-- Gus, the only executive, would sign as a lead: then nobody could release it, so he may not, and the hint says who may.
SET SESSION AUTHORIZATION regress_vouch_w_tess;
SELECT vouch.create_revision(:'w', reason => 'again') AS x \gset
SELECT r ->> 'state' AS state FROM vouch.submit_version(:'x') r;
SET SESSION AUTHORIZATION regress_vouch_w_gus;
SELECT vouch.decide_where(:'x', 'approved');
SELECT vouch.approve_version(:'x');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.sign_off(:'x', 'test_lead', true);
\echo :LAST_ERROR_SQLSTATE
SELECT role, actor, can_sign, reason, why FROM vouch.explain_approval(:'x') ORDER BY stage, role, actor;
-- While there is another executive, he may. When that one loses the role, nobody can release it, and the hint says what leads out.
RESET SESSION AUTHORIZATION;
SELECT vouch.grant_role('regress_vouch_w_eve', 'test_executive') IS NOT NULL AS granted;
SET SESSION AUTHORIZATION regress_vouch_w_gus;
SELECT r -> 'missing' AS missing FROM vouch.approve_version(:'x') r;
RESET SESSION AUTHORIZATION;
SELECT vouch.revoke_role('regress_vouch_w_eve', 'test_executive');
SET SESSION AUTHORIZATION regress_vouch_w_gus;
SELECT vouch.approve_version(:'x');
\echo :LAST_ERROR_SQLSTATE
SELECT r -> 'missing' AS missing FROM vouch.revoke_signature(:'x', 'test_lead', 'to release it') r;
SET SESSION AUTHORIZATION regress_vouch_w_lea;
SELECT r -> 'missing' AS missing FROM vouch.approve_version(:'x') r;
SET SESSION AUTHORIZATION regress_vouch_w_gus;
SELECT r ->> 'state' AS state FROM vouch.approve_version(:'x') r;
RESET SESSION AUTHORIZATION;
-- Who holds two roles of one stage signs in the one that others cannot; what only an approval can lead into, a rejection is free to do.
SELECT vouch.define_policy('words_two', '{"items": "none", "stages": [{"name": "both", "rules": [{"role": "test_lead"}, {"role": "test_executive"}]}]}') > 0 AS defined;
SELECT vouch.set_policy('scoping', 'words_two', scope => 'words-two');
SET SESSION AUTHORIZATION regress_vouch_w_tess;
SELECT vouch.create_version('scoping', 361, 3, '[{"attribute_id": "a", "in_scope": true}]', scope => 'words-two') AS y \gset
SELECT r -> 'missing' AS missing FROM vouch.submit_version(:'y') r;
SET SESSION AUTHORIZATION regress_vouch_w_gus;
SELECT vouch.sign_off(:'y', 'test_lead', true);
SELECT r -> 'missing' AS missing FROM vouch.approve_version(:'y') r;
SET SESSION AUTHORIZATION regress_vouch_w_lea;
SELECT r ->> 'state' AS state FROM vouch.approve_version(:'y') r;
SET SESSION AUTHORIZATION regress_vouch_w_tess;
SELECT vouch.create_revision(:'y', carry => 'all') AS z \gset
SELECT r -> 'missing' AS missing FROM vouch.submit_version(:'z') r;
SET SESSION AUTHORIZATION regress_vouch_w_gus;
SELECT r ->> 'state' AS state FROM vouch.sign_off(:'z', 'test_lead', false, 'no') r;
RESET SESSION AUTHORIZATION;
SELECT count(*) AS wrong FROM vouch.verify('cycle-361-report-2') WHERE NOT ok;

SET SESSION AUTHORIZATION regress_vouch_w_dan;
SELECT vouch.revoke_delegation(:'d');
RESET SESSION AUTHORIZATION;
SELECT vouch.set_policy('scoping', NULL, scope => 'words-lobs'), vouch.set_policy('scoping', NULL, scope => 'words-stages'), vouch.set_policy('scoping', NULL, scope => 'words-two');
SELECT count(vouch.revoke_role(actor, role, scope)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_w\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_w_tess, regress_vouch_w_gus, regress_vouch_w_lea, regress_vouch_w_dan, regress_vouch_w_eve, regress_vouch_w_lou;
