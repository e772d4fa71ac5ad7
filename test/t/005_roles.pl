# Executors are logged in as the role of the workflow: its rights, and no others.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VouchTest;

my $node = vouch_node('main');
$node->start;
vouch_database($node, 'app');
$node->safe_psql('app', <<'SQL');
CREATE ROLE bob LOGIN;
CREATE ROLE carol LOGIN;
GRANT vouch_user TO bob, carol;
SQL

start_workflow($node, 'app', 'alice', 'of-alice', 'public.hit');
start_workflow($node, 'app', 'bob', 'of-bob', 'public.hit');
wait_for($node, 'app', $_, 'succeeded') foreach qw(of-alice of-bob);
is($node->safe_psql('app', 'SELECT who, login FROM hits ORDER BY who'), "alice|alice\nbob|bob",
	'each role has an executor of its own');
is($node->safe_psql('app', 'SELECT count(DISTINCT pid) FROM hits'), 2, 'in a process of its own');

# Code that runs at commit runs as the role, too, and there is no way up.
$node->safe_psql('app', <<'SQL');
CREATE TABLE public.late (who name, login name);
CREATE TABLE public.ways_up (way text, outcome text);
GRANT ALL ON public.late, public.ways_up TO bob;
CREATE TABLE public.trapped (x int);
ALTER TABLE public.trapped OWNER TO bob;
CREATE FUNCTION public.note_late() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO public.late VALUES (current_user, session_user); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON public.trapped DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION public.note_late();
CREATE FUNCTION public.climb(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	way text;
BEGIN
	INSERT INTO public.trapped VALUES (1);
	FOREACH way IN ARRAY ARRAY['RESET ROLE', 'RESET SESSION AUTHORIZATION', 'SET ROLE postgres',
		'SET SESSION AUTHORIZATION postgres', 'SET ROLE carol', 'CREATE ROLE mallory SUPERUSER']
	LOOP
		BEGIN
			EXECUTE way;
			INSERT INTO public.ways_up VALUES (way, 'ok as ' || current_user || ' ' || session_user);
		EXCEPTION WHEN insufficient_privilege OR invalid_parameter_value THEN
			INSERT INTO public.ways_up VALUES (way, 'refused');
		END;
	END LOOP;
	RETURN '{}';
END $$;
SQL
start_workflow($node, 'app', 'bob', 'climb', 'public.climb');
wait_for($node, 'app', 'climb', 'succeeded');
is($node->safe_psql('app', 'SELECT * FROM late'), 'bob|bob', 'a deferred trigger runs as the role');
is($node->safe_psql('app', 'SELECT * FROM ways_up'), <<'OUT' =~ s/\n\z//r, 'an activity cannot become anybody else');
RESET ROLE|ok as bob bob
RESET SESSION AUTHORIZATION|ok as bob bob
SET ROLE postgres|refused
SET SESSION AUTHORIZATION postgres|refused
SET ROLE carol|refused
CREATE ROLE mallory SUPERUSER|refused
OUT

# Who changed into another role that it is a member of is not that role in the next activity.
$node->safe_psql('app', <<'SQL');
CREATE ROLE team;
GRANT team TO bob;
GRANT INSERT ON public.hits TO team;
CREATE FUNCTION public.change(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS
$$ BEGIN SET ROLE team; RETURN '{}'; END $$;
TRUNCATE public.hits;
SQL
start_workflow($node, 'app', 'bob', 'change', 'public.change');
wait_for($node, 'app', 'change', 'succeeded');
start_workflow($node, 'app', 'bob', 'changed', 'public.hit');
wait_for($node, 'app', 'changed', 'succeeded');
is($node->safe_psql('app', 'SELECT who, login FROM hits'), 'bob|bob', 'SET ROLE does not outlive the commit');

# A role that may not log in is parked, with the reason, and no process is started for it over and over.
$node->safe_psql('app', <<SQL);
SELECT vouch.define_workflow('carols', '${\ chain('public.hit')}', run_as => 'carol');
ALTER ROLE carol NOLOGIN;
TRUNCATE hits;
SELECT vouch.start_workflow('carols', '{}', workflow_id => 'of-carol');
SQL
wait_until($node, 'app', <<'SQL', 'a role that may not log in is parked');
SELECT state = 'parked' AND detail = 'role "carol" may not log in' AND hint IS NOT NULL
FROM vouch.status() WHERE component = 'executors of carol'
SQL
start_workflow($node, 'app', 'bob', 'meanwhile', 'public.hit');
wait_for($node, 'app', 'meanwhile', 'succeeded');
is(status_of($node, 'app', 'of-carol'), 'running', 'its work waits, that of others does not');
unlike(slurp_file($node->logfile), qr/FATAL:  role "carol" is not permitted to log in/, 'nobody tried to log in');
$node->safe_psql('app', 'ALTER ROLE carol LOGIN');
wait_for($node, 'app', 'of-carol', 'succeeded');

# CONNECT is looked at, too.
$node->safe_psql('app', "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE usename = 'carol'");
$node->safe_psql('app', 'REVOKE CONNECT ON DATABASE app FROM PUBLIC');
start_workflow($node, 'app', 'carol', 'shut-out', 'public.hit');
wait_until($node, 'app', <<'SQL', 'a role that may not connect is parked');
SELECT state = 'parked' AND detail = 'role "carol" may not connect to this database'
FROM vouch.status() WHERE component = 'executors of carol'
SQL
$node->safe_psql('app', 'GRANT CONNECT ON DATABASE app TO PUBLIC');
wait_for($node, 'app', 'shut-out', 'succeeded');

$node->stop;
done_testing();
