/**
 * wire: Ethernet, IPv4, IPv6 and ICMP headers as bytes (RFC 894, 791, 8200, 792, 4443). Parsers take
 * (pointer, length) and refuse what does not fit; nothing is judged here.
 */
#ifndef SALLYPORT_NET_WIRE_H
#define SALLYPORT_NET_WIRE_H

#include "base/bytes.h"
#include "base/ip.h"

#define ETH_HDR_B      14u
#define VLAN_HDR_B     4u
#define IP4_HDR_B      20u
#define IP6_HDR_B      40u
#define IP6_FRAG_B     8u

#define ETH_TYPE_IP4   0x0800
#define ETH_TYPE_ARP   0x0806
#define ETH_TYPE_VLAN  0x8100
#define ETH_TYPE_IP6   0x86dd

#define IP_PROTO_ICMP  1
#define IP_PROTO_TCP   6
#define IP_PROTO_ICMP6 58

struct mac {
    uint8_t b[6];
};

#define MAC_BROADCAST ((struct mac){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})

static inline bool mac_eq(const struct mac *a, const struct mac *b)
{
    return memcmp(a->b, b->b, 6) == 0;
}

static inline bool mac_is_group(const struct mac *m)
{
    return m->b[0] & 1;
}

static inline bool mac_is_zero(const struct mac *m)
{
    static const uint8_t zero[6];

    return memcmp(m->b, zero, 6) == 0;
}

struct eth {
    struct mac dst, src;
    uint16_t type; /* behind a VLAN tag, if there is one */
    uint16_t vlan; /* 0: untagged */
    uint8_t len;   /* bytes of header */
};

bool eth_parse(struct span frame, struct eth *out);
void eth_write(uint8_t *to, const struct eth *e); /* e->len as wire_eth_len() said */
uint8_t eth_len(uint16_t vlan);

/* What IP says of the packet it carries, of both families. */
struct ip_hdr {
    struct ip_addr src, dst;
    uint8_t proto; /* of what follows the header and all its extensions */
    uint8_t ttl, ecn;
    uint8_t hdr_b;  /* header with options or extensions; a larger one is refused */
    uint16_t total; /* length of header and payload, as the header says */
    bool fragment;  /* a part of a datagram: offset or more-fragments; then: */
    bool frag_more;
    uint16_t frag_off; /* bytes */
    uint32_t frag_id;
    uint8_t
        nh_at; /* IPv6: where it says that a fragment header follows; that is the last of hdr_b */
};

enum ip_result { IP_OK, IP_BAD, IP_BAD_CSUM };

enum ip_result ip4_parse(struct span packet, struct ip_hdr *out);
enum ip_result ip6_parse(struct span packet, struct ip_hdr *out);
/* The same of a packet of whole_b bytes of which `head` is at hand: its headers have to be there. */
enum ip_result ip6_parse_head(struct span head, uint32_t whole_b, struct ip_hdr *out);

/* TTL 64, DF, ID 0 (RFC 6864), checksum complete. */
void ip4_write(uint8_t *to, const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto,
               uint8_t ecn, uint16_t payload);
void ip6_write(uint8_t *to, const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto,
               uint8_t ecn, uint16_t payload, uint32_t flow, uint8_t hops);

/* Internet checksum (RFC 1071) over some bytes, with a start value; folded, in host order. */
uint16_t wire_sum(struct span s, uint32_t start);
/* Start value for ICMPv6 and TCP over IPv6 (RFC 8200 8.1). */
uint32_t ip6_pseudo(const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto,
                    uint32_t len);

#endif
