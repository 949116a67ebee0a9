#!/bin/sh
# Says how busy nginx is.
set -eu
curl -fsS --max-time 2 "http://127.0.0.1:${PORT:-8080}/statistics" | sed -n 's/^Active connections: *\([0-9]*\).*/active connections: \1/p'
