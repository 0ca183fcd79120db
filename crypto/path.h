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

/* name_constraints.c: RFC 5280 4.2.1.10, 6.1.3 (b), (c), cumulative over all CAs of the path. */
bool path_names_ok(const struct path *p, struct path_error *e);

/* path_ocsp.c: by the set's rules for OCSP, from what the table knows. */
struct path_ocsp {
    int64_t this_s, next_s; /* of the oldest answer; until when all hold */
    int64_t look_s;         /* when they shall be looked for again, so that they are renewed */
    uint16_t want;          /* bit i: cert[i] has to be asked about */
    bool wait;              /* refused only until then */
};

bool path_ocsp_ok(const struct path *p, const struct verdict_input *in, struct path_ocsp *o,
                  struct path_error *e);

/* policy.c: RFC 5280 6.1.2 to 6.1.5, with the user-initial-policy-set any-policy. */
bool path_policy_ok(const struct path *p, struct path_error *e);

#endif
