#!/usr/bin/env bash
# Our scripts through the public packetdrill.   tests/packetdrill/run.sh [PACKETDRILL]   (BUILD: build folder)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
drill=${1:-$(command -v packetdrill || true)}
so=${BUILD:-$here/../../build}/tests/packetdrill/sallyport_packetdrill.so
failed=0

[ -x "$drill" ] || { echo "packetdrill is not there: give its path" >&2; exit 2; }
[ -e "$so" ] || { echo "$so is not built" >&2; exit 2; }
for script in "$here"/scripts/*.pkt; do
    for family in ipv4 ipv6; do
        if timeout 60 "$drill" --so_filename="$so" --so_flags=notso --ip_version=$family \
            $([ $family = ipv4 ] || echo --mtu=1520) "$script" > /tmp/drill.$$ 2>&1; then
            echo "ok      $family $(basename "$script")"
        else
            echo "FAILED  $family $(basename "$script")"
            sed 's/^/        /' /tmp/drill.$$
            failed=1
        fi
    done
done
rm -f /tmp/drill.$$
exit $failed
