#include "base/must.h"
#include "tcp/internal.h"

/* A handshake that needed a second try says that the path is longer than was thought. */
#define SYN_LOST_RTO_US 3000000u

static const char *const state_names[TCP_ST_COUNT] = {
#define X(name) #name,
    TCP_STATES(X)
#undef X
};

const char *tcp_state_name(enum tcp_state st)
{
    return state_names[st];
}

static inline struct tcp_conn *conn_of(const struct stream *s)
{
    return CONTAINER_OF(s, struct tcp_conn, s);
}

void tcp_set_state(struct tcp *t, struct tcp_conn *c, enum tcp_state st)
{
    if (c->state == TCP_ST_ESTABLISHED && st != TCP_ST_ESTABLISHED)
        t->established--;
    if (c->state != TCP_ST_ESTABLISHED && st == TCP_ST_ESTABLISHED)
        t->established++;
    c->state = (uint8_t)st;
}

/* --- numbers that must not be guessed --- */

/* RFC 6528 3: a clock of 64 ns plus a keyed hash of the tuple. */
uint32_t tcp_clock_isn(struct tcp *t, const struct tcp_tuple *tuple)
{
    return (uint32_t)siphash24(&t->keys.isn, tuple, sizeof(*tuple)) + (uint32_t)(t->now_ns >> 6);
}

/* Constant for a tuple, so that time stamps go on from one incarnation to the next. */
uint32_t tcp_ts_offset(struct tcp *t, const struct tcp_tuple *tuple)
{
    return (uint32_t)siphash24(&t->keys.ts, tuple, sizeof(*tuple));
}

/* --- sizes --- */

uint16_t tcp_own_mss(const struct tcp *t, const struct tcp_tuple *tuple, uint16_t mtu)
{
    uint32_t fixed = ip_is_v4(&tuple->raddr) ? 40 : 60;
    uint32_t mss = mtu > fixed + TCP_MSS_MIN ? mtu - fixed : TCP_MSS_MIN;

    if (mss > NBUF_ROOM_B - TCP_HDR_MAX)
        mss = NBUF_ROOM_B - TCP_HDR_MAX;
    if (t->set.mss_max && mss > t->set.mss_max)
        mss = t->set.mss_max;
    return (uint16_t)mss;
}

uint16_t tcp_effective_mss(const struct tcp *t, const struct tcp_tuple *tuple, uint16_t peer,
                           uint16_t mtu, uint8_t opts)
{
    uint32_t mss = tcp_own_mss(t, tuple, mtu);

    if (peer == 0)
        peer = ip_is_v4(&tuple->raddr) ? TCP_MSS_V4 : TCP_MSS_V6;
    if (peer < mss)
        mss = peer;
    if (opts & TCP_OPT_TS)
        mss -= 12; /* RFC 6691: options come out of the MSS */
    return (uint16_t)mss;
}

/* Large enough for the largest window that tuning may come to (RFC 7323 2.3). */
uint8_t tcp_own_wscale(const struct tcp *t)
{
    uint8_t shift = 0;

    while (shift < TCP_WS_MAX && (65535ULL << shift) < t->set.rcvbuf_max_b)
        shift++;
    return shift;
}

/* --- life --- */

struct tcp_conn *tcp_conn_new(struct tcp *t, const struct tcp_tuple *tuple)
{
    struct tcp_conn *c = (struct tcp_conn *)pool_get(&t->conns);

    if (!c) {
        tcp_at_bound(t, TCP_CTR_NO_CONN_SLOT, BOUND_CONNS, &tuple->raddr);
        return NULL;
    }
    memset(c, 0, sizeof(*c));
    c->s.ops = &tcp_stream_ops;
    c->t = t;
    c->tuple = *tuple;
    c->rcvbuf = t->set.rcvbuf_start_b;
    c->sndbuf = t->set.sndbuf_max_b;
    c->quick = TCP_QUICK_ACKS;
    c->last_rx_ms = t->now_ms;
    c->rcvq_ms = t->now_ms;
    c->rto_min_us = t->set.rto_min_us;
    tcp_rtt_init(t, c);
    return c;
}

void tcp_tx_free(struct tcp *t, struct tcp_conn *c, struct nbuf *m)
{
    struct tseg *g = tseg_of(m);

    tcp_time_remove(c, m);
    if (g->prev)
        tseg_of(g->prev)->next = g->next;
    else
        c->tx_head = g->next;
    if (g->next)
        tseg_of(g->next)->prev = g->prev;
    else
        c->tx_tail = g->prev;
    if (c->tx_next == m)
        c->tx_next = g->next;
    c->tx_n--;
    t->tx_used_b -= nbuf_truesize(m);
    nbuf_put(m);
}

static void free_tx(struct tcp *t, struct tcp_conn *c)
{
    while (c->tx_head)
        tcp_tx_free(t, c, c->tx_head);
    c->tx_b = c->tx_unsent_b = 0;
    c->sacked_b = c->lost_b = c->retrans_b = 0;
}

/* No more of the protocol. What has arrived in good order stays readable until the owner closes. */
static void bury(struct tcp *t, struct tcp_conn *c)
{
    MUST_HOT(!(c->flags & TCPF_DEAD));
    wheel_disarm(&t->wheel, &c->timer);
    free_tx(t, c);
    /* Behind a RST, too: it may follow a whole answer, whose sender has not read all that we sent. */
    if (c->why == STREAM_WHY_DONE || c->why == STREAM_WHY_RESET)
        tcp_rx_no_more(t, c);
    else
        tcp_rx_free(t, c);
    if (c->flags & TCPF_ORPHAN)
        t->orphans--;
    if (c->flags & TCPF_PASSIVE)
        prefix_add(t->prefixes, PREFIX_CONNS, &c->tuple.raddr, -1);
    if (c->flags & TCPF_ORPHAN)
        tcp_rx_free(t, c);
    c->flags |= TCPF_DEAD;
    tcp_set_state(t, c, TCP_ST_CLOSED);
}

/* The slot is given back when the next turn begins. */
static void into_grave(struct tcp *t, struct tcp_conn *c)
{
    tcp_rx_free(t, c);
    if (c->flags & TCPF_AGAIN) { /* still linked by next_orphan: take it out */
        struct tcp_conn **at = &t->again;

        while (*at && *at != c)
            at = &(*at)->next_orphan;
        if (*at)
            *at = c->next_orphan;
        c->flags &= ~TCPF_AGAIN;
    }
    c->next_orphan = t->dead;
    t->dead = c;
}

static void leave_tables(struct tcp *t, struct tcp_conn *c)
{
    flow_remove(&t->flow, tcp_hash(t, &c->tuple), flow_value(FLOW_CONN, pool_index(&t->conns, c)));
    if (!(c->flags & TCPF_PASSIVE))
        tcp_port_put(t, &c->tuple);
}

/* The entry in the flow table now belongs to somebody else. */
void tcp_conn_replaced(struct tcp *t, struct tcp_conn *c, enum stream_why why)
{
    bool orphan = c->flags & TCPF_ORPHAN;

    c->why = (uint8_t)why;
    bury(t, c);
    if (orphan)
        into_grave(t, c);
    else if (why ==
             STREAM_WHY_DONE) /* both sides have ended: the owner reads to the end and closes */
        tcp_want_up(t, c, STREAM_EV_EOF | (c->rx_b ? STREAM_EV_READABLE : 0));
    else
        tcp_want_up(t, c, STREAM_EV_CLOSED);
}

void tcp_conn_kill(struct tcp *t, struct tcp_conn *c, enum stream_why why)
{
    if (c->flags & TCPF_DEAD)
        return;
    leave_tables(t, c);
    tcp_conn_replaced(t, c, why);
}

static bool may_write(const struct tcp_conn *c)
{
    return (c->state == TCP_ST_ESTABLISHED || c->state == TCP_ST_CLOSE_WAIT) &&
           !(c->flags & TCPF_FIN_WANTED);
}

/* Twice what the path takes at once, so that a slow reader owns no more than it has earned. */
static uint32_t send_limit(const struct tcp_conn *c)
{
    uint32_t limit = 2 * c->cwnd;

    if (limit < TCP_SNDBUF_MIN_B)
        limit = TCP_SNDBUF_MIN_B;
    return limit < c->sndbuf ? limit : c->sndbuf;
}

/* Acknowledgments have made room for an owner that had found too little. */
void tcp_conn_room(struct tcp *t, struct tcp_conn *c)
{
    if ((c->flags & TCPF_WANT_WRITE) && may_write(c) && c->tx_b <= send_limit(c) / 2) {
        c->flags &= ~TCPF_WANT_WRITE;
        tcp_want_up(t, c, STREAM_EV_WRITABLE);
    }
}

void tcp_conn_established(struct tcp *t, struct tcp_conn *c)
{
    tcp_set_state(t, c, TCP_ST_ESTABLISHED);
    c->backoff = 0;
    if ((c->flags & TCPF_SYN_LOST) && c->srtt_us == 0) /* RFC 6298 5.7 */
        c->rto_us = SYN_LOST_RTO_US;
    c->rcvq_ms = t->now_ms;
    c->dl_misc = tcp_tick_after_us(t, (uint64_t)t->set.keep_idle_ms * 1000);
    tcp_want_up(t, c, STREAM_EV_OPEN | STREAM_EV_WRITABLE);
    tcp_rearm(t, c);
}

/* --- the stream --- */

static uint32_t op_readable(struct stream *s)
{
    return conn_of(s)->rx_b;
}

static uint32_t op_peek(struct stream *s, struct span *v, uint32_t max)
{
    uint32_t n = 0;

    for (struct nbuf *m = conn_of(s)->rx_head; m && n < max; m = nbuf_next(m))
        v[n++] = span_of(nbuf_data(m), nbuf_len(m));
    return n;
}

static void op_consume(struct stream *s, uint32_t n)
{
    struct tcp_conn *c = conn_of(s);

    tcp_rx_consumed(c->t, c, n);
}

static bool op_at_eof(const struct stream *s)
{
    const struct tcp_conn *c = conn_of(s);

    return (c->flags & TCPF_FIN_RCVD) && c->rx_b == 0;
}

static void op_again(struct stream *s);

/* What buffers and budgets still allow, in bytes that surely fit. */
static uint32_t op_tx_space(struct stream *s)
{
    struct tcp_conn *c = conn_of(s);
    struct tcp *t = c->t;
    uint32_t limit = send_limit(c), space, bufs, free_bufs;

    if (!may_write(c))
        return 0;
    space = c->tx_b < limit ? limit - c->tx_b : 0;
    bufs = c->tx_n < TCP_TX_SEGS_MAX ? TCP_TX_SEGS_MAX - c->tx_n : 0;
    free_bufs = tcp_bufs_to_write(t, &c->tuple.raddr);
    bufs = free_bufs < bufs ? free_bufs : bufs;
    if ((uint64_t)bufs * c->snd_mss < space) {
        space = bufs * c->snd_mss;
        if (c->tx_b == 0) /* no ACK will tell when memory is there again: ask */
            op_again(s);
    }
    if (space < limit / 2)
        c->flags |= TCPF_WANT_WRITE;
    return space;
}

/* The last buffer, when it was never sent and still has room for some of its segment. */
static struct nbuf *open_tail(struct tcp_conn *c)
{
    struct nbuf *m = c->tx_tail;

    if (!m || tseg_of(m)->times || tseg_of(m)->len >= c->snd_mss || nbuf_tailroom(m) == 0 ||
        tseg_of(m)->flags & TSEG_FIN)
        return NULL;
    return m;
}

/* An empty buffer at the end of the send queue. */
struct nbuf *tcp_tx_new(struct tcp *t, struct tcp_conn *c)
{
    struct nbuf *m = nbuf_get(t->env.pool);
    struct tseg *g;

    if (!m) {
        tcp_at_bound(t, TCP_CTR_NO_BUFFER, BOUND_BUFFERS, &c->tuple.raddr);
        return NULL;
    }
    g = tseg_of(m);
    memset(g, 0, sizeof(*g));
    g->seq = c->tx_tail ? tseg_end(tseg_of(c->tx_tail)) : c->snd_nxt;
    g->prev = c->tx_tail;
    if (c->tx_tail)
        tseg_of(c->tx_tail)->next = m;
    else
        c->tx_head = m;
    c->tx_tail = m;
    if (!c->tx_next)
        c->tx_next = m;
    c->tx_n++;
    t->tx_used_b += nbuf_truesize(m);
    return m;
}

static void *op_reserve(struct stream *s, uint32_t want, uint32_t *got)
{
    struct tcp_conn *c = conn_of(s);
    uint32_t space = op_tx_space(s), room;
    struct nbuf *m;

    if (space == 0)
        return NULL;
    m = open_tail(c);
    if (!m)
        m = tcp_tx_new(c->t, c);
    if (!m) {
        op_again(s);
        return NULL;
    }
    room = c->snd_mss - tseg_of(m)->len;
    if (room > nbuf_tailroom(m))
        room = nbuf_tailroom(m);
    *got = want < room ? want : room;
    if (*got > space)
        *got = space;
    return nbuf_data(m) + nbuf_len(m);
}

static void op_commit(struct stream *s, uint32_t n)
{
    struct tcp_conn *c = conn_of(s);
    struct nbuf *m = c->tx_tail;

    if (n == 0)
        return;
    MUST_HOT(m && !tseg_of(m)->times && n <= nbuf_tailroom(m));
    nbuf_add(m, n);
    tseg_of(m)->len = (uint16_t)(tseg_of(m)->len + n);
    c->tx_b += n;
    c->tx_unsent_b += n;
    tcp_want_out(c->t, c);
}

static uint32_t op_unsent(const struct stream *s)
{
    return conn_of(s)->tx_b;
}

static void op_again(struct stream *s)
{
    struct tcp_conn *c = conn_of(s);
    struct tcp *t = c->t;

    if (c->flags & (TCPF_AGAIN | TCPF_DEAD)) {
        if (c->flags & TCPF_DEAD)
            tcp_want_up(t, c, STREAM_EV_CLOSED);
        return;
    }
    c->flags |= TCPF_AGAIN;
    c->next_orphan = t->again;
    t->again = c;
}

static void want_fin(struct tcp *t, struct tcp_conn *c)
{
    if (c->flags & TCPF_FIN_WANTED)
        return;
    c->flags |= TCPF_FIN_WANTED;
    tcp_want_out(t, c);
}

static void op_shutdown(struct stream *s)
{
    struct tcp_conn *c = conn_of(s);

    if (may_write(c))
        want_fin(c->t, c);
}

/* The oldest of too many is the first in the pool we come across: a bounded look. */
static void too_many_orphans(struct tcp *t)
{
    for (uint32_t looked = 0; looked < 64; looked++) {
        uint32_t i = rng_below(t->env.rng, t->conns.touched);
        struct tcp_conn *c = (struct tcp_conn *)pool_at(&t->conns, i);

        if (pool_live(&t->conns, i) && (c->flags & (TCPF_ORPHAN | TCPF_DEAD)) == TCPF_ORPHAN) {
            tcp_at_bound(t, TCP_CTR_ABORT_ORPHAN, BOUND_CLOSING, &c->tuple.raddr);
            tcp_send_rst(t, c);
            tcp_conn_kill(t, c, STREAM_WHY_LOCAL);
            return;
        }
    }
}

/* Nobody reads any more: what comes is discarded, so that the answer just sent is not lost to a RST. */
static void linger(struct tcp *t, struct tcp_conn *c)
{
    if (c->rx_b)
        tcp_rx_consumed(t, c, c->rx_b);
    c->linger_left = t->set.linger_b;
    c->dl_user = tcp_tick_after_us(t, (uint64_t)t->set.linger_ms * 1000);
    tcp_rearm(t, c);
}

static void op_close(struct stream *s)
{
    struct tcp_conn *c = conn_of(s);
    struct tcp *t = c->t;

    c->s.owner_ops = NULL;
    c->s.owner = NULL;
    if (c->flags & TCPF_DEAD) {
        into_grave(t, c);
        return;
    }
    c->flags |= TCPF_ORPHAN;
    t->orphans++;
    if (c->state == TCP_ST_SYN_SENT) {
        tcp_conn_kill(t, c, STREAM_WHY_LOCAL);
        return;
    }
    want_fin(t, c);
    linger(t, c);
    if (t->orphans > t->set.orphans_max)
        too_many_orphans(t);
}

static void op_abort(struct stream *s)
{
    struct tcp_conn *c = conn_of(s);
    struct tcp *t = c->t;

    c->s.owner_ops = NULL;
    c->s.owner = NULL;
    if (c->flags & TCPF_DEAD) {
        into_grave(t, c);
        return;
    }
    if (c->state != TCP_ST_SYN_SENT) {
        tcp_count(t, TCP_CTR_ABORT_DATA);
        tcp_send_rst(t, c);
    }
    c->flags |= TCPF_ORPHAN;
    t->orphans++;
    tcp_conn_kill(t, c, STREAM_WHY_LOCAL);
}

static enum stream_why op_why(const struct stream *s)
{
    return (enum stream_why)conn_of(s)->why;
}

const struct stream_ops tcp_stream_ops = {
    .name = "tcp",
    .readable = op_readable,
    .peek = op_peek,
    .consume = op_consume,
    .at_eof = op_at_eof,
    .tx_space = op_tx_space,
    .reserve = op_reserve,
    .commit = op_commit,
    .unsent = op_unsent,
    .again = op_again,
    .shutdown = op_shutdown,
    .close = op_close,
    .abort = op_abort,
    .why = op_why,
};
