#include "net/l3_internal.h"

/* Next hops: who has an address, and is that still so (RFC 826, RFC 4861 7). The questions themselves are
 * those of arp.c and nd6.c. */

static uint16_t type_of(const struct ip_addr *hop)
{
    return ip_is_v4(hop) ? ETH_TYPE_IP4 : ETH_TYPE_IP6;
}

static void ask(struct l3 *l, struct neigh *n, uint64_t now_ns)
{
    const struct mac *to = n->state == NEIGH_PROBING && n->tries == 0 ? &n->mac : NULL;

    if (ip_is_v4(&n->ip))
        arp_ask(l, n->port, &n->ip, to);
    else
        nd6_ask(l, n->port, &n->ip, to, now_ns);
    n->tries++;
    n->next_ns = now_ns + NEIGH_RETRY_NS;
}

static void start_asking(struct l3 *l, struct neigh *n, enum neigh_state st, uint64_t now_ns)
{
    if (!neigh_waits(n))
        l->neigh.waiting++;
    n->state = (uint8_t)st;
    n->tries = 0;
    ask(l, n, now_ns);
}

void l3_send_to(struct l3 *l, uint8_t port, const struct ip_addr *hop, struct nbuf *m,
                uint64_t now_ns)
{
    struct neigh *n = neigh_get(&l->neigh, port, hop, now_ns);

    n->used_ns = now_ns;
    switch ((enum neigh_state)n->state) {
    case NEIGH_KNOWN:
        if (now_ns - n->confirmed_ns > NEIGH_FRESH_NS)
            start_asking(l, n, NEIGH_PROBING, now_ns);
        l3_frame(l, port, &n->mac, m, type_of(hop));
        return;
    case NEIGH_PROBING:
        l3_frame(l, port, &n->mac, m, type_of(hop));
        return;
    case NEIGH_FAILED:
        if (now_ns < n->next_ns) {
            net_count(l, NET_CTR_NEIGH_DROPPED);
            nbuf_put_chain(m);
            return;
        }
        break;
    case NEIGH_FREE:
    case NEIGH_ASKING:
        break;
    }
    if (neigh_queue(n, m))
        net_count(l, NET_CTR_NEIGH_DROPPED);
    if (n->state != NEIGH_ASKING)
        start_asking(l, n, NEIGH_ASKING, now_ns);
}

static void settle(struct l3 *l, struct neigh *n)
{
    if (neigh_waits(n))
        l->neigh.waiting--;
}

static void flush_queue(struct l3 *l, struct neigh *n)
{
    for (uint8_t i = 0; i < n->queued; i++)
        l3_frame(l, n->port, &n->mac, n->queue[i], type_of(&n->ip));
    n->queued = 0;
}

/* While the one that is known is asked, no other can answer for it; when all were asked, anybody can. */
static bool may_answer(const struct neigh *n, bool answer)
{
    return n->state == NEIGH_ASKING || (n->state == NEIGH_PROBING && answer && n->tries > 1);
}

/* Another one than we know, and we are sure: not believed, but worth a question, once a second. */
static void contradicted(struct l3 *l, struct neigh *n, uint64_t now_ns)
{
    net_count(l, NET_CTR_ARP_UNASKED);
    LOG(l->env.log, OPER, "neigh.claim", KV_IP("address", n->ip), KV_U64("port", n->port));
    if (n->state == NEIGH_KNOWN && now_ns >= n->next_ns)
        start_asking(l, n, NEIGH_PROBING, now_ns);
}

/**
 * Somebody says where an address is. An answer counts when we have asked; a claim only changes what we
 * have not had confirmed lately, and creates nothing but for whoever speaks to us (RFC 826).
 */
void l3_learn(struct l3 *l, uint8_t port, const struct ip_addr *ip, const struct mac *mac,
              bool answer, uint64_t now_ns)
{
    struct neigh *n = neigh_find(&l->neigh, port, ip);
    bool same = n && n->state != NEIGH_ASKING && n->state != NEIGH_FREE && mac_eq(&n->mac, mac);

    if (mac_is_group(mac) || mac_is_zero(mac))
        return;
    if (!n) {
        if (answer || l->neigh.used == NEIGH_MAX) {
            net_count(l, NET_CTR_ARP_UNASKED);
            return;
        }
        n = neigh_get(&l->neigh, port, ip, now_ns);
    } else if (!same && !may_answer(n, answer) &&
               (n->state == NEIGH_PROBING ||
                (n->state == NEIGH_KNOWN && now_ns - n->confirmed_ns < NEIGH_SURE_NS))) {
        contradicted(l, n, now_ns);
        return;
    }
    settle(l, n);
    n->mac = *mac;
    n->state = NEIGH_KNOWN;
    n->tries = 0;
    if (answer || same)
        n->confirmed_ns = now_ns;
    else
        n->confirmed_ns = now_ns > NEIGH_SURE_NS ? now_ns - NEIGH_SURE_NS : 0; /* used, not sure */
    flush_queue(l, n);
}

void l3_heard(struct l3 *l, uint8_t port, const struct ip_addr *ip, const struct mac *mac,
              bool answer, uint64_t now_ns)
{
    l3_learn(l, port, ip, mac, answer, now_ns);
}

static struct neigh *hop_towards(const struct l3 *l, const struct ip_addr *dst)
{
    const struct l3_route_entry *r = l3_route_for(l, dst);

    return r ? neigh_find(&l->neigh, r->port, ip_is_any(&r->gateway) ? dst : &r->gateway) : NULL;
}

void l3_confirm(struct l3 *l, const struct ip_addr *dst, uint64_t now_ns)
{
    struct neigh *n = hop_towards(l, dst);

    if (!n || (n->state != NEIGH_KNOWN && n->state != NEIGH_PROBING))
        return;
    settle(l, n);
    n->state = NEIGH_KNOWN;
    n->confirmed_ns = now_ns;
}

void l3_doubt(struct l3 *l, const struct ip_addr *dst, uint64_t now_ns)
{
    struct neigh *n = hop_towards(l, dst);

    if (n && n->state == NEIGH_KNOWN && now_ns - n->confirmed_ns > NEIGH_DOUBT_NS)
        start_asking(l, n, NEIGH_PROBING, now_ns);
}

static void neigh_due(struct l3 *l, struct neigh *n, uint64_t now_ns)
{
    if (n->state == NEIGH_FAILED) {
        l->neigh.waiting--;
        n->state = NEIGH_FREE;
        return;
    }
    if (n->tries < NEIGH_TRIES) {
        ask(l, n, now_ns);
        return;
    }
    net_count(l, NET_CTR_NEIGH_FAILED);
    LOG(l->env.log, OPER, "neigh.failed", KV_IP("address", n->ip), KV_U64("port", n->port));
    for (uint8_t i = 0; i < n->queued; i++) {
        net_count(l, NET_CTR_NEIGH_DROPPED);
        nbuf_put_chain(n->queue[i]);
    }
    n->queued = 0;
    n->state = NEIGH_FAILED; /* still waited for: to be forgotten */
    n->next_ns = now_ns + NEIGH_FAILED_NS;
}

void hop_timers(struct l3 *l, uint64_t now_ns)
{
    for (uint32_t i = 0; l->neigh.waiting && i < l->neigh.used; i++) {
        struct neigh *n = &l->neigh.entries[i];

        if (neigh_waits(n) && now_ns >= n->next_ns)
            neigh_due(l, n, now_ns);
    }
}

uint64_t hop_next_deadline(const struct l3 *l)
{
    uint64_t at = UINT64_MAX;

    for (uint32_t i = 0; l->neigh.waiting && i < l->neigh.used; i++) {
        const struct neigh *n = &l->neigh.entries[i];

        if (neigh_waits(n) && n->next_ns < at)
            at = n->next_ns;
    }
    return at;
}
