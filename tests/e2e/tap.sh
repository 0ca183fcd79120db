#!/usr/bin/env bash
# The same binary on a TAP device of two queues with two cores, in a namespace of its own: first with checksums and
# segments of ours, then with those of the device (which is DPDK's TAP driver here).
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${DEMO_BUILD:-$top/build}
run=$top/build/demo/tap pki=$top/build/demo/pki ns=${DEMO_NS:-sallyport}-tap
pid= web= cores=1
[ "$(nproc)" = 1 ] || cores='[ 0, 1 ]'

end() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    [ -z "$web" ] || kill "$web" 2>/dev/null || true
    [ -z "$pid" ] || wait "$pid" 2>/dev/null || true
    ip netns del $ns 2>/dev/null || true
}

fail() {
    cat "$run/out" >&2
    printf 'tap: %s\n' "$*" >&2
    exit 1
}

stat() { # BLOCK NAME
    "$build/control/sallyctl" -s "$run/control.sock" stats "$1" | awk -v n="$2" '$1 == n { print $2 }'
}

client() {
    ip netns exec $ns curl -sS -m 60 --cacert "$pki/root.crt" --resolve gw.example:443:10.77.0.1 "$@"
}

go() { # OFFLOAD
    sed -e "s|@PKI@|$pki|g; s|@RUN@|$run|g; s|af_packet:gw0\"|tap:sptap0\"; offload = \"$1\"; mtu = 1400|; s|^cores = 1;|cores = $cores;|" \
        "$top/deploy/demo/sallyport.conf" > "$run/conf"
    ip netns exec $ns "$build/control/sallyport" -c "$run/conf" > "$run/out" 2>&1 &
    pid=$!
    for _ in $(seq 600); do
        ! grep -q ready "$run/out" || break
        sleep 0.1
    done
    ip -n $ns link set sptap0 up || fail "no device"
    ip -n $ns addr add 10.77.0.50/24 dev sptap0
    ip -n $ns addr add 10.77.0.11/24 dev sptap0
    for i in $(seq 60); do
        got=$(client https://gw.example/health 2>&1) || fail "request $i: $got"
        [ "$got" = ok ] || fail "request $i: $got"
    done
    for i in $(seq 5); do
        client -o "$run/got" https://gw.example/8m.bin || fail "8 MB: curl exit $?"
        cmp "$run/got" "$run/www/8m.bin" || fail "8 MB came out wrong"
    done
    # A ticket opens on whichever core the next connection lands.
    tls() {
        ip netns exec $ns timeout 40 openssl s_client -connect 10.77.0.1:443 -servername gw.example -tls1_2 \
            -cert "$pki/good.crt" -cert_chain "$pki/good.crt" -key "$pki/good.key" "$@" 2>/dev/null < /dev/null | grep -E '^(New|Reused),'
    }
    tls -sess_out "$run/sess" | grep -q ^New || fail "no full handshake"
    for i in $(seq 20); do
        tls -sess_in "$run/sess" | grep -q ^Reused || fail "resumption $i: a full handshake"
    done
    runs=$(stat tcp TcpExtSegmentRuns)
    [ "$1" = on ] && [ "${runs:-0}" -lt 100 ] && fail "only ${runs:-0} runs were left to the device"
    [ "$1" = auto ] && [ "${runs:-0}" != 0 ] && fail "$runs runs were left to a device that is no better than we"
    status=$("$build/control/sallyctl" -s "$run/control.sock" --json status)
    printf 'tap: 60 requests, 40 MB, 20 resumptions over two queues; %s, %s runs\n' "$(jq -r '.ports[0].is' <<< "$status")" "${runs:-0}"
    kill "$pid"
    wait "$pid" || fail "exit code $?"
    pid=
    ! grep -aE 'Sanitizer|runtime error' "$run/out" || fail "a sanitizer"
}

trap end EXIT
rm -rf "$run"
mkdir -p "$run/www"
head -c 8388608 /dev/urandom > "$run/www/8m.bin"
"$top/deploy/demo/pki.sh" "$pki"
ip netns add $ns
ip -n $ns link set lo up
ip netns exec $ns /usr/bin/python3 -m http.server -d "$run/www" 80 > "$run/web.log" 2>&1 &
web=$!
for _ in $(seq 300); do
    ! ip netns exec $ns nc -z 127.0.0.1 80 || break
    sleep 0.1
done
for offload in auto on; do
    go $offload
done
