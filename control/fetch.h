/**
 * fetch: answers to HTTP requests of the control side (revocation lists, OCSP), over libcurl. Nothing here
 * waits: the caller polls fetch_fd() for at most fetch_wait_ms(), then calls fetch_turn(), which calls back.
 *
 *     f = fetch_new(8, &f)
 *     fetch_begin(f, &(struct fetch_request){.url = ..., .max_b = ..., .timeout_ms = ..., .done = on_answer}, &id)
 *     poll({fetch_fd(f), POLLIN}, fetch_wait_ms(f));  fetch_turn(f)
 *
 * Everything that answers is hostile: bounded in time, in bytes of the body and of the head, in redirections.
 * No cookies, no credentials, no decompression, no proxy but fetch_use's, nothing from the environment. Names are resolved by a
 * thread of libcurl's that is left behind when it takes too long. A TLS handshake computes within the turn: with
 * the system's CAs, which libcurl reads anew each time, some tens of milliseconds.
 */
#ifndef SALLYPORT_CONTROL_FETCH_H
#define SALLYPORT_CONTROL_FETCH_H

#include "base/res.h"
#include "base/span.h"

#define FETCH_TAG_MAX_B     256 /* of an ETag or a date; longer ones are as if they were not given */
#define FETCH_WAITING_MAX   16384 /* requests that have not had their turn yet */
#define FETCH_REDIRECTS_MAX 5

enum fetch_end {
    FETCH_OK,           /* 2xx with a body, or a file */
    FETCH_NOT_MODIFIED, /* 304 */
    FETCH_REFUSED,      /* any other status */
    FETCH_TOO_LARGE,
    FETCH_TIMEOUT,
    FETCH_FAILED /* no connection, no such name, not HTTP, another scheme, ... */
};

/* Borrowed until the callback returns. Texts come from the other side: escape them. */
struct fetch_answer {
    enum fetch_end end;
    int status;                 /* 0: none came, or a file */
    struct span body;           /* only with FETCH_OK */
    const char *etag, *changed; /* ETag, Last-Modified; NULL: none */
    const char *type;           /* Content-Type; NULL: none */
    int64_t max_age_s;          /* Cache-Control less Age; 0: not to be kept; -1: nothing said */
    const char *why;            /* in words, when it is neither OK nor NOT_MODIFIED */
};

/* May begin other requests and give up others; not fetch_free. */
typedef void (*fetch_done_fn)(void *ctx, const struct fetch_answer *a);

struct fetch_request {
    const char *url;            /* as base/url.h has it; file:// with `file_ok` */
    const char *etag, *changed; /* of the answer before: asks for 304; NULL: none */
    const char *accept;         /* NULL: anything */
    struct span body;           /* with `body_type`: POST, which follows no redirection */
    const char *body_type;
    size_t max_b;        /* of the answer's body; 1.. */
    uint32_t timeout_ms; /* from its turn to the last byte; 1.. */
    bool file_ok;
    fetch_done_fn done;
    void *ctx;
};

struct fetch;

/* `active` requests at once; the others wait their turn, in order. */
MUST_CHECK res fetch_new(uint32_t active, struct fetch **out);
/**
 * For requests that begin from now on: whom https trusts, NULL: the system; an http:// proxy, NULL: none, and the names,
 * addresses and networks that are asked without it, NULL: none.
 * Returns  NOMEM: nothing has changed
 */
MUST_CHECK res fetch_use(struct fetch *f, const char *ca_file, const char *proxy,
                         const char *direct);
/* Nobody is called back any more. NULL is fine. */
void fetch_free(struct fetch *f);

/**
 * Copies   everything that the request points to
 * Returns  INVALID: not such a URL (*id is 0); EXISTS: too many wait already. Else `done` is called once, from
 *          fetch_turn, unless it is given up
 */
MUST_CHECK res fetch_begin(struct fetch *f, const struct fetch_request *r, uint64_t *id);
/* Give up; an id that is over does nothing. */
void fetch_cancel(struct fetch *f, uint64_t id);

int fetch_fd(const struct fetch *f);
/* How long to wait at most; -1: as long as you like. */
int fetch_wait_ms(const struct fetch *f);
void fetch_turn(struct fetch *f);
uint32_t fetch_count(const struct fetch *f); /* under way and waiting */

#endif
