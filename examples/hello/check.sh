#!/bin/bash
# Passes when the server says that it is well. Argument: port. No curl: bash opens connections by itself.
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
printf 'GET /health HTTP/1.0\r\n\r\n' >&3
read -r _ status _ <&3
[[ $status == 200 ]]
