-- Reviews: a workflow waits until a version is decided, and goes on in the
-- transaction of the last signature.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_rev_app LOGIN IN ROLE vouch_admin;
CREATE ROLE regress_vouch_rev_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_rev_olga LOGIN IN ROLE vouch_user;
SELECT vouch.grant_role('regress_vouch_rev_tess', 'tester'), vouch.grant_role('regress_vouch_rev_olga', 'report_owner');
CREATE SCHEMA rev46;
GRANT USAGE ON SCHEMA rev46 TO regress_vouch_rev_app;
CREATE FUNCTION rev46.propose(report int) RETURNS jsonb LANGUAGE plpgsql AS
$$DECLARE
	v uuid := vouch.create_version('scoping', 46, report,
		'[{"attribute_id": "balance", "in_scope": true, "rationale": "material", "risk_rating": "high"}]');
BEGIN
	PERFORM vouch.submit_version(v);
	RETURN jsonb_build_object('id', v);
END$$;

SET SESSION AUTHORIZATION regress_vouch_rev_app;
SELECT vouch.define_workflow('rev46', '{"StartAt": "Propose", "States": {
	"Propose": {"Type": "Task", "Resource": "sql:rev46.propose", "Parameters": {"report.$": "$.report"}, "ResultPath": "$.version", "Next": "Review"},
	"Review": {"Type": "Task", "Resource": "vouch:review", "Parameters": {"VersionId.$": "$.version.id", "Signal": "stop"},
		"ResultPath": "$.review", "Next": "Verdict"},
	"Verdict": {"Type": "Choice", "Choices": [{"Variable": "$.review.state", "IsPresent": true, "Next": "Decided"}], "Default": "Stopped"},
	"Decided": {"Type": "Pass", "Parameters": {"state.$": "$.review.state", "phase.$": "$.review.phase", "number.$": "$.review.version_number",
		"by.$": "$.review.decided_by", "actor.$": "$$.Vouch.Actor"}, "Next": "After"},
	"After": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "close"}, "ResultPath": null, "End": true},
	"Stopped": {"Type": "Pass", "InputPath": "$.review", "End": true}}}');
SELECT vouch.define_workflow('rev46_wait', '{"StartAt": "R", "States": {"R": {"Type": "Task", "Resource": "vouch:review",
	"Parameters": {"VersionId.$": "$.id"}, "ResultSelector": {"state.$": "$.state", "by.$": "$.decided_by"}, "End": true}}}');

-- The version is made in the name of who started the workflow.
SET SESSION AUTHORIZATION regress_vouch_rev_tess;
SELECT vouch.start_workflow('rev46', '{"report": 1}', 'cycle-46-report-1'), vouch.start_workflow('rev46', '{"report": 2}', 'cycle-46-report-2'),
	vouch.start_workflow('rev46', '{"report": 3}', 'cycle-46-report-3');
SET SESSION AUTHORIZATION regress_vouch_rev_app;
SELECT vouch.advance();
SELECT d #>> '{waiting_for,0,version_id}' AS v1 FROM vouch.describe_workflow('cycle-46-report-1') d \gset
SELECT d #>> '{waiting_for,0,version_id}' AS v2 FROM vouch.describe_workflow('cycle-46-report-2') d \gset
SELECT state, kind, name, who FROM vouch.describe_workflow('cycle-46-report-1') d,
	jsonb_to_recordset(d -> 'waiting_for') AS w(state text, kind text, name text, who jsonb);
SELECT branch, state, replace(waits_for, :'v1', '<version>') AS waits_for, who, can_act, replace(how, :'v1', '<version>') AS how
FROM vouch.explain_workflow('cycle-46-report-1') WHERE who NOT LIKE '%(for %';

-- Olga decides and signs: her own transaction takes the workflow on.
SET SESSION AUTHORIZATION regress_vouch_rev_olga;
SELECT vouch.decide(:'v1', '{"balance": "approved"}') AS decided;
SELECT r ->> 'state' AS state FROM vouch.approve_version(:'v1') r;
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'cycle-46-report-1';
SELECT state, waits_for, who, can_act, how FROM vouch.explain_workflow('cycle-46-report-1');
SELECT vouch.signal_workflow('cycle-46-report-1', 'close');
SELECT d -> 'output' AS output FROM vouch.describe_workflow('cycle-46-report-1') d;
SELECT waits_for, how FROM vouch.explain_workflow('cycle-46-report-1');

-- A rejection is a verdict, not an error.
SELECT vouch.reject_version(:'v2', 'not material') ->> 'state' AS state;
SELECT vouch.signal_workflow('cycle-46-report-2', 'close');
SELECT d -> 'output' AS output FROM vouch.describe_workflow('cycle-46-report-2') d;

-- Where the policy lets a reviewer send a version back for changes, it is a draft
-- again, and that ends the review, too.  A review that begins then waits for the next round.
RESET SESSION AUTHORIZATION;
SELECT vouch.define_policy('rev46', '{"stages": [{"name": "review", "on_reject": "return", "rules": [{"role": "report_owner"}]}]}');
SELECT vouch.set_policy('scoping', 'rev46', 'REV46');
SET SESSION AUTHORIZATION regress_vouch_rev_tess;
SELECT vouch.create_version('scoping', 46, 5, '[{"attribute_id": "balance", "in_scope": true, "rationale": "material", "risk_rating": "high"}]', 'REV46') AS v5 \gset
SELECT vouch.submit_version(:'v5') ->> 'state' AS state;
SELECT vouch.start_workflow('rev46_wait', jsonb_build_object('id', :'v5'), 'rev46-first');
SET SESSION AUTHORIZATION regress_vouch_rev_app;
SELECT vouch.advance();
SET SESSION AUTHORIZATION regress_vouch_rev_olga;
SELECT vouch.return_version(:'v5', 'say more') ->> 'state' AS state;
SELECT d -> 'output' AS output FROM vouch.describe_workflow('rev46-first') d;
SET SESSION AUTHORIZATION regress_vouch_rev_tess;
SELECT vouch.start_workflow('rev46_wait', jsonb_build_object('id', :'v5'), 'rev46-again');
SET SESSION AUTHORIZATION regress_vouch_rev_app;
SELECT vouch.advance();
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'rev46-again';
SET SESSION AUTHORIZATION regress_vouch_rev_tess;
SELECT vouch.submit_version(:'v5') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_rev_olga;
SELECT vouch.return_version(:'v5', 'still too short') ->> 'state' AS state;
SELECT d -> 'output' AS output FROM vouch.describe_workflow('rev46-again') d;

-- The signal ends the review, too, and is the result.
SELECT vouch.signal_workflow('cycle-46-report-3', 'stop', '{"why": "cycle canceled"}');
SELECT d -> 'output' AS output FROM vouch.describe_workflow('cycle-46-report-3') d;

-- But one that was sent before the version was submitted says nothing about it: it is
-- passed over, and the history tells.
SET SESSION AUTHORIZATION regress_vouch_rev_tess;
SELECT vouch.start_workflow('rev46', '{"report": 6}', 'cycle-46-report-6');
SET SESSION AUTHORIZATION regress_vouch_rev_olga;
SELECT vouch.signal_workflow('cycle-46-report-6', 'stop', '{"why": "whatever it will be"}');
SET SESSION AUTHORIZATION regress_vouch_rev_app;
SELECT vouch.advance();
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'cycle-46-report-6';
SELECT type, detail - 'sentAt' AS detail, detail ? 'sentAt' AS sent FROM vouch.workflow_history('cycle-46-report-6') WHERE type = 'SignalPassedOver';
SET SESSION AUTHORIZATION regress_vouch_rev_olga;
SELECT vouch.signal_workflow('cycle-46-report-6', 'stop', '{"why": "seen"}');
SELECT d -> 'output' AS output FROM vouch.describe_workflow('cycle-46-report-6') d;

-- Nor does a verdict on the first round count for the second.
SET SESSION AUTHORIZATION regress_vouch_rev_tess;
SELECT vouch.create_version('scoping', 46, 7, '[{"attribute_id": "balance", "in_scope": true, "rationale": "material", "risk_rating": "high"}]', 'REV46') AS v7 \gset
SELECT vouch.submit_version(:'v7') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_rev_app;
SELECT vouch.define_workflow('rev46_round', '{"StartAt": "Hold", "States": {
	"Hold": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "hold"}, "ResultPath": null, "Next": "R"},
	"R": {"Type": "Task", "Resource": "vouch:review", "Parameters": {"VersionId.$": "$.id", "Signal": "verdict"}, "End": true}}}');
SELECT vouch.start_workflow('rev46_round', jsonb_build_object('id', :'v7'), 'rev46-round');
SELECT vouch.advance();
SET SESSION AUTHORIZATION regress_vouch_rev_olga;
SELECT vouch.signal_workflow('rev46-round', 'verdict', '{"round": 1}');
SELECT vouch.return_version(:'v7', 'once more') ->> 'state' AS state;
SELECT vouch.signal_workflow('rev46-round', 'hold');
SET SESSION AUTHORIZATION regress_vouch_rev_app;
SELECT vouch.advance();
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'rev46-round';
SET SESSION AUTHORIZATION regress_vouch_rev_tess;
SELECT vouch.submit_version(:'v7') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_rev_olga;
SELECT vouch.signal_workflow('rev46-round', 'verdict', '{"round": 2}');
SELECT d -> 'output' AS output FROM vouch.describe_workflow('rev46-round') d;

-- Without inline advance the decision leaves a nudge.
SET SESSION AUTHORIZATION regress_vouch_rev_tess;
SELECT vouch.start_workflow('rev46', '{"report": 4}', 'cycle-46-report-4');
SET SESSION AUTHORIZATION regress_vouch_rev_app;
SELECT vouch.advance();
SELECT d #>> '{waiting_for,0,version_id}' AS v4 FROM vouch.describe_workflow('cycle-46-report-4') d \gset
SET SESSION AUTHORIZATION regress_vouch_rev_olga;
SET vouch.inline_advance = off;
SELECT vouch.decide(:'v4', '{"balance": "approved"}') AS decided;
SELECT vouch.approve_version(:'v4') ->> 'state' AS state;
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'cycle-46-report-4';
SELECT count(*) AS nudges FROM vouch_data.nudge n JOIN vouch.executions e USING (bucket, execution_id) WHERE workflow_id = 'cycle-46-report-4';
RESET vouch.inline_advance;
SET SESSION AUTHORIZATION regress_vouch_rev_app;
SELECT vouch.advance();
SELECT waiting_for FROM vouch.executions WHERE workflow_id = 'cycle-46-report-4';

-- What is no version fails the state; a version decided before is there at once.
SELECT vouch.define_workflow('rev46_any', '{"StartAt": "R", "States": {"R": {"Type": "Task", "Resource": "vouch:review",
	"Parameters": {"VersionId.$": "$.id"}, "OutputPath": "$.state", "End": true}}}');
SELECT vouch.start_workflow('rev46_any', '{"id": "nonsense"}', 'rev46-a'),
	vouch.start_workflow('rev46_any', '{"id": "00000000-0000-8000-8000-000000000000"}', 'rev46-b'),
	vouch.start_workflow('rev46_any', jsonb_build_object('id', :'v2'), 'rev46-c');
SELECT vouch.advance();
SELECT workflow_id, status, d ->> 'error' AS error, d ->> 'cause' AS cause, d -> 'output' AS output
FROM vouch.executions, vouch.describe_workflow(workflow_id) d WHERE workflow = 'rev46_any' ORDER BY 1;

SELECT vouch.terminate_workflow('cycle-46-report-4');
SELECT vouch.explain_workflow('rev46-none');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
SELECT vouch.revoke_role('regress_vouch_rev_tess', 'tester'), vouch.revoke_role('regress_vouch_rev_olga', 'report_owner');
SET client_min_messages TO warning;
DROP SCHEMA rev46 CASCADE;
DROP ROLE regress_vouch_rev_app, regress_vouch_rev_tess, regress_vouch_rev_olga;
