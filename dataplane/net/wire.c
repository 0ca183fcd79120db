#include "net/wire.h"

/* Extension headers are walked this far and no further (RFC 7045, RFC 9288: cheap to send, dear to read). */
#define EXT_MAX   4u
#define EXT_MAX_B 128u
#define OPT_PAD1  0
#define OPT_MUST \
    0xc0u /* with one of these bits, whoever does not know the option discards (RFC 8200 4.2) */

enum {
    EXT_HOP = 0,
    EXT_ROUTE = 43,
    EXT_FRAGMENT = 44,
    EXT_AUTH = 51,
    EXT_NONE = 59,
    EXT_DEST = 60
};

uint8_t eth_len(uint16_t vlan)
{
    return (uint8_t)(ETH_HDR_B + (vlan ? VLAN_HDR_B : 0));
}

bool eth_parse(struct span frame, struct eth *out)
{
    struct rd c = rd_of(frame);
    struct span dst = rd_span(&c, 6), src = rd_span(&c, 6);

    out->type = rd_u16(&c);
    out->vlan = 0;
    out->len = ETH_HDR_B;
    if (rd_ok(&c) && out->type == ETH_TYPE_VLAN) {
        out->vlan = rd_u16(&c) & 0x0fff;
        out->type = rd_u16(&c);
        out->len = ETH_HDR_B + VLAN_HDR_B;
    }
    if (!rd_ok(&c))
        return false;
    memcpy(out->dst.b, dst.p, 6);
    memcpy(out->src.b, src.p, 6);
    return true;
}

void eth_write(uint8_t *to, const struct eth *e)
{
    struct wr w = wr_of(to, eth_len(e->vlan));

    wr_bytes(&w, span_of(e->dst.b, 6));
    wr_bytes(&w, span_of(e->src.b, 6));
    if (e->vlan) {
        wr_u16(&w, ETH_TYPE_VLAN);
        wr_u16(&w, e->vlan);
    }
    wr_u16(&w, e->type);
}

uint16_t wire_sum(struct span s, uint32_t start)
{
    uint64_t sum = start;
    size_t i = 0;

    for (; i + 1 < s.len; i += 2)
        sum += get_u16(s.p + i);
    if (i < s.len)
        sum += (uint32_t)s.p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

uint32_t ip6_pseudo(const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto,
                    uint32_t len)
{
    return (uint32_t)wire_sum(span_of(src->b, 16), 0) + wire_sum(span_of(dst->b, 16), 0) + proto +
           (len >> 16) + (len & 0xffff);
}

enum ip_result ip4_parse(struct span packet, struct ip_hdr *out)
{
    const uint8_t *p = packet.p;
    uint16_t frag;

    if (packet.len < IP4_HDR_B || p[0] >> 4 != 4)
        return IP_BAD;
    out->hdr_b = (uint8_t)((p[0] & 15) * 4);
    out->total = get_u16(p + 2);
    if (out->hdr_b < IP4_HDR_B || out->hdr_b > packet.len || out->total < out->hdr_b ||
        out->total > packet.len)
        return IP_BAD;
    if (wire_sum(span_of(p, out->hdr_b), 0) != 0xffff)
        return IP_BAD_CSUM;
    frag = get_u16(p + 6);
    out->fragment = (frag & 0x3fff) != 0; /* more fragments, or an offset */
    out->frag_more = frag & 0x2000;
    out->frag_off = (uint16_t)(frag << 3);
    out->frag_id = get_u16(p + 4);
    out->nh_at = 0;
    out->ecn = p[1] & 3;
    out->ttl = p[8];
    out->proto = p[9];
    out->src = ip_v4_wire(p + 12);
    out->dst = ip_v4_wire(p + 16);
    return IP_OK;
}

static void read_fragment(const uint8_t *p, struct ip_hdr *out)
{
    uint16_t frag = get_u16(p + 2);

    out->fragment = (frag & 0xfff9) != 0; /* both zero: a packet in one piece (RFC 6946) */
    out->frag_more = frag & 1;
    out->frag_off = frag & 0xfff8;
    out->frag_id = get_u32(p + 4);
}

/* Of a hop-by-hop or destination header. We know padding only; nobody is told of what we discard. */
static bool options_ok(struct span o)
{
    while (o.len) {
        uint32_t len = o.p[0] == OPT_PAD1 ? 1 : o.len >= 2 ? o.p[1] + 2u : UINT32_MAX;

        if ((o.p[0] & OPT_MUST) || len > o.len)
            return false;
        o = span_from(o, len);
    }
    return true;
}

/* What the extension header says itself. `e` holds all of it. */
static bool extension_ok(uint8_t type, struct span e)
{
    if (type == EXT_HOP || type == EXT_DEST)
        return options_ok(span_from(e, 2));
    return type != EXT_ROUTE || e.p[3] == 0; /* segments left: not here (RFC 8200 4.4, RFC 5095) */
}

/* False: a chain that is too long, too large, cut off, or not for us to accept. */
static bool walk_extensions(struct span packet, struct ip_hdr *out)
{
    uint32_t at = IP6_HDR_B;

    for (uint32_t n = 0; !out->fragment; n++) {
        uint8_t type = out->proto;
        uint32_t len;

        if (type != EXT_HOP && type != EXT_ROUTE && type != EXT_FRAGMENT && type != EXT_AUTH &&
            type != EXT_DEST)
            break;
        if (n == EXT_MAX || at + 8 > packet.len || (type == EXT_HOP && n))
            return false;
        len = type == EXT_FRAGMENT ? 8
              : type == EXT_AUTH   ? (packet.p[at + 1] + 2u) * 4
                                   : (packet.p[at + 1] + 1u) * 8;
        if (at + len - IP6_HDR_B > EXT_MAX_B || at + len > packet.len ||
            !extension_ok(type, span_of(packet.p + at, len)))
            return false;
        if (type == EXT_FRAGMENT) /* what follows a first part is for whoever puts them together */
            read_fragment(packet.p + at, out);
        else
            out->nh_at = (uint8_t)at; /* of the next header, which may be it */
        out->proto = packet.p[at];
        at += len;
    }
    out->hdr_b = (uint8_t)at;
    return true;
}

enum ip_result ip6_parse_head(struct span packet, uint32_t whole_b, struct ip_hdr *out)
{
    const uint8_t *p = packet.p;
    uint32_t payload;

    if (packet.len < IP6_HDR_B || p[0] >> 4 != 6)
        return IP_BAD;
    payload = get_u16(p + 4);
    if (payload + IP6_HDR_B > whole_b || payload + IP6_HDR_B > UINT16_MAX)
        return IP_BAD;
    out->total = (uint16_t)(payload + IP6_HDR_B);
    out->proto = p[6];
    out->ttl = p[7];
    out->ecn = (p[1] >> 4) & 3;
    out->fragment = false;
    out->nh_at = 6;
    memcpy(out->src.b, p + 8, 16);
    memcpy(out->dst.b, p + 24, 16);
    if (!walk_extensions(span_first(packet, out->total), out))
        return IP_BAD;
    return IP_OK;
}

enum ip_result ip6_parse(struct span packet, struct ip_hdr *out)
{
    return ip6_parse_head(packet, (uint32_t)packet.len, out);
}

void ip4_write(uint8_t *to, const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto,
               uint8_t ecn, uint16_t payload)
{
    struct wr w = wr_of(to, IP4_HDR_B);

    wr_u8(&w, 0x45);
    wr_u8(&w, ecn);
    wr_u16(&w, (uint16_t)(IP4_HDR_B + payload));
    wr_u16(&w, 0);
    wr_u16(&w, 0x4000); /* do not fragment */
    wr_u8(&w, 64);
    wr_u8(&w, proto);
    wr_u16(&w, 0);
    wr_bytes(&w, span_of(src->b + 12, 4));
    wr_bytes(&w, span_of(dst->b + 12, 4));
    put_u16(to + 10, (uint16_t)~wire_sum(span_of(to, IP4_HDR_B), 0));
}

void ip6_write(uint8_t *to, const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto,
               uint8_t ecn, uint16_t payload, uint32_t flow, uint8_t hops)
{
    struct wr w = wr_of(to, IP6_HDR_B);

    wr_u32(&w, 6u << 28 | (uint32_t)ecn << 20 | (flow & 0xfffff));
    wr_u16(&w, payload);
    wr_u8(&w, proto);
    wr_u8(&w, hops);
    wr_bytes(&w, span_of(src->b, 16));
    wr_bytes(&w, span_of(dst->b, 16));
}
