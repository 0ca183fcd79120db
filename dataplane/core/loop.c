#include "core/core.h"

#include "base/must.h"

#include <rte_rcu_qsbr.h>

#include <sys/prctl.h>
#include <time.h>

#define NS_IN_S    1000000000ULL
#define PUBLISH_NS 10000000ULL /* how old what control reads may be */

/* Nothing to do for so long: sleep so long (poll = adaptive). A busy core never gets here. */
static const struct {
    uint64_t idle_ns, nap_ns;
} naps[] = {
    {1000000000, 1000000}, /* after a second: wake a thousand times a second */
    {10000000, 250000},
    {300000, 50000},
};

/* --- time --- */

static void read_clock(struct core *c)
{
    c->now_ns = clock_now(c->clock);
    c->log.now_ns = c->now_ns;
    if (c->now_ns >= c->wall_next_ns) { /* once a second: validity periods, dates */
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts); /* by the vDSO: no system call */
        c->wall_offset_ns = (uint64_t)ts.tv_sec * NS_IN_S + (uint64_t)ts.tv_nsec - c->now_ns;
        c->wall_next_ns = c->now_ns + NS_IN_S;
    }
}

static int64_t wall_s(const struct core *c)
{
    return (int64_t)((c->now_ns + c->wall_offset_ns) / NS_IN_S);
}

/* --- generations --- */

static bool accept_conn(void *ctx, struct stream *s, const struct tcp_tuple *t)
{
    struct core *c = (struct core *)ctx;
    struct endpoint local = {t->laddr, t->lport}, remote = {t->raddr, t->rport};

    return px_accept(c->px, s, &local, &remote);
}

static bool same(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && ip_eq(&a->addr, &b->addr);
}

/* Listeners of the new snapshot are opened, those that it lacks are closed. */
static void listen_as(struct core *c, const struct snap *s)
{
    struct endpoint next[ARRAY_LEN(c->listening)];
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->listener_count && n < ARRAY_LEN(next); i++) {
        next[n] = s->listeners[i].local;
        if (SHOULD(IS_OK(tcp_listen(c->tcp, &next[n], accept_conn, c))))
            n++;
    }
    for (uint32_t i = 0; i < c->listening_count; i++) {
        bool kept = false;

        for (uint32_t k = 0; k < n && !kept; k++)
            kept = same(&c->listening[i], &next[k]);
        if (!kept)
            tcp_unlisten(c->tcp, &c->listening[i]);
    }
    memcpy(c->listening, next, n * sizeof(next[0]));
    c->listening_count = n;
}

/* Between two bursts: what was published since. */
static void adopt(struct core *c)
{
    struct snap *s = __atomic_load_n(c->published, __ATOMIC_ACQUIRE);

    if (s == c->snap)
        return;
    c->snap = s;
    c->log.level = s->log_level;
    tickets_use(&c->tickets, &s->ticket_keys);
    px_adopt(c->px, s);
    listen_as(c, s);
    ctr_add(&c->ctr[CORE_CTR_ADOPTED], 1);
    __atomic_store_n(&c->pub.gen, s->gen, __ATOMIC_RELEASE);
}

/* --- commands --- */

static void stop_listening(struct core *c)
{
    for (uint32_t i = 0; i < c->listening_count; i++)
        tcp_unlisten(c->tcp, &c->listening[i]);
    c->listening_count = 0;
}

/* True: the loop ends. */
static bool obey(struct core *c)
{
    uint32_t cmd = __atomic_load_n(&c->cmd, __ATOMIC_ACQUIRE);
    struct px_gauges g;

    if (cmd == CORE_RUN)
        return false;
    if (c->cmd_done < CORE_DRAIN) {
        stop_listening(c);
        px_drain(c->px);
        c->cmd_done = CORE_DRAIN;
        __atomic_store_n(&c->pub.draining, 1, __ATOMIC_RELAXED);
    }
    if (cmd >= CORE_ABORT && c->cmd_done < CORE_ABORT) {
        px_abort_all(c->px);
        c->cmd_done = CORE_ABORT;
        return false; /* one more turn: what is to be said goes out */
    }
    px_gauges(c->px, &g);
    return cmd == CORE_EXIT || (g.clients == 0 && g.requests == 0);
}

/* --- what control sees --- */

/* Word of a change that has reached all connections is not held back. */
static void publish_effect(struct core *c)
{
    uint64_t us, gen = px_effect(c->px, &us);

    if (gen == c->pub.effect_gen)
        return;
    __atomic_store_n(&c->pub.effect_us, us, __ATOMIC_RELAXED);
    __atomic_store_n(&c->pub.effect_gen, gen, __ATOMIC_RELEASE);
}

static void publish(struct core *c)
{
    struct core_pub *p = &c->pub;
    struct tcp_gauges tcp;
    struct px_gauges px;
    struct heap_stats heap;
    struct peers_stats peers;
    uint32_t nbufs_free;

    if (c->now_ns < c->pub_next_ns)
        return;
    c->pub_next_ns = c->now_ns + PUBLISH_NS;
    tcp_gauges(c->tcp, &tcp);
    px_gauges(c->px, &px);
    heap_stats(c->wolf.heap, &heap);
    peers_stats(c->peers, &peers);
    __atomic_store_n(&p->tcp_conns, tcp.conns, __ATOMIC_RELAXED);
    __atomic_store_n(&p->tcp_reqs, tcp.reqs, __ATOMIC_RELAXED);
    __atomic_store_n(&p->tcp_time_wait, tcp.time_wait, __ATOMIC_RELAXED);
    __atomic_store_n(&p->clients, px.clients, __ATOMIC_RELAXED);
    __atomic_store_n(&p->requests, px.requests, __ATOMIC_RELAXED);
    __atomic_store_n(&p->backends_idle, px.backends_idle, __ATOMIC_RELAXED);
    __atomic_store_n(&p->backends_busy, px.backends_busy, __ATOMIC_RELAXED);
    nbufs_free = net_core_buffers_free(c->net);
    if (nbufs_free == 0) /* the device may have had none to receive into */
        bound_hit(&c->log, BOUND_BUFFERS, NULL);
    bound_tell(&c->log);
    __atomic_store_n(&p->nbufs_free, nbufs_free, __ATOMIC_RELAXED);
    __atomic_store_n(&p->mem_used_b, tcp.mem_b + px.mem_b + tls_mem_b(c->tls) + heap.used_b,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&p->heap_used_b, heap.used_b, __ATOMIC_RELAXED);
    __atomic_store_n(&p->heap_peak_b, heap.peak_b, __ATOMIC_RELAXED);
    __atomic_store_n(&p->peers, peers.entries, __ATOMIC_RELAXED);
}

/* --- sleeping --- */

static uint64_t next_deadline(struct core *c)
{
    uint64_t a = tcp_next_deadline(c->tcp), b = px_next_deadline(c->px);
    uint64_t d = l3_next_deadline(net_core_l3(c->net));

    a = a < b ? a : b;
    return a < d ? a : d;
}

/* The only place where a core gives its CPU away: there is nothing to do, and the operator allows it. */
static void maybe_nap(struct core *c)
{
    uint64_t idle = c->now_ns - c->idle_since_ns, nap = 0, until;
    struct timespec ts = {0, 0};

    if (px_sweeping(c->px))
        return;
    for (size_t i = 0; i < ARRAY_LEN(naps) && nap == 0; i++) {
        if (idle >= naps[i].idle_ns)
            nap = naps[i].nap_ns;
    }
    if (nap == 0)
        return;
    until = next_deadline(c);
    if (until <= c->now_ns)
        return;
    if (until - c->now_ns < nap)
        nap = until - c->now_ns;
    ctr_add(&c->ctr[CORE_CTR_NAPS], 1);
    ts.tv_nsec = (long)nap;
    rte_rcu_qsbr_thread_offline(c->qsbr, c->id);
    nanosleep(&ts, NULL);
    rte_rcu_qsbr_thread_online(c->qsbr, c->id);
}

/* --- the turn --- */

static void turn(struct core *c)
{
    uint32_t packets;

    tcp_begin(c->tcp, c->now_ns);
    tls_core_begin(c->tls, c->now_ns, wall_s(c));
    px_begin(c->px, c->now_ns, wall_s(c));
    ctr_add(&c->ctr[CORE_CTR_CHAINS_HEARD], gossip_hear(c->gossip, c->id, c->peers));
    packets = net_core_poll(c->net, c->now_ns);
    tcp_timers(c->tcp);
    px_timers(c->px);
    px_ocsp(c->px);
    px_sweep(c->px);
    tcp_upcalls(c->tcp);
    tcp_flush(c->tcp);
    net_core_flush(c->net, c->now_ns);
    ctr_add(&c->ctr[CORE_CTR_TURNS], 1);
    if (packets) {
        uint64_t took = clock_now(c->clock) - c->now_ns;

        c->busy_ns += took;
        ctr_add(&c->ctr[CORE_CTR_BUSY_US], c->busy_ns / 1000);
        c->busy_ns %= 1000;
        if (took > c->pub.turn_ns_max)
            __atomic_store_n(&c->pub.turn_ns_max, took, __ATOMIC_RELAXED);
        c->idle_since_ns = c->now_ns;
    } else {
        ctr_add(&c->ctr[CORE_CTR_IDLE_TURNS], 1);
    }
}

int core_main(void *arg)
{
    struct core *c = (struct core *)arg;

    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* naps as short as they are asked for */
    wolf_bind(&c->wolf);
    rte_rcu_qsbr_thread_register(c->qsbr, c->id);
    rte_rcu_qsbr_thread_online(c->qsbr, c->id);
    __atomic_store_n(&c->pub.running, 1, __ATOMIC_RELEASE);
    read_clock(c);
    c->idle_since_ns = c->now_ns;
    for (;;) {
        read_clock(c);
        adopt(c);
        if (obey(c))
            break;
        turn(c);
        rte_rcu_qsbr_quiescent(c->qsbr, c->id);
        publish_effect(c);
        publish(c);
        walk_turn(&c->walk, c->tcp);
        if (c->poll == DP_POLL_ADAPTIVE)
            maybe_nap(c);
    }
    px_abort_all(c->px);
    for (int i = 0; i < 2; i++) { /* resets and alerts still go out */
        read_clock(c);
        turn(c);
    }
    rte_rcu_qsbr_thread_offline(c->qsbr, c->id);
    rte_rcu_qsbr_thread_unregister(c->qsbr, c->id);
    wolf_bind(NULL);
    __atomic_store_n(&c->pub.running, 0, __ATOMIC_RELEASE);
    return 0;
}
