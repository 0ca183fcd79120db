/* What the files of the engine share: l3.c (frames, routes, output), arp.c, ip4.c, nd6.c, ip6.c. */
#ifndef SALLYPORT_NET_L3_INTERNAL_H
#define SALLYPORT_NET_L3_INTERNAL_H

#include "net/l3.h"
#include "net/neigh.h"
#include "net/reasm.h"

#define ANNOUNCE_TIMES 4u /* the first of them asks whether somebody else has the address */
#define ANNOUNCE_NS    1000000000ULL
#define ECHO_PER_S     1000u

struct l3_route_entry {
    struct ip_prefix dst;
    struct ip_addr gateway; /* "any": on link */
    uint8_t port;
};

/* What is known of our right to an address. */
struct l3_claim {
    uint64_t held_until_ns; /* somebody else has it: not used; 0: it is */
    uint64_t sure_ns;       /* a conflict before costs the address */
    uint64_t defend_ns;     /* not defended again before */
    uint32_t times;         /* that it was taken out of use */
    bool asked;             /* ... whether it is free again */
};

struct l3 {
    struct l3_env env;
    struct l3_port ports[L3_PORTS_MAX];
    uint32_t port_count;
    struct l3_route_entry routes[L3_ROUTES_MAX]; /* longest prefix first */
    uint32_t route_count;
    struct neigh_table neigh;
    struct reasm *reasm;                                /* NULL: fragments are dropped */
    struct sip_key flow_key;                            /* of IPv6 flow labels */
    struct l3_claim claims[L3_PORTS_MAX][L3_ADDRS_MAX]; /* of ports[].addresses */
    uint32_t held;                                      /* of them, not in use */
    uint64_t announce_ns;
    uint32_t announced;
    uint64_t second;
    uint32_t echo_left;
    uint64_t ctr[NET_CTR_COUNT];
};

static inline void net_count(struct l3 *l, enum l3_counter c)
{
    ctr_add(&l->ctr[c], 1);
}

/* l3.c */
/* The address of ours on a port that equals `a`, if it is in use, or NULL. */
const struct ip_prefix *l3_own(const struct l3 *l, uint8_t port, const struct ip_addr *a);
/* A small frame of our own, out at once. */
void l3_send_frame(struct l3 *l, uint8_t port, const struct mac *dst, uint16_t type,
                   struct span payload);
/* An IP packet as a frame, out at once. Takes m. */
void l3_frame(struct l3 *l, uint8_t port, const struct mac *dst, struct nbuf *m, uint16_t type);
const struct l3_route_entry *l3_route_for(const struct l3 *l, const struct ip_addr *dst);
bool l3_martian(const struct ip_addr *src);
/* Room for an IP header in front of m (payload), filled in; then out by route. */
void l3_send_ip(struct l3 *l, struct nbuf *m, const struct l3_out *o, uint8_t proto,
                uint64_t now_ns);

/* May the fragment be kept until the others come? */
static inline bool l3_wants(const struct l3 *l, const struct ip_hdr *h)
{
    return l->reasm && h->proto == IP_PROTO_TCP;
}

/* icmp.c */
/* May one more echo request be answered? */
bool l3_take_echo(struct l3 *l, const struct ip_addr *peer, uint64_t now_ns);
void l3_quoted(struct l3 *l, struct span quoted, bool v6, enum l3_icmp what, uint16_t mtu);

/* fragment.c */
MUST_CHECK res l3_start_fragments(struct l3 *l);
/* A fragment that was asked for; m as for ip4_input, trimmed. NULL: nothing is whole, or not this core's. */
struct nbuf *l3_fragment(struct l3 *l, uint8_t port, struct nbuf *m, const struct ip_hdr *h,
                         uint64_t now_ns);
/* hop.c */
/* An IP packet to whoever has the address `hop`, now or when that is known. Takes m. */
void l3_send_to(struct l3 *l, uint8_t port, const struct ip_addr *hop, struct nbuf *m,
                uint64_t now_ns);
void l3_learn(struct l3 *l, uint8_t port, const struct ip_addr *ip, const struct mac *mac,
              bool answer, uint64_t now_ns);
void hop_timers(struct l3 *l, uint64_t now_ns);
uint64_t hop_next_deadline(const struct l3 *l);

/* arp.c */
void arp_input(struct l3 *l, uint8_t port, struct span body, uint64_t now_ns);
void arp_ask(struct l3 *l, uint8_t port, const struct ip_addr *target, const struct mac *to);
void arp_probe(struct l3 *l, uint8_t port, const struct ip_addr *own);
void arp_announce(struct l3 *l, uint8_t port, const struct ip_addr *own);

/* dad.c */
/* Somebody else speaks as `a`. False: it is none of our addresses. */
bool dad_heard(struct l3 *l, uint8_t port, const struct ip_addr *a, uint64_t now_ns);
void dad_begin(struct l3 *l, uint64_t now_ns);
void dad_timers(struct l3 *l, uint64_t now_ns);
uint64_t dad_next_deadline(const struct l3 *l);

/* ip4.c; takes m, which begins with the IP header */
void ip4_input(struct l3 *l, uint8_t port, struct nbuf *m, uint64_t now_ns);

/* ip6.c */
void ip6_input(struct l3 *l, uint8_t port, struct nbuf *m, const struct mac *from, uint64_t now_ns);

/* nd6.c */
void nd6_input(struct l3 *l, uint8_t port, const struct ip_hdr *ip, struct span icmp,
               uint64_t now_ns);
void nd6_ask(struct l3 *l, uint8_t port, const struct ip_addr *target, const struct mac *to,
             uint64_t now_ns);
void nd6_probe(struct l3 *l, uint8_t port, const struct ip_addr *own);
void nd6_announce(struct l3 *l, uint8_t port, const struct ip_addr *own);
/* Is it somebody else's answer to a probe of ours? It comes from the address that we would have. */
bool nd6_is_conflict(struct span icmp);
bool nd6_is_for_us(const struct l3 *l, uint8_t port, const struct ip_addr *dst);

#endif
