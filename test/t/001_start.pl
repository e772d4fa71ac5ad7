# Workers come by themselves, and committed work is done at once: the sweep is
# set to once an hour here, so nothing below may depend on it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VouchTest;

my $node = vouch_node('main', 'vouch.executors' => 2);
$node->start;

ok($node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'vouch launcher'"),
	'the launcher runs');
$node->safe_psql('postgres', 'CREATE DATABASE without');
vouch_database($node, 'app');
wait_until($node, 'app', "SELECT state = 'running' FROM vouch.status() WHERE component = 'dispatcher'",
	'CREATE EXTENSION starts a dispatcher');
is(worker_pids($node, 'dispatcher', 'without'), 0, 'a database without the extension has none');

# A chain runs right after its commit.
my $sweep = q(SELECT substring(detail from 'last sweep at ([^;]*)') FROM vouch.status() WHERE component = 'dispatcher');
my $before = $node->safe_psql('app', $sweep);
start_workflow($node, 'app', 'alice', 'first', ('public.hit') x 3);
wait_for($node, 'app', 'first', 'succeeded');
is($node->safe_psql('app', 'SELECT count(*) FROM hits'), 3, 'each activity ran once');
is($node->safe_psql('app', $sweep), $before, 'and no sweep was needed');
is($node->safe_psql('app', 'SELECT DISTINCT who, login FROM hits'), 'alice|alice',
	'the executor is logged in as the role');
is($node->safe_psql('app', <<'SQL'), 't', 'it says what it is, and keeps no snapshot while it waits');
SELECT bool_and(application_name = 'vouch executor' AND usename = 'alice' AND backend_xmin IS NULL
	AND wait_event IS NOT NULL)
FROM pg_stat_activity WHERE backend_type = 'vouch executor'
SQL

# An aborted start wakes nobody and starts nothing; the next commit does.
$node->safe_psql('app', <<'SQL');
BEGIN; SELECT vouch.start_workflow('first', '{}', workflow_id => 'aborted'); ROLLBACK;
BEGIN; SAVEPOINT s; SELECT vouch.start_workflow('first', '{}', workflow_id => 'aborted'); ROLLBACK TO s; COMMIT;
SELECT vouch.start_workflow('first', '{}', workflow_id => 'second');
SQL
wait_for($node, 'app', 'second', 'succeeded');
is($node->safe_psql('app', 'SELECT count(*) FROM hits'), 6, 'what was rolled back did not run');

# A timer, and far more work in one transaction than a backend keeps hints for.
start_workflow($node, 'app', 'alice', 'timer', 1, 'public.hit');
wait_for($node, 'app', 'timer', 'succeeded');
$node->safe_psql('app',
	"SELECT count(vouch.start_workflow('first', '{}', workflow_id => 'bulk-' || i)) FROM generate_series(1, 5000) i");
wait_until($node, 'app', 'SELECT count(*) = 15007 FROM hits', 'a flood in one transaction is done');

# Long activities run beside each other, and short ones do not wait for them.
$node->safe_psql('app', <<'SQL');
CREATE FUNCTION public.meet(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock_shared(7);
	RETURN '{}';
END $$;
SQL
my $gate = $node->background_psql('app');
$gate->query_safe('SELECT pg_advisory_lock(7)') if $gate->can('query_safe');
SKIP:
{
	skip 'this server has no background sessions for tests', 3 unless $gate->can('query_safe');
	start_workflow($node, 'app', 'alice', 'long', 'public.meet');
	wait_until($node, 'app', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
		'a long activity holds up its executor');
	start_workflow($node, 'app', 'alice', 'short', 'public.hit');
	wait_for($node, 'app', 'short', 'succeeded');
	$gate->query_safe('SELECT pg_advisory_unlock(7)');
	wait_for($node, 'app', 'long', 'succeeded');
}

# A long activity has a transaction of its own, once it is known to be long: what
# the only executor did before it is committed.
SKIP:
{
	skip 'this server has no background sessions for tests', 5 unless $gate->can('query_safe');
	$node->safe_psql('app', <<'SQL');
CREATE FUNCTION public.meet_slowly(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_sleep(0.02);
	RETURN public.meet(input);
END $$;
ALTER SYSTEM SET vouch.executors = 1;
SQL
	$node->reload;
	$node->safe_psql('app', "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE backend_type = 'vouch executor'");
	start_workflow($node, 'app', 'alice', 'learn', 'public.meet_slowly');
	wait_for($node, 'app', 'learn', 'succeeded');
	$gate->query_safe('SELECT pg_advisory_lock(7)');
	$node->safe_psql('app', <<'SQL');
BEGIN;
SELECT vouch.start_workflow('first', '{}', workflow_id => 'quick');
SELECT vouch.start_workflow('learn', '{}', workflow_id => 'slow');
COMMIT;
SQL
	wait_until($node, 'app', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
		'the long activity runs');
	is(status_of($node, 'app', 'quick'), 'succeeded', 'what came before it is committed');
	is(status_of($node, 'app', 'slow'), 'running', 'while it is not');
	$gate->query_safe('SELECT pg_advisory_unlock(7)');
	wait_for($node, 'app', 'slow', 'succeeded');
	$node->safe_psql('app', 'ALTER SYSTEM SET vouch.executors = 2');
	$node->reload;
}
$gate->quit;

# A prepared transaction hands over no hint: the sweep finds its work.
$node->safe_psql('app', <<'SQL');
BEGIN; SELECT vouch.start_workflow('first', '{}', workflow_id => 'prepared'); PREPARE TRANSACTION 'p';
SQL
$node->safe_psql('app', "COMMIT PREPARED 'p'");
$node->safe_psql('postgres', "ALTER SYSTEM SET vouch.poll_interval = '100ms'");
$node->reload;
wait_for($node, 'app', 'prepared', 'succeeded');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET vouch.poll_interval');
$node->reload;

# What user code leaves in its session is not there for the next.
$node->safe_psql('app', <<'SQL');
CREATE FUNCTION public.leave_things(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	SET work_mem = '77MB';
	SET search_path = nowhere;
	CREATE TEMP TABLE hits (LIKE public.hits);
	PERFORM pg_advisory_lock(8);
	EXECUTE 'PREPARE left_behind AS SELECT 1';
	RETURN '{}';
END $$;
CREATE TABLE public.seen (pid int, things text);
GRANT ALL ON public.seen TO PUBLIC;
CREATE FUNCTION public.look(input jsonb) RETURNS jsonb LANGUAGE sql AS $$
	INSERT INTO public.seen SELECT pg_backend_pid(), concat_ws(' ', current_setting('work_mem'),
		current_setting('search_path'), (SELECT count(*) FROM pg_prepared_statements),
		(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
		to_regclass('pg_temp.hits'))
	RETURNING '{}'::jsonb $$;
SQL
start_workflow($node, 'app', 'alice', 'leave', 'public.leave_things');
wait_for($node, 'app', 'leave', 'succeeded');
start_workflow($node, 'app', 'alice', "look-$_", 'public.look') foreach 1 .. 4;
wait_for($node, 'app', "look-$_", 'succeeded') foreach 1 .. 4;
is($node->safe_psql('app', 'SELECT DISTINCT things FROM seen'), '4MB "$user", public 0 0',
	'settings, temporary tables, locks and prepared statements are reset');

# Workers can be sent away and called back, everywhere or in one database.
$node->safe_psql('postgres', 'ALTER SYSTEM SET vouch.workers = off');
$node->reload;
no_workers_of($node, 'app', 'vouch.workers = off ends the workers');
$node->safe_psql('app', "SELECT vouch.start_workflow('first', '{}', workflow_id => 'later')");
$node->safe_psql('postgres', 'ALTER SYSTEM RESET vouch.workers');
$node->reload;
wait_for($node, 'app', 'later', 'succeeded');

$node->safe_psql('postgres', 'ALTER DATABASE app SET vouch.workers = off');
$node->reload;
no_workers_of($node, 'app', 'and so does the setting of the database');
like($node->safe_psql('app', "SELECT detail FROM vouch.status() WHERE component = 'dispatcher'"),
	qr/vouch.workers is off in this database/, 'which vouch.status() says');
$node->safe_psql('postgres', 'ALTER DATABASE app RESET vouch.workers');
$node->safe_psql('postgres', "ALTER SYSTEM SET vouch.databases = 'other'");
$node->reload;
wait_until($node, 'app', "SELECT detail LIKE '%not one of vouch.databases%' FROM vouch.status() WHERE component = 'dispatcher'",
	'vouch.databases names who is served');
$node->safe_psql('postgres', "ALTER SYSTEM SET vouch.databases = 'other, app'");
$node->reload;
start_workflow($node, 'app', 'alice', 'named', 'public.hit');
wait_for($node, 'app', 'named', 'succeeded');

# Executors end when idle, and are replaced after vouch.executor_max_steps.
$node->safe_psql('postgres', 'ALTER SYSTEM SET vouch.executor_idle_timeout = 50');
$node->reload;
ok($node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'vouch executor'"),
	'an idle executor ends');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET vouch.executor_idle_timeout');
$node->safe_psql('postgres', 'ALTER SYSTEM SET vouch.executor_max_steps = 1');
$node->reload;
$node->safe_psql('app', 'TRUNCATE hits');
foreach my $i (1 .. 3)
{
	start_workflow($node, 'app', 'alice', "fresh-$i", 'public.hit');
	wait_for($node, 'app', "fresh-$i", 'succeeded');
}
is($node->safe_psql('app', 'SELECT count(DISTINCT pid) FROM hits'), 3, 'a worn executor is replaced');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|exited with exit code [2-9]/, 'nothing went wrong on the way');
done_testing();
