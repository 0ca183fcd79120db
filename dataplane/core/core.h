/**
 * core: one poll-mode thread with all that it owns. Wires the layers together, contains no protocol.
 *
 * What others may touch is marked: control writes `cmd` and reads what is published in `pub`; both by
 * single words. Everything else belongs to the thread.
 */
#ifndef SALLYPORT_CORE_CORE_H
#define SALLYPORT_CORE_CORE_H

#include "base/log.h"
#include "base/rng.h"
#include "core/clock.h"
#include "core/gossip.h"
#include "core/walk.h"
#include "crypto/peer.h"
#include "crypto/ticket.h"
#include "crypto/wolf.h"
#include "dp.h"
#include "net/net.h"
#include "proxy/px.h"
#include "tcp/tcp.h"
#include "tls/tls.h"

struct rte_rcu_qsbr;

enum core_counter {
#define CTR(sym, name, help) CORE_CTR_##sym,
#include "core/core_ctr.def"
#undef CTR
    CORE_CTR_COUNT,
};

enum core_cmd { CORE_RUN, CORE_DRAIN, CORE_ABORT, CORE_EXIT };

/* Read by control. Relaxed loads: slightly old is good enough. */
struct core_pub {
    _Alignas(64) uint64_t gen; /* adopted */
    uint64_t effect_gen, effect_us;
    uint64_t turn_ns_max;
    uint32_t tcp_conns, tcp_reqs, tcp_time_wait;
    uint32_t clients, requests, backends_idle, backends_busy;
    uint32_t nbufs_free;
    uint64_t heap_used_b, heap_peak_b, mem_used_b;
    uint32_t peers;
    uint32_t running, draining;
};

struct core {
    uint32_t id;
    struct dp *dp;
    const struct clock *clock;
    enum dp_poll poll;
    struct rte_rcu_qsbr *qsbr;
    struct snap *const *published; /* dp's pointer; read with acquire */

    _Alignas(64) uint32_t cmd; /* enum core_cmd; control writes */

    _Alignas(64) struct core_pub pub;
    struct walk walk; /* connections, when control asks for them */

    _Alignas(64) uint64_t now_ns;
    uint64_t wall_offset_ns, wall_next_ns;
    struct rng rng;
    struct log_out log;
    struct ring ring;
    void *ring_mem;
    struct wolf_thread wolf;
    struct memo *memo;
    struct peers *peers;
    struct tickets tickets;
    struct gossip *gossip; /* dp's */
    struct net_core *net;
    struct tcp *tcp;
    struct tls_core *tls;
    struct px *px;
    struct snap *snap;
    struct endpoint listening[64];
    uint32_t listening_count;
    uint64_t idle_since_ns;
    uint64_t busy_ns; /* of turns with work, not yet counted: less than 1000 */
    uint64_t pub_next_ns;
    uint32_t cmd_done; /* the last command carried out */
    uint64_t ctr[CORE_CTR_COUNT];
};

struct core_args {
    uint32_t id;
    struct dp *dp;
    const struct clock *clock;
    struct net *net;
    struct gossip *gossip;
    enum dp_poll poll;
    struct rte_rcu_qsbr *qsbr;
    struct snap *const *published;
    uint32_t conns_max, conns_per_prefix;
    bool ecn, forget_verdicts;
    uint64_t heap_b;
    uint32_t time_wait_ms;
    struct ocsp_table *ocsp;
    uint8_t ticket_seed[TICKET_SEED_B]; /* Secret; the same for all cores */
    int64_t start_s;
};

#define CORE_RING_B (4u << 20)

/* On the control thread, before the core runs: everything is allocated here. */
MUST_CHECK res core_new(const struct core_args *args, struct report *report, struct core **out);
void core_free(struct core *c); /* after the thread has ended */

/* The thread: runs until CORE_EXIT, or CORE_DRAIN and nothing is left. */
int core_main(void *core);

extern const struct ctr_desc core_ctr_desc[];
extern const unsigned core_ctr_count;

#endif
