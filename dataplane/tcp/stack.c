#include "base/must.h"
#include "tcp/internal.h"

#define AHEAD_LINES 6u /* of a connection */

#include <stdlib.h>

const struct ctr_desc tcp_ctr_desc[] = {
#define CTR(sym, name, help) {name, help},
#include "tcp/tcp_ctr.def"
#undef CTR
};
const unsigned tcp_ctr_count = TCP_CTR_COUNT;

#define RSTS_PER_S       10000u
#define CHALLENGES_PER_S 1000u
#define MS_IN_S          1000u

void tcp_settings_default(struct tcp_settings *s)
{
    *s = (struct tcp_settings){
        .conns_max = 65536,
        .reqs_max = 16384,
        .tw_max = 262144,
        .orphans_max = 16384,
        .reqs_per_prefix = 4096,
        .tx_budget_b = 256u << 20,
        .rx_budget_b = 256u << 20,
        .rcvbuf_start_b = 65536,
        .rcvbuf_max_b = 4u << 20,
        .sndbuf_max_b = 1u << 20,
        .rto_min_us = 200000,
        .rto_max_us = 60000000,
        .rto_initial_us = 1000000, /* RFC 6298 2.1 */
        .delack_us = 40000,
        .syn_retries = 2,
        .user_timeout_ms = 30000,
        .keep_idle_ms = 60000,
        .keep_intvl_ms = 10000,
        .keep_count = 6,
        .persist_max_ms = 60000,
        .time_wait_ms = 60000,
        .fin_wait2_ms = 60000,
        .linger_ms = 2000,
        .linger_b = 1u << 20,
        .initial_window = 10, /* RFC 6928 */
        .port_lo = 1024,
        .port_hi = 65535,
        .mss_max = 0,
        .timestamps = true,
        .pacing = true,
        .sack = true,
        .window_scaling = true,
        .ecn = false,
    };
}

static void draw_keys(struct tcp *t)
{
    struct rng *r = t->env.rng;

    t->keys.isn = rng_sip_key(r);
    t->keys.ts = rng_sip_key(r);
    t->keys.flow = rng_sip_key(r);
    t->keys.port = rng_sip_key(r);
    t->keys.cookie[0] = rng_sip_key(r);
    t->keys.cookie[1] = rng_sip_key(r);
}

static void set_now(struct tcp *t, uint64_t now_ns)
{
    t->now_ns = now_ns;
    t->now_tick = (uint32_t)(now_ns >> WHEEL_TICK_SHIFT);
    if (t->now_tick == 0)
        t->now_tick = 1;
    t->now_ms = (uint32_t)(now_ns / 1000000);
}

res tcp_new(const struct tcp_settings *s, const struct tcp_env *env, uint64_t now_ns,
            struct tcp **out)
{
    struct tcp *t = (struct tcp *)calloc(1, sizeof(*t));

    if (!t)
        return ERR(NOMEM);
    t->set = *s;
    t->env = *env;
    t->up_end = &t->up;
    t->out_end = &t->out;
    t->pool_reserve = nbuf_pool_free(env->pool) / 4;
    set_now(t, now_ns);
    wheel_init(&t->wheel, now_ns);
    draw_keys(t);
    if (!IS_OK(pool_init(&t->conns, sizeof(struct tcp_conn), s->conns_max)) ||
        !IS_OK(pool_init(&t->reqs, sizeof(struct tcp_req), s->reqs_max)) ||
        !IS_OK(pool_init(&t->tws, sizeof(struct tcp_tw), s->tw_max)) ||
        !IS_OK(flow_init(&t->flow, s->conns_max + s->reqs_max + s->tw_max)) ||
        !IS_OK(prefixes_new(&t->keys.flow, &t->prefixes)) || !IS_OK(tcp_ports_new(t, &t->ports))) {
        tcp_free(t);
        return ERR(NOMEM);
    }
    *out = t;
    return OK;
}

void tcp_free(struct tcp *t)
{
    if (!t)
        return;
    for (uint32_t i = 0; i < t->conns.touched; i++) {
        struct tcp_conn *c = (struct tcp_conn *)pool_at(&t->conns, i);

        if (!pool_live(&t->conns, i))
            continue;
        while (c->tx_head)
            tcp_tx_free(t, c, c->tx_head);
        tcp_rx_free(t, c);
    }
    tcp_ports_free(t->ports);
    prefixes_free(t->prefixes);
    flow_fini(&t->flow);
    pool_fini(&t->conns);
    pool_fini(&t->reqs);
    pool_fini(&t->tws);
    memset(&t->keys, 0, sizeof(t->keys));
    free(t);
}

static void refill_limits(struct tcp *t)
{
    uint32_t second = t->now_ms / MS_IN_S;

    if (second == t->second)
        return;
    t->second = second;
    t->rsts_left = RSTS_PER_S;
    /* Not a fixed number: whoever counts challenges must not learn of others' (CVE-2016-5696). */
    t->challenges_left = CHALLENGES_PER_S / 2 + rng_below(t->env.rng, CHALLENGES_PER_S);
}

/* Connections that were closed in the last turn. */
static void bury_dead(struct tcp *t)
{
    while (t->dead) {
        struct tcp_conn *c = t->dead;

        t->dead = c->next_orphan;
        pool_put(&t->conns, c);
    }
}

/* Those whose owners asked for an event in this turn. */
static void take_again(struct tcp *t)
{
    struct tcp_conn *c = t->again;

    t->again = NULL;
    while (c) {
        struct tcp_conn *next = c->next_orphan;

        c->flags &= ~TCPF_AGAIN;
        c->next_orphan = NULL;
        if (!(c->flags & TCPF_DEAD)) {
            uint8_t ev = (c->rx_b ? STREAM_EV_READABLE : 0) | STREAM_EV_WRITABLE;

            tcp_want_up(t, c, ev);
        }
        c = next;
    }
}

void tcp_begin(struct tcp *t, uint64_t now_ns)
{
    set_now(t, now_ns);
    bury_dead(t);
    take_again(t);
    refill_limits(t);
}

uint64_t tcp_hash(const struct tcp *t, const struct tcp_tuple *tuple)
{
    return siphash13(&t->keys.flow, tuple, sizeof(*tuple));
}

static bool same_tuple(const struct tcp_tuple *a, const struct tcp_tuple *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static const struct tcp_tuple *tuple_of(const struct tcp *t, uint32_t value)
{
    uint32_t i = flow_index_of(value);

    switch (flow_kind_of(value)) {
    case FLOW_CONN:
        return &((const struct tcp_conn *)pool_at(&t->conns, i))->tuple;
    case FLOW_REQ:
        return &((const struct tcp_req *)pool_at(&t->reqs, i))->tuple;
    case FLOW_TW:
        return &((const struct tcp_tw *)pool_at(&t->tws, i))->tuple;
    }
    return NULL;
}

static uint32_t lookup(const struct tcp *t, const struct tcp_tuple *tuple, uint64_t hash)
{
    struct flow_it it = {0};
    uint32_t v;

    while ((v = flow_next(&t->flow, hash, &it)) != FLOW_NONE) {
        if (same_tuple(tuple_of(t, v), tuple))
            return v;
    }
    return FLOW_NONE;
}

static uint64_t hash_for(const struct tcp *t, const struct tcp_tuple *tuple, uint32_t slot)
{
    if (slot && same_tuple(&t->ahead[slot - 1].tuple, tuple))
        return t->ahead[slot - 1].hash;
    return tcp_hash(t, tuple);
}

struct tcp_conn *tcp_find_conn(struct tcp *t, const struct tcp_tuple *tuple, uint32_t slot)
{
    uint32_t v = lookup(t, tuple, hash_for(t, tuple, slot));

    if (v == FLOW_NONE || flow_kind_of(v) != FLOW_CONN)
        return NULL;
    return (struct tcp_conn *)pool_at(&t->conns, flow_index_of(v));
}

static bool csum_ok(struct tcp *t, struct nbuf *m, const struct tcp_seg *s, const struct tcp_rx *rx)
{
    if (nbuf_rx_csum(m) == NBUF_CSUM_GOOD ||
        tcp_wire_sum(m, s->hdr_b + s->len, &rx->src, &rx->dst) == 0xffff)
        return true;
    tcp_count(t, TCP_CTR_IN_CSUM);
    return false;
}

/* No connection, request or TIME_WAIT knows it. Takes m. */
static void no_state(struct tcp *t, const struct tcp_tuple *tuple, uint64_t hash, struct nbuf *m,
                     const struct tcp_seg *s, const struct tcp_rx *rx)
{
    if (s->flags & TCP_RST) {
        nbuf_put_chain(m);
        return;
    }
    if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        tcp_syn_arrives(t, tuple, hash, s, 0);
        nbuf_put_chain(m);
        return;
    }
    if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_ACK && tcp_cookie_ack(t, tuple, hash, m, s, rx))
        return;
    tcp_count(t, TCP_CTR_NO_CONN);
    tcp_reply_rst(t, tuple, s);
    nbuf_put_chain(m);
}

void tcp_ahead(struct tcp *t, uint32_t slot, const struct tcp_tuple *tuple)
{
    struct tcp_ahead *a = &t->ahead[slot - 1];

    a->tuple = *tuple;
    a->hash = tcp_hash(t, tuple);
    flow_prefetch(&t->flow, a->hash);
}

/* The lines that a segment in order reads and writes. */
void tcp_ahead_conn(struct tcp *t, uint32_t slot)
{
    struct flow_it it = {0};
    uint32_t v = flow_next(&t->flow, t->ahead[slot - 1].hash, &it);
    const uint8_t *c;

    if (v == FLOW_NONE || flow_kind_of(v) != FLOW_CONN)
        return;
    c = (const uint8_t *)pool_at(&t->conns, flow_index_of(v));
    for (uint32_t i = 0; i < AHEAD_LINES; i++)
        __builtin_prefetch(c + 64 * i, 1);
}

void tcp_input(struct tcp *t, struct nbuf *m, const struct tcp_rx *rx)
{
    struct tcp_seg s;
    struct tcp_tuple tuple;
    uint64_t hash;
    uint32_t v;

    tcp_count(t, TCP_CTR_IN_SEGS);
    if (!tcp_wire_parse(m, &s) || s.sport == 0 || s.dport == 0) {
        tcp_count(t, TCP_CTR_IN_ERRS);
        nbuf_put_chain(m);
        return;
    }
    if (!csum_ok(t, m, &s, rx)) {
        nbuf_put_chain(m);
        return;
    }
    memset(&tuple, 0, sizeof(tuple));
    tuple.laddr = rx->dst;
    tuple.raddr = rx->src;
    tuple.lport = s.dport;
    tuple.rport = s.sport;
    hash = hash_for(t, &tuple, rx->ahead);
    v = lookup(t, &tuple, hash);
    if (v == FLOW_NONE) {
        no_state(t, &tuple, hash, m, &s, rx);
        return;
    }
    switch (flow_kind_of(v)) {
    case FLOW_CONN:
        tcp_segment(t, (struct tcp_conn *)pool_at(&t->conns, flow_index_of(v)), m, &s, rx);
        return;
    case FLOW_REQ:
        tcp_req_segment(t, (struct tcp_req *)pool_at(&t->reqs, flow_index_of(v)), m, &s, rx);
        return;
    case FLOW_TW:
        tcp_tw_segment(t, (struct tcp_tw *)pool_at(&t->tws, flow_index_of(v)), hash, &tuple, &s);
        nbuf_put_chain(m);
        return;
    }
}

/* --- the lists of one turn --- */

void tcp_want_up(struct tcp *t, struct tcp_conn *c, uint8_t ev)
{
    c->ev |= ev;
    if (c->flags & (TCPF_UP | TCPF_ORPHAN))
        return;
    c->flags |= TCPF_UP;
    c->next_up = NULL;
    *t->up_end = c;
    t->up_end = &c->next_up;
}

void tcp_want_out(struct tcp *t, struct tcp_conn *c)
{
    if (c->flags & TCPF_OUT)
        return;
    c->flags |= TCPF_OUT;
    c->next_out = NULL;
    *t->out_end = c;
    t->out_end = &c->next_out;
}

/* One event with all that applies. The owner may close the connection in it. */
static void upcall(struct tcp_conn *c)
{
    uint32_t ev = c->ev;

    c->ev = 0;
    if (c->flags & TCPF_ORPHAN || !c->s.owner_ops || ev == 0)
        return;
    if (ev & STREAM_EV_CLOSED)
        ev = STREAM_EV_CLOSED;
    c->s.owner_ops->on_event(c->s.owner, &c->s, ev);
}

void tcp_upcalls(struct tcp *t)
{
    while (t->up) {
        struct tcp_conn *c = t->up;

        t->up = c->next_up;
        if (!t->up)
            t->up_end = &t->up;
        c->flags &= ~TCPF_UP;
        upcall(c);
    }
}

void tcp_flush(struct tcp *t)
{
    struct tcp_conn *c = t->out;

    t->out = NULL;
    t->out_end = &t->out;
    while (c) {
        struct tcp_conn *next = c->next_out;

        c->flags &= ~TCPF_OUT;
        c->next_out = NULL;
        if (!(c->flags & TCPF_DEAD))
            tcp_output(t, c);
        c = next;
    }
}

void tcp_timers(struct tcp *t)
{
    wheel_advance(&t->wheel, t->now_ns, TCP_TIMERS_MAX, tcp_timer_fired, t);
    tcp_req_timers(t);
    tcp_tw_timers(t);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t tcp_next_deadline(const struct tcp *t)
{
    if (t->again || t->up || t->out || t->dead)
        return t->now_ns;
    return earlier(wheel_next_deadline(&t->wheel),
                   earlier(tcp_req_deadline(t), tcp_tw_deadline(t)));
}

bool tcp_take_rst(struct tcp *t, const struct ip_addr *peer)
{
    if (t->rsts_left) {
        t->rsts_left--;
        return true;
    }
    tcp_at_bound(t, TCP_CTR_RST_LIMIT, BOUND_RESETS, peer);
    return false;
}

bool tcp_take_challenge(struct tcp *t, const struct ip_addr *peer)
{
    if (t->challenges_left) {
        t->challenges_left--;
        tcp_count(t, TCP_CTR_CHALLENGE);
        return true;
    }
    tcp_at_bound(t, TCP_CTR_CHALLENGE_SKIP, BOUND_CHALLENGE_ACKS, peer);
    return false;
}

uint32_t tcp_bufs_to_write(struct tcp *t, const struct ip_addr *peer)
{
    uint32_t n = nbuf_pool_free(t->env.pool);

    /* Receiving, headers and ACKs must go on when writers have taken their part. */
    if (n > t->pool_reserve && t->tx_used_b < t->set.tx_budget_b)
        return n - t->pool_reserve;
    tcp_at_bound(t, TCP_CTR_TX_MEMORY, BOUND_TX_MEMORY, peer);
    return 0;
}
