#include "base/must.h"
#include "tcp/internal.h"

/* --- the list by time of transmission --- */

void tcp_time_remove(struct tcp_conn *c, struct nbuf *m)
{
    struct tseg *g = tseg_of(m);

    if (!(g->flags & TSEG_TIMED))
        return;
    g->flags &= (uint8_t)~TSEG_TIMED;
    if (g->tprev)
        tseg_of(g->tprev)->tnext = g->tnext;
    else
        c->time_head = g->tnext;
    if (g->tnext)
        tseg_of(g->tnext)->tprev = g->tprev;
    else
        c->time_tail = g->tprev;
    g->tnext = g->tprev = NULL;
}

/* Into its place by sent_ns; mostly that is the end. */
void tcp_time_insert(struct tcp_conn *c, struct nbuf *m)
{
    struct tseg *g = tseg_of(m);
    struct nbuf *after;

    tcp_time_remove(c, m);
    after = c->time_tail;
    while (after && tseg_of(after)->sent_ns > g->sent_ns)
        after = tseg_of(after)->tprev;
    g->flags |= TSEG_TIMED;
    g->tprev = after;
    g->tnext = after ? tseg_of(after)->tnext : c->time_head;
    if (g->tnext)
        tseg_of(g->tnext)->tprev = m;
    else
        c->time_tail = m;
    if (after)
        tseg_of(after)->tnext = m;
    else
        c->time_head = m;
}

/* --- scoreboard --- */

/* n bytes of sequence space of this segment count no more. */
static void uncount(struct tcp_conn *c, const struct tseg *g, uint32_t n)
{
    if (g->flags & TSEG_SACKED)
        c->sacked_b -= n;
    if (g->flags & TSEG_LOST)
        c->lost_b -= n;
    if (g->flags & TSEG_RETRANS)
        c->retrans_b -= n;
}

/**
 * Cumulatively acknowledged. When a segment that was sent again is among them, the others have waited for
 * it at the receiver: none of them tells the round trip (RFC 6298 3).
 */
static void take_acked(struct tcp *t, struct tcp_conn *c, uint32_t ack, struct tcp_acked *a)
{
    bool resent = false;

    a->resent_ms = UINT32_MAX;
    while (c->tx_head && tseg_of(c->tx_head)->times) {
        struct nbuf *m = c->tx_head;
        struct tseg *g = tseg_of(m);
        uint32_t space = tseg_space(g);

        if (g->len >= c->snd_mss)
            c->flags |= TCPF_BIG_OK;
        if (seq_leq(tseg_end(g), ack)) {
            if (!(g->flags & TSEG_SACKED)) {
                a->acked_b += space;
                if (g->flags & TSEG_EVER) {
                    uint32_t ms = (uint32_t)(g->sent_ns / 1000000);

                    a->resent_ms = resent && seq_gt(ms, a->resent_ms) ? a->resent_ms : ms;
                    resent = true;
                }
                tcp_rack_delivered(c, g, a);
            }
            uncount(c, g, space);
            c->tx_b -= g->len;
            tcp_tx_free(t, c, m);
            continue;
        }
        if (seq_lt(g->seq, ack)) {
            uint32_t n = ack - g->seq;

            if (!(g->flags & TSEG_SACKED))
                a->acked_b += n;
            uncount(c, g, n);
            c->tx_b -= n;
            g->seq += n;
            g->len = (uint16_t)(g->len - n);
        }
        break;
    }
    if (resent)
        a->rtt_us = -1;
}

static void mark_sacked(struct tcp_conn *c, struct nbuf *m, struct tcp_acked *a)
{
    struct tseg *g = tseg_of(m);
    uint32_t space = tseg_space(g);

    tcp_rack_delivered(c, g, a);
    tcp_time_remove(c, m);
    uncount(c, g, space);
    g->flags &= (uint8_t) ~(TSEG_LOST | TSEG_RETRANS);
    g->flags |= TSEG_SACKED;
    c->sacked_b += space;
    a->sacked_b += space;
}

/* One block over the queue. Bound: the queue is at most TCP_TX_SEGS_MAX long. */
static void take_block(struct tcp_conn *c, const struct tcp_sack *b, struct tcp_acked *a)
{
    for (struct nbuf *m = c->tx_head; m && tseg_of(m)->times; m = tseg_of(m)->next) {
        struct tseg *g = tseg_of(m);

        if (seq_geq(g->seq, b->to))
            break;
        if (!(g->flags & TSEG_SACKED) && seq_geq(g->seq, b->from) && seq_leq(tseg_end(g), b->to))
            mark_sacked(c, m, a);
    }
}

/* RFC 2883 4: a first block below the cumulative ACK, or inside the second, reports a duplicate. */
static bool is_dsack(const struct tcp_conn *c, const struct tcp_seg *s)
{
    const struct tcp_sack *b = s->sack;

    if (seq_leq(b[0].to, s->ack))
        return seq_geq(b[0].from, c->snd_una - c->snd_wnd_max - 65536);
    return s->sacks > 1 && seq_geq(b[0].from, b[1].from) && seq_leq(b[0].to, b[1].to);
}

static void take_sacks(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s,
                       struct tcp_acked *a)
{
    for (uint8_t i = 0; i < s->sacks; i++) {
        const struct tcp_sack *b = &s->sack[i];

        if (!seq_lt(b->from, b->to) || seq_gt(b->to, c->snd_nxt)) {
            tcp_count(t, TCP_CTR_SACK_BAD);
            continue;
        }
        if (i == 0 && is_dsack(c, s)) {
            a->dsack = true;
            tcp_count(t, TCP_CTR_DSACK_RECV);
            if (c->undo_retrans > 0 && --c->undo_retrans == 0)
                a->all_dup = true;
            tcp_rack_dsack(c);
            continue;
        }
        if (seq_gt(b->to, c->snd_una))
            take_block(c, b, a);
    }
}

/* The segment at the left edge was SACKed and is still not acknowledged: the peer took it back. */
static void check_renege(struct tcp *t, struct tcp_conn *c, struct tcp_acked *a)
{
    if (!c->tx_head || !(tseg_of(c->tx_head)->flags & TSEG_SACKED))
        return;
    a->reneged = true;
    tcp_count(t, TCP_CTR_SACK_RENEGE);
    for (struct nbuf *m = c->tx_head; m; m = tseg_of(m)->next) {
        struct tseg *g = tseg_of(m);

        if (!(g->flags & TSEG_SACKED))
            continue;
        g->flags &= (uint8_t)~TSEG_SACKED;
        c->sacked_b -= tseg_space(g);
        tcp_time_insert(c, m);
    }
}

/* RFC 9293 3.10.7.4: the newest word on the window counts. */
static bool take_window(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    uint32_t wnd = (uint32_t)s->wnd << c->snd_wscale;
    bool changed = wnd != c->snd_wnd;

    if (!(seq_lt(c->snd_wl1, s->seq) || (c->snd_wl1 == s->seq && seq_leq(c->snd_wl2, s->ack))))
        return false;
    if (wnd == 0 && c->snd_wnd != 0)
        tcp_count(t, TCP_CTR_ZERO_WINDOW_IN);
    if (wnd > c->snd_wnd)
        c->persist_n = 0;
    c->snd_wnd = wnd;
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->ack;
    if (wnd > c->snd_wnd_max)
        c->snd_wnd_max = wnd;
    return changed;
}

/* RFC 9293 3.10.7.4 and RFC 5961 5.2: may this ACK be looked at? */
static bool ack_in_range(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    if (seq_gt(s->ack, c->snd_nxt)) {
        tcp_count(t, TCP_CTR_FUTURE_ACK);
        if (s->len || tcp_take_challenge(t, &c->tuple.raddr)) {
            c->flags |= TCPF_ACK_NOW;
            tcp_want_out(t, c);
        }
        return false;
    }
    if (seq_lt(s->ack, c->snd_una - c->snd_wnd_max)) {
        tcp_count(t, TCP_CTR_OLD_ACK);
        if (tcp_take_challenge(t, &c->tuple.raddr)) {
            c->flags |= TCPF_ACK_NOW;
            tcp_want_out(t, c);
        }
        return false;
    }
    return true;
}

static void advance(struct tcp *t, struct tcp_conn *c, uint32_t ack, struct tcp_acked *a)
{
    c->bytes_out += ack - c->snd_una;
    c->snd_una = ack;
    take_acked(t, c, ack, a);
    a->advanced = true;
    c->progress_ms = t->now_ms;
    c->dupacks = 0;
    c->persist_n = 0;
    if (c->flags & TCPF_MTU_PROBED)
        c->flags &= ~TCPF_MTU_PROBED;
    if (t->env.confirm)
        t->env.confirm(t->env.ctx, &c->tuple.raddr);
}

/* The episode of a loss probe ends (RFC 8985 7.4). */
static void end_probe(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s,
                      const struct tcp_acked *a)
{
    if (!(c->flags & TCPF_TLP) || seq_lt(s->ack, c->tlp_end))
        return;
    c->flags &= ~TCPF_TLP;
    if (c->tlp_end == c->snd_nxt && !a->dsack && (c->opts & TCP_OPT_SACK) &&
        !(c->flags & (TCPF_RECOVERY | TCPF_LOSS)) && c->prr_out == TCP_TLP_RETRANS) {
        /* The probe was a retransmission and no duplicate was reported: it has mended a loss. */
        tcp_count(t, TCP_CTR_TLP_RECOVERY);
        c->ssthresh = tcp_cc_reduce(t, c);
        c->cwnd = c->ssthresh;
    }
    c->prr_out = 0;
}

bool tcp_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s, uint64_t arrived_ns)
{
    struct tcp_acked a = {.rtt_us = -1, .arrived_ns = arrived_ns};
    uint32_t in_flight = tcp_in_flight(c), old_una = c->snd_una;
    bool wnd_changed;

    if (!ack_in_range(t, c, s))
        return false;
    wnd_changed = take_window(t, c, s);
    if (seq_gt(s->ack, c->snd_una))
        advance(t, c, s->ack, &a);
    if (s->sacks && (c->opts & TCP_OPT_SACK))
        take_sacks(t, c, s, &a);
    if (a.advanced && c->sacked_b)
        check_renege(t, c, &a);
    /* Data that was sent again can still be timed, when the echo is of its latest copy (RFC 7323 4.1); an
     * older echo only says how long its ACK was lost. */
    if (a.rtt_us < 0 && a.advanced && s->has_ts && (c->opts & TCP_OPT_TS) && s->tsecr &&
        seq_geq(s->tsecr - c->ts_off, a.resent_ms)) {
        int32_t ms = (int32_t)(tcp_ts_now(t, c->ts_off) - s->tsecr);

        if (ms >= 0 && ms < 60000)
            a.rtt_us = (int64_t)ms * 1000;
    }
    if (a.rtt_us >= 0) {
        tcp_rtt_sample(t, c, (uint32_t)a.rtt_us);
        c->backoff = 0; /* RFC 6298 5.7: kept until there is a new sample */
    }
    /* RFC 5681 2: a duplicate ACK has no data, no news and leaves the window as it was. */
    a.dup = !a.advanced && s->ack == old_una && s->len == 0 && !wnd_changed && in_flight > 0 &&
            !(s->flags & (TCP_SYN | TCP_FIN));
    if (in_flight + c->snd_mss > c->cwnd)
        c->flags |= TCPF_CWND_LIMITED;
    /* In slow start a window that is used by more than half may grow: the next burst may be larger. */
    a.used = c->flags & TCPF_CWND_LIMITED || (c->cwnd < c->ssthresh && in_flight > c->cwnd / 2);
    if ((s->flags & TCP_ECE) && (c->opts & TCP_OPT_ECN))
        tcp_recover_ece(t, c);
    end_probe(t, c, s, &a);
    tcp_recover_acked(t, c, s, &a);
    if (a.advanced)
        tcp_conn_room(t, c);
    if ((a.advanced || (wnd_changed && c->tx_next)) && c->rtx_kind != TCP_RTX_REO)
        tcp_arm_rtx(t, c);
    if (c->tx_next || c->lost_b)
        tcp_want_out(t, c);
    return true;
}
