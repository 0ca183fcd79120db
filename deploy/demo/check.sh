#!/usr/bin/env bash
# The demo's matrix: host x path x certificate x TLS version, one line each; fails if one is off.
#   check.sh PKI RUN
set -euo pipefail

pki=$1 run=$2
# shellcheck source=deploy/demo/net.sh
. "$(dirname "${BASH_SOURCE[0]}")/net.sh"
cases=0 bad=0

# What one request gets: "200", "403 cert_required", "alert 45", or "error N" (curl's number).
ask() { # HOST PATH CERTIFICATE VERSION
    local args=(-s -S -m 40 --cacert "$pki/root.crt" --resolve "$1:443:10.77.0.1" "--tlsv$4" --tls-max "$4"
        -o "$run/check.body" -w '%{http_code}')
    local code rc=0 alert
    [ "$3" = none ] || args+=(--cert "$pki/$3.crt" --key "$pki/$3.key")
    code=$(ip netns exec $NS_CLIENT curl "${args[@]}" "https://$1$2" 2> "$run/check.err") || rc=$?
    if [ "$rc" = 0 ] && [ "$code" = 403 ]; then
        echo "403 $(sed -n 's/.*Reason: \([a-z_]*\).*/\1/p' "$run/check.body")"
    elif [ "$rc" = 0 ]; then
        echo "$code"
    else
        # curl does not tell the alert in each case; the appliance's error log does.
        alert=$(sed -n 's/.*alert \([a-z ]*\).*/\1/p' "$run/check.err" | sed 's/, errno.*//; s/ *$//')
        [ -n "$alert" ] || ! grep -q 'certificate verification failed' "$run/check.err" || alert='certificate expired'
        echo "alert ${alert:-none: curl error $rc}"
    fi
}

expect() { # HOST PATH CERTIFICATE VERSION WANTED
    local got
    got=$(ask "$1" "$2" "$3" "$4")
    cases=$((cases + 1))
    if [ "$got" = "$5" ]; then
        printf 'ok   %-15s %-30s %-8s TLS %s  %s\n' "$1" "$2" "$3" "$4" "$got"
    else
        printf 'OFF  %-15s %-30s %-8s TLS %s  %s, expected %s\n' "$1" "$2" "$3" "$4" "$got" "$5"
        bad=$((bad + 1))
    fi
}

open_paths='/unprotected/unprotected.html /main.html /health'
closed_paths='/protected/protected.html /protected/confidential.html'

for v in 1.2 1.3; do
    # gw.example: a bad certificate ends the handshake, whatever the path.
    for p in $open_paths $closed_paths; do
        case $p in
        /protected/*) expect gw.example $p none $v '403 cert_required' ;;
        *) expect gw.example $p none $v 200 ;;
        esac
        expect gw.example $p good $v 200
        expect gw.example $p expired $v 'alert certificate expired'
        expect gw.example $p otherca $v 'alert unknown ca'
        expect gw.example $p deep $v 'alert unknown ca'
    done
    # api.gw.example: it gets an answer, and only where one is required.
    for p in $open_paths; do
        for c in none good expired otherca deep; do
            expect api.gw.example $p $c $v 200
        done
    done
    for p in $closed_paths; do
        expect api.gw.example $p none $v '403 cert_required'
        expect api.gw.example $p good $v 200
        expect api.gw.example $p expired $v '403 cert_expired'
        expect api.gw.example $p otherca $v '403 issuer_unknown'
        expect api.gw.example $p deep $v '403 chain_too_long'
    done
done

printf '%d cases, %d off\n' "$cases" "$bad"
[ "$bad" = 0 ]
