# The examples of docs/approval.md run as they are printed, one after the other.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VouchTest;

my $page = slurp_file("$FindBin::RealBin/../../docs/approval.md");
my @blocks = $page =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar @blocks, '>', 15, 'the page has examples');

my $node = vouch_node('docs');
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE app');
$node->safe_psql('app', 'CREATE EXTENSION vouch');
my ($out, $err) = ('', '');
my $code = $node->psql('app', join("\n", @blocks), stdout => \$out, stderr => \$err, on_error_stop => 1);
is($err, '', 'no example has anything to complain of');
is($code, 0, 'all of them run');

# Each field that the reference lists is used by some example.
my %listed = map { $_ => 1 } map { /`(\w+)`/g } map { /^\| ((?:`\w+`(?:, )?)+) \|/mg } $page =~ /^### (?:The policy|Stages|Rules)\n(.*?)(?=^#)/msg;
my @policies = map { /define_policy\('\w+', '(.*?)'\)/sg } @blocks;
my @unused = grep { my $field = $_; !grep { /"$field"/ } @policies } sort keys %listed;
is("@unused", '', 'the examples use all fields');
cmp_ok(scalar keys %listed, '>=', 25, 'which are many');

$node->stop;
done_testing();
