#include "net/l3_internal.h"

#define ICMP6_UNREACHABLE 1
#define ICMP6_TOO_BIG     2
#define ICMP6_TIME        3
#define ICMP6_PARAM       4
#define ICMP6_ECHO        128
#define ICMP6_ECHO_REPLY  129
#define ICMP6_ND_FIRST    133
#define ICMP6_ND_LAST     137
#define ICMP6_HDR_B       8u
#define UNREACH6_ADMIN    1
#define UNREACH6_PORT     4

static void refuse(struct l3 *l, enum l3_counter why, struct nbuf *m)
{
    net_count(l, why);
    nbuf_put_chain(m);
}

static void echo(struct l3 *l, struct nbuf *m, const struct ip_hdr *h, uint64_t now_ns)
{
    uint8_t *icmp = nbuf_pull(m, h->hdr_b);

    if (ip_is_multicast(&h->dst) || ip_is_any(&h->src) || !l3_take_echo(l, &h->src, now_ns)) {
        nbuf_put_chain(m);
        return;
    }
    net_count(l, NET_CTR_ICMP_ECHO);
    icmp[0] = ICMP6_ECHO_REPLY;
    put_u16(icmp + 2, 0);
    put_u16(icmp + 2,
            (uint16_t)~wire_sum(span_of(icmp, nbuf_len(m)),
                                ip6_pseudo(&h->dst, &h->src, IP_PROTO_ICMP6, nbuf_len(m))));
    l3_send_ip(l, m, &(struct l3_out){.src = h->dst, .dst = h->src}, IP_PROTO_ICMP6, now_ns);
}

static void icmp_error(struct l3 *l, struct span body)
{
    struct span quoted = span_from(body, ICMP6_HDR_B);
    uint32_t mtu = get_u32(body.p + 4);

    if (body.p[0] == ICMP6_TOO_BIG)
        l3_quoted(l, quoted, true, L3_ICMP_TOO_BIG, mtu > 65535 ? 65535 : (uint16_t)mtu);
    else if (body.p[0] == ICMP6_UNREACHABLE &&
             (body.p[1] == UNREACH6_PORT || body.p[1] == UNREACH6_ADMIN))
        l3_quoted(l, quoted, true, L3_ICMP_HARD, 0);
    else
        l3_quoted(l, quoted, true, L3_ICMP_SOFT, 0);
}

static void icmp_input(struct l3 *l, uint8_t port, struct nbuf *m, const struct ip_hdr *h,
                       uint64_t now_ns)
{
    struct span body = span_from(span_of(nbuf_data(m), nbuf_len(m)), h->hdr_b);
    uint32_t pseudo = ip6_pseudo(&h->src, &h->dst, IP_PROTO_ICMP6, (uint32_t)body.len);

    net_count(l, NET_CTR_ICMP_IN);
    if (nbuf_next(m) || body.len < ICMP6_HDR_B || wire_sum(body, pseudo) != 0xffff) {
        refuse(l, NET_CTR_ICMP_BAD, m);
        return;
    }
    if (body.p[0] == ICMP6_ECHO) {
        echo(l, m, h, now_ns);
        return;
    }
    if (body.p[0] >= ICMP6_ND_FIRST && body.p[0] <= ICMP6_ND_LAST)
        nd6_input(l, port, h, body, now_ns);
    else if (body.p[0] >= ICMP6_UNREACHABLE && body.p[0] <= ICMP6_PARAM)
        icmp_error(l, body);
    nbuf_put_chain(m);
}

static uint32_t chain_len(const struct nbuf *m)
{
    uint32_t n = 0;

    for (; m; m = nbuf_next(m))
        n += nbuf_len(m);
    return n;
}

static void trim_chain(struct nbuf *m, uint32_t want)
{
    for (; m; m = nbuf_next(m)) {
        uint32_t len = nbuf_len(m), keep = len < want ? len : want;

        nbuf_trim(m, len - keep);
        want -= keep;
    }
}

/* Unspecified sources speak neighbour discovery only, and whoever has our address says that it is theirs. */
static bool source_ok(const struct l3 *l, uint8_t port, struct span packet, const struct ip_hdr *h,
                      const struct mac *from)
{
    if (ip_is_multicast(&h->src) || ip_is_loopback(&h->src) || ip_is_v4(&h->src))
        return false;
    if (l3_is_local(l, &h->src))
        return h->proto == IP_PROTO_ICMP6 && !mac_eq(from, &l->ports[port].mac) &&
               nd6_is_conflict(span_from(packet, h->hdr_b));
    return h->proto == IP_PROTO_ICMP6 || !ip_is_any(&h->src);
}

void ip6_input(struct l3 *l, uint8_t port, struct nbuf *m, const struct mac *from, uint64_t now_ns)
{
    struct span seen = span_of(nbuf_data(m), nbuf_len(m));
    struct ip_hdr h;

    if (ip6_parse_head(seen, chain_len(m), &h) != IP_OK) { /* headers lie in the first buffer */
        refuse(l, NET_CTR_IP_BAD, m);
        return;
    }
    if (!source_ok(l, port, span_of(nbuf_data(m), nbuf_len(m)), &h, from)) {
        refuse(l, NET_CTR_IP_MARTIAN, m);
        return;
    }
    if (!l3_own(l, port, &h.dst) &&
        !(h.proto == IP_PROTO_ICMP6 && nd6_is_for_us(l, port, &h.dst))) {
        refuse(l, NET_CTR_IP_OTHER, m);
        return;
    }
    if (h.fragment && !l3_wants(l, &h)) {
        refuse(l, NET_CTR_IP_FRAGMENT, m);
        return;
    }
    trim_chain(m, h.total);
    if (h.fragment) {
        m = l3_fragment(l, port, m, &h, now_ns);
        if (m)
            ip6_input(l, port, m, from, now_ns); /* once: it is none any more */
        return;
    }
    if (h.proto == IP_PROTO_TCP) {
        struct l3_segment s = {h.src, h.dst, now_ns, h.ecn};

        nbuf_pull(m, h.hdr_b);
        l->env.tcp(l->env.ctx, m, &s);
    } else if (h.proto == IP_PROTO_ICMP6) {
        icmp_input(l, port, m, &h, now_ns);
    } else {
        refuse(l, NET_CTR_IP_PROTO, m);
    }
}
