#include "base/must.h"
#include "proxy/internal.h"

static void set_state(struct px_req *r, enum px_req_state st)
{
    r->state = (uint8_t)st;
}

const struct h1_head *px_req_head(struct px_req *r)
{
    struct px *px = r->px;
    const struct snap_limits *l = &r->snap->limits;
    struct h1_limits lim = {l->line_b, l->head_b, l->headers, l->field_b};
    uint32_t scanned = 0, used;
    uint16_t status;
    const char *why;

    if (px->head_of == r)
        return &px->head;
    if (r->head_b == 0)
        return NULL;
    px->head_of = NULL;
    /* It was parsed once with the same limits, so it will be again. */
    if (!SHOULD(h1_request(span_of(r->client->in->p, r->head_b), &lim, &scanned, &px->head, &used,
                           &status, &why) == H1_DONE))
        return NULL;
    px->head_of = r;
    return &px->head;
}

/* A request slot for the client; NULL: none left. */
static struct px_req *req_new(struct px_client *c)
{
    struct px *px = c->px;
    struct px_req *r = (struct px_req *)pool_get(&px->reqs);

    if (!r) {
        px_count(px, PX_CTR_NO_REQUEST);
        return NULL;
    }
    /* The arrays at the end are filled as far as they are used. */
    memset(r, 0, offsetof(struct px_req, log_headers));
    r->px = px;
    r->client = c;
    r->snap = px->snap;
    snap_hold(r->snap, px->env.core);
    r->start_ns = c->since_ns;
    r->ref = px->ref_base + ++px->ctr[PX_CTR_REQUESTS] * 0x9e3779b97f4a7c15ULL;
    r->verify = "NONE";
    r->verdict = VERDICT_NO_CERT;
    r->member = SNAP_NONE;
    r->body_max = UINT64_MAX;
    c->req = r;
    return r;
}

static void take_head(struct px_req *r, const struct h1_head *h, uint32_t head_b)
{
    const struct snap_limits *l = &r->snap->limits;
    struct px_client *c = r->client;

    r->head_b = head_b;
    c->in->from = head_b;
    r->method = (uint8_t)h->method;
    r->minor = h->minor;
    r->keep_alive = h->keep_alive;
    r->expect = h->expect_continue && h->minor >= 1;
    r->chunk_up = h->framing == H1_CHUNKED;
    h1_body_begin(&r->up, h);
    r->up_done = h->framing == H1_NO_BODY || (h->framing == H1_LENGTH && h->content_length == 0);
    if (!h->keep_alive || (l->requests_per_conn && c->requests >= l->requests_per_conn))
        r->close = true;
}

void px_req_judge(struct px_req *r)
{
    struct px *px = r->px;
    const struct h1_head *h = px_req_head(r);
    const char *reason = NULL;
    uint16_t status;

    r->hold = r->ask = false;
    status = h ? px_policy(r, h, &reason) : 500;
    if (r->ask) {
        px_ask(r);
        return;
    }
    if (r->hold) {
        px_hold(r);
        return;
    }
    px_unhold(r);
    if (status) {
        if (status == 403)
            px_count(px, PX_CTR_CERT_REFUSED);
        if (status == 421)
            px_count(px, PX_CTR_MISDIRECTED);
        px_req_answer(r, status, reason);
        return;
    }
    if (r->location->upstream == SNAP_NONE) {
        px_req_answer(r, r->location->respond_status, NULL);
        return;
    }
    r->upstream = &r->snap->upstreams[r->location->upstream];
    r->tries = r->upstream->tries;
    px_backend_seek(r);
}

void px_req_begin(struct px_client *c, uint32_t head_b)
{
    struct px *px = c->px;
    struct px_req *r = req_new(c);

    if (!r) {
        px_client_abort(c);
        return;
    }
    px->head_of = r;
    take_head(r, &px->head, head_b);
    px_access_begin(r, &px->head);
    px_req_judge(r);
}

void px_req_bad(struct px_client *c, uint16_t status, const char *why)
{
    struct px_req *r = req_new(c);

    px_count(c->px, PX_CTR_BAD_REQUESTS);
    if (!r) {
        px_client_abort(c);
        return;
    }
    c->state = PX_CL_REQUEST;
    px_disarm(c->px, &c->timer);
    r->close = true;
    r->up_done = true;
    px_access_bad(r);
    px_req_answer(r, status, why);
}

/* --- the end --- */

static void count_status(struct px_req *r)
{
    static const uint8_t classes[6] = {PX_CTR_ABORTED_BY_CLIENT, PX_CTR_STATUS_1XX,
                                       PX_CTR_STATUS_2XX,        PX_CTR_STATUS_3XX,
                                       PX_CTR_STATUS_4XX,        PX_CTR_STATUS_5XX};

    if (r->status < 600)
        px_count(r->px, (enum px_counter)classes[r->status / 100]);
}

/* Log it and give back what it held; the client is told by the caller. */
static void finish(struct px_req *r)
{
    struct px *px = r->px;

    px_unhold(r);
    px_access(r);
    count_status(r);
    if (px->head_of == r)
        px->head_of = NULL;
    if (r->backend)
        px_backend_abort(r->backend);
    snap_drop(r->snap, px->env.core);
    r->client->req = NULL;
    r->client = NULL;
    r->next_dead = px->dead_reqs;
    px->dead_reqs = r;
}

void px_req_end(struct px_req *r)
{
    struct px_client *c = r->client;
    bool close = r->close || !r->up_done;

    finish(r);
    if (close)
        px_client_close(c);
    else
        px_client_next(c);
}

void px_req_client_gone(struct px_req *r, const char *reason)
{
    struct px_client *c = r->client;

    if (r->status == 0)
        r->status = 499; /* nobody was there to be answered; nginx's number for it */
    r->reason = reason;
    r->aborted = true;
    px_count(r->px, PX_CTR_ABORTED_BY_CLIENT);
    finish(r);
    px_client_abort(c);
}

void px_req_break(struct px_req *r, const char *reason)
{
    struct px_client *c = r->client;

    r->reason = reason;
    finish(r);
    px_client_abort(c);
}

/* --- answers of our own --- */

static bool wants_json(struct px_req *r)
{
    const struct h1_head *h = px_req_head(r);
    const struct h1_header *a = h ? h1_find_name(h, SPAN_LIT("accept")) : NULL;
    size_t n = sizeof("json") - 1;

    for (size_t i = 0; a && i + n <= a->value.len; i++) {
        if (span_ieq(span_of(a->value.p + i, n), SPAN_LIT("json")))
            return true;
    }
    return false;
}

/* What lies behind the empty line of an answer of our own. */
static uint64_t page_body_b(struct span page)
{
    const uint8_t *end = (const uint8_t *)memmem(page.p, page.len, "\r\n\r\n", 4);

    return end ? (uint64_t)(page.p + page.len - (end + 4)) : 0;
}

void px_req_answer(struct px_req *r, uint16_t status, const char *reason)
{
    struct px *px = r->px;
    struct stream *s = r->client->s;
    bool head_only = r->method == H1_HEAD;
    struct span page;

    if (r->status) { /* too late for an answer */
        px_req_break(r, reason);
        return;
    }
    r->reason = reason;
    if (!r->up_done || status == 408 || r->client->last || px->draining)
        r->close = true;
    if (r->location && r->location->upstream == SNAP_NONE && !reason)
        page = px_page_fixed(px, r->location, head_only, r->close);
    else
        page = px_page(px, r, status, reason, wants_json(r), head_only, r->close);
    px->head_of = NULL;
    if (!stream_write(s, page)) {
        px_req_break(r, reason);
        return;
    }
    r->status = status;
    r->bytes_down = page_body_b(page);
    r->head_down_b += (uint32_t)(page.len - r->bytes_down);
    px_count(px, PX_CTR_PAGES);
    px_req_end(r);
}

/* --- under way --- */

void px_req_send(struct px_req *r)
{
    struct px_backend *b = r->backend;
    const struct h1_head *h = px_req_head(r);
    struct span head = h ? px_head_up(r, h) : SPAN_NONE;

    if (head.len == 0) {
        px_req_answer(r, 431, "head_too_large");
        return;
    }
    if (stream_tx_space(b->s) < head.len || !stream_write(b->s, head)) {
        px_backend_failed(b, 502, "backend_no_room", false);
        return;
    }
    r->head_sent = true;
    b->used++;
    set_state(r, PX_RQ_SEND);
    px_arm(r->px, &b->timer, b->response_ms);
    px_req_run(r);
}

/* Whom are we waiting for? The client's timer runs while it is the client. */
static void set_client_timer(struct px_req *r)
{
    struct px_client *c = r->client;
    const struct snap_timeouts *t = &r->snap->timeouts;

    if (!r->up_done && r->backend && stream_tx_space(r->backend->s) > 0)
        px_arm(r->px, &c->timer, t->body_ms);
    else if (r->status && stream_tx_space(c->s) == 0)
        px_arm(r->px, &c->timer, t->send_ms);
    else
        c->timer.at_ns = WHEEL_NEVER;
}

void px_req_run(struct px_req *r)
{
    if (r->state == PX_RQ_ASK) {
        px_ask_run(r); /* it may be answered by now, or on its way */
        return;
    }
    if (r->state == PX_RQ_CONNECT || r->state == PX_RQ_HOLD)
        return;
    if (!r->up_done && !px_body_up(r))
        return;
    if (r->backend)
        px_response_run(r->backend);
    if (r->client)
        set_client_timer(r);
}
