/**
 * port: one DPDK device: configured, its queues dealt out to cores, its offloads known.
 */
#ifndef SALLYPORT_NET_PORT_H
#define SALLYPORT_NET_PORT_H

#include "base/report.h"
#include "base/sb.h"
#include "net/eal.h"
#include "net/steer.h"
#include "net/wire.h"

struct rte_mempool;

struct port {
    uint16_t id;
    const char *device; /* as configured */
    char driver[32];
    struct mac mac;
    uint16_t mtu;
    uint32_t queues; /* pairs; core i < queues has pair i */
    bool rss;        /* the device hashes with our key */
    uint64_t tx_offloads, rx_offloads;
    bool tx_csum, tx_tso;
};

#define PORT_SEGS_MAX 16u /* buffers in a packet for a device to cut */

struct port_plan {
    const char *device;
    enum eal_offload offload;
    uint32_t index;
    uint32_t cores;
    uint16_t mtu;                     /* 0: the device's */
    struct rte_mempool *const *pools; /* one per core */
    const struct steer *steer;
};

MUST_CHECK res port_open(const struct port_plan *plan, struct report *report, struct port *out);
void port_close(struct port *p);
void port_text(const struct port *p, const struct steer *s, struct sb *out);

#endif
