#include "base/must.h"
#include "tcp/internal.h"

static struct stream *no(enum stream_why *why, enum stream_why what)
{
    *why = what;
    return NULL;
}

static void begin(struct tcp *t, struct tcp_conn *c, const struct tcp_connect *how, uint16_t mtu)
{
    uint32_t iss = tcp_clock_isn(t, &c->tuple), wnd = t->set.rcvbuf_start_b;

    c->snd_una = iss;
    c->snd_nxt = iss + 1;
    c->opts = (uint8_t)((t->set.timestamps ? TCP_OPT_TS : 0) | (t->set.sack ? TCP_OPT_SACK : 0) |
                        (t->set.window_scaling ? TCP_OPT_WS : 0) | (t->set.ecn ? TCP_OPT_ECN : 0));
    c->ts_off = tcp_ts_offset(t, &c->tuple);
    c->snd_mss = tcp_own_mss(t, &c->tuple, mtu);
    c->rcv_mss = TCP_MSS_V4;
    c->rcv_adv = wnd > 65535 ? 65535 : wnd; /* becomes an edge when rcv_nxt is known */
    if (how->rto_min_us)
        c->rto_min_us = how->rto_min_us;
    tcp_set_state(t, c, TCP_ST_SYN_SENT);
    if (how->timeout_ms)
        c->dl_user = tcp_tick_after_us(t, (uint64_t)how->timeout_ms * 1000);
    c->rtx_kind = TCP_RTX_RTO;
    c->dl_rtx = tcp_tick_after_us(t, t->set.rto_initial_us);
    c->progress_ms = t->now_ms;
    tcp_count(t, TCP_CTR_ACTIVE_OPENS);
    tcp_send_syn(t, c);
    tcp_rearm(t, c);
}

struct stream *tcp_connect(struct tcp *t, const struct tcp_connect *how,
                           const struct stream_owner *ops, void *owner, enum stream_why *why)
{
    struct tcp_tuple tuple;
    struct tcp_conn *c;
    uint16_t mtu = 0;
    uint64_t hash;

    memset(&tuple, 0, sizeof(tuple));
    tuple.laddr = how->local;
    tuple.raddr = how->remote.addr;
    tuple.rport = how->remote.port;
    if (!t->env.route(t->env.ctx, &tuple.raddr, &tuple.laddr, &mtu))
        return no(why, STREAM_WHY_UNREACHABLE);
    tuple.lport = tcp_port_get(t, &tuple.laddr, &how->remote);
    if (!tuple.lport)
        return no(why, STREAM_WHY_NO_PORT);
    hash = tcp_hash(t, &tuple);
    c = tcp_conn_new(t, &tuple);
    if (!c) {
        tcp_port_put(t, &tuple);
        return no(why, STREAM_WHY_NO_MEMORY);
    }
    if (!flow_add(&t->flow, hash, flow_value(FLOW_CONN, pool_index(&t->conns, c)))) {
        pool_put(&t->conns, c);
        tcp_port_put(t, &tuple);
        return no(why, STREAM_WHY_NO_MEMORY);
    }
    stream_set_owner(&c->s, ops, owner);
    begin(t, c, how, mtu);
    return &c->s;
}
