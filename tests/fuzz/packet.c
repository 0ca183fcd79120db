/**
 * Target: sequences of frames against a live stack (l3 and tcp), in virtual time, with an application that
 * echoes what it reads and one connection of its own.
 *
 * The input is a list of steps, each one byte of kind and its bytes:
 *   0 raw frame: length (2), bytes        1 segment with true headers and checksums: see `struct seg`
 *   2 time passes: 2 bytes of 64 us       3 the application closes (bit 0: aborts) its n-th stream
 *   4 connect out                         5 the application stops or starts reading
 *   6 a segment's answer: ACK of all that was sent to the peer, so that states go on
 * What must hold at the end: connections closed and time gone by, all buffers are back.
 */
#include "base/bytes.h"
#include "fuzz/fuzz.h"
#include "net/l3.h"
#include "tcp/seq.h"
#include "tcp/tcp.h"
#include "tcp/wire.h"

#include <string.h>

#define STREAMS 8
#define BUFS    2048

static const struct mac our_mac = {{2, 0, 0, 0, 0, 1}}, peer_mac = {{2, 0, 0, 0, 0, 2}};

struct world {
    uint64_t now;
    struct rng rng;
    struct nbuf_pool pool;
    struct l3 *l3;
    struct tcp *tcp;
    struct ip_addr us, peer;
    struct stream *streams[STREAMS];
    bool reading;
    /* Of the segment that was last sent to the peer. */
    uint32_t seq_next, ack;
    uint16_t our_port, peer_port;
};

static void forget(struct world *w, const struct stream *s)
{
    for (int i = 0; i < STREAMS; i++) {
        if (w->streams[i] == s)
            w->streams[i] = NULL;
    }
}

static void echo(struct world *w, struct stream *s)
{
    struct span v[4];
    uint32_t n;

    while (w->reading && (n = stream_peek(s, v, 4)) > 0) {
        uint32_t space = stream_tx_space(s);
        struct span part = span_first(v[0], space);

        if (part.len == 0)
            return;
        FUZZ_MUST(stream_write(s, part));
        stream_consume(s, (uint32_t)part.len);
    }
}

static void on_event(void *owner, struct stream *s, uint32_t events)
{
    struct world *w = (struct world *)owner;

    if (events & STREAM_EV_CLOSED) {
        forget(w, s);
        stream_close(s);
        return;
    }
    echo(w, s);
    if (w->reading && stream_at_eof(s)) {
        forget(w, s);
        stream_close(s);
    }
}

static const struct stream_owner owner = {.on_event = on_event};

static bool keep(struct world *w, struct stream *s)
{
    for (int i = 0; i < STREAMS; i++) {
        if (!w->streams[i]) {
            w->streams[i] = s;
            return true;
        }
    }
    return false;
}

static bool on_accept(void *ctx, struct stream *s, const struct tcp_tuple *tuple)
{
    struct world *w = (struct world *)ctx;

    (void)tuple;
    if (!keep(w, s))
        return false;
    stream_set_owner(s, &owner, w);
    return true;
}

/* --- glue, as core/core.c has it --- */

static void tx_frame(void *ctx, uint8_t port, struct nbuf *m)
{
    (void)ctx, (void)port;
    nbuf_put_chain(m);
}

static void to_tcp(void *ctx, struct nbuf *m, const struct l3_segment *s)
{
    struct tcp_rx rx = {s->src, s->dst, s->arrived_ns, s->ecn};

    tcp_input(((struct world *)ctx)->tcp, m, &rx);
}

static void to_tcp_icmp(void *ctx, const struct l3_icmp_error *e)
{
    struct tcp_tuple t;

    memset(&t, 0, sizeof(t));
    t.laddr = e->src;
    t.raddr = e->dst;
    t.lport = e->sport;
    t.rport = e->dport;
    tcp_icmp_error(((struct world *)ctx)->tcp, &t, e->seq, (enum tcp_icmp)e->what, e->mtu);
}

static void from_tcp(void *ctx, struct nbuf *m, const struct tcp_tx *tx)
{
    struct world *w = (struct world *)ctx;
    const uint8_t *h = nbuf_data(m);
    uint32_t len = 0;

    for (struct nbuf *p = m; p; p = nbuf_next(p))
        len += nbuf_len(p);
    FUZZ_MUST(len >= tx->hdr_b && tx->hdr_b >= 20);
    w->our_port = get_u16(h);
    w->peer_port = get_u16(h + 2);
    w->seq_next = get_u32(h + 4) + len - tx->hdr_b + ((h[13] & 1) != 0) + ((h[13] & 2) != 0);
    w->ack = get_u32(h + 8);
    l3_output(w->l3, m, &tx->src, &tx->dst, tx->ecn, w->now);
}

static bool route(void *ctx, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu)
{
    return l3_route(((struct world *)ctx)->l3, dst, src, mtu);
}

static void settle(struct world *w)
{
    tcp_timers(w->tcp);
    l3_timers(w->l3, w->now);
    tcp_upcalls(w->tcp);
    tcp_flush(w->tcp);
}

static void frame(struct world *w, struct span bytes)
{
    struct nbuf *m = nbuf_get(&w->pool);

    if (!m)
        return;
    memcpy(nbuf_add(m, (uint32_t)bytes.len), bytes.p, bytes.len);
    l3_input(w->l3, 0, m, w->now);
    settle(w);
}

/* --- steps --- */

struct reader {
    const uint8_t *p;
    size_t left;
};

static uint32_t take(struct reader *r, unsigned bytes)
{
    uint32_t v = 0;

    while (bytes--) {
        v = v << 8 | (r->left ? *r->p : 0);
        if (r->left) {
            r->p++;
            r->left--;
        }
    }
    return v;
}

static struct span take_span(struct reader *r, size_t n)
{
    struct span s = span_of(r->p, n < r->left ? n : r->left);

    r->p += s.len;
    r->left -= s.len;
    return s;
}

static void raw(struct world *w, struct reader *r)
{
    uint32_t n = take(r, 2) % 1600;

    frame(w, take_span(r, n));
}

/* flags, ports (bit 0: a new connection to the listener), seq and ack as differences, window, options, payload */
static void segment(struct world *w, struct reader *r, bool plain_ack)
{
    uint8_t f[14 + 20 + 60 + 256];
    uint8_t how = plain_ack ? 0 : (uint8_t)take(r, 1);
    uint8_t flags = plain_ack ? 0x10 : (uint8_t)take(r, 1);
    int32_t dseq = plain_ack ? 0 : (int16_t)take(r, 2), dack = plain_ack ? 0 : (int16_t)take(r, 2);
    uint16_t window = plain_ack ? 65535 : (uint16_t)take(r, 2);
    struct span opts = take_span(r, plain_ack ? 0 : (take(r, 1) & 10) * 4u);
    struct span body = take_span(r, plain_ack ? 0 : take(r, 1));
    struct eth e = {.dst = our_mac, .src = peer_mac, .type = ETH_TYPE_IP4, .len = ETH_HDR_B};
    uint32_t hdr = 20 + (((uint32_t)opts.len + 3) & ~3u), len = hdr + (uint32_t)body.len;
    uint8_t *t = f + 34;
    struct nbuf *m;

    memset(f, 0, sizeof(f));
    eth_write(f, &e);
    ip4_write(f + 14, &w->peer, &w->us, IP_PROTO_TCP, 0, (uint16_t)len);
    put_u16(t, how & 1 ? (uint16_t)(1000 + (how >> 4)) : w->peer_port);
    put_u16(t + 2, how & 1 ? 443 : w->our_port);
    put_u32(t + 4, how & 2 ? (uint32_t)dseq * 65537u : w->ack + (uint32_t)dseq);
    put_u32(t + 8, how & 4 ? (uint32_t)dack * 65537u : w->seq_next + (uint32_t)dack);
    t[12] = (uint8_t)(hdr / 4 << 4);
    t[13] = flags;
    put_u16(t + 14, window);
    memcpy(t + 20, opts.p, opts.len);
    memcpy(t + hdr, body.p, body.len);
    m = nbuf_get(&w->pool);
    if (!m)
        return;
    memcpy(nbuf_add(m, len), t, len);
    put_u16(t + 16, (uint16_t)~tcp_wire_sum(m, len, &w->peer, &w->us));
    nbuf_put_chain(m);
    frame(w, span_of(f, 34 + len));
}

static void pass(struct world *w, uint64_t ns)
{
    w->now += ns;
    tcp_begin(w->tcp, w->now);
    settle(w);
}

static void let_go(struct world *w, uint32_t which)
{
    struct stream *s = w->streams[which / 2 % STREAMS];

    if (!s)
        return;
    forget(w, s);
    if (which & 1)
        stream_abort(s);
    else
        stream_close(s);
    settle(w);
}

static void connect_out(struct world *w)
{
    struct tcp_connect how = {.remote = {.addr = w->peer, .port = 80}};
    enum stream_why why;
    struct stream *s = tcp_connect(w->tcp, &how, &owner, w, &why);

    if (s && !keep(w, s))
        stream_abort(s);
    settle(w);
}

static void begin(struct world *w)
{
    struct l3_port port = {.mac = our_mac, .mtu = 1500, .address_count = 1};
    struct l3_env l3 = {.ctx = w,
                        .pool = &w->pool,
                        .rng = &w->rng,
                        .tx = tx_frame,
                        .tcp = to_tcp,
                        .icmp_error = to_tcp_icmp,
                        .announces = true};
    struct tcp_env env = {
        .ctx = w, .pool = &w->pool, .rng = &w->rng, .output = from_tcp, .route = route};
    struct tcp_settings set;
    uint8_t seed[RNG_SEED_B] = {1};
    struct endpoint at;

    memset(w, 0, sizeof(*w));
    w->now = 1000000000;
    w->reading = true;
    rng_init(&w->rng, seed);
    FUZZ_MUST(IS_OK(ip_parse(SPAN_LIT("10.0.0.1"), &w->us)) &&
              IS_OK(ip_parse(SPAN_LIT("10.0.0.2"), &w->peer)));
    w->pool = (struct nbuf_pool){.cap = BUFS};
    port.addresses[0] = (struct ip_prefix){w->us, 120};
    tcp_settings_default(&set);
    set.port_lo = 40000; /* few, so that a run is short */
    set.port_hi = 40063;
    set.conns_max = 16;
    set.reqs_max = 8;
    set.tw_max = 16;
    set.orphans_max = 4;
    FUZZ_MUST(IS_OK(l3_new(&l3, &port, 1, w->now, &w->l3)));
    FUZZ_MUST(IS_OK(tcp_new(&set, &env, w->now, &w->tcp)));
    tcp_begin(w->tcp, w->now);
    at = (struct endpoint){.addr = w->us, .port = 443};
    FUZZ_MUST(IS_OK(tcp_listen(w->tcp, &at, on_accept, w)));
    l3_heard(w->l3, 0, &w->peer, &peer_mac, true, w->now);
}

static void end(struct world *w)
{
    struct tcp_gauges g;

    for (uint32_t i = 0; i < STREAMS; i++)
        let_go(w, 2 * i);
    for (int i = 0; i < 400; i++) /* longer than any timeout of the stack */
        pass(w, 5000000000u);
    tcp_gauges(w->tcp, &g);
    FUZZ_MUST(g.conns == 0 && g.reqs == 0 && g.time_wait == 0);
    FUZZ_MUST(g.rx_queued_b == 0 && g.tx_queued_b == 0);
    tcp_free(w->tcp);
    l3_free(w->l3);
    FUZZ_MUST(nbuf_pool_free(&w->pool) == BUFS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = {data, size < 8192 ? size : 8192};
    static struct world w;

    begin(&w);
    while (r.left) {
        switch (take(&r, 1) % 7) {
        case 0:
            raw(&w, &r);
            break;
        case 1:
            segment(&w, &r, false);
            break;
        case 2:
            pass(&w, (uint64_t)take(&r, 2) * 64000);
            break;
        case 3:
            let_go(&w, take(&r, 1));
            break;
        case 4:
            connect_out(&w);
            break;
        case 5:
            w.reading = !w.reading;
            settle(&w);
            break;
        default:
            segment(&w, &r, true);
        }
    }
    end(&w);
    return 0;
}
