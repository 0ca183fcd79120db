/**
 * reasm: TCP packets that came in fragments, put together (RFC 791, 815; RFC 8200 4.5, 5722).
 *
 * Only TCP: a segment that is larger than a link on the way, when path MTU discovery fails. Nothing else
 * that we speak is worth the memory, and fragmented neighbour discovery must be ignored (RFC 6980).
 * A fragment that overlaps another one ends its packet, and what still comes of it is dropped until its time
 * is over (RFC 5722); an exact copy is dropped alone. Nothing is copied: the packet is the chain of its
 * fragments' buffers. All is bounded, per core, and at a bound the oldest packet is given up, so that
 * those who send fragments nobody can complete delay nobody for long.
 *
 * Why not rte_ip_frag: it does not notice overlaps, and runs on mbufs only, not in tests and fuzzers.
 */
#ifndef SALLYPORT_NET_REASM_H
#define SALLYPORT_NET_REASM_H

#include "base/log.h"
#include "base/siphash.h"
#include "net/nbuf.h"
#include "net/wire.h"

#define REASM_PACKETS 1024u /* not yet complete, of one core */
/* Of one address, IPv6: of one /64; a tunnel or NAT is one, and fragments of a burst come by many queues. */
#define REASM_PER_SOURCE 256u
#define REASM_FRAGMENTS  48u   /* of one packet: 64 KB in those of Ethernet */
#define REASM_BUFS       4096u /* held in all, or a sixteenth of the pool */
#define REASM_V4_NS \
    15000000000ULL /* RFC 791; RFC 1122 says 60 s, but IDs come again sooner (RFC 4963) */
#define REASM_V6_NS 60000000000ULL /* RFC 8200 4.5 */

struct reasm;

struct reasm_env {
    uint64_t *ctr; /* by enum l3_counter */
    struct log_out *log;
    struct sip_key key;
    uint32_t bufs_max;
};

MUST_CHECK res reasm_new(const struct reasm_env *env, struct reasm **out);
void reasm_free(struct reasm *r);

/**
 * One fragment.
 *
 * Takes    m  begins with the IP header and ends with the packet
 * Returns  the whole packet, a chain that begins with its IP header, its checksum and length right, what TCP
 *          and IP have of headers in the first buffer; NULL: not yet, or never
 * Bound    O(REASM_FRAGMENTS); allocates nothing
 */
struct nbuf *reasm_add(struct reasm *r, struct nbuf *m, const struct ip_hdr *h, uint64_t now_ns);

/* Gives up what has waited for too long. */
void reasm_timers(struct reasm *r, uint64_t now_ns);
uint64_t reasm_next_deadline(const struct reasm *r);

#endif
