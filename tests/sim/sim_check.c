#include "sim/sim_check.h"

#include "tcp/internal.h" /* invariants look into connections */

#include <stdio.h>
#include <stdlib.h>

static void broken(struct sim *s, const char *what, const struct tcp_conn *c)
{
    fprintf(stderr,
            "sim: %s at %.6f s: state %s una %u nxt %u wnd %u cwnd %u tx_b %u unsent %u sacked %u "
            "lost %u retrans %u flags %x rtx %u dl %u\n",
            what, (double)sim_now(s) / 1e9, tcp_state_name((enum tcp_state)c->state), c->snd_una,
            c->snd_nxt, c->snd_wnd, c->cwnd, c->tx_b, c->tx_unsent_b, c->sacked_b, c->lost_b,
            c->retrans_b, c->flags, c->rtx_kind, c->dl_rtx);
    abort();
}

static void check_queue(struct sim *s, const struct tcp_conn *c)
{
    uint32_t bytes = 0, unsent = 0, sacked = 0, lost_b = 0, retrans = 0, seq = c->snd_una, n = 0,
             timed = 0;
    bool sent = true;

    for (struct nbuf *m = c->tx_head; m; m = tseg_of(m)->next) {
        struct tseg *g = tseg_of(m);

        if (g->seq != seq)
            broken(s, "the send queue has a gap", c);
        if (m == c->tx_next)
            sent = false;
        if (sent != (g->times > 0))
            broken(s, "sent and unsent segments are mixed", c);
        seq += tseg_space(g);
        bytes += g->len;
        unsent += sent ? 0 : g->len;
        sacked += g->flags & TSEG_SACKED ? tseg_space(g) : 0;
        lost_b += g->flags & TSEG_LOST ? tseg_space(g) : 0;
        retrans += g->flags & TSEG_RETRANS ? tseg_space(g) : 0;
        timed += g->flags & TSEG_TIMED ? 1 : 0;
        if ((g->flags & TSEG_RETRANS) && !(g->flags & TSEG_LOST))
            broken(s, "resent but not lost", c);
        if (sent && !(g->flags & (TSEG_SACKED | TSEG_LOST)) && !(g->flags & TSEG_TIMED))
            broken(s, "a segment in flight is not in the list by time", c);
        n++;
        if (sent && g->next == c->tx_next && seq != c->snd_nxt)
            broken(s, "snd_nxt is not where sending ends", c);
    }
    if (bytes != c->tx_b || unsent != c->tx_unsent_b || sacked != c->sacked_b ||
        lost_b != c->lost_b || retrans != c->retrans_b || n != c->tx_n)
        broken(s, "counts differ from the queue", c);
    for (struct nbuf *m = c->time_head; m; m = tseg_of(m)->tnext) {
        if (timed-- == 0)
            broken(s, "the list by time is too long", c);
        if (tseg_of(m)->tnext && tseg_of(tseg_of(m)->tnext)->sent_ns < tseg_of(m)->sent_ns)
            broken(s, "the list by time is not in order", c);
    }
    if (timed)
        broken(s, "the list by time is too short", c);
}

static void check_rx(struct sim *s, const struct tcp_conn *c)
{
    uint32_t bytes = 0, truesize = 0, n = 0, last = c->rcv_nxt;
    const struct nbuf *before = NULL;
    const struct rseg *run = NULL;

    for (struct nbuf *m = c->rx_head; m; m = nbuf_next(m)) {
        bytes += nbuf_len(m);
        truesize += nbuf_truesize(m);
    }
    for (struct nbuf *m = c->ooo; m; m = rseg_of(m)->next) {
        if (seq_leq(rseg_of(m)->seq, c->rcv_nxt) || seq_lt(rseg_of(m)->seq, last) ||
            rseg_of(m)->end - rseg_of(m)->seq != nbuf_len(m))
            broken(s, "the out-of-order queue is not in order", c);
        if (m == c->ooo || rseg_of(m)->seq != last) {
            if (run && (run->last != before || run->run_end != last))
                broken(s, "a run does not end where it says", c);
            run = rseg_of(m);
            n++;
        }
        last = rseg_of(m)->end;
        truesize += nbuf_truesize(m);
        before = m;
    }
    if (run && (run->last != before || run->run_end != last))
        broken(s, "the last run does not end where it says", c);
    if (bytes != c->rx_b || truesize != c->rx_true_b || n != c->ooo_n || n > TCP_OOO_MAX)
        broken(s, "receive counts differ from the queues", c);
}

static void check_conn(struct sim *s, struct tcp *t, const struct tcp_conn *c)
{
    if (c->flags & TCPF_DEAD)
        return;
    if (seq_gt(c->snd_una, c->snd_nxt))
        broken(s, "snd_una > snd_nxt", c);
    if (c->state >= TCP_ST_ESTABLISHED) {
        check_queue(s, c);
        check_rx(s, c);
        if (seq_lt(c->rcv_adv, c->rcv_nxt))
            broken(s, "the right edge is left of rcv_nxt", c);
        if ((c->snd_nxt != c->snd_una || c->tx_next) && c->dl_rtx == 0)
            broken(s, "data outstanding and no timer", c);
    }
    if ((c->dl_rtx || c->dl_ack || c->dl_user || c->dl_misc) && !wheel_armed(&c->timer))
        broken(s, "a deadline and no timer armed", c);
    (void)t;
}

void sim_check(struct sim *s, struct sim_node *n)
{
    struct tcp *t = n->tcp;
    uint64_t tx = 0, rx = 0;

    for (uint32_t i = 0; i < t->conns.touched; i++) {
        const struct tcp_conn *c = (const struct tcp_conn *)pool_at(&t->conns, i);

        if (!pool_live(&t->conns, i))
            continue;
        check_conn(s, t, c);
        for (struct nbuf *m = c->tx_head; m; m = tseg_of(m)->next)
            tx += nbuf_truesize(m);
        rx += c->rx_true_b;
    }
    if (tx != t->tx_used_b || rx != t->rx_used_b) {
        fprintf(stderr, "sim: memory in queues is not what was counted\n");
        abort();
    }
}
