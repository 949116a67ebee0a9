#!/usr/bin/perl
# The smallest web server: `/` is the page, `/health` says ok. Arguments: port, directory of the page.
use strict;
use warnings;
use IO::Socket::INET;

my ($port, $dir) = @ARGV;
$| = 1;
$SIG{TERM} = sub { print "closing\n"; exit 0 };
$SIG{PIPE} = 'IGNORE';

my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 16, ReuseAddr => 1)
    or die "port $port: $@\n";
print "listening on 127.0.0.1:$port\n";

while (1) {
    my $client = $server->accept or next;
    # Who says nothing for a second is not waited for.
    my $request = eval {
        local $SIG{ALRM} = sub { die };
        alarm 1;
        my $line = <$client>;
        while (defined(my $header = <$client>)) { last if $header =~ /^\r?$/ }
        alarm 0;
        $line;
    };
    alarm 0;
    next unless defined $request and my ($path) = $request =~ m{^GET (\S+)};
    my ($status, $type, $body) = ('404 Not Found', 'text/plain', "nothing here\n");
    if ($path eq '/health') {
        ($status, $body) = ('200 OK', "ok\n");
    } elsif ($path eq '/' and open my $page, '<', "$dir/index.html") {
        ($status, $type, $body) = ('200 OK', 'text/html', do { local $/; <$page> });
    }
    print "$path: $status\n" if $path ne '/health';
    print $client "HTTP/1.1 $status\r\nContent-Type: $type\r\nContent-Length: @{[length $body]}\r\nConnection: close\r\n\r\n$body";
    close $client;
}
