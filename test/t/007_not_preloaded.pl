# Without shared_preload_libraries everything works, but for workers that come
# by themselves: vouch.run_worker() is one that is called.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VouchTest;

my $node = vouch_node('main', shared_preload_libraries => '');
$node->start;
vouch_database($node, 'app');
# Each in a session of its own, in which nothing has loaded the library yet.
foreach my $command ('CREATE TABLE public.fresh (i int)', 'ALTER TABLE public.fresh ADD j int', 'CREATE TEMP TABLE fresh (i int)',
	'DROP TABLE public.fresh')
{
	my ($status, $out, $err) = $node->psql('app', $command);
	is("$status $err", '0 ', "$command in a fresh session");
}

$node->safe_psql('app', 'CREATE ROLE bob LOGIN; GRANT vouch_user TO bob');

like($node->safe_psql('app', 'SELECT component, state, hint FROM vouch.status()'),
	qr/server\|not preloaded\|Add vouch to shared_preload_libraries and restart the server; until then call vouch.advance\(\) or vouch.run_worker\(\)./,
	'vouch.status() says what is missing');

$node->safe_psql('app', <<'SQL');
CREATE FUNCTION public.break(input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT to_jsonb(1 / 0) $$;
SQL
start_workflow($node, 'app', 'alice', 'of-alice', ('public.hit') x 3);
start_workflow($node, 'app', 'alice', 'breaks', 'public.hit', 'public.break');
start_workflow($node, 'app', 'bob', 'of-bob', 'public.hit');
is(status_of($node, 'app', 'of-alice'), 'running', 'nothing runs by itself');

sub run_worker
{
	my ($role, $arguments) = @_;
	my ($status, $out, $err) =
	  $node->psql('app', "CALL vouch.run_worker($arguments)", extra_params => [ '-U', $role ]);
	is($status, 0, "vouch.run_worker($arguments) of $role ends") or diag($err);
	return;
}

run_worker('alice', '');
is(status_of($node, 'app', 'of-alice'), 'succeeded', 'what runs as the caller is done');
is(status_of($node, 'app', 'breaks'), 'failed', 'an activity that fails does not stop it');
is(status_of($node, 'app', 'of-bob'), 'running', 'what runs as somebody else is not');
is($node->safe_psql('app', 'SELECT count(*), min(who), max(who) FROM hits'), '4|alice|alice', 'each step ran once');
run_worker('bob', 'max_steps => 1');
is(status_of($node, 'app', 'of-bob'), 'succeeded', 'each for himself');
run_worker('bob', 'max_seconds => 0.3, stop_when_idle => false');

my ($status, $out, $err) = $node->psql('app', <<'SQL', extra_params => [ '-U', 'bob' ]);
SELECT vouch_data.advance_mine(e.bucket, e.execution_id, true)
FROM vouch_data.execution e WHERE e.workflow_id = 'of-alice'
SQL
like($err, qr/workflow "of-alice" runs as role "alice", not as "bob"/, 'nobody advances what runs as somebody else');
($status, $out, $err) = $node->psql('app', 'BEGIN; CALL vouch.run_worker(); COMMIT');
like($err, qr/invalid transaction termination/, 'it needs to commit, so it is not for a transaction block');

$node->stop;
done_testing();
