# Perl's LWP and HTTP::Tiny: `perl lwp.pl LWP|Tiny`; asks as python_clients.py does.
use strict;
use warnings;
use HTTP::Tiny;
use LWP::UserAgent;

my %fields = $ENV{COOKIE} ? (Cookie => $ENV{COOKIE}) : ();
if ($ARGV[0] eq "LWP") {
    my $client = LWP::UserAgent->new(max_redirect => 0, ssl_opts => {SSL_ca_file => $ENV{CA}});
    $client->agent($ENV{USER_AGENT}) if $ENV{USER_AGENT};
    print $client->get($ENV{URL}, %fields)->code, "\n";
} else {
    my %agent = $ENV{USER_AGENT} ? (agent => $ENV{USER_AGENT}) : ();
    my $client = HTTP::Tiny->new(%agent, max_redirect => 0, verify_SSL => 1, SSL_options => {SSL_ca_file => $ENV{CA}});
    print $client->get($ENV{URL}, {headers => \%fields})->{status}, "\n";
}
