# Workers are never in the way of those who drop, rename or copy.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VouchTest;

my $node = vouch_node('main');
$node->start;

# A database with a dispatcher and an executor that just worked.
sub busy_database
{
	my $name = shift;
	vouch_database($node, $name);
	start_workflow($node, $name, 'alice', 'first', 'public.hit');
	wait_for($node, $name, 'first', 'succeeded');
	is(worker_pids($node, $_, $name), 1, "$name has its $_") foreach qw(dispatcher executor);
	return;
}

sub quick
{
	my ($database, $sql, $what) = @_;
	my ($status, $out, $err) = $node->psql($database, "SET statement_timeout = '60s'; $sql");
	is($status, 0, $what) or diag($err);
	return;
}

busy_database('app');
quick('app', 'DROP EXTENSION vouch CASCADE', 'DROP EXTENSION does not wait for the workers');
no_workers_of($node, 'app', 'and ends them');
quick('app', 'CREATE EXTENSION vouch', 'the extension comes again');
$node->safe_psql('app', 'TRUNCATE hits');
wait_until($node, 'app', "SELECT state = 'running' FROM vouch.status() WHERE component = 'dispatcher'",
	'and with it the dispatcher');
start_workflow($node, 'app', 'alice', 'again', 'public.hit');
wait_for($node, 'app', 'again', 'succeeded');

my ($status, $out, $err) = $node->psql('app', 'BEGIN; DROP EXTENSION vouch CASCADE; ROLLBACK');
is($status, 0, 'DROP EXTENSION that is rolled back');
start_workflow($node, 'app', 'alice', 'still', 'public.hit');
wait_for($node, 'app', 'still', 'succeeded');

# What needs the database to itself; psql gives each statement a transaction.
$node->safe_psql('postgres', 'CREATE ROLE eve LOGIN');
my ($before) = worker_pids($node, 'dispatcher', 'app');
($status, $out, $err) = $node->psql('postgres', 'DROP DATABASE app', extra_params => [ '-U', 'eve' ]);
isnt($status, 0, 'who may not drop a database');
is((worker_pids($node, 'dispatcher', 'app'))[0], $before, 'does not disturb its workers');

quick('postgres', 'ALTER DATABASE app RENAME TO app2', 'ALTER DATABASE ... RENAME');
start_workflow($node, 'app2', 'alice', 'renamed', 'public.hit');
wait_for($node, 'app2', 'renamed', 'succeeded');
is($node->psql('postgres', 'CREATE DATABASE copy TEMPLATE app2'), 0, 'CREATE DATABASE ... TEMPLATE');
wait_until($node, 'copy', <<'SQL', 'the copy is known to be one, and waits');
SELECT state = 'disabled' AND detail LIKE '%adopt_database%' FROM vouch.status() WHERE component = 'dispatcher'
SQL
start_workflow($node, 'app2', 'alice', 'copied', 'public.hit');
wait_for($node, 'app2', 'copied', 'succeeded');
is($node->psql('postgres', 'DROP DATABASE app2'), 0, 'plain DROP DATABASE');
is($node->psql('postgres', 'DROP DATABASE app2'), 3, 'is over then');

busy_database('other');
is($node->psql('postgres', 'DROP DATABASE other WITH (FORCE)'), 0, 'DROP DATABASE ... WITH (FORCE)');

# A busy executor is no obstacle either.
busy_database('third');
$node->safe_psql('third', <<'SQL');
CREATE FUNCTION public.sleep(input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{}'::jsonb FROM pg_sleep(600) $$;
SQL
start_workflow($node, 'third', 'alice', 'sleeper', 'public.sleep');
ok($node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'third' AND wait_event = 'PgSleep'"),
	'an activity sleeps');
is($node->psql('postgres', 'DROP DATABASE third'), 0, 'DROP DATABASE ends it');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
