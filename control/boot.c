#include "control/boot.h"

#include <sched.h>

_Static_assert(DP_PORTS_MAX == 16 && DP_ADDRS_MAX == 32 && SNAP_CORES_MAX == 64,
               "cfg_keys.def has these bounds of ports, ports.addresses and cores");

/* CPUs that this process may run on, in order; at most SNAP_CORES_MAX, the higher ones. */
static uint32_t allowed(unsigned *cpus)
{
    cpu_set_t set;
    uint32_t n = 0;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 0;
    for (unsigned i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &set))
            continue;
        if (n == SNAP_CORES_MAX)
            memmove(cpus, cpus + 1, --n * sizeof(cpus[0]));
        cpus[n++] = i;
    }
    return n;
}

static bool listed_cpus(const struct cfg *c, struct report *report, const unsigned *may, uint32_t n,
                        struct dp_config *out)
{
    bool good = true;

    for (uint32_t i = 0; i < c->cores.n; i++) {
        bool found = false;

        for (uint32_t k = 0; k < n; k++)
            found |= may[k] == c->cores.v[i];
        if (!found)
            cfg_mistake(report, REPORT_ERROR, &c->node, offsetof(struct cfg, cores), NULL,
                        "this process may not use CPU %u, or there is none", c->cores.v[i]);
        good &= found;
        out->lcores[out->core_count++] = c->cores.v[i];
    }
    return good;
}

static bool cpus(const struct cfg *c, struct report *report, struct dp_config *out)
{
    unsigned may[SNAP_CORES_MAX];
    uint32_t n = allowed(may);
    uint32_t want = c->cores.how == CFG_CPUS_COUNT ? c->cores.count : n > 1 ? n - 1 : n;

    if (c->cores.how == CFG_CPUS_LIST)
        return listed_cpus(c, report, may, n, out);
    if (want > n || n == 0) {
        cfg_mistake(report, REPORT_ERROR, &c->node, offsetof(struct cfg, cores), NULL,
                    "%u CPUs are asked for, this process may use %u", want, n);
        return false;
    }
    /* The first CPU is left to the kernel and to the control thread as long as it can be. */
    for (uint32_t i = n - want; i < n; i++)
        out->lcores[out->core_count++] = may[i];
    return true;
}

static bool port(const struct cfg_port *p, struct arena *a, struct dp_port *out)
{
    *out = (struct dp_port){
        .name = p->name ? arena_text(a, span_str(p->name)) : NULL,
        .device = arena_text(a, span_str(p->device)),
        .address_count = p->addresses.n,
        .gateway4 = p->gateway,
        .gateway6 = p->gateway6,
        .mtu = (uint16_t)p->mtu,
        .vlan = (uint16_t)p->vlan,
        .offload = p->offload == CFG_OFFLOAD_ON    ? DP_OFFLOAD_ON
                   : p->offload == CFG_OFFLOAD_OFF ? DP_OFFLOAD_OFF
                                                   : DP_OFFLOAD_AUTO,
    };
    memcpy(out->addresses, p->addresses.v, p->addresses.n * sizeof(out->addresses[0]));
    return out->device && (!p->name || out->name);
}

static const char *const *extra(const struct cfg *c, struct arena *a)
{
    const char **v = ARENA_ARRAY(a, const char *, c->dpdk_args.n + 1);

    for (uint32_t i = 0; v && i < c->dpdk_args.n; i++) {
        v[i] = arena_text(a, span_str(c->dpdk_args.v[i]));
        if (!v[i])
            return NULL;
    }
    return v;
}

res boot_config(const struct cfg *c, struct arena *a, struct report *report, struct dp_config *out)
{
    *out = (struct dp_config){
        .port_count = c->ports.n,
        .poll = c->poll == CFG_POLL_ALWAYS ? DP_POLL_ALWAYS : DP_POLL_ADAPTIVE,
        .hugepages = c->memory->hugepages,
        .memory_mb = c->memory->buffers_mb,
        .conns_max = c->memory->connections,
        .tls_heap_mb = c->memory->tls_heap_mb,
        .forget_verdicts = !c->memory->verdicts,
        .eal_extra = extra(c, a),
        .time_wait_ms = c->tcp->time_wait_ms,
        .log_tcp_resets = c->tcp->log_resets,
        .ecn = c->tcp->ecn,
        .reassembly = c->ip->reassembly,
        .conns_per_prefix = c->tcp->per_prefix,
        .telemetry = c->control->telemetry,
    };
    if (!out->eal_extra)
        return ERR(NOMEM);
    for (uint32_t i = 0; i < c->ports.n; i++) {
        if (!port(&c->ports.v[i], a, &out->ports[i]))
            return ERR(NOMEM);
    }
    return cpus(c, report, out) ? OK : ERR(FAIL);
}
