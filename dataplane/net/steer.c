#include "net/steer.h"

#include "net/wire.h"

/* The 32 bits of the key from bit `at` on. */
static uint32_t key_window(const uint8_t key[STEER_KEY_B], uint32_t at)
{
    uint64_t v = 0;

    for (uint32_t i = 0; i < 5; i++) {
        uint32_t b = at / 8 + i;

        v = v << 8 | (b < STEER_KEY_B ? key[b] : 0);
    }
    return (uint32_t)(v >> (8 - at % 8));
}

void steer_set_key(struct steer *s, const uint8_t key[STEER_KEY_B])
{
    memcpy(s->key, key, STEER_KEY_B);
    for (uint32_t i = 0; i < STEER_INPUT_B; i++) {
        uint32_t bit[8];

        for (uint32_t b = 0; b < 8; b++)
            bit[b] = key_window(key, 8 * i + b);
        for (uint32_t v = 0; v < 256; v++) {
            uint32_t h = 0;

            for (uint32_t b = 0; b < 8; b++)
                h ^= v & (0x80u >> b) ? bit[b] : 0;
            s->table[i][v] = h;
        }
    }
}

static uint32_t bytes(const struct steer *s, uint32_t at, const uint8_t *p, uint32_t n)
{
    uint32_t h = 0;

    for (uint32_t i = 0; i < n; i++)
        h ^= s->table[at + i][p[i]];
    return h;
}

uint32_t steer_hash(const struct steer *s, const struct ip_addr *src, const struct ip_addr *dst,
                    uint16_t sport, uint16_t dport)
{
    uint8_t ports[4] = {(uint8_t)(sport >> 8), (uint8_t)sport, (uint8_t)(dport >> 8),
                        (uint8_t)dport};
    uint32_t h;

    if (ip_is_v4(src))
        return bytes(s, 0, src->b + 12, 4) ^ bytes(s, 4, dst->b + 12, 4) ^ bytes(s, 8, ports, 4);
    h = bytes(s, 0, src->b, 16) ^ bytes(s, 16, dst->b, 16);
    return h ^ bytes(s, 32, ports, 4);
}

/* Do the destination port's bits of IPv4 reach every entry of the table about equally often? */
static bool spreads(const struct steer *s)
{
    uint32_t seen[STEER_RETA_MAX] = {0};

    for (uint32_t port = 0; port < 65536; port++) {
        uint8_t p[2] = {(uint8_t)(port >> 8), (uint8_t)port};

        seen[bytes(s, 10, p, 2) & (s->reta_size - 1)]++;
    }
    for (uint32_t i = 0; i < s->reta_size; i++) {
        if (seen[i] != 65536 / s->reta_size)
            return false;
    }
    return true;
}

void steer_init(struct steer *s, uint32_t cores, uint32_t reta_size, struct rng *rng)
{
    uint8_t key[STEER_KEY_B];

    s->cores = cores;
    s->reta_size = reta_size;
    for (uint32_t i = 0; i < reta_size; i++)
        s->reta[i] = (uint16_t)(i % cores);
    do { /* a random key is good more often than not */
        rng_bytes(rng, key, sizeof(key));
        steer_set_key(s, key);
    } while (!spreads(s));
}

static bool tcp_ports(struct span l4, uint16_t *sport, uint16_t *dport)
{
    if (l4.len < 4)
        return false;
    *sport = get_u16(l4.p);
    *dport = get_u16(l4.p + 2);
    return true;
}

/* The quoted packet is one of ours: what would come back to us has source and destination swapped. */
static bool quoted_tuple(struct span icmp, bool v6, struct ip_addr *src, struct ip_addr *dst,
                         uint16_t *sport, uint16_t *dport)
{
    struct span q = span_from(icmp, 8);
    uint32_t hdr = v6 ? IP6_HDR_B : q.len ? (q.p[0] & 15u) * 4 : 0;

    if (hdr < IP4_HDR_B || q.len < hdr + 4 || q.p[v6 ? 6 : 9] != IP_PROTO_TCP)
        return false;
    if (v6) {
        memcpy(dst->b, q.p + 8, 16);
        memcpy(src->b, q.p + 24, 16);
    } else {
        *dst = ip_v4_wire(q.p + 12);
        *src = ip_v4_wire(q.p + 16);
    }
    return tcp_ports(span_from(q, hdr), dport, sport);
}

static bool is_error(uint8_t proto, struct span icmp)
{
    if (icmp.len < 8)
        return false;
    if (proto == IP_PROTO_ICMP)
        return icmp.p[0] == 3 || icmp.p[0] == 11 || icmp.p[0] == 12;
    return proto == IP_PROTO_ICMP6 && icmp.p[0] >= 1 && icmp.p[0] <= 4;
}

/* IPv4 without a look at the checksum, both without one at the length (a packet may be a chain of which this is
 * the first buffer): whoever owns it checks. */
static bool ip4_tuple(struct span p, struct ip_addr *src, struct ip_addr *dst, uint16_t *sport,
                      uint16_t *dport)
{
    uint32_t hdr = p.len >= IP4_HDR_B ? (p.p[0] & 15u) * 4 : 0;

    if (hdr < IP4_HDR_B || p.len < hdr || (get_u16(p.p + 6) & 0x3fff))
        return false;
    if (is_error(p.p[9], span_from(p, hdr)))
        return quoted_tuple(span_from(p, hdr), false, src, dst, sport, dport);
    *src = ip_v4_wire(p.p + 12);
    *dst = ip_v4_wire(p.p + 16);
    return p.p[9] == IP_PROTO_TCP && tcp_ports(span_from(p, hdr), sport, dport);
}

/* The IP packet in a frame; of IPv6 also what its headers say. */
static bool packet_in(struct span frame, struct span *p, bool *v6, struct ip_hdr *h)
{
    struct eth e;

    if (!eth_parse(frame, &e))
        return false;
    *p = span_from(frame, e.len);
    *v6 = e.type == ETH_TYPE_IP6;
    return *v6 ? ip6_parse_head(*p, UINT32_MAX, h) == IP_OK : e.type == ETH_TYPE_IP4;
}

bool steer_tuple(struct span frame, struct ip_addr *src, struct ip_addr *dst, uint16_t *sport,
                 uint16_t *dport)
{
    struct ip_hdr h;
    struct span p;
    bool v6;

    if (!packet_in(frame, &p, &v6, &h))
        return false;
    if (!v6)
        return ip4_tuple(p, src, dst, sport, dport);
    if (h.fragment)
        return false;
    if (is_error(h.proto, span_from(p, h.hdr_b)))
        return quoted_tuple(span_from(p, h.hdr_b), true, src, dst, sport, dport);
    *src = h.src;
    *dst = h.dst;
    return h.proto == IP_PROTO_TCP && tcp_ports(span_from(p, h.hdr_b), sport, dport);
}

bool steer_fragment(struct span frame, struct ip_addr *src, struct ip_addr *dst)
{
    struct ip_hdr h;
    struct span p;
    bool v6;

    if (!packet_in(frame, &p, &v6, &h))
        return false;
    if (!v6) {
        if (p.len < IP4_HDR_B || !(get_u16(p.p + 6) & 0x3fff) || p.p[9] != IP_PROTO_TCP)
            return false;
        *src = ip_v4_wire(p.p + 12);
        *dst = ip_v4_wire(p.p + 16);
        return true;
    }
    if (!h.fragment || h.proto != IP_PROTO_TCP)
        return false;
    *src = h.src;
    *dst = h.dst;
    return true;
}
