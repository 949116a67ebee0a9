#!/bin/sh
# Writes nginx's configuration and lets nginx check it.
set -eu
run=${NGINX_RUN:-/run/nginx}
mkdir -p "$run"
rm -f "$run/draining"
"${CONTAINERPILOT_BINARY:-/containerpilot}" -template -out "$run/nginx.conf" \
    -config "${EXAMPLE_DIR:-/etc/containerpilot}/nginx.conf.template"
nginx -e stderr -q -t -c "$run/nginx.conf"
echo "configuration written: $run/nginx.conf"
