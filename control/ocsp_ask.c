#include "control/ocsp_ask.h"

#include "base/url.h"
#include "control/ctl.h"

#include <stdlib.h>
#include <sys/random.h>

#define NONCE_B 16u

struct ocsp_ask {
    struct fetch *fetch;
    uint64_t id; /* 0: over */
    struct cert cert, issuer;
    uint8_t nonce[NONCE_B];
    size_t nonce_b;
    int64_t max_age_s;
    ocsp_said_fn said;
    void *ctx;
    uint8_t der[]; /* of both */
};

static const char *end_text(const struct fetch_answer *f)
{
    switch (f->end) {
    case FETCH_TIMEOUT:
        return "the responder did not answer in time";
    case FETCH_TOO_LARGE:
        return "the response is too large";
    case FETCH_REFUSED:
        return "the responder refused it";
    case FETCH_NOT_MODIFIED:
    case FETCH_FAILED:
    case FETCH_OK:
        break;
    }
    return f->why ? f->why : "the responder cannot be reached";
}

static void on_answer(void *ctx, const struct fetch_answer *f)
{
    struct ocsp_ask *a = (struct ocsp_ask *)ctx;
    struct ocsp_said s = {.status = f->status};
    struct ocsp_rules rules = {
        .now_s = ctl_wall_s(), .max_age_s = a->max_age_s, .nonce = span_of(a->nonce, a->nonce_b)};

    a->id = 0;
    if (f->end != FETCH_OK) {
        s.why = end_text(f);
    } else if (IS_OK(ocsp_judge(f->body, &a->cert, &a->issuer, &rules, &s.answer, &s.why))) {
        s.why = NULL;
        s.der = f->body;
    }
    a->said(a->ctx, &s);
}

static bool parse(struct ocsp_ask *a, const struct ocsp_question *q, const char **why)
{
    memcpy(a->der, q->cert.p, q->cert.len);
    memcpy(a->der + q->cert.len, q->issuer.p, q->issuer.len);
    return IS_OK(cert_parse(span_of(a->der, q->cert.len), &a->cert, why)) &&
           IS_OK(cert_parse(span_of(a->der + q->cert.len, q->issuer.len), &a->issuer, why));
}

static bool over_http(const char *url, const char **why)
{
    enum url_scheme s = url_scheme(url, why);

    if (s == URL_FILE)
        *why = "not an http:// or https:// URL";
    return s == URL_HTTP || s == URL_HTTPS;
}

res ocsp_ask_begin(struct fetch *f, const struct ocsp_question *q, struct ocsp_ask **out,
                   const char **why)
{
    struct ocsp_ask *a = (struct ocsp_ask *)calloc(1, sizeof(*a) + q->cert.len + q->issuer.len + 1);
    uint8_t request[OCSP_REQUEST_MAX_B];
    size_t n;
    res r;

    *out = NULL;
    *why = "no memory for it";
    if (!a)
        return ERR(NOMEM);
    a->fetch = f;
    a->max_age_s = q->max_age_s;
    a->said = q->said;
    a->ctx = q->ctx;
    if (q->nonce && getrandom(a->nonce, sizeof(a->nonce), 0) == sizeof(a->nonce))
        a->nonce_b = sizeof(a->nonce);
    n = parse(a, q, why)
            ? ocsp_request(&a->cert, &a->issuer, span_of(a->nonce, a->nonce_b), request)
            : 0;
    r = n ? OK : ERR(INVALID);
    if (n && !over_http(q->url, why))
        r = ERR(INVALID);
    if (IS_OK(r)) {
        *why = "too many questions are waiting";
        r = fetch_begin(f,
                        &(struct fetch_request){.url = q->url,
                                                .accept = "application/ocsp-response",
                                                .body = span_of(request, n),
                                                .body_type = "application/ocsp-request",
                                                .max_b = OCSP_RESPONSE_MAX_B,
                                                .timeout_ms = q->timeout_ms,
                                                .done = on_answer,
                                                .ctx = a},
                        &a->id);
    }
    if (!IS_OK(r)) {
        free(a);
        return r;
    }
    *out = a;
    return OK;
}

void ocsp_ask_free(struct ocsp_ask *a)
{
    if (!a)
        return;
    if (a->id)
        fetch_cancel(a->fetch, a->id);
    free(a);
}

char *ocsp_ask_url(const struct cert *cert)
{
    struct span url;

    /* A NUL or a space in it is refused where it is used. */
    return ocsp_url(cert, &url) && !memchr(url.p, 0, url.len)
               ? strndup((const char *)url.p, url.len)
               : NULL;
}
