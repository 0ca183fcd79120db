#include "sim/cut.h"

#include "base/must.h"

#define FRAME_B 65600u

struct cut {
    struct span frame, payload;
    uint32_t hdr_b, unit, id; /* hdr_b: Ethernet and IP */
    bool v4;
};

static bool can_be_cut(struct span f, struct cut *c)
{
    c->v4 = f.len > ETH_HDR_B && get_u16(f.p + 12) == ETH_TYPE_IP4;
    c->hdr_b = ETH_HDR_B + (c->v4 ? IP4_HDR_B : IP6_HDR_B);
    if (f.len <= c->hdr_b || (!c->v4 && get_u16(f.p + 12) != ETH_TYPE_IP6) ||
        f.p[ETH_HDR_B + (c->v4 ? 9 : 6)] != IP_PROTO_TCP)
        return false;
    c->payload = span_from(f, c->hdr_b);
    return c->payload.len > c->unit;
}

static struct span fragment(const struct cut *c, uint32_t at, uint8_t *to)
{
    struct span part = span_first(span_from(c->payload, at), c->unit);
    bool more = at + part.len < c->payload.len;
    uint8_t *h = to + ETH_HDR_B;
    uint32_t hdr = c->hdr_b;

    memcpy(to, c->frame.p, hdr);
    if (c->v4) {
        put_u16(h + 2, (uint16_t)(IP4_HDR_B + part.len));
        put_u16(h + 4, (uint16_t)c->id);
        put_u16(h + 6, (uint16_t)((more ? 0x2000 : 0) | at / 8));
        put_u16(h + 10, 0);
        put_u16(h + 10, (uint16_t)~wire_sum(span_of(h, IP4_HDR_B), 0));
    } else {
        put_u16(h + 4, (uint16_t)(IP6_FRAG_B + part.len));
        h[6] = 44;
        put_u16(to + hdr, IP_PROTO_TCP << 8);
        put_u16(to + hdr + 2, (uint16_t)(at | more));
        put_u32(to + hdr + 4, c->id);
        hdr += IP6_FRAG_B;
    }
    memcpy(to + hdr, part.p, part.len);
    return span_of(to, hdr + part.len);
}

void cut_frame(struct span f, uint32_t unit, uint32_t id, void (*out)(void *ctx, struct span frame),
               void *ctx)
{
    struct cut c = {.frame = f, .unit = unit, .id = id};
    uint8_t to[FRAME_B];
    uint32_t n;

    MUST(unit >= 8 && unit % 8 == 0 && f.len + IP6_FRAG_B <= sizeof(to));
    if (!can_be_cut(f, &c)) {
        out(ctx, f);
        return;
    }
    n = ((uint32_t)c.payload.len + unit - 1) / unit;
    for (uint32_t i = 0; i < n; i++)
        out(ctx, fragment(&c, unit * (id & 1 ? n - 1 - i : i), to));
}
