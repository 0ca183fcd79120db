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

/* Keeps what it needs. `signer` is whose signature was checked. Shared by the sets that use it. */
MUST_CHECK res crl_new(const struct crl_view *v, const struct cert *signer, struct crl **out);
struct crl *crl_ref(struct crl *c); /* control side only */
void crl_unref(struct crl *c);      /* NULL is fine */

const uint8_t *crl_id(const struct crl *c); /* 32 bytes: of all that was signed */
bool crl_is_delta(const struct crl *c);
uint32_t crl_count(const struct crl *c);
uint64_t crl_bytes(const struct crl *c);
struct span crl_issuer(const struct crl *c);
int64_t crl_next_s(const struct crl *c); /* INT64_MAX: none said */
int64_t crl_this_s(const struct crl *c);

/* Was it signed with the key of this CA, by this name? */
bool crl_signed_by(const struct crl *c, const struct cert *ca);
/* Same signer, distribution point and sort: the newer one takes the place of the older. */
bool crl_same_scope(const struct crl *a, const struct crl *b);
/* By number, where both have one, and by thisUpdate. */
bool crl_older(const struct crl *a, const struct crl *b);
/* Does this delta go with this complete list, and not with an older state of it (RFC 5280 5.2.4)? */
bool crl_delta_fits(const struct crl *base, const struct crl *delta);

/* Is this list for certificates that `issuer` signed, and for this one? */
bool crl_covers(const struct crl *c, const struct cert *issuer, const struct cert *cert);
/* Of a list that covers it, with a delta that fits or NULL. Never CRL_NO_LIST. Bound: O(1) */
enum crl_answer crl_ask(const struct crl *c, const struct crl *delta, const struct cert *cert,
                        int64_t now_s);

/* Does a cRLDistributionPoints extension have one of `names` (GeneralNames, content) as the name of a point that is for
 * all reasons and by the certificate's own issuer (RFC 5280 6.3.3 (b)(2)(i))? */
bool crl_point_named(struct span extension, struct span names);

/* URLs (http, https) of a cRLDistributionPoints or freshestCRL extension, as far as they are for whole lists of
 * the certificate's own issuer (RFC 5280 4.2.1.13). Returns how many of `max` were filled in. */
size_t crl_points(struct span extension, struct span *urls, size_t max);

#endif
