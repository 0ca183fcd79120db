#include "core/core.h"

#include "base/must.h"
#include "core/dp_internal.h"

#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_rcu_qsbr.h>
#include <rte_version.h>

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define CONNS_DEFAULT   20000u
#define HEAP_DEFAULT_MB 512u

struct dp {
    struct clock clock;
    struct net *net;
    struct gossip *gossip;
    struct core *cores[SNAP_CORES_MAX];
    uint32_t core_count, port_count;
    struct rte_rcu_qsbr *qsbr;
    struct snap *published; /* cores read with acquire */
    bool launched, stopped;
    uint64_t wall_offset_ns;
    uint32_t buffers;
};

struct net *dp_net(struct dp *dp)
{
    return dp->net;
}

/* --- start --- */

static void net_config_from(const struct dp_config *cfg, struct net_config *n)
{
    memset(n, 0, sizeof(*n));
    n->eal.device_count = n->port_count = cfg->port_count;
    n->eal.cpu_count = cfg->core_count;
    n->eal.hugepages = cfg->hugepages;
    n->eal.telemetry = cfg->telemetry;
    n->reassembly = cfg->reassembly;
    n->eal.extra = cfg->eal_extra;
    for (uint32_t i = 0; i < cfg->core_count; i++)
        n->eal.cpus[i] = cfg->lcores[i];
    for (uint32_t i = 0; i < cfg->port_count; i++) {
        const struct dp_port *p = &cfg->ports[i];
        struct l3_port *to = &n->ports[i];

        n->eal.devices[i] = p->device;
        n->eal.offload[i] = p->offload == DP_OFFLOAD_ON    ? EAL_OFFLOAD_ON
                            : p->offload == DP_OFFLOAD_OFF ? EAL_OFFLOAD_OFF
                                                           : EAL_OFFLOAD_AUTO;
        to->mtu = p->mtu;
        to->vlan = p->vlan;
        to->gateway4 = p->gateway4;
        to->gateway6 = p->gateway6;
        to->address_count = p->address_count;
        memcpy(to->addresses, p->addresses, p->address_count * sizeof(to->addresses[0]));
    }
    /* A buffer takes 2.4 KB; EAL's heap also holds rings, queues and the pools' own books. */
    if (cfg->memory_mb && cfg->core_count)
        n->buffers = (uint32_t)((uint64_t)cfg->memory_mb * 1024 * 1024 / 2432 / cfg->core_count);
    n->eal.memory_mb = 128 + 96 * cfg->core_count;
    if (n->buffers)
        n->eal.memory_mb = 128 + cfg->memory_mb * 11 / 10 + 16 * cfg->core_count;
}

static res make_qsbr(struct dp *dp)
{
    size_t size = rte_rcu_qsbr_get_memsize(dp->core_count);

    dp->qsbr = (struct rte_rcu_qsbr *)aligned_alloc(64, (size + 63) & ~(size_t)63);
    if (!dp->qsbr || rte_rcu_qsbr_init(dp->qsbr, dp->core_count) != 0)
        return ERR(NOMEM);
    return OK;
}

static res make_cores(struct dp *dp, const struct dp_config *cfg, struct report *report)
{
    struct core_args a = {.dp = dp,
                          .clock = &dp->clock,
                          .net = dp->net,
                          .gossip = dp->gossip,
                          .poll = cfg->poll,
                          .qsbr = dp->qsbr,
                          .published = &dp->published,
                          .conns_max = cfg->conns_max ? cfg->conns_max : CONNS_DEFAULT,
                          .time_wait_ms = cfg->time_wait_ms,
                          .conns_per_prefix = cfg->conns_per_prefix,
                          .ecn = cfg->ecn,
                          .no_pacing = cfg->no_pacing,
                          .forget_verdicts = cfg->forget_verdicts,
                          .ocsp = cfg->ocsp,
                          .start_s = (int64_t)time(NULL)};
    res r = OK;

    a.heap_b = (uint64_t)(cfg->tls_heap_mb ? cfg->tls_heap_mb : HEAP_DEFAULT_MB) << 20;
    if (getrandom(a.ticket_seed, sizeof(a.ticket_seed), 0) != sizeof(a.ticket_seed))
        return ERR(IO);
    for (uint32_t i = 0; IS_OK(r) && i < dp->core_count; i++) {
        a.id = i;
        r = core_new(&a, report, &dp->cores[i]);
    }
    memset(a.ticket_seed, 0, sizeof(a.ticket_seed));
    return r;
}

static void note_wall(struct dp *dp)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    dp->wall_offset_ns =
        (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec - clock_now(&dp->clock);
}

res dp_start(const struct dp_config *cfg, struct report *report, struct dp **out)
{
    struct dp *dp = (struct dp *)calloc(1, sizeof(*dp));
    struct net_config net;
    res r;

    if (!dp)
        return ERR(NOMEM);
    dp->core_count = cfg->core_count;
    dp->port_count = cfg->port_count;
    net_config_from(cfg, &net);
    r = wolf_init();
    if (!IS_OK(r))
        report_add(report, REPORT_ERROR, NULL, 0, "build against the library that is linked",
                   "wolfSSL does not start");
    if (IS_OK(r))
        r = net_start(&net, report, &dp->net);
    if (IS_OK(r))
        r = gossip_new(dp->core_count, &dp->gossip);
    if (!IS_OK(r)) {
        free(dp);
        return r;
    }
    clock_init(&dp->clock, rte_get_tsc_hz());
    note_wall(dp);
    r = make_qsbr(dp);
    if (IS_OK(r))
        r = make_cores(dp, cfg, report);
    if (!IS_OK(r)) {
        dp_free(dp);
        return r;
    }
    *out = dp;
    return OK;
}

/* --- generations --- */

static void nap_us(long us)
{
    struct timespec ts = {0, us * 1000};

    nanosleep(&ts, NULL);
}

static bool all_adopted(const struct dp *dp, uint64_t gen)
{
    for (uint32_t i = 0; i < dp->core_count; i++) {
        if (__atomic_load_n(&dp->cores[i]->pub.gen, __ATOMIC_ACQUIRE) != gen)
            return false;
    }
    return true;
}

static res launch(struct dp *dp)
{
    for (uint32_t i = 0; i < dp->core_count; i++) {
        if (rte_eal_remote_launch(core_main, dp->cores[i], eal_lcore(i)) != 0)
            return ERR(FAIL);
    }
    dp->launched = true;
    telemetry_of(dp);
    return OK;
}

res dp_publish(struct dp *dp, struct snap *next, uint32_t timeout_ms, struct snap **old,
               uint64_t *took_ns)
{
    uint64_t begin = clock_now(&dp->clock), end = begin + (uint64_t)timeout_ms * 1000000;
    uint64_t token;

    *old = dp->published;
    next->published_ns = begin;
    __atomic_store_n(&dp->published, next, __ATOMIC_RELEASE);
    if (!dp->launched)
        TRY(launch(dp));
    token = rte_rcu_qsbr_start(dp->qsbr);
    /* The grace period: each core has begun a turn with the new pointer, or sleeps. */
    while (rte_rcu_qsbr_check(dp->qsbr, token, false) != 1 || !all_adopted(dp, next->gen)) {
        if (clock_now(&dp->clock) > end)
            return ERR(TIMEOUT);
        nap_us(50);
    }
    *took_ns = clock_now(&dp->clock) - begin;
    return OK;
}

/* --- stop --- */

static void command(struct dp *dp, enum core_cmd cmd)
{
    for (uint32_t i = 0; i < dp->core_count; i++)
        __atomic_store_n(&dp->cores[i]->cmd, (uint32_t)cmd, __ATOMIC_RELEASE);
}

static bool all_ended(const struct dp *dp)
{
    for (uint32_t i = 0; i < dp->core_count; i++) {
        if (__atomic_load_n(&dp->cores[i]->pub.running, __ATOMIC_ACQUIRE))
            return false;
    }
    return true;
}

static bool wait_end(struct dp *dp, uint32_t ms)
{
    uint64_t end = clock_now(&dp->clock) + (uint64_t)ms * 1000000;

    while (!all_ended(dp)) {
        if (clock_now(&dp->clock) > end)
            return false;
        nap_us(1000);
    }
    return true;
}

res dp_stop(struct dp *dp, uint32_t deadline_ms)
{
    bool clean = true;

    if (dp->launched && !dp->stopped) {
        command(dp, CORE_DRAIN);
        clean = wait_end(dp, deadline_ms);
        if (!clean) {
            command(dp, CORE_ABORT);
            (void)wait_end(dp, 100);
            command(dp, CORE_EXIT);
        }
        rte_eal_mp_wait_lcore();
    }
    dp->stopped = true;
    return clean ? OK : ERR(TIMEOUT);
}

void dp_free(struct dp *dp)
{
    if (!dp)
        return;
    telemetry_of(NULL);
    for (uint32_t i = 0; i < dp->core_count; i++)
        core_free(dp->cores[i]);
    net_stop(dp->net);
    gossip_free(dp->gossip);
    free(dp->qsbr);
    free(dp);
}

/* --- looking in --- */

struct ring *dp_ring(struct dp *dp, unsigned core)
{
    return &dp->cores[core]->ring;
}

uint32_t dp_cores(const struct dp *dp)
{
    return dp->core_count;
}

uint64_t dp_wall_offset_ns(const struct dp *dp)
{
    return dp->wall_offset_ns;
}

enum { BLOCK_NET, BLOCK_TCP, BLOCK_TLS, BLOCK_PROXY, BLOCK_CORE, BLOCK_COUNT };

uint32_t dp_blocks(const struct dp *dp, const struct dp_block **out)
{
    static struct dp_block blocks[BLOCK_COUNT];

    (void)dp;
    blocks[BLOCK_NET] = (struct dp_block){"net", net_ctr_desc, net_ctr_count};
    blocks[BLOCK_TCP] = (struct dp_block){"tcp", tcp_ctr_desc, tcp_ctr_count};
    blocks[BLOCK_TLS] = (struct dp_block){"tls", tls_ctr_desc, tls_ctr_count};
    blocks[BLOCK_PROXY] = (struct dp_block){"proxy", px_ctr_desc, px_ctr_count};
    blocks[BLOCK_CORE] = (struct dp_block){"core", core_ctr_desc, core_ctr_count};
    *out = blocks;
    return BLOCK_COUNT;
}

static const uint64_t *block_of(const struct core *c, uint32_t block)
{
    switch (block) {
    case BLOCK_NET:
        return l3_counters(net_core_l3(c->net));
    case BLOCK_TCP:
        return tcp_counters(c->tcp);
    case BLOCK_TLS:
        return tls_counters(c->tls);
    case BLOCK_PROXY:
        return px_counters(c->px);
    default:
        return c->ctr;
    }
}

void dp_counters(const struct dp *dp, uint32_t block, int core, uint64_t *out)
{
    const struct dp_block *b;

    (void)dp_blocks(dp, &b);
    memset(out, 0, b[block].count * sizeof(*out));
    for (uint32_t i = 0; i < dp->core_count; i++) {
        const uint64_t *c = block_of(dp->cores[i], block);

        for (unsigned k = 0; (core < 0 || core == (int)i) && k < b[block].count; k++)
            out[k] += ctr_read(&c[k]);
    }
}

#define READ(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)

void dp_status(const struct dp *dp, unsigned core, struct dp_status *out)
{
    const struct core *c = dp->cores[core];

    *out = (struct dp_status){
        .running = READ(c->pub.running),
        .draining = READ(c->pub.draining),
        .gen =
            __atomic_load_n(&c->pub.gen, __ATOMIC_ACQUIRE), /* what was read before may be freed */
        .effect_gen = READ(c->pub.effect_gen),
        .effect_us = READ(c->pub.effect_us),
        .turns = ctr_read(&c->ctr[CORE_CTR_TURNS]),
        .idle_turns = ctr_read(&c->ctr[CORE_CTR_IDLE_TURNS]),
        .turn_ns_max = READ(c->pub.turn_ns_max),
        .tcp_conns = READ(c->pub.tcp_conns),
        .tcp_reqs = READ(c->pub.tcp_reqs),
        .tcp_time_wait = READ(c->pub.tcp_time_wait),
        .clients = READ(c->pub.clients),
        .requests = READ(c->pub.requests),
        .backends_idle = READ(c->pub.backends_idle),
        .backends_busy = READ(c->pub.backends_busy),
        .nbufs_free = READ(c->pub.nbufs_free),
        .nbufs_total = net_buffers_total(dp->net) / dp->core_count,
        .tls_heap_used_b = READ(c->pub.heap_used_b),
        .mem_used_b = READ(c->pub.mem_used_b),
        .tls_heap_max_b = READ(c->pub.heap_peak_b),
        .peers = READ(c->pub.peers),
        .log_lost = ring_full(&c->ring),
    };
}

void dp_port_text(const struct dp *dp, uint32_t port, struct sb *out)
{
    net_port_text(dp->net, port, out);
}

void dp_version_text(struct sb *out, bool verbose)
{
    static const struct {
        enum rte_cpu_flag_t flag;
        const char *name;
    } flags[] = {
        {RTE_CPUFLAG_SSE4_2, "SSE4.2"},        {RTE_CPUFLAG_AVX2, "AVX2"},
        {RTE_CPUFLAG_AVX512F, "AVX512F"},      {RTE_CPUFLAG_VAES, "VAES"},
        {RTE_CPUFLAG_INVTSC, "invariant TSC"},
    };

    sb_fmt(out, "%s\n", rte_version());
    wolf_text(out, verbose);
    sb_str(out, "\nTLS 1.2 and 1.3; HTTP/1.1; IPv4 and IPv6; groups X25519MLKEM768, X25519, P-256, "
                "P-384, P-521; certificates RSA, RSA-PSS, ECDSA, Ed25519\n");
    for (size_t i = 0; verbose && i < ARRAY_LEN(flags); i++)
        sb_fmt(out, "%s%s=%s", i ? " " : "  this CPU: ", flags[i].name,
               rte_cpu_get_flag_enabled(flags[i].flag) > 0 ? "yes" : "no");
    if (verbose)
        sb_str(out, "\n");
}

int dp_connections(struct dp *dp, unsigned core, const struct dp_conn_filter *f, uint32_t *cursor,
                   uint32_t timeout_ms, struct dp_conn *out)
{
    _Static_assert(DP_CONNS_BATCH == WALK_BATCH, "a batch is a batch");
    return walk_ask(&dp->cores[core]->walk, f, cursor, timeout_ms, out);
}

struct capture *dp_capture(struct dp *dp, unsigned core)
{
    return net_core_capture(dp->cores[core]->net);
}
