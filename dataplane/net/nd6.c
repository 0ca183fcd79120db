#include "net/l3_internal.h"

/* Neighbour discovery (RFC 4861), as far as a host with static addresses needs it: solicitations and
 * advertisements. Router advertisements are ignored: routes are configured. */

#define ND_NS        135
#define ND_NA        136
#define ND_B         24u /* type, code, checksum, flags, target */
#define OPT_SLLA     1
#define OPT_TLLA     2
#define OPT_B        8u

#define NA_SOLICITED 0x40000000u
#define NA_OVERRIDE  0x20000000u

static struct ip_addr solicited_node(const struct ip_addr *a)
{
    struct ip_addr g = {
        {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a->b[13], a->b[14], a->b[15]}};

    return g;
}

static struct mac group_mac(const struct ip_addr *g)
{
    return (struct mac){{0x33, 0x33, g->b[12], g->b[13], g->b[14], g->b[15]}};
}

bool nd6_is_for_us(const struct l3 *l, uint8_t port, const struct ip_addr *dst)
{
    static const struct ip_addr all_nodes = {{0xff, 0x02, [15] = 1}};
    const struct l3_port *p = &l->ports[port];

    if (ip_eq(dst, &all_nodes))
        return true;
    for (uint32_t i = 0; i < p->address_count; i++) {
        struct ip_addr g = solicited_node(&p->addresses[i].addr);

        if (!ip_is_v4(&p->addresses[i].addr) && ip_eq(dst, &g))
            return true;
    }
    return false;
}

/* The link-layer address option, or NULL. *bad: an option of length 0 or cut off (RFC 4861 4.6). */
static const uint8_t *find_option(struct span options, uint8_t type, bool *bad)
{
    const uint8_t *found = NULL;

    *bad = false;
    while (options.len) {
        uint32_t len = options.len >= 2 ? options.p[1] * 8u : 0;

        if (len == 0 || len > options.len) {
            *bad = true;
            return NULL;
        }
        if (options.p[0] == type && len == OPT_B && !found)
            found = options.p + 2;
        options = span_from(options, len);
    }
    return found;
}

static void send(struct l3 *l, uint8_t port, const struct mac *to, const struct ip_addr *src,
                 const struct ip_addr *dst, uint8_t type, uint32_t flags,
                 const struct ip_addr *target, uint8_t option)
{
    uint32_t len = ND_B + (option ? OPT_B : 0);
    uint8_t body[IP6_HDR_B + ND_B + OPT_B];
    struct wr w;

    ip6_write(body, src, dst, IP_PROTO_ICMP6, 0, (uint16_t)len, 0, 255);
    w = wr_of(body + IP6_HDR_B, len);
    wr_u8(&w, type);
    wr_u8(&w, 0);
    wr_u16(&w, 0);
    wr_u32(&w, flags);
    wr_bytes(&w, span_of(target->b, 16));
    if (option) {
        wr_u8(&w, option);
        wr_u8(&w, 1);
        wr_bytes(&w, span_of(l->ports[port].mac.b, 6));
    }
    put_u16(body + IP6_HDR_B + 2, (uint16_t)~wire_sum(span_of(body + IP6_HDR_B, len),
                                                      ip6_pseudo(src, dst, IP_PROTO_ICMP6, len)));
    net_count(l, NET_CTR_ARP_OUT);
    l3_send_frame(l, port, to, ETH_TYPE_IP6, span_of(body, IP6_HDR_B + len));
}

static void solicited(struct l3 *l, uint8_t port, const struct ip_hdr *ip,
                      const struct ip_addr *target, const uint8_t *lla, uint64_t now_ns)
{
    static const struct ip_addr all_nodes = {{0xff, 0x02, [15] = 1}};
    bool probe = ip_is_any(&ip->src);
    struct mac to;

    if (!l3_own(l, port, target))
        return;
    if (probe) { /* duplicate address detection of somebody else: it is ours (RFC 4862 5.4.3) */
        to = group_mac(&all_nodes);
        send(l, port, &to, target, &all_nodes, ND_NA, NA_OVERRIDE, target, OPT_TLLA);
        return;
    }
    if (!lla)
        return;
    memcpy(to.b, lla, 6);
    l3_learn(l, port, &ip->src, &to, false, now_ns);
    if (l->env.heard)
        l->env.heard(l->env.ctx, port, &ip->src, &to, false);
    send(l, port, &to, target, &ip->src, ND_NA, NA_SOLICITED | NA_OVERRIDE, target, OPT_TLLA);
}

static void advertised(struct l3 *l, uint8_t port, const struct ip_addr *target, uint32_t flags,
                       const uint8_t *lla, uint64_t now_ns)
{
    struct mac mac;

    if (dad_heard(l, port, target, now_ns) || !lla)
        return;
    memcpy(mac.b, lla, 6);
    if (!neigh_find(&l->neigh, port, target)) { /* RFC 4861 7.2.5: unasked, of no interest */
        net_count(l, NET_CTR_ARP_UNASKED);
        if (l->env.heard)
            l->env.heard(l->env.ctx, port, target, &mac, flags & NA_SOLICITED);
        return;
    }
    l3_learn(l, port, target, &mac, flags & NA_SOLICITED, now_ns);
    if (l->env.heard)
        l->env.heard(l->env.ctx, port, target, &mac, flags & NA_SOLICITED);
}

void nd6_input(struct l3 *l, uint8_t port, const struct ip_hdr *ip, struct span icmp,
               uint64_t now_ns)
{
    bool ns = icmp.p[0] == ND_NS, bad;
    struct ip_addr target;
    const uint8_t *lla;

    if (!ns && icmp.p[0] != ND_NA)
        return; /* router solicitations, advertisements, redirects */
    if (ip->ttl != 255 || icmp.p[1] != 0 || icmp.len < ND_B) { /* RFC 4861 7.1 */
        net_count(l, NET_CTR_ND_BAD);
        return;
    }
    memcpy(target.b, icmp.p + 8, 16);
    lla = find_option(span_from(icmp, ND_B), ns ? OPT_SLLA : OPT_TLLA, &bad);
    if (bad || ip_is_multicast(&target) || (ns && ip_is_any(&ip->src) && lla)) {
        net_count(l, NET_CTR_ND_BAD);
        return;
    }
    if (ns)
        solicited(l, port, ip, &target, lla, now_ns);
    else
        advertised(l, port, &target, get_u32(icmp.p + 4), lla, now_ns);
}

void nd6_ask(struct l3 *l, uint8_t port, const struct ip_addr *target, const struct mac *to,
             uint64_t now_ns)
{
    struct ip_addr src = {{0}}, group = solicited_node(target);
    struct mac mac = group_mac(&group);
    uint16_t mtu;

    (void)now_ns;
    if (l3_route(l, target, &src, &mtu))
        send(l, port, to ? to : &mac, &src, to ? target : &group, ND_NS, 0, target, OPT_SLLA);
}

/* RFC 4862 5.4.2: no sender yet. */
void nd6_probe(struct l3 *l, uint8_t port, const struct ip_addr *own)
{
    static const struct ip_addr any = {{0}};
    struct ip_addr group = solicited_node(own);
    struct mac mac = group_mac(&group);

    send(l, port, &mac, &any, &group, ND_NS, 0, own, 0);
}

/* RFC 4861 7.2.6 */
void nd6_announce(struct l3 *l, uint8_t port, const struct ip_addr *own)
{
    static const struct ip_addr all_nodes = {{0xff, 0x02, [15] = 1}};
    struct mac mac = group_mac(&all_nodes);

    send(l, port, &mac, own, &all_nodes, ND_NA, NA_OVERRIDE, own, OPT_TLLA);
}

bool nd6_is_conflict(struct span icmp)
{
    return icmp.len >= ND_B && icmp.p[0] == ND_NA;
}
