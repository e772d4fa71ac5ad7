-- Tracked tables: a payload is to_jsonb(row), byte by byte, of whatever types, and its hash is of its text.
\set SHOW_CONTEXT never
BEGIN;		-- a phase of its own is no other test's business
SELECT vouch.define_phase('types', 'Types', 'Key'), vouch.set_policy('types', 'report_owner_review');
CREATE SCHEMA types;
SET search_path = types, public;
CREATE TYPE mood AS ENUM ('sad', '"quoted"', E'tab\there');
CREATE TYPE pair AS (a int, "B b" text, c int[]);
CREATE DOMAIN small AS int2 CHECK (value < 100);
CREATE DOMAIN label AS varchar(20);
CREATE DOMAIN labels AS label[];

-- More than 32 columns: of every 32nd entry jsonb keeps where it ends, not how long it is.
CREATE TABLE many ("Key" text PRIMARY KEY, gone int, b bool, i2 int2, i4 int, i8 bigint, n numeric, n2 numeric(12, 3), f4 real, f8 float8,
	t text, v varchar(10), c char(5), nm name, qu "char", d date, ts timestamp, tz timestamptz(3), ti time, tt timetz, iv interval,
	u uuid, by bytea, ip inet, bi bit(4), pt point, r int4range, mr nummultirange, o oid, m mood, p pair, ps pair[], ia int[][], ta text[],
	j json, jb jsonb, x xml, s small, l label, ls labels, "ключ" text, "with ""quotes"" \" text, tsv tsvector,
	half int GENERATED ALWAYS AS (i4 / 2) STORED);
ALTER TABLE many DROP gone;
ALTER TABLE many ADD late int DEFAULT 7;

-- How rows and items differ: as values, as text, and key by key; nothing, if payloads are what they should be.
CREATE FUNCTION differs() RETURNS TABLE (key text, what text) LANGUAGE sql SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres'
	SET extra_float_digits = 1 SET bytea_output = 'hex' AS $$
	WITH both_ AS MATERIALIZED (SELECT coalesce(i.item_key, m."Key") AS key, i.payload AS version, to_jsonb(m.*) AS row
		FROM (SELECT i.* FROM vouch.tracked_tables v, vouch.version_items(v.version_id) i WHERE v.source = 'types.many'::regclass) i
		FULL JOIN types.many m ON i.item_key = m."Key")
	SELECT key, 'value' FROM both_ WHERE version IS DISTINCT FROM row
	UNION ALL SELECT key, 'text' FROM both_ WHERE version::text IS DISTINCT FROM row::text
	UNION ALL SELECT key, 'size' FROM both_ WHERE length(jsonb_send(version)) IS DISTINCT FROM length(jsonb_send(row))
	UNION ALL SELECT key, k FROM both_, jsonb_object_keys(row) k WHERE version -> k IS DISTINCT FROM row -> k
	UNION ALL SELECT key, 'columns' FROM both_ WHERE (SELECT count(*) FROM jsonb_each(version)) <> (SELECT count(*) FROM jsonb_each(row))
$$;

INSERT INTO many ("Key") VALUES ('all null');
SELECT vouch.track_table('many', 'Types') IS NOT NULL AS tracked;
INSERT INTO many VALUES
('ordinary', true, 1, 2, 3, 4.50, 5.5, 6.25, 7.125, 'text', 'varchar', 'char', 'name', 'q', '2026-11-22', '2026-11-22 01:02:03.4', '2026-11-22 01:02:03.4567+02',
	'01:02:03', '01:02:03+04', '1 year 2 mons -3 days 04:05:06', '0b5a8a2e-93a5-4b0c-8a0d-6f4b5d6c7e8f', '\xdeadbeef', '10.0.0.1/8', '1010', '(1,2)', '[1,5)', '{[1,2),[3,4.5)}',
	42, 'sad', '(1,two,"{3,4}")', ARRAY['(1,a,)', '(,"b c","{}")']::pair[], '{{1,2},{3,NULL}}', '{a,"b \"c\"",NULL,""}',
	'{"b": 1,  "a": [1, 2.50, {"x": null}], "b": 2}', '{"nested": {"deep": [1, "two", {"three": 3.00}]}, "e": [], "o": {}}', '<a>b</a>', 99, 'label', '{x,y}', 'значение', '\"', 'a fat cat'),
(E'odd "\\ \x01\x1f\x7f', false, -32768, -2147483648, -9223372036854775808, 'NaN', 0.000, 'NaN', '-Infinity', E'quotes " back \\ tab \t new\nline \r \b \f \x01 \x1f \x7f / é 漢 😀', '', '', '', '',
	'infinity', '-infinity', 'infinity', '24:00', '00:00:00-15:59', '-1 mons', NULL, '', '::1', '0000', '(NaN,Infinity)', 'empty', '{}',
	4294967295, E'tab\there', '(,,)', '{}', '{}', '{}', '"scalar \u00e9"', '"scalar"', NULL, -1, E'\\', '{}', '', '', ''),
('numbers', NULL, 0, 0, 0, 123456789012345678901234567890.12345678901234567890, -0.001, '-0', 1e300, 'NULL', 'true', '12', '0', '0',
	'0044-03-15 BC', '0044-03-15 12:00:00 BC', '2026-11-22 00:00:00+00', '00:00', '00:00+00', '0', NULL, '\x00', NULL, '1111', NULL, '(,)', '{(,)}',
	0, '"quoted"', NULL, NULL, '[2:3]={7,8}', '{{a},{b}}', 'null', 'null', NULL, 0, '0', NULL, '0', '0', NULL),
('containers', NULL, 1, 1, 1, 'Infinity', 1, 1, 1, repeat('long ', 5000), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
	NULL, NULL, ROW(1, repeat('wide "', 2000), ARRAY(SELECT generate_series(1, 100)))::pair, NULL, NULL, ARRAY(SELECT 'item ' || n FROM generate_series(1, 100) n),
	(SELECT json_object_agg('k' || n, n) FROM generate_series(1, 70) n), (SELECT jsonb_object_agg('k' || n, n / 7.0) FROM generate_series(1, 70) n), NULL, 1, NULL, NULL, NULL, NULL, NULL);
SELECT * FROM differs();
UPDATE many SET i4 = i4 + 1, t = t || '"', jb = CASE WHEN jb IS NULL THEN '[1, "2", {"3": 4.0}]' ELSE to_jsonb(jb) END, n = n * 1.10;
SELECT * FROM differs();
SELECT vouch.sync_table('many') AS differed;		-- the same, read by a query
SELECT count(*) AS keys FROM vouch.tracked_tables v, vouch.version_items(v.version_id) i, jsonb_object_keys(i.payload)
WHERE v.source = 'many'::regclass AND i.item_key = 'ordinary';
SELECT check_name, first_bad, detail FROM vouch.verify('types.many') WHERE NOT ok;

-- They come back as they were, as far as JSON tells, also into a table with columns that are called as anything.
CREATE TABLE kept AS SELECT * FROM many;
SELECT version_id AS v1 FROM vouch.tracked_tables WHERE source = 'many'::regclass \gset
SELECT vouch.withdraw_version(:'v1', 'closed');
TRUNCATE many;
SELECT inserted, updated, deleted FROM vouch.restore_table(:'v1');
SELECT k."Key" FROM kept k FULL JOIN many m USING ("Key") WHERE to_jsonb(k.*) IS DISTINCT FROM to_jsonb(m.*) ORDER BY 1;

-- Keys of many types, and of many columns: what is the same key is the same item.
CREATE FUNCTION keys_of_all() RETURNS TABLE (type text, keys text) LANGUAGE plpgsql AS $$
BEGIN
	FOREACH type IN ARRAY '{smallint,int,bigint,numeric,"numeric(6,2)",text,"varchar(9)","char(4)",boolean,date,timestamp,uuid,real,label,small}'::text[] LOOP
		keys := '';
		EXECUTE format('CREATE TABLE types.keyed (k %s PRIMARY KEY, note text)', type);
		PERFORM vouch.track_table('types.keyed', 'Types', subject => 'keyed by ' || type);
		EXECUTE format('INSERT INTO types.keyed SELECT unnest(CASE %L
			WHEN ''boolean'' THEN ''{t,f}'' WHEN ''date'' THEN ''{2026-01-02,infinity}'' WHEN ''timestamp'' THEN ''{2026-01-02 03:04:05}''
			WHEN ''uuid'' THEN ''{0B5A8A2E-93A5-4B0C-8A0D-6F4B5D6C7E8F}'' WHEN ''numeric'' THEN ''{1,2.50,1e10,NaN}''
			WHEN ''numeric(6,2)'' THEN ''{1,2.5}'' WHEN ''real'' THEN ''{0.1,1e30}'' ELSE ''{1,22,-3}'' END::text[])::%s', type, type);
		UPDATE types.keyed SET note = 'once';
		UPDATE types.keyed SET note = 'twice';
		SELECT string_agg(format('%s%s', i.item_key, CASE WHEN i.payload ->> 'note' <> 'twice' THEN '!' END), ' ' ORDER BY i.item_no) INTO keys
		FROM vouch.tracked_tables v, vouch.version_items(v.version_id) i WHERE v.source = 'types.keyed'::regclass;
		DROP TABLE types.keyed;
		RETURN NEXT;
	END LOOP;
END $$;
SELECT * FROM keys_of_all();
CREATE TABLE composite (a int, b text, c date, note text, PRIMARY KEY (b, a, c));
SELECT vouch.track_table('composite', 'Types') IS NULL AS no_rows_yet;
INSERT INTO composite VALUES (1, 'x"y', '2026-01-01'), (2, 'x', '2026-01-01'), (1, 'x', '2026-01-01');
UPDATE composite SET a = a + 1, note = 'moved';		-- one takes the key of another
SELECT i.item_key, i.payload ->> 'a' AS a, i.payload ->> 'note' AS note FROM vouch.tracked_tables v, vouch.version_items(v.version_id) i
WHERE v.source = 'composite'::regclass ORDER BY i.item_key;

-- A number that is equal is the same key to the table; the version has it as it is written now.
CREATE TABLE equal (k numeric PRIMARY KEY, note text);
SELECT vouch.track_table('equal', 'Types') IS NULL AS no_rows_yet;
INSERT INTO equal VALUES (1), (2.0);
INSERT INTO equal VALUES (1.00) ON CONFLICT (k) DO UPDATE SET k = excluded.k, note = 'longer';
UPDATE equal SET k = 2 WHERE k = 2;
SELECT i.item_key, i.payload ->> 'note' AS note FROM vouch.tracked_tables v, vouch.version_items(v.version_id) i
WHERE v.source = 'equal'::regclass ORDER BY i.item_key;
SELECT check_name, first_bad, detail FROM vouch.verify() WHERE (subject LIKE 'types.%' OR subject LIKE 'keyed%') AND NOT ok;
ROLLBACK;
