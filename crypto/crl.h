/**
 * crl: certificate revocation lists (RFC 5280 5), read once and held as sets of serial numbers: 22 bytes and a
 * little for each, found in constant time. Control side builds, cores read.
 *
 * Taken: version 2 lists, complete or delta, in parts by distribution point, for end entities or CAs only.
 * Refused, with a reason: indirect lists, lists for some reasons or for attribute certificates only, unknown
 * critical extensions.
 */
#ifndef SALLYPORT_CRYPTO_CRL_H
#define SALLYPORT_CRYPTO_CRL_H

#include "base/report.h"
#include "crypto/cert.h"

enum crl_check { CRL_CHECK_NONE, CRL_CHECK_LEAF, CRL_CHECK_CHAIN };

/* What a list, or several, say of one certificate. */
enum crl_answer {
    CRL_NO_LIST, /* none for this issuer and this sort of certificate */
    CRL_GOOD,
    CRL_STALE, /* not on a list, but the list's time is over or has not come */
    CRL_REVOKED
};

struct crl;

/* Views into the DER of a list. */
struct crl_view {
    struct span tbs, sig, issuer, aki, number, base_number, entries;
    struct span point; /* its distribution point's names, DER; empty: it is for all */
    struct cert_alg alg;
    int64_t this_s, next_s; /* next_s 0: none said */
    bool delta, users_only, cas_only;
};

/**
 * Returns  INVALID when it is not a list that can be used; *why is a literal
 * Bound    O(length)
 */
MUST_CHECK res crl_parse(struct span der, struct crl_view *out, const char **why);

/* Keeps what it needs. `signer` is whose signature was checked. */
MUST_CHECK res crl_new(const struct crl_view *v, const struct cert *signer, struct crl **out);
void crl_free(struct crl *c);

/**
 * Hang a delta on its complete list. False: it is for another one, or for an older state of it
 * (RFC 5280 5.2.4). Takes `delta` when true; a delta that was there already gives way to a newer one.
 */
bool crl_attach(struct crl *base, struct crl *delta);

bool crl_is_delta(const struct crl *c);
uint32_t crl_count(const struct crl *c);
uint64_t crl_bytes(const struct crl *c);
struct span crl_issuer(const struct crl *c);
int64_t crl_next_s(const struct crl *c); /* of list and delta; INT64_MAX: none said */
int64_t crl_this_s(const struct crl *c);

/* Is this list for certificates that `issuer` signed, and for this one? */
bool crl_covers(const struct crl *c, const struct cert *issuer, const struct cert *cert);
/* Of a list that covers it. Never CRL_NO_LIST. Bound: O(1) */
enum crl_answer crl_ask(const struct crl *c, const struct cert *cert, int64_t now_s);

#endif
