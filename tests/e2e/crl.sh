#!/usr/bin/env bash
# A revocation list of the demo's intermediate CA:  crl.sh PKI OUT [CERTIFICATE...]
set -euo pipefail

pki=$1 out=$2
shift 2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
: > "$dir/index.txt"
cat > "$dir/cnf" <<X
[ca]
database = $dir/index.txt
default_md = sha256
default_crl_days = 7
crl_extensions = ext
[ext]
authorityKeyIdentifier = keyid
X
for c in "$@"; do
    openssl ca -config "$dir/cnf" -name ca -cert "$pki/ca/intermediate.one" -keyfile "$pki/intermediate.key" \
        -revoke "$c" > /dev/null 2>&1
done
openssl ca -config "$dir/cnf" -name ca -cert "$pki/ca/intermediate.one" -keyfile "$pki/intermediate.key" -gencrl -out "$out" 2> /dev/null
