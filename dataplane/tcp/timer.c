#include "base/must.h"
#include "tcp/internal.h"

/* Black hole: large segments are lost again and again, nobody says why (RFC 4821 in spirit). */
#define BLACK_HOLE_RTOS    3
#define BLACK_HOLE_RTOS_OK 7 /* when they did come through earlier: loss alone is likelier */

static uint32_t first_of(uint32_t a, uint32_t b)
{
    if (a == 0 || b == 0)
        return a ? a : b;
    return seq_lt(a, b) ? a : b;
}

/* One node for five deadlines: armed at the earliest, re-armed lazily when that has moved away. */
void tcp_rearm(struct tcp *t, struct tcp_conn *c)
{
    uint32_t at = first_of(first_of(c->dl_rtx, c->dl_ack), first_of(c->dl_misc, c->dl_user));
    int32_t ahead;
    uint64_t at_ns;

    at = first_of(at, c->dl_pace);
    ahead = (int32_t)(at - t->now_tick);
    if (at == 0 || c->flags & TCPF_DEAD)
        return;
    at_ns = ahead <= 0 ? t->now_ns
                       : ((t->now_ns >> WHEEL_TICK_SHIFT) + (uint32_t)ahead) << WHEEL_TICK_SHIFT;
    if (!wheel_armed(&c->timer) || wheel_at_ns(&t->wheel, &c->timer) > at_ns)
        wheel_arm(&t->wheel, &c->timer, at_ns);
}

static void give_up(struct tcp *t, struct tcp_conn *c, enum tcp_counter counter)
{
    tcp_count(t, counter);
    if (c->state != TCP_ST_SYN_SENT)
        tcp_send_rst(t, c);
    else
        tcp_count(t, TCP_CTR_ATTEMPT_FAILS);
    tcp_conn_kill(t, c, STREAM_WHY_TIMEOUT);
}

/* Once in vain may be loss; twice, and the way itself is in question. */
static void doubt_path(struct tcp *t, const struct tcp_conn *c)
{
    if (c->backoff > 1 && t->env.doubt)
        t->env.doubt(t->env.ctx, &c->tuple.raddr);
}

static void syn_timeout(struct tcp *t, struct tcp_conn *c)
{
    if (c->syn_n >= t->set.syn_retries) {
        give_up(t, c, TCP_CTR_ABORT_TIMEOUT);
        return;
    }
    c->syn_n++;
    c->backoff++;
    doubt_path(t, c);
    tcp_count(t, TCP_CTR_SYN_RETRANS);
    tcp_send_syn(t, c);
    c->rtx_kind = TCP_RTX_RTO;
    c->dl_rtx = tcp_tick_after_us(t, (uint64_t)t->set.rto_initial_us << c->syn_n);
    tcp_rearm(t, c);
}

/* In vain again and again with segments that not every path takes: try smaller ones. */
static void suspect_black_hole(struct tcp *t, struct tcp_conn *c)
{
    uint16_t small = tcp_v4(c) ? TCP_MSS_V4 : TCP_MSS_V6;
    uint16_t next = c->snd_mss > 1220 && small < 1220 ? 1220 : small;
    uint8_t after = c->flags & TCPF_BIG_OK ? BLACK_HOLE_RTOS_OK : BLACK_HOLE_RTOS;

    if (c->backoff != after || c->flags & TCPF_MTU_PROBED || c->snd_mss <= small || !c->tx_head ||
        tseg_of(c->tx_head)->len <= next)
        return;
    tcp_count(t, TCP_CTR_BLACK_HOLE);
    c->flags |= TCPF_MTU_PROBED;
    c->flags &= ~TCPF_BIG_OK;
    c->snd_mss = next;
}

static void rto(struct tcp *t, struct tcp_conn *c)
{
    if (c->state == TCP_ST_SYN_SENT || c->state == TCP_ST_SYN_RCVD) {
        syn_timeout(t, c);
        return;
    }
    if (c->snd_nxt == c->snd_una) {
        tcp_arm_rtx(t, c);
        return;
    }
    if (t->now_ms - c->progress_ms >= t->set.user_timeout_ms) {
        give_up(t, c, TCP_CTR_ABORT_TIMEOUT);
        return;
    }
    tcp_recover_rto(t, c);
    suspect_black_hole(t, c);
    doubt_path(t, c);
    c->dl_rtx = 0;
    tcp_want_out(t, c);
    tcp_arm_rtx(t, c);
}

/* RFC 8985 7.3: new data when there is some and the window allows it, else the last segment again. */
static void tlp(struct tcp *t, struct tcp_conn *c)
{
    struct nbuf *m = c->tx_next;
    bool fresh = m && seq_leq(tseg_end(tseg_of(m)), c->snd_una + c->snd_wnd);

    if (!fresh)
        m = c->time_tail;
    if (!m || c->snd_nxt == c->snd_una) {
        tcp_arm_rtx(t, c);
        return;
    }
    tcp_count(t, TCP_CTR_TLP);
    if (!fresh && tseg_of(c->tx_tail)->times)
        m = c->tx_tail;
    (void)tcp_send_seg(t, c, m);
    c->flags |= TCPF_TLP;
    c->tlp_end = c->snd_nxt;
    c->prr_out = fresh ? 0 : TCP_TLP_RETRANS;
    tcp_arm_rtx(t, c); /* TLP is out: this arms the RTO */
}

/* A closed window is no failure, but memory held for it is limited (RFC 6429 3). */
static uint32_t persist_limit_ms(const struct tcp *t, const struct tcp_conn *c)
{
    if (c->flags & TCPF_ORPHAN)
        return t->set.user_timeout_ms;
    return (t->tx_used_b > t->set.tx_budget_b / 2 ? 2u : 10u) * t->set.persist_max_ms;
}

static void persist(struct tcp *t, struct tcp_conn *c)
{
    uint32_t for_ms = t->now_ms - c->progress_ms;

    if (!c->tx_next || c->snd_nxt != c->snd_una) {
        tcp_arm_rtx(t, c);
        return;
    }
    if (for_ms > persist_limit_ms(t, c)) {
        give_up(t, c, TCP_CTR_ABORT_PERSIST);
        return;
    }
    if (c->persist_n < 255)
        c->persist_n++;
    tcp_count(t, TCP_CTR_PERSIST);
    tcp_send_probe(t, c);
    tcp_want_out(t, c);
    tcp_arm_rtx(t, c);
}

static void rtx_due(struct tcp *t, struct tcp_conn *c)
{
    enum tcp_rtx_kind kind = (enum tcp_rtx_kind)c->rtx_kind;

    c->dl_rtx = 0;
    switch (kind) {
    case TCP_RTX_RTO:
        rto(t, c);
        break;
    case TCP_RTX_TLP:
        tlp(t, c);
        break;
    case TCP_RTX_REO:
        tcp_recover_reo(t, c);
        break;
    case TCP_RTX_PERSIST:
        persist(t, c);
        break;
    case TCP_RTX_NONE:
        break;
    }
}

static void ack_due(struct tcp *t, struct tcp_conn *c)
{
    c->dl_ack = 0;
    if (!(c->flags & TCPF_ACK_DELAYED))
        return;
    tcp_count(t, TCP_CTR_DELAYED_ACKS);
    c->flags |= TCPF_ACK_NOW;
    tcp_want_out(t, c);
}

/* Only while nothing is in flight: data that is not acknowledged has timers of its own. */
static void keepalive_due(struct tcp *t, struct tcp_conn *c)
{
    uint32_t idle_ms = t->now_ms - c->last_rx_ms;
    uint64_t next_ms;

    if (c->state != TCP_ST_ESTABLISHED && c->state != TCP_ST_CLOSE_WAIT) {
        c->dl_misc = 0;
        return;
    }
    if (idle_ms < t->set.keep_idle_ms || c->snd_nxt != c->snd_una || c->tx_next) {
        next_ms =
            idle_ms < t->set.keep_idle_ms ? t->set.keep_idle_ms - idle_ms : t->set.keep_idle_ms;
    } else if (c->keep_n >= t->set.keep_count) {
        c->dl_misc = 0;
        give_up(t, c, TCP_CTR_ABORT_KEEPALIVE);
        return;
    } else {
        c->keep_n++;
        tcp_count(t, TCP_CTR_KEEPALIVE);
        tcp_send_probe(t, c);
        next_ms = t->set.keep_intvl_ms;
    }
    c->dl_misc = tcp_tick_after_us(t, next_ms * 1000);
}

/* Connect timeout, end of lingering, FIN_WAIT_2 without an owner. */
static void user_due(struct tcp *t, struct tcp_conn *c)
{
    c->dl_user = 0;
    if (c->state == TCP_ST_SYN_SENT || c->state == TCP_ST_SYN_RCVD) {
        give_up(t, c, TCP_CTR_ABORT_TIMEOUT);
        return;
    }
    if (!(c->flags & TCPF_ORPHAN))
        return;
    if (c->state == TCP_ST_FIN_WAIT_2) {
        if (c->linger_left) { /* lingering is over: from now on only the FIN is waited for */
            c->linger_left = 0;
            c->dl_user = tcp_tick_after_us(t, (uint64_t)t->set.fin_wait2_ms * 1000);
            return;
        }
        tcp_conn_kill(t, c, STREAM_WHY_TIMEOUT);
        return;
    }
    c->linger_left = 0;
    /* Data that nobody takes is still under the user timeout; look again then. */
    c->dl_user = tcp_tick_after_us(t, (uint64_t)t->set.user_timeout_ms * 1000);
}

void tcp_timer_fired(void *ctx, struct wheel_node *node, uint64_t now_ns)
{
    struct tcp *t = (struct tcp *)ctx;
    struct tcp_conn *c = CONTAINER_OF(node, struct tcp_conn, timer);

    (void)now_ns;
    if (tcp_tick_due(t, c->dl_ack))
        ack_due(t, c);
    if (tcp_tick_due(t, c->dl_pace)) {
        c->dl_pace = 0;
        tcp_want_out(t, c);
    }
    if (tcp_tick_due(t, c->dl_rtx))
        rtx_due(t, c);
    if (!(c->flags & TCPF_DEAD) && tcp_tick_due(t, c->dl_misc))
        keepalive_due(t, c);
    if (!(c->flags & TCPF_DEAD) && tcp_tick_due(t, c->dl_user))
        user_due(t, c);
    tcp_rearm(t, c);
}
