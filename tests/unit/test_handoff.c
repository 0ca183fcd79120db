#include "base/bytes.h"
#include "lib/t.h"
#include "net/handoff.c" /* white box */

#define CORES 3u

static struct {
    struct handoff h;
    struct nbuf_pool pool;
    struct rng rng;
    uint32_t packets, sent, news, last;
} w;

static void on_packet(void *ctx, struct nbuf *m, uint8_t port, bool send)
{
    (void)ctx;
    w.packets++;
    w.sent += send;
    w.last = nbuf_data(m)[0] | (uint32_t)port << 8;
    nbuf_put_chain(m);
}

static void on_heard(void *ctx, uint8_t port, const struct ip_addr *ip, const struct mac *mac,
                     bool answer)
{
    (void)ctx;
    w.news++;
    w.last = answer ? NEWS_ANSWER : NEWS_CLAIM;
    T_EQ(port, 3);
    T_EQ(ip->b[15], 9);
    T_EQ(mac->b[5], 8);
}

static void on_conflict(void *ctx, uint8_t port, const struct ip_addr *ip)
{
    (void)ctx;
    w.news++;
    w.last = NEWS_CONFLICT;
    T_EQ(port, 3);
    T_EQ(ip->b[15], 9);
}

static const struct handoff_sink sink = {NULL, on_packet, on_heard, on_conflict};
static const struct ip_addr neighbour = {{[15] = 9}};
static const struct mac neighbour_mac = {{[5] = 8}};

static void begin(void)
{
    memset(&w, 0, sizeof(w));
    w.pool.cap = 4096;
    rng_init_u64(&w.rng, 1);
    T_NEED(IS_OK(handoff_init(&w.h, CORES, &w.rng)));
}

static void end(void)
{
    handoff_fini(&w.h);
    T_EQ(w.pool.out, 0);
}

static struct nbuf *packet(uint8_t first, uint32_t len)
{
    struct nbuf *m = nbuf_get(&w.pool);

    T_NEED(m != NULL);
    memset(nbuf_add(m, len), first, len);
    return m;
}

static void what_is_given_is_had_by_whom_it_is_for(void)
{
    begin();
    T_OK(handoff_give(&w.h, 0, 2, packet(7, 60), 15, false));
    T_OK(handoff_give(&w.h, 1, 2, packet(8, 60), 15, true));
    T_EQ(handoff_poll(&w.h, 0, &sink) + handoff_poll(&w.h, 1, &sink), 0);
    T_EQ(handoff_poll(&w.h, 2, &sink), 2);
    T_EQ(w.sent, 1);
    T_EQ(w.last, 15 << 8 | 8);
    T_EQ(handoff_poll(&w.h, 2, &sink), 0);
    end();
}

/* A core that does not come round in time: the newest are lost, and what it had not taken is freed in the end. */
static void a_full_ring_loses_the_newest(void)
{
    uint32_t given = 0;

    begin();
    while (handoff_give(&w.h, 0, 1, packet(1, 60), 0, false))
        given++;
    T_EQ(given, 1024);
    T_EQ(w.pool.out, given);
    T_OK(handoff_give(&w.h, 2, 1, packet(1, 60), 0, false)); /* others have rings of their own */
    T_EQ(handoff_poll(&w.h, 1, &sink), PER_TURN + 1);
    end();
}

static void news_go_to_all_others(void)
{
    begin();
    handoff_tell_conflict(&w.h, 1, 3, &neighbour);
    T_EQ(handoff_poll(&w.h, 0, &sink) + handoff_poll(&w.h, 1, &sink), 0);
    T_EQ(w.news, 1);
    (void)handoff_poll(&w.h, 2, &sink);
    T_EQ(w.news, 2);
    T_EQ(w.last, NEWS_CONFLICT);
    for (uint32_t i = 0; i < 1000; i++)
        handoff_tell_conflict(&w.h, 1, 3, &neighbour);
    (void)handoff_poll(&w.h, 0, &sink);
    T_EQ(w.news, 2 + PER_TURN); /* of a flood, some each turn */
    end();
}

static void what_was_heard_is_told_as_it_was_heard(void)
{
    begin();
    handoff_tell_heard(&w.h, 1, 3, &neighbour, &neighbour_mac, true);
    (void)handoff_poll(&w.h, 0, &sink);
    T_EQ(w.last, NEWS_ANSWER);
    handoff_tell_heard(&w.h, 1, 3, &neighbour, &neighbour_mac, false);
    (void)handoff_poll(&w.h, 0, &sink);
    T_EQ(w.last, NEWS_CLAIM);
    T_EQ(w.news, 2);
    end();
}

static void one_core_keeps_all(void)
{
    uint32_t owner = 9, hash;
    struct nbuf *m;

    memset(&w, 0, sizeof(w));
    w.pool.cap = 1;
    rng_init_u64(&w.rng, 1);
    T_NEED(IS_OK(handoff_init(&w.h, 1, &w.rng)));
    m = packet(0, 60);
    T_OK(!handoff_owner(&w.h, 0, m, &owner, &hash));
    T_EQ(owner, 0);
    nbuf_put(m);
    handoff_tell_heard(&w.h, 0, 3, &neighbour, &neighbour_mac, false);
    T_EQ(handoff_poll(&w.h, 0, &sink), 0);
    end();
}

/* All of a flow has one owner, both families, whatever the buffers are; what has no flow stays where it is. */
static void a_flow_has_one_owner(void)
{
    struct ip_addr a = {{0x20, 1, 0xd, 0xb8, [15] = 1}}, b = {{0x20, 1, 0xd, 0xb8, [15] = 2}};
    struct eth e = {.type = ETH_TYPE_IP6, .len = ETH_HDR_B};
    uint32_t seen[CORES] = {0};

    begin();
    for (uint32_t port = 1000; port < 2000; port++) {
        struct nbuf *m = packet(0, ETH_HDR_B + IP6_HDR_B + 20), *more;
        uint32_t owner = CORES, again = CORES, hash = 0, hash2 = 1;
        uint8_t *f = nbuf_data(m);

        eth_write(f, &e);
        ip6_write(f + ETH_HDR_B, &a, &b, IP_PROTO_TCP, 0, 20, 0, 64);
        put_u16(f + ETH_HDR_B + IP6_HDR_B, (uint16_t)port);
        put_u16(f + ETH_HDR_B + IP6_HDR_B + 2, 443);
        T_OK(handoff_owner(&w.h, 0, m, &owner, &hash));
        put_u16(f + ETH_HDR_B + 4, 20 + 1000); /* the rest in another buffer */
        more = packet(0, 1000);
        nbuf_set_next(m, more);
        T_OK(handoff_owner(&w.h, 1, m, &again, &hash2));
        T_EQ(owner, again);
        T_EQ(hash, hash2);
        T_EQ(owner, steer_owner(&w.h.steer, &a, &b, (uint16_t)port, 443));
        seen[owner]++;
        put_u16(f + 12, 0x88cc);
        T_OK(!handoff_owner(&w.h, 2, m, &owner, &hash));
        T_EQ(owner, 2);
        nbuf_put_chain(m);
    }
    for (uint32_t i = 0; i < CORES; i++)
        T_OK(seen[i] > 250);
    end();
}

#define TESTS(X)                              \
    X(what_is_given_is_had_by_whom_it_is_for) \
    X(a_full_ring_loses_the_newest)           \
    X(news_go_to_all_others)                  \
    X(what_was_heard_is_told_as_it_was_heard) X(one_core_keeps_all) X(a_flow_has_one_owner)
T_MAIN("handoff", TESTS)
