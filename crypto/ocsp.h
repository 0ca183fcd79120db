/**
 * ocsp: what an issuer's responder says of one certificate, now (RFC 6960; of RFC 5019 what a client of it
 * does; nonces as RFC 8954 bounds them). Pure: bytes and time in, judgement out; whoever calls has asked
 * somebody, somehow.
 *
 * Taken: basic responses, signed by the issuer itself, or by a delegate whose certificate is in the response,
 * signed by that very issuer, for OCSPSigning, valid now. Refused, with a reason: all others.
 * A delegate's own revocation is not asked for, as if it said id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1 leaves it
 * to us).
 */
#ifndef SALLYPORT_CRYPTO_OCSP_H
#define SALLYPORT_CRYPTO_OCSP_H

#include "crypto/cert.h"

#define OCSP_REQUEST_MAX_B  256u   /* any request of ours fits */
#define OCSP_RESPONSE_MAX_B 32768u /* a larger response is not looked at */
#define OCSP_NONCE_B        32u    /* the longest (RFC 8954 2.1) */
#define OCSP_ID_B           32u
#define OCSP_SKEW_S         300  /* how wrong the responder's clock and ours may be, together */
#define OCSP_FRESH_S        3600 /* an answer without nextUpdate is good for so long */

enum ocsp_status { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN };

/* "good", "revoked", "unknown" */
const char *ocsp_status_name(enum ocsp_status s);
/* "keyCompromise"; "unspecified" for what has no name (RFC 5280 5.3.1) */
const char *ocsp_reason_name(uint8_t reason);

/**
 * A request for `cert`, with a SHA-1 certID as every responder knows it. `nonce` may be empty, and has at
 * most OCSP_NONCE_B bytes.
 * Returns  its length in `out`; 0: the certificate's serial number is absurd
 */
size_t ocsp_request(const struct cert *cert, const struct cert *issuer, struct span nonce,
                    uint8_t out[OCSP_REQUEST_MAX_B]);

struct ocsp_rules {
    int64_t now_s;
    int64_t max_age_s; /* since thisUpdate; 0: whatever nextUpdate says */
    struct span nonce; /* that was asked with; empty: none. One that comes back must be this one */
};

struct ocsp_answer {
    enum ocsp_status status;
    int64_t this_s, next_s; /* next_s 0: none said */
    int64_t until_s;        /* from then on it is too old to be used, skew not counted */
    int64_t revoked_s;
    uint8_t reason;
    bool nonce_seen; /* it came back: this is no replay */
    bool delegated;  /* signed by a delegate of the issuer */
};

/**
 * Returns  INVALID when nothing can be concluded from the response; *why is a literal
 * Bound    O(length) and OCSP_SIGNERS_MAX + 1 signature checks
 */
#define OCSP_SIGNERS_MAX 4 /* beside the issuer */
MUST_CHECK res ocsp_judge(struct span response, const struct cert *cert, const struct cert *issuer,
                          const struct ocsp_rules *rules, struct ocsp_answer *out,
                          const char **why);

/* Where the certificate says that its issuer answers (RFC 5280 4.2.2.1): the first http or https URL. */
bool ocsp_url(const struct cert *cert, struct span *url);

/* Names the question: same issuer's name, key, and same serial number, same id. */
void ocsp_id(const struct cert *cert, const struct cert *issuer, uint8_t id[OCSP_ID_B]);

#endif
