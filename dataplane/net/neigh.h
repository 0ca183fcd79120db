/**
 * neigh: from next hop to MAC address, for ARP (RFC 826) and ND (RFC 4861 7.3) alike. One table per core.
 *
 * An entry is confirmed by an answer to a question of ours, or by forward progress of a connection
 * (RFC 4861 7.3.1). While confirmed lately it cannot be changed by what others claim unasked
 * (poisoning), but a claim, like a connection that makes no progress, is a reason to ask: first the one
 * that is known, then, when it is silent, all. Packets for an address that is being asked for wait, at
 * most three.
 */
#ifndef SALLYPORT_NET_NEIGH_H
#define SALLYPORT_NET_NEIGH_H

#include "base/log.h"
#include "net/nbuf.h"
#include "net/wire.h"

#define NEIGH_MAX       1024u
#define NEIGH_QUEUE     3u
#define NEIGH_TRIES     3u
#define NEIGH_RETRY_NS  1000000000ULL
#define NEIGH_FRESH_NS  30000000000ULL /* used without a question for so long after confirmation */
#define NEIGH_SURE_NS   5000000000ULL  /* unasked claims do not count for so long */
#define NEIGH_DOUBT_NS  1000000000ULL  /* confirmed so lately, it is not asked again on doubt */
#define NEIGH_FAILED_NS 3000000000ULL  /* no new question for so long after none was answered */

enum neigh_state { NEIGH_FREE, NEIGH_ASKING, NEIGH_KNOWN, NEIGH_PROBING, NEIGH_FAILED };

struct neigh {
    struct ip_addr ip;
    struct mac mac;
    uint8_t state, tries, queued, port;
    uint64_t confirmed_ns; /* last proof that it is there */
    uint64_t used_ns;
    uint64_t next_ns; /* of the next question, or the end of FAILED */
    struct nbuf *queue[NEIGH_QUEUE];
    uint32_t link; /* next of its hash chain, index + 1 */
};

struct neigh_table {
    struct neigh *entries;
    uint32_t *heads; /* hash chains, index + 1 */
    uint32_t used;
    uint32_t waiting; /* entries with something to do by time */
    uint64_t key;
};

/* Something is to be done by time: it is counted in `waiting`. */
static inline bool neigh_waits(const struct neigh *n)
{
    return n->state == NEIGH_ASKING || n->state == NEIGH_PROBING || n->state == NEIGH_FAILED;
}

MUST_CHECK res neigh_init(struct neigh_table *t, uint64_t key);
void neigh_fini(struct neigh_table *t);

struct neigh *neigh_find(const struct neigh_table *t, uint8_t port, const struct ip_addr *ip);
/* Finds or makes; a full table gives up its least recently used entry that is not in use. */
struct neigh *neigh_get(struct neigh_table *t, uint8_t port, const struct ip_addr *ip,
                        uint64_t now_ns);

/* Wait for the answer. The oldest packet gives way; returns true when one was dropped. Takes m. */
bool neigh_queue(struct neigh *n, struct nbuf *m);

#endif
