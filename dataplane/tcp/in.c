#include "base/must.h"
#include "tcp/internal.h"

#define PAWS_MAX_S 1931190u /* 24 days in units of 2^30 ns (RFC 7323 5.5) */

static void ack_now(struct tcp *t, struct tcp_conn *c)
{
    c->flags |= TCPF_ACK_NOW;
    tcp_want_out(t, c);
}

/* RFC 5961: one per connection and half second, and not too many in all. */
static void challenge(struct tcp *t, struct tcp_conn *c)
{
    if (c->challenge_ms && t->now_ms - c->challenge_ms < 500) {
        tcp_count(t, TCP_CTR_CHALLENGE_SKIP);
        return;
    }
    if (!tcp_take_challenge(t, &c->tuple.raddr))
        return;
    c->challenge_ms = t->now_ms ? t->now_ms : 1;
    ack_now(t, c);
}

/* --- SYN_SENT (RFC 9293 3.10.7.3) --- */

static void take_options(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    struct ip_addr src = c->tuple.laddr;
    uint16_t mtu = 1500;

    if (!s->has_ts)
        c->opts &= (uint8_t)~TCP_OPT_TS;
    if (!s->sack_ok)
        c->opts &= (uint8_t)~TCP_OPT_SACK;
    if (s->wscale < 0)
        c->opts &= (uint8_t)~TCP_OPT_WS;
    if ((s->flags & (TCP_ECE | TCP_CWR)) != TCP_ECE)
        c->opts &= (uint8_t)~TCP_OPT_ECN;
    c->snd_wscale = (c->opts & TCP_OPT_WS) ? (uint8_t)s->wscale : 0;
    c->rcv_wscale = (c->opts & TCP_OPT_WS) ? tcp_own_wscale(t) : 0;
    c->ts_recent = s->has_ts ? s->tsval : 0;
    c->ts_recent_s = tcp_coarse(t);
    (void)t->env.route(t->env.ctx, &c->tuple.raddr, &src, &mtu);
    c->snd_mss = tcp_effective_mss(t, &c->tuple, s->mss, mtu, c->opts);
    c->rcv_nxt = s->seq + 1;
    c->rcv_hi = c->rcv_nxt;
    c->last_ack_sent = c->rcv_nxt;
    c->rcv_adv += c->rcv_nxt; /* was the window announced in the SYN */
    c->snd_wnd = s->wnd;      /* never scaled in a SYN (RFC 7323 2.2) */
    c->snd_wnd_max = s->wnd;
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->ack;
}

static void syn_sent(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s, uint64_t arrived)
{
    bool ack_ok = (s->flags & TCP_ACK) && s->ack == c->snd_nxt;

    if ((s->flags & TCP_ACK) && !ack_ok) {
        tcp_reply_rst(t, &c->tuple, s); /* and stay: a good SYN-ACK may follow */
        return;
    }
    if (s->flags & TCP_RST) {
        if (ack_ok) {
            tcp_count(t, TCP_CTR_ATTEMPT_FAILS);
            tcp_count(t, TCP_CTR_IN_RSTS);
            tcp_conn_kill(t, c, STREAM_WHY_REFUSED);
        }
        return;
    }
    if (!(s->flags & TCP_SYN))
        return;
    if (s->mss && s->mss < TCP_MSS_MIN) {
        tcp_count(t, TCP_CTR_TINY_MSS);
        tcp_send_rst(t, c);
        tcp_conn_kill(t, c, STREAM_WHY_PROTOCOL);
        return;
    }
    take_options(t, c, s);
    if (c->syn_n)
        c->flags |= TCPF_SYN_LOST;
    tcp_cc_init(t, c);
    if (!ack_ok) { /* simultaneous open */
        tcp_set_state(t, c, TCP_ST_SYN_RCVD);
        tcp_send_syn(t, c);
        return;
    }
    if (c->syn_n == 0)
        tcp_rtt_sample(t, c, (uint32_t)((arrived - (uint64_t)c->progress_ms * 1000000) / 1000));
    c->snd_una = s->ack;
    c->dl_user = 0;
    c->progress_ms = t->now_ms;
    ack_now(t, c);
    tcp_conn_established(t, c);
    tcp_arm_rtx(t, c);
}

/* --- acceptability (RFC 9293 3.4, 3.10.7.4 first) --- */

/* In a simultaneous open the peer's SYN-ACK repeats the SYN that we have (RFC 9293 3.5, figure 8). */
static bool crossed_syn_ack(const struct tcp_conn *c, const struct tcp_seg *s)
{
    return c->state == TCP_ST_SYN_RCVD &&
           (s->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == (TCP_SYN | TCP_ACK) &&
           s->len == 0 && s->seq + 1 == c->rcv_nxt && s->ack == c->snd_nxt;
}

static bool acceptable(const struct tcp_conn *c, const struct tcp_seg *s)
{
    uint32_t len = tcp_seg_space(s), last = s->seq + len - 1;

    if (crossed_syn_ack(c, s))
        return true;
    if (len ==
        0) /* the right edge itself counts: a peer that has filled our window sends from there */
        return seq_geq(s->seq, c->rcv_nxt) && seq_leq(s->seq, c->rcv_adv);
    return (seq_geq(s->seq, c->rcv_nxt) && seq_lt(s->seq, c->rcv_adv)) ||
           (seq_geq(last, c->rcv_nxt) && seq_lt(last, c->rcv_adv)) ||
           s->seq == c->rcv_nxt; /* ACKs on data that does not fit are still heard */
}

static void not_acceptable(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    tcp_count(t, TCP_CTR_OUT_OF_WINDOW);
    if (s->flags & TCP_RST) {
        tcp_count(t, TCP_CTR_RST_OUTSIDE);
        return;
    }
    if (s->flags & TCP_SYN) {
        tcp_count(t, TCP_CTR_SYN_CHALLENGE);
        challenge(t, c);
        return;
    }
    if (tcp_seg_space(s) == 0) { /* two that disagree must not talk for ever */
        challenge(t, c);
        return;
    }
    if (s->len && (c->opts & TCP_OPT_SACK) && seq_leq(s->seq + s->len, c->rcv_nxt)) {
        c->flags |= TCPF_DSACK;
        c->dsack_from = s->seq;
        c->dsack_to = s->seq + s->len;
        tcp_count(t, TCP_CTR_DSACK_SENT);
    }
    if (c->rcv_adv == c->rcv_nxt)
        tcp_count(t, TCP_CTR_ZERO_WINDOW_DROP);
    ack_now(t, c);
}

/* --- time stamps (RFC 7323 4.3, 5.3) --- */

static bool paws_drops(struct tcp *t, const struct tcp_conn *c, const struct tcp_seg *s)
{
    if (!(c->opts & TCP_OPT_TS) || !s->has_ts || (s->flags & TCP_RST))
        return false;
    if (!seq_lt(s->tsval, c->ts_recent))
        return false;
    return tcp_coarse(t) - c->ts_recent_s <= PAWS_MAX_S;
}

static void note_ts(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    if (!(c->opts & TCP_OPT_TS) || !s->has_ts || seq_gt(s->seq, c->last_ack_sent))
        return;
    if (seq_geq(s->tsval, c->ts_recent) || tcp_coarse(t) - c->ts_recent_s > PAWS_MAX_S) {
        c->ts_recent = s->tsval;
        c->ts_recent_s = tcp_coarse(t);
    }
}

/* --- RST (RFC 5961 3.2). True: the connection is gone or the segment is done with. --- */

static void take_rst(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    if (s->seq != c->rcv_nxt) {
        tcp_count(t, TCP_CTR_RST_WINDOW);
        challenge(t, c);
        return;
    }
    tcp_count(t, TCP_CTR_IN_RSTS);
    if (c->state == TCP_ST_ESTABLISHED || c->state == TCP_ST_CLOSE_WAIT)
        tcp_count(t, TCP_CTR_ESTAB_RESETS);
    tcp_conn_kill(t, c, STREAM_WHY_RESET);
}

/* --- what the states make of an ACK (RFC 9293 3.10.7.4 fifth) --- */

static bool our_fin_acked(const struct tcp_conn *c)
{
    return (c->flags & TCPF_FIN_QUEUED) && !c->tx_head;
}

/* False: the connection has gone over to TIME_WAIT or is gone. */
static bool after_ack(struct tcp *t, struct tcp_conn *c)
{
    if (!our_fin_acked(c))
        return true;
    switch ((enum tcp_state)c->state) {
    case TCP_ST_FIN_WAIT_1:
        tcp_set_state(t, c, TCP_ST_FIN_WAIT_2);
        c->dl_misc = 0;
        if ((c->flags & TCPF_ORPHAN) && c->dl_user == 0)
            c->dl_user = tcp_tick_after_us(t, (uint64_t)t->set.fin_wait2_ms * 1000);
        tcp_rearm(t, c);
        return true;
    case TCP_ST_CLOSING:
        tcp_tw_enter(t, c);
        return false;
    case TCP_ST_LAST_ACK:
        tcp_conn_kill(t, c, STREAM_WHY_DONE);
        return false;
    case TCP_ST_CLOSED:
    case TCP_ST_SYN_SENT:
    case TCP_ST_SYN_RCVD:
    case TCP_ST_ESTABLISHED:
    case TCP_ST_FIN_WAIT_2:
    case TCP_ST_CLOSE_WAIT:
    case TCP_ST_TIME_WAIT:
    case TCP_ST_COUNT:
        break;
    }
    return true;
}

/* --- FIN (RFC 9293 3.10.7.4 eighth) --- */

/* The peer's FIN is next in line. */
static void take_fin(struct tcp *t, struct tcp_conn *c)
{
    c->rcv_nxt++;
    if (seq_lt(c->rcv_adv, c->rcv_nxt))
        c->rcv_adv = c->rcv_nxt;
    c->flags &= ~TCPF_FIN_OOO;
    c->flags |= TCPF_FIN_RCVD;
    switch ((enum tcp_state)c->state) {
    case TCP_ST_ESTABLISHED:
        tcp_set_state(t, c, TCP_ST_CLOSE_WAIT);
        break;
    case TCP_ST_FIN_WAIT_1:
        tcp_set_state(t, c, TCP_ST_CLOSING);
        break;
    case TCP_ST_FIN_WAIT_2:
        tcp_send_ack(t, c);
        tcp_tw_enter(t, c);
        return;
    case TCP_ST_CLOSED:
    case TCP_ST_SYN_SENT:
    case TCP_ST_SYN_RCVD:
    case TCP_ST_CLOSE_WAIT:
    case TCP_ST_CLOSING:
    case TCP_ST_LAST_ACK:
    case TCP_ST_TIME_WAIT:
    case TCP_ST_COUNT:
        break;
    }
    ack_now(t, c);
    tcp_want_up(t, c, STREAM_EV_EOF | (c->rx_b ? STREAM_EV_READABLE : 0));
}

static bool receives(const struct tcp_conn *c)
{
    return (c->state == TCP_ST_ESTABLISHED || c->state == TCP_ST_FIN_WAIT_1 ||
            c->state == TCP_ST_FIN_WAIT_2) &&
           !(c->flags & TCPF_FIN_RCVD);
}

static void check_fin(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    uint32_t at = s->seq + s->len;

    if (s->flags & TCP_FIN && receives(c)) {
        if (at == c->rcv_nxt || seq_lt(at, c->rcv_adv)) {
            c->flags |= TCPF_FIN_OOO;
            c->rcv_hi = at;
        }
        ack_now(t, c);
    } else if (s->flags & TCP_FIN) {
        ack_now(t, c); /* again: our ACK of it was lost */
    }
    if ((c->flags & TCPF_FIN_OOO) && c->rcv_hi == c->rcv_nxt && receives(c))
        take_fin(t, c);
}

/* --- the order of RFC 9293 3.10.7.4 --- */

static void synchronized(struct tcp *t, struct tcp_conn *c, struct nbuf *m, const struct tcp_seg *s,
                         uint64_t arrived)
{
    /* first: PAWS and the sequence number */
    if (paws_drops(t, c, s)) {
        tcp_count(t, TCP_CTR_PAWS);
        if (s->len || (s->flags & (TCP_SYN | TCP_FIN)))
            ack_now(t, c);
        else
            challenge(t, c);
        nbuf_put_chain(m);
        return;
    }
    if (!acceptable(c, s)) {
        not_acceptable(t, c, s);
        nbuf_put_chain(m);
        return;
    }
    /* second: RST; third: (security, not done by anybody); fourth: SYN */
    if (s->flags & TCP_RST) {
        take_rst(t, c, s);
        nbuf_put_chain(m);
        return;
    }
    if ((s->flags & TCP_SYN) && !crossed_syn_ack(c, s)) { /* RFC 5961 4.2 */
        tcp_count(t, TCP_CTR_SYN_CHALLENGE);
        challenge(t, c);
        nbuf_put_chain(m);
        return;
    }
    /* fifth: ACK */
    if (!(s->flags & TCP_ACK)) {
        nbuf_put_chain(m);
        return;
    }
    c->last_rx_ms = t->now_ms;
    c->keep_n = 0;
    if (c->state == TCP_ST_SYN_RCVD) {
        if (s->ack != c->snd_nxt) {
            tcp_reply_rst(t, &c->tuple, s);
            nbuf_put_chain(m);
            return;
        }
        c->snd_una = s->ack;
        c->snd_wnd = (uint32_t)s->wnd << (s->flags & TCP_SYN ? 0 : c->snd_wscale);
        c->snd_wl1 = s->seq;
        c->snd_wl2 = s->ack;
        c->dl_user = 0;
        c->progress_ms = t->now_ms;
        if (c->snd_wnd > c->snd_wnd_max)
            c->snd_wnd_max = c->snd_wnd;
        tcp_conn_established(t, c);
        tcp_arm_rtx(t, c);
    } else if (!tcp_ack(t, c, s, arrived)) {
        nbuf_put_chain(m);
        return;
    }
    note_ts(t, c, s); /* not of a segment whose ACK was not to be believed */
    if (!after_ack(t, c)) {
        nbuf_put_chain(m);
        return;
    }
    /* sixth: URG, ignored (RFC 6093); seventh: text */
    if (s->len && receives(c)) {
        tcp_rx_data(t, c, m, s);
        if (c->flags & TCPF_DEAD)
            return;
    } else {
        if (s->len)
            ack_now(t, c);
        nbuf_put_chain(m);
    }
    /* eighth: FIN */
    if ((s->flags & TCP_FIN) || (c->flags & TCPF_FIN_OOO))
        check_fin(t, c, s);
}

/**
 * Header prediction: the next data segment of a one-way transfer, nothing else going on. Leads to the
 * same state as the long way.
 */
static bool predicted(const struct tcp_conn *c, const struct tcp_seg *s)
{
    return c->state == TCP_ST_ESTABLISHED && (s->flags & (uint8_t)~TCP_PSH) == TCP_ACK &&
           s->seq == c->rcv_nxt && s->ack == c->snd_una && s->ack == c->snd_nxt && s->len &&
           seq_leq(s->seq + s->len, c->rcv_adv) && s->sacks == 0 &&
           (uint32_t)s->wnd << c->snd_wscale == c->snd_wnd && !c->ooo &&
           !(c->flags & (TCPF_FIN_OOO | TCPF_FIN_RCVD)) &&
           (!s->has_ts || seq_geq(s->tsval, c->ts_recent));
}

#define ECN_CE 3 /* RFC 3168 5 */

/* Congestion that a router has marked on data of this window (RFC 3168 6.1.3). */
static void note_mark(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s, uint8_t ecn)
{
    if (s->len == 0 || seq_geq(s->seq, c->rcv_adv) || seq_lt(s->seq + s->len, c->rcv_nxt))
        return;
    if (s->flags & TCP_CWR)
        c->flags &= ~TCPF_ECE;
    if (ecn != ECN_CE)
        return;
    tcp_count(t, TCP_CTR_ECN_CE);
    if (!(c->flags & TCPF_ECE))
        ack_now(t, c);
    c->flags |= TCPF_ECE;
}

void tcp_segment(struct tcp *t, struct tcp_conn *c, struct nbuf *m, const struct tcp_seg *s,
                 const struct tcp_rx *rx)
{
    uint64_t arrived = rx->arrived_ns;

    if (c->flags & TCPF_DEAD) { /* killed earlier in this turn */
        nbuf_put_chain(m);
        return;
    }
    if (c->opts & TCP_OPT_ECN && c->state >= TCP_ST_ESTABLISHED)
        note_mark(t, c, s, rx->ecn);
    if (predicted(c, s)) {
        tcp_count(t, TCP_CTR_HP_HITS);
        c->last_rx_ms = t->now_ms;
        c->keep_n = 0;
        c->snd_wl1 = s->seq;
        c->snd_wl2 = s->ack;
        note_ts(t, c, s);
        tcp_rx_data(t, c, m, s);
        return;
    }
    if (c->state == TCP_ST_SYN_SENT) {
        syn_sent(t, c, s, arrived);
        nbuf_put_chain(m);
        return;
    }
    synchronized(t, c, m, s, arrived);
}

/* --- ICMP errors about segments of ours (RFC 5927, RFC 1191, RFC 8201) --- */

static void too_big(struct tcp *t, struct tcp_conn *c, uint16_t mtu)
{
    bool v4 = tcp_v4(c);
    uint32_t fixed = (v4 ? 40u : 60u) + (c->opts & TCP_OPT_TS ? 12u : 0u);
    uint32_t least = v4 ? 552 : 1280, mss;

    if (mtu < least)
        mtu = (uint16_t)least;
    mss = mtu - fixed;
    if (mss >= c->snd_mss)
        return;
    tcp_count(t, TCP_CTR_PMTU);
    c->snd_mss = (uint16_t)mss;
    c->pmtu_ms = t->now_ms ? t->now_ms : 1;
    /* What was too big never arrived: send it again in smaller pieces; this is not congestion. */
    for (struct nbuf *m = c->tx_head; m && tseg_of(m)->times; m = tseg_of(m)->next) {
        if (tseg_of(m)->len > mss)
            tcp_mark_lost(c, m);
    }
    tcp_want_out(t, c);
}

void tcp_icmp_error(struct tcp *t, const struct tcp_tuple *quoted, uint32_t quoted_seq,
                    enum tcp_icmp what, uint16_t mtu)
{
    struct tcp_conn *c = tcp_find_conn(t, quoted, 0);

    tcp_count(t, TCP_CTR_ICMP_IN);
    if (!c || c->flags & TCPF_DEAD || seq_lt(quoted_seq, c->snd_una) ||
        !seq_lt(quoted_seq, c->snd_nxt)) { /* RFC 5927 4.1 */
        tcp_count(t, TCP_CTR_ICMP_BAD);
        return;
    }
    switch (what) {
    case TCP_ICMP_TOO_BIG:
        too_big(t, c, mtu);
        return;
    case TCP_ICMP_UNREACH_HARD:
    case TCP_ICMP_UNREACH_SOFT:
        if (c->state == TCP_ST_SYN_SENT) { /* RFC 5461: give up an attempt at once */
            tcp_count(t, TCP_CTR_ATTEMPT_FAILS);
            tcp_conn_kill(
                t, c, what == TCP_ICMP_UNREACH_HARD ? STREAM_WHY_REFUSED : STREAM_WHY_UNREACHABLE);
        }
        return; /* in all other states soft (RFC 5927 5.2) */
    }
}
