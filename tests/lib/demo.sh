# Sourced: the demo's network and backends as tests have them, and a path between its client and everything else.
# shellcheck shell=bash
#
# Before it: top, the root of the repository, and of deploy/demo.sh DEMO_NS, DEMO_CONF and DEMO_BUILD.

run=$top/build/demo/run
# shellcheck source=deploy/demo/net.sh
. "$top/deploy/demo/net.sh"
helpers=()

demo_end() {
    local p
    for p in "${helpers[@]}"; do
        kill "$p" 2>/dev/null || true
    done
    "$top/deploy/demo.sh" down
}

# What an earlier run left is gone, and with the end of the script all of its own.
demo_begin() {
    trap demo_end EXIT
    "$top/deploy/demo.sh" down
}

demo_up() {
    "$top/deploy/demo/pki.sh" "$top/build/demo/pki"
    mkdir -p "$run/crl-cache"
    "$top/tests/e2e/crl.sh" "$top/build/demo/pki" "$run/clients.crl"
    "$top/deploy/demo.sh" up > /dev/null
}

# A backend beside nginx that misbehaves.
demo_odd() {
    ip netns exec "$NS_WEB" /usr/bin/python3 "$top/tests/e2e/odd.py" 10.77.0.11 8001 > "$run/odd.log" 2>&1 &
    helpers+=($!)
    for _ in $(seq 300); do
        ! ip netns exec "$NS_WEB" nc -z 10.77.0.11 8001 || break
        sleep 0.1
    done
}

# The client's end of the bridge becomes the path's: bench-path br-client fwd0, in NS_NET, carries the frames.
demo_path() {
    local i
    ip -n "$NS_NET" link set br-client nomaster
    ip -n "$NS_NET" link add fwd0 type veth peer name fwd1
    for i in fwd0 fwd1; do
        ip netns exec "$NS_NET" ethtool -K $i tx off rx off tso off gso off gro off > /dev/null 2>&1 || true
        ip -n "$NS_NET" link set $i up
    done
    ip -n "$NS_NET" link set fwd1 master br0
}
