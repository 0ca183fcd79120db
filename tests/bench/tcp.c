/**
 * Cycles per operation of the TCP stack, without a device: one stack, segments made beforehand, buffers from the
 * heap (malloc and free are in the figures; the product's come from a mempool). Prints one line each.
 *
 *     build/tests/bench/bench_tcp [CONNECTIONS of the idle test, default 1000000]
 */
#include "base/bytes.h"
#include "tcp/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#define ROUNDS 9

struct bench {
    struct tcp *t;
    struct nbuf_pool pool, wire;
    struct rng rng;
    struct ip_addr us, them;
    uint64_t now, sent, out_b;
    struct tcp_seg last;
    struct stream *s;
    bool keep; /* the last segment out is looked at */
};

static void output(void *ctx, struct nbuf *m, const struct tcp_tx *tx)
{
    struct bench *b = (struct bench *)ctx;

    (void)tx;
    b->sent++;
    if (b->keep)
        (void)tcp_wire_parse(m, &b->last);
    nbuf_put_chain(m);
}

static bool route(void *ctx, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu)
{
    (void)dst;
    if (ip_is_any(src))
        *src = ((struct bench *)ctx)->us;
    *mtu = 1500;
    return true;
}

static void on_event(void *owner, struct stream *s, uint32_t ev)
{
    uint32_t n = ev & STREAM_EV_CLOSED ? 0 : stream_readable(s);

    (void)owner;
    if (ev & STREAM_EV_CLOSED)
        stream_close(s);
    else if (n)
        stream_consume(s, n);
}

static const struct stream_owner owner = {"bench", on_event};

static bool accept_one(void *ctx, struct stream *s, const struct tcp_tuple *tuple)
{
    (void)tuple;
    ((struct bench *)ctx)->s = s;
    stream_set_owner(s, &owner, ctx);
    return true;
}

/* Checksums count as done by the device. */
static struct nbuf *segment(struct bench *b, const struct tcp_hdr_plan *h, uint32_t len)
{
    struct nbuf *m = nbuf_get(&b->wire);
    uint8_t hdr_b = tcp_wire_size(h);

    tcp_wire_write((uint8_t *)nbuf_add(m, hdr_b), hdr_b, h);
    memset(nbuf_add(m, len), 'x', len);
    m->rx_csum = NBUF_CSUM_GOOD; /* as a device would have checked it */
    return m;
}

static void put(struct bench *b, struct nbuf *m, struct ip_addr from)
{
    struct tcp_rx rx = {.src = from, .dst = b->us, .arrived_ns = b->now};

    tcp_input(b->t, m, &rx);
}

static void turn(struct bench *b)
{
    tcp_timers(b->t);
    tcp_upcalls(b->t);
    tcp_flush(b->t);
    tcp_begin(b->t, b->now);
}

static void make(struct bench *b, uint32_t conns)
{
    struct tcp_settings set;
    struct tcp_env env = {.ctx = b,
                          .pool = &b->pool,
                          .rng = &b->rng,
                          .output = output,
                          .route = route,
                          .offloads = TCP_OFFLOAD_CSUM};
    struct endpoint at;

    memset(b, 0, sizeof(*b));
    tcp_settings_default(&set);
    set.conns_max = conns + 16;
    set.reqs_max = 4096;
    set.tw_max = 4096;
    b->pool.cap = b->wire.cap = UINT32_MAX;
    b->us = ip_v4(0x0a000001);
    b->them = ip_v4(0x0a000002);
    b->now = 1000000000000;
    rng_init_u64(&b->rng, 1);
    if (!IS_OK(tcp_new(&set, &env, b->now, &b->t)))
        abort();
    at = (struct endpoint){b->us, 443};
    if (!IS_OK(tcp_listen(b->t, &at, accept_one, b)))
        abort();
    tcp_begin(b->t, b->now);
}

/* Client i: its own address for each 60,000 ports. */
static struct ip_addr client(uint32_t i, uint16_t *port)
{
    *port = (uint16_t)(1024 + i % 60000);
    return ip_v4(0x0b000000 + i / 60000);
}

/* The client's side of an open connection, as time stamps go on. */
static struct tcp_hdr_plan plan_ack(const struct bench *b, uint16_t sport, uint32_t seq,
                                    uint32_t ack)
{
    return (struct tcp_hdr_plan){.dport = 443,
                                 .sport = sport,
                                 .seq = seq,
                                 .ack = ack,
                                 .flags = TCP_ACK,
                                 .wnd = 65535,
                                 .wscale = -1,
                                 .ts = true,
                                 .tsval = 2,
                                 .tsecr = b->last.tsval};
}

static void establish(struct bench *b, uint32_t i)
{
    struct tcp_hdr_plan h = {.dport = 443,
                             .seq = 1000,
                             .flags = TCP_SYN,
                             .wnd = 65535,
                             .wscale = 7,
                             .mss = 1460,
                             .sack_ok = true,
                             .ts = true,
                             .tsval = 1};
    struct ip_addr from = client(i, &h.sport);

    b->keep = true;
    put(b, segment(b, &h, 0), from);
    b->keep = false;
    h = plan_ack(b, h.sport, 1001, b->last.seq + 1);
    put(b, segment(b, &h, 0), from);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The median of some rounds says more than a mean on a machine with neighbours. */
static void say(const char *what, double *rounds)
{
    qsort(rounds, ROUNDS, sizeof(*rounds), by_value);
    printf("%-44s %8.0f cycles   (%.0f to %.0f)\n", what, rounds[ROUNDS / 2], rounds[0],
           rounds[ROUNDS - 1]);
}

/* Full-size segments in order, 32 to a turn, read at once; the ACKs they cause are part of it. */
static void segments_in(void)
{
    enum { N = 3200, BURST = 32, LEN = 1448 };
    struct bench b;
    double r[ROUNDS];
    static struct nbuf *m[N];
    struct tcp_hdr_plan h;
    uint32_t seq = 1001;

    make(&b, 16);
    establish(&b, 0);
    turn(&b);
    for (int k = 0; k < ROUNDS; k++) {
        uint64_t from;

        for (int i = 0; i < N; i++, seq += LEN) {
            h = plan_ack(&b, 1024, seq, b.last.seq + 1);
            m[i] = segment(&b, &h, LEN);
        }
        from = __rdtsc();
        for (int i = 0; i < N; i += BURST) {
            for (int j = 0; j < BURST; j++)
                put(&b, m[i + j], client(0, &h.sport));
            turn(&b);
            b.now += 10000;
        }
        r[k] = (double)(__rdtsc() - from) / N;
    }
    say("segment in to stream, full size", r);
    tcp_free(b.t);
}

/* Bytes written by the owner leave as full-size segments; the peer acknowledges each turn. */
static void segments_out(void)
{
    enum { TURNS = 400, PER_TURN = 8, LEN = 1448 };
    static uint8_t block[LEN * PER_TURN];
    struct bench b;
    double r[ROUNDS];
    uint32_t una;

    make(&b, 16);
    establish(&b, 0);
    una = b.last.seq + 1;
    turn(&b);
    for (int k = 0; k < ROUNDS; k++) {
        uint64_t spent = 0, sent = b.sent;

        for (int i = 0; i < TURNS; i++) {
            struct tcp_hdr_plan h;
            uint64_t from = __rdtsc();

            if (!stream_write(b.s, span_of(block, sizeof(block))))
                abort();
            tcp_flush(b.t);
            spent += __rdtsc() - from;
            una += sizeof(block);
            h = plan_ack(&b, 1024, 1001, una);
            b.now += 100000;
            tcp_begin(b.t, b.now);
            from = __rdtsc();
            put(&b, segment(&b, &h, 0), client(0, &h.sport));
            turn(&b);
            spent += __rdtsc() - from;
        }
        r[k] = (double)spent / (double)(b.sent - sent);
    }
    say("stream to segment out, full size, with its ACK", r);
    tcp_free(b.t);
}

static void handshakes(void)
{
    enum { N = 2000 };
    struct bench b;
    double r[ROUNDS];

    make(&b, N * ROUNDS);
    for (int k = 0; k < ROUNDS; k++) {
        uint64_t from = __rdtsc();

        for (uint32_t i = 0; i < N; i++) {
            establish(&b, (uint32_t)k * N + i);
            turn(&b);
        }
        r[k] = (double)(__rdtsc() - from) / N;
    }
    say("SYN to established", r);
    tcp_free(b.t);
}

static void fired(void *ctx, struct wheel_node *n, uint64_t now)
{
    (void)n;
    (void)now;
    ++*(uint64_t *)ctx;
}

static void timers(void)
{
    enum { N = 100000 };
    static struct wheel_node nodes[N];
    struct wheel w;
    double arm[ROUNDS], fire[ROUNDS];
    struct rng rng;
    uint64_t now = 1000000000, count = 0;

    rng_init_u64(&rng, 3);
    wheel_init(&w, now);
    for (int k = 0; k < ROUNDS; k++) {
        uint64_t from = __rdtsc();

        for (int i = 0; i < N; i++)
            wheel_arm(&w, &nodes[i], now + 1000000 + (uint64_t)i * 10000);
        arm[k] = (double)(__rdtsc() - from) / N;
        from = __rdtsc();
        for (int i = 0; i < 1100; i++)
            wheel_advance(&w, now += 1000000, N, fired, &count);
        fire[k] = (double)(__rdtsc() - from) / N;
    }
    if (count != (uint64_t)N * ROUNDS)
        abort();
    say("timer arm", arm);
    say("timer fire", fire);
}

static void look(struct bench *b, uint32_t conns, uint32_t busy, const char *how)
{
    enum { N = 20000 };
    struct tcp_tuple tuple;
    uint64_t found = 0;
    double r[ROUNDS];
    char what[64];

    memset(&tuple, 0, sizeof(tuple));
    tuple.laddr = b->us;
    tuple.lport = 443;
    for (int k = 0; k < ROUNDS; k++) {
        uint64_t from = __rdtsc();

        for (int i = 0; i < N; i++) {
            tuple.raddr = client(rng_below(&b->rng, busy) * (conns / busy), &tuple.rport);
            found += tcp_find_conn(b->t, &tuple, 0) != NULL;
        }
        r[k] = (double)(__rdtsc() - from) / N;
    }
    if (found != (uint64_t)N * ROUNDS)
        abort();
    snprintf(what, sizeof(what), "flow look-up, %u connections, %s", conns, how);
    say(what, r);
}

/* The same as bursts have it: 32 that are announced, then found. */
static void look_ahead(struct bench *b, uint32_t conns, uint32_t busy, const char *how)
{
    enum { N = 20000 / TCP_AHEAD_MAX };
    struct tcp_tuple tuple[TCP_AHEAD_MAX];
    uint64_t found = 0;
    double r[ROUNDS];
    char what[64];

    memset(tuple, 0, sizeof(tuple));
    for (int k = 0; k < ROUNDS; k++) {
        uint64_t from = __rdtsc();

        for (int i = 0; i < N; i++) {
            for (uint32_t s = 0; s < TCP_AHEAD_MAX; s++) {
                tuple[s].laddr = b->us;
                tuple[s].lport = 443;
                tuple[s].raddr = client(rng_below(&b->rng, busy) * (conns / busy), &tuple[s].rport);
                tcp_ahead(b->t, s + 1, &tuple[s]);
            }
            for (uint32_t s = 0; s < TCP_AHEAD_MAX; s++)
                tcp_ahead_conn(b->t, s + 1);
            for (uint32_t s = 0; s < TCP_AHEAD_MAX; s++)
                found += tcp_find_conn(b->t, &tuple[s], s + 1) != NULL;
        }
        r[k] = (double)(__rdtsc() - from) / (N * TCP_AHEAD_MAX);
    }
    if (found != (uint64_t)N * TCP_AHEAD_MAX * ROUNDS)
        abort();
    snprintf(what, sizeof(what), "flow look-up, %u connections, %s, in bursts", conns, how);
    say(what, r);
}

/* Among so many: with all of them busy caches are missed, with a hundred of them the table alone is seen. */
static void lookups(uint32_t conns)
{
    struct bench b;

    make(&b, conns);
    for (uint32_t i = 0; i < conns; i++) {
        establish(&b, i);
        if (i % 64 == 0)
            turn(&b);
    }
    turn(&b);
    look(&b, conns, 100, "100 busy");
    look(&b, conns, conns, "all busy");
    look_ahead(&b, conns, 100, "100 busy");
    look_ahead(&b, conns, conns, "all busy");
    tcp_free(b.t);
}

static uint64_t rss(void)
{
    unsigned long total, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * 4096ULL;
}

/* Idle connections with keep-alive timers armed, half a minute of them running. */
static void idle(uint32_t conns)
{
    uint64_t before = rss(), from;
    struct tcp_gauges g;
    struct bench b;

    make(&b, conns);
    for (uint32_t i = 0; i < conns; i++) {
        establish(&b, i);
        if (i % 64 == 63) {
            b.now += 1000000;
            tcp_begin(b.t, b.now);
            turn(&b);
        }
    }
    turn(&b);
    tcp_gauges(b.t, &g);
    printf("%u idle connections: %.0f MB of the process, %.0f bytes each\n", g.established,
           (double)(rss() - before) / 1e6, (double)(rss() - before) / conns);
    from = b.sent;
    for (int i = 0; i < 60000; i++) {
        b.now += 1000000;
        tcp_begin(b.t, b.now);
        turn(&b);
    }
    printf("a minute later: %lu keep-alive probes were sent\n", (unsigned long)(b.sent - from));
    tcp_free(b.t);
}

int main(int argc, char **argv)
{
    segments_in();
    segments_out();
    handshakes();
    timers();
    lookups(1000);
    lookups(100000);
    lookups(1000000);
    idle(argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000);
    return 0;
}
