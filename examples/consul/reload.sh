#!/bin/sh
# Writes down where the databases are, one a line, and tells the application if it runs. The watch hands their addresses over
# in the environment. Argument: directory.
set -eu
mkdir -p "$1"
printf '%s\n' "$CONTAINERPILOT_WATCH_DATABASE_ADDRS" > "$1/databases.new"
# In one step, so that nobody reads half a list.
mv "$1/databases.new" "$1/databases"
echo "databases: $(echo $CONTAINERPILOT_WATCH_DATABASE_ADDRS)"
[ -z "${CONTAINERPILOT_APP_PID:-}" ] || kill -HUP "$CONTAINERPILOT_APP_PID"
