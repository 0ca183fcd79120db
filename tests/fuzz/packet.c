/**
 * Target: sequences of frames against a live stack (l3 and tcp), in virtual time, with an application that
 * echoes what it reads and one connection of its own.
 *
 * The input is a list of steps, each one byte of kind and its bytes:
 *   0 raw frame: length (2), bytes        1 segment with true headers and checksums: see segment()
 *   2 time passes: 2 bytes of 64 us       3 the application closes (bit 0: aborts) its n-th stream
 *   4 connect out                         5 the application stops or starts reading
 *   6 a segment's answer: ACK of all that was sent to the peer, so that states go on
 *   7 the application writes              8 ACK of a part, with a SACK block
 *   9 ICMP error about the last segment   10 the application ends its side of the n-th stream
 *  11 the peer speaks the other IP        12 SYNs from many ports
 *  13 raw frame, its checksums and lengths put right
 * What must hold at the end: connections closed and time gone by, all buffers are back.
 */
#include "base/bytes.h"
#include "core/icmp.h"
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
    struct ip_addr us[2], peer[2]; /* IPv4, IPv6 */
    bool six;                      /* the family that the peer speaks now */
    struct stream *streams[STREAMS];
    bool reading;
    /* Of the segment that was last sent to the peer. */
    uint32_t seq_next, ack;
    uint16_t our_port, peer_port;
    struct ip_addr src, dst;
    uint8_t head[20];
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
    core_icmp_error(((const struct world *)ctx)->tcp, e);
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
    w->src = tx->src;
    w->dst = tx->dst;
    memcpy(w->head, h, sizeof(w->head));
    l3_output(w->l3, m, &(struct l3_out){tx->src, tx->dst, tx->ecn, 0, 0}, w->now);
}

static bool route(void *ctx, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu)
{
    return l3_route(((struct world *)ctx)->l3, dst, src, mtu);
}

static void progress(void *ctx, const struct ip_addr *dst)
{
    struct world *w = (struct world *)ctx;

    l3_confirm(w->l3, dst, w->now);
}

static void doubt(void *ctx, const struct ip_addr *dst)
{
    struct world *w = (struct world *)ctx;

    l3_doubt(w->l3, dst, w->now);
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

/* Lengths and checksums of IP and ICMP. */
static void mend(uint8_t *f, uint32_t len)
{
    uint8_t *ip = f + ETH_HDR_B;

    if (len >= ETH_HDR_B + IP6_HDR_B + 8 && get_u16(f + 12) == ETH_TYPE_IP6) {
        uint32_t n = len - ETH_HDR_B - IP6_HDR_B;
        struct ip_addr src, dst;

        memcpy(src.b, ip + 8, 16);
        memcpy(dst.b, ip + 24, 16);
        put_u16(ip + 4, (uint16_t)n);
        put_u16(ip + 42, 0);
        put_u16(ip + 42, (uint16_t)~wire_sum(span_of(ip + IP6_HDR_B, n),
                                             ip6_pseudo(&src, &dst, IP_PROTO_ICMP6, n)));
    } else if (len >= ETH_HDR_B + IP4_HDR_B + 8 && get_u16(f + 12) == ETH_TYPE_IP4) {
        put_u16(ip + 2, (uint16_t)(len - ETH_HDR_B));
        put_u16(ip + 10, 0);
        put_u16(ip + 10, (uint16_t)~wire_sum(span_of(ip, IP4_HDR_B), 0));
        put_u16(ip + 22, 0);
        put_u16(ip + 22, (uint16_t)~wire_sum(span_of(ip + 20, len - ETH_HDR_B - 20), 0));
    }
}

static void raw(struct world *w, struct reader *r, bool mended)
{
    uint32_t n = take(r, 2) % 1600;
    struct span bytes = take_span(r, n);
    uint8_t f[1600];

    memcpy(f, bytes.p, bytes.len);
    if (mended)
        mend(f, (uint32_t)bytes.len);
    frame(w, span_of(f, bytes.len));
}

/* Ethernet and IP from the peer to us; returns their length. */
static uint32_t headers(uint8_t *f, const struct ip_addr *src, const struct ip_addr *dst,
                        uint8_t proto, uint16_t payload)
{
    bool v4 = ip_is_v4(src);
    struct eth e = {.dst = our_mac,
                    .src = peer_mac,
                    .type = v4 ? ETH_TYPE_IP4 : ETH_TYPE_IP6,
                    .len = ETH_HDR_B};

    eth_write(f, &e);
    if (v4)
        ip4_write(f + ETH_HDR_B, src, dst, proto, 0, payload);
    else
        ip6_write(f + ETH_HDR_B, src, dst, proto, 0, payload, 0, 64);
    return ETH_HDR_B + (v4 ? IP4_HDR_B : IP6_HDR_B);
}

struct seg {
    uint16_t from, to, window;
    uint32_t seq, ack;
    uint8_t flags;
    struct span opts, body;
};

/* What the peer would send next: an ACK of all that it got. */
static struct seg next_ack(const struct world *w)
{
    return (struct seg){.from = w->peer_port,
                        .to = w->our_port,
                        .window = 65535,
                        .seq = w->ack,
                        .ack = w->seq_next,
                        .flags = 0x10};
}

static void emit(struct world *w, const struct seg *s)
{
    const struct ip_addr *src = &w->peer[w->six], *dst = &w->us[w->six];
    uint8_t f[ETH_HDR_B + IP6_HDR_B + 60 + 256] = {0};
    uint32_t hdr = 20 + (((uint32_t)s->opts.len + 3) & ~3u), len = hdr + (uint32_t)s->body.len;
    uint32_t below = headers(f, src, dst, IP_PROTO_TCP, (uint16_t)len);
    uint8_t *t = f + below;
    struct nbuf *m;

    put_u16(t, s->from);
    put_u16(t + 2, s->to);
    put_u32(t + 4, s->seq);
    put_u32(t + 8, s->ack);
    t[12] = (uint8_t)(hdr / 4 << 4);
    t[13] = s->flags;
    put_u16(t + 14, s->window);
    if (s->opts.len)
        memcpy(t + 20, s->opts.p, s->opts.len);
    if (s->body.len)
        memcpy(t + hdr, s->body.p, s->body.len);
    m = nbuf_get(&w->pool);
    if (!m)
        return;
    memcpy(nbuf_add(m, len), t, len);
    put_u16(t + 16, (uint16_t)~tcp_wire_sum(m, len, src, dst));
    nbuf_put_chain(m);
    frame(w, span_of(f, below + len));
}

/* flags, ports (bit 0: a new connection to the listener), seq and ack as differences, window, options, payload */
static void segment(struct world *w, struct reader *r)
{
    struct seg s = next_ack(w);
    uint8_t how = (uint8_t)take(r, 1);
    int32_t dseq, dack;

    s.flags = (uint8_t)take(r, 1);
    dseq = (int16_t)take(r, 2);
    dack = (int16_t)take(r, 2);
    s.window = (uint16_t)take(r, 2);
    s.opts = take_span(r, (take(r, 1) & 10) * 4u);
    s.body = take_span(r, take(r, 1));
    if (how & 1) {
        s.from = (uint16_t)(1000 + (how >> 4));
        s.to = 443;
    }
    s.seq = how & 2 ? (uint32_t)dseq * 65537u : s.seq + (uint32_t)dseq;
    s.ack = how & 4 ? (uint32_t)dack * 65537u : s.ack + (uint32_t)dack;
    emit(w, &s);
}

/* All up to `back` bytes ago is acknowledged, and `size` bytes from `from` bytes behind that. */
static void sack(struct world *w, struct reader *r)
{
    uint32_t back = take(r, 2), from = take(r, 2), size = take(r, 2);
    struct seg s = next_ack(w);
    uint8_t opts[12] = {1, 1, 5, 10};

    s.ack -= back;
    put_u32(opts + 4, s.ack + from);
    put_u32(opts + 8, s.ack + from + size);
    s.opts = span_of(opts, sizeof(opts));
    emit(w, &s);
}

static void flood(struct world *w, uint32_t n)
{
    for (uint32_t i = 0; i < n % 32; i++) {
        struct seg s = {.from = (uint16_t)(2000 + i), .to = 443, .window = 65535, .flags = 2};

        emit(w, &s);
    }
}

static void icmp_error(struct world *w, struct reader *r)
{
    static const uint8_t types[2][4] = {{3, 11, 12, 3}, {1, 2, 3, 4}};
    bool v6 = !ip_is_v4(&w->dst);
    uint32_t hdr = v6 ? IP6_HDR_B : IP4_HDR_B;
    uint8_t f[ETH_HDR_B + 2 * IP6_HDR_B + 8 + 20] = {0}, *p;
    uint32_t len = headers(f, &w->dst, &w->src, v6 ? IP_PROTO_ICMP6 : IP_PROTO_ICMP,
                           (uint16_t)(8 + hdr + sizeof(w->head)));

    if (ip_is_any(&w->dst))
        return; /* nothing was sent */
    p = f + len;
    p[0] = types[v6][take(r, 1) % 4];
    p[1] = (uint8_t)(take(r, 1) % 16);
    put_u16(p + 6, (uint16_t)take(r, 2)); /* MTU */
    if (v6)
        ip6_write(p + 8, &w->src, &w->dst, IP_PROTO_TCP, 0, sizeof(w->head), 0, 64);
    else
        ip4_write(p + 8, &w->src, &w->dst, IP_PROTO_TCP, 0, sizeof(w->head));
    memcpy(p + 8 + hdr, w->head, sizeof(w->head));
    len += 8 + hdr + (uint32_t)sizeof(w->head);
    mend(f, len);
    frame(w, span_of(f, len));
}

static void pass(struct world *w, uint64_t ns)
{
    w->now += ns;
    /* A core that sleeps until the next deadline has to come to sleep: what is due is done after some turns. */
    for (int i = 0; i < 8; i++) {
        tcp_begin(w->tcp, w->now);
        settle(w);
        if (tcp_next_deadline(w->tcp) > w->now && l3_next_deadline(w->l3) > w->now)
            return;
    }
    FUZZ_MUST(!"work without end");
}

static void app_writes(struct world *w, uint32_t which, uint32_t n)
{
    static const uint8_t zeros[65536];
    struct stream *s = w->streams[which % STREAMS];
    uint32_t space = s ? stream_tx_space(s) : 0;

    n = n < space ? n : space;
    if (n)
        FUZZ_MUST(stream_write(s, span_of(zeros, n)));
    settle(w);
}

static void app_ends(struct world *w, uint32_t which)
{
    if (w->streams[which % STREAMS])
        stream_shutdown(w->streams[which % STREAMS]);
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
    struct tcp_connect how = {.remote = {.addr = w->peer[w->six], .port = 80}};
    enum stream_why why;
    struct stream *s = tcp_connect(w->tcp, &how, &owner, w, &why);

    if (s && !keep(w, s))
        stream_abort(s);
    settle(w);
}

static void begin(struct world *w)
{
    struct l3_port port = {.mac = our_mac, .mtu = 1500, .address_count = 2};
    struct l3_env l3 = {.ctx = w,
                        .pool = &w->pool,
                        .rng = &w->rng,
                        .tx = tx_frame,
                        .tcp = to_tcp,
                        .icmp_error = to_tcp_icmp,
                        .announces = true};
    struct tcp_env env = {.ctx = w,
                          .pool = &w->pool,
                          .rng = &w->rng,
                          .output = from_tcp,
                          .route = route,
                          .confirm = progress,
                          .doubt = doubt};
    struct tcp_settings set;
    uint8_t seed[RNG_SEED_B] = {1};
    struct endpoint at;

    memset(w, 0, sizeof(*w));
    w->now = 1000000000;
    w->reading = true;
    rng_init(&w->rng, seed);
    FUZZ_MUST(IS_OK(ip_parse(SPAN_LIT("10.0.0.1"), &w->us[0])) &&
              IS_OK(ip_parse(SPAN_LIT("10.0.0.2"), &w->peer[0])) &&
              IS_OK(ip_parse(SPAN_LIT("fd00::1"), &w->us[1])) &&
              IS_OK(ip_parse(SPAN_LIT("fd00::2"), &w->peer[1])));
    w->pool = (struct nbuf_pool){.cap = BUFS};
    port.addresses[0] = (struct ip_prefix){w->us[0], 120};
    port.addresses[1] = (struct ip_prefix){w->us[1], 64};
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
    for (int i = 0; i < 2; i++) {
        at = (struct endpoint){.addr = w->us[i], .port = 443};
        FUZZ_MUST(IS_OK(tcp_listen(w->tcp, &at, on_accept, w)));
        l3_heard(w->l3, 0, &w->peer[i], &peer_mac, true, w->now);
    }
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

static void step(struct world *w, struct reader *r)
{
    struct seg ack = next_ack(w);
    uint32_t n;

    switch (take(r, 1) % 14) {
    case 0:
        raw(w, r, false);
        break;
    case 1:
        segment(w, r);
        break;
    case 2:
        pass(w, (uint64_t)take(r, 2) * 64000);
        break;
    case 3:
        let_go(w, take(r, 1));
        break;
    case 4:
        connect_out(w);
        break;
    case 5:
        w->reading = !w->reading;
        settle(w);
        break;
    case 6:
        emit(w, &ack);
        break;
    case 7:
        n = take(r, 1);
        app_writes(w, n, take(r, 2));
        break;
    case 8:
        sack(w, r);
        break;
    case 9:
        icmp_error(w, r);
        break;
    case 10:
        app_ends(w, take(r, 1));
        break;
    case 11:
        w->six = !w->six;
        break;
    case 12:
        flood(w, take(r, 1));
        break;
    default:
        raw(w, r, true);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = {data, size < 8192 ? size : 8192};
    static struct world w;

    begin(&w);
    while (r.left)
        step(&w, &r);
    end(&w);
    return 0;
}
