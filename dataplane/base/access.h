/**
 * access: one request's record for the access log, from a core to the control side (LOG_REC_ACCESS in a
 * core's ring). A fixed part, then texts. The core copies and cuts, it never formats or escapes; control/
 * does both, by the operator's format.
 *
 *     void *mem = ring_reserve(ring, LOG_REC_ACCESS, ACCESS_MAX_B);
 *     if (mem) {
 *         struct access_rec *rec = access_begin(&w, mem, ACCESS_MAX_B, capture headers ...);
 *         rec->status = 200; ...
 *         access_put(&w, ACCESS_LINE, line);
 *         ring_commit(ring, access_end(&w));
 *     }
 */
#ifndef SALLYPORT_BASE_ACCESS_H
#define SALLYPORT_BASE_ACCESS_H

#include "base/ip.h"

#define ACCESS_MAX_B       8192 /* of a record */
#define ACCESS_HEADERS_MAX 32   /* captured, of each side */
#define ACCESS_VIEWS_MAX   32   /* values of base/view.h */

/* Texts of a record, and how much of each is kept. */
#define ACCESS_STRINGS(X)                                              \
    X(LINE, 4096) /* request line, as it came */                       \
    X(METHOD, 32)                                                      \
    X(PATH, 2048)       /* as it came, without the query */            \
    X(QUERY, 2048)      /* without the '?'; not put: there was none */ \
    X(HOST, 256)        /* name of the virtual host that was chosen */ \
    X(HOST_HEADER, 256) /* Host as it came */                          \
    X(UPSTREAM, 64)                                                    \
    X(MEMBER, 64)                                                      \
    X(USER, 256)                                                       \
    X(REASON, 64) /* why we refused, a stable word */

enum access_str {
#define X(sym, max) ACCESS_##sym,
    ACCESS_STRINGS(X)
#undef X
        ACCESS_STR_COUNT,
};

enum {
    ACCESS_TLS = 1,
    ACCESS_ABORTED = 4,   /* the client was gone before the response was */
    ACCESS_KEEPALIVE = 8, /* the connection stayed open */
    ACCESS_CUT = 16,      /* set by the writer: a text is not whole */
};

struct access_text {
    uint16_t off, len; /* off 0: not there */
};

struct access_rec {
    uint64_t begin_ns,
        end_ns; /* the core's clock: first byte of the request, last of the response */
    uint64_t bytes_in, bytes_out; /* heads included */
    uint64_t body_b;              /* of the response */
    uint64_t gen, ref;
    struct endpoint client, local;
    uint32_t nth;    /* request of its connection, from 0 */
    uint16_t status; /* 0: none was sent */
    uint16_t core;
    uint8_t minor; /* HTTP/1.minor */
    uint8_t flags;
    uint8_t req_headers, resp_headers, views;
    struct access_text str[ACCESS_STR_COUNT];
    struct access_text headers[]; /* of the request, then of the response; then the views */
};

struct access_wr {
    struct access_rec *rec;
    uint8_t *p, *end;
};

/**
 * A zeroed record. `mem` is 8-byte aligned, cap at least ACCESS_MIN_B; the numbers are at most
 * ACCESS_HEADERS_MAX and ACCESS_VIEWS_MAX.
 */
#define ACCESS_MIN_B             \
    (sizeof(struct access_rec) + \
     (2 * ACCESS_HEADERS_MAX + ACCESS_VIEWS_MAX) * sizeof(struct access_text))
struct access_rec *access_begin(struct access_wr *w, void *mem, size_t cap, unsigned req_headers,
                                unsigned resp_headers, unsigned views);

/* What does not fit is cut. Once for each text; an empty text is there. Bound: O(length kept). */
void access_put(struct access_wr *w, enum access_str which, struct span text);

/* n-th captured header; those of the response follow those of the request. */
void access_put_header(struct access_wr *w, unsigned n, struct span value);

/* n-th view. */
void access_put_view(struct access_wr *w, unsigned n, struct span value);

/* Bytes used. */
uint32_t access_end(const struct access_wr *w);

/* Reader. NULL: not a whole record. */
const struct access_rec *access_read(struct span record);

/* Empty with p == NULL when it is not there. */
struct span access_str(const struct access_rec *rec, enum access_str which);
struct span access_header(const struct access_rec *rec, unsigned n);
struct span access_view(const struct access_rec *rec, unsigned n);

#endif
