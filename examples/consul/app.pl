#!/usr/bin/perl
# The application: `/` counts a visit in the first database that answers, `/health` says ok. It reads where its databases are
# from a file, at the start and on SIGHUP. Arguments: port, that file.
use strict;
use warnings;
use IO::Socket::INET;

my ($port, $file) = @ARGV;
my @databases;

sub load {
    open my $lines, '<', $file or die "$file: $!\n";
    @databases = grep { /\S/ } <$lines>;
    chomp @databases;
    print 'using ', (@databases ? "@databases" : 'no database'), "\n";
}

sub visit {
    for my $database (@databases) {
        my $server = IO::Socket::INET->new(PeerAddr => $database, Timeout => 1) or next;
        print $server "visit\n";
        my $count = <$server> // next;
        chomp $count;
        return "visit $count, says $database\n";
    }
    return undef;
}

$| = 1;
$SIG{HUP} = \&load;
$SIG{TERM} = sub { print "closing\n"; exit 0 };
$SIG{PIPE} = 'IGNORE';
load;

my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 16, ReuseAddr => 1)
    or die "port $port: $@\n";
print "listening on 127.0.0.1:$port\n";

while (1) {
    my $client = $server->accept or next;
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
    my $body = $path eq '/health' ? "ok\n" : visit();
    my $status = defined $body ? '200 OK' : '503 Service Unavailable';
    $body //= "there is no database\n";
    print $client "HTTP/1.1 $status\r\nContent-Length: @{[length $body]}\r\nConnection: close\r\n\r\n$body";
    close $client;
}
