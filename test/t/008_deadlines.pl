# The workers remind and end requests when their time comes, without a call; a
# dump carries signatures that are carried, revoked and for parts of a version,
# and the restored copy verifies.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VouchTest;

my $node = vouch_node('main', 'vouch.poll_interval' => '100ms');
$node->start;
vouch_database($node, 'app');
$node->safe_psql('app', <<'SQL');
CREATE ROLE tess LOGIN IN ROLE vouch_user;
CREATE ROLE greg LOGIN IN ROLE vouch_user;
SELECT vouch.grant_role('tess', 'tester'), vouch.grant_role('greg', 'report_owner');
SELECT vouch.define_policy('quick', '{"stages": [{"name": "review", "expire_after": "0.3 seconds",
	"rules": [{"role": "report_owner"}]}]}');
SELECT vouch.define_policy('slow', '{"stages": [{"name": "review", "on_reject": "return", "remind_every": "1 day", "expire_after": "9 days",
	"rules": [{"role": "report_owner", "scope": {"lob_id": "GBM"}, "carry": true, "exclude": []},
		{"role": "report_owner", "scope": {"lob_id": "CARDS"}, "exclude": []}]}]}');
SELECT vouch.set_policy('scoping', 'quick', scope => 'quick'), vouch.set_policy('scoping', 'slow', scope => 'slow');
CREATE TABLE made (name text, v uuid);
GRANT ALL ON made TO vouch_user;
SQL

sub submit
{
	my ($name) = @_;
	$node->safe_psql('app', <<SQL);
SET SESSION AUTHORIZATION tess;
INSERT INTO made SELECT '$name', vouch.create_version('scoping', 8, 1, '[
	{"attribute_id": "g", "lob_id": "GBM", "in_scope": true, "rationale": "material", "risk_rating": "high"},
	{"attribute_id": "c", "lob_id": "CARDS", "in_scope": true, "rationale": "material", "risk_rating": "low"}]', scope => '$name');
SELECT vouch.submit_version(v) FROM made WHERE name = '$name';
SQL
	return;
}

# Time comes, and nobody calls.
submit('quick');
wait_until($node, 'app', <<'SQL', 'a worker ends a request that has run out');
SELECT v ->> 'state' = 'withdrawn' FROM (SELECT vouch.get_version(v) AS v FROM made WHERE name = 'quick') x
SQL
is($node->safe_psql('app', "SELECT string_agg(operation || ' ' || actor, ', ' ORDER BY op_no) FROM vouch_data.operation WHERE operation = 'expire'"),
	'expire @deadline', 'once, in the name of nobody');

submit('slow');
$node->safe_psql('app', <<'SQL');
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.approval_request SET opened_at = opened_at - interval '36 hours', next_at = next_at - interval '36 hours' WHERE policy = 'slow';
COMMIT;
SQL
wait_until($node, 'app', "SELECT count(*) = 1 FROM vouch.reminders WHERE people = '{greg}'", 'a worker reminds');

# A stage that nobody signed is called overdue, and lets another role sign: once each.
$node->safe_psql('app', <<'SQL');
SELECT vouch.define_policy('late', '{"stages": [{"name": "review", "due": "1 day", "escalate_after": "1 day", "escalate_to": "tester",
	"rules": [{"role": "report_owner", "exclude": []}]}]}');
SELECT vouch.set_policy('scoping', 'late', scope => 'late');
SQL
submit('late');
$node->safe_psql('app', <<'SQL');
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.approval_request SET opened_at = opened_at - interval '1 day', next_at = next_at - interval '1 day' WHERE policy = 'late';
COMMIT;
SQL
wait_until($node, 'app', <<'SQL', 'a worker escalates');
SELECT string_agg(kind || ' ' || roles::text, ', ' ORDER BY reminder_no) = 'escalation {tester}, overdue {report_owner}' FROM vouch.reminders WHERE stage = 'review' AND scope = 'late'
SQL
is($node->safe_psql('app', "SELECT next_at FROM vouch_data.approval_request WHERE policy = 'late'"), '', 'and has no more to say');

# An error that will pass, such as a lock that is not had, puts no request off, and ends no worker.
$node->safe_psql('app', <<'SQL');
SELECT vouch.define_policy('hindered', '{"stages": [{"expire_after": "1 day", "rules": [{"role": "report_owner", "exclude": []}]}]}');
SELECT vouch.set_policy('scoping', 'hindered', scope => 'hindered');
SQL
submit('hindered');
my $dispatcher = "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'vouch disp%' AND datname = 'app'";
my $pid = $node->safe_psql('app', $dispatcher);
like($pid, qr/^\d+$/, 'there is a dispatcher');
$node->safe_psql('app', "ALTER SYSTEM SET lock_timeout = '100ms'");
$node->reload;
$node->safe_psql('app', "BEGIN; LOCK TABLE vouch_data.operation IN SHARE MODE; PREPARE TRANSACTION 'hold'");
my $offset = -s $node->logfile;
$node->safe_psql('app', <<'SQL');
BEGIN;
SET LOCAL vouch.restoring = on;
UPDATE vouch_data.approval_request SET opened_at = opened_at - interval '1 day', next_at = next_at - interval '1 day' WHERE policy = 'hindered';
COMMIT;
SQL
$node->wait_for_log(qr/could not process the deadlines of a request: canceling statement due to lock timeout/, $offset);
is($node->safe_psql('app', "SELECT next_at < now() FROM vouch_data.approval_request WHERE policy = 'hindered'"), 't', 'it is due still');
$node->safe_psql('app', "COMMIT PREPARED 'hold'");
wait_until($node, 'app', <<'SQL', 'and done as soon as it can be');
SELECT v ->> 'state' = 'withdrawn' FROM (SELECT vouch.get_version(v) AS v FROM made WHERE name = 'hindered') x
SQL
is($node->safe_psql('app', $dispatcher), $pid, 'by the same dispatcher');
$node->safe_psql('app', 'ALTER SYSTEM RESET lock_timeout');
$node->reload;

# Signed, sent back, carried and taken back.
$node->safe_psql('app', <<'SQL');
SET SESSION AUTHORIZATION greg;
SELECT vouch.decide(v, '{"g": "approved"}') FROM made WHERE name = 'slow';
SELECT vouch.sign_off(v, 'report_owner', true) FROM made WHERE name = 'slow';
SELECT vouch.return_version(v, 'c') FROM made WHERE name = 'slow';
SET SESSION AUTHORIZATION tess;
SELECT vouch.submit_version(v) FROM made WHERE name = 'slow';
SET SESSION AUTHORIZATION greg;
SELECT vouch.revoke_signature(v, NULL, 'again') FROM made WHERE name = 'slow';
SQL
my $rows = "SELECT string_agg(s::text, E'\\n' ORDER BY s::text) FROM vouch_data.signature s";
my $requests = "SELECT string_agg(r::text, E'\\n' ORDER BY r::text) FROM vouch_data.approval_request r";
my $reminders = "SELECT string_agg(m::text, E'\\n' ORDER BY m::text) FROM vouch_data.reminder m";
my $rules = "SELECT string_agg(p::text, E'\\n' ORDER BY p::text) FROM vouch_data.policy_rule p";
is($node->safe_psql('app', "SELECT count(*) FILTER (WHERE from_version_no = 1), count(*) FILTER (WHERE revokes = 1) FROM vouch_data.signature"),
	'1|1', 'a signature is carried, and revoked');

# A dump has all of it, and is restored without a word.
my $dump = $node->basedir . '/app.sql';
my ($out, $err);
IPC::Run::run([ 'pg_dump', '-d', $node->connstr('app'), '-f', $dump ], '>', \$out, '2>', \$err);
is($err, '', 'pg_dump has nothing to warn of');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0');
IPC::Run::run([ 'psql', '-X', '-q', '-d', $node->connstr('copy'), '-f', $dump ], '>', \$out, '2>', \$err);
is($err, '', 'nor has the restore');
is($node->safe_psql('copy', $_), $node->safe_psql('app', $_), 'the copy has the same rows') foreach $rows, $requests, $reminders, $rules;
is($node->safe_psql('copy', "SELECT string_agg(concat_ws(' ', check_name, first_bad, detail), ', ') FROM vouch.verify() WHERE NOT ok"),
	join(', ', ('approvals request 1 of version 1 The log has another opened_at for it.') x 3),
	'and verifies, but for the three requests that were moved in time');

$node->stop;
done_testing();
