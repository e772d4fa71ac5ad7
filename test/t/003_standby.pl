# A standby runs nothing; promoted, it goes on with what is there.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VouchTest;

my $primary = vouch_node('primary', init => { allows_streaming => 1 });
$primary->start;
vouch_database($primary, 'app');
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

# Work that nobody has taken up when the primary ends.
$primary->safe_psql('postgres', 'ALTER SYSTEM SET vouch.workers = off');
$primary->reload;
no_workers_of($primary, 'app', 'the primary is told not to work');
start_workflow($primary, 'app', 'alice', 'moves', 'public.hit', 'public.hit');
$primary->wait_for_catchup($standby);

is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'vouch%'"), 0,
	'no worker runs on the standby');
like($standby->safe_psql('app', 'SELECT component, state, detail FROM vouch.status()'),
	qr/standby\|waiting\|nothing runs on a standby; promotion starts it/, 'and vouch.status() says why');
is(status_of($standby, 'app', 'moves'), 'running', 'the execution waits');

$primary->stop('immediate');
$standby->promote;
wait_for($standby, 'app', 'moves', 'succeeded');
is($standby->safe_psql('app', 'SELECT count(*) FROM hits'), 2, 'each step took effect once');
like($standby->safe_psql('app', 'SELECT component, state FROM vouch.status()'), qr/dispatcher\|running/,
	'the promoted server has its workers');
$standby->stop;
done_testing();
