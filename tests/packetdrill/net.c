#include "base/bytes.h"
#include "packetdrill/so.h"

#define IP4_B 20u
#define IP6_B 40u

static struct packet *slot(struct so *so, uint32_t i)
{
    return &so->out[(so->out_head + i) % SO_PACKETS];
}

static uint32_t ip_b(const uint8_t *p)
{
    return p[0] >> 4 == 4 ? IP4_B : IP6_B;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint32_t add_up(const uint8_t *p, size_t n, uint32_t sum)
{
    for (; n > 1; p += 2, n -= 2)
        sum += get_u16(p);
    return n ? sum + ((uint32_t)*p << 8) : sum;
}

/* Lengths and checksums of a packet that is complete. */
static void finish(struct packet *k)
{
    uint8_t *ip = k->b, *tcp = k->b + ip_b(ip);
    uint32_t tcp_b = k->len - ip_b(ip), sum = 6 + tcp_b;

    put_u16(tcp + 16, 0);
    if (ip[0] >> 4 == 4) {
        put_u16(ip + 2, (uint16_t)k->len);
        put_u16(ip + 10, 0);
        put_u16(ip + 10, (uint16_t)~fold(add_up(ip, IP4_B, 0)));
        sum = add_up(ip + 12, 8, sum);
    } else {
        put_u16(ip + 4, (uint16_t)tcp_b);
        sum = add_up(ip + 8, 32, sum);
    }
    put_u16(tcp + 16, (uint16_t)~fold(add_up(tcp, tcp_b, sum)));
}

static void ip_header(struct packet *k, const struct tcp_tx *tx)
{
    uint8_t *p = k->b;

    if (ip_is_v4(&tx->dst)) {
        memset(p, 0, IP4_B);
        p[0] = 0x45;
        p[1] = tx->ecn;
        p[6] = 0x40; /* do not fragment */
        p[8] = 64;
        p[9] = 6;
        memcpy(p + 12, tx->src.b + 12, 4);
        memcpy(p + 16, tx->dst.b + 12, 4);
        k->len = IP4_B;
        return;
    }
    memset(p, 0, IP6_B);
    p[0] = 0x60;
    p[1] = (uint8_t)(tx->ecn << 4);
    p[6] = 6;
    p[7] = 64;
    memcpy(p + 8, tx->src.b, 16);
    memcpy(p + 24, tx->dst.b, 16);
    k->len = IP6_B;
}

/* The socket that a segment is of, to know whether its data is new. */
static struct sock *sock_of(struct so *so, const uint8_t *tcp)
{
    for (unsigned i = 0; i < SO_FDS; i++) {
        struct sock *k = &so->socks[i];

        if ((k->kind == SOCK_OPEN || k->kind == SOCK_CONNECTING) && k->local.port == get_u16(tcp) &&
            k->remote.port == get_u16(tcp + 2))
            return k;
    }
    return NULL;
}

static bool is_fresh(struct so *so, const uint8_t *tcp, uint32_t len)
{
    struct sock *k = sock_of(so, tcp);
    uint32_t seq = get_u32(tcp + 4);
    bool fresh;

    if (!k || len == 0)
        return false;
    fresh = !k->sent_any || seq_geq(seq, k->sent_hi);
    if (fresh) {
        k->sent_hi = seq + len;
        k->sent_any = true;
    }
    return fresh;
}

/* Does new data continue the last packet? Then a device would have cut both out of one. */
static bool grows(struct so *so, struct packet *last, const struct packet *add)
{
    const uint8_t *a = last->b + ip_b(last->b), *b = add->b + ip_b(add->b);
    uint32_t hdr = (uint32_t)(a[12] >> 4) * 4, len = last->len - ip_b(last->b) - hdr;
    uint32_t more = add->len - ip_b(add->b) - hdr;

    if (!so->tso || !last->fresh || !add->fresh || last->at_ns != add->at_ns || a[12] != b[12] ||
        memcmp(a, b, 4) != 0 || memcmp(a + 8, b + 8, 4) != 0 ||
        memcmp(a + 20, b + 20, hdr - 20) != 0 || (a[13] & ~(TCP_ACK | TCP_PSH)) ||
        ((a[13] & TCP_PSH) && len == last->mss) || (b[13] & ~(TCP_ACK | TCP_PSH)) ||
        len % last->mss || more > last->mss || last->len + more > 65535 ||
        get_u32(a + 4) + len != get_u32(b + 4))
        return false;
    memcpy(last->b + last->len, b + hdr, more);
    last->b[ip_b(last->b) + 13] = b[13] | TCP_PSH; /* as Linux marks what is to be cut */
    last->len += more;
    return true;
}

void so_output(void *ctx, struct nbuf *m, const struct tcp_tx *tx)
{
    struct so *so = (struct so *)ctx;
    struct packet *k = slot(so, so->out_n);
    const uint8_t *tcp;

    if (so->out_n + 1 < SO_PACKETS) {
        ip_header(k, tx);
        for (struct nbuf *i = m; i; i = nbuf_next(i)) {
            memcpy(k->b + k->len, nbuf_data(i), nbuf_len(i));
            k->len += nbuf_len(i);
        }
        tcp = k->b + ip_b(k->b);
        k->at_ns = so->now_ns;
        k->mss = (uint16_t)(k->len - ip_b(k->b) - tx->hdr_b);
        k->fresh = is_fresh(so, tcp, k->mss);
        if (so->out_n == 0 || !grows(so, slot(so, so->out_n - 1), k))
            so->out_n++;
    }
    nbuf_put_chain(m);
}

/* A packet, or none when nothing happens for a very long time. */
int so_net_out(struct so *so, void *to, size_t *n, long long *time_us)
{
    struct packet *k;

    so_run(so, so->now_ns + 600ULL * 1000000000, true);
    if (so->out_n == 0) {
        *n = 0;
        return 0;
    }
    k = slot(so, 0);
    finish(k);
    *n = *n < k->len ? *n : k->len;
    memcpy(to, k->b, *n);
    *time_us = (long long)(k->at_ns / 1000);
    so->out_head = (so->out_head + 1) % SO_PACKETS;
    so->out_n--;
    return 0;
}

/* --- in --- */

static void icmp(struct so *so, const uint8_t *p, size_t n, bool v6)
{
    uint32_t hdr = v6 ? IP6_B : IP4_B;
    const uint8_t *q = p + 8 + hdr; /* the quoted TCP header */
    enum tcp_icmp what = TCP_ICMP_UNREACH_SOFT;
    struct tcp_tuple tuple;
    uint16_t mtu = 0;

    if (n < 8 + hdr + 8)
        return;
    memset(&tuple, 0, sizeof(tuple));
    tuple.laddr = v6 ? (struct ip_addr){{0}} : ip_v4_wire(p + 8 + 12);
    tuple.raddr = v6 ? (struct ip_addr){{0}} : ip_v4_wire(p + 8 + 16);
    if (v6) {
        memcpy(tuple.laddr.b, p + 8 + 8, 16);
        memcpy(tuple.raddr.b, p + 8 + 24, 16);
    }
    tuple.lport = get_u16(q);
    tuple.rport = get_u16(q + 2);
    if (v6 ? p[0] == 2 : (p[0] == 3 && p[1] == 4)) {
        what = TCP_ICMP_TOO_BIG;
        mtu = v6 ? (uint16_t)get_u32(p + 4) : get_u16(p + 6);
        if (mtu < so->mtu && mtu >= (v6 ? 1280 : 552))
            so->mtu = mtu;
    } else if (v6 ? (p[0] == 1 && p[1] == 4) : (p[0] == 3 && (p[1] == 2 || p[1] == 3))) {
        what = TCP_ICMP_UNREACH_HARD;
    } else if (v6 ? p[0] != 1 : p[0] != 3) {
        return;
    }
    tcp_icmp_error(so->t, &tuple, get_u32(q + 4), what, mtu);
}

static void segment(struct so *so, const uint8_t *p, size_t n, struct tcp_rx *rx)
{
    struct nbuf *m = nbuf_get(&so->pool);
    struct nbuf *tail = m;
    size_t first = n < 1600 ? n : 1600;

    if (!m)
        return;
    memcpy(nbuf_add(m, (uint32_t)first), p, first);
    for (size_t at = first; at < n; at += first) { /* more than a buffer takes */
        struct nbuf *more = nbuf_get(&so->pool);

        first = n - at < 1600 ? n - at : 1600;
        if (!more)
            break;
        memcpy(nbuf_add(more, (uint32_t)first), p + at, first);
        nbuf_set_next(tail, more);
        tail = more;
    }
    tcp_input(so->t, m, rx);
}

int so_net_in(struct so *so, const uint8_t *p, size_t n)
{
    struct tcp_rx rx = {.arrived_ns = so->now_ns};
    uint32_t hdr;

    if (n < IP4_B || (p[0] >> 4 == 6 && n < IP6_B))
        return FAIL(EINVAL);
    if (!so->t)
        return 0;
    so_turn_begin(so);
    if (p[0] >> 4 == 4) {
        hdr = (uint32_t)(p[0] & 15) * 4;
        rx.src = ip_v4_wire(p + 12);
        rx.dst = ip_v4_wire(p + 16);
        rx.ecn = p[1] & 3;
        n = n < get_u16(p + 2) ? n : get_u16(p + 2);
    } else {
        hdr = IP6_B;
        memcpy(rx.src.b, p + 8, 16);
        memcpy(rx.dst.b, p + 24, 16);
        rx.ecn = p[1] >> 4 & 3;
        n = n < get_u16(p + 4) + IP6_B ? n : get_u16(p + 4) + IP6_B;
    }
    so->last_local = rx.dst;
    if (n > hdr && (p[0] >> 4 == 4 ? p[9] : p[6]) == 6)
        segment(so, p + hdr, n - hdr, &rx);
    else if (n > hdr && (p[0] >> 4 == 4 ? p[9] == 1 : p[6] == 58))
        icmp(so, p + hdr, n - hdr, p[0] >> 4 == 6);
    so_turn_end(so);
    return 0;
}
