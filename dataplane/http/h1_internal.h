/**
 * h1_internal: what the head of a request and that of a response have in common: lines, fields, and what those say
 * of the body's length and of the connection.
 */
#ifndef SALLYPORT_HTTP_H1_INTERNAL_H
#define SALLYPORT_HTTP_H1_INTERNAL_H

#include "http/h1.h"

struct h1_refusal {
    uint16_t status;
    const char *why;
};

static inline enum h1_result h1_refuse(struct h1_refusal *r, uint16_t status, const char *why)
{
    r->status = status;
    r->why = why;
    return H1_BAD;
}

/* What tells the length of the body (RFC 9112 6). */
struct h1_lengths {
    uint64_t length;
    uint32_t lengths, codings, chunked; /* fields and codings seen */
    bool unknown_coding, after_chunked;
};

/* Of all Connection fields. */
struct h1_connection {
    bool close, keep_alive, upgrade;
    uint32_t options;
};

/**
 * The end of the head: an empty line behind a CRLF. *scanned is how far earlier calls have looked.
 * Returns  the length of the head with its empty line; 0: not there yet; -1: a bare CR, LF or NUL
 */
int64_t h1_head_end(struct span in, uint32_t *scanned);

/* Without its CRLF; *left goes on behind it. */
struct span h1_take_line(struct span *left);

/* All fields up to the empty line. H1_BAD: refused, as *r says. Bound: O(length) */
enum h1_result h1_read_fields(struct span left, const struct h1_limits *lim, struct h1_head *h,
                              struct h1_lengths *fr, struct h1_refusal *r);

/* Marks fields that are for one hop only. False: more options than are looked at. */
bool h1_read_connection(struct h1_head *h, struct h1_connection *c);

#endif
