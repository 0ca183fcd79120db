/* Between IP's input and reasm.c: what is put together goes on as if it had come so. */
#include "net/l3_internal.h"

#include "base/bytes.h"

struct nbuf *l3_fragment(struct l3 *l, uint8_t port, struct nbuf *m, const struct ip_hdr *h,
                         uint64_t now_ns)
{
    const struct l3_port *p = &l->ports[port];
    struct eth e = {p->mac, p->mac, ip_is_v4(&h->dst) ? ETH_TYPE_IP4 : ETH_TYPE_IP6, p->vlan,
                    eth_len(p->vlan)};

    m = reasm_add(l->reasm, m, h, now_ns);
    if (!m || !l->env.elsewhere)
        return m;
    eth_write(nbuf_push(m, e.len), &e);
    if (l->env.elsewhere(l->env.ctx, port, m))
        return NULL;
    nbuf_pull(m, e.len);
    return m;
}

res l3_start_fragments(struct l3 *l)
{
    struct reasm_env env = {.ctr = l->ctr, .log = l->env.log};

    if (!l->env.reassembles)
        return OK;
    env.key = rng_sip_key(l->env.rng);
    env.bufs_max = nbuf_pool_free(l->env.pool) / 16;
    if (env.bufs_max > REASM_BUFS)
        env.bufs_max = REASM_BUFS;
    return reasm_new(&env, &l->reasm);
}
