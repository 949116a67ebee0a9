#!/usr/bin/perl
# Asks a server one thing and passes when the answer says that it is well. Arguments: address, question.
use strict;
use warnings;
use IO::Socket::INET;

my ($address, $question) = @ARGV;
my $server = IO::Socket::INET->new(PeerAddr => $address, Timeout => 1) or die "$address: $@\n";
print $server "$question\r\n\r\n";
my $answer = <$server> // '';
exit($answer =~ /\b(ok|OK)\b/ ? 0 : 1);
