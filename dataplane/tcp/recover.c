#include "base/must.h"
#include "tcp/internal.h"

/* Loss recovery: entering, PRR (RFC 9937) while in it, undo (RFC 4015, RFC 3708), leaving. */

static void remember_for_undo(struct tcp *t, struct tcp_conn *c)
{
    c->prior_cwnd = c->cwnd;
    c->prior_ssthresh = c->ssthresh;
    c->undo_marker = c->snd_una ? c->snd_una : 1;
    c->undo_retrans = 0;
    c->undo_ts = tcp_ts_now(t, c->ts_off);
}

static void enter_recovery(struct tcp *t, struct tcp_conn *c)
{
    tcp_count(t, (c->opts & TCP_OPT_SACK) ? TCP_CTR_SACK_RECOVERY : TCP_CTR_RENO_RECOVERY);
    remember_for_undo(t, c);
    c->recovery_point = c->snd_nxt; /* once per window (RFC 6582, RFC 6675 5) */
    c->ssthresh = tcp_cc_reduce(t, c);
    c->prr_delivered = 0;
    c->prr_out = 0;
    c->flags |= TCPF_RECOVERY;
    c->flags &= ~(TCPF_TLP | TCPF_REDUCED);
}

/**
 * Proportional rate reduction (RFC 9937 6): in proportion to what was delivered while more is in flight than
 * shall be; below that, slow start as long as ACKs advance and tell of no more losses, else only as
 * much as has left the network.
 */
static void prr(struct tcp_conn *c, const struct tcp_acked *a)
{
    uint32_t delivered = a->acked_b + a->sacked_b, in_flight = tcp_in_flight(c);
    int64_t send;

    c->prr_delivered += delivered;
    if (in_flight > c->ssthresh) {
        uint32_t base = c->prior_cwnd ? c->prior_cwnd : 1;

        send = ((int64_t)c->prr_delivered * c->ssthresh + base - 1) / base - c->prr_out;
    } else {
        int64_t limit = (int64_t)c->prr_delivered - c->prr_out;

        if (limit < delivered)
            limit = delivered;
        if (a->advanced && a->lost_b == 0)
            limit += c->snd_mss;
        send = (int64_t)c->ssthresh - in_flight;
        if (send > limit)
            send = limit;
    }
    if (send < 0)
        send = 0;
    if (c->prr_out == 0 && send < c->snd_mss)
        send = c->snd_mss; /* the first retransmission always goes out */
    c->cwnd = in_flight + (uint32_t)send;
}

static void clear_lost(struct tcp_conn *c)
{
    for (struct nbuf *m = c->tx_head; m && tseg_of(m)->times; m = tseg_of(m)->next) {
        struct tseg *g = tseg_of(m);

        if (!(g->flags & TSEG_LOST))
            continue;
        if (g->flags & TSEG_RETRANS)
            c->retrans_b -= tseg_space(g);
        c->lost_b -= tseg_space(g);
        g->flags &= (uint8_t) ~(TSEG_LOST | TSEG_RETRANS);
        tcp_time_insert(c, m);
    }
}

static void undo(struct tcp *t, struct tcp_conn *c, bool was_rto)
{
    tcp_count(t, was_rto ? TCP_CTR_SPURIOUS_RTO : TCP_CTR_UNDO);
    if (c->cwnd < c->prior_cwnd)
        c->cwnd = c->prior_cwnd;
    c->ssthresh = c->prior_ssthresh;
    c->cub_wmax = c->prior_cwnd;
    c->cub_epoch_ms = 0;
    c->undo_marker = 0;
    c->backoff = 0;
    c->flags &= ~(TCPF_RECOVERY | TCPF_LOSS);
    clear_lost(c);
}

/* Was it all a mistake? Time stamps tell at once (RFC 3522), duplicate SACKs a round trip later. */
static bool may_undo(const struct tcp_conn *c, const struct tcp_seg *s, const struct tcp_acked *a)
{
    if (!c->undo_marker)
        return false;
    if (a->all_dup)
        return true;
    return a->advanced && c->undo_retrans && (c->opts & TCP_OPT_TS) && s->has_ts && s->tsecr &&
           seq_lt(s->tsecr, c->undo_ts);
}

static void leave_recovery(struct tcp_conn *c)
{
    c->flags &= ~TCPF_RECOVERY;
    c->cwnd = c->ssthresh;
    c->dupacks = 0;
    if (c->reo_persist && --c->reo_persist == 0)
        c->reo_incr = 1;
}

/* Without SACK: three duplicates say that the first segment is lost; each partial ACK in recovery says
 * so of the next (RFC 6582). */
static uint32_t reno_detect(struct tcp_conn *c, const struct tcp_acked *a)
{
    struct nbuf *head = c->tx_head;

    if (a->dup && c->dupacks < 255)
        c->dupacks++;
    if (!head || !tseg_of(head)->times)
        return 0;
    if ((c->flags & TCPF_RECOVERY) ? a->advanced : c->dupacks == 3) {
        struct tseg *g = tseg_of(head);

        if (!(g->flags & TSEG_LOST)) {
            tcp_mark_lost(c, head);
            return tseg_space(g);
        }
        if (g->flags & TSEG_RETRANS && a->advanced)
            tcp_mark_lost(c, head);
    }
    return 0;
}

static uint32_t detect(struct tcp *t, struct tcp_conn *c, struct tcp_acked *a)
{
    uint32_t wait_us, lost;

    if (!(c->opts & TCP_OPT_SACK))
        return reno_detect(c, a);
    if (a->acked_b + a->sacked_b == 0)
        return 0;
    lost = tcp_rack_detect(t, c, a->arrived_ns, &wait_us);
    if (wait_us) {
        c->rtx_kind = TCP_RTX_REO;
        c->dl_rtx = tcp_tick_after_us(t, wait_us);
        tcp_rearm(t, c);
    } else if (c->rtx_kind == TCP_RTX_REO) {
        tcp_arm_rtx(t, c);
    }
    return lost;
}

/* Without SACK each duplicate says that one more segment has left the network. */
static void reno_inflate(struct tcp_conn *c, struct tcp_acked *a)
{
    if (!(c->opts & TCP_OPT_SACK) && (c->flags & TCPF_RECOVERY) && a->dup)
        a->sacked_b += c->snd_mss;
}

void tcp_recover_acked(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s,
                       struct tcp_acked *a)
{
    if (may_undo(c, s, a)) {
        undo(t, c, c->flags & TCPF_LOSS);
    } else if ((c->flags & (TCPF_RECOVERY | TCPF_LOSS)) && seq_geq(s->ack, c->recovery_point)) {
        if (c->flags & TCPF_RECOVERY)
            leave_recovery(c);
        c->flags &= ~TCPF_LOSS;
    }
    a->lost_b = detect(t, c, a);
    if (a->lost_b && !(c->flags & (TCPF_RECOVERY | TCPF_LOSS)))
        enter_recovery(t, c);
    reno_inflate(c, a);
    if (c->flags & TCPF_RECOVERY) {
        if (a->acked_b + a->sacked_b)
            prr(c, a);
    } else if (a->acked_b && a->used) { /* RFC 9438 4.2, RFC 5681 3.1: else it says nothing */
        tcp_cc_grow(t, c, a->acked_b, a->rtt_us);
    }
    if (c->lost_b)
        tcp_want_out(t, c);
}

void tcp_recover_reo(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_acked none = {.rtt_us = -1};
    uint32_t wait_us, lost = tcp_rack_detect(t, c, t->now_ns, &wait_us);

    if (lost) {
        tcp_count(t, TCP_CTR_REO_TIMER);
        if (!(c->flags & (TCPF_RECOVERY | TCPF_LOSS)))
            enter_recovery(t, c);
        if (c->flags & TCPF_RECOVERY)
            prr(c, &none);
        tcp_want_out(t, c);
    }
    if (wait_us) {
        c->rtx_kind = TCP_RTX_REO;
        c->dl_rtx = tcp_tick_after_us(t, wait_us);
        tcp_rearm(t, c);
    } else {
        tcp_arm_rtx(t, c);
    }
}

/* Once per window of data; losses of the same window have reduced it already. */
void tcp_recover_ece(struct tcp *t, struct tcp_conn *c)
{
    if ((c->flags & TCPF_REDUCED) && seq_geq(c->snd_una, c->recovery_point))
        c->flags &= ~TCPF_REDUCED;
    if (c->flags & (TCPF_RECOVERY | TCPF_LOSS | TCPF_REDUCED))
        return;
    tcp_count(t, TCP_CTR_ECN_ECE);
    c->ssthresh = tcp_cc_reduce(t, c);
    c->cwnd = c->ssthresh;
    c->recovery_point = c->snd_nxt;
    c->flags |= TCPF_REDUCED | TCPF_CWR;
}

void tcp_recover_rto(struct tcp *t, struct tcp_conn *c)
{
    bool reneged = c->tx_head && (tseg_of(c->tx_head)->flags & TSEG_SACKED);

    tcp_count(t, TCP_CTR_TIMEOUTS);
    if (!(c->flags & TCPF_LOSS)) {
        remember_for_undo(t, c);
        /* RFC 5681 4: only the first timeout of a window reduces it. */
        c->ssthresh = tcp_cc_reduce(t, c);
    }
    c->recovery_point = c->snd_nxt;
    c->flags |= TCPF_LOSS;
    c->flags &= ~(TCPF_RECOVERY | TCPF_TLP | TCPF_CWND_LIMITED | TCPF_REDUCED);
    if (reneged)
        tcp_count(t, TCP_CTR_SACK_RENEGE);
    for (struct nbuf *m = c->tx_head; m && tseg_of(m)->times; m = tseg_of(m)->next) {
        struct tseg *g = tseg_of(m);

        if (reneged && (g->flags & TSEG_SACKED)) { /* RFC 2018 8 */
            g->flags &= (uint8_t)~TSEG_SACKED;
            c->sacked_b -= tseg_space(g);
        }
        tcp_mark_lost(c, m);
    }
    c->cwnd = c->snd_mss;
    c->dupacks = 0;
    if (c->backoff < 32)
        c->backoff++;
}
