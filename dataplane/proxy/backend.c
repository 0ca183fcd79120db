#include "base/must.h"
#include "proxy/internal.h"

static struct px_member *member_of(struct px_backend *b)
{
    return &b->px->members[b->slot];
}

static void set_state(struct px_backend *b, enum px_backend_state st)
{
    b->state = (uint8_t)st;
}

/* --- the pool --- */

static void idle_in(struct px_backend *b)
{
    struct px_member *m = member_of(b);

    b->prev = NULL;
    b->next = m->idle;
    if (m->idle)
        m->idle->prev = b;
    m->idle = b;
    m->idle_count++;
    b->px->idle_backends++;
    set_state(b, PX_BE_IDLE);
}

static void idle_out(struct px_backend *b)
{
    struct px_member *m = member_of(b);

    if (b->prev)
        b->prev->next = b->next;
    else
        m->idle = b->next;
    if (b->next)
        b->next->prev = b->prev;
    b->next = b->prev = NULL;
    m->idle_count--;
    b->px->idle_backends--;
}

/* Give the stream back and forget the connection; the request it was for knows nothing of it. */
static void end(struct px_backend *b, bool in_order)
{
    struct px *px = b->px;

    if (!b->s)
        return;
    if (b->state == PX_BE_IDLE)
        idle_out(b);
    if (b->req)
        b->req->backend = NULL;
    b->req = NULL;
    if (in_order)
        stream_close(b->s);
    else
        stream_abort(b->s);
    b->s = NULL;
    px_disarm(px, &b->timer);
    px_buf_put(px, &b->in);
    member_of(b)->conns--;
    b->next = px->dead_backends;
    px->dead_backends = b;
}

void px_backend_abort(struct px_backend *b)
{
    end(b, false);
}

void px_backend_done(struct px_backend *b)
{
    const struct px_req *r = b->req;
    const struct snap_upstream *u = r->upstream;
    bool rest = b->in && b->in->to > b->in->from;

    if (!b->keep || !r->up_done || rest || b->px->draining ||
        member_of(b)->idle_count >= u->idle_max || stream_at_eof(b->s) ||
        stream_why(b->s) != STREAM_WHY_NONE) {
        end(b, true);
        return;
    }
    b->req->backend = NULL;
    b->req = NULL;
    px_buf_put(b->px, &b->in);
    px_arm(b->px, &b->timer, u->idle_ms);
    idle_in(b);
}

void px_backends_close_idle(struct px *px)
{
    for (uint32_t i = 0; i < SNAP_SLOTS_MAX && px->idle_backends; i++) {
        while (px->members[i].idle)
            end(px->members[i].idle, true);
    }
}

/* --- a connection for a request --- */

static void begin_exchange(struct px_backend *b, struct px_req *r)
{
    b->req = r;
    r->backend = b;
    b->got_bytes = b->head_done = b->keep = false;
    b->scanned = 0;
    b->response_ms = r->upstream->response_ms;
    r->head_sent = false;
}

static bool reuse(struct px_req *r, const struct snap_member *m)
{
    struct px_backend *b = r->px->members[m->slot].idle;

    if (!b || r->fresh)
        return false;
    idle_out(b);
    set_state(b, PX_BE_BUSY);
    begin_exchange(b, r);
    px_count(r->px, PX_CTR_BACKEND_REUSED);
    px_req_send(r);
    return true;
}

/* A new transport, and TLS on top of it where the upstream asks for it. NULL: *reason. */
static struct stream *open_stream(struct px_req *r, const struct snap_member *m,
                                  struct px_backend *b, const char **reason)
{
    struct px *px = r->px;
    enum stream_why why = STREAM_WHY_NONE;
    struct stream *s = px->env.connect(px->env.ctx, &m->remote, r->upstream->connect_ms,
                                       &px_backend_owner, b, &why);
    struct stream *tls;

    if (!s) {
        *reason = stream_why_text(why);
        return NULL;
    }
    if (!r->upstream->tls)
        return s;
    tls = tls_client(px->env.tls, s, r->snap, r->upstream, m, &px_backend_owner, b);
    if (!tls) {
        *reason = "no TLS session left";
        stream_abort(s);
    }
    return tls;
}

static bool connect_new(struct px_req *r, const struct snap_member *m)
{
    struct px *px = r->px;
    struct px_backend *b = (struct px_backend *)pool_get(&px->backends);
    const char *reason = "no connection slot left";

    if (b) {
        memset(b, 0, sizeof(*b));
        b->px = px;
        b->slot = m->slot;
        b->timer.kind = PX_TIMER_BACKEND;
        b->s = open_stream(r, m, b, &reason);
    }
    px_count(px, PX_CTR_BACKEND_CONNECTS);
    if (!b || !b->s) {
        if (b)
            pool_put(&px->backends, b);
        px_count(px, PX_CTR_BACKEND_CONNECT_FAILED);
        px_member_failed(px, m, "connect", reason);
        r->last_status = 503;
        r->last_reason = "backend_connect";
        return false;
    }
    px->members[m->slot].conns++;
    set_state(b, PX_BE_CONNECT);
    begin_exchange(b, r);
    px_arm(px, &b->timer, r->upstream->connect_ms);
    return true;
}

/* The value of the sticky cookie, or none. */
static struct span sticky_of(struct px_req *r)
{
    struct span name = r->upstream->sticky_cookie;
    const struct h1_head *h = name.len ? px_req_head(r) : NULL;

    for (uint32_t i = 0; h && i < h->count; i++) {
        struct span left = h->headers[i].value;

        while (h->headers[i].id == H1_NAME_COOKIE && left.len) {
            size_t semi = span_find(left, ';');
            struct span pair = span_trim(span_first(left, semi));
            size_t eq = span_find(pair, '=');

            if (eq < pair.len && span_eq(span_first(pair, eq), name))
                return span_from(pair, eq + 1);
            left = span_from(left, semi + 1);
        }
    }
    return SPAN_NONE;
}

void px_backend_seek(struct px_req *r)
{
    struct span sticky = sticky_of(r);

    r->state = PX_RQ_CONNECT;
    while (r->tries) {
        const struct snap_member *m;
        uint32_t i = px_pick(r, sticky);

        if (i == SNAP_NONE)
            break;
        m = &r->upstream->members[i];
        r->member = i;
        r->tried |= 1ULL << i;
        r->tries--;
        if (reuse(r, m))
            return;
        if (r->px->members[m->slot].conns >= r->upstream->conns_max) {
            px_count(r->px, PX_CTR_BACKEND_BUSY);
            r->last_status = 503;
            r->last_reason = "backend_busy";
            continue;
        }
        if (connect_new(r, m))
            return;
    }
    px_req_answer(r, r->last_status ? r->last_status : 503,
                  r->last_reason ? r->last_reason : "no_member");
}

/* --- failures --- */

static bool idempotent(const struct px_req *r)
{
    switch ((enum h1_method)r->method) {
    case H1_GET:
    case H1_HEAD:
    case H1_OPTIONS:
    case H1_PUT:
    case H1_DELETE:
    case H1_TRACE:
        return true; /* RFC 9110 9.2.2 */
    case H1_OTHER:
    case H1_POST:
    case H1_PATCH:
    case H1_CONNECT:
        break;
    }
    return false;
}

void px_backend_failed(struct px_backend *b, uint16_t status, const char *reason, bool blame)
{
    struct px_req *r = b->req;
    struct px *px = b->px;
    bool reused = b->used > (r->head_sent ? 1u : 0u);
    bool again = r->status == 0 && !r->up_begun && (!r->head_sent || idempotent(r));

    if (blame && !reused)
        px_member_failed(px, &r->upstream->members[r->member],
                         b->state == PX_BE_CONNECT ? "connect" : "exchange", reason);
    r->last_status = status;
    r->last_reason = reason;
    px_backend_abort(b);
    if (r->status) {
        px_count(px, PX_CTR_ABORTED_BY_BACKEND);
        px_req_break(r, reason);
        return;
    }
    if (again && reused && !r->fresh) {
        /* A pooled connection was closed under us: that says nothing of its member. */
        r->fresh = true;
        r->tried &= ~(1ULL << r->member);
        r->tries++;
    }
    if (again && r->tries) {
        px_count(px, PX_CTR_RETRIES);
        px_backend_seek(r);
        return;
    }
    px_req_answer(r, status, reason);
}

/* Never connected: say which side of it failed. */
static void connect_failed(struct px_backend *b)
{
    struct px *px = b->px;
    enum stream_why why = stream_why(b->s);
    uint16_t status = why == STREAM_WHY_TIMEOUT ? 504 : 503;
    const char *reason = "backend_connect";

    if (tls_stream_is(b->s)) {
        struct tls_info i;

        tls_stream_info(b->s, &i);
        if (i.why != TLS_WHY_TRANSPORT) {
            status = 502;
            reason = i.why == TLS_WHY_CERT ? verdict_name(i.verdict) : "backend_tls";
            px_count(px, PX_CTR_BACKEND_TLS_FAILED);
            LOG(px->env.log, OPER, "backend.tls_refused",
                KV_TEXT("member", b->req->upstream->members[b->req->member].name),
                KV_STR("reason", i.why == TLS_WHY_CERT ? reason : tls_why_name(i.why)),
                KV_U64("alert", i.alert_got ? i.alert_got : i.alert_sent),
                KV_U64("depth", i.verdict_depth),
                KV_TEXT("subject", span_str(i.peer ? peer_subject(px->env.peers, i.peer) : "")));
        }
    }
    px_count(px, PX_CTR_BACKEND_CONNECT_FAILED);
    px_backend_failed(b, status, reason, true);
}

static void on_closed(struct px_backend *b)
{
    switch ((enum px_backend_state)b->state) {
    case PX_BE_IDLE:
        end(b, true);
        return;
    case PX_BE_CONNECT:
        connect_failed(b);
        return;
    case PX_BE_BUSY:
        px_response_run(b);
        return;
    }
}

static void on_event(void *owner, struct stream *s, uint32_t events)
{
    struct px_backend *b = (struct px_backend *)owner;

    (void)s;
    if (events & STREAM_EV_CLOSED) {
        on_closed(b);
        return;
    }
    switch ((enum px_backend_state)b->state) {
    case PX_BE_IDLE: /* nobody asked: whatever it says cannot be the answer to a later request */
        if (events & (STREAM_EV_READABLE | STREAM_EV_EOF))
            end(b, true);
        return;
    case PX_BE_CONNECT:
        if (!(events & STREAM_EV_OPEN))
            return;
        set_state(b, PX_BE_BUSY);
        px_req_send(b->req);
        return;
    case PX_BE_BUSY:
        px_arm(b->px, &b->timer, b->response_ms);
        px_req_run(b->req);
        return;
    }
}

const struct stream_owner px_backend_owner = {"backend", on_event};

void px_backend_timer(struct px_backend *b)
{
    switch ((enum px_backend_state)b->state) {
    case PX_BE_IDLE:
        end(b, true);
        return;
    case PX_BE_CONNECT:
        px_count(b->px, PX_CTR_BACKEND_CONNECT_FAILED);
        px_backend_failed(b, 504, "backend_connect_timeout", true);
        return;
    case PX_BE_BUSY:
        /* It is not the backend's fault while the client keeps us waiting. */
        if ((!b->req->up_done && stream_tx_space(b->s) > 0) ||
            (b->req->status && stream_tx_space(b->req->client->s) == 0)) {
            px_arm(b->px, &b->timer, b->response_ms);
            return;
        }
        px_count(b->px, PX_CTR_TIMEOUT_RESPONSE);
        px_backend_failed(b, 504, "backend_timeout", false);
        return;
    }
}
