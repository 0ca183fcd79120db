/**
 * ocsp_ask: one question to one OCSP responder, over HTTP POST (RFC 6960 A.1), answered by a callback with the
 * judgement of crypto/ocsp.h.
 */
#ifndef SALLYPORT_CONTROL_OCSP_ASK_H
#define SALLYPORT_CONTROL_OCSP_ASK_H

#include "control/fetch.h"
#include "crypto/ocsp.h"

struct ocsp_ask;

/* Borrowed until the callback returns. */
struct ocsp_said {
    const char *why; /* NULL: there is an answer; else why there is none, for people */
    int status;      /* HTTP's; 0: none */
    struct ocsp_answer answer;
    struct span der; /* of the answer */
};

typedef void (*ocsp_said_fn)(void *ctx, const struct ocsp_said *s);

struct ocsp_question {
    struct span cert, issuer; /* DER; copied */
    const char *url;
    uint32_t timeout_ms;
    int64_t max_age_s;
    bool nonce; /* else an answer made for others will do, too */
    ocsp_said_fn said;
    void *ctx;
};

/**
 * Returns  INVALID: *why says what is wrong with the certificates or the URL; EXISTS: too many questions already.
 *          Else `said` is called once, from fetch_turn, unless it is given up
 */
MUST_CHECK res ocsp_ask_begin(struct fetch *f, const struct ocsp_question *q, struct ocsp_ask **out,
                              const char **why);
/* Give up, or give back what has been answered. NULL is fine. */
void ocsp_ask_free(struct ocsp_ask *a);

/* Where to ask about it; a text of its own, to be freed. NULL: the certificate does not say. */
char *ocsp_ask_url(const struct cert *cert);

#endif
