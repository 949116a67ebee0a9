#!/bin/sh
# Says how busy nginx is. At the start, and while nginx is started again, it tries for some seconds without a word, also when it
# was let in and cut off: `nginx -t` listens for a moment.
set -eu
url="http://127.0.0.1:${PORT:-8080}/statistics"
page=$(curl -fs --max-time 2 --retry 3 --retry-delay 1 --retry-all-errors "$url" || curl -fsS --max-time 1 "$url")
echo "$page" | sed -n 's/^Active connections: *\([0-9]*\).*/active connections: \1/p'
