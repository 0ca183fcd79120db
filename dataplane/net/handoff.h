/**
 * handoff: what cores give each other: packets for the core that owns their flow, packets for a core that
 * has a queue of the port, news of the neighbourhood. Between two cores there are single-producer
 * rings, one per direction, and nothing else; nobody waits for anybody, a full ring loses the newest.
 *
 * Knows no device and no engine, so that tests run it as the product does, with threads and without.
 * Thread  core i calls with me == i; init and fini when no core runs
 */
#ifndef SALLYPORT_NET_HANDOFF_H
#define SALLYPORT_NET_HANDOFF_H

#include "base/ring.h"
#include "net/nbuf.h"
#include "net/steer.h"
#include "net/wire.h"

struct handoff {
    struct steer steer;
    uint32_t cores;
    bool reassembly;             /* fragments of a packet meet on one core */
    struct ring *packets, *news; /* [from * cores + to] */
    void *mem;
};

MUST_CHECK res handoff_init(struct handoff *h, uint32_t cores, struct rng *rng);
/* Packets that nobody took go back to their pools. */
void handoff_fini(struct handoff *h);

/**
 * Who is to have this frame: the owner of its flow, whoever puts its fragments together, or who got it when it
 * belongs to no flow.
 * *hash is filled in when the frame has one, which is what true says.
 */
bool handoff_owner(const struct handoff *h, uint32_t me, struct nbuf *m, uint32_t *owner,
                   uint32_t *hash);

/**
 * A packet for another core; `send`: it is to go out of `port`, else it came in there.
 * Takes    m      which nobody else holds
 * Returns  false  the ring was full and the packet is lost
 */
bool handoff_give(struct handoff *h, uint32_t me, uint32_t to, struct nbuf *m, uint8_t port,
                  bool send);

/* To all other cores: `mac` says that `ip` is its own, unasked or as an answer. */
void handoff_tell_heard(struct handoff *h, uint32_t me, uint8_t port, const struct ip_addr *ip,
                        const struct mac *mac, bool answer);
/* To all other cores: somebody else has `ip`, which is ours. */
void handoff_tell_conflict(struct handoff *h, uint32_t me, uint8_t port, const struct ip_addr *ip);

struct handoff_sink {
    void *ctx;
    void (*packet)(void *ctx, struct nbuf *m, uint8_t port, bool send); /* takes m */
    void (*heard)(void *ctx, uint8_t port, const struct ip_addr *ip, const struct mac *mac,
                  bool answer);
    void (*conflict)(void *ctx, uint8_t port, const struct ip_addr *ip);
};

/* What others had for this core. Bound: 64 packets and 64 news of each. Returns packets. */
uint32_t handoff_poll(struct handoff *h, uint32_t me, const struct handoff_sink *sink);

#endif
