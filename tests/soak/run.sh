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
export DEMO_NS=${DEMO_NS:-spsoak} DEMO_CONF=$top/build/demo/run.conf PYTHONDONTWRITEBYTECODE=1
export DEMO_BUILD=${DEMO_BUILD:-$top/build}
# shellcheck source=tests/lib/demo.sh
. "$top/tests/lib/demo.sh"

demo_begin
mkdir -p "$top/build/demo"
# Longer waits than the tests have: a line may be cut for eight seconds, and TCP needs twice that to go on.
sed -e "s/^cores = 1;/cores = ${SOAK_CORES:-2};/" -e "s/connect = 2; response = 2;/connect = 60; response = 60;/" \
    -e "s/^timeouts = .*/timeouts = { handshake = 60; header = 60; body = 60; keepalive = 20; send = 60; drain = 5; };/" \
    "$top/tests/e2e/e2e.conf" > "$DEMO_CONF"
demo_up
ninja -C "$DEMO_BUILD" tests/bench/bench-path > /dev/null
demo_odd
demo_path
ip netns exec "$NS_CLIENT" /usr/bin/python3 "$here/soak.py" "${1:-3600}" || { tail -n 20 "$run/error.log"; exit 1; }
"$top/deploy/demo.sh" stop
! grep -aE 'ERROR: (Address|Leak|Thread)Sanitizer|runtime error:' "$run/sallyport.out"
