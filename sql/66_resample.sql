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

-- Which rows there are now is kept, too: create_sample_selection_version() does so by itself.
SELECT vouch.keep_population(:'v') AS kept;
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
	r -> 'only_drawn_then' ? :'two' AS the_one_gone_is_not_drawn, jsonb_array_length(r -> 'only_drawn_now') > 0 AS others_are,
	jsonb_pretty((r -> 'population') - 'digest_then' - 'digest_now') AS population
FROM vouch.resample(:'v') r;

-- Not more of each are listed than asked for; the counts are of all.
SELECT r #> '{population,rows_came}' AS came, r #> '{population,rows_gone}' AS gone, r #> '{population,rows_changed}' AS changed FROM vouch.resample(:'v', 2) r;
-- What was kept is what the version names, or it is worth nothing.
RESET SESSION AUTHORIZATION;
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.population SET row_hashes = row_hashes || '\x000000000000' WHERE bucket = vouch.bucket_of(:'v');
SET LOCAL vouch.restoring = off;
SELECT r #> '{population,rows_changed}' AS changed, r #>> '{population,rows_unknown}' AS why FROM vouch.resample(:'v') r;
SELECT check_name, phase, first_bad LIKE 'population %' AS population, detail FROM vouch.verify('cycle-66-report-1') WHERE NOT ok;
ROLLBACK;
DELETE FROM vouch_data.population;
SET SESSION AUTHORIZATION regress_vouch_66_tess;
\set VERBOSITY sqlstate
SELECT vouch_data.store_population(:'v', 1, '1', NULL, '\x000000000000');
\set VERBOSITY default

-- Back as it was, the population has its digest again.
RESET SESSION AUTHORIZATION;
TRUNCATE regress_66.loans;
INSERT INTO regress_66.loans SELECT n, CASE WHEN n % 4 = 0 THEN 'CARDS' ELSE 'AUTO' END, n * 13 % 997, '2026-01-01'::date + n % 90
FROM generate_series(500, 1, -1) n;
SET SESSION AUTHORIZATION regress_vouch_66_tess;
SELECT r -> 'same_samples' AS same_samples, r -> 'population_unchanged' AS unchanged, r -> 'population' AS population FROM vouch.resample(:'v') r;

-- What becomes of samples after they were drawn is told apart from what was drawn: somebody adds
-- samples, of any type and source, leaves one out, a review turns one down, and one is redacted.
RESET SESSION AUTHORIZATION;
CREATE ROLE regress_vouch_66_olga LOGIN IN ROLE vouch_user;
SELECT count(vouch.grant_role('regress_vouch_66_olga', role)) AS granted FROM unnest('{report_owner,records_officer}'::text[]) AS role;
SET SESSION AUTHORIZATION regress_vouch_66_tess;
SELECT min(item_key::int) AS redacted, max(item_key::int) AS turned_down FROM vouch.version_items(:'v') WHERE item_key <> '9001' \gset
SELECT min(item_key::int) AS left_out FROM vouch.version_items(:'v') WHERE item_key::int > :redacted \gset
SELECT vouch.edit_items(:'v', '[{"id": "HAND", "type": "random", "source": "manual", "data": {}}, {"id": "TESS", "type": "random", "source": "tester", "data": {}}]');
SELECT vouch.remove_items(:'v', ARRAY[:'left_out']);
SELECT vouch.submit_version(:'v') IS NOT NULL AS submitted;
SET SESSION AUTHORIZATION regress_vouch_66_olga;
SELECT vouch.decide(:'v', jsonb_build_object(:'turned_down', 'rejected'));
SELECT vouch.decide_where(:'v', 'approved');
SELECT vouch.reject_version(:'v', 'One must go.') IS NOT NULL AS rejected;
SELECT vouch.redact_item(:'v', :'redacted', 'Asked for.') > 0 AS redacted;
SET SESSION AUTHORIZATION regress_vouch_66_tess;
SELECT vouch.create_revision(:'v', '[{"id": "MORE", "type": "random", "source": "tester", "data": {}}]') AS v2 \gset
CREATE TEMP VIEW redrawn AS
SELECT n, r -> 'same_samples' AS same_samples, r -> 'only_drawn_then' AS only_then, r -> 'only_drawn_now' AS only_now,
	r -> 'added_by_hand' AS added_by_hand, r -> 'dropped_by_review' AS dropped_by_review, r -> 'left_out' AS left_out,
	r -> 'redacted' AS redacted, r #> '{population,samples_gone}' AS gone, r #> '{population,samples_changed}' AS changed
FROM (VALUES (1, :'v'::uuid), (2, :'v2')) AS x(n, v), vouch.resample(v) r;
SELECT n, same_samples, only_then, only_now, added_by_hand, dropped_by_review = jsonb_build_array(:'turned_down') AS turned_down,
	left_out = jsonb_build_array(:'left_out') AS left_out, redacted = jsonb_build_array(:'redacted') AS redacted FROM redrawn ORDER BY n;
-- Of what the version does not have the values of, it is known whether it is gone.
RESET SESSION AUTHORIZATION;
DELETE FROM regress_66.loans WHERE loan_no = :turned_down;
UPDATE regress_66.loans SET amount = -1 WHERE loan_no IN (:redacted, :left_out);
SET SESSION AUTHORIZATION regress_vouch_66_tess;
SELECT n, same_samples, only_then = gone AND gone = jsonb_build_array(:'turned_down') AS gone, jsonb_array_length(only_now) > 0 AS another,
	redacted = jsonb_build_array(:'redacted') AS redacted, changed FROM redrawn ORDER BY n;
-- A version whose criteria do not name what was drawn is read by type and source.
RESET SESSION AUTHORIZATION;
TRUNCATE regress_66.loans;
INSERT INTO regress_66.loans SELECT n, CASE WHEN n % 4 = 0 THEN 'CARDS' ELSE 'AUTO' END, n * 13 % 997, '2026-01-01'::date + n % 90
FROM generate_series(1, 500) n;
SET SESSION AUTHORIZATION regress_vouch_66_tess;
SELECT vouch.create_version('Sample Selection', 66, 3,
	(:'drawn'::jsonb -> 'samples') || '[{"id": "HAND", "type": "random", "source": "manual", "data": {}}]',
	metadata => jsonb_build_object('selection_criteria', (:'drawn'::jsonb -> 'selection_criteria') - 'drawn')) AS old \gset
SELECT r -> 'same_samples' AS same_samples, r -> 'added_by_hand' AS added_by_hand FROM vouch.resample(:'old') r;

-- Of long keys only hashes are kept: what came and changed is named, what is gone is counted.
RESET SESSION AUTHORIZATION;
CREATE TABLE regress_66.letters (id text PRIMARY KEY, words text);
INSERT INTO regress_66.letters SELECT 'letter-number-' || n, md5(n::text) FROM generate_series(1, 300) n;
GRANT SELECT ON regress_66.letters TO regress_vouch_66_tess;
SET SESSION AUTHORIZATION regress_vouch_66_tess;
SELECT g AS drawn FROM vouch.generate_sample_recommendations('regress_66.letters', 'id', NULL, 5, 'random', 1) g \gset
SELECT vouch.create_version('Sample Selection', 66, 4, :'drawn'::jsonb -> 'samples',
	metadata => jsonb_build_object('selection_criteria', :'drawn'::jsonb -> 'selection_criteria')) AS long \gset
SELECT vouch.create_version('Sample Selection', 66, 5, :'drawn'::jsonb -> 'samples',
	metadata => jsonb_build_object('selection_criteria', :'drawn'::jsonb -> 'selection_criteria')) AS late \gset
SELECT vouch.keep_population(:'long') AS kept;
RESET SESSION AUTHORIZATION;
DELETE FROM regress_66.letters WHERE id IN ('letter-number-7', 'letter-number-8');
UPDATE regress_66.letters SET words = 'other' WHERE id IN ('letter-number-90', 'letter-number-100');
INSERT INTO regress_66.letters VALUES ('letter-number-301');
SET SESSION AUTHORIZATION regress_vouch_66_tess;
SELECT r #> '{population,rows_came}' AS came, r #> '{population,rows_gone}' AS gone, r #> '{population,rows_changed}' AS changed,
	r #> '{population,rows_unknown}' AS why FROM vouch.resample(:'long') r;
-- Once the population is another one, it is too late to keep it.
SELECT vouch.keep_population(:'late') AS kept;
SELECT r #> '{population,rows_changed}' AS changed, r #>> '{population,rows_unknown}' AS why FROM vouch.resample(:'late') r;
SELECT count(*) AS lists, sum(rows) AS rows, count(keys) AS with_keys FROM vouch_data.population
WHERE list_digest IN (SELECT selection_criteria ->> 'population_list' FROM vouch.sample_selection_versions WHERE version_id IN (:'v', :'long', :'late'));

-- A version that does not say how it was drawn cannot be.
SELECT vouch.create_version('Sample Selection', 66, 2, '[{"id": "A", "type": "targeted", "data": {}}]') AS w \gset
\set VERBOSITY sqlstate
SELECT vouch.resample(:'w');
\set VERBOSITY default
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP VIEW redrawn;
DROP SCHEMA regress_66 CASCADE;
SELECT vouch.revoke_role('regress_vouch_66_tess', 'tester', scope) IS NOT NULL AS revoked FROM vouch_data.role_grant
WHERE actor = 'regress_vouch_66_tess' AND revoked_at IS NULL;
SELECT count(vouch.revoke_role(actor, role, scope)) AS revoked FROM vouch_data.role_grant
WHERE actor = 'regress_vouch_66_olga' AND revoked_at IS NULL;
DROP ROLE regress_vouch_66_tess, regress_vouch_66_olga;
