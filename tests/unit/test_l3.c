/* Frames in, frames out: ARP, IPv4, ICMP, neighbours, routes, in virtual time. */
#include "base/bytes.h"
#include "lib/l3_fix.h"
#include "lib/t.h"
#include "net/l3_internal.h"
#include "net/neigh.h"

#define FRAMES 64

static struct {
    struct l3_fix n;
    struct {
        uint8_t b[1600];
        uint32_t len;
    } out[FRAMES];
    uint32_t outs, segments, errors;
    uint32_t segment_len;
    struct l3_icmp_error error;
} w;

static void tx(void *ctx, uint8_t port, struct nbuf *m)
{
    uint32_t n = 0;

    (void)ctx, (void)port;
    if (w.outs == FRAMES)
        w.outs = 0; /* the test did not look */
    for (struct nbuf *p = m; p; p = nbuf_next(p)) {
        memcpy(w.out[w.outs].b + n, nbuf_data(p), nbuf_len(p));
        n += nbuf_len(p);
    }
    w.out[w.outs++].len = n;
    nbuf_put_chain(m);
}

static void on_tcp(void *ctx, struct nbuf *m, const struct l3_segment *s)
{
    (void)ctx, (void)s;
    w.segments++;
    w.segment_len = nbuf_len(m);
    nbuf_put_chain(m);
}

static void on_error(void *ctx, const struct l3_icmp_error *e)
{
    (void)ctx;
    w.errors++;
    w.error = *e;
}

static uint64_t count(enum l3_counter c)
{
    return l3_counters(w.n.l3)[c];
}

static void begin_vlan(uint16_t vlan)
{
    struct l3_port port = {.vlan = vlan, .address_count = 1};
    struct l3_env env = {.tx = tx, .tcp = on_tcp, .icmp_error = on_error, .announces = true};

    memset(&w, 0, sizeof(w));
    port.addresses[0] = (struct ip_prefix){ip("10.0.0.1"), 96 + 24};
    port.gateway4 = ip("10.0.0.254");
    l3_fix_begin(&w.n, &env, &port, 4096);
    l3_timers(w.n.l3, w.n.now);
}

static void begin(void)
{
    begin_vlan(0);
    w.outs = 0;
}

static void end(void)
{
    l3_fix_end(&w.n);
}

static void in(const uint8_t *b, uint32_t len)
{
    struct nbuf *m = nbuf_get(&w.n.pool);

    T_NEED(m != NULL);
    memcpy(nbuf_add(m, len), b, len);
    l3_input(w.n.l3, 0, m, w.n.now);
}

static void arp(uint16_t op, struct mac sha, const char *spa, const char *tpa)
{
    uint8_t f[42] = {0};
    struct ip_addr s = ip(spa), t = ip(tpa);

    memset(f, 0xff, 6);
    memcpy(f + 6, sha.b, 6);
    put_u16(f + 12, ETH_TYPE_ARP);
    put_u16(f + 14, 1);
    put_u16(f + 16, ETH_TYPE_IP4);
    f[18] = 6;
    f[19] = 4;
    put_u16(f + 20, op);
    memcpy(f + 22, sha.b, 6);
    memcpy(f + 28, s.b + 12, 4);
    memcpy(f + 38, t.b + 12, 4);
    in(f, sizeof(f));
}

/* An IPv4 packet from the peer; `options` bytes of NOP in its header, `frag` as in the header's field. */
static uint32_t packet(uint8_t *f, uint8_t proto, const void *body, uint16_t len, uint8_t options,
                       uint16_t frag)
{
    struct eth e = {.dst = our_mac, .src = peer_mac, .type = ETH_TYPE_IP4, .len = ETH_HDR_B};
    struct ip_addr from = ip("10.0.0.2"), to = ip("10.0.0.1");
    uint8_t *h = f + 14;

    eth_write(f, &e);
    ip4_write(h, &from, &to, proto, 0, len);
    h[0] = (uint8_t)(0x45 + options / 4);
    put_u16(h + 2, (uint16_t)(20 + options + len));
    put_u16(h + 6, frag);
    memset(h + 20, 1, options);
    put_u16(h + 10, 0);
    put_u16(h + 10, (uint16_t)~wire_sum(span_of(h, 20u + options), 0));
    memcpy(h + 20 + options, body, len);
    return 34u + options + len;
}

static void send_to(const char *dst)
{
    struct ip_addr d = ip(dst), s = ip("10.0.0.1");
    struct nbuf *m = nbuf_get(&w.n.pool);

    T_NEED(m != NULL);
    memset(nbuf_add(m, 20), 0, 20);
    l3_output(w.n.l3, m, &(struct l3_out){.src = s, .dst = d}, w.n.now);
}

static bool is_arp_request(uint32_t i, const char *target)
{
    struct ip_addr t = ip(target);
    const uint8_t *f = w.out[i].b;

    return i < w.outs && get_u16(f + 12) == ETH_TYPE_ARP && get_u16(f + 20) == 1 &&
           memcmp(f + 38, t.b + 12, 4) == 0;
}

static bool is_ip(uint32_t i)
{
    return i < w.outs && get_u16(w.out[i].b + 12) == ETH_TYPE_IP4;
}

static void our_address_is_announced(void)
{
    static const uint8_t nobody[4];

    begin_vlan(0);
    T_EQ(w.outs, 1); /* first it is asked whether somebody has it */
    T_OK(is_arp_request(0, "10.0.0.1") && memcmp(w.out[0].b + 28, nobody, 4) == 0);
    w.n.now += SEC;
    l3_timers(w.n.l3, w.n.now);
    T_EQ(w.outs, 2);
    T_OK(is_arp_request(1, "10.0.0.1"));
    T_OK(memcmp(w.out[1].b + 28, w.out[1].b + 38, 4) == 0); /* sender and target: gratuitous */
    end();
}

static void time_passes(uint64_t ns)
{
    for (uint64_t end = w.n.now + ns; w.n.now < end; w.n.now += SEC / 10)
        l3_timers(w.n.l3, w.n.now);
}

static uint32_t probes(void)
{
    static const uint8_t nobody[4];
    uint32_t n = 0;

    for (uint32_t i = 0; i < w.outs; i++)
        n += is_arp_request(i, "10.0.0.1") && memcmp(w.out[i].b + 28, nobody, 4) == 0;
    return n;
}

/* RFC 5227 2.1: somebody has the address when we start: it is not used until nobody answers for it. */
static void an_address_that_somebody_has_is_not_used(void)
{
    struct mac holder = {{2, 9, 9, 9, 9, 9}};
    struct ip_addr src = {{0}}, far = ip("10.0.0.2");
    uint8_t f[100], body[24] = {0};
    uint32_t held_s = 0;
    uint16_t mtu;

    begin();
    w.n.now += SEC / 2;
    arp(2, holder, "10.0.0.1", "0.0.0.0");
    T_EQ(count(NET_CTR_ADDRESS_HELD), 1);
    w.outs = 0;
    arp(1, peer_mac, "10.0.0.2", "10.0.0.1");
    T_EQ(w.outs, 0);
    in(f, packet(f, IP_PROTO_TCP, body, 24, 0, 0));
    T_EQ(w.segments, 0);
    T_OK(!l3_is_local(w.n.l3, &w.n.l3->ports[0].addresses[0].addr));
    T_OK(!l3_route(w.n.l3, &far, &src, &mtu));
    for (; w.outs == 0 && held_s < 100; held_s++) /* neither announced nor asked for */
        time_passes(SEC);
    T_OK(held_s >= 59 && held_s <= 70);
    T_EQ(probes(), 1);
    arp(2, holder, "10.0.0.1", "0.0.0.0"); /* still there */
    w.outs = 0;
    time_passes(80 * SEC);
    T_EQ(probes(), 1);
    T_EQ(w.outs, 2); /* a question, no answer, an announcement */
    T_OK(l3_route(w.n.l3, &far, &src, &mtu));
    arp(1, peer_mac, "10.0.0.2", "10.0.0.1");
    T_EQ(w.outs, 3);
    T_EQ(count(NET_CTR_ADDRESS_HELD), 1);
    end();
}

/* RFC 5227 2.4 b: an address in use is defended, but two that both defend do not quarrel for ever. */
static void an_address_in_use_is_defended(void)
{
    struct mac thief = {{2, 9, 9, 9, 9, 9}};

    begin();
    time_passes(5 * SEC);
    w.outs = 0;
    for (int i = 0; i < 100; i++)
        arp(1, thief, "10.0.0.1", "10.0.0.1");
    T_EQ(w.outs, 1);
    T_EQ(count(NET_CTR_ARP_CONFLICT), 100);
    T_EQ(count(NET_CTR_ADDRESS_HELD), 0);
    w.n.now += 11 * SEC;
    arp(1, thief, "10.0.0.1", "10.0.0.1");
    T_EQ(w.outs, 2);
    end();
}

static void requests_for_us_are_answered(void)
{
    begin();
    arp(1, peer_mac, "10.0.0.2", "10.0.0.1");
    T_EQ(w.outs, 1);
    T_EQ(get_u16(w.out[0].b + 20), 2);
    T_OK(memcmp(w.out[0].b, peer_mac.b, 6) == 0 && memcmp(w.out[0].b + 22, our_mac.b, 6) == 0);
    arp(1, peer_mac, "10.0.0.2", "10.0.0.3");
    T_EQ(w.outs, 1);
    end();
}

static void packets_wait_for_the_next_hop(void)
{
    begin();
    for (uint32_t i = 0; i < NEIGH_QUEUE + 2; i++)
        send_to("10.0.0.9");
    T_EQ(w.outs, 1);
    T_OK(is_arp_request(0, "10.0.0.9"));
    T_EQ(count(NET_CTR_NEIGH_DROPPED), 2);
    arp(2, peer_mac, "10.0.0.9", "10.0.0.1");
    T_EQ(w.outs, 1 + NEIGH_QUEUE);
    for (uint32_t i = 1; i < w.outs; i++)
        T_OK(is_ip(i) && memcmp(w.out[i].b, peer_mac.b, 6) == 0);
    send_to("10.0.0.9");
    T_EQ(w.outs, 2 + NEIGH_QUEUE);
    end();
}

static void nobody_answers(void)
{
    uint32_t asked = 0;

    begin();
    send_to("10.0.0.9");
    for (uint32_t i = 0; i < 10; i++) {
        w.n.now += NEIGH_RETRY_NS;
        l3_timers(w.n.l3, w.n.now);
    }
    for (uint32_t i = 0; i < w.outs; i++)
        asked += is_arp_request(i, "10.0.0.9"); /* announcements go out meanwhile */
    T_EQ(asked, NEIGH_TRIES);
    T_EQ(count(NET_CTR_NEIGH_FAILED), 1);
    T_EQ(w.n.pool.out, 0);
    end();
}

static void strangers_go_by_the_gateway(void)
{
    begin();
    send_to("192.0.2.1");
    T_OK(is_arp_request(0, "10.0.0.254"));
    arp(2, peer_mac, "10.0.0.254", "10.0.0.1");
    T_OK(is_ip(1));
    end();
}

static void claims_nobody_asked_for_are_not_believed(void)
{
    struct mac thief = {{2, 9, 9, 9, 9, 9}};

    begin();
    arp(2, thief, "10.0.0.9", "10.0.0.1"); /* no entry: none is made */
    send_to("10.0.0.9");
    T_OK(is_arp_request(0, "10.0.0.9"));
    arp(2, peer_mac, "10.0.0.9", "10.0.0.1");
    arp(2, thief, "10.0.0.9", "10.0.0.1"); /* sure for some seconds */
    w.outs = 0;
    send_to("10.0.0.9");
    T_EQ(w.outs, 1);
    T_OK(memcmp(w.out[0].b, peer_mac.b, 6) == 0);
    T_OK(count(NET_CTR_ARP_UNASKED) >= 2);
    arp(1, thief, "10.0.0.1", "10.0.0.1");
    T_EQ(count(NET_CTR_ARP_CONFLICT), 1);
    end();
}

static bool goes_to(const char *dst, struct mac mac)
{
    w.outs = 0;
    send_to(dst);
    return w.outs == 1 && is_ip(0) && memcmp(w.out[0].b, mac.b, 6) == 0;
}

/* A claim against what is sure is not believed, but the one that is known is asked, and none can answer for it. */
static void a_claim_is_worth_a_question(void)
{
    struct mac thief = {{2, 9, 9, 9, 9, 9}};

    begin();
    send_to("10.0.0.9");
    arp(2, peer_mac, "10.0.0.9", "10.0.0.1");
    w.n.now += 2 * SEC;
    w.outs = 0;
    arp(1, thief, "10.0.0.9", "10.0.0.9");
    T_OK(is_arp_request(0, "10.0.0.9") && memcmp(w.out[0].b, peer_mac.b, 6) == 0);
    arp(1, thief, "10.0.0.9", "10.0.0.9");
    arp(2, thief, "10.0.0.9", "10.0.0.1"); /* nobody asked him */
    T_EQ(w.outs, 1);
    T_OK(goes_to("10.0.0.9", peer_mac));
    arp(2, peer_mac, "10.0.0.9", "10.0.0.1");
    T_OK(goes_to("10.0.0.9", peer_mac));
    arp(1, thief, "10.0.0.9", "10.0.0.9"); /* one question a second, however many claims */
    T_EQ(w.outs, 1);
    w.n.now += SEC;
    arp(1, thief, "10.0.0.9", "10.0.0.9");
    T_EQ(w.outs, 2);
    w.n.now += SEC;
    l3_timers(w.n.l3,
              w.n.now); /* the old one is silent: all are asked, and a claim is still no answer */
    arp(1, thief, "10.0.0.9", "10.0.0.9");
    T_OK(goes_to("10.0.0.9", peer_mac));
    arp(2, thief, "10.0.0.9", "10.0.0.1");
    T_OK(goes_to("10.0.0.9", thief));
    end();
}

/* RFC 1122 3.3.1.4: a connection that makes no progress is a reason to ask, unless another one does. */
static void doubt_is_a_reason_to_ask(void)
{
    struct ip_addr far = ip("192.0.2.1"), stranger = ip("192.0.2.2");
    struct mac next = {{2, 0, 0, 0, 0, 3}};

    begin();
    l3_doubt(w.n.l3, &far, w.n.now); /* the gateway is not known yet: nothing to doubt */
    send_to("192.0.2.1");
    arp(2, peer_mac, "10.0.0.254", "10.0.0.1");
    w.n.now += 2 * SEC;
    l3_confirm(w.n.l3, &stranger, w.n.now); /* by the same gateway */
    w.outs = 0;
    l3_doubt(w.n.l3, &far, w.n.now + SEC / 2);
    T_EQ(w.outs, 0);
    w.n.now += 2 * SEC;
    l3_doubt(w.n.l3, &far, w.n.now);
    l3_doubt(w.n.l3, &far, w.n.now);
    T_EQ(w.outs, 1);
    T_OK(is_arp_request(0, "10.0.0.254") && memcmp(w.out[0].b, peer_mac.b, 6) == 0);
    T_OK(goes_to("192.0.2.1", peer_mac)); /* goes on being used meanwhile */
    w.n.now += SEC;
    w.outs = 0;
    l3_timers(w.n.l3, w.n.now);
    T_OK(w.outs > 0 && is_arp_request(w.outs - 1, "10.0.0.254")); /* announcements come first */
    T_EQ(w.out[w.outs - 1].b[0], 0xff);
    arp(2, next, "10.0.0.254", "10.0.0.1");
    T_OK(goes_to("192.0.2.1", next));
    end();
}

/* More neighbours than the table holds, all silent: the oldest give way, and in the end none is waited for. */
static void a_full_table_forgets(void)
{
    begin();
    for (uint32_t i = 0; i < w.n.l3->route_count; i++)
        w.n.l3->routes[i].dst.bits = 96 + 8;
    for (uint32_t i = 0; i < NEIGH_MAX + 200; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "10.0.%u.%u", 1 + i / 250, 1 + i % 250);
        w.outs = 0;
        send_to(text);
        w.n.now += SEC / 1000;
    }
    T_EQ(w.n.l3->neigh.waiting, NEIGH_MAX);
    T_EQ(w.n.pool.out, NEIGH_MAX);
    for (uint32_t i = 0; i < 20; i++) {
        w.n.now += SEC;
        for (uint32_t n = 0; n < NEIGH_MAX; n += FRAMES / 2) {
            w.outs = 0;
            l3_timers(w.n.l3, w.n.now);
        }
    }
    T_EQ(w.n.l3->neigh.waiting, 0);
    T_EQ(l3_next_deadline(w.n.l3), UINT64_MAX);
    T_EQ(w.n.pool.out, 0);
    end();
}

static void headers_are_judged(void)
{
    uint8_t f[1600], body[24] = {0};
    uint32_t n;

    begin();
    n = packet(f, IP_PROTO_TCP, body, 24, 0, 0x4000);
    in(f, n);
    T_EQ(w.segments, 1);
    T_EQ(w.segment_len, 24);
    memset(f + n, 0xee, 12); /* a frame's padding is not the packet's */
    in(f, n + 12);
    T_EQ(w.segment_len, 24);
    n = packet(f, IP_PROTO_TCP, body, 24, 8, 0);
    in(f, n);
    T_EQ(w.segments, 3); /* options are skipped */
    T_EQ(w.segment_len, 24);
    f[20]++;
    in(f, n);
    T_EQ(count(NET_CTR_IP_CSUM), 1);
    in(f, packet(f, IP_PROTO_TCP, body, 24, 0, 0x2000)); /* more fragments */
    in(f, packet(f, IP_PROTO_TCP, body, 24, 0, 3));      /* an offset */
    T_EQ(count(NET_CTR_IP_FRAGMENT), 2);
    in(f, packet(f, 17, body, 24, 0, 0));
    T_EQ(count(NET_CTR_IP_PROTO), 1);
    n = packet(f, IP_PROTO_TCP, body, 24, 0, 0);
    in(f, n - 1); /* shorter than it says */
    in(f, 30);
    T_EQ(count(NET_CTR_IP_BAD), 2);
    in(f, 10);
    T_EQ(count(NET_CTR_ETH_BAD), 1);
    f[5]++; /* another station */
    in(f, n);
    T_EQ(count(NET_CTR_ETH_OTHER), 1);
    T_EQ(w.segments, 3);
    end();
}

static void echo_is_answered(void)
{
    uint8_t f[200], body[40] = {8, 0, 0, 0, 0x12, 0x34, 0, 1, 'h', 'i'};
    const uint8_t *out;

    begin();
    put_u16(body + 2, (uint16_t)~wire_sum(span_of(body, sizeof(body)), 0));
    arp(1, peer_mac, "10.0.0.2", "10.0.0.1"); /* so that we know the way back */
    send_to("10.0.0.2");
    arp(2, peer_mac, "10.0.0.2", "10.0.0.1");
    w.outs = 0;
    in(f, packet(f, IP_PROTO_ICMP, body, sizeof(body), 0, 0));
    T_EQ(w.outs, 1);
    out = w.out[0].b + 34;
    T_EQ(out[0], 0);
    T_OK(memcmp(out + 4, body + 4, 36) == 0);
    T_EQ((uint16_t)~wire_sum(span_of(out, 40), 0), 0);
    body[9]++; /* a wrong checksum */
    in(f, packet(f, IP_PROTO_ICMP, body, sizeof(body), 0, 0));
    T_EQ(w.outs, 1);
    T_EQ(count(NET_CTR_ICMP_BAD), 1);
    end();
}

static void icmp_error(uint8_t type, uint8_t code, uint16_t mtu)
{
    uint8_t f[200], body[8 + 28] = {0};
    struct ip_addr us = ip("10.0.0.1"), far = ip("192.0.2.1");

    body[0] = type;
    body[1] = code;
    put_u16(body + 6, mtu);
    ip4_write(body + 8, &us, &far, IP_PROTO_TCP, 0, 1000);
    put_u16(body + 28, 443);
    put_u16(body + 30, 50000);
    put_u32(body + 32, 0xabcdef01);
    put_u16(body + 2, (uint16_t)~wire_sum(span_of(body, sizeof(body)), 0));
    in(f, packet(f, IP_PROTO_ICMP, body, sizeof(body), 0, 0));
}

static void errors_reach_tcp(void)
{
    begin();
    icmp_error(3, 1, 0);
    T_EQ(w.errors, 1);
    T_EQ(w.error.what, L3_ICMP_SOFT);
    T_EQ(w.error.seq, 0xabcdef01);
    T_OK(w.error.sport == 443 && w.error.dport == 50000);
    icmp_error(3, 3, 0);
    T_EQ(w.error.what, L3_ICMP_HARD);
    icmp_error(3, 4, 1400);
    T_EQ(w.error.what, L3_ICMP_TOO_BIG);
    T_EQ(w.error.mtu, 1400);
    T_EQ(w.errors, 3);
    end();
}

static void tags_are_kept_apart(void)
{
    uint8_t f[200], body[24] = {0}, plain[200];
    uint32_t n;

    begin_vlan(7);
    n = packet(plain, IP_PROTO_TCP, body, 24, 0, 0);
    in(plain, n);
    T_EQ(w.segments, 0);
    memcpy(f, plain, 12);
    put_u16(f + 12, ETH_TYPE_VLAN);
    put_u16(f + 14, 7);
    memcpy(f + 16, plain + 12, n - 12);
    in(f, n + 4);
    T_EQ(w.segments, 1);
    put_u16(f + 14, 8);
    in(f, n + 4);
    T_EQ(w.segments, 1);
    T_EQ(get_u16(w.out[0].b + 12), ETH_TYPE_VLAN);
    end();
}

#define TESTS(X)                                \
    X(our_address_is_announced)                 \
    X(an_address_that_somebody_has_is_not_used) \
    X(an_address_in_use_is_defended)            \
    X(requests_for_us_are_answered)             \
    X(packets_wait_for_the_next_hop)            \
    X(nobody_answers)                           \
    X(strangers_go_by_the_gateway)              \
    X(claims_nobody_asked_for_are_not_believed) \
    X(a_claim_is_worth_a_question)              \
    X(doubt_is_a_reason_to_ask)                 \
    X(a_full_table_forgets)                     \
    X(headers_are_judged) X(echo_is_answered) X(errors_reach_tcp) X(tags_are_kept_apart)
T_MAIN("l3", TESTS)
