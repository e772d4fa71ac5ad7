-- Policies are data: who must sign a version, how many, and who may not.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_p_admin LOGIN IN ROLE vouch_admin;
CREATE ROLE regress_vouch_p_user LOGIN IN ROLE vouch_user;

-- Each phase with versions has one; makers hold a role, too.
SELECT p.phase_no, pp.phase, pp.policy, pp.maker_role
FROM vouch_data.phase_policy pp JOIN vouch_data.phase p USING (phase)
WHERE pp.shipped ORDER BY 1;
SELECT policy, revision, items, description FROM vouch.policies WHERE created_by = 'vouch' ORDER BY 1;
SELECT role, about FROM vouch_data.role WHERE shipped ORDER BY 1;

-- The state machine of requests.
SELECT rule, state, event, next_state, meaning FROM vouch.state_machine() WHERE machine = 'request' ORDER BY rule;

SET SESSION AUTHORIZATION regress_vouch_p_admin;

-- A policy is defined in a readable form; what is left out gets its default.
SELECT vouch.define_policy('model_review', '{
	"description": "Two validators, then an executive",
	"stages": [
		{"name": "validation", "due": "5 days", "rules": [{"role": "test_lead", "quorum": 2}]},
		{"name": "release", "after": ["validation"], "on_reject": "return",
		 "escalate_after": "36 hours", "escalate_to": "report_owner",
		 "rules": [{"role": "test_executive", "meaning": "released", "exclude": ["creator"], "delegable": false, "reauth_max_age": "15 minutes"}]}]}');
SELECT jsonb_pretty(definition) FROM vouch.policies WHERE policy = 'model_review';
SELECT stage_no, name, after_stage, on_reject, due, escalate_after, escalate_to
FROM vouch_data.policy_stage WHERE policy = 'model_review' ORDER BY 1;
SELECT stage_no, rule_no, role, quorum, meaning, exclude_creator AS creator, exclude_contributors AS contributors,
	exclude_submitter AS submitter, exclude_other_signers AS others, reauth_max_age, delegable, veto
FROM vouch_data.policy_rule WHERE policy = 'model_review' ORDER BY 1, 2;

-- The same again, written out or not, is no new revision; a change is.
SELECT vouch.define_policy('model_review', definition) FROM vouch.policies WHERE policy = 'model_review';
SELECT vouch.define_policy('model_review', jsonb_set(definition, '{stages,0,rules,0,quorum}', '3'))
FROM vouch.policies WHERE policy = 'model_review';
SELECT revision, is_current, created_by FROM vouch.policies WHERE policy = 'model_review' ORDER BY 1;

-- Stages are a graph, not a list: two in parallel after one, and one after both.  In which order they are written says nothing.
SELECT vouch.define_policy('diamond', '{"stages": [
	{"name": "release", "after": ["risk", "data"], "rules": [{"role": "test_executive"}]},
	{"name": "risk", "after": ["review"], "rules": [{"role": "report_owner"}]},
	{"name": "data", "after": ["review"], "rules": [{"role": "data_owner"}]},
	{"name": "review", "rules": [{"role": "test_lead"}]}]}');
SELECT stage_no, name, after_stage FROM vouch_data.policy_stage WHERE policy = 'diamond' ORDER BY 1;
SELECT vouch.define_policy('diamond', jsonb_set(definition, '{stages}', jsonb_path_query_array(definition, '$.stages[3, 0, 1, 2]')))
FROM vouch.policies WHERE policy = 'diamond';

-- Mistakes are named with their place.
SELECT vouch.define_policy('Bad Name', '{"stages": []}');
SELECT vouch.define_policy('bad', '[]');
SELECT vouch.define_policy('bad', '{"stages": []}');
SELECT vouch.define_policy('bad', '{"items": "most", "stages": []}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": []}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "report_owner", "quorom": 2}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "report_owner"}, {"role": "report_owner", "quorum": 0}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"quorum": 1}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "report_owner", "exclude": ["creator", "author"]}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"name": "a", "after": ["b"], "rules": [{"role": "report_owner"}]}, {"name": "c", "rules": [{"role": "report_owner"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"name": "a", "after": ["a"], "rules": [{"role": "report_owner"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"name": "start", "rules": [{"role": "report_owner"}]}, {"name": "a", "after": ["start", "c"], "rules": [{"role": "report_owner"}]},
	{"name": "b", "after": ["a"], "rules": [{"role": "report_owner"}]}, {"name": "c", "after": ["b"], "rules": [{"role": "report_owner"}]}]}');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.define_policy('bad', '{"stages": [{"name": "a", "rules": [{"role": "report_owner"}]}, {"name": "a", "rules": [{"role": "report_owner"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"due": "soon", "rules": [{"role": "report_owner"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"due": "1 month", "rules": [{"role": "report_owner"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"on_reject": "ignore", "rules": [{"role": "report_owner"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"escalate_after": "1 day", "rules": [{"role": "report_owner"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "@auto", "quorum": 2}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "reportowner"}]}]}');
\echo :LAST_ERROR_SQLSTATE

SELECT vouch.define_policy('bad', '{"stages": [{"expire_after": "0 days", "rules": [{"role": "report_owner"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"remind_every": "1 second", "rules": [{"role": "report_owner"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "report_owner", "ttl": "0 days"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "report_owner", "carry": "yes"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "report_owner", "scope": {}}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "report_owner", "scope": "CARDS"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "report_owner", "groups": ["CARDS"], "group_by": "lob_id"}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "report_owner", "several_groups": true}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "report_owner", "applies_if": {"items": 3}}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "report_owner", "applies_if": {"min_items": 0}}]}]}');
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "@auto", "carry": true}]}]}');

-- What this system does not do is refused, not ignored.
SELECT vouch.define_policy('bad', '{"stages": [{"rules": [{"role": "report_owner", "item_filter": {"lob": "CARDS"}}]}]}');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) AS stored FROM vouch.policies WHERE policy = 'bad';

-- A policy is set for a phase, or for one line of business in it.
SELECT vouch.set_policy('Scoping', 'model_review', scope => 'CARDS');
SELECT vouch.set_policy('scoping', NULL, scope => 'CARDS');
SELECT scope, set_no, policy, maker_role, set_by FROM vouch_data.phase_policy WHERE phase = 'scoping' ORDER BY 1, 2;
SELECT vouch.set_policy('scoping', 'no_such_policy');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.set_policy('request_info', 'model_review');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.set_policy('scoping', NULL);

-- Roles are data, too: held for everything, or for one line of business.
SELECT vouch.grant_role('regress_vouch_p_user', 'report_owner'), vouch.grant_role('regress_vouch_p_user', 'report_owner');
SELECT vouch.grant_role('regress_vouch_p_user', 'report_owner', 'CARDS');
SELECT vouch.revoke_role('regress_vouch_p_user', 'report_owner'), vouch.revoke_role('regress_vouch_p_user', 'report_owner');
SELECT role, scope, granted_by, revoked_by FROM vouch_data.role_grant WHERE actor = 'regress_vouch_p_user' ORDER BY scope;
SELECT vouch.grant_role('regress_vouch_p_user', 'reportowner');
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.define_role('model_validator', 'Checks models before they are used'), vouch.define_role('Model Validator', 'x');
SELECT vouch.define_role('model_validator', 'Checks models before they are used');

-- Nothing of it is for everybody, and a policy is never changed in place, by nobody.
SET SESSION AUTHORIZATION regress_vouch_p_user;
SELECT vouch.define_policy('mine', '{"stages": [{"rules": [{"role": "@auto"}]}]}');
SELECT vouch.grant_role('regress_vouch_p_user', 'report_owner');
UPDATE vouch_data.policy_rule SET quorum = 1;
RESET SESSION AUTHORIZATION;
UPDATE vouch_data.policy_rule SET quorum = 1 WHERE policy = 'model_review';
\echo :LAST_ERROR_SQLSTATE
DELETE FROM vouch_data.policy;
-- Roles and delegations are ended, never deleted.
DELETE FROM vouch_data.role_grant;
\echo :LAST_ERROR_SQLSTATE
TRUNCATE vouch_data.delegation;
UPDATE vouch_data.role_grant SET role = 'test_executive' WHERE actor = 'regress_vouch_p_user';
\echo :LAST_ERROR_SQLSTATE
UPDATE vouch_data.role_grant SET revoked_at = NULL, revoked_by = NULL WHERE actor = 'regress_vouch_p_user' AND scope = '';
DELETE FROM vouch_data.phase_policy;

SELECT vouch.revoke_role('regress_vouch_p_user', 'report_owner', 'CARDS');
DROP ROLE regress_vouch_p_admin, regress_vouch_p_user;
