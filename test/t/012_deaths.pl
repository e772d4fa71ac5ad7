# Processes that end in an execution are counted until it gets on, and not
# beyond: two deaths in one activity and two in the next are not four.
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
CREATE SEQUENCE public.first_deaths;
CREATE SEQUENCE public.second_deaths;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC;
-- a sequence is not rolled back
CREATE FUNCTION public.die_first(input jsonb) RETURNS jsonb LANGUAGE sql AS
$$ SELECT CASE WHEN nextval('public.first_deaths') <= 2 THEN to_jsonb(pg_terminate_backend(pg_backend_pid())) ELSE '{}' END $$;
CREATE FUNCTION public.die_second(input jsonb) RETURNS jsonb LANGUAGE sql AS
$$ SELECT CASE WHEN nextval('public.second_deaths') <= 2 THEN to_jsonb(pg_terminate_backend(pg_backend_pid())) ELSE '{}' END $$;
SQL
start_workflow($node, 'app', 'alice', 'unlucky', 'public.hit', 'public.die_first', 'public.die_second', 'public.hit');
wait_until($node, 'app', "SELECT vouch.describe_workflow('unlucky') ->> 'status' <> 'running'", 'it ends');
is(status_of($node, 'app', 'unlucky'), 'succeeded', 'no activity died three times, so none is failed');
is($node->safe_psql('app', 'SELECT count(*) FROM hits'), 2, 'each step took effect once');
is($node->safe_psql('app', 'SELECT last_value FROM first_deaths'), 3, 'the first was run as often as it had to');
is($node->safe_psql('app', 'SELECT last_value FROM second_deaths'), 3, 'the second, too');
$node->stop;
done_testing();
