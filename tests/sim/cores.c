#include "sim/cores.h"

#include "base/must.h"
#include "core/icmp.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#define STEP_NS 20000ULL
#define WIRE_B  (1u << 20)
#define LOG_B   (64u << 10)

/* --- glue, as net/net.c and core/core.c have it --- */

static void count(struct cores_core *c, enum l3_counter n)
{
    ctr_add(&l3_counters(c->l3)[n], 1);
}

static void env_tx(void *ctx, uint8_t port, struct nbuf *m)
{
    struct cores_core *c = (struct cores_core *)ctx;
    struct nbuf *own;

    if (c->id < c->host->queues) {
        cores_transmit(c, m);
        return;
    }
    own = nbuf_get(&c->pool); /* what is in flight stays TCP's: a copy goes */
    for (struct nbuf *i = m; own && i; i = nbuf_next(i))
        memcpy(nbuf_add(own, nbuf_len(i)), nbuf_data(i), nbuf_len(i));
    nbuf_put_chain(m);
    if (own && !handoff_give(&c->host->handoff, c->id, c->id % c->host->queues, own, port, true))
        count(c, NET_CTR_STEER_DROPPED);
}

static void env_heard(void *ctx, uint8_t port, const struct ip_addr *ip, const struct mac *mac,
                      bool answer)
{
    struct cores_core *c = (struct cores_core *)ctx;

    handoff_tell_heard(&c->host->handoff, c->id, port, ip, mac, answer);
}

static void env_conflict(void *ctx, uint8_t port, const struct ip_addr *ip)
{
    struct cores_core *c = (struct cores_core *)ctx;

    c->gave++;
    handoff_tell_conflict(&c->host->handoff, c->id, port, ip);
}

static void on_heard(void *ctx, uint8_t port, const struct ip_addr *ip, const struct mac *mac,
                     bool answer)
{
    struct cores_core *c = (struct cores_core *)ctx;

    l3_heard(c->l3, port, ip, mac, answer, c->now_ns);
}

static void on_conflict(void *ctx, uint8_t port, const struct ip_addr *ip)
{
    struct cores_core *c = (struct cores_core *)ctx;

    (void)l3_conflict(c->l3, port, ip, c->now_ns);
}

static void on_packet(void *ctx, struct nbuf *m, uint8_t port, bool send)
{
    struct cores_core *c = (struct cores_core *)ctx;

    if (send) {
        cores_transmit(c, m);
        return;
    }
    count(c, NET_CTR_STEER_IN);
    l3_input(c->l3, port, m, c->now_ns);
}

static void env_tcp(void *ctx, struct nbuf *m, const struct l3_segment *s)
{
    struct tcp_rx rx = {s->src, s->dst, s->arrived_ns, s->ecn};

    tcp_input(((struct cores_core *)ctx)->tcp, m, &rx);
}

static void env_icmp(void *ctx, const struct l3_icmp_error *e)
{
    core_icmp_error(((const struct cores_core *)ctx)->tcp, e);
}

static void env_output(void *ctx, struct nbuf *m, const struct tcp_tx *tx)
{
    struct cores_core *c = (struct cores_core *)ctx;
    struct l3_out o = {tx->src, tx->dst, tx->ecn, 0, 0};

    l3_output(c->l3, m, &o, c->now_ns);
}

static bool env_route(void *ctx, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu)
{
    return l3_route(((struct cores_core *)ctx)->l3, dst, src, mtu);
}

static bool env_owns(void *ctx, const struct tcp_tuple *t)
{
    const struct cores_core *c = (const struct cores_core *)ctx;

    return steer_owner(&c->host->handoff.steer, &t->raddr, &t->laddr, t->rport, t->lport) == c->id;
}

static void env_confirm(void *ctx, const struct ip_addr *dst)
{
    struct cores_core *c = (struct cores_core *)ctx;

    l3_confirm(c->l3, dst, c->now_ns);
}

static void env_doubt(void *ctx, const struct ip_addr *dst)
{
    struct cores_core *c = (struct cores_core *)ctx;

    l3_doubt(c->l3, dst, c->now_ns);
}

static bool env_elsewhere(void *ctx, uint8_t port, struct nbuf *m)
{
    struct cores_core *c = (struct cores_core *)ctx;
    uint32_t owner, hash;

    if (!handoff_owner(&c->host->handoff, c->id, m, &owner, &hash) || owner == c->id)
        return false;
    count(c, handoff_give(&c->host->handoff, c->id, owner, m, port, false) ? NET_CTR_STEER_OUT
                                                                           : NET_CTR_STEER_DROPPED);
    return true;
}

/* --- a core's turn --- */

void cores_received(struct cores_core *c, struct span f, const struct cores_wired *meta)
{
    struct nbuf *m = nbuf_get(&c->pool);
    uint32_t owner = 0, hash;

    if (!m)
        return;
    memcpy(nbuf_add(m, (uint32_t)f.len), f.p, f.len);
    if (c->host->cores > 1 && handoff_owner(&c->host->handoff, c->id, m, &owner, &hash) &&
        meta->hashed)
        ctr_add(meta->hash == hash ? &c->stats.agreed : &c->stats.mismatched, 1);
    if (owner == c->id)
        l3_input(c->l3, 0, m, c->now_ns);
    else if (handoff_give(&c->host->handoff, c->id, owner, m, 0, false))
        count(c, NET_CTR_STEER_OUT);
    else
        count(c, NET_CTR_STEER_DROPPED);
}

static uint32_t turn(struct cores_core *c, uint64_t now_ns)
{
    const struct handoff_sink sink = {c, on_packet, on_heard, on_conflict};
    uint32_t n;

    c->now_ns = now_ns;
    c->log.now_ns = now_ns;
    c->gave = 0;
    tcp_begin(c->tcp, now_ns);
    n = cores_poll_wire(c);
    n += handoff_poll(&c->host->handoff, c->id, &sink);
    l3_timers(c->l3, now_ns);
    tcp_timers(c->tcp);
    cores_app_turn(c);
    tcp_upcalls(c->tcp);
    tcp_flush(c->tcp);
    walk_turn(&c->walk, c->tcp);
    return n + c->gave;
}

#define EACH_CORE(w, c)                                 \
    for (uint32_t h_ = 0; h_ < 2; h_++)                 \
        for (struct cores_core *c = (w)->host[h_].core; \
             c < (w)->host[h_].core + (w)->host[h_].cores; c++)

bool cores_done(const struct cores_world *w)
{
    for (uint32_t h = 0; h < 2; h++) {
        for (uint32_t i = 0; i < w->host[h].cores; i++) {
            const struct cores_core *c = &w->host[h].core[i];

            if (ctr_read(&c->stats.done) + ctr_read(&c->stats.failed) < c->plan.connects)
                return false;
        }
    }
    return true;
}

/* One turn of all. Nothing came or went: the clock goes on to the next deadline. */
static void step(struct cores_world *w, uint64_t end)
{
    uint64_t next = w->now_ns + STEP_NS, at = end;
    uint32_t n = 0;

    EACH_CORE(w, c)
    {
        n += turn(c, w->now_ns);
    }
    EACH_CORE(w, c)
    {
        uint64_t a = tcp_next_deadline(c->tcp), b = l3_next_deadline(c->l3);

        a = a < b ? a : b;
        at = a < at ? a : at;
    }
    w->now_ns = n || at < next ? next : at;
}

void cores_idle(struct cores_world *w, uint64_t ns)
{
    uint64_t end = w->now_ns + ns;

    while (w->now_ns < end)
        step(w, end);
}

bool cores_run(struct cores_world *w, uint64_t max_ns)
{
    uint64_t end = w->now_ns + max_ns;

    while (!cores_done(w) && w->now_ns < end)
        step(w, end);
    return cores_done(w);
}

/* --- threads --- */

static uint64_t real_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void *core_main(void *arg)
{
    struct cores_core *c = (struct cores_core *)arg;

    while (!__atomic_load_n(&c->host->world->stop, __ATOMIC_ACQUIRE)) {
        if (turn(c, real_ns()) == 0)
            sched_yield();
    }
    return NULL;
}

bool cores_run_threads(struct cores_world *w, uint32_t max_ms, void (*watch)(struct cores_world *))
{
    uint64_t end = real_ns() + max_ms * 1000000ULL;
    pthread_t threads[2 * CORES_MAX];
    uint32_t n = 0;

    EACH_CORE(w, c)
    {
        MUST(pthread_create(&threads[n++], NULL, core_main, c) == 0);
    }
    while (!cores_done(w) && real_ns() < end)
        watch(w);
    __atomic_store_n(&w->stop, 1, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    return cores_done(w);
}

/* --- life --- */

static void core_open(struct cores_core *c, uint64_t seed)
{
    const struct cores_config *cfg = &c->host->world->cfg;
    struct l3_port port = {.mac = c->host->mac, .mtu = 1500};
    struct l3_env l3 = {.ctx = c,
                        .pool = &c->pool,
                        .rng = &c->rng,
                        .log = &c->log,
                        .tx = env_tx,
                        .tcp = env_tcp,
                        .icmp_error = env_icmp,
                        .heard = c->host->cores > 1 ? env_heard : NULL,
                        .conflict = c->host->cores > 1 ? env_conflict : NULL,
                        .elsewhere = c->host->cores > 1 ? env_elsewhere : NULL,
                        .reassembles = cfg->cut_b > 0,
                        .announces = c->id == 0};
    struct tcp_env tcp = {.ctx = c,
                          .pool = &c->pool,
                          .rng = &c->rng,
                          .log = &c->log,
                          .output = env_output,
                          .route = env_route,
                          .owns = env_owns,
                          .confirm = env_confirm,
                          .doubt = env_doubt};
    bool far = cfg->by_gateway && c->host == &c->host->world->host[0];

    rng_init_u64(&c->rng, seed);
    c->pool.cap = 65536;
    c->mem = calloc(1, LOG_B + CORES_MAX * (size_t)WIRE_B);
    MUST(c->mem && IS_OK(capture_init(&c->capture)));
    ring_init(&c->log_ring, c->mem, LOG_B);
    for (uint32_t i = 0; i < CORES_MAX; i++)
        ring_init(&c->wire[i], (uint8_t *)c->mem + LOG_B + (size_t)i * WIRE_B, WIRE_B);
    c->log = (struct log_out){.ring = &c->log_ring, .level = LOG_INFO};
    for (uint32_t i = 0; i < CORES_ADDRS; i++) {
        port.addresses[port.address_count++] =
            (struct ip_prefix){c->host->addr4[i], far ? 127 : 120};
        port.addresses[port.address_count++] =
            (struct ip_prefix){c->host->addr6[i], far ? 127 : 64};
    }
    if (far) {
        port.gateway4 = c->host->world->host[1].addr4[0];
        port.gateway6 = c->host->world->host[1].addr6[0];
    }
    MUST(IS_OK(l3_new(&l3, &port, 1, c->host->world->now_ns, &c->l3)));
    MUST(IS_OK(tcp_new(cfg->settings, &tcp, c->host->world->now_ns, &c->tcp)));
    tcp_begin(c->tcp, c->host->world->now_ns);
    cores_app_listen(c);
}

/* The device's key: ours, or ours with the bytes of each word the other way round, as some devices want it. */
static void device_key(struct cores_host *h)
{
    uint8_t key[STEER_KEY_B];

    h->device = h->handoff.steer;
    if (h->spread != SPREAD_KEY)
        return;
    for (uint32_t i = 0; i < STEER_KEY_B; i++)
        key[i] = h->handoff.steer.key[STEER_KEY_B - 1 - i];
    steer_set_key(&h->device, key);
}

struct cores_world *cores_new(const struct cores_config *cfg)
{
    struct cores_world *w = (struct cores_world *)aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);
    static struct tcp_settings defaults;
    struct rng rng;

    MUST(w);
    memset(w, 0, sizeof(*w));
    tcp_settings_default(&defaults);
    defaults.conns_max = 4096;
    w->cfg = *cfg;
    if (!cfg->settings)
        w->cfg.settings = &defaults;
    w->now_ns = 1000000000000ULL;
    rng_init_u64(&rng, cfg->seed);
    for (uint32_t i = 0; i < 2; i++) {
        struct cores_host *h = &w->host[i];

        h->world = w;
        h->cores = cfg->host[i].cores;
        h->queues = cfg->host[i].queues ? cfg->host[i].queues : h->cores;
        h->spread = cfg->host[i].spread;
        h->mac = (struct mac){{2, 0, 0, 0, (uint8_t)i, 1}};
        for (uint32_t k = 0; k < CORES_ADDRS; k++) {
            h->addr4[k] = ip_v4(0x0a000001 + 16 * i + k);
            h->addr6[k] = (struct ip_addr){{0x20, 1, 0xd, 0xb8, [15] = (uint8_t)(1 + 16 * i + k)}};
        }
        if (cfg->same_address) {
            h->addr4[0] = w->host[0].addr4[0];
            h->addr6[0] = w->host[0].addr6[0];
        }
        MUST(IS_OK(handoff_init(&h->handoff, h->cores, &rng)));
        h->handoff.reassembly = cfg->cut_b > 0;
        device_key(h);
    }
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t k = 0; k < w->host[i].cores; k++) {
            w->host[i].core[k].host = &w->host[i];
            w->host[i].core[k].id = k;
            core_open(&w->host[i].core[k], rng_u64(&rng));
        }
    }
    return w;
}

const char *cores_free(struct cores_world *w)
{
    const char *left = NULL;

    EACH_CORE(w, c)
    {
        tcp_free(c->tcp);
        l3_free(c->l3);
    }
    handoff_fini(&w->host[0].handoff);
    handoff_fini(&w->host[1].handoff);
    EACH_CORE(w, c)
    {
        if (c->pool.out)
            left = "buffers are left";
        capture_fini(&c->capture);
        free(c->mem);
    }
    free(w);
    return left;
}

/* --- sums --- */

struct cores_stats cores_stats(const struct cores_host *h)
{
    struct cores_stats sum = {0};

    for (uint32_t i = 0; i < h->cores; i++) {
        const uint64_t *from = (const uint64_t *)&h->core[i].stats;
        uint64_t *to = (uint64_t *)&sum;

        for (size_t k = 0; k < sizeof(sum) / sizeof(*to); k++)
            to[k] += ctr_read(&from[k]);
    }
    return sum;
}

uint64_t cores_tcp(const struct cores_host *h, unsigned counter)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < h->cores; i++)
        sum += ctr_read(&tcp_counters(h->core[i].tcp)[counter]);
    return sum;
}

uint64_t cores_net(const struct cores_host *h, enum l3_counter counter)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < h->cores; i++)
        sum += ctr_read(&l3_counters(h->core[i].l3)[counter]);
    return sum;
}
