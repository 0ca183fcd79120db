/**
 * bound: what is said when one of a core's bounds is reached. Each time is counted where it happens; the log
 * gets one line per bound and BOUND_EVERY_NS with an example and how many times it kept to itself:
 *     ... PEER bound.half_open peer=192.0.2.7 counter=TcpExtTCPReqQFullDoCookies swallowed=51234
 * A flood ends with such a line too, so that the swallowed ones add up.
 */
#ifndef SALLYPORT_BASE_BOUND_H
#define SALLYPORT_BASE_BOUND_H

#include "base/ip.h"

struct log_out;

enum bound {
#define BOUND(sym, level, name, counter, setting, effect) BOUND_##sym,
#include "base/bound.def"
#undef BOUND
    BOUND_COUNT,
};

#define BOUND_EVERY_NS 10000000000ULL

/* Of one bound and thread. */
struct bound_place {
    uint64_t quiet_ns; /* nothing is said before */
    uint32_t hits;     /* not told yet */
    bool with_peer;
    struct ip_addr peer; /* of the last hit that had one */
};

/* It was reached. log and peer may be NULL. Bound: O(1), one event at most. */
void bound_hit(struct log_out *log, enum bound b, const struct ip_addr *peer);

/* Tells what was kept back and is due. Once in some milliseconds. */
void bound_tell(struct log_out *log);

#endif
