#!/usr/bin/env bash
# nginx and Sallyport, each on one pinned core over the same veth, with the same client on the other core, taking
# turns in one run. Prints medians and ratios.
#
#   tests/bench/run.sh [ROUNDS [SECONDS [TEST...]]]     (3 rounds of 4 seconds for each figure, all tests)
#
# handshake  new connection, full handshake with client certificate (TLS 1.3, P-256), one request of 1 KB, close
# handshake12  the same with TLS 1.2
# keepalive  requests of 1 KB per second on 64 connections, answered by the server itself
# proxied    the same from a backend (nginx, plain HTTP, on the client's core)
# bulk       MB/s of 1 MB bodies from that backend, 8 connections
# idle       memory per idle connection, in KB
#
# BENCH_SERVERS: others than "nginx sallyport": haproxy too, and "sallyport-forgets" for memory.verdicts = false; the
# table then has a column for each, and ratios to the first.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$(dirname "$here")")
build=${DEMO_BUILD:-$top/build}
rounds=${1:-3} seconds=${2:-4} only="${*:3}"
to=(-H bench.example -t "$seconds")
run=$top/build/bench
pki=$run/pki
SERVER=spbench-server CLIENT=spbench-client
SERVER_CPU=0 CLIENT_CPU=1
idle_conns=4000
read -ra servers <<< "${BENCH_SERVERS:-nginx sallyport}"
# shellcheck source=deploy/demo/net.sh
. "$top/deploy/demo/net.sh"
pids=()

die() {
    printf 'bench: %s\n' "$*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || die "needs root"
[ "$(nproc)" -ge 2 ] || die "needs two cores"

cleanup() {
    local p
    for p in "${pids[@]}"; do
        kill "$p" 2>/dev/null || true
    done
    [ ! -e "$run/backend.pid" ] || kill "$(cat "$run/backend.pid")" 2>/dev/null || true
    [ ! -e "$run/nginx.pid" ] || kill "$(cat "$run/nginx.pid")" 2>/dev/null || true
    ip netns del $SERVER 2>/dev/null || true
    ip netns del $CLIENT 2>/dev/null || true
}

network() {
    local ns
    for ns in $SERVER $CLIENT; do
        ip netns add "$ns"
        ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
        ip -n "$ns" link set lo up
    done
    ip -n $SERVER link add gw0 type veth peer name eth0 netns $CLIENT
    for ns in "$SERVER gw0" "$CLIENT eth0"; do
        # shellcheck disable=SC2086
        set -- $ns
        # Checksums must be true for who reads frames: off for both, so that both pay for them.
        ip netns exec "$1" ethtool -K "$2" tx off rx off tso off gso off gro off > /dev/null
        ip -n "$1" link set "$2" up
    done
    ip -n $CLIENT addr add 10.78.0.100/24 dev eth0
    ip -n $CLIENT addr add 10.78.0.11/24 dev eth0
    ip netns exec $CLIENT sysctl -qw net.ipv4.ip_local_port_range="2000 65000" net.ipv4.tcp_tw_reuse=1
    # Each side's packets are worked on by its own core.
    ip netns exec $CLIENT sh -c "echo $((1 << CLIENT_CPU)) > /sys/class/net/eth0/queues/rx-0/rps_cpus" || true
    ip netns exec $SERVER sh -c "echo $((1 << SERVER_CPU)) > /sys/class/net/gw0/queues/rx-0/rps_cpus" || true
}

configure() {
    mkdir -p "$run/www"
    head -c 1024 /dev/zero | tr '\0' x > "$run/www/1k"
    head -c 1048576 /dev/urandom > "$run/www/1m"
    local k
    k=$(cat "$run/www/1k")
    cat > "$run/backend.conf" <<X
worker_processes 1; pid $run/backend.pid; error_log $run/backend.log;
events { worker_connections 8192; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 1h; root $run/www; sendfile on;
  client_body_temp_path $run/t1; proxy_temp_path $run/t2; fastcgi_temp_path $run/t3; uwsgi_temp_path $run/t4; scgi_temp_path $run/t5;
  server { listen 10.78.0.11:8080 backlog=4096; } }
X
    cat > "$run/nginx.conf" <<X
user root; worker_processes 1; pid $run/nginx.pid; error_log $run/nginx.log; worker_rlimit_nofile 20000;
worker_cpu_affinity $(printf '%*s' $((SERVER_CPU + 1)) 1 | tr ' ' 0 | rev);
events { worker_connections 16384; }
http { access_log $run/nginx-access.log; keepalive_requests 100000000; keepalive_timeout 1h;
  client_body_temp_path $run/t1; proxy_temp_path $run/t2; fastcgi_temp_path $run/t3; uwsgi_temp_path $run/t4; scgi_temp_path $run/t5;
  upstream b { server 10.78.0.11:8080; keepalive 64; keepalive_requests 100000000; }
  server { listen 10.78.0.1:443 ssl backlog=4096; server_name bench.example; ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate $pki/server.crt; ssl_certificate_key $pki/server.key;
    ssl_client_certificate $pki/root.crt; ssl_verify_client on; ssl_verify_depth 2; ssl_ecdh_curve prime256v1;
    location = /1k { default_type text/plain; return 200 "$k"; }
    location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; rewrite ^/b/(.*) /\$1 break;
      proxy_set_header X-SSL-Client-S-DN \$ssl_client_s_dn; proxy_set_header X-SSL-Client-Verify \$ssl_client_verify; } } }
X
    mkdir -p "$run/www/b"
    cp "$run/www/1k" "$run/www/1m" "$run/www/b/"
    cat > "$run/sallyport.conf" <<X
cores = [ $SERVER_CPU ]; poll = "always";
ports = ( { device = "af_packet:gw0"; addresses = [ "10.78.0.1/24" ]; } );
memory = { buffers_mb = 192; connections = 20000; tls_heap_mb = 256; };
control = { socket = "$run/control.sock"; };
trust = ( { name = "clients"; anchors = [ "$pki/root.crt" ]; } );
identities = ( { name = "gw"; cert = "$pki/server.crt"; key = "$pki/server.key"; } );
tls = { groups = "P-256"; };
listeners = ( { address = "10.78.0.1:443"; default_host = "bench.example"; } );
hosts = ( { name = "bench.example"; identities = [ "gw" ];
  client_cert = { mode = "require"; trust = [ "clients" ]; on_bad = "tls"; on_missing = "tls"; };
  locations = ( { path = "/1k"; respond = { body = "$k"; }; }, { path = "/b"; upstream = "b"; } ); } );
upstreams = ( { name = "b"; members = ( { address = "10.78.0.11:8080"; } ); timeouts = { idle = "1h"; }; } );
timeouts = { keepalive = "1h"; };
access_log = { path = "$run/sallyport-access.log"; };
error_log = { path = "$run/sallyport-error.log"; };
X
}

configure_haproxy() {
    cat "$pki/server.crt" "$pki/server.key" > "$run/server.pem"
    cat > "$run/haproxy.cfg" <<X
global
    nbthread 1
    cpu-map 1 $SERVER_CPU
    maxconn 9000
    pidfile $run/haproxy.pid
    tune.ssl.default-dh-param 2048
    ssl-default-bind-curves P-256
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout http-keep-alive 1h
frontend f
    bind 10.78.0.1:443 ssl crt $run/server.pem ca-file $pki/root.crt verify required ssl-min-ver TLSv1.2 curves P-256 alpn http/1.1
    http-request return status 200 content-type text/plain file $run/www/1k if { path /1k }
    default_backend b
backend b
    server b 10.78.0.11:8080
X
}

start_haproxy() {
    ip -n $SERVER addr add 10.78.0.1/24 dev gw0
    ip netns exec $SERVER haproxy -f "$run/haproxy.cfg" -W -D > "$run/haproxy.log" 2>&1
    until [ -s "$run/haproxy.pid" ]; do sleep 0.1; done
}

stop_haproxy() {
    local pid
    pid=$(cat "$run/haproxy.pid")
    kill "$pid"
    while [ -d "/proc/$pid" ]; do sleep 0.1; done
    rm -f "$run/haproxy.pid"
    ip -n $SERVER addr del 10.78.0.1/24 dev gw0
    ip -n $CLIENT neigh flush dev eth0
}

start_sallyport-forgets() {
    sed 's/^memory = {/memory = { verdicts = false;/' "$run/sallyport.conf" > "$run/sallyport-forgets.conf"
    start_sallyport "$run/sallyport-forgets.conf"
}

stop_sallyport-forgets() {
    stop_sallyport
}

start_nginx() {
    ip -n $SERVER addr add 10.78.0.1/24 dev gw0
    ip netns exec $SERVER nginx -c "$run/nginx.conf" -e "$run/nginx.log"
    until [ -s "$run/nginx.pid" ]; do sleep 0.1; done
    server_pid=$(pgrep -P "$(cat "$run/nginx.pid")" | head -n 1)
}

stop_nginx() {
    kill "$(cat "$run/nginx.pid")"
    while [ -e "$run/nginx.pid" ]; do sleep 0.1; done
    ip -n $SERVER addr del 10.78.0.1/24 dev gw0
    ip -n $CLIENT neigh flush dev eth0
}

start_sallyport() {
    net_ours $SERVER gw0
    ip netns exec $SERVER "$build/control/sallyport" -c "${1:-$run/sallyport.conf}" > "$run/sallyport.out" 2>&1 &
    server_pid=$!
    pids+=("$server_pid")
    for _ in $(seq 100); do
        ! "$build/control/sallyctl" -s "$run/control.sock" status > /dev/null 2>&1 || return 0
        sleep 0.1
    done
    cat "$run/sallyport.out" >&2
    die "Sallyport does not start"
}

stop_sallyport() {
    kill "$server_pid"
    wait "$server_pid" || true
    ip netns exec $SERVER nft delete table netdev ours
    ip -n $CLIENT neigh flush dev eth0
}

client() {
    ip netns exec $CLIENT taskset -c $CLIENT_CPU "$build/tests/bench/bench-client" "$@" \
        -C "$pki/client.crt" -K "$pki/client.key"
}

# Microseconds the server has worked: the core's turns that had packets (it never sleeps), or what its CPU was not idle.
busy_us() { # nginx|sallyport
    if [[ $1 = sallyport* ]]; then
        "$build/control/sallyctl" -s "$run/control.sock" --json stats | jq '.. | objects | select(.counter == "busy_us").value'
    else
        cpu_us $SERVER_CPU
    fi
}

cpu_us() { # CPU
    awk -v cpu="cpu$1" '$1 == cpu { printf "%.0f\n", ($2 + $3 + $4 + $7 + $8) * 10000 }' /proc/stat
}

# One run of the client: its line of JSON, with the share of the time that server and client were busy.
# A run with errors is said to have had them.
figure() { # nginx|sallyport TEST, then the client's arguments
    local server=$1 file=$run/$1.$2 line s c begin
    shift 2
    begin=$(date +%s%N) s=$(busy_us "$server") c=$(cpu_us $CLIENT_CPU)
    line=$(client "$@" "${to[@]}") || printf 'bench: %s: %s: %s\n' "$server" "$*" "$line" >&2
    jq -c ". + {us: $((($(date +%s%N) - begin) / 1000)), s: $(($(busy_us "$server") - s)), c: $(($(cpu_us $CLIENT_CPU) - c))}
        | . + {server: ([1, .s / .us] | min), client: ([1, .c / .us] | min)}" <<< "$line" >> "$file"
}

# Memory that belongs to connections: what the process got, or, of a pool taken at start, what is in use.
memory_kb() { # nginx|sallyport
    if [ "$1" = nginx ]; then
        awk '/VmRSS/ { print $2 }' "/proc/$server_pid/status"
    else
        "$build/control/sallyctl" -s "$run/control.sock" --json status |
            jq '[.cores[] | .memory_used_kb + (.buffers - .buffers_free) * 2.25] | add | floor'
    fi
}

idle_kb() { # nginx|sallyport
    local before after fifo=$run/idle.fifo
    rm -f "$fifo" "$run/idle.out"
    mkfifo "$fifo"
    before=$(memory_kb "$1")
    exec 9<> "$fifo" # both ways: to open it must not wait for a client that may have failed
    client idle 10.78.0.1 443 -H bench.example -p /1k -n $idle_conns -t 120 < "$fifo" > "$run/idle.out" 9>&- &
    for _ in $(seq 1200); do
        ! grep -q held "$run/idle.out" || break
        sleep 0.1
    done
    grep -q "\"held\": $idle_conns" "$run/idle.out" || printf 'bench: idle: %s\n' "$(cat "$run/idle.out")" >&2
    sleep 2
    after=$(memory_kb "$1")
    echo >&9
    exec 9>&-
    wait $! || true
    awk "BEGIN { printf \"%.2f\n\", ($after - $before) / $idle_conns }"
}

# test|figure|the client's arguments|what it is
tests=(
    'handshake|rate|handshake -n 32 -p /1k|full mTLS 1.3 handshakes/s'
    'handshake12|rate|handshake -v 1.2 -n 32 -p /1k|full mTLS 1.2 handshakes/s'
    'keepalive|rate|keepalive -n 64 -p /1k|requests/s, kept connections'
    'proxied|rate|keepalive -n 64 -p /b/1k|requests/s, through to a backend'
    'bulk|mb_s|bulk -n 8 -p /b/1m|MB/s, 1 MB bodies'
)

wanted() { # TEST
    [[ " ${only:-$1} " == *" $1 "* ]]
}

measure() { # nginx|sallyport
    local t name args
    start_"$1"
    for t in "${tests[@]}"; do
        IFS='|' read -r name _ args _ <<< "$t"
        read -ra args <<< "$args"
        if wanted "$name"; then
            figure "$1" "$name" "${args[0]}" 10.78.0.1 443 "${args[@]:1}"
        fi
    done
    if wanted idle; then
        idle_kb "$1" >> "$run/$1.idle"
    fi
    stop_"$1"
}

median() { # FILE, or FILE and the key of its lines of JSON
    jq -s "map(.${2-}) | sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2" "$1"
}

row() { # TEST FIGURE TEXT
    local n s side out=()
    n=$(median "$run/nginx.$1" "$2")
    s=$(median "$run/sallyport.$1" "$2")
    for side in nginx sallyport; do
        out+=("$(awk "BEGIN { printf \"%.1f\", $([ $side = nginx ] && echo "$n" || echo "$s") }")")
        if [ -n "$2" ]; then
            out+=("$(awk "BEGIN { printf \"%.1f/%.1f\", $(median "$run/$side.$1" p50_us) / 1000, $(median "$run/$side.$1" p99_us) / 1000 }")"
                "$(awk "BEGIN { printf \"%.0f/%.0f\", $(median "$run/$side.$1" server) * 100, $(median "$run/$side.$1" client) * 100 }")")
        else
            out+=('' '')
        fi
    done
    printf '%-33s %9s %11s %8s  %9s %11s %8s  %6.2f\n' "$3" "${out[@]}" "$(awk "BEGIN { print $s / $n }")"
}

# A column for each server.
wide() {
    local t name key what first server n
    printf '%-33s' "median of $rounds"
    printf ' %18s' "${servers[@]}"
    printf '\n'
    for t in "${tests[@]}"; do
        IFS='|' read -r name key _ what <<< "$t"
        wanted "$name" || continue
        printf '%-33s' "$what"
        first=$(median "$run/${servers[0]}.$name" "$key")
        for server in "${servers[@]}"; do
            n=$(median "$run/$server.$name" "$key")
            printf ' %11.1f (%.2f)' "$n" "$(awk "BEGIN { print $n / $first }")"
        done
        printf '\n'
    done
}

table() {
    local t name key what
    printf '%-33s %30s  %30s\n' "" "-------------- nginx ---------" "------------ Sallyport -------"
    printf '%-33s %9s %11s %8s  %9s %11s %8s  %6s\n' "median of $rounds" \
        figure 'p50/p99 ms' 'busy %' figure 'p50/p99 ms' 'busy %' ratio
    for t in "${tests[@]}"; do
        IFS='|' read -r name key _ what <<< "$t"
        ! wanted "$name" || row "$name" "$key" "$what"
    done
    ! wanted idle || row idle '' 'KB per idle connection'
    echo 'busy: server/client. Client: its CPU, with the backend and the log writer there.'
}

"$top/deploy/setup.sh"
[ -e "$build/build.ninja" ] || meson setup "$build" "$top" > /dev/null
ninja -C "$build" control/sallyport control/sallyctl tests/bench/bench-client > /dev/null
# Two at once would measure each other, and the second one's end would take the namespaces from the first.
for ns in $SERVER $CLIENT; do
    [ ! -e "/run/netns/$ns" ] || die "$ns is there: a bench is running, or one was killed (then: ip netns del $ns)"
done
rm -rf "$run"
mkdir -p "$run"
"$top/deploy/demo/pki.sh" "$pki"
cp "$pki/good.crt" "$pki/client.crt"
cp "$pki/good.key" "$pki/client.key"
cleanup # of a run that was broken off
trap cleanup EXIT
ulimit -n 20000
network
configure
[[ " ${servers[*]} " != *" haproxy "* ]] || configure_haproxy
ip netns exec $CLIENT taskset -c $CLIENT_CPU nginx -c "$run/backend.conf" -e "$run/backend.log"
for _ in $(seq "$rounds"); do
    for server in "${servers[@]}"; do
        measure "$server"
    done
done
if [ "${servers[*]}" = "nginx sallyport" ]; then
    table | tee "$run/result.txt"
else
    wide | tee "$run/result.txt"
fi
