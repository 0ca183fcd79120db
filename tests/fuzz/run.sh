#!/usr/bin/env bash
# Fuzz each target for a while, from its corpus, with ASan and UBSan:  tests/fuzz/run.sh [SECONDS] [TARGET...]
# What is found lies in build-fuzz/found; new inputs worth keeping in build-fuzz/corpus, which begins with what
# longer campaigns have left in tests/fuzz/grown.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
seconds=${1:-60}
shift || true
cd "$top"
[ -e build-fuzz/build.ninja ] || CC=clang-14 meson setup build-fuzz -Dfuzz=true -Dsanitize=address > /dev/null
[ $# -gt 0 ] || set -- body cert cfg crl hello http list logfmt msg ocsp packet path reasm
ninja -C build-fuzz "${@/#/tests/fuzz/fuzz_}" > build-fuzz/build.log 2>&1 || { tail -n 30 build-fuzz/build.log; exit 1; }
mkdir -p build-fuzz/found
export LSAN_OPTIONS=suppressions=$top/tests/lsan.supp
for t in "$@"; do
    mkdir -p "build-fuzz/corpus/$t"
    [ ! -e "tests/fuzz/grown/$t.tar.xz" ] || tar -xJf "tests/fuzz/grown/$t.tar.xz" -C "build-fuzz/corpus/$t"
    build-fuzz/tests/fuzz/"fuzz_$t" -max_total_time="$seconds" -max_len=8192 -artifact_prefix="build-fuzz/found/$t-" \
        -print_final_stats=1 "build-fuzz/corpus/$t" "tests/fuzz/corpus/$t" > "build-fuzz/found/$t.log" 2>&1 ||
        { tail -n 40 "build-fuzz/found/$t.log"; echo "$t: FOUND something"; exit 1; }
    printf '%-8s nothing found in %s s, %s runs\n' "$t" "$seconds" \
        "$(awk '/number_of_executed_units/ { print $2 }' "build-fuzz/found/$t.log")"
done
