/**
 * sim: TCP stacks on a simulated network, in virtual time, in one thread and one process. Everything that
 * is random comes from one seed, so a run replays to the byte.
 *
 * Time jumps to the next event: a packet that arrives, or a deadline of a stack. After each event the
 * invariants of every connection are checked (sim_check).
 */
#ifndef SALLYPORT_TESTS_SIM_H
#define SALLYPORT_TESTS_SIM_H

#include "base/rng.h"
#include "sim/device.h"

#define SIM_MS(n)  ((uint64_t)(n)*1000000)
#define SIM_SEC(n) ((uint64_t)(n)*1000000000)
#define SIM_NODES  4

struct sim;

/* What a link does to packets, in one direction. Chances are per million. */
struct sim_fault {
    uint32_t loss, dup, corrupt;
    uint32_t reorder; /* this packet is held back by reorder_us more */
    uint32_t reorder_us;
    uint32_t delay_us, jitter_us;
    uint32_t kbit_s;     /* 0: no limit */
    uint32_t queue_pkts; /* of the rate limiter; 0: 1000 */
    uint32_t burst_loss; /* chance to begin a burst in which everything is lost */
    uint32_t burst_us;
    uint32_t mtu;  /* larger IP packets vanish; 0: no limit */
    bool mtu_icmp; /* ... with an ICMP error */
    bool down;
};

struct sim_node {
    struct sim *sim;
    struct tcp *tcp;
    struct ip_addr addr;
    struct nbuf_pool pool;
    struct device device;
    struct rng rng;
    struct sim_fault out; /* of packets that leave this node */
    uint64_t free_at;     /* rate limiter */
    uint32_t queued;
    uint64_t burst_until;
    uint64_t sent, lost;
    uint16_t mtu;
    uint64_t last_arrival;
    bool too_big; /* an ICMP error waits for the next turn */
    struct tcp_tuple too_big_tuple;
    uint32_t too_big_seq;
    bool dead; /* swallows everything, says nothing */
};

struct sim *sim_new(uint64_t seed, bool v6, const struct tcp_settings *settings);
void sim_free(struct sim *s);
struct sim_node *sim_node(struct sim *s, uint32_t i);
struct rng *sim_rng(struct sim *s);
uint64_t sim_now(const struct sim *s);

/* Let time pass until `until` holds or the clock has gone on by max_ns. True: it holds. */
typedef bool sim_until(void *ctx);
bool sim_run(struct sim *s, uint64_t max_ns, sim_until *until, void *ctx);

/* See every packet that enters the network; may change its fate: false = it is lost. */
typedef bool sim_tap(void *ctx, struct sim_node *from, struct nbuf *m, const struct tcp_tx *tx);
void sim_set_tap(struct sim *s, sim_tap *tap, void *ctx);

/* Put a segment of one's own making onto the wire towards `to`; takes m (TCP header first). */
void sim_inject(struct sim *s, struct sim_node *to, struct nbuf *m, const struct ip_addr *src,
                uint64_t delay_ns);

/* A run that ends leaves nothing behind: buffers, connections. Returns what is wrong, or NULL. */
const char *sim_leftover(struct sim *s);

#endif
