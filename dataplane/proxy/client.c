#include "base/must.h"
#include "proxy/internal.h"

/* Room that a client's stream must have before another pipelined request is taken up. */
#define ANSWER_ROOM_B 8192u

static const struct snap_timeouts *times(const struct px_client *c)
{
    return &c->px->snap->timeouts;
}

static void set_state(struct px_client *c, enum px_client_state st)
{
    c->state = (uint8_t)st;
}

/* --- life --- */

bool px_accept(struct px *px, struct stream *s, const struct endpoint *local,
               const struct endpoint *remote)
{
    const struct snap_listener *l = px->snap ? snap_listener_for(px->snap, local) : NULL;
    struct px_client *c;

    if (!l || px->draining || px->clients.used >= px->snap->limits.conns ||
        !(c = (struct px_client *)pool_get(&px->clients))) {
        px_count(px, PX_CTR_CLIENTS_REFUSED);
        return false;
    }
    memset(c, 0, sizeof(*c));
    c->px = px;
    c->local = *local;
    c->remote = *remote;
    c->tls = l->tls;
    c->timer.kind = PX_TIMER_CLIENT;
    c->since_ns = px->now_ns;
    if (l->tls) {
        c->s = tls_server(px->env.tls, s, px->snap, l, &px_client_owner, c);
        if (!c->s) {
            pool_put(&px->clients, c);
            px_count(px, PX_CTR_CLIENTS_REFUSED);
            return false;
        }
    } else {
        c->s = s;
        stream_set_owner(s, &px_client_owner, c);
    }
    set_state(c, PX_CL_HANDSHAKE);
    c->next = px->all;
    if (px->all)
        px->all->prev = c;
    px->all = c;
    px_arm(px, &c->timer, times(c)->handshake_ms);
    px_count(px, PX_CTR_CLIENTS);
    return true;
}

static void forget(struct px_client *c)
{
    struct px *px = c->px;

    if (px->sweep_at == c)
        px->sweep_at = c->next;
    px_disarm(px, &c->timer);
    px_buf_put(px, &c->in);
    px_buf_put_all(px, &c->more);
    if (c->prev)
        c->prev->next = c->next;
    else
        px->all = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->s = NULL;
    set_state(c, PX_CL_ENDING);
    c->next = px->dead_clients;
    px->dead_clients = c;
}

void px_client_close(struct px_client *c)
{
    if (!c->s)
        return;
    stream_close(c->s);
    forget(c);
}

void px_client_abort(struct px_client *c)
{
    if (!c->s)
        return;
    stream_abort(c->s);
    forget(c);
}

void px_client_poke(struct px_client *c)
{
    if (c->s)
        stream_again(c->s);
}

/* --- a handshake that came to nothing is a line in the log, with its reason --- */

static void log_refused(struct px_client *c, const char *what)
{
    struct tls_info i;
    const char *reason, *subject = "";

    if (!c->tls) {
        LOG(c->px->env.log, PEER, "client.gone", KV_EP("client", c->remote), KV_STR("why", what));
        return;
    }
    tls_stream_info(c->s, &i);
    reason = i.why == TLS_WHY_CERT ? verdict_name(i.verdict) : tls_why_name(i.why);
    if (i.peer)
        subject = peer_subject(c->px->env.peers, i.peer);
    LOG(c->px->env.log, PEER, "tls.refused", KV_EP("client", c->remote),
        KV_STR("reason", i.why == TLS_WHY_NONE ? what : reason),
        KV_U64("alert", i.alert_sent && i.why != TLS_WHY_ALERT ? i.alert_sent : i.alert_got),
        KV_TEXT("sni", i.sni), KV_TEXT("subject", span_str(subject)),
        KV_U64("gen", c->px->snap->gen));
}

static void on_closed(struct px_client *c)
{
    if (c->state == PX_CL_HANDSHAKE)
        log_refused(c, stream_why_text(stream_why(c->s)));
    if (c->req)
        px_req_client_gone(c->req, "client_gone");
    else
        px_client_close(c);
}

/* --- reading heads --- */

/* No longer than the client's identity is good: then that is looked at again. */
static uint32_t idle_ms(const struct px_client *c)
{
    uint32_t ms = c->requests ? times(c)->keepalive_ms : times(c)->header_ms;
    uint64_t waited_ms = (c->px->now_ns - c->idle_ns) / 1000000;
    int64_t left_s = c->stands_until_s - c->px->wall_s;

    ms = waited_ms < ms ? ms - (uint32_t)waited_ms : 1;
    if (!c->stood_on || left_s >= ms / 1000)
        return ms;
    return left_s >= 0 ? (uint32_t)left_s * 1000 + 1000
                       : 1; /* it stands to the end of that second */
}

void px_client_arm_idle(struct px_client *c)
{
    px_arm(c->px, &c->timer, idle_ms(c));
}

static void idle(struct px_client *c)
{
    set_state(c, PX_CL_IDLE);
    c->idle_ns = c->px->now_ns;
    px_client_arm_idle(c);
}

/* Something of a next request is there, or may be: begin to read it. False: nothing to do yet. */
static bool begin_head(struct px_client *c)
{
    bool carried = px_kept(c) != NULL;

    if (!carried && stream_readable(c->s) == 0) {
        if (stream_at_eof(c->s))
            px_client_close(c);
        return false;
    }
    if (stream_tx_space(c->s) < ANSWER_ROOM_B)
        return false; /* earlier answers are still on their way: WRITABLE follows */
    if (!c->in) {
        c->in = px_buf_get(c->px);
        if (!c->in) {
            px_client_poke(c);
            return false;
        }
    }
    if (c->in->from) {
        memmove(c->in->p, c->in->p + c->in->from, c->in->to - c->in->from);
        c->in->to -= c->in->from;
        c->in->from = 0;
    }
    c->scanned = 0;
    c->since_ns = c->px->now_ns;
    set_state(c, PX_CL_HEAD);
    px_arm(c->px, &c->timer, times(c)->header_ms);
    return true;
}

/* True: go on with this client in this turn. */
static bool read_head(struct px_client *c)
{
    const struct snap_limits *l = &c->px->snap->limits;
    struct h1_limits lim = {l->line_b, l->head_b, l->headers, l->field_b};
    struct px *px = c->px;
    const char *why = "";
    uint16_t status = 400;
    uint32_t used;

    px_client_fill(c);
    px->head_of = NULL;
    switch (h1_request(span_of(c->in->p, c->in->to), &lim, &c->scanned, &px->head, &used, &status,
                       &why)) {
    case H1_DONE:
        c->requests++;
        set_state(c, PX_CL_REQUEST);
        px_disarm(px, &c->timer);
        px_req_begin(c, used);
        return true;
    case H1_BAD:
        px_req_bad(c, status, why);
        return false;
    case H1_MORE:
        break;
    }
    if (c->s && stream_at_eof(c->s))
        px_client_close(c);
    else if (c->in->to == PX_BUF_B)
        px_req_bad(c, 431, "head_too_large");
    return false;
}

static void run(struct px_client *c)
{
    for (uint32_t n = 0; n < PX_TURN_REQS; n++) {
        switch ((enum px_client_state)c->state) {
        case PX_CL_IDLE:
            if (!begin_head(c))
                return;
            break;
        case PX_CL_HEAD:
            if (!read_head(c))
                return;
            break;
        case PX_CL_REQUEST:
            px_req_run(c->req);
            if (c->state == PX_CL_REQUEST)
                return;
            break;
        case PX_CL_HANDSHAKE:
        case PX_CL_ENDING:
            return;
        }
    }
    px_client_poke(c);
}

void px_client_next(struct px_client *c)
{
    struct px *px = c->px;

    if (!c->s)
        return;
    if (c->last || px->draining) {
        px_client_close(c);
        return;
    }
    if (c->in && c->in->from == c->in->to)
        px_buf_put(px, &c->in);
    if (c->lost && !px_kept(c) && stream_readable(c->s) == 0) {
        px_client_lost(c);
        return;
    }
    idle(c);
    if (px_kept(c) || stream_readable(c->s) || stream_at_eof(c->s))
        px_client_poke(c);
}

static void on_event(void *owner, struct stream *s, uint32_t events)
{
    struct px_client *c = (struct px_client *)owner;

    (void)s;
    if (events & STREAM_EV_CLOSED) {
        on_closed(c);
        return;
    }
    if (c->state == PX_CL_HANDSHAKE) {
        if (!(events & STREAM_EV_OPEN))
            return;
        idle(c);
        if (c->px->draining) {
            px_client_close(c);
            return;
        }
    }
    run(c);
}

const struct stream_owner px_client_owner = {"client", on_event};

void px_client_timer(struct px_client *c)
{
    struct px *px = c->px;

    switch ((enum px_client_state)c->state) {
    case PX_CL_HANDSHAKE:
        px_count(px, PX_CTR_TIMEOUT_HANDSHAKE);
        log_refused(c, "handshake_timeout");
        px_client_abort(c);
        return;
    case PX_CL_IDLE:
        if (c->stood_on && px->wall_s > c->stands_until_s) {
            if (px_client_still_stands(c))
                px_client_arm_idle(c);
            return;
        }
        px_count(px, PX_CTR_TIMEOUT_KEEPALIVE);
        px_client_close(c);
        return;
    case PX_CL_HEAD:
        px_count(px, PX_CTR_TIMEOUT_HEADER);
        px_req_bad(c, 408, "header_timeout");
        return;
    case PX_CL_REQUEST:
        if (c->req->state == PX_RQ_HOLD) {
            px_hold_over(c->req);
        } else if (c->req->state == PX_RQ_ASK) {
            px_ask_over(c->req);
        } else if (c->req->up_done || c->req->status) {
            px_count(px, PX_CTR_TIMEOUT_SEND);
            px_req_break(c->req, "send_timeout");
        } else {
            px_count(px, PX_CTR_TIMEOUT_BODY);
            px_req_answer(c->req, 408, "body_timeout");
        }
        return;
    case PX_CL_ENDING:
        return;
    }
}
