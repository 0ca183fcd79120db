#include "sim/peer.h"

#include "base/bytes.h"
#include "base/must.h"

#include <stdlib.h>

uint8_t peer_pattern(uint64_t n)
{
    return (uint8_t)((n * 0x9e3779b97f4a7c15ULL + 7) >> 32);
}

/* --- what the stack sends --- */

static void note_out(struct peer *p, struct peer_seg *g)
{
    uint32_t end = g->s.seq + tcp_seg_space(&g->s);

    if ((g->s.flags & TCP_SYN) && !p->iss_known) {
        p->iss = g->s.seq;
        p->iss_known = true;
        p->snd_hi = g->s.seq;
    }
    if ((g->s.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
        p->lport = g->s.sport;
    if (g->s.has_ts)
        p->last_tsval = g->s.tsval;
    if (!(g->s.flags & TCP_RST) && p->iss_known && seq_gt(end, p->snd_hi))
        p->snd_hi = end;
    if (p->outs == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 64;
        p->out = (struct peer_seg *)realloc(p->out, p->cap * sizeof(*p->out));
    }
    p->sent++;
    if (!p->mute)
        p->out[p->outs++] = *g;
}

static void send_one(void *ctx, struct nbuf *m, const struct tcp_tx *tx)
{
    struct peer *p = (struct peer *)ctx;
    struct peer_seg g = {.at = p->now, .ecn = tx->ecn};
    uint32_t len = 0, at;

    for (struct nbuf *i = m; i; i = nbuf_next(i))
        len += nbuf_len(i);
    MUST(tcp_wire_parse(m, &g.s));
    MUST(tcp_wire_sum(m, len, &tx->src, &tx->dst) == 0xffff);
    MUST(len + (p->v6 ? 40u : 20u) <= p->mtu || g.s.len == 0);
    g.peer_port = g.s.dport;
    at = g.s.seq - p->iss - 1;
    for (uint32_t i = 0; p->iss_known && g.peer_port == p->apps[0].peer_port && i < g.s.len; i++)
        g.payload_wrong |= nbuf_data(m)[g.s.hdr_b + i] != peer_pattern(at + i);
    note_out(p, &g);
    nbuf_put_chain(m);
}

static void env_output(void *ctx, struct nbuf *m, const struct tcp_tx *tx)
{
    struct peer *p = (struct peer *)ctx;

    device_send(&p->device, &p->wire, m, tx, send_one, p);
}

static bool env_route(void *ctx, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu)
{
    struct peer *p = (struct peer *)ctx;

    (void)dst;
    if (ip_is_any(src))
        *src = p->us;
    *mtu = p->mtu;
    return true;
}

/* --- the application --- */

static void app_read(struct peer_app *a)
{
    while (a->s && stream_readable(a->s)) {
        struct span v[8];
        uint32_t n = stream_peek(a->s, v, 8), taken = 0;

        for (uint32_t i = 0; i < n; i++) {
            for (size_t k = 0; k < v[i].len; k++)
                a->wrong |= v[i].p[k] != peer_pattern(a->got + k);
            a->got += v[i].len;
            taken += (uint32_t)v[i].len;
        }
        stream_consume(a->s, taken);
    }
    if (a->s && stream_at_eof(a->s))
        a->eof = true;
}

static void app_send(struct peer_app *a)
{
    while (a->s && a->wrote < a->to_write) {
        uint32_t space = stream_tx_space(a->s), got;
        uint64_t left = a->to_write - a->wrote;
        uint8_t *to;

        if (space == 0)
            return;
        to = (uint8_t *)stream_reserve(a->s, (uint32_t)(left < space ? left : space), &got);
        if (!to)
            return;
        for (uint32_t i = 0; i < got; i++)
            to[i] = peer_pattern(a->wrote + i);
        stream_commit(a->s, got);
        a->wrote += got;
    }
}

static void on_event(void *owner, struct stream *s, uint32_t ev)
{
    struct peer_app *a = (struct peer_app *)owner;

    a->ev |= ev;
    if (ev & STREAM_EV_CLOSED) {
        a->why = stream_why(s);
        a->closed = true;
        stream_close(s);
        a->s = NULL;
        return;
    }
    if (ev & STREAM_EV_EOF)
        a->eof = true;
    if ((ev & STREAM_EV_READABLE) && a->answer) {
        a->to_write += a->answer;
        a->answer = 0;
    }
    if (a->reads)
        app_read(a);
    app_send(a);
}

static const struct stream_owner owner = {"peer_app", on_event};

static struct peer_app *app_new(struct peer *p, struct stream *s, uint16_t peer_port)
{
    struct peer_app *a = peer_app_of(p, peer_port);

    if (!a)
        a = &p->apps[p->app_n++ % PEER_TUPLES];
    *a = (struct peer_app){.s = s, .peer_port = peer_port, .reads = true};
    if (s)
        stream_set_owner(s, &owner, a);
    return a;
}

static bool accept_one(void *ctx, struct stream *s, const struct tcp_tuple *tuple)
{
    struct peer *p = (struct peer *)ctx;

    if (p->refuse)
        return false;
    app_new(p, s, tuple->rport);
    return true;
}

struct peer_app *peer_app_of(struct peer *p, uint16_t peer_port)
{
    for (uint32_t i = 0; i < p->app_n && i < PEER_TUPLES; i++) {
        if (p->apps[i].peer_port == peer_port)
            return &p->apps[i];
    }
    return NULL;
}

void peer_app_write(struct peer *p, struct peer_app *a, uint64_t n)
{
    (void)p;
    a->to_write += n;
    app_send(a);
}

/* --- life --- */

void peer_open(struct peer *p, bool v6)
{
    memset(p, 0, sizeof(*p));
    tcp_settings_default(&p->set);
    p->set.conns_max = 1024;
    p->set.reqs_max = 1024;
    p->set.tw_max = 1024;
    p->v6 = v6;
    p->mtu = 1500;
    p->irs = PEER_IRS;
    p->now = 5000000000000ULL;
    p->pool.cap = 100000;
    p->wire.cap = UINT32_MAX;
    p->us = ip_v4(0x0a000001);
    p->them = ip_v4(0x0a000002);
    if (v6) {
        p->us = (struct ip_addr){{0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
        p->them = (struct ip_addr){{0x20, 0x01, 0x0d, 0xb8, [15] = 2}};
    }
    rng_init_u64(&p->rng, 42);
}

void peer_start(struct peer *p)
{
    struct tcp_env env = {
        .ctx = p, .pool = &p->pool, .rng = &p->rng, .output = env_output, .route = env_route};

    env.offloads = device_offloads(&p->device);
    MUST(IS_OK(tcp_new(&p->set, &env, p->now, &p->t)));
    tcp_begin(p->t, p->now);
    memcpy(p->ctr0, p->t->ctr, sizeof(p->ctr0));
}

const char *peer_close(struct peer *p)
{
    const char *left = NULL;

    if (p->t) {
        tcp_free(p->t);
        left = p->pool.out || p->wire.out ? "buffers are left" : NULL;
    }
    free(p->out);
    p->out = NULL;
    p->t = NULL;
    return left;
}

void peer_listen(struct peer *p, uint16_t port)
{
    struct endpoint at = {p->us, port};

    MUST(IS_OK(tcp_listen(p->t, &at, accept_one, p)));
}

enum stream_why peer_connect(struct peer *p)
{
    struct tcp_connect how = {.remote = {p->them, PEER_PORT}};
    struct peer_app *a = app_new(p, NULL, PEER_PORT);
    enum stream_why why = STREAM_WHY_NONE;

    p->active = true;
    p->iss_known = false;
    tcp_begin(p->t, p->now);
    a->s = tcp_connect(p->t, &how, &owner, a, &why);
    peer_turn(p);
    return a->s ? STREAM_WHY_NONE : why;
}

struct tcp_conn *peer_conn(struct peer *p, uint16_t peer_port)
{
    for (uint32_t i = 0; i < p->t->conns.touched; i++) {
        struct tcp_conn *c = (struct tcp_conn *)pool_at(&p->t->conns, i);

        if (pool_live(&p->t->conns, i) && !(c->flags & TCPF_DEAD) && c->tuple.rport == peer_port)
            return c;
    }
    return NULL;
}

/* --- time --- */

void peer_turn(struct peer *p)
{
    tcp_timers(p->t);
    tcp_upcalls(p->t);
    tcp_flush(p->t);
    tcp_begin(p->t, p->now);
}

/* A turn takes time: a stack that wants one turn after the other must not stop the clock. */
#define TURN_NS 10000u

bool peer_wait(struct peer *p, uint64_t until)
{
    while (p->outs == 0) {
        uint64_t d = tcp_next_deadline(p->t);

        if (d <= p->now)
            d = p->now + TURN_NS;

        if (d > until) {
            if (until > p->now)
                p->now = until;
            tcp_begin(p->t, p->now);
            return false;
        }
        if (d > p->now)
            p->now = d;
        tcp_begin(p->t, p->now);
        peer_turn(p);
    }
    return true;
}

bool peer_take(struct peer *p, struct peer_seg *out)
{
    if (p->outs == 0)
        return false;
    *out = p->out[0];
    memmove(p->out, p->out + 1, --p->outs * sizeof(*p->out));
    return true;
}

/* --- what the peer sends --- */

static struct nbuf *build(struct peer *p, const struct peer_in *in, uint16_t lport)
{
    struct tcp_hdr_plan h = in->h;
    struct nbuf *m = nbuf_get(&p->wire);
    uint8_t *at, hdr_b;

    if (!m)
        return NULL;
    h.sport = in->peer_port;
    h.dport = lport;
    hdr_b = in->raw_options ? (uint8_t)(20 + in->raw_options_b) : tcp_wire_size(&h);
    at = (uint8_t *)nbuf_add(m, hdr_b + in->len);
    if (in->raw_options) {
        h = (struct tcp_hdr_plan){.sport = h.sport,
                                  .dport = h.dport,
                                  .seq = h.seq,
                                  .ack = h.ack,
                                  .flags = h.flags,
                                  .wnd = h.wnd,
                                  .wscale = -1};
        tcp_wire_write(at, 20, &h);
        memcpy(at + 20, in->raw_options, in->raw_options_b);
        at[12] = (uint8_t)(hdr_b / 4 << 4);
    } else {
        tcp_wire_write(at, hdr_b, &h);
    }
    if (in->offset_words)
        at[12] = (uint8_t)((in->offset_words - 1) << 4);
    at[12] |= in->reserved;
    put_u16(at + 18, in->urgent);
    for (uint32_t i = 0; i < in->len; i++)
        at[hdr_b + i] = peer_pattern(in->pattern_at + i) ^ in->fill;
    put_u16(at + 16, 0);
    put_u16(at + 16, (uint16_t)~tcp_wire_sum(m, nbuf_len(m), &p->them, &p->us));
    if (in->flip >= 0)
        at[in->flip] ^= 0x55;
    return m;
}

void peer_put(struct peer *p, const struct peer_in *in)
{
    struct tcp_rx rx = {
        .src = p->them, .dst = p->us, .arrived_ns = p->now - in->late_ns, .ecn = in->ecn};
    struct nbuf *m = build(p, in, p->active ? p->lport : PEER_PORT);

    tcp_begin(p->t, p->now);
    if (m)
        tcp_input(p->t, m, &rx);
    if (!in->no_turn)
        peer_turn(p);
}
