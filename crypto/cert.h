/**
 * cert: one X.509 certificate, parsed (RFC 5280 4). A view: all spans point into the DER given, nothing
 * is allocated, nothing is judged. Parsing is strict DER and bounded; what it cannot read it refuses.
 */
#ifndef SALLYPORT_CRYPTO_CERT_H
#define SALLYPORT_CRYPTO_CERT_H

#include "base/res.h"
#include "base/sb.h"
#include "base/span.h"

#define CERT_DER_MAX   16384 /* a certificate larger than this is not parsed */
#define CERT_CHAIN_MAX 9     /* certificates that a peer may send: the library takes no more */

enum cert_key { CERT_KEY_OTHER, CERT_KEY_RSA, CERT_KEY_EC, CERT_KEY_ED25519 };
enum cert_curve { CERT_CURVE_OTHER, CERT_CURVE_P256, CERT_CURVE_P384, CERT_CURVE_P521 };
enum cert_hash {
    CERT_HASH_OTHER,
    CERT_HASH_MD5,
    CERT_HASH_SHA1,
    CERT_HASH_SHA224,
    CERT_HASH_SHA256,
    CERT_HASH_SHA384,
    CERT_HASH_SHA512,
    CERT_HASH_NONE /* Ed25519 */
};
enum cert_sig {
    CERT_SIG_OTHER,
    CERT_SIG_RSA_PKCS1,
    CERT_SIG_RSA_PSS,
    CERT_SIG_ECDSA,
    CERT_SIG_ED25519
};

/* RFC 5280 4.2.1.3, bit n of the BIT STRING is bit n here. */
enum {
    CERT_KU_DIGITAL_SIGNATURE = 1 << 0,
    CERT_KU_NON_REPUDIATION = 1 << 1,
    CERT_KU_KEY_ENCIPHERMENT = 1 << 2,
    CERT_KU_DATA_ENCIPHERMENT = 1 << 3,
    CERT_KU_KEY_AGREEMENT = 1 << 4,
    CERT_KU_KEY_CERT_SIGN = 1 << 5,
    CERT_KU_CRL_SIGN = 1 << 6,
};

/* RFC 5280 4.2.1.12; others are counted in eku_other. */
enum {
    CERT_EKU_ANY = 1 << 0,
    CERT_EKU_SERVER_AUTH = 1 << 1,
    CERT_EKU_CLIENT_AUTH = 1 << 2,
    CERT_EKU_OCSP_SIGNING = 1 << 3,
};

/* Which extensions are there; the critical ones among them in `critical`. */
enum {
    CERT_EXT_BASIC = 1 << 0,
    CERT_EXT_KEY_USAGE = 1 << 1,
    CERT_EXT_EKU = 1 << 2,
    CERT_EXT_SAN = 1 << 3,
    CERT_EXT_NAME_CONSTRAINTS = 1 << 4,
    CERT_EXT_POLICIES = 1 << 5,
    CERT_EXT_POLICY_CONSTRAINTS = 1 << 6,
    CERT_EXT_POLICY_MAPPINGS = 1 << 7,
    CERT_EXT_INHIBIT_ANY = 1 << 8,
    CERT_EXT_AKI = 1 << 9,
    CERT_EXT_SKI = 1 << 10,
    CERT_EXT_CRL_DP = 1 << 11,
    CERT_EXT_AIA = 1 << 12,
    CERT_EXT_MUST_STAPLE = 1 << 13, /* RFC 7633 */
    CERT_EXT_OCSP_NO_CHECK = 1 << 14,
    CERT_EXT_ISSUER_ALT = 1 << 15,
    CERT_EXT_FRESHEST_CRL = 1 << 16,
    CERT_EXT_UNKNOWN_CRITICAL = 1 << 30,
};

struct cert {
    struct span der;                   /* the whole certificate */
    struct span tbs;                   /* what was signed */
    uint8_t version;                   /* 1, 2, 3 */
    struct span serial;                /* content of the INTEGER, as it stands */
    struct span issuer, subject;       /* RDNSequence, DER with its header */
    int64_t not_before_s, not_after_s; /* since 1970, UTC */
    struct span spki;                  /* SubjectPublicKeyInfo, DER with its header */
    struct span key;                   /* content of its BIT STRING */
    enum cert_key key_type;
    enum cert_curve curve;
    uint16_t key_bits;
    bool key_pss_only; /* an id-RSASSA-PSS key: signs nothing but PSS */
    enum cert_sig sig_alg;
    enum cert_hash sig_hash;
    bool
        sig_alg_differs; /* inner and outer AlgorithmIdentifier are not the same (RFC 5280 4.1.1.2) */
    uint8_t pss_salt_b;
    struct span sig; /* content of the BIT STRING */

    uint32_t ext, critical; /* CERT_EXT_* */
    bool ext_twice;         /* an extension stands twice (RFC 5280 4.2) */
    bool is_ca;
    int16_t path_len; /* -1: none */
    uint16_t key_usage;
    uint32_t eku;
    uint32_t eku_other;
    struct span aki, ski; /* key identifiers; empty: none */
    /* Contents of the extensions' OCTET STRINGs, for whoever needs more; empty: not there. */
    struct span san, name_constraints, policies, policy_constraints, policy_mappings, inhibit_any,
        eku_der, crl_dp, aia, freshest_crl;
    struct span unknown_critical_oid; /* the first one */
    struct span extensions;           /* SEQUENCE OF Extension, content */
};

/**
 * Borrows  der, for as long as `out` is used
 * Returns  INVALID when it is not a certificate in strict DER; *why is a literal that says what was wrong
 * Bound    O(length)
 */
MUST_CHECK res cert_parse(struct span der, struct cert *out, const char **why);

/* AlgorithmIdentifier of a signature, its content. Also used for CRLs and OCSP. */
struct cert_alg {
    enum cert_sig sig;
    enum cert_hash hash;
    uint8_t salt_b;
};

bool cert_alg_parse(struct span seq, struct cert_alg *out);

/* subject equals issuer (RFC 5280 6.1): says nothing about who signed. */
bool cert_self_issued(const struct cert *c);

/* Names compared as RFC 5280 7.1 asks: case and inner space of printable strings do not count. */
bool cert_name_eq(struct span a, struct span b);

/* "CN=client,O=Bank\, Ltd.,C=DE": RFC 2253 with the last RDN first, as OpenSSL prints it. All that is not
 * printable ASCII is escaped, so the text is safe in logs and terminals. */
void cert_name_text(struct sb *s, struct span name);
/* The same with UTF-8 as it is: Apache's SSL_CLIENT_S_DN. Control characters are escaped. */
void cert_name_text_utf8(struct sb *s, struct span name);
/* "/C=DE/O=Bank, Ltd./CN=client": SSLOptions +LegacyDNStringFormat. */
void cert_name_text_legacy(struct sb *s, struct span name);

/* Serial number in upper-case hex as openssl prints it; "-" in front when negative. */
void cert_serial_text(struct sb *s, struct span serial);

/* Walk over subjectAltName: begin with it == san; false at the end (or when the rest is broken). */
enum cert_san_kind {
    CERT_SAN_OTHER = 0,
    CERT_SAN_EMAIL = 1,
    CERT_SAN_DNS = 2,
    CERT_SAN_DIR = 4,
    CERT_SAN_URI = 6,
    CERT_SAN_IP = 7
};
bool cert_san_next(struct span *it, enum cert_san_kind *kind, struct span *value);

#endif
