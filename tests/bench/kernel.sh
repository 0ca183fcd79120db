#!/usr/bin/env bash
# Against the kernel's TCP over the same path: bytes per second from Linux to Linux, and with the appliance at one
# end, down and up, one after the other in one run. As root.
#
#   tests/bench/kernel.sh [ROUNDS [SECONDS [PATH...]]]      DEMO_BUILD: build folder
#
# The paths: 20 ms there and back, 200 Mbit/s, a queue of 400 frames: clean; loss: 1 % each way; loss5: 5 %; reorder:
# every hundredth frame out of order; shallow: clean with a queue of 60. The client is curl in a namespace of its own; nginx serves from another; the
# appliance is a proxy with its backend on the far side of the path from the client.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$(dirname "$here")")
rounds=${1:-3} seconds=${2:-8}
read -ra paths <<< "${*:3}"
[ ${#paths[@]} -gt 0 ] || paths=(clean loss loss5 reorder shallow)
build=${DEMO_BUILD:-$top/build}
export DEMO_NS=${DEMO_NS:-spkernel} DEMO_CONF=$top/tests/e2e/e2e.conf
# shellcheck source=tests/lib/demo.sh
. "$top/tests/lib/demo.sh"

demo_begin
demo_up
head -c 300000000 /dev/zero > "$run/www/300m.bin"

demo_path
# The client's kernel shall not be what limits a path of this length.
for ns in "$NS_CLIENT" "$NS_WEB"; do
    ip netns exec "$ns" sysctl -qw net.ipv4.tcp_rmem="4096 131072 8388608" net.ipv4.tcp_wmem="4096 131072 8388608" \
        net.ipv4.tcp_no_metrics_save=1
done

path_is() { # DELAY_US LOSS REORDER KBIT QUEUE
    local p
    for p in "${helpers[@]}"; do
        kill "$p"
        wait "$p" 2>/dev/null || true
    done
    ip netns exec "$NS_NET" "$build/tests/bench/bench-path" br-client fwd0 "$@" &
    helpers=($!)
    sleep 0.5
}

fetch() { # HOST:PORT HOST_FIELD -> kB/s
    ip netns exec "$NS_CLIENT" curl -s -o /dev/null -m "$seconds" -H "Host: $2" -w '%{speed_download}\n' \
        "http://$1/300m.bin" 2>/dev/null | awk '{ printf "%d", $1 / 1000 }' || true
}

upload() {
    ip netns exec "$NS_CLIENT" sh -c "head -c 300000000 /dev/zero | curl -s -o /dev/null -m $seconds -T - \
        -H 'Host: $2' -w '%{speed_upload}\n' http://$1/upload/k.bin" 2>/dev/null | awk '{ printf "%d", $1 / 1000 }' || true
}

printf '%-10s %-6s %-6s %16s %16s %8s\n' path cc way 'Linux kB/s' 'Sallyport kB/s' ratio
for kind in "${paths[@]}"; do
    case $kind in
    clean) path_is 10000 0 0 200000 400 ;;
    loss) path_is 10000 10000 0 200000 400 ;;
    loss5) path_is 10000 50000 0 200000 400 ;;
    reorder) path_is 10000 0 10000 200000 400 ;;
    shallow) path_is 10000 0 0 200000 60 ;;
    esac
    for cc in cubic reno bbr; do
        ip netns exec "$NS_CLIENT" sysctl -qw net.ipv4.tcp_congestion_control=$cc 2> /dev/null || continue
        [ $cc = cubic ] || [ $kind = loss ] || continue
        for way in fetch upload; do
            # Down, the client's own congestion control says nothing: Linux's server has cubic, as we have.
            [ $cc = cubic ] || [ $way = upload ] || continue
            a=0 b=0
            for _ in $(seq "$rounds"); do
                a=$((a + $($way 10.77.0.11:80 x)))
                b=$((b + $($way 10.77.0.1:80 open.example)))
            done
            printf '%-10s %-6s %-6s %16d %16d %8s\n' $kind $cc $way $((a / rounds)) $((b / rounds)) \
                "$(awk "BEGIN { printf \"%.2f\", $b / ($a > 0 ? $a : 1) }")"
        done
    done
done
