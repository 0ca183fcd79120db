#include "http/h1_internal.h"
#include "http/scan.h"

/* "HTTP/1.x" exactly; -1: not a version, -2: one we do not speak. */
static int version_of(struct span t)
{
    if (t.len != 8 || memcmp(t.p, "HTTP/", 5) != 0 || !ascii_digit(t.p[5]) || t.p[6] != '.' ||
        !ascii_digit(t.p[7]))
        return -1;
    if (t.p[5] != '1' || t.p[7] > '1')
        return -2;
    return t.p[7] - '0';
}

/* --- authority (RFC 9110 7.2, RFC 3986 3.2) --- */

static bool split_port(struct span authority, struct h1_head *h)
{
    struct span port = SPAN_NONE;
    size_t colon;
    uint32_t n = 0;

    if (authority.len && authority.p[0] == '[') {
        size_t close = span_find(authority, ']');

        if (close == authority.len)
            return false;
        colon = close + 1;
        if (colon < authority.len && authority.p[colon] != ':')
            return false;
    } else {
        colon = span_find(authority, ':');
    }
    h->authority = authority;
    h->host = span_first(authority, colon);
    h->port = 0;
    if (colon < authority.len)
        port = span_from(authority, colon + 1);
    for (size_t i = 0; i < port.len; i++) {
        if (!ascii_digit(port.p[i]) || n > 6553)
            return false;
        n = n * 10 + (uint32_t)(port.p[i] - '0');
    }
    if (n > 65535)
        return false;
    h->port = (uint16_t)n;
    return h1_host_ok(h->host);
}

bool h1_host_ok(struct span host)
{
    if (host.len == 0 || host.len > 255)
        return false;
    if (host.p[0] == '[') {
        if (host.len < 4 || host.p[host.len - 1] != ']')
            return false;
        for (size_t i = 1; i + 1 < host.len; i++) {
            uint8_t c = host.p[i];

            if (!ascii_digit(c) && !((c | 0x20) >= 'a' && (c | 0x20) <= 'f') && c != ':' &&
                c != '.')
                return false;
        }
        return true;
    }
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.p[i];

        if (!ascii_digit(c) && !ascii_alpha(c) && c != '-' && c != '.' && c != '_')
            return false;
        if (c == '.' && (i == 0 || host.p[i - 1] == '.'))
            return false;
    }
    return true;
}

/* --- request --- */

static enum h1_method method_of(struct span t)
{
    for (enum h1_method m = H1_GET; m <= H1_CONNECT; m++) {
        if (span_eq(t, span_str(h1_method_name(m))))
            return m;
    }
    return H1_OTHER;
}

static void split_query(struct h1_head *h, struct span t)
{
    size_t q = span_find(t, '?');

    h->path = span_first(t, q);
    h->has_query = q < t.len;
    h->query = span_from(t, q + 1);
}

/* The four forms of RFC 9112 3.2. */
static enum h1_result read_target(struct h1_head *h, struct span *absolute, struct h1_refusal *r)
{
    struct span t = h->target;

    *absolute = SPAN_NONE;
    if (t.len == 0 || !scan_target_ok(t))
        return h1_refuse(r, 400, "bad_target");
    if (h->method == H1_CONNECT) {
        *absolute = t;
        h->path = SPAN_NONE;
        return H1_DONE;
    }
    if (t.p[0] == '/') {
        split_query(h, t);
        return H1_DONE;
    }
    if (t.len == 1 && t.p[0] == '*') {
        if (h->method != H1_OPTIONS)
            return h1_refuse(r, 400, "bad_target");
        h->path = t;
        return H1_DONE;
    }
    for (int tls = 0; tls < 2; tls++) {
        struct span scheme = tls ? SPAN_LIT("https://") : SPAN_LIT("http://");

        if (t.len > scheme.len && span_ieq(span_first(t, scheme.len), scheme)) {
            struct span rest = span_from(t, scheme.len);
            size_t end = 0;

            while (end < rest.len && rest.p[end] != '/' && rest.p[end] != '?')
                end++;
            *absolute = span_first(rest, end);
            split_query(h, span_from(rest, end));
            return absolute->len ? H1_DONE : h1_refuse(r, 400, "bad_target");
        }
    }
    return h1_refuse(r, 400, "bad_target");
}

/* "method SP target SP version", one space each (RFC 9112 3). */
static enum h1_result read_request_line(struct span line, const struct h1_limits *lim,
                                        struct h1_head *h, struct h1_refusal *r)
{
    size_t first = scan_token(line), second;
    int minor;

    if (line.len > lim->line_max)
        return h1_refuse(r, 414, "request_line_too_long");
    if (first == 0 || first >= line.len || line.p[first] != ' ')
        return h1_refuse(r, 400, "bad_request_line");
    h->method_text = span_first(line, first);
    line = span_from(line, first + 1);
    second = span_find(line, ' ');
    if (second == 0 || second >= line.len)
        return h1_refuse(r, 400, "bad_request_line");
    h->target = span_first(line, second);
    minor = version_of(span_from(line, second + 1));
    if (minor == -1)
        return h1_refuse(r, 400, "bad_request_line");
    if (minor == -2)
        return h1_refuse(r, 505, "http_version");
    h->minor = (uint8_t)minor;
    h->method = method_of(h->method_text);
    return H1_DONE;
}

/* Exactly one Host in 1.1 (RFC 9112 3.2); an absolute target must not contradict it. */
static enum h1_result read_host(struct h1_head *h, struct span absolute, struct h1_refusal *r)
{
    const struct h1_header *host = NULL;

    for (uint32_t i = 0; i < h->count; i++) {
        if (h->headers[i].id != H1_NAME_HOST)
            continue;
        if (host)
            return h1_refuse(r, 400, "several_hosts");
        host = &h->headers[i];
    }
    if (!host && h->minor >= 1)
        return h1_refuse(r, 400, "no_host");
    if (host && host->value.len == 0 && absolute.len == 0)
        return h1_refuse(r, 400, "bad_host");
    if (host && absolute.len && !span_ieq(host->value, absolute))
        return h1_refuse(r, 400, "host_contradicts_target");
    if (absolute.len ? !split_port(absolute, h) : host && !split_port(host->value, h))
        return h1_refuse(r, 400, "bad_host");
    return H1_DONE;
}

static enum h1_result request_framing(struct h1_head *h, const struct h1_lengths *f,
                                      struct h1_refusal *r)
{
    h->framing = H1_NO_BODY;
    h->content_length = 0;
    if (f->codings) {
        if (f->lengths)
            return h1_refuse(r, 400, "length_and_encoding"); /* RFC 9112 6.1, 11.2 */
        if (h->minor == 0)
            return h1_refuse(r, 400, "encoding_in_http10");
        if (f->chunked > 1 || f->after_chunked)
            return h1_refuse(r, 400, "bad_transfer_encoding");
        if (f->unknown_coding)
            return h1_refuse(r, f->chunked ? 501 : 400, "unknown_transfer_encoding");
        h->framing = H1_CHUNKED;
    } else if (f->lengths) {
        h->framing = H1_LENGTH;
        h->content_length = f->length;
    }
    return H1_DONE;
}

static enum h1_result read_expect(struct h1_head *h, struct h1_refusal *r)
{
    const struct h1_header *e = h1_find(h, H1_NAME_EXPECT);

    h->expect_continue = e && span_ieq(e->value, SPAN_LIT("100-continue"));
    if (e && !h->expect_continue && h->minor >= 1)
        return h1_refuse(r, 417, "unknown_expectation"); /* RFC 9110 10.1.1 */
    return H1_DONE;
}

static enum h1_result parse_request(struct span head, const struct h1_limits *lim,
                                    struct h1_head *h, struct h1_refusal *r)
{
    struct span line = h1_take_line(&head), absolute;
    struct h1_lengths f = {0};
    struct h1_connection c = {0};

    if (read_request_line(line, lim, h, r) == H1_BAD || read_target(h, &absolute, r) == H1_BAD ||
        h1_read_fields(head, lim, h, &f, r) == H1_BAD || read_host(h, absolute, r) == H1_BAD ||
        request_framing(h, &f, r) == H1_BAD || read_expect(h, r) == H1_BAD)
        return H1_BAD;
    if (!h1_read_connection(h, &c))
        return h1_refuse(r, 400, "too_many_connection_options");
    h->keep_alive = h->minor >= 1 ? !c.close : c.keep_alive && !c.close;
    h->upgrade = c.upgrade && h1_find(h, H1_NAME_UPGRADE);
    return H1_DONE;
}

enum h1_result h1_request(struct span in, const struct h1_limits *lim, uint32_t *scanned,
                          struct h1_head *out, uint32_t *used, uint16_t *status, const char **why)
{
    struct h1_refusal r = {400, ""};
    enum h1_result result;
    uint32_t skip = 0;
    int64_t end;

    while (skip + 1 < in.len && skip < 8 && in.p[skip] == '\r' && in.p[skip + 1] == '\n')
        skip += 2; /* RFC 9112 2.2: empty lines in front SHOULD be ignored */
    *status = 400;
    *why = "bare_line_end";
    if (*scanned < skip)
        *scanned = skip;
    end = h1_head_end(span_from(in, skip), &(uint32_t){*scanned - skip});
    if (end < 0)
        return H1_BAD;
    if (end == 0) {
        size_t lf = span_find(span_from(in, skip), '\n');
        size_t first = lf < in.len - skip ? lf : in.len - skip;

        *scanned = (uint32_t)(in.len > 3 + skip ? in.len - 3 : skip);
        if (first > (size_t)lim->line_max + 2) {
            *status = 414;
            *why = "request_line_too_long";
            return H1_BAD;
        }
        if (in.len - skip > lim->head_max) {
            *status = 431;
            *why = "head_too_large";
            return H1_BAD;
        }
        return H1_MORE;
    }
    if (end > lim->head_max) {
        *status = 431;
        *why = "head_too_large";
        return H1_BAD;
    }
    memset(out, 0, offsetof(struct h1_head, headers));
    result = parse_request(span_first(span_from(in, skip), (size_t)end), lim, out, &r);
    *status = r.status;
    *why = r.why;
    *used = skip + (uint32_t)end;
    return result;
}

/* --- response --- */

/* "HTTP/1.x SP 3DIGIT SP reason"; the last space may be missing (RFC 9112 4). */
static enum h1_result read_status_line(struct span line, struct h1_head *h, struct h1_refusal *r)
{
    int minor = line.len >= 12 ? version_of(span_first(line, 8)) : -1;

    if (minor < 0 || line.p[8] != ' ' || !ascii_digit(line.p[9]) || !ascii_digit(line.p[10]) ||
        !ascii_digit(line.p[11]) || (line.len > 12 && line.p[12] != ' '))
        return h1_refuse(r, 502, "bad_status_line");
    h->minor = (uint8_t)minor;
    h->status = (uint16_t)((line.p[9] - '0') * 100 + (line.p[10] - '0') * 10 + (line.p[11] - '0'));
    h->reason = span_from(line, 13);
    if (h->status < 100 || h->status > 599 || !scan_value_ok(h->reason))
        return h1_refuse(r, 502, "bad_status_line");
    return H1_DONE;
}

/* RFC 9112 6.3, in its order. */
static enum h1_result response_framing(struct h1_head *h, const struct h1_lengths *f,
                                       enum h1_method method, struct h1_refusal *r)
{
    h->content_length = f->length;
    if (f->codings &&
        (f->lengths || f->chunked != 1 || f->after_chunked || f->unknown_coding || h->minor == 0))
        return h1_refuse(r, 502, "bad_transfer_encoding");
    if (method == H1_HEAD || h->status < 200 || h->status == 204 || h->status == 304 ||
        (method == H1_CONNECT && h->status < 300))
        h->framing = H1_NO_BODY;
    else if (f->codings)
        h->framing = H1_CHUNKED;
    else if (f->lengths)
        h->framing = H1_LENGTH;
    else
        h->framing = H1_UNTIL_CLOSE;
    return H1_DONE;
}

enum h1_result h1_response(struct span in, const struct h1_limits *lim, enum h1_method method,
                           uint32_t *scanned, struct h1_head *out, uint32_t *used, const char **why)
{
    struct h1_refusal r = {502, ""};
    struct h1_lengths f = {0};
    struct h1_connection c = {0};
    struct span head;
    int64_t end = h1_head_end(in, &(uint32_t){*scanned});

    *why = "bare_line_end";
    if (end < 0)
        return H1_BAD;
    *why = "response_head_too_large";
    if (in.len > lim->head_max && (end == 0 || end > lim->head_max))
        return H1_BAD;
    if (end == 0) {
        *scanned = (uint32_t)(in.len > 3 ? in.len - 3 : 0);
        return H1_MORE;
    }
    memset(out, 0, offsetof(struct h1_head, headers));
    head = span_first(in, (size_t)end);
    if (read_status_line(h1_take_line(&head), out, &r) == H1_BAD ||
        h1_read_fields(head, lim, out, &f, &r) == H1_BAD ||
        response_framing(out, &f, method, &r) == H1_BAD) {
        *why = r.why;
        return H1_BAD;
    }
    out->method = method;
    *why = "too_many_connection_options";
    if (!h1_read_connection(out, &c))
        return H1_BAD;
    out->keep_alive = out->minor >= 1 ? !c.close : c.keep_alive && !c.close;
    *used = (uint32_t)end;
    return H1_DONE;
}
