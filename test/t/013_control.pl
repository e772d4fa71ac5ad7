# Who pauses, cancels or terminates an execution that an executor is at does not
# wait for its steps: pausing is heeded before the next one, ending breaks the
# one that runs off, and a chain of short ones gives way.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VouchTest;

my $node = vouch_node('main', 'vouch.executors' => 2, 'vouch.poll_interval' => '1s');
$node->start;
vouch_database($node, 'app');
$node->safe_psql('app', <<'SQL');
CREATE TABLE public.gate (workflow_id text);
GRANT ALL ON public.gate TO PUBLIC;
-- A step that lasts until its gate is open; what it does first shows only if it ends.
CREATE FUNCTION public.gated(id text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM public.hit(jsonb_build_object('gated', id));
	WHILE NOT EXISTS (SELECT FROM public.gate WHERE workflow_id = id) LOOP
		PERFORM pg_sleep(0.02);
	END LOOP;
END $$;
-- One that does not like to be broken off.
CREATE FUNCTION public.stubborn(id text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM public.gated(id);
EXCEPTION WHEN query_canceled THEN
	PERFORM public.gated(id);
END $$;
CREATE FUNCTION public.short(id text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_sleep(0.001);
	RETURN CASE WHEN EXISTS (SELECT FROM public.gate WHERE workflow_id = id) THEN 'end' ELSE 'on' END;
END $$;

SELECT vouch.define_workflow('gated', '{"StartAt": "Gated", "States": {
	"Gated": {"Type": "Task", "Resource": "sql:public.gated", "Parameters": {"id.$": "$.id"}, "ResultPath": null, "Next": "After"},
	"After": {"Type": "Task", "Resource": "sql:public.hit", "Parameters": {"after.$": "$.id"}, "End": true}}}', run_as => 'alice');
SELECT vouch.define_workflow('stubborn', '{"StartAt": "Gated", "States": {
	"Gated": {"Type": "Task", "Resource": "sql:public.stubborn", "Parameters": {"id.$": "$.id"}, "End": true}}}', run_as => 'alice');
SELECT vouch.define_workflow('undo', '{"StartAt": "Go", "States": {
	"Go": {"Type": "Task", "Resource": "vouch:signal", "Parameters": {"Signal": "go"}, "ResultPath": null, "Next": "Gated"},
	"Gated": {"Type": "Task", "Resource": "sql:public.gated", "Parameters": {"id.$": "$.id"}, "End": true,
		"Catch": [{"ErrorEquals": ["Vouch.Canceled"], "ResultPath": null, "Next": "Undo"}]},
	"Undo": {"Type": "Task", "Resource": "sql:public.hit", "Parameters": {"undone.$": "$.id"}, "End": true}}}', run_as => 'alice');
SELECT vouch.define_workflow('parent', '{"StartAt": "Child", "States": {
	"Child": {"Type": "Task", "Resource": "vouch:execution.sync",
		"Parameters": {"Workflow": "gated", "Name": "child", "Input": {"id.$": "$.id"}}, "End": true}}}', run_as => 'alice');
SELECT vouch.define_workflow('chain', '{"StartAt": "Short", "States": {
	"Short": {"Type": "Task", "Resource": "sql:public.short", "Parameters": {"id.$": "$.id"}, "ResultPath": "$.more", "Next": "More"},
	"More": {"Type": "Choice", "Choices": [{"Variable": "$.more", "StringEquals": "on", "Next": "Short"}], "Default": "End"},
	"End": {"Type": "Succeed"}}}', run_as => 'alice');
SQL

sub start_gated
{
	my ($workflow, $id, $signal) = @_;
	$node->safe_psql('app', qq(SELECT vouch.start_workflow('$workflow', '{"id": "$id"}', '$id')));
	$node->safe_psql('app', "SELECT vouch.signal_workflow('$id', '$signal')") if $signal;
	wait_until($node, 'app', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'vouch executor' AND wait_event = 'PgSleep'",
		"$id: its step runs");
	return;
}

# Far more time than it takes, and far less than the step does, which ends never.
sub control
{
	my ($sql) = @_;
	my ($status, $out, $err) = $node->psql('app', "SET statement_timeout = '60s'; $sql");
	is($status, 0, $sql) or diag($err);
	return ($out, $err);
}

sub is_idle
{
	my ($what) = @_;
	wait_until($node, 'app', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'vouch executor' AND wait_event = 'PgSleep'", $what);
	return;
}

# Pausing waits for nothing; the step ends, and the next one does not begin.
start_gated('gated', 'paused');
my ($pids) = $node->safe_psql('app', "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity WHERE backend_type = 'vouch executor'");
my ($out, $err) = control("SELECT vouch.pause_workflow('paused')");
is($out, 1, 'one is paused');
like($err, qr/NOTICE:.*workflow "paused" is being worked on: it is paused before its next step/, 'and when');
is($node->safe_psql('app', "SELECT state, waits_for, how FROM vouch.explain_workflow('paused')"),
	"|being paused, before its next step|SELECT vouch.resume_workflow('paused')\nGated|the end of what a worker is doing|",
	'who asks is told that a worker is at it, and that it is about to be paused');
$node->safe_psql('app', "INSERT INTO public.gate VALUES ('paused')");
wait_until($node, 'app', "SELECT paused AND waiting_for = 'After: worker' FROM vouch.executions WHERE workflow_id = 'paused'", 'paused before the next step');
is($node->safe_psql('app', "SELECT string_agg(input::text, ' ') FROM public.hits"), '{"gated": "paused"}', 'the step was done');

# What is wanted last counts, although nobody has heeded either yet.
($out, $err) = control("SELECT vouch.resume_workflow('paused')");
wait_for($node, 'app', 'paused', 'succeeded');
start_gated('gated', 'twice');
control("SELECT vouch.pause_workflow('twice'), vouch.resume_workflow('twice')");
$node->safe_psql('app', "INSERT INTO public.gate VALUES ('twice')");
wait_for($node, 'app', 'twice', 'succeeded');

# Terminating breaks the step off: nothing of it is left, and it is over when the call is.
start_gated('gated', 'ended');
my $log = -s $node->logfile;
($out) = control("SELECT vouch.terminate_workflow('ended', 'enough'); SELECT vouch.describe_workflow('ended') ->> 'status'");
like($out, qr/terminated/, 'terminated at once');
is_idle('the step has ended');
is($node->safe_psql('app', "SELECT count(*) FROM public.hits WHERE input ->> 'gated' = 'ended'"), 0, 'as if it had not been');
unlike(slurp_file($node->logfile, $log), qr/ERROR/, 'which is no error');

# Whoever thinks better of it leaves it running.
start_gated('gated', 'spared');
control("BEGIN; SELECT vouch.terminate_workflow('spared'); ROLLBACK");
$node->safe_psql('app', "INSERT INTO public.gate VALUES ('spared')");
wait_for($node, 'app', 'spared', 'succeeded');
is($node->safe_psql('app', "SELECT count(*) FROM public.hits WHERE 'spared' IN (input ->> 'gated', input ->> 'after')"), 2, 'each step once');

# Canceling breaks it off, too, and what catches that goes on.
start_gated('undo', 'canceled', 'go');
control("SELECT vouch.cancel_workflow('canceled')");
wait_for($node, 'app', 'canceled', 'canceled');
is($node->safe_psql('app', "SELECT string_agg(input::text, ' ') FROM public.hits WHERE input::text LIKE '%canceled%'"),
	'{"undone": "canceled"}', 'the step was undone, and what it might have left');

# A step may catch that, and is asked again.
start_gated('stubborn', 'stubborn');
control("SELECT vouch.terminate_workflow('stubborn')");
is_idle('a stubborn step has ended');

# A child is not locked by whoever ends its parent; its step is broken off all the same.
start_gated('parent', 'family');
control("SELECT vouch.terminate_workflow('family')");
wait_for($node, 'app', 'family/child', 'terminated');
is_idle('the step of the child has ended');

# What other branches do does not wait for a step that lasts: a child has begun, and can be seen.
# (No executor has run this one before, so none takes it for a short one.)
$node->safe_psql('app', "CREATE FUNCTION public.lasting(id text) RETURNS void LANGUAGE sql AS 'SELECT public.gated(id)'");
$node->safe_psql('app', q(SELECT vouch.define_workflow('both', '{"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
	{"StartAt": "Gated", "States": {"Gated": {"Type": "Task", "Resource": "sql:public.lasting", "Parameters": {"id": "both"}, "End": true}}},
	{"StartAt": "Child", "States": {"Child": {"Type": "Task", "Resource": "vouch:execution.sync", "Parameters": {"Workflow": "undo", "Name": "child", "Input": {"id": "both"}}, "End": true}}}]}}}', run_as => 'alice')));
start_gated('both', 'both');
is($node->safe_psql('app', "SELECT string_agg(workflow_id || ' ' || waiting_for, '; ' ORDER BY workflow_id) FROM vouch.executions WHERE workflow_id LIKE 'both%'"),
	'both Gated: worker, Child: child; both/child Go: signal go', 'all that happened before a long step can be seen');
control("SELECT vouch.terminate_workflow('both')");
is_idle('it has ended');

# Another one takes its place.
start_gated('gated', 'replaced');
control(qq(SELECT vouch.start_workflow('chain', '{"id": "paused"}', 'replaced', on_conflict => 'terminate_existing')));
wait_for($node, 'app', 'replaced', 'succeeded');

# Who waits and is gone wants nothing any more.  (A prepared transaction holds the
# row, which nobody can break off.)
$node->safe_psql('app', q(SELECT vouch.start_workflow('undo', '{"id": "paused"}', 'left')));
wait_until($node, 'app', "SELECT waiting_for = 'Go: signal go' FROM vouch.executions WHERE workflow_id = 'left'", 'it waits for a signal');
$node->safe_psql('app', "BEGIN; SELECT FROM vouch_data.execution WHERE workflow_id = 'left' FOR NO KEY UPDATE; PREPARE TRANSACTION 'held'");
my $waiter = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('app'), '-c', "SELECT vouch.terminate_workflow('left')" ],
	'<', \undef, '>', \my $waiter_out, '2>', \my $waiter_err);
wait_until($node, 'app', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%terminate_workflow(''left'')%' AND wait_event_type = 'Lock'",
	'somebody waits for it');
$node->safe_psql('app', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%terminate_workflow%'");
IPC::Run::finish($waiter);
like($waiter_err, qr/terminating connection/, 'and is sent away');
$node->safe_psql('app', "ROLLBACK PREPARED 'held'");
$node->safe_psql('app', "SELECT vouch.signal_workflow('left', 'go')");
wait_for($node, 'app', 'left', 'succeeded');

# Chains of short steps on all executors give way, however often.
$node->safe_psql('app', q(SELECT vouch.start_workflow('chain', '{"id": "never"}', 'chain-' || i) FROM generate_series(1, 12) i));
wait_until($node, 'app', "SELECT count(*) > 0 FROM vouch.workflow_history('chain-4')", 'chains run');
my $slowest = $node->safe_psql('app', <<'SQL');
CREATE TABLE public.took (n int, what text, ms float8);
CREATE PROCEDURE public.try(n int) LANGUAGE plpgsql AS $$
DECLARE
	t timestamptz;
BEGIN
	FOR i IN 1 .. n LOOP
		t := clock_timestamp();
		PERFORM vouch.terminate_workflow('chain-' || i);
		COMMIT;
		INSERT INTO public.took VALUES (i, 'terminate', extract(epoch FROM clock_timestamp() - t) * 1000);
		COMMIT;
	END LOOP;
END $$;
SET client_min_messages = warning;
CALL public.try(12);
SELECT max(ms) FROM public.took;
SQL
note("terminating one of 12 chains took $slowest ms at most");
cmp_ok($slowest, '<', 1000, 'nobody starves');
is($node->safe_psql('app', "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity WHERE backend_type = 'vouch executor' AND pid = ANY (string_to_array('$pids', ' ')::int[])"),
	$pids, 'the executors are the same');

$node->stop;
done_testing();
