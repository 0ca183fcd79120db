#include "net/l3_internal.h"

#include "base/must.h"

#include <stdlib.h>

const struct ctr_desc net_ctr_desc[] = {
#define CTR(sym, name, help) {name, help},
#include "net/net_ctr.def"
#undef CTR
};
const unsigned net_ctr_count = NET_CTR_COUNT;

/* --- routes --- */

static void route_add(struct l3 *l, const struct ip_prefix *dst, const struct ip_addr *gateway,
                      uint8_t port)
{
    uint32_t i = l->route_count;

    if (i == L3_ROUTES_MAX)
        return;
    for (; i && l->routes[i - 1].dst.bits < dst->bits; i--)
        l->routes[i] = l->routes[i - 1];
    l->routes[i] = (struct l3_route_entry){*dst, *gateway, port};
    l->route_count++;
}

static void add_routes(struct l3 *l, uint8_t port)
{
    const struct l3_port *p = &l->ports[port];
    struct ip_addr none = {{0}};
    struct ip_prefix all4 = {ip_v4(0), 96}, all6 = {none, 0};

    for (uint32_t i = 0; i < p->address_count; i++)
        route_add(l, &p->addresses[i], &none, port);
    if (!ip_is_any(&p->gateway4))
        route_add(l, &all4, &p->gateway4, port);
    if (!ip_is_any(&p->gateway6))
        route_add(l, &all6, &p->gateway6, port);
}

const struct l3_route_entry *l3_route_for(const struct l3 *l, const struct ip_addr *dst)
{
    for (uint32_t i = 0; i < l->route_count; i++) {
        const struct l3_route_entry *r = &l->routes[i];

        if (ip_in(dst, &r->dst) && ip_is_v4(dst) == ip_is_v4(&r->dst.addr))
            return r;
    }
    return NULL;
}

/* An address of the port to speak from: of the hop's own network, else the first of the family. */
static bool source_for(const struct l3 *l, uint8_t port, const struct ip_addr *hop,
                       struct ip_addr *src)
{
    const struct l3_port *p = &l->ports[port];
    const struct ip_prefix *family = NULL;

    for (uint32_t i = 0; i < p->address_count; i++) {
        const struct ip_prefix *a = &p->addresses[i];

        if (ip_is_v4(&a->addr) != ip_is_v4(hop) || l->claims[port][i].held_until_ns)
            continue;
        if (ip_in(hop, a)) {
            *src = a->addr;
            return true;
        }
        if (!family)
            family = a;
    }
    if (family)
        *src = family->addr;
    return family != NULL;
}

bool l3_route(const struct l3 *l, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu)
{
    const struct l3_route_entry *r = l3_route_for(l, dst);

    if (!r)
        return false;
    *mtu = l->ports[r->port].mtu;
    if (!ip_is_any(src))
        return true;
    return source_for(l, r->port, ip_is_any(&r->gateway) ? dst : &r->gateway, src);
}

const struct ip_prefix *l3_own(const struct l3 *l, uint8_t port, const struct ip_addr *a)
{
    const struct l3_port *p = &l->ports[port];

    for (uint32_t i = 0; i < p->address_count; i++) {
        if (ip_eq(&p->addresses[i].addr, a))
            return l->claims[port][i].held_until_ns ? NULL : &p->addresses[i];
    }
    return NULL;
}

bool l3_is_local(const struct l3 *l, const struct ip_addr *a)
{
    for (uint32_t i = 0; i < l->port_count; i++) {
        if (l3_own(l, (uint8_t)i, a))
            return true;
    }
    return false;
}

bool l3_martian(const struct ip_addr *src)
{
    return ip_is_any(src) || ip_is_multicast(src) || ip_is_loopback(src) ||
           (ip_is_v4(src) && (src->b[12] == 0 || src->b[12] >= 240));
}

/* --- frames out --- */

void l3_frame(struct l3 *l, uint8_t port, const struct mac *dst, struct nbuf *m, uint16_t type)
{
    const struct l3_port *p = &l->ports[port];
    struct eth e = {*dst, p->mac, type, p->vlan, eth_len(p->vlan)};

    eth_write(nbuf_push(m, e.len), &e);
    l->env.tx(l->env.ctx, port, m);
}

void l3_send_frame(struct l3 *l, uint8_t port, const struct mac *dst, uint16_t type,
                   struct span payload)
{
    struct nbuf *m = nbuf_get(l->env.pool);

    if (!m) {
        net_count(l, NET_CTR_NO_BUFFER);
        bound_hit(l->env.log, BOUND_BUFFERS, NULL);
        return;
    }
    memcpy(nbuf_add(m, (uint32_t)payload.len), payload.p, payload.len);
    l3_frame(l, port, dst, m, type);
}

/* What the device has to know to finish the packet. */
static void leave_to_device(const struct l3_port *p, struct nbuf *m, const struct l3_out *o)
{
    bool v4 = ip_is_v4(&o->dst);

    nbuf_tx_csum(m, v4, (uint8_t)eth_len(p->vlan), v4 ? IP4_HDR_B : IP6_HDR_B, o->csum_hdr_b);
    if (o->tso_mss)
        nbuf_tx_tso(m, o->tso_mss);
}

void l3_send_ip(struct l3 *l, struct nbuf *m, const struct l3_out *o, uint8_t proto,
                uint64_t now_ns)
{
    const struct l3_route_entry *r = l3_route_for(l, &o->dst);
    uint32_t len = 0;

    if (!r) {
        net_count(l, NET_CTR_NO_ROUTE);
        nbuf_put_chain(m);
        return;
    }
    for (struct nbuf *i = m; i; i = nbuf_next(i))
        len += nbuf_len(i);
    if (ip_is_v4(&o->dst)) {
        ip4_write(nbuf_push(m, IP4_HDR_B), &o->src, &o->dst, proto, o->ecn, (uint16_t)len);
    } else {
        const uint8_t *p = nbuf_data(m);
        uint32_t flow = proto == IP_PROTO_TCP ? get_u32(p) : 0; /* the ports */
        struct ip_addr both[2] = {o->src, o->dst};

        flow = (uint32_t)siphash13(&l->flow_key, both, sizeof(both)) ^ flow * 2654435761u;
        ip6_write(nbuf_push(m, IP6_HDR_B), &o->src, &o->dst, proto, o->ecn, (uint16_t)len, flow,
                  64);
    }
    if (o->csum_hdr_b)
        leave_to_device(&l->ports[r->port], m, o);
    l3_send_to(l, r->port, ip_is_any(&r->gateway) ? &o->dst : &r->gateway, m, now_ns);
}

void l3_output(struct l3 *l, struct nbuf *m, const struct l3_out *o, uint64_t now_ns)
{
    l3_send_ip(l, m, o, IP_PROTO_TCP, now_ns);
}

/* --- frames in --- */

static bool for_us(const struct l3_port *p, const struct eth *e)
{
    return e->vlan == p->vlan && (mac_is_group(&e->dst) || mac_eq(&e->dst, &p->mac));
}

void l3_input(struct l3 *l, uint8_t port, struct nbuf *m, uint64_t now_ns)
{
    struct eth e;

    net_count(l, NET_CTR_RX_PKTS);
    ctr_add(&l->ctr[NET_CTR_RX_BYTES], nbuf_len(m));
    if (port >= l->port_count || !eth_parse(span_of(nbuf_data(m), nbuf_len(m)), &e)) {
        net_count(l, NET_CTR_ETH_BAD);
        nbuf_put_chain(m);
        return;
    }
    if (!for_us(&l->ports[port], &e)) {
        net_count(l, NET_CTR_ETH_OTHER);
        nbuf_put_chain(m);
        return;
    }
    nbuf_pull(m, e.len);
    switch (e.type) {
    case ETH_TYPE_ARP:
        arp_input(l, port, span_of(nbuf_data(m), nbuf_len(m)), now_ns);
        break;
    case ETH_TYPE_IP4:
        ip4_input(l, port, m, now_ns);
        return;
    case ETH_TYPE_IP6:
        ip6_input(l, port, m, &e.src, now_ns);
        return;
    default:
        net_count(l, NET_CTR_ETH_OTHER);
    }
    nbuf_put_chain(m);
}

/* --- time --- */

void l3_timers(struct l3 *l, uint64_t now_ns)
{
    dad_timers(l, now_ns);
    if (l->reasm)
        reasm_timers(l->reasm, now_ns);
    hop_timers(l, now_ns);
}

uint64_t l3_next_deadline(const struct l3 *l)
{
    uint64_t at = hop_next_deadline(l), dad = dad_next_deadline(l),
             reasm = l->reasm ? reasm_next_deadline(l->reasm) : UINT64_MAX;

    at = reasm < at ? reasm : at;
    return dad < at ? dad : at;
}

/* --- life --- */

res l3_new(const struct l3_env *env, const struct l3_port *ports, uint32_t count, uint64_t now_ns,
           struct l3 **out)
{
    struct l3 *l = (struct l3 *)calloc(1, sizeof(*l));

    if (!l)
        return ERR(NOMEM);
    l->env = *env;
    memcpy(l->ports, ports, count * sizeof(*ports));
    l->port_count = count;
    dad_begin(l, now_ns);
    l->flow_key = rng_sip_key(env->rng);
    if (!IS_OK(neigh_init(&l->neigh, rng_u64(env->rng))) || !IS_OK(l3_start_fragments(l))) {
        l3_free(l);
        return ERR(NOMEM);
    }
    for (uint32_t i = 0; i < count; i++)
        add_routes(l, (uint8_t)i);
    *out = l;
    return OK;
}

void l3_free(struct l3 *l)
{
    if (!l)
        return;
    neigh_fini(&l->neigh);
    reasm_free(l->reasm);
    free(l);
}

uint64_t *l3_counters(struct l3 *l)
{
    return l->ctr;
}
