/* Scenarios that take many connections, two stacks or a model: those that a script cannot say. The comment
 * in front of each is its line in README.md. */
#include "lib/t.h"
#include "sim/peer.h"
#include "sim/sim.h"

#include <math.h>

/* --- one stack, many tuples --- */

static struct peer *one_stack(struct peer *p)
{
    peer_open(p, false);
    return p;
}

static void syn(struct peer *p, uint16_t port, struct ip_addr from)
{
    struct ip_addr them = p->them;
    struct peer_in in = {.flip = -1, .peer_port = port, .h = {.flags = TCP_SYN, .wscale = 7}};

    in.h.mss = 1460;
    in.h.wnd = 65535;
    in.h.seq = (uint32_t)rng_u64(&p->rng);
    in.h.sack_ok = true;
    p->them = from;
    peer_put(p, &in);
    p->them = them;
}

/* T-30 RFC 4987: a million SYNs from anywhere and an honest client: it connects, memory stays flat */
static void a_flood_of_syns_does_not_keep_an_honest_client_out(void)
{
    struct peer *p = one_stack((struct peer *)calloc(1, sizeof(*p)));
    struct peer_seg g;
    struct peer_in ack = {
        .flip = -1, .peer_port = PEER_RPORT, .h = {.flags = TCP_ACK, .wscale = -1}};

    peer_start(p);
    peer_listen(p, PEER_PORT);
    for (uint32_t i = 0; i < 1000000; i++) {
        syn(p, (uint16_t)(1024 + rng_below(&p->rng, 60000)),
            ip_v4(0x0b000000 + rng_below(&p->rng, 1 << 24)));
        p->outs = 0;
        p->now += 10000;
    }
    T_OK(p->t->reqs.used <= p->set.reqs_max);
    T_EQ(p->t->conns.used, 0);
    T_EQ(p->pool.out, 0);
    p->iss_known = false;
    syn(p, PEER_RPORT, p->them);
    T_NEED(peer_take(p, &g) && (g.s.flags & TCP_SYN));
    ack.h.seq = g.s.ack;
    ack.h.ack = g.s.seq + 1;
    ack.h.wnd = 500;
    peer_put(p, &ack);
    T_EQ(p->t->conns.used, 1);
    T_OK(peer_app_of(p, PEER_RPORT) != NULL);
    (void)peer_close(p);
    free(p);
}

/* T-135 RFC 6056: no port is left: an error at once, counted; it works again when one comes back */
static void connecting_without_a_free_port_fails_at_once(void)
{
    struct peer *p = one_stack((struct peer *)calloc(1, sizeof(*p)));

    p->set.port_lo = 5000;
    p->set.port_hi = 5003;
    p->set.syn_retries = 0;
    peer_start(p);
    for (int i = 0; i < 4; i++) {
        T_EQ(peer_connect(p), STREAM_WHY_NONE);
        p->app_n++; /* each has an application of its own */
        p->apps[p->app_n - 1].peer_port = 0;
    }
    T_EQ(peer_connect(p), STREAM_WHY_NO_PORT);
    T_EQ(p->t->ctr[TCP_CTR_NO_PORT], 1);
    p->outs = 0;
    (void)peer_wait(p, p->now + PEER_MS(10000));
    T_EQ(peer_connect(p), STREAM_WHY_NONE);
    (void)peer_close(p);
    free(p);
}

/* T-143 RFC 9293 3.6: 100,000 connections come and go: everything is as it was at the start */
static void a_hundred_thousand_connections_leave_nothing(void)
{
    struct peer *p = one_stack((struct peer *)calloc(1, sizeof(*p)));
    struct peer_in in = {.flip = -1, .peer_port = PEER_RPORT};
    struct peer_seg g;

    peer_start(p);
    peer_listen(p, PEER_PORT);
    for (uint32_t i = 0; i < 100000; i++) {
        in.peer_port = (uint16_t)(1024 + i % 60000);
        in.h = (struct tcp_hdr_plan){
            .flags = TCP_SYN, .wscale = -1, .seq = i * 100000, .wnd = 1000, .mss = 1460};
        peer_put(p, &in);
        T_NEED(peer_take(p, &g));
        in.h = (struct tcp_hdr_plan){.flags = TCP_ACK | TCP_FIN,
                                     .wscale = -1,
                                     .seq = i * 100000 + 1,
                                     .ack = g.s.seq + 1,
                                     .wnd = 1000};
        peer_put(p, &in);
        T_NEED(p->apps[0].s || peer_app_of(p, in.peer_port));
        stream_close(peer_app_of(p, in.peer_port)->s);
        peer_turn(p);
        in.h.flags = TCP_ACK;
        in.h.seq++;
        in.h.ack++;
        peer_put(p, &in);
        p->outs = 0;
        p->app_n = 0;
        p->now += 1000000;
    }
    tcp_begin(p->t, p->now);
    T_EQ(p->t->conns.used, 0);
    T_EQ(p->t->flow.used, 0);
    T_EQ(p->pool.out, 0);
    (void)peer_close(p);
    free(p);
}

/* --- two stacks --- */

struct end {
    struct stream *s;
    uint64_t to_send, sent, got;
    bool closed;
};

struct pair {
    struct end a, b;
};

static void fill(struct end *e)
{
    while (e->s && e->sent < e->to_send) {
        uint32_t got, space = stream_tx_space(e->s);
        uint64_t left = e->to_send - e->sent;
        void *to =
            space ? stream_reserve(e->s, (uint32_t)(left < space ? left : space), &got) : NULL;

        if (!to)
            return;
        memset(to, 'x', got);
        stream_commit(e->s, got);
        e->sent += got;
    }
}

static void on_event(void *owner, struct stream *s, uint32_t ev)
{
    struct end *e = (struct end *)owner;
    uint32_t n;

    if (ev & STREAM_EV_CLOSED) {
        stream_close(s);
        e->s = NULL;
        e->closed = true;
        return;
    }
    while ((n = stream_readable(s)) > 0) {
        e->got += n;
        stream_consume(s, n);
    }
    fill(e);
}

static const struct stream_owner owner = {"end", on_event};

static bool accept_end(void *ctx, struct stream *s, const struct tcp_tuple *tuple)
{
    struct pair *f = (struct pair *)ctx;

    (void)tuple;
    f->b.s = s;
    stream_set_owner(s, &owner, &f->b);
    return true;
}

/* `to_b` bytes from node 0 to node 1, at this port. */
static void begin(struct pair *f, struct sim *sim, uint16_t port, uint64_t to_b)
{
    struct endpoint at = {sim_node(sim, 1)->addr, port};
    struct tcp_connect how = {.remote = at};
    enum stream_why why;

    memset(f, 0, sizeof(*f));
    f->a.to_send = to_b;
    T_NEED(IS_OK(tcp_listen(sim_node(sim, 1)->tcp, &at, accept_end, f)));
    f->a.s = tcp_connect(sim_node(sim, 0)->tcp, &how, &owner, &f->a, &why);
    T_NEED(f->a.s != NULL);
}

static void path(struct sim *sim, uint32_t one_way_us, uint32_t kbit_s, uint32_t queue)
{
    for (uint32_t i = 0; i < 2; i++) {
        sim_node(sim, i)->out.delay_us = one_way_us;
        sim_node(sim, i)->out.kbit_s = i == 0 ? kbit_s : 0;
        sim_node(sim, i)->out.queue_pkts = queue;
    }
}

static bool arrived(void *ctx)
{
    struct pair *f = (struct pair *)ctx;

    return f->b.got == f->a.to_send;
}

static const struct tcp_conn *conn_of(const struct end *e)
{
    return CONTAINER_OF(e->s, struct tcp_conn, s);
}

/* T-53 RFC 9293 3.8.6: 100 ms, 100 Mbit/s: the receive buffer grows to twice the path's product, within its bound */
static void the_receive_window_follows_the_path(void)
{
    struct tcp_settings set;
    struct sim *sim;
    struct pair f;

    tcp_settings_default(&set);
    set.sndbuf_max_b = 8u << 20;
    set.rcvbuf_max_b = 4u << 20; /* it shall not be the sender who holds back */
    sim = sim_new(5, false, &set);
    path(sim, 50000, 100000, 1000);
    begin(&f, sim, 80, 60000000);
    T_OK(sim_run(sim, SIM_SEC(60), arrived, &f));
    fprintf(stderr, "rcvbuf %u, cwnd %u\n", conn_of(&f.b)->rcvbuf, conn_of(&f.a)->cwnd);
    T_OK(conn_of(&f.b)->rcvbuf >= 2u * 1200000u);
    T_OK(conn_of(&f.b)->rcvbuf <= 4u << 20);
    sim_free(sim);
}

/* T-71 RFC 6298 5.5: 30 % of all packets are lost, both ways: a megabyte arrives, tries are at most a minute apart */
static void a_third_is_lost_and_all_arrives(void)
{
    struct tcp_settings set;
    struct sim *sim;
    struct pair f;
    uint64_t most_us = 0, begun;

    tcp_settings_default(&set);
    set.user_timeout_ms = 3600000;
    set.syn_retries = 8;
    sim = sim_new(6, false, &set);
    path(sim, 10000, 0, 0);
    sim_node(sim, 0)->out.loss = sim_node(sim, 1)->out.loss = 300000;
    begin(&f, sim, 80, 1000000);
    begun = sim_now(sim);
    for (int i = 0; i < 36000 && !sim_run(sim, SIM_MS(100), arrived, &f); i++) {
        uint64_t rto = f.a.s ? tcp_rto_us(sim_node(sim, 0)->tcp, conn_of(&f.a)) : 0;

        most_us = rto > most_us ? rto : most_us;
    }
    fprintf(stderr, "30 %% loss: %.0f s\n", (double)(sim_now(sim) - begun) / 1e9);
    T_OK(arrived(&f));
    T_OK(most_us <= 60000000);
    sim_free(sim);
}

/* Segments after `ms`: the larger of the curve and of what Reno would have (RFC 9438 4.2, 4.3). */
static double cubic_model(double wmax, uint32_t rtt_ms, uint32_t ms)
{
    double k = cbrt(wmax * 0.3 / 0.4), cubic = 0.4 * pow(ms / 1000.0 - k, 3) + wmax,
           est = wmax * 0.7;

    for (uint32_t at = 0; at < ms; at += rtt_ms)
        est += est < wmax ? 9.0 / 17 : 1;
    return cubic > est ? cubic : est;
}

/* T-80 RFC 9438 4.2: the window after a loss follows the cubic curve, at 10, 50 and 200 ms */
static void the_window_follows_the_cubic_curve(void)
{
    static const uint32_t rtts_ms[] = {10, 50, 200};

    for (unsigned i = 0; i < ARRAY_LEN(rtts_ms); i++) {
        struct peer *p = one_stack((struct peer *)calloc(1, sizeof(*p)));
        struct tcp_conn *c;
        struct tcp_tuple tuple = {.lport = 1, .rport = 2};
        double wmax = 1000, want, got;
        uint32_t ms;

        peer_start(p);
        c = tcp_conn_new(p->t, &tuple);
        T_NEED(c != NULL);
        c->snd_mss = 1000;
        c->srtt_us = rtts_ms[i] * 1000;
        c->cwnd = (uint32_t)wmax * 1000;
        c->ssthresh = c->cwnd = tcp_cc_reduce(p->t, c);
        T_EQ(c->cwnd, 700000);
        for (ms = 0; ms < 12000; ms += rtts_ms[i]) { /* one window is acknowledged per round trip */
            uint32_t window = c->cwnd;

            for (uint32_t b = 0; b < window; b += 2000) {
                c->flags |= TCPF_CWND_LIMITED;
                tcp_cc_grow(p->t, c, 2000, -1);
            }
            p->now += PEER_MS(rtts_ms[i]);
            tcp_begin(p->t, p->now);
        }
        want = cubic_model(wmax, rtts_ms[i], ms);
        got = c->cwnd / 1000.0;
        fprintf(stderr, "%u ms: %.0f segments, the curve says %.0f\n", rtts_ms[i], got, want);
        T_OK(fabs(got - want) <= want * 0.05);
        pool_put(&p->t->conns, c);
        (void)peer_close(p);
        free(p);
    }
}

/* T-81 RFC 9438 5: two flows share 10 Mbit/s: Jain's index is above 0.9 after a minute */
static void two_flows_share_a_bottleneck(void)
{
    struct sim *sim = sim_new(7, false, NULL);
    struct pair f, g;
    double x, y, jain;
    uint64_t f0, g0;

    path(sim, 20000, 10000, 60);
    begin(&f, sim, 80, UINT64_MAX / 4);
    (void)sim_run(sim, SIM_SEC(5), NULL, NULL);
    begin(&g, sim, 81, UINT64_MAX / 4);
    (void)sim_run(sim, SIM_SEC(20), NULL, NULL);
    f0 = f.b.got;
    g0 = g.b.got;
    (void)sim_run(sim, SIM_SEC(60), NULL, NULL);
    x = (double)(f.b.got - f0);
    y = (double)(g.b.got - g0);
    jain = (x + y) * (x + y) / (2 * (x * x + y * y));
    fprintf(stderr, "shares %.0f and %.0f kB/s, Jain %.3f\n", x / 60000, y / 60000, jain);
    T_OK(jain > 0.9);
    T_OK(x + y > 0.8 * 60 * 1250000); /* and the link is used */
    sim_free(sim);
}

/* T-82 RFC 6298 2: a round trip of 20 us: no pause, and the clock is not spun */
static void a_path_of_microseconds_runs_smoothly(void)
{
    struct sim *sim = sim_new(8, false, NULL);
    struct pair f;

    path(sim, 10, 10000000, 0);
    begin(&f, sim, 80, 20000000);
    T_OK(sim_run(sim, SIM_MS(200), arrived, &f));
    T_EQ(sim_node(sim, 0)->tcp->ctr[TCP_CTR_TIMEOUTS], 0);
    sim_free(sim);
}

/* T-99 RFC 9293 3.10.7.4: two ends that disagree answer each other a few times a second, not for ever */
static void two_that_disagree_do_not_talk_for_ever(void)
{
    struct sim *sim = sim_new(9, false, NULL);
    struct pair f;
    uint64_t before;

    path(sim, 1000, 0, 0);
    begin(&f, sim, 80, 1000);
    (void)sim_run(sim, SIM_SEC(1), NULL, NULL);
    ((struct tcp_conn *)(uintptr_t)conn_of(&f.a))->snd_nxt +=
        100000; /* one of them is out of its mind */
    ((struct tcp_conn *)(uintptr_t)conn_of(&f.a))->snd_una += 100000;
    ((struct tcp_conn *)(uintptr_t)conn_of(&f.b))->snd_nxt += 100000;
    ((struct tcp_conn *)(uintptr_t)conn_of(&f.b))->snd_una += 100000;
    before = sim_node(sim, 0)->sent + sim_node(sim, 1)->sent;
    tcp_begin(sim_node(sim, 0)->tcp, sim_now(sim));
    tcp_send_ack(sim_node(sim, 0)->tcp, (struct tcp_conn *)(uintptr_t)conn_of(&f.a));
    (void)sim_run(sim, SIM_SEC(10), NULL, NULL);
    T_OK(sim_node(sim, 0)->sent + sim_node(sim, 1)->sent - before <= 2 * 2 * 20 + 2);
    sim_free(sim);
}

/* T-137 RFC 9293 3.8.6: a reader that is slow: the sender's memory is bounded, and all arrives in the end */
static void a_slow_reader_bounds_the_sender(void)
{
    struct sim *sim = sim_new(10, false, NULL);
    struct pair f;
    uint64_t most = 0;

    path(sim, 100, 0, 0);
    begin(&f, sim, 80, 30000000);
    for (int i = 0; i < 4000 && !arrived(&f); i++) {
        (void)sim_run(sim, SIM_MS(1), arrived, &f);
        if (sim_node(sim, 0)->tcp->tx_used_b > most)
            most = sim_node(sim, 0)->tcp->tx_used_b;
    }
    T_OK(arrived(&f));
    T_OK(most < 8u << 20);
    sim_free(sim);
}

static bool record(void *ctx, struct sim_node *from, struct nbuf *m, const struct tcp_tx *tx)
{
    uint64_t *h = (uint64_t *)ctx;

    (void)from;
    (void)tx;
    for (uint32_t i = 0; i < nbuf_len(m); i++)
        *h = (*h ^ nbuf_data(m)[i]) * 0x100000001b3ULL;
    return true;
}

/* T-147 (simulation): the same seed gives the same packets, byte for byte */
static void a_seed_replays(void)
{
    uint64_t traces[2] = {0xcbf29ce484222325ULL, 0xcbf29ce484222325ULL};

    for (int i = 0; i < 2; i++) {
        struct sim *sim = sim_new(11, false, NULL);
        struct pair f;

        path(sim, 5000, 20000, 20);
        sim_node(sim, 0)->out.loss = 20000;
        sim_set_tap(sim, record, &traces[i]);
        begin(&f, sim, 80, 500000);
        T_OK(sim_run(sim, SIM_SEC(60), arrived, &f));
        sim_free(sim);
    }
    T_EQ(traces[0], traces[1]);
}

#define TESTS(X)                                          \
    X(a_flood_of_syns_does_not_keep_an_honest_client_out) \
    X(connecting_without_a_free_port_fails_at_once)       \
    X(a_hundred_thousand_connections_leave_nothing)       \
    X(the_receive_window_follows_the_path)                \
    X(a_third_is_lost_and_all_arrives)                    \
    X(the_window_follows_the_cubic_curve)                 \
    X(two_flows_share_a_bottleneck)                       \
    X(a_path_of_microseconds_runs_smoothly)               \
    X(two_that_disagree_do_not_talk_for_ever)             \
    X(a_slow_reader_bounds_the_sender)                    \
    X(a_seed_replays)
T_MAIN("sim_many", TESTS)
