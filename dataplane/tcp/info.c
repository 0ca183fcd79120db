#include "tcp/internal.h"

static void fill(const struct tcp *t, const struct tcp_conn *c, struct tcp_info *out)
{
    *out = (struct tcp_info){
        .tuple = c->tuple,
        .state = (enum tcp_state)c->state,
        .srtt_us = c->srtt_us,
        .rttvar_us = c->rttvar_us,
        .min_rtt_us = c->min_rtt_us == UINT32_MAX ? 0 : c->min_rtt_us,
        .rto_us = (uint32_t)tcp_rto_us(t, c),
        .cwnd_b = c->cwnd,
        .ssthresh_b = c->ssthresh,
        .in_flight_b = tcp_in_flight(c),
        .snd_wnd_b = c->snd_wnd,
        .rcv_wnd_b = c->rcv_adv - c->rcv_nxt,
        .rx_queued_b = c->rx_b,
        .tx_queued_b = c->tx_b,
        .snd_mss = c->snd_mss,
        .rcv_mss = c->rcv_mss,
        .snd_wscale = c->snd_wscale,
        .rcv_wscale = c->rcv_wscale,
        .backoff = c->backoff,
        .ts = c->opts & TCP_OPT_TS,
        .sack = c->opts & TCP_OPT_SACK,
        .ecn = c->opts & TCP_OPT_ECN,
        .passive = c->flags & TCPF_PASSIVE,
        .in_recovery = c->flags & (TCPF_RECOVERY | TCPF_LOSS),
        .bytes_in = c->bytes_in,
        .bytes_out = c->bytes_out,
        .retrans_segs = c->retrans_total,
        .idle_us = (uint64_t)(t->now_ms - c->last_rx_ms) * 1000,
        .id = pool_handle(&t->conns, c),
    };
}

void tcp_stream_info(const struct stream *s, struct tcp_info *out)
{
    const struct tcp_conn *c = CONTAINER_OF(s, struct tcp_conn, s);

    fill(c->t, c, out);
}

const struct tcp_tuple *tcp_stream_tuple(const struct stream *s)
{
    return &CONTAINER_OF(s, struct tcp_conn, s)->tuple;
}

bool tcp_stream_is(const struct stream *s)
{
    return s->ops == &tcp_stream_ops;
}

uint32_t tcp_walk(const struct tcp *t, uint32_t *cursor, struct tcp_info *out, uint32_t max)
{
    uint32_t n = 0;

    for (uint32_t looked = 0; looked < 4 * max && n < max && *cursor < t->conns.touched; looked++) {
        const struct tcp_conn *c = (const struct tcp_conn *)pool_at(&t->conns, *cursor);

        if (pool_live(&t->conns, *cursor) && !(c->flags & TCPF_DEAD))
            fill(t, c, &out[n++]);
        ++*cursor;
    }
    if (*cursor >= t->conns.touched)
        *cursor = 0;
    return n;
}

void tcp_gauges(const struct tcp *t, struct tcp_gauges *out)
{
    *out =
        (struct tcp_gauges){t->conns.used,
                            t->established,
                            t->reqs.used,
                            t->tws.used,
                            t->orphans,
                            t->rx_used_b,
                            t->tx_used_b,
                            tcp_ports_least(t),
                            pool_used_b(&t->conns) + pool_used_b(&t->reqs) + pool_used_b(&t->tws)};
}

const uint64_t *tcp_counters(const struct tcp *t)
{
    return t->ctr;
}
