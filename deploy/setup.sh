#!/usr/bin/env bash
# From a bare Debian 12 to a machine that builds, runs and tests Sallyport. Idempotent: what is there
# already is left alone, so a second run costs seconds.
#
#   deploy/setup.sh                       distribution packages, then wolfSSL
#   deploy/setup.sh --wolfssl-prefix      print where our wolfSSL is (or would be) and do nothing
#   deploy/setup.sh --wolfssl-tarball F   build wolfSSL from this file instead of downloading it
#   deploy/setup.sh --no-packages         wolfSSL only
#
# wolfSSL 5.9.x comes from the distribution's own source package (suite sid), which apt checks against
# the archive's signed index. It is built outside of the work tree, in a folder keyed by version and
# options; SALLYPORT_CACHE moves it (default /var/cache/sallyport, or ~/.cache/sallyport).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Where a local tarball, or one that the archive's index does not speak for, has to match; `--wolfssl-sha256 HEX` overrides.
WOLFSSL_VERSION=5.9.2
WOLFSSL_SHA256=2f4ef3d4fd387a9b3191d36a6316d69116c46ff69bb9583b6c82b36d7b8ca114

# What we build in and what we leave out is explained in deploy/README.md.
WOLFSSL_OPTIONS=(
    --enable-static --disable-shared --disable-examples --disable-crypttests
    --enable-intelasm --enable-sp=yes --enable-sp-asm --enable-aesgcm=small
    --enable-sni --enable-alpn --enable-session-ticket --enable-maxfragment
    --enable-ocsp --enable-ocspstapling --enable-crl --enable-certext
    --enable-pkcallbacks --enable-cert-setup-cb --enable-postauth
    --enable-ed25519 --enable-curve25519 --enable-mlkem
    --enable-harden --disable-oldtls --disable-dh --disable-hashdrbg --disable-sys-ca-certs
)
WOLFSSL_DEFINES=(
    -DCUSTOM_RAND_GENERATE_BLOCK=sallyport_random_block -DWC_NO_HASHDRBG
    -DWOLFSSL_ALWAYS_VERIFY_CB
    -DWOLFSSL_NO_DEF_TICKET_ENC_CB -DWOLFSSL_TICKET_EXTRA_PADDING_SZ=160
    -DMICRO_SESSION_CACHE -DNO_SESSION_CACHE_REF
    -DWOLFSSL_TLS13_NO_PEEK_HANDSHAKE_DONE -DWOLFSSL_MLKEM_DYNAMIC_KEYS
    -DNO_ED25519_CLIENT_AUTH
)


BUILD_PACKAGES=(
    gcc make patch pkg-config meson ninja-build python3 autoconf automake libtool dpkg-dev ca-certificates
    libdpdk-dev libconfig-dev libjansson-dev libcunit1-dev libcurl4-gnutls-dev
)
RUN_PACKAGES=(iproute2 ethtool nftables kmod procps)
TEST_PACKAGES=(
    clang-14 clang-format-14 libclang-rt-14-dev llvm-14 curl openssl nginx apache2 apache2-utils haproxy
    netcat-openbsd jq gnutls-bin tcpdump python3-cryptography iputils-ping
)

say() {
    printf 'setup: %s\n' "$*" >&2
}

die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

cache_dir() {
    if [ -n "${SALLYPORT_CACHE:-}" ]; then
        echo "$SALLYPORT_CACHE"
    elif [ "$(id -u)" = 0 ]; then
        echo /var/cache/sallyport
    else
        echo "${XDG_CACHE_HOME:-$HOME/.cache}/sallyport"
    fi
}

wolfssl_key() {
    {
        printf '%s\n' "${WOLFSSL_OPTIONS[@]}" "${WOLFSSL_DEFINES[@]}" build-4
        cat "$here"/wolfssl-*.patch
    } | sha256sum | cut -c1-12
}

wolfssl_prefix() {
    echo "$(cache_dir)/wolfssl-$WOLFSSL_VERSION-$(wolfssl_key)"
}

missing_packages() {
    local p
    for p in "$@"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || echo "$p"
    done
}

# A package's service must not start by itself: the demo and the tests run their own instances.
install_packages() {
    local missing policy=/usr/sbin/policy-rc.d made=0
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || die "missing packages, run as root: apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod 755 "$policy"
        made=1
    fi
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >&2 || { [ $made = 0 ] || rm -f "$policy"; die "apt-get install failed"; }
    [ $made = 0 ] || rm -f "$policy"
}

# The archive this machine already uses, so that mirrors and proxies are respected.
debian_uri() {
    apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
        awk '$2 == "Debian" && $1 !~ /security/ { print $1; exit }'
}

# A mirror that is not kept up has an index past its date, which apt does not trust. One tarball we know without it.
download_known_wolfssl() {
    local dir=$1
    say "once more, without the archive's word on how old its index may be"
    (cd "$dir" && export APT_CONFIG="$dir/apt/apt.conf" && apt-get update -qq -o Acquire::Check-Valid-Until=false >&2 &&
        apt-get source -qq --tar-only wolfssl >&2) || die "cannot download the wolfssl source package; give --wolfssl-tarball FILE"
    check_sha256 "$(ls "$dir"/wolfssl_*.orig.tar.* | head -n 1)" "$WOLFSSL_SHA256"
}

# Downloads the source package's tarball into folder $1 with an apt state of its own.
download_wolfssl() {
    local dir=$1 uri apt
    uri=$(debian_uri)
    if [ -z "$uri" ]; then
        apt-get update -qq >&2
        uri=$(debian_uri)
    fi
    [ -n "$uri" ] || die "no Debian archive among the apt sources; give --wolfssl-tarball FILE"
    apt=$dir/apt
    mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial"
    cat > "$apt/parts/sid.sources" <<X
Types: deb-src
URIs: $uri
Suites: sid
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
X
    cat > "$apt/apt.conf" <<X
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$apt/parts";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
X
    say "downloading the wolfssl source package"
    (cd "$dir" && export APT_CONFIG="$apt/apt.conf" && apt-get update -qq >&2 &&
        apt-get source -qq --tar-only wolfssl >&2) || download_known_wolfssl "$dir"
    rm -rf "$apt"
}

check_sha256() {
    local got
    got=$(sha256sum "$1" | cut -d' ' -f1)
    [ "$got" = "$2" ] || die "$1 has SHA-256 $got, expected $2; if you trust it: --wolfssl-sha256 $got"
}

build_wolfssl() {
    local prefix=$1 tarball=$2 work src change
    work=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    if [ -n "$tarball" ]; then
        check_sha256 "$tarball" "$WOLFSSL_SHA256"
    else
        download_wolfssl "$work"
        tarball=$(ls "$work"/wolfssl_5.9.*.orig.tar.* 2>/dev/null | head -n 1)
        [ -n "$tarball" ] ||
            die "the archive has $(ls "$work"), not wolfSSL 5.9.x; give --wolfssl-tarball FILE"
    fi
    mkdir "$work/src"
    tar -xf "$tarball" -C "$work/src" --strip-components=1
    src=$work/src
    # Randomness comes from the calling core (crypto/random.h), not from a generator per session.
    cat > "$src/sallyport_hooks.h" <<'X'
#ifndef __ASSEMBLER__
struct WOLFSSL;
int sallyport_random_block(unsigned char *out, unsigned int len);
const unsigned char *sallyport_ca_names(struct WOLFSSL *ssl, unsigned short *len);
#endif
X
    for change in "$here"/wolfssl-*.patch; do # what each is for: README.md
        patch -s -F0 -p1 -d "$src" < "$change" || die "wolfSSL is not as $change expects it"
    done
    say "building wolfSSL in $work (about a minute)"
    (
        cd "$src"
        ./autogen.sh
        ./configure --prefix="$prefix.new" "${WOLFSSL_OPTIONS[@]}" \
            CFLAGS="-O3 -g1 -fPIC -include $src/sallyport_hooks.h ${WOLFSSL_DEFINES[*]}"
        make -j"$(nproc)" src/libwolfssl.la
        make install
    ) > "$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; die "wolfSSL does not build"; }
    # The parse-only mode sets two fields that only the internal header names (crypto/tls_ctx.c).
    cp "$src/wolfssl/internal.h" "$src/wolfssl/wolfio.h" "$prefix.new/include/wolfssl/"
    rm -rf "$prefix.new/bin" "$prefix.new/share" "$prefix"
    mkdir -p "$(dirname "$prefix")"
    mv "$prefix.new" "$prefix"
    say "wolfSSL is in $prefix"
}

main() {
    local tarball='' packages=1 prefix
    prefix=$(wolfssl_prefix)
    while [ $# -gt 0 ]; do
        case $1 in
        --wolfssl-prefix)
            echo "$prefix"
            exit 0
            ;;
        --wolfssl-tarball)
            tarball=$(realpath "${2:?--wolfssl-tarball needs a file}")
            shift
            ;;
        --wolfssl-sha256)
            WOLFSSL_SHA256=${2:?--wolfssl-sha256 needs a value}
            shift
            ;;
        --no-packages) packages=0 ;;
        *) die "unknown option $1; see the top of $here/setup.sh" ;;
        esac
        shift
    done
    if [ $packages = 1 ]; then
        install_packages "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
    fi
    if [ ! -e "$prefix/lib/libwolfssl.a" ]; then
        build_wolfssl "$prefix" "$tarball"
    fi
}

main "$@"
