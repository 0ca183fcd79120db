/**
 * Requests that need a certificate which the handshake did not ask for (RFC 8446 4.6.2): the client is asked now,
 * and the request waits for the answer. What the client has sent meanwhile, body or further requests, stands in
 * front of the answer in the stream of records, so it is taken in and kept, up to a bound.
 */
#include "base/must.h"
#include "proxy/internal.h"

/* The first of those behind `in` that is not empty; the empty ones are given back. */
static struct px_buf *more(struct px_client *c)
{
    while (c->more && c->more->from == c->more->to) {
        struct px_buf *empty = c->more;

        c->more = empty->next;
        px_buf_put(c->px, &empty);
    }
    return c->more;
}

struct px_buf *px_kept(struct px_client *c)
{
    return c->in && c->in->from < c->in->to ? c->in : more(c);
}

void px_client_fill(struct px_client *c)
{
    struct px_buf *m;

    while (c->in->to < PX_BUF_B && (m = more(c))) {
        uint32_t n = (uint32_t)min_size(m->to - m->from, PX_BUF_B - c->in->to);

        memcpy(c->in->p + c->in->to, m->p + m->from, n);
        c->in->to += n;
        m->from += n;
    }
    if (!more(c))
        px_fill(c->in, c->s);
}

/* Take in what stands before the answer. False: more than is kept. */
static bool keep(struct px_client *c, uint32_t max)
{
    struct px_buf **at = &c->more;
    uint64_t kept;

    if (!c->more)
        px_fill(c->in, c->s);
    kept = c->in->to - c->in->from;
    while (kept <= max) {
        if (!*at && stream_readable(c->s) == 0)
            return true;
        if (!*at && !(*at = px_buf_get(c->px))) {
            px_client_poke(c);
            return true;
        }
        if (!(*at)->next)
            px_fill(*at, c->s);
        kept += (*at)->to - (*at)->from;
        at = &(*at)->next;
    }
    return false;
}

static void over(struct px_req *r)
{
    r->state = PX_RQ_CONNECT;
    ctr_add(&r->px->ctr[PX_CTR_CERT_ASKED_US], (r->px->now_ns - r->held_ns) / 1000);
    px_disarm(r->px, &r->client->timer);
}

void px_ask(struct px_req *r)
{
    if (r->state != PX_RQ_ASK) {
        r->state = PX_RQ_ASK;
        r->held_ns = r->px->now_ns;
        px_count(r->px, PX_CTR_CERT_ASKED);
        px_arm(r->px, &r->client->timer, r->snap->timeouts.handshake_ms);
    }
    px_ask_run(r);
}

void px_ask_run(struct px_req *r)
{
    struct px_client *c = r->client;

    if (tls_stream_late(c->s) == TLS_LATE_MAY && !tls_stream_ask(c->s))
        return;
    if (!keep(c, r->snap->limits.late_body_b)) {
        over(r);
        px_count(r->px, PX_CTR_CERT_BODY);
        px_req_answer(r, 413, "body_before_cert");
        return;
    }
    if (tls_stream_late(c->s) == TLS_LATE_DONE) {
        over(r);
        px_req_judge(r);
    } else if (stream_at_eof(c->s)) {
        over(r);
        px_req_client_gone(r, "client_gone");
    }
}

void px_ask_over(struct px_req *r)
{
    over(r);
    px_count(r->px, PX_CTR_CERT_LATE);
    r->close = true;
    px_req_answer(r, 408, "cert_timeout");
}
