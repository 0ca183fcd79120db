#include "net/port.h"

#include <rte_errno.h>
#include <rte_ethdev.h>

#define DESC 1024

#define TX_WANTED                                                                                \
    (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO | \
     RTE_ETH_TX_OFFLOAD_MULTI_SEGS)
#define RX_WANTED (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)
#define CSUMS     (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM)

static res fail(const struct port_plan *plan, struct report *report, const char *what, int r,
                const char *hint)
{
    report_add(report, REPORT_ERROR, NULL, 0, hint, "port %s: %s: %s", plan->device, what,
               rte_strerror(r < 0 ? -r : r));
    return ERR(FAIL);
}

static bool software_only(const char *driver)
{
    /* net_tap computes checksums in software itself, and less well than we do (DESIGN.md, 3). */
    return strcmp(driver, "net_tap") == 0;
}

static void choose_offloads(const struct port_plan *plan, const struct rte_eth_dev_info *info,
                            struct port *p)
{
    p->tx_offloads = info->tx_offload_capa & TX_WANTED;
    p->rx_offloads = info->rx_offload_capa & RX_WANTED;
    if (plan->offload == EAL_OFFLOAD_OFF)
        p->tx_offloads = p->rx_offloads = 0;
    if (plan->offload == EAL_OFFLOAD_AUTO && software_only(p->driver))
        p->tx_offloads &= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    if ((p->tx_offloads & CSUMS) != CSUMS) /* both or none: TSO needs both */
        p->tx_offloads &= ~(uint64_t)(CSUMS | RTE_ETH_TX_OFFLOAD_TCP_TSO);
    p->tx_csum = (p->tx_offloads & CSUMS) == CSUMS;
    p->tx_tso =
        p->tx_csum && (p->tx_offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO) &&
        (p->tx_offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) &&
        (info->tx_desc_lim.nb_seg_max == 0 || info->tx_desc_lim.nb_seg_max >= PORT_SEGS_MAX);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static res configure(const struct port_plan *plan, const struct rte_eth_dev_info *info,
                     struct port *p, struct report *report)
{
    struct rte_eth_conf conf;
    uint64_t rss = info->flow_type_rss_offloads &
                   (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP);
    int r;

    memset(&conf, 0, sizeof(conf));
    p->queues = least(plan->cores, least(info->max_rx_queues, info->max_tx_queues));
    conf.txmode.offloads = p->tx_offloads;
    conf.rxmode.offloads = p->rx_offloads;
    p->rss = p->queues > 1 && rss && info->hash_key_size >= STEER_KEY_B;
    if (p->rss) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_key = (uint8_t *)(uintptr_t)plan->steer->key;
        conf.rx_adv_conf.rss_conf.rss_key_len = STEER_KEY_B;
        conf.rx_adv_conf.rss_conf.rss_hf = rss;
        if (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH)
            conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_RSS_HASH;
    }
    r = rte_eth_dev_configure(p->id, (uint16_t)p->queues, (uint16_t)p->queues, &conf);
    if (r)
        return fail(plan, report, "cannot be configured", r, NULL);
    return OK;
}

static res set_queues(const struct port_plan *plan, struct port *p, struct report *report)
{
    uint16_t rx = DESC, tx = DESC;
    int socket = rte_eth_dev_socket_id(p->id);
    int r = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &rx, &tx);

    for (uint16_t q = 0; r == 0 && q < p->queues; q++) {
        r = rte_eth_rx_queue_setup(p->id, q, rx, (unsigned)socket, NULL, plan->pools[q]);
        if (r == 0)
            r = rte_eth_tx_queue_setup(p->id, q, tx, (unsigned)socket, NULL);
    }
    if (r)
        return fail(plan, report, "queues cannot be set up", r,
                    "memory.buffers_mb may be too small for this device");
    return OK;
}

/* Our table into the device, so that its answer and ours can be compared. */
static void set_reta(const struct port_plan *plan, const struct rte_eth_dev_info *info,
                     struct port *p)
{
    struct rte_eth_rss_reta_entry64 reta[STEER_RETA_MAX / RTE_ETH_RETA_GROUP_SIZE];
    uint16_t size = info->reta_size;

    if (!p->rss || size == 0 || size > STEER_RETA_MAX)
        return;
    memset(reta, 0, sizeof(reta));
    for (uint16_t i = 0; i < size; i++) {
        struct rte_eth_rss_reta_entry64 *e = &reta[i / RTE_ETH_RETA_GROUP_SIZE];

        e->mask = UINT64_MAX;
        e->reta[i % RTE_ETH_RETA_GROUP_SIZE] =
            (uint16_t)(plan->steer->reta[i & (plan->steer->reta_size - 1)] % p->queues);
    }
    (void)rte_eth_dev_rss_reta_update(p->id, reta, size); /* refused: software steering goes on */
}

static bool has_v6_group_filter(struct port *p)
{
    /* Neighbour discovery arrives by multicast. Some devices filter it and cannot be told not to. */
    return rte_eth_allmulticast_enable(p->id) == 0;
}

/* net_tap holds whole frames, cut from a run, against its MTU, and refuses them for ever. */
static void room_for_frames(struct port *p)
{
    if (software_only(p->driver) && p->tx_tso &&
        rte_eth_dev_set_mtu(p->id, (uint16_t)(p->mtu + ETH_HDR_B + 4u /* a VLAN tag */)) != 0)
        p->tx_tso = false;
}

res port_open(const struct port_plan *plan, struct report *report, struct port *out)
{
    char name[EAL_NAME_B], vdev[512];
    struct rte_eth_dev_info info;
    struct rte_ether_addr mac;
    int r;

    memset(out, 0, sizeof(*out));
    out->device = plan->device;
    if (!eal_device(plan->device, plan->index, plan->cores, name, sizeof(name), vdev,
                    sizeof(vdev)) ||
        rte_eth_dev_get_port_by_name(name, &out->id) != 0)
        return fail(plan, report, "DPDK did not find it", ENODEV,
                    "does the interface exist? is the PCI device bound to vfio-pci?");
    r = rte_eth_dev_info_get(out->id, &info);
    if (r)
        return fail(plan, report, "says nothing about itself", r, NULL);
    snprintf(out->driver, sizeof(out->driver), "%s", info.driver_name);
    choose_offloads(plan, &info, out);
    TRY(configure(plan, &info, out, report));
    TRY(set_queues(plan, out, report));
    if (plan->mtu && (r = rte_eth_dev_set_mtu(out->id, plan->mtu)) && r != -ENOTSUP)
        return fail(plan, report, "does not take the MTU", r, NULL);
    r = rte_eth_dev_start(out->id);
    if (r)
        return fail(plan, report, "does not start", r, NULL);
    set_reta(plan, &info, out);
    (void)rte_eth_promiscuous_disable(out->id);
    (void)has_v6_group_filter(out);
    if (rte_eth_macaddr_get(out->id, &mac) != 0)
        return fail(plan, report, "has no MAC address", ENODEV, NULL);
    memcpy(out->mac.b, mac.addr_bytes, 6);
    /* A TAP's driver says the address of the kernel's end: both would be the same station. */
    if (strcmp(out->driver, "net_tap") == 0)
        out->mac.b[5] ^= 1;
    out->mtu = plan->mtu;
    if (!out->mtu && rte_eth_dev_get_mtu(out->id, &out->mtu) != 0)
        out->mtu = 1500;
    room_for_frames(out);
    return OK;
}

void port_close(struct port *p)
{
    (void)rte_eth_dev_stop(p->id);
    (void)rte_eth_dev_close(p->id);
}

void port_text(const struct port *p, const struct steer *s, struct sb *out)
{
    struct rte_eth_link link;
    bool up = rte_eth_link_get_nowait(p->id, &link) == 0 && link.link_status;

    sb_fmt(out,
           "%s driver=%s mtu=%u mac=%02x:%02x:%02x:%02x:%02x:%02x link=%s queues=%u steering=%s",
           p->device, p->driver, p->mtu, p->mac.b[0], p->mac.b[1], p->mac.b[2], p->mac.b[3],
           p->mac.b[4], p->mac.b[5], up ? "up" : "down", p->queues,
           s->cores == 1 ? "one-core"
           : p->rss      ? "device, checked in software"
                         : "software");
    sb_fmt(out, " tx_checksum=%s tso=%s", p->tx_csum ? "device" : "software",
           p->tx_tso ? "device" : "none");
}
