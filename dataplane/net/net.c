#include "net/net_internal.h"

#include "base/must.h"

#include <rte_ethdev.h>
#include <rte_mempool.h>

#define BURST      NET_AHEAD_MAX
#define AHEAD_FROM 4u /* packets: with fewer there is nothing to overlap */
#define BURSTS_MAX 4u /* per port and turn: bounded latency */

/* --- sending --- */

static void count(struct net_core *nc, enum l3_counter c, uint64_t n)
{
    ctr_add(&l3_counters(nc->l3)[c], n);
}

/**
 * Devices that finish packets want to see them before (rte_ethdev.h, rte_eth_tx_prepare). Returns how many
 * may go; a packet that the device does not take is dropped: 0 then, and the queue is one shorter.
 */
static uint16_t prepare(struct net_core *nc, uint32_t port, struct tx_queue *q, uint32_t from,
                        uint16_t n)
{
    uint16_t ok = rte_eth_tx_prepare(nc->net->ports[port].id, (uint16_t)nc->core, q->m + from, n);

    if (ok)
        return ok;
    count(nc, NET_CTR_TX_REFUSED, 1);
    rte_pktmbuf_free(q->m[from]);
    q->n--;
    memmove(q->m + from, q->m + from + 1, (q->n - from) * sizeof(q->m[0]));
    return 0;
}

static void at_bound(struct net_core *nc, enum l3_counter c, enum bound b)
{
    count(nc, c, 1);
    bound_hit(nc->log, b, NULL);
}

static void flush_port(struct net_core *nc, uint32_t port)
{
    const struct port *p = &nc->net->ports[port];
    struct tx_queue *q = &nc->tx[port];
    uint32_t done = 0;

    while (done < q->n) {
        uint16_t n = (uint16_t)(q->n - done);

        if (p->tx_csum && (n = prepare(nc, port, q, done, n)) == 0)
            continue;
        n = rte_eth_tx_burst(p->id, (uint16_t)nc->core, q->m + done, n);

        if (n == 0)
            break;
        done += n;
    }
    if (done == 0)
        return;
    count(nc, NET_CTR_TX_PKTS, done);
    q->n -= done;
    if (q->n)
        memmove(q->m, q->m + done, q->n * sizeof(q->m[0]));
}

static void copy_frame(struct net_core *nc, uint32_t port, struct rte_mbuf *m, bool out)
{
    struct span parts[32];
    uint32_t n = 0;

    for (; m && n < ARRAY_LEN(parts); m = m->next)
        parts[n++] = span_of(rte_pktmbuf_mtod(m, void *), m->data_len);
    capture_frame(&nc->capture, parts, n, out, (uint8_t)port, nc->now_ns);
}

static void enqueue(struct net_core *nc, uint32_t port, struct rte_mbuf *m)
{
    struct tx_queue *q = &nc->tx[port];

    if (capture_is_on(&nc->capture))
        copy_frame(nc, port, m, true);

    if (q->n == STASH)
        flush_port(nc, port);
    if (q->n == STASH) { /* like a full queue of a router: the newest is lost */
        at_bound(nc, NET_CTR_TX_FULL, BOUND_DEVICE_QUEUE);
        rte_pktmbuf_free(m);
        return;
    }
    q->m[q->n++] = m;
}

static bool hand_over(struct net_core *nc, uint32_t to, struct rte_mbuf *m, uint32_t port,
                      bool send)
{
    if (handoff_give(&nc->net->handoff, nc->core, to, nbuf_of(m), (uint8_t)port, send))
        return true;
    at_bound(nc, NET_CTR_STEER_DROPPED, BOUND_CORE_RING);
    return false;
}

/* By a core that has a queue of the port. Data in flight stays TCP's: it goes as a copy. */
static void send_elsewhere(struct net_core *nc, uint8_t port, struct rte_mbuf *pkt)
{
    struct rte_mbuf *own = pkt;

    if (rte_mbuf_refcnt_read(pkt) > 1 || pkt->next) {
        own = rte_pktmbuf_copy(pkt, nc->pool, 0, UINT32_MAX);
        rte_pktmbuf_free(pkt);
        if (!own) {
            at_bound(nc, NET_CTR_NO_BUFFER, BOUND_BUFFERS);
            return;
        }
    }
    hand_over(nc, nc->core % nc->net->ports[port].queues, own, port, true);
}

static void env_tx(void *ctx, uint8_t port, struct nbuf *m)
{
    struct net_core *nc = (struct net_core *)ctx;
    const struct port *p = &nc->net->ports[port];
    struct rte_mbuf *pkt = nbuf_packet(m);

    count(nc, NET_CTR_TX_BYTES, pkt->pkt_len);
    if (nc->core < p->queues)
        enqueue(nc, port, pkt);
    else
        send_elsewhere(nc, port, pkt);
}

/* --- what other cores want to know --- */

static void env_heard(void *ctx, uint8_t port, const struct ip_addr *ip, const struct mac *mac,
                      bool answer)
{
    struct net_core *nc = (struct net_core *)ctx;

    handoff_tell_heard(&nc->net->handoff, nc->core, port, ip, mac, answer);
}

static void env_conflict(void *ctx, uint8_t port, const struct ip_addr *ip)
{
    struct net_core *nc = (struct net_core *)ctx;

    handoff_tell_conflict(&nc->net->handoff, nc->core, port, ip);
}

static void on_heard(void *ctx, uint8_t port, const struct ip_addr *ip, const struct mac *mac,
                     bool answer)
{
    struct net_core *nc = (struct net_core *)ctx;

    l3_heard(nc->l3, port, ip, mac, answer, nc->now_ns);
}

static void on_conflict(void *ctx, uint8_t port, const struct ip_addr *ip)
{
    struct net_core *nc = (struct net_core *)ctx;

    (void)l3_conflict(nc->l3, port, ip, nc->now_ns);
}

/* --- receiving --- */

static void env_tcp(void *ctx, struct nbuf *m, const struct l3_segment *s)
{
    struct net_core *nc = (struct net_core *)ctx;

    nc->up.tcp(nc->up.ctx, m, s);
}

static void env_icmp(void *ctx, const struct l3_icmp_error *e)
{
    struct net_core *nc = (struct net_core *)ctx;

    nc->up.icmp_error(nc->up.ctx, e);
}

/* Whose is it? Only TCP and errors about it have an owner; all else stays where it arrived. */
static uint32_t owner_of(struct net_core *nc, const struct port *p, struct rte_mbuf *m)
{
    uint32_t hash, owner;

    if (handoff_owner(&nc->net->handoff, nc->core, nbuf_of(m), &owner, &hash) && p->rss &&
        (m->ol_flags & RTE_MBUF_F_RX_RSS_HASH))
        count(nc, m->hash.rss == hash ? NET_CTR_STEER_AGREED : NET_CTR_STEER_MISMATCH, 1);
    return owner;
}

static void received(struct net_core *nc, uint32_t port, struct rte_mbuf *m)
{
    uint32_t owner = nc->net->cores == 1 ? 0 : owner_of(nc, &nc->net->ports[port], m);

    if (owner != nc->core) {
        if (hand_over(nc, owner, m, port, false))
            count(nc, NET_CTR_STEER_OUT, 1);
        return;
    }
    l3_input(nc->l3, (uint8_t)port, nbuf_of(m), nc->now_ns);
}

static void on_packet(void *ctx, struct nbuf *m, uint8_t port, bool send)
{
    struct net_core *nc = (struct net_core *)ctx;

    if (send) {
        enqueue(nc, port, nbuf_mbuf(m));
        return;
    }
    count(nc, NET_CTR_STEER_IN, 1);
    l3_input(nc->l3, port, m, nc->now_ns);
}

/* The fragments met here; the segment that they make has an owner of its own. */
static bool env_elsewhere(void *ctx, uint8_t port, struct nbuf *m)
{
    struct net_core *nc = (struct net_core *)ctx;
    uint32_t owner, hash;

    if (!handoff_owner(&nc->net->handoff, nc->core, m, &owner, &hash) || owner == nc->core)
        return false;
    if (hand_over(nc, owner, nbuf_mbuf(m), port, false))
        count(nc, NET_CTR_STEER_OUT, 1);
    return true;
}

/* What a burst will touch is fetched for all of it before the first is looked at closely. */
static void look_ahead(struct net_core *nc, struct rte_mbuf *const *m, uint32_t n)
{
    struct ip_addr src, dst;
    uint16_t sport, dport;
    uint32_t slots = 0;

    for (uint32_t i = 0; i < n; i++)
        rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
    for (uint32_t i = 0; i < n; i++) {
        struct span frame = span_of(rte_pktmbuf_mtod(m[i], void *), m[i]->data_len);

        if (!steer_tuple(frame, &src, &dst, &sport, &dport))
            continue;
        nc->up.ahead(nc->up.ctx, i + 1, &src, &dst, sport, dport);
        slots |= 1u << i;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (slots & 1u << i)
            nc->up.ahead_conn(nc->up.ctx, i + 1);
    }
}

static uint32_t poll_port(struct net_core *nc, uint32_t port)
{
    uint32_t total = 0;

    for (uint32_t b = 0; b < BURSTS_MAX; b++) {
        struct rte_mbuf *m[BURST];
        uint16_t n = rte_eth_rx_burst(nc->net->ports[port].id, (uint16_t)nc->core, m, BURST);

        for (uint16_t i = 0; i < n && capture_is_on(&nc->capture); i++)
            copy_frame(nc, port, m[i], false);
        if (n >= AHEAD_FROM)
            look_ahead(nc, m, n);
        for (uint16_t i = 0; i < n; i++) {
            nc->ahead = n >= AHEAD_FROM ? i + 1u : 0;
            received(nc, port, m[i]);
        }
        nc->ahead = 0;
        total += n;
        if (n < BURST)
            break;
    }
    return total;
}

uint32_t net_core_poll(struct net_core *nc, uint64_t now_ns)
{
    const struct handoff_sink sink = {nc, on_packet, on_heard, on_conflict};
    uint32_t n = 0;

    nc->now_ns = now_ns;
    for (uint32_t p = 0; p < nc->net->port_count; p++) {
        if (nc->core < nc->net->ports[p].queues)
            n += poll_port(nc, p);
    }
    n += handoff_poll(&nc->net->handoff, nc->core, &sink);
    l3_timers(nc->l3, now_ns);
    return n;
}

void net_core_flush(struct net_core *nc, uint64_t now_ns)
{
    (void)now_ns;
    for (uint32_t p = 0; p < nc->net->port_count; p++) {
        if (nc->tx[p].n)
            flush_port(nc, p);
    }
}

struct nbuf_pool *net_core_pool(struct net_core *nc)
{
    return (struct nbuf_pool *)nc->pool;
}

uint32_t net_core_ahead(const struct net_core *nc)
{
    return nc->ahead;
}

uint32_t net_core_buffers_free(const struct net_core *nc)
{
    return rte_mempool_avail_count(nc->pool);
}

res net_core_begin(struct net_core *nc, const struct net_up *up, struct rng *rng,
                   struct log_out *log, uint64_t now_ns)
{
    struct l3_env env = {.ctx = nc,
                         .pool = net_core_pool(nc),
                         .rng = rng,
                         .log = log,
                         .tx = env_tx,
                         .tcp = env_tcp,
                         .icmp_error = env_icmp,
                         .heard = nc->net->cores > 1 ? env_heard : NULL,
                         .conflict = nc->net->cores > 1 ? env_conflict : NULL,
                         .elsewhere = nc->net->cores > 1 ? env_elsewhere : NULL,
                         .reassembles = nc->net->handoff.reassembly,
                         .announces = nc->core == 0};

    nc->up = *up;
    nc->log = log;
    nc->now_ns = now_ns;
    return l3_new(&env, nc->net->l3_ports, nc->net->port_count, now_ns, &nc->l3);
}

void net_core_end(struct net_core *nc)
{
    for (uint32_t p = 0; p < nc->net->port_count; p++) {
        flush_port(nc, p);
        for (uint32_t i = 0; i < nc->tx[p].n; i++)
            rte_pktmbuf_free(nc->tx[p].m[i]);
        nc->tx[p].n = 0;
    }
    l3_free(nc->l3);
    nc->l3 = NULL;
}

struct capture *net_core_capture(struct net_core *nc)
{
    return &nc->capture;
}

struct l3 *net_core_l3(struct net_core *nc)
{
    return nc->l3;
}

bool net_core_owns(const struct net_core *nc, const struct ip_addr *laddr,
                   const struct ip_addr *raddr, uint16_t lport, uint16_t rport)
{
    /* As the reply will be seen: from the remote side to us. */
    return steer_owner(&nc->net->handoff.steer, raddr, laddr, rport, lport) == nc->core;
}
