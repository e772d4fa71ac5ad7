-- Redaction and policies that look at the items: what is left of a payload meets the conditions that it met,
-- so nobody's part changes, and what was signed stays what it was.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
CREATE ROLE regress_vouch_rs_tess LOGIN IN ROLE vouch_user;		-- tester
CREATE ROLE regress_vouch_rs_olga LOGIN IN ROLE vouch_user;		-- report owner
CREATE ROLE regress_vouch_rs_ann LOGIN IN ROLE vouch_user;		-- report owner
CREATE ROLE regress_vouch_rs_eva LOGIN IN ROLE vouch_user;		-- test executive
CREATE ROLE regress_vouch_rs_rita LOGIN IN ROLE vouch_user;		-- records officer
SELECT count(vouch.grant_role('regress_vouch_rs_' || a, r)) FROM (VALUES ('tess', 'tester'), ('olga', 'report_owner'), ('ann', 'report_owner'),
	('eva', 'test_executive'), ('rita', 'records_officer')) AS v(a, r);
SELECT vouch.define_policy('rs_scoped', '{"stages": [{"name": "review", "rules": [
	{"role": "report_owner", "scope": {"risk_rating": "high"}}, {"role": "report_owner", "scope": {"risk_rating": "low", "data": {"segment": "retail"}}}]}]}') > 0 AS defined;
SELECT vouch.define_policy('rs_grouped', '{"stages": [{"name": "review", "rules": [{"role": "report_owner", "group_by": "rationale"}]}]}') > 0 AS defined;
SELECT vouch.define_policy('rs_if', '{"stages": [{"name": "review", "rules": [{"role": "report_owner"}]},
	{"name": "more", "after": ["review"], "rules": [{"role": "test_executive", "applies_if": {"item": {"tags": ["model"]}, "min_items": 2}}]}]}') > 0 AS defined;
SELECT vouch.set_policy('scoping', 'rs_scoped', scope => 'rs-scoped');
SELECT vouch.set_policy('scoping', 'rs_grouped', scope => 'rs-grouped');
SELECT vouch.set_policy('scoping', 'rs_if', scope => 'rs-if');
CREATE FUNCTION public.bad(subject text) RETURNS TABLE (check_name text, first_bad text, detail text) LANGUAGE sql AS
$$ SELECT check_name, first_bad, detail FROM vouch.verify(subject) WHERE NOT ok $$;

-- What was approved stays approved, and verifies.
SET SESSION AUTHORIZATION regress_vouch_rs_tess;
\set items '[{"attribute_id": "a", "in_scope": true, "risk_rating": "high", "data": {"name": "Ada Private"}}, {"attribute_id": "b", "in_scope": true, "risk_rating": "low", "data": {"segment": "retail", "name": "Bob Private"}}, {"attribute_id": "c", "in_scope": true, "risk_rating": "low", "data": {"segment": "retail", "name": "Cleo Private"}}]'
SELECT vouch.create_version('scoping', 3601, 1, :'items', scope => 'rs-scoped') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_rs_olga;
SELECT vouch.decide_where(:'v', 'approved');
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_rs_ann;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_rs_rita;
SELECT vouch.redact_item(:'v', 'b', 'erasure request 1') > 0 AS redacted;
-- What its rule looks at stays; the name is gone.
SELECT payload - 'redacted' AS payload FROM vouch.version_items(:'v') WHERE item_key = 'b';
SELECT detail->'mark' AS mark FROM vouch_data.operation WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v') AND operation = 'redact_item';
SELECT * FROM public.bad('cycle-3601-report-1');

-- While it is reviewed, whoever was asked about an item is still asked about it.
SET SESSION AUTHORIZATION regress_vouch_rs_tess;
SELECT vouch.create_version('scoping', 3602, 1, :'items', scope => 'rs-scoped') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_rs_rita;
SELECT vouch.redact_item(:'v', 'b', 'erasure request 2') > 0 AS redacted;
SET SESSION AUTHORIZATION regress_vouch_rs_olga;
SELECT vouch.decide_where(:'v', 'approved', '{"risk_rating": "high"}'), vouch.decide(:'v', '{"c": "approved"}');
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_rs_ann;
\set VERBOSITY terse
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT vouch.decide_where(:'v', 'approved');
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SELECT item_key, status FROM vouch.version_items(:'v') ORDER BY 1;
SELECT * FROM public.bad('cycle-3602-report-1');

-- The only item of a group keeps its group.
SET SESSION AUTHORIZATION regress_vouch_rs_tess;
SELECT vouch.create_version('scoping', 3603, 1, '[{"attribute_id": "a", "in_scope": true, "rationale": "CARDS"},
	{"attribute_id": "b", "in_scope": true, "rationale": "LOANS", "data": "Bob Private"}]', scope => 'rs-grouped') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_rs_rita;
SELECT vouch.redact_item(:'v', 'b', 'erasure request 3') > 0 AS redacted;
SELECT payload - 'redacted' AS payload FROM vouch.version_items(:'v') WHERE item_key = 'b';
SET SESSION AUTHORIZATION regress_vouch_rs_olga;
SELECT vouch.decide_where(:'v', 'approved');
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_rs_ann;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SELECT * FROM public.bad('cycle-3603-report-1');

-- A rule that applied because of an item applies without its payload.
SET SESSION AUTHORIZATION regress_vouch_rs_tess;
SELECT vouch.create_version('scoping', 3604, 1, '[{"attribute_id": "a", "in_scope": true, "tags": ["model", "Ada"]},
	{"attribute_id": "b", "in_scope": true, "tags": ["Bob", "model"]}]', scope => 'rs-if') AS v \gset
SELECT vouch.submit_version(:'v') -> 'missing' AS missing;
SET SESSION AUTHORIZATION regress_vouch_rs_rita;
SELECT vouch.redact_item(:'v', 'b', 'erasure request 4') > 0 AS redacted;
SELECT payload - 'redacted' AS payload FROM vouch.version_items(:'v') WHERE item_key = 'b';
SELECT * FROM public.bad('cycle-3604-report-1');
SET SESSION AUTHORIZATION regress_vouch_rs_olga;
SELECT vouch.decide_where(:'v', 'approved');
SELECT vouch.approve_version(:'v') -> 'missing' AS missing;
SET SESSION AUTHORIZATION regress_vouch_rs_eva;
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SELECT * FROM public.bad('cycle-3604-report-1');

-- A revision shows the redacted item, and is asked for likewise.
SET SESSION AUTHORIZATION regress_vouch_rs_tess;
SELECT vouch.create_revision(:'v', '[{"attribute_id": "c", "in_scope": true}]') AS w \gset
SELECT vouch.submit_version(:'w') -> 'missing' AS missing;
SELECT * FROM public.bad('cycle-3604-report-1');

SELECT vouch.withdraw_version(:'w', 'enough');

-- Whatever becomes of a payload: nothing is approved with an item that nobody decided.
RESET SESSION AUTHORIZATION;
BEGIN;
SET SESSION AUTHORIZATION regress_vouch_rs_tess;
SELECT vouch.create_version('scoping', 3605, 1, :'items', scope => 'rs-scoped') AS v \gset
SELECT vouch.submit_version(:'v') ->> 'state' AS state;
RESET SESSION AUTHORIZATION;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.item_body SET payload = '{"attribute_id": "b"}' WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v')
AND payload ->> 'attribute_id' = 'b';
SET LOCAL vouch.restoring = off;
SET SESSION AUTHORIZATION regress_vouch_rs_olga;
SELECT vouch.decide(:'v', '{"a": "approved", "c": "approved"}');
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
SET SESSION AUTHORIZATION regress_vouch_rs_ann;
\set VERBOSITY terse
SELECT vouch.approve_version(:'v') ->> 'state' AS state;
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
ROLLBACK;

-- What redaction leaves is no condition of a policy.
SELECT vouch.define_policy('rs_mark', '{"stages": [{"rules": [{"role": "report_owner", "scope": {"redacted": 5}}]}]}');
SELECT vouch.define_policy('rs_mark', '{"stages": [{"rules": [{"role": "report_owner", "applies_if": {"item": {"redacted": 5}}}]}]}');
SELECT vouch.define_policy('rs_mark', '{"stages": [{"rules": [{"role": "report_owner", "group_by": "redacted"}]}]}');
\echo :LAST_ERROR_SQLSTATE

DROP FUNCTION public.bad(text);
SELECT count(vouch.set_policy('scoping', NULL, scope => s)) FROM unnest('{rs-scoped,rs-grouped,rs-if}'::text[]) s;
SELECT count(vouch.revoke_role(actor, role)) FROM vouch_data.role_grant WHERE actor LIKE 'regress\_vouch\_rs\_%' AND revoked_at IS NULL;
DROP ROLE regress_vouch_rs_tess, regress_vouch_rs_olga, regress_vouch_rs_ann, regress_vouch_rs_eva, regress_vouch_rs_rita;
