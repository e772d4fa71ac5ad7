-- Samples can be drawn again: the same population, seed, method and size give the same set, and
-- where the population changed, it is said what did.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_66_tess LOGIN IN ROLE vouch_user;
SELECT vouch.grant_role('regress_vouch_66_tess', 'tester') IS NOT NULL AS granted;
CREATE SCHEMA regress_66;
CREATE TABLE regress_66.loans (loan_no int PRIMARY KEY, lob text, amount numeric, opened date);
INSERT INTO regress_66.loans SELECT n, CASE WHEN n % 4 = 0 THEN 'CARDS' ELSE 'AUTO' END, n * 13 % 997, '2026-01-01'::date + n % 90
FROM generate_series(1, 500) n;
GRANT USAGE ON SCHEMA regress_66 TO regress_vouch_66_tess;
GRANT SELECT ON regress_66.loans TO regress_vouch_66_tess;

SET SESSION AUTHORIZATION regress_vouch_66_tess;
-- A version keeps how it was drawn; here with one sample that somebody adds.
SELECT g AS drawn FROM vouch.generate_sample_recommendations('regress_66.loans', 'loan_no', 'lob', 12, 'stratified=50, random=50', 42) g \gset
SELECT vouch.create_version('Sample Selection', 66, 1,
	(:'drawn'::jsonb -> 'samples') || '[{"id": "9001", "type": "targeted", "data": {"loan_no": 9001}}]',
	metadata => jsonb_build_object('selection_criteria', :'drawn'::jsonb -> 'selection_criteria')) AS v \gset

-- Nothing changed: the same set.
SELECT r - 'samples' - 'version_id' AS result, r -> 'samples' = :'drawn'::jsonb -> 'samples' AS same_to_the_letter
FROM vouch.resample(:'v') r;

-- Rows that are no samples change and come: the set may be the same, the population is not.
SELECT min(n) AS other FROM generate_series(1, 500) n
WHERE NOT EXISTS (SELECT FROM vouch.version_items(:'v') WHERE item_key = n::text) \gset
SELECT min(item_key::int) AS one, max(item_key::int) AS two FROM vouch.version_items(:'v') WHERE item_key <> '9001' \gset
RESET SESSION AUTHORIZATION;
UPDATE regress_66.loans SET amount = amount + 1 WHERE loan_no = :other;
SET SESSION AUTHORIZATION regress_vouch_66_tess;
SELECT r -> 'same_samples' AS same_samples, r -> 'population_unchanged' AS unchanged,
	(r -> 'population') - 'digest_then' - 'digest_now' AS population,
	r #> '{population,digest_then}' <> r #> '{population,digest_now}' AS digests_differ
FROM vouch.resample(:'v') r;

-- A sample changes, another is gone, and a line of business grows.
RESET SESSION AUTHORIZATION;
UPDATE regress_66.loans SET amount = -5, opened = '2026-02-02' WHERE loan_no = :one;
DELETE FROM regress_66.loans WHERE loan_no = :two;
INSERT INTO regress_66.loans SELECT n, 'HOME', 1, '2026-03-01' FROM generate_series(501, 510) n;
SET SESSION AUTHORIZATION regress_vouch_66_tess;
SELECT r -> 'same_samples' AS same_samples, r -> 'population_unchanged' AS unchanged,
	r -> 'only_in_version' ? :'two' AS the_one_gone_is_not_drawn, jsonb_array_length(r -> 'only_drawn_now') > 0 AS others_are,
	jsonb_pretty((r -> 'population') - 'digest_then' - 'digest_now') AS population
FROM vouch.resample(:'v') r;

-- Back as it was, the population has its digest again.
RESET SESSION AUTHORIZATION;
TRUNCATE regress_66.loans;
INSERT INTO regress_66.loans SELECT n, CASE WHEN n % 4 = 0 THEN 'CARDS' ELSE 'AUTO' END, n * 13 % 997, '2026-01-01'::date + n % 90
FROM generate_series(500, 1, -1) n;
SET SESSION AUTHORIZATION regress_vouch_66_tess;
SELECT r -> 'same_samples' AS same_samples, r -> 'population_unchanged' AS unchanged, r -> 'population' AS population FROM vouch.resample(:'v') r;

-- A version that does not say how it was drawn cannot be.
SELECT vouch.create_version('Sample Selection', 66, 2, '[{"id": "A", "type": "targeted", "data": {}}]') AS w \gset
\set VERBOSITY sqlstate
SELECT vouch.resample(:'w');
\set VERBOSITY default
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_66 CASCADE;
SELECT vouch.revoke_role('regress_vouch_66_tess', 'tester', scope) IS NOT NULL AS revoked FROM vouch_data.role_grant
WHERE actor = 'regress_vouch_66_tess' AND revoked_at IS NULL;
DROP ROLE regress_vouch_66_tess;
