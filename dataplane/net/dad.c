#include "net/l3_internal.h"

/* Addresses of ours that others have too (RFC 5227, RFC 4862 5.4). An address is asked for before it is announced
 * but used from the start, as in RFC 4429: an appliance that starts a second later for each address would
 * be the greater evil. A conflict heard of in this time takes it out of use; so does one that is heard of when
 * it is tried again. Later ones are told, and for IPv4 the address is defended. */

#define TENTATIVE_NS (2 * ANNOUNCE_NS)
#define HELD_NS      60000000000ULL /* RFC 5227 2.1.1: RATE_LIMIT_INTERVAL */
#define SPREAD_NS \
    10000000000ULL /* two that hold back for each other do not try again at the same time */
#define DEFEND_NS 10000000000ULL /* RFC 5227 2.4: DEFEND_INTERVAL, against endless quarrels */

static struct l3_claim *claim_of(struct l3 *l, uint8_t port, const struct ip_addr *a)
{
    const struct l3_port *p = &l->ports[port];

    for (uint32_t i = 0; port < l->port_count && i < p->address_count; i++) {
        if (ip_eq(&p->addresses[i].addr, a))
            return &l->claims[port][i];
    }
    return NULL;
}

/* By what tells machines apart, so that all cores of one agree; and another time each time. */
static uint64_t held_ns(const struct mac *m, uint16_t nth)
{
    uint64_t id = nth;

    memcpy((uint8_t *)&id + 2, m->b, sizeof(m->b));
    return HELD_NS + (id * 0x9e3779b97f4a7c15ULL >> 32) * SPREAD_NS / UINT32_MAX;
}

static void hold(struct l3 *l, struct l3_claim *c, uint8_t port, const struct ip_addr *a,
                 uint64_t now_ns)
{
    if (c->held_until_ns == 0) {
        l->held++;
        c->times++;
        net_count(l, NET_CTR_ADDRESS_HELD);
        LOG(l->env.log, OPER, "address.held", KV_IP("address", *a), KV_U64("port", port),
            KV_U64("seconds", HELD_NS / 1000000000));
    }
    c->held_until_ns = now_ns + held_ns(&l->ports[port].mac, (uint16_t)c->times);
    c->asked = false;
}

bool l3_conflict(struct l3 *l, uint8_t port, const struct ip_addr *a, uint64_t now_ns)
{
    struct l3_claim *c = claim_of(l, port, a);

    if (!c || (c->held_until_ns == 0 && now_ns >= c->sure_ns))
        return false;
    hold(l, c, port, a, now_ns);
    return true;
}

bool dad_heard(struct l3 *l, uint8_t port, const struct ip_addr *a, uint64_t now_ns)
{
    struct l3_claim *c = claim_of(l, port, a);
    bool v4 = ip_is_v4(a);

    if (!c)
        return false;
    net_count(l, v4 ? NET_CTR_ARP_CONFLICT : NET_CTR_ND_CONFLICT);
    if (v4)
        LOG(l->env.log, OPER, "arp.conflict", KV_IP("address", *a), KV_U64("port", port));
    else
        LOG(l->env.log, OPER, "nd.conflict", KV_IP("address", *a), KV_U64("port", port));
    if (l3_conflict(l, port, a, now_ns)) {
        if (l->env.conflict)
            l->env.conflict(l->env.ctx, port, a);
    } else if (v4 && now_ns >= c->defend_ns) {
        c->defend_ns = now_ns + DEFEND_NS;
        arp_announce(l, port, a);
    }
    return true;
}

static void ask(struct l3 *l, uint8_t port, const struct ip_addr *a)
{
    if (ip_is_v4(a))
        arp_probe(l, port, a);
    else
        nd6_probe(l, port, a);
}

static void announce(struct l3 *l, uint8_t port, const struct ip_addr *a)
{
    if (ip_is_v4(a))
        arp_announce(l, port, a);
    else
        nd6_announce(l, port, a);
}

static void announce_all(struct l3 *l, uint64_t now_ns)
{
    for (uint32_t p = 0; p < l->port_count; p++) {
        for (uint32_t i = 0; i < l->ports[p].address_count; i++) {
            if (l->announced == 0)
                ask(l, (uint8_t)p, &l->ports[p].addresses[i].addr);
            else if (l->claims[p][i].held_until_ns == 0)
                announce(l, (uint8_t)p, &l->ports[p].addresses[i].addr);
        }
    }
    l->announced++;
    l->announce_ns = now_ns + ANNOUNCE_NS;
}

/* Before an address is used again it is asked for again; nobody answers: it is ours. */
static void held_due(struct l3 *l, uint8_t port, uint32_t i, uint64_t now_ns)
{
    const struct ip_addr *a = &l->ports[port].addresses[i].addr;
    struct l3_claim *c = &l->claims[port][i];

    if (now_ns >= c->held_until_ns) {
        c->held_until_ns = 0;
        c->sure_ns = now_ns + TENTATIVE_NS;
        l->held--;
        LOG(l->env.log, OPER, "address.back", KV_IP("address", *a), KV_U64("port", port));
        if (l->env.announces)
            announce(l, port, a);
    } else if (l->env.announces && !c->asked && now_ns >= c->held_until_ns - ANNOUNCE_NS) {
        c->asked = true;
        ask(l, port, a);
    }
}

void dad_begin(struct l3 *l, uint64_t now_ns)
{
    l->announce_ns = now_ns;
    for (uint32_t p = 0; p < l->port_count; p++) {
        for (uint32_t i = 0; i < l->ports[p].address_count; i++)
            l->claims[p][i].sure_ns = now_ns + TENTATIVE_NS;
    }
}

void dad_timers(struct l3 *l, uint64_t now_ns)
{
    if (l->env.announces && l->announced < ANNOUNCE_TIMES && now_ns >= l->announce_ns)
        announce_all(l, now_ns);
    for (uint32_t p = 0; l->held && p < l->port_count; p++) {
        for (uint32_t i = 0; i < l->ports[p].address_count; i++) {
            if (l->claims[p][i].held_until_ns)
                held_due(l, (uint8_t)p, i, now_ns);
        }
    }
}

uint64_t dad_next_deadline(const struct l3 *l)
{
    uint64_t at = UINT64_MAX;

    if (l->env.announces && l->announced < ANNOUNCE_TIMES)
        at = l->announce_ns;
    for (uint32_t p = 0; l->held && p < l->port_count; p++) {
        for (uint32_t i = 0; i < l->ports[p].address_count; i++) {
            const struct l3_claim *c = &l->claims[p][i];
            uint64_t due = c->held_until_ns - (l->env.announces && !c->asked ? ANNOUNCE_NS : 0);

            if (c->held_until_ns && due < at)
                at = due;
        }
    }
    return at;
}
