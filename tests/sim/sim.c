#include "sim/sim.h"

#include "sim/sim_check.h"
#include "tcp/internal.h"

#include <stdio.h>
#include <stdlib.h>

struct packet {
    uint64_t at;
    uint64_t order; /* ties: first in, first out */
    struct sim_node *to;
    struct nbuf *m;
    struct ip_addr src;
    uint8_t ecn;
};

struct sim {
    uint64_t now, order;
    struct rng rng;
    struct sim_node nodes[SIM_NODES];
    uint32_t node_count;
    struct packet *heap;
    uint32_t packets, cap;
    struct nbuf_pool wire; /* packets on their way are copies */
    sim_tap *tap;
    void *tap_ctx;
    bool v6;
};

/* --- packets on their way: a heap by time --- */

static bool before(const struct packet *a, const struct packet *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void heap_add(struct sim *s, struct packet p)
{
    uint32_t i = s->packets++;

    if (s->packets > s->cap) {
        s->cap = s->cap ? 2 * s->cap : 256;
        s->heap = (struct packet *)realloc(s->heap, s->cap * sizeof(p));
    }
    for (; i && before(&p, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = p;
}

static struct packet heap_take(struct sim *s)
{
    struct packet top = s->heap[0], last = s->heap[--s->packets];
    uint32_t i = 0;

    for (;;) {
        uint32_t kid = 2 * i + 1;

        if (kid >= s->packets)
            break;
        if (kid + 1 < s->packets && before(&s->heap[kid + 1], &s->heap[kid]))
            kid++;
        if (!before(&s->heap[kid], &last))
            break;
        s->heap[i] = s->heap[kid];
        i = kid;
    }
    s->heap[i] = last;
    return top;
}

/* --- the link --- */

static struct nbuf *copy_to(struct nbuf_pool *pool, struct nbuf *m)
{
    struct nbuf *c = nbuf_get(pool);

    for (; c && m; m = nbuf_next(m))
        memcpy(nbuf_add(c, nbuf_len(m)), nbuf_data(m), nbuf_len(m));
    return c;
}

static bool chance(struct sim *s, uint32_t per_million)
{
    return per_million && rng_below(&s->rng, 1000000) < per_million;
}

static struct sim_node *node_with(struct sim *s, const struct ip_addr *a)
{
    for (uint32_t i = 0; i < s->node_count; i++) {
        if (ip_eq(&s->nodes[i].addr, a))
            return &s->nodes[i];
    }
    return NULL;
}

static bool lost(struct sim *s, struct sim_node *n, uint32_t len)
{
    struct sim_fault *f = &n->out;

    (void)len;
    if (f->down || s->now < n->burst_until)
        return true;
    if (chance(s, f->burst_loss)) {
        n->burst_until = s->now + (uint64_t)f->burst_us * 1000;
        return true;
    }
    return chance(s, f->loss);
}

static uint64_t arrival(struct sim *s, struct sim_node *n, uint32_t len)
{
    struct sim_fault *f = &n->out;
    uint64_t at = s->now;

    if (f->kbit_s) {
        uint64_t takes = (uint64_t)len * 8 * 1000000 / f->kbit_s;

        if (n->free_at < s->now)
            n->free_at = s->now;
        n->free_at += takes;
        at = n->free_at;
    }
    at += (uint64_t)f->delay_us * 1000;
    if (f->jitter_us)
        at += (uint64_t)rng_below(&s->rng, f->jitter_us) * 1000;
    if (!f->jitter_us && at < n->last_arrival)
        at = n->last_arrival; /* without jitter a link keeps the order */
    n->last_arrival = at;
    if (chance(s, f->reorder))
        at += (uint64_t)f->reorder_us * 1000;
    return at;
}

static void put_on_wire(struct sim *s, struct sim_node *from, struct sim_node *to, struct nbuf *m,
                        const struct tcp_tx *tx, uint64_t at)
{
    struct nbuf *c = copy_to(&s->wire, m);

    (void)from;
    if (chance(s, from->out.corrupt))
        nbuf_data(c)[rng_below(&s->rng, nbuf_len(c))] ^= (uint8_t)(1 + rng_below(&s->rng, 255));
    heap_add(s, (struct packet){at, s->order++, to, c, tx->src, tx->ecn});
}

static bool queue_full(const struct sim *s, const struct sim_node *n, uint32_t len)
{
    uint64_t backlog, limit;

    if (!n->out.kbit_s || n->free_at <= s->now)
        return false;
    backlog = (n->free_at - s->now) / 1000 * n->out.kbit_s / 8000; /* bytes */
    limit = (uint64_t)(n->out.queue_pkts ? n->out.queue_pkts : 1000) * 1500;
    return backlog + len > limit;
}

/* A router says that the packet is too large, and the host's IP layer remembers it for the path. */
static void too_big(struct sim_node *n, struct nbuf *m, const struct tcp_tx *tx)
{
    struct tcp_tuple tuple;
    struct tcp_seg s;

    if (!n->out.mtu_icmp || !tcp_wire_parse(m, &s))
        return;
    memset(&tuple, 0, sizeof(tuple));
    tuple.laddr = tx->src;
    tuple.raddr = tx->dst;
    tuple.lport = s.sport;
    tuple.rport = s.dport;
    n->too_big = true;
    n->too_big_tuple = tuple;
    n->too_big_seq = s.seq;
}

static void send_one(void *ctx, struct nbuf *m, const struct tcp_tx *tx)
{
    struct sim_node *n = (struct sim_node *)ctx, *to = node_with(n->sim, &tx->dst);
    struct sim *s = n->sim;
    uint32_t len = 0, ip = ip_is_v4(&tx->dst) ? 20 : 40;

    for (struct nbuf *i = m; i; i = nbuf_next(i))
        len += nbuf_len(i);
    n->sent++;
    if (tcp_wire_sum(m, len, &tx->src, &tx->dst) != 0xffff) {
        fprintf(stderr, "sim: a segment with a bad checksum was sent\n");
        abort();
    }
    if (len + ip > n->mtu) {
        fprintf(stderr, "sim: a segment of %u bytes was sent over an MTU of %u\n", len, n->mtu);
        abort();
    }
    if (n->out.mtu && len + ip > n->out.mtu)
        too_big(n, m, tx);
    if (!to || (s->tap && !s->tap(s->tap_ctx, n, m, tx)) || lost(s, n, len) ||
        (n->out.mtu && len + ip > n->out.mtu) || queue_full(s, n, len)) {
        n->lost++;
    } else {
        put_on_wire(s, n, to, m, tx, arrival(s, n, len + ip));
        if (chance(s, n->out.dup))
            put_on_wire(s, n, to, m, tx, arrival(s, n, len + ip));
    }
    nbuf_put_chain(m);
}

static void env_output(void *ctx, struct nbuf *m, const struct tcp_tx *tx)
{
    struct sim_node *n = (struct sim_node *)ctx;

    device_send(&n->device, &n->sim->wire, m, tx, send_one, n);
}

static bool env_route(void *ctx, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu)
{
    struct sim_node *n = (struct sim_node *)ctx;

    (void)dst;
    if (ip_is_any(src))
        *src = n->addr;
    *mtu = n->mtu;
    return true;
}

/* --- one event --- */

static void turn(struct sim *s, struct sim_node *n, struct packet *p)
{
    tcp_begin(n->tcp, s->now);
    if (n->too_big) {
        n->too_big = false;
        n->mtu = (uint16_t)n->out.mtu;
        tcp_icmp_error(n->tcp, &n->too_big_tuple, n->too_big_seq, TCP_ICMP_TOO_BIG, n->mtu);
    }
    if (p && !n->dead) {
        struct tcp_rx rx = {.src = p->src, .dst = n->addr, .arrived_ns = s->now, .ecn = p->ecn};
        struct nbuf *m = copy_to(&n->pool, p->m);

        if (m)
            tcp_input(n->tcp, m, &rx);
    }
    tcp_timers(n->tcp);
    tcp_upcalls(n->tcp);
    tcp_flush(n->tcp);
    sim_check(s, n);
}

bool sim_run(struct sim *s, uint64_t max_ns, sim_until *until, void *ctx)
{
    uint64_t end = s->now + max_ns;

    while (!until || !until(ctx)) {
        uint64_t at = s->packets ? s->heap[0].at : WHEEL_NEVER;
        struct sim_node *n = NULL;

        for (uint32_t i = 0; i < s->node_count; i++) {
            uint64_t d = tcp_next_deadline(s->nodes[i].tcp);

            if (d < at) {
                at = d;
                n = &s->nodes[i];
            }
        }
        if (at == WHEEL_NEVER || at > end) {
            s->now = end;
            return false;
        }
        if (at > s->now)
            s->now = at;
        if (n) {
            turn(s, n, NULL);
        } else {
            struct packet p = heap_take(s);

            turn(s, p.to, &p);
            nbuf_put(p.m);
        }
    }
    return true;
}

/* --- life --- */

struct sim *sim_new(uint64_t seed, bool v6, const struct tcp_settings *settings)
{
    struct sim *s = (struct sim *)calloc(1, sizeof(*s));
    struct tcp_settings set;

    rng_init_u64(&s->rng, seed);
    s->now = SIM_SEC(1000) + rng_u64(&s->rng) % SIM_SEC(100000);
    s->wire.cap = UINT32_MAX;
    s->v6 = v6;
    s->node_count = 2;
    if (settings)
        set = *settings;
    else
        tcp_settings_default(&set);
    for (uint32_t i = 0; i < s->node_count; i++) {
        struct sim_node *n = &s->nodes[i];
        struct tcp_env env = {
            .ctx = n, .pool = &n->pool, .rng = &n->rng, .output = env_output, .route = env_route};

        n->device.on = n->device.keeps = seed % 4 == 1 + i;
        env.offloads = device_offloads(&n->device);
        n->sim = s;
        n->mtu = 1500;
        n->pool.cap = 100000;
        rng_init_u64(&n->rng, rng_u64(&s->rng));
        n->addr = ip_v4(0x0a000001 + i);
        if (v6)
            n->addr = (struct ip_addr){{0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)(i + 1)}};
        if (!IS_OK(tcp_new(&set, &env, s->now, &n->tcp)))
            abort();
    }
    return s;
}

void sim_free(struct sim *s)
{
    while (s->packets)
        nbuf_put(heap_take(s).m);
    for (uint32_t i = 0; i < s->node_count; i++) {
        tcp_free(s->nodes[i].tcp);
        device_idle(&s->nodes[i].device);
    }
    free(s->heap);
    free(s);
}

struct sim_node *sim_node(struct sim *s, uint32_t i)
{
    return &s->nodes[i];
}

struct rng *sim_rng(struct sim *s)
{
    return &s->rng;
}

uint64_t sim_now(const struct sim *s)
{
    return s->now;
}

void sim_set_tap(struct sim *s, sim_tap *tap, void *ctx)
{
    s->tap = tap;
    s->tap_ctx = ctx;
}

void sim_inject(struct sim *s, struct sim_node *to, struct nbuf *m, const struct ip_addr *src,
                uint64_t delay_ns)
{
    struct nbuf *c = copy_to(&s->wire, m);

    nbuf_put_chain(m);
    heap_add(s, (struct packet){s->now + delay_ns, s->order++, to, c, *src, 0});
}

const char *sim_leftover(struct sim *s)
{
    for (uint32_t i = 0; i < s->node_count; i++) {
        struct tcp *t = s->nodes[i].tcp;

        tcp_begin(t, s->now);
        if (t->conns.used)
            return "connections are left";
        if (t->tws.used || t->reqs.used)
            return "requests or TIME_WAIT entries are left";
        if (t->flow.used)
            return "entries are left in the flow table";
        if (t->tx_used_b || t->rx_used_b)
            return "queues are left";
        device_idle(&s->nodes[i].device);
        if (s->nodes[i].pool.out)
            return "buffers are left";
    }
    return NULL;
}
