#!/usr/bin/env bash
# A PKI to play with, from nothing:  deploy/demo/pki.sh DIR
#
#   root.crt               signs intermediate.crt, which signs the rest; clients trust it, and so do we
#   server.{crt,key}       gw.example, api.gw.example, 10.77.0.1 (P-256); server-rsa.* the same with RSA
#   good.{crt,key}         a client as it should be: leaf, intermediate
#   expired.*              the same, but its time is over
#   otherca.*              signed by a CA that nobody here knows (otherca-root.crt)
#   deep.*                 one intermediate more than max_depth = 2 allows
#   backends-root.crt      signs the TLS backends' certificates (web3.*, web4.*) and ours for them (gw-client.*)
#
# A .crt holds the leaf first, then its intermediates. What is there already is kept.
set -euo pipefail

dir=${1:?usage: pki.sh DIR}
[ ! -e "$dir/complete" ] || exit 0
rm -rf "$dir"
mkdir -p "$dir/ca"
cd "$dir"
umask 077

key() { # NAME [rsa]
    if [ "${2:-ec}" = rsa ]; then
        openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key"
    else
        openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
    fi
}

# One section of extensions per kind of certificate; SAN comes from the environment.
cat > ca/openssl.cnf <<'X'
[req]
distinguished_name = dn
prompt = no
[dn]
CN = unused
[demo]
new_certs_dir = ca
database = ca/index.txt
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
email_in_dn = no
[any]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $ENV::SAN
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
X
: > ca/index.txt
export SAN=DNS:unused.example

day() { # a moment, N days from now
    date -u -d "$1 days" +%Y%m%d%H%M%SZ
}

root() { # NAME CN
    key "$1"
    openssl req -config ca/openssl.cnf -new -x509 -key "$1.key" -subj "/C=DE/O=Sallyport demo/CN=$2" \
        -days 3650 -extensions ca -out "$1.crt"
}

# NAME ISSUER KIND SUBJECT [BEGIN END (days from now)] [rsa]; the issuer's own chain follows the leaf.
issue() {
    local name=$1 issuer=$2 kind=$3 subject=$4 from=${5:--1} to=${6:-825}
    key "$name" "${7:-ec}"
    openssl req -config ca/openssl.cnf -new -key "$name.key" -subj "$subject" -out "ca/$name.csr"
    openssl ca -config ca/openssl.cnf -name demo -batch -notext -in "ca/$name.csr" -cert "ca/$issuer.one" \
        -keyfile "$issuer.key" -extensions "$kind" -startdate "$(day "$from")" -enddate "$(day "$to")" \
        -out "ca/$name.one" 2> ca/log || { cat ca/log >&2; exit 1; }
    cat "ca/$name.one" > "$name.crt"
    # Roots need not be sent.
    [ ! -e "ca/$issuer.sent" ] || cat "ca/$issuer.sent" >> "$name.crt"
    [ "$kind" != ca ] || cp "$name.crt" "ca/$name.sent"
}

for ca in 'root:Demo Root CA' 'otherca-root:Other Root CA' 'backends-root:Backends Root CA'; do
    root "${ca%%:*}" "${ca#*:}"
    cp "${ca%%:*}.crt" "ca/${ca%%:*}.one"
done

people='/C=DE/O=Sallyport demo/OU=Clients'
issue intermediate root ca '/C=DE/O=Sallyport demo/CN=Demo Intermediate CA' -1 1825
issue intermediate2 intermediate ca '/C=DE/O=Sallyport demo/CN=Demo Intermediate CA 2' -1 1825
issue otherca-intermediate otherca-root ca '/C=DE/O=Sallyport demo/CN=Other Intermediate CA' -1 1825

export SAN=DNS:gw.example,DNS:api.gw.example,IP:10.77.0.1
issue server intermediate server '/C=DE/O=Sallyport demo/CN=gw.example'
issue server-rsa intermediate server '/C=DE/O=Sallyport demo/CN=gw.example' -1 825 rsa

issue good intermediate client "$people/CN=Good Client"
issue expired intermediate client "$people/CN=Expired Client" -30 -2
issue deep intermediate2 client "$people/CN=Deep Client"
issue otherca otherca-intermediate client "$people/CN=Stranger"

for n in 3 4; do
    export SAN=DNS:web$n.example
    issue "web$n" backends-root server "/C=DE/O=Sallyport demo/CN=web$n.example"
done
issue gw-client backends-root client '/C=DE/O=Sallyport demo/CN=Sallyport gateway'

chmod 644 ./*.crt
touch complete
