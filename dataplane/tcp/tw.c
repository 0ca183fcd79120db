#include "base/must.h"
#include "tcp/internal.h"

static struct tcp_tw *at(struct tcp *t, uint32_t link)
{
    return link ? (struct tcp_tw *)pool_at(&t->tws, link - 1) : NULL;
}

static uint32_t link_of(struct tcp *t, const struct tcp_tw *w)
{
    return pool_index(&t->tws, w) + 1;
}

static void fifo_add(struct tcp *t, struct tcp_tw *w)
{
    uint32_t me = link_of(t, w);

    w->next = 0;
    w->prev = t->tw_fifo.tail;
    if (w->prev)
        at(t, w->prev)->next = me;
    else
        t->tw_fifo.head = me;
    t->tw_fifo.tail = me;
    w->expiry = tcp_tick_after_us(t, (uint64_t)t->set.time_wait_ms * 1000);
}

static void fifo_take(struct tcp *t, struct tcp_tw *w)
{
    if (w->prev)
        at(t, w->prev)->next = w->next;
    else
        t->tw_fifo.head = w->next;
    if (w->next)
        at(t, w->next)->prev = w->prev;
    else
        t->tw_fifo.tail = w->prev;
}

static uint32_t value_of(struct tcp *t, const struct tcp_tw *w)
{
    return flow_value(FLOW_TW, pool_index(&t->tws, w));
}

void tcp_tw_remove(struct tcp *t, struct tcp_tw *w)
{
    flow_remove(&t->flow, tcp_hash(t, &w->tuple), value_of(t, w));
    fifo_take(t, w);
    tcp_port_put(t, &w->tuple);
    pool_put(&t->tws, w);
}

void tcp_tw_enter(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_tw *w = (struct tcp_tw *)pool_get(&t->tws);

    tcp_count(t, TCP_CTR_TW);
    if (!w) {
        tcp_at_bound(t, TCP_CTR_TW_OVERFLOW, BOUND_TIME_WAIT, &c->tuple.raddr);
        tcp_tw_remove(t, at(t, t->tw_fifo.head));
        w = (struct tcp_tw *)pool_get(&t->tws);
    }
    w->tuple = c->tuple;
    w->snd_nxt = c->snd_nxt;
    w->rcv_nxt = c->rcv_nxt;
    w->ts_recent = (c->opts & TCP_OPT_TS) ? c->ts_recent : 0;
    w->ts_off = (c->opts & TCP_OPT_TS) ? c->ts_off : 0;
    fifo_add(t, w);
    flow_change(&t->flow, tcp_hash(t, &c->tuple), flow_value(FLOW_CONN, pool_index(&t->conns, c)),
                value_of(t, w));
    tcp_conn_replaced(t, c, STREAM_WHY_DONE);
}

/* RFC 6191 and RFC 1122 4.2.2.13: is this SYN surely of a new connection? */
static bool is_new(const struct tcp_tw *w, const struct tcp_seg *s)
{
    if (s->has_ts && w->ts_off)
        return seq_gt(s->tsval, w->ts_recent) ||
               (s->tsval == w->ts_recent && seq_gt(s->seq, w->rcv_nxt));
    return seq_gt(s->seq, w->rcv_nxt);
}

void tcp_tw_segment(struct tcp *t, struct tcp_tw *w, uint64_t hash, const struct tcp_tuple *tuple,
                    const struct tcp_seg *s)
{
    struct tcp_tuple mine = *tuple;
    uint32_t above = w->snd_nxt;

    if (s->flags & TCP_RST) { /* RFC 1337: assassination */
        tcp_count(t, TCP_CTR_TW_RST);
        return;
    }
    if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && is_new(w, s)) {
        tcp_count(t, TCP_CTR_TW_RECYCLED);
        tcp_tw_remove(t, w);
        tcp_syn_arrives(t, &mine, hash, s, above + 65537);
        return;
    }
    if (s->flags & TCP_FIN) { /* our last ACK was lost: 2 MSL begin again (RFC 9293 3.10.7.4) */
        fifo_take(t, w);
        fifo_add(t, w);
    } else if (s->len == 0 && !(s->flags & TCP_SYN)) {
        return; /* an ACK of what is long over */
    }
    if (s->has_ts && w->ts_off && seq_gt(s->tsval, w->ts_recent))
        w->ts_recent = s->tsval;
    if (tcp_take_challenge(t, &w->tuple.raddr))
        tcp_reply_ack(t, &w->tuple, w->snd_nxt, w->rcv_nxt, 0, w->ts_off != 0,
                      tcp_ts_now(t, w->ts_off), w->ts_recent);
}

void tcp_tw_timers(struct tcp *t)
{
    struct tcp_tw *w;

    for (uint32_t n = 0; n < TCP_TIMERS_MAX; n++) {
        w = at(t, t->tw_fifo.head);
        if (!w || !tcp_tick_due(t, w->expiry))
            return;
        tcp_tw_remove(t, w);
    }
}

static uint64_t tick_to_ns(const struct tcp *t, uint32_t tick)
{
    int32_t ahead = (int32_t)(tick - t->now_tick);

    return ahead <= 0 ? t->now_ns : t->now_ns + ((uint64_t)ahead << WHEEL_TICK_SHIFT);
}

uint64_t tcp_tw_deadline(const struct tcp *t)
{
    const struct tcp_tw *w;

    if (!t->tw_fifo.head)
        return WHEEL_NEVER;
    w = (const struct tcp_tw *)pool_at(&t->tws, t->tw_fifo.head - 1);
    return tick_to_ns(t, w->expiry);
}

uint64_t tcp_req_deadline(const struct tcp *t)
{
    uint64_t best = WHEEL_NEVER;

    for (int i = 0; i < TCP_REQ_STAGES; i++) {
        const struct tcp_req *r = t->req_fifo[i].head;
        uint64_t at_ns = r ? tick_to_ns(t, r->expiry) : WHEEL_NEVER;

        if (at_ns < best)
            best = at_ns;
    }
    return best;
}
