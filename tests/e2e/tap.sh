#!/usr/bin/env bash
# The same binary on a TAP device of two queues with two cores, in a namespace of its own.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${DEMO_BUILD:-$top/build}
run=$top/build/demo/tap pki=$top/build/demo/pki ns=${DEMO_NS:-sallyport}-tap
pid= cores=1
[ "$(nproc)" = 1 ] || cores='[ 0, 1 ]'

end() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    [ -z "$pid" ] || wait "$pid" 2>/dev/null || true
    ip netns del $ns 2>/dev/null || true
}

fail() {
    cat "$run/out" >&2
    printf 'tap: %s\n' "$*" >&2
    exit 1
}

trap end EXIT
rm -rf "$run"
mkdir -p "$run"
"$top/deploy/demo/pki.sh" "$pki"
sed -e "s|@PKI@|$pki|g; s|@RUN@|$run|g; s|af_packet:gw0|tap:sptap0|; s|^cores = 1;|cores = $cores;|" \
    "$top/deploy/demo/sallyport.conf" > "$run/conf"
ip netns add $ns
ip -n $ns link set lo up
ip netns exec $ns "$build/control/sallyport" -c "$run/conf" > "$run/out" 2>&1 &
pid=$!
for _ in $(seq 100); do
    ! grep -q ready "$run/out" || break
    sleep 0.1
done
ip -n $ns link set sptap0 up || fail "no device"
ip -n $ns addr add 10.77.0.50/24 dev sptap0
for i in $(seq 60); do
    got=$(ip netns exec $ns curl -sS -m 5 --cacert "$pki/root.crt" --resolve gw.example:443:10.77.0.1 \
        https://gw.example/health 2>&1) || fail "request $i: $got"
    [ "$got" = ok ] || fail "request $i: $got"
done
status=$("$build/control/sallyctl" -s "$run/control.sock" --json status)
printf 'tap: 60 requests over two queues; %s\n' "$(jq -r '.ports[0].is' <<< "$status")"
kill "$pid"
wait "$pid" || fail "exit code $?"
pid=
! grep -aE 'Sanitizer|runtime error' "$run/out" || fail "a sanitizer"
