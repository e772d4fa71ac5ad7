-- NULL for every argument of every public function: an answer or an error that
-- says what is missing, never a crash, an internal error, or something written.
CREATE FUNCTION public.call_with_nulls(p regprocedure) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	f pg_proc;
	call text;
BEGIN
	SELECT * INTO f FROM pg_proc WHERE oid = p;
	-- a row type where any may stand: without one, the function would not even be called
	SELECT format('SELECT * FROM %s(%s) LIMIT 1', f.oid::regproc, coalesce(string_agg('NULL::' ||
		CASE WHEN t = 'anyelement'::regtype THEN 'pg_class'::regtype ELSE t::regtype END, ', '), ''))
	INTO call FROM unnest(f.proargtypes) t;
	BEGIN
		EXECUTE call;
		RAISE SQLSTATE 'UNDO0';
	EXCEPTION
		WHEN SQLSTATE 'UNDO0' THEN RETURN NULL;
		WHEN OTHERS THEN RETURN SQLSTATE;
	END;
END $$;
SELECT p.oid::regprocedure AS function, public.call_with_nulls(p.oid) AS sqlstate
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'vouch' AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
	AND coalesce(public.call_with_nulls(p.oid), '') !~ '^($|VO|22023|22004)'
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT * FROM vouch.version_items(NULL);
DROP FUNCTION public.call_with_nulls(regprocedure);
