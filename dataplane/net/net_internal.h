/* Shared by net.c and net_start.c only. */
#ifndef SALLYPORT_NET_NET_INTERNAL_H
#define SALLYPORT_NET_NET_INTERNAL_H

#include "net/net.h"
#include "net/port.h"

#define STASH 256u /* packets that a device did not take at once */

struct tx_queue {
    struct rte_mbuf *m[STASH];
    uint32_t n;
};

struct net_core {
    struct net *net;
    uint32_t core;
    struct rte_mempool *pool;
    struct l3 *l3;
    struct net_up up;
    struct log_out *log;
    uint64_t now_ns;
    uint32_t ahead;
    struct tx_queue tx[L3_PORTS_MAX];
    struct capture capture;
};

struct net {
    struct port ports[L3_PORTS_MAX];
    struct l3_port l3_ports[L3_PORTS_MAX];
    uint32_t port_count, cores, buffers;
    struct handoff handoff;
    struct net_core *core[EAL_CPUS_MAX];
};

#endif
