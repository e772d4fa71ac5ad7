# A dump carries definitions and executions; the restored copy does not go on
# with them until somebody says that it is to.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VouchTest;

my $node = vouch_node('main', 'vouch.poll_interval' => '100ms');
$node->start;
vouch_database($node, 'app');
$node->safe_psql('postgres', 'ALTER DATABASE app SET vouch.workers = off');
$node->reload;
no_workers_of($node, 'app', 'the original is told not to work');
start_workflow($node, 'app', 'alice', 'moves', 'public.hit', 'public.hit');

my $dump = $node->basedir . '/app.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('app'), '-f', $dump ], 'pg_dump');

# One copy with vouch.restoring, one by somebody who just restores.
foreach my $copy ([ 'careful', '-c vouch.restoring=on' ], [ 'plain', '' ])
{
	my ($name, $options) = @$copy;
	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0");
	{
		local $ENV{PGOPTIONS} = $options;
		my ($out, $err);
		IPC::Run::run([ 'psql', '-X', '-q', '-d', $node->connstr($name), '-f', $dump ], '>', \$out, '2>', \$err);
		is($err, '', "restore into $name");
	}

	is(status_of($node, $name, 'moves'), 'running', 'the execution is in the copy');
	wait_until($node, $name, <<'SQL', 'its dispatcher sees that it is a copy');
SELECT state = 'disabled' AND detail LIKE '%adopt_database%' AND hint IS NOT NULL
FROM vouch.status() WHERE component = 'dispatcher'
SQL
	my ($status, $out, $err) = $node->psql($name, 'CALL vouch.run_worker()');
	like($err, qr/workflows are not advanced in this database: restored from another database/,
		'nor can they be advanced by hand');
	is($node->safe_psql($name, 'SELECT count(*) FROM hits'), 0, 'nothing ran');

	$node->safe_psql($name, 'SELECT vouch.adopt_database()');
	wait_for($node, $name, 'moves', 'succeeded');
	is($node->safe_psql($name, 'SELECT count(*) FROM hits'), 2, 'told to, it runs each step once');
	start_workflow($node, $name, 'alice', 'new', 'public.hit');
	wait_for($node, $name, 'new', 'succeeded');
}
is($node->safe_psql('app', 'SELECT count(*) FROM hits'), 0, 'nothing of that ran in the original');

# vouch.restoring keeps workers out of a database while it is set for it.
$node->safe_psql('postgres', 'ALTER DATABASE careful SET vouch.restoring = on');
wait_until($node, 'careful', <<'SQL', 'vouch.restoring of a database keeps workers out');
SELECT state = 'disabled' AND detail LIKE '%vouch.restoring is on%' FROM vouch.status() WHERE component = 'dispatcher'
SQL

$node->stop;
done_testing();
