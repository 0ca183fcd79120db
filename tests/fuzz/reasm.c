/**
 * Target: fragments of TCP packets through l3 with reassembly on, in virtual time.
 *
 * The input is a list of steps of 8 bytes: kind and flags, source, id, offset (2, in 8 bytes), length (2), ECN
 *   flags & 1: IPv6    & 2: more fragments    & 4: time passes instead: length times 2 ms
 *   flags & 8: in two buffers                 & 16: the content is another one
 * Byte n of a packet is a function of its source, id and n. What must hold: a packet that comes up consists of one
 * content alone, where no fragment of the other was sent; what is held is bounded; at the end all buffers are back.
 */
#include "net/reasm.h"
#include "base/bytes.h"
#include "fuzz/l3_port.h"

#include <string.h>

#define BUFS    512u
#define STEP_B  8u
#define SOURCES 64u

struct world {
    uint64_t now;
    struct rng rng;
    struct nbuf_pool pool;
    struct l3 *l3;
    struct ip_addr us[2], peer[2];
    bool forged[2][SOURCES][256]; /* of that source and id another content was sent */
    uint64_t whole;
};

static uint8_t content(uint8_t source, uint8_t id, uint32_t at)
{
    return (uint8_t)(source * 31u + id * 7u + at + (at >> 8) * 13u);
}

/* The source is in its address; the id is in no place but the content. */
static void check(const struct world *w, bool six, uint8_t source, const uint8_t *p, uint32_t len)
{
    for (uint32_t id = 0; id < 256; id++) {
        uint32_t at = 0;

        if (w->forged[six][source][id])
            return; /* could be this one */
        while (at < len && p[at] == content(source, (uint8_t)id, at))
            at++;
        if (at == len)
            return;
    }
    FUZZ_MUST(!"a packet of several ones");
}

static void on_tcp(void *ctx, struct nbuf *m, const struct l3_segment *s)
{
    static uint8_t all[65536];
    struct world *w = (struct world *)ctx;
    bool six = !ip_is_v4(&s->src);
    uint32_t len = 0;

    if (l3_counters(w->l3)[NET_CTR_REASM_OKS] == w->whole) { /* it came in one piece */
        nbuf_put_chain(m);
        return;
    }
    for (struct nbuf *p = m; p; p = nbuf_next(p)) {
        FUZZ_MUST(len + nbuf_len(p) <= sizeof(all));
        FUZZ_MUST(nbuf_len(p) > 0);
        memcpy(all + len, nbuf_data(p), nbuf_len(p));
        len += nbuf_len(p);
    }
    FUZZ_MUST(len > 0 && (nbuf_len(m) >= 60 || !nbuf_next(m)));
    check(w, six, s->src.b[15], all, len);
    w->whole++;
    nbuf_put_chain(m);
}

static void on_error(void *ctx, const struct l3_icmp_error *e)
{
    (void)ctx, (void)e;
}

static uint32_t headers(const struct world *w, uint8_t *f, const uint8_t *b, uint16_t len)
{
    bool six = b[0] & 1, more = b[0] & 2;
    struct eth e = {our_mac, peer_mac, six ? ETH_TYPE_IP6 : ETH_TYPE_IP4, 0, ETH_HDR_B};
    struct ip_addr src = w->peer[six];
    uint16_t units = get_u16(b + 3) & 0x1fff;
    uint8_t *h = f + ETH_HDR_B;

    src.b[15] = b[1] % SOURCES;
    eth_write(f, &e);
    if (six) {
        ip6_write(h, &src, &w->us[1], 44, b[7] & 3, (uint16_t)(8 + len), 0, 64);
        h[40] = IP_PROTO_TCP;
        h[41] = 0;
        put_u16(h + 42, (uint16_t)(units << 3 | more));
        put_u32(h + 44, b[2]);
        return ETH_HDR_B + IP6_HDR_B + IP6_FRAG_B;
    }
    ip4_write(h, &src, &w->us[0], IP_PROTO_TCP, b[7] & 3, len);
    put_u16(h + 4, b[2]);
    put_u16(h + 6, (uint16_t)(units | (more ? 0x2000 : 0)));
    put_u16(h + 10, 0);
    put_u16(h + 10, (uint16_t)~wire_sum(span_of(h, IP4_HDR_B), 0));
    return ETH_HDR_B + IP4_HDR_B;
}

static struct nbuf *in_bufs(struct world *w, const uint8_t *f, uint32_t len, uint32_t first)
{
    struct nbuf *m = nbuf_get(&w->pool), *rest = NULL;

    if (!m)
        return NULL;
    memcpy(nbuf_add(m, first), f, first);
    if (first == len)
        return m;
    rest = nbuf_get(&w->pool);
    if (rest)
        memcpy(nbuf_add(rest, len - first), f + first, len - first);
    nbuf_set_next(m, rest);
    return m;
}

static void fragment(struct world *w, const uint8_t *b)
{
    uint32_t at = (get_u16(b + 3) & 0x1fffu) * 8, len = get_u16(b + 5) % 1481u, hdr, i;
    uint8_t f[NBUF_ROOM_B], source = b[1] % SOURCES;
    uint8_t other = b[0] & 16 ? 0x55 : 0;
    struct nbuf *m;

    hdr = headers(w, f, b, (uint16_t)len);
    for (i = 0; i < len; i++)
        f[hdr + i] = content(source, b[2], at + i) ^ other;
    if (other)
        w->forged[b[0] & 1][source][b[2]] = true;
    m = in_bufs(w, f, hdr + len, b[0] & 8 && len > 1 ? hdr + len / 2 : hdr + len);
    if (m)
        l3_input(w->l3, 0, m, w->now);
    FUZZ_MUST(w->pool.out <= BUFS / 16);
}

static void begin(struct world *w)
{
    struct l3_env l3 = {.ctx = w,
                        .pool = &w->pool,
                        .rng = &w->rng,
                        .tx = fuzz_tx,
                        .tcp = on_tcp,
                        .icmp_error = on_error,
                        .reassembles = true};
    uint8_t seed[RNG_SEED_B] = {1};
    struct l3_port port;

    memset(w, 0, sizeof(*w));
    w->now = 1000000000;
    rng_init(&w->rng, seed);
    fuzz_addrs(w->us, "10.0.0.100", "fd00::100");
    fuzz_addrs(w->peer, "10.0.0.0", "fd00::");
    port = fuzz_port(w->us);
    w->pool = (struct nbuf_pool){.cap = BUFS};
    FUZZ_MUST(IS_OK(l3_new(&l3, &port, 1, w->now, &w->l3)));
}

static void end(struct world *w)
{
    const uint64_t *c = l3_counters(w->l3);

    FUZZ_MUST(c[NET_CTR_REASM_OKS] == w->whole);
    w->now += REASM_V6_NS;
    l3_timers(w->l3, w->now);
    FUZZ_MUST(w->pool.out == 0 && l3_next_deadline(w->l3) == UINT64_MAX);
    l3_free(w->l3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;

    begin(&w);
    for (size_t i = 0; i + STEP_B <= size && i < 8192; i += STEP_B) {
        const uint8_t *b = data + i;

        if (b[0] & 4) {
            w.now += get_u16(b + 5) * 2000000ull;
            l3_timers(w.l3, w.now);
            FUZZ_MUST(l3_next_deadline(w.l3) > w.now);
        } else {
            fragment(&w, b);
        }
    }
    end(&w);
    return 0;
}
