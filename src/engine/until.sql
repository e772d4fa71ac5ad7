-- until.sql: vouch:until, waits for data.

CREATE TABLE vouch_data.watch (
	bucket int NOT NULL,
	watch_id uuid NOT NULL,
	relation text NOT NULL,
	execution_id uuid NOT NULL,
	run_as text NOT NULL,
	PRIMARY KEY (bucket, watch_id, relation)
);
COMMENT ON TABLE vouch_data.watch IS 'Which vouch:until states look again when which table changes';
COMMENT ON COLUMN vouch_data.watch.watch_id IS 'wait_id of the branch';
COMMENT ON COLUMN vouch_data.watch.relation IS 'Its name, qualified and quoted';
CREATE INDEX watch_relation ON vouch_data.watch (relation);
SELECT pg_catalog.pg_extension_config_dump('vouch_data.watch', '');

CREATE FUNCTION vouch_data.table_changed() RETURNS trigger
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vouch_sql_table_changed';
COMMENT ON FUNCTION vouch_data.table_changed() IS 'Statement trigger of watched tables: whoever waits for them is to look again';

CREATE FUNCTION vouch.watch_table(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM vouch_data.check_given('relation', relation IS NOT NULL);
	EXECUTE format('CREATE OR REPLACE TRIGGER vouch_watch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s'
		' FOR EACH STATEMENT EXECUTE FUNCTION vouch_data.table_changed()', relation);
END
$$;
COMMENT ON FUNCTION vouch.watch_table(regclass) IS
'Puts a statement trigger on a table, so that vouch:until states that name it in Watch look again as soon as a change is committed. The caller needs TRIGGER on the table';

CREATE FUNCTION vouch.unwatch_table(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM vouch_data.check_given('relation', relation IS NOT NULL);
	EXECUTE format('DROP TRIGGER IF EXISTS vouch_watch ON %s', relation);
END
$$;
COMMENT ON FUNCTION vouch.unwatch_table(regclass) IS 'Takes the trigger of vouch.watch_table() away; who waits still looks from time to time. For the owner of the table';

GRANT EXECUTE ON FUNCTION vouch_data.table_changed(), vouch.watch_table(regclass), vouch.unwatch_table(regclass) TO vouch_admin;
