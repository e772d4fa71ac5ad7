-- What an item's source may be, and how many there may be.
\set SHOW_CONTEXT never
CREATE ROLE regress_vouch_lim_tess LOGIN IN ROLE vouch_user;
CREATE ROLE regress_vouch_lim_olga LOGIN IN ROLE vouch_user;
SELECT vouch.grant_role('regress_vouch_lim_tess', 'tester'), vouch.grant_role('regress_vouch_lim_olga', 'report_owner');
SET SESSION AUTHORIZATION regress_vouch_lim_tess;

-- A source is a word or two: it is part of keys.
SELECT vouch.create_version('Observation Management', 27, 1, ('[{"observation_id": 1, "type": "finding", "severity": "low", "source": "' || repeat('x', 101) || '"}]')::jsonb);
\echo :LAST_ERROR_SQLSTATE
-- Many different ones are counted as well as few.
SELECT vouch.create_version('Observation Management', 27, 1, (SELECT jsonb_agg(jsonb_build_object('observation_id', n, 'type', 'finding', 'severity', 'low', 'source', 's' || n % 3000)) FROM generate_series(1, 6000) n)) AS v \gset
SELECT count(*) AS sources, sum(items) AS items, max(items) AS most FROM vouch_data.version_stat
WHERE bucket = vouch.bucket_of(:'v') AND artifact_no = vouch_data.artifact_number(:'v');
SELECT bool_and(ok) AS ok FROM vouch.verify('cycle-27-report-1');
SELECT vouch.discard_version(:'v');

-- The name of a phase is looked up as far as it goes, and no character of it is cut in two.
SELECT vouch.create_version('x' || repeat(U&'\00E9', 150), 27, 1);
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;

-- Numbers of artifacts are no count: they are within 31 bits, and two of a subject differ.
SELECT bool_and(artifact_no BETWEEN 1 AND 2147483646) AS within, count(*) = count(DISTINCT (bucket, artifact_no)) AS differ FROM vouch_data.artifact;

SELECT vouch.revoke_role('regress_vouch_lim_tess', 'tester'), vouch.revoke_role('regress_vouch_lim_olga', 'report_owner');
DROP ROLE regress_vouch_lim_tess, regress_vouch_lim_olga;
