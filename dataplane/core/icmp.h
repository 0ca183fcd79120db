/**
 * icmp: an ICMP error that the network heard, in the words of TCP: neither of the two knows the other. Needs no
 * device, so that whatever else puts the two together (simulation, fuzzing) says it as the product does.
 */
#ifndef SALLYPORT_CORE_ICMP_H
#define SALLYPORT_CORE_ICMP_H

#include "net/l3.h"
#include "tcp/tcp.h"

static inline void core_icmp_error(struct tcp *tcp, const struct l3_icmp_error *e)
{
    const struct tcp_tuple t = {e->src, e->dst, e->sport, e->dport};

    tcp_icmp_error(tcp, &t, e->seq,
                   e->what == L3_ICMP_TOO_BIG ? TCP_ICMP_TOO_BIG
                   : e->what == L3_ICMP_HARD  ? TCP_ICMP_UNREACH_HARD
                                              : TCP_ICMP_UNREACH_SOFT,
                   e->mtu);
}

#endif
