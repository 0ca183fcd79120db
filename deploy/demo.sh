#!/usr/bin/env bash
# Sallyport with real clients and real backends on one machine, in network namespaces of its own.
#
#   deploy/demo.sh [up]     set up, build, start everything, print commands to try
#   deploy/demo.sh check    every path x certificate x TLS version; fails if one answer is not what it should be
#   deploy/demo.sh down     stop it and take everything away again but the build and the PKI
#   deploy/demo.sh stop     the appliance alone;  restart: and start it again
#
# DEMO_BUILD: the build folder (build). DEMO_CONF: another configuration (deploy/demo/sallyport.conf).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")
build=${DEMO_BUILD:-$top/build}
run=$top/build/demo/run
pki=$top/build/demo/pki
conf=${DEMO_CONF:-$here/demo/sallyport.conf}
# shellcheck source=deploy/demo/net.sh
. "$here/demo/net.sh"

die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || die "needs root, for namespaces and packet sockets"

make_all() {
    "$here/setup.sh"
    [ -e "$build/build.ninja" ] || meson setup "$build" "$top" > /dev/null
    ninja -C "$build" control/sallyport control/sallyctl > "$build/demo.log" 2>&1 ||
        { tail -n 40 "$build/demo.log" >&2; die "the build failed"; }
    "$here/demo/pki.sh" "$pki"
}

# True when the process that wrote pid file $1 is there and is called $2.
running() {
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ]
}

fill() {
    sed -e "s|@RUN@|$run|g" -e "s|@PKI@|$pki|g" "$1"
}

make_pages() {
    local p
    mkdir -p "$run/www/unprotected" "$run/www/protected" "$run/www/upload" "$run/www/protected/upload"
    ln -sfn . "$run/www/tls"
    for p in unprotected/unprotected protected/protected protected/confidential main; do
        [ -e "$run/www/$p.html" ] ||
            printf '<!doctype html>\n<title>%s</title>\n<h1>%s</h1>\n' "${p##*/}" "$p" > "$run/www/$p.html"
    done
    [ -e "$run/www/1k.bin" ] || head -c 1024 /dev/urandom > "$run/www/1k.bin"
    [ -e "$run/www/1m.bin" ] || head -c 1048576 /dev/urandom > "$run/www/1m.bin"
}

start_web() {
    ! running "$run/nginx.pid" nginx || return 0
    make_pages
    fill "$here/demo/nginx.conf" > "$run/nginx.conf"
    fill "$here/demo/pages.conf" > "$run/pages.conf"
    ip netns exec $NS_WEB nginx -e "$run/nginx-error.log" -c "$run/nginx.conf" || die "nginx does not start"
}

start_gateway() {
    local i
    ! running "$run/sallyport.pid" sallyport || return 0
    fill "$conf" > "$run/sallyport.conf"
    "$build/control/sallyport" -c "$run/sallyport.conf" --check > "$run/check.log" 2>&1 ||
        { cat "$run/check.log" >&2; die "the configuration has mistakes"; }
    ip netns exec $NS_NET setsid "$build/control/sallyport" -c "$run/sallyport.conf" \
        >> "$run/sallyport.out" 2>&1 < /dev/null &
    echo $! > "$run/sallyport.pid"
    for i in $(seq 600); do
        if "$build/control/sallyctl" -s "$run/control.sock" status > /dev/null 2>&1; then
            return 0
        fi
        running "$run/sallyport.pid" sallyport || [ "$i" -lt 5 ] || break
        sleep 0.1
    done
    cat "$run/sallyport.out" "$run/error.log" >&2 2>/dev/null || true
    die "the appliance does not start"
}

stop() { # PIDFILE NAME
    local pid
    if running "$1" "$2"; then
        pid=$(cat "$1")
        kill "$pid"
        for _ in $(seq 600); do
            [ -d "/proc/$pid" ] || break
            sleep 0.1
        done
        [ ! -d "/proc/$pid" ] || { printf 'demo: %s does not end, so it is killed\n' "$2" >&2; kill -9 "$pid"; }
    fi
    rm -f "$1"
}

up() {
    make_all
    mkdir -p "$run"
    net_whole || { net_down; net_up; }
    start_web
    start_gateway
}

down() {
    stop "$run/sallyport.pid" sallyport
    stop "$run/nginx.pid" nginx
    net_down
    rm -rf "$run"
}

hints() {
    local c="ip netns exec $NS_CLIENT curl --cacert $pki/root.crt --resolve gw.example:443:10.77.0.1"
    cat <<X

The appliance answers at 10.77.0.1:443 as gw.example and api.gw.example. Try:

  # everybody may see this
  $c https://gw.example/unprotected/unprotected.html
  # 403 without a certificate
  $c -i https://gw.example/protected/confidential.html
  # 200 with one
  $c --cert $pki/good.crt --key $pki/good.key https://gw.example/protected/confidential.html
  # who the backend is told you are
  $c --cert $pki/good.crt --key $pki/good.key https://gw.example/protected/whoami
  # refused: expired, of another CA, chain too long
  $c --cert $pki/expired.crt --key $pki/expired.key https://gw.example/protected/confidential.html
  ip netns exec $NS_CLIENT openssl s_client -connect 10.77.0.1:443 -servername gw.example -CAfile $pki/root.crt

  $build/control/sallyctl -s $run/control.sock status
  $build/control/sallyctl -s $run/control.sock stats
  tail $run/access.log $run/error.log

  deploy/demo.sh check     the whole matrix
  deploy/demo.sh down      away with it
X
}

case ${1:-up} in
up)
    up
    hints
    ;;
check)
    up
    exec "$here/demo/check.sh" "$pki" "$run"
    ;;
stop) stop "$run/sallyport.pid" sallyport ;;
restart)
    stop "$run/sallyport.pid" sallyport
    start_gateway
    ;;
down) down ;;
*) die "unknown command $1: up, check, stop, restart or down" ;;
esac
