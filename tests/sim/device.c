#include "sim/device.h"

#include "base/bytes.h"
#include "tcp/wire.h"

/* Bytes of a chain, flat. */
static uint32_t flatten(struct nbuf *m, uint8_t *to, uint32_t cap)
{
    uint32_t n = 0;

    for (; m; m = nbuf_next(m)) {
        MUST(n + nbuf_len(m) <= cap);
        memcpy(to + n, nbuf_data(m), nbuf_len(m));
        n += nbuf_len(m);
    }
    return n;
}

/* One of the segments: header as it was but for what differs (RFC 9293 3.1). */
static struct nbuf *segment(struct nbuf_pool *wire, const uint8_t *run, const struct tcp_tx *tx,
                            uint32_t from, uint32_t len, bool last)
{
    struct nbuf *m = nbuf_get(wire);
    uint8_t *h = nbuf_add(m, tx->hdr_b + len);

    memcpy(h, run, tx->hdr_b);
    memcpy(h + tx->hdr_b, run + tx->hdr_b + from, len);
    put_u32(h + 4, get_u32(run + 4) + from);
    if (!last)
        h[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (from)
        h[13] &= (uint8_t)~TCP_CWR;
    put_u16(h + 16, 0);
    put_u16(h + 16, (uint16_t)~tcp_wire_sum(m, tx->hdr_b + len, &tx->src, &tx->dst));
    return m;
}

static void give_back(struct device *d, struct nbuf *m)
{
    struct nbuf *old = d->ring[d->next];

    if (!d->keeps) {
        nbuf_put_chain(m);
        return;
    }
    d->ring[d->next] = m;
    d->next = (d->next + 1) % DEVICE_RING;
    nbuf_put_chain(old);
}

void device_send(struct device *d, struct nbuf_pool *wire, struct nbuf *m, const struct tcp_tx *tx,
                 device_out *out, void *ctx)
{
    uint8_t run[65536];
    uint32_t len, payload, pseudo;
    struct tcp_tx each = *tx;

    if (!tx->csum) {
        out(ctx, m, tx);
        return;
    }
    len = flatten(m, run, sizeof(run));
    payload = len - tx->hdr_b;
    pseudo = tcp_wire_pseudo(tx->tso_mss ? 0 : len, &tx->src, &tx->dst);
    MUST(get_u16(run + 16) == pseudo && (!tx->tso_mss || payload > tx->tso_mss));
    each.csum = false;
    each.tso_mss = 0;
    for (uint32_t at = 0; at == 0 || at < payload;) {
        uint32_t n = payload - at;

        if (tx->tso_mss && n > tx->tso_mss)
            n = tx->tso_mss;
        out(ctx, segment(wire, run, tx, at, n, at + n == payload), &each);
        at += n ? n : 1;
    }
    give_back(d, m);
}

void device_idle(struct device *d)
{
    for (uint32_t i = 0; i < DEVICE_RING; i++) {
        nbuf_put_chain(d->ring[i]);
        d->ring[i] = NULL;
    }
}

uint32_t device_offloads(const struct device *d)
{
    return d->on ? TCP_OFFLOAD_CSUM | TCP_OFFLOAD_TSO : 0;
}
