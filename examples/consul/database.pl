#!/usr/bin/perl
# The smallest database: `visit` counts and says how many there were, `ping` says ok. Argument: port.
use strict;
use warnings;
use IO::Socket::INET;

my ($port) = @ARGV;
my $visits = 0;
$| = 1;
$SIG{TERM} = sub { print "closing after $visits visits\n"; exit 0 };
$SIG{PIPE} = 'IGNORE';

my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 16, ReuseAddr => 1)
    or die "port $port: $@\n";
print "listening on 127.0.0.1:$port\n";

while (1) {
    my $client = $server->accept or next;
    # Who says nothing for a second is not waited for.
    my $word = eval { local $SIG{ALRM} = sub { die }; alarm 1; my $line = <$client>; alarm 0; $line };
    alarm 0;
    next unless defined $word;
    print $client $word =~ /^visit\b/ ? ++$visits . "\n" : "ok\n";
    close $client;
}
