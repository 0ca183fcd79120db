#include "base/must.h"
#include "tcp/internal.h"

#define COOKIE_LIFE_MS  64000u
#define COOKIE_EPOCH_MS 8000u
#define COOKIE_EPOCHS   8u /* a cookie is good for 64 to 72 s */

/* --- listeners --- */

static struct tcp_listener *listener_at(struct tcp *t, const struct endpoint *e, bool exact)
{
    struct tcp_listener *any = NULL;

    for (int i = 0; i < TCP_LISTENERS_MAX; i++) {
        struct tcp_listener *l = &t->listeners[i];

        if (!l->used || l->local.port != e->port)
            continue;
        if (ip_eq(&l->local.addr, &e->addr))
            return l;
        if (!exact && ip_is_any(&l->local.addr))
            any = l;
    }
    return any;
}

res tcp_listen(struct tcp *t, const struct endpoint *local, tcp_accept_fn *accept, void *ctx)
{
    struct tcp_listener *l = listener_at(t, local, true);

    for (int i = 0; !l && i < TCP_LISTENERS_MAX; i++) {
        if (!t->listeners[i].used)
            l = &t->listeners[i];
    }
    if (!l)
        return ERR(NOMEM);
    *l = (struct tcp_listener){*local, accept, ctx, true};
    return OK;
}

static void req_free(struct tcp *t, struct tcp_req *r);

void tcp_unlisten(struct tcp *t, const struct endpoint *local)
{
    struct tcp_listener *l = listener_at(t, local, true);
    uint16_t index;

    if (!l)
        return;
    l->used = false;
    index = (uint16_t)(l - t->listeners);
    for (int i = 0; i < TCP_REQ_STAGES; i++) {
        struct tcp_req *r = t->req_fifo[i].head;

        while (r) {
            struct tcp_req *next = r->next;

            if (r->listener == index)
                req_free(t, r);
            r = next;
        }
    }
}

/* --- requests: FIFOs, because each stage has one constant time (1 s, 2 s, 4 s) --- */

static void fifo_add(struct tcp *t, struct tcp_req *r, uint8_t stage)
{
    r->stage = stage;
    r->expiry = tcp_tick_after_us(t, (uint64_t)t->set.rto_initial_us << stage);
    r->next = NULL;
    r->prev = t->req_fifo[stage].tail;
    if (r->prev)
        r->prev->next = r;
    else
        t->req_fifo[stage].head = r;
    t->req_fifo[stage].tail = r;
}

static void fifo_take(struct tcp *t, struct tcp_req *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        t->req_fifo[r->stage].head = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        t->req_fifo[r->stage].tail = r->prev;
}

static uint32_t value_of(struct tcp *t, const struct tcp_req *r)
{
    return flow_value(FLOW_REQ, pool_index(&t->reqs, r));
}

static void req_free(struct tcp *t, struct tcp_req *r)
{
    flow_remove(&t->flow, r->hash, value_of(t, r));
    fifo_take(t, r);
    prefix_add(t->prefixes, PREFIX_REQS, &r->tuple.raddr, -1);
    pool_put(&t->reqs, r);
}

void tcp_req_timers(struct tcp *t)
{
    uint32_t left = TCP_TIMERS_MAX;

    for (uint8_t stage = 0; stage < TCP_REQ_STAGES; stage++) {
        struct tcp_req *r;

        while (left-- && (r = t->req_fifo[stage].head) && tcp_tick_due(t, r->expiry)) {
            if (stage + 1u >= TCP_REQ_STAGES || stage >= t->set.syn_retries) {
                tcp_count(t, TCP_CTR_REQ_EXPIRED);
                req_free(t, r);
                continue;
            }
            fifo_take(t, r);
            fifo_add(t, r, (uint8_t)(stage + 1));
            r->resent = true;
            tcp_count(t, TCP_CTR_SYN_RETRANS);
            tcp_reply_synack(t, r, tcp_ts_now(t, r->ts_off));
        }
    }
}

/* --- SYN cookies: 24 bits of MAC, 5 of epoch, 3 of MSS; further options in our time stamp --- */

static const uint16_t mss_v4[8] = {216, 536, 1024, 1220, 1360, 1440, 1460, 8960};
static const uint16_t mss_v6[8] = {1220, 1240, 1280, 1360, 1420, 1440, 4096, 8940};

/* In the low bits of our time stamp, when the SYN had one. */
#define TSC_WS_NONE 15u
#define TSC_SACK    16u
#define TSC_BITS    6u
#define TSC_MASK    ((1u << TSC_BITS) - 1)

static uint32_t epoch_now(const struct tcp *t)
{
    return (t->now_ms / COOKIE_EPOCH_MS) & 31;
}

static uint32_t cookie_mac(const struct tcp *t, const struct tcp_tuple *tuple, uint32_t irs,
                           uint32_t low8)
{
    struct {
        struct tcp_tuple tuple;
        uint32_t irs, low8;
    } in;

    memset(&in, 0, sizeof(in));
    in.tuple = *tuple;
    in.irs = irs;
    in.low8 = low8;
    return (uint32_t)(siphash24(&t->keys.cookie[0], &in, sizeof(in)) >> 40) & 0xffffff;
}

/* Hides the small numbers in it, so that it looks as random as any ISN. */
static uint32_t cookie_mask(const struct tcp *t, const struct tcp_tuple *tuple)
{
    return (uint32_t)siphash24(&t->keys.cookie[1], tuple, sizeof(*tuple));
}

static uint32_t cookie_make(const struct tcp *t, const struct tcp_tuple *tuple, uint32_t irs,
                            uint16_t mss)
{
    const uint16_t *table = ip_is_v4(&tuple->raddr) ? mss_v4 : mss_v6;
    uint32_t code = 7, low8;

    while (code && table[code] > mss)
        code--;
    low8 = epoch_now(t) << 3 | code;
    return (cookie_mac(t, tuple, irs, low8) << 8 | low8) + cookie_mask(t, tuple);
}

static bool cookie_check(const struct tcp *t, const struct tcp_tuple *tuple, uint32_t irs,
                         uint32_t cookie, uint16_t *mss)
{
    const uint16_t *table = ip_is_v4(&tuple->raddr) ? mss_v4 : mss_v6;
    uint32_t v = cookie - cookie_mask(t, tuple), low8 = v & 0xff;

    if (((epoch_now(t) - (low8 >> 3)) & 31) > COOKIE_EPOCHS)
        return false;
    if (cookie_mac(t, tuple, irs, low8) != v >> 8)
        return false;
    *mss = table[low8 & 7];
    return true;
}

/* Our time stamp with the options in it: lowered when that would put it into the future. */
static uint32_t cookie_tsval(const struct tcp *t, const struct tcp_req *r)
{
    uint32_t now = tcp_ts_now(t, r->ts_off), ts = now & ~TSC_MASK;

    ts |= (r->opts & TCP_OPT_WS) ? (uint32_t)r->wscale : TSC_WS_NONE;
    ts |= (r->opts & TCP_OPT_SACK) ? TSC_SACK : 0;
    return seq_gt(ts, now) ? ts - (TSC_MASK + 1) : ts;
}

static void send_cookie(struct tcp *t, struct tcp_req *r)
{
    r->iss = cookie_make(t, &r->tuple, r->irs, r->mss);
    if (!(r->opts & TCP_OPT_TS))
        r->opts &= (uint8_t) ~(TCP_OPT_WS | TCP_OPT_SACK);
    r->opts &= (uint8_t)~TCP_OPT_ECN;
    t->cookies_until_ms = t->now_ms + COOKIE_LIFE_MS;
    t->cookies_seen = true;
    tcp_count(t, TCP_CTR_COOKIES_SENT);
    tcp_reply_synack(t, r, (r->opts & TCP_OPT_TS) ? cookie_tsval(t, r) : 0);
}

/* --- a SYN --- */

static bool believable(const struct tcp_tuple *tuple, const struct tcp_seg *s)
{
    return !(s->flags & (TCP_FIN | TCP_RST)) && !ip_is_multicast(&tuple->raddr) &&
           !ip_is_any(&tuple->raddr) && !ip_is_multicast(&tuple->laddr) &&
           !(ip_eq(&tuple->laddr, &tuple->raddr) && tuple->lport == tuple->rport);
}

/* What the SYN offers and we take. */
static void fill_req(struct tcp *t, struct tcp_req *r, const struct tcp_tuple *tuple, uint64_t hash,
                     const struct tcp_seg *s, uint32_t iss_above)
{
    bool v4 = ip_is_v4(&tuple->raddr);

    memset(r, 0, sizeof(*r));
    r->tuple = *tuple;
    r->hash = hash;
    r->irs = s->seq;
    r->iss = tcp_clock_isn(t, tuple);
    if (iss_above && seq_lt(r->iss, iss_above))
        r->iss = iss_above;
    r->wnd = s->wnd;
    r->mss = s->mss ? s->mss : v4 ? TCP_MSS_V4 : TCP_MSS_V6;
    r->wscale = -1;
    if (s->has_ts && t->set.timestamps) {
        r->opts |= TCP_OPT_TS;
        r->ts_recent = s->tsval;
        r->ts_off = tcp_ts_offset(t, tuple);
    }
    if (s->sack_ok && t->set.sack)
        r->opts |= TCP_OPT_SACK;
    if (s->wscale >= 0 && t->set.window_scaling) {
        r->opts |= TCP_OPT_WS;
        r->wscale = s->wscale;
    }
    if (t->set.ecn && (s->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR))
        r->opts |= TCP_OPT_ECN;
}

/* One network must not take all that there is. */
static bool prefix_has_all(const struct tcp *t, const struct ip_addr *from)
{
    return t->set.conns_per_prefix &&
           prefix_count(t->prefixes, PREFIX_CONNS, from) >= t->set.conns_per_prefix;
}

/* NULL: a cookie has to do. */
static struct tcp_req *new_req(struct tcp *t, const struct ip_addr *from)
{
    if (prefix_count(t->prefixes, PREFIX_REQS, from) >= t->set.reqs_per_prefix) {
        tcp_at_bound(t, TCP_CTR_PREFIX_COOKIES, BOUND_REQS_PREFIX, from);
        return NULL;
    }
    if (t->reqs.used >= t->reqs.cap) {
        tcp_at_bound(t, TCP_CTR_REQ_FULL, BOUND_REQS, from);
        return NULL;
    }
    return (struct tcp_req *)pool_get(&t->reqs);
}

void tcp_syn_arrives(struct tcp *t, const struct tcp_tuple *tuple, uint64_t hash,
                     const struct tcp_seg *s, uint32_t iss_above)
{
    struct endpoint local = {tuple->laddr, tuple->lport};
    struct tcp_listener *l = listener_at(t, &local, false);
    struct tcp_req stateless, *r;

    if (!believable(tuple, s)) {
        tcp_count(t, TCP_CTR_SYN_BAD);
        return;
    }
    if (!l) {
        tcp_count(t, TCP_CTR_NO_LISTENER);
        tcp_reply_rst(t, tuple, s);
        return;
    }
    tcp_count(t, TCP_CTR_SYN_IN);
    if (s->mss && s->mss < TCP_MSS_MIN) {
        tcp_count(t, TCP_CTR_TINY_MSS);
        tcp_reply_rst(t, tuple, s);
        return;
    }
    if (prefix_has_all(t, &tuple->raddr)) {
        tcp_at_bound(t, TCP_CTR_PREFIX_DROP, BOUND_CONNS_PREFIX, &tuple->raddr);
        return;
    }
    r = new_req(t, &tuple->raddr);
    if (!r) {
        fill_req(t, &stateless, tuple, hash, s, iss_above);
        send_cookie(t, &stateless);
        return;
    }
    fill_req(t, r, tuple, hash, s, iss_above);
    r->listener = (uint16_t)(l - t->listeners);
    if (!flow_add(&t->flow, hash, value_of(t, r))) {
        struct tcp_req copy = *r;

        pool_put(&t->reqs, r);
        send_cookie(t, &copy);
        return;
    }
    prefix_add(t->prefixes, PREFIX_REQS, &tuple->raddr, 1);
    fifo_add(t, r, 0);
    tcp_reply_synack(t, r, tcp_ts_now(t, r->ts_off));
}

/* --- the third segment --- */

/* A connection out of what the handshake has agreed on. NULL: no slot. */
static struct tcp_conn *make_conn(struct tcp *t, const struct tcp_req *r)
{
    struct tcp_conn *c = tcp_conn_new(t, &r->tuple);
    struct ip_addr src = r->tuple.laddr;
    uint16_t mtu = 1500;

    if (!c)
        return NULL;
    (void)t->env.route(t->env.ctx, &r->tuple.raddr, &src, &mtu);
    c->flags |= TCPF_PASSIVE | (r->resent ? TCPF_SYN_LOST : 0);
    c->opts = r->opts;

    c->snd_una = r->iss;
    c->snd_nxt = r->iss + 1;
    c->rcv_nxt = r->irs + 1;
    c->last_ack_sent = c->rcv_nxt;
    c->rcv_adv = c->rcv_nxt + (t->set.rcvbuf_start_b > 65535 ? 65535 : t->set.rcvbuf_start_b);
    c->rcv_hi = c->rcv_nxt;
    c->snd_wscale = r->wscale >= 0 ? (uint8_t)r->wscale : 0;
    c->rcv_wscale = (r->opts & TCP_OPT_WS) ? tcp_own_wscale(t) : 0;
    c->ts_recent = r->ts_recent;
    c->ts_recent_s = tcp_coarse(t);
    c->ts_off = r->ts_off;
    c->snd_mss = tcp_effective_mss(t, &r->tuple, r->mss, mtu, r->opts);
    c->rcv_mss = c->snd_mss;
    c->snd_wnd = r->wnd;
    c->snd_wnd_max = r->wnd;
    c->snd_wl1 = r->irs;
    tcp_cc_init(t, c);
    return c;
}

/* Hand the connection to its owner, then the segment to the connection. Takes m. */
static void open_conn(struct tcp *t, struct tcp_conn *c, const struct tcp_listener *l,
                      struct nbuf *m, const struct tcp_seg *s, const struct tcp_rx *rx)
{
    tcp_set_state(t, c, TCP_ST_SYN_RCVD);
    prefix_add(t->prefixes, PREFIX_CONNS, &c->tuple.raddr, 1);
    tcp_count(t, TCP_CTR_PASSIVE_OPENS);
    if (!l->used || !l->accept(l->ctx, &c->s, &c->tuple)) {
        tcp_at_bound(t, TCP_CTR_ACCEPT_REFUSED, BOUND_CLIENTS, &c->tuple.raddr);
        stream_set_owner(&c->s, NULL, NULL);
        stream_abort(&c->s);
        nbuf_put_chain(m);
        return;
    }
    tcp_segment(t, c, m, s, rx);
}

/* The same SYN again, or another one for the same tuple. */
static void syn_again(struct tcp *t, struct tcp_req *r, const struct tcp_seg *s)
{
    struct tcp_tuple tuple = r->tuple;
    uint64_t hash = r->hash;

    if (s->seq == r->irs) {
        r->resent = true;
        tcp_count(t, TCP_CTR_SYN_RETRANS);
        tcp_reply_synack(t, r, tcp_ts_now(t, r->ts_off));
        return;
    }
    /* Newer by sequence number or time stamp: the peer began anew. Otherwise an old duplicate. */
    if (seq_gt(s->seq, r->irs) || (s->has_ts && seq_gt(s->tsval, r->ts_recent))) {
        uint32_t above = r->iss + 65537;

        req_free(t, r);
        tcp_syn_arrives(t, &tuple, hash, s, above);
    }
}

/* The first sample of the round trip, by the clock of ticks: the request knows when it will expire, and so
 * when its SYN-ACK went out. One that was sent twice tells nothing (RFC 6298 3). */
static void time_handshake(struct tcp *t, struct tcp_conn *c, const struct tcp_req *r)
{
    uint32_t ticks = tcp_tick_after_us(t, t->set.rto_initial_us) - r->expiry;

    if (!r->resent)
        tcp_rtt_sample(t, c, (uint32_t)(((uint64_t)ticks << WHEEL_TICK_SHIFT) / 1000));
}

void tcp_req_segment(struct tcp *t, struct tcp_req *r, struct nbuf *m, const struct tcp_seg *s,
                     const struct tcp_rx *rx)
{
    struct tcp_listener *l = &t->listeners[r->listener];
    uint32_t wnd = t->set.rcvbuf_start_b > 65535 ? 65535 : t->set.rcvbuf_start_b;
    bool in_window = s->seq - (r->irs + 1) < wnd;
    struct tcp_conn *c;

    if (s->flags & TCP_RST) {
        if (s->seq == r->irs + 1) { /* RFC 5961 3.2: exactly, nothing else */
            tcp_count(t, TCP_CTR_IN_RSTS);
            req_free(t, r);
        }
    } else if (s->flags & TCP_SYN) {
        if (!(s->flags & TCP_ACK))
            syn_again(t, r, s);
    } else if (!(s->flags & TCP_ACK)) {
        /* no ACK, no SYN: dropped (RFC 9293 3.10.7.4, fifth) */
    } else if (s->ack != r->iss + 1) { /* B7: a reset for it, and the request stays */
        tcp_reply_rst(t, &r->tuple, s);
    } else if (s->has_ts && (r->opts & TCP_OPT_TS) && seq_lt(s->tsval, r->ts_recent)) {
        tcp_count(t, TCP_CTR_PAWS);
    } else if (in_window) {
        c = make_conn(t, r);
        if (!c) {
            tcp_count(t, TCP_CTR_LISTEN_OVER); /* the request stays: the peer will try again */
        } else {
            flow_change(&t->flow, r->hash, value_of(t, r),
                        flow_value(FLOW_CONN, pool_index(&t->conns, c)));
            time_handshake(t, c, r);
            fifo_take(t, r);
            prefix_add(t->prefixes, PREFIX_REQS, &r->tuple.raddr, -1);
            pool_put(&t->reqs, r);
            open_conn(t, c, l, m, s, rx);
            return;
        }
    }
    nbuf_put_chain(m);
}

/* What the cookie has kept of the SYN. */
static void req_from_cookie(struct tcp *t, struct tcp_req *r, const struct tcp_tuple *tuple,
                            uint64_t hash, const struct tcp_seg *s, uint16_t mss)
{
    memset(r, 0, sizeof(*r));
    r->tuple = *tuple;
    r->hash = hash;
    r->irs = s->seq - 1;
    r->iss = s->ack - 1;
    r->mss = mss;
    r->wnd = s->wnd;
    r->wscale = -1;
    if (!s->has_ts)
        return;
    r->opts = TCP_OPT_TS;
    r->ts_recent = s->tsval;
    r->ts_off = tcp_ts_offset(t, tuple);
    if (s->tsecr & TSC_SACK)
        r->opts |= TCP_OPT_SACK;
    if ((s->tsecr & 15) != TSC_WS_NONE) {
        r->opts |= TCP_OPT_WS;
        r->wscale = (int8_t)(s->tsecr & 15);
    }
}

bool tcp_cookie_ack(struct tcp *t, const struct tcp_tuple *tuple, uint64_t hash, struct nbuf *m,
                    const struct tcp_seg *s, const struct tcp_rx *rx)
{
    struct endpoint local = {tuple->laddr, tuple->lport};
    struct tcp_listener *l = listener_at(t, &local, false);
    struct tcp_req r;
    struct tcp_conn *c;
    uint16_t mss;

    if (!l || !t->cookies_seen || seq_gt(t->now_ms, t->cookies_until_ms))
        return false;
    if (!cookie_check(t, tuple, s->seq - 1, s->ack - 1, &mss)) {
        tcp_count(t, TCP_CTR_COOKIES_BAD);
        return false;
    }
    req_from_cookie(t, &r, tuple, hash, s, mss);
    if (prefix_has_all(t, &tuple->raddr)) {
        tcp_at_bound(t, TCP_CTR_PREFIX_DROP, BOUND_CONNS_PREFIX, &tuple->raddr);
        nbuf_put_chain(m);
        return true;
    }
    c = make_conn(t, &r);
    if (!c || !flow_add(&t->flow, hash, flow_value(FLOW_CONN, pool_index(&t->conns, c)))) {
        if (c)
            pool_put(&t->conns, c);
        tcp_count(t, TCP_CTR_LISTEN_OVER);
        nbuf_put_chain(m);
        return true;
    }
    tcp_count(t, TCP_CTR_COOKIES_OK);
    open_conn(t, c, l, m, s, rx);
    return true;
}
