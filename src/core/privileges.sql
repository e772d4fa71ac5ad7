-- privileges.sql: the last piece.  PUBLIC has nothing; readers read every
-- table and view; what each function allows was granted beside it.
DO $$
BEGIN
	REVOKE ALL ON ALL FUNCTIONS IN SCHEMA vouch, vouch_data FROM PUBLIC;
	REVOKE ALL ON ALL PROCEDURES IN SCHEMA vouch, vouch_data FROM PUBLIC;
	GRANT SELECT ON ALL TABLES IN SCHEMA vouch, vouch_data TO vouch_reader;
	IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'vouch_bi') THEN
		GRANT USAGE ON SCHEMA vouch_bi TO vouch_reader;
		GRANT SELECT ON ALL TABLES IN SCHEMA vouch_bi TO vouch_reader;
	END IF;
END
$$;
