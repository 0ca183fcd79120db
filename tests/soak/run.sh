#!/usr/bin/env bash
# The soak: the demo's network with a path that delays, loses, reorders and breaks off, mixed clients, backends that
# come and go, a reload every two seconds; at the end nothing may be left over. As root.
#
#   tests/soak/run.sh [SECONDS]      one hour without it; DEMO_BUILD: build folder; SOAK_CORES: 2
#
# One line of figures a minute on standard output, everything else in build/demo/run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$(dirname "$here")")
run=$top/build/demo/run
export DEMO_NS=${DEMO_NS:-spsoak} DEMO_CONF=$run.conf PYTHONDONTWRITEBYTECODE=1
export DEMO_BUILD=${DEMO_BUILD:-$top/build}
. "$top/deploy/demo/net.sh"
odd=

end() {
    [ -z "$odd" ] || kill "$odd" 2>/dev/null || true
    "$top/deploy/demo.sh" down
}
trap end EXIT
"$top/deploy/demo.sh" down
mkdir -p "$run/crl-cache"
# Longer waits than the tests have: a line may be cut for eight seconds, and TCP needs twice that to go on.
sed -e "s/^cores = 1;/cores = ${SOAK_CORES:-2};/" -e "s/connect = 2; response = 2;/connect = 60; response = 60;/" \
    -e "s/^timeouts = .*/timeouts = { handshake = 60; header = 60; body = 60; keepalive = 20; send = 60; drain = 5; };/" \
    "$top/tests/e2e/e2e.conf" > "$DEMO_CONF"
"$top/deploy/demo/pki.sh" "$top/build/demo/pki"
"$top/tests/e2e/crl.sh" "$top/build/demo/pki" "$run/clients.crl"
"$top/deploy/demo.sh" up > /dev/null
ninja -C "$DEMO_BUILD" tests/bench/bench-path > /dev/null
ip netns exec "$NS_WEB" /usr/bin/python3 "$top/tests/e2e/odd.py" 10.77.0.11 8001 > "$run/odd.log" 2>&1 &
odd=$!

# The client's end of the bridge becomes the path's.
ip -n "$NS_NET" link set br-client nomaster
ip -n "$NS_NET" link add fwd0 type veth peer name fwd1
for i in fwd0 fwd1; do
    ip netns exec "$NS_NET" ethtool -K $i tx off rx off tso off gso off gro off > /dev/null 2>&1 || true
    ip -n "$NS_NET" link set $i up
done
ip -n "$NS_NET" link set fwd1 master br0

ip netns exec "$NS_CLIENT" /usr/bin/python3 "$here/soak.py" "${1:-3600}" || { tail -n 20 "$run/error.log"; exit 1; }
"$top/deploy/demo.sh" stop
! grep -aE 'ERROR: (Address|Leak|Thread)Sanitizer|runtime error:' "$run/sallyport.out"
