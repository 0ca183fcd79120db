#include "base/must.h"
#include "tcp/internal.h"

/* --- headers --- */

#define ECN_ECT0 2 /* RFC 3168 5 */

static void plan(struct tcp *t, struct tcp_conn *c, struct tcp_hdr_plan *p, uint32_t seq,
                 uint8_t flags)
{
    *p = (struct tcp_hdr_plan){.sport = c->tuple.lport,
                               .dport = c->tuple.rport,
                               .seq = seq,
                               .ack = c->rcv_nxt,
                               .flags = flags | (c->flags & TCPF_ECE ? TCP_ECE : 0),
                               .wnd = (uint16_t)(tcp_rx_window(t, c) >> c->rcv_wscale),
                               .ts = c->opts & TCP_OPT_TS,
                               .tsval = tcp_ts_now(t, c->ts_off),
                               .tsecr = c->ts_recent,
                               .wscale = -1};
}

/* Whatever was owed is told by any segment with ACK. */
static void acked(struct tcp_conn *c)
{
    c->flags &= ~(TCPF_ACK_NOW | TCPF_ACK_DELAYED | TCPF_DSACK);
    c->ack_b = 0;
    c->dl_ack = 0;
    c->last_ack_sent = c->rcv_nxt;
}

static bool send_bare(struct tcp *t, struct tcp_conn *c, const struct tcp_hdr_plan *p)
{
    uint8_t hdr_b;
    struct nbuf *m = tcp_bare(t, p, &hdr_b);

    if (!m)
        return false;
    tcp_count(t, TCP_CTR_OUT_SEGS);
    tcp_emit(t, m, &c->tuple.laddr, &c->tuple.raddr, hdr_b, 0);
    return true;
}

void tcp_send_ack(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_hdr_plan p;

    plan(t, c, &p, c->snd_nxt, TCP_ACK);
    if (c->opts & TCP_OPT_SACK)
        p.sacks = tcp_rx_sacks(c, p.sack, p.ts ? 3 : 4);
    if (!send_bare(t, c, &p)) {
        c->flags |= TCPF_ACK_NOW; /* in the next turn then: an ACK that is owed is not forgotten */
        tcp_want_out(t, c);
        return;
    }
    tcp_count(t, TCP_CTR_PURE_ACKS);
    acked(c);
}

void tcp_send_probe(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_hdr_plan p;

    plan(t, c, &p, c->snd_una - 1, TCP_ACK);
    (void)send_bare(t, c, &p); /* a lost probe is like one lost on the way */
}

void tcp_send_rst(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_hdr_plan p = {.sport = c->tuple.lport,
                             .dport = c->tuple.rport,
                             .seq = c->snd_nxt,
                             .ack = c->rcv_nxt,
                             .flags = TCP_RST | TCP_ACK,
                             .ts = c->opts & TCP_OPT_TS, /* RFC 7323 3.2 */
                             .tsval = tcp_ts_now(t, c->ts_off),
                             .tsecr = c->ts_recent,
                             .wscale = -1};

    tcp_count(t, TCP_CTR_OUT_RSTS);
    (void)send_bare(t, c, &p);
}

/* SYN of an active open; SYN-ACK when the other side's SYN has crossed it. */
void tcp_send_syn(struct tcp *t, struct tcp_conn *c)
{
    bool reply = c->state == TCP_ST_SYN_RCVD;
    uint32_t wnd = t->set.rcvbuf_start_b;
    struct tcp_hdr_plan p = {.sport = c->tuple.lport,
                             .dport = c->tuple.rport,
                             .seq = c->snd_una,
                             .ack = reply ? c->rcv_nxt : 0,
                             .flags = TCP_SYN | (reply ? TCP_ACK : 0),
                             .wnd = (uint16_t)(wnd > 65535 ? 65535 : wnd),
                             .ts = c->opts & TCP_OPT_TS,
                             .sack_ok = c->opts & TCP_OPT_SACK,
                             .wscale = (c->opts & TCP_OPT_WS) ? (int8_t)tcp_own_wscale(t) : -1,
                             .tsval = tcp_ts_now(t, c->ts_off),
                             .tsecr = c->ts_recent};
    struct ip_addr src = c->tuple.laddr;
    uint16_t mtu = 1500;

    (void)t->env.route(t->env.ctx, &c->tuple.raddr, &src, &mtu);
    p.mss = tcp_own_mss(t, &c->tuple, mtu);
    if ((c->opts & TCP_OPT_ECN) && !reply)
        p.flags |= TCP_ECE | TCP_CWR;
    (void)send_bare(t, c, &p);
}

/* --- segments --- */

static uint8_t *payload(struct nbuf *m)
{
    const struct tseg *g = tseg_of(m);

    return nbuf_data(m) + nbuf_len(m) - g->cut - g->len;
}

bool tcp_tx_split(struct tcp *t, struct tcp_conn *c, struct nbuf *m, uint32_t n)
{
    struct nbuf *rest = nbuf_get(t->env.pool);
    struct tseg *g = tseg_of(m), *r;
    uint32_t len = g->len - n;

    if (!rest) {
        tcp_at_bound(t, TCP_CTR_NO_BUFFER, BOUND_BUFFERS, &c->tuple.raddr);
        return false;
    }
    MUST_HOT(n > 0 && n < g->len);
    r = tseg_of(rest);
    *r = *g;
    memcpy(nbuf_add(rest, len), payload(m) + n, len);
    r->seq = g->seq + n;
    r->len = (uint16_t)len;
    r->cut = 0;
    r->flags &= (uint8_t)~TSEG_TIMED;
    r->tnext = r->tprev = NULL;
    r->prev = m;
    if (r->next)
        tseg_of(r->next)->prev = rest;
    else
        c->tx_tail = rest;
    g->next = rest;
    g->len = (uint16_t)n;
    g->cut += len;
    g->flags &= (uint8_t)~TSEG_FIN;
    c->tx_n++;
    t->tx_used_b += nbuf_truesize(rest);
    if (g->flags & TSEG_TIMED) { /* same time: right behind its first half */
        r->flags |= TSEG_TIMED;
        r->tprev = m;
        r->tnext = g->tnext;
        if (g->tnext)
            tseg_of(g->tnext)->tprev = rest;
        else
            c->time_tail = rest;
        g->tnext = rest;
    }
    return true;
}

/* The payload in a buffer that may be written to: the segment's own, or a copy. */
static struct nbuf *sendable(struct tcp *t, struct nbuf *m)
{
    struct tseg *g = tseg_of(m);
    struct nbuf *copy;

    if (!nbuf_shared(m)) {
        nbuf_tx_plain(m);
        if (g->cut)
            nbuf_trim(m, g->cut);
        g->cut = 0;
        if (nbuf_len(m) > g->len)
            nbuf_pull(m, nbuf_len(m) - g->len);
        if (nbuf_headroom(m) >= NBUF_HEADROOM_B) {
            nbuf_ref(m);
            return m;
        }
    }
    copy = nbuf_get(t->env.pool); /* the device still reads the headers in front of it */
    if (!copy) {
        tcp_at_bound(t, TCP_CTR_NO_BUFFER, BOUND_BUFFERS, NULL);
        return NULL;
    }
    if (g->len)
        memcpy(nbuf_add(copy, g->len), payload(m), g->len);
    return copy;
}

static void note_sent(struct tcp *t, struct tcp_conn *c, struct nbuf *m)
{
    struct tseg *g = tseg_of(m);
    uint32_t space = tseg_space(g);

    if (g->times == 0) {
        c->snd_nxt = tseg_end(g);
        c->tx_unsent_b -= g->len;
        c->tx_next = g->next;
        tcp_paced(t, c, g->len);
        tcp_count(t, TCP_CTR_OUT_SEGS);
    } else {
        g->flags |= TSEG_EVER;
        if ((g->flags & (TSEG_LOST | TSEG_RETRANS)) == TSEG_LOST) {
            g->flags |= TSEG_RETRANS;
            c->retrans_b += space;
        }
        if (c->undo_marker)
            c->undo_retrans++;
        c->retrans_total++;
        tcp_count(t, TCP_CTR_RETRANS_SEGS);
    }
    if (g->times < 255)
        g->times++;
    g->sent_ns = t->now_ns;
    if (c->flags & TCPF_RECOVERY)
        c->prr_out += space;
    tcp_time_insert(c, m);
}

bool tcp_send_seg(struct tcp *t, struct tcp_conn *c, struct nbuf *m)
{
    struct tseg *g = tseg_of(m);
    struct tcp_hdr_plan p;
    struct nbuf *out;
    uint8_t hdr_b, ecn = 0;

    if (g->len > c->snd_mss && !tcp_tx_split(t, c, m, c->snd_mss))
        return false;
    out = sendable(t, m);
    if (!out)
        return false;
    plan(t, c, &p, g->seq, TCP_ACK);
    if (g->flags & TSEG_FIN)
        p.flags |= TCP_FIN;
    if (g->len && (!g->next || (g->flags & TSEG_FIN)))
        p.flags |= TCP_PSH;
    if ((c->opts & TCP_OPT_ECN) && g->len && g->times == 0) { /* new data only (RFC 3168 6.1.5) */
        ecn = ECN_ECT0;
        p.flags |= c->flags & TCPF_CWR ? TCP_CWR : 0;
        c->flags &= ~TCPF_CWR;
    }
    hdr_b = tcp_wire_size(&p);
    tcp_wire_write(nbuf_push(out, hdr_b), hdr_b, &p);
    note_sent(t, c, m);
    acked(c);
    tcp_emit(t, out, &c->tuple.laddr, &c->tuple.raddr, hdr_b, ecn);
    return true;
}

/* --- what may go out --- */

/* FIN takes its place behind the last byte. False: no buffer, next turn then. */
static bool queue_fin(struct tcp *t, struct tcp_conn *c)
{
    struct nbuf *m = c->tx_tail;

    if (!m || tseg_of(m)->times)
        m = tcp_tx_new(t, c);
    if (!m)
        return false;
    tseg_of(m)->flags |= TSEG_FIN;
    c->flags |= TCPF_FIN_QUEUED;
    tcp_set_state(t, c, c->state == TCP_ST_CLOSE_WAIT ? TCP_ST_LAST_ACK : TCP_ST_FIN_WAIT_1);
    return true;
}

/* Send again what is marked lost, oldest first, as far as the congestion window goes. */
static bool resend_lost(struct tcp *t, struct tcp_conn *c)
{
    for (struct nbuf *m = c->tx_head; m && tseg_of(m)->times; m = tseg_of(m)->next) {
        struct tseg *g = tseg_of(m);

        if (c->lost_b == c->retrans_b)
            return true;
        if ((g->flags & (TSEG_LOST | TSEG_RETRANS | TSEG_SACKED)) != TSEG_LOST)
            continue;
        if (tcp_in_flight(c) && tcp_in_flight(c) + tseg_space(g) > c->cwnd)
            return true;
        if (!tcp_send_seg(t, c, m))
            return false;
    }
    return true;
}

/**
 * How much of the next new segment may be sent now: 0, all of it, or as much as the window takes.
 * Sender's side of the silly window syndrome: RFC 9293 3.8.6.2.1.
 */
static uint32_t may_send(struct tcp_conn *c, const struct tseg *g)
{
    uint32_t space = tseg_space(g), in_flight = tcp_in_flight(c);
    uint32_t edge = c->snd_una + c->snd_wnd, avail;

    /* Limited transmit (RFC 3042): without SACK, the first two duplicates let a new segment out each. */
    if (!(c->opts & TCP_OPT_SACK) && !(c->flags & (TCPF_RECOVERY | TCPF_LOSS)) && c->dupacks &&
        in_flight > 2u * c->snd_mss)
        in_flight -= (c->dupacks < 2 ? c->dupacks : 2u) * c->snd_mss;

    if (in_flight && g->len && in_flight + space > c->cwnd) { /* a bare FIN is no load */
        c->flags |= TCPF_CWND_LIMITED;
        return 0;
    }
    if (seq_leq(tseg_end(g), edge))
        return space;
    avail = seq_lt(g->seq, edge) ? edge - g->seq : 0;
    if (avail == 0)
        return 0;
    if (avail >= g->len) /* all but the FIN */
        return g->len ? g->len : 0;
    if (c->snd_nxt == c->snd_una || avail >= c->snd_wnd_max / 2)
        return avail;
    return 0;
}

/* --- runs: new segments of one size that the device cuts apart again (TSO) --- */

/* How many from m on may go out as one; the last may be short. A FIN and a CWR go alone. */
static uint32_t run_at(const struct tcp *t, const struct tcp_conn *c, struct nbuf *m)
{
    uint32_t n = 0, bytes = 0, edge = c->snd_una + c->snd_wnd, in_flight = tcp_in_flight(c);

    if (!(t->env.offloads & TCP_OFFLOAD_TSO) || (c->flags & TCPF_CWR))
        return 0;
    for (; m && n < TCP_RUN_MAX; m = tseg_of(m)->next) {
        const struct tseg *g = tseg_of(m);

        if (g->len == 0 || g->len > c->snd_mss || (g->flags & TSEG_FIN) ||
            seq_gt(tseg_end(g), edge) || in_flight + bytes + g->len > c->cwnd)
            break;
        bytes += g->len;
        n++;
        if (g->len < c->snd_mss)
            break;
    }
    return n;
}

/* The payloads of n segments in a chain; fewer when buffers run out. */
static struct nbuf *link_run(struct tcp *t, struct nbuf *m, uint32_t *n)
{
    struct nbuf *head = NULL, *tail = NULL;
    uint32_t done = 0;

    for (; done < *n; m = tseg_of(m)->next, done++) {
        struct nbuf *out = sendable(t, m);

        if (!out)
            break;
        if (tail)
            nbuf_set_next(tail, out);
        else
            head = out;
        tail = out;
    }
    *n = done;
    return head;
}

static bool send_run(struct tcp *t, struct tcp_conn *c, struct nbuf *m, uint32_t n)
{
    struct tcp_tx tx = {.src = c->tuple.laddr, .dst = c->tuple.raddr, .tso_mss = c->snd_mss};
    struct tcp_hdr_plan p;
    struct nbuf *out = link_run(t, m, &n);

    if (!out)
        return false;
    plan(t, c, &p, tseg_of(m)->seq, TCP_ACK);
    for (uint32_t i = 0; i < n; i++) {
        struct nbuf *next = tseg_of(m)->next;

        if (!next)
            p.flags |= TCP_PSH;
        note_sent(t, c, m);
        m = next;
    }
    tx.ecn = c->opts & TCP_OPT_ECN ? ECN_ECT0 : 0;
    tx.hdr_b = tcp_wire_size(&p);
    tcp_wire_write(nbuf_push(out, tx.hdr_b), tx.hdr_b, &p);
    acked(c);
    tcp_count(t, TCP_CTR_RUNS);
    tcp_emit_run(t, out, &tx);
    return true;
}

static bool send_new(struct tcp *t, struct tcp_conn *c)
{
    while (c->tx_next) {
        struct nbuf *m = c->tx_next;
        struct tseg *g = tseg_of(m);
        uint32_t n, run;

        if (g->len > c->snd_mss && !tcp_tx_split(t, c, m, c->snd_mss))
            return false;
        n = may_send(c, g);
        if (n == 0 || !tcp_pace_ok(t, c))
            return true;
        if (n < g->len && !tcp_tx_split(t, c, m, n))
            return false;
        if ((run = run_at(t, c, m)) > 1) {
            if (!send_run(t, c, m, run))
                return false;
            continue;
        }
        if (n < tseg_space(g) && n == g->len) { /* the FIN waits for a byte of window */
            struct nbuf *fin;

            g->flags &= (uint8_t)~TSEG_FIN;
            fin = tcp_tx_new(t, c);
            if (!fin) {
                g->flags |= TSEG_FIN;
                return false;
            }
            tseg_of(fin)->flags |= TSEG_FIN;
        }
        if (!tcp_send_seg(t, c, m))
            return false;
    }
    c->flags &= ~TCPF_CWND_LIMITED; /* everything went out: it is the owner who is slow */
    return true;
}

/* RFC 5681 4.1: a window that was not used for a while is not to be trusted any more. */
static void restart_if_idle(struct tcp *t, struct tcp_conn *c)
{
    uint32_t idle_ms = t->now_ms - c->progress_ms;

    if (c->snd_nxt == c->snd_una && idle_ms > tcp_rto_us(t, c) / 1000)
        tcp_cc_idle(t, c, idle_ms);
}

void tcp_output(struct tcp *t, struct tcp_conn *c)
{
    bool had_timer = c->dl_rtx != 0, complete = true;
    uint32_t nxt = c->snd_nxt;

    if (c->state < TCP_ST_ESTABLISHED)
        return;
    if ((c->flags & TCPF_FIN_WANTED) && !(c->flags & TCPF_FIN_QUEUED))
        complete = queue_fin(t, c);
    if (c->lost_b)
        complete &= resend_lost(t, c);
    if (c->tx_next) {
        /* What begins after a pause has the whole time; a closed window is no pause. */
        if (c->snd_nxt == c->snd_una && c->persist_n == 0) {
            restart_if_idle(t, c);
            c->progress_ms = t->now_ms;
        }
        complete &= send_new(t, c);
    }
    if (c->flags & TCPF_ACK_NOW)
        tcp_send_ack(t, c);
    if (!complete)
        tcp_want_out(t, c);
    if ((c->snd_nxt != nxt &&
         (!had_timer || c->rtx_kind == TCP_RTX_TLP || c->rtx_kind == TCP_RTX_PERSIST)) ||
        (!had_timer && (c->tx_next || c->snd_nxt != c->snd_una)))
        tcp_arm_rtx(t, c);
}
