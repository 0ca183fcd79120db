#include "net/net_internal.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include <stdlib.h>
#include <sys/random.h>

#define BUFFERS 32768u
#define CACHE   256u

static res make_rings(struct net *n, struct rng *rng, struct report *report)
{
    res r = handoff_init(&n->handoff, n->cores, rng);

    if (!IS_OK(r))
        report_add(report, REPORT_ERROR, NULL, 0, "fewer cores, or more memory",
                   "no memory for the rings between %u cores", n->cores);
    return r;
}

static res make_cores(struct net *n, struct report *report)
{
    for (uint32_t i = 0; i < n->cores; i++) {
        char name[RTE_MEMPOOL_NAMESIZE];
        struct net_core *nc = (struct net_core *)calloc(1, sizeof(*nc));

        if (!nc)
            return ERR(NOMEM);
        n->core[i] = nc;
        nc->net = n;
        nc->core = i;
        if (!IS_OK(capture_init(&nc->capture)))
            return ERR(NOMEM);
        snprintf(name, sizeof(name), "nbuf_%u", i);
        nc->pool = rte_pktmbuf_pool_create_by_ops(
            name, n->buffers, CACHE, NBUF_META_B, NBUF_HEADROOM_B + NBUF_ROOM_B,
            (int)rte_lcore_to_socket_id(eal_lcore(i)), NBUF_POOL_OPS);
        if (!nc->pool) {
            report_add(report, REPORT_ERROR, NULL, 0, "a smaller memory.buffers_mb, or more memory",
                       "%u packet buffers for core %u: %s", n->buffers, i, rte_strerror(rte_errno));
            return ERR(NOMEM);
        }
    }
    return OK;
}

static res open_ports(struct net *n, const struct net_config *cfg, struct report *report)
{
    struct rte_mempool *pools[EAL_CPUS_MAX];

    for (uint32_t i = 0; i < n->cores; i++)
        pools[i] = n->core[i]->pool;
    for (uint32_t i = 0; i < cfg->port_count; i++) {
        struct port_plan plan = {.device = cfg->eal.devices[i],
                                 .offload = cfg->eal.offload[i],
                                 .index = i,
                                 .cores = n->cores,
                                 .mtu = cfg->ports[i].mtu,
                                 .pools = pools,
                                 .steer = &n->handoff.steer};

        TRY(port_open(&plan, report, &n->ports[i]));
        n->port_count++;
        n->l3_ports[i] = cfg->ports[i];
        n->l3_ports[i].mac = n->ports[i].mac;
        n->l3_ports[i].mtu = n->ports[i].mtu;
    }
    return OK;
}

res net_start(const struct net_config *cfg, struct report *report, struct net **out)
{
    struct net *n = (struct net *)calloc(1, sizeof(*n));
    uint8_t seed[RNG_SEED_B];
    struct rng rng;
    bool huge;
    res r;

    if (!n || getrandom(seed, sizeof(seed), 0) != sizeof(seed))
        return ERR(NOMEM);
    rng_init(&rng, seed);
    n->cores = cfg->eal.cpu_count;
    n->buffers = cfg->buffers ? cfg->buffers : BUFFERS;
    r = eal_start(&cfg->eal, report, &huge);
    if (!IS_OK(r)) {
        free(n);
        return r;
    }
    r = make_rings(n, &rng, report);
    n->handoff.reassembly = cfg->reassembly;
    if (IS_OK(r))
        r = make_cores(n, report);
    if (IS_OK(r))
        r = open_ports(n, cfg, report);
    if (!IS_OK(r)) {
        net_stop(n);
        return r;
    }
    *out = n;
    return OK;
}

void net_stop(struct net *n)
{
    if (!n)
        return;
    for (uint32_t i = 0; i < n->port_count; i++)
        port_close(&n->ports[i]);
    handoff_fini(&n->handoff);
    for (uint32_t i = 0; i < n->cores; i++) {
        if (n->core[i])
            capture_fini(&n->core[i]->capture);
        free(n->core[i]);
    }
    eal_stop();
    free(n);
}

struct net_core *net_core_of(struct net *n, uint32_t core)
{
    return n->core[core];
}

bool net_offloads_csum(const struct net *n)
{
    for (uint32_t i = 0; i < n->port_count; i++) {
        if (!n->ports[i].tx_csum)
            return false;
    }
    return n->port_count > 0;
}

bool net_offloads_tso(const struct net *n)
{
    for (uint32_t i = 0; i < n->port_count; i++) {
        if (!n->ports[i].tx_tso)
            return false;
    }
    return net_offloads_csum(n);
}

void net_port_text(const struct net *n, uint32_t port, struct sb *out)
{
    port_text(&n->ports[port], &n->handoff.steer, out);
}

uint32_t net_buffers_total(const struct net *n)
{
    return n->buffers * n->cores;
}
