/**
 * net: devices and cores together. Opens what the configuration names, and gives each core its end: a
 * struct net_core that receives bursts, hands packets to the core that owns their flow, runs the
 * engine (l3) and sends.
 *
 * Between cores there is only net/handoff.h. A packet that was handed over is not handed over again.
 */
#ifndef SALLYPORT_NET_NET_H
#define SALLYPORT_NET_NET_H

#include "base/capture.h"
#include "net/eal.h"
#include "net/handoff.h"
#include "net/l3.h"

struct net;
struct net_core;

struct net_config {
    struct eal_config eal;
    struct l3_port ports[L3_PORTS_MAX]; /* mac is filled in; mtu 0: the device's */
    uint32_t port_count;
    uint32_t buffers; /* per core; 0: default */
    bool reassembly;  /* of TCP packets that come in fragments */
};

/* EAL, ports, pools, rings. Once per process. */
MUST_CHECK res net_start(const struct net_config *cfg, struct report *report, struct net **out);
void net_stop(struct net *n); /* after all cores have ended */

struct net_core *net_core_of(struct net *n, uint32_t core);
struct nbuf_pool *net_core_pool(struct net_core *nc);
/* Exactly: with those that lie in caches, which takes a walk over all lcores. */
uint32_t net_core_buffers_free(const struct net_core *nc);

/* What the core does with what comes up. */
struct net_up {
    void *ctx;
    void (*tcp)(void *ctx, struct nbuf *m, const struct l3_segment *s);
    void (*icmp_error)(void *ctx, const struct l3_icmp_error *e);
    /**
     * Of a larger burst: a segment from src to dst is about to come, in slot 1 to NET_AHEAD_MAX; called for all of
     * the burst, then ahead_conn for all, then tcp() with net_core_ahead() saying which it is.
     */
    void (*ahead)(void *ctx, uint32_t slot, const struct ip_addr *src, const struct ip_addr *dst,
                  uint16_t sport, uint16_t dport);
    void (*ahead_conn)(void *ctx, uint32_t slot);
};

#define NET_AHEAD_MAX 32u
uint32_t net_core_ahead(const struct net_core *nc); /* the slot of what comes up now, or 0 */

/* On the core, before its first turn. */
MUST_CHECK res net_core_begin(struct net_core *nc, const struct net_up *up, struct rng *rng,
                              struct log_out *log, uint64_t now_ns);
void net_core_end(struct net_core *nc);

/* Receive and process; bounded. Returns packets seen. */
uint32_t net_core_poll(struct net_core *nc, uint64_t now_ns);
/* Everything that was sent in this turn goes to the devices. */
void net_core_flush(struct net_core *nc, uint64_t now_ns);

/* Switched on and read by control. */
struct capture *net_core_capture(struct net_core *nc);
struct l3 *net_core_l3(struct net_core *nc);
/* Does a flow with this tuple (local, remote) come to this core? */
bool net_core_owns(const struct net_core *nc, const struct ip_addr *laddr,
                   const struct ip_addr *raddr, uint16_t lport, uint16_t rport);
/* All ports together: what may be left to devices. */
bool net_offloads_csum(const struct net *n);
bool net_offloads_tso(const struct net *n);

void net_port_text(const struct net *n, uint32_t port, struct sb *out);
uint32_t net_buffers_total(const struct net *n);

#endif
