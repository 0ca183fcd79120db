/* IPv6 frames against the engine: neighbour discovery that nobody off the link can send, extension headers. */
#include "base/bytes.h"
#include "lib/l3_fix.h"
#include "lib/t.h"
#include "net/l3_internal.h"

static const struct ip_addr us = {{0x20, 1, 0xd, 0xb8, [15] = 1}},
                            peer = {{0x20, 1, 0xd, 0xb8, [15] = 2}},
                            group = {{0xff, 2, [11] = 1, 0xff, 0, 0, 1}}, /* of our address */
    nodes = {{0xff, 2, [15] = 1}}, any = {{0}};

static struct {
    struct l3_fix n;
    uint8_t out[16][200];
    uint32_t outs, segments, segment_len;
} w;

static void tx(void *ctx, uint8_t port, struct nbuf *m)
{
    (void)ctx, (void)port;
    T_NEED(w.outs < 16 && nbuf_len(m) <= sizeof(w.out[0]));
    memcpy(w.out[w.outs++], nbuf_data(m), nbuf_len(m));
    nbuf_put_chain(m);
}

static void on_tcp(void *ctx, struct nbuf *m, const struct l3_segment *s)
{
    (void)ctx;
    T_OK(ip_eq(&s->src, &peer));
    w.segments++;
    w.segment_len = nbuf_len(m);
    nbuf_put_chain(m);
}

static uint64_t count(enum l3_counter c)
{
    return l3_counters(w.n.l3)[c];
}

static void begin(void)
{
    struct l3_port port = {.address_count = 1};
    struct l3_env env = {.tx = tx, .tcp = on_tcp, .announces = true};

    memset(&w, 0, sizeof(w));
    port.addresses[0] = (struct ip_prefix){us, 64};
    l3_fix_begin(&w.n, &env, &port, 64);
    l3_timers(w.n.l3, w.n.now);
}

static void end(void)
{
    l3_fix_end(&w.n);
}

/* Ethernet and IPv6 in front of `len` bytes; `next` is the first header behind IPv6's. */
static void in(const struct ip_addr *src, const struct ip_addr *dst, uint8_t next, uint8_t hops,
               const uint8_t *body, uint32_t len)
{
    struct eth e = {.dst = our_mac, .src = peer_mac, .type = ETH_TYPE_IP6, .len = ETH_HDR_B};
    struct nbuf *m = nbuf_get(&w.n.pool);
    uint8_t *f;

    T_NEED(m != NULL);
    f = nbuf_add(m, ETH_HDR_B + IP6_HDR_B + len);
    if (ip_is_multicast(dst))
        e.dst = (struct mac){{0x33, 0x33, dst->b[12], dst->b[13], dst->b[14], dst->b[15]}};
    eth_write(f, &e);
    ip6_write(f + ETH_HDR_B, src, dst, next, 0, (uint16_t)len, 0, hops);
    memcpy(f + ETH_HDR_B + IP6_HDR_B, body, len);
    l3_input(w.n.l3, 0, m, w.n.now);
}

/* A solicitation (135) or an advertisement (136), with the peer's address at the end if `lla`. */
static void nd(uint8_t type, const struct ip_addr *src, const struct ip_addr *dst, uint8_t hops,
               bool lla)
{
    uint8_t b[32] = {type};
    uint32_t len = lla ? 32 : 24;

    memcpy(b + 8, us.b, 16);
    if (lla) {
        b[24] = type == 135 ? 1 : 2;
        b[25] = 1;
        memcpy(b + 26, peer_mac.b, 6);
    }
    put_u16(b + 2, (uint16_t)~wire_sum(span_of(b, len), ip6_pseudo(src, dst, IP_PROTO_ICMP6, len)));
    in(src, dst, IP_PROTO_ICMP6, hops, b, len);
}

/* RFC 4861 7.1: only a neighbour can send a hop limit of 255. */
static void what_has_passed_a_router_is_no_neighbour(void)
{
    begin();
    w.outs = 0;
    nd(135, &peer, &group, 254, true);
    nd(135, &any, &group, 254, false);
    nd(136, &us, &nodes, 254, true);
    T_EQ(w.outs, 0);
    T_EQ(count(NET_CTR_ND_BAD), 3);
    T_EQ(count(NET_CTR_ADDRESS_HELD), 0);
    nd(135, &peer, &group, 255, true);
    T_EQ(w.outs, 1);
    T_EQ(w.out[0][ETH_HDR_B + IP6_HDR_B], 136);
    T_OK(memcmp(w.out[0], peer_mac.b, 6) == 0);
    end();
}

/* RFC 4862 5.4: the answer to our probe comes from the very address that we would have. */
static void an_address_that_somebody_has_is_not_used(void)
{
    begin();
    T_EQ(w.outs, 1);
    T_OK(w.out[0][ETH_HDR_B + IP6_HDR_B] == 135 && memcmp(w.out[0] + 22, any.b, 16) == 0);
    w.outs = 0;
    nd(136, &us, &nodes, 255, true);
    T_EQ(count(NET_CTR_ND_CONFLICT), 1);
    T_EQ(count(NET_CTR_ADDRESS_HELD), 1);
    nd(135, &peer, &group, 255, true);
    T_EQ(w.outs, 0);
    for (uint64_t until = w.n.now + 72 * SEC; w.n.now < until; w.n.now += SEC / 10)
        l3_timers(w.n.l3, w.n.now);
    T_EQ(w.outs, 2); /* asked for again, and announced */
    T_EQ(w.out[0][ETH_HDR_B + IP6_HDR_B], 135);
    T_EQ(w.out[1][ETH_HDR_B + IP6_HDR_B], 136);
    nd(135, &peer, &group, 255, true);
    T_EQ(w.outs, 3);
    nd(136, &us, &nodes, 255, true); /* in use: told, but not given up */
    T_EQ(count(NET_CTR_ND_CONFLICT), 2);
    T_EQ(count(NET_CTR_ADDRESS_HELD), 1);
    T_OK(l3_is_local(w.n.l3, &us));
    end();
}

/* Whoever else speaks as us is not heard. */
static void our_own_address_is_no_source(void)
{
    uint8_t echo[8] = {128}, tcp[20] = {0};

    begin();
    w.outs = 0;
    put_u16(echo + 2, (uint16_t)~wire_sum(span_of(echo, 8), ip6_pseudo(&us, &us, 58, 8)));
    in(&us, &us, IP_PROTO_ICMP6, 64, echo, 8);
    in(&us, &us, IP_PROTO_TCP, 64, tcp, 20);
    T_EQ(w.outs + w.segments, 0);
    T_EQ(count(NET_CTR_IP_MARTIAN), 2);
    echo[2] = echo[3] = 0;
    put_u16(echo + 2, (uint16_t)~wire_sum(span_of(echo, 8), ip6_pseudo(&any, &us, 58, 8)));
    in(&any, &us, IP_PROTO_ICMP6, 64, echo, 8);
    T_EQ(w.outs, 0);
    end();
}

/* T-129: what a chain of headers looks like, and what becomes of the segment behind it. */
struct chain {
    const char *name;
    uint8_t first;
    uint8_t b[200];
    uint8_t len;
    bool taken;
};

#define HOP  0
#define DEST 60
#define RTE  43
#define FRAG 44
#define AUTH 51
#define NONE 59
#define TCP  6
#define PADN 1, 4, 0, 0, 0, 0 /* six bytes */
#define END  TCP, 0, PADN

static const struct chain chains[] = {
    /* clang-format off */
    {"no extension", TCP, {0}, 0, true},
    {"hop by hop", HOP, {END}, 8, true},
    {"hop by hop with Pad1s", HOP, {TCP, 0, 0, 0, 0, 0, 0, 0}, 8, true},
    {"destination options", DEST, {END}, 8, true},
    {"hop by hop, destination", HOP, {DEST, 0, PADN, END}, 16, true},
    {"four headers", HOP, {DEST, 0, PADN, DEST, 0, PADN, DEST, 0, PADN, END}, 32, true},
    {"five headers", HOP, {DEST, 0, PADN, DEST, 0, PADN, DEST, 0, PADN, DEST, 0, PADN, END}, 40, false},
    {"nine headers", DEST, {DEST, 0, PADN, DEST, 0, PADN, DEST, 0, PADN, DEST, 0, PADN, DEST, 0, PADN,
                            DEST, 0, PADN, DEST, 0, PADN, DEST, 0, PADN, END}, 72, false},
    {"hop by hop, not first", DEST, {HOP, 0, PADN, END}, 16, false},
    {"hop by hop that names itself", HOP, {HOP, 0, PADN, END}, 16, false},
    {"128 bytes in one", DEST, {TCP, 15, 1, 124}, 128, true},
    {"136 bytes in one", DEST, {TCP, 16, 1, 132}, 136, false},
    {"a length beyond the packet", DEST, {TCP, 4, PADN}, 8, false},
    {"an option beyond its header", DEST, {TCP, 0, 1, 5, 0, 0, 0, 0}, 8, false},
    {"an option without its length", DEST, {TCP, 0, 1, 3, 0, 0, 0, 5}, 8, false},
    {"an unknown option to skip", DEST, {TCP, 0, 0x1e, 4, 1, 2, 3, 4}, 8, true},
    {"an unknown option to discard", DEST, {TCP, 0, 0x5e, 4, 1, 2, 3, 4}, 8, false},
    {"an unknown option to report", HOP, {TCP, 0, 0x9e, 4, 1, 2, 3, 4}, 8, false},
    {"an unknown option to report but to groups", HOP, {TCP, 0, 0xde, 4, 1, 2, 3, 4}, 8, false},
    {"a route that has ended", RTE, {TCP, 0, 0, 0, 0, 0, 0, 0}, 8, true},
    {"a route that goes on (RFC 5095)", RTE, {TCP, 2, 0, 1, 0, 0, 0, 0}, 24, false},
    {"an unknown route that goes on", RTE, {TCP, 0, 253, 1, 0, 0, 0, 0}, 8, false},
    {"an atomic fragment (RFC 6946)", FRAG, {TCP, 0, 0, 0, 1, 2, 3, 4}, 8, true},
    {"a first fragment", FRAG, {TCP, 0, 0, 1, 1, 2, 3, 4}, 8, false},
    {"a later fragment", FRAG, {TCP, 0, 0, 8, 1, 2, 3, 4}, 8, false},
    {"destination behind an atomic fragment", FRAG, {DEST, 0, 0, 0, 1, 2, 3, 4, END}, 16, true},
    {"destination behind a first fragment", FRAG, {DEST, 0, 0, 1, 1, 2, 3, 4, END}, 16, false},
    {"authentication, as if it were none", AUTH, {TCP, 4, 0, 0}, 24, true},
    {"no next header", DEST, {NONE, 0, PADN}, 8, false},
    {"a protocol we do not speak", DEST, {17, 0, PADN}, 8, false},
    /* clang-format on */
};

static uint32_t packet_of(const struct chain *c, uint8_t *b)
{
    memcpy(b, c->b, c->len);
    memset(b + c->len, 0x55, 20); /* a segment */
    return c->len + 20u;
}

static void extension_headers(void)
{
    begin();
    for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
        const struct chain *c = &chains[i];
        uint8_t b[256];
        uint32_t len = packet_of(c, b);

        w.segments = w.outs = 0;
        in(&peer, &us, c->first, 64, b, len);
        T_ROW_EQ(c->name, w.segments, c->taken);
        if (c->taken)
            T_ROW_EQ(c->name, w.segment_len, 20);
        T_ROW_EQ(c->name, w.outs, 0); /* nobody is told: no answer to what may come from anybody */
    }
    end();
}

/* Cut at each byte, with the length that is left in the header, and with the one that was. */
static void cut_chains(void)
{
    begin();
    for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
        uint8_t b[256];
        uint32_t len = packet_of(&chains[i], b);

        for (uint32_t cut = 0; cut < len; cut++) {
            w.segments = 0;
            in(&peer, &us, chains[i].first, 64, b, cut);
            T_EQ(w.segments, chains[i].taken && cut >= chains[i].len);
        }
    }
    end();
}

#define TESTS(X)                                \
    X(what_has_passed_a_router_is_no_neighbour) \
    X(an_address_that_somebody_has_is_not_used) \
    X(our_own_address_is_no_source)             \
    X(extension_headers) X(cut_chains)
T_MAIN("ip6", TESTS)
