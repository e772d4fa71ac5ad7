# pg_cron starts scheduled workflows, in the name of who scheduled them.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VouchTest;

my $node = vouch_node('main', shared_preload_libraries => 'vouch, pg_cron', 'cron.database_name' => 'app',
	'cron.use_background_workers' => 'on');
$node->start;
plan skip_all => 'pg_cron is not installed'
  if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'") == 0;
vouch_database($node, 'app');
$node->safe_psql('app', 'CREATE EXTENSION pg_cron');
$node->restart;		# its launcher had found no database

my ($status, $out, $err) = $node->psql('app', <<'SQL', extra_params => [ '-U', 'alice' ]);
SELECT vouch.define_workflow('tick', '{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}');
SELECT vouch.schedule_workflow('every-minute', '* * * * *', 'tick', overlap => 'queue');
SQL
like($err, qr/role "alice" may not use pg_cron/, 'who may not use pg_cron is told so');
$node->safe_psql('app', 'GRANT USAGE ON SCHEMA cron TO alice');
is($node->safe_psql('app', <<'SQL', extra_params => [ '-U', 'alice' ]), 't', 'a schedule, and when it will be');
SELECT vouch.schedule_workflow('every-minute', '* * * * *', 'tick', '{"n": 1}', overlap => 'queue')
	BETWEEN now() AND now() + interval '1 min';
SQL
is($node->safe_psql('app', 'SELECT string_agg(jobname, \' \' ORDER BY jobname) FROM cron.job'),
	'vouch:every-minute vouch:every-minute:queued', 'has its jobs');
wait_until($node, 'app', "SELECT count(*) > 0 FROM vouch.executions WHERE workflow = 'tick' AND status = 'succeeded' AND starter = 'alice'",
	'the clock starts it');
is($node->safe_psql('app', "SELECT last_outcome, last_workflow_id LIKE 'every-minute-%' FROM vouch.schedules"), 'started|t', 'as the schedule says');
$node->safe_psql('app', "SELECT vouch.schedule_workflow('every-minute', '* * * * *', 'tick', overlap => 'skip')", extra_params => [ '-U', 'alice' ]);
is($node->safe_psql('app', 'SELECT count(*) FROM cron.job'), 1, 'another policy needs one job');
$node->safe_psql('app', "SELECT vouch.unschedule_workflow('every-minute')", extra_params => [ '-U', 'alice' ]);
is($node->safe_psql('app', 'SELECT count(*) FROM cron.job'), 0, 'and no schedule none');
$node->stop;
done_testing();
