#include "net/l3_internal.h"

#define ICMP_ECHO_REPLY  0
#define ICMP_UNREACHABLE 3
#define ICMP_ECHO        8
#define ICMP_TIME        11
#define ICMP_PARAM       12
#define ICMP_HDR_B       8u
#define UNREACH_PROTOCOL 2
#define UNREACH_PORT     3
#define UNREACH_FRAG     4

/* Directed broadcast of one of the port's networks. */
static bool is_broadcast(const struct l3 *l, uint8_t port, const struct ip_addr *dst)
{
    const struct l3_port *p = &l->ports[port];

    for (uint32_t i = 0; i < p->address_count; i++) {
        const struct ip_prefix *a = &p->addresses[i];
        uint32_t host = a->bits > 96 && a->bits < 127 ? UINT32_MAX >> (a->bits - 96) : 0;

        if (ip_is_v4(&a->addr) && host && ip_in(dst, a) && (get_u32(dst->b + 12) & host) == host)
            return true;
    }
    return false;
}

/* m is the whole IP packet, already trimmed; the answer is made in place. */
static void echo(struct l3 *l, struct nbuf *m, const struct ip_hdr *h, uint64_t now_ns)
{
    uint8_t *icmp = nbuf_pull(m, h->hdr_b);

    if (!l3_take_echo(l, &h->src, now_ns)) {
        nbuf_put_chain(m);
        return;
    }
    net_count(l, NET_CTR_ICMP_ECHO);
    icmp[0] = ICMP_ECHO_REPLY;
    put_u16(icmp + 2, 0);
    put_u16(icmp + 2, (uint16_t)~wire_sum(span_of(icmp, nbuf_len(m)), 0));
    l3_send_ip(l, m, &(struct l3_out){.src = h->dst, .dst = h->src}, IP_PROTO_ICMP, now_ns);
}

static void icmp_error(struct l3 *l, uint8_t type, uint8_t code, struct span body)
{
    struct span quoted = span_from(body, ICMP_HDR_B);

    if (type == ICMP_UNREACHABLE && code == UNREACH_FRAG)
        l3_quoted(l, quoted, false, L3_ICMP_TOO_BIG, get_u16(body.p + 6));
    else if (type == ICMP_UNREACHABLE && (code == UNREACH_PROTOCOL || code == UNREACH_PORT))
        l3_quoted(l, quoted, false, L3_ICMP_HARD, 0);
    else
        l3_quoted(l, quoted, false, L3_ICMP_SOFT, 0);
}

static void icmp_input(struct l3 *l, struct nbuf *m, const struct ip_hdr *h, uint64_t now_ns)
{
    struct span body = span_from(span_of(nbuf_data(m), nbuf_len(m)), h->hdr_b);

    net_count(l, NET_CTR_ICMP_IN);
    if (nbuf_next(m) || body.len < ICMP_HDR_B || wire_sum(body, 0) != 0xffff) {
        net_count(l, NET_CTR_ICMP_BAD);
        nbuf_put_chain(m);
        return;
    }
    switch (body.p[0]) {
    case ICMP_ECHO:
        echo(l, m, h, now_ns);
        return;
    case ICMP_UNREACHABLE:
    case ICMP_TIME:
    case ICMP_PARAM:
        icmp_error(l, body.p[0], body.p[1], body);
        break;
    default:
        break;
    }
    nbuf_put_chain(m);
}

/* Ethernet pads short frames and some devices append bytes: what is behind the IP length is no data. */
static void trim_chain(struct nbuf *m, uint32_t want)
{
    for (; m; m = nbuf_next(m)) {
        uint32_t len = nbuf_len(m), keep = len < want ? len : want;

        nbuf_trim(m, len - keep);
        want -= keep;
    }
}

static bool refuse(struct l3 *l, enum l3_counter why, struct nbuf *m)
{
    net_count(l, why);
    nbuf_put_chain(m);
    return false;
}

static uint32_t chain_len(const struct nbuf *m)
{
    uint32_t n = 0;

    for (; m; m = nbuf_next(m))
        n += nbuf_len(m);
    return n;
}

static bool check(struct l3 *l, uint8_t port, struct nbuf *m, struct ip_hdr *h)
{
    struct span first = span_of(nbuf_data(m), nbuf_len(m)), seen = first;

    seen.len = chain_len(m); /* only the header is looked at, the length is that of all */
    if (first.len < IP4_HDR_B || first.len < (first.p[0] & 15u) * 4)
        return refuse(l, NET_CTR_IP_BAD, m);
    switch (ip4_parse(seen, h)) {
    case IP_OK:
        break;
    case IP_BAD:
        return refuse(l, NET_CTR_IP_BAD, m);
    case IP_BAD_CSUM:
        return refuse(l, NET_CTR_IP_CSUM, m);
    }
    if (l3_martian(&h->src) || l3_is_local(l, &h->src) || is_broadcast(l, port, &h->src))
        return refuse(l, NET_CTR_IP_MARTIAN, m);
    if (!l3_own(l, port, &h->dst)) /* broadcasts and multicasts among them */
        return refuse(l, NET_CTR_IP_OTHER, m);
    if (h->fragment && !l3_wants(l, h))
        return refuse(l, NET_CTR_IP_FRAGMENT, m);
    return true;
}

void ip4_input(struct l3 *l, uint8_t port, struct nbuf *m, uint64_t now_ns)
{
    struct ip_hdr h;

    if (!check(l, port, m, &h))
        return;
    trim_chain(m, h.total);
    if (h.fragment) {
        m = l3_fragment(l, port, m, &h, now_ns);
        if (m)
            ip4_input(l, port, m, now_ns); /* once: it is none any more */
        return;
    }
    if (h.proto == IP_PROTO_TCP) {
        struct l3_segment s = {h.src, h.dst, now_ns, h.ecn};

        nbuf_pull(m, h.hdr_b);
        l->env.tcp(l->env.ctx, m, &s);
        return;
    }
    if (h.proto == IP_PROTO_ICMP) {
        icmp_input(l, m, &h, now_ns);
        return;
    }
    refuse(l, NET_CTR_IP_PROTO, m);
}
