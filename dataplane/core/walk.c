#include "core/walk.h"

#include "tcp/tcp.h"

#include <time.h>

#define LOOK 16u /* connections per turn; tcp_walk looks at four times as many slots */

static bool wanted(const struct dp_conn_filter *f, const struct tcp_info *i)
{
    if (f->by_peer && !ip_in(&i->tuple.raddr, &f->peer))
        return false;
    if (f->port && i->tuple.lport != f->port && i->tuple.rport != f->port)
        return false;
    return !f->state[0] || strcmp(f->state, tcp_state_name(i->state)) == 0;
}

static void fill(struct dp_conn *to, const struct tcp_info *i)
{
    *to = (struct dp_conn){
        .local = {i->tuple.laddr, i->tuple.lport},
        .peer = {i->tuple.raddr, i->tuple.rport},
        .state = tcp_state_name(i->state),
        .accepted = i->passive,
        .srtt_us = i->srtt_us,
        .rttvar_us = i->rttvar_us,
        .min_rtt_us = i->min_rtt_us,
        .rto_us = i->rto_us,
        .cwnd_b = i->cwnd_b,
        .ssthresh_b = i->ssthresh_b,
        .in_flight_b = i->in_flight_b,
        .snd_wnd_b = i->snd_wnd_b,
        .rcv_wnd_b = i->rcv_wnd_b,
        .rx_queued_b = i->rx_queued_b,
        .tx_queued_b = i->tx_queued_b,
        .mss = i->snd_mss,
        .backoff = i->backoff,
        .recovery = i->in_recovery,
        .bytes_in = i->bytes_in,
        .bytes_out = i->bytes_out,
        .retrans = i->retrans_segs,
        .idle_ms = (uint32_t)(i->idle_us / 1000),
    };
}

void walk_turn(struct walk *w, const struct tcp *t)
{
    uint32_t asked = __atomic_load_n(&w->asked, __ATOMIC_ACQUIRE), n;
    struct tcp_info look[LOOK];

    if (asked == w->done)
        return;
    if (!w->begun) {
        w->begun = true;
        w->cursor = w->from;
        w->n = 0;
    }
    n = tcp_walk(t, &w->cursor, look, LOOK);
    for (uint32_t i = 0; i < n; i++) {
        if (wanted(&w->filter, &look[i]))
            fill(&w->out[w->n++], &look[i]);
    }
    if (w->cursor && w->n + LOOK <= WALK_BATCH)
        return;
    w->begun = false;
    __atomic_store_n(&w->done, asked, __ATOMIC_RELEASE);
}

/* --- control's side --- */

static bool answered(struct walk *w, uint32_t timeout_ms)
{
    static const struct timespec nap = {0, 50000};

    for (uint32_t us = 0; us < timeout_ms * 1000; us += 50) {
        if (__atomic_load_n(&w->done, __ATOMIC_ACQUIRE) == w->asked)
            return true;
        nanosleep(&nap, NULL);
    }
    return false;
}

int walk_ask(struct walk *w, const struct dp_conn_filter *f, uint32_t *cursor, uint32_t timeout_ms,
             struct dp_conn out[WALK_BATCH])
{
    if (!answered(w, timeout_ms)) /* an earlier question, given up */
        return -1;
    w->filter = *f;
    w->from = *cursor;
    __atomic_store_n(&w->asked, w->asked + 1, __ATOMIC_RELEASE);
    if (!answered(w, timeout_ms))
        return -1;
    *cursor = w->cursor;
    memcpy(out, w->out, w->n * sizeof(out[0]));
    return (int)w->n;
}
