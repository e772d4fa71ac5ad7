# Whatever ends a process in the middle of an activity: the effects of each step
# are there exactly once in the end, and a step that kills again and again is
# failed rather than tried for ever.
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
-- Waits until somebody writes to the table "go"; what it did before is part of the step.
CREATE TABLE public.go (x int);
GRANT ALL ON public.go TO PUBLIC;
CREATE FUNCTION public.hit_and_wait(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	PERFORM public.hit(input);
	WHILE NOT EXISTS (SELECT FROM public.go) LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
	RETURN '{}';
END $$;
SQL
my $in_activity = q(SELECT count(*) >= 1 FROM pg_stat_activity WHERE backend_type = 'vouch executor' AND wait_event = 'PgSleep');

sub begin_long
{
	my $id = shift;
	$node->safe_psql('app', 'TRUNCATE hits, go');
	start_workflow($node, 'app', 'alice', $id, 'public.hit', 'public.hit_and_wait', 'public.hit');
	ok($node->poll_query_until('postgres', $in_activity), 'an executor is in the middle of an activity');
	return;
}

sub end_long
{
	my ($id, $how) = @_;
	$node->safe_psql('app', 'INSERT INTO go VALUES (1)');
	wait_for($node, 'app', $id, 'succeeded');
	is($node->safe_psql('app', 'SELECT count(*) FROM hits'), 3, "$how: each step took effect once");
	return;
}

# The executor is told to end.
begin_long('terminated');
my ($pid) = worker_pids($node, 'executor', 'app');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
ok($node->poll_query_until('postgres', $in_activity), 'another executor takes over');
end_long('terminated', 'after SIGTERM');

# The dispatcher and the launcher are told to end: work goes on.
begin_long('headless');
$node->safe_psql('postgres', <<'SQL');
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_type IN ('vouch dispatcher', 'vouch launcher')
SQL
end_long('headless', 'without a dispatcher');
ok($node->poll_query_until('postgres', <<'SQL'), 'launcher and dispatcher come back');
SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type IN ('vouch dispatcher', 'vouch launcher')
SQL

# The executor crashes, and with it the server.
begin_long('crashed');
($pid) = worker_pids($node, 'executor', 'app');
kill 'KILL', $pid;
$node->poll_query_until('postgres', 'SELECT true');
ok($node->poll_query_until('postgres', $in_activity), 'after the crash an executor takes over');
like($node->safe_psql('app', "SELECT detail || '; ' || hint FROM vouch.status() WHERE component = 'dispatcher'"),
	qr/cautious.*run with care/s, 'and the status says that it is cautious, and how that ends');
end_long('crashed', 'after a crash of the executor');

# The postmaster is killed.
begin_long('killed');
$node->kill9;
start_after_kill($node);
ok($node->poll_query_until('postgres', $in_activity), 'after the restart an executor takes over');
end_long('killed', 'after a crash of the postmaster');

# An immediate shutdown is a crash, too; an ordinary one ends the activity.
begin_long('stopped');
$node->stop('fast');
$node->start;
ok($node->poll_query_until('postgres', $in_activity), 'after a shutdown an executor takes over');
end_long('stopped', 'after a shutdown');
is($node->safe_psql('app', 'SELECT count(*) FROM vouch_data.suspect'), 0, 'nobody is suspect after a clean start');

# What an activity leaves for the commit, and fails there, is its own error.
$node->safe_psql('app', <<'SQL');
TRUNCATE hits;
CREATE TABLE public.parent (id int PRIMARY KEY);
CREATE TABLE public.child (id int REFERENCES public.parent DEFERRABLE INITIALLY DEFERRED);
GRANT ALL ON public.parent, public.child TO PUBLIC;
CREATE FUNCTION public.orphan(input jsonb) RETURNS jsonb LANGUAGE sql AS
$$ INSERT INTO public.child VALUES (1) RETURNING '{}'::jsonb $$;
SQL
start_workflow($node, 'app', 'alice', 'orphan', 'public.hit', 'public.orphan', 'public.hit');
wait_for($node, 'app', 'orphan', 'failed');
is($node->safe_psql('app', "SELECT vouch.describe_workflow('orphan') ->> 'error'"), 'SQL.23503',
	'an error at commit is the error of the activity');
is($node->safe_psql('app', 'SELECT count(*) FROM hits'), 1, 'the step before it took effect once');
is($node->safe_psql('app', 'SELECT count(*) FROM child'), 0, 'and it did not');

# A step that ends its process is failed after some times; the steps before it
# are done once.
$node->safe_psql('app', <<'SQL');
TRUNCATE hits;
CREATE FUNCTION public.die(input jsonb) RETURNS jsonb LANGUAGE sql SECURITY DEFINER AS
$$ SELECT to_jsonb(pg_terminate_backend(pg_backend_pid())) $$;
SQL
start_workflow($node, 'app', 'alice', 'deadly', 'public.hit', 'public.hit', 'public.die', 'public.hit');
wait_for($node, 'app', 'deadly', 'failed');
is($node->safe_psql('app', 'SELECT count(*) FROM hits'), 2, 'the steps before the deadly one took effect once');

# A step that crashes the server likewise, and innocent executions beside it go on.
$node->safe_psql('app', <<'SQL');
TRUNCATE hits;
CREATE FUNCTION public.crash(input jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'kill -9 ' || pg_backend_pid());
	RETURN '{}';
END $$;
SQL
my $definition = chain('public.hit', 'public.crash', 'public.hit');
my $innocent = chain('public.hit', 'public.hit');
$node->safe_psql('app', <<SQL);
SELECT vouch.define_workflow('poison', '$definition', run_as => 'alice');
SELECT vouch.define_workflow('innocent', '$innocent', run_as => 'alice');
ALTER DATABASE app SET vouch.workers = off;
SQL
$node->restart;
$node->safe_psql('app', <<'SQL');
SELECT vouch.start_workflow('innocent', '{}', workflow_id => 'innocent-' || i) FROM generate_series(1, 40) i;
SELECT vouch.start_workflow('poison', '{}', workflow_id => 'poison');
SELECT vouch.start_workflow('innocent', '{}', workflow_id => 'innocent-' || i) FROM generate_series(41, 80) i;
ALTER DATABASE app RESET vouch.workers;
SQL
$node->reload;
# While the server crashes, queries fail: ask until one says that it is over.
my $over = 0;
for my $try (1 .. 6000)
{
	my ($status, $out) = $node->psql('app', "SELECT vouch.describe_workflow('poison') ->> 'status'");
	if (defined $status && $status == 0 && defined $out && $out ne 'running') { $over = 1; last; }
	select(undef, undef, undef, 0.05);
}
ok($over, 'a step that crashes the server is not tried for ever');
is(status_of($node, 'app', 'poison'), 'failed', 'it is failed');
wait_until($node, 'app', <<'SQL', 'and the innocent are done');
SELECT count(*) = 80 FROM generate_series(1, 80) i
WHERE vouch.describe_workflow('innocent-' || i) ->> 'status' = 'succeeded'
SQL
is($node->safe_psql('app', 'SELECT count(*) FROM hits'), 161, 'each of their steps took effect once');
my $crashes = () = slurp_file($node->logfile) =~ /was terminated by signal 9: Killed/g;
cmp_ok($crashes, '<=', 5, 'the server crashed a few times only') or diag($crashes);

$node->stop;
done_testing();
