#include "core/dp_internal.h"
#include "dp.h"

#include <rte_telemetry.h>

#include <stdlib.h>
#include <string.h>

/* DPDK calls from a thread of its own, and gives no context along. Everything read here is published by
 * single words. */
static struct dp *the_dp;

static void add(struct rte_tel_data *d, const char *name, uint64_t n)
{
    (void)rte_tel_data_add_dict_u64(d, name, n);
}

/* /sallyport/cores: their numbers; /sallyport/cores,N: that one's state. */
static int cores(const char *cmd, const char *params, struct rte_tel_data *d)
{
    struct dp *dp = __atomic_load_n(&the_dp, __ATOMIC_ACQUIRE);
    struct dp_status s;
    unsigned core;

    (void)cmd;
    if (!dp)
        return -1;
    if (!params || !*params) {
        rte_tel_data_start_array(d, RTE_TEL_U64_VAL);
        for (core = 0; core < dp_cores(dp); core++)
            rte_tel_data_add_array_u64(d, core);
        return 0;
    }
    core = (unsigned)strtoul(params, NULL, 10);
    if (core >= dp_cores(dp))
        return -1;
    dp_status(dp, core, &s);
    rte_tel_data_start_dict(d);
    add(d, "generation", s.gen);
    add(d, "turns", s.turns);
    add(d, "idle_turns", s.idle_turns);
    add(d, "turn_ns_max", s.turn_ns_max);
    add(d, "tcp_connections", s.tcp_conns);
    add(d, "tcp_requests", s.tcp_reqs);
    add(d, "time_wait", s.tcp_time_wait);
    add(d, "clients", s.clients);
    add(d, "requests", s.requests);
    add(d, "backends_busy", s.backends_busy);
    add(d, "backends_idle", s.backends_idle);
    add(d, "buffers_free", s.nbufs_free);
    add(d, "buffers", s.nbufs_total);
    add(d, "memory_used", s.mem_used_b);
    add(d, "log_lost", s.log_lost);
    return 0;
}

/* A dictionary takes 256 entries at most (RTE_TEL_MAX_DICT_ENTRIES). */
static void fill(const struct dp *dp, uint32_t block, const struct dp_block *b,
                 struct rte_tel_data *d)
{
    uint64_t *n = (uint64_t *)calloc(b->count, sizeof(*n));

    rte_tel_data_start_dict(d);
    if (!n)
        return;
    dp_counters(dp, block, -1, n);
    for (unsigned i = 0; i < b->count; i++)
        add(d, b->desc[i].name, n[i]);
    free(n);
}

/* /sallyport/counters: the blocks; /sallyport/counters,tcp: that block's counters, of all cores. */
static int counters(const char *cmd, const char *params, struct rte_tel_data *d)
{
    const struct dp *dp = __atomic_load_n(&the_dp, __ATOMIC_ACQUIRE);
    const struct dp_block *blocks;
    uint32_t n;

    (void)cmd;
    if (!dp)
        return -1;
    n = dp_blocks(dp, &blocks);
    if (!params || !*params) {
        rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
        for (uint32_t i = 0; i < n; i++)
            rte_tel_data_add_array_string(d, blocks[i].name);
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(blocks[i].name, params) == 0) {
            fill(dp, i, &blocks[i], d);
            return 0;
        }
    }
    return -1;
}

void telemetry_of(struct dp *dp)
{
    static bool registered; /* they stay for the life of the process */

    __atomic_store_n(&the_dp, dp, __ATOMIC_RELEASE);
    if (registered || !dp)
        return;
    registered = true;
    (void)rte_telemetry_register_cmd("/sallyport/cores", cores,
                                     "Cores, or one's state. Parameter: core, optional");
    (void)rte_telemetry_register_cmd("/sallyport/counters", counters,
                                     "Blocks of counters, or one's. Parameter: block, optional");
}
