/* The head as lines and fields, the same for requests and responses. */
#include "http/h1_internal.h"
#include "http/scan.h"

#define CONNECTION_OPTIONS_MAX 32u

/* A line without its CRLF -> name and value (RFC 9112 5.1). */
static bool split_field(struct span line, struct h1_header *f, struct h1_refusal *r)
{
    size_t colon;

    if (line.p[0] == ' ' || line.p[0] == '\t') {
        h1_refuse(r, 400, "obs_fold"); /* RFC 9112 5.2: MUST reject or replace; we reject */
        return false;
    }
    colon = scan_token(line);
    if (colon == 0 || colon == line.len || line.p[colon] != ':') {
        h1_refuse(r, 400, "bad_field_name"); /* a space in front of the colon is such a one */
        return false;
    }
    f->name = span_first(line, colon);
    f->value = span_trim(span_from(line, colon + 1));
    if (!scan_value_ok(f->value)) {
        h1_refuse(r, 400, "bad_field_value");
        return false;
    }
    f->id = h1_name_of(f->name);
    f->hop = false;
    return true;
}

/* Next element of a comma list, trimmed; empty ones are skipped. */
static bool next_element(struct span *list, struct span *out)
{
    while (list->len) {
        size_t comma = span_find(*list, ',');

        *out = span_trim(span_first(*list, comma));
        *list = span_from(*list, comma + 1);
        if (out->len)
            return true;
    }
    return false;
}

/* --- framing: what smuggling is made of (RFC 9112 6) --- */

/* Digits only: no sign, no list, no space, no overflow. */
static bool take_length(struct span v, struct h1_lengths *f)
{
    uint64_t n = 0;

    if (v.len == 0 || v.len > 19)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (!ascii_digit(v.p[i]))
            return false;
        n = n * 10 + (uint64_t)(v.p[i] - '0');
    }
    if (n > INT64_MAX || (f->lengths && n != f->length))
        return false;
    f->length = n;
    f->lengths++;
    return true;
}

static bool take_codings(struct span v, struct h1_lengths *f)
{
    struct span one;

    if (v.len == 0)
        return false;
    while (next_element(&v, &one)) {
        if (f->chunked)
            f->after_chunked = true;
        f->codings++;
        if (span_ieq(one, SPAN_LIT("chunked")))
            f->chunked++;
        else
            f->unknown_coding = true;
    }
    return f->codings > 0;
}

/* --- what Connection names (RFC 9110 7.6.1) --- */

/* Fields that no Connection header may take away: they mean something to the message itself. */
static bool protected_field(enum h1_name id)
{
    return id == H1_NAME_HOST || id == H1_NAME_CONTENT_LENGTH || id == H1_NAME_CONTENT_TYPE ||
           id == H1_NAME_TRANSFER_ENCODING || id == H1_NAME_AUTHORIZATION || id == H1_NAME_COOKIE ||
           id == H1_NAME_SET_COOKIE || id == H1_NAME_DATE || id == H1_NAME_LOCATION;
}

static bool always_hop(enum h1_name id)
{
    return id == H1_NAME_CONNECTION || id == H1_NAME_KEEP_ALIVE || id == H1_NAME_PROXY_CONNECTION ||
           id == H1_NAME_TE || id == H1_NAME_TRAILER || id == H1_NAME_TRANSFER_ENCODING ||
           id == H1_NAME_UPGRADE || id == H1_NAME_PROXY_AUTHENTICATE ||
           id == H1_NAME_PROXY_AUTHORIZATION;
}

static void mark_hops(struct h1_head *h, struct span named)
{
    for (uint32_t i = 0; i < h->count; i++) {
        struct h1_header *f = &h->headers[i];

        if (span_ieq(f->name, named) && !protected_field(f->id))
            f->hop = true;
    }
}

/* Each option is looked for among all fields: their number is bounded, or a head of 25 KB costs a millisecond. */
bool h1_read_connection(struct h1_head *h, struct h1_connection *c)
{
    for (uint32_t i = 0; i < h->count; i++) {
        struct span v = h->headers[i].value, one;

        h->headers[i].hop |= always_hop(h->headers[i].id);
        if (h->headers[i].id != H1_NAME_CONNECTION)
            continue;
        while (next_element(&v, &one)) {
            if (++c->options > CONNECTION_OPTIONS_MAX)
                return false;
            if (span_ieq(one, SPAN_LIT("close")))
                c->close = true;
            else if (span_ieq(one, SPAN_LIT("keep-alive")))
                c->keep_alive = true;
            else if (span_ieq(one, SPAN_LIT("upgrade")))
                c->upgrade = true;
            mark_hops(h, one);
        }
    }
    return true;
}

/* --- the head as lines --- */

int64_t h1_head_end(struct span in, uint32_t *scanned)
{
    size_t at = *scanned;

    for (;;) {
        size_t lf = at + span_find(span_from(in, at), '\n');

        if (lf >= in.len)
            break;
        if (lf == 0 || in.p[lf - 1] != '\r')
            return -1;
        if (lf >= 3 && in.p[lf - 2] == '\n')
            return (int64_t)lf + 1;
        at = lf + 1;
    }
    *scanned = (uint32_t)at;
    return 0;
}

struct span h1_take_line(struct span *left)
{
    size_t lf = span_find(*left, '\n');
    struct span line = span_first(*left, lf ? lf - 1 : 0);

    *left = span_from(*left, lf + 1);
    return line;
}

enum h1_result h1_read_fields(struct span left, const struct h1_limits *lim, struct h1_head *h,
                              struct h1_lengths *fr, struct h1_refusal *r)
{
    h->count = 0;
    for (;;) {
        struct span line = h1_take_line(&left);
        struct h1_header *f = &h->headers[h->count];

        if (line.len == 0)
            return H1_DONE;
        if (line.len > lim->field_max)
            return h1_refuse(r, 431, "field_too_large");
        if (h->count >= lim->headers_max || h->count >= H1_HEADERS_MAX)
            return h1_refuse(r, 431, "too_many_fields");
        if (!split_field(line, f, r))
            return H1_BAD;
        if (f->id == H1_NAME_CONTENT_LENGTH && !take_length(f->value, fr))
            return h1_refuse(r, 400, "bad_content_length");
        if (f->id == H1_NAME_TRANSFER_ENCODING && !take_codings(f->value, fr))
            return h1_refuse(r, 400, "bad_transfer_encoding");
        h->count++;
    }
}
