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

# Two things are logged, and the first of them is in a block.
my $log = sub {
	my ($database, $subject) = @_;
	$node->safe_psql($database, <<SQL);
SELECT vouch.create_version('scoping', subject => '$subject', items => '[{"attribute_id": "a", "in_scope": true}]')
SQL
};
$log->('app', 'first');
ok($node->poll_query_until('app', 'SELECT vouch.seal() > 0'), 'the log is sealed');
$log->('app', 'second');
my $anchors = $node->safe_psql('app', 'SELECT jsonb_agg(a) FROM vouch.export_anchors() a');

# Somebody holds a role, and delegates it: that is in the log, too.
$node->safe_psql('app', <<'SQL');
SELECT vouch.grant_role('postgres', 'report_owner');
SELECT vouch.delegate('alice', 'report_owner', reason => 'on leave');
SQL

# Tables that are tracked, one of them partitioned.
$node->safe_psql('app', <<'SQL');
SELECT vouch.define_phase('limits', 'Limits', 'id');
CREATE TABLE limits (id int PRIMARY KEY, amount int);
CREATE TABLE parts (id int PRIMARY KEY, amount int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
INSERT INTO limits VALUES (1, 10), (2, 20);
SELECT vouch.track_table('limits', 'limits'), vouch.track_table('parts', 'limits');
INSERT INTO parts VALUES (1, 10);
CREATE SCHEMA zoo;		-- a dump of data has it after the versions
CREATE TABLE zoo.limits (id int PRIMARY KEY, amount int);
INSERT INTO zoo.limits VALUES (1, 30);
SELECT vouch.track_table('zoo.limits', 'limits');
SQL
my $tracked = <<'SQL';
SELECT string_agg(concat_ws(' ', t.source, i.item_key, i.payload ->> 'amount'), ', ' ORDER BY t.source::text, i.item_no),
	(SELECT count(*) FROM vouch_data.operation)
FROM vouch.tracked_tables t, vouch.version_items(t.version_id) i
SQL
my $recorded = $node->safe_psql('app', $tracked);
like($recorded, qr/limits 1 10, limits 2 20, parts 1 10, zoo.limits 1 30/, 'tracked tables are recorded');

my $dump = $node->basedir . '/app.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('app'), '-f', $dump ], 'pg_dump');

# First the definitions, and then the data: the triggers are there when the rows come.
$node->safe_psql('postgres', 'CREATE DATABASE apart TEMPLATE template0');
foreach my $part ('--schema-only', '--data-only')
{
	my ($out, $err);
	my $of = "$dump$part";
	$node->command_ok([ 'pg_dump', $part, '-d', $node->connstr('app'), '-f', $of ], "pg_dump $part");
	IPC::Run::run([ 'psql', '-X', '-q', '-d', $node->connstr('apart'), '-f', $of ], '>', \$out, '2>', \$err);
	is($err, '', "restore of it");
}
is($node->safe_psql('apart', $tracked), $recorded, 'tracked rows that came apart from their triggers were not recorded again');
is($node->safe_psql('apart', 'SELECT count(*) FROM vouch.verify() WHERE NOT ok'), 0, 'and verify');
$node->safe_psql('apart', "SET check_function_bodies = off; SET row_security = off; SELECT set_config('search_path', '', false);"
	  . 'INSERT INTO zoo.limits VALUES (2, 40)');
like($node->safe_psql('apart', $tracked), qr/zoo.limits 1 30, zoo.limits 2 40/, 'one that the version does not have is');

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

	is($node->safe_psql($name, $tracked), $recorded, 'tracked rows came with the dump, and were not recorded again');
	$node->safe_psql($name, 'UPDATE limits SET amount = 11 WHERE id = 1; INSERT INTO parts_1 VALUES (2, 20)');
	like($node->safe_psql($name, $tracked), qr/limits 1 11, limits 2 20, parts 1 10, parts 2 20, zoo.limits 1 30/,
		'the tables of the copy are tracked');
	is($node->safe_psql($name, 'SELECT count(*) FROM vouch.verify() WHERE NOT ok'), 0, 'and verify');

	is(status_of($node, $name, 'moves'), 'running', 'the execution is in the copy');
	wait_until($node, $name, <<'SQL', 'its dispatcher sees that it is a copy');
SELECT state = 'disabled' AND detail LIKE '%adopt_database%' AND hint IS NOT NULL
FROM vouch.status() WHERE component = 'dispatcher'
SQL
	my ($status, $out, $err) = $node->psql($name, 'CALL vouch.run_worker()');
	like($err, qr/workflows are not advanced in this database: restored from another database/,
		'nor can they be advanced by hand');
	($status, $out, $err) = $node->psql($name, 'SELECT vouch.seal()');
	like($err, qr/this database is a copy that has not been adopted/, 'nor is anything sealed');
	is($node->safe_psql($name, 'SELECT count(*) FROM hits'), 0, 'nothing ran');

	$node->safe_psql($name, 'SELECT vouch.adopt_database()');
	wait_for($node, $name, 'moves', 'succeeded');
	is($node->safe_psql($name, 'SELECT count(*) FROM hits'), 2, 'told to, it runs each step once');

	# What the original had not sealed yet goes into a block of its era; then another begins.
	$log->($name, 'third');
	ok($node->poll_query_until($name, "SELECT (SELECT vouch.seal()) IS NOT NULL AND count(DISTINCT era) = 2 FROM vouch.blocks"),
		'a new era begins');
	is($node->safe_psql($name, "SELECT block_no, era, operations, prev_hash IS NOT NULL FROM vouch.blocks ORDER BY 1"),
		"1|1|1|f\n2|1|13|t\n3|2|3|t", 'with blocks that continue those of the original');
	is($node->safe_psql($name, "SELECT string_agg(check_name || ' ' || first_bad || ' ' || detail, ',') FROM vouch.verify() WHERE NOT ok"),
		'', 'and everything is as it was');
	is($node->safe_psql($name, "SELECT ok, checked FROM vouch.check_anchor('$anchors')"), 't|1', 'also by the anchors of the original');
	start_workflow($node, $name, 'alice', 'new', 'public.hit');
	wait_for($node, $name, 'new', 'succeeded');
}
is($node->safe_psql('app', 'SELECT count(*) FROM hits'), 0, 'nothing of that ran in the original');

# A parallel restore keeps no order of tables, so none may need another one's rows.
$node->safe_psql('app', <<'SQL');
SELECT vouch.define_policy('two', '{"stages": [{"rules": [{"role": "test_lead"}, {"role": "report_owner"}]}]}');
SELECT vouch.set_policy('limits', 'two', scope => 'retail');
SELECT vouch.grant_role('alice', 'tester');
SET SESSION AUTHORIZATION alice;
DO $$
BEGIN
	PERFORM vouch.submit_version(vouch.create_version('scoping', subject => 'subject ' || n, items => '[{"attribute_id": "a", "in_scope": true}]'),
		notes => repeat('n', 1000)) FROM generate_series(1, 100) n;
END
$$;
SELECT vouch.define_workflow('many' || n, '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}') FROM generate_series(1, 20) n;
SQL
is($node->safe_psql('app', "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'vouch_data'::regnamespace"),
	0, 'no table of ours has a foreign key');
my $archive = $node->basedir . '/app.dump';
$node->command_ok([ 'pg_dump', '-Fc', '-d', $node->connstr('app'), '-f', $archive ], 'pg_dump -Fc');
my $rows = <<'SQL';
SELECT string_agg(format('%s %s', c.relname, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM vouch_data.%I', c.relname),
	false, true, '')))[1]), ', ' ORDER BY c.relname COLLATE "C")
FROM pg_class c, pg_extension e WHERE e.extname = 'vouch' AND c.oid = ANY (e.extconfig) AND c.relname <> 'adoption'
SQL
my $kept = $node->safe_psql('app', $rows);
like($kept, qr/approval_request 100, .*policy_rule [1-9].*workflow_revision/, 'there is something to restore');
foreach my $setting ('vouch.restoring = on', 'vouch.workers = off')
{
	my $name = 'parallel_' . ($setting =~ /(\w+) =/)[0];
	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0");
	$node->safe_psql('postgres', "ALTER DATABASE $name SET $setting");
	$node->command_ok([ 'pg_restore', '-j2', '-d', $node->connstr($name), $archive ], "pg_restore -j with $setting");
	is($node->safe_psql($name, $rows), $kept, 'all rows are there');
	is($node->safe_psql($name, 'SELECT count(*) FROM vouch.verify() WHERE NOT ok'), 0, 'and verify');
}

# To drop the extension drops the evidence: it is said, and then done.
{
	my ($status, $out, $err) = $node->psql('plain', 'DROP EXTENSION vouch CASCADE');
	is($status, 0, 'DROP EXTENSION works');
	like($err, qr/WARNING:  dropping extension "vouch" drops its records with it.*The log has \d+ operations in \d+ blocks.*export_anchors/s,
		'and warns of what goes with it');
	is($node->safe_psql('plain', "SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'vouch%'"), 0, 'its event triggers are gone');
	($status, $out, $err) = $node->psql('plain', 'CREATE EXTENSION vouch CASCADE; DROP EXTENSION vouch');
	unlike($err, qr/WARNING/, 'where nothing was recorded nothing is warned of');
}

# vouch.restoring keeps workers out of a database while it is set for it.
$node->safe_psql('postgres', 'ALTER DATABASE careful SET vouch.restoring = on');
wait_until($node, 'careful', <<'SQL', 'vouch.restoring of a database keeps workers out');
SELECT state = 'disabled' AND detail LIKE '%vouch.restoring is on%' FROM vouch.status() WHERE component = 'dispatcher'
SQL

$node->stop;
done_testing();
