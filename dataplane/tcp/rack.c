#include "base/must.h"
#include "tcp/internal.h"

/* RACK-TLP (RFC 8985): what was sent later and has arrived says that what was sent before is lost,
 * once a little time for reordering has gone by. */

/* Sent later, or at the same time and further on (RFC 8985 6.2 step 2: RACK_sent_after). */
static bool sent_after(uint64_t t1, uint32_t seq1, uint64_t t2, uint32_t seq2)
{
    return t1 > t2 || (t1 == t2 && seq_gt(seq1, seq2));
}

void tcp_rack_delivered(struct tcp_conn *c, const struct tseg *g, struct tcp_acked *a)
{
    uint64_t rtt_ns = a->arrived_ns > g->sent_ns ? a->arrived_ns - g->sent_ns : 0;
    uint32_t rtt_us = (uint32_t)(rtt_ns / 1000), end = tseg_end(g);

    /* An acknowledgment faster than the path is of the first transmission (RFC 8985 6.2 step 2). */
    if ((g->flags & TSEG_EVER) && c->min_rtt_us != UINT32_MAX && rtt_us < c->min_rtt_us)
        return;
    if (!(g->flags & TSEG_EVER)) {
        if (a->rtt_us < 0 || rtt_us < a->rtt_us)
            a->rtt_us = rtt_us;
        if (c->rack_sent_ns && seq_lt(end, c->rack_fack))
            c->flags |= TCPF_REO_SEEN; /* step 3: delivered behind what came before it */
    }
    if (c->rack_sent_ns == 0 || seq_gt(end, c->rack_fack))
        c->rack_fack = end;
    if (c->rack_sent_ns == 0 || sent_after(g->sent_ns, end, c->rack_sent_ns, c->rack_end)) {
        c->rack_sent_ns = g->sent_ns;
        c->rack_end = end;
        c->rack_rtt_us = rtt_us;
    }
}

/* Step 4: how long reordering is given. */
static uint32_t reo_wnd_us(const struct tcp_conn *c)
{
    uint32_t wnd;

    if (!(c->flags & TCPF_REO_SEEN) &&
        ((c->flags & (TCPF_RECOVERY | TCPF_LOSS)) || c->sacked_b >= 3u * c->snd_mss))
        return 0;
    if (c->min_rtt_us == UINT32_MAX)
        return 0;
    wnd = c->min_rtt_us / 4 * (c->reo_incr ? c->reo_incr : 1);
    return wnd > c->srtt_us ? c->srtt_us : wnd;
}

void tcp_rack_dsack(struct tcp_conn *c)
{
    if (c->reo_incr < 32)
        c->reo_incr = (uint8_t)((c->reo_incr ? c->reo_incr : 1) + 1);
    c->reo_persist = 16;
    c->flags |= TCPF_REO_SEEN;
}

void tcp_mark_lost(struct tcp_conn *c, struct nbuf *m)
{
    struct tseg *g = tseg_of(m);

    tcp_time_remove(c, m);
    if (g->flags & TSEG_SACKED)
        return;
    if (g->flags & TSEG_LOST) {
        if (g->flags & TSEG_RETRANS) { /* and so is its retransmission */
            g->flags &= (uint8_t)~TSEG_RETRANS;
            c->retrans_b -= tseg_space(g);
            ctr_add(&c->t->ctr[TCP_CTR_LOST_RETRANS], 1);
        }
        return;
    }
    g->flags |= TSEG_LOST;
    c->lost_b += tseg_space(g);
}

uint32_t tcp_rack_detect(struct tcp *t, struct tcp_conn *c, uint64_t now_ns, uint32_t *wait_us)
{
    uint32_t lost = 0, limit_us = c->rack_rtt_us + reo_wnd_us(c);
    struct nbuf *m = c->time_head;

    (void)t;
    *wait_us = 0;
    if (c->rack_sent_ns == 0)
        return 0;
    while (m) {
        struct tseg *g = tseg_of(m);
        struct nbuf *next = g->tnext;
        uint64_t age_us = now_ns > g->sent_ns ? (now_ns - g->sent_ns) / 1000 : 0;

        if (!sent_after(c->rack_sent_ns, c->rack_end, g->sent_ns, tseg_end(g)))
            break; /* in order of time: the rest was sent later too */
        if (age_us >= limit_us) {
            lost += tseg_space(g);
            tcp_mark_lost(c, m);
        } else {
            *wait_us = (uint32_t)(limit_us - age_us) + 1;
            break; /* the rest is younger */
        }
        m = next;
    }
    return lost;
}

/* --- which timer runs: reordering, loss probe, retransmission or zero-window probe --- */

static bool tlp_fits(const struct tcp_conn *c)
{
    return (c->opts & TCP_OPT_SACK) && c->srtt_us && c->backoff == 0 && c->sacked_b == 0 &&
           c->lost_b == 0 && !(c->flags & (TCPF_RECOVERY | TCPF_LOSS | TCPF_TLP)) &&
           c->state >= TCP_ST_ESTABLISHED;
}

/* RFC 8985 7.2: two round trips, and time for a delayed ACK when only one segment is out. */
static uint64_t pto_us(const struct tcp *t, const struct tcp_conn *c)
{
    uint64_t us = 2ULL * c->srtt_us;

    if (c->snd_nxt - c->snd_una <= c->snd_mss)
        us += c->rto_min_us;
    else
        us += t->set.rto_min_us / 100; /* the clock's own grain */
    return us;
}

static void arm(struct tcp *t, struct tcp_conn *c, enum tcp_rtx_kind kind, uint64_t us)
{
    c->rtx_kind = (uint8_t)kind;
    c->dl_rtx = kind == TCP_RTX_NONE ? 0 : tcp_tick_after_us(t, us);
}

static uint64_t persist_us(const struct tcp *t, const struct tcp_conn *c)
{
    uint64_t us = (uint64_t)c->rto_us << (c->persist_n > 16 ? 16 : c->persist_n);
    uint64_t max = (uint64_t)t->set.persist_max_ms * 1000;

    return us > max ? max : us;
}

/* The timeout, or what is left of the time that the peer is given at all (RFC 5482). */
static uint64_t timeout_us(const struct tcp *t, const struct tcp_conn *c)
{
    uint64_t rto = tcp_rto_us(t, c);
    uint32_t for_ms = t->now_ms - c->progress_ms;
    uint64_t left = for_ms < t->set.user_timeout_ms ? t->set.user_timeout_ms - for_ms : 1;

    return c->state >= TCP_ST_ESTABLISHED && rto > left * 1000 ? left * 1000 : rto;
}

void tcp_arm_rtx(struct tcp *t, struct tcp_conn *c)
{
    uint64_t rto = timeout_us(t, c);

    if (c->snd_nxt != c->snd_una || c->state == TCP_ST_SYN_SENT) {
        /* A probe that would come after the timeout takes its place (RFC 8985 7.2). */
        uint64_t pto = tlp_fits(c) ? pto_us(t, c) : UINT64_MAX;

        arm(t, c, pto == UINT64_MAX ? TCP_RTX_RTO : TCP_RTX_TLP, pto < rto ? pto : rto);
    } else if (c->tx_next && !(c->flags & TCPF_DEAD)) {
        arm(t, c, TCP_RTX_PERSIST, persist_us(t, c)); /* data to send and no window for it */
    } else {
        arm(t, c, TCP_RTX_NONE, 0);
    }
    tcp_rearm(t, c);
}
