#include "tcp/wire.h"

#include "base/bytes.h"

enum {
    OPT_END = 0,
    OPT_NOP = 1,
    OPT_MSS = 2,
    OPT_WS = 3,
    OPT_SACK_OK = 4,
    OPT_SACK = 5,
    OPT_TS = 8
};

static void take_sacks(const uint8_t *p, uint8_t len, struct tcp_seg *out)
{
    uint8_t n = (uint8_t)(len / 8);

    if (len % 8)
        return;
    for (uint8_t i = 0; i < n && out->sacks < TCP_SACK_MAX; i++)
        out->sack[out->sacks++] = (struct tcp_sack){get_u32(p + 8 * i), get_u32(p + 8 * i + 4)};
}

static void take_option(uint8_t kind, const uint8_t *p, uint8_t len, struct tcp_seg *out)
{
    switch (kind) {
    case OPT_MSS:
        if (len == 2)
            out->mss = get_u16(p);
        break;
    case OPT_WS:
        if (len == 1)
            out->wscale = (int8_t)(p[0] > TCP_WS_MAX ? TCP_WS_MAX : p[0]); /* RFC 7323 2.3 */
        break;
    case OPT_SACK_OK:
        out->sack_ok = len == 0;
        break;
    case OPT_SACK:
        take_sacks(p, len, out);
        break;
    case OPT_TS:
        if (len == 8) {
            out->has_ts = true;
            out->tsval = get_u32(p);
            out->tsecr = get_u32(p + 4);
        }
        break;
    default: /* MUST ignore what it does not know, RFC 9293 3.1 (MUST-6) */
        break;
    }
}

/* Kind 0 ends, 1 advances, all others have a length of at least 2 that fits (MUST-7). */
static bool walk_options(const uint8_t *p, uint32_t left, struct tcp_seg *out)
{
    while (left) {
        uint8_t kind = p[0], len;

        if (kind == OPT_END)
            return true;
        if (kind == OPT_NOP) {
            p++;
            left--;
            continue;
        }
        if (left < 2)
            return false;
        len = p[1];
        if (len < 2 || len > left)
            return false;
        take_option(kind, p + 2, (uint8_t)(len - 2), out);
        p += len;
        left -= len;
    }
    return true;
}

static uint32_t chain_len(struct nbuf *m)
{
    uint32_t n = 0;

    for (; m; m = nbuf_next(m))
        n += nbuf_len(m);
    return n;
}

/* The usual form of options on a data segment: NOP NOP TS (RFC 7323 appendix A). */
static bool only_ts(const uint8_t *p, struct tcp_seg *out)
{
    if (get_u32(p) != (OPT_NOP << 24 | OPT_NOP << 16 | OPT_TS << 8 | 10))
        return false;
    out->has_ts = true;
    out->tsval = get_u32(p + 4);
    out->tsecr = get_u32(p + 8);
    return true;
}

bool tcp_wire_parse(struct nbuf *m, struct tcp_seg *out)
{
    const uint8_t *p = nbuf_data(m);
    uint32_t total = chain_len(m);
    uint8_t hdr_b;

    if (nbuf_len(m) < TCP_HDR_B)
        return false;
    hdr_b = (uint8_t)((p[12] >> 4) * 4);
    if (hdr_b < TCP_HDR_B || hdr_b > nbuf_len(m))
        return false;
    out->sport = get_u16(p);
    out->dport = get_u16(p + 2);
    out->seq = get_u32(p + 4);
    out->ack = get_u32(p + 8);
    out->flags = p[13];
    out->wnd = get_u16(p + 14);
    out->hdr_b = hdr_b;
    out->len = total - hdr_b;
    out->has_ts = out->sack_ok = false;
    out->wscale = -1;
    out->mss = 0;
    out->sacks = 0;
    out->tsval = out->tsecr = 0;
    if (hdr_b == TCP_HDR_B || (hdr_b == TCP_HDR_B + 12 && only_ts(p + TCP_HDR_B, out)))
        return true;
    return walk_options(p + TCP_HDR_B, hdr_b - TCP_HDR_B, out);
}

uint8_t tcp_wire_size(const struct tcp_hdr_plan *p)
{
    uint32_t n = TCP_HDR_B;

    n += p->mss ? 4 : 0;
    n += p->sack_ok ? (p->ts ? 0 : 4) : 0; /* with time stamps it takes the place of their NOPs */
    n += p->ts ? 12 : 0;
    n += p->wscale >= 0 ? 4 : 0;
    n += p->sacks ? 4 + 8u * p->sacks : 0;
    return (uint8_t)n;
}

void tcp_wire_write(uint8_t *to, uint8_t hdr_b, const struct tcp_hdr_plan *p)
{
    struct wr w = wr_of(to, hdr_b);

    wr_u16(&w, p->sport);
    wr_u16(&w, p->dport);
    wr_u32(&w, p->seq);
    wr_u32(&w, p->ack);
    wr_u8(&w, (uint8_t)(hdr_b / 4 << 4));
    wr_u8(&w, p->flags);
    wr_u16(&w, p->wnd);
    wr_u32(&w, 0); /* checksum, urgent pointer */
    if (p->mss)
        wr_u32(&w, (uint32_t)OPT_MSS << 24 | 4u << 16 | p->mss);
    if (p->ts) {
        wr_u16(&w, p->sack_ok ? OPT_SACK_OK << 8 | 2 : OPT_NOP << 8 | OPT_NOP);
        wr_u16(&w, OPT_TS << 8 | 10);
        wr_u32(&w, p->tsval);
        wr_u32(&w, p->tsecr);
    } else if (p->sack_ok) {
        wr_u32(&w, (uint32_t)OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK_OK << 8 | 2);
    }
    if (p->wscale >= 0)
        wr_u32(&w, (uint32_t)OPT_NOP << 24 | OPT_WS << 16 | 3u << 8 | (uint8_t)p->wscale);
    if (p->sacks) {
        wr_u32(&w, (uint32_t)OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK << 8 | (2 + 8u * p->sacks));
        for (uint8_t i = 0; i < p->sacks; i++) {
            wr_u32(&w, p->sack[i].from);
            wr_u32(&w, p->sack[i].to);
        }
    }
}

/* --- checksum (RFC 1071): 8 bytes at a time, in memory order, folded at the end --- */

static inline uint64_t add_carry(uint64_t sum, uint64_t v)
{
    sum += v;
    return sum + (sum < v);
}

typedef uint64_t lanes __attribute__((vector_size(16)));

/* Lanes of 32-bit halves cannot overflow within 2^32 steps, so no carries are needed on the way. */
static uint64_t sum_bytes(const uint8_t *p, uint32_t len, uint64_t sum)
{
    const lanes low = {0xffffffffu, 0xffffffffu};
    lanes a = {0, 0}, b = {0, 0}, v, w;
    uint64_t last;

    for (; len >= 32; len -= 32, p += 32) {
        memcpy(&v, p, 16);
        memcpy(&w, p + 16, 16);
        a += (v & low) + (w & low);
        b += (v >> 32) + (w >> 32);
    }
    a += b;
    for (; len; len -= len < 8 ? len : 8, p += 8) {
        last = 0;
        memcpy(&last, p, len < 8 ? len : 8);
        a[0] += last & 0xffffffffu;
        a[1] += last >> 32;
    }
    return add_carry(add_carry(sum, a[0]), a[1]);
}

/* To 16 bits, in memory order. */
static uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint16_t swap16(uint16_t v)
{
    return (uint16_t)(v << 8 | v >> 8);
}

static uint64_t sum_pseudo(uint32_t len, const struct ip_addr *src, const struct ip_addr *dst)
{
    uint8_t tail[8] = {0, 0, 0, 0, 0, 0, 0, 6 /* TCP */};
    uint32_t skip = ip_is_v4(dst) ? 12 : 0;
    uint64_t sum;

    put_u32(tail, len);
    sum = sum_bytes(src->b + skip, 16 - skip, 0);
    sum = sum_bytes(dst->b + skip, 16 - skip, sum);
    return sum_bytes(tail, sizeof(tail), sum);
}

uint16_t tcp_wire_pseudo(uint32_t len, const struct ip_addr *src, const struct ip_addr *dst)
{
    return swap16(fold(sum_pseudo(len, src, dst)));
}

uint16_t tcp_wire_sum(struct nbuf *m, uint32_t len, const struct ip_addr *src,
                      const struct ip_addr *dst)
{
    uint64_t sum = sum_pseudo(len, src, dst);
    bool odd = false;

    for (; m; m = nbuf_next(m)) {
        uint16_t part = fold(sum_bytes(nbuf_data(m), nbuf_len(m), 0));

        /* After an odd number of bytes every further one sits in the other half of its word. */
        sum = add_carry(sum, odd ? swap16(part) : part);
        odd ^= nbuf_len(m) & 1;
    }
    return swap16(fold(sum));
}
