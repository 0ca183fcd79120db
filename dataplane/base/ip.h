/**
 * IP addresses of both families in one shape: 16 bytes in wire order, IPv4 as ::ffff:a.b.c.d
 * (RFC 4291 2.5.5.2). Everything above net/ sees only this.
 */
#ifndef SALLYPORT_BASE_IP_H
#define SALLYPORT_BASE_IP_H

#include "base/res.h"
#include "base/sb.h"

#define IP_TEXT_MAX 48 /* longest IPv6 text and a NUL */
#define EP_TEXT_MAX 56 /* [address]:port and a NUL */

struct ip_addr {
    uint8_t b[16];
};

struct ip_prefix {
    struct ip_addr addr;
    uint8_t bits; /* 0..128; an IPv4 /n is 96 + n */
};

struct endpoint {
    struct ip_addr addr;
    uint16_t port; /* host order */
};

static inline struct ip_addr ip_v4(uint32_t host_order)
{
    struct ip_addr a = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (uint8_t)(host_order >> 24),
                         (uint8_t)(host_order >> 16), (uint8_t)(host_order >> 8),
                         (uint8_t)host_order}};

    return a;
}

static inline struct ip_addr ip_v4_wire(const uint8_t p[4])
{
    struct ip_addr a = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, p[0], p[1], p[2], p[3]}};

    return a;
}

static inline bool ip_is_v4(const struct ip_addr *a)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

static inline bool ip_eq(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->b, b->b, 16) == 0;
}

static inline bool ip_is_any(const struct ip_addr *a)
{
    static const uint8_t zero[16];

    return memcmp(a->b, zero, 16) == 0 || (ip_is_v4(a) && memcmp(a->b + 12, zero, 4) == 0);
}

/* IPv4 224/4 and 255.255.255.255, IPv6 ff00::/8. */
bool ip_is_multicast(const struct ip_addr *a);
bool ip_is_loopback(const struct ip_addr *a);
bool ip_in(const struct ip_addr *a, const struct ip_prefix *p);

/* "10.0.0.1", "2001:db8::1"; nothing in front or behind. */
MUST_CHECK res ip_parse(struct span text, struct ip_addr *out);
/* "10.0.0.1/24"; without "/n" a host prefix. Host bits are kept in `addr`. */
MUST_CHECK res ip_prefix_parse(struct span text, struct ip_prefix *out);
/* "10.0.0.1:443", "[2001:db8::1]:443". */
MUST_CHECK res endpoint_parse(struct span text, struct endpoint *out);

void ip_text(struct sb *s, const struct ip_addr *a); /* IPv4-mapped as dotted quad (RFC 5952) */
void endpoint_text(struct sb *s, const struct endpoint *e);

#endif
