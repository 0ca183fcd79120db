#include "base/access.h"
#include "proxy/internal.h"

#define BAD_LINE_MAX_B 512u /* of what was no request */

/* What the log wants of the head, while it is parsed: spans into the client's buffer, which stays. */
void px_access_begin(struct px_req *r, const struct h1_head *h)
{
    const struct snap_capture *want = &r->snap->capture;
    struct span head = span_of(r->client->in->p, r->head_b);

    while (head.len >= 2 && head.p[0] == '\r') /* empty lines in front of the request */
        head = span_from(head, 2);
    r->log_line = span_first(head, span_find(head, '\r'));
    r->log_path = h->path;
    r->log_query = h->has_query ? h->query : SPAN_NONE;
    r->log_host = h->authority;
    for (uint32_t i = 0; i < want->request_header_count; i++) {
        const struct h1_header *f = h1_find_name(h, want->request_headers[i]);

        r->log_headers[i] = f ? f->value : SPAN_NONE;
    }
}

/* A head that could not be read: its first line, as far as there is one. */
void px_access_bad(struct px_req *r)
{
    struct px_buf *in = r->client->in;
    struct span all = in ? span_first(span_of(in->p, in->to), BAD_LINE_MAX_B) : SPAN_NONE;

    r->log_line = span_first(all, span_find(all, '\n'));
    if (r->log_line.len && r->log_line.p[r->log_line.len - 1] == '\r')
        r->log_line.len--;
}

/* Response headers are gone when the request ends: they are kept as length and text, one after another. */
void px_access_response(struct px_req *r, const struct h1_head *h)
{
    const struct snap_capture *want = &r->snap->capture;

    for (uint32_t i = 0; i < want->response_header_count; i++) {
        const struct h1_header *f = h1_find_name(h, want->response_headers[i]);
        size_t room = sizeof(r->captured) - r->captured_b;
        uint16_t n = 0;

        if (room < sizeof(n))
            return;
        if (f)
            n = (uint16_t)min_size(f->value.len, room - sizeof(n));
        memcpy(r->captured + r->captured_b, &n, sizeof(n));
        if (n)
            memcpy(r->captured + r->captured_b + sizeof(n), f->value.p, n);
        r->captured_b += (uint32_t)sizeof(n) + n;
    }
}

static void put_headers(struct access_wr *w, const struct px_req *r)
{
    const struct snap_capture *want = &r->snap->capture;
    uint32_t at = 0;

    for (uint32_t i = 0; i < want->request_header_count; i++) {
        if (r->log_headers[i].p)
            access_put_header(w, i, r->log_headers[i]);
    }
    for (uint32_t i = 0; i < want->response_header_count; i++) {
        uint16_t n;

        if (at + sizeof(n) > r->captured_b)
            return;
        memcpy(&n, r->captured + at, sizeof(n));
        if (n)
            access_put_header(w, want->request_header_count + i,
                              span_of(r->captured + at + sizeof(n), n));
        at += (uint32_t)sizeof(n) + n;
    }
}

static void put_text(struct access_wr *w, enum access_str which, struct span text)
{
    if (text.p)
        access_put(w, which, text);
}

/* Of a certificate that was refused, too: the log is to say whose it was. */
static void put_views(struct access_wr *w, struct px_req *r)
{
    const struct snap_capture *want = &r->snap->capture;
    struct peer *peer = NULL;

    if (r->client->tls && want->view_count) {
        struct tls_info i;

        tls_stream_info(r->client->s, &i);
        peer = i.peer;
    }
    for (uint32_t i = 0; i < want->view_count; i++) {
        struct span value = px_view(r, &want->views[i], peer);

        if (value.p)
            access_put_view(w, i, value);
    }
}

static void put_fixed(struct access_rec *rec, const struct px_req *r)
{
    const struct px_client *c = r->client;

    rec->begin_ns = r->start_ns;
    rec->end_ns = r->px->now_ns;
    rec->bytes_in = r->head_b + r->bytes_up;
    rec->bytes_out = r->head_down_b + r->bytes_down;
    rec->body_b = r->bytes_down;
    rec->gen = r->snap->gen;
    rec->ref = r->ref;
    rec->client = c->remote;
    rec->local = c->local;
    rec->nth = c->requests ? c->requests - 1 : 0;
    rec->status = r->status;
    rec->core = (uint16_t)r->px->env.core;
    rec->minor = r->minor;
    rec->flags = (uint8_t)((c->tls ? ACCESS_TLS : 0) | (r->close ? 0 : ACCESS_KEEPALIVE) |
                           (r->aborted ? ACCESS_ABORTED : 0));
}

void px_access(struct px_req *r)
{
    struct px *px = r->px;
    const struct snap_capture *want = &r->snap->capture;
    void *mem = ring_reserve(px->env.ring, LOG_REC_ACCESS, ACCESS_MAX_B);
    struct access_wr w;

    if (!mem) {
        px_count(px, PX_CTR_ACCESS_LOST);
        return;
    }
    put_fixed(access_begin(&w, mem, ACCESS_MAX_B, want->request_header_count,
                           want->response_header_count, want->view_count),
              r);
    put_text(&w, ACCESS_LINE, r->log_line);
    access_put(&w, ACCESS_METHOD, span_first(r->log_line, span_find(r->log_line, ' ')));
    put_text(&w, ACCESS_PATH, r->log_path);
    put_text(&w, ACCESS_QUERY, r->log_query);
    put_text(&w, ACCESS_HOST_HEADER, r->log_host);
    if (r->host)
        access_put(&w, ACCESS_HOST, r->host->name);
    if (r->upstream)
        access_put(&w, ACCESS_UPSTREAM, r->upstream->name);
    if (r->upstream && r->member != SNAP_NONE)
        access_put(&w, ACCESS_MEMBER, r->upstream->members[r->member].name);
    if (r->reason)
        access_put(&w, ACCESS_REASON, span_str(r->reason));
    put_headers(&w, r);
    put_views(&w, r);
    ring_commit(px->env.ring, access_end(&w));
}
