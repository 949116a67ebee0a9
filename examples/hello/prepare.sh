#!/bin/sh
# Makes the page that the server shows.
set -eu
mkdir -p "$1"
printf '<!doctype html>\n<title>hello</title>\n<p>Hello from %s.\n' "$(uname -n)" > "$1/index.html"
echo "the page is ready: $1/index.html"
