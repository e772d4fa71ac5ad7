# Outside workers that are killed in the middle of a task: another one gets it
# when the lease is over, goes on from the last heartbeat, and completes it once;
# what the dead one would still say is refused.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VouchTest;

my $node = vouch_node('main');
$node->start;
vouch_database($node, 'app');
$node->safe_psql('app', 'CREATE ROLE worker LOGIN; GRANT vouch_user TO worker');

my $workers = "$ENV{VOUCH_TREE}/demo/workers";
my %commands = (python => [ 'python3', "$workers/worker.py" ], node => [ 'node', "$workers/worker.mjs" ]);

# In the environment of libpq, as the role of the workers.
sub start_worker
{
	my ($kind, $queue) = @_;
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = 'app';
	local $ENV{PGUSER} = 'worker';
	my ($out, $err) = ('', '');
	return IPC::Run::start([ @{ $commands{$kind} }, $queue, 2 ], '<', \undef, '>', \$out, '2>', \$err);
}

foreach my $kind (sort keys %commands)
{
  SKIP:
	{
		skip "there is no $commands{$kind}[0]", 1 if system("command -v $commands{$kind}[0] >/dev/null") != 0;
		my $id = "job-$kind";
		$node->safe_psql('app', <<SQL);
SELECT vouch.define_workflow('$kind', '{"StartAt": "Do", "States": {"Do": {"Type": "Task", "Resource": "activity:$kind", "HeartbeatSeconds": 60, "End": true}}}', run_as => 'alice');
SELECT vouch.start_workflow('$kind', '{"seconds": 3}', '$id');
SQL
		my $first = start_worker($kind, $kind);
		wait_until($node, 'app', "SELECT details ->> 'done' = '1' FROM vouch.activity_tasks WHERE workflow_id = '$id'",
			"$kind: a worker is in the middle of a task");
		# only its owner knows the token; a test has the server's log, too
		my ($token) = reverse slurp_file($node->logfile) =~ /heartbeat_activity\('([0-9a-f-]{36})'/g;
		$first->kill_kill(grace => 0);
		is($node->safe_psql('app', "SELECT status FROM vouch.activity_tasks WHERE workflow_id = '$id'"), 'leased',
			"$kind: nobody else has it yet");

		my @others = map { start_worker($kind, $kind) } 1 .. 2;
		wait_for($node, 'app', $id, 'succeeded');
		is($node->safe_psql('app', "SELECT vouch.describe_workflow('$id') -> 'output'"),
			qq({"by": "$kind", "slept": 3, "deliveries": 2}), "$kind: another one went on where it stopped");
		is($node->safe_psql('app', "SELECT count(*) FROM vouch.workflow_history('$id') WHERE type = 'ActivitySucceeded'"),
			1, "$kind: once");
		my ($status, $out, $err) = $node->psql('app', "SELECT vouch.complete_activity('$token', '1')", extra_params => [ '-U', 'worker' ]);
		like($err, qr/task token .* is not valid/, "$kind: the token of the first is void");
		$_->kill_kill(grace => 0) foreach @others;
	}
}

# A long poll ends with its client: it takes no task for nobody.
{
	my ($out, $err) = ('', '');
	my $dead = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('app') . ' user=worker', '-c', "SELECT * FROM vouch.poll_activity('gone', 'dead', wait => '1 hour')" ],
		'<', \undef, '>', \$out, '2>', \$err);
	wait_until($node, 'app', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%poll_activity(''gone''%' AND pid <> pg_backend_pid()", 'a worker polls');
	$dead->kill_kill(grace => 0);
	wait_until($node, 'app', "SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE '%poll_activity(''gone''%' AND pid <> pg_backend_pid()", 'and polls no more when it is dead');
}
$node->stop;
done_testing();
