#include "net/l3_internal.h"

#define ARP_B       28u
#define ARP_REQUEST 1
#define ARP_REPLY   2

struct arp {
    uint16_t op;
    struct mac sha, tha;
    struct ip_addr spa, tpa;
};

static bool arp_parse(struct span body, struct arp *out)
{
    struct rd c = rd_of(body);
    uint16_t hw = rd_u16(&c), proto = rd_u16(&c);
    uint8_t hlen = rd_u8(&c), plen = rd_u8(&c);
    struct span sha, spa, tha, tpa;

    out->op = rd_u16(&c);
    sha = rd_span(&c, 6);
    spa = rd_span(&c, 4);
    tha = rd_span(&c, 6);
    tpa = rd_span(&c, 4);
    if (!rd_ok(&c) || hw != 1 || proto != ETH_TYPE_IP4 || hlen != 6 || plen != 4)
        return false;
    memcpy(out->sha.b, sha.p, 6);
    memcpy(out->tha.b, tha.p, 6);
    out->spa = ip_v4_wire(spa.p);
    out->tpa = ip_v4_wire(tpa.p);
    return out->op == ARP_REQUEST || out->op == ARP_REPLY;
}

static void arp_send(struct l3 *l, uint8_t port, uint16_t op, const struct mac *to,
                     const struct mac *tha, const struct ip_addr *spa, const struct ip_addr *tpa)
{
    uint8_t body[ARP_B];
    struct wr w = wr_of(body, sizeof(body));

    wr_u16(&w, 1);
    wr_u16(&w, ETH_TYPE_IP4);
    wr_u8(&w, 6);
    wr_u8(&w, 4);
    wr_u16(&w, op);
    wr_bytes(&w, span_of(l->ports[port].mac.b, 6));
    wr_bytes(&w, span_of(spa->b + 12, 4));
    wr_bytes(&w, span_of(tha->b, 6));
    wr_bytes(&w, span_of(tpa->b + 12, 4));
    net_count(l, NET_CTR_ARP_OUT);
    l3_send_frame(l, port, to, ETH_TYPE_ARP, wr_span(&w));
}
void arp_input(struct l3 *l, uint8_t port, struct span body, uint64_t now_ns)
{
    struct arp a;

    net_count(l, NET_CTR_ARP_IN);
    if (!arp_parse(body, &a) || mac_is_group(&a.sha) || mac_is_zero(&a.sha)) {
        net_count(l, NET_CTR_ARP_BAD);
        return;
    }
    if (mac_eq(&a.sha, &l->ports[port].mac))
        return;                             /* our own, come back */
    if (dad_heard(l, port, &a.spa, now_ns)) /* RFC 5227 2.4: somebody else says it is them */
        return;
    if (!l3_own(l, port, &a.tpa)) {
        /* Not for us: believed only when it changes what is known and not sure (gratuitous ARP). */
        if (!ip_is_any(&a.spa) && neigh_find(&l->neigh, port, &a.spa)) {
            l3_learn(l, port, &a.spa, &a.sha, false, now_ns);
            if (l->env.heard)
                l->env.heard(l->env.ctx, port, &a.spa, &a.sha, false);
        }
        return;
    }
    if (!ip_is_any(&a.spa) &&
        !l3_martian(&a.spa)) { /* an empty sender only probes (RFC 5227 2.1) */
        l3_learn(l, port, &a.spa, &a.sha, a.op == ARP_REPLY, now_ns);
        if (l->env.heard)
            l->env.heard(l->env.ctx, port, &a.spa, &a.sha, a.op == ARP_REPLY);
    }
    if (a.op == ARP_REQUEST)
        arp_send(l, port, ARP_REPLY, &a.sha, &a.sha, &a.tpa, &a.spa);
}

void arp_ask(struct l3 *l, uint8_t port, const struct ip_addr *target, const struct mac *to)
{
    struct mac zero = {{0}}, all = MAC_BROADCAST;
    struct ip_addr src = {{0}};
    uint16_t mtu;

    if (l3_route(l, target, &src, &mtu))
        arp_send(l, port, ARP_REQUEST, to ? to : &all, &zero, &src, target);
}

/* RFC 5227 2.1.1: no sender yet. */
void arp_probe(struct l3 *l, uint8_t port, const struct ip_addr *own)
{
    struct mac zero = {{0}}, all = MAC_BROADCAST;
    struct ip_addr none = ip_v4(0);

    arp_send(l, port, ARP_REQUEST, &all, &zero, &none, own);
}

/* RFC 5227 3: sender and target are both ourselves. */
void arp_announce(struct l3 *l, uint8_t port, const struct ip_addr *own)
{
    struct mac zero = {{0}}, all = MAC_BROADCAST;

    arp_send(l, port, ARP_REQUEST, &all, &zero, own, own);
}
