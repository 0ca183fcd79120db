#include "crypto/tls_names.h"

#include <wolfssl/internal.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

struct number {
    uint16_t id;
    const char *name;
};

/* IANA, TLS Supported Groups */
static const struct number groups[] = {
    {23, "secp256r1"},
    {24, "secp384r1"},
    {25, "secp521r1"},
    {29, "x25519"},
    {30, "x448"},
    {256, "ffdhe2048"},
    {257, "ffdhe3072"},
    {258, "ffdhe4096"},
    {4587, "SecP256r1MLKEM768"},
    {4588, "X25519MLKEM768"},
    {4589, "SecP384r1MLKEM1024"},
};

/* IANA, TLS SignatureScheme; in TLS 1.2 the same numbers are hash and signature (RFC 5246 7.4.1.4.1). */
static const struct number schemes[] = {
    {0x0201, "rsa_pkcs1_sha1"},
    {0x0203, "ecdsa_sha1"},
    {0x0401, "rsa_pkcs1_sha256"},
    {0x0403, "ecdsa_secp256r1_sha256"},
    {0x0501, "rsa_pkcs1_sha384"},
    {0x0503, "ecdsa_secp384r1_sha384"},
    {0x0601, "rsa_pkcs1_sha512"},
    {0x0603, "ecdsa_secp521r1_sha512"},
    {0x0804, "rsa_pss_rsae_sha256"},
    {0x0805, "rsa_pss_rsae_sha384"},
    {0x0806, "rsa_pss_rsae_sha512"},
    {0x0807, "ed25519"},
    {0x0808, "ed448"},
    {0x0809, "rsa_pss_pss_sha256"},
    {0x080a, "rsa_pss_pss_sha384"},
    {0x080b, "rsa_pss_pss_sha512"},
};

static const char *name_of(const struct number *list, size_t count, unsigned id)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].id == id)
            return list[i].name;
    }
    return "unknown";
}

static bool is_tls13(struct WOLFSSL *ssl)
{
    return wolfSSL_version(ssl) == TLS1_3_VERSION;
}

/* In TLS 1.2 the library only keeps the curve of its key. */
static unsigned group12(const struct WOLFSSL *ssl)
{
    switch (ssl->ecdhCurveOID) {
    case ECC_SECP256R1_OID:
        return 23;
    case ECC_SECP384R1_OID:
        return 24;
    case ECC_SECP521R1_OID:
        return 25;
    case ECC_X25519_OID:
        return 29;
    case ECC_X448_OID:
        return 30;
    default:
        return 0;
    }
}

const char *tls_session_group(struct WOLFSSL *ssl)
{
    bool again = is_tls13(ssl) && !ssl->options.noPskDheKe; /* psk_dhe_ke (RFC 8446 4.2.9) */

    if (wolfSSL_session_reused(ssl) && !again)
        return NULL;
    return name_of(groups, ARRAY_LEN(groups), is_tls13(ssl) ? ssl->namedGroup : group12(ssl));
}

static const char *scheme(unsigned sig, unsigned hash, bool pss_key)
{
    unsigned id;

    switch (sig) {
    case rsa_sa_algo:
    case ecc_dsa_sa_algo:
        id = hash << 8 | sig;
        break;
    case rsa_pss_sa_algo:
    case rsa_pss_pss_algo:
        id = 0x0800 + hash + (pss_key || sig == rsa_pss_pss_algo ? pss_sha256 - sha256_mac : 0);
        break;
    case ed25519_sa_algo:
        id = 0x0807;
        break;
    case ed448_sa_algo:
        id = 0x0808;
        break;
    default:
        id = 0;
        break;
    }
    return name_of(schemes, ARRAY_LEN(schemes), id);
}

const char *tls_session_peer_sigalg(struct WOLFSSL *ssl, bool pss_key)
{
    unsigned sig = ssl->options.peerSigAlgo;

    return sig == anonymous_sa_algo ? NULL : scheme(sig, ssl->options.peerHashAlgo, pss_key);
}

const char *tls_session_own_sigalg(struct WOLFSSL *ssl, bool pss_key)
{
    unsigned sig = ssl->options.sigAlgo;

    if (wolfSSL_session_reused(ssl) || sig == anonymous_sa_algo)
        return NULL;
    if (is_tls13(ssl) && sig == rsa_sa_algo)
        sig = rsa_pss_sa_algo; /* PKCS #1 is for certificates only (RFC 8446 4.2.3) */
    return scheme(sig, ssl->options.hashAlgo, pss_key);
}
