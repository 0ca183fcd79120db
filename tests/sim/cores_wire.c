/* The wire between two hosts, and what their devices make of frames. */
#include "sim/cores.h"
#include "sim/cut.h"

#include "base/must.h"

#define FRAME_B  2048u
#define PER_RING 64u

static struct cores_host *other(const struct cores_host *h)
{
    return &h->world->host[h == &h->world->host[0]];
}

static bool is_icmp(struct span f)
{
    return get_u16(f.p + 12) == ETH_TYPE_IP4 ? f.p[23] == IP_PROTO_ICMP : f.p[20] == IP_PROTO_ICMP6;
}

/* What the receiver's device makes of a frame. Errors about a flow never find its owner's queue. */
static uint32_t queue_of(struct cores_host *to, struct rng *rng, struct span f,
                         struct cores_wired *meta)
{
    struct ip_addr src, dst;
    uint16_t sport, dport;

    *meta = (struct cores_wired){0, 0};
    if (!steer_tuple(f, &src, &dst, &sport, &dport))
        return rng_below(rng, to->queues);
    if (is_icmp(f))
        return (steer_owner(&to->handoff.steer, &src, &dst, sport, dport) + 1) % to->queues;
    switch (to->spread) {
    case SPREAD_FIRST:
        return 0;
    case SPREAD_ANY:
        return rng_below(rng, to->queues);
    case SPREAD_RSS:
    case SPREAD_KEY:
        break;
    }
    *meta = (struct cores_wired){steer_hash(&to->device, &src, &dst, sport, dport), 1};
    return steer_owner_of_hash(&to->device, meta->hash) % to->queues;
}

static void wire_send(void *ctx, struct span f)
{
    struct cores_core *c = (struct cores_core *)ctx;
    struct cores_world *w = c->host->world;
    struct cores_host *to = other(c->host);
    struct cores_wired meta;
    uint32_t q = queue_of(to, &c->rng, f, &meta);
    uint8_t *at;

    if (__atomic_load_n(&w->dark, __ATOMIC_RELAXED) || rng_below(&c->rng, 1000000) < w->cfg.loss)
        return;
    at = (uint8_t *)ring_reserve(&to->core[q].wire[c->id], 0, (uint32_t)(sizeof(meta) + f.len));
    if (!at) {
        ctr_add(&c->stats.crowded, 1);
        return;
    }
    memcpy(at, &meta, sizeof(meta));
    memcpy(at + sizeof(meta), f.p, f.len);
    ring_commit(&to->core[q].wire[c->id], (uint32_t)(sizeof(meta) + f.len));
}

static void copy_frame(struct cores_core *c, struct span f, bool out)
{
    if (capture_is_on(&c->capture))
        capture_frame(&c->capture, &f, 1, out, 0, c->now_ns);
}

void cores_transmit(struct cores_core *c, struct nbuf *m)
{
    uint8_t f[FRAME_B];
    uint32_t len = 0;

    for (struct nbuf *i = m; i; i = nbuf_next(i)) {
        MUST(len + nbuf_len(i) <= sizeof(f));
        memcpy(f + len, nbuf_data(i), nbuf_len(i));
        len += nbuf_len(i);
    }
    nbuf_put_chain(m);
    c->gave++;
    copy_frame(c, span_of(f, len), true);
    if (c->host->world->cfg.cut_b)
        cut_frame(span_of(f, len), c->host->world->cfg.cut_b, c->id << 13 | (c->cut_id++ & 0x1fff),
                  wire_send, c);
    else
        wire_send(c, span_of(f, len));
}

/* A router on the way: the packet is too large for what comes next (RFC 1191 3, RFC 8201 3). */
static bool refused_by_router(struct cores_core *c, struct span f)
{
    struct eth e = {.dst = {{0}}, .src = {{2, 0, 0, 0, 9, 9}}, .len = ETH_HDR_B};
    bool v4 = get_u16(f.p + 12) == ETH_TYPE_IP4;
    uint32_t hdr = v4 ? IP4_HDR_B : IP6_HDR_B, body = 8 + hdr + 8;
    uint16_t mtu = c->host->world->cfg.path_mtu;
    struct ip_addr from =
        v4 ? ip_v4(0x0a000063) : (struct ip_addr){{0x20, 1, 0xd, 0xb8, [15] = 99}};
    struct ip_addr to;
    uint8_t out[128], *icmp = out + ETH_HDR_B + hdr;

    if (!mtu || f.len <= ETH_HDR_B + mtu)
        return false;
    memset(out, 0, sizeof(out));
    memcpy(e.dst.b, f.p + 6, 6);
    e.type = get_u16(f.p + 12);
    eth_write(out, &e);
    icmp[0] = v4 ? 3 : 2;
    icmp[1] = v4 ? 4 : 0;
    put_u16(icmp + 6, mtu);
    memcpy(icmp + 8, f.p + ETH_HDR_B, hdr + 8);
    if (v4) {
        to = ip_v4_wire(f.p + ETH_HDR_B + 12);
        ip4_write(out + ETH_HDR_B, &from, &to, IP_PROTO_ICMP, 0, (uint16_t)body);
    } else {
        memcpy(to.b, f.p + ETH_HDR_B + 8, 16);
        ip6_write(out + ETH_HDR_B, &from, &to, IP_PROTO_ICMP6, 0, (uint16_t)body, 0, 64);
    }
    put_u16(icmp + 2, (uint16_t)~wire_sum(span_of(icmp, body),
                                          v4 ? 0 : ip6_pseudo(&from, &to, IP_PROTO_ICMP6, body)));
    wire_send(c, span_of(out, ETH_HDR_B + hdr + body));
    return true;
}

uint32_t cores_poll_wire(struct cores_core *c)
{
    uint32_t total = 0;

    for (uint32_t from = 0; from < other(c->host)->cores; from++) {
        struct ring *r = &c->wire[from];
        struct span record, f;
        struct cores_wired meta;
        uint16_t kind;

        for (uint32_t n = 0; n < PER_RING && ring_peek(r, &kind, &record); n++) {
            memcpy(&meta, record.p, sizeof(meta));
            f = span_from(record, sizeof(meta));
            copy_frame(c, f, false);
            if (!refused_by_router(c, f))
                cores_received(c, f, &meta);
            ring_next(r);
            total++;
        }
    }
    return total;
}
