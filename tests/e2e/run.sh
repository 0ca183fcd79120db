#!/usr/bin/env bash
# End to end: the demo's network and backends, the appliance with e2e.conf, real clients.
#   tests/e2e/run.sh [test_http.py ...]      DEMO_BUILD=build-x: binaries of another build folder
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$(dirname "$here")")
export DEMO_CONF=$here/e2e.conf PYTHONDONTWRITEBYTECODE=1 LSAN_OPTIONS=suppressions=$top/tests/lsan.supp
# shellcheck source=tests/lib/demo.sh
. "$top/tests/lib/demo.sh"

demo_begin
if [ $# = 0 ]; then
    # The demo as it is, first.
    DEMO_CONF='' "$top/deploy/demo.sh" check
    "$top/deploy/demo.sh" down
fi
demo_up
demo_odd
# What a sanitizer had to say, also when the appliance ended.
sane() {
    ! grep -aqE 'ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:' "$run/sallyport.out" ||
        { head -n 200 "$run/sallyport.out"; exit 1; }
}

[ $# -gt 0 ] || set -- test_tls.py test_verdicts.py test_http.py test_proxy.py test_revocation.py test_crl_url.py test_crl_learn.py test_views.py test_names.py test_strange_certs.py test_handshake.py test_identity.py \
    test_ca_names.py test_tickets.py test_late.py test_staple.py test_ocsp.py test_ip6.py test_transfer.py test_observe.py test_pressure.py test_neighbour.py \
    test_bounds.py test_fragments.py test_control.py
for t in "$@"; do
    printf -- '--- %s\n' "$t"
    ip netns exec "$NS_CLIENT" timeout -k 10 1800 /usr/bin/python3 "$here/$(basename "$t")" || { (sane); tail -n 40 "$run/error.log"; exit 1; }
    sane
done
"$top/deploy/demo.sh" stop
sane
