/* Fragments of TCP packets, IPv4 and IPv6, through the engine (l3) in virtual time. */
#include "base/bytes.h"
#include "lib/l3_fix.h"
#include "lib/t.h"
#include "net/reasm.h"
#include "net/steer.h"

#define POOL   (16u * REASM_BUFS)
#define BODY_B 65536u

static struct {
    struct l3_fix n;
    uint32_t whole, away; /* segments that came up; packets that were another core's */
    uint8_t body[BODY_B];
    uint32_t len, first_len;
    uint8_t ecn;
    enum nbuf_csum csum;
    bool take_away;
    struct log_out log;
    struct ring ring;
    _Alignas(8) uint8_t mem[1 << 12];
} w;

static uint8_t content(uint32_t at)
{
    return (uint8_t)(at * 7 + (at >> 8) * 3);
}

static void tx(void *ctx, uint8_t port, struct nbuf *m)
{
    (void)ctx, (void)port;
    nbuf_put_chain(m);
}

static void on_tcp(void *ctx, struct nbuf *m, const struct l3_segment *s)
{
    (void)ctx;
    w.whole++;
    w.first_len = nbuf_len(m);
    w.csum = nbuf_rx_csum(m);
    w.ecn = s->ecn;
    w.len = 0;
    for (struct nbuf *p = m; p; p = nbuf_next(p)) {
        T_NEED(w.len + nbuf_len(p) <= BODY_B);
        memcpy(w.body + w.len, nbuf_data(p), nbuf_len(p));
        w.len += nbuf_len(p);
    }
    nbuf_put_chain(m);
}

static void on_error(void *ctx, const struct l3_icmp_error *e)
{
    (void)ctx, (void)e;
}

static bool elsewhere(void *ctx, uint8_t port, struct nbuf *m)
{
    struct ip_addr src, dst;
    uint16_t sport, dport;

    (void)ctx, (void)port;
    T_OK(steer_tuple(span_of(nbuf_data(m), nbuf_len(m)), &src, &dst, &sport, &dport));
    T_EQ(sport, content(0) << 8 | content(1));
    if (!w.take_away)
        return false;
    w.away++;
    nbuf_put_chain(m);
    return true;
}

static uint64_t count(enum l3_counter c)
{
    return l3_counters(w.n.l3)[c];
}

static void begin_with(bool on)
{
    struct l3_port port = {.address_count = 2};
    struct l3_env env = {.log = &w.log,
                         .tx = tx,
                         .tcp = on_tcp,
                         .icmp_error = on_error,
                         .elsewhere = elsewhere,
                         .reassembles = on};

    memset(&w, 0, sizeof(w));
    ring_init(&w.ring, w.mem, sizeof(w.mem));
    w.log.ring = &w.ring;
    w.log.level = LOG_INFO;
    w.log.now_ns = 100 * SEC;
    port.addresses[0] = (struct ip_prefix){ip("10.0.0.1"), 96 + 24};
    port.addresses[1] = (struct ip_prefix){ip("fd00::1"), 64};
    l3_fix_begin(&w.n, &env, &port, POOL);
}

static void begin(void)
{
    begin_with(true);
}

static void end(void)
{
    l3_fix_end(&w.n);
}

struct part {
    const char *src; /* its family is the packet's; NULL: 10.0.0.2 */
    uint32_t id, from, len;
    bool more;
    uint8_t ecn, proto; /* 0: TCP */
    bool hop;           /* IPv6: with hop-by-hop options in front */
};

static uint32_t headers_v4(uint8_t *f, const struct part *p, const struct ip_addr *src)
{
    struct ip_addr dst = ip("10.0.0.1");
    uint8_t *h = f + ETH_HDR_B;

    ip4_write(h, src, &dst, p->proto ? p->proto : IP_PROTO_TCP, p->ecn, (uint16_t)p->len);
    put_u16(h + 4, (uint16_t)p->id);
    put_u16(h + 6, (uint16_t)((p->more ? 0x2000 : 0) | p->from / 8));
    put_u16(h + 10, 0);
    put_u16(h + 10, (uint16_t)~wire_sum(span_of(h, IP4_HDR_B), 0));
    return ETH_HDR_B + IP4_HDR_B;
}

static uint32_t headers_v6(uint8_t *f, const struct part *p, const struct ip_addr *src)
{
    struct ip_addr dst = ip("fd00::1");
    uint32_t ext = p->hop ? 8 : 0;
    uint8_t *h = f + ETH_HDR_B, *e = h + IP6_HDR_B;

    ip6_write(h, src, &dst, p->hop ? 0 : 44, p->ecn, (uint16_t)(ext + 8 + p->len), 0, 64);
    if (p->hop) {
        memcpy(e, (uint8_t[]){44, 0, 1, 4, 0, 0, 0, 0}, 8); /* PadN */
        e += 8;
    }
    e[0] = p->proto ? p->proto : IP_PROTO_TCP;
    e[1] = 0;
    put_u16(e + 2, (uint16_t)((p->from & 0xfff8) | p->more));
    put_u32(e + 4, p->id);
    return ETH_HDR_B + IP6_HDR_B + ext + 8;
}

/* One fragment, with four bytes of padding behind it. */
static void part(const struct part *p)
{
    struct ip_addr src = ip(p->src ? p->src : "10.0.0.2");
    struct eth e = {our_mac, peer_mac, ip_is_v4(&src) ? ETH_TYPE_IP4 : ETH_TYPE_IP6, 0, ETH_HDR_B};
    struct nbuf *m = nbuf_get(&w.n.pool);
    uint8_t f[NBUF_ROOM_B];
    uint32_t at;

    T_NEED(m != NULL);
    eth_write(f, &e);
    at = ip_is_v4(&src) ? headers_v4(f, p, &src) : headers_v6(f, p, &src);
    T_NEED(at + p->len + 4 <= sizeof(f));
    for (uint32_t i = 0; i < p->len; i++)
        f[at + i] = content(p->from + i);
    memset(f + at + p->len, 0xee, 4);
    memcpy(nbuf_add(m, at + p->len + 4), f, at + p->len + 4);
    m->rx_csum = NBUF_CSUM_GOOD; /* said of the fragment, if at all */
    l3_input(w.n.l3, 0, m, w.n.now);
}

#define PART(...) part(&(struct part){__VA_ARGS__})

static bool is_whole(uint32_t len)
{
    for (uint32_t i = 0; i < w.len; i++) {
        if (w.body[i] != content(i))
            return false;
    }
    return w.len == len && w.csum == NBUF_CSUM_UNKNOWN;
}

static const char *const sources[] = {"10.0.0.2", "fd00::2"};

static void any_order_makes_a_packet(void)
{
    static const uint8_t orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};

    begin();
    for (uint32_t s = 0; s < ARRAY_LEN(sources); s++) {
        for (uint32_t o = 0; o < ARRAY_LEN(orders); o++) {
            uint32_t before = w.whole;

            for (uint32_t i = 0; i < 4; i++) {
                uint32_t n = orders[o][i];

                T_EQ(w.whole, before);
                PART(.src = sources[s], .id = o, .from = n * 1000, .len = n == 3 ? 333 : 1000,
                     .more = n != 3);
            }
            T_EQ(w.whole, before + 1);
            T_OK(is_whole(3333));
        }
    }
    T_EQ(count(NET_CTR_REASM_OKS), 8);
    T_EQ(count(NET_CTR_REASM_REQDS), 32);
    T_EQ(count(NET_CTR_REASM_FAILS), 0);
    T_EQ(w.n.pool.out, 0);
    end();
}

static void packets_do_not_mix(void)
{
    begin();
    for (uint32_t n = 0; n < 3; n++) {
        for (uint32_t id = 1; id < 20; id++)
            PART(.id = id, .from = n * 80, .len = 80, .more = n != 2);
        PART(.src = "10.0.0.3", .id = 1, .from = n * 80, .len = 80, .more = n != 2);
        PART(.src = "fd00::2", .id = 1, .from = n * 80, .len = 80, .more = n != 2);
    }
    T_EQ(w.whole, 21);
    end();
}

static void without_the_option_they_are_dropped(void)
{
    begin_with(false);
    for (uint32_t s = 0; s < ARRAY_LEN(sources); s++) {
        PART(.src = sources[s], .from = 0, .len = 80, .more = true);
        PART(.src = sources[s], .from = 80, .len = 80);
    }
    T_EQ(w.whole, 0);
    T_EQ(count(NET_CTR_IP_FRAGMENT), 4);
    T_EQ(count(NET_CTR_REASM_REQDS), 0);
    T_EQ(l3_next_deadline(w.n.l3), UINT64_MAX);
    end();
}

/* RFC 5722 4: the packet goes, and with it what comes later. */
static void an_overlap_ends_the_packet(void)
{
    static const struct {
        const char *name;
        uint32_t from, len;
        bool more;
    } rows[] = {
        {"over the end of one", 72, 80, true},
        {"inside of one", 16, 16, true},
        {"around one", 152, 120, true},
        {"the same start, shorter", 0, 40, true},
        {"the same start, longer", 0, 88, true},
        {"a byte into the next", 80, 88, true},
        {"a last one that is none", 80, 80, false},
    };

    begin();
    for (uint32_t s = 0; s < ARRAY_LEN(sources); s++) {
        for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
            uint64_t fails = count(NET_CTR_REASM_FAILS);

            PART(.src = sources[s], .id = i, .from = 0, .len = 80, .more = true);
            PART(.src = sources[s], .id = i, .from = 160, .len = 80, .more = true);
            PART(.src = sources[s], .id = i, .from = rows[i].from, .len = rows[i].len,
                 .more = rows[i].more);
            T_ROW_EQ(rows[i].name, count(NET_CTR_REASM_FAILS), fails + 1);
            T_ROW_EQ(rows[i].name, w.n.pool.out, 0);
            /* All of it once more does not help ... */
            PART(.src = sources[s], .id = i, .from = 0, .len = 80, .more = true);
            PART(.src = sources[s], .id = i, .from = 80, .len = 80);
            T_ROW_EQ(rows[i].name, w.whole, 0);
            T_ROW_EQ(rows[i].name, w.n.pool.out, 0);
        }
    }
    T_EQ(count(NET_CTR_REASM_OVERLAPS), 2 * ARRAY_LEN(rows));
    w.n.now += REASM_V6_NS; /* ... before its time is over */
    l3_timers(w.n.l3, w.n.now);
    PART(.from = 0, .len = 80, .more = true);
    PART(.from = 80, .len = 80);
    T_EQ(w.whole, 1);
    T_EQ(count(NET_CTR_REASM_TIMEOUT), 0);
    end();
}

static void a_copy_is_dropped_alone(void)
{
    begin();
    for (uint32_t n = 0; n < 3; n++) {
        PART(.from = 0, .len = 80, .more = true);
        PART(.from = 160, .len = 8);
    }
    PART(.from = 80, .len = 80, .more = true);
    T_EQ(w.whole, 1);
    T_OK(is_whole(168));
    T_EQ(count(NET_CTR_IP_FRAGMENT), 4);
    T_EQ(count(NET_CTR_REASM_FAILS), 0);
    end();
}

static void a_packet_has_one_end(void)
{
    begin();
    PART(.id = 1, .from = 160, .len = 80);
    PART(.id = 1, .from = 80, .len = 40); /* another end */
    PART(.id = 2, .from = 160, .len = 80);
    PART(.id = 2, .from = 240, .len = 80, .more = true); /* behind it */
    PART(.id = 3, .from = 160, .len = 80, .more = true);
    PART(.id = 3, .from = 80, .len = 80); /* in front of what is there */
    PART(.id = 4, .from = 160, .len = 80);
    PART(.id = 4, .from = 80, .len = 160, .more = true); /* the end is not the end */
    T_EQ(count(NET_CTR_REASM_OVERLAPS), 4);
    T_EQ(w.n.pool.out, 0);
    T_EQ(w.whole, 0);
    end();
}

static void senseless_fragments_are_dropped(void)
{
    begin();
    for (uint32_t s = 0; s < ARRAY_LEN(sources); s++) {
        PART(.src = sources[s], .from = 0, .len = 81, .more = true); /* not by eights */
        PART(.src = sources[s], .from = 80, .len = 0);               /* nothing */
        PART(.src = sources[s], .from = 80, .len = 0, .more = true);
        PART(.src = sources[s], .from = 65528, .len = 80); /* behind the end of all packets */
        PART(.src = sources[s], .from = 65488, .len = 40); /* by its header */
    }
    T_EQ(count(NET_CTR_IP_BAD), 10);
    T_EQ(w.n.pool.out, 0);
    end();
}

static void what_is_missing_is_not_waited_for_for_ever(void)
{
    begin();
    PART(.from = 0, .len = 80, .more = true);
    T_EQ(l3_next_deadline(w.n.l3), w.n.now + REASM_V4_NS);
    w.n.now += SEC;
    PART(.src = "fd00::2", .from = 0, .len = 80, .more = true);
    PART(.src = "fd00::2", .from = 160, .len = 80, .more = true);
    w.n.now += REASM_V4_NS - SEC - 1;
    l3_timers(w.n.l3, w.n.now);
    T_EQ(w.n.pool.out, 3);
    w.n.now += 1;
    l3_timers(w.n.l3, w.n.now);
    T_EQ(w.n.pool.out, 2);
    T_EQ(count(NET_CTR_REASM_TIMEOUT), 1);
    T_EQ(l3_next_deadline(w.n.l3), w.n.now + REASM_V6_NS - REASM_V4_NS + SEC);
    w.n.now = l3_next_deadline(w.n.l3);
    l3_timers(w.n.l3, w.n.now);
    T_EQ(w.n.pool.out, 0);
    T_EQ(count(NET_CTR_REASM_TIMEOUT), 2);
    T_EQ(count(NET_CTR_REASM_FAILS), 2);
    T_EQ(l3_next_deadline(w.n.l3), UINT64_MAX);
    end();
}

/* RFC 3168 5.3. */
static void marks_are_the_packets(void)
{
    static const struct {
        const char *name;
        uint8_t a, b;
        bool whole;
        uint8_t want;
    } rows[] = {{"none", 0, 0, true, 0},          {"ECT(0)", 2, 2, true, 2},
                {"one marked", 2, 3, true, 3},    {"both marked", 3, 3, true, 3},
                {"ECT(1) marked", 1, 3, true, 3}, {"could not be marked", 0, 3, false, 0},
                {"mixed", 0, 2, true, 0},         {"ECT(1)", 1, 1, true, 1}};

    begin();
    for (uint32_t s = 0; s < ARRAY_LEN(sources); s++) {
        for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
            uint32_t before = w.whole;

            PART(.src = sources[s], .id = i, .from = 80, .len = 80, .ecn = rows[i].b);
            PART(.src = sources[s], .id = i, .from = 0, .len = 80, .more = true, .ecn = rows[i].a);
            T_ROW_EQ(rows[i].name, w.whole - before, rows[i].whole);
            if (rows[i].whole)
                T_ROW_EQ(rows[i].name, w.ecn, rows[i].want);
        }
    }
    T_EQ(count(NET_CTR_REASM_FAILS), 2);
    end();
}

static void only_tcp_is_put_together(void)
{
    static const uint8_t others[] = {1, 17, 58, 60};

    begin();
    for (uint32_t i = 0; i < ARRAY_LEN(others); i++) {
        for (uint32_t s = 0; s < ARRAY_LEN(sources); s++) {
            PART(.src = sources[s], .from = 0, .len = 80, .more = true, .proto = others[i]);
            PART(.src = sources[s], .from = 80, .len = 80, .proto = others[i]);
        }
    }
    T_EQ(count(NET_CTR_IP_FRAGMENT), 16);
    T_EQ(count(NET_CTR_REASM_REQDS), 0);
    T_EQ(w.n.pool.out, 0);
    end();
}

static void headers_are_in_the_first_buffer(void)
{
    begin();
    for (uint32_t s = 0; s < ARRAY_LEN(sources); s++) {
        for (uint32_t n = 0; n < 40; n++) /* as small as they can be */
            PART(.src = sources[s], .from = n * 8, .len = 8, .more = n != 39);
        T_EQ(w.whole, s + 1);
        T_OK(is_whole(320));
        T_OK(w.first_len >= 60);
    }
    end();
}

static void options_in_front_stay(void)
{
    begin();
    PART(.src = "fd00::2", .from = 80, .len = 13, .hop = true);
    PART(.src = "fd00::2", .from = 0, .len = 80, .more = true, .hop = true);
    T_EQ(w.whole, 1);
    T_OK(is_whole(93));
    PART(.src = "fd00::2", .from = 0, .len = 80); /* in one piece: RFC 6946 */
    T_EQ(w.whole, 2);
    T_EQ(count(NET_CTR_REASM_OKS), 1);
    end();
}

static void the_largest_packet(void)
{
    uint32_t at = 0;

    begin();
    for (; at + 1480 <= UINT16_MAX - IP4_HDR_B; at += 1480)
        PART(.from = at, .len = 1480, .more = true);
    PART(.from = at, .len = UINT16_MAX - IP4_HDR_B - at);
    T_EQ(w.whole, 1);
    T_OK(is_whole(UINT16_MAX - IP4_HDR_B));
    end();
}

static void one_packet_has_so_many_fragments(void)
{
    begin();
    for (uint32_t n = 0; n < REASM_FRAGMENTS; n++)
        PART(.from = n * 16, .len = 8, .more = true);
    T_EQ(w.n.pool.out, 0);
    T_EQ(count(NET_CTR_REASM_FAILS), 1);
    end();
}

/* The first event. */
static bool said(const char *want)
{
    struct span rec;
    uint16_t kind;
    char line[400];
    struct sb s = sb_of(line, sizeof(line));

    if (!ring_peek(&w.ring, &kind, &rec))
        return false;
    log_event_text(&s, (const struct log_event *)(const void *)rec.p, 0);
    return strstr(line, want) != NULL;
}

static void a_source_has_its_share(void)
{
    begin();
    for (uint32_t s = 0; s < ARRAY_LEN(sources); s++) {
        uint32_t before = w.n.pool.out;

        for (uint32_t i = 0; i < REASM_PER_SOURCE + 5; i++)
            PART(.src = sources[s], .id = i, .from = 0, .len = 80, .more = true);
        T_EQ(w.n.pool.out - before, REASM_PER_SOURCE);
    }
    T_EQ(count(NET_CTR_REASM_FULL), 10);
    T_OK(said("bound.reassembly peer=10.0.0.2 counter=IpExtReasmFull"));
    PART(.id = 4, .from = 80, .len = 80); /* the oldest went */
    T_EQ(w.whole, 0);
    PART(.id = REASM_PER_SOURCE, .from = 80, .len = 80);
    T_EQ(w.whole, 1);
    end();
}

static void all_packets_together_are_bounded(void)
{
    begin();
    for (uint32_t i = 0; i < 4 * REASM_PACKETS; i++) {
        char src[32];

        w.n.now += 1000;
        snprintf(src, sizeof(src), i % 2 ? "192.0.%u.%u" : "2001:db8:%x:%x::1", i / 256, i % 256);
        PART(.src = src, .id = i, .from = 80, .len = 80, .more = true);
        T_OK(w.n.pool.out <= REASM_PACKETS);
    }
    T_EQ(w.n.pool.out, REASM_PACKETS);
    T_EQ(count(NET_CTR_REASM_FULL), 3 * REASM_PACKETS);
    end();
}

static void buffers_are_bounded(void)
{
    uint32_t most = 0;

    begin();
    for (uint32_t i = 0; i < 3 * REASM_BUFS / 40; i++) {
        char src[32];

        snprintf(src, sizeof(src), "192.0.%u.%u", i / 256, i % 256);
        for (uint32_t n = 0; n < 40; n++) {
            PART(.src = src, .id = i, .from = n * 16, .len = 8, .more = true);
            most = w.n.pool.out > most ? w.n.pool.out : most;
        }
    }
    T_EQ(most, REASM_BUFS);
    T_OK(count(NET_CTR_REASM_FULL) > 0);
    end();
}

static void a_packet_of_another_core_goes_there(void)
{
    begin();
    w.take_away = true;
    for (uint32_t s = 0; s < ARRAY_LEN(sources); s++) {
        PART(.src = sources[s], .from = 80, .len = 80);
        PART(.src = sources[s], .from = 0, .len = 80, .more = true);
    }
    T_EQ(w.away, 2);
    T_EQ(w.whole, 0);
    T_EQ(w.n.pool.out, 0);
    end();
}

static void fragments_of_a_packet_meet_on_a_core(void)
{
    uint8_t f[200] = {0};
    struct eth e = {our_mac, peer_mac, ETH_TYPE_IP4, 0, ETH_HDR_B};
    struct ip_addr v4 = ip("10.0.0.2"), v6 = ip("fd00::2"), src, dst;
    uint16_t sport, dport;

    for (uint32_t six = 0; six < 2; six++) {
        struct part p = {.from = 0, .len = 80, .more = true};
        uint32_t hdr;

        e.type = six ? ETH_TYPE_IP6 : ETH_TYPE_IP4;
        eth_write(f, &e);
        hdr = six ? headers_v6(f, &p, &v6) : headers_v4(f, &p, &v4);
        T_OK(!steer_tuple(span_of(f, hdr + 80), &src, &dst, &sport, &dport));
        T_OK(steer_fragment(span_of(f, hdr + 80), &src, &dst));
        T_OK(ip_eq(&src, six ? &v6 : &v4));
        for (uint32_t cut = 0; cut < hdr + 80; cut++)
            (void)steer_fragment(span_of(f, cut), &src,
                                 &dst); /* under ASan: reads nothing behind */
        p.more = false;
        hdr = six ? headers_v6(f, &p, &v6) : headers_v4(f, &p, &v4);
        T_OK(!steer_fragment(span_of(f, hdr + 80), &src, &dst));
    }
}

#define TESTS(X)                                  \
    X(any_order_makes_a_packet)                   \
    X(packets_do_not_mix)                         \
    X(without_the_option_they_are_dropped)        \
    X(an_overlap_ends_the_packet)                 \
    X(a_copy_is_dropped_alone)                    \
    X(a_packet_has_one_end)                       \
    X(senseless_fragments_are_dropped)            \
    X(what_is_missing_is_not_waited_for_for_ever) \
    X(marks_are_the_packets)                      \
    X(only_tcp_is_put_together)                   \
    X(headers_are_in_the_first_buffer)            \
    X(options_in_front_stay)                      \
    X(the_largest_packet)                         \
    X(one_packet_has_so_many_fragments)           \
    X(a_source_has_its_share)                     \
    X(all_packets_together_are_bounded)           \
    X(buffers_are_bounded)                        \
    X(a_packet_of_another_core_goes_there)        \
    X(fragments_of_a_packet_meet_on_a_core)
T_MAIN("reasm", TESTS)
