/**
 * wire: TCP segments as bytes (RFC 9293 3.1, 3.2; RFC 7323; RFC 2018). Parsing is bounded and refuses
 * what does not fit; writing puts options in one fixed order: MSS, SACK permitted, time stamps, window
 * scale, SACK blocks.
 */
#ifndef SALLYPORT_TCP_WIRE_H
#define SALLYPORT_TCP_WIRE_H

#include "base/ip.h"
#include "net/nbuf.h"

#define TCP_HDR_B    20u
#define TCP_HDR_MAX  60u
#define TCP_SACK_MAX 4u
#define TCP_WS_MAX   14 /* RFC 7323 2.3 */

enum {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
};

struct tcp_sack {
    uint32_t from, to; /* [from, to) */
};

struct tcp_seg {
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint32_t len; /* payload bytes */
    uint16_t wnd; /* as it stands in the header */
    uint8_t flags, hdr_b;
    bool has_ts, sack_ok;
    int8_t wscale; /* -1: no option */
    uint16_t mss;  /* 0: no option */
    uint32_t tsval, tsecr;
    uint8_t sacks;
    struct tcp_sack sack[TCP_SACK_MAX];
};

/* Sequence space that a segment takes. */
static inline uint32_t tcp_seg_space(const struct tcp_seg *s)
{
    return s->len + ((s->flags & TCP_SYN) ? 1 : 0) + ((s->flags & TCP_FIN) ? 1 : 0);
}

/**
 * Read the header of the segment in m (a chain; the header lies in its first buffer).
 * False: too short, data offset or an option out of bounds (RFC 9293 3.1).
 */
bool tcp_wire_parse(struct nbuf *m, struct tcp_seg *out);

/* Write the header in front of what m holds; hdr_b is set. Checksum stays 0. */
struct tcp_hdr_plan {
    uint16_t sport, dport, wnd;
    uint32_t seq, ack;
    uint8_t flags;
    bool ts, sack_ok;
    int8_t wscale; /* -1: none */
    uint16_t mss;  /* 0: none */
    uint32_t tsval, tsecr;
    uint8_t sacks;
    struct tcp_sack sack[TCP_SACK_MAX];
};

uint8_t tcp_wire_size(const struct tcp_hdr_plan *p);
void tcp_wire_write(uint8_t *to, uint8_t hdr_b, const struct tcp_hdr_plan *p);

/* Ones' complement sum of a chain with the pseudo header (RFC 9293 3.1, RFC 8200 8.1), folded. */
uint16_t tcp_wire_sum(struct nbuf *m, uint32_t len, const struct ip_addr *src,
                      const struct ip_addr *dst);
/* The pseudo header's sum alone, as a device with checksum offload wants it in the field. With TSO
 * the length counts as 0. */
uint16_t tcp_wire_pseudo(uint32_t len, const struct ip_addr *src, const struct ip_addr *dst);

#endif
