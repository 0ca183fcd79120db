/**
 * verdict: do we trust this chain, for this purpose, at this time? Path validation after RFC 5280 6
 * as a pure function: the same inputs give the same answer, wherever it is asked (client, backend,
 * own certificate, `explain`, tests). Time is an argument.
 *
 * The chain is what the peer sent: leaf first, the rest in any order, possibly with strangers among
 * them. Candidate paths go from the leaf to any anchor of the set, through what was sent and the set's
 * intermediates; loops and explosions are bounded by VERDICT_WORK_MAX signature checks.
 */
#ifndef SALLYPORT_CRYPTO_VERDICT_H
#define SALLYPORT_CRYPTO_VERDICT_H

#include "crypto/cert.h"
#include "crypto/memo.h"
#include "crypto/trust.h"

#define VERDICT_WORK_MAX 64 /* signature checks for one verdict */
#define VERDICT_PATH_MAX 12 /* certificates in a path, anchor included */

/*   symbol              stable name            TLS alert (RFC 8446 6)   Apache's words for the error */
#define VERDICT_CODES(X)                                                                   \
    X(OK, "ok", 0, "ok")                                                                   \
    X(NO_CERT, "cert_required", 116, "no certificate")                                     \
    X(MALFORMED, "cert_malformed", 42, "certificate cannot be read")                       \
    X(ISSUER_UNKNOWN, "issuer_unknown", 48, "unable to get local issuer certificate")      \
    X(SELF_SIGNED, "self_signed", 48, "self-signed certificate")                           \
    X(SELF_SIGNED_IN_CHAIN, "self_signed_in_chain", 48,                                    \
      "self-signed certificate in certificate chain")                                      \
    X(CHAIN_TOO_LONG, "chain_too_long", 48, "certificate chain too long")                  \
    X(SIGNATURE, "bad_signature", 51, "certificate signature failure")                     \
    X(ALGORITHM, "algorithm_refused", 43, "signature algorithm or digest not accepted")    \
    X(WEAK_KEY, "weak_key", 43, "key too small")                                           \
    X(NOT_YET_VALID, "cert_not_yet_valid", 45, "certificate is not yet valid")             \
    X(EXPIRED, "cert_expired", 45, "certificate has expired")                              \
    X(NOT_A_CA, "not_a_ca", 48, "invalid CA certificate")                                  \
    X(PATH_LENGTH, "path_length", 48, "path length constraint exceeded")                   \
    X(KEY_USAGE, "key_usage", 43, "key usage does not allow this")                         \
    X(PURPOSE, "wrong_purpose", 43, "unsuitable certificate purpose")                      \
    X(NAME_CONSTRAINT, "name_not_permitted", 42, "permitted subtree violation")            \
    X(POLICY, "policy", 42, "no explicit policy")                                          \
    X(CRITICAL_EXTENSION, "critical_extension", 43, "unhandled critical extension")        \
    X(NAME_MISMATCH, "name_mismatch", 42, "certificate does not match the name asked for") \
    X(REVOKED, "cert_revoked", 44, "certificate revoked")                                  \
    X(REVOCATION_UNKNOWN, "revocation_unknown", 46, "unable to get certificate CRL")       \
    X(REVOCATION_STALE, "revocation_stale", 46, "CRL has expired")                         \
    X(NOT_LISTED, "not_listed", 46, "certificate is not on the list")                      \
    X(TOO_MUCH_WORK, "too_much_work", 42, "too many candidate paths")                      \
    X(UNVERIFIED, "unverified", 48, "taken without trust")

enum verdict_code {
#define X(sym, name, alert, text) VERDICT_##sym,
    VERDICT_CODES(X)
#undef X
        VERDICT_CODE_COUNT,
};

enum verdict_purpose { VERDICT_FOR_CLIENT, VERDICT_FOR_SERVER, VERDICT_FOR_ANY };

struct verdict_input {
    const struct cert *chain; /* leaf first */
    uint32_t chain_len;
    const struct trust *trust;
    int64_t now_s; /* since 1970 */
    enum verdict_purpose purpose;
    /**
     * Longest chain accepted, in Apache's counting (SSLVerifyDepth): issuers above the leaf, the anchor
     * among them. 0: only a leaf that is itself an anchor. -1: no limit but VERDICT_PATH_MAX.
     */
    int max_depth;
    uint16_t min_rsa_bits;   /* 0: 2048 */
    struct ocsp_table *ocsp; /* NULL: nobody answers, where the set asks for it */
    bool ocsp_late;          /* nobody waits any more for what is not known: no answer will come */
    bool ocsp_none;    /* leave it out, whatever the set asks for: an explanation, no verdict */
    struct memo *memo; /* may be NULL */
};

struct verdict {
    enum verdict_code code;
    uint8_t depth;     /* where it failed: 0 = leaf */
    uint8_t chain_len; /* issuers above the leaf, the anchor among them; of the best path found */
    int32_t anchor;    /* index in the trust set, -1: none reached */
    int64_t expires_s; /* earliest notAfter along the path */
    int64_t
        look_s; /* judge it again by then: answers are only renewed while somebody looks for them */
    int64_t valid_from_s; /* latest notBefore */
    int64_t revocation_s; /* thisUpdate of the oldest revocation data used; 0: none */
    uint16_t work;        /* signature checks asked for */
    /* Bit i: the certificate path[i], issued by path[i + 1], has to be asked about. */
    uint16_t ocsp_want;
    /* Bit i: no list is known for path[i], and the set learns from path[i] where it is (crypto/crl_learn.h). */
    uint16_t crl_want;
    bool ocsp_wait;                 /* with REVOCATION_UNKNOWN: the answer may be waited for */
    uint8_t path_len;               /* entries of `path` */
    int16_t path[VERDICT_PATH_MAX]; /* >= 0: index in chain; < 0: -1 - index in the trust set */
};

/* Never fails: what cannot be judged is refused with a code. Bound: VERDICT_WORK_MAX signature checks
 * and O(total length) otherwise. */
void verdict_judge(const struct verdict_input *in, struct verdict *out);

/**
 * Is `name` one of the leaf's names? RFC 9525: dNSName with one left-most wildcard label, iPAddress
 * for addresses, never the common name.
 */
bool verdict_name_matches(const struct cert *leaf, struct span name);

const char *verdict_name(enum verdict_code code);
uint8_t verdict_alert(enum verdict_code code);
const char *verdict_text(enum verdict_code code);

/**
 * One sentence for people: names the certificate (subject, serial), what is wrong with numbers, and what
 * would have to be different. "issuer unknown: CN=client is signed by CN=Int 1 (key id ab12..), which is
 * neither sent nor known; send it along or add it to trust 'staff'".
 */
void verdict_explain(struct sb *s, const struct verdict *v, const struct verdict_input *in);

#endif
