/* What the peer sends: anything, or what is right but for what the input says. */
#include "base/bytes.h"
#include "fuzz/l3_port.h"
#include "fuzz/packet.h"
#include "tcp/wire.h"

struct seg {
    uint16_t from, to, window;
    uint32_t seq, ack;
    uint8_t flags;
    struct span opts, body;
};

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

void peer_raw(struct world *w, struct reader *r, bool mended)
{
    uint32_t n = take(r, 2) % 1600;
    struct span bytes = take_span(r, n);
    uint8_t f[1600];

    memcpy(f, bytes.p, bytes.len);
    if (mended)
        mend(f, (uint32_t)bytes.len);
    world_frame(w, span_of(f, bytes.len));
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
    world_frame(w, span_of(f, below + len));
}

/* flags, ports (bit 0: a new connection to the listener), seq and ack as differences, window, options, payload */
void peer_segment(struct world *w, struct reader *r)
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
void peer_sack(struct world *w, struct reader *r)
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

void peer_flood(struct world *w, uint32_t n)
{
    for (uint32_t i = 0; i < n % 32; i++) {
        struct seg s = {.from = (uint16_t)(2000 + i), .to = 443, .window = 65535, .flags = 2};

        emit(w, &s);
    }
}

void peer_icmp_error(struct world *w, struct reader *r)
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
    world_frame(w, span_of(f, len));
}

/* All that was sent to the peer, so that states go on. */
void peer_ack(struct world *w)
{
    struct seg s = next_ack(w);

    emit(w, &s);
}
