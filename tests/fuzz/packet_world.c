/* The stack, its application and their time. */
#include "base/bytes.h"
#include "core/icmp.h"
#include "fuzz/l3_port.h"
#include "fuzz/packet.h"

#define BUFS 2048

/* --- the application --- */

static void forget(struct world *w, const struct stream *s)
{
    for (int i = 0; i < STREAMS; i++) {
        if (w->streams[i] == s)
            w->streams[i] = NULL;
    }
}

static void echo(struct world *w, struct stream *s)
{
    struct span v[4];
    uint32_t n;

    while (w->reading && (n = stream_peek(s, v, 4)) > 0) {
        uint32_t space = stream_tx_space(s);
        struct span part = span_first(v[0], space);

        if (part.len == 0)
            return;
        FUZZ_MUST(stream_write(s, part));
        stream_consume(s, (uint32_t)part.len);
    }
}

static void on_event(void *owner, struct stream *s, uint32_t events)
{
    struct world *w = (struct world *)owner;

    if (events & STREAM_EV_CLOSED) {
        forget(w, s);
        stream_close(s);
        return;
    }
    echo(w, s);
    if (w->reading && stream_at_eof(s)) {
        forget(w, s);
        stream_close(s);
    }
}

static const struct stream_owner owner = {.on_event = on_event};

static bool keep(struct world *w, struct stream *s)
{
    for (int i = 0; i < STREAMS; i++) {
        if (!w->streams[i]) {
            w->streams[i] = s;
            return true;
        }
    }
    return false;
}

static bool on_accept(void *ctx, struct stream *s, const struct tcp_tuple *tuple)
{
    struct world *w = (struct world *)ctx;

    (void)tuple;
    if (!keep(w, s))
        return false;
    stream_set_owner(s, &owner, w);
    return true;
}

/* --- glue, as core/core.c has it --- */

static void to_tcp(void *ctx, struct nbuf *m, const struct l3_segment *s)
{
    struct tcp_rx rx = {s->src, s->dst, s->arrived_ns, s->ecn};

    tcp_input(((struct world *)ctx)->tcp, m, &rx);
}

static void to_tcp_icmp(void *ctx, const struct l3_icmp_error *e)
{
    core_icmp_error(((const struct world *)ctx)->tcp, e);
}

static void from_tcp(void *ctx, struct nbuf *m, const struct tcp_tx *tx)
{
    struct world *w = (struct world *)ctx;
    const uint8_t *h = nbuf_data(m);
    uint32_t len = 0;

    for (struct nbuf *p = m; p; p = nbuf_next(p))
        len += nbuf_len(p);
    FUZZ_MUST(len >= tx->hdr_b && tx->hdr_b >= 20);
    w->our_port = get_u16(h);
    w->peer_port = get_u16(h + 2);
    w->seq_next = get_u32(h + 4) + len - tx->hdr_b + ((h[13] & 1) != 0) + ((h[13] & 2) != 0);
    w->ack = get_u32(h + 8);
    w->src = tx->src;
    w->dst = tx->dst;
    memcpy(w->head, h, sizeof(w->head));
    l3_output(w->l3, m, &(struct l3_out){tx->src, tx->dst, tx->ecn, 0, 0}, w->now);
}

static bool route(void *ctx, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu)
{
    return l3_route(((struct world *)ctx)->l3, dst, src, mtu);
}

static void progress(void *ctx, const struct ip_addr *dst)
{
    struct world *w = (struct world *)ctx;

    l3_confirm(w->l3, dst, w->now);
}

static void doubt(void *ctx, const struct ip_addr *dst)
{
    struct world *w = (struct world *)ctx;

    l3_doubt(w->l3, dst, w->now);
}

/* --- time --- */

void world_settle(struct world *w)
{
    tcp_timers(w->tcp);
    l3_timers(w->l3, w->now);
    tcp_upcalls(w->tcp);
    tcp_flush(w->tcp);
}

void world_frame(struct world *w, struct span bytes)
{
    struct nbuf *m = nbuf_get(&w->pool);

    if (!m)
        return;
    memcpy(nbuf_add(m, (uint32_t)bytes.len), bytes.p, bytes.len);
    l3_input(w->l3, 0, m, w->now);
    world_settle(w);
}

void world_pass(struct world *w, uint64_t ns)
{
    w->now += ns;
    /* A core that sleeps until the next deadline has to come to sleep: what is due is done after some turns. */
    for (int i = 0; i < 8; i++) {
        tcp_begin(w->tcp, w->now);
        world_settle(w);
        if (tcp_next_deadline(w->tcp) > w->now && l3_next_deadline(w->l3) > w->now)
            return;
    }
    FUZZ_MUST(!"work without end");
}

/* --- what the application does --- */

void app_writes(struct world *w, uint32_t which, uint32_t n)
{
    static const uint8_t zeros[65536];
    struct stream *s = w->streams[which % STREAMS];
    uint32_t space = s ? stream_tx_space(s) : 0;

    n = n < space ? n : space;
    if (n)
        FUZZ_MUST(stream_write(s, span_of(zeros, n)));
    world_settle(w);
}

void app_ends(struct world *w, uint32_t which)
{
    if (w->streams[which % STREAMS])
        stream_shutdown(w->streams[which % STREAMS]);
    world_settle(w);
}

void app_lets_go(struct world *w, uint32_t which)
{
    struct stream *s = w->streams[which / 2 % STREAMS];

    if (!s)
        return;
    forget(w, s);
    if (which & 1)
        stream_abort(s);
    else
        stream_close(s);
    world_settle(w);
}

void app_connects(struct world *w)
{
    struct tcp_connect how = {.remote = {.addr = w->peer[w->six], .port = 80}};
    enum stream_why why;
    struct stream *s = tcp_connect(w->tcp, &how, &owner, w, &why);

    if (s && !keep(w, s))
        stream_abort(s);
    world_settle(w);
}

/* --- begin and end --- */

void world_begin(struct world *w)
{
    struct l3_env l3 = {.ctx = w,
                        .pool = &w->pool,
                        .rng = &w->rng,
                        .tx = fuzz_tx,
                        .tcp = to_tcp,
                        .icmp_error = to_tcp_icmp,
                        .announces = true};
    struct tcp_env env = {.ctx = w,
                          .pool = &w->pool,
                          .rng = &w->rng,
                          .output = from_tcp,
                          .route = route,
                          .confirm = progress,
                          .doubt = doubt};
    struct tcp_settings set;
    struct l3_port port;
    uint8_t seed[RNG_SEED_B] = {1};
    struct endpoint at;

    memset(w, 0, sizeof(*w));
    w->now = 1000000000;
    w->reading = true;
    rng_init(&w->rng, seed);
    fuzz_addrs(w->us, "10.0.0.1", "fd00::1");
    fuzz_addrs(w->peer, "10.0.0.2", "fd00::2");
    port = fuzz_port(w->us);
    w->pool = (struct nbuf_pool){.cap = BUFS};
    tcp_settings_default(&set);
    set.port_lo = 40000; /* few, so that a run is short */
    set.port_hi = 40063;
    set.conns_max = 16;
    set.reqs_max = 8;
    set.tw_max = 16;
    set.orphans_max = 4;
    FUZZ_MUST(IS_OK(l3_new(&l3, &port, 1, w->now, &w->l3)));
    FUZZ_MUST(IS_OK(tcp_new(&set, &env, w->now, &w->tcp)));
    tcp_begin(w->tcp, w->now);
    for (int i = 0; i < 2; i++) {
        at = (struct endpoint){.addr = w->us[i], .port = 443};
        FUZZ_MUST(IS_OK(tcp_listen(w->tcp, &at, on_accept, w)));
        l3_heard(w->l3, 0, &w->peer[i], &peer_mac, true, w->now);
    }
}

void world_end(struct world *w)
{
    struct tcp_gauges g;

    for (uint32_t i = 0; i < STREAMS; i++)
        app_lets_go(w, 2 * i);
    for (int i = 0; i < 400; i++) /* longer than any timeout of the stack */
        world_pass(w, 5000000000u);
    tcp_gauges(w->tcp, &g);
    FUZZ_MUST(g.conns == 0 && g.reqs == 0 && g.time_wait == 0);
    FUZZ_MUST(g.rx_queued_b == 0 && g.tx_queued_b == 0);
    tcp_free(w->tcp);
    l3_free(w->l3);
    FUZZ_MUST(nbuf_pool_free(&w->pool) == BUFS);
}
