# Nothing that an activity leaves in the executor's session reaches another
# one: not the next execution of the same transaction, nor the next activity of
# the same execution.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VouchTest;

my $node = vouch_node('main', 'vouch.executors' => 1);
$node->start;
vouch_database($node, 'app');
my %body = (
	temp_table => 'CREATE TEMP TABLE mine (x int); INSERT INTO mine VALUES (1)',
	prepared => q(PREPARE mine AS SELECT 1),
	cursor => 'OPEN c',
	setting => q(IF coalesce(current_setting('my.own', true), '') <> '' OR current_setting('work_mem') = '65kB' THEN
		RAISE 'a setting is left'; END IF; PERFORM set_config('my.own', 'x', false); SET work_mem = '65kB'),
	advisory => q(IF EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) THEN
		RAISE 'a lock is left'; END IF; PERFORM pg_advisory_lock(4711)),
	sequence => q(BEGIN PERFORM lastval(); RAISE 'a sequence is left' USING ERRCODE = 'VX001'; EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END;
		PERFORM nextval('public.numbers')),
);
$node->safe_psql('app', 'CREATE SEQUENCE public.numbers; GRANT ALL ON public.numbers TO PUBLIC');
foreach my $kind (sort keys %body)
{
	$node->safe_psql('app', <<SQL);
CREATE FUNCTION public.leaves_$kind() RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE c CURSOR FOR SELECT 1;
BEGIN
	$body{$kind};
END \$\$;
SELECT vouch.define_workflow('$kind', '{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "\$.items", "End": true,
	"ItemProcessor": {"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:public.leaves_$kind", "Parameters": {}, "ResultPath": null, "Next": "B"},
		"B": {"Type": "Task", "Resource": "sql:public.leaves_$kind", "Parameters": {}, "End": true}}}}}}', 'alice');
SQL
	# in one transaction, so that the executor finds them together
	$node->safe_psql('app', "SELECT vouch.start_workflow('$kind', '{\"items\": [1, 2]}', '$kind-' || i) FROM generate_series(1, 20) i");
	wait_until($node, 'app', "SELECT count(*) = 20 FROM vouch.executions WHERE workflow = '$kind' AND status <> 'running'", "$kind: all ended");
	is($node->safe_psql('app', <<SQL), '20||', "$kind: nothing is left to another");
SELECT count(*) FILTER (WHERE status = 'succeeded'), max(d ->> 'error'), max(d ->> 'cause')
FROM vouch.executions, vouch.describe_workflow(workflow_id) d WHERE workflow = '$kind'
SQL
}
$node->stop;
done_testing();
