/**
 * eal: DPDK's environment, from the configuration alone. The user writes no EAL flag.
 */
#ifndef SALLYPORT_NET_EAL_H
#define SALLYPORT_NET_EAL_H

#include "base/report.h"

#define EAL_PORTS_MAX 16
#define EAL_CPUS_MAX  64
#define EAL_NAME_B    64

/* Work left to a device: what it does better than we, nothing, all it can. */
enum eal_offload { EAL_OFFLOAD_AUTO, EAL_OFFLOAD_OFF, EAL_OFFLOAD_ON };

struct eal_config {
    const char *devices[EAL_PORTS_MAX]; /* as in the configuration */
    enum eal_offload offload[EAL_PORTS_MAX];
    uint32_t device_count;
    unsigned cpus[EAL_CPUS_MAX]; /* that poll */
    uint32_t cpu_count;
    bool telemetry;
    int hugepages;            /* 1: must, 0: never, -1: when there are any */
    uint32_t memory_mb;       /* without hugepages: what EAL may take */
    const char *const *extra; /* NULL-terminated, or NULL */
};

/* Lcore number of polling core i: 0 is the main lcore, which does not poll. */
static inline unsigned eal_lcore(uint32_t i)
{
    return i + 1;
}

/* Once per process. *huge: hugepages are used. */
MUST_CHECK res eal_start(const struct eal_config *cfg, struct report *report, bool *huge);
void eal_stop(void);

/**
 * From a device of the configuration to DPDK's words: "af_packet:veth0" becomes the vdev
 * "net_af_packet0,iface=veth0,qpairs=2,...", name "net_af_packet0". A PCI address stays one: *vdev is
 * then empty. False: not a device.
 */
bool eal_device(const char *device, uint32_t index, uint32_t queues, char *name, size_t name_cap,
                char *vdev, size_t vdev_cap);

#endif
