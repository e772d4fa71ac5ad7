-- Buckets and digests are of bytes, so a database must be in UTF8; any other says so.
\set SHOW_CONTEXT never
CREATE DATABASE regress_vouch_encoding ENCODING 'EUC_JP' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
SELECT current_database() AS here \gset
\c regress_vouch_encoding
CREATE EXTENSION vouch;
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) AS schemas FROM pg_namespace WHERE nspname LIKE 'vouch%';
\c :here
DROP DATABASE regress_vouch_encoding;
CREATE DATABASE regress_vouch_encoding ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
\c regress_vouch_encoding
CREATE EXTENSION vouch;
\c :here
DROP DATABASE regress_vouch_encoding;
