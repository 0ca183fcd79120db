/**
 * path: one candidate path, checked as RFC 5280 6.1 says. What verdict.c has put together is judged here;
 * each rule in a file of its own.
 */
#ifndef SALLYPORT_CRYPTO_PATH_H
#define SALLYPORT_CRYPTO_PATH_H

#include "crypto/verdict.h"

struct path {
    const struct cert *cert[VERDICT_PATH_MAX]; /* leaf first, anchor last */
    uint32_t n;                                /* certificates, at least 1 */
};

struct path_error {
    enum verdict_code code;
    uint8_t depth;
};

/* path_cert.c: one certificate by itself. Form: what none may be; the anchor, believed and not judged, is exempt. */
enum verdict_code path_cert_form(const struct cert *c);
/* The anchor is not exempt: its limits hold, and here they cannot be told (MUST, RFC 5937 2). */
enum verdict_code path_cert_extensions(const struct cert *c);
bool path_cert_key_ok(const struct verdict_input *in, const struct cert *c);
bool path_cert_algorithm_ok(const struct cert *c);
/* Where key purposes are named, ours is among them, in the leaf and in every CA above it. */
bool path_cert_eku_ok(const struct cert *c, enum verdict_purpose p);
enum verdict_code path_cert_leaf_usage(const struct cert *c, enum verdict_purpose p);
/* RFC 5280 6.1.4 (k), (n): may it sign certificates? */
enum verdict_code path_cert_ca_usage(const struct cert *c);

/* name_constraints.c: RFC 5280 4.2.1.10, 6.1.3 (b), (c), cumulative over all CAs of the path. */
bool path_names_ok(const struct path *p, struct path_error *e);

/* path_crl.c: RFC 5280 6.3, by the set's lists. The anchor is not asked about: nobody above it could revoke it. */
struct path_crl {
    int64_t this_s, next_s; /* of the oldest list that was asked; until when all hold */
    uint16_t want;          /* bit i: there is no list for cert[i], which names one */
};

bool path_crl_ok(const struct path *p, const struct verdict_input *in, struct path_crl *l,
                 struct path_error *e);

/* path_ocsp.c: by the set's rules for OCSP, from what the table knows. */
struct path_ocsp {
    int64_t this_s, next_s; /* of the oldest answer; until when all hold */
    uint16_t want;          /* bit i: cert[i] has to be asked about */
    bool wait;              /* refused only until then */
};

bool path_ocsp_ok(const struct path *p, const struct verdict_input *in, struct path_ocsp *o,
                  struct path_error *e);

/* policy.c: RFC 5280 6.1.2 to 6.1.5, with the user-initial-policy-set any-policy. */
bool path_policy_ok(const struct path *p, struct path_error *e);

#endif
