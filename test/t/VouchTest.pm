# What the TAP tests of Vouch share: servers, roles and workflows to try.
package VouchTest;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(vouch_node vouch_database chain start_workflow wait_for status_of worker_pids
  wait_until no_workers_of start_after_kill);

# A server with Vouch preloaded.  The sweep is kept out of the way, so that what
# happens soon happens because of a hint.
sub vouch_node
{
	my ($name, %settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%{ delete $settings{init} || {} });
	%settings = (
		shared_preload_libraries => 'vouch',
		'vouch.poll_interval' => '1h',
		max_worker_processes => 16,
		max_prepared_transactions => 4,
		restart_after_crash => 'on',
		lc_messages => 'C',
		log_line_prefix => '%m [%p] %b ',
		%settings);
	$node->append_conf('postgresql.conf', "$_ = '$settings{$_}'") foreach sort keys %settings;
	return $node;
}

# A database with the extension, a role alice, and functions for activities:
# public.hit() leaves a row that tells who and where it was.
sub vouch_database
{
	my ($node, $name) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, <<'SQL');
CREATE EXTENSION vouch;
DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'alice') THEN
		CREATE ROLE alice LOGIN;
		GRANT vouch_admin TO alice;
	END IF;
END
$$;
CREATE TABLE public.hits (
	id int GENERATED ALWAYS AS IDENTITY, input jsonb, who name, login name, pid int,
	at timestamptz DEFAULT clock_timestamp());
GRANT ALL ON public.hits TO PUBLIC;
CREATE FUNCTION public.hit(input jsonb) RETURNS jsonb LANGUAGE sql AS
$$ INSERT INTO public.hits (input, who, login, pid)
	VALUES (input, current_user, session_user, pg_backend_pid()) RETURNING '{}'::jsonb $$;
SQL
	return;
}

# The definition of a workflow: activities that follow each other, each named
# by its function, or a number of seconds to wait.
sub chain
{
	my @steps = @_;
	my @states;
	foreach my $i (0 .. $#steps)
	{
		my $next = $i < $#steps ? '"Next": "S' . ($i + 1) . '"' : '"End": true';
		my $what = $steps[$i] =~ /^[\d.]+$/
			? qq("Type": "Wait", "Seconds": $steps[$i])
			: qq("Type": "Task", "Resource": "sql:$steps[$i]", "ResultPath": null);
		push @states, qq("S$i": {$what, $next});
	}
	return '{"StartAt": "S0", "States": {' . join(', ', @states) . '}}';
}

# Defines and starts a workflow of these activities in the name of a role.
sub start_workflow
{
	my ($node, $database, $role, $workflow_id, @steps) = @_;
	my $definition = chain(@steps);
	(my $workflow = $workflow_id) =~ s/\W/_/g;
	$node->safe_psql($database, <<SQL);
SELECT vouch.define_workflow('$workflow', '$definition', run_as => '$role');
SELECT vouch.start_workflow('$workflow', '{"id": "$workflow_id"}', workflow_id => '$workflow_id');
SQL
	return;
}

sub status_of
{
	my ($node, $database, $workflow_id) = @_;
	return $node->safe_psql($database, "SELECT vouch.describe_workflow('$workflow_id') ->> 'status'");
}

sub wait_until
{
	my ($node, $database, $query, $what) = @_;
	my $done = $node->poll_query_until($database, $query);
	ok($done, $what);
	diag($node->safe_psql($database, 'SELECT * FROM vouch.status()')) unless $done;
	return;
}

sub wait_for
{
	my ($node, $database, $workflow_id, $status) = @_;
	wait_until($node, $database, "SELECT vouch.describe_workflow('$workflow_id') ->> 'status' = '$status'",
		"workflow $workflow_id has $status");
	return;
}

# Processes of a kind in a database.
sub worker_pids
{
	my ($node, $kind, $database) = @_;
	return split /\n/, $node->safe_psql('postgres', <<SQL);
SELECT pid FROM pg_stat_activity
WHERE backend_type = 'vouch $kind' AND datname IS NOT DISTINCT FROM NULLIF('$database', '') ORDER BY pid
SQL
}

# After kill9: the children notice within a moment, and the last must be gone
# before a new start succeeds.
sub start_after_kill
{
	my $node = shift;
	foreach my $try (1 .. 600)
	{
		return if $node->start(fail_ok => 1);
		select(undef, undef, undef, 0.1);
		$node->stop('fast', fail_ok => 1);	# forgets the process that was killed
	}
	BAIL_OUT('the server does not start after kill -9');
}

sub no_workers_of
{
	my ($node, $database, $what) = @_;
	ok($node->poll_query_until('postgres', <<SQL), $what);
SELECT count(*) = 0 FROM pg_stat_activity
WHERE datname = '$database' AND backend_type LIKE 'vouch%'
SQL
	return;
}

1;
