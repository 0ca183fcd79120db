/**
 * l3: everything between Ethernet frames and TCP segments, for one core: addresses, routes, neighbours,
 * ARP, ND, IPv4, IPv6, ICMP. Knows no device and no core: frames come in and go out by functions handed in,
 * time is an argument, so it runs in tests as it does in the product.
 */
#ifndef SALLYPORT_NET_L3_H
#define SALLYPORT_NET_L3_H

#include "base/ctr.h"
#include "base/log.h"
#include "base/rng.h"
#include "net/nbuf.h"
#include "net/wire.h"

#define L3_PORTS_MAX  16
#define L3_ADDRS_MAX  32
#define L3_ROUTES_MAX 256

struct l3;

struct l3_port {
    struct mac mac;
    uint16_t mtu, vlan; /* vlan 0: untagged */
    struct ip_prefix addresses[L3_ADDRS_MAX];
    uint32_t address_count;
    struct ip_addr gateway4, gateway6; /* "any": none */
};

/* A TCP segment: m begins with its header and is trimmed to what IP says. Takes m. */
struct l3_segment {
    struct ip_addr src, dst;
    uint64_t arrived_ns;
    uint8_t ecn;
};

enum l3_icmp { L3_ICMP_SOFT, L3_ICMP_HARD, L3_ICMP_TOO_BIG };

/* An ICMP error about a segment that we sent: the quoted tuple as it was on the wire. */
struct l3_icmp_error {
    struct ip_addr src, dst; /* src is ours */
    uint16_t sport, dport;
    uint32_t seq;
    enum l3_icmp what;
    uint16_t mtu;
};

struct l3_env {
    void *ctx;
    struct nbuf_pool *pool;
    struct rng *rng;
    struct log_out *log; /* may be NULL */
    /* Send a complete frame on a port. Takes m. */
    void (*tx)(void *ctx, uint8_t port, struct nbuf *m);
    void (*tcp)(void *ctx, struct nbuf *m, const struct l3_segment *s);
    void (*icmp_error)(void *ctx, const struct l3_icmp_error *e);
    /* A neighbour was heard of: other cores want to know. May be NULL. */
    void (*heard)(void *ctx, uint8_t port, const struct ip_addr *ip, const struct mac *mac,
                  bool answer);
    /* Somebody else has an address of ours: other cores must know. May be NULL. */
    void (*conflict)(void *ctx, uint8_t port, const struct ip_addr *ip);
    /* A packet, put together from fragments: true when it was another core's, then m is taken. May be NULL. */
    bool (*elsewhere)(void *ctx, uint8_t port, struct nbuf *m);
    bool reassembles; /* fragments of TCP are put together (reasm.h), else dropped */
    bool announces;   /* this core speaks for the addresses: ARP announcements, DAD, answers */
};

MUST_CHECK res l3_new(const struct l3_env *env, const struct l3_port *ports, uint32_t count,
                      uint64_t now_ns, struct l3 **out);
void l3_free(struct l3 *l);

/* One frame. Takes m. Bound: O(length). */
void l3_input(struct l3 *l, uint8_t port, struct nbuf *m, uint64_t now_ns);

/* What another core has heard. */
void l3_heard(struct l3 *l, uint8_t port, const struct ip_addr *ip, const struct mac *mac,
              bool answer, uint64_t now_ns);

/* True: the address is out of use for now. */
bool l3_conflict(struct l3 *l, uint8_t port, const struct ip_addr *ip, uint64_t now_ns);

/* How a TCP segment goes out, and what of it is left to the device. */
struct l3_out {
    struct ip_addr src, dst;
    uint8_t ecn;
    uint8_t
        csum_hdr_b; /* the device writes the checksum, of a TCP header of so many bytes; 0: it is there */
    uint16_t tso_mss; /* and cuts the payload into segments of so many bytes; 0: it is one */
};

/* One TCP segment, or one to be cut, out: m begins with the TCP header. Takes m. */
void l3_output(struct l3 *l, struct nbuf *m, const struct l3_out *o, uint64_t now_ns);

/**
 * Where does dst go from? *src is filled in when it is "any". False: no route.
 */
bool l3_route(const struct l3 *l, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu);

/* The next hop towards dst is alive. */
void l3_confirm(struct l3 *l, const struct ip_addr *dst, uint64_t now_ns);

/* What goes towards dst is not answered: is its next hop still there, and still the same? */
void l3_doubt(struct l3 *l, const struct ip_addr *dst, uint64_t now_ns);

bool l3_is_local(const struct l3 *l, const struct ip_addr *a);

/* Questions to repeat, announcements. At most some per call. */
void l3_timers(struct l3 *l, uint64_t now_ns);
uint64_t l3_next_deadline(const struct l3 *l);

enum l3_counter {
#define CTR(sym, name, help) NET_CTR_##sym,
#include "net/net_ctr.def"
#undef CTR
    NET_CTR_COUNT,
};

/* The core's own array; what is counted outside of l3 is counted in here too. */
uint64_t *l3_counters(struct l3 *l);
extern const struct ctr_desc net_ctr_desc[];
extern const unsigned net_ctr_count;

#endif
