#!/usr/bin/env bash
# Everything: set up, build, unit tests, simulation, sanitizers, end to end. As root, from nothing.
#
#   tests/run.sh           all of it
#   tests/run.sh unit      unit tests and simulation, plain
#   tests/run.sh asan      the same with ASan and UBSan
#   tests/run.sh tsan      what runs in threads, with TSan
#   tests/run.sh e2e       end to end in network namespaces, plain and with ASan, two cores with TSan
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"

say() {
    printf '\n=== %s\n' "$*"
}

# A build folder, configured and built: build_in FOLDER [meson options]
build_in() {
    local dir=$1
    shift
    [ -e "$dir/build.ninja" ] || meson setup "$dir" -Dwerror=true "$@" > /dev/null
    ninja -C "$dir" > "$dir/build.log" 2>&1 || { tail -n 40 "$dir/build.log" >&2; exit 1; }
}

unit() {
    say "unit tests and simulation"
    build_in build
    meson test -C build --print-errorlogs --no-rebuild --timeout-multiplier 5
}

asan() {
    say "unit tests and simulation with ASan and UBSan"
    build_in build-asan -Dsanitize=address
    meson test -C build-asan --print-errorlogs --no-rebuild --timeout-multiplier 5
}

# A part of the folder for TSan, configured and built: tsan_build TARGET...
tsan_build() {
    [ -e build-tsan/build.ninja ] || meson setup build-tsan -Dwerror=true -Dsanitize=thread > /dev/null
    ninja -C build-tsan "$@" > build-tsan/build.log 2>&1 || { tail -n 40 build-tsan/build.log >&2; exit 1; }
}

# Cores in threads, control beside them, rings between them. All else has one thread.
tsan() {
    say "cores in threads with TSan"
    tsan_build threaded
    meson test -C build-tsan --print-errorlogs --no-rebuild --suite threads --timeout-multiplier 5
}

e2e() {
    say "end to end"
    build_in build
    tests/e2e/run.sh
    tests/e2e/tap.sh
    say "end to end with ASan and UBSan"
    build_in build-asan -Dsanitize=address
    DEMO_BUILD=$top/build-asan E2E_RELOADS=200 tests/e2e/run.sh
    say "end to end with TSan: two cores, and what control does while they run"
    tsan_build control/sallyport control/sallyctl
    DEMO_BUILD=$top/build-tsan tests/e2e/tap.sh
    DEMO_BUILD=$top/build-tsan E2E_RELOADS=50 tests/e2e/run.sh test_control.py test_observe.py test_views.py
}

deploy/setup.sh
case ${1:-all} in
unit) unit ;;
asan) asan ;;
tsan) tsan ;;
e2e) e2e ;;
all)
    unit
    asan
    tsan
    e2e
    say "all passed"
    ;;
*)
    echo "usage: tests/run.sh [unit|asan|tsan|e2e]" >&2
    exit 2
    ;;
esac
